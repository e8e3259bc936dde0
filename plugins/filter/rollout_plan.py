# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: rollout_plan
short_description: Waves of a rollout, checked and complete
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Checks C(rollout_waves) of the role P(fleet.deploy.rollout#role) and fills in the defaults. Made for that role.
options:
  _input:
    description: The waves.
    type: list
    elements: dict
    required: true
  platform:
    description: The platform.
    type: str
    choices: [hawkbit, mender]
    default: hawkbit
  phases:
    description: Whether Mender is to begin the waves itself, as phases of one deployment.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what the server will be asked for
  ansible.builtin.debug:
    var: waves | fleet.deploy.rollout_plan
  vars:
    waves:
      - name: canary
        percentage: 10
      - name: rest
        gate:
          min_success_percentage: 90
          max_failure_percentage: 5
"""

RETURN = r"""
_value:
  description:
    - With the key C(error), a sentence, or null when the waves can be rolled out.
    - C(waves) are the waves, each with C(name), C(percentage), C(query), C(min_success_percentage),
      C(max_failure_percentage), C(soak), C(approval), C(verify) and C(pauses).
    - C(groups) is what the option C(groups) of M(fleet.deploy.hawkbit_rollout) takes.
    - For Mender, waves have C(devices), C(fleet), C(max_failures) and C(start) too, C(stages) is what the option
      C(waves) of M(fleet.deploy.mender_rollout_info) takes, and C(phases) what C(phases) of M(fleet.deploy.deployment)
      takes.
  type: dict
  sample:
    error: null
    waves:
      - name: canary
        percentage: 10.0
        query: null
        min_success_percentage: 100
        max_failure_percentage: 0
        soak: 0
        approval: null
        verify: null
        pauses: false
    groups:
      - name: canary
        percentage: 10.0
        query: null
        success_threshold: 100
        error_threshold: 0
        success_action: next_group
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.unsafe import untrusted
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout import waves


def rollout_plan(asked: list[dict[str, Any]], platform: str = waves.HAWKBIT, phases: bool = False) -> Any:
    """Return the plan for the waves; see the documentation above."""
    return untrusted(waves.plan(asked, platform, phases))


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {"rollout_plan": rollout_plan}
