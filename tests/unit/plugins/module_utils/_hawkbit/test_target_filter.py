"""target_filter: queries, auto-assignment, what a broken connection leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput, Unsupported
from ansible_collections.fleet.deploy.plugins.modules import target_filter as module

from .conftest import Run
from .objects import Objects

SET = {"name": "s", "version": "1"}


@pytest.fixture
def objects() -> Iterator[Objects]:
    """A server with the filter old, and the sets s (complete) and t (not)."""
    found = Objects()
    for name, complete in (("s", True), ("t", False)):
        found.add("distributionsets", name=name, version="1", type="os", complete=complete, valid=True)
    found.add("targetfilters", name="old", query="name==a")
    with found.server:
        yield found


def test_a_filter_is_made_changed_and_removed(objects: Objects, run: Run) -> None:
    steps: list[tuple[dict[str, Any], list[str]]] = [
        (
            {"query": "name==x ", "auto_assign": {"distribution_set": SET, "weight": 5}},
            ["POST targetfilters", "POST targetfilters/4/autoAssignDS"],
        ),
        ({"query": "name==y"}, ["PUT targetfilters/4"]),
        (
            {"auto_assign": {"distribution_set": SET, "assignment_type": "soft"}},
            ["POST targetfilters/4/autoAssignDS"],
        ),
        ({"auto_assign": {}}, ["DELETE targetfilters/4/autoAssignDS"]),
        ({"state": "absent"}, ["DELETE targetfilters/4"]),
    ]
    for given, writes in steps:
        objects.server.requests.clear()
        planned = run(module, objects.server.url, check_mode=True, diff_mode=True, name="new", **given)
        assert objects.writes == []
        done = run(module, objects.server.url, diff_mode=True, name="new", **given)
        assert (done.error, done.result["changed"], objects.writes) == (None, True, writes)
        assert planned.result["diff"] == done.result["diff"]
        again = run(module, objects.server.url, name="new", **given)
        assert (again.error, again.result["changed"], objects.writes) == (None, False, writes)
        assert again.result["target_filter"] == done.result["target_filter"]


def test_difference_is_that_of_one_filter(objects: Objects, run: Run) -> None:
    auto = {"distribution_set": SET}
    given = {"distribution_set_id": "1", "assignment_type": "forced"}
    new = run(module, objects.server.url, diff_mode=True, name="new", query="name==x", auto_assign=auto)
    after = {"new": {"name": "new", "query": "name==x", "auto_assign": given}}
    assert new.result["diff"] == {"before": {}, "after": after}
    ended = run(module, objects.server.url, diff_mode=True, name="new", query="name==y", auto_assign={})
    assert ended.result["diff"]["before"]["new"]["auto_assign"]["distribution_set_id"] == "1"
    assert ended.result["diff"]["after"] == {"new": {"query": "name==y", "auto_assign": None}}


@pytest.mark.parametrize("auto", [{"assignment_type": "soft"}, {"weight": 3}, {"confirmation_required": False}])
def test_how_to_assign_without_what_is_refused(objects: Objects, run: Run, auto: dict[str, Any]) -> None:
    ran = run(module, objects.server.url, name="old", auto_assign=auto)
    assert ran.result["msg"] == (
        f"auto_assign.{next(iter(auto))} is given without auto_assign.distribution_set: give the set, or an empty "
        "auto_assign to end the auto-assignment."
    )
    assert objects.writes == []


def test_what_is_sent(objects: Objects, run: Run) -> None:
    auto = {"distribution_set": SET, "assignment_type": "downloadonly", "weight": 7, "confirmation_required": True}
    done = run(module, objects.server.url, name="old", auto_assign=auto)
    (body,) = objects.bodies("POST targetfilters/3/autoAssignDS")
    assert body == {"id": 1, "type": "downloadonly", "weight": 7, "confirmationRequired": True}
    # the server does not tell while the tenant has no confirmation: no reason to send it again
    assert done.result["target_filter"]["auto_assign"] == {
        "distribution_set_id": "1",
        "assignment_type": "downloadonly",
        "weight": 7,
        "confirmation_required": None,
    }
    assert not run(module, objects.server.url, name="old", auto_assign=auto).result["changed"]
    objects.kept["targetfilters"][3]["confirmationRequired"] = False
    assert run(module, objects.server.url, name="old", auto_assign=auto).result["changed"]


def test_check_mode_shows_what_would_be(objects: Objects, run: Run) -> None:
    auto = {"distribution_set": SET}
    done = run(module, objects.server.url, check_mode=True, name="new", query="name==x", auto_assign=auto)
    assert done.result["target_filter"] == {
        "id": None,
        "name": "new",
        "query": "name==x",
        "auto_assign": {
            "distribution_set_id": "1",
            "assignment_type": "forced",
            "weight": None,
            "confirmation_required": None,
        },
    }


@pytest.mark.parametrize(
    "given, message",
    [
        ({"name": "new"}, "query is missing: hawkBit has no target filter 'new' yet."),
        ({"query": ""}, "query is 0 characters long: give 1 to 1024."),
        ({"query": "x" * 1025}, "query is 1025 characters long: give 1 to 1024."),
        (
            {"auto_assign": {"distribution_set": SET, "weight": 1001}},
            "auto_assign.weight is 1001: give a number from 0 to 1000.",
        ),
        (
            {"auto_assign": {"distribution_set": {"name": "t", "version": "1"}}},
            "distribution_set t 1 is incomplete: add the modules that its type 'os' demands.",
        ),
        (
            {"auto_assign": {"distribution_set": {"name": "s", "version": "2"}}},
            "Distribution set 's' version '2' does not exist: there is version '1' (type 'os').",
        ),
    ],
)
def test_what_is_refused(objects: Objects, run: Run, given: dict[str, Any], message: str) -> None:
    done = run(module, objects.server.url, **{"name": "old", **given})
    assert isinstance(done.error, InvalidInput)
    assert (done.result["msg"], objects.writes) == (message, [])


def test_a_weight_needs_multi_assignment_on_an_old_server(objects: Objects, run: Run) -> None:
    objects.missing = {"actions"}
    objects.settings = {"multi.assignments.enabled": {"value": False}}
    auto = {"distribution_set": SET, "weight": 7}
    done = run(module, objects.server.url, name="old", query="name==b", auto_assign=auto)
    assert isinstance(done.error, Unsupported)
    assert done.result["msg"].startswith("auto_assign.weight is given, but needs multi-assignment before hawkBit 0.5")
    assert objects.writes == []
    objects.settings = {"multi.assignments.enabled": {"value": True}}
    assert run(module, objects.server.url, name="old", auto_assign=auto).error is None


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize(
    "given",
    [
        {"name": "new", "query": "name==x"},
        {"name": "old", "query": "name==x"},
        {"name": "old", "auto_assign": {"distribution_set": SET}},
        {"name": "old", "state": "absent"},
    ],
)
def test_each_write_has_one_effect(objects: Objects, run: Run, given: dict[str, Any], fault: str) -> None:
    objects.fault = fault
    done = run(module, objects.server.url, **given)
    assert (done.error, done.result["changed"], len(objects.writes)) == (None, True, 1 + (fault == "before"))
    assert not run(module, objects.server.url, **given).result["changed"]
