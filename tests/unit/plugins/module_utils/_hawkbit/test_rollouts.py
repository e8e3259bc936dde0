"""Rollouts of the server: reading them with few requests, steering them, percentages of both kinds."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import FAILED, Counts, Device
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    Conflict,
    InvalidInput,
    Rejected,
    Unsupported,
)
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollouts import counts_of, group_percentages
from ansible_collections.fleet.deploy.plugins.modules import hawkbit_rollout_info as info
from servers.scripted import Arrived

from .conftest import Client, MakeFake, Run
from .fake import FakeHawkbit, error

BODY = {"name": "r1", "distributionSetId": 1, "targetFilterQuery": "controllerid==d*", "amountGroups": 1}


@pytest.fixture
def started(fake: FakeHawkbit) -> FakeHawkbit:
    """A fake with a rollout of two groups under way; the first of its four targets has failed."""
    fake.add_targets("d1", "d2", "d3", "d4")
    set_id = fake.add_set()
    number = fake.add_rollout("r1", totalTargets=4, totalTargetsPerStatus={"running": 1, "error": 1, "scheduled": 2})
    fake.add_group(number, "canary", running=1, error=1, members=["d1", "d2"])
    fake.add_group(number, "rest", "scheduled", notstarted=2, members=["d3", "d4"])
    fake.assign(set_id, "d1", "d2", rollout=number)
    fake.report("d1", "error", "no space", code=28)
    fake.forget()
    return fake


# -- reading ---------------------------------------------------------------------------------------------------


def test_a_rollout_is_found_by_its_exact_name(started: FakeHawkbit, client: Client) -> None:
    started.add_rollout("R1")
    rollouts = client(started).rollouts
    found = rollouts.find("r1")
    assert found is not None
    assert found["id"] == 2
    assert found["totalTargetsPerStatus"] == {"running": 1, "error": 1, "scheduled": 2}
    assert rollouts.find("r2") is None


@pytest.mark.parametrize("fields", [{"status": "deleting"}, {"status": "deleted"}, {"deleted": True}])
def test_a_rollout_that_is_deleted_is_not_there(modern: FakeHawkbit, client: Client, fields: dict[str, Any]) -> None:
    number = modern.add_rollout("r1", **fields)
    rollouts = client(modern).rollouts
    assert rollouts.get(number) is None
    assert rollouts.find("r1") is None
    assert rollouts.get(99) is None


def test_groups_come_in_their_order_with_counts(started: FakeHawkbit, client: Client) -> None:
    groups = client(started).rollouts.groups(2)
    assert [(group["name"], group["totalTargetsPerStatus"]) for group in groups] == [
        ("canary", {"running": 1, "error": 1}),
        ("rest", {"notstarted": 2}),
    ]
    assert len(started.lines) == (3 if started.generation == "seed" else 1)


def test_a_list_of_groups_is_one_request(started: FakeHawkbit, client: Client) -> None:
    rollouts = client(started).rollouts
    groups = rollouts.listed_groups(2)
    assert [group["name"] for group in groups] == ["canary", "rest"]
    assert len(started.lines) == 1
    assert rollouts.counted(2, groups[0])["totalTargetsPerStatus"] == {"running": 1, "error": 1}
    assert len(started.lines) == (2 if started.generation == "seed" else 1)


def test_failed_devices_have_their_names_and_last_words(started: FakeHawkbit, client: Client) -> None:
    code = None if started.generation == "seed" else "28"
    assert client(started).rollouts.failed_devices({"id": 2}, 10) == [
        Device("d1", "Device d1", FAILED, "error", code, "no space", "error: no space")
    ]


def test_no_more_failed_devices_are_asked_about_than_wanted(started: FakeHawkbit, client: Client) -> None:
    ids = [f"x{index}" for index in range(30)]
    started.add_targets(*ids)
    for group in started.groups[2]:
        group["members"] = ids[:15] if group["name"] == "canary" else ids[15:]
    started.assign(1, *ids, rollout=2)
    for controller_id in ids:
        started.report(controller_id, "error", "no space")
    found = client(started).rollouts.failed_devices({"id": 2}, 5)
    assert len(found) == 5
    assert all(device.message == "no space" for device in found)
    assert len(started.lines) <= 5 * 2 + 5
    started.forget()
    assert client(started).rollouts.failed_devices({"id": 2}, 0) == []
    assert not [line for line in started.lines if "/status" in line]


def test_a_target_that_is_gone_is_named_by_its_id(make_fake: MakeFake, client: Client) -> None:
    fake = make_fake("modern")
    fake.add_targets("d1")
    number = fake.add_rollout("r1")
    fake.assign(fake.add_set(), "d1", rollout=number)
    fake.report("d1", "error", "no space")
    del fake.targets["d1"]
    assert client(fake).rollouts.failed_devices({"id": number}, 10)[0].name == "d1"


# -- counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entity, stopped, counts",
    [
        ({"totalTargets": 3, "totalTargetsPerStatus": {"notstarted": 3}}, False, Counts(3, pending=3)),
        (
            {
                "totalTargets": 15,
                "totalTargetsPerStatus": {
                    "notstarted": 1,
                    "scheduled": 2,
                    "running": 3,
                    "finished": 4,
                    "error": 5,
                    "cancelled": 0,
                },
            },
            False,
            Counts(15, pending=3, running=3, succeeded=4, failed=5),
        ),
        (
            {"totalTargets": 4, "status": "stopped", "totalTargetsPerStatus": {"cancelled": 1, "scheduled": 3}},
            False,
            Counts(4, aborted=4),
        ),
        (
            {"totalTargets": 4, "status": "finished", "totalTargetsPerStatus": {"finished": 3, "notstarted": 1}},
            False,
            Counts(4, succeeded=3, aborted=1),
        ),
        ({"totalTargets": 3, "totalTargetsPerStatus": {"notstarted": 3}}, True, Counts(3, aborted=3)),
        ({"totalTargets": 3}, False, Counts(3)),
        ({}, False, Counts()),
    ],
    ids=["fresh", "all kinds", "stopped", "finished, one removed", "group of a stopped one", "no counts", "nothing"],
)
def test_counts(entity: dict[str, Any], stopped: bool, counts: Counts) -> None:
    assert counts_of(entity, stopped) == counts


# -- percentages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted, of_all, of_the_rest",
    [
        ([None], [100], [100]),
        ([100], [100], [100]),
        ([10, None], [10, 100], [10, 100]),
        ([10, 90], [10, 100], [10, 100]),
        ([50, 50], [50, 100], [50, 100]),
        ([20, 40, None], [20, 40, 100], [20, 50, 100]),
        ([25, 25, 25, 25], [25, 25, 25, 100], [25, 100 / 3, 50, 100]),
        ([100 / 3, 100 / 3, 100 / 3], [100 / 3, 100 / 3, 100], [100 / 3, 50, 100]),
        ([0.5, None], [0.5, 100], [0.5, 100]),
    ],
)
def test_percentages_mean_all_targets_on_every_release(
    wanted: list[float | None], of_all: list[float], of_the_rest: list[float]
) -> None:
    groups = [(None, percentage) for percentage in wanted]
    assert group_percentages(groups, of_all=True) == pytest.approx(of_all)
    assert group_percentages(groups, of_all=False) == pytest.approx(of_the_rest)


def test_a_group_with_a_query_takes_all_that_it_matches() -> None:
    groups = [("tag==canary", None), (None, 50.0), (None, None)]
    assert group_percentages(groups, of_all=True) == [100.0, 50.0, 100.0]
    assert group_percentages(groups, of_all=False) == [100.0, 50.0, 100.0]
    assert group_percentages([("tag==a", 50.0), (None, None)], of_all=True) == [50.0, 100.0]


@pytest.mark.parametrize(
    "wanted", [[None, None], [10.0, None, 90.0], [0.0, 100.0], [101.0], [60.0, 50.0], [10.0, 20.0]]
)
@pytest.mark.parametrize("of_all", [True, False])
def test_percentages_that_do_not_make_up_the_whole_are_refused(wanted: list[float | None], of_all: bool) -> None:
    with pytest.raises(InvalidInput, match=r"^groups: "):
        group_percentages([(None, percentage) for percentage in wanted], of_all)


@pytest.mark.parametrize(
    "generation, configuration, answer",
    [
        ("modern", {}, True),
        ("seed", {}, False),
        ("legacy", {"implicit.lock.enabled": {}, "multi.assignments.enabled": {}}, True),
        ("legacy", {"multi.assignments.enabled": {}}, False),
    ],
)
def test_how_a_server_counts_percentages(
    make_fake: MakeFake, client: Client, generation: str, configuration: dict[str, Any], answer: bool
) -> None:
    fake = make_fake(generation)
    fake.configuration = configuration
    assert client(fake).rollouts.percentages_of_all() is answer


@pytest.mark.parametrize(
    "generation, configuration, answer",
    [
        ("modern", {}, True),
        ("legacy", {"implicit.lock.enabled": {}, "multi.assignments.enabled": {"value": False}}, True),
        ("legacy", {"multi.assignments.enabled": {"value": False}}, False),
        ("seed", {"multi.assignments.enabled": {"value": False}}, False),
        ("seed", {"multi.assignments.enabled": {"value": True}}, True),
        ("seed", {}, True),
    ],
)
def test_whether_a_server_takes_weights(
    make_fake: MakeFake, client: Client, generation: str, configuration: dict[str, Any], answer: bool
) -> None:
    fake = make_fake(generation)
    fake.configuration = configuration
    assert client(fake).rollouts.takes_weight() is answer


def test_how_a_server_counts_percentages_is_never_guessed(make_fake: MakeFake, client: Client) -> None:
    fake = make_fake("legacy")
    fake.configuration = {"default.ds.type": {"value": 1}}
    with pytest.raises(Unsupported, match="give the user READ_TENANT_CONFIGURATION"):
        client(fake).rollouts.percentages_of_all()


# -- writing ---------------------------------------------------------------------------------------------------


def test_creating(fake: FakeHawkbit, client: Client) -> None:
    fake.add_targets("d1", "d2", "x1")
    created = client(fake).rollouts.create(BODY)
    assert (created["name"], created["totalTargets"]) == ("r1", 2)
    assert fake.bodies("POST /rollouts") == [BODY]


def test_a_name_that_is_used_up(fake: FakeHawkbit, client: Client) -> None:
    fake.add_rollout("r1", status="deleted", deleted=True)
    with pytest.raises(Conflict) as caught:
        client(fake).rollouts.create(BODY)
    assert caught.value.msg.endswith(
        "The name 'r1' is used up, also by a rollout that was deleted: choose another one."
    )


@pytest.mark.parametrize(
    "verb, before, done",
    [
        ("create", None, "creating"),
        ("start", "ready", "starting"),
        ("start", "ready", "running"),
        ("start", "ready", "finished"),
        ("pause", "running", "paused"),
        ("resume", "paused", "running"),
        ("stop", "running", "stopping"),
        ("stop", "paused", "stopped"),
        ("approve", "waiting_for_approval", "ready"),
        ("deny", "waiting_for_approval", "approval_denied"),
        ("delete", "ready", "deleted"),
        ("describe", "ready", "ready"),
    ],
)
def test_a_broken_connection_writes_once(
    modern: FakeHawkbit, client: Client, verb: str, before: str | None, done: str
) -> None:
    """The server has acted, but its answer is lost: reading back finds it done."""
    modern.add_set()
    number = 0 if before is None else modern.add_rollout("r1", before, description="old")

    def act(request: Arrived) -> None:
        if request.method == "GET":
            return
        if before is None:
            modern.add_rollout("r1", done)
        else:
            modern.rollouts[number].update(status=done, **({"description": "new"} if verb == "describe" else {}))

    modern.on = act
    modern.refuse.append(("(POST|PUT|DELETE) .*", (504, None)))
    rollouts = client(modern).rollouts
    if verb == "create":
        assert rollouts.create(BODY)["name"] == "r1"
    elif verb == "describe":
        rollouts.describe(number, "new")
    else:
        getattr(rollouts, verb)(number)
    assert len(modern.writes) == 1


@pytest.mark.parametrize(
    "verb, before",
    [("start", "ready"), ("pause", "running"), ("resume", "paused"), ("approve", "waiting_for_approval")],
)
def test_a_verb_that_got_lost_is_sent_again(modern: FakeHawkbit, client: Client, verb: str, before: str) -> None:
    number = modern.add_rollout("r1", before)
    modern.refuse.append(("POST .*", (504, None)))
    posts = iter(range(9))
    modern.on = lambda request: modern.refuse.clear() if request.method == "POST" and next(posts) else None
    getattr(client(modern).rollouts, verb)(number)
    assert modern.writes == [f"POST /rollouts/{number}/{verb}"] * 2
    assert modern.rollouts[number]["status"] != before


def test_triggering_a_group_once(modern: FakeHawkbit, client: Client) -> None:
    """The answer is lost after the server has acted: a second request would begin one more group."""
    number = modern.add_rollout("r1")
    for name, status in (("a", "running"), ("b", "scheduled"), ("c", "scheduled")):
        modern.add_group(number, name, status)

    def act(request: Arrived) -> None:
        if request.method == "POST":
            modern.groups[number][1]["status"] = "running"

    modern.on = act
    modern.refuse.append(("POST .*", (504, None)))
    client(modern).rollouts.trigger(number)
    assert modern.writes == [f"POST /rollouts/{number}/triggerNextGroup"]
    assert client(modern).rollouts.begun_groups(number) == 2


def test_retrying_once(modern: FakeHawkbit, client: Client) -> None:
    number = modern.add_rollout("r1", "finished", totalTargetsPerStatus={"error": 2})
    modern.on = lambda request: (
        modern.add_rollout("r1_retry", "creating") and None if request.method == "POST" else None
    )
    modern.refuse.append(("POST .*", (504, None)))
    assert client(modern).rollouts.retry(modern.rollouts[number])["name"] == "r1_retry"
    assert modern.writes == [f"POST /rollouts/{number}/retry"]


def test_a_verb_in_the_wrong_state_is_an_error(fake: FakeHawkbit, client: Client) -> None:
    number = fake.add_rollout("r1", "creating")
    with pytest.raises(Rejected, match="current state is creating"):
        client(fake).rollouts.start(number)


def test_the_description_cannot_be_changed_everywhere(fake: FakeHawkbit, client: Client) -> None:
    number = fake.add_rollout("r1")
    rollouts = client(fake).rollouts
    if fake.generation == "seed":
        with pytest.raises(Unsupported, match="description of an existing rollout cannot be changed"):
            rollouts.describe(number, "new")
    else:
        rollouts.describe(number, "new")
        assert fake.rollouts[number]["description"] == "new"


def test_stopping(started: FakeHawkbit, client: Client) -> None:
    client(started).rollouts.stop(2)
    if started.generation == "modern":
        assert started.writes == ["POST /rollouts/2/stop"]
        assert started.rollouts[2]["status"] == "stopping"
    else:
        # no such verb: paused, and what is open is cancelled
        assert started.writes == ["POST /rollouts/2/stop", "POST /rollouts/2/pause", "DELETE /targets/d2/actions/2"]
        assert started.rollouts[2]["status"] == "paused"


def test_deleting_what_is_gone_is_no_error(modern: FakeHawkbit, client: Client) -> None:
    client(modern).rollouts.delete(99)


# -- the info module -------------------------------------------------------------------------------------------


def test_info_of_one(started: FakeHawkbit, run: Run) -> None:
    ran = run(info, started, name="r1", failed_devices=5)
    (rollout,) = ran.result["rollouts"]
    assert ran.result["changed"] is False
    assert (rollout["id"], rollout["status"], rollout["query"]) == ("2", "running", "controllerid==*")
    assert rollout["counts"]["failed"] == 1
    assert [(group["name"], group["counts"]["selected"]) for group in rollout["groups"]] == [("canary", 2), ("rest", 2)]
    assert [device["name"] for device in rollout["failed_devices"]] == ["Device d1"]
    assert run(info, started, name="nope").result["rollouts"] == []


def test_info_of_all_costs_two_requests_each_at_most(started: FakeHawkbit, run: Run) -> None:
    for index in range(5):
        started.add_rollout(f"x{index}", "ready", totalTargetsPerStatus={"notstarted": 1})
    started.forget()
    ran = run(info, started)
    assert [rollout["name"] for rollout in ran.result["rollouts"]] == ["r1", "x0", "x1", "x2", "x3", "x4"]
    assert ran.result["rollouts"][1]["counts"]["pending"] == 1
    # 0.3.0M7 has counts only in the single rollout and the single group
    assert len(started.lines) <= (1 + 6 + 6 + 2 if started.generation == "seed" else 1 + 6)
    assert [r["name"] for r in run(info, started, query="name==x*", limit=2).result["rollouts"]] == ["x0", "x1"]


def test_info_with_a_query_that_the_server_cannot_use(started: FakeHawkbit, run: Run) -> None:
    ran = run(info, started, query="name==")
    assert isinstance(ran.error, InvalidInput)
    assert ran.result["msg"].startswith("query is 'name==', which hawkBit refuses (The query cannot be parsed)")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"limit": 0}, "limit is 0: give 1 or more."),
        ({"failed_devices": -1}, "failed_devices is -1: give 0 or more."),
    ],
)
def test_info_refuses_impossible_options(started: FakeHawkbit, run: Run, given: dict[str, Any], message: str) -> None:
    assert run(info, started, **given).result["msg"] == message


def test_info_survives_a_history_that_cannot_be_read(started: FakeHawkbit, run: Run) -> None:
    started.refuse.append((".*/status.*", (404, error("repo.entityNotFound", "gone"))))
    (rollout,) = run(info, started, name="r1", failed_devices=5).result["rollouts"]
    assert [(device["id"], device["message"]) for device in rollout["failed_devices"]] == [("d1", None)]


def test_info_leaves_out_what_is_deleted_meanwhile(started: FakeHawkbit, run: Run) -> None:
    number = started.add_rollout("x", "ready", totalTargetsPerStatus={"notstarted": 1})
    started.refuse.append((f".*/rollouts/{number}/deploygroups.*", (404, error("repo.entityNotFound", "gone"))))
    assert [rollout["name"] for rollout in run(info, started).result["rollouts"]] == ["r1"]


def test_info_says_when_there_are_more(fake: FakeHawkbit, run: Run) -> None:
    for index in range(3):
        fake.add_rollout(f"x{index}", "ready", totalTargetsPerStatus={"notstarted": 1})
    cut = run(info, fake, limit=2)
    assert ([rollout["name"] for rollout in cut.result["rollouts"]], cut.result["total"]) == (["x0", "x1"], 3)
    assert cut.warnings == ["There are 3 rollouts, of which the first 2 are returned: raise limit."]
    for limit in (3, 4):
        whole = run(info, fake, limit=limit)
        assert (len(whole.result["rollouts"]), whole.result["total"], whole.warnings) == (3, 3, [])
    assert run(info, fake, name="x1", limit=1).result["total"] == 1
