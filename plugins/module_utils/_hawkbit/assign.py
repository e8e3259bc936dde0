# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(distribution_set_assign). Private to the collection."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .._core.deployment import (
    ABORTED,
    ABSENT,
    FAILED,
    OPEN,
    SUCCEEDED,
    Device,
    Gate,
    Report,
    check_wait,
    count,
    deployment,
    overall_state,
    verdict,
)
from .._core.errors import AbortedElsewhere, FleetError, InvalidInput, NotFound, Unsupported, WaitTimeout
from .._core.follow import Deployment, Snapshot, follow
from .._core.plan import Change, Plan
from .._core.task import Task
from . import rsql
from .actions import WAITS_FOR_CONFIRMATION
from .api import MODERN, SEED
from .assignment import PENDING_QUERY, Assignment, Assignments, ServerCounts, assignment, by_actions, check_usable
from .client import PLATFORM, Hawkbit
from .fleet import Selection, resolve, said, shorten
from .maintenance import check_window
from .moment import milliseconds

IDENTITY = ("name", "version", "type")
# What says how a set is assigned, in the task or for one of several sets.
HOW = ("assignment_type", "forcetime", "weight", "maintenance_window", "confirmation_required")
SOFTWARE = ("id", *IDENTITY)


@dataclass
class Wanted:
    """One distribution set that is to be assigned: who it is, how it is assigned, what it is, and who lacks it."""

    option: Mapping[str, Any]
    how: dict[str, Any]
    found: Mapping[str, Any]
    targets: list[str]

    @property
    def name(self) -> str:
        """Name and version."""
        return f"{self.option['name']}:{self.option['version']}"

    @property
    def body(self) -> dict[str, Any]:
        """The fields of the request; servers refuse what they do not know, so only what was asked for is there."""
        fields = {
            "type": self.how["assignment_type"],
            "forcetime": self.how["forcetime"],
            "weight": self.how["weight"],
            "maintenanceWindow": self.how["maintenance_window"],
            "confirmationRequired": self.how["confirmation_required"],
        }
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def software(self) -> dict[str, Any]:
        """What the result says of the set."""
        return {**{key: self.found.get(key) for key in SOFTWARE}, "id": str(self.found["id"])}


class AssignTask:
    """Plans, applies and reports the assignment of distribution sets."""

    hawkbit: Hawkbit
    selection: Selection
    assignment: Assignments

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.gate = Gate()
        self.sets: list[Wanted] = []
        self.skipped: frozenset[str] = frozenset()
        self.planned_busy: list[str] = []
        self.report: Report | None = None

    @property
    def wanted(self) -> list[str]:
        """Ids of the targets that are to get something, in the order of the selection."""
        ids = {controller_id for one in self.sets for controller_id in one.targets}
        return [controller_id for controller_id in self.selection.names if controller_id in ids]

    @property
    def busy(self) -> list[str]:
        """Ids of the targets that an update under way keeps from having another one recorded."""
        return list(dict.fromkeys([*self.planned_busy, *self.assignment.busy]))

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        params = self.params
        check_wait(params)
        self.gate = Gate.from_options(params)
        if params["offline"]:
            self._check_offline()
        listed = params["distribution_sets"]
        if listed is not None and not listed:
            raise InvalidInput("distribution_sets is an empty list: give at least one set, or leave the task out.")
        for entry in listed or [params["distribution_set"]]:
            self.sets.append(Wanted({key: entry.get(key) for key in IDENTITY}, self._how(entry), {}, []))

    def _check_offline(self) -> None:
        params = self.params
        if params["wait"]:
            raise InvalidInput("wait=true does not go with offline=true, which is over at once: leave wait out.")
        said = [("", params)]
        said += [(f"distribution_sets, '{entry['name']}': ", entry) for entry in params["distribution_sets"] or []]
        for where, options in said:
            for name in HOW:
                if name != "weight" and options[name] not in (None, "forced"):
                    raise InvalidInput(
                        f"{where}{name} does not go with offline=true, which only records an update: leave it out."
                    )

    def _how(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return how a set is assigned: as its entry says, else as the task says."""
        params = self.params
        how = {name: params[name] if entry.get(name) is None else entry[name] for name in HOW}
        if entry.get("assignment_type") is not None:
            # the task's belongs to the task's type
            how["forcetime"] = entry["forcetime"]
        where = "" if params["distribution_sets"] is None else f"distribution_sets, '{entry['name']}': "
        if (how["assignment_type"] == "timeforced") != (how["forcetime"] is not None):
            raise InvalidInput(
                f"{where}forcetime and assignment_type=timeforced belong together: give both or neither."
            )
        if how["forcetime"] is not None:
            how["forcetime"] = milliseconds(f"{where}forcetime", how["forcetime"])
        if how["weight"] is not None and not 0 <= how["weight"] <= 1000:
            raise InvalidInput(f"{where}weight is {how['weight']}: give a number from 0 to 1000.")
        if how["maintenance_window"] is not None:
            check_window(how["maintenance_window"])
        return how

    def make_plan(self, hawkbit: Hawkbit) -> None:
        """Find out who has the sets and who is to get them.

        Raises:
            InvalidInput: an unknown or unusable set, an unknown device, more devices than C(fleet_limit).
            Unsupported: this server cannot do what is asked for.
            ThresholdExceeded: the gate is broken before anything is written, since devices failed earlier.
        """
        params = self.params
        self.hawkbit = hawkbit
        for one in self.sets:
            one.found = hawkbit.distribution_sets.require(*(one.option[key] for key in IDENTITY))
            check_usable(one.found)
        for first, second in itertools.combinations(self.sets, 2):
            if first.found["id"] == second.found["id"]:
                raise InvalidInput(f"distribution_sets names {first.name} twice: list each set once.")
        told = self._beside()
        beside = bool(told)
        self.selection = resolve(hawkbit, params["fleet"], params["on_unknown_device"])
        if not self.selection.names:
            self.task.warn(f"{said(params['fleet'])}, which selects no device: nothing is to be done.")
        parts = [self._part(one, beside) for one in self.sets]
        self.assignment = Assignments(hawkbit, parts)
        self.assignment.read()
        devices = self.assignment.devices
        self.skipped = frozenset(device.id for device in devices.values() if device.state == SUCCEEDED)
        only_downloaded = sorted(controller_id for part in parts for controller_id in part.only_downloaded())
        if only_downloaded:
            raise Unsupported(
                f"hawkBit cannot have {self._name()} installed on targets that were only to download it "
                f"({shorten(only_downloaded)}): assign them the set that they run with offline=true, and then this one "
                "again, or use a new version."
            )
        again = {"never": (), "failed": (FAILED,), "always": (FAILED, SUCCEEDED)}[params["redeploy"]]
        if SUCCEEDED in again and self.skipped and not beside:
            raise Unsupported(
                f"redeploy is 'always', but hawkBit cannot give a set again to targets that have it "
                f"({shorten(sorted(self.skipped))}): use redeploy=failed, or a new version."
            )
        if params["offline"]:
            again = (FAILED, *again)
        for one, part in zip(self.sets, parts):
            one.targets = [device.id for device in part.devices.values() if device.state in (ABSENT, ABORTED, *again)]
        if told is None:
            self._check_that_it_does_not_matter()
        if params["offline"]:
            self._leave_out_busy(devices, beside)
        self._check_what_is_wanted(beside)
        self._judge_what_failed_before()

    def _part(self, one: Wanted, beside: bool) -> Assignment:
        download = one.how["assignment_type"] == "downloadonly"
        return assignment(self.hawkbit, one.found["id"], self.selection.names, beside, download)

    def _beside(self) -> bool | None:
        """Tell whether the server assigns sets beside each other; None when the user may not know.

        Raises:
            Unsupported: several sets are to be assigned, but it does not.
        """
        modern = self.hawkbit.api.generation == MODERN
        on: bool | None = False if modern else self.hawkbit.system.features()["multi_assignments"]
        if len(self.sets) > 1 and not on:
            why = "multi-assignment is switched off: give one set, or set multi.assignments.enabled, which is for good."
            if modern:
                why = "multi-assignment was taken out of hawkBit in 0.10: give one set."
            elif on is None:
                why = (
                    "the user may not see whether multi-assignment is switched on: give one set, or let the user read "
                    "the tenant's configuration."
                )
            raise Unsupported(f"distribution_sets names {len(self.sets)} sets, but {why}")
        return on

    def _check_that_it_does_not_matter(self) -> None:
        """Refuse what would assign a set again at each run if sets were assigned beside each other.

        Raises:
            Unsupported: there is a target that has had the set, or is getting it, and was given another one since.
        """
        [one] = self.sets
        names = {controller_id: self.selection.names[controller_id] for controller_id in one.targets}
        had = by_actions(self.hawkbit, one.found["id"], names, beside=True).had() if names else []
        if had:
            raise Unsupported(
                f"The user may not see whether multi-assignment is switched on, which decides whether {one.name} must "
                f"be assigned again to targets that had it before another set ({shorten(sorted(had))}): let the user "
                "read the tenant's configuration."
            )

    def _leave_out_busy(self, devices: Mapping[str, Device], beside: bool) -> None:
        """Take those out that the server would leave out: an update is under way there."""
        if beside:
            # only the same set is in the way, and such targets have been left out
            parts = self.assignment.parts
            self.planned_busy = [i for i in devices if any(part.devices[i].state in OPEN for part in parts)]
            return
        busy = {device.id for device in devices.values() if device.state in OPEN}
        for portion in rsql.any_of("controllerid", self.wanted):
            pending = self.hawkbit.targets.search(rsql.both(PENDING_QUERY, portion))
            busy.update(target["controllerId"] for target in pending)
        for one in self.sets:
            one.targets = [controller_id for controller_id in one.targets if controller_id not in busy]
        self.planned_busy = [controller_id for controller_id in devices if controller_id in busy]

    def _check_what_is_wanted(self, beside: bool) -> None:
        params, wanted = self.params, self.wanted
        limit = params["fleet_limit"]
        if limit is not None and len(wanted) > limit:
            raise InvalidInput(
                f"fleet_limit is {limit}, but {len(wanted)} devices would get {self._name()}: raise the limit or "
                "select fewer devices."
            )
        generation = self.hawkbit.api.generation
        for one in self.sets:
            weight = one.how["weight"]
            if one.targets and beside and weight is None:
                raise InvalidInput(
                    f"weight of {one.name} is missing: multi-assignment is switched on, and its documentation demands "
                    "one; give a number from 0 to 1000."
                )
            if weight is not None and generation == SEED and not beside:
                raise Unsupported(
                    f"weight is {weight}, but this hawkBit takes one with multi-assignment only: leave it out."
                )
        self._check_confirmation()

    def _check_confirmation(self) -> None:
        asked = [one for one in self.sets if one.how["confirmation_required"] is not None]
        if not asked:
            return
        flow = self.hawkbit.system.features()["confirmation_flow"]
        for one in asked:
            if one.how["confirmation_required"] and flow is False:
                why = (
                    "this hawkBit has no confirmation, which came with 0.3.0M8: leave the option out"
                    if self.hawkbit.api.generation == SEED
                    else "the tenant's user.confirmation.flow.enabled is off: switch it on, or leave the option out"
                )
                raise Unsupported(f"confirmation_required is true, but {why}.")
            if flow is False:
                one.how["confirmation_required"] = None

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
            error.result.update(changed=bool(given), **self._written(given, self.assignment.server))
            raise

    def _waits(self) -> bool:
        return bool(self.params["wait"]) and self.params["wait_until"] != "created"

    def _assign_and_follow(self) -> None:
        if self.wanted:
            dropped = self.assignment.assign(
                [one.targets for one in self.sets], [one.body for one in self.sets], self.params["offline"]
            )
            if dropped:
                raise NotFound(
                    f"hawkBit dropped devices while they were assigned ({shorten(dropped)}): they were removed in "
                    "between. The others have been assigned; run the task again without these."
                )
        if self._waits():
            whole = Deployment(self._subject(), self._poll, self._report, self.assignment.cancel, self._attach())
            try:
                self.report = follow(self.task, whole, self.gate)
            except (AbortedElsewhere, WaitTimeout) as error:
                # not what the task has cancelled itself
                if isinstance(error, AbortedElsewhere) or self.params["on_timeout"] == "fail":
                    error.msg += self._lost()
                raise

    def _lost(self) -> str:
        """Return a sentence that names the devices that somebody else has taken away, if there are any."""
        lost = [device.id for device in self.assignment.devices.values() if device.state == ABORTED]
        if not lost:
            return ""
        return (
            f" It was cancelled or replaced by another set, or the device was removed ({shorten(lost)}): the same task "
            "run again would assign it to them once more."
        )

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        late = set(self.assignment.busy)
        wanted = [controller_id for controller_id in self.wanted if controller_id not in late]
        plan = Plan(update=[self._change(controller_id) for controller_id in wanted])
        if self.busy:
            what = "Nothing" if len(self.sets) == 1 else "Not every set"
            self.task.warn(
                f"{what} was recorded for devices on which an update is under way ({shorten(self.busy)}): run the "
                "task again when it is over."
            )
        report = self.report
        if report is None:
            snapshot = self._snapshot()
            planned = self.task.check_mode and plan.changed
            report = self._report(snapshot, "planned" if planned else overall_state(snapshot.counts, self.gate))
        return self.task.result(plan, **self._written(wanted, self.assignment.server), **report.keys())

    def _written(self, assigned: list[str], server: ServerCounts) -> dict[str, Any]:
        return {"assigned": assigned, "busy": self.busy, "server_counts": asdict(server)}

    def _change(self, controller_id: str) -> Change:
        # what the target has now would cost a request each
        how: dict[str, Any] = {"offline": True} if self.params["offline"] else {}
        if len(self.sets) == 1:
            one = self.sets[0]
            how = {"distribution_set": one.name, **{k: v for k, v in one.how.items() if v is not None}, **how}
        else:
            given = {one.name: one.how["assignment_type"] for one in self.sets if controller_id in one.targets}
            how = {"distribution_sets": given, **how}
        return Change(controller_id, after=how)

    def _poll(self) -> Snapshot:
        self.assignment.refresh()
        snapshot = self._snapshot()
        if self.params["wait_until"] == "online" and snapshot.counts.open:
            return replace(snapshot, offline=self.assignment.offline())
        return snapshot

    def _snapshot(self) -> Snapshot:
        devices = self.assignment.devices.values()
        counts = count(devices, self.skipped, len(self.selection.unknown))
        waiting = {device.native_state for device in devices if device.state in OPEN} == {WAITS_FOR_CONFIRMATION}
        failed = [device for device in devices if device.state == FAILED]
        return Snapshot(counts, native_state=WAITS_FOR_CONFIRMATION if waiting else None, failed=failed)

    def _report(self, snapshot: Snapshot, state: str) -> Report:
        limit = self.params["result_limit"]
        failed = snapshot.failed
        if not snapshot.silent:
            failed = self.assignment.explain(failed[:limit]) + failed[limit:]
        ended = state in ("succeeded", "failed", "aborted", "timed_out") and self.params["wait"]
        software = [one.software for one in self.sets]
        nothing: dict[str, Any] = dict.fromkeys(SOFTWARE)
        alone = software[0] if len(software) == 1 else {**nothing, "sets": software}
        # they do not have it, so they must not count towards the gate
        skipped = self.skipped.union(self.busy)
        devices = self.assignment.devices.values()
        counts = count(devices, skipped, len(self.selection.unknown)) if self.busy else snapshot.counts
        return Report(
            deployment(
                PLATFORM,
                identifier=alone["id"],
                name=self._name(),
                state=state,
                native_state=snapshot.native_state,
                software=alone,
                finished=int(time.time() * 1000) if ended and not self.task.check_mode else None,
            ),
            counts,
            failed=failed,
            skipped=sorted(skipped),
            unknown=self.selection.unknown,
            attach=self._attach(),
            limit=limit,
        )

    def _attach(self) -> dict[str, Any]:
        params = self.params
        if params["offline"]:
            # there is nothing to wait for
            return {}
        # as given: a device that came under the selection since is to get the set in the same way
        how = _given({name: params[name] for name in HOW})
        if params["assignment_type"] == "forced":
            del how["assignment_type"]
        fleet = {name: value for name, value in _given(params["fleet"]).items() if value}
        # else the unknown ones would be refused
        ignored = {"on_unknown_device": params["on_unknown_device"]} if self.selection.unknown else {}
        which = _given({name: params[name] for name in ("distribution_set", "distribution_sets")})
        return {**which, **how, "fleet": fleet, **ignored, "wait": True}

    def _name(self) -> str:
        return " and ".join(one.name for one in self.sets)

    def _subject(self) -> str:
        return f"The assignment of {self._name()}"


def _given(value: Any) -> Any:
    """Return options without those that were left out, in whatever depth."""
    if isinstance(value, Mapping):
        return {name: _given(one) for name, one in value.items() if one is not None}
    return [_given(one) for one in value] if isinstance(value, list) else value
