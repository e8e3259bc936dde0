"""Deployments of the simulated Mender server: what happens between their creation and their end."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from servers._mender_artifacts import Artifact, Artifacts
from servers._mender_http import Refusal, dumps, new_id, not_found, stamp, typed
from servers._mender_inventory import Inventory
from servers._mender_versions import ACTIVE, FINISHED, OLD_COUNTERS, PAUSES, STATUSES

PLAN = "Feature not available in your Plan."
INVALID = "Validating request body: "
NO_DEVICES = "Invalid deployments definition: provide list of devices or set all_devices flag"
BOTH = "Invalid deployments definition: list of devices provided togheter with all_devices flag"
GROUP_AND_DEVICES = "The deployment for group constructor should have neither list of devices nor all_devices flag set"
DUPLICATE = "Invalid deployment definition: there is already an active deployment with the same parameters"
ZERO_BATCH = "Attempt to create a batch with zero devices not allowed"
NAME_LENGTH = 256
OLD_LENGTH = 4096
RATE = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
KINDS: dict[str, type[Any] | tuple[type[Any], ...]] = {
    "name": str,
    "artifact_name": str,
    "devices": list,
    "all_devices": bool,
    "force_installation": bool,
}
PAID_KINDS: dict[str, type[Any] | tuple[type[Any], ...]] = {
    "phases": list,
    "uniform_phases": dict,
    "retries": int,
    "update_control_map": dict,
    "filter_id": str,
    "max_devices": int,
    "autogenerate_delta": bool,
}
# what a device may report about itself
REPORTED = (*ACTIVE, "success", "failure", "already-installed")


@dataclass
class Progress:
    """What one device did about one deployment; it exists from the moment when the device asked."""

    id: str
    device: str
    deployment: Deployment
    status: str = "pending"
    started: float | None = None
    finished: float | None = None
    substate: str = ""
    log: list[dict[str, Any]] | None = None
    artifact: Artifact | None = None
    request: tuple[str, str] | None = None
    attempts: int = 0
    deleted: bool = False

    @property
    def active(self) -> bool:
        """Whether the device has not ended it."""
        return self.status in ACTIVE

    def body(self, features: frozenset[str]) -> dict[str, Any]:
        """The entry of a list of devices."""
        body: dict[str, Any] = {"created": stamp(self.deployment.created)}
        if self.started is not None and "started" in features:
            body["started"] = stamp(self.started)
        if self.finished is not None:
            body["finished"] = stamp(self.finished)
        body |= {"status": self.status, "id": self.device}
        if "images" not in features:
            body["device_type"] = self.request[1] if self.request else ""
        elif self.artifact is not None:
            body["image"] = self.artifact.body(features)
        body["log"] = self.log is not None
        if self.substate:
            body["substate"] = self.substate
        if self.deployment.retries:
            body |= {"attempts": self.attempts + 1, "retries": self.deployment.retries}
        return body

    def log_text(self) -> str:
        """The log as the server renders it: a line for each message."""
        lines = []
        for message in self.log or ():
            moment = datetime.fromisoformat(str(message.get("timestamp", "1970-01-01T00:00:00Z")))
            text = moment.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            lines.append(f"{text} {message.get('level', '')}: {message.get('message', '')}\n")
        return "".join(lines)


@dataclass
class Phase:
    """A part of a phased deployment: it opens at `start` for `quota` more devices."""

    quota: int
    start: float | None
    size: dict[str, int]
    id: str = field(default_factory=new_id)
    asked: int = 0

    def body(self) -> dict[str, Any]:
        """The phase as it is shown."""
        start = {} if self.start is None else {"start_ts": stamp(self.start)}
        return {"id": self.id, **start, **self.size, "device_count": self.asked}


@dataclass
class Deployment:
    """A deployment. `targets` None is a dynamic one, for whatever fulfils `terms`."""

    id: str
    name: str
    artifact_name: str
    number: int
    targets: list[str] | None
    max_devices: int
    artifacts: list[str]
    terms: list[dict[str, Any]]
    force: bool = False
    groups: list[str] = field(default_factory=list)
    checksum: str = ""
    phases: list[Phase] = field(default_factory=list)
    retries: int = 0
    filter: dict[str, Any] | None = None
    initial: int = 0
    control: dict[str, Any] | None = None
    created: float = field(default_factory=time.time)
    finished: float | None = None
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(sorted(STATUSES), 0))
    asked: int = 0
    total_size: int = 0
    progress: dict[str, Progress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.members = frozenset(self.targets or ())

    @property
    def status(self) -> str:
        """Status of the deployment."""
        if self.finished is not None:
            return "finished"
        if any(count for name, count in self.counters.items() if name not in ("pending", "decommissioned")):
            return "inprogress"
        if self.phases and self.phases[0].start is not None and self.phases[0].start > time.time():
            return "scheduled"
        return "pending"

    def move(self, before: str, after: str) -> None:
        """Count a device that changes its status, and end the deployment with its last device."""
        if before:
            self.counters[before] -= 1
        self.counters[after] += 1
        ended = sum(self.counters[status] for status in FINISHED)
        if self.finished is None and 0 < self.max_devices <= ended:
            self.finished = time.time()

    def open_phase(self) -> tuple[bool, Phase | None]:
        """Whether one more device may begin now, and in which phase."""
        if not self.phases:
            return True, None
        now = time.time()
        started = [phase for phase in self.phases if phase.start is None or phase.start <= now]
        if not started or self.asked >= sum(phase.quota for phase in started):
            return False, None
        return True, started[-1]

    def statistics(self, features: frozenset[str]) -> dict[str, int]:
        """The counters that the version has."""
        if "pauses" in features:
            return dict(self.counters)
        return {name: self.counters[name] for name in sorted(OLD_COUNTERS)}

    def body(self, features: frozenset[str]) -> dict[str, Any]:
        """The deployment as the version shows it."""
        body: dict[str, Any] = {"name": self.name, "artifact_name": self.artifact_name}
        if self.force:
            body["force_installation"] = True
        body["created"] = stamp(self.created)
        if self.finished is not None:
            body["finished"] = stamp(self.finished)
        body |= {"id": self.id, "artifacts": list(self.artifacts)}
        if "lists" in features:
            body["statistics"] = {"status": self.statistics(features), "total_size": self.total_size}
        body |= {"status": self.status, "device_count": self.asked}
        if "max_devices" in features and self.max_devices:
            body["max_devices"] = self.max_devices
        if self.filter is not None:
            body |= {"filter": self.filter, "dynamic": True, "initial_device_count": self.initial}
        elif "filter_terms" in features:
            body["filter"] = {"id": "", "name": "", "terms": self.terms}
        if self.groups and "groups" in features:
            body["groups"] = self.groups
        if "lists" in features:
            body["type"] = "software"
        return body | self._paid()

    def _paid(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.phases:
            body["phases"] = [phase.body() for phase in self.phases]
        if self.retries:
            body["retries"] = self.retries
        if self.control is not None:
            body["update_control_map"] = self.control
        return body


class Deployments:
    """All deployments of the server."""

    def __init__(self, features: frozenset[str], edition: str, artifacts: Artifacts, inventory: Inventory) -> None:
        self.features = features
        self.edition = edition
        self.artifacts = artifacts
        self.inventory = inventory
        self.all: dict[str, Deployment] = {}
        self.filters: dict[str, dict[str, Any]] = {}
        self.of_device: dict[str, list[Progress]] = {}

    def get(self, name: str) -> Deployment:
        """A deployment by its id; 404 without it."""
        if name not in self.all:
            raise not_found()
        return self.all[name]

    def uses(self, artifact: Artifact, *, active: bool) -> bool:
        """Whether any deployment, or an active one, has the artifact."""
        return any(
            artifact.id in deployment.artifacts and not (active and deployment.finished is not None)
            for deployment in self.all.values()
        )

    def of_releases(self, names: list[str]) -> list[str]:
        """Ids of the deployments that keep releases from being deleted: up to 4.0 finished ones do, too."""
        only_active = "artifacts_v2" in self.features
        return [
            deployment.id
            for deployment in self.all.values()
            if deployment.artifact_name in names and not (only_active and deployment.finished is not None)
        ]

    def join(self, artifact: Artifact) -> None:
        """Let a new artifact take part in the active deployments of its name."""
        for deployment in self.all.values():
            if deployment.artifact_name == artifact.file.name and deployment.finished is None:
                deployment.artifacts = [other.id for other in self.artifacts.named(artifact.file.name)]

    # -- creation ------------------------------------------------------------------------------------------

    def create(self, body: Mapping[str, Any], group: str = "") -> Deployment:
        """Create a deployment for devices, for a group or for all devices."""
        self._validate(body)
        devices = list(body.get("devices") or [])
        everyone = bool(body.get("all_devices")) and "groups" in self.features
        if group and (devices or everyone):
            raise Refusal(400, INVALID + GROUP_AND_DEVICES)
        if not group and not devices and not everyone:
            raise Refusal(400, INVALID + (NO_DEVICES if "groups" in self.features else "devices: cannot be blank."))
        if devices and everyone:
            raise Refusal(400, INVALID + BOTH)
        terms = [_term("identity", "id", "$in", devices)]
        if group or everyone:
            devices = self.inventory.accepted(group)
            terms = [
                _term("system", "group", "$eq", group) if group else _term("identity", "status", "$eq", "accepted")
            ]
        if not devices:
            raise Refusal(400, "No devices for the deployment")
        deployment = self._new(body, devices, len(devices), terms)
        deployment.groups = [group] if group else self._groups_of(devices)
        content = [deployment.name, deployment.artifact_name, devices, everyone, deployment.force]
        deployment.checksum = hashlib.sha256(dumps(content).encode()).hexdigest()
        self._refuse_duplicate(deployment)
        return self._add(deployment)

    def create_dynamic(self, body: Mapping[str, Any]) -> Deployment:
        """Create a deployment for a saved filter."""
        self._validate(body)
        if self.edition != "enterprise":
            raise Refusal(403, PLAN)
        chosen = self.filters.get(str(body.get("filter_id", "")))
        if chosen is None:
            raise Refusal(400, INVALID + "filter_id: no such filter")
        now = [name for name in self.inventory.accepted() if self.inventory.matches(chosen["terms"], name)]
        deployment = self._new(body, None, int(body.get("max_devices") or 0), [], len(now))
        deployment.filter, deployment.initial = chosen, len(now)
        deployment.checksum = hashlib.sha256(dumps([deployment.name, chosen["id"]]).encode()).hexdigest()
        self._refuse_duplicate(deployment)
        return self._add(deployment)

    def _validate(self, body: Mapping[str, Any]) -> None:
        paid = self.edition != "open_source"
        try:
            typed(body, {**KINDS, **(PAID_KINDS if paid else {})})
        except Refusal as refusal:
            raise Refusal(400, INVALID + refusal.error) from None
        for name, limit in (
            ("name", NAME_LENGTH if "body_limit" in self.features else OLD_LENGTH),
            ("artifact_name", OLD_LENGTH),
        ):
            if not body.get(name):
                raise Refusal(400, f"{INVALID}{name}: cannot be blank.")
            if len(body[name]) > limit:
                raise Refusal(400, f"{INVALID}{name}: the length must be between 1 and {limit}.")
        if not all(isinstance(device, str) and device for device in body.get("devices") or []):
            raise Refusal(400, INVALID + "devices: (0: cannot be blank.).")
        if self.edition == "professional" and (
            len(body.get("phases") or []) > 1 or any(body.get(name) for name in PAID_KINDS if name != "phases")
        ):
            raise Refusal(403, PLAN)

    def _groups_of(self, devices: list[str]) -> list[str]:
        device = self.inventory.devices.get(devices[0]) if len(devices) == 1 else None
        return [device.group] if device is not None and device.group else []

    def _new(
        self,
        body: Mapping[str, Any],
        targets: list[str] | None,
        most: int,
        terms: list[dict[str, Any]],
        expected: int = 0,
    ) -> Deployment:
        name = str(body["artifact_name"])
        deployment = Deployment(
            new_id(),
            str(body["name"]),
            name,
            len(self.all),
            targets,
            most,
            [artifact.id for artifact in self.artifacts.named(name)],
            terms,
            bool(body.get("force_installation")),
        )
        if not deployment.artifacts:
            raise Refusal(422, "No artifact for the deployment")
        if self.edition != "open_source":
            deployment.phases = _phases(body, most or expected)
            deployment.retries = int(body.get("retries") or 0)
            deployment.control = body.get("update_control_map")
        return deployment

    def _refuse_duplicate(self, deployment: Deployment) -> None:
        if "duplicate_check" in self.features and any(
            other.checksum == deployment.checksum and other.finished is None for other in self.all.values()
        ):
            raise Refusal(409, DUPLICATE)

    def _add(self, deployment: Deployment) -> Deployment:
        if "pending_preset" in self.features:
            deployment.counters["pending"] = deployment.max_devices
        self.all[deployment.id] = deployment
        return deployment

    # -- a device ------------------------------------------------------------------------------------------

    def _of(self, device: str) -> list[Progress]:
        return [progress for progress in self.of_device.get(device, []) if not progress.deleted]

    def _newer(self, device: str, number: int) -> Deployment | None:
        """The oldest active deployment for the device that is newer than its last one."""
        for deployment in self.all.values():
            if deployment.number <= number or deployment.finished is not None:
                continue
            if deployment.max_devices and deployment.asked >= deployment.max_devices:
                continue
            if deployment.targets is None:
                if self.inventory.matches((deployment.filter or {}).get("terms", []), device):
                    return deployment
            elif device in deployment.members:
                return deployment
        return None

    def _begin(self, device: str, deployment: Deployment, status: str) -> Progress:
        progress = Progress(new_id(), device, deployment, status)
        if status != "pending":
            progress.started = time.time()
        known = deployment.progress.get(device)
        deployment.progress[device] = progress
        self.of_device.setdefault(device, []).append(progress)
        if known is None:
            deployment.asked += 1
        return progress

    def _current(self, device: str) -> Progress | None:
        """What the device is to do: what it has begun, else a new deployment."""
        mine = self._of(device)
        begun = [progress for progress in mine if progress.active]
        if begun:
            return min(begun, key=lambda progress: progress.deployment.number)
        number = max((progress.deployment.number for progress in mine), default=-1)
        while True:
            deployment = self._newer(device, number)
            if deployment is None:
                return None
            allowed, phase = deployment.open_phase()
            if not allowed:
                number = deployment.number
                continue
            if phase is not None:
                phase.asked += 1
            progress = self._begin(device, deployment, "pending")
            if "pending_preset" not in self.features or deployment.targets is None:
                deployment.move("", "pending")
            return progress

    def next(self, device: str, installed: str, device_type: str) -> Progress | None:
        """What a device is told when it asks; asking alone changes counters."""
        if not installed or not device_type:
            raise Refusal(400, "artifact_name: cannot be blank; device_type: cannot be blank.")
        progress = self._current(device)
        if progress is None:
            return None
        if progress.request is None:
            progress.request = (installed, device_type)
        elif progress.request != (installed, device_type):
            self._change(progress, "failure")
            raise Refusal(409, "Device provided conflicting request data")
        deployment, fresh = progress.deployment, progress.artifact is None
        if progress.artifact is None:
            candidates = [self.artifacts.all[name] for name in deployment.artifacts if name in self.artifacts.all]
            progress.artifact = next((a for a in candidates if device_type in a.file.device_types), None)
        if progress.artifact is None:
            self._change(progress, "noartifact")
            return None
        same = installed == progress.artifact.file.name
        if same and not deployment.force and progress.status == "pending":
            self._change(progress, "already-installed")
            return None
        if fresh:
            deployment.total_size += progress.artifact.size
        return progress

    def _change(self, progress: Progress, status: str, substate: str = "") -> None:
        if progress.status in ("aborted", "decommissioned"):
            word = "Deployment aborted" if progress.status == "aborted" else "Device decommissioned"
            raise Refusal(409, word)
        if substate:
            progress.substate = substate
        if status == progress.status:
            return
        deployment, before = progress.deployment, progress.status
        if status == "failure" and progress.attempts < deployment.retries:
            # the device gets the same deployment again when it asks
            progress.attempts += 1
            status, progress.request = "pending", None
        if before == "pending":
            progress.started = time.time()
        if status in FINISHED:
            progress.finished = time.time()
        progress.status = status
        if before != status:
            deployment.move(before, status)

    def _progress(self, deployment: str, device: str) -> Progress:
        found = self.all[deployment].progress.get(device) if deployment in self.all else None
        if found is None or found.deleted:
            raise not_found()
        return found

    def report(self, deployment: str, device: str, body: Mapping[str, Any]) -> None:
        """A device reports its status."""
        typed(body, {"status": str, "substate": str})
        status = body.get("status")
        if status not in REPORTED:
            raise Refusal(400, f"invalid status: {status}")
        self._change(self._progress(deployment, device), status, str(body.get("substate") or ""))

    def save_log(self, deployment: str, device: str, body: Mapping[str, Any]) -> None:
        """A device sends its log."""
        typed(body, {"messages": list})
        messages = body.get("messages") or []
        if not messages or not all(isinstance(message, dict) and message.get("message") for message in messages):
            raise Refusal(400, "messages: cannot be blank.")
        self._progress(deployment, device).log = list(messages)

    def log(self, deployment: str, device: str) -> str:
        """The log of a device; 404 without one."""
        found = self._progress(deployment, device)
        if found.log is None:
            raise not_found()
        return found.log_text()

    # -- ends ----------------------------------------------------------------------------------------------

    def abort(self, name: str) -> None:
        """Abort a deployment; 422 if it is finished or not known."""
        deployment = self.all.get(name)
        if deployment is None or deployment.finished is not None:
            raise Refusal(422, "Deployment already finished")
        for progress in deployment.progress.values():
            if progress.active:
                progress.status = "aborted"
        deployment.counters = dict.fromkeys(deployment.counters, 0)
        for progress in deployment.progress.values():
            deployment.counters[progress.status] += 1
        deployment.finished = time.time()

    def leave(self, device: str, status: str) -> None:
        """Take a device out of its deployments.

        Since 2023: what it has begun ends, and so does one newer deployment that it has not begun, which is not
        counted. In 2020: all that it has not begun, and all pending ones.
        """
        if "history" in self.features:
            begun = [progress for progress in self._of(device) if progress.active]
            oldest = min(begun, key=lambda progress: progress.deployment.number, default=None)
            if oldest is not None:
                self._change(oldest, status)
                number = oldest.deployment.number
            else:
                number = max((progress.deployment.number for progress in self._of(device)), default=-1)
            newer = self._newer(device, number)
            if newer is not None:
                self._begin(device, newer, status)
            return
        for deployment in list(self.all.values()):
            if deployment.finished is not None or device not in deployment.members:
                continue
            progress = deployment.progress.get(device)
            if progress is None:
                self._begin(device, deployment, status)
                deployment.move("", status)
            elif progress.status == "pending":
                self._change(progress, status)

    def forget(self, device: str) -> None:
        """Delete the history of a device: it may take old deployments again."""
        for progress in self._of(device):
            if not progress.active:
                progress.deleted = True

    # -- lists ---------------------------------------------------------------------------------------------

    def listed(self, wanted: Callable[[Deployment], bool], ascending: bool) -> list[Deployment]:
        """The deployments that fit, by their creation."""
        found = [deployment for deployment in self.all.values() if wanted(deployment)]
        return found if ascending else found[::-1]

    def devices(self, deployment: Deployment, status: str = "") -> list[Progress]:
        """The devices of a deployment that have asked, by status and id; 400 for a status that is none."""
        wanted = _wanted(status)
        found = [p for p in deployment.progress.values() if not p.deleted and p.status in wanted]
        return sorted(found, key=lambda progress: (STATUSES.index(progress.status), progress.device))

    def history(self, device: str, status: str = "") -> list[Progress]:
        """What a device has done, the newest first."""
        wanted = _wanted(status)
        found = [progress for progress in self.of_device.get(device, []) if progress.status in wanted]
        return sorted(found, key=lambda progress: -progress.deployment.number)


def _term(scope: str, attribute: str, kind: str, value: Any) -> dict[str, Any]:
    return {"scope": scope, "attribute": attribute, "type": kind, "value": value}


def _wanted(status: str) -> tuple[str, ...]:
    words = {"": STATUSES, "pause": PAUSES, "active": ACTIVE, "finished": FINISHED}
    if status in words:
        return words[status]
    if status not in STATUSES:
        raise Refusal(400, "status: must be a valid value")
    return (status,)


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        raise Refusal(400, f"{INVALID}phases: parsing time {text!r}") from None


def _quota(raw: Mapping[str, Any], total: int) -> int:
    if raw.get("batch_size_devices") is not None:
        return int(raw["batch_size_devices"])
    share = int(raw["batch_size"])
    if not 0 <= share <= 100:
        raise Refusal(400, INVALID + "phases: batch_size must be between 0 and 100")
    return total * share // 100


def _phases(body: Mapping[str, Any], total: int) -> list[Phase]:
    """The phases of a new deployment for so many devices."""
    raw = _checked(list(body.get("phases") or []) or _uniform(body.get("uniform_phases"), total))
    phases: list[Phase] = []
    last: float | None = None
    for number, entry in enumerate(raw):
        start = _moment(entry["start_ts"]) if entry.get("start_ts") else None
        if number and start is None:
            raise Refusal(400, f"{INVALID}phases: ({number}: start_ts: cannot be blank.).")
        if last is not None and start is not None and start < last:
            raise Refusal(400, INVALID + "phases: start_ts must be ascending")
        last = start if start is not None else last
        size = {key: int(entry[key]) for key in ("batch_size", "batch_size_devices") if entry.get(key) is not None}
        rest = total - sum(phase.quota for phase in phases)
        if size:
            quota = _quota(entry, total)
            # what the rounding of percents left over belongs to the last phase
            whole = sum(int(other.get("batch_size") or 0) for other in raw) == 100
            quota = rest if whole and number == len(raw) - 1 else quota
        elif number == len(raw) - 1:
            quota = rest
            percent = sum(phase.size.get("batch_size", 0) for phase in phases)
            size = {"batch_size_devices": rest} if _by_devices(phases) else {"batch_size": 100 - percent}
        else:
            raise Refusal(400, f"{INVALID}phases: ({number}: batch_size: cannot be blank.).")
        if quota <= 0:
            raise Refusal(400, ZERO_BATCH)
        phases.append(Phase(quota, start, size))
    if len({key for phase in phases for key in phase.size}) > 1:
        raise Refusal(400, INVALID + "phases: batch_size and batch_size_devices must not be mixed")
    if sum(phase.size.get("batch_size", 0) for phase in phases) > 100:
        raise Refusal(400, INVALID + "phases: the sum of batch_size must not be above 100")
    return phases


def _checked(raw: list[Any]) -> list[dict[str, Any]]:
    """The phases, if each has fields of the right types."""
    for entry in raw:
        if not isinstance(entry, dict):
            raise Refusal(400, INVALID + "phases: json: cannot unmarshal into Go struct field phases")
        try:
            typed(entry, {"batch_size": int, "batch_size_devices": int, "start_ts": str})
        except Refusal as refusal:
            raise Refusal(400, INVALID + refusal.error) from None
    return raw


def _by_devices(phases: list[Phase]) -> bool:
    return any("batch_size_devices" in phase.size for phase in phases)


def _uniform(raw: Mapping[str, Any] | None, total: int) -> list[dict[str, Any]]:
    """Uniform phases as a list of phases."""
    if not raw:
        return []
    form = RATE.fullmatch(str(raw.get("time_interval", "")))
    if form is None or not any(form.groups()):
        raise Refusal(400, INVALID + "uniform_phases: time_interval must be a duration")
    days, hours, minutes, seconds = (float(part or 0) for part in form.groups())
    interval = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    _checked([raw])
    key = "batch_size_devices" if raw.get("batch_size_devices") else "batch_size"
    size = int(raw.get(key) or 0)
    if size <= 0:
        raise Refusal(400, ZERO_BATCH)
    first = _moment(raw["start_ts"]) if raw.get("start_ts") else time.time()
    whole = total if key == "batch_size_devices" else 100
    count = -(-whole // size)
    phases = [{key: size, "start_ts": stamp(first + number * interval)} for number in range(count)]
    phases[-1][key] = whole - size * (count - 1)
    return phases
