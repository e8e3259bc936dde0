#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hawkbit_rollout_info
short_description: Read staged rollouts of hawkBit
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Returns rollouts of Eclipse hawkBit with their groups and counts, and on request the devices that failed.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_hawkbit
options:
  name:
    description:
      - Exact name of a rollout. Without O(name) and O(query) all rollouts are returned.
    type: str
  query:
    description:
      - RSQL query, such as V(name==gateway-*). Servers differ in the fields that they know; C(id), C(name),
        C(description) and C(status) (not in 0.3.0M7) are safe.
    type: str
  limit:
    description:
      - How many rollouts to return at most, the oldest first. A warning says when there are more.
    type: int
    default: 100
  failed_devices:
    description:
      - How many failed devices to return for each rollout, with their last message and log. Each costs a request.
    type: int
    default: 0
seealso:
  - module: fleet.deploy.hawkbit_rollout
"""

EXAMPLES = r"""
- name: Look at a rollout and the devices that failed
  fleet.deploy.hawkbit_rollout_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-os 2.1.0
    failed_devices: 20

- name: Look at all rollouts
  fleet.deploy.hawkbit_rollout_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
"""

RETURN = r"""
total:
  description: How many rollouts the query finds, which may be more than O(limit).
  returned: success
  type: int
  sample: 3
rollouts:
  description: The rollouts in the order in which they were created. Empty when there is none.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the rollout.
      type: str
      sample: "4"
    name:
      description: Name of the rollout.
      type: str
      sample: gateway-os 2.1.0
    description:
      description: Text about it.
      type: str
      sample: null
    status:
      description: hawkBit's own word.
      type: str
      sample: running
    query:
      description: Query that selected its targets.
      type: str
      sample: name==gateway-*
    distribution_set_id:
      description: Id of its distribution set.
      type: str
      sample: "7"
    assignment_type:
      description: How urgent it is.
      type: str
      sample: forced
    weight:
      description: Its importance, null where the release has none.
      type: int
      sample: 1000
    dynamic:
      description: Whether it has dynamic groups, null where the release does not know them.
      type: bool
      sample: false
    approval_decided_by:
      description: Who has approved or denied it, null when nobody has.
      type: str
      sample: null
    approval_remark:
      description: What was noted down with that, null when nothing was.
      type: str
      sample: null
    start_at:
      description: When it starts by itself, ISO 8601 in UTC.
      type: str
      sample: null
    created_at:
      description: When it was created, ISO 8601 in UTC.
      type: str
      sample: "2026-03-01T10:00:00Z"
    last_modified_at:
      description: When its state changed last, ISO 8601 in UTC.
      type: str
      sample: "2026-03-01T10:20:00Z"
    counts:
      description: How many of its targets are where. Each is counted once.
      type: dict
      sample: {selected: 25, skipped: 0, pending: 22, running: 1, succeeded: 1, failed: 1, aborted: 0, unknown: 0}
    groups:
      description: Its groups, each with its own counts and thresholds.
      type: list
      elements: dict
      sample:
        - id: "9"
          name: canary
          status: running
          dynamic: false
          last_modified_at: "2026-03-01T10:05:00Z"
          success_threshold: "100"
          error_threshold: "50"
          counts: {selected: 3, skipped: 0, pending: 0, running: 1, succeeded: 1, failed: 1, aborted: 0, unknown: 0}
    failed_devices:
      description: Devices on which it failed, at most O(failed_devices).
      type: list
      elements: dict
      sample:
        - id: gateway-0007
          name: Gateway of hall 7
          state: failed
          native_state: error
          code: "28"
          message: no space left on device
          log: "error: no space left on device"
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput, NotFound
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollout import show

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "name": {"type": "str"},
            "query": {"type": "str"},
            "limit": {"type": "int", "default": 100},
            "failed_devices": {"type": "int", "default": 0},
        },
        mutually_exclusive=[["name", "query"]],
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    for option, least in (("limit", 1), ("failed_devices", 0)):
        if params[option] < least:
            raise InvalidInput(f"{option} is {params[option]}: give {least} or more.")
    rollouts = connect(task).rollouts
    if params["name"] is not None:
        found = [rollout for rollout in [rollouts.find(params["name"])] if rollout is not None]
    else:
        listed = rollouts.search(params["query"], params["limit"])
        # the list has no counts in 0.3.0M7
        counted = (item if "totalTargetsPerStatus" in item else rollouts.get(item["id"]) for item in listed)
        found = [rollout for rollout in counted if rollout is not None]
    total = len(found)
    if params["name"] is None and total >= params["limit"]:
        total = rollouts.count(params["query"])
    shown = []
    for rollout in found:
        try:
            failed = rollouts.failed_devices(rollout, params["failed_devices"]) if params["failed_devices"] else []
            groups = rollouts.groups(rollout["id"])
        except NotFound:
            # somebody else has deleted it since it was listed
            continue
        shown.append({**show(rollout, groups), "failed_devices": [device.render() for device in failed]})
    if total > params["limit"]:
        task.warn(f"There are {total} rollouts, of which the first {params['limit']} are returned: raise limit.")
    return {"changed": False, "total": total, "rollouts": shown}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
