#!/usr/bin/python
# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: artifact_upload
short_description: Bring an artifact to a Mender server
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Uploads a C(.mender) file, or has the server make an artifact of any file.
  - The file is uploaded only when the server does not have it yet. What it holds is read from its first kilobytes and
    compared with the artifacts of the same name on the server before anything is sent.
  - An artifact on a Mender server never changes. When the server has another artifact of this name for one of the
    device types, the task fails, says what differs, and writes nothing.
  - When the connection breaks during the upload, the module looks whether the artifact has arrived before it tries
    again. Memory use does not depend on the size of the file.
extends_documentation_fragment:
  - fleet.deploy.mender
  - fleet.deploy.attributes
  - fleet.deploy.attributes.group_mender
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Files are shown by name and SHA-256 checksum.
options:
  src:
    description:
      - Path of the file on the host where the module runs, which usually is the controller.
      - A C(.mender) file of format version 1, 2 or 3 as C(mender-artifact) writes it, or any file with O(generate).
      - An artifact that is compressed with zstd needs Python 3.14 or newer, or the Python library backports.zstd.
    type: path
    required: true
  description:
    description:
      - Text about the artifact. When the artifact is there already, its description is changed.
      - Mender refuses to change the description of an artifact that was ever used in a deployment.
    type: str
  compare:
    description:
      - How to find out whether an artifact of the same name on the server is the one in O(src).
      - V(basic) looks at the name and the device types only.
      - V(content) also compares format version, signature or none, types of the payloads, names, sizes and SHA-256
        checksums of the files, and what the artifact provides, depends on and clears, as far as the server tells it.
      - V(strict) also fetches the headers of the file on the server, and wants the very same file. An artifact that was
        built anew from the same input is another one.
    type: str
    choices: [basic, content, strict]
    default: content
  generate:
    description:
      - Have the server make an artifact of O(src), which may be any file, for devices with an update module for single
        files.
      - The server needs its worker for this, which open source servers have only when it was set up.
    type: dict
    suboptions:
      name:
        description:
          - Name of the artifact.
        type: str
        required: true
      type:
        description:
          - Kind of update. Servers can make no other.
        type: str
        choices: [single_file]
        default: single_file
      device_types_compatible:
        description:
          - Types of the devices that the artifact is for.
        type: list
        elements: str
        required: true
      args:
        description:
          - Arguments for the making. C(dest_dir) is the absolute path of the folder on the device for the file, and is
            required. C(filename) is its name there, the last part of O(src) if not set. C(software_filesystem),
            C(software_name) and C(software_version) say what the file counts as.
          - They are not compared when the artifact is there already.
        type: dict
  wait:
    description:
      - Whether to wait until the artifact of O(generate) is there.
      - The server does not tell when making it fails. The wait ends with O(wait_timeout) then.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait in all, in seconds.
    type: int
    default: 600
  wait_interval:
    description:
      - How long to pause between two looks, in seconds. Up to a tenth is added at random.
    type: float
    default: 2.0
seealso:
  - module: fleet.deploy.artifact
  - module: fleet.deploy.artifact_info
"""

EXAMPLES = r"""
# These examples need the files /tmp/gateway-2.1.0.mender, an artifact, and /tmp/settings.json on the controller.
- name: Upload an artifact
  fleet.deploy.artifact_upload:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    src: /tmp/gateway-2.1.0.mender
    description: Fixes the clock

- name: Be sure that the server has this very file
  fleet.deploy.artifact_upload:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    src: /tmp/gateway-2.1.0.mender
    compare: strict

- name: Have an artifact made of a file
  fleet.deploy.artifact_upload:
    url: https://updates.example.com
    token: "{{ mender_token }}"
    src: /tmp/settings.json
    generate:
      name: settings-7
      device_types_compatible: [gateway]
      args:
        filename: settings.json
        dest_dir: /etc/gateway
"""

RETURN = r"""
artifact:
  description:
    - The artifact as it is after the task, in check mode as it would be.
    - Its id is null in check mode when it is not there yet, and with O(wait=false) while it is being made.
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
              description:
                - When the file was put into the artifact, in UTC. Null when the server does not tell it, as in check
                  mode for what is not there yet.
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
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import mender_spec

SPEC = mender_spec().merge(
    ArgumentSpec(
        {
            "src": {"type": "path", "required": True},
            "description": {"type": "str"},
            "compare": {"type": "str", "choices": ["basic", "content", "strict"], "default": "content"},
            "generate": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "choices": ["single_file"], "default": "single_file"},
                    "device_types_compatible": {"type": "list", "elements": "str", "required": True},
                    "args": {"type": "dict"},
                },
            },
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 600},
            "wait_interval": {"type": "float", "default": 2.0},
        }
    )
)


def run(task: Task) -> dict[str, Any]:
    params = task.params
    uploads = connect(task).uploads
    plan = uploads.plan(params["src"], params["description"], params["compare"], params["generate"])
    if task.check_mode:
        return task.result(plan, artifact=plan.outcome())
    waits = {name: params[name] for name in ("wait", "wait_timeout", "wait_interval")}
    artifact = uploads.apply(plan, **waits)
    return task.result(plan, artifact=artifact)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
