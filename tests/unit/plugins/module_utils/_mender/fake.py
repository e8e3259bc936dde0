"""A small Mender: the parts of its management APIs that the artifact modules use, for each generation of them.

Its answers are shaped as those of recorded releases. Generations: "seed" (the document of 2020), "2023", "4.0"
and "4.1". The storage is a server of its own, with links that expire.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.fleet.deploy.plugins.module_utils._mender.artifact_file import ArtifactFile, read_head
from ansible_collections.fleet.deploy.plugins.module_utils._mender.tar import ArchiveError
from servers.artifact_writer import Written
from servers.scripted import Arrived, ScriptedServer, Wire, answer_bytes

V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
GENERATIONS = ("seed", "2023", "4.0", "4.1")
TAKEN = "an artifact with the same name and depends already exists"
Answer = tuple[int, Any, dict[str, str]]


def jwt(**claims: Any) -> str:
    """Return a token that claims something; its signature is none."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


class FakeMender:
    """Keeps what it is told.

    `fault` is what happens to the next write: "after" and "before" reset the connection when it has and has not been
    carried out. `refuse` has answers for requests whose whole line matches. `tokens` are those that it accepts.
    """

    password = "a-long-password"

    def __init__(self, generation: str = "4.1") -> None:
        self.generation = generation
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.releases: dict[str, dict[str, Any]] = {}
        self.queue: list[dict[str, Any]] = []
        self.tokens = {"a-long-token"}
        self.code: str | None = None
        self.logins = 0
        self.fault: str | None = None
        self.refuse: dict[str, Answer] = {}
        self.active: set[str] = set()
        self.used: set[str] = set()
        self.garble = False
        self.location: str | None = None
        self.slow_worker = 0
        self.silent_worker = False
        self.per_page = 500
        self.parts: list[list[tuple[str, bytes]]] = []
        self.links = 0
        self.expired: set[int] = set()
        self.cuts: list[int] = []
        self.links_end = False
        self.ranges = True
        self.blob_status: list[int] = []
        self.before: Callable[[str], None] = lambda line: None
        self.server = ScriptedServer(default=self._step)
        self.storage = ScriptedServer(default=self._serve)

    def __enter__(self) -> FakeMender:
        self.server.__enter__()
        self.storage.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self.storage.__exit__(None, None, None)
        self.server.__exit__(None, None, None)

    # -- for tests ---------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """Method and path of each request, without the part that is always the same."""
        return [_short(request) for request in self.server.requests]

    @property
    def writes(self) -> list[str]:
        """Those that change something."""
        return [line for line in self.lines if not line.startswith("GET") and "/auth/login" not in line]

    def add(self, written: Written | None = None, description: str = "", **fields: Any) -> dict[str, Any]:
        """Store an artifact; return it as the API shows it."""
        return self._store((written or Written()).data, description, **fields)

    # -- API ---------------------------------------------------------------------------------------------------

    def _step(self, wire: Wire) -> None:
        request = wire.read_request()
        line = _short(request)
        self.before(line)
        fault = None
        if request.method != "GET" and "/auth/login" not in line:
            fault, self.fault = self.fault, None
        if fault == "before":
            wire.reset()
        status, data, headers = self._answer(request, line)
        if fault == "after":
            wire.reset()
        body = data.encode() if isinstance(data, str) else None
        json_data = None if body is not None else data
        wire.send(answer_bytes(status, json=json_data, body=body, headers=headers))

    def _answer(self, request: Arrived, line: str) -> Answer:
        for pattern, made in self.refuse.items():
            if re.fullmatch(pattern, line):
                return made
        if line == "POST /api/management/v1/useradm/auth/login":
            return self._login(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return error(401, "unauthorized")
        query = dict(parse_qs(urlsplit(request.target).query).items())
        for pattern, generations, handler in ROUTES:
            match = re.fullmatch(pattern, line)
            if match and self.generation in generations:
                return handler(self, request, query, *map(unquote, match.groups()))
        return 404, {"error": "Resource not found"}, {}

    def _login(self, request: Arrived) -> Answer:
        self.logins += 1
        wanted = base64.b64encode(f"user@example.com:{self.password}".encode()).decode()
        body = json.loads(request.body or b"{}")
        if request.headers.get("authorization") != f"Basic {wanted}" or body.get("token2fa") != self.code:
            return error(401, "unauthorized")
        token = jwt(sub="u", number=self.logins)
        self.tokens.add(token)
        return 200, f"{token}\n", {"Content-Type": "application/jwt"}

    def list_v2(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        found = [
            item
            for item in self._sorted()
            if all(
                any(_like(value, pattern) for value in _values(item, key) for pattern in query[key])
                for key in ("name", "device_type", "description")
                if key in query
            )
        ]
        return self._page(found, query, f"{V2}/artifacts", total=False)

    def list_v1(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        found = [
            item
            for item in self._sorted()
            if all(
                any(re.search(query[key][0], value, re.IGNORECASE) for value in _values(item, key))
                for key in ("name", "device_type", "description")
                if key in query
            )
        ]
        return self._page(found, query, f"{V1}/artifacts/list")

    def list_all(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        return 200, self._sorted(), {}

    def get(self, request: Arrived, query: dict[str, list[str]], id: str) -> Answer:
        if not _is_uuid(id):
            return error(400, "ID is not a valid UUID")
        self._work()
        return (200, self.artifacts[id], {}) if id in self.artifacts else error(404, "Resource not found")

    def put(self, request: Arrived, query: dict[str, list[str]], id: str) -> Answer:
        if id not in self.artifacts:
            return error(404, "Resource not found")
        if id in self.used:
            return error(422, "Image has already been used in deployment")
        self.artifacts[id]["description"] = request.json["description"]
        return 204, None, {}

    def delete(self, request: Arrived, query: dict[str, list[str]], id: str) -> Answer:
        if id in self.active:
            return error(409, "Artifact is used in active deployment")
        if self.artifacts.pop(id, None) is None:
            return error(404, "Resource not found")
        return 204, None, {}

    def post(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        found = parts_of(request)
        self.parts.append(found)
        fields: dict[str, bytes] = {}
        for name, data in found:
            fields[name] = data
            if name == "artifact":
                break
        if "artifact" not in fields:
            return error(400, "request does not contain the artifact file")
        try:
            local = read_head(io.BytesIO(fields["artifact"]))
        except ArchiveError as fault:
            return error(400, f"reading artifact error: {fault}")
        if self._taken(local.name, local.device_types):
            return error(409, TAKEN)
        item = self._store(fields["artifact"], fields.get("description", b"").decode())
        if self.garble:
            item["updates"][0]["files"][0]["checksum"] = "0" * 64
        return 201, None, {"Location": self._location(f"artifacts/{item['id']}")}

    def generate(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        found = parts_of(request)
        self.parts.append(found)
        fields: dict[str, bytes] = {}
        for name, data in found:
            fields[name] = data
            if name == "file":
                break
        for name in ("name", "type"):
            if name not in fields:
                return error(400, f"api: invalid form parameters: {name}: cannot be blank.")
        types = fields["device_types_compatible"].decode().split(",")
        if self._taken(fields["name"].decode(), types):
            return error(422, "Artifact not unique")
        id = str(uuid.uuid4())
        self.queue.append({"id": id, "fields": fields, "types": types})
        return 201, None, {"Location": self._location(f"artifacts/generate/{id}")}

    def link(self, request: Arrived, query: dict[str, list[str]], id: str) -> Answer:
        if id not in self.artifacts:
            return error(404, "Resource not found")
        self.links += 1
        uri = f"{self.storage.url}/bucket/{id}?X-Amz-Expires=900&X-Amz-Signature={self.links:064x}"
        return 200, {"uri": uri, "expire": "2026-11-20T08:06:02.354132106Z", "method": "GET"}, {}

    def limits(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        return 200, {"limit": 1000, "usage": 400}, {}

    def list_deployments(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        return 200, [], {}

    def releases_v1(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        capital = self.generation != "seed"
        found = []
        for item in self._releases():
            if query.get("name", [""])[0] in item["name"]:
                shown = {"name": item["name"], "artifacts": item["artifacts"]}
                found.append({key.capitalize() if capital else key: value for key, value in shown.items()})
        return 200, found, {}

    def releases_v2(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        tags = {tag.lower() for tag in query.get("tag", [])}
        found = [
            item
            for item in self._releases()
            if item["name"].startswith(query.get("name", [""])[0]) and (not tags or tags & set(item["tags"]))
        ]
        return self._page(found, query, f"{V2}/deployments/releases")

    def delete_releases(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        ids = [id for id, item in self.artifacts.items() if item["name"] in query["name"]]
        if self.active & set(ids):
            text = "release(s) used in active deployment"
            return 409, {"error": text, "request_id": "r", "active_deployments": ["d1", "d2"]}, {}
        for id in ids:
            del self.artifacts[id]
        return 204, None, {}

    def put_tags(self, request: Arrived, query: dict[str, list[str]], name: str) -> Answer:
        if name not in {item["name"] for item in self._releases()}:
            return error(404, "release not found")
        self.releases.setdefault(name, {})["tags"] = [tag.lower() for tag in request.json]
        return 204, None, {}

    def patch_notes(self, request: Arrived, query: dict[str, list[str]], name: str) -> Answer:
        self.releases.setdefault(name, {})["notes"] = request.json["notes"]
        return 204, None, {}

    def filters(self, request: Arrived, query: dict[str, list[str]]) -> Answer:
        return 404, {"error": "Resource not found"}, {}

    # -- inside ------------------------------------------------------------------------------------------------

    def _sorted(self) -> list[dict[str, Any]]:
        self._work()
        return sorted(self.artifacts.values(), key=lambda item: str(item["name"]))

    def _releases(self) -> list[dict[str, Any]]:
        names = sorted({str(item["name"]) for item in self.artifacts.values()})
        return [
            {
                "name": name,
                "modified": "2026-11-20T07:51:01.804Z",
                "artifacts": [item for item in self.artifacts.values() if item["name"] == name],
                "artifacts_count": 1,
                "tags": [],
                "notes": "",
                **self.releases.get(name, {}),
            }
            for name in names
        ]

    def _page(self, items: list[Any], query: dict[str, list[str]], path: str, *, total: bool = True) -> Answer:
        page, asked = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["20"])[0])
        size = asked if asked <= self.per_page else 20
        found = items[(page - 1) * size : page * size]
        links = [f'<{path}?page=1&per_page={size}>; rel="first"']
        if page * size < len(items):
            links.insert(0, f'<{path}?page={page + 1}&per_page={size}>; rel="next"')
        headers = {"Link": ", ".join(links)}
        if total:
            headers["X-Total-Count"] = str(len(items))
        return 200, found, headers

    def _location(self, tail: str) -> str:
        if self.location:
            return self.location
        return f"{V1}/{tail}" if self.generation == "4.1" else f"./management/v1/deployments/{tail}"

    def _taken(self, name: str, types: Any) -> bool:
        return any(
            item["name"] == name and set(types) & set(item["device_types_compatible"])
            for item in self.artifacts.values()
        )

    def _store(self, data: bytes, description: str, **fields: Any) -> dict[str, Any]:
        local = read_head(io.BytesIO(data))
        item = shown(local, len(data), description) | {"id": str(uuid.uuid4())} | fields
        if self.generation == "seed":
            update = item.pop("updates")[0]
            item["files"], item["info"] = update["files"], {"type_info": update["type_info"]}
            for key in ("artifact_provides", "artifact_depends", "clears_artifact_provides"):
                item.pop(key, None)
        self.artifacts[item["id"]] = item
        self.blobs[item["id"]] = data
        return item

    def _work(self) -> None:
        """Let the worker make an artifact, some looks later."""
        if not self.queue or self.silent_worker:
            return
        if self.slow_worker:
            self.slow_worker -= 1
            return
        for job in self.queue:
            fields = job["fields"]
            if self._taken(fields["name"].decode(), job["types"]):
                continue
            args = json.loads(fields.get("args", b"{}"))
            written = Written(
                name=fields["name"].decode(),
                device_types=job["types"],
                type="single-file",
                files={"filename": args.get("filename", "").encode() + b"\n", "data.bin": fields["file"]},
            )
            self._store(written.data, fields.get("description", b"").decode(), id=job["id"])
        self.queue.clear()

    # -- storage -----------------------------------------------------------------------------------------------

    def _serve(self, wire: Wire) -> None:
        request = wire.read_request()
        parts = urlsplit(request.target)
        number = int(parse_qs(parts.query)["X-Amz-Signature"][0], 16)
        if "authorization" in request.headers:
            wire.send(answer_bytes(400, body=b"<Error>Only one auth mechanism allowed</Error>"))
            return
        if self.blob_status:
            wire.send(answer_bytes(self.blob_status.pop(0), body=b"<Error/>"))
            return
        if number in self.expired:
            wire.send(answer_bytes(403, body=b"<Error>Request has expired</Error>"))
            return
        data = self.blobs[parts.path.rpartition("/")[2]]
        start, stop, status = 0, len(data), 200
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"'}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if match and self.ranges:
            start, stop, status = int(match[1]), min(stop, int(match[2] or stop) + 1), 206
            if start >= len(data):
                wire.send(answer_bytes(416, headers={"Content-Range": f"bytes */{len(data)}"}))
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        body = data[start:stop]
        cut = self.cuts.pop(0) if self.cuts else None
        whole = answer_bytes(status, body=body[:cut], headers=headers, promised=len(body))
        wire.send(whole)
        if cut is not None:
            if self.links_end:
                self.expired.add(number)
            wire.end()


def shown(local: ArtifactFile, size: int, description: str) -> dict[str, Any]:
    """Return an artifact as the API shows it, without its id."""
    updates = [
        {
            "type_info": {"type": payload.type},
            "files": [
                {"name": file.name, "checksum": file.sha256, "size": 6, "date": "2026-11-20T07:39:49Z"}
                if file.name == "payload.txt"
                else {"name": file.name, "checksum": file.sha256}
                for file in payload.files
            ],
            "meta_data": [],
        }
        for payload in local.payloads
    ]
    item: dict[str, Any] = {
        "name": local.name,
        "device_types_compatible": list(local.device_types),
        "info": {"format": "mender", "version": local.version},
        "signed": local.signed,
        "updates": updates,
        "size": size,
        "modified": "2026-11-20T07:51:01.733Z",
    }
    if description:
        item["description"] = description
    if local.version == 3:
        item["artifact_provides"] = dict(local.provides)
        item["artifact_depends"] = {key: list(values) for key, values in local.depends.items()}
        item["clears_artifact_provides"] = list(local.clears)
    return item


def parts_of(request: Arrived) -> list[tuple[str, bytes]]:
    """Return the parts of a form, in order."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    found = []
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _blank, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        match = re.search(rb'name="([^"]*)"', head)
        assert match
        found.append((match[1].decode(), data.removesuffix(b"\r\n")))
    return found


def error(status: int, text: str) -> Answer:
    """Return an error as Mender answers it."""
    return status, {"error": text, "request_id": "6048f5fe"}, {}


def _short(request: Arrived) -> str:
    return f"{request.method} {urlsplit(request.target).path.replace(V1, '/v1').replace(V2, '/v2')}"


def _is_uuid(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))


def _values(item: dict[str, Any], key: str) -> list[str]:
    return list(item["device_types_compatible"]) if key == "device_type" else [item.get(key, "")]


def _like(value: str, pattern: str) -> bool:
    prefix = pattern.endswith("*") and not pattern.endswith("\\*")
    text = (pattern[:-1] if prefix else pattern).replace("\\*", "*")
    return value.startswith(text) if prefix else value == text


Handler = Callable[..., Answer]
NEW, PAGED = ("4.0", "4.1"), ("2023", "4.0", "4.1")
ROUTES: list[tuple[str, tuple[str, ...], Handler]] = [
    ("GET /v2/artifacts", ("4.1",), FakeMender.list_v2),
    ("GET /v1/artifacts/list", PAGED, FakeMender.list_v1),
    ("GET /v1/artifacts", GENERATIONS, FakeMender.list_all),
    ("POST /v1/artifacts", GENERATIONS, FakeMender.post),
    ("POST /v1/artifacts/generate", GENERATIONS, FakeMender.generate),
    ("GET /v1/artifacts/([^/]+)", GENERATIONS, FakeMender.get),
    ("PUT /v1/artifacts/([^/]+)", GENERATIONS, FakeMender.put),
    ("DELETE /v1/artifacts/([^/]+)", GENERATIONS, FakeMender.delete),
    ("GET /v1/artifacts/([^/]+)/download", GENERATIONS, FakeMender.link),
    ("GET /v1/limits/storage", GENERATIONS, FakeMender.limits),
    ("GET /v2/deployments", NEW, FakeMender.list_deployments),
    ("GET /v1/deployments/releases", GENERATIONS, FakeMender.releases_v1),
    ("GET /v2/deployments/releases", PAGED, FakeMender.releases_v2),
    ("DELETE /v2/deployments/releases", NEW, FakeMender.delete_releases),
    ("PUT /v2/deployments/releases/([^/]+)/tags", PAGED, FakeMender.put_tags),
    ("PATCH /v2/deployments/releases/([^/]+)", PAGED, FakeMender.patch_notes),
    ("GET /api/management/v2/inventory/filters", GENERATIONS, FakeMender.filters),
]
