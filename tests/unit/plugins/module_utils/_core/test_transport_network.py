"""Who is spoken to and with which credentials: logins, redirects, proxies, TLS, a missing library."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import (
    BadAnswer,
    FleetError,
    InvalidInput,
    Unreachable,
    Unsupported,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import NOT_DONE, Transport, reads, writes
from ansible_collections.fleet.deploy.plugins.module_utils._core.version import COLLECTION_VERSION
from servers.scripted import ScriptedServer, Wire, answer, answer_bytes, nobody_listens, redirect, reset_after

from .conftest import Authority, Connect

LIST = reads("list things", "GET", "/things")
SEARCH = reads("search things", "POST", "/search")
CREATE = writes("create thing", "POST", "/things")
READ = reads("read thing", "GET", "/things/{name}")
EMPTY = answer(json=[])


def basic(username: str, password: str) -> str:
    """Return the header of a login."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


ADMIN = basic("admin", "a-long-Password")


# -- what is sent ----------------------------------------------------------------------------------------------------


def test_request_as_it_arrives(connect: Connect) -> None:
    with ScriptedServer(EMPTY, EMPTY) as server:
        client = connect(f"{server.url}/base", headers={"X-Space": "1", "Accept": "application/hal+json"})
        query = {"q": "a==b c&d", "limit": 5, "none": None, "empty": ""}
        client.send(READ, values={"name": "a b/c?ü%"}, query=query)
        client.send(CREATE, json={"name": "ü", "n": [1, None, True]})
        first, second = server.requests
    assert first.line == "GET /base/things/a%20b%2Fc%3F%C3%BC%25?q=a%3D%3Db+c%26d&limit=5&empty="
    assert first.headers["authorization"] == ADMIN
    assert first.headers["accept"] == "application/hal+json"
    assert first.headers["x-space"] == "1"
    assert first.headers["user-agent"] == f"fleet.deploy/{COLLECTION_VERSION} (Ansible collection)"
    assert "content-type" not in first.headers
    assert second.headers["content-type"] == "application/json"
    assert second.body == '{"name": "ü", "n": [1, null, true]}'.encode()


@pytest.mark.parametrize("password", ["pässwörd", "Ж" * 10, "with:colon", "日本"])
def test_login_with_characters_beyond_latin_1(connect: Connect, password: str) -> None:
    with ScriptedServer(EMPTY) as server:
        connect(server.url, username="müller", password=password).send(LIST)
        assert server.requests[0].headers["authorization"] == basic("müller", password)


def test_token(connect: Connect) -> None:
    with ScriptedServer(EMPTY) as server:
        connect(server.url, token="t-1").send(LIST)
        assert server.requests[0].headers["authorization"] == "Bearer t-1"


def test_no_credentials_no_login(connect: Connect) -> None:
    with ScriptedServer(EMPTY) as server:
        connect(server.url, username=None, password=None).send(LIST)
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_value_that_would_make_another_path(connect: Connect, value: str) -> None:
    with ScriptedServer() as server:
        with pytest.raises(InvalidInput) as caught:
            connect(server.url).send(READ, values={"name": value})
        assert server.connections == 0
    assert caught.value.msg == f"Cannot read thing: name is '{value}', which cannot stand in an address."


@pytest.mark.parametrize(
    "arguments, why",
    [
        ({"json": {"name": "a\udcff"}}, "text that is not UTF-8"),
        ({"query": {"q": "a\udcff"}}, "text that is not UTF-8"),
        ({"json": {"n": float("nan")}}, "a number that JSON does not have"),
        ({"json": {"n": float("inf")}}, "a number that JSON does not have"),
    ],
)
def test_value_that_cannot_be_sent(connect: Connect, arguments: dict[str, Any], why: str) -> None:
    with ScriptedServer() as server:
        with pytest.raises(InvalidInput) as caught:
            connect(server.url).send(CREATE, **arguments)
        assert server.connections == 0
    assert caught.value.msg == f"Cannot create thing: a value holds {why}."


def test_cookies_are_not_kept(connect: Connect) -> None:
    with ScriptedServer(answer(json=[], headers={"Set-Cookie": "JSESSIONID=1; Path=/"}), EMPTY) as server:
        client = connect(server.url)
        client.send(LIST)
        client.send(LIST)
        assert "cookie" not in server.requests[1].headers


# -- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_read_follows_a_redirect_on_the_same_server_with_its_credentials(connect: Connect, status: int) -> None:
    with ScriptedServer(redirect("/new?x=1", status), answer(json=["new"])) as server:
        client = connect(server.url, headers={"X-Space": "1"})
        assert client.send(LIST).data == ["new"]
        assert server.lines == ["GET /things", "GET /new?x=1"]
        assert server.requests[1].headers["authorization"] == ADMIN
        assert server.requests[1].headers["x-space"] == "1"


def test_other_server_gets_no_credentials(connect: Connect) -> None:
    with ScriptedServer(answer(json=["there"])) as other, ScriptedServer(redirect(f"{other.url}/x?signed=1")) as server:
        assert connect(server.url, headers={"X-Key": "secret"}).send(LIST).data == ["there"]
        (request,) = other.requests
        assert request.line == "GET /x?signed=1"
        assert not {"authorization", "x-key", "cookie"} & set(request.headers)
        assert request.headers["accept"] == "application/json"


def test_credentials_come_back_with_the_first_server(connect: Connect) -> None:
    with ScriptedServer() as server, ScriptedServer(redirect(f"{server.url}/back")) as other:
        server.then(redirect(other.url), answer(json=["back"]))
        assert connect(server.url).send(LIST).data == ["back"]
        assert [request.headers.get("authorization") for request in server.requests] == [ADMIN, ADMIN]
        assert [request.headers.get("authorization") for request in other.requests] == [None]


def test_login_that_a_redirect_brings_is_not_used(connect: Connect) -> None:
    with ScriptedServer(EMPTY) as other:
        with ScriptedServer(redirect(f"http://eve:pw@127.0.0.1:{other.port}/")) as server:
            connect(server.url).send(LIST)
        assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ("http://h.example.com/a", "http://h.example.com/b", True),
        ("http://h.example.com", "https://h.example.com/b", True),
        ("http://h.example.com:80", "https://h.example.com:443/b", True),
        ("http://h.example.com", "http://H.Example.com:80/", True),
        ("https://h.example.com", "https://h.example.com:443/", True),
        ("https://h.example.com", "http://h.example.com/", False),
        ("http://h.example.com:8080", "https://h.example.com:8443/", False),
        ("http://h.example.com:8080", "https://h.example.com/", False),
        ("http://h.example.com", "https://h.example.com:8443/", False),
        ("https://h.example.com", "https://h.example.com:8443/", False),
        ("https://h.example.com", "https://h.example.com.evil.example/", False),
        ("https://h.example.com", "https://h.example.com@evil.example/", False),
        ("https://h.example.com", "https://sub.h.example.com/", False),
    ],
)
def test_who_may_see_credentials(
    connect: Connect, authority: Authority, monkeypatch: pytest.MonkeyPatch, first: str, second: str, expected: bool
) -> None:
    """Names and default ports, at which no test can listen, are asked for through a proxy."""
    context = authority.server_context("h.example.com")
    answers = [answer_bytes(302, headers={"Location": second}), answer_bytes(json=["there"])]
    logins: list[str | None] = []

    def step(wire: Wire) -> None:
        request = wire.read_request()
        if request.method == "CONNECT":
            wire.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            wire.start_tls(context)
        else:
            logins.append(request.headers.get("authorization"))
            wire.send(answers.pop(0))

    with ScriptedServer(default=step) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        assert connect(first, validate_certs=False).send(LIST).data == ["there"]
    assert logins == [ADMIN, ADMIN if expected else None]


@pytest.mark.parametrize("operation", [CREATE, SEARCH], ids=["write", "read by POST"])
def test_redirected_post_is_an_error_that_says_where_to(connect: Connect, operation: Any) -> None:
    with ScriptedServer(redirect("https://eve:pw@h.example.com:8443/login?x=1", 307)) as server:
        with pytest.raises(Unsupported) as caught:
            connect(server.url).send(operation, json={}, read_back=lambda: NOT_DONE)
        assert len(server.requests) == 1
    assert caught.value.msg == (
        f"Cannot {operation.title}: the server redirects to https://h.example.com:8443; set url to where it answers."
    )
    assert caught.value.status == 307


def test_redirects_without_end(connect: Connect) -> None:
    with ScriptedServer(default=redirect("/things")) as server:
        with pytest.raises(BadAnswer) as caught:
            connect(server.url).send(LIST)
        assert len(server.requests) == 6, "the first one and five redirects, and no second try"
    assert "answered with more than 5 redirects." in caught.value.msg
    assert caught.value.status == 302


def test_five_redirects_are_followed(connect: Connect) -> None:
    with ScriptedServer(*[redirect("/things")] * 5, EMPTY) as server:
        assert connect(server.url).send(LIST).data == []


@pytest.mark.parametrize("location", ["ftp://h/x", "file:///etc/passwd", "http://[::1", "http://h:99999/", "mailto:x"])
def test_redirect_to_what_is_no_address(connect: Connect, location: str) -> None:
    with ScriptedServer(default=redirect(location)) as server:
        with pytest.raises(FleetError) as caught:
            connect(server.url).send(LIST)
        assert len(server.requests) == 1
    assert caught.value.msg.startswith("Cannot list things: ")
    assert "root:" not in caught.value.msg


# -- the environment -------------------------------------------------------------------------------------------------


def test_netrc_is_not_read(connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login eve password stolen\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(EMPTY) as other, ScriptedServer(EMPTY, EMPTY, redirect(other.url)) as server:
        connect(server.url).send(LIST)
        connect(server.url, token="t-1").send(LIST)
        connect(server.url).send(LIST)
        logins = [request.headers.get("authorization") for request in server.requests + other.requests]
    assert logins == [ADMIN, "Bearer t-1", ADMIN, None]


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_proxy_of_the_environment_is_used(connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with ScriptedServer(EMPTY) as proxy:
        monkeypatch.setenv(name, proxy.url.replace("http://", "http://user:proxy-Password@"))
        connect("http://updates.example.com").send(LIST)
        (request,) = proxy.requests
    assert request.line == "GET http://updates.example.com/things"
    assert request.headers["proxy-authorization"] == basic("user", "proxy-Password")
    assert request.headers["authorization"] == ADMIN


def test_no_proxy_is_honoured(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer() as proxy, ScriptedServer(EMPTY) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        connect(server.url).send(LIST)
        assert proxy.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_is_away(connect: Connect, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", nobody_listens().replace("http://", "http://user:proxy-Password@"))
    with pytest.raises(Unreachable) as caught:
        connect(f"{scheme}://updates.example.com", request_retries=0).send(CREATE)
    assert not caught.value.sent
    assert caught.value.msg.startswith("Cannot create thing: updates.example.com cannot be reached through the proxy (")
    assert caught.value.msg.endswith(
        "); check the proxy in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) and the network."
    )


def test_proxy_that_wants_a_login(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(default=answer(407)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(Unreachable, match=r"through the proxy .*407") as caught:
            connect("https://updates.example.com", request_retries=1).send(CREATE)
        assert proxy.lines == ["CONNECT updates.example.com:443"] * 2
    assert not caught.value.sent


def test_proxy_that_breaks_after_it_has_got_a_write(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Urllib3 1.26 says "cannot connect to proxy" of this."""
    with ScriptedServer(reset_after(), default=answer(201, json={})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(Unreachable) as caught:
            connect("http://updates.example.com").send(CREATE, json={})
        assert len(proxy.requests) == 1
    assert caught.value.sent


@pytest.mark.parametrize("proxy", ["http://user:proxy-Password@", "http://user:proxy-Password@h:port", "h t:1"])
def test_proxy_that_is_no_address(connect: Connect, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(FleetError) as caught:
        connect("http://updates.example.com", request_retries=0).send(LIST)
    assert caught.value.msg == (
        "The address of the proxy in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) cannot be used: give it as "
        "http://HOST:PORT."
    )
    assert "proxy-Password" not in "".join(traceback.format_exception(caught.value))


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    """Return an authority that did not sign the server's certificate."""
    return Authority(tmp_path / "stranger")


def test_ca_path_is_trusted(connect: Connect, authority: Authority) -> None:
    with ScriptedServer(default=EMPTY, tls=authority.server_context()) as server:
        client = connect(server.url, ca_path=authority.ca_path)
        client.send(LIST)
        client.send(LIST)
        assert server.connections == 1
        assert server.requests[0].headers["authorization"] == ADMIN


def test_untrusted_certificate_names_the_remedy(connect: Connect, authority: Authority) -> None:
    with ScriptedServer(default=EMPTY, tls=authority.server_context()) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url).send(CREATE, json={})
        assert not server.requests
        assert server.connections == 1, "it would be the same with the next try"
    assert not caught.value.sent
    assert caught.value.msg.startswith(f"Cannot create thing: TLS with 127.0.0.1:{server.port} failed (")
    assert "certificate verify failed" in caught.value.msg
    assert caught.value.msg.endswith("; set ca_path to the authority that signed the server's certificate.")


def test_certificate_for_another_name(connect: Connect, authority: Authority) -> None:
    with ScriptedServer(default=EMPTY, tls=authority.server_context("h.example.com")) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url, ca_path=authority.ca_path).send(LIST)
        assert not server.requests
    assert caught.value.msg.endswith("; put the name that the certificate is for into url.")


def test_validate_certs_false(connect: Connect, authority: Authority) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ScriptedServer(default=EMPTY, tls=authority.server_context("h.example.com")) as server:
            assert connect(server.url, validate_certs=False).send(LIST).data == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_environment_does_not_overrule_the_options(
    connect: Connect, authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with ScriptedServer(default=EMPTY, tls=authority.server_context()) as server:
        monkeypatch.setenv(name, stranger.ca_path)
        connect(server.url, ca_path=authority.ca_path).send(LIST)
        connect(server.url, validate_certs=False).send(LIST)
        monkeypatch.setenv(name, authority.ca_path)
        with pytest.raises(Unreachable, match="certificate verify failed"):
            connect(server.url, ca_path=stranger.ca_path).send(LIST)
        connect(server.url).send(LIST)


def test_environment_that_names_no_file(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    with pytest.raises(InvalidInput) as caught:
        connect("https://127.0.0.1:1").send(LIST)
    assert caught.value.msg.startswith("Cannot list things: ")
    assert "/no/such.pem" in caught.value.msg
    assert "REQUESTS_CA_BUNDLE" in caught.value.msg


def test_client_certificate(connect: Connect, authority: Authority) -> None:
    cert, key = authority.client_files()
    with ScriptedServer(default=EMPTY, tls=authority.server_context(client=True)) as server:
        client = connect(server.url, ca_path=authority.ca_path, client_cert=cert, client_key=key)
        assert client.send(LIST).data == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate_that_the_server_misses(
    connect: Connect, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.server_context(client=True)
    context.maximum_version = version
    with ScriptedServer(default=EMPTY, tls=context) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url, ca_path=authority.ca_path, request_retries=1).send(CREATE, json={})
        assert not server.requests
    assert not caught.value.sent
    assert caught.value.msg.endswith("; the server may want another certificate: check client_cert and client_key.")


def test_client_certificate_is_not_shown_to_another_server(connect: Connect, authority: Authority) -> None:
    cert, key = authority.client_files()
    context = authority.server_context()
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.ca.configure_trust(context)
    seen: list[object] = []

    def step(wire: Any) -> None:
        seen.append(wire.socket.getpeercert())
        EMPTY(wire)

    asking = authority.server_context(client=True)
    with ScriptedServer(step, tls=context) as other, ScriptedServer(redirect(f"{other.url}/x"), tls=asking) as server:
        connect(server.url, ca_path=authority.ca_path, client_cert=cert, client_key=key).send(LIST)
    assert seen in ([{}], [None])


def test_https_to_a_server_without_tls(connect: Connect) -> None:
    def plain(wire: Wire) -> None:
        wire.socket.recv(65536)
        wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wire.end()

    with ScriptedServer(default=plain) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url.replace("http", "https")).send(CREATE, json={})
        assert server.connections == 1
    assert not caught.value.sent
    assert caught.value.msg.endswith("; check in url whether it is https that the server speaks at this port.")


def test_tls_that_breaks_in_its_handshake_is_tried_again_for_every_operation(connect: Connect) -> None:
    def away(wire: Wire) -> None:
        wire.end()

    with ScriptedServer(default=away) as server:
        with pytest.raises(Unreachable) as caught:
            connect(server.url.replace("http", "https"), request_retries=2).send(CREATE, json={})
        assert server.connections == 3
    assert not caught.value.sent


def test_tls_handshake_that_never_ends(connect: Connect) -> None:
    def silent(wire: Wire) -> None:
        wire.server.stopping.wait(5)

    with ScriptedServer(default=silent) as server, pytest.raises(Unreachable) as caught:
        connect(server.url.replace("http", "https"), request_retries=0, request_timeout=0.2).send(CREATE, json={})
    assert not caught.value.sent


@pytest.mark.parametrize("fault", [reset_after(), answer(201, body=b"{", promised=50)], ids=["reset", "cut"])
def test_tls_that_breaks_after_sending(connect: Connect, authority: Authority, fault: Any) -> None:
    with ScriptedServer(fault, default=answer(201, json={}), tls=authority.server_context()) as server:
        client = connect(server.url, ca_path=authority.ca_path)
        with pytest.raises(Unreachable) as caught:
            client.send(CREATE, json={})
        assert len(server.requests) == 1
        assert client.send(LIST).data == {}
    assert caught.value.sent


# -- requests is missing ---------------------------------------------------------------------------------------------

WITHOUT_REQUESTS = """
import sys
sys.path.insert(0, {path!r})
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("requests", "urllib3"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Transport, reads
try:
    Transport(Connection("http://127.0.0.1:1", username="a", password="b")).send(reads("list things", "GET", "/"))
except FleetError as error:
    print(error.code, error.msg)
"""


def test_missing_library_is_named_with_its_interpreter() -> None:
    program = WITHOUT_REQUESTS.format(path=os.environ["ANSIBLE_COLLECTIONS_PATH"])
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.stderr == ""
    assert run.stdout == (
        f"unsupported The Python library requests is needed and {sys.executable} does not have it: install it for that "
        "interpreter, or set ansible_python_interpreter to one that has it.\n"
    )


def test_transport_speaks_to_nobody_until_it_has_to(connect: Connect) -> None:
    assert isinstance(connect(nobody_listens()), Transport)
