"""The inventory plugin hawkbit, in process, against a scripted hawkBit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader, inventory_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.plugin import CONNECTION

ROOT = Path(__file__).resolve().parents[4]
PLUGIN = ROOT / "plugins" / "inventory" / "hawkbit.py"
OVERDUE = "lastcontrollerrequestat=le=${overdue_ts}"
ASSIGNED = "assignedds.name==*"
FORBIDDEN = (403, {"errorCode": "hawkbit.server.error.x", "message": "Insufficient Permission"})
NO_TAGS = "Cannot list target tags: Insufficient Permission. The user lacks READ_TARGET. (HTTP 403)"
WISHES = "controller_id, name, ip_address, address, attributes.KEY or metadata.KEY"
NO_GROUP = "which cannot be the name of a group: use letters, digits and underscores"
BOTH = (
    "give username and password, or token, as options or in the environment "
    "(HAWKBIT_USERNAME, HAWKBIT_PASSWORD, HAWKBIT_TOKEN)"
)
SET = {"id": 7, "name": "os", "version": "2.1", "type": "os", "modules": [], "deleted": False}


def target(controller_id: str, **more: Any) -> dict[str, Any]:
    """Return a target as a list of the API has it."""
    return {
        "controllerId": controller_id,
        "name": f"Name of {controller_id}",
        "updateStatus": "registered",
        "securityToken": f"token-of-{controller_id}-0815",
        "requestAttributes": True,
        "createdAt": 1795168059492,
        "_links": {"self": {"href": "http://elsewhere/rest/v1/targets/x"}},
        **more,
    }


def polled(controller_id: str, overdue: bool | None = False, **more: Any) -> dict[str, Any]:
    """Return a target that has polled; without poll status if C(overdue) is None, as old releases list it."""
    status = {"lastRequestAt": 1, "nextExpectedRequestAt": 1795168152778, "overdue": overdue}
    poll = {} if overdue is None else {"pollStatus": status}
    return target(controller_id, lastControllerRequestAt=1795168147778, ipAddress="10.0.0.7", **poll, **more)


# -- variables -----------------------------------------------------------------------------------------------------


def test_variables_of_a_target_of_which_little_is_known(fake: Any, make: Any) -> None:
    fake.targets = [target("d1")]
    made = make()
    assert made.warnings == []
    assert made.host("d1") == {
        "fleet_platform": "hawkbit",
        "fleet_id": "d1",
        "fleet_name": "Name of d1",
        "fleet_state": "registered",
        "fleet_online": False,
        "fleet_software": None,
        "fleet_last_seen": None,
        "fleet_groups": [],
        "fleet_tags": None,
        "hawkbit_controller_id": "d1",
        "hawkbit_name": "Name of d1",
        "hawkbit_description": None,
        "hawkbit_update_status": "registered",
        "hawkbit_address": None,
        "hawkbit_ip_address": None,
        "hawkbit_group": None,
        "hawkbit_target_type": None,
        "hawkbit_target_type_name": None,
        "hawkbit_request_attributes": True,
        "hawkbit_auto_confirm_active": None,
        "hawkbit_created_at": 1795168059492,
        "hawkbit_created_by": None,
        "hawkbit_last_modified_at": None,
        "hawkbit_last_modified_by": None,
        "hawkbit_installed_at": None,
        "hawkbit_last_controller_request_at": None,
        "hawkbit_poll_status": None,
        "hawkbit_attributes": None,
        "hawkbit_metadata": None,
        "hawkbit_installed_distribution_set": None,
        "hawkbit_assigned_distribution_set": None,
    }
    assert fake.paths == ["/targets"]


def test_variables_of_a_target_of_which_all_is_known(fake: Any, make: Any) -> None:
    fake.targets = [
        polled("d1", address="http://gw.example.com:8080/x", group="europe/berlin", targetType=3, targetTypeName="gw",
               updateStatus="pending", installedAt=5, description="Rack 3", autoConfirmActive=False),
        polled("d2", overdue=True),
    ]  # fmt: skip
    fake.tags = {"canary": ["d1"], "blue": ["d1"]}
    fake.installed = {"d1": {**SET, "id": 6, "version": "2.0"}}
    fake.assigned = {"d1": SET}
    fake.queries = {ASSIGNED: ["d1"]}
    fake.attributes = {"d1": {"hw": "rev2"}}
    fake.metadata = {"d1": {"site": "a"}}
    everything = ["tags", "attributes", "metadata", "installed_distribution_set", "assigned_distribution_set"]
    made = make(gather=everything)
    first, second = made.host("d1"), made.host("d2")
    assert {name: value for name, value in first.items() if name.startswith("fleet_")} == {
        "fleet_platform": "hawkbit",
        "fleet_id": "d1",
        "fleet_name": "Name of d1",
        "fleet_state": "pending",
        "fleet_online": True,
        "fleet_software": {"name": "os", "version": "2.0"},
        "fleet_last_seen": "2026-11-20T09:49:07Z",
        "fleet_groups": ["europe/berlin"],
        "fleet_tags": ["blue", "canary"],
    }
    assert first["hawkbit_installed_distribution_set"] == {"id": "6", "name": "os", "version": "2.0", "type": "os"}
    assert first["hawkbit_assigned_distribution_set"] == {"id": "7", "name": "os", "version": "2.1", "type": "os"}
    assert first["hawkbit_attributes"] == {"hw": "rev2"}
    assert first["hawkbit_metadata"] == {"site": "a"}
    assert first["hawkbit_poll_status"]["next_expected_request_at"] == 1795168152778
    assert (first["hawkbit_target_type"], first["hawkbit_target_type_name"]) == ("3", "gw")
    assert second["fleet_online"] is False
    assert second["fleet_tags"] == []
    assert second["hawkbit_attributes"] == {}
    assert second["hawkbit_installed_distribution_set"] is None
    assert first.keys() == second.keys()


def test_server_that_lists_no_poll_status_is_asked_who_is_overdue(fake: Any, make: Any) -> None:
    fake.targets = [polled("d1", None), polled("d2", None), target("d3")]
    fake.queries = {OVERDUE: ["d2"]}
    made = make(group_by=["online", "overdue"])
    assert made.groups == {
        "hawkbit_online": ["d1"],
        "hawkbit_offline": ["d2", "d3"],
        "hawkbit_overdue": ["d2"],
    }
    assert fake.asked == [None, OVERDUE]


def test_overdue_within_a_query(fake: Any, make: Any) -> None:
    fake.targets = [polled("d1", None)]
    fake.queries = {"name==*": ["d1"], f"(name==*);({OVERDUE})": ["d1"]}
    assert make(query="name==*").host("d1")["fleet_online"] is False


def test_security_tokens_are_nowhere(fake: Any, make: Any, tmp_path: Path) -> None:
    fake.targets = [target("d1")]
    made = make(cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(tmp_path / "cache"))
    (kept,) = (tmp_path / "cache").iterdir()
    assert "d1" in kept.read_text()
    for text in (kept.read_text(), json.dumps(made.host("d1")), kept.name):
        assert "0815" not in text
        assert "4711" not in text


# -- paging --------------------------------------------------------------------------------------------------------


def test_many_targets_come_in_pages_each_once_in_order(fake: Any, make: Any) -> None:
    ids = [f"d{number:04}" for number in range(1203)]
    fake.targets = [target(controller_id) for controller_id in ids]
    # paging by offset shows a target twice when another one registers in between
    fake.queries = {"name==*": [*ids[:700], *ids[699:]]}
    assert make(query="name==*").names == ids
    assert sorted(request.target.split("?")[1] for request in fake.server.requests) == [
        f"offset={offset}&limit=500&q=name%3D%3D%2A&sort=controllerId%3AASC" for offset in (0, 1000, 500)
    ]


# -- groups --------------------------------------------------------------------------------------------------------


def test_groups(fake: Any, make: Any) -> None:
    fake.targets = [
        target("d1", group="europe/berlin", targetTypeName="gw-2", updateStatus="in_sync", installedAt=1),
        target("d2", group="europe", updateStatus="in_sync", installedAt=1),
        polled("d3", group="asia//"),
    ]
    fake.tags = {"canary 1": ["d1", "d2"], "empty": []}
    fake.installed = {"d1": SET, "d2": SET}
    fake.assigned = {"d3": SET}
    fake.queries = {ASSIGNED: ["d3"], "attribute.hw==rev2": ["d2", "d3"]}
    choices = [
        "update_status", "target_type", "group", "tag", "installed_distribution_set", "assigned_distribution_set",
        "online",
    ]  # fmt: skip
    made = make(group_by=choices, groups_by_query={"new_hardware": "attribute.hw==rev2"})
    assert made.warnings == []
    assert made.groups == {
        "hawkbit_update_status_in_sync": ["d1", "d2"],
        "hawkbit_update_status_registered": ["d3"],
        "hawkbit_target_type_gw_2": ["d1"],
        "hawkbit_group_europe": ["d2", "d1"],
        "hawkbit_group_europe_berlin": ["d1"],
        "hawkbit_group_asia": ["d3"],
        "hawkbit_tag_canary_1": ["d1", "d2"],
        "hawkbit_installed_distribution_set_os_2_1": ["d1", "d2"],
        "hawkbit_assigned_distribution_set_os_2_1": ["d3"],
        "hawkbit_online": ["d3"],
        "hawkbit_offline": ["d1", "d2"],
        "new_hardware": ["d2", "d3"],
    }
    children = made.manager.groups["hawkbit_group_europe"].child_groups
    assert [group.name for group in children] == ["hawkbit_group_europe_berlin"]


def test_group_prefix(fake: Any, make: Any) -> None:
    fake.targets = [target("d1")]
    assert make(group_by=["update_status"], group_prefix="").groups == {"update_status_registered": ["d1"]}


def test_groups_by_query_only_hold_what_the_query_finds(fake: Any, make: Any) -> None:
    fake.targets = [target("d1"), target("d2")]
    fake.queries = {"name==a,name==b": ["d1"], "(name==a,name==b);(tag==x)": ["d1"]}
    assert make(query="name==a,name==b", groups_by_query={"x": "tag==x"}).groups == {"x": ["d1"]}


def test_constructed(fake: Any, make: Any) -> None:
    fake.targets = [target("berlin-1"), polled("paris-1")]
    made = make(
        compose={"site": "hawkbit_controller_id.split('-')[0]"},
        groups={"unseen": "fleet_last_seen is none", "german": "site == 'berlin'"},
        keyed_groups=[{"key": "site", "prefix": "site"}, {"key": "inventory_hostname", "prefix": "h"}],
        strict=True,
    )
    assert made.warnings == []
    assert made.host("paris-1")["site"] == "paris"
    assert made.groups == {
        "unseen": ["berlin-1"],
        "german": ["berlin-1"],
        "site_berlin": ["berlin-1"],
        "site_paris": ["paris-1"],
        "h_berlin_1": ["berlin-1"],
        "h_paris_1": ["paris-1"],
    }


def test_strict(fake: Any, make: Any, failure: Callable[..., str]) -> None:
    fake.targets = [target("d1")]
    assert make(compose={"site": "no_such_variable"}).names == ["d1"]
    assert "no_such_variable" in failure(compose={"site": "no_such_variable"}, strict=True)


# -- names ---------------------------------------------------------------------------------------------------------


def test_hostnames(fake: Any, make: Any) -> None:
    fake.targets = [
        target("d1", address="https://gw1.example.com:8443/api"),
        target("d2", name=""),
        polled("d3", name=None),
        target("d4", name="four"),
    ]
    fake.attributes = {"d2": {"hostname": "two", "serial": "4711"}}
    made = make(hostnames=["attributes.hostname", "address", "ip_address", "name"])
    assert made.names == ["gw1.example.com", "two", "10.0.0.7", "four"]
    assert made.warnings == []
    # only what is needed for the names
    assert made.host("two")["hawkbit_attributes"] == {"hostname": "two"}


def test_shared_names(fake: Any, make: Any) -> None:
    fake.targets = [target(controller_id, name="gw") for controller_id in ("d1", "d2", "d3", "d4")]
    made = make(hostnames=["name"])
    assert made.names == ["d1", "d2", "d3", "d4"]
    assert made.warnings == [
        "fleet.deploy.hawkbit: 4 devices would have the name 'gw': "
        + ", ".join(f"{name} is called {name}" for name in ("d1", "d2", "d3"))
        + ", and 1 more."
    ]


def test_a_device_cannot_pass_itself_off_as_the_control_node_or_a_group(fake: Any, make: Any) -> None:
    hostile = ["localhost", "all", "hawkbit_offline", "-oProxyCommand=reboot", "mine"]
    fake.targets = [target(controller_id) for controller_id in hostile]
    made = make(group_by=["online"], groups={"mine": "false"})
    assert made.manager.localhost.implicit
    assert not set(made.names) & set(hostile)
    assert len(made.names) == 5
    assert made.groups["hawkbit_offline"] == made.names
    assert "fleet_id" not in made.manager.groups["all"].vars
    assert [warning.split(": ")[1] for warning in made.warnings] == [
        "'-oProxyCommand=reboot' cannot be the name of a host",
        "'all' cannot be the name of a host",
        "'hawkbit_offline' cannot be the name of a host",
        "2 more names are shared by devices or cannot be used.",
    ]


def test_warnings_have_no_control_characters(fake: Any, make: Any) -> None:
    fake.targets = [target("d\x1b[31m")]
    (warning,) = make().warnings
    assert "\x1b" not in warning


@pytest.mark.parametrize(
    "source, address", [("none", None), ("ip_address", "10.0.0.7"), ("address", "gw1.example.com")]
)
def test_ansible_host(source: str, address: str | None, fake: Any, make: Any) -> None:
    fake.targets = [polled("d1", address="amqp://gw1.example.com/x"), target("d2")]
    made = make(ansible_host_from=source)
    assert made.host("d1").get("ansible_host") == address
    assert "ansible_host" not in made.host("d2")


def test_ansible_host_is_not_the_control_node(fake: Any, make: Any) -> None:
    fake.targets = [target("d1", ipAddress="127.0.0.1", address="http://localhost/")]
    assert "ansible_host" not in make(ansible_host_from="ip_address").host("d1")
    assert "ansible_host" not in make(ansible_host_from="address").host("d1")


@pytest.mark.parametrize("address", ["http://[broken", "no address at all", ""])
def test_address_that_is_none(address: str, fake: Any, make: Any) -> None:
    fake.targets = [target("d1", address=address)]
    assert "ansible_host" not in make(ansible_host_from="address", hostnames=["address"]).host("d1")


# -- what it costs -------------------------------------------------------------------------------------------------


def test_tags_cost_a_request_a_tag(fake: Any, make: Any) -> None:
    fake.targets = [target(f"d{number}") for number in range(30)]
    fake.tags = {"a": [f"d{number}" for number in range(30)], "b": ["d1"], "c": []}
    make(group_by=["tag"])
    assert sorted(fake.paths) == ["/targets", "/targettags", *(f"/targettags/{n}/assigned" for n in (1, 2, 3))]


@pytest.mark.parametrize("kind", ["installed", "assigned"])
def test_sets_cost_no_request_a_target(kind: str, fake: Any, make: Any) -> None:
    fake.targets = [target(f"d{number:03}", installedAt=1) for number in range(300)]
    ids = [item["controllerId"] for item in fake.targets]
    # one set is on a single target in the middle of the others
    other = {**SET, "id": 8, "version": "3.0"}
    sets = {cid: other if cid == "d101" else SET for cid in ids}
    setattr(fake, kind, sets)
    fake.queries = {ASSIGNED: ids}
    made = make(group_by=[f"{kind}_distribution_set"])
    assert made.groups == {
        f"hawkbit_{kind}_distribution_set_os_2_1": [cid for cid in ids if cid != "d101"],
        f"hawkbit_{kind}_distribution_set_os_3_0": ["d101"],
    }
    assert len([path for path in fake.paths if path.startswith("/targets/")]) <= 5
    assert sorted(path for path in fake.paths if path.startswith("/dist")) == [
        f"/distributionsets/7/{kind}Targets",
        f"/distributionsets/8/{kind}Targets",
    ]


def test_targets_that_change_while_sets_are_read(fake: Any, make: Any) -> None:
    fake.targets = [target(controller_id, installedAt=1) for controller_id in ("d1", "d2", "d3")]
    fake.installed = {"d1": SET, "d2": SET}
    # d1 has got another set when that set is asked for its targets; d3 is gone
    fake.refuse = {"/distributionsets/7/installedTargets": (200, {"content": [], "total": 0})}
    made = make(gather=["installed_distribution_set"])
    assert [made.host(name)["fleet_software"] for name in ("d1", "d2", "d3")] == [
        {"name": "os", "version": "2.1"},
        {"name": "os", "version": "2.1"},
        None,
    ]


def test_kept_attributes(fake: Any, make: Any) -> None:
    fake.targets = [target("d1"), target("d2")]
    fake.attributes = {"d1": {"hw": "rev2", "secret": "x", "hostname": "one"}}
    fake.refuse = {"/targets/d2/attributes": (404, {"status": 404})}
    made = make(attributes=["hw"], hostnames=["attributes.hostname"])
    assert made.host("one")["hawkbit_attributes"] == {"hw": "rev2", "hostname": "one"}
    assert made.host("d2")["hawkbit_attributes"] == {}


def test_metadata_of_a_target_that_is_gone(fake: Any, make: Any) -> None:
    fake.targets = [target("d1")]
    fake.refuse = {"/targets/d1/metadata": (404, {"status": 404})}
    assert make(gather=["metadata"]).host("d1")["hawkbit_metadata"] == {}


def test_first_failure_ends_it(fake: Any, failure: Callable[..., str]) -> None:
    fake.targets = [target(f"d{number}") for number in range(200)]
    fake.refuse = {"/targets/.*/attributes": FORBIDDEN}
    assert failure(gather=["attributes"]) == NO_TAGS.replace("list target tags", "read attributes of target")
    assert len(fake.paths) < 50


# -- failures ------------------------------------------------------------------------------------------------------


def test_partial_failure_fails(fake: Any, failure: Callable[..., str]) -> None:
    fake.targets = [target("d1")]
    fake.refuse = {"/targettags": (403, {"errorCode": "hawkbit.server.error.x", "message": "Insufficient Permission"})}
    assert failure(gather=["tags"]) == NO_TAGS


def test_partial_failure_warns_and_is_not_kept(fake: Any, make: Any, tmp_path: Path) -> None:
    fake.targets = [target("d1")]
    fake.tags = {"a": ["d1"]}
    fake.refuse = {"/targettags": (403, {"errorCode": "hawkbit.server.error.x", "message": "Insufficient Permission"})}
    options = {
        "group_by": ["tag", "update_status"], "on_partial_failure": "warn", "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache"),
    }  # fmt: skip
    made = make(**options)
    assert made.warnings == [f"fleet.deploy.hawkbit: {NO_TAGS} The inventory goes on without tags."]
    assert made.host("d1")["fleet_tags"] is None
    assert made.groups == {"hawkbit_update_status_registered": ["d1"]}
    assert list((tmp_path / "cache").iterdir()) == []
    fake.refuse = {}
    assert make(**options).host("d1")["fleet_tags"] == ["a"]


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"hostnames": ["serial"]}, f"hostnames has 'serial': give {WISHES}."),
        ({"hostnames": ["attributes."]}, f"hostnames has 'attributes.': give {WISHES}."),
        ({"groups_by_query": {"a-b": "name==x"}}, f"groups_by_query has 'a-b', {NO_GROUP}."),
        ({"url": "ftp://x"}, "url is 'ftp://x': give an address such as https://updates.example.com."),
        ({"request_retries": -1}, "request_retries is -1: give 0 or more."),
        ({"username": "somebody"}, f"password is not set: {BOTH}."),
    ],
)
def test_options_that_cannot_be_meant(
    options: dict[str, Any], sentence: str, fake: Any, failure: Callable[..., str]
) -> None:
    assert failure(**options) == sentence
    assert fake.paths == []


@pytest.mark.usefixtures("fake")
def test_query_that_the_server_refuses(failure: Callable[..., str]) -> None:
    hint = "which hawkBit refuses (The query cannot be parsed): see the chapter on queries of hawkBit's documentation."
    assert failure(query="name=~x") == f"query is 'name=~x', {hint}"
    assert (
        failure(groups_by_query={"x": "foo==1"}, on_partial_failure="warn")
        == f"groups_by_query has 'foo==1' for x, {hint}"
    )


def test_not_a_hawkbit(fake: Any, failure: Callable[..., str]) -> None:
    fake.refuse = {".*": (404, {"detail": "Not Found"})}
    assert failure() == (
        f"url is '{fake.server.url}', but no hawkBit Management API answers there (127.0.0.1:{fake.server.port} "
        "answered 404 to /rest/v1/targets): give the base address of a hawkBit server."
    )


# -- connection ----------------------------------------------------------------------------------------------------


def authorization(fake: Any) -> str:
    return str(fake.server.requests[-1].headers["authorization"])


def test_credentials_of_the_environment(fake: Any, make: Any) -> None:
    make()
    assert authorization(fake) == "Basic YWRtaW46ZW52LXBhc3N3b3JkLTQ3MTE="


def test_credentials_of_the_file_switch_off_those_of_the_environment(
    fake: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAWKBIT_TOKEN", "stray")
    make(username="me", password="mine")
    assert authorization(fake) == "Basic bWU6bWluZQ=="


def test_templates_of_the_file(fake: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", fake.server.url)
    monkeypatch.setenv("SOMETHING", "a-token")
    monkeypatch.delenv("HAWKBIT_URL")
    lookup = "{{{{ lookup('ansible.builtin.env', '{}') }}}}"
    make(url=lookup.format("SOMEWHERE"), token=lookup.format("SOMETHING"))
    assert authorization(fake) == "Bearer a-token"


def test_values_of_the_environment_are_no_templates(fake: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAWKBIT_TOKEN", "{{1+1}}")
    monkeypatch.delenv("HAWKBIT_USERNAME")
    monkeypatch.delenv("HAWKBIT_PASSWORD")
    make()
    assert authorization(fake) == "Bearer {{1+1}}"


def test_address_of_the_environment_is_no_template(fake: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAWKBIT_URL", fake.server.url + "/{{1+1}}")
    make()
    assert fake.server.lines[0].startswith("GET /%7B%7B1+1%7D%7D/rest/v1/targets?")


@pytest.mark.usefixtures("fake")
def test_path_below_the_home(failure: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"ca_path is '{tmp_path}/ca.pem'" in failure(ca_path="~/ca.pem")


@pytest.mark.usefixtures("fake")
def test_template_that_cannot_be_evaluated(failure: Callable[..., str]) -> None:
    assert failure(url="{{ no_such_variable }}").startswith(
        "url is a template that cannot be evaluated: 'no_such_variable' is undefined"
    )


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


def test_cache_is_read_and_not_written_again(fake: Any, make: Any, cached: dict[str, Any], tmp_path: Path) -> None:
    fake.targets = [target("d1"), polled("d2")]
    fake.tags = {"a": ["d1"]}
    options = {**cached, "group_by": ["tag", "online"], "gather": ["metadata"]}
    first = make(**options)
    asked = len(fake.paths)
    (entry,) = (tmp_path / "cache").iterdir()
    os.utime(entry, (time.time() - 30, time.time() - 30))
    before = entry.stat().st_mtime_ns
    second = make(**options)
    assert len(fake.paths) == asked
    assert entry.stat().st_mtime_ns == before
    assert {name: second.host(name) for name in second.names} == {name: first.host(name) for name in first.names}
    assert second.groups == first.groups


@pytest.mark.parametrize(
    "changed, again",
    [
        ({"query": "name==*"}, True),
        ({"gather": ["tags"]}, True),
        ({"group_by": ["tag"]}, True),
        ({"groups_by_query": {"x": "name==*"}}, True),
        ({"attributes": ["hw"]}, True),
        ({"hostnames": ["metadata.name"]}, True),
        ({"username": "me", "password": "x"}, True),
        ({"token": "x"}, True),
        ({"compose": {"x": "1"}}, False),
        ({"group_prefix": "x_"}, False),
        ({"ansible_host_from": "ip_address"}, False),
    ],
)
def test_what_makes_a_new_entry(
    changed: dict[str, Any], again: bool, fake: Any, make: Any, cached: dict[str, Any]
) -> None:
    fake.targets = [target("d1")]
    fake.queries = {"name==*": ["d1"]}
    make(**cached)
    assert len(fake.paths) == 1
    make(**cached, **changed)
    assert (len(fake.paths) > 1) == again


def test_entry_is_for_one_token(fake: Any, make: Any, cached: dict[str, Any]) -> None:
    make(**cached, token="of-one-tenant")
    make(**cached, token="of-another-tenant")
    assert len(fake.paths) == 2


def test_another_server_makes_a_new_entry(fake: Any, make: Any, cached: dict[str, Any]) -> None:
    make(**cached)
    make(**cached, url=fake.server.url.replace("127.0.0.1", "localhost"))
    assert len(fake.paths) == 2


def test_expired_entry_is_fetched_again(fake: Any, make: Any, cached: dict[str, Any], tmp_path: Path) -> None:
    make(**cached)
    (entry,) = (tmp_path / "cache").iterdir()
    os.utime(entry, (1, 1))
    make(**cached)
    assert len(fake.paths) == 2
    assert entry.stat().st_mtime > 1


def test_refresh_does_not_read_the_cache(fake: Any, make: Any, cached: dict[str, Any]) -> None:
    made = make(**cached)
    fake.targets = [target("new")]
    made.manager.refresh_inventory()
    assert made.names == ["new"]
    assert make(**cached).names == ["new"]


# -- the program ---------------------------------------------------------------------------------------------------


def ansible(program: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the ansible-core under test."""
    command = [sys.executable, "-m", f"ansible.cli.{program}", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_device_data_is_never_evaluated(fake: Any, tmp_path: Path) -> None:
    """A device of this name would run a command on the control node with ansible-core 2.18."""
    proof = tmp_path / "proof"
    hostile = f"{{{{ lookup('ansible.builtin.pipe', 'touch {proof}') }}}}"
    fake.targets = [target("d1", name=hostile, description=f"lookup('ansible.builtin.pipe', 'touch {proof}')|string")]
    fake.attributes = {"d1": {hostile: hostile}}
    fake.metadata = {"d1": {"x": hostile}}
    fake.tags = {hostile: ["d1"]}
    (tmp_path / "x.hawkbit.yml").write_text(
        yaml.safe_dump(
            {
                "plugin": "fleet.deploy.hawkbit",
                "gather": ["attributes", "metadata", "tags"],
                "group_by": ["tag"],
                "hostnames": ["name"],
                "compose": {"composed": "fleet_name", "deep": "hawkbit_attributes"},
                "keyed_groups": [{"key": "fleet_name", "prefix": "k"}],
                "cache": True,
                "cache_plugin": "ansible.builtin.jsonfile",
                "cache_connection": str(tmp_path / "cache"),
            }
        )
    )
    looked = "inventory_hostname ~ fleet_name ~ hawkbit_description ~ composed ~ (hawkbit_metadata | string)"
    tasks = [
        {"ansible.builtin.debug": {"msg": f"{{{{ {looked} }}}}"}},
        {"ansible.builtin.debug": {"var": "{{ hawkbit_description }}"}, "ignore_errors": True},
        {"ansible.builtin.debug": {"var": "hostvars[inventory_hostname]"}},
        {"ansible.builtin.set_fact": {"copied": "{{ fleet_name }}", "all": "{{ hawkbit_attributes }}"}},
        {"ansible.builtin.debug": {"msg": "{{ [copied, deep, group_names, groups] }}"}},
    ]
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks}])
    )
    requests = []
    for _from in ("server", "cache"):
        done = ansible("playbook", "-i", "x.hawkbit.yml", "play.yml", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "lookup(" in done.stdout
        assert not proof.exists()
        requests.append(len(fake.paths))
    assert requests[0] == requests[1], "the second run was to read the cache"


@pytest.mark.parametrize("arguments", [["--graph"], ["--list"], ["--host", "d1"]])
def test_nothing_is_said_beside_the_inventory(arguments: list[str], fake: Any, tmp_path: Path) -> None:
    fake.targets = [target("d1", group="x-y/z", name="a b")]
    (tmp_path / "x.hawkbit.yaml").write_text("plugin: fleet.deploy.hawkbit\ngroup_by: [group, update_status]\n")
    done = ansible("inventory", "-i", "x.hawkbit.yaml", *arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "d1" in done.stdout or "fleet_id" in done.stdout


@pytest.mark.parametrize("name", ["x.yml", "hawkbit.json", "hawkbit.yml.bak"])
def test_other_files_are_not_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("plugin: fleet.deploy.hawkbit\n")
    assert inventory_loader.get("fleet.deploy.hawkbit").verify_file(str(path)) is False


def test_first_example_works_as_it_stands(fake: Any, tmp_path: Path) -> None:
    fake.targets = [target("d1"), polled("d2")]
    example = documentation()[1].strip().removeprefix("---").split("\n---\n")[0]
    (tmp_path / "fleet.hawkbit.yml").write_text(example)
    done = ansible("inventory", "-i", "fleet.hawkbit.yml", "--graph", cwd=tmp_path)
    assert done.stderr == ""
    assert "@hawkbit_update_status_registered" in done.stdout


THE_EXAMPLES = list(yaml.safe_load_all(PLUGIN.read_text().split('EXAMPLES = r"""')[1].split('"""')[0]))


@pytest.mark.parametrize("example", THE_EXAMPLES, ids=lambda example: "-".join(list(example)[-2:]))
def test_examples(
    example: dict[str, Any], fake: Any, make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HAWKBIT_ADMIN_PASSWORD", "pw")
    monkeypatch.setenv("HOME", str(tmp_path))
    fake.targets = [target("berlin-1"), polled("berlin-2")]
    berlin = ["berlin-1", "berlin-2"]
    query = "controllerid==berlin-*"
    fake.queries = {query: berlin, f"({query});(attribute.hw_revision=in=(rev2,rev3))": berlin}
    fake.tags = {"canary": berlin}
    fake.attributes = {"berlin-1": {"hostname": "one"}, "berlin-2": {"hostname": "two"}}
    if "url" in example:
        example["url"] = example["url"].replace("https://updates.example.com", fake.server.url)
    made = make(**example)
    assert len(made.names) == 2
    assert made.warnings == []
    if "cache" in example:
        assert list((tmp_path / ".cache" / "ansible-inventory").iterdir())
    elif "hostnames" in example:
        assert made.host("two")["ansible_host"] == "10.0.0.7"
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
    modules = documentation(ROOT / "plugins" / "modules" / "target.py")[0]["options"]
    for name in CONNECTION:
        assert inventory[name]["type"] == modules[name]["type"], name
        assert inventory[name].get("default") == modules[name].get("default"), name
        variable = f"HAWKBIT_{name.upper()}"
        # those of the credentials are explained once, at the user's name
        told = f"E({variable})" in str([modules[name], modules["username"]])
        assert [entry["name"] for entry in inventory[name].get("env", [])] == [variable] * told, name


def test_documented_variables_are_those_there_are(fake: Any, make: Any) -> None:
    fake.targets = [target("d1")]
    doc = documentation()[0]
    text = " ".join([*doc["description"], *doc["notes"]])
    documented = set(re.findall(r"C\(((?:hawkbit|fleet)_\w+)\)", text))
    assert documented == set(make().host("d1"))
