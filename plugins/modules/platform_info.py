#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: platform_info
short_description: Say which server answers and what it can do
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Tells which server answers at an address, what generation of its interface it speaks and how that was found out,
    what the user may do as far as that can be read, and how many objects of each kind there are.
  - Good as the first task of a playbook. It fails when the address, the certificate or the password is wrong.
  - What the user may not read is null, and a warning names the permission.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_hawkbit
options:
  platform:
    description:
      - Which kind of server is expected at O(url).
    type: str
    choices: [hawkbit]
    default: hawkbit
"""

EXAMPLES = r"""
- name: See who answers
  fleet.deploy.platform_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
  register: answer

- name: Stop when the server is too old
  ansible.builtin.assert:
    that: answer.server.generation != 'seed'
    fail_msg: "This playbook needs hawkBit 0.3.0M8 or newer."
"""

RETURN = r"""
server:
  description: The server that answers.
  returned: success
  type: dict
  contains:
    platform:
      description: Kind of server.
      type: str
      sample: hawkbit
    url:
      description: Base address that was used.
      type: str
      sample: https://updates.example.com
    generation:
      description:
        - Generation of hawkBit's Management API. One of V(seed), V(legacy) and V(modern).
        - There is no way to ask for the version, so this is found out by what the server accepts.
      type: str
      sample: modern
    generation_evidence:
      description: What was asked and answered to find out the generation.
      type: str
      sample: GET /rest/v1/actions?q=active==true answers 200
    versions:
      description: Releases that the generation spans.
      type: str
      sample: 0.10 and newer
    tenant:
      description: Tenant of the user. Null when the server's release does not tell it.
      type: str
      sample: DEFAULT
    username:
      description: Who is logged in.
      type: str
      sample: admin
    permissions:
      description: Permissions and roles of the user. Null when the server's release does not tell them.
      type: list
      elements: str
      sample: [ROLE_TENANT_ADMIN]
    counts:
      description: How many objects of each kind there are. Null for those that the user may not read.
      type: dict
      contains:
        targets:
          description: Number of targets.
          type: int
          sample: 1250
        distribution_sets:
          description: Number of distribution sets.
          type: int
          sample: 12
        software_modules:
          description: Number of software modules.
          type: int
          sample: 31
        rollouts:
          description: Number of rollouts.
          type: int
          sample: 4
    features:
      description: What the server can do or has switched on. Null for what the user may not read.
      type: dict
      contains:
        global_actions:
          description: Whether actions of all targets can be listed at once.
          type: bool
          sample: true
        target_types:
          description: Whether targets can have types.
          type: bool
          sample: true
        target_groups:
          description: Whether targets can be put into groups.
          type: bool
          sample: true
        multi_assignments:
          description: Whether a target can have several running assignments.
          type: bool
          sample: false
        confirmation_flow:
          description: Whether assignments wait for a confirmation.
          type: bool
          sample: false
        implicit_lock:
          description: Whether distribution sets and their modules are locked when they are assigned.
          type: bool
          sample: true
        rollout_approval:
          description: Whether rollouts wait for an approval.
          type: bool
          sample: false
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec({"platform": {"type": "str", "choices": [PLATFORM], "default": PLATFORM}})
)


def run(task: Task) -> dict[str, Any]:
    server, remarks = connect(task).system.describe()
    for remark in remarks:
        task.warn(remark)
    return {"changed": False, "server": server}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
