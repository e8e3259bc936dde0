"""What the inventory plugins share and what needs no inventory."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.plugin import fleet_variables, iso_time


@pytest.mark.parametrize(
    "milliseconds, text",
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (1795168059999, "2026-11-20T09:47:39Z"),
    ],
)
def test_iso_time(milliseconds: int | None, text: str | None) -> None:
    assert iso_time(milliseconds) == text


def test_variables_of_all_platforms() -> None:
    given = {
        "platform": "hawkbit", "id": "d1", "name": None, "state": "pending", "online": None, "software": None,
        "last_seen": None, "groups": [], "tags": None,
    }  # fmt: skip
    assert fleet_variables(**given) == {f"fleet_{name}": value for name, value in given.items()}
