# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution set on its way to many targets: who has it, assign it, follow it. Private to the collection.

Two counts a poll tell whether anything has moved; only then states are read again, in pages of 500. (Devices'
feedback does not touch an action's C(lastModifiedAt) in 0.3.0M7, 0.9.0 and 1.0.4, so asking for what has changed since
is no way.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.deployment import ABORTED, ABSENT, FAILED, OPEN, PENDING, SUCCEEDED, UNKNOWN, Device
from .._core.errors import InvalidInput
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .actions import Action
from .api import MODERN, PARALLEL, ROOT, SEED
from .client import Hawkbit

ASSIGNED = reads("list targets of distribution set", "GET", f"{ROOT}/distributionsets/{{id}}/assignedTargets")
ASSIGN = writes("assign distribution set", "POST", f"{ROOT}/distributionsets/{{id}}/assignedTargets")

# Up to so many targets are asked about by their ids.
FEW = 200
# The server's quota is 5,000 targets an assignment; smaller ones keep a repeat cheap.
ASSIGN_CHUNK = 1000
PENDING_QUERY = "updatestatus==pending"
OVERDUE_QUERY = "lastcontrollerrequestat=le=${overdue_ts}"


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
        self.given: list[str] = []
        """Ids to which this object has assigned the set."""
        self._signature: tuple[int, ...] = ()
        self._off: frozenset[str] = frozenset()
        self._off_signature: tuple[int, ...] = ()

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
    def _assigned(self, ids: list[str]) -> None:
        """Take note of what has just been assigned."""

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
            self._reread()
            # counted before reading: what moves in between is seen by the next poll
            self._signature = counts
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
            return {"total": len(there)} if there else NOT_DONE

        answer = self.hawkbit.api.transport.send(
            ASSIGN,
            values={"id": self.set_id},
            json=[{"id": controller_id, **options} for controller_id in ids],
            shape=dict,
            read_back=read_back,
        )
        self._assigned(ids)
        dropped: list[str] = []
        if answer.data.get("total", len(ids)) != len(ids):
            there = set(self._targets(ASSIGNED, ids))
            dropped = [controller_id for controller_id in ids if controller_id not in there]
        for controller_id in dropped:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], UNKNOWN)
        self.given += [controller_id for controller_id in ids if controller_id not in set(dropped)]
        return dropped

    def _targets(self, operation: Any, ids: list[str] | None = None, query: str = "") -> dict[str, dict[str, Any]]:
        """Return the targets to which the set is assigned by id, all that there are or some of them."""
        portions = [self._few()] if ids is None else rsql.any_of("controllerid", ids)
        return {
            item["controllerId"]: item
            for portion in portions
            for item in self.hawkbit.api.pages(
                operation, values={"id": self.set_id}, query=rsql.both(query, portion) or None
            )
        }

    def _few(self, field_name: str = "controllerid") -> str:
        """Return the query for the selected targets when they are few: others that have the set need not be read."""
        portions = list(rsql.any_of(field_name, self.names)) if len(self.names) <= FEW else []
        return portions[0] if len(portions) == 1 else ""

    def _count_assigned(self, query: str = "") -> int:
        return self.hawkbit.api.count(ASSIGNED, values={"id": self.set_id}, query=rsql.both(query, self._few()) or None)

    def offline(self) -> int:
        """Return how many targets with an open deployment do not poll: never yet, or overdue.

        As with the states, counts tell whether it must be read again.
        """
        overdue = f"{PENDING_QUERY};{OVERDUE_QUERY}"
        counts = (*self._signature, self._count_assigned(PENDING_QUERY), self._count_assigned(overdue))
        if counts != self._off_signature:
            pending = self._targets(ASSIGNED, query=PENDING_QUERY).values()
            never = {item["controllerId"] for item in pending if not item.get("lastControllerRequestAt")}
            self._off = frozenset({*never, *self._targets(ASSIGNED, query=overdue)})
            self._off_signature = counts
        return sum(device.id in self._off for device in self.devices.values() if device.state in OPEN)


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
        moved_on = self._moved_on([action for action in self._actions.values() if action.state == FAILED])
        for controller_id, name in self.names.items():
            action = self._actions.get(controller_id)
            if action is None:
                state = SUCCEEDED if controller_id in assigned else ABSENT
                self.devices[controller_id] = Device(controller_id, name, state)
            elif controller_id in moved_on or (controller_id not in assigned and _ends_when_replaced(action)):
                # it has moved on to another set since
                self.devices[controller_id] = Device(controller_id, name, ABSENT)
            else:
                self.devices[controller_id] = _device(action, name)
        # from now on actions are looked at from the oldest open one on, or from the next one on
        known = self._actions.values()
        self._first = min([1 + max((a.id for a in known), default=0), *(a.id for a in known if self._is_open(a))])
        self._signature = ()

    def _moved_on(self, failed: list[Action]) -> set[str]:
        """Return the targets to which another set was assigned after it had failed with this one."""
        since = {action.controller_id: action.id for action in failed}
        moved_on = set()
        for portion in rsql.any_of("target.controllerid", since):
            for action in self.hawkbit.actions.search(rsql.both(f"id=ge={min(since.values()) + 1}", portion)):
                if action.id > since.get(action.controller_id, action.id):
                    moved_on.add(action.controller_id)
        return moved_on

    def _is_open(self, action: Action) -> bool:
        return self.devices[action.controller_id].state in OPEN

    def _query(self) -> str:
        return rsql.both(f"distributionset.id=={self.set_id};id=ge={self._first}", self._few("target.controllerid"))

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

    def _assigned(self, ids: list[str]) -> None:
        for controller_id in ids:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], PENDING, "running")
        self._signature = ()

    def explain(self, devices: Iterable[Device]) -> list[Device]:
        return self.hawkbit.actions.explain(devices, lambda device: self._actions.get(device.id))

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
        in_error = self.hawkbit.targets.search(rsql.both("updatestatus==error", self._few()))
        errors = {item["controllerId"] for item in in_error}
        suspects = [i for i in self.names if i in errors and i not in assigned]
        # those that are known already need not be looked at again
        failed = {i: True for i in suspects if i in ours and self.devices[i].state == FAILED}
        rest = [i for i in suspects if i not in failed]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            failed.update(zip(rest, pool.map(self._failed_here, rest)))
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
        return self._count_assigned(), self._count_assigned(PENDING_QUERY)

    def _assigned(self, ids: list[str]) -> None:
        for controller_id in ids:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], PENDING, "pending")
        self._signature = ()

    def explain(self, devices: Iterable[Device]) -> list[Device]:
        actions = self.hawkbit.actions
        return actions.explain(devices, lambda device: next(actions.of_target(device.id, limit=1), None))

    def cancel(self) -> None:
        self._reread()
        still_open = [device.id for device in self.devices.values() if device.state in OPEN]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            newest = pool.map(lambda i: next(self.hawkbit.actions.of_target(i, limit=1), None), still_open)
            actions = [action for action in newest if action is not None and action.active]
        self.hawkbit.actions.cancel(action for action in actions if action.type != "cancel")


def check_usable(found: Mapping[str, Any]) -> None:
    """Refuse a distribution set that cannot be given to anybody.

    Raises:
        InvalidInput: it is incomplete or was invalidated.
    """
    name = f"distribution_set {found['name']} {found['version']}"
    if found.get("complete") is False:
        raise InvalidInput(f"{name} is incomplete: add the modules that its type '{found.get('type')}' demands.")
    if found.get("valid") is False:
        raise InvalidInput(f"{name} was invalidated and cannot be assigned any more: use another version.")


def assignment(hawkbit: Hawkbit, set_id: int, names: Mapping[str, str]) -> Assignment:
    """Return the assignment in the form that this release allows."""
    kind = ByTargets if hawkbit.api.generation == SEED else ByActions
    return kind(hawkbit, set_id, names)


def _ends_when_replaced(action: Action) -> bool:
    """Tell whether an action has no more to say once its set is not the target's any more.

    One that failed or was cancelled takes the assignment with it, one of a rollout's later group has not made it yet.
    """
    return action.state == SUCCEEDED or (action.active and action.type == "cancel")


def _device(action: Action, name: str) -> Device:
    code = None if action.code is None else str(action.code)
    return Device(action.controller_id, name, action.state, action.native_state, code)
