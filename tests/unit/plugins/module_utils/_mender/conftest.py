"""What the tests of the Mender client share: fakes of each generation, clients of them, tasks."""

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
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import Mender
from ansible_collections.fleet.deploy.plugins.module_utils._mender.rules import RULES

from .fake import GENERATIONS, FakeMender

FOREIGN = ("PROXY", "CA_BUNDLE", "SSL_CERT", "MENDER_", "NETRC")


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


@pytest.fixture
def mender() -> Iterator[FakeMender]:
    """A fake of the newest generation."""
    with FakeMender() as found:
        yield found


@pytest.fixture(params=GENERATIONS)
def every(request: pytest.FixtureRequest) -> Iterator[FakeMender]:
    """A fake of each generation."""
    with FakeMender(request.param) as found:
        yield found


Client = Callable[..., Mender]


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a function that connects to an address or a fake, with the token that the fake accepts."""
    made: list[Transport] = []

    def connect(server: FakeMender | str, *, code: str | None = None, **options: Any) -> Mender:
        url = server if isinstance(server, str) else server.server.url
        given: dict[str, Any] = {"request_timeout": 5.0, "request_retries": 2}
        if "username" not in options:
            given["token"] = "a-long-token"
        made.append(Transport(Connection(url=url, **{**given, **options}), rules=RULES))
        return Mender(made[-1], code)

    yield connect
    for one in made:
        one.close()


def defaults(spec: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return the options of an argument spec as Ansible fills them in, those of dictionaries included."""
    filled: dict[str, Any] = {}
    for name, option in spec.items():
        value = given.get(name, option.get("default"))
        if value is not None and "options" in option:
            listed = isinstance(value, list)
            value = [defaults(option["options"], **item) for item in (value if listed else [value])]
            value = value if listed else value[0]
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


Run = Callable[..., Ran]


@pytest.fixture
def run() -> Run:
    """Return a function that runs a module's `run` against a fake, with quick waits."""

    def call(
        module: Any, fake: FakeMender | str, *, check_mode: bool = False, diff_mode: bool = False, **given: Any
    ) -> Ran:
        spec = module.SPEC.argument_spec
        quick: dict[str, Any] = {"url": fake if isinstance(fake, str) else fake.server.url, "request_retries": 2}
        if "username" not in given:
            quick["token"] = "a-long-token"
        if "wait_interval" in spec:
            quick.update(wait_interval=0.001, wait_timeout=20)
        warnings: list[str] = []
        task = Task(defaults(spec, **{**quick, **given}), check_mode, diff_mode, warn=warnings.append)
        try:
            return Ran(task, module.run(task), None, warnings)
        except FleetError as error:
            return Ran(task, error.render(), error, warnings)

    return call
