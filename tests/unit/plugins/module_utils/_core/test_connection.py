"""The options of a connection: what is refused, with which words, and where credentials come from."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection, connect_options
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput

from .conftest import Authority

LOGIN: dict[str, Any] = {"username": "admin", "password": "a-long-Password"}
EXAMPLE = "give an address such as https://updates.example.com."


def resolve(env: dict[str, str] | None = None, **options: Any) -> Connection:
    """Return the connection for options as a module has them."""
    defaults = {"url": "https://h.example.com", "request_timeout": 30.0, "request_retries": 5, "validate_certs": True}
    return connect_options({**defaults, **options}, "hawkbit", env=env or {})


def refusal(env: dict[str, str] | None = None, **options: Any) -> str:
    """Return the message with which options are refused."""
    with pytest.raises(InvalidInput) as caught:
        resolve(env, **options)
    return caught.value.msg


# -- url -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [None, "", "  ", "/"])
def test_url_is_missing(url: str | None) -> None:
    assert refusal(url=url, **LOGIN) == "url is not set: give the base address of the server in url or in HAWKBIT_URL."


@pytest.mark.parametrize(
    "url",
    [
        "updates.example.com",
        "ftp://updates.example.com",
        "https:",
        "https:///path",
        "http://h:port",
        "http://h:0",
        "http://h:65536",
        "http://[::1",
        "http://a..b",
        f"http://{'a' * 64}.example.com",
        "http://h\x00",
        "http://h\n.example.com",
        "http://h.example.com/a b",
    ],
)
def test_url_is_no_address(url: str) -> None:
    assert refusal(url=url, **LOGIN) == f"url is '{url}': {EXAMPLE}"


@pytest.mark.parametrize(
    "url",
    [
        "https://admin:sEcret-7@h.example.com",
        "https://sEcret-7@h.example.com",
        "https://admin:sEcret-7/x@h.example.com",
        "https://admin:12/sEcret-7@h.example.com",
        "admin:sEcret-7@h.example.com",
        "ftp://admin:sEcret-7@h.example.com",
    ],
)
def test_credentials_in_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(url=url, **LOGIN)
    assert caught.value.msg == "url contains credentials: give them in username and password instead."
    assert "sEcret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("mark", ["?", "#"])
def test_query_and_fragment_are_refused_and_not_shown(mark: str) -> None:
    message = refusal(url=f"https://h.example.com/x{mark}token=sEcret", **LOGIN)
    assert message == f"url is 'https://h.example.com/x{mark}…': give the base address without query or fragment."


@pytest.mark.parametrize(
    "url, kept, host",
    [
        ("https://h.example.com/", "https://h.example.com", "h.example.com"),
        (" http://127.0.0.1:8080/hawkbit// ", "http://127.0.0.1:8080/hawkbit", "127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080"),
        ("https://bücher.example.com", "https://bücher.example.com", "bücher.example.com"),
    ],
)
def test_url_is_kept_without_its_last_slash(url: str, kept: str, host: str) -> None:
    connection = resolve(url=url, **LOGIN)
    assert (connection.url, connection.host) == (kept, host)


def test_default_url_counts_when_none_is_given() -> None:
    options = {"request_timeout": 1.0, "request_retries": 0, **LOGIN}
    assert connect_options(options, "jfrog_connect", "https://api.example.com", env={}).url == "https://api.example.com"


# -- credentials ---------------------------------------------------------------------------------------------------

ENV = {"HAWKBIT_USERNAME": "env-user", "HAWKBIT_PASSWORD": "env-password"}
ENV_TOKEN = {**ENV, "HAWKBIT_TOKEN": "env-token"}
HOW = "give username and password, or token, as options or in the environment "
HOW += "(HAWKBIT_USERNAME, HAWKBIT_PASSWORD, HAWKBIT_TOKEN)."


@pytest.mark.parametrize(
    "env, options, expected",
    [
        (ENV, {}, ("env-user", "env-password", None)),
        (ENV_TOKEN, {}, (None, None, "env-token")),
        (ENV_TOKEN, LOGIN, ("admin", "a-long-Password", None)),
        (ENV, {"token": "given"}, (None, None, "given")),
        ({}, {"token": "given", "username": None, "password": None}, (None, None, "given")),
    ],
)
def test_credentials(env: dict[str, str], options: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    connection = resolve(env, **options)
    assert (connection.username, connection.password, connection.token) == expected


@pytest.mark.parametrize(
    "options, missing",
    [
        ({"username": "admin"}, "password"),
        ({"password": "given"}, "username"),
        ({"username": "admin", "password": ""}, "password"),
        ({"token": ""}, "username"),
    ],
)
def test_explicit_credential_is_not_completed_from_the_environment(options: dict[str, Any], missing: str) -> None:
    assert refusal(ENV_TOKEN, **options) == f"{missing} is not set: {HOW}"


def test_no_credentials_at_all() -> None:
    assert refusal() == f"username is not set: {HOW}"


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAWKBIT_TOKEN", "from-the-process")
    options = {"url": "https://h.example.com", "request_timeout": 1.0, "request_retries": 0}
    assert connect_options(options, "hawkbit").token == "from-the-process"


@pytest.mark.parametrize("token", ["abc\n", "abc def", "abcä", "a\0b"])
def test_token_that_no_header_can_hold(token: str) -> None:
    message = "token has blanks, line ends or characters beyond ASCII in it: give the token alone."
    assert refusal(token=token) == message


def test_username_with_a_colon() -> None:
    message = "username is 'a:b': HTTP cannot send names with a colon (RFC 7617)."
    assert refusal(username="a:b", password="x") == message


def test_secrets_are_not_in_the_text_of_a_connection() -> None:
    assert "a-long-Password" not in repr(resolve(**LOGIN))
    assert "a-long-token" not in repr(resolve(token="a-long-token"))


# -- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1.5, 86401, float("nan"), float("inf")])
def test_request_timeout(seconds: float) -> None:
    message = f"request_timeout is {seconds}: give seconds above 0, at most 86400."
    assert refusal(request_timeout=seconds, **LOGIN) == message


def test_request_retries() -> None:
    assert refusal(request_retries=-1, **LOGIN) == "request_retries is -1: give 0 or more."


def test_patience_is_the_time_of_all_tries() -> None:
    assert resolve(request_timeout=10.0, request_retries=0, **LOGIN).patience == 10
    assert resolve(request_timeout=10.0, request_retries=5, **LOGIN).patience == 60


# -- TLS -----------------------------------------------------------------------------------------------------------


def test_tls_options_as_requests_wants_them(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.client_files()
    both = tmp_path / "both.pem"
    both.write_bytes(Path(cert).read_bytes() + Path(key).read_bytes())
    assert resolve(**LOGIN).verify is True
    assert resolve(validate_certs=None, **LOGIN).verify is True
    assert resolve(validate_certs=False, ca_path=authority.ca_path, **LOGIN).verify is False
    assert resolve(ca_path=authority.ca_path, **LOGIN).verify == authority.ca_path
    assert resolve(ca_path=str(tmp_path), **LOGIN).verify == str(tmp_path)
    assert resolve(**LOGIN).cert is None
    assert resolve(client_cert=str(both), **LOGIN).cert == str(both)
    assert resolve(client_cert=cert, client_key=key, **LOGIN).cert == (cert, key)


def test_client_key_alone(authority: Authority) -> None:
    message = "client_key needs client_cert: give the certificate that belongs to the key."
    assert refusal(client_key=authority.client_files()[1], **LOGIN) == message


@pytest.mark.parametrize("name", ["ca_path", "client_cert", "client_key"])
def test_file_that_is_not_there(name: str, authority: Authority) -> None:
    options = {**LOGIN, "client_cert": authority.client_files()[0], name: "/no/such.pem"}
    message = refusal(**options)
    assert message == f"{name} is '/no/such.pem', but there is no such file: give the path of a PEM file."


def test_ca_path_that_holds_no_certificates(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("not PEM", encoding="utf-8")
    message = refusal(ca_path=str(path), **LOGIN)
    assert message == (
        f"ca_path is '{path}', which holds no certificates (no certificate or crl found): give the path of a PEM file."
    )


def test_client_cert_without_its_key(authority: Authority) -> None:
    cert = authority.client_files()[0]
    assert refusal(client_cert=cert, **LOGIN).startswith(
        f"client_cert is '{cert}', which cannot be used with its key ("
    )


def test_client_cert_with_the_key_of_another(authority: Authority) -> None:
    cert, other = authority.client_files()[0], authority.client_files("other")[1]
    assert refusal(client_cert=cert, client_key=other, **LOGIN) == (
        f"client_cert is '{cert}', which cannot be used with its key (key values mismatch): give PEM files of a "
        "certificate and of its key, which must not be encrypted."
    )


def test_encrypted_key_does_not_ask_for_its_password(authority: Authority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    coded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    both = tmp_path / "both.pem"
    both.write_bytes(Path(authority.client_files()[0]).read_bytes() + coded)
    message = refusal(client_cert=str(both), **LOGIN)
    assert message.startswith(f"client_cert is '{both}', which cannot be used with its key (")
    assert message.endswith("give PEM files of a certificate and of its key, which must not be encrypted.")


def test_authority_of_these_tests_is_a_real_one(authority: Authority) -> None:
    assert isinstance(authority.ca, trustme.CA)
