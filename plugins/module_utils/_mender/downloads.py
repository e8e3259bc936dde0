# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloading artifacts: into a partial file beside the target, checked, then renamed. Private to the collection."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from .._core.errors import BadAnswer, FleetError, InvalidInput
from .._core.plan import Change, Plan
from .artifact_file import ArtifactFile, verify_artifact
from .artifacts import Artifacts
from .uploads import differences


@dataclass
class DownloadPlan(Plan):
    """What is to be downloaded, to where."""

    artifact: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""


class Downloads:
    """Brings artifacts from the server to files."""

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts

    def plan(self, artifact: Mapping[str, Any], dest: str) -> DownloadPlan:
        """Plan to have an artifact in a file.

        Args:
            artifact: as the API has it.
            dest: path of the file, or of a folder, in which the file is called after the artifact.

        Raises:
            InvalidInput: a file cannot be there.
        """
        path = os.path.join(dest, file_name(artifact)) if os.path.isdir(dest) or dest.endswith(os.sep) else dest
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise InvalidInput(f"dest is '{dest}', but there is no folder '{folder}': make it first.")
        if os.path.lexists(path) and not os.path.isfile(path):
            raise InvalidInput(f"dest is '{dest}', but '{path}' is not an ordinary file: give another path.")
        if os.path.isfile(path) and not mismatch(path, artifact):
            return DownloadPlan(artifact=artifact, path=path)
        before = {"path": path, "size": os.path.getsize(path)} if os.path.isfile(path) else {}
        after = {"path": path, "artifact": artifact.get("id"), "size": artifact.get("size")}
        change = Change(path, before, after)
        plan = DownloadPlan(artifact=artifact, path=path)
        (plan.update if before else plan.create).append(change)
        return plan

    def apply(self, plan: DownloadPlan) -> None:
        """Carry out a plan: the file is either whole and checked, or as it was.

        Raises:
            FleetError: it does not come, or what came is not the artifact. What has come is kept for the next try.
        """
        artifact = plan.artifact
        partial = os.path.join(
            os.path.dirname(plan.path) or ".", f".{os.path.basename(plan.path)}.{artifact['id']}.part"
        )
        with _opened(partial, plan.path) as file:
            resumed = file.seek(0, os.SEEK_END) > 0
            self._fetch(plan, file)
            fault = mismatch(partial, artifact)
            if fault and resumed:
                # what was there may have been something else
                file.truncate(0)
                self._fetch(plan, file)
                fault = mismatch(partial, artifact)
            try:
                if fault:
                    os.unlink(partial)
                    raise BadAnswer(
                        f"Cannot download artifact '{artifact['name']}': what came is not the artifact: {fault}.",
                        transient=False,
                    )
                os.fsync(file.fileno())
                os.replace(partial, plan.path)
            except OSError as error:
                raise _unwritable(plan.path, error) from None

    def _fetch(self, plan: DownloadPlan, file: BinaryIO) -> None:
        source = self.artifacts.file(plan.artifact)
        try:
            source.download(file, plan.artifact.get("size"), plan.path)
        finally:
            source.close()


def mismatch(path: str, artifact: Mapping[str, Any]) -> str:
    """Return in which way a file is not an artifact of the API, after reading it whole; empty when it is."""
    size = os.path.getsize(path)
    if artifact.get("size") is not None and size != artifact["size"]:
        return f"it has {size} bytes instead of {artifact['size']}"
    try:
        local: ArtifactFile = verify_artifact(path)
    except InvalidInput as error:
        return error.msg.rstrip(".")
    return "; ".join(differences(local, artifact))


def file_name(artifact: Mapping[str, Any]) -> str:
    """Return a file name for an artifact, whose own name may be anything."""
    name = re.sub(r"[^A-Za-z0-9._+-]", "_", str(artifact.get("name"))).lstrip(".")[:200]
    return f"{name or 'artifact'}.mender"


@contextlib.contextmanager
def _opened(partial: str, path: str) -> Iterator[BinaryIO]:
    """Open a partial file for this task alone; it must be one that a task like this has made."""
    try:
        # with the permissions that a new file of this user has
        number = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from None
    with open(number, "r+b") as file:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
            raise InvalidInput(f"dest: '{partial}' is in the way, which was made by somebody else: remove it.")
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InvalidInput(
                f"dest is '{path}', which another task is downloading at this moment: wait for it."
            ) from None
        yield file


def _unwritable(path: str, error: OSError) -> FleetError:
    return InvalidInput(f"dest is '{path}', which cannot be written ({error.strerror}): give another path.")
