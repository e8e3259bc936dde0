"""The simulated Mender server: login and gateway, versions, editions, uploads, storage, inventory, devices."""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from servers.mender import EDITIONS, VERSIONS, MenderServer, Settings, read_artifact, write_artifact

V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
INVENTORY = "/api/management/v1/inventory"
SEARCH = "/api/management/v2/inventory/filters/search"
FILTERS = "/api/management/v2/inventory/filters"
LOGIN = "/api/management/v1/useradm/auth/login"
TOKENS = "/api/management/v1/useradm/settings/tokens"
ADMISSION = "/api/management/v2/devauth/devices"
DEVICE = "/api/devices/v1/deployments/device/deployments"
TYPE = "generic-x86_64"
UNKNOWN = "11111111-2222-4333-8444-555555555555"
TESTS = Path(__file__).parents[2]


class Client:
    """A session with short addresses."""

    def __init__(self, server: MenderServer) -> None:
        self.server = server
        self.session = server.session()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.server.url}{path}", json=body, timeout=60, **options)

    def create(self, name: str, artifact: str, devices: list[str], **more: Any) -> str:
        """A new deployment's id."""
        body = {"name": name, "artifact_name": artifact, "devices": devices, **more}
        answer = self("POST", f"{V1}/deployments", body)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def ask(self, device: str, installed: str = "factory", device_type: str = TYPE) -> requests.Response:
        """What a device is to do."""
        query = {"artifact_name": installed, "device_type": device_type}
        return self("GET", f"{DEVICE}/next", params=query, headers=self.device(device))

    def report(self, device: str, deployment: str, status: str) -> requests.Response:
        """A device reports."""
        return self("PUT", f"{DEVICE}/{deployment}/status", {"status": status}, headers=self.device(device))

    def device(self, name: str) -> dict[str, str]:
        """The header of a device."""
        return {"Authorization": f"Bearer {self.server.device_token(name)}"}

    def counters(self, deployment: str) -> dict[str, int]:
        """The counters that are not zero."""
        found = self("GET", f"{V1}/deployments/{deployment}/statistics").json()
        return {name: count for name, count in found.items() if count}


def client(version: str = "4.1", edition: str = "open_source", **options: Any) -> Client:
    """A client of a server that has been started; stop it."""
    return Client(MenderServer(version=version, edition=edition, **options).start())


@pytest.fixture
def new() -> Iterator[Client]:
    """A server of the newest version."""
    found = client()
    yield found
    found.server.stop()


@pytest.fixture(params=VERSIONS)
def each(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A server of each version."""
    found = client(request.param)
    yield found
    found.server.stop()


@pytest.fixture
def enterprise() -> Iterator[Client]:
    """A server with everything that can be bought."""
    found = client(edition="enterprise")
    yield found
    found.server.stop()


# -- login and gateway -------------------------------------------------------------------------------------------


def login(server: MenderServer, password: str | None = None, **body: Any) -> requests.Response:
    """Log in as the administrator."""
    credentials = (server.username, server.password if password is None else password)
    return requests.post(f"{server.url}{LOGIN}", auth=credentials, json=body or None, timeout=60)


def with_token(server: MenderServer, token: str, method: str = "GET", path: str = f"{V1}/artifacts") -> int:
    """The status of a request with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, f"{server.url}{path}", headers=headers, timeout=60).status_code


def test_login_answers_with_the_bare_token(new: Client) -> None:
    answer = login(new.server)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/jwt")
    claims = json.loads(base64.urlsafe_b64decode(answer.text.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 604_800
    assert with_token(new.server, answer.text) == 200
    assert new.server.logins == 1


def test_wrong_password_unknown_user_and_no_token_are_401(new: Client) -> None:
    assert login(new.server, "wrong").status_code == 401
    assert login(new.server, "").json().keys() == {"error", "request_id"}
    answer = requests.get(f"{new.server.url}{V1}/artifacts", timeout=60)
    assert answer.status_code == 401
    assert with_token(new.server, "a.b.c") == 401
    assert with_token(new.server, new.server.expired_token()) == 401
    assert with_token(new.server, new.server.device_token("x")) == 401


def test_eleventh_login_throws_the_oldest_out(new: Client) -> None:
    tokens = [login(new.server).text for _dummy in range(11)]
    assert [with_token(new.server, token) for token in tokens] == [401] + [200] * 10
    assert with_token(new.server, tokens[1], "POST", "/api/management/v1/useradm/auth/logout") == 202
    assert with_token(new.server, tokens[1]) == 401


def test_two_factors_and_single_sign_on() -> None:
    with MenderServer(two_factor="123456", token_seconds=-1) as server:
        assert login(server).status_code == 401
        assert login(server, token2fa="000000").status_code == 401
        token = login(server, token2fa="123456").text
        assert with_token(server, token) == 401, "a token whose time is over"
        assert with_token(server, login(server, token2fa="123456", no_expiry=True).text) == 200
        answer = requests.post(f"{server.url}{LOGIN}", auth=(server.stranger, server.password), timeout=60)
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json().keys() == {"id", "kind"}


def test_reader_may_not_write(new: Client) -> None:
    answer = requests.post(f"{new.server.url}{LOGIN}", auth=(new.server.reader, new.server.password), timeout=60)
    assert with_token(new.server, answer.text) == 200
    assert with_token(new.server, answer.text, "DELETE", f"{V1}/artifacts/{UNKNOWN}") == 403


def test_personal_access_tokens(new: Client) -> None:
    answer = new("POST", TOKENS, {"name": "ci", "expires_in": 3600})
    assert (answer.status_code, with_token(new.server, answer.text)) == (200, 200)
    assert new("POST", TOKENS, {"name": "ci"}).status_code == 409
    [entry] = [one for one in new("GET", TOKENS).json() if one["name"] == "ci"]
    assert new("DELETE", f"{TOKENS}/{entry['id']}").status_code == 204
    assert with_token(new.server, answer.text) == 401
    # one is the session's own
    assert [new("POST", TOKENS, {"name": f"t{number}"}).status_code for number in range(10)] == [200] * 9 + [422]


def test_rate_limit_says_when_to_come_back() -> None:
    found = client(rate_limit=2)
    with found.server:
        answers = [found("GET", f"{V1}/artifacts") for _dummy in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
        assert answers[2].json()["error"] == "too many requests"


def test_unknown_paths_and_methods_have_no_request_id(new: Client) -> None:
    assert new("GET", f"{V1}/nothing").json() == {"error": "Resource not found"}
    answer = new("PATCH", f"{V1}/artifacts")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method not allowed"})
    known = new("GET", f"{V1}/artifacts/{UNKNOWN}")
    assert known.json() == {"error": "Resource not found", "request_id": known.headers["X-Men-Requestid"]}


# -- versions ----------------------------------------------------------------------------------------------------

# what each version has: seed, 4.5, 2024-09, 4.0, 4.1
ROUTES = {
    f"GET {V1}/artifacts": (200, 200, 200, 200, 200),
    f"GET {V1}/artifacts/list": (400, 200, 200, 200, 200),
    f"GET {V2}/artifacts": (404, 404, 404, 404, 200),
    f"GET {V1}/deployments": (200, 200, 200, 200, 200),
    f"GET {V2}/deployments": (404, 404, 404, 200, 200),
    f"GET {V2}/deployments/releases": (404, 404, 200, 200, 200),
    f"GET {V2}/deployments/releases/none": (404, 404, 405, 404, 404),
    f"GET {V1}/deployments/devices/{UNKNOWN}": (405, 200, 200, 200, 200),
    f"POST {V1}/deployments/statistics/list": (404, 200, 200, 200, 200),
    f"POST {V1}/deployments/group/g": (404, 400, 400, 400, 400),
    f"POST {V2}/deployments": (404, 404, 404, 405, 405),
    f"POST {SEARCH}": (404, 200, 200, 200, 200),
    f"GET {FILTERS}": (404, 404, 404, 404, 404),
    f"POST {V1}/artifacts/directupload": (405, 405, 405, 405, 405),
}


@pytest.mark.parametrize("route", ROUTES)
def test_what_each_version_has(route: str) -> None:
    found = []
    for version in VERSIONS:
        one = client(version)
        with one.server:
            method, _space, path = route.partition(" ")
            found.append(one(method, path, {} if method == "POST" else None).status_code)
    assert tuple(found) == ROUTES[route]


# the operations of the description of 2020
SEED = f"""
POST /artifacts
GET /artifacts
POST /artifacts/generate
GET /artifacts/{UNKNOWN}
PUT /artifacts/{UNKNOWN}
DELETE /artifacts/{UNKNOWN}
GET /artifacts/{UNKNOWN}/download
POST /deployments
GET /deployments
DELETE /deployments/devices/{UNKNOWN}
GET /deployments/releases
GET /deployments/{UNKNOWN}/devices
GET /deployments/{UNKNOWN}/devices/{UNKNOWN}/log
GET /deployments/{UNKNOWN}/statistics
PUT /deployments/{UNKNOWN}/status
GET /deployments/{UNKNOWN}
GET /deployments/{UNKNOWN}/device_list
GET /limits/storage
""".split("\n")[1:-1]


def test_every_version_has_the_operations_of_2020(each: Client) -> None:
    missing = []
    for operation in SEED:
        method, _space, path = operation.partition(" ")
        try:
            answer = each(method, f"{V1}{path}", {"status": "aborted"} if method in ("POST", "PUT") else None)
        except requests.ConnectionError:
            assert "drop_on_unknown" in each.server.features
            continue
        # what the router itself refuses has no request_id
        if answer.status_code == 405 or (answer.status_code == 404 and "request_id" not in answer.json()):
            missing.append(operation)
    assert (missing, len(SEED)) == ([], 18)


def test_location(each: Client) -> None:
    each.server.add_artifact("rel-1", [TYPE])
    body = {"name": "d", "artifact_name": "rel-1", "devices": ["a"]}
    start = "/api/" if each.server.version == "4.1" else "./"
    location = each("POST", f"{V1}/deployments", body).headers["Location"]
    assert location.startswith(f"{start}management/v1/deployments/deployments/")


def test_unknown_deployment(each: Client) -> None:
    address = f"{V1}/deployments/{UNKNOWN}"
    if each.server.version in ("4.5", "2024-09"):
        with pytest.raises(requests.ConnectionError):
            each("GET", address)
    else:
        assert each("GET", address).status_code == (500 if each.server.version == "4.0" else 404)


def test_abort(each: Client) -> None:
    """An unknown deployment counts as finished, and a wrong status aborts all the same."""
    each.server.add_artifact("rel-1", [TYPE])
    status = f"{V1}/deployments/{UNKNOWN}/status"
    assert each("PUT", status, {"status": "aborted"}).status_code == 422
    name = each.create("d", "rel-1", ["a", "b"])
    assert each("PUT", f"{V1}/deployments/{name}/status", {"status": "finished"}).status_code == 400
    assert each("GET", f"{V1}/deployments/{name}").json()["status"] == "finished"
    assert each("PUT", f"{V1}/deployments/{name}/status", {"status": "aborted"}).status_code == 422


def test_upload_twice(each: Client) -> None:
    each.server.add_artifact("rel-1", ["a", "b"])
    with pytest.raises(RuntimeError) as refused:
        each.server.add_artifact("rel-1", ["b", "c"])
    texts = {
        "seed": "HTTP 422: .*Artifact not unique",
        "4.5": "HTTP 409: .*conflicting depends: .*meta_artifact.name",
        "2024-09": "HTTP 409: .*an artifact with the same name and depends already exists",
        "4.0": "HTTP 409: .*an artifact with the same name and depends already exists",
        "4.1": 'HTTP 409: .*already exists".*"metadata":{"conflict":{"device_type":"b"}}',
    }
    assert refused.match(texts[each.server.version])
    assert len(list(each.server.storage.folder.iterdir())) == 1, "nothing of it is left on the disk"
    each.server.add_artifact("rel-1", ["c"])


def test_same_deployment_twice(each: Client) -> None:
    each.server.add_artifact("rel-1", [TYPE])
    body = {"name": "d", "artifact_name": "rel-1", "devices": ["a", "b"]}
    again = 409 if each.server.version in ("2024-09", "4.0", "4.1") else 201
    assert [each("POST", f"{V1}/deployments", body).status_code for _dummy in range(2)] == [201, again]
    other = {**body, "devices": ["b", "a"]}
    assert each("POST", f"{V1}/deployments", other).status_code == 201, "the check minds the order"


def test_counters(each: Client) -> None:
    each.server.add_artifact("rel-1", [TYPE])
    name = each.create("d", "rel-1", ["a", "b"])
    found = each("GET", f"{V1}/deployments/{name}/statistics").json()
    assert len(found) == (9 if each.server.version == "seed" else 13)
    assert found["pending"] == (2 if each.server.version == "4.1" else 0)


def test_body_limit(each: Client) -> None:
    each.server.add_artifact("rel-1", [TYPE])
    devices = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(28_000)]
    body = {"name": "d", "artifact_name": "rel-1", "devices": devices}
    wanted = 413 if each.server.version == "4.1" else 201
    assert each("POST", f"{V1}/deployments", body).status_code == wanted


def test_list_entries_carry_the_ids_of_all_devices(each: Client) -> None:
    each.server.add_artifact("rel-1", [TYPE])
    each.create("d", "rel-1", ["a", "b"])
    [entry] = each("GET", f"{V1}/deployments").json()
    terms = [{"scope": "identity", "attribute": "id", "type": "$in", "value": ["a", "b"]}]
    assert entry.get("filter") == (
        {"id": "", "name": "", "terms": terms} if each.server.version in ("4.0", "4.1") else None
    )


def test_shapes_of_artifacts_and_releases(each: Client) -> None:
    version = each.server.version
    each.server.add_artifact("rel-1", [TYPE])
    [artifact] = each("GET", f"{V1}/artifacts").json()
    assert ("files" in artifact, "updates" in artifact) == (version == "seed", version != "seed")
    [release] = each("GET", f"{V1}/deployments/releases").json()
    assert ("name" in release, "Name" in release) == (version == "seed", version != "seed")
    assert ("tags" in release) == (version not in ("seed", "4.5"))


def test_single_features_can_be_switched() -> None:
    found = client("4.1", changes={"artifacts_v2": False, "drop_on_unknown": True})
    with found.server:
        assert found("GET", f"{V2}/artifacts").status_code == 404
        with pytest.raises(requests.ConnectionError):
            found("GET", f"{V1}/deployments/{UNKNOWN}")
    choices: list[dict[str, Any]] = [{"version": "9"}, {"edition": "free"}, {"changes": {"nothing": True}}]
    for wrong in choices:
        with pytest.raises(ValueError, match="no such"):
            MenderServer(**wrong)


# -- pages -------------------------------------------------------------------------------------------------------


def test_page_sizes(new: Client) -> None:
    new.server.add_devices(600)
    for number in range(25):
        new.server.add_artifact(f"rel-{number}", [TYPE])
    sizes = {
        f"{V1}/artifacts/list?per_page=501": 20,
        f"{V1}/artifacts/list?per_page=25": 25,
        f"{V1}/deployments/releases/list?per_page=501": 20,
        f"{V2}/deployments/releases?per_page=1000": 20,
        f"{V2}/artifacts": 20,
        f"{INVENTORY}/devices?per_page=500": 500,
        f"{INVENTORY}/devices": 20,
    }
    assert {path: len(new("GET", path).json()) for path in sizes} == sizes
    for path in (f"{V2}/artifacts", f"{V1}/deployments", f"{V2}/deployments", f"{INVENTORY}/devices", ADMISSION):
        assert new("GET", f"{path}?per_page=501").status_code == 400, path
    assert new("GET", f"{V1}/deployments/devices/x?per_page=21").status_code == 400
    assert len(new("POST", SEARCH, {"per_page": 600}).json()) == 600, "up to 4.1.3 a search has no limit"


def test_totals_and_links(new: Client) -> None:
    new.server.add_devices(45)
    answer = new("GET", f"{INVENTORY}/devices?page=2&has_group=false")
    assert answer.headers["X-Total-Count"] == "45"
    assert {name: link["url"].partition("?")[2] for name, link in answer.links.items()} == {
        "prev": "has_group=false&page=1&per_page=20",
        "next": "has_group=false&page=3&per_page=20",
        "first": "has_group=false&page=1&per_page=20",
        "last": "has_group=false&page=3&per_page=20",
    }
    new.server.add_artifact("rel-1", [TYPE])
    assert "X-Total-Count" not in new("GET", f"{V2}/artifacts").headers
    assert "X-Total-Count" not in new("GET", ADMISSION).headers
    assert new("POST", SEARCH, {}).headers["X-Total-Count"] == "45"
    assert "Link" not in new("POST", SEARCH, {}).headers


# -- uploads and storage -----------------------------------------------------------------------------------------


def send(found: Client, *parts: tuple[str, Any], path: str = f"{V1}/artifacts", **options: Any) -> requests.Response:
    """Send parts of a form in this order."""
    return found("POST", path, files=[(name, (None, value)) for name, value in parts], **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small artifact."""
    return write_artifact(tmp_path / "a.mender", "rel-1", [TYPE], {"a.txt": b"content"})


def test_parts_behind_the_artifact_are_lost(new: Client, file: Path) -> None:
    body = file.read_bytes()
    answer = send(new, ("artifact", body), ("description", "late"), ("artifact_id", UNKNOWN))
    [artifact] = new("GET", f"{V1}/artifacts").json()
    assert answer.headers["Location"].endswith(artifact["id"])
    assert artifact["id"] != UNKNOWN
    assert "description" not in artifact


def test_parts_before_the_artifact_count(new: Client, file: Path) -> None:
    body = file.read_bytes()
    parts = [("description", "früh"), ("size", str(len(body))), ("artifact_id", UNKNOWN), ("other", "x")]
    assert send(new, *parts, ("artifact", body)).status_code == 201
    artifact = new("GET", f"{V1}/artifacts/{UNKNOWN}").json()
    assert (artifact["description"], artifact["size"]) == ("früh", len(body))


@pytest.mark.parametrize(
    "parts",
    [
        [("size", "1"), ("artifact", None)],
        [("size", "100000000"), ("artifact", None)],
        [("size", "many"), ("artifact", None)],
        [("artifact_id", "x"), ("artifact", None)],
        [("artifact", b"no artifact")],
        [("artifact", b"")],
        [("description", "alone")],
    ],
    ids=["smaller size", "larger size", "no size", "no id", "no artifact", "empty", "no file"],
)
def test_uploads_that_are_refused(new: Client, file: Path, parts: list[tuple[str, Any]]) -> None:
    body = file.read_bytes()
    answer = send(new, *[(name, body if value is None else value) for name, value in parts])
    assert answer.status_code == 400
    assert new("GET", f"{V1}/artifacts").json() == []
    assert list(new.server.storage.folder.iterdir()) == [], "nothing is left on the disk"


def test_other_content_types_and_sizes_are_refused(file: Path) -> None:
    found = client(settings=Settings(upload_limit=1000))
    with found.server:
        assert found("POST", f"{V1}/artifacts", {"a": 1}).status_code == 415
        assert send(found, ("artifact", file.read_bytes())).status_code == 413
        wrong = found("POST", f"{V1}/deployments", data="{}", headers={"Content-Type": "text/plain"})
        assert wrong.status_code == 415


def test_damaged_artifact_is_refused(new: Client, file: Path) -> None:
    answer = send(new, ("artifact", file.read_bytes().replace(b"content", b"changed")))
    assert (answer.status_code, "invalid checksum" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("version", [2, 3])
def test_artifact_formats(new: Client, tmp_path: Path, version: int) -> None:
    path = write_artifact(
        tmp_path / "a.mender",
        "rel-1",
        ["a", "b"],
        {"a.txt": b"content", "b.bin": b"\0"},
        provides={"rootfs-image.script.version": "rel-1"} if version == 3 else None,
        meta_data={"key": "value"},
        version=version,
    )
    about = read_artifact(path)
    assert (about.version, about.name, about.device_types) == (version, "rel-1", ["a", "b"])
    artifact = new("GET", f"{V1}/artifacts/{new.server.upload(path, 'text')}").json()
    assert [file["name"] for file in artifact["updates"][0]["files"]] == ["a.txt", "b.bin"]
    assert artifact["info"] == {"format": "mender", "version": version}
    assert artifact["artifact_depends"] == {"device_type": ["a", "b"]}
    assert artifact["updates"][0]["meta_data"] == [{"Key": "key", "Value": "value"}]
    provides = artifact["artifact_provides"]
    assert provides["artifact_name"] == "rel-1"
    assert ("rootfs-image.script.version" in provides) == (version == 3)


def tar(files: dict[str, bytes], mode: Any) -> bytes:
    """A tar archive in memory."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return stream.getvalue()


@pytest.mark.parametrize("ending", ["gz", "xz"])
def test_first_format_and_compressed_payloads(each: Client, ending: str) -> None:
    """The server of 2020 took the first format, newer ones refuse it; the payload may be compressed."""
    header = {
        "header-info": b'{"updates":[{"type":"rootfs-image"}],"artifact_name":"old","device_types_compatible":["a"]}',
        "headers/0000/files": b'{"files":["a.ext4"]}',
        "headers/0000/type-info": b'{"type":"rootfs-image"}',
        "headers/0000/meta-data": b"",
        "headers/0000/checksums/a.sha256sum": b"0" * 64,
    }
    body = tar(
        {
            "version": b'{"format":"mender","version":1}',
            "header.tar.gz": tar(header, "w:gz"),
            f"data/0000.tar.{ending}": tar({"a.ext4": b"image"}, f"w:{ending}"),
        },
        "w",
    )
    answer = send(each, ("artifact", body))
    if each.server.version == "seed":
        assert answer.status_code == 201
        [artifact] = each("GET", f"{V1}/artifacts").json()
        assert (artifact["name"], artifact["info"]) == ("old", {"type_info": {"type": "rootfs-image"}})
        assert [(file["name"], file["size"]) for file in artifact["files"]] == [("a.ext4", 5)]
    else:
        assert answer.status_code == 400
        assert "version 1 is no longer supported" in answer.json()["error"]


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def test_large_upload_is_not_held_in_memory(new: Client, tmp_path: Path) -> None:
    """300 MB go through the server's process while it grows by less than a tenth of that."""
    payload = tmp_path / "payload"
    with payload.open("wb") as stream:
        stream.truncate(300_000_000)
    path = write_artifact(tmp_path / "big.mender", "big", [TYPE], {"payload": payload})
    gc.collect()
    before, highest = resident(), 0
    size = path.stat().st_size

    def chunks() -> Iterator[bytes]:
        nonlocal highest
        yield b'--b\r\nContent-Disposition: form-data; name="artifact"; filename="x"\r\n\r\n'
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                highest = max(highest, resident())
                yield chunk
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = new("POST", f"{V1}/artifacts", data=chunks(), headers=headers)
    assert answer.status_code == 201, answer.text
    assert new("GET", f"{V1}/artifacts").json()[0]["size"] == size
    assert highest - before < 30_000_000


def test_presigned_links(file: Path) -> None:
    found = client()
    with found.server:
        name = found.server.upload(file)
        link = found("GET", f"{V1}/artifacts/{name}/download").json()
        assert link["uri"].startswith("http://localhost:")
        assert f":{found.server.port}/" not in link["uri"]
        body = file.read_bytes()
        assert requests.get(link["uri"], timeout=60).content == body
        part = requests.get(link["uri"], headers={"Range": "bytes=100-199"}, timeout=60)
        assert (part.status_code, part.content) == (206, body[100:200])
        rest = requests.get(link["uri"], headers={"Range": f"bytes={len(body)}-"}, timeout=60)
        assert rest.status_code == 416
        assert found.session.get(link["uri"], timeout=60).status_code == 400, "a token is refused"
        assert requests.get(link["uri"].replace(name, UNKNOWN), timeout=60).status_code == 403
        assert requests.put(link["uri"], data=b"x", timeout=60).status_code == 403
        assert requests.head(link["uri"], timeout=60).status_code == 403, "a link is for one method"
        found.server.settings.link_seconds = 0.05
        link = found("GET", f"{V1}/artifacts/{name}/download").json()
        time.sleep(0.1)
        expired = requests.get(link["uri"], timeout=60)
        assert (expired.status_code, "Request has expired" in expired.text) == (403, True)


GENERATE = [
    ("name", "gen-1"),
    ("description", "made"),
    ("device_types_compatible", "a,b"),
    ("type", "single_file"),
    ("args", '{"filename":"a.txt","dest_dir":"/etc"}'),
    ("file", b"content"),
]


def ended(server: MenderServer, name: str) -> str:
    """How the making of an artifact ended."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = server.generated(name)
        if found is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("it goes on")


def test_generate_comes_to_be_later(new: Client) -> None:
    new.server.settings.generate_seconds = 2
    answer = send(new, *GENERATE, path=f"{V1}/artifacts/generate")
    name = answer.headers["Location"].rpartition("/")[2]
    assert answer.headers["Location"] == f"/api/management/v1/deployments/artifacts/generate/{name}"
    assert new("GET", f"{V1}/artifacts/{name}").status_code == 404
    assert ended(new.server, name) == ""
    artifact = new("GET", f"{V1}/artifacts/{name}").json()
    assert (artifact["name"], artifact["description"]) == ("gen-1", "made")
    assert artifact["updates"][0]["type_info"] == {"type": "single-file"}
    assert [one["name"] for one in artifact["updates"][0]["files"]] == ["dest_dir", "filename", "permissions", "a.txt"]
    again = send(new, *GENERATE, path=f"{V1}/artifacts/generate")
    assert (again.status_code, again.json()["error"]) == (422, "Artifact not unique")


@pytest.mark.parametrize("part, value", [("type", "directory"), ("args", "no JSON"), ("args", "{}")])
def test_generate_fails_without_a_word(new: Client, part: str, value: str) -> None:
    parts = [(name, value if name == part else old) for name, old in GENERATE]
    answer = send(new, *parts, path=f"{V1}/artifacts/generate")
    name = answer.headers["Location"].rpartition("/")[2]
    assert (answer.status_code, ended(new.server, name) != "") == (201, True)
    assert new("GET", f"{V1}/artifacts/{name}").status_code == 404


@pytest.mark.parametrize("missing", ["name", "type", "device_types_compatible", "file"])
def test_generate_refuses_at_once(new: Client, missing: str) -> None:
    parts = [part for part in GENERATE if part[0] != missing]
    assert send(new, *parts, path=f"{V1}/artifacts/generate").status_code == 400


def test_lists_of_artifacts(new: Client) -> None:
    for name, types in (("app.1", ["pi4"]), ("app-10", ["pi3"]), ("other*", ["x86"])):
        new.server.add_artifact(name, types)
    wanted = {
        f"{V1}/artifacts/list?name=APP": ["app-10", "app.1"],
        f"{V1}/artifacts/list?name=app.1": ["app.1"],
        f"{V1}/artifacts/list?name=app%5C.1": [],
        f"{V1}/artifacts/list?device_type=pi&sort=name:desc": ["app.1", "app-10"],
        f"{V2}/artifacts?name=app.1&name=app-10": ["app-10", "app.1"],
        f"{V2}/artifacts?name=app": [],
        f"{V2}/artifacts?name=app*": ["app-10", "app.1"],
        f"{V2}/artifacts?name=other%5C*": ["other*"],
        f"{V2}/artifacts?device_type=pi*": ["app-10", "app.1"],
        f"{V2}/artifacts?device_type=pi": [],
    }
    assert {path: [one["name"] for one in new("GET", path).json()] for path in wanted} == wanted


def test_releases_of_finished_deployments(each: Client) -> None:
    if "releases_v2" not in each.server.features:
        assert each("DELETE", f"{V2}/deployments/releases?name=rel-1").status_code == 404
        return
    each.server.add_artifact("rel-1", [TYPE])
    name = each.create("d", "rel-1", ["a"])
    releases = f"{V2}/deployments/releases?name=rel-1"
    assert each("DELETE", releases).json()["active_deployments"] == [name]
    each("PUT", f"{V1}/deployments/{name}/status", {"status": "aborted"})
    assert each("DELETE", releases).status_code == (204 if each.server.version == "4.1" else 409)


# -- deployments and devices -------------------------------------------------------------------------------------


def test_group_and_all_devices_are_frozen_at_creation(new: Client) -> None:
    new.server.add_artifact("rel-1", [TYPE])
    group = new.server.add_devices(3, group="g")
    new.server.add_devices(2, group="g", status="pending")
    new.server.add_devices(1)
    answers = [
        new("POST", f"{V1}/deployments/group/g", {"name": "d", "artifact_name": "rel-1"}),
        new("POST", f"{V1}/deployments", {"name": "d", "artifact_name": "rel-1", "all_devices": True}),
    ]
    ids = [answer.headers["Location"].rpartition("/")[2] for answer in answers]
    new.server.add_devices(5, group="g")
    bodies = [new("GET", f"{V1}/deployments/{name}").json() for name in ids]
    assert [body["max_devices"] for body in bodies] == [3, 4]
    assert bodies[0]["groups"] == ["g"]
    assert bodies[0]["filter"]["terms"][0]["value"] == "g"
    assert sorted(new("GET", f"{V1}/deployments/{ids[0]}/device_list").json()) == sorted(group)
    empty = new("POST", f"{V1}/deployments/group/none", {"name": "d", "artifact_name": "rel-1"})
    assert (empty.status_code, empty.json()["error"]) == (400, "No devices for the deployment")


def test_open_source_ignores_what_is_sold(new: Client) -> None:
    new.server.add_artifact("rel-1", [TYPE])
    start = "2099-01-01T00:00:00Z"
    sold = {"phases": [{"batch_size": 10, "start_ts": start}, {"start_ts": start}], "retries": 3}
    name = new.create("d", "rel-1", ["a"], **sold, update_control_map={"id": "x"}, max_devices=1)
    body = new("GET", f"{V1}/deployments/{name}").json()
    assert not {"phases", "retries", "update_control_map"} & body.keys()
    [device] = new.server.add_devices(["a"])
    assert new.ask(device).status_code == 200, "it is for everybody at once"


def test_later_artifact_of_the_name_joins(new: Client) -> None:
    new.server.add_artifact("rel-1", ["other"])
    [device] = new.server.add_devices(1)
    name = new.create("d", "rel-1", [device, "b"])
    late = new.server.add_artifact("rel-1", [TYPE])
    assert new.ask(device).json()["artifact"]["id"] == late
    assert late in new("GET", f"{V1}/deployments/{name}").json()["artifacts"]


def test_force_and_already_installed(new: Client) -> None:
    new.server.add_artifact("rel-1", [TYPE])
    one, two = new.server.add_devices(2)
    plain = new.create("d", "rel-1", [one])
    assert new.ask(one, installed="rel-1").status_code == 204
    assert new.counters(plain) == {"already-installed": 1}
    new.create("d", "rel-1", [two], force_installation=True)
    assert new.ask(two, installed="rel-1").status_code == 200


def test_device_that_changes_its_story_fails(new: Client) -> None:
    new.server.add_artifact("rel-1", [TYPE])
    [device] = new.server.add_devices(1)
    name = new.create("d", "rel-1", [device, "b"])
    assert new.ask(device).status_code == 200
    assert new.ask(device, installed="another").status_code == 409
    assert new.counters(name) == {"failure": 1, "pending": 1}


def test_device_takes_the_oldest_deployment_that_is_newer_than_its_last(new: Client) -> None:
    for name in ("rel-1", "rel-2", "rel-3"):
        new.server.add_artifact(name, [TYPE])
    [device] = new.server.add_devices(1)
    first, second = (new.create("d", name, [device, "b"]) for name in ("rel-1", "rel-2"))
    assert new.ask(device).json()["id"] == first
    assert new.report(device, first, "success").status_code == 204
    assert new.ask(device, installed="rel-1").json()["id"] == second
    assert new.report(device, second, "failure").status_code == 204
    assert new.ask(device, installed="rel-1").status_code == 204
    assert new("DELETE", f"{V1}/deployments/devices/{device}/history").status_code == 204
    assert new.ask(device, installed="factory").json()["id"] == first, "its history is forgotten"


def test_used_artifact(new: Client) -> None:
    artifact = new.server.add_artifact("rel-1", [TYPE])
    address = f"{V1}/artifacts/{artifact}"
    assert new("PUT", address, {"description": "before"}).status_code == 204
    name = new.create("d", "rel-1", ["a"])
    assert (new("PUT", address, {"description": "x"}).status_code, new("DELETE", address).status_code) == (422, 409)
    new("PUT", f"{V1}/deployments/{name}/status", {"status": "aborted"})
    assert (new("PUT", address, {"description": "x"}).status_code, new("DELETE", address).status_code) == (422, 204)
    assert new("GET", address).status_code == 404


def test_device_leaves_its_deployments(each: Client) -> None:
    """Today: what it has begun, and one more that is not counted. In 2020: all that is pending."""
    each.server.add_artifact("rel-1", [TYPE])
    [device] = each.server.add_devices(1)
    names = [each.create(name, "rel-1", [device, "b"]) for name in ("d1", "d2", "d3")]
    each.ask(device)
    assert each("DELETE", f"{V1}/deployments/devices/{device}").status_code == 204
    devices = [each("GET", f"{V1}/deployments/{name}/devices").json() for name in names]
    statuses = [[entry["status"] for entry in entries] for entries in devices]
    if each.server.version == "seed":
        assert statuses == [["decommissioned"]] * 3
    else:
        assert statuses == [["aborted"], ["aborted"], []]
        rest = {"pending": 1} if each.server.version == "4.1" else {}
        assert each.counters(names[0]) == {"aborted": 1, **rest}
        assert "aborted" not in each.counters(names[1])


@pytest.mark.parametrize(
    "body, text",
    [
        ({}, "name: cannot be blank"),
        ({"name": "d"}, "artifact_name: cannot be blank"),
        ({"name": 1, "artifact_name": "rel-1"}, "cannot unmarshal number into Go struct field name"),
        ({"name": "d" * 257, "artifact_name": "rel-1"}, "name: the length must be between 1 and 256"),
        ({"name": "d", "artifact_name": "rel-1", "devices": "a"}, "cannot unmarshal string"),
        ({"name": "d", "artifact_name": "rel-1", "devices": [""]}, "cannot be blank"),
        ([], "cannot unmarshal array"),
    ],
    ids=str,
)
def test_deployments_that_are_refused(new: Client, body: Any, text: str) -> None:
    answer = new("POST", f"{V1}/deployments", body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Validating request body: ")
    assert text in answer.json()["error"]


def test_lists_of_deployments(new: Client) -> None:
    new.server.add_artifact("rel-1", [TYPE])
    one, two = new.create("one", "rel-1", ["a"]), new.create("two", "rel-1", ["a"])
    new("PUT", f"{V1}/deployments/{one}/status", {"status": "aborted"})
    now = int(time.time())
    wanted = {
        f"{V1}/deployments": ["two", "one"],
        f"{V1}/deployments?sort=asc": ["one", "two"],
        f"{V1}/deployments?search=ON": ["one"],
        f"{V1}/deployments?search=rel-1&status=pending": ["two"],
        f"{V2}/deployments?status=aborted": ["one"],
        f"{V2}/deployments?name=one&name=two&id={two}": ["two"],
        f"{V2}/deployments?name=on": [],
        f"{V2}/deployments?search=nothing": ["two", "one"],
        f"{V1}/deployments?created_after={now + 60}": [],
        f"{V1}/deployments?created_before={now + 60}": ["two", "one"],
    }
    assert {path: [entry["name"] for entry in new("GET", path).json()] for path in wanted} == wanted
    for wrong in ("status=scheduled", "sort=name", "created_after=today", "type=none", "page=0"):
        assert new("GET", f"{V2}/deployments?{wrong}").status_code == 400, wrong


# -- editions ----------------------------------------------------------------------------------------------------


def test_editions() -> None:
    start = "2099-01-01T00:00:00Z"
    bodies: dict[str, dict[str, Any]] = {
        "plain": {},
        "one phase": {"phases": [{"start_ts": start}]},
        "phases": {"phases": [{"batch_size": 50}, {"start_ts": start}]},
        "retries": {"retries": 1},
    }
    found = {}
    for edition in EDITIONS:
        one = client(edition=edition)
        with one.server:
            one.server.add_artifact("rel-1", [TYPE])
            base = {"artifact_name": "rel-1", "devices": ["a", "b"]}
            answers = [
                one("POST", f"{V1}/deployments", {**base, "name": name, **more}) for name, more in bodies.items()
            ]
            probes = [one("GET", FILTERS), one("POST", V2 + "/deployments", {"name": "d", "artifact_name": "rel-1"})]
            found[edition] = [answer.status_code for answer in (*answers, *probes)]
    assert found == {
        "open_source": [201, 201, 201, 201, 404, 405],
        "professional": [201, 201, 403, 403, 200, 403],
        "enterprise": [201, 201, 201, 201, 200, 400],
    }


def test_phases_open_over_time(enterprise: Client) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    devices = enterprise.server.add_devices(4)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    phases = [{"batch_size": 25}, {"batch_size": 25, "start_ts": later}, {"start_ts": "2099-01-01T00:00:00Z"}]
    name = enterprise.create("d", "rel-1", devices, phases=phases)
    assert [enterprise.ask(device).status_code for device in devices] == [200, 204, 204, 204]
    enterprise.server.deployment(name).phases[1].start = time.time()
    assert [enterprise.ask(device).status_code for device in devices] == [200, 200, 204, 204]
    body = enterprise("GET", f"{V1}/deployments/{name}").json()
    assert [(phase["batch_size"], phase["device_count"]) for phase in body["phases"]] == [(25, 1), (25, 1), (50, 0)]


def test_scheduled(enterprise: Client) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    name = enterprise.create("d", "rel-1", ["a"], phases=[{"start_ts": "2099-01-01T00:00:00Z"}])
    assert enterprise("GET", f"{V1}/deployments/{name}").json()["status"] == "scheduled"
    [entry] = enterprise("GET", f"{V2}/deployments?status=scheduled").json()
    assert entry["id"] == name


@pytest.mark.parametrize(
    "phases, text",
    [
        ([{"batch_size": 5}, {"start_ts": "2099-01-01T00:00:00Z"}], "zero devices"),
        ([{"batch_size": 50}, {}], "start_ts: cannot be blank"),
        ([{"batch_size": 50, "start_ts": "2099-01-01T00:00:00Z"}, {"start_ts": "2098-01-01T00:00:00Z"}], "ascending"),
        ([{"batch_size": 80}, {"batch_size": 80, "start_ts": "2099-01-01T00:00:00Z"}], "above 100"),
        ([{"start_ts": "soon"}], "parsing time"),
        ([{"batch_size_devices": 1}, {"batch_size": 50, "start_ts": "2099-01-01T00:00:00Z"}], "mixed"),
    ],
    ids=["zero", "no start", "not ascending", "too much", "no time", "mixed"],
)
def test_phases_that_are_refused(enterprise: Client, phases: list[Any], text: str) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    body = {"name": "d", "artifact_name": "rel-1", "devices": [f"d{number}" for number in range(11)]}
    answer = enterprise("POST", f"{V1}/deployments", {**body, "phases": phases})
    assert (answer.status_code, text in answer.json()["error"]) == (400, True)


def test_uniform_phases(enterprise: Client) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    uniform = {"batch_size": 40, "time_interval": "PT1H", "start_ts": "2099-01-01T00:00:00Z"}
    name = enterprise.create("d", "rel-1", [f"d{number}" for number in range(10)], uniform_phases=uniform)
    phases = enterprise("GET", f"{V1}/deployments/{name}").json()["phases"]
    assert [(phase["batch_size"], phase["start_ts"]) for phase in phases] == [
        (40, "2099-01-01T00:00:00Z"),
        (40, "2099-01-01T01:00:00Z"),
        (20, "2099-01-01T02:00:00Z"),
    ]


def test_retries(enterprise: Client) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    [device] = enterprise.server.add_devices(1)
    name = enterprise.create("d", "rel-1", [device], retries=1)
    for installed, counters in (("factory", {"pending": 1}), ("rescue", {"failure": 1})):
        assert enterprise.ask(device, installed=installed).json()["id"] == name
        enterprise.report(device, name, "failure")
        assert enterprise.counters(name) == counters
    body = enterprise("GET", f"{V1}/deployments/{name}").json()
    assert (body["status"], body["retries"]) == ("finished", 1)


def test_dynamic_deployment(enterprise: Client) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    [early] = enterprise.server.add_devices(1, attributes={"site": "north"})
    enterprise.server.add_devices(1)
    term = {"scope": "inventory", "attribute": "site", "type": "$eq", "value": "north"}
    made = enterprise("POST", FILTERS, {"name": "north", "terms": [term]})
    assert made.status_code == 201
    assert enterprise("POST", FILTERS, {"name": "north", "terms": [term]}).status_code == 409
    number = made.headers["Location"].rpartition("/")[2]
    body = {"name": "d", "artifact_name": "rel-1", "filter_id": number}
    name = enterprise("POST", f"{V2}/deployments", body).headers["Location"].rpartition("/")[2]
    shown = enterprise("GET", f"{V1}/deployments/{name}").json()
    assert (shown["dynamic"], shown["initial_device_count"], shown["filter"]["name"]) == (True, 1, "north")
    [late] = enterprise.server.add_devices(1, attributes={"site": "north"})
    for device in (early, late):
        assert enterprise.ask(device).json()["id"] == name
        enterprise.report(device, name, "success")
    assert enterprise("GET", f"{V1}/deployments/{name}").json()["status"] == "inprogress", "it does not end by itself"


def test_update_control_map(enterprise: Client) -> None:
    enterprise.server.add_artifact("rel-1", [TYPE])
    control = {"id": UNKNOWN, "states": {"ArtifactInstall_Enter": {"action": "pause"}}}
    name = enterprise.create("d", "rel-1", ["a"], update_control_map=control)
    other = enterprise.create("e", "rel-1", ["a"])
    changed = {"update_control_map": {"id": UNKNOWN}}
    assert enterprise("PATCH", f"{V1}/deployments/{name}", changed).status_code == 204
    assert enterprise("GET", f"{V1}/deployments/{name}").json()["update_control_map"] == {"id": UNKNOWN}
    assert enterprise("PATCH", f"{V1}/deployments/{other}", changed).status_code == 409


# -- inventory ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def park() -> Iterator[Client]:
    """A server with a few different devices."""
    found = client()
    ids = ["a1", "b2", "c3", "d4"]
    found.server.add_devices(
        ids,
        attributes=lambda number, name: {
            "hostname": f"host-{name}",
            "load": number,
            "ip": [f"10.0.0.{number}/24", "fe80::1"],
            "identity/mac": f"00:0{number}",
            "tags/site": "north" if number < 2 else "south",
        },
        group="lab",
    )
    found.server.add_devices(["e5"], device_type="other", status="pending")
    yield found
    found.server.stop()


TERMS: list[tuple[tuple[str, str, str, Any], list[str]]] = [
    (("inventory", "hostname", "$eq", "host-b2"), ["b2"]),
    (("inventory", "hostname", "$ne", "host-b2"), ["a1", "c3", "d4", "e5"]),
    (("inventory", "load", "$gt", 1), ["c3", "d4"]),
    (("inventory", "load", "$gte", 1), ["b2", "c3", "d4"]),
    (("inventory", "load", "$lt", 1), ["a1"]),
    (("inventory", "load", "$lte", 1), ["a1", "b2"]),
    (("inventory", "load", "$gt", "1"), []),
    (("inventory", "hostname", "$in", ["host-a1", "host-d4"]), ["a1", "d4"]),
    (("inventory", "hostname", "$nin", ["host-a1", "host-d4"]), ["b2", "c3", "e5"]),
    (("inventory", "hostname", "$exists", False), ["e5"]),
    (("inventory", "hostname", "$regex", "host-[ab]"), ["a1", "b2"]),
    (("inventory", "hostname", "$regex", "/HOST-a/i"), ["a1"]),
    (("inventory", "hostname", "$regex", "ost"), []),
    (("inventory", "ip", "$eq", "10.0.0.3/24"), ["d4"]),
    (("identity", "status", "$eq", "pending"), ["e5"]),
    (("identity", "mac", "$eq", "00:02"), ["c3"]),
    (("system", "group", "$eq", "lab"), ["a1", "b2", "c3", "d4"]),
    (("tags", "site", "$eq", "south"), ["c3", "d4"]),
    (("identity", "id", "$gt", "b2"), ["c3", "d4", "e5"]),
    (("identity", "id", "$lte", "b2"), ["a1", "b2"]),
]


@pytest.mark.parametrize("term, wanted", TERMS, ids=[" ".join(map(repr, term)) for term, _wanted in TERMS])
def test_search(park: Client, term: tuple[str, str, str, Any], wanted: list[str]) -> None:
    scope, attribute, kind, value = term
    filters = [{"scope": scope, "attribute": attribute, "type": kind, "value": value}]
    for sort in ([], [{"scope": "identity", "attribute": "id", "order": "asc"}]):
        answer = park("POST", SEARCH, {"filters": filters, "sort": sort})
        assert [device["id"] for device in answer.json()] == wanted
        assert answer.headers["X-Total-Count"] == str(len(wanted))


def test_selected_attributes(park: Client) -> None:
    selected = [{"scope": "inventory", "attribute": "hostname"}, {"scope": "inventory", "attribute": "ip"}]
    [device] = park("POST", SEARCH, {"device_ids": ["a1"], "attributes": selected}).json()
    assert [(one["scope"], one["name"]) for one in device["attributes"]] == [
        ("inventory", "hostname"),
        ("inventory", "ip"),
        ("system", "updated_ts"),
    ]
    assert device["attributes"][1]["value"] == ["10.0.0.0/24", "fe80::1"]
    [whole] = park("POST", SEARCH, {"device_ids": ["a1"]}).json()
    names = {f"{one['scope']}/{one['name']}" for one in whole["attributes"]}
    assert {"identity/status", "system/group", "tags/site", "inventory/device_type"} <= names


def test_sort_and_wrong_searches(park: Client) -> None:
    order = [
        {"scope": "tags", "attribute": "site", "order": "desc"},
        {"scope": "inventory", "attribute": "load", "order": "asc"},
    ]
    found = [device["id"] for device in park("POST", SEARCH, {"sort": order}).json()]
    assert found == ["c3", "d4", "a1", "b2", "e5"]
    wrong: list[dict[str, Any]] = [
        {"filters": [{"scope": "nowhere", "attribute": "a", "type": "$eq", "value": 1}]},
        {"filters": [{"scope": "tags", "attribute": "a", "type": "$like", "value": 1}]},
        {"filters": [{"scope": "tags", "attribute": "a", "type": "$in", "value": "a"}]},
        {"filters": [{"scope": "tags", "attribute": "a", "type": "$regex", "value": "("}]},
        {"filters": "all"},
        {"sort": [{"scope": "tags", "attribute": "a", "order": "up"}]},
        {"page": -1},
    ]
    assert [park("POST", SEARCH, body).status_code for body in wrong] == [400] * len(wrong)


def test_older_list(park: Client) -> None:
    wanted = {
        "group=lab": ["a1", "b2", "c3", "d4"],
        "has_group=false": ["e5"],
        "hostname=host-b2": ["b2"],
        "tags/site=north": ["a1", "b2"],
        "identity/status=eq:pending": ["e5"],
        "sort=load:desc&group=lab": ["d4", "c3", "b2", "a1"],
    }
    for query, ids in wanted.items():
        found = [device["id"] for device in park("GET", f"{INVENTORY}/devices?{query}").json()]
        assert found == ids, query
    assert park("GET", f"{INVENTORY}/devices?has_group=maybe").status_code == 400
    assert park("GET", f"{INVENTORY}/devices?sort=load:up").status_code == 400


def test_groups(new: Client) -> None:
    one, two, three = new.server.add_devices(3)
    groups = f"{INVENTORY}/groups"
    assert new("PATCH", f"{groups}/g/devices", [one, two, "unknown"]).json() == {"matched_count": 2, "updated_count": 2}
    assert new("PUT", f"{INVENTORY}/devices/{three}/group", {"group": "h"}).status_code == 204
    assert new("GET", groups).json() == ["g", "h"]
    assert new("GET", f"{groups}/g/devices?per_page=1").json() == [one]
    assert new("GET", f"{INVENTORY}/devices/{one}/group").json() == {"group": "g"}
    assert new("DELETE", f"{INVENTORY}/devices/{one}/group/h").status_code == 404
    assert new("DELETE", f"{INVENTORY}/devices/{one}/group/g").status_code == 204
    assert new("DELETE", f"{groups}/g/devices", [two]).json()["updated_count"] == 1
    assert new("GET", f"{groups}/g/devices").status_code == 404
    assert new("DELETE", f"{groups}/h").json() == {"updated_count": 1}
    assert new("PUT", f"{INVENTORY}/devices/{three}/group", {"group": "no space"}).status_code == 400


def test_tags_and_their_etag(new: Client) -> None:
    [device] = new.server.add_devices(1)
    tags = f"{INVENTORY}/devices/{device}/tags"
    etag = new("GET", f"{INVENTORY}/devices/{device}").headers["ETag"]
    assert new("PUT", tags, [{"name": "a", "value": "1"}], headers={"If-Match": etag}).status_code == 200
    assert new("PUT", tags, [{"name": "b", "value": "2"}], headers={"If-Match": etag}).status_code == 412
    assert new("PATCH", tags, [{"name": "b", "value": "2"}]).status_code == 200
    assert new("PUT", tags, [{"name": "c", "value": "3"}]).status_code == 200
    found = new("GET", f"{INVENTORY}/devices/{device}").json()["attributes"]
    assert [(one["name"], one["value"]) for one in found if one["scope"] == "tags"] == [("c", "3")]


def test_admission(new: Client) -> None:
    accepted = new.server.add_devices(2)
    [pending] = new.server.add_devices(1, status="pending", attributes={"identity/mac": "00:01"})
    assert [one["id"] for one in new("GET", f"{ADMISSION}?status=pending").json()] == [pending]
    assert new("GET", f"{ADMISSION}/count?status=accepted").json() == {"count": 2}
    assert len(new("POST", f"{ADMISSION}/search", {"status": ["accepted", "pending"]}).json()) == 3
    assert new.ask(pending).status_code == 401, "it is not accepted"
    about = new("GET", f"{ADMISSION}/{pending}").json()
    assert (about["identity_data"], about["status"]) == ({"mac": "00:01"}, "pending")
    address = f"{ADMISSION}/{pending}/auth/{about['auth_sets'][0]['id']}/status"
    assert new("PUT", address, {"status": "accepted"}).status_code == 204
    assert new.ask(pending).status_code == 204
    new.server.add_artifact("rel-1", [TYPE])
    name = new.create("d", "rel-1", accepted)
    new.ask(accepted[0])
    assert new("DELETE", f"{ADMISSION}/{accepted[0]}").status_code == 204
    assert new.counters(name) == {"decommissioned": 1, "pending": 1}
    assert new("GET", f"{INVENTORY}/devices/{accepted[0]}").status_code == 404


def walk(found: Client, count: int) -> list[str]:
    """The ids of all devices by key-set paging."""
    body: dict[str, Any] = {
        "page": 1,
        "per_page": 500,
        "sort": [{"scope": "identity", "attribute": "id", "order": "asc"}],
        "attributes": [{"scope": "inventory", "attribute": "hostname"}],
    }
    ids: list[str] = []
    for _dummy in range(count // 500 + 2):
        term = {"scope": "identity", "attribute": "id", "type": "$gt", "value": ids[-1] if ids else "0"}
        page = found("POST", SEARCH, {**body, "filters": [term]}).json()
        ids += [device["id"] for device in page]
        if len(page) < 500:
            break
    return ids


def test_hundred_thousand_devices() -> None:
    """They are made in two seconds of processor time, and walking all of them costs milliseconds a page."""
    server = MenderServer()
    began = time.process_time()
    ids = server.add_devices(100_000, attributes=lambda number, _name: {"hostname": f"h{number}"})
    assert time.process_time() - began < 2
    with server:
        found = Client(server)
        walk(found, len(ids))
        began = time.process_time()
        assert walk(found, len(ids)) == sorted(ids)
        # the client's own time is in it
        assert time.process_time() - began < 3


def test_search_sees_every_change(new: Client) -> None:
    one, two = new.server.add_devices(["one", "two"])
    question = {"filters": [{"scope": "system", "attribute": "group", "type": "$eq", "value": "g"}]}
    load = {"filters": [{"scope": "inventory", "attribute": "load", "type": "$eq", "value": 1}]}
    pending = {"filters": [{"scope": "identity", "attribute": "status", "type": "$eq", "value": "pending"}]}
    site = {"filters": [{"scope": "tags", "attribute": "site", "type": "$eq", "value": "north"}]}

    def found(body: dict[str, Any]) -> list[str]:
        return [device["id"] for device in new("POST", SEARCH, body).json()]

    assert [found(body) for body in (question, load, pending, site)] == [[], [], [], []]
    new("PUT", f"{INVENTORY}/devices/{one}/group", {"group": "g"})
    assert found(question) == [one]
    report = [{"name": "load", "value": 1}]
    new("PATCH", "/api/devices/v1/inventory/device/attributes", report, headers=new.device(two))
    assert found(load) == [two]
    new("PUT", f"{ADMISSION}/{one}/auth/x/status", {"status": "pending"})
    assert found(pending) == [one]
    new("PATCH", f"{INVENTORY}/devices/{two}/tags", [{"name": "site", "value": "north"}])
    assert found(site) == [two]
    new("DELETE", f"{INVENTORY}/devices/{one}")
    assert found(question) == []
    new.server.add_devices(["three"], group="g")
    assert found(question) == ["three"]
    new.server.remove_devices(["three"])
    assert found(question) == []


def test_pages_without_an_order_may_overlap(new: Client) -> None:
    new.server.add_devices(100)
    new.server.inventory.unstable = True

    def walked(**more: Any) -> int:
        pages = [new("POST", SEARCH, {"page": page, "per_page": 20, **more}).json() for page in range(1, 6)]
        return len({device["id"] for page in pages for device in page})

    assert walked() < 100
    assert walked(sort=[{"scope": "identity", "attribute": "id", "order": "asc"}]) == 100
    pages = [new("GET", f"{INVENTORY}/devices?page={page}").json() for page in range(1, 6)]
    assert len({device["id"] for page in pages for device in page}) < 100


def test_statuses_of_deployments(each: Client) -> None:
    wanted = {"scheduled": each.server.version == "seed", "aborted": each.server.version != "seed", "pending": True}
    found = {status: each("GET", f"{V1}/deployments?status={status}").status_code == 200 for status in wanted}
    assert found == wanted


def test_key_set_needs_a_newer_server() -> None:
    found = client("4.0")
    with found.server:
        found.server.add_devices(["a", "b"])
        term = {"scope": "identity", "attribute": "id", "type": "$gt", "value": "0"}
        assert found("POST", SEARCH, {"filters": [term]}).json() == []


# -- life -------------------------------------------------------------------------------------------------------


def test_interruption_keeps_everything(new: Client) -> None:
    name = new.server.add_artifact("rel-1", [TYPE])
    link = new("GET", f"{V1}/artifacts/{name}/download").json()["uri"]
    new.server.interrupt()
    assert not new.server.running
    with pytest.raises(requests.ConnectionError):
        new("GET", f"{V1}/artifacts/{name}")
    new.server.start()
    assert new("GET", f"{V1}/artifacts/{name}").json()["name"] == "rel-1"
    assert requests.get(link, timeout=60).status_code == 200
    folder = new.server.storage.folder
    new.server.stop()
    assert not folder.exists()


# -- as a program ------------------------------------------------------------------------------------------------


def test_program() -> None:
    command = [sys.executable, "-m", "servers.mender", "--version", "4.5", "--devices", "3"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        about = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {about['token']}"}
        answer = requests.get(f"{about['url']}{INVENTORY}/devices", headers=headers, timeout=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert (about["version"], len(answer.json())) == ("4.5", 3)
