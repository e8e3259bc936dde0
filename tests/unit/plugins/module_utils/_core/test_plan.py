"""Plans and diffs, and what a task makes of them."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.plan import Change, Plan, differing
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task

CREATE = Change("new", after={"name": "n"})
UPDATE = Change("old", before={"name": "a"}, after={"name": "b"})
DELETE = Change("gone", before={"name": "c"})


def test_empty_plan_changes_nothing() -> None:
    assert not Plan().changed
    assert Plan().diff() == {"before": {}, "after": {}}


def test_each_list_is_a_change() -> None:
    assert Plan(create=[CREATE]).changed
    assert Plan(update=[UPDATE]).changed
    assert Plan(delete=[DELETE]).changed


def test_diff_shows_each_object_on_the_side_where_it_is() -> None:
    assert Plan([CREATE], [UPDATE], [DELETE]).diff() == {
        "before": {"old": {"name": "a"}, "gone": {"name": "c"}},
        "after": {"new": {"name": "n"}, "old": {"name": "b"}},
    }


def test_plans_do_not_share_their_lists() -> None:
    first = Plan()
    first.create.append(CREATE)
    assert not Plan().changed


def test_differing_leaves_out_what_is_the_same_or_does_not_matter() -> None:
    wanted = {"same": 1, "other": "b", "missing": "x", "any": None, "off": False, "empty": ""}
    found = {"same": 1, "other": "a", "any": 5, "off": True, "extra": 9}
    assert differing(wanted, found) == {"other": "b", "missing": "x", "off": False, "empty": ""}


def test_result_of_a_task() -> None:
    plan = Plan(create=[CREATE])
    assert Task(params={}).result(plan, ids=["new"]) == {"changed": True, "ids": ["new"]}
    assert Task(params={}, diff_mode=True).result(Plan()) == {"changed": False, "diff": {"before": {}, "after": {}}}
    assert Task(params={}, check_mode=True, diff_mode=True).result(plan)["diff"] == plan.diff()


def test_task_that_was_given_no_voice_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    task = Task(params={})
    task.warn("nobody hears")
    task.progress("nobody sees")
    assert capfd.readouterr() == ("", "")
    assert Task(params={}).redactor is not task.redactor
