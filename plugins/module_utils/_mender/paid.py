# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only some editions of Mender do with a deployment. Private to the collection.

The open source server passes over what it does not know, so a deployment in phases would go to all devices at once:
the edition is found out before anything is sent. Facts from the document of the hosted service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidInput, Unsupported
from .api import ENTERPRISE, OPEN_SOURCE, PROFESSIONAL, Api
from .deployments import moment

OPTIONS = ("phases", "uniform_phases", "retries", "update_control_map", "max_devices")
SIZES = ("batch_size", "batch_size_devices")
_DURATION = re.compile(r"P(?=.)(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?")
NAMES = {OPEN_SOURCE: "open source", PROFESSIONAL: "Professional", ENTERPRISE: "Enterprise"}


def body(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that only some editions know, from the options of the task.

    Raises:
        InvalidInput: what the server would refuse whatever its edition.
    """
    fields: dict[str, Any] = {}
    if params["phases"] is not None and params["uniform_phases"] is not None:
        raise InvalidInput("phases and uniform_phases are both given: give one of them.")
    if params["phases"] is not None:
        fields["phases"] = _phases(params["phases"])
    if params["uniform_phases"] is not None:
        fields["uniform_phases"] = _uniform(params["uniform_phases"])
    for name in ("retries", "max_devices"):
        if params[name] is not None and params[name] < 0:
            raise InvalidInput(f"{name} is {params[name]}: give 0 or more.")
        if params[name]:
            fields[name] = params[name]
    if params["max_devices"] and not (params["fleet"] or {}).get("filter_id"):
        raise InvalidInput(
            f"max_devices is {params['max_devices']}, which only goes with fleet.filter_id: leave it out, or use "
            "fleet_limit."
        )
    if params["update_control_map"]:
        fields["update_control_map"] = params["update_control_map"]
    return fields


def guard(api: Api, edition: str, fields: Mapping[str, Any], filter_id: str | None) -> None:
    """Refuse what the server would drop or its plan does not include.

    Args:
        api: the server.
        edition: the option; C(auto) finds it out.
        fields: from C(body).
        filter_id: that of the fleet.

    Raises:
        Unsupported: names the option, the edition and the remedy.
    """
    asked = [*fields, *(["fleet.filter_id"] if filter_id else [])]
    if not asked:
        return
    found = api.edition if edition == "auto" else edition
    if found == ENTERPRISE:
        return
    why = f"edition is '{edition}'" if edition != "auto" else f"{api.edition_evidence}"
    for option in asked:
        if found == PROFESSIONAL and option == "phases" and len(fields["phases"]) == 1:
            continue
        what = (
            "would pass it over and start on all devices at once"
            if found == OPEN_SOURCE
            else "has deployments in one phase only, of these options"
        )
        raise Unsupported(
            f"{option} is given, but this Mender server is the {NAMES[found]} edition ({why}), which {what}: leave it "
            "out, or use a server of the Enterprise edition."
        )


def check_sizes(fields: Mapping[str, Any], count: int) -> None:
    """Refuse a phase without any device, as the server would.

    Raises:
        InvalidInput: names the phase.
    """
    entries = list(fields.get("phases") or [])
    if fields.get("uniform_phases"):
        entries = [fields["uniform_phases"]]
    whole = sum(entry.get("batch_size") or 0 for entry in entries) == 100
    taken = sum(entry.get("batch_size_devices") or 0 for entry in entries)
    if taken >= count and "phases" in fields and not any(name in entries[-1] for name in SIZES):
        raise _nothing_left(len(entries) - 1, "batch_size_devices", f"{taken} of {count} devices")
    for number, entry in enumerate(entries):
        share = entry.get("batch_size")
        last = "phases" in fields and number == len(entries) - 1
        if share is None or (last and whole):
            continue
        if count * share // 100 == 0:
            where = f"phases[{number}]" if "phases" in fields else "uniform_phases"
            raise InvalidInput(
                f"{where}.batch_size is {share}, but {share} percent of {count} devices is less than one device: give "
                "a larger percentage, or batch_size_devices."
            )


def dropped(fields: Mapping[str, Any], deployment: Mapping[str, Any]) -> str | None:
    """Return the first field that a deployment of the API does not show though it was sent, None when all are there."""
    for name, wanted in fields.items():
        found = deployment.get(name)
        if name == "uniform_phases":
            # shown as they were given, or as the phases that came of them
            found = found or deployment.get("phases")
        if not found or (name in ("retries", "max_devices") and found != wanted):
            return name
    return None


def _phases(listed: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not listed:
        raise InvalidInput("phases is an empty list: give at least one phase, or leave the option out.")
    found = []
    last: int | None = None
    for number, entry in enumerate(listed):
        where = f"phases[{number}]"
        phase = _sizes(where, entry, needed=number < len(listed) - 1)
        start = entry.get("start_ts")
        if start is None and number:
            raise InvalidInput(f"{where}.start_ts is missing: only the first phase may begin at once.")
        if start is not None:
            phase["start_ts"] = _moment(f"{where}.start_ts", start)
            now = moment(phase["start_ts"])
            if last is not None and now is not None and now < last:
                raise InvalidInput(
                    f"{where}.start_ts is '{start}', which is before the phase in front of it: put the phases in the "
                    "order of time."
                )
            last = now if now is not None else last
        found.append(phase)
    kinds = {name for phase in found for name in SIZES if name in phase}
    if len(kinds) > 1:
        raise InvalidInput("phases mixes batch_size and batch_size_devices: use one of them in all phases.")
    total = sum(phase.get("batch_size") or 0 for phase in found)
    if total > 100:
        raise InvalidInput(f"phases: the percentages of batch_size add up to {total}: 100 is the most.")
    if total == 100 and not any(name in found[-1] for name in SIZES):
        raise _nothing_left(len(found) - 1, "batch_size", "100 percent")
    return found


def _nothing_left(number: int, option: str, taken: str) -> InvalidInput:
    return InvalidInput(
        f"phases[{number}] is for the rest, but {option} in front of it adds up to {taken}, so that no device is left: "
        f"give less in front, or leave phases[{number}] out."
    )


def _uniform(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = _sizes("uniform_phases", entry, needed=True)
    interval = entry.get("time_interval")
    if not _DURATION.fullmatch(interval or ""):
        raise InvalidInput(
            f"uniform_phases.time_interval is '{interval or ''}': give a duration of ISO 8601, such as PT2H."
        )
    found["time_interval"] = interval
    if entry.get("start_ts") is not None:
        found["start_ts"] = _moment("uniform_phases.start_ts", entry["start_ts"])
    return found


def _sizes(where: str, entry: Mapping[str, Any], *, needed: bool) -> dict[str, Any]:
    given = {name: entry[name] for name in SIZES if entry.get(name) is not None}
    if len(given) > 1:
        raise InvalidInput(f"{where} has batch_size and batch_size_devices: give one of them.")
    if needed and not given:
        raise InvalidInput(f"{where}.batch_size is missing: only the last of several phases may take the rest.")
    for name, value in given.items():
        if value < 1 or (name == "batch_size" and value > 100):
            right = "a percentage from 1 to 100" if name == "batch_size" else "1 or more"
            raise InvalidInput(f"{where}.{name} is {value}: give {right}.")
    return given


def _moment(option: str, value: str) -> str:
    """Return a time as the API wants it; YAML turns some into texts with a blank."""
    text = value.strip().replace(" ", "T", 1)
    if moment(text) is None:
        raise InvalidInput(
            f"{option} is '{value}': give a time with its offset from UTC, such as 2026-12-24T03:00:00+01:00."
        )
    return text
