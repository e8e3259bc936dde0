"""Which generation answers, and paged lists."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AuthFailed,
    BadAnswer,
    Unsupported,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import reads
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.api import PAGE, Api
from servers.scripted import ScriptedServer, Step, Wire, answer, html

from .conftest import Client
from .fake import FakeHawkbit, error

LIST = reads("list things", "GET", "/rest/v1/things")
DENIED = answer(403, json=error("insufficientPermission", "Insufficient Permission"))
NOT_FOUND = answer(404, json={"timestamp": "…", "status": 404, "error": "Not Found"})


# -- generation ------------------------------------------------------------------------------------------------


def test_the_generation_is_told_by_what_the_list_of_actions_accepts(fake: FakeHawkbit, client: Client) -> None:
    api = client(fake).api
    assert api.generation == fake.generation
    status = {"modern": 200, "legacy": 400, "seed": 404}[fake.generation]
    assert api.generation_evidence == f"GET /rest/v1/actions?q=active==true answers {status}"
    asked = len(fake.lines)
    assert api.generation == fake.generation
    assert len(fake.lines) == asked <= 2


@pytest.mark.parametrize(
    "configuration, generation",
    [
        ({"multi.assignments.enabled": {"value": False}}, "legacy"),
        ({"action.cleanup.auto.expiry": {"value": 1}}, "modern"),
    ],
)
def test_without_the_permission_to_see_actions_the_configuration_tells(
    client: Client, configuration: dict[str, Any], generation: str
) -> None:
    with ScriptedServer(DENIED, answer(json=configuration)) as server:
        api = client(server.url).api
        assert api.generation == generation
        assert api.generation_evidence == f"the tenant configuration knows {next(iter(configuration))}"
        assert server.surprises == 0


def test_a_configuration_of_which_only_a_part_is_shown_proves_nothing(client: Client) -> None:
    with ScriptedServer(DENIED, answer(json={"default.ds.type": {"value": 1}})) as server:
        with pytest.raises(AuthFailed) as caught:
            _generation = client(server.url).api.generation
        assert caught.value.msg == (
            "Cannot list actions: Insufficient Permission. The user lacks READ_TARGET. (HTTP 403)"
        )


def test_wrong_credentials_are_tried_once(client: Client) -> None:
    """Servers lock users out who are refused too often."""
    with ScriptedServer(default=answer(401, json={"status": 401, "error": "Unauthorized"})) as server:
        with pytest.raises(AuthFailed) as caught:
            _generation = client(server.url).api.generation
        assert "check username and password" in caught.value.msg
        assert len(server.requests) == 1


def test_a_server_that_knows_no_targets_is_no_hawkbit(client: Client) -> None:
    with ScriptedServer(default=NOT_FOUND) as server:
        with pytest.raises(Unsupported) as caught:
            _generation = client(server.url).api.generation
        assert caught.value.msg == (
            f"url is '{server.url}', but no hawkBit Management API answers there (127.0.0.1:{server.port} answered 404 "
            "to /rest/v1/targets): give the base address of a hawkBit server."
        )


def test_a_server_whose_targets_are_something_else_is_no_hawkbit(client: Client) -> None:
    with ScriptedServer(NOT_FOUND, answer(json={"targets": []})) as server, pytest.raises(Unsupported) as caught:
        _generation = client(server.url).api.generation
    assert caught.value.msg == f"127.0.0.1:{server.port} answers, but not as a hawkBit server does: check url."


def test_a_web_page_is_no_hawkbit(client: Client) -> None:
    with ScriptedServer(default=html()) as server, pytest.raises(BadAnswer, match="HTML instead of JSON"):
        _generation = client(server.url).api.generation


# -- pages -----------------------------------------------------------------------------------------------------


def things(number: int, most: int = 500, pause: float = 0.0) -> Step:
    """Return a step that serves a paged list of that many numbers, at most `most` at a time; later pages faster."""

    def step(wire: Wire) -> None:
        query = parse_qs(urlsplit(wire.read_request().target).query)
        offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["50"])[0])
        content = [{"id": index} for index in range(offset, min(number, offset + min(limit, most)))]
        wire.server.stopping.wait(pause / (1 + offset))
        body = json.dumps({"content": content, "total": number, "size": len(content)}).encode()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return step


def listed(api: Api, **options: Any) -> list[int]:
    """Return the numbers of a list."""
    return [item["id"] for item in api.pages(LIST, **options)]


@pytest.mark.parametrize("number", [0, 1, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE + 7])
def test_pages_come_whole_and_in_order(client: Client, number: int) -> None:
    with ScriptedServer(default=things(number, pause=0.1)) as server:
        assert listed(client(server.url).api) == list(range(number))
        assert len(server.requests) == max(1, -(-number // PAGE))


@pytest.mark.parametrize("limit", [1, 3, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1, 10 * PAGE])
def test_a_limit_is_kept_and_no_more_is_fetched_than_it_takes(client: Client, limit: int) -> None:
    with ScriptedServer(default=things(3 * PAGE)) as server:
        assert listed(client(server.url).api, limit=limit) == list(range(min(limit, 3 * PAGE)))
        assert len(server.requests) == -(-min(limit, 3 * PAGE) // PAGE)
        assert f"limit={min(limit, PAGE)}" in server.lines[0]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_asks_for_nothing(client: Client, limit: int) -> None:
    with ScriptedServer(default=things(7)) as server:
        assert listed(client(server.url).api, limit=limit) == []
        assert server.requests == []


def test_a_server_that_gives_smaller_pages_than_asked_for_loses_nothing(client: Client) -> None:
    with ScriptedServer(default=things(350, most=100)) as server:
        assert listed(client(server.url).api) == list(range(350))
        assert listed(client(server.url).api, limit=250) == list(range(250))


def test_a_plain_list_is_a_page(client: Client) -> None:
    with ScriptedServer(default=answer(json=[{"id": 1}, {"id": 2}])) as server:
        assert listed(client(server.url).api) == [1, 2]
        assert listed(client(server.url).api, limit=1) == [1]
        assert len(server.requests) == 2


def test_query_sort_and_further_parameters_are_sent(client: Client) -> None:
    with ScriptedServer(default=things(1)) as server:
        listed(client(server.url).api, query="name==x y*", sort="id:ASC", parameters={"representation": "full"})
        assert parse_qs(urlsplit(server.requests[0].target).query) == {
            "offset": ["0"],
            "limit": ["500"],
            "q": ["name==x y*"],
            "sort": ["id:ASC"],
            "representation": ["full"],
        }


@pytest.mark.parametrize(
    "data",
    [{}, {"content": None}, {"content": {"a": 1}}, {"total": 3}, {"content": [None]}, {"content": [], "total": "x"}],
)
def test_a_list_without_content_is_no_answer_of_hawkbit(client: Client, data: Any) -> None:
    with ScriptedServer(default=answer(json=data)) as server, pytest.raises(Unsupported) as caught:
        listed(client(server.url).api)
    assert caught.value.msg == (
        f"Cannot list things: 127.0.0.1:{server.port} answers, but not as a hawkBit server does; check url."
    )
    assert caught.value.http == {"method": "GET", "path": "/rest/v1/things", "status": 200}


def test_a_fault_in_a_later_page_is_an_error_and_ends_the_fetching(client: Client) -> None:
    first = answer(json={"content": [{"id": index} for index in range(PAGE)], "total": 100 * PAGE})
    with ScriptedServer(first, default=DENIED) as server:
        with pytest.raises(AuthFailed):
            listed(client(server.url).api)
        assert len(server.requests) < 20


def test_count_fetches_one_object_at_most(client: Client) -> None:
    with ScriptedServer(default=things(1234)) as server:
        assert client(server.url).api.count(LIST, query="a==1") == 1234
        assert parse_qs(urlsplit(server.requests[0].target).query) == {"limit": ["1"], "q": ["a==1"]}


def test_exact_leaves_out_what_only_differs_in_case(client: Client) -> None:
    found = [{"name": "Dev"}, {"name": "dev"}, {"name": "dev", "version": "2"}]
    with ScriptedServer(default=answer(json={"content": found, "total": 3})) as server:
        assert list(client(server.url).api.exact(LIST, {"name": "dev"}, "name==dev")) == found[1:]
