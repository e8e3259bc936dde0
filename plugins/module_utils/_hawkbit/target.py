# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(target). Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import FleetError, InvalidInput, NotFound
from .._core.plan import Change
from .._core.task import Task
from . import metadata, tagging
from .api import PARALLEL
from .client import Hawkbit
from .fleet import blamed, shorten
from .inventory import PARALLEL_TARGETS, in_parallel
from .metadata import MetadataPlan, target_metadata
from .tagging import TagPlan, TagWish, target_tagging
from .targets import HIDDEN_FIELD, TargetPlan, check, removal

# Devices that register meanwhile come last, so that no page shifts.
ORDER = "id:ASC"
# update_security_token -> whether existing targets get it too
OVERWRITES = {"on_create": False, "always": True}


class TargetTask:
    """Plans and applies targets with their metadata, tags, types and groups."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.present = task.params["state"] == "present"
        listed = task.params["targets"]
        if listed is not None:
            self.wanted: list[Mapping[str, Any]] = listed
        else:
            self.wanted = [] if task.params["controller_id"] is None else [task.params]
        self.ids = [item["controller_id"] for item in self.wanted]
        self.metadata_of: dict[str, dict[str, str] | None] = {}
        self.plan = TargetPlan()
        self.tag_plan: TagPlan[str] = TagPlan()
        self.metadata_plans: dict[str, MetadataPlan] = {}

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        params = self.params
        if params["targets"] == []:
            raise InvalidInput("targets is an empty list: give at least one target, or leave the task out.")
        limit = params["max_removals"]
        if limit is not None and limit < 0:
            raise InvalidInput(f"max_removals is {limit}: give 0 or more.")
        for option, present, right in (("query", True, "absent"), ("exclusive_query", False, "present")):
            if params[option] is not None and self.present is present:
                raise InvalidInput(f"{option} goes with state={right} only: leave it out, or set state to {right}.")
            if params[option] is not None and not params[option].strip():
                raise InvalidInput(f"{option} is empty, which would find all targets: give a query, or leave it out.")
            if params[option] is not None and limit is None:
                raise InvalidInput(f"{option} removes what it finds: say in max_removals how many that may be at most.")
        for option in ("purge_metadata", "purge_tags"):
            if params["targets"] is not None and params[option]:
                raise InvalidInput(
                    f"{option} goes with controller_id: set it in those entries of targets that it is for."
                )
        check(self.wanted)
        for item in self.wanted:
            of = "" if params["targets"] is None else f"'{item['controller_id']}'"
            self._check_additions(item, of)

    def _check_additions(self, item: Mapping[str, Any], of: str) -> None:
        values = metadata.check(item["metadata"], item["metadata_absent"], of)
        self.metadata_of[item["controller_id"]] = values
        tagging.check(item["tags"], item["tags_absent"], of)

    def make_plan(self, hawkbit: Hawkbit) -> None:
        """Compare what is wanted with what there is.

        Raises:
            InvalidInput: a tag or a target type that there is not, or more removals than C(max_removals).
            Unsupported: this release of hawkBit cannot do it.
        """
        self.hawkbit = hawkbit
        self.metadata = target_metadata(hawkbit.api)
        self.tagging = target_tagging(hawkbit.api)
        if self.present:
            self._plan_present()
        elif self.params["query"] is None:
            self.plan = hawkbit.targets.plan_absent(self.ids)
        else:
            self.plan.delete = removal(self._found_by("query"))
        self._limit_removals()

    def _plan_present(self) -> None:
        targets = self.hawkbit.targets
        if any(item["group"] for item in self.wanted):
            targets.require_groups()
        types = targets.type_ids({item["target_type"] for item in self.wanted} - {None})
        found = targets.find_with_secrets(self.ids)
        self.tag_plan = self.tagging.plan(
            TagWish(
                item["controller_id"],
                item["tags"],
                item["tags_absent"] or (),
                item["purge_tags"],
                new=item["controller_id"] not in found,
            )
            for item in self.wanted
        )
        self.metadata_plans = self._metadata_plans(found)
        self.plan = targets.plan_present(
            list(self.wanted),
            overwrite_token=OVERWRITES[self.params["update_security_token"]],
            found=found,
            types=types,
            more=self._additions(),
        )
        if self.params["exclusive_query"] is not None:
            listed = set(self.ids)
            others = (item for item in self._found_by("exclusive_query") if item["controllerId"] not in listed)
            self.plan.delete = removal(others)

    def _metadata_plans(self, found: Mapping[str, Any]) -> dict[str, MetadataPlan]:
        """Return what changes of the metadata, by id. One read for each existing target of which it is asked."""
        asked = [item for item in self.wanted if item["metadata"] is not None or item["metadata_absent"]]

        def read(controller_id: str) -> dict[str, str]:
            try:
                return self.metadata.read(controller_id)
            except NotFound:
                # removed by somebody else since it was found: writing will tell
                return {}

        existing = [item["controller_id"] for item in asked if item["controller_id"] in found]
        there = dict(zip(existing, in_parallel(read, existing, PARALLEL_TARGETS)))
        plans = {}
        for item in asked:
            one = item["controller_id"]
            plan = metadata.plan(
                there.get(one, {}), self.metadata_of[one], item["metadata_absent"], item["purge_metadata"]
            )
            if plan.changed:
                plans[one] = plan
        return plans

    def _additions(self) -> dict[str, Change]:
        """Return for the diff what changes of metadata and tags, by id."""
        tags = self.tag_plan.by_member()
        changes = {}
        for one in dict.fromkeys((*self.metadata_plans, *tags)):
            before: dict[str, Any] = {}
            after: dict[str, Any] = {}
            if one in self.metadata_plans:
                before["metadata"] = self.metadata_plans[one].before
                after["metadata"] = self.metadata_plans[one].after
            if one in tags:
                before["tags"], after["tags"] = tags[one]
            changes[one] = Change(one, before, after)
        return changes

    def _found_by(self, option: str) -> list[dict[str, Any]]:
        query = self.params[option]
        with blamed(f"{option} is '{query}'"):
            return list(self.hawkbit.targets.search(query, sort=ORDER))

    def _limit_removals(self) -> None:
        limit = self.params["max_removals"]
        ids = [change.key for change in self.plan.delete]
        if limit is not None and len(ids) > limit:
            raise InvalidInput(
                f"max_removals is {limit}, but {len(ids)} targets would be removed ({shorten(ids)}): nothing was done; "
                "raise it, or select fewer."
            )

    def apply(self) -> None:
        """Carry out the plan: targets in bulk, tags by tag, metadata a few targets at a time.

        Raises:
            FleetError: what went wrong, with C(changed) when something had been written before.
        """
        plan = self.plan
        written: list[str] = []

        def write_metadata(controller_id: str) -> None:
            self.metadata.apply(controller_id, self.metadata_plans[controller_id])
            written.append(controller_id)

        try:
            self.hawkbit.targets.apply(plan)
            written += [change.key for change in (*plan.create, *plan.delete)]
            written += [*plan.update_bodies, *plan.groups]
            self.tagging.apply(self.tag_plan)
            written += self.tag_plan.by_member()
            in_parallel(write_metadata, list(self.metadata_plans), PARALLEL)
        except FleetError as error:
            done = {*written, *error.result.pop("written", ())}
            error.result["changed"] = bool(done) or error.result.get("changed", False)
            error.result["targets"] = {
                kind: [one for one in ids if one in done] for kind, ids in plan.summary().items()
            }
            raise

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        keys: dict[str, Any] = {"targets": self.plan.summary()}
        if self.params["return_security_token"]:
            found = self.hawkbit.targets.find_with_secrets(self.ids) if self.present else {}
            keys["security_tokens"] = {one: item.get(HIDDEN_FIELD) for one, item in found.items()}
        return self.task.result(self.plan, **keys)
