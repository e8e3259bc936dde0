"""hawkBit's errors, as 1.0.4, 0.9.0 and 0.3.0M7 word them, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AuthFailed,
    Conflict,
    FleetError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Failure, writes
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rules import error_code, is_quota, make_error
from servers.scripted import ScriptedServer, answer

from .conftest import Client

OPERATION = writes("create targets", "POST", "/rest/v1/targets")
HTTP = {"method": "POST", "path": "/rest/v1/targets", "status": 400}
PLAIN = {"timestamp": "2026-11-20T09:51:07.744+00:00", "status": 404, "error": "Not Found"}


def body(code: str, message: str | None = "Some words", **more: Any) -> dict[str, Any]:
    """Return an error body."""
    return {"errorCode": f"hawkbit.server.error.{code}", **({} if message is None else {"message": message}), **more}


def failure(status: int, data: Any) -> Failure:
    """Return an answer with this status and body."""
    return Failure(OPERATION, status, data, HTTP, None)


@pytest.mark.parametrize(
    "status, code, kind",
    [
        (400, "repo.constraintViolation", Rejected),
        (400, "rest.body.notReadable", Rejected),
        (400, "multiassignmentNotEnabled", Rejected),
        (400, "maintenanceScheduleInvalid", Rejected),
        (400, "distributionset.incomplete", Rejected),
        (500, "distributionset.incomplete", Rejected),  # 0.3.0M7
        (400, "rollout.illegalState", Rejected),
        (400, "rollout.illegalstate", Rejected),
        (400, "rest.param.sortParamSyntax", Rejected),
        (400, "rest.param.rsqlParamSyntax", InvalidInput),
        (400, "rest.param.rsqlInvalidField", InvalidInput),
        (403, "insufficientPermission", AuthFailed),
        (403, "insufficientpermission", AuthFailed),
        (403, "entityReadOnly", Rejected),
        (403, "entityreadonly", Rejected),
        (403, "quota.tooManyEntries", QuotaExceeded),
        (429, "quota.tooManyEntries", QuotaExceeded),
        (404, "repo.entityNotFound", NotFound),
        (404, "repo.entitiyNotFound", NotFound),
        (404, "deleted", NotFound),
        (410, "gone", NotFound),
        (409, "repo.entityAlreadyExists", Conflict),
        (409, "repo.entitiyAlreayExists", Conflict),
        (423, "locked", Conflict),
        (405, "action.notCancelable", Rejected),
        (405, "action.notcancelable", Rejected),
        (418, "something.new", Rejected),
    ],
)
def test_each_code_has_its_class(status: int, code: str, kind: type[FleetError]) -> None:
    error = make_error(failure(status, body(code)))
    assert error.__class__ is kind
    assert error.http == HTTP
    assert error.message == "Some words"
    assert error.details == {"errorCode": f"hawkbit.server.error.{code}"}


@pytest.mark.parametrize(
    "code, wanted",
    [
        ("repo.entityAlreadyExists", "repo.entityalreadyexists"),
        ("repo.entitiyAlreayExists", "repo.entityalreadyexists"),
        ("repo.entitiyNotFound", "repo.entitynotfound"),
        ("action.notcancelable", "action.notcancelable"),
    ],
)
def test_old_spellings_of_codes_are_read_as_todays(code: str, wanted: str) -> None:
    assert error_code(body(code)) == wanted


@pytest.mark.parametrize("data", [None, [], "text", {}, {"errorCode": None}, {"errorCode": 7}, PLAIN])
def test_what_has_no_code_has_none(data: Any) -> None:
    assert error_code(data) == ""


@pytest.mark.parametrize(
    "status, data, text",
    [
        (
            404,
            body("repo.entityNotFound", "Target with given identifier {x} does not exist."),
            "Cannot create targets: Target with given identifier {x} does not exist. (HTTP 404)",
        ),
        (
            403,
            body("insufficientPermission", "Insufficient Permission"),
            "Cannot create targets: Insufficient Permission. The user lacks CREATE_TARGET. (HTTP 403)",
        ),
        (
            429,
            body("quota.tooManyEntries", "Too many"),
            "Cannot create targets: Too many. This is a limit of the server, so waiting does not help. (HTTP 429)",
        ),
        (
            400,
            body("rest.param.rsqlParamSyntax", None),
            "Cannot create targets: The query cannot be parsed. (HTTP 400)",
        ),
        (
            400,
            body("rest.param.rsqlInvalidField", None),
            "Cannot create targets: The query names a field that does not exist. (HTTP 400)",
        ),
        (
            400,
            body("something.new", None),
            "Cannot create targets: hawkbit.server.error.something.new. (HTTP 400)",
        ),
        (400, {"message": "Only words"}, "Cannot create targets: Only words. (HTTP 400)"),
    ],
)
def test_messages(status: int, data: Any, text: str) -> None:
    error = make_error(failure(status, data))
    assert error is not None
    assert error.msg == text


@pytest.mark.parametrize(
    "data",
    [
        {"timestamp": "2026-11-20T09:51:07.744+00:00", "status": 401, "error": "Unauthorized"},
        {"timestamp": "…", "status": 401, "error": "Unauthorized", "message": "", "path": "/rest/v1/targets"},
        None,
    ],
)
def test_refused_credentials_say_what_to_check(data: Any) -> None:
    error = make_error(failure(401, data))
    assert isinstance(error, AuthFailed)
    assert error.msg == (
        "Cannot create targets: the server refused the credentials (401); check username and password, or token."
    )


@pytest.mark.parametrize("data", [None, [], "text", PLAIN, {**PLAIN, "message": "", "path": "/rest/v1/x"}])
def test_what_is_not_hawkbits_own_is_left_to_the_general_rules(data: Any) -> None:
    assert make_error(failure(404, data)) is None


def test_details_hold_what_the_server_said_beside() -> None:
    info = {"type": "Target", "entityId": "x"}
    error = make_error(failure(404, body("repo.entityNotFound", info=info, exceptionClass="a.B", other=1)))
    assert error is not None
    assert error.details == {
        "errorCode": "hawkbit.server.error.repo.entityNotFound",
        "exceptionClass": "a.B",
        "info": info,
    }


def test_only_a_429_that_names_a_quota_is_permanent() -> None:
    assert is_quota(failure(429, body("quota.tooManyEntries")))
    assert is_quota(failure(403, body("quota.sizeExceeded")))
    assert not is_quota(failure(429, None))
    assert not is_quota(failure(429, PLAIN))
    assert not is_quota(failure(429, body("repo.constraintViolation")))


# -- through the transport -------------------------------------------------------------------------------------


def test_a_429_without_a_body_is_repeated_and_then_named(client: Client) -> None:
    with ScriptedServer(answer(429), answer(429), answer(200, json=[])) as server:
        assert client(server.url).api.transport.send(OPERATION, json=[]).status == 200
        assert len(server.requests) == 3
    with ScriptedServer(default=answer(429)) as server, pytest.raises(RateLimited) as caught:
        client(server.url).api.transport.send(OPERATION, json=[])
    assert "answered 429, too many requests. 3 tries were made." in caught.value.msg


@pytest.mark.parametrize("status", [403, 429])
def test_a_quota_is_never_tried_again(client: Client, status: int) -> None:
    with ScriptedServer(default=answer(status, json=body("quota.tooManyEntries"))) as server:
        with pytest.raises(QuotaExceeded):
            client(server.url).api.transport.send(OPERATION, json=[])
        assert len(server.requests) == 1


def test_a_404_of_spring_shows_where_and_what(client: Client) -> None:
    old = {**PLAIN, "message": "", "path": "/rest/v1/targets"}
    with ScriptedServer(answer(404, json=old)) as server, pytest.raises(NotFound) as caught:
        client(server.url).api.transport.send(OPERATION, json=[])
    assert "None" not in caught.value.msg
    assert f"127.0.0.1:{server.port} answered 404" in caught.value.msg
