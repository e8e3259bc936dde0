# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The waves of the rollout role: what was asked for, checked and complete. Private to the collection."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

HAWKBIT, MENDER = "hawkbit", "mender"
# what only waves on Mender have
MENDERS = ("devices", "fleet", "max_failures", "start")
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
    devices: int | None = None
    """Size as a number; this and what follows is Mender's."""
    fleet: Mapping[str, Any] | None = None
    max_failures: int | None = None
    start: str | None = None


def read(waves: Sequence[Mapping[str, Any]], platform: str = HAWKBIT) -> list[Wave]:
    """Return the waves of C(rollout_waves) for a platform.

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
    for wave in waves:
        _check_platform(wave, platform)
    read_waves = [_read_one(wave, last=index == len(waves) - 1) for index, wave in enumerate(waves)]
    _check_sizes(read_waves)
    return read_waves


def plan(waves: Sequence[Mapping[str, Any]], platform: str = HAWKBIT, phases: bool = False) -> dict[str, Any]:
    """Return the checked waves for a platform as JSON data.

    With C(error), C(waves), and for hawkBit the C(groups) that it makes of them. For Mender C(stages), what
    mender_rollout_info takes, and C(phases), what the one deployment takes when the server is to do it all.
    """
    mender = platform == MENDER
    empty: dict[str, Any] = {"waves": [], "groups": [], **({"stages": [], "phases": []} if mender else {})}
    try:
        found = read(waves, platform)
        listed = _phases(found) if phases else []
        early = [wave.name for wave in found if wave.start and not phases]
        if early:
            raise WrongWaves(
                f"rollout_waves, wave '{early[0]}': start goes with rollout_server_phases only: leave it out, or set "
                "that."
            )
    except WrongWaves as error:
        return {**empty, "error": str(error)}
    if not mender:
        return {"error": None, "waves": [_shown(wave) for wave in found], "groups": [_group(wave) for wave in found]}
    if phases:
        # one deployment, of whose devices nobody knows in which phase they are
        name = ", ".join(wave.name for wave in found)
        found = [replace(found[-1], name=name, percentage=None, devices=None, start=None)]
    stages = [{key: getattr(wave, key) for key in ("name", "percentage", "devices", "fleet")} for wave in found]
    stages = [{key: value for key, value in stage.items() if value is not None} for stage in stages]
    return {**empty, "error": None, "waves": [asdict(wave) for wave in found], "stages": stages, "phases": listed}


def _shown(wave: Wave) -> dict[str, Any]:
    return {key: value for key, value in asdict(wave).items() if key not in MENDERS}


def _phases(waves: Sequence[Wave]) -> list[dict[str, Any]]:
    """Return what Mender makes of waves that it begins itself, by the clock."""
    listed = []
    for number, wave in enumerate(waves):
        where = f"rollout_waves, wave '{wave.name}'"
        last = wave is waves[-1]
        if wave.fleet:
            raise WrongWaves(f"{where}: fleet does not go with rollout_server_phases, give a percentage or a size.")
        if number and not wave.start:
            raise WrongWaves(f"{where}: start is missing: with rollout_server_phases the server goes by the clock.")
        if wave.percentage is not None and wave.percentage != int(wave.percentage):
            raise WrongWaves(f"{where}: percentage is {wave.percentage:g}: phases of Mender have whole numbers.")
        gated = (wave.min_success_percentage, wave.max_failure_percentage, wave.max_failures) != (
            MIN_SUCCESS, MAX_FAILURE, None,
        )  # fmt: skip
        if not last and (wave.pauses or gated):
            raise WrongWaves(
                f"{where}: gate, soak, approval and verify do not go with rollout_server_phases but in the last wave, "
                "where they are for all of it: the server goes on by the clock. Leave them out, or leave "
                "rollout_server_phases out."
            )
        phase: dict[str, Any] = {"start_ts": wave.start} if wave.start else {}
        if wave.devices is not None:
            phase["batch_size_devices"] = wave.devices
        elif wave.percentage is not None:
            phase["batch_size"] = int(wave.percentage)
        listed.append(phase)
    return listed


def _group(wave: Wave) -> dict[str, Any]:
    return {
        "name": wave.name,
        "percentage": wave.percentage,
        "query": wave.query,
        "success_threshold": wave.min_success_percentage,
        "error_threshold": wave.max_failure_percentage,
        "success_action": "pause" if wave.pauses else "next_group",
    }


def _check_platform(wave: Mapping[str, Any], platform: str) -> None:
    """Refuse what the platform does not have."""
    where = f"rollout_waves, wave '{wave['name']}'"
    gate = wave.get("gate") or {}
    if platform == MENDER:
        if wave.get("query"):
            raise WrongWaves(f"{where}: query is given, but Mender has no such language: give fleet, with filters.")
        return
    for option, value in (("fleet", wave.get("fleet")), ("start", wave.get("start"))):
        if value:
            raise WrongWaves(f"{where}: {option} is for Mender: leave it out.")
    if gate.get("max_failures") is not None:
        raise WrongWaves(f"{where}: max_failures is for Mender: give max_failure_percentage.")
    size = str(wave.get("size") or "").strip()
    if size and not size.endswith("%"):
        raise WrongWaves(f"{where}: size is {size}, but hawkBit has percentages only: give one, such as 10%.")


def _read_size(wave: Mapping[str, Any], where: str) -> tuple[float | None, int | None]:
    """Return the size as a percentage or as a number of devices."""
    percentage, size = wave.get("percentage"), wave.get("size")
    if size is None or size == "":
        return _size(percentage, where), None
    if percentage is not None:
        raise WrongWaves(f"{where}: percentage and size are both given: give one of them.")
    text = str(size).strip()
    if text.endswith("%"):
        return _size(text[:-1].strip(), where, "size"), None
    if not text.isdecimal() or not int(text):
        raise WrongWaves(f"{where}: size is {size}: give a number of devices, or a percentage such as 10%.")
    return None, int(text)


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
    percentage, devices = _read_size(wave, where)
    max_failures = gate.get("max_failures")
    most = MAX_FAILURE
    if max_failures is not None:
        max_failures = _whole(max_failures, 0, f"{where}: max_failures")
        if gate.get("min_success_percentage") is None:
            raise WrongWaves(f"{where}: max_failures needs min_success_percentage: say how many devices must succeed.")
        most = 100 - _percentage(gate["min_success_percentage"], MIN_SUCCESS, where, "min_success")
    read_wave = Wave(
        name=str(wave["name"]),
        percentage=percentage,
        query=query,
        min_success_percentage=_percentage(gate.get("min_success_percentage"), MIN_SUCCESS, where, "min_success"),
        max_failure_percentage=_percentage(gate.get("max_failure_percentage"), most, where, "max_failure"),
        soak=soak,
        approval=approval,
        verify=verify,
        pauses=not last and bool(soak or approval or verify),
        devices=devices,
        fleet=wave.get("fleet") or None,
        max_failures=max_failures,
        start=wave.get("start") or None,
    )
    together = read_wave.min_success_percentage + read_wave.max_failure_percentage
    if together > 100:
        raise WrongWaves(
            f"{where}: min_success_percentage and max_failure_percentage add up to {together}: with more than 100 "
            "there are results that neither pass nor fail. Lower one of them."
        )
    return read_wave


def _size(value: Any, where: str, option: str = "percentage") -> float | None:
    if value is None:
        return None
    try:
        size = float(value)
    except ValueError:
        size = math.nan
    if not 0 < size <= 100:
        raise WrongWaves(f"{where}: {option} is {value}: give more than 0, at most 100.")
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
        if wave.query is None and wave.fleet is None and wave.devices is None:
            taken += 100 - taken if wave.percentage is None else wave.percentage
            if wave.percentage is None and wave is not waves[-1]:
                raise WrongWaves(
                    f"rollout_waves, wave '{wave.name}': only the last wave may go without percentage or query, it "
                    "gets the rest."
                )
        if taken > 100 + 1e-6 and wave is not waves[-1]:
            raise WrongWaves(f"rollout_waves: the percentages add up to {taken:g}: make it 100 at most.")
    last = waves[-1]
    if last.query is None and last.fleet is None and last.devices is None and abs(taken - 100) > 1e-6:
        raise WrongWaves(
            f"rollout_waves: the percentages add up to {taken:g}, not 100: leave out that of the last wave, and it "
            "gets the rest."
        )
