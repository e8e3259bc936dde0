"""Types and tags: what is compared, what cannot change, what a broken connection leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import Conflict, InvalidInput, Unsupported
from ansible_collections.fleet.deploy.plugins.modules import hawkbit_tag, hawkbit_type

from .conftest import Run
from .objects import Objects


@pytest.fixture
def objects() -> Iterator[Objects]:
    """A server with the module types os and app, and a type of sets that needs the one and takes the other."""
    found = Objects()
    for key in ("os", "app"):
        found.add("softwaremoduletypes", key=key, name=key, maxAssignments=1, minArtifacts=0)
    number = found.add("distributionsettypes", key="both", name="both")
    found.related[f"distributionsettypes/{number}/mandatorymoduletypes"] = [1]
    found.related[f"distributionsettypes/{number}/optionalmoduletypes"] = [2]
    with found.server:
        yield found


def test_a_type_is_made_with_what_belongs_to_it(objects: Objects, run: Run) -> None:
    given: dict[str, Any] = {
        "kind": "distribution_set",
        "key": "new",
        "description": "d\n",
        "mandatory_modules": ["app"],
    }
    planned = run(hawkbit_type, objects.server.url, check_mode=True, diff_mode=True, **given)
    assert objects.writes == []
    done = run(hawkbit_type, objects.server.url, diff_mode=True, **given)
    assert objects.bodies("POST distributionsettypes") == [
        [{"key": "new", "name": "new", "description": "d", "mandatorymodules": [{"id": 2}]}]
    ]
    assert planned.result["diff"] == done.result["diff"]
    assert planned.result["type"] == {**done.result["type"], "id": None}
    assert done.result["type"]["mandatory_modules"] == ["app"]
    assert done.result["type"]["compatible_distribution_set_types"] is None
    again = run(hawkbit_type, objects.server.url, **given)
    assert (again.result["changed"], again.result["type"]) == (False, done.result["type"])


def test_what_belongs_to_a_type_moves_from_list_to_list(objects: Objects, run: Run) -> None:
    given: dict[str, Any] = {"kind": "distribution_set", "key": "both", "mandatory_modules": ["app"]}
    done = run(hawkbit_type, objects.server.url, **given)
    # os is in neither list any more, app leaves the other one by itself
    path = "distributionsettypes/3"
    assert objects.writes == [f"DELETE {path}/mandatorymoduletypes/1", f"POST {path}/mandatorymoduletypes"]
    assert (done.result["type"]["mandatory_modules"], done.result["type"]["optional_modules"]) == (["app"], [])
    assert not run(hawkbit_type, objects.server.url, **given).result["changed"]


def test_a_target_type_can_be_renamed(objects: Objects, run: Run) -> None:
    objects.add("targettypes", key="t", name="T")
    given: dict[str, Any] = {"kind": "target", "key": "t", "name": "U", "compatible_distribution_set_types": ["both"]}
    done = run(hawkbit_type, objects.server.url, **given)
    assert (done.error, done.result["type"]["name"]) == (None, "U")
    assert done.result["type"]["compatible_distribution_set_types"] == ["both"]
    assert objects.writes == ["POST targettypes/4/compatibledistributionsettypes", "PUT targettypes/4"]


def test_a_target_type_of_old_has_only_a_name(objects: Objects, run: Run) -> None:
    objects.add("targettypes", name="t", description="old")
    done = run(hawkbit_type, objects.server.url, kind="target", key="t", description="new")
    assert (done.error, objects.writes) == (None, ["PUT targettypes/4"])


@pytest.mark.parametrize(
    "given, kind, message",
    [
        (
            {"kind": "software_module", "key": "os", "max_assignments": 2},
            Conflict,
            (
                "max_assignments is '2', but the software module type 'os' has '1', which cannot be changed: leave it "
                "out, or make another type."
            ),
        ),
        (
            {"kind": "distribution_set", "key": "both", "name": "B"},
            Conflict,
            (
                "name is 'B', but the distribution set type 'both' has 'both', which cannot be changed: leave it out, "
                "or make another type."
            ),
        ),
        (
            {"kind": "distribution_set", "key": "both", "optional_modules": []},
            Conflict,
            (
                "The distribution set type 'both' has distribution sets, so its module types cannot be changed: make "
                "another type."
            ),
        ),
        (
            {"kind": "distribution_set", "key": "x", "optional_modules": ["no"]},
            InvalidInput,
            "optional_modules has 'no', but hawkBit has no such software module type: give some of app, os.",
        ),
        (
            {"kind": "distribution_set", "key": "x", "optional_modules": ["os"], "mandatory_modules": ["os"]},
            InvalidInput,
            "mandatory_modules and optional_modules both have 'os': give it in one of them.",
        ),
        (
            {"kind": "software_module", "key": "x", "optional_modules": ["os"]},
            InvalidInput,
            "optional_modules is only for kind=distribution_set: leave it out.",
        ),
        (
            {"kind": "software_module", "key": "x", "max_assignments": 0},
            InvalidInput,
            "max_assignments is 0: give 1 or more.",
        ),
        ({"kind": "target", "key": ""}, InvalidInput, "key is empty: give at least one character."),
    ],
)
def test_what_cannot_be(objects: Objects, run: Run, given: dict[str, Any], kind: type, message: str) -> None:
    objects.add("distributionsets", name="s", version="1", type="both")
    done = run(hawkbit_type, objects.server.url, **given)
    assert isinstance(done.error, kind)
    assert (done.result["msg"], objects.writes) == (message, [])


def test_what_old_releases_do_not_have(objects: Objects, run: Run) -> None:
    objects.missing = {"targettypes", "actions"}
    for one in objects.kept["softwaremoduletypes"].values():
        del one["minArtifacts"]
    for given, message in (
        ({"kind": "target"}, "This hawkBit has no target types: they came with 0.3.0M8."),
        (
            {"kind": "software_module", "colour": "red"},
            "colour is given, but types have none before hawkBit 0.3.0: leave it out.",
        ),
        (
            {"kind": "software_module", "min_artifacts": 1},
            "min_artifacts is given, but came with hawkBit 0.10: leave it out.",
        ),
    ):
        done = run(hawkbit_type, objects.server.url, key="x", **given)
        assert isinstance(done.error, Unsupported)
        assert (done.result["msg"], objects.writes) == (message, [])


def test_a_name_that_is_used_up(objects: Objects, run: Run) -> None:
    done = run(hawkbit_type, objects.server.url, kind="software_module", key="x", name="os")
    assert isinstance(done.error, Conflict)
    assert done.result["msg"].endswith(
        "The key 'x' or the name 'os' is used up, perhaps by a type that was removed after use: choose others."
    )


def test_a_type_that_is_hidden_after_use_is_gone(objects: Objects, run: Run) -> None:
    objects.kept["softwaremoduletypes"][1]["deleted"] = True
    assert run(hawkbit_type, objects.server.url, kind="software_module", key="os", state="absent").result == {
        "changed": False,
        "type": None,
    }


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize(
    "given, writes",
    [
        ({"key": "new", "mandatory_modules": ["os"]}, 1),
        ({"key": "both", "description": "new"}, 1),
        ({"key": "both", "mandatory_modules": []}, 1),
        ({"key": "both", "mandatory_modules": ["os", "app"]}, 1),
        ({"key": "both", "state": "absent"}, 1),
    ],
)
def test_each_write_has_one_effect(objects: Objects, run: Run, given: dict[str, Any], writes: int, fault: str) -> None:
    objects.fault = fault
    done = run(hawkbit_type, objects.server.url, kind="distribution_set", **given)
    assert (done.error, done.result["changed"]) == (None, True)
    assert len(objects.writes) == writes + (fault == "before")
    assert not run(hawkbit_type, objects.server.url, kind="distribution_set", **given).result["changed"]


# -- tags --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, collection", [("target", "targettags"), ("distribution_set", "distributionsettags")])
def test_a_tag_is_made_changed_and_removed(objects: Objects, run: Run, kind: str, collection: str) -> None:
    wanted = [
        {"description": "d\n", "colour": "red"},
        {"description": ""},
        {"state": "absent"},
    ]
    shown = [
        {"name": "t", "description": "d", "colour": "red"},
        {"name": "t", "description": None, "colour": "red"},
        None,
    ]
    for given, expected in zip(wanted, shown, strict=True):
        options = {"kind": kind, "name": "t", **given}
        planned = run(hawkbit_tag, objects.server.url, check_mode=True, diff_mode=True, **options)
        done = run(hawkbit_tag, objects.server.url, diff_mode=True, **options)
        again = run(hawkbit_tag, objects.server.url, **options)
        assert (planned.result["changed"], done.result["changed"], again.result["changed"]) == (True, True, False)
        assert planned.result["diff"] == done.result["diff"]
        for ran in (planned, done, again):
            tag = ran.result["tag"]
            assert (None if tag is None else {k: v for k, v in tag.items() if k != "id"}) == expected
    number = 4
    assert objects.writes == [f"POST {collection}", f"PUT {collection}/{number}", f"DELETE {collection}/{number}"]


def test_names_of_tags_are_compared_exactly(objects: Objects, run: Run) -> None:
    objects.add("targettags", name="Canary")
    objects.kept["targettags"][4]["name"] = "Canary"
    assert not run(hawkbit_tag, objects.server.url, name="canary", state="absent").result["changed"]
    assert run(hawkbit_tag, objects.server.url, name="Canary", state="absent").result["changed"]


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("given", [{"name": "new"}, {"name": "old", "colour": ""}, {"name": "old", "state": "absent"}])
def test_each_write_of_a_tag_has_one_effect(objects: Objects, run: Run, given: dict[str, Any], fault: str) -> None:
    objects.add("targettags", name="old", colour="red")
    objects.fault = fault
    done = run(hawkbit_tag, objects.server.url, **given)
    assert (done.error, done.result["changed"], len(objects.writes)) == (None, True, 1 + (fault == "before"))
