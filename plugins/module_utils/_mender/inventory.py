# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mender: what an inventory of all devices needs, in as few requests as the API allows. Private to the collection.

Facts from the documents of the inventory, device authentication and user administration APIs, and from the source of
Mender Server 4.0 and 4.1. Nothing here costs a request a device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.errors import FleetError, InvalidInput, Unsupported
from .._core.transport import Answer, reads
from .api import MISSING, PAGE, Api
from .fleet import LIST, ORDER, SEARCH, devices_of, records, total_of

ADMISSIONS = reads("list devices by their admission", "GET", "/api/management/v2/devauth/devices")
READ_SETTINGS = reads("read the settings of the web interface", "GET", "/api/management/v1/useradm/settings")

ACCEPTED = "accepted"
STATUSES = (ACCEPTED, "pending", "preauthorized", "rejected", "noauth")
SCOPES = ("identity", "inventory", "monitor", "system", "tags")
OWN_SCOPE = "inventory"
# Of each device, whatever else is asked for.
STANDARD = (
    ("identity", "status"),
    ("inventory", "artifact_name"),
    ("inventory", "device_type"),
    ("inventory", "rootfs-image.version"),
    ("system", "check_in_time"),
    ("system", "created_ts"),
    ("system", "group"),
    ("system", "updated_ts"),
    ("tags", "name"),
)
# Pages under way at a time.
PARALLEL = 4
ID = {"scope": "identity", "attribute": "id"}
BY_ID = [{**ID, "order": "asc"}]

Key = tuple[str, str]
Term = Mapping[str, Any]
Record = dict[str, Any]


class _NoSearch(Exception):
    """The server has no search of devices."""


class _NotInOrder(Exception):
    """The server does not sort by ids, or does not select by them."""


class Inventory:
    """The devices that fulfil some conditions.

    A record is a dictionary with C(id), C(updated_ts), and for each scope in which a device has attributes that are
    wanted a dictionary of these by name, with the values as the server tells them.

    Args:
        api: the server.
        statuses: of the devices; one of them is enough.
        groups: one of them is enough; empty for all devices, in a group or not.
        filters: of the inventory's search, all to be fulfilled.
        attributes: scope and name of the attributes that are wanted besides the standard ones.
        scopes: those of which all attributes are wanted.
    """

    def __init__(
        self,
        api: Api,
        *,
        statuses: Sequence[str] = (ACCEPTED,),
        groups: Sequence[str] = (),
        filters: Sequence[Term] = (),
        attributes: Collection[Key] = (),
        scopes: Collection[str] = (),
    ) -> None:
        self.api = api
        # all of them is no condition: a server may know more than these
        self.statuses = [] if set(statuses) >= set(STATUSES) else list(dict.fromkeys(statuses))
        self.groups = list(dict.fromkeys(groups))
        self.filters = list(filters)
        self._wanted = {*STANDARD, *attributes}
        self._scopes = set(scopes)
        self._has_search = True
        # what occurs in many devices is kept once
        self._same: dict[str, str] = {}

    def devices(self) -> list[Record]:
        """Return the devices, sorted by id.

        Raises:
            InvalidInput: the server does not understand the filters.
            Unsupported: the server has no search, but there are filters; or it is no Mender server.
        """
        # the server can leave out attributes by name only
        names = [] if self._scopes else sorted(self._wanted)
        try:
            found = self._matching([*self._terms(), *self.filters], names, self._record)
        except _NoSearch:
            if self.filters:
                raise _no_search("filters") from None
            found = self._listed()
        except FleetError as error:
            if self.filters and error.status == 400:
                raise _blamed(error, "filters has conditions that") from error
            raise
        self._same.clear()
        return [found[id] for id in sorted(found)]

    def members(self, name: str, filters: Sequence[Term]) -> list[str]:
        """Return the ids of those devices that fulfil further conditions too.

        Raises:
            InvalidInput: the server does not understand the filters.
            Unsupported: the server has no search.
        """
        terms = [*self._terms(), *self.filters, *filters]
        try:
            return sorted(self._matching(terms, [("identity", "status")], lambda item: None))
        except _NoSearch:
            raise _no_search("groups_by_filters") from None
        except FleetError as error:
            if error.status == 400:
                raise _blamed(error, f"groups_by_filters has conditions for {name} that") from error
            raise

    @property
    def has_unlisted(self) -> bool:
        """Whether devices may be wanted that only the admission knows: they have no attributes to select by."""
        return self.statuses != [ACCEPTED] and not self.groups and not self.filters

    def unlisted(self, known: Collection[str]) -> list[Record]:
        """Return the devices that are not accepted and that the inventory has not heard of, sorted by id.

        Args:
            known: ids of those that it has.
        """
        found: dict[str, Record] = {}
        for status in self.statuses or STATUSES:
            if status != ACCEPTED:
                for item in self.api.pages(ADMISSIONS, query={"status": status}):
                    if isinstance(item, dict) and item.get("id") and item["id"] not in known:
                        found[str(item["id"])] = self._record(_as_listed(item))
        return [found[id] for id in sorted(found)]

    # -- asking ------------------------------------------------------------------------------------------------

    def _terms(self) -> list[Term]:
        return [
            {"scope": scope, "attribute": attribute, "type": "$in", "value": values}
            for scope, attribute, values in (("identity", "status", self.statuses), ("system", "group", self.groups))
            if values
        ]

    def _page(self, terms: Sequence[Term], names: Sequence[Key], page: int, sort: Sequence[Term]) -> Answer:
        if not self._has_search:
            raise _NoSearch
        body: dict[str, Any] = {"page": page, "per_page": PAGE, "filters": list(terms), "sort": list(sort)}
        if names:
            body["attributes"] = [{"scope": scope, "attribute": name} for scope, name in names]
        answer = self.api.required(SEARCH, json=body, shape=list, accept=MISSING)
        if answer.status in MISSING:
            self._has_search = False
            raise _NoSearch
        return answer

    def _matching(self, terms: Sequence[Term], names: Sequence[Key], keep: Callable[[Record], Any]) -> dict[str, Any]:
        """Return what is to be kept of the devices that fulfil all conditions, by id.

        Where the server sorts and selects by id, each page begins after the last id of the one before: it costs the
        same in a large fleet, nothing is missed or doubled while devices come and go, and ranges of ids can be fetched
        at the same time. Elsewhere pages are counted.
        """

        def by_number(page: int) -> Answer:
            return self._page(terms, names, page, ORDER)

        def above(more: Sequence[Term]) -> Answer:
            return self._page([*terms, *more], names, 1, BY_ID)

        first = self._page(terms, names, 1, BY_ID)
        total = total_of(first)
        if total is None:
            return records(by_number, keep)
        if len(devices_of(first)) >= total:
            return {id: keep(item) for id, item in devices_of(first)}
        try:
            found = _by_id(first, total, above, keep)
        except _NotInOrder:
            return records(by_number, keep)
        if len(found) < total:
            # devices have gone meanwhile, or the server knows no selection by id and has found none
            now = total_of(self._page(terms, [("identity", "status")], 1, BY_ID))
            if now is None or len(found) < now:
                return records(by_number, keep)
        return found

    def _listed(self) -> dict[str, Record]:
        """Return the devices of a server that has no search; its list takes one value of each kind."""
        found: dict[str, Record] = {}
        # None is left out of a query
        statuses: list[str | None] = [*self.statuses] or [None]
        groups: list[str | None] = [*self.groups] or [None]
        for status in statuses:
            for group in groups:
                query = {"per_page": PAGE, "group": group, "identity/status": status}
                found.update(records(self._list_of(query), self._record))
        return found

    def _list_of(self, query: dict[str, Any]) -> Callable[[int], Answer]:
        return lambda page: self.api.required(LIST, query={**query, "page": page}, shape=list)

    # -- keeping -----------------------------------------------------------------------------------------------

    def _record(self, item: Mapping[str, Any]) -> Record:
        same = self._same
        record: Record = {"id": str(item["id"]), "updated_ts": item.get("updated_ts")}
        for attribute in item.get("attributes") or ():
            if not isinstance(attribute, dict) or not isinstance(attribute.get("name"), str):
                continue
            scope, name, value = attribute.get("scope") or OWN_SCOPE, attribute["name"], attribute.get("value")
            if scope in self._scopes or (scope, name) in self._wanted:
                # moments are all different
                if isinstance(value, str) and scope != "system":
                    value = same.setdefault(value, value)
                record.setdefault(same.setdefault(scope, scope), {})[same.setdefault(name, name)] = value
        return record


def _by_id(
    first: Answer, total: int, ask: Callable[[Sequence[Term]], Answer], keep: Callable[[Record], Any]
) -> dict[str, Any]:
    """Return what is to be kept of the devices of a list that is sorted by id, by id.

    Args:
        first: its first page.
        total: how many devices it has.
        ask: returns the first page of those that fulfil further conditions.
        keep: makes of a device what is kept.

    Raises:
        _NotInOrder: the server does not sort or select so.
    """

    def taken(answer: Answer, kind: str, start: str, end: str | None) -> dict[str, Any]:
        """Return the devices of a page, all of which must be where they were asked for."""
        found: dict[str, Any] = {}
        last = start
        for id, item in devices_of(answer):
            again = id == last and (found or kind == "$gt")
            if id < last or again or (end is not None and id >= end):
                raise _NotInOrder
            found[id] = keep(item)
            last = id
        return found

    def whole(limits: tuple[str, str, str | None]) -> dict[str, Any]:
        """Return a range of ids."""
        kind, start, end = limits
        until = [] if end is None else [{**ID, "type": "$lt", "value": end}]
        found: dict[str, Any] = {}
        while True:
            answer = ask([{**ID, "type": kind, "value": start}, *until])
            page = taken(answer, kind, start, end)
            found.update(page)
            left = total_of(answer)
            if not page or (left is not None and len(page) >= left):
                return found
            kind, start = "$gt", next(reversed(page))

    found = taken(first, "$gte", "", None)
    if not found:
        raise _NotInOrder
    last = next(reversed(found))
    count = min(PARALLEL, -(-(total - len(found)) // PAGE))
    # ids are random UUIDs, as a rule; of others it is fewer ranges, and one of them larger
    cuts = [cut for cut in (f"{number * 0x10000 // count:04x}" for number in range(1, count)) if cut > last]
    ranges = list(zip(["$gt", *["$gte"] * len(cuts)], [last, *cuts], [*cuts, None]))
    with ThreadPoolExecutor(max_workers=len(ranges)) as pool:
        for part in pool.map(whole, ranges):
            found.update(part)
    return found


def _as_listed(item: Mapping[str, Any]) -> Record:
    """Return what the admission tells of a device in the form of the inventory."""
    told = item.get("identity_data")
    identity = {**(told if isinstance(told, dict) else {}), "status": item.get("status")}
    attributes = [{"scope": "identity", "name": name, "value": value} for name, value in identity.items()]
    moments = [name for name in ("created_ts", "check_in_time") if item.get(name)]
    attributes += [{"scope": "system", "name": name, "value": item[name]} for name in moments]
    return {"id": item["id"], "updated_ts": item.get("updated_ts"), "attributes": attributes}


def id_attribute(api: Api) -> Key | None:
    """Return scope and name of the attribute that Mender's web interface calls devices by; None for the id."""
    found = api.send(READ_SETTINGS, shape=dict).data.get("id_attribute")
    if isinstance(found, str):
        # older releases
        found = {"scope": "identity", "attribute": found}
    if not isinstance(found, dict) or not isinstance(found.get("attribute"), str):
        return None
    scope, name = str(found.get("scope") or "identity"), found["attribute"]
    return (
        None if not name or (scope, name.lower()) in (("identity", "id"), ("identity", "device id")) else (scope, name)
    )


def key_of(text: str) -> Key:
    """Return scope and name of an attribute that is written as C(name), for one of the inventory, or C(scope/name)."""
    scope, _slash, name = text.partition("/")
    return (scope, name) if name and scope in SCOPES else (OWN_SCOPE, text)


def written(scope: str, name: str) -> str:
    """Return how an attribute is written; no attribute that a device makes up is written as one of another scope."""
    return name if scope == OWN_SCOPE and key_of(name) == (OWN_SCOPE, name) else f"{scope}/{name}"


def _no_search(option: str) -> Unsupported:
    return Unsupported(
        f"{option} is given, but this Mender server has no search of devices: select by only_groups and statuses, and "
        "make groups by group_by or keyed_groups."
    )


def _blamed(error: FleetError, option: str) -> InvalidInput:
    """Return the error of refused filters as one that names the option."""
    words = error.message.rstrip(".")
    return InvalidInput(
        f"{option} Mender refuses ({words}): each is a dictionary of scope, attribute, type and value, as in the "
        "search of Mender's inventory API.",
        message=error.message,
        details=error.details,
        http=error.http,
        request_id=error.request_id,
    )
