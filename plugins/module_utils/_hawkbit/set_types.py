# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of hawkBit distribution sets: which software modules a set needs and takes. Private to the collection.

Facts from the Management API's documentation of C(/rest/v1/distributionsettypes) and releases 0.3.0M7, 0.9.0 and
1.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._core.errors import InvalidInput
from .._core.transport import reads
from .api import ROOT, Api

LIST = reads("list distribution set types", "GET", f"{ROOT}/distributionsettypes")
MANDATORY = reads("list mandatory module types", "GET", f"{ROOT}/distributionsettypes/{{id}}/mandatorymoduletypes")
OPTIONAL = reads("list optional module types", "GET", f"{ROOT}/distributionsettypes/{{id}}/optionalmoduletypes")
READ_DEFAULT = reads("read the default type", "GET", f"{ROOT}/system/configs/default.ds.type")


@dataclass(frozen=True)
class SetType:
    """One type: the keys of its mandatory module types, and how many modules of each type a set takes at most."""

    key: str
    mandatory: frozenset[str]
    most: Mapping[str, int]

    def check(self, modules: Iterable[Mapping[str, Any]]) -> None:
        """Refuse modules that do not fit: the server drops surplus ones without a word.

        Args:
            modules: name, version and type of each; a type of None is not known yet.

        Raises:
            InvalidInput: names the modules and what would be right.
        """
        names: dict[str, list[str]] = {}
        for module in modules:
            type_key = module.get("type")
            if type_key is None:
                continue
            if type_key not in self.most:
                fits = ", ".join(f"'{key}'" for key in sorted(self.most))
                raise InvalidInput(
                    f"modules has {name_of(module)} of type '{type_key}', but a distribution set of type '{self.key}' "
                    f"takes only modules of type {fits}."
                )
            names.setdefault(type_key, []).append(name_of(module))
        for type_key, those in names.items():
            if len(those) > self.most[type_key]:
                raise InvalidInput(
                    f"modules has {len(those)} modules of type '{type_key}' ({', '.join(those)}), but a set "
                    f"takes {self.most[type_key]} of that type: leave some out."
                )

    def missing(self, modules: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the keys of mandatory module types that no module has."""
        return sorted(self.mandatory - {module.get("type") for module in modules})

    def complete(self, modules: Iterable[Mapping[str, Any]]) -> bool | None:
        """Tell whether a set of these modules could be assigned, None when that cannot be known yet."""
        modules = list(modules)
        # a module without the artifacts that its type demands, from 0.10 on
        if any(module.get("complete") is False for module in modules):
            return False
        if not self.missing(modules):
            return True
        return None if any(module.get("type") is None for module in modules) else False


class SetTypes:
    """The types of a tenant's distribution sets."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._ids: dict[str, int] | None = None

    @property
    def ids(self) -> dict[str, int]:
        """The id of each type, by its key; read once."""
        if self._ids is None:
            self._ids = {item["key"]: item["id"] for item in self.api.pages(LIST)}
        return self._ids

    def find(self, key: str) -> SetType | None:
        """Return a type, None when there is none."""
        if key not in self.ids:
            return None
        values = {"id": self.ids[key]}
        mandatory = list(self.api.pages(MANDATORY, values=values))
        optional = list(self.api.pages(OPTIONAL, values=values))
        most = {item["key"]: item.get("maxAssignments", 1) for item in (*mandatory, *optional)}
        return SetType(key, frozenset(item["key"] for item in mandatory), most)

    def require(self, key: str) -> SetType:
        """Return a type.

        Raises:
            InvalidInput: there is none; the message lists what there is.
        """
        found = self.find(key)
        if found is None:
            choice = ", ".join(f"'{name}'" for name in sorted(self.ids))
            raise InvalidInput(f"type is '{key}', which the server does not know: give one of {choice}.")
        return found

    def default(self) -> str | None:
        """Return the key of the type that a new set gets when none is given, None when the server does not tell."""
        # 0.3.0M7 does not tell it to anybody
        answer = self.api.transport.send(READ_DEFAULT, accept=(400, 403, 404), shape=dict)
        if answer.status >= 400:
            return None
        return next((key for key, id in self.ids.items() if id == answer.data.get("value")), None)


def name_of(module: Mapping[str, Any]) -> str:
    """Return a module's name and version, for messages."""
    return f"'{module.get('name')}' version '{module.get('version')}'"
