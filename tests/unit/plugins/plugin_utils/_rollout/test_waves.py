"""The waves of the rollout role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan

CANARY = {"name": "canary", "percentage": 10}
REST = {"name": "rest"}
LEAVE_OUT = "leave out that of the last wave, and it gets the rest."
ADD_UP = (
    "min_success_percentage and max_failure_percentage add up to 105: with more than 100 there are results that "
    "neither pass nor fail. Lower one of them."
)
NO_APPROVAL = "approval is asked for before the next wave, but this is the last one: leave it out."


def test_defaults_are_filled_in() -> None:
    plan = rollout_plan([CANARY, REST])
    assert plan["error"] is None
    assert plan["waves"][0] == {
        "name": "canary",
        "percentage": 10.0,
        "query": None,
        "min_success_percentage": 100,
        "max_failure_percentage": 0,
        "soak": 0,
        "approval": None,
        "verify": None,
        "pauses": False,
    }


def test_gates_become_the_thresholds_of_the_servers_groups() -> None:
    gate = {"min_success_percentage": "90", "max_failure_percentage": 5}
    assert rollout_plan([{**CANARY, "gate": gate}, REST])["groups"] == [
        {
            "name": "canary",
            "percentage": 10.0,
            "query": None,
            "success_threshold": 90,
            "error_threshold": 5,
            "success_action": "next_group",
        },
        {
            "name": "rest",
            "percentage": None,
            "query": None,
            "success_threshold": 100,
            "error_threshold": 0,
            "success_action": "next_group",
        },
    ]


@pytest.mark.parametrize("option", ["soak", "approval", "verify"])
def test_server_pauses_where_something_is_to_be_done(option: str) -> None:
    value = {"soak": 5, "approval": "Go on?", "verify": __file__}[option]
    groups = rollout_plan([{**CANARY, option: value}, REST])["groups"]
    assert [group["success_action"] for group in groups] == ["pause", "next_group"]


def test_server_does_not_pause_after_the_last_wave() -> None:
    assert rollout_plan([CANARY, {**REST, "soak": 5}])["groups"][1]["success_action"] == "next_group"


@pytest.mark.parametrize(
    "waves",
    [
        pytest.param([REST], id="one"),
        pytest.param([CANARY, {"name": "rest", "percentage": 90}], id="whole"),
        pytest.param([{"name": "canary", "query": "tag==canary"}, REST], id="query"),
        pytest.param([{"name": "canary", "query": "tag==a"}, {"name": "rest", "query": "tag==b"}], id="only-queries"),
        pytest.param([{"name": f"w{n}", "percentage": 100 / 3} for n in range(3)], id="thirds"),
    ],
)
def test_waves_that_make_up_the_whole(waves: list[dict[str, Any]]) -> None:
    assert rollout_plan(waves)["error"] is None


@pytest.mark.parametrize(
    "waves,message",
    [
        ([], "rollout_waves is an empty list: give at least one wave."),
        ([CANARY, CANARY], "rollout_waves: each wave needs a name of its own."),
        (
            [CANARY, {"name": "rest", "percentage": 80}],
            f"rollout_waves: the percentages add up to 90, not 100: {LEAVE_OUT}",
        ),
        (
            [{"name": "a", "percentage": 60}, {"name": "b", "percentage": 60}],
            f"rollout_waves: the percentages add up to 120, not 100: {LEAVE_OUT}",
        ),
        (
            [REST, CANARY],
            "rollout_waves, wave 'rest': only the last wave may go without percentage or query, it gets the rest.",
        ),
        (
            [{"name": "a", "percentage": 0}, REST],
            "rollout_waves, wave 'a': percentage is 0: give more than 0, at most 100.",
        ),
        (
            [{"name": "a", "percentage": 101}, REST],
            "rollout_waves, wave 'a': percentage is 101: give more than 0, at most 100.",
        ),
        (
            [{**REST, "gate": {"min_success_percentage": 101}}],
            "rollout_waves, wave 'rest': min_success_percentage is 101: give a whole number from 0 to 100.",
        ),
        (
            [{**REST, "gate": {"max_failure_percentage": 2.5}}],
            "rollout_waves, wave 'rest': max_failure_percentage is 2.5: give a whole number, 0 or more.",
        ),
        (
            [{**REST, "gate": {"min_success_percentage": 95, "max_failure_percentage": 10}}],
            f"rollout_waves, wave 'rest': {ADD_UP}",
        ),
        ([{**REST, "soak": -1}], "rollout_waves, wave 'rest': soak is -1: give a whole number, 0 or more."),
        (
            [{**REST, "approval": "Well?"}],
            f"rollout_waves, wave 'rest': {NO_APPROVAL}",
        ),
        (
            [{**REST, "verify": "verify.yml"}],
            "rollout_waves, wave 'rest': verify is 'verify.yml': give the absolute path of a task file.",
        ),
        (
            [{**REST, "verify": "/nowhere/verify.yml"}],
            "rollout_waves, wave 'rest': verify is '/nowhere/verify.yml', and there is no such file.",
        ),
    ],
)
def test_wrong_waves_are_refused(waves: list[dict[str, Any]], message: str) -> None:
    assert rollout_plan(waves) == {"error": message, "waves": [], "groups": []}


def test_verify_is_a_file(tmp_path: Path) -> None:
    assert "no such file" in rollout_plan([{**REST, "verify": str(tmp_path)}])["error"]
