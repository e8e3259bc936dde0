"""hawkbit_rollout from its options to its result, on a fake of each generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AbortedElsewhere,
    AuthFailed,
    Conflict,
    InvalidInput,
    Rejected,
    ThresholdExceeded,
    Unsupported,
    WaitTimeout,
)
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollout import STATES, VERBS
from ansible_collections.fleet.deploy.plugins.modules import hawkbit_rollout as module
from servers.scripted import Arrived, nobody_listens

from .conftest import MakeFake, Ran, Run
from .fake import FakeHawkbit, error

KEYS = {"deployment", "counts", "devices", "attach", "error", "http"}
SET = {"name": "os", "version": "1"}
NEW: dict[str, Any] = {"name": "r1", "distribution_set": SET, "fleet": {"query": "controllerid==d*"}}
PAUSES = {"action": "PAUSE", "expression": ""}
Roll = Callable[..., Ran]


@pytest.fixture
def ready(fake: FakeHawkbit) -> FakeHawkbit:
    """A fake with four targets and a set."""
    fake.add_targets("d1", "d2", "d3", "d4", "x1")
    fake.add_set()
    return fake


@pytest.fixture
def roll(ready: FakeHawkbit, run: Run) -> Roll:
    """Return a function that runs the module on it, for the rollout r1."""
    return lambda **given: run(module, ready, **{"name": "r1", **given})


def there(fake: FakeHawkbit, status: str = "running", **counts: int) -> int:
    """Add the rollout r1 of four targets."""
    per_status = counts or {"running": 4}
    return fake.add_rollout(
        "r1",
        status,
        targetFilterQuery="controllerid==d*",
        totalTargets=sum(per_status.values()),
        totalTargetsPerStatus=per_status,
    )


def at_look(fake: FakeHawkbit, number: int, *steps: Callable[[], Any], every: bool = False) -> None:
    """Have something happen before each of the next looks at a rollout; the first ones after a write count only."""
    rest = iter(steps)

    def on(request: Arrived) -> None:
        if request.method == "GET" and request.target.endswith(f"/rollouts/{number}") and (every or fake.writes):
            next(rest, lambda: None)()

    fake.on = on


def becomes(fake: FakeHawkbit, number: int, status: str | None = None, **counts: int) -> Callable[[], None]:
    """Return a step in which a rollout moves on."""

    def step() -> None:
        if status:
            fake.rollouts[number]["status"] = status
        if counts:
            fake.rollouts[number]["totalTargetsPerStatus"] = counts

    return step


def counts(ran: Ran) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: value for name, value in ran.result["counts"].items() if value}


# -- creating --------------------------------------------------------------------------------------------------


def test_creates_and_starts(ready: FakeHawkbit, roll: Roll) -> None:
    ran = roll(**NEW, diff_mode=True)
    assert ran.error is None
    assert set(ran.result) == KEYS | {"changed", "rollout", "diff"}
    number = next(iter(ready.rollouts))
    assert ready.writes == ["POST /rollouts", f"POST /rollouts/{number}/start"]
    conditions = {
        "successCondition": {"condition": "THRESHOLD", "expression": "100"},
        "successAction": {"action": "NEXTGROUP", "expression": ""},
        "errorCondition": {"condition": "THRESHOLD", "expression": "0"},
        "errorAction": {"action": "PAUSE", "expression": ""},
    }
    assert ready.bodies("POST /rollouts") == [
        {
            "name": "r1",
            "distributionSetId": 1,
            "targetFilterQuery": "controllerid==d*",
            "type": "forced",
            "amountGroups": 1,
            **conditions,
        }
    ]
    assert ran.result["deployment"] == {
        "platform": "hawkbit",
        "id": str(number),
        "name": "r1",
        "state": "running",
        "native_state": "starting",
        "software": {"id": "1", "name": "os", "version": "1", "type": "os"},
        "created": "2026-11-20T09:47:41Z",
        "finished": None,
    }
    assert ran.result["attach"] == {"name": "r1", "state": "started", "wait": True}
    after = {
        "distribution_set": "os:1",
        "query": "controllerid==d*",
        "targets": 4,
        "groups": 1,
        "assignment_type": "forced",
        "success_threshold": 100,
        "error_threshold": 0,
        "success_action": "next_group",
        "state": "started",
    }
    assert ran.result["diff"] == {"before": {}, "after": {"r1": after}}
    assert [group["name"] for group in ran.result["rollout"]["groups"]] == ["group-1"]


def test_difference_shows_the_groups(roll: Roll) -> None:
    groups = [{"name": "all", "percentage": 100.0, "error_threshold": 5}]
    ran = roll(**NEW, groups=groups, check_mode=True, diff_mode=True)
    assert ran.result["diff"]["after"]["r1"]["groups"] == groups


def test_all_options_are_sent(ready: FakeHawkbit, roll: Roll) -> None:
    roll(
        **NEW,
        state="present",
        description="Spring",
        amount_groups=2,
        success_threshold=80,
        error_threshold=20,
        assignment_type="timeforced",
        forcetime="2026-11-20T10:47:41+01:00",
        start_at="1795168061999",
        weight=7,
    )
    (body,) = ready.bodies("POST /rollouts")
    assert body["successCondition"]["expression"] == "80"
    assert body["errorCondition"]["expression"] == "20"
    sent = ("description", "amountGroups", "type", "forcetime", "startAt", "weight")
    assert [body[name] for name in sent] == ["Spring", 2, "timeforced", 1795168061000, 1795168061999, 7]
    assert ready.writes == ["POST /rollouts"]


def test_groups_are_sent_as_the_release_counts_them(ready: FakeHawkbit, roll: Roll) -> None:
    ready.configuration["implicit.lock.enabled"] = {"value": True}
    groups = [
        {"name": "a", "percentage": 20.0, "success_threshold": 50, "error_threshold": 10},
        {"name": "b", "percentage": 40.0},
        {"name": "c"},
    ]
    ran = roll(**NEW, groups=groups, error_threshold=5)
    assert ran.error is None
    (body,) = ready.bodies("POST /rollouts")
    assert "amountGroups" not in body
    sent = [group["targetPercentage"] for group in body["groups"]]
    assert sent == ([20, 50, 100] if ready.generation == "seed" else [20, 40, 100])
    assert [group["successCondition"]["expression"] for group in body["groups"]] == ["50", "100", "100"]
    assert [group["errorCondition"]["expression"] for group in body["groups"]] == ["10", "5", "5"]
    assert not any("targetFilterQuery" in group for group in body["groups"])


@pytest.mark.parametrize("given", [{}, {"wait": True}, {"state": "present"}])
def test_check_mode_writes_nothing(ready: FakeHawkbit, roll: Roll, given: dict[str, Any]) -> None:
    ran = roll(**NEW, **given, check_mode=True)
    assert set(ran.result) == KEYS | {"changed", "rollout"}
    assert (ran.result["changed"], ran.result["rollout"], ready.writes) == (True, None, [])
    assert (ran.result["deployment"]["state"], ran.result["deployment"]["id"]) == ("planned", None)
    assert counts(ran) == {"selected": 4, "pending": 4}


@pytest.mark.parametrize("state", ["started", "resumed", "paused", "stopped", "absent"])
def test_check_mode_writes_nothing_to_what_is_there(ready: FakeHawkbit, roll: Roll, state: str) -> None:
    there(ready, {"started": "ready", "resumed": "paused"}.get(state, "running"))
    ready.assign(1, "d1", rollout=2)
    ran = roll(state=state, check_mode=True, diff_mode=True)
    assert (ran.result["changed"], ready.writes) == (True, [])
    assert ran.result["diff"]["before"]["r1"]["status"] == ready.rollouts[2]["status"]


def test_devices_by_id(ready: FakeHawkbit, roll: Roll) -> None:
    roll(name="r1", distribution_set=SET, fleet={"ids": ["d1", "d2"]})
    assert ready.bodies("POST /rollouts")[0]["targetFilterQuery"] == '(controllerid=="d1",controllerid=="d2")'


def test_all_devices(ready: FakeHawkbit, roll: Roll) -> None:
    ran = roll(name="r1", distribution_set=SET, fleet={"all": True})
    assert ready.bodies("POST /rollouts")[0]["targetFilterQuery"] == "controllerid==*"
    assert ran.result["counts"]["selected"] == 5


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, kind, words",
    [
        ({"assignment_type": "timeforced"}, InvalidInput, "forcetime and assignment_type=timeforced belong together"),
        ({"weight": 1001}, InvalidInput, "weight is 1001"),
        ({"amount_groups": 0}, InvalidInput, "amount_groups is 0"),
        ({"amount_groups": 501}, InvalidInput, "amount_groups is 501"),
        ({"groups": []}, InvalidInput, "groups is an empty list"),
        ({"groups": [{"name": "a", "percentage": 10.0}, {"name": "a"}]}, InvalidInput, "'a'"),
        ({"groups": [{"name": "a"}, {"name": "b"}]}, InvalidInput, "only the last group"),
        ({"groups": [{"name": "a", "error_threshold": 101}]}, InvalidInput, "error_threshold is 101"),
        ({"success_threshold": -1}, InvalidInput, "success_threshold is -1"),
        ({"wait_group": "b", "groups": [{"name": "a"}]}, InvalidInput, "wait_group is 'b'"),
        ({"wait_until": "online"}, Unsupported, "wait_until is 'online', which hawkBit cannot tell for a rollout"),
        ({"start_at": 1}, InvalidInput, "start_at needs state=present: with state=started the rollout starts at once."),
        ({"max_failures": -1}, InvalidInput, "max_failures is -1"),
        ({"result_limit": -1}, InvalidInput, "result_limit is -1"),
    ],
)
def test_impossible_options_are_refused_without_asking_the_server(
    run: Run, given: dict[str, Any], kind: type[Exception], words: str
) -> None:
    ran = run(module, nobody_listens(), **NEW, **given)
    assert isinstance(ran.error, kind)
    assert words in ran.result["msg"]


@pytest.mark.parametrize("option", ["distribution_set", "fleet"])
def test_a_new_rollout_needs_a_set_and_a_fleet(roll: Roll, option: str) -> None:
    ran = roll(**{name: value for name, value in NEW.items() if name != option})
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == f"{option} is missing: hawkBit has no rollout 'r1' yet, and a new one needs it."


@pytest.mark.parametrize(
    "fields, words", [({"complete": False}, "is incomplete"), ({"valid": False}, "was invalidated")]
)
def test_unusable_sets_are_refused(ready: FakeHawkbit, roll: Roll, fields: dict[str, Any], words: str) -> None:
    ready.sets[1].update(fields)
    ran = roll(**NEW)
    assert isinstance(ran.error, InvalidInput)
    assert words in ran.result["msg"]
    assert ready.writes == []


def test_a_set_that_is_not_there_tells_that_all_else_is_in_order(ready: FakeHawkbit, roll: Roll) -> None:
    """A playbook that is going to publish it goes by that."""
    ran = roll(**{**NEW, "distribution_set": {"name": "os", "version": "9"}}, check_mode=True)
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["error"]["details"] == {"missing": "distribution_set", "selected": 4}
    assert ready.writes == []


def test_nobody_too_many_and_too_long(ready: FakeHawkbit, roll: Roll) -> None:
    ran = roll(name="r1", distribution_set=SET, fleet={"query": "controllerid==z*"})
    assert ran.result["msg"] == (
        "fleet selects no device (query controllerid==z*): correct it, or register the devices first."
    )
    ran = roll(**NEW, fleet_limit=3)
    assert ran.result["msg"] == (
        "fleet_limit is 3, but the rollout would go to 4 devices: raise the limit or select fewer devices."
    )
    ids = [f"gateway-{index:04}" for index in range(100)]
    ready.add_targets(*ids)
    ran = roll(name="r1", distribution_set=SET, fleet={"ids": ids})
    assert "hawkBit takes 1024" in ran.result["msg"]
    assert ready.writes == []


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    "given, begin",
    [
        ({"fleet": {"query": "colour==red"}}, "fleet.query is 'colour==red'"),
        (
            {"groups": [{"name": "a", "query": "controllerid==d1"}, {"name": "b", "query": "colour==red"}]},
            "groups: query of 'b' is 'colour==red'",
        ),
    ],
)
def test_a_query_that_the_server_cannot_use_is_refused_before_it_is_written(
    ready: FakeHawkbit, roll: Roll, given: dict[str, Any], begin: str, check_mode: bool
) -> None:
    ran = roll(**{**NEW, **given}, check_mode=check_mode)
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == (
        f"{begin}, which hawkBit cannot use as a query: The query names a field that does not exist; correct it."
    )
    assert ran.result["http"]["status"] == 400
    assert ready.writes == []


def test_unknown_devices_are_refused_or_left_out(ready: FakeHawkbit, roll: Roll) -> None:
    fleet = {"ids": ["d1", "nope"]}
    ran = roll(name="r1", distribution_set=SET, fleet=fleet)
    assert "(nope)" in ran.result["msg"]
    assert ready.writes == []
    ran = roll(name="r1", distribution_set=SET, fleet=fleet, on_unknown_device="ignore")
    assert (ran.error, ran.result["counts"]["selected"]) == (None, 1)


def test_a_device_that_was_not_named_never_gets_it(ready: FakeHawkbit, roll: Roll) -> None:
    """RSQL takes upper and lower case for the same, so that D1 would come along."""
    ready.add_targets("D1")
    ran = roll(name="r1", distribution_set=SET, fleet={"ids": ["d1", "d2"]})
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"].startswith("fleet means 2 devices, but hawkBit, ")
    assert ready.writes == []


def test_a_pause_after_a_group_needs_a_newer_server(ready: FakeHawkbit, roll: Roll) -> None:
    ran = roll(**NEW, success_action="pause")
    if ready.generation == "modern":
        assert ready.bodies("POST /rollouts")[0]["successAction"] == PAUSES
    else:
        assert isinstance(ran.error, Unsupported)
        assert ready.writes == []


def test_a_name_that_is_used_up(ready: FakeHawkbit, roll: Roll) -> None:
    ready.add_rollout("r1", "deleted", deleted=True)
    ran = roll(**NEW, wait=True)
    assert isinstance(ran.error, Conflict)
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert (ran.result["changed"], ran.result["deployment"]["state"]) == (False, "planned")
    assert ran.result["error"]["code"] == "conflict"


# -- what is there ---------------------------------------------------------------------------------------------


def test_a_second_run_writes_nothing(ready: FakeHawkbit, roll: Roll) -> None:
    roll(**NEW)
    ready.forget()
    ran = roll(**NEW)
    assert (ran.error, ran.result["changed"], ready.writes) == (None, False, [])
    assert roll().result["rollout"]["name"] == "r1"


@pytest.mark.parametrize(
    "given, words",
    [
        ({"distribution_set": {"name": "os", "version": "2"}}, "exists and deploys os 1, not os 2"),
        ({"distribution_set": {"name": "os", "version": "1", "type": "app"}}, "choose another name"),
        ({"fleet": {"all": True}}, "exists for the targets of controllerid==d*, not of controllerid==*"),
    ],
)
def test_a_name_that_stands_for_something_else(
    ready: FakeHawkbit, roll: Roll, given: dict[str, Any], words: str
) -> None:
    there(ready, "ready")
    ran = roll(**given)
    assert isinstance(ran.error, InvalidInput)
    assert words in ran.result["msg"]
    assert ready.writes == []


def test_the_description_is_changed(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("modern")
    fake.add_set()
    number = there(fake)
    ran = run(module, fake, name="r1", description="new", diff_mode=True)
    assert fake.writes == [f"PUT /rollouts/{number}"]
    assert ran.result["diff"] == {"before": {"r1": {"description": None}}, "after": {"r1": {"description": "new"}}}
    fake.forget()
    assert run(module, fake, name="r1", description="new").result["changed"] is False
    assert fake.writes == []


def test_a_device_that_was_removed_since_does_not_keep_anybody_from_attaching(ready: FakeHawkbit, roll: Roll) -> None:
    given = {"distribution_set": SET, "fleet": {"ids": ["d1", "d2"]}}
    assert roll(**given).result["changed"] is True
    del ready.targets["d2"]
    ran = roll(**given)
    assert (ran.error, ran.result["changed"]) == (None, False)


# state -> status -> what is written, or the error
MODERN_VERBS: dict[str, dict[str, list[str] | type[Exception]]] = {
    "present": {"ready": [], "running": [], "paused": [], "finished": [], "stopped": []},
    "started": {
        "ready": ["start"],
        "running": [],
        "paused": [],
        "finished": [],
        "waiting_for_approval": [],
        "stopped": Conflict,
        "approval_denied": Conflict,
    },
    "resumed": {"paused": ["resume"], "running": [], "finished": [], "ready": Conflict, "stopped": Conflict},
    "paused": {"running": ["pause"], "paused": [], "finished": [], "ready": Conflict, "stopped": Conflict},
    "stopped": {"running": ["stop"], "paused": ["stop"], "ready": ["stop"], "stopped": [], "finished": []},
    "approved": {
        "waiting_for_approval": ["approve"],
        "ready": [],
        "running": [],
        "finished": [],
        "approval_denied": Conflict,
    },
    "denied": {"waiting_for_approval": ["deny"], "approval_denied": [], "ready": Conflict, "running": Conflict},
    "absent": {"running": ["DELETE"], "finished": ["DELETE"]},
}


@pytest.mark.parametrize(
    "state, status, wanted",
    [(state, status, wanted) for state, row in MODERN_VERBS.items() for status, wanted in row.items()],
)
def test_each_state_from_each_status(
    make_fake: MakeFake, run: Run, state: str, status: str, wanted: list[str] | type[Exception]
) -> None:
    fake = make_fake("modern")
    fake.add_set()
    number = there(fake, status)
    at_look(fake, number, lambda: fake.rollouts[number]["status"] == "stopping" and becomes(fake, number, "stopped")())
    ran = run(module, fake, name="r1", state=state)
    if isinstance(wanted, type):
        assert isinstance(ran.error, wanted)
        assert ran.result["msg"] == f"rollout 'r1' is {status}, so it cannot be {state}: choose another name or state."
        assert set(ran.result) == KEYS | {"msg"}
        assert fake.writes == []
        return
    verbs = {"DELETE": f"DELETE /rollouts/{number}"}
    assert fake.writes == [verbs.get(verb, f"POST /rollouts/{number}/{verb}") for verb in wanted]
    assert (ran.error, ran.result["changed"]) == (None, bool(wanted))
    assert set(ran.result) == KEYS | {"changed", "rollout"}


def test_every_status_is_known_to_every_state() -> None:
    states = set(module.SPEC.argument_spec["state"]["choices"])
    # a rollout that is retried is one that another one repeats, and that is started
    assert set(VERBS) == states - {"retried", "absent"}
    assert all(set(row) <= set(STATES) for row in VERBS.values())


@pytest.mark.parametrize("state", ["resumed", "paused", "stopped"])
def test_what_is_not_there_cannot_be_steered(ready: FakeHawkbit, roll: Roll, state: str) -> None:
    ran = roll(**NEW, state=state)
    assert isinstance(ran.error, InvalidInput)
    assert f"no rollout of that name to be {state}" in ran.result["msg"]
    assert ready.writes == []


def test_what_is_not_there_is_absent(ready: FakeHawkbit, roll: Roll) -> None:
    ran = roll(state="absent")
    assert (ran.error, ran.result["changed"], ran.result["rollout"], ready.writes) == (None, False, None, [])


def test_a_status_that_nobody_has_heard_of_is_no_crash(ready: FakeHawkbit, roll: Roll) -> None:
    there(ready, "error_creating")
    ran = roll(state="paused")
    assert isinstance(ran.error, Conflict)
    assert ran.result["deployment"]["state"] == "failed"
    assert roll(state="present").error is not None


# -- steering --------------------------------------------------------------------------------------------------


def test_starting_waits_until_it_is_created(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "creating")
    at_look(ready, number, lambda: None, lambda: None, becomes(ready, number, "ready"), every=True)
    assert roll().error is None
    assert ready.writes == [f"POST /rollouts/{number}/start"]


def test_what_has_started_meanwhile_is_not_started_again(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "ready")
    at_look(ready, number, lambda: None, becomes(ready, number, "running"), every=True)
    assert roll().error is None
    assert ready.writes == []


@pytest.mark.parametrize("wait", [False, True])
def test_approval_is_a_persons_business(ready: FakeHawkbit, roll: Roll, wait: bool) -> None:
    number = there(ready, "creating", notstarted=4)
    at_look(ready, number, lambda: None, becomes(ready, number, "waiting_for_approval"), every=True)
    for _run in range(2):
        ran = roll(wait=wait)
        assert (ran.error, ran.result["deployment"]["state"]) == (None, "waiting")
        assert ran.warnings == ["rollout 'r1' waits for approval on the server; it has not been started."]
    assert ready.writes == []


def test_pausing_waits_until_it_runs(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "starting")
    at_look(ready, number, lambda: None, lambda: None, becomes(ready, number, "running"), every=True)
    assert roll(state="paused").result["deployment"]["native_state"] == "paused"


def test_stopping_where_the_server_cannot(make_fake: MakeFake, run: Run) -> None:
    for generation in ("seed", "legacy"):
        fake = make_fake(generation)
        fake.add_targets("d1")
        number = fake.add_rollout("r1", "starting", distributionSetId=fake.add_set())
        fake.add_group(number, "a", running=1, members=["d1"])
        fake.assign(number - 1 or 1, "d1", rollout=number)
        at_look(fake, number, lambda: None, lambda: None, becomes(fake, number, "running"), every=True)
        ran = run(module, fake, name="r1", state="stopped")
        assert (ran.error, ran.result["changed"]) == (None, True)
        assert fake.rollouts[number]["status"] == "paused"
        assert "DELETE /targets/d1/actions/1" in fake.writes
        fake.forget()
        ran = run(module, fake, name="r1", state="stopped")
        assert (ran.error, ran.result["changed"], fake.writes) == (None, False, [])


@pytest.mark.parametrize("status", ["ready", "waiting_for_approval"])
def test_stopping_what_has_not_begun_where_the_server_cannot(make_fake: MakeFake, run: Run, status: str) -> None:
    fake = make_fake("legacy")
    fake.add_set()
    there(fake, status)
    ran = run(module, fake, name="r1", state="stopped")
    assert isinstance(ran.error, Unsupported)
    assert ran.result["msg"] == (
        f"state is 'stopped', but the rollout 'r1' is {status}, and hawkBit before 0.10 can only stop one that was "
        "started: use state=absent."
    )
    assert fake.writes == []


# -- waiting ---------------------------------------------------------------------------------------------------


def test_waits_until_it_is_finished(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "ready", notstarted=4)
    steps = [
        becomes(ready, number, "running", running=2, scheduled=2),
        becomes(ready, number, running=1, scheduled=2, finished=1),
        becomes(ready, number, "finished", finished=4),
    ]
    at_look(ready, number, *steps)
    ran = roll(wait=True)
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "succeeded")
    assert counts(ran) == {"selected": 4, "succeeded": 4}
    assert ran.progress == [
        "The rollout 'r1': 1 of 4 have it, 2 pending, 1 running",
        "The rollout 'r1': 4 of 4 have it",
    ]
    looks = [line for line in ready.lines if line.endswith(f"/rollouts/{number}")]
    assert len([line for line in ready.lines if "deploygroups" in line]) < len(looks)


def test_a_finished_rollout_is_not_repeated(ready: FakeHawkbit, roll: Roll) -> None:
    there(ready, "finished", finished=3, error=1)
    ran = roll(**NEW, wait=True)
    assert (ran.error, ran.result["changed"], ready.writes) == (None, False, [])


def test_thresholds_of_the_task_count_for_the_whole(ready: FakeHawkbit, roll: Roll) -> None:
    there(ready, "finished", finished=3, error=1)
    ran = roll(wait=True, min_success_percentage=80.0, on_failure="abort")
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"].startswith("The rollout 'r1' has failed: only 3 of 4 devices can still succeed, 4 are")
    assert "could not be cancelled" not in ran.result["msg"]
    assert ready.writes == []


def test_a_target_that_was_removed_is_no_success(ready: FakeHawkbit, roll: Roll) -> None:
    there(ready, "finished", finished=3, notstarted=1)
    assert roll(wait=True).error is None
    assert isinstance(roll(wait=True, min_success_percentage=100.0).error, AbortedElsewhere)


def test_present_waits_until_it_is_created(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "creating", notstarted=4)
    at_look(ready, number, lambda: None, lambda: None, becomes(ready, number, "ready"), every=True)
    ran = roll(state="present", wait=True)
    assert (ran.error, ran.result["deployment"]["native_state"], ready.writes) == (None, "ready", [])


def test_paused_by_the_server_because_devices_failed(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "paused", error=1, finished=1, scheduled=2)
    ready.add_group(number, "canary", "error", finished=1, error=1, members=["d1", "d2"])
    ready.add_group(number, "rest", "scheduled", notstarted=2)
    ready.assign(1, "d1", rollout=number)
    ready.report("d1", "error", "no space")
    ran = roll(wait=True)
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"] == (
        "The rollout 'r1' has failed: hawkBit paused it because 1 of the 2 devices of group 'canary' failed, which is "
        "more than its error_threshold of 0 %."
    )
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert ran.result["deployment"]["state"] == "failed"
    assert [(d["name"], d["message"]) for d in ran.result["devices"]["failed"]] == [("Device d1", "no space")]


@pytest.mark.parametrize("status", ["error", "finished"])
def test_finished_although_the_last_group_failed(ready: FakeHawkbit, roll: Roll, status: str) -> None:
    number = there(ready, "finished", error=1, finished=3)
    ready.add_group(number, "canary", "finished", finished=2)
    # 0.3.0 may call it finished too
    ready.add_group(number, "rest", status, finished=1, error=1)
    ran = roll(wait=True)
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"] == (
        "The rollout 'r1' has failed: 1 of the 2 devices of group 'rest' failed, which is more than its "
        "error_threshold of 0 %."
    )
    assert (ran.result["deployment"]["state"], ran.result["deployment"]["native_state"]) == ("failed", "finished")
    told = roll()
    assert (told.error, told.result["deployment"]["state"]) == (None, "failed")


def test_finished_after_an_earlier_failure_was_forgiven(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "finished", error=1, finished=3)
    ready.add_group(number, "canary", "error", finished=1, error=1)
    ready.add_group(number, "rest", "finished", finished=2)
    for wait in (True, False):
        ran = roll(wait=wait)
        assert (ran.error, ran.result["deployment"]["state"]) == (None, "succeeded")


def test_a_failure_that_was_forgiven_is_no_reason_later(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "paused", error=1, finished=1, running=1, scheduled=1)
    ready.add_group(number, "canary", "error", finished=1, error=1)
    ready.add_group(number, "middle", running=1, finished=0)
    ready.add_group(number, "rest", "scheduled", notstarted=1)
    ran = roll(wait=True)
    assert isinstance(ran.error, AbortedElsewhere)
    assert ran.result["msg"] == ("The rollout 'r1' was paused by somebody else: have it go on with state=resumed.")


@pytest.mark.parametrize("generation", ["seed", "legacy", "modern"])
def test_stopping_it_ourselves_is_not_taken_for_somebody_else(make_fake: MakeFake, run: Run, generation: str) -> None:
    fake = make_fake(generation)
    fake.add_targets("d1", "d2")
    fake.add_set()
    number = there(fake, "running", running=1, error=1)
    fake.add_group(number, "all", running=1, error=1, members=["d1", "d2"])
    fake.assign(1, "d1", "d2", rollout=number)
    fake.report("d1", "error", "no space")
    at_look(fake, number, becomes(fake, number, "stopped") if generation == "modern" else lambda: None)
    ran = run(module, fake, name="r1", wait=True, max_failures=0, on_failure="abort")
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"] == (
        "The rollout 'r1' has failed: 1 device failed, max_failures is 0. What was still open has been cancelled."
    )
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert (ran.result["deployment"]["state"], ran.result["changed"]) == ("aborted", True)
    assert fake.rollouts[number]["status"] == ("stopped" if generation == "modern" else "paused")


def test_a_group_that_fell_short_holds_all_up(ready: FakeHawkbit, roll: Roll) -> None:
    """Too few for the next group, too few failures for a pause: the server says running for ever."""
    number = there(ready, "running", finished=1, error=1, scheduled=2)
    canary = {"successCondition": {"expression": "80"}, "errorCondition": {"expression": "60"}}
    ready.add_group(number, "canary", "finished", finished=1, error=1, **canary)
    ready.add_group(number, "rest", "scheduled", notstarted=2)
    ran = roll(wait=True)
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["msg"] == (
        "The rollout 'r1' has failed: only 1 of the 2 devices of group 'canary' succeeded, which is less than its "
        "success_threshold of 80 %."
    )


def test_between_two_groups_is_no_failure(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "running", finished=2, scheduled=2)
    ready.add_group(number, "canary", "finished", finished=2)
    ready.add_group(number, "rest", "scheduled", notstarted=2)
    at_look(ready, number, lambda: None, lambda: None, becomes(ready, number, "finished", finished=4), every=True)
    assert roll(wait=True).error is None


@pytest.mark.parametrize(
    "status, words",
    [
        ("stopped", "The rollout 'r1' was stopped by somebody else."),
        ("stopping", "The rollout 'r1' was stopped by somebody else."),
        ("deleted", "The rollout 'r1' was deleted by somebody else while it was waited for."),
        ("approval_denied", "The rollout 'r1' was denied approval."),
        ("paused", "The rollout 'r1' was paused by somebody else: have it go on with state=resumed."),
    ],
)
def test_somebody_else_ends_it(ready: FakeHawkbit, roll: Roll, status: str, words: str) -> None:
    number = there(ready, "running", running=4)
    ready.add_group(number, "all", running=4)
    at_look(ready, number, lambda: None, lambda: None, becomes(ready, number, status), every=True)
    ran = roll(wait=True, on_failure="abort")
    assert isinstance(ran.error, AbortedElsewhere)
    assert ran.result["msg"] == words
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert (ran.result["error"]["code"], ready.writes) == ("aborted_elsewhere", [])


def test_a_pause_found_at_the_first_look_tells_all_the_same(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "paused", running=4)
    ready.add_group(number, "all", running=4)
    ran = roll(wait=True)
    assert isinstance(ran.error, AbortedElsewhere)
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert ran.result["counts"]["running"] == 4


@pytest.mark.parametrize("status", ["finished", "running"])
def test_a_pause_that_was_asked_for_ends_the_wait(modern: FakeHawkbit, run: Run, status: str) -> None:
    """The server pauses as soon as the threshold is reached, though devices of the group are under way."""
    modern.add_set()
    number = there(modern, "paused", finished=1, running=1, scheduled=2)
    half = {"successCondition": {"expression": "50"}, "successAction": PAUSES}
    modern.add_group(number, "canary", status, finished=1, running=1, **half)
    modern.add_group(number, "rest", "scheduled", notstarted=2)
    ran = run(module, modern, name="r1", wait=True)
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "waiting")


def test_a_pause_of_the_next_group_is_somebody_elses(modern: FakeHawkbit, run: Run) -> None:
    modern.add_set()
    number = there(modern, "paused", finished=2, running=2)
    modern.add_group(number, "canary", "finished", finished=2, successAction=PAUSES)
    modern.add_group(number, "rest", running=2)
    assert isinstance(run(module, modern, name="r1", wait=True).error, AbortedElsewhere)


def test_waiting_for_a_group(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "running", running=1, finished=1, scheduled=2)
    ready.add_group(number, "canary", running=1, finished=1)
    ready.add_group(number, "rest", "scheduled", notstarted=2)

    def done() -> None:
        ready.groups[number][0].update(status="finished", totalTargetsPerStatus={"finished": 2})

    at_look(ready, number, lambda: None, lambda: None, done, every=True)
    ran = roll(wait=True, wait_group="canary")
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "running")
    assert ran.result["attach"] == {"name": "r1", "state": "started", "wait": True, "wait_group": "canary"}


def test_waiting_for_a_group_that_must_not_succeed(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "running", running=2, scheduled=2)
    ready.add_group(number, "canary", running=2)
    ready.add_group(number, "rest", "scheduled", notstarted=2, successCondition={"expression": "0"})

    def begin() -> None:
        ready.groups[number][1].update(status="running", totalTargetsPerStatus={"running": 2})

    at_look(ready, number, *[lambda: None] * 4, begin, every=True)
    assert roll(wait=True, wait_group="rest").error is None
    assert ready.groups[number][1]["status"] == "running"


def test_waiting_for_a_group_costs_the_same_however_many_there_are(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("seed")
    fake.add_set()
    number = there(fake, "running", running=1, scheduled=50)
    for index in range(51):
        fake.add_group(number, f"g{index}", "scheduled" if index else "running", running=1)
    looks = iter(range(99))

    def on(request: Arrived) -> None:
        if request.target.endswith(f"/rollouts/{number}") and next(looks) == 10:
            fake.rollouts[number]["status"] = "finished"
            fake.groups[number][0].update(status="finished", totalTargetsPerStatus={"finished": 1})

    fake.on = on
    assert run(module, fake, name="r1", wait=True, wait_group="g0").error is None
    # all groups once, for the result
    assert len([line for line in fake.lines if "deploygroups/" in line]) <= 51 + 2 * 11


def test_a_pause_by_somebody_ends_the_wait_for_a_group(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "paused", running=2, scheduled=2)
    ready.add_group(number, "canary", running=2)
    ready.add_group(number, "rest", "scheduled", notstarted=2)
    assert isinstance(roll(wait=True, wait_group="canary").error, AbortedElsewhere)


@pytest.mark.parametrize("status", ["error", "finished"])
def test_a_group_that_fails_ends_the_wait_for_it(ready: FakeHawkbit, roll: Roll, status: str) -> None:
    number = there(ready, "running", error=2, running=2)
    ready.add_group(number, "canary", status, error=2)
    ready.add_group(number, "rest", running=2)
    ran = roll(wait=True, wait_group="canary")
    assert isinstance(ran.error, ThresholdExceeded)
    assert "group 'canary'" in ran.result["msg"]


def test_a_group_that_is_not_there(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "running", running=4)
    ready.add_group(number, "all", running=4)
    ran = roll(wait=True, wait_group="canary")
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == "wait_group is 'canary', but the rollout 'r1' has the groups all."


def test_time_up(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("modern")
    fake.add_set()
    there(fake, "running", running=3, finished=1)
    ran = run(module, fake, name="r1", wait=True, wait_timeout=1, wait_interval=0.2)
    assert isinstance(ran.error, WaitTimeout)
    assert ran.result["last_state"] == {"native_state": "running", "summary": "1 of 4 have it, 3 running"}
    assert ran.result["deployment"]["state"] == "timed_out"


def test_created_waits_for_no_device(ready: FakeHawkbit, roll: Roll) -> None:
    ran = roll(**NEW, wait=True, wait_until="created")
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "running")
    assert len(ready.writes) == 2


# -- faults ----------------------------------------------------------------------------------------------------


def test_a_start_that_is_refused_tells_what_was_done(ready: FakeHawkbit, roll: Roll) -> None:
    ready.refuse.append(("POST .*/start", (400, error("rollout.illegalState", "Rollout can only be started in…"))))
    ran = roll(**NEW)
    assert isinstance(ran.error, Rejected)
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert (ran.result["changed"], ran.result["deployment"]["state"]) == (True, "planned")
    assert ran.result["deployment"]["id"] is not None
    assert ran.result["counts"]["selected"] == 4


def test_a_report_does_not_fail_for_want_of_a_permission(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "paused", error=1, finished=1)
    ready.add_group(number, "all", "error", error=1, finished=1)
    denied = (403, error("insufficientPermission", "Insufficient Permission"))
    ready.refuse += [("GET /actions.*rollout.id.*", denied), ("GET /rollouts/.*/targets.*", denied)]
    ran = roll(wait=True)
    assert isinstance(ran.error, ThresholdExceeded)
    assert ran.result["devices"]["failed"] == []
    assert ran.warnings[0].startswith("The devices that failed cannot be named: ")


def test_a_server_that_goes_away_for_good_leaves_a_report(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "running", running=3, error=1)
    at_look(ready, number, *[lambda: None] * 3, lambda: ready.refuse.append((".*", (401, None))), every=True)
    ran = roll(wait=True)
    assert isinstance(ran.error, AuthFailed)
    assert set(ran.result) == KEYS | {"msg", "changed"}
    assert (ran.result["changed"], counts(ran)) == (False, {"selected": 4, "running": 3, "failed": 1})


def test_no_names_are_asked_for_when_none_are_wanted(ready: FakeHawkbit, roll: Roll) -> None:
    there(ready, "finished", finished=3, error=1)
    ran = roll(wait=True, result_limit=0)
    assert (ran.error, ran.result["devices"]["failed"]) == (None, [])
    assert ran.result["devices"]["truncated"] is True


def test_a_list_that_is_cut_says_so(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "finished", finished=2, error=2)
    ready.add_group(number, "all", "finished", finished=2, error=2, members=["d1", "d2"])
    ready.assign(1, "d1", "d2", rollout=number)
    for device in ("d1", "d2"):
        ready.report(device, "error", "no space")
    for limit, named in ((1, 1), (2, 2)):
        devices = roll(wait=True, result_limit=limit).result["devices"]
        assert (len(devices["failed"]), devices["truncated"]) == (named, named < 2)


def test_thresholds_that_are_no_numbers_are_no_crash(ready: FakeHawkbit, roll: Roll) -> None:
    """The server takes any text for them from other clients."""
    number = there(ready, "paused", running=1, finished=1)
    ready.add_group(number, "all", running=1, finished=1, successCondition={"expression": "abc"}, errorCondition=None)
    assert isinstance(roll(wait=True).error, AbortedElsewhere)


# -- approval, next group, retry, dynamic groups -----------------------------------------------------------------


@pytest.mark.parametrize("state, verb", [("approved", "approve"), ("denied", "deny")])
def test_the_remark_is_noted_down(ready: FakeHawkbit, roll: Roll, state: str, verb: str) -> None:
    number = there(ready, "waiting_for_approval", notstarted=4)
    planned = roll(state=state, approval_remark="by the book", check_mode=True)
    assert (planned.result["changed"], ready.writes) == (True, [])
    ran = roll(state=state, approval_remark="by the book")
    assert ready.writes == [f"POST /rollouts/{number}/{verb}?remark=by+the+book"]
    rollout = ran.result["rollout"]
    assert (rollout["approval_decided_by"], rollout["approval_remark"]) == ("admin", "by the book")


def test_a_decision_waits_until_the_rollout_is_created(ready: FakeHawkbit, roll: Roll) -> None:
    number = there(ready, "creating", notstarted=4)
    at_look(ready, number, lambda: None, becomes(ready, number, "waiting_for_approval"), every=True)
    ran = roll(state="denied")
    assert (ran.error, ran.result["deployment"]["native_state"]) == (None, "approval_denied")


def in_groups(fake: FakeHawkbit, status: str, *statuses: str) -> int:
    """Add the rollout r1 with a group of each status: a, b, c."""
    number = there(fake, status)
    for name, one in zip("abc", statuses, strict=False):
        fake.add_group(number, name, one)
    return number


def test_groups_are_triggered_up_to_the_one_that_is_wanted(make_fake: MakeFake, run: Run) -> None:
    fake = make_fake("legacy")
    number = in_groups(fake, "running", "running", "scheduled", "scheduled")
    given = {"name": "r1", "state": "triggered", "trigger_group": "c"}
    planned = run(module, fake, **given, check_mode=True, diff_mode=True)
    diff = {"before": {"r1": {"begun": ["a"]}}, "after": {"r1": {"begun": ["a", "b", "c"]}}}
    assert (planned.result["changed"], planned.result["diff"], fake.writes) == (True, diff, [])
    ran = run(module, fake, **given, diff_mode=True)
    assert (ran.error, ran.result["changed"], ran.result["diff"]) == (None, True, diff)
    assert fake.writes == [f"POST /rollouts/{number}/triggerNextGroup"] * 2
    assert ran.result["attach"] == {"name": "r1", "state": "started", "wait": True}
    again = run(module, fake, **given)
    assert (again.error, again.result["changed"], len(fake.writes)) == (None, False, 2)


def test_the_first_group_is_not_triggered_when_the_rollout_is_about_to_begin_it(modern: FakeHawkbit, run: Run) -> None:
    modern.add_set()
    number = in_groups(modern, "starting", "scheduled", "scheduled")

    def begins() -> None:
        modern.rollouts[number]["status"] = "running"
        modern.groups[number][0]["status"] = "running"

    at_look(modern, number, lambda: None, begins, every=True)
    ran = run(module, modern, name="r1", state="triggered", trigger_group="a")
    assert (ran.error, modern.writes) == (None, [])


def test_a_group_to_trigger_must_be_there(modern: FakeHawkbit, run: Run) -> None:
    in_groups(modern, "running", "running", "scheduled")
    ran = run(module, modern, name="r1", state="triggered", trigger_group="x")
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == "trigger_group is 'x', but the rollout 'r1' has the groups a, b."


@pytest.mark.parametrize("given", [{"state": "triggered", "trigger_group": "a"}, {"state": "retried"}])
def test_what_the_oldest_release_cannot_do(make_fake: MakeFake, run: Run, given: dict[str, Any]) -> None:
    fake = make_fake("seed")
    in_groups(fake, "running", "running", "scheduled")
    ran = run(module, fake, name="r1", **given)
    assert isinstance(ran.error, Unsupported)
    assert ran.result["msg"].startswith(f"state is '{given['state']}', which came with hawkBit 0.3.0: ")
    assert fake.writes == []


def test_a_retry_is_a_rollout_of_its_own(modern: FakeHawkbit, run: Run) -> None:
    modern.add_set()
    number = there(modern, "finished", finished=2, error=2)
    given: dict[str, Any] = {"name": "r1", "state": "retried"}
    planned = run(module, modern, **given, check_mode=True, diff_mode=True)
    assert planned.result["diff"]["after"] == {"r1_retry": {"retry_of": "r1", "targets": 2}}
    assert (planned.result["counts"]["pending"], modern.writes) == (2, [])
    again = max(modern.rollouts) + 1
    at_look(modern, again, becomes(modern, again, "ready"))
    ran = run(module, modern, **given)
    assert (ran.error, ran.result["changed"], ran.result["rollout"]["name"]) == (None, True, "r1_retry")
    assert modern.writes == [f"POST /rollouts/{number}/retry", f"POST /rollouts/{again}/start"]
    assert ran.result["attach"] == {"name": "r1_retry", "state": "started", "wait": True}
    second = run(module, modern, **given)
    assert (second.error, second.result["changed"], len(modern.writes)) == (None, False, 2)
    assert second.result["rollout"]["name"] == "r1_retry"


def test_nothing_to_retry(modern: FakeHawkbit, run: Run) -> None:
    there(modern, "finished", finished=4)
    ran = run(module, modern, name="r1", state="retried", wait=True)
    assert (ran.error, ran.result["changed"], modern.writes) == (None, False, [])
    assert ran.result["deployment"]["state"] == "succeeded"


def test_a_retry_waits_for_the_end(modern: FakeHawkbit, run: Run) -> None:
    there(modern, "paused", finished=2, error=2)
    ran = run(module, modern, name="r1", state="retried")
    assert isinstance(ran.error, Conflict)
    assert ran.result["msg"] == "rollout 'r1' is paused, so it cannot be retried: wait for its end."


def test_dynamic_groups_are_sent(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets("d1")
    modern.add_set()
    given = {
        **NEW,
        "state": "present",
        "amount_groups": 0,
        "dynamic_groups": {"size": 5},
        "confirmation_required": True,
    }
    assert run(module, modern, **given).error is None
    (body,) = modern.bodies("POST /rollouts")
    assert (body["amountGroups"], body["dynamic"], body["confirmationRequired"]) == (0, True, True)
    assert body["dynamicGroupTemplate"] == {"nameSuffix": "-dynamic", "targetCount": 5}


def test_a_rollout_with_dynamic_groups_is_waited_for_until_the_others_have_ended(modern: FakeHawkbit, run: Run) -> None:
    modern.add_set()
    number = there(modern, "running", finished=2, running=2)
    modern.rollouts[number]["dynamic"] = True
    modern.add_group(number, "a", "finished", finished=2)
    modern.add_group(number, "b", "running", finished=0, running=1)
    modern.add_group(number, "c-dynamic", "running", running=1, dynamic=True)

    def ends() -> None:
        modern.groups[number][1].update(status="finished", totalTargetsPerStatus={"finished": 1})
        modern.rollouts[number]["totalTargetsPerStatus"] = {"finished": 3, "running": 1}

    at_look(modern, number, lambda: None, lambda: None, lambda: None, ends, every=True)
    ran = run(module, modern, name="r1", wait=True)
    assert (ran.error, ran.result["deployment"]["state"]) == (None, "running")
    assert (ran.result["counts"]["succeeded"], ran.result["counts"]["running"]) == (3, 1)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"dynamic_groups": {"size": 1}}, "dynamic_groups is given, but came with hawkBit 0.5: leave it out."),
        (
            {"confirmation_required": False},
            "confirmation_required is given, but came with hawkBit 0.3.0M8: leave it out.",
        ),
        ({"weight": 7}, "weight is given, but needs multi-assignment before hawkBit 0.5, which is off: leave it out."),
        (
            {"groups": [{"name": "a", "confirmation_required": True}]},
            "confirmation_required is given, but came with hawkBit 0.3.0M8: leave it out.",
        ),
    ],
)
def test_what_an_old_release_would_ignore_is_refused(
    make_fake: MakeFake, run: Run, given: dict[str, Any], words: str
) -> None:
    fake = make_fake("seed")
    fake.configuration["multi.assignments.enabled"] = {"value": False}
    fake.add_targets("d1")
    fake.add_set()
    ran = run(module, fake, **NEW, **given)
    assert isinstance(ran.error, Unsupported)
    assert (ran.result["msg"], fake.writes) == (words, [])


# -- what cannot be changed any more -----------------------------------------------------------------------------


def conditioned(success: str = "100", error: str = "0") -> dict[str, Any]:
    """Return the conditions of a group as the server shows them."""
    return {
        "successCondition": {"condition": "THRESHOLD", "expression": success},
        "successAction": {"action": "NEXTGROUP", "expression": ""},
        "errorCondition": {"condition": "THRESHOLD", "expression": error},
        "errorAction": PAUSES,
    }


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, None),
        ({"amount_groups": 1, "weight": 7, "start_at": "2030-01-01T00:00:00Z"}, None),
        ({"assignment_type": "soft"}, "assignment_type forced, not soft"),
        ({"weight": 8}, "weight 7, not 8"),
        (
            {"start_at": "2030-01-01T01:00:00Z"},
            "start_at 2030-01-01T00:00:00Z, not 2030-01-01T01:00:00Z",
        ),
        ({"amount_groups": 2}, "1 groups, not 2"),
        ({"success_threshold": 90, "error_threshold": 5}, "success_threshold 100, not 90; error_threshold 0, not 5"),
        ({"dynamic_groups": {"size": 1}}, "no dynamic groups"),
        ({"groups": [{"name": "a", "percentage": 50}, {"name": "b"}]}, "the groups group-1, not a, b"),
        ({"groups": [{"name": "group-1"}]}, None),
        (
            {"groups": [{"name": "group-1", "error_threshold": 9, "query": "name==x", "percentage": 50}]},
            (
                "error_threshold 0, not 9 in group 'group-1'; query '', not 'name==x' in group 'group-1'; percentage "
                "100, not 50 in group 'group-1'"
            ),
        ),
    ],
)
def test_what_cannot_be_changed_is_a_warning(
    modern: FakeHawkbit, run: Run, given: dict[str, Any], words: str | None
) -> None:
    modern.add_targets("d1")
    modern.add_set()
    number = there(modern, "ready", notstarted=1)
    modern.rollouts[number].update(weight=7, dynamic=False, forcetime=0, startAt=1893456000000)
    modern.add_group(number, "group-1", "ready", targetPercentage=100.0, **conditioned())
    ran = run(module, modern, **{**NEW, "state": "present", **given})
    assert (ran.error, ran.result["changed"]) == (None, False)
    end = "That cannot be changed any more: choose another name to have it otherwise."
    assert ran.warnings == ([] if words is None else [f"The rollout 'r1' exists with {words}. {end}"])
    # attaching by name says nothing about them
    assert run(module, modern, name="r1", state="present").warnings == []


def test_a_start_that_is_over_is_of_no_interest(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets("d1")
    modern.add_set()
    modern.rollouts[there(modern, "running")]["startAt"] = 1893456000000
    ran = run(module, modern, **{**NEW, "state": "present", "start_at": "2031-01-01T00:00:00Z", "amount_groups": 1})
    assert [word for word in ran.warnings if "start_at" in word] == []
