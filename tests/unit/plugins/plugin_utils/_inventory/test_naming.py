"""Names of hosts and groups: what a device must not be called, and who gets a name that several want."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory import naming


@pytest.mark.parametrize(
    "name",
    [
        "gateway-0001", "AA:BB:CC:00:11:22", "10.0.0.7", "fe80::1", "Gateway (hall 1)", "Zürich_7", "12345", "a=b+c",
        "x" * 253,
    ],
)  # fmt: skip
def test_name_of_a_host(name: str) -> None:
    assert naming.usable(name)


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "-oProxyCommand=reboot", "../../etc/passwd", ".ssh", "a/b", "a\\b", "{{ 7 * 7 }}", "{%x%}", "{#x#}",
        "a\nb", "a\tb", "a\x00b", "a\u202eb", "a,b", "web*", "web[1:9]", "!a", "&a", "~a", "@a", "a b ", "a\n", "$(id)",
        "`id`",
        "a;b", "a|b", "'a'", '"a"', "user@host", "localhost", "LocalHost", "x.localhost", "127.0.0.1", "127.1.2.3",
        "::1", "::", "x" * 254, "127.1", "0x7f000001", "2130706433", "0", "localhost.", "ip6-localhost",
        "0:0:0:0:0:ffff:7f00:1",
    ],
)  # fmt: skip
def test_not_a_name_of_a_host(name: str) -> None:
    assert not naming.usable(name)


def test_name_of_a_group_is_not_one_of_a_host() -> None:
    assert naming.usable("all")
    assert not naming.usable("all", {"all"})


@pytest.mark.parametrize(
    "parts, name",
    [
        (["hawkbit", "tag", "canary"], "hawkbit_tag_canary"),
        (["os", "2.1-rc"], "os_2_1_rc"),
        (["7up"], "_up"),
        (["{{ x }}"], "___x___"),
        (["Zürich"], "Zürich"),
    ],
)
def test_group_name(parts: list[str], name: str) -> None:
    assert naming.group_name(*parts) == name


@pytest.mark.parametrize("value", ["10.0.0.7", "fe80::1", "gw1.example.com", "gw1", "3com"])
def test_address(value: str) -> None:
    assert naming.address(value) == value


@pytest.mark.parametrize(
    "value",
    [
        None, "", "localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "::1", "::", "-oProxyCommand=reboot",
        "a b", "a\n", "{{ x }}", "10.0.0.7;id", "user@10.0.0.7", "1.2.3", "x" * 254, "::ffff:127.0.0.1",
        "::ffff:0.0.0.0", "ip6-loopback", "localhost.localdomain",
    ],
)  # fmt: skip
def test_not_an_address(value: str | None) -> None:
    assert naming.address(value) is None


def test_each_gets_the_first_name_that_it_has() -> None:
    chosen = naming.choose({"1": ["alpha"], "2": [], "3": ["gamma", "3"]}, "hawkbit")
    assert chosen == naming.Naming({"1": "alpha", "2": "2", "3": "gamma"})


def test_shared_name_goes_to_none() -> None:
    chosen = naming.choose({"1": ["gw", "first"], "2": ["gw"], "3": ["other"]}, "hawkbit")
    assert chosen.names == {"1": "first", "2": "2", "3": "other"}
    assert chosen.shared == {"gw": ["1", "2"]}


def test_nobody_is_called_by_the_id_of_another() -> None:
    chosen = naming.choose({"1": ["2"], "2": ["two"]}, "hawkbit")
    assert chosen.names == {"1": "1", "2": "two"}
    assert chosen.shared == {"2": ["2", "1"]}


def test_second_wish_does_not_take_what_is_somebodys_first() -> None:
    chosen = naming.choose({"1": ["a", "b"], "2": ["a"], "3": ["b"]}, "hawkbit")
    assert chosen.names == {"1": "1", "2": "2", "3": "b"}
    assert chosen.shared == {"a": ["1", "2"], "b": ["3", "1"]}


def test_order_of_devices_does_not_matter() -> None:
    wishes = {"1": ["a", "b"], "2": ["a", "c"], "3": ["b"], "4": ["c", "1"], "5": ["4"]}
    results = {
        tuple(sorted(naming.choose(dict(order), "hawkbit").names.items()))
        for order in itertools.permutations(wishes.items())
    }
    assert len(results) == 1


def test_wishes_behind_the_first_usable_one_do_not_matter() -> None:
    chosen = naming.choose({"1": ["one", "127.0.0.1", "2"], "2": ["127.0.0.1"]}, "hawkbit")
    assert chosen == naming.Naming({"1": "one", "2": "2"}, unusable={"127.0.0.1": ["2"]})


def test_unusable_id_gets_a_name_of_its_own() -> None:
    chosen = naming.choose({"localhost": [], "a/b": [], "a;b": [], "{{x}}": []}, "hawkbit", {"all"})
    assert list(chosen.unusable) == ["localhost", "a/b", "a;b", "{{x}}"]
    assert len(set(chosen.names.values())) == 4
    for device, name in chosen.names.items():
        assert naming.usable(name)
        assert name.startswith("hawkbit-")
        assert device != name
    assert chosen.names["a/b"].startswith("hawkbit-a_b-")
    # the name stays the same whatever other devices there are
    assert naming.choose({"a/b": []}, "hawkbit").names["a/b"] == chosen.names["a/b"]


def test_id_that_is_the_name_of_a_group() -> None:
    chosen = naming.choose({"all": [], "gateways": ["gw"]}, "hawkbit", {"all", "gateways"})
    assert chosen.names["all"].startswith("hawkbit-all-")
    assert chosen.names["gateways"] == "gw"
