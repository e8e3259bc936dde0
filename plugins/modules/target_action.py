#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: target_action
short_description: Force, cancel, confirm and deny actions of hawkBit targets
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Steers what is under way on targets of Eclipse hawkBit, for one action or for all active ones of many targets.
  - What is as wanted already is left alone.
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
  action:
    description:
      - What to do.
      - V(force) switches soft and time-forced actions to forced. An action that is only to be downloaded stays so.
      - V(cancel) asks the devices to give up. It takes effect when they have agreed.
      - V(force_cancel) ends the actions on the server without waiting for the devices, after asking them. A device may
        install all the same.
      - V(confirm) and V(deny) answer for devices whose actions wait for confirmation, from hawkBit 0.8 on. A denied
        action goes on waiting and can be confirmed later.
      - V(request_attributes) has the devices send their attributes once more. This is an act, not a state, and counts
        as a change each time.
    type: str
    choices: [force, cancel, force_cancel, confirm, deny, request_attributes]
    required: true
  controller_id:
    description:
      - A target. All its active actions are meant, or the one of O(action_id).
    type: str
  action_id:
    description:
      - Id of an action of O(controller_id).
    type: int
  fleet:
    description:
      - Several targets. Exactly one of its suboptions.
    type: dict
    suboptions:
      ids:
        description: Ids of the targets.
        type: list
        elements: str
      names:
        description: Names of the targets. Each must belong to one target only.
        type: list
        elements: str
      query:
        description: RSQL query.
        type: str
      tag:
        description: A tag that the targets bear.
        type: str
      group:
        description: A group of targets. Needs hawkBit 0.10 or newer.
        type: str
      groups:
        description: Several groups of targets. Needs hawkBit 0.10 or newer.
        type: list
        elements: str
      filter_id:
        description: Id of a target filter that is stored on the server.
        type: str
      all:
        description: All targets.
        type: bool
        default: false
  on_unknown_device:
    description:
      - What to do when O(fleet) names targets that the server does not know.
    type: str
    choices: [fail, ignore]
    default: fail
  distribution_set:
    description:
      - Only actions that bring this set. Without O(controller_id) and O(fleet) it means those of all targets.
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
  action_limit:
    description:
      - Refuse to start, before anything is written, if more actions or targets than this would be changed.
    type: int
  code:
    description:
      - Code that goes with V(confirm) or V(deny).
    type: int
  details:
    description:
      - Messages that go with V(confirm) or V(deny).
    type: list
    elements: str
seealso:
  - module: fleet.deploy.distribution_set_assign
  - module: fleet.deploy.target_info
"""

EXAMPLES = r"""
- name: Cancel what is under way on one target
  fleet.deploy.target_action:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    action: cancel
    controller_id: gateway-0001

- name: Take back a version everywhere it has not been installed yet, but not on more than 50 targets
  fleet.deploy.target_action:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    action: cancel
    distribution_set:
      name: gateway-os
      version: 2.1.0
    action_limit: 50

- name: Have all gateways send their attributes once more
  fleet.deploy.target_action:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    action: request_attributes
    fleet:
      query: name==gateway-*
"""

RETURN = r"""
actions:
  description: The actions that were changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - id: "12"
      controller_id: gateway-0001
  contains:
    id:
      description: Id of the action.
      type: str
    controller_id:
      description: Id of its target.
      type: str
targets:
  description: Ids of the targets that were asked for their attributes, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.target_action import VERBS, ActionTask

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "action": {"type": "str", "choices": [*VERBS, "request_attributes"], "required": True},
            "controller_id": {"type": "str"},
            "action_id": {"type": "int"},
            "fleet": {
                "type": "dict",
                "options": {
                    "ids": {"type": "list", "elements": "str"},
                    "names": {"type": "list", "elements": "str"},
                    "query": {"type": "str"},
                    "tag": {"type": "str"},
                    "group": {"type": "str"},
                    "groups": {"type": "list", "elements": "str"},
                    "filter_id": {"type": "str"},
                    "all": {"type": "bool", "default": False},
                },
            },
            "on_unknown_device": {"type": "str", "choices": ["fail", "ignore"], "default": "fail"},
            "distribution_set": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "version": {"type": "str", "required": True},
                    "type": {"type": "str"},
                },
            },
            "action_limit": {"type": "int"},
            "code": {"type": "int"},
            "details": {"type": "list", "elements": "str"},
        },
        mutually_exclusive=[["controller_id", "fleet"], ["action_id", "fleet"], ["action_id", "distribution_set"]],
        required_one_of=[["controller_id", "fleet", "distribution_set"]],
        required_by={"action_id": ["controller_id"]},
    )
)


def run(task: Task) -> dict[str, Any]:
    return carry_out(task, ActionTask(task), connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
