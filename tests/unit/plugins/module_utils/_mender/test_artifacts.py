"""Artifacts on the server: finding them on every version of it, describing, removing, links."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._mender.artifacts import describe, matches, meta_data
from ansible_collections.fleet.deploy.plugins.modules import artifact as module
from ansible_collections.fleet.deploy.plugins.modules import artifact_info as info
from servers.artifact_writer import Written
from servers.scripted import ScriptedServer, answer

from .conftest import Run
from .fake import FakeMender, error

UNKNOWN = "0c13a0e6-6b63-475d-8260-ee42a590e8ff"


# -- reading ---------------------------------------------------------------------------------------------------


def fill(mender: FakeMender) -> None:
    """Store a few artifacts."""
    for name, types, description in (
        ("rel-2", ["dt-a"], "second"),
        ("rel-1", ["dt-c"], "first, c"),
        ("rel-1", ["dt-a", "dt-b"], "first"),
        ("REL-1", ["dt-x"], ""),
        ("my.rel-1", ["xdt-a"], "x"),
    ):
        mender.add(Written(name=name, device_types=types), description)


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ({}, ["REL-1 dt-x", "my.rel-1 xdt-a", "rel-1 dt-a dt-b", "rel-1 dt-c", "rel-2 dt-a"]),
        ({"name": "rel-1"}, ["rel-1 dt-a dt-b", "rel-1 dt-c"]),
        ({"name": "rel-*"}, ["rel-1 dt-a dt-b", "rel-1 dt-c", "rel-2 dt-a"]),
        ({"name": "my.rel-1"}, ["my.rel-1 xdt-a"]),
        ({"name": "my*rel-1"}, []),
        ({"name": "*"}, ["REL-1 dt-x", "my.rel-1 xdt-a", "rel-1 dt-a dt-b", "rel-1 dt-c", "rel-2 dt-a"]),
        ({"device_type": "dt-a"}, ["rel-1 dt-a dt-b", "rel-2 dt-a"]),
        ({"device_type": "dt-*", "name": "rel-1"}, ["rel-1 dt-a dt-b", "rel-1 dt-c"]),
        ({"description": "first"}, ["rel-1 dt-a dt-b"]),
        ({"description": "first*"}, ["rel-1 dt-a dt-b", "rel-1 dt-c"]),
        ({"description": ""}, ["REL-1 dt-x"]),
        ({"name": "none"}, []),
        ({"limit": 1}, ["REL-1 dt-x"]),
        ({"limit": 0}, []),
    ],
)
def test_filters_mean_the_same_on_every_version(
    every: FakeMender, run: Run, wanted: dict[str, Any], expected: list[str]
) -> None:
    fill(every)
    done = run(info, every, **wanted)
    found = [" ".join([item["name"], *item["device_types_compatible"]]) for item in done.result["artifacts"]]
    assert (done.result["changed"], found) == (False, expected)
    assert every.writes == []


def test_one_by_its_id(every: FakeMender, run: Run) -> None:
    fill(every)
    id = every.add(Written(name="rel-9"))["id"]
    [found] = run(info, every, id=id).result["artifacts"]
    assert found["name"] == "rel-9"
    assert run(info, every, id=UNKNOWN).result["artifacts"] == []
    wrong = run(info, every, id="list")
    assert wrong.result["msg"] == f"id is 'list': give a UUID such as {UNKNOWN}."
    assert run(info, every, limit=-1).result["msg"] == "limit is -1: give 0 or more."


def test_thousand_artifacts_take_few_requests(mender: FakeMender, run: Run) -> None:
    for number in range(1001):
        mender.artifacts[str(number)] = {"id": str(number), "name": f"a{number:04}"}
    assert len(run(info, mender).result["artifacts"]) == 1001
    assert len(mender.lines) <= 5


def test_description_has_all_keys(every: FakeMender, run: Run) -> None:
    item = every.add(Written(), "text")
    [found] = run(info, every).result["artifacts"]
    seed = every.generation == "seed"
    assert found == {
        "id": item["id"],
        "name": "rel-1",
        "description": "text",
        "device_types_compatible": ["dt-a"],
        "format": None if seed else "mender",
        "format_version": None if seed else 3,
        "signed": False,
        "size": item["size"],
        "modified": "2026-11-20T07:51:01.733Z",
        "payloads": [
            {
                "type": "script",
                "meta_data": {},
                "files": [
                    {
                        "name": "payload.txt",
                        "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
                        "size": 6,
                        "date": "2026-11-20T07:39:49Z",
                    }
                ],
            }
        ],
        "provides": None if seed else {"artifact_name": "rel-1", "rootfs-image.script.version": "rel-1"},
        "depends": None if seed else {"device_type": ["dt-a"]},
        "clears_provides": None if seed else ["rootfs-image.script.*"],
    }
    assert set(describe({})) == set(found)


@pytest.mark.parametrize(
    "told, expected",
    [
        (None, {}),
        ([], {}),
        ({"a": 1}, {"a": 1}),
        ([{"Key": "a", "Value": 1}], {"a": 1}),
        ([{"Key": "a", "Value": [{"Key": "b", "Value": ["c", None]}]}], {"a": {"b": ["c", None]}}),
        ([{"Key": "a", "Value": []}, {"Key": "b", "Value": {"Key": "c"}}], {"a": [], "b": {"Key": "c"}}),
        (["a", {"Key": "b", "Value": 1}], ["a", {"Key": "b", "Value": 1}]),
    ],
)
def test_meta_data_are_what_the_file_says(told: Any, expected: Any) -> None:
    assert meta_data(told) == expected


@pytest.mark.parametrize(
    "value, pattern, expected",
    [
        ("ab", "ab", True),
        ("ab", "a*", True),
        ("ab", "*", True),
        ("ab", "b*", False),
        ("a*", "a*", True),
        ("ab", "a", False),
    ],
)
def test_patterns(value: str, pattern: str, expected: bool) -> None:
    assert matches(value, pattern) is expected


def test_mender_without_any_list_is_none(run: Run) -> None:
    with ScriptedServer(default=answer(404, json={"error": "Resource not found"})) as server:
        assert "does not behave like Mender" in run(info, server.url).result["msg"]


# -- describing ------------------------------------------------------------------------------------------------


def test_description_is_changed_once(every: FakeMender, run: Run) -> None:
    id = every.add(description="old")["id"]
    given = {"name": "rel-1", "description": "new"}
    planned = run(module, every, check_mode=True, diff_mode=True, **given)
    assert planned.result["artifact"]["description"] == "new"
    assert planned.result["diff"]["before"] == {"rel-1 (dt-a)": {"description": "old"}}
    assert every.writes == []
    assert run(module, every, **given).result["changed"]
    second = run(module, every, **given)
    assert (second.result["changed"], second.result["artifact"]["description"]) == (False, "new")
    assert every.writes == [f"PUT /v1/artifacts/{id}"]
    assert run(module, every, id=id, description="").result["artifact"]["description"] is None


def test_without_anything_to_do_it_is_only_looked_at(mender: FakeMender, run: Run) -> None:
    id = mender.add()["id"]
    done = run(module, mender, id=id)
    assert (done.result["changed"], done.result["artifact"]["id"]) == (False, id)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"name": "no"}, "name is 'no', but there is no such artifact on the server: upload it first."),
        ({"id": UNKNOWN}, f"id is '{UNKNOWN}', but there is no such artifact on the server: upload it first."),
        (
            {"name": "rel-1", "device_types_compatible": ["x", "dt-a"]},
            (
                "name is 'rel-1', but there is no such artifact for the device types 'dt-a', 'x' on the server: upload "
                "it first."
            ),
        ),
        ({"id": "x"}, f"id is 'x': give a UUID such as {UNKNOWN}."),
        (
            {"name": "rel-1", "state": "absent", "description": "x"},
            "description is set, but state is 'absent': leave it out, or set state to 'present'.",
        ),
        (
            {"name": "rel-1", "state": "absent", "link_only": True},
            "link_only is set, but state is 'absent': leave it out, or set state to 'present'.",
        ),
        (
            {"name": "rel-1", "dest": "x", "link_only": True},
            "dest and link_only are both set: give dest to download, or link_only for the link.",
        ),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    mender: FakeMender, run: Run, given: dict[str, Any], message: str
) -> None:
    mender.add()
    done = run(module, mender, **given)
    assert (done.result["msg"], done.result["error"]["code"]) == (message, "invalid_input")
    assert mender.writes == []


def test_name_of_several_artifacts_needs_a_type(mender: FakeMender, run: Run) -> None:
    first = mender.add(Written(device_types=("dt-b", "dt-a")))["id"]
    second = mender.add(Written(device_types=("dt-c",)))["id"]
    for state in ("present", "absent"):
        done = run(module, mender, name="rel-1", state=state)
        message = done.result["msg"]
        assert f"'dt-a', 'dt-b' (id {first})" in message
        assert f"'dt-c' (id {second})" in message
        assert message.endswith("say in device_types_compatible or id which one.")
    done = run(module, mender, name="rel-1", device_types_compatible=["dt-a"], state="absent")
    assert done.result["changed"]
    assert list(mender.artifacts) == [second]


# -- removing --------------------------------------------------------------------------------------------------


def test_artifact_is_removed_once(every: FakeMender, run: Run) -> None:
    id = every.add()["id"]
    given = {"name": "rel-1", "state": "absent"}
    planned = run(module, every, check_mode=True, diff_mode=True, **given)
    assert planned.result["changed"]
    assert list(planned.result["diff"]["before"]) == ["rel-1 (dt-a)"]
    assert planned.result["diff"]["after"] == {}
    assert every.writes == []
    assert run(module, every, **given).result == {"changed": True, "artifact": None}
    assert run(module, every, **given).result == {"changed": False, "artifact": None}
    assert run(module, every, id=UNKNOWN, state="absent").result["changed"] is False
    assert every.writes == [f"DELETE /v1/artifacts/{id}"]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_removing_has_one_effect(mender: FakeMender, run: Run, fault: str) -> None:
    mender.add()
    mender.fault = fault
    done = run(module, mender, name="rel-1", state="absent")
    assert (done.error, mender.artifacts) == (None, {})
    assert len(mender.writes) == (2 if fault == "before" else 1)


def test_artifact_of_an_active_deployment_stays(mender: FakeMender, run: Run) -> None:
    mender.active.add(mender.add()["id"])
    done = run(module, mender, name="rel-1", state="absent")
    assert done.result["msg"] == (
        "Cannot remove artifact 'rel-1': Artifact is used in active deployment. (HTTP 409) Wait until the deployments "
        "that use it have finished, or abort them."
    )
    assert (done.result["error"]["code"], done.result["error"]["request_id"]) == ("conflict", "6048f5fe")


def test_artifact_that_somebody_else_removes_is_gone(mender: FakeMender, run: Run) -> None:
    id = mender.add()["id"]

    def before(line: str) -> None:
        if line.startswith("DELETE"):
            mender.artifacts.pop(id, None)

    mender.before = before
    assert run(module, mender, name="rel-1", state="absent").error is None


# -- links -----------------------------------------------------------------------------------------------------


def test_link_is_returned_only_where_it_is_asked_for(mender: FakeMender, run: Run) -> None:
    id = mender.add()["id"]
    done = run(module, mender, name="rel-1", link_only=True)
    assert done.result["changed"] is False
    link = done.result["link"]
    assert link["uri"].startswith(f"{mender.storage.url}/bucket/{id}?")
    assert (link["method"], link["expire"]) == ("GET", "2026-11-20T08:06:02.354132106Z")
    assert "link" not in run(module, mender, name="rel-1").result
    assert "link" not in run(module, mender, check_mode=True, name="rel-1", link_only=True).result
    assert mender.links == 1
    assert mender.storage.requests == []


def test_answer_without_a_link_is_an_error(mender: FakeMender, run: Run) -> None:
    id = mender.add()["id"]
    mender.refuse[f"GET /v1/artifacts/{id}/download"] = 200, {"expire": "x"}, {}
    done = run(module, mender, name="rel-1", link_only=True)
    assert done.result["msg"] == "Cannot read the download link of artifact 'rel-1': the server's answer holds no link."
    mender.refuse[f"GET /v1/artifacts/{id}/download"] = error(404, "Resource not found")
    assert run(module, mender, name="rel-1", link_only=True).result["error"]["code"] == "not_found"
