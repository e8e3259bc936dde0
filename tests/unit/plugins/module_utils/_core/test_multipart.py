"""The streamed upload: what a parser reads back, files that change underneath, memory."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import BodyPartReader, MultipartReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.multipart import BLOCK, MultipartFile

GIB = 1024**3


def whole(body: MultipartFile) -> bytes:
    """Return all bytes of a body, read as http.client does."""
    blocks = []
    while block := body.read(16384):
        blocks.append(block)
    return b"".join(blocks)


def parse(data: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
    """Return the parts of a body: the parameters of Content-Disposition, and the content."""

    async def read() -> list[tuple[dict[str, str], bytes]]:
        loop = asyncio.get_running_loop()
        stream = StreamReader(BaseProtocol(loop), limit=2**30, loop=loop)
        stream.feed_data(data)
        stream.feed_eof()
        parts = []
        async for part in MultipartReader({"Content-Type": content_type}, stream):
            assert isinstance(part, BodyPartReader)
            found = {"name": part.name or "", **({"filename": part.filename} if part.filename else {})}
            parts.append((found, bytes(await part.read())))
        return parts

    return asyncio.run(read())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file of two and a half blocks."""
    path = tmp_path / "image.bin"
    path.write_bytes(os.urandom(BLOCK * 5 // 2))
    return path


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_parser_reads_back_what_was_sent(tmp_path: Path, size: int) -> None:
    path = tmp_path / "image.bin"
    path.write_bytes(os.urandom(size))
    with MultipartFile(str(path), "image.bin", {"description": "größer\r\n--x", "md5sum": ""}, part="artifact") as body:
        data = whole(body)
        assert len(body) == len(data)
    assert parse(data, body.content_type) == [
        ({"name": "description"}, "größer\r\n--x".encode()),
        ({"name": "md5sum"}, b""),
        ({"name": "artifact", "filename": "image.bin"}, path.read_bytes()),
    ]


def test_name_that_would_break_out_of_its_header(file: Path) -> None:
    with MultipartFile(str(file), 'a"; name="x\r\nX-Evil: 1\r\n\r\nü.bin') as body:
        head = body.read()
    assert head.count(b"\r\n") == 4
    assert 'filename="a%22; name=%22x%0D%0AX-Evil: 1%0D%0A%0D%0Aü.bin"'.encode() in head


def test_body_is_never_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with MultipartFile(str(path), "empty") as body:
        assert body
        assert len(whole(body)) == len(body)
        assert body.read() == b"", "the end stays the end"


def test_file_is_closed(file: Path) -> None:
    with MultipartFile(str(file), "image.bin") as body:
        body.read()
    with pytest.raises(ValueError, match="closed"):
        body.read()


def read_up_to(body: MultipartFile, size: int) -> None:
    """Read that many bytes of the file at least."""
    body.read()
    while size > 0:
        size -= len(body.read())


@pytest.mark.parametrize("position", [0, BLOCK, BLOCK * 5 // 2], ids=["at the start", "in the middle", "at the end"])
@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_file_that_changes_is_an_error(file: Path, change: str, position: int) -> None:
    before = file.stat()
    with MultipartFile(str(file), "image.bin") as body:
        read_up_to(body, position)
        with file.open("r+b") as writing:
            if change == "grow":
                writing.seek(0, os.SEEK_END)
                writing.write(b"more")
            elif change == "shrink":
                writing.truncate(before.st_size - 1)
            else:
                writing.write(b"other")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        with pytest.raises(InvalidInput) as caught:
            whole(body)
    assert caught.value.msg == f"'{file}' changed while it was uploaded: upload it when it is complete."


def test_empty_file_that_grows_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with MultipartFile(str(path), "empty") as body:
        body.read()
        path.write_bytes(b"x")
        with pytest.raises(InvalidInput, match="changed while it was uploaded"):
            whole(body)


def test_replaced_file_is_sent_as_it_was(file: Path, tmp_path: Path) -> None:
    old = file.read_bytes()
    with MultipartFile(str(file), "image.bin") as body:
        body.read()
        new = tmp_path / "new"
        new.write_bytes(b"x")
        new.replace(file)
        assert whole(body).startswith(old)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InvalidInput) as caught:
            MultipartFile(str(path), "x")
        assert caught.value.msg == f"'{path}' cannot be read ({why}): give the path of a readable file."


def test_file_that_breaks_while_it_is_read() -> None:
    with MultipartFile("/proc/self/mem", "x") as body:
        # this file has no size, so it is given one; its first page cannot be read
        body._left = 10
        body.read()
        with pytest.raises(InvalidInput, match=r"'/proc/self/mem' cannot be read \(Input/output error\)"):
            body.read()


def test_file_name_that_is_no_text(file: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        MultipartFile(str(file), "a\udcff.bin")
    assert caught.value.msg == "file name 'a\\udcff.bin' is not UTF-8: rename the file."


@contextlib.contextmanager
def counting_server() -> Iterator[str]:
    """Run a server that counts the bytes of bodies and keeps none; give its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            left = size = int(self.headers["Content-Length"])
            buffer = bytearray(1024 * 1024)
            while left:
                left -= self.rfile.readinto(memoryview(buffer)[: min(left, len(buffer))])
            answer = json.dumps({"size": size}).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


MEASURE = """
import resource, sys, threading
sys.path[:0] = [{collections!r}, {tests!r}]
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
from ansible_collections.fleet.deploy.plugins.module_utils._core.multipart import MultipartFile
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Transport, writes
transport = Transport(Connection({url!r}, username="a", password="b"))
upload = lambda path: transport.send(
    writes("upload", "POST", "/upload"), upload=lambda: MultipartFile(path, "image"), shape=dict
)
upload({small!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = upload({large!r}).data["size"]
print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_flat_for_a_gibibyte(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    with large.open("wb") as sparse:
        sparse.truncate(GIB)
    with counting_server() as url:
        program = MEASURE.format(
            collections=os.environ["ANSIBLE_COLLECTIONS_PATH"],
            tests=str(Path(__file__).parents[4]),
            url=url,
            small=str(small),
            large=str(large),
        )
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    size, kibibytes = map(int, run.stdout.split())
    with MultipartFile(str(large), "image") as body:
        assert size == len(body)
    assert kibibytes < 8 * 1024
