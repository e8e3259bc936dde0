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
WRITTEN = {"changed", "assigned", "busy", "server_counts"}
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
        # a poll makes a few, the first of which is this one
        first = not any(word in query for word in ("updatestatus", "error", "retrieved"))
        if path.endswith(counts) and "limit=1&" in f"{query}&" and first and fake.writes:
            next(rest, lambda: None)()

    fake.on = on


# -- without a wait --------------------------------------------------------------------------------------------


def test_assigns_and_says_so(ready: FakeHawkbit, assign: Assign) -> None:
    ran = assign()
    assert ran.error is None
    assert set(ran.result) == KEYS | WRITTEN
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


WINDOW = {"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": "+02:00"}


@pytest.mark.parametrize("ids", [["d1"], ["d1", "d2"]])
def test_everything_that_was_asked_for_is_sent_and_nothing_else(
    ready: FakeHawkbit, assign: Assign, ids: list[str]
) -> None:
    switch_on(ready, "user.confirmation.flow.enabled")
    seed = ready.generation == "seed"
    ran = assign(
        fleet={"ids": ids},
        assignment_type="timeforced",
        forcetime="2026-11-20T09:47:41Z",
        weight=None if seed else 500,
        maintenance_window=WINDOW,
        confirmation_required=None if seed else True,
    )
    assert ran.error is None
    how = {"type": "timeforced", "forcetime": 1795168061000, "maintenanceWindow": WINDOW}
    how |= {} if seed else {"weight": 500, "confirmationRequired": True}
    if len(ids) == 1:
        assert ready.bodies("POST /targets/d1/assignedDS") == [{"id": 1, **how}]
    else:
        assert ready.bodies(ASSIGN) == [[{"id": one, **how} for one in ids]]
    assert ran.result["deployment"]["native_state"] == (None if seed else "wait_for_confirmation")


@pytest.mark.parametrize("several", [False, True])
def test_to_attach_is_to_assign_in_the_same_way(ready: FakeHawkbit, run: Run, several: bool) -> None:
    """Somebody may have come under the selection meanwhile."""
    how = {
        "assignment_type": "timeforced",
        "forcetime": "2026-11-20T09:47:41Z",
        "maintenance_window": WINDOW,
        "confirmation_required": False,
        **({} if ready.generation == "seed" else {"weight": 0}),
    }
    given = {"distribution_sets": [{**SET, **how}], "assignment_type": "soft"} if several else {**how}
    given |= {} if several else {"distribution_set": SET}
    given["fleet"] = {"all": True}
    ran = run(module, ready, **given)
    assert ran.result["attach"] == {**given, "wait": True}
    ready.add_targets("d5", "d6")
    run(module, ready, **{**ran.result["attach"], "wait": False})
    first, second = ([{**entry, "id": None} for entry in body] for body in ready.bodies(ASSIGN))
    assert second == first[:2]


def switch_on(fake: FakeHawkbit, key: str) -> None:
    """Switch a setting of the tenant on."""
    fake.configuration[key] = {"value": True}


@pytest.mark.parametrize("ids", [["d1"], IDS])
def test_what_the_server_counts_is_told(ready: FakeHawkbit, assign: Assign, ids: list[str]) -> None:
    def somebody_else(request: Arrived) -> None:
        if request.method == "POST" and not ready.actions:
            ready.assign(1, "d1")

    ready.on = somebody_else
    ran = assign(fleet={"ids": ids})
    new = [str(number) for number in range(len(ids), 1, -1)]
    assert ran.result["server_counts"] == {
        "assigned": len(new), "already_assigned": 1, "total": len(ids), "assigned_actions": new,
    }  # fmt: skip
    nothing = {"assigned": 0, "already_assigned": 0, "total": 0, "assigned_actions": []}
    assert assign(fleet={"ids": ids}).result["server_counts"] == nothing
    assert assign(fleet={"ids": ids}, check_mode=True).result["server_counts"] == nothing


def test_one_target_that_vanishes_is_named(ready: FakeHawkbit, assign: Assign) -> None:
    ready.on = lambda request: ready.targets.pop("d1", None) if request.method == "POST" else None
    ran = assign(fleet={"ids": ["d1"]})
    assert isinstance(ran.error, NotFound)
    assert ran.result["msg"].startswith("hawkBit dropped devices while they were assigned (d1)")
    assert (ran.result["changed"], counts(ran)) == (False, {"selected": 1, "unknown": 1})


def test_a_set_that_vanishes_is_no_target_that_vanishes(ready: FakeHawkbit, assign: Assign) -> None:
    ready.refuse.append(("POST .*", (404, error("repo.entityNotFound", "DistributionSet does not exist."))))
    ran = assign(fleet={"ids": ["d1"]})
    assert ran.result["msg"] == "Cannot assign distribution set: DistributionSet does not exist. (HTTP 404)"


@pytest.mark.parametrize("acted", [True, False])
def test_a_broken_connection_assigns_one_target_once(ready: FakeHawkbit, assign: Assign, acted: bool) -> None:
    path = "POST /targets/d1/assignedDS"
    ready.refuse.append((path, (504, None)))
    posts = iter(range(9))

    def act(request: Arrived) -> None:
        if request.method != "POST":
            return
        if acted:
            ready.assign(1, "d1")
        elif next(posts):
            ready.refuse.clear()

    ready.on = act
    ran = assign(fleet={"ids": ["d1"]})
    assert (ran.error, ran.result["assigned"], len(ready.actions)) == (None, ["d1"], 1)
    assert ready.writes == [path] if acted else [path, path]
    assert ran.result["server_counts"]["assigned"] == 1


# -- updates that are only recorded ----------------------------------------------------------------------------


@pytest.fixture
def various(ready: FakeHawkbit) -> FakeHawkbit:
    """One target has the set, one is getting it, one is getting another one, on one it has failed, one is new."""
    ready.add_targets("d5")
    ready.assign(1, "d1", "d2", "d4")
    ready.report("d1", "finished")
    ready.report("d4", "error", "no space")
    ready.assign(ready.add_set(version="2"), "d3")
    return ready


@pytest.mark.parametrize("check_mode", [True, False])
def test_recording_leaves_busy_targets_out_and_says_so(various: FakeHawkbit, assign: Assign, check_mode: bool) -> None:
    fleet = {"ids": [*IDS, "d5"]}
    ran = assign(fleet=fleet, offline=True, check_mode=check_mode, diff_mode=True)
    assert ran.error is None
    assert (ran.result["assigned"], ran.result["busy"]) == (["d4", "d5"], ["d2", "d3"])
    assert ran.result["devices"]["skipped"] == ["d1", "d2", "d3"]
    assert ran.warnings == [
        "Nothing was recorded for devices on which an update is under way (d2, d3): run the task again when it is over."
    ]
    assert ran.result["diff"]["after"]["d5"] == {
        "distribution_set": "os:1", "assignment_type": "forced", "offline": True,
    }  # fmt: skip
    if check_mode:
        assert (various.writes, ran.result["deployment"]["state"]) == ([], "planned")
        return
    assert various.writes == [f"{ASSIGN}?offline=true"]
    assert counts(ran) == {"selected": 5, "skipped": 3, "succeeded": 2}
    # not all have it
    assert ran.result["deployment"]["state"] == "running"
    again = assign(fleet=fleet, offline=True)
    assert (again.result["changed"], again.result["busy"]) == (False, ["d2", "d3"])


@pytest.mark.parametrize("ids", [["d1"], ["d1", "d2"]])
def test_targets_that_become_busy_meanwhile_are_left_out_too(
    ready: FakeHawkbit, assign: Assign, ids: list[str]
) -> None:
    other = ready.add_set(version="2")

    def somebody_else(request: Arrived) -> None:
        if request.method == "POST" and not ready.actions:
            ready.assign(other, "d1")

    ready.on = somebody_else
    ran = assign(fleet={"ids": ids}, offline=True, diff_mode=True)
    assert (ran.result["busy"], ran.result["assigned"]) == (["d1"], ids[1:])
    assert (ran.result["changed"], list(ran.result["diff"]["after"])) == (len(ids) > 1, ids[1:])
    assert ran.result["server_counts"]["already_assigned"] == 1


def test_recording_one_target(ready: FakeHawkbit, assign: Assign) -> None:
    ran = assign(fleet={"ids": ["d1"]}, offline=True)
    assert ready.writes == ["POST /targets/d1/assignedDS?offline=true"]
    assert (ran.result["deployment"]["state"], counts(ran)) == ("succeeded", {"selected": 1, "succeeded": 1})
    # to attach would be to assign
    assert ran.result["attach"] == {}
    assert assign(fleet={"ids": ["d1"]}, offline=True).result["changed"] is False


# -- several sets ----------------------------------------------------------------------------------------------

TWO = [{"name": "os", "version": "1", "weight": 500}, {"name": "os", "version": "2", "assignment_type": "soft"}]


@pytest.fixture
def beside(make_fake: MakeFake, request: pytest.FixtureRequest) -> FakeHawkbit:
    """A fake with multi-assignment, three targets and two sets."""
    fake = make_fake(request.param)
    fake.add_targets("d1", "d2", "d3")
    fake.add_set()
    fake.add_set(version="2")
    switch_on(fake, "multi.assignments.enabled")
    return fake


with_multi_assignment = pytest.mark.parametrize("beside", ["seed", "legacy"], indirect=True)


@with_multi_assignment
def test_several_sets_for_one_target_are_one_request(beside: FakeHawkbit, run: Run) -> None:
    options = {"distribution_sets": TWO, "weight": 7, "fleet": {"ids": ["d1"]}}
    ran = run(module, beside, diff_mode=True, **options)
    assert ran.error is None
    path = "POST /targets/d1/assignedDS"
    assert beside.bodies(path) == [[{"id": 1, "type": "forced", "weight": 500}, {"id": 2, "type": "soft", "weight": 7}]]
    assert ran.result["assigned"] == ["d1"]
    assert ran.result["diff"] == {
        "before": {}, "after": {"d1": {"distribution_sets": {"os:1": "forced", "os:2": "soft"}}},
    }  # fmt: skip
    deployment = ran.result["deployment"]
    assert (deployment["id"], deployment["name"]) == (None, "os:1 and os:2")
    assert [item["version"] for item in deployment["software"]["sets"]] == ["1", "2"]
    assert ran.result["server_counts"]["assigned_actions"] == ["2", "1"]
    again = run(module, beside, **options)
    assert (again.result["changed"], beside.writes) == (False, [path])
    attached = run(module, beside, **{**again.result["attach"], "wait": False})
    assert (attached.error, attached.result["changed"]) == (None, False)


@with_multi_assignment
def test_several_sets_for_many_targets_are_a_request_each(beside: FakeHawkbit, run: Run) -> None:
    beside.assign(1, "d1")
    beside.report("d1", "finished")
    options = {"distribution_sets": TWO, "weight": 7, "fleet": {"ids": ["d1", "d2", "d3"]}}
    ran = run(module, beside, **options)
    assert beside.writes == [ASSIGN, "POST /distributionsets/2/assignedTargets"]
    assert [[item["id"] for item in body] for body in beside.bodies(ASSIGN)] == [["d2", "d3"]]
    assert ran.result["server_counts"]["assigned"] == 5
    # one of two sets is on d1
    assert counts(ran) == {"selected": 3, "running": 1, "pending": 2}
    assert run(module, beside, **options).result["changed"] is False


@with_multi_assignment
def test_several_sets_are_recorded_with_their_weights(beside: FakeHawkbit, run: Run) -> None:
    two = [{**TWO[0], "assignment_type": "forced"}, {**SET, "version": "2"}]
    ran = run(module, beside, distribution_sets=two, weight=7, fleet={"ids": ["d1"]}, offline=True)
    assert (ran.error, beside.writes) == (None, ["POST /targets/d1/assignedDS?offline=true"])
    assert [item["weight"] for item in beside.bodies("POST /targets/d1/assignedDS")[0]] == [500, 7]
    assert counts(ran) == {"selected": 1, "succeeded": 1}


@with_multi_assignment
def test_a_wait_for_several_sets_ends_with_the_last_one(beside: FakeHawkbit, run: Run) -> None:
    polls = iter(range(9))

    def on(request: Arrived) -> None:
        if request.method == "GET" and beside.writes and next(polls, 0) == 3:
            for action in beside.actions:
                action.history.append(("finished", []))
                beside.end(action, "finished")

    beside.on = on
    ran = run(module, beside, distribution_sets=TWO, weight=7, fleet={"ids": ["d1", "d2"]}, wait=True)
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "succeeded")
    assert counts(ran) == {"selected": 2, "succeeded": 2}


@with_multi_assignment
def test_one_of_several_sets_that_fails_is_explained_and_the_rest_cancelled(beside: FakeHawkbit, run: Run) -> None:
    def on(request: Arrived) -> None:
        failing = [action for action in beside.actions if action.set_id == 2 and action.active]
        if request.method == "GET" and failing:
            failing[0].history.append(("error", ["no space"]))
            beside.targets["d1"]["updateStatus"] = "error"
            failing[0].active, failing[0].status = False, "error"

    beside.on = on
    ran = run(module, beside, distribution_sets=TWO, weight=7, fleet={"ids": ["d1"]}, wait=True, on_failure="abort")
    assert isinstance(ran.error, ThresholdExceeded)
    assert [(item["id"], item["message"]) for item in ran.result["devices"]["failed"]] == [("d1", "no space")]
    assert beside.writes[1:] == ["DELETE /targets/d1/actions/1"]
    again = run(module, beside, distribution_sets=TWO, weight=7, fleet={"ids": ["d1"]}, redeploy="failed")
    assert [item["id"] for item in [beside.bodies("POST /targets/d1/assignedDS")[-1]]] == [2]
    assert again.result["changed"]


@with_multi_assignment
@pytest.mark.parametrize("ids", [["d1"], ["d1", "d2"]])
@pytest.mark.parametrize("acted", [True, False])
def test_beside_each_other_a_lost_answer_makes_one_action(
    beside: FakeHawkbit, run: Run, ids: list[str], acted: bool
) -> None:
    """The server would make another one each time, and lists the targets already."""
    beside.assign(1, *ids)
    for one in ids:
        beside.report(one, "finished")
    posts = iter(range(9))

    def act(request: Arrived) -> None:
        if request.method != "POST":
            return
        if acted:
            beside.assign(1, *ids)
        elif next(posts):
            beside.refuse.clear()

    beside.on = act
    beside.refuse.append(("POST .*", (504, None)))
    ran = run(module, beside, distribution_set=SET, weight=1, fleet={"ids": ids}, redeploy="always")
    assert (ran.error, ran.result["assigned"], len(beside.writes)) == (None, ids, 1 if acted else 2)
    assert (ran.result["server_counts"]["assigned"], len(beside.actions)) == (len(ids), 2 * len(ids))


@with_multi_assignment
def test_beside_each_other_devices_that_are_off_are_not_waited_for(beside: FakeHawkbit, run: Run) -> None:
    """Though another set has been assigned since, so that the list of the first one has them no more."""
    beside.targets["d1"]["lastControllerRequestAt"] = 1
    options = {"distribution_set": SET, "weight": 1, "fleet": {"ids": ["d1", "d2"]}}
    run(module, beside, **options)
    beside.report("d2", "finished")
    beside.assign(2, "d1")
    ran = run(module, beside, **options, wait=True, wait_until="online", wait_timeout=1)
    # 0.3.0M7 does not tell whether a device has begun
    still_open = "running" if beside.generation == "seed" else "pending"
    assert (ran.error, counts(ran)) == (None, {"selected": 2, "skipped": 1, still_open: 1})


@with_multi_assignment
def test_beside_each_other_a_weight_is_asked_for_before_anything_is_sent(beside: FakeHawkbit, run: Run) -> None:
    ran = run(module, beside, distribution_set=SET, fleet={"ids": ["d1"]})
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == (
        "weight of os:1 is missing: multi-assignment is switched on, and its documentation demands one; give a number "
        "from 0 to 1000."
    )
    assert beside.writes == []


@with_multi_assignment
def test_beside_each_other_all_may_be_given_again_and_recorded_though_busy(beside: FakeHawkbit, run: Run) -> None:
    options = {"distribution_set": SET, "weight": 1, "fleet": {"ids": ["d1"]}}
    run(module, beside, **options)
    beside.report("d1", "finished")
    assert run(module, beside, **options, redeploy="always").result["assigned"] == ["d1"]
    ran = run(
        module, beside, distribution_set={"name": "os", "version": "2"}, weight=1, fleet={"ids": ["d1"]}, offline=True
    )
    assert (ran.result["assigned"], ran.result["busy"]) == (["d1"], [])


@with_multi_assignment
def test_beside_each_other_only_the_same_set_keeps_from_recording(beside: FakeHawkbit, run: Run) -> None:
    beside.assign(1, "d1")
    beside.assign(2, "d2")
    two = [{**SET, "weight": 1}, {**SET, "version": "2", "weight": 1}]
    ran = run(module, beside, distribution_set=SET, weight=1, fleet={"ids": ["d1", "d2"]}, offline=True)
    assert (ran.result["assigned"], ran.result["busy"]) == (["d2"], ["d1"])
    assert ran.result["devices"]["skipped"] == ["d1"]
    assert ran.warnings == [
        "Nothing was recorded for devices on which an update is under way (d1): run the task again when it is over."
    ]
    ran = run(module, beside, distribution_sets=two, fleet={"ids": ["d1"]}, offline=True)
    assert (ran.result["assigned"], ran.result["busy"]) == (["d1"], ["d1"])
    assert beside.bodies("POST /targets/d1/assignedDS")[-1]["id"] == 2
    assert ran.warnings[0].startswith("Not every set was recorded for devices")


def test_several_sets_need_multi_assignment(ready: FakeHawkbit, run: Run) -> None:
    ready.add_set(version="2")
    ran = run(module, ready, distribution_sets=TWO, fleet={"ids": ["d1"]})
    assert isinstance(ran.error, Unsupported)
    why = (
        "multi-assignment was taken out of hawkBit in 0.10: give one set"
        if ready.generation == "modern"
        else "multi-assignment is switched off: give one set, or set multi.assignments.enabled, which is for good"
    )
    assert ran.result["msg"] == f"distribution_sets names 2 sets, but {why}."
    assert ready.writes == []


def test_whether_there_is_multi_assignment_may_be_a_secret(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("legacy")
    fake.add_targets("d1")
    fake.add_set()
    fake.add_set(version="2")
    fake.refuse.append(("GET /system/configs", (403, error("insufficientPermission", "No"))))
    ran = run(module, fake, distribution_sets=TWO, fleet={"ids": ["d1"]})
    assert ran.result["msg"] == (
        "distribution_sets names 2 sets, but the user may not see whether multi-assignment is switched on: give one "
        "set, or let the user read the tenant's configuration."
    )
    assert run(module, fake, distribution_set=SET, fleet={"ids": ["d1"]}).result["changed"]


@pytest.fixture
def secret(make_fake: MakeFake, request: pytest.FixtureRequest) -> FakeHawkbit:
    """A fake with two sets whose user may not see whether there is multi-assignment."""
    fake = make_fake(request.param)
    fake.add_targets(*IDS)
    fake.add_set()
    fake.add_set(version="2")
    fake.refuse.append(("GET /system/configs", (403, error("insufficientPermission", "No"))))
    return fake


with_a_secret = pytest.mark.parametrize("secret", ["seed", "legacy"], indirect=True)


@with_a_secret
def test_when_multi_assignment_is_a_secret_nothing_is_assigned_at_each_run(secret: FakeHawkbit, run: Run) -> None:
    switch_on(secret, "multi.assignments.enabled")
    secret.assign(1, "d1")
    secret.report("d1", "finished")
    secret.assign(2, "d1", "d4")
    for check_mode in (True, False):
        ran = run(module, secret, distribution_set=SET, fleet={"ids": ["d1", "d4"]}, check_mode=check_mode)
        assert isinstance(ran.error, Unsupported)
        assert ran.result["msg"] == (
            "The user may not see whether multi-assignment is switched on, which decides whether os:1 must be assigned "
            "again to targets that had it before another set (d1): let the user read the tenant's configuration."
        )
    assert secret.writes == []
    assert run(module, secret, distribution_set=SET, fleet={"ids": ["d4"]}).result["assigned"] == ["d4"]


@with_a_secret
def test_when_multi_assignment_is_a_secret_what_was_cancelled_or_failed_is_assigned_again(
    secret: FakeHawkbit, run: Run
) -> None:
    secret.assign(1, "d1", "d2", "d3")
    secret.report("d1", "error", "no space")
    # the updates with our set are cancelled by that
    secret.assign(2, "d1", "d2", "d3")
    secret.end(secret.actions[1], "canceled")
    secret.assigned["d2"] = 2
    ran = run(module, secret, distribution_set=SET, fleet={"ids": IDS})
    assert (ran.error, ran.result["assigned"]) == (None, IDS)


def test_a_set_is_listed_once(ready: FakeHawkbit, run: Run) -> None:
    ran = run(module, ready, distribution_sets=[SET, {**SET, "type": "os"}], fleet={"ids": ["d1"]})
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == "distribution_sets names os:1 twice: list each set once."


def test_a_list_of_one_set_needs_nothing(ready: FakeHawkbit, run: Run) -> None:
    ran = run(module, ready, distribution_sets=[{**SET, "assignment_type": "soft"}], fleet={"ids": ["d1"]})
    assert ready.bodies("POST /targets/d1/assignedDS") == [{"id": 1, "type": "soft"}]
    sets = [{**SET, "assignment_type": "soft"}]
    assert ran.result["attach"] == {"distribution_sets": sets, "fleet": {"ids": ["d1"]}, "wait": True}


# -- confirmation ----------------------------------------------------------------------------------------------


def test_confirmation_must_be_possible(ready: FakeHawkbit, assign: Assign) -> None:
    ready.configuration["user.confirmation.flow.enabled"] = {"value": False}
    if ready.generation == "seed":
        del ready.configuration["user.confirmation.flow.enabled"]
    ran = assign(confirmation_required=True)
    assert isinstance(ran.error, Unsupported)
    why = (
        "this hawkBit has no confirmation, which came with 0.3.0M8: leave the option out"
        if ready.generation == "seed"
        else "the tenant's user.confirmation.flow.enabled is off: switch it on, or leave the option out"
    )
    assert ran.result["msg"] == f"confirmation_required is true, but {why}."
    assert ready.writes == []
    ran = assign(confirmation_required=False)
    assert (ran.error, ready.bodies(ASSIGN)[0][0]) == (None, {"id": "d1", "type": "forced"})


def test_a_device_that_waits_for_confirmation_is_pending_until_it_is_given(make_fake: MakeFake, run: Run) -> None:
    for generation in ("legacy", "modern"):
        fake = make_fake(generation)
        fake.add_targets("d1", "d2")
        fake.add_set()
        switch_on(fake, "user.confirmation.flow.enabled")
        options = {"distribution_set": SET, "fleet": {"ids": ["d1", "d2"]}, "wait": True}
        ran = run(module, fake, **options, confirmation_required=True, wait_timeout=1)
        assert isinstance(ran.error, WaitTimeout)
        assert ran.result["last_state"] == {
            "native_state": "wait_for_confirmation", "summary": "0 of 2 have it, 2 pending",
        }  # fmt: skip
        assert ran.result["deployment"]["native_state"] == "wait_for_confirmation"
        polls = iter(range(9))

        def confirm(request: Arrived, fake: FakeHawkbit = fake, polls: Any = polls) -> None:
            if "limit=1&" in f"{request.target}&" and next(polls, 0) == 4:
                fake.actions[0].status = "running"

        fake.on = confirm
        ran = run(module, fake, **options, wait_timeout=1)
        # that one has begun is seen, though neither begins nor ends are counted
        assert ran.result["last_state"]["native_state"] is None


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"assignment_type": "timeforced", "forcetime": "soon"},
            (
                "forcetime is 'soon': give a time with its offset from UTC, such as 2026-12-24T03:00:00+01:00, or "
                "milliseconds since 1970."
            ),
        ),
        (
            {"distribution_set": None, "distribution_sets": []},
            "distribution_sets is an empty list: give at least one set, or leave the task out.",
        ),
        (
            {"distribution_set": None, "distribution_sets": [{**SET, "weight": 1001}]},
            "distribution_sets, 'os': weight is 1001: give a number from 0 to 1000.",
        ),
        (
            # the task's time belongs to the task's type
            {
                "distribution_set": None,
                "distribution_sets": [{**SET, "assignment_type": "timeforced"}],
                "assignment_type": "timeforced",
                "forcetime": "1",
            },
            "distribution_sets, 'os': forcetime and assignment_type=timeforced belong together: give both or neither.",
        ),
        (
            {"offline": True, "wait": True},
            "wait=true does not go with offline=true, which is over at once: leave wait out.",
        ),
        (
            {"offline": True, "assignment_type": "soft"},
            "assignment_type does not go with offline=true, which only records an update: leave it out.",
        ),
        (
            {"offline": True, "maintenance_window": WINDOW},
            "maintenance_window does not go with offline=true, which only records an update: leave it out.",
        ),
        *(
            (
                {"offline": True, "distribution_set": None, "distribution_sets": [{**SET, name: value}]},
                (
                    f"distribution_sets, 'os': {name} does not go with offline=true, which only records an update: "
                    "leave it out."
                ),
            )
            for name, value in [
                ("assignment_type", "soft"),
                ("forcetime", "2026-11-20T09:47:41Z"),
                ("maintenance_window", WINDOW),
                ("confirmation_required", True),
            ]
        ),
        (
            {"assignment_type": "timeforced"},
            "forcetime and assignment_type=timeforced belong together: give both or neither.",
        ),
        ({"forcetime": "1"}, "forcetime and assignment_type=timeforced belong together: give both or neither."),
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
    ran = run(module, nobody_listens(), **{"distribution_set": SET, "fleet": {"ids": ["d1"]}, **given})
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
    one = "POST /targets/d4/assignedDS"
    assert mixed.writes == [one if len(assigned) == 1 else ASSIGN]
    assert [item["id"] for body in mixed.bodies(ASSIGN) for item in body] == (assigned if len(assigned) > 1 else [])


def test_what_hawkbit_cannot_do_again_is_refused(mixed: FakeHawkbit, assign: Assign) -> None:
    ran = assign(redeploy="always")
    assert isinstance(ran.error, Unsupported)
    assert ran.result["msg"] == (
        "redeploy is 'always', but hawkBit cannot give a set again to targets that have it (d1): use redeploy=failed, "
        "or a new version."
    )
    assert mixed.writes == []


@pytest.fixture
def downloaded(ready: FakeHawkbit) -> FakeHawkbit:
    """One target has only downloaded the set, and asked for it once more; one has installed it."""
    ready.assign(1, "d1", "d2", force_type="downloadonly")
    ready.report("d1", "downloaded")
    ready.ask_late("d1")
    ready.report("d2", "finished")
    return ready


@pytest.mark.parametrize("given", [{}, {"redeploy": "failed"}, {"offline": True}, {"check_mode": True}])
def test_what_was_only_downloaded_is_not_installed(
    downloaded: FakeHawkbit, assign: Assign, given: dict[str, Any]
) -> None:
    ran = assign(**given)
    assert isinstance(ran.error, Unsupported)
    assert ran.result["msg"] == (
        "hawkBit cannot have os:1 installed on targets that were only to download it (d1): assign them the set that "
        "they run with offline=true, and then this one again, or use a new version."
    )
    assert downloaded.writes == []
    ran = assign(fleet={"ids": ["d1", "d2"]}, assignment_type="downloadonly", wait=True)
    assert (ran.error, counts(ran)) == (None, {"selected": 2, "skipped": 2})
    # the way out
    old = downloaded.add_set(version="0")
    assert assign(distribution_set={**SET, "version": "0"}, fleet={"ids": ["d1"]}, offline=True).result["changed"]
    assert downloaded.assigned["d1"] == old
    assert assign(fleet={"ids": ["d1"]}).result["assigned"] == ["d1"]


def test_a_wait_for_an_installation_does_not_end_well_with_a_download(ready: FakeHawkbit, assign: Assign) -> None:
    ready.assign(1, *IDS, force_type="downloadonly")

    def end() -> None:
        ready.report("d1", "downloaded")
        ready.report("d2", "finished")

    polls = iter(range(99))
    ready.on = lambda request: end() if next(polls) == 9 else None
    ran = assign(wait=True, wait_timeout=3)
    assert isinstance(ran.error, ThresholdExceeded)
    assert counts(ran) == {"selected": 4, "succeeded": 1, "failed": 1, "pending": 2}
    [device] = ran.result["devices"]["failed"]
    assert (device["id"], device["native_state"]) == ("d1", "downloaded")
    assert device["message"] == "The device has downloaded the set, and was not told to install it."


@with_multi_assignment
def test_beside_each_other_what_was_only_downloaded_is_assigned_again(beside: FakeHawkbit, run: Run) -> None:
    beside.assign(1, "d1", force_type="downloadonly")
    beside.report("d1", "downloaded")
    options = {"distribution_set": SET, "weight": 1, "fleet": {"ids": ["d1"]}}
    assert not run(module, beside, **options, assignment_type="downloadonly").result["changed"]
    assert run(module, beside, **options).result["assigned"] == ["d1"]
    assert not run(module, beside, **options).result["changed"]


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
    assert mixed.writes == ["POST /targets/d4/assignedDS"]


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
    assert set(ran.result) == KEYS | WRITTEN
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
    assert set(ran.result) == KEYS | WRITTEN | {"msg"}
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


def lost(*ids: str) -> str:
    """Return what an error says of devices that somebody else has taken away."""
    return (
        f" It was cancelled or replaced by another set, or the device was removed ({', '.join(ids)}): the same task "
        "run again would assign it to them once more."
    )


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_superseded_by_somebody_else(ready: FakeHawkbit, assign: Assign, how: str) -> None:
    def supersede() -> None:
        if how == "replaced":
            ready.assign(ready.add_set(version="2"), "d3")
        else:
            del ready.targets["d3"], ready.assigned["d3"], ready.actions[2]

    at_poll(ready, lambda: None, supersede)
    ran = assign(wait=True, on_failure="abort", wait_timeout=3)
    assert isinstance(ran.error, AbortedElsewhere)
    assert ran.result["msg"] == (
        "The assignment of os:1 was cancelled or superseded by somebody else: only 3 of 4 devices can still succeed, 4 "
        f"are needed.{lost('d3')}"
    )
    assert counts(ran) == {"selected": 4, "pending": 3, "aborted": 1}
    assert ran.result["deployment"]["state"] == "aborted"
    assert ready.writes == [ASSIGN]


def test_one_that_is_superseded_counts_for_the_thresholds(ready: FakeHawkbit, assign: Assign) -> None:
    def end() -> None:
        for one in ("d1", "d2", "d4"):
            ready.report(one, "finished")

    at_poll(ready, lambda: ready.assign(ready.add_set(version="2"), "d3"), end)
    ran = assign(wait=True, max_failures=1, wait_timeout=3)
    assert (ran.error, counts(ran)) == (None, {"selected": 4, "succeeded": 3, "aborted": 1})


@pytest.mark.parametrize("on_timeout", ["fail", "abort"])
def test_time_up_with_one_that_is_superseded(ready: FakeHawkbit, assign: Assign, on_timeout: str) -> None:
    at_poll(ready, lambda: ready.assign(ready.add_set(version="2"), "d3"))
    ran = assign(wait=True, max_failures=1, wait_timeout=1, on_timeout=on_timeout)
    assert isinstance(ran.error, WaitTimeout)
    assert ran.result["msg"].endswith(lost("d3") if on_timeout == "fail" else "What was still open has been cancelled.")


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


def test_a_weight_that_the_server_does_not_take_is_named(ready: FakeHawkbit, assign: Assign) -> None:
    """Up to 0.4, where multi-assignment is off; only of 0.3.0M7 that is known before."""
    refusal = error("multiassignmentNotEnabled", "The requested operation requires multi assignments to be enabled.")
    ready.refuse.append((ASSIGN, (400, refusal)))
    ran = assign(weight=5)
    assert ran.result["msg"] == "weight is 5, but this hawkBit takes one with multi-assignment only: leave it out."
    assert ready.writes == ([] if ready.generation == "seed" else [ASSIGN])


def test_a_refused_assignment_tells_all_the_same(ready: FakeHawkbit, assign: Assign) -> None:
    words = "The given request body is not well formed."
    ready.refuse.append((ASSIGN, (400, error("rest.body.notReadable", words))))
    ran = assign(wait=True)
    assert isinstance(ran.error, Rejected)
    assert ran.result["msg"] == f"Cannot assign distribution set: {words} (HTTP 400)"
    assert set(ran.result) == KEYS | WRITTEN | {"msg"}
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
    assert set(ran.result) == KEYS | WRITTEN | {"msg"}


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
    assert set(ran.result) == KEYS | WRITTEN | {"msg"}


def test_a_server_that_goes_away_for_good_leaves_a_report(ready: FakeHawkbit, assign: Assign) -> None:
    def go() -> None:
        ready.report("d1", "error", "no space")
        ready.report("d2", "finished")

    at_poll(ready, go, lambda: ready.refuse.append((".*", (401, None))))
    ran = assign(wait=True, max_failures=3)
    assert isinstance(ran.error, FleetError)
    assert set(ran.result) == KEYS | WRITTEN | {"msg"}
    assert (ran.result["changed"], ran.result["deployment"]["state"]) == (True, "running")
    assert [device["id"] for device in ran.result["devices"]["failed"]] == ["d1"]
    assert counts(ran) == {"selected": 4, "succeeded": 1, "failed": 1, "pending": 2}


def test_a_server_that_is_gone_before_the_first_poll_leaves_a_report(ready: FakeHawkbit, assign: Assign) -> None:
    at_poll(ready, lambda: ready.refuse.append((".*", (401, None))))
    ran = assign(wait=True)
    assert set(ran.result) == KEYS | WRITTEN | {"msg"}
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
