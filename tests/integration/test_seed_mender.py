"""Each line of the document of Mender's deployments API: modules send it, servers take it, modules return it.

One play through all operations is recorded for each release; each line of seeds/ must be found on the wire, and in the
results. The servers are simulated.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from integration.seed import KINDS, WORDS, Row, SeedOperation, body_of, pattern_of, read_seed, rows, values
from integration.seed_play import Play, Played, alike, identified

from servers.artifact_writer import Written
from servers.fault_proxy import FaultProxy, Record
from servers.mender import MenderServer, Settings

SEED = read_seed("mender_deployments")
ROWS = rows(SEED)
VERSIONS = ("seed", "4.5", "4.0", "4.1")
# What a server of 2020 says where it keeps to the document's definitions instead of its examples.
DEFINED = {"update_wrapper": True, "max_devices": True}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FILTERS = "/api/management/v2/inventory/filters"
LATER = "2099-07-07T21:16:17.063+0000"
LATEST = "2099-09-07T21:16:17.063+0000"
# how many devices get so far; no two numbers are the same
REACHED = {
    "pending": 1, "downloading": 2, "installing": 3, "rebooting": 4, "success": 5, "failure": 6, "noartifact": 7,
    "already-installed": 8, "aborted": 9, "decommissioned": 10,
}  # fmt: skip
# each operator that the document lists, and all true of the devices of the filter
TERMS = [
    {"scope": "inventory", "attribute": name, "type": kind, "value": value}
    for name, kind, value in (
        ("site", "$eq", "A"), ("load", "$gt", 1), ("load", "$gte", 5), ("site", "$in", ["A", "B"]), ("load", "$lt", 9),
        ("load", "$lte", 5), ("site", "$ne", "B"), ("site", "$nin", ["C"]), ("site", "$exists", True),
    )
]  # fmt: skip
_EXAMPLES = re.compile(r"-response-(\[\]\.)?(artifacts\[\]\.)?(files\[\]\.|info\.type_info|metadata$)")
_LATER = {
    **{row.id: "the files stand in updates" for row in ROWS if _EXAMPLES.search(row.id)},
    "list_devices-response-[].device_type": "the artifact is shown in its place",
    "list_devices-response-[].state": "only servers of 2020 may have it",
}
# lines that a release cannot show, and why
NOT_ON: dict[str, dict[str, str]] = {
    "seed": {},
    "4.5": {
        **_LATER,
        **{
            row.id: "the counters stand in the deployment, which is read instead"
            for row in ROWS
            if row.operation.operation == "read_statistics"
        },
    },
    "4.0": _LATER,
    "4.1": _LATER,
}


def _bring(server: MenderServer, deployment: str, device: str, status: str) -> None:
    """Have a device get so far in a deployment."""
    found = server.deployments
    installed = "rel-1" if status == "already-installed" else "factory"
    progress = found.next(device, installed, "other" if status == "noartifact" else "dt-a")
    if status in ("aborted", "decommissioned") and progress is not None:
        found._change(progress, status)
    elif status == "failure":
        found.save_log(deployment, device, {"messages": [{"level": "error", "message": f"boom on {device}"}]})
        found.report(deployment, device, {"status": status, "substate": "ArtifactInstall failed"})
    elif progress is not None and status != "pending":
        found.report(deployment, device, {"status": status})


def _artifacts(play: Play, folder: Path) -> str:
    """Play what there is about artifacts; return the id of one that no deployment has."""
    files = {"b.txt": b"content\n", "a.txt": b"more\n"}
    written = Written(name="rel-1", device_types=("dt-b", "dt-a"), files=files, meta_data={"slot": "A"})
    src = written.save(folder / "rel-1.mender")
    rel = play.run("artifact_upload", src=src, description="first")["artifact"]["id"]
    raw = folder / "settings.json"
    raw.write_bytes(b'{"interval": 7}\n')
    generate = {
        "name": "gen-1",
        "type": "single_file",
        "device_types_compatible": ["dt-a", "dt-b"],
        "args": {"filename": "settings.json", "dest_dir": "/etc"},
    }
    options = {"description": "made", "generate": generate, "wait_interval": 0.05}
    generated = play.run("artifact_upload", src=str(raw), **options)["artifact"]["id"]
    play.run("artifact", id=rel, description="second")
    play.run("artifact", id=rel, link_only=True)
    play.run("artifact_info")
    play.run("mender_release_info", name="rel-1")
    play.run("mender_storage_info")
    return str(generated)


def _deploy(play: Play, server: MenderServer) -> str:
    """Play what makes deployments of all kinds; return the id of the one in which devices got as far as can be."""
    with server.session() as session:
        saved = session.post(f"{server.url}{FILTERS}", json={"name": "site A", "terms": TERMS}, timeout=10)
    chosen = saved.headers["Location"].rpartition("/")[2]
    server.add_devices(3, "dt-a", attributes={"site": "A", "load": 5})
    deploy = functools.partial(play.run, "deployment", artifact_name="rel-1")
    ids = server.add_devices(sum(REACHED.values()), "dt-a")
    reached = str(deploy(name="reached", fleet={"ids": ids})["deployment"]["id"])
    ten = server.add_devices(10, "dt-a")
    phases = [{"batch_size": 20}, {"batch_size": 30, "start_ts": LATER}, {"start_ts": LATEST}]
    phased = deploy(name="phased", fleet={"ids": ten}, phases=phases, retries=3)["deployment"]["id"]
    deploy(name="scheduled", fleet={"ids": ten[:1]}, phases=[{"start_ts": LATER}])
    most = {"max_devices": 5} if "max_devices" in server.features else {}
    deploy(name="dynamic", fleet={"filter_id": chosen}, **most)

    def devices() -> None:
        for device, status in zip(ids, itertools.chain(*([one] * REACHED[one] for one in REACHED)), strict=True):
            _bring(server, reached, device, status)
        _bring(server, phased, ten[0], "pending")

    server._run(devices)
    # to be followed, it must be larger than what is read whole at each look
    # to be waited for, some must still be able to succeed
    enough = {"min_success_percentage": 50, "on_timeout": "continue"}
    play.run("deployment", id=reached, wait=True, wait_timeout=1, wait_interval=0.3, **enough)
    return reached


def _read(play: Play, server: MenderServer, proxy: FaultProxy, reached: str) -> None:
    """Play what reads deployments."""
    everything = {"devices": "all", "logs": True, "device_list": True}
    span = {"created_after": "1000000000", "created_before": "4102444800"}
    play.run("deployment_info", id=reached, **everything)
    play.run("deployment_info", **span)
    for status in ("scheduled", "pending", "inprogress"):
        play.run("deployment_info", search="rel-1", status=status, **span)
    for deployment in server.deployments.all.values():
        play.run("deployment_info", id=deployment.id)
    if server.version == "seed":
        # no server is known to say it
        device = {"id": "11111111-2222-4333-8444-555555555555", "status": "installing", "state": "idle", "log": False}
        proxy.inject("answer", method="GET", path="/devices$", status=200, body=[device])
        play.run("deployment_info", id=reached, devices="all")


def _end(play: Play, server: MenderServer, unused: str) -> None:
    """Play what ends deployments, and what is left to be read then."""
    [device] = server.add_devices(1, "dt-a")
    left = play.run("deployment", name="left", artifact_name="rel-1", fleet={"ids": [device]})["deployment"]["id"]
    play.run("mender_device_deployments", device_id=device)
    for deployment in list(server.deployments.all.values()):
        if deployment.id != left:
            play.run("deployment", id=deployment.id, state="aborted")
    play.run("deployment_info", search="rel-1", status="finished", created_after="1000000000")
    for deployment in server.deployments.all.values():
        play.run("deployment_info", id=deployment.id)
    play.run("artifact", id=unused, state="absent")


def _play(server: MenderServer, folder: Path) -> Played:
    folder.mkdir()
    with server, FaultProxy(server.url) as proxy:
        play = Play({"url": proxy.url, "token": server.token})
        unused = _artifacts(play, folder)
        _read(play, server, proxy, _deploy(play, server))
        _end(play, server, unused)
        assert server.faults == 0
        return play.played(proxy.wire)


@pytest.fixture(scope="module", params=VERSIONS)
def plays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Played]:
    """The plays on one release."""
    folder = tmp_path_factory.mktemp("seed-mender")
    settings = Settings(generate_seconds=0.02, storage_limit=1024**3, storage_usage=512 * 1024**2)
    servers = [MenderServer(request.param, "enterprise", settings=settings)]
    if request.param == "seed":
        servers.append(MenderServer(request.param, "enterprise", changes=DEFINED, settings=settings))
    return [_play(server, folder / str(number)) for number, server in enumerate(servers)]


@pytest.fixture
def version(request: pytest.FixtureRequest) -> str:
    """The release."""
    return str(request.node.callspec.params["plays"])


def _whose(record: Record) -> SeedOperation | None:
    """The operation that a request is, or is in place of; a path without variable parts goes first."""
    ways = [(one, f"{one.method} {one.path}") for one in SEED] + [(one, way) for one in SEED for way in one.newer]
    fits = [
        (path.count("{"), number, one)
        for number, (one, way) in enumerate(ways)
        for method, path in [way.split(" ")]
        if record.method == method and re.match(pattern_of(path), record.path)
    ]
    return min(fits)[2] if fits else None


def _records(plays: list[Played], operation: SeedOperation) -> list[Record]:
    return [
        record
        for play in plays
        for record in play.wire
        if record.status == operation.success and _whose(record) is operation
    ]


def _form(record: Record) -> dict[str, bytes]:
    """The parts of a form."""
    boundary = record.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    parts = {}
    for part in record.request.kept.split(b"--" + boundary)[1:-1]:
        head, _blank, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        assert name is not None
        parts[name[1].decode()] = data.removesuffix(b"\r\n")
    return parts


def _as_part(option: str, value: Any) -> bytes:
    """What a part of a form has for the value of an option."""
    if option.endswith(".src"):
        return Path(value).read_bytes()
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True).encode()
    return (",".join(value) if isinstance(value, list) else str(value)).encode()


def _check_header(row: Row, _value: str, plays: list[Played], records: list[Record]) -> None:
    assert row.name == "Authorization"
    assert {record.auth for record in records} == {"Bearer"}
    assert all(play.given(row.stands) for play in plays)


def _check_address(row: Row, _value: str, plays: list[Played], records: list[Record]) -> None:
    ways = [row.operation.path, *(way.partition(" ")[2] for way in row.operation.newer)]
    found = [re.match(pattern_of(way), record.path) for record in records for way in ways]
    sent = {match[row.name] for match in found if match is not None}
    wanted = {str(value) for play in plays for value in play.given(row.stands)}
    wanted |= {str(value) for play in plays for _id, value in play.shown(row.stands)}
    assert sent & wanted


def _check_query(row: Row, value: str, plays: list[Played], records: list[Record]) -> None:
    name = row.name.partition("=")[0]
    sent = {text for record in records for text in parse_qs(record.query).get(name, [])}
    assert sent
    if row.stands not in WORDS:
        given = {str(one) for play in plays for one in play.given(row.stands.partition("=")[0])}
        assert (sent & given) if not value else value in sent & given


def _check_form(row: Row, value: str, plays: list[Played], records: list[Record]) -> None:
    name, option = row.name.partition("=")[0], row.stands.partition("=")[0]
    sent = {_form(record)[name] for record in records if name in _form(record)}
    if row.stands == "deprecated":
        assert sent == set()
        return
    given = {_as_part(option, one) for play in plays for one in play.given(option)}
    assert sent & given
    assert not value or value.encode() in sent & given


def _check_request(row: Row, value: str, plays: list[Played], records: list[Record]) -> None:
    name, option = row.name.partition("=")[0], row.stands.partition("=")[0]
    sent = {str(one) for record in records for one in values(name, body_of(record.request_body))}
    given = {str(one) for play in plays for one in play.given(option)}
    assert value in sent & given if value else sent & given


def _check_answer_header(row: Row, _value: str, plays: list[Played], records: list[Record]) -> None:
    told = [record.server_headers[row.name] for record in records if row.name in record.server_headers]
    assert told
    if row.stands not in WORDS:
        ids = {text.rpartition("/")[2] for text in told}
        assert ids & {value for play in plays for _id, value in play.shown(row.stands)}


def _spelled(row: Row, record: Record, version: str) -> str:
    """The name of a field of an answer as the release spells it."""
    name = row.name.partition("=")[0]
    if version == "4.5" and record.path.endswith("/v1/deployments/deployments/releases"):
        name = re.sub(r"^\[\]\.(\w)", lambda found: found[0].upper(), name)
    return name


def _unwrapped(value: Any) -> Any:
    """Meta-data as they stand in the file; later servers have a list of keys and values in their place."""
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return {item["Key"]: item["Value"] for item in value}
    return value


def _check_response(row: Row, value: str, plays: list[Played], records: list[Record], version: str) -> None:
    raw = []
    for record in records:
        in_path = UUID.findall(record.path)
        id = in_path[-1] if in_path else ""
        if row.name == "(text)":
            raw.append((id, record.response_body.strip()))
        else:
            raw += identified(_spelled(row, record, version), body_of(record.response_body), id)
    shown = [pair for play in plays for pair in play.shown(row.stands)]
    if value:
        raw, shown = ([pair for pair in pairs if pair[1] == value] for pairs in (raw, shown))
    assert raw, "never answered"
    plain = [[pair for pair in pairs if not isinstance(pair[1], (dict, list))] for pairs in (raw, shown)]
    if all(plain):
        assert alike(plain[0], plain[1]), f"{raw[:3]} is not in {shown[:3]}"
    else:
        assert [pair for pair in shown if pair[1] and pair in [(id, _unwrapped(one)) for id, one in raw]]


CHECKS = {
    "header": _check_header,
    "address": _check_address,
    "query": _check_query,
    "form": _check_form,
    "request": _check_request,
    "answer_header": _check_answer_header,
}


def test_every_kind_of_line_is_checked() -> None:
    assert {*CHECKS, "response"} == set(KINDS)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_row(plays: list[Played], version: str, row: Row) -> None:
    reason = NOT_ON[version].get(row.id)
    if reason:
        pytest.skip(reason)
    records = _records(plays, row.operation)
    assert records, "never sent"
    value = row.name.partition("=")[2]
    if row.kind == "response":
        _check_response(row, value, plays, records, version)
    else:
        CHECKS[row.kind](row, value, plays, records)


def test_what_is_left_out_is_really_not_there(plays: list[Played], version: str) -> None:
    """A line that is left out on a release must fail there."""
    for row in ROWS:
        if row.id in NOT_ON[version]:
            records = _records(plays, row.operation)
            assert not records or row.kind == "response", row.id
            if records:
                with pytest.raises(AssertionError, match="never answered"):
                    _check_response(row, row.name.partition("=")[2], plays, records, version)
