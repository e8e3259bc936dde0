# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mender artifacts on the server: finding, describing, removing, their links. Private to the collection.

Facts from the document of the deployments management API v1 (2020) and v2, and answers of releases of 2023 and 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .._core.download import LinkedFile
from .._core.errors import BadAnswer, Conflict, InvalidInput, Rejected
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from .api import PROBE_ARTIFACTS, PROBE_PAGED, V1, Api

READ = reads("read artifact", "GET", f"{V1}/artifacts/{{id}}")
LIST_ALL = reads("list artifacts", "GET", f"{V1}/artifacts")
LINK = reads("read the download link of artifact", "GET", f"{V1}/artifacts/{{id}}/download")
UPDATE = writes("change the description of artifact", "PUT", f"{V1}/artifacts/{{id}}")
DELETE = writes("remove artifact", "DELETE", f"{V1}/artifacts/{{id}}")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# What means itself in every kind of filter that the releases have.
_SAFE = re.compile(r"[A-Za-z0-9_-]+")


class Artifacts:
    """The artifacts of a tenant."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def get(self, id: str) -> dict[str, Any] | None:
        """Return an artifact as the API has it, None when there is none."""
        check_id(id)
        answer = self.api.send(READ, values={"id": id}, accept=(404,), shape=dict)
        return None if answer.status == 404 else answer.data

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the artifacts of exactly this name as the API has them."""
        return [item for item in self._filtered({"name": name}) if item.get("name") == name]

    def find(
        self, name: str | None = None, device_type: str | None = None, description: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the artifacts that match all that is given; C(*) at the end of one matches any rest.

        Returns:
            By name, device types and id; as the API has them.
        """
        wanted = {"name": name, "device_type": device_type, "description": description}
        given = {key: value for key, value in wanted.items() if value is not None}
        found = [item for item in self._filtered(given, patterns=True) if _matches(item, given)]
        return sorted(found, key=lambda item: (str(item.get("name")), device_types(item), str(item.get("id"))))

    def require(self, id: str | None, name: str | None, types: Iterable[str] | None) -> dict[str, Any]:
        """Return the one artifact that is meant.

        Raises:
            InvalidInput: there is none, or several (the message lists them).
        """
        found = self.lookup(id, name, types)
        if found is None:
            what = f"id is '{id}'" if id is not None else f"name is '{name}'"
            kinds = "" if types is None else f" for the device types {_listed(types)}"
            raise InvalidInput(f"{what}, but there is no such artifact{kinds} on the server: upload it first.")
        return found

    def lookup(self, id: str | None, name: str | None, types: Iterable[str] | None) -> dict[str, Any] | None:
        """Return the one artifact that is meant, None when there is none.

        Args:
            id: its id; the others do not count then.
            name: its name.
            types: device types that it must all be for, None for any.

        Raises:
            InvalidInput: there are several (the message lists them).
        """
        if id is not None:
            return self.get(id)
        wanted = set(types or ())
        found = [item for item in self.named(str(name)) if wanted <= set(device_types(item))]
        if len(found) > 1:
            found.sort(key=device_types)
            there = "; ".join(f"{_listed(device_types(item))} (id {item.get('id')})" for item in found)
            raise InvalidInput(
                f"name is '{name}', and there are {len(found)} artifacts of that name, for the device types {there}: "
                "say in device_types_compatible or id which one."
            )
        return found[0] if found else None

    def link(self, artifact: Mapping[str, Any]) -> dict[str, Any]:
        """Return a fresh download link: C(uri), C(expire), C(method)."""
        operation = replace(LINK, title=f"{LINK.title} '{artifact['name']}'")
        link: dict[str, Any] = self.api.send(operation, values={"id": artifact["id"]}, shape=dict).data
        if not isinstance(link.get("uri"), str):
            raise BadAnswer(f"Cannot {operation.title}: the server's answer holds no link.", transient=False)
        return link

    def shared_link(self, artifact: Mapping[str, Any]) -> dict[str, Any]:
        """Return a fresh download link in the form of the result."""
        link = self.link(artifact)
        return {"uri": link["uri"], "expire": link.get("expire"), "method": link.get("method") or "GET"}

    def file(self, artifact: Mapping[str, Any], title: str = "download artifact") -> LinkedFile:
        """Return the file of an artifact."""
        return LinkedFile(self.api.transport, f"{title} '{artifact['name']}'", lambda: str(self.link(artifact)["uri"]))

    # -- planning ----------------------------------------------------------------------------------------------

    def plan_description(self, artifact: Mapping[str, Any], description: str | None) -> Plan:
        """Plan to change the description; None leaves it alone."""
        before = artifact.get("description") or ""
        if description is None or description == before:
            return Plan()
        return Plan(update=[Change(label(artifact), {"description": before}, {"description": description})])

    def plan_absent(self, artifact: Mapping[str, Any] | None) -> Plan:
        """Plan to remove an artifact."""
        if artifact is None:
            return Plan()
        return Plan(delete=[Change(label(artifact), before=shown(artifact))])

    # -- writing -----------------------------------------------------------------------------------------------

    def set_description(self, artifact: Mapping[str, Any], description: str) -> dict[str, Any]:
        """Change the description; return the artifact as the API has it then.

        Raises:
            Rejected: it was used in a deployment: the server does not change it any more.
        """
        id = artifact["id"]

        def read_back() -> Any:
            return {} if ((self.get(id) or {}).get("description") or "") == description else NOT_DONE

        operation = replace(UPDATE, title=f"{UPDATE.title} '{artifact['name']}'")
        try:
            self.api.send(operation, values={"id": id}, json={"description": description}, read_back=read_back)
        except Rejected as error:
            if error.status == 422:
                there = artifact.get("description") or ""
                error.msg += (
                    " An artifact that was used in a deployment, even a finished one, keeps its description: leave "
                    f"description out, or give the present one, '{there}'."
                )
            raise
        return self.get(id) or {**artifact, "description": description}

    def remove(self, artifact: Mapping[str, Any]) -> None:
        """Remove an artifact.

        Raises:
            Conflict: an active deployment uses it.
        """
        id = artifact["id"]

        def read_back() -> Any:
            return {} if self.get(id) is None else NOT_DONE

        operation = replace(DELETE, title=f"{DELETE.title} '{artifact['name']}'")
        try:
            self.api.send(operation, values={"id": id}, accept=(404,), read_back=read_back)
        except Conflict as error:
            error.msg += " Wait until the deployments that use it have finished, or abort them."
            raise

    # -- lists -------------------------------------------------------------------------------------------------

    def _filtered(self, wanted: Mapping[str, str], *, patterns: bool = False) -> Iterator[dict[str, Any]]:
        """Yield at least the artifacts that match; the caller looks at each.

        The three lists of the API understand filters differently: as texts or prefixes, as regular expressions that
        match anywhere, or not at all.
        """
        if self.api.available(PROBE_ARTIFACTS):
            query = {key: value for key, value in wanted.items() if value and _plain(value, patterns=patterns)}
            yield from self.api.pages(PROBE_ARTIFACTS, query)
            return
        query = {}
        for key, value in wanted.items():
            start = _SAFE.match(value)
            if start:
                query[key] = start[0]
        # a server without it takes "list" for an id
        if self.api.available(PROBE_PAGED):
            yield from self.api.pages(PROBE_PAGED, query)
            return
        yield from self.api.required(LIST_ALL, shape=list).data


def check_id(id: str, option: str = "id") -> None:
    """Refuse what cannot be the id of an artifact or deployment.

    Raises:
        InvalidInput: it is no UUID.
    """
    if not _UUID.fullmatch(id):
        raise InvalidInput(f"{option} is '{id}': give a UUID such as 0c13a0e6-6b63-475d-8260-ee42a590e8ff.")


def _plain(value: str, *, patterns: bool) -> bool:
    """Tell whether the v2 list understands a value as it is meant; what it does not is looked at here only."""
    text = value[:-1] if patterns and value.endswith("*") else value
    return bool(text) and not re.search(r"[*\\]", text)


def _matches(item: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    for key, pattern in wanted.items():
        values = device_types(item) if key == "device_type" else [item.get(key) or ""]
        if not any(matches(str(value), pattern) for value in values):
            return False
    return True


def matches(value: str, pattern: str) -> bool:
    """Tell whether a value is the pattern, or begins with it where the pattern ends in a star."""
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def device_types(artifact: Mapping[str, Any]) -> list[str]:
    """Return the device types of an artifact of the API, in order."""
    return sorted(str(kind) for kind in artifact.get("device_types_compatible") or [])


def payloads(artifact: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the updates of an artifact of the API; in old examples the files stand at the top level."""
    updates = artifact.get("updates")
    if not updates:
        info = artifact.get("info") or {}
        files = artifact.get("files")
        if files is None and "type_info" not in info:
            return []
        updates = [{"type_info": info.get("type_info"), "files": files, "meta_data": artifact.get("metadata")}]
    return [update for update in updates if isinstance(update, dict)]


def meta_data(given: Any) -> Any:
    """Return the meta-data of a payload as they stand in the file.

    Servers of 2023 and later turn an object into a list of its entries, each an object of C(Key) and C(Value), and what
    is empty into an empty list: that becomes an object here whatever it was.
    """
    if isinstance(given, list):
        if all(isinstance(item, dict) and item.keys() == {"Key", "Value"} for item in given):
            return {str(item["Key"]): _nested(item["Value"]) for item in given}
        return [_nested(item) for item in given]
    return {} if given is None else given


def _nested(given: Any) -> Any:
    # an empty list in there may have been one
    return given if given in (None, []) else meta_data(given)


def label(artifact: Mapping[str, Any]) -> str:
    """Return the key of an artifact in a diff."""
    return f"{artifact.get('name')} ({', '.join(device_types(artifact))})"


def shown(artifact: Mapping[str, Any]) -> dict[str, Any]:
    """Return an artifact for a diff."""
    described = describe(artifact)
    names = ("id", "name", "device_types_compatible", "description")
    return {name: described[name] for name in names if described[name]} | {
        "checksums": {file["name"]: file["sha256"] for update in described["payloads"] for file in update["files"]}
    }


def describe(artifact: Mapping[str, Any]) -> dict[str, Any]:
    """Return an artifact in the form of the result: all keys always there, None for what the server does not tell."""
    info = artifact.get("info") or {}
    return {
        "id": artifact.get("id"),
        "name": artifact.get("name"),
        "description": artifact.get("description") or None,
        "device_types_compatible": device_types(artifact),
        "format": info.get("format"),
        "format_version": info.get("version"),
        "signed": artifact.get("signed"),
        "size": artifact.get("size"),
        "modified": artifact.get("modified"),
        "payloads": [
            {
                "type": (update.get("type_info") or {}).get("type"),
                "meta_data": meta_data(update.get("meta_data")),
                "files": [
                    {
                        "name": file.get("name"),
                        "sha256": file.get("checksum"),
                        "size": file.get("size"),
                        "date": file.get("date"),
                    }
                    for file in update.get("files") or []
                ],
            }
            for update in payloads(artifact)
        ],
        "provides": artifact.get("artifact_provides"),
        "depends": artifact.get("artifact_depends"),
        "clears_provides": artifact.get("clears_artifact_provides"),
    }


def _listed(types: Iterable[str]) -> str:
    return ", ".join(f"'{kind}'" for kind in sorted(types)) or "none"
