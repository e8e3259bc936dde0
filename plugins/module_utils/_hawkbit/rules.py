# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit's own errors: codes, quotas, permissions. Private to the collection."""

from __future__ import annotations

from typing import Any

from .._core.errors import (
    AuthFailed,
    ConcurrentChange,
    Conflict,
    FleetError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    Rejected,
)
from .._core.transport import Failure, Rules
from . import permissions

PREFIX = "hawkbit.server.error."
# Releases up to 0.8 spell some codes wrongly; compared in lower case.
OLD_SPELLINGS = {
    "repo.entitiyalreayexists": "repo.entityalreadyexists",
    "repo.entitiynotfound": "repo.entitynotfound",
}
# 1.0.4 says no more than the code.
WORDS = {
    "rest.param.rsqlparamsyntax": "The query cannot be parsed",
    "rest.param.rsqlinvalidfield": "The query names a field that does not exist",
}


def error_code(body: Any) -> str:
    """Return hawkBit's errorCode without its prefix, in lower case and today's spelling; empty when there is none."""
    code = body.get("errorCode") if isinstance(body, dict) else None
    if not isinstance(code, str):
        return ""
    code = code.lower().removeprefix(PREFIX)
    return OLD_SPELLINGS.get(code, code)


def is_quota(failure: Failure) -> bool:
    """Tell a quota error, which is permanent, from the rate filter's 429, which has no body."""
    return error_code(failure.body).startswith("quota.")


def make_error(failure: Failure) -> FleetError | None:
    """Make the error of an answer that bears hawkBit's error body, None for any other."""
    body = failure.body
    if failure.status == 401:
        return AuthFailed(
            f"Cannot {failure.operation.title}: the server refused the credentials (401); check username and password, "
            "or token.",
            http=failure.http,
        )
    # what Spring itself answers has an empty message in 0.3.0M7
    if not isinstance(body, dict) or not (body.get("message") or body.get("errorCode")):
        return None
    code = error_code(body)
    message = str(body.get("message") or WORDS.get(code) or body.get("errorCode"))
    details = {name: body[name] for name in ("errorCode", "exceptionClass", "info", "parameters") if name in body}
    kind = _kind(failure.status, code)
    text = f"Cannot {failure.operation.title}: {message.rstrip('.')}."
    if kind is QuotaExceeded:
        text += " This is a limit of the server, so waiting does not help."
    elif kind is AuthFailed:
        text += f" The user lacks {permissions.needed(failure.operation) or 'a permission'}."
    return kind(f"{text} (HTTP {failure.status})", message=message, details=details, http=failure.http)


def _kind(status: int, code: str) -> type[FleetError]:
    if code.startswith("quota."):
        return QuotaExceeded
    if status == 403:
        return Rejected if code == "entityreadonly" else AuthFailed
    if status in (404, 410):
        return NotFound
    if code == "repo.concurrentmodification":
        return ConcurrentChange
    if status in (409, 423):
        return Conflict
    if code in ("rest.param.rsqlparamsyntax", "rest.param.rsqlinvalidfield"):
        return InvalidInput
    return Rejected


RULES = Rules(is_quota=is_quota, error=make_error)
