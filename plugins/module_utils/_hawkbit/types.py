# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(hawkbit_type): types of targets, distribution sets and software modules. Private to the collection.

Facts from releases 0.3.0M7, 0.3.0, 0.9.0 and 1.0.4. Of a type of distribution sets or software modules only
description and colour change; what belongs to it can be changed until something of that type is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core.errors import Conflict, InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.task import Task
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .api import ROOT, SEED, Api
from .client import Hawkbit
from .named import Named, check_colour
from .versioned import LIST_SETS, check_texts, text_changes


@dataclass(frozen=True)
class Relation:
    """Types that belong to a type.

    Args:
        option: the option that lists their keys.
        field: the field of a new type for them.
        path: last part of their path below the type.
        kind: of which kind they are.
        in_list: whether they are added by a list of objects, or one by one.
    """

    option: str
    field: str
    path: str
    kind: str
    in_list: bool


@dataclass(frozen=True)
class Kind:
    """One kind of type.

    Args:
        noun: in messages.
        collection: last part of the path.
        since: the release that brought them, None for all.
        relations: what belongs to them.
        fixed: option and field of what counts only when they are created.
        renamed: whether the name can be changed.
    """

    noun: str
    collection: str
    since: str | None = None
    relations: tuple[Relation, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    renamed: bool = False

    @property
    def options(self) -> set[str]:
        """The options that only this kind has."""
        return {relation.option for relation in self.relations} | {option for option, _field in self.fixed}


KINDS = {
    "target": Kind(
        "target type",
        "targettypes",
        "0.3.0M8",
        (
            Relation(
                "compatible_distribution_set_types",
                "compatibledistributionsettypes",
                "compatibledistributionsettypes",
                "distribution_set",
                in_list=True,
            ),
        ),
        renamed=True,
    ),
    "distribution_set": Kind(
        "distribution set type",
        "distributionsettypes",
        relations=(
            Relation("mandatory_modules", "mandatorymodules", "mandatorymoduletypes", "software_module", in_list=False),
            Relation("optional_modules", "optionalmodules", "optionalmoduletypes", "software_module", in_list=False),
        ),
    ),
    "software_module": Kind(
        "software module type",
        "softwaremoduletypes",
        fixed=(("max_assignments", "maxAssignments"), ("min_artifacts", "minArtifacts")),
    ),
}
# in the order of the result
OWN_OPTIONS = (
    "compatible_distribution_set_types",
    "mandatory_modules",
    "optional_modules",
    "max_assignments",
    "min_artifacts",
)
LEAST = {"max_assignments": 1, "min_artifacts": 0}


class Types(Named):
    """The types of one kind. There are few, so they are listed whole."""

    def __init__(self, api: Api, kind: Kind) -> None:
        super().__init__(api, kind.noun, kind.collection, key="key", since=kind.since)
        self.kind = kind
        self._listed: list[dict[str, Any]] | None = None

    @property
    def listed(self) -> list[dict[str, Any]]:
        """All of them; read once."""
        if self._listed is None:
            self.must_exist()
            self._listed = list(self.api.pages(self.list_operation))
        return self._listed

    def find(self, value: str) -> dict[str, Any] | None:
        """Return the type of this key, None when there is none. Target types before 0.4 have only a name."""
        found = next((item for item in self.listed if item.get("key", item["name"]) == value), None)
        return None if found is None else self.get(found["id"])

    def ids(self, option: str, keys: list[str]) -> dict[str, int]:
        """Return the ids of these keys.

        Raises:
            InvalidInput: there is no such type.
        """
        known = {str(item.get("key", item["name"])): int(item["id"]) for item in self.listed}
        for key in keys:
            if key not in known:
                there = ", ".join(sorted(known))
                raise InvalidInput(f"{option} has '{key}', but hawkBit has no such {self.noun}: give some of {there}.")
        return {key: known[key] for key in keys}

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a type and return it.

        Raises:
            Conflict: the key or the name is used up, perhaps by a type that was removed after use.
        """
        self._listed = None
        try:
            return super().create(body)
        except Conflict as error:
            error.msg += (
                f" The key '{body['key']}' or the name '{body['name']}' is used up, perhaps by a type that was removed "
                "after use: choose others."
            )
            raise

    def related(self, id: int, relation: Relation) -> dict[str, int]:
        """Return what belongs to a type: ids by key."""
        operation = reads(f"list {relation.option} of {self.noun}", "GET", f"{self._path(relation)}")
        return {str(item["key"]): int(item["id"]) for item in self.api.pages(operation, values={"id": id})}

    def add(self, id: int, relation: Relation, wanted: Mapping[str, int]) -> None:
        """Make types belong to a type."""
        operation = writes(f"add {relation.option} to {self.noun}", "POST", self._path(relation))

        def read_back() -> Any:
            return {} if set(wanted) <= set(self.related(id, relation)) else NOT_DONE

        bodies: list[Any] = [{"id": other} for other in wanted.values()]
        for body in [bodies] if relation.in_list else bodies:
            self.api.transport.send(operation, values={"id": id}, json=body, read_back=read_back)

    def remove(self, id: int, relation: Relation, key: str, other: int) -> None:
        """Make a type not belong to a type any more."""
        operation = writes(f"take from {relation.option} of {self.noun}", "DELETE", f"{self._path(relation)}/{{other}}")

        def read_back() -> Any:
            return NOT_DONE if key in self.related(id, relation) else {}

        values = {"id": id, "other": other}
        self.api.transport.send(operation, values=values, accept=(404,), read_back=read_back)

    def _path(self, relation: Relation) -> str:
        return f"{ROOT}/{self.kind.collection}/{{id}}/{relation.path}"


class TypeTask:
    """Plans and applies one type."""

    types: Types

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.kind = KINDS[task.params["kind"]]
        self.plan = Plan()
        self.found: dict[str, Any] | None = None
        self.fields: dict[str, Any] = {}
        """What the type's own fields change to."""
        self.related: dict[str, dict[str, int]] = {}
        """What belongs to the type, by option."""
        self.wanted: dict[str, dict[str, int]] = {}

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        params = self.params
        check_texts({name: params[name] for name in ("key", "name", "description")})
        check_colour(params["colour"])
        for option in OWN_OPTIONS:
            if params[option] is not None and option not in self.kind.options:
                kind = next(name for name, other in KINDS.items() if option in other.options)
                raise InvalidInput(f"{option} is only for kind={kind}: leave it out.")
        for option, least in LEAST.items():
            if params[option] is not None and params[option] < least:
                raise InvalidInput(f"{option} is {params[option]}: give {least} or more.")
        both = sorted(set(params["mandatory_modules"] or ()) & set(params["optional_modules"] or ()))
        if both:
            raise InvalidInput(f"mandatory_modules and optional_modules both have '{both[0]}': give it in one of them.")

    def make_plan(self, hawkbit: Hawkbit) -> None:
        """Compare what is wanted with what there is.

        Raises:
            InvalidInput: an unknown type that is to belong to this one.
            Conflict: something that cannot be changed (any more).
            Unsupported: the server does not know such types, or an option.
        """
        params = self.params
        self.hawkbit = hawkbit
        self.types = Types(hawkbit.api, self.kind)
        self.found = self.types.find(params["key"])
        if params["state"] == "absent":
            self.plan = self.types.plan(params["key"], {}, self.found, present=False)
            return
        self._must_be_supported()
        for relation in self.kind.relations:
            if self.found is not None:
                self.related[relation.option] = self.types.related(self.found["id"], relation)
            if params[relation.option] is not None:
                others = Types(hawkbit.api, KINDS[relation.kind])
                self.wanted[relation.option] = others.ids(relation.option, params[relation.option])
        if self.found is None:
            self._plan_create()
        else:
            self._plan_update(self.found)

    def _must_be_supported(self) -> None:
        if self.params["colour"] is not None and self.hawkbit.api.generation == SEED:
            raise Unsupported("colour is given, but types have none before hawkBit 0.3.0: leave it out.")
        known = any("minArtifacts" in item for item in self.types.listed)
        if self.params["min_artifacts"] is not None and not known:
            raise Unsupported("min_artifacts is given, but came with hawkBit 0.10: leave it out.")

    def _plan_create(self) -> None:
        params = self.params
        self.fields = {"key": params["key"], "name": params["name"] or params["key"]}
        self.fields.update(text_changes({name: params[name] for name in ("description", "colour")}, {}))
        for option, field in self.kind.fixed:
            if params[option] is not None or option == "max_assignments":
                self.fields[field] = LEAST[option] if params[option] is None else params[option]
        after = {**self._in_options(self.fields), **{option: sorted(keys) for option, keys in self.wanted.items()}}
        self.plan.create.append(Change(params["key"], after=after))

    def _plan_update(self, found: Mapping[str, Any]) -> None:
        params = self.params
        self.fields = dict(text_changes({name: params[name] for name in ("name", "description", "colour")}, found))
        fixed = [] if self.kind.renamed else [("name", "name")]
        for option, field in (*fixed, *self.kind.fixed):
            if params[option] is not None and params[option] != found.get(field):
                raise Conflict(
                    f"{option} is '{params[option]}', but the {self.kind.noun} '{params['key']}' has "
                    f"'{found.get(field)}', which cannot be changed: leave it out, or make another type."
                )
        before: dict[str, Any] = {name: found.get(name) for name in self.fields}
        after: dict[str, Any] = dict(self.fields)
        for option, keys in self.wanted.items():
            if set(keys) != set(self.related[option]):
                before[option], after[option] = sorted(self.related[option]), sorted(keys)
        if "mandatory_modules" in after or "optional_modules" in after:
            self._must_be_free()
        if after:
            self.plan.update.append(Change(params["key"], before, after))

    def _must_be_free(self) -> None:
        """Raise when it can be told beforehand that the server would refuse."""
        key = self.params["key"]
        used = self.hawkbit.api.count(LIST_SETS, query=rsql.equals("type", key))
        if used:
            raise Conflict(
                f"The distribution set type '{key}' has distribution sets, so its module types cannot be changed: make "
                "another type."
            )

    def apply(self) -> None:
        """Carry out the plan."""
        if self.plan.delete and self.found is not None:
            self.types.delete(self.found["id"])
            self.found = None
        elif self.plan.create:
            bodies = {
                relation.field: [{"id": id} for id in self.wanted[relation.option].values()]
                for relation in self.kind.relations
                if relation.option in self.wanted
            }
            self.found = self.types.create({**self.fields, **bodies})
        elif self.plan.update and self.found is not None:
            self._relate(self.found["id"])
            if self.fields:
                self.found = self.types.update(self.found["id"], self.fields)

    def _relate(self, id: int) -> None:
        """Take out what is in none of the lists any more, then add; adding to one list takes out of the other."""
        kept = {key for keys in {**self.related, **self.wanted}.values() for key in keys}
        for relation in self.kind.relations:
            for key, other in self.related[relation.option].items():
                if relation.option in self.wanted and key not in kept:
                    self.types.remove(id, relation, key, other)
        for relation in self.kind.relations:
            there = self.related[relation.option]
            lacking = {key: other for key, other in self.wanted.get(relation.option, {}).items() if key not in there}
            if lacking:
                self.types.add(id, relation, lacking)

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        found = self.found
        if self.task.check_mode:
            found = None if self.params["state"] == "absent" else {**(found or {}), **self.fields}
        return self.task.result(self.plan, type=None if found is None else self._shown(found))

    def _shown(self, found: Mapping[str, Any]) -> dict[str, Any]:
        identifier = found.get("id")
        claimed = {key for keys in self.wanted.values() for key in keys}
        own = {
            # what has been added to one list is gone from the other
            option: sorted(self.wanted.get(option, self.related.get(option, {}).keys() - claimed))
            for option in (relation.option for relation in self.kind.relations)
        }
        fixed = {option: found.get(field) for option, field in self.kind.fixed}
        return {
            "id": None if identifier is None else str(identifier),
            "key": found.get("key", found.get("name")),
            "name": found.get("name"),
            "description": found.get("description") or None,
            "colour": found.get("colour") or None,
            **dict.fromkeys(OWN_OPTIONS),
            **own,
            **fixed,
        }

    def _in_options(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        options = {field: option for option, field in self.kind.fixed}
        return {options.get(name, name): value for name, value in fields.items() if name != "key"}
