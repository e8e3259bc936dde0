"""The part of the Management API that keeps software: modules, artifacts, distribution sets and their types."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from servers.scripted import Arrived, ScriptedServer, Wire

Answer = tuple[int, Any]
MODULE_TYPES = {1: ("os", 1), 2: ("application", 99)}
# id -> key, mandatory module types, optional ones
SET_TYPES: dict[int, tuple[str, list[int], list[int]]] = {
    1: ("os", [1], []),
    2: ("app", [2], []),
    3: ("os_app", [1], [2]),
}
TAKEN = {"errorCode": "hawkbit.server.error.repo.entityAlreadyExists", "message": "The given entity already exists"}


class Repository:
    """Keeps what it is told, as releases with locks do; `locks=False` as 0.3.0M7.

    `fault` is what happens to the next write: "after" and "before" reset the connection when it has and has not been
    carried out. `hidden` holds names that were removed after use. `garble` makes the answer of an upload wrong.
    """

    def __init__(self, locks: bool = True) -> None:
        self.locks = locks
        self.modules: dict[int, dict[str, Any]] = {}
        self.artifacts: dict[int, list[dict[str, Any]]] = {}
        self.sets: dict[int, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self.fault: str | None = None
        self.garble = False
        self.drops_modules = False
        self.assigned = 0
        self.default_type: int | None = 3
        self.metadata: dict[int, dict[str, str]] = {}
        self.tags: dict[int, tuple[str, list[int]]] = {}
        self.server = ScriptedServer(default=self._step)
        self._next = 0

    def add_module(self, name: str, version: str = "1", type_key: str = "os", **fields: Any) -> int:
        """Create a module; return its id."""
        self._next += 1
        lock = {"locked": False} if self.locks else {}
        item = {
            "id": self._next,
            "name": name,
            "version": version,
            "type": type_key,
            "deleted": False,
            **lock,
            **fields,
        }
        self.modules[self._next] = item
        self.artifacts[self._next] = []
        return self._next

    def add_artifact(self, module: int, filename: str, content: bytes) -> None:
        """Store a file."""
        self._next += 1
        hashes = {name: hashlib.new(name, content).hexdigest() for name in ("sha256", "sha1", "md5")}
        self.artifacts[module].append(
            {"id": self._next, "providedFilename": filename, "size": len(content), "hashes": hashes}
        )

    def add_set(self, name: str, *modules: int, type_key: str = "os", **fields: Any) -> int:
        """Create a distribution set; return its id."""
        self._next += 1
        lock = {"locked": False, "valid": True} if self.locks else {}
        self.sets[self._next] = {"id": self._next, "name": name, "version": "1", "type": type_key, "deleted": False}
        self.sets[self._next].update({**lock, "_modules": list(modules), **fields})
        return self._next

    @property
    def writes(self) -> list[str]:
        """Method and path of all requests that were no GET."""
        lines = [(request.method, urlsplit(request.target).path.removeprefix("/rest/v1")) for request in self.requests]
        return [f"{method} {path}" for method, path in lines if method != "GET"]

    @property
    def requests(self) -> list[Arrived]:
        """All requests so far."""
        return self.server.requests

    def _step(self, wire: Wire) -> None:
        request = wire.read_request()
        fault = None
        if request.method != "GET":
            fault, self.fault = self.fault, None
        if fault == "before":
            wire.reset()
            return
        status, data = self._answer(request)
        if fault == "after":
            wire.reset()
            return
        body = b"" if data is None else json.dumps(data).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.send(head.encode() + body)

    def _answer(self, request: Arrived) -> Answer:
        parts = urlsplit(request.target)
        line = f"{request.method} {parts.path.removeprefix('/rest/v1')}"
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for pattern, handler in ROUTES:
            if match := re.fullmatch(pattern, line):
                try:
                    groups = (int(group) if group.isdigit() else group for group in match.groups())
                    return handler(self, request, query, *groups)
                except KeyError:
                    break
        return 404, {"errorCode": "hawkbit.server.error.repo.entityNotFound", "message": "It does not exist."}

    def _page(self, items: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        for field, value in re.findall(r'(name|version)=="((?:[^"\\]|\\.)*)"', query.get("q", "")):
            wanted = re.sub(r"\\(.)", r"\1", value).lower()
            items = [item for item in items if item[field].lower() == wanted]
        return 200, {"content": items, "total": len(items), "size": len(items)}

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        modules = [self.modules[number] for number in item["_modules"]]
        needed = next(mandatory for key, mandatory, _optional in SET_TYPES.values() if key == item["type"])
        complete = {MODULE_TYPES[number][0] for number in needed} <= {module["type"] for module in modules}
        shown = {name: value for name, value in item.items() if name != "_modules"}
        return {"complete": complete, "requiredMigrationStep": False, **shown, "modules": modules}

    def list_modules(self, request: Arrived, query: dict[str, str]) -> Answer:
        return self._page(list(self.modules.values()), query)

    def list_sets(self, request: Arrived, query: dict[str, str]) -> Answer:
        return self._page([self._shown(item) for item in self.sets.values() if not item["deleted"]], query)

    def _taken(self, body: dict[str, Any], there: dict[int, dict[str, Any]]) -> bool:
        keys = {tuple(item[name] for name in ("name", "version", "type")) for item in there.values()}
        return body["name"] in self.hidden or (body["name"], body["version"], body["type"]) in keys

    def create_module(self, request: Arrived, query: dict[str, str]) -> Answer:
        [body] = request.json
        if self._taken(body, self.modules):
            return 409, TAKEN
        body["type_key"] = body["type"]
        number = self.add_module(**{name: value for name, value in body.items() if name != "type"})
        return 201, [self.modules[number]]

    def create_set(self, request: Arrived, query: dict[str, str]) -> Answer:
        [body] = request.json
        body = {"type": "os_app", **body}
        if self._taken(body, self.sets):
            return 409, TAKEN
        ids = [] if self.drops_modules else [module["id"] for module in body.pop("modules")]
        body.pop("modules", None)
        number = self.add_set(body.pop("name"), *ids, type_key=body.pop("type"), **body)
        return 201, [self._shown(self.sets[number])]

    def read_module(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        return 200, self.modules[number]

    def read_set(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        return 200, self._shown(self.sets[number])

    def update_module(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        self.modules[number].update(request.json)
        return 200, self.modules[number]

    def update_set(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        self.sets[number].update(request.json)
        return 200, self._shown(self.sets[number])

    def delete_module(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        if any(number in item["_modules"] for item in self.sets.values()):
            self.modules[number]["deleted"] = True
        else:
            del self.modules[number]
        return 204, None

    def delete_set(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        if self.sets[number].get("locked"):
            self.sets[number]["deleted"] = True
        else:
            del self.sets[number]
        return 204, None

    def list_artifacts(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        return 200, self.artifacts[number]

    def upload(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        content = request.body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--" + boundary, 1)[0]
        if any(item["providedFilename"].lower() == query["filename"].lower() for item in self.artifacts[number]):
            return 409, TAKEN
        if hashlib.sha256(content).hexdigest() != query["sha256sum"]:
            return 400, {
                "errorCode": "hawkbit.server.error.artifact.uploadFailed.checksum.sha256.match",
                "message": "No",
            }
        self.add_artifact(number, query["filename"], b"other" if self.garble else content)
        return 201, self.artifacts[number][-1]

    def delete_artifact(self, request: Arrived, query: dict[str, str], number: int, artifact: int) -> Answer:
        self.artifacts[number] = [item for item in self.artifacts[number] if item["id"] != artifact]
        return 204, None

    def add_modules(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        self.sets[number]["_modules"] += [module["id"] for module in request.json]
        return 204, None

    def remove_module(self, request: Arrived, query: dict[str, str], number: int, module: int) -> Answer:
        self.sets[number]["_modules"] = [other for other in self.sets[number]["_modules"] if other != module]
        return 204, None

    def invalidate(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        self.sets[number]["valid"] = False
        self.sets[number]["_invalidated"] = request.json
        return 204, None

    def metadata_of(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        kept = self.metadata.setdefault(number, {})
        if request.method == "POST":
            kept.update({item["key"]: item["value"] for item in request.json})
            return 201, None
        content = [{"key": key, "value": value} for key, value in kept.items()]
        return 200, {"content": content, "total": len(content)}

    def metadata_entry(self, request: Arrived, query: dict[str, str], number: int, key: str) -> Answer:
        kept = self.metadata[number]
        if request.method == "DELETE":
            del kept[key]
            return 204, None
        if request.method == "PUT":
            kept[key] = request.json["value"]
        return 200, {"key": key, "value": kept[key]}

    def list_actions(self, request: Arrived, query: dict[str, str]) -> Answer:
        return self._page([], query)

    def list_tags(self, request: Arrived, query: dict[str, str]) -> Answer:
        return self._page([{"id": number, "name": name} for number, (name, _sets) in self.tags.items()], query)

    def tagged(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        bearers = self.tags[number][1]
        if request.method == "POST":
            bearers += request.json
            return 204, None
        if request.method == "DELETE":
            bearers[:] = [one for one in bearers if one not in request.json]
            return 204, None
        return self._page([{**self._shown(self.sets[one])} for one in bearers], {})

    def targets_of_set(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        return 200, {"content": [], "total": self.assigned}

    def module_types(self, request: Arrived, query: dict[str, str]) -> Answer:
        return self._page([{"id": number, "key": key} for number, (key, _most) in MODULE_TYPES.items()], query)

    def set_types(self, request: Arrived, query: dict[str, str]) -> Answer:
        return self._page([{"id": number, "key": item[0]} for number, item in SET_TYPES.items()], query)

    def mandatory(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        return 200, _types(SET_TYPES[number][1])

    def optional(self, request: Arrived, query: dict[str, str], number: int) -> Answer:
        return 200, _types(SET_TYPES[number][2])

    def read_default_type(self, request: Arrived, query: dict[str, str]) -> Answer:
        if self.default_type is None:
            return 400, {"errorCode": "hawkbit.server.error.configKeyInvalid", "message": "No such key"}
        return 200, {"value": self.default_type}


def _types(numbers: list[int]) -> list[dict[str, Any]]:
    return [
        {"id": number, "key": MODULE_TYPES[number][0], "maxAssignments": MODULE_TYPES[number][1]} for number in numbers
    ]


ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (r"GET /softwaremodules", Repository.list_modules),
    (r"POST /softwaremodules", Repository.create_module),
    (r"GET /softwaremodules/(\d+)", Repository.read_module),
    (r"PUT /softwaremodules/(\d+)", Repository.update_module),
    (r"DELETE /softwaremodules/(\d+)", Repository.delete_module),
    (r"GET /softwaremodules/(\d+)/artifacts", Repository.list_artifacts),
    (r"POST /softwaremodules/(\d+)/artifacts", Repository.upload),
    (r"DELETE /softwaremodules/(\d+)/artifacts/(\d+)", Repository.delete_artifact),
    (r"GET /softwaremoduletypes", Repository.module_types),
    (r"GET /distributionsets", Repository.list_sets),
    (r"POST /distributionsets", Repository.create_set),
    (r"GET /distributionsets/(\d+)", Repository.read_set),
    (r"PUT /distributionsets/(\d+)", Repository.update_set),
    (r"DELETE /distributionsets/(\d+)", Repository.delete_set),
    (r"POST /distributionsets/(\d+)/assignedSM", Repository.add_modules),
    (r"DELETE /distributionsets/(\d+)/assignedSM/(\d+)", Repository.remove_module),
    (r"GET /distributionsets/(\d+)/(?:assigned|installed)Targets", Repository.targets_of_set),
    (r"POST /distributionsets/(\d+)/invalidate", Repository.invalidate),
    (r"(?:GET|POST) /distributionsets/(\d+)/metadata", Repository.metadata_of),
    (r"(?:GET|PUT|DELETE) /distributionsets/(\d+)/metadata/([a-z]+)", Repository.metadata_entry),
    (r"GET /distributionsettags", Repository.list_tags),
    (r"(?:GET|POST|DELETE) /distributionsettags/(\d+)/assigned", Repository.tagged),
    (r"GET /actions", Repository.list_actions),
    (r"GET /distributionsettypes", Repository.set_types),
    (r"GET /distributionsettypes/(\d+)/mandatorymoduletypes", Repository.mandatory),
    (r"GET /distributionsettypes/(\d+)/optionalmoduletypes", Repository.optional),
    (r"GET /system/configs/default\.ds\.type", Repository.read_default_type),
]
