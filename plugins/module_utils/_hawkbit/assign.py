# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(distribution_set_assign). Private to the collection."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._core.deployment import (
    ABORTED,
    ABSENT,
    FAILED,
    SUCCEEDED,
    Gate,
    Report,
    check_wait,
    count,
    deployment,
    overall_state,
    verdict,
)
from .._core.errors import FleetError, InvalidInput, NotFound, Unsupported
from .._core.follow import Deployment, Snapshot, follow
from .._core.plan import Change, Plan
from .._core.task import Task
from .assignment import Assignment, assignment, check_usable
from .client import PLATFORM, Hawkbit
from .fleet import Selection, resolve, shorten
from .maintenance import check_window


class AssignTask:
    """Plans, applies and reports the assignment of one distribution set."""

    hawkbit: Hawkbit
    selection: Selection
    assignment: Assignment
    distribution_set: dict[str, Any]

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.gate = Gate()
        self.wanted: list[str] = []
        self.skipped: frozenset[str] = frozenset()
        self.report: Report | None = None

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        params = self.params
        check_wait(params)
        self.gate = Gate.from_options(params)
        if (params["assignment_type"] == "timeforced") != (params["forcetime"] is not None):
            raise InvalidInput("forcetime and assignment_type=timeforced belong together: give both or neither.")
        if params["weight"] is not None and not 0 <= params["weight"] <= 1000:
            raise InvalidInput(f"weight is {params['weight']}: give a number from 0 to 1000.")
        if params["maintenance_window"] is not None:
            check_window(params["maintenance_window"])

    def plan(self, hawkbit: Hawkbit) -> None:
        """Find out who has the set and who is to get it.

        Raises:
            InvalidInput: an unknown or unusable set, an unknown device, more devices than C(fleet_limit).
            ThresholdExceeded: the gate is broken before anything is written, since devices failed earlier.
        """
        params = self.params
        self.hawkbit = hawkbit
        self.distribution_set = self._usable_set()
        self.selection = resolve(hawkbit, params["fleet"], params["on_unknown_device"])
        self.assignment = assignment(hawkbit, self.distribution_set["id"], self.selection.names)
        self.assignment.read()
        devices = self.assignment.devices
        self.skipped = frozenset(device.id for device in devices.values() if device.state == SUCCEEDED)
        again = {"never": (), "failed": (FAILED,), "always": (FAILED, SUCCEEDED)}[params["redeploy"]]
        if SUCCEEDED in again and self.skipped:
            raise Unsupported(
                f"redeploy is 'always', but hawkBit cannot give a set again to targets that have it "
                f"({shorten(sorted(self.skipped))}): use redeploy=failed, or a new version."
            )
        self.wanted = [device.id for device in devices.values() if device.state in (ABSENT, ABORTED, *again)]
        limit = params["fleet_limit"]
        if limit is not None and len(self.wanted) > limit:
            raise InvalidInput(
                f"fleet_limit is {limit}, but {len(self.wanted)} devices would get {self._name()}: raise the limit or "
                "select fewer devices."
            )
        self._judge_what_failed_before()

    def _judge_what_failed_before(self) -> None:
        wanted = frozenset(self.wanted)
        expected = [d for d in self.assignment.devices.values() if d.id not in wanted]
        counts = count(expected, self.skipped, len(self.selection.unknown))
        later = replace(counts, selected=counts.selected + len(wanted), pending=counts.pending + len(wanted))
        error = verdict(self.gate, later, self._subject()) if self._waits() else None
        if error is not None:
            if counts.failed:
                error.msg += " They failed earlier, and redeploy is 'never'."
            error.msg += " Nothing has been assigned now."
            raise self._report(self._snapshot(), "failed").fail(error)

    def _usable_set(self) -> dict[str, Any]:
        option = self.params["distribution_set"]
        found = self.hawkbit.distribution_sets.require(option["name"], option["version"], option["type"])
        check_usable(found)
        return found

    def apply(self) -> None:
        """Assign, then wait if that is wanted.

        Raises:
            NotFound: the server dropped devices that were there a moment ago.
            FleetError: what the wait raises, with the whole report.
        """
        try:
            self._assign_and_follow()
        except FleetError as error:
            if "deployment" not in error.result:
                snapshot = replace(self._snapshot(), silent=True)
                self._report(snapshot, overall_state(snapshot.counts, self.gate)).fail(error)
            # what was written before the fault counts as changed
            given = self.assignment.given
            error.result.update(changed=bool(given), assigned=given)
            raise

    def _waits(self) -> bool:
        return bool(self.params["wait"]) and self.params["wait_until"] != "created"

    def _assign_and_follow(self) -> None:
        if self.wanted:
            dropped = self.assignment.assign(self.wanted, self._body())
            if dropped:
                raise NotFound(
                    f"hawkBit dropped devices while they were assigned ({shorten(dropped)}): they were removed in "
                    "between. The others have been assigned; run the task again without these."
                )
        if self._waits():
            whole = Deployment(self._subject(), self._poll, self._report, self.assignment.cancel, self._attach())
            self.report = follow(self.task, whole, self.gate)

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        plan = Plan(update=[self._change(controller_id) for controller_id in self.wanted])
        report = self.report
        if report is None:
            snapshot = self._snapshot()
            planned = self.task.check_mode and plan.changed
            report = self._report(snapshot, "planned" if planned else overall_state(snapshot.counts, self.gate))
        return self.task.result(plan, assigned=self.wanted, **report.keys())

    def _change(self, controller_id: str) -> Change:
        after = {"distribution_set": self._name(), "assignment_type": self.params["assignment_type"]}
        # what the target has now would cost a request each
        return Change(controller_id, after=after)

    def _body(self) -> Mapping[str, Any]:
        params = self.params
        body = {
            "type": params["assignment_type"],
            "forcetime": params["forcetime"],
            # servers refuse what they do not know: only what was asked for is sent
            "weight": params["weight"],
            "maintenanceWindow": params["maintenance_window"],
        }
        return {name: value for name, value in body.items() if value is not None}

    def _poll(self) -> Snapshot:
        self.assignment.refresh()
        snapshot = self._snapshot()
        if self.params["wait_until"] == "online" and snapshot.counts.open:
            return Snapshot(snapshot.counts, failed=snapshot.failed, offline=self.assignment.offline())
        return snapshot

    def _snapshot(self) -> Snapshot:
        devices = self.assignment.devices.values()
        counts = count(devices, self.skipped, len(self.selection.unknown))
        return Snapshot(counts, failed=[device for device in devices if device.state == FAILED])

    def _report(self, snapshot: Snapshot, state: str) -> Report:
        found = self.distribution_set
        limit = self.params["result_limit"]
        failed = snapshot.failed
        if not snapshot.silent:
            failed = self.assignment.explain(failed[:limit]) + failed[limit:]
        ended = state in ("succeeded", "failed", "aborted", "timed_out") and self.params["wait"]
        return Report(
            deployment(
                PLATFORM,
                identifier=str(found["id"]),
                name=self._name(),
                state=state,
                native_state=None,
                software={**{key: found.get(key) for key in ("name", "version", "type")}, "id": str(found["id"])},
                finished=int(time.time() * 1000) if ended and not self.task.check_mode else None,
            ),
            snapshot.counts,
            failed=failed,
            skipped=sorted(self.skipped),
            unknown=self.selection.unknown,
            attach=self._attach(),
            limit=limit,
        )

    def _attach(self) -> dict[str, Any]:
        given = {name: value for name, value in self.params["fleet"].items() if value}
        option = {name: value for name, value in self.params["distribution_set"].items() if value}
        # else the unknown ones would be refused
        ignored = {"on_unknown_device": self.params["on_unknown_device"]} if self.selection.unknown else {}
        return {"distribution_set": option, "fleet": given, **ignored, "wait": True}

    def _name(self) -> str:
        return f"{self.distribution_set['name']}:{self.distribution_set['version']}"

    def _subject(self) -> str:
        return f"The assignment of {self._name()}"
