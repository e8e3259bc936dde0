#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: target_filter
short_description: Saved queries for hawkBit targets, with auto-assignment
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Keeps a target filter of Eclipse hawkBit, a saved query, as described.
  - With auto-assignment the server gives a distribution set to each target that the filter finds, also to those that
    come later. Targets that have had the set before are left out by the server.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_hawkbit
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description:
      - Name of the filter.
    type: str
    required: true
  query:
    description:
      - RSQL query of at most 1024 characters. Required for a new filter.
    type: str
  auto_assign:
    description:
      - What to assign by itself. If not set, an auto-assignment is left as it is.
    type: dict
    suboptions:
      distribution_set:
        description: The distribution set. An empty O(auto_assign) ends the auto-assignment.
        type: dict
        suboptions:
          name:
            description: Name of the set.
            type: str
            required: true
          version:
            description: Version of the set.
            type: str
            required: true
          type:
            description: Key of the set's type. Only needed when sets of several types share name and version.
            type: str
      assignment_type:
        description: How urgent the update is for the device. V(forced) for a new auto-assignment if not set.
        type: str
        choices: [forced, soft, downloadonly]
      weight:
        description:
          - Importance from 0 to 1000. Before hawkBit 0.5 only with multi-assignment. From then on the server gives the
            highest when it is not set.
        type: int
      confirmation_required:
        description:
          - Whether somebody must confirm on the device.
          - Only counts, and is only compared, while the tenant has C(user.confirmation.flow.enabled), from hawkBit
            0.3.0M8 on.
        type: bool
  state:
    description:
      - Whether the filter is to exist.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fleet.deploy.hawkbit_rollout
"""

EXAMPLES = r"""
- name: Give new gateways the present version by themselves
  fleet.deploy.target_filter:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateways
    query: name==gateway-*
    auto_assign:
      distribution_set:
        name: gateway-os
        version: 2.1.0

- name: Have no auto-assignment any more
  fleet.deploy.target_filter:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateways
    auto_assign: {}
"""

RETURN = r"""
target_filter:
  description: The filter as it is now, or would be in check mode. Null when there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the filter. Null for one that check mode has not created.
      type: str
      sample: "2"
    name:
      description: Name of the filter.
      type: str
      sample: gateways
    query:
      description: Its query.
      type: str
      sample: name==gateway-*
    auto_assign:
      description: What it assigns by itself, null when nothing.
      type: dict
      contains:
        distribution_set_id:
          description: Id of the distribution set.
          type: str
          sample: "7"
        assignment_type:
          description: How urgent the update is for the device.
          type: str
          sample: forced
        weight:
          description: Importance, null where the release has none.
          type: int
          sample: 1000
        confirmation_required:
          description: Whether somebody must confirm on the device, null while the tenant has no confirmation.
          type: bool
          sample: null
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.target_filter import FilterTask

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "name": {"type": "str", "required": True},
            "query": {"type": "str"},
            "auto_assign": {
                "type": "dict",
                "options": {
                    "distribution_set": {
                        "type": "dict",
                        "options": {
                            "name": {"type": "str", "required": True},
                            "version": {"type": "str", "required": True},
                            "type": {"type": "str"},
                        },
                    },
                    "assignment_type": {"type": "str", "choices": ["forced", "soft", "downloadonly"]},
                    "weight": {"type": "int"},
                    "confirmation_required": {"type": "bool"},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    return carry_out(task, FilterTask(task), connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
