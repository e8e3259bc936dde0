"""Each operation of the documentation with each error that is listed for it: what the modules make of it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from integration.faults import Admin, new_name
from integration.inprocess import run_module
from integration.seed import SeedOperation, body_of, read_seed
from integration.seed_calls import CALLS, refuse

from servers.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.fault_proxy import Record
    from servers.hawkbit import HawkbitServer

AT_ONCE = 8
SEED = {operation.operation: operation for operation in read_seed("hawkbit_targets")}
CELLS = [(name, status) for name, operation in SEED.items() for status in operation.statuses]
# how a task ends: error.code, or ok
ENDS = {400: "rejected", 401: "auth", 403: "auth", 404: "not_found", 405: "rejected", 406: "rejected",
        409: "ok", 415: "rejected", 429: "ok"}  # fmt: skip
# What the modules know more about.
DIFFERENT = {
    # a person's query or order
    ("list_targets", 400): "invalid_input",
    ("list_actions", 400): "invalid_input",
    # a person's id
    ("read_target", 404): "invalid_input",
    # gone is what was wanted
    ("delete_target", 404): "ok",
    ("delete_metadata", 404): "ok",
    # gone since the list was read: nothing to tell
    ("read_action", 404): "ok",
    ("read_assigned_set", 404): "ok",
    ("read_installed_set", 404): "ok",
    ("read_attributes", 404): "ok",
    ("list_metadata", 404): "ok",
    # gone since it was read, and, when it is to be made anew, there again
    ("update_metadata", 404): "conflict",
    # A key is read alone after a write whose answer was lost; nobody knows then whether it has been carried out.
    **{("read_metadata", status): "unreachable" for status in (400, 401, 403, 405, 406)},
}


# What no server can be brought to say, at least one of those tested: the proxy says it in its place.
MADE_UP = {
    # requests without a body or a parameter that could be wrong; metadata are not queried from 0.9 on
    *((name, 400) for name in (
        "delete_target", "read_target", "read_action", "read_assigned_set", "read_attributes", "read_installed_set",
        "list_metadata", "delete_metadata", "read_metadata",
    )),
    # 0.3.0M7 shows sets to everybody; others have 204 for what is not there, 0.3.0M7 for attributes
    ("read_assigned_set", 403), ("read_installed_set", 403),
    ("read_assigned_set", 404), ("read_installed_set", 404), ("read_attributes", 404),
    # an answer without a body suits every Accept
    *((name, 406) for name in (
        "delete_target", "cancel_action", "delete_metadata", "create_metadata", "update_metadata",
    )),
    # two at exactly the same time
    *((name, 409) for name in ("update_target", "update_action", "assign_set", "assign_sets", "update_metadata")),
    # the rate filter leaves out what comes from the machine itself
    *((name, 429) for name in SEED),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What a module made of a refusal, and whether it was the server's own (`real`) or made up by the proxy."""

    result: dict[str, Any]
    requests: list[Record]
    real: bool

    @property
    def ended(self) -> str:
        """`ok` or error.code."""
        return str(self.result["error"]["code"]) if self.result.get("failed") else "ok"

    def __str__(self) -> str:
        return f"{self.ended}{'' if self.real else '*'}"


Cells = dict[tuple[str, int], Future[Cell]]


def _try(admin: Admin, operation: SeedOperation, status: int) -> Cell:
    for real in (True, False):
        for _again in range(3):
            cell, spoilt = _try_once(admin, operation, status, real=real)
            if not spoilt:
                break
        if cell.requests and cell.requests[0].status == status:
            break
    return cell


def _try_once(admin: Admin, operation: SeedOperation, status: int, *, real: bool) -> tuple[Cell, bool]:
    """Return what came of it, and whether the server had a fault of its own besides (see HawkbitServer.session)."""
    call = CALLS[operation.operation]
    options = call.prepare(admin, new_name())
    server = admin.hawkbit
    with FaultProxy(server.url) as proxy:
        if call.lost is not None:
            proxy.inject("reset_after", path=call.lost, writes=True)
        refuse(proxy, server, operation, status, real=real)
        connection = {"url": proxy.url, "username": server.username, "password": server.password}
        result = run_module(call.module, {**connection, **options})
        requests = [record for record in proxy.wire if operation.is_it(record)]
        spoilt = any(record.server_status == 500 for record in proxy.wire)
    return Cell(result, requests, real and status != 429), spoilt


def _try_all(server: HawkbitServer, folder: Path, which: list[tuple[str, int]]) -> Cells:
    """Try cells, a few at a time; what breaks one is raised where its result is asked for."""
    admin = Admin(server, folder)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {(name, status): pool.submit(_try, admin, SEED[name], status) for name, status in which}


@pytest.fixture(scope="session")
def cells(hawkbit: HawkbitServer, tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """All cells but those of several sets."""
    one = [cell for cell in CELLS if SEED[cell[0]].body != "list"]
    return _try_all(hawkbit, tmp_path_factory.mktemp("seed"), one)


@pytest.fixture(scope="session")
def several_cells(several_sets: HawkbitServer, tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """The cells of several sets."""
    several = [cell for cell in CELLS if SEED[cell[0]].body == "list"]
    return _try_all(several_sets, tmp_path_factory.mktemp("seed"), several)


@pytest.mark.usefixtures("hawkbit")
@pytest.mark.parametrize("operation, status", CELLS, ids=[f"{name}-{status}" for name, status in CELLS])
def test_error(request: pytest.FixtureRequest, operation: str, status: int) -> None:
    cells: Cells = request.getfixturevalue("several_cells" if SEED[operation].body == "list" else "cells")
    cell = cells[operation, status].result()
    assert cell.requests, f"the operation was never sent: {cell.result}"
    refused = cell.requests[0]
    assert refused.status == status
    assert cell.real or (operation, status) in MADE_UP, "the server has not said it by itself"
    result = cell.result
    assert cell.ended == DIFFERENT.get((operation, status), ENDS[status]), result.get("msg")
    if status == 429:
        # "the client has to wait another second"
        assert cell.requests[1].time - refused.time >= 1.0
    if (operation, status) in DIFFERENT or cell.ended == "ok":
        return
    assert result["msg"].startswith("Cannot ")
    assert str(status) in result["msg"]
    assert result["http"] == {"method": SEED[operation].method, "path": refused.path, "status": status}
    if status == 403:
        assert all(name in result["msg"] for name in SEED[operation].permissions)
    body = body_of(refused.response_body)
    if isinstance(body, dict) and "errorCode" in body:
        told = {name: body[name] for name in ("errorCode", "exceptionClass", "parameters", "info") if name in body}
        assert result["error"]["details"] == told
        assert result["error"]["message"]


def test_table_of_errors(cells: Cells, show_table: Callable[[str, list[list[str]]], None]) -> None:
    statuses = sorted(ENDS)
    rows = [["* made up by the proxy", *map(str, statuses)]]
    for name in SEED:
        found = [cells.get((name, status)) for status in statuses]
        rows.append([name, *("" if one is None or one.exception() else str(one.result()) for one in found)])
    show_table("errors", rows)
    assert len(SEED) == 20
