#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: distribution_set_assign
short_description: Assign hawkBit distribution sets to many targets and follow them
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Assigns a distribution set of Eclipse hawkBit to any number of targets in one task, and on request waits until they
    have installed it, with thresholds for failures.
  - Targets that have the set, or are installing it, are left alone. The same task run again attaches to what is under
    way; a finished assignment is not repeated.
  - For a rollout in stages that the server drives by itself see M(fleet.deploy.hawkbit_rollout).
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.fleet
  - fleet.deploy.redeploy
  - fleet.deploy.wait
  - fleet.deploy.gate
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_hawkbit
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  distribution_set:
    description:
      - The distribution set. It must be complete. Exactly one of O(distribution_set) and O(distribution_sets).
    type: dict
    suboptions:
      name:
        description: Name of the set.
        type: str
        required: true
      version:
        description: Version of the set.
        type: str
        required: true
      type:
        description: Key of the set's type. Only needed when sets of several types share name and version.
        type: str
  distribution_sets:
    description:
      - Several distribution sets that each device is to have beside each other.
      - More than one needs a server up to 0.9 with multi-assignment, the tenant's setting C(multi.assignments.enabled),
        which can be switched on, but never off again.
      - There a device counts as having a set when the newest update with it has succeeded, whatever else it has been
        given since.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the set.
        type: str
        required: true
      version:
        description: Version of the set.
        type: str
        required: true
      type:
        description: Key of the set's type. Only needed when sets of several types share name and version.
        type: str
      assignment_type:
        description: As O(assignment_type), which it defaults to.
        type: str
        choices: [forced, soft, timeforced, downloadonly]
      forcetime:
        description: As O(forcetime), which it defaults to unless O(distribution_sets[].assignment_type) is given.
        type: str
      weight:
        description: As O(weight), which it defaults to.
        type: int
      maintenance_window:
        description: As O(maintenance_window), which it defaults to.
        type: dict
        suboptions:
          schedule:
            description: As O(maintenance_window.schedule).
            type: str
          duration:
            description: As O(maintenance_window.duration).
            type: str
          timezone:
            description: As O(maintenance_window.timezone).
            type: str
      confirmation_required:
        description: As O(confirmation_required), which it defaults to.
        type: bool
  assignment_type:
    description:
      - How urgent the update is for the device.
      - V(forced) has it done at once, V(soft) when it suits the device, V(timeforced) turns from soft to forced at
        O(forcetime), V(downloadonly) only brings it to the device.
      - What was only downloaded cannot be installed by another task of V(forced), which fails. Assign the set that the
        device runs with O(offline=true), and then this one again, or use a new version. A rollout does not help, since
        it counts such a device as finished at once.
      - It takes effect on new assignments only. hawkBit leaves a target that is assigned already as it is.
    type: str
    choices: [forced, soft, timeforced, downloadonly]
    default: forced
  forcetime:
    description:
      - When V(timeforced) becomes forced. A time with its offset from UTC, such as V(2026-12-24T03:00:00+01:00), or
        milliseconds since 1970 (UTC).
    type: str
  weight:
    description:
      - Importance from 0 to 1000. Mandatory where multi-assignment is switched on. Servers up to 0.4 refuse it where it
        is not.
    type: int
  maintenance_window:
    description:
      - When the device may install. It may download before. Takes effect on new assignments only.
    type: dict
    suboptions:
      schedule:
        description: Start of the window in Quartz cron notation, such as V(0 0 3 ? * SUN).
        type: str
      duration:
        description: Length of the window below a day, such as V(02:00:00).
        type: str
      timezone:
        description: Offset from UTC, such as V(+02:00).
        type: str
  confirmation_required:
    description:
      - Whether the update waits until it is confirmed, by the device or with M(fleet.deploy.target_action). Until then
        the device counts as pending.
      - Needs hawkBit 0.3.0M8 or newer and the tenant's setting C(user.confirmation.flow.enabled), which also makes
        V(true) the default.
    type: bool
  offline:
    description:
      - Only record that the devices have the set, because it came to them in another way. Nothing is sent to them.
      - Devices on which an update is under way are skipped, see RV(busy). With multi-assignment only an update with the
        same set counts.
      - Devices on which the set had failed are recorded too, whatever O(redeploy) says.
    type: bool
    default: false
notes:
  - O(fleet) knows the suboptions O(fleet.ids), O(fleet.names), O(fleet.query) (RSQL), O(fleet.tag),
    O(fleet.filter_id) and O(fleet.all) here, and from hawkBit 0.10 on O(fleet.group) and O(fleet.groups).
  - Without multi-assignment hawkBit cannot give a set again to a target that has it, so O(redeploy=always) is refused
    when there is such a target.
  - A device whose update was cancelled gets the set again, since it does not have it. So does one that has been given
    another set since, whether this one had succeeded on it or failed.
  - While a task waits, a device counts as aborted as soon as it is removed, its update is cancelled, or another set is
    assigned to it. On 0.3.0M7 one that is only cancelled does so when the device has confirmed it.
  - What is for one target only is sent in one request, several sets included. For more targets each set is sent in
    portions of 1,000.
seealso:
  - module: fleet.deploy.distribution_set
  - module: fleet.deploy.target_action
  - module: fleet.deploy.hawkbit_rollout
"""

EXAMPLES = r"""
- name: Update two gateways and wait until both have it
  fleet.deploy.distribution_set_assign:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    distribution_set:
      name: gateway-os
      version: 2.1.0
    fleet:
      ids: [gateway-0001, gateway-0002]
    wait: true

- name: Update all gateways, content with 95 percent, and stop when more than three fail
  fleet.deploy.distribution_set_assign:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    distribution_set:
      name: gateway-os
      version: 2.1.0
    fleet:
      query: name==gateway-*
    fleet_limit: 500
    wait: true
    min_success_percentage: 95
    max_failures: 3
    on_failure: abort

- name: Record what a technician has installed by hand
  fleet.deploy.distribution_set_assign:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    distribution_set:
      name: gateway-os
      version: 2.1.0
    fleet:
      ids: [gateway-0003]
    offline: true
"""

RETURN = r"""
deployment:
  description: The deployment as a whole.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample:
    platform: hawkbit
    id: "7"
    name: gateway-os:2.1.0
    state: succeeded
    native_state: null
    software: {id: "7", name: gateway-os, version: 2.1.0, type: os}
    created: null
    finished: null
  contains:
    platform:
      description: Always V(hawkbit).
      type: str
    id:
      description: Id of the distribution set, null with several sets.
      type: str
    name:
      description: Name and version of the distribution set, or of several ones.
      type: str
    state:
      description:
        - One of V(planned), V(waiting), V(running), V(succeeded), V(failed), V(aborted) and V(timed_out).
      type: str
    native_state:
      description:
        - V(wait_for_confirmation) when that is what all devices wait for that are not at their end.
        - Null in all other cases, since hawkBit has no state for an assignment to several targets.
      type: str
    software:
      description:
        - Id, name, version and type of the distribution set. With several sets these are null, and C(sets) lists those
          of each.
      type: dict
    created:
      description: Always null here.
      type: str
    finished:
      description: When the wait of this task ended, ISO 8601 in UTC. Null when nothing was waited for.
      type: str
counts:
  description:
    - How many of the selected devices are where. Each is counted once; of several sets the one that has come least far
      counts.
    - The key C(unknown) also has those that O(fleet) names and the server does not know, which are not selected.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {selected: 25, skipped: 2, pending: 0, running: 0, succeeded: 23, failed: 0, aborted: 0, unknown: 0}
devices:
  description: Devices that need attention, at most O(result_limit) in each list.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  contains:
    failed:
      description: Devices on which the update failed, with the last message and the log that they sent.
      type: list
      elements: dict
      sample:
        - id: gateway-0007
          name: Gateway of hall 7
          state: failed
          native_state: error
          code: "28"
          message: no space left on device
          log: "retrieved: Update Server: Target retrieved update action"
    skipped:
      description: Ids of devices that had the software before, or are in RV(busy).
      type: list
      elements: str
      sample: [gateway-0001]
    unknown:
      description: Ids or names that the server does not know.
      type: list
      elements: str
      sample: []
    truncated:
      description: Whether a list was cut at O(result_limit).
      type: bool
      sample: false
assigned:
  description: Ids of the devices that this task has assigned the set to, or would have in check mode.
  returned: always, unless the task failed before anything was assigned
  type: list
  elements: str
  sample: [gateway-0002]
busy:
  description:
    - Ids of the devices that were skipped with O(offline=true), because an update is under way on them. Of several sets
      the others may have been recorded.
  returned: always, unless the task failed before anything was assigned
  type: list
  elements: str
  sample: []
server_counts:
  description: What the server has answered to the assignments of this task, added up.
  returned: always, unless the task failed before anything was assigned
  type: dict
  contains:
    assigned:
      description: How many assignments it has made.
      type: int
      sample: 1
    already_assigned:
      description: How many it has left out, because somebody else had made them meanwhile or the device is busy.
      type: int
      sample: 0
    total:
      description: Both together.
      type: int
      sample: 1
    assigned_actions:
      description:
        - Ids of the actions that it has made. Empty when the answer was lost on the way and the assignment was found by
          reading back.
      type: list
      elements: str
      sample: ["12"]
attach:
  description: Options with which this wait can be taken up again. Empty with O(offline=true).
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {distribution_set: {name: gateway-os, version: 2.1.0}, fleet: {ids: [gateway-0001]}, wait: true}
error:
  description: What went wrong, all keys null on success. RV(error.code) is for programs.
  returned: always, unless the options are wrong
  type: dict
  contains:
    code:
      description:
        - One of V(invalid_input), V(not_found), V(conflict), V(auth), V(unreachable), V(bad_answer), V(unsupported),
          V(rejected), V(threshold_exceeded), V(wait_timeout) and V(aborted_elsewhere).
      type: str
      sample: null
    message:
      description: The server's own words where it said something, else those of C(msg).
      type: str
      sample: null
    details:
      description: What else the server said.
      type: dict
      sample: {}
    request_id:
      description: The server's id for the request, where it has one.
      type: str
      sample: null
http:
  description: The request that failed, all keys null when none did.
  returned: always, unless the options are wrong
  type: dict
  contains:
    method:
      description: HTTP method.
      type: str
      sample: null
    path:
      description: Path below the base address.
      type: str
      sample: null
    status:
      description: HTTP status, null when there was no answer.
      type: int
      sample: null
last_state:
  description: What was seen last.
  returned: when a wait timed out
  type: dict
  sample: {native_state: null, summary: "20 of 25 have it, 5 pending"}
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import (
    ArgumentSpec,
    connection_spec,
    fleet_spec,
    gate_spec,
    redeploy_spec,
    wait_spec,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.assign import AssignTask
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect

ASSIGNMENT_TYPES = ["forced", "soft", "timeforced", "downloadonly"]
SET = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "type": {"type": "str"},
}
HOW: dict[str, Any] = {
    "assignment_type": {"type": "str", "choices": ASSIGNMENT_TYPES},
    "forcetime": {"type": "str"},
    "weight": {"type": "int"},
    "maintenance_window": {
        "type": "dict",
        "options": {
            "schedule": {"type": "str"},
            "duration": {"type": "str"},
            "timezone": {"type": "str"},
        },
    },
    "confirmation_required": {"type": "bool"},
}
SPEC = (
    connection_spec(PLATFORM)
    .merge(fleet_spec())
    .merge(redeploy_spec())
    .merge(wait_spec())
    .merge(gate_spec())
    .merge(
        ArgumentSpec(
            {
                "distribution_set": {"type": "dict", "options": SET},
                "distribution_sets": {"type": "list", "elements": "dict", "options": {**SET, **HOW}},
                **HOW,
                "assignment_type": {**HOW["assignment_type"], "default": "forced"},
                "offline": {"type": "bool", "default": False},
            },
            mutually_exclusive=[["distribution_set", "distribution_sets"]],
            required_one_of=[["distribution_set", "distribution_sets"]],
        )
    )
)


def run(task: Task) -> dict[str, Any]:
    return carry_out(task, AssignTask(task), connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
