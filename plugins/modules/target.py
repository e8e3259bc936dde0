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
  - Blanks at the ends of texts do not count, since hawkBit cuts them off.
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
      - Id of the target. Up to 256 characters, without blanks and without the characters C(/ \ ; %), which cannot stand
        in an address.
      - Mutually exclusive with O(targets) and O(query).
    type: str
  name:
    description:
      - Name for people. A new target without one gets its id as name, as the server does it. An existing one keeps the
        name that it has.
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
  return_security_token:
    description:
      - Whether to return in RV(security_tokens) the tokens of all targets of the task, those that the server made
        included. Ansible masks those that are given in the task itself.
      - Set C(no_log) for such a task, or the tokens are shown and logged.
    type: bool
    default: false
  target_type:
    description:
      - Name or key of the target's type. The type must exist, in check mode too. An empty string takes the type away.
      - Needs hawkBit 0.3.0M8 or newer.
    type: str
  group:
    description:
      - Group of the target. A C(/) in it makes a subgroup, as in V(Europe/Berlin). An empty string takes the target out
        of its group.
      - Needs hawkBit 0.10 or newer.
    type: str
  metadata:
    description:
      - Metadata of the target, by key. Other keys stay unless O(purge_metadata) is set.
      - Reading it costs a request for each existing target.
    type: dict
  metadata_absent:
    description:
      - Keys that are not to be in the metadata.
    type: list
    elements: str
  purge_metadata:
    description:
      - Whether to remove all metadata that O(metadata) does not have. Does not count without O(metadata).
    type: bool
    default: false
  tags:
    description:
      - Names of tags that the target is to have. The tags must exist, see M(fleet.deploy.hawkbit_tag). Others stay
        unless O(purge_tags) is set.
      - In check mode, a tag that an earlier task of the same play would make is not there, so the task fails.
      - Costs a few requests for each tag, not for each target.
    type: list
    elements: str
  tags_absent:
    description:
      - Names of tags that the target is not to have.
    type: list
    elements: str
  purge_tags:
    description:
      - Whether to take all tags away that O(tags) does not have. Does not count without O(tags).
    type: bool
    default: false
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
      target_type:
        description: See O(target_type).
        type: str
      group:
        description: See O(group).
        type: str
      metadata:
        description: See O(metadata).
        type: dict
      metadata_absent:
        description: See O(metadata_absent).
        type: list
        elements: str
      purge_metadata:
        description: See O(purge_metadata).
        type: bool
        default: false
      tags:
        description: See O(tags).
        type: list
        elements: str
      tags_absent:
        description: See O(tags_absent).
        type: list
        elements: str
      purge_tags:
        description: See O(purge_tags).
        type: bool
        default: false
  query:
    description:
      - With O(state=absent), removes all targets that this query in hawkBit's query language RSQL finds.
      - Requires O(max_removals).
    type: str
  exclusive_query:
    description:
      - With O(state=present), removes those targets that this query finds and that are not given in O(targets) or
        O(controller_id). The list is then all there is to be of that part of the fleet.
      - Requires O(max_removals).
    type: str
  max_removals:
    description:
      - How many targets the task may remove at most. If there are more, it fails before it writes anything.
      - Without O(query) and O(exclusive_query), there is no limit if it is not set.
    type: int
seealso:
  - module: fleet.deploy.target_info
  - module: fleet.deploy.hawkbit_tag
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
    metadata:
      site: hall 1

- name: Register a fleet in one task
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    targets:
      - controller_id: gateway-0002
        name: Gateway of hall 2
      - controller_id: gateway-0003
    return_security_token: true
  register: fleet
  no_log: true

- name: Remove a target
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    controller_id: gateway-0003
    state: absent

- name: Remove what has never called, unless that is suspiciously much
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    query: updatestatus==unknown;controllerid==spare-*
    max_removals: 20
    state: absent
"""

RETURN = r"""
targets:
  description:
    - Ids of the targets that this task has created, updated and removed, or would have in check mode. If it fails
      halfway, those that it had done.
  returned: success, and failure of a write
  type: dict
  contains:
    created:
      description: Ids that were not there before.
      type: list
      elements: str
      sample: [gateway-0002]
    updated:
      description: Ids of which something was changed, metadata and tags included.
      type: list
      elements: str
      sample: [gateway-0001]
    removed:
      description: Ids that were removed.
      type: list
      elements: str
      sample: []
security_tokens:
  description:
    - Security tokens by id of the target, of those that exist now. Null where the user may not read it.
  returned: success and O(return_security_token=true)
  type: dict
  sample: {gateway-0002: 90bd0de3b1c04ea7b1ff7a5f4a1c5d2e}
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.target import OVERWRITES, TargetTask

FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "description": {"type": "str"},
    "address": {"type": "str"},
    "security_token": {"type": "str", "no_log": True},
    "target_type": {"type": "str"},
    "group": {"type": "str"},
    "metadata": {"type": "dict"},
    "metadata_absent": {"type": "list", "elements": "str"},
    "purge_metadata": {"type": "bool", "default": False},
    "tags": {"type": "list", "elements": "str"},
    "tags_absent": {"type": "list", "elements": "str"},
    "purge_tags": {"type": "bool", "default": False},
}
# given even when the user does not give them
DEFAULTED = ("purge_metadata", "purge_tags")

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
            "return_security_token": {"type": "bool", "default": False, "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "targets": {
                "type": "list",
                "elements": "dict",
                "options": {"controller_id": {"type": "str", "required": True}, **FIELDS},
            },
            "query": {"type": "str"},
            "exclusive_query": {"type": "str"},
            "max_removals": {"type": "int"},
        },
        mutually_exclusive=[
            *(["targets", name] for name in ("controller_id", *FIELDS) if name not in DEFAULTED),
            ["query", "controller_id", "targets"],
        ],
        required_one_of=[["controller_id", "targets", "query"]],
    )
)


def run(task: Task) -> dict[str, Any]:
    steps = TargetTask(task)
    task.redactor.add(*(item["security_token"] for item in steps.wanted))
    return carry_out(task, steps, connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
