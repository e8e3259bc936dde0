"""Mender's side of the targets: a simulated server for each of them, with devices as their devices.yml says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integration.playing import CONNECTIONS
from integration.targets_run import RUNTIME

from servers.artifact_writer import Written
from servers.mender import MenderServer, Settings
from servers.mender_devices import MenderFleet

POLL_SECONDS = 0.1
GIBIBYTE = 1024**3
# what all servers can be made to say
HOSTILE = 'Gerät "1" {{ 7 * 7 }} \'; $(id) 100 %'
GATEWAY = ("gateway",)
# a saved filter for devices of the group idle, where there are such filters
FILTER = "5f0e8a2c-7d1b-4c3e-9a6f-2b8d4e1c0f37"
IDLE = {"scope": "system", "attribute": "group", "type": "$eq", "value": "idle"}
# name of the file and what is in it
ARTIFACTS = {
    "old.mender": Written("it-old", GATEWAY, {"old.bin": b"old\n"}),
    "new.mender": Written("it-new", GATEWAY, {"new.bin": b"new\n" * 1000}, compression="lzma", signed=True),
    "camera.mender": Written("it-new", ("camera",), {"camera.bin": b"camera\n"}, type="rootfs-image"),
    "other.mender": Written("it-old", GATEWAY, {"old.bin": b"other\n"}),
    "format2.mender": Written("it-format-2", GATEWAY, version=2, compression="none"),
    "format1.mender": Written("it-format-1", GATEWAY, version=1),
    "gateway-2.1.0.mender": Written("gateway-2.1.0", GATEWAY),
}
# examples that need a newer server than the one of a version
NEWER = {
    "seed": ("Read what a device has done", "Tag a release", "Read what is tagged for production"),
    "4.5": ("Tag a release", "Read what is tagged for production"),
}


class MenderSide:
    """Simulated servers of one version and edition.

    Args:
        version: one of the simulator's.
        edition: one of the simulator's.
    """

    platform = "mender"
    connection: Mapping[str, str] = CONNECTIONS["mender"]
    # POSTs that only read
    reading: tuple[str, ...] = ("/inventory/filters/search", "/deployments/statistics/list", "/auth/login")
    example_devices: Mapping[str, Any] = {
        "2f3b8b5e-6f0a-4d0e-9d38-0b6f4c1f7a11": {"behaviour": "succeed", "group": "canary"},
        "gateway-0002": {"behaviour": "succeed", "group": "canary"},
    }
    # several examples remove what the others need
    always_prepare = True
    # deployments last: an artifact that was used keeps its description; platform_info has a target of its own
    modules: list[str] = sorted(
        set(RUNTIME["action_groups"]["mender"]) - set(RUNTIME["action_groups"]["hawkbit"]),
        key=lambda name: ("deployment" in name, name),
    )

    def __init__(self, version: str, edition: str) -> None:
        self.version = version
        self.edition = edition
        self.excused: Sequence[str] = NEWER.get(version, ())
        self.complete = (version, edition) == ("4.1", "enterprise")

    def write_files(self, folder: Path) -> None:
        """Write artifacts, and files that are none."""
        for name, artifact in ARTIFACTS.items():
            artifact.save(folder / name)
        (folder / "settings.json").write_text('{"interval": 7}\n')

    @contextmanager
    def place(self, devices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Start a server.

        `devices`: by id, each with its `device_type`, `group` and `behaviour`; without the last it is not switched on.
        """
        settings = Settings(storage_limit=4 * GIBIBYTE, storage_usage=GIBIBYTE)
        with (
            MenderServer(self.version, self.edition, settings=settings) as server,
            MenderFleet(server.url, server.device_token, poll_interval=POLL_SECONDS) as fleet,
        ):
            server.deployments.filters[FILTER] = {"id": FILTER, "name": "idle", "terms": [IDLE]}
            for name, about in devices.items():
                kind = about.get("device_type", "gateway")
                server.add_devices([name], kind, group=about.get("group", ""))
                if "behaviour" in about:
                    fleet.add([name], about["behaviour"], kind)
            fleet.wait(lambda fleet: all(device.polls for device in fleet.devices.values()))
            yield {
                "server_url": server.url,
                "mender_url": server.url,
                "mender_token": server.token,
                "mender_version": self.version,
                "mender_edition": self.edition,
                "hostile_text": HOSTILE,
                "saved_filter": FILTER,
            }
            assert server.faults == 0, "the simulator has failed"

    def stop(self) -> None:
        """There is nothing that outlives a target."""
