#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: artifact
short_description: Change, remove or download a Mender artifact
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Changes the description of an artifact on a Mender server, removes it, downloads it to a file, or makes a link with
    which others can download it.
  - M(fleet.deploy.artifact_upload) brings artifacts to the server.
  - A download that breaks goes on where it was, also in a later run. The file appears under its name only when it is
    whole and the checksums of its payload are right.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_mender
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  id:
    description:
      - Id of the artifact.
    type: str
  name:
    description:
      - Name of the artifact.
    type: str
  device_types_compatible:
    description:
      - Device types that the artifact must be for, where several artifacts have the same O(name).
    type: list
    elements: str
  description:
    description:
      - Text about the artifact. An empty string removes it.
      - Mender refuses to change the description of an artifact that was ever used in a deployment.
    type: str
  dest:
    description:
      - Download the artifact to this path on the host where the module runs. In a folder, the file is called after the
        artifact and ends in C(.mender).
      - A file that holds the artifact already is left alone. Any other is replaced.
      - Until it is whole, what has come is in a hidden file beside it that ends in C(.part).
    type: path
  link_only:
    description:
      - Return a link with which the artifact can be downloaded without logging in, instead of downloading it.
      - Whoever has the link has the artifact, until the link expires. Set C(no_log) for the task where that matters.
    type: bool
    default: false
  state:
    description:
      - Whether the artifact is to be there. V(present) fails when it is not, since it needs an upload.
      - Mender refuses to remove an artifact that an active deployment uses.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fleet.deploy.artifact_upload
  - module: fleet.deploy.artifact_info
"""

EXAMPLES = r"""
# These examples need an artifact gateway-2.1.0 for one device type on the server.
- name: Describe an artifact
  fleet.deploy.artifact:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    description: Fixes the clock

- name: Download it
  fleet.deploy.artifact:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    dest: /tmp/gateway-2.1.0.copy.mender

- name: Make a link for somebody else
  fleet.deploy.artifact:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    link_only: true
  register: shared
  no_log: true

- name: Remove it
  fleet.deploy.artifact:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    name: gateway-2.1.0
    state: absent
"""

RETURN = r"""
artifact:
  description: The artifact as it is after the task, in check mode as it would be. Null when it is not there.
  returned: success
  type: dict
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
file:
  description: Path of the file that holds the artifact.
  returned: when O(dest) is set
  type: str
  sample: /tmp/gateway-2.1.0.mender
link:
  description: How to download the artifact.
  returned: when O(link_only) is true, and not in check mode
  type: dict
  contains:
    uri:
      description: The link. It needs no credentials.
      type: str
      sample: https://storage.example.com/artifacts/0c13a0e6?signature=5f3aba16
    expire:
      description: When the link ends.
      type: str
      sample: "2026-11-20T08:06:02.354Z"
    method:
      description: HTTP method to use.
      type: str
      sample: GET
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError, InvalidInput
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
            "device_types_compatible": {"type": "list", "elements": "str"},
            "description": {"type": "str"},
            "dest": {"type": "path"},
            "link_only": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        mutually_exclusive=[["id", "name"], ["id", "device_types_compatible"]],
        required_one_of=[["id", "name"]],
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    client = connect(task)
    artifacts = client.artifacts
    key = params["id"], params["name"], params["device_types_compatible"]
    if params["state"] == "absent":
        check_absent(params)
        found = artifacts.lookup(*key)
        plan = artifacts.plan_absent(found)
        if found is not None and not task.check_mode:
            artifacts.remove(found)
        return task.result(plan, artifact=None)
    if params["dest"] and params["link_only"]:
        raise InvalidInput("dest and link_only are both set: give dest to download, or link_only for the link.")
    found = artifacts.require(*key)
    download = client.downloads.plan(found, params["dest"]) if params["dest"] else None
    plan = artifacts.plan_description(found, params["description"])
    after = found
    if plan.changed:
        after = {**found, "description": params["description"]}
        if not task.check_mode:
            after = artifacts.set_description(found, params["description"])
    result: dict[str, Any] = {"artifact": describe(after)}
    if download is not None:
        # not "dest": Ansible would add owner, mode and more of the file
        result["file"] = download.path
        if download.changed and not task.check_mode:
            try:
                client.downloads.apply(download)
            except FleetError as error:
                error.result.setdefault("changed", plan.changed)
                raise
        plan.create += download.create
        plan.update += download.update
    if params["link_only"] and not task.check_mode:
        result["link"] = artifacts.shared_link(found)
    return task.result(plan, **result)


def check_absent(params: Mapping[str, Any]) -> None:
    """Refuse options that say nothing of an artifact that is to go."""
    for option in ("description", "dest", "link_only"):
        if params[option] not in (None, False):
            raise InvalidInput(f"{option} is set, but state is 'absent': leave it out, or set state to 'present'.")


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
