"""Runs ansible-playbook as a user does, and tells what each task returned and what was printed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SECONDS = 200
# localhost is named, so that Ansible has nothing to warn of; modules run on the Python that runs Ansible
INVENTORY = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'
# settings of the person who runs the tests must not change their outcome
FOREIGN = ("ANSIBLE_", "HAWKBIT_", "MENDER_", "PYTHON")
# the options of each platform's connection, and where they come from
CONNECTIONS = {
    "hawkbit": {key: f"{{{{ hawkbit_{key} }}}}" for key in ("url", "username", "password")},
    "mender": {key: f"{{{{ mender_{key} }}}}" for key in ("url", "token")},
}


@dataclass(frozen=True)
class Result:
    """What a task returned; `play` and `name` say which one, `action` is the module's full name."""

    play: str
    name: str
    action: str
    status: str
    data: dict[str, Any]

    @property
    def changed(self) -> bool:
        """Whether it says that it has changed something."""
        return bool(self.data.get("changed"))

    @property
    def msg(self) -> str:
        """The message of a task that failed."""
        return str(self.data.get("msg", ""))


@dataclass(frozen=True)
class Run:
    """What came of one run of ansible-playbook."""

    status: int
    stdout: str
    stderr: str
    results: list[Result] = field(default_factory=list)

    @property
    def output(self) -> str:
        """All that was printed."""
        return f"{self.stdout}\n{self.stderr}"

    def of(self, module: str, *plays: str) -> list[Result]:
        """What tasks with a module of the collection returned, in all plays or in some."""
        action = f"fleet.deploy.{module}"
        return [found for found in self.results if found.action == action and (not plays or found.play in plays)]

    def named(self, name: str) -> Result:
        """What the one task of this name returned."""
        [found] = [result for result in self.results if result.name == name]
        return found

    def complaints(self) -> list[str]:
        """Return what was printed as a warning or deprecation, other than what a module of ours has to say."""
        # line breaks depend on the width of the terminal
        text = "".join(self.output.split())
        for result in self.results:
            if result.action.startswith("fleet.deploy."):
                for warning in result.data.get("warnings", []):
                    text = text.replace("[WARNING]:" + "".join(str(warning).split()), "")
        parts = text.replace("DEPRECAT", "WARNING").split("WARNING")
        return [part[:200] for part in parts[1:]]

    def must_succeed(self) -> Run:
        """Fail the test unless the playbook went through without a word of warning."""
        # the end of a long text is what reports of test runs cut off
        refused = [f"{result.name}: {result.msg}" for result in self.results if result.status == "failed"]
        assert self.status == 0, f"{refused}\n{self.output}"
        assert self.complaints() == [], self.output
        assert "Traceback" not in self.output
        return self


class Player:
    """Runs playbooks in a folder of its own.

    Args:
        folder: where inventory, variables and records go.
        binaries: the programs of one environment with ansible-core; those of this process by default.
        seconds: how long one program may take.
    """

    def __init__(self, folder: Path, binaries: Path | None = None, seconds: float = SECONDS) -> None:
        self.folder = folder
        self.seconds = seconds
        self.binaries = binaries or Path(sys.executable).parent
        folder.mkdir(parents=True, exist_ok=True)
        self.inventory = folder / "inventory.ini"
        self.inventory.write_text(INVENTORY)
        # an empty one: neither the person's own nor one of the system counts
        self.settings = folder / "ansible.cfg"
        self.settings.touch()

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that a program of Ansible gets."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {
            **kept,
            "PATH": os.pathsep.join([str(self.binaries), kept.get("PATH", "")]),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_CONFIG": str(self.settings),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            **more,
        }

    def program(self, name: str, *arguments: str | Path, **environment: str) -> tuple[int, str, str]:
        """Run a program of the environment; return its status, stdout and stderr. One that hangs is killed."""
        process = subprocess.Popen(
            [str(self.binaries / name), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=self.seconds)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        return process.returncode, stdout, stderr

    def play(
        self,
        playbook: Path,
        variables: Mapping[str, Any] | None = None,
        *options: str,
        **environment: str,
    ) -> Run:
        """Run a playbook; variables come from a file, so that no secret of them is in the list of processes."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            values, record = Path(folder, "vars.json"), Path(folder, "record.jsonl")
            values.write_text(json.dumps(variables or {}))
            status, stdout, stderr = self.program(
                "ansible-playbook", "-i", self.inventory, "-e", f"@{values}", *options, playbook,
                ANSIBLE_CALLBACKS_ENABLED="record", RECORD_FILE=str(record), **environment,
            )  # fmt: skip
            lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        results = [result for line in lines for result in _results(json.loads(line))]
        return Run(status, stdout, stderr, results)

    def play_tasks(
        self,
        name: str,
        tasks: Sequence[Mapping[str, Any]],
        variables: Mapping[str, Any],
        *options: str,
        **environment: str,
    ) -> Run:
        """Run tasks as the only play of a playbook called `name`; the connections among the variables are defaults."""
        playbook = self.folder / f"{name}.yml"
        given = [platform for platform in CONNECTIONS if f"{platform}_url" in variables]
        play = {
            "name": name,
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {f"group/fleet.deploy.{platform}": CONNECTIONS[platform] for platform in given},
            "tasks": list(tasks),
        }
        playbook.write_text(json.dumps([play], indent=2))
        return self.play(playbook, variables, *options, **environment)


def _results(line: Mapping[str, Any]) -> Iterator[Result]:
    """Read a line of the record; a task with a loop has a result for each item."""
    data = line["result"]
    for item in data.get("results", [data]):
        status = "failed" if item.get("failed") else line["status"]
        shown = {key: value for key, value in item.items() if not key.startswith("_ansible")}
        yield Result(line["play"], line["name"], line["action"], status, shown)
