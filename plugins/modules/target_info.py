#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: target_info
short_description: Read hawkBit targets
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Reads targets of Eclipse hawkBit, by id, by query, or all of them.
  - A target that does not exist is left out, which is no error.
  - Security tokens are never returned.
extends_documentation_fragment:
  - fleet.deploy.hawkbit
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_hawkbit
options:
  controller_id:
    description:
      - Id of one target.
      - Mutually exclusive with O(controller_ids), O(query), O(sort) and O(limit).
    type: str
  controller_ids:
    description:
      - Ids of several targets. The result has the same order.
      - Mutually exclusive with O(controller_id), O(query), O(sort) and O(limit).
    type: list
    elements: str
  query:
    description:
      - Which targets, in hawkBit's query language RSQL. All targets if neither this nor ids are given.
      - For instance V(updatestatus==error), V(tag==canary) or V(attribute.hw==rev2;assignedds.version!=2.1.0).
      - Upper and lower case are the same, and V(*) stands for any characters.
    type: str
  sort:
    description:
      - Order of the targets, such as V(name:ASC) or V(lastControllerRequestAt:DESC), several separated by commas. By id
        if not set.
    type: str
  limit:
    description:
      - How many targets to return at most. RV(count) tells how many there are.
    type: int
  gather:
    description:
      - What to read in addition.
      - V(attributes), V(metadata) and V(actions) cost a request for each target, V(action_status) one for each action,
        V(tags) one for each tag, the distribution sets a few for each set in use. V(poll_status) costs nothing from
        hawkBit 0.6.0 on, before that a request for each target.
      - V(action_status) includes V(actions).
    type: list
    elements: str
    choices:
      - poll_status
      - attributes
      - metadata
      - tags
      - assigned_distribution_set
      - installed_distribution_set
      - actions
      - action_status
    default: []
  metadata_query:
    description:
      - Which metadata, for V(metadata) in O(gather). Compares V(key) and V(value) with C(==) and C(!=), joined by C(;)
        for and, by C(,) for or, such as V(key==site) or V(key==hw*;value!=rev1).
      - Upper and lower case are the same, and V(*) stands for any characters.
    type: str
  action_id:
    description:
      - Reads this action only, for V(actions) in O(gather). Requires O(controller_id).
      - Mutually exclusive with O(action_query) and O(action_sort).
    type: int
  action_query:
    description:
      - Which actions, for V(actions) in O(gather), in hawkBit's query language RSQL.
      - What can be asked for differs by release. V(status==pending) finds those under way up to 0.9, V(active==true)
        from 0.10 on.
    type: str
  action_sort:
    description:
      - Order of the actions, such as V(id:ASC). The newest first if not set.
    type: str
  action_limit:
    description:
      - How many actions of each target to read for V(actions) in O(gather), the first in the order of O(action_sort).
    type: int
    default: 10
  action_status_limit:
    description:
      - How many entries of each action's history to read for V(action_status) in O(gather), the newest ones. All if not
        set.
    type: int
notes:
  - Moments are milliseconds since 1970-01-01 UTC, as hawkBit gives them.
seealso:
  - module: fleet.deploy.target
"""

EXAMPLES = r"""
- name: Read one target and what it reports about itself
  fleet.deploy.target_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    controller_id: gateway-0001
    gather: [attributes, installed_distribution_set]
  register: gateway

- name: Read why the last update of a target failed
  fleet.deploy.target_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    controller_id: gateway-0001
    gather: [action_status]
    action_limit: 1
  register: last

- name: Count the targets that failed
  fleet.deploy.target_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    query: updatestatus==error
    limit: 1
  register: broken

- name: Show the ten targets that called last
  fleet.deploy.target_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    sort: lastControllerRequestAt:DESC
    limit: 10
"""

RETURN = r"""
count:
  description: How many targets were found, also when O(limit) left some out.
  returned: success
  type: int
  sample: 1
targets:
  description: The targets. All keys are always there, and null when the server does not tell.
  returned: success
  type: list
  elements: dict
  contains:
    controller_id:
      description: Id of the target.
      type: str
      sample: gateway-0001
    name:
      description: Name for people.
      type: str
      sample: Gateway of hall 1
    description:
      description: Text about the target.
      type: str
      sample: Rack 3, second from the top
    address:
      description: Address of the target as a URI.
      type: str
      sample: http://192.0.2.17
    ip_address:
      description: Host part of the address.
      type: str
      sample: 192.0.2.17
    update_status:
      description: State of the target. One of V(unknown), V(registered), V(pending), V(in_sync) and V(error).
      type: str
      sample: in_sync
    request_attributes:
      description: Whether the server asks the device for its attributes.
      type: bool
      sample: false
    last_controller_request_at:
      description: When the device called last.
      type: int
      sample: 1795168147778
    installed_at:
      description: When the device reported its installed software.
      type: int
      sample: 1795168150123
    poll_status:
      description:
        - Whether the device calls in time. Null when it never has.
        - Releases before 0.6.0 tell it only when a single target is read by its id, or O(gather) has V(poll_status).
      type: dict
      contains:
        last_request_at:
          description: When the device called last.
          type: int
          sample: 1795168147778
        next_expected_request_at:
          description: When it should call again.
          type: int
          sample: 1795168447778
        overdue:
          description: Whether it should have called before now.
          type: bool
          sample: false
    target_type:
      description: Id of the target's type.
      type: str
      sample: "3"
    target_type_name:
      description: Name of the target's type.
      type: str
      sample: Gateway
    group:
      description: Group of the target.
      type: str
      sample: Europe/Berlin
    auto_confirm_active:
      description: Whether the target confirms by itself. Only told while the confirmation flow is on.
      type: bool
      sample: false
    created_at:
      description: When the target was registered.
      type: int
      sample: 1795168059492
    created_by:
      description: Who registered it.
      type: str
      sample: admin
    last_modified_at:
      description: When the target was changed last.
      type: int
      sample: 1795168060614
    last_modified_by:
      description: Who changed it last.
      type: str
      sample: admin
    attributes:
      description: What the device reports about itself.
      returned: when O(gather) has V(attributes)
      type: dict
      sample: {hw: rev2}
    metadata:
      description: Metadata of the target.
      returned: when O(gather) has V(metadata)
      type: dict
      sample: {site: hall 1}
    tags:
      description: Names of the target's tags.
      returned: when O(gather) has V(tags)
      type: list
      elements: str
      sample: [canary]
    assigned_distribution_set:
      description: The distribution set that the target is to have, null when there is none.
      returned: when O(gather) has V(assigned_distribution_set)
      type: dict
      contains: &set
        id:
          description: Id of the distribution set.
          type: str
          sample: "17"
        name:
          description: Name of the distribution set.
          type: str
          sample: gateway
        version:
          description: Version of the distribution set.
          type: str
          sample: "2.1.0"
        type:
          description: Key of the distribution set's type.
          type: str
          sample: os
        type_name:
          description: Name of the distribution set's type. Null in releases that do not tell it.
          type: str
          sample: OS only
        description:
          description: Text about the distribution set. Null when it has none.
          type: str
          sample: Firmware of all gateways
        complete:
          description: Whether it has all modules that its type demands.
          type: bool
          sample: true
        locked:
          description: Whether the server refuses changes. Null in releases without locks.
          type: bool
          sample: true
        deleted:
          description: Whether it was removed after it had been in use.
          type: bool
          sample: false
        created_at:
          description: When it was created.
          type: int
          sample: 1795168059492
        created_by:
          description: Who created it.
          type: str
          sample: admin
        last_modified_at:
          description: When it was changed last.
          type: int
          sample: 1795168060614
        last_modified_by:
          description: Who changed it last.
          type: str
          sample: admin
        required_migration_step:
          description: Whether devices must install this set before a later one.
          type: bool
          sample: false
        valid:
          description: False when the set was invalidated. Null in releases that cannot invalidate sets.
          type: bool
          sample: true
        modules:
          description: Its software modules.
          type: list
          elements: dict
          contains:
            id:
              description: Id of the software module.
              type: str
              sample: "17"
            name:
              description: Name of the software module.
              type: str
              sample: gateway
            version:
              description: Version of the software module.
              type: str
              sample: "2.1.0"
            type:
              description: Key of the software module's type.
              type: str
              sample: os
            type_name:
              description: Name of the software module's type. Null in releases that do not tell it.
              type: str
              sample: OS only
            description:
              description: Text about the software module. Null when it has none.
              type: str
              sample: Firmware of all gateways
            complete:
              description: Whether it has all artifacts that its type demands. Null in releases that do not tell it.
              type: bool
              sample: true
            locked:
              description: Whether the server refuses changes. Null in releases without locks.
              type: bool
              sample: true
            deleted:
              description: Whether it was removed after it had been in use.
              type: bool
              sample: false
            created_at:
              description: When it was created.
              type: int
              sample: 1795168059492
            created_by:
              description: Who created it.
              type: str
              sample: admin
            last_modified_at:
              description: When it was changed last.
              type: int
              sample: 1795168060614
            last_modified_by:
              description: Who changed it last.
              type: str
              sample: admin
            vendor:
              description: Who made it. Null when nobody said so.
              type: str
              sample: Example Ltd.
            encrypted:
              description: Whether its artifacts are encrypted. Null in releases without encryption.
              type: bool
              sample: false
    installed_distribution_set:
      description: The distribution set that the device has installed, null when it has reported none.
      returned: when O(gather) has V(installed_distribution_set)
      type: dict
      contains: *set
    actions:
      description: Actions of the target, the newest first unless O(action_sort) says otherwise.
      returned: when O(gather) has V(actions) or V(action_status)
      type: list
      elements: dict
      contains:
        id:
          description: Id of the action.
          type: str
          sample: "42"
        type:
          description: V(update), or V(cancel) once it was asked to be cancelled.
          type: str
          sample: update
        status:
          description:
            - The field as hawkBit has it, which means something else in each generation. Up to 0.9 it is V(pending) or
              V(finished), from 0.10 on it is the same as RV(targets[].actions[].native_state).
          type: str
          sample: finished
        active:
          description: Whether it is under way.
          type: bool
          sample: false
        state:
          description:
            - State in the words that all platforms share. One of V(pending), V(running), V(succeeded), V(failed),
              V(aborted) and V(unknown).
          type: str
          sample: succeeded
        native_state:
          description:
            - State in hawkBit's own word. Null while the action is under way in releases up to 0.3.0M7, where only its
              history tells.
          type: str
          sample: finished
        code:
          description: Last code that the device reported. Null when it reported none, or the release does not tell.
          type: int
          sample: 200
        force_type:
          description:
            - How urgent it is. One of V(forced), V(soft), V(timeforced) and V(downloadonly).
          type: str
          sample: forced
        force_time:
          description: When a V(timeforced) one becomes forced. Null for others.
          type: int
          sample: 1795168061301
        weight:
          description: Its weight, from 0 to 1000. Null in releases that do not tell it.
          type: int
          sample: 1000
        rollout:
          description: Id of the rollout that it belongs to. Null when it belongs to none, or the release does not tell.
          type: str
          sample: "7"
        rollout_name:
          description: Name of that rollout. Null like its id.
          type: str
          sample: gateway-os 2.1.0
        distribution_set:
          description: The distribution set that it installs. Null when the action has just gone.
          type: dict
          contains:
            id:
              description: Id of the distribution set.
              type: str
              sample: "17"
            name:
              description:
                - Name of the distribution set. Null in releases up to 0.3.0M7 when the user may not read sets.
              type: str
              sample: gateway
            version:
              description: Version of the distribution set. Null like its name.
              type: str
              sample: "2.1.0"
        maintenance_window:
          description: When the device may install. Null when it may at any time.
          type: dict
          contains:
            schedule:
              description: When the windows begin, in Quartz cron notation.
              type: str
              sample: 0 0 3 * * ?
            duration:
              description: How long each one is.
              type: str
              sample: "02:00:00"
            timezone:
              description: Offset from UTC.
              type: str
              sample: "+02:00"
            next_start_at:
              description: When the next one begins.
              type: int
              sample: 1795230000000
        created_at:
          description: When it was made.
          type: int
          sample: 1795168061301
        created_by:
          description: Who made it.
          type: str
          sample: admin
        last_modified_at:
          description: When a user changed it last. What devices report does not count.
          type: int
          sample: 1795168061301
        last_modified_by:
          description: Who changed it last.
          type: str
          sample: admin
        history:
          description: What was reported about it, newest first.
          returned: when O(gather) has V(action_status)
          type: list
          elements: dict
          contains:
            id:
              description: Id of the entry.
              type: str
              sample: "118"
            type:
              description:
                - What was reported. One of V(finished), V(error), V(warning), V(pending), V(running), V(canceled),
                  V(retrieved), V(canceling), V(download), V(downloaded), V(scheduled), V(cancel_rejected) and
                  V(wait_for_confirmation).
              type: str
              sample: error
            messages:
              description: What was said, by the device or the server.
              type: list
              elements: str
              sample: [checksum does not match]
            reported_at:
              description: When the server got it.
              type: int
              sample: 1795168150123
            timestamp:
              description: When it happened, as the device says. Null in releases before 0.9.
              type: int
              sample: 1795168150120
            code:
              description: Code that the device reported. Null when it reported none, or in releases before 0.3.0M8.
              type: int
              sample: 17
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.target_info import GATHER, wish_of

SELECTIONS = ("controller_id", "controller_ids", "query")

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "controller_id": {"type": "str"},
            "controller_ids": {"type": "list", "elements": "str"},
            "query": {"type": "str"},
            "sort": {"type": "str"},
            "limit": {"type": "int"},
            "gather": {"type": "list", "elements": "str", "choices": list(GATHER), "default": []},
            "metadata_query": {"type": "str"},
            "action_id": {"type": "int"},
            "action_query": {"type": "str"},
            "action_sort": {"type": "str"},
            "action_limit": {"type": "int", "default": 10},
            "action_status_limit": {"type": "int"},
        },
        mutually_exclusive=[
            list(SELECTIONS),
            *([ids, name] for ids in ("controller_id", "controller_ids") for name in ("sort", "limit")),
            ["action_id", "action_query"],
            ["action_id", "action_sort"],
        ],
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    wish = wish_of(params)
    info = connect(task).target_info
    ids = [params["controller_id"]] if params["controller_id"] is not None else params["controller_ids"]
    if ids is not None:
        targets = info.by_ids(ids)
        count = len(targets)
    else:
        targets, count = info.by_query(params["query"], params["sort"], params["limit"])
    return {"changed": False, "count": count, "targets": info.describe(targets, wish, params["query"])}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
