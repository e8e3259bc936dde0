"""Uploading: what is compared, what is sent, and that a broken connection never makes it twice."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._mender.artifact_file import read_artifact
from ansible_collections.fleet.deploy.plugins.module_utils._mender.uploads import differences
from ansible_collections.fleet.deploy.plugins.modules import artifact_upload as module
from servers.artifact_writer import Written, tar

from .conftest import Run
from .fake import TAKEN, FakeMender, error

UPLOAD = "POST /v1/artifacts"
GENERATE = "POST /v1/artifacts/generate"


@pytest.fixture
def src(tmp_path: Path) -> str:
    """Path of an artifact rel-1 for dt-a."""
    return Written().save(tmp_path / "rel-1.mender")


@pytest.fixture
def raw(tmp_path: Path) -> str:
    """Path of a file that is no artifact."""
    path = tmp_path / "settings.json"
    path.write_bytes(b'{"a": 1}\n')
    return str(path)


# -- .mender files ---------------------------------------------------------------------------------------------


def test_artifact_is_uploaded_and_the_second_run_only_reads(every: FakeMender, run: Run, src: str) -> None:
    given = {"src": src, "description": "first ü\nline"}
    first = run(module, every, diff_mode=True, **given)
    assert first.error is None, first.result
    assert first.result["changed"]
    [[*parts]] = every.parts
    assert [name for name, _data in parts] == ["description", "artifact"], "the server reads no further than artifact"
    assert parts[1][1] == Path(src).read_bytes()
    found = first.result["artifact"]
    assert (found["name"], found["description"]) == ("rel-1", "first ü\nline")
    [stored] = every.artifacts
    assert found["id"] == stored
    after = first.result["diff"]["after"]["rel-1 (dt-a)"]
    assert after["checksums"] == {"payload.txt": read_artifact(src).files[0].sha256}
    second = run(module, every, **given)
    assert (second.result["changed"], second.result["artifact"]) == (False, found)
    assert every.writes == [UPLOAD]


def test_check_mode_shows_what_would_be_and_writes_nothing(mender: FakeMender, run: Run, src: str) -> None:
    done = run(module, mender, check_mode=True, src=src, description="d")
    assert done.result["changed"]
    planned = done.result["artifact"]
    assert mender.writes == []
    real = run(module, mender, src=src, description="d").result["artifact"]
    # only the server tells
    for payload in real["payloads"]:
        payload["files"] = [{**file, "date": None} for file in payload["files"]]
    assert planned == {**real, "id": None, "modified": None}


def test_new_description_is_written(every: FakeMender, run: Run, src: str) -> None:
    id = every.add(description="old")["id"]
    planned = run(module, every, check_mode=True, src=src, description="new")
    assert planned.result["artifact"]["description"] == "new"
    assert every.writes == []
    done = run(module, every, diff_mode=True, src=src, description="new")
    assert (done.result["changed"], done.result["artifact"]["description"]) == (True, "new")
    assert done.result["diff"] == {
        "before": {"rel-1 (dt-a)": {"description": "old"}},
        "after": {"rel-1 (dt-a)": {"description": "new"}},
    }
    assert every.writes == [f"PUT /v1/artifacts/{id}"]
    # not given: it stays
    assert not run(module, every, src=src).result["changed"]
    assert run(module, every, src=src, description="").result["artifact"]["description"] is None


def test_description_of_a_used_artifact_stays(mender: FakeMender, run: Run, src: str) -> None:
    mender.used.add(mender.add(description="old")["id"])
    done = run(module, mender, src=src, description="new")
    assert done.result["msg"] == (
        "Cannot change the description of artifact 'rel-1': Image has already been used in deployment. (HTTP 422) An "
        "artifact that was used in a deployment, even a finished one, keeps its description: leave description out, or "
        "give the present one, 'old'."
    )
    assert done.result["error"]["request_id"] == "6048f5fe"


def test_other_device_types_of_the_name_make_a_release(mender: FakeMender, run: Run, src: str) -> None:
    mender.add(Written(device_types=("dt-b",)))
    assert run(module, mender, src=src).result["changed"]
    assert len(mender.artifacts) == 2


def test_other_depends_of_the_name_are_another_artifact(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    # only for the fake are they the same
    mender.add(Written(depends={"artifact_name": ["rel-0"]}))
    done = run(module, mender, src=Written(depends={"artifact_name": ["rel-9"]}).save(tmp_path / "a.mender"))
    assert mender.writes == [UPLOAD], "the server decides"
    assert done.result["msg"] == f"Cannot upload artifact 'rel-1': {TAKEN}. (HTTP 409)"


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "checksum": ({"files": {"payload.txt": b"HELLO\n"}}, "the checksum of the file payload.txt differs"),
    "file": ({"files": {"other": b"hello\n"}}, "only it has the file other; only src has the file payload.txt"),
    "type": ({"type": "deb"}, "its payload is of type deb, and that of src of type script"),
    "provides": ({"provides": {"k": "v"}}, "what it provides differs"),
    "clears": ({"clears": ["other.*"]}, "what it clears provides differs"),
    "device types": ({"device_types": ("dt-a", "dt-b")}, "it is for dt-a, dt-b, and src for dt-a"),
    "version": ({"version": 2}, "its format is version 2, and that of src 3"),
    "signature": ({"signed": True}, "it is signed, and src is not"),
}


@pytest.mark.parametrize("change, words", DIFFERENT.values(), ids=DIFFERENT)
def test_another_artifact_of_the_name_is_a_conflict(
    mender: FakeMender, run: Run, src: str, change: dict[str, Any], words: str
) -> None:
    id = mender.add(Written(**change))["id"]
    for check_mode in (True, False):
        done = run(module, mender, check_mode=check_mode, src=src, description="d")
        assert done.error is not None
        message = done.result["msg"]
        assert message.startswith(
            f"src is '{src}', and the server has another artifact 'rel-1' for the device types dt-a"
        )
        assert f"(id {id}): " in message
        assert words in message
        assert message.endswith(
            "Artifacts never change: give the new content a new name, or remove the one on the server first."
        )
        assert done.result["error"]["code"] == "conflict"
    assert mender.writes == []


@pytest.mark.parametrize(
    "change, same",
    [({"mtime": 1}, True), ({"scripts": {"ArtifactCommit_Enter_00": b"x"}}, True), ({"provides": {"k": "v"}}, False)],
)
def test_content_comparison_does_not_see_a_rebuild(
    mender: FakeMender, run: Run, src: str, change: dict[str, Any], same: bool
) -> None:
    mender.add(Written(**change))
    assert (run(module, mender, src=src).error is None) is same


def test_basic_comparison_looks_at_name_and_types_only(mender: FakeMender, run: Run, src: str) -> None:
    mender.add(Written(device_types=("dt-b", "dt-a"), files={"payload.txt": b"other"}))
    assert not run(module, mender, src=src, compare="basic").result["changed"]
    mender.artifacts.clear()
    mender.add(Written(device_types=("dt-a",)))
    both = Written(device_types=("dt-a", "dt-c")).save(Path(src))
    done = run(module, mender, src=both, compare="basic")
    assert "it is not for dt-c" in done.result["msg"]
    assert mender.writes == []


def test_strict_comparison_wants_the_very_same_file(mender: FakeMender, run: Run, src: str) -> None:
    mender.add()
    assert not run(module, mender, src=src, compare="strict").result["changed"]
    [request] = mender.storage.requests
    assert request.headers["range"] == "bytes=0-65535"
    assert "authorization" not in request.headers
    mender.artifacts.clear()
    mender.add(Written(mtime=1))
    done = run(module, mender, src=src, compare="strict")
    assert "(id " in done.result["msg"]
    assert ": the checksum of header.tar.gz differs." in done.result["msg"]
    mender.artifacts.clear()
    mender.add(Written(scripts={"ArtifactCommit_Enter_00": random.Random(1).randbytes(20_000)}))
    done = run(module, mender, src=src, compare="strict")
    assert "bytes, that in src" in done.result["msg"]
    assert mender.writes == []


def test_strict_comparison_sees_another_signature(mender: FakeMender, run: Run, tmp_path: Path) -> None:
    written = Written(signed=True)
    entries = [(name, data[::-1] if name == "manifest.sig" else data) for name, data in written.entries()]
    mender._store(tar(entries, written.mtime), "")
    src = written.save(tmp_path / "a.mender")
    assert run(module, mender, src=src).error is None
    assert ": its signature differs." in run(module, mender, src=src, compare="strict").result["msg"]


def test_strict_comparison_reads_on_where_headers_are_long(
    mender: FakeMender, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.fleet.deploy.plugins.module_utils._mender import uploads

    monkeypatch.setattr(uploads, "HEAD", 700)
    written = Written(signed=True, compression="none")
    mender.add(written)
    done = run(module, mender, src=written.save(tmp_path / "a.mender"), compare="strict")
    assert done.error is None
    assert len(mender.storage.requests) > 3
    mender.ranges = False
    assert run(module, mender, src=str(tmp_path / "a.mender"), compare="strict").error is None


def test_strict_comparison_of_a_file_that_is_none(mender: FakeMender, run: Run, src: str) -> None:
    item = mender.add()
    mender.blobs[item["id"]] = b"x" * item["size"]
    done = run(module, mender, src=src, compare="strict")
    assert "its file on the server cannot be read, it is no tar archive, or damaged" in done.result["msg"]


def test_document_of_2020_shows_files_at_the_top_level(run: Run, src: str) -> None:
    with FakeMender("seed") as mender:
        item = mender.add()
        assert item["files"]
        assert "updates" not in item
        assert not run(module, mender, src=src).result["changed"]
        item["files"][0]["checksum"] = "0" * 64
        assert "checksum of the file payload.txt differs" in run(module, mender, src=src).result["msg"]
        # a checksum of another kind says nothing
        item["files"][0]["checksum"] = "cc436f982bc60a8255fe1926a450db5f195a19ad"
        assert not run(module, mender, src=src).result["changed"]
        item["files"][0]["size"] = 7
        assert "size of the file payload.txt differs" in run(module, mender, src=src).result["msg"]


def test_what_the_server_does_not_tell_is_not_compared(src: str) -> None:
    local = read_artifact(src)
    bare: Mapping[str, Any] = {"name": "rel-1", "device_types_compatible": ["dt-a"]}
    assert differences(local, bare) == []
    assert differences(local, {**bare, "name": "other"}) == ["its name is 'other'"]
    assert differences(local, {**bare, "updates": []}) == ["it has no payload"]
    assert differences(local, {**bare, "updates": [{}, {}]}) == ["it has 2 payloads, and src has 1"]
    assert differences(local, {**bare, "signed": False, "artifact_depends": {"device_type": "dt-a", "x": None}}) == []


def test_stored_content_is_compared(mender: FakeMender, run: Run, src: str) -> None:
    mender.garble = True
    done = run(module, mender, src=src)
    assert done.result["msg"].startswith(
        "Artifact 'rel-1' was uploaded, but the server stored something else: the checksum of the file payload.txt"
    )
    assert done.result["error"]["code"] == "rejected"


# -- names that are patterns to a server -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rel*", "a.b+c[1]", "(x", ".*", "ü", "a\\b", "a\\*", "rel-1 (2)"])
def test_names_are_taken_as_they_are(every: FakeMender, run: Run, tmp_path: Path, name: str) -> None:
    for other in ("relX", "aXb+c1", "x", "rel-1", "rel-1 (22)"):
        every.add(Written(name=other))
    src = Written(name=name).save(tmp_path / "a.mender")
    assert run(module, every, src=src).result["changed"]
    assert not run(module, every, src=src).result["changed"]
    assert every.writes == [UPLOAD]


# -- mistakes --------------------------------------------------------------------------------------------------


def test_mistakes_are_named_and_nothing_is_written(mender: FakeMender, run: Run, raw: str, tmp_path: Path) -> None:
    types = "generate.device_types_compatible"
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"src": str(tmp_path / "no")},
            (
                f"src is '{tmp_path}/no', which cannot be read (No such file or directory): give a file on the host "
                "where the module runs, usually the controller."
            ),
        ),
        (
            {"src": raw},
            (
                f"src is '{raw}', which is not a usable Mender artifact: it is no tar archive, or is cut off. Give a "
                ".mender file as mender-artifact writes it."
            ),
        ),
        (
            {"src": raw, "compare": "strict", "generate": {"name": "a", "device_types_compatible": ["b"]}},
            (
                "compare is 'strict', which does not go with generate, since the server makes the artifact: set it to "
                "'content' or 'basic'."
            ),
        ),
        (
            {"src": raw, "generate": {"name": " ", "device_types_compatible": ["b"]}},
            "generate.name is ' ': give 1 to 256 characters.",
        ),
        (
            {"src": raw, "generate": {"name": "a", "device_types_compatible": ["b" * 257]}},
            f"{types} is '{'b' * 257}': give 1 to 256 characters.",
        ),
        (
            {"src": raw, "generate": {"name": "a", "device_types_compatible": ["b,c"]}},
            f"{types} has 'b,c': the server splits it at commas and cuts blanks off; give one device type an entry.",
        ),
        (
            {"src": raw, "generate": {"name": "a", "device_types_compatible": []}},
            f"{types} is empty: give at least one device type.",
        ),
    ]
    for given, message in cases:
        done = run(module, mender, **given)
        assert done.result["msg"] == message
        assert done.result["error"]["code"] == "invalid_input"
    assert mender.writes == []


@pytest.mark.parametrize(
    "status, text, hint",
    [
        (400, "reading artifact error", ""),
        (413, "too large", " It is larger than the server accepts."),
        (500, "internal error", ""),
    ],
)
def test_refusals_of_the_server(mender: FakeMender, run: Run, src: str, status: int, text: str, hint: str) -> None:
    mender.refuse[UPLOAD] = error(status, text)
    done = run(module, mender, src=src)
    assert done.result["msg"] == f"Cannot upload artifact 'rel-1': {text}.{hint} (HTTP {status})"
    assert done.result["error"]["request_id"] == "6048f5fe"
    assert mender.writes == [UPLOAD]


# -- broken connections and others at work ---------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["before", "after"])
def test_upload_has_one_effect(every: FakeMender, run: Run, src: str, fault: str) -> None:
    every.fault = fault
    done = run(module, every, src=src, description="d")
    assert done.error is None, done.result
    assert (done.result["changed"], done.result["artifact"]["description"]) == (True, "d")
    assert len(every.artifacts) == 1
    assert every.writes == [UPLOAD] * (2 if fault == "before" else 1)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_description_has_one_effect(mender: FakeMender, run: Run, src: str, fault: str) -> None:
    mender.add(description="old")
    mender.fault = fault
    done = run(module, mender, src=src, description="new")
    assert (done.result["changed"], done.result["artifact"]["description"]) == (True, "new")
    assert len(mender.writes) == (2 if fault == "before" else 1)


def race(mender: FakeMender, written: Written, write: str = UPLOAD) -> None:
    """Let somebody else bring an artifact in the moment before it is uploaded."""

    def before(line: str) -> None:
        if line == write and not mender.artifacts:
            mender.add(written, description="theirs")

    mender.before = before


@pytest.mark.parametrize("status", [409, 422])
def test_same_artifact_from_somebody_else_is_fine(mender: FakeMender, run: Run, src: str, status: int) -> None:
    race(mender, Written())
    mender.refuse[UPLOAD] = error(status, "the words have changed three times")
    done = run(module, mender, src=src)
    assert (done.error, done.result["changed"]) == (None, False)
    assert len(mender.artifacts) == 1


def test_description_is_written_to_the_artifact_of_somebody_else(mender: FakeMender, run: Run, src: str) -> None:
    race(mender, Written())
    done = run(module, mender, src=src, description="ours")
    assert (done.result["changed"], done.result["artifact"]["description"]) == (True, "ours")
    assert [line.partition(" ")[0] for line in mender.writes] == ["POST", "PUT"]


def test_other_artifact_from_somebody_else_is_a_conflict(mender: FakeMender, run: Run, src: str) -> None:
    race(mender, Written(files={"payload.txt": b"other"}))
    done = run(module, mender, src=src)
    assert "the checksum of the file payload.txt differs" in done.result["msg"]
    assert done.result["error"]["code"] == "conflict"


def test_location_that_leads_nowhere_is_looked_behind(mender: FakeMender, run: Run, src: str) -> None:
    mender.location = "/somewhere/else"
    done = run(module, mender, src=src)
    assert done.result["artifact"]["id"] in mender.artifacts


def test_file_that_changes_meanwhile_is_noticed(mender: FakeMender, run: Run, src: str) -> None:
    def before(line: str) -> None:
        if line == "GET /v2/artifacts":
            Written(files={"payload.txt": b"HELLO\n"}).save(Path(src))

    mender.before = before
    assert "the server stored something else" in run(module, mender, src=src).result["msg"]


# -- generating ------------------------------------------------------------------------------------------------


def wanted(**changes: Any) -> dict[str, Any]:
    """Return the option generate."""
    args = {"dest_dir": "/etc"}
    return {"name": "settings-7", "device_types_compatible": ["dt-a", "dt-b"], "args": args, **changes}


def test_artifact_is_generated_and_waited_for(every: FakeMender, run: Run, raw: str) -> None:
    every.slow_worker = 4
    given = {"src": raw, "description": "d", "generate": wanted(args={"filename": "s.json", "dest_dir": "/etc"})}
    first = run(module, every, **given)
    assert first.error is None, first.result
    [[*parts]] = every.parts
    assert [name for name, _data in parts] == ["name", "description", "device_types_compatible", "type", "args", "file"]
    fields = dict(parts)
    assert (fields["device_types_compatible"], fields["type"]) == (b"dt-a,dt-b", b"single_file")
    assert json.loads(fields["args"]) == {"filename": "s.json", "dest_dir": "/etc"}
    assert fields["file"] == Path(raw).read_bytes()
    found = first.result["artifact"]
    assert (first.result["changed"], found["name"], found["description"]) == (True, "settings-7", "d")
    assert found["id"] in every.artifacts
    second = run(module, every, **given)
    assert (second.result["changed"], second.result["artifact"]) == (False, found)
    assert every.writes == [GENERATE]


@pytest.mark.parametrize(
    "args, words",
    [
        (None, "dest_dir is not set: give the absolute path of the folder on the device for the file."),
        ({"filename": "x"}, "dest_dir is not set: give the absolute path of the folder on the device for the file."),
        ({"dest_dir": "etc"}, "dest_dir is 'etc': give the absolute path of the folder on the device for the file."),
        ({"dest_dir": 7}, "dest_dir is '7': give the absolute path of the folder on the device for the file."),
        ({"dest_dir": "/", "filename": "a/b"}, "filename is 'a/b': give the name of the file on the device, no path."),
        ({"dest_dir": "/", "filename": ""}, "filename is '': give the name of the file on the device, no path."),
    ],
)
def test_arguments_that_the_worker_cannot_use(
    mender: FakeMender, run: Run, raw: str, args: dict[str, Any] | None, words: str
) -> None:
    done = run(module, mender, src=raw, generate=wanted(args=args))
    assert done.result["msg"] == f"generate.args.{words}"
    assert mender.lines == []


def test_generating_can_go_on_without_waiting(mender: FakeMender, run: Run, raw: str) -> None:
    mender.silent_worker = True
    done = run(module, mender, src=raw, generate=wanted(), wait=False)
    assert json.loads(dict(mender.parts[0])["args"]) == {"dest_dir": "/etc", "filename": "settings.json"}
    assert (done.result["changed"], done.result["artifact"]["id"]) == (True, None)
    assert done.result["artifact"]["device_types_compatible"] == ["dt-a", "dt-b"]


def test_generating_that_fails_silently_ends_the_wait(mender: FakeMender, run: Run, raw: str) -> None:
    mender.silent_worker = True
    done = run(module, mender, src=raw, generate=wanted(), wait_timeout=0)
    assert done.result["error"]["code"] == "wait_timeout"
    assert done.result["msg"].startswith("Waited 0 seconds for the server to generate artifact 'settings-7', which is")
    assert done.result["msg"].endswith("look into the log of its create-artifact-worker, and check the args.")
    assert (done.result["last_state"], done.result["attach"]["src"]) == (None, raw)
    # the server has it in its queue
    assert done.result["changed"]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_generating_has_one_effect(mender: FakeMender, run: Run, raw: str, fault: str) -> None:
    mender.fault = fault
    done = run(module, mender, src=raw, generate=wanted())
    assert done.error is None, done.result
    assert done.result["changed"]
    assert len(mender.artifacts) == 1


def test_generated_artifact_with_other_content_is_a_conflict(mender: FakeMender, run: Run, raw: str) -> None:
    mender.add(Written(name="settings-7", device_types=("dt-a", "dt-b"), type="single-file"))
    done = run(module, mender, src=raw, generate=wanted())
    assert "none of its files has the checksum of src" in done.result["msg"]
    assert not run(module, mender, src=raw, generate=wanted(), compare="basic").result["changed"]
    fewer = run(module, mender, src=raw, generate=wanted(device_types_compatible=["dt-a"]))
    assert "it is for dt-a, dt-b" in fewer.result["msg"]
    assert mender.writes == []


def test_check_mode_of_generating(mender: FakeMender, run: Run, raw: str) -> None:
    done = run(module, mender, check_mode=True, diff_mode=True, src=raw, generate=wanted())
    assert done.result["changed"]
    assert done.result["artifact"]["payloads"][0]["type"] == "single_file"
    assert list(done.result["diff"]["after"]) == ["settings-7 (dt-a, dt-b)"]
    assert mender.writes == []
