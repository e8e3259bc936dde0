"""The pytest fixtures, in a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
# A launcher that only writes down what is asked of it.
FAKE = """
import servers.hawkbit as hawkbit

def note(text):
    with open("log", "a") as log:
        log.write(text + chr(10))

def start(self):
    if self.version == "9.9.9":
        raise hawkbit.Unavailable("hawkBit 9.9.9 cannot be had here: it is not made yet.")
    if not self.origin:
        note(f"start {self.version}")
        self.origin, self.port, self.java, self.start_seconds = "release", 9, "/java", 1.5
    return self

hawkbit.HawkbitServer.start = start
hawkbit.HawkbitServer.stop = lambda self: note(f"stop {self.version}")
hawkbit.can_run = lambda version: version != "9.9.9"
"""
PROGRAM = """
import pytest, requests

def test_proxy(hawkbit, proxy):
    assert proxy.wire == proxy.faults == []
    assert proxy.target_url == hawkbit.url
    proxy.inject("503", times=5)
    assert requests.get(proxy.url).status_code == 503

def test_proxy_again(hawkbit, proxy):
    assert proxy.wire == proxy.faults == []

def test_fleet(hawkbit, fleet):
    fleet.add(["a"])
    fleet.wait(lambda f: f.events("error"))
    assert fleet.url == hawkbit.url

def test_fleet_again(fleet):
    assert not fleet.devices
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the project of that pytest the working directory."""
    (tmp_path / "conftest.py").write_text(FAKE)
    (tmp_path / "test_it.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEET_DEPLOY_REQUIRE_SERVERS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def _pytest(*arguments: str, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "servers.fixtures", "-rs", "-q", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})
    return done.returncode, done.stdout + done.stderr


def test_releases_that_are_not_among_the_default() -> None:
    status, output = _pytest("--hawkbit=more", "-k", "test_proxy")
    assert status == 0, output
    assert "hawkBit 1.1.0 (release) ran" in output
    assert "hawkBit 0.3.0 (release) ran" in output


def test_every_version_in_turn() -> None:
    status, output = _pytest("--hawkbit=1.0.4,0.9.0")
    assert status == 0, output
    assert "8 passed" in output
    assert Path("log").read_text().split("\n") == ["start 1.0.4", "stop 1.0.4", "start 0.9.0", "stop 0.9.0", ""]
    assert "hawkBit 0.9.0 (release) ran on Java /java, ready in 1.5 s" in output


@pytest.mark.parametrize(
    "options, wanted", [((), ["1.0.4", "0.3.0M7"]), (("--hawkbit=more",), ["0.9.0", "1.1.0", "0.3.0"])]
)
def test_versions(options: tuple[str, ...], wanted: list[str]) -> None:
    status, output = _pytest("--collect-only", *options)
    assert status == 0, output
    assert re.findall(r"test_fleet_again\[(\S+)\]", output) == wanted


def test_missing_version_is_skipped_with_the_reason() -> None:
    status, output = _pytest("--hawkbit=1.0.4,9.9.9")
    assert status == 0, output
    assert "4 passed, 4 skipped" in output
    assert "hawkBit 9.9.9 cannot be had here: it is not made yet." in output


def test_one_is_enough_where_servers_are_required() -> None:
    status, output = _pytest("--hawkbit=9.9.9,1.0.4", FLEET_DEPLOY_REQUIRE_SERVERS="1")
    assert status == 0, output
    assert "4 passed, 4 skipped" in output


def test_none_is_a_failure_where_servers_are_required() -> None:
    status, output = _pytest("--hawkbit=9.9.9", FLEET_DEPLOY_REQUIRE_SERVERS="1")
    assert status == 1
    assert "4 errors" in output
    assert "FLEET_DEPLOY_REQUIRE_SERVERS is set, and no hawkBit can be had. hawkBit 9.9.9 cannot be had here" in output
