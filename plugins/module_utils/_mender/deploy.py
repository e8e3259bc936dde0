# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(deployment). Private to the collection."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._core.deployment import (
    FAILED,
    Counts,
    Device,
    Gate,
    Report,
    check_wait,
    deployment,
    overall_state,
)
from .._core.errors import AbortedElsewhere, Conflict, FleetError, InvalidInput, ThresholdExceeded, Unsupported
from .._core.follow import Deployment, Snapshot, follow
from .._core.plan import Change, Plan
from .._core.task import Task
from . import paid
from .api import SEED
from .client import Mender
from .deployments import FINISHED, Deployments, embedded, for_devices, moment, too_many
from .fleet import FILTER_ID, GROUP, IDS, Target, resolve, shorten
from .options import PLATFORM

RUNNING = (
    "downloading",
    "pause_before_installing",
    "installing",
    "pause_before_rebooting",
    "rebooting",
    "pause_before_committing",
)
PAUSES = tuple(name for name in RUNNING if name.startswith("pause_"))
STOPPED = ("aborted", "decommissioned")
ENDS = ("success", "failure", "noartifact", "already-installed")
# The counters do not say that somebody has aborted a deployment: every so many looks it is read itself instead.
LOOKS = 10
# A deployment for up to so many devices that are listed one by one is small enough to be read at each look.
SMALL = 50
BODY_LIMIT = 1024 * 1024
STATES = {"scheduled": "scheduled", "pending": "waiting", "inprogress": "running"}
# What only says how, where a deployment is that the task names.
IDENTITY = ("name", "artifact_name", "fleet")


class DeployTask:
    """Plans, applies and reports one deployment."""

    mender: Mender

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.gate = Gate()
        self.target: Target | None = None
        self.fields: dict[str, Any] = {}
        self.body: dict[str, Any] = {}
        self.existing: dict[str, Any] | None = None
        self.found: dict[str, Any] | None = None
        self.to_abort: list[dict[str, Any]] = []
        self.outcome: dict[str, int] | None = None
        self.selected = 0
        self.counters: dict[str, int] = {}
        self.status: str | None = None
        self.created = False
        # whether this task has aborted something
        self.aborted = False
        self.report: Report | None = None
        self._looks = 0
        self._look_closer = False

    @property
    def name(self) -> str:
        """Name of the deployment."""
        params = self.params
        if self.found is not None:
            return str(self.found.get("name"))
        return str(params["name"] or params["artifact_name"] or params["id"])

    @property
    def failures(self) -> tuple[str, ...]:
        """Mender's words for devices that count as failed."""
        words = {"noartifact": "noartifact", "already_installed": "already-installed"}
        return ("failure", *(word for option, word in words.items() if self.params[option] == "failed"))

    @property
    def aborts(self) -> bool:
        """Whether the task is to abort."""
        return bool(self.params["state"] == "aborted")

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
            Unsupported: what Mender cannot do.
        """
        params = self.params
        check_wait(params)
        self.gate = Gate.from_options(params)
        if params["id"] is not None:
            for option in IDENTITY:
                if params[option] is not None:
                    raise InvalidInput(
                        f"{option} does not go with id, which says which deployment is meant: leave one of them out."
                    )
        elif self.aborts:
            if params["name"] is None and params["artifact_name"] is None:
                raise InvalidInput("state is 'aborted': say in id, or in name, which deployment is to be aborted.")
        else:
            for option in ("artifact_name", "fleet"):
                if not params[option]:
                    raise InvalidInput(f"{option} is missing: a deployment needs an artifact and a fleet.")
        if params["wait"] and params["wait_until"] == "online":
            raise Unsupported(
                "wait_until is 'online', but Mender does not tell which devices are switched on: use "
                "min_success_percentage to be content with a part of them."
            )
        if len(str(params["name"] or params["artifact_name"] or "x")) > 256:
            raise InvalidInput("name has more than 256 characters: shorten it.")
        if params["name"] == "" or params["artifact_name"] == "":
            option = "name" if params["name"] == "" else "artifact_name"
            raise InvalidInput(f"{option} is empty: fill it in.")
        self.fields = paid.body(params)

    # -- plan --------------------------------------------------------------------------------------------------

    def make_plan(self, mender: Mender) -> None:
        """Find out what there is and what is to be done.

        Raises:
            InvalidInput: an unknown artifact, device or deployment, more devices than C(fleet_limit).
            Unsupported: this server cannot do what is asked for.
        """
        self.mender = mender
        params = self.params
        if params["id"] is not None:
            found = mender.deployments.require(params["id"])
            if self.aborts:
                self.to_abort = [found] if found.get("status") != FINISHED else []
            self._take(found)
            return
        if self.aborts:
            self._plan_abort()
            return
        self._guard()
        target = self.target = self._resolve()
        name = params["name"] or params["artifact_name"]
        self.body = {"name": name, "artifact_name": params["artifact_name"], **self.fields}
        if params["force_installation"]:
            self.body["force_installation"] = True
        self.existing = self._existing(target, name)
        if self.existing is not None and not self._again(self.existing):
            self._take(self.existing)
            self._compare(self.existing)
            return
        if target.count or target.kind == FILTER_ID:
            self._check_what_is_wanted(target)
        else:
            self.task.warn("fleet selects no device: nothing is to be done.")
        self.selected = target.count

    def _existing(self, target: Target, name: str) -> dict[str, Any] | None:
        if not target.count and target.kind == IDS:
            return None
        # with redeploy=always what has finished does not matter, but a look back after a broken connection must know it
        return self.mender.deployments.find(name, self.params["artifact_name"], target)

    def _compare(self, existing: Mapping[str, Any]) -> None:
        """Say it when the deployment that is under way is not all that is asked for."""
        if existing.get("status") == FINISHED:
            return
        lost = paid.dropped(self.fields, existing)
        if lost is None and self.params["force_installation"] and not existing.get("force_installation"):
            lost = "force_installation"
        if lost is not None:
            self.task.warn(
                f"The deployment '{self.name}' is under way without the {lost} of this task, which is not added: abort "
                "it first, or choose another name."
            )

    @property
    def creates(self) -> bool:
        """Whether a deployment is to be created."""
        target = self.target
        return target is not None and self.found is None and bool(target.count or target.kind == FILTER_ID)

    def _guard(self) -> None:
        params = self.params
        filter_id = (params["fleet"] or {}).get("filter_id")
        paid.guard(self.mender.api, params["edition"], self.fields, filter_id)
        if params["force_installation"] and self.mender.api.generation == SEED:
            raise Unsupported(
                "force_installation is true, but this Mender server is too old to know it and would pass it over: "
                "leave it out, or update the server."
            )

    def _resolve(self) -> Target:
        fleet = self.params["fleet"]
        # such a server knows devices only; a deployment for a group has no uniform phases
        expand = self.mender.api.generation == SEED or ("uniform_phases" in self.fields and bool(fleet.get("group")))
        return resolve(self.mender.devices, fleet, self.params["on_unknown_device"], expand=expand)

    def _again(self, existing: dict[str, Any]) -> bool:
        """Tell whether a deployment that there is is to be made once more."""
        redeploy = self.params["redeploy"]
        if existing.get("status") != FINISHED or redeploy == "never":
            return False
        if redeploy == "always":
            return True
        self._take(existing)
        counts = self._counts()
        self.found = None
        self.counters, self.status, self.selected = {}, None, 0
        return bool(counts.bad)

    def _check_what_is_wanted(self, target: Target) -> None:
        params = self.params
        artifact = params["artifact_name"]
        limit = params["fleet_limit"]
        if limit is not None and target.count > limit:
            raise InvalidInput(
                f"fleet_limit is {limit}, but {target.count} devices would get {artifact}: raise the limit or select "
                "fewer devices."
            )
        if not self.mender.artifacts.named(artifact):
            raise InvalidInput(
                f"artifact_name is '{artifact}', but there is no artifact of that name on the server: upload it first."
            )
        if target.kind != FILTER_ID:
            paid.check_sizes(self.fields, target.count)
        if target.kind == IDS:
            size = len(json.dumps({**self.body, **for_devices(target)}, ensure_ascii=False).encode())
            # older ones take more
            if size > BODY_LIMIT and self.mender.api.generation == "4.1":
                raise InvalidInput(too_many(target))

    def _plan_abort(self) -> None:
        params = self.params
        target = None
        if params["fleet"]:
            target = self._resolve()
        for item in self.mender.deployments.active(params["name"]):
            if params["artifact_name"] not in (None, item.get("artifact_name")):
                continue
            if target is None or self.mender.deployments.is_for(item, target):
                self.to_abort.append(item)
        if len(self.to_abort) > 1:
            ids = [str(item.get("id")) for item in self.to_abort]
            raise InvalidInput(
                f"{len(ids)} active deployments are meant ({shorten(ids)}): say in id which one is to be aborted, or "
                "give name, artifact_name and fleet."
            )
        for item in self.to_abort:
            self._take(item)

    def _take(self, found: dict[str, Any]) -> None:
        """Go on with a deployment that there is."""
        self.found = found
        self.status = found.get("status")
        self.selected = self.mender.deployments.size(found)
        inside = embedded(found)
        self.counters = self.mender.deployments.statistics(str(found["id"])) if inside is None else inside

    # -- apply -------------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Create or abort, then wait if that is wanted.

        Raises:
            FleetError: what became of it, with the whole report.
        """
        try:
            if self.aborts:
                self._abort_all()
                return
            if self.target is not None and self.creates:
                self._create(self.target)
            if self.params["wait"] and self.params["wait_until"] != "created" and self.found is not None:
                self.report = follow(self.task, self._deployment(), self.gate)
        except FleetError as error:
            if "deployment" not in error.result:
                snapshot = replace(self._snapshot(), silent=True)
                self._report(snapshot, self._state(snapshot)).fail(error)
            error.result.update(changed=self.created or self.aborted, **self._native())
            self._explain(error)
            raise

    def _explain(self, error: FleetError) -> None:
        existing = self.existing or {}
        over = existing.get("status") == FINISHED and self.params["redeploy"] == "never"
        if over and not self.created and isinstance(error, (ThresholdExceeded, AbortedElsewhere)):
            error.msg += " It had finished before this task, and redeploy is 'never'."

    def _create(self, target: Target) -> None:
        known = None if self.existing is None else str(self.existing.get("id"))
        id, self.created = self.mender.deployments.create(target, self.body, known)
        found = self.mender.deployments.read(id)
        self._take(found)
        lost = paid.dropped(self.fields, found)
        if lost is not None and not self.created:
            raise Conflict(
                f"Somebody else has just made the deployment '{self.name}' (id {id}), which is the same but for "
                f"{lost}: wait until it has finished, or abort it."
            )
        if lost is not None:
            self.aborted = self.mender.deployments.abort(id)
            raise Unsupported(
                f"The Mender server has passed over {lost}, so the deployment was aborted at once; devices that asked "
                "in between have begun it. Set edition to what the server is, or leave it to be found out."
            )
        if target.kind not in (IDS, FILTER_ID) and self.selected < target.count:
            self.task.warn(
                f"The deployment '{self.name}' is for {self.selected} devices, but the inventory has {target.count} "
                "that it should be for: those that are missing can be selected by ids."
            )

    def _abort_all(self) -> None:
        for item in self.to_abort:
            id = str(item["id"])
            # what is on its way now will be cut off
            self._refresh(closer=True)
            running = sum(self.counters.get(name, 0) for name in RUNNING)
            if not self.mender.deployments.abort(id):
                # it has finished meanwhile
                self._refresh(closer=True)
                continue
            self.aborted = True
            self._refresh(closer=True)
            stopped = sum(self.counters.get(name, 0) for name in STOPPED)
            completed = self._ended() - stopped
            interrupted = min(running, stopped)
            self.outcome = {
                "completed": completed,
                "interrupted": interrupted,
                "not_started": max(0, self.selected - completed - interrupted),
            }

    def _abort(self) -> None:
        if self.found is not None:
            self.aborted = self.mender.deployments.abort(str(self.found["id"])) or self.aborted
            self._look_closer = True

    # -- how it stands -----------------------------------------------------------------------------------------

    def _deployment(self) -> Deployment:
        return Deployment(f"The deployment '{self.name}'", self._poll, self._report, self._abort, self._attach())

    def _poll(self) -> Snapshot:
        self._refresh()
        return self._snapshot()

    def _refresh(self, *, closer: bool = False) -> None:
        """Look once more, by one request: at the counters, or at the whole where it is small or may have ended."""
        id = str((self.found or {})["id"])
        self._looks += 1
        whole = closer or self._look_closer or self._looks % LOOKS == 0 or self._small()
        self._look_closer = False
        if not whole:
            self.counters = self.mender.deployments.statistics(id)
            # somebody has aborted it, or it is at its end
            self._look_closer = bool(sum(self.counters.get(name, 0) for name in STOPPED))
            return
        found = self.found = self.mender.deployments.read(id)
        self.status = found.get("status")
        inside = embedded(found)
        if inside is not None:
            self.counters = inside
        elif closer or self.status == FINISHED:
            # old servers: the last look, or one that must be exact
            self.counters = self.mender.deployments.statistics(id)

    def _small(self) -> bool:
        """Tell whether the deployment shows its counters and is small enough to be read at each look."""
        found = self.found or {}
        if embedded(found) is None:
            return False
        terms = (found.get("filter") or {}).get("terms") or []
        return all(not isinstance(term.get("value"), list) or len(term["value"]) <= SMALL for term in terms)

    def _ended(self) -> int:
        return ended(self.counters)

    def _counts(self) -> Counts:
        unknown = len(self.target.unknown) if self.target else 0
        return count(self.counters, self.selected, self.status, self.failures, unknown)

    def _snapshot(self) -> Snapshot:
        counts = self._counts()
        over_early = self.status == FINISHED and self._ended() < self.selected
        aborted = None
        if over_early and not self.gate.quorum(counts):
            aborted = f"was aborted by somebody else ({counts.sentence()})"
        return Snapshot(counts, native_state=self.status, aborted=aborted)

    def _state(self, snapshot: Snapshot) -> str:
        if self.creates and not self.created:
            return "planned" if self.task.check_mode else "failed"
        if self.found is None:
            # there is nothing to do
            return "aborted" if self.aborts else "succeeded"
        if self.status == FINISHED:
            over_early = self._ended() < self.selected
            return "aborted" if over_early else overall_state(snapshot.counts, self.gate)
        return STATES.get(str(self.status), "waiting")

    # -- result ------------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        plan = Plan()
        if self.aborts:
            for item in self.to_abort if self.task.check_mode or self.aborted else ():
                before = {"id": item.get("id"), "status": item.get("status")}
                plan.update.append(Change(str(item.get("name")), before, {**before, "status": "aborted"}))
        elif self.created or self.creates:
            plan.create.append(Change(self.name, after=self._shown()))
        report = self.report
        if report is None:
            snapshot = self._snapshot()
            report = self._report(snapshot, self._state(snapshot))
        return self.task.result(plan, **self._native(), **report.keys())

    def _shown(self) -> dict[str, Any]:
        target = self.target
        shown = dict(self.body)
        if target is not None:
            shown["devices"] = target.count
            if target.kind in (GROUP, FILTER_ID):
                shown["group" if target.kind == GROUP else "filter_id"] = target.value
        return shown

    def _native(self) -> dict[str, Any]:
        there = [name for name in PAUSES if name in self.counters]
        return {
            "statistics": dict(self.counters) or None,
            "paused": sum(self.counters[name] for name in there) if there else None,
            "outcome": self.outcome,
        }

    def _report(self, snapshot: Snapshot, state: str) -> Report:
        found = self.found or {}
        id = found.get("id")
        failed: list[Device] = []
        skipped: list[str] = []
        if id is not None and not snapshot.silent:
            # how it has ended is known: what cannot be read any more must not hide that
            try:
                if self.status != FINISHED and 0 < self.selected <= self._ended():
                    # the counters were ahead
                    self._refresh(closer=True)
                    found = self.found or {}
                failed = self._failed(str(id))
                limit = self.params["result_limit"]
                if self.counters.get("already-installed") and self.params["already_installed"] == "succeeded":
                    listed = self.mender.deployments.devices(str(id), "already-installed", limit + 1)
                    skipped = sorted(str(item.get("id")) for item in listed)
            except FleetError as error:
                self.task.warn(f"The result does not name all devices that need attention: {error.msg}")
        artifact = found.get("artifact_name") or self.params["artifact_name"]
        return Report(
            deployment(
                PLATFORM,
                identifier=None if id is None else str(id),
                name=self.name,
                state=state,
                native_state=self.status,
                software={"artifact_name": artifact, "artifacts": found.get("artifacts")},
                created=moment(found.get("created")),
                finished=moment(found.get("finished")),
            ),
            snapshot.counts,
            failed=failed,
            skipped=skipped,
            unknown=self.target.unknown if self.target else [],
            attach=self._attach(),
            limit=self.params["result_limit"],
        )

    def _failed(self, id: str) -> list[Device]:
        limit = self.params["result_limit"]
        return failed_devices(self.mender.deployments, id, self.counters, self.failures, limit, self.task.warn)

    def _attach(self) -> dict[str, Any]:
        params = self.params
        ways = {name: params[name] for name in ("noartifact", "already_installed") if params[name] != "succeeded"}
        if self.found is not None:
            return {"id": str(self.found["id"]), **ways, "wait": True}
        named = {name: params[name] for name in ("name", "artifact_name") if params[name] is not None}
        fleet = {name: value for name, value in (params["fleet"] or {}).items() if value}
        return {**named, "fleet": fleet, **ways, "wait": True} if fleet else {}


MESSAGES = {
    "noartifact": "no artifact of that name is for the type of this device",
    "already-installed": "the device had the artifact before",
}


def ended(counters: Mapping[str, int]) -> int:
    """Return how many devices have come to an end."""
    return sum(counters.get(name, 0) for name in (*ENDS, *STOPPED))


def count(
    counters: Mapping[str, int], selected: int, status: str | None, failures: Sequence[str], unknown: int = 0
) -> Counts:
    """Return Mender's counters as the counts of the result.

    Args:
        counters: those of the server; what it does not count is not there.
        selected: how many devices the deployment is for.
        status: its status.
        failures: the words for devices that count as failed.
        unknown: devices that were asked for and are not there.
    """
    got = {name: counters.get(name, 0) for name in ENDS}
    failed = sum(got[name] for name in failures)
    skipped = 0 if "already-installed" in failures else got["already-installed"]
    running = sum(counters.get(name, 0) for name in RUNNING)
    aborted = sum(counters.get(name, 0) for name in STOPPED)
    selected = max(selected, sum(got.values()) + running + aborted)
    # not by the counter: some releases count those that have not asked yet, others do not
    pending = selected - sum(got.values()) - running - aborted
    if status == FINISHED:
        # aborted before they had asked
        aborted, pending = aborted + pending + running, 0
        running = 0
    return Counts(
        selected=selected,
        skipped=skipped,
        pending=pending,
        running=running,
        succeeded=sum(got.values()) - failed - skipped,
        failed=failed,
        aborted=aborted,
        unknown=unknown,
    )


def failed_devices(
    deployments: Deployments,
    id: str,
    counters: Mapping[str, int],
    failures: Sequence[str],
    limit: int,
    warn: Callable[[str], None],
) -> list[Device]:
    """Return devices that failed, with the end of their logs as far as these can be read.

    Args:
        deployments: of the server.
        id: the deployment.
        counters: its counters, which say where there is something to look for.
        failures: the words for devices that count as failed.
        limit: how many at most.
        warn: is told when a log cannot be read; no further one is tried then.
    """
    found: list[Device] = []
    readable = True
    for name in failures:
        left = limit - len(found)
        if not counters.get(name) or left <= 0:
            continue
        for item in deployments.devices(id, name, left):
            device = str(item.get("id"))
            log = None
            if item.get("log") and readable:
                try:
                    log = deployments.log(id, device)
                except FleetError as error:
                    readable = False
                    warn(f"The result lacks logs of devices that failed: {error.msg}")
            last = log.splitlines()[-1] if log else None
            message = item.get("substate") or item.get("state") or last or MESSAGES.get(name)
            found.append(Device(device, state=FAILED, native_state=name, message=message, log=log))
    return found
