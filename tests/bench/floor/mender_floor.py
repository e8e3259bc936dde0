"""The floor of an inventory of Mender: pages fetched in parallel, hosts with their variables, nothing else."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = """
name: mender_floor
short_description: The floor of the benchmark of an inventory of Mender
description: Adds hosts, and nothing else.
options:
  plugin:
    description: Says that the file is for this plugin.
  port:
    description: Of the server.
    type: int
  token:
    description: Of a user.
    env:
      - name: MENDER_TOKEN
  names:
    description: The variables that each host has.
    type: list
"""

PAGE = 500
SEARCH = "/api/management/v2/inventory/filters/search"
ID = {"scope": "identity", "attribute": "id"}
ACCEPTED = {"scope": "identity", "attribute": "status", "type": "$in", "value": ["accepted"]}
ATTRIBUTES = (
    ("identity", "status", "mender_status"),
    ("inventory", "artifact_name", "mender_artifact_name"),
    ("inventory", "device_type", "mender_device_type"),
    ("inventory", "rootfs-image.version", "mender_rootfs_version"),
    ("system", "check_in_time", "mender_check_in_time"),
    ("system", "created_ts", "mender_created_ts"),
    ("system", "group", "mender_group"),
    ("system", "updated_ts", "mender_updated_ts"),
    ("tags", "name", "mender_name"),
)
# of random ids
RANGES = (("0", "4"), ("4", "8"), ("8", "c"), ("c", "g"))


class InventoryModule(BaseInventoryPlugin):
    """Devices of Mender as hosts, as simply as can be."""

    NAME = "mender_floor"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        headers = {"Authorization": f"Bearer {self.get_option('token')}", "Content-Type": "application/json"}
        selected = [{"scope": scope, "attribute": name} for scope, name, _variable in ATTRIBUTES]

        def fetch(limits: tuple[str, str]) -> list[Any]:
            above, below = limits
            found: list[Any] = []
            connection = http.client.HTTPConnection("127.0.0.1", self.get_option("port"), timeout=600)
            while True:
                terms = [
                    ACCEPTED,
                    {**ID, "type": "$gt", "value": above},
                    {**ID, "type": "$lt", "value": below},
                ]
                body = {
                    "page": 1,
                    "per_page": PAGE,
                    "filters": terms,
                    "sort": [{**ID, "order": "asc"}],
                    "attributes": selected,
                }
                connection.request("POST", SEARCH, json.dumps(body), headers)
                page = json.loads(connection.getresponse().read())
                found += page
                if len(page) < PAGE:
                    return found
                above = page[-1]["id"]

        with ThreadPoolExecutor(len(RANGES)) as pool:
            parts = list(pool.map(fetch, RANGES))
        nothing = dict.fromkeys(self.get_option("names"))
        called = {(scope, name): variable for scope, name, variable in ATTRIBUTES}
        for part in parts:
            for device in part:
                told = {called[one["scope"], one["name"]]: one["value"] for one in device["attributes"]}
                host = inventory.get_host(inventory.add_host(device["id"]))
                host.vars.update({**nothing, **told, "mender_id": device["id"]})
