# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(deployment_info) reads. Private to the collection."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import InvalidInput
from .deployments import Deployments, describe, describe_device, moment


def read(deployments: Deployments, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the deployments that are asked for, in the form of the result."""
    limit = check_limit(params["limit"])
    found: Iterable[dict[str, Any]]
    if params["id"] is not None:
        one = deployments.get(params["id"])
        found = [] if one is None else [one]
    else:
        filters = {
            "status": params["status"],
            "created_after": seconds("created_after", params["created_after"]),
            "created_before": seconds("created_before", params["created_before"]),
        }
        name = params["name"]
        if params["search"]:
            found = deployments.search(params["search"], **filters)
            found = (item for item in found if name in (None, item.get("name")))
        else:
            found = deployments.listed(name=name, **filters)
    return [_complete(deployments, item, params) for item in itertools.islice(found, limit)]


def history(deployments: Deployments, device: str, limit: int | None) -> list[dict[str, Any]]:
    """Return what a device has done, in the form of the result, the newest first."""
    return [
        {"deployment": describe(entry.get("deployment") or {}), "device": describe_device(entry.get("device") or {})}
        for entry in itertools.islice(deployments.history(device), check_limit(limit))
    ]


def _complete(deployments: Deployments, item: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a deployment what takes requests of its own."""
    id = str(item["id"])
    found = describe(item)
    if found["statistics"] is None and params["statistics"]:
        found["statistics"] = deployments.statistics(id)
    found["devices"] = None
    if params["devices"] != "none":
        status = None if params["devices"] == "all" else params["devices"]
        found["devices"] = [_device(deployments, id, entry, params) for entry in deployments.devices(id, status)]
    found["device_list"] = deployments.device_list(id) if params["device_list"] else None
    return found


def _device(deployments: Deployments, id: str, entry: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    log = deployments.log(id, str(entry.get("id"))) if params["logs"] and entry.get("log") else None
    return describe_device(entry, log)


def check_limit(limit: int | None) -> int | None:
    """Return the option C(limit).

    Raises:
        InvalidInput: it is less than 1.
    """
    if limit is not None and limit < 1:
        raise InvalidInput(f"limit is {limit}: give 1 or more.")
    return limit


def seconds(option: str, value: str | None) -> int | None:
    """Return a time as seconds since 1970.

    Args:
        option: name of the option, for messages.
        value: such seconds, or a time in ISO 8601 with its offset from UTC.

    Raises:
        InvalidInput: it is neither.
    """
    if value is None:
        return None
    if value.isdecimal():
        return int(value)
    found = moment(value.strip().replace(" ", "T", 1))
    if found is None:
        raise InvalidInput(
            f"{option} is '{value}': give a time with its offset from UTC, such as 2026-11-20T03:00:00Z, or seconds "
            "since 1970."
        )
    return found // 1000
