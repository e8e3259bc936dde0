# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit distribution sets: reading, planning, writing. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/distributionsets) and releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

from typing import Any

from .._core.transport import reads
from . import versioned
from .api import ROOT, Api

LIST = reads("list distribution sets", "GET", f"{ROOT}/distributionsets")
READ = reads("read distribution set", "GET", f"{ROOT}/distributionsets/{{id}}")


class DistributionSets:
    """The distribution sets of a tenant."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def find(self, name: str, version: str, type: str | None = None) -> dict[str, Any] | None:
        """Return a set as the API has it, None when there is none.

        Raises:
            InvalidInput: there are several of that name and version, and no type is given.
        """
        return versioned.find(self.api, LIST, "distribution set", name, version, type)

    def require(self, name: str, version: str, type: str | None = None) -> dict[str, Any]:
        """Return a set as the API has it.

        Raises:
            InvalidInput: there is none (the message lists what there is), or several.
        """
        return versioned.require(self.api, LIST, "distribution set", name, version, type)

    def get(self, id: str | int) -> dict[str, Any] | None:
        """Return a set by its id, None when there is none. A set that was removed after use says C(deleted)."""
        answer = self.api.transport.send(READ, values={"id": id}, accept=(404,), shape=dict)
        return None if answer.status == 404 else answer.data

    def count(self) -> int:
        """Return how many sets there are."""
        return self.api.count(LIST)
