"""How the modules come to send each operation of the documentation, and how a server is made to refuse it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integration.faults import Admin
from integration.seed import SeedOperation

from servers.fault_proxy import FaultProxy
from servers.hawkbit import HawkbitServer

PACKAGE = "org.eclipse.hawkbit"
# what hawkBit says where it cannot be brought to say it
BODIES = {
    400: {
        "exceptionClass": f"{PACKAGE}.rest.exception.MessageNotReadableException",
        "errorCode": "hawkbit.server.error.rest.body.notReadable",
        "message": "The given request body is not well formed",
    },
    403: {
        "exceptionClass": f"{PACKAGE}.repository.exception.InsufficientPermissionException",
        "errorCode": "hawkbit.server.error.insufficientPermission",
        "message": "Insufficient Permission",
    },
    409: {
        "exceptionClass": f"{PACKAGE}.repository.exception.ConcurrentModificationException",
        "errorCode": "hawkbit.server.error.repo.concurrentModification",
        "message": "The given entity was modified in the meantime",
    },
}


@dataclass(frozen=True)
class Call:
    """A module with options that make it send one operation.

    Args:
        module: which.
        prepare: makes what is needed for a name, and returns the options.
        lost: pattern of a path; the answer to the write there is lost, so that the module reads it back.
    """

    module: str
    prepare: Callable[[Admin, str], Mapping[str, Any]]
    lost: str | None = None


def _one(admin: Admin, name: str) -> str:
    return admin.targets(name, 1)[0]


def _target(**options: Any) -> Callable[[Admin, str], Mapping[str, Any]]:
    """A target that exists, and options for it."""
    return lambda admin, name: {"controller_id": _one(admin, name), **options}


def _with_metadata(**options: Any) -> Callable[[Admin, str], Mapping[str, Any]]:
    """A target with metadata, and options for it."""

    def prepare(admin: Admin, name: str) -> Mapping[str, Any]:
        one = _one(admin, name)
        admin.do("POST", f"targets/{one}/metadata", [{"key": "site", "value": "A"}])
        return {"controller_id": one, **options}

    return prepare


def _with_action(kind: str, **options: Any) -> Callable[[Admin, str], Mapping[str, Any]]:
    """A target with an action of a kind, and options for it; {action_id} is filled in."""

    def prepare(admin: Admin, name: str) -> Mapping[str, Any]:
        one = _one(admin, name)
        found = admin.set(name, admin.module(name))
        admin.do("POST", f"targets/{one}/assignedDS", {"id": found, "type": kind})
        action = admin.do("GET", f"targets/{one}/actions")["content"][0]["id"]
        return {
            "controller_id": one,
            **{key: action if value == "{action_id}" else value for key, value in options.items()},
        }

    return prepare


def _installed(**options: Any) -> Callable[[Admin, str], Mapping[str, Any]]:
    """A target that has software, and options for it."""

    def prepare(admin: Admin, name: str) -> Mapping[str, Any]:
        one = _one(admin, name)
        found = admin.set(name, admin.module(name))
        admin.do("POST", f"targets/{one}/assignedDS?offline=true", {"id": found})
        return {"controller_id": one, **options}

    return prepare


def _several_to_be_assigned(admin: Admin, name: str) -> Mapping[str, Any]:
    sets = [{"name": f"{name}-{suffix}", "version": "1", "weight": 500} for suffix in "ab"]
    for one in sets:
        admin.set(str(one["name"]), admin.module(str(one["name"])))
    return {"distribution_sets": sets, "fleet": {"ids": [_one(admin, name)]}}


def _to_be_assigned(admin: Admin, name: str) -> Mapping[str, Any]:
    admin.set(name, admin.module(name))
    return {"distribution_set": {"name": name, "version": "1"}, "fleet": {"ids": [_one(admin, name)]}}


CALLS: dict[str, Call] = {
    "list_targets": Call("target_info", lambda a, n: {"query": f"controllerid=={n}-*", "sort": "name:ASC"}),
    "create_targets": Call("target", lambda a, n: {"controller_id": f"{n}-0"}),
    "delete_target": Call("target", _target(state="absent")),
    "read_target": Call("target_action", _target(action="request_attributes")),
    "update_target": Call("target", _target(name="new")),
    "list_actions": Call("target_info", _with_action("soft", gather=["actions"], action_sort="id:DESC")),
    "update_action": Call("target_action", _with_action("soft", action="force", action_id="{action_id}")),
    "cancel_action": Call("target_action", _with_action("soft", action="cancel", action_id="{action_id}")),
    "read_action": Call("target_info", _with_action("soft", gather=["actions"], action_id="{action_id}")),
    "list_action_status": Call("target_info", _with_action("soft", gather=["action_status"])),
    "read_assigned_set": Call("target_info", _with_action("soft", gather=["assigned_distribution_set"])),
    "assign_set": Call("distribution_set_assign", _to_be_assigned),
    "assign_sets": Call("distribution_set_assign", _several_to_be_assigned),
    "read_attributes": Call("target_info", _target(gather=["attributes"])),
    "read_installed_set": Call("target_info", _installed(gather=["installed_distribution_set"])),
    "list_metadata": Call("target_info", _target(gather=["metadata"])),
    "create_metadata": Call("target", _target(metadata={"site": "A"})),
    "delete_metadata": Call("target", _with_metadata(metadata_absent=["site"])),
    "read_metadata": Call("target", _with_metadata(metadata={"site": "B"}), lost="/metadata/site$"),
    "update_metadata": Call("target", _with_metadata(metadata={"site": "B"})),
}  # fmt: skip


def refuse(proxy: FaultProxy, server: HawkbitServer, operation: SeedOperation, status: int, *, real: bool) -> None:
    """Have the next request of an operation refused with a status.

    Args:
        proxy: in front of the server.
        server: it.
        operation: which.
        status: the one that is wanted.
        real: alter the request so that the server itself refuses it; else the proxy makes the answer up.
    """
    which = {"method": operation.method, "path": operation.pattern}
    if status == 429:
        # hawkBit's rate filter does not count requests from the machine itself
        proxy.inject("429_empty", **which)
    elif real:
        proxy.inject("altered", **which, **_alteration(server, operation, status))
    else:
        proxy.inject("answer", **which, status=status, body=BODIES.get(status, {}))


def _alteration(server: HawkbitServer, operation: SeedOperation, status: int) -> dict[str, Any]:
    """What to change in a request so that the server answers it with a status; what changes nothing where it cannot."""
    if status == 400:
        if operation.request:
            return {"body": "nonsense"}
        parameter = "sort" if "sort" in operation.query else next(iter(operation.query), "none")
        return {"query": f"{parameter}=nonsense"}
    if status == 403:
        login = base64.b64encode(f"{server.stranger}:{server.reader_password}".encode()).decode()
        return {"headers": {"Authorization": f"Basic {login}"}}
    if status == 404:
        unknown = {"{targetId}": "nobody", "{actionId}": "9999999", "{metadataKey}": "nothing"}
        return {"as_path": re.sub(r"{\w+}", lambda found: unknown[found[0]], operation.path)}
    return {
        401: {"headers": {"Authorization": None}},
        405: {"as_method": "PATCH"},
        406: {"headers": {"Accept": "text/plain"}},
        409: {"twice": True},
        415: {"headers": {"Content-Type": "text/plain"}},
    }[status]
