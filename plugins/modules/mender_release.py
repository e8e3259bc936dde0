#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mender_release
short_description: Keep notes and tags of a Mender release, or remove it
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - A release is all artifacts of one name. It comes with its first artifact, which M(fleet.deploy.artifact_upload)
    brings, and goes with its last.
  - Gives a release notes and tags, or removes it with all its artifacts.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_mender
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description:
      - Name of the release, which is the name of its artifacts.
    type: str
    required: true
  notes:
    description:
      - Text about the release. Up to 1024 characters. An empty string removes it.
    type: str
  tags:
    description:
      - Tags that the release is to have, and no others. Up to 20. The server keeps them in lower case.
      - An empty list removes all tags.
    type: list
    elements: str
  state:
    description:
      - Whether the release is to be there. V(present) fails when it is not, since it needs an artifact.
      - Mender refuses to remove a release that an active deployment uses.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fleet.deploy.mender_release_info
  - module: fleet.deploy.artifact_upload
"""

EXAMPLES = r"""
# These examples need a release gateway-2.1.0 on the server.
- name: Tag a release
  fleet.deploy.mender_release:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    notes: Fixes the clock
    tags: [prod, eu-west]

- name: Remove it with all its artifacts
  fleet.deploy.mender_release:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    state: absent
"""

RETURN = r"""
release:
  description: The release as it is after the task, in check mode as it would be. Null when it is not there.
  returned: success
  type: dict
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

SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "name": {"type": "str", "required": True},
            "notes": {"type": "str"},
            "tags": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    releases = connect(task).releases
    if params["state"] == "absent":
        for option in ("notes", "tags"):
            if params[option] is not None:
                raise InvalidInput(f"{option} is set, but state is 'absent': leave it out, or set state to 'present'.")
        plan = releases.plan_absent(params["name"])
        if not task.check_mode:
            releases.remove(plan)
        return task.result(plan, release=None)
    plan = releases.plan_present(params["name"], params["notes"], params["tags"])
    return task.result(plan, release=plan.outcome() if task.check_mode else releases.apply(plan))


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
