"""What is read about targets: by ids, by query, with what belongs to them; the security token never."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.modules import target_info as module

from .conftest import Run
from .fake import FakeHawkbit, error


def test_all_keys_are_there_and_no_token(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a", description="", targetType=3, pollStatus={"lastRequestAt": 5, "overdue": False})
    done = run(module, fake, controller_id="a")
    assert done.error is None
    [target] = done.result["targets"]
    assert (done.result["changed"], done.result["count"]) == (False, 1)
    assert (target["controller_id"], target["update_status"], target["target_type"]) == ("a", "registered", "3")
    assert target["poll_status"] == {"last_request_at": 5, "next_expected_request_at": None, "overdue": False}
    # empty and unknown are null
    assert (target["description"], target["group"], target["installed_at"]) == (None, None, None)
    assert "token-of-a" not in str(done.result)
    documented = {"controller_id", "name", "description", "address", "ip_address", "update_status", "group"}
    assert documented < set(target)
    assert fake.writes == []


def test_ids_keep_their_order_and_unknown_ones_are_left_out(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a", "b", "c", "d/e")
    ids = ["c", "none", "a", "c", "A", "d/e"]
    done = run(module, fake, controller_ids=ids)
    assert [target["controller_id"] for target in done.result["targets"]] == ["c", "a", "d/e"]
    assert done.result["count"] == 3
    for nobody in ({"controller_id": "none"}, {"controller_ids": []}, {"query": "controllerid==none"}):
        done = run(module, fake, gather=["attributes", "tags", "actions"], **nobody)
        assert (done.result["count"], done.result["targets"]) == (0, [])


def test_more_than_a_page(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets(*(f"d{number:04}" for number in range(1201)))
    done = run(module, modern)
    assert done.result["count"] == 1201
    assert len({target["controller_id"] for target in done.result["targets"]}) == 1201
    assert len(modern.lines) == 3
    limited = run(module, modern, limit=700)
    assert (limited.result["count"], len(limited.result["targets"])) == (1201, 700)


def test_sort_always_ends_with_the_id(modern: FakeHawkbit, run: Run) -> None:
    modern.add_targets("a")
    for sort, sent in (("name:DESC", "name:DESC,controllerId:ASC"), ("controllerId:DESC", "controllerId:DESC")):
        modern.forget()
        run(module, modern, sort=sort)
        assert f"sort={sent}" in modern.lines[0]


def test_actions_read_alike_in_all_generations(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a", "b")
    [action] = fake.assign(fake.add_set(), "a")
    fake.report("a", "error", "flash failed")
    done = run(module, fake, controller_ids=["a", "b"], gather=["actions"])
    a, b = done.result["targets"]
    assert b["actions"] == []
    [found] = a["actions"]
    assert (found["id"], found["active"], found["state"]) == (str(action.id), False, "failed")
    assert "tags" not in a
    assert found["distribution_set"] == {"id": str(action.set_id), "name": "os", "version": "1"}
    assert (found["weight"], found["maintenance_window"], "history" in found) == (None, None, False)


def test_the_sets_of_many_actions_are_a_few_requests(fake: FakeHawkbit, run: Run) -> None:
    ids = [f"d{number}" for number in range(30)]
    fake.add_targets(*ids)
    for version in ("1", "2"):
        fake.assign(fake.add_set(version=version), *ids)
    done = run(module, fake, query="controllerid==d*", gather=["actions"])
    for target in done.result["targets"]:
        assert [action["distribution_set"]["version"] for action in target["actions"]] == ["2", "1"]
    lists = [line for line in fake.lines if line.startswith("GET /actions?") and "active" not in line]
    singles = [line for line in fake.lines if "/actions/" in line and "/status" not in line]
    assert (len(lists), len(singles)) == ((0, 60) if fake.generation == "seed" else (1, 0))


def test_a_set_that_may_not_be_read_has_no_name(make_fake: Any, run: Run) -> None:
    """In 0.3.0M7 only the set itself tells its name."""
    fake = make_fake("seed")
    fake.add_targets("a")
    number = fake.add_set()
    fake.assign(number, "a")
    fake.refuse.append((r"GET /distributionsets/.*", (403, error("insufficientPermission", "Insufficient Permission"))))
    done = run(module, fake, controller_id="a", gather=["actions"])
    [action] = done.result["targets"][0]["actions"]
    assert action["distribution_set"] == {"id": str(number), "name": None, "version": None}


def test_which_actions(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a", "b")
    for version in ("1", "2", "3"):
        fake.assign(fake.add_set(version=version), "a")

    def ids(**given: Any) -> list[str]:
        done = run(module, fake, controller_id="a", gather=["actions"], **given)
        assert done.error is None
        return [action["id"] for action in done.result["targets"][0]["actions"]]

    assert ids() == ["3", "2", "1"]
    assert ids(action_limit=2) == ["3", "2"]
    assert ids(action_sort="id:ASC", action_limit=2) == ["1", "2"]
    assert ids(action_query="id!=3") == ["2", "1"]
    fake.forget()
    assert ids(action_id=2) == ["2"]
    assert "GET /targets/a/actions/2" in fake.lines
    assert ids(action_id=99) == []
    fake.forget()
    ids(action_sort="status:DESC")
    assert any("sort=status:DESC,id:DESC" in line for line in fake.lines)


def test_the_history_of_actions(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a")
    fake.assign(fake.add_set(), "a")
    fake.report("a", "running", None)
    fake.report("a", "error", "flash failed", "no space")
    done = run(module, fake, controller_id="a", gather=["action_status"])
    [found] = done.result["targets"][0]["actions"]
    assert [(entry["id"], entry["type"], entry["messages"]) for entry in found["history"]] == [
        ("2", "error", ["flash failed", "no space"]),
        ("1", "running", []),
    ]
    assert set(found["history"][0]) == {"id", "type", "messages", "reported_at", "timestamp", "code"}
    limited = run(module, fake, controller_id="a", gather=["action_status"], action_status_limit=1)
    assert len(limited.result["targets"][0]["actions"][0]["history"]) == 1


def test_an_action_with_all_it_has(make_fake: Any, run: Run) -> None:
    """The answer is shaped as the documentation of 0.3 shows it."""
    fake = make_fake("seed")
    fake.add_targets("137")
    number = fake.add_set("gateway:x", "1.0")
    window = {"schedule": "0 0 3 * * ?", "duration": "00:01:00", "timezone": "+00:00", "nextStartAt": 1629287509000}
    at = f"{fake.server.url}/rest/v1"
    answered = {
        "createdBy": "bumlux",
        "createdAt": 1629287400654,
        "lastModifiedBy": "somebody",
        "lastModifiedAt": 1629287400729,
        "type": "update",
        "status": "pending",
        "forceTime": 1629287400999,
        "weight": 600,
        "rollout": 2,
        "rolloutName": "rollout",
        "maintenanceWindow": window,
        "_links": {
            "self": {"href": f"{at}/targets/137/actions/17"},
            "distributionset": {"href": f"{at}/distributionsets/{number}"},
            "status": {"href": f"{at}/targets/137/actions/17/status?offset=0&limit=50&sort=id:DESC"},
        },
        "id": 17,
        "forceType": "timeforced",
    }
    fake.refuse.append((r"GET /targets/137/actions/17", (200, answered)))
    done = run(module, fake, controller_id="137", gather=["actions"], action_id=17)
    assert done.result["targets"][0]["actions"] == [
        {
            "id": "17",
            "type": "update",
            "status": "pending",
            "active": True,
            "state": "running",
            "native_state": None,
            "code": None,
            "force_type": "timeforced",
            "force_time": 1629287400999,
            "weight": 600,
            "rollout": "2",
            "rollout_name": "rollout",
            "distribution_set": {"id": str(number), "name": "gateway:x", "version": "1.0"},
            "maintenance_window": {
                "schedule": "0 0 3 * * ?",
                "duration": "00:01:00",
                "timezone": "+00:00",
                "next_start_at": 1629287509000,
            },
            "created_at": 1629287400654,
            "created_by": "bumlux",
            "last_modified_at": 1629287400729,
            "last_modified_by": "somebody",
        }
    ]


def test_metadata_is_filtered_alike_in_all_generations(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a", "b")
    fake.metadata["a"] = {"site": "hall 1", "hw": "rev2", "hwid": "17"}
    done = run(module, fake, query="controllerid==*", gather=["metadata"], metadata_query="key==hw*;value!=17")
    assert [target["metadata"] for target in done.result["targets"]] == [{"hw": "rev2"}, {}]
    # 0.3.0M7 does it itself, and pages
    assert any("metadata?" in line and "q=key==hw*;value!=17" in line and "sort=key:ASC" in line for line in fake.lines)
    everything = run(module, fake, controller_id="a", gather=["metadata"])
    assert everything.result["targets"][0]["metadata"] == fake.metadata["a"]


def test_the_poll_status_where_lists_do_not_tell_it(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a", "b")
    fake.add_targets("silent", lastControllerRequestAt=None)
    told = {"lastRequestAt": 5, "overdue": True}
    for one in ("a", "b"):
        fake.refuse.append((f"GET /targets/{one}", (200, {**fake.targets[one], "pollStatus": told})))
    done = run(module, fake, query="controllerid==*", gather=["poll_status"])
    polls = [target["poll_status"] for target in done.result["targets"]]
    assert [poll and poll["overdue"] for poll in polls] == [True, True, None]
    assert "GET /targets/silent" not in fake.lines


def test_a_set_with_all_it_has(fake: FakeHawkbit, run: Run) -> None:
    fake.add_targets("a")
    module_of_it = {"id": 5, "name": "fw", "version": "1", "type": "os", "vendor": "Example", "deleted": False}
    number = fake.add_set(
        description="All", requiredMigrationStep=True, createdBy="admin", deleted=False, modules=[module_of_it]
    )
    fake.refuse += [
        (r"GET /targets/a/assignedDS", (200, fake.sets[number])),
        (r"GET /targets\?.*assignedds.*", (200, {"content": [fake.targets["a"]], "total": 1})),
    ]
    done = run(module, fake, controller_id="a", gather=["assigned_distribution_set", "installed_distribution_set"])
    [target] = done.result["targets"]
    assert target["installed_distribution_set"] is None
    found = target["assigned_distribution_set"]
    assert (found["id"], found["name"], found["description"]) == (str(number), "os", "All")
    assert (found["required_migration_step"], found["complete"], found["valid"]) == (True, True, True)
    assert (found["created_by"], found["deleted"], found["type_name"]) == ("admin", False, None)
    assert found["modules"][0].items() >= {"id": "5", "name": "fw", "vendor": "Example", "encrypted": None}.items()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"controller_id": ""}, "controller_id is empty: give at least one character."),
        ({"limit": 0}, "limit is 0: give 1 or more, or leave it out for all targets."),
        ({"sort": "name"}, "sort is 'name': give field:ASC or field:DESC, several separated by commas."),
        ({"gather": ["actions"], "action_limit": 0}, "action_limit is 0: give 1 or more."),
        ({"gather": ["action_status"], "action_status_limit": 0}, "action_status_limit is 0: give 1 or more."),
        (
            {"gather": ["actions"], "action_sort": "id"},
            "action_sort is 'id': give field:ASC or field:DESC, several separated by commas.",
        ),
        (
            {"controller_id": "a", "action_id": 1},
            "action_id is '1', but gather does not have actions: add it there.",
        ),
        (
            {"gather": ["actions"], "action_id": 1},
            "action_id is 1: say in controller_id whose action that is.",
        ),
        (
            {"gather": ["tags"], "metadata_query": "key==a"},
            "metadata_query is 'key==a', but gather does not have metadata: add it there.",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(
    modern: FakeHawkbit, run: Run, given: dict[str, Any], message: str
) -> None:
    done = run(module, modern, **given)
    assert done.result["msg"] == message
    assert done.result["error"]["code"] == "invalid_input"
    assert modern.lines == []


@pytest.mark.parametrize(
    "given, code, begin",
    [
        ({"query": "bogus==1"}, "rest.param.rsqlInvalidField", "query is 'bogus==1'"),
        ({"sort": "bogus:ASC"}, "rest.param.invalidField", "sort is 'bogus:ASC'"),
    ],
)
def test_what_the_server_refuses_names_the_option(
    modern: FakeHawkbit, run: Run, given: dict[str, Any], code: str, begin: str
) -> None:
    modern.refuse.append((r"GET /targets\?.*", (400, error(code, "No such field"))))
    done = run(module, modern, **given)
    assert done.result["msg"].startswith(f"{begin}, which hawkBit refuses")
    assert done.result["error"]["code"] == "invalid_input"


@pytest.mark.parametrize(
    "given, code, begin",
    [
        ({"action_query": "bogus==1"}, "rest.param.rsqlInvalidField", "action_query is 'bogus==1'"),
        ({"action_sort": "bogus:ASC"}, "rest.param.invalidField", "action_sort is 'bogus:ASC'"),
    ],
)
def test_what_the_server_refuses_of_actions_names_the_option(
    modern: FakeHawkbit, run: Run, given: dict[str, Any], code: str, begin: str
) -> None:
    modern.add_targets("a")
    modern.refuse.append((r"GET /targets/a/actions\?.*", (400, error(code, "No such field"))))
    done = run(module, modern, controller_id="a", gather=["actions"], **given)
    assert done.result["msg"].startswith(f"{begin}, which hawkBit refuses")
    assert done.result["error"]["code"] == "invalid_input"
