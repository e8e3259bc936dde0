# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of one hawkBit tenant. Private to the collection."""

from __future__ import annotations

from .._core.connection import connect_options
from .._core.task import Task
from .._core.transport import Transport
from .actions import Actions
from .api import Api
from .distribution_sets import DistributionSets
from .rollouts import Rollouts
from .rules import RULES
from .software_modules import SoftwareModules
from .system import System
from .target_info import TargetInfo
from .targets import Targets

PLATFORM = "hawkbit"


class Hawkbit:
    """All resources of the Management API, over one transport."""

    def __init__(self, transport: Transport) -> None:
        self.api = Api(transport)
        self.actions = Actions(self.api)
        self.targets = Targets(self.api)
        self.rollouts = Rollouts(self.api, self.actions)
        self.distribution_sets = DistributionSets(self.api)
        self.software_modules = SoftwareModules(self.api)
        self.system = System(self.api)
        self.target_info = TargetInfo(self.api)


def connect(task: Task) -> Hawkbit:
    """Return the client for a task's connection options.

    Raises:
        InvalidInput: a missing or unusable connection option.
    """
    transport = Transport(
        connect_options(task.params, PLATFORM), check_mode=task.check_mode, rules=RULES, redactor=task.redactor
    )
    return Hawkbit(transport)
