# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolves the C(fleet) option to the target of a deployment. Private to the collection.

Facts from the documents of the inventory management APIs v1 and v2. A list of devices has no order of its own, so a
walk through its pages may miss some: it is repeated until all have come that the server counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .._core.errors import BadAnswer, InvalidInput, Rejected, Unsupported
from .._core.transport import Answer, reads
from .api import MISSING, PAGE, Api

SEARCH = reads("search devices", "POST", "/api/management/v2/inventory/filters/search")
LIST = reads("list devices", "GET", "/api/management/v1/inventory/devices")
READ = reads("read device", "GET", "/api/management/v1/inventory/devices/{id}")
FILTER = reads("read the devices of the saved filter", "GET", "/api/management/v2/inventory/filters/{id}/search")
KEYS = ("ids", "group", "groups", "filters", "filter_id", "all")
ACCEPTED = {"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}
STATUS = [{"scope": "identity", "attribute": "status"}]
# so that pages shift as little as can be; a server that does not know one of them passes it over
ORDER = [
    {"scope": "system", "attribute": "created_ts", "order": "asc"},
    {"scope": "identity", "attribute": "id", "order": "asc"},
]
# In a truly random order several walks are needed, otherwise one.
WALKS = 12
# Up to so many devices are read one by one where there is no search.
FEW = 20
SHOWN = 10
# of what is refused, in characters
MOST_SHOWN = 200

Item = TypeVar("Item")

IDS, GROUP, ALL, FILTER_ID = "ids", "group", "all", "filter_id"


@dataclass(frozen=True)
class Target:
    """Whom a deployment is for.

    Args:
        kind: C(ids), C(group), C(all) or C(filter_id); C(groups) and C(filters) have become ids.
        value: name of the group, or id of the filter.
        ids: the devices, when the server is to be told each.
        count: how many devices it is for now; the server may find others when it makes the deployment.
        unknown: ids that were asked for and are not there, or not accepted.
    """

    kind: str
    value: str | None = None
    ids: frozenset[str] = frozenset()
    count: int = 0
    unknown: list[str] = field(default_factory=list)


class Devices:
    """The accepted devices of the inventory."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._search: bool | None = None

    def count(self, group: str | None = None) -> int:
        """Return how many there are in a group, or in all."""
        answer = self._page(_terms(group), group, 1, 1)
        total = total_of(answer)
        return len(self.ids(group)) if total is None else total

    def ids(self, group: str | None = None) -> frozenset[str]:
        """Return the ids of those in a group, or of all."""
        return walk(lambda page: self._page(_terms(group), group, page, PAGE))

    def matching(self, filters: list[Mapping[str, Any]]) -> frozenset[str]:
        """Return the ids of those that fulfil all filters of the inventory's search.

        Raises:
            Unsupported: the server has no search.
        """
        if not self.searchable:
            raise Unsupported(
                "fleet.filters is given, but this Mender server has no search of devices: select by ids, group, "
                "groups or all."
            )
        try:
            return walk(lambda page: self._found([*filters, ACCEPTED], page, PAGE))
        except Rejected as error:
            if error.status != 400:
                raise
            raise InvalidInput(
                f"fleet.filters is {json.dumps(filters)[:MOST_SHOWN]}, which Mender refuses ({error.message}): give "
                "scope, attribute, type and value in each entry.",
                message=error.message,
                http=error.http,
                request_id=error.request_id,
            ) from None

    def known(self, ids: list[str]) -> frozenset[str]:
        """Return those of some ids that there are."""
        if self.searchable:
            found: set[str] = set()
            for start in range(0, len(ids), PAGE):
                part = ids[start : start + PAGE]
                listed = {id for id, _item in devices_of(self._found([ACCEPTED], 1, PAGE, part))}
                if not listed.issubset(part):
                    # a server that does not know device_ids answers with others
                    return self.ids().intersection(ids)
                found |= listed
            return frozenset(found)
        if len(ids) > FEW:
            return self.ids().intersection(ids)
        return frozenset(id for id in ids if self._accepted(id))

    def count_of_filter(self, id: str) -> int:
        """Return how many devices a saved filter finds now.

        Raises:
            InvalidInput: there is no such filter.
        """
        query = {"page": 1, "per_page": 1}
        answer = self.api.send(FILTER, values={"id": id}, query=query, accept=(400, *MISSING))
        if answer.status != 200:
            raise InvalidInput(
                f"fleet.filter_id is '{id}', but Mender has no saved filter of that id: correct it, or save the "
                "filter first."
            )
        return total_of(answer) or 0

    def _accepted(self, id: str) -> bool:
        answer = self.api.send(READ, values={"id": id}, accept=(400, 404))
        attributes = answer.data.get("attributes") if answer.status == 200 and isinstance(answer.data, dict) else None
        values = {
            (item.get("scope"), item.get("name")): item.get("value")
            for item in attributes or []
            if isinstance(item, dict)
        }
        return attributes is not None and values.get(("identity", "status"), "accepted") == "accepted"

    @property
    def searchable(self) -> bool:
        """Whether the server has the search of the inventory's second API. Asked once."""
        if self._search is None:
            body = {"page": 1, "per_page": 1, "filters": [ACCEPTED]}
            self._search = self.api.send(SEARCH, json=body, accept=MISSING).status == 200
        return self._search

    def _page(self, filters: list[dict[str, Any]], group: str | None, page: int, size: int) -> Answer:
        if self.searchable:
            return self._found(filters, page, size)
        query = {"page": page, "per_page": size, "group": group, "identity/status": "accepted"}
        return self.api.send(LIST, query=query, shape=list)

    def _found(self, filters: list[Any], page: int, size: int, ids: list[str] | None = None) -> Answer:
        body: dict[str, Any] = {
            "page": page,
            "per_page": size,
            "filters": filters,
            "attributes": STATUS,
            "sort": ORDER,
        }
        if ids is not None:
            body["device_ids"] = ids
        return self.api.send(SEARCH, json=body, shape=list)


def walk(fetch: Callable[[int], Answer]) -> frozenset[str]:
    """Return the ids of the devices on all pages of a list, see C(records)."""
    return frozenset(records(fetch, lambda item: None))


def records(fetch: Callable[[int], Answer], keep: Callable[[dict[str, Any]], Item]) -> dict[str, Item]:
    """Return what is to be kept of the devices on all pages of a list, by id.

    Args:
        fetch: gets the page of a number, from 1.
        keep: makes of a device what is kept.

    Raises:
        BadAnswer: the pages do not hold as many devices as the server counts, even after several walks.
    """
    found: dict[str, Item] = {}
    total: int | None = None
    for _walk in range(WALKS):
        page = size = 0
        while True:
            page += 1
            answer = fetch(page)
            fresh = {id: item for id, item in devices_of(answer) if id not in found}
            found.update((id, keep(item)) for id, item in fresh.items())
            total = total_of(answer)
            # a server may put a smaller page in place of the one that is asked for
            size = max(size, len(answer.data))
            if not answer.data or (max(len(found), page * size) >= total if total is not None else not fresh):
                break
        if total is None or len(found) >= total:
            return found
    raise BadAnswer(
        f"Cannot list the devices: Mender counts {total}, but its pages hold {len(found)} of them; run the task "
        "again, or select by ids."
    )


def total_of(answer: Answer) -> int | None:
    """Return how many devices a list has in all, as far as its page tells."""
    header = answer.headers.get("X-Total-Count", "")
    return int(header) if header.isdigit() else None


def devices_of(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    """Return the devices of a page with their ids."""
    return [(str(item["id"]), item) for item in answer.data if isinstance(item, dict) and item.get("id")]


def resolve(
    devices: Devices, fleet: Mapping[str, Any] | None, on_unknown_device: str = "fail", *, expand: bool = False
) -> Target:
    """Return the target that C(fleet) selects.

    Args:
        devices: the inventory.
        fleet: the option.
        on_unknown_device: C(fail) or C(ignore).
        expand: tell the server each device, since it does not know groups.

    Raises:
        InvalidInput: nothing or too much is asked for, a device is unknown or named twice, or none is selected.
        Unsupported: Mender, or this server, cannot select that way.
    """
    key, value = the_one(fleet)
    if key == "filter_id":
        return Target(FILTER_ID, str(value), count=devices.count_of_filter(str(value)))
    unknown: list[str] = []
    target: Target
    if key == "ids":
        known = devices.known(value)
        unknown = [id for id in value if id not in known]
        if unknown and on_unknown_device == "fail":
            raise InvalidInput(
                f"fleet.ids names {len(unknown)} of {len(value)} devices that Mender does not know or has not "
                f"accepted ({shorten(unknown)}): correct them, or set on_unknown_device to ignore."
            )
        target = Target(IDS, ids=known, count=len(known), unknown=unknown)
    elif key in ("group", "all") and not expand:
        group = str(value) if key == "group" else None
        target = Target(key, group, count=devices.count(group))
    else:
        if key == "filters":
            ids = devices.matching(value)
        elif key == "all":
            ids = devices.ids()
        else:
            groups = [value] if key == "group" else value
            ids = frozenset().union(*(devices.ids(group) for group in groups))
        target = Target(IDS, ids=ids, count=len(ids))
    # what filters find changes when the task has done its work
    if not target.count and key != "filters" and not unknown:
        named = shorten(value) if key == "groups" else value
        given = f" is '{named}', which" if isinstance(named, str) else ""
        raise InvalidInput(
            f"fleet.{key}{given} selects no accepted device: correct it, or have the devices accepted first."
        )
    return target


def the_one(fleet: Mapping[str, Any] | None) -> tuple[str, Any]:
    """Return the one suboption of C(fleet) that is given, and its value.

    Raises:
        InvalidInput: none or several are given, or an empty one.
        Unsupported: Mender cannot select that way.
    """
    given = {name: value for name, value in (fleet or {}).items() if value is not None and value is not False}
    foreign = [name for name in given if name not in KEYS]
    if foreign:
        raise Unsupported(f"fleet.{foreign[0]} is not known to Mender: select by one of {', '.join(KEYS)}.")
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "nothing is given"
        raise InvalidInput(f"fleet wants exactly one of {', '.join(KEYS)}, but {found}.")
    key, value = next(iter(given.items()))
    if isinstance(value, (list, str)) and not value:
        raise InvalidInput(f"fleet.{key} is empty: give at least one device, or leave the task out.")
    if isinstance(value, list) and key != "filters":
        if "" in value:
            raise InvalidInput(f"fleet.{key} has an empty entry: take it out.")
        twice = sorted(item for item, times in Counter(value).items() if times > 1)
        if twice:
            raise InvalidInput(f"fleet.{key} names {shorten(twice)} more than once: list each once.")
    return key, value


def shorten(names: list[str]) -> str:
    """Return the first names of a list for a message."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _terms(group: str | None) -> list[dict[str, Any]]:
    if group is None:
        return [ACCEPTED]
    return [ACCEPTED, {"scope": "system", "attribute": "group", "type": "$eq", "value": group}]
