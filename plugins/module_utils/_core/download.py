# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files behind presigned links: read in parts, or downloaded and resumed where a connection broke. Private.

A presigned link is a secret that ends after some minutes. It leads to a storage that has its own address and gets no
credentials of the platform. Ranges are those of RFC 9110 14.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qsl, urlsplit

from .clock import backoff
from .errors import BadAnswer, FleetError, InvalidInput, NotFound, Unreachable
from .transport import Operation, Transport, reads

if TYPE_CHECKING:
    import requests

BLOCK = 256 * 1024
# How a storage answers to a link that has expired, or that it does not know: 400 and 403 S3, 401 and 403 Azure.
EXPIRED = frozenset({400, 401, 403, 404, 410})
# A fresh link that is refused once may have met a clock that is wrong by a moment.
MOST_RENEWALS = 2
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}


class LinkedFile:
    """A file that is fetched through links, each of which may expire.

    Args:
        transport: the platform's; its redactor learns the links, its credentials stay with it.
        title: verb and object, such as C(download artifact 'x').
        link: returns a fresh link.
    """

    def __init__(self, transport: Transport, title: str, link: Callable[[], str]) -> None:
        self._platform = transport
        self._operation: Operation = reads(title, "GET", "/")
        self._new_link = link
        self._storage: Transport | None = None
        self._path = ""
        self._query = ""
        self._etag: str | None = None
        # whether this try has brought something: the count of tries starts anew then
        self._progressed = False

    def read(self, start: int, count: int) -> bytes:
        """Return a part of the file, shorter at its end.

        Args:
            start: offset of the first byte.
            count: how many bytes.

        Raises:
            FleetError: the storage cannot be reached, or does not give the file.
        """
        parts: list[bytes] = []

        def fetch() -> None:
            parts.clear()
            left = count
            for block in self._blocks(start, start + count):
                parts.append(block[:left])
                left -= len(parts[-1])
                if left <= 0:
                    break

        self._repeat(fetch)
        return b"".join(parts)

    def download(self, file: BinaryIO, size: int | None, path: str) -> None:
        """Write the file, from where C(file) ends on, until it is whole.

        Args:
            file: open for reading and writing; what it holds is the beginning of the file.
            size: of the whole file in bytes, None when unknown.
            path: its name for messages.

        Raises:
            FleetError: the storage cannot be reached, or does not give the file; what has come stays in C(file).
            InvalidInput: the disk does not take it.
        """

        def fetch() -> None:
            with _disk(path):
                start = file.seek(0, 2)
            if size is not None and start == size:
                return
            for block in self._blocks(start, None, lambda: _empty(file, path)):
                with _disk(path):
                    file.write(block)
                    file.flush()
                self._progressed = True

        self._repeat(fetch)
        with _disk(path):
            there = file.seek(0, 2)
        if size is not None and there != size:
            raise BadAnswer(f"Cannot {self._operation.title}: {there} bytes came, but it has {size}.", transient=False)

    def close(self) -> None:
        """Close the connections to the storage."""
        if self._storage is not None:
            self._storage.close()
            self._storage = None

    def _repeat(self, fetch: Callable[[], None]) -> None:
        tries = renewals = 0
        while True:
            self._progressed = False
            try:
                fetch()
                return
            except _Expired as error:
                renewals = 1 if self._progressed else renewals + 1
                self.close()
                if renewals > MOST_RENEWALS:
                    raise NotFound(
                        f"Cannot {self._operation.title}: the storage refuses the link that the server has just made "
                        f"(HTTP {error.status}).",
                        http=error.http,
                    ) from None
            except Unreachable as error:
                tries = 1 if self._progressed else tries + 1
                if not error.transient or tries > self._platform.connection.request_retries:
                    raise
                asked = error.details.get("retry_after")
                if asked is not None and asked > self._platform.connection.patience:
                    raise
                time.sleep(backoff(tries, asked))

    def _blocks(self, start: int, stop: int | None, restart: Callable[[], None] | None = None) -> Iterator[bytes]:
        """Yield the file from an offset on; C(restart) is called when the storage sends it from its beginning."""
        headers = dict(HEADERS)
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if self._etag and start:
                headers["If-Range"] = self._etag
        storage = self._storage or self._connect()
        with storage.open(
            self._operation, self._path, self._query, headers=headers, accept={*EXPIRED, 416}
        ) as response:
            status = response.status_code
            if status == 416:
                # there is nothing at that offset: the end, or a beginning that belongs to another file
                length = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
                if restart is not None and not (length and int(length[1]) == start):
                    restart()
                    raise Unreachable(f"Cannot {self._operation.title}: what was there is longer than the file.")
                return
            if status in EXPIRED:
                raise _Expired("The link has expired.", http={"method": "GET", "path": None, "status": status})
            self._etag = _strong(response.headers.get("ETag")) or self._etag
            skip = 0
            if status == 206:
                found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
                if found is None or int(found[1]) != start:
                    raise BadAnswer(
                        f"Cannot {self._operation.title}: the storage sent another part than was asked for.",
                        transient=False,
                    )
            elif start and restart is not None:
                restart()
            elif start:
                skip = start
            yield from self._body(response, skip)

    def _body(self, response: requests.Response, skip: int) -> Iterator[bytes]:
        came = 0
        raw = response.raw
        # what has come of a block counts also when the rest does not; urllib3 1.26 returns that from read
        read = getattr(raw, "read1", raw.read)
        for block in iter(lambda: read(BLOCK, decode_content=False), b""):
            came += len(block)
            passed = min(skip, len(block))
            skip -= passed
            if block[passed:]:
                yield block[passed:]
        promised = response.headers.get("Content-Length", "")
        if promised.isdigit() and came < int(promised):
            raise Unreachable(f"Cannot {self._operation.title}: the connection broke after {came} of {promised} bytes.")

    def _connect(self) -> Transport:
        """Make the transport of a fresh link."""
        link = self._new_link()
        self._platform.redactor.add(link)
        try:
            self._platform.redactor.add(*link_secrets(link))
            parts = urlsplit(link)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            parts, usable = urlsplit(""), False
        if not usable or "@" in parts.netloc:
            raise BadAnswer(f"Cannot {self._operation.title}: the server gave a link that is none.", transient=False)
        connection = replace(
            self._platform.connection,
            url=f"{parts.scheme}://{parts.netloc}",
            username=None,
            password=None,
            token=None,
            client_cert=None,
            client_key=None,
        )
        self._path, self._query = parts.path or "/", parts.query
        self._storage = Transport(
            connection, check_mode=self._platform.check_mode, redactor=self._platform.redactor, headers=HEADERS
        )
        return self._storage


class _Expired(FleetError):
    """The storage does not accept the link, or not any more."""


def link_secrets(link: str) -> list[str]:
    """Return what in a presigned link must not be seen: its query and the long values in it.

    Raises:
        ValueError: it is no link.
    """
    query = urlsplit(link).query
    return [query, *(value for _name, value in parse_qsl(query) if len(value) >= 16)]


def _strong(etag: str | None) -> str | None:
    return etag if etag and etag.startswith('"') else None


def _empty(file: BinaryIO, path: str) -> None:
    with _disk(path):
        file.seek(0)
        file.truncate()


@contextlib.contextmanager
def _disk(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"'{path}' cannot be written ({error.strerror}): make room, or give another path.") from None
