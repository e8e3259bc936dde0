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


@dataclass(frozen=True)
class SeedOperation:
    """One operation of the documentation.

    `query`, `request` and `response` give for each parameter or field what of the collection stands for it.
    `body` tells two operations apart that have one address: whether a list or one object is sent.
    """

    operation: str
    method: str
    path: str
    permissions: list[str]
    statuses: list[int]
    query: dict[str, str] = field(default_factory=dict)
    request: dict[str, str] = field(default_factory=dict)
    response: dict[str, str] = field(default_factory=dict)
    body: str | None = None

    @property
    def pattern(self) -> str:
        """A regular expression for the path."""
        return re.sub(r"\{\w+\}", "[^/]+", self.path) + "$"

    def is_it(self, record: Record) -> bool:
        """Whether a request is this operation."""
        if record.method != self.method or not re.match(self.pattern, record.path):
            return False
        return self.body is None or (self.body == "list") is record.request_body.startswith("[")


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
        for kind in ("query", "request", "response")
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
