"""Fixtures of the integration tests; those for servers and devices are in servers/fixtures.py."""

from __future__ import annotations

import os
import secrets
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from integration.targets_run import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.hawkbit import HawkbitServer

# the same words for the generations that platform_info uses
GENERATIONS = {"seed": "seed", "mid": "legacy", "modern": "modern"}
REPORTS = Path(__file__).resolve().parents[2] / ".cache" / "reports"
TABLES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the list of tables."""
    config.stash[TABLES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what tests have measured."""
    for table in config.stash[TABLES]:
        terminalreporter.write_line("")
        terminalreporter.write_line(table)


if AnsibleCollectionConfig.collection_finder is None:
    # tests/conftest.py, which pytest loads before this file, has put the checkout there
    _AnsibleCollectionFinder(paths=[os.environ["ANSIBLE_COLLECTIONS_PATH"]])._install()


@pytest.fixture(scope="session")
def variables(hawkbit: HawkbitServer) -> dict[str, Any]:
    """What playbooks need to know about the server; the secrets are new in each session."""
    return {
        "hawkbit_url": hawkbit.url,
        "hawkbit_username": hawkbit.username,
        "hawkbit_password": hawkbit.password,
        "hawkbit_reader": hawkbit.reader,
        "hawkbit_reader_password": hawkbit.reader_password,
        "hawkbit_generation": GENERATIONS[hawkbit.generation],
        "security_token": secrets.token_urlsafe(32),
        "hostile_text": 'Gerät "1" {{ 7 * 7 }} \'; $(id) 100 %',
    }


@pytest.fixture(scope="session")
def targets(
    hawkbit: HawkbitServer,
    variables: dict[str, Any],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Targets]:
    """The targets of all modules that are tested in this session, under way."""
    wanted = {
        str(item.callspec.params["module"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "module" in item.callspec.params
    }
    found = Targets(hawkbit, variables, tmp_path_factory.mktemp(f"targets-{hawkbit.version}"), sorted(wanted))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def heavy(hawkbit: HawkbitServer, request: pytest.FixtureRequest) -> HawkbitServer:
    """The same server; skips the test on releases between the newest and the oldest: it takes long."""
    from servers.fixtures import _versions

    versions = _versions(request.config)
    if hawkbit.version not in (versions[0], versions[-1]):
        pytest.skip(f"heavy: it runs on {versions[0]} and {versions[-1]} only")
    return hawkbit


@pytest.fixture
def show_table(hawkbit: HawkbitServer, request: pytest.FixtureRequest) -> Callable[[str, list[list[str]]], None]:
    """A function that prints a table at the end of the session and keeps it in .cache/reports."""

    def show(name: str, rows: list[list[str]]) -> None:
        widths = [max(len(cell) for cell in column) for column in zip_longest(*rows, fillvalue="")]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
        ]
        text = "\n".join([f"{name}, hawkBit {hawkbit.version}", *lines])
        request.config.stash[TABLES].append(text)
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / f"{name}-{hawkbit.version}.txt").write_text(f"{text}\n")

    return show
