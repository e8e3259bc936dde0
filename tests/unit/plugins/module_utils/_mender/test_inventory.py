"""Listing all devices: on servers that do not do what they are asked for, and while devices come and go."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import BadAnswer, Unsupported
from ansible_collections.fleet.deploy.plugins.module_utils._mender import fleet
from ansible_collections.fleet.deploy.plugins.module_utils._mender.inventory import (
    PARALLEL,
    SCOPES,
    Inventory,
    key_of,
    written,
)
from servers.scripted import ScriptedServer, Wire, answer_bytes

from .conftest import Client

SEARCH = "/api/management/v2/inventory/filters/search"


def some_ids(count: int) -> list[str]:
    """Return ids that are spread as random ones are, sorted."""
    return sorted(f"{number * 7919 % 0xFFFF:04x}0000-0000-4000-8000-{number:012x}" for number in range(count))


class Searching:
    """A search whose server can be told what not to do. `before` is called before each page."""

    def __init__(self, count: int) -> None:
        self.ids = some_ids(count)
        self.sorts = self.filters = self.tells_total = self.excludes = self.ends = True
        self.most: int | None = None
        self.before: Callable[[int], None] = lambda number: None
        self.asked: list[dict[str, Any]] = []
        self.server = ScriptedServer(default=self._step)

    def _step(self, wire: Wire) -> None:
        request = wire.read_request()
        if not request.target.startswith(SEARCH):
            wire.send(answer_bytes(404, json={"error": "Resource not found"}))
            return
        body = json.loads(request.body)
        self.asked.append(body)
        self.before(len(self.asked))
        found = list(self.ids) if self.sorts else self.ids[1::2] + self.ids[::2]
        for term in body["filters"]:
            if term["attribute"] == "id":
                found = [id for id in found if self.filters and self._holds(id, term)]
        size = min(body["per_page"], self.most or body["per_page"])
        page = found[(body["page"] - 1) * size : body["page"] * size]
        headers = {"X-Total-Count": str(len(found))} if self.tells_total else {}
        wire.send(answer_bytes(200, json=[{"id": id, "attributes": []} for id in page], headers=headers))

    def _holds(self, id: str, term: dict[str, Any]) -> bool:
        value = str(term["value"])
        above = id > value if self.excludes else id >= value
        return {"$gt": above, "$gte": id >= value, "$lt": not self.ends or id < value}[str(term["type"])]


def listed(searching: Searching, client: Client) -> list[str]:
    """Return the ids that an inventory finds."""
    with searching.server:
        return [record["id"] for record in Inventory(client(searching.server.url).api).devices()]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 1001, 3777])
def test_all_devices_come_once_in_order(count: int, client: Client) -> None:
    searching = Searching(count)
    assert listed(searching, client) == searching.ids
    # the first page, and what may be left over in each of the ranges
    assert len(searching.asked) <= max(1, -(-count // 500) + PARALLEL)
    assert {body["page"] for body in searching.asked} == {1}


@pytest.mark.parametrize("defect", ["sorts", "filters", "tells_total", "ends"])
def test_server_that_does_not_sort_or_select_by_id(defect: str, client: Client) -> None:
    searching = Searching(1777)
    setattr(searching, defect, False)
    assert listed(searching, client) == searching.ids
    assert searching.asked[-1]["page"] >= 4


def test_ids_at_the_ends_of_ranges(client: Client) -> None:
    searching = Searching(2600)
    searching.ids = sorted([*searching.ids, "4000", "8000", "c000"])
    assert listed(searching, client) == searching.ids
    assert {body["page"] for body in searching.asked} == {1}


def test_ids_that_are_all_beyond_the_ranges(client: Client) -> None:
    searching = Searching(1203)
    searching.ids = [f"ffff{id}" for id in searching.ids]
    assert listed(searching, client) == searching.ids
    assert len(searching.asked) == 3


def test_server_that_never_gets_beyond_an_id(client: Client) -> None:
    searching = Searching(7)
    searching.most, searching.excludes = 1, False
    assert listed(searching, client) == searching.ids
    assert searching.asked[-1]["page"] == 7


def test_devices_that_go_meanwhile_are_no_defect_of_the_server(client: Client) -> None:
    searching = Searching(1777)
    ids = searching.ids
    searching.before = lambda number: setattr(searching, "ids", ids if number == 1 else ids[:600])
    assert listed(searching, client) == ids[:600]
    assert {body["page"] for body in searching.asked} == {1}


def test_server_with_smaller_pages_than_asked_for(client: Client) -> None:
    searching = Searching(333)
    searching.most = 20
    assert listed(searching, client) == searching.ids
    assert len(searching.asked) == -(-333 // 20)


def test_devices_that_come_and_go_cost_no_other_one(client: Client) -> None:
    searching = Searching(2600)
    stay = set(searching.ids[::2])

    def change(number: int) -> None:
        if number > 1:
            # those before the page that is asked for too, which shifts all pages that are counted
            searching.ids = sorted([id for n, id in enumerate(searching.ids) if id in stay or n % 5 != number % 5])
            searching.ids = sorted([*searching.ids, f"0000{number:04x}-new"])

    searching.before = change
    found = listed(searching, client)
    assert found == sorted(set(found))
    assert stay <= set(found)
    assert {body["page"] for body in searching.asked} == {1}


def always(status: int, **answer: Any) -> ScriptedServer:
    """Return a server that answers everything in the same way."""

    def step(wire: Wire) -> None:
        wire.read_request()
        wire.send(answer_bytes(status, **answer))

    return ScriptedServer(default=step)


def test_pages_that_never_hold_all(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "WALKS", 2)
    few = [{"id": id, "attributes": []} for id in some_ids(3)]
    with always(200, json=few, headers={"X-Total-Count": "70"}) as server:
        with pytest.raises(BadAnswer, match="Mender counts 70, but its pages hold 3 of them"):
            Inventory(client(server.url).api).devices()
        # two walks of as many pages of this size as there should be, and what went before
        assert len(server.requests) <= 2 * 24 + 2


@pytest.mark.parametrize(
    "status, answer, kind", [(200, {"body": b"<html>"}, BadAnswer), (404, {"json": {}}, Unsupported)]
)
def test_something_else_than_mender(status: int, answer: dict[str, Any], kind: type[Exception], client: Client) -> None:
    with always(status, **answer) as server, pytest.raises(kind, match="does not behave like Mender"):
        Inventory(client(server.url).api).devices()


@pytest.mark.parametrize(
    "text, key, back",
    [
        ("kernel", ("inventory", "kernel"), "kernel"),
        ("rootfs-image.version", ("inventory", "rootfs-image.version"), "rootfs-image.version"),
        ("identity/mac", ("identity", "mac"), "identity/mac"),
        ("inventory/kernel", ("inventory", "kernel"), "kernel"),
        ("inventory/identity/mac", ("inventory", "identity/mac"), "inventory/identity/mac"),
        ("inventory/inventory/x", ("inventory", "inventory/x"), "inventory/inventory/x"),
        ("sda/size", ("inventory", "sda/size"), "sda/size"),
        ("tags/", ("inventory", "tags/"), "tags/"),
        ("tags/a/b", ("tags", "a/b"), "tags/a/b"),
    ],
)
def test_keys_of_attributes(text: str, key: tuple[str, str], back: str) -> None:
    assert key_of(text) == key
    assert written(*key) == back


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", ["a", "a/b", "tags/a", "inventory/a", "identity/", "/", "inventory/tags/x"])
def test_what_is_written_is_read_as_the_same(scope: str, name: str) -> None:
    assert key_of(written(scope, name)) == (scope, name)
