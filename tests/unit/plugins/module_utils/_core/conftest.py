"""What the tests of the core share: a clean environment, short pauses, transports, certificates."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ansible_collections.fleet.deploy.plugins.module_utils._core import clock, transport
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Transport

FOREIGN = ("PROXY", "CA_BUNDLE", "SSL_CERT", "HAWKBIT_", "NETRC")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what the machine says about proxies, certificates and credentials."""
    for name in os.environ:
        if any(part in name.upper() for part in FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses between tries a hundredth of what they are; their number and order stay."""
    monkeypatch.setattr(clock, "BACKOFF_FIRST", clock.BACKOFF_FIRST / 100)
    monkeypatch.setattr(transport, "RATE_LIMIT_PAUSE", transport.RATE_LIMIT_PAUSE / 100)
    for name in ("SETTLE_PAUSES", "SETTLE_PAUSES_SLOW"):
        monkeypatch.setattr(transport, name, tuple(pause / 100 for pause in getattr(transport, name)))


Connect = Callable[..., Transport]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that makes a transport to an address; it takes the options of Connection and Transport."""
    made: list[Transport] = []

    def make(url: str, **options: Any) -> Transport:
        others = {name: options.pop(name) for name in ("check_mode", "rules", "redactor", "headers") if name in options}
        given = {"username": "admin", "password": "a-long-Password", "request_timeout": 5.0, "request_retries": 3}
        if "token" in options:
            given.update(username=None, password=None)
        made.append(Transport(Connection(url=url, **{**given, **options}), **others))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Authority:
    """A certificate authority with a server's certificate for 127.0.0.1, in files."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        folder.mkdir()
        self.ca_path = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.ca_path)

    def server_context(self, *names: str, client: bool = False) -> ssl.SSLContext:
        """Return the context of a server that bears these names (127.0.0.1); `client`: asks for a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.ca.configure_trust(context)
        return context

    def client_files(self, name: str = "controller") -> tuple[str, str]:
        """Return the paths of a client's certificate and of its key."""
        issued = self.ca.issue_cert(f"{name}@example.com")
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(cert))
        issued.private_key_pem.write_to_path(str(key))
        return str(cert), str(key)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that only who is given its `ca_path` trusts."""
    return Authority(tmp_path_factory.mktemp("authority") / "ca")
