# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Following a deployment to its end, the same for all platforms. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .deployment import Counts, Device, Gate, Report, verdict
from .errors import AbortedElsewhere, FleetError, ThresholdExceeded, Unreachable, WaitTimeout
from .task import Task
from .waiter import Waiter


@dataclass(frozen=True)
class Snapshot:
    """A deployment at one moment.

    Args:
        counts: its devices by state.
        native_state: the platform's word for the whole, where it has one.
        failed: devices that failed, without what takes further requests to find out.
        offline: how many of the open devices are switched off; only filled in when it matters.
        over: the platform's word whether it is at its end; None where the devices decide.
        broken: why the platform itself has given up.
        aborted: what somebody else has done to it, for a sentence whose subject is the deployment.
        silent: whether the server has stopped answering: a report must make do with what is here.
    """

    counts: Counts
    native_state: str | None = None
    failed: list[Device] = field(default_factory=list)
    offline: int = 0
    over: bool | None = None
    broken: str | None = None
    aborted: str | None = None
    silent: bool = False

    def reachable(self) -> Counts:
        """Return the counts without the open devices that are switched off."""
        pending = max(0, self.counts.pending - self.offline)
        running = self.counts.running - (self.offline - (self.counts.pending - pending))
        return replace(
            self.counts, selected=self.counts.selected - self.offline, pending=pending, running=max(0, running)
        )


@dataclass(frozen=True)
class Deployment:
    """What the platform must be able to do for a wait.

    Args:
        subject: name for messages, with a capital first letter.
        poll: returns how it stands; cheap when nothing has moved.
        report: makes the result from a snapshot and one of the states of a deployment.
        abort: stops what is still open.
        attach: the options with which this wait can be taken up again.
    """

    subject: str
    poll: Callable[[], Snapshot]
    report: Callable[[Snapshot, str], Report]
    abort: Callable[[], None]
    attach: dict[str, Any]


def follow(task: Task, deployment: Deployment, gate: Gate) -> Report:
    """Wait until a deployment is good enough.

    Returns:
        The report of its last state; state C(timed_out) when C(on_timeout=continue).

    Raises:
        ThresholdExceeded: the gate is broken; AbortedElsewhere: somebody else stopped it; WaitTimeout: time is
            up. Each carries the whole report, and C(on_failure) or C(on_timeout) has been carried out.
        FleetError: what made polling impossible; with the report of what was seen last, if anything was.
    """
    params = task.params
    waits_for_all = params["wait_until"] == "all"
    last: list[Snapshot] = []
    said: list[str] = []

    def judged(snapshot: Snapshot) -> Counts:
        return snapshot.counts if waits_for_all else snapshot.reachable()

    def progress(snapshot: Snapshot) -> None:
        last[:] = [snapshot]
        sentence = snapshot.counts.sentence()
        if said != [sentence]:
            said[:] = [sentence]
            task.progress(f"{deployment.subject}: {sentence}")

    def ready(snapshot: Snapshot) -> bool:
        counts = judged(snapshot)
        return gate.content(counts) if snapshot.over is None else snapshot.over or gate.quorum(counts)

    def failed(snapshot: Snapshot) -> FleetError | None:
        if snapshot.aborted:
            return AbortedElsewhere(f"{deployment.subject} {snapshot.aborted}.")
        if snapshot.broken:
            return ThresholdExceeded(f"{deployment.subject} has failed: {snapshot.broken}.")
        return verdict(gate, judged(snapshot), deployment.subject)

    waiter = Waiter(
        deployment.poll,
        ready=ready,
        failed=failed,
        describe=lambda snapshot: {"native_state": snapshot.native_state, "summary": snapshot.counts.sentence()},
        timeout=params["wait_timeout"],
        interval=params["wait_interval"],
        subject=f"{deployment.subject[0].lower()}{deployment.subject[1:]}",
        attach=deployment.attach,
        progress=progress,
    )
    try:
        return deployment.report(waiter.run(), "succeeded")
    except (ThresholdExceeded, AbortedElsewhere, WaitTimeout) as error:
        return _ended(task, deployment, last[0] if last else None, error)
    except FleetError as error:
        if not last:
            raise
        raise deployment.report(replace(last[0], silent=True), "running").fail(error) from None


def _ended(task: Task, deployment: Deployment, last: Snapshot | None, error: FleetError) -> Report:
    """Do what was wanted for a wait that ended badly, and raise its error with the report."""
    params = task.params
    if last is None:
        raise error
    state = "failed"
    policy = params["on_failure"]
    if isinstance(error, WaitTimeout):
        state = "timed_out"
        policy = params["on_timeout"]
    elif isinstance(error, AbortedElsewhere):
        state, policy = "aborted", "fail"
    if policy == "continue":
        task.warn(f"{deployment.subject} was still under way after {params['wait_timeout']} seconds.")
        return deployment.report(last, state)
    if policy == "abort":
        state, last = _abort(deployment, last, error, state)
    raise deployment.report(last, state).fail(error) from None


def _abort(deployment: Deployment, last: Snapshot, error: FleetError, state: str) -> tuple[str, Snapshot]:
    """Cancel what is still open; return the state and how it stands then. A fault in here must not hide the error."""
    try:
        deployment.abort()
    except FleetError as fault:
        error.msg += f" What is still open could not be cancelled: {fault.msg}"
        return state, replace(last, silent=isinstance(fault, Unreachable))
    error.msg += " What was still open has been cancelled."
    try:
        return "aborted", deployment.poll()
    except FleetError:
        return "aborted", replace(last, silent=True)
