"""What a user reads when the server of 2020 refuses one of the operations on deployments, status by status."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.modules import deployment, deployment_info, mender_device_deployments
from servers._mender_http import Answer, Call, Refusal
from servers.mender import MenderServer

from .conftest import Run

HINT = " Either the user may not do it, or the plan of this Mender account does not include it."
CODES = {400: "rejected", 403: "auth", 404: "not_found", 422: "rejected", 500: "rejected"}


@dataclass(frozen=True)
class Scene:
    """A server with a deployment that has finished for one of its two devices, and what its objects are called."""

    server: MenderServer
    id: str
    device: str
    idle: str


@pytest.fixture
def scene(run: Run) -> Iterator[Scene]:
    """A server of 2020."""
    with MenderServer("seed") as server:
        server.add_artifact("rel-1", ["gw"])
        device, idle = server.add_devices(2, "gw")
        given = {"token": server.token, "artifact_name": "rel-1", "fleet": {"ids": [device, idle]}}
        id = run(deployment, server.url, **given).result["deployment"]["id"]

        def fail() -> None:
            server.deployments.next(device, "factory", "gw")
            server.deployments.save_log(id, device, {"messages": [{"message": "boom"}]})
            server.deployments.report(id, device, {"status": "failure"})

        server._run(fail)
        yield Scene(server, id, device, idle)


@dataclass(frozen=True)
class Operation:
    """One operation of the API, the task that needs it, and the beginning of what a user reads."""

    method: str
    path: str
    module: Any
    options: Callable[[Scene], Mapping[str, Any]]
    words: Callable[[Scene], str]


OPERATIONS = {
    "create": Operation(
        "POST",
        "/deployments/deployments$",
        deployment,
        lambda scene: {"name": "new", "artifact_name": "rel-1", "fleet": {"ids": [scene.idle]}},
        lambda scene: "Cannot create deployment 'new'",
    ),
    "list": Operation(
        "GET",
        "/v1/deployments/deployments$",
        deployment_info,
        lambda scene: {},
        lambda scene: "Cannot list deployments",
    ),
    "leave": Operation(
        "DELETE",
        "/deployments/devices/",
        mender_device_deployments,
        lambda scene: {"device_id": scene.idle},
        lambda scene: f"Cannot end all deployments of device '{scene.idle}'",
    ),
    "devices": Operation(
        "GET",
        "/devices$",
        deployment_info,
        lambda scene: {"id": scene.id, "devices": "all"},
        lambda scene: f"Cannot list the devices of deployment '{scene.id}'",
    ),
    "log": Operation(
        "GET",
        "/log$",
        deployment_info,
        lambda scene: {"id": scene.id, "devices": "failure", "logs": True},
        lambda scene: f"Cannot read the log of device '{scene.device}'",
    ),
    "statistics": Operation(
        "GET",
        "/statistics$",
        deployment_info,
        lambda scene: {"id": scene.id},
        lambda scene: f"Cannot read the statistics of deployment '{scene.id}'",
    ),
    "abort": Operation(
        "PUT",
        "/status$",
        deployment,
        lambda scene: {"id": scene.id, "state": "aborted"},
        lambda scene: f"Cannot abort deployment '{scene.id}'",
    ),
    "read": Operation(
        "GET",
        "/deployments/deployments/[0-9a-f-]{36}$",
        deployment_info,
        lambda scene: {"id": scene.id},
        lambda scene: f"Cannot read deployment '{scene.id}'",
    ),
    "device list": Operation(
        "GET",
        "/device_list$",
        deployment_info,
        lambda scene: {"id": scene.id, "device_list": True},
        lambda scene: f"Cannot read the device list of deployment '{scene.id}'",
    ),
}
# what the document of the API says that each may answer
DOCUMENTED = {
    "create": (400, 403, 422, 500),
    "list": (400, 500),
    "leave": (500,),
    "devices": (404, 500),
    "log": (404, 500),
    "statistics": (404, 500),
    "abort": (400, 404, 422, 500),
    "read": (404, 500),
    "device list": (400, 404, 500),
}
# that is no failure: there is no log, no deployment, or it has finished
FINE = {("log", 404), ("read", 404), ("abort", 422)}


def refuse(server: MenderServer, method: str, path: str, status: int) -> list[str]:
    """Have a server refuse an operation; return the list of the refused paths, which grows."""
    answer, refused = server._answer, []

    async def instead(call: Call) -> Answer:
        if call.method == method and re.search(path, call.raw_path.partition("?")[0]):
            refused.append(call.raw_path)
            raise Refusal(status, "this is why")
        return await answer(call)

    server._answer = instead
    return refused


@pytest.mark.parametrize(
    "title, status", [(title, status) for title, statuses in DOCUMENTED.items() for status in statuses]
)
def test_refusal(scene: Scene, run: Run, title: str, status: int) -> None:
    operation = OPERATIONS[title]
    refused = refuse(scene.server, operation.method, operation.path, status)
    ran = run(operation.module, scene.server.url, token=scene.server.token, **operation.options(scene))
    # a read at which the server fails is tried once more
    twice = status == 500 and operation.method == "GET"
    assert len(refused) == (2 if twice else 1)
    if (title, status) in FINE:
        assert ran.error is None, ran.result
        return
    again = " 2 tries were made." if twice else ""
    hint = HINT if status == 403 else ""
    assert ran.result["msg"] == f"{operation.words(scene)}: this is why.{hint} (HTTP {status}){again}"
    error = ran.result["error"]
    assert (error["code"], error["message"]) == (CODES[status], "this is why")
    assert error["request_id"]
    assert (ran.result["http"]["method"], ran.result["http"]["status"]) == (operation.method, status)


def test_what_is_fine_is_told(scene: Scene, run: Run) -> None:
    given = {"token": scene.server.token, "id": scene.id}
    refuse(scene.server, "GET", "/log$", 404)
    [found] = run(deployment_info, scene.server.url, **given, devices="failure", logs=True).result["deployments"]
    assert [(item["id"], item["has_log"], item["log"]) for item in found["devices"]] == [(scene.device, True, None)]
    refuse(scene.server, "GET", f"{scene.id}$", 404)
    assert run(deployment_info, scene.server.url, **given).result["deployments"] == []
    gone = run(deployment, scene.server.url, **given)
    assert gone.result["msg"] == f"id is '{scene.id}', but Mender has no such deployment: correct it."
