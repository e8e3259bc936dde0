"""Waiting: ready, failed, out of time, a server that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AuthFailed,
    BadAnswer,
    FleetError,
    ThresholdExceeded,
    Unreachable,
    WaitTimeout,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import reads
from ansible_collections.fleet.deploy.plugins.module_utils._core.waiter import TOLERATED_FAILURES, Waiter
from servers.scripted import ScriptedServer, answer, nobody_listens

from .conftest import Connect

STATE = reads("read the state", "GET", "/state")
ATTACH = {"rollout_id": 7}


def waiter(poll: Callable[[], dict[str, Any]], **options: Any) -> Waiter[dict[str, Any]]:
    """Return a waiter for `done` that gives up at `broken`."""
    settings: dict[str, Any] = {
        "ready": lambda state: state["state"] == "done",
        "failed": lambda state: ThresholdExceeded("It broke.") if state["state"] == "broken" else None,
        "describe": lambda state: {"seen": state["state"]},
        "timeout": 5.0,
        "interval": 0.05,
        "subject": "rollout 7",
        "attach": ATTACH,
    }
    return Waiter(poll, **{**settings, **options})


def script(*states: str | FleetError) -> Callable[[], dict[str, Any]]:
    """Return a poll that answers these one by one."""
    rest: Iterator[str | FleetError] = iter(states)

    def poll() -> dict[str, Any]:
        state = next(rest)
        if isinstance(state, FleetError):
            raise state
        return {"state": state}

    return poll


def test_waits_until_it_is_ready_on_a_real_connection(connect: Connect) -> None:
    states = [answer(json={"state": state}) for state in ("waiting", "waiting", "done")]
    seen: list[str] = []
    with ScriptedServer(*states) as server:
        transport = connect(server.url)
        state = waiter(
            lambda: transport.send(STATE, shape=dict).data, progress=lambda state: seen.append(state["state"])
        ).run()
        assert state == {"state": "done"}
        assert server.lines == ["GET /state"] * 3
        assert server.connections == 1
    assert seen == ["waiting", "waiting", "done"]


def test_ready_at_once_does_not_pause() -> None:
    began = time.monotonic()
    assert waiter(script("done"), interval=60, timeout=0).run() == {"state": "done"}
    assert time.monotonic() - began < 1


def test_failure_ends_the_wait_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(ThresholdExceeded, match=r"^It broke\.$"):
        waiter(script("waiting", "broken"), timeout=60).run()
    assert time.monotonic() - began < 1


def test_failed_is_looked_at_before_ready() -> None:
    with pytest.raises(ThresholdExceeded):
        waiter(script("broken"), ready=lambda state: True).run()


def test_timeout_carries_the_last_state_and_how_to_go_on() -> None:
    began = time.monotonic()
    with pytest.raises(WaitTimeout) as caught:
        waiter(lambda: {"state": "waiting"}, timeout=0.2).run()
    assert 0.2 <= time.monotonic() - began < 1
    assert caught.value.result == {"last_state": {"seen": "waiting"}, "attach": ATTACH}
    assert caught.value.msg.startswith("Waited 0.2 seconds for rollout 7, which is not over yet: raise wait_timeout, ")


def test_state_is_looked_at_once_more_when_time_is_up() -> None:
    polls: list[float] = []

    def poll() -> dict[str, Any]:
        polls.append(time.monotonic())
        return {"state": "done" if time.monotonic() - began >= 0.2 else "waiting"}

    began = time.monotonic()
    assert waiter(poll, timeout=0.2, interval=60).run() == {"state": "done"}
    assert len(polls) == 2, "the pause was cut short to the end of the time"


def test_negative_timeout_is_one_look() -> None:
    with pytest.raises(WaitTimeout):
        waiter(script("waiting"), timeout=-1).run()


@pytest.mark.parametrize("interval", [0, -5])
def test_there_is_always_a_pause(interval: float) -> None:
    polls: list[int] = []

    def poll() -> dict[str, Any]:
        polls.append(1)
        return {"state": "waiting"}

    with pytest.raises(WaitTimeout):
        waiter(poll, interval=interval, timeout=0.3).run()
    assert 3 <= len(polls) <= 8


def test_server_that_is_away_for_a_while_is_waited_for(connect: Connect) -> None:
    states = [answer(json={"state": "waiting"}), answer(503), answer(502), answer(json={"state": "done"})]
    with ScriptedServer(*states) as server:
        transport = connect(server.url, request_retries=0)
        assert waiter(lambda: transport.send(STATE, shape=dict).data).run() == {"state": "done"}
        assert server.left == 0


def test_failures_in_a_row_count_not_all_of_them() -> None:
    trouble: list[str | FleetError] = [Unreachable("away")] * TOLERATED_FAILURES
    state = waiter(script(*trouble, "waiting", *trouble, BadAnswer("odd"), "done"), interval=0).run
    with pytest.raises(BadAnswer):
        state()
    assert waiter(script(*trouble, "waiting", *trouble, "done"), interval=0).run() == {"state": "done"}


def test_too_many_failures_end_the_wait_with_the_last_state() -> None:
    trouble = [Unreachable("away")] * (TOLERATED_FAILURES + 1)
    with pytest.raises(Unreachable) as caught:
        waiter(script("waiting", *trouble), interval=0).run()
    assert caught.value.result == {"last_state": {"seen": "waiting"}, "attach": ATTACH}


def test_permanent_failure_ends_the_wait_at_once() -> None:
    with pytest.raises(Unreachable) as caught:
        waiter(script(Unreachable("not trusted", transient=False), "done")).run()
    assert caught.value.result == {"last_state": None, "attach": ATTACH}


def test_error_that_is_not_about_the_connection_is_not_held_back() -> None:
    with pytest.raises(AuthFailed):
        waiter(script(AuthFailed("no"), "done")).run()


def test_server_that_stays_away_does_not_get_a_second_chance_after_the_time_is_up(connect: Connect) -> None:
    transport = connect(nobody_listens(), request_retries=0)
    polls: list[float] = []

    def poll() -> Any:
        polls.append(time.monotonic())
        time.sleep(0.3)
        return transport.send(STATE, shape=dict).data

    with pytest.raises(Unreachable) as caught:
        waiter(poll, timeout=0.1).run()
    assert len(polls) == 1, "each poll has its own patience, which may be minutes"
    assert caught.value.result == {"last_state": None, "attach": ATTACH}


def test_wall_clock_may_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(WaitTimeout):
        waiter(lambda: {"state": "waiting"}, timeout=0.1).run()
