"""Approval of rollouts, which is a setting of the whole tenant: nothing else runs while it is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.faults import Admin
from integration.inprocess import run_module

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hawkbit import HawkbitServer

SWITCH = "rollout.approval.enabled"


@pytest.mark.only("newest")
def test_a_rollout_is_approved_or_denied(hawkbit: HawkbitServer, tmp_path: Path) -> None:
    admin = Admin(hawkbit, tmp_path)
    admin.targets("it-approval")
    admin.set("it-approval", admin.module("it-approval"))
    own = {"url": hawkbit.url, "username": hawkbit.username, "password": hawkbit.password}
    whom = {
        "distribution_set": {"name": "it-approval", "version": "1"},
        "fleet": {"query": "controllerid==it-approval-*"},
    }

    def configure(**options: Any) -> dict[str, Any]:
        return run_module("hawkbit_tenant_configuration", {**own, **options})

    def steer(name: str, **options: Any) -> dict[str, Any]:
        return run_module("hawkbit_rollout", {**own, "name": f"it-approval {name}", "wait_interval": 0.3, **options})

    assert configure(settings={SWITCH: True})["changed"]
    try:
        waiting = [steer(name, **whom, wait=True) for name in ("good", "bad")]
    finally:
        assert configure(reset=[SWITCH])["changed"]
    for result in waiting:
        assert (result["deployment"]["state"], result["deployment"]["native_state"]) == (
            "waiting",
            "waiting_for_approval",
        )
        assert result["warnings"] == [
            f"rollout '{result['rollout']['name']}' waits for approval on the server; it has not been started."
        ]

    approved = steer("good", state="approved", approval_remark="Grüße")
    assert (approved["changed"], approved["rollout"]["status"]) == (True, "ready")
    assert approved["rollout"]["approval_decided_by"] == hawkbit.username
    assert approved["rollout"]["approval_remark"] == "Grüße"
    assert not steer("good", state="approved")["changed"]
    assert steer("good", **whom)["deployment"]["state"] == "running"

    denied = steer("bad", state="denied", approval_remark="No")
    assert (denied["changed"], denied["rollout"]["status"]) == (True, "approval_denied")
    assert not steer("bad", state="denied")["changed"]
    for state in ("started", "approved"):
        refused = steer("bad", state=state)
        assert (refused["failed"], refused["error"]["code"]) == (True, "conflict")

    for name in ("good", "bad"):
        assert steer(name, state="absent")["changed"]
