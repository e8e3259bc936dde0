"""A simulated Mender server on loopback, for tests and benchmarks: no released one can be run on its own.

It keeps state and speaks HTTP: deployments (management and devices' interface), inventory, admission, login, and
the check of tokens at the gateway. `version` and `edition` switch what servers do differently, defects included;
`_mender_versions` lists it. Artifacts lie on another host name and port, behind presigned links.
As a program: `python -m servers.mender --version 4.1 --edition open_source` prints one JSON line when it answers.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import requests
from aiohttp import web

from servers._loop import LoopThread
from servers._mender_access import Access, User
from servers._mender_artifacts import Artifacts
from servers._mender_deployments import Deployment, Deployments
from servers._mender_file import ArtifactFile, read_artifact, write_artifact
from servers._mender_fleet import Fleet
from servers._mender_http import Answer, Call, Drop, Refusal, Route, Router, error_answer
from servers._mender_inventory import Device, Inventory, Key
from servers._mender_management import Management, Settings
from servers._mender_storage import Storage
from servers._mender_versions import EDITIONS, FEATURES, features
from servers._process import end_signal
from servers.mender_devices import MenderFleet

__all__ = ["EDITIONS", "VERSIONS", "ArtifactFile", "MenderServer", "Settings", "read_artifact", "write_artifact"]

T = TypeVar("T")
VERSIONS = tuple(FEATURES)
BODY_LIMIT = 1024 * 1024
UPLOADS = ("/artifacts", "/artifacts/generate")
START_SECONDS = 30.0
MINUTE = 60.0


def _secret() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class MenderServer:
    """One simulated server. `start()` it or use it in a `with` statement.

    `version`: one of VERSIONS. `edition`: one of EDITIONS; open_source ignores what it does not know, professional
    has one phase, enterprise all. `changes` switches single features of the version, see `_mender_versions`.
    `gateway`: whether tokens are checked; the services behind it do not. `two_factor`: the code that a login needs.
    `token_seconds`: how long a login is good for. `rate_limit`: requests a minute of one user until 429.
    `settings`: more, see `Settings`. `token` is a personal access token of `username`; `reader` may only read,
    `stranger` logs in elsewhere (single sign-on). The methods may be called from any thread.
    """

    version: str = "4.1"
    edition: str = "open_source"
    changes: dict[str, bool] = field(default_factory=dict)
    gateway: bool = True
    two_factor: str = ""
    token_seconds: float = 604_800.0
    rate_limit: int | None = None
    settings: Settings = field(default_factory=Settings)
    port: int = 0
    username: str = "admin@example.com"
    password: str = field(default_factory=_secret, repr=False)
    reader: str = "reader@example.com"
    stranger: str = "sso@example.com"
    token: str = field(default="", init=False, repr=False)
    answered: int = field(default=0, init=False)
    """How many requests were answered, those of devices included; the object storage is not counted."""
    faults: int = field(default=0, init=False)
    """How often the simulator itself failed."""
    _thread: LoopThread | None = field(default=None, init=False, repr=False)
    _runners: list[web.ServerRunner] = field(default_factory=list, init=False, repr=False)
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, init=False, repr=False)
    _storage_port: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.edition not in EDITIONS:
            raise ValueError(f"no such edition: {self.edition!r}; there are {', '.join(EDITIONS)}")
        self.features = features(self.version, self.changes)
        users = [
            User(self.username, self.password, two_factor=self.two_factor),
            User(self.reader, self.password, reader=True),
            User(self.stranger, self.password, sso=True),
        ]
        self.access = Access(users, self.token_seconds)
        self.storage = Storage()
        self.inventory = Inventory("key_set" in self.features)
        self.artifacts = Artifacts(self.features)
        self.deployments = Deployments(self.features, self.edition, self.artifacts, self.inventory)
        self._management = Management(self.features, self.artifacts, self.deployments, self.storage, self.settings)
        fleet = Fleet(self.features, self.edition, self.inventory, self.deployments)
        self._router = Router([*self._management.routes(), *fleet.routes(), *self.access.routes()])
        self._minutes: dict[str, tuple[float, int]] = {}
        self.token = self.access.personal_token(self.username, "simulator")

    # -- what tests use ------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._thread is not None

    @property
    def storage_url(self) -> str:
        """What presigned links begin with; set another one to put a proxy in between."""
        return self.storage.url

    @storage_url.setter
    def storage_url(self, url: str) -> None:
        self.storage.url = url.rstrip("/")

    @property
    def logins(self) -> int:
        """How many logins succeeded."""
        return self.access.logins

    def session(self) -> requests.Session:
        """A session of `requests` with the administrator's token, for set-up and checks in tests."""
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token}"
        # A proxy or a .netrc of the environment has no business with a server on loopback.
        session.trust_env = False
        return session

    def device_token(self, device: str) -> str:
        """The token with which a device asks."""
        return self.access.device_token(device)

    def expired_token(self) -> str:
        """A token of the administrator that has expired an hour ago."""
        return self.access.issue(self.username, {"mender.user": True}, -3600)[0]

    def add_devices(
        self,
        ids: int | Iterable[str],
        device_type: str = "generic-x86_64",
        artifact: str = "factory",
        group: str = "",
        attributes: Mapping[str, Any] | Callable[[int, str], Mapping[str, Any]] | None = None,
        status: str = "accepted",
    ) -> list[str]:
        """Add devices, so many with random ids or those of a list; returns their ids.

        `attributes`: more attributes of the inventory by name, or a function that gives a device its own (of its
        number and id). A name may carry its scope: "identity/mac", "tags/name". 100,000 devices take a second.
        """
        shared: dict[Key, Any] = {("inventory", "device_type"): device_type, ("inventory", "artifact_name"): artifact}
        own: Callable[[int, str], Mapping[Key, Any]] | None = None
        if callable(attributes):
            make = attributes

            def own(number: int, name: str) -> Mapping[Key, Any]:
                return _scoped(make(number, name))

        else:
            shared |= _scoped(attributes or {})
        return self._run(lambda: self.inventory.add(ids, shared, own, status, group))

    def remove_devices(self, ids: Iterable[str]) -> None:
        """Remove devices from the inventory."""
        self._run(lambda: [self.inventory.remove(name) for name in ids])

    def device(self, name: str) -> Device:
        """A device of the inventory."""
        return self.inventory.devices[name]

    def deployment(self, name: str) -> Deployment:
        """A deployment by its id; KeyError without it."""
        return self.deployments.all[name]

    def upload(self, path: Path, description: str = "") -> str:
        """Upload an artifact over HTTP; returns its id. RuntimeError if it is refused."""
        with self.session() as session, path.open("rb") as file:
            answer = session.post(
                f"{self.url}/api/management/v1/deployments/artifacts",
                data={"description": description},
                files={"artifact": (path.name, file)},
                timeout=600,
            )
        if answer.status_code != 201:
            raise RuntimeError(f"HTTP {answer.status_code}: {answer.text}")
        return answer.headers["Location"].rpartition("/")[2]

    def add_artifact(self, name: str, device_types: Iterable[str], content: bytes = b"payload\n") -> str:
        """Make a small artifact and upload it; returns its id."""
        with tempfile.TemporaryDirectory() as folder:
            path = write_artifact(Path(folder, "new.mender"), name, list(device_types), {"payload.txt": content})
            return self.upload(path)

    def generated(self, name: str) -> str | None:
        """How the making of an artifact ended: "" well, else why not; None while it goes on. No interface tells."""
        return self._management.generated.get(name)

    def _run(self, work: Callable[[], T]) -> T:
        """Do something with the state in the server's thread."""
        if self._thread is None:
            return work()

        async def run() -> T:
            return work()

        return self._thread.call(run(), timeout=60)

    # -- life ----------------------------------------------------------------------------------------------

    def start(self) -> MenderServer:
        """Start it; it answers when this returns. Calling it again does nothing."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="fleet-deploy-mender-")
            self.storage.folder = Path(self._folder.name)
        if self._thread is None:
            self._thread = LoopThread("mender")
            try:
                self._thread.call(self._open(), timeout=START_SECONDS)
            except BaseException:
                self.stop()
                raise
        return self

    async def _open(self) -> None:
        # The storage has another host name than the interface, as in real life.
        addresses = []
        for handler, port in ((self._handle, self.port), (self.storage.handle, self._storage_port)):
            runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.2)
            self._runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            addresses.append(runner.addresses[0][1])
        self.port, self._storage_port = addresses
        self.storage_url = self.storage_url or f"http://localhost:{self._storage_port}"

    async def _close(self) -> None:
        self._management.close()
        for runner in self._runners:
            await runner.cleanup()
        self._runners = []

    def interrupt(self) -> None:
        """Stop it, but keep all that it knows: `start()` has it answer again at the same address."""
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                self._thread.call(self._close(), timeout=10)
            self._thread.stop()
            self._thread = None

    def stop(self) -> None:
        """Stop it and delete its files. Calling it again does nothing."""
        self.interrupt()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> MenderServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- gateway -------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.answered += 1
        limited = "body_limit" in self.features and not request.path.endswith(UPLOADS)
        call = Call(request, BODY_LIMIT if limited else None)
        try:
            answer = await self._answer(call)
        except Refusal as refusal:
            answer = error_answer(refusal, call.request_id)
        except (RecursionError, TypeError, ValueError, LookupError, AttributeError):
            # a fault of the simulator; the real one says no more than this either
            traceback.print_exc()
            self.faults += 1
            answer = error_answer(Refusal(500, "internal error"), call.request_id)
        except Drop:
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        return answer.response(call.request_id)

    async def _answer(self, call: Call) -> Answer:
        route, call.parameters = self._router.find(call.method, call.raw_path)
        self._admit(route, call)
        if self.rate_limit is not None and call.user:
            retry = self._too_fast(call.user, self.rate_limit)
            if retry is not None:
                answer = error_answer(Refusal(429, "too many requests"), call.request_id)
                answer.headers["Retry-After"] = str(retry)
                return answer
        return await route.handler(call)

    def _admit(self, route: Route, call: Call) -> None:
        """Check the token. Without a gateway a token only says who asks."""
        if not self.gateway:
            call.user, call.device = self.username, _subject(call)
        elif route.who == "user":
            self.access.check_user(call)
        elif route.who == "device":
            self.access.check_device(call)
            device = self.inventory.devices.get(call.device)
            if device is None or device.status != "accepted":
                raise Refusal(401, "unauthorized")

    def _too_fast(self, user: str, limit: int) -> int | None:
        """Seconds until the user may ask again; None if now."""
        now = time.monotonic()
        began, count = self._minutes.get(user, (now, 0))
        if now - began >= MINUTE:
            began, count = now, 0
        self._minutes[user] = (began, count + 1)
        return max(1, round(MINUTE - (now - began))) if count >= limit else None


def _scoped(attributes: Mapping[str, Any]) -> dict[Key, Any]:
    """Attributes by scope and name; a name without a scope belongs to the inventory."""
    found: dict[Key, Any] = {}
    for name, value in attributes.items():
        scope, slash, rest = name.partition("/")
        found[(scope, rest) if slash else ("inventory", name)] = value
    return found


def _subject(call: Call) -> str:
    """Who a token says that it is, whatever its signature."""
    parts = call.request.headers.get("Authorization", "").rpartition(" ")[2].split(".")
    if len(parts) < 2:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    return str(claims.get("sub", ""))


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the text above."""
    parser = argparse.ArgumentParser(prog="python -m servers.mender", description="Runs a simulated Mender server.")
    parser.add_argument("--version", choices=VERSIONS, default="4.1", help="version (default: %(default)s)")
    parser.add_argument("--edition", choices=EDITIONS, default="open_source", help="edition (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port on loopback (default: a free one)")
    parser.add_argument("--devices", type=int, default=0, help="so many devices in its inventory")
    parser.add_argument("--switch-on", action="store_true", help="have these devices install what they are given")
    options = parser.parse_args(arguments)
    told = end_signal()
    server = MenderServer(version=options.version, edition=options.edition, port=options.port)
    ids = server.add_devices(options.devices, attributes=lambda number, _name: {"hostname": f"device-{number}"})
    with server, contextlib.ExitStack() as stack:
        if options.switch_on:
            stack.enter_context(MenderFleet(server.url, server.device_token)).add(ids)
        keys = ("url", "username", "password", "token", "version", "edition", "storage_url")
        print(json.dumps({key: getattr(server, key) for key in keys}), flush=True)
        told.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
