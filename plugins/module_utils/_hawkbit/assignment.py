# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution set on its way to many targets: who has it, assign it, follow it. Private to the collection.

A few counts a poll tell whether anything has moved; only then states are read again, in pages of 500. (Devices'
feedback does not touch an action's C(lastModifiedAt) in 0.3.0M7, 0.9.0 and 1.0.4, so asking for what has changed since
is no way.)
"""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from .._core.deployment import ABORTED, ABSENT, FAILED, OPEN, PENDING, RUNNING, SUCCEEDED, UNKNOWN, Device
from .._core.errors import InvalidInput, NotFound, Rejected
from .._core.transport import NOT_DONE, Operation, reads, writes
from . import rsql
from .actions import CANCELING, DOWNLOADED, WAITS_FOR_CONFIRMATION, Action
from .api import MODERN, PARALLEL, ROOT, SEED
from .client import Hawkbit
from .distribution_sets import INSTALLED_TARGETS
from .rules import error_code
from .targets import LIST

ASSIGNED = reads("list targets of distribution set", "GET", f"{ROOT}/distributionsets/{{id}}/assignedTargets")
ASSIGN = writes("assign distribution set", "POST", f"{ROOT}/distributionsets/{{id}}/assignedTargets")
ASSIGN_ONE = writes("assign distribution set", "POST", f"{ROOT}/targets/{{controller_id}}/assignedDS")

# Up to so many targets are asked about by their ids.
FEW = 200
# The server's quota is 5,000 targets an assignment; smaller ones keep a repeat cheap.
ASSIGN_CHUNK = 1000
# Seconds for each of them: a chunk took half a minute on a loaded 1.0.4 whose devices finished at the same time.
ASSIGN_WORK = 0.1
PENDING_QUERY = "updatestatus==pending"
OVERDUE_QUERY = "lastcontrollerrequestat=le=${overdue_ts}"
# Reading the states of a large fleet again and again would keep the server from its devices: after one that took longer
# than so many seconds, there is a pause of so many times its length.
LONG_LOOK = 0.5
PAUSE = 9
# Of several sets on one target, what stands first decides.
WORST_FIRST = (FAILED, ABORTED, UNKNOWN, RUNNING, PENDING, ABSENT)


@dataclass
class ServerCounts:
    """What the server has answered to assignments, added up; C(assigned_actions) are ids."""

    assigned: int = 0
    already_assigned: int = 0
    total: int = 0
    assigned_actions: list[str] = field(default_factory=list)

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take one answer into account."""
        self.assigned += answer.get("assigned", 0)
        self.already_assigned += answer.get("alreadyAssigned", 0)
        self.total += answer.get("total", 0)
        self.assigned_actions += [str(action["id"]) for action in answer.get("assignedActions", [])]


class Assignment(ABC):
    """One distribution set and the targets that are to have it.

    Args:
        hawkbit: the client.
        set_id: id of the distribution set.
        names: names of the selected targets by id.
        beside: whether sets are assigned beside each other (multi-assignment): one does not end another, and the same
            again is one more action.
        download: whether a device that has only downloaded the set has all that is wanted. Else it counts as failed,
            or beside each other as one that lacks the set.
    """

    first_native_state = "running"

    def __init__(
        self, hawkbit: Hawkbit, set_id: int, names: Mapping[str, str], beside: bool = False, download: bool = False
    ) -> None:
        self.hawkbit = hawkbit
        self.set_id = set_id
        self.names = names
        self.beside = beside
        self.download = download
        self.server = ServerCounts()
        self.busy: list[str] = []
        """Ids for which the server has not recorded an update, since another one is under way there."""
        self.devices: dict[str, Device] = {}
        self.given: list[str] = []
        """Ids to which this object has assigned the set."""
        self._signature: tuple[int, ...] = ()
        self._next_look = 0.0
        self._off: frozenset[str] = frozenset()
        self._off_signature: tuple[int, ...] = ()

    @abstractmethod
    def read(self) -> None:
        """Read the state of every selected target into C(devices)."""

    @abstractmethod
    def _counts(self) -> tuple[int, ...]:
        """Return counts that differ as soon as a device has moved; a few small requests."""

    def _urgent(self, counts: tuple[int, ...]) -> bool:
        """Tell whether these counts may decide the wait, so that the states are read again at once."""
        return True

    @abstractmethod
    def _reread(self) -> None:
        """Read the states again that may have moved."""

    @abstractmethod
    def explain(self, devices: Iterable[Device]) -> list[Device]:
        """Return failed devices with their last message and log, a few requests each."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel what is still open."""

    def refresh(self) -> dict[str, Device]:
        """Return the state of every selected target, read again only when something has moved."""
        counts = self._counts()
        began = time.monotonic()
        if counts != self._signature and (began >= self._next_look or self._urgent(counts)):
            self._reread()
            # counted before reading: what moves in between is seen by the next poll
            self._signature = counts
            now = time.monotonic()
            self._next_look = now + (PAUSE * (now - began) if now - began > LONG_LOOK else 0)
        return self.devices

    def assign(self, ids: list[str], options: Mapping[str, Any], offline: bool = False) -> list[str]:
        """Assign the set to targets.

        Args:
            ids: targets that do not have it yet.
            options: fields of the request beside the id.
            offline: whether it is only to be recorded that they have it.

        Returns:
            Ids that the server dropped without a word: it does not know them any more.
        """
        dropped: list[str] = []
        for start in range(0, len(ids), ASSIGN_CHUNK):
            dropped += self._assign_chunk(ids[start : start + ASSIGN_CHUNK], options, offline)
        return dropped

    def _assign_chunk(self, ids: list[str], options: Mapping[str, Any], offline: bool) -> list[str]:
        def read_back() -> Any:
            there = self.there(ids)
            # one transaction: a part of it means that some ids are unknown
            return {"total": len(there), "assigned": len(there)} if there else NOT_DONE

        answer = self.hawkbit.api.transport.send(
            ASSIGN,
            values={"id": self.set_id},
            query=offline_query(offline),
            json=[{"id": controller_id, **options} for controller_id in ids],
            shape=dict,
            read_back=read_back,
            work=ASSIGN_WORK * len(ids),
        )
        self.server.add(answer.data)
        complete = answer.data.get("total", len(ids)) == len(ids)
        known = set(ids if complete else self.hawkbit.targets.find(ids))
        if offline and (answer.data.get("alreadyAssigned") or not complete):
            there = self.there(ids)
            self.busy += [controller_id for controller_id in ids if controller_id in known - there]
        refused = set(self.busy)
        self.take_note([i for i in ids if i in known and i not in refused], options, offline)
        dropped = [controller_id for controller_id in ids if controller_id not in known]
        for controller_id in dropped:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], UNKNOWN)
        return dropped

    def take_note(self, ids: list[str], options: Mapping[str, Any], offline: bool) -> None:
        """Take note of what has just been assigned."""
        state, native = PENDING, self.first_native_state
        if offline:
            state, native = SUCCEEDED, "finished"
        elif options.get("confirmationRequired"):
            native = WAITS_FOR_CONFIRMATION
        for controller_id in ids:
            self.devices[controller_id] = Device(controller_id, self.names[controller_id], state, native)
        self.given += ids
        self._signature = ()

    def there(self, ids: list[str]) -> set[str]:
        """Return those of the targets that have been given the set since the last look."""
        return set(self._targets(ASSIGNED, ids))

    def _targets(
        self, operation: Operation, ids: list[str] | None = None, query: str = ""
    ) -> dict[str, dict[str, Any]]:
        """Return targets of a list by id, all that there are or some of them."""
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

    def _count(self, operation: Operation, query: str = "") -> int:
        query = rsql.both(query, self._few())
        return self.hawkbit.api.count(operation, values={"id": self.set_id}, query=query or None)

    def only_downloaded(self) -> list[str]:
        """Return the targets that have downloaded the set, and were not told to install it."""
        return [d.id for d in self.devices.values() if (d.state, d.native_state) == (FAILED, DOWNLOADED)]

    def off(self) -> frozenset[str]:
        """Return the targets with an open deployment that do not poll: never yet, or overdue.

        As with the states, counts tell whether it must be read again.
        """
        overdue = f"{PENDING_QUERY};{OVERDUE_QUERY}"
        # the list of a set does not have targets that have been assigned another one beside it
        pool = LIST if self.beside else ASSIGNED
        counts = (*self._signature, self._count(pool, PENDING_QUERY), self._count(pool, overdue))
        if counts != self._off_signature:
            pending = self._targets(pool, query=PENDING_QUERY).values()
            never = {item["controllerId"] for item in pending if not item.get("lastControllerRequestAt")}
            self._off = frozenset({*never, *self._targets(pool, query=overdue)})
            self._off_signature = counts
        return self._off


class ByActions(Assignment):
    """Follows the actions of the set: exact states, from 0.3.0M8 on."""

    def __init__(
        self, hawkbit: Hawkbit, set_id: int, names: Mapping[str, str], beside: bool = False, download: bool = False
    ) -> None:
        super().__init__(hawkbit, set_id, names, beside, download)
        self._actions: dict[str, Action] = {}
        self._first = 0

    def read(self) -> None:
        assigned = self._targets(ASSIGNED)
        self._first = 0
        self._actions = self._newest()
        failed = [action for action in self._actions.values() if action.state == FAILED]
        moved_on = set() if self.beside else self._moved_on(failed)
        for controller_id, name in self.names.items():
            action = self._actions.get(controller_id)
            if action is None:
                state = SUCCEEDED if controller_id in assigned else ABSENT
                self.devices[controller_id] = Device(controller_id, name, state)
            elif controller_id in moved_on or not (
                self.beside or controller_id in assigned or not _ends_when_replaced(action)
            ):
                # it has moved on to another set since
                self.devices[controller_id] = Device(controller_id, name, ABSENT)
            elif self.beside and self._lacks(action):
                self.devices[controller_id] = Device(controller_id, name, ABSENT)
            else:
                self.devices[controller_id] = self._device(action)
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

    def _lacks(self, action: Action) -> bool:
        """Tell whether an action has come to a good end without bringing about what is wanted."""
        return action.state == SUCCEEDED and action.native_state == DOWNLOADED and not self.download

    def _device(self, action: Action) -> Device:
        name = self.names[action.controller_id]
        if self._lacks(action):
            return _downloaded(action.controller_id, name)
        code = None if action.code is None else str(action.code)
        return Device(action.controller_id, name, action.state, action.native_state, code)

    def _is_open(self, action: Action) -> bool:
        return self.devices[action.controller_id].state in OPEN

    def _query(self, few: bool = True) -> str:
        query = f"distributionset.id=={self.set_id};id=ge={self._first}"
        return rsql.both(query, self._few("target.controllerid")) if few else query

    def _newest(self, ids: Iterable[str] | None = None) -> dict[str, Action]:
        """Return the newest action of each selected target that has one.

        Args:
            ids: those to which it matters; None for all whose newest action may not be known yet.
        """
        portions = [self._query()]
        if ids is not None:
            portions = [rsql.both(self._query(few=False), one) for one in rsql.any_of("target.controllerid", ids)]
        newest: dict[str, Action] = {}
        for portion in portions:
            for action in self.hawkbit.actions.search(portion):
                if action.controller_id in self.names:
                    newest.setdefault(action.controller_id, action)
        return {action.controller_id: action for action in self.hawkbit.actions.settle(newest.values())}

    def _counts(self) -> tuple[int, ...]:
        modern = self.hawkbit.api.generation == MODERN
        state = "status" if modern else "detailstatus"
        # what is being cancelled is active as well
        under_way = f"{self.hawkbit.actions.active_query};{state}!={CANCELING}"
        asked = [under_way, f"{state}==error", f"{state}==retrieved"]
        if any(device.native_state == WAITS_FOR_CONFIRMATION for device in self.devices.values()):
            asked.append(f"{state}=={WAITS_FOR_CONFIRMATION}")
        return tuple(self.hawkbit.actions.count(f"{self._query()};{part}") for part in asked)

    def _urgent(self, counts: tuple[int, ...]) -> bool:
        # nothing is open, or one more has failed
        return not any(counts[:1]) or counts[1:2] != self._signature[1:2]

    def _reread(self) -> None:
        newest = self._newest()
        missing = [device.id for device in self.devices.values() if device.state in OPEN and device.id not in newest]
        if missing:
            # a removal moves the others up, so that one may be missed between two pages
            newest.update(self._newest(missing))
        for controller_id, action in newest.items():
            self._actions[controller_id] = action
            device = self._device(action)
            # somebody else has cancelled it, or assigned another set; whether the device hears of it is open
            given_up = action.active and action.type == "cancel"
            self.devices[controller_id] = replace(device, state=ABORTED) if given_up else device
        for controller_id in missing:
            if controller_id not in newest:
                self.devices[controller_id] = Device(controller_id, self.names[controller_id], ABORTED)

    def had(self) -> list[str]:
        """Return the targets whose newest action with the set has succeeded or is under way, whatever came since."""
        newest = self._newest().values()
        return [a.controller_id for a in newest if a.state == SUCCEEDED or (a.state in OPEN and a.type != "cancel")]

    def there(self, ids: list[str]) -> set[str]:
        if not self.beside:
            return super().there(ids)
        newest = self._newest(ids)
        old = {controller_id: action.id for controller_id, action in self._actions.items()}
        return {i for i in ids if i in newest and newest[i].id > old.get(i, 0)}

    def explain(self, devices: Iterable[Device]) -> list[Device]:
        return self.hawkbit.actions.explain(devices, lambda device: self._actions.get(device.id))

    def cancel(self) -> None:
        self._reread()
        self.hawkbit.actions.cancel(a for a in self._actions.values() if self._is_open(a) and a.active)


class ByActionsOfTargets(ByActions):
    """The same for 0.3.0M7 with multi-assignment: targets are asked for their actions, and actions for their set."""

    first_native_state = "pending"

    def __init__(
        self, hawkbit: Hawkbit, set_id: int, names: Mapping[str, str], beside: bool = False, download: bool = False
    ) -> None:
        super().__init__(hawkbit, set_id, names, beside, download)
        self._looks = itertools.count(1)

    def _newest(self, ids: Iterable[str] | None = None) -> dict[str, Action]:
        if ids is None:
            # others are at their end
            ids = [i for i in self.names if i not in self.devices or self.devices[i].state in OPEN]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            newest = [action for action in pool.map(self._newest_of, ids) if action is not None]
        return {action.controller_id: action for action in self.hawkbit.actions.settle(newest)}

    def _newest_of(self, controller_id: str) -> Action | None:
        actions = self.hawkbit.actions
        of_set = (a for a in actions.of_target(controller_id) if actions.distribution_set_of(a) == str(self.set_id))
        try:
            return next(of_set, None)
        except NotFound:
            # the target has been removed
            return None

    def _counts(self) -> tuple[int, ...]:
        # nothing tells whether something has moved
        return (next(self._looks),) if any(device.state in OPEN for device in self.devices.values()) else ()


class ByTargets(Assignment):
    """Follows the targets' update status: 0.3.0M7 has no list of all actions, and no state in an action.

    A target whose update failed is no longer assigned to the set; its newest action tells to which set it was.
    """

    first_native_state = "pending"

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
        lacking = self._lacking([i for i in self.names if assigned.get(i, {}).get("updateStatus") == "in_sync"])
        for controller_id, name in self.names.items():
            if controller_id in lacking:
                self.devices[controller_id] = _downloaded(controller_id, name)
                continue
            status = assigned[controller_id].get("updateStatus") if controller_id in assigned else None
            if status is not None:
                state = {"in_sync": SUCCEEDED, "error": FAILED}.get(status, PENDING)
            elif failed.get(controller_id):
                state, status = FAILED, "error"
            else:
                state = ABORTED if controller_id in ours else ABSENT
            self.devices[controller_id] = Device(controller_id, name, state, status)

    def _lacking(self, in_sync: list[str]) -> set[str]:
        """Return those targets that have downloaded the set, but not installed it."""
        # what was there once is not asked about again
        new = [i for i in in_sync if i not in self.devices or self.devices[i].state != SUCCEEDED]
        if self.download or not new:
            return set()
        return set(new) - self._targets(INSTALLED_TARGETS, new if len(new) <= FEW else None).keys()

    def _failed_here(self, controller_id: str) -> bool:
        for action in self.hawkbit.actions.of_target(controller_id, limit=1):
            return self.hawkbit.actions.distribution_set_of(action) == str(self.set_id)
        return False

    def _counts(self) -> tuple[int, ...]:
        return self._count(ASSIGNED), self._count(ASSIGNED, PENDING_QUERY)

    def _urgent(self, counts: tuple[int, ...]) -> bool:
        # a target that fails is not assigned any more
        return not counts[1] or counts[:1] != self._signature[:1]

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


def assignment(
    hawkbit: Hawkbit, set_id: int, names: Mapping[str, str], beside: bool = False, download: bool = False
) -> Assignment:
    """Return the assignment in the form that this release allows."""
    if hawkbit.api.generation == SEED and not beside:
        return ByTargets(hawkbit, set_id, names, beside, download)
    return by_actions(hawkbit, set_id, names, beside, download)


def by_actions(
    hawkbit: Hawkbit, set_id: int, names: Mapping[str, str], beside: bool, download: bool = False
) -> ByActions:
    """Return an assignment that looks at actions, whatever this costs."""
    kind = ByActionsOfTargets if hawkbit.api.generation == SEED else ByActions
    return kind(hawkbit, set_id, names, beside, download)


class Assignments:
    """One distribution set, or several beside each other, and the targets that are to have them all.

    Args:
        hawkbit: the client.
        parts: one for each set, all for the same targets.
    """

    def __init__(self, hawkbit: Hawkbit, parts: list[Assignment]) -> None:
        self.hawkbit = hawkbit
        self.parts = parts

    @property
    def devices(self) -> dict[str, Device]:
        """The state of every selected target: of several sets the one that has come least far."""
        first, *others = (part.devices for part in self.parts)
        if not others:
            return first
        return {
            controller_id: _least_far([device, *(other[controller_id] for other in others)])
            for controller_id, device in first.items()
        }

    @property
    def given(self) -> list[str]:
        """Ids of the targets to which something has been assigned."""
        return list(dict.fromkeys(controller_id for part in self.parts for controller_id in part.given))

    @property
    def busy(self) -> list[str]:
        """Ids for which the server has not recorded an update, since another one is under way there."""
        return list(dict.fromkeys(controller_id for part in self.parts for controller_id in part.busy))

    @property
    def server(self) -> ServerCounts:
        """What the server has answered, for all sets together."""
        whole = ServerCounts()
        for part in self.parts:
            whole.assigned += part.server.assigned
            whole.already_assigned += part.server.already_assigned
            whole.total += part.server.total
            whole.assigned_actions += part.server.assigned_actions
        return whole

    def read(self) -> None:
        """Read the state of every selected target."""
        for part in self.parts:
            part.read()

    def refresh(self) -> None:
        """Read it again as far as something has moved."""
        for part in self.parts:
            part.refresh()

    def assign(self, wanted: list[list[str]], options: list[Mapping[str, Any]], offline: bool = False) -> list[str]:
        """Assign each set to its targets: what is for one target only goes in one request, else one for each set.

        Args:
            wanted: for each set the targets that do not have it yet.
            options: for each set the fields of the request beside the id.
            offline: whether it is only to be recorded that they have it.

        Returns:
            Ids that the server does not know any more.

        Raises:
            Rejected: what the server refuses, such as a weight without multi-assignment up to 0.4.
        """
        todo = [item for item in zip(self.parts, wanted, options) if item[1]]
        ids = {controller_id for _part, some, _how in todo for controller_id in some}
        try:
            if len(ids) == 1:
                return self._assign_one(ids.pop(), [(part, how) for part, _some, how in todo], offline)
            dropped = [controller_id for part, some, how in todo for controller_id in part.assign(some, how, offline)]
        except Rejected as error:
            weights = [how["weight"] for _part, _some, how in todo if "weight" in how]
            if weights and error_code(error.details) == "multiassignmentnotenabled":
                error.msg = (
                    f"weight is {weights[0]}, but this hawkBit takes one with multi-assignment only: leave it out."
                )
            raise
        return list(dict.fromkeys(dropped))

    def _assign_one(
        self, controller_id: str, todo: list[tuple[Assignment, Mapping[str, Any]]], offline: bool
    ) -> list[str]:
        def there() -> list[Assignment]:
            return [part for part, _how in todo if controller_id in part.there([controller_id])]

        def read_back() -> Any:
            done = len(there())
            return {"total": done, "assigned": done} if done else NOT_DONE

        bodies = [{"id": part.set_id, **how} for part, how in todo]
        try:
            answer = self.hawkbit.api.transport.send(
                ASSIGN_ONE,
                values={"controller_id": controller_id},
                query=offline_query(offline),
                json=bodies[0] if len(bodies) == 1 else bodies,
                shape=dict,
                read_back=read_back,
            )
        except NotFound:
            if self.hawkbit.targets.find([controller_id]):
                raise
            for part, _how in todo:
                part.devices[controller_id] = Device(controller_id, part.names[controller_id], UNKNOWN)
            return [controller_id]
        todo[0][0].server.add(answer.data)
        taken = there() if offline and answer.data.get("alreadyAssigned") else [part for part, _how in todo]
        for part, how in todo:
            if part in taken:
                part.take_note([controller_id], how, offline)
            else:
                part.busy.append(controller_id)
        return []

    def offline(self) -> int:
        """Return how many targets with an open deployment do not poll."""
        off = frozenset[str]().union(*(part.off() for part in self.parts))
        return sum(device.id in off for device in self.devices.values() if device.state in OPEN)

    def explain(self, devices: Iterable[Device]) -> list[Device]:
        """Return failed devices with their last message and log, a few requests each."""
        devices = list(devices)
        explained: dict[str, Device] = {}
        for part in self.parts:
            left = [part.devices[device.id] for device in devices if device.id not in explained]
            failed = [device for device in left if device.state == FAILED]
            explained.update({device.id: device for device in part.explain(failed)})
        return [explained.get(device.id, device) for device in devices]

    def cancel(self) -> None:
        """Cancel what is still open."""
        for part in self.parts:
            part.cancel()


def offline_query(offline: bool) -> dict[str, str]:
    """Return the parameters of an assignment."""
    return {"offline": "true"} if offline else {}


def _least_far(devices: list[Device]) -> Device:
    """Return the one that stands for several sets on a target."""
    states = {device.state: device for device in reversed(devices)}
    worst = next((states[state] for state in WORST_FIRST if state in states), devices[0])
    # one set is there, the other one is not yet
    return replace(worst, state=RUNNING) if worst.state == PENDING and SUCCEEDED in states else worst


def _ends_when_replaced(action: Action) -> bool:
    """Tell whether an action has no more to say once its set is not the target's any more.

    One that failed or was cancelled takes the assignment with it, one of a rollout's later group has not made it yet.
    """
    return action.state == SUCCEEDED or (action.active and action.type == "cancel")


def _downloaded(controller_id: str, name: str) -> Device:
    message = "The device has downloaded the set, and was not told to install it."
    return Device(controller_id, name, FAILED, DOWNLOADED, message=message)
