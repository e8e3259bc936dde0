# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of hawkBit targets as a user reads them. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.errors import AuthFailed, NotFound
from . import rsql
from .actions import OF_TARGET, READ, Action, Actions, normalise
from .api import LIST_ACTIONS, PARALLEL, SEED, Api, askable
from .distribution_sets import DistributionSets
from .inventory import in_parallel

# Newest first; paging over equal values would show some twice and others never.
ORDER = "id:DESC"
# key of the result -> field of the API
FIELDS = {
    "type": "type",
    "status": "status",
    "force_type": "forceType",
    "force_time": "forceTime",
    "weight": "weight",
    "rollout_name": "rolloutName",
    "created_at": "createdAt",
    "created_by": "createdBy",
    "last_modified_at": "lastModifiedAt",
    "last_modified_by": "lastModifiedBy",
}
WINDOW_FIELDS = {
    "schedule": "schedule",
    "duration": "duration",
    "timezone": "timezone",
    "next_start_at": "nextStartAt",
}
STATUS_FIELDS = {
    "type": "type",
    "messages": "messages",
    "reported_at": "reportedAt",
    "timestamp": "timestamp",
    "code": "code",
}


@dataclass(frozen=True)
class ActionWish:
    """Which actions of each target, and with what.

    Args:
        id: the one action; None for those that the rest says.
        query: RSQL.
        sort: order; newest first if None.
        limit: how many of each target.
        history: whether with their history.
        history_limit: how much of it, the newest; None for all.
    """

    id: int | None = None
    query: str | None = None
    sort: str | None = None
    limit: int = 10
    history: bool = False
    history_limit: int | None = None

    @property
    def order(self) -> str:
        """The order that leaves nothing open, newest first where nothing is said."""
        if self.sort is None:
            return ORDER
        return self.sort if re.search(r"\bid:", self.sort, re.IGNORECASE) else f"{self.sort},{ORDER}"


class ActionInfo:
    """Reads actions for people."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.actions = Actions(api)
        self.sets = DistributionSets(api)

    def read(self, controller_ids: Sequence[str], wish: ActionWish) -> dict[str, list[dict[str, Any]]]:
        """Return the actions by id of the target: a request for each target, and one for each history.

        Raises:
            FleetError: also what the server says about a query or an order that it does not understand.
        """
        lists = in_parallel(lambda one: self._of_target(one, wish), controller_ids, PARALLEL)
        raw = [item for items in lists for item in items]
        settled = {action.id: action for action in self.actions.settle(map(normalise, raw))}
        sets = self._sets_of(raw)
        histories: dict[int, list[dict[str, Any]]] = {}
        if wish.history:
            read = in_parallel(lambda action: self._history(action, wish), list(settled.values()), PARALLEL)
            histories = dict(zip(settled, read))

        def described(item: Mapping[str, Any]) -> dict[str, Any]:
            shown = _described(item, settled[item["id"]], sets.get(item["id"]))
            return {**shown, "history": histories[item["id"]]} if wish.history else shown

        return {one: [described(item) for item in items] for one, items in zip(controller_ids, lists)}

    def _of_target(self, controller_id: str, wish: ActionWish) -> list[dict[str, Any]]:
        values = {"controller_id": controller_id}
        if not askable(controller_id):
            return []
        try:
            if wish.id is not None:
                return [self.api.transport.send(READ, values={**values, "action_id": wish.id}, shape=dict).data]
            return list(self.api.pages(OF_TARGET, values=values, query=wish.query, sort=wish.order, limit=wish.limit))
        except NotFound:
            # the target or the action has gone
            return []

    def _history(self, action: Action, wish: ActionWish) -> list[dict[str, Any]]:
        return [
            {"id": str(entry["id"]), **{name: entry.get(field) for name, field in STATUS_FIELDS.items()}}
            for entry in self.actions.history(action, limit=wish.history_limit)
        ]

    def _sets_of(self, raw: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
        """Return the distribution sets of actions by the action's id.

        A target's list does not tell them. The list of all actions does, in the long form, from 0.3.0M8 on.
        """
        untold = [item for item in raw if "distributionset" not in item["_links"]]
        full = [item for item in raw if "distributionset" in item["_links"]]
        if untold and self.api.generation == SEED:
            full += in_parallel(self._single, untold, PARALLEL)
        elif untold:
            for query in rsql.any_of("id", [str(item["id"]) for item in untold]):
                full += self.api.pages(LIST_ACTIONS, query=query, parameters={"representation": "full"})
        links = {item["id"]: item["_links"]["distributionset"] for item in full if "distributionset" in item["_links"]}
        named: dict[str, dict[str, Any]] = {}
        for link in links.values():
            id = link["href"].rpartition("/")[2]
            if id not in named:
                named[id] = self._named(id, link.get("name"))
        return {action: named[link["href"].rpartition("/")[2]] for action, link in links.items()}

    def _single(self, item: Mapping[str, Any]) -> dict[str, Any]:
        action = normalise(dict(item))
        values = {"controller_id": action.controller_id, "action_id": action.id}
        answer = self.api.transport.send(READ, values=values, accept=(404,), shape=dict)
        return dict(item) if answer.status == 404 else answer.data

    def _named(self, id: str, label: str | None) -> dict[str, Any]:
        """Return a distribution set in short; the server's label is its name and version."""
        name, version = None, None
        if label is not None and label.count(":") == 1:
            name, _colon, version = label.partition(":")
        else:
            try:
                found = self.sets.get(id) or {}
            except AuthFailed:
                # may be forbidden though the action may be read
                found = {}
            name, version = found.get("name"), found.get("version")
        return {"id": id, "name": name, "version": version}


def _described(item: Mapping[str, Any], action: Action, distribution_set: dict[str, Any] | None) -> dict[str, Any]:
    window = item.get("maintenanceWindow")
    return {
        "id": str(action.id),
        "active": action.active,
        "state": action.state,
        "native_state": action.native_state,
        "code": action.code,
        **{name: item.get(field) for name, field in FIELDS.items()},
        "rollout": None if item.get("rollout") is None else str(item["rollout"]),
        "distribution_set": distribution_set,
        "maintenance_window": None
        if window is None
        else {name: window.get(field) for name, field in WINDOW_FIELDS.items()},
    }
