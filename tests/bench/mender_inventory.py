"""Listing devices of Mender with ansible-inventory: grouped by the plugin itself, and grouped by expressions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from bench.measuring import Cost, Row, best
from bench.mender import MenderBench, MenderSizes, program

HERE = Path(__file__).parent / "floor"
PLUGIN = {"plugin": "fleet.deploy.mender"}
NATIVE = {"group_by": ["status", "group", "device_type", "artifact_name"]}
KEYED = {
    "keyed_groups": [
        {"key": "mender_status", "prefix": "mender_status"},
        {"key": "mender_group | default('', true)", "prefix": "mender_group"},
        {"key": "mender_device_type", "prefix": "mender_device_type"},
        {"key": "mender_artifact_name", "prefix": "mender_artifact_name"},
    ]
}
# expressions take long; they cost the same for each host
MOST_KEYED = 20_000


def listing(bench: MenderBench, source: str, **environment: str) -> Cost:
    """Run ansible-inventory --list; make sure that all devices are in it."""
    output = bench.folder / "listed.json"
    cost = bench.program("ansible-inventory", "-i", source, "--list", output=output, **environment)
    found = len(json.loads(output.read_text())["_meta"]["hostvars"])
    if found != bench.devices:
        told = (bench.folder / "errors.txt").read_text(errors="replace")
        raise RuntimeError(f"{source} lists {found} of {bench.devices} devices:\n{told}")
    return cost


def compare(bench: MenderBench) -> None:
    """Measure all sides in turn."""

    def source(name: str, **options: Any) -> str:
        (bench.folder / name).write_text(yaml.safe_dump(options))
        return name

    native = source("native.mender.yml", **PLUGIN, **NATIVE)
    keyed = source("keyed.mender.yml", **PLUGIN, **KEYED)
    floors, natives, keyeds = [], [], []
    # the server renders its pages once
    listing(bench, native)
    hosts = json.loads((bench.folder / "listed.json").read_text())["_meta"]["hostvars"]
    floor = source("floor.yml", plugin="mender_floor", port=bench.server.port, names=sorted(next(iter(hosts.values()))))
    del hosts
    enabled = {"ANSIBLE_INVENTORY_PLUGINS": str(HERE), "ANSIBLE_INVENTORY_ENABLED": "mender_floor"}
    for _run in range(bench.runs):
        floors.append(listing(bench, floor, **enabled))
        natives.append(listing(bench, native))
        bench.say(f"listed {bench.devices:,}: {natives[-1].seconds:.1f} s, floor {floors[-1].seconds:.1f} s")
    script = listing(bench, str(HERE / "mender_script.py"))
    if bench.devices <= MOST_KEYED:
        keyeds.append(listing(bench, keyed))
    peer = "an inventory script, pages of 500 one after the other"
    for costs, how, goal in ((natives, "group_by", 1.2), (keyeds, "keyed_groups", None)):
        if costs:
            name = f"list {bench.devices:,} devices, groups by {how}"
            bench.rows.append(Row(name, best(costs), best(floors), goal, peer, script.seconds))


def measure(sizes: MenderSizes) -> None:
    """Measure fleets of several sizes, each on a server of its own."""
    for count in sizes.devices:
        with program("mender_server", count) as server:
            compare(sizes.bench(server, devices=count))
