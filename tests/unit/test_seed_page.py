"""The list of all that hawkBit's documentation of targets says, and the page made from it."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from integration import test_seed
from integration.seed import Row, read_seed, rows
from integration.seed_calls import CALLS
from integration.seed_page import PAGE, WORDS, page

SEED = read_seed("hawkbit_targets")
ROWS = rows(SEED)


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "make it anew: cd tests && python -m integration.seed_page"


def test_all_operations_are_there() -> None:
    assert len(SEED) == 20
    assert len({(operation.method, operation.path, operation.body) for operation in SEED}) == 20
    assert set(CALLS) == {operation.operation for operation in SEED}


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_what_stands_for_it_exists(row: Row) -> None:
    if row.stands in WORDS:
        return
    name, _dot, path = row.stands.partition(".")
    module: Any = importlib.import_module(f"ansible_collections.fleet.deploy.plugins.modules.{name}")
    if row.kind == "response":
        documented = yaml.safe_load(module.RETURN)
        for part in path.replace("[]", "").split("."):
            assert part in documented, path
            documented = documented[part].get("contains", {})
        return
    path, _equals, choice = path.partition("=")
    options, choices = module.SPEC.kwargs()["argument_spec"], []
    for part in path.replace("[]", "").split("."):
        assert part in options, path
        choices = options[part].get("choices", [])
        options = options[part].get("options", {})
    assert not choice or choice in choices


def test_every_row_is_tested_on_one_generation_at_least() -> None:
    everywhere = [set(test_seed.NOT_ON.get(generation, {})) for generation in ("seed", "mid", "modern")]
    assert set.intersection(*everywhere) == set()
    assert set.union(*everywhere) <= {row.id for row in ROWS}
