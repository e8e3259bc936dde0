# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries for metadata, answered alike for all releases. Private to the collection.

Servers up to 0.8 filter metadata themselves; later ones ignore the query and send all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .._core.errors import InvalidInput

_TERM = re.compile(
    r"""(?P<field>key|value)(?P<operator>==|!=)
    (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<plain>[^\s;,()"'=!<>~]+))""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r"\\(.)|(\*)|(.)", re.DOTALL)


class MetadataQuery:
    """A query for metadata: comparisons of C(key) and C(value), joined by C(;) for and, C(,) for or.

    As in hawkBit's queries elsewhere, upper and lower case are the same, and C(*) stands for any characters.

    Args:
        text: the query.

    Raises:
        InvalidInput: it is not of that form.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        # one of them must hold, with all of its comparisons
        self._alternatives: list[list[tuple[str, bool, re.Pattern[str]]]] = [[]]
        place = 0
        while True:
            term = _TERM.match(text, place)
            if term is None:
                raise self._error()
            value = next(term[name] for name in ("double", "single", "plain") if term[name] is not None)
            self._alternatives[-1].append((term["field"].lower(), term["operator"] == "==", _pattern(value)))
            place = term.end()
            if place == len(text):
                return
            if text[place] not in ";,":
                raise self._error()
            if text[place] == ",":
                self._alternatives.append([])
            place += 1

    def _error(self) -> InvalidInput:
        return InvalidInput(
            f"metadata_query is '{self.text}': compare key and value with == or !=, such as key==site;value==hall*, "
            "joined by ; for and, by a comma for or."
        )

    def filter(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """Return the entries that it finds."""
        return {key: value for key, value in metadata.items() if self._finds({"key": key, "value": value})}

    def _finds(self, entry: Mapping[str, str]) -> bool:
        return any(
            all((pattern.fullmatch(entry[field]) is not None) is equal for field, equal, pattern in comparisons)
            for comparisons in self._alternatives
        )


def _pattern(value: str) -> re.Pattern[str]:
    parts = (".*" if star else re.escape(escaped or char) for escaped, star, char in _PIECE.findall(value))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
