"""What a person reads when it went wrong, and what nobody may read."""

from __future__ import annotations

import base64
import json
import traceback
from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AuthFailed,
    BadAnswer,
    Conflict,
    FleetError,
    NotFound,
    Rejected,
    Unreachable,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.redact import MASK, Redactor
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import (
    NOT_DONE,
    Failure,
    Rules,
    reads,
    writes,
)
from servers.scripted import (
    ScriptedServer,
    Step,
    answer,
    answer_bytes,
    html,
    nobody_listens,
    raw,
    redirect,
    reset_after,
)

from .conftest import Connect

READ = reads("read thing", "GET", "/things/{name}")
CREATE = writes("create thing", "POST", "/things")
PASSWORD = 'S3cret/"<w+ö>rd 100%'
TOKEN = "tok.en-1234567890_abcdefghijkl"
DEVICE_KEY = "0123456789abcdef0123456789abcdef"


def failure_of(client: Any, operation: Any = READ, **arguments: Any) -> FleetError:
    """Return the error of one operation."""
    if operation is READ:
        arguments.setdefault("values", {"name": "a/b"})
    with pytest.raises(FleetError) as caught:
        client.send(operation, **arguments)
    error: FleetError = caught.value
    return error


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step, kind, words",
    [
        (answer(400, json={"message": "name is too long"}), Rejected, 'answered 400: {"message": "name is too long"}'),
        (answer(401), AuthFailed, "answered 401."),
        (
            html(403, "<html><style>p {}</style><body><h1>Forbidden</h1>\n<p>not  you</p>"),
            AuthFailed,
            "answered 403: Forbidden not you",
        ),
        (answer(404, body=b""), NotFound, "answered 404."),
        (answer(409, body=b"exists"), Conflict, "answered 409: exists"),
        (answer(501, body=b"x" * 300), Rejected, f"answered 501: {'x' * 200}…"),
        (answer(418, body="grüße".encode("latin-1")), Rejected, "answered 418: gr\ufffd\ufffde"),
    ],
    ids=["400", "401", "403", "404", "409", "501", "418"],
)
def test_final_answer(connect: Connect, step: Step, kind: type[FleetError], words: str) -> None:
    with ScriptedServer(step) as server:
        error = failure_of(connect(server.url))
    assert error.__class__ is kind
    assert error.msg == f"Cannot read thing: 127.0.0.1:{server.port} {words}"
    assert error.http == {"method": "GET", "path": "/things/a%2Fb", "status": error.status}


@pytest.mark.parametrize(
    "step, words",
    [
        (html(), "200 with HTML instead of JSON: Sign in Please"),
        (answer(200), "200 with an empty body."),
        (answer(200, body=b"hello"), "200 with a body that is not JSON instead of JSON: hello"),
        (answer(200, json=["x"]), 'JSON of another type (list): ["x"]'),
        (answer(200, json=None, body=b"null"), "JSON of another type (NoneType): null"),
        (answer(302), "302 with a redirect to nowhere."),
        (answer(304), "304 with a redirect to nowhere."),
    ],
    ids=["HTML", "empty", "text", "list", "null", "302", "304"],
)
def test_answer_that_is_not_what_was_promised(connect: Connect, step: Step, words: str) -> None:
    with ScriptedServer(default=step) as server:
        error = failure_of(connect(server.url, request_retries=0), shape=dict)
    assert error.__class__ is BadAnswer
    assert error.msg.startswith(f"Cannot read thing: 127.0.0.1:{server.port} answered ")
    assert error.msg.endswith(words)
    assert error.http == {"method": "GET", "path": "/things/a%2Fb", "status": error.status}


@pytest.mark.parametrize(
    "step, words",
    [
        (answer(200, body=b"[1, 2", promised=50), "5"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1, 2"), "broke ("),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"), "broke ("),
        (raw(b"no HTTP at all\r\n\r\n"), "broke ("),
        (reset_after(), "broke ("),
    ],
    ids=["cut", "cut chunks", "not gzip", "not HTTP", "reset"],
)
def test_connection_that_breaks(connect: Connect, step: Step, words: str) -> None:
    with ScriptedServer(default=step) as server:
        error = failure_of(connect(server.url, request_retries=0), shape=list)
    assert error.__class__ is Unreachable
    assert error.msg.startswith("Cannot read thing: ")
    assert words in error.msg
    assert "object at 0x" not in error.msg


def test_body_without_end_is_not_collected(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fleet.deploy.plugins.module_utils._core import transport

    monkeypatch.setattr(transport, "MAX_BODY", 2**20)
    with ScriptedServer(answer(200, body=b" " * (2**20 + 1))) as server:
        error = failure_of(connect(server.url))
        assert len(server.requests) == 1
    assert error.msg == "Cannot read thing: the answer is larger than 1 MiB."


def test_accepted_error_is_an_answer(connect: Connect) -> None:
    with ScriptedServer(answer(404, json={"code": 7}), html(404)) as server:
        client = connect(server.url)
        first = client.send(READ, values={"name": "x"}, accept=(404,), shape=dict)
        second = client.send(READ, values={"name": "x"}, accept=(404,), shape=dict)
    assert (first.status, first.data) == (404, {"code": 7})
    assert (second.status, second.data) == (404, None)


def test_answer_with_a_byte_order_mark(connect: Connect) -> None:
    with ScriptedServer(answer(200, body=b'\xef\xbb\xbf{"a": 1}')) as server:
        assert connect(server.url).send(CREATE, shape=dict).data == {"a": 1}


def test_answer_without_a_body(connect: Connect) -> None:
    with ScriptedServer(answer(204), answer(200), answer(204)) as server:
        client = connect(server.url)
        assert client.send(CREATE).data is None
        assert client.send(CREATE).data is None
        assert client.send(CREATE, shape=dict).status == 204


def test_headers_of_an_answer(connect: Connect) -> None:
    with ScriptedServer(answer(201, json={}, headers={"Location": "/things/7"})) as server:
        assert connect(server.url).send(CREATE).headers["location"] == "/things/7"


def test_platform_makes_its_own_errors(connect: Connect) -> None:
    seen: list[Failure] = []

    def error(failure: Failure) -> FleetError | None:
        seen.append(failure)
        return Conflict("Cannot do it: locked.", message="locked", http=failure.http) if failure.status == 423 else None

    steps = [
        answer(423, json={"errorCode": "locked"}, headers={"X-Request-Id": "r-1", "Retry-After": "9"}),
        answer(410, json={"errorCode": "gone"}, headers={"X-Request-Id": "r-2"}),
    ]
    with ScriptedServer(*steps) as server:
        client = connect(server.url, rules=Rules(error=error))
        own, general = failure_of(client, CREATE), failure_of(client, CREATE)
    assert (own.msg, own.message, own.request_id) == ("Cannot do it: locked.", "locked", "r-1")
    assert general.__class__ is Rejected
    assert general.request_id == "r-2"
    assert seen[0].body == {"errorCode": "locked"}
    assert seen[0].retry_after == 9
    assert seen[0].operation is CREATE
    assert seen[0].http == {"method": "POST", "path": "/things", "status": 423}


def test_request_id_of_the_platform_stays(connect: Connect) -> None:
    rules = Rules(error=lambda failure: Conflict("x", request_id="own"), request_id_header="X-Men-Requestid")
    with ScriptedServer(answer(409, headers={"X-Men-Requestid": "header"})) as server:
        assert failure_of(connect(server.url, rules=rules)).request_id == "own"


# -- secrets ---------------------------------------------------------------------------------------------------------


def forms(secret: str) -> set[str]:
    """Return forms in which a secret may be found in an output."""
    coded = {base64.b64encode(b" " * offset + secret.encode()).decode()[4:-6] for offset in range(3)}
    return {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], *coded}


def assert_silent(error: FleetError, *secrets: str) -> None:
    """Check that no secret is in what a user or a log may get of an error, its chain included."""
    text = json.dumps(error.render(), ensure_ascii=False) + "".join(traceback.format_exception(error)) + repr(error)
    for secret in secrets:
        for form in forms(secret):
            assert form not in text, f"{form} in {text}"
    link: BaseException | None = error
    while link is not None:
        assert isinstance(link, FleetError), "the words of a library are not cleaned"
        link = link.__cause__


ECHO = f"you sent {PASSWORD} and {quote(PASSWORD, safe='')} or {json.dumps(PASSWORD)}, {TOKEN}, {DEVICE_KEY}"
LOUD: dict[str, Step] = {
    "JSON": answer(400, json={"message": ECHO, ECHO: [ECHO]}),
    "text": answer(500, body=ECHO.encode()),
    "HTML": html(403, f"<html><body><p>{ECHO}</p></body></html>"),
    "HTML at 200": html(200, f"<html><body><p>{ECHO}</p></body></html>"),
    "502": html(502, ECHO),
    "429": answer(429, body=ECHO.encode()),
    "wrong type": answer(200, json=[ECHO]),
    "redirect": redirect(f"https://{quote(PASSWORD, safe='')}:{TOKEN}@{DEVICE_KEY}.example.com/{TOKEN}", 307),
    "request id": answer(404, headers={"X-Request-Id": f"{TOKEN} {DEVICE_KEY}"}),
    "reset": reset_after(),
    "status line": raw(f"HTTP/9 {TOKEN}\r\n\r\n".encode()),
    "header": raw(answer_bytes(200, body=b"", headers={"Content-Encoding": TOKEN, "Location": TOKEN})),
    "length": raw(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n".encode()),
}


@pytest.mark.parametrize("step", LOUD.values(), ids=LOUD.keys())
@pytest.mark.parametrize("operation", [READ, CREATE], ids=["read", "write"])
def test_secrets_that_a_server_sends_back_are_cut_out(connect: Connect, step: Step, operation: Any) -> None:
    redactor = Redactor()
    redactor.add(DEVICE_KEY, TOKEN)
    with ScriptedServer(default=step) as server:
        client = connect(server.url, password=PASSWORD, redactor=redactor, request_retries=1)
        arguments = {"values": {"name": f"x{TOKEN}"}} if operation is READ else {"json": {"key": DEVICE_KEY}}
        error = failure_of(client, operation, query={"key": DEVICE_KEY}, shape=dict, **arguments)
    assert_silent(error, PASSWORD, TOKEN, DEVICE_KEY, base64.b64encode(f"admin:{PASSWORD}".encode()).decode())
    if operation is READ:
        assert error.http is not None
        assert error.http["path"] == f"/things/x{MASK}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_secrets_in_the_path_of_a_refused_connection(connect: Connect, scheme: str) -> None:
    client = connect(nobody_listens().replace("http", scheme), token=TOKEN, request_retries=0)
    assert_silent(failure_of(client, values={"name": TOKEN}, query={"token": TOKEN}), TOKEN)


def test_secrets_in_a_failed_read_back(connect: Connect) -> None:
    with ScriptedServer(default=reset_after()) as server:
        client = connect(server.url, token=TOKEN, request_retries=0)
        error = failure_of(
            client, CREATE, read_back=lambda: client.send(READ, values={"name": TOKEN}, query={"x": TOKEN})
        )
    assert "Reading back" in error.msg
    assert_silent(error, TOKEN)


def test_short_password_is_cut_out_of_the_header_that_carries_it(connect: Connect) -> None:
    header = base64.b64encode(b"admin:pw7").decode()
    with ScriptedServer(answer(400, body=f"bad header: Basic {header}".encode())) as server:
        error = failure_of(connect(server.url, password="pw7"))
    assert error.msg.endswith(f"answered 400: bad header: Basic {MASK}")


def test_secret_is_not_torn_apart_by_the_tags_that_are_in_it(connect: Connect) -> None:
    with ScriptedServer(html(501, "<html><body>wrong: abc<def>ghijkl</body></html>")) as server:
        error = failure_of(connect(server.url, password="abc<def>ghijkl"))
    assert error.msg.endswith(f"answered 501: wrong: {MASK}")


def test_words_of_a_server_cannot_steer_a_terminal(connect: Connect) -> None:
    body = "\x1b[2Jok\u202e\r\nall  \tfine\0\u2066".encode()
    with ScriptedServer(answer(501, body=body, headers={"X-Request-Id": "a\x1b[2J"})) as server:
        error = failure_of(connect(server.url))
    assert error.msg.endswith("answered 501: \ufffd[2Jok\ufffd all fine\ufffd\ufffd")
    assert error.request_id == "a\ufffd[2J"


def test_check_of_these_tests() -> None:
    """The search for secrets finds one where it is."""
    for text in (TOKEN, f"x {quote(PASSWORD, safe='')} y", base64.b64encode(f"abcd{TOKEN}".encode()).decode()):
        with pytest.raises(AssertionError):
            assert_silent(FleetError(text), TOKEN, PASSWORD)
    error = FleetError("quiet")
    error.__cause__ = ValueError("anything")
    with pytest.raises(AssertionError):
        assert_silent(error, TOKEN)
    assert NOT_DONE is not None


@pytest.mark.parametrize(
    "body, shown",
    [
        (f'{{"securityToken": "{DEVICE_KEY}", "name": "d1", "na', f'{{"securityToken": "{MASK}", "name": "d1", "na'),
        (f'[{{"security_token":"{DEVICE_KEY}"}}]', f'[{{"security_token":"{MASK}"}}]'),
        (f'{{"password" : "{DEVICE_KEY[:20]}', f'{{"password" : "{MASK}"'),
        (f'{{"apiKey": "a \\"{DEVICE_KEY}\\" b", "n": 1', f'{{"apiKey": "{MASK}", "n": 1'),
        ('{"tokenExpiry": 1795168059492, "n": 1', f'{{"tokenExpiry": "{MASK}", "n": 1'),
        ('{"name": "a token", "n": 1', '{"name": "a token", "n": 1'),
    ],
)
def test_secrets_of_others_in_a_broken_answer_are_not_shown(connect: Connect, body: str, shown: str) -> None:
    with ScriptedServer(default=answer(200, body=body.encode())) as server:
        error = failure_of(connect(server.url, request_retries=0), shape=dict)
    assert isinstance(error, BadAnswer)
    assert error.msg.endswith(f": {shown}")
    assert DEVICE_KEY not in str(error.render())
