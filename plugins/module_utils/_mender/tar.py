# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar archives read member by member from a stream, with nothing believed of them. Private to the collection.

The standard library reads extended headers whole into memory, whatever size they claim, and looks at links. Here is
only what an artifact needs: plain files, one after the other. Facts from POSIX.1-2017 (pax) and the GNU tar manual.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512
STEP = 256 * 1024
# A name or a size that does not fit into a header: a few hundred bytes in an honest archive.
MOST_EXTENDED = 64 * 1024
MOST_MEMBERS = 10_000
MOST_NAME = 4096
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.DIRTYPE: "a folder",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class ArchiveError(ValueError):
    """An archive that is damaged or not to be trusted; the text says what is wrong with it."""


class Source(Protocol):
    """What bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""


@dataclass(frozen=True)
class Member:
    """A file of an archive. Size in bytes."""

    name: str
    size: int


class TarStream:
    """Reads one archive from front to back.

    The stream itself is the content of the present member: C(read) returns nothing at its end.

    Args:
        source: the archive.
        what: what it is, for messages.
        skip: passes over so many bytes of the source and says whether they are there; without it they are read.
    """

    def __init__(self, source: Source, what: str, *, skip: Callable[[int], bool] | None = None) -> None:
        self._source = source
        self._what = what
        self._skip_bytes = skip
        self._left = 0
        self._padding = 0
        self._names: set[str] = set()

    def next(self) -> Member | None:
        """Go to the next member; return None at the end of the archive.

        Raises:
            ArchiveError: the archive is cut off, damaged, or holds something else than plain files.
        """
        self._skip(self._left + self._padding)
        self._left = self._padding = 0
        info = self._header()
        extended: dict[str, str] = {}
        while info is not None and info.type in (b"x", b"g", b"L"):
            if info.size > MOST_EXTENDED:
                raise ArchiveError(f"{self._what} has an extended header of {info.size} bytes")
            data = self._exactly(info.size)
            self._exactly(-info.size % BLOCK)
            if info.type == b"L":
                extended["path"] = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif info.type == b"x":
                extended.update(_records(data, self._what))
            info = self._header()
        if info is None:
            if extended:
                raise ArchiveError(f"{self._what} ends after an extended header")
            return None
        return self._enter(info, extended)

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes of the present member."""
        wanted = min(size, self._left)
        if wanted <= 0:
            return b""
        data = self._source.read(wanted)
        if not data:
            raise ArchiveError(f"{self._what} is cut off")
        self._left -= len(data)
        return data

    def read_all(self, most: int) -> bytes:
        """Return what is left of the present member.

        Raises:
            ArchiveError: that is more than C(most) bytes.
        """
        if self._left > most:
            raise ArchiveError(f"{self._what} holds a file of {self._left} bytes where {most} are the most")
        data = self._exactly(self._left)
        self._left = 0
        return data

    def _enter(self, info: tarfile.TarInfo, extended: dict[str, str]) -> Member:
        name = extended.get("path", info.name)
        shown = quoted(name)
        if info.type not in _PLAIN or any(key.startswith("GNU.sparse") for key in extended):
            kind = _KINDS.get(info.type, "no plain file")
            raise ArchiveError(f"{self._what} holds {shown}, which is {kind}")
        try:
            size = int(extended.get("size", info.size))
        except ValueError:
            size = -1
        if size < 0:
            raise ArchiveError(f"{self._what} holds {shown} with a size that is none")
        check_name(name, self._what)
        if name in self._names:
            raise ArchiveError(f"{self._what} holds {shown} twice")
        self._names.add(name)
        if len(self._names) > MOST_MEMBERS:
            raise ArchiveError(f"{self._what} holds more than {MOST_MEMBERS} files")
        self._left, self._padding = size, -size % BLOCK
        return Member(name, size)

    def _header(self) -> tarfile.TarInfo | None:
        block = self._exactly(BLOCK)
        if not any(block):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise ArchiveError(f"{self._what} is no tar archive, or damaged") from None

    def _skip(self, count: int) -> None:
        if self._skip_bytes is not None and count:
            if not self._skip_bytes(count):
                raise ArchiveError(f"{self._what} is cut off")
            return
        while count:
            data = self._source.read(min(count, STEP))
            if not data:
                raise ArchiveError(f"{self._what} is cut off")
            count -= len(data)

    def _exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0:
            data = self._source.read(min(count, STEP))
            if not data:
                raise ArchiveError(f"{self._what} is cut off")
            parts.append(data)
            count -= len(data)
        return b"".join(parts)


def check_name(name: str, what: str) -> None:
    """Refuse a name that could lead somewhere else when it is used as a path.

    Raises:
        ArchiveError: it is absolute, has empty or dotted parts, control characters, or bytes that are no UTF-8.
    """
    usable = name.isprintable() and len(name) <= MOST_NAME and "\\" not in name
    if not usable or any(part in ("", ".", "..") for part in name.split("/")):
        raise ArchiveError(f"{what} holds a file named {quoted(name)}")


def quoted(name: str) -> str:
    """Return a name out of an archive for a message: in ASCII and not too long."""
    text = ascii(name)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _records(data: bytes, what: str) -> dict[str, str]:
    """Return the records of a pax header that matter."""
    found = {}
    while data.strip(b"\0"):
        match = re.match(rb"([1-9][0-9]{0,5}) ([^=]+)=", data)
        length = int(match[1]) if match else 0
        if match is None or length <= match.end() or len(data) < length or data[length - 1 : length] != b"\n":
            raise ArchiveError(f"{what} has an extended header that is damaged")
        key = match[2].decode("utf-8", "replace")
        if key in ("path", "size") or key.startswith("GNU.sparse"):
            found[key] = data[match.end() : length - 1].decode("utf-8", "surrogateescape")
        data = data[length:]
    return found
