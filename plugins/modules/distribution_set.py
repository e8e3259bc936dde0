#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: distribution_set
short_description: Keep a hawkBit distribution set
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Keeps a distribution set of Eclipse hawkBit as described. A distribution set is what is assigned to targets. It
    bundles software modules.
  - Only what is given is compared and changed.
  - Name, version and type of a set never change. Once a set has been assigned, its modules do not change either. New
    content is a new version.
  - Warns when the set is incomplete, since an incomplete set cannot be assigned.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_hawkbit
attributes:
  check_mode:
    support: full
    details:
      - Software modules that do not exist yet are an error in a real run. In check mode they are a warning, since an
        earlier task may be the one that creates them.
  diff_mode:
    support: full
options:
  name:
    description:
      - Name of the set. Up to 128 characters.
    type: str
    required: true
  version:
    description:
      - Version of the set. Up to 64 characters.
      - Put it in quotes. Without them, YAML reads V(1.10) as the number 1.1.
    type: str
    required: true
  type:
    description:
      - Key of the set's type, such as V(os), V(app) or V(os_app).
      - If not set, a new set gets the tenant's default type.
    type: str
  description:
    description:
      - Text about the set. An empty string removes it.
    type: str
  required_migration_step:
    description:
      - Whether devices must install this set before a later one. A new set without it is created with V(false).
    type: bool
  modules:
    description:
      - The software modules of the set, all of them. Others are taken out of the set. An empty list takes out all.
      - If not set, the modules stay as they are.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the software module.
        type: str
        required: true
      version:
        description: Version of the software module.
        type: str
        required: true
      type:
        description:
          - Key of the software module's type. Needed when modules of several types have this name and version.
        type: str
  metadata:
    description:
      - Metadata of the set, by key. Keys have up to 128 characters, values up to 4000. Other keys stay unless
        O(purge_metadata) is set.
    type: dict
  metadata_absent:
    description:
      - Keys of metadata that are not to be there.
    type: list
    elements: str
  purge_metadata:
    description:
      - Whether all keys that O(metadata) does not have are removed. Only counts with O(metadata).
    type: bool
    default: false
  tags:
    description:
      - Names of tags that the set is to bear. They must exist; see M(fleet.deploy.hawkbit_tag). Other tags stay unless
        O(purge_tags) is set.
    type: list
    elements: str
  tags_absent:
    description:
      - Names of tags that the set is not to bear.
    type: list
    elements: str
  purge_tags:
    description:
      - Whether the set loses all tags that O(tags) does not have. Only counts with O(tags).
    type: bool
    default: false
  invalidation:
    description:
      - What else ends with O(state=invalidated).
    type: dict
    suboptions:
      actions:
        description:
          - What becomes of the open actions of the set. V(none) leaves them, V(soft) cancels them, so that each device
            may finish or confirm the cancellation, V(force) ends them on the server at once.
          - With V(soft) and V(force) rollouts of the set end as well.
        type: str
        choices: [none, soft, force]
        default: none
      cancel_rollouts:
        description:
          - Whether rollouts of the set end even with O(invalidation.actions=none). Up to hawkBit 0.9.
        type: bool
        default: false
  state:
    description:
      - Whether the set is to exist.
      - The server only hides a set that was assigned. Its name and version then stay used up.
      - V(invalidated) has the server never assign it again, and removes it from auto-assignments. This cannot be taken
        back, and an invalidated set cannot be changed. The set must be complete. From hawkBit 0.3.0M8 on.
    type: str
    choices: [present, absent, invalidated]
    default: present
seealso:
  - module: fleet.deploy.hawkbit_software_module
  - module: fleet.deploy.hawkbit_tag
  - module: fleet.deploy.hawkbit_type
  - module: fleet.deploy.distribution_set_assign
"""

EXAMPLES = r"""
# The first example needs a software module gateway-firmware 2.1.0 of the type os.
- name: Bundle a firmware image
  fleet.deploy.distribution_set:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway
    version: "2.1.0"
    type: os
    description: Firmware of all gateways
    modules:
      - name: gateway-firmware
        version: "2.1.0"

- name: Change the description, leave the modules alone
  fleet.deploy.distribution_set:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway
    version: "2.1.0"
    description: Fixes the clock

- name: Note down where it comes from
  fleet.deploy.distribution_set:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway
    version: "2.1.0"
    metadata:
      commit: 4f2a91c
      pipeline: 1187
    purge_metadata: true

- name: Remove a distribution set
  fleet.deploy.distribution_set:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway
    version: "2.1.0"
    state: absent
"""

RETURN = r"""
distribution_set:
  description:
    - The set as it is after the task, in check mode as it would be. Null when it is not there.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the set. Null in check mode when the set is not there yet.
      type: str
      sample: "17"
    name:
      description: Name of the set.
      type: str
      sample: gateway
    version:
      description: Version of the set.
      type: str
      sample: "2.1.0"
    type:
      description:
        - Key of the set's type. Null in check mode when the set is not there yet, O(type) is not set, and the server
          does not tell its default.
      type: str
      sample: os
    description:
      description: Text about the set, null when it has none.
      type: str
      sample: Firmware of all gateways
    required_migration_step:
      description: Whether devices must install this set before a later one.
      type: bool
      sample: false
    complete:
      description:
        - Whether the set has all modules that its type demands, so that it can be assigned.
        - Null in check mode when that cannot be known yet.
      type: bool
      sample: true
    locked:
      description: Whether the server refuses changes of the modules. Null when its release has no locks.
      type: bool
      sample: false
    valid:
      description: False when the set was invalidated. Null when the server's release cannot invalidate sets.
      type: bool
      sample: true
    metadata:
      description: Metadata of the set, by key. Null when neither O(metadata) nor O(metadata_absent) is given.
      type: dict
      sample: {commit: 4f2a91c, pipeline: "1187"}
    tags:
      description: Names of its tags. Null when neither O(tags) nor O(tags_absent) is given.
      type: list
      elements: str
      sample: [released]
    modules:
      description: The software modules of the set.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the software module. Null in check mode when it is not there yet.
          type: str
          sample: "42"
        name:
          description: Name of the software module.
          type: str
          sample: gateway-firmware
        version:
          description: Version of the software module.
          type: str
          sample: "2.1.0"
        type:
          description: Key of the software module's type.
          type: str
          sample: os
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "type": {"type": "str"},
            "description": {"type": "str"},
            "required_migration_step": {"type": "bool"},
            "modules": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "version": {"type": "str", "required": True},
                    "type": {"type": "str"},
                },
            },
            "metadata": {"type": "dict"},
            "metadata_absent": {"type": "list", "elements": "str"},
            "purge_metadata": {"type": "bool", "default": False},
            "tags": {"type": "list", "elements": "str"},
            "tags_absent": {"type": "list", "elements": "str"},
            "purge_tags": {"type": "bool", "default": False},
            "invalidation": {
                "type": "dict",
                "options": {
                    "actions": {"type": "str", "choices": ["none", "soft", "force"], "default": "none"},
                    "cancel_rollouts": {"type": "bool", "default": False},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent", "invalidated"], "default": "present"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    sets = connect(task).distribution_sets
    if params["state"] == "absent":
        plan = sets.plan_absent(params["name"], params["version"], params["type"])
        if not task.check_mode and sets.remove(plan):
            task.warn(
                f"Distribution set '{params['name']}' version '{params['version']}' was assigned before, so the server "
                "only hides it: its name and version cannot be used again."
            )
        return task.result(plan, distribution_set=None)
    if params["state"] == "invalidated":
        options = params["invalidation"] or {"actions": "none", "cancel_rollouts": False}
        plan = sets.plan_invalid(params["name"], params["version"], params["type"], options)
        return task.result(plan, distribution_set=sets.invalidate(plan))
    if params["invalidation"] is not None:
        raise InvalidInput("invalidation is only for state=invalidated: leave it out.")
    plan = sets.plan_present(params)
    for module in plan.absent:
        task.warn(f"Software module {module} does not exist: without check mode this task would fail.")
    outcome = plan.outcome() if task.check_mode else sets.apply(plan)
    why = None if outcome is None else sets.why_incomplete(outcome)
    if why:
        task.warn(why)
    return task.result(plan, distribution_set=outcome)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
