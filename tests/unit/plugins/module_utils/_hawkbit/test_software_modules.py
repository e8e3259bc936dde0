"""Software modules: what is refused before the first write, what is uploaded, what a broken connection leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.software_modules import local_files
from ansible_collections.fleet.deploy.plugins.modules import hawkbit_software_module as module

from .conftest import Run
from .repository import Repository

OLD, NEW = b"the old content", b"the new content"


@pytest.fixture
def repository() -> Iterator[Repository]:
    """An empty repository."""
    found = Repository()
    with found.server:
        yield found


@pytest.fixture
def image(tmp_path: Path) -> str:
    """Path of a file with the new content."""
    path = tmp_path / "image.bin"
    path.write_bytes(NEW)
    return str(path)


def artifact(src: str, filename: str | None = None) -> dict[str, Any]:
    """Return an entry of the option."""
    return {"src": src, "filename": filename}


# -- creating and uploading ------------------------------------------------------------------------------------


def test_module_is_created_and_the_second_run_only_reads(repository: Repository, run: Run, image: str) -> None:
    given = {
        "name": "fw",
        "version": "1",
        "type": "os",
        "vendor": "V",
        "description": "two\nlines\n",
        "artifacts": [artifact(image, "fw ü.bin")],
    }
    first = run(module, repository.server.url, diff_mode=True, **given)
    assert first.error is None
    assert first.result["changed"]
    found = first.result["software_module"]
    assert (found["id"], found["description"], found["vendor"]) == ("1", "two\nlines", "V")
    sha256 = hashlib.sha256(NEW).hexdigest()
    [stored] = found["artifacts"]
    assert (stored["filename"], stored["size"], stored["sha256"]) == ("fw ü.bin", len(NEW), sha256)
    assert first.result["diff"]["after"]["fw:1"]["artifacts"] == {"fw ü.bin": sha256}
    assert repository.writes == ["POST /softwaremodules", "POST /softwaremodules/1/artifacts"]
    second = run(module, repository.server.url, **given)
    assert not second.result["changed"]
    assert second.result["software_module"] == found
    assert len(repository.writes) == 2


def test_check_mode_shows_what_would_be_and_writes_nothing(repository: Repository, run: Run, image: str) -> None:
    given = {"name": "fw", "version": "1", "type": "os", "artifacts": [artifact(image)]}
    done = run(module, repository.server.url, check_mode=True, **given)
    assert done.result["changed"]
    found = done.result["software_module"]
    assert (found["id"], found["name"]) == (None, "fw")
    [planned] = found["artifacts"]
    assert planned == {
        "id": None,
        "filename": "image.bin",
        "size": len(NEW),
        "sha256": hashlib.sha256(NEW).hexdigest(),
        "sha1": None,
        "md5": None,
    }
    assert repository.writes == []


def test_other_content_is_removed_then_uploaded(repository: Repository, run: Run, image: str) -> None:
    number = repository.add_module("fw")
    # the server takes the names for the same
    repository.add_artifact(number, "IMAGE.bin", OLD)
    repository.add_artifact(number, "other.bin", OLD)
    done = run(module, repository.server.url, name="fw", version="1", artifacts=[artifact(image)])
    assert done.result["changed"]
    assert repository.writes == [
        f"DELETE /softwaremodules/1/artifacts/{number + 1}",
        "POST /softwaremodules/1/artifacts",
    ]
    assert [item["providedFilename"] for item in repository.artifacts[number]] == ["other.bin", "image.bin"]


@pytest.mark.parametrize("purge, left", [(False, ["image.bin", "other.bin"]), (True, ["image.bin"])])
def test_other_artifacts_go_only_when_asked(
    repository: Repository, run: Run, image: str, purge: bool, left: list[str]
) -> None:
    number = repository.add_module("fw")
    repository.add_artifact(number, "image.bin", NEW)
    repository.add_artifact(number, "other.bin", OLD)
    given = {"name": "fw", "version": "1", "artifacts": [artifact(image)], "purge_artifacts": purge}
    done = run(module, repository.server.url, **given)
    assert done.result["changed"] is purge
    assert [item["filename"] for item in done.result["software_module"]["artifacts"]] == left


def test_only_differing_texts_are_sent(repository: Repository, run: Run) -> None:
    number = repository.add_module("fw", description="old", vendor="V")
    done = run(module, repository.server.url, name="fw", version="1", description="", vendor=" V ")
    assert done.result["changed"]
    assert done.result["software_module"]["description"] is None
    assert repository.requests[1].line.startswith("GET")
    assert [request.json for request in repository.requests if request.method == "PUT"] == [{"description": ""}]
    assert repository.modules[number]["vendor"] == "V"


# -- what is refused before the first write --------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"version": "9"},
            (
                "type is not set, and there is no software module 'fw' version '9' yet: give the type's key, one of "
                "'application', 'os'."
            ),
        ),
        (
            {"version": "9", "type": "no"},
            "type is 'no', which the server does not know: give one of 'application', 'os'.",
        ),
        (
            {"name": "two"},
            (
                "Software module 'two' version '1' is there several times, with the types 'application', 'os': give "
                "its type too."
            ),
        ),
        ({"name": " fw"}, "name is ' fw': hawkBit cuts blanks at the ends off, so give it without them."),
        ({"version": ""}, "version is empty: give at least one character."),
        ({"version": "v" * 65}, "version is 65 characters long: 64 is the most."),
        (
            {"vendor": "<b>V</b>"},
            "vendor is '<b>V</b>', which looks like HTML: hawkBit refuses that, so leave out the <>.",
        ),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    repository: Repository, run: Run, given: dict[str, Any], message: str
) -> None:
    repository.add_module("two")
    repository.add_module("two", type_key="application")
    done = run(module, repository.server.url, **{"name": "fw", "version": "1", **given})
    assert done.result["msg"] == message
    assert done.result["error"]["code"] == "invalid_input"
    assert repository.writes == []


def test_locked_module_keeps_its_artifacts(repository: Repository, run: Run, image: str) -> None:
    number = repository.add_module("fw", locked=True)
    repository.add_artifact(number, "image.bin", OLD)
    done = run(module, repository.server.url, name="fw", version="1", artifacts=[artifact(image)])
    assert done.result["msg"] == (
        "Software module 'fw' version '1' is locked, since it is part of a distribution set that was assigned, so its "
        "artifacts cannot be changed (image.bin): give the new content a new version."
    )
    assert repository.writes == []
    # what is the same already, and the texts, are no change of the artifacts
    repository.artifacts[number] = []
    repository.add_artifact(number, "image.bin", NEW)
    fine = run(module, repository.server.url, name="fw", version="1", description="x", artifacts=[artifact(image)])
    assert fine.error is None
    assert repository.writes == ["PUT /softwaremodules/1"]


def test_name_of_a_hidden_module_is_used_up(repository: Repository, run: Run) -> None:
    repository.hidden.add("fw")
    done = run(module, repository.server.url, name="fw", version="1", type="os")
    assert done.result["msg"] == (
        "Cannot create software module 'fw' version '1': this name and version are used up, because such an object was "
        "removed after it had been in use, and hawkBit keeps those hidden; give a new version."
    )
    assert done.result["error"]["code"] == "conflict"


def test_files_that_cannot_be_uploaded(tmp_path: Path) -> None:
    good, empty = tmp_path / "good", tmp_path / "empty"
    good.write_bytes(NEW)
    empty.touch()
    usually = "give a file on the host where the module runs, usually the controller."
    unusable = "a device could not download it; leave out / \\ ; % and control characters, and do not use '.' or '..'."
    cases = [
        (
            [artifact(str(tmp_path / "no"))],
            f"src is '{tmp_path}/no', which cannot be read (No such file or directory): {usually}",
        ),
        (
            [artifact(str(tmp_path))],
            f"src is '{tmp_path}', which is a folder: give a file, such as an archive of the folder.",
        ),
        ([artifact("/dev/null")], "src is '/dev/null', which is not an ordinary file: give a file."),
        (
            [artifact(str(empty))],
            f"src is '{empty}', which is empty: hawkBit refuses empty files; give one with content.",
        ),
        ([artifact(str(good), "")], "filename is '': give 1 to 256 characters."),
        ([artifact(str(good), "f" * 257)], f"filename is '{'f' * 257}': give 1 to 256 characters."),
        *(
            ([artifact(str(good), name)], f"filename is {name!r}: {unusable}")
            for name in ("a/b", "a\\b", "a;b", "a%b", "a\nb", "..")
        ),
        (
            [artifact(str(good), "a"), artifact(str(empty.with_name("good")), "A")],
            (
                f"artifacts names 'A' twice (src '{good}' and '{good}'): hawkBit takes each name once, upper and "
                f"lower case being the same; set another filename."
            ),
        ),
    ]
    for given, message in cases:
        with pytest.raises(InvalidInput) as caught:
            local_files(given)
        assert str(caught.value) == message


# -- removing --------------------------------------------------------------------------------------------------


def test_removed_module_and_one_that_is_only_hidden(repository: Repository, run: Run) -> None:
    given = {"name": "fw", "version": "1", "state": "absent"}
    assert not run(module, repository.server.url, **given).result["changed"]
    repository.add_module("fw")
    gone = run(module, repository.server.url, **given)
    assert (gone.result["changed"], gone.result["software_module"], gone.warnings) == (True, None, [])
    number = repository.add_module("fw")
    repository.add_set("set", number)
    hidden = run(module, repository.server.url, **given)
    assert hidden.warnings == [
        (
            "Software module 'fw' version '1' belongs to a distribution set, so the server only hides it: its name and "
            "version cannot be used again."
        )
    ]
    # a release without locks lists it still
    assert not run(module, repository.server.url, **given).result["changed"]


def test_module_of_a_locked_set_is_not_removed(repository: Repository, run: Run) -> None:
    number = repository.add_module("fw", locked=True)
    repository.add_set("set", number, locked=True)
    done = run(module, repository.server.url, name="fw", version="1", state="absent")
    assert done.result["msg"] == (
        "Software module 'fw' version '1' is locked by distribution set 'set' version '1', which was assigned already: "
        "remove that first."
    )
    assert repository.writes == []


# -- broken connections ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("step", ["create", "update", "upload", "replace", "remove"])
def test_each_write_has_one_effect(repository: Repository, run: Run, image: str, step: str, fault: str) -> None:
    given: dict[str, Any] = {"name": "fw", "version": "1", "type": "os"}
    if step != "create":
        number = repository.add_module("fw")
        if step == "replace":
            repository.add_artifact(number, "image.bin", OLD)
    if step == "update":
        given["description"] = "new"
    if step in ("upload", "replace"):
        given["artifacts"] = [artifact(image)]
    if step == "remove":
        given["state"] = "absent"
    repository.fault = fault
    done = run(module, repository.server.url, **given)
    assert done.error is None
    assert done.result["changed"]
    assert len(repository.modules) == (0 if step == "remove" else 1)
    for number, stored in repository.artifacts.items():
        if number in repository.modules and "artifacts" in given:
            assert [item["hashes"]["sha256"] for item in stored] == [hashlib.sha256(NEW).hexdigest()]
    # what was done is not sent again
    first = repository.writes[0]
    assert repository.writes.count(first) == (2 if fault == "before" else 1)


def test_stored_content_is_compared(repository: Repository, run: Run, image: str) -> None:
    repository.add_module("fw")
    repository.garble = True
    done = run(module, repository.server.url, name="fw", version="1", artifacts=[artifact(image)])
    sha256, other = hashlib.sha256(NEW).hexdigest(), hashlib.sha256(b"other").hexdigest()
    assert done.result["msg"].startswith(
        f"Artifact 'image.bin' was uploaded with sha256 {sha256}, but the server stored {other}:"
    )
