# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a rollout cannot be changed any more, compared with what a task says. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._core.deployment import iso_time

# option -> hawkBit's word for an action after a group; C(hawkbit_rollout) offers them
SUCCESS_ACTIONS = {"next_group": "NEXTGROUP", "pause": "PAUSE"}
# option -> the field of a rollout that has it as it was given
FIELDS = {"assignment_type": "type", "weight": "weight", "forcetime": "forcetime", "start_at": "startAt"}
NOT_STARTED = frozenset({"creating", "ready", "waiting_for_approval"})
# The server keeps percentages as 32 bit numbers.
NEARLY = 0.01


def differences(
    wanted: Mapping[str, Any],
    sent: Sequence[Mapping[str, Any]],
    rollout: Mapping[str, Any],
    groups: Iterable[Mapping[str, Any]],
) -> list[str]:
    """Return what differs, each as words such as C(weight 5, not 7). What the server does not tell is left out.

    Args:
        wanted: options of the task, times as milliseconds.
        sent: the groups as they would be sent, empty when only their number is given.
        rollout: as the server has it.
        groups: the server's, in their order.
    """
    static = [group for group in groups if not group.get("dynamic")]
    words = []
    for option, name in FIELDS.items():
        value, there = wanted[option], rollout.get(name)
        if value is None or there is None or value == there:
            continue
        # a start that is over is not of interest
        if option == "start_at" and rollout["status"] not in NOT_STARTED:
            continue
        if option in ("forcetime", "start_at"):
            there, value = iso_time(there), iso_time(value)
        words.append(f"{option} {there}, not {value}")
    dynamic = wanted["dynamic_groups"] is not None
    if rollout.get("dynamic", dynamic) != dynamic:
        words.append("no dynamic groups" if dynamic else "dynamic groups")
    if sent:
        return words + _of_groups(sent, static)
    amount = 1 if wanted["amount_groups"] is None else wanted["amount_groups"]
    if amount != len(static):
        words.append(f"{len(static)} groups, not {amount}")
    for group in static[:1]:
        words += _of_conditions(conditions(wanted), group)
    return words


def conditions(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions of a group, or of all, in the API's words."""
    return {
        "successCondition": {"condition": "THRESHOLD", "expression": str(options["success_threshold"])},
        "successAction": {"action": SUCCESS_ACTIONS[options["success_action"]], "expression": ""},
        "errorCondition": {"condition": "THRESHOLD", "expression": str(options["error_threshold"])},
        "errorAction": {"action": "PAUSE", "expression": ""},
    }


def _of_groups(sent: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> list[str]:
    names, names_there = [group["name"] for group in sent], [group["name"] for group in there]
    if names != names_there:
        return [f"the groups {', '.join(names_there)}, not {', '.join(names)}"]
    words = []
    for group, present in zip(sent, there):
        found = list(_of_conditions(group, present))
        if (present.get("targetFilterQuery") or "") != group.get("targetFilterQuery", ""):
            found.append(
                f"query '{present.get('targetFilterQuery') or ''}', not '{group.get('targetFilterQuery', '')}'"
            )
        percentage = present.get("targetPercentage")
        if percentage is not None and abs(percentage - group["targetPercentage"]) > NEARLY:
            found.append(f"percentage {percentage:g}, not {group['targetPercentage']:g}")
        words += [f"{one} in group '{group['name']}'" for one in found]
    return words


def _of_conditions(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    for option, condition in (("success_threshold", "successCondition"), ("error_threshold", "errorCondition")):
        has, value = (there.get(condition) or {}).get("expression"), wanted[condition]["expression"]
        if has is not None and has != value:
            yield f"{option} {has}, not {value}"
    has, value = (there.get("successAction") or {}).get("action"), wanted["successAction"]["action"]
    if has is not None and has != value:
        options = {word: option for option, word in SUCCESS_ACTIONS.items()}
        yield f"success_action {options.get(has, has)}, not {options[value]}"
