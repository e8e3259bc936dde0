"""The launcher and the simulated devices against a real hawkBit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from servers.devices import SimulatedFleet, device_ids
from servers.fault_proxy import FaultProxy
from servers.fixtures import start_or_skip
from servers.hawkbit import HawkbitServer

VERSION = "0.3.0M7"
TESTS = Path(__file__).parents[2]
FIRMWARE = os.urandom(100_000)


@dataclass
class Management:
    """A few calls of the Management API."""

    server: HawkbitServer
    session: requests.Session

    def call(self, method: str, path: str, status: int | None = None, **options: Any) -> Any:
        answer = self.session.request(method, f"{self.server.url}/rest/v1/{path}", timeout=60, **options)
        if status is None:
            assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        else:
            assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.text else None

    def distribution_set(self, name: str, version: str) -> int:
        """A set of one module with one artifact."""
        module = self.call("POST", "softwaremodules", json=[{"name": name, "version": version, "type": "os"}])[0]
        self.call("POST", f"softwaremodules/{module['id']}/artifacts", files={"file": ("fw.bin", FIRMWARE)})
        entry = {"name": name, "version": version, "type": "os", "modules": [{"id": module["id"]}]}
        number: int = self.call("POST", "distributionsets", json=[entry])[0]["id"]
        return number

    def assign(self, distribution_set: int, ids: list[str], **options: Any) -> dict[str, int]:
        """Assign the set; returns the action's id for each target."""
        body = [{"id": name, **options} for name in ids]
        answer = self.call("POST", f"distributionsets/{distribution_set}/assignedTargets", json=body)
        links = [action["_links"]["self"]["href"].split("/") for action in answer["assignedActions"]]
        return {parts[-3]: int(parts[-1]) for parts in links}

    def status(self, target: str) -> str:
        word: str = self.call("GET", f"targets/{target}")["updateStatus"]
        return word

    def messages(self, target: str, action: int) -> list[tuple[str, list[str]]]:
        """History of an action, newest first."""
        page = self.call("GET", f"targets/{target}/actions/{action}/status?limit=500&sort=id:DESC")
        return [(entry["type"], entry["messages"]) for entry in page["content"]]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HawkbitServer]:
    with start_or_skip(VERSION, request.config, tmp_path_factory.mktemp("hawkbit") / "server.log") as server:
        yield server


@pytest.fixture(scope="module")
def api(server: HawkbitServer) -> Iterator[Management]:
    with server.session() as session:
        yield Management(server, session)


@pytest.fixture
def fleet(server: HawkbitServer) -> Iterator[SimulatedFleet]:
    with SimulatedFleet(server.url, server.gateway_token, poll_interval=0.2, step_interval=0.05) as fleet:
        yield fleet


# -- launcher ------------------------------------------------------------------------------------------------


def test_it_is_the_hawkbit_that_was_asked_for(server: HawkbitServer, api: Management) -> None:
    assert (server.version, server.generation, server.origin) == (VERSION, "seed", "release libraries")
    assert api.call("GET", "targets?limit=1")["content"] == []
    configs = api.call("GET", "system/configs")
    assert configs["authentication.gatewaytoken.enabled"]["value"] is True
    assert configs["authentication.targettoken.enabled"]["value"] is True
    assert configs["authentication.gatewaytoken.key"]["value"] == server.gateway_token
    assert configs["pollingTime"]["value"] == "00:00:01"


def test_credentials(server: HawkbitServer) -> None:
    url = f"{server.url}/rest/v1/targets"
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(url, auth=(server.username, server.password), timeout=10).status_code == 200
        assert session.get(url, auth=("admin", "admin"), timeout=10).status_code == 401
        assert session.get(url, timeout=10).status_code == 401


def test_reader_may_only_read_targets(server: HawkbitServer) -> None:
    url = f"{server.url}/rest/v1"
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (server.reader, server.reader_password)
        assert session.get(f"{url}/targets", timeout=10).status_code == 200
        assert session.get(f"{url}/distributionsets", timeout=10).status_code == 403
        assert session.post(f"{url}/targets", json=[{"controllerId": "x"}], timeout=10).status_code == 403


def test_secrets_show_nowhere(server: HawkbitServer) -> None:
    secrets = (server.password, server.reader_password, server.gateway_token)
    processes = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    for secret in secrets:
        assert len(secret) >= 32
        assert secret not in repr(server)
        assert secret not in processes


@pytest.mark.usefixtures("server")
def test_a_wrong_property_is_explained(tmp_path: Path) -> None:
    broken = HawkbitServer(
        version=VERSION, properties={"spring.datasource.url": "jdbc:nonsense:"}, log_path=tmp_path / "log"
    )
    with pytest.raises(RuntimeError, match=r"(?s)^hawkBit 0\.3\.0M7 ended while starting\..*jdbc:nonsense"):
        broken.start()
    assert not broken.running


@pytest.mark.usefixtures("server")
def test_program_is_killed_and_leaves_nothing() -> None:
    command = [sys.executable, "-m", "servers.hawkbit", "--version", VERSION]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        about = json.loads(program.stdout.readline())
        assert (about["version"], about["generation"]) == (VERSION, "seed")
        targets = f"{about['url']}/rest/v1/targets"
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (about["username"], about["password"])
            assert session.get(targets, timeout=10).status_code == 200
            program.send_signal(signal.SIGKILL)
            program.wait(10)
            end = time.monotonic() + 10
            while True:
                try:
                    session.get(targets, timeout=1)
                except requests.ConnectionError:
                    break
                assert time.monotonic() < end, "the server outlives the program that started it"
                time.sleep(0.05)


# -- devices -------------------------------------------------------------------------------------------------


def test_two_hundred_devices(api: Management, fleet: SimulatedFleet) -> None:
    ids = device_ids(200, "many-")
    fleet.poll_interval = 1
    fleet.add(ids, attributes={"hw": "rev2"})
    fleet.on_version("2.1.0", "fail", ids[:50])
    fleet.wait_registered(120)
    actions = api.assign(api.distribution_set("many", "2.1.0"), ids)
    assert sorted(actions) == ids
    fleet.wait(lambda f: len(f.events("succeeded")) + len(f.events("failed")) >= 200, 180)
    assert {event.device for event in fleet.events("failed")} == set(ids[:50])
    assert {event.device for event in fleet.events("succeeded")} == set(ids[50:])
    page = api.call("GET", "targets?limit=500&q=controllerid==many-*")["content"]
    assert {t["controllerId"] for t in page if t["updateStatus"] == "error"} == set(ids[:50])
    assert {t["controllerId"] for t in page if t["updateStatus"] == "in_sync"} == set(ids[50:])
    assert fleet.devices[ids[0]].installed == ""
    assert fleet.devices[ids[99]].installed == "2.1.0"
    assert api.call("GET", f"targets/{ids[7]}/attributes") == {"hw": "rev2"}


def test_what_a_device_reports(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["tell-good"])
    fleet.add(["tell-bad"], "fail")
    fleet.wait_registered()
    actions = api.assign(api.distribution_set("tell", "1.0"), ["tell-good", "tell-bad"])
    fleet.wait(lambda f: f.events("succeeded") and f.events("failed"))
    good = api.messages("tell-good", actions["tell-good"])
    assert [kind for kind, _ in good] == ["finished", "running", "download", "running", "retrieved", "running"]
    assert good[0][1] == ["1.0 is running"]
    kind, [first, second] = api.messages("tell-bad", actions["tell-bad"])[0]
    assert kind == "error"
    assert first.startswith("flash write error at 0x000")
    assert second == "still running the factory software"
    assert [event.what for event in fleet.events(device="tell-good") if event.version == "1.0"] == [
        "taken",
        "progress",
        "downloaded",
        "progress",
        "succeeded",
    ]


def test_stall_and_cancel(api: Management, fleet: SimulatedFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.devices.STALL_SECONDS", 0.1)
    fleet.add(["stall-1"], "stall")
    fleet.wait_registered()
    [action] = api.assign(api.distribution_set("stall", "1.0"), ["stall-1"]).values()
    fleet.wait(lambda f: len(f.events("progress")) >= 3)
    assert api.status("stall-1") == "pending"
    assert not fleet.events("downloaded")
    api.call("DELETE", f"targets/stall-1/actions/{action}")
    fleet.wait(lambda f: f.events("canceled"))
    assert api.messages("stall-1", action)[0][0] == "canceled"
    assert api.status("stall-1") == "in_sync"


def test_action_that_is_force_quit(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["quit-1"], "stall")
    fleet.wait_registered()
    [action] = api.assign(api.distribution_set("quit", "1.0"), ["quit-1"]).values()
    fleet.wait(lambda f: f.events("taken"))
    fleet.on_version("1.0", "vanish", ["quit-1"])
    polls = fleet.devices["quit-1"].polls
    api.call("DELETE", f"targets/quit-1/actions/{action}")
    api.call("DELETE", f"targets/quit-1/actions/{action}?force=true")
    fleet.on_version("1.0", "stall", ["quit-1"])
    fleet.wait(lambda f: f.events("dropped"))
    assert fleet.devices["quit-1"].deployment is None
    assert fleet.devices["quit-1"].polls > polls


def test_vanish_and_return(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["gone-1", "gone-2"])
    fleet.wait_registered()
    fleet.behave("gone-*", "vanish")
    time.sleep(0.5)
    polls = fleet.devices["gone-1"].polls
    api.assign(api.distribution_set("gone", "1.0"), ["gone-1", "gone-2"])
    time.sleep(1)
    assert fleet.devices["gone-1"].polls == polls
    assert not fleet.events("taken")
    fleet.behave(["gone-1"], "succeed")
    fleet.wait(lambda f: f.events("succeeded", device="gone-1"))
    assert not fleet.events("taken", device="gone-2")
    assert (api.status("gone-1"), api.status("gone-2")) == ("in_sync", "pending")


def test_vanish_at_a_version(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["drop-1"])
    fleet.wait_registered()
    fleet.on_version("6.6.6", "vanish")
    api.assign(api.distribution_set("drop", "6.6.6"), ["drop-1"])
    fleet.wait(lambda f: f.events("taken"))
    time.sleep(0.5)
    polls = fleet.devices["drop-1"].polls
    time.sleep(1)
    assert fleet.devices["drop-1"].polls == polls
    assert not fleet.events("progress")


def test_download_only(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["only-1"])
    fleet.wait_registered()
    [action] = api.assign(api.distribution_set("only", "1.0"), ["only-1"], type="downloadonly").values()
    fleet.wait(lambda f: f.events("succeeded"))
    assert api.messages("only-1", action)[0][0] == "downloaded"
    assert fleet.devices["only-1"].installed == ""


def test_maintenance_window(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["window-1"])
    fleet.wait_registered()
    year = time.gmtime().tm_year + 1
    window = {"schedule": f"0 0 3 1 1 ? {year}", "duration": "01:00:00", "timezone": "+00:00"}
    api.assign(api.distribution_set("window", "1.0"), ["window-1"], maintenanceWindow=window)
    fleet.wait(lambda f: f.events("downloaded"))
    time.sleep(1)
    assert len(fleet.events("downloaded")) == 1
    assert not fleet.events("succeeded")
    assert api.status("window-1") == "pending"


def test_attributes_once_for_each_request(api: Management, fleet: SimulatedFleet) -> None:
    fleet.add(["attr-1"], attributes={"hw": "a", "site": "north"})
    fleet.wait(lambda f: f.events("attributes"))
    time.sleep(0.6)
    assert len(fleet.events("attributes")) == 1
    assert api.call("GET", "targets/attr-1/attributes") == {"hw": "a", "site": "north"}
    api.call("PUT", "targets/attr-1", json={"requestAttributes": True})
    fleet.wait(lambda f: len(f.events("attributes")) == 2)


def test_wrong_token_is_recorded_once(server: HawkbitServer) -> None:
    with SimulatedFleet(server.url, "wrong", poll_interval=0.1) as fleet:
        fleet.add(["denied-1"])
        fleet.wait(lambda f: f.events("error"))
        time.sleep(0.5)
        [event] = fleet.events()
        assert (event.what, event.device) == ("error", "denied-1")
        assert event.detail.startswith("HTTP 401 for GET /DEFAULT/controller/v1/denied-1")


class TestOverABadLine:
    """Devices behind the fault proxy."""

    @pytest.fixture
    def proxy(self, server: HawkbitServer) -> Iterator[FaultProxy]:
        with FaultProxy(server.url) as proxy:
            yield proxy

    @pytest.fixture
    def fleet(self, server: HawkbitServer, proxy: FaultProxy) -> Iterator[SimulatedFleet]:
        with SimulatedFleet(proxy.url, server.gateway_token, poll_interval=0.2, step_interval=0.05) as fleet:
            yield fleet

    def test_artifact_that_differs(self, api: Management, proxy: FaultProxy, fleet: SimulatedFleet) -> None:
        fleet.add(["differ-1"])
        fleet.wait_registered()
        proxy.inject("wrong_type", path="/artifacts/")
        [action] = api.assign(api.distribution_set("differ", "1.0"), ["differ-1"]).values()
        fleet.wait(lambda f: f.events("failed"))
        kind, [message] = api.messages("differ-1", action)[0]
        assert (kind, message) == ("error", f"fw.bin has 6 bytes, {len(FIRMWARE)} were promised")
        assert fleet.devices["differ-1"].installed == ""

    def test_artifact_of_the_right_size_that_differs(
        self, api: Management, fleet: SimulatedFleet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("servers.devices.hashlib.sha256", hashlib.sha224)
        fleet.add(["hash-1"])
        fleet.wait_registered()
        api.assign(api.distribution_set("hash", "1.0"), ["hash-1"])
        fleet.wait(lambda f: f.events("failed"))
        assert fleet.events("failed")[0].detail.startswith(
            f"sha256 of fw.bin is {hashlib.sha224(FIRMWARE).hexdigest()}"
        )

    def test_resets_and_errors(self, api: Management, proxy: FaultProxy, fleet: SimulatedFleet) -> None:
        ids = device_ids(10, "line-")
        fleet.add(ids)
        fleet.wait_registered()
        for fault in ("reset_before", "reset_after", "503", "html", "429_empty", "cut_body", "empty"):
            proxy.inject(fault, path="/line-", skip=3, times=4)
        api.assign(api.distribution_set("line", "1.0"), ids)
        fleet.wait(lambda f: len({e.device for e in [*f.events("succeeded"), *f.events("dropped")]}) == 10)
        assert {api.status(name) for name in ids} == {"in_sync"}
        assert not fleet.events("failed")
        assert len(fleet.events("error")) >= 7


def test_wrong_behaviour(server: HawkbitServer) -> None:
    fleet = SimulatedFleet(server.url, server.gateway_token)
    with pytest.raises(ValueError, match="no such behaviour: 'succed'"):
        fleet.add(["x"], "succed")
    fleet.add(["x"])
    with pytest.raises(ValueError, match="device x is already there"):
        fleet.add(["x"])


def test_program(server: HawkbitServer) -> None:
    command = [sys.executable, "-m", "servers.devices", "--url", server.url, "--gateway-token-env", "TOKEN"]
    command += ["--count", "3", "--prefix", "cli-", "--attribute", "hw=rev3", "--poll-interval", "0.2"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "TOKEN": server.gateway_token}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline().split() for _ in range(6)]
        program.send_signal(signal.SIGTERM)
        rest = program.stdout.read()
    assert sorted(line[:2] for line in lines) == sorted(
        [f"cli-{number}", what] for number in (1, 2, 3) for what in ("registered", "attributes")
    )
    assert json.loads(rest.splitlines()[-1]) == {"registered": 3, "attributes": 3}
    assert program.returncode == 0
