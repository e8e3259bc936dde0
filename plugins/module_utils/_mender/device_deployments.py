# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes one device out of the Mender deployments that wait for it. Private to the collection.

Facts from the document of the deployments management API v1 (2020) and from Mender Server 4.0 to 4.1: the servers of
2020 end all that the device has not begun. Later ones end the oldest that it has begun and one that it has not, so
that the request is sent until nothing is left.
"""

from __future__ import annotations

import functools
from typing import Any

from .._core.plan import Change, Plan
from .api import PROBE_PAGED, Api
from .deployments import Deployments, moment

ENDED = ("success", "failure", "noartifact", "already-installed", "aborted", "decommissioned")


class DeviceDeployments:
    """The deployments of one device that have not ended for it."""

    def __init__(self, api: Api, deployments: Deployments, device: str) -> None:
        self.api = api
        self.deployments = deployments
        self.device = device

    @property
    def _modern(self) -> bool:
        return self.api.available(PROBE_PAGED)

    def open(self) -> list[dict[str, Any]]:
        """Return those that a removal would end, by the time of their creation: id, name, artifact_name, status.

        The status is that of the device; C(pending) when it has not asked yet.
        """
        found = self._open() if self._modern else self._open_of_old()
        return sorted(found, key=lambda item: (item["created"] or 0, item["id"]))

    def plan(self) -> Plan:
        """Plan to take the device out."""
        return Plan(
            delete=[
                Change(item["id"], before={key: item[key] for key in ("name", "artifact_name", "status")})
                for item in self.open()
            ]
        )

    def remove(self, plan: Plan) -> list[str]:
        """Carry out a plan; nothing is sent when there is nothing to do. Return the ids of those that are left."""
        left = {change.key for change in plan.delete}
        while left:
            before = frozenset(left)
            self.deployments.leave(self.device, functools.partial(self._are_open, before))
            # those that are made meanwhile are not ours to end
            left &= self._ids()
            if left == before:
                break
        return sorted(left)

    def _are_open(self, ids: frozenset[str]) -> bool:
        return ids <= self._ids()

    def _ids(self) -> set[str]:
        return {item["id"] for item in self.open()}

    def _open(self) -> list[dict[str, Any]]:
        done: set[str] = set()
        newest = -1
        found = []
        for entry in self.deployments.history(self.device):
            deployment, device = entry.get("deployment") or {}, entry.get("device") or {}
            done.add(str(deployment.get("id")))
            newest = max(newest, moment(deployment.get("created")) or 0)
            if device.get("status") not in ENDED:
                found.append(_item(deployment, str(device.get("status"))))
        for deployment in self.deployments.active():
            if str(deployment.get("id")) in done:
                continue
            # a device goes on with those that are newer than its last one
            if (moment(deployment.get("created")) or 0) >= newest and self._is_in(deployment):
                found.append(_item(deployment, "pending"))
        return found

    def _open_of_old(self) -> list[dict[str, Any]]:
        found = []
        for deployment in self.deployments.active():
            if not self._is_in(deployment):
                continue
            asked = self.deployments.devices(str(deployment["id"]))
            status = next((str(item.get("status")) for item in asked if item.get("id") == self.device), "pending")
            # one that has begun goes on
            if status == "pending":
                found.append(_item(deployment, status))
        return found

    def _is_in(self, deployment: dict[str, Any]) -> bool:
        terms = (deployment.get("filter") or {}).get("terms") or []
        if len(terms) == 1 and terms[0].get("attribute") == "id" and isinstance(terms[0].get("value"), list):
            return self.device in terms[0]["value"]
        return self.device in self.deployments.device_list(str(deployment["id"]))


def _item(deployment: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "id": str(deployment.get("id")),
        "name": deployment.get("name"),
        "artifact_name": deployment.get("artifact_name"),
        "status": status,
        "created": moment(deployment.get("created")),
    }
