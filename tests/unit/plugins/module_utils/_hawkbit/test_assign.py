"""distribution_set_assign from its options to its result, on a fake of each generation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AbortedElsewhere,
    FleetError,
    InvalidInput,
    NotFound,
    Rejected,
    ThresholdExceeded,
    Unreachable,
    Unsupported,
    WaitTimeout,
)
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit import assignment
from ansible_collections.fleet.deploy.plugins.modules import distribution_set_assign as module
from servers.scripted import Arrived, nobody_listens

from .conftest import MakeFake, Ran, Run
from .fake import FakeHawkbit, error

KEYS = {"deployment", "counts", "devices", "attach", "error", "http"}
ASSIGN = "POST /distributionsets/1/assignedTargets"
SET = {"name": "os", "version": "1"}
IDS = ["d1", "d2", "d3", "d4"]
Assign = Callable[..., Ran]


@pytest.fixture
def ready(fake: FakeHawkbit) -> FakeHawkbit:
    """A fake with four targets and a set."""
    fake.add_targets(*IDS)
    fake.add_set()
    return fake


@pytest.fixture
def assign(ready: FakeHawkbit, run: Run) -> Assign:
    """Return a function that runs the module on it, for all four targets unless told otherwise."""

    def call(**given: Any) -> Ran:
        return run(module, ready, **{"distribution_set": SET, "fleet": {"ids": IDS}, **given})

    return call


def counts(ran: Ran) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: value for name, value in ran.result["counts"].items() if value}


def at_poll(fake: FakeHawkbit, *steps: Callable[[], Any]) -> None:
    """Have something happen before each of the next polls."""
    rest = iter(steps)

    def on(request: Arrived) -> None:
        path, _mark, query = request.target.partition("?")
        counts = "/assignedTargets" if fake.generation == "seed" else "/rest/v1/actions"
        # a poll makes two, the first of which is this one
        first = "updatestatus" not in query and "retrieved" not in query
        if path.endswith(counts) and "limit=1&" in f"{query}&" and first and fake.writes:
            next(rest, lambda: None)()

    fake.on = on


# -- without a wait --------------------------------------------------------------------------------------------


def test_assigns_and_says_so(ready: FakeHawkbit, assign: Assign) -> None:
    ran = assign()
    assert ran.error is None
    assert set(ran.result) == KEYS | {"changed", "assigned"}
    assert (ran.result["changed"], ran.result["assigned"]) == (True, IDS)
    assert counts(ran) == {"selected": 4, "pending": 4}
    assert ran.result["deployment"] == {
        "platform": "hawkbit",
        "id": "1",
        "name": "os:1",
        "state": "waiting",
        "native_state": None,
        "software": {"id": "1", "name": "os", "version": "1", "type": "os"},
        "created": None,
        "finished": None,
    }
    assert ran.result["attach"] == {"distribution_set": SET, "fleet": {"ids": IDS}, "wait": True}
    assert ready.writes == [ASSIGN]
    assert ready.bodies(ASSIGN) == [[{"id": controller_id, "type": "forced"} for controller_id in IDS]]


def test_a_second_run_writes_nothing(ready: FakeHawkbit, assign: Assign) -> None:
    assign()
    ready.forget()
    ran = assign()
    assert (ran.result["changed"], ran.result["assigned"], ready.writes) == (False, [], [])
    for controller_id in IDS:
        ready.report(controller_id, "finished")
    ran = assign()
    assert (ran.result["changed"], ran.result["deployment"]["state"], ready.writes) == (False, "succeeded", [])
    assert counts(ran) == {"selected": 4, "skipped": 4}
    assert ran.result["devices"]["skipped"] == IDS


@pytest.mark.parametrize("wait", [False, True])
def test_check_mode_plans_and_writes_nothing(ready: FakeHawkbit, assign: Assign, wait: bool) -> None:
    ready.assign(1, "d1")
    ready.report("d1", "finished")
    ran = assign(check_mode=True, diff_mode=True, wait=wait)
    assert (ran.result["changed"], ran.result["assigned"]) == (True, ["d2", "d3", "d4"])
    assert ran.result["deployment"]["state"] == "planned"
    assert ran.result["deployment"]["finished"] is None
    assert counts(ran) == {"selected": 4, "skipped": 1, "pending": 3}
    assert ready.writes == []
    shown = {"distribution_set": "os:1", "assignment_type": "forced"}
    assert ran.result["diff"] == {"before": {}, "after": {"d2": shown, "d3": shown, "d4": shown}}


def test_check_mode_with_nothing_to_do(ready: FakeHawkbit, assign: Assign) -> None:
    ready.assign(1, *IDS)
    ran = assign(check_mode=True)
    assert (ran.result["changed"], ran.result["deployment"]["state"]) == (False, "waiting")


def test_everything_that_was_asked_for_is_sent_and_nothing_else(ready: FakeHawkbit, assign: Assign) -> None:
    window = {"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": "+02:00"}
    assign(
        fleet={"ids": ["d1"]},
        assignment_type="timeforced",
        forcetime=1795168061254,
        weight=500,
        maintenance_window=window,
    )
    (body,) = ready.bodies(ASSIGN)
    assert body == [
        {
            "id": "d1",
            "type": "timeforced",
            "forcetime": 1795168061254,
            "weight": 500,
            "maintenanceWindow": window,
        }
    ]


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"assignment_type": "timeforced"},
            "forcetime and assignment_type=timeforced belong together: give both or neither.",
        ),
        ({"forcetime": 1}, "forcetime and assignment_type=timeforced belong together: give both or neither."),
        ({"weight": 1001}, "weight is 1001: give a number from 0 to 1000."),
        ({"weight": -1}, "weight is -1: give a number from 0 to 1000."),
        ({"wait_timeout": 0}, "wait_timeout is 0: give 1 second or more."),
        ({"max_failures": -1}, "max_failures is -1: give 0 or more."),
        (
            {"maintenance_window": {"schedule": "0 0 3 ? * SUN"}},
            "maintenance_window lacks duration and timezone: give schedule, duration and timezone, or none of them.",
        ),
    ],
)
def test_impossible_options_are_refused_without_asking_the_server(
    run: Run, given: dict[str, Any], message: str
) -> None:
    ran = run(module, nobody_listens(), distribution_set=SET, fleet={"ids": ["d1"]}, **given)
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == message


@pytest.mark.parametrize(
    "fields, message",
    [
        (
            {"complete": False},
            "distribution_set os 1 is incomplete: add the modules that its type 'os' demands.",
        ),
        (
            {"valid": False},
            "distribution_set os 1 was invalidated and cannot be assigned any more: use another version.",
        ),
    ],
)
def test_unusable_sets_are_refused(ready: FakeHawkbit, assign: Assign, fields: dict[str, Any], message: str) -> None:
    ready.sets[1].update(fields)
    ran = assign()
    assert isinstance(ran.error, InvalidInput)
    assert (ran.result["msg"], ready.writes) == (message, [])


def test_unknown_sets_and_devices_are_refused(ready: FakeHawkbit, assign: Assign) -> None:
    ran = assign(distribution_set={"name": "os", "version": "9"})
    assert isinstance(ran.error, InvalidInput)
    assert "version '9'" in ran.result["msg"]
    ran = assign(fleet={"ids": ["d1", "nope"]})
    assert isinstance(ran.error, InvalidInput)
    assert "(nope)" in ran.result["msg"]
    assert ready.writes == []


def test_unknown_devices_may_be_left_out(assign: Assign) -> None:
    ran = assign(fleet={"ids": ["d1", "nope"]}, on_unknown_device="ignore")
    assert ran.result["assigned"] == ["d1"]
    assert ran.result["devices"]["unknown"] == ["nope"]
    assert counts(ran) == {"selected": 1, "pending": 1, "unknown": 1}
    # what the result says to attach with is enough
    again = assign(**{**ran.result["attach"], "wait": False})
    assert (again.error, again.result["assigned"]) == (None, [])


@pytest.mark.parametrize("check_mode", [False, True])
def test_more_devices_than_the_limit_are_refused(ready: FakeHawkbit, assign: Assign, check_mode: bool) -> None:
    ran = assign(fleet_limit=3, check_mode=check_mode)
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == (
        "fleet_limit is 3, but 4 devices would get os:1: raise the limit or select fewer devices."
    )
    assert ready.writes == []
    assert assign(fleet_limit=4, check_mode=check_mode).error is None


def test_the_limit_counts_those_that_get_it_only(ready: FakeHawkbit, assign: Assign) -> None:
    ready.assign(1, "d1", "d2", "d3")
    assert assign(fleet_limit=1).result["assigned"] == ["d4"]


# -- doing it again --------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(ready: FakeHawkbit) -> FakeHawkbit:
    """One target has the set, on one it failed, one is under way, one has never seen it."""
    ready.assign(1, "d1", "d2", "d3")
    ready.report("d1", "finished")
    ready.report("d2", "error", "no space")
    return ready


@pytest.mark.parametrize(
    "redeploy, ids, assigned",
    [
        ("never", IDS, ["d4"]),
        ("failed", IDS, ["d2", "d4"]),
        ("always", ["d2", "d3", "d4"], ["d2", "d4"]),
    ],
)
def test_who_gets_it_again(
    mixed: FakeHawkbit, assign: Assign, redeploy: str, ids: list[str], assigned: list[str]
) -> None:
    ran = assign(redeploy=redeploy, fleet={"ids": ids})
    assert ran.result["assigned"] == assigned
    assert [item["id"] for item in mixed.bodies(ASSIGN)[0]] == assigned


def test_what_hawkbit_cannot_do_again_is_refused(mixed: FakeHawkbit, assign: Assign) -> None:
    ran = assign(redeploy="always")
    assert isinstance(ran.error, Unsupported)
    assert ran.result["msg"] == (
        "redeploy is 'always', but hawkBit cannot give a set again to targets that have it (d1): use redeploy=failed, "
        "or a new version."
    )
    assert mixed.writes == []


def test_a_cancelled_device_gets_it_again(ready: FakeHawkbit, assign: Assign) -> None:
    ready.assign(1, "d1")
    ready.actions[0].type = "cancel"
    ready.report("d1", "canceled")
    assert "d1" in assign().result["assigned"]


def test_a_device_that_is_giving_it_up_is_left_alone(ready: FakeHawkbit, assign: Assign) -> None:
    """The server would take the assignment for one that is there already."""
    ready.assign(1, "d1")
    ready.actions[0].type = "cancel"
    ready.report("d1", "canceling")
    assert assign().result["assigned"] == ["d2", "d3", "d4"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_failures_of_before_that_break_the_gate_stop_it_before_anything_is_written(
    mixed: FakeHawkbit, assign: Assign, check_mode: bool
) -> None:
    ran = assign(wait=True, check_mode=check_mode)
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"] == (
        "The assignment of os:1 has failed: only 3 of 4 devices can still succeed, 4 are needed. They failed earlier, "
        "and redeploy is 'never'. Nothing has been assigned now."
    )
    assert set(ran.result) == KEYS | {"msg"}
    assert (ran.result["deployment"]["state"], ran.result["error"]["code"]) == ("failed", "threshold_exceeded")
    assert [(d["id"], d["message"]) for d in ran.result["devices"]["failed"]] == [("d2", "no space")]
    assert mixed.writes == []


@pytest.mark.parametrize("given", [{"wait": False}, {"wait": True, "wait_until": "created"}])
def test_failures_of_before_do_not_matter_to_who_does_not_wait(
    mixed: FakeHawkbit, assign: Assign, given: dict[str, Any]
) -> None:
    ran = assign(**given)
    assert (ran.error, ran.result["assigned"], ran.result["deployment"]["state"]) == (None, ["d4"], "failed")
    assert mixed.writes == [ASSIGN]


def test_failures_of_before_within_the_thresholds_are_fine(mixed: FakeHawkbit, assign: Assign) -> None:
    at_poll(mixed, lambda: mixed.report("d3", "finished"), lambda: mixed.report("d4", "finished"))
    ran = assign(wait=True, max_failures=1)
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "succeeded")
    assert counts(ran) == {"selected": 4, "skipped": 1, "succeeded": 2, "failed": 1}


# -- waiting ---------------------------------------------------------------------------------------------------


def all_end(fake: FakeHawkbit, end: str = "finished") -> Callable[[], None]:
    """Return a step in which all devices report their end."""

    def finish() -> None:
        for controller_id in IDS:
            fake.report(controller_id, end, "no space")

    return finish


def test_waits_until_all_have_it(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, lambda: None, lambda: ready.report("d1", "retrieved", None), all_end(ready))
    ran = assign(wait=True)
    assert ran.error is None
    assert set(ran.result) == KEYS | {"changed", "assigned"}
    assert ran.result["deployment"]["state"] == "succeeded"
    finished = time.strftime("%Y-%m-%dT", time.gmtime())
    assert ran.result["deployment"]["finished"].startswith(finished)
    assert counts(ran) == {"selected": 4, "succeeded": 4}
    assert ran.progress[0] == "The assignment of os:1: 0 of 4 have it, 4 pending"
    assert ran.progress[-1] == "The assignment of os:1: 4 of 4 have it"
    assert ready.writes == [ASSIGN]


def test_the_same_task_again_attaches(ready: FakeHawkbit, assign: Assign) -> None:
    assign()
    ready.forget()
    for controller_id in IDS:
        ready.report(controller_id, "finished")
    ran = assign(wait=True)
    assert (ran.result["changed"], ran.result["deployment"]["state"], ready.writes) == (False, "succeeded", [])


def test_a_failure_ends_the_wait_and_is_explained(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, lambda: ready.report("d2", "error", "no space", code=28))
    ran = assign(wait=True)
    assert isinstance(ran.error, ThresholdExceeded)
    assert set(ran.result) == KEYS | {"msg", "changed", "assigned"}
    assert (ran.result["changed"], ran.result["assigned"]) == (True, IDS)
    assert ran.result["deployment"]["state"] == "failed"
    seed = ready.generation == "seed"
    assert ran.result["devices"]["failed"] == [
        {
            "id": "d2",
            "name": "Device d2",
            "state": "failed",
            "native_state": "error",
            "code": None if seed else "28",
            "message": "no space",
            "log": "error: no space",
        }
    ]
    assert ready.writes == [ASSIGN]


def test_on_failure_abort_cancels_the_rest(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, lambda: ready.report("d2", "error", "no space"))
    ran = assign(wait=True, on_failure="abort")
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"].endswith("What was still open has been cancelled.")
    assert ran.result["deployment"]["state"] == "aborted"
    cancelled = ["DELETE /targets/d1/actions/1", "DELETE /targets/d3/actions/3", "DELETE /targets/d4/actions/4"]
    assert sorted(ready.writes) == [*cancelled, ASSIGN]


def test_superseded_by_somebody_else(ready: FakeHawkbit, assign: Assign) -> None:
    def supersede() -> None:
        ready.assign(ready.add_set(version="2"), "d3")
        ready.actions[2].active, ready.actions[2].status = False, "canceled"

    at_poll(ready, supersede)
    ran = assign(wait=True, on_failure="abort")
    assert isinstance(ran.error, AbortedElsewhere)
    assert ran.result["deployment"]["state"] == "aborted"
    assert ready.writes == [ASSIGN]


def test_time_up(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("modern")
    fake.add_targets(*IDS)
    fake.add_set()
    at_poll(fake, lambda: fake.report("d1", "finished"))
    ran = run(module, fake, distribution_set=SET, fleet={"all": True}, wait=True, wait_timeout=1, wait_interval=0.2)
    assert isinstance(ran.error, WaitTimeout)
    assert ran.result["msg"] == (
        "Waited 1 seconds for the assignment of os:1, which is not over yet: raise wait_timeout, or run the same task "
        "again to go on waiting."
    )
    assert ran.result["last_state"] == {"native_state": None, "summary": "1 of 4 have it, 3 pending"}
    assert ran.result["deployment"]["state"] == "timed_out"
    assert ran.result["changed"] is True


def test_online_is_content_with_devices_that_are_off(ready: FakeHawkbit, assign: Assign) -> None:
    del ready.targets["d3"]["lastControllerRequestAt"]
    ready.targets["d4"]["lastControllerRequestAt"] = 1
    at_poll(ready, lambda: ready.report("d1", "finished"), lambda: ready.report("d2", "finished"))
    ran = assign(wait=True, wait_until="online")
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "succeeded")
    assert counts(ran) == {"selected": 4, "succeeded": 2, "pending": 2}


def test_created_waits_for_no_device(assign: Assign) -> None:
    ran = assign(wait=True, wait_until="created")
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "waiting")


def test_a_quorum_ends_the_wait(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, lambda: ready.report("d1", "finished"), lambda: ready.report("d2", "finished"))
    ran = assign(wait=True, min_success_percentage=50.0)
    assert counts(ran) == {"selected": 4, "succeeded": 2, "pending": 2}


def test_only_so_many_devices_are_named_and_asked_about(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, all_end(ready, "error"))
    ran = assign(wait=True, result_limit=2)
    assert [device["message"] for device in ran.result["devices"]["failed"]] == ["no space", "no space"]
    assert ran.result["devices"]["truncated"] is True
    assert len([line for line in ready.lines if line.partition("?")[0].endswith("/status")]) == 2
    assert run_with_no_names(assign).result["devices"] == {
        "failed": [],
        "skipped": [],
        "unknown": [],
        "truncated": True,
    }


def run_with_no_names(assign: Assign) -> Ran:
    """Run it with a result that names nobody."""
    return assign(wait=True, result_limit=0)


# -- faults ----------------------------------------------------------------------------------------------------


def test_a_refused_assignment_tells_all_the_same(ready: FakeHawkbit, assign: Assign) -> None:
    words = "The requested operation requires multi assignments to be enabled."
    ready.refuse.append((ASSIGN, (400, error("multiassignmentNotEnabled", words))))
    ran = assign(weight=5, wait=True)
    assert isinstance(ran.error, Rejected)
    assert ran.result["msg"] == f"Cannot assign distribution set: {words} (HTTP 400)"
    assert set(ran.result) == KEYS | {"msg", "changed", "assigned"}
    assert (ran.result["changed"], ran.result["assigned"]) == (False, [])
    assert ran.result["http"] == {
        "method": "POST",
        "path": "/rest/v1/distributionsets/1/assignedTargets",
        "status": 400,
    }
    assert counts(ran) == {"selected": 4, "pending": 4}


def test_what_was_assigned_before_a_fault_counts_as_changed(
    ready: FakeHawkbit, assign: Assign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "ASSIGN_CHUNK", 2)
    posts = iter(range(9))
    refusal = (ASSIGN, (400, error("x", "No more")))
    ready.on = lambda request: ready.refuse.append(refusal) if request.method == "POST" and next(posts) else None
    ran = assign()
    assert isinstance(ran.error, Rejected)
    assert (ran.result["changed"], ran.result["assigned"]) == (True, ["d1", "d2"])
    assert set(ran.result) == KEYS | {"msg", "changed", "assigned"}


def test_devices_that_vanish_while_they_are_assigned_are_named(ready: FakeHawkbit, assign: Assign) -> None:
    def vanish(request: Arrived) -> None:
        if request.method == "POST":
            ready.targets.pop("d2", None)

    ready.on = vanish
    ran = assign(wait=True)
    assert isinstance(ran.error, NotFound)
    assert ran.result["msg"] == (
        "hawkBit dropped devices while they were assigned (d2): they were removed in between. The others have been "
        "assigned; run the task again without these."
    )
    assert (ran.result["changed"], ran.result["assigned"]) == (True, ["d1", "d3", "d4"])
    assert counts(ran) == {"selected": 4, "pending": 3, "unknown": 1}
    assert set(ran.result) == KEYS | {"msg", "changed", "assigned"}


def test_a_server_that_goes_away_for_good_leaves_a_report(ready: FakeHawkbit, assign: Assign) -> None:
    def go() -> None:
        ready.report("d1", "error", "no space")
        ready.report("d2", "finished")

    at_poll(ready, go, lambda: ready.refuse.append((".*", (401, None))))
    ran = assign(wait=True, max_failures=3)
    assert isinstance(ran.error, FleetError)
    assert set(ran.result) == KEYS | {"msg", "changed", "assigned"}
    assert (ran.result["changed"], ran.result["deployment"]["state"]) == (True, "running")
    assert [device["id"] for device in ran.result["devices"]["failed"]] == ["d1"]
    assert counts(ran) == {"selected": 4, "succeeded": 1, "failed": 1, "pending": 2}


def test_a_server_that_is_gone_before_the_first_poll_leaves_a_report(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, lambda: ready.refuse.append((".*", (401, None))))
    ran = assign(wait=True)
    assert set(ran.result) == KEYS | {"msg", "changed", "assigned"}
    assert (ran.result["changed"], counts(ran)) == (True, {"selected": 4, "pending": 4})


def test_a_server_that_cannot_be_reached(run: Run) -> None:
    ran = run(module, nobody_listens(), distribution_set=SET, fleet={"all": True})
    assert isinstance(ran.error, Unreachable)
    assert "check url and the network" in ran.result["msg"]


def test_texts_of_devices_stay_text(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("modern")
    fake.add_targets("d1", name="{{ lookup('pipe', 'id') }}")
    fake.add_set()
    at_poll(fake, lambda: fake.report("d1", "error", "{{ 7*7 }}\x1b[31m", code=1))
    ran = run(module, fake, distribution_set=SET, fleet={"all": True}, wait=True)
    (device,) = ran.result["devices"]["failed"]
    assert device["name"] == "{{ lookup('pipe', 'id') }}"
    assert device["message"] == "{{ 7*7 }}\ufffd[31m"
    assert "7*7" not in ran.result["msg"]
