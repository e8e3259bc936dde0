# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mender's own errors. Private to the collection.

Facts from the documents of the management APIs: C({"error": …, "request_id": …}), the id also in C(X-Men-Requestid).
What an error says has changed with the releases, so only its status decides.
"""

from __future__ import annotations

from .._core.errors import AuthFailed, Conflict, FleetError, NotFound, Rejected, Unsupported
from .._core.transport import Failure, Rules

KINDS: dict[int, type[FleetError]] = {
    402: Unsupported,
    403: AuthFailed,
    404: NotFound,
    409: Conflict,
}
HINTS = {
    402: "The plan of this Mender account does not include it.",
    403: "Either the user may not do it, or the plan of this Mender account does not include it.",
    413: "It is larger than the server accepts.",
}


def make_error(failure: Failure) -> FleetError | None:
    """Make the error of an answer that bears Mender's error body, None for any other."""
    body = failure.body if isinstance(failure.body, dict) else {}
    message = body.get("error")
    if not isinstance(message, str) or not message.strip():
        message = ""
    request_id = body.get("request_id")
    request_id = request_id if isinstance(request_id, str) and request_id else None
    if failure.status == 401:
        return AuthFailed(
            f"Cannot {failure.operation.title}: the server refused the credentials (401); check token, or username, "
            "password and token2fa.",
            message=message or None,
            http=failure.http,
            request_id=request_id,
        )
    if not message:
        return None
    details = {name: value for name, value in body.items() if name not in ("error", "request_id")}
    text = f"Cannot {failure.operation.title}: {message.rstrip('.')}."
    hint = HINTS.get(failure.status)
    return KINDS.get(failure.status, Rejected)(
        f"{text}{f' {hint}' if hint else ''} (HTTP {failure.status})",
        message=message,
        details=details,
        http=failure.http,
        request_id=request_id,
    )


RULES = Rules(error=make_error, request_id_header="X-Men-Requestid")
