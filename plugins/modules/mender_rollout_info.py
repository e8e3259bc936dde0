#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mender_rollout_info
short_description: Split a fleet into waves, and read how far a rollout in waves is on Mender
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Mender has no staged rollouts that wait for the success of a stage. A rollout in waves is a number of deployments
    there, one for each wave, called C(NAME/WAVE) by the names of the rollout and of the wave.
  - Finds these deployments, and says for the waves that have none yet which devices they are for. The devices are
    ordered by their ids and split in that order, so the same fleet is always split the same way. Those of waves that
    have begun stay in them, and new devices are in waves to come only, so no device is in two waves.
  - The role P(fleet.deploy.rollout#role) works with it. It writes nothing; M(fleet.deploy.deployment) begins a wave.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_mender
options:
  name:
    description:
      - Name of the rollout.
    type: str
    required: true
  artifact_name:
    description:
      - Name of the artifact that is rolled out.
    type: str
    required: true
  fleet:
    description:
      - Whom the rollout is for, as in the option C(fleet) of M(fleet.deploy.deployment), with C(ids), C(group),
        C(groups), C(filters) or C(all).
      - Only looked at while there are waves that have not begun.
    type: dict
    required: true
  fleet_limit:
    description:
      - Fail when the rollout would be for more devices than this.
    type: int
  waves:
    description:
      - The waves in their order. A wave without O(waves[].percentage), O(waves[].devices) and O(waves[].fleet) gets the
        rest, and so does the last one with a percentage.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the wave.
        type: str
        required: true
      percentage:
        description:
          - Size of the wave in percent of the whole fleet, or with O(waves[].fleet) of those that it selects. Rounded
            up.
        type: float
      devices:
        description: Size of the wave as a number of devices.
        type: int
      fleet:
        description:
          - Which devices of O(fleet) belong to the wave, in the same form. Those that are in an earlier wave do not.
        type: dict
  failed_devices:
    description:
      - How many failed devices to return, with their last message and log.
    type: int
    default: 0
  installed:
    description:
      - Whether to return the ids of the devices that have the artifact by this rollout.
    type: bool
    default: false
seealso:
  - module: fleet.deploy.deployment
  - module: fleet.deploy.deployment_info
"""

EXAMPLES = r"""
# This example needs devices in the group canary on the server.
- name: See who would be in which wave
  fleet.deploy.mender_rollout_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    artifact_name: gateway-2.1.0
    fleet:
      group: canary
    waves:
      - name: first
        devices: 1
      - name: rest
"""

RETURN = r"""
rollout:
  description: The rollout.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: gateway-2.1.0
    artifact_name:
      description: Name of the artifact.
      type: str
      sample: gateway-2.1.0
    artifacts:
      description: Ids of the artifacts of this name. Empty when there is none.
      type: list
      elements: str
      sample: [0c13a0e6-6b63-475d-8260-ee42a590e8ff]
    created:
      description: When its first wave began, ISO 8601 in UTC. Null before.
      type: str
      sample: "2026-11-20T07:51:01Z"
    finished:
      description: When its last wave ended, ISO 8601 in UTC. Null before.
      type: str
      sample: null
    counts:
      description:
        - How many devices are where in all waves, those that have not begun included. Devices for whose type there is
          no artifact have failed.
      type: dict
      sample: {selected: 10, skipped: 0, pending: 8, running: 0, succeeded: 2, failed: 0, aborted: 0, unknown: 0}
    waves:
      description: The waves in their order.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the wave.
          type: str
          sample: canary
        deployment_name:
          description: Name of its deployment.
          type: str
          sample: gateway-2.1.0/canary
        deployment:
          description: Id of its deployment. Null when it has not begun.
          type: str
          sample: 3618f54e-9d3c-4f0b-8c4e-9d5a1b2f7c10
        status:
          description: Mender's word for its deployment. Null when it has not begun.
          type: str
          sample: finished
        aborted:
          description: Whether its deployment was aborted before all devices had ended.
          type: bool
          sample: false
        created:
          description: When it began, ISO 8601 in UTC. Null before.
          type: str
          sample: "2026-11-20T07:51:01Z"
        finished:
          description: When its deployment finished, ISO 8601 in UTC. Null before.
          type: str
          sample: "2026-11-20T07:53:12Z"
        statistics:
          description: Mender's own counters. Null when it has not begun.
          type: dict
          sample: {failure: 0, pending: 0, success: 2}
        counts:
          description: How many of its devices are where.
          type: dict
          sample: {selected: 2, skipped: 0, pending: 0, running: 0, succeeded: 2, failed: 0, aborted: 0, unknown: 0}
        fleet:
          description:
            - The option C(fleet) of the deployment with which the wave is begun. Null
              when it has begun, or has no device.
          type: dict
          sample: null
    failed_devices:
      description: Devices that failed, at most O(failed_devices), in the form of the deploying modules.
      type: list
      elements: dict
      sample: []
    installed:
      description: Ids of the devices that have the artifact by this rollout. Null unless O(installed=true).
      type: list
      elements: str
      sample: null
    rollback:
      description:
        - What came of deployments called C(NAME/rollback), by which the role sends devices back. Null when there is
          none. Keys are C(artifact_name), C(deployments) with ids, C(devices) with the ids of the devices, and
          C(remaining) with those that have not gone back.
      type: dict
      sample: null
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec
from ansible_collections.fleet.deploy.plugins.module_utils._mender.rollout import Rollout

SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "name": {"type": "str", "required": True},
            "artifact_name": {"type": "str", "required": True},
            "fleet": {"type": "dict", "required": True},
            "fleet_limit": {"type": "int"},
            "waves": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "percentage": {"type": "float"},
                    "devices": {"type": "int"},
                    "fleet": {"type": "dict"},
                },
            },
            "failed_devices": {"type": "int", "default": 0},
            "installed": {"type": "bool", "default": False},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    if params["failed_devices"] < 0:
        raise InvalidInput(f"failed_devices is {params['failed_devices']}: give 0 or more.")
    rollout = Rollout(connect(task), params["name"], params["artifact_name"], params["waves"])
    rollout.check_options()
    rollout.read()
    limit, failed, installed = (params[name] for name in ("fleet_limit", "failed_devices", "installed"))
    shown = rollout.show(params["fleet"], limit, failed, installed, task.warn)
    return {"changed": False, "rollout": shown}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
