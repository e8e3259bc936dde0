# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolves the C(fleet) option to targets. Private to the collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import InvalidInput, Unsupported
from .._core.transport import reads
from . import rsql
from .api import MODERN, ROOT
from .client import Hawkbit
from .tagging import target_tagging

FILTER = reads("read target filter", "GET", f"{ROOT}/targetfilters/{{filter_id}}")
KEYS = ("ids", "names", "query", "tag", "group", "groups", "filter_id", "all")
# How many of a list a message names.
SHOWN = 10


@dataclass(frozen=True)
class Selection:
    """Targets that were selected: names by id, and what was asked for but is not there."""

    names: dict[str, str]
    unknown: list[str] = field(default_factory=list)


def resolve(hawkbit: Hawkbit, fleet: Mapping[str, Any] | None, on_unknown_device: str = "fail") -> Selection:
    """Return the targets that C(fleet) selects.

    Raises:
        InvalidInput: nothing or too much is asked for, a device is unknown or named twice, or none is selected by
            something that does not change when the task has done its work.
        Unsupported: this release of hawkBit cannot select that way.
    """
    key, value = _the_one(fleet)
    unknown: list[str] = []
    if key in ("ids", "names"):
        targets, unknown = _listed(hawkbit, key, value)
        if unknown and on_unknown_device == "fail":
            raise InvalidInput(
                f"fleet.{key} names {len(unknown)} of {len(value)} devices that hawkBit does not know "
                f"({shorten(unknown)}): correct them, or set on_unknown_device to ignore."
            )
    else:
        with blamed(said(fleet)):
            # devices that register meanwhile come last, so that no page shifts
            targets = list(hawkbit.targets.search(query(hawkbit, fleet), sort="id:ASC"))
        # RSQL ignores case, tags and groups do not
        if key in ("group", "groups"):
            groups = {value} if key == "group" else set(value)
            targets = [item for item in targets if item.get("group") in groups]
        elif key == "tag":
            bearers = _bearers(hawkbit, value)
            targets = [item for item in targets if item["controllerId"] in bearers]
    # a query may well find nothing any more once its task has done its work
    if not targets and key not in ("query", "filter_id") and not (unknown and on_unknown_device == "ignore"):
        given = "" if isinstance(value, (bool, list)) else f" is '{value}', which"
        raise InvalidInput(f"fleet.{key}{given} selects no device: correct it, or register the devices first.")
    return Selection({item["controllerId"]: item.get("name") or item["controllerId"] for item in targets}, unknown)


def query(hawkbit: Hawkbit, fleet: Mapping[str, Any] | None) -> str | None:
    """Return C(fleet) as one RSQL query, None for all targets.

    Raises:
        InvalidInput: nothing or too much is asked for.
        Unsupported: this release of hawkBit cannot select that way.
    """
    key, value = _the_one(fleet)
    if key == "all":
        return None
    if key == "query":
        return str(value)
    if key == "filter_id":
        # 0.3.0M7 fails (500) on an id that is no number
        usable = str(value).isdecimal()
        answer = usable and hawkbit.api.transport.send(FILTER, values={"filter_id": value}, accept=(404,), shape=dict)
        if not answer or answer.status != 200:
            raise InvalidInput(
                f"fleet.filter_id is '{value}', but hawkBit has no target filter of that id: correct "
                "it, or make the filter first."
            )
        return str(answer.data["query"])
    if key in ("group", "groups") and hawkbit.api.generation != MODERN:
        raise Unsupported(
            f"fleet.{key} needs hawkBit 0.10 or newer: select by ids, names, query, tag, filter_id or all."
        )
    field_name = {"ids": "controllerid", "names": "name", "tag": "tag", "group": "group", "groups": "group"}[key]
    values = value if isinstance(value, list) else [value]
    parts = [rsql.equals(field_name, item) for item in values]
    return parts[0] if len(parts) == 1 else f"({','.join(parts)})"


@contextmanager
def blamed(option: str) -> Iterator[None]:
    """Name the option, with its value, in the error of a server that cannot use it as a query."""
    try:
        yield
    except InvalidInput as error:
        if error.http is None:
            raise
        raise InvalidInput(
            f"{option}, which hawkBit cannot use as a query: {error.message.rstrip('.')}; correct it.",
            message=error.message,
            details=error.details,
            http=error.http,
        ) from error


def said(fleet: Mapping[str, Any] | None) -> str:
    """Return for messages what C(fleet) says."""
    key, value = _the_one(fleet)
    return f"fleet.{key} is '{value}'"


def shorten(names: list[str]) -> str:
    """Return the first names of a list for a message."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _the_one(fleet: Mapping[str, Any] | None) -> tuple[str, Any]:
    given = {name: value for name, value in (fleet or {}).items() if value is not None and value is not False}
    foreign = [name for name in given if name not in KEYS]
    if foreign:
        raise Unsupported(f"fleet.{foreign[0]} is not known to hawkBit: select by one of {', '.join(KEYS)}.")
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "nothing is given"
        raise InvalidInput(f"fleet wants exactly one of {', '.join(KEYS)}, but {found}.")
    key, value = next(iter(given.items()))
    if isinstance(value, (list, str)) and not value:
        raise InvalidInput(f"fleet.{key} is empty: give at least one device, or leave the task out.")
    if isinstance(value, list):
        twice = sorted(item for item, times in Counter(value).items() if times > 1)
        if twice:
            raise InvalidInput(f"fleet.{key} names {shorten(twice)} more than once: list each device once.")
    return key, value


def _bearers(hawkbit: Hawkbit, tag: str) -> set[str]:
    """Return the ids of the targets that bear a tag of exactly this name."""
    tagging = target_tagging(hawkbit.api)
    return tagging.members(tag) if tag in tagging.names else set()


def _listed(hawkbit: Hawkbit, key: str, wanted: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the targets of a list of ids or names in its order, and which of them there are none of."""
    if key == "ids":
        found = hawkbit.targets.find(wanted)
    else:
        found, wanted_names = {}, set(wanted)
        for part in rsql.any_of("name", wanted):
            for item in hawkbit.targets.search(part):
                name = item.get("name", "")
                if name not in wanted_names:
                    # RSQL ignores case
                    continue
                if name in found:
                    ids = shorten([found[name]["controllerId"], item["controllerId"]])
                    raise InvalidInput(f"fleet.names: several devices are called '{name}' ({ids}): select them by ids.")
                found[name] = item
    return [found[item] for item in wanted if item in found], [item for item in wanted if item not in found]
