"""The record of a rollout: what its gates decide."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan
from ansible_collections.fleet.deploy.plugins.filter.rollout_record import rollout_record
from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import Counts

PLAN = rollout_plan(
    [
        {"name": "canary", "percentage": 40, "gate": {"min_success_percentage": 75, "max_failure_percentage": 25}},
        {"name": "rest"},
    ]
)
SOFTWARE = {"name": "gateway", "version": "2.0"}
TOO_MANY = "Rollout 'r' has failed at wave 'canary': more than 25 % of its 4 devices failed."


def group(name: str, status: str, success: int, error: int, **counts: int) -> dict[str, Any]:
    """A group as hawkbit_rollout_info shows it."""
    return {
        "id": name,
        "name": name,
        "status": status,
        "last_modified_at": "2026-03-01T10:05:00Z",
        "success_threshold": str(success),
        "error_threshold": str(error),
        "counts": asdict(Counts(**counts)),
    }


def rollout(
    status: str, canary: dict[str, Any], rest: dict[str, Any], description: str | None = None
) -> dict[str, Any]:
    """A rollout as hawkbit_rollout_info shows it, with the counts of its two groups added up."""
    groups = [group("canary", success=75, error=25, **canary), group("rest", success=100, error=0, **rest)]
    return {
        "id": "7",
        "name": "r",
        "description": description,
        "status": status,
        "query": "name==g-*",
        "distribution_set_id": "3",
        "assignment_type": "forced",
        "start_at": None,
        "created_at": "2026-03-01T10:00:00Z",
        "last_modified_at": "2026-03-01T10:20:00Z",
        "counts": {key: sum(item["counts"][key] for item in groups) for key in groups[0]["counts"]},
        "groups": groups,
    }


def record(found: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """The record of a rollout."""
    made: dict[str, Any] = rollout_record(found, "r", SOFTWARE, PLAN["waves"], **more)
    return made


WAITING = {"status": "scheduled", "selected": 6, "pending": 6}
DONE = {"status": "finished", "selected": 6, "succeeded": 6}
GOOD = {"status": "finished", "selected": 4, "succeeded": 4}
CALLED_OFF = {"status": "finished", "selected": 6, "aborted": 6}


@pytest.mark.parametrize(
    "status,canary,rest,state,decisions,message",
    [
        pytest.param(
            "finished", GOOD, DONE, "succeeded", ["passed", "passed"],
            "Rollout 'r' has succeeded: 10 of 10 devices (100 %) have the software.", id="all",
        ),
        pytest.param(
            "running", {"status": "running", "selected": 4, "succeeded": 3, "running": 1}, DONE, "succeeded",
            ["passed", "passed"], "Rollout 'r' has succeeded: 9 of 10 devices (90 %) have the software.", id="quorum",
        ),
        pytest.param(
            "paused", {"status": "error", "selected": 4, "failed": 2, "running": 2}, WAITING, "failed",
            ["failed", "not_started"], TOO_MANY,
            id="too-many-failures",
        ),
        pytest.param(
            "stopped", {"status": "finished", "selected": 4, "failed": 3, "aborted": 1}, CALLED_OFF, "failed",
            ["failed", "not_started"], TOO_MANY,
            id="the-same-words-after-the-stop",
        ),
        pytest.param(
            "paused", GOOD, {"status": "error", "selected": 6, "failed": 1, "succeeded": 5}, "failed",
            ["passed", "failed"], "Rollout 'r' has failed at wave 'rest': devices failed, and none may.",
            id="none-may-fail",
        ),
        pytest.param(
            "running", {"status": "finished", "selected": 4, "succeeded": 2, "failed": 1, "aborted": 1}, WAITING,
            "failed", ["failed", "not_started"],
            "Rollout 'r' has failed at wave 'canary': fewer than 75 % of its 4 devices can succeed.", id="out-of-reach",
        ),
        pytest.param(
            "running", {"status": "running", "selected": 4, "succeeded": 2, "running": 2}, WAITING, "running",
            ["waiting", "not_started"], "Rollout 'r' is running.", id="under-way",
        ),
        pytest.param(
            "paused", GOOD, WAITING, "waiting", ["passed", "not_started"], "Rollout 'r' is paused.", id="between-waves",
        ),
        pytest.param(
            "stopped", GOOD, CALLED_OFF, "aborted", ["passed", "aborted"], "Rollout 'r' was stopped by somebody else.",
            id="stopped",
        ),
        pytest.param(
            "finished", {"status": "finished", "selected": 0}, DONE, "succeeded", ["passed", "passed"],
            "Rollout 'r' has succeeded: 6 of 6 devices (100 %) have the software.", id="empty-wave",
        ),
    ],
)  # fmt: skip
def test_decisions(
    status: str, canary: dict[str, Any], rest: dict[str, Any], state: str, decisions: list[str], message: str
) -> None:
    made = record(rollout(status, canary, rest))
    assert made["deployment"]["state"] == state
    assert [wave["decision"] for wave in made["waves"]] == decisions
    assert made["message"] == message
    good = state not in ("failed", "aborted")
    assert made["error"]["code"] is None if good else made["error"]["message"] == message


def test_reasons_tell_the_numbers() -> None:
    waves = record(rollout("stopped", {"status": "finished", "selected": 4, "failed": 3, "aborted": 1}, CALLED_OFF))[
        "waves"
    ]
    assert [wave["reason"] for wave in waves] == [
        "3 of 4 devices (75 %) failed, at most 25 % may.",
        "It was not begun.",
    ]
    assert [wave["begun"] for wave in waves] == [True, False]


def test_same_state_gives_the_same_record() -> None:
    found = rollout("finished", GOOD, DONE)
    assert record(found) == record(found)
    assert record(found)["deployment"]["finished"] == "2026-03-01T10:20:00Z"


def test_shape_of_the_deploying_modules() -> None:
    made = record(rollout("running", GOOD, {"status": "running", "selected": 6, "running": 6}))
    assert set(made) >= {"deployment", "counts", "devices", "attach", "error", "http"}
    assert made["deployment"] == {
        "platform": "hawkbit",
        "id": "7",
        "name": "r",
        "state": "running",
        "native_state": "running",
        "software": {"id": "3", "name": "gateway", "version": "2.0", "type": None},
        "created": "2026-03-01T10:00:00Z",
        "finished": None,
    }


def test_no_rollout_yet() -> None:
    made = record(None, selected=25, fleet={"tag": "hall"})
    assert made["deployment"]["state"] == "planned"
    assert made["message"] == "Rollout 'r' would go to 25 devices in these waves: canary (40 %), rest (60 %)."
    assert made["counts"]["selected"] == made["counts"]["pending"] == 25
    assert made["fleet"]["selection"] == {"tag": "hall"}
    assert {wave["decision"] for wave in made["waves"]} == {"not_started"}


def test_failure_before_there_is_a_rollout() -> None:
    failure = {"code": "auth", "message": "No.", "details": {}, "request_id": "", "http": {"status": 401}}
    made = record(None, failure=failure)
    assert made["message"] == "No."
    assert made["error"] == {"code": "auth", "message": "No.", "details": {}, "request_id": None}
    assert made["http"] == {"status": 401}
    assert made["deployment"]["state"] == "planned"


def test_time_that_is_over() -> None:
    found = rollout("running", {"status": "running", "selected": 4, "succeeded": 2, "running": 2}, WAITING)
    made = record(found, failure={"code": "wait_timeout", "message": "Waited 5 seconds."})
    assert made["deployment"]["state"] == "timed_out"
    assert made["message"] == (
        "The time to wait for wave 'canary' of rollout 'r' is over. 2 of 4 devices (50 %) succeeded so far, at least "
        "75 % must. It goes on on the server, and the same call again goes on waiting."
    )


def test_gate_tells_more_than_the_task_that_failed() -> None:
    found = rollout("paused", {"status": "error", "selected": 4, "failed": 2, "running": 2}, WAITING)
    made = record(found, failure={"code": "error", "message": "A task has failed."})
    assert made["error"]["code"] == "threshold_exceeded"
    assert "canary" in made["message"]


@pytest.mark.parametrize("status,rest", [("stopped", CALLED_OFF), ("paused", WAITING)])
def test_refusal_is_known_to_another_run(status: str, rest: dict[str, Any]) -> None:
    refusal = {"code": "rejected", "message": "Rollout 'r' has failed at wave 'canary': it was not verified."}
    first = record(rollout("paused", GOOD, WAITING), failure=refusal)
    again = record(rollout(status, GOOD, rest, description=f"fleet.deploy: {refusal['message']}"))
    for made in (first, again):
        assert made["deployment"]["state"] == "failed"
        assert made["message"] == refusal["message"]
        assert made["error"]["code"] == "rejected"


def test_other_descriptions_mean_nothing() -> None:
    assert record(rollout("paused", GOOD, WAITING, description="by hand"))["deployment"]["state"] == "waiting"


def test_waiting_for_a_person_is_no_failure_of_the_rollout() -> None:
    failure = {"code": "wait_timeout", "state": "waiting", "message": "Waits for approval."}
    made = record(rollout("paused", GOOD, WAITING), failure=failure)
    assert made["deployment"]["state"] == "waiting"
    assert made["message"] == "Waits for approval."


def test_query_for_devices_to_take_back() -> None:
    found = rollout("finished", GOOD, DONE)
    made = rollout_record(found, "r", {"name": 'a"*', "version": "1"}, PLAN["waves"])
    assert made["fleet"]["updated_query"] == '(name==g-*);(installedds.name=="a\\"\\*");(installedds.version=="1")'


def test_failed_devices_that_are_left_out() -> None:
    found = rollout("paused", {"status": "error", "selected": 4, "failed": 2, "running": 2}, WAITING)
    assert record(found, failed=[{"id": "a"}])["devices"]["truncated"]
    assert not record(found, failed=[{"id": "a"}, {"id": "b"}])["devices"]["truncated"]
