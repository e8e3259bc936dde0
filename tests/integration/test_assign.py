"""What becomes of assignments on real servers: late polls, confirmation, several sets beside each other.

The setting of a tenant is everybody's, so this must come before the tests that have playbooks run in the background.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from integration.faults import Admin
from integration.inprocess import run_module

from servers.devices import SimulatedFleet

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hawkbit import HawkbitServer

WAIT = {"wait": True, "wait_interval": 0.3, "wait_timeout": 60}
SHORT = {**WAIT, "wait_timeout": 1}
FLOW = "user.confirmation.flow.enabled"
Module = Callable[..., dict[str, Any]]


def modules_of(hawkbit: HawkbitServer) -> Module:
    """Return a function that runs a module on a server; it must succeed unless told otherwise."""

    def run(name: str, *, fails: bool = False, **options: Any) -> dict[str, Any]:
        own = {"url": hawkbit.url, "username": hawkbit.username, "password": hawkbit.password}
        result = run_module(name, {**own, **options})
        assert result.get("failed", False) is fails, result.get("msg")
        return result

    return run


@pytest.fixture
def run(hawkbit: HawkbitServer) -> Module:
    """Run a module on the server."""
    return modules_of(hawkbit)


@pytest.fixture
def admin(hawkbit: HawkbitServer, tmp_path: Path) -> Admin:
    """The server without the collection."""
    return Admin(hawkbit, tmp_path)


class Device:
    """A device whose every word a test says."""

    def __init__(self, hawkbit: HawkbitServer, name: str) -> None:
        self.hawkbit = hawkbit
        self.name = name
        self.links()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request of the device API."""
        answer = requests.request(
            method,
            f"{self.hawkbit.url}/{self.hawkbit.tenant}/controller/v1/{quote(self.name)}{path}",
            json=body,
            headers={"Authorization": f"GatewayToken {self.hawkbit.gateway_token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def links(self) -> dict[str, str]:
        """Ask what there is to do; return the last part of the address of each thing."""
        links = self.ask("GET", "")["_links"]
        return {name: link["href"].partition("?")[0].rpartition("/")[2] for name, link in links.items()}

    def finish(self, action: str, result: str = "success") -> None:
        """Report the end of an action."""
        status = {"execution": "closed", "result": {"finished": result}, "details": ["over"]}
        self.ask("POST", f"/deploymentBase/{action}/feedback", {"id": action, "status": status})


@pytest.mark.parametrize("result, state", [("success", "succeeded"), ("failure", "failed")])
def test_a_device_that_asks_once_more_after_the_end_is_at_its_end(
    hawkbit: HawkbitServer, admin: Admin, run: Module, result: str, state: str
) -> None:
    """hawkBit puts the action back to "retrieved" (eclipse-hawkbit/hawkbit issue 1085)."""
    name = f"late-{result}"
    admin.set(name, admin.module(name))
    device = Device(hawkbit, name)
    options = {"distribution_set": {"name": name, "version": "1"}, "fleet": {"ids": [name]}}
    [action] = run("distribution_set_assign", **options)["server_counts"]["assigned_actions"]
    device.ask("GET", f"/deploymentBase/{action}")
    device.finish(action, result)
    device.ask("GET", f"/deploymentBase/{action}")
    newest = admin.do("GET", f"targets/{name}/actions/{action}/status?sort=id:DESC")["content"][0]
    assert newest["type"] == "retrieved"
    found = run("distribution_set_assign", **options, **WAIT, fails=state == "failed")
    assert (found["deployment"]["state"], found["changed"]) == (state, False)


@pytest.mark.only("newest")
def test_a_wait_ends_when_devices_are_taken_away(admin: Admin, run: Module) -> None:
    """One is removed, to the other one another set is assigned; no device confirms that."""
    names = ["taken", "taken-other"]
    other = [admin.set(name, admin.module(name)) for name in names][1]
    removed, replaced = admin.targets("taken")
    options = {"distribution_set": {"name": "taken", "version": "1"}, "fleet": {"ids": [removed, replaced]}}
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = pool.submit(run, "distribution_set_assign", **options, **WAIT, max_failures=1, fails=True)
        while admin.actions([removed, replaced]) != [1, 1]:
            assert not waiting.done()
            time.sleep(0.2)
        # it must have looked at them once more
        time.sleep(1)
        admin.do("DELETE", f"targets/{removed}")
        time.sleep(1)
        assert not waiting.done()
        admin.do("POST", f"targets/{replaced}/assignedDS", {"id": other})
        ended = waiting.result()
    assert (ended["error"]["code"], ended["counts"]["aborted"]) == ("aborted_elsewhere", 2)
    assert f"({removed}, {replaced})" in ended["msg"]


@pytest.fixture
def flow(hawkbit: HawkbitServer, admin: Admin) -> Iterator[None]:
    """The server with confirmation switched on."""
    if hawkbit.generation == "seed":
        pytest.skip("hawkBit 0.3.0M7 has no confirmation")
    admin.ask("PUT", f"system/configs/{FLOW}", {"value": True}).raise_for_status()
    yield
    admin.ask("PUT", f"system/configs/{FLOW}", {"value": False}).raise_for_status()


@pytest.mark.usefixtures("flow")
def test_confirmation(hawkbit: HawkbitServer, admin: Admin, run: Module) -> None:
    names = ["confirm-1", "confirm-2", "confirm-3"]
    admin.set("confirm", admin.module("confirm"))
    devices = [Device(hawkbit, name) for name in names]
    the_set = {"name": "confirm", "version": "1"}
    options = {"distribution_set": the_set, "fleet": {"ids": names[:2]}}
    given = run("distribution_set_assign", **options, confirmation_required=True)
    assert (given["changed"], given["deployment"]["native_state"]) == (True, "wait_for_confirmation")
    assert not run("distribution_set_assign", **options, confirmation_required=True)["changed"]
    late = run("distribution_set_assign", **options, **SHORT, fails=True)
    assert late["last_state"] == {"native_state": "wait_for_confirmation", "summary": "0 of 2 have it, 2 pending"}
    assert "confirmationBase" in devices[0].links()
    # the default of the tenant, and not asked for
    alone = {"distribution_set": the_set, "fleet": {"ids": names[2:]}}
    run("distribution_set_assign", **alone, confirmation_required=False)
    assert "deploymentBase" in devices[2].links()

    answers = {"distribution_set": the_set, "fleet": {"query": "controllerid==confirm-*"}}
    # from 0.8 on an action that is not there is missed
    probe = admin.ask("PUT", "targets/confirm-1/actions/0/confirmation", {"confirmation": "denied"})
    if "errorCode" not in probe.json():
        msg = run("target_action", action="confirm", **answers, fails=True)["msg"]
        assert msg == "This hawkBit leaves it to the devices to confirm or deny: that of others came with 0.8."
        return
    denied = run("target_action", action="deny", controller_id="confirm-1", code=7, details=["not now"])
    assert [action["controller_id"] for action in denied["actions"]] == ["confirm-1"]
    assert not run("target_action", action="deny", controller_id="confirm-1")["changed"]
    action = denied["actions"][0]["id"]
    said = admin.do("GET", f"targets/confirm-1/actions/{action}/status?sort=id:DESC")["content"][0]
    assert (said["code"], said["messages"][0]) == (7, "not now")
    # a device that says so itself
    other = devices[1].links()["confirmationBase"]
    devices[1].ask("POST", f"/confirmationBase/{other}/feedback", {"confirmation": "denied", "details": []})
    assert not run("target_action", action="deny", **answers)["changed"]

    confirmed = run("target_action", action="confirm", **answers)
    assert sorted(action["controller_id"] for action in confirmed["actions"]) == names[:2]
    assert not run("target_action", action="confirm", **answers)["changed"]
    for device in devices[:2]:
        device.finish(device.links()["deploymentBase"])
    ended = run("distribution_set_assign", **options, **WAIT)
    assert (ended["deployment"]["state"], ended["changed"]) == ("succeeded", False)


def test_several_sets_beside_each_other(several_sets: HawkbitServer, tmp_path: Path) -> None:
    admin, run = Admin(several_sets, tmp_path), modules_of(several_sets)
    for version in ("1", "2", "3"):
        module = admin.module("beside", version)
        body = {"name": "beside", "version": version, "type": "os", "modules": [{"id": module}]}
        admin.do("POST", "distributionsets", [body])
    sets: list[dict[str, Any]] = [{"name": "beside", "version": "1", "weight": 10}]
    sets.append({"name": "beside", "version": "2", "assignment_type": "soft"})
    names = [f"beside-{number}" for number in range(4)]
    with SimulatedFleet(several_sets.url, several_sets.gateway_token, poll_interval=0.3) as fleet:
        fleet.add(names[:3])
        fleet.wait_registered()
        several = {"distribution_sets": sets, "weight": 900, "fleet": {"ids": names[:2]}}
        whole = run("distribution_set_assign", **several, **WAIT)
        assert (whole["deployment"]["state"], whole["counts"]["succeeded"]) == ("succeeded", 2)
        assert (whole["server_counts"]["assigned"], len(whole["server_counts"]["assigned_actions"])) == (4, 4)
        again = run("distribution_set_assign", **several, **WAIT)
        assert (again["changed"], again["counts"]["skipped"]) == (False, 2)
        # in one request
        one = run("distribution_set_assign", **{**several, "fleet": {"ids": [names[2]]}}, **WAIT)
        assert (one["server_counts"]["assigned"], one["counts"]["succeeded"]) == (2, 1)
        assert not run("distribution_set_assign", **{**several, "fleet": {"ids": names[:3]}})["changed"]
    weights = [action.get("weight") for action in admin.do("GET", f"targets/{names[0]}/actions?sort=id:ASC")["content"]]
    assert weights == [10, 900]

    # the same once more would be an action more: what there is must be seen
    admin.do("POST", "targets", [{"controllerId": names[3], "name": names[3]}])
    for version, weight in (("1", 1), ("2", 2), ("3", 3)):
        the_set = {"name": "beside", "version": version}
        options = {"distribution_set": the_set, "fleet": {"ids": [names[3]]}, "weight": weight}
        assert run("distribution_set_assign", **options)["changed"]
        assert not run("distribution_set_assign", **options)["changed"]
    assert admin.actions([names[3]]) == [3]
    missing = {"distribution_set": {"name": "beside", "version": "3"}, "fleet": {"ids": names}}
    assert run("distribution_set_assign", **missing, fails=True)["msg"].startswith("weight of beside:3 is missing")
    cancelled = run("target_action", action="cancel", distribution_set={"name": "beside", "version": "2"})
    assert [action["controller_id"] for action in cancelled["actions"]] == [names[3]]
    assert run("target_action", action="force_cancel", fleet={"ids": names})["changed"]
    assert not run("target_action", action="force_cancel", fleet={"ids": names})["changed"]
