#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hawkbit_tenant_configuration
short_description: Settings of a hawkBit tenant
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Changes settings of the tenant that the user belongs to, such as how often devices poll and how they log in.
  - Without O(settings), O(reset) and O(gateway_token) it only reads.
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
      - The gateway token is never shown.
options:
  settings:
    description:
      - Values by key, with the keys of the API, such as C(pollingTime), C(authentication.targettoken.enabled) or
        C(rollout.approval.enabled). Which keys there are depends on the release; RV(settings) has them all.
      - Put durations in quotes. Without them, YAML reads V(12:00:00) as a number.
      - C(multi.assignments.enabled) can never be switched off again.
    type: dict
    default: {}
  reset:
    description:
      - Keys that are to have the server's default again.
    type: list
    elements: str
    default: []
  gateway_token:
    description:
      - Value of C(authentication.gatewaytoken.key), the key with which a gateway logs in for all its devices. It counts
        while C(authentication.gatewaytoken.enabled) is V(true).
    type: str
"""

EXAMPLES = r"""
- name: Have devices poll every two minutes and log in with a token of their own
  fleet.deploy.hawkbit_tenant_configuration:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    settings:
      pollingTime: "00:02:00"
      authentication.targettoken.enabled: true

- name: Go back to the server's own polling time
  fleet.deploy.hawkbit_tenant_configuration:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    reset: [pollingTime]
"""

RETURN = r"""
settings:
  description:
    - The settings that the user may read, by key, as they are now, or would be in check mode. C(value) is null for
      what check mode would reset. C(global) tells that it is the server's default.
    - The gateway token is not among them.
  returned: success
  type: dict
  sample:
    pollingTime: {value: "00:02:00", global: false}
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM, connect
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.tenant_configuration import (
    GATEWAY_KEY,
    TenantConfiguration,
    same_type,
)

SPEC = connection_spec(PLATFORM).merge(
    ArgumentSpec(
        {
            "settings": {"type": "dict", "default": {}},
            "reset": {"type": "list", "elements": "str", "default": []},
            "gateway_token": {"type": "str", "no_log": True},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    if GATEWAY_KEY in params["settings"]:
        raise InvalidInput(f"settings has '{GATEWAY_KEY}', which is a secret: give it in gateway_token.")
    token = params["gateway_token"]
    task.redactor.add(token)
    wanted = {**params["settings"], **({GATEWAY_KEY: token} if token is not None else {})}
    configuration = TenantConfiguration(connect(task).api)
    plan = configuration.plan(wanted, params["reset"])
    if not task.check_mode:
        configuration.apply(plan, wanted)
    settings = {key: value for key, value in configuration.read().items() if key != GATEWAY_KEY}
    shown = {key: {"value": item.get("value"), "global": item.get("global")} for key, item in settings.items()}
    if task.check_mode:
        for change in plan.update:
            if change.key in shown:
                value = same_type(change.key, wanted[change.key], shown[change.key]["value"])
                shown[change.key] = {"value": value, "global": False}
        for change in plan.delete:
            if change.key in shown:
                shown[change.key] = {"value": None, "global": True}
    return task.result(plan, settings=shown)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
