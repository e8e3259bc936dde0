"""Queries for metadata: what they find, and what is no query."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.metadata_query import MetadataQuery

METADATA = {"site": "hall 1", "Rack": "3", "rack-2": "4*", "note": 'a;b,c "d"\nnext line', "empty": ""}


@pytest.mark.parametrize(
    "query, keys",
    [
        ("key==site", ["site"]),
        ("KEY==SITE", ["site"]),
        ("key!=site", ["Rack", "rack-2", "note", "empty"]),
        ("key==rack*", ["Rack", "rack-2"]),
        ("key==*ac*", ["Rack", "rack-2"]),
        ("value=='hall 1'", ["site"]),
        ('value=="4\\*"', ["rack-2"]),
        ("value==4*", ["rack-2"]),
        ('value==""', ["empty"]),
        ("value=='a;b,c \"d\"*'", ["note"]),
        ('value=="a;b,c \\"d\\"*"', ["note"]),
        ("key==r*;value!=3", ["rack-2"]),
        ("key==site,key==empty", ["site", "empty"]),
        # and binds closer than or
        ("key==site,key==r*;value==3", ["site", "Rack"]),
        ("key==r.ck", []),
        ("key==none", []),
    ],
)
def test_what_is_found(query: str, keys: list[str]) -> None:
    assert MetadataQuery(query).filter(METADATA) == {key: METADATA[key] for key in keys}


@pytest.mark.parametrize(
    "query",
    ["", "site", "key", "key==", "key=site", "name==site", "key==a;", "key==a,,key==b", "(key==a)", "key==a b",
     "key=in=(a,b)", "key=gt=a", 'key=="a', "key==a;value"],
)  # fmt: skip
def test_what_is_no_query(query: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        MetadataQuery(query)
    assert caught.value.msg == (
        f"metadata_query is '{query}': compare key and value with == or !=, such as key==site;value==hall*, joined by "
        "; for and, by a comma for or."
    )
