# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a platform answers and how to log in. Private to the collection."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from .errors import InvalidInput

# A day; the platform's sockets refuse much more.
MOST_SECONDS = 86400
CREDENTIALS = ("username", "password", "token")


@dataclass(frozen=True)
class Connection:
    """The connection options that all modules, inventory plugins and event sources share.

    Times are in seconds. ``verify`` and ``cert`` are what requests takes under these names.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    request_timeout: float = 30.0
    request_retries: int = 5

    @property
    def verify(self) -> bool | str:
        """What to check certificates against: True, False, or a file or folder of certificates."""
        return (self.ca_path or True) if self.validate_certs else False

    @property
    def cert(self) -> str | tuple[str, str] | None:
        """The client's certificate, with its key where that is a file of its own."""
        if self.client_cert and self.client_key:
            return self.client_cert, self.client_key
        return self.client_cert

    @property
    def patience(self) -> float:
        """How long one operation may take with all its repeats, in seconds, the sending of a body not counted."""
        return self.request_timeout * (self.request_retries + 1)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


def connect_options(
    options: Mapping[str, Any], platform: str, default_url: str | None = None, env: Mapping[str, str] | None = None
) -> Connection:
    """Check the options of a connection and resolve its credentials.

    A credential given explicitly switches off every credential from the environment, so that a stray variable
    never mixes with what a playbook says.

    Args:
        options: parameters of a module or options of a plugin, under the shared names.
        platform: prefix of the environment variables in lower case, such as C(hawkbit).
        default_url: the address where the platform has a public one.
        env: the environment; the process's own by default.

    Raises:
        InvalidInput: a missing or unusable option.
    """
    prefix = platform.upper()
    url = (options.get("url") or default_url or "").strip().rstrip("/")
    if not url:
        raise InvalidInput(f"url is not set: give the base address of the server in url or in {prefix}_URL.")
    _check_url(url)
    _check_limits(options)
    given = {name: options.get(name) for name in CREDENTIALS}
    # an empty one counts as given: a lookup that found nothing must not log in as somebody else
    if all(value is None for value in given.values()):
        source = os.environ if env is None else env
        given = {name: source.get(f"{prefix}_{name.upper()}") for name in CREDENTIALS}
    given = _check_credentials(given, prefix)
    if options.get("client_key") and not options.get("client_cert"):
        raise InvalidInput("client_key needs client_cert: give the certificate that belongs to the key.")
    _check_files(options)
    validate_certs = options.get("validate_certs")
    return Connection(
        url=url,
        validate_certs=True if validate_certs is None else validate_certs,
        ca_path=options.get("ca_path"),
        client_cert=options.get("client_cert"),
        client_key=options.get("client_key"),
        request_timeout=options["request_timeout"],
        request_retries=options["request_retries"],
        **given,
    )


def for_platform(options: Mapping[str, Any], platform: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return options of C(any_connection_spec) with what is not set from one platform's environment, else defaults.

    Raises:
        InvalidInput: a variable of the wrong form.
    """
    source = os.environ if env is None else env
    found = dict(options)
    for name, default in (("url", None), ("ca_path", None), ("validate_certs", "true"), ("request_timeout", "30")):
        if found.get(name) is None:
            variable = f"{platform.upper()}_{name.upper()}"
            found[name] = _FORMS.get(name, _as_it_is)(variable, source.get(variable, default))
    return found


def _as_it_is(_variable: str, value: str | None) -> Any:
    return value


def _truth(variable: str, value: str | None) -> Any:
    word = (value or "").strip().lower()
    if word not in ("y", "yes", "on", "1", "true", "t", "n", "no", "off", "0", "false", "f"):
        raise InvalidInput(f"{variable} is '{value}': give true or false.")
    return word in ("y", "yes", "on", "1", "true", "t")


def _seconds(variable: str, value: str | None) -> Any:
    try:
        return float(value or "")
    except ValueError:
        raise InvalidInput(f"{variable} is '{value}': give seconds.") from None


_FORMS: dict[str, Callable[[str, str | None], Any]] = {"validate_certs": _truth, "request_timeout": _seconds}


def _check_credentials(given: dict[str, str | None], prefix: str) -> dict[str, str | None]:
    if given["token"]:
        # what RFC 6750 2.1 allows and more, but no line end of a file and nothing that a header cannot hold
        if not re.fullmatch(r"[\x21-\x7e]+", given["token"]):
            raise InvalidInput("token has blanks, line ends or characters beyond ASCII in it: give the token alone.")
        return {**given, "username": None, "password": None}
    if not (given["username"] and given["password"]):
        missing = "password" if given["username"] else "username"
        raise InvalidInput(
            f"{missing} is not set: give username and password, or token, as options or in the environment "
            f"({prefix}_USERNAME, {prefix}_PASSWORD, {prefix}_TOKEN)."
        )
    if ":" in given["username"]:
        raise InvalidInput(f"username is '{given['username']}': HTTP cannot send names with a colon (RFC 7617).")
    return given


def _check_files(options: Mapping[str, Any]) -> None:
    """Try the files of TLS: the same mistakes say little when they come up in the middle of a handshake."""
    for name in ("ca_path", "client_cert", "client_key"):
        path = options.get(name)
        if path and not os.path.exists(path):
            raise InvalidInput(f"{name} is '{path}', but there is no such file: give the path of a PEM file.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca_path = options.get("ca_path")
    if ca_path and not os.path.isdir(ca_path):
        try:
            context.load_verify_locations(ca_path)
        except OSError as error:
            raise InvalidInput(
                f"ca_path is '{ca_path}', which holds no certificates ({_words(error)}): give the path of a PEM file."
            ) from None
    if options.get("client_cert"):
        try:
            # an encrypted key would otherwise ask for its password on the terminal
            context.load_cert_chain(options["client_cert"], options.get("client_key"), password="")
        except OSError as error:
            raise InvalidInput(
                f"client_cert is '{options['client_cert']}', which cannot be used with its key ({_words(error)}): give "
                "PEM files of a certificate and of its key, which must not be encrypted."
            ) from None


def _words(error: OSError) -> str:
    """Return what went wrong, without numbers and places in the source of Python."""
    words = getattr(error, "reason", None) or error.strerror or str(error)
    return str(words).replace("_", " ").lower()


def _check_limits(options: Mapping[str, Any]) -> None:
    if not 0 < options["request_timeout"] <= MOST_SECONDS:
        raise InvalidInput(
            f"request_timeout is {options['request_timeout']}: give seconds above 0, at most {MOST_SECONDS}."
        )
    if options["request_retries"] < 0:
        raise InvalidInput(f"request_retries is {options['request_retries']}: give 0 or more.")


def _check_url(url: str) -> None:
    if "@" in url:
        # not shown: which part of it is the password is anybody's guess
        raise InvalidInput("url contains credentials: give them in username and password instead.")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable()
        (parts.hostname or "").encode("idna")
    except ValueError:
        usable = False
    base, mark, _secret = re.split(r"([?#]|$)", url, maxsplit=1)
    if not usable or " " in url:
        raise InvalidInput(f"url is '{base}': give an address such as https://updates.example.com.")
    if mark:
        raise InvalidInput(f"url is '{base}{mark}…': give the base address without query or fragment.")


def credentials_in(url: str | None) -> set[str]:
    """Return what is secret in an address: the password before the host, or all that stands there without one."""
    found = re.search(r"//([^/?#]*)@", url or "")
    if found is None:
        return set()
    user, _colon, password = found[1].partition(":")
    secret = password or user
    return {secret, unquote(secret)} - {""}
