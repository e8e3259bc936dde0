"""ansible-playbook is killed in the middle of its work (kill -9, all its processes), and run again.

Afterwards there is one artifact and one deployment, and the second run tells what has become of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.playing import Player, Result

from servers.artifact_writer import Written
from servers.fault_proxy import FaultProxy
from servers.mender import MenderServer
from servers.mender_devices import MenderFleet

DEVICES = ["killed-1", "killed-2"]
# longer than any test: what is held is let go by the kill only
HELD_SECONDS = 600.0
SECONDS = 120.0
# how much of an upload passes before it is held
PART = 300_000
ESTABLISHED = 1
DEPLOYMENTS = "/deployments/deployments"
WAIT: dict[str, Any] = {"wait": True, "wait_interval": 0.2, "wait_timeout": 60}
DEPLOY: dict[str, Any] = {"name": "killed", "artifact_name": "killed", "fleet": {"ids": DEVICES}}
VERSIONS = ("seed", "4.1")

pytestmark = pytest.mark.timeout(600)


class Dam:
    """Stands in front of a server and lets `PART` bytes of a POST pass, and no more; all else passes whole."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.held = threading.Event()
        self._open = True
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """Address of the dam."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Dam:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._open = False
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        posted = 0
        with contextlib.suppress(OSError), client, server:
            while data := client.recv(65536):
                if posted or data.startswith(b"POST "):
                    posted += len(data)
                if posted > PART:
                    self.held.set()
                    # until the client is gone
                    while self._alive(client):
                        time.sleep(0.05)
                    return
                server.sendall(data)

    @staticmethod
    def _alive(client: socket.socket) -> bool:
        # its state, in the first byte, is "established" as long as the other end is there
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED

    @staticmethod
    def _down(server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)


def descendants(process: int) -> Iterator[int]:
    """Yield the ids of all processes below one, the deepest first; workers of Ansible have sessions of their own."""
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                yield from descendants(int(child))
                yield int(child)


def kill_when(player: Player, task: dict[str, Any], variables: dict[str, str], ready: Callable[[], object]) -> None:
    """Start a playbook with one task, and kill it with all its processes when it is at the point that is meant."""
    connection = {"url": "{{ mender_url }}", "token": "{{ mender_token }}"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/fleet.deploy.mender": connection},
        "tasks": [task],
    }
    playbook, values = player.folder / "killed.yml", player.folder / "killed.json"
    playbook.write_text(json.dumps([play]))
    values.write_text(json.dumps(variables))
    process = subprocess.Popen(
        [str(player.binaries / "ansible-playbook"), "-i", str(player.inventory), "-e", f"@{values}", str(playbook)],
        cwd=player.folder,
        env=player.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + SECONDS
        while not ready():
            assert process.poll() is None, "it was over before it could be killed"
            assert time.monotonic() < end, "it never came to the point where it is to be killed"
            time.sleep(0.02)
        assert process.poll() is None, "it was over before it could be killed"
    finally:
        for one in [*descendants(process.pid), process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait(timeout=30)


class World:
    """A server with two devices that are switched off, and a player of playbooks."""

    def __init__(self, server: MenderServer, fleet: MenderFleet, folder: Path) -> None:
        self.server = server
        self.fleet = fleet
        self.player = Player(folder / "play")
        self.file = folder / "killed.mender"
        content = os.urandom(2_000_000)
        Written("killed", ("gateway",), {"payload.bin": content}, compression="none").save(self.file)

    def variables(self, url: str) -> dict[str, str]:
        """Return the connection by way of an address."""
        return {"mender_url": url, "mender_token": self.server.token}

    def again(self, task: dict[str, Any]) -> Result:
        """Run the task once more, straight to the server; return what it says."""
        run = self.player.play_tasks("again", [task], self.variables(self.server.url)).must_succeed()
        return run.results[-1]

    def switch_on(self) -> None:
        """Switch the devices on."""
        self.fleet.add(DEVICES, device_type="gateway")


@pytest.fixture(params=VERSIONS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A server of each end of the range."""
    with (
        MenderServer(request.param) as server,
        MenderFleet(server.url, server.device_token, poll_interval=0.2) as fleet,
    ):
        server.add_devices(DEVICES, "gateway")
        yield World(server, fleet, tmp_path)
        assert server.faults == 0


def upload(world: World) -> dict[str, Any]:
    """Return the task that uploads."""
    return {"name": "upload", "fleet.deploy.artifact_upload": {"src": str(world.file), "description": "whole"}}


def artifacts(world: World) -> list[dict[str, Any]]:
    """Return what the server has."""
    with world.server.session() as session:
        answer = session.get(f"{world.server.url}/api/management/v1/deployments/artifacts", timeout=30)
        found: list[dict[str, Any]] = answer.json()
        return found


def test_upload_killed_in_the_middle_of_the_file_is_done_by_the_next_run(world: World) -> None:
    with Dam(world.server.port) as dam:
        kill_when(world.player, upload(world), world.variables(dam.url), dam.held.is_set)
    assert artifacts(world) == []
    done = world.again(upload(world))
    assert done.changed
    assert [(item["id"], item["description"]) for item in artifacts(world)] == [(done.data["artifact"]["id"], "whole")]
    assert not world.again(upload(world)).changed


def test_upload_killed_before_its_answer_is_found_by_the_next_run(world: World) -> None:
    with FaultProxy(world.server.url) as proxy:
        proxy.inject("slow", "POST", "/artifacts$", delay=HELD_SECONDS)
        kill_when(world.player, upload(world), world.variables(proxy.url), lambda: artifacts(world))
    done = world.again(upload(world))
    assert not done.changed
    assert [item["id"] for item in artifacts(world)] == [done.data["artifact"]["id"]]


def deploy(**options: Any) -> dict[str, Any]:
    """Return the task that deploys."""
    return {"name": "deploy", "fleet.deploy.deployment": {**DEPLOY, **options}}


def created(world: World) -> list[str]:
    """Return the ids of the deployments on the server."""
    return list(world.server.deployments.all)


def test_create_killed_before_it_has_reached_the_server_is_done_by_the_next_run(world: World) -> None:
    world.server.upload(world.file)
    with FaultProxy(world.server.url) as proxy:
        # asked at the point where it would be created: an answer that says to try again later, at which it waits
        rule = proxy.inject("429_retry_after_seconds", "POST", f"{DEPLOYMENTS}$", seconds=30, times=None)
        kill_when(world.player, deploy(), world.variables(proxy.url), lambda: rule.hits)
    assert created(world) == []
    done = world.again(deploy())
    assert done.changed
    assert created(world) == [done.data["deployment"]["id"]]


def test_create_killed_before_its_answer_is_found_by_the_next_run(world: World) -> None:
    world.server.upload(world.file)
    with FaultProxy(world.server.url) as proxy:
        proxy.inject("slow", "POST", f"{DEPLOYMENTS}$", delay=HELD_SECONDS)
        kill_when(world.player, deploy(), world.variables(proxy.url), lambda: created(world))
    [id] = created(world)
    world.switch_on()
    done = world.again(deploy(**WAIT))
    assert not done.changed
    assert (done.data["deployment"]["id"], done.data["deployment"]["state"]) == (id, "succeeded")
    assert created(world) == [id]


def test_wait_killed_is_taken_up_by_the_next_run(world: World) -> None:
    world.server.upload(world.file)
    with FaultProxy(world.server.url) as proxy:
        task = deploy(**WAIT)

        def waits() -> bool:
            after = [
                record.method for record in proxy.wire if record.path.startswith("/api/management/v1/deployments/")
            ]
            # the one that creates it, and several looks
            return "POST" in after and len(after) - after.index("POST") > 6

        kill_when(world.player, task, world.variables(proxy.url), waits)
    [id] = created(world)
    world.switch_on()
    done = world.again(task)
    assert not done.changed
    assert (done.data["deployment"]["id"], done.data["deployment"]["state"]) == (id, "succeeded")
    assert done.data["counts"]["succeeded"] == len(DEVICES)
    assert created(world) == [id]
