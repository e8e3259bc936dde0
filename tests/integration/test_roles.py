"""The roles on a real server: rollouts that succeed, fail, are refused, go back; what they write and what they say."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from integration.playing import Player, Run

from servers import devices
from servers.devices import Event, SimulatedFleet, device_ids
from servers.fixtures import _versions

if TYPE_CHECKING:
    from servers.fault_proxy import FaultProxy
    from servers.hawkbit import HawkbitServer

POLL_SECONDS = 0.3
PLAYBOOK = Path("fleet.deploy.rollout")
# what any device may say; hawkBit from 0.10 on refuses messages with markup
HOSTILE = "{{ 7*7 }}{% raw %} 1 < 2 & \"q\" 'a'"


@dataclass
class World:
    """A server with a proxy in front of it, devices, and a way to run the roles against them."""

    hawkbit: HawkbitServer
    proxy: FaultProxy
    player: Player
    folder: Path
    fleets: list[SimulatedFleet] = field(default_factory=list)

    @property
    def connection(self) -> dict[str, str]:
        """The option rollout_connection."""
        return {"url": self.proxy.url, "username": self.hawkbit.username, "password": self.hawkbit.password}

    def fleet(self, prefix: str, count: int, on_event: Callable[[Event], object] | None = None) -> SimulatedFleet:
        """Devices that have registered."""
        fleet = SimulatedFleet(
            self.hawkbit.url, self.hawkbit.gateway_token, poll_interval=POLL_SECONDS, on_event=on_event
        )
        fleet.add(device_ids(count, prefix))
        self.fleets.append(fleet.start())
        fleet.wait_registered()
        return fleet

    def options(self, name: str, version: str, **more: Any) -> dict[str, Any]:
        """Options of the rollout role for a fleet of that name."""
        image = self.folder / "firmware.bin"
        image.write_bytes(b"firmware" * 1000)
        module = {"name": f"{name}-os", "version": version, "type": "os", "artifacts": [{"src": str(image)}]}
        return {
            "rollout_id": f"{name}-{version}",
            "rollout_connection": self.connection,
            "rollout_software": {"name": name, "version": version},
            "rollout_publish": {"modules": [module]},
            "rollout_fleet": {"query": f"controllerid=={name}-*"},
            "rollout_wait_timeout": 150,
            "rollout_wait_interval": 0.3,
            "rollout_report": {kind: str(self.folder / f"{name}-{version}.{kind}") for kind in ("json", "html")},
            **more,
        }

    def roll_out(self, options: Mapping[str, Any], *arguments: str) -> Run:
        """Run the playbook of the role, with an empty wire."""
        self.proxy.clear()
        return self.player.play(PLAYBOOK, options, *arguments)

    def report(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The report for programs."""
        found: dict[str, Any] = json.loads(Path(options["rollout_report"]["json"]).read_text())
        return found

    def writes(self) -> list[str]:
        """The writes since the last run began."""
        return [f"{record.method} {record.path}" for record in self.proxy.wire if record.is_write]

    def installed(self, query: str) -> dict[str, int]:
        """How many targets the server says to have each version."""
        session, count = self.hawkbit.session(), {}
        found = session.get(f"{self.hawkbit.url}/rest/v1/targets", params={"q": query, "limit": 100}, timeout=30).json()
        for target in found["content"]:
            path = f"{self.hawkbit.url}/rest/v1/targets/{target['controllerId']}/installedDS"
            answer = session.get(path, timeout=30)
            version = answer.json()["version"] if answer.status_code == 200 else ""
            count[version] = count.get(version, 0) + 1
        return count


@pytest.fixture
def newest(hawkbit: HawkbitServer, request: pytest.FixtureRequest) -> None:
    """Skip a test that takes long on all releases but the newest; where they differ is tested elsewhere."""
    versions = _versions(request.config)
    if hawkbit.version != versions[0]:
        pytest.skip(f"long: it runs on {versions[0]} only")


@pytest.fixture
def world(hawkbit: HawkbitServer, proxy: FaultProxy, tmp_path: Path) -> Iterator[World]:
    """A server, devices, roles."""
    found = World(hawkbit, proxy, Player(tmp_path / "player"), tmp_path)
    yield found
    for fleet in found.fleets:
        fleet.stop()


def changed(run: Run) -> list[str]:
    """The tasks that say to have changed something."""
    return [result.name for result in run.results if result.changed]


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


def test_rollout_from_nothing_to_all(world: World) -> None:
    fleet = world.fleet("good-", 10)
    waves = [{"name": "canary", "percentage": 20}, {"name": "half", "percentage": 50}, {"name": "rest"}]
    options = world.options("good", "1.0", rollout_waves=waves, rollout_fleet_limit=10)

    checked = world.roll_out(options, "--check", "--diff").must_succeed()
    assert world.writes() == []
    assert not Path(options["rollout_report"]["json"]).exists()
    assert result_of(checked)["message"] == (
        "Rollout 'good-1.0' would go to 10 devices in these waves: canary (20 %), half (50 %), rest (30 %)."
    )

    # the password is in the options and in the environment of every module: it may be seen nowhere
    done = world.roll_out(options, "-vvv").must_succeed()
    assert result_of(done)["message"] == "Rollout 'good-1.0' has succeeded: 10 of 10 devices (100 %) have the software."
    report = world.report(options)
    assert report == result_of(done)
    assert [(wave["name"], wave["decision"]) for wave in report["waves"]] == [
        ("canary", "passed"), ("half", "passed"), ("rest", "passed"),
    ]  # fmt: skip
    sizes = [wave["counts"]["selected"] for wave in report["waves"]]
    assert (sum(sizes), sizes[0]) == (10, 2)
    assert {device.installed for device in fleet.devices.values()} == {"1.0"}
    order = [event.device for event in fleet.events("taken", version="1.0")]
    finished = [event for event in fleet.events("succeeded", version="1.0") if event.device in order[:2]]
    others = [event for event in fleet.events("taken", version="1.0") if event.device not in order[:2]]
    assert max(event.time for event in finished) < min(event.time for event in others)

    pages = {kind: Path(path).read_bytes() for kind, path in options["rollout_report"].items()}
    again = world.roll_out(options).must_succeed()
    assert changed(again) == []
    assert world.writes() == []
    assert {kind: Path(path).read_bytes() for kind, path in options["rollout_report"].items()} == pages

    for secret in (world.hawkbit.password, world.hawkbit.gateway_token):
        basic = base64.b64encode(f"{world.hawkbit.username}:{secret}".encode()).decode()
        for seen in (done.output, checked.output, again.output, *(page.decode() for page in pages.values())):
            assert not any(form in seen for form in (secret, quote(secret, safe=""), basic))


def test_failing_canary_is_rolled_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_failure", lambda _device: [HOSTILE, "still running"])
    canary = device_ids(8, "back-")[:4]
    fail, succeed = canary[:2], canary[2:]
    done: set[str] = set()

    def when_two_are_done(event: Event) -> None:
        # the others wait for these, so that there is something to take back
        if event.what == "succeeded" and event.version == "2.0":
            done.add(event.device)
            if done >= set(succeed):
                fleet.on_version("2.0", "fail", fail)

    fleet = world.fleet("back-", 8, when_two_are_done)
    fleet.on_version("2.0", "stall", fail)
    previous = world.options("back", "1.0", rollout_waves=[{"name": "all"}])
    world.roll_out(previous).must_succeed()

    gate = {"min_success_percentage": 60, "max_failure_percentage": 40}
    ids = ",".join(canary)
    options = world.options(
        "back", "2.0",
        rollout_waves=[{"name": "canary", "query": f"controllerid=in=({ids})", "gate": gate}, {"name": "rest"}],
        rollout_on_failure="rollback",
        rollout_rollback_software=previous["rollout_software"],
    )  # fmt: skip
    failed = world.roll_out(options)
    words = last_words(failed)
    start = "Rollout 'back-2.0' has failed at wave 'canary': more than 40 % of its 4 devices failed. It is stopped."
    assert words.startswith(f"{start} Back to back 1.0: 2 of 2 devices. Failed devices: back-"), words
    assert HOSTILE in words
    report = world.report(options)
    assert report["deployment"]["state"] == "failed"
    assert report["error"]["code"] == "threshold_exceeded"
    assert [wave["decision"] for wave in report["waves"]] == ["failed", "not_started"]
    assert {device["id"] for device in report["devices"]["failed"]} == set(fail)
    assert all(device["message"].startswith(HOSTILE) for device in report["devices"]["failed"])
    assert HOSTILE in report["devices"]["failed"][0]["log"]
    assert sorted(report["rollback"]["devices"]) == succeed
    assert report["rollback"]["remaining"] == []
    assert {device.installed for device in fleet.devices.values()} == {"1.0"}
    assert world.installed("controllerid==back-*") == {"1.0": 8}
    assert {event.device for event in fleet.events("taken", version="2.0")} == set(canary)

    again = world.roll_out(options)
    assert last_words(again).startswith(start)
    assert [name for name in changed(again) if not name.startswith("Write the report")] == []
    assert world.writes() == []


@pytest.mark.usefixtures("newest")
def test_devices_that_do_not_report_are_left_or_let_go(world: World) -> None:
    fleet = world.fleet("away-", 8)
    fleet.on_version("1.0", "vanish", ["away-3"])
    gate = {"min_success_percentage": 75, "max_failure_percentage": 25}
    options = world.options("away", "1.0", rollout_waves=[{"name": "all", "gate": gate}])
    left = result_of(world.roll_out(options).must_succeed())
    assert left["deployment"]["state"] == "succeeded"
    assert left["counts"]["running"] + left["counts"]["pending"] >= 1
    fleet.wait(lambda found: len(found.events("succeeded")) == 7)

    let_go = world.roll_out({**options, "rollout_remainder": "cancel"}).must_succeed()
    assert "Take it back from them" in changed(let_go)
    assert result_of(let_go)["message"].startswith("Rollout 'away-1.0' has succeeded: 7 of 8 devices (87.5 %)")

    once_more = world.roll_out({**options, "rollout_remainder": "cancel"}).must_succeed()
    assert [name for name in changed(once_more) if not name.startswith("Write the report")] == []


@pytest.mark.usefixtures("newest")
def test_time_that_is_over_stops_nothing(world: World) -> None:
    fleet = world.fleet("slow-", 4)
    fleet.on_version("1.0", "stall")
    options = world.options("slow", "1.0", rollout_waves=[{"name": "all"}], rollout_wait_timeout=2)
    words = last_words(world.roll_out(options))
    assert words.startswith(
        "The time to wait for wave 'all' of rollout 'slow-1.0' is over. 0 of 4 devices (0 %) succeeded"
    )
    assert world.report(options)["deployment"]["state"] == "timed_out"
    fleet.on_version("1.0", "succeed")
    attached = world.roll_out({**options, "rollout_wait_timeout": 60}).must_succeed()
    assert result_of(attached)["deployment"]["state"] == "succeeded"
    assert [write for write in world.writes() if "rollouts" in write] == []


def test_waves_that_a_person_or_a_check_looks_at(world: World) -> None:
    if world.hawkbit.generation != "modern":
        options = world.options(
            "look", "1.0", rollout_waves=[{"name": "a", "percentage": 50, "soak": 1}, {"name": "b"}]
        )
        words = last_words(world.roll_out(options))
        assert words.startswith("rollout_waves, wave a: soak, approval and verify make the server pause after the wave")
        assert world.writes() == []
        return
    world.fleet("look-", 4)
    verify = world.folder / "verify.yml"
    good = [{"name": "Look", "ansible.builtin.assert": {"that": "rollout_verify_wave == 'canary'"}}]
    verify.write_text(json.dumps(good))
    canary = {"name": "canary", "percentage": 50, "soak": 1, "verify": str(verify), "approval": "Is it good?"}
    options = world.options("look", "1.0", rollout_waves=[canary, {"name": "rest"}])

    # nobody is there to be asked; Ansible itself warns of that
    waiting = world.roll_out(options)
    assert waiting.results[-1].msg.startswith(
        "Rollout 'look-1.0' waits after wave 'canary', whose gate is open, for approval: run the same again with "
        "rollout_approved: ['canary']."
    )
    assert world.report(options)["deployment"]["state"] == "waiting"
    assert world.installed("controllerid==look-*") == {"1.0": 2, "": 2}

    approved = world.roll_out({**options, "rollout_approved": ["canary"]}).must_succeed()
    assert result_of(approved)["deployment"]["state"] == "succeeded"
    assert world.installed("controllerid==look-*") == {"1.0": 4}

    verify.write_text(
        json.dumps([{"name": "Look", "ansible.builtin.fail": {"msg": "{{ rollout_verify_wave }} is bad"}}])
    )
    refused = {**world.options("look", "2.0"), "rollout_waves": options["rollout_waves"]}
    start = "Rollout 'look-2.0' has failed at wave 'canary': it was not verified. It is stopped."
    assert last_words(world.roll_out(refused)).startswith(start)
    assert world.report(refused)["deployment"]["native_state"] == "stopped"
    again = world.roll_out(refused)
    assert last_words(again).startswith(start)
    assert world.writes() == []
    assert changed(again) == []


@pytest.mark.usefixtures("newest")
def test_what_is_wrong_is_said_before_anything_is_written(world: World) -> None:
    """One play with a rollout for each mistake, since each playbook costs seconds."""
    world.fleet("amiss-", 4)
    options = world.options("amiss", "1.0")
    world.roll_out({**options, "rollout_waves": [{"name": "all"}]}).must_succeed()
    missing = str(world.folder / "missing.bin")
    module = {"name": "amiss-os", "version": "9", "type": "os", "artifacts": [{"src": missing}]}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "platform": (
            {"rollout_platform": "junos_space"},
            "rollout_platform is 'junos_space', which this release of fleet.deploy",
        ),
        "waves": ({"rollout_waves": []}, "rollout_waves is an empty list: give at least one wave."),
        "fleet": ({"rollout_fleet": {"query": "controllerid==nobody"}}, "fleet selects no device"),
        "limit": (
            {"rollout_fleet_limit": 3},
            "fleet_limit is 3, but the rollout would go to 4 devices: raise the limit",
        ),
        "software": (
            {"rollout_publish": None, "rollout_software": {"name": "amiss", "version": "8"}},
            "Distribution set 'amiss' version '8' does not exist: there is version '1.0'",
        ),
        "file": ({"rollout_publish": {"modules": [module]}}, missing),
        "rollback": (
            {"rollout_on_failure": "rollback"},
            "rollout_on_failure is 'rollback': give the version to go back to in rollout_rollback_software",
        ),
        "previous": (
            {"rollout_on_failure": "rollback", "rollout_rollback_software": {"name": "amiss", "version": "0.1"}},
            "rollout_rollback_software is amiss 0.1, which the server does not have",
        ),
        "password": (
            {"rollout_connection": {**world.connection, "password": "wrong"}},
            "the server refused the credentials (401); check username and password, or token.",
        ),
        "other waves": (
            {"rollout_id": "amiss-1.0", "rollout_software": {"name": "amiss", "version": "1.0"}},
            "rollout_id is 'amiss-1.0', a rollout that the server has with other waves or gates (all / 100 / 0",
        ),
        "other software": (
            {"rollout_id": "amiss-1.0", "rollout_software": {"name": "amiss", "version": "3"}},
            "name: the rollout 'amiss-1.0' exists and deploys amiss 1.0, not amiss 3: choose another name.",
        ),
    }
    base = {
        **options,
        "rollout_id": "amiss-2.0",
        "rollout_software": {"name": "amiss", "version": "2.0"},
        "rollout_report": {},
    }
    tasks = []
    for name, (wrong, _message) in cases.items():
        given = {key: value for key, value in {**base, **wrong}.items() if value is not None}
        role = {"name": name, "ansible.builtin.include_role": {"name": "fleet.deploy.rollout"}, "vars": given}
        tasks.append({"name": f"try {name}", "block": [role], "rescue": [{"name": f"said {name}", **SAY}]})
    world.proxy.clear()
    run = world.player.play_tasks("wrong", tasks, {f"hawkbit_{key}": value for key, value in world.connection.items()})
    assert run.status == 0, run.output
    said = {name: run.named(f"said {name}").msg for name in cases}
    for name, (_wrong, message) in cases.items():
        assert message in said[name], f"{name}: {said[name]}"
    assert world.writes() == []


SAY = {"ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"}}


@pytest.mark.usefixtures("newest")
def test_publish_and_register_again_and_again(world: World) -> None:
    image = world.folder / "app.bin"
    image.write_bytes(b"app" * 1000)
    software = {
        "name": "twice", "version": "1.0", "type": "app", "description": "An app",
        "modules": [
            {"name": "twice-a", "type": "application", "vendor": "Us", "artifacts": [{"src": str(image)}]},
            {"name": "twice-b", "type": "application", "version": "7"},
        ],
    }  # fmt: skip
    listed = [{"controller_id": "reg-1", "name": "One"}, {"controller_id": "reg-2"}, {"controller_id": "reg-3"}]
    table = world.folder / "targets.csv"
    table.write_text(f"controller_id,name,description\nreg-1,One,\nREG-2,,{HOSTILE.replace(chr(34), '')}\n")
    connection = {"publish_connection": world.connection, "register_targets_connection": world.connection}

    def role(name: str, **given: Any) -> dict[str, Any]:
        return {"name": name, "ansible.builtin.include_role": {"name": f"fleet.deploy.{name}"}, "vars": given}

    exclusive = {"register_targets_exclusive": True, "register_targets_exclusive_query": "controllerid==reg-*"}
    keep = [
        role("publish", publish_software=software),
        role("register_targets", register_targets_list=listed),
        role("register_targets", register_targets_group="halls", register_targets_group_vars={"description": "hall"}),
    ]
    (world.player.folder / "inventory.ini").write_text(
        world.player.inventory.read_text() + '[halls]\nreg-hall hall="{{ 6 * 7 }} in Hall"\nreg-other\n'
    )
    for step, expected in (("check", True), ("first", True), ("second", False)):
        world.proxy.clear()
        run = world.player.play_tasks(
            "keep", keep, connection, *(["--check"] if step == "check" else [])
        ).must_succeed()
        assert bool(changed(run)) is expected, step
        assert bool(world.writes()) is (step == "first"), step

    too_many = role("register_targets", register_targets_csv=str(table), **exclusive)
    world.proxy.clear()
    run = world.player.play_tasks("guarded", [too_many], connection)
    assert run.results[-1].msg == (
        "register_targets_max_removals is 0, but 3 devices would be removed (reg-3, reg-hall, reg-other): raise the "
        "limit, or add them to the list."
    )
    assert world.writes() == []

    exclusive["register_targets_max_removals"] = 3
    again = role("register_targets", register_targets_csv=str(table), **exclusive)
    run = world.player.play_tasks("exclusive", [again, again], connection).must_succeed()
    results = [result for result in run.results if result.name == "Keep for the following tasks what was done"]
    first, second = (result.data["ansible_facts"]["register_targets_result"] for result in results)
    assert sorted(first["removed"]) == ["reg-3", "reg-hall", "reg-other"]
    assert second == {"created": [], "updated": [], "removed": []}
    session = world.hawkbit.session()
    found = session.get(f"{world.hawkbit.url}/rest/v1/targets/REG-2", timeout=30).json()
    assert found["description"] == HOSTILE.replace('"', "")


@pytest.mark.parametrize(
    "role,end",
    [("publish", "only hawkbit and mender are there so far."), ("register_targets", "only hawkbit is there so far.")],
)
def test_other_platforms_get_one_clear_sentence(world: World, role: str, end: str) -> None:
    given = {
        f"{role}_platform": "junos_space",
        "publish_software": {"name": "a", "version": "1", "modules": []},
        "register_targets_list": [],
    }
    task = {"name": role, "ansible.builtin.include_role": {"name": f"fleet.deploy.{role}"}}
    run = world.player.play_tasks("other", [task], given)
    assert run.results[-1].msg.startswith(
        f"{role}_platform is 'junos_space', which this release of fleet.deploy cannot"
    )
    assert run.results[-1].msg.endswith(end)
