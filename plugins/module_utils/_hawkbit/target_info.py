# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit targets as a user reads them, with what belongs to them. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import FleetError, InvalidInput
from . import rsql
from .actions import Action, Actions
from .api import PARALLEL, Api
from .inventory import ASSIGNED, INSTALLED, NOT_THERE, Inventory, in_parallel
from .targets import Targets

# key of the result -> field of the API
FIELDS = {
    "controller_id": "controllerId",
    "name": "name",
    "description": "description",
    "address": "address",
    "ip_address": "ipAddress",
    "update_status": "updateStatus",
    "request_attributes": "requestAttributes",
    "last_controller_request_at": "lastControllerRequestAt",
    "installed_at": "installedAt",
    "target_type_name": "targetTypeName",
    "group": "group",
    "auto_confirm_active": "autoConfirmActive",
    "created_at": "createdAt",
    "created_by": "createdBy",
    "last_modified_at": "lastModifiedAt",
    "last_modified_by": "lastModifiedBy",
}
POLL_FIELDS = {
    "last_request_at": "lastRequestAt",
    "next_expected_request_at": "nextExpectedRequestAt",
    "overdue": "overdue",
}
GATHER = ("attributes", "metadata", "tags", "assigned_distribution_set", "installed_distribution_set", "actions")
# Paging over equal values would show some targets twice and others never.
LAST_SORT = "controllerId:ASC"
_SORT = re.compile(r"\w+:(asc|desc)(,\w+:(asc|desc))*", re.IGNORECASE)


class TargetInfo:
    """Reads targets for people: keys in snake case, all of them always there, no security token."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.targets = Targets(api)
        self.actions = Actions(api)

    def by_ids(self, controller_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return those of the targets that exist, as the API has them, in the order of the ids.

        Raises:
            InvalidInput: an empty id.
        """
        ids = list(dict.fromkeys(controller_ids))
        if not all(ids):
            raise InvalidInput("controller_id is empty: give at least one character.")
        found = self.targets.find(ids)
        # alone, so that old servers tell the poll status too
        if len(found) == 1 and "pollStatus" not in next(iter(found.values())):
            found = {controller_id: self._alone(controller_id) or item for controller_id, item in found.items()}
        return [found[controller_id] for controller_id in ids if controller_id in found]

    def by_query(self, query: str | None, sort: str | None, limit: int | None) -> tuple[list[dict[str, Any]], int]:
        """Return targets as the API has them, and how many the query finds without the limit.

        Raises:
            InvalidInput: names the option that the server refuses.
        """
        if sort is not None and not _SORT.fullmatch(sort):
            raise InvalidInput(f"sort is '{sort}': give field:ASC or field:DESC, several separated by commas.")
        if limit is not None and limit < 1:
            raise InvalidInput(f"limit is {limit}: give 1 or more, or leave it out for all targets.")
        ordered = sort if sort is None or "controllerid:" in sort.lower() else f"{sort},{LAST_SORT}"
        try:
            found = list(self.targets.search(query, ordered, limit))
            return found, len(found) if limit is None or len(found) < limit else self.targets.count(query)
        except FleetError as error:
            raise _blamed(error, query, sort) from error

    def describe(
        self, targets: list[dict[str, Any]], gather: Iterable[str], query: str | None, action_limit: int
    ) -> list[dict[str, Any]]:
        """Return targets in the form of the result.

        Args:
            targets: as the API has them.
            gather: what to add, of C(GATHER).
            query: finds at least these targets; None for one that finds all.
            action_limit: how many actions of each target.
        """
        ids = [target["controllerId"] for target in targets]
        added = self._gather(targets, ids, set(gather), _narrowest(ids, query), action_limit) if ids else {}
        return [
            {**_described(target), **{name: values[target["controllerId"]] for name, values in added.items()}}
            for target in targets
        ]

    def _gather(
        self, targets: list[dict[str, Any]], ids: list[str], wanted: set[str], query: str | None, action_limit: int
    ) -> dict[str, dict[str, Any]]:
        """Return what was asked for, by name and then by id, with an entry for each id."""
        inventory = Inventory(self.api, query)
        added: dict[str, dict[str, Any]] = {}
        if "attributes" in wanted:
            added["attributes"] = dict(inventory.attributes(ids))
        if "metadata" in wanted:
            added["metadata"] = dict(inventory.metadata(ids))
        if "tags" in wanted:
            tags = inventory.tags()
            added["tags"] = {controller_id: tags.get(controller_id, []) for controller_id in ids}
        for kind in (ASSIGNED, INSTALLED):
            name = f"{kind}_distribution_set"
            if name in wanted:
                sets = inventory.sets(kind, targets)
                added[name] = {controller_id: sets.get(controller_id) for controller_id in ids}
        if "actions" in wanted:
            lists = in_parallel(lambda controller_id: self._actions(controller_id, action_limit), ids, PARALLEL)
            added["actions"] = dict(zip(ids, lists))
        return added

    def _actions(self, controller_id: str, limit: int) -> list[dict[str, Any]]:
        try:
            found = list(self.actions.of_target(controller_id, limit))
            return [_described_action(action) for action in self.actions.settle(found)]
        except FleetError as error:
            # the id cannot be asked for, or the target has just gone
            if error.status in NOT_THERE:
                return []
            raise

    def _alone(self, controller_id: str) -> dict[str, Any] | None:
        try:
            return self.targets.get(controller_id)
        except FleetError as error:
            if error.status in NOT_THERE:
                return None
            raise


def _narrowest(ids: list[str], query: str | None) -> str | None:
    """Return a query for these targets alone where it fits into one request, else the given one."""
    queries = list(rsql.any_of("controllerid", ids))
    return queries[0] if len(queries) == 1 else query


def _blamed(error: FleetError, query: str | None, sort: str | None) -> FleetError:
    """Return the error of a refused request as one that names the option."""
    code = str(error.details.get("errorCode", "")).lower()
    if isinstance(error, InvalidInput):
        option, value, hint = "query", query, "see the chapter on queries of hawkBit's documentation"
    elif ".rest.param.sort" in code or ".rest.param.invalid" in code:
        option, value, hint = "sort", sort, "give fields of a target, such as name:ASC"
    else:
        return error
    return InvalidInput(
        f"{option} is '{value}', which hawkBit refuses ({error.message.rstrip('.')}): {hint}.",
        message=error.message,
        details=error.details,
        http=error.http,
    )


def _described(target: Mapping[str, Any]) -> dict[str, Any]:
    described = {name: target.get(field) for name, field in FIELDS.items()}
    # an empty text was set and removed again
    for name in ("description", "address"):
        described[name] = described[name] or None
    described["target_type"] = None if target.get("targetType") is None else str(target["targetType"])
    poll = target.get("pollStatus")
    described["poll_status"] = None if poll is None else {name: poll.get(field) for name, field in POLL_FIELDS.items()}
    return described


def _described_action(action: Action) -> dict[str, Any]:
    return {
        "id": str(action.id),
        "type": action.type,
        "force_type": action.force_type,
        "active": action.active,
        "state": action.state,
        "native_state": action.native_state,
        "code": action.code,
        "created_at": action.created_at,
    }
