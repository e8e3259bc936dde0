"""A scripted hawkBit that knows a few targets, and the inventory that a plugin makes of a server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display

from servers.scripted import ScriptedServer, Wire

Answer = tuple[int, Any]


@dataclass
class FakeHawkbit:
    """Answers as the Management API does. `queries` has the ids that a query finds, `refuse` errors by path."""

    targets: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, list[str]] = field(default_factory=dict)
    installed: dict[str, dict[str, Any]] = field(default_factory=dict)
    assigned: dict[str, dict[str, Any]] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    queries: dict[str, list[str]] = field(default_factory=dict)
    refuse: dict[str, Answer] = field(default_factory=dict)
    server: ScriptedServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = ScriptedServer(default=self.step)

    @property
    def paths(self) -> list[str]:
        """What was asked for, without the query strings."""
        return [urlsplit(line.split(" ")[1]).path.removeprefix("/rest/v1") for line in self.server.lines]

    @property
    def asked(self) -> list[str | None]:
        """The RSQL of each request for targets."""
        split = [urlsplit(request.target) for request in self.server.requests]
        return [parse_qs(parts.query).get("q", [None])[0] for parts in split if parts.path == "/rest/v1/targets"]

    def step(self, wire: Wire) -> None:
        """Answer one request."""
        parts = urlsplit(wire.read_request().target)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status, data = self.answer(parts.path.removeprefix("/rest/v1"), parameters)
        body = b"" if data is None else json.dumps(data).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.send(head.encode() + body)

    def answer(self, path: str, parameters: dict[str, str]) -> Answer:
        """Return status and body."""
        for pattern, refusal in self.refuse.items():
            if re.fullmatch(pattern, path):
                return refusal
        if path == "/targets":
            ids = self.queries.get(parameters["q"]) if "q" in parameters else [t["controllerId"] for t in self.targets]
            return (400, error("rest.param.rsqlParamSyntax")) if ids is None else self.page(ids, parameters)
        if path == "/targettags":
            tags = [{"id": number, "name": name} for number, name in enumerate(self.tags, 1)]
            return 200, {"content": tags, "total": len(tags)}
        if match := re.fullmatch(r"/targettags/(\d+)/assigned", path):
            return self.page(list(self.tags.values())[int(match[1]) - 1], parameters)
        if match := re.fullmatch(r"/targets/(.+)/(installed|assigned)DS", path):
            found = getattr(self, match[2]).get(match[1])
            return (200, found) if found else (204, None)
        if match := re.fullmatch(r"/distributionsets/(\d+)/(installed|assigned)Targets", path):
            having = [cid for cid, ds in getattr(self, match[2]).items() if str(ds["id"]) == match[1]]
            return self.page(having, parameters)
        if match := re.fullmatch(r"/targets/(.+)/attributes", path):
            found = self.attributes.get(match[1])
            return (200, found) if found else (204, None)
        if match := re.fullmatch(r"/targets/(.+)/metadata", path):
            entries = [{"key": key, "value": value} for key, value in self.metadata.get(match[1], {}).items()]
            return 200, {"content": entries, "total": len(entries)}
        return 404, {"status": 404, "error": "Not Found"}

    def page(self, ids: list[str], parameters: dict[str, str]) -> Answer:
        """Return a page of these targets, in the order of the ids."""
        offset, limit = int(parameters.get("offset", 0)), min(500, int(parameters.get("limit", 50)))
        known = {item["controllerId"]: item for item in self.targets}
        content = [known[cid] for cid in ids[offset : offset + limit]]
        return 200, {"content": content, "total": len(ids), "size": len(content)}


def error(code: str, message: str | None = None) -> dict[str, str]:
    """Return an error body of hawkBit."""
    return {"errorCode": f"hawkbit.server.error.{code}", **({"message": message} if message else {})}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHawkbit]:
    """A scripted hawkBit that the environment points to."""
    hawkbit = FakeHawkbit()
    monkeypatch.setenv("HAWKBIT_URL", hawkbit.server.url)
    monkeypatch.setenv("HAWKBIT_USERNAME", "admin")
    monkeypatch.setenv("HAWKBIT_PASSWORD", "env-password-4711")
    with hawkbit.server:
        yield hawkbit


@dataclass
class Made:
    """An inventory, and what was said about it."""

    manager: InventoryManager
    warnings: list[str]

    def host(self, name: str) -> dict[str, Any]:
        """Return the variables of a host, without those that Ansible adds."""
        variables: dict[str, Any] = self.manager.get_host(name).vars
        return {name: value for name, value in variables.items() if not name.startswith("inventory_")}

    @property
    def names(self) -> list[str]:
        """Names of all hosts, in their order."""
        return [host.name for host in self.manager.get_hosts()]

    @property
    def groups(self) -> dict[str, list[str]]:
        """Names of the hosts by group, those of child groups included, without all and ungrouped."""
        found: dict[str, list[str]] = self.manager.get_groups_dict()
        return {name: hosts for name, hosts in found.items() if name not in ("all", "ungrouped")}


Make = Callable[..., Made]


@pytest.fixture
def platform() -> str:
    """The platform whose plugin is tested; files of tests for another one say so."""
    return "hawkbit"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str) -> Make:
    """Make an inventory of the given options; a call with the same ones reads the same file."""

    def make(**options: Any) -> Made:
        path = tmp_path / f"x.{platform}.yml"
        path.write_text(yaml.safe_dump({"plugin": f"fleet.deploy.{platform}", **options}))
        warnings: list[str] = []
        monkeypatch.setattr(Display, "warning", lambda _self, msg, *_args, **_kwargs: warnings.append(str(msg)))
        return Made(InventoryManager(loader=DataLoader(), sources=[str(path)]), warnings)

    return make


@pytest.fixture
def failure(make: Make, monkeypatch: pytest.MonkeyPatch, platform: str) -> Callable[..., str]:
    """Make an inventory that fails; return the sentence that Ansible is told."""
    from ansible.errors import AnsibleError
    from ansible.plugins.loader import inventory_loader

    def fail(**options: Any) -> str:
        plugin_class = type(inventory_loader.get(f"fleet.deploy.{platform}"))
        parse, said = plugin_class.parse, []

        def spy(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                parse(self, *args, **kwargs)
            except AnsibleError as error:
                said.append(error.message)
                raise

        monkeypatch.setattr(plugin_class, "parse", spy)
        make(**options)
        monkeypatch.setattr(plugin_class, "parse", parse)
        (sentence,) = said
        return sentence

    return fail
