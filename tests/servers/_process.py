"""A process that ends with certainty when the Python process that started it ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

STOP_SECONDS = 10.0


def end_signal() -> threading.Event:
    """An event that Ctrl-C or SIGTERM sets, so that a program can end in order. Call it in the main thread."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    return told


class Supervised:
    """A command under the supervision of `_supervisor.py`.

    `folder` is its working directory and is deleted when it stops; standard output and error go to `log`.
    The command is killed by `stop()`, at exit, and also when this process is killed by any signal.
    """

    def __init__(self, command: list[str], folder: Path, log: Path) -> None:
        self.folder = folder
        supervisor = Path(__file__).with_name("_supervisor.py")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(supervisor), str(os.getpid()), str(folder), *command],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the caller only, which may still want to ask the server something.
                start_new_session=True,
            )
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """Process id of the supervisor (the command is its only child)."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the command is still there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Kill the command, wait until it is gone, delete the folder. Calling it again does nothing."""
        atexit.unregister(self.stop)
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(OSError):
                pipe.write(b"stop")
                pipe.flush()
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
