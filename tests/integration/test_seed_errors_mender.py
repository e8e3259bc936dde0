"""Each operation of Mender's document with each error that is listed for it: what the modules make of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.inprocess import run_module
from integration.seed import body_of, read_seed
from integration.seed_calls_mender import CALLS, MADE_UP, REAL, REQUEST_ID, UNKNOWN, Scene, refuse, scene_for

from servers.fault_proxy import FaultProxy, Record
from servers.mender import MenderServer, Settings

SEED = {operation.operation: operation for operation in read_seed("mender_deployments")}
CELLS = [(name, status) for name, operation in SEED.items() for status in operation.statuses]
# Where a later server has a newer operation, which is used in its place, or shows at once what was asked for singly.
NOT_SENT = {
    "seed": set(),
    "4.1": {
        "list_artifacts",
        "list_deployments",
        "list_releases",
        "list_devices",
        "read_statistics",
        "read_deployment",
    },
}
# error.code
CODES = {400: "rejected", 403: "auth", 404: "not_found", 409: "conflict", 422: "rejected", 500: "rejected"}
# What the server of 2020 says where it refuses by itself.
WORDS = {
    ("upload_artifact", 400): "request does not contain the artifact file",
    ("generate_artifact", 400): "api: invalid form parameters: device_types_compatible: cannot be blank.",
    ("read_artifact", 400): "ID is not a valid UUID",
    ("read_artifact", 404): "Resource not found",
    ("describe_artifact", 400): "json: cannot unmarshal number into Go struct field description",
    ("describe_artifact", 404): "Resource not found",
    ("describe_artifact", 422): "Image has already been used in deployment",
    ("delete_artifact", 404): "Resource not found",
    ("delete_artifact", 409): "Artifact is used in active deployment",
    ("link_artifact", 400): "ID is not a valid UUID",
    ("link_artifact", 404): "Resource not found",
    ("create_deployment", 400): "Validating request body: name: cannot be blank.",
    ("create_deployment", 403): "Feature not available in your Plan.",
    ("create_deployment", 422): "No artifact for the deployment",
    ("list_deployments", 400): "Param page is not a number",
    ("list_devices", 404): "Deployment not found",
    ("read_log", 404): "Resource not found",
    ("read_statistics", 404): "Resource not found",
    ("abort_deployment", 400): "Unexpected deployment status",
    ("abort_deployment", 422): "Deployment already finished",
    ("read_deployment", 404): "Resource not found",
    ("read_device_list", 400): "ID is not a valid UUID",
    ("read_device_list", 404): "Resource not found",
}
# What a user can do about it, behind the server's words.
ADVICE = {
    ("describe_artifact", 422): (
        " An artifact that was used in a deployment, even a finished one, keeps its description: leave description "
        "out, or give the present one, ''."
    ),
    ("delete_artifact", 409): " Wait until the deployments that use it have finished, or abort them.",
}
PLAN = " Either the user may not do it, or the plan of this Mender account does not include it."
# What is no failure, and what the result then has: what was wanted is so already, or what was asked for is not there.
FINE: dict[tuple[str, int], dict[str, Any]] = {
    ("delete_artifact", 404): {"changed": True, "artifact": None},
    ("read_log", 404): {"changed": False},
    ("abort_deployment", 422): {"changed": False, "outcome": None},
    ("read_deployment", 404): {"changed": False, "deployments": []},
}
# What the modules say in their own words, with the code.
OWN_WORDS = {
    ("read_artifact", 404): (
        "invalid_input",
        "id is '{id}', but there is no such artifact on the server: upload it first.",
    ),
}
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Cell:
    """What a module made of a refusal, and the requests that were refused."""

    scene: Scene
    result: dict[str, Any]
    refused: list[Record]
    writes: list[Record]


@pytest.fixture(scope="module", params=list(NOT_SENT))
def servers(request: pytest.FixtureRequest) -> Iterator[dict[str, MenderServer]]:
    """A server of each of two releases; by its edition, since only one of them has a plan."""
    settings = Settings(generate_seconds=0.02)
    editions = {name: MenderServer(request.param, name, settings=settings) for name in ("open_source", "professional")}
    for server in editions.values():
        server.start()
    yield editions
    for server in editions.values():
        server.stop()
        assert server.faults == 0


def _try(server: MenderServer, folder: Path, operation: str, status: int) -> Cell:
    scene, options = scene_for(server, f"cell-{next(_NUMBERS)}", folder, operation, status)
    with FaultProxy(server.url) as proxy:
        rule = refuse(proxy, SEED[operation], status)
        result = run_module(CALLS[operation].module, {"url": proxy.url, "token": server.token, **options})
        refused = [record for record in proxy.wire if record.fault == rule.fault]
        writes = [record for record in proxy.writes if not record.path.endswith(("/search", "/statistics/list"))]
    return Cell(scene, result, refused, writes)


@pytest.mark.parametrize("operation, status", CELLS, ids=[f"{name}-{status}" for name, status in CELLS])
def test_error(servers: dict[str, MenderServer], tmp_path: Path, operation: str, status: int) -> None:
    server = servers["professional" if status == 403 else "open_source"]
    if operation in NOT_SENT[server.version]:
        pytest.skip("this release has a newer operation in its place")
    cell, call, key = _try(server, tmp_path, operation, status), CALLS[operation], (operation, status)
    is_read = SEED[operation].method == "GET"
    # a read at which the server fails is tried once more
    assert [record.status for record in cell.refused] == [status] * (2 if is_read and status == 500 else 1)
    assert len(cell.writes) == (0 if is_read else 1)
    # whether it was the server itself that refused
    assert cell.refused[0].acted is (key in REAL)
    body = body_of(cell.refused[-1].response_body)
    assert body["request_id"]
    if server.version == "seed":
        assert body["error"] == WORDS.get(key, MADE_UP.get(status))
    if key in FINE:
        assert not cell.result.get("failed"), cell.result
        assert {name: cell.result[name] for name in FINE[key]} == FINE[key]
        return
    assert cell.result["failed"]
    assert not cell.result["changed"]
    if key in OWN_WORDS:
        code, sentence = OWN_WORDS[key]
        assert (cell.result["error"]["code"], cell.result["msg"]) == (code, sentence.format(**cell.scene.known))
        return
    subject = call.subject.format(name=cell.scene.name, **cell.scene.known)
    hint = PLAN if status == 403 else ""
    again = " 2 tries were made." if is_read and status == 500 else ADVICE.get(key, "")
    assert cell.result["msg"] == f"{subject}: {body['error'].rstrip('.')}.{hint} (HTTP {status}){again}"
    error = {"code": CODES[status], "message": body["error"], "details": {}, "request_id": body["request_id"]}
    assert cell.result["error"] == error
    path = cell.refused[-1].path
    assert cell.result["http"] == {"method": SEED[operation].method, "path": path, "status": status}


def test_table_is_whole() -> None:
    assert len(CELLS) == 42
    assert set(WORDS) == set(REAL)
    assert set(FINE) | set(OWN_WORDS) | set(ADVICE) <= set(CELLS)
    # the only thing but a failure of the server that it cannot be brought to say: for an unknown one it says 422
    assert [cell for cell in CELLS if cell not in REAL and cell[1] != 500] == [("abort_deployment", 404)]


def test_what_is_fine_is_told(servers: dict[str, MenderServer], tmp_path: Path) -> None:
    server = servers["open_source"]
    cell = _try(server, tmp_path, "read_log", 404)
    [device] = cell.result["deployments"][0]["devices"]
    assert (device["id"], device["has_log"], device["log"]) == (cell.scene.known["device"], True, None)
    gone = run_module("deployment", {"url": server.url, "token": server.token, "id": UNKNOWN})
    assert gone["msg"] == f"id is '{UNKNOWN}', but Mender has no such deployment: correct it."
    assert gone["error"]["request_id"] in (None, REQUEST_ID)
