# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mender deployments: finding, creating, aborting, their devices and logs. Private to the collection.

Facts from the document of the deployments management API v1 (2020), those of v1 and v2 today, and answers of releases
of 2023 and 2024. Since release 4.0 a deployment shows for whom it is, and so does each entry of a list, with the ids of
all its devices: lists are read in small pages there.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .._core.errors import BadAnswer, InvalidInput, Rejected, Unsupported
from .._core.transport import NOT_DONE, Operation, Text, reads, writes
from .api import MISSING, PAGE, PROBE_DEPLOYMENTS, PROBE_PAGED, V1, V2, Api, last_segment
from .artifacts import check_id
from .fleet import ALL, FILTER_ID, GROUP, IDS, Target

READ = reads("read deployment", "GET", f"{V1}/deployments/{{id}}")
LIST_V1 = reads("list deployments", "GET", f"{V1}/deployments")
STATISTICS = reads("read the statistics of deployment", "GET", f"{V1}/deployments/{{id}}/statistics")
MANY_STATISTICS = reads("read the statistics of deployments", "POST", f"{V1}/deployments/statistics/list")
DEVICE_LIST = reads("read the device list of deployment", "GET", f"{V1}/deployments/{{id}}/device_list")
DEVICES = reads("list the devices of deployment", "GET", f"{V1}/deployments/{{id}}/devices/list")
ALL_DEVICES = reads("list the devices of deployment", "GET", f"{V1}/deployments/{{id}}/devices")
LOG = reads("read the log of device", "GET", f"{V1}/deployments/{{id}}/devices/{{device}}/log")
HISTORY = reads("read the deployments of device", "GET", f"{V1}/deployments/devices/{{id}}")
CREATE = writes("create deployment", "POST", f"{V1}/deployments")
CREATE_FOR_GROUP = writes("create deployment", "POST", f"{V1}/deployments/group/{{group}}")
CREATE_DYNAMIC = writes("create deployment", "POST", f"{V2}/deployments")
ABORT = writes("abort deployment", "PUT", f"{V1}/deployments/{{id}}/status")
LEAVE = writes("end all deployments of device", "DELETE", f"{V1}/deployments/devices/{{id}}")

# In the order in which a deployment goes through them: one that moves on while they are read is not missed.
ACTIVE = ("scheduled", "pending", "inprogress")
FINISHED = "finished"
# Entries may hold 39 bytes for each device.
SMALL_PAGE = 20
# A page of a device's history has 20 at most.
HISTORY_PAGE = 20
LOG_LINES = 20


class Deployments:
    """The deployments of a tenant."""

    def __init__(self, api: Api) -> None:
        self.api = api

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, id: str) -> dict[str, Any] | None:
        """Return a deployment as the API has it, None when there is none.

        Several releases fail or break the connection when they are asked for one that they do not have; for those
        another question comes first.
        """
        check_id(id)
        if self.api.available(PROBE_DEPLOYMENTS):
            query = {"id": id, "page": 1, "per_page": 1}
            found = self.api.send(PROBE_DEPLOYMENTS, query=query, shape=list).data
            # one without that filter lists others
            return next((item for item in found if item.get("id") == id), None)
        if self.api.available(PROBE_PAGED):
            answer = self.api.send(MANY_STATISTICS, json={"deployment_ids": [id]}, accept=(404,))
            if answer.status == 404 or not answer.data:
                return None
        answer = self.api.send(_of(READ, id), values={"id": id}, accept=(404,), shape=dict)
        return None if answer.status == 404 else answer.data

    def require(self, id: str) -> dict[str, Any]:
        """Return a deployment as the API has it.

        Raises:
            InvalidInput: there is none.
        """
        found = self.get(id)
        if found is None:
            raise InvalidInput(f"id is '{id}', but Mender has no such deployment: correct it.")
        return found

    def read(self, id: str) -> dict[str, Any]:
        """Return a deployment that there is, in one request."""
        data: dict[str, Any] = self.api.send(_of(READ, id), values={"id": id}, shape=dict).data
        return data

    def listed(
        self,
        status: str | None = None,
        name: str | None = None,
        created_after: int | None = None,
        created_before: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield deployments as the API has them, the newest first.

        Args:
            status: one of C(ACTIVE) or C(FINISHED).
            name: exact name.
            created_after: seconds since 1970.
            created_before: seconds since 1970.
        """
        query = {"status": status, "created_after": created_after, "created_before": created_before}
        # the open source edition has none that are scheduled, and refuses the word
        accept = (400,) if status == "scheduled" else ()
        if self.api.available(PROBE_DEPLOYMENTS):
            found = self.api.pages(PROBE_DEPLOYMENTS, {**query, "name": name}, SMALL_PAGE, accept=accept)
        else:
            # its search for text is no search for names
            found = self.api.pages(LIST_V1, query, PAGE, accept=accept)
        for item in found:
            # not the answer that refuses a word
            if isinstance(item, dict) and (name is None or item.get("name") == name):
                yield item

    def search(self, text: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield deployments that the server finds for a text, or that have it in their name where it cannot search."""
        query = {**filters, "search": text, "page": 1, "per_page": 1}
        if self.api.send(LIST_V1, query=query, accept=(400, *MISSING)).status == 200:
            size = SMALL_PAGE if self.api.available(PROBE_DEPLOYMENTS) else PAGE
            yield from self.api.pages(LIST_V1, {**filters, "search": text}, size)
            return
        for item in self.listed(**filters):
            if any(text.lower() in str(item.get(key, "")).lower() for key in ("name", "artifact_name")):
                yield item

    def active(self, name: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the deployments that have not finished, of one name or all."""
        seen = set()
        for status in ACTIVE:
            for item in self.listed(status, name):
                if item.get("id") not in seen:
                    seen.add(item.get("id"))
                    yield item

    def statistics(self, id: str) -> dict[str, int]:
        """Return the counters of a deployment, those that the server has."""
        return counters(self.api.send(_of(STATISTICS, id), values={"id": id}, shape=dict).data)

    def device_list(self, id: str) -> list[str]:
        """Return the ids of the devices that a deployment was made for."""
        # null for a dynamic one
        return [str(item) for item in self.api.send(_of(DEVICE_LIST, id), values={"id": id}).data or []]

    def devices(self, id: str, status: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Return devices of a deployment that have asked, as the API has them.

        Args:
            id: the deployment.
            status: the device's status in it.
            limit: how many at most.
        """
        if limit is not None and limit <= 0:
            return []
        if self.api.available(PROBE_PAGED):
            size = PAGE if limit is None else min(PAGE, max(limit, 1))
            found = self.api.pages(_of(DEVICES, id), {"status": status}, size, values={"id": id})
        else:
            everyone = self.api.send(_of(ALL_DEVICES, id), values={"id": id}, shape=list).data
            found = (item for item in everyone if status in (None, item.get("status")))
        kept = []
        for item in found:
            kept.append(item)
            if len(kept) == limit:
                break
        return kept

    def log(self, id: str, device: str) -> str | None:
        """Return the last lines of the log of a device, None when there is none."""
        answer = self.api.send(_of(LOG, device), values={"id": id, "device": device}, accept=(404,), shape=Text)
        if answer.status == 404:
            return None
        return "\n".join(str(answer.data).splitlines()[-LOG_LINES:])

    def history(self, device: str, status: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield what a device has done, as the API has it, the newest first.

        Raises:
            Unsupported: the server is too old to tell.
        """
        if not self.api.available(PROBE_PAGED):
            raise Unsupported(
                f"This Mender server is too old to tell the deployments of a device ('{device}'): read the devices of "
                "a deployment, or update the server."
            )
        yield from self.api.pages(_of(HISTORY, device), {"status": status}, HISTORY_PAGE, values={"id": device})

    # -- for whom ----------------------------------------------------------------------------------------------

    def find(self, name: str, artifact_name: str, target: Target, *, finished: bool = True) -> dict[str, Any] | None:
        """Return the deployment of this name, artifact and target that is active, else the newest finished one."""
        for item in self.active(name):
            if item.get("artifact_name") == artifact_name and self.is_for(item, target):
                return item
        for item in self.listed(FINISHED, name) if finished else ():
            if item.get("artifact_name") == artifact_name and self.is_for(item, target):
                return item
        return None

    def is_for(self, deployment: Mapping[str, Any], target: Target) -> bool:
        """Tell whether a deployment of the API is for a target."""
        chosen = deployment.get("filter") or {}
        dynamic = bool(chosen.get("id"))
        if dynamic or target.kind == FILTER_ID:
            return dynamic and target.kind == FILTER_ID and chosen["id"] == target.value
        terms = chosen.get("terms") or []
        if len(terms) == 1 and isinstance(terms[0], dict):
            return _is_term(terms[0], target)
        # older servers do not show it
        most = deployment.get("max_devices")
        if target.kind == GROUP:
            # that of a single device shows the device's group too
            return deployment.get("groups") == [target.value] and (most != 1 or target.count == 1)
        if target.kind == ALL or (most is not None and most != len(target.ids)):
            return target.kind == ALL and not deployment.get("groups") and self._is_for_all(deployment, target)
        return frozenset(self.device_list(str(deployment["id"]))) == target.ids

    def _is_for_all(self, deployment: Mapping[str, Any], target: Target) -> bool:
        # from its devices only; where some have come since it is taken for another one
        return deployment.get("max_devices") == target.count

    def size(self, deployment: Mapping[str, Any]) -> int:
        """Return how many devices a deployment is for."""
        most = deployment.get("max_devices")
        if isinstance(most, int) and most > 0:
            return most
        if deployment.get("dynamic") or (deployment.get("filter") or {}).get("id"):
            return int(deployment.get("initial_device_count") or 0)
        return len(self.device_list(str(deployment["id"])))

    # -- writing -----------------------------------------------------------------------------------------------

    def create(self, target: Target, body: Mapping[str, Any], known: str | None) -> tuple[str, bool]:
        """Create a deployment; return its id, and whether it was this that made it: somebody else may be faster.

        Args:
            target: for whom.
            body: name, artifact_name and what else there is to say, without the target.
            known: id of a finished one of the same name, artifact and target.

        Raises:
            Conflict: the server has such a deployment, which cannot be found.
            FleetError: what else became of it.
        """
        name, artifact_name = body["name"], body["artifact_name"]

        def found() -> str | None:
            item = self.find(name, artifact_name, target)
            return None if item is None or item.get("id") == known else str(item["id"])

        def read_back() -> Any:
            id = found()
            return NOT_DONE if id is None else {"id": id}

        operation, values, whole = CREATE, {}, dict(body)
        if target.kind == GROUP:
            operation, values = CREATE_FOR_GROUP, {"group": target.value}
        elif target.kind == FILTER_ID:
            operation, whole = CREATE_DYNAMIC, {**body, "filter_id": target.value}
        else:
            whole.update(for_devices(target))
        operation = _of(operation, name)
        answer = self.api.send(operation, values=values, json=whole, accept=(409, 413), read_back=read_back)
        if answer.status == 413:
            raise InvalidInput(too_many(target))
        if answer.status == 409:
            # somebody was faster
            id = found()
            if id is None:
                raise Rejected(
                    f"Cannot {operation.title}: Mender says that there is an active deployment with the same "
                    "parameters (HTTP 409), but it cannot be found; run the task again.",
                    http={"method": operation.method, "path": operation.path, "status": 409},
                )
            return id, False
        if isinstance(answer.data, dict) and answer.data.get("id"):
            return str(answer.data["id"]), True
        id = last_segment(answer.headers.get("Location")) or found()
        if id is None:
            raise BadAnswer(f"Cannot {operation.title}: the server's answer does not say its id.", transient=False)
        return id, True

    def abort(self, id: str) -> bool:
        """Abort a deployment; return False for one that has finished meanwhile and is left as it is.

        The status is spelled out exactly: at any other one servers complain, and abort all the same.
        """

        def read_back() -> Any:
            return {} if self.read(id).get("status") == FINISHED else NOT_DONE

        operation = _of(ABORT, id)
        # 422: it has finished
        body = {"status": "aborted"}
        return self.api.send(operation, values={"id": id}, json=body, accept=(422,), read_back=read_back).status != 422

    def leave(self, device: str, still: Callable[[], bool]) -> None:
        """Remove a device from its deployments; C(still) tells whether that has not been done."""

        def read_back() -> Any:
            return NOT_DONE if still() else {}

        operation = _of(LEAVE, device)
        self.api.send(operation, values={"id": device}, read_back=read_back)


def _of(operation: Operation, name: str) -> Operation:
    """Return an operation whose title says which object it is about."""
    return replace(operation, title=f"{operation.title} '{name}'")


def for_devices(target: Target) -> dict[str, Any]:
    """Return the fields of a request that name all devices, or each; in order, since the server compares lists."""
    return {"all_devices": True} if target.kind == ALL else {"devices": sorted(target.ids)}


def too_many(target: Target) -> str:
    """Return the message for a request that names too many devices."""
    return (
        f"fleet selects {target.count} devices, whose ids make a request larger than this Mender server accepts (1 "
        "MiB, some 26,000 devices): select them by group or all, or use several deployments."
    )


def _is_term(term: Mapping[str, Any], target: Target) -> bool:
    """Tell whether a target is what the one condition of a deployment says."""
    key = (term.get("scope"), term.get("attribute"))
    value = term.get("value")
    if key == ("identity", "id"):
        return target.kind == IDS and isinstance(value, list) and frozenset(map(str, value)) == target.ids
    if key == ("system", "group"):
        return target.kind == GROUP and value == target.value
    return key == ("identity", "status") and target.kind == ALL


def counters(data: Any) -> dict[str, int]:
    """Return the counters in an answer; what the server does not count is not there."""
    return {str(name): value for name, value in (data or {}).items() if isinstance(value, int)}


def embedded(deployment: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the counters that stand in a deployment, None when the server does not put them there."""
    status = (deployment.get("statistics") or {}).get("status")
    return counters(status) if isinstance(status, dict) else None


def moment(text: Any) -> int | None:
    """Return a time of the API in milliseconds since 1970, None when it is none."""
    form = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)", str(text or ""))
    if form is None or form[1].startswith("0001-"):
        return None
    zone = "+00:00" if form[3] == "Z" else f"{form[3][:3]}:{form[3][-2:]}"
    try:
        whole = datetime.datetime.fromisoformat(f"{form[1]}{zone}")
        return int(whole.timestamp()) * 1000 + int((form[2] or ".0")[1:4].ljust(3, "0"))
    except (ValueError, OverflowError):
        return None


def describe(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment in the form of the result: all keys always there, None for what the server does not tell."""
    chosen = deployment.get("filter") or {}
    return {
        "id": deployment.get("id"),
        "name": deployment.get("name"),
        "artifact_name": deployment.get("artifact_name"),
        "status": deployment.get("status"),
        "created": deployment.get("created"),
        "finished": deployment.get("finished") if moment(deployment.get("finished")) else None,
        "device_count": deployment.get("device_count"),
        "max_devices": deployment.get("max_devices"),
        "artifacts": deployment.get("artifacts"),
        "groups": deployment.get("groups"),
        "filter_id": chosen.get("id") or None,
        "filter": _condition(chosen),
        "initial_device_count": deployment.get("initial_device_count"),
        "dynamic": bool(deployment.get("dynamic") or chosen.get("id")),
        "phases": deployment.get("phases"),
        "retries": deployment.get("retries"),
        "force_installation": bool(deployment.get("force_installation")),
        "statistics": embedded(deployment),
    }


def _condition(chosen: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the filter of a deployment in the form of the result; None without one, or when it lists devices."""
    terms = [term for term in chosen.get("terms") or [] if isinstance(term, dict)]
    listed = any((term.get("scope"), term.get("attribute")) == ("identity", "id") for term in terms)
    if not chosen or (listed and not chosen.get("id")):
        return None
    return {"id": chosen.get("id") or None, "name": chosen.get("name") or None, "terms": terms}


def describe_device(device: Mapping[str, Any], log: str | None = None) -> dict[str, Any]:
    """Return a device of a deployment in the form of the result."""
    return {
        "id": device.get("id"),
        "status": device.get("status"),
        "device_type": device.get("device_type") or None,
        "state": device.get("state") or None,
        "substate": device.get("substate") or None,
        "created": device.get("created"),
        "started": device.get("started") if moment(device.get("started")) else None,
        "finished": device.get("finished") if moment(device.get("finished")) else None,
        "has_log": bool(device.get("log")),
        "log": log,
    }
