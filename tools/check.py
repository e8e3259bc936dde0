"""Run checks of the collection.

    python tools/check.py sanity                one check, in the foreground
    python tools/check.py units -- -k waiter    the same, with arguments for its program
    python tools/check.py ruff mypy             several, with a table at the end
    python tools/check.py lint                  all that start no server
    python tools/check.py test                  all
    python tools/check.py test-all              all, and the tests on more hawkBits and on every ansible-core
    python tools/check.py units@2.20.10-py3.12  one check on one of these

Several checks run in two lanes, one with servers and one without, and stop at the first that fails (--keep-going: run
on). What they say is printed in a fixed order, one check after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import cores
import parts
import stage

CLOSING_LINE = re.compile(r"^=+ (.*\d+ (?:passed|failed|error|skipped).*) in [0-9.:]+s", re.MULTILINE)
# the tests with servers measure time: they go first where processors are scarce
BACKGROUND_NICENESS = 10


@dataclass
class Job:
    """A check of a run."""

    name: str
    why_not: str = ""
    """Why it cannot run on this machine."""
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None
    started: float = 0.0
    seconds: float = 0.0
    state: str = "not run"
    printed: int = 0
    """Bytes of the log that have been printed."""

    @property
    def part(self) -> parts.Part:
        """What it runs."""
        return parts.BY_NAME[self.name.partition("@")[0]]

    @property
    def over(self) -> bool:
        """Say whether nothing more will come of it."""
        return self.state in ("ok", "failed", "stopped") or bool(self.why_not)

    def start(self, folder: Path, copy: Path) -> None:
        """Start it as a process group of its own, with a log for its output."""
        self.log = folder / f"{self.name}.log"
        command = [sys.executable, __file__, "--copy", str(copy), self.name]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        if not self.part.servers:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.process.pid, BACKGROUND_NICENESS)
        self.started = time.monotonic()
        self.state = "running"

    def look(self) -> None:
        """Note whether it has ended."""
        if self.state == "running" and self.process and self.process.poll() is not None:
            self.seconds = time.monotonic() - self.started
            self.state = "failed" if self.process.returncode else "ok"

    def stop(self) -> None:
        """End it with all that it has started: first as Ctrl-C does, so that servers are shut down, then by force."""
        if self.state != "running" or not self.process:
            return
        for how, patience in ((signal.SIGINT, 30), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                break
        self.seconds = time.monotonic() - self.started
        self.state = "stopped"

    def print_new(self) -> None:
        """Print what its program has said since the last call, the heading first."""
        if not self.log or not self.log.exists():
            return
        if not self.printed:
            print(f"\n==> {self.name}: {self.part.about}", flush=True)
        text = self.log.read_bytes()[max(self.printed - 1, 0) :]
        # one more than printed: 0 stands for a missing heading
        self.printed = max(self.printed, 1) + len(text)
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()

    @property
    def result(self) -> str:
        """Return pytest's count of tests, or why the check was not run."""
        if self.why_not:
            return self.why_not
        closing = CLOSING_LINE.findall(self.log.read_text(encoding="utf-8", errors="replace")) if self.log else []
        return str(closing[-1]) if closing else ""


class Run:
    """Several checks together."""

    def __init__(self, names: Sequence[str], *, keep_going: bool) -> None:
        """Plan the checks `names`; with `keep_going` a failure does not stop the others."""
        self.jobs = [Job(name, why_not=_why_not(name)) for name in names]
        self.keep_going = keep_going
        self.started = time.monotonic()

    def execute(self) -> int:
        """Run the checks, print what they say and the table; return the exit status."""
        with stage.staged() as copy:
            try:
                self._execute(copy)
            finally:
                for job in self.jobs:
                    job.stop()
                self._table()
        return 0 if all(job.state == "ok" or job.why_not for job in self.jobs) else 1

    def _execute(self, copy: Path) -> None:
        logs = copy.parents[2] / "logs"
        logs.mkdir()
        failed: list[Job] = []
        shown = 0
        while shown < len(self.jobs) and (self.keep_going or not failed):
            for servers in (False, True):
                lane = [job for job in self.jobs if job.part.servers is servers and not job.over]
                if lane and lane[0].state == "not run":
                    lane[0].start(logs, copy)
            for job in self.jobs:
                job.look()
            failed = [job for job in self.jobs if job.state == "failed"]
            while shown < len(self.jobs):
                job = self.jobs[shown]
                over = job.over
                job.print_new()
                if not over:
                    break
                shown += 1
            time.sleep(0.1)
        if failed and not self.keep_going:
            for job in self.jobs:
                job.stop()
            for job in failed:
                job.print_new()

    def _table(self) -> None:
        width = max(len(job.name) for job in self.jobs)
        print(f"\n{'check':{width}}  {'':8}{'seconds':>8}")
        for job in self.jobs:
            seconds = f"{job.seconds:8.1f}" if job.seconds else f"{'-':>8}"
            print(f"{job.name:{width}}  {job.state:8}{seconds}  {job.result}".rstrip())
        print(f"{'together':{width}}  {'':8}{time.monotonic() - self.started:8.1f}", flush=True)


def _why_not(name: str) -> str:
    """Return why a check cannot run on this machine, or nothing."""
    core = name.partition("@")[2]
    if core:
        try:
            cores.select(core)
        except cores.Unavailable as error:
            return str(error)
    return ""


def _names(words: Sequence[str]) -> list[str]:
    """Return the checks that `words` of the command line stand for."""
    every = [part.name for part in parts.CHECKS]
    names: list[str] = []
    for word in words:
        if word == "lint":
            names += parts.LINTS
        elif word in ("test", "test-all"):
            names += every
        else:
            names.append(word)
        if word == "test-all":
            names.append(parts.RELEASES.name)
            own = cores.own()
            names += [f"{name}@{core.name}" for core in cores.MATRIX if core != own for name in parts.ON_EVERY_CORE]
    return names


def _one(name: str, copy: Path, arguments: Sequence[str]) -> int:
    """Run one check in this process; return the exit status."""
    core = name.partition("@")[2]
    try:
        chosen = cores.select(core) if core else None
        if chosen:
            cores.ensure(chosen)
        parts.BY_NAME[name.partition("@")[0]].run(parts.Place(copy, arguments, chosen))
    except (parts.Failed, cores.Unavailable) as error:
        print(f"fleet.deploy: {name}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main(words: list[str]) -> int:
    """Carry out the command line and return the exit status."""
    arguments: list[str] = []
    if "--" in words:
        where = words.index("--")
        words, arguments = words[:where], words[where + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [--keep-going] CHECK… [-- ARGUMENT…]",
    )
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--copy", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("checks", nargs="+")
    options = parser.parse_args(words)
    names = _names(options.checks)
    unknown = [name for name in names if name.partition("@")[0] not in parts.BY_NAME]
    if unknown:
        parser.error(f"no such check: {unknown[0]}; there are {', '.join(parts.BY_NAME)}")

    # also where the shell has switched it off for a job in the background: Ctrl-C is how servers are shut down
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        if options.copy:
            return _one(names[0], options.copy, arguments)
        if len(names) == 1:
            with stage.staged() as copy:
                return _one(names[0], copy, arguments)
        if arguments:
            parser.error("arguments after -- are for one check")
        return Run(names, keep_going=options.keep_going).execute()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
