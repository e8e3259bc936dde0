"""The inventory plugin hawkbit on a real server: what ansible-inventory shows, what it costs, what it never shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml
from integration.playing import Player

if TYPE_CHECKING:
    import requests

    from servers.fault_proxy import FaultProxy
    from servers.hawkbit import HawkbitServer

PREFIX = "inv-"
MANY = 1001
# a device's own words; ansible-core 2.18 would run this where a variable is used
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch HACKED') }}"
GATHER = ["tags", "attributes", "metadata", "installed_distribution_set", "assigned_distribution_set"]
GROUP_BY = ["update_status", "target_type", "group", "tag", "online"]


def post(session: requests.Session, address: str, body: Any) -> Any:
    """Send something that must succeed; return the answer's body."""
    answer = session.post(address, json=body, timeout=60)
    assert answer.ok, answer.text
    return answer.json() if answer.content else None


@dataclass
class Fleet:
    """What is on the server, and the secrets that are nobody's business."""

    server: HawkbitServer
    secrets: list[str]
    has_groups: bool


@pytest.fixture(scope="module")
def fleet_of_five(hawkbit: HawkbitServer) -> Iterator[Fleet]:
    """Five targets: one polls and reports attributes, two have software installed, one is to get some."""
    from servers.devices import SimulatedFleet

    root = f"{hawkbit.url}/rest/v1"
    modern = hawkbit.generation == "modern"
    ids = [f"{PREFIX}{number}" for number in range(1, 5)]
    with hawkbit.session() as session:
        group = {"group": "Europe/Berlin"} if modern else {}
        bodies = [{"controllerId": cid, "name": f"Target {cid}", "address": f"http://10.0.0.{cid[-1]}"} for cid in ids]
        post(session, f"{root}/targets", [{**bodies[0], **group}, {**bodies[1], "name": HOSTILE[:128]}, *bodies[2:]])
        software = post(session, f"{root}/softwaremodules", [{"name": "inv-os", "version": "1", "type": "os"}])
        sets = [
            {"name": "inv os", "version": version, "type": "os", "modules": [{"id": software[0]["id"]}]}
            for version in ("1.0", "2.0")
        ]
        # the answer's order is not that of the request
        set_ids = {found["version"]: found["id"] for found in post(session, f"{root}/distributionsets", sets)}
        installed, assigned = (f"{root}/distributionsets/{set_ids[version]}" for version in ("1.0", "2.0"))
        post(session, f"{installed}/assignedTargets?offline=true", [{"id": cid} for cid in ids[:2]])
        # a set that was removed after use
        assert session.delete(installed, timeout=60).ok
        post(session, f"{assigned}/assignedTargets", [{"id": cid} for cid in ids[1:3]])
        (tag,) = post(session, f"{root}/targettags", [{"name": "inv canary"}])
        tagged = f"{root}/targettags/{tag['id']}/assigned"
        if hawkbit.generation == "seed" or hawkbit.version == "0.3.0":
            post(session, tagged, [{"controllerId": ids[0]}])
        else:
            post(session, f"{tagged}/{ids[0]}", None)
        post(session, f"{root}/targets/{ids[3]}/metadata", [{"key": "site", "value": "hall 1"}])
        with SimulatedFleet(hawkbit.url, hawkbit.gateway_token, poll_interval=0.5) as devices:
            devices.add([f"{PREFIX}5"], attributes={"hostname": "gw-5", "serial": HOSTILE})
            devices.wait(lambda fleet: fleet.events("attributes"))
        found = session.get(f"{root}/targets", params={"q": f"controllerid=={PREFIX}*"}, timeout=60).json()["content"]
        tokens = [target["securityToken"] for target in found]
        assert len(tokens) == 5
        yield Fleet(hawkbit, [*tokens, hawkbit.password, hawkbit.reader_password], modern)
        for number in range(1, 6):
            session.delete(f"{root}/targets/{PREFIX}{number}", timeout=60)


@pytest.fixture
def player(tmp_path: Path) -> Player:
    """Runs programs of Ansible in a folder of this test."""
    return Player(tmp_path)


def inventory(player: Player, server: HawkbitServer, options: dict[str, Any], *arguments: str, **more: str) -> Any:
    """Run ansible-inventory; return what it lists, if it is to list, and all that it printed."""
    (player.folder / "x.hawkbit.yml").write_text(yaml.safe_dump({"plugin": "fleet.deploy.hawkbit", **options}))
    environment = {"HAWKBIT_URL": server.url, "HAWKBIT_USERNAME": server.username, "HAWKBIT_PASSWORD": server.password}
    status, stdout, stderr = player.program(
        "ansible-inventory", "-i", "x.hawkbit.yml", *(arguments or ["--list"]), **{**environment, **more}
    )
    assert status == 0, stderr
    assert "Traceback" not in stderr
    if arguments:
        return stdout, stderr
    assert stderr == ""
    return json.loads(stdout, object_hook=lambda found: found.get("__ansible_unsafe", found))


def test_inventory(fleet_of_five: Fleet, proxy: FaultProxy, player: Player) -> None:
    options = {
        "query": f"controllerid=={PREFIX}*",
        "group_by": GROUP_BY,
        "gather": GATHER,
        "groups_by_query": {"hall_1": "metadata.site==hall*", "gw": "attribute.hostname==gw-5"},
    }
    listed = inventory(player, fleet_of_five.server, options, HAWKBIT_URL=proxy.url)
    hosts = listed["_meta"]["hostvars"]
    assert list(hosts) == [f"{PREFIX}{number}" for number in range(1, 6)]
    first, second, third, fourth, fifth = hosts.values()

    groups = {name: sorted(group.get("hosts", [])) for name, group in listed.items() if name not in ("_meta", "all")}
    expected = {
        "hall_1": ["inv-4"],
        "gw": ["inv-5"],
        "hawkbit_online": ["inv-5"],
        "hawkbit_offline": ["inv-1", "inv-2", "inv-3", "inv-4"],
        "hawkbit_tag_inv_canary": ["inv-1"],
        "hawkbit_update_status_in_sync": ["inv-1"],
        "hawkbit_update_status_pending": ["inv-2", "inv-3"],
        "hawkbit_update_status_registered": ["inv-5"],
        "hawkbit_update_status_unknown": ["inv-4"],
    }
    if fleet_of_five.has_groups:
        expected |= {"hawkbit_group_Europe": [], "hawkbit_group_Europe_Berlin": ["inv-1"]}
        assert listed["hawkbit_group_Europe"]["children"] == ["hawkbit_group_Europe_Berlin"]
    assert groups == expected

    assert len({frozenset(variables) for variables in hosts.values()}) == 1
    assert {variables["fleet_platform"] for variables in hosts.values()} == {"hawkbit"}
    assert first["fleet_software"] == second["fleet_software"] == {"name": "inv os", "version": "1.0"}
    assert third["fleet_software"] is None
    assert [host["hawkbit_assigned_distribution_set"]["version"] for host in (first, second, third)] == [
        "1.0",
        "2.0",
        "2.0",
    ]
    assert fourth["hawkbit_assigned_distribution_set"] is None
    assert first["fleet_tags"] == ["inv canary"]
    assert second["fleet_name"] == HOSTILE
    assert fourth["hawkbit_metadata"] == {"site": "hall 1"}
    assert fifth["hawkbit_attributes"] == {"hostname": "gw-5", "serial": HOSTILE}
    assert fifth["fleet_last_seen"].endswith("Z")
    assert fourth["fleet_last_seen"] is None
    assert proxy.writes == []


def test_plain_inventory_is_one_request_and_silent(fleet_of_five: Fleet, proxy: FaultProxy, player: Player) -> None:
    options = {"query": f"controllerid=={PREFIX}*", "group_by": ["online"]}
    stdout, stderr = inventory(player, fleet_of_five.server, options, "--graph", HAWKBIT_URL=proxy.url)
    assert stderr == ""
    assert "@hawkbit_online" in stdout
    # up to 0.5 lists have no poll status, so it is asked who is overdue
    wanted = 2 if fleet_of_five.server.version.startswith("0.3.") else 1
    assert [record.path for record in proxy.wire] == ["/rest/v1/targets"] * wanted


def test_hostnames_and_addresses(fleet_of_five: Fleet, player: Player) -> None:
    options = {
        "query": f"controllerid=={PREFIX}*",
        "hostnames": ["attributes.hostname", "address"],
        "ansible_host_from": "ip_address",
    }
    hosts = inventory(player, fleet_of_five.server, options)["_meta"]["hostvars"]
    assert sorted(hosts) == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "gw-5"]
    assert hosts["10.0.0.1"]["ansible_host"] == "10.0.0.1"
    # it polls from the control node itself
    assert "ansible_host" not in hosts["gw-5"]


def test_no_secret_anywhere(fleet_of_five: Fleet, player: Player) -> None:
    options = {
        "query": f"controllerid=={PREFIX}*",
        "group_by": GROUP_BY,
        "gather": GATHER,
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(player.folder / "cache"),
    }
    server = fleet_of_five.server
    texts = [*inventory(player, server, options, "--list", "-vvvvv"), *inventory(player, server, options, "--list")]
    (player.folder / "bad.hawkbit.yml").write_text("plugin: fleet.deploy.hawkbit\nquery: '(('\n")
    told = player.program(
        "ansible-inventory", "-i", "bad.hawkbit.yml", "--list", "-vvvvv",
        HAWKBIT_URL=server.url, HAWKBIT_USERNAME=server.username, HAWKBIT_PASSWORD=server.password,
    )  # fmt: skip
    texts += told[1:]
    kept = [path for path in (player.folder / "cache").rglob("*") if path.is_file()]
    assert len(kept) == 1
    texts += [str(kept[0]), kept[0].read_text()]
    assert any(f"{PREFIX}1" in text for text in texts)
    for secret in fleet_of_five.secrets:
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]):
            assert not any(form in text for text in texts)


@pytest.mark.parametrize("cached", [False, True])
def test_device_data_stays_text(cached: bool, fleet_of_five: Fleet, proxy: FaultProxy, player: Player) -> None:
    options: dict[str, Any] = {"query": f"controllerid=={PREFIX}*", "gather": ["attributes"]}
    if cached:
        kept = str(player.folder / "cache")
        options |= {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": kept}
    server = fleet_of_five.server
    inventory(player, server, options, HAWKBIT_URL=proxy.url)
    proxy.clear()
    words = "{{ fleet_name ~ hawkbit_attributes.serial | default('') }}"
    tasks = [
        {"ansible.builtin.set_fact": {"copied": words}},
        {"ansible.builtin.debug": {"msg": "{{ copied }} {{ hawkbit_attributes }}"}},
    ]
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks}
    (player.folder / "play.yml").write_text(yaml.safe_dump([play]))
    status, stdout, _stderr = player.program(
        "ansible-playbook", "-i", "x.hawkbit.yml", "play.yml",
        HAWKBIT_URL=proxy.url, HAWKBIT_USERNAME=server.username, HAWKBIT_PASSWORD=server.password,
    )  # fmt: skip
    assert status == 0, stdout
    assert "touch HACKED" in stdout
    assert not (player.folder / "HACKED").exists()
    assert (proxy.wire == []) == cached


@pytest.mark.parametrize("fault", ["503", "reset_before", "429_empty", "cut_body", "html"])
def test_passing_fault(fault: str, fleet_of_five: Fleet, proxy: FaultProxy, player: Player) -> None:
    rule = proxy.inject(fault, path="/targets$")
    listed = inventory(player, fleet_of_five.server, {"query": f"controllerid=={PREFIX}*"}, HAWKBIT_URL=proxy.url)
    assert len(listed["_meta"]["hostvars"]) == 5
    assert rule.hits == 1


def test_user_who_may_only_read_targets(fleet_of_five: Fleet, player: Player) -> None:
    server = fleet_of_five.server
    if not server.enforces_permissions:
        pytest.skip(f"this build of hawkBit {server.version} does not enforce permissions")
    reader = {"HAWKBIT_USERNAME": server.reader, "HAWKBIT_PASSWORD": server.reader_password}
    options = {"query": f"controllerid=={PREFIX}*", "gather": ["installed_distribution_set"]}
    stdout, stderr = inventory(player, server, options, "--graph", **reader)
    needed = "READ_REPOSITORY (READ_DISTRIBUTION_SET from hawkBit 0.10 on). (HTTP 403)"
    assert f"Insufficient Permission. The user lacks {needed}" in " ".join(stderr.split())
    assert f"{PREFIX}1" not in stdout
    stdout, stderr = inventory(player, server, {**options, "on_partial_failure": "warn"}, "--graph", **reader)
    assert "The inventory goes on without installed distribution sets." in " ".join(stderr.split())
    assert f"{PREFIX}1" in stdout


def test_wrong_password(hawkbit: HawkbitServer, player: Player) -> None:
    stdout, stderr = inventory(player, hawkbit, {}, "--graph", HAWKBIT_PASSWORD="not-this-one")
    assert (
        "Cannot list targets: the server refused the credentials (401); check username and password, or token."
        in " ".join(stderr.split())
    )
    assert "not-this-one" not in stdout + stderr


def test_many_targets(hawkbit: HawkbitServer, proxy: FaultProxy, player: Player) -> None:
    root = f"{hawkbit.url}/rest/v1"
    ids = [f"many-{number:04}" for number in range(MANY)]
    with hawkbit.session() as session:
        for start in range(0, MANY, 500):
            post(session, f"{root}/targets", [{"controllerId": cid} for cid in ids[start : start + 500]])
        options = {"query": "controllerid==many-*", "group_by": ["update_status", "online"]}
        listed = inventory(player, hawkbit, options, HAWKBIT_URL=proxy.url)
        for controller_id in ids:
            session.delete(f"{root}/targets/{controller_id}", timeout=60)
    assert list(listed["_meta"]["hostvars"]) == ids
    assert sorted(listed["hawkbit_offline"]["hosts"]) == ids
    assert len(proxy.wire) == 3
