"""Runs what lies in targets/ and the examples of the documentation, once for each server, two at a time."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from integration.playing import Player, Run

from servers.devices import SimulatedFleet
from servers.fault_proxy import FaultProxy, Record

if TYPE_CHECKING:
    from servers.hawkbit import HawkbitServer

HERE = Path(__file__).resolve().parent
TARGETS = HERE / "targets"
RUNTIME = yaml.safe_load((HERE.parents[1] / "meta" / "runtime.yml").read_text())
# those of Mender have a server of their own, see test_mender.py
MODULES: list[str] = RUNTIME["action_groups"]["hawkbit"]
# playbooks at a time: the machine that this is made for has two processors
LANES = 2
POLL_SECONDS = 0.3
# what the examples of the documentation say
EXAMPLE_URL = "https://updates.example.com"
# Rollouts before assignments, which would leave them nothing to do; last the one that stops on old servers.
EXAMPLE_ORDER = sorted(
    MODULES, key=lambda name: (name == "platform_info", not name.startswith("hawkbit_rollout"), name)
)
EXAMPLE_DEVICES = tuple(f"gateway-000{number}" for number in range(1, 7))


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
        hawkbit: the server.
        variables: what the playbooks need to know about it.
        folder: for files.
        modules: which targets to run.
    """

    def __init__(
        self, hawkbit: HawkbitServer, variables: Mapping[str, Any], folder: Path, modules: Iterable[str]
    ) -> None:
        self.hawkbit = hawkbit
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        self.variables = {**variables, "files": str(self.files)}
        self.fleet = SimulatedFleet(hawkbit.url, hawkbit.gateway_token, poll_interval=POLL_SECONDS)
        self._pool = ThreadPoolExecutor(LANES)
        self._examples: Future[Run] | None = None
        self._targets: dict[str, Future[Outcome]] = {}
        for name in ("old.bin", "new.bin", "gateway-2.1.0.bin"):
            (self.files / name).write_bytes(f"content of {name}\n".encode() * 1000)
        self.modules = [module for module in modules if (TARGETS / module).is_dir()]

    def start(self) -> None:
        """Switch the devices on and begin."""
        if not self.modules:
            return
        self.fleet.start()
        self._examples = self._pool.submit(self._run_examples)
        self._targets = {module: self._pool.submit(self._run_target, module) for module in self.modules}

    def stop(self) -> None:
        """Wait for what is under way, leave out the rest, switch the devices off."""
        self._pool.shutdown(cancel_futures=True)
        self.fleet.stop()

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

    def _run_target(self, module: str) -> Outcome:
        folder = TARGETS / module
        self._switch_on(
            yaml.safe_load((folder / "devices.yml").read_text()) if (folder / "devices.yml").exists() else {}
        )
        with ExitStack() as stack:
            proxies = {
                name: stack.enter_context(FaultProxy(self.hawkbit.url)) for name in ("checked", "converged", "again")
            }
            urls = {name: proxy.url for name, proxy in proxies.items()}
            variables = {**self.variables, "target_tasks": str(folder / "tasks"), "proxies": urls}
            run = Player(self.folder / module).play(HERE / "playbooks" / "target.yml", variables)
            return Outcome(run, **{name: proxy.wire for name, proxy in proxies.items()})

    def _run_examples(self) -> Run:
        self._switch_on(dict.fromkeys(EXAMPLE_DEVICES, "succeed"))
        connection = {key: f"{{{{ hawkbit_{key} }}}}" for key in ("url", "username", "password")}
        begin = {
            "name": "Starting state",
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/fleet.deploy.hawkbit": connection},
            "tasks": yaml.safe_load((HERE / "playbooks" / "tasks" / "examples.yml").read_text()),
        }
        plays = [begin]
        for module in EXAMPLE_ORDER:
            tasks = yaml.safe_load(self._local(examples_of(module)))
            plays.append({"name": module, "hosts": "localhost", "gather_facts": False, "tasks": tasks})
        player = Player(self.folder / "examples")
        playbook = player.folder / "examples.yml"
        playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
        return player.play(playbook, self.variables)

    def _local(self, text: str) -> str:
        """Return examples with this server's address and our own files in place of those in the documentation."""
        return re.sub(r"src: \S*/", f"src: {self.files}/", text.replace(EXAMPLE_URL, self.hawkbit.url))

    def _switch_on(self, devices: Mapping[str, str]) -> None:
        for behaviour in set(devices.values()):
            self.fleet.add([name for name in devices if devices[name] == behaviour], behaviour, {"hw": "rev2"})
        self.fleet.wait(lambda fleet: all(fleet.devices[name].polls for name in devices))


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
