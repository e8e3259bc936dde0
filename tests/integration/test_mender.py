"""The examples of Mender's modules, run by ansible-playbook on the simulated server: in check mode, for real, again.

Those that remove or abort something are run in check mode only, so that the second run finds what the first has made.
test_targets_mender.py runs all of them for real, on each version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.mender_side import MenderSide
from integration.playing import Player, Run
from integration.targets_run import EXAMPLE_URL, examples_of

from servers.artifact_writer import Written
from servers.fault_proxy import FaultProxy, Record
from servers.mender import MenderServer
from servers.mender_devices import MenderFleet

MODULES = sorted(MenderSide.modules)
NAME = "gateway-2.1.0"
DEVICE = "2f3b8b5e-6f0a-4d0e-9d38-0b6f4c1f7a11"


@dataclass(frozen=True)
class Played:
    """A run and what was on the wire."""

    run: Run
    wire: list[Record]

    def writes(self) -> list[str]:
        """Return the requests that change something on the server."""
        asked = [record for record in self.wire if record.is_write and not record.path.endswith(MenderSide.reading)]
        return [f"{record.method} {record.path}" for record in asked]


@dataclass(frozen=True)
class Outcome:
    """The examples in check mode, for real, and again; and what no output may show."""

    checked: Played
    real: Played
    again: Played
    secrets: list[str]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What comes of the examples."""
    folder = tmp_path_factory.mktemp("mender")
    Written(name=NAME, device_types=("gateway",)).save(folder / f"{NAME}.mender")
    (folder / "settings.json").write_text('{"interval": 7}\n')
    with MenderServer() as server, MenderFleet(server.url, server.device_token, poll_interval=0.2) as fleet:
        fleet.add(server.add_devices([DEVICE], "gateway", group="canary"), device_type="gateway")
        fleet.add(server.add_devices(2, "gateway", group="canary"), device_type="gateway")

        def play(name: str, *options: str, removals: bool = True) -> Played:
            plays: list[dict[str, Any]] = []
            for module in MODULES:
                tasks = [task for task in examples(module, folder) if removals or not _removes(task)]
                plays.append({"name": module, "hosts": "localhost", "gather_facts": False, "tasks": tasks})
            with FaultProxy(server.url) as proxy:
                text = yaml.safe_dump(plays, sort_keys=False).replace(EXAMPLE_URL, proxy.url)
                playbook = folder / f"{name}.yml"
                playbook.write_text(text)
                run = Player(folder / name).play(playbook, {"mender_token": server.token}, *options)
                return Played(run, list(proxy.wire))

        server.upload(folder / f"{NAME}.mender")
        checked = play("checked", "--check", "--diff", "-vvv")
        real = play("real", "--diff", "-vvv", removals=False)
        again = play("again", "--diff", removals=False)
        return Outcome(checked, real, again, [server.token])


def examples(module: str, folder: Path) -> list[dict[str, Any]]:
    """Return a module's examples with our own files in place of those in the documentation."""
    tasks: list[dict[str, Any]] = yaml.safe_load(re.sub(r"(src|dest): /tmp/", rf"\1: {folder}/", examples_of(module)))
    return tasks


def _options(task: dict[str, Any]) -> dict[str, Any]:
    return next((value for key, value in task.items() if key.startswith("fleet.deploy.")), {})


def _removes(task: dict[str, Any]) -> bool:
    return _options(task).get("state") in ("absent", "aborted")


def test_examples_succeed_without_a_word_of_warning(outcome: Outcome) -> None:
    for played in (outcome.checked, outcome.real, outcome.again):
        played.run.must_succeed()


def test_check_mode_sends_no_write(outcome: Outcome) -> None:
    assert outcome.checked.writes() == []
    assert outcome.checked.wire


def test_real_run_writes_and_the_next_one_does_not(outcome: Outcome) -> None:
    assert outcome.real.writes()
    assert outcome.again.writes() == []
    assert [result.name for result in outcome.again.run.results if result.changed] == []


def test_secrets_are_in_no_output(outcome: Outcome) -> None:
    for played in (outcome.checked, outcome.real, outcome.again):
        assert not [secret for secret in outcome.secrets if secret in played.run.output]
        assert "X-Amz-Signature" not in played.run.output
