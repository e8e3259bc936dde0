"""The roles on the simulated Mender server with simulated devices: waves, gates, the way back, what they write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from integration.playing import Player, Run

from servers.artifact_writer import Written
from servers.fault_proxy import FaultProxy
from servers.mender import MenderServer
from servers.mender_devices import MenderFleet

PLAYBOOK = Path("fleet.deploy.rollout")
TYPE = "generic-x86_64"
IDS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(30)]
# POSTs that only read
READING = ("/inventory/filters/search", "/deployments/statistics/list", "/auth/login")
CREATE = "POST /api/management/v1/deployments/deployments"
VERSIONS = ["seed", "4.5", "4.1"]
# for one playbook, with some twenty tasks for each wave
SECONDS = 280
WAVES: list[dict[str, Any]] = [{"name": "canary", "percentage": 20}, {"name": "half", "size": "50%"}, {"name": "rest"}]
LENIENT = {"min_success_percentage": 60, "max_failure_percentage": 40}


@dataclass
class World:
    """A server with a proxy in front of it, devices, and a way to run the roles against them."""

    server: MenderServer
    proxy: FaultProxy
    fleet: MenderFleet
    player: Player
    folder: Path
    runs: list[Run] = field(default_factory=list)

    def add(self, ids: list[str], device_type: str = TYPE, group: str = "") -> None:
        """Add devices to the server and switch them on."""
        self.server.add_devices(ids, device_type, group=group)
        self.fleet.add(ids, device_type=device_type)

    def options(self, name: str = "gateway-2", **more: Any) -> dict[str, Any]:
        """Options of the rollout role for all devices."""
        return {
            "rollout_id": name,
            "rollout_platform": "mender",
            "rollout_connection": {"url": self.proxy.url, "token": self.server.token},
            "rollout_software": {"name": name},
            "rollout_fleet": {"all": True},
            "rollout_waves": WAVES,
            "rollout_wait_timeout": 60,
            "rollout_wait_interval": 0.1,
            "rollout_report": {kind: str(self.folder / f"{name}.{kind}") for kind in ("json", "html")},
            **more,
        }

    def published(self, name: str = "gateway-2") -> dict[str, Any]:
        """The option rollout_publish with a file of that artifact."""
        return {"src": Written(name, (TYPE,)).save(self.folder / f"{name}.mender"), "description": "Fixes the clock"}

    def play(self, options: dict[str, Any], *arguments: str, playbook: Path = PLAYBOOK) -> Run:
        """Run a playbook with an empty wire."""
        self.proxy.clear()
        run = self.player.play(playbook, options, *arguments)
        assert self.server.token not in run.output
        assert self.server.faults == 0
        self.runs.append(run)
        return run

    def writes(self) -> list[str]:
        """The writes since the last run began."""
        asked = [record for record in self.proxy.wire if record.is_write and not record.path.endswith(READING)]
        return [f"{record.method} {record.path.partition('?')[0]}" for record in asked]

    def names(self) -> list[str]:
        """The names of all deployments, the oldest first."""
        found = sorted(self.server.deployments.all.values(), key=lambda one: one.created)
        return [one.name for one in found]

    def report(self, options: dict[str, Any]) -> dict[str, Any]:
        """The report for programs."""
        found: dict[str, Any] = json.loads(Path(options["rollout_report"]["json"]).read_text())
        return found

    def installed(self) -> dict[str, int]:
        """How many devices run which artifact."""
        names = [device.installed for device in self.fleet.devices.values()]
        return {name: names.count(name) for name in set(names)}


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a function that starts a server of a version and edition with ten devices."""
    made: list[World] = []

    def start(version: str = "4.1", edition: str = "open_source", devices: int = 10) -> World:
        server = MenderServer(version, edition).start()
        proxy = FaultProxy(server.url)
        proxy.__enter__()
        fleet = MenderFleet(server.url, server.device_token, poll_interval=0.2, step_interval=0.02).start()
        made.append(World(server, proxy, fleet, Player(tmp_path / "player", seconds=SECONDS), tmp_path))
        made[-1].add(IDS[:devices])
        return made[-1]

    yield start
    for world in made:
        world.fleet.stop()
        world.proxy.__exit__(None, None, None)
        world.server.stop()


def changed(run: Run) -> list[str]:
    """The tasks that say to have changed something, those that write the report aside."""
    return [result.name for result in run.results if result.changed and not result.name.startswith("Write the report")]


def result_of(run: Run) -> dict[str, Any]:
    """What the role leaves for what follows."""
    found: dict[str, Any] = run.named("Keep the result for what follows").data["ansible_facts"]["rollout_result"]
    return found


def last_words(run: Run) -> str:
    """The message with which the role failed."""
    assert run.status == 2, run.output
    assert run.complaints() == [], run.output
    assert "Traceback" not in run.output
    return run.results[-1].msg


def sizes(report: dict[str, Any]) -> list[int]:
    """How many devices are in each wave."""
    return [wave["counts"]["selected"] for wave in report["waves"]]


def decisions(report: dict[str, Any]) -> list[str]:
    """What the gates said."""
    return [wave["decision"] for wave in report["waves"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_rollout_from_nothing_to_all(make: Make, version: str) -> None:
    world = make(version)
    options = world.options(rollout_publish=world.published(), rollout_fleet_limit=10)

    checked = world.play(options, "--check", "--diff").must_succeed()
    assert world.writes() == []
    assert not Path(options["rollout_report"]["json"]).exists()
    assert result_of(checked)["message"] == (
        "Rollout 'gateway-2' would go to 10 devices in these waves: canary (2 devices), half (5 devices), rest (3 "
        "devices)."
    )

    done = world.play(options, "-vvv").must_succeed()
    assert world.writes() == ["POST /api/management/v1/deployments/artifacts", CREATE, CREATE, CREATE]
    assert world.names() == ["gateway-2/canary", "gateway-2/half", "gateway-2/rest"]
    assert result_of(done)["message"] == (
        "Rollout 'gateway-2' has succeeded: 10 of 10 devices (100 %) have the software."
    )
    report = world.report(options)
    assert report == result_of(done)
    assert (decisions(report), sizes(report)) == (["passed"] * 3, [2, 5, 3])
    assert world.installed() == {"gateway-2": 10}
    order = [event.device for event in world.fleet.events("taken")]
    assert (sorted(order[:2]), sorted(order[2:7]), sorted(order[7:])) == (IDS[:2], IDS[2:7], IDS[7:10])
    ended = {event.device: event.time for event in world.fleet.events("succeeded")}
    begun = {event.device: event.time for event in world.fleet.events("taken")}
    assert max(ended[id] for id in IDS[:2]) < min(begun[id] for id in IDS[2:7])
    assert max(ended[id] for id in IDS[2:7]) < min(begun[id] for id in IDS[7:10])

    pages = {kind: Path(path).read_bytes() for kind, path in options["rollout_report"].items()}
    # somebody who comes later changes nothing
    world.add(IDS[20:22])
    again = world.play(options).must_succeed()
    assert (changed(again), world.writes()) == ([], [])
    assert {kind: Path(path).read_bytes() for kind, path in options["rollout_report"].items()} == pages
    assert not [page for page in pages.values() if world.server.token.encode() in page]


@pytest.mark.parametrize("version", VERSIONS)
def test_gate_that_fails_in_the_second_wave_stops(make: Make, version: str) -> None:
    world = make(version)
    world.server.add_artifact("gateway-2", [TYPE])
    world.fleet.behave(IDS[2:3], "fail")
    # so that there is something to abort
    world.fleet.behave(IDS[3:4], "stall")
    options = world.options()
    start = (
        "Rollout 'gateway-2' has failed at wave 'half': devices failed, and none may. It is stopped. Failed devices: "
    )
    words = last_words(world.play(options))
    assert words.startswith(start + IDS[2]), words
    assert world.names() == ["gateway-2/canary", "gateway-2/half"]
    assert world.writes()[:2] == [CREATE, CREATE]
    assert [write.partition(" ")[0] for write in world.writes()[2:]] == ["PUT"]
    report = world.report(options)
    assert report["deployment"]["state"] == "failed"
    assert report["error"]["code"] == "threshold_exceeded"
    assert decisions(report) == ["passed", "failed", "not_started"]
    [failed] = report["devices"]["failed"]
    assert failed["id"] == IDS[2]
    assert "flash write error" in failed["log"]
    assert not [event for event in world.fleet.events("taken") if event.device in IDS[7:10]]

    again = world.play(options)
    assert last_words(again).startswith(start)
    assert (changed(again), world.writes()) == ([], [])
    assert world.report(options)["message"] == report["message"]


@pytest.mark.parametrize("version", ["seed", "4.1"])
def test_failing_wave_is_rolled_back(make: Make, version: str) -> None:
    world = make(version)
    world.server.add_artifact("gateway-1", [TYPE])
    world.server.add_artifact("gateway-2", [TYPE])
    world.fleet.on_artifact("gateway-2", "fail", IDS[4:6])
    # two of four fail, more than 40 percent
    waves = [{"name": "canary", "size": 4}, {"name": "half", "size": "4", "gate": LENIENT}, {"name": "rest"}]
    back: dict[str, Any] = {"rollout_on_failure": "rollback", "rollout_rollback_software": {"name": "gateway-1"}}
    options = world.options(rollout_waves=waves, **back)
    words = last_words(world.play(options))
    start = (
        "Rollout 'gateway-2' has failed at wave 'half': more than 40 % of its 4 devices failed. It is stopped. Back to"
    )
    assert words.startswith(f"{start} gateway-1: "), words
    report = world.report(options)
    assert decisions(report) == ["passed", "failed", "not_started"]
    assert set(IDS[:4]) <= set(report["rollback"]["devices"])
    assert report["rollback"]["remaining"] == []
    assert report["rollback"]["software"] == {"name": "gateway-1"}
    assert world.names() == ["gateway-2/canary", "gateway-2/half", "gateway-2/rollback"]
    assert "gateway-2" not in world.installed()
    assert world.installed()["gateway-1"] == len(report["rollback"]["devices"])
    assert {event.device for event in world.fleet.events("taken")} <= set(IDS[:8])

    again = world.play(options)
    assert last_words(again).startswith(start)
    assert (changed(again), world.writes()) == ([], [])


@pytest.mark.parametrize("version", ["4.1"])
def test_devices_that_do_not_report_are_left_or_let_go(make: Make, version: str) -> None:
    world = make(version)
    world.server.add_artifact("gateway-2", [TYPE])
    world.fleet.behave(IDS[3:4], "vanish")
    gate = {"min_success_percentage": 75, "max_failures": 1}
    waves = [{"name": "canary", "size": 4, "gate": gate}, {"name": "rest"}]
    options = world.options(rollout_waves=waves)
    left = result_of(world.play(options).must_succeed())
    assert (left["deployment"]["state"], decisions(left)) == ("succeeded", ["passed", "passed"])
    assert left["counts"]["running"] + left["counts"]["pending"] == 1

    let_go = world.play({**options, "rollout_remainder": "cancel"}).must_succeed()
    assert changed(let_go) == ["Take it back from them"]
    assert len(world.writes()) == 1
    assert world.writes()[0].startswith("PUT ")
    assert result_of(let_go)["message"].startswith("Rollout 'gateway-2' has succeeded: 9 of 10 devices (90 %)")
    once_more = world.play({**options, "rollout_remainder": "cancel"}).must_succeed()
    assert (changed(once_more), world.writes()) == ([], [])


def test_time_that_is_over_stops_nothing_and_the_same_call_goes_on(make: Make) -> None:
    world = make()
    world.server.add_artifact("gateway-2", [TYPE])
    world.fleet.behave(IDS[2:3], "stall")
    options = world.options(rollout_wait_timeout=2)
    words = last_words(world.play(options))
    assert words.startswith("The time to wait for wave 'half' of rollout 'gateway-2' is over."), words
    assert world.report(options)["deployment"]["state"] == "timed_out"
    assert world.writes() == [CREATE, CREATE]

    # new devices, before and behind those that are there, belong to the wave that is to come
    joined = ["00000000-0000-0000-0000-000000000001", IDS[25]]
    world.add(joined)
    world.fleet.behave(IDS[2:3], "succeed")
    done = world.play({**options, "rollout_wait_timeout": 60}).must_succeed()
    assert world.writes() == [CREATE]
    report = result_of(done)
    assert (report["deployment"]["state"], sizes(report)) == ("succeeded", [2, 5, 5])
    taken = [event.device for event in world.fleet.events("taken")]
    assert sorted(taken) == sorted([*IDS[:10], *joined])


def test_verified_and_approved_waves(make: Make) -> None:
    world = make()
    world.server.add_artifact("gateway-1", [TYPE])
    for name in ("gateway-2", "gateway-3"):
        world.server.add_artifact(name, [TYPE])
    verify = world.folder / "verify.yml"
    verify.write_text(
        json.dumps([{"name": "Look", "ansible.builtin.assert": {"that": "rollout_verify_wave == 'canary'"}}])
    )
    canary = {"name": "canary", "percentage": 20, "soak": 1, "verify": str(verify), "approval": "Is it good?"}
    options = world.options(rollout_waves=[canary, {"name": "rest"}])
    waiting = world.play(options)
    assert waiting.results[-1].msg.startswith(
        "Rollout 'gateway-2' waits after wave 'canary', whose gate is open, for approval: run the same again with "
        "rollout_approved: ['canary']."
    )
    assert world.writes() == [CREATE]
    approved = world.play({**options, "rollout_approved": ["canary"]}).must_succeed()
    assert world.writes() == [CREATE]
    assert result_of(approved)["deployment"]["state"] == "succeeded"

    verify.write_text(json.dumps([{"name": "Look", "ansible.builtin.fail": {"msg": "bad"}}]))
    back: dict[str, Any] = {"rollout_on_failure": "rollback", "rollout_rollback_software": {"name": "gateway-1"}}
    refused = world.options("gateway-3", rollout_waves=[canary, {"name": "rest"}], **back)
    world.play(refused)
    assert world.names()[2:] == ["gateway-3/canary", "gateway-3/rollback"]
    report = world.report(refused)
    assert (report["deployment"]["state"], report["error"]["code"]) == ("failed", "rejected")
    assert sorted(report["rollback"]["devices"]) == IDS[:2]
    again = world.play(refused)
    assert last_words(again).startswith(
        "Rollout 'gateway-3' has failed, and its devices were sent back to gateway-1. It is stopped. Back to gateway-1"
    )
    assert (changed(again), world.writes()) == ([], [])


def test_paused_rollout_begins_no_further_wave(make: Make) -> None:
    world = make()
    world.server.add_artifact("gateway-2", [TYPE])
    world.fleet.behave(IDS[2:3], "fail")
    world.fleet.behave(IDS[3:4], "stall")
    options = world.options(rollout_on_failure="pause")
    assert "It is paused." in last_words(world.play(options))
    assert world.writes() == [CREATE, CREATE]
    # those that have begun go on
    world.fleet.behave(IDS[3:4], "succeed")
    world.fleet.wait(lambda fleet: fleet.devices[IDS[3]].installed == "gateway-2")


def test_wave_that_somebody_aborts(make: Make) -> None:
    world = make()
    world.server.add_artifact("gateway-2", [TYPE])
    world.fleet.behave(IDS[0:1], "stall")
    options = world.options(rollout_wait_timeout=2)
    last_words(world.play(options))
    [id] = world.server.deployments.all
    with world.server.session() as session:
        path = f"{world.server.url}/api/management/v1/deployments/deployments/{id}/status"
        session.put(path, json={"status": "aborted"}, timeout=10).raise_for_status()
    words = last_words(world.play(options))
    assert words.startswith("Rollout 'gateway-2' was stopped by somebody else."), words
    assert world.report(options)["deployment"]["state"] == "aborted"
    assert world.writes() == []


def test_devices_of_another_type_do_not_have_the_software(make: Make) -> None:
    world = make(devices=4)
    world.server.add_artifact("gateway-2", [TYPE])
    world.add(IDS[4:5], device_type="printer")
    options = world.options(rollout_waves=[{"name": "all"}])
    words = last_words(world.play(options))
    assert words.startswith("Rollout 'gateway-2' has failed at wave 'all': devices failed, and none may."), words
    assert "no artifact of that name is for the type of this device" in words


def test_phases_of_the_server(make: Make) -> None:
    world = make(edition="enterprise")
    world.server.add_artifact("gateway-2", [TYPE])
    waves = [
        {"name": "canary", "percentage": 20},
        {"name": "rest", "start": "2026-01-01T00:00:00Z", "gate": LENIENT},
    ]
    options = world.options(rollout_waves=waves, rollout_server_phases=True)
    checked = world.play(options, "--check").must_succeed()
    assert world.writes() == []
    assert result_of(checked)["message"].endswith("in these waves: canary, rest (10 devices).")
    done = world.play(options).must_succeed()
    assert world.writes() == [CREATE]
    [sent] = world.server.deployments.all.values()
    assert sent.name == "gateway-2/canary, rest"
    assert [phase.quota for phase in sent.phases] == [2, 8]
    assert result_of(done)["deployment"]["state"] == "succeeded"
    again = world.play(options).must_succeed()
    assert (changed(again), world.writes()) == ([], [])


SAY = {"ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}


def test_what_is_wrong_is_said_before_anything_is_written(make: Make) -> None:
    """One play with a rollout for each mistake, since each playbook costs seconds; those in waves are unit tests."""
    world = make()
    world.server.add_artifact("gateway-2", [TYPE])
    world.play(world.options("gateway-2", rollout_waves=[{"name": "all"}])).must_succeed()
    phased: list[dict[str, Any]] = [
        {"name": "canary", "percentage": 20},
        {"name": "rest", "start": "2026-12-01T00:00:00Z"},
    ]
    other = world.published("gateway-9")
    publish = {"rollout_software": {"name": "gateway-8"}, "rollout_id": "gateway-8"}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "platform": ({"rollout_platform": "junos_space"}, "only hawkbit and mender are there so far."),
        "version": (
            {"rollout_software": {"name": "gateway-2", "version": "2"}},
            "rollout_software.version: Mender knows an artifact by its name alone.",
        ),
        "pause": (
            {"rollout_on_failure": "pause", "rollout_server_phases": True, "rollout_waves": phased},
            "rollout_on_failure is 'pause', but Mender cannot hold phases that the server begins by the clock",
        ),
        "phases": (
            {"rollout_server_phases": True, "rollout_waves": phased},
            "phases is given, but this Mender server is the open source edition",
        ),
        "fleet": ({"rollout_fleet": {"group": "nobody"}}, "fleet.group is 'nobody', which selects no accepted device"),
        "limit": ({"rollout_fleet_limit": 3}, "fleet_limit is 3, but the rollout would go to 10 devices"),
        "software": (
            {"rollout_software": {"name": "gateway-7"}},
            "rollout_software.name is 'gateway-7', but there is no artifact of that name on the server",
        ),
        "file": ({**publish, "rollout_publish": {"src": "/no/such.mender"}}, "src is '/no/such.mender'"),
        "no file": ({**publish, "rollout_publish": {"description": "x"}}, "publish_software is without src"),
        "other file": (
            {**publish, "rollout_publish": other},
            "publish_software.name is 'gateway-8', but",
        ),
        "previous": (
            {"rollout_on_failure": "rollback", "rollout_rollback_software": {"name": "gateway-0"}},
            "rollout_rollback_software is gateway-0, which the server does not have: upload it first",
        ),
        "token": (
            {"rollout_connection": {"url": world.proxy.url, "token": "wrong"}},
            "the server refused the credentials (401); check token",
        ),
        "other software": (
            {
                "rollout_id": "gateway-2",
                "rollout_software": {"name": "gateway-5"},
                "rollout_waves": [{"name": "all"}],
            },
            "name: the rollout 'gateway-2' exists and deploys gateway-2, not gateway-5: choose another name.",
        ),
    }
    base = world.options("gateway-2", rollout_id="new", rollout_report={})
    tasks = []
    for name, (wrong, _message) in cases.items():
        given = {**base, **wrong}
        role = {"name": name, "ansible.builtin.include_role": {"name": "fleet.deploy.rollout"}, "vars": given}
        tasks.append({"name": f"try {name}", "block": [role], "rescue": [{"name": f"said {name}", **SAY}]})
    playbook = world.folder / "wrong.yml"
    playbook.write_text(json.dumps([{"name": "wrong", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    run = world.play({}, playbook=playbook)
    assert run.status == 0, run.output
    said = {name: run.named(f"said {name}").msg for name in cases}
    for name, (_wrong, message) in cases.items():
        assert message in said[name], f"{name}: {said[name]}"
    assert world.writes() == []


@pytest.mark.parametrize("version", ["4.5", "4.1"])
def test_publish_again_and_again(make: Make, version: str) -> None:
    world = make(version, devices=1)
    software: dict[str, Any] = {**world.published("gateway-4"), "name": "gateway-4", "compare": "strict"}
    options = {
        "publish_platform": "mender",
        "publish_connection": {"url": world.proxy.url, "token": world.server.token},
        "publish_software": software,
    }
    playbook = Path("fleet.deploy.publish")
    if version == "4.5":
        refused = world.play({**options, "publish_software": {**software, "tags": ["prod"]}}, playbook=playbook)
        assert "is too old to have them of releases: leave them out" in refused.results[-1].msg
        assert world.writes() == []
    else:
        software.update(tags=["prod"], notes="For all")
    runs = []
    for step, expected in (("check", True), ("first", True), ("second", False)):
        runs.append(world.play(options, *(["--check"] if step == "check" else []), playbook=playbook).must_succeed())
        assert bool(changed(runs[-1])) is expected, step
        assert bool(world.writes()) is (step == "first"), step
    published = (
        runs[-1].named("Keep for the following tasks what was published").data["ansible_facts"]["publish_result"]
    )
    assert published["software"]["name"] == "gateway-4"
    assert published["software"]["id"] in world.server.artifacts.all


def test_publish_has_an_artifact_made_of_any_file(make: Make) -> None:
    world = make(devices=1)
    settings = world.folder / "settings.json"
    settings.write_text("{}")
    generate = {"device_types_compatible": [TYPE], "args": {"filename": "settings.json", "dest_dir": "/etc/gateway"}}
    options = {
        "publish_platform": "mender",
        "publish_connection": {"url": world.proxy.url, "token": world.server.token},
        "publish_software": {"name": "settings-7", "src": str(settings), "generate": generate},
    }
    playbook = Path("fleet.deploy.publish")
    assert changed(world.play(options, playbook=playbook).must_succeed()) == ["Keep the artifact"]
    assert changed(world.play(options, playbook=playbook).must_succeed()) == []
