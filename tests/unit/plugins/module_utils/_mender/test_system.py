"""Who answers: each version and edition of the simulated server, users who may read little, and other servers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import for_platform
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.modules import platform_info as module
from servers.mender import VERSIONS, MenderServer
from servers.scripted import ScriptedServer, Wire, answer_bytes

from .conftest import Run

GENERATIONS = {"seed": "seed", "4.5": "2023", "2024-09": "2023", "4.0": "4.0", "4.1": "4.1"}


def ask(run: Run, url: str, **given: Any) -> Any:
    """Run the module for Mender."""
    return run(module, url, platform="mender", **given)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version(run: Run, version: str) -> None:
    with MenderServer(version) as server:
        server.add_devices(3)
        server.add_devices(2, status="pending")
        server.add_artifact("gateway-1", ["generic-x86_64"])
        server.add_artifact("gateway-2", ["generic-x86_64"])
        done = ask(run, server.url, token=server.token)
    assert done.error is None, done.result
    assert done.warnings == []
    found = done.result["server"]
    assert (found["platform"], found["generation"]) == ("mender", GENERATIONS[version])
    assert found["generation_evidence"]
    assert (found["edition"], found["username"]) == ("open_source", server.username)
    assert "answers 40" in found["edition_evidence"]
    assert found["counts"] == {"devices": 3, "devices_pending": 2, "deployments": 0, "artifacts": 2}
    assert found["storage"] == {"limit": None, "usage": 0, "free": None}
    assert found["permissions"] is None
    assert found["features"] == {
        "release_notes": version not in ("seed", "4.5"),
        "device_search": version != "seed",
        "force_installation": version != "seed",
        "phases": False,
        "saved_filters": False,
    }


def test_edition_with_phases(run: Run) -> None:
    with MenderServer(edition="enterprise") as server:
        found = ask(run, server.url, token=server.token).result["server"]
    assert found["edition"] == "enterprise"
    assert (found["features"]["phases"], found["features"]["saved_filters"]) == (True, True)


def test_user_with_password_logs_in_once(run: Run) -> None:
    with MenderServer() as server:
        done = ask(run, server.url, username=server.username, password=server.password)
        assert server.logins == 1
    assert done.result["server"]["username"] == server.username
    assert server.password not in repr(done.result)


def test_wrong_token_is_one_sentence(run: Run) -> None:
    with MenderServer() as server:
        done = ask(run, server.url, token="wrong")
    assert done.error is not None
    assert done.result["msg"] == (
        "Cannot read the storage limit: the server refused the credentials (401); check token, or username, password "
        "and token2fa."
    )
    assert done.result["error"]["code"] == "auth"


def test_reader_gets_what_he_may_read(run: Run) -> None:
    with MenderServer() as server:
        server.add_devices(3)
        done = ask(run, server.url, username=server.reader, password=server.password)
    assert done.error is None, done.result
    assert done.result["server"]["counts"]["devices"] == 3


def scripted(denied: tuple[str, ...], rest: int = 200) -> ScriptedServer:
    """Return a server that denies paths with these ends, and answers the others with an empty list or object."""

    def step(wire: Wire) -> None:
        path = wire.read_request().target.partition("?")[0]
        empty: Any = {} if path.endswith(("/storage", "/me", "/count", "/tenant")) else []
        if path.endswith(denied):
            wire.send(answer_bytes(403, json={"error": "forbidden", "request_id": "r1"}))
        else:
            wire.send(answer_bytes(rest, json=empty))

    return ScriptedServer(default=step)


def test_what_is_denied_is_null_and_said(run: Run) -> None:
    with scripted(("/storage", "/filters", "/search", "/count")) as server:
        done = ask(run, server.url)
    assert done.error is None, done.result
    found = done.result["server"]
    assert (found["storage"], found["edition"], found["features"]["phases"]) == (None, None, None)
    assert (found["counts"]["devices"], found["counts"]["devices_pending"]) == (None, None)
    assert found["counts"]["deployments"] == 0
    assert "storage is not known: the user may not read it." in done.warnings
    assert "counts.devices is not known: the user may not read it." in done.warnings
    assert any(remark.startswith("edition is not known: The edition of the Mender server") for remark in done.warnings)


def test_everything_denied_is_an_error(run: Run) -> None:
    with scripted(("",)) as server:
        done = ask(run, server.url)
    assert done.error is not None
    assert "refuses whatever is asked (403)" in done.result["msg"]


def test_another_server_is_no_mender(run: Run) -> None:
    def step(wire: Wire) -> None:
        wire.read_request()
        wire.send(answer_bytes(404, json={"error": "nothing here"}))

    with ScriptedServer(default=step) as server:
        done = ask(run, server.url)
    assert done.error is not None
    assert "does not behave like Mender" in done.result["msg"]


def test_hawkbit_has_no_second_factor(run: Run) -> None:
    done = run(module, "http://127.0.0.1:1", token2fa="123456")
    assert done.result["msg"] == "token2fa is given, but hawkBit has no second factor: leave it out."


OPEN = {"url": None, "ca_path": None, "validate_certs": None, "request_timeout": None}
ENV = {
    "MENDER_URL": "https://m.example.com", "HAWKBIT_URL": "https://h.example.com", "MENDER_VALIDATE_CERTS": "no",
    "MENDER_REQUEST_TIMEOUT": "7", "HAWKBIT_CA_PATH": "/h.pem",
}  # fmt: skip


@pytest.mark.parametrize(
    "platform, expected",
    [
        ("mender", ("https://m.example.com", None, False, 7.0)),
        ("hawkbit", ("https://h.example.com", "/h.pem", True, 30.0)),
    ],
)
def test_environment_of_the_platform_counts(platform: str, expected: tuple[Any, ...]) -> None:
    assert tuple(for_platform(OPEN, platform, ENV)[name] for name in OPEN) == expected
    given = {"url": "u", "ca_path": "c", "validate_certs": True, "request_timeout": 1.0}
    assert for_platform(given, platform, ENV) == given


@pytest.mark.parametrize("name, value", [("VALIDATE_CERTS", "perhaps"), ("REQUEST_TIMEOUT", "soon")])
def test_variables_of_a_wrong_form_are_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"MENDER_{name} is '{value}': give"):
        for_platform(OPEN, "mender", {f"MENDER_{name}": value})
