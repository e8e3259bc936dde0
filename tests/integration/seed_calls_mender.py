"""How the modules come to send each operation of Mender's document, how a server is made to refuse it, what is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.seed import SeedOperation

from servers.artifact_writer import Written
from servers.fault_proxy import Fault, FaultProxy
from servers.mender import MenderServer

UNKNOWN = "11111111-2222-4333-8444-555555555555"
NONSENSE = "nonsense"
DEPLOYMENTS = "/api/management/v1/deployments/deployments"
# of an answer that the proxy makes up
REQUEST_ID = "f7881e82-0492-49fb-b459-795654e7188a"


@dataclass
class Scene:
    """What one cell works on: a server, a name that nothing else has, a folder; and what its objects are called."""

    server: MenderServer
    name: str
    folder: Path
    known: dict[str, str] = field(default_factory=dict)

    def artifact(self) -> str:
        """Upload an artifact; return its id."""
        self.known["id"] = self.server.add_artifact(self.name, ["gw"])
        return self.known["id"]

    def device(self) -> str:
        """Add a device; return its id."""
        [self.known["device"]] = self.server.add_devices(1, "gw")
        return self.known["device"]

    def deployment(self) -> str:
        """Deploy an artifact to two devices, of which the first fails and sends its log; return the deployment's id."""
        self.artifact()
        device, idle = self.server.add_devices(2, "gw")
        with self.server.session() as session:
            body = {"name": self.name, "artifact_name": self.name, "devices": [device, idle]}
            answer = session.post(f"{self.server.url}{DEPLOYMENTS}", json=body, timeout=10)
        id = answer.headers["Location"].rpartition("/")[2]

        def fail() -> None:
            self.server.deployments.next(device, "factory", "gw")
            self.server.deployments.save_log(id, device, {"messages": [{"message": "boom"}]})
            self.server.deployments.report(id, device, {"status": "failure"})

        self.server._run(fail)
        self.known.update(id=id, device=device, idle=idle)
        return id


@dataclass(frozen=True)
class Call:
    """A module with options that make it send one operation, and how it begins a sentence about it.

    `prepare` makes what is needed and returns the options. In `subject` stand {name}, {id} and {device}.
    """

    module: str
    prepare: Callable[[Scene], Mapping[str, Any]]
    subject: str


def _artifact(**options: Any) -> Callable[[Scene], Mapping[str, Any]]:
    """An artifact, and options for it."""
    return lambda scene: {"id": scene.artifact(), **options}


def _deployment(**options: Any) -> Callable[[Scene], Mapping[str, Any]]:
    """A deployment, and options for it."""
    return lambda scene: {"id": scene.deployment(), **options}


def _file(scene: Scene) -> Mapping[str, Any]:
    return {"src": Written(name=scene.name).save(scene.folder / f"{scene.name}.mender")}


def _raw_file(scene: Scene) -> Mapping[str, Any]:
    raw = scene.folder / scene.name
    raw.write_bytes(b"raw\n")
    return {
        "src": str(raw),
        "generate": {"name": scene.name, "device_types_compatible": ["gw"], "args": {"dest_dir": "/etc"}},
    }


def _new_deployment(scene: Scene) -> Mapping[str, Any]:
    scene.artifact()
    # what the plan does not have is only refused by a server that is said to have it
    paid = {"edition": "enterprise", "retries": 1} if scene.server.edition == "professional" else {}
    return {"artifact_name": scene.name, "fleet": {"ids": [scene.device()]}, **paid}


CALLS: dict[str, Call] = {
    "upload_artifact": Call("artifact_upload", _file, "Cannot upload artifact '{name}'"),
    "list_artifacts": Call("artifact_info", lambda scene: {}, "Cannot list artifacts"),
    "generate_artifact": Call("artifact_upload", _raw_file, "Cannot have an artifact generated '{name}'"),
    "read_artifact": Call("artifact", _artifact(), "Cannot read artifact"),
    "describe_artifact": Call(
        "artifact", _artifact(description="new"), "Cannot change the description of artifact '{name}'"
    ),
    "delete_artifact": Call("artifact", _artifact(state="absent"), "Cannot remove artifact '{name}'"),
    "link_artifact": Call("artifact", _artifact(link_only=True), "Cannot read the download link of artifact '{name}'"),
    "create_deployment": Call("deployment", _new_deployment, "Cannot create deployment '{name}'"),
    "list_deployments": Call("deployment_info", lambda scene: {}, "Cannot list deployments"),
    "leave_deployments": Call(
        "mender_device_deployments",
        lambda scene: {"device_id": scene.known["idle"] if scene.deployment() else ""},
        "Cannot end all deployments of device '{idle}'",
    ),
    "list_releases": Call("mender_release_info", lambda scene: {}, "Cannot list releases"),
    "list_devices": Call("deployment_info", _deployment(devices="all"), "Cannot list the devices of deployment '{id}'"),
    "read_log": Call(
        "deployment_info", _deployment(devices="failure", logs=True), "Cannot read the log of device '{device}'"
    ),
    "read_statistics": Call("deployment_info", _deployment(), "Cannot read the statistics of deployment '{id}'"),
    "abort_deployment": Call("deployment", _deployment(state="aborted"), "Cannot abort deployment '{id}'"),
    "read_deployment": Call("deployment_info", _deployment(), "Cannot read deployment '{id}'"),
    "read_device_list": Call(
        "deployment_info", _deployment(device_list=True), "Cannot read the device list of deployment '{id}'"
    ),
    "read_storage": Call("mender_storage_info", lambda scene: {}, "Cannot read the storage limit"),
}
# what makes the server itself refuse: how a request is changed on its way, nothing where its state does it
_BAD_ADDRESS = {"as_path": NONSENSE}
_UNKNOWN = {"as_path": UNKNOWN}
_NO_FILE = {
    "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    "body": '--b\r\nContent-Disposition: form-data; name="description"\r\n\r\ntext\r\n--b--\r\n',
}
REAL: dict[tuple[str, int], dict[str, Any]] = {
    ("upload_artifact", 400): _NO_FILE,
    ("generate_artifact", 400): _NO_FILE,
    ("read_artifact", 400): _BAD_ADDRESS,
    ("read_artifact", 404): _UNKNOWN,
    ("describe_artifact", 400): {"body": '{"description": 1}'},
    ("describe_artifact", 404): _UNKNOWN,
    # used in a deployment
    ("describe_artifact", 422): {},
    ("delete_artifact", 404): _UNKNOWN,
    # used in an active deployment
    ("delete_artifact", 409): {},
    ("link_artifact", 400): _BAD_ADDRESS,
    ("link_artifact", 404): _UNKNOWN,
    ("create_deployment", 400): {"body": "{}"},
    # a plan without it
    ("create_deployment", 403): {},
    ("create_deployment", 422): {"body": '{"name": "n", "artifact_name": "none", "devices": ["d"]}'},
    ("list_deployments", 400): {"query": "page=x"},
    ("list_devices", 404): _UNKNOWN,
    ("read_log", 404): _UNKNOWN,
    ("read_statistics", 404): _UNKNOWN,
    ("abort_deployment", 400): {"body": '{"status": "other"}'},
    # somebody was faster
    ("abort_deployment", 422): {"twice": True},
    ("read_deployment", 404): _UNKNOWN,
    ("read_device_list", 400): _BAD_ADDRESS,
    ("read_device_list", 404): _UNKNOWN,
}
MADE_UP = {400: "bad", 404: "Resource not found", 500: "internal error"}


def scene_for(
    server: MenderServer, name: str, folder: Path, operation: str, status: int
) -> tuple[Scene, dict[str, Any]]:
    """Make what a cell needs; return it, and the options of the module."""
    scene = Scene(server, name, folder)
    options = dict(CALLS[operation].prepare(scene))
    if (operation, status) in (("describe_artifact", 422), ("delete_artifact", 409)):
        with server.session() as session:
            body = {"name": name, "artifact_name": name, "devices": [scene.device()]}
            assert session.post(f"{server.url}{DEPLOYMENTS}", json=body, timeout=10).status_code == 201
    return scene, options


def refuse(proxy: FaultProxy, operation: SeedOperation, status: int) -> Fault:
    """Have requests of an operation refused with a status, by the server itself where it can be brought to it."""
    which: dict[str, Any] = {"method": operation.method, "path": operation.pattern}
    real = REAL.get((operation.operation, status))
    if real is None:
        body = {"error": MADE_UP[status], "request_id": REQUEST_ID}
        return proxy.inject("answer", times=None, **which, status=status, body=body)
    if "as_path" in real:
        real = {"as_path": re.sub(r"\{(?!device_id)\w+\}", real["as_path"], operation.path).format(device_id="none")}
    return proxy.inject("altered", times=None, **which, **real)
