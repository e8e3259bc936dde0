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
from integration.targets_run import HawkbitSide, Targets

from servers.fixtures import start_or_skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.hawkbit import HawkbitServer

# the same words for the generations that platform_info uses
GENERATIONS = {"seed": "seed", "mid": "legacy", "modern": "modern"}
# simulated ones, and those of them that tests run on if nothing else is said
MENDER = ("seed", "4.5", "4.0", "4.1")
MENDER_DEFAULT = (MENDER[0], MENDER[-1])
REPORTS = Path(__file__).resolve().parents[2] / ".cache" / "reports"
TABLES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the list of tables, and a mark for tests that take long."""
    config.stash[TABLES] = []
    config.addinivalue_line(
        "markers", "only(*which): run on the 'newest' or 'oldest' server of the session, or on both"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests out on servers that they are not for, or that are not asked for."""
    from servers.hawkbit import can_run

    asked = _mender_versions(config)
    others = [item for item in items if _mender_version(item) not in (None, *asked)]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
    versions = list(dict.fromkeys(version for item in items if (version := _version(item)) is not None))
    here = [version for version in versions if can_run(version)] or versions
    if not here:
        return
    named = {"newest": here[0], "oldest": here[-1]}
    left_out = []
    for item in items:
        mark = item.get_closest_marker("only")
        if mark is not None and _version(item) not in {named[which] for which in mark.args}:
            left_out.append(item)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _mender_versions(config: pytest.Config) -> tuple[str, ...]:
    """Return the versions of Mender that are asked for."""
    wanted = config.getoption("--mender")
    if not wanted:
        return MENDER_DEFAULT
    if wanted == "more":
        return tuple(version for version in MENDER if version not in MENDER_DEFAULT)
    versions = tuple(str(wanted).split(","))
    if unknown := set(versions) - set(MENDER):
        raise pytest.UsageError(f"--mender: there is no {', '.join(sorted(unknown))} among {', '.join(MENDER)}")
    return versions


def _mender_version(item: pytest.Item) -> str | None:
    """Return the Mender server that a test runs on: its parameter is C(4.5), C(4.5-open_source) or a pair of these."""
    if not isinstance(item, pytest.Function) or not item.module.__name__.endswith("_mender"):
        return None
    for value in item.callspec.params.values() if hasattr(item, "callspec") else ():
        version = str(value[0] if isinstance(value, tuple) and value else value).partition("-")[0]
        if version in MENDER:
            return version
    return None


def _version(item: pytest.Item) -> str | None:
    """The hawkBit that a test runs on."""
    version = (
        item.callspec.params.get("hawkbit") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )
    return None if version is None else str(version)


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
        "hawkbit_enforces_permissions": hawkbit.enforces_permissions,
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
    folder = tmp_path_factory.mktemp(f"targets-{hawkbit.version}")
    found = Targets(HawkbitSide(hawkbit, variables), folder, sorted(wanted))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def several_sets(
    hawkbit: HawkbitServer, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HawkbitServer]:
    """A server of its own where a target takes several sets at once, which cannot be switched off again."""
    if hawkbit.generation == "modern":
        pytest.skip("hawkBit has no several sets at once from 0.10 on")
    with start_or_skip(hawkbit.version, request.config, tmp_path_factory.mktemp("several") / "hawkbit.log") as server:
        with server.session() as session:
            key = f"{server.url}/rest/v1/system/configs/multi.assignments.enabled"
            session.put(key, json={"value": True}, timeout=30).raise_for_status()
        yield server


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
