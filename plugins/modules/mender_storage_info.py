#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mender_storage_info
short_description: Read how much a Mender server may store
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Reads the limit of the storage for artifacts and how much of it is used.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_mender
options: {}
seealso:
  - module: fleet.deploy.artifact_upload
"""

EXAMPLES = r"""
- name: Read the storage
  fleet.deploy.mender_storage_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
  register: answer

- name: Stop when a gibibyte would not fit
  ansible.builtin.assert:
    that: answer.storage.free is none or answer.storage.free > 1073741824
    fail_msg: "The Mender server has no room for the artifact."
"""

RETURN = r"""
storage:
  description: The storage for artifacts.
  returned: success
  type: dict
  contains:
    limit:
      description: How much may be stored, in bytes. Null when there is no limit.
      type: int
      sample: 1073741824
    usage:
      description: How much is used, in bytes. Open source servers always say 0.
      type: int
      sample: 536870912
    free:
      description: How much is free, in bytes. Null when there is no limit.
      type: int
      sample: 536870912
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec

SPEC = mender_spec()


def run(task: Task) -> dict[str, Any]:
    return {"changed": False, "storage": connect(task).storage()}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
