# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a maintenance window before it is sent. Private to the collection.

hawkBit wants a schedule in Quartz cron notation, a duration below a day and an offset from UTC. Its own answers
mislead (a time-zone name becomes "No valid maintenance window"), and no maintained Python library reads Quartz's
notation with seconds, C(?), C(L), C(W) and C(#).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from .._core.errors import InvalidInput

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
EXAMPLE = "such as '0 0 3 ? * SUN' for Sundays at 3"
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("seconds", 0, 59, ()),
    ("minutes", 0, 59, ()),
    ("hours", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of week", 1, 7, DAYS),
    ("year", 1970, 2099, ()),
)
DAY_OF_MONTH, DAY_OF_WEEK, YEAR = 3, 5, 6


def check_window(window: Mapping[str, Any]) -> None:
    """Refuse a maintenance window that hawkBit would refuse.

    Raises:
        InvalidInput: names the part, the value and what would be right.
    """
    missing = [name for name in ("schedule", "duration", "timezone") if not window.get(name)]
    if missing:
        raise InvalidInput(
            f"maintenance_window lacks {' and '.join(missing)}: give schedule, duration and timezone, or none of them."
        )
    check_cron(window["schedule"])
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", window["duration"]):
        _refuse("duration", window["duration"], "a time below a day in quotes, such as '02:00:00'")
    if not re.fullmatch(r"[+-](0\d|1[0-7]):[0-5]\d|[+-]18:00", window["timezone"]):
        _refuse("timezone", window["timezone"], "an offset in quotes, such as '+02:00'; names are not understood")


def check_cron(schedule: str) -> None:
    """Refuse what is no Quartz cron expression.

    Raises:
        InvalidInput: names the field that is wrong.
    """
    parts = schedule.split()
    if len(parts) not in (6, 7):
        _refuse("schedule", schedule, f"6 or 7 fields in Quartz cron notation, {EXAMPLE}")
    for index, part in enumerate(parts):
        name, least, most, names = FIELDS[index]
        if not all(_valid(item.upper(), index, least, most, names) for item in part.split(",")):
            allowed = f"{least} to {most}" + (f" or {names[0]} to {names[-1]}" if names else "")
            _refuse(
                "schedule", schedule, f"for {name}, which is '{part}', values from {allowed} in Quartz cron notation"
            )
    if (parts[DAY_OF_MONTH] == "?") == (parts[DAY_OF_WEEK] == "?"):
        _refuse("schedule", schedule, f"'?' for exactly one of day of month and day of week, {EXAMPLE}")


def _valid(item: str, index: int, least: int, most: int, names: tuple[str, ...]) -> bool:
    if item == "?":
        return index in (DAY_OF_MONTH, DAY_OF_WEEK)
    # not 31W: no release finds a day for it
    if index == DAY_OF_MONTH and re.fullmatch(r"LW?|L-([1-9]|[12]\d|30)|([1-9]|[12]\d|30)W", item):
        return True
    if index == DAY_OF_WEEK:
        special = re.fullmatch(r"(L)|(\w+)L|(\w+)#[1-5]", item)
        if special:
            day = special[2] or special[3]
            return day is None or _number(day, least, most, names) is not None
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and 0 < int(step) <= most):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    low = _number(first, least, most, names)
    high = _number(last, least, most, names) if dash else low
    # Quartz lets a range run over the end, such as FRI-MON; years do not come round
    return low is not None and high is not None and (index != YEAR or low <= high)


def _number(text: str, least: int, most: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return names.index(text) + 1
    return int(text) if text.isdecimal() and least <= int(text) <= most else None


def _refuse(name: str, value: str, wanted: str) -> NoReturn:
    raise InvalidInput(f"maintenance_window.{name} is '{value}': give {wanted}.")
