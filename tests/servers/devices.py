"""Simulated devices that speak hawkBit's device API (DDI, `/{tenant}/controller/v1/{id}`); hundreds in one process.

Each device polls with some jitter, registers itself by the gateway token, sends its attributes when asked, takes
deployments, downloads every artifact and compares its sha256, reports steps, and ends as it was told to.
As a program: `python -m servers.devices --url … --gateway-token-env HAWKBIT_GATEWAY_TOKEN --count 25`.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import fnmatch
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from servers._loop import LoopThread
from servers._process import end_signal

__all__ = ["BEHAVIOURS", "Device", "Event", "SimulatedFleet", "device_ids"]

# succeed: installs. fail: ends with an error. stall: takes the deployment and reports progress for ever.
# vanish: is never heard of again (as a rule for a version: once it has been told to install that version).
BEHAVIOURS = ("succeed", "fail", "stall", "vanish")
CONNECTIONS = 64
REQUEST_SECONDS = 30.0
# The server keeps at most 1,000 status messages of one action.
STALL_SECONDS = 2.0
WAIT_CHECK_SECONDS = 0.05
FAILURE_CODE = 17


class _Gone(Exception):
    """The server no longer wants to hear of this action (404, 410)."""


class _Refused(Exception):
    """The server answered with an error that may pass (401, 429, 5xx …)."""


@dataclass(frozen=True)
class Event:
    """One thing that a device did. `time` is in seconds since the epoch.

    `what`: registered, attributes, taken, progress, downloaded, succeeded, failed, canceled, dropped, error.
    `action` is the server's id of the deployment, `version` the software version in it, `detail` says more.
    """

    time: float
    device: str
    what: str
    action: str = ""
    version: str = ""
    detail: str = ""


@dataclass
class _Deployment:
    """What a device is doing about one action."""

    action: str
    versions: list[str]
    update: str
    in_window: bool
    artifacts: list[dict[str, Any]]
    step: int = 0
    broken: str = ""
    reported: float = float("-inf")

    @property
    def version(self) -> str:
        """The versions of its software modules as one word: "2.1.0", "1.0+2.1.0"."""
        return "+".join(self.versions)


@dataclass
class Device:
    """One device. `installed` is the software version it runs, "" at first; `polls` counts answered polls."""

    id: str
    behaviour: str
    attributes: dict[str, str]
    installed: str = ""
    polls: int = 0
    deployment: _Deployment | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Rule:
    version: str
    behaviour: str
    wanted: Callable[[str], bool]


def device_ids(count: int, prefix: str = "dev-") -> list[str]:
    """Ids with numbers of equal width from 1 on: dev-01 … dev-25."""
    width = len(str(count))
    return [f"{prefix}{number:0{width}}" for number in range(1, count + 1)]


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


class SimulatedFleet:
    """Devices of the hawkBit server at `url`; they work in a background thread between `start()` and `stop()`.

    `poll_interval`: seconds between two polls of an idle device, `step_interval`: between two steps of an
    installation. `on_event` is called with each `Event` from that thread.
    """

    def __init__(
        self,
        url: str,
        gateway_token: str,
        *,
        poll_interval: float = 1.0,
        step_interval: float | None = None,
        tenant: str = "DEFAULT",
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.tenant = tenant
        self.poll_interval = poll_interval
        self.step_interval = min(poll_interval, 0.3) if step_interval is None else step_interval
        self.devices: dict[str, Device] = {}
        self.history: list[Event] = []
        self._gateway_token = gateway_token
        self._on_event = on_event
        self._rules: list[_Rule] = []
        self._thread: LoopThread | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # -- what tests use ------------------------------------------------------------------------------------

    def add(self, ids: Iterable[str], behaviour: str = "succeed", attributes: Mapping[str, str] | None = None) -> None:
        """Add devices, also while the fleet is running. ValueError for an id that is already there."""
        new = [Device(name, _known(behaviour), dict(attributes or {})) for name in ids]
        for device in new:
            if device.id in self.devices:
                raise ValueError(f"device {device.id} is already there")
            self.devices[device.id] = device
        if self._thread is not None:
            self._thread.call(self._launch(new))

    def behave(self, ids: str | Iterable[str], behaviour: str) -> None:
        """Change what devices do from now on; `ids` is a list or a pattern such as "dev-1*"."""
        wanted = _chooser(ids)
        for device in list(self.devices.values()):
            if wanted(device.id):
                device.behaviour = _known(behaviour)

    def on_version(self, version: str, behaviour: str, ids: str | Iterable[str] = "*") -> None:
        """Have devices behave so when a deployment brings this software module version; the latest rule wins."""
        self._rules = [_Rule(version, _known(behaviour), _chooser(ids)), *self._rules]

    def events(self, what: str | None = None, device: str | None = None, version: str | None = None) -> list[Event]:
        """What happened so far, narrowed down."""
        return [
            event
            for event in list(self.history)
            if what in (None, event.what) and device in (None, event.device) and version in (None, event.version)
        ]

    def wait(self, condition: Callable[[SimulatedFleet], object], timeout: float = 60.0) -> None:
        """Wait until the condition is true of this fleet; TimeoutError with a summary of it otherwise."""
        end = time.monotonic() + timeout
        while not condition(self):
            if time.monotonic() > end:
                trouble = [f"; {event.device}: {event.detail}" for event in self.events("error")[-1:]]
                raise TimeoutError(f"not within {timeout:g} s; so far: {self.summary()}{''.join(trouble)}")
            time.sleep(WAIT_CHECK_SECONDS)

    def wait_registered(self, timeout: float = 60.0) -> None:
        """Wait until every device that is to poll at all has been answered once."""
        self.wait(lambda _: all(d.polls or d.behaviour == "vanish" for d in list(self.devices.values())), timeout)

    def summary(self) -> dict[str, int]:
        """How often each thing happened."""
        return dict(collections.Counter(event.what for event in list(self.history)))

    def start(self) -> SimulatedFleet:
        """Have the devices work. Calling it again does nothing."""
        if self._thread is None:
            self._thread = LoopThread("devices")
            self._thread.call(self._launch(list(self.devices.values())))
        return self

    def stop(self) -> None:
        """Switch all devices off; they keep what they know. Calling it again does nothing."""
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                self._thread.call(self._close(), timeout=10)
            self._thread.stop()
            self._thread = None

    def __enter__(self) -> SimulatedFleet:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- one device ----------------------------------------------------------------------------------------

    async def _launch(self, devices: list[Device]) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
                headers={"Authorization": f"GatewayToken {self._gateway_token}", "Accept": "application/json"},
            )
        self._tasks += [asyncio.create_task(self._live(device)) for device in devices]

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _note(self, device: Device, what: str, detail: str = "") -> None:
        deployment = device.deployment
        about = (deployment.action, deployment.version) if deployment else ("", "")
        event = Event(time.time(), device.id, what, *about, detail)
        self.history.append(event)
        if self._on_event is not None:
            self._on_event(event)

    def _behaviour(self, device: Device) -> str:
        """What the device is told to do now; a rule for the version that it is to install comes first."""
        if device.deployment is not None:
            for rule in self._rules:
                if rule.version in device.deployment.versions and rule.wanted(device.id):
                    return rule.behaviour
        return device.behaviour

    async def _live(self, device: Device) -> None:
        await asyncio.sleep(random.uniform(0, self.poll_interval))
        trouble = ""
        while True:
            if self._behaviour(device) != "vanish":
                try:
                    await self._poll(device)
                    trouble = ""
                except _Gone as error:
                    self._note(device, "dropped", str(error))
                    device.deployment = None
                except (_Refused, aiohttp.ClientError, TimeoutError) as error:
                    # The next poll tries again; the same trouble is written down once.
                    if trouble != (trouble := str(error) or type(error).__name__):
                        self._note(device, "error", trouble)
            busy = device.deployment is not None and self._behaviour(device) in ("succeed", "fail")
            pause = self.step_interval if busy else self.poll_interval
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    async def _poll(self, device: Device) -> None:
        """Ask the server what there is to do and do one step of it."""
        me = f"/{self.tenant}/controller/v1/{quote(device.id, safe='')}"
        answer = await self._request("GET", me)
        device.polls += 1
        if device.polls == 1:
            self._note(device, "registered")
        links = {name: _path(link["href"]) for name, link in answer.get("_links", {}).items()}
        # hawkBit refuses an empty map of attributes.
        if "configData" in links and device.attributes:
            await self._request("PUT", links["configData"], {"mode": "merge", "data": device.attributes})
            self._note(device, "attributes")
        if "cancelAction" in links:
            await self._cancel(device, links["cancelAction"])
        elif "deploymentBase" in links:
            await self._deploy(device, me, links["deploymentBase"])
        elif device.deployment is not None:
            # Force-quit or deleted on the server.
            raise _Gone("the server takes the deployment back")

    async def _cancel(self, device: Device, path: str) -> None:
        cancel = await self._request("GET", path)
        stopped = cancel["cancelAction"]["stopId"]
        if device.deployment is None or device.deployment.action != stopped:
            device.deployment = _Deployment(stopped, [], "", True, [])
        body = {"id": cancel["id"], "status": {"execution": "closed", "result": {"finished": "success"}}}
        await self._request("POST", f"{path.partition('?')[0]}/feedback", body)
        self._note(device, "canceled")
        device.deployment = None

    async def _deploy(self, device: Device, me: str, path: str) -> None:
        """Take the deployment or do its next step."""
        action = path.partition("?")[0].rpartition("/")[2]
        current = device.deployment
        if current is None or current.action != action:
            current = device.deployment = _read(await self._request("GET", path), action)
            self._note(device, "taken")
        elif not current.in_window:
            current.update, current.in_window = _window(await self._request("GET", path))
        feedback = f"{me}/deploymentBase/{action}/feedback"
        told = self._behaviour(device)
        if told == "stall":
            if time.monotonic() - current.reported >= STALL_SECONDS:
                await self._report(device, feedback, "proceeding", "waiting for a free moment to install")
                current.reported = time.monotonic()
        elif told != "vanish":
            await self._step(device, current, feedback, told == "fail")

    async def _step(self, device: Device, current: _Deployment, feedback: str, fail: bool) -> None:
        """Download, install, report: one step a call."""
        if current.step == 0:
            await self._report(device, feedback, "proceeding", f"download of {len(current.artifacts)} artifacts begins")
            current.step = 1
        elif current.step == 1:
            for artifact in current.artifacts:
                current.broken = current.broken or await self._download(artifact)
            self._note(device, "downloaded", current.broken)
            current.step = 2
        elif current.update == "skip" and not current.broken:
            # Outside its maintenance window a device waits; without a window this is a download-only deployment.
            if current.in_window:
                await self._report(device, feedback, "downloaded", "downloaded, not to be installed")
                self._end(device, "succeeded", "download only")
        elif current.step == 2 and not current.broken:
            await self._report(device, feedback, "proceeding", f"installing {current.version}")
            current.step = 3
        elif current.broken or fail:
            messages = [current.broken] if current.broken else _failure(device)
            await self._report(device, feedback, "closed", *messages, finished="failure", code=FAILURE_CODE)
            self._end(device, "failed", messages[0])
        else:
            await self._report(device, feedback, "closed", f"{current.version} is running", finished="success")
            device.installed = current.version
            self._end(device, "succeeded")

    def _end(self, device: Device, what: str, detail: str = "") -> None:
        self._note(device, what, detail)
        device.deployment = None

    async def _report(
        self,
        device: Device,
        path: str,
        execution: str,
        *details: str,
        finished: str = "none",
        code: int | None = None,
    ) -> None:
        assert device.deployment is not None
        status: dict[str, Any] = {"execution": execution, "result": {"finished": finished}, "details": list(details)}
        if code is not None:
            status["code"] = code
        # hawkBit up to 0.3.0M7 answers 404 to feedback without the id.
        await self._request("POST", path, {"id": device.deployment.action, "status": status})
        if execution == "proceeding":
            self._note(device, "progress", details[0])

    async def _download(self, artifact: Mapping[str, Any]) -> str:
        """Download an artifact; "" if it is what was promised, else what is wrong."""
        assert self._session is not None
        links = artifact["_links"]
        link = links.get("download") or links["download-http"]
        digest = hashlib.sha256()
        size = 0
        async with self._session.get(URL(self.url + _path(link["href"]), encoded=True)) as answer:
            if answer.status != 200:
                raise _Refused(f"HTTP {answer.status} for {artifact['filename']}")
            async for chunk in answer.content.iter_any():
                digest.update(chunk)
                size += len(chunk)
        name, promised = artifact["filename"], artifact["hashes"]
        if size != artifact["size"]:
            return f"{name} has {size} bytes, {artifact['size']} were promised"
        # hawkBit up to 0.2 sends no sha256.
        if digest.hexdigest() != promised.get("sha256", digest.hexdigest()):
            return f"sha256 of {name} is {digest.hexdigest()}, promised was {promised['sha256']}"
        return ""

    async def _request(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the answer's JSON, {} without one."""
        assert self._session is not None
        async with self._session.request(method, URL(self.url + path, encoded=True), json=body) as answer:
            text = await answer.text()
            if answer.status in (404, 410):
                raise _Gone(f"HTTP {answer.status} for {method} {path}")
            if not answer.ok:
                raise _Refused(f"HTTP {answer.status} for {method} {path}: {text[:200]}")
            try:
                return json.loads(text) if text else {}
            except ValueError:
                raise _Refused(f"no JSON for {method} {path}: {text[:200]}") from None


def _path(href: str) -> str:
    """Path and query of a link; its host is whatever the server takes itself for, so it is not used."""
    parts = urlsplit(href)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _window(answer: Mapping[str, Any]) -> tuple[str, bool]:
    """How to update ("skip", "attempt", "forced"), and whether it is allowed at this time."""
    deployment = answer["deployment"]
    return deployment["update"], deployment.get("maintenanceWindow", "available") == "available"


def _read(answer: Mapping[str, Any], action: str) -> _Deployment:
    update, in_window = _window(answer)
    chunks = answer["deployment"]["chunks"]
    versions = sorted({chunk["version"] for chunk in chunks})
    artifacts = [artifact for chunk in chunks for artifact in chunk["artifacts"]]
    return _Deployment(action, versions, update, in_window, artifacts)


def _failure(device: Device) -> list[str]:
    """What a device says about a failed installation: the same device always the same."""
    address = int(hashlib.sha256(device.id.encode()).hexdigest()[:5], 16) & ~0xFF
    return [f"flash write error at 0x{address:08x}", f"still running {device.installed or 'the factory software'}"]


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the text above."""
    parser = argparse.ArgumentParser(prog="python -m servers.devices", description="Simulated hawkBit devices.")
    parser.add_argument("--url", required=True, help="address of the hawkBit server")
    parser.add_argument("--gateway-token-env", required=True, metavar="VAR", help="variable that holds the token")
    parser.add_argument("--tenant", default="DEFAULT")
    parser.add_argument("--count", type=int, default=25)
    parser.add_argument("--prefix", default="dev-")
    parser.add_argument("--behaviour", choices=BEHAVIOURS, default="succeed")
    parser.add_argument("--attribute", action="append", default=[], metavar="KEY=VALUE", help="may be repeated")
    parser.add_argument("--poll-interval", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--fail-version", metavar="VERSION", help="software version that fails to install")
    parser.add_argument("--fail-share", type=float, default=1.0, help="on which part of the devices (default: all)")
    options = parser.parse_args(arguments)
    token = os.environ.get(options.gateway_token_env)
    if not token:
        parser.error(f"the environment has no {options.gateway_token_env}")
    told = end_signal()

    def show(event: Event) -> None:
        print(event.device, event.what, event.version, event.detail, flush=True)

    fleet = SimulatedFleet(
        options.url, token, poll_interval=options.poll_interval, tenant=options.tenant, on_event=show
    )
    ids = device_ids(options.count, options.prefix)
    fleet.add(ids, options.behaviour, dict(pair.split("=", 1) for pair in options.attribute))
    if options.fail_version:
        fleet.on_version(options.fail_version, "fail", ids[: round(options.fail_share * len(ids))])
    with fleet:
        told.wait()
    print(json.dumps(fleet.summary()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
