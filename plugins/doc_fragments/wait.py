# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of a plain wait; the same as C(wait_spec)."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait for the end. The same task run again attaches to what is under way and goes on waiting.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long to wait in all, in seconds.
    type: int
    default: 600
  wait_interval:
    description:
      - How long to pause between two looks, in seconds. Up to a tenth is added at random.
    type: float
    default: 5.0
"""
