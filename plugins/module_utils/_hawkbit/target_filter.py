# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(target_filter). Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.task import Task
from .._core.transport import NOT_DONE, writes
from . import rsql
from .api import ROOT
from .assignment import check_usable
from .client import Hawkbit
from .fleet import blamed
from .named import Named, target_filters

ASSIGN = writes("set auto-assignment of target filter", "POST", f"{ROOT}/targetfilters/{{id}}/autoAssignDS")
UNASSIGN = writes("remove auto-assignment of target filter", "DELETE", f"{ROOT}/targetfilters/{{id}}/autoAssignDS")

# option -> field of the filter
AUTO_FIELDS = {
    "distribution_set_id": "autoAssignDistributionSet",
    "assignment_type": "autoAssignActionType",
    "weight": "autoAssignWeight",
    "confirmation_required": "confirmationRequired",
}


class FilterTask:
    """Plans and applies one target filter with its auto-assignment."""

    filters: Named

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.plan = Plan()
        self.auto_plan = Plan()
        self.found: dict[str, Any] | None = None
        self.wanted_auto: dict[str, Any] | None = None

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        query = self.params["query"]
        if query is not None and not 1 <= len(query) <= rsql.MAX_SAVED_QUERY:
            raise InvalidInput(f"query is {len(query)} characters long: give 1 to {rsql.MAX_SAVED_QUERY}.")
        auto = self.params["auto_assign"]
        given = [name for name, value in (auto or {}).items() if value is not None]
        if given and auto["distribution_set"] is None:
            raise InvalidInput(
                f"auto_assign.{given[0]} is given without auto_assign.distribution_set: give the set, or an empty "
                "auto_assign to end the auto-assignment."
            )
        if auto and auto["weight"] is not None and not 0 <= auto["weight"] <= 1000:
            raise InvalidInput(f"auto_assign.weight is {auto['weight']}: give a number from 0 to 1000.")

    def make_plan(self, hawkbit: Hawkbit) -> None:
        """Compare what is wanted with what there is.

        Raises:
            InvalidInput: a new filter without a query, or an unknown distribution set.
        """
        params = self.params
        self.hawkbit = hawkbit
        self.filters = target_filters(hawkbit.api)
        self.found = self.filters.find(params["name"])
        present = params["state"] == "present"
        if present and self.found is None and params["query"] is None:
            raise InvalidInput(f"query is missing: hawkBit has no target filter '{params['name']}' yet.")
        if present and params["query"] is not None:
            # some releases save what they cannot read
            with blamed(f"query is '{params['query']}'"):
                hawkbit.targets.count(params["query"])
        self.plan = self.filters.plan(params["name"], {"query": params["query"]}, self.found, present)
        if present and params["auto_assign"] is not None:
            self._plan_auto(params["auto_assign"])

    def _plan_auto(self, auto: dict[str, Any]) -> None:
        before = auto_of(self.found or {})
        option = auto["distribution_set"]
        if option is None:
            if before is not None:
                self.auto_plan.delete.append(
                    Change(self.params["name"], {"auto_assign": before}, {"auto_assign": None})
                )
            return
        there = self.hawkbit.distribution_sets.require(option["name"], option["version"], option["type"])
        check_usable(there)
        if auto["weight"] is not None and not self.hawkbit.rollouts.takes_weight():
            raise Unsupported(
                "auto_assign.weight is given, but needs multi-assignment before hawkBit 0.5, which is off: leave it "
                "out."
            )
        self.wanted_auto = {
            "distribution_set_id": str(there["id"]),
            "assignment_type": auto["assignment_type"] or (before or {}).get("assignment_type") or "forced",
            **{name: auto[name] for name in ("weight", "confirmation_required")},
        }
        given = {name: value for name, value in self.wanted_auto.items() if value is not None}
        if before is None or not _same(before, given):
            self.auto_plan.update.append(Change(self.params["name"], {"auto_assign": before}, {"auto_assign": given}))

    def apply(self) -> None:
        """Carry out the plan."""
        self.found = self.filters.apply(self.plan, self.found)
        if self.found is None:
            return
        identifier = self.found["id"]
        if self.auto_plan.update and self.wanted_auto is not None:
            self._assign(identifier, self.wanted_auto)
        elif self.auto_plan.delete:
            self._unassign(identifier)
        if self.auto_plan.changed:
            self.found = self.filters.get(identifier)

    def _assign(self, identifier: int, auto: dict[str, Any]) -> None:
        body = {
            "id": int(auto["distribution_set_id"]),
            "type": auto["assignment_type"],
            "weight": auto["weight"],
            "confirmationRequired": auto["confirmation_required"],
        }

        def read_back() -> Any:
            there = auto_of(self.filters.get(identifier) or {})
            given = {name: value for name, value in auto.items() if value is not None}
            return {} if there is not None and _same(there, given) else NOT_DONE

        sent = {name: value for name, value in body.items() if value is not None}
        self.hawkbit.api.transport.send(ASSIGN, values={"id": identifier}, json=sent, read_back=read_back)

    def _unassign(self, identifier: int) -> None:
        def read_back() -> Any:
            return {} if auto_of(self.filters.get(identifier) or {}) is None else NOT_DONE

        self.hawkbit.api.transport.send(UNASSIGN, values={"id": identifier}, accept=(404,), read_back=read_back)

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        plan = self._whole_plan()
        found = self.found
        if self.task.check_mode and self.params["state"] == "absent":
            found = None
        elif self.task.check_mode and plan.changed:
            found = {**(found or {}), "name": self.params["name"]}
            found["query"] = (self.params["query"] or found.get("query") or "").strip()
        return self.task.result(plan, target_filter=None if found is None else self._shown(found))

    def _whole_plan(self) -> Plan:
        """Return the plan of the filter with that of its auto-assignment in it."""
        name = self.params["name"]
        auto = [*self.auto_plan.update, *self.auto_plan.delete]
        before = {key: value for change in (*self.plan.update, *auto) for key, value in change.before.items()}
        after = {key: value for change in (*self.plan.update, *auto) for key, value in change.after.items()}
        if self.plan.create:
            return Plan(create=[Change(name, after={**self.plan.create[0].after, **after})])
        return Plan(update=[Change(name, before, after)] if before or after else [], delete=self.plan.delete)

    def _shown(self, found: dict[str, Any]) -> dict[str, Any]:
        identifier = found.get("id")
        auto = auto_of(found)
        if self.task.check_mode and self.auto_plan.changed:
            auto = self.wanted_auto
        return {
            "id": None if identifier is None else str(identifier),
            "name": found.get("name"),
            "query": found.get("query"),
            "auto_assign": auto,
        }


def _same(there: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Tell whether an auto-assignment is as wanted; the server tells of confirmation only where its flow is on."""
    unknown = {"confirmation_required"} if there["confirmation_required"] is None else set()
    return all(there[name] == value for name, value in given.items() if name not in unknown)


def auto_of(found: dict[str, Any]) -> dict[str, Any] | None:
    """Return a filter's auto-assignment, None when it has none."""
    if found.get("autoAssignDistributionSet") is None:
        return None
    auto = {name: found.get(field) for name, field in AUTO_FIELDS.items()}
    auto["distribution_set_id"] = str(auto["distribution_set_id"])
    return auto
