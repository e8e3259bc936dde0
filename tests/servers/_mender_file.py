"""Reads the header of a .mender file as Mender's server does, and writes simple ones.

The simulator has its own reader on purpose: what it makes of a file must not come from the code under test.
Format: https://github.com/mendersoftware/mender-artifact/blob/master/Documentation/artifact-format-v3.md
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import IO, Any

MODES = {"": "r|", ".gz": "r|gz", ".xz": "r|xz"}
HEADER_LIMIT = 16 * 1024 * 1024
PREFIX = "reader: "


class NotAnArtifact(ValueError):
    """The server refuses the file; the text is what it says about it."""


@dataclass
class Payload:
    """One payload of an artifact."""

    type: str | None
    provides: dict[str, Any] = field(default_factory=dict)
    depends: dict[str, Any] = field(default_factory=dict)
    clears: list[str] = field(default_factory=list)
    meta_data: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class ArtifactFile:
    """What the server keeps of an artifact."""

    version: int
    name: str
    device_types: list[str]
    signed: bool = False
    provides: dict[str, Any] = field(default_factory=dict)
    depends: dict[str, Any] = field(default_factory=dict)
    payloads: list[Payload] = field(default_factory=list)

    @property
    def all_provides(self) -> dict[str, Any]:
        """The provides of the header and of the payloads together."""
        return {**self.provides, **{key: value for load in self.payloads for key, value in load.provides.items()}}

    @property
    def all_depends(self) -> dict[str, Any]:
        """The depends of the header and of the payloads together."""
        return {**self.depends, **{key: value for load in self.payloads for key, value in load.depends.items()}}

    @property
    def clears(self) -> list[str]:
        """What installing it clears, of all payloads."""
        return [pattern for load in self.payloads for pattern in load.clears]

    def combinations(self) -> set[frozenset[tuple[str, str]]]:
        """Every combination of depends: two artifacts of one name may have none in common."""
        depends = {key: value if isinstance(value, list) else [value] for key, value in self.all_depends.items()}
        depends.setdefault("device_type", self.device_types)
        keys = sorted(depends)
        return {
            frozenset(zip(keys, map(str, values), strict=True)) for values in product(*(depends[key] for key in keys))
        }


def _json(member: IO[bytes] | None, what: str) -> dict[str, Any]:
    text = member.read(HEADER_LIMIT) if member is not None else b""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise NotAnArtifact(f"{PREFIX}can not read {what}: {error}") from None
    if not isinstance(found, dict):
        raise NotAnArtifact(f"{PREFIX}can not read {what}: not an object")
    return found


@contextlib.contextmanager
def _members(stream: IO[bytes], name: str = "") -> Iterator[tarfile.TarFile]:
    ending = Path(name).suffix if not name.endswith(".tar") else ""
    if ending not in MODES:
        raise NotAnArtifact(f"{PREFIX}unsupported compression of {name}")
    mode: Any = MODES[ending]
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        yield tar


def read_artifact(path: Path) -> ArtifactFile:
    """Read an artifact from disk and check every checksum. Raises `NotAnArtifact` with the server's words."""
    try:
        with path.open("rb") as stream, _members(stream) as outer:
            return _read(outer)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise NotAnArtifact(
            f"{PREFIX}can not read version file: readNext: Failed to get next header: "
            f"reader: error reading archive: {str(error) or 'unexpected EOF'}"
        ) from None


def _read(outer: tarfile.TarFile) -> ArtifactFile:
    manifest: dict[str, str] = {}
    found: ArtifactFile | None = None
    signed = False
    version = 0
    for member in outer:
        body = outer.extractfile(member)
        assert body is not None or not member.isfile()
        if version == 0:
            if member.name != "version":
                raise NotAnArtifact(f"{PREFIX}can not read version file: unexpected file: {member.name}")
            version = _version(_json(body, "version file"))
        elif member.name in ("manifest", "manifest-augment") and body is not None:
            lines = (line.split(maxsplit=1) for line in body.read(HEADER_LIMIT).decode().splitlines())
            manifest |= {name.strip(): digest for digest, name in lines}
        elif member.name == "manifest.sig":
            signed = True
        elif member.name.startswith("header.tar") and body is not None:
            found = _header(body, member.name, version)
            found.signed = signed
        elif member.name.startswith("header-augment.tar"):
            continue
        elif member.name.startswith("data/") and body is not None:
            if found is None:
                raise NotAnArtifact(f"{PREFIX}the header is missing")
            _data(found, body, member.name, manifest)
        else:
            raise NotAnArtifact(f"{PREFIX}unexpected file: {member.name}")
    if found is None:
        raise NotAnArtifact(
            f"{PREFIX}can not read version file: readNext: Failed to get next header: "
            f"{PREFIX}error reading archive: unexpected EOF"
        )
    return found


def _version(about: Mapping[str, Any]) -> int:
    version = about.get("version")
    if about.get("format") != "mender" or version not in (1, 2, 3):
        raise NotAnArtifact(f"unsupported version: {version}; supported versions are: 1, 2")
    return int(version)


def _header(stream: IO[bytes], name: str, version: int) -> ArtifactFile:
    with _members(stream, name) as tar:
        found: ArtifactFile | None = None
        for member in tar:
            body = tar.extractfile(member) if member.isfile() else None
            if member.name == "header-info":
                found = _header_info(_json(body, "header-info"), version)
            elif found is None:
                raise NotAnArtifact(f"{PREFIX}header-info must be the first file of the header")
            elif member.name.startswith("headers/"):
                _dummy, number, what = member.name.split("/", 2)
                if int(number) >= len(found.payloads):
                    raise NotAnArtifact(f"{PREFIX}no payload for {member.name}")
                _payload_header(found.payloads[int(number)], what, body)
    if found is None:
        raise NotAnArtifact(f"{PREFIX}the header is empty")
    return found


def _header_info(info: Mapping[str, Any], version: int) -> ArtifactFile:
    if version == 3:
        provides, depends = dict(info.get("artifact_provides") or {}), dict(info.get("artifact_depends") or {})
        kinds = info.get("payloads") or []
        name, types = provides.get("artifact_name", ""), list(depends.get("device_type") or [])
    else:
        kinds = info.get("updates") or []
        name, types = info.get("artifact_name", ""), list(info.get("device_types_compatible") or [])
        provides, depends = {"artifact_name": name}, {"device_type": types}
    if not name or not types:
        raise NotAnArtifact(f"{PREFIX}header-info without a name or device types")
    loads = [Payload(kind.get("type")) for kind in kinds]
    return ArtifactFile(version, name, types, provides=provides, depends=depends, payloads=loads)


def _payload_header(load: Payload, what: str, body: IO[bytes] | None) -> None:
    if what == "type-info":
        about = _json(body, "type-info")
        load.provides = dict(about.get("artifact_provides") or {})
        load.depends = dict(about.get("artifact_depends") or {})
        load.clears = list(about.get("clears_artifact_provides") or [])
    elif what == "meta-data" and body is not None:
        text = body.read(HEADER_LIMIT)
        load.meta_data = json.loads(text) if text.strip() else {}


def _data(found: ArtifactFile, stream: IO[bytes], name: str, manifest: Mapping[str, str]) -> None:
    number = name.removeprefix("data/").partition(".")[0]
    if not number.isdigit() or int(number) >= len(found.payloads):
        raise NotAnArtifact(f"{PREFIX}no payload for {name}")
    with _members(stream, name) as tar:
        for member in tar:
            body = tar.extractfile(member)
            if body is None:
                continue
            digest = hashlib.sha256()
            while chunk := body.read(1 << 20):
                digest.update(chunk)
            promised = manifest.get(f"data/{number}/{member.name}")
            if found.version != 1 and promised != digest.hexdigest():
                raise NotAnArtifact(f"invalid checksum; expected: [{promised}]; actual: [{digest.hexdigest()}]")
            date = datetime.fromtimestamp(member.mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            found.payloads[int(number)].files.append(
                {"name": member.name, "checksum": digest.hexdigest(), "size": member.size, "date": date}
            )


def _add(tar: tarfile.TarFile, name: str, body: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(body, bytes):
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    else:
        info.size, info.mtime = body.stat().st_size, int(body.stat().st_mtime)
        with body.open("rb") as stream:
            tar.addfile(info, stream)


def _sha256(body: bytes | Path) -> str:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    with body.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_artifact(
    path: Path,
    name: str,
    device_types: Sequence[str],
    files: Mapping[str, bytes | Path],
    *,
    kind: str = "script",
    provides: Mapping[str, str] | None = None,
    clears: Sequence[str] = (),
    meta_data: Mapping[str, Any] | None = None,
    version: int = 3,
) -> Path:
    """Write an unsigned artifact of format 2 or 3 with one uncompressed payload; returns `path`.

    `files`: content or file of each payload file. Large ones are copied through the disk, not through memory.
    """
    header = io.BytesIO()
    if version == 3:
        info: dict[str, Any] = {
            "payloads": [{"type": kind}],
            "artifact_provides": {"artifact_name": name},
            "artifact_depends": {"device_type": list(device_types)},
        }
        type_info = {"type": kind, "artifact_provides": dict(provides or {}), "clears_artifact_provides": list(clears)}
    else:
        info = {"updates": [{"type": kind}], "artifact_name": name, "device_types_compatible": list(device_types)}
        type_info = {"type": kind}
    with tarfile.open(fileobj=header, mode="w:gz") as tar:
        _add(tar, "header-info", json.dumps(info).encode())
        _add(tar, "headers/0000/type-info", json.dumps(type_info).encode())
        _add(tar, "headers/0000/meta-data", json.dumps(meta_data).encode() if meta_data else b"")
    about = json.dumps({"format": "mender", "version": version}).encode()
    sums = {"version": _sha256(about), "header.tar.gz": _sha256(header.getvalue())}
    sums |= {f"data/0000/{file}": _sha256(body) for file, body in files.items()}
    data = path.with_name(f"{path.name}.data")
    with tarfile.open(data, mode="w") as tar:
        for file, body in files.items():
            _add(tar, file, body)
    with tarfile.open(path, mode="w") as tar:
        _add(tar, "version", about)
        _add(tar, "manifest", "".join(f"{digest}  {file}\n" for file, digest in sums.items()).encode())
        _add(tar, "header.tar.gz", header.getvalue())
        _add(tar, "data/0000.tar", data)
    data.unlink()
    return path
