#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: target
short_description: Register, update and remove hawkBit targets
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Keeps targets of Eclipse hawkBit as described, one or a list of any length in one task.
  - New targets are created in bulk. Targets that are already as described cost nothing but reading.
  - Only what is given is compared and changed. What a device reports about itself is never touched.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_hawkbit
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Security tokens are never shown.
options:
  controller_id:
    description:
      - Id of the target. Up to 256 characters without blanks.
      - Mutually exclusive with O(targets).
    type: str
  name:
    description:
      - Name for people. A new target without one gets its id as name, as the server does it.
    type: str
  description:
    description:
      - Text about the target. An empty string removes it.
    type: str
  address:
    description:
      - Address of the target as a URI. The device itself may change it when it reports.
    type: str
  security_token:
    description:
      - Pre-shared key with which the device logs in. The server makes one when none is given.
    type: str
  update_security_token:
    description:
      - When to set O(security_token).
      - With V(on_create) only a new target gets it.
      - With V(always) an existing target gets it too. If the user lacks the permission to read tokens, they cannot be
        compared, and each run counts as a change.
    type: str
    choices: [on_create, always]
    default: on_create
  state:
    description:
      - Whether the targets are to exist. Removing a target removes its history as well.
    type: str
    choices: [present, absent]
    default: present
  targets:
    description:
      - Several targets at once.
    type: list
    elements: dict
    suboptions:
      controller_id:
        description: See O(controller_id).
        type: str
        required: true
      name:
        description: See O(name).
        type: str
      description:
        description: See O(description).
        type: str
      address:
        description: See O(address).
        type: str
      security_token:
        description: See O(security_token).
        type: str
seealso:
  - module: fleet.deploy.target_info
"""

EXAMPLES = r"""
- name: Register a target
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    controller_id: gateway-0001
    name: Gateway of hall 1
    description: Rack 3, second from the top

- name: Register a fleet in one task
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    targets:
      - controller_id: gateway-0002
        name: Gateway of hall 2
      - controller_id: gateway-0003

- name: Remove a target
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    controller_id: gateway-0003
    state: absent
"""

RETURN = r"""
targets:
  description: Ids of the targets that this task has created, updated and removed, or would have in check mode.
  returned: success
  type: dict
  contains:
    created:
      description: Ids that were not there before.
      type: list
      elements: str
      sample: [gateway-0002]
    updated:
      description: Ids of which something was changed.
      type: list
      elements: str
      sample: [gateway-0001]
    removed:
      description: Ids that were removed.
      type: list
      elements: str
      sample: []
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect

FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "description": {"type": "str"},
    "address": {"type": "str"},
    "security_token": {"type": "str", "no_log": True},
}

OVERWRITES = {"on_create": False, "always": True}

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "controller_id": {"type": "str"},
            **FIELDS,
            "update_security_token": {
                "type": "str",
                "choices": list(OVERWRITES),
                "default": "on_create",
                "no_log": False,
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "targets": {
                "type": "list",
                "elements": "dict",
                "options": {"controller_id": {"type": "str", "required": True}, **FIELDS},
            },
        },
        mutually_exclusive=[["targets", name] for name in ("controller_id", *FIELDS)],
        required_one_of=[["controller_id", "targets"]],
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    wanted = [params] if params["targets"] is None else params["targets"]
    if not wanted:
        raise InvalidInput("targets is an empty list: give at least one target, or leave the task out.")
    task.redactor.add(*(item["security_token"] for item in wanted))
    targets = connect(task).targets
    if params["state"] == "present":
        plan = targets.plan_present(wanted, overwrite_token=OVERWRITES[params["update_security_token"]])
    else:
        plan = targets.plan_absent([item["controller_id"] for item in wanted])
    if not task.check_mode:
        targets.apply(plan)
    return task.result(plan, targets=plan.summary())


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
