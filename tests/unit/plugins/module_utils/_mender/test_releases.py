"""Releases: notes, tags, removal, on every version of the server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._mender.releases import check_tags
from ansible_collections.fleet.deploy.plugins.modules import mender_release as module
from ansible_collections.fleet.deploy.plugins.modules import mender_release_info as info
from servers.artifact_writer import Written

from .conftest import Run
from .fake import FakeMender, error

TAGS = "PUT /v2/deployments/releases/rel-1/tags"
NOTES = "PATCH /v2/deployments/releases/rel-1"


def fill(mender: FakeMender) -> None:
    """Store artifacts of a few releases."""
    mender.add(Written(device_types=("dt-a",)))
    mender.add(Written(device_types=("dt-b",)))
    mender.add(Written(name="rel-10", type="deb"))
    mender.add(Written(name="my.rel (1)"))


# -- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ({}, ["my.rel (1)", "rel-1", "rel-10"]),
        ({"name": "rel-1"}, ["rel-1"]),
        ({"name": "rel-1*"}, ["rel-1", "rel-10"]),
        ({"name": "my.rel (1)"}, ["my.rel (1)"]),
        ({"name": "my.*"}, ["my.rel (1)"]),
        ({"name": "none"}, []),
        ({"update_type": "deb"}, ["rel-10"]),
        ({"limit": 2}, ["my.rel (1)", "rel-1"]),
    ],
)
def test_filters_mean_the_same_on_every_version(
    every: FakeMender, run: Run, wanted: dict[str, Any], expected: list[str]
) -> None:
    fill(every)
    done = run(info, every, **wanted)
    assert (done.result["changed"], [item["name"] for item in done.result["releases"]]) == (False, expected)


def test_release_has_all_keys(every: FakeMender, run: Run) -> None:
    every.add()
    every.releases["rel-1"] = {"tags": ["b", "a"], "notes": "text"}
    [found] = run(info, every).result["releases"]
    [artifact] = found.pop("artifacts")
    assert (artifact["name"], artifact["device_types_compatible"]) == ("rel-1", ["dt-a"])
    seed = every.generation == "seed"
    assert found == {
        "name": "rel-1",
        "modified": None if seed else "2026-11-20T07:51:01.804Z",
        "artifacts_count": 1,
        "tags": None if seed else ["a", "b"],
        "notes": None if seed else "text",
    }


def test_capital_keys_of_the_first_version_are_read(mender: FakeMender, run: Run) -> None:
    artifact = mender.add()
    mender.generation = "seed"
    release = {"Name": "rel-1", "Modified": "m", "Artifacts": [artifact], "ArtifactsCount": 7, "tags": [], "notes": ""}
    mender.refuse["GET /v1/deployments/releases"] = 200, [release], {}
    [found] = run(info, mender).result["releases"]
    assert (found["name"], found["modified"], found["artifacts_count"]) == ("rel-1", "m", 7)
    assert found["artifacts"][0]["id"] == artifact["id"]


def test_tags_narrow_the_list(mender: FakeMender, run: Run) -> None:
    fill(mender)
    mender.releases = {"rel-1": {"tags": ["prod", "eu"]}, "rel-10": {"tags": ["test"]}}
    for tags, expected in ((["PROD"], ["rel-1"]), (["eu", "test"], ["rel-1", "rel-10"]), (["no"], []), ([], [])):
        assert [item["name"] for item in run(info, mender, tags=tags).result["releases"]] == expected


def test_old_server_has_no_tags(run: Run) -> None:
    with FakeMender("seed") as mender:
        fill(mender)
        host = f"127.0.0.1:{mender.server.port}"
        old = f"is given, but the Mender server at {host} is too old to have"
        for given, option in (({"tags": ["a"]}, "tags"), ({"notes": "a"}, "notes")):
            done = run(module, mender, name="rel-1", **given)
            assert done.result["msg"] == (
                f"{option} {old} {option} of releases: leave {option} out, or update the server."
            )
            assert done.result["error"]["code"] == "unsupported"
        assert run(info, mender, tags=["a"]).result["msg"].startswith(f"tags {old}")
        assert mender.writes == []
        assert not run(module, mender, name="rel-1").result["changed"]


# -- notes and tags --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", ["2023", "4.0", "4.1"])
def test_notes_and_tags_are_written_once(run: Run, generation: str) -> None:
    with FakeMender(generation) as mender:
        fill(mender)
        given = {"name": "rel-1", "notes": "hello", "tags": ["Prod", "eu-west", "prod"]}
        planned = run(module, mender, check_mode=True, diff_mode=True, **given)
        assert mender.writes == []
        done = run(module, mender, **given)
        assert (done.result["changed"], mender.writes) == (True, [NOTES, TAGS])
        assert planned.result["release"] == done.result["release"]
        assert planned.result["diff"] == {
            "before": {"rel-1": {"notes": None, "tags": []}},
            "after": {"rel-1": {"notes": "hello", "tags": ["eu-west", "prod"]}},
        }
        assert done.result["release"]["tags"] == ["eu-west", "prod"]
        assert not run(module, mender, **given).result["changed"]
        assert not run(module, mender, name="rel-1").result["changed"]
        assert len(mender.writes) == 2
        gone = run(module, mender, name="rel-1", notes="", tags=[])
        assert (gone.result["release"]["notes"], gone.result["release"]["tags"]) == (None, [])


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize(
    "given",
    [{"notes": "n"}, {"notes": ""}, {"tags": ["b", "a"]}, {"state": "absent"}],
    ids=["notes", "no notes", "tags", "absent"],
)
def test_each_write_has_one_effect(mender: FakeMender, run: Run, given: dict[str, Any], fault: str) -> None:
    mender.add()
    mender.releases["rel-1"] = {"notes": "old", "tags": ["old"]}
    mender.fault = fault
    done = run(module, mender, name="rel-1", **given)
    assert done.error is None, done.result
    assert done.result["changed"]
    assert len(mender.writes) == (2 if fault == "before" else 1)


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"name": "no"},
            (
                "name is 'no', but there is no such release: a release appears with its first artifact, so upload that "
                "first."
            ),
        ),
        ({"tags": ["a b"]}, "tags has 'a b': use letters, digits, '-', '_' and '.' only."),
        ({"tags": [str(number) for number in range(21)]}, "tags has 21 entries: 20 is the most."),
        ({"notes": "n" * 1025}, "notes is 1025 characters long: 1024 is the most."),
        (
            {"state": "absent", "tags": []},
            "tags is set, but state is 'absent': leave it out, or set state to 'present'.",
        ),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    mender: FakeMender, run: Run, given: dict[str, Any], message: str
) -> None:
    fill(mender)
    done = run(module, mender, **{"name": "rel-1", **given})
    assert (done.result["msg"], done.result["error"]["code"]) == (message, "invalid_input")
    assert mender.writes == []


def test_limit_below_zero(mender: FakeMender, run: Run) -> None:
    assert run(info, mender, limit=-1).result["msg"] == "limit is -1: give 0 or more."


def test_tags_are_kept_as_the_server_keeps_them() -> None:
    assert check_tags(["B", "a", "b"]) == ["a", "b"]
    with pytest.raises(InvalidInput):
        check_tags([""])


# -- removing --------------------------------------------------------------------------------------------------


def test_release_is_removed_with_its_artifacts(every: FakeMender, run: Run) -> None:
    fill(every)
    given = {"name": "rel-1", "state": "absent"}
    planned = run(module, every, check_mode=True, diff_mode=True, **given)
    assert len(planned.result["diff"]["before"]["rel-1"]["artifacts"]) == 2
    assert every.writes == []
    assert run(module, every, **given).result == {"changed": True, "release": None}
    assert sorted(item["name"] for item in every.artifacts.values()) == ["my.rel (1)", "rel-10"]
    writes = list(every.writes)
    assert run(module, every, **given).result == {"changed": False, "release": None}
    assert every.writes == writes
    if every.generation in ("4.0", "4.1"):
        assert writes == ["DELETE /v2/deployments/releases"]


def test_release_of_an_active_deployment_stays(every: FakeMender, run: Run) -> None:
    fill(every)
    every.active = set(every.artifacts)
    done = run(module, every, name="rel-1", state="absent")
    assert done.result["error"]["code"] == "conflict"
    assert (
        "used in active deployment. (HTTP 409) Wait until the deployments that use it have finished"
        in done.result["msg"]
    )
    if every.generation == "4.1":
        assert done.result["msg"].endswith("have finished (d1, d2), or abort them.")
        assert done.result["error"]["details"] == {"active_deployments": ["d1", "d2"]}
    assert len(every.artifacts) == 4


def test_notes_that_were_written_before_a_fault_are_a_change(mender: FakeMender, run: Run) -> None:
    fill(mender)
    mender.refuse[TAGS] = error(400, "no")
    assert not run(module, mender, name="rel-1", tags=["a"]).result["changed"]
    done = run(module, mender, name="rel-1", notes="text", tags=["a"])
    assert (done.result["error"]["code"], done.result["changed"]) == ("rejected", True)
    assert mender.releases["rel-1"]["notes"] == "text"
