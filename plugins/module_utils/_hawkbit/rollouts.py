# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit rollouts: reading, planning, writing, steering. Private to the collection.

The server moves a rollout from state to state by a scheduler, so each verb is followed by a look. Facts from
releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from .._core.deployment import FAILED, Counts, Device
from .._core.errors import Conflict, InvalidInput, Unsupported
from .._core.transport import NOT_DONE, Operation, reads, writes
from . import rsql
from .actions import Action, Actions
from .api import MODERN, PARALLEL, READ_CONFIGURATION, ROOT, SEED, Api
from .targets import Targets

LIST = reads("list rollouts", "GET", f"{ROOT}/rollouts")
READ = reads("read rollout", "GET", f"{ROOT}/rollouts/{{id}}")
GROUPS = reads("list groups of rollout", "GET", f"{ROOT}/rollouts/{{id}}/deploygroups")
GROUP = reads("read group of rollout", "GET", f"{ROOT}/rollouts/{{id}}/deploygroups/{{group}}")
GROUP_TARGETS = reads("list targets of rollout group", "GET", f"{ROOT}/rollouts/{{id}}/deploygroups/{{group}}/targets")
CREATE = writes("create rollout", "POST", f"{ROOT}/rollouts")
UPDATE = writes("update rollout", "PUT", f"{ROOT}/rollouts/{{id}}")
DELETE = writes("delete rollout", "DELETE", f"{ROOT}/rollouts/{{id}}")
START = writes("start rollout", "POST", f"{ROOT}/rollouts/{{id}}/start")
PAUSE = writes("pause rollout", "POST", f"{ROOT}/rollouts/{{id}}/pause")
RESUME = writes("resume rollout", "POST", f"{ROOT}/rollouts/{{id}}/resume")
APPROVE = writes("approve rollout", "POST", f"{ROOT}/rollouts/{{id}}/approve")
DENY = writes("deny rollout", "POST", f"{ROOT}/rollouts/{{id}}/deny")
TRIGGER = writes("trigger next group of rollout", "POST", f"{ROOT}/rollouts/{{id}}/triggerNextGroup")
RETRY = writes("retry rollout", "POST", f"{ROOT}/rollouts/{{id}}/retry")
STOP = writes("stop rollout", "POST", f"{ROOT}/rollouts/{{id}}/stop")

GONE = frozenset({"deleting", "deleted"})
# What the server appends to the name of a rollout that repeats another one for the devices on which that failed.
RETRY_SUFFIX = "_retry"
STOPPED = frozenset({"stopping", "stopped", "approval_denied", *GONE})


class Rollouts:
    """The rollouts of a tenant."""

    def __init__(self, api: Api, actions: Actions) -> None:
        self.api = api
        self.actions = actions

    # -- reading -----------------------------------------------------------------------------------------------

    def search(self, query: str | None = None, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield rollouts as the list shows them, in the order of their ids.

        Raises:
            InvalidInput: the server cannot use the query.
        """
        with _usable(query):
            # with counts, but for 0.3.0M7
            parameters = {"representation": "full"}
            yield from self.api.pages(LIST, query=query, sort="id:ASC", limit=limit, parameters=parameters)

    def count(self, query: str | None = None) -> int:
        """Return how many rollouts there are.

        Raises:
            InvalidInput: the server cannot use the query.
        """
        with _usable(query):
            return self.api.count(LIST, query=query)

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the rollout of this name, None when there is none (or one that was deleted after it had run)."""
        for item in self.api.exact(LIST, {"name": name}, rsql.equals("name", name)):
            return self.get(item["id"])
        return None

    def get(self, id: int) -> dict[str, Any] | None:
        """Return a rollout with its counts, None when it is gone."""
        answer = self.api.transport.send(READ, values={"id": id}, accept=(404,), shape=dict)
        if answer.status == 404 or answer.data.get("status") in GONE or answer.data.get("deleted"):
            return None
        found: dict[str, Any] = answer.data
        return found

    def groups(self, id: int) -> list[dict[str, Any]]:
        """Return the groups in their order, with counts."""
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            return list(pool.map(lambda group: self.counted(id, group), self.listed_groups(id)))

    def listed_groups(self, id: int) -> list[dict[str, Any]]:
        """Return the groups in their order, where the release has it with counts."""
        parameters = {"representation": "full"}
        return list(self.api.pages(GROUPS, values={"id": id}, sort="id:ASC", parameters=parameters))

    def counted(self, id: int, group: dict[str, Any]) -> dict[str, Any]:
        """Return a listed group with its counts, which 0.3.0M7 has only in the single group."""
        if "totalTargetsPerStatus" in group:
            return group
        values = {"id": id, "group": group["id"]}
        found: dict[str, Any] = self.api.transport.send(GROUP, values=values, shape=dict).data
        return found

    def failed_devices(self, rollout: Mapping[str, Any], limit: int) -> list[Device]:
        """Return devices on which the rollout failed, with their last message and log."""
        id = rollout["id"]
        if self.api.generation == SEED:
            targets = list(islice(self._group_targets(id, "updatestatus==error", limit), limit))
            newest = self.actions.of_target
            return self.actions.explain(map(_failed, targets), lambda device: next(newest(device.id, limit=1), None))
        field_name = "status" if self.api.generation == MODERN else "detailstatus"
        actions = self.actions.search(f"rollout.id=={id};{field_name}==error", limit=limit)
        failed = {action.controller_id: action for action in actions}
        # an action does not tell the name of its target
        known = Targets(self.api).find(failed)
        devices = [_failed(known.get(controller_id, {"controllerId": controller_id})) for controller_id in failed]
        return self.actions.explain(devices, lambda device: failed.get(device.id))

    def _group_targets(self, id: int, query: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
        for group in self.api.pages(GROUPS, values={"id": id}, sort="id:ASC"):
            values = {"id": id, "group": group["id"]}
            yield from self.api.pages(GROUP_TARGETS, values=values, query=query, limit=limit)

    # -- writing -----------------------------------------------------------------------------------------------

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a rollout and return it; it is not ready at once.

        Raises:
            Conflict: the name is used up, possibly by a rollout that was deleted after it had run.
        """
        name = str(body["name"])
        try:
            answer = self.api.transport.send(
                CREATE, json=body, shape=dict, read_back=lambda: self.find(name) or NOT_DONE
            )
        except Conflict as error:
            error.msg += f" The name '{name}' is used up, also by a rollout that was deleted: choose another one."
            raise
        created: dict[str, Any] = answer.data
        return created

    def describe(self, id: int, description: str) -> None:
        """Change the description.

        Raises:
            Unsupported: releases before 0.6 cannot.
        """

        def read_back() -> Any:
            return {} if (self.get(id) or {}).get("description") == description else NOT_DONE

        body = {"description": description}
        answer = self.api.transport.send(UPDATE, values={"id": id}, json=body, accept=(405,), read_back=read_back)
        if answer.status == 405:
            raise Unsupported("description of an existing rollout cannot be changed before hawkBit 0.6: leave it out.")

    def start(self, id: int) -> None:
        """Start a rollout that is ready."""
        self._steer(START, id, lambda status: status not in ("creating", "ready", "waiting_for_approval"))

    def pause(self, id: int) -> None:
        """Pause a rollout that is running."""
        self._steer(PAUSE, id, lambda status: status != "running")

    def resume(self, id: int) -> None:
        """Resume a rollout that is paused."""
        self._steer(RESUME, id, lambda status: status != "paused")

    def stop(self, id: int) -> None:
        """Stop a rollout for good: what is open is cancelled.

        Where the server cannot do that (before 0.10), the rollout is paused and its open actions are cancelled.
        """
        answer = self._steer(STOP, id, lambda status: status in STOPPED, accept=(404, 405))
        if answer < 400:
            return
        if (self.get(id) or {}).get("status") == "running":
            self.pause(id)
        self.actions.cancel(self._open_actions(id))

    def approve(self, id: int, remark: str | None = None) -> None:
        """Approve a rollout that waits for it."""
        self._steer(APPROVE, id, lambda status: status != "waiting_for_approval", query={"remark": remark})

    def deny(self, id: int, remark: str | None = None) -> None:
        """Deny a rollout that waits for approval."""
        self._steer(DENY, id, lambda status: status == "approval_denied", query={"remark": remark})

    def trigger(self, id: int) -> None:
        """Have the next group begin, whatever has become of those before."""
        begun = self.begun_groups(id)

        def read_back() -> Any:
            return {} if self.begun_groups(id) > begun else NOT_DONE

        self.api.transport.send(TRIGGER, values={"id": id}, read_back=read_back)

    def begun_groups(self, id: int) -> int:
        """Return how many groups have begun."""
        return sum(map(begun, self.listed_groups(id)))

    def retry(self, rollout: Mapping[str, Any]) -> dict[str, Any]:
        """Have a new rollout made for the devices on which one failed, and return it; it is not ready at once."""
        name = f"{rollout['name']}{RETRY_SUFFIX}"
        answer = self.api.transport.send(
            RETRY, values={"id": rollout["id"]}, shape=dict, read_back=lambda: self.find(name) or NOT_DONE
        )
        created: dict[str, Any] = answer.data
        return created

    def delete(self, id: int) -> None:
        """Delete a rollout; the server does it after a moment."""

        def read_back() -> Any:
            return {} if self.get(id) is None else NOT_DONE

        self.api.transport.send(DELETE, values={"id": id}, accept=(404,), read_back=read_back)

    def _steer(
        self,
        operation: Operation,
        id: int,
        done: Callable[[str], bool],
        accept: tuple[int, ...] = (),
        query: Mapping[str, Any] | None = None,
    ) -> int:
        def read_back() -> Any:
            rollout = self.get(id)
            return rollout if rollout is not None and done(rollout["status"]) else NOT_DONE

        answer = self.api.transport.send(operation, values={"id": id}, query=query, accept=accept, read_back=read_back)
        return answer.status

    def anything_open(self, id: int) -> bool:
        """Tell whether there are actions that could still be cancelled."""
        return next(self._open_actions(id), None) is not None

    def _open_actions(self, id: int) -> Iterator[Action]:
        if self.api.generation != SEED:
            query = "active==true" if self.api.generation == MODERN else "status==pending"
            for action in self.actions.search(f"rollout.id=={id};{query}"):
                if action.type != "cancel":
                    yield action
            return
        for target in self._group_targets(id, "updatestatus==pending"):
            for action in self.actions.of_target(target["controllerId"], limit=1):
                if action.active and action.type != "cancel":
                    yield action

    # -- features ----------------------------------------------------------------------------------------------

    def percentages_of_all(self) -> bool:
        """Tell whether a group's percentage is of all targets (from 0.5 on), or of those that remain.

        Raises:
            Unsupported: it cannot be found out.
        """
        return self._since_0_5("groups with percentages mean different things before and after hawkBit 0.5")

    def dynamic(self) -> bool:
        """Tell whether there are dynamic groups (from 0.5 on).

        Raises:
            Unsupported: it cannot be found out.
        """
        return self._since_0_5("dynamic_groups came with hawkBit 0.5")

    def _since_0_5(self, why: str) -> bool:
        if self.api.generation == MODERN:
            return True
        if self.api.generation == SEED:
            return False
        configuration = self.api.transport.send(READ_CONFIGURATION, shape=dict).data
        if "implicit.lock.enabled" in configuration:  # came with 0.5 as well
            return True
        if "multi.assignments.enabled" in configuration:
            return False
        raise Unsupported(
            f"{why}, and the user may not read the tenant configuration, which tells the two apart: give the user "
            "READ_TENANT_CONFIGURATION."
        )

    def takes_weight(self) -> bool:
        """Tell whether actions may have a weight: from 0.5 on, before only with multi-assignment."""
        if self.api.generation == MODERN:
            return True
        configuration = self.api.transport.send(READ_CONFIGURATION, shape=dict).data
        switch = configuration.get("multi.assignments.enabled")
        # a user who may not read it is told by the server
        return "implicit.lock.enabled" in configuration or switch is None or bool(switch.get("value"))


def group_percentages(wanted: Sequence[tuple[str | None, float | None]], of_all: bool) -> list[float]:
    """Return what to send for groups.

    A percentage counts among the targets of one query; those that a group before has under another query do not count.

    Args:
        wanted: query and percentage of each group; no query means all targets of the rollout, no percentage the rest.
        of_all: whether the server counts in percent of all, or of what the groups before of that query have left.

    Raises:
        InvalidInput: they do not make up the whole.
    """
    taken: dict[str, float] = {}
    sent = []
    for index, (query, percentage) in enumerate(wanted):
        last = index == len(wanted) - 1
        rest = 100.0 - taken.get(query or "", 0.0)
        if percentage is None:
            if not query and not last:
                raise InvalidInput(
                    "groups: only the last group, or one with a query of its own, may go without percentage: it takes "
                    "the rest."
                )
            share = rest
        else:
            share = percentage
            if not 0 < share <= 100:
                raise InvalidInput(f"groups: percentage is {share:g}, give more than 0 and at most 100.")
            if share > rest + 1e-6:
                raise InvalidInput(f"groups: the percentages add up to {100 - rest + share:g}: make it 100 at most.")
        whole = share >= rest - 1e-6
        if last and not query and not whole:
            raise InvalidInput(
                f"groups: the percentages add up to {100 - rest + share:g}: make it 100, or leave out the last one."
            )
        # 100 is the rest in both ways of counting
        sent.append(100.0 if whole else share if of_all else 100.0 * share / rest)
        taken[query or ""] = 100.0 - rest + share
    return sent


@contextmanager
def _usable(query: str | None) -> Iterator[None]:
    """Say it in words of the option when the server cannot use a query."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(
            f"query is '{query}', which hawkBit refuses ({error.message.rstrip('.')}): see the chapter on queries of "
            "hawkBit's documentation.",
            message=error.message,
            details=error.details,
            http=error.http,
        ) from error


def begun(group: Mapping[str, Any]) -> bool:
    """Tell whether a group has begun."""
    return group["status"] not in ("creating", "ready", "scheduled")


def _failed(target: Mapping[str, Any]) -> Device:
    controller_id = target["controllerId"]
    return Device(controller_id, target.get("name") or controller_id, FAILED, "error")


def counts_of(entity: Mapping[str, Any], stopped: bool = False) -> Counts:
    """Return the counts of a rollout, or of a group; C(stopped) says that the group's rollout is."""
    status = entity.get("totalTargetsPerStatus") or {}
    waiting = int(status.get("notstarted", 0)) + int(status.get("scheduled", 0))
    over = stopped or entity.get("status") in STOPPED or entity.get("status") == "finished"
    return Counts(
        selected=int(entity.get("totalTargets", 0)),
        pending=0 if over else waiting,
        running=int(status.get("running", 0)),
        succeeded=int(status.get("finished", 0)),
        failed=int(status.get("error", 0)),
        # what a stopped rollout had not begun is never begun, nor is a target of a finished one that was removed
        aborted=int(status.get("cancelled", 0)) + (waiting if over else 0),
    )
