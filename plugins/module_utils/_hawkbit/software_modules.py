# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit software modules and their artifacts: reading, planning, writing. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/softwaremodules) and releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._core.errors import Conflict, InvalidInput, Rejected
from .._core.multipart import BLOCK, MultipartFile
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from . import versioned
from .api import ROOT, Api

READ = reads("read software module", "GET", f"{ROOT}/softwaremodules/{{id}}")
CREATE = writes("create software module", "POST", f"{ROOT}/softwaremodules")
UPDATE = writes("update software module", "PUT", f"{ROOT}/softwaremodules/{{id}}")
DELETE = writes("remove software module", "DELETE", f"{ROOT}/softwaremodules/{{id}}")
LIST_TYPES = reads("list software module types", "GET", f"{ROOT}/softwaremoduletypes")
LIST_ARTIFACTS = reads("list artifacts", "GET", f"{ROOT}/softwaremodules/{{id}}/artifacts")
UPLOAD = writes("upload artifact", "POST", f"{ROOT}/softwaremodules/{{id}}/artifacts")
DELETE_ARTIFACT = writes("remove artifact", "DELETE", f"{ROOT}/softwaremodules/{{id}}/artifacts/{{artifact_id}}")

OPTION = "software module"
TEXTS = ("description", "vendor")
FILENAME_LENGTH = 256
# Devices fetch an artifact by its name in a path, where the server refuses these.
_UNUSABLE = re.compile(r"[/\\;%\x00-\x1f\x7f]")


@dataclass(frozen=True)
class LocalFile:
    """A file that is to be an artifact. Size in bytes, sha256 in lower-case hex."""

    path: str
    filename: str
    size: int
    sha256: str

    def same_content(self, artifact: Mapping[str, Any]) -> bool:
        """Tell whether an artifact of the API holds what this file holds."""
        sha256 = str(artifact.get("hashes", {}).get("sha256", "")).lower()
        return artifact.get("size") == self.size and sha256 == self.sha256

    def is_artifact(self, artifact: Mapping[str, Any]) -> bool:
        """Tell whether an artifact of the API is this file, by name and content."""
        return artifact.get("providedFilename") == self.filename and self.same_content(artifact)


@dataclass
class ModulePlan(Plan):
    """What is to be written to one software module.

    ``found`` is the module as the API has it, or None; ``kept`` and ``removed`` are artifacts of the API.
    """

    found: dict[str, Any] | None = None
    texts: dict[str, Any] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[LocalFile] = field(default_factory=list)

    def outcome(self) -> dict[str, Any] | None:
        """Return the module as it would be, None when it would not be there."""
        if self.delete or not (self.found or self.create):
            return None
        planned = [
            {"providedFilename": file.filename, "size": file.size, "hashes": {"sha256": file.sha256}}
            for file in self.uploads
        ]
        return describe({**(self.found or {}), **self.texts}, [*self.kept, *planned])


class SoftwareModules:
    """The software modules of a tenant."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def find(self, name: str, version: str, type: str | None = None) -> dict[str, Any] | None:
        """Return a module as the API has it, None when there is none.

        Raises:
            InvalidInput: there are several of that name and version, and no type is given.
        """
        return versioned.find(self.api, versioned.LIST_MODULES, OPTION, name, version, type)

    def require(self, name: str, version: str, type: str | None = None) -> dict[str, Any]:
        """Return a module as the API has it.

        Raises:
            InvalidInput: there is none (the message lists what there is), or several.
        """
        return versioned.require(self.api, versioned.LIST_MODULES, OPTION, name, version, type)

    def get(self, id: str | int) -> dict[str, Any] | None:
        """Return a module by its id, None when there is none. One that was removed after use says C(deleted)."""
        answer = self.api.transport.send(READ, values={"id": id}, accept=(404,), shape=dict)
        return None if answer.status == 404 else answer.data

    def types(self) -> dict[str, dict[str, Any]]:
        """Return the types of modules, by key."""
        return {item["key"]: item for item in self.api.pages(LIST_TYPES) if not item.get("deleted")}

    def artifacts(self, id: str | int) -> list[dict[str, Any]]:
        """Return a module's artifacts as the API has them."""
        return list(self.api.pages(LIST_ARTIFACTS, values={"id": id}))

    def plan_present(self, wanted: Mapping[str, Any]) -> ModulePlan:
        """Plan to make a module as wanted.

        Args:
            wanted: name, version, type, description, vendor, artifacts (list of src and filename; None leaves them
                alone), purge_artifacts (whether other artifacts go).

        Raises:
            InvalidInput: what the server would refuse, or a file that cannot be read.
            Conflict: artifacts would change, but the module is locked.
        """
        versioned.check_texts(wanted)
        files = None if wanted["artifacts"] is None else local_files(wanted["artifacts"])
        key = f"{wanted['name']}:{wanted['version']}"
        texts = {name: wanted[name] for name in TEXTS}
        found = self.find(wanted["name"], wanted["version"], wanted["type"])
        if found is None:
            self._check_type(wanted)
            body = {name: wanted[name] for name in versioned.KEYS} | versioned.text_changes(texts, {})
            uploads = files or []
            after = {**body, "artifacts": {file.filename: file.sha256 for file in uploads}}
            return ModulePlan(create=[Change(key, after=after)], texts=body, uploads=uploads)
        plan = ModulePlan(found=found, texts=versioned.text_changes(texts, found))
        self._plan_artifacts(plan, files, wanted["purge_artifacts"])
        before: dict[str, Any] = {name: found.get(name) for name in plan.texts}
        after = dict(plan.texts)
        if plan.removed or plan.uploads:
            before["artifacts"] = {item["providedFilename"]: item["hashes"]["sha256"] for item in plan.removed}
            after["artifacts"] = {file.filename: file.sha256 for file in plan.uploads}
        if after:
            plan.update.append(Change(key, before, after))
        return plan

    def plan_absent(self, name: str, version: str, type: str | None) -> ModulePlan:
        """Plan to remove a module.

        Raises:
            InvalidInput: there are several of that name and version, and no type is given.
            Conflict: a locked distribution set needs it.
        """
        versioned.check_texts({"name": name, "version": version, "type": type})
        found = self.find(name, version, type)
        if found is None:
            return ModulePlan()
        if found.get("locked"):
            sets = self.api.pages(versioned.LIST_SETS, query=f"module.id=={found['id']}")
            users = [f"'{item['name']}' version '{item['version']}'" for item in sets if item.get("locked")]
            if users:
                raise Conflict(
                    f"Software module '{name}' version '{version}' is locked by distribution set {', '.join(users)}, "
                    "which was assigned already: remove that first."
                )
        return ModulePlan(found=found, delete=[Change(f"{name}:{version}", before=_shown(found))])

    def apply(self, plan: ModulePlan) -> dict[str, Any] | None:
        """Carry out a plan that makes a module present; return the module in the form of the result."""
        module = plan.found
        if plan.create:
            module = self._create(plan.texts)
        elif module is not None and plan.texts:
            module = self._update(module, plan.texts)
        if module is None:
            return None
        # first: there is a limit to how many a module may have
        for artifact in plan.removed:
            self._delete_artifact(module["id"], artifact)
        uploaded = [self._upload(module["id"], file) for file in plan.uploads]
        return describe(module, [*plan.kept, *uploaded])

    def remove(self, plan: ModulePlan) -> bool:
        """Carry out a plan that removes a module; return whether the server only hides it, since it was in use."""
        if plan.found is None:
            return False
        module = plan.found
        id = module["id"]

        def read_back() -> Any:
            present = self.get(id)
            return {} if present is None or present.get("deleted") else NOT_DONE

        operation = versioned.named(DELETE, module["name"], module["version"])
        self.api.transport.send(operation, values={"id": id}, accept=(404,), read_back=read_back)
        return self.get(id) is not None

    def _check_type(self, wanted: Mapping[str, Any]) -> None:
        keys = self.types()
        choice = ", ".join(f"'{key}'" for key in sorted(keys))
        if wanted["type"] is None:
            raise InvalidInput(
                f"type is not set, and there is no {OPTION} '{wanted['name']}' version '{wanted['version']}' yet: "
                f"give the type's key, one of {choice}."
            )
        if wanted["type"] not in keys:
            raise InvalidInput(f"type is '{wanted['type']}', which the server does not know: give one of {choice}.")

    def _plan_artifacts(self, plan: ModulePlan, files: list[LocalFile] | None, purge: bool) -> None:
        """Decide which artifacts go, stay and come."""
        module = plan.found or {}
        by_name = {file.filename.casefold(): file for file in files or []}
        for artifact in self.artifacts(module["id"]):
            # the server takes names that differ in case only for the same
            file = by_name.get(artifact["providedFilename"].casefold())
            if file is None:
                gone = purge and files is not None
            else:
                gone = not file.is_artifact(artifact)
                if not gone:
                    del by_name[file.filename.casefold()]
            (plan.removed if gone else plan.kept).append(artifact)
        plan.uploads = list(by_name.values())
        if module.get("locked") and (plan.removed or plan.uploads):
            names = sorted({a["providedFilename"] for a in plan.removed} | {file.filename for file in plan.uploads})
            raise Conflict(
                f"Software module '{module['name']}' version '{module['version']}' is locked, since it is part of a "
                f"distribution set that was assigned, so its artifacts cannot be changed ({', '.join(names)}): "
                "give the new content a new version."
            )

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        key = {name: body[name] for name in versioned.KEYS}

        def read_back() -> Any:
            found = self.find(**key)
            return NOT_DONE if found is None else [found]

        operation = versioned.named(CREATE, body["name"], body["version"])
        try:
            created = self.api.transport.send(operation, json=[body], shape=list, read_back=read_back).data
        except Conflict as error:
            present = self.find(**key) is not None
            raise versioned.taken(error, OPTION, body["name"], body["version"], present) from error
        module: dict[str, Any] = created[0]
        return module

    def _update(self, module: Mapping[str, Any], texts: dict[str, Any]) -> dict[str, Any]:
        def read_back() -> Any:
            present = self.get(module["id"]) or {}
            return NOT_DONE if versioned.text_changes(texts, present) else present

        operation = versioned.named(UPDATE, module["name"], module["version"])
        updated: dict[str, Any] = self.api.transport.send(
            operation, values={"id": module["id"]}, json=texts, shape=dict, read_back=read_back
        ).data
        return updated

    def _delete_artifact(self, id: int, artifact: Mapping[str, Any]) -> None:
        def read_back() -> Any:
            return NOT_DONE if any(item["id"] == artifact["id"] for item in self.artifacts(id)) else {}

        operation = replace(DELETE_ARTIFACT, title=f"{DELETE_ARTIFACT.title} '{artifact['providedFilename']}'")
        values = {"id": id, "artifact_id": artifact["id"]}
        self.api.transport.send(operation, values=values, accept=(404,), read_back=read_back)

    def _upload(self, id: int, file: LocalFile) -> dict[str, Any]:
        def body() -> MultipartFile:
            try:
                return MultipartFile(file.path, file.filename)
            except OSError as error:
                raise _unreadable(file.path, error) from error

        def read_back() -> Any:
            return next((item for item in self.artifacts(id) if file.is_artifact(item)), NOT_DONE)

        artifact: dict[str, Any] = self.api.transport.send(
            replace(UPLOAD, title=f"{UPLOAD.title} '{file.filename}'"),
            values={"id": id},
            # in the query string, since old servers do not read form fields as UTF-8
            query={"filename": file.filename, "sha256sum": file.sha256},
            upload=body,
            shape=dict,
            read_back=read_back,
        ).data
        if not file.same_content(artifact):
            stored = artifact.get("hashes", {}).get("sha256")
            raise Rejected(
                f"Artifact '{file.filename}' was uploaded with sha256 {file.sha256}, but the server stored {stored}: "
                "run the task again, and look for what changes requests on the way if it stays so."
            )
        return artifact


def describe(module: Mapping[str, Any], artifacts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a module in the form of the result: all keys always there, ids as text."""
    return {
        "id": None if module.get("id") is None else str(module["id"]),
        "name": module.get("name"),
        "version": module.get("version"),
        "type": module.get("type"),
        "description": module.get("description") or None,
        "vendor": module.get("vendor") or None,
        "locked": module.get("locked"),
        "artifacts": sorted((_described(item) for item in artifacts), key=lambda item: str(item["filename"])),
    }


def _described(artifact: Mapping[str, Any]) -> dict[str, Any]:
    hashes = artifact.get("hashes", {})
    return {
        "id": None if artifact.get("id") is None else str(artifact["id"]),
        "filename": artifact.get("providedFilename"),
        "size": artifact.get("size"),
        **{name: hashes.get(name) for name in ("sha256", "sha1", "md5")},
    }


def _shown(module: Mapping[str, Any]) -> dict[str, Any]:
    return {name: module[name] for name in (*versioned.KEYS, *TEXTS) if module.get(name)}


def local_files(wanted: Iterable[Mapping[str, Any]]) -> list[LocalFile]:
    """Read what is to be uploaded: each file once, for its checksum.

    Args:
        wanted: C(src) and C(filename) (None for the last part of src).

    Raises:
        InvalidInput: a file that cannot be read or be an artifact, or a name given twice.
    """
    paths: dict[str, str] = {}
    for item in wanted:
        path = item["src"]
        filename = item.get("filename")
        if filename is None:
            filename = os.path.basename(path)
        _check_file(path)
        _check_filename(filename)
        twin = next((name for name in paths if name.casefold() == filename.casefold()), None)
        if twin is not None:
            raise InvalidInput(
                f"artifacts names '{filename}' twice (src '{paths[twin]}' and '{path}'): hawkBit takes each name once, "
                "upper and lower case being the same; set another filename."
            )
        paths[filename] = path
    return [_read(path, filename) for filename, path in paths.items()]


def _check_file(path: str) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"src is '{path}', which is a folder: give a file, such as an archive of the folder.")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"src is '{path}', which is not an ordinary file: give a file.")
    if status.st_size == 0:
        raise InvalidInput(f"src is '{path}', which is empty: hawkBit refuses empty files; give one with content.")


def _check_filename(filename: str) -> None:
    if not filename.strip() or len(filename) > FILENAME_LENGTH:
        raise InvalidInput(f"filename is '{filename}': give 1 to {FILENAME_LENGTH} characters.")
    if filename in (".", "..") or _UNUSABLE.search(filename):
        raise InvalidInput(
            f"filename is {filename!r}: a device could not download it; leave out / \\ ; % and control characters, and "
            "do not use '.' or '..'."
        )
    versioned.check_markup("filename", filename)


def _read(path: str, filename: str) -> LocalFile:
    digest = hashlib.sha256()
    size = 0
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return LocalFile(path, filename, size, digest.hexdigest())


def _unreadable(path: str, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"src is '{path}', which cannot be read ({error.strerror}): give a file on the host where the module runs, "
        "usually the controller."
    )
