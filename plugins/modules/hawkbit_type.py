#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hawkbit_type
short_description: Types of hawkBit targets, distribution sets and software modules
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Keeps a type of Eclipse hawkBit as described. The type of a distribution set says which software modules it needs
    and takes. The type of a target says which distribution sets fit it.
  - Only what is given is compared and changed.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_hawkbit
attributes:
  check_mode:
    support: full
    details:
      - Types that are to belong to this one must exist, also in check mode.
  diff_mode:
    support: full
options:
  kind:
    description:
      - Whose type it is. Target types came with hawkBit 0.3.0M8.
    type: str
    choices: [target, distribution_set, software_module]
    required: true
  key:
    description:
      - Key of the type, by which it is known. Up to 64 characters.
      - Target types have no key before hawkBit 0.4. There it is the name, so leave O(name) out.
    type: str
    required: true
  name:
    description:
      - Name of the type. A new type without it is named like its key. Only the name of a target type can be changed.
    type: str
  description:
    description:
      - Text about the type. An empty string removes it.
    type: str
  colour:
    description:
      - Colour in user interfaces, as CSS knows it, such as V(#ff8800) or V(green). Up to 16 characters. Types have none
        before hawkBit 0.3.0.
    type: str
  compatible_distribution_set_types:
    description:
      - Keys of the distribution set types that such targets take, all of them. Targets of a type without any take
        every set. For O(kind=target).
    type: list
    elements: str
  mandatory_modules:
    description:
      - Keys of the software module types that such a set must have, all of them. For O(kind=distribution_set). Cannot
        be changed any more when there is a set of this type.
    type: list
    elements: str
  optional_modules:
    description:
      - Keys of the software module types that such a set may have, all of them. For O(kind=distribution_set). Cannot be
        changed any more when there is a set of this type.
    type: list
    elements: str
  max_assignments:
    description:
      - How many such modules a set may have. A new type without it allows 1. Cannot be changed later. For
        O(kind=software_module).
    type: int
  min_artifacts:
    description:
      - How many artifacts such a module needs to be complete. Cannot be changed later. For O(kind=software_module),
        from hawkBit 0.10 on.
    type: int
  state:
    description:
      - Whether the type is to exist.
      - The server only hides a type of sets or modules that is in use. Its key then stays used up. It refuses to remove
        a type of targets that is in use.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fleet.deploy.distribution_set
  - module: fleet.deploy.hawkbit_software_module
  - module: fleet.deploy.target
"""

EXAMPLES = r"""
- name: Have a type for software modules that hold configuration
  fleet.deploy.hawkbit_type:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    kind: software_module
    key: configuration
    name: Configuration
    max_assignments: 5

- name: Have a type for distribution sets with an operating system and perhaps configuration
  fleet.deploy.hawkbit_type:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    kind: distribution_set
    key: gateway
    name: Gateway
    mandatory_modules: [os]
    optional_modules: [configuration]

- name: Ask the server what it can do
  fleet.deploy.platform_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
  register: answer

- name: Have a type for targets that take only such sets
  fleet.deploy.hawkbit_type:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    kind: target
    key: gateway
    description: Gateways of all halls
    compatible_distribution_set_types: [gateway]
  when: answer.server.features.target_types
"""

RETURN = r"""
type:
  description: The type as it is now, or would be in check mode. Null when there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the type. Null for one that check mode has not created.
      type: str
      sample: "4"
    key:
      description: Key of the type.
      type: str
      sample: gateway
    name:
      description: Name of the type.
      type: str
      sample: Gateway
    description:
      description: Text about it, null when it has none.
      type: str
      sample: Gateways of all halls
    colour:
      description: Its colour, null when it has none.
      type: str
      sample: "#ff8800"
    compatible_distribution_set_types:
      description: Keys of the distribution set types that fit such a target. Null for another kind.
      type: list
      elements: str
      sample: [gateway]
    mandatory_modules:
      description: Keys of the software module types that such a set must have. Null for another kind.
      type: list
      elements: str
      sample: [os]
    optional_modules:
      description: Keys of the software module types that such a set may have. Null for another kind.
      type: list
      elements: str
      sample: [configuration]
    max_assignments:
      description: How many such modules a set may have. Null for another kind.
      type: int
      sample: 5
    min_artifacts:
      description: How many artifacts such a module needs. Null for another kind, and before hawkBit 0.10.
      type: int
      sample: 0
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.types import KINDS, TypeTask

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "kind": {"type": "str", "choices": list(KINDS), "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
            "name": {"type": "str"},
            "description": {"type": "str"},
            "colour": {"type": "str"},
            "compatible_distribution_set_types": {"type": "list", "elements": "str"},
            "mandatory_modules": {"type": "list", "elements": "str"},
            "optional_modules": {"type": "list", "elements": "str"},
            "max_assignments": {"type": "int"},
            "min_artifacts": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    return carry_out(task, TypeTask(task), connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
