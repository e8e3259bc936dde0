"""Who bears which tag: the requests, also when the connection breaks."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import Rejected
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.tagging import (
    TagPlan,
    TagWish,
    distribution_set_tagging,
    target_tagging,
)
from servers.scripted import ScriptedServer, answer, reset_after

from .conftest import Client
from .fake import FakeHawkbit, error

TAGS = answer(json={"content": [{"id": 4, "name": "canary"}], "total": 1})
NOT_READABLE = answer(400, json=error("rest.body.notReadable", "The given request body is not well formed"))
NO_METHOD = answer(405, json={"timestamp": "x", "status": 405, "error": "Method Not Allowed"})


def members(*ids: str) -> Any:
    """Answer a list of targets."""
    return answer(json={"content": [{"controllerId": one} for one in ids], "total": len(ids)})


@pytest.mark.parametrize("found, posts", [(("d1", "d2"), 1), (("d1",), 2)], ids=["done", "not done"])
def test_a_broken_connection_gives_a_tag_once(client: Client, found: tuple[str, ...], posts: int) -> None:
    steps = [TAGS, reset_after(), members(*found)]
    if posts == 2:
        # and what the form did is looked at once
        steps += [members(*found), answer(204)]
    steps.append(members("d1", "d2"))
    with ScriptedServer(*steps) as server:
        target_tagging(client(server.url).api).apply(TagPlan(add={"canary": ["d1", "d2"]}))
        assert sum(line.startswith("POST ") for line in server.lines) == posts
        assert (server.left, server.surprises) == (0, 0)


@pytest.mark.parametrize("bulk", [True, False], ids=["in bulk", "one by one"])
@pytest.mark.parametrize("found, deletes", [((), 1), (("d1",), 2)], ids=["done", "not done"])
def test_a_broken_connection_takes_a_tag_once(client: Client, found: tuple[str, ...], deletes: int, bulk: bool) -> None:
    steps = [TAGS, *([] if bulk else [NO_METHOD]), reset_after(), members(*found)]
    if deletes == 2:
        steps += [members(*found), answer(204)]
    if bulk:
        steps.append(members())
    with ScriptedServer(*steps) as server:
        target_tagging(client(server.url).api).apply(TagPlan(remove={"canary": ["d1"]}))
        assert sum(line.startswith("DELETE ") for line in server.lines) == deletes + (not bulk)
        assert (server.left, server.surprises) == (0, 0)


def test_what_works_is_found_out_once(client: Client) -> None:
    """An empty answer does not prove that anything was done."""
    adds = [TAGS, answer(200), members(), answer(200), members("d1"), answer(200)]
    removes = [answer(200), members("d1"), answer(200), answer(200)]
    with ScriptedServer(*adds, *removes) as server:
        tagging = target_tagging(client(server.url).api)
        tagging.apply(TagPlan(add={"canary": ["d1"]}))
        tagging.apply(TagPlan(add={"canary": ["d2"]}))
        tagging.apply(TagPlan(remove={"canary": ["d1"]}))
        tagging.apply(TagPlan(remove={"canary": ["d2"]}))
        assert [line for line in server.lines if not line.startswith("GET")] == [
            "POST /rest/v1/targettags/4/assigned",
            *["PUT /rest/v1/targettags/4/assigned"] * 2,
            "DELETE /rest/v1/targettags/4/assigned",
            "DELETE /rest/v1/targettags/4/assigned/d1",
            "DELETE /rest/v1/targettags/4/assigned/d2",
        ]
        assert (server.left, server.surprises) == (0, 0)


def test_a_target_that_is_gone_has_lost_its_tag(client: Client) -> None:
    with ScriptedServer(TAGS, NO_METHOD, answer(404, json=error("repo.entityNotFound", "Target"))) as server:
        target_tagging(client(server.url).api).apply(TagPlan(remove={"canary": ["d1"]}))


def test_distribution_sets_are_named_by_number(client: Client) -> None:
    with ScriptedServer(TAGS, NOT_READABLE, NO_METHOD, answer(200, json=[])) as server:
        tagging = distribution_set_tagging(client(server.url).api)
        tagging.apply(TagPlan(add={"canary": [3, 5]}))
        assert [request.json for request in server.requests[1:]] == [[3, 5], [3, 5], [{"id": 3}, {"id": 5}]]
        assert {line.partition("?")[0] for line in server.lines[1:]} == {
            "POST /rest/v1/distributionsettags/4/assigned",
            "PUT /rest/v1/distributionsettags/4/assigned",
        }


def test_a_refusal_that_is_none_of_form_is_an_error(client: Client) -> None:
    refused = answer(400, json=error("repo.constraintViolation", "No"))
    with ScriptedServer(TAGS, refused, refused, refused) as server:
        with pytest.raises(Rejected, match="No"):
            target_tagging(client(server.url).api).apply(TagPlan(add={"canary": ["d1"]}))
        assert (server.left, server.surprises) == (0, 0)


def test_who_does_not_exist_yet_is_not_asked_for(modern: FakeHawkbit, client: Client) -> None:
    modern.tags = {"canary": []}
    plan = target_tagging(client(modern).api).plan([TagWish("new", ["canary"], new=True), TagWish("other")])
    assert (plan.add, plan.remove, plan.changed) == ({"canary": ["new"]}, {}, True)
    assert modern.lines == ["GET /targettags?offset=0&limit=500"]


def test_nobody_asks_for_tags_that_do_not_matter(modern: FakeHawkbit, client: Client) -> None:
    assert not target_tagging(client(modern).api).plan([TagWish("a"), TagWish("b", purge=True)]).changed
    assert modern.lines == []
