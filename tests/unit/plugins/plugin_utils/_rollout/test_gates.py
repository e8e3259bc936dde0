"""What the gate of one wave says, and what the decisions make of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import Counts
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout import record
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout.record import Decision, Stage, State

BAD = [Decision("failed", "")]


def stage(name: str = "a", success: float = 100, failure: float = 0, begun: bool = True, **counts: int) -> Stage:
    """Return a wave whose devices are all counted."""
    return Stage(name, Counts(sum(counts.values()), **counts), begun, success, failure)


def state(word: str, *stages: Stage, **more: Any) -> State:
    """Return a rollout of these waves."""
    names = ("selected", "pending", "running", "succeeded", "failed", "aborted")
    counts = Counts(**{name: sum(getattr(stage.counts, name) for stage in stages) for name in names})
    return State("1", word, word.upper(), counts, list(stages), **more)


@pytest.mark.parametrize(
    "wave, before, over, word",
    [
        (stage(success=90, failure=10, succeeded=9, running=1), [], False, "passed"),
        (stage(success=90, failure=10, succeeded=8, running=2), [], False, "waiting"),
        (stage(success=90, failure=10, succeeded=9, failed=1), [], False, "passed"),
        (stage(success=90, failure=10, failed=1, running=9), [], False, "waiting"),
        (stage(success=90, failure=10, failed=2, running=8), [], False, "failed"),
        (stage(success=90, failure=10, aborted=2, running=8), [], False, "failed"),
        # a third of three is 33 %, not 34
        (stage(success=34, failure=0, succeeded=1, running=2), [], False, "waiting"),
        (stage(success=33, failure=0, succeeded=1, running=2), [], False, "passed"),
        # those that have had it before count as good
        (stage(skipped=3, succeeded=1), [], False, "passed"),
        (stage(begun=False), [], False, "passed"),
        (stage(begun=False, pending=3), [], False, "not_started"),
        (stage(begun=False, pending=3), BAD, False, "not_started"),
        # somebody has had it go on behind a wave that failed
        (stage(running=3), BAD, False, "waiting"),
        (stage(succeeded=3), BAD, False, "passed"),
        (stage(aborted=2, succeeded=1), [], True, "aborted"),
        (stage(success=30, aborted=2, succeeded=1), [], True, "passed"),
        (stage(aborted=3), BAD, True, "not_started"),
        # a gate of 0 % opens when its wave begins
        (stage(success=0, begun=False, pending=3), [], False, "not_started"),
        (stage(success=0, begun=False, pending=3), BAD, False, "not_started"),
        (stage(success=0, running=3), [], False, "passed"),
        (stage(success=0, failed=1, running=2), [], False, "failed"),
        (stage(success=0, failure=50, failed=1, running=2), [], False, "passed"),
        # called finished by a server that was told to stop
        (stage(success=0, aborted=3), [], True, "aborted"),
        (stage(success=0, aborted=3), BAD, True, "not_started"),
    ],
)
def test_decision(wave: Stage, before: list[Decision], over: bool, word: str) -> None:
    decision = record.decide(wave, before, over)
    assert decision.word == word
    assert decision.reason


@pytest.mark.parametrize(
    "wave, reason",
    [
        (stage(running=1), "0 of 1 device (0 %) succeeded so far, at least 100 % must."),
        (stage(succeeded=3), "3 of 3 devices (100 %) succeeded, at least 100 % must."),
        (stage(failed=1, running=2), "1 of 3 devices (33.3 %) failed, at most 0 % may."),
        (stage(failed=1, running=9999), "1 of 10000 devices (0.1 %) failed, at most 0 % may."),
        (
            stage(succeeded=9999, running=1),
            "9999 of 10000 devices (99.9 %) succeeded so far, at least 100 % must.",
        ),
        (
            stage(success=99.5, aborted=2, running=98),
            "Only 98 of 100 devices (98 %) can still succeed, at least 99.5 % must.",
        ),
    ],
)
def test_reasons_do_not_contradict_themselves(wave: Stage, reason: str) -> None:
    assert record.decide(wave, [], False).reason == reason


def test_rollout_that_is_not_started_has_not_succeeded() -> None:
    waves = [stage(name, success=0, begun=False, pending=2) for name in "ab"]
    assert record.judge("r", state("planned", *waves)).state == "planned"


def test_stopped_before_anything_was_begun() -> None:
    verdict = record.judge("r", state("aborted", stage(success=0, aborted=2)))
    assert (verdict.state, verdict.code) == ("aborted", "aborted_elsewhere")


@pytest.mark.parametrize("word", ["aborted", "waiting"])
def test_last_wave_is_refused_after_its_gate_has_opened(word: str) -> None:
    waves = [stage("a", succeeded=2), stage("b", success=50, succeeded=2, aborted=2)]
    verdict = record.judge("r", state(word, *waves, remark="No."))
    assert (verdict.state, verdict.code, verdict.message) == ("failed", "rejected", "No.")


def test_remainder_that_was_taken_back_is_a_success() -> None:
    waves = [stage("a", succeeded=2), stage("b", success=50, succeeded=2, aborted=2)]
    verdict = record.judge("r", state("aborted", *waves))
    assert (verdict.state, verdict.code) == ("succeeded", None)


def test_first_wave_that_failed_is_named() -> None:
    waves = [stage("a", succeeded=1), stage("b", failure=10, failed=2, succeeded=8), stage("c", failed=1)]
    verdict = record.judge("r", state("aborted", *waves, remark="No."))
    assert verdict.message == "Rollout 'r' has failed at wave 'b': more than 10 % of its 10 devices failed."


def test_time_that_is_over_without_an_undecided_wave() -> None:
    made = record.make(
        "r", "hawkbit", {}, [], state("running", stage(succeeded=1)), failure={"code": "wait_timeout", "message": "x"}
    )
    assert made["message"] == (
        "The time to wait for rollout 'r' is over. It goes on on the server, and the same call again goes on waiting."
    )


def test_somebody_else_is_named_in_the_words_of_the_task() -> None:
    failure = {"code": "aborted_elsewhere", "message": "The rollout 'r' was denied approval."}
    made = record.make("r", "hawkbit", {}, [], state("aborted", stage(aborted=1)), failure=failure)
    assert made["message"] == made["error"]["message"] == failure["message"]
    assert made["deployment"]["state"] == "aborted"
