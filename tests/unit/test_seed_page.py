"""The lists of all that the documentation of an API says, and the pages made from them."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from integration import test_seed, test_seed_mender
from integration.seed import KINDS, WORDS, Row, read_seed, rows
from integration.seed_calls import CALLS
from integration.seed_calls_mender import CALLS as MENDER_CALLS
from integration.seed_document import read_document
from integration.seed_page import PAGES, SeedPage

SEED = read_seed("hawkbit_targets")
ROWS = rows(SEED)
MENDER = read_seed("mender_deployments")
MENDER_ROWS = rows(MENDER)
ALL_ROWS = [*ROWS, *MENDER_ROWS]


@pytest.mark.parametrize("page", PAGES, ids=[page.seed for page in PAGES])
def test_page_is_up_to_date(page: SeedPage) -> None:
    assert page.path.read_text() == page.page(), "make it anew: cd tests && python -m integration.seed_page"


def test_all_operations_are_there() -> None:
    assert len(SEED) == 20
    assert len({(operation.method, operation.path, operation.body) for operation in SEED}) == 20
    assert set(CALLS) == {operation.operation for operation in SEED}


def test_all_operations_of_mender_are_there() -> None:
    assert len(MENDER) == 18
    assert len({(operation.method, operation.path) for operation in MENDER}) == 18
    assert set(MENDER_CALLS) == {operation.operation for operation in MENDER}


def test_list_of_mender_is_what_the_document_says() -> None:
    document = read_document()
    if document is None:
        pytest.skip("the document of Mender's deployments API is not part of the collection")
    ours = {(operation.method, operation.path): operation for operation in MENDER}
    assert ours.keys() == document.operations.keys()
    for key, wanted in document.operations.items():
        found = ours[key]
        assert (found.success, found.statuses) == (wanted.success, wanted.errors), key
        lines = {(row.kind, row.name) for row in rows([found])}
        # the log is text
        assert lines - {("response", "(text)")} == wanted.rows, key


def _is_documented(documented: dict[str, Any], path: str) -> bool:
    """Whether the documentation of a result has a key: among its keys, or in the sample where they are not listed."""
    about: dict[str, Any] = {"contains": documented}
    for part in path.replace("[]", "").split("."):
        within = about.get("contains")
        if within is None:
            return part in (about.get("sample") or {})
        if part not in within:
            return False
        about = within[part]
    return True


@pytest.mark.parametrize("row", ALL_ROWS, ids=[row.id for row in ALL_ROWS])
def test_what_stands_for_it_exists(row: Row) -> None:
    if row.stands in WORDS:
        return
    name, _dot, path = row.stands.partition(".")
    module: Any = importlib.import_module(f"ansible_collections.fleet.deploy.plugins.modules.{name}")
    # a part of an address may be what the module has read before
    if row.kind in ("response", "answer_header") or (row.kind == "address" and "[]" in path):
        assert _is_documented(yaml.safe_load(module.RETURN), path), path
        return
    path, _equals, choice = path.partition("=")
    options, choices = module.SPEC.kwargs()["argument_spec"], []
    for part in path.replace("[]", "").split("."):
        assert part in options, path
        choices = options[part].get("choices", [])
        options = options[part].get("options", {})
    assert not choice or choice in choices


def test_rows_are_of_known_kinds() -> None:
    assert {row.kind for row in ALL_ROWS} <= set(KINDS)


def test_every_row_is_tested_on_one_generation_at_least() -> None:
    everywhere = [set(test_seed.NOT_ON.get(generation, {})) for generation in ("seed", "mid", "modern")]
    assert set.intersection(*everywhere) == set()
    assert set.union(*everywhere) <= {row.id for row in ROWS}


def test_every_row_of_mender_is_tested_on_servers_of_the_documents_time() -> None:
    lists = test_seed_mender.NOT_ON
    assert set(lists) == set(test_seed_mender.VERSIONS)
    assert lists["seed"] == {}
    assert set().union(*lists.values()) <= {row.id for row in MENDER_ROWS}
