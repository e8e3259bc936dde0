# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries in hawkBit's RSQL. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

# Tomcat and Jetty refuse a request line of 8 KiB; the path and the other parameters need their part too.
MAX_QUERY = 6000
# Saved queries (rollouts, target filters) are shorter, see the API's field limits.
MAX_SAVED_QUERY = 1024


def literal(value: str) -> str:
    """Return a value in quotes. An asterisk is a wildcard in RSQL, so it is escaped too."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    return f'"{escaped}"'


def equals(field: str, value: object) -> str:
    """Return the comparison C(field==value)."""
    return f"{field}=={literal(str(value))}"


def begins(field: str, start: str) -> str:
    """Return a comparison that finds all values that begin so, and perhaps more: case does not count."""
    # no release finds anything by a backslash and a wildcard
    plain = start.partition("\\")[0]
    return f'{field}=={literal(plain)[:-1]}*"'


def any_of(field: str, values: Iterable[str], room: int = MAX_QUERY) -> Iterator[str]:
    """Yield comparisons that together find all values, each short enough for one request."""
    chunk: list[str] = []
    length = 0
    for value in values:
        if "*" in value:  # escapes do not hold inside =in=
            yield equals(field, value)
            continue
        quoted = literal(value)
        size = len(quote(quoted, safe="")) + 3
        if chunk and length + size > room:
            yield f"{field}=in=({','.join(chunk)})"
            chunk, length = [], 0
        chunk.append(quoted)
        length += size
    if chunk:
        yield f"{field}=in=({','.join(chunk)})"


def both(*parts: str) -> str:
    """Return a query for what all parts find; empty parts do not count."""
    present = [part for part in parts if part]
    return present[0] if len(present) == 1 else ";".join(f"({part})" for part in present)
