"""Writes `.mender` files for tests, in the format versions 1, 2 and 3, also such as no honest program writes.

Facts from Mender's documents of the format. What is written with the defaults is what `mender-artifact` would write but
for its times.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUFFIXES = {"none": "", "gzip": ".gz", "lzma": ".xz"}

Entry = tuple[str, bytes]


@dataclass
class Written:
    """An artifact to be written: change its parts before `data` is asked for."""

    name: str = "rel-1"
    device_types: Sequence[str] = ("dt-a",)
    files: Mapping[str, bytes] = field(default_factory=lambda: {"payload.txt": b"hello\n"})
    version: int = 3
    type: str | None = "script"
    compression: str = "gzip"
    provides: Mapping[str, str] = field(default_factory=dict)
    """In addition to the name."""
    depends: Mapping[str, Any] = field(default_factory=dict)
    """In addition to the device types."""
    payload_provides: Mapping[str, str] | None = None
    payload_depends: Mapping[str, Any] = field(default_factory=dict)
    clears: Sequence[str] | None = None
    meta_data: Any = None
    scripts: Mapping[str, bytes] = field(default_factory=dict)
    signed: bool = False
    mtime: int = 1_700_000_000

    def header_info(self) -> dict[str, Any]:
        """Return the content of `header-info`."""
        if self.version == 3:
            return {
                "payloads": [{"type": self.type}],
                "artifact_provides": {"artifact_name": self.name, **self.provides},
                "artifact_depends": {"device_type": list(self.device_types), **self.depends},
            }
        return {
            "updates": [{"type": self.type}],
            "device_types_compatible": list(self.device_types),
            "artifact_name": self.name,
        }

    def type_info(self) -> dict[str, Any]:
        """Return the content of `type-info`."""
        if self.version < 3 or self.type is None:
            return {"type": self.type}
        provides = self.payload_provides
        clears = self.clears
        return {
            "type": self.type,
            "artifact_provides": {f"rootfs-image.{self.type}.version": self.name} if provides is None else provides,
            "artifact_depends": dict(self.payload_depends),
            "clears_artifact_provides": [f"rootfs-image.{self.type}.*"] if clears is None else list(clears),
        }

    def header(self) -> bytes:
        """Return the archive of headers, compressed."""
        entries: list[Entry] = [("header-info", _json(self.header_info()))]
        entries += [(f"scripts/{name}", data) for name, data in self.scripts.items()]
        if self.version < 3:
            entries.append(("headers/0000/files", _json({"files": list(self.files)})))
        entries.append(("headers/0000/type-info", _json(self.type_info())))
        entries.append(("headers/0000/meta-data", b"" if self.meta_data is None else _json(self.meta_data)))
        if self.version == 1:
            entries += [
                (f"headers/0000/checksums/{name}.sha256sum", _sha256(data).encode())
                for name, data in self.files.items()
            ]
        return compressed(tar(entries, self.mtime), self.compression)

    def entries(self) -> list[Entry]:
        """Return the members of the artifact, in order."""
        suffix = SUFFIXES[self.compression]
        version = _json({"format": "mender", "version": self.version})
        header = self.header()
        members: list[Entry] = [("version", version)]
        if self.version > 1:
            sums = {f"data/0000/{name}": data for name, data in self.files.items()}
            sums |= {f"header.tar{suffix}": header, "version": version}
            manifest = "".join(f"{_sha256(data)}  {name}\n" for name, data in sums.items()).encode()
            members.append(("manifest", manifest))
            if self.signed:
                members.append(("manifest.sig", base64.b64encode(hashlib.sha512(manifest).digest())))
        members.append((f"header.tar{suffix}", header))
        if self.files:
            data = tar(list(self.files.items()), self.mtime)
            members.append((f"data/0000.tar{suffix}", compressed(data, self.compression)))
        return members

    @property
    def data(self) -> bytes:
        """The artifact."""
        return tar(self.entries(), self.mtime)

    def save(self, path: Path) -> str:
        """Write it to a file; return its path."""
        path.write_bytes(self.data)
        return str(path)


def tar(entries: Iterable[Entry | tarfile.TarInfo], mtime: int = 0) -> bytes:
    """Return an archive of files, or of whatever a `TarInfo` says."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size, info.mtime = len(entry[1]), mtime
            archive.addfile(info, io.BytesIO(entry[1]))
    return buffer.getvalue()


def compressed(data: bytes, compression: str) -> bytes:
    """Return data compressed with `none`, `gzip` or `lzma`."""
    if compression == "gzip":
        return gzip.compress(data, mtime=0)
    return lzma.compress(data) if compression == "lzma" else data


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
