# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mender's management APIs: login, pages, what the server can do. Private to the collection.

Facts from the documents of the management APIs and Mender Server 4.0 to 4.1; behaviour of releases of 2023 and 2024
from recorded answers.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .._core.connection import Connection
from .._core.errors import AuthFailed, BadAnswer, FleetError, NotFound, Unsupported
from .._core.transport import Answer, Operation, Text, Transport, reads

V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
USERADM = "/api/management/v1/useradm"
# More than this is refused by some lists and silently replaced by 20 in others.
PAGE = 500
FALLBACK_PAGE = 20
# What a server answers to a path that it does not have.
MISSING = (404, 405)

LOGIN = reads("log in", "POST", f"{USERADM}/auth/login")
PROBE_FILTERS = reads("find out the edition", "GET", "/api/management/v2/inventory/filters")
PROBE_TENANT = reads("find out the plan", "GET", "/api/management/v1/tenantadm/user/tenant")
PROBE_ARTIFACTS = reads("list artifacts", "GET", f"{V2}/artifacts")
PROBE_PAGED = reads("list artifacts", "GET", f"{V1}/artifacts/list")
PROBE_DEPLOYMENTS = reads("list deployments", "GET", f"{V2}/deployments")
PROBE_RELEASES = reads("list releases", "GET", f"{V2}/deployments/releases")
READ_LIMIT = reads("read the storage limit", "GET", f"{V1}/limits/storage")

OPEN_SOURCE, PROFESSIONAL, ENTERPRISE = "open_source", "professional", "enterprise"
EDITIONS = (OPEN_SOURCE, PROFESSIONAL, ENTERPRISE)
# Plans of hosted Mender, as its account API names them.
PLANS = {"os": OPEN_SOURCE, "professional": PROFESSIONAL, "enterprise": ENTERPRISE}
# generation -> the list that came with it, newest first
GENERATIONS = {"4.1": PROBE_ARTIFACTS, "4.0": PROBE_DEPLOYMENTS, "2023": PROBE_PAGED}
SEED = "seed"


class Api:
    """The transport with what all resources share.

    With a user's name and password it logs in before the first request, once a task: a user has ten logins, and an
    eleventh throws out the oldest.

    Args:
        transport: to the server.
        token2fa: code of the second factor, for the login.
    """

    def __init__(self, transport: Transport, token2fa: str | None = None) -> None:
        self.transport = transport
        self._password = transport.connection if transport.connection.token is None else None
        self._token2fa = token2fa
        self._worked = False
        self._lock = threading.Lock()
        self._there: dict[str, bool] = {}
        self._edition: str | None = None
        self.edition_evidence: str | None = None
        self.generation_evidence: str | None = None
        transport.redactor.add(token2fa)

    @property
    def check_mode(self) -> bool:
        """Whether writes are refused."""
        return self.transport.check_mode

    @property
    def username(self) -> str | None:
        """Who logs in, None with a token."""
        return None if self._password is None else self._password.username

    # -- requests ----------------------------------------------------------------------------------------------

    def send(self, operation: Operation, **options: Any) -> Answer:
        """Send an operation, see C(Transport.send); log in when that is needed.

        Raises:
            FleetError: what became of it.
        """
        token = self._log_in(None)
        try:
            answer = self.transport.send(operation, **options)
        except AuthFailed as error:
            if error.status != 401:
                raise
            # nothing was done; a login that has worked has run out, or was thrown out by later ones, and another
            # thread may have noticed it first
            if self._password is None or (not self._worked and self.transport.connection.token == token):
                raise self._explained(error) from None
            self._log_in(token)
            answer = self.transport.send(operation, **options)
        self._worked = True
        return answer

    def _log_in(self, old: str | None) -> str | None:
        """Return the token in use; make one when there is none, or only the old one."""
        with self._lock:
            present = self.transport.connection.token
            if self._password is None or (present is not None and present != old):
                return present
            answer = self._ask_for_token(self._password)
            token = str(answer.data)
            if not re.fullmatch(r"[\x21-\x7e]+", token) or token.startswith("{"):
                raise AuthFailed(
                    f"Cannot log in as '{self._password.username}': the server wants another way to log in, such as "
                    "single sign-on; give a personal access token in token.",
                    http={"method": LOGIN.method, "path": LOGIN.path, "status": answer.status},
                )
            self.transport.redactor.add(token)
            self.transport.connection = replace(self._password, username=None, password=None, token=token)
            self._worked = False
            return token

    def _ask_for_token(self, connection: Connection) -> Answer:
        # a transport of its own: other threads may be sending
        transport = Transport(
            connection, check_mode=self.check_mode, rules=self.transport.rules, redactor=self.transport.redactor
        )
        body = {} if self._token2fa is None else {"token2fa": self._token2fa}
        try:
            return transport.send(LOGIN, json=body, shape=Text)
        except NotFound as error:
            raise self._not_mender(error) from error
        except AuthFailed as error:
            if error.status == 401:
                check = (
                    "check username and password; a user with a second factor needs token2fa too."
                    if self._token2fa is None
                    else "check username, password and token2fa, whose code is good for half a minute and one login."
                )
                error.msg = (
                    f"Cannot log in as '{connection.username}': the server refused the credentials (401); {check}"
                )
            raise
        finally:
            transport.close()

    def _explained(self, error: AuthFailed) -> AuthFailed:
        """Say of a refused token that it has expired, where it says so itself."""
        end = expiry(self.transport.connection.token or "")
        if end is not None and end < datetime.datetime.now(datetime.timezone.utc):
            error.msg = (
                f"The token has expired, on {end:%Y-%m-%d} at {end:%H:%M} UTC: give a new one in token or in "
                "MENDER_TOKEN."
            )
        return error

    def available(self, operation: Operation) -> bool:
        """Tell whether the server has a list. Asked once."""
        if operation.path not in self._there:
            try:
                query = {"page": 1, "per_page": 1}
                # a list of some kind: what is neither may be a fault on the way, and is asked for once more
                answer = self.send(operation, query=query, accept=(400, *MISSING), shape=(list, dict))
            except BadAnswer as error:
                # with the first answer it is the address that is wrong, later a fault on the way
                if not self._worked:
                    error.msg = f"{self.not_mender} {error.msg}"
                raise
            self._there[operation.path] = answer.status not in (400, *MISSING)
        return self._there[operation.path]

    def pages(
        self, operation: Operation, query: Mapping[str, Any] | None = None, size: int = PAGE, **options: Any
    ) -> Iterator[Any]:
        """Yield the items of a paged list, each once; C(size) is how many to ask for at a time.

        Some lists have a total, some links, some neither, and some are not paged at all: a page without anything new
        is the end.
        """
        seen: set[str] = set()
        page = 1
        while True:
            wanted = {**(query or {}), "page": page, "per_page": size}
            answer = self.send(operation, query=wanted, shape=list, **options)
            fresh = []
            for item in answer.data:
                key = identity(item)
                if key not in seen:
                    seen.add(key)
                    fresh.append(item)
            yield from fresh
            if not fresh or not more(answer, len(seen), page):
                return
            page += 1

    def required(self, operation: Operation, **options: Any) -> Answer:
        """Send a read that every Mender server has; say it when what answers is something else."""
        try:
            return self.send(operation, **options)
        except NotFound as error:
            raise self._not_mender(error) from error
        except BadAnswer as error:
            error.msg = f"{self.not_mender} {error.msg}"
            raise

    @property
    def not_mender(self) -> str:
        """The sentence for a server that is something else."""
        return (
            f"url is '{self.transport.connection.url}', but what answers there does not behave like Mender: give the "
            "base address of a Mender server."
        )

    def _not_mender(self, error: FleetError) -> Unsupported:
        return Unsupported(self.not_mender, message=error.message, http=error.http, request_id=error.request_id)

    # -- what the server is ------------------------------------------------------------------------------------

    @property
    def generation(self) -> str:
        """The oldest release that has what this server has: C(4.1), C(4.0), C(2023), C(seed) (the document of 2020)."""
        for generation, operation in GENERATIONS.items():
            if self.available(operation):
                self.generation_evidence = f"{operation.method} {operation.path} answers"
                return generation
        self.required(READ_LIMIT, shape=dict)
        self.generation_evidence = f"{PROBE_PAGED.method} {PROBE_PAGED.path} is not there"
        return SEED

    @property
    def edition(self) -> str:
        """The edition: C(open_source), C(professional) or C(enterprise).

        Raises:
            Unsupported: the user may not see what tells it.
        """
        if self._edition is None:
            self._edition, self.edition_evidence = self._detect_edition()
        return self._edition

    def _detect_edition(self) -> tuple[str, str]:
        tenant = self.send(PROBE_TENANT, accept=(400, 402, 403, 500, *MISSING))
        plan = tenant.data.get("plan") if tenant.status == 200 and isinstance(tenant.data, dict) else None
        if plan in PLANS:
            return PLANS[plan], f"the account's plan is {plan}"
        filters = self.send(PROBE_FILTERS, query={"per_page": 1}, accept=(402, 403, *MISSING))
        if filters.status == 200 and isinstance(filters.data, list):
            return ENTERPRISE, f"{PROBE_FILTERS.method} {PROBE_FILTERS.path} answers 200"
        if filters.status in MISSING:
            self.required(READ_LIMIT, shape=dict)
            return OPEN_SOURCE, f"{PROBE_FILTERS.method} {PROBE_FILTERS.path} answers {filters.status}"
        raise Unsupported(
            f"The edition of the Mender server cannot be found out ({PROBE_FILTERS.path} answers {filters.status}): "
            f"say it in edition, one of {', '.join(EDITIONS)}.",
            http={"method": PROBE_FILTERS.method, "path": PROBE_FILTERS.path, "status": filters.status},
        )


def identity(item: Any) -> str:
    """Return what tells an item of a list from the others: its id, a release's name, or all of it."""
    if isinstance(item, dict):
        for key in ("id", "name", "Name"):
            if isinstance(item.get(key), str):
                return str(item[key])
    return json.dumps(item, sort_keys=True)


def more(answer: Answer, seen: int, page: int) -> bool:
    """Tell whether there may be another page.

    Args:
        answer: a page.
        seen: how many items have come so far.
        page: its number, from 1.
    """
    links = answer.headers.get("Link")
    if links:
        found = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', links)
        # the path of a link is not to be relied on behind a gateway, and its number of items may be another
        return bool(found) and parse_qs(urlsplit(found[1] if found else "").query).get("page") != [str(page)]
    total = answer.headers.get("X-Total-Count", "")
    if total.isdigit():
        return seen < int(total)
    # without both: a full page, or one of the size that replaces what is asked for
    return len(answer.data) in (PAGE, FALLBACK_PAGE)


def last_segment(location: str | None) -> str | None:
    """Return the id at the end of a C(Location), whose beginning was wrong up to release 4.0."""
    path = urlsplit(location or "").path.rstrip("/")
    return path.rpartition("/")[2] or None


def expiry(token: str) -> datetime.datetime | None:
    """Return when a JSON Web Token ends (RFC 7519), as far as it tells; its signature is not looked at."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.datetime.fromtimestamp(claims["exp"], datetime.timezone.utc)
    except (binascii.Error, ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None
