"""target_action from its options to its result, on a fake of each generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput, Rejected, Unsupported
from ansible_collections.fleet.deploy.plugins.modules import target_action as module
from servers.scripted import Arrived, nobody_listens

from .conftest import MakeFake, Ran, Run
from .fake import FakeHawkbit, error

Act = Callable[..., Ran]
SET = {"name": "os", "version": "1"}
WAITS = "wait_for_confirmation"
LATER = 9_999_999_999_999


@pytest.fixture
def ready(fake: FakeHawkbit) -> FakeHawkbit:
    """Targets with an action each: forced, soft, by time, by a time that has come, a download, cancelled, over."""
    fake.add_targets("d1", "d2", "d3", "d4", "d5", "d6", "d7", "idle")
    fake.add_set()
    fake.assign(1, "d1")
    fake.assign(1, "d2", force_type="soft")
    fake.assign(1, "d3", force_type="timeforced", force_time=LATER)
    fake.assign(1, "d4", force_type="timeforced", force_time=1000)
    fake.assign(1, "d5", force_type="downloadonly")
    fake.assign(1, "d6", force_type="soft", type="cancel", status="canceling")
    fake.assign(1, "d7", force_type="soft")
    fake.report("d7", "finished")
    return fake


@pytest.fixture
def act(ready: FakeHawkbit, run: Run) -> Act:
    """Return a function that runs the module on it, for all targets unless told otherwise."""

    def call(action: str, **given: Any) -> Ran:
        where = {} if {"controller_id", "distribution_set"} & set(given) else {"fleet": {"all": True}}
        return run(module, ready, action=action, **{**where, **given})

    return call


def changed(ran: Ran) -> list[str]:
    """Return the targets of the actions in the result."""
    assert ran.error is None
    ids = sorted(item["controller_id"] for item in ran.result["actions"])
    assert ran.result["changed"] is bool(ids)
    return ids


# -- what each verb does ---------------------------------------------------------------------------------------


def test_force_switches_what_is_not_forced_yet(ready: FakeHawkbit, act: Act) -> None:
    planned = act("force", check_mode=True, diff_mode=True)
    assert (changed(planned), ready.writes) == (["d2", "d3"], [])
    assert planned.result["diff"] == {
        "before": {"d2/2": {"state": "soft"}, "d3/3": {"state": "timeforced"}},
        "after": {"d2/2": {"state": "forced"}, "d3/3": {"state": "forced"}},
    }
    ran = act("force", diff_mode=True)
    assert (changed(ran), ran.result["diff"]) == (["d2", "d3"], planned.result["diff"])
    assert sorted(ready.writes) == ["PUT /targets/d2/actions/2", "PUT /targets/d3/actions/3"]
    assert ready.bodies("PUT /targets/d2/actions/2") == [{"forceType": "forced"}]
    assert changed(act("force")) == []


def test_cancel_asks_what_has_not_been_asked(ready: FakeHawkbit, act: Act) -> None:
    ran = act("cancel", diff_mode=True)
    assert changed(ran) == ["d1", "d2", "d3", "d4", "d5"]
    before = "active" if ready.generation == "seed" else "running"
    assert ran.result["diff"]["before"]["d1/1"] == {"state": before}
    assert ran.result["diff"]["after"]["d1/1"] == {"state": "canceling"}
    assert len(ready.writes) == 5
    assert changed(act("cancel")) == []


def test_force_cancel_asks_first_and_then_ends(ready: FakeHawkbit, act: Act) -> None:
    assert changed(act("force_cancel")) == ["d1", "d2", "d3", "d4", "d5", "d6"]
    of_first = [line for line in ready.writes if "/d1/" in line]
    assert of_first == ["DELETE /targets/d1/actions/1", "DELETE /targets/d1/actions/1?force=true"]
    # it had been asked before
    assert [line for line in ready.writes if "/d6/" in line] == ["DELETE /targets/d6/actions/6?force=true"]
    assert [action.active for action in ready.actions] == [False] * 7
    assert changed(act("force_cancel")) == []


def test_attributes_are_asked_for_each_time(ready: FakeHawkbit, act: Act) -> None:
    for _time in range(2):
        ready.forget()
        ran = act("request_attributes", fleet={"ids": ["d1", "idle"]}, diff_mode=True)
        assert (ran.result["changed"], ran.result["targets"], ran.result["actions"]) == (True, ["d1", "idle"], [])
        assert ran.result["diff"]["after"]["idle"] == {"request_attributes": True}
        assert ready.bodies("PUT /targets/idle") == [{"requestAttributes": True}]
    ready.forget()
    assert act("request_attributes", controller_id="d1", check_mode=True).result["targets"] == ["d1"]
    assert ready.writes == []


# -- whom it is done to ----------------------------------------------------------------------------------------


def test_one_target_and_one_action(act: Act) -> None:
    assert act("cancel", controller_id="d2").result["actions"] == [{"id": "2", "controller_id": "d2"}]
    assert act("cancel", controller_id="d3", action_id=3).result["actions"] == [{"id": "3", "controller_id": "d3"}]
    # over already, and nothing there
    assert changed(act("cancel", controller_id="d7", action_id=7)) == []
    assert changed(act("force", controller_id="d7")) == []
    assert changed(act("cancel", controller_id="idle")) == []


@pytest.mark.parametrize("fleet", [{"ids": ["d1", "d2"]}, {"query": "controllerid=in=(d1,d2)"}, {"tag": "new"}])
def test_several_targets(ready: FakeHawkbit, act: Act, fleet: dict[str, Any]) -> None:
    ready.tags["new"] = ["d1", "d2"]
    assert changed(act("cancel", fleet=fleet)) == ["d1", "d2"]


def test_what_brings_a_set(ready: FakeHawkbit, act: Act) -> None:
    ready.assign(ready.add_set(version="2"), "d1", "idle")
    two = {"name": "os", "version": "2"}
    assert changed(act("cancel", distribution_set=two, controller_id="d1", check_mode=True)) == ["d1"]
    assert changed(act("cancel", distribution_set=two, fleet={"ids": ["idle", "d2"]}, check_mode=True)) == ["idle"]
    assert changed(act("cancel", distribution_set=two)) == ["d1", "idle"]
    # the first one of d1 is being cancelled since the second one was assigned
    assert changed(act("cancel", distribution_set=SET)) == ["d2", "d3", "d4", "d5"]


def test_unknown_ids_may_be_left_out(act: Act) -> None:
    fleet = {"ids": ["d1", "nope"]}
    assert isinstance(act("cancel", fleet=fleet).error, InvalidInput)
    assert changed(act("cancel", fleet=fleet, on_unknown_device="ignore")) == ["d1"]


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"action": "cancel", "code": 1},
            "code and details go with action=confirm and action=deny only: leave them out.",
        ),
        (
            {"action": "force", "details": ["x"]},
            "code and details go with action=confirm and action=deny only: leave them out.",
        ),
        (
            {"action": "request_attributes", "controller_id": None, "distribution_set": SET},
            "action=request_attributes wants targets: give controller_id or fleet.",
        ),
        (
            {"action": "request_attributes", "action_id": 7},
            (
                "action=request_attributes goes to targets, whatever they have to do: leave out action_id and "
                "distribution_set."
            ),
        ),
        ({"action": "cancel", "action_limit": -1}, "action_limit is -1: give 0 or more."),
    ],
)
def test_impossible_options_are_refused_without_asking_the_server(
    run: Run, given: dict[str, Any], message: str
) -> None:
    ran = run(module, nobody_listens(), **{"controller_id": "d1", **given})
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == message


@pytest.mark.parametrize("check_mode", [False, True])
def test_more_than_the_limit_is_refused(ready: FakeHawkbit, act: Act, check_mode: bool) -> None:
    ran = act("cancel", action_limit=4, check_mode=check_mode)
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"] == "action_limit is 4, but 5 would be changed: raise it or select fewer."
    assert ready.writes == []
    assert changed(act("cancel", action_limit=5, check_mode=check_mode))


def test_unknown_targets_and_actions_are_named(ready: FakeHawkbit, act: Act) -> None:
    messages = {
        "controller_id is 'nope', but hawkBit has no such target.": {"controller_id": "nope"},
        "controller_id is 'none', but hawkBit has no such target.": {"controller_id": "none", "action_id": 1},
        "action_id is 1, but target 'd2' has no such action: its newest are 2.": {
            "controller_id": "d2", "action_id": 1,
        },
        "action_id is 1, but target 'idle' has no such action: it has none.": {
            "controller_id": "idle", "action_id": 1,
        },
    }  # fmt: skip
    for message, given in messages.items():
        ran = act("cancel", **given)
        assert isinstance(ran.error, InvalidInput)
        assert ran.result["msg"] == message
    assert ready.writes == []


# -- faults ----------------------------------------------------------------------------------------------------


def test_what_has_moved_on_meanwhile_is_fine(ready: FakeHawkbit, act: Act) -> None:
    """A device comes to its end, a target is removed, somebody else is quicker."""

    def meanwhile(request: Arrived) -> None:
        if request.method == "DELETE" and ready.actions[0].active:
            ready.report("d1", "finished")
            ready.actions[1].type = "cancel"
            ready.actions.pop(2)

    ready.on = meanwhile
    assert act("cancel", fleet={"ids": ["d1", "d2", "d3"]}).error is None


def test_what_was_done_before_a_fault_counts_as_changed(ready: FakeHawkbit, act: Act) -> None:
    ready.refuse.append(("PUT /targets/d3/.*", (400, error("x", "No"))))
    ran = act("force")
    assert isinstance(ran.error, Rejected)
    assert ran.result["changed"] is True
    ready.refuse.append(("DELETE /targets/d1/.*", (400, error("x", "No"))))
    assert act("cancel", controller_id="d1").result["changed"] is False


@pytest.mark.parametrize(
    "verb, path, lost",
    [
        ("force", "PUT /targets/d2/actions/2", {"force_type": "forced"}),
        ("cancel", "DELETE /targets/d2/actions/2", {"type": "cancel", "status": "canceling"}),
    ],
)
@pytest.mark.parametrize("acted", [True, False])
def test_a_broken_connection_does_it_once(
    ready: FakeHawkbit, act: Act, verb: str, path: str, lost: dict[str, Any], acted: bool
) -> None:
    writes = iter(range(9))

    def answer_is_lost(request: Arrived) -> None:
        if request.method == "GET":
            return
        if acted:
            for name, value in lost.items():
                setattr(ready.actions[1], name, value)
        elif next(writes):
            ready.refuse.clear()

    ready.on = answer_is_lost
    ready.refuse.append((path, (504, None)))
    assert changed(act(verb, controller_id="d2")) == ["d2"]
    assert ready.writes == ([path] if acted else [path, path])


# -- confirming ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["legacy", "modern"])
def waiting(request: pytest.FixtureRequest, make_fake: MakeFake) -> FakeHawkbit:
    """A fake with two targets whose actions wait for confirmation, and one whose does not."""
    fake = make_fake(request.param)
    fake.add_targets("d1", "d2", "d3")
    fake.add_set()
    fake.assign(1, "d1", "d2", status=WAITS)
    fake.assign(1, "d3")
    for action in fake.actions:
        action.history.append((action.status, ["Assignment initiated"]))
    return fake


def test_confirming_lets_it_begin(waiting: FakeHawkbit, run: Run) -> None:
    options = {"action": "confirm", "distribution_set": SET, "code": 8, "details": ["go"]}
    planned = run(module, waiting, **options, check_mode=True, diff_mode=True)
    assert (changed(planned), waiting.writes) == (["d1", "d2"], [])
    assert planned.result["diff"]["before"]["d1/1"] == {"state": WAITS}
    assert planned.result["diff"]["after"]["d1/1"] == {"state": "running"}
    assert changed(run(module, waiting, **options)) == ["d1", "d2"]
    path = "PUT /targets/d1/actions/1/confirmation"
    assert waiting.bodies(path) == [{"confirmation": "confirmed", "code": 8, "details": ["go"]}]
    assert [action.status for action in waiting.actions] == ["running"] * 3
    assert changed(run(module, waiting, **options)) == []


def test_denying_is_done_once(waiting: FakeHawkbit, run: Run) -> None:
    waiting.actions[0].history.append((WAITS, ["the device does not want to"]))
    options = {"action": "deny", "fleet": {"all": True}}
    assert changed(run(module, waiting, **options)) == ["d2"]
    path = "PUT /targets/d2/actions/2/confirmation"
    assert waiting.bodies(path) == [{"confirmation": "denied", "details": []}]
    assert changed(run(module, waiting, **options)) == []
    assert changed(run(module, waiting, action="confirm", controller_id="d2", action_id=2)) == ["d2"]


@pytest.mark.parametrize("verb", ["confirm", "deny"])
def test_an_answer_that_is_lost_is_given_once(waiting: FakeHawkbit, run: Run, verb: str) -> None:
    path = "PUT /targets/d1/actions/1/confirmation"

    def answer_is_lost(request: Arrived) -> None:
        if request.method == "PUT":
            waiting.actions[0].status = "running" if verb == "confirm" else WAITS
            waiting.actions[0].history.append((waiting.actions[0].status, []))

    waiting.on = answer_is_lost
    waiting.refuse.append((path, (504, None)))
    assert changed(run(module, waiting, action=verb, controller_id="d1")) == ["d1"]
    assert waiting.writes == [path]


@pytest.mark.parametrize("refusal", [(404, None), (410, None)])
def test_what_does_not_wait_any_more_is_fine(waiting: FakeHawkbit, run: Run, refusal: tuple[int, Any]) -> None:
    waiting.refuse.append(("PUT .*", refusal))
    assert run(module, waiting, action="confirm", controller_id="d1").error is None


def test_old_servers_leave_it_to_the_devices(make_fake: MakeFake, run: Run) -> None:
    legacy = make_fake("legacy")
    legacy.add_targets("d1")
    legacy.assign(legacy.add_set(), "d1", status=WAITS)
    legacy.refuse.append(("PUT .*", (404, legacy.plain(404, "/targets/d1/actions/1/confirmation"))))
    ran = run(module, legacy, action="confirm", controller_id="d1")
    assert isinstance(ran.error, Unsupported)
    assert (ran.result["msg"], ran.result["changed"]) == (
        "This hawkBit leaves it to the devices to confirm or deny: that of others came with 0.8.", False,
    )  # fmt: skip
    seed = make_fake("seed")
    seed.add_targets("d1")
    ran = run(module, seed, action="deny", controller_id="d1")
    assert isinstance(ran.error, Unsupported)
    assert ran.result["msg"] == (
        "action is 'deny', but this hawkBit knows no confirmation: it came with 0.3.0M8, and to confirm or deny for "
        "devices with 0.8."
    )


def test_a_query_that_finds_nobody_any_more_is_warned_of(act: Act) -> None:
    ran = act("cancel", fleet={"query": "name==nobody"})
    assert changed(ran) == []
    assert ran.warnings == ["fleet.query is 'name==nobody', which selects no device: nothing is to be done."]


def test_an_id_that_cannot_be_asked_for_is_nobody(act: Act) -> None:
    ran = act("cancel", controller_id="a/b")
    assert ran.result["msg"] == "controller_id is 'a/b', but hawkBit has no such target."
