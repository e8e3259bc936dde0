# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of the modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make, without sending a write.
  diff_mode:
    description: Shows what has changed or would change when in diff mode.
"""

    # for modules that only read
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make, without sending a write.
    support: full
    details:
      - This module only reads.
  diff_mode:
    description: Shows what has changed or would change when in diff mode.
    support: N/A
    details:
      - This module only reads.
"""

    # not "HAWKBIT": Ansible would read fleet.deploy.attributes.hawkbit as the file hawkbit.py beside this one
    GROUP_HAWKBIT = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/fleet.deploy.hawkbit) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - fleet.deploy.hawkbit
"""

    GROUP_MENDER = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/fleet.deploy.mender) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - fleet.deploy.mender
"""

    # for the module that speaks to each of them
    GROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/fleet.deploy.hawkbit) or C(group/fleet.deploy.mender) in C(module_defaults) to set the connection
        once.
    support: full
    membership:
      - fleet.deploy.hawkbit
      - fleet.deploy.mender
"""
