"""Mender's tokens, passwords, codes and links are looked for in all that a run prints and leaves behind."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from integration.leaks import files_below, leaks
from integration.playing import Player
from integration.test_secrets import SHOW_ALL, Parrot, environments

from servers.artifact_writer import Written
from servers.fault_proxy import FaultProxy
from servers.mender import MenderServer
from servers.mender_devices import MenderFleet

NAME = "secret"
DEVICES = ("secret-1", "secret-2")
# what the tasks below must fail for, so that it is known what was said of it
FAILS = {
    "wrong password", "wrong token", "wrong code", "expired", "token and password", "in url", "unreachable",
    "login refused in the words of the parrot", "upload refused in the words of the parrot",
    "deployment refused in the words of the parrot", "list cut off", "page with all that was sent",
    "error with all that was sent", "download from a storage that is not there",
    "download from a storage that says what it was asked", "comparison with a storage that is not there",
}  # fmt: skip


def tasks_that_see_secrets(urls: dict[str, str], folder: Path) -> Iterator[dict[str, Any]]:
    """Yield tasks that get secrets, are told secrets by the server, and fail with secrets in what they were sent."""
    deploy = "fleet.deploy"
    no_token = {"token": "{{ omit }}", "username": "{{ mender_username }}"}
    person = {**no_token, "password": "{{ mender_password }}", "token2fa": "{{ code }}"}
    storage, source = f"{deploy}.mender_storage_info", {"src": str(folder / "secret.mender")}
    once = {"request_retries": 0}
    yield {"name": "token", storage: {}}
    yield {"name": "login", storage: person}
    yield {"name": "upload", f"{deploy}.artifact_upload": {**source, "description": "new"}}
    yield {"name": "compare", f"{deploy}.artifact_upload": {**source, "description": "newer", "compare": "strict"}}
    yield {"name": "describe", f"{deploy}.artifact": {**person, "name": NAME, "description": "newest"}}
    yield {"name": "download", f"{deploy}.artifact": {"name": NAME, "dest": str(folder / "copy.mender")}}
    yield {"name": "link", f"{deploy}.artifact": {"name": NAME, "link_only": True}, "no_log": True}
    yield {"name": "artifacts", f"{deploy}.artifact_info": {}}
    yield {"name": "release", f"{deploy}.mender_release": {"name": NAME, "notes": "new", "tags": ["new"]}}
    yield {"name": "releases", f"{deploy}.mender_release_info": {}}
    wait = {"wait": True, "wait_interval": 0.2, "wait_timeout": 60}
    fleet = {"artifact_name": NAME, "fleet": {"ids": [DEVICES[0]]}}
    yield {"name": "deployment", f"{deploy}.deployment": {**person, **fleet, **wait}}
    failing = {"artifact_name": NAME, "fleet": {"ids": [DEVICES[1]]}, "max_failures": 1}
    yield {"name": "deployment that fails", f"{deploy}.deployment": {**failing, **wait}}
    yield {"name": "deployments", f"{deploy}.deployment_info": {"devices": "all", "logs": True, "device_list": True}}
    yield {"name": "device", f"{deploy}.mender_device_deployments": {"device_id": DEVICES[0]}}
    # and what fails
    yield {"name": "wrong password", storage: {**person, "password": "{{ wrong_password }}"}}
    yield {"name": "wrong token", storage: {"token": "{{ wrong_token }}"}}
    yield {"name": "wrong code", storage: {**person, "token2fa": "{{ wrong_password }}"}}
    yield {"name": "expired", storage: {"token": "{{ expired_token }}"}}
    yield {"name": "token and password", storage: {**person, "token": "{{ mender_token }}"}}
    in_url = "http://{{ mender_username | urlencode }}:{{ mender_password }}@127.0.0.1:9"
    yield {"name": "in url", storage: {"url": in_url}}
    yield {"name": "unreachable", storage: {**person, **once, "url": "http://127.0.0.1:9"}}
    # that server repeats in its errors what it knows
    refused = {"url": urls["refusing"], **once}
    yield {"name": "login refused in the words of the parrot", storage: {**person, **refused}}
    other = {"src": str(folder / "other.mender")}
    yield {"name": "upload refused in the words of the parrot", f"{deploy}.artifact_upload": {**other, **refused}}
    again = {"name": "again", "redeploy": "always"}
    task = {**fleet, **again, **refused}
    yield {"name": "deployment refused in the words of the parrot", f"{deploy}.deployment": task}
    for name, place in (("list cut off", "cut/list"), ("page with all that was sent", "always/page")):
        yield {"name": name, f"{deploy}.artifact_upload": {**other, **once, "url": f"{urls['parrot']}/{place}"}}
    yield {"name": "error with all that was sent", storage: {**once, "url": f"{urls['parrot']}/always/error"}}
    for name, place in (("is not there", "broken"), ("says what it was asked", "telling")):
        task = {"name": NAME, "dest": str(folder / f"{place}.mender"), "url": urls[place], **once}
        task["token"] = f"{{{{ {place}_token }}}}"
        yield {"name": f"download from a storage that {name}", f"{deploy}.artifact": task}
    task = {**source, "compare": "strict", "url": urls["broken"], "token": "{{ broken_token }}", **once}
    yield {"name": "comparison with a storage that is not there", f"{deploy}.artifact_upload": task}


@contextlib.contextmanager
def listening(server: MenderServer, hidden: dict[str, str]) -> Iterator[None]:
    """Take note of all tokens and links that a server hands out."""
    link, issue = server.storage.link, server.access.issue

    def remember_link(*arguments: Any, **options: Any) -> tuple[str, str]:
        uri, expire = link(*arguments, **options)
        hidden[f"link {len(hidden)}"] = uri.rpartition("X-Amz-Signature=")[2]
        return uri, expire

    def remember_token(*arguments: Any, **options: Any) -> tuple[str, str]:
        token, name = issue(*arguments, **options)
        hidden[f"token {len(hidden)}"] = token.rpartition(".")[2]
        return token, name

    with patch.object(server.storage, "link", remember_link), patch.object(server.access, "issue", remember_token):
        yield


def run(which: str, folder: Path) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Play all that on one Ansible; return the secrets, what was found where, and the tasks that failed."""
    artifact = Written(NAME, ("gateway",))
    artifact.save(folder / "secret.mender")
    Written("other", ("gateway",)).save(folder / "other.mender")
    hidden = {
        "code": secrets.token_urlsafe(24),
        "wrong password": f"{secrets.token_urlsafe(24)}&/+",
        "wrong token": secrets.token_urlsafe(32),
    }
    player = Player(folder / "play", Path(environments()[which]["bin"]))
    results = folder / "play" / "results.json"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(MenderServer(two_factor=hidden["code"]))
        parrot = stack.enter_context(Parrot("cut"))
        broken, telling = stack.enter_context(MenderServer()), stack.enter_context(MenderServer())
        broken.storage_url = "http://127.0.0.1:9"
        telling.storage_url = f"http://127.0.0.1:{parrot.server_port}/always/error"
        for number, one in enumerate((server, broken, telling)):
            hidden |= {f"password {number}": one.password, f"personal token {number}": one.token}
            stack.enter_context(listening(one, hidden))
        parrot.token = server.token
        server.add_devices(DEVICES, "gateway")
        fleet = stack.enter_context(MenderFleet(server.url, server.device_token, poll_interval=0.2))
        fleet.add(DEVICES[:1], device_type="gateway")
        fleet.add(DEVICES[1:], "fail", device_type="gateway")
        for one in (broken, telling):
            one.upload(folder / "secret.mender")
        refusing = stack.enter_context(FaultProxy(server.url))
        # what a client has not sent, it does not know as a secret
        person = f"{server.password} {hidden['code']}"
        for path, said in (("login$", person), ("/artifacts$", server.token), ("/deployments$", server.token)):
            body = {"error": f"not with {said}", "request_id": said, "metadata": {"conflict": said}}
            refusing.inject("answer", "POST", path, times=None, status=400, body=body)
        urls = {"refusing": refusing.url, "parrot": f"http://127.0.0.1:{parrot.server_port}"}
        urls |= {"broken": broken.url, "telling": telling.url}
        tasks: list[dict[str, Any]] = []
        for number, task in enumerate(tasks_that_see_secrets(urls, folder)):
            tasks.append({**task, "register": f"result_{number}", "ignore_errors": True, "diff": True})
        # what no_log hides is not written down either
        every = ", ".join(f"result_{number}" for number, task in enumerate(tasks) if "no_log" not in task)
        tasks.append({"ansible.builtin.copy": {"content": f"{{{{ [{every}] | to_json }}}}", "dest": str(results)}})
        variables = {
            "mender_url": server.url,
            "mender_username": server.username,
            "mender_password": server.password,
            "mender_token": server.token,
            "code": hidden["code"],
            "wrong_password": hidden["wrong password"],
            "wrong_token": hidden["wrong token"],
            "expired_token": server.expired_token(),
            "broken_token": broken.token,
            "telling_token": telling.token,
        }
        played = player.play_tasks("secrets", tasks, variables, "-vvv", "--diff", **SHOW_ALL)
    assert played.status == 0, played.output
    assert "Traceback" not in played.output
    texts = {"stdout": played.stdout, "stderr": played.stderr, **files_below(player.folder)}
    assert len(json.loads(results.read_text())) == len(tasks) - 2
    return hidden, texts, {result.name for result in played.results if result.status == "failed"}


# the environments are made here when they are needed first
@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["oldest", "newest"])
def test_no_secret_is_seen(tmp_path: Path, which: str) -> None:
    hidden, texts, failed = run(which, tmp_path)
    assert failed == FAILS
    assert sum(name.startswith("link") for name in hidden) >= 6
    assert sum(name.startswith("token") for name in hidden) >= 6
    assert leaks(hidden, texts) == [], f"ansible-core {environments()[which]['core']}"
    # the proof that it would be seen: the same search, with one of them in one text more
    link = next(name for name in hidden if name.startswith("link"))
    planted = {"planted": f"{texts['stdout']} {hidden[link]}"}
    assert any(found.startswith(f"planted: {link}") for found in leaks(hidden, planted))
