# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that know how to render themselves for ``fail_json``.

``msg`` is a sentence for a person: verb, object, name and why. Beside it stand ``error`` (code, message,
details, request_id) and ``http`` (method, path, status), always with all their keys. This file is private to
the collection.
"""

from __future__ import annotations

from typing import Any


class FleetError(Exception):
    """Base of every error that a user may see.

    Args:
        msg: the sentence a person reads.
        message: the server's own words, cleaned of secrets; defaults to ``msg``.
        details: what else the server said (JSON types), or what the module knows.
        http: ``method``, ``path`` and ``status`` of the request that failed.
        request_id: the server's id for that request.
        result: further keys of the task's result, for instance ``last_state`` and ``attach``.
    """

    code = "error"

    def __init__(
        self,
        msg: str,
        *,
        message: str | None = None,
        details: dict[str, Any] | None = None,
        http: dict[str, Any] | None = None,
        request_id: str | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(msg)
        self.msg = msg
        self.message = message or msg
        self.details = details or {}
        self.http = http
        self.request_id = request_id
        self.result = result or {}

    def __str__(self) -> str:
        """Return the sentence as it is now: who passes an error on may have added to it."""
        return self.msg

    @property
    def status(self) -> int | None:
        """HTTP status of the answer, None when there was none."""
        return self.http.get("status") if self.http else None

    def render(self) -> dict[str, Any]:
        """Return the keyword arguments of ``fail_json``."""
        rendered = dict(self.result)
        rendered["msg"] = self.msg
        rendered["error"] = {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "request_id": self.request_id,
        }
        rendered["http"] = self.http or no_http()
        return rendered


def no_http() -> dict[str, Any]:
    """Return the ``http`` key of a result that no request belongs to."""
    return {"method": None, "path": None, "status": None}


def no_error() -> dict[str, Any]:
    """Return the ``error`` key of a result without an error."""
    return {"code": None, "message": None, "details": {}, "request_id": None}


class InvalidInput(FleetError):
    """A person's mistake, found before anything was written."""

    code = "invalid_input"


class NotFound(FleetError):
    """The server does not know the object."""

    code = "not_found"


class Conflict(FleetError):
    """The object exists already, was changed by somebody else at the same time, or is locked."""

    code = "conflict"


class ConcurrentChange(Conflict):
    """Somebody else changed the object at the same time: the server has done nothing and asks to try again."""


class AuthFailed(FleetError):
    """Wrong credentials or a missing permission."""

    code = "auth"


class Unreachable(FleetError):
    """No answer, or a gateway's word that there is none.

    ``sent`` tells whether the request may have reached the server: a write that may have reached it is not
    repeated blindly.
    """

    code = "unreachable"

    def __init__(self, msg: str, *, sent: bool = True, transient: bool = True, **kwargs: Any) -> None:
        super().__init__(msg, **kwargs)
        self.sent = sent
        self.transient = transient


class BadAnswer(Unreachable):
    """An answer that is not what the API promises: HTML, an empty or cut off body, the wrong type."""

    code = "bad_answer"


class ServerFault(Unreachable):
    """The server failed at a read (500), which may well pass: a poll that meets it is not the end of a wait."""

    code = "rejected"


class Unsupported(FleetError):
    """The server, its version or its edition cannot do what was asked."""

    code = "unsupported"


class Rejected(FleetError):
    """The server understood the request and refused it."""

    code = "rejected"


class QuotaExceeded(Rejected):
    """A permanent limit of the server; waiting does not help."""


class RateLimited(Unreachable):
    """429 that outlasted all repeats: nothing was done."""


class ThresholdExceeded(FleetError):
    """A gate decided: too many devices failed, or success has become impossible."""

    code = "threshold_exceeded"


class WaitTimeout(FleetError):
    """A wait ended before what was waited for. ``result`` holds ``last_state`` and ``attach``."""

    code = "wait_timeout"


class AbortedElsewhere(FleetError):
    """Somebody else stopped or superseded what was waited for."""

    code = "aborted_elsewhere"


class CheckModeWrite(FleetError):
    """A write was about to be sent in check mode: a defect of the module, stopped by the transport."""

    code = "check_mode"
