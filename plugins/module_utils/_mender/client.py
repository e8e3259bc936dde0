# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of one Mender tenant. Private to the collection."""

from __future__ import annotations

from typing import Any

from .._core.connection import connect_options
from .._core.task import Task
from .._core.transport import Transport
from .api import Api
from .artifacts import Artifacts
from .deployments import Deployments
from .downloads import Downloads
from .fleet import Devices
from .options import DEFAULT_URL, PLATFORM
from .releases import Releases
from .rules import RULES
from .system import System
from .uploads import Uploads


class Mender:
    """All resources of the management APIs, over one transport."""

    def __init__(self, transport: Transport, token2fa: str | None = None) -> None:
        self.api = Api(transport, token2fa)
        self.artifacts = Artifacts(self.api)
        self.uploads = Uploads(self.api, self.artifacts)
        self.downloads = Downloads(self.artifacts)
        self.releases = Releases(self.api, self.artifacts)
        self.deployments = Deployments(self.api)
        self.devices = Devices(self.api)
        self.system = System(self.api, self.devices)

    def storage(self) -> dict[str, int | None]:
        """Return the limit of the storage, what is used and what is free, in bytes; None for no limit."""
        return self.system.storage()


def connect(task: Task) -> Mender:
    """Return the client for a task's connection options.

    Raises:
        InvalidInput: a missing or unusable connection option.
    """
    connection = connect_options(task.params, PLATFORM, DEFAULT_URL)
    transport = Transport(connection, check_mode=task.check_mode, rules=RULES, redactor=task.redactor)
    token2fa: Any = task.params.get("token2fa")
    return Mender(transport, token2fa or None)
