# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers: a Mender server's edition, generation, user, counts and features. Private to the collection.

Facts from the documents of the deployments, inventory, device authentication and user administration management APIs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.errors import AuthFailed, FleetError, Unsupported
from .._core.transport import Operation, reads
from .api import (
    ENTERPRISE,
    MISSING,
    OPEN_SOURCE,
    PROBE_DEPLOYMENTS,
    PROBE_PAGED,
    PROBE_RELEASES,
    READ_LIMIT,
    SEED,
    USERADM,
    Api,
)
from .artifacts import LIST_ALL
from .deployments import LIST_V1
from .fleet import Devices

VERSIONS = {"4.1": "4.1 and newer", "4.0": "4.0", "2023": "2023 and 2024", SEED: "before 2023"}
READ_USER = reads("read the own user", "GET", f"{USERADM}/users/me")
COUNT_PENDING = reads("count devices", "GET", "/api/management/v2/devauth/devices/count")
# what stands for anything else that may come of a question that is not allowed
REFUSED = (402, 403, *MISSING)


class System:
    """The server as a whole."""

    def __init__(self, api: Api, devices: Devices) -> None:
        self.api = api
        self.devices = devices
        self._remarks: list[str] = []
        self._answers = 0

    def describe(self) -> tuple[dict[str, Any], list[str]]:
        """Return what can be known about the server, and a sentence for each part that the user may not read.

        Raises:
            AuthFailed: the server refuses the credentials, or whatever is asked.
            Unsupported: what answers is no Mender server.
        """
        self._remarks, self._answers = [], 0
        storage = self._known("storage", self.storage)
        generation = self._known("generation", lambda: self.api.generation)
        edition = self._known("edition", lambda: self.api.edition)
        user = self._user()
        counts = {
            "devices": self._known("counts.devices", self.devices.count),
            "devices_pending": self._known("counts.devices_pending", self._pending),
            "deployments": self._known("counts.deployments", self._deployments),
            "artifacts": self._known("counts.artifacts", self._artifacts),
        }
        connection = self.api.transport.connection
        if not self._answers:
            raise AuthFailed(
                f"{connection.host} refuses whatever is asked (403): check url, and give a user who may read "
                "deployments and devices.",
                http={"method": READ_LIMIT.method, "path": READ_LIMIT.path, "status": 403},
            )
        roles = user.get("roles")
        return {
            "platform": "mender",
            "url": connection.url,
            "edition": edition,
            "edition_evidence": self.api.edition_evidence,
            "generation": generation,
            "generation_evidence": self.api.generation_evidence,
            "versions": None if generation is None else VERSIONS[generation],
            "tenant": user.get("tenant_id") or None,
            "username": user.get("email") or self.api.username,
            "permissions": sorted(map(str, roles)) if isinstance(roles, list) else None,
            "counts": counts,
            "features": {
                "release_notes": self._known("features.release_notes", lambda: self.api.available(PROBE_RELEASES)),
                "device_search": self._known("features.device_search", lambda: self.devices.searchable),
                "force_installation": None if generation is None else generation != SEED,
                "phases": None if edition is None else edition != OPEN_SOURCE,
                "saved_filters": None if edition is None else edition == ENTERPRISE,
            },
            "storage": storage,
        }, self._remarks

    def _known(self, part: str, find: Callable[[], Any]) -> Any:
        """Return what is found; None, and a remark, where the user may not ask for it."""
        try:
            found = find()
        except AuthFailed as error:
            if error.status == 401:
                raise
            self._remarks.append(f"{part} is not known: the user may not read it.")
            return None
        except Unsupported as error:
            if part != "edition":
                raise
            self._remarks.append(f"{part} is not known: {error.msg}")
            return None
        except FleetError as error:
            if error.status not in MISSING:
                raise
            # this release does not have it
            return None
        self._answers += 1
        return found

    def storage(self) -> dict[str, int | None]:
        """Return the limit of the storage, what is used and what is free, in bytes; None for no limit."""
        data = self.api.required(READ_LIMIT, shape=dict).data
        limit, usage = int(data.get("limit") or 0), int(data.get("usage") or 0)
        return {"limit": limit or None, "usage": usage, "free": max(0, limit - usage) if limit else None}

    def _user(self) -> Mapping[str, Any]:
        answer = self.api.send(READ_USER, accept=REFUSED)
        return answer.data if answer.status == 200 and isinstance(answer.data, dict) else {}

    def _pending(self) -> int:
        return int(self.api.send(COUNT_PENDING, query={"status": "pending"}, shape=dict).data.get("count") or 0)

    def _deployments(self) -> int | None:
        return self._total(PROBE_DEPLOYMENTS if self.api.available(PROBE_DEPLOYMENTS) else LIST_V1)

    def _artifacts(self) -> int | None:
        if self.api.available(PROBE_PAGED):
            return self._total(PROBE_PAGED)
        # not in pages
        return len(self.api.send(LIST_ALL, shape=list).data)

    def _total(self, operation: Operation) -> int | None:
        answer = self.api.send(operation, query={"page": 1, "per_page": 1}, shape=list)
        total = answer.headers.get("X-Total-Count", "")
        if total.isdigit():
            return int(total)
        # the API of 2020 has no total
        return sum(1 for _item in self.api.pages(operation))
