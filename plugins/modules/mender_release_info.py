#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mender_release_info
short_description: Read the releases of a Mender server
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Reads releases with their artifacts, all of them or those that match all that is given.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_mender
options:
  name:
    description:
      - Name of the releases. A V(*) at its end stands for any rest.
    type: str
  tags:
    description:
      - Tags, of which the releases have at least one. Upper and lower case are the same.
    type: list
    elements: str
  update_type:
    description:
      - Type that a payload of the releases has, such as V(rootfs-image).
    type: str
  limit:
    description:
      - How many releases to return at most. All if not set.
    type: int
seealso:
  - module: fleet.deploy.mender_release
  - module: fleet.deploy.artifact_info
"""

EXAMPLES = r"""
- name: Read one release
  fleet.deploy.mender_release_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
  register: release

- name: Read what is tagged for production
  fleet.deploy.mender_release_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    tags: [prod]
"""

RETURN = r"""
releases:
  description: The releases, by name. Empty when there is none.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the release.
      type: str
      sample: gateway-2.1.0
    modified:
      description: When an artifact of the release changed last, in UTC. Null when the server does not tell it.
      type: str
      sample: "2026-11-20T07:51:01.804Z"
    artifacts_count:
      description: How many artifacts it has.
      type: int
      sample: 1
    artifacts:
      description: Its artifacts, each as in the result of M(fleet.deploy.artifact_info).
      type: list
      elements: dict
      sample: [{id: 0c13a0e6-6b63-475d-8260-ee42a590e8ff, name: gateway-2.1.0, device_types_compatible: [gateway]}]
    tags:
      description: Its tags, in lower case and in order. Null when the server is too old to have them.
      type: list
      elements: str
      sample: [prod]
    notes:
      description: Text about the release, null when it has none.
      type: str
      sample: Fixes the clock
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec
from ansible_collections.fleet.deploy.plugins.module_utils._mender.releases import Wanted

SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "name": {"type": "str"},
            "tags": {"type": "list", "elements": "str"},
            "update_type": {"type": "str"},
            "limit": {"type": "int"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    limit = params["limit"]
    if limit is not None and limit < 0:
        raise InvalidInput(f"limit is {limit}: give 0 or more.")
    wanted = Wanted(params["name"], params["tags"], params["update_type"])
    return {"changed": False, "releases": connect(task).releases.find(wanted)[:limit]}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
