# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit targets: reading, planning, writing. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/targets) (0.3.x) and releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import Conflict, FleetError, InvalidInput
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .api import PARALLEL, ROOT, Api

LIST = reads("list targets", "GET", f"{ROOT}/targets")
READ = reads("read target", "GET", f"{ROOT}/targets/{{controller_id}}")
CREATE = writes("create targets", "POST", f"{ROOT}/targets")
UPDATE = writes("update target", "PUT", f"{ROOT}/targets/{{controller_id}}")
DELETE = writes("delete target", "DELETE", f"{ROOT}/targets/{{controller_id}}")

# The server takes any number in one request and all or none of them; smaller ones keep a repeat cheap.
CREATE_CHUNK = 500
# option -> field of the API
FIELDS = {"name": "name", "description": "description", "address": "address"}
LENGTHS = {"controller_id": 256, "name": 128, "description": 512, "address": 512, "security_token": 128}
HIDDEN_FIELD = "securityToken"
HIDDEN = "(not shown)"
_MARKUP = re.compile(r"<[^>]+>")


@dataclass
class TargetPlan(Plan):
    """A plan with the bodies of its requests, which may hold security tokens and so stay out of the diff."""

    create_bodies: list[dict[str, Any]] = field(default_factory=list)
    update_bodies: dict[str, dict[str, Any]] = field(default_factory=dict)

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

    def plan_present(self, wanted: list[Mapping[str, Any]], overwrite_token: bool = False) -> TargetPlan:
        """Plan to make targets as wanted.

        Args:
            wanted: C(controller_id) and what else is given of name, description, address, security_token.
            overwrite_token: whether existing targets get the token as well.
        """
        check(wanted)
        found = self._find_raw(item["controller_id"] for item in wanted)
        plan = TargetPlan()
        for item in wanted:
            controller_id = item["controller_id"]
            body = {FIELDS[name]: item[name] for name in FIELDS if item.get(name) is not None}
            token = item.get("security_token")
            present = found.get(controller_id)
            if present is None:
                shown = {"name": controller_id, **body, **({"security_token": HIDDEN} if token else {})}
                plan.create.append(Change(controller_id, after=shown))
                secret = {HIDDEN_FIELD: token} if token else {}
                plan.create_bodies.append({"controllerId": controller_id, "name": controller_id, **body, **secret})
                continue
            # an empty field is absent from the answer
            change = {name: value for name, value in body.items() if (present.get(name) or "") != value}
            before = {name: present.get(name) for name in change}
            after: dict[str, Any] = dict(change)
            if token and overwrite_token and present.get(HIDDEN_FIELD) != token:
                change[HIDDEN_FIELD] = token
                before["security_token"], after["security_token"] = HIDDEN, f"{HIDDEN}, changed"
            if change:
                plan.update.append(Change(controller_id, before, after))
                plan.update_bodies[controller_id] = change
        return plan

    def plan_absent(self, controller_ids: list[str]) -> TargetPlan:
        """Plan to remove targets."""
        check([{"controller_id": controller_id} for controller_id in controller_ids])
        found = self.find(controller_ids)
        return TargetPlan(
            delete=[
                Change(controller_id, before=_shown(found[controller_id]))
                for controller_id in controller_ids
                if controller_id in found
            ]
        )

    def apply(self, plan: TargetPlan) -> None:
        """Carry out a plan: creates in bulk, updates and removals a few at a time (the API has no bulk for them).

        Raises:
            FleetError: what went wrong, with C(changed) when something had been written before.
        """
        written: list[str] = []

        def update(item: tuple[str, dict[str, Any]]) -> None:
            self._update(*item)
            written.append(item[0])

        def delete(change: Change) -> None:
            self._delete(change.key)
            written.append(change.key)

        try:
            for start in range(0, len(plan.create_bodies), CREATE_CHUNK):
                bodies = plan.create_bodies[start : start + CREATE_CHUNK]
                self._create(bodies)
                written += [body["controllerId"] for body in bodies]
            with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
                for _done in pool.map(update, plan.update_bodies.items()):
                    pass
                for _done in pool.map(delete, plan.delete):
                    pass
        except FleetError as error:
            error.result.setdefault("changed", bool(written))
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
                    self._update(body["controllerId"], {k: v for k, v in body.items() if k != "controllerId"})

    def _update(self, controller_id: str, body: dict[str, Any]) -> None:
        def read_back() -> Any:
            target = self.get(controller_id, with_secret=True) or {}
            # a token that the user may not see cannot be compared: setting it again does no harm
            same = all((target.get(name) or "") == value for name, value in body.items())
            return without_secret(target) if same else NOT_DONE

        self.api.transport.send(
            UPDATE, values={"controller_id": controller_id}, json=body, shape=dict, read_back=read_back
        )

    def _delete(self, controller_id: str) -> None:
        def read_back() -> Any:
            return {} if self.get(controller_id) is None else NOT_DONE

        self.api.transport.send(DELETE, values={"controller_id": controller_id}, accept=(404,), read_back=read_back)

    def _raw(self, query: str | None, sort: str | None = None, limit: int | None = None) -> Iterator[dict[str, Any]]:
        return self.api.pages(LIST, query=query, sort=sort, limit=limit)

    def _find_raw(self, controller_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        ids = dict.fromkeys(controller_ids)
        found = {}
        for query in rsql.any_of("controllerid", ids):
            for item in self._raw(query):
                # RSQL ignores case, ids do not
                if item["controllerId"] in ids:
                    found[item["controllerId"]] = item
        return found


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
        if re.search(r"[/\\;%]", controller_id) or controller_id in (".", ".."):
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
            if value == "" and name in ("name", "security_token"):
                raise InvalidInput(f"{name} of target '{controller_id}' is empty: give at least one character.")
            if name != "address" and _MARKUP.search(value):
                raise InvalidInput(
                    f"{name} of target '{controller_id}' looks like HTML, which hawkBit refuses: leave out the <>."
                )


def _shown(target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: target[field] for name, field in FIELDS.items() if target.get(field)}
