"""States, counts, the gate's decisions and the one shape of results."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import (
    ABORTED,
    ABSENT,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    UNKNOWN,
    Counts,
    Device,
    Gate,
    Report,
    check_wait,
    count,
    deployment,
    iso_time,
    overall_state,
    verdict,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AbortedElsewhere,
    InvalidInput,
    ThresholdExceeded,
)

OPTIONS: dict[str, Any] = {
    "min_success_percentage": None,
    "max_failures": None,
    "max_failure_percentage": None,
    "min_reported": 1,
}


def devices(**states: int) -> list[Device]:
    """Return devices in these states."""
    found = []
    for state, number in states.items():
        found += [Device(f"{state}-{index}", state=state) for index in range(number)]
    return found


# -- counts ----------------------------------------------------------------------------------------------------


def test_each_device_is_counted_once() -> None:
    some = devices(absent=1, pending=2, running=3, succeeded=4, failed=5, aborted=6, unknown=7)
    assert count(some, frozenset({"succeeded-0"}), unknown=2) == Counts(
        selected=28, skipped=1, pending=3, running=3, succeeded=3, failed=5, aborted=6, unknown=9
    )


def test_what_had_the_software_before_counts_as_skipped_and_as_good() -> None:
    counts = count(devices(succeeded=3), frozenset({"succeeded-0", "succeeded-1"}))
    assert (counts.skipped, counts.succeeded, counts.good, counts.open, counts.bad) == (2, 1, 3, 0, 0)


def test_nothing_selected_counts_nothing() -> None:
    assert count([]) == Counts()


def test_counts_as_a_sentence_name_only_what_there_is() -> None:
    assert Counts(selected=4, skipped=1, succeeded=3).sentence() == "4 of 4 have it"
    assert Counts(9, skipped=1, pending=2, running=3, succeeded=1, failed=1, aborted=1).sentence() == (
        "2 of 9 have it, 2 pending, 3 running, 1 failed, 1 aborted"
    )


# -- the gate's options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option, value, message",
    [
        ("min_success_percentage", 100.5, "min_success_percentage is 100.5: give a percentage from 0 to 100."),
        ("min_success_percentage", -1.0, "min_success_percentage is -1: give a percentage from 0 to 100."),
        ("max_failure_percentage", 101.0, "max_failure_percentage is 101: give a percentage from 0 to 100."),
        ("max_failures", -1, "max_failures is -1: give 0 or more."),
        ("min_reported", 0, "min_reported is 0: give 1 or more."),
    ],
)
def test_thresholds_out_of_range_are_refused(option: str, value: float, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Gate.from_options({**OPTIONS, option: value})
    assert caught.value.msg == message


@pytest.mark.parametrize(
    "option, value",
    [
        ("min_success_percentage", 0.0),
        ("min_success_percentage", 100.0),
        ("max_failure_percentage", 0.0),
        ("max_failure_percentage", 100.0),
        ("max_failures", 0),
        ("min_reported", 1),
    ],
)
def test_thresholds_at_the_ends_of_their_range_are_taken(option: str, value: float) -> None:
    assert getattr(Gate.from_options({**OPTIONS, option: value}), option) == value


@pytest.mark.parametrize(
    "options, message",
    [
        ({"wait_timeout": 0, "wait_interval": 1.0}, "wait_timeout is 0: give 1 second or more."),
        ({"wait_timeout": 1, "wait_interval": 0.0}, "wait_interval is 0: give seconds above 0."),
        ({"wait_timeout": 1, "wait_interval": -0.5}, "wait_interval is -0.5: give seconds above 0."),
        ({"wait_timeout": 1, "wait_interval": 1.0, "result_limit": -1}, "result_limit is -1: give 0 or more."),
    ],
)
def test_impossible_waits_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_wait(options)
    assert caught.value.msg == message


def test_possible_waits_are_taken() -> None:
    check_wait({"wait_timeout": 1, "wait_interval": 0.01})
    check_wait({"wait_timeout": 1, "wait_interval": 0.01, "result_limit": 0})


# -- the quorum ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "percentage, selected, required",
    [
        (100, 7, 7),
        (0, 7, 0),
        (50, 7, 4),  # never less than asked for
        (50, 8, 4),
        (95, 20, 19),
        (95, 21, 20),
        (33.3, 10, 4),
        (66.7, 3, 3),
        (66.66, 3, 2),
        (0.01, 10000, 1),
        (1e-9, 10000, 0),  # what arithmetic leaves over is no device
        (29, 100, 29),  # 28.999999999999996 in floating point
        (57, 100, 57),
        (100, 0, 0),
    ],
)
def test_quorum_is_rounded_up(percentage: float, selected: int, required: int) -> None:
    assert Gate(min_success_percentage=percentage).required(selected) == required


def test_without_any_threshold_all_must_succeed_unless_the_platform_has_its_own() -> None:
    assert Gate().required(10) == 10
    assert Gate(default_percentage=0.0).required(10) == 0
    assert Gate.from_options(OPTIONS, default_percentage=0.0).required(10) == 0


def test_other_thresholds_switch_the_default_quorum_off() -> None:
    assert Gate(max_failures=3).required(10) == 0
    assert Gate(max_failure_percentage=10).required(10) == 0
    assert Gate(max_failures=3, min_success_percentage=50).required(10) == 5


@pytest.mark.parametrize(
    "counts, reached",
    [
        (Counts(10, succeeded=5, pending=5), True),
        (Counts(10, succeeded=4, pending=6), False),
        (Counts(10, skipped=3, succeeded=2, running=5), True),
        (Counts(10, skipped=5, failed=5), True),
    ],
)
def test_quorum_counts_those_that_had_it_before(counts: Counts, reached: bool) -> None:
    assert Gate(min_success_percentage=50).quorum(counts) is reached


def test_only_a_quorum_that_was_asked_for_ends_a_wait_early() -> None:
    halfway = Counts(10, succeeded=5, pending=5)
    assert Gate(min_success_percentage=50).content(halfway)
    assert not Gate(max_failures=5).content(halfway)
    assert not Gate().content(halfway)
    assert Gate(max_failures=5).content(Counts(10, succeeded=5, failed=5))


# -- broken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gate, counts, why",
    [
        (Gate(), Counts(3, succeeded=2, pending=1), None),
        (
            Gate(),
            Counts(3, succeeded=1, pending=1, failed=1),
            "only 2 of 3 devices can still succeed, 3 are needed",
        ),
        (
            Gate(min_success_percentage=100),
            Counts(3, succeeded=1, pending=1, aborted=1),
            "only 2 of 3 devices can still succeed, 3 are needed",
        ),
        (Gate(min_success_percentage=60), Counts(3, succeeded=1, pending=1, failed=1), None),
        (Gate(max_failures=0), Counts(3, pending=2, failed=1), "1 device failed, max_failures is 0"),
        (Gate(max_failures=1), Counts(3, pending=2, failed=1), None),
        (Gate(max_failures=1), Counts(3, pending=1, failed=1, aborted=1), "2 devices failed, max_failures is 1"),
        (
            Gate(max_failure_percentage=20),
            Counts(10, pending=7, succeeded=2, failed=1),
            "1 of the 3 devices that reported failed (33.3 %), max_failure_percentage is 20",
        ),
        (Gate(max_failure_percentage=33.4), Counts(10, pending=7, succeeded=2, failed=1), None),
        (Gate(max_failure_percentage=20, min_reported=4), Counts(10, pending=7, succeeded=2, failed=1), None),
        (
            Gate(max_failure_percentage=20, min_reported=3),
            Counts(10, pending=7, succeeded=2, failed=1),
            "1 of the 3 devices that reported failed (33.3 %), max_failure_percentage is 20",
        ),
        (Gate(max_failure_percentage=0), Counts(10, pending=10), None),
        # who had it before reports nothing
        (
            Gate(max_failure_percentage=50),
            Counts(10, skipped=9, failed=1),
            "1 of the 1 device that reported failed (100.0 %), max_failure_percentage is 50",
        ),
        # no more reports will come: the percentage counts though fewer than min_reported have
        (
            Gate(max_failure_percentage=20, min_reported=10),
            Counts(5, failed=5),
            "5 of the 5 devices that reported failed (100.0 %), max_failure_percentage is 20",
        ),
        (Gate(max_failure_percentage=20, min_reported=10), Counts(5, failed=4, running=1), None),
    ],
)
def test_gate_breaks_with_its_reason(gate: Gate, counts: Counts, why: str | None) -> None:
    assert gate.broken(counts) == why


def test_a_device_that_nobody_knows_about_cannot_make_up_the_quorum() -> None:
    assert Gate().broken(Counts(2, succeeded=1, unknown=1)) == "only 1 of 2 devices can still succeed, 2 are needed"


def test_gate_breaks_exactly_when_no_outcome_would_hold() -> None:
    """All fleets of four, all gates: the quorum's half of the gate against trying every outcome."""
    for quorum, failures in itertools.product((None, 0.0, 25.0, 50.0, 75.0, 100.0), (None, 0, 1, 2, 4)):
        gate = Gate(min_success_percentage=quorum, max_failures=failures)
        for states in itertools.combinations_with_replacement((PENDING, RUNNING, SUCCEEDED, FAILED, ABORTED), 4):
            counts = count(Device(str(index), state=state) for index, state in enumerate(states))
            assert (gate.broken(counts) is not None) == (not any(holds(gate, end) for end in ends(counts))), (
                gate,
                counts,
            )


def ends(counts: Counts) -> list[tuple[int, int]]:
    """Return how many may have succeeded and failed in the end."""
    return [(counts.good + lucky, counts.bad + counts.open - lucky) for lucky in range(counts.open + 1)]


def holds(gate: Gate, end: tuple[int, int]) -> bool:
    """Tell whether an end is good enough, as the documentation says it."""
    good, bad = end
    if gate.max_failures is not None and bad > gate.max_failures:
        return False
    if gate.min_success_percentage is not None:
        return 100 * good >= gate.min_success_percentage * (good + bad)
    return gate.max_failures is not None or bad == 0


# -- verdict and state -----------------------------------------------------------------------------------------


def test_verdict_is_none_while_the_gate_holds() -> None:
    assert verdict(Gate(), Counts(2, succeeded=1, running=1), "The rollout") is None


def test_verdict_names_the_subject_and_the_reason() -> None:
    error = verdict(Gate(), Counts(2, succeeded=1, failed=1), "The rollout")
    assert isinstance(error, ThresholdExceeded)
    assert error.msg == "The rollout has failed: only 1 of 2 devices can still succeed, 2 are needed."


def test_verdict_blames_somebody_else_only_when_nothing_failed() -> None:
    error = verdict(Gate(), Counts(2, succeeded=1, aborted=1), "The rollout")
    assert isinstance(error, AbortedElsewhere)
    assert error.msg == (
        "The rollout was cancelled or superseded by somebody else: only 1 of 2 devices can still succeed, 2 are needed."
    )
    assert isinstance(verdict(Gate(), Counts(3, succeeded=1, aborted=1, failed=1), "The rollout"), ThresholdExceeded)


@pytest.mark.parametrize(
    "counts, state",
    [
        (Counts(2, pending=2), "waiting"),
        (Counts(2, pending=1, running=1), "running"),
        (Counts(2, pending=1, succeeded=1), "running"),
        (Counts(2, pending=1, skipped=1), "running"),
        (Counts(2, succeeded=2), "succeeded"),
        (Counts(2, skipped=2), "succeeded"),
        (Counts(2, succeeded=1, failed=1), "failed"),
        (Counts(2, running=1, failed=1), "failed"),
        (Counts(2, succeeded=1, aborted=1), "aborted"),
        (Counts(2, failed=1, aborted=1), "failed"),
    ],
)
def test_state_of_the_whole(counts: Counts, state: str) -> None:
    assert overall_state(counts, Gate()) == state


def test_state_of_the_whole_by_the_gate() -> None:
    assert overall_state(Counts(10, succeeded=9, pending=1), Gate(min_success_percentage=90)) == "succeeded"
    assert overall_state(Counts(10, pending=9, failed=1), Gate(max_failures=1)) == "running"
    assert overall_state(Counts(10, succeeded=9, failed=1), Gate(max_failures=1)) == "succeeded"


# -- the result ------------------------------------------------------------------------------------------------

WHOLE = deployment(
    "hawkbit",
    identifier="7",
    name="os:1",
    state="failed",
    native_state=None,
    software={"id": "7", "name": "os"},
    created=1795168059492,
)
KEYS = {"deployment", "counts", "devices", "attach", "error", "http"}


def test_result_has_all_keys() -> None:
    keys = Report(WHOLE, Counts(1, succeeded=1), attach={"wait": True}).keys()
    assert set(keys) == KEYS
    assert keys["deployment"] == {
        "platform": "hawkbit",
        "id": "7",
        "name": "os:1",
        "state": "failed",
        "native_state": None,
        "software": {"id": "7", "name": "os"},
        "created": "2026-11-20T09:47:39Z",
        "finished": None,
    }
    assert keys["counts"] == {
        "selected": 1,
        "skipped": 0,
        "pending": 0,
        "running": 0,
        "succeeded": 1,
        "failed": 0,
        "aborted": 0,
        "unknown": 0,
    }
    assert keys["devices"] == {"failed": [], "skipped": [], "unknown": [], "truncated": False}
    assert keys["attach"] == {"wait": True}
    assert keys["error"] == {"code": None, "message": None, "details": {}, "request_id": None}
    assert keys["http"] == {"method": None, "path": None, "status": None}


def test_lists_of_devices_are_cut_and_say_so() -> None:
    failed = [Device(str(index), f"Device {index}", FAILED, "error", "28", "no space", "log") for index in range(3)]
    named = Report(WHOLE, Counts(), failed=failed, skipped=["a", "b"], unknown=["c"], limit=2).keys()["devices"]
    assert named["failed"] == [
        {
            "id": str(index),
            "name": f"Device {index}",
            "state": "failed",
            "native_state": "error",
            "code": "28",
            "message": "no space",
            "log": "log",
        }
        for index in range(2)
    ]
    assert (named["skipped"], named["unknown"], named["truncated"]) == (["a", "b"], ["c"], True)
    assert Report(WHOLE, Counts(), failed=failed, limit=3).keys()["devices"]["truncated"] is False
    for name in ("skipped", "unknown"):
        lists: dict[str, Any] = {name: ["a", "b"]}
        assert Report(WHOLE, Counts(), limit=1, **lists).keys()["devices"][name] == ["a"]
        assert Report(WHOLE, Counts(), limit=0, **lists).keys()["devices"] == {
            "failed": [],
            "skipped": [],
            "unknown": [],
            "truncated": True,
        }


def test_a_failure_carries_the_report_and_keeps_its_own_words() -> None:
    error = ThresholdExceeded("It broke.", result={"attach": {"id": 1}, "last_state": "x"})
    rendered = Report(WHOLE, Counts(1, failed=1), attach={"id": 2}).fail(error).render()
    assert set(rendered) == KEYS | {"msg", "last_state"}
    assert rendered["msg"] == "It broke."
    assert rendered["error"] == {
        "code": "threshold_exceeded",
        "message": "It broke.",
        "details": {},
        "request_id": None,
    }
    assert rendered["counts"]["failed"] == 1
    assert rendered["attach"] == {"id": 1}


@pytest.mark.parametrize(
    "milliseconds, text",
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (1795168059999, "2026-11-20T09:47:39Z"),
    ],
)
def test_times_are_iso_8601_in_utc(milliseconds: int | None, text: str | None) -> None:
    assert iso_time(milliseconds) == text


def test_states_are_the_words_of_the_result() -> None:
    counted = {PENDING, RUNNING, SUCCEEDED, FAILED, ABORTED, UNKNOWN}
    assert counted < set(Counts.__dataclass_fields__)
    assert ABSENT not in Counts.__dataclass_fields__
