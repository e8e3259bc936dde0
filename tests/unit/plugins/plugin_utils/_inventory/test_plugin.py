"""What the inventory plugins share and what needs no inventory."""

from __future__ import annotations

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.plugin import fleet_variables


def test_variables_of_all_platforms() -> None:
    given = {
        "platform": "hawkbit", "id": "d1", "name": None, "state": "pending", "online": None, "software": None,
        "last_seen": None, "groups": [], "tags": None,
    }  # fmt: skip
    assert fleet_variables(**given) == {f"fleet_{name}": value for name, value in given.items()}
