"""Pytest fixtures for tests against a real hawkBit: `hawkbit`, `proxy` in front of it, `fleet` of devices.

A test that uses `hawkbit` runs once for each version in `--hawkbit` (by default one of each generation). A version
that cannot be had here is a skip that says why. With FLEET_DEPLOY_REQUIRE_SERVERS=1 at least one must run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.devices import SimulatedFleet
    from servers.fault_proxy import FaultProxy
    from servers.hawkbit import HawkbitServer

REQUIRE = "FLEET_DEPLOY_REQUIRE_SERVERS"
POLL_SECONDS = 0.5
RAN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --hawkbit and --mender."""
    parser.addoption(
        "--hawkbit",
        metavar="VERSIONS",
        help="hawkBit releases to test against, with commas, or 'more': those that are not among the default, "
        "which is one of the newest and one of the oldest generation",
    )
    parser.addoption(
        "--mender",
        metavar="VERSIONS",
        help="versions of the simulated Mender server to test against, with commas, or 'more': those that are not "
        "among the default, which is the oldest and the newest one",
    )


def _versions(config: pytest.Config) -> list[str]:
    from servers.hawkbit import DEFAULT_VERSIONS, MORE_VERSIONS

    chosen = config.getoption("--hawkbit")
    if chosen == "more":
        return list(MORE_VERSIONS)
    return [version.strip() for version in chosen.split(",")] if chosen else list(DEFAULT_VERSIONS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that wants a hawkBit with each version."""
    if "hawkbit" in metafunc.fixturenames:
        metafunc.parametrize("hawkbit", _versions(metafunc.config), indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which servers the result is about."""
    for line in config.stash.get(RAN, []):
        terminalreporter.write_line(line)


def start_or_skip(version: str, config: pytest.Config, log: Path) -> HawkbitServer:
    """A running hawkBit; skips the test with the reason if it cannot be had.

    Fails it instead if servers are required and none of the versions that are asked for can be had.
    """
    from servers.hawkbit import HawkbitServer, Unavailable, can_run

    server = HawkbitServer(version=version, log_path=log)
    try:
        server.start()
    except Unavailable as error:
        if os.environ.get(REQUIRE) == "1" and not any(can_run(other) for other in _versions(config)):
            pytest.fail(f"{REQUIRE} is set, and no hawkBit can be had. {error}", pytrace=False)
        pytest.skip(str(error))
    config.stash.setdefault(RAN, []).append(
        f"hawkBit {server.version} ({server.origin}) ran on Java {server.java}, ready in {server.start_seconds:.1f} s"
    )
    return server


@pytest.fixture(scope="session")
def hawkbit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HawkbitServer]:
    """A running hawkBit; one version at a time, shared by all tests of that version: use names of your own."""
    log = tmp_path_factory.mktemp("hawkbit") / f"hawkbit-{request.param}.log"
    server = start_or_skip(request.param, request.config, log)
    with server:
        yield server


@pytest.fixture(scope="session")
def _proxy(hawkbit: HawkbitServer) -> Iterator[FaultProxy]:
    from servers.fault_proxy import FaultProxy

    with FaultProxy(hawkbit.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(_proxy: FaultProxy) -> FaultProxy:
    """A fault proxy in front of `hawkbit`, without faults and with an empty wire."""
    _proxy.heal()
    _proxy.clear()
    return _proxy


@pytest.fixture
def fleet(hawkbit: HawkbitServer) -> Iterator[SimulatedFleet]:
    """A running fleet of `hawkbit` without devices: `add()` them. They are switched off at the end of the test."""
    from servers.devices import SimulatedFleet

    with SimulatedFleet(hawkbit.url, hawkbit.gateway_token, poll_interval=POLL_SECONDS) as fleet:
        yield fleet
