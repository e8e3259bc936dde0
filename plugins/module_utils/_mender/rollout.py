# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts in waves, each of which is a deployment of its own. Private to the collection.

Mender knows no such rollouts. What is needed to go on with one stands in the names of its deployments, which are the
rollout's name and the wave's, and in their devices, which no longer change.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .._core.deployment import Counts, iso_time
from .._core.errors import InvalidInput, Unsupported
from .api import PROBE_DEPLOYMENTS
from .client import Mender
from .deploy import BODY_LIMIT, count, ended, failed_devices
from .deployments import FINISHED, embedded, moment
from .fleet import resolve, shorten, the_one

BACK = "rollback"
# A device without an artifact for its type does not have the software, whatever Mender calls it.
FAILURES = ("failure", "noartifact")
HAVING = ("success", "already-installed")
# An id in a request, with quotes and comma; and what else is in it.
BYTES_OF_ID = 39
BYTES_OF_REST = 2048
MOST_NAME = 256


class Rollout:
    """A rollout as the server has it, and what is still to be done.

    Args:
        mender: the server.
        name: of the rollout.
        artifact_name: what is rolled out.
        waves: in their order, each with C(name), and with C(percentage), C(devices) or C(fleet) that say which devices
            of the fleet are in it; without them it has the rest.
    """

    def __init__(self, mender: Mender, name: str, artifact_name: str, waves: Sequence[Mapping[str, Any]]) -> None:
        self.mender = mender
        self.name = name
        self.artifact_name = artifact_name
        self.waves = waves
        self.found: dict[str, dict[str, Any]] = {}
        self.way_back: list[dict[str, Any]] = []

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        for option, value in (("name", self.name), ("artifact_name", self.artifact_name)):
            if not value.strip():
                raise InvalidInput(f"{option} is empty: fill it in.")
        if not self.waves:
            raise InvalidInput("waves is an empty list: give at least one wave.")
        twice = [name for name, times in Counter(wave["name"] for wave in self.waves).items() if times > 1]
        if twice:
            raise InvalidInput(f"waves: '{twice[0]}' is there more than once: each wave needs a name of its own.")
        for wave in self.waves:
            where = f"waves, wave '{wave['name']}'"
            if not wave["name"].strip() or wave["name"] == BACK:
                raise InvalidInput(f"{where}: choose another name, which is not empty and not '{BACK}'.")
            if len(self._full(wave["name"])) > MOST_NAME:
                raise InvalidInput(f"{where}: with the name of the rollout it has more than {MOST_NAME} characters.")
            percentage, devices = wave.get("percentage"), wave.get("devices")
            if percentage is not None and not 0 < percentage <= 100:
                raise InvalidInput(f"{where}: percentage is {percentage:g}: give more than 0, at most 100.")
            if devices is not None and devices < 1:
                raise InvalidInput(f"{where}: devices is {devices}: give 1 or more.")

    # -- what there is -----------------------------------------------------------------------------------------

    def read(self) -> None:
        """Find the deployments of the rollout.

        Raises:
            InvalidInput: they deploy another artifact.
        """
        listed = self._listed([self._full(name) for name in (*(wave["name"] for wave in self.waves), BACK)])
        for wave in self.waves:
            for item in listed:
                if item.get("name") == self._full(wave["name"]) and wave["name"] not in self.found:
                    if item.get("artifact_name") != self.artifact_name:
                        raise InvalidInput(
                            f"name: the rollout '{self.name}' exists and deploys {item.get('artifact_name')}, not "
                            f"{self.artifact_name}: choose another name."
                        )
                    self.found[wave["name"]] = item
        self.way_back = [item for item in listed if item.get("name") == self._full(BACK)]

    def _full(self, wave: str) -> str:
        return f"{self.name}/{wave}"

    def _listed(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the deployments of some names, the newest first."""
        deployments = self.mender.deployments
        if self.mender.api.available(PROBE_DEPLOYMENTS):
            return [item for name in names for item in deployments.listed(name=name)]
        return [item for item in deployments.listed() if item.get("name") in names]

    # -- whole -------------------------------------------------------------------------------------------------

    def show(
        self,
        fleet: Mapping[str, Any] | None,
        fleet_limit: int | None,
        failed: int,
        installed: bool,
        warn: Callable[[str], None],
    ) -> dict[str, Any]:
        """Return the rollout in the form of the result.

        Args:
            fleet: whom it is for; only looked at while there are waves to begin.
            fleet_limit: how many devices there may be.
            failed: how many of the devices that failed to return.
            installed: whether to return the devices that have the artifact.
            warn: is told what cannot be read.

        Raises:
            InvalidInput: the fleet or a wave selects nobody, or more devices than may be; they are in no wave.
        """
        members = self._members(fleet)
        waves = [self._wave(wave["name"], members[wave["name"]], fleet, wave) for wave in self.waves]
        self._check_body(waves)
        selected = sum(wave["counts"]["selected"] for wave in waves)
        if fleet_limit is not None and selected > fleet_limit:
            raise InvalidInput(
                f"fleet_limit is {fleet_limit}, but the rollout would go to {selected} devices: raise the limit or "
                "select fewer devices."
            )
        devices: list[dict[str, Any]] = []
        for wave in waves:
            if wave["deployment"] is not None and len(devices) < failed:
                counters = wave["statistics"] or {}
                found = failed_devices(
                    self.mender.deployments, wave["deployment"], counters, FAILURES, failed - len(devices), warn
                )
                devices += [device.render() for device in found]
        totals: Counter[str] = Counter()
        for wave in waves:
            totals.update(wave["counts"])
        begun = [wave for wave in waves if wave["deployment"] is not None]
        ends = [wave["finished"] for wave in begun if wave["finished"]]
        return {
            "name": self.name,
            "artifact_name": self.artifact_name,
            "artifacts": [str(item["id"]) for item in self.mender.artifacts.named(self.artifact_name)],
            "created": min((wave["created"] for wave in begun if wave["created"]), default=None),
            "finished": max(ends) if begun and len(ends) == len(waves) else None,
            "counts": {name: totals[name] for name in asdict(Counts())},
            "waves": waves,
            "failed_devices": devices,
            "installed": sorted(self._having()) if installed else None,
            "rollback": self._back(),
        }

    def _wave(
        self, name: str, ids: Sequence[str], fleet: Mapping[str, Any] | None, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        deployment = self.found.get(name)
        shown = {
            "name": name,
            "deployment_name": self._full(name),
            "deployment": None,
            "status": None,
            "aborted": False,
            "created": None,
            "finished": None,
            "statistics": None,
            "counts": asdict(Counts(selected=len(ids), pending=len(ids))),
            "fleet": None,
        }
        if deployment is None:
            return {**shown, "fleet": self._whom(ids, fleet, asked) if ids else None}
        id = str(deployment["id"])
        counters = embedded(deployment)
        if counters is None:
            counters = self.mender.deployments.statistics(id)
        # what has ended is exact only when it is read after the status
        status = deployment.get("status")
        counts = count(counters, len(ids), status, FAILURES)
        return {
            **shown,
            "deployment": id,
            "status": status,
            "aborted": status == FINISHED and (ended(counters) < len(ids) or bool(counters.get("aborted"))),
            "created": iso_time(moment(deployment.get("created"))),
            "finished": iso_time(moment(deployment.get("finished"))),
            "statistics": counters,
            "counts": asdict(counts),
        }

    def _whom(self, ids: Sequence[str], fleet: Mapping[str, Any] | None, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the option C(fleet) for a deployment to some devices; by name where they are too many to be listed."""
        if len(ids) * BYTES_OF_ID + BYTES_OF_REST <= BODY_LIMIT:
            return {"ids": list(ids)}
        key, value = the_one(asked.get("fleet") or fleet)
        if key in ("group", "all"):
            group = str(value) if key == "group" else None
            if self.mender.devices.ids(group) == set(ids):
                return {key: value}
        return {"ids": list(ids)}

    def _check_body(self, waves: Sequence[Mapping[str, Any]]) -> None:
        for wave in waves:
            listed = (wave["fleet"] or {}).get("ids") or []
            if len(listed) * BYTES_OF_ID + BYTES_OF_REST > BODY_LIMIT and self.mender.api.generation == "4.1":
                raise InvalidInput(
                    f"waves, wave '{wave['name']}': it has {len(listed)} devices, whose ids make a request larger than "
                    "this Mender server accepts (1 MiB, some 26,000 devices): use more waves, or one for a group."
                )

    # -- who is in which wave ----------------------------------------------------------------------------------

    def _members(self, fleet: Mapping[str, Any] | None) -> dict[str, list[str]]:
        """Return the ids of the devices in each wave, in order.

        Those of waves that have begun are what they were when they began; a device is in one wave only.
        """
        deployments = self.mender.deployments
        members = {name: sorted(deployments.device_list(str(item["id"]))) for name, item in self.found.items()}
        if len(members) == len(self.waves):
            # so a rollout that is through can be looked at when its devices are gone
            return members
        everyone = self._ids(fleet, "")
        taken = set().union(*members.values())
        total = len(everyone | taken)
        left = sorted(everyone - taken)
        for wave in self.waves:
            if wave["name"] in members:
                continue
            chosen = self._choose(wave, left, total)
            members[wave["name"]] = chosen
            gone = set(chosen)
            left = [id for id in left if id not in gone]
        if left and not self.found:
            raise InvalidInput(
                f"waves: {len(left)} of the {total} devices are in no wave ({shorten(left)}): add a last wave without "
                "percentage, devices and fleet, which gets the rest."
            )
        return members

    def _choose(self, wave: Mapping[str, Any], left: list[str], total: int) -> list[str]:
        among = left
        if wave.get("fleet"):
            own = self._ids(wave["fleet"], f"waves, wave '{wave['name']}': ")
            among = [id for id in left if id in own]
        if wave.get("devices") is not None:
            return among[: wave["devices"]]
        if wave.get("percentage") is None or wave is self.waves[-1]:
            return among
        base = len(among) if wave.get("fleet") else total
        # rounded up, so that a canary of a small fleet is not empty
        return among[: math.ceil(round(wave["percentage"] * base / 100, 6))]

    def _ids(self, fleet: Mapping[str, Any] | None, where: str) -> frozenset[str]:
        try:
            key, _value = the_one(fleet)
            if key == "filter_id":
                raise Unsupported(
                    "fleet.filter_id does not go with waves, for which the devices must be known: use fleet.filters."
                )
            return resolve(self.mender.devices, fleet, expand=True).ids
        except (InvalidInput, Unsupported) as error:
            error.msg = f"{where}{error.msg}"
            raise

    # -- the way back ------------------------------------------------------------------------------------------

    def _having(self) -> set[str]:
        """Return the ids of the devices that have the artifact by this rollout and have not gone back."""
        have: set[str] = set()
        for item in self.found.values():
            have |= self._ids_with(item)
        for item in self.way_back:
            have -= self._ids_with(item)
        return have

    def _ids_with(self, deployment: Mapping[str, Any]) -> set[str]:
        id = str(deployment["id"])
        return {str(item["id"]) for word in HAVING for item in self.mender.deployments.devices(id, word)}

    def _back(self) -> dict[str, Any] | None:
        """Return what came of the way back, None when nobody was sent there."""
        if not self.way_back:
            return None
        sent: set[str] = set()
        arrived: set[str] = set()
        for item in self.way_back:
            sent |= set(self.mender.deployments.device_list(str(item["id"])))
            arrived |= self._ids_with(item)
        return {
            "artifact_name": self.way_back[0].get("artifact_name"),
            "deployments": [str(item["id"]) for item in self.way_back],
            "devices": sorted(sent),
            "remaining": sorted(sent - arrived),
        }
