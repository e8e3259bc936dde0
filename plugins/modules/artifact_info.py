#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: artifact_info
short_description: Read the artifacts of a Mender server
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Reads artifacts, all of them or those that match all that is given.
  - The result is the same on every version of the server. Where a server cannot filter as asked, the module does.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes.info
  - fleet.deploy.attributes.group_mender
options:
  id:
    description:
      - Id of one artifact.
    type: str
  name:
    description:
      - Name of the artifacts. A V(*) at its end stands for any rest.
    type: str
  device_type:
    description:
      - Device type that the artifacts are for. A V(*) at its end stands for any rest.
    type: str
  description:
    description:
      - Description of the artifacts. A V(*) at its end stands for any rest.
    type: str
  limit:
    description:
      - How many artifacts to return at most. All if not set.
    type: int
seealso:
  - module: fleet.deploy.artifact
  - module: fleet.deploy.mender_release_info
"""

EXAMPLES = r"""
- name: Read the artifacts of a release
  fleet.deploy.artifact_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
  register: release

- name: Read what there is for the gateways
  fleet.deploy.artifact_info:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-*
    device_type: gateway
"""

RETURN = r"""
artifacts:
  description: The artifacts, by name and device types. Empty when there is none.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the artifact.
      type: str
      sample: 0c13a0e6-6b63-475d-8260-ee42a590e8ff
    name:
      description: Name of the artifact, which is the name of its release.
      type: str
      sample: gateway-2.1.0
    description:
      description: Text about the artifact, null when it has none.
      type: str
      sample: Fixes the clock
    device_types_compatible:
      description: Types of the devices that it is for, in order.
      type: list
      elements: str
      sample: [gateway]
    format:
      description: Name of the artifact format. Null when the server does not tell it.
      type: str
      sample: mender
    format_version:
      description: Version of the artifact format. Null when the server does not tell it.
      type: int
      sample: 3
    signed:
      description: Whether it bears a signature.
      type: bool
      sample: false
    size:
      description: Size of the artifact in bytes. Null when the server does not tell it.
      type: int
      sample: 73400320
    modified:
      description: When it was uploaded or its description was changed, in UTC.
      type: str
      sample: "2026-11-20T07:51:01.733Z"
    payloads:
      description: What it installs.
      type: list
      elements: dict
      contains:
        type:
          description: Type of the payload, null when there is none.
          type: str
          sample: rootfs-image
        meta_data:
          description: What the payload says besides for its update module. Empty when it says nothing.
          type: dict
          sample: {}
        files:
          description: The files of the payload.
          type: list
          elements: dict
          contains:
            name:
              description: Name of the file.
              type: str
              sample: rootfs.ext4
            sha256:
              description: SHA-256 checksum of the file in lower-case hexadecimal digits.
              type: str
              sample: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
            size:
              description: Size of the file in bytes.
              type: int
              sample: 73400320
            date:
              description: When the file was put into the artifact, in UTC. Null when the server does not tell it.
              type: str
              sample: "2026-11-20T07:39:49Z"
    provides:
      description: What a device has after the installation. Null when the server does not tell it.
      type: dict
      sample: {artifact_name: gateway-2.1.0, rootfs-image.version: gateway-2.1.0}
    depends:
      description: What a device must have before the installation. Null when the server does not tell it.
      type: dict
      sample: {device_type: [gateway]}
    clears_provides:
      description:
        - Which of the earlier properties of a device the installation removes, as patterns. Null when the server does
          not tell it.
      type: list
      elements: str
      sample: [rootfs-image.*]
"""

from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.artifacts import describe
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec

SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "id": {"type": "str"},
            "name": {"type": "str"},
            "device_type": {"type": "str"},
            "description": {"type": "str"},
            "limit": {"type": "int"},
        },
        mutually_exclusive=[["id", "name"], ["id", "device_type"], ["id", "description"]],
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    limit = params["limit"]
    if limit is not None and limit < 0:
        raise InvalidInput(f"limit is {limit}: give 0 or more.")
    artifacts = connect(task).artifacts
    if params["id"] is not None:
        one = artifacts.get(params["id"])
        found = [] if one is None else [one]
    else:
        found = artifacts.find(params["name"], params["device_type"], params["description"])
    return {"changed": False, "artifacts": [describe(item) for item in found[:limit]]}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
