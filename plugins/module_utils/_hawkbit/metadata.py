# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata of hawkBit targets and distribution sets: reading, planning, writing. Private to the collection.

Facts from releases 0.3.0M7, 0.3.0, 0.9.0 and 1.0.4. Up to 0.8 the list is paged; later it comes whole, and queries and
sorting are ignored. A key that is there already is refused (409), only distribution sets of 0.10 and newer take it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import Conflict, InvalidInput
from .._core.transport import NOT_DONE, reads, writes
from .api import ROOT, Api, askable

MAX_KEY = 128
MAX_VALUE = 4000
# for messages: not even encoded do they get through in an address
MARKS = "/ \\ ; %"


@dataclass
class MetadataPlan:
    """What is to be written to the metadata of one object."""

    create: dict[str, str] = field(default_factory=dict)
    update: dict[str, str] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    """Entries that change or go, as they are."""

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.create or self.update or self.delete)

    @property
    def after(self) -> dict[str, str]:
        """Entries that come or change, as they will be."""
        return {**self.create, **self.update}

    def outcome(self, found: Mapping[str, str]) -> dict[str, str]:
        """Return all metadata as it would be."""
        return {key: value for key, value in {**found, **self.after}.items() if key not in self.delete}


class Metadata:
    """The metadata of one kind of object. Holds no state, so threads may share it.

    Args:
        api: where they are.
        noun: what such an object is called in messages, such as C(target).
        collection: last part of the path of such objects, such as C(targets).
    """

    def __init__(self, api: Api, noun: str, collection: str) -> None:
        path = f"{ROOT}/{collection}/{{id}}/metadata"
        self.api = api
        self.list_operation = reads(f"list metadata of {noun}", "GET", path)
        self.read_operation = reads(f"read metadata of {noun}", "GET", f"{path}/{{key}}")
        self.create_operation = writes(f"create metadata of {noun}", "POST", path)
        self.update_operation = writes(f"update metadata of {noun}", "PUT", f"{path}/{{key}}")
        self.delete_operation = writes(f"delete metadata of {noun}", "DELETE", f"{path}/{{key}}")

    def read(self, id: str | int, query: str | None = None, sort: str | None = None) -> dict[str, str]:
        """Return the metadata of one object, by key.

        Args:
            id: of the object.
            query: RSQL, which releases up to 0.8 answer, and newer ones ignore.
            sort: order, the same.

        Raises:
            NotFound: there is no such object.
        """
        listed = self.api.pages(self.list_operation, values={"id": id}, query=query, sort=sort)
        return {str(item["key"]): str(item.get("value") or "") for item in listed}

    def get(self, id: str | int, key: str) -> str | None:
        """Return one value, None when the object or the key is not there."""
        answer = self.api.transport.send(self.read_operation, values={"id": id, "key": key}, accept=(404,), shape=dict)
        return None if answer.status == 404 else str(answer.data.get("value") or "")

    def apply(self, id: str | int, plan: MetadataPlan) -> None:
        """Write the metadata of one object."""
        for key in plan.delete:
            self._delete(id, key)
        for key, value in plan.update.items():
            if not self._update(id, key, value):
                # somebody else has removed it since it was read
                self._create(id, {key: value})
        if plan.create:
            try:
                self._create(id, plan.create)
            except Conflict:
                self._create_rest(id, plan.create)

    def _create_rest(self, id: str | int, wanted: Mapping[str, str]) -> None:
        """Write entries of which somebody else has created some since they were read; the server took none."""
        found = self.read(id)
        rest = {key: value for key, value in wanted.items() if key not in found}
        for key in set(wanted) - set(rest):
            if not same(found[key], wanted[key]):
                self._update(id, key, wanted[key])
        if rest:
            self._create(id, rest)

    def _create(self, id: str | int, wanted: Mapping[str, str]) -> None:
        def read_back() -> Any:
            found = self.read(id)
            return [] if all(same(found.get(key), value) for key, value in wanted.items()) else NOT_DONE

        sent = [{"key": key, "value": value} for key, value in wanted.items()]
        self.api.transport.send(self.create_operation, values={"id": id}, json=sent, read_back=read_back)

    def _update(self, id: str | int, key: str, value: str) -> bool:
        """Change a value; return whether the key was there."""

        def read_back() -> Any:
            return {} if same(self.get(id, key), value) else NOT_DONE

        answer = self.api.transport.send(
            self.update_operation,
            values={"id": id, "key": key},
            json={"key": key, "value": value},
            accept=(404,),
            read_back=read_back,
        )
        return answer.status != 404

    def _delete(self, id: str | int, key: str) -> None:
        def read_back() -> Any:
            return {} if self.get(id, key) is None else NOT_DONE

        values = {"id": id, "key": key}
        self.api.transport.send(self.delete_operation, values=values, accept=(404,), read_back=read_back)


def target_metadata(api: Api) -> Metadata:
    """Return the metadata of targets."""
    return Metadata(api, "target", "targets")


def check(metadata: Mapping[str, Any] | None, absent: Iterable[str] | None, of: str = "") -> dict[str, str] | None:
    """Refuse what the server would refuse, before anything is written; return the values as text.

    Args:
        metadata: the option C(metadata), None when it is not given.
        absent: the option C(metadata_absent).
        of: the object in messages, where the options are not those of the task itself.

    Raises:
        InvalidInput: names the option, the value and what would be right.
    """
    label = f"metadata of {of}" if of else "metadata"
    if metadata is None:
        return None
    both = sorted(set(metadata) & set(absent or ()))
    if both:
        raise InvalidInput(f"{label} and metadata_absent both have '{both[0]}': give it in one of them.")
    return {key: _checked(label, key, value) for key, value in metadata.items()}


def _checked(label: str, key: Any, value: Any) -> str:
    if not isinstance(key, str) or not key or key != key.strip() or any(mark in key for mark in MARKS.split()):
        raise InvalidInput(f"{label} has the key '{key}': give text without blanks at the ends and without {MARKS}.")
    if not askable(key):
        raise InvalidInput(f"{label} has the key {key!r}, which cannot stand in an address: give another one.")
    if len(key) > MAX_KEY:
        raise InvalidInput(f"{label} has a key of {len(key)} characters: {MAX_KEY} is the most.")
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise InvalidInput(f"{label}: '{key}' is no text: give text, or list the key in metadata_absent.")
    text = str(value)
    if len(text) > MAX_VALUE:
        raise InvalidInput(f"{label}: '{key}' is {len(text)} characters long: {MAX_VALUE} is the most.")
    return text


def plan(
    found: Mapping[str, str], wanted: Mapping[str, str] | None, absent: Iterable[str] | None, purge: bool
) -> MetadataPlan:
    """Plan the metadata of one object.

    Args:
        found: what there is, as C(Metadata.read) returns it.
        wanted: what is to be there, as C(check) returns it.
        absent: keys that are not to be there.
        purge: whether all other keys than those of C(wanted) are to go; does not count without it.

    Raises:
        InvalidInput: a key cannot be removed.
    """
    purge = purge and wanted is not None
    wanted = wanted or {}
    result = MetadataPlan(
        create={key: value for key, value in wanted.items() if key not in found},
        update={key: value for key, value in wanted.items() if key in found and not same(found[key], value)},
    )
    gone = set(found) - set(wanted) if purge else set(found) & set(absent or ())
    result.delete = sorted(gone)
    for key in result.delete:
        if not askable(key):
            raise InvalidInput(
                f"metadata has the key '{key}', which hawkBit cannot be asked to remove: keys with {MARKS} in them "
                "cannot stand in an address."
            )
    result.before = {key: found[key] for key in (*result.update, *result.delete)}
    return result


def same(found: str | None, wanted: str) -> bool:
    """Tell whether a value is there; releases up to 0.8 cut the blanks off its ends."""
    return found is not None and found in (wanted, wanted.strip())
