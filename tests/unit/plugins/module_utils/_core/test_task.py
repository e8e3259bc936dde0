"""The task object's result."""

from __future__ import annotations

from ansible_collections.fleet.deploy.plugins.module_utils._core.plan import Change, Plan
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task

PLAN = Plan(update=[Change("d1", {"name": "old"}, {"name": "new"})])


def test_result_tells_whether_anything_is_written_and_holds_what_it_is_given() -> None:
    assert Task({}).result(PLAN, targets=["d1"]) == {"changed": True, "targets": ["d1"]}
    assert Task({}).result(Plan()) == {"changed": False}


def test_diff_mode_shows_the_plan() -> None:
    result = Task({}, diff_mode=True).result(PLAN)
    assert result["diff"] == {"before": {"d1": {"name": "old"}}, "after": {"d1": {"name": "new"}}}
    assert Task({}, diff_mode=True).result(Plan())["diff"] == {"before": {}, "after": {}}


def test_check_mode_alone_shows_no_diff() -> None:
    assert "diff" not in Task({}, check_mode=True).result(PLAN)


def test_a_task_may_run_where_nobody_listens() -> None:
    task = Task({})
    task.warn("unheard")
    task.progress("unheard")


def test_each_task_has_its_own_secrets() -> None:
    one, other = Task({}), Task({})
    one.redactor.add("a-long-secret")
    assert one.redactor.clean("a-long-secret") != "a-long-secret"
    assert other.redactor.clean("a-long-secret") == "a-long-secret"
