"""Listing targets with ansible-inventory: grouped by the plugin itself, and grouped by expressions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from bench.hawkbit import HawkbitBench
from bench.measuring import Cost, Row, best

HERE = Path(__file__).parent / "floor"
NATIVE = {"group_by": ["update_status", "target_type", "online", "overdue"]}
KEYED = {
    "keyed_groups": [
        {"key": "hawkbit_update_status", "prefix": "hawkbit_update_status"},
        {"key": "hawkbit_target_type_name", "prefix": "hawkbit_target_type"},
    ],
    "groups": {"hawkbit_online": "fleet_online", "hawkbit_offline": "not fleet_online"},
}


def listing(bench: HawkbitBench, source: str, **environment: str) -> Cost:
    """Run ansible-inventory --list; make sure that all targets are in it."""
    output = bench.folder / "listed.json"
    cost = bench.program("ansible-inventory", "-i", source, "--list", output=output, **environment)
    found = len(json.loads(output.read_text())["_meta"]["hostvars"])
    if found != bench.targets:
        told = (bench.folder / "errors.txt").read_text(errors="replace")
        raise RuntimeError(f"{source} lists {found} of {bench.targets} targets:\n{told}")
    return cost


def measure(bench: HawkbitBench) -> None:
    """Measure all sides in turn, on targets that the first benchmark has registered."""
    query = "controllerid==bench-ours0-*"

    def source(name: str, **options: Any) -> str:
        (bench.folder / name).write_text(yaml.safe_dump({"query": query, **options}))
        return name

    native = source("native.hawkbit.yml", plugin="fleet.deploy.hawkbit", **NATIVE)
    keyed = source("keyed.hawkbit.yml", plugin="fleet.deploy.hawkbit", **KEYED)
    floors, natives, keyeds, scripts = [], [], [], []
    # what the server and the disk have to warm up for is nobody's cost
    listing(bench, native)
    hosts = json.loads((bench.folder / "listed.json").read_text())["_meta"]["hostvars"]
    of_server = {"port": bench.server.port, "username": bench.server.username}
    floor = source("floor.yml", plugin="floor", names=sorted(next(iter(hosts.values()))), **of_server)
    for _run in range(bench.runs + 1):
        enabled = {"ANSIBLE_INVENTORY_PLUGINS": str(HERE), "ANSIBLE_INVENTORY_ENABLED": "floor"}
        floors.append(listing(bench, floor, **enabled))
        natives.append(listing(bench, native))
        bench.say(f"listed: {natives[-1].seconds:.1f} s, floor {floors[-1].seconds:.1f} s")
    for _run in range(bench.runs):
        keyeds.append(listing(bench, keyed))
        scripts.append(listing(bench, str(HERE / "script.py"), BENCH_QUERY=query))
    count = f"{bench.targets:,}"
    peer, seconds = "an inventory script, pages of 50 one after the other", best(scripts).seconds
    bench.rows += [
        Row(f"list {count} targets, groups by group_by", best(natives), best(floors), 1.2, peer, seconds),
        Row(f"list {count} targets, groups by keyed_groups", best(keyeds), best(floors), None, peer, seconds),
    ]
