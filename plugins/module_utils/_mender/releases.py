# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mender releases: all artifacts of one name, with notes and tags. Private to the collection.

Facts from the documents of the deployments management APIs v1 and v2, and answers of a release of 2024. A release is
not created: it comes with its first artifact and goes with its last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._core.errors import Conflict, FleetError, InvalidInput, Unsupported
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from .api import MISSING, PROBE_RELEASES, V1, V2, Api
from .artifacts import Artifacts, matches
from .artifacts import describe as describe_artifact

LIST_V1 = reads("list releases", "GET", f"{V1}/deployments/releases")
SET_NOTES = writes("change the notes of release", "PATCH", f"{V2}/deployments/releases/{{name}}")
SET_TAGS = writes("change the tags of release", "PUT", f"{V2}/deployments/releases/{{name}}/tags")
DELETE = writes("remove release", "DELETE", f"{V2}/deployments/releases")
MOST_NOTES = 1024
MOST_TAGS = 20
_TAG = re.compile(r"[a-z0-9_.-]+")
_SAFE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class ReleasePlan(Plan):
    """What is to be written to one release; C(notes) and C(tags) are None when they stay."""

    found: dict[str, Any] | None = None
    notes: str | None = None
    tags: list[str] | None = None

    def outcome(self) -> dict[str, Any] | None:
        """Return the release as it would be, None when it would not be there."""
        if self.found is None or self.delete:
            return None
        changes: dict[str, Any] = {}
        if self.notes is not None:
            changes["notes"] = self.notes or None
        if self.tags is not None:
            changes["tags"] = self.tags
        return {**self.found, **changes}


@dataclass(frozen=True)
class Wanted:
    """What a list of releases is narrowed to; None for all."""

    name: str | None = None
    tags: list[str] | None = field(default=None)
    update_type: str | None = None


class Releases:
    """The releases of a tenant."""

    def __init__(self, api: Api, artifacts: Artifacts) -> None:
        self.api = api
        self.artifacts = artifacts

    def find(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Return releases in the form of the result, by name.

        Args:
            wanted: C(name), with a star at its end for any rest; C(tags), of which one is enough; C(update_type).

        Raises:
            Unsupported: the server does not have tags.
        """
        if wanted.tags is not None and not self._modern:
            raise self._old("tags")
        tags = None if wanted.tags is None else {tag.lower() for tag in wanted.tags}
        found = []
        for release in self._filtered(wanted):
            types = {update["type"] for artifact in release["artifacts"] for update in artifact["payloads"]}
            if wanted.name is not None and not matches(str(release["name"]), wanted.name):
                continue
            if tags is not None and not tags & set(release["tags"] or ()):
                continue
            if wanted.update_type is None or wanted.update_type in types:
                found.append(release)
        return sorted(found, key=lambda release: str(release["name"]))

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a release in the form of the result, None when there is none."""
        # one release alone cannot be read in all versions of the API
        return next((item for item in self._filtered(Wanted(name)) if item["name"] == name), None)

    def plan_present(self, name: str, notes: str | None, tags: list[str] | None) -> ReleasePlan:
        """Plan to give a release notes and tags; None leaves them alone.

        Raises:
            InvalidInput: there is no such release, or what the server would refuse.
            Unsupported: the server does not have them.
        """
        wanted_tags = None if tags is None else check_tags(tags)
        if notes is not None and len(notes) > MOST_NOTES:
            raise InvalidInput(f"notes is {len(notes)} characters long: {MOST_NOTES} is the most.")
        found = self.get(name)
        if found is None:
            raise InvalidInput(
                f"name is '{name}', but there is no such release: a release appears with its first artifact, so upload "
                "that first."
            )
        if not self._modern and (notes is not None or tags is not None):
            raise self._old("notes" if notes is not None else "tags")
        plan = ReleasePlan(found=found)
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        if notes is not None and notes != (found["notes"] or ""):
            plan.notes = notes
            before["notes"], after["notes"] = found["notes"], notes or None
        if wanted_tags is not None and set(wanted_tags) != set(found["tags"] or ()):
            plan.tags = wanted_tags
            before["tags"], after["tags"] = found["tags"], wanted_tags
        if after:
            plan.update.append(Change(name, before, after))
        return plan

    def plan_absent(self, name: str) -> ReleasePlan:
        """Plan to remove a release with all its artifacts."""
        found = self.get(name)
        if found is None:
            return ReleasePlan()
        ids = [artifact["id"] for artifact in found["artifacts"]]
        return ReleasePlan(found=found, delete=[Change(name, {"name": name, "artifacts": ids})])

    def apply(self, plan: ReleasePlan) -> dict[str, Any] | None:
        """Carry out a plan that gives notes and tags; return the release in the form of the result."""
        if plan.found is None:
            return None
        name = plan.found["name"]
        if plan.notes is not None:
            self._write(SET_NOTES, name, {"notes": plan.notes}, "notes", plan.notes or None)
        if plan.tags is not None:
            try:
                self._write(SET_TAGS, name, plan.tags, "tags", sorted(plan.tags))
            except FleetError as error:
                error.result.setdefault("changed", plan.notes is not None)
                raise
        return (self.get(name) if plan.changed else plan.found) or plan.outcome()

    def remove(self, plan: ReleasePlan) -> None:
        """Carry out a plan that removes a release.

        Raises:
            Conflict: an active deployment uses it.
        """
        if plan.found is None:
            return
        name = plan.found["name"]

        def read_back() -> Any:
            return {} if self.get(name) is None else NOT_DONE

        operation = replace(DELETE, title=f"{DELETE.title} '{name}'")
        if self._modern:
            try:
                answer = self.api.send(operation, query={"name": name}, accept=MISSING, read_back=read_back)
            except Conflict as error:
                active = error.details.get("active_deployments")
                named = f" ({', '.join(map(str, active[:5]))})" if isinstance(active, list) and active else ""
                error.msg += f" Wait until the deployments that use it have finished{named}, or abort them."
                raise
            if answer.status not in MISSING:
                return
        # older servers: a release goes with its last artifact
        for artifact in self.artifacts.named(name):
            self.artifacts.remove(artifact)

    @property
    def _modern(self) -> bool:
        return self.api.available(PROBE_RELEASES)

    def _old(self, option: str) -> Unsupported:
        return Unsupported(
            f"{option} is given, but the Mender server at {self.api.transport.connection.host} is too old to have "
            f"{option} of releases: leave {option} out, or update the server."
        )

    def _filtered(self, wanted: Wanted) -> Iterator[dict[str, Any]]:
        """Yield at least the releases that match."""
        start = _SAFE.match(wanted.name or "")
        query: dict[str, Any] = {"name": start[0] if start else None}
        if self._modern:
            query.update(tag=wanted.tags, update_type=wanted.update_type)
            for item in self.api.pages(PROBE_RELEASES, query):
                yield describe(item)
            return
        for item in self.api.required(LIST_V1, query=query, shape=list).data:
            yield describe(item)

    def _write(self, operation: Any, name: str, body: Any, key: str, wanted: Any) -> None:
        def read_back() -> Any:
            return {} if (self.get(name) or {}).get(key) == wanted else NOT_DONE

        operation = replace(operation, title=f"{operation.title} '{name}'")
        self.api.send(operation, values={"name": name}, json=body, read_back=read_back)


def check_tags(tags: Iterable[str]) -> list[str]:
    """Return tags as the server keeps them: in lower case, each once, in order.

    Raises:
        InvalidInput: what the server would refuse.
    """
    kept = sorted({tag.lower() for tag in tags})
    for tag in kept:
        if not _TAG.fullmatch(tag):
            raise InvalidInput(f"tags has '{tag}': use letters, digits, '-', '_' and '.' only.")
    if len(kept) > MOST_TAGS:
        raise InvalidInput(f"tags has {len(kept)} entries: {MOST_TAGS} is the most.")
    return kept


def describe(release: Mapping[str, Any]) -> dict[str, Any]:
    """Return a release in the form of the result; the API's first version spells its keys with capitals."""

    def value(key: str, capital: str) -> Any:
        return release[key] if key in release else release.get(capital)

    artifacts = [describe_artifact(item) for item in value("artifacts", "Artifacts") or []]
    count = value("artifacts_count", "ArtifactsCount")
    tags = release.get("tags")
    return {
        "name": value("name", "Name"),
        "modified": value("modified", "Modified"),
        "artifacts_count": len(artifacts) if count is None else count,
        "artifacts": artifacts,
        "tags": None if tags is None else sorted(tags),
        "notes": release.get("notes") or None,
    }
