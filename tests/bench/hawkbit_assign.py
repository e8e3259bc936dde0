"""Assigning a distribution set to targets and waiting until all have installed it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from bench.hawkbit import ROOT, HawkbitBench
from bench.measuring import PAGE, Connection, Row, best, in_parallel

# as in the product
CHUNK = 1000
INTERVAL = 2
DEVICES = 2


def publish(bench: HawkbitBench, version: str) -> int:
    """Make a distribution set; return its id."""
    connection = bench.connection()
    module = {"name": "bench-os", "version": version, "type": "os"}
    [module] = connection.send("POST", f"{ROOT}/softwaremodules", [module])
    body = {"name": "bench-os", "version": version, "type": "os", "modules": [{"id": module["id"]}]}
    [made] = connection.send("POST", f"{ROOT}/distributionsets", [body])
    connection.close()
    return int(made["id"])


@contextmanager
def devices(bench: HawkbitBench, set_id: int, expected: int) -> Iterator[None]:
    """Devices that finish what is assigned to them as soon as it is, with one request each.

    A whole device polls and downloads too, which costs a server more than all that is measured here; these are told
    their actions by the Management API.
    """
    over = Event()
    open_query = f"distributionset.id=={set_id};active==true"
    connections = [
        Connection(bench.server.port, f"GatewayToken {bench.server.gateway_token}") for _one in range(DEVICES)
    ]

    def finish(share: tuple[int, list[str]]) -> None:
        for address in share[1]:
            *_start, controller_id, _actions, action = address.split("/")
            path = f"/{bench.server.tenant}/controller/v1/{controller_id}/deploymentBase/{action}/feedback"
            body = {"id": action, "status": {"execution": "closed", "result": {"finished": "success"}}}
            connections[share[0]].send("POST", path, body)

    def work() -> None:
        manager = bench.connection()
        done = 0
        while done < expected and not over.is_set():
            wanted = {"q": open_query, "sort": "id:ASC", "limit": PAGE}
            page = manager.send("GET", f"{ROOT}/actions", **wanted)["content"]
            addresses = [action["_links"]["self"]["href"] for action in page]
            in_parallel(finish, [(one, addresses[one::DEVICES]) for one in range(DEVICES)], DEVICES)
            done += len(addresses)
            if not addresses:
                time.sleep(0.2)
        manager.close()

    thread = Thread(target=work, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(60)
    for connection in connections:
        connection.close()


def assign(bench: HawkbitBench, set_id: int, ids: list[str]) -> None:
    """Floor: assign in chunks, then count what is open until nothing is."""
    connection = bench.connection()
    for start in range(0, len(ids), CHUNK):
        body = [{"id": one, "type": "forced"} for one in ids[start : start + CHUNK]]
        connection.send("POST", f"{ROOT}/distributionsets/{set_id}/assignedTargets", body)
    wanted = {"q": f"distributionset.id=={set_id};active==true", "limit": 1}
    while connection.send("GET", f"{ROOT}/actions", **wanted)["total"]:
        time.sleep(INTERVAL)
    connection.close()


def scripted(bench: HawkbitBench, set_id: int, ids: list[str]) -> float:
    """What people script: a loop that sends one request a target, without a wait. Return its seconds for all."""
    task = {
        "ansible.builtin.uri": {
            "url": f"{bench.server.url}{ROOT}/targets/{{{{ item }}}}/assignedDS",
            "method": "POST",
            "user": bench.server.username,
            "password": bench.server.password,
            "force_basic_auth": True,
            "body_format": "json",
            "body": {"id": set_id, "type": "forced"},
        },
        "loop": "{{ ids }}",
    }
    few, none = bench.result_of(task, ids=ids[: bench.samples]), bench.result_of(task, ids=[])
    return none.seconds + (few.seconds - none.seconds) * len(ids) / bench.samples


def measure(bench: HawkbitBench) -> None:
    """Measure both sides in turn, on the targets that the first benchmark has registered."""
    floors, ours = [], []
    for run in range(bench.runs):
        set_id, ids = publish(bench, f"floor{run}"), bench.ids(f"floor{run}")[: bench.assigned]
        with devices(bench, set_id, len(ids)):
            floors.append(bench.timed(assign, bench, set_id, ids))
        set_id = publish(bench, f"ours{run}")
        options = {
            "distribution_set": {"name": "bench-os", "version": f"ours{run}"},
            "fleet": {"ids": "{{ ids }}"},
            "wait": True,
            "wait_interval": INTERVAL,
            "wait_timeout": 3600,
        }
        ids = bench.ids(f"ours{run}")[: bench.assigned]
        with devices(bench, set_id, len(ids)):
            ours.append(bench.result_of({"fleet.deploy.distribution_set_assign": options}, ids=ids))
        bench.say(f"assigned: {ours[-1].seconds:.1f} s, floor {floors[-1].seconds:.1f} s")
    seconds = scripted(bench, publish(bench, "peer"), bench.ids("floor0")[: bench.assigned])
    loop = f"a loop of ansible.builtin.uri that does not wait, from {bench.samples} targets"
    bench.rows.append(Row(f"assign to {bench.assigned:,} and wait", best(ours), best(floors), 1.2, loop, seconds))
