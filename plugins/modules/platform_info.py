#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: platform_info
short_description: Say which server answers and what it can do
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Tells which server answers at an address, what generation of its interface it speaks, which edition it is and how
    that was found out, what the user may do as far as that can be read, and how many objects of each kind there are.
  - Good as the first task of a playbook. It fails when the address, the certificate or the password is wrong.
  - What the user may not read is null, and a warning names the permission.
extends_documentation_fragment:
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_all
options:
  platform:
    description:
      - Which kind of server is expected at O(url).
      - It says which environment variables count, those of hawkBit or those of Mender.
    type: str
    choices: [hawkbit, mender]
    default: hawkbit
  url:
    description:
      - Base address of the server, without C(/rest/v1) and C(/api/management).
      - If not set, the environment variable E(HAWKBIT_URL) or E(MENDER_URL) is used. Without it, it is
        C(https://hosted.mender.io) for Mender, and required for hawkBit.
    type: str
  username:
    description:
      - User to log in as. Hosted hawkBit servers want C(tenant\user).
      - If none of O(username), O(password) and O(token) is set, E(HAWKBIT_USERNAME), E(HAWKBIT_PASSWORD) and
        E(HAWKBIT_TOKEN), or E(MENDER_USERNAME), E(MENDER_PASSWORD) and E(MENDER_TOKEN) are used. As soon as one is set,
        none of these variables counts.
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  token:
    description:
      - OpenID Connect access token of hawkBit, or access token of Mender, instead of O(username) and O(password).
    type: str
  token2fa:
    description:
      - Code of the second factor, for users of Mender who have one. It is good for one login.
    type: str
  validate_certs:
    description:
      - Whether the server's certificate must be valid.
      - If not set, the environment variable E(HAWKBIT_VALIDATE_CERTS) or E(MENDER_VALIDATE_CERTS) is used, and
        without it V(true).
    type: bool
  ca_path:
    description:
      - File or folder of the certificate authorities to trust, in PEM format.
      - If not set, the environment variable E(HAWKBIT_CA_PATH) or E(MENDER_CA_PATH) is used.
    type: path
  client_cert:
    description:
      - The client's certificate in PEM format, for servers that ask for one. May hold the key as well.
    type: path
  client_key:
    description:
      - Key of O(client_cert) in PEM format, when it is a file of its own.
    type: path
  request_timeout:
    description:
      - How long to wait for the answer to one request, in seconds.
      - If not set, the environment variable E(HAWKBIT_REQUEST_TIMEOUT) or E(MENDER_REQUEST_TIMEOUT) is used, and
        without it 30 seconds.
    type: float
  request_retries:
    description:
      - How often a request is repeated when the server or the connection has a passing fault.
    type: int
    default: 5
requirements:
  - requests
"""

EXAMPLES = r"""
- name: See who answers
  fleet.deploy.platform_info:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
  register: answer

- name: Stop when the server is too old
  ansible.builtin.assert:
    that: answer.server.generation != 'seed'
    fail_msg: "This playbook needs hawkBit 0.3.0M8 or newer."
"""

RETURN = r"""
server:
  description: The server that answers.
  returned: success
  type: dict
  contains:
    platform:
      description: Kind of server.
      type: str
      sample: hawkbit
    url:
      description: Base address that was used.
      type: str
      sample: https://updates.example.com
    generation:
      description:
        - Generation of the interface. Of hawkBit's Management API one of V(seed), V(legacy) and V(modern), of Mender's
          one of V(seed), V(2023), V(4.0) and V(4.1), the oldest release that has what the server has.
        - There is no way to ask for the version, so this is found out by what the server accepts.
      type: str
      sample: modern
    generation_evidence:
      description: What was asked and answered to find out the generation.
      type: str
      sample: GET /rest/v1/actions?q=active==true answers 200
    versions:
      description: Releases that the generation spans.
      type: str
      sample: 0.10 and newer
    edition:
      description:
        - Edition of a Mender server. One of V(open_source), V(professional) and V(enterprise). Null on hawkBit, and
          when the user may not see what tells it.
      type: str
      sample: null
    edition_evidence:
      description: What was asked and answered to find out the edition. Null on hawkBit.
      type: str
      sample: null
    tenant:
      description: Tenant of the user. Null when the server does not tell it.
      type: str
      sample: DEFAULT
    username:
      description: Who is logged in. Null when a token is used and the server does not tell it.
      type: str
      sample: admin
    permissions:
      description:
        - Permissions and roles of the user. Null when the server does not tell them. Mender's open source edition has
          none.
      type: list
      elements: str
      sample: [ROLE_TENANT_ADMIN]
    counts:
      description:
        - How many objects of each kind there are. Null for those that the user may not read.
        - Keys on hawkBit are C(targets), C(distribution_sets), C(software_modules) and C(rollouts).
        - Keys on Mender are C(devices), those that are accepted, C(devices_pending), those that wait to be accepted,
          C(deployments) and C(artifacts).
      type: dict
      sample: {targets: 1250, distribution_sets: 12, software_modules: 31, rollouts: 4}
    features:
      description:
        - What the server can do or has switched on. Null for what the user may not read.
        - Keys on hawkBit are C(global_actions), whether actions of all targets can be listed at once, C(target_types),
          whether targets can have types, C(target_groups), whether targets can be put into groups,
          C(multi_assignments), whether a target can have several running assignments, C(confirmation_flow), whether
          assignments wait for a confirmation, C(implicit_lock), whether distribution sets and their modules are locked
          when they are assigned, and C(rollout_approval), whether rollouts wait for an approval.
        - Keys on Mender are C(release_notes), whether releases have notes and tags, C(device_search), whether devices
          can be searched by their attributes, C(force_installation), whether devices can be told to install what they
          have, C(phases), whether deployments have phases (the Professional edition has one), and C(saved_filters),
          whether deployments can be for a saved filter.
      type: dict
      sample:
        global_actions: true
        target_types: true
        target_groups: true
        multi_assignments: false
        confirmation_flow: false
        implicit_lock: true
        rollout_approval: false
    storage:
      description:
        - Mender's storage of artifacts in bytes. Keys are C(limit) and C(free), null without a limit, and C(usage),
          which the open source edition always says to be 0. Null on hawkBit.
      type: dict
      sample: null
"""

from dataclasses import replace
from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, any_connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import for_platform
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit import client as hawkbit
from ansible_collections.fleet.deploy.plugins.module_utils._mender import client as mender
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import PLATFORM as MENDER

PLATFORMS = [hawkbit.PLATFORM, MENDER]
SPEC = any_connection_spec(PLATFORMS).merge(
    ArgumentSpec(
        {
            "platform": {"type": "str", "choices": PLATFORMS, "default": PLATFORMS[0]},
            "token2fa": {"type": "str", "no_log": True},
        },
        mutually_exclusive=[["token", "token2fa"]],
    )
)
# what only the other one has
NOTHING: dict[str, Any] = {"edition": None, "edition_evidence": None, "storage": None}


def run(task: Task) -> dict[str, Any]:
    platform = task.params["platform"]
    asking = replace(task, params=for_platform(task.params, platform))
    if platform == hawkbit.PLATFORM:
        if task.params["token2fa"]:
            raise InvalidInput("token2fa is given, but hawkBit has no second factor: leave it out.")
        server, remarks = hawkbit.connect(asking).system.describe()
    else:
        server, remarks = mender.connect(asking).system.describe()
    for remark in remarks:
        task.warn(remark)
    return {"changed": False, "server": {**NOTHING, **server}}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
