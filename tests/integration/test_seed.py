"""Each parameter and each field of the documentation: modules send it, a server takes it, modules return it.

One play through all operations is recorded; each line of seeds/ must be found on the wire, and in the results.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from integration.faults import Admin, new_name
from integration.seed import WORDS, Row, body_of, read_seed, rows, values
from integration.seed_play import Play, Played, alike, identified

from servers.devices import SimulatedFleet
from servers.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hawkbit import HawkbitServer

ROWS = rows(read_seed("hawkbit_targets"))
GATHER = ["poll_status", "attributes", "metadata", "tags", "actions", "action_status", "assigned_distribution_set",
          "installed_distribution_set"]  # fmt: skip
# lines that a generation of the API cannot show, and why
SILENT = dict.fromkeys(
    ("update_metadata-response-key", "update_metadata-response-value"), "the answer has no body from 0.9 on"
)
NOT_ON: dict[str, dict[str, str]] = {"mid": SILENT, "modern": SILENT}


def _connection(server: HawkbitServer, proxy: FaultProxy) -> dict[str, Any]:
    return {"url": proxy.url, "username": server.username, "password": server.password}


def _wait_until_quiet(admin: Admin, device: str) -> None:
    """Wait until the server has dealt with the last poll."""
    last = None
    while last != (last := admin.do("GET", f"targets/{device}")["lastControllerRequestAt"]):
        time.sleep(1)


def _play_all(server: HawkbitServer, folder: Path) -> Played:
    admin, name = Admin(server, folder), new_name()
    admin.set(name, admin.module(name))
    other = f"{name}-other"
    admin.set(other, admin.module(other))
    device, one, two, three = (f"{name}-{number}" for number in ("device", "1", "2", "3"))
    software, more = {"name": name, "version": "1"}, {"name": other, "version": "1"}
    window = {"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": "+02:00"}
    address = {"address": "http://192.0.2.7"}
    with (
        FaultProxy(server.url) as proxy,
        SimulatedFleet(server.url, server.gateway_token, poll_interval=0.3) as fleet,
    ):
        play = Play(_connection(server, proxy))
        fleet.add([device], attributes={"hw": "rev2"})
        fleet.wait_registered()
        texts = {"name": "Gateway", "description": "In the hall", "security_token": "0123456789abcdef", **address}
        others = [{"controller_id": two, "metadata": {"room": "1"}}, {"controller_id": three}]
        play.run("target", targets=[{"controller_id": one, **texts}, *others])
        play.run("target_info", controller_id=one)
        texts = {"name": "Gateway 1", "description": "In the yard", "security_token": "fedcba9876543210", **address}
        play.run("target", controller_id=one, **texts, update_security_token="always", return_security_token=True)
        play.run("target_info", controller_id=one)
        play.run("target", controller_id=device, metadata={"site": "A", "floor": "1"}, **address)
        # the answer is lost: the module reads the key
        proxy.inject("reset_after", method="PUT", path="/metadata/site$")
        play.run("target", controller_id=device, metadata={"site": "B"}, metadata_absent=["floor"])
        play.run("target", controller_id=device, metadata={"site": "C"})
        play.run("target_action", controller_id=device, action="request_attributes")

        for item in (software, more):
            play.run("distribution_set", **item, type="os", description="All there is")
        assign = {"distribution_set": software}
        forced = {"assignment_type": "timeforced", "forcetime": 1629287391486, "maintenance_window": window}
        weight = {} if server.version.startswith("0.3") else {"weight": 500}
        timed = play.run("distribution_set_assign", **assign, **forced, **weight, fleet={"ids": [one]})
        action = int(timed["server_counts"]["assigned_actions"][0])
        play.run("target_info", controller_id=one, gather=GATHER, action_id=action)
        soft = play.run("distribution_set_assign", **assign, assignment_type="soft", fleet={"ids": [three]})
        action = int(soft["server_counts"]["assigned_actions"][0])
        play.run("target_action", controller_id=three, action="force", action_id=action)
        play.run("target_info", controller_id=three, gather=GATHER, action_id=action)
        play.run("target_action", controller_id=three, action="force_cancel", action_id=action)
        play.run("distribution_set_assign", **assign, fleet={"ids": [two]}, offline=True)

        wait = {"assignment_type": "soft", "wait": True, "wait_timeout": 60, "wait_interval": 1}
        for item in (software, more):
            play.run("distribution_set_assign", distribution_set=item, **wait, fleet={"ids": [device]})
        # polls would change what is told
        fleet.stop()
        _wait_until_quiet(admin, device)
        play.run("target_action", controller_id=device, action="request_attributes")
        play.run("target", controller_id=device, description="In the cellar")
        query = {"query": f"controllerid=={name}-*", "sort": "name:ASC", "limit": 5}
        play.run("target_info", **query, gather=GATHER, action_limit=5, action_sort="id:DESC", action_query="id=gt=0",
                 action_status_limit=5, metadata_query="key==s*")  # fmt: skip
        play.run("target_info", controller_id=device, gather=GATHER)
        play.run("target", targets=[{"controller_id": two}], state="absent")
        return play.played(proxy.wire)


def _play_several(server: HawkbitServer, folder: Path) -> Played:
    """Several sets at once."""
    admin, name = Admin(server, folder), new_name()
    sets: list[dict[str, Any]] = []
    for suffix in ("a", "b"):
        admin.set(f"{name}-{suffix}", admin.module(f"{name}-{suffix}"))
        sets.append({"name": f"{name}-{suffix}", "version": "1"})
    window = {"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": "+02:00"}
    timeforced = {"assignment_type": "timeforced", "forcetime": 1629287392679, "weight": 500}
    with FaultProxy(server.url) as proxy:
        play = Play(_connection(server, proxy))
        [target] = admin.targets(f"{name}-one", 1)
        play.run("distribution_set_assign", distribution_set=sets[0], weight=500, fleet={"ids": [target]})
        several = [{**sets[0], **timeforced, "maintenance_window": window}, {**sets[1], "weight": 800}]
        # what is only recorded has neither type nor window
        recorded = [{**one, "weight": 500} for one in sets]
        for offline, both in ((False, several), (True, recorded)):
            [target] = admin.targets(f"{name}-{offline}", 1)
            play.run("distribution_set_assign", distribution_sets=both, fleet={"ids": [target]}, offline=offline)
            for action in play.run("target_info", controller_id=target, gather=["actions"])["targets"][0]["actions"]:
                play.run("target_info", controller_id=target, gather=["actions"], action_id=int(action["id"]))
        return play.played(proxy.wire)


@pytest.fixture(scope="session")
def played(hawkbit: HawkbitServer, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The play of all operations but the one of several sets."""
    return _play_all(hawkbit, tmp_path_factory.mktemp("seed"))


@pytest.fixture(scope="session")
def several(several_sets: HawkbitServer, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The play of several sets."""
    return _play_several(several_sets, tmp_path_factory.mktemp("seed-several"))


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_row(hawkbit: HawkbitServer, request: pytest.FixtureRequest, row: Row) -> None:
    reason = NOT_ON.get(hawkbit.generation, {}).get(row.id)
    if reason:
        pytest.skip(reason)
    if row.operation.body == "list":
        request.getfixturevalue("several_sets")
    plays: list[Played] = [request.getfixturevalue("played")]
    if hawkbit.generation != "modern":
        # weights of old servers, too
        plays.append(request.getfixturevalue("several"))
    records = [
        record
        for play in plays
        for record in play.wire
        if row.operation.is_it(record) and record.status in range(200, 300)
    ]
    assert records, "never sent"
    if row.kind == "query":
        assert [record for record in records if row.name in parse_qs(record.query)]
    elif row.kind == "request":
        assert row.stands in WORDS or [record for record in records if values(row.name, body_of(record.request_body))]
    else:
        raw = [pair for record in records for pair in identified(row.name, body_of(record.response_body))]
        assert raw, "never answered"
        if row.stands not in WORDS:
            shown = [pair for play in plays for pair in play.shown(row.stands)]
            assert alike(raw, shown), f"{raw[:3]} is not in {shown[:3]}"


def test_links_are_never_followed(hawkbit: HawkbitServer, tmp_path: Path) -> None:
    """hawkBit makes links from the name that it was called by; behind a proxy that may be anything."""
    admin = Admin(hawkbit, tmp_path)
    [target] = admin.targets(new_name(), 1)
    with FaultProxy(hawkbit.url) as proxy:
        proxy.inject("altered", times=None, headers={"Host": "elsewhere.invalid"})
        play = Play(_connection(hawkbit, proxy))
        play.run("target_info", controller_id=target, gather=GATHER)
        play.run("target", controller_id=target, description="new", metadata={"site": "A"})
        assert "//elsewhere.invalid/rest/v1/targets/" in "".join(record.response_body for record in proxy.wire)
