"""The demo: two versions go out to a simulated fleet on a real hawkBit; one arrives, one stops at its canary.

It does what a user would do: it writes variable files, runs the collection's playbooks by their names, and looks at
the dynamic inventory. What it says at the end it has checked on the server. `make demo` runs it.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from servers.devices import SimulatedFleet, device_ids
from servers.hawkbit import HawkbitServer, Unavailable, start_any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "demo"
DEVICES = 25
SOFTWARE = "gateway-os"
GOOD, BAD = "1.0.0", "2.0.0"
QUERY = "controllerid==gateway-*"
ARTIFACT_BYTES = 1024 * 1024

HOSTS = """\
all:
  hosts:
    localhost:
      ansible_connection: local
      ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""

INVENTORY = f"""\
plugin: fleet.deploy.hawkbit
query: {QUERY}
group_by: [update_status, installed_distribution_set]
"""


class DemoFailed(Exception):
    """Something was not as it ought to be."""


class Demo:
    """Server, devices and files of one demonstration."""

    def __init__(self, server: HawkbitServer, devices: SimulatedFleet) -> None:
        self.server = server
        self.devices = devices
        self.environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_COLLECTIONS_PATH": _collections_path(),
            "ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg"),
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "HAWKBIT_URL": server.url,
            "HAWKBIT_USERNAME": server.username,
            "HAWKBIT_PASSWORD": server.password,
            # a proxy of the environment has no business with a server on loopback
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def register(self) -> None:
        """Give the devices, which have registered themselves, their names from a list."""
        with (FOLDER / "gateways.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["controller_id", "name", "description"])
            for number, identifier in enumerate(device_ids(DEVICES, "gateway-"), 1):
                writer.writerow([identifier, f"Gateway {number}", f"Hall {1 + number % 4}"])
        variables = {"register_targets_csv": str(FOLDER / "gateways.csv")}
        self.play("fleet.deploy.register_targets", "register.yml", variables)

    def roll_out(self, version: str, fails: bool = False) -> dict[str, Any]:
        """Publish a version and roll it out; return the report."""
        artifact = FOLDER / f"{SOFTWARE}-{version}.img"
        artifact.write_bytes(secrets.token_bytes(ARTIFACT_BYTES))
        report = FOLDER / f"{SOFTWARE}-{version}.json"
        module = {"name": SOFTWARE, "version": version, "type": "os", "artifacts": [{"src": str(artifact)}]}
        variables = {
            "rollout_id": f"{SOFTWARE}-{version}",
            "rollout_software": {"name": SOFTWARE, "version": version, "type": "os"},
            "rollout_publish": {"modules": [module]},
            "rollout_fleet": {"query": QUERY},
            "rollout_fleet_limit": 100,
            "rollout_waves": [
                {"name": "canary", "percentage": 10},
                {"name": "rest", "gate": {"min_success_percentage": 90, "max_failure_percentage": 10}},
            ],
            "rollout_wait_timeout": 120,
            "rollout_wait_interval": 1,
            "rollout_report": {"json": str(report), "html": str(report.with_suffix(".html"))},
        }
        self.play("fleet.deploy.rollout", f"rollout-{version}.yml", variables, fails=fails)
        result: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return result

    def play(self, playbook: str, name: str, variables: Mapping[str, Any], fails: bool = False) -> None:
        """Run a playbook by its name with a file of variables; it must fail exactly when that is expected."""
        file = FOLDER / name
        # JSON is YAML too
        file.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")
        self.run(["ansible-playbook", "-i", str(FOLDER / "hosts.yml"), playbook, "-e", f"@{file}"], fails)

    def run(self, command: list[str], fails: bool = False) -> None:
        """Run a command of Ansible's, printing what it prints."""
        print("$ " + " ".join(word.removeprefix(f"{ROOT}/") for word in command) + "\n", flush=True)
        program = Path(sys.executable).with_name(command[0])
        code = subprocess.run([str(program), *command[1:]], env=self.environment, cwd=ROOT, check=False).returncode
        if bool(code) != fails:
            raise DemoFailed(f"{command[0]} ended with code {code}, which was not expected.")

    def installed(self) -> Counter[str]:
        """Return how many devices have which version installed, as the server knows it."""
        found: Counter[str] = Counter()
        with self.server.session() as session:
            for identifier in device_ids(DEVICES, "gateway-"):
                answer = session.get(f"{self.server.url}/rest/v1/targets/{identifier}/installedDS", timeout=30)
                found[answer.json()["version"] if answer.status_code == 200 else "nothing"] += 1
        return found


def main() -> int:
    """Run the demo; return 0 when all was as it says."""
    started = time.monotonic()
    try:
        # asked to end, it ends like on Ctrl-C: the server is stopped
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _demo()
    except (DemoFailed, Unavailable) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print(f"\nThat took {time.monotonic() - started:.0f} seconds.")
    return 0


def _demo() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (FOLDER / "hosts.yml").write_text(HOSTS, encoding="utf-8")
    # nobody's own settings
    (FOLDER / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    inventory = FOLDER / "fleet.hawkbit.yml"
    inventory.write_text(INVENTORY, encoding="utf-8")

    _heading("A hawkBit server starts (the first time it is downloaded)")
    with start_any() as server, SimulatedFleet(server.url, server.gateway_token, poll_interval=1.0) as devices:
        print(server.choice)
        demo = Demo(server, devices)

        _heading(f"{DEVICES} devices register themselves and get their names")
        devices.add(device_ids(DEVICES, "gateway-"), attributes={"hw_revision": "rev2"})
        devices.on_version(BAD, "fail")
        devices.wait_registered()
        demo.register()

        _heading(f"{SOFTWARE} {GOOD} goes out: a canary of 10 percent, a gate, then the rest")
        first = demo.roll_out(GOOD)
        _check(first["deployment"]["state"] == "succeeded", f"the report says {first['deployment']['state']}")
        _check(demo.installed() == {GOOD: DEVICES}, f"installed is {dict(demo.installed())}")

        _heading("The fleet as an inventory")
        demo.run(["ansible-inventory", "-i", str(inventory), "--graph"])

        _heading(f"{SOFTWARE} {BAD} goes out, and fails on the canary")
        second = demo.roll_out(BAD, fails=True)
        ended = second["deployment"]["state"]
        _check(ended in ("failed", "aborted"), f"the report says {ended}")
        _check(demo.installed() == {GOOD: DEVICES}, f"installed is {dict(demo.installed())}")
        tried = {event.device for event in devices.events("taken", version=BAD)}
        _check(0 < len(tried) < DEVICES / 4, f"{len(tried)} devices took {BAD}")

        _heading("The fleet afterwards")
        demo.run(["ansible-inventory", "-i", str(inventory), "--graph"])

        _heading("What was seen")
        print(f"{GOOD} is on all {DEVICES} devices. {BAD} was tried on {len(tried)} of them and went no further.")
        for version in (GOOD, BAD):
            print(f"Report on {version}: {FOLDER / f'{SOFTWARE}-{version}.html'}")


def _heading(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}\n{'=' * len(text)}{plain}", flush=True)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailed(f"something is not as it ought to be: {otherwise}.")


def _collections_path() -> str:
    """Return the folder in which Ansible finds this checkout as a collection."""
    given = os.environ.get("ANSIBLE_COLLECTIONS_PATH")
    if given:
        return given
    if ROOT.parts[-3:] == ("ansible_collections", "fleet", "deploy"):
        return str(ROOT.parents[2])
    place = ROOT / ".cache" / "collections"
    link = place / "ansible_collections" / "fleet" / "deploy"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(ROOT)
    return str(place)


if __name__ == "__main__":
    sys.exit(main())
