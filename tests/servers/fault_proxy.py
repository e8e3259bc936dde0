"""A proxy on loopback that records the wire and breaks things on purpose.

It passes every request on to one server. `inject()` makes it break some of them; `wire` lists what went by.
Other processes reach the same under /__proxy__/: GET and DELETE wire, GET, POST and DELETE faults.
As a program: `python -m servers.fault_proxy http://127.0.0.1:8080`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import re
import socket
import ssl
import struct
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import trustme
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from servers._loop import LoopThread
from servers._process import end_signal

__all__ = ["FAULTS", "REFUSALS", "Fault", "FaultProxy", "Record"]

CAP = 64 * 1024
READS = frozenset({"GET", "HEAD", "OPTIONS"})
CONTROL = "/__proxy__/"
DELIVERY_CHECKS = 1000
DELIVERY_SECONDS = 0.005
# RFC 9110, 7.6.1: these belong to one connection and are not passed on. Expect was answered here.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>\n"
LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Please sign in</form></body></html>\n"
QUOTA = {
    "exceptionClass": "org.eclipse.hawkbit.repository.exception.AssignmentQuotaExceededException",
    "errorCode": "hawkbit.server.error.quota.tooManyEntries",
    "message": "Quota exceeded: Cannot assign 1 more entities. The maximum is 1.",
}

# Every fault with its options and their defaults. `acted`: whether the server gets the request first.
FAULTS: dict[str, dict[str, Any]] = {
    "reset_before": {},
    "reset_after": {},
    "429_empty": {},
    "429_retry_after_seconds": {"seconds": 1},
    "429_retry_after_date": {"seconds": 1},
    "429_quota": {"status": 429},
    "502": {"acted": False},
    "503": {"acted": False},
    "504": {"acted": False},
    "cut_body": {},
    "html": {},
    "empty": {},
    "wrong_type": {},
    "slow": {"delay": 5.0},
}
# What makes a server refuse a request. "altered" changes the request on its way, so that the server's own answer comes
# back: another method, path, query, body, other headers (null removes one), or the whole request twice, of which the
# client sees the second answer. "answer" makes up what this server cannot be brought to say.
REFUSALS: dict[str, dict[str, Any]] = {
    "altered": {"as_method": None, "as_path": None, "query": None, "body": None, "headers": {}, "twice": False},
    "answer": {"status": 409, "body": {}},
}
# Faults without the option that always let the server act.
ALWAYS_ACTED = frozenset({"reset_after", "cut_body", "html", "empty", "wrong_type", "slow"})


class Body:
    """A body that went by: never more than the first 64 KiB of it are kept, the rest is counted and hashed."""

    def __init__(self) -> None:
        self.length = 0
        self._kept = bytearray()
        self._hash = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        """Take note of the next bytes."""
        self.length += len(chunk)
        self._hash.update(chunk)
        self._kept += chunk[: max(0, CAP - len(self._kept))]

    @property
    def kept(self) -> bytes:
        """The first 64 KiB as they went by."""
        return bytes(self._kept)

    @property
    def sha256(self) -> str:
        """Hash of all bytes so far, in hex."""
        return self._hash.hexdigest()

    def __str__(self) -> str:
        """The text; "<N bytes, sha256 …>" for what is not UTF-8 text; both for text over 64 KiB."""
        summary = f"<{self.length} bytes, sha256 {self.sha256}>"
        cut = self.length > CAP
        try:
            # The cap may fall into the middle of a character.
            text = bytes(self._kept).decode("utf-8", "ignore" if cut else "strict")
        except UnicodeDecodeError:
            return summary
        if "\0" in text or (cut and len(text.encode()) < CAP - 3):
            return summary
        return f"{text}… {summary}" if cut else text


@dataclasses.dataclass
class Record:
    """One request as it went by. `status` is what the client got, None for a broken connection.

    `server_status` is what the server said, None if it was not asked (`acted` is False then). `path` and
    `query` are percent-encoded as sent. Headers hold no credentials; `auth` is the scheme that was used.
    `server_headers` are those of the server's answer, the last of each name.
    """

    n: int
    time: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    auth: str | None
    fault: str | None = None
    acted: bool = False
    status: int | None = None
    server_status: int | None = None
    server_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    request: Body = dataclasses.field(default_factory=Body)
    response: Body = dataclasses.field(default_factory=Body)

    @property
    def request_body(self) -> str:
        """Text of the request's body, see `Body`."""
        return str(self.request)

    @property
    def response_body(self) -> str:
        """Text of the body that the client got, see `Body`."""
        return str(self.response)

    @property
    def is_write(self) -> bool:
        """Whether the method is anything but GET, HEAD, OPTIONS."""
        return self.method not in READS

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON."""
        plain = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("request", "response")
        }
        return plain | {
            "request_body": self.request_body,
            "request_length": self.request.length,
            "request_sha256": self.request.sha256,
            "response_body": self.response_body,
        }


@dataclasses.dataclass
class Fault:
    """One rule: which requests are broken, and how. `times` None means for ever; `hits` counts what it broke."""

    fault: str
    method: str | None = None
    path: str | None = None
    writes: bool = False
    times: int | None = 1
    skip: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    hits: int = 0

    def __post_init__(self) -> None:
        known = {**FAULTS, **REFUSALS}
        if self.fault not in known:
            raise ValueError(f"no such fault: {self.fault!r}; there are {', '.join(known)}")
        unknown = set(self.options) - set(known[self.fault])
        if unknown:
            raise ValueError(f"fault {self.fault} has no option {', '.join(sorted(unknown))}")
        self.options = known[self.fault] | self.options
        if self.path is not None:
            re.compile(self.path)

    @property
    def acted(self) -> bool:
        """Whether the server gets the request before it is broken."""
        return bool(self.options.get("acted", self.fault in ALWAYS_ACTED))

    def takes(self, record: Record) -> bool:
        """Whether this rule breaks the request; counts it if so."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.method is not None and self.method.upper() != record.method:
            return False
        if self.writes and not record.is_write:
            return False
        if self.path is not None and not re.search(self.path, record.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclasses.dataclass
class _Answer:
    """What is sent to the client when it is not the server's own answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def _answer(rule: Fault) -> _Answer | None:
    """The made-up answer of a fault; None for the faults that have none."""
    name, options = rule.fault, rule.options
    if name == "answer":
        text = json.dumps(options["body"]).encode() if options["body"] else b""
        return _Answer(options["status"], text, {"Content-Type": "application/json"} if text else {})
    html = {"Content-Type": "text/html; charset=utf-8"}
    json_type = {"Content-Type": "application/json"}
    if name == "429_empty":
        return _Answer(429)
    if name == "429_retry_after_seconds":
        return _Answer(429, headers={"Retry-After": str(options["seconds"])})
    if name == "429_retry_after_date":
        # A date has whole seconds: one more, so that it is never less than was asked for.
        moment = formatdate(int(time.time()) + 1 + options["seconds"], usegmt=True)
        return _Answer(429, headers={"Retry-After": moment})
    if name == "429_quota":
        return _Answer(options["status"], json.dumps(QUOTA).encode(), json_type)
    if name in ("502", "503", "504"):
        reason = {"502": "Bad Gateway", "503": "Service Temporarily Unavailable", "504": "Gateway Time-out"}[name]
        return _Answer(int(name), GATEWAY_PAGE.format(f"{name} {reason}").encode(), html)
    if name == "html":
        return _Answer(200, LOGIN_PAGE.encode(), html)
    if name == "empty":
        return _Answer(200, b"", json_type)
    if name == "wrong_type":
        return _Answer(200, b'"done"', json_type)
    return None


class FaultProxy:
    """Stands in front of the server at `target_url`; runs in a background thread between `start()` and `stop()`.

    `tls=True` serves HTTPS with a certificate of an authority that nobody knows: its certificate is at `ca_path`.
    """

    def __init__(self, target_url: str, *, tls: bool = False, port: int = 0) -> None:
        self.target_url = target_url.rstrip("/")
        self.tls = tls
        self.port = port
        self.wire: list[Record] = []
        self.faults: list[Fault] = []
        self._count = 0
        self._thread: LoopThread | None = None
        self._runner: web.ServerRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    # -- what tests use ------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Address of the proxy, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_path(self) -> Path:
        """PEM file of the authority that signed the certificate (only with `tls`, while it runs)."""
        if self._folder is None:
            raise RuntimeError("only a running proxy with tls=True has a certificate")
        return Path(self._folder.name, "ca.pem")

    @property
    def writes(self) -> list[Record]:
        """The recorded requests that may change something: all but GET, HEAD and OPTIONS."""
        return [record for record in self.wire if record.is_write]

    def clear(self) -> None:
        """Forget the recorded wire; faults stay."""
        self.wire = []

    def heal(self) -> None:
        """Remove all faults."""
        self.faults = []

    def inject(
        self,
        fault: str,
        method: str | None = None,
        path: str | None = None,
        writes: bool = False,
        times: int | None = 1,
        skip: int = 0,
        **options: Any,
    ) -> Fault:
        """Break the next requests that match, `times` of them (None: all), after letting `skip` of them pass.

        `path` is a regular expression that is searched in the encoded path. Rules are tried in the order in which
        they were injected. Returns the rule, whose `hits` tells how often it was used.
        Raises ValueError for an unknown fault or option, see FAULTS.
        """
        rule = Fault(fault, method, path, writes, times, skip, options)
        self.faults = [*self.faults, rule]
        return rule

    def start(self) -> FaultProxy:
        """Start it; it answers when this returns."""
        if self._thread is None:
            self._thread = LoopThread("fault-proxy")
            try:
                self._thread.call(self._open(), timeout=30)
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self) -> None:
        """Stop it. Calling it again does nothing; the recorded wire stays."""
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                self._thread.call(self._close(), timeout=10)
            self._thread.stop()
            self._thread = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> FaultProxy:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- server --------------------------------------------------------------------------------------------

    def _certificate(self) -> ssl.SSLContext:
        self._folder = tempfile.TemporaryDirectory(prefix="fleet-deploy-proxy-")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_path))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context

    async def _open(self) -> None:
        # One connection a request: a connection that the server dropped meanwhile must not look like a fault.
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.2)
        await self._runner.setup()
        context = self._certificate() if self.tls else None
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await self._control(request)
        path, query = request.raw_path.partition("?")[::2]
        scheme = request.headers.get("Authorization", "").partition(" ")[0]
        self._count += 1
        record = Record(
            n=self._count,
            time=time.time(),
            method=request.method,
            path=path,
            query=query,
            headers={name: value for name, value in request.headers.items() if name.lower() not in SECRET_HEADERS},
            auth=scheme or None,
        )
        self.wire.append(record)
        rule = next((rule for rule in self.faults if rule.takes(record)), None)
        try:
            if rule is None:
                return await self._pass_on(request, record)
            record.fault = rule.fault
            return await self._break(request, record, rule)
        except aiohttp.ClientConnectorError as error:
            record.acted, record.status = False, 502
            return web.Response(status=502, text=f"fault proxy: {self.target_url} cannot be reached: {error}\n")
        except (aiohttp.ClientError, ConnectionError):
            # The server or the client broke the connection: the other side sees the same.
            record.status = None
            await _reset(request)
            return web.Response()

    @contextlib.asynccontextmanager
    async def _upstream(
        self, request: web.BaseRequest, record: Record, altered: Mapping[str, Any] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The server's answer to the request, whose body streams through unless it is replaced."""
        assert self._client is not None

        async def body() -> AsyncIterator[bytes]:
            async for chunk in request.content.iter_any():
                record.request.add(chunk)
                yield chunk

        record.acted = True
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP
        )
        data: Any = body() if request.can_read_body else None
        method, address = request.method, request.raw_path
        if altered is not None:
            method, address = altered["as_method"] or method, _address(address, altered)
            for name, value in altered["headers"].items():
                headers.popall(name, None)
                if value is not None:
                    headers[name] = value
            if altered["body"] is not None:
                # what the client has sent is what is recorded
                if not record.request.length:
                    record.request.add(await request.read())
                headers.popall("Content-Length", None)
                data = altered["body"].encode()
        async with self._client.request(
            method,
            URL(self.target_url + address, encoded=True),
            headers=headers,
            data=data,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            record.server_status = answer.status
            record.server_headers = {k: v for k, v in answer.headers.items() if k.lower() not in SECRET_HEADERS}
            yield answer

    async def _pass_on(
        self,
        request: web.BaseRequest,
        record: Record,
        delay: float = 0.0,
        altered: Mapping[str, Any] | None = None,
    ) -> web.StreamResponse:
        async with self._upstream(request, record, altered) as answer:
            await asyncio.sleep(delay)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer))
            record.status = answer.status
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                record.response.add(chunk)
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _break(self, request: web.BaseRequest, record: Record, rule: Fault) -> web.StreamResponse:
        if rule.fault == "altered":
            altered = rule.options
            if altered["twice"]:
                altered = {**altered, "body": (await request.read()).decode()}
                async with self._upstream(request, record, altered):
                    pass
            return await self._pass_on(request, record, altered=altered)
        if rule.fault == "slow":
            return await self._pass_on(request, record, rule.options["delay"])
        if rule.fault == "reset_before":
            async for chunk in request.content.iter_any():
                record.request.add(chunk)
                if record.request.length >= CAP:
                    break
            await _reset(request)
            return web.Response()
        status, reason, headers, body = 0, "", CIMultiDict[str](), b""
        if rule.acted:
            async with self._upstream(request, record) as answer:
                body = await answer.read()
                status, reason, headers = answer.status, answer.reason or "", _end_to_end(answer)
        else:
            async for chunk in request.content.iter_any():
                record.request.add(chunk)
        made_up = _answer(rule)
        if made_up is not None:
            record.status = made_up.status
            record.response.add(made_up.body)
            return web.Response(status=made_up.status, body=made_up.body, headers=made_up.headers)
        if rule.fault == "cut_body":
            headers["Content-Length"] = str(len(body))
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1")
            # An answer without a body is cut in the middle of its head.
            part = head + body[: len(body) // 2] if body else head[: len(head) // 2]
            record.status = status if body else None
            record.response.add(body[: len(body) // 2])
            await _reset(request, part)
        else:
            await _reset(request)
        return web.Response()

    # -- control by HTTP -----------------------------------------------------------------------------------

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        what = (request.method, request.path.removeprefix(CONTROL))
        if what == ("GET", "wire"):
            return web.json_response([record.as_dict() for record in self.wire])
        if what == ("DELETE", "wire"):
            self.clear()
        elif what == ("GET", "faults"):
            return web.json_response([dataclasses.asdict(rule) for rule in self.faults])
        elif what == ("DELETE", "faults"):
            self.heal()
        elif what == ("POST", "faults"):
            try:
                self.inject(**await request.json())
            except (TypeError, ValueError) as error:
                return web.Response(status=400, text=f"{error}\n")
        else:
            return web.Response(status=404, text=f"no {what[0]} of {request.path}\n")
        return web.Response(status=204)


def _end_to_end(answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP)


def _address(address: str, altered: Mapping[str, Any]) -> str:
    path, query = address.partition("?")[::2]
    path, query = altered["as_path"] or path, query if altered["query"] is None else altered["query"]
    return f"{path}?{query}" if query else path


async def _reset(request: web.BaseRequest, part: bytes = b"") -> None:
    """Break the client's connection with a TCP reset, after `part` has reached it."""
    transport = request.transport
    if transport is None:
        return
    wire: socket.socket = transport.get_extra_info("socket")
    if part:
        transport.write(part)
        # A reset throws away what is not yet delivered; a client that never reads is not waited for.
        for _dummy in range(DELIVERY_CHECKS):
            if not transport.get_write_buffer_size() and not _unsent(wire):
                break
            await asyncio.sleep(DELIVERY_SECONDS)
    # Linger of zero seconds: close() then sends RST instead of FIN.
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _unsent(wire: socket.socket) -> int:
    """Bytes that the other side has not acknowledged."""
    answer = fcntl.ioctl(wire.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    unsent: int = struct.unpack("i", answer)[0]
    return unsent


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the text above."""
    parser = argparse.ArgumentParser(prog="python -m servers.fault_proxy", description="A proxy that breaks things.")
    parser.add_argument("target", help="address of the server behind it")
    parser.add_argument("--port", type=int, default=0, help="port on loopback (default: a free one)")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with a certificate that nobody trusts")
    options = parser.parse_args(arguments)
    told = end_signal()
    with FaultProxy(options.target, tls=options.tls, port=options.port) as proxy:
        about = {"url": proxy.url, "ca_path": str(proxy.ca_path) if proxy.tls else None}
        print(json.dumps(about), flush=True)
        told.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
