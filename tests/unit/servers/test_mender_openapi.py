"""What the simulated Mender server answers fits the description of the open source server's interfaces.

The description is no part of the collection; it lies beside its checkout where it is developed. Every operation of
it that the simulator has is called, well and badly; each answer must have a status and a body that are described.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from servers.mender import MenderServer, Settings, write_artifact

FILE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "data" / "mender" / "openapi-oss.yaml"
SERVICES = re.compile(
    r"/api/(management/v[12]/(deployments|inventory|devauth)|devices/v1/(deployments|inventory))/|.*/useradm/auth/log"
)
TYPE = "generic-x86_64"
UNKNOWN = "11111111-2222-4333-8444-555555555555"
V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
INVENTORY = "/api/management/v1/inventory"
ADMISSION = "/api/management/v2/devauth"
DEVICE = "/api/devices/v1/deployments/device/deployments"

LEFT_OUT = {
    "GET /api/devices/v1/deployments/download/configuration/{deployment_id}/{device_type}/{device_id}": "configuration",
    "POST /api/management/v2/devauth/devices": "devices are made by add_devices()",
    "DELETE /api/management/v2/devauth/devices/{id}/auth/{aid}": "a device has one identity only",
    "DELETE /api/management/v2/devauth/tokens/{id}": "tokens of devices do not end",
    "GET /api/management/v2/devauth/limits/max_devices": "there is no limit",
    "GET /api/management/v2/inventory/statistics": "newer than 4.1",
}
# Where real servers differ from their description: transcripts or their source show it.
UNDESCRIBED = {
    400: "an id that is no UUID, a page out of bounds",
    401: "the gateway's answer; services behind it do not describe it",
    403: "the same",
    404: "a device, a deployment or a release that is not there",
    405: "the same for all paths",
    413: "a body over the limit",
    415: "another content type",
    422: "an artifact that is generated a second time",
}
# Bodies that differ, by operation.
BODIES = {
    "POST /api/management/v1/deployments/deployments/statistics/list": "an empty list is answered with {}",
    "GET /api/management/v1/inventory/devices/{id}/group": "null without a group",
}
# Fields that the description requires and servers leave out: the description of an artifact when it is empty.
ABSENT = {"ArtifactV2": ("description",)}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description; skips without it."""
    if not FILE.is_file():
        pytest.skip("the description of Mender's interfaces is not part of the collection")
    found: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[MenderServer]:
    """A server with something of everything."""
    with MenderServer(settings=Settings(direct_upload=True, generate_seconds=0.01)) as server:
        yield server


class Checker:
    """Makes calls and compares the answers with the description."""

    def __init__(self, server: MenderServer, document: dict[str, Any]) -> None:
        jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, which only the development has")
        self.server = server
        self.document = document
        self.session = server.session()
        self.called: set[str] = set()
        self.wrong: list[str] = []
        schemas = {name: _plain(schema) for name, schema in document["components"]["schemas"].items()}
        for name, absent in ABSENT.items():
            assert set(absent) <= set(schemas[name]["required"])
            schemas[name]["required"] = [key for key in schemas[name]["required"] if key not in absent]
        self._root = {"components": {"schemas": schemas}}
        self._validator = jsonschema.Draft7Validator

    def operations(self) -> dict[str, dict[str, Any]]:
        """The described operations of the services that are simulated."""
        return {
            f"{method.upper()} {path}": operation
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
            if method in ("get", "put", "post", "patch", "delete") and SERVICES.match(path)
        }

    def _operation(self, method: str, path: str) -> str:
        found = [
            name
            for name in self.operations()
            if name.startswith(f"{method} ")
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name.partition(" ")[2]), path.partition("?")[0])
        ]
        # "/devices/search" is also an id for "/devices/{id}": literal names go first
        return min(found, key=lambda name: name.count("{"))

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Make a call and check its answer."""
        answer = self.session.request(method, f"{self.server.url}{path}", json=body, timeout=60, **options)
        name = self._operation(method, path)
        self.called.add(name)
        responses = self.operations()[name]["responses"]
        described = responses.get(str(answer.status_code))
        if described is None:
            if answer.status_code not in UNDESCRIBED:
                self.wrong.append(f"{name}: {answer.status_code} is not described: {answer.text[:200]}")
            return answer
        self._check_body(name, described, answer)
        return answer

    def _check_body(self, name: str, described: dict[str, Any], answer: requests.Response) -> None:
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        content = described.get("content", {})
        if not content:
            if answer.status_code < 400 and answer.content:
                self.wrong.append(f"{name}: {answer.status_code} has a body")
            return
        kind = answer.headers["Content-Type"].partition(";")[0]
        if kind not in content:
            self.wrong.append(f"{name}: {answer.status_code} is {kind}, described are {', '.join(content)}")
        elif kind == "application/json" and name not in BODIES:
            schema = {**_plain(content[kind].get("schema", {})), **self._root}
            for error in self._validator(schema).iter_errors(answer.json()):
                self.wrong.append(f"{name}: {error.json_path}: {error.message[:200]}")


def _plain(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(value) for key, value in schema.items() if key not in ("example", "nullable")}
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found


def form(*parts: tuple[str, Any]) -> list[tuple[str, tuple[None, Any]]]:
    """Parts of a form in this order."""
    return [(name, (None, value)) for name, value in parts]


def id_in(answer: requests.Response) -> str:
    """The id at the end of Location."""
    return answer.headers["Location"].rpartition("/")[2]


def test_every_answer_is_described(server: MenderServer, document: dict[str, Any], tmp_path: Path) -> None:
    call = Checker(server, document)
    server.add_devices(["dev-1", "dev-2"], group="g", attributes={"ip": ["10.0.0.1/24"], "load": 1})
    server.add_devices(["dev-3"], status="pending")
    artifacts(call, tmp_path)
    deployments(call)
    releases(call)
    inventory(call)
    access(call)
    assert call.wrong == []
    assert server.faults == 0
    missing = call.operations().keys() - call.called - LEFT_OUT.keys()
    assert sorted(missing) == [], "operations that were not called"
    assert LEFT_OUT.keys() <= call.operations().keys()


def artifacts(call: Checker, folder: Path) -> None:
    """Artifacts."""
    file = write_artifact(folder / "a.mender", "rel-1", [TYPE], {"a.txt": b"content"}).read_bytes()
    one = id_in(call("POST", f"{V1}/artifacts", files=form(("description", "text"), ("artifact", file))))
    call("POST", f"{V1}/artifacts", files=form(("artifact", file)))
    call("POST", f"{V1}/artifacts", files=form(("artifact", b"none")))
    call("POST", f"{V1}/artifacts", {})
    for path in ("artifacts", "artifacts/list", "artifacts/list?per_page=1", f"artifacts/{one}"):
        call("GET", f"{V1}/{path}")
    for path in (f"{V1}/artifacts/{UNKNOWN}", f"{V1}/artifacts/x", f"{V2}/artifacts", f"{V2}/artifacts?name=rel*"):
        call("GET", path)
    call("PUT", f"{V1}/artifacts/{one}", {"description": "changed"})
    call("PUT", f"{V1}/artifacts/{one}", {"description": 1})
    call("PUT", f"{V1}/artifacts/{UNKNOWN}", {"description": "changed"})
    call("GET", f"{V1}/artifacts/{one}/download")
    call("GET", f"{V1}/artifacts/{UNKNOWN}/download")
    call("DELETE", f"{V1}/artifacts/{UNKNOWN}")
    args = ("args", '{"filename":"a","dest_dir":"/"}')
    names = [("name", "gen"), ("device_types_compatible", TYPE), ("type", "single_file"), args]
    call("POST", f"{V1}/artifacts/generate", files=form(*names, ("file", b"x")))
    call("POST", f"{V1}/artifacts/generate", files=form(("file", b"x")))
    link = call("POST", f"{V1}/artifacts/directupload").json()
    assert requests.put(link["uri"], data=b"none", timeout=60).status_code == 200
    for _dummy in range(2):
        call("POST", f"{V1}/artifacts/directupload/{link['id']}/complete", {"size": 4, "updates": []})
    call("GET", f"{V1}/limits/storage")
    call("GET", "/api/management/v1/deployments/limits/storage")


def deployments(call: Checker) -> None:
    """Deployments, and the devices' side of them."""
    base, headers = f"{V1}/deployments", {"Authorization": f"Bearer {call.server.device_token('dev-1')}"}
    body = {"name": "d", "artifact_name": "rel-1", "devices": ["dev-1", "dev-2"]}
    one = id_in(call("POST", base, body))
    bad: list[Any] = [body, {**body, "artifact_name": "none"}, {"name": "d"}, []]
    for wrong in bad:
        call("POST", base, wrong)
    call("POST", f"{base}/group/g", {"name": "g", "artifact_name": "rel-1"})
    call("POST", f"{base}/group/none", {"name": "g", "artifact_name": "rel-1"})
    for query in ("?artifact_name=old", f"?artifact_name=old&device_type={TYPE}"):
        call("GET", f"{DEVICE}/next{query}", headers=headers)
    messages = [{"timestamp": "2026-11-20T07:39:49Z", "level": "error", "message": "boom"}]
    call("PUT", f"{DEVICE}/{one}/log", {"messages": messages}, headers=headers)
    call("PUT", f"{DEVICE}/{one}/log", {}, headers=headers)
    call("PUT", f"{DEVICE}/{UNKNOWN}/log", {"messages": messages}, headers=headers)
    for name, status in ((one, "failure"), (one, "nothing"), (UNKNOWN, "success")):
        call("PUT", f"{DEVICE}/{name}/status", {"status": status}, headers=headers)
    for path in ("", "?status=pending&sort=asc", "?sort=nothing", "?per_page=501", f"/{one}", f"/{UNKNOWN}", "/x"):
        call("GET", f"{base}{path}")
    for path in ("", "?name=d", f"?id={one}", "?status=nothing"):
        call("GET", f"{V2}/deployments{path}")
    for name in (one, UNKNOWN):
        for path in ("statistics", "devices", "devices/list", "devices/list?status=failure", "device_list"):
            call("GET", f"{base}/{name}/{path}")
        call("GET", f"{base}/{name}/devices/dev-1/log")
    lists: list[Any] = [[one], [], [UNKNOWN], ["x"], "x"]
    for ids in lists:
        call("POST", f"{base}/statistics/list", {"deployment_ids": ids})
    call("GET", f"{base}/devices/dev-1")
    call("GET", f"{base}/devices/dev-1?status=failure")
    call("DELETE", f"{base}/devices/dev-2")
    call("DELETE", f"{base}/devices/dev-1/history")
    call("PUT", f"{base}/{one}/status", {"status": "aborted"})
    call("PUT", f"{base}/{one}/status", {"status": "aborted"})
    call("PUT", f"{base}/{UNKNOWN}/status", {"status": "other"})


def releases(call: Checker) -> None:
    """Releases."""
    base = f"{V2}/deployments/releases"
    for path in (f"{V1}/deployments/releases", f"{V1}/deployments/releases/list"):
        call("GET", path)
    for path in ("", "?tag=a", "/none"):
        call("GET", f"{base}{path}")
    call("PUT", f"{base}/rel-1/tags", ["a", "b"])
    call("PUT", f"{base}/rel-1/tags", ["a b"])
    call("PATCH", f"{base}/rel-1", {"notes": "text"})
    call("PATCH", f"{base}/rel-1", {"notes": 1})
    call("GET", f"{base}/rel-1")
    call("GET", f"{V2}/releases/all/tags")
    call("GET", f"{V2}/releases/all/types")
    call("DELETE", f"{base}?name=rel-1")
    call("DELETE", base)


def inventory(call: Checker) -> None:
    """Inventory and admission."""
    search = "/api/management/v2/inventory/filters/search"
    term = {"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}
    bodies: list[Any] = [{}, {"filters": [term], "page": 1, "per_page": 5}, {"filters": [1]}, {"device_ids": [[]]}]
    for body in [*bodies, {"attributes": ["a"]}, {"sort": 1}]:
        call("POST", search, body)
    call("GET", "/api/management/v2/inventory/filters/attributes")
    devices, groups = f"{INVENTORY}/devices", f"{INVENTORY}/groups"
    for path in ("", "?group=g&sort=load:asc", "?has_group=x", "/dev-1", "/none", "/dev-1/group", "/none/group"):
        call("GET", f"{devices}{path}")
    tags = [{"name": "site", "value": "north"}]
    for method in ("PUT", "PATCH"):
        call(method, f"{devices}/dev-1/tags", tags)
        call(method, f"{devices}/dev-1/tags", [1])
        call(method, f"{devices}/dev-1/tags", tags, headers={"If-Match": "old"})
    call("PUT", f"{devices}/dev-3/group", {"group": "h"})
    call("PUT", f"{devices}/dev-3/group", {"group": 1})
    call("DELETE", f"{devices}/dev-3/group/h")
    call("DELETE", f"{devices}/dev-3/group/h")
    for path in ("", "/g/devices", "/none/devices"):
        call("GET", f"{groups}{path}")
    call("PATCH", f"{groups}/h/devices", ["dev-3"])
    call("PATCH", f"{groups}/h/devices", [])
    call("DELETE", f"{groups}/h/devices", ["dev-3"])
    call("DELETE", f"{groups}/g")
    call("DELETE", f"{groups}/g")
    headers = {"Authorization": f"Bearer {call.server.device_token('dev-1')}"}
    for method in ("PUT", "PATCH"):
        attributes = "/api/devices/v1/inventory/device/attributes"
        call(method, attributes, [{"name": "load", "value": 2}], headers=headers)
        call(method, attributes, [{}], headers=headers)
    for path in ("", "?status=pending", "?status=x", "/count", "/count?status=pending", "/dev-3", "/none"):
        call("GET", f"{ADMISSION}/devices{path}")
    for body in ({"status": "accepted"}, {"id": ["dev-1"]}, {"status": [{}]}):
        call("POST", f"{ADMISSION}/devices/search", body)
    number = call("GET", f"{ADMISSION}/devices/dev-3").json()["auth_sets"][0]["id"]
    call("GET", f"{ADMISSION}/devices/dev-3/auth/{number}/status")
    call("PUT", f"{ADMISSION}/devices/dev-3/auth/{number}/status", {"status": "accepted"})
    call("PUT", f"{ADMISSION}/devices/dev-3/auth/{number}/status", {"status": "x"})
    call("DELETE", f"{ADMISSION}/devices/dev-3")
    call("DELETE", f"{ADMISSION}/devices/dev-3")
    call("DELETE", f"{devices}/dev-2")


def access(call: Checker) -> None:
    """Login."""
    login = "/api/management/v1/useradm/auth/login"
    call.session.headers.pop("Authorization")
    call("POST", login, auth=(call.server.username, "wrong"))
    answer = call("POST", login, auth=(call.server.username, call.server.password))
    call("POST", "/api/management/v1/useradm/auth/logout", headers={"Authorization": f"Bearer {answer.text}"})
    call("POST", "/api/management/v1/useradm/auth/logout", headers={"Authorization": f"Bearer {answer.text}"})


def test_differences_that_are_allowed_happen(server: MenderServer, document: dict[str, Any]) -> None:
    """Each body that may differ does differ: an entry that is needed no more must go."""
    call = Checker(server, document)
    server.add_devices(["lonely"])
    asked: dict[str, Any] = {
        "POST /api/management/v1/deployments/deployments/statistics/list": {"deployment_ids": []},
        "GET /api/management/v1/inventory/devices/{id}/group": None,
    }
    assert asked.keys() == BODIES.keys()
    for name, body in asked.items():
        method, _space, path = name.partition(" ")
        address = f"{server.url}{path.replace('{id}', 'lonely')}"
        answer = call.session.request(method, address, json=body, timeout=60)
        responses = call.operations()[name]["responses"]
        call._check_body(f"{name} ", responses["200"], answer)
    assert len(call.wrong) == len(BODIES)
