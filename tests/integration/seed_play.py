"""Plays modules through a proxy, and compares what went over the wire with what they returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.inprocess import run_module
from integration.seed import values

from servers.fault_proxy import Record


@dataclass
class Played:
    """What went over the wire, and what the modules were given and returned, each with the module's name."""

    wire: list[Record] = field(default_factory=list)
    results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    options: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def shown(self, path: str) -> list[tuple[str, Any]]:
        """Return what modules returned at `MODULE.KEY`, with the ids of the objects."""
        module, _dot, key = path.partition(".")
        return [pair for name, result in self.results if name == module for pair in identified(key, result)]

    def given(self, path: str) -> list[Any]:
        """Return what modules were given in `MODULE.OPTION`."""
        module, _dot, option = path.partition(".")
        return [value for name, options in self.options if name == module for value in values(option, options)]


class Play:
    """Runs modules in this process.

    Args:
        connection: the options that all of them get.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self.connection = connection
        self.results: list[tuple[str, dict[str, Any]]] = []
        self.options: list[tuple[str, Mapping[str, Any]]] = []

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module, which must succeed."""
        given = {**self.connection, **options}
        result = run_module(module, given)
        assert not result.get("failed"), f"{module}: {result.get('msg')}"
        self.results.append((module, result))
        self.options.append((module, given))
        return result

    def played(self, wire: list[Record]) -> Played:
        """Return what was played, with what went over the wire."""
        return Played(wire, self.results, self.options)


def identified(path: str, data: Any, id: str = "") -> list[tuple[str, Any]]:
    """Return the values at a path such as `content[].name`, each with the id of the innermost object that has one.

    Args:
        path: where; what is absent or null is left out.
        data: in what.
        id: of what is not in an object with an id.
    """
    found = [(id, data)]
    for part in path.replace("[]", ".[].").split("."):
        if part == "[]":
            found = [(name, item) for name, one in found if isinstance(one, list) for item in one]
        elif part:
            found = [
                (_id(one) or name, one[part])
                for name, one in found
                if isinstance(one, dict) and one.get(part) is not None
            ]
    return found


def _id(data: Mapping[str, Any]) -> str:
    found = data.get("controllerId") or data.get("controller_id") or data.get("id")
    return str(found) if isinstance(found, (str, int)) else ""


def alike(raw: list[tuple[str, Any]], shown: list[tuple[str, Any]]) -> bool:
    """Whether a value of the server is returned for the same object; objects and lists need only be there."""
    if any(isinstance(value, (dict, list)) for _id, value in [*raw, *shown]):
        return bool(raw) and bool(shown)
    if not all(id for id, _value in [*raw, *shown]):
        return bool({str(value) for _id, value in raw} & {str(value) for _id, value in shown})
    return bool({(id, str(value)) for id, value in raw} & {(id, str(value)) for id, value in shown})
