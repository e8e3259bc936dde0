"""Distribution sets: strict modules, what cannot change, what a broken connection leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import Conflict, InvalidInput, Unsupported
from ansible_collections.fleet.deploy.plugins.modules import distribution_set as module

from .conftest import Client, Run
from .repository import Repository


@pytest.fixture
def repository() -> Iterator[Repository]:
    """A repository with the modules fw and fw2 (os), app and app2 (application), all in version 1."""
    found = Repository()
    for name, type_key in (("fw", "os"), ("fw2", "os"), ("app", "application"), ("app2", "application")):
        found.add_module(name, type_key=type_key)
    with found.server:
        yield found


def modules(*names: str) -> list[dict[str, Any]]:
    """Return the option for modules of version 1."""
    return [{"name": name, "version": "1", "type": None} for name in names]


def test_set_is_created_and_the_second_run_only_reads(repository: Repository, run: Run) -> None:
    given = {"name": "set", "version": "1", "type": "os", "description": "d\n", "modules": modules("fw")}
    first = run(module, repository.server.url, diff_mode=True, **given)
    assert first.error is None
    found = first.result["distribution_set"]
    assert (found["type"], found["description"], found["complete"], found["locked"]) == ("os", "d", True, False)
    assert found["modules"] == [{"id": "1", "name": "fw", "version": "1", "type": "os"}]
    assert first.result["diff"]["after"]["set:1"]["modules"] == ["fw:1"]
    assert repository.writes == ["POST /distributionsets"]
    repository.requests.clear()
    second = run(module, repository.server.url, **given)
    assert not second.result["changed"]
    assert second.result["distribution_set"] == found
    assert len(repository.requests) == 1, "what the set has needs no look"


def test_check_mode_shows_what_would_be(repository: Repository, run: Run) -> None:
    done = run(module, repository.server.url, check_mode=True, name="set", version="1", modules=modules("fw", "new"))
    assert done.warnings == [
        "Software module 'new' version '1' does not exist: without check mode this task would fail."
    ]
    found = done.result["distribution_set"]
    assert (found["id"], found["type"], found["complete"]) == (None, "os_app", True)
    assert [item["id"] for item in found["modules"]] == [None, "1"]
    assert repository.writes == []


def test_modules_are_exchanged(repository: Repository, run: Run) -> None:
    number = repository.add_set("set", 1, 3, type_key="os_app")
    done = run(module, repository.server.url, diff_mode=True, name="set", version="1", modules=modules("fw2", "app"))
    assert [item["name"] for item in done.result["distribution_set"]["modules"]] == ["app", "fw2"]
    # first out, then in: meanwhile nobody can be given a half of it
    path = f"/distributionsets/{number}/assignedSM"
    assert repository.writes == [f"DELETE {path}/1", f"POST {path}"]
    assert done.result["diff"]["before"]["set:1"]["modules"] == ["app:1", "fw:1"]
    untouched = run(module, repository.server.url, name="set", version="1")
    assert not untouched.result["changed"]


def test_incomplete_set_is_a_warning_that_says_what_is_missing(repository: Repository, run: Run) -> None:
    done = run(module, repository.server.url, name="set", version="1", modules=modules("app"))
    assert done.warnings == [
        (
            "Distribution set 'set' version '1' is incomplete and cannot be assigned: sets of type 'os_app' need a "
            "module of type 'os'."
        )
    ]
    assert done.result["distribution_set"]["complete"] is False


def test_default_type_may_be_unknown(repository: Repository, run: Run) -> None:
    repository.default_type = None
    given = {"name": "set", "version": "1", "modules": modules("fw")}
    planned = run(module, repository.server.url, check_mode=True, **given)
    assert (planned.result["distribution_set"]["type"], planned.result["distribution_set"]["complete"]) == (None, None)
    assert run(module, repository.server.url, **given).result["distribution_set"]["type"] == "os_app"


@pytest.mark.parametrize(
    "given, message",
    [
        ({"type": "no"}, "type is 'no', which the server does not know: give one of 'app', 'os', 'os_app'."),
        (
            {"name": "there", "type": "app"},
            (
                "type is 'app', but distribution set 'there' version '1' has the type 'os', which cannot be "
                "changed: give another version, or remove that set first."
            ),
        ),
        (
            {"modules": [{"name": "fw", "version": "2", "type": None}]},
            "Software module 'fw' version '2' does not exist: there is version '1' (type 'os').",
        ),
        (
            {"modules": modules("Fw")},
            (
                "Software module 'Fw' version '1' does not exist: there is none named 'Fw'; create it first, or "
                "check the spelling (upper and lower case differ)."
            ),
        ),
        ({"modules": modules("fw", "fw")}, "modules lists 'fw' version '1' twice: list each module once."),
        (
            {"modules": [*modules("fw"), {"name": "fw", "version": "1", "type": "os"}]},
            "modules lists 'fw' version '1' twice: list each module once.",
        ),
        ({"modules": modules("")}, "name of entry 1 of modules is empty: give at least one character."),
        (
            {"type": "os", "modules": modules("app")},
            (
                "modules has 'app' version '1' of type 'application', but a distribution set of type 'os' takes only "
                "modules of type 'os'."
            ),
        ),
        (
            {"modules": modules("fw", "fw2")},
            (
                "modules has 2 modules of type 'os' ('fw' version '1', 'fw2' version '1'), but a set takes 1 of "
                "that type: leave some out."
            ),
        ),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    repository: Repository, run: Run, given: dict[str, Any], message: str
) -> None:
    repository.add_set("there")
    done = run(module, repository.server.url, **{"name": "set", "version": "1", **given})
    assert done.result["msg"] == message
    assert done.result["error"]["code"] == "invalid_input"
    assert repository.writes == []


@pytest.mark.parametrize("locks", [True, False], ids=["locked", "assigned"])
@pytest.mark.parametrize("given", [{"modules": modules("fw2")}, {"required_migration_step": True}], ids=str)
def test_assigned_set_keeps_its_modules(run: Run, locks: bool, given: dict[str, Any]) -> None:
    repository = Repository(locks)
    repository.add_set("set", repository.add_module("fw"), **({"locked": True} if locks else {}))
    repository.add_module("fw2")
    repository.assigned = 1
    with repository.server:
        done = run(module, repository.server.url, name="set", version="1", **given)
        assert done.result["msg"] == (
            "Distribution set 'set' version '1' was assigned already, so its modules and required_migration_step "
            "cannot be changed: make a new version."
        )
        assert repository.writes == []
        assert run(module, repository.server.url, name="set", version="1", description="fine").error is None


def test_modules_that_the_server_drops_are_noticed(repository: Repository, run: Run) -> None:
    repository.drops_modules = True
    done = run(module, repository.server.url, name="set", version="1", modules=modules("fw"))
    assert done.result["msg"] == (
        "Distribution set 'set' version '1' does not have the modules asked for: it lacks 'fw' version '1'. Somebody "
        "else may have changed it; run the task again."
    )


def test_name_of_a_hidden_set_is_used_up(repository: Repository, run: Run) -> None:
    repository.hidden.add("set")
    done = run(module, repository.server.url, name="set", version="1", type="os")
    assert "this name and version are used up" in done.result["msg"]
    assert done.result["error"]["code"] == "conflict"


def test_removed_set_and_one_that_is_only_hidden(repository: Repository, run: Run) -> None:
    given = {"name": "set", "version": "1", "state": "absent"}
    assert not run(module, repository.server.url, **given).result["changed"]
    repository.add_set("set")
    gone = run(module, repository.server.url, **given)
    assert (gone.result["changed"], gone.result["distribution_set"], gone.warnings) == (True, None, [])
    repository.add_set("set", locked=True)
    hidden = run(module, repository.server.url, **given)
    assert hidden.warnings == [
        (
            "Distribution set 'set' version '1' was assigned before, so the server only hides it: its name and version "
            "cannot be used again."
        )
    ]


def test_looking_up(repository: Repository, client: Client) -> None:
    sets = client(repository.server.url).distribution_sets
    assert sets.find("set", "1") is None
    number = repository.add_set("set")
    repository.add_set("set", type_key="app")
    found = sets.find("set", "1", "os")
    assert found is not None
    assert found["id"] == number
    assert sets.get(number) == found
    assert sets.get(999) is None
    for look in (sets.find, sets.require):
        with pytest.raises(InvalidInput, match="is there several times, with the types 'app', 'os': give its type too"):
            look("set", "1")


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("step", ["create", "update", "add", "take out", "remove"])
def test_each_write_has_one_effect(repository: Repository, run: Run, step: str, fault: str) -> None:
    given: dict[str, Any] = {"name": "set", "version": "1", "type": "os_app"}
    changes: dict[str, dict[str, Any]] = {
        "create": {"modules": modules("fw", "app")},
        "update": {"description": "new"},
        "add": {"modules": modules("fw", "app")},
        "take out": {"modules": []},
        "remove": {"state": "absent"},
    }
    if step != "create":
        repository.add_set("set", 1, type_key="os_app")
    repository.fault = fault
    done = run(module, repository.server.url, **given, **changes[step])
    assert done.error is None
    assert done.result["changed"]
    have = [item["_modules"] for item in repository.sets.values()]
    ends = {"create": [[1, 3]], "update": [[1]], "add": [[1, 3]], "take out": [[]], "remove": []}
    assert have == ends[step]
    assert len(repository.writes) == (2 if fault == "before" else 1)


# -- metadata, tags, invalidation --------------------------------------------------------------------------------


def test_metadata_and_tags_follow_a_new_set(repository: Repository, run: Run) -> None:
    repository.tags = {1: ("released", []), 2: ("tested", [])}
    given: dict[str, Any] = {
        "name": "set",
        "version": "1",
        "type": "os",
        "modules": modules("fw"),
        "metadata": {"commit": "4f2a91c", "build": 1187},
        "tags": ["released"],
    }
    planned = run(module, repository.server.url, check_mode=True, diff_mode=True, **given)
    assert repository.writes == []
    done = run(module, repository.server.url, diff_mode=True, **given)
    number = next(iter(repository.sets))
    assert repository.writes == [
        "POST /distributionsets",
        f"POST /distributionsets/{number}/metadata",
        "POST /distributionsettags/1/assigned",
    ]
    assert planned.result["diff"] == done.result["diff"]
    for ran in (planned, done):
        found = ran.result["distribution_set"]
        assert (found["metadata"], found["tags"]) == ({"commit": "4f2a91c", "build": "1187"}, ["released"])
    again = run(module, repository.server.url, **given)
    assert (again.result["changed"], again.result["distribution_set"]) == (False, done.result["distribution_set"])


def test_metadata_and_tags_change_also_when_the_set_is_locked(repository: Repository, run: Run) -> None:
    number = repository.add_set("set", 1, locked=True)
    repository.metadata[number] = {"a": "1", "b": "2", "c": "3"}
    repository.tags = {1: ("old", [number]), 2: ("new", [])}
    done = run(
        module,
        repository.server.url,
        diff_mode=True,
        name="set",
        version="1",
        metadata={"a": "9"},
        metadata_absent=["b"],
        tags=["new"],
        tags_absent=["old", "never"],
    )
    assert done.error is None
    assert done.result["diff"] == {
        "before": {"set:1": {"metadata": {"a": "1", "b": "2"}, "tags": ["old"]}},
        "after": {"set:1": {"metadata": {"a": "9"}, "tags": ["new"]}},
    }
    assert (repository.metadata[number], repository.tags[2][1]) == ({"a": "9", "c": "3"}, [number])
    purged = run(
        module,
        repository.server.url,
        name="set",
        version="1",
        metadata={},
        purge_metadata=True,
        tags=[],
        purge_tags=True,
    )
    assert (purged.result["distribution_set"]["metadata"], purged.result["distribution_set"]["tags"]) == ({}, [])
    assert (repository.metadata[number], repository.tags[2][1]) == ({}, [])


def test_nobody_asks_for_metadata_and_tags_unless_it_matters(repository: Repository, run: Run) -> None:
    repository.add_set("set", 1)
    done = run(module, repository.server.url, name="set", version="1", purge_metadata=True, purge_tags=True)
    found = done.result["distribution_set"]
    assert (found["metadata"], found["tags"], len(repository.requests)) == (None, None, 1)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"metadata": {"a": None}}, "metadata: 'a' is no text: give text, or list the key in metadata_absent."),
        (
            {"tags": ["x"], "tags_absent": ["x"]},
            "tags and tags_absent both have 'x': give it in one of them.",
        ),
        (
            {"tags": ["x"]},
            (
                "tags has 'x', but hawkBit has no such distribution set tag: there are none at all. Create it with "
                "hawkbit_tag and kind=distribution_set first."
            ),
        ),
        ({"invalidation": {}}, "invalidation is only for state=invalidated: leave it out."),
    ],
)
def test_what_cannot_be_noted_down(repository: Repository, run: Run, given: dict[str, Any], message: str) -> None:
    done = run(module, repository.server.url, name="set", version="1", **given)
    assert isinstance(done.error, InvalidInput)
    assert (done.result["msg"], repository.writes) == (message, [])


@pytest.mark.parametrize("fault", [None, "before", "after"])
def test_a_set_is_invalidated(repository: Repository, run: Run, fault: str | None) -> None:
    number = repository.add_set("set", 1)
    given: dict[str, Any] = {"name": "set", "version": "1", "state": "invalidated", "invalidation": {"actions": "soft"}}
    planned = run(module, repository.server.url, check_mode=True, **given)
    assert (planned.result["distribution_set"]["valid"], repository.writes) == (False, [])
    repository.fault = fault
    done = run(module, repository.server.url, **given)
    assert (done.error, done.result["changed"], done.result["distribution_set"]["valid"]) == (None, True, False)
    assert repository.sets[number]["_invalidated"] == {"actionCancelationType": "soft"}
    assert len(repository.writes) == (2 if fault == "before" else 1)
    assert not run(module, repository.server.url, **given).result["changed"]
    refused = run(module, repository.server.url, name="set", version="1", description="new")
    assert isinstance(refused.error, Conflict)
    assert refused.result["msg"] == (
        "Distribution set 'set' version '1' was invalidated, so it cannot be changed: make a new version."
    )


def test_what_cannot_be_invalidated(repository: Repository, run: Run) -> None:
    given: dict[str, Any] = {"name": "set", "version": "1", "state": "invalidated"}
    assert isinstance(run(module, repository.server.url, **given).error, InvalidInput)
    number = repository.add_set("set")
    incomplete = run(module, repository.server.url, **given)
    assert isinstance(incomplete.error, InvalidInput)
    assert "is incomplete, and hawkBit invalidates complete ones only: use state=absent." in incomplete.result["msg"]
    repository.sets[number]["_modules"] = [1]
    alone = run(module, repository.server.url, invalidation={"cancel_rollouts": True}, **given)
    assert isinstance(alone.error, Unsupported)
    del repository.sets[number]["valid"]
    old = run(module, repository.server.url, **given)
    assert isinstance(old.error, Unsupported)
    assert old.result["msg"] == "state is 'invalidated', which came with hawkBit 0.3.0M8: use state=absent."
    assert repository.writes == []
