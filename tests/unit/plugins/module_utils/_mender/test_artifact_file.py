"""Artifact files: what is read of them, how little, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import random
import struct
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput, Unsupported
from ansible_collections.fleet.deploy.plugins.module_utils._mender import artifact_file, compression
from ansible_collections.fleet.deploy.plugins.module_utils._mender.artifact_file import (
    ArtifactFile,
    PayloadFile,
    check_file,
    checksum,
    read_artifact,
    read_head,
    verify_artifact,
)
from ansible_collections.fleet.deploy.plugins.module_utils._mender.tar import ArchiveError, TarStream, quoted
from servers.artifact_writer import Entry, Written, compressed, tar

HELLO = hashlib.sha256(b"hello\n").hexdigest()
LONG = "n" * 150


class Counting(io.BytesIO):
    """Bytes that count how many of them were read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def head(data: bytes) -> ArtifactFile:
    """Read the headers of an artifact in memory."""
    return read_head(io.BytesIO(data))


# -- what is read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["none", "gzip", "lzma"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_and_compression(tmp_path: Path, version: int, how: str) -> None:
    written = Written(
        version=version,
        compression=how,
        device_types=("b", "a"),
        files={"one.txt": b"hello\n", LONG: b"x" * 70_000},
        signed=version > 1,
    )
    path = written.save(tmp_path / "a.mender")
    found = read_artifact(path)
    assert (found.version, found.name, found.device_types, found.signed) == (version, "rel-1", ("b", "a"), version > 1)
    assert [payload.type for payload in found.payloads] == ["script"]
    assert found.files == (
        PayloadFile(LONG, hashlib.sha256(b"x" * 70_000).hexdigest(), 70_000),
        PayloadFile("one.txt", HELLO, 6),
    )
    assert verify_artifact(path) == found
    remote = head(written.data)
    assert (remote.checksums, remote.signature, remote.name) == (found.checksums, found.signature, "rel-1")
    assert [file.size for file in remote.files] == [None, None]


def test_what_version_3_provides_and_depends_on_is_merged_as_the_server_does(tmp_path: Path) -> None:
    path = Written(
        provides={"artifact_group": "g"},
        depends={"artifact_name": ["rel-0"], "other": "one"},
        payload_provides={"rootfs-image.version": "7"},
        payload_depends={"rootfs-image.checksum": "abc"},
        clears=["rootfs-image.*", "a"],
        scripts={"ArtifactInstall_Enter_00": b"#!/bin/sh\n"},
        meta_data={"k": 1},
    ).save(tmp_path / "a.mender")
    found = read_artifact(path)
    assert found.provides == {"artifact_name": "rel-1", "artifact_group": "g", "rootfs-image.version": "7"}
    assert found.depends == {
        "device_type": ("dt-a",),
        "artifact_name": ("rel-0",),
        "other": ("one",),
        "rootfs-image.checksum": ("abc",),
    }
    assert found.clears == ("rootfs-image.*", "a")
    assert found.scripts == ("ArtifactInstall_Enter_00",)
    assert found.payloads[0].meta_data == {"k": 1}


def test_artifact_without_payload(tmp_path: Path) -> None:
    found = read_artifact(Written(type=None, files={}).save(tmp_path / "a.mender"))
    assert (found.payloads[0].type, found.files, found.signed) == (None, (), False)


def test_augmented_artifact() -> None:
    written = Written(files={"update.delta": b"d"})
    entries = dict(written.entries())
    augment = compressed(
        tar(
            [
                ("header-info", b'{"payloads":[{"type":"delta-image"},{"type":""}]}'),
                ("headers/0000/type-info", b'{"type":"script","artifact_depends":{"rootfs_image_checksum":"c0"}}'),
            ]
        ),
        "gzip",
    )
    line = f"{hashlib.sha256(augment).hexdigest()}  header-augment.tar.gz\n".encode()
    members: list[Entry] = [
        ("version", entries["version"]),
        ("manifest", entries["manifest"]),
        ("manifest-augment", line),
        ("header.tar.gz", entries["header.tar.gz"]),
        ("header-augment.tar.gz", augment),
        ("data/0000.tar.gz", entries["data/0000.tar.gz"]),
    ]
    found = head(tar(members))
    assert (found.depends["rootfs_image_checksum"], found.payloads[0].type) == (("c0",), "delta-image")
    members[4] = ("header-augment.tar.gz", augment[:-8] + b"\0" * 8)
    with pytest.raises(ArchiveError):
        head(tar(members))


def test_only_the_beginning_of_a_large_file_is_read() -> None:
    data = Written(files={"big": random.Random(1).randbytes(4 * 1024 * 1024)}, compression="none").data
    source = Counting(data)
    assert read_head(source).name == "rel-1"
    assert source.taken < 20_000


def test_large_file_is_read_in_little_memory(tmp_path: Path) -> None:
    size = 96 * 1024 * 1024
    path = tmp_path / "a.mender"
    written = Written(files={"big": b""}, compression="none")
    written.files = {"big": b"\0" * size}
    with path.open("wb") as file:
        file.write(written.data)
    del written
    for read, most in ((read_artifact, 2), (verify_artifact, 8)):
        tracemalloc.start()
        assert read(str(path)).files[0].size == size
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * 1024 * 1024, read.__name__


def test_sizes_deep_in_a_compressed_payload_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_file, "MOST_LOOKED_AT", 1000)
    path = Written(files={"a": b"x" * 1001, "b": b"y"}).save(tmp_path / "a.mender")
    assert [file.size for file in read_artifact(path).files] == [1001, None]
    assert [file.size for file in verify_artifact(path).files] == [1001, 1]


def test_the_same_input_at_another_time_has_other_checksums_but_the_same_files() -> None:
    first, second = head(Written().data), head(Written(mtime=1).data)
    assert first.checksums != second.checksums
    assert first.files == second.files


# -- what is refused -------------------------------------------------------------------------------------------

Change = Callable[[list[Entry]], Any]


def replaced(name: str, data: bytes) -> Change:
    """Return a change that gives a member other content."""

    def change(entries: list[Entry]) -> list[Entry]:
        assert name in dict(entries)
        return [(key, data if key == name else value) for key, value in entries]

    return change


def renamed(old: str, new: str) -> Change:
    """Return a change that renames a member."""
    return lambda entries: [(new if key == old else key, value) for key, value in entries]


def without(name: str) -> Change:
    """Return a change that leaves a member out."""
    return lambda entries: [entry for entry in entries if entry[0] != name]


def with_header(*members: Entry | tarfile.TarInfo) -> Change:
    """Return a change that gives the artifact another header, with the right checksum."""

    def change(entries: list[Entry]) -> list[Entry]:
        header = compressed(tar(members), "gzip")
        found = dict(entries)
        lines = [line for line in found["manifest"].decode().splitlines() if not line.endswith("header.tar.gz")]
        lines.append(f"{hashlib.sha256(header).hexdigest()}  header.tar.gz")
        found.update({"header.tar.gz": header, "manifest": "".join(f"{line}\n" for line in lines).encode()})
        return list(found.items())

    return change


INFO = json.dumps(Written().header_info()).encode()


def info_with(**changes: Any) -> Change:
    """Return a change that gives the artifact a header-info with other values."""
    content = {**Written().header_info(), **changes}
    return with_header(("header-info", json.dumps(content).encode()), ("headers/0000/type-info", b"{}"))


def special(kind: bytes, name: str = "evil") -> tarfile.TarInfo:
    """Return a member that is no plain file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


BAD: dict[str, tuple[Change, str]] = {
    "nothing": (lambda entries: [], "it has no version"),
    "other order": (lambda entries: [entries[1], entries[0], *entries[2:]], "it holds 'manifest' out of order"),
    "data before the header": (
        lambda entries: [*entries[:2], entries[3], entries[2]],
        "it has no header",
    ),
    "something after the data": (lambda entries: [*entries, ("manifest.sig", b"x")], "does not tell of"),
    "twice": (lambda entries: [entries[0], *entries], "it holds 'version' twice"),
    "unknown member": (lambda entries: [entries[0], ("other", b""), *entries[1:]], "does not belong there"),
    "absolute path": (lambda entries: [entries[0], ("/etc/passwd", b"")], "a file named '/etc/passwd'"),
    "parent folder": (lambda entries: [entries[0], ("data/../x", b"")], "a file named 'data/../x'"),
    "backslash": (lambda entries: [entries[0], ("a\\b", b"")], "a file named 'a\\\\b'"),
    "control character": (lambda entries: [entries[0], ("a\x1b[2J", b"")], "a file named 'a\\x1b[2J'"),
    "symbolic link": (lambda entries: [*entries[:2], special(tarfile.SYMTYPE)], "'evil', which is a symbolic link"),
    "hard link": (lambda entries: [*entries[:2], special(tarfile.LNKTYPE)], "'evil', which is a hard link"),
    "folder": (lambda entries: [special(tarfile.DIRTYPE, "data"), *entries], "which is a folder"),
    "device": (lambda entries: [special(tarfile.CHRTYPE), *entries], "which is a device"),
    "pipe": (lambda entries: [special(tarfile.FIFOTYPE), *entries], "which is a pipe"),
    "sparse": (lambda entries: [special(tarfile.GNUTYPE_SPARSE), *entries], "no plain file"),
    "version is no JSON": (replaced("version", b"3"), "its version does not say that it is in Mender's format"),
    "version is binary": (replaced("version", b"\xff"), "its version is no text"),
    "version is deep": (replaced("version", b"[" * 4000), "its version is not JSON"),
    "version is large": (replaced("version", b" " * 5000), "a file of 5000 bytes where 4096 are the most"),
    "other format": (replaced("version", b'{"format":"x","version":3}'), "not say that it is in Mender's format"),
    "version 4": (replaced("version", b'{"format":"mender","version":4}'), "it is of version '4', and only 1, 2"),
    "version true": (replaced("version", b'{"format":"mender","version":true}'), "it is of version 'True'"),
    "other version": (replaced("version", b'{"format":"mender", "version":3}'), "the checksum of its version"),
    "no manifest": (without("manifest"), "it has no manifest"),
    "damaged manifest": (replaced("manifest", b"nonsense\n"), "its manifest is damaged"),
    "name twice in the manifest": (replaced("manifest", f"{HELLO}  a\n{HELLO}  a\n".encode()), "names 'a' twice"),
    "no header": (without("header.tar.gz"), "it has no header"),
    "header of another name": (renamed("header.tar.gz", "header.tar.bz2"), "whose compression is not known"),
    "header is no gzip": (replaced("header.tar.gz", b"nonsense"), "its header.tar is damaged: it cannot be decompress"),
    "header is empty": (replaced("header.tar.gz", b""), "its header.tar is empty"),
    "header is cut off": (replaced("header.tar.gz", Written().header()[:60]), "its header.tar is cut off"),
    "header does not begin with header-info": (with_header(("scripts/a", b"")), "does not begin with header-info"),
    "empty header": (with_header(), "its header.tar has no header-info"),
    "link in the header": (with_header(("header-info", INFO), special(tarfile.SYMTYPE)), "which is a symbolic link"),
    "unknown file in the header": (with_header(("header-info", INFO), ("x", b"")), "'x', which does not belong there"),
    "unknown file in a part": (
        with_header(("header-info", INFO), ("headers/0000/x", b"")),
        "its header holds 'x', which does not belong there",
    ),
    "part without payload": (
        with_header(("header-info", INFO), ("headers/0001/type-info", b"{}")),
        "its header has a part 0001, for which there is no payload",
    ),
    "type-info is a list": (
        with_header(("header-info", INFO), ("headers/0000/type-info", b"[]")),
        "its type-info is not of the right form",
    ),
    "header-info is no JSON": (with_header(("header-info", b"{")), "its header-info is not JSON"),
    "header-info is large": (with_header(("header-info", b" " * 1048577)), "1048577 bytes where 1048576 are the most"),
    "no payloads": (info_with(payloads={}), "its header-info does not list its payloads"),
    "payload type is a number": (info_with(payloads=[{"type": 1}]), "a payload whose type is no text"),
    "no name": (info_with(artifact_provides={}), "its header-info does not tell its name"),
    "name is a number": (info_with(artifact_provides={"artifact_name": 1}), "is not made of texts"),
    "provides is a text": (info_with(artifact_provides="x"), "its artifact_provides is not of the right form"),
    "manifest names a payload that is not there": (
        info_with(payloads=[]),
        "its header has a part 0000, for which there is no payload",
    ),
    "no payload": (without("data/0000.tar.gz"), "its payload data/0000 is missing"),
    "payload of another number": (renamed("data/0000.tar.gz", "data/0001.tar.gz"), "'data/0001.tar.gz', which its"),
    "payload of another name": (renamed("data/0000.tar.gz", "data/x"), "'data/x', which its header does not tell of"),
    "payload is no archive": (
        replaced("data/0000.tar.gz", gzip.compress(b"x" * 512)),
        "its payload data/0000 is no tar archive, or damaged",
    ),
    "payload lacks a file": (replaced("data/0000.tar.gz", gzip.compress(tar([]))), "data/0000 lacks a file"),
    "payload has another file": (
        replaced("data/0000.tar.gz", gzip.compress(tar([("evil", b"")]))),
        "data/0000 holds 'evil', which its header does not tell of",
    ),
    "link in the payload": (
        replaced("data/0000.tar.gz", gzip.compress(tar([special(tarfile.SYMTYPE, "payload.txt")]))),
        "data/0000 holds 'payload.txt', which is a symbolic link",
    ),
}


@pytest.mark.parametrize("change, words", BAD.values(), ids=BAD)
def test_bad_artifacts_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    path = tmp_path / "bad.mender"
    path.write_bytes(tar(change(Written().entries())))
    with pytest.raises(InvalidInput) as caught:
        read_artifact(str(path))
    assert str(caught.value).startswith(f"src is '{path}', which is not a usable Mender artifact: ")
    assert words in str(caught.value)
    assert str(caught.value).endswith(". Give a .mender file as mender-artifact writes it.")


def test_the_artifact_that_the_bad_ones_are_made_of_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.mender"
    path.write_bytes(tar(Written().entries()))
    assert read_artifact(str(path)).name == "rel-1"


def test_what_belongs_to_another_version_is_refused() -> None:
    one, two, three = (Written(version=version).entries() for version in (1, 2, 3))
    with pytest.raises(ArchiveError, match="it holds manifest, which its version 1 does not have"):
        head(tar([one[0], three[1], *one[1:]]))
    with pytest.raises(ArchiveError, match="it holds manifest-augment, which its version 2 does not have"):
        head(tar([*two[:2], ("manifest-augment", b""), *two[2:]]))
    other = Written(version=2, files={"other": b""}).header()
    lines = two[1][1].decode().replace(hashlib.sha256(two[2][1]).hexdigest(), hashlib.sha256(other).hexdigest())
    with pytest.raises(ArchiveError, match="its manifest names other files than its header"):
        head(tar([two[0], ("manifest", lines.encode()), ("header.tar.gz", other)]))
    header = compressed(
        tar(
            [
                ("header-info", json.dumps(Written(version=1).header_info()).encode()),
                ("headers/0000/checksums/a.sha256sum", b"none"),
            ]
        ),
        "gzip",
    )
    with pytest.raises(ArchiveError, match=r"has a checksum 'checksums/a\.sha256sum' that is none"):
        head(tar([one[0], ("header.tar.gz", header)]))


def two_payloads() -> list[Entry]:
    """Return an artifact with two payloads, of which the first has two files."""
    payloads = {"0000": {"a": b"1", "b": b"22"}, "0001": {"c": b"333"}}
    info = {**Written().header_info(), "payloads": [{"type": "x"}, {"type": "y"}]}
    header = tar(
        [
            ("header-info", json.dumps(info).encode()),
            ("headers/0000/type-info", b'{"type":"x","artifact_provides":{"x":"1"}}'),
            ("headers/0001/type-info", b'{"type":"y","artifact_provides":{"y":"2"}}'),
        ]
    )
    version = Written().entries()[0]
    sums = {f"data/{number}/{name}": data for number, files in payloads.items() for name, data in files.items()}
    sums |= {"header.tar": header, "version": version[1]}
    manifest = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sums.items()).encode()
    archives = [(f"data/{number}.tar", tar(list(files.items()))) for number, files in payloads.items()]
    return [version, ("manifest", manifest), ("header.tar", header), *archives]


def test_several_payloads(tmp_path: Path) -> None:
    entries = two_payloads()
    path = tmp_path / "a.mender"
    path.write_bytes(tar(entries))
    found = read_artifact(str(path))
    assert [payload.type for payload in found.payloads] == ["x", "y"]
    assert [(file.name, file.size) for file in found.files] == [("a", 1), ("b", 2), ("c", 3)]
    assert (found.provides["x"], found.provides["y"]) == ("1", "2")
    assert verify_artifact(str(path)) == found
    for broken, words in (
        ([*entries[:3], entries[4], entries[3]], "it holds 'data/0000.tar' out of order"),
        ([*entries[:3], entries[4]], "its payload data/0000 is missing"),
        ([*entries[:3], ("header.tar.gz", b""), *entries[3:]], "it holds 'header.tar.gz' out of order"),
    ):
        path.write_bytes(tar(broken))
        with pytest.raises(InvalidInput, match=words):
            read_artifact(str(path))


@pytest.mark.parametrize("how", ["none", "gzip", "lzma"])
def test_every_cut_is_noticed(tmp_path: Path, how: str) -> None:
    data = Written(compression=how, files={"a": random.Random(7).randbytes(3000)}).data.rstrip(b"\0")
    path = tmp_path / "cut.mender"
    for length in [1, 511, 512, 513, *range(1024, len(data), 700), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(InvalidInput, match=r"cut off|is missing|it has no header"):
            read_artifact(str(path))


def test_payload_that_is_not_what_the_manifest_says(tmp_path: Path) -> None:
    entries = replaced("data/0000.tar.gz", gzip.compress(tar([("payload.txt", b"HELLO\n")])))(Written().entries())
    path = tmp_path / "a.mender"
    path.write_bytes(tar(entries))
    assert read_artifact(str(path)).files[0].sha256 == HELLO
    with pytest.raises(InvalidInput, match=r"dest is .*the checksum of 'payload.txt' in its payload data/0000 is not"):
        verify_artifact(str(path))


@pytest.mark.parametrize("damage", range(12))
def test_random_damage_ends_in_a_sentence(tmp_path: Path, damage: int) -> None:
    chance = random.Random(damage)
    data = bytearray(Written(compression=("none", "gzip", "lzma")[damage % 3], signed=True).data)
    path = tmp_path / "a.mender"
    for _try in range(60):
        broken = bytearray(data)
        for _byte in range(chance.randint(1, 20)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        path.write_bytes(broken)
        # any other exception fails the test
        with contextlib.suppress(InvalidInput):
            verify_artifact(str(path))


def test_no_data_ends_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.mender"
    for data, words in ((b"x", "is cut off"), (b"x" * 600, "is no tar archive"), (b"\x1f\x8b" * 300, "no tar archive")):
        path.write_bytes(data)
        with pytest.raises(InvalidInput, match=words):
            read_artifact(str(path))


# -- bombs -----------------------------------------------------------------------------------------------------


def raw_header(name: str, size: int, kind: bytes) -> bytes:
    """Return the block of a tar header that says what it likes."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L"])
def test_huge_extended_header_is_refused_without_reading_it(kind: bytes) -> None:
    source = Counting(raw_header("x", 8 * 2**30, kind) + b"\0" * 4096)
    with pytest.raises(ArchiveError, match="has an extended header of 8589934592 bytes"):
        read_head(source)
    assert source.taken <= 512


def test_header_bomb_is_refused_in_little_memory() -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    script = raw_header("scripts/big", 2 * 2**30, tarfile.REGTYPE)
    info = raw_header("header-info", len(INFO), tarfile.REGTYPE) + INFO.ljust(512, b"\0")
    parts = [deflate.compress(info + script)]
    parts += [deflate.compress(b"\0" * 2**20) for _mebibyte in range(80)]
    bomb = b"".join([*parts, deflate.flush()])
    entries = Written().entries()
    data = tar([*entries[:2], ("header.tar.gz", bomb)])
    assert len(data) < 200_000
    tracemalloc.start()
    with pytest.raises(ArchiveError, match=r"its header\.tar is much larger than any that is needed"):
        head(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fleet.deploy.plugins.module_utils._mender import tar as module

    monkeypatch.setattr(module, "MOST_MEMBERS", 5)
    with pytest.raises(ArchiveError, match="holds more than 5 files"):
        head(tar(with_header(("header-info", INFO), *((f"scripts/{n}", b"") for n in range(6)))(Written().entries())))


def test_lzma_that_wants_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MOST_MEMORY", 1024 * 1024)
    with pytest.raises(ArchiveError, match=r"its header\.tar is damaged: it cannot be decompressed"):
        head(Written(compression="lzma").data)


def test_several_gzip_streams_make_one() -> None:
    plain = gzip.decompress(Written().header())
    header = gzip.compress(plain[:700]) + gzip.compress(plain[700:])
    entries = Written().entries()
    manifest = entries[1][1].replace(
        hashlib.sha256(entries[2][1]).hexdigest().encode(), hashlib.sha256(header).hexdigest().encode()
    )
    members: list[Entry] = [entries[0], ("manifest", manifest), ("header.tar.gz", header), entries[3]]
    assert head(tar(members)).name == "rel-1"


def test_zstd_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "a.mender"
    path.write_bytes(tar(renamed("header.tar.gz", "header.tar.zst")(Written().entries())))
    with pytest.raises(Unsupported) as caught:
        read_artifact(str(path))
    assert str(caught.value) == (
        f"The artifact is compressed with zstd, which {sys.executable} cannot read. Use Python 3.14 or newer, or "
        "install the library backports.zstd for this one, or make the artifact with --compression gzip."
    )


class FakeZstd:
    """Stands for the library of a newer Python: "compresses" by putting a letter in front."""

    class ZstdError(Exception):
        """A fault."""

    class ZstdDecompressor:
        """Has the interface of the standard library's decompressors."""

        eof, needs_input, unused_data = False, True, b""

        def decompress(self, data: bytes, max_length: int) -> bytes:
            if not data.startswith(b"Z"):
                raise FakeZstd.ZstdError
            self.eof, self.needs_input = True, False
            return data[1:]


def test_zstd_is_read_where_python_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", FakeZstd)
    source = compression.inflated(io.BytesIO(b"Zhello"), "zstd", "it")
    assert (source.read(100), source.read(100)) == (b"hello", b"")
    with pytest.raises(ArchiveError, match="it is damaged"):
        compression.inflated(io.BytesIO(b"hello"), "zstd", "it").read(1)


def test_missing_lzma_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lzma", None)
    with pytest.raises(Unsupported, match="compressed with lzma, which"):
        compression.inflated(io.BytesIO(), "lzma", "it")


# -- archives --------------------------------------------------------------------------------------------------


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    """Return an extended header with records."""
    body = b""
    for key, value in records:
        rest = f" {key}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        body += str(length).encode() + rest
    return raw_header("x", len(body), kind) + body.ljust(-(-len(body) // 512) * 512, b"\0")


def test_extended_names_are_looked_at_like_others() -> None:
    plain = raw_header("good", 3, tarfile.REGTYPE) + b"abc".ljust(512, b"\0") + b"\0" * 1024
    for header in (pax(("path", "../evil")), raw_header("x", 8, b"L") + b"../evil\0".ljust(512, b"\0")):
        with pytest.raises(ArchiveError, match=r"a file named '\.\./evil'"):
            TarStream(io.BytesIO(header + plain), "it").next()
    with pytest.raises(ArchiveError, match="no plain file"):
        TarStream(io.BytesIO(pax(("GNU.sparse.major", "1")) + plain), "it").next()
    stream = TarStream(io.BytesIO(pax(("mtime", "1.5"), ("path", "ü/x"), ("size", "3")) + plain), "it")
    member = stream.next()
    assert member is not None
    assert (member.name, member.size, stream.read_all(3)) == ("ü/x", 3, b"abc")
    stream = TarStream(io.BytesIO(pax(("path", "../evil"), kind=b"g") + plain), "it")
    assert (member := stream.next()) is not None
    assert member.name == "good"


@pytest.mark.parametrize(
    "data, words",
    [
        (pax(("size", "-1")) + raw_header("a", 0, b"0") + b"\0" * 512, "with a size that is none"),
        (pax(("size", "x")) + raw_header("a", 0, b"0") + b"\0" * 512, "with a size that is none"),
        (raw_header("x", 6, b"x") + b"nonsen".ljust(512, b"\0") + b"\0" * 512, "extended header that is damaged"),
        (pax(("path", "a")) + b"\0" * 1024, "it ends after an extended header"),
        (raw_header("a", 5, b"0") + b"abc", "it is cut off"),
    ],
)
def test_damaged_archives(data: bytes, words: str) -> None:
    stream = TarStream(io.BytesIO(data), "it")
    with pytest.raises(ArchiveError, match=words):
        list(iter(stream.next, None))


def test_negative_size_in_binary_is_refused() -> None:
    block = bytearray(raw_header("a", 0, b"0"))
    block[124:136] = b"\xff" + struct.pack(">q", -512).rjust(11, b"\xff")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(ArchiveError, match="with a size that is none"):
        TarStream(io.BytesIO(bytes(block) + b"\0" * 1024), "it").next()


def test_names_in_messages_are_short_and_harmless() -> None:
    assert quoted("a\x1b\u202e") == "'a\\x1b\\u202e'"
    assert len(quoted("x" * 5000)) == 101


# -- files -----------------------------------------------------------------------------------------------------


def test_files_that_are_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    there = "give a file on the host where the module runs, usually the controller."
    for path, words in (
        (tmp_path / "no", f"which cannot be read (No such file or directory): {there}"),
        (tmp_path, "which is a folder: give a file."),
        (Path("/dev/null"), "which is not an ordinary file: give a file."),
        (empty, "which is empty: give a file with content."),
    ):
        with pytest.raises(InvalidInput) as caught:
            check_file(str(path))
        assert str(caught.value) == f"src is '{path}', {words}"
    with pytest.raises(InvalidInput, match="which cannot be read"):
        checksum(str(tmp_path / "no"))
    (tmp_path / "a").write_bytes(b"hello\n")
    assert (check_file(str(tmp_path / "a")), checksum(str(tmp_path / "a"))) == (6, HELLO)
