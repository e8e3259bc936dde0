"""What an inventory of many hawkBit targets costs, beside its floor and beside grouping by Jinja.

    python tests/bench/inventory_hawkbit.py --targets 10000

Starts a hawkBit, registers targets, and measures in one process: the floor (all pages one after the other, and parsed),
the plain inventory, groups by `group_by`, the same groups by `keyed_groups` and `groups`, and a hit of the cache. CPU
is that of this process; the server's share shows in the wall clock only.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

PAGE = 500
FILTER = "controllerid==bench-*"
NATIVE = {"group_by": ["update_status", "target_type", "online"]}
JINJA = {
    "keyed_groups": [
        {"key": "hawkbit_update_status", "prefix": "hawkbit_update_status"},
        {"key": "hawkbit_target_type_name", "prefix": "hawkbit_target_type"},
    ],
    "groups": {"hawkbit_online": "fleet_online", "hawkbit_offline": "not fleet_online"},
}


def register(session: requests.Session, root: str, count: int) -> None:
    """Create the targets that are not there yet."""
    for start in range(0, count, PAGE):
        ids = range(start, min(start + PAGE, count))
        body = [{"controllerId": f"bench-{number:06}", "description": "of the benchmark"} for number in ids]
        answer = session.post(f"{root}/targets", json=body, timeout=300)
        if answer.status_code != 409:
            answer.raise_for_status()


def floor(session: requests.Session, root: str) -> int:
    """Fetch and parse all pages as simply as can be; return the number of targets."""
    found, total = 0, 1
    while found < total:
        wanted: dict[str, Any] = {"q": FILTER, "sort": "controllerId:ASC", "limit": PAGE, "offset": found}
        page = session.get(f"{root}/targets", params=wanted, timeout=300).json()
        found, total = found + len(page["content"]), page["total"]
    return found


def inventory(path: Path) -> int:
    """Make the inventory as Ansible does; return the number of hosts."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    return len(InventoryManager(loader=DataLoader(), sources=[str(path)]).hosts)


def measure(name: str, work: Callable[[], int], expected: int, runs: int) -> None:
    """Run it a few times and print the median."""
    walls, cpus = [], []
    for _run in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        if work() != expected:
            raise SystemExit(f"{name}: not all {expected} targets were found")
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    print(f"{name:38} {statistics.median(walls):8.2f} s {statistics.median(cpus):8.2f} s CPU", flush=True)


def main() -> None:
    """Command line; see the text above."""
    from ansible.release import __version__ as core
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    from servers.hawkbit import start_any

    parser = argparse.ArgumentParser(description="Measures the inventory plugin hawkbit.")
    parser.add_argument("--targets", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="the median of so many counts (default: %(default)s)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        link = folder / "ansible_collections" / "fleet" / "deploy"
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT)
        _AnsibleCollectionFinder(paths=[str(folder)])._install()
        server = stack.enter_context(start_any())
        session = stack.enter_context(server.session())
        os.environ.update(HAWKBIT_URL=server.url, HAWKBIT_USERNAME=server.username, HAWKBIT_PASSWORD=server.password)
        root = f"{server.url}/rest/v1"
        register(session, root, options.targets)
        print(f"{options.targets} targets, hawkBit {server.version}, ansible-core {core}, median of {options.runs}")
        measure("floor: pages one after the other", lambda: floor(session, root), options.targets, options.runs)
        cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder / "cache")}
        for name, more, runs in (
            ("inventory", {}, options.runs),
            ("inventory, group_by", NATIVE, options.runs),
            ("inventory, keyed_groups and groups", JINJA, 1),
            ("inventory, group_by, into the cache", {**NATIVE, **cache}, 1),
            ("inventory, group_by, from the cache", {**NATIVE, **cache}, options.runs),
        ):
            path = folder / "x.hawkbit.yml"
            path.write_text(yaml.safe_dump({"plugin": "fleet.deploy.hawkbit", "query": FILTER, **more}))
            measure(name, functools.partial(inventory, path), options.targets, runs)


if __name__ == "__main__":
    main()
