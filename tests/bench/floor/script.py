#!/usr/bin/env python
"""An inventory script as people write them: page after page, a few variables, groups by hand."""

from __future__ import annotations

import json
import os

import requests


def main() -> None:
    """Print the inventory."""
    session = requests.Session()
    session.auth = (os.environ["HAWKBIT_USERNAME"], os.environ["HAWKBIT_PASSWORD"])
    session.trust_env = False
    hosts: dict[str, dict[str, str]] = {}
    groups: dict[str, dict[str, list[str]]] = {}
    total = 1
    while len(hosts) < total:
        wanted: dict[str, str | int] = {"q": os.environ["BENCH_QUERY"], "limit": 50, "offset": len(hosts)}
        page = session.get(f"{os.environ['HAWKBIT_URL']}/rest/v1/targets", params=wanted, timeout=60).json()
        total = page["total"]
        for target in page["content"]:
            hosts[target["controllerId"]] = {"update_status": target["updateStatus"], "name": target["name"]}
            groups.setdefault(target["updateStatus"], {"hosts": []})["hosts"].append(target["controllerId"])
    print(json.dumps({"_meta": {"hostvars": hosts}, **groups}))


if __name__ == "__main__":
    main()
