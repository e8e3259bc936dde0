"""What the benchmarks share: programs that are timed with their peak memory, requests without overhead, the table."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

PAGE = 500
# pages under way at a time, as in the product
PARALLEL = 4
MIB = 1024 * 1024
# of an upload
BLOCK = 256 * 1024
BOUNDARY = "bench"
# settings of the person who measures must not count
FOREIGN = ("ANSIBLE_", "HAWKBIT_", "MENDER_", "PYTHON")
# A child begins with the peak memory of the process that it was forked from, so a small one has to be in between.
WATCH = """
import pathlib, resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""
INVENTORY = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'


@dataclass(frozen=True)
class Cost:
    """What something took.

    Seconds on the clock; processor seconds of all processes, the server's and the devices' among them; peak resident
    memory of the largest process in MiB, 0 if unknown.
    """

    seconds: float
    processor: float
    memory: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    ours: Cost
    floor: Cost
    goal: float | None
    peer: str
    peer_seconds: float
    memory_goal: float = 0.0

    @property
    def ratio(self) -> float:
        """How often the floor goes into what the collection takes."""
        return self.ours.seconds / self.floor.seconds

    @property
    def processor_ratio(self) -> float:
        """The same for the processor time, which other work on the machine does not change."""
        return self.ours.processor / self.floor.processor

    @property
    def reached(self) -> bool:
        """Whether the goals are reached, as they are shown."""
        fast = self.goal is None or round(self.ratio, 2) <= self.goal
        return fast and (not self.memory_goal or round(self.ours.memory) <= self.memory_goal)


@dataclass(kw_only=True)
class Measured:
    """What was measured in one run, and how: the best of so many runs, loops computed from so many requests."""

    runs: int
    samples: int
    server: str = ""
    """The real server and what is to be known about it; empty if there was none."""
    rows: list[Row] = field(default_factory=list)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """What else the machine had to do when it began."""


class Server(Protocol):
    """A server in a process of its own."""

    port: int

    def processor_seconds(self) -> float:
        """Processor time that its process has taken so far."""


@dataclass(kw_only=True)
class Bench:
    """A running server, a folder for files, and how much is to be measured.

    `variables` of the environment tell tools where the server is, `authorization` is what requests bear.
    """

    server: Server
    variables: Mapping[str, str]
    authorization: str
    folder: Path
    runs: int
    mebibytes: int
    samples: int
    rows: list[Row] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Tell the person who waits."""
        print(text, flush=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that a program of Ansible gets."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        (self.folder / "ansible.cfg").touch()
        return {
            **kept,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_PIPELINING": "1",
            **self.variables,
            **more,
        }

    def program(self, *command: str | Path, output: Path | None = None, **environment: str) -> Cost:
        """Run a program of Ansible's environment to its end. What it prints goes to a file.

        Raises RuntimeError with the end of that when it fails.
        """
        name, *arguments = map(str, command)
        program = str(Path(sys.executable).parent / name)
        said = output or self.folder / "output.txt"
        with said.open("wb") as stdout, (self.folder / "errors.txt").open("wb") as stderr:
            processor, began = self._processor(), time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", WATCH, str(self.folder / "peak.txt"), program, *arguments],
                cwd=self.folder,
                env=self.environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                check=False,
            )
            seconds, processor = time.perf_counter() - began, self._processor() - processor
        if done.returncode:
            errors = (self.folder / "errors.txt").read_text(errors="replace")
            raise RuntimeError(f"{name} failed:\n{said.read_text(errors='replace')[-2000:]}\n{errors[-2000:]}")
        return Cost(seconds, processor, int((self.folder / "peak.txt").read_text()) / 1024)

    def timed(self, work: Callable[..., object], *arguments: Any) -> Cost:
        """Run something in this process and return what it took."""
        processor, began = self._processor(), time.perf_counter()
        work(*arguments)
        return Cost(time.perf_counter() - began, self._processor() - processor)

    def _processor(self) -> float:
        """Return the processor seconds of this process, of the programs that it has run, and of the server."""
        return sum(os.times()[:4]) + self.server.processor_seconds()

    def playbook(self, tasks: Sequence[Mapping[str, Any]], **variables: Any) -> Cost:
        """Run tasks as a playbook."""
        (self.folder / "hosts.ini").write_text(INVENTORY)
        (self.folder / "vars.json").write_text(json.dumps(variables))
        play = {"name": "Bench", "hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
        (self.folder / "play.yml").write_text(json.dumps([play]))
        return self.program("ansible-playbook", "-i", "hosts.ini", "-e", "@vars.json", "play.yml")

    def result_of(self, task: Mapping[str, Any], **variables: Any) -> Cost:
        """Run one task as a playbook."""
        return self.playbook([{"name": "Measured", **task}], **variables)

    def connection(self) -> Connection:
        """Return one keep-alive connection to the server."""
        return Connection(self.server.port, self.authorization)


class Connection:
    """One keep-alive connection with nothing around it: the floor."""

    def __init__(self, port: int, authorization: str) -> None:
        self._headers = {"Authorization": authorization, "Accept": "application/json"}
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send JSON and return the answer's. Raises RuntimeError for an answer that is an error."""
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        self._http.request(method, path + (f"?{urlencode(query)}" if query else ""), data, headers)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content) if content else None

    def stream(self, path: str, file: Path, part: str = "file") -> None:
        """Send a file as multipart body, block by block. Raises RuntimeError for an answer that is an error."""
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; filename="{file.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{BOUNDARY}--\r\n".encode()

        def blocks() -> Iterator[bytes]:
            yield head
            with file.open("rb") as body:
                while block := body.read(BLOCK):
                    yield block
            yield tail

        length = len(head) + file.stat().st_size + len(tail)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        headers = {**self._headers, "Content-Type": kind, "Content-Length": str(length)}
        self._http.request("POST", path, blocks(), headers)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"POST {path}: {answer.status} {content[:300]!r}")

    def close(self) -> None:
        """Close it."""
        self._http.close()


def best(costs: Sequence[Cost]) -> Cost:
    """Return the least time of several runs, and the most memory that any of them took."""
    seconds, processor = (min(times) for times in zip(*((cost.seconds, cost.processor) for cost in costs), strict=True))
    return Cost(seconds, processor, max(cost.memory for cost in costs))


def in_parallel(work: Callable[[Any], Any], items: Sequence[Any], workers: int = PARALLEL) -> list[Any]:
    """Do it for all items, a few at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))


HEAD = (
    "",
    "time",
    "floor",
    "ratio",
    "goal",
    "processor time",
    "floor",
    "ratio",
    "peak memory",
    "without the collection",
)


def cells(row: Row) -> tuple[str, ...]:
    """Return a line of the table as text."""
    memory = f"{row.ours.memory:.0f} MiB" + (f" (goal {row.memory_goal:.0f})" if row.memory_goal else "")
    return (
        row.name,
        _seconds(row.ours.seconds),
        _seconds(row.floor.seconds),
        f"{row.ratio:.2f}" + ("" if row.reached else " (missed)"),
        "" if row.goal is None else f"{row.goal:g}",
        _seconds(row.ours.processor),
        _seconds(row.floor.processor),
        f"{row.processor_ratio:.2f}",
        memory,
        f"{_seconds(row.peer_seconds)}, {row.peer}",
    )


def table(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [HEAD, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.1f} s"
