"""The inventory plugin mender with ansible-inventory and ansible-playbook, on simulated servers of each version."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from integration.playing import Player

from servers.fault_proxy import FaultProxy
from servers.mender import MenderServer

SEARCH = "/api/management/v2/inventory/filters/search"
LIST = "/api/management/v1/inventory/devices"
LOGIN = "/api/management/v1/useradm/auth/login"
SERVERS = [
    ("seed", "open_source"),
    ("4.5", "open_source"),
    ("4.0", "open_source"),
    ("4.1", "open_source"),
    ("4.1", "enterprise"),
]
MANY = 1501
# a device's own words; ansible-core 2.18 would run this where a variable is used
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch HACKED') }}"
KERNEL = {"scope": "inventory", "attribute": "kernel", "type": "$eq", "value": "6.1"}
GROUP_BY = ["status", "group", "device_type", "artifact_name", "tag", "online"]


def uuid(number: int) -> str:
    """Return the id of a device; numbers are in the order of the ids."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def parsed(listed: str) -> Any:
    """Return what ansible-inventory lists, without the marks of what is never taken for a template."""
    return json.loads(listed, object_hook=lambda found: found.get("__ansible_unsafe", found))


@dataclass
class Place:
    """A server, the proxy in front of it, and what runs programs of Ansible."""

    server: MenderServer
    proxy: FaultProxy
    player: Player

    @property
    def searches(self) -> bool:
        """Whether the server has a search of devices."""
        return self.server.version != "seed"

    def inventory(self, options: dict[str, Any], *arguments: str, **more: str) -> Any:
        """Run ansible-inventory; return what it lists, or what it printed if it is to do something else."""
        (self.player.folder / "x.mender.yml").write_text(yaml.safe_dump({"plugin": "fleet.deploy.mender", **options}))
        status, stdout, stderr = self.player.program(
            "ansible-inventory", "-i", "x.mender.yml", *(arguments or ["--list"]), **{**self.environment, **more}
        )
        assert status == 0, stderr
        assert "Traceback" not in stderr
        if arguments:
            return stdout, stderr
        assert stderr == ""
        return parsed(stdout)

    @property
    def environment(self) -> dict[str, str]:
        """Where it is and who asks."""
        return {"MENDER_URL": self.proxy.url, "MENDER_USERNAME": self.server.username,
                "MENDER_PASSWORD": self.server.password}  # fmt: skip


@pytest.fixture(scope="module", params=SERVERS, ids="-".join)
def server(request: pytest.FixtureRequest) -> Iterator[MenderServer]:
    """A server with five devices, of which three are accepted."""
    version, edition = request.param
    with MenderServer(version, edition) as found:
        found.access.settings = {"id_attribute": {"attribute": "serial", "scope": "identity"}}
        own = {"kernel": "6.1", "identity/serial": "4711", "tags/ring": "canary", "ipv4_eth0": ["10.0.0.5/24"]}
        found.add_devices([uuid(1)], "gateway", "os-2.1", "berlin", own)
        found.add_devices([uuid(2)], "gateway", "os-2.0", "paris", {"kernel": "5.4", "tags/name": HOSTILE})
        found.add_devices([uuid(3)], HOSTILE, HOSTILE, attributes={HOSTILE: HOSTILE, "ansible_connection": "local"})
        found.add_devices([uuid(4)], status="pending")
        found.add_devices([uuid(5)], status="rejected")
        yield found


@pytest.fixture
def place(server: MenderServer, tmp_path: Path) -> Iterator[Place]:
    """The server with a wire of its own."""
    with FaultProxy(server.url) as proxy:
        yield Place(server, proxy, Player(tmp_path))


def test_inventory(place: Place) -> None:
    options = {"group_by": GROUP_BY, "online_within": 1, "gather": ["attributes"], "statuses": ["accepted", "pending"]}
    if place.searches:
        options["groups_by_filters"] = {"new_kernel": [KERNEL]}
    listed = place.inventory(options)
    hosts = listed["_meta"]["hostvars"]
    assert list(hosts) == [uuid(number) for number in range(1, 5)]
    groups = {name: sorted(group.get("hosts", [])) for name, group in listed.items() if name not in ("_meta", "all")}
    named = {name: [host[:8].lstrip("0") for host in found] for name, found in groups.items()}
    hostile = "lookup__ansible_builtin_pipe____touch_HACKED"
    expected = {
        "mender_status_accepted": ["1", "2", "3"],
        "mender_status_pending": ["4"],
        "mender_group_berlin": ["1"],
        "mender_group_paris": ["2"],
        "mender_device_type_gateway": ["1", "2"],
        f"mender_device_type____{hostile}_____": ["3"],
        "mender_device_type_generic_x86_64": ["4"],
        "mender_artifact_name_os_2_1": ["1"],
        "mender_artifact_name_os_2_0": ["2"],
        f"mender_artifact_name____{hostile}_____": ["3"],
        "mender_artifact_name_factory": ["4"],
        "mender_tag_ring_canary": ["1"],
        "mender_online": ["1", "2", "3", "4"],
        **({"new_kernel": ["1"]} if place.searches else {}),
    }
    assert named == expected
    assert len({frozenset(variables) for variables in hosts.values()}) == 1
    first, second, third = (hosts[uuid(number)] for number in (1, 2, 3))
    assert first["fleet_software"] == {"name": "os-2.1", "version": None}
    assert (first["fleet_groups"], first["fleet_tags"]) == (["berlin"], ["ring=canary"])
    assert first["mender_attributes"]["ipv4_eth0"] == ["10.0.0.5/24"]
    assert second["fleet_name"] == HOSTILE
    assert third["mender_attributes"][HOSTILE] == HOSTILE
    assert not [name for name in third if name.startswith("ansible_")]
    # POSTs that read
    assert [record.path for record in place.proxy.wire if record.is_write and record.path not in (SEARCH, LOGIN)] == []
    assert [record.path for record in place.proxy.wire].count(LOGIN) == 1


def test_plain_inventory_is_one_request_and_silent(place: Place) -> None:
    stdout, stderr = place.inventory({"group_by": ["device_type"]}, "--graph", MENDER_TOKEN=place.server.token)
    assert stderr == ""
    assert "@mender_device_type_gateway" in stdout
    assert [record.path for record in place.proxy.wire] == ([SEARCH] if place.searches else [SEARCH, LIST])


def test_hostnames_and_addresses(place: Place) -> None:
    options = {"hostnames": ["id_attribute", "name"], "ansible_host_from": "attributes.ipv4_eth0"}
    stdout, stderr = place.inventory(options, "--list")
    hosts = parsed(stdout)["_meta"]["hostvars"]
    assert sorted(hosts) == [uuid(2), uuid(3), "4711"]
    assert [name for name in hosts if "ansible_host" in hosts[name]] == ["4711"]
    assert hosts["4711"]["ansible_host"] == "10.0.0.5"
    assert "cannot be the name of a host" in stderr


def test_no_secret_anywhere(place: Place) -> None:
    options = {
        "group_by": ["tag", "status"], "gather": ["attributes"], "hostnames": ["id_attribute"], "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(place.player.folder / "cache"),
    }  # fmt: skip
    texts = [*place.inventory(options, "--list", "-vvvvv"), *place.inventory(options, "--list")]
    place.proxy.inject("answer", path=f"{SEARCH}|{LIST}", times=None, status=500, body={"error": "internal error"})
    texts += place.inventory({}, "--list", "-vvvvv")
    (kept,) = [path for path in (place.player.folder / "cache").rglob("*") if path.is_file()]
    texts += [str(kept), kept.read_text()]
    assert any(uuid(1) in text for text in texts)
    assert any("internal error" in text for text in texts)
    # what a login answers is one too
    logins = [record.response_body.strip() for record in place.proxy.wire if record.path == LOGIN]
    assert len(logins) == 2
    given = {place.server.password, place.server.token, *logins}
    for secret in given:
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]):
            assert not any(form in text for text in texts)


@pytest.mark.parametrize("cached", [False, True])
def test_device_data_stays_text(cached: bool, place: Place) -> None:
    options: dict[str, Any] = {"gather": ["attributes"]}
    if cached:
        kept = str(place.player.folder / "cache")
        options |= {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": kept}
    place.inventory(options)
    place.proxy.clear()
    words = "{{ fleet_name ~ fleet_software ~ mender_attributes }}"
    tasks = [
        {"ansible.builtin.set_fact": {"copied": words}},
        {"ansible.builtin.debug": {"msg": "{{ copied }} {{ mender_attributes }}"}},
    ]
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks}
    (place.player.folder / "play.yml").write_text(yaml.safe_dump([play]))
    status, stdout, _stderr = place.player.program(
        "ansible-playbook", "-i", "x.mender.yml", "play.yml", **place.environment
    )
    assert status == 0, stdout
    assert "touch HACKED" in stdout
    assert not (place.player.folder / "HACKED").exists()
    assert (place.proxy.wire == []) == cached


@pytest.mark.parametrize("fault", ["503", "reset_before", "429_empty", "cut_body", "html"])
def test_passing_fault(fault: str, place: Place) -> None:
    rule = place.proxy.inject(fault, path=f"{SEARCH if place.searches else LIST}$")
    listed = place.inventory({})
    assert len(listed["_meta"]["hostvars"]) == 3
    assert rule.hits == 1


def test_wrong_password(place: Place) -> None:
    stdout, stderr = place.inventory({}, "--graph", MENDER_PASSWORD="not-this-one")
    said = (
        f"Cannot log in as '{place.server.username}': the server refused the credentials (401); check username and "
        "password; a user with a second factor needs token2fa too."
    )
    assert said in " ".join(stderr.split())
    assert "not-this-one" not in stdout + stderr


def test_many_devices(server: MenderServer, tmp_path: Path) -> None:
    with MenderServer(server.version, server.edition) as crowded, FaultProxy(crowded.url) as proxy:
        crowded.inventory.unstable = True
        ids = sorted(crowded.add_devices(MANY))
        listed = Place(crowded, proxy, Player(tmp_path)).inventory({"group_by": ["status"]})
        assert list(listed["_meta"]["hostvars"]) == ids
        assert sorted(listed["mender_status_accepted"]["hosts"]) == ids
        if server.version == "4.1":
            # a login, a page, and one or two of each range
            assert len(proxy.wire) <= 2 + 2 * 3
