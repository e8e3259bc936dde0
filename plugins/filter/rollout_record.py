# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: rollout_record
short_description: Record of a rollout with the decisions of its gates
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Puts together what the role P(fleet.deploy.rollout#role) leaves as C(rollout_result) and writes as its report. Made
    for that role, whose documentation says what the record holds.
options:
  _input:
    description:
      - The rollout as the platform's module shows it, on hawkBit RV(fleet.deploy.hawkbit_rollout#module:rollout), on
        Mender RV(fleet.deploy.mender_rollout_info#module:rollout). Null when the server has none.
    type: dict
    required: true
  rollout_id:
    description: Id of the rollout.
    type: str
    required: true
  platform:
    description: The platform.
    type: str
    choices: [hawkbit, mender]
    default: hawkbit
  software:
    description: Name, version and type of what is rolled out.
    type: dict
    required: true
  waves:
    description: The waves, from P(fleet.deploy.rollout_plan#filter).
    type: list
    elements: dict
    required: true
  fleet:
    description: Whom the rollout is for.
    type: dict
  selected:
    description: How many devices these are, when there is no rollout yet.
    type: int
    default: 0
  failed:
    description: Devices that failed.
    type: list
    elements: dict
  failure:
    description:
      - Why the role failed, if that does not follow from the state of the rollout, with the keys C(code), C(message),
        C(details), C(request_id) and C(http).
    type: dict
  rollback:
    description: What came of the way back to another version.
    type: dict
"""

EXAMPLES = r"""
- name: Look at a rollout
  fleet.deploy.hawkbit_rollout_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-2.1.0
  register: found

- name: See how its gates decided
  ansible.builtin.debug:
    msg: >-
      {{ found.rollouts[0] | fleet.deploy.rollout_record(rollout_id='gateway-2.1.0', waves=plan.waves,
         software={'name': 'gateway', 'version': '2.1.0'}) }}
  vars:
    plan: "{{ [{'name': 'canary', 'percentage': 10}, {'name': 'rest'}] | fleet.deploy.rollout_plan }}"
"""

RETURN = r"""
_value:
  description: The record, as the guide to the rollout role describes it.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.unsafe import untrusted
from ansible_collections.fleet.deploy.plugins.plugin_utils._rollout import hawkbit, mender, record

# each takes the rollout, the software and the waves
READERS: dict[str, Callable[[Any, Any, Any], record.State]] = {
    "hawkbit": lambda rollout, software, _waves: hawkbit.state_of(rollout, software),
    "mender": lambda rollout, _software, waves: mender.state_of(rollout, waves),
}


def rollout_record(
    rollout: dict[str, Any] | None,
    rollout_id: str,
    software: dict[str, Any],
    waves: list[dict[str, Any]],
    platform: str = "hawkbit",
    **more: Any,
) -> Any:
    """Return the record of a rollout; see the documentation above."""
    if platform not in READERS:
        raise AnsibleFilterError(f"rollout_record: platform is '{platform}', give one of {', '.join(READERS)}.")
    state = READERS[platform](rollout, software, waves) if rollout else None
    given = {name: value for name, value in more.items() if value is not None}
    return untrusted(record.make(rollout_id, platform, software, waves, state, **given))


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {"rollout_record": rollout_record}
