# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata and tags of one hawkBit distribution set, which change also when it is locked. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from . import metadata, tagging
from .api import PARALLEL, Api
from .metadata import Metadata, MetadataPlan
from .tagging import TagPlan, TagWish

# Stands for the id of a set that does not exist yet.
NEW = -1


@dataclass
class LabelPlan:
    """What is to be written, and what there is; C(had) and C(borne) are None when nobody has asked."""

    metadata: MetadataPlan = field(default_factory=MetadataPlan)
    tags: TagPlan[int] = field(default_factory=TagPlan)
    had: dict[str, str] | None = None
    borne: list[str] | None = None

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to write."""
        return self.metadata.changed or self.tags.changed

    def sides(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a diff shows before and after."""
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        if self.metadata.changed:
            before["metadata"], after["metadata"] = self.metadata.before, self.metadata.after
        if self.tags.changed:
            before["tags"], after["tags"] = self.borne, self._tags()
        return before, after

    def outcome(self) -> dict[str, Any]:
        """Return the keys of the result."""
        return {
            "metadata": None if self.had is None else self.metadata.outcome(self.had),
            "tags": None if self.borne is None else self._tags(),
        }

    def _tags(self) -> list[str]:
        return sorted({*(self.borne or ()), *self.tags.add} - set(self.tags.remove))


class SetLabels:
    """The metadata and the tags of distribution sets."""

    def __init__(self, api: Api) -> None:
        self.metadata = Metadata(api, "distribution set", "distributionsets")
        self.tagging = tagging.distribution_set_tagging(api)

    def plan(self, id: int | None, wanted: Mapping[str, Any]) -> LabelPlan:
        """Compare what is wanted with what there is; read only what is asked for.

        Args:
            id: of the set, None when there is none yet.
            wanted: metadata, metadata_absent, purge_metadata, tags, tags_absent and purge_tags.

        Raises:
            InvalidInput: what the server would refuse, or a tag that does not exist.
        """
        result = LabelPlan()
        values = metadata.check(wanted["metadata"], wanted["metadata_absent"])
        tagging.check(wanted["tags"], wanted["tags_absent"])
        if values is not None or wanted["metadata_absent"]:
            result.had = {} if id is None else self.metadata.read(id)
            result.metadata = metadata.plan(
                result.had, values, wanted["metadata_absent"], bool(wanted["purge_metadata"])
            )
        if wanted["tags"] is not None or wanted["tags_absent"]:
            member = NEW if id is None else id
            wish = TagWish(
                member, wanted["tags"], wanted["tags_absent"] or (), bool(wanted["purge_tags"]), new=id is None
            )
            result.tags = self.tagging.plan([wish])
            result.borne = [] if id is None else self._borne(id)
        return result

    def apply(self, id: int, plan: LabelPlan) -> None:
        """Carry out a plan for the set of this id."""
        self.metadata.apply(id, plan.metadata)
        tags = plan.tags
        self.tagging.apply(TagPlan({name: [id] for name in tags.add}, {name: [id] for name in tags.remove}))

    def _borne(self, id: int) -> list[str]:
        """Return the names of all tags that a set bears; there is no list of those."""
        names = sorted(self.tagging.names)
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            found = pool.map(lambda name: self.tagging.members(name, [id]), names)
            return [name for name, members in zip(names, found) if members]
