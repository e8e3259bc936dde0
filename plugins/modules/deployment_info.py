#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: deployment_info
short_description: Read Mender deployments, their devices and logs, or the history of a device
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Lists deployments with their counters, or reads one, with its devices and their logs on request.
  - Or reads what one device has done.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_mender
options:
  id:
    description:
      - Id of the one deployment to read. RV(deployments) is empty when there is none.
    type: str
  device_id:
    description:
      - Id of a device whose history to read, into RV(history). Needs a server of 2023 or newer.
    type: str
  name:
    description:
      - Exact name of the deployments.
    type: str
  search:
    description:
      - Text that the server searches for in names of deployments and artifacts. Real servers compare whole words.
      - Where a server cannot search, deployments are found that have the text in one of these names.
    type: str
  status:
    description:
      - Status of the deployments. Mender has no status for those that were aborted or have failed, they are
        V(finished); RV(deployments[].statistics) tells it. V(scheduled) are only found on servers that have phases.
    type: str
    choices: [scheduled, pending, inprogress, finished]
  created_after:
    description:
      - Only deployments made at this time or later. A time with its offset from UTC, such as V(2026-11-20T03:00:00Z),
        or seconds since 1970 (UTC).
    type: str
  created_before:
    description:
      - Only deployments made at this time or earlier, as O(created_after).
    type: str
  limit:
    description:
      - How many deployments, or entries of the history, to read at most, the newest first. All of them if not set.
    type: int
  statistics:
    description:
      - Whether to read the counters where they do not come with the list, which servers of 2020 need a request each
        for.
    type: bool
    default: true
  devices:
    description:
      - Which devices of each deployment to read, by their status in it. Only devices that have asked for the deployment
        have one.
      - V(none) reads none, V(all) all of them.
    type: str
    choices:
      - none
      - all
      - pending
      - downloading
      - pause_before_installing
      - installing
      - pause_before_rebooting
      - rebooting
      - pause_before_committing
      - success
      - failure
      - noartifact
      - already-installed
      - aborted
      - decommissioned
    default: none
  device_list:
    description:
      - Whether to read the ids of all devices that each deployment was made for.
    type: bool
    default: false
  logs:
    description:
      - Whether to read the last lines of the log of each of O(devices) that has one, by a request each.
    type: bool
    default: false
seealso:
  - module: fleet.deploy.deployment
  - module: fleet.deploy.mender_device_deployments
"""

EXAMPLES = r"""
- name: Read what is under way
  fleet.deploy.deployment_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    status: inprogress

- name: Read why devices have failed
  fleet.deploy.deployment_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0-canary
    devices: failure
    logs: true

- name: Read what a device has done
  fleet.deploy.deployment_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    device_id: 2f3b8b5e-6f0a-4d0e-9d38-0b6f4c1f7a11
"""

RETURN = r"""
deployments:
  description: The deployments, the newest first. Empty with O(device_id).
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
      description: One of V(scheduled), V(pending), V(inprogress) and V(finished).
      type: str
      sample: finished
    created:
      description: When it was made, in UTC.
      type: str
      sample: "2026-11-20T07:51:01.733Z"
    finished:
      description: When it finished, in UTC. Null before.
      type: str
      sample: "2026-11-20T07:53:12.004Z"
    device_count:
      description: How many devices have asked for it.
      type: int
      sample: 3
    max_devices:
      description: How many devices it was made for. Null when the server does not tell it.
      type: int
      sample: 3
    artifacts:
      description: Ids of its artifacts.
      type: list
      elements: str
      sample: [0c13a0e6-6b63-475d-8260-ee42a590e8ff]
    groups:
      description: Groups that it was made for. Null when there are none or the server does not tell them.
      type: list
      elements: str
      sample: [canary]
    filter_id:
      description: Id of the saved filter by which it finds its devices. Null without one.
      type: str
      sample: null
    filter:
      description:
        - By which condition it has found its devices, or finds them when it is RV(deployments[].dynamic). Null when it
          was made for devices that were named, which O(device_list) reads, and on servers that do not tell it.
      type: dict
      contains:
        id:
          description: Id of the saved filter. Null for a group or all devices.
          type: str
          sample: null
        name:
          description: Name of the saved filter. Null for a group or all devices.
          type: str
          sample: null
        terms:
          description: What must be true of a device, all of it.
          type: list
          elements: dict
          contains:
            scope:
              description: Scope of the attribute.
              type: str
              sample: system
            attribute:
              description: Name of the attribute.
              type: str
              sample: group
            type:
              description: How it is compared, such as V($eq) and V($in).
              type: str
              sample: $eq
            value:
              description: With what. A text, a number, or a list of them.
              type: raw
              sample: canary
    initial_device_count:
      description: How many devices its saved filter found when it was made. Null without one.
      type: int
      sample: null
    dynamic:
      description: Whether it finds its devices by a saved filter.
      type: bool
      sample: false
    phases:
      description:
        - Its phases as the server has them. Null without phases.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the phase.
          type: str
          sample: 5f8a1a7e-1a53-4f1d-a3d2-0b1c6d9e8f70
        batch_size:
          description: How many of the devices are in it, in percent.
          type: int
          sample: 10
        batch_size_devices:
          description: How many devices are in it. Only there in place of C(batch_size), when it was given so.
          type: int
          sample: 3
        start_ts:
          description: When it begins. Not there when it began at once.
          type: str
          sample: "2026-11-20T20:00:00Z"
        device_count:
          description: How many devices have asked in it.
          type: int
          sample: 3
    retries:
      description: How often a device may try again. Null without retries.
      type: int
      sample: null
    force_installation:
      description: Whether devices that have the artifact install it once more.
      type: bool
      sample: false
    statistics:
      description:
        - How many devices have which status, which is the name of the key. What the server does not count is not there.
          Null when it was not read.
      type: dict
      sample:
        aborted: 0
        already-installed: 1
        downloading: 0
        failure: 0
        installing: 0
        noartifact: 0
        pending: 0
        rebooting: 0
        success: 2
    devices:
      description: The devices that O(devices) asks for. Null when none are asked for.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the device.
          type: str
        status:
          description: Its status in the deployment.
          type: str
        device_type:
          description: Its type. Null when the server does not tell it here, which only those of 2020 do.
          type: str
        state:
          description: State that the device has reported besides its status. Null when the server does not tell it.
          type: str
        substate:
          description: What else the device says about it.
          type: str
        created:
          description: When its part was made, in UTC.
          type: str
        started:
          description: When it began, in UTC. Null when the server does not tell it.
          type: str
        finished:
          description: When it ended, in UTC.
          type: str
        has_log:
          description: Whether there is a log.
          type: bool
        log:
          description: The last 20 lines of its log. Null when it was not read.
          type: str
    device_list:
      description: Ids of all devices that it was made for. Null when they are not asked for.
      type: list
      elements: str
      sample: null
history:
  description: What the device of O(device_id) has done, the newest first. Null without that option.
  returned: success
  type: list
  elements: dict
  contains:
    deployment:
      description: The deployment, as in RV(deployments) without devices.
      type: dict
    device:
      description: The device's part in it, as in RV(deployments[].devices).
      type: dict
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.deployment_info import history, read
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec

STATUSES = [
    "pending",
    "downloading",
    "pause_before_installing",
    "installing",
    "pause_before_rebooting",
    "rebooting",
    "pause_before_committing",
    "success",
    "failure",
    "noartifact",
    "already-installed",
    "aborted",
    "decommissioned",
]
FILTERS = ("name", "search", "status", "created_after", "created_before")
SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "id": {"type": "str"},
            "device_id": {"type": "str"},
            "name": {"type": "str"},
            "search": {"type": "str"},
            "status": {"type": "str", "choices": ["scheduled", "pending", "inprogress", "finished"]},
            "created_after": {"type": "str"},
            "created_before": {"type": "str"},
            "limit": {"type": "int"},
            "statistics": {"type": "bool", "default": True},
            "devices": {"type": "str", "choices": ["none", "all", *STATUSES], "default": "none"},
            "device_list": {"type": "bool", "default": False},
            "logs": {"type": "bool", "default": False},
        },
        mutually_exclusive=[["id", "device_id"], *([one, name] for one in ("id", "device_id") for name in FILTERS)],
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    deployments = connect(task).deployments
    if params["device_id"] is not None:
        found = history(deployments, params["device_id"], params["limit"])
        return {"changed": False, "deployments": [], "history": found}
    return {"changed": False, "deployments": read(deployments, params), "history": None}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
