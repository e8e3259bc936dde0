# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects known by name, version and type: software modules and distribution sets. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import InvalidInput
from .._core.transport import Operation
from . import rsql
from .api import Api

# How many alternatives a message names.
SHOWN = 10


def find(
    api: Api, operation: Operation, option: str, name: str, version: str, type_key: str | None
) -> dict[str, Any] | None:
    """Return the one object of this name, version and type, None when there is none.

    Name and version are unique up to 0.8; from 0.9 on objects of different types may share them.

    Args:
        api: where to look.
        operation: lists the objects.
        option: what the object is called in messages.
        name: exact name.
        version: exact version.
        type_key: key of its type; None when any will do.

    Raises:
        InvalidInput: there are several and no type tells them apart.
    """
    wanted = {"name": name, "version": version, **({"type": type_key} if type_key is not None else {})}
    found = list(api.exact(operation, wanted, api.exists_key(name, version)))
    if len(found) > 1:
        types = ", ".join(sorted(str(item.get("type")) for item in found))
        raise InvalidInput(f"{option} '{name}' version '{version}' exists with several types ({types}): give its type.")
    return found[0] if found else None


def require(
    api: Api, operation: Operation, option: str, name: str, version: str, type_key: str | None
) -> dict[str, Any]:
    """Return the one object of this name, version and type, as C(find) does.

    Raises:
        InvalidInput: there is none, and which there are of that name; or there are several.
    """
    found = find(api, operation, option, name, version, type_key)
    if found is not None:
        return found
    of_type = "" if type_key is None else f" of type '{type_key}'"
    others = list(api.exact(operation, {"name": name}, rsql.equals("name", name)))
    raise InvalidInput(f"{option} '{name}' version '{version}'{of_type} does not exist: {_what_there_is(name, others)}")


def _what_there_is(name: str, others: Iterable[Mapping[str, Any]]) -> str:
    """Return the second half of a sentence: what to choose from."""
    shown = [f"'{item.get('version')}' ({item.get('type')})" for item in others]
    if not shown:
        return f"there is none named '{name}'; create it first, or check the spelling (upper and lower case differ)."
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return f"there are the versions {', '.join(shown[-SHOWN:])}{more}."
