"""Actions of all generations read alike; their histories; cancelling them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import (
    ABORTED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    UNKNOWN,
    Device,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import Rejected, Unreachable
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.actions import Action, controller_of, normalise
from servers.scripted import ScriptedServer, answer, close_after, reset_after

from .conftest import Client
from .fake import FakeHawkbit, error

HREF = "http://h/rest/v1/targets/{}/actions/7"


def action(**fields: Any) -> dict[str, Any]:
    """Return an action of the API."""
    return {"id": 7, "type": "update", "_links": {"self": {"href": HREF.format("d1")}}, **fields}


# -- one form for all ------------------------------------------------------------------------------------------

# native state -> state while active, state once inactive
MEANINGS = {
    "scheduled": (PENDING, PENDING),
    "running": (PENDING, UNKNOWN),
    "wait_for_confirmation": (PENDING, UNKNOWN),
    "retrieved": (RUNNING, UNKNOWN),
    "download": (RUNNING, UNKNOWN),
    "downloaded": (RUNNING, UNKNOWN),
    "warning": (RUNNING, UNKNOWN),
    "canceling": (RUNNING, UNKNOWN),
    "cancel_rejected": (RUNNING, UNKNOWN),
    "finished": (RUNNING, SUCCEEDED),
    "error": (RUNNING, FAILED),
    "canceled": (RUNNING, ABORTED),
}


@pytest.mark.parametrize("native", MEANINGS)
@pytest.mark.parametrize("active", [True, False])
def test_modern_and_legacy_actions_mean_the_same(native: str, active: bool) -> None:
    modern = normalise(action(active=active, status=native))
    legacy = normalise(action(status="pending" if active else "finished", detailStatus=native))
    assert modern == legacy
    assert (modern.active, modern.native_state) == (active, native)
    assert modern.state == MEANINGS[native][0 if active else 1]


@pytest.mark.parametrize(
    "status, kind, active, state",
    [
        ("pending", "update", True, RUNNING),
        ("pending", "cancel", True, RUNNING),
        ("finished", "cancel", False, ABORTED),
        ("finished", "update", False, UNKNOWN),
    ],
)
def test_actions_of_the_seeds_release_leave_the_rest_to_the_history(
    status: str, kind: str, active: bool, state: str
) -> None:
    found = normalise(action(status=status, type=kind))
    assert (found.active, found.native_state, found.state) == (active, None, state)


def test_what_only_was_to_be_downloaded_has_succeeded_when_it_is() -> None:
    assert normalise(action(active=False, status="downloaded", forceType="downloadonly")).state == SUCCEEDED
    assert normalise(action(status="finished", detailStatus="downloaded", forceType="downloadonly")).state == SUCCEEDED
    assert normalise(action(active=False, status="downloaded", forceType="forced")).state == UNKNOWN
    assert normalise(action(active=True, status="downloaded", forceType="downloadonly")).state == RUNNING


def test_a_device_that_asks_once_more_after_the_end_leaves_the_state_open() -> None:
    assert normalise(action(active=False, status="retrieved")).state == UNKNOWN
    assert normalise(action(status="finished", detailStatus="retrieved")).state == UNKNOWN


def test_all_fields_of_an_action() -> None:
    raw = action(active=False, status="error", forceType="soft", createdAt=1795168061254, lastStatusCode=17)
    assert normalise(raw) == Action(7, "d1", False, "error", FAILED, "update", "soft", 1795168061254, 17)
    bare = normalise({"id": "7", "_links": action()["_links"]})
    assert bare == Action(7, "d1", False, None, UNKNOWN, "update", None, None, None)


@pytest.mark.parametrize(
    "address, controller_id",
    [
        ("d1", "d1"),
        ("a%20b", "a b"),
        ("%C3%A4%2C'%2A%3A", "ä,'*:"),
        ("a+b", "a+b"),
        ("100%25", "100%"),
        ("a%2Fb", "a/b"),
        ("%2Ftargets%2F", "/targets/"),
        ("targets", "targets"),
        ("actions", "actions"),
        ("v1", "v1"),
    ],
)
def test_the_controller_id_is_read_from_the_address(address: str, controller_id: str) -> None:
    assert controller_of(action(_links={"self": {"href": HREF.format(address)}})) == controller_id
    below = f"https://h/targets/actions/rest/v1/targets/{address}/actions/7"
    assert controller_of(action(_links={"self": {"href": below}})) == controller_id


# -- reading ---------------------------------------------------------------------------------------------------


@pytest.fixture
def started(fake: FakeHawkbit) -> FakeHawkbit:
    """A fake with a set assigned to three targets."""
    fake.add_targets("d1", "d 2", "d3")
    fake.assign(fake.add_set(), "d1", "d 2", "d3")
    return fake


def of(fake: FakeHawkbit, client: Client, controller_id: str) -> Action:
    """Return a target's newest action."""
    return next(client(fake).actions.of_target(controller_id))


def test_a_targets_actions_come_newest_first(started: FakeHawkbit, client: Client) -> None:
    started.assign(started.add_set(version="2"), "d 2")
    assert [found.id for found in client(started).actions.of_target("d 2")] == [4, 2]
    assert [found.id for found in client(started).actions.of_target("d 2", limit=1)] == [4]
    assert "GET /targets/d 2/actions?offset=0&limit=1&sort=id:DESC" in started.lines


def test_actions_of_all_targets(modern: FakeHawkbit, client: Client) -> None:
    modern.add_targets("d1", "d2")
    modern.assign(modern.add_set(), "d1", "d2")
    modern.report("d1", "error")
    actions = client(modern).actions
    assert [found.controller_id for found in actions.search("id=ge=1")] == ["d2", "d1"]
    assert [found.controller_id for found in actions.search("status==error")] == ["d1"]
    assert [found.controller_id for found in actions.search("id=ge=1", limit=1)] == ["d2"]
    assert actions.count("active==true") == 1


def test_the_set_of_an_action(started: FakeHawkbit, client: Client) -> None:
    assert client(started).actions.distribution_set_of(of(started, client, "d1")) == "1"
    gone = of(started, client, "d3")
    started.actions.clear()
    assert client(started).actions.distribution_set_of(gone) is None


def test_history_comes_newest_first_without_what_is_no_text(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "retrieved", None)
    started.report("d1", "download", "one", None, "two")
    started.actions[0].history.append(("warning", None))
    entries = client(started).actions.history(of(started, client, "d1"))
    assert [(entry["type"], entry["messages"]) for entry in entries] == [
        ("warning", []),
        ("download", ["one", "two"]),
        ("retrieved", []),
    ]


def test_history_is_the_devices_text_without_secrets_and_control_characters(
    started: FakeHawkbit, client: Client
) -> None:
    started.report("d1", "error", "\x1b[2Jlog in with a-long-password\n{{ 7*7 }}")
    (entry,) = client(started).actions.history(of(started, client, "d1"))
    assert entry["messages"] == ["\ufffd[2Jlog in with ********\n{{ 7*7 }}"]


# -- settling --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end, state", [("finished", SUCCEEDED), ("error", FAILED), ("canceled", ABORTED)])
def test_the_history_tells_the_end_that_a_late_question_hides(
    started: FakeHawkbit, client: Client, end: str, state: str
) -> None:
    started.report("d1", "retrieved", None)
    started.report("d1", end, "done")
    started.ask_late("d1")
    started.ask_late("d1")
    (settled,) = client(started).actions.settle([of(started, client, "d1")])
    assert (settled.state, settled.native_state, settled.active) == (state, end, False)


def test_the_end_is_found_below_a_hundred_late_questions(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "finished", "done")
    for _time in range(100):
        started.ask_late("d1")
    (settled,) = client(started).actions.settle([of(started, client, "d1")])
    assert settled.state == SUCCEEDED


def test_a_download_is_found_below_a_late_question(started: FakeHawkbit, client: Client) -> None:
    for found in started.actions:
        found.force_type = "downloadonly"
    started.report("d1", "downloaded", "done")
    started.actions[0].active = False
    started.ask_late("d1")
    (settled,) = client(started).actions.settle([of(started, client, "d1")])
    assert settled.state == SUCCEEDED


def test_only_what_is_unknown_costs_a_request_and_only_once(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "error", "no space")
    started.ask_late("d1")
    actions = client(started).actions
    found = [next(actions.of_target(controller_id)) for controller_id in ("d3", "d 2", "d1")]
    started.forget()
    for _poll in range(3):
        settled = list(actions.settle(found))
        assert [one.id for one in settled] == [3, 2, 1]
        assert settled[2].state == FAILED
    assert started.lines == ["GET /targets/d1/actions/1/status?offset=0&limit=500&sort=id:DESC"]


def test_what_the_history_does_not_tell_stays_unknown(make_fake: Any, client: Client) -> None:
    """A later group of a rollout in 0.3.0M7: finished, with an empty history."""
    fake = make_fake("seed")
    fake.add_targets("d1")
    fake.assign(fake.add_set(), "d1", active=False)
    (settled,) = client(fake).actions.settle([of(fake, client, "d1")])
    assert settled.state == UNKNOWN


# -- failures --------------------------------------------------------------------------------------------------


def test_a_failure_has_the_devices_last_words_and_its_log(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "retrieved", None)
    started.report("d1", "download", "half way")
    started.report("d1", "error", "no space", "giving up", code=28)
    started.ask_late("d1")
    message, log = client(started).actions.failure(of(started, client, "d1"))
    assert message == "no space; giving up"
    assert log == "download: half way\nerror: no space\nerror: giving up"


def test_a_failure_without_words(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "error", None)
    assert client(started).actions.failure(of(started, client, "d1")) == (None, None)


def test_explaining_keeps_the_order_and_what_is_known_already(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "error", "no space", code=28)
    started.report("d 2", "error", None)
    actions = client(started).actions
    known = {controller_id: next(actions.of_target(controller_id)) for controller_id in ("d1", "d 2")}
    devices = [
        Device("d 2", "Two", FAILED, message="before"),
        Device("d1", "One", FAILED),
        Device("d9", "Nine", FAILED),
    ]
    explained = actions.explain(devices, lambda device: known.get(device.id))
    code = None if started.generation == "seed" else "28"
    assert explained == [
        Device("d 2", "Two", FAILED, message="before"),
        Device("d1", "One", FAILED, None, code, "no space", "error: no space"),
        Device("d9", "Nine", FAILED),
    ]


def test_a_device_that_was_removed_meanwhile_stays_unexplained(started: FakeHawkbit, client: Client) -> None:
    started.report("d1", "error", "no space")
    started.report("d3", "error", "no power")
    actions = client(started).actions
    known = {controller_id: next(actions.of_target(controller_id)) for controller_id in ("d1", "d3")}
    started.actions[:] = started.actions[1:]
    explained = actions.explain([Device("d1", "One", FAILED), Device("d3", "Three", FAILED)], lambda d: known[d.id])
    assert [device.message for device in explained] == [None, "no power"]


def test_a_server_that_is_gone_is_not_asked_about_each_device(client: Client) -> None:
    with ScriptedServer(default=close_after()) as server:
        actions = client(server.url, request_retries=0).actions
        found = normalise(action(active=False, status="error"))
        devices = [Device(str(index), state=FAILED) for index in range(100)]
        assert actions.explain(devices, lambda device: found) == devices
        assert len(server.requests) < 20


# -- cancelling ------------------------------------------------------------------------------------------------


def test_cancelling_leaves_alone_what_is_cancelled_over_or_gone(started: FakeHawkbit, client: Client) -> None:
    started.report("d3", "finished", "done")
    actions = client(started).actions
    found = [next(actions.of_target(controller_id)) for controller_id in ("d1", "d 2", "d3")]
    started.actions[1].type = "cancel"
    actions.cancel([*found, normalise(action(active=True, status="running"))])
    assert sorted(started.writes) == [
        "DELETE /targets/d 2/actions/2",
        "DELETE /targets/d1/actions/1",
        "DELETE /targets/d1/actions/7",
        "DELETE /targets/d3/actions/3",
    ]
    assert [(one.type, one.status) for one in started.actions] == [
        ("cancel", "canceling"),
        ("cancel", "running"),
        ("update", "finished"),
    ]


def test_a_cancel_that_is_refused_is_an_error(client: Client) -> None:
    with ScriptedServer(default=answer(400, json=error("x", "No"))) as server, pytest.raises(Rejected, match="No"):
        client(server.url).actions.cancel([normalise(action(active=True, status="running"))])


@pytest.mark.parametrize(
    "found",
    [
        answer(json=action(type="cancel", active=True, status="canceling")),
        answer(json=action(type="cancel", status="pending")),
        answer(json=action(active=False, status="finished")),
        answer(404, json=error("repo.entityNotFound", "gone")),
    ],
    ids=["canceling", "canceling in 0.3.0M7", "over", "target gone"],
)
def test_a_broken_connection_cancels_once(client: Client, found: Any) -> None:
    with ScriptedServer(reset_after(), found) as server:
        client(server.url).actions.cancel([normalise(action(active=True, status="running"))])
        path = "/rest/v1/targets/d1/actions/7"
        assert server.lines == [f"DELETE {path}", f"GET {path}"]


def test_a_cancel_that_got_lost_is_sent_again(client: Client) -> None:
    running = answer(json=action(active=True, status="running"))
    with ScriptedServer(reset_after(), running, running, answer(204)) as server:
        client(server.url).actions.cancel([normalise(action(active=True, status="running"))])
        assert [line.split(" ")[0] for line in server.lines] == ["DELETE", "GET", "GET", "DELETE"]


def test_a_cancel_whose_fate_is_unknown_is_an_error(client: Client) -> None:
    with ScriptedServer(default=close_after()) as server, pytest.raises(Unreachable):
        client(server.url, request_retries=0).actions.cancel([normalise(action(active=True, status="running"))])
