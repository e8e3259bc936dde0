# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit targets: reading, planning, writing. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/targets) (0.3.x) and releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import Conflict, FleetError, InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .api import MODERN, PAGE, PARALLEL, ROOT, Api, askable
from .named import target_types
from .versioned import MARKUP

LIST = reads("list targets", "GET", f"{ROOT}/targets")
READ = reads("read target", "GET", f"{ROOT}/targets/{{controller_id}}")
CREATE = writes("create targets", "POST", f"{ROOT}/targets")
UPDATE = writes("update target", "PUT", f"{ROOT}/targets/{{controller_id}}")
DELETE = writes("delete target", "DELETE", f"{ROOT}/targets/{{controller_id}}")
# An update does not change the group.
SET_GROUP = writes("set group of targets", "PUT", f"{ROOT}/targetgroups/assigned")
CLEAR_GROUP = writes("take targets out of their groups", "DELETE", f"{ROOT}/targetgroups/assigned")

# The server takes any number in one request and all or none of them; smaller ones keep a repeat cheap.
CREATE_CHUNK = 500
# option -> field of the API
FIELDS = {"name": "name", "description": "description", "address": "address"}
LENGTHS = {
    "controller_id": 256,
    "name": 128,
    "description": 512,
    "address": 512,
    "security_token": 128,
    "group": 256,
}
# What takes the type from a target.
NO_TYPE = -1
# What stands in a request for a field that is absent from the answer; an empty text for the others.
EMPTY = {"targetType": NO_TYPE}
HIDDEN_FIELD = "securityToken"
HIDDEN = "(not shown)"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# what java.net.URI does not take, which reads addresses up to 0.9
_NO_URI = re.compile(r"[\s<>\"{}|\\^`]")


@dataclass
class TargetPlan(Plan):
    """A plan with the bodies of its requests, which may hold security tokens and so stay out of the diff."""

    create_bodies: list[dict[str, Any]] = field(default_factory=list)
    update_bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    """Ids of existing targets by the group that they come to; the empty one for none."""

    def summary(self) -> dict[str, list[str]]:
        """Return the ids that are created, updated and removed."""
        return {
            "created": [change.key for change in self.create],
            "updated": [change.key for change in self.update],
            "removed": [change.key for change in self.delete],
        }


class Targets:
    """The targets of a tenant. What it returns never holds a security token unless asked for."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def search(
        self, query: str | None = None, sort: str | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield targets in the server's order, each once, though paging may show one twice while devices register."""
        seen: set[str] = set()
        for item in self._raw(query, sort, limit):
            if item["controllerId"] not in seen:
                seen.add(item["controllerId"])
                yield without_secret(item)

    def count(self, query: str | None = None) -> int:
        """Return how many targets a query finds."""
        return self.api.count(LIST, query=query)

    def get(self, controller_id: str, with_secret: bool = False) -> dict[str, Any] | None:
        """Return one target with its poll status, None when the server does not know it."""
        answer = self.api.transport.send(READ, values={"controller_id": controller_id}, accept=(404,), shape=dict)
        if answer.status == 404:
            return None
        return answer.data if with_secret else without_secret(answer.data)

    def find(self, controller_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the targets among these ids that exist, by id."""
        return {controller_id: without_secret(item) for controller_id, item in self._find_raw(controller_ids).items()}

    def find_with_secrets(self, controller_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The same, with their security tokens as far as the user may see them."""
        return self._find_raw(controller_ids)

    def type_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of target types by name or key; the empty name stands for none.

        Raises:
            InvalidInput: there is no such type; the message lists what there is.
            Unsupported: this release has no target types.
        """
        types = target_types(self.api)
        found: dict[str, int] = {}
        for name in names:
            if not name:
                found[name] = NO_TYPE
                continue
            one = types.find(name)
            if one is None:
                # few have a key, and 0.3.0 cannot be asked for it
                keyed = (item for item in self.api.pages(types.list_operation) if item.get("key") == name)
                one = next(keyed, None) or types.require(name, "target_type")
            found[name] = int(one["id"])
        return found

    def require_groups(self) -> None:
        """Refuse where targets cannot be put into groups.

        Raises:
            Unsupported: this release has no groups.
        """
        if self.api.generation != MODERN:
            raise Unsupported("group needs hawkBit 0.10 or newer: leave it out, or use tags.")

    def plan_present(
        self,
        wanted: list[Mapping[str, Any]],
        overwrite_token: bool = False,
        *,
        found: Mapping[str, Mapping[str, Any]] | None = None,
        types: Mapping[str, int] | None = None,
        more: Mapping[str, Change] | None = None,
    ) -> TargetPlan:
        """Plan to make targets as wanted.

        Args:
            wanted: C(controller_id) and what else is given of name, description, address, security_token, target_type
                and group.
            overwrite_token: whether existing targets get the token as well.
            found: those of them that exist, from C(find_with_secrets); read if not given.
            types: ids of the target types that are wanted, from C(type_ids).
            more: what else changes of a target, for the diff.
        """
        check(wanted)
        if found is None:
            found = self._find_raw(item["controller_id"] for item in wanted)
        plan = TargetPlan()
        for item in wanted:
            controller_id = item["controller_id"]
            also = (more or {}).get(controller_id, Change(controller_id))
            # the server cuts blanks off the ends too
            texts = {name: item[name].strip() for name in FIELDS if item.get(name) is not None}
            token = (item.get("security_token") or "").strip()
            group = None if item.get("group") is None else item["group"].strip()
            type_name = item.get("target_type")
            type_id = None if type_name is None else (types or {})[type_name]
            present = found.get(controller_id)
            self._check_texts(controller_id, texts, new=present is None)
            if present is None:
                body = {FIELDS[name]: text for name, text in texts.items()}
                shown = {"name": controller_id, **texts}
                if token:
                    body[HIDDEN_FIELD], shown["security_token"] = token, HIDDEN
                if group:
                    body["group"] = shown["group"] = group
                if type_name:
                    body["targetType"], shown["target_type"] = type_id, type_name
                plan.create.append(Change(controller_id, after={**shown, **also.after}))
                plan.create_bodies.append({"controllerId": controller_id, "name": controller_id, **body})
                continue
            # an empty field is absent from the answer
            changed = [name for name, text in texts.items() if (present.get(FIELDS[name]) or "") != text]
            body = {FIELDS[name]: texts[name] for name in changed}
            before = {name: present.get(FIELDS[name]) for name in changed}
            after: dict[str, Any] = {name: texts[name] for name in changed}
            if token and overwrite_token and present.get(HIDDEN_FIELD) != token:
                body[HIDDEN_FIELD] = token
                before["security_token"], after["security_token"] = HIDDEN, f"{HIDDEN}, changed"
            if type_id is not None and present.get("targetType", NO_TYPE) != type_id:
                body["targetType"] = type_id
                before["target_type"], after["target_type"] = present.get("targetTypeName"), type_name or None
            if group is not None and (present.get("group") or "") != group:
                plan.groups.setdefault(group, []).append(controller_id)
                before["group"], after["group"] = present.get("group"), group or None
            if body:
                plan.update_bodies[controller_id] = body
            before, after = {**before, **also.before}, {**after, **also.after}
            if before or after:
                plan.update.append(Change(controller_id, before, after))
        return plan

    def _check_texts(self, controller_id: str, texts: Mapping[str, str], new: bool) -> None:
        """Refuse what depends on the server, and on whether the target is new."""
        if new and "name" not in texts and len(controller_id) > LENGTHS["name"]:
            raise InvalidInput(
                f"name of target '{controller_id}' is missing: its id, which would be the name, has "
                f"{len(controller_id)} characters, and {LENGTHS['name']} is the most."
            )
        address = texts.get("address")
        if address and _NO_URI.search(address) and self.api.generation != MODERN:
            raise InvalidInput(
                f"address of target '{controller_id}' is '{address}': give a URI, such as http://192.0.2.7."
            )

    def plan_absent(self, controller_ids: list[str]) -> TargetPlan:
        """Plan to remove targets."""
        check([{"controller_id": controller_id} for controller_id in controller_ids])
        found = self.find(controller_ids)
        return TargetPlan(delete=removal(found[one] for one in controller_ids if one in found))

    def apply(self, plan: TargetPlan) -> None:
        """Carry out a plan: creates in bulk, updates and removals a few at a time (the API has no bulk for them).

        Raises:
            FleetError: what went wrong, with C(changed) when something had been written before.
        """
        written: list[str] = []

        def create(bodies: list[dict[str, Any]]) -> None:
            self._create(bodies)
            written.extend(body["controllerId"] for body in bodies)

        def update(item: tuple[str, dict[str, Any]]) -> None:
            self._update(*item)
            written.append(item[0])

        def delete(change: Change) -> None:
            self._delete(change.key)
            written.append(change.key)

        try:
            with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
                starts = range(0, len(plan.create_bodies), CREATE_CHUNK)
                for _done in pool.map(create, [plan.create_bodies[start : start + CREATE_CHUNK] for start in starts]):
                    pass
                for group, ids in plan.groups.items():
                    self._set_group(group, ids)
                    written += ids
                for _done in pool.map(update, plan.update_bodies.items()):
                    pass
                for _done in pool.map(delete, plan.delete):
                    pass
        except FleetError as error:
            error.result.setdefault("changed", bool(written))
            error.result["written"] = written
            raise

    def request_attributes(self, controller_ids: Iterable[str]) -> None:
        """Have devices send their attributes once more; asking twice does no harm."""
        body = {"requestAttributes": True}
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            for _done in pool.map(lambda controller_id: self._update(controller_id, body), controller_ids):
                pass

    def _create(self, bodies: list[dict[str, Any]]) -> None:
        ids = [body["controllerId"] for body in bodies]

        def read_back() -> Any:
            found = self.find(ids)
            return list(found.values()) if len(found) == len(ids) else NOT_DONE

        try:
            self.api.transport.send(CREATE, json=bodies, shape=list, read_back=read_back)
        except Conflict:
            # devices register themselves too: whatever came in between is updated instead
            found = self._find_raw(ids)
            if not found:
                raise
            rest = [body for body in bodies if body["controllerId"] not in found]
            if rest:
                self._create(rest)
            for body in bodies:
                if body["controllerId"] in found:
                    self._update(
                        body["controllerId"], {k: v for k, v in body.items() if k not in ("controllerId", "group")}
                    )
                    if "group" in body:
                        self._set_group(body["group"], [body["controllerId"]])

    def _update(self, controller_id: str, body: dict[str, Any]) -> None:
        def read_back() -> Any:
            target = self.get(controller_id, with_secret=True) or {}
            # a token that the user may not see cannot be compared: setting it again does no harm
            same = all((target.get(name) or EMPTY.get(name, "")) == value for name, value in body.items())
            return without_secret(target) if same else NOT_DONE

        self.api.transport.send(
            UPDATE, values={"controller_id": controller_id}, json=body, shape=dict, read_back=read_back
        )

    def _set_group(self, group: str, controller_ids: list[str]) -> None:
        """Put existing targets into a group, the empty one for none; the server ignores ids that it does not know."""
        operation = SET_GROUP if group else CLEAR_GROUP
        for start in range(0, len(controller_ids), CREATE_CHUNK):
            ids = controller_ids[start : start + CREATE_CHUNK]

            def read_back(ids: list[str] = ids) -> Any:
                found = self.find(ids).values()
                return {} if all((target.get("group") or "") == group for target in found) else NOT_DONE

            self.api.transport.send(operation, query={"group": group or None}, json=ids, read_back=read_back)

    def _delete(self, controller_id: str) -> None:
        def read_back() -> Any:
            return {} if self.get(controller_id) is None else NOT_DONE

        self.api.transport.send(DELETE, values={"controller_id": controller_id}, accept=(404,), read_back=read_back)

    def _raw(self, query: str | None, sort: str | None = None, limit: int | None = None) -> Iterator[dict[str, Any]]:
        return self.api.pages(LIST, query=query, sort=sort, limit=limit)

    def _find_raw(self, controller_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        ids = dict.fromkeys(controller_ids)
        queries: list[str] = list(rsql.any_of("controllerid", ids))
        if len(queries) > 1:
            queries = self._fewer(list(ids), queries)
        # RSQL ignores case, ids do not
        return {item["controllerId"]: item for item in self._each(queries) if item["controllerId"] in ids}

    def _fewer(self, ids: list[str], queries: list[str]) -> list[str]:
        """Return one query for all ids that begin as these do, where its pages are fewer than these queries.

        The ids of a fleet often begin alike, and a list of hundreds of ids is slow to search for.
        """
        first, last = min(ids), max(ids)
        alike = sum(1 for _pair in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
        begin = rsql.begins("controllerid", first[:alike])
        total = self.count(begin)
        if not total:
            return []
        return [begin] if -(-total // PAGE) < len(queries) else queries

    def _each(self, queries: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the targets that queries find, a few requests at a time."""
        if len(queries) == 1:
            # its pages are fetched in parallel; targets that register meanwhile come last
            yield from self._raw(queries[0], sort="id:ASC")
            return
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            for found in pool.map(lambda query: list(self._raw(query)), queries):
                yield from found


def without_secret(target: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target as the API has it, without its security token."""
    return {name: value for name, value in target.items() if name != HIDDEN_FIELD}


def check(wanted: Iterable[Mapping[str, Any]]) -> None:
    """Refuse what the server would refuse, before anything is written.

    Limits: Management API 0.3.0M7 to 1.1.0, the same in all.

    Raises:
        InvalidInput: names the option, the value and what would be right.
    """
    seen: set[str] = set()
    for item in wanted:
        controller_id = item["controller_id"]
        if not controller_id or re.search(r"\s", controller_id):
            raise InvalidInput(f"controller_id is '{controller_id}': give 1 to 256 characters without blanks.")
        if _CONTROL.search(controller_id):
            raise InvalidInput(f"controller_id is {controller_id!r}: give it without control characters.")
        if not askable(controller_id):
            raise InvalidInput(
                f"controller_id is '{controller_id}': hawkBit cannot be asked for ids with / \\ ; or % in them, nor "
                "for . and .., so give another one."
            )
        if controller_id in seen:
            raise InvalidInput(f"controller_id '{controller_id}' is given twice: list each target once.")
        seen.add(controller_id)
        for name, most in LENGTHS.items():
            value = item.get(name)
            if value is None:
                continue
            if len(value) > most:
                raise InvalidInput(f"{name} of '{controller_id}' is {len(value)} characters long: {most} is the most.")
            if not value.strip() and name in ("name", "security_token"):
                raise InvalidInput(f"{name} of target '{controller_id}' is empty: give at least one character.")
            if _CONTROL.search(value):
                raise InvalidInput(f"{name} of target '{controller_id}' holds control characters: leave them out.")
            if name != "address" and MARKUP.search(value):
                raise InvalidInput(
                    f"{name} of target '{controller_id}' looks like HTML, which hawkBit refuses: leave out the <>."
                )


def removal(targets: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return the part of a plan that removes existing targets.

    Raises:
        InvalidInput: one of them has an id that hawkBit cannot be asked to remove.
    """
    changes = []
    for target in targets:
        controller_id = target["controllerId"]
        if not askable(controller_id):
            raise InvalidInput(
                f"hawkBit cannot be asked to remove target '{controller_id}': ids with / \\ ; or % in them, and . and "
                ".., cannot stand in an address. Have the query leave it out."
            )
        shown = {name: target[field] for name, field in FIELDS.items() if target.get(field)}
        changes.append(Change(controller_id, before=shown or {"name": controller_id}))
    return changes
