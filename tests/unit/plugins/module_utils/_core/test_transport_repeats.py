"""The table of repeats: what happened, times whether the operation reads or writes, over real sockets."""

from __future__ import annotations

import datetime
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core import clock, transport
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AuthFailed,
    BadAnswer,
    CheckModeWrite,
    ConcurrentChange,
    Conflict,
    FleetError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    ServerFault,
    Unreachable,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.multipart import MultipartFile
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import (
    NOT_DONE,
    Failure,
    Rules,
    Transport,
    reads,
    writes,
)
from servers.scripted import (
    ScriptedServer,
    Step,
    Wire,
    answer,
    close_after,
    html,
    nobody_listens,
    redirect,
    reset_after,
    reset_before,
    trickle,
)

from .conftest import Connect

LIST = reads("list things", "GET", "/things")
SEARCH = reads("search things", "POST", "/search")
CREATE = writes("create thing 'a'", "POST", "/things")
THING = {"name": "a"}
FOUND = answer(json=[THING])
NOTHING = answer(json=[])
CREATED = answer(201, json=THING)
CUT = answer(201, body=b'{"name": "a', promised=200)
# after these the server may have carried a write out
AFTER_SENDING = {
    "reset before reading": reset_before(),
    "reset after reading": reset_after(),
    "closed after reading": close_after(),
    "502": html(502),
    "503": answer(503),
    "503 with Retry-After": answer(503, headers={"Retry-After": "0"}),
    "504": answer(504),
    "cut body": CUT,
    "cut to nothing": answer(201, body=b"", promised=200),
    "HTML": html(),
    "empty": answer(201),
    "blank": answer(201, body=b" \n"),
    "wrong type": answer(201, json="done"),
    "null": answer(201, body=b"null"),
    "no JSON": answer(201, body=b"done"),
    "nested beyond reason": answer(201, body=b"[" * 200_000),
    "redirect to nowhere": answer(302),
    "no answer in time": answer(201, json=THING, delay=0.4),
    "no HTTP": answer(201, headers={"X": "\r\n\r\n"}, body=b"\0" * 10, promised=100),
}
SENT = pytest.mark.parametrize("fault", AFTER_SENDING.values(), ids=AFTER_SENDING.keys())
NOT_ACTED = {
    "429": answer(429),
    "429 with seconds": answer(429, headers={"Retry-After": "0"}),
    "429 with a date": answer(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429 with junk": answer(429, headers={"Retry-After": "soon"}),
    "429 with a page": html(429),
}
REFUSED = pytest.mark.parametrize("fault", NOT_ACTED.values(), ids=NOT_ACTED.keys())


def made(server: ScriptedServer) -> int:
    """Return how many times the write arrived."""
    return server.lines.count("POST /things")


def look(transport: Transport) -> Callable[[], Any]:
    """Return a read-back that asks the server."""

    def read_back() -> Any:
        found = transport.send(LIST, shape=list).data
        return found[0] if found else NOT_DONE

    return read_back


# -- somebody else at the same time -----------------------------------------------------------------------------------


def _busy(_failure: Failure) -> FleetError:
    return ConcurrentChange("Cannot create thing 'a': somebody else changes it. (HTTP 409)")


def test_change_by_somebody_else_is_no_reason_to_give_up(connect: Connect) -> None:
    with ScriptedServer(answer(409), NOTHING, answer(409), NOTHING, CREATED) as server:
        client = connect(server.url, rules=Rules(error=_busy))
        assert client.send(CREATE, json=THING, shape=dict, read_back=look(client)).data == THING
        assert made(server) == 3
        assert server.left == 0


def test_what_somebody_else_has_done_is_not_done_again(connect: Connect) -> None:
    with ScriptedServer(answer(409), FOUND) as server:
        client = connect(server.url, rules=Rules(error=_busy))
        assert client.send(CREATE, json=THING, shape=dict, read_back=look(client)).data == THING
        assert made(server) == 1


def test_write_that_cannot_be_read_back_is_not_repeated_after_a_change_by_somebody_else(connect: Connect) -> None:
    with ScriptedServer(answer(409)) as server:
        client = connect(server.url, rules=Rules(error=_busy))
        with pytest.raises(ConcurrentChange):
            client.send(CREATE, json=THING)
        assert made(server) == 1


def test_changes_by_somebody_else_without_end(connect: Connect) -> None:
    with ScriptedServer(*[answer(409), NOTHING] * 2) as server:
        client = connect(server.url, rules=Rules(error=_busy), request_retries=1)
        with pytest.raises(ConcurrentChange, match=r"\(HTTP 409\) 2 tries were made\.$"):
            client.send(CREATE, json=THING, read_back=look(client))
        assert made(server) == 2


# -- after sending ---------------------------------------------------------------------------------------------------


@SENT
@pytest.mark.parametrize("operation", [LIST, SEARCH], ids=["GET", "POST that reads"])
def test_read_is_repeated(connect: Connect, fault: Step, operation: transport.Operation) -> None:
    with ScriptedServer(fault, FOUND) as server:
        client = connect(server.url, request_timeout=0.2, request_retries=3)
        assert client.send(operation, shape=(list, dict)).data in ([THING], THING)
        assert server.left == 0


@SENT
def test_write_that_was_done_is_not_repeated(connect: Connect, fault: Step) -> None:
    with ScriptedServer(fault, FOUND) as server:
        client = connect(server.url, request_timeout=0.2)
        result = client.send(CREATE, json=THING, shape=dict, read_back=look(client))
        assert (result.status, result.data) == (200, THING)
        assert made(server) == (0 if fault is AFTER_SENDING["reset before reading"] else 1)
        assert server.lines.count("GET /things") == 1
        assert server.left == 0


@SENT
def test_write_that_was_not_done_is_repeated_after_several_looks(connect: Connect, fault: Step) -> None:
    slow = fault in (AFTER_SENDING["504"], AFTER_SENDING["no answer in time"])
    looks = len(transport.SETTLE_PAUSES_SLOW if slow else transport.SETTLE_PAUSES)
    assert looks > 1
    with ScriptedServer(fault, *[NOTHING] * looks, CREATED) as server:
        client = connect(server.url, request_timeout=0.2)
        result = client.send(CREATE, json=THING, shape=dict, read_back=look(client))
        assert (result.status, result.data) == (201, THING)
        assert server.lines.count("GET /things") == looks
        assert server.left == 0


@SENT
def test_write_that_is_done_a_little_later_is_seen(connect: Connect, fault: Step) -> None:
    with ScriptedServer(fault, NOTHING, NOTHING, FOUND) as server:
        client = connect(server.url, request_timeout=0.2)
        assert client.send(CREATE, json=THING, shape=dict, read_back=look(client)).data == THING
        assert made(server) <= 1
        assert server.left == 0


@SENT
def test_write_without_a_read_back_is_not_repeated(connect: Connect, fault: Step) -> None:
    with ScriptedServer(fault, CREATED) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url, request_timeout=0.2).send(CREATE, json=THING, shape=dict)
        assert server.left == 1
    assert caught.value.sent
    assert caught.value.msg.startswith("Cannot create thing 'a': ")
    assert caught.value.msg.endswith(" The server may have carried it out: look before you try again.")


def test_read_back_that_is_partly_there_says_so(connect: Connect) -> None:
    def read_back() -> Any:
        raise Conflict("1 of 2 things is there.")

    with ScriptedServer(reset_after(), CREATED) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url).send(CREATE, json=THING, read_back=read_back)
        assert server.left == 1, "nobody knows, so nothing is sent again"
    assert caught.value.msg.endswith(" Reading back whether it was carried out failed too: 1 of 2 things is there.")
    assert isinstance(caught.value.__cause__, Conflict)


def test_server_that_goes_away_for_good_after_a_write(connect: Connect) -> None:
    with ScriptedServer(reset_after(), default=reset_before()) as server:
        client = connect(server.url, request_retries=1)
        with pytest.raises(Unreachable) as caught:
            client.send(CREATE, json=THING, read_back=look(client))
        assert made(server) == 1
    assert "Reading back whether it was carried out failed too: Cannot list things: " in caught.value.msg


def test_time_of_reading_back_does_not_use_up_the_patience(connect: Connect) -> None:
    def read_back() -> Any:
        time.sleep(0.5)
        return NOT_DONE

    with ScriptedServer(reset_after(), CREATED) as server:
        client = connect(server.url, request_timeout=0.3, request_retries=1)
        assert client.send(CREATE, json=THING, read_back=read_back).status == 201


def test_write_that_never_gets_through_says_that_nothing_was_done(connect: Connect) -> None:
    with ScriptedServer(default=answer(503)) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url, request_retries=1).send(CREATE, json=THING, read_back=lambda: NOT_DONE)
        assert made(server) == 2
    assert caught.value.msg.endswith(
        " answered 503. Reading back has shown that it was not carried out. 2 tries were made."
    )


# -- a write that was carried out unseen, between the looks and the repeat ------------------------------------------


@pytest.mark.parametrize(
    "final",
    [answer(409, json={}), answer(400, json={"message": "exists"}), answer(404, json={}), answer(423, json={})],
    ids=["409", "400", "404", "423"],
)
def test_repeat_that_is_refused_because_the_first_try_did_it(connect: Connect, final: Step) -> None:
    looks = len(transport.SETTLE_PAUSES)
    with ScriptedServer(reset_after(), *[NOTHING] * looks, final, FOUND) as server:
        client = connect(server.url)
        result = client.send(CREATE, json=THING, shape=dict, read_back=look(client))
        assert (result.status, result.data) == (200, THING)
        assert server.left == 0


def test_repeat_that_finds_it_gone_because_the_first_try_removed_it(connect: Connect) -> None:
    remove = writes("remove thing", "DELETE", "/things/a")
    looks: list[Any] = [NOT_DONE] * len(transport.SETTLE_PAUSES) + [{}]
    with ScriptedServer(reset_after(), answer(404, json={})) as server:
        result = connect(server.url).send(remove, accept=(404,), read_back=lambda: looks.pop(0))
        assert result.status == 200, "it was this task that removed it"


@pytest.mark.parametrize("last_look", [NOTHING, html(403), reset_after()], ids=["not there", "refused", "broken"])
def test_repeat_that_is_refused_for_another_reason(connect: Connect, last_look: Step) -> None:
    looks = len(transport.SETTLE_PAUSES)
    with ScriptedServer(reset_after(), *[NOTHING] * looks, answer(409, json={}), default=last_look) as server:
        client = connect(server.url, request_retries=1)
        with pytest.raises(Conflict):
            client.send(CREATE, json=THING, read_back=look(client))
        assert made(server) == 2


def test_accepted_answer_of_a_repeat_stays_when_the_read_back_finds_nothing(connect: Connect) -> None:
    with ScriptedServer(reset_after(), answer(404, json={})) as server:
        result = connect(server.url).send(CREATE, json=THING, accept=(404,), read_back=lambda: NOT_DONE)
        assert result.status == 404
        assert made(server) == 2


def test_first_refusal_is_final(connect: Connect) -> None:
    looked: list[int] = []
    with ScriptedServer(answer(409, json={})) as server:
        with pytest.raises(Conflict):
            connect(server.url).send(CREATE, json=THING, read_back=lambda: looked.append(1))
        assert made(server) == 1
    assert not looked


# -- nothing was sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [LIST, CREATE], ids=["read", "write"])
def test_refused_connection_is_tried_again_for_every_operation(
    connect: Connect, operation: transport.Operation
) -> None:
    url = nobody_listens()
    with pytest.raises(Unreachable) as caught:
        connect(url, request_retries=2).send(operation)
    host = re.escape(url.removeprefix("http://"))
    assert not caught.value.sent
    assert re.fullmatch(
        f"Cannot {operation.title}: {host} cannot be reached \\(Failed to establish a new connection: \\[Errno \\d+] "
        "Connection refused\\); check url and the network. 3 tries were made.",
        caught.value.msg,
    )
    assert caught.value.http == {"method": operation.method, "path": "/things", "status": None}


def test_write_goes_through_when_the_server_comes_up(connect: Connect) -> None:
    with ScriptedServer(CREATED) as server:
        port = server.port
    late: list[ScriptedServer] = []

    def start() -> None:
        time.sleep(0.1)
        late.append(ScriptedServer(CREATED, port=port).__enter__())

    thread = threading.Thread(target=start)
    thread.start()
    try:
        client = connect(f"http://127.0.0.1:{port}", request_retries=50)
        assert client.send(CREATE, json=THING).data == THING
    finally:
        thread.join()
        late[0].__exit__(None, None, None)
    assert made(late[0]) == 1


@pytest.mark.parametrize("host", ["127.0.0.1.nip.invalid", "no-such-host.invalid"])
def test_unknown_host(connect: Connect, host: str) -> None:
    with pytest.raises(Unreachable) as caught:
        connect(f"http://{host}", request_retries=0).send(CREATE)
    assert not caught.value.sent
    assert f"{host} cannot be reached (" in caught.value.msg


# -- 429 -------------------------------------------------------------------------------------------------------------


@REFUSED
@pytest.mark.parametrize("operation", [LIST, CREATE], ids=["read", "write"])
def test_rate_limit_is_waited_for_without_reading_back(
    connect: Connect, fault: Step, operation: transport.Operation
) -> None:
    looked: list[int] = []
    with ScriptedServer(fault, fault, FOUND) as server:
        result = connect(server.url).send(operation, read_back=lambda: looked.append(1))
        assert result.data == [THING]
        assert len(server.requests) == 3
    assert not looked


def test_rate_limit_that_lasts(connect: Connect) -> None:
    with ScriptedServer(default=answer(429)) as server:
        with pytest.raises(RateLimited) as caught:
            connect(server.url, request_retries=2).send(CREATE)
        assert len(server.requests) == 3
    assert not caught.value.sent
    host = server.url.removeprefix("http://")
    assert caught.value.msg == (f"Cannot create thing 'a': {host} answered 429, too many requests. 3 tries were made.")


def test_rate_limit_has_a_pause_of_its_own(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RATE_LIMIT_PAUSE", 0.3)
    with ScriptedServer(answer(429), FOUND) as server:
        began = time.monotonic()
        connect(server.url).send(LIST)
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("status, as_date", [(429, True), (503, False)], ids=["429, date", "503, seconds"])
def test_server_gets_the_pause_that_it_asks_for(connect: Connect, status: int, as_date: bool) -> None:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
    asked = format_datetime(moment, usegmt=True) if as_date else "1"
    with ScriptedServer(answer(status, headers={"Retry-After": asked}), FOUND) as server:
        began = time.monotonic()
        connect(server.url).send(LIST)
        # a date has whole seconds
        assert 1 <= time.monotonic() - began < 3


@pytest.mark.parametrize("status", [429, 503])
def test_pause_beyond_all_patience_fails_at_once_and_says_so(connect: Connect, status: int) -> None:
    with ScriptedServer(answer(status, headers={"Retry-After": "3600"})) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            connect(server.url).send(LIST)
        assert time.monotonic() - began < 1
        assert len(server.requests) == 1
    assert caught.value.msg.endswith(" The server asks to wait 3600 seconds, which is longer than this task may take.")
    assert caught.value.details == {"retry_after": 3600.0}


def test_quota_is_final(connect: Connect) -> None:
    def error(failure: Failure) -> FleetError:
        return QuotaExceeded(f"Cannot {failure.operation.title}: {failure.body['message']}", http=failure.http)

    rules = Rules(is_quota=lambda failure: failure.body == {"message": "too many"}, error=error)
    with ScriptedServer(answer(429, json={"message": "too many"}, headers={"Retry-After": "0"})) as server:
        with pytest.raises(QuotaExceeded, match=r"^Cannot create thing 'a': too many$") as caught:
            connect(server.url, rules=rules).send(CREATE)
        assert len(server.requests) == 1
    assert caught.value.status == 429


# -- how often, how long ---------------------------------------------------------------------------------------------


def test_number_of_tries(connect: Connect) -> None:
    with ScriptedServer(default=answer(503)) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url, request_retries=3).send(LIST)
        assert len(server.requests) == 4
    assert caught.value.msg.endswith(" answered 503. 4 tries were made.")
    assert str(caught.value) == caught.value.msg, "what a traceback shows"


def test_no_repeats_when_none_are_wanted(connect: Connect) -> None:
    with ScriptedServer(default=answer(503)) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url, request_retries=0).send(LIST)
        assert len(server.requests) == 1
    assert "tries" not in caught.value.msg


def test_page_that_is_not_the_api_is_only_tried_twice(connect: Connect) -> None:
    with ScriptedServer(default=html()) as server:
        with pytest.raises(BadAnswer):
            connect(server.url, request_retries=5).send(LIST)
        assert len(server.requests) == 2


def test_read_at_which_the_server_fails_is_tried_twice(connect: Connect) -> None:
    with ScriptedServer(answer(500, json={"status": 500}), FOUND) as server:
        assert connect(server.url).send(LIST).data == [THING]
    with ScriptedServer(default=answer(500, json={"status": 500})) as server:
        with pytest.raises(ServerFault) as caught:
            connect(server.url, request_retries=5).send(LIST)
        assert len(server.requests) == 2
    assert (caught.value.status, caught.value.code) == (500, "rejected")


def test_what_the_platform_knows_of_a_failure_is_kept(connect: Connect) -> None:
    def known(failure: Failure) -> FleetError:
        return Rejected("Cannot list things.", message="no", details={"a": 1}, http=failure.http, request_id="r-1")

    with ScriptedServer(default=answer(500)) as server, pytest.raises(ServerFault) as caught:
        connect(server.url, rules=Rules(error=known), request_retries=0).send(LIST)
    assert caught.value.render()["error"] == {
        "code": "rejected", "message": "no", "details": {"a": 1}, "request_id": "r-1",
    }  # fmt: skip


def test_write_at_which_the_server_fails_is_not_sent_again(connect: Connect) -> None:
    with ScriptedServer(answer(500, json={"status": 500})) as server:
        client = connect(server.url)
        with pytest.raises(Rejected):
            client.send(CREATE, json=THING, read_back=look(client))
        assert made(server) == 1


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, Rejected),
        (401, AuthFailed),
        (403, AuthFailed),
        (404, NotFound),
        (409, Conflict),
        (418, Rejected),
    ],
)
def test_every_other_answer_is_final(connect: Connect, status: int, kind: type[FleetError]) -> None:
    with ScriptedServer(answer(status, json={"message": "no"})) as server:
        with pytest.raises(kind) as caught:
            connect(server.url).send(LIST)
        assert len(server.requests) == 1
    assert caught.value.status == status


def test_pauses_grow(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "BACKOFF_FIRST", 0.1)
    with ScriptedServer(default=answer(503)) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            connect(server.url, request_retries=3).send(LIST)
        assert 0.35 <= time.monotonic() - began < 1.5


def test_all_tries_share_one_deadline(connect: Connect) -> None:
    with ScriptedServer(default=answer(json=[], delay=30)) as server:
        client = connect(server.url, request_timeout=0.3, request_retries=2)
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            client.send(LIST)
        assert time.monotonic() - began <= client.connection.patience + 1
    host = server.url.removeprefix("http://")
    assert caught.value.msg == (
        f"Cannot list things: {host} did not finish its answer within 0.9 seconds. 3 tries were made."
    )


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "step",
    [
        trickle(HEAD + b"Content-Length: 1000000\r\n\r\n["),
        trickle(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", b"1\r\n \r\n"),
        trickle(HEAD + b"Connection: close\r\n\r\n["),
        trickle(HEAD + b"X-Endless: ", b"x"),
        trickle(HEAD, b"X-More: x\r\n"),
        trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "until closed", "header", "headers", "continue"],
)
def test_answer_that_never_ends_is_ended(connect: Connect, step: Step) -> None:
    with ScriptedServer(default=step) as server:
        client = connect(server.url, request_timeout=0.3, request_retries=1)
        began = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            client.send(LIST, shape=list)
        assert time.monotonic() - began < 2 * client.connection.patience
    assert caught.value.msg.startswith("Cannot list things: ")


def test_last_silence_is_as_long_as_there_is_time_left(connect: Connect) -> None:
    def step(wire: Wire) -> None:
        wire.read_request()
        wire.server.stopping.wait(0.8)
        wire.send(HEAD + b"Content-Length: 10\r\n\r\n[")
        wire.server.stopping.wait(5)

    with ScriptedServer(step) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable, match=r"did not finish its answer within 1 seconds\.$"):
            connect(server.url, request_timeout=1.0, request_retries=0).send(LIST)
        assert time.monotonic() - began < 1.6, "not a whole second of silence after the first words"


def test_answer_that_is_slow_but_steady_may_take_the_patience(connect: Connect) -> None:
    body = b"[" + b" " * 20 + b"]"

    def step(wire: Any) -> None:
        wire.read_request()
        wire.send(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode())
        for byte in body:
            time.sleep(0.03)
            wire.send(bytes([byte]))

    with ScriptedServer(step) as server:
        # 0.66 seconds in all, which is more than the 0.3 for one silence
        assert connect(server.url, request_timeout=0.3, request_retries=5).send(LIST).data == []


# -- uploads ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return the path of a file of a megabyte."""
    path = tmp_path / "image.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


@pytest.mark.parametrize("fault", [reset_after(), answer(503), answer(429)], ids=["reset", "503", "429"])
def test_upload_starts_anew_with_each_try(connect: Connect, image: Path, fault: Step) -> None:
    with ScriptedServer(fault, CREATED) as server:
        result = connect(server.url).send(
            CREATE, upload=lambda: MultipartFile(str(image), "image.bin"), shape=dict, read_back=lambda: NOT_DONE
        )
        assert result.data == THING
        bodies = [request.body for request in server.requests]
        assert [image.read_bytes() in body for body in bodies] == [True, True]
        for request in server.requests:
            assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
            assert request.body.endswith(f"--{request.headers['content-type'].partition('=')[2]}--\r\n".encode())


def test_upload_of_a_file_that_is_gone(connect: Connect, image: Path) -> None:
    image.unlink()
    with ScriptedServer() as server:
        with pytest.raises(InvalidInput, match="cannot be read"):
            connect(server.url).send(CREATE, upload=lambda: MultipartFile(str(image), "image.bin"))
        assert server.connections == 0


def test_upload_of_a_file_that_changes_never_ends_on_the_wire(connect: Connect, image: Path) -> None:
    class Growing(MultipartFile):
        def read(self, size: int = -1) -> bytes:
            with image.open("ab") as file:
                file.write(b"x")
            return super().read(size)

    with ScriptedServer(CREATED) as server:
        with pytest.raises(InvalidInput, match="changed while it was uploaded"):
            connect(server.url).send(
                CREATE, upload=lambda: Growing(str(image), "image.bin"), read_back=lambda: NOT_DONE
            )
        assert not server.requests, "the server has never had the whole of it"


def test_large_body_gets_time_to_be_stored(connect: Connect, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STORE_RATE", 512 * 1024)
    with ScriptedServer(answer(201, json=THING, delay=0.8)) as server:
        client = connect(server.url, request_timeout=0.3, request_retries=0)
        sent = client.send(CREATE, upload=lambda: MultipartFile(str(image), "image.bin"), shape=dict)
        assert sent.data == THING
        assert len(server.requests) == 1


def test_work_on_many_objects_gets_its_time_in_each_try(connect: Connect) -> None:
    with ScriptedServer(answer(503), answer(201, json=THING, delay=0.8)) as server:
        client = connect(server.url, request_timeout=0.3, request_retries=1)
        sent = client.send(CREATE, json=[THING], shape=dict, read_back=lambda: NOT_DONE, work=10.0)
        assert sent.data == THING
        assert len(server.requests) == 2


def test_time_of_sending_does_not_use_up_the_patience(connect: Connect, image: Path) -> None:
    class Slow(MultipartFile):
        def read(self, size: int = -1) -> bytes:
            time.sleep(0.3)
            return super().read(size)

    with ScriptedServer(answer(503), CREATED) as server:
        client = connect(server.url, request_timeout=0.6, request_retries=1)
        began = time.monotonic()
        client.send(CREATE, upload=lambda: Slow(str(image), "image.bin"), read_back=lambda: NOT_DONE)
        assert time.monotonic() - began > client.connection.patience


# -- check mode ------------------------------------------------------------------------------------------------------


def test_check_mode_sends_no_write(connect: Connect, image: Path) -> None:
    with ScriptedServer(FOUND) as server:
        client = connect(server.url, check_mode=True)
        with pytest.raises(CheckModeWrite) as caught:
            client.send(CREATE, json=THING, read_back=lambda: NOT_DONE)
        with pytest.raises(CheckModeWrite):
            client.send(CREATE, upload=lambda: MultipartFile(str(image), "image.bin"))
        assert server.connections == 0
        assert client.send(LIST).data == [THING]
        assert server.lines == ["GET /things"]
    assert caught.value.msg == "Check mode must not create thing 'a': please report this defect."


# -- kept connections ------------------------------------------------------------------------------------------------


def test_one_connection_serves_all_requests(connect: Connect) -> None:
    with ScriptedServer(default=FOUND) as server:
        client = connect(server.url)
        for _request in range(20):
            client.send(LIST)
            client.send(CREATE, json=THING)
        assert (server.connections, len(server.requests)) == (1, 40)


def test_error_answers_keep_the_connection(connect: Connect) -> None:
    with ScriptedServer(default=answer(404, json={"message": "no"})) as server:
        client = connect(server.url)
        for _request in range(5):
            client.send(LIST, accept=(404,))
        assert server.connections == 1


@pytest.mark.parametrize("wait", [0.0, 0.1], ids=["at once", "after a while"])
def test_read_survives_a_kept_connection_that_the_server_has_dropped(connect: Connect, wait: float) -> None:
    with ScriptedServer(answer(json=[THING], drop=True), answer(json=[THING], drop=True), FOUND) as server:
        client = connect(server.url)
        for _request in range(3):
            assert client.send(LIST).data == [THING]
            time.sleep(wait)


def test_write_on_a_kept_connection_that_breaks_is_read_back(connect: Connect) -> None:
    # the server ends the connection at the moment in which the write comes
    with ScriptedServer(FOUND, reset_before(), *[NOTHING] * 3, CREATED) as server:
        client = connect(server.url)
        client.send(LIST)
        assert client.send(CREATE, json=THING, read_back=look(client)).status == 201
        assert server.lines == ["GET /things"] * 4 + ["POST /things"]


def test_close_ends_the_connections_and_the_transport_can_go_on(connect: Connect) -> None:
    with ScriptedServer(default=FOUND) as server:
        client = connect(server.url)
        client.send(LIST)
        client.close()
        client.close()
        client.send(LIST)
        assert server.connections == 2


# -- threads ---------------------------------------------------------------------------------------------------------


def test_threads_share_one_transport(connect: Connect) -> None:
    def step(wire: Any) -> None:
        request = wire.read_request()
        if request.target == "/flaky" and not request.headers.get("x-seen"):
            wire.server.stopping.wait(0.001)
        body = request.target.encode()
        wire.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: n=%d; Path=/\r\n"
            b'Content-Length: %d\r\n\r\n"%s"' % (len(wire.server.requests), len(body) + 2, body)
        )

    read = reads("read thing", "GET", "/things/{name}")
    with ScriptedServer(default=step) as server:
        client = connect(server.url)
        with ThreadPoolExecutor(16) as pool:
            names = [f"n{number}" for number in range(400)]
            found = list(pool.map(lambda name: client.send(read, values={"name": name}, shape=str).data, names))
        assert found == [f"/things/{name}" for name in names]
        assert server.connections <= 32
        assert not any("cookie" in request.headers for request in server.requests)


def test_threads_that_come_first_at_the_same_time_share_one_session(connect: Connect) -> None:
    for _round in range(5):
        client = connect(nobody_listens())
        barrier = threading.Barrier(16)

        def first(client: Transport = client, barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            return id(client.session)

        with ThreadPoolExecutor(16) as pool:
            assert len({future.result() for future in [pool.submit(first) for _thread in range(16)]}) == 1


def test_threads_do_not_mix_up_what_was_sent(connect: Connect) -> None:
    """A refused connection in one thread must not pass for a sent request because another thread has sent one."""
    away = connect(nobody_listens(), request_retries=0)
    outcomes: list[bool] = []

    def refused() -> None:
        for _round in range(50):
            with pytest.raises(Unreachable) as caught:
                away.send(CREATE)
            outcomes.append(caught.value.sent)

    with ScriptedServer(default=CREATED) as server:
        client = connect(server.url)
        threads = [threading.Thread(target=refused) for _thread in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            client.send(CREATE, json=THING)
        for thread in threads:
            thread.join()
    assert outcomes == [False] * 150


def test_redirected_write_is_not_followed(connect: Connect) -> None:
    for status in (301, 302, 303, 307, 308):
        with ScriptedServer(redirect("/elsewhere", status)) as server:
            with pytest.raises(FleetError):
                connect(server.url).send(CREATE, json=THING, read_back=lambda: NOT_DONE)
            assert server.lines == ["POST /things"]
