"""Downloads: resumed, renewed, checked, and never seen half done."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._mender import downloads
from ansible_collections.fleet.deploy.plugins.module_utils._mender.downloads import file_name
from ansible_collections.fleet.deploy.plugins.modules import artifact as module
from servers.artifact_writer import Written

from .conftest import Run
from .fake import FakeMender

BIG = Written(files={"image": random.Random(3).randbytes(900_000)}, compression="none")


def download(run: Run, mender: FakeMender, dest: Path | str, **options: Any) -> Any:
    """Download the one artifact."""
    return run(module, mender, name="rel-1", dest=str(dest), **options)


def ranges(mender: FakeMender) -> list[str | None]:
    """Return the parts that the storage was asked for."""
    return [request.headers.get("range") for request in mender.storage.requests]


def test_file_is_downloaded_once(every: FakeMender, run: Run, tmp_path: Path) -> None:
    id = every.add(BIG)["id"]
    dest = tmp_path / "copy.mender"
    planned = download(run, every, dest, check_mode=True, diff_mode=True)
    assert (planned.result["changed"], planned.result["file"]) == (True, str(dest))
    assert planned.result["diff"]["after"] == {
        str(dest): {"path": str(dest), "artifact": id, "size": len(BIG.data)},
    }
    assert (list(tmp_path.iterdir()), every.links) == ([], 0)
    done = download(run, every, dest)
    assert done.error is None, done.result
    assert (done.result["changed"], dest.read_bytes()) == (True, BIG.data)
    assert list(tmp_path.iterdir()) == [dest]
    [request] = every.storage.requests
    assert "authorization" not in request.headers
    assert request.headers["accept-encoding"] == "identity"
    assert not download(run, every, dest).result["changed"]
    assert len(every.storage.requests) == 1
    umask = os.umask(0o077)
    os.umask(umask)
    assert dest.stat().st_mode & 0o777 == 0o666 & ~umask


def test_another_file_in_its_place_is_replaced(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add()
    dest = tmp_path / "a.mender"
    for other in (b"something else", Written(mtime=1, name="rel-2").data, Written(files={"x": b""}).data):
        dest.write_bytes(other)
        done = download(run, mender, dest, diff_mode=True)
        assert done.result["changed"]
        assert done.result["diff"]["before"][str(dest)]["size"] == len(other)
        assert dest.read_bytes() == Written().data


def test_folder_gets_a_file_called_after_the_artifact(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add()
    for dest in (tmp_path, f"{tmp_path}{os.sep}"):
        assert download(run, mender, dest).result["file"] == str(tmp_path / "rel-1.mender")
    assert len(mender.storage.requests) == 1


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a/../b", "a_.._b.mender"),
        ("..", "artifact.mender"),
        ("../../etc/passwd", "_.._etc_passwd.mender"),
        (".x", "x.mender"),
        ("ü\n", "__.mender"),
        ("x" * 300, f"{'x' * 200}.mender"),
        (None, "None.mender"),
    ],
)
def test_names_of_artifacts_lead_nowhere(name: str | None, expected: str) -> None:
    assert file_name({"name": name}) == expected


def test_description_and_download_go_together(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add()
    done = download(run, mender, tmp_path, description="new", diff_mode=True)
    assert set(done.result["diff"]["after"]) == {"rel-1 (dt-a)", str(tmp_path / "rel-1.mender")}
    assert done.result["artifact"]["description"] == "new"
    assert not download(run, mender, tmp_path, description="new").result["changed"]


# -- what breaks -----------------------------------------------------------------------------------------------


def test_broken_connection_is_resumed(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add(BIG)
    # more cuts than there are repeats: each has brought something
    mender.cuts = [300_000, 1, 200_000, 10]
    done = download(run, mender, tmp_path)
    assert done.error is None, done.result
    assert (tmp_path / "rel-1.mender").read_bytes() == BIG.data
    assert ranges(mender) == [None, "bytes=300000-", "bytes=300001-", "bytes=500001-", "bytes=500011-"]
    assert mender.links == 1
    assert next(request.headers.get("if-range") for request in mender.storage.requests) is None
    assert mender.storage.requests[1].headers["if-range"].startswith('"')


def test_connection_that_brings_nothing_ends_the_task_and_a_later_one_goes_on(
    mender: FakeMender, run: Run, tmp_path: Path
) -> None:
    id = mender.add(BIG)["id"]
    mender.cuts = [400_000, 0, 0, 0]
    done = download(run, mender, tmp_path / "a.mender")
    assert done.result["error"]["code"] == "unreachable"
    assert done.result["msg"].startswith("Cannot download artifact 'rel-1': ")
    partial = tmp_path / f".a.mender.{id}.part"
    assert list(tmp_path.iterdir()) == [partial]
    assert partial.stat().st_size == 400_000
    again = download(run, mender, tmp_path / "a.mender")
    assert again.error is None
    assert ranges(mender)[-1] == "bytes=400000-"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mender"]


def test_remains_of_something_else_are_thrown_away(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    id = mender.add(BIG)["id"]
    partial = tmp_path / f".a.mender.{id}.part"
    for remains in (b"x" * 1000, b"x" * len(BIG.data), b"x" * (len(BIG.data) + 5)):
        partial.write_bytes(remains)
        done = download(run, mender, tmp_path / "a.mender")
        assert done.error is None, done.result
        assert (tmp_path / "a.mender").read_bytes() == BIG.data
        (tmp_path / "a.mender").unlink()


def test_storage_without_ranges_sends_it_from_the_beginning(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add(BIG)
    mender.ranges = False
    mender.cuts = [300_000]
    assert download(run, mender, tmp_path).error is None
    assert (tmp_path / "rel-1.mender").read_bytes() == BIG.data


def test_expired_link_is_renewed(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add(BIG)
    mender.cuts = [300_000]
    mender.links_end = True
    assert download(run, mender, tmp_path).error is None
    assert mender.links == 2
    assert ranges(mender) == [None, "bytes=300000-", "bytes=300000-"]


def test_links_that_are_refused_again_and_again_end_the_task(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add()
    mender.expired = set(range(10))
    done = download(run, mender, tmp_path)
    assert done.result["msg"] == (
        "Cannot download artifact 'rel-1': the storage refuses the link that the server has just made (HTTP 403)."
    )
    assert mender.links == 3
    assert not done.result["changed"]
    # what was written before counts
    assert download(run, mender, tmp_path, description="new").result["changed"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_passing_faults_of_the_storage(mender: FakeMender, run: Run, tmp_path: Path, status: int) -> None:
    mender.add()
    mender.blob_status = [status]
    done = download(run, mender, tmp_path)
    assert done.error is None


def test_lasting_fault_of_the_storage(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    mender.add()
    mender.blob_status = [500] * 99
    done = download(run, mender, tmp_path)
    assert done.result["msg"].startswith("Cannot download artifact 'rel-1': 127.0.0.1:")


def test_what_is_not_the_artifact_is_not_kept(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    item = mender.add(BIG)
    mender.blobs[item["id"]] = BIG.data[:-5000] + b"\1" + BIG.data[-4999:]
    dest = tmp_path / "a.mender"
    dest.write_bytes(b"what was there")
    broken = BIG.data
    position = broken.index(BIG.files["image"][:64]) + 1000
    mender.blobs[item["id"]] = broken[:position] + bytes([broken[position] ^ 1]) + broken[position + 1 :]
    done = download(run, mender, dest)
    assert done.result["error"]["code"] == "bad_answer"
    assert "what came is not the artifact: " in done.result["msg"]
    assert "the checksum of 'image' in its payload data/0000 is not what its manifest says" in done.result["msg"]
    assert list(tmp_path.iterdir()) == [dest]
    assert dest.read_bytes() == b"what was there"
    mender.blobs[item["id"]] = BIG.data + b"x"
    assert "bytes came, but it has" in download(run, mender, tmp_path / "b.mender").result["msg"]


def test_other_artifact_behind_the_link_is_not_kept(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    item = mender.add()
    mender.blobs[item["id"]] = Written(name="rel-9").data
    assert "what came is not the artifact: its name is 'rel-1'" in download(run, mender, tmp_path).result["msg"]


def test_links_are_in_no_message(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    item = mender.add()
    mender.blob_status = [500] * 99
    done = download(run, mender, tmp_path)
    assert done.error is not None
    assert "X-Amz" not in str(done.result)
    mender.refuse[f"GET /v1/artifacts/{item['id']}/download"] = (
        200,
        {"uri": f"http://127.0.0.1:1/b?X-Amz-Signature={'f' * 64}"},
        {},
    )
    done = download(run, mender, tmp_path, request_retries=0)
    assert "127.0.0.1:1 cannot be reached" in done.result["msg"]
    assert "ffff" not in str(done.result)


@pytest.mark.parametrize("uri", ["ftp://h/x", "/x", "http://u:p@h/x", "http://h:0/x", "http://[/x"])
def test_link_that_is_none(mender: FakeMender, run: Run, tmp_path: Path, uri: str) -> None:
    item = mender.add()
    mender.refuse[f"GET /v1/artifacts/{item['id']}/download"] = 200, {"uri": uri}, {}
    done = download(run, mender, tmp_path)
    assert done.result["msg"] == "Cannot download artifact 'rel-1': the server gave a link that is none."


# -- places where no file can be -------------------------------------------------------------------------------


def test_places_that_do_not_work(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    id = mender.add()["id"]
    done = download(run, mender, tmp_path / "no" / "a.mender")
    assert done.result["msg"] == (
        f"dest is '{tmp_path}/no/a.mender', but there is no folder '{tmp_path}/no': make it first."
    )
    (tmp_path / "pipe").symlink_to("/dev/null")
    assert "is not an ordinary file: give another path." in download(run, mender, tmp_path / "pipe").result["msg"]
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    partial = tmp_path / f".a.mender.{id}.part"
    partial.symlink_to(target)
    assert (
        "which cannot be written (Too many levels of symbolic links)"
        in download(run, mender, tmp_path / "a.mender").result["msg"]
    )
    partial.unlink()
    partial.hardlink_to(target)
    assert (
        "is in the way, which was made by somebody else: remove it."
        in download(run, mender, tmp_path / "a.mender").result["msg"]
    )
    assert target.read_bytes() == b"precious"
    assert mender.storage.requests == []


def test_two_tasks_do_not_write_the_same_file(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    id = mender.add()["id"]
    with (tmp_path / f".a.mender.{id}.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = download(run, mender, tmp_path / "a.mender")
    assert done.result["msg"] == (
        f"dest is '{tmp_path}/a.mender', which another task is downloading at this moment: wait for it."
    )


def test_full_disk_is_said(mender: FakeMender, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = mender.add()
    (tmp_path / "a.mender").write_bytes(b"x")

    @contextlib.contextmanager
    def opened(_partial: str, _path: str) -> Iterator[BinaryIO]:
        with Path("/dev/full").open("r+b", buffering=0) as file:
            yield file

    monkeypatch.setattr(downloads, "_opened", opened)
    done = download(run, mender, tmp_path / "a.mender")
    assert done.result["msg"] == (
        f"'{tmp_path}/a.mender' cannot be written (No space left on device): make room, or give another path."
    )
    assert mender.storage.requests[0].target.startswith(f"/bucket/{item['id']}?")
