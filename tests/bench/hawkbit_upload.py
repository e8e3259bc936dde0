"""Uploading one large artifact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bench.hawkbit import ROOT, HawkbitBench
from bench.measuring import MIB, Cost, Row, best

# the peer builds the whole body in memory
PEER_SHARE = 8
MODULE = "ansible_collections.fleet.deploy.plugins.modules.hawkbit_software_module"


def module(bench: HawkbitBench, version: str) -> int:
    """Make a software module; return its id."""
    connection = bench.connection()
    body = {"name": "bench-upload", "version": version, "type": "os"}
    [made] = connection.send("POST", f"{ROOT}/softwaremodules", [body])
    connection.close()
    return int(made["id"])


def stream(bench: HawkbitBench, path: Path, id: int) -> None:
    """Floor: http.client streams the same multipart body."""
    connection = bench.connection()
    connection.stream(f"{ROOT}/softwaremodules/{id}/artifacts", path)
    connection.close()


def upload(bench: HawkbitBench, path: Path, version: str) -> Cost:
    """The same as one task; the module is what is written down of the memory, not ansible-playbook around it."""
    options = {"name": "bench-upload", "version": version, "type": "os", "artifacts": [{"src": str(path)}]}
    cost = bench.result_of({"fleet.deploy.hawkbit_software_module": options})
    again = {**options, "version": f"{version}-alone"}
    (bench.folder / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": again}))
    collections = bench.environment()["ANSIBLE_COLLECTIONS_PATH"]
    alone = bench.program("python", "-m", MODULE, "arguments.json", PYTHONPATH=collections)
    return replace(cost, memory=alone.memory)


def scripted(bench: HawkbitBench, path: Path) -> Cost:
    """What people script: one task of ansible.builtin.uri, with a part of the file."""
    small = bench.folder / "part.bin"
    with path.open("rb") as whole, small.open("wb") as part:
        for _block in range(bench.mebibytes // PEER_SHARE):
            part.write(whole.read(MIB))
    task = {
        "ansible.builtin.uri": {
            "url": f"{bench.server.url}{ROOT}/softwaremodules/{module(bench, 'peer')}/artifacts",
            "method": "POST",
            "user": bench.server.username,
            "password": bench.server.password,
            "force_basic_auth": True,
            "timeout": 600,
            "body_format": "form-multipart",
            "body": {"file": {"filename": str(small), "multipart_encoding": "7or8bit"}},
            "status_code": 201,
        }
    }
    cost = bench.result_of(task)
    small.unlink()
    return cost


def measure(bench: HawkbitBench) -> None:
    """Measure both sides in turn, each time to a new module."""
    path = bench.folder / "bench.bin"
    with path.open("wb") as file, Path("/dev/urandom").open("rb") as noise:
        for _block in range(bench.mebibytes):
            file.write(noise.read(MIB))
    floors, ours = [], []
    for run in range(bench.runs):
        id = module(bench, f"floor{run}")
        floors.append(bench.timed(stream, bench, path, id))
        ours.append(upload(bench, path, f"ours{run}"))
        bench.say(f"uploaded: {ours[-1].seconds:.1f} s, floor {floors[-1].seconds:.1f} s")
    peer = scripted(bench, path)
    share = bench.mebibytes // PEER_SHARE
    words = f"ansible.builtin.uri, from {share} MiB, for which it takes {peer.memory:,.0f} MiB of memory"
    path.unlink()
    seconds = peer.seconds * PEER_SHARE
    bench.rows.append(Row(f"upload {bench.mebibytes:,} MiB", best(ours), best(floors), 1.25, words, seconds, 64))
