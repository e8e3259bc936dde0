"""A server for tests that does to each request what a script says, also what no HTTP library would do.

It speaks HTTP/1.1 by hand over raw sockets: it can reset a connection before it has read the request or after it has,
end a body early, drip one byte at a time, drop a kept connection. It records what arrived.

    with ScriptedServer(answer(503), answer(json=[])) as server:
        ...
        assert [request.line for request in server.requests] == ["GET /a", "GET /a"]
"""

from __future__ import annotations

import contextlib
import dataclasses
import json as jsonlib
import select
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

PATIENCE = 20.0
"""Seconds after which the server gives up on a connection, so that a test that hangs ends."""


@dataclasses.dataclass(frozen=True)
class Arrived:
    """One request as it arrived. `connection` counts the connections from 1."""

    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """Method and target."""
        return f"{self.method} {self.target}"

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return jsonlib.loads(self.body)


class Wire:
    """One accepted connection, for the steps of a script."""

    def __init__(self, server: ScriptedServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.socket = sock
        self.number = number
        self._buffer = b""

    def wait_for_bytes(self) -> bool:
        """Wait until something can be read and say whether it is more than the end."""
        if self._buffer:
            return True
        if isinstance(self.socket, ssl.SSLSocket):
            self._buffer = self.socket.recv(65536)
            return bool(self._buffer)
        while not select.select([self.socket], [], [], 0.1)[0]:
            if self.server.stopping.is_set():
                return False
        return bool(self.socket.recv(1, socket.MSG_PEEK))

    def read_request(self) -> Arrived:
        """Read a request whole and record it."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        arrived = Arrived(self.number, method, target, headers, body)
        self.server.requests.append(arrived)
        return arrived

    def _more(self) -> None:
        block = self.socket.recv(65536)
        if not block:
            raise ConnectionError("the client went away")
        self._buffer += block

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end()

    def end(self) -> None:
        """Close the connection, for TLS without a word of farewell."""
        # not SSLSocket.shutdown: it would change to plain text
        with contextlib.suppress(OSError):
            socket.socket.close(self.socket)
        raise _Over

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on, as behind a proxy's CONNECT."""
        self.socket = sock = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        try:
            sock.do_handshake()
        except OSError:
            # the alert must arrive: closing with unread bytes would overtake it with RST
            socket.socket.shutdown(sock, socket.SHUT_WR)
            while socket.socket.recv(sock, 65536):
                pass
            raise


class _Over(Exception):
    """The connection has ended as the script wanted."""


Step = Callable[[Wire], None]
"""What to do with the next request of a connection, from before it is read."""


def answer(
    status: int = 200,
    *,
    json: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    delay: float = 0.0,
    promised: int | None = None,
    drop: bool = False,
) -> Step:
    """Return a step that answers.

    Args:
        status: of the answer.
        json: the body as JSON; `body` has precedence, without both it is empty.
        body: the body as it is.
        headers: in addition to Content-Type and Content-Length.
        delay: seconds before the answer.
        promised: Content-Length where it is not the body's; the connection ends after the body then.
        drop: whether to close the connection afterwards without having said so.
    """
    data = answer_bytes(status, json=json, body=body, headers=headers, promised=promised)

    def step(wire: Wire) -> None:
        wire.read_request()
        wire.server.stopping.wait(delay)
        wire.send(data)
        if drop or promised is not None:
            wire.end()

    return step


def answer_bytes(
    status: int = 200,
    *,
    json: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    promised: int | None = None,
) -> bytes:
    """Return an answer as it goes over the wire; see `answer`."""
    content = body if body is not None else b"" if json is None else jsonlib.dumps(json).encode()
    kind = "application/json" if body is None else "text/plain"
    lines = {"Content-Type": kind, "Content-Length": str(len(content) if promised is None else promised)}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **(headers or {})}.items())
    return f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode("latin-1") + content


def html(status: int = 200, text: str = "<html><head><title>Sign in</title></head><body>Please</body></html>") -> Step:
    """Return a step that answers with a page."""
    return answer(status, body=text.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def redirect(location: str, status: int = 302) -> Step:
    """Return a step that answers with a redirect."""
    return answer(status, headers={"Location": location})


def reset_before() -> Step:
    """Return a step that resets the connection with the request unread."""

    def step(wire: Wire) -> None:
        wire.wait_for_bytes()
        wire.reset()

    return step


def reset_after() -> Step:
    """Return a step that reads the request and resets the connection."""

    def step(wire: Wire) -> None:
        wire.read_request()
        wire.reset()

    return step


def close_after() -> Step:
    """Return a step that reads the request and closes the connection."""

    def step(wire: Wire) -> None:
        wire.read_request()
        wire.end()

    return step


def trickle(head: bytes, drop: bytes = b" ", interval: float = 0.02) -> Step:
    """Return a step that sends `head` and then `drop` again and again without end."""

    def step(wire: Wire) -> None:
        wire.read_request()
        wire.send(head)
        while not wire.server.stopping.wait(interval):
            wire.send(drop)
        wire.end()

    return step


def raw(data: bytes) -> Step:
    """Return a step that reads the request, sends bytes and closes."""

    def step(wire: Wire) -> None:
        wire.read_request()
        wire.send(data)
        wire.end()

    return step


class ScriptedServer:
    """Listens on loopback. Its steps are used up one by one; `default`, if there is one, serves all further requests.

    Args:
        steps: what happens to the requests, in the order in which the server comes to them.
        default: what happens to all others; without it they are answered with 599 and noted as `surprises`.
        tls: speak TLS with this context.
        port: where to listen; a free one by default.
    """

    def __init__(
        self, *steps: Step, default: Step | None = None, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.requests: list[Arrived] = []
        self.connections = 0
        self.handshake_failures = 0
        self.surprises = 0
        self.stopping = threading.Event()
        self._steps = deque(steps)
        self._default = default
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[Wire] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]

    def then(self, *steps: Step) -> None:
        """Add steps to the script."""
        self._steps.extend(steps)

    @property
    def url(self) -> str:
        """Base address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """Method and target of each request."""
        return [request.line for request in self.requests]

    @property
    def left(self) -> int:
        """How many steps have not been used."""
        return len(self._steps)

    def __enter__(self) -> ScriptedServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        with self._lock:
            sockets = [self._listener, *(wire.socket for wire in self._open)]
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        wire = Wire(self, sock, number)
        with self._lock:
            if self.stopping.is_set():
                sock.close()
                return
            self._open.add(wire)
        try:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                try:
                    wire.start_tls(self._tls)
                except OSError:
                    self.handshake_failures += 1
                    return
            while not self.stopping.is_set() and wire.wait_for_bytes():
                self._next()(wire)
        except (_Over, OSError):
            pass
        finally:
            with self._lock:
                self._open.discard(wire)
            wire.socket.close()

    def _next(self) -> Step:
        with self._lock:
            if self._steps:
                return self._steps.popleft()
        if self._default:
            return self._default
        self.surprises += 1
        return answer(599, body=b"the script has no such request")


def nobody_listens() -> str:
    """Return a base address at which connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return f"http://127.0.0.1:{port}"
