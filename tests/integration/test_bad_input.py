"""What the modules say about mistakes, word for word, and that they have written nothing by then."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from integration.bad_input import IDS, MISTAKES, SET, Mistake
from integration.faults import Admin
from integration.inprocess import run_module
from integration.playing import Player

from servers.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hawkbit import HawkbitServer

# mistakes that any module could make
CONNECTION = (
    "url missing", "credentials in url", "credentials missing", "password wrong", "server not there",
    "certificate not trusted", "web page", "other API", "fleet over its limit",
)  # fmt: skip
PAGE = "<!DOCTYPE html><html><head><title>Nothing here</title></head><body><h1>It works!</h1></body></html>"


class OtherServer(ThreadingHTTPServer):
    """Something that is not hawkBit: it answers all requests alike.

    Args:
        status: of the answers.
        content_type: of the answers.
        body: of the answers.
    """

    daemon_threads = True

    def __init__(self, status: int, content_type: str, body: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.answer = status, content_type, body.encode()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> OtherServer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        assert isinstance(self.server, OtherServer)
        status, content_type, body = self.server.answer
        self.server.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class Place:
    """Where the mistakes are made: a state on the server, and other servers beside it."""

    words: dict[str, str]
    defaults: dict[str, Any]
    proxy: FaultProxy
    tls: FaultProxy
    others: list[OtherServer]
    reading: tuple[str, ...] = ()
    """How the paths end to which a POST only reads."""
    changing: re.Pattern[str] | None = None
    """What is never the same in a message, such as ids."""

    def fill(self, value: Any) -> Any:
        """Put the words of this session into options or a message."""
        if isinstance(value, str):
            for word, meaning in self.words.items():
                value = value.replace(f"{{{word}}}", meaning)
            return value
        if isinstance(value, Mapping):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.fill(item) for item in value]
        return value

    def plain(self, msg: str) -> str:
        """Return a message without what is never the same."""
        return msg if self.changing is None else self.changing.sub("…", msg)

    def options(self, mistake: Mistake) -> dict[str, Any]:
        """Return all options with which a mistake is made; None is one that is not given."""
        given = {**self.defaults, **self.fill(mistake.options)}
        return {name: value for name, value in given.items() if value is not None}

    def task(self, mistake: Mistake) -> dict[str, Any]:
        """Return the task of a playbook that makes the mistake."""
        given = {name: "{{ omit }}" if value is None else value for name, value in mistake.options.items()}
        return {"name": mistake.title, f"fleet.deploy.{mistake.module}": self.fill(given), "ignore_errors": True}

    def writes(self) -> list[str]:
        """The writes that anything has seen."""
        seen = [f"{record.method} {record.path}" for proxy in (self.proxy, self.tls) for record in proxy.wire]
        seen += [asked for other in self.others for asked in other.asked]
        return [asked for asked in seen if not asked.startswith("GET ") and not asked.endswith(self.reading)]

    def clear(self) -> None:
        """Forget what was seen."""
        self.proxy.clear()
        self.tls.clear()
        for other in self.others:
            other.asked.clear()


def host_of(url: str) -> str:
    return url.partition("//")[2]


def no_tls(port: int) -> str:
    """The words of this Python's TLS library for a server without TLS."""
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", port)) as plain:
        try:
            context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except ssl.SSLError as error:
            return str(error.reason).replace("_", " ").lower()
    raise AssertionError("it has TLS")


FLOW_OFF = "the tenant's user.confirmation.flow.enabled is off: switch it on, or leave the option out."
MULTI_OFF = "is switched off: give one set, or set multi.assignments.enabled, which is for good."
# what is said of releases: about a query, by themselves; about what they do not have, by the modules
WORDS = {
    "modern": {
        "unparsable": "The query cannot be parsed",
        "unknown_field": "The query names a field that does not exist",
        "unknown_rollout_field": "The query names a field that does not exist",
        "no_multi_assignment": "was taken out of hawkBit in 0.10: give one set.",
        "no_confirmation": FLOW_OFF,
    },
    "mid": {
        "unparsable": "The given search parameter is not well formed",
        "unknown_field": "The given search parameter field does not exist",
        "unknown_rollout_field": "The given search parameter field does not exist",
        "no_multi_assignment": MULTI_OFF,
        "no_confirmation": FLOW_OFF,
    },
    "seed": {
        "unparsable": "The given search parameter is not well formed",
        "unknown_field": "The given search parameter field {bogus} does not exist, must be one of the following fields "
        "{[id, name, description, createdat, lastmodifiedat, controllerid, updatestatus, ipaddress, attribute, "
        "assignedds, installedds, tag, lastcontrollerrequestat, metadata]}",
        "unknown_rollout_field": "The given search parameter field {bogus} does not exist, must be one of the "
        "following fields {[name, description, id]}",
        "no_multi_assignment": MULTI_OFF,
        "no_confirmation": "this hawkBit has no confirmation, which came with 0.3.0M8: leave the option out.",
    },
}


@pytest.fixture(scope="module")
def place(hawkbit: HawkbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two targets, a set that is complete, one that is not, one that is in use, a rollout."""
    files = tmp_path_factory.mktemp("bad-input")
    (files / "old.bin").write_text("old")
    (files / "new.bin").write_text("new")
    (files / "empty.bin").touch()
    admin = Admin(hawkbit, files)
    admin.do("POST", "targets", [{"controllerId": one, "name": one} for one in (*IDS, "bad-has-it")])
    software = admin.module("bad-os")
    admin.do("POST", "softwaremodules", [{"name": "bad-app", "version": "1", "type": "application"}])
    admin.set("bad", software)
    admin.set("bad-incomplete")
    used = admin.set("bad-used", software)
    admin.set_tag("bad-tag")
    admin.do("POST", f"distributionsets/{used}/assignedTargets?offline=true", [{"id": "bad-has-it"}])
    own = {"url": hawkbit.url, "username": hawkbit.username, "password": hawkbit.password}
    there = {**own, "name": "bad there", "distribution_set": SET, "fleet": {"ids": IDS}, "state": "present"}
    assert run_module("hawkbit_rollout", {**there, "wait": True, "wait_interval": 0.3})["changed"]
    page, api = OtherServer(200, "text/html", PAGE), OtherServer(404, "application/json", '{"error": "no such route"}')
    with contextlib.ExitStack() as stack:
        stack.enter_context(page)
        stack.enter_context(api)
        proxy = stack.enter_context(FaultProxy(hawkbit.url))
        tls = stack.enter_context(FaultProxy(hawkbit.url, tls=True))
        urls = {"url": proxy.url, "tls_url": tls.url, "html_url": page.url, "json_url": api.url}
        hosts = {name.replace("url", "host"): host_of(url) for name, url in urls.items()}
        words = {**urls, **hosts, "files": str(files), "hawkbit_password": hawkbit.password}
        words |= {"no_tls": no_tls(proxy.port), **WORDS[hawkbit.generation]}
        yield Place(words, {**own, "url": proxy.url}, proxy, tls, [page, api])


def check(place: Place, mistake: Mistake, result: Mapping[str, Any]) -> str:
    """Return what is not as it should be about a result, nothing if all is."""
    if not result.get("failed"):
        return f"{mistake.title}: it does not fail"
    wrong = []
    expected = place.fill(mistake.msg)
    if place.plain(result["msg"]) != place.plain(expected):
        wrong.append(f"msg is\n  {result['msg']}\nnot\n  {expected}")
    # what Ansible itself finds has none
    code = result.get("error", {}).get("code")
    if code != mistake.code:
        wrong.append(f"error.code is {code}, not {mistake.code}")
    return f"{mistake.title}: {'; '.join(wrong)}" if wrong else ""


def test_each_mistake_is_told_before_the_first_write(place: Place) -> None:
    wrong = []
    for mistake in MISTAKES:
        result = run_module(mistake.module, place.options(mistake))
        wrong.append(check(place, mistake, result))
        if place.writes():
            wrong.append(f"{mistake.title}: it sent {place.writes()}")
            place.clear()
    assert [one for one in wrong if one] == [], "\n".join(wrong)


@pytest.mark.only("newest")
def test_mistakes_are_told_in_a_real_run_too(place: Place, tmp_path: Path) -> None:
    first_of_module = {mistake.module: mistake for mistake in reversed(MISTAKES)}
    # the connection is the same in all modules
    chosen = [mistake for mistake in MISTAKES if mistake.title in CONNECTION or mistake in first_of_module.values()]
    tasks = [place.task(mistake) for mistake in chosen]
    variables = {f"hawkbit_{name}": value for name, value in place.defaults.items()}
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
