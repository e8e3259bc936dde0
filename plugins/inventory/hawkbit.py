# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hawkbit
short_description: Targets of Eclipse hawkBit as inventory
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Makes a host of each target of a hawkBit tenant, or of those that a query finds.
  - The name of the inventory file must end in C(hawkbit.yml) or C(hawkbit.yaml).
  - Listing takes one request for 500 targets. What costs more is only done when an option asks for it.
  - Each host has the variables that the notes name, and those that follow. They are always there, and null when the
    server does not tell or when they were not asked for.
  - C(hawkbit_controller_id), C(hawkbit_name), C(hawkbit_description), C(hawkbit_update_status), C(hawkbit_address),
    C(hawkbit_ip_address), C(hawkbit_group), C(hawkbit_target_type) (its id), C(hawkbit_target_type_name),
    C(hawkbit_request_attributes), C(hawkbit_auto_confirm_active), C(hawkbit_created_by) and
    C(hawkbit_last_modified_by).
  - C(hawkbit_created_at), C(hawkbit_last_modified_at), C(hawkbit_installed_at) and
    C(hawkbit_last_controller_request_at), in milliseconds since 1970. C(hawkbit_poll_status) is a dictionary with
    C(last_request_at), C(next_expected_request_at) and C(overdue); hawkBit before 0.6 does not list it.
  - C(hawkbit_attributes), C(hawkbit_metadata), C(hawkbit_installed_distribution_set) and
    C(hawkbit_assigned_distribution_set) if O(gather) asks for them. The last two are dictionaries with C(id), C(name),
    C(version) and C(type).
  - C(fleet_state) is the target's update status, C(fleet_groups) its group, C(fleet_software) the installed
    distribution set. C(fleet_online) is true while the target polls in time, and false when it is overdue or has
    never polled.
extends_documentation_fragment:
  - fleet.deploy.hawkbit_inventory
  - fleet.deploy.inventory
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [fleet.deploy.hawkbit]
  query:
    description:
      - Which targets to take, in hawkBit's query language (RSQL). All if not set.
      - The server does the selection. It ignores case, and C(*) stands for any text.
    type: str
  hostnames:
    description:
      - What the hosts are called, in order of preference. The first one counts that a target has.
      - One of V(controller_id), V(name), V(ip_address), V(address) (the host in the target's address),
        V(attributes.KEY) and V(metadata.KEY) with the key of an attribute or of metadata, which are then gathered.
      - A target whose names other targets have too is called by its controller id.
    type: list
    elements: str
    default: [controller_id]
  ansible_host_from:
    description:
      - Where C(ansible_host) comes from. The device itself reports these addresses, so only use them in a fleet that
        you trust, and mind that they are often those of a gateway.
      - With V(none) it is not set.
      - With V(ip_address) it is the target's IP address.
      - With V(address) it is the host in the target's address.
      - Addresses of the control node itself, such as C(127.0.0.1), are not taken.
    type: str
    choices: [none, ip_address, address]
    default: none
  group_by:
    description:
      - Groups to make, much faster than by O(keyed_groups). All names begin with O(group_prefix).
      - V(update_status) makes groups such as C(hawkbit_update_status_in_sync).
      - V(target_type) makes groups such as C(hawkbit_target_type_gateway). hawkBit before 0.3.0M8 has no types.
      - V(group) makes nested groups of the path in hawkBit, such as C(hawkbit_group_europe_berlin) in
        C(hawkbit_group_europe). hawkBit before 0.10 has no groups.
      - V(tag) makes groups such as C(hawkbit_tag_canary), and gathers the tags.
      - V(installed_distribution_set) and V(assigned_distribution_set) make groups such as
        C(hawkbit_installed_distribution_set_gateway_os_2_1), and gather the sets.
      - V(online) makes the groups C(hawkbit_online) and C(hawkbit_offline).
      - V(overdue) makes the group C(hawkbit_overdue) of the targets that have polled before, but not in time. Unlike
        C(hawkbit_offline) it holds none that never polled.
    type: list
    elements: str
    choices:
      - update_status
      - target_type
      - group
      - tag
      - installed_distribution_set
      - assigned_distribution_set
      - online
      - overdue
    default: []
  group_prefix:
    description: Begins the names of the groups that O(group_by) makes.
    type: str
    default: hawkbit_
  groups_by_query:
    description:
      - Groups by name, each with the query (RSQL) that finds its hosts, among those that O(query) finds.
      - Costs one request for 500 hosts of each group. This is the cheap way to group by attributes and metadata.
    type: dict
    default: {}
  gather:
    description:
      - What else to fetch.
      - V(tags) costs one request a tag.
      - V(installed_distribution_set) and V(assigned_distribution_set) cost two or three requests a set in use.
      - V(attributes) and V(metadata) cost one request a target, 8 of them at a time. Better use O(groups_by_query) if
        that does, or the cache.
    type: list
    elements: str
    choices: [tags, attributes, metadata, installed_distribution_set, assigned_distribution_set]
    default: []
  attributes:
    description:
      - Names of the attributes to keep. If set, attributes are gathered. If not, V(attributes) in O(gather) keeps all.
    type: list
    elements: str
    default: []
seealso:
  - module: fleet.deploy.target_info
"""

EXAMPLES = r"""
---
# fleet.hawkbit.yml: all targets, grouped by their state. The address and the credentials come from the environment
# variables HAWKBIT_URL, HAWKBIT_USERNAME and HAWKBIT_PASSWORD.
# Look at it with: ansible-inventory -i fleet.hawkbit.yml --graph
plugin: fleet.deploy.hawkbit
group_by: [update_status, online]

---
# Targets of one site. Tags become groups, what is installed is known, and those with newer hardware are in a group of
# their own.
plugin: fleet.deploy.hawkbit
url: https://updates.example.com
username: admin
password: "{{ lookup('ansible.builtin.env', 'HAWKBIT_ADMIN_PASSWORD') }}"
query: controllerid==berlin-*
group_by: [tag]
gather: [installed_distribution_set]
groups_by_query:
  new_hardware: attribute.hw_revision=in=(rev2,rev3)

---
# Hosts under the names that the devices give themselves, connected to by the addresses that they report.
plugin: fleet.deploy.hawkbit
url: https://updates.example.com
username: admin
password: "{{ lookup('ansible.builtin.env', 'HAWKBIT_ADMIN_PASSWORD') }}"
hostnames: [attributes.hostname, name]
attributes: [hw_revision]
ansible_host_from: ip_address

---
# Expressions, for what the options above cannot do: a third of a millisecond for each expression and host.
plugin: fleet.deploy.hawkbit
url: https://updates.example.com
username: admin
password: "{{ lookup('ansible.builtin.env', 'HAWKBIT_ADMIN_PASSWORD') }}"
compose:
  site: hawkbit_controller_id.split('-')[0]
groups:
  never_seen: fleet_last_seen is none
keyed_groups:
  - key: site
    prefix: site

---
# With a cache that outlives the command.
plugin: fleet.deploy.hawkbit
url: https://updates.example.com
username: admin
password: "{{ lookup('ansible.builtin.env', 'HAWKBIT_ADMIN_PASSWORD') }}"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible-inventory
cache_timeout: 600
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
from ansible_collections.fleet.deploy.plugins.module_utils._core.deployment import iso_time
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Transport
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.api import Api
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.client import PLATFORM
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.inventory import ASSIGNED, INSTALLED, Inventory
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.rules import RULES
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.target_info import described
from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory import naming
from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.plugin import (
    Device,
    FleetInventory,
    fleet_variables,
    groups_by_device,
)

KEYED = ("attributes", "metadata")
SETS = {"installed_distribution_set": INSTALLED, "assigned_distribution_set": ASSIGNED}
GATHERED = (*KEYED, *SETS)
# group_by -> variable
PLAIN = {"update_status": "hawkbit_update_status", "target_type": "hawkbit_target_type_name"}
HOSTNAMES = ("controller_id", "name", "ip_address", "address")


class InventoryModule(FleetInventory):
    """Targets of hawkBit as hosts."""

    NAME = "fleet.deploy.hawkbit"
    PLATFORM = PLATFORM
    FETCH_OPTIONS = ("query", "hostnames", "group_by", "groups_by_query", "gather", "attributes")

    def check_options(self) -> None:
        """Refuse hostnames and groups that cannot be."""
        for wish in self.get_option("hostnames"):
            kind, _dot, key = wish.partition(".")
            if wish not in HOSTNAMES and not (kind in KEYED and key):
                raise InvalidInput(
                    f"hostnames has '{wish}': give {', '.join(HOSTNAMES)}, attributes.KEY or metadata.KEY."
                )
        self.check_group_names("groups_by_query")

    # -- fetching ----------------------------------------------------------------------------------------------

    def fetch(self, connection: Connection) -> dict[str, Any]:
        """Return the targets, and by their ids what else is asked for; None for a part that could not be had."""
        transport = Transport(connection, check_mode=True, rules=RULES, redactor=self._redactor)
        source = Inventory(Api(transport), self.get_option("query"))
        wanted, keep = self._wanted()
        try:
            targets = source.targets()
            ids = [target["controllerId"] for target in targets]
            parts: dict[str, Any] = {}
            if "tags" in wanted:
                parts["tags"] = self.part("tags", source.tags)
            if "attributes" in wanted:
                parts["attributes"] = self.part("attributes", lambda: source.attributes(ids, keep))
            if "metadata" in wanted:
                parts["metadata"] = self.part("metadata", lambda: source.metadata(ids))
            for name, kind in SETS.items():
                if name in wanted:
                    parts[name] = self._sets(source, kind, targets)
            # the single target has it in all releases, the list from 0.6 on
            if any("lastControllerRequestAt" in target and "pollStatus" not in target for target in targets):
                parts["overdue"] = self.part("the online state", source.overdue)
            groups = {
                name: self._members(source, name, query) for name, query in self.get_option("groups_by_query").items()
            }
        finally:
            transport.close()
        return {"targets": targets, "parts": parts, "groups": groups}

    def _sets(self, source: Inventory, kind: str, targets: list[dict[str, Any]]) -> Any:
        return self.part(f"{kind} distribution sets", lambda: source.sets(kind, targets))

    def _members(self, source: Inventory, name: str, query: str) -> Any:
        return self.part(f"group {name}", lambda: source.members(name, str(query)))

    def _wanted(self) -> tuple[set[str], set[str]]:
        """Return what to gather, also for groups and names, and the names of the attributes to keep."""
        wanted = set(self.get_option("gather"))
        wanted.update(SETS.keys() & set(self.get_option("group_by")))
        keep = set(self.get_option("attributes"))
        named = [wish.partition(".")[::2] for wish in self.get_option("hostnames") if wish not in HOSTNAMES]
        wanted.update(kind for kind, _key in named)
        if "tag" in self.get_option("group_by"):
            wanted.add("tags")
        if keep or ("attributes" in wanted and "attributes" not in self.get_option("gather")):
            wanted.add("attributes")
            keep.update(key for kind, key in named if kind == "attributes")
        return wanted, keep

    # -- mapping -----------------------------------------------------------------------------------------------

    def devices(self, records: dict[str, Any]) -> Iterator[Device]:
        """Return one device a target, in the order of their ids."""
        parts = records["parts"]
        groups = groups_by_device(records["groups"])
        overdue = None if parts.get("overdue") is None else set(parts["overdue"])
        for target in records["targets"]:
            controller_id = target["controllerId"]
            variables = self._variables(target, parts, overdue)
            yield Device(
                id=controller_id,
                names=[name for name in self._names(variables) if name],
                variables=variables,
                groups=[*self._groups(variables), *groups.get(controller_id, ())],
                address=self._address(variables),
            )

    def _variables(
        self, target: Mapping[str, Any], parts: Mapping[str, Any], overdue: set[str] | None
    ) -> dict[str, Any]:
        controller_id = target["controllerId"]
        variables = {f"hawkbit_{name}": value for name, value in described(target).items()}
        for name in GATHERED:
            # a set may be missing, attributes and metadata are empty then
            nothing: dict[str, str] | None = None if name in SETS else {}
            part = parts.get(name)
            variables[f"hawkbit_{name}"] = None if part is None else part.get(controller_id, nothing)
        installed = variables["hawkbit_installed_distribution_set"]
        group = target.get("group")
        tags = parts.get("tags")
        variables.update(
            fleet_variables(
                platform=PLATFORM,
                id=controller_id,
                name=target.get("name"),
                state=target.get("updateStatus"),
                online=_online(target, overdue),
                software={key: installed[key] for key in ("name", "version")} if installed else None,
                last_seen=iso_time(target.get("lastControllerRequestAt")),
                groups=[group] if group else [],
                tags=None if tags is None else tags.get(controller_id, []),
            )
        )
        return variables

    def _names(self, variables: Mapping[str, Any]) -> Iterator[str | None]:
        for wish in self.get_option("hostnames"):
            kind, _dot, key = wish.partition(".")
            if key:
                yield (variables[f"hawkbit_{kind}"] or {}).get(key)
            elif wish == "address":
                yield _host_of(variables["hawkbit_address"])
            else:
                yield variables[f"hawkbit_{wish}"]

    def _groups(self, variables: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        for choice in self.get_option("group_by"):
            if choice in ("online", "overdue"):
                name = _presence(choice, variables)
                if name is not None:
                    yield (self.group(name),)
            elif choice == "group":
                path = [part for part in (variables["hawkbit_group"] or "").split("/") if part]
                if path:
                    yield tuple(self.group(choice, *path[: depth + 1]) for depth in range(len(path)))
            elif choice == "tag":
                for tag in variables["fleet_tags"] or ():
                    yield (self.group(choice, tag),)
            elif choice in SETS:
                found = variables[f"hawkbit_{choice}"]
                if found:
                    yield (self.group(choice, found["name"], found["version"]),)
            elif variables[PLAIN[choice]]:
                yield (self.group(choice, variables[PLAIN[choice]]),)

    def _address(self, variables: Mapping[str, Any]) -> str | None:
        source = self.get_option("ansible_host_from")
        if source == "ip_address":
            return naming.address(variables["hawkbit_ip_address"])
        return naming.address(_host_of(variables["hawkbit_address"])) if source == "address" else None


def _online(target: Mapping[str, Any], overdue: set[str] | None) -> bool | None:
    """Tell whether a target polls in time; None when that is not known."""
    if "lastControllerRequestAt" not in target:
        return False
    if "pollStatus" in target:
        return not target["pollStatus"].get("overdue")
    return None if overdue is None else target["controllerId"] not in overdue


def _presence(choice: str, variables: Mapping[str, Any]) -> str | None:
    """Return the group that polling puts a target into, None when there is none or nothing is known."""
    online = variables["fleet_online"]
    if choice == "online":
        return None if online is None else "online" if online else "offline"
    return "overdue" if online is False and variables["fleet_last_seen"] is not None else None


def _host_of(address: str | None) -> str | None:
    """Return the host of a URI, None when there is none."""
    try:
        return urlsplit(address).hostname if address else None
    except ValueError:
        return None
