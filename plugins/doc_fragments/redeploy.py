# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The option that decides about doing it again; the same as C(redeploy_spec)."""

    DOCUMENTATION = r"""
options:
  redeploy:
    description:
      - Which devices to give the software once more. What is under way is never started twice.
      - With V(never), a device that has had it is left alone, whether the update succeeded or failed.
      - With V(failed), devices on which it failed get it again.
      - With V(always), all devices get it again, where the platform can do that.
    type: str
    choices: [never, failed, always]
    default: never
"""
