"""Faults in a run of ansible-playbook against Mender: each module that writes ends in a result, never in a traceback.

The whole table of faults and writes is in tests/unit/plugins/module_utils/_mender/test_faults.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.playing import Player
from integration.targets_run import RUNTIME

from servers.artifact_writer import Written
from servers.fault_proxy import FaultProxy
from servers.mender import MenderServer

WRITING = {name for name in RUNTIME["action_groups"]["mender"] if not name.endswith("_info")}


@dataclass(frozen=True)
class Write:
    """One write of a module: its request, the module's options, and whether the server shows that it was done."""

    method: str
    path: str
    options: dict[str, Any]
    is_done: Callable[[], bool]


@pytest.fixture
def server() -> Iterator[MenderServer]:
    """A server."""
    with MenderServer() as found:
        yield found


def _writes(server: MenderServer, folder: Path) -> dict[str, Write]:
    """One write of each module, prepared on the server."""
    src = Written(name="new").save(folder / "new.mender")
    described = server.add_artifact("described", ["gw"])
    server.add_artifact("used", ["gw"])
    server.add_artifact("noted", ["gw"])
    left, deployed = server.add_devices(2, "gw")
    with server.session() as session:
        body = {"name": "left", "artifact_name": "used", "devices": [left]}
        url = f"{server.url}/api/management/v1/deployments/deployments"
        session.post(url, json=body, timeout=10).raise_for_status()

    def there(name: str) -> bool:
        return bool(server.artifacts.named(name))

    def deployments(name: str) -> list[Any]:
        return [one for one in server.deployments.all.values() if one.name == name]

    fleet = {"ids": [deployed]}
    return {
        "artifact_upload": Write("POST", "/artifacts$", {"src": src}, lambda: there("new")),
        "artifact": Write(
            "PUT",
            f"/artifacts/{described}$",
            {"id": described, "description": "text"},
            lambda: server.artifacts.get(described).description == "text",
        ),
        "deployment": Write(
            "POST", "/deployments$", {"artifact_name": "used", "fleet": fleet}, lambda: len(deployments("used")) == 1
        ),
        "mender_device_deployments": Write(
            "DELETE", "/devices/", {"device_id": left}, lambda: bool(deployments("left")[0].progress)
        ),
        "mender_release": Write(
            "PATCH",
            "/noted$",
            {"name": "noted", "notes": "text"},
            lambda: server.artifacts.release_body("noted", 2)["notes"] == "text",
        ),
    }


@pytest.mark.parametrize("fault, stays", [("reset_after", False), ("503", True)])
def test_faults_in_a_real_run_leave_no_traceback(server: MenderServer, tmp_path: Path, fault: str, stays: bool) -> None:
    writes = _writes(server, tmp_path)
    assert set(writes) == WRITING
    with FaultProxy(server.url) as proxy:
        rules = [
            proxy.inject(fault, method=write.method, path=write.path, times=None if stays else 1)
            for write in writes.values()
        ]
        tasks = [
            {"name": name, f"fleet.deploy.{name}": {**write.options, "request_retries": 1}, "ignore_errors": True}
            for name, write in writes.items()
        ]
        variables = {"mender_url": proxy.url, "mender_token": server.token}
        run = Player(tmp_path / "play").play_tasks("faults", tasks, variables)
    assert run.status == 0, run.output
    assert all(rule.hits for rule in rules)
    assert "Traceback" not in run.output
    assert "MODULE FAILURE" not in run.output
    for name, write in writes.items():
        result = run.named(name)
        assert result.status == ("failed" if stays else "ok"), result.data
        assert (result.changed, write.is_done()) == (not stays, not stays), name
        if stays:
            assert result.data["error"]["code"] == "unreachable"
            assert result.msg.startswith("Cannot ")
            assert result.data["http"]["status"] == 503
