# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit actions: one reading of their state for all releases. Private to the collection.

What C(status) means differs: up to 0.9 it is C(pending) or C(finished) and tells only whether the action is
active; 0.3.0M8 to 0.9 have the real state in C(detailStatus); from 0.10 on it is in C(status), beside C(active).
In 0.3.0M7 the real state is in the action's history alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from .._core.deployment import ABORTED, FAILED, PENDING, RUNNING, SUCCEEDED, UNKNOWN, Device
from .._core.errors import FleetError, Unreachable, Unsupported
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .api import LIST_ACTIONS, MODERN, PAGE, PARALLEL, ROOT, SEED, Api

OF_TARGET = reads("list actions of target", "GET", f"{ROOT}/targets/{{controller_id}}/actions")
READ = reads("read action", "GET", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}")
HISTORY = reads("read history of action", "GET", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}/status")
CANCEL = writes("cancel action", "DELETE", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}")
FORCE = writes("switch action to forced", "PUT", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}")
CONFIRM = writes("answer for action", "PUT", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}/confirmation")

ENDINGS = {"finished": SUCCEEDED, "error": FAILED, "canceled": ABORTED}
# Active, but the device has not asked for it yet, or may not start.
WAITS_FOR_CONFIRMATION = "wait_for_confirmation"
# How an action ends that is only to be downloaded.
DOWNLOADED = "downloaded"
# The device has been asked to give up; the type of such an action is C(cancel).
CANCELING = "canceling"
NOT_STARTED = frozenset({"running", "scheduled", WAITS_FOR_CONFIRMATION})


@dataclass(frozen=True)
class Action:
    """One action, read alike for all releases.

    ``native_state`` is hawkBit's word, or None where only the history tells it. ``state`` is one of pending,
    running, succeeded, failed, aborted, and unknown where the history must be asked.
    """

    id: int
    controller_id: str
    active: bool
    native_state: str | None
    state: str
    type: str
    force_type: str | None
    created_at: int | None
    code: int | None
    force_time: int | None = None


def normalise(action: dict[str, Any]) -> Action:
    """Return an action of the API in the one form; see the table in the module's head."""
    status = action.get("status")
    active = action.get("active", status == "pending")
    native = action.get("detailStatus") or (status if "active" in action else None)
    return Action(
        id=int(action["id"]),
        controller_id=controller_of(action),
        active=bool(active),
        native_state=native,
        state=_state(active, native, action),
        type=action.get("type", "update"),
        force_type=action.get("forceType"),
        created_at=action.get("createdAt"),
        code=action.get("lastStatusCode"),
        force_time=action.get("forceTime"),
    )


def controller_of(action: dict[str, Any]) -> str:
    """Return the target's id: it stands in the action's address only, C(_links.target.name) is the target's name."""
    address = action["_links"]["self"]["href"]
    # an id may be "targets" or "actions" as well
    place = re.search(r"/targets/([^/]+)/actions/[^/]+$", address)
    return unquote(place[1]) if place else ""


def _state(active: bool, native: str | None, action: dict[str, Any]) -> str:
    if active:
        return PENDING if native in NOT_STARTED else RUNNING
    if native == "scheduled":
        # a rollout group that has not started: inactive, yet not at its end
        return PENDING
    if native in ENDINGS:
        return ENDINGS[native]
    if native == DOWNLOADED and action.get("forceType") == "downloadonly":
        return SUCCEEDED
    if native is None and action.get("type") == "cancel":
        return ABORTED
    # 0.3.0M7, or a device that asked once more after the end, which puts the action back to "retrieved"
    return UNKNOWN


class Actions:
    """The actions of a tenant's targets."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._settled: dict[int, Action] = {}
        self._sets: dict[int, str] = {}

    def search(self, query: str, limit: int | None = None) -> Iterator[Action]:
        """Yield actions of all targets, newest first. Not in 0.3.0M7."""
        for action in self.api.pages(LIST_ACTIONS, query=query, sort="id:DESC", limit=limit):
            yield normalise(action)

    def count(self, query: str) -> int:
        """Return how many actions of all targets a query finds. Not in 0.3.0M7."""
        return self.api.count(LIST_ACTIONS, query=query)

    def of_target(self, controller_id: str, limit: int | None = None) -> Iterator[Action]:
        """Yield one target's actions, newest first."""
        values = {"controller_id": controller_id}
        for action in self.api.pages(OF_TARGET, values=values, sort="id:DESC", limit=limit):
            yield normalise(action)

    def distribution_set_of(self, action: Action) -> str | None:
        """Return the id of an action's distribution set, which never changes; None when the action is gone."""
        if action.id not in self._sets:
            answer = self.api.transport.send(READ, values=_path(action), accept=(404,), shape=dict)
            links = (answer.data or {}).get("_links", {})
            if "distributionset" not in links:
                return None
            self._sets[action.id] = links["distributionset"]["href"].rpartition("/")[2]
        return self._sets[action.id]

    def denied(self, action: Action) -> bool:
        """Tell whether an action that waits for confirmation was denied before: it says once more that it waits."""
        entries = self.history(action, limit=PAGE)
        return len([entry for entry in entries if entry.get("type") == WAITS_FOR_CONFIRMATION]) > 1

    def history(self, action: Action, limit: int | None = 50) -> list[dict[str, Any]]:
        """Return what was reported about an action, newest first; C(messages) hold text only.

        It is the devices' own text: secrets and control characters are cut out.
        """
        clean = self.api.transport.redactor.clean
        entries = self.api.pages(HISTORY, values=_path(action), sort="id:DESC", limit=limit)
        return [
            {**entry, "messages": [clean(str(text)) for text in entry.get("messages") or [] if text]}
            for entry in entries
        ]

    def settle(self, actions: Iterable[Action]) -> Iterator[Action]:
        """Yield actions with their state taken from the history where nothing else tells it."""
        actions = list(actions)
        doubtful = [action for action in actions if action.state == UNKNOWN and action.id not in self._settled]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            for action in pool.map(self._settle_one, doubtful):
                if action.state != UNKNOWN:
                    # an end is final: each poll would ask again
                    self._settled[action.id] = action
        for action in actions:
            yield self._settled.get(action.id, action) if action.state == UNKNOWN else action

    def _settle_one(self, action: Action) -> Action:
        # a device that goes on asking buries the end
        for entry in self.history(action, limit=PAGE):
            kind = entry.get("type")
            if kind in ENDINGS:
                return replace(action, native_state=kind, state=ENDINGS[kind])
            if kind == DOWNLOADED and action.force_type == "downloadonly":
                return replace(action, native_state=kind, state=SUCCEEDED)
        return action

    def explain(self, devices: Iterable[Device], action_of: Callable[[Device], Action | None]) -> list[Device]:
        """Return failed devices with their last message and log, as far as the server tells them: a report must not
        fail for want of these, nor wait for a server that is gone.

        Args:
            devices: the failed ones.
            action_of: finds the action of one.
        """
        gone = threading.Event()

        def one(device: Device) -> Device:
            if gone.is_set():
                return device
            try:
                action = action_of(device)
                if action is None:
                    return device
                message, log = self.failure(action)
            except FleetError as error:
                if isinstance(error, Unreachable):
                    gone.set()
                return device
            code = device.code if action.code is None else str(action.code)
            return replace(device, code=code, message=message or device.message, log=log)

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            return list(pool.map(one, devices))

    def failure(self, action: Action) -> tuple[str | None, str | None]:
        """Return the last message of a failed action, and the lines of its history, oldest first."""
        entries = self.history(action)
        message = next(("; ".join(e["messages"]) for e in entries if e.get("type") == "error" and e["messages"]), None)
        lines = [f"{entry.get('type')}: {text}" for entry in reversed(entries) for text in entry["messages"]]
        return message, "\n".join(lines) or None

    def get(self, controller_id: str, action_id: int) -> Action | None:
        """Return one action of a target, None when the target has none of that id."""
        values = {"controller_id": controller_id, "action_id": action_id}
        answer = self.api.transport.send(READ, values=values, accept=(404,), shape=dict)
        return None if answer.status == 404 else normalise(answer.data)

    def active(self, controller_ids: Iterable[str]) -> Iterator[Action]:
        """Yield the active actions of targets."""
        if self.api.generation == SEED:
            with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
                for actions in pool.map(lambda i: list(self.of_target(i)), controller_ids):
                    yield from (action for action in actions if action.active)
            return
        active = self.active_query
        for part in rsql.any_of("target.controllerid", controller_ids):
            yield from self.search(rsql.both(active, part))

    @property
    def active_query(self) -> str:
        """The query for active actions, from 0.3.0M8 on."""
        return "active==true" if self.api.generation == MODERN else "status==pending"

    def cancel(self, actions: Iterable[Action]) -> None:
        """Ask the devices to give up; an action that is cancelled or over already is left alone."""
        self._each(self._cancel_one, actions)

    def force_cancel(self, actions: Iterable[Action]) -> None:
        """End actions without asking the devices, which is only possible after they have been asked."""
        self._each(self._force_cancel_one, actions)

    def force(self, actions: Iterable[Action]) -> None:
        """Switch actions to forced."""
        self._each(self._force_one, actions)

    def confirm(self, actions: Iterable[Action], code: int | None, details: list[str]) -> None:
        """Let actions begin that wait for confirmation.

        Raises:
            Unsupported: hawkBit up to 0.7 leaves that to the devices.
        """
        body = _confirmation("confirmed", code, details)
        self._each(lambda action: self._answer_for(action, body, self._no_longer_waits), actions)

    def deny(self, actions: Iterable[Action], code: int | None, details: list[str]) -> None:
        """Leave actions waiting that wait for confirmation and have not been denied; it is kept in their history.

        Raises:
            Unsupported: hawkBit up to 0.7 leaves that to the devices.
        """
        body = _confirmation("denied", code, details)
        self._each(lambda action: self._answer_for(action, body, self.denied), actions)

    def _each(self, work: Callable[[Action], None], actions: Iterable[Action]) -> None:
        """Do something for each action, a few at a time; an error says whether something has been C(changed)."""
        done: list[Action] = []

        def one(action: Action) -> None:
            work(action)
            done.append(action)

        try:
            with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
                for _done in pool.map(one, list(actions)):
                    pass
        except FleetError as error:
            error.result.setdefault("changed", bool(done))
            raise

    def _cancel_one(self, action: Action) -> None:
        self._end(action, {}, lambda found: found is None or found.type == "cancel" or not found.active)

    def _force_cancel_one(self, action: Action) -> None:
        if action.type != "cancel":
            self._cancel_one(action)
        self._end(action, {"force": "true"}, lambda found: found is None or not found.active)

    def _end(self, action: Action, query: dict[str, str], done: Callable[[Action | None], bool]) -> None:
        def read_back() -> Any:
            return {} if done(self.get(action.controller_id, action.id)) else NOT_DONE

        try:
            self.api.transport.send(CANCEL, values=_path(action), query=query, read_back=read_back)
        except FleetError as error:
            # 405: cancelled or over already, 404: the target is gone; or something else than hawkBit has answered
            if error.status not in (404, 405) or read_back() is NOT_DONE:
                raise

    def _force_one(self, action: Action) -> None:
        def read_back() -> Any:
            found = self.get(action.controller_id, action.id)
            return {} if found is None or found.force_type == "forced" else NOT_DONE

        self.api.transport.send(FORCE, values=_path(action), json={"forceType": "forced"}, read_back=read_back)

    def _no_longer_waits(self, action: Action) -> bool:
        found = self.get(action.controller_id, action.id)
        return found is None or found.native_state != WAITS_FOR_CONFIRMATION

    def _answer_for(self, action: Action, body: dict[str, Any], done: Callable[[Action], bool]) -> None:
        # 410: over already; 404 with an empty body: it does not wait any more
        answer = self.api.transport.send(
            CONFIRM,
            values=_path(action),
            json=body,
            accept=(404, 410),
            read_back=lambda: {} if done(action) else NOT_DONE,
        )
        if answer.status == 404 and isinstance(answer.data, dict) and "errorCode" not in answer.data:
            raise Unsupported(
                "This hawkBit leaves it to the devices to confirm or deny: that of others came with 0.8.",
                http={"method": CONFIRM.method, "path": CONFIRM.path, "status": 404},
            )


def _confirmation(answer: str, code: int | None, details: list[str]) -> dict[str, Any]:
    return {"confirmation": answer, "details": details, **({} if code is None else {"code": code})}


def _path(action: Action) -> dict[str, Any]:
    return {"controller_id": action.controller_id, "action_id": action.id}
