#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: deployment
short_description: Deploy a Mender artifact to many devices and follow them, or abort that
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Makes a Mender deployment for any number of devices in one task, and on request waits until they have installed it,
    with thresholds for failures. Or aborts one.
  - A deployment of the same O(name), O(artifact_name) and O(fleet) that is under way is found instead of made a second
    time, so the same task run again attaches to it; one that has finished is not repeated.
  - Phases, retries and saved filters are refused on servers whose edition does not have them. The open source server
    would pass them over and start on all devices at once.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.fleet
  - fleet.deploy.redeploy
  - fleet.deploy.wait
  - fleet.deploy.gate
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
      - Name of the deployment, which is how a later run finds it. Up to 256 characters.
      - Defaults to O(artifact_name) when a deployment is made. With O(state=aborted) all names count if it is not set.
    type: str
  artifact_name:
    description:
      - Name of the artifact. Each device gets the one of this name that is for its type.
      - Needed, together with O(fleet), unless O(id) says which deployment is meant.
    type: str
  id:
    description:
      - Id of a deployment that is there, to wait for it or to abort it, instead of O(name), O(artifact_name) and
        O(fleet).
    type: str
  state:
    description:
      - V(present) makes the deployment unless it is there.
      - V(aborted) aborts the one that is active and matches O(id), or what is set of O(name), O(artifact_name) and
        O(fleet). Nothing is done when there is none, and it is an error when there are several.
      - Devices that have ended keep their status, devices that have not asked will not begin, and devices in the middle
        of it finish, but cannot report it any more and roll back. RV(outcome) counts them. O(wait) does not matter.
    type: str
    choices: [present, aborted]
    default: present
  force_installation:
    description:
      - Whether devices install the artifact also when they have it. Needs a server of 2023 or newer.
    type: bool
    default: false
  phases:
    description:
      - Lets a deployment begin on parts of the fleet, one after the other. Needs the Enterprise edition; Professional
        has one phase, which is how a deployment is scheduled.
    type: list
    elements: dict
    suboptions:
      batch_size:
        description:
          - How many of the devices are in this phase, in percent, rounded down. The last phase may leave it out and
            takes the rest.
        type: int
      batch_size_devices:
        description: How many devices are in this phase, instead of O(phases[].batch_size).
        type: int
      start_ts:
        description:
          - When the phase begins, with the offset from UTC, such as V(2026-12-24T03:00:00+01:00). Only the first phase
            may leave it out and begins at once.
        type: str
  uniform_phases:
    description:
      - Phases of the same size in equal distances, instead of O(phases). Needs the Enterprise edition.
    type: dict
    suboptions:
      start_ts:
        description: When the first phase begins, as O(phases[].start_ts). At once if not set.
        type: str
      time_interval:
        description: Time between two phases in ISO 8601, such as V(PT2H).
        type: str
        required: true
      batch_size:
        description: How many of the devices are in each phase, in percent.
        type: int
      batch_size_devices:
        description: How many devices are in each phase, instead of O(uniform_phases.batch_size).
        type: int
  retries:
    description:
      - How often a device tries again when the update fails. Needs the Enterprise edition.
      - For repeats of requests to the server see O(request_retries).
    type: int
  update_control_map:
    description:
      - Where devices pause and what they do then, as Mender documents it. Needs the Enterprise edition. It is given to
        new deployments only.
    type: dict
  max_devices:
    description:
      - After how many devices a deployment with O(fleet.filter_id) is over. Without it, it goes on until it is aborted.
    type: int
  edition:
    description:
      - Edition of the server. Only looked at when an option is used that not all of them have.
      - V(auto) finds it out.
    type: str
    choices: [auto, open_source, professional, enterprise]
    default: auto
  noartifact:
    description:
      - How devices count for whose type there is no artifact of this name. For Mender they have finished successfully.
    type: str
    choices: [succeeded, failed]
    default: succeeded
  already_installed:
    description:
      - How devices count that had the artifact before. With V(succeeded) they are in RV(devices.skipped).
    type: str
    choices: [succeeded, failed]
    default: succeeded
notes:
  - O(fleet) knows the suboptions O(fleet.ids), O(fleet.group), O(fleet.groups), O(fleet.filters), O(fleet.filter_id)
    and O(fleet.all) here. Each entry of O(fleet.filters) has C(scope), C(attribute), C(type) and C(value), as the
    search of Mender's inventory takes them; all must hold. Only accepted devices are selected.
  - O(fleet.group) and O(fleet.all) are resolved by the server when it makes the deployment; devices that come later are
    not part of it. On servers of 2020, and O(fleet.groups) and O(fleet.filters) on all, the ids of the devices are
    sent, so that another selection is another deployment. Servers before 4.0 do not show that a deployment is for all
    devices; there it is found again as long as the number of devices is the same.
  - A deployment that is under way is not changed. When it lacks what the task asks for, such as O(phases) or
    O(retries), a warning says so.
  - O(redeploy) is about the deployment as a whole. With V(failed) and V(always) it is made again for all its devices;
    those that have the artifact say so at once, unless O(force_installation=true).
  - A deployment that was aborted counts as failed, so it is only made again with O(redeploy=failed) or
    O(redeploy=always).
  - O(wait_until=online) is refused, since Mender does not tell which devices are switched on. Devices ask every half an
    hour by default, so choose O(wait_timeout) and O(min_success_percentage) accordingly.
  - A look while waiting is one request, whatever the size of the fleet.
  - With a server from 4.1 on some 26,000 ids fit into a request.
seealso:
  - module: fleet.deploy.artifact_upload
  - module: fleet.deploy.deployment_info
  - module: fleet.deploy.mender_device_deployments
"""

EXAMPLES = r"""
# These examples need an artifact gateway-2.1.0 and devices in the group canary on the server.
- name: Update the canary group
  fleet.deploy.deployment:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0-canary
    artifact_name: gateway-2.1.0
    fleet:
      group: canary

- name: Wait until it has it, content with 95 percent, and stop when more than three fail
  fleet.deploy.deployment:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0-canary
    artifact_name: gateway-2.1.0
    fleet:
      group: canary
    fleet_limit: 500
    wait: true
    wait_timeout: 7200
    min_success_percentage: 95
    max_failures: 3
    on_failure: abort

- name: Abort it
  fleet.deploy.deployment:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0-canary
    artifact_name: gateway-2.1.0
    state: aborted
"""

RETURN = r"""
deployment:
  description: The deployment as a whole.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  contains:
    platform:
      description: Always V(mender).
      type: str
      sample: mender
    id:
      description: Id of the deployment. Null when there is none.
      type: str
      sample: 3618f54e-9d3c-4f0b-8c4e-9d5a1b2f7c10
    name:
      description: Its name.
      type: str
      sample: gateway-2.1.0-canary
    state:
      description:
        - One of V(planned), V(scheduled), V(waiting), V(running), V(succeeded), V(failed), V(aborted) and V(timed_out).
      type: str
      sample: succeeded
    native_state:
      description: Mender's word, one of V(scheduled), V(pending), V(inprogress) and V(finished).
      type: str
      sample: finished
    software:
      description: Keys C(artifact_name), and C(artifacts) with the ids of the artifacts.
      type: dict
      sample: {artifact_name: gateway-2.1.0, artifacts: [0c13a0e6-6b63-475d-8260-ee42a590e8ff]}
    created:
      description: When it was made, ISO 8601 in UTC.
      type: str
      sample: "2026-11-20T07:51:01Z"
    finished:
      description: When it finished, ISO 8601 in UTC. Null before.
      type: str
      sample: "2026-11-20T07:53:12Z"
counts:
  description:
    - How many of the devices are where, each counted once. C(skipped) are those that had the artifact before. Those
      that have not asked yet are C(pending), and C(aborted) when the deployment was aborted.
    - The key C(unknown) has those that O(fleet.ids) names and that Mender does not know or has not accepted, which are
      not selected.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {selected: 25, skipped: 2, pending: 0, running: 0, succeeded: 23, failed: 0, aborted: 0, unknown: 0}
statistics:
  description:
    - Mender's own counters. What the server does not count is not there. Null without a deployment.
    - The counter C(pending) leaves out devices that have not asked, on servers before 4.1.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {aborted: 0, already-installed: 2, downloading: 0, failure: 0, pending: 0, success: 23}
paused:
  description: How many devices pause and wait for somebody to let them go on. Null when the server does not count them.
  returned: always, unless the options are wrong or the server cannot be reached
  type: int
  sample: 0
outcome:
  description: What an abort by this task met. Null when it has aborted nothing with O(state=aborted).
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  contains:
    completed:
      description: Devices that had ended, and keep their status.
      type: int
      sample: 12
    not_started:
      description: Devices that had not begun, and will not.
      type: int
      sample: 9
    interrupted:
      description: Devices in the middle of it, which roll back.
      type: int
      sample: 4
devices:
  description: Devices that need attention, at most O(result_limit) in each list.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  contains:
    failed:
      description: Devices on which the update failed, with the last 20 lines of the log that they sent.
      type: list
      elements: dict
      sample:
        - id: 2f3b8b5e-6f0a-4d0e-9d38-0b6f4c1f7a11
          name: null
          state: failed
          native_state: failure
          code: null
          message: no space left on device
          log: "2026-11-20 07:39:49 +0000 UTC error: no space left on device"
    skipped:
      description: Ids of devices that had the artifact before.
      type: list
      elements: str
      sample: []
    unknown:
      description: Ids that Mender does not know or has not accepted.
      type: list
      elements: str
      sample: []
    truncated:
      description: Whether a list was cut at O(result_limit).
      type: bool
      sample: false
attach:
  description: Options with which this wait can be taken up again. Empty when there is none.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {id: 3618f54e-9d3c-4f0b-8c4e-9d5a1b2f7c10, wait: true}
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
  sample: {native_state: inprogress, summary: "20 of 25 have it, 5 pending"}
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import (
    ArgumentSpec,
    fleet_spec,
    gate_spec,
    redeploy_spec,
    wait_spec,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.deploy import DeployTask
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec

COUNTING = {"type": "str", "choices": ["succeeded", "failed"], "default": "succeeded"}
SIZES: dict[str, Any] = {"batch_size": {"type": "int"}, "batch_size_devices": {"type": "int"}}
SPEC = (
    mender_spec()
    .merge(fleet_spec())
    .merge(redeploy_spec())
    .merge(wait_spec())
    .merge(gate_spec())
    .merge(
        ArgumentSpec(
            {
                "name": {"type": "str"},
                "artifact_name": {"type": "str"},
                "id": {"type": "str"},
                "state": {"type": "str", "choices": ["present", "aborted"], "default": "present"},
                "force_installation": {"type": "bool", "default": False},
                "phases": {"type": "list", "elements": "dict", "options": {**SIZES, "start_ts": {"type": "str"}}},
                "uniform_phases": {
                    "type": "dict",
                    "options": {
                        **SIZES,
                        "start_ts": {"type": "str"},
                        "time_interval": {"type": "str", "required": True},
                    },
                },
                "retries": {"type": "int"},
                "update_control_map": {"type": "dict"},
                "max_devices": {"type": "int"},
                "edition": {
                    "type": "str",
                    "choices": ["auto", "open_source", "professional", "enterprise"],
                    "default": "auto",
                },
                "noartifact": COUNTING,
                "already_installed": COUNTING,
            }
        )
    )
)


def run(task: Task) -> dict[str, Any]:
    return carry_out(task, DeployTask(task), connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
