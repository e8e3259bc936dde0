"""Every fault of the wire, at every write of every module: one effect on the server, none lost, no traceback."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from integration.faults import WRITES, Admin, Write, new_name
from integration.inprocess import run_module
from integration.playing import Player

from servers.fault_proxy import FAULTS, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.hawkbit import HawkbitServer

# Most of a cell is waiting: for a repeat, for the server's scheduler.
AT_ONCE = 16
# long enough for a busy machine: the only answers that are to come too late are those held back
REQUEST_TIMEOUT = 6.0
RETRIES = 3
MOST_SECONDS = 90.0

# name in the table -> fault, options
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "reset_before": ("reset_before", {}),
    "reset_after": ("reset_after", {}),
    "429_empty": ("429_empty", {}),
    "429_seconds": ("429_retry_after_seconds", {}),
    "429_date": ("429_retry_after_date", {}),
    "429_quota": ("429_quota", {}),
    "502": ("502", {}),
    "502_acted": ("502", {"acted": True}),
    "503": ("503", {}),
    "503_acted": ("503", {"acted": True}),
    "504": ("504", {}),
    "504_acted": ("504", {"acted": True}),
    "cut_body": ("cut_body", {}),
    "html": ("html", {}),
    "empty": ("empty", {}),
    "wrong_type": ("wrong_type", {}),
    "slow": ("slow", {"delay": REQUEST_TIMEOUT + 1.5}),
}
# A quota is a limit for good: it is not tried again.
FINAL = frozenset({"429_quota"})
# Faults that do not go away: without and with the server having acted.
LASTING = ("reset_before", "reset_after", "429_empty", "503", "503_acted", "504_acted", "html", "slow")
# error.code of a task that a lasting fault has stopped
CODES = frozenset({"unreachable", "bad_answer", "rejected"})


@dataclass(frozen=True)
class Cell:
    """What a module made of a fault: how it ended ("ok" or error.code), the effects on the server, what is wrong."""

    ended: str
    effects: int
    seconds: float
    wrong: str

    def __str__(self) -> str:
        return f"{'!' if self.wrong else ''}{self.ended} {self.effects}"


def _try(admin: Admin, write: Write, variant: str, where: str) -> Cell:
    """Run a module through a proxy that breaks its write once, its write always, or its first read once."""
    for _more in range(3):
        cell, spoilt = _try_once(admin, write, variant, where)
        if not spoilt:
            break
    return cell


def _try_once(admin: Admin, write: Write, variant: str, where: str) -> tuple[Cell, bool]:
    """Return what came of it, and whether the server had a fault of its own besides (see HawkbitServer.session)."""
    name = new_name()
    options = write.prepare(admin, name)
    fault, more = VARIANTS[variant]
    with FaultProxy(admin.hawkbit.url) as proxy:
        if where == "read":
            rule = proxy.inject(fault, method="GET", **more)
        else:
            times = None if where == "always" else 1
            rule = proxy.inject(fault, method=write.method, path=write.path, times=times, **more)
        began = time.monotonic()
        result = run_module(
            write.module,
            {
                "url": proxy.url,
                "username": admin.hawkbit.username,
                "password": admin.hawkbit.password,
                "request_timeout": REQUEST_TIMEOUT,
                "request_retries": RETRIES if where != "always" else 1,
                **options,
            },
        )
        seconds = time.monotonic() - began
        done = [
            record
            for record in proxy.wire
            if write.is_it(record.method, record.path) and record.server_status in range(200, 300)
        ]
        spoilt = any(record.server_status == 500 for record in proxy.wire)
    effects = write.effects(admin, name)
    if write.module == "hawkbit_rollout":
        admin.drop(name)
    ended = str(result["error"]["code"]) if result.get("failed") else "ok"
    wrong = []
    if not rule.hits:
        wrong.append("the fault never took place")
    if effects not in (0, 1):
        wrong.append(f"{effects} effects")
    if len(done) > 1:
        wrong.append(f"the server has done it {len(done)} times")
    if ended == "ok" and effects != 1:
        wrong.append("it says that it is done, but it is not")
    if ended != "ok":
        if where != "always" and variant not in FINAL:
            wrong.append("a fault that passes has stopped it")
        if ended not in CODES or not str(result["msg"]).startswith("Cannot ") or not result["http"]["method"]:
            wrong.append("the message is not clear")
    if seconds > MOST_SECONDS:
        wrong.append(f"it took {seconds:.0f} s")
    if wrong:
        wrong.append(str(result.get("msg", "")))
    return Cell(ended, effects, seconds, "; ".join(wrong)), spoilt


def test_every_fault_of_the_proxy_is_tried() -> None:
    assert {fault for fault, _more in VARIANTS.values()} == set(FAULTS)


# the targets' playbooks are played meanwhile: they are work, this is waiting
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("targets")
@pytest.mark.only("newest", "oldest")
def test_each_write_has_one_effect_whatever_the_wire_does(
    hawkbit: HawkbitServer, tmp_path: Path, show_table: Callable[[str, list[list[str]]], None]
) -> None:
    admin = Admin(hawkbit, tmp_path)
    jobs = [(write, variant, where) for write in WRITES for variant in VARIANTS for where in ("write", "read")]
    jobs += [(write, variant, "always") for write in WRITES for variant in LASTING]
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = dict(zip(jobs, pool.map(lambda job: _try(admin, *job), jobs), strict=True))
    seconds = time.monotonic() - began
    longest = max(cell.seconds for cell in cells.values())
    for where, about in (
        ("write", "the write is broken once"),
        ("read", "the first read is broken once"),
        ("always", "the write is broken each time"),
    ):
        variants = [variant for variant in VARIANTS if (WRITES[0], variant, where) in cells]
        rows = [[about, *variants]]
        rows += [[write.title, *(str(cells[write, variant, where]) for variant in variants)] for write in WRITES]
        show_table(f"faults-{where}", rows)
    show_table("faults", [[f"{len(cells)} cells", f"{seconds:.0f} s in all", f"{longest:.1f} s the longest"]])
    wrong = [
        f"{w.title}, {variant}, {where}: {cell.wrong}" for (w, variant, where), cell in cells.items() if cell.wrong
    ]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.only("newest")
@pytest.mark.parametrize("fault", ["reset_after", "429_quota"])
def test_faults_in_a_real_run_leave_no_traceback(
    hawkbit: HawkbitServer, variables: dict[str, Any], tmp_path: Path, fault: str
) -> None:
    admin = Admin(hawkbit, tmp_path)
    first = {write.module: write for write in reversed(WRITES)}
    name = {module: new_name() for module in first}
    options = {module: write.prepare(admin, name[module]) for module, write in first.items()}
    with FaultProxy(hawkbit.url) as proxy:
        # each module in a run of its own connects anew; the fault meets the first write of each
        for write in first.values():
            proxy.inject(fault, method=write.method, path=write.path)
        tasks = [
            {"name": module, f"fleet.deploy.{module}": {**options[module], "url": proxy.url}, "ignore_errors": True}
            for module in first
        ]
        run = Player(tmp_path / "play").play_tasks("faults", tasks, variables)
    assert run.status == 0, run.output
    assert "Traceback" not in run.output
    assert "MODULE FAILURE" not in run.output
    quota = fault == "429_quota"
    for module, write in first.items():
        result = run.named(module)
        assert result.status == ("failed" if quota else "ok"), result.data
        assert write.effects(admin, name[module]) == (0 if quota else 1), module
        assert result.changed is not quota
        if quota:
            assert result.data["error"]["code"] == "rejected"
            assert result.msg.endswith(
                "Quota exceeded: Cannot assign 1 more entities. The maximum is 1. This is a limit of the server, so "
                "waiting does not help. (HTTP 429)"
            )
