# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing artifacts to a Mender server: comparing, uploading, having one generated. Private to the collection.

The server keeps one artifact for each name and combination of what it depends on, and never changes it. It answers 409
to a second one, whatever is in it. So the file is compared first, and again after a 409 or a broken connection.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._core.errors import Conflict, FleetError, InvalidInput, NotFound, Rejected, WaitTimeout
from .._core.multipart import MultipartFile
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, Answer, writes
from .._core.waiter import Waiter
from .api import V1, Api, last_segment
from .artifact_file import ArtifactFile, check_file, checksum, read_artifact, read_head
from .artifacts import Artifacts, describe, device_types, label, payloads
from .tar import ArchiveError

UPLOAD = writes("upload artifact", "POST", f"{V1}/artifacts")
GENERATE = writes("have an artifact generated", "POST", f"{V1}/artifacts/generate")
BASIC, CONTENT, STRICT = "basic", "content", "strict"
COMPARISONS = (BASIC, CONTENT, STRICT)
# The only type that servers can generate. They accept any other, and then nothing happens.
SINGLE_FILE = "single_file"
MOST_CHARACTERS = 256
# How much of an artifact is fetched at a time to read its headers.
HEAD = 64 * 1024
TAKEN = (409, 422)


@dataclass(frozen=True)
class RawFile:
    """A file that the server is to make an artifact of. Size in bytes, sha256 in lower-case hex."""

    path: str
    name: str
    device_types: tuple[str, ...]
    size: int
    sha256: str
    args: str
    type: str = SINGLE_FILE


@dataclass
class UploadPlan(Plan):
    """What is to be brought to the server.

    ``found`` is the artifact as the API has it when it is there already, ``sent`` whether this task has brought it.
    """

    local: ArtifactFile | None = None
    raw: RawFile | None = None
    path: str = ""
    size: int = 0
    description: str | None = None
    compare: str = CONTENT
    found: dict[str, Any] | None = None
    sent: bool = False

    @property
    def name(self) -> str:
        """Name of the artifact."""
        return (self.local or self.raw or _NOTHING).name

    @property
    def types(self) -> tuple[str, ...]:
        """Device types of the artifact."""
        return (self.local or self.raw or _NOTHING).device_types

    def outcome(self) -> dict[str, Any]:
        """Return the artifact as it would be, in the form of the result."""
        if self.found is not None:
            after = {} if self.description is None else {"description": self.description}
            return describe({**self.found, **after})
        return describe(self._planned())

    def _planned(self) -> dict[str, Any]:
        planned: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "device_types_compatible": list(self.types),
        }
        if self.raw is not None:
            files = [{"name": os.path.basename(self.raw.path), "checksum": self.raw.sha256, "size": self.raw.size}]
            return {**planned, "updates": [{"type_info": {"type": self.raw.type}, "files": files}]}
        local = self.local or _NOTHING
        updates = [
            {
                "type_info": {"type": payload.type},
                "meta_data": payload.meta_data,
                "files": [{"name": file.name, "checksum": file.sha256, "size": file.size} for file in payload.files],
            }
            for payload in local.payloads
        ]
        three = local.version == 3
        return {
            **planned,
            "info": {"format": "mender", "version": local.version},
            "signed": local.signed,
            "size": self.size,
            "updates": updates,
            "artifact_provides": dict(local.provides) if three else None,
            "artifact_depends": {name: list(values) for name, values in local.depends.items()} if three else None,
            "clears_artifact_provides": list(local.clears) if three else None,
        }


_NOTHING = ArtifactFile(version=0, name="", device_types=(), payloads=())


class Uploads:
    """Brings artifacts to the server."""

    def __init__(self, api: Api, artifacts: Artifacts) -> None:
        self.api = api
        self.artifacts = artifacts

    def plan(self, path: str, description: str | None, compare: str, generate: Mapping[str, Any] | None) -> UploadPlan:
        """Plan to bring a file to the server.

        Args:
            path: the file.
            description: of the artifact; None leaves it alone.
            compare: how an artifact of the same name is compared: C(basic), C(content) or C(strict).
            generate: name, type, device_types_compatible and args of an artifact that the server is to make of the
                file; None when the file is an artifact.

        Raises:
            InvalidInput: the file is not usable.
            Conflict: another artifact has the name for these device types.
        """
        if generate is None:
            size = check_file(path)
            plan = UploadPlan(local=read_artifact(path), path=path, size=size, description=description, compare=compare)
        else:
            plan = UploadPlan(raw=_raw(path, generate, compare), path=path, description=description, compare=compare)
        plan.found = self._present(plan)
        if plan.found is None:
            key = label({"name": plan.name, "device_types_compatible": plan.types})
            plan.create.append(Change(key, after=_shown(plan)))
        else:
            plan.update += self.artifacts.plan_description(plan.found, description).update
        return plan

    def apply(self, plan: UploadPlan, *, wait: bool, wait_timeout: float, wait_interval: float) -> dict[str, Any]:
        """Carry out a plan; return the artifact in the form of the result.

        Args:
            plan: what to do.
            wait: whether to wait until a generated artifact is there.
            wait_timeout: seconds.
            wait_interval: seconds between looks.

        Raises:
            Conflict: another artifact of the name has come in the meantime.
            WaitTimeout: the generated artifact is not there in time.
        """
        try:
            return self._apply(plan, wait=wait, wait_timeout=wait_timeout, wait_interval=wait_interval)
        except FleetError as error:
            # what was written before the fault counts as changed
            error.result.setdefault("changed", plan.sent)
            raise

    def _apply(self, plan: UploadPlan, *, wait: bool, wait_timeout: float, wait_interval: float) -> dict[str, Any]:
        present = plan.found
        if present is None:
            send = self._upload if plan.raw is None else self._generate
            present, ours = send(plan)
            if not ours:
                # somebody else has brought the same one in the meantime
                plan.create.clear()
        if present is None and wait:
            present = self._wait(plan, wait_timeout, wait_interval)
        if present is None:
            return plan.outcome()
        change = self.artifacts.plan_description(present, plan.description)
        if change.changed and plan.description is not None:
            present = self.artifacts.set_description(present, plan.description)
            if not plan.create:
                plan.update[:] = change.update
        return describe(present)

    # -- comparing ---------------------------------------------------------------------------------------------

    def _present(self, plan: UploadPlan) -> dict[str, Any] | None:
        """Return the artifact when it is on the server.

        Raises:
            Conflict: another one is there in its place.
        """
        others = []
        for item in self.artifacts.named(plan.name):
            if not _overlap(plan, item):
                continue
            found = self._differences(plan, item)
            if not found:
                return item
            others.append((item, found))
        if not others:
            return None
        item, found = others[0]
        raise Conflict(
            f"src is '{plan.path}', and the server has another artifact '{plan.name}' for the device types "
            f"{', '.join(device_types(item))} (id {item.get('id')}): {'; '.join(found)}. Artifacts never change: give "
            "the new content a new name, or remove the one on the server first.",
            details={"id": item.get("id"), "differences": found},
        )

    def _differences(self, plan: UploadPlan, item: Mapping[str, Any]) -> list[str]:
        if not set(plan.types) <= set(device_types(item)):
            return [f"it is not for {', '.join(sorted(set(plan.types) - set(device_types(item))))}"]
        if plan.compare == BASIC:
            return []
        if plan.raw is not None:
            return _raw_differences(plan.raw, item)
        local = plan.local or _NOTHING
        found = differences(local, item)
        if plan.compare == STRICT and not found:
            found = self._file_differences(local, plan.size, item)
        return found

    def _file_differences(self, local: ArtifactFile, size: int, item: Mapping[str, Any]) -> list[str]:
        """Compare the headers of the two files themselves."""
        if item.get("size") is not None and item["size"] != size:
            return [f"its file has {item['size']} bytes, that in src {size}"]
        file = self.artifacts.file(item, "read the headers of artifact")
        try:
            remote = read_head(_Head(file.read))
        except ArchiveError as error:
            return [f"its file on the server cannot be read, {error}"]
        finally:
            file.close()
        found = [
            f"the checksum of {name} differs"
            for name in sorted(local.checksums.keys() | remote.checksums.keys())
            if local.checksums.get(name) != remote.checksums.get(name)
        ]
        return found or (["its signature differs"] if local.signature != remote.signature else [])

    # -- sending -----------------------------------------------------------------------------------------------

    def _upload(self, plan: UploadPlan) -> tuple[dict[str, Any] | None, bool]:
        fields = {"description": plan.description} if plan.description else {}
        try:
            answer, ours = self._send(UPLOAD, plan, fields, "artifact")
        except Rejected as error:
            if error.status == 400 and plan.local is not None and plan.local.version == 1:
                error.msg += (
                    f" The artifact in src, '{plan.path}', is of format version 1, which servers of 2023 and newer do "
                    "not take: write it anew with a newer mender-artifact."
                )
            raise
        stored = self._stored(answer, plan)
        if stored is None:
            raise NotFound(
                f"Artifact '{plan.name}' was uploaded, but the server does not have it: run the task again, and look "
                "into the log of the server if it stays so."
            )
        found = differences(plan.local or _NOTHING, stored)
        if ours and found:
            raise Rejected(
                f"Artifact '{plan.name}' was uploaded, but the server stored something else: {'; '.join(found)}. Look "
                "for what changes requests on the way, and for what changes the file while it is read."
            )
        return stored, ours

    def _generate(self, plan: UploadPlan) -> tuple[dict[str, Any] | None, bool]:
        raw = plan.raw
        if raw is None:
            return None, False
        fields = {"name": raw.name}
        if plan.description:
            fields["description"] = plan.description
        fields["device_types_compatible"] = ",".join(raw.device_types)
        fields["type"] = raw.type
        fields["args"] = raw.args
        answer, ours = self._send(GENERATE, plan, fields, "file")
        return (answer.data if isinstance(answer.data, dict) and answer.data.get("id") else None), ours

    def _send(self, operation: Any, plan: UploadPlan, fields: dict[str, str], part: str) -> tuple[Answer, bool]:
        """Send the file; say whether it was this task that brought it."""

        def body() -> MultipartFile:
            return MultipartFile(plan.path, os.path.basename(plan.path), fields, part)

        def read_back() -> Any:
            try:
                found = self._present(replace(plan, compare=CONTENT))
            except Conflict:
                return NOT_DONE
            return NOT_DONE if found is None else found

        try:
            operation = replace(operation, title=f"{operation.title} '{plan.name}'")
            answer = self.api.send(operation, upload=body, read_back=read_back)
            plan.sent = True
            return answer, True
        except FleetError as error:
            if error.status not in TAKEN:
                raise
            # the words of a 409 have changed three times: only the look at the server tells
            present = self._present(plan)
            if present is None:
                raise
            return Answer(200, present), False

    def _stored(self, answer: Answer, plan: UploadPlan) -> dict[str, Any] | None:
        if isinstance(answer.data, dict) and answer.data.get("id"):
            return answer.data
        id = last_segment(answer.headers.get("Location"))
        try:
            found = self.artifacts.get(id) if id else None
        except InvalidInput:
            # a Location that ends in something else
            found = None
        return found or self._present(replace(plan, compare=CONTENT))

    def _wait(self, plan: UploadPlan, timeout: float, interval: float) -> dict[str, Any] | None:
        waiter: Waiter[dict[str, Any] | None] = Waiter(
            lambda: self._present(plan),
            ready=lambda state: state is not None,
            failed=lambda state: None,
            describe=lambda state: None if state is None else describe(state),
            timeout=timeout,
            interval=interval,
            subject=f"the server to generate artifact '{plan.name}'",
            attach={"src": plan.path, "generate": {"name": plan.name, "device_types_compatible": list(plan.types)}},
        )
        try:
            return waiter.run()
        except WaitTimeout as error:
            error.msg += (
                " A server does not tell when generating fails: look into the log of its create-artifact-worker, and "
                "check the args."
            )
            raise


class _Head:
    """The beginning of a file, fetched piece by piece as it is read."""

    def __init__(self, fetch: Any) -> None:
        self._fetch = fetch
        self._next = 0
        self._buffer = b""

    def read(self, size: int, /) -> bytes:
        if not self._buffer:
            self._buffer = self._fetch(self._next, HEAD)
            self._next += len(self._buffer)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


def differences(local: ArtifactFile, item: Mapping[str, Any]) -> list[str]:
    """Return in which ways an artifact of the API is not the local file; what the server does not tell is left out."""
    found = []
    if item.get("name") != local.name:
        found.append(f"its name is '{item.get('name')}'")
    if set(device_types(item)) != set(local.device_types):
        found.append(f"it is for {', '.join(device_types(item))}, and src for {', '.join(sorted(local.device_types))}")
    version = (item.get("info") or {}).get("version")
    if version is not None and version != local.version:
        found.append(f"its format is version {version}, and that of src {local.version}")
    if item.get("signed") is not None and bool(item["signed"]) != local.signed:
        found.append("it is signed, and src is not" if item["signed"] else "it is not signed, and src is")
    found += _payload_differences(local, item)
    if local.version == 3:
        pairs = (
            ("provides", "artifact_provides", local.provides),
            ("depends", "artifact_depends", local.depends),
            ("clears provides", "clears_artifact_provides", {"": local.clears}),
        )
        for word, key, ours in pairs:
            theirs = item.get(key)
            if theirs is not None and _normal(theirs if isinstance(theirs, dict) else {"": theirs}) != _normal(ours):
                found.append(f"what it {word} differs")
    return found


def _payload_differences(local: ArtifactFile, item: Mapping[str, Any]) -> list[str]:
    updates = payloads(item)
    if not updates:
        return ["it has no payload"] if local.files and "updates" in item else []
    if len(updates) != len(local.payloads):
        return [f"it has {len(updates)} payloads, and src has {len(local.payloads)}"]
    found = []
    for payload, update in zip(local.payloads, updates):
        kind = (update.get("type_info") or {}).get("type")
        if (kind or None) != (payload.type or None):
            found.append(f"its payload is of type {kind}, and that of src of type {payload.type}")
        theirs = {file.get("name"): file for file in update.get("files") or []}
        found += [
            f"only {'it' if name in theirs else 'src'} has the file {name}"
            for name in sorted({file.name for file in payload.files} ^ set(theirs), key=str)
        ]
        for file in payload.files:
            other = theirs.get(file.name)
            if other is None:
                continue
            sha256 = str(other.get("checksum") or "").lower()
            # old documents show checksums of another kind
            if file.sha256 and len(sha256) == len(file.sha256) and sha256 != file.sha256:
                found.append(f"the checksum of the file {file.name} differs")
            elif file.size is not None and other.get("size") is not None and other["size"] != file.size:
                found.append(f"the size of the file {file.name} differs")
    return found


def _raw_differences(raw: RawFile, item: Mapping[str, Any]) -> list[str]:
    sums = {str(file.get("checksum") or "").lower() for update in payloads(item) for file in update.get("files") or []}
    found = []
    if set(raw.device_types) != set(device_types(item)):
        found.append(f"it is for {', '.join(device_types(item))}")
    if sums and raw.sha256 not in sums:
        found.append("none of its files has the checksum of src")
    return found


def _overlap(plan: UploadPlan, item: Mapping[str, Any]) -> bool:
    """Tell whether the server would refuse one because of the other."""
    if not set(plan.types) & set(device_types(item)):
        # without any device type they only differ in the rest
        return not plan.types and not device_types(item)
    theirs = item.get("artifact_depends")
    if plan.local is None or plan.local.version < 3 or not isinstance(theirs, dict):
        return True
    ours, others = _normal(plan.local.depends), _normal(theirs)
    return ours.keys() == others.keys() and all(ours[key] & others[key] for key in ours)


def _normal(given: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return values that are texts or lists of them in one form; what is empty counts as not there."""
    sets = {
        key: frozenset(map(str, value if isinstance(value, (list, tuple)) else [value]))
        for key, value in given.items()
        if value is not None
    }
    return {key: value for key, value in sets.items() if value}


def _raw(path: str, generate: Mapping[str, Any], compare: str) -> RawFile:
    if compare == STRICT:
        raise InvalidInput(
            "compare is 'strict', which does not go with generate, since the server makes the artifact: set it to "
            "'content' or 'basic'."
        )
    types = tuple(generate["device_types_compatible"])
    for option, values in (("name", [generate["name"]]), ("device_types_compatible", types)):
        for value in values:
            if not value.strip() or len(value) > MOST_CHARACTERS:
                raise InvalidInput(f"generate.{option} is '{value}': give 1 to {MOST_CHARACTERS} characters.")
    for value in types:
        if "," in value or value != value.strip():
            raise InvalidInput(
                f"generate.device_types_compatible has '{value}': the server splits it at commas and cuts blanks off; "
                "give one device type an entry."
            )
    if not types:
        raise InvalidInput("generate.device_types_compatible is empty: give at least one device type.")
    return RawFile(
        path=path,
        name=generate["name"],
        device_types=types,
        size=check_file(path),
        sha256=checksum(path),
        type=generate["type"],
        args=json.dumps(_args(path, generate.get("args") or {}), sort_keys=True),
    )


def _args(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the making; the server accepts any, and says nothing when its worker cannot use them."""
    args = {"filename": os.path.basename(path), **given}
    filename, folder = args["filename"], args.get("dest_dir")
    if not isinstance(filename, str) or not filename or "/" in filename:
        raise InvalidInput(f"generate.args.filename is '{filename}': give the name of the file on the device, no path.")
    if not isinstance(folder, str) or not folder.startswith("/"):
        state = "not set" if folder is None else f"'{folder}'"
        raise InvalidInput(
            f"generate.args.dest_dir is {state}: give the absolute path of the folder on the device for the file."
        )
    return args


def _shown(plan: UploadPlan) -> dict[str, Any]:
    described = plan.outcome()
    after = {name: described[name] for name in ("name", "device_types_compatible", "description") if described[name]}
    files = {file["name"]: file["sha256"] for update in described["payloads"] for file in update["files"]}
    return {**after, "checksums": files}
