"""Files behind presigned links: parts, resumption, renewal, and that credentials stay where they belong."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.download import LinkedFile, link_secrets
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    BadAnswer,
    FleetError,
    InvalidInput,
    NotFound,
    Unreachable,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Text, Transport, reads
from servers.scripted import ScriptedServer, Step, answer, close_after, html, nobody_listens, redirect, reset_after

from .conftest import Connect

DATA = bytes(range(256)) * 4
SIGNATURE = "f" * 32


def part(start: int, data: bytes = DATA, stop: int | None = None, **options: Any) -> Step:
    """Return a step that answers with a part of the file."""
    body = data[start:stop]
    content = {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(data)}", "ETag": '"tag"'}
    return answer(206, body=body, headers=content, **options)


Make = Callable[..., tuple[LinkedFile, list[str]]]


@pytest.fixture
def make(connect: Connect) -> Make:
    """Return a function that makes a file behind links to a storage; it counts the links."""

    def linked(storage: ScriptedServer | str, **options: Any) -> tuple[LinkedFile, list[str]]:
        base = storage if isinstance(storage, str) else storage.url
        platform: Transport = connect("http://platform.example.com", token="a-long-Token", **options)
        links: list[str] = []

        def link() -> str:
            links.append(f"{base}/bucket/a%20b?X-Expires=900&X-Signature={SIGNATURE}{len(links)}")
            return links[-1]

        return LinkedFile(platform, "download thing 'x'", link), links

    return linked


def fetch(file: LinkedFile, there: bytes = b"", size: int | None = len(DATA)) -> bytes:
    """Download into memory; return what is there then."""
    target = io.BytesIO(there)
    file.download(target, size, "/dest")
    return target.getvalue()


def test_link_is_used_as_it_is_and_gets_no_credentials(make: Make) -> None:
    with ScriptedServer(answer(200, body=DATA)) as storage:
        file, links = make(storage)
        assert fetch(file) == DATA
        [request] = storage.requests
        assert f"{storage.url}{request.target}" == links[0]
        assert {"authorization", "range", "cookie"}.isdisjoint(request.headers)
        assert (request.headers["accept"], request.headers["accept-encoding"]) == ("*/*", "identity")


def test_links_are_known_as_secrets(make: Make) -> None:
    with ScriptedServer(answer(200, body=DATA)) as storage:
        file, links = make(storage)
        fetch(file)
        shown = file._platform.redactor.clean(f"{links[0]} and {links[0].partition('?')[2]} and {SIGNATURE}0")
    assert shown == "******** and ******** and ********"


def test_whole_file_that_is_there_is_not_asked_for(make: Make) -> None:
    with ScriptedServer() as storage:
        file, links = make(storage)
        assert fetch(file, DATA) == DATA
        assert (storage.requests, links) == ([], [])


@pytest.mark.parametrize(
    "broken, there",
    [(answer(200, body=DATA[:100], promised=len(DATA)), 0), (reset_after(), 100), (close_after(), 100)],
    ids=["cut", "reset", "closed"],
)
def test_broken_download_goes_on_where_it_was(make: Make, broken: Step, there: int) -> None:
    with ScriptedServer(broken, default=part(100)) as storage:
        file, links = make(storage)
        assert fetch(file, DATA[:there]) == DATA
        assert storage.requests[-1].headers["range"] == "bytes=100-"
        assert len(links) == 1


def test_unknown_size_ends_with_the_answer(make: Make) -> None:
    with ScriptedServer(answer(200, body=DATA)) as storage:
        assert fetch(make(storage)[0], size=None) == DATA
    end = answer(416, headers={"Content-Range": f"bytes */{len(DATA)}"})
    with ScriptedServer(end) as storage:
        assert fetch(make(storage)[0], DATA, size=None) == DATA


def test_tries_are_counted_from_the_last_that_brought_something(make: Make) -> None:
    steps = [part(start, stop=start + 10, promised=len(DATA) - start) for start in range(0, 100, 10)]
    with ScriptedServer(*steps, part(100)) as storage:
        assert fetch(make(storage, request_retries=1)[0]) == DATA
        assert storage.requests[1].headers["if-range"] == '"tag"'
    with ScriptedServer(default=reset_after()) as storage:
        with pytest.raises(Unreachable, match="Cannot download thing 'x': the connection to 127"):
            fetch(make(storage, request_retries=2)[0])
        assert len(storage.requests) == 3


def test_file_that_has_changed_is_sent_from_its_beginning(make: Make) -> None:
    with ScriptedServer(part(0, stop=50, promised=len(DATA)), answer(200, body=DATA[::-1])) as storage:
        assert fetch(make(storage)[0]) == DATA[::-1]


def test_what_is_too_long_is_thrown_away(make: Make) -> None:
    refused = answer(416, headers={"Content-Range": f"bytes */{len(DATA)}"})
    with ScriptedServer(refused, answer(200, body=DATA)) as storage:
        assert fetch(make(storage)[0], DATA + b"more") == DATA


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_refused_link_is_renewed(make: Make, status: int) -> None:
    with ScriptedServer(answer(status, body=b"<Error/>"), answer(status), answer(200, body=DATA)) as storage:
        file, links = make(storage)
        assert fetch(file) == DATA
        assert len(links) == 3
    with ScriptedServer(default=answer(status)) as storage:
        file, links = make(storage)
        with pytest.raises(NotFound, match=rf"the storage refuses the link .*\(HTTP {status}\)"):
            fetch(file)
        assert len(links) == 3


@pytest.mark.parametrize("status, again", [(502, True), (503, True), (429, True), (500, True), (409, False)])
def test_other_errors_of_the_storage(make: Make, status: int, again: bool) -> None:
    with ScriptedServer(answer(status, headers={"Retry-After": "0"}), answer(200, body=DATA)) as storage:
        file, _links = make(storage)
        if again:
            assert fetch(file) == DATA
        else:
            with pytest.raises(FleetError, match=f"answered {status}"):
                fetch(file)


def test_storage_that_wants_to_be_left_alone_for_long(make: Make) -> None:
    with ScriptedServer(answer(503, headers={"Retry-After": "100000"})) as storage:
        with pytest.raises(Unreachable, match="answered 503"):
            fetch(make(storage)[0])
        assert len(storage.requests) == 1


def test_storage_that_is_not_there(make: Make) -> None:
    with pytest.raises(Unreachable) as caught:
        fetch(make(nobody_listens(), request_retries=0)[0])
    assert "cannot be reached" in str(caught.value)
    assert SIGNATURE not in str(caught.value.render())


def test_too_much_and_too_little_are_errors(make: Make) -> None:
    for body in (DATA + b"x", DATA[:-1]):
        with (
            ScriptedServer(answer(200, body=body)) as storage,
            pytest.raises(BadAnswer, match="bytes came, but it has"),
        ):
            fetch(make(storage)[0])


def test_another_part_than_asked_for_is_an_error(make: Make) -> None:
    for step in (part(5), answer(206, body=DATA[10:])):
        with ScriptedServer(step) as storage, pytest.raises(BadAnswer, match="another part than was asked for"):
            fetch(make(storage)[0], DATA[:10])


def test_redirect_of_the_storage_is_followed(make: Make) -> None:
    with (
        ScriptedServer(answer(200, body=DATA)) as other,
        ScriptedServer(redirect(f"{other.url}/there", 307)) as storage,
    ):
        assert fetch(make(storage)[0]) == DATA
        assert other.lines == ["GET /there"]
        assert "authorization" not in other.requests[0].headers


def test_part_of_a_file(make: Make) -> None:
    with ScriptedServer(part(10, stop=20), part(1000, stop=None), answer(416), answer(200, body=DATA)) as storage:
        file, links = make(storage)
        assert file.read(10, 10) == DATA[10:20]
        assert file.read(1000, 100) == DATA[1000:]
        assert file.read(2000, 100) == b""
        # a storage without ranges
        assert file.read(10, 10) == DATA[10:20]
        assert storage.requests[0].headers["range"] == "bytes=10-19"
        assert len(links) == 1
        file.close()


def test_part_that_is_cut_off_is_asked_for_again(make: Make) -> None:
    with ScriptedServer(part(10, stop=15, promised=10), part(10, stop=20)) as storage:
        assert make(storage)[0].read(10, 10) == DATA[10:20]


def test_disk_that_is_full_is_said(make: Make) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(28, "No space left on device")

    with ScriptedServer(answer(200, body=DATA)) as storage, pytest.raises(InvalidInput) as caught:
        make(storage)[0].download(Full(), len(DATA), "/dest")
    assert str(caught.value) == (
        "'/dest' cannot be written (No space left on device): make room, or give another path."
    )


@pytest.mark.parametrize("link", ["", "x", "ftp://h/x", "https://u:p@h/x", "http://h:0/x", "http://[", "http://h:x/"])
def test_links_that_are_none(connect: Connect, link: str) -> None:
    file = LinkedFile(connect("http://platform.example.com"), "download thing 'x'", lambda: link)
    with pytest.raises(BadAnswer, match="the server gave a link that is none"):
        fetch(file)


def test_secrets_of_a_link() -> None:
    assert link_secrets(f"https://h/p?a=short&b={SIGNATURE}") == [f"a=short&b={SIGNATURE}", SIGNATURE]
    assert link_secrets("https://h/p") == [""]


# -- what the transport has for this ---------------------------------------------------------------------------

READ = reads("read thing", "GET", "/thing")


def test_text_is_no_json(connect: Connect) -> None:
    with ScriptedServer(answer(200, body=b' "a" \n'), default=answer(200, body=b"  ")) as server:
        client = connect(server.url, request_retries=0)
        assert client.send(READ, shape=Text).data == '"a"'
        with pytest.raises(BadAnswer, match="answered 200 with an empty body"):
            client.send(READ, shape=Text)
    with ScriptedServer(html(), answer(400, json={"a": 1})) as server:
        client = connect(server.url, request_retries=0)
        with pytest.raises(BadAnswer, match="HTML instead of text"):
            client.send(READ, shape=Text)
        assert client.send(READ, shape=Text, accept=(400,)).data == {"a": 1}


def test_lists_in_a_query_repeat_their_name(connect: Connect) -> None:
    with ScriptedServer(answer(200)) as server:
        connect(server.url).send(READ, query={"name": ["a", "ü&"], "page": 1, "none": None})
        assert server.lines == ["GET /thing?name=a&name=%C3%BC%26&page=1"]
