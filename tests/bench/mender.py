"""The benchmarks on Mender: simulated servers in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measuring import Bench, Row

HERE = Path(__file__).parent
STOP_SECONDS = 30


@dataclass
class Program:
    """A server that runs as a program, and says in one line of JSON where."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def processor_seconds(self) -> float:
        """Processor time that it has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def program(name: str, *arguments: str | int) -> Iterator[Program]:
    """Run a program of this folder until the end of the statement."""
    command = [sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]
    # it ends when its standard input does, also when this process is killed
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} did not start")
        try:
            yield Program(process, **json.loads(line))
        finally:
            process.stdin.close()
            process.wait(STOP_SECONDS)


@dataclass(kw_only=True)
class MenderBench(Bench):
    """One running server; `devices` is how many it has."""

    devices: int = 0


@dataclass
class MenderSizes:
    """How much is to be measured on servers of Mender, and what came of it."""

    folder: Path
    runs: int
    mebibytes: int
    samples: int
    devices: Sequence[int]
    rows: list[Row]

    def bench(self, server: Program, **more: Any) -> MenderBench:
        """Return the benchmarks on one server."""
        return MenderBench(
            server=server,
            variables={"MENDER_URL": f"http://127.0.0.1:{server.port}", "MENDER_TOKEN": server.token},
            authorization=f"Bearer {server.token}",
            folder=self.folder,
            runs=self.runs,
            mebibytes=self.mebibytes,
            samples=self.samples,
            rows=self.rows,
            **more,
        )
