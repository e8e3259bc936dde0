# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a platform answers and how to log in. Private to the collection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import InvalidInput

CREDENTIALS = ("username", "password", "token")


@dataclass(frozen=True)
class Connection:
    """The connection options that all modules, inventory plugins and event sources share.

    Times are in seconds. ``verify`` and ``cert`` are what requests takes under these names.
    """

    url: str
    username: str | None = None
    password: str | None = None
    token: str | None = None
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
    if not any(given.values()):
        source = os.environ if env is None else env
        given = {name: source.get(f"{prefix}_{name.upper()}") for name in CREDENTIALS}
    if given["token"]:
        given.update(username=None, password=None)
    elif not (given["username"] and given["password"]):
        missing = "password" if given["username"] else "username"
        raise InvalidInput(
            f"{missing} is not set: give username and password, or token, as options or in the environment "
            f"({prefix}_USERNAME, {prefix}_PASSWORD, {prefix}_TOKEN)."
        )
    if options.get("client_key") and not options.get("client_cert"):
        raise InvalidInput("client_key needs client_cert: give the certificate that belongs to the key.")
    for name in ("ca_path", "client_cert", "client_key"):
        path = options.get(name)
        if path and not os.path.exists(path):
            raise InvalidInput(f"{name} is '{path}', but there is no such file: give the path of a PEM file.")
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


def _check_limits(options: Mapping[str, Any]) -> None:
    if options["request_timeout"] <= 0:
        raise InvalidInput(f"request_timeout is {options['request_timeout']}: give seconds above 0.")
    if options["request_retries"] < 0:
        raise InvalidInput(f"request_retries is {options['request_retries']}: give 0 or more.")


def _check_url(url: str) -> None:
    example = "give an address such as https://updates.example.com"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError as error:
        raise InvalidInput(f"url is '{_without_userinfo(url)}', which is no address: {example}.") from error
    if not usable:
        raise InvalidInput(f"url is '{_without_userinfo(url)}': {example}.")
    if parts.username or parts.password:
        raise InvalidInput("url contains credentials: give them in username and password instead.")
    if parts.query or parts.fragment:
        raise InvalidInput(f"url is '{url}': give the base address without query or fragment.")


def _without_userinfo(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://{tail}" if at else url
