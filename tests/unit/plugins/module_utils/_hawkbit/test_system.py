"""Who answers: each generation, a user who may read little, and servers that are no hawkBit."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.modules import platform_info as module
from servers.scripted import ScriptedServer, Wire, answer, answer_bytes, html

from .conftest import Run

PAGE = {"content": [], "total": 7}
DENIED = {"errorCode": "hawkbit.server.error.insufficientPermission", "message": "Insufficient Permission"}
USER = {"tenant": "DEFAULT", "username": "admin", "permissions": ["ROLE_TENANT_ADMIN", "READ_TARGET"]}
GATEWAY_KEY = "a-key-that-must-not-be-shown"
# what GET /actions answers -> generation
PROBES = {200: "modern", 400: "legacy", 404: "seed"}


def server(probe: int, user: Any = None, configuration: Any = None, denied: tuple[str, ...] = ()) -> ScriptedServer:
    """Return a server whose answer to the probe is this; it denies the paths that are named."""
    answers: dict[str, tuple[int, Any]] = {
        "/actions": (probe, PAGE),
        "/userinfo": (404, {}) if user is None else (200, user),
        "/system/configs": (200, configuration or {}),
        **dict.fromkeys(denied, (403, DENIED)),
    }

    def step(wire: Wire) -> None:
        path = wire.read_request().target.partition("?")[0].removeprefix("/rest/v1")
        status, data = answers.get(path, (200, PAGE))
        wire.send(answer_bytes(status, json=data))

    return ScriptedServer(default=step)


def configuration(**switches: bool) -> dict[str, Any]:
    """Return the tenant configuration as a user sees it who may read all of it."""
    found = {"pollingTime": {"value": "00:05:00"}, "authentication.gatewaytoken.key": {"value": GATEWAY_KEY}}
    return {**found, **{key.replace("_", "."): {"value": value} for key, value in switches.items()}}


@pytest.mark.parametrize("probe", PROBES)
def test_each_generation(run: Run, probe: int) -> None:
    user = None if PROBES[probe] == "seed" else USER
    settings = configuration(rollout_approval_enabled=True, implicit_lock_enabled=True)
    with server(probe, user, settings) as hawkbit:
        done = run(module, hawkbit.url)
    assert done.error is None
    found = done.result["server"]
    assert (done.result["changed"], done.warnings) == (False, [])
    assert found["generation"] == PROBES[probe]
    assert found["generation_evidence"] == f"GET /rest/v1/actions?q=active==true answers {probe}"
    assert found["counts"] == dict.fromkeys(("targets", "distribution_sets", "software_modules", "rollouts"), 7)
    assert found["permissions"] == (None if user is None else ["READ_TARGET", "ROLE_TENANT_ADMIN"])
    assert (found["tenant"], found["username"]) == (None if user is None else "DEFAULT", "admin")
    seed, modern = probe == 404, probe == 200
    assert found["features"] == {
        "global_actions": not seed,
        "target_types": not seed,
        "target_groups": modern,
        "multi_assignments": False,
        "confirmation_flow": False,
        "implicit_lock": True,
        "rollout_approval": True,
    }
    assert GATEWAY_KEY not in str(done.result)


def test_what_the_user_may_not_read_is_null_and_named(run: Run) -> None:
    # such a user still sees one key
    few = {"default.ds.type": {"value": 1}}
    with server(400, USER, few, denied=("/distributionsets", "/rollouts")) as hawkbit:
        done = run(module, hawkbit.url)
    counts, features = done.result["server"]["counts"], done.result["server"]["features"]
    assert counts == {"targets": 7, "distribution_sets": None, "software_modules": 7, "rollouts": None}
    assert [features[name] for name in ("multi_assignments", "implicit_lock")] == [None, None]
    assert done.warnings == [
        "counts.distribution_sets is not known: the user lacks the permission READ_REPOSITORY.",
        "counts.rollouts is not known: the user lacks the permission READ_ROLLOUT.",
        (
            "features.multi_assignments, features.confirmation_flow, features.implicit_lock, features.rollout_approval "
            "cannot be told: the user lacks the permission READ_TENANT_CONFIGURATION."
        ),
    ]


def test_what_a_release_does_not_have_needs_no_permission(run: Run) -> None:
    with server(200, USER) as hawkbit:
        features = run(module, hawkbit.url).result["server"]["features"]
    assert (features["multi_assignments"], features["confirmation_flow"]) == (False, None)


@pytest.mark.parametrize(
    "step",
    [
        html(),
        html(404),
        answer(json={}),
        answer(json=[]),
        answer(json={"content": [], "total": "many"}),
        answer(400, json={"error": "bad"}),
        answer(404, json={"error": "no such route"}),
    ],
    ids=["html", "html 404", "object", "list", "total", "400", "json 404"],
)
def test_what_is_no_hawkbit(run: Run, step: Any) -> None:
    with ScriptedServer(default=step) as other:
        done = run(module, other.url)
        assert done.result["error"]["code"] == "unsupported"
        assert "hawkBit" in done.result["msg"]
        assert "url" in done.result["msg"]
        assert "base address" in done.result["msg"]


def test_a_server_that_denies_everything(run: Run) -> None:
    with ScriptedServer(default=answer(403, body=b"Forbidden")) as other:
        done = run(module, other.url)
    assert done.result["error"]["code"] == "auth"
    assert done.result["msg"].endswith(
        "refuses whatever is asked (403): check url, and give a user with the permission READ_TARGET."
    )


def test_wrong_password(run: Run) -> None:
    with ScriptedServer(default=answer(401, json={"status": 401, "error": "Unauthorized"})) as hawkbit:
        done = run(module, hawkbit.url)
        assert len(hawkbit.requests) == 1
    assert done.result["error"]["code"] == "auth"
    assert "refused the credentials (401)" in done.result["msg"]
