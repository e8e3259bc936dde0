"""Rollouts on Mender: their waves and phases, and the record of what mender_rollout_info shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan
from ansible_collections.fleet.deploy.plugins.filter.rollout_record import rollout_record
from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import Counts

REST = {"name": "rest"}
LAB = {"name": "lab", "fleet": {"group": "lab"}}
LATER = {"name": "rest", "start": "2026-12-24T03:00:00+01:00"}
GATE = {"min_success_percentage": 50, "max_failures": 1}
WAVES = [{"name": "canary", "size": 4, "gate": GATE}, REST]


def plan(waves: list[dict[str, Any]], phases: bool = False) -> dict[str, Any]:
    """Return the plan for Mender."""
    found: dict[str, Any] = rollout_plan(waves, "mender", phases)
    return found


def test_waves_become_stages() -> None:
    found = plan([LAB, {"name": "a", "size": "10%"}, {"name": "b", "size": 5}, {"name": "c", "percentage": 20}, REST])
    assert found["error"] is None
    assert found["stages"] == [
        LAB, {"name": "a", "percentage": 10.0}, {"name": "b", "devices": 5}, {"name": "c", "percentage": 20.0}, REST,
    ]  # fmt: skip
    assert (found["phases"], found["groups"]) == ([], [])


@pytest.mark.parametrize(
    "last",
    [REST, LAB, {"name": "all", "percentage": 90}, {"name": "few", "size": 3}],
    ids=["rest", "fleet", "whole", "devices"],
)
def test_last_waves_that_can_be(last: dict[str, Any]) -> None:
    assert plan([{"name": "a", "percentage": 10}, last])["error"] is None


@pytest.mark.parametrize(
    "gate, expected",
    [
        ({}, (100, 0, None)),
        (GATE, (50, 50, 1)),
        ({**GATE, "max_failure_percentage": 10}, (50, 10, 1)),
        ({"min_success_percentage": 90}, (90, 0, None)),
    ],
)
def test_gates(gate: dict[str, Any], expected: tuple[Any, ...]) -> None:
    [wave] = plan([{**REST, "gate": gate}])["waves"]
    assert (
        tuple(wave[name] for name in ("min_success_percentage", "max_failure_percentage", "max_failures")) == expected
    )


@pytest.mark.parametrize(
    "waves, message",
    [
        ([{"name": "a", "query": "x"}, REST], "wave 'a': query is given, but Mender has no such language"),
        ([{"name": "a", "size": 5, "percentage": 5}, REST], "wave 'a': percentage and size are both given"),
        ([{"name": "a", "size": "0"}, REST], "wave 'a': size is 0: give a number of devices, or a percentage"),
        ([{"name": "a", "size": "-3"}, REST], "wave 'a': size is -3: give a number of devices"),
        ([{"name": "a", "size": "0%"}, REST], "wave 'a': size is 0: give more than 0, at most 100."),
        ([{"name": "a"}, REST], "wave 'a': only the last wave may go without percentage or query"),
        ([{"name": "a", "percentage": 30}], "the percentages add up to 30, not 100"),
        ([{**REST, "gate": {"max_failures": 1}}], "max_failures needs min_success_percentage"),
        ([{**REST, "gate": {**GATE, "max_failures": "few"}}], "max_failures is few: give a whole number"),
        ([{"name": "a", "percentage": 5}, LATER], "start goes with rollout_server_phases only"),
    ],
)
def test_refused(waves: list[dict[str, Any]], message: str) -> None:
    found = plan(waves)
    assert message in found["error"]
    assert (found["waves"], found["stages"]) == ([], [])


@pytest.mark.parametrize(
    "wave, message",
    [
        ({"name": "a", "size": 5}, "size is 5, but hawkBit has percentages only"),
        (LAB, "fleet is for Mender: leave it out."),
        ({**REST, "gate": GATE}, "max_failures is for Mender: give max_failure_percentage."),
        (LATER, "start is for Mender: leave it out."),
    ],
)
def test_hawkbit_does_not_have_it(wave: dict[str, Any], message: str) -> None:
    assert message in rollout_plan([wave, {"name": "z"}])["error"]


def test_size_in_percent_is_for_both() -> None:
    assert rollout_plan([{"name": "a", "size": "10%"}, REST]) == rollout_plan([{"name": "a", "percentage": 10}, REST])


def test_phases_are_one_wave() -> None:
    waves = [{"name": "a", "percentage": 10}, {**LATER, "gate": GATE, "soak": 5}]
    found = plan(waves, phases=True)
    assert found["error"] is None
    assert found["phases"] == [{"batch_size": 10}, {"start_ts": LATER["start"]}]
    assert found["stages"] == [{"name": "a, rest"}]
    [wave] = found["waves"]
    assert (wave["min_success_percentage"], wave["max_failures"], wave["soak"]) == (50, 1, 5)
    by_number = plan([{"name": "a", "size": 3}, LATER], phases=True)
    assert by_number["phases"][0] == {"batch_size_devices": 3}


@pytest.mark.parametrize(
    "first, last, message",
    [
        ({"fleet": {"all": True}}, LATER, "wave 'a': fleet does not go with rollout_server_phases"),
        ({"percentage": 10}, REST, "wave 'rest': start is missing"),
        ({"percentage": 12.5}, LATER, "wave 'a': percentage is 12.5: phases of Mender have whole numbers."),
        ({"percentage": 10, "soak": 1}, LATER, "wave 'a': gate, soak, approval and verify do not go with"),
        ({"percentage": 10, "gate": GATE}, LATER, "wave 'a': gate, soak, approval and verify do not go with"),
    ],
)
def test_phases_refused(first: dict[str, Any], last: dict[str, Any], message: str) -> None:
    assert message in plan([{"name": "a", **first}, last], phases=True)["error"]


def wave(name: str, id: str | None = None, status: str | None = None, early: bool = False, **counts: int) -> Any:
    """Return a wave as mender_rollout_info shows it."""
    return {
        "name": name, "deployment_name": f"r/{name}", "deployment": id, "status": status, "aborted": early,
        "created": "2026-03-01T10:00:00Z" if id else None,
        "finished": "2026-03-01T10:05:00Z" if status == "finished" else None,
        "statistics": {}, "counts": asdict(Counts(**counts)), "fleet": None,
    }  # fmt: skip


def record(canary: Any, rest: Any, rollback: Any = None, **more: Any) -> dict[str, Any]:
    """Return the record of a rollout with these waves."""
    rollout = {
        "name": "r", "artifact_name": "g-2", "artifacts": ["a1"], "created": canary["created"], "finished": None,
        "counts": {name: canary["counts"][name] + rest["counts"][name] for name in canary["counts"]},
        "waves": [canary, rest], "failed_devices": [], "installed": None, "rollback": rollback,
    }  # fmt: skip
    made: dict[str, Any] = rollout_record(
        rollout, "r", {"name": "g-2"}, plan(WAVES)["waves"], platform="mender", fleet={"all": True}, **more
    )
    return made


PLANNED = wave("rest", selected=6, pending=6)
GOOD = wave("canary", "1", "finished", selected=4, succeeded=4)
ONE_FAILED = wave("canary", "1", "finished", selected=4, succeeded=3, failed=1)
TWO_FAILED = wave("canary", "1", "inprogress", selected=4, succeeded=2, failed=2)
OPEN = wave("canary", "1", "inprogress", selected=4, succeeded=1, running=3)
QUORUM = wave("canary", "1", "inprogress", selected=4, succeeded=2, pending=2)
LET_GO = wave("canary", "1", "finished", True, selected=4, succeeded=2, aborted=2)
ABORTED = wave("canary", "1", "finished", True, selected=4, succeeded=1, aborted=3)
DONE = wave("rest", "2", "finished", selected=6, succeeded=6)
BACK = {"artifact_name": "g-1", "deployments": ["3"], "devices": ["d"], "remaining": []}


@pytest.mark.parametrize(
    "canary, rest, state, decisions, message",
    [
        pytest.param(
            wave("canary", selected=4, pending=4), PLANNED, "planned", ["not_started", "not_started"],
            "Rollout 'r' would go to 10 devices in these waves: canary (4 devices), rest (6 devices).", id="planned",
        ),
        pytest.param(
            GOOD, DONE, "succeeded", ["passed", "passed"],
            "Rollout 'r' has succeeded: 10 of 10 devices (100 %) have the software.", id="all",
        ),
        pytest.param(
            ONE_FAILED, PLANNED, "waiting", ["passed", "not_started"], "Rollout 'r' is waiting.", id="between"
        ),
        pytest.param(OPEN, PLANNED, "running", ["waiting", "not_started"], "Rollout 'r' is inprogress.", id="open"),
        pytest.param(QUORUM, PLANNED, "running", ["passed", "not_started"], "Rollout 'r' is inprogress.", id="quorum"),
        pytest.param(
            TWO_FAILED, PLANNED, "failed", ["failed", "not_started"],
            "Rollout 'r' has failed at wave 'canary': more than 1 of its 4 devices failed.", id="number",
        ),
        pytest.param(
            LET_GO, DONE, "succeeded", ["passed", "passed"],
            "Rollout 'r' has succeeded: 8 of 10 devices (80 %) have the software.", id="let-go",
        ),
        pytest.param(
            LET_GO, PLANNED, "waiting", ["passed", "not_started"], "Rollout 'r' is waiting.", id="let-go-between"
        ),
        pytest.param(
            ABORTED, PLANNED, "aborted", ["aborted", "not_started"], "Rollout 'r' was stopped by somebody else.",
            id="aborted",
        ),
    ],
)  # fmt: skip
def test_state(canary: Any, rest: Any, state: str, decisions: list[str], message: str) -> None:
    made = record(canary, rest)
    assert made["message"] == message
    assert made["deployment"]["state"] == state
    assert [item["decision"] for item in made["waves"]] == decisions


def test_rollout_that_was_sent_back() -> None:
    made = record(GOOD, PLANNED, BACK)
    assert made["deployment"]["state"] == "failed"
    assert made["error"]["code"] == "rejected"
    assert made["message"] == "Rollout 'r' has failed, and its devices were sent back to g-1."
    # a gate that has failed says more
    assert record(TWO_FAILED, PLANNED, BACK)["message"].startswith("Rollout 'r' has failed at wave 'canary': more")


def test_what_a_wave_has_besides() -> None:
    made = record(GOOD, PLANNED)
    canary, rest = made["waves"]
    assert (canary["deployment"], canary["devices"], canary["fleet"]) == ("1", 4, None)
    assert canary["gate"] == {"min_success_percentage": 50, "max_failure_percentage": 50, "max_failures": 1}
    assert (rest["deployment"], rest["begun"]) == (None, False)
    assert made["deployment"]["id"] == "1"
    assert made["deployment"]["software"] == {"id": "a1", "name": "g-2", "version": None, "type": None}
