"""Runs what lies in targets/ and the examples of the documentation, once for each server, two at a time."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from integration.playing import CONNECTIONS, Player, Run

from servers.devices import SimulatedFleet
from servers.fault_proxy import FaultProxy, Record

if TYPE_CHECKING:
    from servers.hawkbit import HawkbitServer

HERE = Path(__file__).resolve().parent
TARGETS = HERE / "targets"
RUNTIME = yaml.safe_load((HERE.parents[1] / "meta" / "runtime.yml").read_text())
# playbooks at a time: the machine that this is made for has two processors
LANES = 2
POLL_SECONDS = 0.3
# the examples of all modules are one run
EXAMPLES_SECONDS = 600
# what the examples of the documentation say
EXAMPLE_URL = "https://updates.example.com"


class Side(Protocol):
    """What is different from platform to platform: the server, the devices, the order of the examples.

    `modules`: those of the platform, in the order in which their examples are run. `connection`: options of each
    module. `reading`: ends of paths to which a POST only reads. `excused`: examples that are for other servers.
    `complete`: whether the server can say all that is documented.
    `always_prepare`: whether what examples take for granted is made anew for each module.
    """

    platform: str
    modules: list[str]
    connection: Mapping[str, str]
    reading: tuple[str, ...]
    excused: Sequence[str]
    example_devices: Mapping[str, Any]
    always_prepare: bool
    complete: bool

    def write_files(self, folder: Path) -> None:
        """Write the files that the tasks name."""

    def place(self, devices: Mapping[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """Switch devices on; return the variables of a playbook, `server_url` among them."""

    def stop(self) -> None:
        """Switch the devices off."""


class HawkbitSide:
    """One hawkBit, which all targets share.

    Args:
        hawkbit: the server.
        variables: what the playbooks need to know about it.
    """

    platform = "hawkbit"
    connection: Mapping[str, str] = CONNECTIONS["hawkbit"]
    reading: tuple[str, ...] = ()
    example_devices: Mapping[str, Any] = {f"gateway-000{number}": "succeed" for number in range(1, 7)}
    always_prepare = False
    complete = True
    # Rollouts before assignments, which would leave them nothing to do; last the one that stops on old servers.
    modules: list[str] = sorted(
        RUNTIME["action_groups"]["hawkbit"],
        key=lambda name: (name == "platform_info", not name.startswith("hawkbit_rollout"), name),
    )

    def __init__(self, hawkbit: HawkbitServer, variables: Mapping[str, Any]) -> None:
        self.variables = {**variables, "server_url": hawkbit.url}
        self.excused: Sequence[str] = TOO_OLD_HAWKBIT.get(variables["hawkbit_generation"], ())
        self.fleet = SimulatedFleet(hawkbit.url, hawkbit.gateway_token, poll_interval=POLL_SECONDS).start()

    def write_files(self, folder: Path) -> None:
        """Write the artifacts of software modules."""
        for name in ("old.bin", "new.bin", "gateway-2.1.0.bin"):
            (folder / name).write_bytes(f"content of {name}\n".encode() * 1000)

    @contextmanager
    def place(self, devices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Switch devices on, which stay on to the end; their behaviours by their names."""
        for behaviour in set(devices.values()):
            self.fleet.add([name for name in devices if devices[name] == behaviour], behaviour, {"hw": "rev2"})
        self.fleet.wait(lambda fleet: all(fleet.devices[name].polls for name in devices))
        yield dict(self.variables)

    def stop(self) -> None:
        """Switch the devices off."""
        self.fleet.stop()


# examples for servers that are newer than this one
TOO_OLD_HAWKBIT = {"seed": ("Stop when the server is too old", "Have a type for targets that take only such sets")}


@dataclass(frozen=True)
class Outcome:
    """What came of a target: the run, and what was on the wire in check mode, for real and when run again."""

    run: Run
    checked: list[Record]
    converged: list[Record]
    again: list[Record]


class Targets:
    """The targets of some modules on one server, and the examples.

    Args:
        side: the platform's.
        folder: for files.
        modules: which targets to run; those of other platforms are left out.
    """

    def __init__(self, side: Side, folder: Path, modules: Iterable[str]) -> None:
        self.side = side
        self.folder = folder
        self._pool = ThreadPoolExecutor(LANES)
        self._examples: Future[Run] | None = None
        self._targets: dict[str, Future[Outcome]] = {}
        self.modules = [module for module in modules if module in side.modules and (TARGETS / module).is_dir()]

    def start(self) -> None:
        """Begin."""
        if not self.modules:
            return
        self._examples = self._pool.submit(self._run_examples)
        self._targets = {module: self._pool.submit(self._run_target, module) for module in self.modules}

    def stop(self) -> None:
        """Wait for what is under way, leave out the rest, switch the devices off."""
        self._pool.shutdown(cancel_futures=True)
        self.side.stop()

    def outcome(self, module: str) -> Outcome:
        """Return what came of a target, as soon as it is over."""
        return self._targets[module].result()

    def examples(self) -> Run:
        """Return what came of the examples of all modules: one run, one play for each module."""
        assert self._examples is not None
        return self._examples.result()

    def everything(self) -> list[Run]:
        """Return all runs, as soon as they are over."""
        return [self.examples(), *(self.outcome(module).run for module in self._targets)]

    def writes(self, records: Iterable[Record]) -> list[str]:
        """Return the requests that may change something on the server."""
        asked = [record for record in records if record.is_write and not record.path.endswith(self.side.reading)]
        return [f"{record.method} {record.path}" for record in asked]

    def files(self, name: str) -> Path:
        """Return a new folder with the files that tasks name."""
        folder = self.folder / name / "files"
        folder.mkdir(parents=True)
        self.side.write_files(folder)
        return folder

    def _run_target(self, module: str) -> Outcome:
        folder = TARGETS / module
        player = Player(self.folder / module)
        playbook = player.folder / "target.yml"
        plays = yaml.safe_load((HERE / "playbooks" / "target.yml").read_text())
        connection = {f"group/fleet.deploy.{self.side.platform}": {**self.side.connection, "url": "{{ address }}"}}
        playbook.write_text(yaml.safe_dump([{**play, "module_defaults": connection} for play in plays]))
        with ExitStack() as stack:
            variables = stack.enter_context(self.side.place(devices_of(module)))
            proxies = {
                name: stack.enter_context(FaultProxy(variables["server_url"]))
                for name in ("checked", "converged", "again")
            }
            urls = {name: proxy.url for name, proxy in proxies.items()}
            variables |= {"target_tasks": str(folder / "tasks"), "proxies": urls, "files": str(self.files(module))}
            # from ansible-core 2.21 on a result holds the options of its task only if asked for
            run = player.play(playbook, variables, ANSIBLE_INJECT_INVOCATION="1")
            return Outcome(run, **{name: proxy.wire for name, proxy in proxies.items()})

    def _run_examples(self) -> Run:
        with self.side.place(self.side.example_devices) as variables:
            variables["files"] = str(self.files("examples"))
            prepare = {
                "name": "Starting state",
                "hosts": "localhost",
                "gather_facts": False,
                "module_defaults": {f"group/fleet.deploy.{self.side.platform}": self.side.connection},
                "tasks": yaml.safe_load((HERE / "playbooks" / "tasks" / f"{self.side.platform}.yml").read_text()),
            }
            plays = [] if self.side.always_prepare else [prepare]
            for module in self.side.modules:
                text = examples_of(module).replace(EXAMPLE_URL, variables["server_url"])
                # our own files in place of those in the documentation
                tasks = yaml.safe_load(re.sub(r"(src|dest): /\S*/", rf"\1: {variables['files']}/", text))
                for task in tasks:
                    task.update({"ignore_errors": True} if task["name"] in self.side.excused else {})
                plays += [prepare] if self.side.always_prepare else []
                plays.append({"name": module, "hosts": "localhost", "gather_facts": False, "tasks": tasks})
            player = Player(self.folder / "examples", seconds=EXAMPLES_SECONDS)
            playbook = player.folder / "examples.yml"
            playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
            return player.play(playbook, variables)


def devices_of(module: str) -> dict[str, Any]:
    """Return the devices that a target needs."""
    path = TARGETS / module / "devices.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    return found


def module_of(name: str) -> Any:
    """Import a module of the collection."""
    return importlib.import_module(f"ansible_collections.fleet.deploy.plugins.modules.{name}")


def examples_of(name: str) -> str:
    """Return the examples in a module's documentation."""
    return str(module_of(name).EXAMPLES)


def documented_return(name: str) -> dict[str, Any]:
    """Return what a module's documentation says about its result."""
    found: dict[str, Any] = yaml.safe_load(module_of(name).RETURN)
    return found
