"""The deploying modules against the simulated Mender server of every version."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._mender.deploy import DeployTask
from ansible_collections.fleet.deploy.plugins.module_utils._mender.deployments import Deployments, describe
from ansible_collections.fleet.deploy.plugins.modules import deployment, deployment_info, mender_device_deployments
from servers.fault_proxy import FaultProxy
from servers.mender import VERSIONS, MenderServer
from servers.mender_devices import MenderFleet

from .conftest import Ran, Run

DEPLOYMENTS = "/api/management/v1/deployments/deployments"
NOWHERE = "00000000-0000-4000-8000-000000000000"
NO_PLAN = {"phases": [{"batch_size": 50}, {"start_ts": "2030-01-01T00:00:00Z"}]}


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[MenderServer]:
    """A server of each version, with an artifact."""
    with MenderServer(request.param) as found:
        found.add_artifact("rel-1", ["gw"])
        yield found
        assert found.faults == 0


@pytest.fixture
def newest() -> Iterator[MenderServer]:
    """A server of the newest version, with an artifact."""
    with MenderServer() as found:
        found.add_artifact("rel-1", ["gw"])
        yield found


@pytest.fixture
def enterprise() -> Iterator[MenderServer]:
    """A server of the newest version and the largest edition, with an artifact."""
    with MenderServer(edition="enterprise") as found:
        found.add_artifact("rel-1", ["gw"])
        yield found


@pytest.fixture
def deploy(run: Run) -> Callable[..., Ran]:
    """Return a function that runs the module deployment with the artifact of the server."""

    def call(server: MenderServer, url: str | None = None, **given: Any) -> Ran:
        options: dict[str, Any] = {"token": server.token}
        if "id" not in given and given.get("state") != "aborted":
            options["artifact_name"] = "rel-1"
        return run(deployment, url or server.url, **{**options, **given})

    return call


def ok(ran: Ran) -> dict[str, Any]:
    """Return the result of a task that has succeeded."""
    assert ran.error is None, ran.result["msg"]
    return ran.result


def devices_of(server: MenderServer, ids: list[str], behaviour: str = "succeed", **more: Any) -> MenderFleet:
    """Return the devices, switched off."""
    fleet = MenderFleet(server.url, server.device_token, poll_interval=0.05, step_interval=0.01, download=False)
    fleet.add(ids, behaviour, device_type="gw", **more)
    return fleet


def all_of(server: MenderServer) -> list[Any]:
    """Return the deployments of a server."""
    return list(server.deployments.all.values())


# -- creating ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ids", "group", "groups", "all"])
def test_deployment_is_made_once(server: MenderServer, deploy: Callable[..., Ran], kind: str) -> None:
    ids = server.add_devices(3, "gw", group="g")
    fleet = {"ids": {"ids": ids}, "group": {"group": "g"}, "groups": {"groups": ["g"]}, "all": {"all": True}}[kind]
    planned = ok(deploy(server, fleet=fleet, check_mode=True, diff_mode=True))
    assert (planned["changed"], planned["deployment"]["state"]) == (True, "planned")
    assert planned["counts"]["selected"] == planned["counts"]["pending"] == 3
    assert planned["diff"]["after"]["rel-1"]["devices"] == 3
    assert all_of(server) == []
    first = ok(deploy(server, fleet=fleet))
    assert first["changed"]
    [made] = all_of(server)
    assert (made.id, sorted(made.targets)) == (first["deployment"]["id"], sorted(ids))
    assert (first["deployment"]["state"], first["deployment"]["native_state"]) == ("waiting", "pending")
    second = ok(deploy(server, fleet=fleet))
    assert (second["changed"], second["deployment"]) == (False, first["deployment"])
    assert not ok(deploy(server, fleet=fleet, redeploy="always"))["changed"]
    assert len(all_of(server)) == 1


def test_order_of_devices_does_not_matter(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(3, "gw")
    ok(deploy(server, fleet={"ids": ids}))
    assert not ok(deploy(server, fleet={"ids": ids[::-1]}))["changed"]
    assert ok(deploy(server, fleet={"ids": ids[:2]}))["changed"]
    assert ok(deploy(server, fleet={"ids": ids}, name="other"))["changed"]
    assert len(all_of(server)) == 3


def test_deployments_that_only_look_alike_are_others(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(2, "gw", group="g")
    server.add_devices(1, "gw", group="h")
    wanted: list[dict[str, Any]] = [{"ids": ids[:1]}, {"group": "g"}, {"group": "h"}, {"all": True}]
    for fleet in wanted:
        assert ok(deploy(server, fleet=fleet))["changed"], fleet
    for fleet in wanted:
        assert not ok(deploy(server, fleet=fleet))["changed"], fleet
    assert len(all_of(server)) == 4


def test_pages_without_an_order_are_walked_until_all_have_come(
    server: MenderServer, deploy: Callable[..., Ran]
) -> None:
    server.inventory.unstable = True
    server.add_devices(1100, "gw", group="g")
    ran = ok(deploy(server, fleet={"groups": ["g"]}))
    assert ran["counts"]["selected"] == 1100


def test_filters_select_devices(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(2, "gw", attributes={"site": "berlin"})
    server.add_devices(2, "gw", attributes={"site": "rome"})
    fleet = {"filters": [{"scope": "inventory", "attribute": "site", "type": "$eq", "value": "berlin"}]}
    ran = deploy(server, fleet=fleet)
    if "inventory_v2" not in server.features:
        assert ran.result["error"]["code"] == "unsupported"
        return
    assert ok(ran)["changed"]
    [made] = all_of(server)
    assert sorted(made.targets) == sorted(ids)


def test_later_members_of_a_group_do_not_make_a_second_one(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    newest.add_devices(2, "gw", group="g")
    ok(deploy(newest, fleet={"group": "g"}))
    newest.add_devices(1, "gw", group="g")
    assert not ok(deploy(newest, fleet={"group": "g"}))["changed"]
    assert len(all_of(newest)) == 1


def test_lost_answer_makes_no_second_deployment(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(2, "gw")
    with FaultProxy(server.url) as proxy:
        proxy.inject("reset_after", path=DEPLOYMENTS, method="POST", times=1)
        ran = ok(deploy(server, proxy.url, fleet={"ids": ids}))
        assert ran["changed"]
    [made] = all_of(server)
    assert made.id == ran["deployment"]["id"]


@pytest.mark.parametrize("fault, acted", [("502", False), ("502", True), ("reset_after", None)])
def test_repeated_deployment_is_not_mistaken_for_the_finished_one(
    server: MenderServer, deploy: Callable[..., Ran], fault: str, acted: bool | None
) -> None:
    ids = server.add_devices(2, "gw")
    with devices_of(server, ids):
        first = ok(deploy(server, fleet={"ids": ids}, wait=True))["deployment"]["id"]
    with FaultProxy(server.url) as proxy:
        details = {} if acted is None else {"acted": acted}
        rule = proxy.inject(fault, path="/deployments/deployments$", method="POST", **details)
        second = ok(deploy(server, proxy.url, fleet={"ids": ids}, redeploy="always"))
    assert rule.hits == 1
    assert [one.id for one in all_of(server)] == [first, second["deployment"]["id"]]


def test_somebody_who_is_faster_is_joined(newest: MenderServer, deploy: Callable[..., Ran], monkeypatch: Any) -> None:
    ids = newest.add_devices(2, "gw")
    first = ok(deploy(newest, fleet={"ids": ids}))
    find, calls = Deployments.find, []

    def late(self: Deployments, *given: Any, **more: Any) -> Any:
        calls.append(1)
        return None if len(calls) == 1 else find(self, *given, **more)

    monkeypatch.setattr(Deployments, "find", late)
    ran = ok(deploy(newest, fleet={"ids": ids}))
    assert (ran["changed"], ran["deployment"]["id"]) == (False, first["deployment"]["id"])
    assert len(all_of(newest)) == 1


def test_deployment_of_somebody_who_is_faster_is_not_aborted(
    enterprise: MenderServer, deploy: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = enterprise.add_devices(2, "gw")
    made = ok(deploy(enterprise, fleet={"ids": ids}))["deployment"]["id"]
    find, calls = Deployments.find, []

    def late(self: Deployments, *given: Any, **more: Any) -> Any:
        calls.append(1)
        return None if len(calls) == 1 else find(self, *given, **more)

    monkeypatch.setattr(Deployments, "find", late)
    ran = deploy(enterprise, fleet={"ids": ids}, retries=2)
    assert f"Somebody else has just made the deployment 'rel-1' (id {made}), which is the same but" in ran.result["msg"]
    assert (ran.result["error"]["code"], ran.result["changed"]) == ("conflict", False)
    assert enterprise.deployment(made).finished is None


@pytest.mark.parametrize("option", [{"retries": 2}, {"force_installation": True}], ids=["retries", "force"])
def test_what_is_not_added_to_a_deployment_under_way_is_told(
    enterprise: MenderServer, deploy: Callable[..., Ran], option: dict[str, Any]
) -> None:
    ids = enterprise.add_devices(2, "gw")
    assert ok(deploy(enterprise, fleet={"ids": ids}))["changed"]
    ran = deploy(enterprise, fleet={"ids": ids}, **option)
    assert not ok(ran)["changed"]
    [warning] = ran.warnings
    assert f"is under way without the {next(iter(option))} of this task" in warning
    for name in ("other", "other"):
        assert deploy(enterprise, name=name, fleet={"ids": ids}, **option).warnings == []


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("where", [(Deployments, "read"), (DeployTask, "_poll")], ids=["create", "wait"])
def test_rerun_after_the_process_was_killed(
    server: MenderServer, deploy: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, where: tuple[type, str]
) -> None:
    ids = server.add_devices(60, "gw")

    def die(*_given: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        # right after the deployment was made, or while it is waited for
        patch.setattr(*where, die)
        with pytest.raises(Killed):
            deploy(server, fleet={"ids": ids}, wait=True)
    [made] = all_of(server)
    with devices_of(server, ids):
        ran = ok(deploy(server, fleet={"ids": ids}, wait=True))
    assert (ran["changed"], ran["deployment"]["id"], ran["counts"]["succeeded"]) == (False, made.id, 60)
    assert len(all_of(server)) == 1


def test_nothing_to_do_is_no_failure(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ran = deploy(server, fleet={"ids": [NOWHERE]}, on_unknown_device="ignore", wait=True)
    assert (ok(ran)["changed"], ran.result["deployment"]["state"]) == (False, "succeeded")
    assert ran.warnings == ["fleet selects no device: nothing is to be done."]


def test_refused_plan_is_explained(deploy: Callable[..., Ran]) -> None:
    with MenderServer(edition="professional") as server:
        server.add_artifact("rel-1", ["gw"])
        ran = deploy(server, fleet={"ids": server.add_devices(4, "gw")}, edition="enterprise", retries=1)
    assert (ran.result["error"]["code"], ran.result["http"]["status"]) == ("auth", 403)
    assert "Feature not available in your Plan" in ran.result["msg"]
    assert ran.result["error"]["request_id"]
    assert (ran.result["changed"], ran.result["deployment"]["id"]) == (False, None)


def test_deployments_on_later_pages_are_found(server: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    ids = server.add_devices(25, "gw")
    for one in ids:
        assert ok(deploy(server, fleet={"ids": [one]}))["changed"]
    with FaultProxy(server.url) as proxy:
        assert not ok(deploy(server, proxy.url, fleet={"ids": ids[:1]}))["changed"]
        assert not proxy.writes or {record.path.rpartition("/")[2] for record in proxy.writes} == {"search"}
    listed = ok(run(deployment_info, server.url, token=server.token))["deployments"]
    assert [item["id"] for item in listed] == [one.id for one in reversed(all_of(server))]


def test_members_that_the_server_has_missed_are_told(
    newest: MenderServer, deploy: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = newest.add_devices(3, "gw", group="g")
    monkeypatch.setattr(newest.inventory, "accepted", lambda *_group: ids[:2])
    ran = deploy(newest, fleet={"group": "g"})
    assert ok(ran)["counts"]["selected"] == 2
    [warning] = ran.warnings
    assert "is for 2 devices, but the inventory has 3" in warning


# -- editions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        NO_PLAN,
        {"retries": 1},
        {"uniform_phases": {"time_interval": "PT1H", "batch_size": 50}},
        {"update_control_map": {"a": 1}},
    ],
    ids=["phases", "retries", "uniform_phases", "map"],
)
def test_open_source_never_gets_what_it_would_drop(
    server: MenderServer, deploy: Callable[..., Ran], option: dict[str, Any]
) -> None:
    ids = server.add_devices(4, "gw")
    with FaultProxy(server.url) as proxy:
        for edition in ("auto", "open_source", "professional"):
            ran = deploy(server, proxy.url, fleet={"ids": ids}, edition=edition, **option)
            assert ran.result["error"]["code"] == "unsupported"
            assert ran.result["msg"].startswith(f"{next(iter(option))} is given, but this Mender server is the ")
        assert [record.path for record in proxy.wire if record.method == "POST"] == []
    assert all_of(server) == []


def test_saved_filter_is_refused_by_open_source(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    ran = deploy(newest, fleet={"filter_id": NOWHERE})
    assert "fleet.filter_id is given, but this Mender server is the open source edition" in ran.result["msg"]


def test_wrong_edition_is_found_out_and_the_deployment_aborted(
    newest: MenderServer, deploy: Callable[..., Ran]
) -> None:
    ids = newest.add_devices(2, "gw")
    ran = deploy(newest, fleet={"ids": ids}, edition="enterprise", retries=2)
    assert "has passed over retries" in ran.result["msg"]
    assert ran.result["changed"]
    [made] = all_of(newest)
    assert made.finished is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_enterprise_has_phases_and_retries(version: str, deploy: Callable[..., Ran]) -> None:
    with MenderServer(version, "enterprise") as server:
        server.add_artifact("rel-1", ["gw"])
        ids = server.add_devices(4, "gw")
        given = {"fleet": {"ids": ids}, "retries": 2, **NO_PLAN}
        first = ok(deploy(server, **given))
        assert first["changed"]
        [made] = all_of(server)
        assert ([phase.quota for phase in made.phases], made.retries) == ([2, 2], 2)
        assert not ok(deploy(server, **given))["changed"]


def test_scheduled_deployment_is_found_again(enterprise: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = enterprise.add_devices(4, "gw")
    given = {"fleet": {"ids": ids}, "phases": [{"start_ts": "2030-01-01 00:00:00+01:00"}]}
    first = ok(deploy(enterprise, **given))
    assert (first["changed"], first["deployment"]["state"]) == (True, "scheduled")
    assert not ok(deploy(enterprise, **given))["changed"]


def test_professional_has_one_phase(deploy: Callable[..., Ran]) -> None:
    with MenderServer(edition="professional") as server:
        server.add_artifact("rel-1", ["gw"])
        fleet = {"ids": server.add_devices(4, "gw")}
        given = {"fleet": fleet, "edition": "professional"}
        assert ok(deploy(server, phases=[{"start_ts": "2030-01-01T00:00:00Z"}], **given))["changed"]
        assert deploy(server, **NO_PLAN, **given, name="x").result["error"]["code"] == "unsupported"


def test_uniform_phases_of_a_group_are_sent_for_its_devices(
    enterprise: MenderServer, deploy: Callable[..., Ran]
) -> None:
    enterprise.add_devices(4, "gw", group="g")
    given = {"fleet": {"group": "g"}, "uniform_phases": {"time_interval": "PT1H", "batch_size": 50}}
    assert ok(deploy(enterprise, **given))["changed"]
    assert [phase.quota for phase in all_of(enterprise)[0].phases] == [2, 2]
    assert not ok(deploy(enterprise, **given))["changed"]


def test_saved_filter(enterprise: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = enterprise.add_devices(2, "gw", attributes={"site": "berlin"})
    enterprise.add_devices(1, "gw")
    with enterprise.session() as session:
        terms = [{"scope": "inventory", "attribute": "site", "type": "$eq", "value": "berlin"}]
        path = f"{enterprise.url}/api/management/v2/inventory/filters"
        answer = session.post(path, json={"name": "berlin", "terms": terms}, timeout=10)
    given = {"fleet": {"filter_id": answer.headers["Location"].rpartition("/")[2]}, "max_devices": 2}
    first = ok(deploy(enterprise, **given))
    assert (first["changed"], first["counts"]["selected"]) == (True, 2)
    assert not ok(deploy(enterprise, **given))["changed"]
    with devices_of(enterprise, ids):
        assert ok(deploy(enterprise, **given, wait=True))["counts"]["succeeded"] == 2
    wrong = deploy(enterprise, fleet={"filter_id": NOWHERE})
    assert "no saved filter of that id" in wrong.result["msg"]


# -- waiting -------------------------------------------------------------------------------------------------------


def test_wait_for_success(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(3, "gw")
    with devices_of(server, ids):
        ran = ok(deploy(server, fleet={"ids": ids}, wait=True))
    assert (ran["deployment"]["state"], ran["deployment"]["native_state"]) == ("succeeded", "finished")
    assert (ran["counts"]["succeeded"], ran["statistics"]["success"]) == (3, 3)
    assert ("pause_before_installing" in ran["statistics"], ran["paused"]) == (
        ("pauses" in server.features),
        0 if "pauses" in server.features else None,
    )
    again = ok(deploy(server, fleet={"ids": ids}, wait=True))
    assert (again["changed"], again["counts"]) == (False, ran["counts"])
    assert not ok(deploy(server, fleet={"ids": ids}, redeploy="failed"))["changed"]
    assert ok(deploy(server, fleet={"ids": ids}, redeploy="always"))["changed"]
    assert len(all_of(server)) == 2


def test_one_request_a_poll(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(60, "gw")
    made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
    with FaultProxy(server.url) as proxy:
        ran = deploy(server, proxy.url, id=made, wait=True, wait_timeout=1, wait_interval=0.05)
        asked = [record.path for record in proxy.wire if made in record.path]
    assert ran.result["error"]["code"] == "wait_timeout"
    looks = [path for path in asked if path.endswith(("/statistics", made))]
    assert len(looks) > 10
    if "filter_terms" in server.features or "lists" not in server.features:
        # the whole, with the id of each device, is read seldom
        assert len([path for path in looks if path.endswith(made)]) < len(looks) / 3
    assert ran.result["last_state"]["summary"] == "0 of 60 have it, 60 pending"
    assert ran.result["attach"] == {"id": made, "wait": True}


def test_failed_devices_are_named_with_their_logs(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(3, "gw")
    fleet = devices_of(server, ids)
    fleet.behave(ids[:1], "fail")
    with fleet:
        ran = deploy(server, fleet={"ids": ids}, wait=True, max_failures=0)
    assert ran.result["error"]["code"] == "threshold_exceeded"
    assert ran.result["changed"]
    [failed] = ran.result["devices"]["failed"]
    assert (failed["id"], failed["native_state"]) == (ids[0], "failure")
    assert "flash write error: the device is full" in failed["log"]
    server_side = ran.result["deployment"]["id"]
    with fleet:
        fleet.wait(lambda _fleet: server.deployment(server_side).finished)
    over = deploy(server, fleet={"ids": ids}, wait=True)
    assert over.result["msg"].endswith("It had finished before this task, and redeploy is 'never'.")
    assert ok(deploy(server, fleet={"ids": ids}))["deployment"]["state"] == "failed"
    assert ok(deploy(server, fleet={"ids": ids}, wait=True, min_success_percentage=60))["changed"] is False
    assert ok(deploy(server, fleet={"ids": ids}, redeploy="failed"))["changed"]


@pytest.mark.parametrize("where", ["/log$", "/deployments/[^/]+/devices(/list)?$"], ids=["log", "list"])
def test_verdict_is_not_hidden_by_what_cannot_be_read(
    server: MenderServer, deploy: Callable[..., Ran], where: str
) -> None:
    ids = server.add_devices(3, "gw")
    fleet = devices_of(server, ids[1:])
    fleet.add(ids[:1], "fail", device_type="gw")
    broken = {"error": "internal error", "request_id": "r"}
    with fleet, FaultProxy(server.url) as proxy:
        proxy.inject("answer", path=where, times=None, status=500, body=broken)
        good = deploy(server, proxy.url, fleet={"ids": ids}, wait=True, min_success_percentage=60)
        fleet.wait(lambda _fleet: all_of(server)[0].finished)
        bad = deploy(server, proxy.url, fleet={"ids": ids}, wait=True)
    assert ok(good)["counts"]["succeeded"] == 2
    assert bad.result["error"]["code"] == "threshold_exceeded"
    [warning] = bad.warnings
    assert warning.startswith("The result ")
    assert "internal error" in warning
    assert [item["id"] for item in bad.result["devices"]["failed"]] == (ids[:1] if "log" in where else [])


def test_abort_on_failure(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(3, "gw")
    fleet = devices_of(server, ids[:1], "fail")
    with fleet:
        ran = deploy(server, fleet={"ids": ids}, wait=True, on_failure="abort")
    assert "What was still open has been cancelled" in ran.result["msg"]
    assert ran.result["deployment"]["state"] == "aborted"
    # an abort is a change, also by a task that has not made the deployment
    other = server.add_devices(1, "gw")
    made = ok(deploy(server, name="other", fleet={"ids": other}))["deployment"]["id"]
    late = deploy(server, name="other", fleet={"ids": other}, wait=True, wait_timeout=1, on_timeout="abort")
    assert (late.result["error"]["code"], late.result["changed"]) == ("wait_timeout", True)
    assert server.deployment(made).finished
    counts = ran.result["counts"]
    assert (counts["failed"], counts["aborted"], counts["pending"]) == (1, 2, 0)
    assert all_of(server)[0].finished is not None


def test_timeout_policies(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(2, "gw")
    ran = deploy(server, fleet={"ids": ids}, wait=True, wait_timeout=1, wait_interval=0.2, on_timeout="continue")
    assert ok(ran)["deployment"]["state"] == "timed_out"
    assert ran.warnings
    ran = deploy(server, fleet={"ids": ids}, wait=True, wait_timeout=1, wait_interval=0.2, on_timeout="abort")
    assert ran.result["error"]["code"] == "wait_timeout"
    assert ran.result["deployment"]["state"] == "aborted"
    assert ran.result["counts"]["aborted"] == 2


def test_abort_by_somebody_else_ends_the_wait(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(2, "gw")
    made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
    server._run(lambda: server.deployments.abort(made))
    for given in ({"id": made}, {"fleet": {"ids": ids}}):
        ran = deploy(server, wait=True, **given)
        assert ran.result["error"]["code"] == "aborted_elsewhere"
        assert "was aborted by somebody else (0 of 2 have it, 2 aborted)" in ran.result["msg"]
        assert ran.result["deployment"]["state"] == "aborted"
    assert not ok(deploy(server, fleet={"ids": ids}))["changed"]
    assert ok(deploy(server, fleet={"ids": ids}, redeploy="failed"))["changed"]


def test_abort_in_the_middle_of_a_wait_is_noticed(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(60, "gw")
    made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
    timer = threading.Timer(0.3, lambda: server._run(lambda: server.deployments.abort(made)))
    timer.start()
    ran = deploy(server, id=made, wait=True, wait_interval=0.02)
    timer.join()
    assert ran.result["error"]["code"] == "aborted_elsewhere"


def test_quorum_counts_although_it_was_aborted(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(2, "gw")
    with devices_of(server, ids[:1]) as fleet:
        made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
        fleet.wait(lambda found: found.events("succeeded"))
    ok(deploy(server, id=made, state="aborted"))
    ran = ok(deploy(server, fleet={"ids": ids}, wait=True, min_success_percentage=50))
    assert (ran["changed"], ran["counts"]["succeeded"], ran["counts"]["aborted"]) == (False, 1, 1)
    assert deploy(server, fleet={"ids": ids}, wait=True).result["error"]["code"] == "aborted_elsewhere"


def test_devices_without_an_artifact_and_with_it(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = server.add_devices(3, "gw")
    fleet = devices_of(server, ids[:1])
    fleet.add(ids[1:2], device_type="other")
    fleet.add(ids[2:], device_type="gw", artifact="rel-1")
    with fleet:
        ran = ok(deploy(server, fleet={"ids": ids}, wait=True))
    assert (ran["counts"]["succeeded"], ran["counts"]["skipped"], ran["devices"]["skipped"]) == (2, 1, ids[2:])
    assert ran["devices"]["failed"] == []
    strict = deploy(server, fleet={"ids": ids}, wait=True, noartifact="failed", already_installed="failed")
    assert strict.result["error"]["code"] == "threshold_exceeded"
    assert [item["native_state"] for item in strict.result["devices"]["failed"]] == ["noartifact", "already-installed"]
    assert strict.result["counts"]["failed"] == 2


def test_pauses_are_counted(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = newest.add_devices(2, "gw")
    fleet = devices_of(newest, ids, "pause")
    made = ok(deploy(newest, fleet={"ids": ids}))["deployment"]["id"]
    with fleet:
        fleet.wait(lambda found: len(found.events("paused")) == 2)
    ran = ok(deploy(newest, id=made))
    assert (ran["paused"], ran["counts"]["running"], ran["deployment"]["state"]) == (2, 2, "running")


def test_online_is_refused(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    ran = deploy(newest, fleet={"ids": newest.add_devices(1)}, wait=True, wait_until="online")
    assert ran.result["error"]["code"] == "unsupported"
    assert all_of(newest) == []


# -- aborting ------------------------------------------------------------------------------------------------------


def test_three_outcomes_of_an_abort(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    done, busy, away = ids = server.add_devices(3, "gw")
    made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
    fleet = devices_of(server, [done])
    fleet.add([busy], "stall", device_type="gw")
    with fleet:
        fleet.wait(lambda found: found.events("succeeded") and found.events("stalled"))
        planned = ok(deploy(server, state="aborted", name="rel-1", check_mode=True, diff_mode=True))
        assert (planned["changed"], server.deployment(made).finished) == (True, None)
        ran = ok(deploy(server, state="aborted", name="rel-1"))
        assert ran["changed"]
        assert ran["outcome"] == {"completed": 1, "interrupted": 1, "not_started": 1}
        assert ran["deployment"]["state"] == "aborted"
        # the one that is done keeps its status, the others are told
        assert (ran["statistics"]["success"], ran["statistics"]["aborted"]) == (1, 1)
        fleet.behave([busy], "succeed")
        fleet.wait(lambda found: found.events("dropped", busy))
        fleet.add([away], device_type="gw")
        fleet.wait(lambda found: found.devices[away].polls > 1)
        assert not fleet.events("taken", away)
    assert (fleet.devices[done].installed, fleet.devices[busy].installed) == ("rel-1", "factory")
    again = ok(deploy(server, state="aborted", name="rel-1"))
    assert (again["changed"], again["outcome"], again["deployment"]["id"]) == (False, None, None)


def test_abort_says_exactly_aborted(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    made = ok(deploy(newest, fleet={"ids": newest.add_devices(1)}))["deployment"]["id"]
    with FaultProxy(newest.url) as proxy:
        ok(deploy(newest, proxy.url, state="aborted", id=made))
        [put] = [record for record in proxy.wire if record.method == "PUT"]
    assert (put.path, put.status) == (f"{DEPLOYMENTS}/{made}/status", 204)
    assert not ok(deploy(newest, state="aborted", id=made))["changed"]


def test_abort_that_comes_too_late_is_no_change(
    server: MenderServer, deploy: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = server.add_devices(1, "gw")
    made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
    abort = Deployments.abort

    def late(self: Deployments, id: str) -> bool:
        with devices_of(server, ids) as fleet:
            fleet.wait(lambda _fleet: server.deployment(made).finished)
        return abort(self, id)

    monkeypatch.setattr(Deployments, "abort", late)
    ran = ok(deploy(server, state="aborted", id=made, diff_mode=True))
    assert (ran["changed"], ran["outcome"], ran["deployment"]["state"]) == (False, None, "succeeded")
    assert ran["counts"]["succeeded"] == 1


def test_several_are_not_aborted_by_chance(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = newest.add_devices(2)
    for one in ids:
        ok(deploy(newest, fleet={"ids": [one]}))
    ran = deploy(newest, state="aborted", artifact_name="rel-1")
    assert ran.result["msg"].startswith("2 active deployments are meant (")
    assert ok(deploy(newest, state="aborted", artifact_name="rel-1", fleet={"ids": ids[:1]}))["changed"]
    assert [one.finished is None for one in all_of(newest)] == [False, True]


# -- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, said",
    [
        ({"fleet": {"ids": [NOWHERE]}}, "fleet.ids names 1 of 1 devices that Mender does not know or has not accepted"),
        ({"fleet": {"group": "none"}}, "fleet.group is 'none', which selects no accepted device"),
        ({"fleet": {"ids": []}}, "fleet.ids is empty"),
        ({"fleet": {"ids": ["a", "a"]}}, "fleet.ids names a more than once"),
        ({"fleet": {"names": ["a"]}}, "fleet.names is not known to Mender"),
        ({"fleet": {"group": "g", "all": True}}, "fleet wants exactly one of"),
        ({"fleet": {"group": "g"}, "fleet_limit": 2}, "fleet_limit is 2, but 3 devices would get rel-1"),
        ({"fleet": {"group": "g"}, "artifact_name": "x"}, "artifact_name is 'x', but there is no artifact"),
        ({"fleet": {"group": "g"}, "artifact_name": ""}, "artifact_name is missing"),
        ({"artifact_name": "rel-1"}, "fleet is missing"),
        ({"fleet": {"group": "g"}, "name": "n" * 257}, "name has more than 256 characters"),
        ({"id": NOWHERE}, f"id is '{NOWHERE}', but Mender has no such deployment"),
        ({"id": "x"}, "id is 'x': give a UUID"),
        ({"id": NOWHERE, "name": "x"}, "name does not go with id"),
        ({"state": "aborted"}, "state is 'aborted': say in id"),
        ({"fleet": {"group": "g"}, "wait_timeout": 0}, "wait_timeout is 0"),
        ({"fleet": {"group": "g"}, "max_devices": 1}, "max_devices is 1, which only goes with fleet.filter_id"),
        ({"fleet": {"group": "g"}, "retries": -1}, "retries is -1"),
    ],
)
def test_mistakes_write_nothing(
    server: MenderServer, deploy: Callable[..., Ran], given: dict[str, Any], said: str
) -> None:
    server.add_devices(3, "gw", group="g")
    with FaultProxy(server.url) as proxy:
        ran = deploy(server, proxy.url, **given)
        assert said in ran.result["msg"]
        assert [record for record in proxy.wire if record.method == "POST" and record.path == DEPLOYMENTS] == []
    assert all_of(server) == []


@pytest.mark.parametrize(
    "phases, said",
    [
        ([], "phases is an empty list"),
        ([{"batch_size": 5}, {"start_ts": "2030-01-01T00:00:00Z"}], "phases[0].batch_size is 5, but 5 percent of 11"),
        ([{"batch_size": 50}, {}], "phases[1].start_ts is missing"),
        ([{}, {"start_ts": "2030-01-01T00:00:00Z"}], "phases[0].batch_size is missing"),
        ([{"batch_size": 0}], "phases[0].batch_size is 0"),
        ([{"batch_size": 1, "batch_size_devices": 1}], "phases[0] has batch_size and batch_size_devices"),
        ([{"start_ts": "tomorrow"}], "phases[0].start_ts is 'tomorrow'"),
        (
            [{"batch_size": 60}, {"batch_size": 60, "start_ts": "2030-01-01T00:00:00Z"}],
            "phases: the percentages of batch_size add up to 120",
        ),
        (
            [{"batch_size_devices": 2}, {"batch_size": 60, "start_ts": "2030-01-01T00:00:00Z"}],
            "phases mixes batch_size and batch_size_devices",
        ),
        (
            [{"batch_size": 50, "start_ts": "2030-01-02T00:00:00Z"}, {"start_ts": "2030-01-01T00:00:00Z"}],
            "phases[1].start_ts is '2030-01-01T00:00:00Z', which is before",
        ),
        (
            [{"batch_size": 100}, {"start_ts": "2030-01-01T00:00:00Z"}],
            "phases[1] is for the rest, but batch_size in front of it adds up to 100 percent, so that no device is",
        ),
        (
            [{"batch_size_devices": 11}, {"start_ts": "2030-01-01T00:00:00Z"}],
            "but batch_size_devices in front of it adds up to 11 of 11 devices, so that no device is left: give less",
        ),
    ],
)
def test_mistakes_in_phases(
    enterprise: MenderServer, deploy: Callable[..., Ran], phases: list[dict[str, Any]], said: str
) -> None:
    enterprise.add_devices(11, "gw", group="g")
    ran = deploy(enterprise, fleet={"group": "g"}, phases=phases)
    assert said in ran.result["msg"]
    assert ran.result["error"]["code"] == "invalid_input"
    assert all_of(enterprise) == []


def test_too_many_ids_are_not_sent(newest: MenderServer, deploy: Callable[..., Ran]) -> None:
    ids = newest.add_devices(27_000, "gw")
    ran = deploy(newest, fleet={"ids": ids})
    assert ran.result["msg"].startswith("fleet selects 27000 devices, whose ids make a request larger than")
    assert all_of(newest) == []
    assert ok(deploy(newest, fleet={"all": True}))["counts"]["selected"] == 27_000


def test_unknown_devices_can_be_passed_over(server: MenderServer, deploy: Callable[..., Ran]) -> None:
    [there] = server.add_devices(1, "gw")
    [waits] = server.add_devices(1, "gw", status="pending")
    ran = ok(deploy(server, fleet={"ids": [there, NOWHERE, waits]}, on_unknown_device="ignore"))
    assert ran["devices"]["unknown"] == [NOWHERE, waits]
    assert (ran["counts"]["selected"], ran["counts"]["unknown"]) == (1, 2)
    [made] = all_of(server)
    assert made.targets == [there]


def test_server_that_does_not_know_device_ids(
    newest: MenderServer, deploy: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = newest.add_devices(30, "gw")
    search = newest.inventory.search

    def old(body: dict[str, Any]) -> Any:
        asked = {name: value for name, value in body.items() if name != "device_ids"}
        # what fits into a page of its own choice
        return search({**asked, "per_page": min(10, asked["per_page"])})

    monkeypatch.setattr(newest.inventory, "search", old)
    assert ok(deploy(newest, fleet={"ids": ids[25:]}))["counts"]["selected"] == 5
    unknown = deploy(newest, fleet={"ids": [*ids[25:], NOWHERE]})
    assert "fleet.ids names 1 of 6 devices that Mender does not know" in unknown.result["msg"]


# -- reading -------------------------------------------------------------------------------------------------------


def test_deployments_are_listed(server: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    ids = server.add_devices(2, "gw")
    made = {name: ok(deploy(server, fleet={"ids": ids}, name=name))["deployment"]["id"] for name in ("a1", "a2")}
    ok(deploy(server, state="aborted", name="a1"))

    def info(**given: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ok(run(deployment_info, server.url, token=server.token, **given))["deployments"]
        return found

    assert [item["name"] for item in info()] == ["a2", "a1"]
    assert [item["name"] for item in info(limit=1)] == ["a2"]
    for key, value in (("name", "a1"), ("search", "a1"), ("status", "finished"), ("id", made["a1"])):
        assert [item["id"] for item in info(**{key: value})] == [made["a1"]], key
    assert [item["name"] for item in info(status="pending")] == ["a2"]
    assert info(status="scheduled") == info(id=NOWHERE) == info(created_before="2020-01-01T00:00:00Z") == []
    assert len(info(created_after="2020-01-01 00:00:00+02:00", created_before="4102444800")) == 2
    [one] = info(id=made["a2"], device_list=True)
    assert sorted(one["device_list"]) == sorted(ids)
    assert ("pause_before_installing" in one["statistics"]) == ("pauses" in server.features)
    wrong = run(deployment_info, server.url, token=server.token, created_after="yesterday")
    assert wrong.result["msg"].startswith("created_after is 'yesterday'")
    for given in ({}, {"device_id": ids[0]}):
        wrong = run(deployment_info, server.url, token=server.token, limit=-1, **given)
        assert wrong.result["msg"] == "limit is -1: give 1 or more."


def test_devices_logs_and_history(server: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    ids = server.add_devices(2, "gw")
    fleet = devices_of(server, ids)
    fleet.behave(ids[:1], "fail")
    made = ok(deploy(server, fleet={"ids": ids}))["deployment"]["id"]
    with fleet:
        fleet.wait(lambda _fleet: server.deployment(made).finished)
    given = {"token": server.token, "id": made}
    [one] = ok(run(deployment_info, server.url, **given, devices="failure", logs=True))["deployments"]
    [device] = one["devices"]
    assert (device["id"], device["has_log"]) == (ids[0], True)
    assert "the device is full" in device["log"]
    [one] = ok(run(deployment_info, server.url, **given, devices="all"))["deployments"]
    assert sorted(item["id"] for item in one["devices"]) == sorted(ids)
    assert {item["log"] for item in one["devices"]} == {None}
    history = run(deployment_info, server.url, token=server.token, device_id=ids[0])
    if "history" in server.features:
        [entry] = ok(history)["history"]
        assert (entry["deployment"]["id"], entry["device"]["status"]) == (made, "failure")
    else:
        assert history.result["error"]["code"] == "unsupported"


GROUP_TERM = {"scope": "system", "attribute": "group", "type": "$eq", "value": "canary"}
IDS_TERM = {"scope": "identity", "attribute": "id", "type": "$in", "value": ["a", "b"]}


@pytest.mark.parametrize(
    "told, shown",
    [
        ({}, None),
        ({"filter": None}, None),
        # 26,000 ids are read when they are asked for
        ({"filter": {"id": "", "name": "", "terms": [IDS_TERM]}}, None),
        ({"filter": {"id": "", "name": "", "terms": [GROUP_TERM]}}, {"id": None, "name": None, "terms": [GROUP_TERM]}),
        ({"filter": {"id": "f", "name": "n", "terms": [IDS_TERM]}}, {"id": "f", "name": "n", "terms": [IDS_TERM]}),
        ({"filter": {"id": "f", "name": "n"}}, {"id": "f", "name": "n", "terms": []}),
    ],
)
def test_condition_is_shown_but_no_list_of_devices(told: dict[str, Any], shown: Any) -> None:
    assert describe(told)["filter"] == shown


def test_history_has_pages(newest: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    ids = newest.add_devices(1, "gw")
    with devices_of(newest, ids, artifact="rel-1"):
        for number in range(25):
            ok(deploy(newest, fleet={"ids": ids}, name=f"d{number}", wait=True))
    found = ok(run(deployment_info, newest.url, token=newest.token, device_id=ids[0]))["history"]
    assert [entry["deployment"]["name"] for entry in found] == [f"d{number}" for number in reversed(range(25))]


# -- one device ----------------------------------------------------------------------------------------------------


def test_device_is_taken_out_of_all_deployments(server: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    device, other = ids = server.add_devices(2, "gw")
    names = ["d1", "d2", "d3"]
    for name in names:
        ok(deploy(server, fleet={"ids": ids}, name=name))
    given = {"token": server.token, "device_id": device}
    planned = ok(run(mender_device_deployments, server.url, check_mode=True, diff_mode=True, **given))
    assert [item["name"] for item in planned["removed"]] == names
    first = ok(run(mender_device_deployments, server.url, **given))
    assert (first["changed"], first["removed"], first["remaining"]) == (True, planned["removed"], [])
    second = ok(run(mender_device_deployments, server.url, **given))
    assert (second["changed"], second["removed"]) == (False, [])
    fleet = devices_of(server, ids)
    with fleet:
        fleet.wait(lambda found: len(found.events("already-installed")) + found.devices[other].polls > 4)
    assert not fleet.events("taken", device)
    assert fleet.events("taken", other)


def test_what_a_device_has_begun(server: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    [device] = server.add_devices(1, "gw")
    made = [ok(deploy(server, fleet={"ids": [device]}, name=name))["deployment"]["id"] for name in ("d1", "d2")]
    fleet = devices_of(server, [device], "stall")
    with fleet:
        fleet.wait(lambda found: found.events("stalled"))
    ran = ok(run(mender_device_deployments, server.url, token=server.token, device_id=device))
    old = "history" not in server.features
    # those of 2020 let it go on with what it has begun
    assert [item["id"] for item in ran["removed"]] == (made[1:] if old else made)
    assert server.deployment(made[0]).progress[device].status == ("installing" if old else "aborted")
    assert not ok(run(mender_device_deployments, server.url, token=server.token, device_id=device))["changed"]


def test_older_deployments_that_were_passed_over_are_not_open(
    server: MenderServer, deploy: Callable[..., Ran], run: Run
) -> None:
    [device] = server.add_devices(1, "gw")
    for name in ("d1", "d2"):
        ok(deploy(server, fleet={"ids": [device]}, name=name))
    server._run(lambda: server.deployments._begin(device, all_of(server)[1], "success"))
    ran = ok(run(mender_device_deployments, server.url, token=server.token, device_id=device))
    # servers of 2020 do not tell what a device has done, and end the older one too
    old = "history" not in server.features
    assert (ran["changed"], [item["name"] for item in ran["removed"]]) == (old, ["d1"] if old else [])


def test_removal_that_the_server_does_not_carry_out(
    server: MenderServer, deploy: Callable[..., Ran], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    [device] = server.add_devices(1, "gw")
    made = ok(deploy(server, fleet={"ids": [device]}))["deployment"]["id"]
    monkeypatch.setattr(server.deployments, "leave", lambda *_given: None)
    ran = run(mender_device_deployments, server.url, diff_mode=True, token=server.token, device_id=device)
    assert (ok(ran)["changed"], ran.result["removed"], ran.result["remaining"]) == (False, [], [made])
    assert ran.result["diff"]["before"] == {}
    assert ran.warnings == [
        f"The server has left device '{device}' in 1 of its deployments ({made}): run the task again."
    ]


def test_removal_with_a_lost_answer(server: MenderServer, deploy: Callable[..., Ran], run: Run) -> None:
    [device] = server.add_devices(1, "gw")
    ok(deploy(server, fleet={"ids": [device]}))
    with FaultProxy(server.url) as proxy:
        proxy.inject("reset_after", method="DELETE", times=1)
        ran = ok(run(mender_device_deployments, proxy.url, token=server.token, device_id=device))
        assert len([record for record in proxy.wire if record.method == "DELETE"]) == 1
    assert (ran["changed"], len(ran["removed"])) == (True, 1)
