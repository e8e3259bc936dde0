"""Artifacts and releases of the simulated Mender server."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from servers._mender_file import ArtifactFile, NotAnArtifact, read_artifact
from servers._mender_http import Refusal, new_id, not_found, stamp

CONFLICT = "an artifact with the same name and depends already exists"
OLD_CONFLICT = "An artifact with the same name has conflicting depends"
VERSION_1 = "reader: Mender-Artifact version 1 is no longer supported"
TAGS = 20
TAGS_OF_ALL = 100
NOTES = 1024
NAMES = 100
TAG = re.compile(r"[A-Za-z0-9._-]+")


def parse(path: Path, features: frozenset[str]) -> ArtifactFile:
    """Read an uploaded file; 400 with the server's words when it is refused."""
    try:
        found = read_artifact(path)
    except (NotAnArtifact, ValueError) as error:
        raise Refusal(400, f"reading artifact error: {error}") from None
    if found.version == 1 and "depends" in features:
        raise Refusal(400, f"reading artifact error: {VERSION_1}")
    return found


class Artifact:
    """An uploaded artifact. `path` is where its file lies."""

    def __init__(self, name: str, file: ArtifactFile, path: Path, description: str) -> None:
        self.id = name
        self.file = file
        self.path = path
        self.size = path.stat().st_size
        self.description = description
        self.modified = time.time()

    def body(self, features: frozenset[str]) -> dict[str, Any]:
        """The artifact as the version shows it."""
        about = self.file
        if "update_wrapper" not in features:
            # the shape of the example in the description of 2020
            loads = about.payloads
            return {
                "name": about.name,
                "description": self.description,
                "device_types_compatible": about.device_types,
                "id": self.id,
                "signed": about.signed,
                "modified": stamp(self.modified),
                "info": {"type_info": {"type": loads[0].type if loads else None}},
                "files": [file for load in loads for file in load.files],
                "metadata": {key: value for load in loads for key, value in load.meta_data.items()},
            }
        body: dict[str, Any] = {"id": self.id}
        if self.description:
            body["description"] = self.description
        body |= {
            "name": about.name,
            "device_types_compatible": about.device_types,
            "info": {"format": "mender", "version": about.version},
            "signed": about.signed,
            "updates": [
                {
                    "type_info": {"type": load.type},
                    "files": load.files,
                    "meta_data": [{"Key": key, "Value": value} for key, value in load.meta_data.items()],
                }
                for load in about.payloads
            ],
            "artifact_provides": about.all_provides,
            "artifact_depends": about.all_depends,
        }
        if about.clears:
            body["clears_artifact_provides"] = about.clears
        return body | {"size": self.size, "modified": stamp(self.modified)}


class _Release:
    def __init__(self) -> None:
        self.tags: list[str] = []
        self.notes = ""
        self.modified = time.time()


class Artifacts:
    """All artifacts of the server, and the releases that they make up."""

    def __init__(self, features: frozenset[str]) -> None:
        self.features = features
        self.all: dict[str, Artifact] = {}
        self._releases: dict[str, _Release] = {}

    def get(self, name: str) -> Artifact:
        """An artifact by its id; 404 without it."""
        if name not in self.all:
            raise not_found()
        return self.all[name]

    def named(self, name: str) -> list[Artifact]:
        """The artifacts of a release."""
        return [artifact for artifact in self.all.values() if artifact.file.name == name]

    def check_unique(self, file: ArtifactFile) -> None:
        """Refuse an artifact whose depends overlap with those of another one of the same name."""
        wanted = file.combinations()
        for other in self.named(file.name):
            common = wanted & other.file.combinations()
            if not common:
                continue
            found = dict(min(common, key=sorted))
            if "depends" not in self.features:
                raise Refusal(422, "Artifact not unique")
            if "direct_depends_text" not in self.features:
                shown = "".join(f', meta_artifact.depends_idx.{key}: "{value}"' for key, value in found.items())
                raise Refusal(409, f'{OLD_CONFLICT}: {{ meta_artifact.name: "{file.name}"{shown} }}')
            more: dict[str, Any] = {"metadata": {"conflict": found}} if "conflict_metadata" in self.features else {}
            raise Refusal(409, CONFLICT, **more)

    def insert(self, artifact: Artifact) -> None:
        """Add an artifact; 409 if it conflicts with another one."""
        self.check_unique(artifact.file)
        if artifact.id in self.all:
            raise Refusal(409, CONFLICT)
        self.all[artifact.id] = artifact
        self._releases.setdefault(artifact.file.name, _Release()).modified = time.time()

    def remove(self, artifact: Artifact) -> None:
        """Delete an artifact, and its release with the last one."""
        self.all.pop(artifact.id, None)
        artifact.path.unlink(missing_ok=True)
        if not self.named(artifact.file.name):
            self._releases.pop(artifact.file.name, None)

    # -- lists ---------------------------------------------------------------------------------------------

    def listed(self, name: str = "", description: str = "", device_type: str = "", sort: str = "") -> list[Artifact]:
        """The first version's list: each filter is a part of the text, in any case."""
        found = [
            artifact
            for artifact in self.all.values()
            if name.lower() in artifact.file.name.lower()
            and description.lower() in artifact.description.lower()
            and any(device_type.lower() in text.lower() for text in artifact.file.device_types)
        ]
        field, _colon, direction = sort.partition(":")
        found.sort(
            key=lambda artifact: (artifact.modified if field == "modified" else artifact.file.name, artifact.id),
            reverse=direction == "desc" and field in ("name", "modified"),
        )
        return found

    def listed_v2(self, names: Sequence[str], description: str, device_type: str) -> list[Artifact]:
        """The second version's list: exact values, or one beginning that ends with a star."""
        exact = [_unescaped(name) for name in names if not _is_prefix(name)]
        begins = [name[:-1].lower() for name in names if _is_prefix(name)]
        if len(exact) > NAMES or len(begins) > 1 or (exact and begins):
            raise Refusal(400, "invalid filter: name: too many names, or a prefix together with other names")
        found = [
            artifact
            for artifact in self.all.values()
            if (not exact or artifact.file.name in exact)
            and (not begins or artifact.file.name.lower().startswith(begins[0]))
            and _fits(description, [artifact.description])
            and _fits(device_type, artifact.file.device_types)
        ]
        return sorted(found, key=lambda artifact: artifact.file.name)

    # -- releases ------------------------------------------------------------------------------------------

    def _release(self, name: str) -> _Release:
        if name not in self._releases:
            raise Refusal(404, "release not found")
        return self._releases[name]

    def release_body(self, name: str, version: int) -> dict[str, Any]:
        """A release as version 1 or 2 of its interface shows it; 404 without it."""
        release = self._release(name)
        artifacts = [artifact.body(self.features) for artifact in self.named(name)]
        if "shouting_releases" not in self.features:
            return {"name": name, "artifacts": artifacts}
        if "release_notes" not in self.features:
            return {"Name": name, "Artifacts": artifacts}
        body: dict[str, Any] = {
            "name": name,
            "modified": stamp(release.modified),
            "artifacts": artifacts,
            "artifacts_count": len(artifacts),
        }
        if version == 1:
            body = {
                "Name": name,
                "Modified": body["modified"],
                "Artifacts": artifacts,
                "ArtifactsCount": len(artifacts),
            }
        return body | {"tags": list(release.tags), "notes": release.notes}

    def releases(
        self, name: str, tags: Sequence[str] = (), kind: str = "", sort: str = "", *, prefix: bool = False
    ) -> list[str]:
        """Names of the releases that fit; `prefix`: the name begins with it instead of having it as a part."""
        wanted = {tag.lower() for tag in tags}
        found = [
            release
            for release, about in self._releases.items()
            if (release.lower().startswith(name.lower()) if prefix else name.lower() in release.lower())
            and (not wanted or wanted & set(about.tags))
            and (not kind or kind in self._kinds(release))
        ]
        field, _colon, direction = sort.partition(":")
        keys: dict[str, Any] = {
            "modified": lambda release: self._releases[release].modified,
            "artifacts_count": lambda release: len(self.named(release)),
            "tags": lambda release: self._releases[release].tags,
        }
        return sorted(sorted(found), key=keys.get(field, str), reverse=direction == "desc")

    def _kinds(self, name: str) -> set[str]:
        return {load.type or "" for artifact in self.named(name) for load in artifact.file.payloads}

    def all_kinds(self) -> list[str]:
        """The update types of all releases."""
        return sorted({kind for name in self._releases for kind in self._kinds(name)})

    def all_tags(self) -> list[str]:
        """The tags of all releases."""
        return sorted({tag for release in self._releases.values() for tag in release.tags})

    def set_tags(self, name: str, tags: list[Any]) -> None:
        """Replace the tags of a release; 400, 404, 409 as the server does."""
        found = list(dict.fromkeys(tag.lower() if isinstance(tag, str) else "" for tag in tags))
        if len(found) > TAGS:
            raise Refusal(400, f"invalid request body: the total number of tags per exceeded maximum of {TAGS}")
        for tag in found:
            if not tag:
                raise Refusal(400, "invalid request body: tag cannot be empty")
            if not TAG.fullmatch(tag):
                wrong = next(letter for letter in tag if not TAG.fullmatch(letter))
                raise Refusal(400, f"invalid request body: invalid character '{wrong}' in string \"{tag}\"")
        release = self._release(name)
        if len(set(self.all_tags()) - set(release.tags) | set(found)) > TAGS_OF_ALL:
            raise Refusal(409, f"the total number of unique tags per tenant exceeded maximum of {TAGS_OF_ALL}")
        release.tags = found
        release.modified = time.time()

    def set_notes(self, name: str, body: Mapping[str, Any]) -> None:
        """Replace the notes of a release."""
        notes = body.get("notes", "")
        if not isinstance(notes, str) or len(notes) > NOTES:
            raise Refusal(400, "invalid request body: release notes too long")
        release = self._release(name)
        release.notes = notes
        release.modified = time.time()


def _is_prefix(text: str) -> bool:
    return text.endswith("*") and not text.endswith("\\*")


def _unescaped(text: str) -> str:
    return f"{text[:-2]}*" if text.endswith("\\*") else text


def _fits(wanted: str, values: Sequence[str]) -> bool:
    if not wanted:
        return True
    if _is_prefix(wanted):
        return any(value.lower().startswith(wanted[:-1].lower()) for value in values)
    return _unescaped(wanted) in values


def upload_id(text: str) -> str:
    """The id of a new artifact: the one that the request gives, else a random one."""
    return text or new_id()
