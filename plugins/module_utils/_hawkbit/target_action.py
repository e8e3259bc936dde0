# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(target_action). Private to the collection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .._core.errors import InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.task import Task
from .actions import WAITS_FOR_CONFIRMATION, Action
from .api import PARALLEL, SEED, askable
from .client import Hawkbit
from .fleet import resolve, said, shorten


@dataclass(frozen=True)
class Verb:
    """What can be done to an action.

    Args:
        needed: whether it would change this action; done already is not a change.
        after: what the diff shows of the action afterwards.
        before: what it shows of it before.
    """

    needed: Callable[[Action], bool]
    after: str
    before: Callable[[Action], str | None] = lambda action: action.native_state or "active"


def _becomes_forced(action: Action) -> bool:
    # a download stays one; what is forced since its time has come stays "timeforced" on the server
    later = action.force_type == "timeforced" and (action.force_time or 0) > time.time() * 1000
    return action.type != "cancel" and (action.force_type == "soft" or later)


def _waits(action: Action) -> bool:
    return action.native_state == WAITS_FOR_CONFIRMATION


VERBS = {
    "force": Verb(_becomes_forced, "forced", lambda action: action.force_type),
    "cancel": Verb(lambda action: action.type != "cancel", "canceling"),
    "force_cancel": Verb(lambda action: True, "canceled"),
    "confirm": Verb(_waits, "running"),
    "deny": Verb(_waits, "denied"),
}
ANSWERS = ("confirm", "deny")


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
        if params["action"] == "request_attributes" and (params["action_id"] or params["distribution_set"]):
            raise InvalidInput(
                "action=request_attributes goes to targets, whatever they have to do: leave out action_id and "
                "distribution_set."
            )
        if params["action_limit"] is not None and params["action_limit"] < 0:
            raise InvalidInput(f"action_limit is {params['action_limit']}: give 0 or more.")

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
                raise Unsupported(
                    f"action is '{verb}', but this hawkBit knows no confirmation: it came with 0.3.0M8, and to confirm "
                    "or deny for devices with 0.8."
                )
            rule = VERBS[verb]
            self.actions = [action for action in self._meant() if action.active and rule.needed(action)]
            if verb == "deny":
                self.actions = self._matching(lambda action: not hawkbit.actions.denied(action), self.actions)
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
        """Carry out the plan, a few at a time.

        Raises:
            FleetError: what went wrong, with C(changed) when something had been written before.
        """
        verb = self.params["action"]
        actions = self.hawkbit.actions
        if verb == "request_attributes":
            self.hawkbit.targets.request_attributes(self.targets)
        elif verb in ANSWERS:
            answer = {"confirm": actions.confirm, "deny": actions.deny}[verb]
            answer(self.actions, self.params["code"], self.params["details"] or [])
        else:
            {"force": actions.force, "cancel": actions.cancel, "force_cancel": actions.force_cancel}[verb](self.actions)

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        shown = [{"id": str(action.id), "controller_id": action.controller_id} for action in self.actions]
        return self.task.result(self.plan, actions=shown, targets=self.targets)

    def _targets(self) -> list[str]:
        controller_id = self.params["controller_id"]
        if controller_id is not None:
            if not askable(controller_id) or self.hawkbit.targets.get(controller_id) is None:
                raise InvalidInput(f"controller_id is '{controller_id}', but hawkBit has no such target.")
            return [controller_id]
        targets = list(resolve(self.hawkbit, self.params["fleet"], self.params["on_unknown_device"]).names)
        if not targets:
            self.task.warn(f"{said(self.params['fleet'])}, which selects no device: nothing is to be done.")
        return targets

    def _meant(self) -> Iterable[Action]:
        params = self.params
        if params["action_id"] is not None:
            return [self._one(params["controller_id"], params["action_id"])]
        if params["controller_id"] is not None or params["fleet"] is not None:
            targets = self._targets()
            return self.hawkbit.actions.active(targets) if params["distribution_set"] is None else self._of_set(targets)
        return self._of_set()

    def _one(self, controller_id: str, action_id: int) -> Action:
        action = self.hawkbit.actions.get(controller_id, action_id)
        if action is not None:
            return action
        self._targets()
        ids = [str(found.id) for found in self.hawkbit.actions.of_target(controller_id, limit=10)]
        there = f"its newest are {shorten(ids)}" if ids else "it has none"
        raise InvalidInput(f"action_id is {action_id}, but target '{controller_id}' has no such action: {there}.")

    def _of_set(self, targets: list[str] | None = None) -> list[Action]:
        option = self.params["distribution_set"]
        found = self.hawkbit.distribution_sets.require(option["name"], option["version"], option["type"])
        actions = self.hawkbit.actions
        if self.hawkbit.api.generation != SEED:
            active = actions.search(f"distributionset.id=={found['id']};{actions.active_query}")
            chosen = None if targets is None else set(targets)
            return [action for action in active if chosen is None or action.controller_id in chosen]
        # neither a list of all actions nor the set in that of a target
        if targets is None:
            targets = [target["controllerId"] for target in self.hawkbit.targets.search("updatestatus==pending")]
        of_this = str(found["id"])
        return self._matching(lambda action: actions.distribution_set_of(action) == of_this, actions.active(targets))

    @staticmethod
    def _matching(wanted: Callable[[Action], bool], actions: Iterable[Action]) -> list[Action]:
        """Return the actions that are wanted; each costs a request or two, so a few are asked about at a time."""
        actions = list(actions)
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            return [action for action, is_wanted in zip(actions, pool.map(wanted, actions)) if is_wanted]
