"""Registering targets, and doing it again when nothing is to be done."""

from __future__ import annotations

from bench.hawkbit import ROOT, HawkbitBench
from bench.measuring import PAGE, Connection, Cost, Row, best

# as in the product
CHUNK = 500


def create(connection: Connection, ids: list[str]) -> None:
    """Floor: POST chunks, one after the other."""
    for start in range(0, len(ids), CHUNK):
        body = [{"controllerId": one, "name": one} for one in ids[start : start + CHUNK]]
        connection.send("POST", f"{ROOT}/targets", body)


def look(connection: Connection, prefix: str, count: int) -> None:
    """Floor of a second run: read the targets, page after page."""
    found = 0
    while found < count:
        wanted = {"q": f"controllerid=={prefix}*", "sort": "id:ASC", "limit": PAGE, "offset": found}
        found += len(connection.send("GET", f"{ROOT}/targets", **wanted)["content"])


def register(bench: HawkbitBench, ids: list[str]) -> Cost:
    """The same as one task."""
    wanted = [{"controller_id": one, "name": one} for one in ids]
    return bench.result_of({"fleet.deploy.target": {"targets": "{{ wanted }}"}}, wanted=wanted)


def scripted(bench: HawkbitBench, prefix: str) -> float:
    """What people script: a loop that sends one request a target. Return its seconds for all, from a few."""
    task = {
        "ansible.builtin.uri": {
            "url": f"{bench.server.url}{ROOT}/targets",
            "method": "POST",
            "user": bench.server.username,
            "password": bench.server.password,
            "force_basic_auth": True,
            "body_format": "json",
            "body": [{"controllerId": "{{ item }}", "name": "{{ item }}"}],
            "status_code": [201, 409],
        },
        "loop": "{{ ids }}",
    }
    ids = bench.ids(prefix)
    few, none = bench.result_of(task, ids=ids[: bench.samples]), bench.result_of(task, ids=[])
    return none.seconds + (few.seconds - none.seconds) * len(ids) / bench.samples


def measure(bench: HawkbitBench) -> None:
    """Measure both sides in turn, each time with fresh ids."""
    connection = bench.connection()
    floors, ours, floors_again, ours_again = [], [], [], []
    for run in range(bench.runs):
        raw, task = bench.ids(f"floor{run}"), bench.ids(f"ours{run}")
        floors.append(bench.timed(create, connection, raw))
        ours.append(register(bench, task))
        bench.say(f"registered: {ours[-1].seconds:.1f} s, floor {floors[-1].seconds:.1f} s")
        floors_again.append(bench.timed(look, connection, f"bench-ours{run}-", bench.targets))
        ours_again.append(register(bench, task))
        bench.say(f"again: {ours_again[-1].seconds:.1f} s, floor {floors_again[-1].seconds:.1f} s")
    connection.close()
    loop = f"a loop of ansible.builtin.uri, from {bench.samples} targets"
    count = f"{bench.targets:,}"
    peer = scripted(bench, "peer")
    bench.rows += [
        Row(f"register {count} targets", best(ours), best(floors), 1.2, loop, peer),
        Row(
            "the same once more, nothing to do",
            best(ours_again),
            best(floors_again),
            1.2,
            loop,
            scripted(bench, "peer"),
        ),
    ]
