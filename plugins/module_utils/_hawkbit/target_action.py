# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(target_action). Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .._core.errors import InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.task import Task
from .actions import WAITS_FOR_CONFIRMATION, Action
from .api import SEED
from .assignment import ASSIGNED
from .client import Hawkbit
from .fleet import resolve, shorten


@dataclass(frozen=True)
class Verb:
    """What can be done to an action.

    Args:
        needed: whether it would change this action; done already is not a change.
        before: what the diff shows of the action before.
        after: and after.
    """

    needed: Callable[[Action], bool]
    before: Callable[[Action], Any]
    after: str


VERBS = {
    "force": Verb(
        lambda action: action.type != "cancel" and action.force_type in ("soft", "timeforced"),
        lambda action: action.force_type,
        "forced",
    ),
    "cancel": Verb(lambda action: action.type != "cancel", lambda action: action.native_state or "active", "canceling"),
    "force_cancel": Verb(lambda action: True, lambda action: action.native_state or "active", "canceled"),
    "confirm": Verb(
        lambda action: action.native_state == WAITS_FOR_CONFIRMATION, lambda action: action.native_state, "confirmed"
    ),
    "deny": Verb(
        lambda action: action.native_state == WAITS_FOR_CONFIRMATION, lambda action: action.native_state, "denied"
    ),
}
ANSWERS = {"confirm": "confirmed", "deny": "denied"}


class ActionTask:
    """Plans and applies one verb to the active actions that are meant."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.plan = Plan()
        self.targets: list[str] = []
        self.actions: list[Action] = []

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option and what would be right.
        """
        params = self.params
        if params["action"] not in ANSWERS and (params["code"] is not None or params["details"]):
            raise InvalidInput("code and details go with action=confirm and action=deny only: leave them out.")
        if params["action"] == "request_attributes" and params["fleet"] is None and params["controller_id"] is None:
            raise InvalidInput("action=request_attributes wants targets: give controller_id or fleet.")

    def make_plan(self, hawkbit: Hawkbit) -> None:
        """Find the actions that are meant, and those that are not as wanted yet.

        Raises:
            InvalidInput: a target, an action or a set that there is not, or more actions than C(action_limit).
            Unsupported: this release of hawkBit cannot do it.
        """
        self.hawkbit = hawkbit
        verb = self.params["action"]
        if verb == "request_attributes":
            self.targets = self._targets()
            self.plan.update += [
                Change(controller_id, {"request_attributes": None}, {"request_attributes": True})
                for controller_id in self.targets
            ]
        else:
            if verb in ANSWERS and hawkbit.api.generation == SEED:
                raise Unsupported(f"action is '{verb}', but this hawkBit has no confirmation: it came with 0.8.")
            rule = VERBS[verb]
            self.actions = [action for action in self._meant() if action.active and rule.needed(action)]
            self.plan.update += [
                Change(f"{action.controller_id}/{action.id}", {"state": rule.before(action)}, {"state": rule.after})
                for action in self.actions
            ]
        limit = self.params["action_limit"]
        if limit is not None and len(self.plan.update) > limit:
            raise InvalidInput(
                f"action_limit is {limit}, but {len(self.plan.update)} would be changed: raise it or select fewer."
            )

    def apply(self) -> None:
        """Carry out the plan, a few at a time."""
        verb = self.params["action"]
        actions = self.hawkbit.actions
        if verb == "request_attributes":
            self.hawkbit.targets.request_attributes(self.targets)
        elif verb in ANSWERS:
            actions.confirm(self.actions, ANSWERS[verb], self.params["code"], self.params["details"] or [])
        else:
            {"force": actions.force, "cancel": actions.cancel, "force_cancel": actions.force_cancel}[verb](self.actions)

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        shown = [{"id": str(action.id), "controller_id": action.controller_id} for action in self.actions]
        return self.task.result(self.plan, actions=shown, targets=self.targets)

    def _targets(self) -> list[str]:
        controller_id = self.params["controller_id"]
        if controller_id is not None:
            if self.hawkbit.targets.get(controller_id) is None:
                raise InvalidInput(f"controller_id is '{controller_id}', but hawkBit has no such target.")
            return [controller_id]
        return list(resolve(self.hawkbit, self.params["fleet"], self.params["on_unknown_device"]).names)

    def _meant(self) -> Iterable[Action]:
        params = self.params
        if params["action_id"] is not None:
            return [self._one(params["controller_id"], params["action_id"])]
        if params["controller_id"] is not None or params["fleet"] is not None:
            targets = self._targets()
            if params["distribution_set"] is None:
                return self.hawkbit.actions.active(targets)
            chosen = set(targets)
            return [action for action in self._of_set() if action.controller_id in chosen]
        return self._of_set()

    def _one(self, controller_id: str, action_id: int) -> Action:
        action = self.hawkbit.actions.get(controller_id, action_id)
        if action is not None:
            return action
        ids = [str(found.id) for found in self.hawkbit.actions.of_target(controller_id, limit=10)]
        there = f"its newest are {shorten(ids)}" if ids else "it has none"
        raise InvalidInput(f"action_id is {action_id}, but target '{controller_id}' has no such action: {there}.")

    def _of_set(self) -> list[Action]:
        option = self.params["distribution_set"]
        found = self.hawkbit.distribution_sets.require(option["name"], option["version"], option["type"])
        api = self.hawkbit.api
        if api.generation != SEED:
            query = f"distributionset.id=={found['id']};{self.hawkbit.actions.active_query}"
            return list(self.hawkbit.actions.search(query))
        assigned = api.pages(ASSIGNED, values={"id": found["id"]}, query="updatestatus==pending")
        newest: dict[str, Action] = {}
        for action in self.hawkbit.actions.active(item["controllerId"] for item in assigned):
            newest.setdefault(action.controller_id, action)
        return list(newest.values())
