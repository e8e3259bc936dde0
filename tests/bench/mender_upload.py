"""Uploading one large artifact to Mender."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bench.measuring import MIB, Cost, Row, best
from bench.mender import MenderBench, MenderSizes, program

ARTIFACTS = "/api/management/v1/deployments/artifacts"
MODULE = "ansible_collections.fleet.deploy.plugins.modules.artifact_upload"
# the peer builds the whole body in memory
PEER_SHARE = 8


def artifact(folder: Path, name: str, mebibytes: int) -> Path:
    """Write an artifact of that size; beside it what a server tells of it."""
    from servers._mender_artifacts import Artifact
    from servers._mender_versions import FEATURES
    from servers.mender import read_artifact, write_artifact

    payload = folder / "payload.bin"
    with payload.open("wb") as file, Path("/dev/urandom").open("rb") as noise:
        for _block in range(mebibytes):
            file.write(noise.read(MIB))
    path = write_artifact(folder / f"{name}.mender", name, ["gateway"], {"payload.bin": payload})
    payload.unlink()
    told = Artifact("cba05ba3-0000-4000-8000-000000000001", read_artifact(path), path, "").body(FEATURES["4.1"])
    path.with_suffix(".json").write_text(json.dumps(told))
    return path


def stream(bench: MenderBench, path: Path) -> None:
    """Floor: http.client streams the same multipart body."""
    connection = bench.connection()
    connection.stream(ARTIFACTS, path, "artifact")
    connection.close()


def forget(bench: MenderBench) -> None:
    """Have the server without it again."""
    connection = bench.connection()
    connection.send("DELETE", ARTIFACTS)
    connection.close()


def upload(bench: MenderBench, path: Path) -> tuple[Cost, Cost]:
    """The same as one task, and as the module alone, which is what is written down of the memory."""
    forget(bench)
    options = {"src": str(path)}
    cost = bench.result_of({"fleet.deploy.artifact_upload": options})
    forget(bench)
    (bench.folder / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    collections = bench.environment()["ANSIBLE_COLLECTIONS_PATH"]
    alone = bench.program("python", "-m", MODULE, "arguments.json", PYTHONPATH=collections)
    if not json.loads((bench.folder / "output.txt").read_text())["changed"]:
        raise RuntimeError("the artifact was not uploaded")
    return replace(cost, memory=alone.memory), alone


def scripted(bench: MenderBench, path: Path) -> Cost:
    """What people script: one task of ansible.builtin.uri."""
    forget(bench)
    task = {
        "ansible.builtin.uri": {
            "url": f"{bench.variables['MENDER_URL']}{ARTIFACTS}",
            "method": "POST",
            "headers": {"Authorization": bench.authorization},
            "timeout": 600,
            "body_format": "form-multipart",
            "body": {"artifact": {"filename": str(path), "multipart_encoding": "7or8bit"}},
            "status_code": 201,
        }
    }
    return bench.result_of(task)


def measure(sizes: MenderSizes) -> None:
    """Measure both sides in turn."""
    path = artifact(sizes.folder, "bench", sizes.mebibytes)
    with program("mender_sink", str(path.with_suffix(".json"))) as server:
        bench = sizes.bench(server)
        # what the disk has to warm up for is nobody's cost
        stream(bench, path)
        floors, ours, modules = [], [], []
        for _run in range(bench.runs):
            floors.append(bench.timed(stream, bench, path))
            whole, alone = upload(bench, path)
            ours.append(whole)
            modules.append(alone)
            bench.say(
                f"uploaded: {whole.seconds:.1f} s, module {alone.seconds:.1f} s, floor {floors[-1].seconds:.1f} s"
            )
        path.unlink()
        share = bench.mebibytes // PEER_SHARE
        small = artifact(sizes.folder, "small", share)
        peer = scripted(bench, small)
        small.unlink()
    words = f"ansible.builtin.uri, from {share} MiB, for which it takes {peer.memory:,.0f} MiB of memory"
    name = f"upload an artifact of {bench.mebibytes:,} MiB"
    # to a server that costs nothing, the start of ansible-playbook is more than the upload
    for costs, what in ((ours, name), (modules, "the same, the module alone")):
        bench.rows.append(Row(what, best(costs), best(floors), 1.25, words, peer.seconds * PEER_SHARE, 64))
