# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a Mender artifact (a C(.mender) file) says of itself. Private to the collection.

All that matters stands in the first kilobytes. Nothing is unpacked to disk, and nothing in the file is believed: names,
sizes, order and checksums are looked at. Facts from Mender's documents "artifact format" of versions 1, 2 and 3.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import InvalidInput
from .compression import compression_of, inflated
from .tar import BLOCK, ArchiveError, Member, Source, TarStream, quoted

VERSIONS = (1, 2, 3)
# What an artifact holds before its payload, in this order.
ORDER = ("version", "manifest", "manifest.sig", "manifest-augment", "header.tar", "header-augment.tar", "data")
MOST_VERSION = 4 * 1024
MOST_MANIFEST = 4 * 1024 * 1024
MOST_JSON = 1024 * 1024
# State scripts included. An honest header has a few kilobytes.
MOST_HEADER = 64 * 1024 * 1024
# How much of a payload is decompressed to learn the sizes of its files.
MOST_LOOKED_AT = 16 * 1024 * 1024
STEP = 256 * 1024
_SUM = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")
_HEADER = re.compile(r"headers/([0-9]{4})/(.+)")
_DATA = re.compile(r"data/([0-9]{4})\.tar")


@dataclass(frozen=True)
class PayloadFile:
    """A file of a payload; size in bytes, None when it was not looked at; sha256 in lower-case hex, None if untold."""

    name: str
    sha256: str | None
    size: int | None = None


@dataclass(frozen=True)
class Payload:
    """One update of an artifact; C(type) is None for an artifact without payload."""

    type: str | None
    files: tuple[PayloadFile, ...] = ()
    meta_data: Any = None


@dataclass(frozen=True)
class ArtifactFile:
    """What an artifact says of itself.

    C(provides) and C(depends) are those of the artifact and of its payloads together, as the server merges them.
    C(checksums) are of the version, the header and the files, by name, C(signature) is the sha256 of the signature:
    both are equal for the very same file only.
    """

    version: int
    name: str
    device_types: tuple[str, ...]
    payloads: tuple[Payload, ...]
    provides: Mapping[str, str] = field(default_factory=dict)
    depends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clears: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)
    signature: str | None = None

    @property
    def signed(self) -> bool:
        """Whether it bears a signature. Whose, and whether it is valid, is not looked at."""
        return self.signature is not None

    @property
    def files(self) -> tuple[PayloadFile, ...]:
        """The files of all payloads."""
        return tuple(file for payload in self.payloads for file in payload.files)


def read_artifact(path: str, option: str = "src") -> ArtifactFile:
    """Return what a file says of itself, from its headers.

    Args:
        path: the file.
        option: where the path comes from, for messages.

    Raises:
        InvalidInput: it cannot be read, or is no artifact.
        Unsupported: this Python cannot read its compression.
    """
    return _read_path(path, option, verify=False)


def verify_artifact(path: str, option: str = "dest") -> ArtifactFile:
    """Return what a file says of itself, after reading it whole and comparing the checksums of its files.

    Raises:
        InvalidInput: it cannot be read, is no artifact, or is damaged.
        Unsupported: this Python cannot read its compression.
    """
    return _read_path(path, option, verify=True)


def read_head(source: Source) -> ArtifactFile:
    """Return what an artifact says of itself, without the sizes of its files: reads no further than its headers.

    Raises:
        ArchiveError: it is no artifact.
        Unsupported: this Python cannot read its compression.
    """
    return _Reader(TarStream(source, "it")).head()


def check_file(path: str, option: str = "src") -> int:
    """Return the size of an ordinary file with content, in bytes.

    Raises:
        InvalidInput: it is something else, or is not there.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, option, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"{option} is '{path}', which is a folder: give a file.")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"{option} is '{path}', which is not an ordinary file: give a file.")
    if status.st_size == 0:
        raise InvalidInput(f"{option} is '{path}', which is empty: give a file with content.")
    return status.st_size


def checksum(path: str, option: str = "src") -> str:
    """Return the sha256 of a file in lower-case hex.

    Raises:
        InvalidInput: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(STEP), b""):
                digest.update(block)
    except OSError as error:
        raise _unreadable(path, option, error) from None
    return digest.hexdigest()


def _read_path(path: str, option: str, *, verify: bool) -> ArtifactFile:
    length = check_file(path, option)
    try:
        with open(path, "rb") as file:

            def skip(count: int) -> bool:
                return file.seek(count, os.SEEK_CUR) <= length

            if length < BLOCK:
                raise ArchiveError("it is no tar archive, or is cut off")
            return _Reader(TarStream(file, "it", skip=skip)).whole(verify=verify)
    except OSError as error:
        raise _unreadable(path, option, error) from None
    except ArchiveError as error:
        raise InvalidInput(
            f"{option} is '{path}', which is not a usable Mender artifact: {error}. Give a .mender file as "
            "mender-artifact writes it."
        ) from None


def _unreadable(path: str, option: str, error: Exception) -> InvalidInput:
    words = getattr(error, "strerror", None) or error
    return InvalidInput(
        f"{option} is '{path}', which cannot be read ({words}): give a file on the host where the module runs, usually "
        "the controller."
    )


class _Hashed:
    """A source that takes the sha256 of what is read from it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        return data

    def finish(self) -> str:
        """Return the checksum of the source whole, its rest included."""
        while self.read(STEP):
            pass
        return self._digest.hexdigest()


class _Limited:
    """A source that must not have more than so many bytes."""

    def __init__(self, source: Source, most: int, what: str) -> None:
        self._source = source
        self._left = most
        self._what = what

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(f"{self._what} is much larger than any that is needed")
        return data


class _Bucket:
    """What the header says of one payload."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.meta_data: Any = None
        self.names: list[str] | None = None
        self.sums: dict[str, str] = {}


class _Header:
    """An archive of headers, read."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.buckets: dict[int, _Bucket] = {}
        self.scripts: list[str] = []


class _Reader:
    """Reads one artifact, member by member.

    Args:
        tar: the artifact.
    """

    def __init__(self, tar: TarStream) -> None:
        self._tar = tar
        self._version = 0
        self._manifest: dict[str, str] = {}
        self._checksums: dict[str, str] = {}
        self._signature: str | None = None
        self._header: _Header | None = None
        self._augment = _Header()

    def head(self) -> ArtifactFile:
        """Read up to the payload."""
        self._up_to_data()
        return self._artifact({})

    def whole(self, *, verify: bool) -> ArtifactFile:
        """Read to the end; C(verify): also what is in the payload."""
        member = self._up_to_data()
        sizes: dict[str, int] = {}
        there: list[int] = []
        files = self._payload_files()
        while member is not None:
            match = _DATA.match(member.name)
            number = int(match[1]) if match else -1
            compression = compression_of(member.name, match[0]) if match else None
            if compression is None or number not in files:
                raise ArchiveError(f"it holds {quoted(member.name)}, which its header does not tell of")
            if there and number <= there[-1]:
                raise ArchiveError(f"it holds {quoted(member.name)} out of order")
            there.append(number)
            sizes.update(self._data(number, files[number], compression, verify=verify))
            member = self._tar.next()
        missing = [number for number, names in files.items() if names and number not in there]
        if missing:
            raise ArchiveError(f"its payload data/{missing[0]:04} is missing")
        return self._artifact(sizes)

    # -- before the payload ------------------------------------------------------------------------------------

    def _up_to_data(self) -> Member | None:
        last = -1
        member = self._tar.next()
        while member is not None:
            stem = "data" if member.name.startswith("data/") else re.sub(r"(\.tar)(\.\w+)?$", r"\1", member.name)
            if stem not in ORDER:
                raise ArchiveError(f"it holds {quoted(member.name)}, which does not belong there")
            rank = ORDER.index(stem)
            if (last < 0 and rank != 0) or rank <= last:
                raise ArchiveError(f"it holds {quoted(member.name)} out of order")
            if stem == "data":
                break
            self._member(member, stem)
            last = rank
            member = self._tar.next()
        if self._header is None:
            raise ArchiveError("it has no header" if self._version else "it has no version")
        return member

    def _member(self, member: Member, stem: str) -> None:
        if stem == "version":
            data = self._tar.read_all(MOST_VERSION)
            self._read_version(data)
            self._checksums["version"] = hashlib.sha256(data).hexdigest()
            return
        if (self._version == 1 and stem.startswith("manifest")) or (self._version < 3 and stem.endswith("-augment")):
            raise ArchiveError(f"it holds {stem}, which its version {self._version} does not have")
        if stem in ("manifest", "manifest-augment"):
            self._read_manifest(self._tar.read_all(MOST_MANIFEST), stem)
        elif stem == "manifest.sig":
            self._signature = hashlib.sha256(self._tar.read_all(MOST_VERSION)).hexdigest()
        else:
            self._read_header(member, stem)

    def _read_version(self, data: bytes) -> None:
        content = _json(data, "version")
        if not isinstance(content, dict) or content.get("format") != "mender":
            raise ArchiveError("its version does not say that it is in Mender's format")
        version = content.get("version")
        if version not in VERSIONS or isinstance(version, bool):
            raise ArchiveError(f"it is of version {quoted(str(version))}, and only 1, 2 and 3 are known")
        self._version = int(version)

    def _read_manifest(self, data: bytes, what: str) -> None:
        for line in _text(data, what).splitlines():
            match = _SUM.fullmatch(line)
            if match is None:
                raise ArchiveError(f"its {what} is damaged")
            if match[2] in self._manifest:
                raise ArchiveError(f"its {what} names {quoted(match[2])} twice")
            self._manifest[match[2]] = match[1]

    def _read_header(self, member: Member, stem: str) -> None:
        if self._version > 1 and not self._manifest:
            raise ArchiveError("it has no manifest")
        compression = compression_of(member.name, stem)
        if compression is None:
            raise ArchiveError(f"it holds {quoted(member.name)}, whose compression is not known")
        what = f"its {stem}"
        hashed = _Hashed(self._tar)
        header = _read_headers(_Limited(inflated(hashed, compression, what), MOST_HEADER, what), what)
        self._checksums[member.name] = hashed.finish()
        if stem == "header-augment.tar":
            self._augment = header
        else:
            self._header = header
        if self._version == 1:
            return
        for name in ("version", member.name):
            if self._manifest.get(name) != self._checksums[name]:
                raise ArchiveError(f"the checksum of its {quoted(name)[1:-1]} is not what its manifest says")

    # -- the payload -------------------------------------------------------------------------------------------

    def _payload_files(self) -> dict[int, dict[str, str | None]]:
        """Return the checksums of each payload's files, by name."""
        header = self._header or _Header()
        files: dict[int, dict[str, str | None]] = {number: {} for number in range(len(self._types()))}
        for number, bucket in header.buckets.items():
            if number not in files:
                raise ArchiveError(f"its header has a part {number:04}, for which there is no payload")
            if self._version == 1:
                files[number] = {name: bucket.sums.get(name) for name in bucket.names or []}
        for name, sha256 in self._manifest.items():
            if name.startswith("data/"):
                number_text, _slash, file = name[5:].partition("/")
                if not re.fullmatch(r"[0-9]{4}", number_text) or int(number_text) not in files or not file:
                    raise ArchiveError(f"its manifest names {quoted(name)}, for which there is no payload")
                files[int(number_text)][file] = sha256
        for number, bucket in header.buckets.items():
            if self._version == 2 and bucket.names is not None and set(bucket.names) != set(files[number]):
                raise ArchiveError("its manifest names other files than its header")
        return files

    def _data(self, number: int, files: Mapping[str, str | None], compression: str, *, verify: bool) -> dict[str, int]:
        """Return the sizes of a payload's files, by their names in the manifest; as far as that is cheap or wanted."""
        what = f"its payload data/{number:04}"
        budget = MOST_LOOKED_AT
        tar = TarStream(inflated(self._tar, compression, what), what)
        sizes: dict[str, int] = {}
        while verify or len(sizes) < len(files):
            member = tar.next()
            if member is None:
                break
            name = member.name
            if name not in files:
                raise ArchiveError(f"{what} holds {quoted(name)}, which its header does not tell of")
            sizes[f"data/{number:04}/{name}"] = member.size
            if verify:
                hashed = _Hashed(tar)
                found = hashed.finish()
                if files[name] is not None and files[name] != found:
                    raise ArchiveError(f"the checksum of {quoted(name)} in {what} is not what its manifest says")
                continue
            budget -= member.size
            if budget < 0:
                return sizes
        if len(sizes) < len(files):
            raise ArchiveError(f"{what} lacks a file that its header tells of")
        return sizes

    # -- what it says ------------------------------------------------------------------------------------------

    def _types(self) -> list[str | None]:
        info = self._header.info if self._header else {}
        entries = info.get("payloads") if self._version == 3 else info.get("updates")
        if entries is None:
            entries = info.get("updates")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ArchiveError("its header-info does not list its payloads")
        types = [entry.get("type") for entry in entries]
        # an empty type leaves the one of the header
        for number, entry in enumerate(self._augment.info.get("payloads") or []):
            if number < len(types) and isinstance(entry, dict) and entry.get("type"):
                types[number] = entry["type"]
        if not all(kind is None or isinstance(kind, str) for kind in types):
            raise ArchiveError("its header-info has a payload whose type is no text")
        return types

    def _artifact(self, sizes: Mapping[str, int]) -> ArtifactFile:
        header = self._header or _Header()
        info = header.info
        provides: dict[str, str] = {}
        depends: dict[str, tuple[str, ...]] = {}
        clears: list[str] = []
        if self._version == 3:
            _merge(provides, depends, info)
            name = provides.get("artifact_name")
            device_types = depends.get("device_type", ())
        else:
            name = info.get("artifact_name")
            device_types = _texts(info.get("device_types_compatible"), "device_types_compatible")
        if not isinstance(name, str) or not name:
            raise ArchiveError("its header-info does not tell its name")
        files = self._payload_files()
        payloads = []
        for number, kind in enumerate(self._types()):
            bucket = header.buckets.get(number, _Bucket())
            for part in (bucket, self._augment.buckets.get(number, _Bucket())):
                if self._version == 3:
                    _merge(provides, depends, part.info)
                    clears += _texts(part.info.get("clears_artifact_provides"), "clears_artifact_provides")
            found = [
                PayloadFile(file, sha256, sizes.get(f"data/{number:04}/{file}"))
                for file, sha256 in sorted(files[number].items())
            ]
            payloads.append(Payload(kind, tuple(found), bucket.meta_data))
        return ArtifactFile(
            version=self._version,
            name=name,
            device_types=tuple(device_types),
            payloads=tuple(payloads),
            provides=provides,
            depends=depends,
            clears=tuple(dict.fromkeys(clears)),
            scripts=tuple(header.scripts),
            checksums={**self._checksums, **self._manifest},
            signature=self._signature,
        )


def _read_headers(source: Source, what: str) -> _Header:
    """Read an archive of headers to its end."""
    header = _Header()
    tar = TarStream(source, what)
    first = True
    for member in _members(tar):
        if first != (member.name == "header-info"):
            raise ArchiveError(f"{what} does not begin with header-info")
        first = False
        match = _HEADER.fullmatch(member.name)
        if member.name == "header-info":
            header.info = _json_object(tar.read_all(MOST_JSON), "header-info")
        elif member.name.startswith("scripts/"):
            header.scripts.append(member.name.partition("/")[2])
        elif match is not None:
            _read_bucket(tar, header.buckets.setdefault(int(match[1]), _Bucket()), match[2])
        else:
            raise ArchiveError(f"{what} holds {quoted(member.name)}, which does not belong there")
    if first:
        raise ArchiveError(f"{what} has no header-info")
    return header


def _read_bucket(tar: TarStream, bucket: _Bucket, name: str) -> None:
    if name == "type-info":
        bucket.info = _json_object(tar.read_all(MOST_JSON), name)
    elif name == "meta-data":
        data = tar.read_all(MOST_JSON)
        bucket.meta_data = _json(data, name) if data.strip() else None
    elif name == "files":
        listed = _json(tar.read_all(MOST_JSON), name)
        bucket.names = list(_texts(listed.get("files") if isinstance(listed, dict) else listed, name))
    elif name.startswith("checksums/") and name.endswith(".sha256sum"):
        text = _text(tar.read_all(MOST_VERSION), name).strip()
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise ArchiveError(f"its header has a checksum {quoted(name)} that is none")
        bucket.sums[name[len("checksums/") : -len(".sha256sum")]] = text
    elif not name.startswith(("signatures/", "scripts/")):
        raise ArchiveError(f"its header holds {quoted(name)}, which does not belong there")


def _members(tar: TarStream) -> Iterator[Member]:
    member = tar.next()
    while member is not None:
        yield member
        member = tar.next()


def _merge(provides: dict[str, str], depends: dict[str, tuple[str, ...]], info: Mapping[str, Any]) -> None:
    """Add what one header says; it may give lists of dictionaries, as old documents have it."""
    for key, target in (("artifact_provides", provides), ("artifact_depends", depends)):
        given = info.get(key)
        for part in given if isinstance(given, list) else [given or {}]:
            if not isinstance(part, dict):
                raise ArchiveError(f"its {key} is not of the right form")
            for name, value in part.items():
                if value is None:
                    continue
                values = _texts(value, key)
                if target is provides:
                    provides[name] = ", ".join(values)
                else:
                    depends[name] = values


def _texts(value: Any, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise ArchiveError(f"its {what} is not made of texts")
    return tuple(values)


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ArchiveError(f"its {quoted(what)[1:-1]} is no text") from None


def _json(data: bytes, what: str) -> Any:
    try:
        return json.loads(_text(data, what))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"its {what} is not JSON") from None


def _json_object(data: bytes, what: str) -> dict[str, Any]:
    content = _json(data, what) if data.strip() else {}
    if not isinstance(content, dict):
        raise ArchiveError(f"its {what} is not of the right form")
    return content
