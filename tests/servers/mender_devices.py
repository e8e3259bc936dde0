"""Simulated devices that speak Mender's device API; hundreds in one process.

Each device asks for deployments with some jitter, reports steps, downloads the artifact by its link, sends a log
when it fails, and reports the name of its new artifact to the inventory.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import fnmatch
import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from servers._loop import LoopThread

__all__ = ["BEHAVIOURS", "Event", "MenderDevice", "MenderFleet"]

# succeed: installs. fail: reports a failure with a log. stall: stops in the middle of the installation. vanish: asks
# no more once it has been given something. pause: waits before the installation. A device that has the artifact
# already, or is of another type than the artifact, needs no behaviour: the server ends it.
BEHAVIOURS = ("succeed", "fail", "stall", "vanish", "pause")
STEPS = ("downloading", "installing", "rebooting")
DEPLOYMENTS = "/api/devices/v1/deployments/device/deployments"
ATTRIBUTES = "/api/devices/v1/inventory/device/attributes"
CONNECTIONS = 64
REQUEST_SECONDS = 30.0
WAIT_CHECK_SECONDS = 0.05


class _Gone(Exception):
    """The server no longer wants to hear of this deployment (404, 409)."""


class _Refused(Exception):
    """The server answered with an error that may pass."""


@dataclass(frozen=True)
class Event:
    """One thing that a device did. `time` is in seconds since the epoch.

    `what`: taken, downloaded, succeeded, failed, paused, stalled, dropped, error. `deployment` is its id.
    """

    time: float
    device: str
    what: str
    deployment: str = ""
    artifact: str = ""
    detail: str = ""


@dataclass
class MenderDevice:
    """One device. `installed` is the name of the artifact it runs; `polls` counts answered questions."""

    id: str
    behaviour: str
    device_type: str
    installed: str
    polls: int = 0
    deployment: str = ""
    artifact: str = ""
    step: int = 0
    reported: str = ""
    uri: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Rule:
    artifact: str
    behaviour: str
    wanted: Callable[[str], bool]


def _chooser(ids: str | Iterable[str]) -> Callable[[str], bool]:
    """Tell which ids are meant: a pattern with * and ?, or a list."""
    if isinstance(ids, str):
        pattern = ids
        return lambda name: fnmatch.fnmatchcase(name, pattern)
    chosen = frozenset(ids)
    return lambda name: name in chosen


def _known(behaviour: str) -> str:
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"no such behaviour: {behaviour!r}; there are {', '.join(BEHAVIOURS)}")
    return behaviour


class MenderFleet:
    """Devices of the server at `url`; they work in a background thread between `start()` and `stop()`.

    `token` gives the token of a device by its id (`MenderServer.device_token`). `poll_interval`: seconds between
    two questions of an idle device, `step_interval`: between two steps of an installation. `download`: whether
    artifacts are fetched.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[str], str],
        *,
        poll_interval: float = 0.5,
        step_interval: float = 0.05,
        download: bool = True,
    ) -> None:
        self.url = url.rstrip("/")
        self.poll_interval = poll_interval
        self.step_interval = step_interval
        self.download = download
        self.devices: dict[str, MenderDevice] = {}
        self.history: list[Event] = []
        self._token = token
        self._tokens: dict[str, str] = {}
        self._rules: list[_Rule] = []
        self._thread: LoopThread | None = None
        self._session: aiohttp.ClientSession | None = None
        self._storage: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # -- what tests use ------------------------------------------------------------------------------------

    def add(
        self,
        ids: Iterable[str],
        behaviour: str = "succeed",
        device_type: str = "generic-x86_64",
        artifact: str = "factory",
    ) -> None:
        """Add devices that the server's inventory has, also while the fleet is running."""
        new = [MenderDevice(name, _known(behaviour), device_type, artifact) for name in ids]
        for device in new:
            if device.id in self.devices:
                raise ValueError(f"device {device.id} is already there")
            self.devices[device.id] = device
        if self._thread is not None:
            self._thread.call(self._launch(new))

    def behave(self, ids: str | Iterable[str], behaviour: str) -> None:
        """Change what devices do from now on; `ids` is a list or a pattern."""
        wanted = _chooser(ids)
        for device in list(self.devices.values()):
            if wanted(device.id):
                device.behaviour = _known(behaviour)

    def on_artifact(self, artifact: str, behaviour: str, ids: str | Iterable[str] = "*") -> None:
        """Have devices behave so when they are to install this artifact; the latest rule wins."""
        self._rules = [_Rule(artifact, _known(behaviour), _chooser(ids)), *self._rules]

    def events(self, what: str | None = None, device: str | None = None) -> list[Event]:
        """What happened so far, narrowed down."""
        return [e for e in list(self.history) if what in (None, e.what) and device in (None, e.device)]

    def wait(self, condition: Callable[[MenderFleet], object], timeout: float = 60.0) -> None:
        """Wait until the condition is true of this fleet; TimeoutError with a summary of it otherwise."""
        end = time.monotonic() + timeout
        while not condition(self):
            if time.monotonic() > end:
                trouble = [f"; {event.device}: {event.detail}" for event in self.events("error")[-1:]]
                raise TimeoutError(f"not within {timeout:g} s; so far: {self.summary()}{''.join(trouble)}")
            time.sleep(WAIT_CHECK_SECONDS)

    def summary(self) -> dict[str, int]:
        """How often each thing happened."""
        return dict(collections.Counter(event.what for event in list(self.history)))

    def start(self) -> MenderFleet:
        """Have the devices work. Calling it again does nothing."""
        if self._thread is None:
            self._thread = LoopThread("mender-devices")
            self._thread.call(self._launch(list(self.devices.values())))
        return self

    def stop(self) -> None:
        """Switch all devices off; they keep what they know. Calling it again does nothing."""
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                self._thread.call(self._close(), timeout=10)
            self._thread.stop()
            self._thread = None

    def __enter__(self) -> MenderFleet:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- one device ----------------------------------------------------------------------------------------

    async def _launch(self, devices: list[MenderDevice]) -> None:
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=limit)
            # links are presigned: no token goes there
            self._storage = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=limit)
        self._tasks += [asyncio.create_task(self._live(device)) for device in devices]

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for session in (self._session, self._storage):
            if session is not None:
                await session.close()
        self._session = self._storage = None

    def _note(self, device: MenderDevice, what: str, detail: str = "") -> None:
        self.history.append(Event(time.time(), device.id, what, device.deployment, device.artifact, detail))

    def _behaviour(self, device: MenderDevice) -> str:
        """What the device is told to do now; a rule for the artifact that it is to install comes first."""
        if device.deployment:
            for rule in self._rules:
                if rule.artifact == device.artifact and rule.wanted(device.id):
                    return rule.behaviour
        return device.behaviour

    async def _live(self, device: MenderDevice) -> None:
        await asyncio.sleep(random.uniform(0, self.poll_interval))
        trouble = ""
        while True:
            try:
                await self._turn(device)
                trouble = ""
            except _Gone as error:
                self._note(device, "dropped", str(error))
                device.deployment = ""
            except (_Refused, aiohttp.ClientError, TimeoutError) as error:
                # The next turn tries again; the same trouble is written down once.
                if trouble != (trouble := str(error) or type(error).__name__):
                    self._note(device, "error", trouble)
            pause = self.step_interval if device.deployment else self.poll_interval
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    async def _turn(self, device: MenderDevice) -> None:
        """Ask what there is to do, or do one step of it."""
        if not device.deployment:
            await self._ask(device)
            return
        told = self._behaviour(device)
        if told == "vanish":
            return
        if told == "pause" and device.step == 1:
            await self._report(device, "pause_before_installing", "paused")
        elif told == "stall" and device.step == 2:
            self._once(device, "stalled")
        elif device.step < len(STEPS):
            await self._report(device, STEPS[device.step])
            if device.step == 0 and self.download:
                await self._download(device)
            device.step += 1
        elif told == "fail":
            await self._fail(device)
        else:
            await self._report(device, "success")
            device.installed = device.artifact
            attributes = [{"name": "artifact_name", "value": device.installed}]
            await self._request(device, "PATCH", ATTRIBUTES, attributes)
            self._end(device, "succeeded")

    async def _ask(self, device: MenderDevice) -> None:
        question = {"artifact_name": device.installed, "device_type": device.device_type}
        answer = await self._request(device, "GET", f"{DEPLOYMENTS}/next", query=question)
        device.polls += 1
        if not answer:
            return
        device.deployment, device.artifact = answer["id"], answer["artifact"]["artifact_name"]
        device.step, device.reported, device.uri = 0, "", answer["artifact"]["source"]["uri"]
        self._note(device, "taken")

    async def _fail(self, device: MenderDevice) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        texts = (("info", f"installing {device.artifact}"), ("error", "flash write error: the device is full"))
        messages = [{"timestamp": moment, "level": level, "message": text} for level, text in texts]
        await self._request(device, "PUT", f"{DEPLOYMENTS}/{device.deployment}/log", {"messages": messages})
        await self._report(device, "failure", substate="ArtifactInstall failed")
        self._end(device, "failed", texts[1][1])

    def _once(self, device: MenderDevice, what: str) -> None:
        if device.reported != what:
            device.reported = what
            self._note(device, what)

    def _end(self, device: MenderDevice, what: str, detail: str = "") -> None:
        self._note(device, what, detail)
        device.deployment = ""

    async def _report(self, device: MenderDevice, status: str, event: str = "", substate: str = "") -> None:
        if device.reported != (event or status):
            body = {"status": status, **({"substate": substate} if substate else {})}
            await self._request(device, "PUT", f"{DEPLOYMENTS}/{device.deployment}/status", body)
            if event:
                self._note(device, event)
            device.reported = event or status

    async def _download(self, device: MenderDevice) -> None:
        assert self._storage is not None
        size = 0
        async with self._storage.get(URL(device.uri, encoded=True)) as answer:
            if answer.status != 200:
                raise _Refused(f"HTTP {answer.status} for the artifact")
            async for chunk in answer.content.iter_any():
                size += len(chunk)
        self._note(device, "downloaded", f"{size} bytes")

    async def _request(
        self, device: MenderDevice, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> Any:
        """One request; the answer's JSON, None without one."""
        assert self._session is not None
        if device.id not in self._tokens:
            self._tokens[device.id] = self._token(device.id)
        token = self._tokens[device.id]
        headers = {"Authorization": f"Bearer {token}"}
        address = f"{self.url}{path}"
        async with self._session.request(method, address, params=query, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status in (404, 409):
                raise _Gone(f"HTTP {answer.status} for {method} {path}: {_reason(text)}")
            if not answer.ok:
                raise _Refused(f"HTTP {answer.status} for {method} {path}: {_reason(text)}")
            return await answer.json() if text else None


def _reason(text: str) -> str:
    """The text of an error, without the id of the request."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
