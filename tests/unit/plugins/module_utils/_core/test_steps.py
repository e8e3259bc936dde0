# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out


class Recorded:
    """Steps that write down when they are taken, and fail at one of them."""

    def __init__(self, fails: str = "") -> None:
        self.taken: list[Any] = []
        self.fails = fails

    def take(self, step: str) -> None:
        self.taken.append(step)
        if step == self.fails:
            raise ValueError(step)

    def check_options(self) -> None:
        self.take("check_options")

    def make_plan(self, client: str, /) -> None:
        self.take(f"make_plan on {client}")

    def apply(self) -> None:
        self.take("apply")

    def result(self) -> dict[str, Any]:
        return {"changed": "apply" in self.taken}

    def connect(self, task: Any) -> str:
        self.take("connect")
        return "a client"


def carry(steps: Recorded, check_mode: bool) -> dict[str, Any]:
    task: Any = SimpleNamespace(check_mode=check_mode)
    return carry_out(task, steps, steps.connect)


def test_options_are_checked_before_the_server_is_asked_and_the_plan_is_made_before_the_writing() -> None:
    steps = Recorded()
    assert carry(steps, check_mode=False) == {"changed": True}
    assert steps.taken == ["check_options", "connect", "make_plan on a client", "apply"]


def test_check_mode_writes_nothing() -> None:
    steps = Recorded()
    assert carry(steps, check_mode=True) == {"changed": False}
    assert steps.taken == ["check_options", "connect", "make_plan on a client"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_bad_option_never_reaches_the_server(check_mode: bool) -> None:
    steps = Recorded(fails="check_options")
    with pytest.raises(ValueError, match="check_options"):
        carry(steps, check_mode)
    assert steps.taken == ["check_options"]
