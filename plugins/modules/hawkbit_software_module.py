#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hawkbit_software_module
short_description: Keep a hawkBit software module and its artifacts
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Keeps a software module of Eclipse hawkBit as described and uploads its artifacts, the files that devices download.
  - A file is uploaded only when the server does not have it yet. The SHA-256 checksum decides. Memory use does not
    depend on the size of the file.
  - Name, version and type of a module never change. Once its distribution set has been assigned, the server locks the
    module, and its artifacts do not change either. New content is a new version.
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
      - Artifacts are shown by file name and SHA-256 checksum.
options:
  name:
    description:
      - Name of the module. Up to 128 characters.
    type: str
    required: true
  version:
    description:
      - Version of the module. Up to 64 characters.
      - Put it in quotes. Without them, YAML reads V(1.10) as the number 1.1.
    type: str
    required: true
  type:
    description:
      - Key of the module's type, such as V(os) or V(application).
      - Required to create a module. May be left out when only one module has this O(name) and O(version).
    type: str
  description:
    description:
      - Text about the module. An empty string removes it.
    type: str
  vendor:
    description:
      - Who made the software. An empty string removes it.
    type: str
  artifacts:
    description:
      - Files that the module is to have.
      - A file of the same name but with other content is replaced.
    type: list
    elements: dict
    suboptions:
      src:
        description:
          - Path of the file on the host where the module runs, which usually is the controller.
        type: path
        required: true
      filename:
        description:
          - Name of the artifact. The last part of O(artifacts[].src) if not set.
          - The server takes names that differ only in upper and lower case for the same.
        type: str
  purge_artifacts:
    description:
      - Whether to remove artifacts that are not in O(artifacts). Does nothing when O(artifacts) is not set.
    type: bool
    default: false
  state:
    description:
      - Whether the module is to exist.
      - The server only hides a module that belongs to a distribution set. Its name and version then stay used up.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fleet.deploy.distribution_set
"""

EXAMPLES = r"""
# These examples need a file /tmp/gateway-2.1.0.bin on the controller.
- name: Publish a firmware image
  fleet.deploy.hawkbit_software_module:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-firmware
    version: "2.1.0"
    type: os
    vendor: Example Corporation
    description: Fixes the clock
    artifacts:
      - src: /tmp/gateway-2.1.0.bin
        filename: firmware.bin

- name: Replace all artifacts by one file
  fleet.deploy.hawkbit_software_module:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-firmware
    version: "2.1.0"
    artifacts:
      - src: /tmp/gateway-2.1.0.bin
    purge_artifacts: true

- name: Remove a software module
  fleet.deploy.hawkbit_software_module:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-firmware
    version: "2.1.0"
    state: absent
"""

RETURN = r"""
software_module:
  description:
    - The module as it is after the task, in check mode as it would be. Null when it is not there.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the module. Null in check mode when the module is not there yet.
      type: str
      sample: "17"
    name:
      description: Name of the module.
      type: str
      sample: gateway-firmware
    version:
      description: Version of the module.
      type: str
      sample: "2.1.0"
    type:
      description: Key of the module's type.
      type: str
      sample: os
    description:
      description: Text about the module, null when it has none.
      type: str
      sample: Fixes the clock
    vendor:
      description: Who made the software, null when unknown.
      type: str
      sample: Example Corporation
    locked:
      description: Whether the server refuses changes of the artifacts. Null when its release has no locks.
      type: bool
      sample: false
    artifacts:
      description: The artifacts of the module, by name.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the artifact. Null in check mode for a file that would be uploaded.
          type: str
          sample: "42"
        filename:
          description: Name of the artifact.
          type: str
          sample: firmware.bin
        size:
          description: Size in bytes.
          type: int
          sample: 73400320
        sha256:
          description: SHA-256 checksum in lower-case hexadecimal digits.
          type: str
          sample: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
        sha1:
          description: SHA-1 checksum. Null in check mode for a file that would be uploaded.
          type: str
          sample: aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d
        md5:
          description: MD5 checksum. Null in check mode for a file that would be uploaded.
          type: str
          sample: 5d41402abc4b2a76b9719d911017c592
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
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
            "vendor": {"type": "str"},
            "artifacts": {
                "type": "list",
                "elements": "dict",
                "options": {"src": {"type": "path", "required": True}, "filename": {"type": "str"}},
            },
            "purge_artifacts": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    modules = connect(task).software_modules
    if params["state"] == "present":
        plan = modules.plan_present(params)
        outcome = plan.outcome() if task.check_mode else modules.apply(plan)
        return task.result(plan, software_module=outcome)
    plan = modules.plan_absent(params["name"], params["version"], params["type"])
    if not task.check_mode and modules.remove(plan):
        task.warn(
            f"Software module '{params['name']}' version '{params['version']}' belongs to a distribution set, so the "
            "server only hides it: its name and version cannot be used again."
        )
    return task.result(plan, software_module=None)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
