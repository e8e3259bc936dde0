# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points in time that a person gives, as hawkBit takes them. Private to the collection."""

from __future__ import annotations

import datetime
import re

from .._core.errors import InvalidInput

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)", re.IGNORECASE)

# March 1973. Numbers below it are seconds, or a year.
LEAST = 10**11


def milliseconds(option: str, value: str) -> int:
    """Return milliseconds since 1970 (UTC) of a number of them, or of ISO 8601 with an offset from UTC.

    Args:
        option: name of the option, for the message.
        value: what was given for it; fractions of a second do not count.

    Raises:
        InvalidInput: it is neither, or a number too small to be milliseconds.
    """
    text = value.strip()
    if re.fullmatch(r"\d{1,15}", text, re.ASCII):
        if int(text) < LEAST:
            raise InvalidInput(
                f"{option} is '{value}', too small for milliseconds since 1970: give them, such as 1798077600000, or a "
                "time in ISO 8601 with its offset from UTC, such as 2026-12-24T03:00:00+01:00."
            )
        return int(text)
    match = _ISO.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        day, minute, second, offset = match.groups()
        offset = "+0000" if offset in "Zz" else offset.replace(":", "")
        moment = datetime.datetime.strptime(f"{day}T{minute}{second or ':00'}{offset}", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        raise InvalidInput(
            f"{option} is '{value}': give a time with its offset from UTC, such as 2026-12-24T03:00:00+01:00, or "
            "milliseconds since 1970."
        ) from None
    return int(moment.timestamp()) * 1000
