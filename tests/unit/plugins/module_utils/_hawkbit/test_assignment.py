"""Who has a set, who is on the way: the first look, assigning, looking again only when something has moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import (
    ABORTED,
    ABSENT,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    UNKNOWN,
    Device,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError, Rejected
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit import assignment as module
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.assignment import (
    Assignment,
    ByActions,
    ByTargets,
    assignment,
)
from servers.scripted import Arrived

from .conftest import Client
from .fake import FakeHawkbit, error

OPTIONS = {"type": "forced"}
Look = Callable[..., Assignment]


@pytest.fixture
def look(client: Client) -> Look:
    """Return a function that looks at the set 1 on targets (all by default) for the first time."""

    def make(fake: FakeHawkbit, *ids: str) -> Assignment:
        names = {controller_id: f"Device {controller_id}" for controller_id in ids or fake.targets}
        found = assignment(client(fake), 1, names)
        found.read()
        fake.forget()
        return found

    return make


def states(found: Assignment) -> dict[str, str]:
    """Return the states by id."""
    return {controller_id: device.state for controller_id, device in found.devices.items()}


def asked(fake: FakeHawkbit) -> list[str]:
    """Return what was asked for since the last look, without counts; then forget it."""
    lines = [line for line in fake.lines if "limit=1&" not in line and not line.endswith("limit=1")]
    fake.forget()
    return lines


def test_each_generation_has_its_way(fake: FakeHawkbit, look: Look) -> None:
    fake.add_targets("d1")
    fake.add_set()
    assert isinstance(look(fake), ByTargets if fake.generation == "seed" else ByActions)


# -- the first look --------------------------------------------------------------------------------------------


def test_first_look(fake: FakeHawkbit, look: Look) -> None:
    """Everything that can have happened to a target before."""
    ids = ["never", "open", "asked", "done", "done-late", "failed", "failed-late", "cancelled", "canceling", "replaced"]
    ids += ["done-other", "failed-other", "replaced-open", "failed-other-failed"]
    fake.add_targets(*ids)
    ours, other = fake.add_set(), fake.add_set(version="2")
    fake.assign(ours, *ids[1:])
    fake.report("asked", "retrieved", None)
    for controller_id in ("done", "done-late", "done-other"):
        fake.report(controller_id, "finished", "done")
    for controller_id in ("failed", "failed-late", "failed-other", "failed-other-failed"):
        fake.report(controller_id, "error", "no space")
    fake.ask_late("done-late")
    fake.ask_late("failed-late")
    for controller_id in ("cancelled", "canceling"):
        fake.actions[ids.index(controller_id) - 1].type = "cancel"
        fake.report(controller_id, "canceling")
    fake.report("cancelled", "canceled")
    fake.assign(other, "replaced", "replaced-open", "done-other", "failed-other", "failed-other-failed")
    fake.report("failed-other", "finished", "done")
    fake.report("failed-other-failed", "error", "again")
    next(a for a in fake.actions if a.controller_id == "replaced").status = "canceled"
    next(a for a in fake.actions if a.controller_id == "replaced").active = False
    found = states(look(fake))
    # 0.3.0M7 does not tell whether a device has asked, nor that it was ours before this run
    seed = fake.generation == "seed"
    assert found == {
        "never": ABSENT,
        "open": PENDING,
        "asked": PENDING if seed else RUNNING,
        "done": SUCCEEDED,
        "done-late": SUCCEEDED,
        "failed": FAILED,
        "failed-late": FAILED,
        "cancelled": ABSENT if seed else ABORTED,
        "canceling": PENDING if seed else RUNNING,
        "replaced": ABSENT if seed else ABORTED,
        "done-other": ABSENT,
        "failed-other": ABSENT,
        "replaced-open": ABSENT,
        "failed-other-failed": ABSENT,
    }


def test_a_target_of_which_no_action_is_left_has_the_set(modern: FakeHawkbit, look: Look) -> None:
    """Servers may clean old actions up."""
    modern.add_targets("d1")
    modern.assign(modern.add_set(), "d1")
    modern.report("d1", "finished")
    modern.actions.clear()
    assert states(look(modern)) == {"d1": SUCCEEDED}


def test_a_later_group_of_a_rollout_is_on_its_way(make_fake: Any, look: Look) -> None:
    for generation in ("legacy", "modern"):
        fake = make_fake(generation)
        fake.add_targets("d1")
        fake.assign(fake.add_set(), "d1", status="scheduled", active=False)
        fake.assigned.clear()
        assert states(look(fake)) == {"d1": PENDING}


def test_only_selected_targets_are_looked_at(fake: FakeHawkbit, look: Look) -> None:
    fake.add_targets("d1", "d2", "D1")
    fake.assign(fake.add_set(), "d1", "d2", "D1")
    assert states(look(fake, "d1")) == {"d1": PENDING}


def test_names_and_codes_of_devices(modern: FakeHawkbit, look: Look) -> None:
    modern.add_targets("d1")
    modern.assign(modern.add_set(), "d1")
    modern.report("d1", "error", "no space", code=28)
    assert look(modern).devices == {"d1": Device("d1", "Device d1", FAILED, "error", "28")}


def test_a_few_targets_cost_the_same_whatever_else_has_the_set(fake: FakeHawkbit, client: Client) -> None:
    others = [f"x{index:04}" for index in range(1200)]
    fake.add_targets("d1", *others)
    fake.assign(fake.add_set(), "d1", *others)
    found = assignment(client(fake), 1, {"d1": "Device d1"})
    found.read()
    assert len(fake.lines) <= 5
    fake.forget()
    found.refresh()
    fake.report("x0001", "error", "not ours")
    fake.forget()
    found.refresh()
    assert asked(fake) == []
    assert states(found) == {"d1": PENDING}


# -- assigning -------------------------------------------------------------------------------------------------


def test_assigning_is_one_request(fake: FakeHawkbit, look: Look) -> None:
    fake.add_targets("d1", "d 2")
    fake.add_set()
    found = look(fake)
    options = {"type": "timeforced", "forcetime": 1795168061254, "weight": 7}
    assert found.assign(["d1", "d 2"], options) == []
    path = "POST /distributionsets/1/assignedTargets"
    assert fake.lines == [path]
    assert fake.bodies(path) == [[{"id": "d1", **options}, {"id": "d 2", **options}]]
    assert found.given == ["d1", "d 2"]
    assert states(found) == {"d1": PENDING, "d 2": PENDING}


def test_large_fleets_go_in_portions_all_of_which_are_followed(
    fake: FakeHawkbit, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASSIGN_CHUNK", 10)
    monkeypatch.setattr(module, "FEW", 5)
    ids = [f"d{index:02}" for index in range(25)]
    fake.add_targets(*ids)
    fake.add_set()
    found = look(fake)
    assert found.assign(ids, OPTIONS) == []
    bodies = fake.bodies("POST /distributionsets/1/assignedTargets")
    assert [[item["id"] for item in body] for body in bodies] == [ids[:10], ids[10:20], ids[20:]]
    for controller_id in ids:
        fake.report(controller_id, "finished")
    assert set(states_after(found).values()) == {SUCCEEDED}


def states_after(found: Assignment) -> dict[str, str]:
    """Look again and return the states."""
    found.refresh()
    return states(found)


def test_what_was_assigned_before_a_fault_is_known(
    fake: FakeHawkbit, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASSIGN_CHUNK", 2)
    fake.add_targets("d1", "d2", "d3", "d4")
    fake.add_set()
    found = look(fake)
    posts = iter(range(9))
    refusal = ("POST /distributionsets/1/assignedTargets", (400, error("x", "No more")))
    fake.on = lambda request: fake.refuse.append(refusal) if request.method == "POST" and next(posts) else None
    with pytest.raises(Rejected, match="No more"):
        found.assign(["d1", "d2", "d3", "d4"], OPTIONS)
    assert found.given == ["d1", "d2"]


def test_ids_that_the_server_drops_are_told(fake: FakeHawkbit, look: Look) -> None:
    fake.add_targets("d1", "d2", "d3")
    fake.add_set()
    found = look(fake)
    del fake.targets["d2"]
    assert found.assign(["d1", "d2", "d3"], OPTIONS) == ["d2"]
    assert found.given == ["d1", "d3"]
    assert states(found) == {"d1": PENDING, "d2": UNKNOWN, "d3": PENDING}


def test_a_broken_connection_assigns_once(fake: FakeHawkbit, look: Look) -> None:
    """The server has acted, but its answer is lost: reading back finds it done."""
    fake.add_targets("d1", "d2")
    fake.add_set()
    found = look(fake)
    path = "POST /distributionsets/1/assignedTargets"
    fake.refuse.append((path, (504, None)))

    def act(request: Arrived) -> None:
        if request.method == "POST":
            fake.assign(1, "d1", "d2")

    fake.on = act
    assert found.assign(["d1", "d2"], OPTIONS) == []
    assert fake.writes == [path]
    assert found.given == ["d1", "d2"]
    fake.report("d1", "finished")
    assert states_after(found) == {"d1": SUCCEEDED, "d2": PENDING}


def test_an_assignment_that_got_lost_is_sent_again(fake: FakeHawkbit, look: Look) -> None:
    fake.add_targets("d1")
    fake.add_set()
    found = look(fake)
    path = "POST /distributionsets/1/assignedTargets"
    fake.refuse.append((path, (504, None)))
    posts = iter(range(9))
    fake.on = lambda request: fake.refuse.clear() if request.method == "POST" and next(posts) else None
    assert found.assign(["d1"], OPTIONS) == []
    assert fake.writes == [path, path]
    assert len(fake.actions) == 1


def test_what_somebody_else_assigned_in_between_is_followed_too(fake: FakeHawkbit, look: Look) -> None:
    fake.add_targets("d1", "d2")
    fake.add_set()
    found = look(fake)
    fake.assign(1, "d1")
    assert found.assign(["d1", "d2"], OPTIONS) == []
    fake.report("d1", "finished")
    fake.report("d2", "finished")
    assert states_after(found) == {"d1": SUCCEEDED, "d2": SUCCEEDED}


# -- looking again ---------------------------------------------------------------------------------------------


@pytest.fixture
def assigned(fake: FakeHawkbit, look: Look) -> tuple[FakeHawkbit, Assignment]:
    """A fake that has just been told to assign its set to four targets, and that assignment."""
    fake.add_targets("d1", "d2", "d3", "d4")
    fake.add_set()
    found = look(fake)
    found.assign(["d1", "d2", "d3", "d4"], OPTIONS)
    found.refresh()
    fake.forget()
    return fake, found


def test_nothing_is_read_while_nothing_moves(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    for _poll in range(3):
        found.refresh()
    assert asked(fake) == []


def test_each_move_is_seen(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    seed = fake.generation == "seed"
    fake.report("d1", "retrieved", None)
    assert states_after(found)["d1"] == (PENDING if seed else RUNNING)
    fake.report("d1", "finished")
    assert states_after(found) == {"d1": SUCCEEDED, "d2": PENDING, "d3": PENDING, "d4": PENDING}
    fake.report("d2", "error", "no space")
    assert states_after(found)["d2"] == FAILED
    fake.actions[2].type = "cancel"
    fake.report("d3", "canceled")
    assert states_after(found)["d3"] == ABORTED
    fake.assign(fake.add_set(version="2"), "d4")
    next(a for a in fake.actions if a.controller_id == "d4").active = False
    next(a for a in fake.actions if a.controller_id == "d4").status = "canceled"
    assert states_after(found) == {"d1": SUCCEEDED, "d2": FAILED, "d3": ABORTED, "d4": ABORTED}


def test_a_target_that_is_removed_is_seen(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    remove(fake, "d2")
    assert states_after(found) == {"d1": PENDING, "d2": ABORTED, "d3": PENDING, "d4": PENDING}
    fake.forget()
    found.refresh()
    assert asked(fake) == []


def remove(fake: FakeHawkbit, controller_id: str) -> None:
    """Have a target removed, its actions with it."""
    del fake.targets[controller_id]
    fake.assigned.pop(controller_id, None)
    fake.actions = [action for action in fake.actions if action.controller_id != controller_id]


def test_an_update_that_is_cancelled_or_replaced_is_lost_though_the_device_has_not_heard(
    assigned: tuple[FakeHawkbit, Assignment],
) -> None:
    fake, found = assigned
    fake.assign(fake.add_set(version="2"), "d1")
    assert states_after(found) == {"d1": ABORTED, "d2": PENDING, "d3": PENDING, "d4": PENDING}
    fake.forget()
    found.refresh()
    assert asked(fake) == []
    if fake.generation == "seed":
        # that of a single one is in the target's actions only
        return
    fake.cancel_action("d2", "2", parameters={}, body=None)
    assert states_after(found)["d2"] == ABORTED
    # the device goes on with it
    fake.actions[1].type, fake.actions[1].status = "update", "running"
    assert states_after(found)["d2"] == PENDING


def test_a_target_that_only_slipped_from_one_page_to_the_other_is_not_lost(
    make_fake: Any, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when others are removed while the pages are read."""
    monkeypatch.setattr(module, "FEW", 5)
    for generation in ("legacy", "modern"):
        fake = make_fake(generation)
        ids = [f"d{index:03}" for index in range(600)]
        fake.add_targets(*ids)
        fake.add_set()
        found = look(fake)
        found.assign(ids, OPTIONS)
        found.refresh()
        fake.report("d000", "finished")

        def between_pages(request: Arrived, fake: FakeHawkbit = fake) -> None:
            if "offset=500" in request.target and "d599" in fake.targets:
                remove(fake, "d599")

        fake.on = between_pages
        gone = {name: state for name, state in states_after(found).items() if state not in (PENDING, SUCCEEDED)}
        # it was there when its page was read
        assert gone == {}
        assert states_after(found)["d599"] == ABORTED


@pytest.mark.parametrize("generation", ["seed", "legacy"])
def test_beside_each_other_removed_and_cancelled_ones_are_seen(make_fake: Any, client: Client, generation: str) -> None:
    fake = make_fake(generation)
    fake.configuration["multi.assignments.enabled"] = {"value": True}
    fake.add_targets("d1", "d2", "d3")
    fake.add_set()
    found = assignment(client(fake), 1, {one: one for one in ("d1", "d2", "d3")}, beside=True)
    found.read()
    found.assign(["d1", "d2", "d3"], OPTIONS)
    found.refresh()
    remove(fake, "d1")
    fake.cancel_action("d2", "2", parameters={}, body=None)
    fake.assign(fake.add_set(version="2"), "d3")
    assert states_after(found)["d1"] == ABORTED
    assert states_after(found)["d2"] == ABORTED
    assert states_after(found)["d3"] in (PENDING, RUNNING)


def test_a_fleet_that_takes_long_to_read_is_read_seldom_but_its_failures_and_its_end_at_once(
    assigned: tuple[FakeHawkbit, Assignment], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, found = assigned
    # each look counts as a long one, and the pause after it as endless
    monkeypatch.setattr(module, "LONG_LOOK", -1)
    monkeypatch.setattr(module, "PAUSE", 1e6)
    fake.report("d1", "finished")
    assert states_after(found)["d1"] == SUCCEEDED
    fake.report("d2", "finished")
    assert states_after(found)["d2"] == PENDING
    fake.report("d3", "error", "no space")
    assert states_after(found) == {"d1": SUCCEEDED, "d2": SUCCEEDED, "d3": FAILED, "d4": PENDING}
    fake.report("d4", "finished")
    assert states_after(found)["d4"] == SUCCEEDED


def test_the_end_of_the_last_device_is_seen_though_it_asks_once_more(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    for controller_id in ("d1", "d2", "d3", "d4"):
        fake.report(controller_id, "finished" if controller_id != "d4" else "error")
        fake.ask_late(controller_id)
    assert states_after(found) == {"d1": SUCCEEDED, "d2": SUCCEEDED, "d3": SUCCEEDED, "d4": FAILED}


def test_a_fault_while_reading_does_not_hide_what_has_moved(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    fake.report("d1", "finished")
    # the counts are answered, the lists are not
    fake.refuse.append((".*limit=500.*", (400, error("x", "No"))))
    with pytest.raises(FleetError):
        found.refresh()
    fake.refuse.clear()
    assert states_after(found)["d1"] == SUCCEEDED


def test_devices_that_failed_are_asked_about_once(make_fake: Any, look: Look) -> None:
    """0.3.0M7 tells only in a target's newest action which set has failed."""
    fake = make_fake("seed")
    fake.add_targets("d1", "d2", "d3")
    fake.add_set()
    found = look(fake)
    found.assign(["d1", "d2", "d3"], OPTIONS)
    fake.report("d1", "error", "no space")
    found.refresh()
    fake.forget()
    fake.report("d2", "finished")
    assert states_after(found) == {"d1": FAILED, "d2": SUCCEEDED, "d3": PENDING}
    assert not [line for line in fake.lines if "/targets/d1" in line]


def test_a_failure_with_another_set_is_not_ours(make_fake: Any, look: Look) -> None:
    fake = make_fake("seed")
    fake.add_targets("d1")
    fake.add_set()
    found = look(fake)
    found.assign(["d1"], OPTIONS)
    fake.assign(fake.add_set(version="2"), "d1")
    fake.report("d1", "error", "no space")
    assert states_after(found) == {"d1": ABORTED}


def test_a_failure_after_an_earlier_one_is_seen(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    """As with redeploy=failed."""
    fake, found = assigned
    fake.report("d1", "error", "no space")
    found.refresh()
    found.assign(["d1"], OPTIONS)
    assert states_after(found)["d1"] == PENDING
    fake.report("d1", "finished")
    assert states_after(found)["d1"] == SUCCEEDED


# -- devices that are off --------------------------------------------------------------------------------------


def test_devices_that_never_asked_or_are_overdue_are_off(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    assert len(found.off()) == 0
    fake.targets["d1"]["lastControllerRequestAt"] = None
    del fake.targets["d2"]["lastControllerRequestAt"]
    fake.report("d3", "finished")
    fake.targets["d3"]["lastControllerRequestAt"] = 1
    fake.targets["d4"]["lastControllerRequestAt"] = 1
    found.refresh()
    assert len(found.off()) == 3
    fake.targets["d4"]["lastControllerRequestAt"] = 9_000_000
    assert len(found.off()) == 2


def test_who_is_off_is_read_only_when_counts_have_changed(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    fake.targets["d1"]["lastControllerRequestAt"] = 1
    assert len(found.off()) == 1
    assert asked(fake) != []
    for _poll in range(3):
        assert len(found.off()) == 1
    assert asked(fake) == []


# -- reports and cancelling ------------------------------------------------------------------------------------


def test_failed_devices_get_their_last_words(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    fake.report("d1", "error", "no space")
    fake.report("d2", "error", "no power")
    found.refresh()
    explained = found.explain([found.devices["d2"], found.devices["d1"]])
    assert [(device.id, device.message, device.log) for device in explained] == [
        ("d2", "no power", "error: no power"),
        ("d1", "no space", "error: no space"),
    ]


def test_cancelling_takes_what_is_open_and_nothing_else(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    fake.report("d1", "finished")
    fake.report("d2", "error", "no space")
    fake.report("d3", "retrieved", None)
    found.cancel()
    assert sorted(fake.writes) == ["DELETE /targets/d3/actions/3", "DELETE /targets/d4/actions/4"]


def test_cancelling_leaves_other_sets_alone(assigned: tuple[FakeHawkbit, Assignment]) -> None:
    fake, found = assigned
    fake.assign(fake.add_set(version="2"), "d1")
    found.cancel()
    assert "DELETE /targets/d1/actions/5" not in fake.writes
    assert {"DELETE /targets/d2/actions/2", "DELETE /targets/d3/actions/3"} < set(fake.writes)
