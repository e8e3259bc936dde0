# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a writing module's steps. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from .task import Task

Client = TypeVar("Client")
ClientOf_contra = TypeVar("ClientOf_contra", contravariant=True)


class Steps(Protocol[ClientOf_contra]):
    """What a module does, on the platform of a client."""

    def check_options(self) -> None:
        """Refuse what can be refused without the server."""

    def make_plan(self, client: ClientOf_contra, /) -> None:
        """Compare what is wanted with what there is, by reading only."""

    def apply(self) -> None:
        """Carry out the plan."""

    def result(self) -> dict[str, Any]:
        """Return the task's result, in check mode as it would be."""


def carry_out(task: Task, steps: Steps[Client], connect: Callable[[Task], Client]) -> dict[str, Any]:
    """Take the steps of a task, without the writing one in check mode, and return the result."""
    steps.check_options()
    steps.make_plan(connect(task))
    if not task.check_mode:
        steps.apply()
    return steps.result()
