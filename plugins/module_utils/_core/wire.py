# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What requests and urllib3 do not tell: whether a request went out, and an end to an answer that never ends.

The exceptions of a broken connection do not say for certain whether the server has got the request: urllib3 1.26
calls a reset that came after it "cannot connect to proxy", and TLS fails in the middle of a connection with the same
words as in its handshake. So the connection itself takes note. Private to the collection.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from .clock import Deadline

if TYPE_CHECKING:
    import requests


class Passage:
    """One request on its way.

    Args:
        deadline: when its answer must have ended; put off by the time that the sending of the request takes.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.sent = False
        """Whether a part of the request may have reached the server."""
        self._sending_since = 0.0

    def begin(self) -> None:
        """Take note that the first byte goes out now."""
        self.sent = True
        self._sending_since = time.monotonic()

    def end(self) -> None:
        """Take note that the last byte has gone out."""
        self.deadline.extend(time.monotonic() - self._sending_since)


class _Here(threading.local):
    """The request that this thread is sending: a session belongs to all threads of a task."""

    passage = Passage(Deadline(None))


_HERE = _Here()


def new_passage(deadline: Deadline) -> Passage:
    """Return the notes about the request that this thread sends next."""
    _HERE.passage = Passage(deadline)
    return _HERE.passage


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline.

    The timeout of a socket starts anew with each byte: a drop a second would keep an answer open for ever.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._raw = raw
        self._socket = sock
        self._deadline = deadline
        self._pace = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.remaining()
        if left <= 0:
            raise socket.timeout("timed out")
        if self._pace is None or left < self._pace:
            self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, _HERE.passage.deadline), 64 * 1024)


class _WatchedConnection(http.client.HTTPConnection):
    """Mixed into the connections of urllib3."""

    response_class = _TimedResponse

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        # http.client would connect in here: what fails until then has not been sent
        if self.sock is None:
            self.connect()
        _HERE.passage.begin()
        super().endheaders(*args, **kwargs)

    def getresponse(self) -> http.client.HTTPResponse:
        _HERE.passage.end()
        return super().getresponse()


def watched_session() -> requests.Session:
    """Return a session that takes note of its requests, keeps no cookies and does not look at redirects.

    Raises:
        ImportError: requests is missing.
    """
    import requests
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            _watch(self.poolmanager)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            _watch(manager)
            return manager

    class Session(requests.Session):
        def resolve_redirects(self, *_args: Any, **_kwargs: Any) -> Any:
            # requests prepares the next request even where redirects are not to be followed: it reads the whole body
            # for that, and fails on an address that is none
            return iter(())

    session = Session()
    session.mount("https://", Adapter())
    session.mount("http://", Adapter())
    # each request logs in by itself, and the cookie jar of requests is not safe among threads
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _watch(manager: Any) -> None:
    """Let a pool manager of urllib3 make watched connections."""
    manager.pool_classes_by_scheme = {
        scheme: pool if issubclass(pool.ConnectionCls, _WatchedConnection) else _watched(pool)
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _watched(pool: Any) -> Any:
    connection = type("WatchedConnection", (_WatchedConnection, pool.ConnectionCls), {})
    return type("WatchedPool", (pool,), {"ConnectionCls": connection})
