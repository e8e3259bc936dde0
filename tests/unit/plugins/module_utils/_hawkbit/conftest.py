"""What the tests of the hawkBit client share: fakes of each generation, clients of them, tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core import clock, transport, waiter
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Transport
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import Hawkbit
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rules import RULES

from .fake import FakeHawkbit

FOREIGN = ("PROXY", "CA_BUNDLE", "SSL_CERT", "HAWKBIT_", "NETRC")
GENERATIONS = ("seed", "legacy", "modern")


@pytest.fixture(autouse=True)
def quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine says about proxies and credentials, and make pauses short."""
    for name in os.environ:
        if any(part in name.upper() for part in FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setattr(clock, "BACKOFF_FIRST", 0.001)
    monkeypatch.setattr(transport, "RATE_LIMIT_PAUSE", 0.001)
    monkeypatch.setattr(waiter, "LEAST_INTERVAL", 0.001)
    for name in ("SETTLE_PAUSES", "SETTLE_PAUSES_SLOW"):
        monkeypatch.setattr(transport, name, (0.0, 0.001))


MakeFake = Callable[[str], FakeHawkbit]


@pytest.fixture
def make_fake() -> Iterator[MakeFake]:
    """Return a function that starts a fake of a generation."""
    started: list[FakeHawkbit] = []

    def make(generation: str) -> FakeHawkbit:
        fake = FakeHawkbit(generation)
        started.append(fake)
        fake.server.__enter__()
        return fake

    yield make
    for fake in started:
        fake.server.__exit__(None, None, None)


@pytest.fixture(params=GENERATIONS)
def fake(request: pytest.FixtureRequest, make_fake: MakeFake) -> FakeHawkbit:
    """A fake of each generation."""
    return make_fake(request.param)


@pytest.fixture
def modern(make_fake: MakeFake) -> FakeHawkbit:
    """A fake of the modern generation."""
    return make_fake("modern")


Client = Callable[..., Hawkbit]


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a function that connects to an address or a fake."""
    made: list[Transport] = []

    def connect(server: FakeHawkbit | str, check_mode: bool = False, **options: Any) -> Hawkbit:
        url = server if isinstance(server, str) else server.server.url
        given = {"username": "admin", "password": "a-long-password", "request_timeout": 5.0, "request_retries": 2}
        connection = Connection(url=url, **{**given, **options})
        made.append(Transport(connection, check_mode=check_mode, rules=RULES))
        return Hawkbit(made[-1])

    yield connect
    for one in made:
        one.close()


def defaults(spec: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return the options of an argument spec as Ansible fills them in, those of dictionaries included."""
    filled: dict[str, Any] = {}
    for name, option in spec.items():
        value = given.get(name, option.get("default"))
        if value is not None and "options" in option:
            several = isinstance(value, list)
            entries = [defaults(option["options"], **entry) for entry in (value if several else [value])]
            value = entries if several else entries[0]
        filled[name] = value
    unknown = set(given) - set(spec)
    assert not unknown, f"no such option: {unknown}"
    return filled


@dataclass
class Ran:
    """What became of a task: its result, or how it failed."""

    task: Task
    result: dict[str, Any]
    error: FleetError | None
    warnings: list[str]
    progress: list[str]


Run = Callable[..., Ran]


@pytest.fixture
def run() -> Run:
    """Return a function that runs a module's `run` against a fake, with quick waits."""

    def call(
        module: Any, fake: FakeHawkbit | str, *, check_mode: bool = False, diff_mode: bool = False, **given: Any
    ) -> Ran:
        url = fake if isinstance(fake, str) else fake.server.url
        spec = module.SPEC.argument_spec
        quick = {"url": url, "username": "admin", "password": "a-long-password", "request_retries": 1}
        if "wait_interval" in spec:
            quick.update(wait_interval=0.001, wait_timeout=20)
        warnings: list[str] = []
        progress: list[str] = []
        task = Task(
            defaults(spec, **{**quick, **given}), check_mode, diff_mode, warn=warnings.append, progress=progress.append
        )
        try:
            return Ran(task, module.run(task), None, warnings, progress)
        except FleetError as error:
            return Ran(task, error.render(), error, warnings, progress)

    return call
