# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of the Management API that have a name (or key) of their own: tags, types, target filters.

Private to the collection. Facts from releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .api import ROOT, Api

# How many names a message lists.
SHOWN = 10
MAX_COLOUR = 16


class Named:
    """One kind of object.

    Args:
        api: where they are.
        noun: what they are called in messages.
        collection: last part of their path.
        key: the field that identifies one.
        in_list: whether the API wants and returns a list when one is created.
        since: the release that brought them, for messages; None for all.
    """

    def __init__(
        self, api: Api, noun: str, collection: str, *, key: str = "name", in_list: bool = True, since: str | None = None
    ) -> None:
        path = f"{ROOT}/{collection}"
        self.api = api
        self.noun = noun
        self.key = key
        self.in_list = in_list
        self.since = since
        self.list_operation = reads(f"list {noun}s", "GET", path)
        self.read_operation = reads(f"read {noun}", "GET", f"{path}/{{id}}")
        self.create_operation = writes(f"create {noun}", "POST", path)
        self.update_operation = writes(f"update {noun}", "PUT", f"{path}/{{id}}")
        self.delete_operation = writes(f"delete {noun}", "DELETE", f"{path}/{{id}}")

    def find(self, value: str) -> dict[str, Any] | None:
        """Return the object of this name or key, None when there is none.

        Raises:
            Unsupported: this release does not have such objects.
        """
        self.must_exist()
        for item in self.api.exact(self.list_operation, {self.key: value}, rsql.equals(self.key, value)):
            return self.get(item["id"])
        return None

    def must_exist(self) -> None:
        """Refuse a release that does not have such objects.

        Raises:
            Unsupported: names the release that brought them.
        """
        if self.since is None:
            return
        probe = self.api.transport.send(self.list_operation, query={"limit": 1}, accept=(404,), shape=dict)
        if probe.status == 404:
            raise Unsupported(f"This hawkBit has no {self.noun}s: they came with {self.since}.")

    def require(self, value: str, option: str) -> dict[str, Any]:
        """Return the object of this name or key.

        Raises:
            InvalidInput: there is none; the message lists what there is.
        """
        found = self.find(value)
        if found is not None:
            return found
        names = [str(item[self.key]) for item in self.api.pages(self.list_operation, limit=SHOWN)]
        there = f"there are {', '.join(names)}" if names else "there is none at all"
        raise InvalidInput(f"{option} is '{value}', but hawkBit has no such {self.noun}: {there}.")

    def get(self, id: int) -> dict[str, Any] | None:
        """Return an object by its id, None when there is none."""
        answer = self.api.transport.send(self.read_operation, values={"id": id}, accept=(404,), shape=dict)
        # types that were in use are only hidden
        return None if answer.status == 404 or answer.data.get("deleted") else answer.data

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object and return it."""

        def read_back() -> Any:
            found = self.find(str(body[self.key]))
            return NOT_DONE if found is None else ([found] if self.in_list else found)

        sent = [dict(body)] if self.in_list else dict(body)
        shape = list if self.in_list else dict
        answer = self.api.transport.send(self.create_operation, json=sent, shape=shape, read_back=read_back)
        created: dict[str, Any] = answer.data[0] if self.in_list else answer.data
        return created

    def update(self, id: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change fields of an object and return it."""

        def read_back() -> Any:
            found = self.get(id) or {}
            return found if all((found.get(name) or "") == value for name, value in body.items()) else NOT_DONE

        self.api.transport.send(self.update_operation, values={"id": id}, json=dict(body), read_back=read_back)
        return self.get(id) or {}

    def delete(self, id: int) -> None:
        """Remove an object."""

        def read_back() -> Any:
            return {} if self.get(id) is None else NOT_DONE

        self.api.transport.send(self.delete_operation, values={"id": id}, accept=(404,), read_back=read_back)

    def plan(self, value: str, wanted: Mapping[str, Any], found: Mapping[str, Any] | None, present: bool) -> Plan:
        """Return the plan for one object.

        Args:
            value: its name or key.
            wanted: its fields in the API's words; None means that a field does not matter.
            found: what there is.
            present: whether it is to exist.
        """
        # the server cuts blanks off the ends
        fields = {
            name: field.strip() if isinstance(field, str) else field
            for name, field in wanted.items()
            if field is not None
        }
        if not present:
            shown = {name: found.get(name) for name in fields} or {self.key: value} if found else {}
            return Plan(delete=[Change(value, before=shown)] if found else [])
        if found is None:
            return Plan(create=[Change(value, after={self.key: value, **fields})])
        # an empty field is absent from the answer
        change = {name: field for name, field in fields.items() if (found.get(name) or "") != field}
        before = {name: found.get(name) for name in change}
        return Plan(update=[Change(value, before, change)] if change else [])

    def apply(self, plan: Plan, found: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Carry out a plan and return the object as it is then, None when it is gone."""
        if plan.delete and found is not None:
            self.delete(found["id"])
            return None
        if plan.create:
            return self.create(plan.create[0].after)
        if plan.update and found is not None:
            return self.update(found["id"], plan.update[0].after)
        return dict(found) if found is not None else None


def check_colour(colour: str | None) -> None:
    """Refuse a colour that the server would refuse.

    Raises:
        InvalidInput: it is too long.
    """
    if colour is not None and len(colour) > MAX_COLOUR:
        raise InvalidInput(f"colour is {len(colour)} characters long: {MAX_COLOUR} is the most.")


def target_tags(api: Api) -> Named:
    """Return the tags of targets."""
    return Named(api, "target tag", "targettags")


def distribution_set_tags(api: Api) -> Named:
    """Return the tags of distribution sets."""
    return Named(api, "distribution set tag", "distributionsettags")


def target_types(api: Api) -> Named:
    """Return the types of targets."""
    return Named(api, "target type", "targettypes", since="0.3.0M8")


def target_filters(api: Api) -> Named:
    """Return the saved queries."""
    return Named(api, "target filter", "targetfilters", in_list=False)
