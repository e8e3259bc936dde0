"""Metadata: what is planned, what a broken connection leaves, who comes in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit import metadata
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.metadata import Metadata, MetadataPlan
from servers.scripted import Arrived, ScriptedServer, Wire

from .conftest import Client

TAKEN = {"errorCode": "hawkbit.server.error.repo.entityAlreadyExists", "message": "It already exists"}
UNKNOWN = {"errorCode": "hawkbit.server.error.repo.entityNotFound", "message": "It does not exist"}


class Entries:
    """Keeps the metadata of one target; `lose` says whether the answer to the next write gets lost after it is done."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.lose = False
        self.in_between: dict[str, str] = {}
        self.server = ScriptedServer(default=self._step)

    @property
    def writes(self) -> list[str]:
        """Method and last part of the path of all writes."""
        return [f"{one.method} {_last(one)}" for one in self.server.requests if one.method != "GET"]

    def _step(self, wire: Wire) -> None:
        request = wire.read_request()
        if request.method == "POST":
            # somebody else is quicker
            self.entries.update(self.in_between)
            self.in_between = {}
        status, data = self._answer(request)
        if request.method != "GET" and self.lose:
            self.lose = False
            wire.reset()
            return
        body = b"" if data is None else json.dumps(data).encode()
        wire.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _answer(self, request: Arrived) -> tuple[int, Any]:
        key = _last(request)
        if request.method == "GET" and key == "metadata":
            content = [{"key": name, "value": value} for name, value in self.entries.items()]
            return 200, {"content": content, "total": len(content)}
        if request.method == "POST":
            if any(item["key"] in self.entries for item in request.json):
                return 409, TAKEN
            self.entries.update({item["key"]: item["value"] for item in request.json})
            return 201, None
        if key not in self.entries:
            return 404, UNKNOWN
        if request.method == "PUT":
            self.entries[key] = request.json["value"]
        if request.method == "DELETE":
            del self.entries[key]
        return 200, {"key": key, "value": self.entries.get(key)}


def _last(request: Arrived) -> str:
    return unquote(urlsplit(request.target).path.rpartition("/")[2])


@pytest.fixture
def entries() -> Iterator[Entries]:
    """A target with a=1 and b=2."""
    found = Entries()
    found.entries = {"a": "1", "b": "2"}
    with found.server:
        yield found


@pytest.fixture
def of_target(entries: Entries, client: Client) -> Metadata:
    """Its metadata."""
    return Metadata(client(entries.server.url).api, "target", "targets")


@pytest.mark.parametrize(
    "wanted, absent, purge, create, update, delete",
    [
        (None, None, True, {}, {}, []),
        ({}, None, True, {}, {}, ["a", "b"]),
        ({"a": "1"}, None, False, {}, {}, []),
        ({"a": "1"}, None, True, {}, {}, ["b"]),
        ({"a": "3", "c": "4"}, ["b", "x"], False, {"c": "4"}, {"a": "3"}, ["b"]),
        (None, ["a"], False, {}, {}, ["a"]),
    ],
)
def test_plan(
    wanted: dict[str, str] | None,
    absent: list[str] | None,
    purge: bool,
    create: dict[str, str],
    update: dict[str, str],
    delete: list[str],
) -> None:
    found = {"a": "1", "b": "2"}
    plan = metadata.plan(found, metadata.check(wanted, absent), absent, purge)
    assert (plan.create, plan.update, plan.delete) == (create, update, delete)
    assert plan.changed is bool(create or update or delete)
    assert plan.before == {key: found[key] for key in (*update, *delete)}
    assert plan.outcome(found) == {
        **{key: value for key, value in found.items() if key not in delete},
        **create,
        **update,
    }


def test_blanks_that_an_old_release_has_cut_off_are_no_change() -> None:
    assert not metadata.plan({"a": "1"}, {"a": "1\n"}, None, purge=False).changed
    assert metadata.plan({"a": "1\n"}, {"a": "1"}, None, purge=False).changed


def test_a_key_that_cannot_be_removed_is_told() -> None:
    with pytest.raises(InvalidInput, match="metadata has the key 'a/b', which hawkBit cannot be asked to remove"):
        metadata.plan({"a/b": "1"}, {}, None, purge=True)


def test_values_become_text() -> None:
    assert metadata.check({"a": True, "b": 1.5, "c": 7, "d": ""}, None) == {"a": "true", "b": "1.5", "c": "7", "d": ""}


@pytest.mark.parametrize(
    "wanted, absent, message",
    [
        ({"a": None}, None, "metadata of 'x': 'a' is no text: give text, or list the key in metadata_absent."),
        ({"a": ["1"]}, None, "metadata of 'x': 'a' is no text: give text, or list the key in metadata_absent."),
        ({"a": "1"}, ["a"], "metadata of 'x' and metadata_absent both have 'a': give it in one of them."),
        ({"k" * 129: "1"}, None, "metadata of 'x' has a key of 129 characters: 128 is the most."),
        ({"a": "v" * 4001}, None, "metadata of 'x': 'a' is 4001 characters long: 4000 is the most."),
        (
            {" a": "1"},
            None,
            "metadata of 'x' has the key ' a': give text without blanks at the ends and without / \\ ; %.",
        ),
        ({"..": "1"}, None, "metadata of 'x' has the key '..', which cannot stand in an address: give another one."),
        (
            {"a/b": "1"},
            None,
            "metadata of 'x' has the key 'a/b': give text without blanks at the ends and without / \\ ; %.",
        ),
    ],
)
def test_what_the_server_would_refuse(wanted: dict[str, Any], absent: list[str] | None, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        metadata.check(wanted, absent, "'x'")
    assert str(refused.value) == message


def test_each_change_is_one_request(entries: Entries, of_target: Metadata) -> None:
    of_target.apply("t", MetadataPlan(create={"c": "3", "d d": "4"}, update={"a": "9"}, delete=["b"]))
    assert entries.writes == ["DELETE b", "PUT a", "POST metadata"]
    assert of_target.read("t") == {"a": "9", "c": "3", "d d": "4"}


@pytest.mark.parametrize(
    "plan", [MetadataPlan(create={"c": "3", "d": "4"}), MetadataPlan(update={"a": "9"}), MetadataPlan(delete=["a"])]
)
def test_a_lost_answer_is_read_back(entries: Entries, of_target: Metadata, plan: MetadataPlan) -> None:
    entries.lose = True
    of_target.apply("t", plan)
    assert len(entries.writes) == 1
    assert entries.entries == plan.outcome({"a": "1", "b": "2"})


def test_who_comes_in_between_is_overruled(entries: Entries, of_target: Metadata) -> None:
    entries.in_between = {"c": "other", "d": "4"}
    of_target.apply("t", MetadataPlan(create={"c": "3", "d": "4", "e": "5"}))
    assert entries.writes == ["POST metadata", "PUT c", "POST metadata"]
    assert entries.entries == {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}


def test_what_somebody_has_removed_is_created(entries: Entries, of_target: Metadata) -> None:
    del entries.entries["a"]
    of_target.apply("t", MetadataPlan(update={"a": "9"}, delete=["x"]))
    assert entries.writes == ["DELETE x", "PUT a", "POST metadata"]
    assert entries.entries == {"b": "2", "a": "9"}
