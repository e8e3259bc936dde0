# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The task object: all that a module's C(run) knows of where it runs. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .plan import Plan
from .redact import Redactor


def _silent(_text: str) -> None:
    """Say nothing."""


@dataclass
class Task:
    """Parameters and circumstances of one task.

    Args:
        params: the validated options.
        check_mode: whether only a plan is wanted.
        diff_mode: whether the plan is to be shown.
        warn: tells the user something without failing.
        progress: tells the user how far it is; may go nowhere.
        redactor: collects the secrets of this task.
    """

    params: Mapping[str, Any]
    check_mode: bool = False
    diff_mode: bool = False
    warn: Callable[[str], None] = _silent
    progress: Callable[[str], None] = _silent
    redactor: Redactor = field(default_factory=Redactor)

    def result(self, plan: Plan, **keys: Any) -> dict[str, Any]:
        """Return a task's result: C(changed), in diff mode C(diff), and the given keys."""
        result: dict[str, Any] = {"changed": plan.changed, **keys}
        if self.diff_mode:
            result["diff"] = plan.diff()
        return result
