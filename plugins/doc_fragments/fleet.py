# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that say whom; the same as C(fleet_spec)."""

    DOCUMENTATION = r"""
options:
  fleet:
    description:
      - Which devices. Exactly one of its suboptions, out of those that the platform knows.
    type: dict
    suboptions:
      ids:
        description: Ids of the devices.
        type: list
        elements: str
      names:
        description: Names of the devices. Each must belong to one device only.
        type: list
        elements: str
      addresses:
        description: Addresses of the devices.
        type: list
        elements: str
      serial_numbers:
        description: Serial numbers of the devices.
        type: list
        elements: str
      query:
        description: Query in the platform's own language.
        type: str
      group:
        description: A group of devices.
        type: str
      groups:
        description: Several groups of devices; one of them is enough.
        type: list
        elements: str
      tag:
        description: A tag that the devices bear.
        type: str
      filters:
        description: Filters in the platform's own form.
        type: list
        elements: dict
      filter_id:
        description: Id of a query that is stored on the server.
        type: str
      all:
        description: All devices.
        type: bool
        default: false
  fleet_limit:
    description:
      - Refuse to start, before anything is written, if more devices than this would get the software.
    type: int
  on_unknown_device:
    description:
      - What to do when O(fleet) names devices that the server does not know.
    type: str
    choices: [fail, ignore]
    default: fail
"""
