"""The simulated Mender devices against the simulated server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from servers.mender import MenderServer
from servers.mender_devices import BEHAVIOURS, MenderFleet

V1 = "/api/management/v1/deployments"
TYPE = "generic-x86_64"


@pytest.fixture
def server() -> Iterator[MenderServer]:
    """A server with an artifact."""
    with MenderServer() as server:
        server.add_artifact("rel-1", [TYPE])
        yield server


def deploy(server: MenderServer, devices: list[str], artifact: str = "rel-1") -> str:
    """A new deployment's id."""
    body = {"name": f"to {artifact}", "artifact_name": artifact, "devices": devices}
    answer = server.session().post(f"{server.url}{V1}/deployments", json=body, timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def shown(server: MenderServer, deployment: str, more: str = "") -> Any:
    """What the server says about a deployment."""
    answer = server.session().get(f"{server.url}{V1}/deployments/{deployment}{more}", timeout=60)
    return answer.json()


def fleet_of(server: MenderServer, devices: dict[str, str]) -> MenderFleet:
    """A fast fleet of devices with their behaviours."""
    server.add_devices(devices)
    fleet = MenderFleet(server.url, server.device_token, poll_interval=0.05, step_interval=0.02)
    for name, behaviour in devices.items():
        fleet.add([name], behaviour)
    return fleet


def test_every_behaviour(server: MenderServer) -> None:
    """One device of each behaviour, one of another type, one that has it already, and one that never asks."""
    devices = {behaviour: behaviour for behaviour in BEHAVIOURS}
    fleet = fleet_of(server, devices)
    server.add_devices(["other", "present", "off"])
    fleet.add(["other"], device_type="toaster")
    fleet.add(["present"], artifact="rel-1")
    deployment = deploy(server, [*devices, "other", "present", "off"])
    with fleet:
        fleet.wait(lambda f: {"succeeded", "failed", "stalled", "paused"} <= f.summary().keys())
        fleet.wait(lambda f: f.devices["other"].polls and f.devices["present"].polls and f.devices["vanish"].deployment)
        fleet.wait(lambda _: shown(server, deployment)["device_count"] == 7)
    found = {one["id"]: one["status"] for one in shown(server, deployment, "/devices/list")}
    assert found == {
        "succeed": "success",
        "fail": "failure",
        "stall": "installing",
        "vanish": "pending",
        "pause": "pause_before_installing",
        "other": "noartifact",
        "present": "already-installed",
    }
    body = shown(server, deployment)
    assert (body["status"], body["device_count"], body["max_devices"]) == ("inprogress", 7, 8)
    [failed] = shown(server, deployment, "/devices/list?status=failure")
    assert (failed["log"], failed["substate"]) == (True, "ArtifactInstall failed")
    log = server.session().get(f"{server.url}{V1}/deployments/{deployment}/devices/fail/log", timeout=60).text
    assert [line.partition(" UTC ")[2] for line in log.splitlines()] == [
        "info: installing rel-1",
        "error: flash write error: the device is full",
    ]
    assert server.device("succeed").get(("inventory", "artifact_name")) == "rel-1"
    assert server.device("fail").get(("inventory", "artifact_name")) == "factory"
    assert server.storage.served >= 1
    assert [event.device for event in fleet.events("downloaded")].count("succeed") == 1


def test_all_devices_end_a_deployment(server: MenderServer) -> None:
    names = [f"d{number}" for number in range(30)]
    deployment = deploy(server, names)
    with fleet_of(server, dict.fromkeys(names, "succeed")) as fleet:
        fleet.wait(lambda f: f.summary().get("succeeded") == 30)
    body = shown(server, deployment)
    assert (body["status"], body["statistics"]["status"]["success"]) == ("finished", 30)
    assert fleet.events("error") == []


def test_rules_and_changes_of_behaviour(server: MenderServer) -> None:
    server.add_artifact("rel-2", [TYPE])
    with fleet_of(server, {"a": "pause", "b": "succeed"}) as fleet:
        fleet.on_artifact("rel-2", "fail", ["b"])
        first = deploy(server, ["a", "b"])
        fleet.wait(lambda f: f.events("paused") and f.events("succeeded"))
        fleet.behave("*", "succeed")
        fleet.wait(lambda f: len(f.events("succeeded")) == 2)
        second = deploy(server, ["a", "b"], "rel-2")
        fleet.wait(lambda f: f.events("failed", "b") and len(f.events("succeeded", "a")) == 2)
    assert shown(server, first)["statistics"]["status"]["success"] == 2
    assert shown(server, second)["statistics"]["status"]["failure"] == 1


def test_device_drops_an_aborted_deployment(server: MenderServer) -> None:
    with fleet_of(server, {"a": "pause"}) as fleet:
        deployment = deploy(server, ["a"])
        fleet.wait(lambda f: f.events("paused"))
        address = f"{server.url}{V1}/deployments/{deployment}/status"
        assert server.session().put(address, json={"status": "aborted"}, timeout=60).status_code == 204
        fleet.behave("a", "succeed")
        fleet.wait(lambda f: f.events("dropped"))
    assert "Deployment aborted" in fleet.events("dropped")[0].detail
    assert shown(server, deployment)["statistics"]["status"]["aborted"] == 1


def test_trouble_is_told_once(server: MenderServer) -> None:
    fleet = MenderFleet(server.url, server.device_token, poll_interval=0.02)
    fleet.add(["unknown"])
    with fleet:
        fleet.wait(lambda f: f.events("error"))
        with pytest.raises(TimeoutError, match="HTTP 401"):
            fleet.wait(lambda f: f.events("taken"), timeout=0.3)
    assert len(fleet.events("error")) == 1
    with pytest.raises(ValueError, match="no such behaviour"):
        fleet.add(["x"], "explode")
    with pytest.raises(ValueError, match="already there"):
        fleet.add(["unknown"])


def test_device_token_is_no_user(server: MenderServer) -> None:
    headers = {"Authorization": f"Bearer {server.device_token('a')}"}
    assert requests.get(f"{server.url}{V1}/deployments", headers=headers, timeout=60).status_code == 401
