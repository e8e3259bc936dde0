"""Queries: values in quotes, wildcards, lists in portions that fit into an address."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit import rsql

from .fake import parse


@pytest.mark.parametrize(
    "value, text",
    [
        ("d1", '"d1"'),
        ("", '""'),
        ("a b", '"a b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("all*", '"all\\*"'),
        ("it's, (ä);=", '"it\'s, (ä);="'),
    ],
)
def test_values_are_quoted(value: str, text: str) -> None:
    assert rsql.literal(value) == text
    assert rsql.equals("name", value) == f"name=={text}"


def test_numbers_are_values_too() -> None:
    assert rsql.equals("id", 7) == 'id=="7"'


@pytest.mark.parametrize(
    "start, text",
    [
        ("gw-", 'name=="gw-*"'),
        ("", 'name=="*"'),
        ("a*b", 'name=="a\\*b*"'),
        ('a"b', 'name=="a\\"b*"'),
        ("a\\b", 'name=="a*"'),
    ],
)
def test_what_begins_so(start: str, text: str) -> None:
    assert rsql.begins("name", start) == text


def test_lists_become_one_comparison() -> None:
    assert list(rsql.any_of("controllerid", ["d1", "d2"])) == ['controllerid=in=("d1","d2")']
    assert list(rsql.any_of("controllerid", [])) == []


def test_an_asterisk_in_a_list_gets_its_own_comparison() -> None:
    """Inside =in= an escape does not hold: the server would look for a backslash."""
    assert list(rsql.any_of("name", ["a", "b*", "c"])) == ['name=="b\\*"', 'name=in=("a","c")']


@pytest.mark.parametrize("sign", ["a", "ä", "/", " ", "%", '"', "\\", "+", ","])
def test_each_portion_fits_into_an_address(sign: str) -> None:
    values = [f"{index:03}{sign * 100}" for index in range(200)]
    portions = list(rsql.any_of("name", values))
    assert max(len(urlencode({"q": portion})) for portion in portions) < 7000
    assert len(portions) > 1
    assert [value for value in values if any(parse(portion)({"name": value}) for portion in portions)] == values


def test_a_portion_is_as_long_as_it_may_be() -> None:
    portions = list(rsql.any_of("controllerid", [f"gateway-{index:06}" for index in range(1000)], room=2000))
    assert all(len(urlencode({"q": portion})) > 1900 for portion in portions[:-1])
    assert all(len(urlencode({"q": portion})) < 2100 for portion in portions)


def test_a_value_too_long_for_any_portion_goes_alone() -> None:
    assert list(rsql.any_of("name", ["a", "b" * 50, "c"], room=20)) == [
        'name=in=("a")',
        f'name=in=("{"b" * 50}")',
        'name=in=("c")',
    ]


def test_both_needs_all_parts_and_leaves_out_empty_ones() -> None:
    assert rsql.both("a==1", "b==2,c==3") == "(a==1);(b==2,c==3)"
    assert rsql.both("", "a==1") == "a==1"
    assert rsql.both("", "") == ""
