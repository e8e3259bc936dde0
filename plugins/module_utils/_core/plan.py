# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, then apply, then show: the lists of what is created, changed and deleted. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """One object before and after; an empty side means that it is not there.

    ``before`` and ``after`` hold only what differs, plus what a reader needs to know the object. No secrets:
    both go into the diff.
    """

    key: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Plan:
    """What a task is about to write, computed before the first write."""

    create: list[Change] = field(default_factory=list)
    update: list[Change] = field(default_factory=list)
    delete: list[Change] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.create or self.update or self.delete)

    def diff(self) -> dict[str, Any]:
        """Return C(before) and C(after) for diff mode, by object."""
        changes = [*self.create, *self.update, *self.delete]
        return {
            "before": {change.key: dict(change.before) for change in changes if change.before},
            "after": {change.key: dict(change.after) for change in changes if change.after},
        }
