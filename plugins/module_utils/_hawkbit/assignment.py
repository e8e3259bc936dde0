# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution set on its way to many targets: who has it, assign it, follow it. Private to the collection.

Work per poll does not grow with the fleet: two counts tell whether anything has moved; only then states are read
again, in pages of 500. (Devices' feedback does not touch an action's C(lastModifiedAt) in 0.3.0M7, 0.9.0 and
1.0.4, so asking for what has changed since is no way.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from .._core.deployment import ABORTED, ABSENT, FAILED, OPEN, PENDING, SUCCEEDED, Device
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .actions import Action
from .api import MODERN, PARALLEL, ROOT, SEED
from .client import Hawkbit

ASSIGNED = reads("list targets of distribution set", "GET", f"{ROOT}/distributionsets/{{id}}/assignedTargets")
INSTALLED = reads("list targets with distribution set", "GET", f"{ROOT}/distributionsets/{{id}}/installedTargets")
ASSIGN = writes("assign distribution set", "POST", f"{ROOT}/distributionsets/{{id}}/assignedTargets")

# The server's quota is 5,000 targets an assignment; smaller ones keep a repeat cheap.
ASSIGN_CHUNK = 1000


class Assignment(ABC):
    """One distribution set and the targets that are to have it.

    Args:
        hawkbit: the client.
        set_id: id of the distribution set.
        names: names of the selected targets by id.
    """

    def __init__(self, hawkbit: Hawkbit, set_id: int, names: Mapping[str, str]) -> None:
        self.hawkbit = hawkbit
        self.set_id = set_id
        self.names = names
        self.devices: dict[str, Device] = {}
        self._signature: tuple[int, ...] = ()

    @abstractmethod
    def read(self) -> None:
        """Read the state of every selected target into C(devices)."""

    @abstractmethod
    def _counts(self) -> tuple[int, ...]:
        """Return counts that differ as soon as a device has moved; a few small requests."""

    @abstractmethod
    def _reread(self) -> None:
        """Read the states again that may have moved."""

    @abstractmethod
    def _assigned(self, ids: list[str], actions: list[Mapping[str, Any]]) -> None:
        """Take note of what has just been assigned; C(actions) are the server's, empty after a read-back."""

    @abstractmethod
    def explain(self, devices: Iterable[Device]) -> list[Device]:
        """Return failed devices with their last message and log, a few requests each."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel what is still open."""

    def refresh(self) -> dict[str, Device]:
        """Return the state of every selected target, read again only when something has moved."""
        counts = self._counts()
        if counts != self._signature:
            # counted before reading: what moves in between is seen by the next poll
            self._signature = counts
            self._reread()
        return self.devices

    def assign(self, ids: list[str], options: Mapping[str, Any]) -> list[str]:
        """Assign the set to targets.

        Args:
            ids: targets that do not have it yet.
            options: fields of the request beside the id.

        Returns:
            Ids that the server dropped without a word: it does not know them any more.
        """
        dropped: list[str] = []
        for start in range(0, len(ids), ASSIGN_CHUNK):
            dropped += self._assign_chunk(ids[start : start + ASSIGN_CHUNK], options)
        return dropped

    def _assign_chunk(self, ids: list[str], options: Mapping[str, Any]) -> list[str]:
        def read_back() -> Any:
            there = set(self._targets(ASSIGNED, ids))
            # one transaction: a part of it means that some ids are unknown
            return {"total": len(there), "assignedActions": []} if there else NOT_DONE

        answer = self.hawkbit.api.transport.send(
            ASSIGN,
            values={"id": self.set_id},
            json=[{"id": controller_id, **options} for controller_id in ids],
            shape=dict,
            read_back=read_back,
        )
        self._assigned(ids, answer.data.get("assignedActions") or [])
        if answer.data.get("total", len(ids)) == len(ids):
            return []
        there = set(self._targets(ASSIGNED, ids))
        return [controller_id for controller_id in ids if controller_id not in there]

    def _targets(self, operation: Any, ids: list[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return the targets to which the set is assigned, or on which it is installed, by id."""
        queries = [None] if ids is None else list(rsql.any_of("controllerid", ids))
        return {
            item["controllerId"]: item
            for query in queries
            for item in self.hawkbit.api.pages(operation, values={"id": self.set_id}, query=query)
        }

    def offline(self) -> int:
        """Return how many targets with an open deployment do not poll: never yet, or overdue."""
        waiting = {device.id for device in self.devices.values() if device.state in OPEN}
        targets = self.hawkbit.targets
        never = {
            item["controllerId"] for item in targets.search(PENDING_QUERY) if not item.get("lastControllerRequestAt")
        }
        overdue = {item["controllerId"] for item in targets.search(f"{PENDING_QUERY};{OVERDUE_QUERY}")}
        return len(waiting & (never | overdue))


PENDING_QUERY = "updatestatus==pending"
OVERDUE_QUERY = "lastcontrollerrequestat=le=${overdue_ts}"


class ByActions(Assignment):
    """Follows the actions of the set: exact states, from 0.3.0M8 on."""

    def __init__(self, hawkbit: Hawkbit, set_id: int, names: Mapping[str, str]) -> None:
        super().__init__(hawkbit, set_id, names)
        self._actions: dict[str, Action] = {}
        self._first = 0

    def read(self) -> None:
        assigned = self._targets(ASSIGNED)
        self._first = 0
        self._actions = self._newest()
        for controller_id, name in self.names.items():
            action = self._actions.get(controller_id)
            if action is None:
                state = SUCCEEDED if controller_id in assigned else ABSENT
                self.devices[controller_id] = Device(controller_id, name, state)
            elif action.state == SUCCEEDED and controller_id not in assigned:
                # it has moved on to another set since
                self.devices[controller_id] = Device(controller_id, name, ABSENT)
            else:
                self.devices[controller_id] = _device(action, name)
        self._watch()

    def _watch(self) -> None:
        """From now on look at actions from the oldest open one on."""
        self._first = min((a.id for a in self._actions.values() if self._is_open(a)), default=self._first)
        self._signature = ()

    def _is_open(self, action: Action) -> bool:
        return self.devices[action.controller_id].state in OPEN

    def _query(self) -> str:
        return f"distributionset.id=={self.set_id};id=ge={self._first}"

    def _newest(self) -> dict[str, Action]:
        """Return the newest action of each selected target that has one."""
        newest: dict[str, Action] = {}
        for action in self.hawkbit.actions.search(self._query()):
            if action.controller_id in self.names:
                newest.setdefault(action.controller_id, action)
        return {action.controller_id: action for action in self.hawkbit.actions.settle(newest.values())}

    def _counts(self) -> tuple[int, ...]:
        modern = self.hawkbit.api.generation == MODERN
        active, fetched = (
            ("active==true", "status==retrieved") if modern else ("status==pending", "detailstatus==retrieved")
        )
        return tuple(self.hawkbit.actions.count(f"{self._query()};{part}") for part in (active, fetched))

    def _reread(self) -> None:
        for controller_id, action in self._newest().items():
            self._actions[controller_id] = action
            self.devices[controller_id] = _device(action, self.names[controller_id])

    def _assigned(self, ids: list[str], actions: list[Mapping[str, Any]]) -> None:
        for controller_id in ids:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], PENDING, "running")
        if actions:
            first = min(int(action["id"]) for action in actions)
            still_open = [a.id for a in self._actions.values() if self._is_open(a) and a.controller_id not in ids]
            self._first = min([first, *still_open])
        self._signature = ()

    def explain(self, devices: Iterable[Device]) -> list[Device]:
        def one(device: Device) -> Device:
            action = self._actions.get(device.id)
            if action is None:
                return device
            message, log = self.hawkbit.actions.failure(action)
            return replace(device, message=message or device.message, log=log)

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            return list(pool.map(one, devices))

    def cancel(self) -> None:
        self._reread()
        self.hawkbit.actions.cancel(a for a in self._actions.values() if self._is_open(a) and a.active)


class ByTargets(Assignment):
    """Follows the targets' update status: 0.3.0M7 has no list of all actions, and no state in an action.

    A target whose update failed is no longer assigned to the set; its newest action tells to which set it was.
    """

    def read(self) -> None:
        self._classify(ours=frozenset())

    def _reread(self) -> None:
        self._classify(ours=frozenset(device.id for device in self.devices.values() if device.state != ABSENT))

    def _classify(self, ours: frozenset[str]) -> None:
        assigned = self._targets(ASSIGNED)
        errors = {item["controllerId"]: item for item in self.hawkbit.targets.search("updatestatus==error")}
        suspects = [i for i in self.names if i in errors and i not in assigned]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            failed = dict(zip(suspects, pool.map(self._failed_here, suspects)))
        for controller_id, name in self.names.items():
            status = assigned[controller_id].get("updateStatus") if controller_id in assigned else None
            if status is not None:
                state = {"in_sync": SUCCEEDED, "error": FAILED}.get(status, PENDING)
            elif failed.get(controller_id):
                state, status = FAILED, "error"
            else:
                state = ABORTED if controller_id in ours else ABSENT
            self.devices[controller_id] = Device(controller_id, name, state, status)

    def _failed_here(self, controller_id: str) -> bool:
        for action in self.hawkbit.actions.of_target(controller_id, limit=1):
            return self.hawkbit.actions.distribution_set_of(action) == str(self.set_id)
        return False

    def _counts(self) -> tuple[int, ...]:
        values = {"id": self.set_id}
        api = self.hawkbit.api
        return api.count(ASSIGNED, values=values), api.count(ASSIGNED, values=values, query=PENDING_QUERY)

    def _assigned(self, ids: list[str], actions: list[Mapping[str, Any]]) -> None:
        for controller_id in ids:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], PENDING, "pending")
        self._signature = ()

    def explain(self, devices: Iterable[Device]) -> list[Device]:
        def one(device: Device) -> Device:
            for action in self.hawkbit.actions.of_target(device.id, limit=1):
                message, log = self.hawkbit.actions.failure(action)
                return replace(device, message=message, log=log)
            return device

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            return list(pool.map(one, devices))

    def cancel(self) -> None:
        self._reread()
        still_open = [device.id for device in self.devices.values() if device.state in OPEN]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            newest = pool.map(lambda i: next(self.hawkbit.actions.of_target(i, limit=1), None), still_open)
            actions = [action for action in newest if action is not None and action.active]
        self.hawkbit.actions.cancel(action for action in actions if action.type != "cancel")


def assignment(hawkbit: Hawkbit, set_id: int, names: Mapping[str, str]) -> Assignment:
    """Return the assignment in the form that this release allows."""
    kind = ByTargets if hawkbit.api.generation == SEED else ByActions
    return kind(hawkbit, set_id, names)


def _device(action: Action, name: str) -> Device:
    code = None if action.code is None else str(action.code)
    return Device(action.controller_id, name, action.state, action.native_state, code)
