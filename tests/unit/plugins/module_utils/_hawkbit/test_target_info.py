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


@pytest.mark.parametrize(
    "given, message",
    [
        ({"controller_id": ""}, "controller_id is empty: give at least one character."),
        ({"limit": 0}, "limit is 0: give 1 or more, or leave it out for all targets."),
        ({"sort": "name"}, "sort is 'name': give field:ASC or field:DESC, several separated by commas."),
        ({"gather": ["actions"], "action_limit": 0}, "action_limit is 0: give 1 or more."),
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
