#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hawkbit_tag
short_description: Create, change and remove hawkBit tags
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Manages the tags of Eclipse hawkBit, which targets and distribution sets can bear.
  - To give tags to targets see O(fleet.deploy.target#module:tags), to give them to distribution sets see
    O(fleet.deploy.distribution_set#module:tags).
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
  kind:
    description:
      - What bears the tag.
    type: str
    choices: [target, distribution_set]
    default: target
  name:
    description:
      - Name of the tag.
    type: str
    required: true
  description:
    description:
      - Text about the tag. An empty string removes it.
    type: str
  colour:
    description:
      - Colour in user interfaces, as CSS knows it, such as V(#ff8800) or V(green). Up to 16 characters.
    type: str
  state:
    description:
      - Whether the tag is to exist. Removing a tag takes it from all that bear it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fleet.deploy.target
  - module: fleet.deploy.distribution_set
"""

EXAMPLES = r"""
- name: Have a tag for the canary
  fleet.deploy.hawkbit_tag:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: canary
    description: Gets new versions first
    colour: "#ffcc00"

- name: Remove the tag
  fleet.deploy.hawkbit_tag:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: canary
    state: absent
"""

RETURN = r"""
tag:
  description: The tag as it is now, or would be in check mode. Null when there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the tag. Null for one that check mode has not created.
      type: str
      sample: "3"
    name:
      description: Name of the tag.
      type: str
      sample: canary
    description:
      description: Text about it, null when it has none.
      type: str
      sample: Gets new versions first
    colour:
      description: Its colour, null when it has none.
      type: str
      sample: "#ffcc00"
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.named import (
    check_colour,
    distribution_set_tags,
    target_tags,
)
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.versioned import check_texts

KINDS = {"target": target_tags, "distribution_set": distribution_set_tags}

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "kind": {"type": "str", "choices": list(KINDS), "default": "target"},
            "name": {"type": "str", "required": True},
            "description": {"type": "str"},
            "colour": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    check_texts({"name": params["name"], "description": params["description"]})
    check_colour(params["colour"])
    tags = KINDS[params["kind"]](connect(task).api)
    found = tags.find(params["name"])
    wanted = {"description": params["description"], "colour": params["colour"]}
    plan = tags.plan(params["name"], wanted, found, params["state"] == "present")
    if not task.check_mode:
        found = tags.apply(plan, found)
    elif params["state"] == "absent":
        found = None
    else:
        for change in (*plan.create, *plan.update):
            found = {**(found or {}), **change.after}
    return task.result(plan, tag=None if found is None else shown(found))


def shown(tag: dict[str, Any]) -> dict[str, Any]:
    identifier = tag.get("id")
    return {
        "id": None if identifier is None else str(identifier),
        "name": tag.get("name"),
        **{name: tag.get(name) or None for name in ("description", "colour")},
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
