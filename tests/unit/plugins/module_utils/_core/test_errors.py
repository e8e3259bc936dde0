"""Errors render themselves with all their keys."""

from __future__ import annotations

import inspect

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core import errors
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError, no_error, no_http

KINDS = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, FleetError)]
# DESIGN 6, and what only the transport finds
CODES = {
    "InvalidInput": "invalid_input",
    "NotFound": "not_found",
    "Conflict": "conflict",
    "ConcurrentChange": "conflict",
    "AuthFailed": "auth",
    "Unreachable": "unreachable",
    "RateLimited": "unreachable",
    "BadAnswer": "bad_answer",
    "ServerFault": "rejected",
    "Unsupported": "unsupported",
    "Rejected": "rejected",
    "QuotaExceeded": "rejected",
    "ThresholdExceeded": "threshold_exceeded",
    "WaitTimeout": "wait_timeout",
    "AbortedElsewhere": "aborted_elsewhere",
    "CheckModeWrite": "check_mode",
    "FleetError": "error",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_all_keys_are_there_without_any_detail(kind: type[FleetError]) -> None:
    rendered = kind("It went wrong.").render()
    code = CODES[kind.__name__]
    assert rendered == {
        "msg": "It went wrong.",
        "error": {"code": code, "message": "It went wrong.", "details": {}, "request_id": None},
        "http": {"method": None, "path": None, "status": None},
    }


def test_details_are_rendered() -> None:
    http = {"method": "GET", "path": "/x", "status": 404}
    error = errors.NotFound(
        "Cannot read target: not there.",
        message="not there",
        details={"errorCode": "x"},
        http=http,
        request_id="r-1",
        result={"last_state": {"a": 1}, "attach": {}},
    )
    assert error.status == 404
    assert str(error) == "Cannot read target: not there."
    assert error.render() == {
        "msg": "Cannot read target: not there.",
        "error": {"code": "not_found", "message": "not there", "details": {"errorCode": "x"}, "request_id": "r-1"},
        "http": http,
        "last_state": {"a": 1},
        "attach": {},
    }


def test_result_cannot_take_the_place_of_the_message() -> None:
    rendered = FleetError("It went wrong.", result={"msg": "all fine", "error": None}).render()
    assert rendered["msg"] == "It went wrong."
    assert rendered["error"]["code"] == "error"


def test_success_has_the_same_keys() -> None:
    rendered = FleetError("x").render()
    assert no_error().keys() == rendered["error"].keys()
    assert no_http().keys() == rendered["http"].keys()
    assert FleetError("x").status is None


def test_errors_do_not_share_their_dicts() -> None:
    FleetError("x").details["y"] = 1
    assert FleetError("x").details == {}


def test_unless_said_otherwise_a_request_was_sent_and_may_be_tried_again() -> None:
    error = errors.Unreachable("x")
    assert error.sent
    assert error.transient
