"""Rollouts in waves: who is in which wave, on each version of the simulated server, also when devices come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._mender import rollout as rollouts
from ansible_collections.fleet.deploy.plugins.modules import deployment, mender_rollout_info
from servers.mender import MenderServer

from .conftest import Ran, Run

TYPE = "generic-x86_64"
IDS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(40)]
WAVES: list[dict[str, Any]] = [{"name": "canary", "percentage": 15}, {"name": "some", "devices": 3}, {"name": "rest"}]


@pytest.fixture(params=["seed", "4.5", "4.0", "4.1"])
def server(request: pytest.FixtureRequest) -> Iterator[MenderServer]:
    """A server with ten devices, of which some are in a group, and an artifact."""
    with MenderServer(request.param) as found:
        found.add_devices(IDS[:8])
        found.add_devices(IDS[8:10], group="lab")
        found.add_artifact("gateway-2", [TYPE])
        yield found


@pytest.fixture
def newest() -> Iterator[MenderServer]:
    """The same for tests of what no version changes."""
    with MenderServer() as found:
        found.add_devices(IDS[:8])
        found.add_devices(IDS[8:10], group="lab")
        found.add_artifact("gateway-2", [TYPE])
        yield found


def look(run: Run, server: MenderServer, **given: Any) -> Ran:
    """Run the module."""
    options = {"name": "r", "artifact_name": "gateway-2", "fleet": {"all": True}, "waves": WAVES, **given}
    return run(mender_rollout_info, server.url, token=server.token, **options)


def seen(run: Run, server: MenderServer, **given: Any) -> dict[str, Any]:
    """Return the rollout."""
    done = look(run, server, **given)
    assert done.error is None, done.result
    assert done.result["changed"] is False
    found: dict[str, Any] = done.result["rollout"]
    return found


def begin(run: Run, server: MenderServer, wave: dict[str, Any]) -> str:
    """Begin a wave as the role does; return the id of its deployment."""
    given = {"name": wave["deployment_name"], "artifact_name": "gateway-2", "fleet": wave["fleet"]}
    done = run(deployment, server.url, token=server.token, **given)
    assert done.error is None, done.result
    return str(done.result["deployment"]["id"])


def ids_of(wave: dict[str, Any]) -> list[str]:
    """Return the ids with which a wave is begun."""
    return list((wave["fleet"] or {}).get("ids", []))


def test_fleet_is_split_in_order(server: MenderServer, run: Run) -> None:
    found = seen(run, server)
    # 15 percent of ten, rounded up
    assert [ids_of(wave) for wave in found["waves"]] == [IDS[:2], IDS[2:5], IDS[5:10]]
    assert found["counts"]["selected"] == found["counts"]["pending"] == 10
    assert (found["created"], found["rollback"], found["installed"]) == (None, None, None)
    assert len(found["artifacts"]) == 1
    assert seen(run, server) == found


def test_devices_that_come_later_are_in_waves_to_come(server: MenderServer, run: Run) -> None:
    first = begin(run, server, seen(run, server)["waves"][0])
    # they sort before and behind those that are there
    joined = ["00000000-0000-0000-0000-000000000001", *IDS[20:29]]
    server.add_devices(joined)
    found = seen(run, server, installed=True)
    canary, some, rest = found["waves"]
    assert (canary["deployment"], canary["counts"]["selected"], canary["fleet"]) == (first, 2, None)
    assert ids_of(some) == [joined[0], *IDS[2:4]]
    members = [*IDS[:2], *ids_of(some), *ids_of(rest)]
    assert len(members) == len(set(members)) == 20
    assert found["counts"]["selected"] == 20
    assert found["installed"] == []

    begin(run, server, some)
    server.remove_devices(ids_of(some)[:1])
    begin(run, server, seen(run, server)["waves"][2])
    server.add_devices(IDS[30:35])
    over = seen(run, server)
    # those that came after the last wave are in none
    assert [wave["counts"]["selected"] for wave in over["waves"]] == [2, 3, 15]
    assert over["counts"]["selected"] == 20
    # not even the fleet is looked at
    assert seen(run, server, fleet={"group": "gone"}) == over


def test_percentages_are_of_the_whole_also_later(newest: MenderServer, run: Run) -> None:
    waves = [{"name": "first", "devices": 2}, {"name": "half", "percentage": 50}, {"name": "rest"}]
    planned = seen(run, newest, waves=waves)["waves"]
    begin(run, newest, planned[0])
    assert [ids_of(wave) for wave in seen(run, newest, waves=waves)["waves"]] == [[], IDS[2:7], IDS[7:10]]


def test_wave_with_a_fleet_of_its_own(newest: MenderServer, run: Run) -> None:
    waves = [
        {"name": "first", "devices": 1},
        {"name": "lab", "fleet": {"group": "lab"}, "percentage": 50},
        {"name": "rest"},
    ]
    found = seen(run, newest, waves=waves)
    assert [ids_of(wave) for wave in found["waves"]] == [IDS[:1], IDS[8:9], [*IDS[1:8], IDS[9]]]
    again = [
        {"name": "lab", "fleet": {"group": "lab"}},
        {"name": "again", "fleet": {"ids": IDS[7:10]}},
        {"name": "rest"},
    ]
    found = seen(run, newest, waves=again)
    # a device is in the first wave that it is for
    assert [ids_of(wave) for wave in found["waves"]] == [IDS[8:10], IDS[7:8], IDS[:7]]
    outside = [{"name": "lab", "fleet": {"ids": IDS[:1]}}, {"name": "rest"}]
    found = seen(run, newest, fleet={"group": "lab"}, waves=outside)
    assert [wave["fleet"] for wave in found["waves"]] == [None, {"ids": IDS[8:10]}]


def test_group_that_is_too_large_for_a_request_goes_by_its_name(
    newest: MenderServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "BODY_LIMIT", rollouts.BYTES_OF_REST + rollouts.BYTES_OF_ID)
    one = [{"name": "all"}]
    assert seen(run, newest, waves=one)["waves"][0]["fleet"] == {"all": True}
    assert seen(run, newest, waves=one, fleet={"group": "lab"})["waves"][0]["fleet"] == {"group": "lab"}
    refused = look(run, newest, waves=[{"name": "a", "devices": 3}, {"name": "b"}])
    assert refused.result["msg"].startswith("waves, wave 'a': it has 3 devices, whose ids make a request larger than")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"waves": []}, "waves is an empty list: give at least one wave."),
        ({"waves": [{"name": "a"}, {"name": "a"}]}, "waves: 'a' is there more than once"),
        ({"waves": [{"name": "rollback"}]}, "waves, wave 'rollback': choose another name"),
        ({"waves": [{"name": "x" * 300}]}, "with the name of the rollout it has more than 256 characters."),
        ({"waves": [{"name": "a", "percentage": 0.0}, {"name": "b"}]}, "percentage is 0: give more than 0"),
        ({"waves": [{"name": "a", "devices": 0}, {"name": "b"}]}, "devices is 0: give 1 or more."),
        (
            {"waves": [{"name": "a", "devices": 4}, {"name": "b", "fleet": {"group": "lab"}}]},
            "waves: 4 of the 10 devices are in no wave (",
        ),
        ({"fleet_limit": 9}, "fleet_limit is 9, but the rollout would go to 10 devices: raise the limit"),
        ({"fleet": {"group": "none"}}, "fleet.group is 'none', which selects no accepted device"),
        ({"fleet": {"ids": [IDS[39]]}}, "fleet.ids names 1 of 1 devices that Mender does not know"),
        ({"fleet": {"filter_id": "f"}}, "fleet.filter_id does not go with waves"),
        ({"fleet": {"query": "x"}}, "fleet.query is not known to Mender"),
        (
            {"waves": [{"name": "a", "fleet": {"group": "none"}}, {"name": "b"}]},
            "waves, wave 'a': fleet.group is 'none', which selects no accepted device",
        ),
        ({"artifact_name": " "}, "artifact_name is empty: fill it in."),
        ({"failed_devices": -1}, "failed_devices is -1: give 0 or more."),
    ],
)
def test_refused(newest: MenderServer, run: Run, given: dict[str, Any], message: str) -> None:
    done = look(run, newest, **given)
    assert done.error is not None
    assert message in done.result["msg"], done.result["msg"]


def test_another_artifact_under_the_same_name_is_refused(server: MenderServer, run: Run) -> None:
    begin(run, server, seen(run, server)["waves"][0])
    done = look(run, server, artifact_name="gateway-3")
    assert done.result["msg"] == (
        "name: the rollout 'r' exists and deploys gateway-2, not gateway-3: choose another name."
    )


def test_aborted_wave_is_told(server: MenderServer, run: Run) -> None:
    id = begin(run, server, seen(run, server)["waves"][0])
    assert seen(run, server)["waves"][0]["aborted"] is False
    run(deployment, server.url, token=server.token, id=id, state="aborted")
    wave = seen(run, server)["waves"][0]
    assert (wave["aborted"], wave["status"], wave["counts"]["aborted"]) == (True, "finished", 2)
