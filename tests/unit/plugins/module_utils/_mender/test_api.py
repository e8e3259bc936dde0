"""The client: login, tokens, errors, pages, what the server is."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    AuthFailed,
    BadAnswer,
    Conflict,
    FleetError,
    NotFound,
    Rejected,
    ServerFault,
    Unreachable,
    Unsupported,
)
from ansible_collections.fleet.deploy.plugins.module_utils._mender.api import (
    PROBE_ARTIFACTS,
    PROBE_PAGED,
    READ_LIMIT,
    expiry,
    identity,
    last_segment,
)
from ansible_collections.fleet.deploy.plugins.module_utils._mender.client import connect
from ansible_collections.fleet.deploy.plugins.modules import mender_storage_info as module
from servers.fault_proxy import FaultProxy
from servers.scripted import ScriptedServer, answer, html

from .conftest import Client, Run
from .fake import FakeMender, error, jwt

USER = {"username": "user@example.com", "password": FakeMender.password}
LOGIN = "POST /api/management/v1/useradm/auth/login"


# -- login and tokens ------------------------------------------------------------------------------------------


def test_token_is_sent_as_it_is(mender: FakeMender, client: Client) -> None:
    assert client(mender).storage() == {"limit": 1000, "usage": 400, "free": 600}
    assert mender.lines == ["GET /v1/limits/storage"]
    assert mender.server.requests[0].headers["authorization"] == "Bearer a-long-token"


def test_user_logs_in_once_a_task(mender: FakeMender, client: Client) -> None:
    found = client(mender, **USER)
    for _time in range(3):
        found.storage()
    assert (mender.logins, mender.lines[0]) == (1, LOGIN)
    assert mender.server.requests[0].headers["authorization"].startswith("Basic ")
    assert mender.server.requests[0].json == {}
    assert {request.headers["authorization"][:7] for request in mender.server.requests[1:]} == {"Bearer "}


def test_login_works_in_check_mode(mender: FakeMender, run: Run) -> None:
    assert run(module, mender, check_mode=True, **USER).error is None


def test_second_factor_goes_with_the_login(mender: FakeMender, run: Run) -> None:
    mender.code = "012234"
    assert run(module, mender, **USER, token2fa="012234").error is None
    assert mender.server.requests[0].json == {"token2fa": "012234"}
    refused = "Cannot log in as 'user@example.com': the server refused the credentials (401); check username"
    without = run(module, mender, **USER)
    assert without.result["msg"] == f"{refused} and password; a user with a second factor needs token2fa too."
    wrong = run(module, mender, **USER, token2fa="999999")
    assert wrong.result["msg"] == (
        f"{refused}, password and token2fa, whose code is good for half a minute and one login."
    )
    assert (wrong.result["error"]["code"], wrong.result["http"]["status"]) == ("auth", 401)
    assert wrong.result["error"]["request_id"] == "6048f5fe"


def test_login_that_has_been_thrown_out_is_made_anew(mender: FakeMender, client: Client) -> None:
    found = client(mender, **USER)
    found.storage()
    mender.tokens.clear()
    assert found.storage()["limit"] == 1000
    assert mender.logins == 2


def test_login_that_another_thread_has_made_meanwhile_is_used(mender: FakeMender, client: Client) -> None:
    found = client(mender, **USER)
    found.storage()
    old = found.api.transport.connection.token

    def other_thread(line: str) -> None:
        if line == "GET /v1/limits/storage" and mender.logins == 1:
            mender.tokens.clear()
            found.api._log_in(old)

    mender.before = other_thread
    assert found.storage()["limit"] == 1000
    assert mender.logins == 2


def test_login_that_never_worked_is_not_made_anew(mender: FakeMender, client: Client) -> None:
    mender.refuse["GET /v1/limits/storage"] = error(401, "unauthorized")
    with pytest.raises(AuthFailed):
        client(mender, **USER).storage()
    assert mender.logins == 1


def test_single_sign_on_is_said(client: Client) -> None:
    with ScriptedServer(answer(200, json={"id": "x", "kind": "oidc"})) as server, pytest.raises(AuthFailed) as caught:
        client(server.url, **USER).storage()
    assert str(caught.value) == (
        "Cannot log in as 'user@example.com': the server wants another way to log in, such as single sign-on; give a "
        "personal access token in token."
    )


@pytest.mark.parametrize("step", [html(), answer(200, body=b"  ")], ids=["html", "empty"])
def test_login_that_is_none(client: Client, step: Any) -> None:
    with (
        ScriptedServer(default=step) as server,
        pytest.raises(Unreachable, match=r"Cannot log in: .* answered 200 with"),
    ):
        client(server.url, **USER).storage()


def test_something_else_than_mender_is_said(client: Client) -> None:
    with ScriptedServer(default=answer(404, json={})) as server:
        for given in (USER, {}):
            with pytest.raises(Unsupported) as caught:
                client(server.url, **given).storage()
            assert str(caught.value) == (
                f"url is '{server.url}', but what answers there does not behave like Mender: give the base address of "
                "a Mender server."
            )
    with ScriptedServer(default=html()) as server, pytest.raises(Unreachable, match="does not behave like Mender"):
        client(server.url).storage()


def test_expired_token_is_said(mender: FakeMender, client: Client) -> None:
    with pytest.raises(AuthFailed) as caught:
        client(mender, token=jwt(exp=1_700_000_000)).storage()
    assert str(caught.value) == (
        "The token has expired, on 2023-11-14 at 22:13 UTC: give a new one in token or in MENDER_TOKEN."
    )
    for token in (jwt(exp=time.time() + 3600), jwt(), "no-token"):
        with pytest.raises(AuthFailed, match=r"refused the credentials \(401\); check token, or username"):
            client(mender, token=token).storage()


@pytest.mark.parametrize(
    "token, end",
    [
        (jwt(exp=0), datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)),
        (jwt(exp="soon"), None),
        (jwt(exp=10**30), None),
        (jwt(), None),
        ("a.b", None),
        ("a.!!!.c", None),
        ("a.W10.c", None),
    ],
)
def test_expiry_is_read_from_the_token(token: str, end: datetime.datetime | None) -> None:
    assert expiry(token) == end


def test_secrets_are_in_no_message(mender: FakeMender, run: Run) -> None:
    mender.code = "012234"
    secrets = [FakeMender.password, "012234"]

    def echo(_line: str) -> None:
        tokens = [token for token in mender.tokens if token != "a-long-token"]
        secrets.extend(tokens)
        text = f"you sent {' '.join(secrets)}"
        mender.refuse["GET /v1/limits/storage"] = error(400, text)

    mender.before = echo
    done = run(module, mender, **USER, token2fa="012234")
    assert len(secrets) > 2
    assert "you sent ********" in done.result["msg"]
    assert not [secret for secret in secrets if secret in str(done.result)]


def test_environment_and_the_public_address(monkeypatch: pytest.MonkeyPatch, mender: FakeMender, run: Run) -> None:
    spec = module.SPEC.argument_spec
    assert spec["url"]["fallback"][1] == ["MENDER_URL"]
    monkeypatch.setenv("MENDER_TOKEN", "a-long-token")
    done = run(module, mender, token=None)
    assert done.result["storage"]["free"] == 600
    assert connect(done.task).api.transport.connection.token == "a-long-token"
    params = {**done.task.params, "url": None}
    done.task.params = params
    assert connect(done.task).api.transport.connection.url == "https://hosted.mender.io"


# -- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status, kind, code, hint",
    [
        (400, Rejected, "rejected", ""),
        (402, Unsupported, "unsupported", " The plan of this Mender account does not include it."),
        (
            403,
            AuthFailed,
            "auth",
            " Either the user may not do it, or the plan of this Mender account does not include it.",
        ),
        (409, Conflict, "conflict", ""),
        (413, Rejected, "rejected", " It is larger than the server accepts."),
        (422, Rejected, "rejected", ""),
        (500, ServerFault, "rejected", ""),
    ],
)
def test_errors_of_the_server(
    mender: FakeMender, client: Client, status: int, kind: type[FleetError], code: str, hint: str
) -> None:
    body = {"error": "it went wrong.", "request_id": "r-1", "metadata": {"a": 1}}
    mender.refuse["GET /v1/limits/storage"] = status, body, {}
    with pytest.raises(kind) as caught:
        client(mender).storage()
    again = " 2 tries were made." if status == 500 else ""
    assert str(caught.value) == f"Cannot read the storage limit: it went wrong.{hint} (HTTP {status}){again}"
    rendered = caught.value.render()
    assert rendered["error"] == {
        "code": code,
        "message": "it went wrong.",
        "details": {"metadata": {"a": 1}},
        "request_id": "r-1",
    }
    assert rendered["http"] == {"method": "GET", "path": READ_LIMIT.path, "status": status}


def test_id_of_a_request_is_also_taken_from_the_header(mender: FakeMender, client: Client) -> None:
    mender.refuse["GET /v1/limits/storage"] = 418, "a text", {"X-Men-Requestid": "r-2"}
    with pytest.raises(Rejected) as caught:
        client(mender).storage()
    assert (caught.value.request_id, caught.value.msg) == (
        "r-2",
        f"Cannot read the storage limit: 127.0.0.1:{mender.server.port} answered 418: a text",
    )


def test_too_many_requests_are_waited_for(client: Client) -> None:
    limit = answer(429, json={"error": "too many requests"}, headers={"Retry-After": "0"})
    with ScriptedServer(limit, limit, answer(200, json={"limit": 0, "usage": 5})) as server:
        assert client(server.url).storage() == {"limit": None, "usage": 5, "free": None}
        assert len(server.requests) == 3


# -- pages -----------------------------------------------------------------------------------------------------


def listed(*steps: Any, client: Client) -> tuple[list[Any], list[str]]:
    """Return the items of a list that a script answers, and the queries that were asked."""
    with ScriptedServer(*steps) as server:
        found = list(client(server.url).api.pages(PROBE_PAGED))
        return found, [line.partition("?")[2] for line in server.lines]


def items(start: int, stop: int) -> list[dict[str, str]]:
    """Return items of a list."""
    return [{"id": str(number)} for number in range(start, stop)]


def test_pages_end_with_the_links(client: Client) -> None:
    link = {"Link": '</wrong/path?page=2&per_page=20>; rel="next", </x?page=1>; rel="first"', "X-Total-Count": "9"}
    last = {"Link": '</x?page=1>; rel="first"'}
    found, asked = listed(answer(json=items(0, 3), headers=link), answer(json=items(3, 5), headers=last), client=client)
    assert found == items(0, 5)
    assert asked == ["page=1&per_page=500", "page=2&per_page=500"]


def test_pages_end_with_the_total(client: Client) -> None:
    total = {"X-Total-Count": "25"}
    found, asked = listed(
        answer(json=items(0, 20), headers=total), answer(json=items(20, 25), headers=total), client=client
    )
    assert (found, len(asked)) == (items(0, 25), 2)


def test_pages_without_links_and_total_end_with_a_short_one(client: Client) -> None:
    found, asked = listed(
        answer(json=items(0, 20)), answer(json=items(20, 40)), answer(json=items(40, 41)), client=client
    )
    assert (found, len(asked)) == (items(0, 41), 3)
    assert listed(answer(json=items(0, 19)), client=client)[0] == items(0, 19)
    assert listed(answer(json=[]), client=client)[0] == []


def test_list_that_is_not_paged_is_read_once_more_at_most(client: Client) -> None:
    found, asked = listed(answer(json=items(0, 20)), answer(json=items(0, 20)), client=client)
    assert (found, len(asked)) == (items(0, 20), 2)


def test_items_on_two_pages_come_once(client: Client) -> None:
    total = {"X-Total-Count": "6"}
    steps = [answer(json=page, headers=total) for page in (items(0, 3), items(2, 5), items(5, 6))]
    assert listed(*steps, client=client)[0] == items(0, 6)


def test_silent_fallback_to_twenty_is_survived(client: Client) -> None:
    with FakeMender("2023") as mender:
        mender.per_page = 100
        for number in range(45):
            mender.artifacts[str(number)] = {"id": str(number), "name": f"a{number:02}"}
        found = list(client(mender).api.pages(PROBE_PAGED))
    assert len(found) == 45


def test_identity_of_items() -> None:
    assert [identity(item) for item in ({"id": "a", "name": "b"}, {"Name": "c"}, "d", {"x": 1})] == [
        "a",
        "c",
        '"d"',
        '{"x": 1}',
    ]


@pytest.mark.parametrize(
    "location, expected",
    [
        ("./management/v1/deployments/artifacts/generate/abc", "abc"),
        ("/api/management/v1/deployments/artifacts/abc/", "abc"),
        ("https://h/artifacts/abc?x=1", "abc"),
        ("", None),
        (None, None),
    ],
)
def test_last_segment_of_a_location(location: str | None, expected: str | None) -> None:
    assert last_segment(location) == expected


# -- what the server is ----------------------------------------------------------------------------------------


def test_generation(every: FakeMender, client: Client) -> None:
    api = client(every).api
    assert api.generation == every.generation
    assert api.generation_evidence
    asked = len(every.lines)
    api.available(PROBE_ARTIFACTS)
    assert len(every.lines) == asked, "asked once"


def test_generation_of_something_else(client: Client) -> None:
    with ScriptedServer(default=answer(404)) as server, pytest.raises(Unsupported, match="does not behave like Mender"):
        assert client(server.url).api.generation
    with ScriptedServer(default=answer(200, json="x")) as server, pytest.raises(BadAnswer, match="not behave like"):
        assert client(server.url).api.generation


def test_list_that_is_none_is_asked_for_once_more(mender: FakeMender, client: Client) -> None:
    with FaultProxy(mender.server.url) as proxy:
        proxy.inject("wrong_type", method="GET", times=1)
        assert client(proxy.url).api.generation == mender.generation


TENANT = "GET /api/management/v1/tenantadm/user/tenant"
FILTERS = "GET /api/management/v2/inventory/filters"


@pytest.mark.parametrize(
    "refuse, edition",
    [
        ({}, "open_source"),
        ({FILTERS: (405, {"error": "Method not allowed"}, {})}, "open_source"),
        ({FILTERS: (200, [], {})}, "enterprise"),
        ({TENANT: (200, {"plan": "os"}, {}), FILTERS: (200, [], {})}, "open_source"),
        ({TENANT: (200, {"plan": "professional"}, {})}, "professional"),
        ({TENANT: (200, {"plan": "enterprise"}, {})}, "enterprise"),
        ({TENANT: (500, {"error": "internal error"}, {}), FILTERS: (200, [], {})}, "enterprise"),
    ],
)
def test_edition(mender: FakeMender, client: Client, refuse: dict[str, Any], edition: str) -> None:
    mender.refuse = refuse
    api = client(mender).api
    assert (api.edition, api.edition) == (edition, edition)
    assert api.edition_evidence
    assert len([line for line in mender.lines if line == TENANT]) == 1


def test_edition_that_the_user_may_not_see(mender: FakeMender, client: Client) -> None:
    mender.refuse = {FILTERS: error(403, "forbidden")}
    with pytest.raises(Unsupported, match="say it in edition, one of open_source, professional, enterprise"):
        assert client(mender).api.edition


def test_missing_object_is_not_taken_for_a_wrong_address(mender: FakeMender, client: Client) -> None:
    with pytest.raises(NotFound, match="Resource not found"):
        client(mender).artifacts.link({"id": "0c13a0e6-6b63-475d-8260-ee42a590e8ff", "name": "x"})
