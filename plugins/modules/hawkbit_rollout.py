#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hawkbit_rollout
short_description: Create, approve, start, pause, resume, stop, repeat and follow a staged rollout on hawkBit
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Manages rollouts of Eclipse hawkBit. A rollout brings a distribution set to its targets group by group. The server
    itself starts the next group when enough devices of the present one have succeeded, and pauses when too many have
    failed, even while no controller is there.
  - The name is the identity. The same task run again finds the rollout and attaches to it; a finished rollout is not
    repeated. A rollout of that name for another distribution set or other targets is an error.
  - Of a rollout that exists only the O(description) can be changed. Everything else counts when it is created. When
    O(distribution_set) and O(fleet) are given, the groups, the server's thresholds, O(assignment_type), O(forcetime),
    O(start_at), O(weight) and O(dynamic_groups) are compared as far as the server tells them, and a warning says what
    differs.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.fleet
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
  name:
    description:
      - Name of the rollout. hawkBit never gives a name twice, not even after the rollout has been deleted.
    type: str
    required: true
  state:
    description:
      - V(present) has the rollout created, but not started.
      - V(started) has it created and started. A paused rollout is left alone, since it may be paused for a reason. One
        that waits for approval is left alone with a warning.
      - V(approved) and V(denied) decide about a rollout that waits for approval, which the tenant demands with
        C(rollout.approval.enabled). One that needs no approval counts as approved. It is not started by that.
      - V(resumed) has a paused rollout go on.
      - V(paused) has no further group started. Devices that have begun go on.
      - V(stopped) ends it for good and cancels what is open. Before hawkBit 0.10, which cannot stop a rollout, it is
        paused and its open actions are cancelled.
      - V(triggered) has groups begin at once, up to and including O(trigger_group), whatever has become of those
        before. From hawkBit 0.3.0 on.
      - V(retried) has a finished rollout repeated for the devices on which it failed, by a new rollout whose name is
        O(name) with C(_retry) appended. It has one group and 50 for both thresholds, is started, and is what the result
        is about. Where no device has failed, nothing is done. From hawkBit 0.3.0 on.
      - V(absent) has it removed.
    type: str
    choices: [present, started, approved, denied, resumed, paused, stopped, triggered, retried, absent]
    default: started
  distribution_set:
    description:
      - The distribution set. Required, like O(fleet), to create a rollout; to attach to one the name is enough.
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
  description:
    description:
      - Text about the rollout. Can be changed later from hawkBit 0.6 on.
    type: str
  groups:
    description:
      - The groups in their order. Mutually exclusive with O(amount_groups).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      percentage:
        description:
          - Size of the group in percent of all targets of the rollout, or of those that its O(groups[].query) finds.
          - The last group, and one with a query, gets the rest when it has none. Targets that a group before has under
            another query do not count.
          - Servers before 0.5 count in percent of what the groups before have left; it is converted for them.
        type: float
      query:
        description: RSQL query that chooses among the targets of the rollout. All of them by default.
        type: str
      success_threshold:
        description: Overrides O(success_threshold) for this group.
        type: int
      error_threshold:
        description: Overrides O(error_threshold) for this group.
        type: int
      success_action:
        description: Overrides O(success_action) for this group.
        type: str
        choices: [next_group, pause]
      confirmation_required:
        description: Overrides O(confirmation_required) for this group.
        type: bool
  amount_groups:
    description:
      - How many groups of the same size to make. One without O(groups). V(0) with O(dynamic_groups) has only those.
    type: int
  dynamic_groups:
    description:
      - Makes the rollout a dynamic one. Targets that come to match O(fleet) later get into further groups, which the
        server makes for them. Such a rollout never ends by itself; a wait is over when the groups that it began with
        have ended.
      - Mutually exclusive with O(groups). From hawkBit 0.5 on.
    type: dict
    suboptions:
      name_suffix:
        description: What the names of these groups end in.
        type: str
        default: -dynamic
      size:
        description: How many targets such a group has when it is full.
        type: int
        required: true
  success_threshold:
    description:
      - How many devices of a group must have succeeded, in percent, before O(success_action) takes place.
    type: int
    default: 100
  error_threshold:
    description:
      - The rollout is paused when more than this percentage of a group's devices have failed. With V(0) the first
        failure pauses it.
    type: int
    default: 0
  success_action:
    description:
      - What the server does when a group has succeeded. V(pause) waits for O(state=resumed) before the next group; it
        needs hawkBit 0.10 or newer.
    type: str
    choices: [next_group, pause]
    default: next_group
  assignment_type:
    description:
      - How urgent the update is for the device; see M(fleet.deploy.distribution_set_assign).
    type: str
    choices: [forced, soft, timeforced, downloadonly]
    default: forced
  forcetime:
    description:
      - When V(timeforced) becomes forced, as ISO 8601 with an offset from UTC, or in milliseconds since 1970 (UTC).
    type: str
  start_at:
    description:
      - When the server starts the rollout by itself, as ISO 8601 with an offset from UTC, or in milliseconds since 1970
        (UTC). For O(state=present); it is refused with O(state=started), which starts at once.
    type: str
  weight:
    description:
      - Importance from 0 to 1000. Before hawkBit 0.5 only with multi-assignment.
    type: int
  confirmation_required:
    description:
      - Whether somebody must confirm on each device. Only counts while the tenant has
        C(user.confirmation.flow.enabled). From hawkBit 0.3.0M8 on.
    type: bool
  approval_remark:
    description:
      - What is noted down with O(state=approved) and O(state=denied).
    type: str
  trigger_group:
    description:
      - Name of the group that is to begin with O(state=triggered).
    type: str
  wait_group:
    description:
      - Wait only until the group of this name has reached its O(success_threshold), even if some of its devices are
        still under way. If its O(success_action) is V(pause), wait until the rollout is paused.
    type: str
notes:
  - The thresholds O(success_threshold) and O(error_threshold) are the server's and count for each group. The options
    O(min_success_percentage), O(max_failures) and O(max_failure_percentage) are looked at by the waiting task and
    count for the whole rollout. None of those is set by default.
  - A group in which neither threshold is reached stops the rollout without pausing it. This cannot happen when
    O(success_threshold) and O(error_threshold) add up to 100 or less.
  - O(wait_until=online) is refused, since hawkBit does not tell which devices of a rollout are switched on. Use
    O(min_success_percentage) where some may be off.
  - O(fleet) is turned into one query of at most 1024 characters, so lists of ids can only be short here.
seealso:
  - module: fleet.deploy.hawkbit_rollout_info
  - module: fleet.deploy.distribution_set_assign
"""

EXAMPLES = r"""
- name: Roll out to a canary of 10 percent first, then to the rest, and wait for the end
  fleet.deploy.hawkbit_rollout:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-os 2.1.0
    distribution_set:
      name: gateway-os
      version: 2.1.0
    fleet:
      query: name==gateway-*
    groups:
      - name: canary
        percentage: 10
      - name: rest
        success_threshold: 90
        error_threshold: 10
    wait: true
    wait_timeout: 3600

- name: Prepare a rollout that the server starts in the night
  fleet.deploy.hawkbit_rollout:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-os 2.1.0 by night
    state: present
    distribution_set:
      name: gateway-os
      version: 2.1.0
    fleet:
      query: name==gateway-*
    amount_groups: 5
    start_at: "2031-05-04T02:00:00+02:00"

- name: Remove the rollout
  fleet.deploy.hawkbit_rollout:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    name: gateway-os 2.1.0
    state: absent
"""

RETURN = r"""
rollout:
  description: The rollout as it is now. Null when there is none.
  returned: success
  type: dict
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
      sample: finished
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
      description: How many of its targets are where; see RV(counts).
      type: dict
      sample: {selected: 25, skipped: 0, pending: 0, running: 0, succeeded: 25, failed: 0, aborted: 0, unknown: 0}
    groups:
      description: Its groups, each with its own counts and thresholds.
      type: list
      elements: dict
      sample:
        - id: "9"
          name: canary
          status: finished
          dynamic: false
          last_modified_at: "2026-03-01T10:05:00Z"
          success_threshold: "100"
          error_threshold: "0"
          counts: {selected: 3, skipped: 0, pending: 0, running: 0, succeeded: 3, failed: 0, aborted: 0, unknown: 0}
deployment:
  description: The rollout in the form that all platforms share.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample:
    platform: hawkbit
    id: "4"
    name: gateway-os 2.1.0
    state: succeeded
    native_state: finished
    software: {id: "7", name: gateway-os, version: 2.1.0, type: os}
    created: "2026-03-01T10:00:00Z"
    finished: null
  contains:
    platform:
      description: Always V(hawkbit).
      type: str
    id:
      description: Id of the rollout.
      type: str
    name:
      description: Name of the rollout.
      type: str
    state:
      description: One of V(planned), V(waiting), V(running), V(succeeded), V(failed), V(aborted) and V(timed_out).
      type: str
    native_state:
      description: hawkBit's own word.
      type: str
    software:
      description: Id, name, version and type of the distribution set.
      type: dict
    created:
      description: When it was created, ISO 8601 in UTC.
      type: str
    finished:
      description: Always null, since hawkBit does not tell.
      type: str
counts:
  description: How many of its targets are where. Each is counted once.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {selected: 25, skipped: 0, pending: 0, running: 0, succeeded: 25, failed: 0, aborted: 0, unknown: 0}
devices:
  description: Devices that need attention, at most O(result_limit) in each list.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  contains:
    failed:
      description: Devices on which the update failed, with the last message and the log that they sent.
      type: list
      elements: dict
      sample: []
    skipped:
      description: Always empty here.
      type: list
      elements: str
      sample: []
    unknown:
      description: Always empty here.
      type: list
      elements: str
      sample: []
    truncated:
      description: Whether a list was cut at O(result_limit).
      type: bool
      sample: false
attach:
  description: Options with which this wait can be taken up again.
  returned: always, unless the options are wrong or the server cannot be reached
  type: dict
  sample: {name: gateway-os 2.1.0, state: started, wait: true}
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
  sample: {native_state: running, summary: "3 of 25 have it, 22 pending"}
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import (
    ArgumentSpec,
    connection_spec,
    fleet_spec,
    gate_spec,
    wait_spec,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.steps import carry_out
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollout import RolloutTask
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rollout_fixed import SUCCESS_ACTIONS

SPEC = (
    connection_spec(PLATFORM)
    .merge(fleet_spec())
    .merge(wait_spec())
    .merge(gate_spec())
    .merge(
        ArgumentSpec(
            {
                "name": {"type": "str", "required": True},
                "state": {
                    "type": "str",
                    "choices": [
                        "present",
                        "started",
                        "approved",
                        "denied",
                        "resumed",
                        "paused",
                        "stopped",
                        "triggered",
                        "retried",
                        "absent",
                    ],
                    "default": "started",
                },
                "distribution_set": {
                    "type": "dict",
                    "options": {
                        "name": {"type": "str", "required": True},
                        "version": {"type": "str", "required": True},
                        "type": {"type": "str"},
                    },
                },
                "description": {"type": "str"},
                "groups": {
                    "type": "list",
                    "elements": "dict",
                    "options": {
                        "name": {"type": "str", "required": True},
                        "percentage": {"type": "float"},
                        "query": {"type": "str"},
                        "success_threshold": {"type": "int"},
                        "error_threshold": {"type": "int"},
                        "success_action": {"type": "str", "choices": list(SUCCESS_ACTIONS)},
                        "confirmation_required": {"type": "bool"},
                    },
                },
                "amount_groups": {"type": "int"},
                "dynamic_groups": {
                    "type": "dict",
                    "options": {
                        "name_suffix": {"type": "str", "default": "-dynamic"},
                        "size": {"type": "int", "required": True},
                    },
                },
                "success_threshold": {"type": "int", "default": 100},
                "error_threshold": {"type": "int", "default": 0},
                "success_action": {"type": "str", "choices": list(SUCCESS_ACTIONS), "default": "next_group"},
                "assignment_type": {
                    "type": "str",
                    "choices": ["forced", "soft", "timeforced", "downloadonly"],
                    "default": "forced",
                },
                "forcetime": {"type": "str"},
                "start_at": {"type": "str"},
                "weight": {"type": "int"},
                "confirmation_required": {"type": "bool"},
                "approval_remark": {"type": "str"},
                "trigger_group": {"type": "str"},
                "wait_group": {"type": "str"},
            },
            mutually_exclusive=[["groups", "amount_groups"], ["groups", "dynamic_groups"]],
        )
    )
)


def run(task: Task) -> dict[str, Any]:
    return carry_out(task, RolloutTask(task), connect)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
