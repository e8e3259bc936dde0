"""The record of a rollout from what each generation of hawkBit answers, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan
from ansible_collections.fleet.deploy.plugins.filter.rollout_record import rollout_record
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollout import STATES, show
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout import hawkbit

GENERATIONS = ("seed", "legacy", "modern")
SOFTWARE = {"name": "roll", "version": "1.0", "type": None}
REFUSED = "Rollout 'r1' has failed at wave 'canary': it was not approved."
CREATED, CHANGED = 1795168061254, 1795168121254
ZERO = {"running": 0, "notstarted": 0, "scheduled": 0, "cancelled": 0, "finished": 0, "error": 0}
Group = tuple[str, dict[str, int]]

READY: Group = ("ready", {"notstarted": 4})
SCHEDULED: Group = ("scheduled", {"scheduled": 4})
RUNNING: Group = ("running", {"running": 3, "finished": 1})
OVER: Group = ("finished", {"finished": 4})
BROKEN: Group = ("error", {"error": 1, "running": 3})
CALLED_OFF: Group = ("finished", {"cancelled": 4})
STUCK: Group = ("running", {"cancelled": 3, "finished": 1})


def answered(generation: str, status: str, *groups: Group, description: str | None = None) -> dict[str, Any]:
    """Return what hawkbit_rollout_info shows of the answers of releases 0.3.0M7, 0.9.0 and 1.0.4."""
    entity: dict[str, Any] = {
        "createdBy": "admin", "createdAt": CREATED, "lastModifiedBy": "system", "lastModifiedAt": CHANGED, "name": "r1",
        "targetFilterQuery": "controllerid==ro*", "distributionSetId": 10, "status": status, "deleted": False,
        "totalTargets": sum(sum(counts.values()) for _status, counts in groups),
        "totalTargetsPerStatus": {name: sum(counts.get(name, 0) for _status, counts in groups) for name in ZERO},
        "type": "forced", "id": 1, **({} if description is None else {"description": description}),
    }  # fmt: skip
    parts: list[dict[str, Any]] = [
        {
            "createdAt": CREATED, "lastModifiedAt": CHANGED, "name": name, "description": name, "status": state,
            "successCondition": {"condition": "THRESHOLD", "expression": "100"},
            "successAction": {"action": "NEXTGROUP", "expression": ""},
            "errorCondition": {"condition": "THRESHOLD", "expression": "0"},
            "errorAction": {"action": "PAUSE", "expression": ""}, "targetFilterQuery": "", "targetPercentage": 50.0,
            "id": index, "totalTargets": sum(counts.values()), "totalTargetsPerStatus": {**ZERO, **counts},
        }
        for index, (name, (state, counts)) in enumerate(zip(("canary", "rest"), groups, strict=True), 1)
    ]  # fmt: skip
    if generation != "seed":
        entity.update(totalGroups=len(parts), forcetime=0, weight=1000, dynamic=False)
        for part in parts:
            part.update(dynamic=False)
    shown = show(entity, parts)
    shown.update(failed_devices=[])
    return shown


def record(found: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Return the record of it."""
    waves = rollout_plan([{"name": "canary", "percentage": 50}, {"name": "rest"}])["waves"]
    made: dict[str, Any] = rollout_record(found, "r1", SOFTWARE, waves, **more)
    return made


def case(
    id: str,
    status: str,
    groups: tuple[Group, Group],
    *expected: Any,
    generations: tuple[str, ...] = GENERATIONS,
    **more: Any,
) -> list[Any]:
    """Return a case for each generation that can come to it."""
    return [
        pytest.param(generation, status, groups, more, *expected, id=f"{id}-{generation}") for generation in generations
    ]


@pytest.mark.parametrize(
    "generation, status, groups, more, state, code, decisions",
    [
        *case("creating", "creating", (READY, READY), "planned", None, ["not_started", "not_started"]),
        *case("ready", "ready", (READY, READY), "planned", None, ["not_started", "not_started"]),
        *case("approval", "waiting_for_approval", (READY, READY), "waiting", None, ["not_started", "not_started"]),
        *case("denied", "approval_denied", (READY, READY), "aborted", "aborted_elsewhere", ["aborted", "not_started"]),
        *case("starting", "starting", (SCHEDULED, SCHEDULED), "running", None, ["not_started", "not_started"]),
        *case("running", "running", (RUNNING, SCHEDULED), "running", None, ["waiting", "not_started"]),
        *case("second", "running", (OVER, RUNNING), "running", None, ["passed", "waiting"]),
        *case("finished", "finished", (OVER, OVER), "succeeded", None, ["passed", "passed"]),
        *case("broken", "paused", (BROKEN, SCHEDULED), "failed", "threshold_exceeded", ["failed", "not_started"]),
        # hawkBit has nothing to pause any more
        *case("last-broken", "finished", (OVER, BROKEN), "failed", "threshold_exceeded", ["passed", "failed"]),
        *case("paused", "paused", (RUNNING, SCHEDULED), "waiting", None, ["waiting", "not_started"]),
        *case("between", "paused", (OVER, SCHEDULED), "waiting", None, ["passed", "not_started"]),
        *case(
            "refused", "paused", (OVER, SCHEDULED), "failed", "rejected", ["passed", "not_started"],
            description=f"fleet.deploy: {REFUSED}",
        ),
        *case(
            "refused-and-resumed", "running", (OVER, RUNNING), "running", None, ["passed", "waiting"],
            description=f"fleet.deploy: {REFUSED}",
        ),
        *case(
            "described", "paused", (OVER, SCHEDULED), "waiting", None, ["passed", "not_started"],
            description="by hand: fleet.deploy: no",
        ),
        *case(
            "stopped", "stopped", (STUCK, CALLED_OFF), "aborted", "aborted_elsewhere", ["aborted", "not_started"],
            generations=("modern",),
        ),
        *case(
            "stopping", "stopping", (OVER, CALLED_OFF), "aborted", "aborted_elsewhere", ["passed", "aborted"],
            generations=("modern",),
        ),
        *case(
            "stopped-and-refused", "stopped", (OVER, CALLED_OFF), "failed", "rejected", ["passed", "aborted"],
            generations=("modern",), description=f"fleet.deploy: {REFUSED}",
        ),
        # stopping is there: to pause, and to cancel what is open
        *case(
            "stopped", "paused", (STUCK, SCHEDULED), "failed", "threshold_exceeded", ["failed", "not_started"],
            generations=("seed", "legacy"),
        ),
        *case("unknown-word", "reorganising", (RUNNING, SCHEDULED), "running", None, ["waiting", "not_started"]),
    ],
)  # fmt: skip
def test_state(
    generation: str,
    status: str,
    groups: tuple[Group, Group],
    more: dict[str, Any],
    state: str,
    code: str | None,
    decisions: list[str],
) -> None:
    made = record(answered(generation, status, *groups, **more))
    assert made["deployment"]["state"] == state
    assert made["deployment"]["native_state"] == status
    assert made["error"]["code"] == code
    assert [wave["decision"] for wave in made["waves"]] == decisions
    assert bool(made["deployment"]["finished"]) == (state in ("succeeded", "failed", "aborted"))


@pytest.mark.parametrize("status", sorted(STATES))
def test_every_word_of_the_server_gives_a_record(status: str) -> None:
    made = record(answered("modern", status, RUNNING, SCHEDULED))
    assert made["deployment"]["state"] in ("planned", "waiting", "running", "succeeded", "failed", "aborted")
    assert made["message"]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_counts(generation: str) -> None:
    groups = ("running", {"running": 1, "finished": 2, "error": 1, "cancelled": 1}), SCHEDULED
    made = record(answered(generation, "running", *groups))
    assert made["counts"] == {
        "selected": 9, "skipped": 0, "pending": 4, "running": 1, "succeeded": 2, "failed": 1, "aborted": 1,
        "unknown": 0,
    }  # fmt: skip
    assert [wave["counts"]["selected"] for wave in made["waves"]] == [5, 4]
    assert [wave["counts"]["pending"] for wave in made["waves"]] == [0, 4]
    assert [wave["begun"] for wave in made["waves"]] == [True, False]


def test_what_is_known_of_the_rollout() -> None:
    made = record(answered("seed", "finished", OVER, OVER))
    assert made["deployment"] == {
        "platform": "hawkbit", "id": "1", "name": "r1", "state": "succeeded", "native_state": "finished",
        "software": {"id": "10", **SOFTWARE}, "created": "2026-11-20T09:47:41Z", "finished": "2026-11-20T09:48:41Z",
    }  # fmt: skip
    assert made["fleet"]["query"] == "controllerid==ro*"
    assert made["fleet"]["updated_query"] == (
        '(controllerid==ro*);(installedds.name=="roll");(installedds.version=="1.0")'
    )


@pytest.mark.parametrize(
    "success, error, decision",
    [
        (None, None, "failed"),
        ("", "", "failed"),
        ("abc", "abc", "failed"),
        ("-1", "1e9", "failed"),
        ("33.3", "50.5", "passed"),
        ("33.4", "50", "waiting"),
    ],
)
def test_thresholds_of_any_text(success: str | None, error: str | None, decision: str) -> None:
    found = answered("modern", "running", ("running", {"finished": 333, "error": 50, "running": 617}), SCHEDULED)
    found["groups"][0].update(success_threshold=success, error_threshold=error)
    assert record(found)["waves"][0]["decision"] == decision


def test_rollout_that_somebody_else_has_made() -> None:
    found = answered("modern", "running", RUNNING, SCHEDULED)
    found["query"] = None
    for group, name in zip(found["groups"], ("group-1", "group-2"), strict=True):
        group["name"] = name
    made = record(found)
    assert made["fleet"]["updated_query"] == '(installedds.name=="roll");(installedds.version=="1.0")'
    assert [(wave["decision"], wave["reason"]) for wave in made["waves"]] == [("not_started", "It was not begun.")] * 2


@pytest.mark.parametrize(
    "description, remark",
    [
        (None, None),
        ("", None),
        ("fleet.deploy", None),
        ("fleet.deploy: ", ""),
        ("fleet.deploy: fleet.deploy: x", "fleet.deploy: x"),
    ],
)
def test_remark(description: str | None, remark: str | None) -> None:
    found = answered("modern", "paused", OVER, SCHEDULED, description=description)
    assert hawkbit.state_of(found, SOFTWARE).remark == remark
