# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit targets as a user reads them, with what belongs to them. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import FleetError, InvalidInput
from . import rsql
from .action_info import ActionInfo, ActionWish
from .api import PARALLEL, Api, askable
from .inventory import ASSIGNED, INSTALLED, Inventory, in_parallel
from .metadata_query import MetadataQuery
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
# What a distribution set and each of its modules have.
PART_FIELDS = {
    "name": "name",
    "version": "version",
    "type": "type",
    "type_name": "typeName",
    "description": "description",
    "complete": "complete",
    "locked": "locked",
    "deleted": "deleted",
    "created_at": "createdAt",
    "created_by": "createdBy",
    "last_modified_at": "lastModifiedAt",
    "last_modified_by": "lastModifiedBy",
}
SET_FIELDS = {**PART_FIELDS, "required_migration_step": "requiredMigrationStep", "valid": "valid"}
MODULE_FIELDS = {**PART_FIELDS, "vendor": "vendor", "encrypted": "encrypted"}
GATHER = (
    "poll_status",
    "attributes",
    "metadata",
    "tags",
    "assigned_distribution_set",
    "installed_distribution_set",
    "actions",
    "action_status",
)
# Paging over equal values would show some targets twice and others never.
LAST_SORT = "controllerId:ASC"
_SORT = re.compile(r"[\w.]+:(asc|desc)(,[\w.]+:(asc|desc))*", re.IGNORECASE)


@dataclass(frozen=True)
class Wish:
    """What to read of each target.

    Args:
        gather: of C(GATHER).
        actions: which actions.
        metadata: which metadata; None for all.
    """

    gather: frozenset[str] = frozenset()
    actions: ActionWish = field(default_factory=ActionWish)
    metadata: MetadataQuery | None = None


def wish_of(params: Mapping[str, Any]) -> Wish:
    """Return the options of C(target_info) that say what to read.

    Raises:
        InvalidInput: names the option, the value and what would be right.
    """
    gather = frozenset(params["gather"])
    history = "action_status" in gather
    for option in ("action_id", "action_query", "action_sort"):
        if params[option] is not None and not history and "actions" not in gather:
            raise InvalidInput(f"{option} is '{params[option]}', but gather does not have actions: add it there.")
    if params["action_id"] is not None and params["controller_id"] is None:
        raise InvalidInput(f"action_id is {params['action_id']}: say in controller_id whose action that is.")
    if params["metadata_query"] is not None and "metadata" not in gather:
        raise InvalidInput(
            f"metadata_query is '{params['metadata_query']}', but gather does not have metadata: add it there."
        )
    for option in ("action_limit", "action_status_limit"):
        if params[option] is not None and params[option] < 1:
            raise InvalidInput(f"{option} is {params[option]}: give 1 or more.")
    _check_sort("action_sort", params["action_sort"])
    return Wish(
        gather,
        ActionWish(
            id=params["action_id"],
            query=params["action_query"],
            sort=params["action_sort"],
            limit=params["action_limit"],
            history=history,
            history_limit=params["action_status_limit"],
        ),
        None if params["metadata_query"] is None else MetadataQuery(params["metadata_query"]),
    )


def _check_sort(option: str, sort: str | None) -> None:
    if sort is not None and not _SORT.fullmatch(sort):
        raise InvalidInput(f"{option} is '{sort}': give field:ASC or field:DESC, several separated by commas.")


class TargetInfo:
    """Reads targets for people: keys in snake case, all of them always there, no security token."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.targets = Targets(api)
        self.actions = ActionInfo(api)

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
        _check_sort("sort", sort)
        if limit is not None and limit < 1:
            raise InvalidInput(f"limit is {limit}: give 1 or more, or leave it out for all targets.")
        ordered = sort if sort is None or "controllerid:" in sort.lower() else f"{sort},{LAST_SORT}"
        try:
            found = list(self.targets.search(query, ordered, limit))
            return found, len(found) if limit is None or len(found) < limit else self.targets.count(query)
        except FleetError as error:
            raise _blamed(error, {"query": query, "sort": sort}, "a target, such as name:ASC") from error

    def describe(self, targets: list[dict[str, Any]], wish: Wish, query: str | None) -> list[dict[str, Any]]:
        """Return targets in the form of the result.

        Args:
            targets: as the API has them.
            wish: what to add.
            query: finds at least these targets; None for one that finds all.

        Raises:
            InvalidInput: names the option that the server refuses.
        """
        ids = [target["controllerId"] for target in targets]
        if "poll_status" in wish.gather:
            targets = self._with_poll_status(targets)
        added = self._gather(targets, ids, wish, _narrowest(ids, query)) if ids else {}
        return [
            {**described(target), **{name: values[target["controllerId"]] for name, values in added.items()}}
            for target in targets
        ]

    def _with_poll_status(self, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the targets with their poll status, which releases before 0.6.0 do not tell in lists."""
        # who has never called has none
        silent = [item for item in targets if "pollStatus" not in item and item.get("lastControllerRequestAt")]
        read = in_parallel(lambda item: self._alone(item["controllerId"]) or item, silent, PARALLEL)
        fuller = {item["controllerId"]: item for item in read}
        return [fuller.get(item["controllerId"], item) for item in targets]

    def _gather(
        self, targets: list[dict[str, Any]], ids: list[str], wish: Wish, query: str | None
    ) -> dict[str, dict[str, Any]]:
        """Return what was asked for, by name and then by id, with an entry for each id."""
        wanted = wish.gather
        inventory = Inventory(self.api, query)
        added: dict[str, dict[str, Any]] = {}
        if "attributes" in wanted:
            added["attributes"] = dict(inventory.attributes(ids))
        if "metadata" in wanted:
            added["metadata"] = dict(_metadata(inventory, ids, wish.metadata))
        if "tags" in wanted:
            tags = inventory.tags()
            added["tags"] = {controller_id: tags.get(controller_id, []) for controller_id in ids}
        for kind in (ASSIGNED, INSTALLED):
            name = f"{kind}_distribution_set"
            if name in wanted:
                sets = inventory.sets(kind, targets, described_set)
                added[name] = {controller_id: sets.get(controller_id) for controller_id in ids}
        if wanted & {"actions", "action_status"}:
            added["actions"] = dict(self._actions(ids, wish.actions))
        return added

    def _actions(self, ids: Sequence[str], wish: ActionWish) -> dict[str, list[dict[str, Any]]]:
        try:
            return self.actions.read(ids, wish)
        except FleetError as error:
            options = {"action_query": wish.query, "action_sort": wish.sort}
            raise _blamed(error, options, "an action, such as id:ASC") from error

    def _alone(self, controller_id: str) -> dict[str, Any] | None:
        return self.targets.get(controller_id) if askable(controller_id) else None


def _metadata(inventory: Inventory, ids: Sequence[str], query: MetadataQuery | None) -> dict[str, dict[str, str]]:
    if query is None:
        return inventory.metadata(ids)
    return {one: query.filter(found) for one, found in inventory.metadata(ids, query.text).items()}


def _narrowest(ids: list[str], query: str | None) -> str | None:
    """Return a query for these targets alone where it fits into one request, else the given one."""
    queries = list(rsql.any_of("controllerid", ids))
    return queries[0] if len(queries) == 1 else query


def _blamed(error: FleetError, options: Mapping[str, str | None], fields: str) -> FleetError:
    """Return the error of a refused request as one that names the option.

    Args:
        error: what the server said.
        options: the query and the order, by the option's name.
        fields: for the message: whose fields an order has, and an example.
    """
    code = str(error.details.get("errorCode", "")).lower()
    query, sort = options
    if isinstance(error, InvalidInput):
        option, hint = query, "see the chapter on queries of hawkBit's documentation"
    elif ".rest.param.sort" in code or ".rest.param.invalid" in code:
        option, hint = sort, f"give fields of {fields}"
    else:
        return error
    if options[option] is None:
        # what the server refuses is not the user's
        return error
    return InvalidInput(
        f"{option} is '{options[option]}', which hawkBit refuses ({error.message.rstrip('.')}): {hint}.",
        message=error.message,
        details=error.details,
        http=error.http,
    )


def described(target: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target of the API under the keys of the result; the inventory's variables are named like them."""
    described = {name: target.get(field) for name, field in FIELDS.items()}
    # an empty text was set and removed again
    for name in ("description", "address"):
        described[name] = described[name] or None
    described["target_type"] = None if target.get("targetType") is None else str(target["targetType"])
    poll = target.get("pollStatus")
    described["poll_status"] = None if poll is None else {name: poll.get(field) for name, field in POLL_FIELDS.items()}
    return described


def described_set(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a distribution set of the API with its modules in the form of the result."""
    modules = [
        {"id": str(module["id"]), **{name: module.get(key) for name, key in MODULE_FIELDS.items()}}
        for module in item.get("modules") or []
    ]
    return {
        "id": str(item["id"]),
        **{name: item.get(key) for name, key in SET_FIELDS.items()},
        "modules": modules,
    }
