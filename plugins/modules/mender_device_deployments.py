#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mender_device_deployments
short_description: Take a device out of all Mender deployments
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Ends, for one device, all deployments that wait for it. Other devices go on with them, and what the device has ended
    keeps its status.
  - The deployments of a device are shown by M(fleet.deploy.deployment_info).
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
  device_id:
    description:
      - Id of the device.
    type: str
    required: true
  state:
    description:
      - V(absent) takes the device out of the deployments that it has not ended.
      - Servers of 2020 only end those that the device has not begun, with the status V(decommissioned). Later ones also
        end what it is busy with, with the status V(aborted); the device rolls back when it reports next.
    type: str
    choices: [absent]
    default: absent
notes:
  - Mender goes through the deployments of a device two at a time, so several requests may be sent.
  - A deployment that finds its devices by a saved filter does not show whom it is for before they have asked.
seealso:
  - module: fleet.deploy.deployment
  - module: fleet.deploy.deployment_info
"""

EXAMPLES = r"""
- name: Take a device that goes to repair out of all deployments
  fleet.deploy.mender_device_deployments:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    device_id: 2f3b8b5e-6f0a-4d0e-9d38-0b6f4c1f7a11
    state: absent
"""

RETURN = r"""
device_id:
  description: Id of the device.
  returned: success
  type: str
  sample: 2f3b8b5e-6f0a-4d0e-9d38-0b6f4c1f7a11
removed:
  description: The deployments that ended for it, in check mode those that would. The oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the deployment.
      type: str
      sample: 3618f54e-9d3c-4f0b-8c4e-9d5a1b2f7c10
    name:
      description: Its name.
      type: str
      sample: gateway-2.1.0-canary
    artifact_name:
      description: What it installs.
      type: str
      sample: gateway-2.1.0
    status:
      description: How far the device was.
      type: str
      sample: pending
remaining:
  description:
    - Ids of the deployments that the server did not end for it, because others came in between.
  returned: success
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.device_deployments import DeviceDeployments
from ansible_collections.fleet.deploy.plugins.module_utils._mender.fleet import shorten
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec

SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "device_id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    device = task.params["device_id"]
    if not device.strip():
        raise InvalidInput("device_id is empty: give the id of a device.")
    mender = connect(task)
    deployments = DeviceDeployments(mender.api, mender.deployments, device)
    plan = deployments.plan()
    remaining = [] if task.check_mode else deployments.remove(plan)
    if remaining:
        task.warn(
            f"The server has left device '{device}' in {len(remaining)} of its deployments ({shorten(remaining)}): run "
            "the task again."
        )
    plan.delete[:] = [change for change in plan.delete if change.key not in remaining]
    removed = [{"id": change.key, **change.before} for change in plan.delete]
    return task.result(plan, device_id=device, removed=removed, remaining=remaining)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
