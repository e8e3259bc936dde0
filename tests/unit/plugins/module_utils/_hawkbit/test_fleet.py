"""The option fleet: exactly one way to select, and devices that are not there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import fleet_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput, Unsupported
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.fleet import KEYS, query, resolve, shorten

from .conftest import Client, MakeFake, defaults
from .fake import FakeHawkbit

SUBOPTIONS = fleet_spec().argument_spec["fleet"]["options"]


def fleet(**given: Any) -> dict[str, Any]:
    """Return the option as Ansible fills it in."""
    return defaults(SUBOPTIONS, **given)


@pytest.fixture
def five(fake: FakeHawkbit) -> FakeHawkbit:
    """A fake with five targets, two of them with a tag."""
    fake.add_targets("d1", "d2", "d3", "x*", "y 1")
    fake.tags["canary"] = ["d1", "x*"]
    fake.filters["7"] = "controllerid==d*"
    return fake


@pytest.mark.parametrize(
    "given, ids",
    [
        ({"ids": ["d2", "d1"]}, ["d2", "d1"]),
        ({"ids": ["x*"]}, ["x*"]),
        ({"ids": ["y 1", "x*", "d3"]}, ["y 1", "x*", "d3"]),
        ({"names": ["Device d2", "Device x*"]}, ["d2", "x*"]),
        ({"query": "name==*d*3"}, ["d3"]),
        ({"query": "controllerid==d*;controllerid!=d2"}, ["d1", "d3"]),
        ({"tag": "canary"}, ["d1", "x*"]),
        ({"filter_id": "7"}, ["d1", "d2", "d3"]),
        ({"all": True}, ["d1", "d2", "d3", "x*", "y 1"]),
    ],
)
def test_each_way_to_select(five: FakeHawkbit, client: Client, given: dict[str, Any], ids: list[str]) -> None:
    selected = resolve(client(five), fleet(**given))
    assert selected.names == {controller_id: f"Device {controller_id}" for controller_id in ids}
    assert selected.unknown == []
    assert list(selected.names) == ids
    assert five.writes == []


@pytest.mark.parametrize("given", [{"group": "north"}, {"groups": ["north", "south"]}])
def test_groups_need_a_server_that_has_them(make_fake: MakeFake, client: Client, given: dict[str, Any]) -> None:
    modern = make_fake("modern")
    modern.add_targets("d1", "d2", "d3")
    modern.groups_of.update(d1="north", d2="south")
    modern.targets["d1"]["group"], modern.targets["d2"]["group"] = "north", "south"
    wanted = {"group": ["d1"], "groups": ["d1", "d2"]}[next(iter(given))]
    assert list(resolve(client(modern), fleet(**given)).names) == wanted
    for generation in ("seed", "legacy"):
        with pytest.raises(Unsupported) as caught:
            resolve(client(make_fake(generation)), fleet(**given))
        key = next(iter(given))
        assert caught.value.msg == (
            f"fleet.{key} needs hawkBit 0.10 or newer: select by ids, names, query, tag, filter_id or all."
        )


@pytest.mark.parametrize(
    "given, text",
    [
        ({"all": True}, None),
        ({"query": "name==x"}, "name==x"),
        ({"ids": ["d1"]}, 'controllerid=="d1"'),
        ({"ids": ["d1", "x*"]}, '(controllerid=="d1",controllerid=="x\\*")'),
        ({"names": ['say "hi"']}, 'name=="say \\"hi\\""'),
        ({"tag": "a b"}, 'tag=="a b"'),
    ],
)
def test_as_one_query(modern: FakeHawkbit, client: Client, given: dict[str, Any], text: str | None) -> None:
    assert query(client(modern), fleet(**given)) == text


@pytest.mark.parametrize("key", ["addresses", "serial_numbers", "filters"])
def test_what_other_platforms_know_is_refused_with_what_hawkbit_knows(client: Client, key: str) -> None:
    value: Any = [{"a": "b"}] if key == "filters" else ["a"]
    with pytest.raises(Unsupported) as caught:
        resolve(client("http://127.0.0.1:9"), fleet(**{key: value}))
    assert caught.value.msg == (
        f"fleet.{key} is not known to hawkBit: select by one of ids, names, query, tag, group, groups, filter_id, all."
    )


def test_every_suboption_is_either_known_or_refused() -> None:
    assert set(KEYS) | {"addresses", "serial_numbers", "filters"} == set(SUBOPTIONS)


@pytest.mark.parametrize(
    "given, found",
    [
        (None, "nothing is given"),
        ({}, "nothing is given"),
        ({"all": False}, "nothing is given"),
        ({"ids": ["a"], "all": True}, "ids and all are given"),
        ({"query": "a==b", "tag": "x"}, "query and tag are given"),
    ],
)
def test_exactly_one_way_is_wanted(client: Client, given: dict[str, Any] | None, found: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(client("http://127.0.0.1:9"), None if given is None else fleet(**given))
    assert caught.value.msg == (
        f"fleet wants exactly one of ids, names, query, tag, group, groups, filter_id, all, but {found}."
    )


@pytest.mark.parametrize("given", [{"ids": []}, {"names": []}, {"groups": []}, {"query": ""}, {"tag": ""}])
def test_an_empty_selection_is_refused(client: Client, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(client("http://127.0.0.1:9"), fleet(**given))
    key = next(iter(given))
    assert caught.value.msg == f"fleet.{key} is empty: give at least one device, or leave the task out."


def test_each_device_is_listed_once(client: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(client("http://127.0.0.1:9"), fleet(ids=["b", "a", "b", "c", "a"]))
    assert caught.value.msg == "fleet.ids names a, b more than once: list each device once."


def test_a_long_list_with_one_twice_is_looked_through_at_once(client: Client) -> None:
    ids = [f"d{index}" for index in range(50_000)]
    with pytest.raises(InvalidInput, match=r"fleet\.ids names d7 more than once"):
        resolve(client("http://127.0.0.1:9"), fleet(ids=[*ids, "d7"]))


def test_unknown_devices_are_named(five: FakeHawkbit, client: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(client(five), fleet(ids=["d1", "nope", "D2"]))
    assert caught.value.msg == (
        "fleet.ids names 2 of 3 devices that hawkBit does not know (nope, D2): correct them, or set on_unknown_device "
        "to ignore."
    )
    with pytest.raises(InvalidInput, match=r"^fleet\.names names 1 of 1 devices .* \(d1\)"):
        resolve(client(five), fleet(names=["d1"]))


def test_unknown_devices_may_be_ignored(five: FakeHawkbit, client: Client) -> None:
    selected = resolve(client(five), fleet(ids=["nope", "d1", "D2"]), "ignore")
    assert (list(selected.names), selected.unknown) == (["d1"], ["nope", "D2"])


@pytest.mark.parametrize(
    "given, policy, subject",
    [
        ({"tag": "nope"}, "fail", "fleet.tag is 'nope', which"),
        ({"tag": "CANARY"}, "fail", "fleet.tag is 'CANARY', which"),
    ],
)
def test_a_selection_of_nobody_is_refused(
    five: FakeHawkbit, client: Client, given: dict[str, Any], policy: str, subject: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(client(five), fleet(**given), policy)
    assert caught.value.msg == f"{subject} selects no device: correct it, or register the devices first."


@pytest.mark.parametrize("given, policy", [({"ids": ["nope"]}, "ignore"), ({"query": "name==nope"}, "fail")])
def test_a_query_may_find_nobody_any_more(
    five: FakeHawkbit, client: Client, given: dict[str, Any], policy: str
) -> None:
    assert resolve(client(five), fleet(**given), policy).names == {}


def test_upper_and_lower_case_are_not_the_same(make_fake: MakeFake, client: Client) -> None:
    """RSQL takes them for the same."""
    modern = make_fake("modern")
    modern.add_targets("d1", "d2")
    modern.groups_of.update(d1="north", d2="North")
    modern.targets["d1"]["group"], modern.targets["d2"]["group"] = "north", "North"
    modern.tags.update(canary=["d1"], Canary=["d2"])
    for given in ({"group": "north"}, {"groups": ["north"]}, {"tag": "canary"}):
        assert list(resolve(client(modern), fleet(**given)).names) == ["d1"]


def test_a_name_that_several_devices_bear_is_refused(five: FakeHawkbit, client: Client) -> None:
    five.add_targets("d8", "d9", name="Twin")
    with pytest.raises(InvalidInput) as caught:
        resolve(client(five), fleet(names=["Device d1", "Twin"]))
    assert caught.value.msg == ("fleet.names: several devices are called 'Twin' (d8, d9): select them by ids.")


def test_names_that_differ_in_case_are_different_names(five: FakeHawkbit, client: Client) -> None:
    five.add_targets("d8", name="Twin")
    five.add_targets("d9", "d10", name="TWIN")
    assert list(resolve(client(five), fleet(names=["Twin"])).names) == ["d8"]


@pytest.mark.parametrize(
    "given, value, why",
    [
        ({"query": "name=="}, "name==", "The query cannot be parsed"),
        ({"query": "colour==red"}, "colour==red", "The query names a field that does not exist"),
        ({"filter_id": "8"}, "8", "The query names a field that does not exist"),
    ],
)
def test_a_query_that_the_server_cannot_use_is_the_options_fault(
    five: FakeHawkbit, client: Client, given: dict[str, Any], value: str, why: str
) -> None:
    five.filters["8"] = "colour==red"
    with pytest.raises(InvalidInput) as caught:
        resolve(client(five), fleet(**given))
    key = next(iter(given))
    assert caught.value.msg == f"fleet.{key} is '{value}', which hawkBit cannot use as a query: {why}; correct it."
    assert caught.value.http is not None


@pytest.mark.parametrize("number", ["9", "nine"])
def test_a_filter_that_is_not_there(five: FakeHawkbit, client: Client, number: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(client(five), fleet(filter_id=number))
    assert caught.value.msg == (
        f"fleet.filter_id is '{number}', but hawkBit has no target filter of that id: correct it, or make the filter "
        "first."
    )


def test_long_lists_cost_few_requests(fake: FakeHawkbit, client: Client) -> None:
    ids = [f"gateway-{index:04}" for index in range(1000)]
    fake.add_targets(*ids)
    assert list(resolve(client(fake), fleet(ids=ids)).names) == ids
    assert len(fake.lines) <= 4
    assert max(len(request.target) for request in fake.server.requests) < 8000


def test_messages_name_ten_of_many() -> None:
    assert shorten(["a", "b"]) == "a, b"
    assert shorten([str(index) for index in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
