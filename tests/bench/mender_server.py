"""A simulated Mender server with devices, as a program: it ends when its standard input does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

TYPES = 3
GROUPS = 4


def attributes(number: int, _name: str) -> Mapping[str, Any]:
    """Return what a device tells: some attributes that the inventory asks for, and some that it does not."""
    return {
        "identity/mac": f"02:00:{number:08x}",
        "tags/name": f"gateway {number}",
        "rootfs-image.version": "gateway-os-2.1",
        "device_type": f"gateway-{number % TYPES}",
        "hostname": f"gateway-{number}",
        "kernel": "Linux version 6.6.21 (oe-user@oe-host) #1 SMP PREEMPT",
        "ipv4_eth0": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/16",
        "mem_total_kB": 1014908,
        "cpu_model": "ARMv7 Processor rev 4 (v7l)",
        "mender_client_version": "4.0.4",
        "rootfs_type": "ext4",
        "geo-city": "Oslo",
    }


def main() -> None:
    """Run it."""
    from servers.mender import MenderServer

    server = MenderServer("4.1")
    ids = server.add_devices(int(sys.argv[1]), artifact="gateway-os-2.1", attributes=attributes)
    for number in range(GROUPS):
        server.inventory.set_group(ids[number :: GROUPS + 1], f"site-{number}")
    with server:
        print(json.dumps({"port": server.port, "token": server.token}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
