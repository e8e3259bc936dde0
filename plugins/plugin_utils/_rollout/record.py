# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a rollout: how each wave's gate decided, and the whole. Private to the collection.

It is made from what the server holds and the role's options alone, so that the same state gives the same record, also
in another run on another day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import Counts
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import no_error, no_http

SCHEMA = 1
# begins what the role writes into a rollout's description: why a person or a check has refused it
MARK = "fleet.deploy: "
# what an error means for the state of the whole, where the server does not tell
OUTCOMES = {"wait_timeout": "timed_out", "rejected": "failed"}
PASSED, FAILED, WAITING, NOT_STARTED, ABORTED = "passed", "failed", "waiting", "not_started", "aborted"


@dataclass(frozen=True)
class Stage:
    """A wave as the server has it."""

    name: str
    counts: Counts
    begun: bool
    min_success: float
    max_failure: float
    changed: str | None = None
    max_failures: int | None = None
    """The same as a number of devices, where the platform has it."""
    deployment: str | None = None
    """Id of the wave's own deployment, where it has one."""


@dataclass(frozen=True)
class State:
    """A rollout as the server has it; C(state) and C(native_state) as in the result of the deploying modules."""

    id: str | None
    state: str
    native_state: str | None
    counts: Counts
    stages: list[Stage]
    query: str | None = None
    updated_query: str | None = None
    """Finds the devices that have installed the software."""
    software_id: str | None = None
    created: str | None = None
    changed: str | None = None
    remark: str | None = None
    """What a run of the role has left on the server: why it was refused."""


@dataclass(frozen=True)
class Decision:
    """What a gate says: one of the words above; C(reason) has today's numbers, C(words) would be the same tomorrow."""

    word: str
    reason: str
    words: str = ""


@dataclass
class Verdict:
    """The decisions and what comes of them."""

    state: str
    message: str
    code: str | None
    decisions: list[Decision] = field(default_factory=list)


def decide(stage: Stage, before: Sequence[Decision], over: bool) -> Decision:
    """Return what a wave's gate says.

    Args:
        stage: the wave.
        before: the decisions of the waves before.
        over: whether the rollout has been stopped.
    """
    counts = stage.counts
    selected = counts.selected
    # the server also calls a wave finished that it has never begun, when the rollout is stopped
    begun = counts.good or counts.failed or (stage.begun and not over)
    if not selected:
        return Decision(PASSED, "No device is in it.")
    if 100 * counts.failed > stage.max_failure * selected:
        reason = f"{_share(counts.failed, selected)} failed, at most {stage.max_failure:g} % may."
        words = f"more than {stage.max_failure:g} % of its {_devices(selected)} failed"
        return Decision(FAILED, reason, words if stage.max_failure else "devices failed, and none may")
    if stage.max_failures is not None and counts.failed > stage.max_failures:
        reason = f"{_devices(counts.failed)} failed, at most {stage.max_failures} may."
        return Decision(FAILED, reason, f"more than {stage.max_failures} of its {_devices(selected)} failed")
    if not begun and any(decision.word in (FAILED, ABORTED) for decision in before):
        return Decision(NOT_STARTED, "It was not begun.")
    # a gate that asks for 0 % opens when its wave begins, not before
    if begun and 100 * counts.good >= stage.min_success * selected:
        return Decision(PASSED, f"{_share(counts.good, selected)} succeeded, at least {stage.min_success:g} % must.")
    if over:
        return Decision(ABORTED, f"The rollout was stopped when {_share(counts.good, selected)} had succeeded.")
    possible = counts.good + counts.open
    if 100 * possible < stage.min_success * selected:
        reason = f"Only {_share(possible, selected)} can still succeed, at least {stage.min_success:g} % must."
        return Decision(FAILED, reason, f"fewer than {stage.min_success:g} % of its {_devices(selected)} can succeed")
    if stage.begun:
        return Decision(
            WAITING, f"{_share(counts.good, selected)} succeeded so far, at least {stage.min_success:g} % must."
        )
    return Decision(NOT_STARTED, "It is not begun yet.")


def judge(rollout_id: str, state: State | None) -> Verdict:
    """Return the decisions of all gates and the state of the whole."""
    subject = f"Rollout '{rollout_id}'"
    if state is None:
        return Verdict("planned", f"{subject} has not been started.", None)
    over = state.state == "aborted"
    decisions: list[Decision] = []
    for stage in state.stages:
        decisions.append(decide(stage, decisions, over))
    words = [decision.word for decision in decisions]
    if FAILED in words:
        index = words.index(FAILED)
        message = f"{subject} has failed at wave '{state.stages[index].name}': {decisions[index].words}."
        return Verdict("failed", message, "threshold_exceeded", decisions)
    # also one whose last wave was refused after its gate had opened
    if state.remark and state.state in ("aborted", "waiting"):
        return Verdict("failed", state.remark, "rejected", decisions)
    if words and set(words) == {PASSED}:
        message = f"{subject} has succeeded: {_share(state.counts.good, state.counts.selected)} have the software."
        return Verdict("succeeded", message, None, decisions)
    if over or ABORTED in words:
        return Verdict("aborted", f"{subject} was stopped by somebody else.", "aborted_elsewhere", decisions)
    return Verdict(state.state, f"{subject} is {state.native_state or state.state}.", None, decisions)


def make(
    rollout_id: str,
    platform: str,
    software: Mapping[str, Any],
    waves: Sequence[Mapping[str, Any]],
    state: State | None,
    *,
    fleet: Mapping[str, Any] | None = None,
    selected: int = 0,
    failed: Sequence[Mapping[str, Any]] = (),
    failure: Mapping[str, Any] | None = None,
    rollback: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the record as JSON data; the documentation of the role says what is in it.

    Args:
        rollout_id: the role's id of the rollout.
        platform: the platform.
        software: name, version and type of what is rolled out.
        waves: the waves as the role's options have them, complete.
        state: the rollout on the server, None when it has none.
        fleet: whom the options select.
        selected: how many devices that are, where there is no rollout yet.
        failed: devices that failed.
        failure: what made the role fail, where that does not follow from the server's state: C(code), C(message),
            C(details), C(request_id), C(http).
        rollback: what came of the way back.
    """
    verdict = judge(rollout_id, state)
    outcome, message, error = verdict.state, verdict.message, no_error()
    if verdict.code is not None and (not failure or verdict.code != "aborted_elsewhere"):
        error.update(code=verdict.code, message=message)
    elif failure:
        code, message = failure.get("code") or "error", str(failure["message"])
        outcome = failure.get("state") or OUTCOMES.get(code, outcome)
        if outcome == "timed_out" and state is not None:
            message = _not_in_time(rollout_id, state, verdict)
        error.update(code=code, message=message, details=failure.get("details") or {})
        error.update(request_id=failure.get("request_id") or None)
    elif state is None or state.id is None:
        message = _planned(rollout_id, waves, state, selected)
    counts = state.counts if state else Counts(selected=selected, pending=selected)
    ended = state is not None and outcome in ("succeeded", "failed", "aborted")
    return {
        "schema": SCHEMA,
        "rollout_id": rollout_id,
        "message": message,
        "fleet": {
            "selection": dict(fleet or {}),
            "query": state.query if state else None,
            "updated_query": state.updated_query if state else None,
        },
        "deployment": {
            "platform": platform,
            "id": state.id if state else None,
            "name": rollout_id,
            "state": outcome,
            "native_state": state.native_state if state else None,
            "software": {
                "id": state.software_id if state else software.get("id"),
                **{name: software.get(name) for name in ("name", "version", "type")},
            },
            "created": state.created if state else None,
            "finished": state.changed if state and ended else None,
        },
        "counts": asdict(counts),
        "waves": _waves(waves, state, verdict),
        "devices": {
            "failed": [dict(device) for device in failed],
            "skipped": [],
            "unknown": [],
            "truncated": len(failed) < counts.failed,
        },
        "rollback": dict(rollback) if rollback else None,
        "attach": {"rollout_id": rollout_id},
        "error": error,
        "http": dict((failure or {}).get("http") or no_http()),
    }


def _planned(rollout_id: str, waves: Sequence[Mapping[str, Any]], state: State | None, selected: int) -> str:
    sizes = []
    if state is not None:
        # the platform has counted them
        sizes = [f"{stage.name} ({_devices(stage.counts.selected)})" for stage in state.stages]
        whole = _devices(state.counts.selected)
        return f"Rollout '{rollout_id}' would go to {whole} in these waves: {', '.join(sizes)}."
    rest = 100.0
    for wave in waves:
        share = rest if wave["percentage"] is None else wave["percentage"]
        if wave["query"] is None:
            rest -= share
            sizes.append(f"{wave['name']} ({share:g} %)")
        else:
            sizes.append(f"{wave['name']} (by its query)")
    return f"Rollout '{rollout_id}' would go to {_devices(selected)} in these waves: {', '.join(sizes)}."


def _not_in_time(rollout_id: str, state: State, verdict: Verdict) -> str:
    pairs = zip(state.stages, verdict.decisions)
    undecided = next((pair for pair in pairs if pair[1].word in (WAITING, NOT_STARTED)), None)
    where = f"wave '{undecided[0].name}' of " if undecided else ""
    reason = f" {undecided[1].reason}" if undecided else ""
    return (
        f"The time to wait for {where}rollout '{rollout_id}' is over.{reason} It goes on on the server, and the same "
        "call again goes on waiting."
    )


def _waves(waves: Sequence[Mapping[str, Any]], state: State | None, verdict: Verdict) -> list[dict[str, Any]]:
    stages = {stage.name: stage for stage in state.stages} if state else {}
    decisions = dict(zip(stages, verdict.decisions))
    shown = []
    for wave in waves:
        stage = stages.get(wave["name"])
        decision = decisions.get(wave["name"], Decision(NOT_STARTED, "It was not begun."))
        gates = ["min_success_percentage", "max_failure_percentage"]
        own: dict[str, Any] = {}
        if "max_failures" in wave:
            # where each wave is a deployment of its own
            gates.append("max_failures")
            own = {name: wave[name] for name in ("devices", "fleet")}
            own["deployment"] = stage.deployment if stage else None
        shown.append(
            {
                "name": wave["name"],
                "percentage": wave["percentage"],
                "query": wave["query"],
                **own,
                "gate": {name: wave[name] for name in gates},
                "begun": bool(stage and stage.begun) and decision.word != NOT_STARTED,
                "decision": decision.word,
                "reason": decision.reason,
                "counts": asdict(stage.counts if stage else Counts()),
                "changed": stage.changed if stage else None,
            }
        )
    return shown


def _devices(number: int) -> str:
    return "1 device" if number == 1 else f"{number} devices"


def _share(part: int, whole: int) -> str:
    percentage = round(100 * part / whole, 1) if whole else 0
    if 0 < part < whole:
        # one of 10,000 is not none, and all but one are not all
        percentage = min(max(percentage, 0.1), 99.9)
    return f"{part} of {_devices(whole)} ({percentage:g} %)"
