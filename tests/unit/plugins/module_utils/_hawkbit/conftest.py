"""What the tests of the hawkBit client share: fakes of each generation, clients of them, tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core import clock, transport
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
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
