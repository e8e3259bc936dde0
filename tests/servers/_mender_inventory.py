"""Devices of the simulated Mender server: inventory, groups, search, admission. Made for 100,000 of them."""

from __future__ import annotations

import bisect
import functools
import operator
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from servers._mender_http import Refusal, dumps, stamp

__all__ = ["DEVICE_STATUSES", "GROUP_NAME", "SCOPES", "Device", "Inventory", "Key", "Term", "place"]

SCOPES = ("identity", "inventory", "system", "monitor", "tags")
DEVICE_STATUSES = ("pending", "accepted", "rejected", "preauthorized", "noauth")
GROUP_NAME = re.compile(r"[A-Za-z0-9_-]{1,1024}")
ID = ("identity", "id")
Key = tuple[str, str]
# per_page of a search has no limit up to 4.1.3; nobody can mean more than this
SEARCH_DEFAULT = 20


@functools.lru_cache(maxsize=200_000)
def _fragment(scope: str, name: str, text: str) -> str:
    return f'{{"name":{dumps(name)},"value":{text},"scope":"{scope}"}}'


@functools.lru_cache(maxsize=200_000)
def _text(value: str | float) -> str:
    return dumps(value)


class Device:
    """A device as inventory and admission know it; `shared` attributes belong to many devices."""

    __slots__ = ("created", "group", "id", "own", "rendered", "revision", "shared", "status", "tags_changed", "updated")

    def __init__(self, name: str, status: str, group: str, shared: Mapping[Key, Any], moment: float) -> None:
        self.id = name
        self.status = status
        self.group = group
        self.shared = shared
        self.own: dict[Key, Any] | None = None
        self.created = self.updated = moment
        self.revision = 0
        self.tags_changed = moment
        self.rendered: dict[Any, str] | None = None

    def get(self, key: Key) -> Any:
        """The value of an attribute; None if the device has none of that name."""
        scope, name = key
        if scope == "identity" and name in ("id", "status"):
            return self.id if name == "id" else self.status
        if scope == "system":
            if name == "group":
                return self.group or None
            if name in ("created_ts", "updated_ts"):
                return stamp(self.created if name == "created_ts" else self.updated)
        if self.own is not None and key in self.own:
            return self.own[key]
        return self.shared.get(key)

    def set(self, changes: Mapping[Key, Any]) -> None:
        """Change attributes; None removes one."""
        self.own = {**(self.own or {}), **changes}
        self.updated = time.time()
        self.rendered = None
        self.revision += 1

    def names(self) -> list[Key]:
        """The names of all its attributes."""
        found: list[Key] = [("identity", "status")]
        found += [key for key in {**self.shared, **(self.own or {})} if self.get(key) is not None]
        found += [("system", "group")] if self.group else []
        return [*found, ("system", "created_ts"), ("system", "updated_ts")]

    def json(self, selected: tuple[Key, ...] | None) -> str:
        """The device as JSON with all or the selected attributes."""
        if self.rendered is None:
            self.rendered = {}
        text = self.rendered.get(selected)
        if text is None:
            keys = self.names() if selected is None else [*selected, ("system", "updated_ts")]
            values = ((key, self.get(key)) for key in dict.fromkeys(keys))
            attributes = ",".join(
                _fragment(*key, _text(value) if isinstance(value, (str, int, float)) else dumps(value))
                for key, value in values
                if value is not None
            )
            text = f'{{"id":"{self.id}","attributes":[{attributes}],"updated_ts":"{stamp(self.updated)}"}}'
            self.rendered[selected] = text
        return text

    def admission(self) -> dict[str, Any]:
        """The device as the admission interface shows it."""
        mac = self.get(("identity", "mac"))
        identity = {"mac": mac} if mac else {"serial": self.id}
        return {
            "id": self.id,
            "identity_data": identity,
            "status": self.status,
            "created_ts": stamp(self.created),
            "updated_ts": stamp(self.updated),
            "auth_sets": [
                {
                    "id": f"{self.id[:-4]}{'a' * 4}",
                    "pubkey": "-----BEGIN PUBLIC KEY-----\nsimulated\n-----END PUBLIC KEY-----\n",
                    "identity_data": identity,
                    "status": self.status,
                    "ts": stamp(self.created),
                }
            ],
            "decommissioning": False,
        }


def _same_kind(one: Any, two: Any) -> bool:
    return isinstance(one, str) == isinstance(two, str)


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(found: Any, wanted: Any) -> bool:
        values = found if isinstance(found, list) else [found]
        return any(value is not None and _same_kind(value, wanted) and test(value, wanted) for value in values)

    return check


def _equal(found: Any, wanted: Any) -> bool:
    return bool(found == wanted) or (isinstance(found, list) and wanted in found)


def _is_in(found: Any, wanted: Any) -> bool:
    return any(_equal(found, value) for value in wanted)


def _matches(found: Any, wanted: str) -> bool:
    # "/text/i" carries flags, and everything is anchored at the beginning
    form = re.fullmatch(r"/(.*)/([a-z]*)", wanted)
    text, flags = (form[1], form[2]) if form else (wanted, "")
    values = found if isinstance(found, list) else [found]
    pattern = re.compile(text, re.IGNORECASE if "i" in flags else 0)
    return any(isinstance(value, str) and pattern.match(value) for value in values)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda found, wanted: not _equal(found, wanted),
    "$gt": _compare(operator.gt),
    "$gte": _compare(operator.ge),
    "$lt": _compare(operator.lt),
    "$lte": _compare(operator.le),
    "$ltne": lambda found, wanted: not _equal(found, wanted),
    "$in": _is_in,
    "$nin": lambda found, wanted: not _is_in(found, wanted),
    "$exists": lambda found, wanted: (found is not None) == bool(wanted),
    "$regex": _matches,
}


class Term:
    """One condition of a search."""

    __slots__ = ("check", "key", "kind", "value")

    def __init__(self, raw: Any) -> None:
        if not isinstance(raw, dict):
            raise Refusal(400, "failed to decode request body: filters must be objects")
        self.key: Key = (str(raw.get("scope", "")), str(raw.get("attribute", "")))
        self.kind = str(raw.get("type", ""))
        self.value: Any = raw.get("value")
        if self.key[0] not in SCOPES or not self.key[1] or self.kind not in OPERATORS:
            raise Refusal(400, "failed to decode request body: filters: scope, attribute or type is not valid")
        if self.kind in ("$in", "$nin") and not isinstance(self.value, list):
            raise Refusal(400, f"failed to decode request body: {self.kind} needs an array")
        if self.kind == "$regex":
            try:
                re.compile(str(self.value))
            except re.error as error:
                raise Refusal(400, f"failed to decode request body: {error}") from None
        self.check = OPERATORS[self.kind]

    def holds(self, device: Device) -> bool:
        """Whether the device fulfils it."""
        return self.check(device.get(self.key), self.value)

    @property
    def is_range_of_ids(self) -> bool:
        """Whether it cuts the devices that are sorted by id."""
        return self.key == ID and self.kind in ("$gt", "$gte", "$lt", "$lte") and isinstance(self.value, str)


class Inventory:
    """All devices of the server. `key_set`: whether it knows the attribute identity/id.

    `unstable`: a list that is asked for without an order comes in another one each time, as real ones may.
    """

    def __init__(self, key_set: bool) -> None:
        self.devices: dict[str, Device] = {}
        self.unstable = False
        self._key_set = key_set
        self._generation = 0
        self._random = random.Random(4)
        self._found: dict[Any, tuple[int, list[Device], list[str]]] = {}

    # -- changes -------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Forget what was found: a device has changed."""
        self._generation += 1

    def add(
        self,
        ids: int | Iterable[str],
        shared: Mapping[Key, Any],
        own: Callable[[int, str], Mapping[Key, Any]] | None = None,
        status: str = "accepted",
        group: str = "",
    ) -> list[str]:
        """Add devices, so many or with these ids; returns the ids. `own` gives each its own attributes."""
        names = [self._new_id() for _dummy in range(ids)] if isinstance(ids, int) else list(ids)
        moment = time.time()
        for number, name in enumerate(names):
            device = Device(name, status, group, shared, moment)
            if own is not None:
                device.own = dict(own(number, name))
            self.devices[name] = device
        self.touch()
        return names

    def _new_id(self) -> str:
        # a UUID of version 4; making it by the class of the library takes ten times as long
        text = f"{self._random.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def change(self, name: str, changes: Mapping[Key, Any]) -> None:
        """Change attributes of a device."""
        self.devices[name].set(changes)
        self.touch()

    def remove(self, name: str) -> bool:
        """Remove a device; whether it was there."""
        self.touch()
        return self.devices.pop(name, None) is not None

    def set_group(self, names: Iterable[str], group: str, only: str | None = None) -> tuple[int, int]:
        """Put devices into a group ("" is none), with `only` those of that group; how many match and changed."""
        matched = changed = 0
        for name in names:
            device = self.devices.get(name)
            if device is None or (only is not None and device.group != only):
                continue
            matched += 1
            if device.group != group:
                changed += 1
                device.group, device.updated, device.rendered = group, time.time(), None
        self.touch()
        return matched, changed

    # -- questions -----------------------------------------------------------------------------------------

    def groups(self, status: str = "") -> list[str]:
        """Names of all groups that have a device."""
        return sorted(
            {device.group for device in self.devices.values() if device.group and status in ("", device.status)}
        )

    def members(self, group: str) -> list[str]:
        """Ids of the devices of a group."""
        return [device.id for device in self.devices.values() if device.group == group]

    def accepted(self, group: str = "") -> list[str]:
        """Ids of the accepted devices, of a group or all."""
        return [
            device.id
            for device in self.devices.values()
            if device.status == "accepted" and (not group or device.group == group)
        ]

    def search(self, body: Mapping[str, Any]) -> tuple[list[Device], int, tuple[Key, ...] | None]:
        """The devices of a page of a search, how many there are in all, and the attributes that are asked for."""
        terms = [Term(raw) for raw in _list(body, "filters")]
        orders = [_order(raw) for raw in _list(body, "sort")]
        ids = frozenset(_list(body, "device_ids", str)) or None
        devices, low, high = self._matching(terms, orders, ids, str(body.get("text") or ""))
        page, size = _count(body, "page", 1), _count(body, "per_page", SEARCH_DEFAULT)
        selected = tuple((str(raw.get("scope")), str(raw.get("attribute"))) for raw in _list(body, "attributes", dict))
        start = low + (page - 1) * size
        return devices[start : min(start + size, high)], max(high - low, 0), selected or None

    def matches(self, terms: Sequence[Mapping[str, Any]], name: str) -> bool:
        """Whether a device fulfils the conditions of a saved filter."""
        device = self.devices.get(name)
        return device is not None and all(Term(raw).holds(device) for raw in terms)

    def unordered(self, devices: list[Device]) -> list[Device]:
        """The devices of a list for which no order was asked."""
        return self._random.sample(devices, len(devices)) if self.unstable else devices

    def _matching(
        self, terms: list[Term], orders: list[tuple[Key, bool]], ids: frozenset[str] | None, text: str
    ) -> tuple[list[Device], int, int]:
        """The devices that fulfil all in the order wanted, and from where to where of this list they are.

        A range of ids cuts a list that is sorted by id and kept until a device changes, so that each page of a
        long walk costs the same.
        """
        by_id = self._key_set and orders == [(ID, False)]
        cuts = [term for term in terms if by_id and term.is_range_of_ids]
        rest = [term for term in terms if term not in cuts]
        if not self._key_set and any(term.key == ID for term in rest):
            # no device has an attribute of that name
            return [], 0, 0
        key = (tuple((*t.key, t.kind, dumps(t.value)) for t in rest), tuple(orders), ids, text)
        kept = self._found.get(key)
        if kept is None or kept[0] != self._generation:
            found = [device for device in self._candidates(ids) if all(term.holds(device) for term in rest)]
            if text:
                found = [device for device in found if text.lower() in device.json(None).lower()]
            for name, backwards in reversed(orders):
                if name != ID or self._key_set:
                    found.sort(key=functools.partial(place, name), reverse=backwards)
            self._found = {other: entry for other, entry in self._found.items() if entry[0] == self._generation}
            kept = self._found[key] = (self._generation, found, [device.id for device in found] if by_id else [])
        _generation, found, names = kept
        found = found if orders else self.unordered(found)
        low, high = 0, len(found)
        for cut in cuts:
            after = cut.kind in ("$gt", "$lte")
            where = bisect.bisect_right(names, cut.value) if after else bisect.bisect_left(names, cut.value)
            low, high = (max(low, where), high) if cut.kind in ("$gt", "$gte") else (low, min(high, where))
        return found, low, high

    def _candidates(self, ids: frozenset[str] | None) -> Iterable[Device]:
        if ids is None:
            return self.devices.values()
        return [self.devices[name] for name in self.devices if name in ids]

    def attribute_names(self) -> list[dict[str, Any]]:
        """The names of attributes and how often each occurs, in a sample of 5,000 devices; at most 500."""
        counts: dict[Key, int] = {}
        for _number, device in zip(range(5000), self.devices.values(), strict=False):
            for key in device.names():
                counts[key] = counts.get(key, 0) + 1
        order = sorted(counts.items(), key=lambda entry: (entry[0][0], -entry[1], entry[0][1]))
        return [{"name": name, "scope": scope, "count": count} for (scope, name), count in order[:500]]


def _list(body: Mapping[str, Any], name: str, kind: type[Any] = object) -> list[Any]:
    found = body.get(name)
    if found is not None and not (isinstance(found, list) and all(isinstance(one, kind) for one in found)):
        raise Refusal(400, f"failed to decode request body: json: cannot unmarshal into Go struct field {name}")
    return found or []


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    found = body.get(name)
    if found in (None, 0):
        return default
    if not isinstance(found, int) or found < 0:
        raise Refusal(400, f"failed to decode request body: {name} must be a positive number")
    return found


def _order(raw: Any) -> tuple[Key, bool]:
    if not isinstance(raw, dict) or raw.get("order") not in ("asc", "desc"):
        raise Refusal(400, "failed to decode request body: sort: order must be asc or desc")
    return (str(raw.get("scope")), str(raw.get("attribute"))), raw["order"] == "desc"


def place(key: Key, device: Device) -> tuple[int, Any]:
    """Where an attribute puts a device in a sorted list; without it in front."""
    value = device.get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, (int, float)) else (2, str(value))
