"""The operations that a platform's documentation lists, and which of them a recorded request is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from servers.fault_proxy import Record

SEEDS = Path(__file__).resolve().parent / "seeds"
# the kinds of lines of an operation, in the order in which they are listed
KINDS = ("header", "address", "query", "form", "request", "answer_header", "response")
# what may stand in place of an option or a key of a result
WORDS = ("paging", "in the address", "not followed", "deprecated")


@dataclass(frozen=True)
class SeedOperation:
    """One operation of the documentation.

    Those of `KINDS` give for each parameter or field what of the collection stands for it: `address` are the variable
    parts of the path, `form` the parts of a form, `answer_header` the headers of the answer. A name that ends in
    `=VALUE` is one of the values that the documentation lists. `success` is the status when all is well, `statuses` are
    those of errors. `newer` has "METHOD PATH" of operations that later servers have in its place. `body` tells two
    operations apart that have one address: whether a list or one object is sent.
    """

    operation: str
    method: str
    path: str
    statuses: list[int]
    permissions: list[str] = field(default_factory=list)
    success: int | None = None
    newer: list[str] = field(default_factory=list)
    header: dict[str, str] = field(default_factory=dict)
    address: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    request: dict[str, str] = field(default_factory=dict)
    answer_header: dict[str, str] = field(default_factory=dict)
    response: dict[str, str] = field(default_factory=dict)
    body: str | None = None

    @property
    def pattern(self) -> str:
        """A regular expression for the path."""
        return pattern_of(self.path)

    def is_it(self, record: Record) -> bool:
        """Whether a request is this operation."""
        if record.method != self.method or not re.match(self.pattern, record.path):
            return False
        return self.body is None or (self.body == "list") is record.request_body.startswith("[")

    def is_newer(self, record: Record) -> bool:
        """Whether a request is what later servers have in its place."""
        ways = (way.split(" ") for way in self.newer)
        return any(record.method == method and re.match(pattern_of(path), record.path) for method, path in ways)


def pattern_of(path: str) -> str:
    """A regular expression for a path with variable parts, which have their names there."""
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$"


def read_seed(name: str) -> list[SeedOperation]:
    """Return the operations of seeds/NAME.yml."""
    return [SeedOperation(**entry) for entry in yaml.safe_load((SEEDS / f"{name}.yml").read_text())]


def body_of(text: str) -> Any:
    """Return a recorded body as JSON; None when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Row:
    """One line of the documentation: a parameter or field of an operation, and what stands for it."""

    operation: SeedOperation
    kind: str
    name: str
    stands: str

    @property
    def id(self) -> str:
        """Name of the row's test."""
        return f"{self.operation.operation}-{self.kind}-{self.name}"


def rows(operations: list[SeedOperation]) -> list[Row]:
    """Return all lines of all operations."""
    return [
        Row(operation, kind, name, stands)
        for operation in operations
        for kind in KINDS
        for name, stands in getattr(operation, kind).items()
    ]


def values(path: str, data: Any) -> list[Any]:
    """Return what is found at a path such as `content[].pollStatus.overdue`; what is absent or null is left out."""
    found = [data]
    for part in path.replace("[]", ".[].").split("."):
        if part == "[]":
            found = [item for one in found if isinstance(one, list) for item in one]
        elif part:
            found = [one[part] for one in found if isinstance(one, dict) and one.get(part) is not None]
    return found
