"""The fault proxy over real sockets, in front of a small server that remembers what reached it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests
from aiohttp import web

from servers._loop import LoopThread
from servers.fault_proxy import CAP, FAULTS, REFUSALS, FaultProxy

MIB = 1024 * 1024
BODY = b'{"id": 7, "name": "' + b"x" * 400 + b'"}'
# (fault, options) → whether the server acts, what the client sees
CASES = [
    ("reset_before", {}, False, "reset"),
    ("reset_after", {}, True, "reset"),
    ("429_empty", {}, False, (429, b"")),
    ("429_retry_after_seconds", {}, False, (429, b"")),
    ("429_retry_after_date", {}, False, (429, b"")),
    ("429_quota", {}, False, (429, re.compile(rb'"errorCode": "hawkbit.server.error.quota.tooManyEntries"'))),
    ("429_quota", {"status": 403}, False, (403, re.compile(rb"quota"))),
    ("502", {}, False, (502, re.compile(rb"<h1>502 Bad Gateway"))),
    ("502", {"acted": True}, True, (502, re.compile(rb"<h1>502 Bad Gateway"))),
    ("503", {}, False, (503, re.compile(rb"<h1>503 "))),
    ("503", {"acted": True}, True, (503, re.compile(rb"<h1>503 "))),
    ("504", {}, False, (504, re.compile(rb"<h1>504 "))),
    ("504", {"acted": True}, True, (504, re.compile(rb"<h1>504 "))),
    ("cut_body", {}, True, "cut"),
    ("html", {}, True, (200, re.compile(rb"<!DOCTYPE html>"))),
    ("empty", {}, True, (200, b"")),
    ("wrong_type", {}, True, (200, b'"done"')),
    ("slow", {"delay": 0.3}, True, (201, BODY)),
]


class Backend:
    """The server behind the proxy."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int, str]] = []
        self.headers: list[dict[str, str]] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        size, digest = 0, hashlib.sha256()
        async for chunk in request.content.iter_any():
            size += len(chunk)
            digest.update(chunk)
        self.seen.append((request.method, request.raw_path, size, digest.hexdigest()))
        self.headers.append(dict(request.headers))
        if request.path == "/moved":
            return web.Response(status=307, headers={"Location": "http://elsewhere.example/x?y=1"})
        if request.path == "/none":
            return web.Response(status=204)
        if request.path == "/large":
            return web.Response(body=bytes(8 * MIB))
        if request.path == "/die":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=201, body=BODY, content_type="application/json")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Backend, FaultProxy]]:
    backend = Backend()
    thread = LoopThread("backend")

    async def serve() -> tuple[web.ServerRunner, int]:
        runner = web.ServerRunner(web.Server(backend.handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    runner, port = thread.call(serve())
    with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
        yield backend, proxy
    thread.call(runner.cleanup())
    thread.stop()


@pytest.fixture
def backend(running: tuple[Backend, FaultProxy]) -> Backend:
    running[0].seen.clear()
    running[0].headers.clear()
    return running[0]


@pytest.fixture
def proxy(running: tuple[Backend, FaultProxy]) -> FaultProxy:
    running[1].clear()
    running[1].heal()
    return running[1]


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("admin", "very-secret")
        yield session


def _raw(proxy: FaultProxy, request: bytes) -> tuple[bytes, str]:
    """Send bytes, return what came back and how the connection ended: reset or closed."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(request)
        got = b""
        while True:
            try:
                chunk = connection.recv(65536)
            except ConnectionResetError:
                return got, "reset"
            if not chunk:
                return got, "closed"
            got += chunk


def test_every_fault_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(FAULTS)


@pytest.mark.parametrize("fault, options, acted, sees", CASES, ids=[f"{c[0]}{c[1] or ''}" for c in CASES])
def test_fault(
    fault: str,
    options: dict[str, object],
    acted: bool,
    sees: object,
    backend: Backend,
    proxy: FaultProxy,
    client: requests.Session,
) -> None:
    rule = proxy.inject(fault, **options)
    payload = b'{"a": 1}'
    began = time.monotonic()
    if sees == "reset":
        request = b"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n" + payload
        assert _raw(proxy, request) == (b"", "reset")
    elif sees == "cut":
        request = b"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n" + payload
        got, end = _raw(proxy, request)
        head, body = got.partition(b"\r\n\r\n")[::2]
        assert end == "reset"
        assert head.startswith(b"HTTP/1.1 201 ")
        assert f"content-length: {len(BODY)}".encode() in head.lower()
        assert body == BODY[: len(BODY) // 2]
    else:
        assert isinstance(sees, tuple)
        status, expected = sees
        answer = client.post(f"{proxy.url}/things", data=payload)
        assert answer.status_code == status
        if isinstance(expected, re.Pattern):
            assert expected.search(answer.content)
        else:
            assert answer.content == expected
    if fault == "slow":
        assert time.monotonic() - began >= 0.3
    assert [entry[:2] for entry in backend.seen] == ([("POST", "/things")] if acted else [])
    [record] = proxy.wire
    assert (record.fault, record.acted, record.request_body) == (fault, acted, payload.decode())
    assert record.server_status == (201 if acted else None)
    assert record.status == {"reset": None, "cut": 201}.get(str(sees), sees[0] if isinstance(sees, tuple) else None)
    assert rule.hits == 1
    # It is used up: the next request passes.
    assert client.post(f"{proxy.url}/things", data=payload).status_code == 201


@pytest.mark.parametrize(
    "options, seen",
    [
        ({"as_method": "PATCH"}, ("PATCH", "/things?a=1", "{}")),
        ({"as_path": "/others"}, ("POST", "/others?a=1", "{}")),
        ({"query": "b=2"}, ("POST", "/things?b=2", "{}")),
        ({"query": ""}, ("POST", "/things", "{}")),
        ({"body": "nonsense"}, ("POST", "/things?a=1", "nonsense")),
    ],
)
def test_altered_request(
    proxy: FaultProxy, backend: Backend, client: requests.Session, options: dict[str, object], seen: tuple[str, ...]
) -> None:
    proxy.inject("altered", **options)
    assert client.post(f"{proxy.url}/things?a=1", data=b"{}").status_code == 201
    method, path, size, digest = backend.seen[-1]
    assert (method, path, digest) == (*seen[:2], hashlib.sha256(seen[2].encode()).hexdigest())
    assert size == len(seen[2])
    assert proxy.wire[-1].request_body == "{}"


def test_altered_headers(proxy: FaultProxy, backend: Backend, client: requests.Session) -> None:
    proxy.inject("altered", headers={"Accept": "text/plain", "Authorization": None})
    client.post(f"{proxy.url}/things", data=b"{}", headers={"Accept": "application/json"})
    headers = {name.lower(): value for name, value in backend.headers[-1].items()}
    assert headers["accept"] == "text/plain"
    assert "authorization" not in headers
    client.post(f"{proxy.url}/things", data=b"{}")
    assert "Authorization" in backend.headers[-1]


def test_request_sent_twice(proxy: FaultProxy, backend: Backend, client: requests.Session) -> None:
    proxy.inject("altered", twice=True)
    assert client.post(f"{proxy.url}/things", data=b"{}").status_code == 201
    assert [(method, size) for method, _path, size, _digest in backend.seen] == [("POST", 2), ("POST", 2)]


@pytest.mark.parametrize("body, text", [({"errorCode": "x"}, b'{"errorCode": "x"}'), ({}, b"")])
def test_answer_that_is_made_up(
    proxy: FaultProxy, backend: Backend, client: requests.Session, body: dict[str, str], text: bytes
) -> None:
    proxy.inject("answer", status=409, body=body)
    answer = client.post(f"{proxy.url}/things", data=b"{}")
    assert (answer.status_code, answer.content) == (409, text)
    assert backend.seen == []
    assert set(REFUSALS) == {"altered", "answer"}


def test_cut_of_an_answer_without_body(proxy: FaultProxy) -> None:
    proxy.inject("cut_body")
    got, end = _raw(proxy, b"DELETE /none HTTP/1.1\r\nHost: h\r\n\r\n")
    assert end == "reset"
    assert got.startswith(b"HTTP/1.1 204")
    assert b"\r\n\r\n" not in got


def test_cut_of_a_large_answer_delivers_half_of_it(proxy: FaultProxy) -> None:
    proxy.inject("cut_body")
    got, end = _raw(proxy, b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (end, len(got.partition(b"\r\n\r\n")[2])) == ("reset", 4 * MIB)


def test_retry_after_seconds(proxy: FaultProxy, client: requests.Session) -> None:
    proxy.inject("429_retry_after_seconds", seconds=3)
    assert client.get(proxy.url).headers["Retry-After"] == "3"


def test_retry_after_date(proxy: FaultProxy, client: requests.Session) -> None:
    began = time.time()
    proxy.inject("429_retry_after_date", seconds=5)
    moment = parsedate_to_datetime(client.get(proxy.url).headers["Retry-After"]).timestamp()
    assert 5 <= moment - began <= 7


def test_which_requests_are_broken(proxy: FaultProxy, client: requests.Session) -> None:
    proxy.inject("503", writes=True, path=r"^/things$", skip=1, times=2)
    proxy.inject("502", method="delete")

    def status(method: str, path: str) -> int:
        return client.request(method, proxy.url + path).status_code

    sent = [("GET", "/things"), ("POST", "/other"), ("POST", "/things"), ("PUT", "/things"), ("PATCH", "/things")]
    sent += [("POST", "/things"), ("DELETE", "/x"), ("DELETE", "/x")]
    assert [status(*request) for request in sent] == [201, 201, 201, 503, 503, 201, 502, 201]
    assert [record.fault for record in proxy.writes] == [None, None, "503", "503", None, "502", None]


def test_for_ever_until_healed(proxy: FaultProxy, client: requests.Session) -> None:
    rule = proxy.inject("504", times=None)
    assert {client.get(proxy.url).status_code for dummy in range(5)} == {504}
    assert rule.hits == 5
    proxy.heal()
    assert client.get(proxy.url).status_code == 201


@pytest.mark.parametrize(
    "wrong, options, message",
    [
        ("505", {}, "no such fault: '505'"),
        ("html", {"acted": False}, "fault html has no option acted"),
        ("slow", {"seconds": 1}, "fault slow has no option seconds"),
    ],
)
def test_wrong_fault(proxy: FaultProxy, wrong: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proxy.inject(wrong, **options)


def test_wire(proxy: FaultProxy, backend: Backend, client: requests.Session) -> None:
    client.post(f"{proxy.url}/a%2Fb?q=name%3D%3D%22x%22&offset=0", json={"name": "ü"})
    client.put(f"{proxy.url}/file", data=b"\x00\xff\x01", headers={"Cookie": "session=very-secret"})
    client.get(f"{proxy.url}/none")
    first, second, third = proxy.wire
    assert (first.n + 1, first.n + 2) == (second.n, third.n)
    assert (first.method, first.path, first.query) == ("POST", "/a%2Fb", "q=name%3D%3D%22x%22&offset=0")
    assert first.request_body == '{"name": "\\u00fc"}'
    assert (first.status, first.response_body) == (201, BODY.decode())
    assert (first.auth, first.headers["Content-Type"]) == ("Basic", "application/json")
    assert second.request_body == f"<3 bytes, sha256 {hashlib.sha256(bytes([0, 255, 1])).hexdigest()}>"
    assert (third.status, third.response_body) == (204, "")
    assert proxy.writes == [first, second]
    assert not {name.lower() for record in proxy.wire for name in record.headers} & {"authorization", "cookie"}
    # The server itself gets everything, unchanged.
    assert backend.seen[0][1] == "/a%2Fb?q=name%3D%3D%22x%22&offset=0"
    assert backend.headers[0]["Authorization"].startswith("Basic ")
    assert backend.headers[0]["Host"] == f"127.0.0.1:{proxy.port}"


def test_long_text_is_capped(proxy: FaultProxy, client: requests.Session) -> None:
    client.post(proxy.url, data="é" * CAP)
    text = proxy.wire[0].request_body
    assert text.startswith("ééé")
    assert re.search(rf"… <{2 * CAP} bytes, sha256 [0-9a-f]{{64}}>$", text)
    assert len(text) < CAP


def test_redirects_pass(proxy: FaultProxy, client: requests.Session) -> None:
    answer = client.get(f"{proxy.url}/moved", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://elsewhere.example/x?y=1")


def test_head_keeps_the_length(proxy: FaultProxy, client: requests.Session) -> None:
    answer = client.head(f"{proxy.url}/things")
    assert (answer.headers["Content-Length"], answer.content) == (str(len(BODY)), b"")


def test_server_that_breaks_off(proxy: FaultProxy) -> None:
    assert _raw(proxy, b"GET /die HTTP/1.1\r\nHost: h\r\n\r\n") == (b"", "reset")
    assert (proxy.wire[0].fault, proxy.wire[0].status, proxy.wire[0].acted) == (None, None, True)


def test_server_that_is_not_there(client: requests.Session) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with FaultProxy(f"http://127.0.0.1:{unused.getsockname()[1]}") as proxy:
            answer = client.post(proxy.url)
            assert answer.status_code == 502
            assert "cannot be reached" in answer.text
            assert not proxy.wire[0].acted


class _Zeros:
    """A body of zeros of a known length, made while it is read."""

    def __init__(self, size: int) -> None:
        self.left = self.size = size

    def __len__(self) -> int:
        return self.size

    def read(self, amount: int = -1) -> bytes:
        amount = min(self.left, amount if 0 <= amount <= 65536 else 65536)
        self.left -= amount
        return bytes(amount)


def _chunks(size: int) -> Iterator[bytes]:
    for _dummy in range(size // MIB):
        yield bytes(MIB)


@pytest.mark.parametrize("make", [_Zeros, _chunks], ids=["length", "chunked"])
def test_upload_streams(
    make: Callable[[int], object], proxy: FaultProxy, backend: Backend, client: requests.Session
) -> None:
    size = 256 * MIB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert client.post(f"{proxy.url}/upload", data=make(size)).status_code == 201
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 64, f"{grown:.0f} MiB more memory for an upload of 256 MiB"
    record = proxy.wire[0]
    assert (record.request.length, record.request.sha256) == backend.seen[0][2:]
    assert record.request.length == size


def test_reset_before_does_not_wait_for_a_large_body(proxy: FaultProxy, client: requests.Session) -> None:
    proxy.inject("reset_before")
    with pytest.raises(requests.ConnectionError):
        client.post(proxy.url, data=_Zeros(256 * MIB))
    assert proxy.wire[0].request.length < 16 * MIB


def test_control_by_http(proxy: FaultProxy, client: requests.Session) -> None:
    control = f"{proxy.url}/__proxy__"
    assert client.post(f"{control}/faults", json={"fault": "503", "writes": True}).status_code == 204
    assert client.post(f"{control}/faults", json={"fault": "none"}).status_code == 400
    assert client.post(f"{control}/faults", json={"fault": "503", "mehtod": "GET"}).status_code == 400
    assert (client.get(proxy.url).status_code, client.post(proxy.url, data="hello").status_code) == (201, 503)
    wire = client.get(f"{control}/wire").json()
    assert [(entry["method"], entry["status"], entry["fault"]) for entry in wire] == [
        ("GET", 201, None),
        ("POST", 503, "503"),
    ]
    assert (wire[1]["request_body"], wire[1]["request_length"]) == ("hello", 5)
    assert client.get(f"{control}/faults").json()[0]["hits"] == 1
    assert client.delete(f"{control}/wire").status_code == 204
    assert client.delete(f"{control}/faults").status_code == 204
    assert client.get(f"{control}/wire").json() == []
    assert client.get(f"{control}/faults").json() == []
    assert client.get(f"{control}/nothing").status_code == 404


def test_tls(running: tuple[Backend, FaultProxy], client: requests.Session) -> None:
    with FaultProxy(running[1].target_url, tls=True) as proxy:
        assert proxy.url.startswith("https://127.0.0.1:")
        with pytest.raises(requests.exceptions.SSLError):
            client.get(proxy.url)
        assert client.get(proxy.url, verify=str(proxy.ca_path)).status_code == 201
        proxy.inject("reset_after")
        with pytest.raises(requests.ConnectionError):
            client.post(proxy.url, data="x", verify=str(proxy.ca_path))
        path = proxy.ca_path
    assert not path.exists()


def test_it_ends(running: tuple[Backend, FaultProxy], client: requests.Session) -> None:
    proxy = FaultProxy(running[1].target_url)
    with proxy:
        proxy.inject("slow", delay=60)
        with pytest.raises(requests.ReadTimeout):
            client.get(proxy.url, timeout=0.3)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    proxy.stop()


def test_program(running: tuple[Backend, FaultProxy], client: requests.Session) -> None:
    command = [sys.executable, "-m", "servers.fault_proxy", running[1].target_url]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        url = json.loads(program.stdout.readline())["url"]
        assert client.post(f"{url}/__proxy__/faults", json={"fault": "503"}).status_code == 204
        assert [client.get(url).status_code for dummy in range(2)] == [503, 201]
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
