# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers: a hawkBit server's generation, user, counts and features. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/userinfo) and C(/rest/v1/system/configs), the permissions
of releases 0.3.0M7, 0.9.0 and 1.0.4, and what these answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import AuthFailed, BadAnswer, NotFound, Rejected, Unsupported
from .._core.transport import Operation
from .api import COUNT_TARGETS, LEGACY, MODERN, READ_CONFIGURATION, READ_USER, SEED, Api
from .rollouts import LIST as LIST_ROLLOUTS
from .versioned import LIST_MODULES, LIST_SETS

VERSIONS = {SEED: "up to 0.3.0M7", LEGACY: "0.3.0M8 to 0.9", MODERN: "0.10 and newer"}
# what is counted -> operation, permission up to 0.9, permission from 0.10 on
COUNTS = {
    "targets": (COUNT_TARGETS, "READ_TARGET", "READ_TARGET"),
    "distribution_sets": (LIST_SETS, "READ_REPOSITORY", "READ_DISTRIBUTION_SET"),
    "software_modules": (LIST_MODULES, "READ_REPOSITORY", "READ_SOFTWARE_MODULE"),
    "rollouts": (LIST_ROLLOUTS, "READ_ROLLOUT", "READ_ROLLOUT"),
}
# feature -> configuration key that tells whether it is switched on
SWITCHES = {
    "multi_assignments": "multi.assignments.enabled",
    "confirmation_flow": "user.confirmation.flow.enabled",
    "implicit_lock": "implicit.lock.enabled",
    "rollout_approval": "rollout.approval.enabled",
}
NOT_IN = {(SEED, "confirmation_flow"), (SEED, "implicit_lock"), (MODERN, "multi_assignments")}
# In all releases, and shown only to users who may read the whole configuration.
ALWAYS_THERE = "pollingTime"


class System:
    """The server as a whole."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def describe(self) -> tuple[dict[str, Any], list[str]]:
        """Return what can be known about the server, and a sentence for each part that the user may not read.

        Raises:
            AuthFailed: the server refuses the credentials.
            Unsupported: what answers is no hawkBit server.
        """
        try:
            return self._describe()
        except (BadAnswer, NotFound, Rejected) as error:
            raise Unsupported(
                f"{self.api.not_hawkbit} {error.msg.removeprefix(self.api.not_hawkbit).lstrip()}",
                message=error.message,
                details=error.details,
                http=error.http,
                request_id=error.request_id,
            ) from error

    def features(self) -> dict[str, bool | None]:
        """Return what the server can do or has switched on; None for what the user may not know."""
        return self._features(self.api.generation)[0]

    def _describe(self) -> tuple[dict[str, Any], list[str]]:
        remarks: list[str] = []
        connection = self.api.transport.connection
        generation = self._generation(remarks)
        user = self._user()
        counts = {}
        for name, (operation, old, new) in COUNTS.items():
            counts[name] = self._count(operation)
            if counts[name] is None:
                permission = new if generation == MODERN else old
                remarks.append(f"counts.{name} is not known: the user lacks the permission {permission}.")
        features, hidden = self._features(generation)
        if generation is None and not user and all(count is None for count in counts.values()):
            raise AuthFailed(
                f"{connection.host} refuses whatever is asked (403): check url, and give a user with the permission "
                "READ_TARGET.",
                http={"method": COUNT_TARGETS.method, "path": COUNT_TARGETS.path, "status": 403},
            )
        if hidden:
            permission = "TENANT_CONFIGURATION" if generation == SEED else "READ_TENANT_CONFIGURATION"
            names = ", ".join(f"features.{name}" for name in hidden)
            remarks.append(f"{names} cannot be told: the user lacks the permission {permission}.")
        permissions = user.get("permissions")
        return {
            "platform": "hawkbit",
            "url": connection.url,
            "generation": generation,
            "generation_evidence": self.api.generation_evidence,
            "versions": None if generation is None else VERSIONS[generation],
            "tenant": user.get("tenant"),
            "username": user.get("username") or connection.username,
            "permissions": None if permissions is None else sorted(permissions),
            "counts": counts,
            "features": features,
        }, remarks

    def _generation(self, remarks: list[str]) -> str | None:
        try:
            return self.api.generation
        except AuthFailed as error:
            if error.status == 401:
                raise
            remarks.append("generation cannot be told: the user lacks the permission READ_TARGET.")
            return None

    def _user(self) -> Mapping[str, Any]:
        # from 0.3.0M8 on; permissions from 0.9 on
        answer = self.api.transport.send(READ_USER, accept=(403, 404), shape=dict)
        return answer.data if answer.status == 200 else {}

    def _count(self, operation: Operation) -> int | None:
        answer = self.api.transport.send(operation, query={"limit": 1}, accept=(403,), shape=dict)
        if answer.status == 403:
            return None
        total = answer.data.get("total")
        if not isinstance(total, int):
            raise Unsupported(self.api.not_hawkbit)
        return total

    def _features(self, generation: str | None) -> tuple[dict[str, bool | None], list[str]]:
        """Return what the server can do or has switched on, and the names of what the user may not know."""
        answer = self.api.transport.send(READ_CONFIGURATION, accept=(403,), shape=dict)
        configuration = answer.data if answer.status == 200 else {}
        features: dict[str, bool | None] = {
            "global_actions": None if generation is None else generation != SEED,
            "target_types": None if generation is None else generation != SEED,
            "target_groups": None if generation is None else generation == MODERN,
        }
        hidden = []
        for name, key in SWITCHES.items():
            if key in configuration:
                features[name] = bool(configuration[key].get("value"))
            elif ALWAYS_THERE in configuration or (generation, name) in NOT_IN:
                # this release does not have it
                features[name] = False
            else:
                features[name] = None
                hidden.append(name)
        return features, hidden
