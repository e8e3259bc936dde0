"""The parts of the Management API that are plain collections of named objects: tags, types, filters, settings."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from servers.scripted import Arrived, ScriptedServer, Wire

Answer = tuple[int, Any]
TAKEN = {"errorCode": "hawkbit.server.error.repo.entityAlreadyExists", "message": "The given entity already exists"}
UNKNOWN = {"errorCode": "hawkbit.server.error.repo.entityNotFound", "message": "It does not exist"}


class Objects:
    """Keeps what it is told, as releases from 0.10 on do.

    `missing` are collections that this release does not have. `fault` is what happens to the next write: "after" and
    "before" reset the connection when it has and has not been carried out.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self.related: dict[str, list[int]] = defaultdict(list)
        self.settings: dict[str, dict[str, Any]] = {}
        self.defaults: dict[str, Any] = {}
        self.missing: set[str] = set()
        self.fault: str | None = None
        self.server = ScriptedServer(default=self._step)
        self._next = 0

    def add(self, collection: str, **fields: Any) -> int:
        """Keep an object; return its id."""
        self._next += 1
        self.kept[collection][self._next] = {"id": self._next, **fields}
        return self._next

    @property
    def writes(self) -> list[str]:
        """Method and path of all requests that were no GET."""
        return [f"{one.method} {_path(one)}" for one in self.server.requests if one.method != "GET"]

    def bodies(self, line: str) -> list[Any]:
        """The bodies of the requests of this line."""
        return [one.json for one in self.server.requests if f"{one.method} {_path(one)}" == line]

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
        wire.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _answer(self, request: Arrived) -> Answer:
        parts = _path(request).split("/")
        body = request.json if request.body else None
        if parts[0] in self.missing:
            return 404, {"status": 404, "error": "Not Found"}
        if parts[0] == "system":
            return self._setting(request.method, parts[2:], body)
        if parts[0] == "rollouts" or parts[0] == "actions":
            return 200, {"content": [], "total": 0}
        if len(parts) == 1:
            return self._collection(request, parts[0], body)
        if int(parts[1]) not in self.kept[parts[0]]:
            return 404, UNKNOWN
        if len(parts) == 2:
            return self._object(request.method, parts[0], int(parts[1]), body)
        if parts[2] == "autoAssignDS":
            return self._auto_assign(request.method, int(parts[1]), body)
        return self._relation(request.method, parts, body)

    def _collection(self, request: Arrived, collection: str, body: Any) -> Answer:
        objects = self.kept[collection]
        if request.method == "GET":
            query = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}.get("q", "")
            found = list(objects.values())
            for field, value in re.findall(r'(\w+)=="([^"]*)"', query):
                found = [item for item in found if str(item.get(field, "")).lower() == value.lower()]
            return 200, {"content": found, "total": len(found)}
        several = body if isinstance(body, list) else [body]
        if any(item["name"] == new["name"] for item in objects.values() for new in several):
            return 409, TAKEN
        made = []
        for new in several:
            relations = {field: new.pop(field) for field in [name for name in new if isinstance(new[name], list)]}
            number = self.add(collection, **new)
            for field, others in relations.items():
                path = field.replace("modules", "moduletypes")
                self.related[f"{collection}/{number}/{path}"] = [item["id"] for item in others]
            made.append(objects[number])
        return 201, made if isinstance(body, list) else made[0]

    def _object(self, method: str, collection: str, number: int, body: Any) -> Answer:
        if method == "DELETE":
            del self.kept[collection][number]
            return 204, None
        self.kept[collection][number].update(body or {})
        return 200, self.kept[collection][number]

    def _auto_assign(self, method: str, number: int, body: Any) -> Answer:
        found = self.kept["targetfilters"][number]
        fields = {"id": "DistributionSet", "type": "ActionType", "weight": "Weight"}
        for field, end in fields.items():
            found[f"autoAssign{end}"] = (body or {}).get(field) if method == "POST" else None
        return 200, found

    def _relation(self, method: str, parts: list[str], body: Any) -> Answer:
        related = self.related["/".join(parts[:3])]
        if method == "GET":
            kinds = ("softwaremoduletypes", "distributionsettypes")
            known = {number: item for kind in kinds for number, item in self.kept[kind].items()}
            return 200, [known[number] for number in related]
        if method == "DELETE":
            related.remove(int(parts[3]))
            return 204, None
        for item in body if isinstance(body, list) else [body]:
            for path, others in self.related.items():
                # a module type belongs to one of the lists only
                if path.startswith("/".join([*parts[:2], ""])) and item["id"] in others:
                    others.remove(item["id"])
            related.append(item["id"])
        return 204, None

    def _setting(self, method: str, parts: list[str], body: Any) -> Answer:
        if not parts:
            return 200, self.settings
        if method == "PUT":
            self.settings[parts[0]] = {"value": body["value"], "global": False}
        if method == "DELETE":
            self.settings[parts[0]] = {"value": self.defaults[parts[0]], "global": True}
        return 200, self.settings[parts[0]]


def _path(request: Arrived) -> str:
    return unquote(urlsplit(request.target).path).removeprefix("/rest/v1/")
