# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What is the same in the inventory plugins of all platforms."""

    DOCUMENTATION = r"""
options:
  on_partial_failure:
    description:
      - What to do when the devices can be listed, but something else that was asked for cannot be fetched, for instance
        because the user lacks a permission.
      - With V(fail) the whole inventory fails.
      - With V(warn) there is a warning, the variables of that part are null and its groups are missing. Such an
        inventory is not put into the cache.
    type: str
    choices: [fail, warn]
    default: fail
notes:
  - The hosts of all platforms of this collection have the variables C(fleet_platform), C(fleet_id), C(fleet_name),
    C(fleet_state) (in the platform's own words), C(fleet_online), C(fleet_software) (C(name) and C(version) of what is
    installed), C(fleet_last_seen) (ISO 8601, UTC), C(fleet_groups) and C(fleet_tags). They are always there, and null
    when the value is not known.
  - What devices and servers say is never taken for a template. No variable whose name begins with C(ansible_) is made
    of it unless an option asks for that.
  - Characters that a group's name cannot have become underscores.
  - A device whose name could be mistaken for an option, a path, a pattern, a template, a group or the control node
    itself (C(localhost)) gets another name. So do devices that would share a name. A warning says which.
  - O(cache) needs a O(cache_plugin) that keeps its data, such as C(ansible.builtin.jsonfile). The default,
    C(ansible.builtin.memory), forgets everything at the end of the command. What is kept are the server's records
    without secrets. A change of an option that decides what is fetched makes a new entry.
"""
