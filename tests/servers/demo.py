"""The demo: two versions of a software are rolled out to a simulated fleet on a real hawkBit server.

`make demo` runs it. It uses the collection's playbooks and its inventory plugin by their names, as a user does, prints
what happens in a few steps, and ends with status 0 only if all of it was really so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servers.devices import SimulatedFleet
    from servers.hawkbit import HawkbitServer

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "demo"
COUNT = 25
PLAYBOOK_SECONDS = 300
WIDTH = 78
# of a graph's hosts in a row, more than this are shown as one line
HOSTS_SHOWN = 4
TASK = re.compile(r"^TASK \[(?:fleet\.deploy\.\w+ : )?(.*?)\] \**$")
STATUS = re.compile(r"^(ok|changed|fatal|failed): \[localhost\](?:: FAILED!)?(?: => (.*))?")
# what a person wants to follow; the rest is in the log
SHOWN = re.compile(
    r"Register and update|See who answers|Plan the rollout|Keep the (software|distribution)|Create and start|Wait for|"
    r"Stop it|Write the report for people"
)

ANSIBLE_CFG = """\
[defaults]
localhost_warning = false
nocows = true
retry_files_enabled = false

[inventory]
inventory_unparsed_warning = false
"""
INVENTORY = """\
plugin: fleet.deploy.hawkbit
group_by: [installed_distribution_set, update_status]
"""


class Wrong(Exception):
    """Something was not as it is to be."""


@dataclass
class Screen:
    """Prints, with colours on a terminal, and keeps what it has printed."""

    colours: bool = field(default_factory=lambda: sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    printed: list[str] = field(default_factory=list)

    def line(self, text: str = "", colour: int | None = None) -> None:
        """Print a line."""
        self.printed.append(text)
        print(f"\x1b[{colour}m{text}\x1b[0m" if self.colours and colour and text else text, flush=True)

    def heading(self, text: str) -> None:
        """Begin a step."""
        self.line()
        self.line(text, 1)
        self.line("-" * min(len(text), WIDTH), 2)

    def command(self, words: list[str]) -> None:
        """Show a command that is run."""
        self.line(f"$ {' '.join(words)}", 36)

    def task(self, status: str, name: str) -> None:
        """Show what became of a task."""
        self.line(f"  {status:8}{name}", {"ok": 32, "changed": 33, "failed": 31}.get(status))


@dataclass
class Demo:
    """The steps. Each raises `Wrong` when it does not see what it has to see."""

    server: HawkbitServer
    fleet: SimulatedFleet
    folder: Path
    screen: Screen
    seen: list[str] = field(default_factory=list)

    # -- running Ansible ---------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """The variables that Ansible gets: the connection, and nothing of the person's own settings."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "HAWKBIT_"))}
        if "UTF" not in (own.get("LC_ALL") or own.get("LC_CTYPE") or own.get("LANG") or "").upper():
            own["LC_ALL"] = "C.UTF-8"
        return own | {
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(self.folder / "collections"),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "HAWKBIT_URL": self.server.url,
            "HAWKBIT_USERNAME": self.server.username,
            "HAWKBIT_PASSWORD": self.server.password,
        }

    @contextlib.contextmanager
    def running(self, words: list[str], error: Path) -> Iterator[subprocess.Popen[str]]:
        """Run a program of Ansible; it does not outlive the block."""
        program = Path(sys.executable).parent / words[0]
        with error.open("a") as errors:
            process = subprocess.Popen(
                [str(program), *words[1:]],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            try:
                yield process
                process.wait(PLAYBOOK_SECONDS)
            finally:
                if process.poll() is None:
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(10)
                process.kill()

    def playbook(self, name: str, variables: Mapping[str, Any]) -> tuple[int, str]:
        """Run a playbook of the collection; returns its status and the words with which it ended."""
        file = self.folder / f"{variables.get('rollout_id', name)}.yml"
        # JSON is YAML
        file.write_text(json.dumps(variables, indent=2) + "\n")
        words = ["ansible-playbook", f"fleet.deploy.{name}", "-e", f"@{file.name}"]
        self.screen.command(words)
        task = last = ""
        log = self.folder / f"{file.stem}.log"
        with self.running(words, log) as process, log.open("a") as full:
            assert process.stdout is not None
            for line in process.stdout:
                full.write(line)
                if match := TASK.match(line):
                    task = match[1]
                elif match := STATUS.match(line):
                    last = self._show(task, match[1], match[2] or "") or last
        return process.returncode, last

    def _show(self, task: str, status: str, result: str) -> str:
        """Show what became of a task; returns what it said when it failed."""
        if status in ("ok", "changed"):
            if SHOWN.search(task):
                self.screen.task(status, task)
            return ""
        try:
            said = str(json.loads(result)["msg"])
        except (ValueError, KeyError):
            said = result
        self.screen.task("failed", task)
        for line in textwrap.wrap(said, WIDTH, break_on_hyphens=False, break_long_words=False):
            self.screen.line(f"          {line}")
        return said

    def inventory(self) -> dict[str, dict[str, Any]]:
        """The host variables of the dynamic inventory."""
        with self.running(
            ["ansible-inventory", "-i", "fleet.hawkbit.yml", "--list"], self.folder / "inventory.log"
        ) as it:
            assert it.stdout is not None
            listed = it.stdout.read()
        found: dict[str, dict[str, Any]] = json.loads(listed)["_meta"]["hostvars"]
        return found

    def graph(self) -> None:
        """Print the graph of the dynamic inventory, with rows of hosts shortened."""
        words = ["ansible-inventory", "-i", "fleet.hawkbit.yml", "--graph"]
        self.screen.command(words)
        with self.running(words, self.folder / "inventory.log") as process:
            assert process.stdout is not None
            self.screen.line("  (hosts in a row are drawn together here)")
            for line in shortened(process.stdout.read().splitlines()):
                self.screen.line(f"  {line}")

    # -- steps -------------------------------------------------------------------------------------------------

    def check(self, what: str, true: object) -> None:
        """Note what was seen, or raise `Wrong`."""
        if not true:
            raise Wrong(what)
        self.seen.append(what)

    def register(self) -> None:
        """The devices stand in a list; the list is registered and the devices are switched on."""
        self.screen.heading(f"{COUNT} gateways are registered from a list and switched on")
        lines = [f'{name},Gateway {name[-2:]},"Hall {1 + int(name[-2:]) // 10}, simulated"' for name in self.ids]
        (self.folder / "gateways.csv").write_text("\n".join(["controller_id,name,description", *lines]) + "\n")
        status, said = self.playbook("register_targets", {"register_targets_csv": str(self.folder / "gateways.csv")})
        if status:
            raise Wrong(f"the devices could not be registered: {said}")
        self.fleet.add(self.ids)
        self.fleet.wait_registered()
        self.screen.line(f"  All {COUNT} have called the server.")
        self.check(f"{COUNT} devices were registered and have called the server.", len(self.inventory()) == COUNT)

    @property
    def ids(self) -> list[str]:
        """The ids of the devices."""
        return [f"gateway-{number:02}" for number in range(1, COUNT + 1)]

    def roll_out(self, version: str) -> tuple[int, dict[str, Any]]:
        """Publish a version and roll it out; returns the playbook's status and the record in the report."""
        image = self.folder / f"gateway-{version}.bin"
        image.write_bytes(os.urandom(200_000))
        name = f"gateway-{version}"
        variables = {
            "rollout_id": name,
            "rollout_software": {"name": "gateway", "version": version, "type": "os"},
            "rollout_publish": {
                "modules": [
                    {
                        "name": "gateway-firmware",
                        "version": version,
                        "type": "os",
                        "artifacts": [{"src": str(image), "filename": "firmware.bin"}],
                    }
                ]
            },
            "rollout_fleet": {"query": "controllerid==gateway-*"},
            "rollout_waves": [{"name": "canary", "percentage": 10}, {"name": "rest"}],
            "rollout_wait_timeout": 120,
            "rollout_wait_interval": 1,
            "rollout_report": {kind: str(self.folder / f"{name}.{kind}") for kind in ("json", "html")},
        }
        status, said = self.playbook("rollout", variables)
        try:
            record: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        except OSError:
            raise Wrong(f"the rollout of {version} has left no report: {said}") from None
        self.screen.line()
        for wave in record["waves"]:
            self.screen.line(f"  wave {wave['name']:8}{wave['decision'].replace('_', ' '):12}{wave['reason']}")
        self.screen.line(f"  {record['message']}", 32 if not status else 31)
        self.screen.line(f"  report: {self.folder / f'{name}.html'}")
        return status, record

    def good(self) -> None:
        """A version that works goes to all."""
        self.screen.heading("Version 1.0.0 is published and rolled out: a canary of 10 % first, then the rest")
        status, record = self.roll_out("1.0.0")
        counts, waves = record["counts"], record["waves"]
        if status:
            raise Wrong(f"the rollout of 1.0.0 failed: {record['message']}")
        canary = waves[0]["counts"]["selected"]
        self.check(f"The canary was {canary} of {COUNT} devices, and its gate opened.", 0 < canary < COUNT // 4)
        order = [event.device for event in self.fleet.events("taken", version="1.0.0")]
        first = max(event.time for event in self.fleet.events("succeeded", version="1.0.0")[:canary])
        later = [event for event in self.fleet.events("taken", version="1.0.0") if event.device not in order[:canary]]
        self.check("No other device got version 1.0.0 before the canary had it.", all(e.time > first for e in later))
        installed = {device.installed for device in self.fleet.devices.values()}
        everywhere = counts["succeeded"] == COUNT and installed == {"1.0.0"} and self.installed() == {"1.0.0": COUNT}
        self.check(f"All {COUNT} devices run version 1.0.0, and the server knows it.", everywhere)

    def bad(self) -> None:
        """A version that does not work stops at its canary."""
        self.screen.heading("Version 2.0.0 does not work: the same again")
        self.fleet.on_version("2.0.0", "fail")
        status, record = self.roll_out("2.0.0")
        counts = record["counts"]
        self.check("The rollout of version 2.0.0 failed.", status and record["deployment"]["state"] == "failed")
        canary, rest = record["waves"]
        stopped = canary["decision"] == "failed" and rest["decision"] == "not_started"
        touched = {event.device for event in self.fleet.events("taken", version="2.0.0")}
        self.check(
            f"It stopped by itself at the canary: {len(touched)} of {COUNT} devices have seen version 2.0.0.",
            stopped and 0 < len(touched) == canary["counts"]["selected"] < COUNT // 4 and counts["succeeded"] == 0,
        )
        named = {device["id"] for device in record["devices"]["failed"]}
        self.check("The report names the devices that failed, and why.", named and named <= touched)
        previous = self.installed() == {"1.0.0": COUNT}
        own = {device.installed for device in self.fleet.devices.values()}
        self.check(f"All {COUNT} devices still run version 1.0.0.", previous and own == {"1.0.0"})

    def installed(self) -> dict[str, int]:
        """How many devices have which version, by the inventory."""
        count: dict[str, int] = {}
        for variables in self.inventory().values():
            version = text((variables["fleet_software"] or {"version": "none"})["version"])
            count[version] = count.get(version, 0) + 1
        return count

    def secrets_kept(self) -> None:
        """Neither the screen nor any file of the demo shows a credential."""
        secrets = [self.server.password, self.server.reader_password, self.server.gateway_token]
        files = [
            path
            for path in self.folder.iterdir()
            if path.is_file() and path.suffix in (".html", ".json", ".log", ".yml")
        ]
        texts = ["\n".join(self.screen.printed), *(path.read_text() for path in files)]
        self.check(
            "No password or token was printed or written.", not any(s in shown for s in secrets for shown in texts)
        )

    def run(self) -> None:
        """All steps."""
        self.register()
        self.good()
        self.screen.heading("The inventory of the fleet")
        self.graph()
        self.bad()
        self.screen.heading("The inventory of the fleet now")
        self.graph()
        self.secrets_kept()


def text(value: Any) -> str:
    """Return a string of `ansible-inventory --list`, which marks those that must not be taken for templates."""
    return str(value["__ansible_unsafe"] if isinstance(value, dict) else value)


def shortened(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a graph with many hosts in a row drawn together."""
    row: list[str] = []
    for line in [*lines, "@"]:
        if "@" not in line:
            row.append(line)
            continue
        if len(row) > HOSTS_SHOWN:
            last = row[-1].rpartition("--")[2]
            row = [f"{row[0]} ... {last} ({len(row)} hosts)"]
        yield from row
        row = []
        if line != "@":
            yield line


def prepare(folder: Path) -> None:
    """Make the folder of the demo, without what an earlier one has left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
    (folder / "fleet.hawkbit.yml").write_text(INVENTORY)
    if not os.environ.get("ANSIBLE_COLLECTIONS_PATH"):
        place = folder / "collections" / "ansible_collections" / "fleet"
        place.mkdir(parents=True)
        (place / "deploy").symlink_to(ROOT)


def end(number: int, _frame: object) -> None:
    """End in order when told to by a signal."""
    sys.exit(128 + number)


def demonstrate(folder: Path, version: str | None, screen: Screen) -> Demo:
    """Run the servers, the devices and the steps; all is stopped at the end, whatever happens."""
    from servers.devices import SimulatedFleet
    from servers.hawkbit import start_any

    screen.heading("A hawkBit server is started on this machine")
    screen.line("  (the first time it is downloaded, which takes a few minutes)")
    with start_any([version] if version else ("1.0.4", "0.3.0M7")) as server:
        screen.line(f"  {server.choice}")
        screen.line(f"  It answers at {server.url} after {server.start_seconds:.0f} s.")
        with SimulatedFleet(server.url, server.gateway_token, poll_interval=0.5) as fleet:
            demo = Demo(server, fleet, folder, screen)
            demo.run()
    return demo


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", help="hawkBit release to use (default: the newest that can be had)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for reports and logs (default: %(default)s)")
    options = parser.parse_args(arguments)
    # run by its path, Python sees this folder, not the one that holds the package
    sys.path.insert(0, str(ROOT / "tests"))
    from servers.hawkbit import Unavailable

    # also where a shell has switched it off for what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, end)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # what devices say may hold any character
        sys.stdout.reconfigure(errors="replace")
    screen = Screen()
    folder = options.folder.resolve()
    began = time.monotonic()
    try:
        prepare(folder)
        demo = demonstrate(folder, options.version, screen)
    except KeyboardInterrupt:
        screen.line("\nInterrupted; the server and the devices are stopped.")
        return 130
    except Unavailable as error:
        screen.line(f"\nThe demo needs a hawkBit server. {error}", 31)
        return 1
    except Wrong as error:
        screen.line(f"\nThis was not as it should be: {error}", 31)
        screen.line(f"The logs are in {folder}")
        return 1
    screen.heading("What was seen")
    for what in demo.seen:
        screen.line(f"  {what}", 32)
    screen.line()
    screen.line(f"Reports and logs are in {folder}")
    screen.line(f"The demo took {time.monotonic() - began:.0f} s; the server and the devices are stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
