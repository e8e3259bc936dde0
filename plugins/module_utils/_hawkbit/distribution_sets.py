# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit distribution sets: reading, planning, writing. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/distributionsets) and releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import Conflict, InvalidInput, Rejected, Unsupported
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, Operation, reads, writes
from . import versioned
from .api import MODERN, PARALLEL, ROOT, Api
from .set_labels import LabelPlan, SetLabels
from .set_types import SetTypes, name_of

READ = reads("read distribution set", "GET", f"{ROOT}/distributionsets/{{id}}")
CREATE = writes("create distribution set", "POST", f"{ROOT}/distributionsets")
UPDATE = writes("update distribution set", "PUT", f"{ROOT}/distributionsets/{{id}}")
DELETE = writes("remove distribution set", "DELETE", f"{ROOT}/distributionsets/{{id}}")
ADD_MODULES = writes("add modules to distribution set", "POST", f"{ROOT}/distributionsets/{{id}}/assignedSM")
REMOVE_MODULE = writes(
    "remove module from distribution set", "DELETE", f"{ROOT}/distributionsets/{{id}}/assignedSM/{{module_id}}"
)
INVALIDATE = writes("invalidate distribution set", "POST", f"{ROOT}/distributionsets/{{id}}/invalidate")
ASSIGNED_TARGETS = reads("list assigned targets", "GET", f"{ROOT}/distributionsets/{{id}}/assignedTargets")
INSTALLED_TARGETS = reads("list installed targets", "GET", f"{ROOT}/distributionsets/{{id}}/installedTargets")

OPTION = "distribution set"


@dataclass
class SetPlan(Plan):
    """What is to be written to one distribution set.

    ``found`` is the set as the API has it, or None; ``modules`` are those that it is to have in the end, None to
    leave them alone; ``absent`` names those of them that are not there yet, which only check mode allows.
    """

    found: dict[str, Any] | None = None
    body: dict[str, Any] = field(default_factory=dict)
    modules: list[dict[str, Any]] | None = None
    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    complete: bool | None = None
    absent: list[str] = field(default_factory=list)
    labels: LabelPlan = field(default_factory=LabelPlan)

    def outcome(self) -> dict[str, Any] | None:
        """Return the set as it would be, None when it would not be there."""
        if self.delete or not (self.found or self.create):
            return None
        modules = {} if self.modules is None else {"modules": self.modules}
        item = {**(self.found or {}), **self.body, **modules, "complete": self.complete}
        return {**describe(item), **self.labels.outcome()}


class DistributionSets:
    """The distribution sets of a tenant."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.types = SetTypes(api)
        self.labels = SetLabels(api)

    def find(self, name: str, version: str, type: str | None = None) -> dict[str, Any] | None:
        """Return a set as the API has it, None when there is none.

        Raises:
            InvalidInput: there are several of that name and version, and no type is given.
        """
        return versioned.find(self.api, versioned.LIST_SETS, OPTION, name, version, type)

    def require(self, name: str, version: str, type: str | None = None) -> dict[str, Any]:
        """Return a set as the API has it.

        Raises:
            InvalidInput: there is none (the message lists what there is), or several.
        """
        return versioned.require(self.api, versioned.LIST_SETS, OPTION, name, version, type)

    def get(self, id: str | int) -> dict[str, Any] | None:
        """Return a set by its id, None when there is none. A set that was removed after use says C(deleted)."""
        answer = self.api.transport.send(READ, values={"id": id}, accept=(404,), shape=dict)
        return None if answer.status == 404 else answer.data

    def plan_present(self, wanted: Mapping[str, Any]) -> SetPlan:
        """Plan to make a set as wanted. In check mode, modules may be missing that an earlier task would create.

        Args:
            wanted: name, version, type, description, required_migration_step, modules (list of name, version and type;
                None leaves them alone), and what C(SetLabels.plan) takes.

        Raises:
            InvalidInput: what the server would refuse, or modules or tags that are not there.
            Conflict: modules would change, but the set is locked; or anything would, but it was invalidated.
        """
        versioned.check_texts({name: wanted[name] for name in (*versioned.KEYS, "description")})
        entries = None if wanted["modules"] is None else list(wanted["modules"])
        _check_entries(entries or [])
        found = self._find_present(wanted)
        plan = SetPlan(found=found)
        if entries is not None:
            plan.modules = self._resolve(entries, (found or {}).get("modules", []), plan.absent)
        plan.body = dict(versioned.text_changes({"description": wanted["description"]}, found or {}))
        plan.labels = self.labels.plan(None if found is None else found["id"], wanted)
        step = wanted["required_migration_step"]
        if step is not None and step != (found or {}).get("requiredMigrationStep", False):
            plan.body["requiredMigrationStep"] = step
        if found is None:
            self._plan_create(plan, wanted)
        else:
            self._plan_update(plan, found)
        return plan

    def plan_absent(self, name: str, version: str, type: str | None) -> SetPlan:
        """Plan to remove a set.

        Raises:
            InvalidInput: there are several of that name and version, and no type is given.
        """
        versioned.check_texts({"name": name, "version": version, "type": type})
        found = self.find(name, version, type)
        if found is None:
            return SetPlan()
        return SetPlan(found=found, delete=[Change(f"{name}:{version}", before=_shown(found))])

    def apply(self, plan: SetPlan) -> dict[str, Any] | None:
        """Carry out a plan that makes a set present; return the set in the form of the result."""
        found = plan.found
        if plan.create:
            found = self._create(plan.body, plan.modules or [])
        elif found is not None and (plan.added or plan.removed):
            found = self._change_modules(found, plan)
        if found is not None and plan.update and plan.body:
            found = self._update(found, plan.body)
        if found is None:
            return None
        if plan.changed and plan.modules is not None:
            _must_have(found, plan.modules)
        self.labels.apply(found["id"], plan.labels)
        return {**describe(found), **plan.labels.outcome()}

    def plan_invalid(self, name: str, version: str, type: str | None, options: Mapping[str, Any]) -> SetPlan:
        """Plan to invalidate a set: it cannot be assigned any more, and never again.

        Args:
            name: exact name.
            version: exact version.
            type: key of its type; None when any will do.
            options: C(actions) (none, soft, force) and C(cancel_rollouts).

        Raises:
            InvalidInput: there is none, or it is incomplete.
            Unsupported: the release cannot do that.
        """
        versioned.check_texts({"name": name, "version": version, "type": type})
        found = self.require(name, version, type)
        if "valid" not in found:
            raise Unsupported("state is 'invalidated', which came with hawkBit 0.3.0M8: use state=absent.")
        if not found["valid"]:
            return SetPlan(found=found)
        if not found.get("complete"):
            raise InvalidInput(
                f"state is 'invalidated', but {OPTION} '{name}' version '{version}' is incomplete, and hawkBit "
                "invalidates complete ones only: use state=absent."
            )
        body = {"actionCancelationType": options["actions"]}
        if self.api.generation != MODERN:
            body["cancelRollouts"] = options["cancel_rollouts"]
        elif options["cancel_rollouts"] and options["actions"] == "none":
            raise Unsupported(
                "invalidation.cancel_rollouts needs actions=soft or force from hawkBit 0.10 on, which always ends the "
                "rollouts then."
            )
        change = Change(f"{name}:{version}", {"valid": True}, {"valid": False, "invalidation": dict(options)})
        return SetPlan(found=found, body=body, complete=True, update=[change])

    def invalidate(self, plan: SetPlan) -> dict[str, Any]:
        """Carry out a plan that invalidates a set; return the set, in check mode as it would be."""
        found = plan.found or {}
        if plan.update and self.api.check_mode:
            found = {**found, "valid": False}
        elif plan.update:

            def read_back() -> Any:
                return {} if (self.get(found["id"]) or {}).get("valid") is False else NOT_DONE

            operation = _named(INVALIDATE, found)
            self.api.transport.send(operation, values={"id": found["id"]}, json=plan.body, read_back=read_back)
            found = self.get(found["id"]) or found
        return {**describe(found), **plan.labels.outcome()}

    def remove(self, plan: SetPlan) -> bool:
        """Carry out a plan that removes a set; return whether the server only hides it, since it was in use."""
        if plan.found is None:
            return False
        id = plan.found["id"]

        def read_back() -> Any:
            present = self.get(id)
            return {} if present is None or present.get("deleted") else NOT_DONE

        operation = _named(DELETE, plan.found)
        self.api.transport.send(operation, values={"id": id}, accept=(404,), read_back=read_back)
        return self.get(id) is not None

    def why_incomplete(self, described: Mapping[str, Any]) -> str | None:
        """Return a sentence that says what a set lacks to be assigned, None when it lacks nothing.

        Args:
            described: the set in the form of the result.
        """
        if described["complete"] is not False or described["type"] is None:
            return None
        subject = f"Distribution set '{described['name']}' version '{described['version']}' is incomplete and cannot be"
        rules = self.types.find(described["type"])
        missing = rules.missing(described["modules"]) if rules else []
        if missing:
            keys = ", ".join(f"'{key}'" for key in missing)
            return f"{subject} assigned: sets of type '{described['type']}' need a module of type {keys}."
        return f"{subject} assigned: look whether its software modules have all their artifacts."

    def _find_present(self, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        name, version, type_key = wanted["name"], wanted["version"], wanted["type"]
        if type_key is None:
            return self.find(name, version)
        there = versioned.find_all(self.api, versioned.LIST_SETS, name, version)
        found = next((item for item in there if item["type"] == type_key), None)
        if found is None and there:
            raise InvalidInput(
                f"type is '{type_key}', but {OPTION} '{name}' version '{version}' has the type '{there[0]['type']}', "
                "which cannot be changed: give another version, or remove that set first."
            )
        return found

    def _resolve(
        self, entries: list[Mapping[str, Any]], present: list[dict[str, Any]], absent: list[str]
    ) -> list[dict[str, Any]]:
        """Return the modules of the entries. Those that the set has need no request, and may even be hidden ones."""

        def one(entry: Mapping[str, Any]) -> dict[str, Any]:
            wanted = {name: entry[name] for name in versioned.KEYS if entry.get(name) is not None}
            own = [module for module in present if all(module.get(name) == wanted[name] for name in wanted)]
            if len(own) == 1:
                return own[0]
            arguments = (
                self.api,
                versioned.LIST_MODULES,
                "software module",
                entry["name"],
                entry["version"],
                entry.get("type"),
            )
            if self.api.check_mode:
                module = versioned.find(*arguments)
                if module is None:
                    absent.append(f"'{entry['name']}' version '{entry['version']}'")
                    return {name: entry.get(name) for name in versioned.KEYS}
                return module
            return versioned.require(*arguments)

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            modules = list(pool.map(one, entries))
        ids = [module["id"] for module in modules if "id" in module]
        if len(set(ids)) < len(ids):
            twice = next(module for module in modules if ids.count(module.get("id")) > 1)
            raise InvalidInput(f"modules lists {name_of(twice)} twice: list each module once.")
        return modules

    def _plan_create(self, plan: SetPlan, wanted: Mapping[str, Any]) -> None:
        modules = plan.modules or []
        type_key = wanted["type"] or self.types.default()
        if type_key is not None:
            rules = self.types.require(type_key)
            rules.check(modules)
            plan.complete = rules.complete(modules)
        plan.modules = modules
        plan.body = {"name": wanted["name"], "version": wanted["version"], **plan.body}
        plan.body.update({} if type_key is None else {"type": type_key})
        after = {**_in_options(plan.body), "modules": _names(modules), **plan.labels.sides()[1]}
        plan.create.append(Change(f"{wanted['name']}:{wanted['version']}", after=after))

    def _plan_update(self, plan: SetPlan, found: dict[str, Any]) -> None:
        before: dict[str, Any] = {name: found.get(name) for name in plan.body}
        after = dict(plan.body)
        plan.complete = found.get("complete")
        if plan.modules is not None:
            have = {module["id"]: module for module in found.get("modules", [])}
            want = {module.get("id") for module in plan.modules}
            plan.added = [module for module in plan.modules if module.get("id") not in have]
            plan.removed = [module for id, module in have.items() if id not in want]
        if plan.modules is not None and (plan.added or plan.removed):
            rules = self.types.find(found["type"])
            if rules:
                rules.check(plan.modules)
            plan.complete = rules.complete(plan.modules) if rules else None
            before["modules"], after["modules"] = _names(found.get("modules", [])), _names(plan.modules)
        if plan.added or plan.removed or "requiredMigrationStep" in plan.body:
            self._must_be_free(found)
        labels_before, labels_after = plan.labels.sides()
        before.update(labels_before)
        after.update(labels_after)
        if after and found.get("valid") is False:
            raise Conflict(
                f"Distribution set '{found['name']}' version '{found['version']}' was invalidated, so it cannot be "
                "changed: make a new version."
            )
        if after:
            plan.update.append(Change(f"{found['name']}:{found['version']}", _in_options(before), _in_options(after)))

    def _must_be_free(self, found: Mapping[str, Any]) -> None:
        """Raise when it can be told beforehand that the server would refuse."""
        locked = found.get("locked")
        if locked is None:
            # no locks in 0.3.0M7, but it refuses as well
            values = {"id": found["id"]}
            locked = any(
                self.api.count(operation, values=values) for operation in (ASSIGNED_TARGETS, INSTALLED_TARGETS)
            )
        if locked:
            raise Conflict(
                f"Distribution set '{found['name']}' version '{found['version']}' was assigned already, so its modules "
                "and required_migration_step cannot be changed: make a new version."
            )

    def _create(self, body: dict[str, Any], modules: list[dict[str, Any]]) -> dict[str, Any]:
        name, version = body["name"], body["version"]

        def read_back() -> Any:
            found = self.find(name, version, body.get("type"))
            return NOT_DONE if found is None else [found]

        sent = {**body, "modules": [{"id": module["id"]} for module in modules]}
        try:
            created = self.api.transport.send(_named(CREATE, body), json=[sent], shape=list, read_back=read_back).data
        except Conflict as error:
            present = bool(versioned.find_all(self.api, versioned.LIST_SETS, name, version))
            raise versioned.taken(error, OPTION, name, version, present) from error
        found: dict[str, Any] = created[0]
        return found

    def _change_modules(self, found: dict[str, Any], plan: SetPlan) -> dict[str, Any]:
        """Remove and add modules, in this order: meanwhile the set is incomplete, so nobody gets half of it."""
        id = found["id"]

        def has(module_ids: set[int]) -> set[int]:
            return module_ids & {module["id"] for module in (self.get(id) or {}).get("modules", [])}

        for module in plan.removed:
            module_id = module["id"]

            def gone(module_id: int = module_id) -> Any:
                return NOT_DONE if has({module_id}) else {}

            self.api.transport.send(
                _named(REMOVE_MODULE, found),
                values={"id": id, "module_id": module_id},
                accept=(404,),
                read_back=gone,
            )
        if plan.added:
            wanted = {module["id"] for module in plan.added}
            self.api.transport.send(
                _named(ADD_MODULES, found),
                values={"id": id},
                json=[{"id": module_id} for module_id in sorted(wanted)],
                read_back=lambda: {} if has(wanted) == wanted else NOT_DONE,
            )
        return self.get(id) or found

    def _update(self, found: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        def read_back() -> Any:
            present = self.get(found["id"]) or {}
            return present if all((present.get(name) or "") == (body[name] or "") for name in body) else NOT_DONE

        updated: dict[str, Any] = self.api.transport.send(
            _named(UPDATE, found), values={"id": found["id"]}, json=body, shape=dict, read_back=read_back
        ).data
        return updated


def describe(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a set in the form of the result: all keys always there, ids as text."""
    modules = [
        {"id": _text(module.get("id")), **{name: module.get(name) for name in versioned.KEYS}}
        for module in item.get("modules", [])
    ]
    return {
        "id": _text(item.get("id")),
        "name": item.get("name"),
        "version": item.get("version"),
        "type": item.get("type"),
        "description": item.get("description") or None,
        "required_migration_step": bool(item.get("requiredMigrationStep")),
        "complete": item.get("complete"),
        "locked": item.get("locked"),
        "valid": item.get("valid"),
        "modules": sorted(modules, key=_order),
    }


def _order(module: Mapping[str, Any]) -> list[str]:
    return [str(module[name]) for name in ("type", "name", "version")]


def _check_entries(entries: Iterable[Mapping[str, Any]]) -> None:
    seen: set[tuple[Any, ...]] = set()
    for number, entry in enumerate(entries, 1):
        versioned.check_texts({name: entry.get(name) for name in versioned.KEYS}, of=f"entry {number} of modules")
        key = tuple(entry.get(name) for name in versioned.KEYS)
        if key in seen:
            raise InvalidInput(f"modules lists {name_of(entry)} twice: list each module once.")
        seen.add(key)


def _must_have(found: Mapping[str, Any], wanted: Iterable[Mapping[str, Any]]) -> None:
    """Compare what was asked with what is there: the server drops modules without a word."""
    there = {module["id"] for module in found.get("modules", [])}
    lacking = [name_of(module) for module in wanted if module["id"] not in there]
    surplus = [name_of(m) for m in found.get("modules", []) if m["id"] not in {module["id"] for module in wanted}]
    if lacking or surplus:
        words = [f"lacks {', '.join(lacking)}"] if lacking else []
        words += [f"has {', '.join(surplus)} as well"] if surplus else []
        raise Rejected(
            f"Distribution set '{found['name']}' version '{found['version']}' does not have the modules asked for: "
            f"it {' and '.join(words)}. Somebody else may have changed it; run the task again."
        )


def _named(operation: Operation, item: Mapping[str, Any]) -> Operation:
    return versioned.named(operation, item["name"], item["version"])


def _names(modules: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(f"{module.get('name')}:{module.get('version')}" for module in modules)


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: item[name] for name in (*versioned.KEYS, "description") if item.get(name)}
    return {**shown, "modules": _names(item.get("modules", []))}


def _in_options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of the API under the names of the options, for the diff."""
    return {"required_migration_step" if name == "requiredMigrationStep" else name: body[name] for name in body}


def _text(id: int | None) -> str | None:
    return None if id is None else str(id)
