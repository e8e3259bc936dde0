"""The module target as a whole: metadata, tags, types and groups beside the fields, and what may be removed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.modules import target as module
from servers.scripted import Arrived

from .conftest import Run
from .fake import FakeHawkbit, error

TAGS = "canary, night, spare"
TOKEN = "a-very-long-token-0123456789"


@pytest.fixture
def full(fake: FakeHawkbit) -> FakeHawkbit:
    """A fake of each generation with targets, metadata, tags and types."""
    fake.add_targets("d1", "d2", "d3")
    fake.metadata["d1"] = {"site": "hall 1", "rack": "3"}
    fake.tags = {"canary": ["d1", "d2"], "night": ["d2"], "spare": []}
    fake.types = [{"id": 7, "name": "Gateway", "key": "gw"}, {"id": 8, "name": "Sensor"}]
    return fake


@pytest.fixture
def modern_full(modern: FakeHawkbit) -> FakeHawkbit:
    """The same for the modern generation alone."""
    modern.add_targets("d1", "d2", "d3")
    modern.tags = {"canary": ["d1", "d2"], "night": ["d2"], "spare": []}
    modern.types = [{"id": 7, "name": "Gateway", "key": "gw"}, {"id": 8, "name": "Sensor"}]
    return modern


def test_everything_of_several_targets(full: FakeHawkbit, run: Run) -> None:
    given: list[dict[str, Any]] = [
        {
            "controller_id": "d1",
            "metadata": {"site": "hall 7", "floor": 2},
            "purge_metadata": True,
            "tags": ["night"],
            "purge_tags": True,
        },
        {"controller_id": "d2", "metadata_absent": ["none"], "tags_absent": ["canary", "unheard"]},
        {"controller_id": "d3"},
        {"controller_id": "d4", "name": "Four", "metadata": {"new": True}, "tags": ["spare", "night"]},
    ]
    planned = run(module, full, targets=given, check_mode=True, diff_mode=True)
    assert planned.error is None
    assert full.writes == []
    assert planned.result["targets"] == {"created": ["d4"], "updated": ["d1", "d2"], "removed": []}
    assert planned.result["diff"] == {
        "before": {
            "d1": {"metadata": {"site": "hall 1", "rack": "3"}, "tags": ["canary"]},
            "d2": {"tags": ["canary"]},
        },
        "after": {
            "d4": {"name": "Four", "metadata": {"new": "true"}, "tags": ["night", "spare"]},
            "d1": {"metadata": {"floor": "2", "site": "hall 7"}, "tags": ["night"]},
            "d2": {"tags": []},
        },
    }
    done = run(module, full, targets=given, diff_mode=True)
    assert done.result == planned.result
    assert full.metadata == {"d1": {"site": "hall 7", "floor": "2"}, "d4": {"new": "true"}}
    assert {name: sorted(ids) for name, ids in full.tags.items()} == {
        "canary": [],
        "night": ["d1", "d2", "d4"],
        "spare": ["d4"],
    }
    full.forget()
    again = run(module, full, targets=given)
    assert (again.error, again.result["changed"], full.writes) == (None, False, [])


def test_metadata_is_read_of_those_only_that_have_the_option(modern_full: FakeHawkbit, run: Run) -> None:
    run(module, modern_full, targets=[{"controller_id": "d1"}, {"controller_id": "d2", "metadata": {}}])
    assert [line for line in modern_full.lines if "metadata" in line] == ["GET /targets/d2/metadata?offset=0&limit=500"]


@pytest.mark.parametrize("option", ["metadata", "tags"])
def test_purging_needs_the_list(full: FakeHawkbit, run: Run, option: str) -> None:
    other = {
        "controller_id": "d2",
        option: {} if option == "metadata" else ["canary", "night"],
        f"purge_{option}": True,
    }
    without = {"controller_id": "d1", f"purge_{option}": True, f"{option}_absent": ["x"]}
    ran = run(module, full, targets=[other, without])
    assert (ran.error, ran.result["changed"]) == (None, False)
    ran = run(module, full, controller_id="d1", **{f"purge_{option}": True, option: {} if option == "metadata" else []})
    assert ran.result["changed"] is True
    assert (full.metadata["d1"] == {}) is (option == "metadata")
    assert ("d1" in full.tags["canary"]) is (option == "metadata")


def test_a_key_that_came_in_between_is_changed_instead(full: FakeHawkbit, run: Run) -> None:
    def meanwhile(request: Arrived) -> None:
        if request.method == "POST":
            full.metadata.setdefault("d3", {"site": "by somebody else"})

    full.on = meanwhile
    ran = run(module, full, controller_id="d3", metadata={"site": "hall 3", "rack": "1"})
    assert ran.error is None
    assert full.metadata["d3"] == {"site": "hall 3", "rack": "1"}


def test_who_has_a_tag_is_not_asked_for_new_targets(modern_full: FakeHawkbit, run: Run) -> None:
    run(module, modern_full, targets=[{"controller_id": one, "tags": ["canary"]} for one in ("n1", "n2")])
    before = modern_full.lines[: modern_full.lines.index("POST /targets")]
    assert [line for line in before if "assigned" in line] == []
    assert modern_full.tags["canary"] == ["d1", "d2", "n1", "n2"]


def test_a_tag_for_a_thousand_targets_is_a_few_requests(fake: FakeHawkbit, run: Run) -> None:
    fake.tags = {"canary": [], "old": []}
    ids = [f"d{number:04}" for number in range(1200)]
    given = [{"controller_id": one, "tags": ["canary"], "tags_absent": ["old"]} for one in ids]
    fake.add_targets(*ids)
    fake.tags["old"] += ids
    ran = run(module, fake, targets=given)
    assert (ran.error, len(fake.tags["canary"]), fake.tags["old"]) == (None, 1200, [])
    if fake.generation != "seed":
        assert sorted(fake.writes) == [
            *["DELETE /targettags/2/assigned"] * 3,
            *["POST /targettags/1/assigned"] * 3,
        ]
    # targets, tags, who has which, and once each whether it worked
    assert sum(line.startswith("GET") for line in fake.lines) <= 1200 / 300 + 1 + 2 * 3 + 2 * 2


def test_tags_of_a_release_between(make_fake: Any, run: Run) -> None:
    """0.6 to 0.8 take a PUT."""
    fake = make_fake("legacy")
    fake.refuse.append((r"POST /targettags/.*", (405, fake.plain(405, "/x"))))
    fake.add_targets("d1")
    fake.tags = {"canary": [], "night": []}
    assert run(module, fake, controller_id="d1", tags=["canary", "night"]).error is None
    assert fake.tags == {"canary": ["d1"], "night": ["d1"]}
    # what the release takes is found out once
    assert fake.writes == [
        "POST /targettags/1/assigned",
        "PUT /targettags/1/assigned",
        "PUT /targettags/2/assigned",
    ]


# -- types and groups ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, id", [("Gateway", 7), ("gw", 7), ("Sensor", 8)])
def test_a_type_is_known_by_name_or_key(modern_full: FakeHawkbit, run: Run, name: str, id: int) -> None:
    given = [{"controller_id": "d1", "target_type": name}, {"controller_id": "d9", "target_type": name}]
    ran = run(module, modern_full, targets=given, diff_mode=True)
    assert ran.result["diff"]["after"]["d1"] == {"target_type": name}
    assert ran.result["diff"]["after"]["d9"] == {"name": "d9", "target_type": name}
    assert [modern_full.targets[one]["targetType"] for one in ("d1", "d9")] == [id, id]
    assert run(module, modern_full, targets=given).result["changed"] is False
    none = [{"controller_id": "d1", "target_type": ""}, {"controller_id": "d2", "target_type": ""}]
    assert run(module, modern_full, targets=none).result["targets"]["updated"] == ["d1"]
    assert "targetType" not in modern_full.targets["d1"]


def test_groups(modern_full: FakeHawkbit, run: Run) -> None:
    given = [
        {"controller_id": "d1", "group": "Europe/Berlin"},
        {"controller_id": "d2", "group": "Europe/Berlin"},
        {"controller_id": "d9", "group": "Europe"},
    ]
    assert run(module, modern_full, targets=given).result["targets"]["updated"] == ["d1", "d2"]
    assert modern_full.bodies("PUT /targetgroups/assigned") == [["d1", "d2"]]
    assert modern_full.groups_of == {"d1": "Europe/Berlin", "d2": "Europe/Berlin", "d9": "Europe"}
    assert run(module, modern_full, targets=given).result["changed"] is False
    ran = run(module, modern_full, targets=[{"controller_id": one, "group": ""} for one in ("d1", "d3")])
    assert ran.result["targets"]["updated"] == ["d1"]
    assert modern_full.groups_of["d1"] == ""


def test_a_device_that_registers_itself_in_between_gets_its_group(modern_full: FakeHawkbit, run: Run) -> None:
    def meanwhile(request: Arrived) -> None:
        if request.method == "POST" and "d9" not in modern_full.targets:
            modern_full.add_targets("d9")

    modern_full.on = meanwhile
    ran = run(module, modern_full, controller_id="d9", group="Europe", target_type="Gateway")
    assert ran.error is None
    assert (modern_full.groups_of["d9"], modern_full.targets["d9"]["targetType"]) == ("Europe", 7)


@pytest.mark.parametrize("generation", ["seed", "legacy"])
def test_old_releases_have_no_groups(make_fake: Any, run: Run, generation: str) -> None:
    fake = make_fake(generation)
    ran = run(module, fake, controller_id="d1", group="Europe")
    assert ran.result["msg"] == "group needs hawkBit 0.10 or newer: leave it out, or use tags."
    assert (ran.result["error"]["code"], fake.writes) == ("unsupported", [])
    assert run(module, fake, controller_id="d1", group="").error is None


def test_the_oldest_have_no_types(make_fake: Any, run: Run) -> None:
    fake = make_fake("seed")
    ran = run(module, fake, controller_id="d1", target_type="Gateway")
    assert ran.result["msg"] == "This hawkBit has no target types: they came with 0.3.0M8."
    assert fake.writes == []
    assert run(module, fake, controller_id="d1", target_type="").error is None


# -- removals --------------------------------------------------------------------------------------------------


def test_removal_by_query(full: FakeHawkbit, run: Run) -> None:
    ran = run(module, full, query="controllerid=in=(d1,d2)", max_removals=2, state="absent", diff_mode=True)
    assert ran.result["targets"] == {"created": [], "updated": [], "removed": ["d1", "d2"]}
    assert set(ran.result["diff"]["before"]) == {"d1", "d2"}
    assert set(full.targets) == {"d3"}
    again = run(module, full, query="controllerid=in=(d1,d2)", max_removals=0, state="absent")
    assert again.result["changed"] is False


def test_those_and_no_others(full: FakeHawkbit, run: Run) -> None:
    given: dict[str, Any] = {
        "targets": [{"controller_id": "d1", "name": "One"}, {"controller_id": "d4"}],
        "exclusive_query": "controllerid==d*",
        "max_removals": 2,
    }
    ran = run(module, full, **given)
    assert ran.result["targets"] == {"created": ["d4"], "updated": ["d1"], "removed": ["d2", "d3"]}
    assert set(full.targets) == {"d1", "d4"}
    assert run(module, full, **given).result["changed"] is False


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    "given",
    [
        {"query": "controllerid==d*", "state": "absent"},
        {"targets": [{"controller_id": "new"}], "exclusive_query": "controllerid==d*"},
        {"targets": [{"controller_id": one} for one in ("d1", "d2", "d3")], "state": "absent"},
    ],
    ids=["query", "exclusive", "list"],
)
def test_too_many_removals_stop_it_before_the_first_write(
    full: FakeHawkbit, run: Run, given: dict[str, Any], check_mode: bool
) -> None:
    ran = run(module, full, **given, max_removals=2, check_mode=check_mode)
    assert ran.result["msg"] == (
        "max_removals is 2, but 3 targets would be removed (d1, d2, d3): nothing was done; raise it, or select fewer."
    )
    assert ran.result["error"]["code"] == "invalid_input"
    assert full.writes == []


def test_a_query_that_finds_what_cannot_be_removed(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets("a", "a/b")
    ran = run(module, modern, query="name==*", max_removals=5, state="absent")
    assert ran.result["msg"] == (
        "hawkBit cannot be asked to remove target 'a/b': ids with / \\ ; or % in them, and . and .., cannot stand in "
        "an address. Have the query leave it out."
    )
    assert modern.writes == []


def test_a_query_that_the_server_refuses(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets("d1")
    ran = run(module, modern, query="bogus==1", max_removals=5, state="absent")
    assert ran.result["msg"].startswith("query is 'bogus==1', which hawkBit cannot use as a query:")


# -- tokens ----------------------------------------------------------------------------------------------------


def test_tokens_are_returned_when_asked_for(full: FakeHawkbit, run: Run) -> None:
    given = [{"controller_id": "d1"}, {"controller_id": "d9", "name": "Nine"}]
    assert "token-of" not in str(run(module, full, targets=given[:1]).result)
    planned = run(module, full, targets=given, return_security_token=True, check_mode=True)
    assert planned.result["security_tokens"] == {"d1": "token-of-d1"}
    done = run(module, full, targets=given, return_security_token=True)
    assert done.result["security_tokens"] == {"d1": "token-of-d1", "d9": "token-of-d9"}
    # the user may lack the permission
    del full.targets["d1"]["securityToken"]
    assert run(module, full, controller_id="d1", return_security_token=True).result["security_tokens"] == {"d1": None}
    removed = run(module, full, controller_id="d1", return_security_token=True, state="absent")
    assert removed.result["security_tokens"] == {}


def test_blanks_at_the_ends_are_no_change(full: FakeHawkbit, run: Run) -> None:
    """The server cuts them off."""
    full.targets["d1"].update(name="One", description="Text", address="http://one", securityToken=TOKEN)
    ran = run(
        module,
        full,
        controller_id="d1",
        name=" One",
        description="Text\n",
        address="http://one ",
        security_token=f"{TOKEN} ",
        update_security_token="always",
    )
    assert ran.result["changed"] is False


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, message",
    [
        ({"targets": []}, "targets is an empty list: give at least one target, or leave the task out."),
        (
            {"query": "name==x", "max_removals": 1},
            "query goes with state=absent only: leave it out, or set state to absent.",
        ),
        (
            {"controller_id": "d1", "exclusive_query": "name==x", "max_removals": 1, "state": "absent"},
            "exclusive_query goes with state=present only: leave it out, or set state to present.",
        ),
        (
            {"query": "name==x", "state": "absent"},
            "query removes what it finds: say in max_removals how many that may be at most.",
        ),
        (
            {"controller_id": "d1", "exclusive_query": "name==x"},
            "exclusive_query removes what it finds: say in max_removals how many that may be at most.",
        ),
        ({"controller_id": "d1", "max_removals": -1}, "max_removals is -1: give 0 or more."),
        (
            {"controller_id": "d1", "tags": ["a"], "tags_absent": ["a"]},
            "tags and tags_absent both have 'a': give it in one of them.",
        ),
        (
            {"targets": [{"controller_id": "d1", "metadata": {"a": 1}, "metadata_absent": ["a"]}]},
            "metadata of 'd1' and metadata_absent both have 'a': give it in one of them.",
        ),
        ({"controller_id": "d1", "group": "x" * 257}, "group of 'd1' is 257 characters long: 256 is the most."),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(
    modern: FakeHawkbit, run: Run, given: dict[str, Any], message: str
) -> None:
    ran = run(module, modern, **given)
    assert ran.result["msg"] == message
    assert ran.result["error"]["code"] == "invalid_input"
    assert modern.lines == []


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"tags": ["none"]},
            f"tags has 'none', but hawkBit has no such target tag: there are {TAGS}. Create it with hawkbit_tag first.",
        ),
        (
            {"target_type": "Unheard"},
            "target_type is 'Unheard', but hawkBit has no such target type: there are Gateway, Sensor.",
        ),
    ],
)
def test_what_does_not_exist_is_told_before_the_first_write(
    modern_full: FakeHawkbit, run: Run, given: dict[str, Any], message: str
) -> None:
    ran = run(module, modern_full, controller_id="d9", **given)
    assert ran.result["msg"] == message
    assert modern_full.writes == []


@pytest.mark.parametrize(
    "one, refused, changed",
    [
        ("d9", "POST /targets", False),
        ("d9", "POST /targettags/1/assigned", True),
        ("d9", "POST /targets/d9/metadata", True),
        # of a target that is as it should be but for these
        ("d3", "POST /targettags/1/assigned", False),
        ("d3", "POST /targettags/3/assigned", True),
        ("d3", "POST /targets/d3/metadata", True),
    ],
)
def test_what_was_written_before_a_fault_counts_as_changed(
    modern_full: FakeHawkbit, run: Run, one: str, refused: str, changed: bool
) -> None:
    modern_full.refuse.append((refused, (403, error("insufficientPermission", "Insufficient Permission"))))
    ran = run(module, modern_full, controller_id=one, tags=["canary", "spare"], metadata={"a": "b"})
    assert (ran.result["error"]["code"], ran.result["changed"]) == ("auth", changed)


@pytest.mark.parametrize("option", ["purge_metadata", "purge_tags"])
def test_a_purge_beside_a_list_is_refused(full: FakeHawkbit, run: Run, option: str) -> None:
    ran = run(module, full, targets=[{"controller_id": "d1"}], **{option: True})
    assert ran.result["msg"] == f"{option} goes with controller_id: set it in those entries of targets that it is for."
    assert full.writes == []


def test_what_was_done_before_a_fault_is_told(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets("d1", "d2")
    modern.refuse.append(("PUT /targets/d2", (400, error("x", "No"))))
    names = [{"controller_id": one, "name": "New"} for one in ("d0", "d1", "d2")]
    ran = run(module, modern, targets=names)
    assert ran.result["changed"]
    assert ran.result["targets"] == {"created": ["d0"], "updated": ["d1"], "removed": []}


def test_an_id_that_is_too_long_for_a_name_needs_one(full: FakeHawkbit, run: Run) -> None:
    long = "d" * 129
    ran = run(module, full, controller_id=long)
    assert ran.result["msg"].startswith(f"name of target '{long}' is missing: its id, which would be the name, has 129")
    assert full.writes == []
    assert run(module, full, controller_id=long, name="short").result["changed"]


def test_an_address_that_old_servers_refuse(full: FakeHawkbit, run: Run) -> None:
    ran = run(module, full, controller_id="d1", address="http://a b")
    if full.generation == "modern":
        assert ran.result["changed"]
    else:
        assert ran.result["msg"] == "address of target 'd1' is 'http://a b': give a URI, such as http://192.0.2.7."
        assert full.writes == []
