"""The benchmarks on hawkBit: a real server, and how many targets it gets."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.measuring import Bench

if TYPE_CHECKING:
    from servers.hawkbit import HawkbitServer

ROOT = "/rest/v1"


@dataclass(kw_only=True)
class HawkbitBench(Bench):
    """A running hawkBit, and how many targets are to be registered and assigned."""

    server: HawkbitServer
    targets: int
    assigned: int

    def ids(self, prefix: str) -> list[str]:
        """Return the ids of the targets of one measurement."""
        return [f"bench-{prefix}-{number:06}" for number in range(self.targets)]


def bench(server: HawkbitServer, **sizes: Any) -> HawkbitBench:
    """Return the benchmarks on a server."""
    basic = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    variables = {
        "HAWKBIT_URL": server.url,
        "HAWKBIT_USERNAME": server.username,
        "HAWKBIT_PASSWORD": server.password,
    }
    return HawkbitBench(server=server, variables=variables, authorization=f"Basic {basic}", **sizes)
