"""What Mender's modules say about mistakes, word for word, and that they have written nothing by then."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.bad_input import Mistake
from integration.bad_input_mender import IDS, MANY, MISTAKES, NEW, NOBODY
from integration.inprocess import run_module
from integration.mender_side import MenderSide
from integration.playing import Player
from integration.test_bad_input import PAGE, OtherServer, Place, check, host_of, no_tls

from servers.artifact_writer import Written, tar
from servers.fault_proxy import FaultProxy
from servers.mender import MenderServer

SERVERS = ("seed-open_source", "4.5-open_source", NEW, "4.1-enterprise")
# mistakes that any module could make
CONNECTION = (
    "credentials in url", "credentials missing", "token and password", "token and code", "token expired",
    "password wrong", "code missing", "server not there", "certificate not trusted", "web page", "other API",
)  # fmt: skip
GATEWAY = ("gateway",)
# ids of artifacts and deployments; when a token expired
CHANGING = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|on \d{4}-\d\d-\d\d at \d\d:\d\d UTC")


def write_files(folder: Path) -> None:
    """Write artifacts, and what is none."""
    for name, types in (("good", GATEWAY), ("used", GATEWAY), ("camera", ("camera",)), ("two", GATEWAY)):
        artifact = {"good": "bad", "camera": "bad-two"}.get(name, f"bad-{name}")
        Written(artifact, types).save(folder / f"{name}.mender")
    Written("bad", GATEWAY, {"payload.txt": b"other\n"}).save(folder / "other.mender")
    Written("bad", ("gateway", "toaster")).save(folder / "wider.mender")
    Written("bad-1", GATEWAY, version=1).save(folder / "format1.mender")
    whole = Written("bad-cut", GATEWAY, {"payload.bin": bytes(range(256)) * 400}, compression="none").data
    (folder / "cut.mender").write_bytes(whole[:2500])
    (folder / "cut_later.mender").write_bytes(whole[:-60_000])
    (folder / "damaged.mender").write_bytes(whole.replace(b"gateway", b"gatewax"))
    (folder / "text.mender").write_text("This is no artifact.\n")
    (folder / "archive.mender").write_bytes(tar([("README", b"no artifact\n")]))
    (folder / "empty.mender").touch()


def prepare(server: MenderServer, folder: Path) -> None:
    """Devices, artifacts, and two deployments that use one of them."""
    server.add_devices(IDS, "gateway")
    server.add_devices(["bad-pending"], "gateway", status="pending")
    server.add_devices(MANY, "gateway", group="bad-many")
    for name in ("good", "used", "two", "camera"):
        server.upload(folder / f"{name}.mender")
    own = {"url": server.url, "token": server.token, "artifact_name": "bad-used"}
    for name in IDS:
        assert run_module("deployment", {**own, "name": name, "fleet": {"ids": [name]}})["changed"]


@pytest.fixture(scope="module", params=SERVERS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with all that, and other servers beside it."""
    files = tmp_path_factory.mktemp("bad-input-mender")
    write_files(files)
    version, _dash, edition = request.param.partition("-")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(MenderServer(version, edition, two_factor="123456"))
        prepare(server, files)
        page = stack.enter_context(OtherServer(200, "text/html", PAGE))
        api = stack.enter_context(OtherServer(404, "application/json", '{"error": "no such route"}'))
        proxy = stack.enter_context(FaultProxy(server.url))
        tls = stack.enter_context(FaultProxy(server.url, tls=True))
        urls = {"url": proxy.url, "tls_url": tls.url, "html_url": page.url, "json_url": api.url}
        words = {**urls, **{name.replace("url", "host"): host_of(url) for name, url in urls.items()}}
        words |= {"files": str(files), "server": request.param, "no_tls": no_tls(proxy.port)}
        words |= {name: getattr(server, name) for name in ("username", "password", "stranger")}
        words |= {"expired": server.expired_token(), "id": NOBODY}
        own = {"url": proxy.url, "token": server.token}
        yield Place(words, own, proxy, tls, [page, api], MenderSide.reading, CHANGING)
        assert server.faults == 0, "the simulator has failed"


def told(place: Place, mistake: Mistake) -> list[str]:
    """Return what is not as it should be when a mistake is made."""
    place.clear()
    result = run_module(mistake.module, place.options(mistake))
    wrong = [check(place, mistake, result)]
    writes = place.writes()
    refused = [record for record in place.proxy.writes if (record.status or 0) >= 400 and mistake.refused]
    if len(writes) != len(refused):
        wrong.append(f"{mistake.title}: it sent {writes}")
    return [one for one in wrong if one]


def here(place: Place) -> list[Mistake]:
    """The mistakes that can be made on this server."""
    return [mistake for mistake in MISTAKES if place.words["server"] in (mistake.only or SERVERS)]


def test_each_mistake_is_told_before_anything_is_written(place: Place) -> None:
    wrong = [one for mistake in here(place) for one in told(place, mistake)]
    assert wrong == [], "\n".join(wrong)


def test_each_mistake_is_made_somewhere() -> None:
    assert {server for mistake in MISTAKES for server in mistake.only} <= set(SERVERS)
    titles = [(mistake.module, mistake.title) for mistake in MISTAKES]
    assert sorted(set(titles)) == sorted(titles)


@pytest.mark.parametrize("place", [NEW], indirect=True)
def test_mistakes_are_told_in_a_real_run_too(place: Place, tmp_path: Path) -> None:
    possible = here(place)
    first_of_module = {mistake.module: mistake for mistake in reversed(possible)}
    # the connection is the same in all modules
    chosen = [mistake for mistake in possible if mistake.title in CONNECTION or mistake in first_of_module.values()]
    tasks = [place.task(mistake) for mistake in chosen]
    place.clear()
    variables = {f"mender_{name}": value for name, value in place.defaults.items()}
    run = Player(tmp_path).play_tasks("mistakes", tasks, variables)
    assert run.status == 0, run.output
    assert run.complaints() == []
    assert "Traceback" not in run.output
    assert "MODULE FAILURE" not in run.output
    wrong = [
        check(place, mistake, {**result.data, "failed": result.status == "failed"})
        for mistake, result in zip(chosen, run.results, strict=True)
    ]
    assert [one for one in wrong if one] == [], "\n".join(wrong)
    assert place.writes() == []
