"""A supervised process ends when it should, whatever happens to the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from servers._process import Supervised

TESTS = Path(__file__).parents[2]
# Starts `sleep` under supervision, prints the supervisor's process id, then ends as its argument says.
CALLER = """
import pathlib, sys, time
from servers._process import Supervised
folder = pathlib.Path(sys.argv[1])
process = Supervised(["sleep", "600"], folder, folder.with_suffix(".log"))
print(process.pid, flush=True)
if sys.argv[2] == "return":
    sys.exit(0)
if sys.argv[2] == "raise":
    raise SystemExit("went wrong")
time.sleep(600)
"""


def _eventually(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _children(pid: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(pid)], check=False, capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


def _alive(pid: int) -> bool:
    try:
        # A killed process whose parent has not waited for it yet is a zombie, state Z.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _sleeper(supervisor: int) -> int:
    assert _eventually(lambda: _children(supervisor))
    return _children(supervisor)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "data").touch()
    return folder


@pytest.mark.parametrize("how", ["return", "raise", "SIGINT", "SIGTERM", "SIGKILL"])
def test_ends_with_its_caller(how: str, folder: Path) -> None:
    command = [sys.executable, "-c", CALLER, str(folder), how]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as caller:
        assert caller.stdout is not None
        supervisor = int(caller.stdout.readline())
        if how.startswith("SIG"):
            sleeper = _sleeper(supervisor)
            caller.send_signal(signal.Signals[how])
            caller.wait(10)
            assert _eventually(lambda: not _alive(sleeper))
    assert _eventually(lambda: not _alive(supervisor))
    assert _eventually(lambda: not folder.exists())


def test_ends_when_the_supervisor_is_killed(folder: Path) -> None:
    process = Supervised(["sleep", "600"], folder, folder.with_suffix(".log"))
    sleeper = _sleeper(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    assert _eventually(lambda: not _alive(sleeper))
    assert _eventually(lambda: not process.running)
    process.stop()
    assert not folder.exists()


def test_stop(folder: Path) -> None:
    process = Supervised(["sh", "-c", "trap '' TERM; echo started; sleep 600"], folder, folder.with_suffix(".log"))
    sleeper = _sleeper(process.pid)
    assert _eventually(lambda: folder.with_suffix(".log").read_text() == "started\n")
    assert process.running
    process.stop()
    assert not _alive(sleeper)
    assert not process.running
    assert not folder.exists()
    process.stop()


def test_a_command_that_ends_by_itself(folder: Path) -> None:
    process = Supervised(["sh", "-c", "echo no good >&2; exit 3"], folder, folder.with_suffix(".log"))
    assert _eventually(lambda: not process.running)
    assert folder.with_suffix(".log").read_text() == "no good\n"
    # Whoever started it may still want to look into its folder.
    assert folder.exists()
    process.stop()
    assert not folder.exists()
