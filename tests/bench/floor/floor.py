"""The floor of an inventory plugin: pages fetched in parallel, hosts with their variables, nothing else."""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = """
name: floor
short_description: The floor of the inventory benchmark
description: Adds hosts, and nothing else.
options:
  plugin:
    description: Says that the file is for this plugin.
  port:
    description: Of the server.
    type: int
  username:
    description: Of the server.
  password:
    description: Of the server.
    env:
      - name: HAWKBIT_PASSWORD
  query:
    description: Which targets.
  names:
    description: The variables that each host has.
    type: list
"""

PAGE = 500
PARALLEL = 4


class InventoryModule(BaseInventoryPlugin):
    """Targets of hawkBit as hosts, as simply as can be."""

    NAME = "floor"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        here = threading.local()
        basic = base64.b64encode(f"{self.get_option('username')}:{self.get_option('password')}".encode()).decode()

        def fetch(offset: int) -> Any:
            if not hasattr(here, "http"):
                here.http = http.client.HTTPConnection("127.0.0.1", self.get_option("port"), timeout=600)
            wanted = {"q": self.get_option("query"), "sort": "controllerId:ASC", "limit": PAGE, "offset": offset}
            here.http.request(
                "GET", f"/rest/v1/targets?{urlencode(wanted)}", headers={"Authorization": f"Basic {basic}"}
            )
            return json.loads(here.http.getresponse().read())

        first = fetch(0)
        with ThreadPoolExecutor(PARALLEL) as pool:
            pages = [first, *pool.map(fetch, range(PAGE, first["total"], PAGE))]
        nothing = dict.fromkeys(self.get_option("names"))
        called: dict[str, str] = {}
        for page in pages:
            for target in page["content"]:
                for name in target.keys() - called.keys():
                    called[name] = "hawkbit_" + re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
                told = {called[name]: value for name, value in target.items() if called[name] in nothing}
                host = inventory.get_host(inventory.add_host(target["controllerId"]))
                host.vars.update({**nothing, **told})
