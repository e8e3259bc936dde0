"""Runs one command and ends it, whatever happens to the process that asked for it.

Started as a script by `_process.Supervised`. Its standard input is a pipe from that process: when the pipe
closes (normal exit, signal, kill -9) or the parent is gone, the command is killed.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Make the kernel kill the command should this supervisor itself be killed; Linux only, elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(parent: int, folder: str, command: list[str]) -> int:
    """Run `command` until it ends (its exit status is returned) or until the parent wants or can want no more.

    `folder` is deleted when the parent went away without saying "stop", since nobody else is left to do it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # preexec_fn is safe here: this process has one thread.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    asked = False
    try:
        while child.poll() is None:
            ready = select.select([sys.stdin], [], [], POLL_SECONDS)[0]
            if ready:
                asked = os.read(sys.stdin.fileno(), 16) != b""
                return 0
            if os.getppid() != parent:
                return 0
        return child.returncode
    finally:
        orphaned = not asked and child.poll() is None
        # The database is in memory and the folder is temporary: there is nothing to shut down gracefully.
        child.kill()
        child.wait()
        if orphaned:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
