"""1,000 targets, each step in one task: how many requests it takes, and that a second run only reads."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from integration.playing import Player

from servers.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.hawkbit import HawkbitServer

COUNT = 1000
# the ids begin alike: a count tells that there are none, or that two pages hold them all
NONE, ALL = 1, 3
# the API creates in bulk (500 at a time here), and updates and deletes one by one
STEPS: dict[str, dict[str, int]] = {
    "register in check mode": {"GET": NONE},
    "register": {"GET": NONE, "POST": 2},
    "register again": {"GET": ALL},
    "update": {"GET": ALL, "PUT": COUNT},
    "update again": {"GET": ALL},
    "remove": {"GET": ALL, "DELETE": COUNT},
    "remove again": {"GET": NONE},
}


@pytest.mark.only("newest", "oldest")
def test_thousand_targets_in_one_task(
    hawkbit: HawkbitServer,
    variables: dict[str, Any],
    tmp_path: Path,
    show_table: Callable[[str, list[list[str]]], None],
) -> None:
    ids = [f"bulk-{number:04}" for number in range(COUNT)]
    registered = [{"controller_id": one, "name": f"Name of {one}"} for one in ids]
    lists = {
        "register": registered,
        "update": [{**item, "description": "updated"} for item in registered],
        "remove": [{"controller_id": one} for one in ids],
    }
    tasks = []
    with ExitStack() as stack:
        proxies = {step: stack.enter_context(FaultProxy(hawkbit.url)) for step in STEPS}
        for step, proxy in proxies.items():
            verb = step.partition(" ")[0]
            options = {"targets": f"{{{{ {verb}_list }}}}", "state": "absent" if verb == "remove" else "present"}
            check_mode = step.endswith("check mode")
            tasks.append({"name": step, "fleet.deploy.target": {"url": proxy.url, **options}, "check_mode": check_mode})
        more = {f"{verb}_list": targets for verb, targets in lists.items()}
        run = Player(tmp_path).play_tasks("bulk", tasks, {**variables, **more}).must_succeed()
        wires = {step: list(proxy.wire) for step, proxy in proxies.items()}
    counts = {step: Counter(record.method for record in wire) for step, wire in wires.items()}
    rows = [["1,000 targets", "GET", "POST", "PUT", "DELETE", "seconds on the wire"]]
    for step, wire in wires.items():
        seconds = wire[-1].time - wire[0].time
        rows.append([step, *(str(counts[step][method]) for method in rows[0][1:5]), f"{seconds:.1f}"])
    show_table("bulk", rows)
    assert {step: dict(count) for step, count in counts.items()} == STEPS
    for step in STEPS:
        result = run.named(step)
        done = {"register": "created", "update": "updated", "remove": "removed"}[step.partition(" ")[0]]
        again = step.endswith("again")
        assert result.changed is not again
        assert result.data["targets"][done] == ([] if again else ids)
    with hawkbit.session() as session:
        left = session.get(f"{hawkbit.url}/rest/v1/targets", params={"q": "controllerid==bulk-*"}, timeout=30).json()
    assert left["total"] == 0
