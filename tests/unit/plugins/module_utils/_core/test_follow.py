"""Following a deployment: ready, lost, out of time, stopped by others, devices switched off, a server gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import (
    FAILED,
    Counts,
    Device,
    Gate,
    Report,
    deployment,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AbortedElsewhere,
    AuthFailed,
    FleetError,
    Rejected,
    ThresholdExceeded,
    Unreachable,
    WaitTimeout,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.follow import Deployment, Snapshot, follow
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task

PARAMS: dict[str, Any] = {
    "wait_until": "all",
    "wait_timeout": 20,
    "wait_interval": 0.05,
    "on_failure": "fail",
    "on_timeout": "fail",
}
KEYS = {"deployment", "counts", "devices", "attach", "error", "http"}
ATTACH = {"name": "x", "wait": True}


class Platform:
    """A deployment that goes through the given snapshots; the last one stays."""

    def __init__(self, *snapshots: Snapshot | FleetError, stops: bool = True) -> None:
        self.snapshots: Iterator[Snapshot | FleetError] = iter(snapshots)
        self.now = Snapshot(Counts())
        self.polls = 0
        self.aborted = 0
        self.reports: list[tuple[Snapshot, str]] = []
        self.refuses: FleetError | None = None
        self.stops = stops

    def poll(self) -> Snapshot:
        self.polls += 1
        snapshot = next(self.snapshots, self.now)
        if isinstance(snapshot, FleetError):
            raise snapshot
        self.now = snapshot
        return snapshot

    def report(self, snapshot: Snapshot, state: str) -> Report:
        self.reports.append((snapshot, state))
        whole = deployment("test", identifier="1", name="x", state=state, native_state=None, software={})
        return Report(whole, snapshot.counts, failed=snapshot.failed, attach=ATTACH)

    def abort(self) -> None:
        self.aborted += 1
        if self.refuses:
            raise self.refuses
        if self.stops:
            counts = self.now.counts
            self.now = replace(
                self.now, counts=replace(counts, pending=0, running=0, aborted=counts.aborted + counts.open)
            )

    def follow(self, gate: Gate | None = None, task: Task | None = None, **params: Any) -> Report:
        task = task or Task({**PARAMS, **params})
        whole = Deployment("The rollout 'x'", self.poll, self.report, self.abort, ATTACH)
        return follow(task, whole, gate or Gate())

    def fail(self, gate: Gate | None = None, **params: Any) -> FleetError:
        """Follow it and return how that failed."""
        with pytest.raises(FleetError) as caught:
            self.follow(gate, **params)
        return caught.value


def at(**counts: int) -> Snapshot:
    """Return a snapshot of ten devices."""
    return Snapshot(Counts(selected=10, **counts))


def test_follows_to_the_end() -> None:
    platform = Platform(at(pending=10), at(running=4, succeeded=6), at(succeeded=10))
    report = platform.follow()
    assert (report.deployment["state"], report.counts.succeeded, platform.polls) == ("succeeded", 10, 3)
    assert platform.aborted == 0


def test_what_is_over_already_is_looked_at_once() -> None:
    platform = Platform(at(skipped=10))
    began = time.monotonic()
    assert platform.follow(wait_interval=60.0).deployment["state"] == "succeeded"
    assert (platform.polls, time.monotonic() - began < 5) == (1, True)


def test_quorum_ends_the_wait_with_devices_still_under_way() -> None:
    platform = Platform(at(pending=2, succeeded=8), at(pending=1, succeeded=9))
    report = platform.follow(Gate(min_success_percentage=90))
    assert (report.counts.pending, platform.polls) == (1, 2)


def test_failures_within_the_limit_are_no_failure() -> None:
    report = Platform(at(pending=1, succeeded=8, failed=1), at(succeeded=9, failed=1)).follow(Gate(max_failures=1))
    assert (report.deployment["state"], report.counts.failed) == ("succeeded", 1)


def test_a_broken_gate_ends_the_wait_at_once_and_carries_the_report() -> None:
    lost = Snapshot(Counts(10, pending=9, failed=1), failed=[Device("d1", "D", FAILED, "error")])
    platform = Platform(at(pending=10), lost)
    error = platform.fail(wait_interval=0.05)
    assert isinstance(error, ThresholdExceeded)
    assert error.msg == "The rollout 'x' has failed: only 9 of 10 devices can still succeed, 10 are needed."
    rendered = error.render()
    assert set(rendered) == KEYS | {"msg"}
    assert rendered["deployment"]["state"] == "failed"
    assert [device["id"] for device in rendered["devices"]["failed"]] == ["d1"]
    assert (platform.polls, platform.aborted) == (2, 0)


def test_on_failure_abort_cancels_and_reports_what_came_of_it() -> None:
    platform = Platform(at(pending=6, running=3, failed=1))
    error = platform.fail(on_failure="abort")
    assert isinstance(error, ThresholdExceeded)
    assert error.msg == (
        "The rollout 'x' has failed: only 9 of 10 devices can still succeed, 10 are needed. "
        "What was still open has been cancelled."
    )
    assert error.result["deployment"]["state"] == "aborted"
    assert (error.result["counts"]["aborted"], error.result["counts"]["failed"]) == (9, 1)
    assert platform.aborted == 1


def test_a_cancel_that_fails_hides_neither_the_reason_nor_the_report() -> None:
    platform = Platform(at(pending=9, failed=1))
    platform.refuses = Rejected("Cannot stop rollout: no. (HTTP 400)")
    error = platform.fail(on_failure="abort")
    assert isinstance(error, ThresholdExceeded)
    assert error.msg == (
        "The rollout 'x' has failed: only 9 of 10 devices can still succeed, 10 are needed. "
        "What is still open could not be cancelled: Cannot stop rollout: no. (HTTP 400)"
    )
    assert set(error.result) == KEYS
    assert error.result["deployment"]["state"] == "failed"


def test_a_server_that_goes_away_after_the_cancel_leaves_the_last_report() -> None:
    platform = Platform(at(pending=9, failed=1), Unreachable("Cannot read: gone."))
    error = platform.fail(on_failure="abort")
    assert isinstance(error, ThresholdExceeded)
    assert error.msg.endswith("What was still open has been cancelled.")
    assert (error.result["deployment"]["state"], error.result["counts"]["pending"]) == ("aborted", 9)
    assert platform.reports[-1][0].silent


def test_time_up_fails_with_the_last_state_and_how_to_go_on() -> None:
    platform = Platform(at(pending=9, succeeded=1))
    error = platform.fail(wait_timeout=0.1)
    assert isinstance(error, WaitTimeout)
    assert error.msg == (
        "Waited 0.1 seconds for the rollout 'x', which is not over yet: raise wait_timeout, or run the same task again "
        "to go on waiting."
    )
    assert set(error.result) == KEYS | {"last_state"}
    assert error.result["last_state"] == {"native_state": None, "summary": "1 of 10 have it, 9 pending"}
    assert error.result["attach"] == ATTACH
    assert error.result["deployment"]["state"] == "timed_out"
    assert platform.aborted == 0


def test_on_timeout_abort_cancels() -> None:
    platform = Platform(at(pending=9, succeeded=1))
    error = platform.fail(wait_timeout=0.1, on_timeout="abort")
    assert isinstance(error, WaitTimeout)
    assert error.msg.endswith("What was still open has been cancelled.")
    assert (error.result["deployment"]["state"], error.result["counts"]["aborted"]) == ("aborted", 9)
    assert platform.aborted == 1


def test_on_timeout_continue_warns_and_goes_on() -> None:
    warnings: list[str] = []
    platform = Platform(at(pending=9, succeeded=1))
    task = Task({**PARAMS, "wait_timeout": 0.1, "on_timeout": "continue"}, warn=warnings.append)
    report = platform.follow(task=task)
    assert report.deployment["state"] == "timed_out"
    assert warnings == ["The rollout 'x' was still under way after 0.1 seconds."]
    assert platform.aborted == 0


def test_on_timeout_does_not_forgive_a_failure() -> None:
    platform = Platform(at(pending=9, failed=1))
    assert isinstance(platform.fail(on_timeout="continue"), ThresholdExceeded)


def test_cancelled_by_somebody_else_is_told_apart_and_never_cancelled_again() -> None:
    platform = Platform(at(pending=10), at(pending=9, aborted=1))
    error = platform.fail(on_failure="abort")
    assert isinstance(error, AbortedElsewhere)
    assert (error.result["deployment"]["state"], platform.aborted) == ("aborted", 0)
    assert set(error.result) == KEYS


def test_the_platform_may_say_that_somebody_else_stopped_it() -> None:
    platform = Platform(replace(at(pending=10), aborted="was deleted by somebody else"))
    error = platform.fail(on_failure="abort")
    assert isinstance(error, AbortedElsewhere)
    assert error.msg == "The rollout 'x' was deleted by somebody else."
    assert set(error.result) == KEYS
    assert (error.result["deployment"]["state"], platform.aborted) == ("aborted", 0)


def test_the_platform_may_have_given_up() -> None:
    platform = Platform(replace(at(pending=9, failed=1), broken="it is paused"))
    error = platform.fail(Gate(default_percentage=0.0))
    assert isinstance(error, ThresholdExceeded)
    assert error.msg == "The rollout 'x' has failed: it is paused."


def test_the_platforms_word_that_it_goes_on_outweighs_the_devices() -> None:
    """All devices of the first group are done, later groups are not even counted yet."""
    platform = Platform(replace(at(succeeded=10), over=False), replace(at(succeeded=10), over=True))
    platform.follow(Gate(default_percentage=0.0))
    assert platform.polls == 2


def test_a_quorum_that_was_asked_for_ends_the_wait_before_the_platform_is_over() -> None:
    platform = Platform(replace(at(succeeded=5, pending=5), over=False))
    platform.follow(Gate(min_success_percentage=50))
    assert platform.polls == 1


# -- devices that are switched off -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts, offline, reachable",
    [
        (Counts(10, pending=4, running=2, succeeded=4), 0, Counts(10, pending=4, running=2, succeeded=4)),
        (Counts(10, pending=4, running=2, succeeded=4), 3, Counts(7, pending=1, running=2, succeeded=4)),
        (Counts(10, pending=4, running=2, succeeded=4), 5, Counts(5, pending=0, running=1, succeeded=4)),
        (Counts(10, pending=4, running=2, succeeded=4), 6, Counts(4, pending=0, running=0, succeeded=4)),
    ],
)
def test_devices_that_are_off_are_left_out(counts: Counts, offline: int, reachable: Counts) -> None:
    assert Snapshot(counts, offline=offline).reachable() == reachable


def test_online_is_content_when_only_devices_that_are_off_are_left() -> None:
    off = replace(at(pending=3, succeeded=7), offline=3)
    platform = Platform(replace(at(pending=4, succeeded=6), offline=3), off)
    report = platform.follow(wait_until="online")
    assert (report.counts.selected, report.counts.pending, platform.polls) == (10, 3, 2)


def test_all_waits_for_devices_that_are_off() -> None:
    platform = Platform(replace(at(pending=3, succeeded=7), offline=3))
    assert isinstance(platform.fail(wait_timeout=0.1), WaitTimeout)


def test_a_device_that_is_on_and_fails_breaks_the_gate_of_an_online_wait() -> None:
    platform = Platform(replace(at(pending=3, succeeded=6, failed=1), offline=3))
    error = platform.fail(wait_until="online")
    assert error.msg == "The rollout 'x' has failed: only 6 of 7 devices can still succeed, 7 are needed."


# -- a server that goes away -----------------------------------------------------------------------------------


def test_a_passing_fault_of_the_server_does_not_end_the_wait() -> None:
    fault = Unreachable("Cannot read: the connection broke.")
    platform = Platform(at(pending=10), fault, fault, at(succeeded=10))
    assert platform.follow().deployment["state"] == "succeeded"
    assert platform.polls == 4


def test_a_server_that_stays_away_leaves_the_last_report() -> None:
    gone = Unreachable("Cannot read: gone.", transient=False)
    platform = Platform(at(pending=9, succeeded=1), gone)
    error = platform.fail(on_failure="abort")
    assert error.msg == "Cannot read: gone."
    assert set(error.result) == KEYS | {"last_state"}
    assert (error.result["deployment"]["state"], error.result["counts"]["succeeded"]) == ("running", 1)
    assert (platform.reports[-1][0].silent, platform.aborted) == (True, 0)


def test_credentials_that_expire_leave_the_last_report() -> None:
    platform = Platform(at(pending=9, succeeded=1), AuthFailed("Cannot read: 401."))
    error = platform.fail()
    assert isinstance(error, AuthFailed)
    assert set(error.result) == KEYS
    assert error.result["counts"]["pending"] == 9


def test_a_server_that_never_answered_leaves_its_error_as_it_is() -> None:
    error = Platform(Unreachable("Cannot read: gone.", transient=False)).fail()
    assert set(error.result) == {"last_state", "attach"}
    assert error.result == {"last_state": None, "attach": ATTACH}


# -- progress --------------------------------------------------------------------------------------------------


def test_progress_is_told_when_something_has_moved() -> None:
    said: list[str] = []
    platform = Platform(at(pending=10), at(pending=10), at(pending=5, succeeded=5), at(succeeded=10))
    platform.follow(task=Task(PARAMS, progress=said.append))
    assert said == [
        "The rollout 'x': 0 of 10 have it, 10 pending",
        "The rollout 'x': 5 of 10 have it, 5 pending",
        "The rollout 'x': 10 of 10 have it",
    ]
