"""The inventory plugin mender, in process, against the simulated server with a proxy that records the wire."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader, inventory_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.plugin import CONNECTION
from servers.fault_proxy import FaultProxy
from servers.mender import VERSIONS, MenderServer

ROOT = Path(__file__).resolve().parents[4]
PLUGIN = ROOT / "plugins" / "inventory" / "mender.py"
SEARCH = "/api/management/v2/inventory/filters/search"
LIST = "/api/management/v1/inventory/devices"
ADMISSION = "/api/management/v2/devauth/devices"
SETTINGS = "/api/management/v1/useradm/settings"
LOGIN = "/api/management/v1/useradm/auth/login"
MAC = "identity/mac"
KERNEL = {"scope": "inventory", "attribute": "kernel", "type": "$eq", "value": "6.1"}


def uuid(number: int) -> str:
    """Return the id of a device; numbers are in the order of the ids."""
    return f"{number:08x}-0000-4000-8000-000000000000"


@pytest.fixture
def platform() -> str:
    """The plugin under test."""
    return "mender"


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[MenderServer]:
    """A simulated server without devices; a parameter says its version."""
    with MenderServer(getattr(request, "param", "4.1")) as found:
        yield found


@pytest.fixture
def wire(server: MenderServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy in front of it, which the environment points to."""
    for name in [name for name in os.environ if name.startswith("MENDER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MENDER_TOKEN", server.token)
    with FaultProxy(server.url) as proxy:
        monkeypatch.setenv("MENDER_URL", proxy.url)
        yield proxy


def paths(wire: FaultProxy) -> list[str]:
    """Return what was asked for."""
    return [record.path for record in wire.wire]


def bodies(wire: FaultProxy) -> list[dict[str, Any]]:
    """Return the searches that were sent."""
    return [json.loads(record.request_body) for record in wire.wire if record.path == SEARCH]


def refuse(wire: FaultProxy, path: str, status: int, body: Any) -> None:
    """Let the server answer so from now on."""
    wire.inject("answer", path=path, times=None, status=status, body=body)


# -- variables -----------------------------------------------------------------------------------------------------


def test_variables_of_a_device_of_which_little_is_known(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    server.add_devices([uuid(1)])
    server.device(uuid(1)).shared = {}
    made = make()
    assert made.warnings == []
    host = made.host(uuid(1))
    created, updated = host.pop("mender_created_ts"), host.pop("mender_updated_ts")
    assert created == updated
    assert host == {
        "fleet_platform": "mender",
        "fleet_id": uuid(1),
        "fleet_name": None,
        "fleet_state": "accepted",
        "fleet_online": None,
        "fleet_software": None,
        "fleet_last_seen": f"{updated.rstrip('Z').partition('.')[0]}Z",
        "fleet_groups": [],
        "fleet_tags": None,
        "mender_id": uuid(1),
        "mender_name": None,
        "mender_status": "accepted",
        "mender_group": None,
        "mender_device_type": None,
        "mender_artifact_name": None,
        "mender_rootfs_version": None,
        "mender_check_in_time": None,
        "mender_attributes": None,
        "mender_tags": None,
    }
    assert paths(wire) == [SEARCH]


@pytest.mark.usefixtures("wire")
def test_variables_of_a_device_of_which_all_is_known(server: MenderServer, make: Any) -> None:
    attributes = {
        "rootfs-image.version": "os-2.1", "kernel": "6.1", "mem": 512, "ip": ["10.0.0.5/24", "fe80::1"],
        MAC: "00:11", "tags/name": "gw 1", "tags/ring": "canary", "system/check_in_time": "2026-11-20T00:00:00Z",
        "monitor/alerts": "true",
    }  # fmt: skip
    server.add_devices([uuid(1)], "gw-2", "os", "berlin", attributes)
    host = make(gather=["attributes", "tags"]).host(uuid(1))
    assert {name: value for name, value in host.items() if name.startswith("fleet_")} == {
        "fleet_platform": "mender",
        "fleet_id": uuid(1),
        "fleet_name": "gw 1",
        "fleet_state": "accepted",
        "fleet_online": None,
        "fleet_software": {"name": "os", "version": "os-2.1"},
        "fleet_last_seen": "2026-11-20T00:00:00Z",
        "fleet_groups": ["berlin"],
        "fleet_tags": ["name=gw 1", "ring=canary"],
    }
    assert host["mender_tags"] == {"name": "gw 1", "ring": "canary"}
    own = {name: value for name, value in host["mender_attributes"].items() if not name.startswith("system/")}
    assert own == {
        "device_type": "gw-2",
        "artifact_name": "os",
        "identity/status": "accepted",
        **{name: value for name, value in attributes.items() if not name.startswith("system/")},
    }
    assert (host["mender_group"], host["mender_device_type"], host["mender_name"]) == ("berlin", "gw-2", "gw 1")


def test_attributes_that_are_selected_are_all_that_is_sent(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    server.add_devices([uuid(1)], attributes={"kernel": "6.1", "secret": "x", MAC: "00:11", "tags/ring": "blue"})
    host = make(attributes=["kernel", MAC, "tags/ring", "none"]).host(uuid(1))
    assert host["mender_attributes"] == {"kernel": "6.1", MAC: "00:11", "tags/ring": "blue"}
    assert host["mender_tags"] is None
    assert "secret" not in wire.wire[0].response_body
    asked = {(one["scope"], one["attribute"]) for one in bodies(wire)[0]["attributes"]}
    assert {("inventory", "none"), ("identity", "mac"), ("inventory", "device_type"), ("system", "group")} <= asked


@pytest.mark.usefixtures("wire")
def test_a_device_cannot_make_up_attributes_of_its_admission(server: MenderServer, make: Any) -> None:
    faked = {"inventory/identity/mac": "faked", "inventory/tags/ring": "faked", "inventory/inventory/x": "own"}
    server.add_devices([uuid(1)], attributes={MAC: "true one", **faked})
    for options in ({"gather": ["attributes"]}, {"attributes": [MAC, "tags/ring", *faked]}):
        found = make(**options).host(uuid(1))["mender_attributes"]
        assert found[MAC] == "true one"
        assert "tags/ring" not in found
        assert found["inventory/identity/mac"] == "faked"


@pytest.mark.parametrize("server", ["seed"], indirect=True)
def test_older_list_gives_the_same(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    server.add_devices([uuid(2)], "gw", "os", "berlin", {"kernel": "6.1", "secret": "x", "tags/ring": "blue"})
    server.add_devices([uuid(1)], status="pending")
    server.add_devices([uuid(3)], status="rejected", group="paris")
    made = make(statuses=["accepted", "pending"], attributes=["kernel"], group_by=["tag", "group"])
    assert made.names == [uuid(1), uuid(2)]
    assert made.host(uuid(2))["mender_attributes"] == {"kernel": "6.1"}
    assert made.host(uuid(2))["mender_tags"] == {"ring": "blue"}
    assert made.groups == {"mender_tag_ring_blue": [uuid(2)], "mender_group_berlin": [uuid(2)]}
    assert paths(wire) == [SEARCH, LIST, LIST, ADMISSION]
    assert make(only_groups=["paris", "berlin"], statuses=["accepted", "rejected"]).names == [uuid(2), uuid(3)]


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("server", ["seed"], indirect=True)
def test_attributes_that_nobody_wants_are_not_kept(
    server: MenderServer, make: Any, cached: dict[str, Any], tmp_path: Path
) -> None:
    server.add_devices([uuid(1)], attributes={"kernel": "6.1", "secret": "x"})
    make(**cached, attributes=["kernel"])
    (kept,) = (tmp_path / "cache").iterdir()
    assert "kernel" in kept.read_text()
    assert "secret" not in kept.read_text()


# -- paging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", VERSIONS, indirect=True)
def test_many_devices_come_each_once_in_order(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    ids = server.add_devices(2603)
    server.inventory.unstable = True
    assert make().names == sorted(ids)
    if server.version == "4.1":
        assert paths(wire) == [SEARCH] * len(wire.wire)
        # one page first, and then each of four ranges
        assert len(wire.wire) <= 1 + 4 * 2
        assert {body["page"] for body in bodies(wire)} == {1}


def test_ids_that_are_not_random_are_one_range(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    ids = server.add_devices([uuid(number) for number in range(1203)])
    assert make().names == ids
    kinds = [[(term["type"], term["value"]) for term in body["filters"][1:]] for body in bodies(wire)]
    assert kinds[0] == []
    assert ("$gt", uuid(499)) in [kind[0] for kind in kinds[1:]]
    assert [kind[0] for kind in kinds if ("$gt", uuid(999)) in kind]


# -- which devices -------------------------------------------------------------------------------------------------


def test_statuses(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    for number, status in enumerate(("accepted", "pending", "preauthorized", "rejected", "noauth")):
        server.add_devices([uuid(number)], status=status)
    assert make().names == [uuid(0)]
    assert make(statuses=["pending", "rejected"], group_by=["status"]).groups == {
        "mender_status_pending": [uuid(1)],
        "mender_status_rejected": [uuid(3)],
    }
    wire.clear()
    everything = ["accepted", "pending", "preauthorized", "rejected", "noauth"]
    assert len(make(statuses=everything).names) == 5
    # whatever else there is
    assert bodies(wire)[0]["filters"] == []
    assert paths(wire) == [SEARCH, *[ADMISSION] * 4]


def test_devices_that_only_the_admission_knows(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    server.add_devices([uuid(2)], status="pending")
    unlisted = {
        "id": uuid(1), "identity_data": {"mac": "00:11", "serial": "x"}, "status": "pending",
        "created_ts": "2026-11-20T01:02:03.4Z", "updated_ts": "2026-11-20T02:02:03Z",
    }  # fmt: skip
    refuse(wire, ADMISSION, 200, [unlisted, {**unlisted, "id": uuid(2)}])
    made = make(statuses=["pending"], attributes=[MAC], group_by=["status"])
    assert made.groups == {"mender_status_pending": [uuid(1), uuid(2)]}
    host = made.host(uuid(1))
    assert host["mender_attributes"] == {MAC: "00:11"}
    assert (host["fleet_state"], host["mender_created_ts"]) == ("pending", "2026-11-20T01:02:03.4Z")
    assert host["fleet_last_seen"] == "2026-11-20T02:02:03Z"
    assert host.keys() == made.host(uuid(2)).keys()
    # what the inventory knows of a device is more
    assert made.host(uuid(2))["mender_device_type"] == "generic-x86_64"
    # these have nothing that they could be selected by
    assert make(statuses=["pending"], filters=[KERNEL]).names == []
    assert make(statuses=["pending"], only_groups=["x"]).names == []


def test_filters_and_groups(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    server.add_devices([uuid(1)], group="berlin", attributes={"kernel": "6.1"})
    server.add_devices([uuid(2)], group="paris", attributes={"kernel": "6.1"})
    server.add_devices([uuid(3)], group="berlin", attributes={"kernel": "5.4"})
    server.add_devices([uuid(4)], attributes={"kernel": "6.1"}, status="pending")
    assert make(filters=[KERNEL]).names == [uuid(1), uuid(2)]
    assert make(filters=[KERNEL], only_groups=["berlin"]).names == [uuid(1)]
    assert make(only_groups=["berlin", "nowhere", "paris"]).names == [uuid(1), uuid(2), uuid(3)]
    wire.clear()
    made = make(only_groups=["berlin"], groups_by_filters={"new": [KERNEL], "none": [{**KERNEL, "value": "7"}]})
    assert made.groups == {"new": [uuid(1)]}
    assert paths(wire) == [SEARCH] * 3


# -- groups --------------------------------------------------------------------------------------------------------


def test_group_by(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    attributes = {"tags/name": "one", "tags/ring": "canary 1", "tags/n": 7}
    server.add_devices([uuid(1)], "gw.2", "os-1", "berlin", attributes)
    server.add_devices([uuid(2)], "gw.2", "os-2")
    server.add_devices([uuid(3)], attributes={"device_type": ["a", "b"], "artifact_name": "os-2"})
    made = make(group_by=["status", "group", "device_type", "artifact_name", "tag"])
    assert made.warnings == []
    assert made.groups == {
        "mender_status_accepted": [uuid(1), uuid(2), uuid(3)],
        "mender_group_berlin": [uuid(1)],
        "mender_device_type_gw_2": [uuid(1), uuid(2)],
        "mender_device_type_a": [uuid(3)],
        "mender_device_type_b": [uuid(3)],
        "mender_artifact_name_os_1": [uuid(1)],
        "mender_artifact_name_os_2": [uuid(2), uuid(3)],
        "mender_tag_ring_canary_1": [uuid(1)],
        "mender_tag_n_7": [uuid(1)],
    }
    assert made.host(uuid(3))["mender_device_type"] == "a, b"
    assert make(group_by=["group"], group_prefix="").groups == {"group_berlin": [uuid(1)]}
    assert paths(wire) == [SEARCH] * 2


@pytest.mark.usefixtures("wire")
def test_online(server: MenderServer, make: Any) -> None:
    moment = "%Y-%m-%dT%H:%M:%SZ"
    for number, hours in enumerate((1, 5)):
        seen = time.strftime(moment, time.gmtime(time.time() - hours * 3600))
        server.add_devices([uuid(number)], attributes={"system/check_in_time": seen})
    server.add_devices([uuid(2)], attributes={"system/check_in_time": "0001-01-01T00:00:00Z"})
    made = make(online_within=3, group_by=["online"])
    # the last one has reported its inventory just now
    assert made.groups == {"mender_online": [uuid(0), uuid(2)], "mender_offline": [uuid(1)]}
    assert [made.host(uuid(number))["fleet_online"] for number in range(3)] == [True, False, True]
    assert make().host(uuid(0))["fleet_online"] is None


@pytest.mark.usefixtures("wire")
def test_constructed(server: MenderServer, make: Any, failure: Callable[..., str]) -> None:
    server.add_devices([uuid(1)], "gw", attributes={"hostname": "berlin-1"})
    server.add_devices([uuid(2)], "hub", attributes={"hostname": "paris-1"})
    made = make(
        attributes=["hostname"],
        compose={"site": "mender_attributes.hostname.split('-')[0]"},
        groups={"german": "site == 'berlin'"},
        keyed_groups=[{"key": "site", "prefix": "site"}, {"key": "mender_device_type", "prefix": "type"}],
        strict=True,
    )
    assert made.host(uuid(2))["site"] == "paris"
    assert made.groups == {
        "german": [uuid(1)],
        "site_berlin": [uuid(1)],
        "site_paris": [uuid(2)],
        "type_gw": [uuid(1)],
        "type_hub": [uuid(2)],
    }
    assert "no_such_variable" in failure(compose={"site": "no_such_variable"}, strict=True)


# -- names ---------------------------------------------------------------------------------------------------------


def test_hostnames(server: MenderServer, wire: FaultProxy, make: Any) -> None:
    server.access.settings = {"id_attribute": {"attribute": "serial", "scope": "identity"}}
    server.add_devices([uuid(1)], attributes={"identity/serial": "4711", "tags/name": "one"})
    server.add_devices([uuid(2)], attributes={"tags/name": "two", "hostname": "h2"})
    server.add_devices([uuid(3)], attributes={"hostname": ["-bad", "h3"]})
    server.add_devices([uuid(4)], attributes={"hostname": 17})
    server.add_devices([uuid(5)])
    made = make(hostnames=["id_attribute", "name", "attributes.hostname"])
    assert made.names == ["4711", "two", "h3", "17", uuid(5)]
    assert made.host("two")["mender_attributes"] is None
    assert paths(wire) == [SETTINGS, SEARCH]


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    "settings, name",
    [
        ({}, uuid(1)),
        ({"id_attribute": "mac"}, "00:11"),
        ({"id_attribute": "Device ID"}, uuid(1)),
        ({"id_attribute": {"attribute": "id", "scope": "identity"}}, uuid(1)),
        ({"id_attribute": {"attribute": "name", "scope": "tags"}}, "one"),
        ({"id_attribute": {"scope": "tags"}}, uuid(1)),
    ],
)
def test_attribute_that_the_web_interface_shows(
    settings: dict[str, Any], name: str, server: MenderServer, make: Any
) -> None:
    server.access.settings = settings
    server.add_devices([uuid(1)], attributes={MAC: "00:11", "tags/name": "one"})
    assert make(hostnames=["id_attribute"]).names == [name]


@pytest.mark.usefixtures("wire")
def test_devices_cannot_pass_themselves_off_as_something_else(server: MenderServer, make: Any) -> None:
    hostile = ["localhost", "all", "mender_status_accepted", "-oProxyCommand=reboot", "127.1", uuid(8), "gw", "gw"]
    for number, name in enumerate(hostile):
        server.add_devices([uuid(number)], attributes={"tags/name": name})
    server.add_devices([uuid(8)])
    made = make(hostnames=["name"], group_by=["status"])
    assert made.names == [uuid(number) for number in range(9)]
    assert made.manager.localhost.implicit
    assert "fleet_id" not in made.manager.groups["all"].vars
    assert len(made.warnings) == 4


@pytest.mark.usefixtures("wire")
def test_hostile_words_stay_words(server: MenderServer, make: Any) -> None:
    words = {
        "ansible_connection": "local",
        "ansible_host": "10.0.0.1",
        "x\x1b[31m": "\x1b[2J\x00",
        "{{ 1 + 1 }}": "{{ 1 }}",
    }
    server.add_devices([uuid(1)], attributes={**words, "tags/name": "a\x1b[31m", "tags/\x1b{{ x }}": "\n/etc"})
    made = make(gather=["attributes", "tags"], hostnames=["name"], group_by=["tag"])
    host = made.host(uuid(1))
    assert not [name for name in host if name.startswith("ansible_")]
    assert words.items() <= host["mender_attributes"].items()
    assert list(made.groups) == ["mender_tag_____x______etc"]
    (warning,) = made.warnings
    assert "\x1b" not in warning


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    "value, address",
    [
        ("10.0.0.5/24", "10.0.0.5"),
        (["127.0.0.1/8", "10.0.0.5/24"], "10.0.0.5"),
        (["fe80::1/64"], "fe80::1"),
        ("127.0.0.1/8", None),
        ("-oProxyCommand=reboot", None),
        ("{{ 1 }}", None),
        (12, None),
        (None, None),
    ],
)
def test_ansible_host(value: Any, address: str | None, server: MenderServer, make: Any) -> None:
    server.add_devices([uuid(1)], attributes={} if value is None else {"ipv4_eth0": value})
    host = make(ansible_host_from="attributes.ipv4_eth0").host(uuid(1))
    assert host.get("ansible_host") == address
    assert host["mender_attributes"] is None
    assert "ansible_host" not in make().host(uuid(1))


# -- failures ------------------------------------------------------------------------------------------------------

NO_SETTINGS = (
    "Cannot read the settings of the web interface: forbidden. Either the user may not do it, or the plan of this "
    "Mender account does not include it. (HTTP 403)"
)


def test_partial_failure(server: MenderServer, wire: FaultProxy, make: Any, failure: Callable[..., str]) -> None:
    server.add_devices([uuid(1)])
    refuse(wire, SETTINGS, 403, {"error": "forbidden"})
    options = {"hostnames": ["id_attribute"], "group_by": ["status"]}
    assert failure(**options) == NO_SETTINGS
    made = make(**options, on_partial_failure="warn")
    goes_on = "The inventory goes on without the attribute that the web interface shows."
    assert made.warnings == [f"fleet.deploy.mender: {NO_SETTINGS} {goes_on}"]
    assert made.groups == {"mender_status_accepted": [uuid(1)]}


def test_partial_failure_is_not_kept(
    server: MenderServer, wire: FaultProxy, make: Any, cached: dict[str, Any], tmp_path: Path
) -> None:
    server.add_devices([uuid(1)])
    server.add_devices([uuid(2)], status="pending")
    refuse(wire, ADMISSION, 403, {"error": "forbidden"})
    made = make(**cached, statuses=["accepted", "pending"], on_partial_failure="warn")
    assert made.names == [uuid(1), uuid(2)]
    assert "goes on without devices that only the admission knows." in made.warnings[0]
    assert list((tmp_path / "cache").iterdir()) == []


BOTH = (
    "give username and password, or token, as options or in the environment "
    "(MENDER_USERNAME, MENDER_PASSWORD, MENDER_TOKEN)"
)
WISHES = "id, name, id_attribute or attributes.KEY"


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"hostnames": ["serial"]}, f"hostnames has 'serial': give {WISHES}."),
        ({"hostnames": ["attributes."]}, f"hostnames has 'attributes.': give {WISHES}."),
        ({"ansible_host_from": "ip"}, "ansible_host_from is 'ip': give none or attributes.KEY."),
        ({"only_groups": ["a", ""]}, "only_groups has an empty entry: take it out."),
        ({"attributes": [""]}, "attributes has an empty entry: take it out."),
        ({"statuses": []}, "statuses is empty: give at least one status."),
        ({"online_within": 0}, "online_within is 0: give 1 hour or more."),
        (
            {"group_by": ["online"]},
            "group_by has 'online', which needs online_within: say after how many hours of silence.",
        ),
        (
            {"groups_by_filters": {"a-b": [KERNEL]}},
            "groups_by_filters has 'a-b', which cannot be the name of a group: use letters, digits and underscores.",
        ),
        (
            {"groups_by_filters": {"a": KERNEL}},
            "groups_by_filters.a is no list of filters: give at least one dictionary.",
        ),
        (
            {"token": "x", "token2fa": "123456"},
            "token and token2fa are both given: token2fa belongs to username and password.",
        ),
        ({"url": "ftp://x"}, "url is 'ftp://x': give an address such as https://updates.example.com."),
        (
            {"username": "somebody"},
            f"password is not set: {BOTH}.",
        ),
    ],
)
def test_options_that_cannot_be_meant(
    options: dict[str, Any], sentence: str, wire: FaultProxy, failure: Callable[..., str]
) -> None:
    assert failure(**options) == sentence
    assert wire.wire == []


FORM = "each is a dictionary of scope, attribute, type and value, as in the search of Mender's inventory API."
REFUSED = "(failed to decode request body: filters: scope, attribute or type is not valid)"


@pytest.mark.usefixtures("wire")
def test_filters_that_the_server_refuses(failure: Callable[..., str]) -> None:
    wrong = {**KERNEL, "type": "eq"}
    assert failure(filters=[wrong]) == f"filters has conditions that Mender refuses {REFUSED}: {FORM}"
    assert (
        failure(groups_by_filters={"x": [wrong]}, on_partial_failure="warn")
        == f"groups_by_filters has conditions for x that Mender refuses {REFUSED}: {FORM}"
    )


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("server", ["seed"], indirect=True)
def test_server_without_a_search(server: MenderServer, make: Any, failure: Callable[..., str]) -> None:
    why = (
        "is given, but this Mender server has no search of devices: select by only_groups and statuses, and make "
        "groups by group_by or keyed_groups."
    )
    server.add_devices([uuid(1)])
    assert failure(filters=[KERNEL]) == f"filters {why}"
    assert failure(groups_by_filters={"x": [KERNEL]}) == f"groups_by_filters {why}"
    made = make(groups_by_filters={"x": [KERNEL]}, on_partial_failure="warn")
    assert made.names == [uuid(1)]
    assert made.warnings == [f"fleet.deploy.mender: groups_by_filters {why} The inventory goes on without group x."]


def test_not_a_mender(wire: FaultProxy, failure: Callable[..., str]) -> None:
    refuse(wire, "", 404, {"detail": "Not Found"})
    assert failure() == (
        f"url is '{wire.url}', but what answers there does not behave like Mender: give the base address of a Mender "
        "server."
    )


# -- connection ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("wire")
def test_password(server: MenderServer, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add_devices(700)
    monkeypatch.delenv("MENDER_TOKEN")
    monkeypatch.setenv("MENDER_USERNAME", server.username)
    monkeypatch.setenv("MENDER_PASSWORD", server.password)
    assert len(make().names) == 700
    assert server.logins == 1


@pytest.mark.usefixtures("wire")
def test_second_factor(
    server: MenderServer, make: Any, failure: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.access.users[server.username].two_factor = "123456"
    server.add_devices([uuid(1)])
    monkeypatch.setenv("CODE", "123456")
    given = {"username": server.username, "password": server.password}
    code = "{{ lookup('ansible.builtin.env', 'CODE') }}"
    assert make(**given, token2fa=code).names == [uuid(1)]
    assert failure(**given) == (
        f"Cannot log in as '{server.username}': the server refused the credentials (401); check username and password; "
        "a user with a second factor needs token2fa too."
    )


def test_credentials_of_the_file_switch_off_those_of_the_environment(
    server: MenderServer, wire: FaultProxy, make: Any
) -> None:
    make(username=server.username, password=server.password)
    assert paths(wire) == [LOGIN, SEARCH]
    assert wire.wire[0].auth == "Basic"


@pytest.mark.usefixtures("wire")
def test_templates_of_the_file(server: MenderServer, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add_devices([uuid(1)])
    monkeypatch.setenv("SOMEWHERE", os.environ["MENDER_URL"])
    monkeypatch.setenv("SOMETHING", server.token)
    monkeypatch.delenv("MENDER_URL")
    monkeypatch.setenv("MENDER_TOKEN", "{{ 1 + 1 }}")
    lookup = "{{{{ lookup('ansible.builtin.env', '{}') }}}}"
    assert make(url=lookup.format("SOMEWHERE"), token=lookup.format("SOMETHING")).names == [uuid(1)]


def test_address_without_one_is_the_public_one(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MENDER_URL", raising=False)
    seen = []
    plugin = type(inventory_loader.get("fleet.deploy.mender"))

    def fetch(_self: Any, connection: Any) -> dict[str, Any]:
        seen.append(connection.url)
        return {"devices": [], "groups": {}, "id_attribute": None}

    monkeypatch.setattr(plugin, "fetch", fetch)
    make(token="x")
    assert seen == ["https://hosted.mender.io"]


# -- cache ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path: Path) -> dict[str, Any]:
    """Options of a cache in a file."""
    return {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
        "cache_timeout": 60,
    }


def test_cache_is_read(
    server: MenderServer, wire: FaultProxy, make: Any, cached: dict[str, Any], tmp_path: Path
) -> None:
    server.access.settings = {"id_attribute": {"attribute": "mac", "scope": "identity"}}
    server.add_devices([uuid(1)], group="berlin", attributes={MAC: "00:11", "tags/ring": "blue", "n": [1, "x"]})
    options = {**cached, "group_by": ["tag", "group"], "gather": ["attributes"], "hostnames": ["id_attribute"],
               "groups_by_filters": {"some": [{**KERNEL, "type": "$exists", "value": False}]}}  # fmt: skip
    first = make(**options)
    asked = len(wire.wire)
    second = make(**options)
    assert len(wire.wire) == asked
    assert second.names == ["00:11"]
    assert second.host("00:11") == first.host("00:11")
    assert second.groups == first.groups == {
        "mender_tag_ring_blue": ["00:11"], "mender_group_berlin": ["00:11"], "some": ["00:11"],
    }  # fmt: skip
    (kept,) = (tmp_path / "cache").iterdir()
    assert uuid(1) in kept.read_text()
    for text in (kept.read_text(), kept.name, json.dumps(first.host("00:11"))):
        assert server.token not in text


@pytest.mark.parametrize(
    "changed, again",
    [
        ({"statuses": ["accepted", "pending"]}, True),
        ({"only_groups": ["x"]}, True),
        ({"filters": [KERNEL]}, True),
        ({"gather": ["tags"]}, True),
        ({"group_by": ["tag"]}, True),
        ({"groups_by_filters": {"x": [KERNEL]}}, True),
        ({"attributes": ["hw"]}, True),
        ({"hostnames": ["attributes.hostname"]}, True),
        ({"ansible_host_from": "attributes.ip"}, True),
        ({"compose": {"x": "1"}}, False),
        ({"group_prefix": "x_"}, False),
        ({"online_within": 1}, False),
    ],
)
def test_what_makes_a_new_entry(
    changed: dict[str, Any], again: bool, wire: FaultProxy, make: Any, cached: dict[str, Any]
) -> None:
    make(**cached)
    assert len(wire.wire) == 1
    make(**cached, **changed)
    assert (len(wire.wire) > 1) == again


def test_every_option_is_in_one_of_both_lists() -> None:
    """An option that decides what is fetched and is not in FETCH_OPTIONS would read what another one has kept."""
    plugin = type(inventory_loader.get("fleet.deploy.mender"))
    options = yaml.safe_load(PLUGIN.read_text().split('DOCUMENTATION = r"""')[1].split('"""')[0])["options"]
    assert set(options) - set(plugin.FETCH_OPTIONS) == {"plugin", "online_within", "group_prefix"}


def test_refresh_does_not_read_the_cache(
    server: MenderServer, wire: FaultProxy, make: Any, cached: dict[str, Any]
) -> None:
    made = make(**cached)
    server.add_devices([uuid(1)])
    made.manager.refresh_inventory()
    assert made.names == [uuid(1)]
    assert make(**cached).names == [uuid(1)]
    assert len(wire.wire) == 2


# -- the program ---------------------------------------------------------------------------------------------------


def ansible(program: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the ansible-core under test."""
    command = [sys.executable, "-m", f"ansible.cli.{program}", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_device_data_is_never_evaluated(server: MenderServer, wire: FaultProxy, tmp_path: Path) -> None:
    """A device of this name would run a command on the control node with ansible-core 2.18."""
    proof = tmp_path / "proof"
    hostile = f"{{{{ lookup('ansible.builtin.pipe', 'touch {proof}') }}}}"
    bare = f"lookup('ansible.builtin.pipe', 'touch {proof}')|string"
    server.add_devices([uuid(1)], hostile, hostile, attributes={
        "tags/name": hostile, f"tags/{hostile}": hostile, hostile: hostile, "bare": bare, "many": [hostile],
        "ansible_connection": "local", "identity/mac": hostile,
    })  # fmt: skip
    (tmp_path / "x.mender.yml").write_text(
        yaml.safe_dump(
            {
                "plugin": "fleet.deploy.mender",
                "gather": ["attributes", "tags"],
                "group_by": ["tag", "device_type", "artifact_name"],
                "hostnames": ["name"],
                "compose": {"composed": "fleet_name", "deep": "mender_attributes"},
                "keyed_groups": [{"key": "fleet_name", "prefix": "k"}],
                "cache": True,
                "cache_plugin": "ansible.builtin.jsonfile",
                "cache_connection": str(tmp_path / "cache"),
            }
        )
    )
    looked = "inventory_hostname ~ fleet_name ~ mender_attributes.bare ~ composed ~ (mender_tags | string) ~ fleet_tags"
    tasks = [
        {"ansible.builtin.debug": {"msg": f"{{{{ {looked} }}}}"}},
        {"ansible.builtin.debug": {"var": "{{ mender_attributes.bare }}"}, "ignore_errors": True},
        {"ansible.builtin.debug": {"var": "hostvars[inventory_hostname]"}},
        {"ansible.builtin.set_fact": {"copied": "{{ fleet_software }}", "all": "{{ mender_attributes }}"}},
        {"ansible.builtin.debug": {"msg": "{{ [copied, deep, group_names, groups] }}"}},
    ]
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks}])
    )
    requests = []
    for _from in ("server", "cache"):
        done = ansible("playbook", "-i", "x.mender.yml", "play.yml", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "lookup(" in done.stdout
        assert not proof.exists()
        requests.append(len(wire.wire))
    assert requests == [1, 1], "the second run was to read the cache"


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("arguments", [["--graph"], ["--list"], ["--host", uuid(1)]])
def test_nothing_is_said_beside_the_inventory(arguments: list[str], server: MenderServer, tmp_path: Path) -> None:
    server.add_devices([uuid(1)], group="x-y", attributes={"tags/a b": "c/d"})
    (tmp_path / "x.mender.yaml").write_text("plugin: fleet.deploy.mender\ngroup_by: [group, tag, status]\n")
    done = ansible("inventory", "-i", "x.mender.yaml", *arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert uuid(1) in done.stdout


@pytest.mark.parametrize("name", ["x.yml", "mender.json", "mender.yml.bak", "x.hawkbit.yml"])
def test_other_files_are_not_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("plugin: fleet.deploy.mender\n")
    assert inventory_loader.get("fleet.deploy.mender").verify_file(str(path)) is False


@pytest.mark.usefixtures("wire")
def test_first_example_and_the_sample_work_as_they_stand(server: MenderServer, tmp_path: Path) -> None:
    server.add_devices([uuid(1)], "raspberrypi4", "os-2.1")
    example = documentation()[1].strip().removeprefix("---").split("\n---\n")[0]
    for text in (example, (ROOT / "playbooks" / "inventory" / "fleet.mender.yml").read_text()):
        (tmp_path / "fleet.mender.yml").write_text(text)
        done = ansible("inventory", "-i", "fleet.mender.yml", "--graph", cwd=tmp_path)
        assert done.stderr == ""
        assert "@mender_device_type_raspberrypi4" in done.stdout


THE_EXAMPLES = list(yaml.safe_load_all(PLUGIN.read_text().split('EXAMPLES = r"""')[1].split('"""')[0]))


@pytest.mark.parametrize("example", THE_EXAMPLES, ids=lambda example: "-".join(list(example)[-2:]))
def test_examples(
    example: dict[str, Any],
    server: MenderServer,
    wire: FaultProxy,
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MENDER_ADMIN_TOKEN", server.token)
    monkeypatch.setenv("HOME", str(tmp_path))
    attributes = {"kernel": "Linux version 6.1", "tags/ring": "blue", "disk_free_mb": 100, "ipv4_eth0": "10.0.0.5/24"}
    for number, site in enumerate(("berlin", "paris")):
        server.add_devices([uuid(number)], group=site, attributes={**attributes, "hostname": f"{site}-1"})
    if "url" in example:
        example["url"] = example["url"].replace("https://mender.example.com", wire.url)
    made = make(**example)
    assert len(made.names) == 2
    assert made.warnings == []
    if "cache" in example:
        assert list((tmp_path / ".cache" / "ansible-inventory").iterdir())
    elif "ansible_host_from" in example:
        assert made.host("paris-1")["ansible_host"] == "10.0.0.5"
    elif "filters" in example:
        assert made.host(uuid(0))["mender_attributes"] == {"kernel": "Linux version 6.1"}
    else:
        assert made.groups


# -- documentation -------------------------------------------------------------------------------------------------


def documentation(path: Path = PLUGIN) -> tuple[dict[str, Any], str]:
    """Return a plugin's documentation, doc fragments included, and its examples as text."""
    kind = path.parent.name.removesuffix("s")
    doc, examples, _returned, _metadata = get_docstring(
        str(path), fragment_loader, collection_name="fleet.deploy", is_module=kind == "module", plugin_type=kind
    )
    return doc, examples


def test_connection_options_are_those_of_the_modules() -> None:
    inventory = documentation()[0]["options"]
    modules = documentation(ROOT / "plugins" / "modules" / "deployment.py")[0]["options"]
    for name in (*CONNECTION, "token2fa"):
        assert inventory[name]["type"] == modules[name]["type"], name
        assert inventory[name].get("default") == modules[name].get("default"), name
        variable = f"MENDER_{name.upper()}"
        # those of the credentials are explained once, at the user's name
        told = f"E({variable})" in str([modules[name], modules["username"]])
        assert [entry["name"] for entry in inventory[name].get("env", [])] == [variable] * told, name


@pytest.mark.usefixtures("wire")
def test_documented_variables_are_those_there_are(server: MenderServer, make: Any) -> None:
    server.add_devices([uuid(1)])
    doc = documentation()[0]
    text = " ".join([*doc["description"], *doc["notes"]])
    documented = set(re.findall(r"C\(((?:mender|fleet)_\w+)\)", text))
    assert documented == set(make().host(uuid(1)))
