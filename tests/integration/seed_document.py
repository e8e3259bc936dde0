"""Reads the document of Mender's deployments API (Markdown, version 1 of 2020): what each operation has.

The document is no part of the collection; it lies beside its checkout where it is developed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[3] / "shared" / "seeds" / "mender-deployments-v1.md"
BASE = "/api/management/v1/deployments"
KINDS = {"Header": "header", "Path": "address", "Query": "query", "FormData": "form"}


@dataclass
class Documented:
    """One operation of the document: the status of success, those of errors, and (kind, name) of each line."""

    success: int = 0
    errors: list[int] = field(default_factory=list)
    rows: set[tuple[str, str]] = field(default_factory=set)


class Document:
    """The document, taken apart."""

    def __init__(self, text: str) -> None:
        paths, _sign, definitions = text.partition('<a name="definitions"></a>')
        self._definitions = {
            name.lower(): block for name, block in re.findall(r"(?ms)^### (\w+)$(.*?)(?=^### |\Z)", definitions)
        }
        self.operations: dict[tuple[str, str], Documented] = {}
        for block in re.split(r"(?m)^___$", paths):
            call = re.search(r"^```\n([A-Z]+) (/\S+)\n```", block, re.MULTILINE)
            if call is not None:
                self.operations[call[1], BASE + call[2]] = self._operation(block)

    def _operation(self, block: str) -> Documented:
        found = Documented()
        parts = dict(re.findall(r"(?ms)^#### (\w+)[^\n]*$(.*?)(?=^#### |\Z)", block))
        for kind, name, schema in _parameters(parts.get("Parameters", "")):
            if kind == "Body":
                # the body's own fields, which stand in the document's definitions or below the table
                own = dict(re.findall(r"(?ms)^\*\*(\w+)\*\*$(.*)", parts["Parameters"]))
                fields = self._fields(own[name]) if name in own else self._expand(schema)
                found.rows |= {("request", one) for one in fields}
            else:
                found.rows |= {(KINDS[kind], one) for one in _values_of(name, schema)}
        for status, text, schema in re.findall(r"(?m)^\|\*\*(\d+)\*\*\|(.*)\|([^|]*)\|$", parts["Responses"]):
            if int(status) >= 400:
                found.errors.append(int(status))
                continue
            found.success = int(status)
            found.rows |= {("answer_header", one) for one in re.findall(r"`(\w+)` \(", text)}
            found.rows |= {("response", one) for one in self._expand(schema)}
        example = re.search(r"(?ms)^##### Response 200\n```json\n(.*?)^```", block)
        if example is not None:
            written = {name for kind, name in found.rows if kind == "response"}
            bare = {name.partition("=")[0] for name in written}
            found.rows |= {("response", name) for name in _leaves(json.loads(example[1])) if name not in bare}
        return found

    def _expand(self, schema: str, name: str = "") -> Iterator[str]:
        """Yield the names of all values that a schema has, below a name."""
        if re.match(r"<.*> array", schema):
            name += "[]"
        link = re.search(r"\(#([\w-]+)\)", schema)
        if link is None:
            if schema != "No Content":
                yield from _values_of(name, schema)
            return
        for part in self._fields(self._definitions[link[1]]):
            yield f"{name}.{part}" if name else part

    def _fields(self, block: str) -> Iterator[str]:
        for line in re.findall(r"(?m)^\|\*\*.*$", block):
            cells = line.strip("|").split("|")
            name = re.match(r"\*\*([\w-]+)\*\*", cells[0])
            assert name is not None, line
            yield from self._expand(cells[-1], name[1])


def _parameters(text: str) -> Iterator[tuple[str, str, str]]:
    for line in re.findall(r"(?m)^\|\*\*.*$", text):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        kind, name = (re.match(r"\*\*([\w-]+)\*\*", cell) for cell in cells[:2])
        if kind is not None and name is not None:
            yield kind[1], name[1], cells[3]


def _values_of(name: str, schema: str) -> list[str]:
    """The name, once for each value where the document lists them."""
    listed = re.match(r"enum \((.*)\)", schema)
    return [f"{name}={value}" for value in listed[1].split(", ")] if listed else [name]


def _leaves(data: Any, name: str = "") -> Iterator[str]:
    if isinstance(data, list):
        for item in data:
            yield from _leaves(item, f"{name}[]")
    elif isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, f"{name}.{key}" if name else key)
    else:
        yield name


def read_document() -> Document | None:
    """Return the document, None where it is not."""
    return Document(FILE.read_text(encoding="utf-8")) if FILE.is_file() else None
