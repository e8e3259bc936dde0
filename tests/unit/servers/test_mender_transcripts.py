"""The simulated Mender server answers as real ones did: three transcripts of calls, replayed call for call.

The transcripts are no part of the collection; they lie beside its checkout where it is developed. Each call is
made again in the same order. Status, headers and body must be the same, the keys of the body in the same order;
ids may differ, but one id must always stand where another one stood, and times are times.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from servers.mender import MenderServer, Settings, write_artifact

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "reference" / "data" / "mender" / "transcripts"
CRUD = "deployments-2024-09-crud.txt"
CALL = re.compile(r"## (?P<label>.*?) (?P<status>\d{3}|CONN-ABORTED) (?P<headers>\{.*?\}) ?(?P<body>.*)")
STATE = re.compile(
    r"   STATUS (?P<status>\w+) device_count (?P<count>\d+) (?:max_devices (?P<most>\d+) )?"
    r"(?P<counters>\{.*\}) finished (?P<finished>.*)"
)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[][{}:,]')
FILE_SIZE = 5120
V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
DEVICE = "/api/devices/v1/deployments/device/deployments"
HELLO = b"hello\n"
UNKNOWN = "11111111-2222-4333-8444-555555555555"
LEFT_OUT = {
    "list search": "its 400 is that of the stand-in for the database, which had no text search",
}
# The texts of these errors depend on how the file was broken, which a transcript does not tell.
TEXT_DIFFERS = {"size mismatch", "not artifact"}


@dataclass
class Expected:
    """One call of a transcript, or the state of a deployment that was written down behind it."""

    label: str
    status: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    state: re.Match[str] | None = None


def read_transcript(name: str) -> list[Expected]:
    """All lines of a transcript that are calls or states; skips the test without the file."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{name}, a transcript of calls to a real server, is not part of the collection")
    found: list[Expected] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := CALL.match(line):
            found.append(Expected(match["label"], match["status"], ast.literal_eval(match["headers"]), match["body"]))
        elif match := STATE.fullmatch(line):
            found.append(Expected("STATUS", match["status"], state=match))
        elif line.strip() and not re.fullmatch(r"[\d ]+", line):
            raise AssertionError(f"{name} has a line that is no call: {line[:80]}")
    return found


class Replay:
    """Makes the calls of a transcript one after the other and collects what is not the same."""

    def __init__(self, server: MenderServer, expected: list[Expected], folder: Path) -> None:
        self.server = server
        self.expected = iter(expected)
        self.folder = folder
        self.differences: list[str] = []
        self.ids: dict[str, str] = {}
        self.session = requests.Session()
        self.session.trust_env = False
        self.file_size = 0

    # -- comparison ----------------------------------------------------------------------------------------

    def _same_text(self, wanted: str, got: str) -> bool:
        """Whether two texts are the same but for ids and times; an id is bound to the one at its place."""
        ours, theirs = UUID.findall(got), UUID.findall(wanted)
        if len(ours) != len(theirs) or TIME.sub("T", UUID.sub("I", wanted)) != TIME.sub("T", UUID.sub("I", got)):
            return False
        return all(self.ids.setdefault(our, their) == their for our, their in zip(ours, theirs, strict=True))

    def _same_link(self, wanted: str, got: str) -> bool:
        one, two = urlsplit(wanted), urlsplit(got)
        names = [[name for name, _value in parse_qsl(part.query)] for part in (one, two)]
        return self._same_text(one.path, two.path) and names[0] == names[1]

    def _same_token(self, wanted: str, got: str, key: str) -> bool:
        if wanted == got:
            return True
        if wanted.startswith('"') and got.startswith('"'):
            one, two = json.loads(wanted), json.loads(got)
            if key == "request_id":
                return bool(UUID.fullmatch(one)) and bool(UUID.fullmatch(two))
            return self._same_link(one, two) if one.startswith("http") else self._same_text(one, two)
        if key in ("size", "total_size"):
            # the file of the transcript had another size; a sum of such sizes must be the same multiple
            return int(wanted) * self.file_size == int(got) * FILE_SIZE
        return False

    def same_json(self, wanted: str, got: str) -> str:
        """Compare two JSON texts token by token; "" or where they differ. A text that was cut is a beginning."""
        ours, theirs = TOKEN.findall(got), TOKEN.findall(wanted)
        if _is_cut(wanted):
            # the last token may be a part of one
            theirs = theirs[:-2]
            ours = ours[: len(theirs)]
        key = ""
        for place, (one, two) in enumerate(zip(theirs, ours, strict=False)):
            if not self._same_token(one, two, key):
                return f"… {''.join(theirs[max(0, place - 6) : place])} then {one}, here {two}"
            if place + 1 < len(theirs) and theirs[place + 1] == ":":
                key = one.strip('"')
        return "" if len(ours) == len(theirs) else f"{len(theirs)} tokens, here {len(ours)}: {got[:300]}"

    def _differ(self, wanted: Expected, answer: requests.Response) -> Iterator[str]:
        if str(answer.status_code) != wanted.status:
            yield f"status {wanted.status}, here {answer.status_code} {answer.text[:200]}"
            return
        for name in ("Content-Type", "Location", "Link", "X-Total-Count"):
            one, two = wanted.headers.get(name, ""), answer.headers.get(name, "")
            if not self._same_text(one, two):
                yield f"{name}: {one}, here {two}"
        if wanted.label in TEXT_DIFFERS:
            return
        if "json" in wanted.headers.get("Content-Type", ""):
            difference = self.same_json(wanted.body, answer.text)
            if difference:
                yield difference
        elif not self._same_text(wanted.body.strip(), answer.text.strip()):
            yield f"{wanted.body!r}, here {answer.text!r}"

    # -- calls ---------------------------------------------------------------------------------------------

    def _next(self, label: str) -> Expected:
        wanted = next(self.expected, None)
        while wanted is not None and wanted.label in LEFT_OUT:
            wanted = next(self.expected, None)
        assert wanted is not None, f"the transcript has no call {label!r} any more"
        assert wanted.label == label, f"the transcript goes on with {wanted.label!r}, not with {label!r}"
        return wanted

    def check(self, label: str, answer: requests.Response) -> requests.Response:
        """The answer to the next call of the transcript."""
        wanted = self._next(label)
        self.differences += [f"{label}: {difference}" for difference in self._differ(wanted, answer)]
        return answer

    def call(self, label: str, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Make the next call of the transcript."""
        address = f"{self.server.url}{path}"
        return self.check(label, self.session.request(method, address, json=body, timeout=60, **options))

    def broken(self, label: str, path: str) -> None:
        """A call to which there is no answer."""
        wanted = self._next(label)
        assert wanted.status == "CONN-ABORTED"
        with pytest.raises(requests.ConnectionError):
            self.session.get(f"{self.server.url}{path}", timeout=60)

    def state(self, deployment: str) -> None:
        """The state of a deployment as the transcript tells it."""
        wanted = self._next("STATUS").state
        assert wanted is not None
        found = self.session.get(f"{self.server.url}{V1}/deployments/{deployment}", timeout=60).json()
        counters = {name: count for name, count in found["statistics"]["status"].items() if count}
        told = (wanted["status"], int(wanted["count"]), ast.literal_eval(wanted["counters"]))
        here = (found["status"], found["device_count"], counters)
        if told != here or (wanted["finished"] == "None") == ("finished" in found):
            self.differences.append(f"state: {told}, here {here}")
        if wanted["most"] and int(wanted["most"]) != found["max_devices"]:
            self.differences.append(f"max_devices: {wanted['most']}, here {found['max_devices']}")

    def file(self, name: str, types: list[str]) -> Path:
        """An artifact as the tool that made those of the transcripts writes it."""
        path = self.folder / f"{name}-{'-'.join(types)}.mender"
        provides = {"rootfs-image.script.version": name}
        write_artifact(path, name, types, {"payload.txt": HELLO}, provides=provides, clears=["rootfs-image.script.*"])
        self.file_size = path.stat().st_size
        return path

    def upload(self, label: str, *parts: tuple[str, Any]) -> requests.Response:
        """Send parts in this order."""
        return self.call(label, "POST", f"{V1}/artifacts", files=_files(parts))

    def device(self, label: str, device: str, method: str, path: str, body: Any = None, **query: str) -> None:
        """A call of a device."""
        headers = {"Authorization": f"Bearer {self.server.device_token(device)}"}
        self.call(label, method, f"{DEVICE}/{path}", body, headers=headers, params=query)

    def end(self) -> None:
        """All calls of the transcript have been made, and all answers were the same."""
        rest = [wanted.label for wanted in self.expected if wanted.label not in LEFT_OUT]
        assert rest == [], "calls of the transcript that were not made"
        assert self.differences == []


def _is_cut(text: str) -> bool:
    try:
        json.loads(text or "null")
    except ValueError:
        return True
    return False


def _files(parts: tuple[tuple[str, Any], ...]) -> list[tuple[str, tuple[str | None, Any]]]:
    return [
        (name, (value.name, value.read_bytes()) if isinstance(value, Path) else (None, value)) for name, value in parts
    ]


def last(answer: requests.Response) -> str:
    """The id at the end of Location."""
    return answer.headers["Location"].rpartition("/")[2]


@contextmanager
def replay(name: str, version: str, folder: Path) -> Iterator[Replay]:
    """A server without a gateway, as the transcripts were taken, and the transcript to compare it with."""
    expected = read_transcript(name)
    settings = Settings(direct_upload=True, generate_seconds=0.01)
    with MenderServer(version=version, gateway=False, settings=settings) as server:
        yield Replay(server, expected, folder)


def first_id(expected: list[Expected], label: str) -> str:
    """The first id in the answer to a call."""
    wanted = next(wanted for wanted in expected if wanted.label == label)
    found = UUID.search(wanted.headers.get("Location", "") + wanted.body)
    assert found is not None
    return found[0]


def steps_of_a_device(
    run: Replay, deployment: str, device: str, labels: dict[str, str], after: Callable[[], None]
) -> None:
    """A device goes through the steps of an installation; `labels` of the calls by the status they report."""
    for status, label in labels.items():
        run.device(label, device, "PUT", f"{deployment}/status", {"status": status})
        after()


def test_every_transcript_is_replayed_and_what_is_left_out_is_in_one() -> None:
    """A transcript that nobody replays would not be noticed, nor an entry of the lists that is needed no more."""
    replayed = {CRUD, *(flow.file for flow in FLOWS)}
    labels = {wanted.label for name in replayed for wanted in read_transcript(name)}
    assert {path.name for path in FOLDER.glob("*.txt")} == replayed
    assert LEFT_OUT.keys() <= labels
    assert all(LEFT_OUT.values())
    assert labels >= TEXT_DIFFERS


def test_crud_of_september_2024(tmp_path: Path) -> None:
    """Uploads and their conflicts, lists, kinds of deployments, aborts, releases, direct upload, generation."""
    name = CRUD
    expected = read_transcript(name)
    devices = json.loads(next(wanted.body for wanted in expected if wanted.label == "device_list"))
    with replay(name, "2024-09", tmp_path) as run:
        run.server.add_devices(devices, group="g1")
        run.server.add_devices(1200 - len(devices), group="g1")
        uploads(run, expected)
        deployments(run, devices)
        after_the_end(run, devices)
        releases(run)
        later_artifacts(run)
        run.end()


def uploads(run: Replay, expected: list[Expected]) -> None:
    """The first part: artifacts."""
    ab, a, c = (run.file("rel-1", types) for types in (["dt-a", "dt-b"], ["dt-a"], ["dt-c"]))
    known = {label: first_id(expected, label) for label in ("upload rel1_ab", "upload rel1_c")}
    run.upload("upload rel1_ab", ("artifact_id", known["upload rel1_ab"]), ("description", "first"), ("artifact", ab))
    run.upload("upload same again", ("description", "first"), ("artifact", ab))
    run.upload("upload rel1_a (subset device types)", ("artifact", a))
    run.upload("upload rel1_c", ("artifact_id", known["upload rel1_c"]), ("artifact", c))
    run.upload("upload rebuilt same content", ("artifact", run.file("rel-1", ["dt-a", "dt-b"])))
    run.upload(
        "upload rel2_a desc AFTER artifact", ("artifact", run.file("rel-2", ["dt-a"])), ("description", "too late")
    )
    run.call("list v1", "GET", f"{V1}/artifacts/list?name=rel&page=2&per_page=1")
    run.call("list v1 per_page=1000", "GET", f"{V1}/artifacts/list?per_page=1000")
    run.call("list v1 all", "GET", f"{V1}/artifacts?name=rel-1")
    run.call("no auth", "GET", f"{V1}/artifacts")
    broken = run.folder / "broken.mender"
    broken.write_bytes(b"no artifact at all")
    run.upload("not artifact", ("artifact", broken))
    run.upload("no file", ("description", "without a file"))
    run.upload("size mismatch", ("size", "10"), ("artifact", ab))


def deployments(run: Replay, devices: list[str]) -> None:
    """The second part: kinds of deployments, and one that three devices end."""
    d1 = {"name": "d1", "artifact_name": "rel-1", "devices": devices}
    post = f"{V1}/deployments"
    run.call("create no artifact", "POST", post, {**d1, "artifact_name": "nothing"})
    one = last(run.call("create", "POST", post, d1))
    run.call("create dup", "POST", post, d1)
    run.call("create dup other order", "POST", post, {**d1, "devices": devices[::-1]})
    run.call("create no devices", "POST", post, {"name": "d2", "artifact_name": "rel-1"})
    run.call("create both", "POST", post, {**d1, "all_devices": True})
    more = {"phases": [{"batch_size": 10}], "retries": 2, "filter_id": "x", "max_devices": 1}
    run.call("create unknown fields", "POST", post, {**d1, "name": "d3", **more})
    everyone = {"name": "dall", "artifact_name": "rel-1", "all_devices": True}
    all_devices = last(run.call("create all", "POST", post, everyone))
    run.call("create group", "POST", f"{post}/group/g1", {"name": "dgroup", "artifact_name": "rel-1"})
    run.call("group + devices", "POST", f"{post}/group/g1", d1)
    run.call("get", "GET", f"{post}/{one}")
    run.call("get all", "GET", f"{post}/{all_devices}")
    run.broken("get unknown", f"{post}/{UNKNOWN}")
    run.call("get nonuuid", "GET", f"{post}/nothing")
    run.call("stats", "GET", f"{post}/{one}/statistics")
    run.call("device_list", "GET", f"{post}/{one}/device_list")
    run.call("devices/list before", "GET", f"{post}/{one}/devices/list")
    run.device("next dev0", devices[0], "GET", "next", artifact_name="rel-0", device_type="dt-a")
    run.call("stats after next", "GET", f"{post}/{one}/statistics")
    run.call("get after next (status)", "GET", f"{post}/{one}")
    words = ("downloading", "installing", "rebooting", "success")
    steps_of_a_device(run, one, devices[0], {word: f"put {word}" for word in words}, lambda: None)
    run.device("next dev1 wrong type", devices[1], "GET", "next", artifact_name="rel-0", device_type="dt-x")
    run.device("next dev2 already", devices[2], "GET", "next", artifact_name="rel-1", device_type="dt-a")
    run.call("get end", "GET", f"{post}/{one}")
    run.call("stats end", "GET", f"{post}/{one}/statistics")
    run.call("devices/list end", "GET", f"{post}/{one}/devices/list?per_page=2")
    run.call("abort finished", "PUT", f"{post}/{one}/status", {"status": "aborted"})
    run.call("abort unknown", "PUT", f"{post}/{UNKNOWN}/status", {"status": "aborted"})


def after_the_end(run: Replay, devices: list[str]) -> None:
    """The third part: the same deployment again, aborts, lists."""
    post = f"{V1}/deployments"
    again = last(run.call("create again after finish", "POST", post, _d1(devices)))
    run.call("abort", "PUT", f"{post}/{again}/status", {"status": "aborted"})
    run.call("get aborted", "GET", f"{post}/{again}")
    run.call("stats aborted", "GET", f"{post}/{again}/statistics")
    d9 = {"name": "d9", "artifact_name": "rel-1", "devices": devices[:1]}
    nine = last(run.call("create for wrongstatus", "POST", post, d9))
    run.call("abort bad status", "PUT", f"{post}/{nine}/status", {"status": "finished"})
    run.call("get d9", "GET", f"{post}/{nine}")
    run.call("list", "GET", f"{post}?status=finished&per_page=2")
    run.call("list per_page 501", "GET", f"{post}?per_page=501")
    unordered_statistics(run, [last_finished(run, "d1", 1), again])
    run.call("releases v1", "GET", f"{post}/releases/list?per_page=1")
    run.call("releases v2", "GET", f"{V2}/deployments/releases?per_page=1")
    run.call("limits", "GET", f"{V1}/limits/storage")
    ours = next(our for our, their in run.ids.items() if their.startswith("3f6f1850"))
    run.call("download", "GET", f"{V1}/artifacts/{ours}/download")
    run.call("put art used", "PUT", f"{V1}/artifacts/{ours}", {"description": "changed"})
    run.call("del art active", "DELETE", f"{V1}/artifacts/{ours}")
    run.call("log none", "GET", f"{post}/{again}/devices/{devices[0]}/log")
    run.call("v2 deployments", "GET", f"{V2}/deployments")


def _d1(devices: list[str]) -> dict[str, Any]:
    return {"name": "d1", "artifact_name": "rel-1", "devices": devices}


def last_finished(run: Replay, name: str, back: int) -> str:
    """The id of a finished deployment of a name, so many before the last one."""
    address = f"{run.server.url}{V1}/deployments?status=finished"
    found: list[str] = [one["id"] for one in run.session.get(address, timeout=60).json() if one["name"] == name]
    return found[back]


def unordered_statistics(run: Replay, ids: list[str]) -> None:
    """The order of this answer is not the one asked for: it is put into the transcript's before it is compared."""
    address = f"{run.server.url}{V1}/deployments/statistics/list"
    answer = run.session.post(address, json={"deployment_ids": ids}, timeout=60)
    found = sorted(answer.json(), key=lambda one: run.ids[one["id"]])
    answer._content = json.dumps(found, separators=(",", ":")).encode()
    run.check("statistics list", answer)


def releases(run: Replay) -> None:
    """The fourth part: releases of the second version."""
    base = f"{V2}/deployments/releases"
    run.call("rel list", "GET", f"{base}?sort=modified:desc&per_page=1")
    run.call("rel get", "GET", f"{base}/rel-1")
    run.call("rel get 404", "GET", f"{base}/nothing")
    run.call("tags put", "PUT", f"{base}/rel-1/tags", ["Prod", "eu-west"])
    run.call("tags put bad", "PUT", f"{base}/rel-1/tags", ["a b"])
    run.call("tags put 21", "PUT", f"{base}/rel-1/tags", [f"t{number}" for number in range(21)])
    run.call("tags put 404", "PUT", f"{base}/nothing/tags", ["a"])
    run.call("patch notes", "PATCH", f"{base}/rel-1", {"notes": "hello"})
    run.call("rel get", "GET", f"{base}/rel-1")
    run.call("by tag", "GET", f"{base}?tag=PROD")
    run.call("all tags", "GET", f"{V2}/releases/all/tags")
    run.call("types", "GET", f"{V2}/releases/all/types")
    run.call("delete rel active", "DELETE", f"{base}?name=rel-1")
    run.call("delete none", "DELETE", base)
    for label in ("v2 deps", "v2 deps", "v2 bad sort"):
        run.call(label, "GET", f"{V2}/deployments?sort=nothing")


def later_artifacts(run: Replay) -> None:
    """The last part: direct upload and generation."""
    link = run.call("direct", "POST", f"{V1}/artifacts/directupload").json()
    body = run.file("direct-1", ["dt-a"]).read_bytes()
    run.check("put s3", run.session.put(link["uri"], data=body, timeout=60))
    complete = f"{V1}/artifacts/directupload/{link['id']}/complete"
    run.call("complete", "POST", complete, {})
    run.call("complete again", "POST", complete, {})
    run.call("complete unknown", "POST", f"{V1}/artifacts/directupload/{UNKNOWN}/complete", {})
    parts = [
        ("name", "gen-1"),
        ("description", "made"),
        ("device_types_compatible", "dt-a,dt-b"),
        ("type", "single_file"),
        ("args", '{"filename":"a.txt","dest_dir":"/tmp"}'),
    ]
    raw = run.folder / "raw.txt"
    raw.write_bytes(HELLO)
    file: tuple[str, Any] = ("file", raw)

    def generate(label: str, *chosen: tuple[str, Any]) -> None:
        run.call(label, "POST", f"{V1}/artifacts/generate", files=_files(chosen))

    generate("generate", *parts, file)
    generate("generate bad type", ("name", "gen-2"), *parts[1:3], ("type", "nothing"), file)
    generate("generate missing name", *parts[1:], file)
    generate("generate existing", ("name", "rel-1"), *parts[1:], file)
    generate("generate name after file", *parts[1:], file, parts[0])


@dataclass
class Labels:
    """What the two transcripts of the life of a deployment call the same calls."""

    file: str
    version: str
    create: str
    next: str
    late: str
    present: str
    log: str
    failing: str
    downloading: str
    page: str
    kinds: dict[str, str]
    history: str
    history_21: str


FLOWS = [
    Labels(
        "deployments-2024-09-flow.txt",
        "2024-09",
        "create flow (6 devices)",
        "next dev0",
        "put failure after success",
        "next dev2 already installed",
        "put log",
        "fail dev3 with substate",
        "dev4 downloading",
        "devices/list p1",
        {word: f"devices/list {word}" for word in ("failure", "active", "bogus")},
        "device history",
        "device history 21",
    ),
    Labels(
        "deployments-4.5-flow.txt",
        "4.5",
        "create",
        "next dev0",
        "put after success",
        "next dev2 already",
        "log",
        "fail dev3",
        "dl",
        "list",
        {word: f"list status={word}" for word in ("failure", "active", "bogus")},
        "history",
        "history 21",
    ),
]


@pytest.mark.parametrize("labels", FLOWS, ids=[flow.version for flow in FLOWS])
def test_life_of_a_deployment(labels: Labels, tmp_path: Path) -> None:
    """Six devices: done and then failed, of a wrong type, with the artifact already, failed, aborted, never seen."""
    expected = read_transcript(labels.file)
    # the two devices that have failed, and the one that is active, are told by the lists
    zero = re.findall(r'"id":"([0-9a-f-]{36})","image"', _body_of(expected, labels.kinds["failure"]))[0]
    three = UUID.findall(_history_path(expected, labels.history))[0]
    four = re.findall(r'"status":"downloading","id":"([0-9a-f-]{36})"', _body_of(expected, labels.kinds["active"]))[0]
    devices = [
        zero,
        "9c646762-0a91-4bea-9d97-b975a2bbc100",
        "dd604dae-c386-4284-a5af-a20f6fe72d43",
        three,
        four,
        UNKNOWN,
    ]
    artifact = re.findall(r'"artifact":\{"id":"([0-9a-f-]{36})"', _body_of(expected, labels.next))[0]
    with replay(labels.file, labels.version, tmp_path) as run:
        run.server.add_devices(devices)
        for number, types in enumerate((["dt-a", "dt-b"], ["dt-c"])):
            values = {"artifact_id": artifact, "description": "first"} if number == 0 else {}
            file = run.file("rel-1", types)
            _upload(run, file, values)
        _upload(run, run.file("rel-2", ["dt-a"]), {})
        flow(run, labels, devices)
        second(run, labels, devices[:2])
        run.end()


def _upload(run: Replay, file: Path, values: dict[str, str]) -> None:
    address = f"{run.server.url}{V1}/artifacts"
    answer = run.session.post(address, data=values, files={"artifact": file.read_bytes()}, timeout=60)
    assert answer.status_code == 201, answer.text


def _body_of(expected: list[Expected], label: str) -> str:
    return next(wanted.body for wanted in expected if wanted.label == label)


def _history_path(expected: list[Expected], label: str) -> str:
    return next(wanted.headers["Link"] for wanted in expected if wanted.label == label)


def flow(run: Replay, labels: Labels, devices: list[str]) -> None:
    """The life of the deployment of six devices."""
    zero, one, two, three, four, five = devices
    post = f"{V1}/deployments"
    body = {"name": "flow", "artifact_name": "rel-1", "devices": devices}
    flow_id = last(run.call(labels.create, "POST", post, body))

    def state() -> None:
        run.state(flow_id)

    def ask(label: str, device: str, installed: str = "rel-0", device_type: str = "dt-a") -> None:
        run.device(label, device, "GET", "next", artifact_name=installed, device_type=device_type)

    state()
    ask(labels.next, zero)
    state()
    steps = {word: f"put {word}" for word in ("downloading", "installing", "rebooting", "success")}
    steps_of_a_device(run, flow_id, zero, {**steps, "failure": labels.late}, state)
    ask("next dev1 wrong type", one, device_type="dt-x")
    state()
    ask(labels.present, two, installed="rel-1")
    state()
    ask("next dev3", three)
    message = {"timestamp": "2026-11-20T07:39:49Z", "level": "error", "message": "boom"}
    run.device(labels.log, three, "PUT", f"{flow_id}/log", {"messages": [message]})
    failure = {"status": "failure", "substate": "ArtifactInstall failed"}
    run.device(labels.failing, three, "PUT", f"{flow_id}/status", failure)
    state()
    ask("next dev4", four)
    run.device(labels.downloading, four, "PUT", f"{flow_id}/status", {"status": "downloading"})
    run.call(labels.page, "GET", f"{post}/{flow_id}/devices/list?per_page=3")
    for word, label in labels.kinds.items():
        run.call(label, "GET", f"{post}/{flow_id}/devices/list?status={word}")
    run.call("log read", "GET", f"{post}/{flow_id}/devices/{three}/log")
    run.call("abort", "PUT", f"{post}/{flow_id}/status", {"status": "aborted"})
    state()
    run.device("put after abort", four, "PUT", f"{flow_id}/status", {"status": "installing"})
    ask("dev5 next after abort", five)
    run.call("abort again", "PUT", f"{post}/{flow_id}/status", {"status": "aborted"})
    run.call(labels.history, "GET", f"{post}/devices/{three}")
    run.call(labels.history_21, "GET", f"{post}/devices/{three}?per_page=21")


def second(run: Replay, labels: Labels, devices: list[str]) -> None:
    """A deployment of two devices, of which one fails and the other one ends it."""
    post = f"{run.server.url}{V1}/deployments"
    body = {"name": "two", "artifact_name": "rel-2", "devices": devices}
    two = last(run.session.post(post, json=body, timeout=60))
    run.state(two)
    quiet = labels.version == "2024-09"
    for device, status, label in zip(devices, ("failure", "success"), ("fail", "succeed"), strict=True):
        if quiet:
            # the transcript does not have these questions
            headers = {"Authorization": f"Bearer {run.server.device_token(device)}"}
            address = f"{run.server.url}{DEVICE}/next?artifact_name=rel-0&device_type=dt-a"
            assert run.session.get(address, headers=headers, timeout=60).status_code == 200
        else:
            run.device("n", device, "GET", "next", artifact_name="rel-0", device_type="dt-a")
        run.device(label if quiet else label[0], device, "PUT", f"{two}/status", {"status": status})
        run.state(two)
    if not quiet:
        many = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(30_000)]
        run.call("30k devices", "POST", f"{V1}/deployments", {**body, "name": "many", "devices": many})
