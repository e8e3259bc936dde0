# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The compressions of Mender artifacts, read block by block. Private to the collection.

A decompressor never returns more than it is asked for, so that a few bytes that stand for many gigabytes do no harm.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from .._core.errors import Unsupported
from .tar import ArchiveError, Source

SUFFIXES = {"": "none", ".gz": "gzip", ".xz": "lzma", ".zst": "zstd"}
STEP = 64 * 1024
# What liblzma may take: its strongest preset needs 65 MiB.
MOST_MEMORY = 96 * 1024 * 1024


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """The decompressor of zlib with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        result = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(result) < max_length
        return result


class Inflated:
    """A source with the uncompressed bytes of another one.

    Args:
        source: the compressed bytes.
        new: makes a decompressor.
        faults: what it raises.
        what: what it is, for messages.
    """

    def __init__(
        self, source: Source, new: Callable[[], _Decompressor], faults: tuple[type[Exception], ...], what: str
    ) -> None:
        self._source = source
        self._new = new
        self._faults = faults
        self._what = what
        self._inner: _Decompressor | None = None

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""
        while True:
            if self._inner is None or self._inner.eof:
                # several streams may follow each other
                data = (self._inner.unused_data if self._inner else b"") or self._source.read(STEP)
                if not data:
                    if self._inner is None:
                        raise ArchiveError(f"{self._what} is empty")
                    return b""
                self._inner = self._new()
            else:
                data = self._source.read(STEP) if self._inner.needs_input else b""
                if not data and self._inner.needs_input:
                    raise ArchiveError(f"{self._what} is cut off")
            try:
                result = self._inner.decompress(data, size)
            except self._faults:
                raise ArchiveError(f"{self._what} is damaged: it cannot be decompressed") from None
            if result:
                return result


def compression_of(name: str, stem: str) -> str | None:
    """Return the compression of an archive by its name.

    Args:
        name: such as C(header.tar.gz).
        stem: such as C(header.tar).

    Returns:
        C(none), C(gzip), C(lzma) or C(zstd); None when it is not called so.
    """
    return SUFFIXES.get(name[len(stem) :]) if name.startswith(stem) else None


def inflated(source: Source, compression: str, what: str) -> Source:
    """Return a source of the uncompressed bytes.

    Args:
        source: the compressed bytes.
        compression: as C(compression_of) names it.
        what: what it is, for messages.

    Raises:
        Unsupported: this Python cannot read it.
    """
    if compression == "none":
        return source
    if compression == "gzip":
        return Inflated(source, _Gzip, (zlib.error,), what)
    if compression == "lzma":
        try:
            import lzma
        except ImportError:
            raise _missing("lzma", "Install a Python with the module lzma") from None
        return Inflated(
            source,
            lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MOST_MEMORY),
            (lzma.LZMAError, EOFError),
            what,
        )
    new, fault = _zstd()
    return Inflated(source, new, (fault, EOFError), what)


def _zstd() -> tuple[Callable[[], _Decompressor], type[Exception]]:
    """Return what Python 3.14 has of zstd, or its library for older ones."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            zstd: Any = importlib.import_module(name)
        except ImportError:
            continue
        return zstd.ZstdDecompressor, zstd.ZstdError
    raise _missing("zstd", "Use Python 3.14 or newer, or install the library backports.zstd for this one")


def _missing(compression: str, remedy: str) -> Unsupported:
    return Unsupported(
        f"The artifact is compressed with {compression}, which {sys.executable} cannot read. {remedy}, or make the "
        "artifact with --compression gzip."
    )
