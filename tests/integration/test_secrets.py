"""Passwords and tokens are looked for in all that a run prints and leaves behind, on the oldest and newest Ansible."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.faults import Admin
from integration.leaks import files_below, forms, leaks
from integration.playing import Player

from servers.devices import SimulatedFleet

if TYPE_CHECKING:
    from servers.hawkbit import HawkbitServer

# from ansible-core 2.21 on a result holds the options of its task only if asked for
SHOW_ALL = {"ANSIBLE_INJECT_INVOCATION": "1"}
ROOT = Path(__file__).resolve().parents[2]


# -- the searcher itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", sorted({form for form, _text in forms("s3cr&t/+ü")}))
def test_the_searcher_finds_each_form(form: str) -> None:
    secret = f"{secrets.token_urlsafe(12)}&/+ü"
    text = next(text for name, text in forms(secret) if name == form)
    assert f"output: password, {form}" in leaks({"password": secret}, {"output": f"before {text} after"})


@pytest.mark.parametrize("user", ["a", "ad", "adm"])
def test_the_searcher_finds_a_password_in_a_header(user: str) -> None:
    secret = secrets.token_urlsafe(32)
    header = base64.b64encode(f"{user}:{secret}".encode()).decode()
    assert leaks({"password": secret}, {"output": f"Authorization: Basic {header}"})


def test_the_searcher_finds_nothing_where_there_is_nothing() -> None:
    masked = "password=********, VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert leaks({"password": secrets.token_urlsafe(32)}, {"output": masked, "more": secrets.token_urlsafe(32)}) == []


# -- a server that says what it should not --------------------------------------------------------------------------


class Parrot(ThreadingHTTPServer):
    """Answers with all that it was sent, in an error or in a page, and with a list that is cut off in a token."""

    daemon_threads = True

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Repeating)
        self.token = token

    def __enter__(self) -> Parrot:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()


class _Repeating(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        assert isinstance(self.server, Parrot)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        said = f"{self.headers.get('Authorization')} {sent} {self.path}"
        kind, _slash, rest = self.path[1:].partition("/")
        status, content_type, text = 200, "application/json", '{"content": [], "total": 0}'
        if kind == "cut":
            text = '{"content": [{"controllerId": "x", "securityToken": "' + self.server.token + '", "na'
        elif self.command != "GET" or kind == "always":
            status = 400
            # in the words of each platform
            said_by_all = {"errorCode": "hawkbit.server.error.x", "message": said, "info": {"body": sent}}
            text = json.dumps({**said_by_all, "error": said, "request_id": said})
            if "page" in rest.partition("/")[0]:
                status, content_type, text = 500, "text/html", f"<h1>{said}</h1>"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name in ("X-Request-Id", "X-Men-Requestid"):
            self.send_header(name, said.partition("\n")[0][:200])
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


# -- the run ------------------------------------------------------------------------------------------------------


@cache
def environments() -> dict[str, dict[str, str]]:
    """The oldest and the newest ansible-core that this machine can run; made once, which takes a minute."""
    command = [sys.executable, str(ROOT / "tools" / "cores.py"), "--ensure", "oldest", "newest"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def tasks_that_see_secrets(name: str, parrot: str) -> Iterator[dict[str, Any]]:
    """Yield tasks that get secrets, are told secrets by the server, and fail with secrets in what they were sent."""
    new, known, deploy = f"{name}-new", f"{name}-known", "fleet.deploy"
    software = {"name": name, "version": "1"}
    wrong = {"password": "{{ wrong_password }}"}
    with_token = {"controller_id": new, "security_token": "{{ security_token }}"}
    yield {"name": "create", f"{deploy}.target": with_token}
    changed = {"update_security_token": "always", "description": "changed", "controller_id": known}
    yield {"name": "token", f"{deploy}.target": {**with_token, **changed}}
    listed = {"targets": [{**with_token, "controller_id": known, "name": "Known"}]}
    yield {"name": "list", f"{deploy}.target": listed}
    gather = ["attributes", "metadata", "tags", "assigned_distribution_set", "actions"]
    yield {"name": "targets", f"{deploy}.target_info": {"query": f"controllerid=={name}-*", "gather": gather}}
    # /system/configs, which it reads, holds the gateway token
    yield {"name": "platform", f"{deploy}.platform_info": {}}
    # in check mode: the devices of other tests log in with the token that is there
    token = {f"{deploy}.hawkbit_tenant_configuration": {"gateway_token": "{{ security_token }}"}}
    yield {"name": "settings", **token, "check_mode": True, "diff": True}
    artifact = [{"src": "{{ artifact }}"}]
    yield {"name": "module", f"{deploy}.hawkbit_software_module": {**software, "type": "os", "artifacts": artifact}}
    yield {"name": "set", f"{deploy}.distribution_set": {**software, "type": "os", "modules": [software]}}
    fleet = {"distribution_set": software, "fleet": {"ids": [known]}}
    yield {"name": "assign", f"{deploy}.distribution_set_assign": fleet}
    rollout = {**fleet, "name": name, "state": "present", "fleet": {"ids": [new]}}
    yield {"name": "rollout", f"{deploy}.hawkbit_rollout": rollout}
    yield {"name": "rollouts", f"{deploy}.hawkbit_rollout_info": {"name": name, "failed_devices": 1}}
    yield {"name": "remove", f"{deploy}.target": {"controller_id": known, "state": "absent"}}
    # and what fails
    no_retry = {"request_retries": 0}
    yield {"name": "wrong", f"{deploy}.target": {**with_token, **wrong}}
    yield {
        "name": "wrong token",
        f"{deploy}.platform_info": {"username": None, "password": None, "token": "{{ bearer }}"},
    }
    yield {"name": "unreachable", f"{deploy}.target": {**with_token, **no_retry, "url": "http://127.0.0.1:9"}}
    in_url = "http://{{ hawkbit_username }}:{{ hawkbit_password }}@127.0.0.1:9"
    yield {"name": "in url", f"{deploy}.target": {**with_token, "url": in_url}}
    yield {"name": "refused", f"{deploy}.target": {**with_token, "url": f"{parrot}/writes"}}
    for place in ("writes/page", "always/error", "always/page", "cut/list"):
        yield {"name": place, f"{deploy}.target": {**with_token, **no_retry, "url": f"{parrot}/{place}"}}
    yield {"name": "cut info", f"{deploy}.target_info": {**no_retry, "url": f"{parrot}/cut/list"}}
    yield {"name": "too long", f"{deploy}.target": {**with_token, "security_token": "{{ security_token * 4 }}"}}


FAILS = (
    "wrong", "wrong token", "unreachable", "in url", "refused", "writes/page", "always/error", "always/page",
    "cut/list", "cut info", "too long",
)  # fmt: skip


def _run(
    which: str, hawkbit: HawkbitServer, variables: dict[str, Any], folder: Path
) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Play all that on one Ansible; return the secrets, what was found where, and the tasks that failed."""
    name = f"secret-{which}"
    hidden = {
        "password": hawkbit.password,
        "reader's password": hawkbit.reader_password,
        "gateway token": hawkbit.gateway_token,
        "wrong password": f"{secrets.token_urlsafe(24)}&/+",
        "security token": secrets.token_urlsafe(32),
        "bearer token": secrets.token_urlsafe(32),
        "another target's token": secrets.token_urlsafe(32),
    }
    artifact = folder / "artifact.bin"
    artifact.write_text(f"artifact of {which}")
    admin = Admin(hawkbit, folder)
    known = {"controllerId": f"{name}-known", "name": "known", "securityToken": hidden["another target's token"]}
    admin.do("POST", "targets", [known])
    player = Player(folder / "play", Path(environments()[which]["bin"]))
    results = folder / "play" / "results.json"
    with Parrot(hidden["another target's token"]) as parrot:
        tasks: list[dict[str, Any]] = []
        for number, task in enumerate(tasks_that_see_secrets(name, f"http://127.0.0.1:{parrot.server_port}")):
            tasks.append({**task, "register": f"result_{number}", "ignore_errors": True, "diff": True})
        every = ", ".join(f"result_{number}" for number in range(len(tasks)))
        tasks.append({"ansible.builtin.copy": {"content": f"{{{{ [{every}] | to_json }}}}", "dest": str(results)}})
        more = {
            "wrong_password": hidden["wrong password"],
            "security_token": hidden["security token"],
            "bearer": hidden["bearer token"],
            "artifact": str(artifact),
        }
        run = player.play_tasks("secrets", tasks, {**variables, **more}, "-vvv", "--diff", **SHOW_ALL)
    assert run.status == 0, run.output
    texts = {"stdout": run.stdout, "stderr": run.stderr}
    texts |= _inventory(player, hawkbit, name)
    texts |= _rollout(player, hawkbit, name, artifact)
    texts |= files_below(player.folder)
    assert len(json.loads(results.read_text())) == len(tasks) - 1
    return hidden, texts, {result.name for result in run.results if result.status == "failed"}


def _inventory(player: Player, hawkbit: HawkbitServer, name: str) -> dict[str, str]:
    """List the inventory with all there is, into a cache; return what was printed."""
    options = {
        "plugin": "fleet.deploy.hawkbit",
        "query": f"controllerid=={name}-*",
        "gather": ["tags", "attributes", "metadata", "installed_distribution_set", "assigned_distribution_set"],
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(player.folder / "cache"),
    }
    source = player.folder / "x.hawkbit.yml"
    source.write_text(yaml.safe_dump(options))
    own = {"HAWKBIT_URL": hawkbit.url, "HAWKBIT_USERNAME": hawkbit.username, "HAWKBIT_PASSWORD": hawkbit.password}
    texts: dict[str, str] = {}
    for run, more in (("inventory", {}), ("inventory, wrong password", {"HAWKBIT_PASSWORD": "wrong"})):
        status, stdout, stderr = player.program(
            "ansible-inventory", "-i", source, "--list", "-vvv", *(["--flush-cache"] if more else []), **{**own, **more}
        )
        texts |= {f"{run}, stdout": stdout, f"{run}, stderr": stderr}
        assert (status == 0 and f"{name}-new" in stdout) or more, stderr
    assert list((player.folder / "cache").iterdir()), "nothing was put into the cache"
    return texts


def _rollout(player: Player, hawkbit: HawkbitServer, name: str, artifact: Path) -> dict[str, str]:
    """Roll out to one device by the playbook, with both reports; return what was printed."""
    with SimulatedFleet(hawkbit.url, hawkbit.gateway_token, poll_interval=0.5) as fleet:
        fleet.add([f"{name}-device"])
        fleet.wait_registered()
        module = {"name": f"{name}-fw", "version": "1", "type": "os", "artifacts": [{"src": str(artifact)}]}
        reports = {kind: str(player.folder / f"report.{kind}") for kind in ("json", "html")}
        options = {
            "rollout_id": f"{name}-role",
            "rollout_connection": {"url": hawkbit.url, "username": hawkbit.username, "password": hawkbit.password},
            "rollout_software": {"name": f"{name}-fw", "version": "1"},
            "rollout_publish": {"modules": [module]},
            "rollout_fleet": {"ids": [f"{name}-device"]},
            "rollout_waves": [{"name": "all", "percentage": 100}],
            "rollout_wait_interval": 0.5,
            "rollout_report": reports,
        }
        run = player.play(Path("fleet.deploy.rollout"), options, "-vvv", "--diff", **SHOW_ALL)
    assert run.status == 0, run.output
    assert all(name in Path(path).read_text() for path in reports.values())
    return {"rollout, stdout": run.stdout, "rollout, stderr": run.stderr}


# the environments are made here when they are needed first
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "which",
    [
        pytest.param("oldest", marks=pytest.mark.only("newest")),
        pytest.param("newest", marks=pytest.mark.only("newest", "oldest")),
    ],
)
def test_no_secret_is_seen(hawkbit: HawkbitServer, variables: dict[str, Any], tmp_path: Path, which: str) -> None:
    hidden, texts, failed = _run(which, hawkbit, variables, tmp_path)
    assert failed == set(FAILS)
    assert leaks(hidden, texts) == [], f"ansible-core {environments()[which]['core']}"
    # the proof that it would be seen: the same search, with one of them in one text more
    planted = {**texts, "planted": f"{texts['stdout']} {hidden['security token']}"}
    assert leaks(hidden, planted) == ["planted: security token, " + form for form in _equal_forms(hidden)]


def _equal_forms(hidden: dict[str, str]) -> list[str]:
    """The forms in which the security token looks as it is."""
    token = hidden["security token"]
    return sorted({form for form, text in forms(token) if text == token})
