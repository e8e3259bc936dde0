# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that decide about success and failure of many devices; the same as C(gate_spec)."""

    DOCUMENTATION = r"""
options:
  wait_until:
    description:
      - What to wait for when O(wait=true).
      - V(created) is content as soon as the server has the deployment.
      - V(online) waits for the devices that are switched on. A device that is off neither delays nor fails the task.
      - V(all) waits for every device.
    type: str
    choices: [created, online, all]
    default: all
  min_success_percentage:
    description:
      - How many of the selected devices must end up with the software, in percent. Devices that have it already count.
        As soon as it is reached, the wait is over.
      - With O(wait_until=online) devices that are off are left out of the reckoning.
      - Without any threshold it is 100. When only O(max_failures) or O(max_failure_percentage) is set, there is no such
        quorum, and the wait ends when all devices have reported.
    type: float
  max_failures:
    description:
      - How many devices may fail.
    type: int
  max_failure_percentage:
    description:
      - How many devices may fail, in percent of those that have reported.
    type: float
  min_reported:
    description:
      - How many devices must have reported before O(max_failure_percentage) counts. Once no device is under way any
        more, it counts in any case.
    type: int
    default: 1
  on_failure:
    description:
      - What to do when a threshold is passed or can no longer be met. The task fails in any case.
      - V(fail) leaves the deployment as it is.
      - V(abort) cancels what is still open.
    type: str
    choices: [fail, abort]
    default: fail
  on_timeout:
    description:
      - What to do when O(wait_timeout) is over.
      - V(fail) fails the task and leaves the deployment as it is.
      - V(abort) cancels what is still open and fails the task.
      - V(continue) goes on with a warning; RV(deployment.state) is V(timed_out).
    type: str
    choices: [fail, abort, continue]
    default: fail
  result_limit:
    description:
      - How many devices each list of RV(devices) names at most.
    type: int
    default: 100
"""
