"""Targets: what is refused, what is planned, what is written, and tokens that are never shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    CheckModeWrite,
    Conflict,
    InvalidInput,
    Rejected,
    Unreachable,
)
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.targets import TargetPlan, Targets, check
from ansible_collections.fleet.deploy.plugins.modules import target as module
from servers.scripted import Arrived, ScriptedServer, answer, close_after, reset_after

from .conftest import Client, Run
from .fake import FakeHawkbit, error

TOKEN = "a-very-long-token-0123456789"
HTML = "looks like HTML, which hawkBit refuses: leave out the <>."
ODD = "/ \\ ; or % in them, nor for . and .."


def wanted(controller_id: str, **fields: str) -> Mapping[str, Any]:
    """Return an entry of the option."""
    return {"controller_id": controller_id, **fields}


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        wanted("d"),
        wanted("d" * 256),
        wanted("ä,'*:+()[]{}!$&=@~"),
        wanted("..."),
        wanted("d", name="n" * 128, description="d" * 512, address="a" * 512, security_token="t" * 128),
        wanted("d", name="1 < 2 and 3 > 2, <3>", description=""),
        wanted("d", address="amqp://host/?a=<b>"),
        wanted("d", address=""),
    ],
    ids=lambda item: str(item)[:60],
)
def test_what_the_server_takes_is_taken(item: Mapping[str, Any]) -> None:
    check([item])


@pytest.mark.parametrize(
    "item, message",
    [
        (wanted(""), "controller_id is '': give 1 to 256 characters without blanks."),
        (wanted("a b"), "controller_id is 'a b': give 1 to 256 characters without blanks."),
        (wanted("a\n"), "controller_id is 'a\n': give 1 to 256 characters without blanks."),
        (wanted("a\x00"), "controller_id is 'a\\x00': give it without control characters."),
        (wanted("d", name="\x07bell"), "name of target 'd' holds control characters: leave them out."),
        (wanted("d", name="<!-- x"), f"name of target 'd' {HTML}"),
        (wanted("d" * 257), f"controller_id of '{'d' * 257}' is 257 characters long: 256 is the most."),
        *[
            (
                wanted(odd),
                f"controller_id is '{odd}': hawkBit cannot be asked for ids with {ODD}, so give another one.",
            )
            for odd in ("a/b", "a\\b", "a;b", "50%", ".", "..")
        ],
        (wanted("d", name="n" * 129), "name of 'd' is 129 characters long: 128 is the most."),
        (wanted("d", description="n" * 513), "description of 'd' is 513 characters long: 512 is the most."),
        (wanted("d", address="n" * 513), "address of 'd' is 513 characters long: 512 is the most."),
        (wanted("d", security_token="n" * 129), "security_token of 'd' is 129 characters long: 128 is the most."),
        (wanted("d", name=""), "name of target 'd' is empty: give at least one character."),
        (wanted("d", security_token=""), "security_token of target 'd' is empty: give at least one character."),
        (
            wanted("d", name="<b>bold</b>"),
            f"name of target 'd' {HTML}",
        ),
        (
            wanted("d", description="a <br/> b"),
            f"description of target 'd' {HTML}",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_server_refuses_is_refused(item: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check([wanted("fine"), item])
    assert caught.value.msg == message


def test_a_token_is_in_no_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        check([wanted("d", security_token=f"<b>{TOKEN}</b>")])
    assert TOKEN not in caught.value.msg


def test_each_target_is_listed_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        check([wanted("a"), wanted("b"), wanted("a")])
    assert caught.value.msg == "controller_id 'a' is given twice: list each target once."
    check([wanted("a"), wanted("A")])


# -- plans -----------------------------------------------------------------------------------------------------


@pytest.fixture
def two(modern: FakeHawkbit) -> FakeHawkbit:
    """A fake with two targets."""
    modern.add_targets("d1", description="old", address="http://one")
    modern.add_targets("d2")
    return modern


def test_present(two: FakeHawkbit, client: Client) -> None:
    items = [
        wanted("d1", name="Device d1", description="new"),
        wanted("d2", name="Device d2", description=""),
        wanted("d3", description="third", security_token=TOKEN),
        wanted("D1"),
    ]
    plan = client(two, check_mode=True).targets.plan_present(items)
    assert plan.summary() == {"created": ["d3", "D1"], "updated": ["d1"], "removed": []}
    assert plan.diff() == {
        "before": {"d1": {"description": "old"}},
        "after": {
            "d1": {"description": "new"},
            "d3": {"name": "d3", "description": "third", "security_token": "(not shown)"},
            "D1": {"name": "D1"},
        },
    }
    assert plan.create_bodies == [
        {"controllerId": "d3", "name": "d3", "description": "third", "securityToken": TOKEN},
        {"controllerId": "D1", "name": "D1"},
    ]
    assert plan.update_bodies == {"d1": {"description": "new"}}
    assert two.writes == []


def test_only_what_is_given_is_compared(two: FakeHawkbit, client: Client) -> None:
    assert not client(two).targets.plan_present([wanted("d1"), wanted("d2")]).changed


def test_an_empty_text_removes(two: FakeHawkbit, client: Client) -> None:
    plan = client(two).targets.plan_present([wanted("d1", description="", address="")])
    assert plan.update_bodies == {"d1": {"description": "", "address": ""}}
    client(two).targets.apply(plan)
    assert not client(two).targets.plan_present([wanted("d1", description="", address="")]).changed


@pytest.mark.parametrize("overwrite, changed", [(False, False), (True, True)])
def test_the_token_of_an_existing_target(two: FakeHawkbit, client: Client, overwrite: bool, changed: bool) -> None:
    items = [wanted("d1", security_token=TOKEN)]
    plan = client(two).targets.plan_present(items, overwrite_token=overwrite)
    assert plan.changed is changed
    if changed:
        assert plan.update_bodies == {"d1": {"securityToken": TOKEN}}
        assert plan.diff() == {
            "before": {"d1": {"security_token": "(not shown)"}},
            "after": {"d1": {"security_token": "(not shown), changed"}},
        }
    two.targets["d1"]["securityToken"] = TOKEN
    assert not client(two).targets.plan_present(items, overwrite_token=overwrite).changed


def test_absent(two: FakeHawkbit, client: Client) -> None:
    plan = client(two, check_mode=True).targets.plan_absent(["d2", "nope", "D1", "d1"])
    assert plan.summary() == {"created": [], "updated": [], "removed": ["d2", "d1"]}
    assert plan.diff() == {
        "before": {
            "d2": {"name": "Device d2"},
            "d1": {"name": "Device d1", "description": "old", "address": "http://one"},
        },
        "after": {},
    }


# -- reading ---------------------------------------------------------------------------------------------------


def test_tokens_are_cut_out_unless_asked_for(two: FakeHawkbit, client: Client) -> None:
    targets = client(two).targets
    everything = [list(targets.search()), targets.find(["d1"]), targets.get("d1")]
    assert "token-of" not in repr(everything)
    shown = targets.get("d1", with_secret=True)
    assert shown is not None
    assert shown["securityToken"] == "token-of-d1"


def test_a_target_that_is_not_there(two: FakeHawkbit, client: Client) -> None:
    assert client(two).targets.get("nope") is None
    assert client(two).targets.find(["nope", "D1"]) == {}


def test_a_target_that_two_pages_show_counts_once(client: Client) -> None:
    """A device registers while pages are read, and all that follow move on by one."""
    page = {"content": [{"controllerId": "a"}, {"controllerId": "b"}, {"controllerId": "a"}], "total": 3}
    with ScriptedServer(default=answer(json=page)) as server:
        assert [item["controllerId"] for item in client(server.url).targets.search()] == ["a", "b"]


# -- writing ---------------------------------------------------------------------------------------------------


def test_applying_makes_it_so_and_the_second_time_nothing(fake: FakeHawkbit, client: Client) -> None:
    fake.add_targets("d1", "d2", "d9")
    targets = client(fake).targets
    items = [wanted("d1", name="One"), wanted("d2", name="Two"), wanted("d3", name="Three")]
    targets.apply(targets.plan_present(items))
    targets.apply(targets.plan_absent(["d9", "d8"]))
    assert {controller_id: item["name"] for controller_id, item in fake.targets.items()} == {
        "d1": "One",
        "d2": "Two",
        "d3": "Three",
    }
    assert sorted(fake.writes) == ["DELETE /targets/d9", "POST /targets", "PUT /targets/d1", "PUT /targets/d2"]
    assert fake.bodies("PUT /targets/d1") == [{"name": "One"}]
    fake.forget()
    assert not targets.plan_present(items).changed
    assert not targets.plan_absent(["d9"]).changed
    assert fake.writes == []


def test_new_targets_go_in_portions(modern: FakeHawkbit, client: Client) -> None:
    targets = client(modern).targets
    targets.apply(targets.plan_present([wanted(f"d{index}") for index in range(1001)]))
    assert modern.writes == ["POST /targets"] * 3
    assert sorted(len(body) for body in modern.bodies("POST /targets")) == [1, 500, 500]


def test_a_thousand_targets_cost_few_reads(modern: FakeHawkbit, client: Client) -> None:
    ids = [f"gateway-{index:04}" for index in range(1000)]
    modern.add_targets(*ids)
    assert not client(modern).targets.plan_present([wanted(controller_id) for controller_id in ids]).changed
    assert len(modern.lines) == 3


def test_targets_none_of_which_is_there_cost_one_read(modern: FakeHawkbit, client: Client) -> None:
    modern.add_targets("gate", "other-0001")
    ids = [f"gateway-{index:04}" for index in range(1000)]
    assert len(client(modern).targets.plan_present([wanted(one) for one in ids]).create) == 1000
    assert len(modern.lines) == 1


def test_a_few_among_many_that_begin_alike_are_asked_for_by_id(modern: FakeHawkbit, client: Client) -> None:
    ids = [f"gateway-{index:04}" for index in range(3000)]
    modern.add_targets(*ids)
    assert len(client(modern).targets.find(ids[::3])) == 1000
    # a count and four lists, instead of six pages
    assert len(modern.lines) == 5


def test_a_device_that_registers_itself_in_between_is_updated_instead(modern: FakeHawkbit, client: Client) -> None:
    targets = client(modern).targets
    items = [wanted("d1", name="One", security_token=TOKEN), wanted("d2", name="Two"), wanted("d3")]
    plan = targets.plan_present(items)
    modern.add_targets("d2", name="Plug and play")
    targets.apply(plan)
    assert modern.writes == ["POST /targets", "POST /targets", "PUT /targets/d2"]
    assert [[body["controllerId"] for body in bodies] for bodies in modern.bodies("POST /targets")] == [
        ["d1", "d2", "d3"],
        ["d1", "d3"],
    ]
    assert modern.bodies("PUT /targets/d2") == [{"name": "Two"}]
    assert modern.targets["d2"]["name"] == "Two"


def test_a_conflict_that_cannot_be_found_is_an_error(modern: FakeHawkbit, client: Client) -> None:
    targets = client(modern).targets
    plan = targets.plan_present([wanted("d1")])
    modern.refuse.append(("POST /targets", (409, error("repo.entityAlreadyExists", "The given entity exists"))))
    with pytest.raises(Conflict, match="The given entity exists"):
        targets.apply(plan)


Prepare = Callable[[Targets], TargetPlan]


@pytest.mark.parametrize(
    "prepare, found, method",
    [
        (lambda t: t.plan_present([wanted("d1")]), [{"controllerId": "d1"}], "POST"),
        (lambda t: t.plan_present([wanted("d2", name="New")]), {"controllerId": "d2", "name": "New"}, "PUT"),
        (
            lambda t: t.plan_present([wanted("d2", security_token=TOKEN)], overwrite_token=True),
            {"controllerId": "d2", "securityToken": TOKEN},
            "PUT",
        ),
        (lambda t: t.plan_absent(["d2"]), None, "DELETE"),
    ],
    ids=["create", "update", "token", "remove"],
)
def test_a_broken_connection_writes_once(client: Client, prepare: Prepare, found: Any, method: str) -> None:
    page = [found] if isinstance(found, dict) else found or []
    after = answer(404) if found is None else answer(json=found)
    if method == "POST":
        after = answer(json={"content": page, "total": 1})
    before = [] if method == "POST" else [{"controllerId": "d2", "name": "Old"}]
    with ScriptedServer(answer(json={"content": before, "total": len(before)}), reset_after(), after) as server:
        targets = client(server.url).targets
        targets.apply(prepare(targets))
        assert [line.partition(" ")[0] for line in server.lines] == ["GET", method, "GET"]
        assert (server.left, server.surprises) == (0, 0)


@pytest.mark.parametrize("group, method", [("A/B", "PUT"), ("", "DELETE")])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_broken_connection_sets_a_group_once(client: Client, group: str, method: str, done: bool) -> None:
    found = answer(json={"content": [{"controllerId": "d1", "group": group if done else "old"}], "total": 1})
    # what is not done is looked at twice
    rest = [found] if done else [found, found, answer(204)]
    with ScriptedServer(reset_after(), *rest) as server:
        client(server.url).targets.apply(TargetPlan(groups={group: ["d1"]}))
        path = "/rest/v1/targetgroups/assigned" + ("?group=A%2FB" if group else "")
        writes = [line for line in server.lines if not line.startswith("GET")]
        assert writes == [f"{method} {path}"] * (1 if done else 2)
        assert [request.json for request in server.requests if request.method == method] == [["d1"]] * len(writes)
        assert (server.left, server.surprises) == (0, 0)


def test_a_half_that_is_there_is_not_taken_for_the_whole(client: Client) -> None:
    """Creating is all or nothing: one of two means that it was somebody else."""
    empty = answer(json={"content": [], "total": 0})
    half = answer(json={"content": [{"controllerId": "d1"}], "total": 1})
    with ScriptedServer(empty, reset_after(), half, half, answer(201, json=[])) as server:
        targets = client(server.url).targets
        targets.apply(targets.plan_present([wanted("d1"), wanted("d2")]))
        assert [line.partition(" ")[0] for line in server.lines] == ["GET", "POST", "GET", "GET", "POST"]


def test_a_server_that_is_gone_ends_it(client: Client) -> None:
    listed = [{"controllerId": f"d{index}", "name": "Old"} for index in range(100)]
    with ScriptedServer(answer(json={"content": listed, "total": 100}), default=close_after()) as server:
        targets = client(server.url, request_retries=0).targets
        plan = targets.plan_present([wanted(f"d{index}", name="New") for index in range(100)])
        with pytest.raises(Unreachable):
            targets.apply(plan)
        assert len(server.requests) < 60


@pytest.mark.parametrize("broken, changed", [("PUT /targets/d3", True), ("PUT /targets/d.", False)])
def test_what_was_written_before_a_fault_counts_as_changed(
    modern: FakeHawkbit, client: Client, broken: str, changed: bool
) -> None:
    modern.add_targets("d1", "d2", "d3")
    modern.refuse.append((broken, (400, error("x", "No"))))
    targets = client(modern).targets
    with pytest.raises(Rejected) as caught:
        targets.apply(targets.plan_present([wanted(f"d{index}", name="New") for index in (1, 2, 3)]))
    assert caught.value.result["changed"] is changed
    assert bool(caught.value.result["written"]) is changed


def test_check_mode_refuses_to_write(two: FakeHawkbit, client: Client) -> None:
    targets = client(two, check_mode=True).targets
    with pytest.raises(CheckModeWrite):
        targets.apply(targets.plan_absent(["d1"]))
    assert two.writes == []


# -- the module ------------------------------------------------------------------------------------------------


def test_one_target(two: FakeHawkbit, run: Run) -> None:
    ran = run(module, two, controller_id="d3", name="Three", security_token=TOKEN, diff_mode=True)
    assert ran.result == {
        "changed": True,
        "targets": {"created": ["d3"], "updated": [], "removed": []},
        "diff": {"before": {}, "after": {"d3": {"name": "Three", "security_token": "(not shown)"}}},
    }
    assert two.targets["d3"]["securityToken"] == TOKEN
    ran = run(module, two, controller_id="d3", name="Three", security_token="another-long-token")
    assert ran.result["changed"] is False
    ran = run(module, two, controller_id="d3", security_token="another-long-token", update_security_token="always")
    assert ran.result["targets"]["updated"] == ["d3"]
    ran = run(module, two, controller_id="d3", state="absent")
    assert ran.result["targets"]["removed"] == ["d3"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_writes_nothing(two: FakeHawkbit, run: Run, state: str) -> None:
    items = [wanted("d1", name="New"), wanted("d3")]
    ran = run(module, two, targets=items, state=state, check_mode=True)
    assert ran.result["changed"] is True
    assert two.writes == []


def test_an_empty_list_is_refused(two: FakeHawkbit, run: Run) -> None:
    ran = run(module, two, targets=[])
    assert ran.result["msg"] == "targets is an empty list: give at least one target, or leave the task out."


def test_a_token_that_the_server_repeats_is_cut_out(two: FakeHawkbit, run: Run) -> None:
    seen: list[Arrived] = []
    two.on = seen.append
    two.refuse.append(("POST /targets", (400, error("x", f"The token {TOKEN} is bad."))))
    ran = run(module, two, controller_id="d3", security_token=TOKEN)
    assert TOKEN not in repr(ran.result)
    assert "The token ******** is bad." in ran.result["msg"]
    assert TOKEN in seen[-1].body.decode()
