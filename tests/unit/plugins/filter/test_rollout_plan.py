"""The filter rollout_plan: what a playbook may hand in beside the plain case, see also test_waves.py."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.filter import rollout_plan as plugin
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollouts import group_percentages

REST = {"name": "rest"}
LEAVE_OUT = "leave out that of the last wave, and it gets the rest."
ADD_UP = (
    "min_success_percentage and max_failure_percentage add up to 101: with more than 100 there are results that "
    "neither pass nor fail. Lower one of them."
)


@pytest.mark.parametrize(
    "waves, message",
    [
        (None, "rollout_waves is an empty list: give at least one wave."),
        ([{"percentage": 10}, REST], "rollout_waves: wave 1 has no name: give each wave one of its own."),
        (
            [{"name": "a", "percentage": 10}, {"name": " "}],
            "rollout_waves: wave 2 has no name: give each wave one of its own.",
        ),
        ([{"name": None}], "rollout_waves: wave 1 has no name: give each wave one of its own."),
        ([{"name": 1, "percentage": 10}, {"name": "1"}], "rollout_waves: each wave needs a name of its own."),
        (
            [{"name": "a", "percentage": "ten"}, REST],
            "rollout_waves, wave 'a': percentage is ten: give more than 0, at most 100.",
        ),
        (
            [{"name": "a", "percentage": "nan"}, REST],
            "rollout_waves, wave 'a': percentage is nan: give more than 0, at most 100.",
        ),
        (
            [{"name": "a", "percentage": -5, "query": "tag==a"}, REST],
            "rollout_waves, wave 'a': percentage is -5: give more than 0, at most 100.",
        ),
        # the last wave's rest would be less than nothing
        (
            [{"name": "a", "percentage": 60}, {"name": "b", "percentage": 50}, REST],
            "rollout_waves: the percentages add up to 110: make it 100 at most.",
        ),
        (
            [{"name": "a", "percentage": 60}, {"name": "b", "percentage": 50}, {"name": "c", "query": "tag==c"}],
            "rollout_waves: the percentages add up to 110: make it 100 at most.",
        ),
        (
            [{"name": "a", "percentage": 40}],
            f"rollout_waves: the percentages add up to 40, not 100: {LEAVE_OUT}",
        ),
        (
            [{**REST, "gate": {"min_success_percentage": "most"}}],
            "rollout_waves, wave 'rest': min_success_percentage is most: give a whole number, 0 or more.",
        ),
        (
            [{**REST, "gate": {"min_success_percentage": 51, "max_failure_percentage": 50}}],
            f"rollout_waves, wave 'rest': {ADD_UP}",
        ),
    ],
)
def test_refused(waves: list[dict[str, Any]], message: str) -> None:
    assert plugin.rollout_plan(waves) == {"error": message, "waves": [], "groups": []}


@pytest.mark.parametrize("option", ["query", "approval", "verify", "percentage", "soak", "gate"])
@pytest.mark.parametrize("last", [False, True])
def test_empty_is_not_set(option: str, last: bool) -> None:
    empty: Any = {"percentage": None, "soak": None, "gate": {}}.get(option, "")
    canary, rest = {"name": "canary", "query": "tag==a"}, REST
    plain = plugin.rollout_plan([canary, rest])
    waves = [canary, {**rest, option: empty}] if last or option == "query" else [{**canary, option: empty}, rest]
    assert plain["error"] is None
    assert plugin.rollout_plan(waves) == plain


def test_text_of_numbers() -> None:
    gate = {"min_success_percentage": "90", "max_failure_percentage": "7"}
    wave = {"name": 5, "percentage": "12.5", "soak": "30", "gate": gate}
    found = plugin.rollout_plan([wave, REST])["waves"][0]
    assert found == {
        "name": "5", "percentage": 12.5, "query": None, "min_success_percentage": 90, "max_failure_percentage": 7,
        "soak": 30, "approval": None, "verify": None, "pauses": True,
    }  # fmt: skip


@pytest.mark.parametrize("success, failure", [(0, 0), (0, 100), (100, 0), (50, 50), (60, 20)])
def test_gates_that_can_be(success: int, failure: int) -> None:
    gate = {"min_success_percentage": success, "max_failure_percentage": failure}
    found = plugin.rollout_plan([{**REST, "gate": gate}])["groups"][0]
    assert (found["success_threshold"], found["error_threshold"]) == (success, failure)


def share(percentage: float | None, query: str | None = None) -> tuple[str | None, float | None]:
    """Return query and percentage as the module's function takes them."""
    return query, percentage


@pytest.mark.parametrize(
    "wanted",
    [
        [share(None)],
        [share(100)],
        [share(40)],
        [share(60), share(40)],
        [share(60), share(50)],
        [share(60), share(50), share(None)],
        [share(None), share(50)],
        [share(10), share(None, "tag==a"), share(None)],
        [share(10), share(50, "tag==a"), share(90)],
        [share(None, "tag==a"), share(None, "tag==b")],
        [share(60), share(60), share(None, "tag==c")],
        [share(0), share(None)],
        [share(0.5), share(None)],
        [share(33.3), share(33.3), share(33.4)],
    ],
)
@pytest.mark.parametrize("of_all", [True, False])
def test_module_takes_what_the_plan_takes(wanted: list[tuple[str | None, float | None]], of_all: bool) -> None:
    waves = [{"name": f"w{n}", "query": query, "percentage": size} for n, (query, size) in enumerate(wanted)]
    try:
        group_percentages(wanted, of_all)
        good = True
    except InvalidInput:
        good = False
    assert (plugin.rollout_plan(waves)["error"] is None) == good


def test_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "untrusted", lambda data: ("marked", data["error"]))
    assert plugin.rollout_plan([REST]) == ("marked", None)


def test_filter_is_known() -> None:
    assert plugin.FilterModule().filters() == {"rollout_plan": plugin.rollout_plan}
