# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects known by name, version and type: software modules and distribution sets. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .._core.errors import Conflict, InvalidInput
from .._core.transport import Operation, reads
from . import rsql
from .api import ROOT, Api

LIST_MODULES = reads("list software modules", "GET", f"{ROOT}/softwaremodules")
LIST_SETS = reads("list distribution sets", "GET", f"{ROOT}/distributionsets")

# How many alternatives a message names.
SHOWN = 10
# The same in 0.3.0M7 to 1.0.4.
LENGTHS = {"name": 128, "version": 64, "type": 64, "key": 64, "description": 512, "vendor": 256}
KEYS = ("name", "version", "type")
# What all releases refuse; 0.3.0M7 refuses a little more.
MARKUP = re.compile(r"<[A-Za-z][^>]*>|<!--|<!doctype|<\?", re.IGNORECASE)


def find(
    api: Api, operation: Operation, option: str, name: str, version: str, type_key: str | None
) -> dict[str, Any] | None:
    """Return the one object of this name, version and type, None when there is none.

    Software modules of different types may share name and version, distribution sets from 0.9 on.

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
    found = find_all(api, operation, name, version, type_key)
    if len(found) > 1:
        types = ", ".join(sorted(f"'{item.get('type')}'" for item in found))
        raise InvalidInput(
            f"{option.capitalize()} '{name}' version '{version}' is there several times, with the types {types}: "
            "give its type too."
        )
    return found[0] if found else None


def find_all(
    api: Api, operation: Operation, name: str, version: str, type_key: str | None = None
) -> list[dict[str, Any]]:
    """Return the objects of this name and version, of one type or of any."""
    wanted = {"name": name, "version": version, **({"type": type_key} if type_key is not None else {})}
    # 0.3.0M7 lists software modules that were removed after use
    return [item for item in api.exact(operation, wanted, api.exists_key(name, version)) if not item.get("deleted")]


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
    others = api.exact(operation, {"name": name}, rsql.equals("name", name))
    rest = _what_there_is(name, (item for item in others if not item.get("deleted")))
    raise InvalidInput(f"{option.capitalize()} '{name}' version '{version}'{of_type} does not exist: {rest}")


def _what_there_is(name: str, others: Iterable[Mapping[str, Any]]) -> str:
    """Return the second half of a sentence: what to choose from, the newest last."""
    shown = [f"'{item.get('version')}' (type '{item.get('type')}')" for item in others]
    if not shown:
        return f"there is none named '{name}'; create it first, or check the spelling (upper and lower case differ)."
    if len(shown) > SHOWN:
        return f"of the {len(shown)} versions that there are, the last ones are {', '.join(shown[-SHOWN:])}."
    return f"there is version {', '.join(shown)}."


def check_texts(values: Mapping[str, Any], of: str = "") -> None:
    """Refuse what the server would refuse or change, before anything is written.

    Args:
        values: some of name, version, type, key, description, vendor; None means not given.
        of: the object in messages, where the options are not those of the task itself.

    Raises:
        InvalidInput: names the option, the value and what would be right.
    """
    for name, most in LENGTHS.items():
        value = values.get(name)
        if value is None:
            continue
        label = f"{name} of {of}" if of else name
        if name in (*KEYS, "key"):
            if not value.strip():
                raise InvalidInput(f"{label} is empty: give at least one character.")
            if value != value.strip():
                raise InvalidInput(
                    f"{label} is '{value}': hawkBit cuts blanks at the ends off, so give it without them."
                )
        if len(value.strip()) > most:
            raise InvalidInput(f"{label} is {len(value.strip())} characters long: {most} is the most.")
        check_markup(label, value)


def check_markup(label: str, value: str) -> None:
    """Refuse text that the server takes for HTML.

    Raises:
        InvalidInput: names the option, the value and what would be right.
    """
    if MARKUP.search(value):
        raise InvalidInput(f"{label} is '{value}', which looks like HTML: hawkBit refuses that, so leave out the <>.")


def text_changes(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts to write: those given that the object has otherwise.

    The server cuts blanks off the ends (a block in YAML ends in a line end) and leaves empty fields out.
    """
    given = {name: value.strip() for name, value in wanted.items() if value is not None}
    return {name: value for name, value in given.items() if (found.get(name) or "") != value}


def named(operation: Operation, name: str, version: str) -> Operation:
    """Return the operation with the object's name in its title, for messages."""
    return replace(operation, title=f"{operation.title} '{name}' version '{version}'")


def taken(error: Conflict, option: str, name: str, version: str, present: bool) -> Conflict:
    """Return the error of a create that the server refused because the object is there already.

    Args:
        error: what the server said.
        option: what the object is called in messages.
        name: its name.
        version: its version.
        present: whether it can be found now.
    """
    if present:
        why = "somebody else created it at the same time: run the task again."
    else:
        why = (
            "this name and version are used up, because such an object was removed after it had been in use, and "
            "hawkBit keeps those hidden; give a new version."
        )
    return Conflict(
        f"Cannot create {option} '{name}' version '{version}': {why}",
        message=error.message,
        details=error.details,
        http=error.http,
        request_id=error.request_id,
    )
