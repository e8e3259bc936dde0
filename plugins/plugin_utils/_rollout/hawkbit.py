# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the C(rollout) of hawkBit's modules as the state of a rollout. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import Counts
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit import rsql
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollout import STATES
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout.record import MARK, Stage, State


def state_of(rollout: Mapping[str, Any], software: Mapping[str, Any]) -> State:
    """Return the state of a rollout as hawkbit_rollout and hawkbit_rollout_info show it.

    Args:
        rollout: what they show.
        software: name and version of its distribution set.
    """
    stages = [
        Stage(
            name=group["name"],
            counts=Counts(**group["counts"]),
            begun=group["status"] not in ("creating", "ready", "scheduled"),
            min_success=_percentage(group["success_threshold"]),
            max_failure=_percentage(group["error_threshold"]),
            changed=group["last_modified_at"],
        )
        for group in rollout["groups"]
    ]
    remark = rollout["description"] or ""
    return State(
        id=rollout["id"],
        state=STATES.get(rollout["status"], "running"),
        native_state=rollout["status"],
        counts=Counts(**rollout["counts"]),
        stages=stages,
        query=rollout["query"],
        updated_query=rsql.both(
            rollout["query"],
            rsql.equals("installedds.name", software["name"]),
            rsql.equals("installedds.version", software["version"]),
        ),
        software_id=rollout["distribution_set_id"],
        created=rollout["created_at"],
        changed=rollout["last_modified_at"],
        remark=remark.removeprefix(MARK) if remark.startswith(MARK) else None,
    )


def _percentage(threshold: str | None) -> float:
    # the server takes any text from whoever makes a rollout
    text = threshold or ""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0
