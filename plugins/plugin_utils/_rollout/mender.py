# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the C(rollout) of mender_rollout_info as the state of a rollout. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import Counts
from ansible_collections.fleet.deploy.plugins.module_utils._mender.deployments import FINISHED
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout.record import PASSED, Stage, State, decide


def state_of(rollout: Mapping[str, Any], waves: Sequence[Mapping[str, Any]]) -> State:
    """Return the state of a rollout as mender_rollout_info shows it.

    Args:
        rollout: what it shows.
        waves: the waves with their gates, which the server does not know.
    """
    gates = {wave["name"]: wave for wave in waves}
    stages = [_stage(wave, gates[wave["name"]]) for wave in rollout["waves"] if wave["name"] in gates]
    begun = [wave for wave in rollout["waves"] if wave["deployment"] is not None]
    back = rollout["rollback"]
    state = _word(rollout, stages)
    return State(
        id=begun[-1]["deployment"] if begun else None,
        state=state,
        # between two waves no word of the server's is true of the whole
        native_state=begun[-1]["status"] if begun and state != "waiting" else None,
        counts=Counts(**rollout["counts"]),
        stages=stages,
        software_id=rollout["artifacts"][0] if len(rollout["artifacts"]) == 1 else None,
        created=rollout["created"],
        changed=rollout["finished"] or max((wave["finished"] for wave in begun if wave["finished"]), default=None),
        remark=_remark(rollout["name"], back) if back else None,
    )


def _stage(wave: Mapping[str, Any], gate: Mapping[str, Any]) -> Stage:
    return Stage(
        name=wave["name"],
        counts=Counts(**wave["counts"]),
        begun=wave["deployment"] is not None,
        min_success=gate["min_success_percentage"],
        max_failure=gate["max_failure_percentage"],
        max_failures=gate["max_failures"],
        changed=wave["finished"] or wave["created"],
        deployment=wave["deployment"],
    )


def _word(rollout: Mapping[str, Any], stages: Sequence[Stage]) -> str:
    """Return the state of the whole: as long as its waves are not aborted, it goes on."""
    if rollout["rollback"]:
        return "aborted"
    for wave, stage in zip(rollout["waves"], stages):
        # one whose gate is open may have been aborted by the role, which lets the remainder go
        if wave["aborted"] and decide(stage, [], False).word != PASSED:
            return "aborted"
    if not any(stage.begun for stage in stages):
        return "planned"
    return "running" if any(wave["status"] not in (None, FINISHED) for wave in rollout["waves"]) else "waiting"


def _remark(name: str, back: Mapping[str, Any]) -> str:
    return f"Rollout '{name}' has failed, and its devices were sent back to {back['artifact_name']}."
