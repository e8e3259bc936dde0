# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The waves of the rollout role: what was asked for, checked and complete. Private to the collection."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MIN_SUCCESS = 100
MAX_FAILURE = 0


class WrongWaves(Exception):
    """What is wrong with the option, in a sentence for a person."""


@dataclass(frozen=True)
class Wave:
    """One wave, with the defaults filled in; percentages are whole numbers except the size's."""

    name: str
    percentage: float | None
    query: str | None
    min_success_percentage: int
    max_failure_percentage: int
    soak: int
    approval: str | None
    verify: str | None
    pauses: bool
    """Whether the role has something to do before the next wave."""


def read(waves: Sequence[Mapping[str, Any]]) -> list[Wave]:
    """Return the waves of C(rollout_waves).

    Raises:
        WrongWaves: names the option, the value and what would be right.
    """
    if not waves:
        raise WrongWaves("rollout_waves is an empty list: give at least one wave.")
    names = ["" if wave.get("name") is None else str(wave["name"]).strip() for wave in waves]
    if "" in names:
        raise WrongWaves(f"rollout_waves: wave {names.index('') + 1} has no name: give each wave one of its own.")
    if len(set(names)) < len(names):
        raise WrongWaves("rollout_waves: each wave needs a name of its own.")
    read_waves = [_read_one(wave, last=index == len(waves) - 1) for index, wave in enumerate(waves)]
    _check_sizes(read_waves)
    return read_waves


def plan(waves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return C(waves) and the C(groups) that hawkBit makes of them, or C(error), as JSON data."""
    try:
        found = read(waves)
    except WrongWaves as error:
        return {"error": str(error), "waves": [], "groups": []}
    return {"error": None, "waves": [asdict(wave) for wave in found], "groups": [_group(wave) for wave in found]}


def _group(wave: Wave) -> dict[str, Any]:
    return {
        "name": wave.name,
        "percentage": wave.percentage,
        "query": wave.query,
        "success_threshold": wave.min_success_percentage,
        "error_threshold": wave.max_failure_percentage,
        "success_action": "pause" if wave.pauses else "next_group",
    }


def _read_one(wave: Mapping[str, Any], last: bool) -> Wave:
    where = f"rollout_waves, wave '{wave['name']}'"
    gate = wave.get("gate") or {}
    soak = _whole(wave.get("soak"), 0, f"{where}: soak")
    # a variable that is empty is one that is not set
    query, approval, verify = (wave.get(option) or None for option in ("query", "approval", "verify"))
    if approval and last:
        raise WrongWaves(
            f"{where}: approval is asked for before the next wave, but this is the last one: leave it out."
        )
    if verify and not os.path.isabs(verify):
        raise WrongWaves(f"{where}: verify is '{verify}': give the absolute path of a task file.")
    if verify and not os.path.isfile(verify):
        raise WrongWaves(f"{where}: verify is '{verify}', and there is no such file.")
    read_wave = Wave(
        name=str(wave["name"]),
        percentage=_size(wave.get("percentage"), where),
        query=query,
        min_success_percentage=_percentage(gate.get("min_success_percentage"), MIN_SUCCESS, where, "min_success"),
        max_failure_percentage=_percentage(gate.get("max_failure_percentage"), MAX_FAILURE, where, "max_failure"),
        soak=soak,
        approval=approval,
        verify=verify,
        pauses=not last and bool(soak or approval or verify),
    )
    together = read_wave.min_success_percentage + read_wave.max_failure_percentage
    if together > 100:
        raise WrongWaves(
            f"{where}: min_success_percentage and max_failure_percentage add up to {together}: with more than 100 "
            "there are results that neither pass nor fail. Lower one of them."
        )
    return read_wave


def _size(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        size = float(value)
    except ValueError:
        size = math.nan
    if not 0 < size <= 100:
        raise WrongWaves(f"{where}: percentage is {value}: give more than 0, at most 100.")
    return size


def _percentage(value: Any, default: int, where: str, name: str) -> int:
    number = _whole(value, default, f"{where}: {name}_percentage")
    if number > 100:
        raise WrongWaves(f"{where}: {name}_percentage is {number}: give a whole number from 0 to 100.")
    return number


def _whole(value: Any, default: int, what: str) -> int:
    if value is None:
        return default
    if not str(value).isdecimal():
        raise WrongWaves(f"{what} is {value}: give a whole number, 0 or more.")
    return int(value)


def _check_sizes(waves: Sequence[Wave]) -> None:
    """Waves without a query of their own must make up the whole fleet; queries are the server's to count."""
    taken = 0.0
    for wave in waves:
        if wave.query is None:
            taken += 100 - taken if wave.percentage is None else wave.percentage
            if wave.percentage is None and wave is not waves[-1]:
                raise WrongWaves(
                    f"rollout_waves, wave '{wave.name}': only the last wave may go without percentage or query, it "
                    "gets the rest."
                )
        if taken > 100 + 1e-6 and wave is not waves[-1]:
            raise WrongWaves(f"rollout_waves: the percentages add up to {taken:g}: make it 100 at most.")
    last = waves[-1]
    if last.query is None and abs(taken - 100) > 1e-6:
        raise WrongWaves(
            f"rollout_waves: the percentages add up to {taken:g}, not 100: leave out that of the last wave, and it "
            "gets the rest."
        )
