# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: mender
short_description: Devices of Mender as inventory
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Makes a host of each accepted device of a Mender tenant, or of those that O(statuses), O(only_groups) and O(filters)
    choose.
  - The name of the inventory file must end in C(mender.yml) or C(mender.yaml).
  - Listing takes one request for 500 devices, whatever is gathered. Nothing costs a request a device.
  - Each host has the variables that the notes name, and those that follow. They are always there, and null when the
    server does not tell or when they were not asked for.
  - C(mender_id), C(mender_name) (the tag C(name), which the web interface shows), C(mender_status), C(mender_group),
    C(mender_device_type), C(mender_artifact_name) and C(mender_rootfs_version) (C(rootfs-image.version)). What a device
    reports several of has commas in between.
  - C(mender_created_ts), C(mender_updated_ts) (when the device has last reported its inventory) and
    C(mender_check_in_time) (when it has last asked the server; older servers do not tell), as the server writes them.
  - C(mender_attributes) and C(mender_tags), dictionaries of values by name, if O(gather) or O(attributes) asks for
    them. A value is a text, a number or a list of these.
  - C(fleet_state) is the status of the device's admission, C(fleet_groups) its group. C(fleet_software) is the artifact
    that it has installed, with C(rootfs-image.version) as its version. C(fleet_tags) has texts such as C(ring=canary).
    C(fleet_last_seen) is C(mender_check_in_time), or C(mender_updated_ts) without it. C(fleet_online) is null unless
    O(online_within) says what it means.
extends_documentation_fragment:
  - fleet.deploy.mender_inventory
  - fleet.deploy.inventory
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [fleet.deploy.mender]
  statuses:
    description:
      - Which devices to take, by the status of their admission.
      - Devices that are not accepted are also looked for in the admission itself, unless O(only_groups) or O(filters)
        choose, since the inventory may not know them yet. This costs one request for 500 of them.
      - Only accepted devices can be updated.
    type: list
    elements: str
    choices: [accepted, pending, preauthorized, rejected, noauth]
    default: [accepted]
  only_groups:
    description:
      - Names of groups in Mender. Only devices that are in one of them are taken.
    type: list
    elements: str
    default: []
  filters:
    description:
      - Which devices to take, in the form of Mender's inventory API. Each is a dictionary with C(scope), C(attribute),
        C(type) (such as C($eq), C($in), C($regex), C($exists)) and C(value). All must be fulfilled.
      - The server does the selection.
      - The same as O(fleet.deploy.deployment#module:fleet.filters).
    type: list
    elements: dict
    default: []
  hostnames:
    description:
      - What the hosts are called, in order of preference. The first one counts that a device has.
      - One of V(id), V(name) (the tag C(name)), V(id_attribute) and V(attributes.KEY), with a key as in O(attributes).
      - V(id_attribute) is the attribute that Mender's web interface is set to show, which costs one request.
      - A device whose names other devices have too is called by its id.
    type: list
    elements: str
    default: [id]
  ansible_host_from:
    description:
      - Where C(ansible_host) comes from. The device itself reports these addresses, so only use them in a fleet that
        you trust.
      - With V(none) it is not set.
      - With V(attributes.KEY), such as V(attributes.ipv4_eth0), it is the first address in this attribute. A number of
        bits as in C(10.0.0.5/24) is cut off.
      - Addresses of the control node itself, such as C(127.0.0.1), are not taken.
    type: str
    default: none
  online_within:
    description:
      - So many hours after C(fleet_last_seen) a device counts as online. What is sensible depends on how often the
        devices are set to report.
      - The online state is unknown if not set, since Mender tells it of single devices only.
    type: int
  group_by:
    description:
      - Groups to make, much faster than by O(keyed_groups). All names begin with O(group_prefix).
      - V(status) makes groups such as C(mender_status_accepted).
      - V(group) makes groups of those in Mender, such as C(mender_group_berlin).
      - V(device_type) makes groups such as C(mender_device_type_raspberrypi4).
      - V(artifact_name) makes groups such as C(mender_artifact_name_gateway_os_2_1).
      - V(tag) makes groups such as C(mender_tag_ring_canary), and gathers the tags. The tag C(name) makes none.
      - V(online) makes the groups C(mender_online) and C(mender_offline), and needs O(online_within).
    type: list
    elements: str
    choices: [status, group, device_type, artifact_name, tag, online]
    default: []
  group_prefix:
    description: Begins the names of the groups that O(group_by) makes.
    type: str
    default: mender_
  groups_by_filters:
    description:
      - Groups by name, each with a list of filters as in O(filters) that find its hosts, among those that are taken.
      - Costs one request for 500 hosts of each group. This is the cheap way to group by attributes.
    type: dict
    default: {}
  gather:
    description:
      - What else to fetch. Both make the server send all attributes of each device, which takes more time and memory,
        but no more requests. Better use O(attributes) if that does.
      - V(attributes) keeps them all.
      - V(tags) keeps all tags.
    type: list
    elements: str
    choices: [attributes, tags]
    default: []
  attributes:
    description:
      - Keys of the attributes to keep. One of the inventory is written as it is, such as V(kernel), one of another
        scope with the scope in front, such as V(identity/mac), V(tags/ring) or V(monitor/alerts).
      - C(mender_attributes) has them under the same keys.
      - If set, the server only sends these. If not, V(attributes) in O(gather) keeps all.
    type: list
    elements: str
    default: []
notes:
  - Old servers that have no search of devices know neither O(filters) nor O(groups_by_filters). From Mender Server 4.1
    on pages begin after an id, so that a large inventory is read quickly, and complete while devices come and go.
seealso:
  - module: fleet.deploy.deployment
"""

EXAMPLES = r"""
---
# fleet.mender.yml: all accepted devices, grouped by type and by what is installed. The address and the credentials come
# from the environment variables MENDER_URL and MENDER_TOKEN.
# Look at it with: ansible-inventory -i fleet.mender.yml --graph
plugin: fleet.deploy.mender
group_by: [device_type, artifact_name]

---
# Devices of two groups with a certain kernel, called as in the web interface.
plugin: fleet.deploy.mender
url: https://mender.example.com
token: "{{ lookup('ansible.builtin.env', 'MENDER_ADMIN_TOKEN') }}"
only_groups: [berlin, paris]
filters:
  - scope: inventory
    attribute: kernel
    type: $regex
    value: Linux version 6\..*
hostnames: [id_attribute, name]
attributes: [kernel, identity/mac]

---
# Tags become groups, and so does what a filter of the server finds.
plugin: fleet.deploy.mender
url: https://mender.example.com
token: "{{ lookup('ansible.builtin.env', 'MENDER_ADMIN_TOKEN') }}"
group_by: [tag, online]
online_within: 24
groups_by_filters:
  small_disk:
    - scope: inventory
      attribute: disk_free_mb
      type: $lt
      value: 500

---
# Hosts to connect to by the addresses that the devices report, those that wait for their admission among them.
plugin: fleet.deploy.mender
url: https://mender.example.com
token: "{{ lookup('ansible.builtin.env', 'MENDER_ADMIN_TOKEN') }}"
statuses: [accepted, pending]
hostnames: [attributes.hostname]
ansible_host_from: attributes.ipv4_eth0
group_by: [status]

---
# Expressions, for what the options above cannot do: a third of a millisecond for each expression and host.
plugin: fleet.deploy.mender
url: https://mender.example.com
token: "{{ lookup('ansible.builtin.env', 'MENDER_ADMIN_TOKEN') }}"
attributes: [hostname]
compose:
  site: mender_attributes.hostname.split('-')[0]
groups:
  no_artifact: mender_artifact_name is none
keyed_groups:
  - key: site
    prefix: site

---
# With a cache that outlives the command.
plugin: fleet.deploy.mender
url: https://mender.example.com
token: "{{ lookup('ansible.builtin.env', 'MENDER_ADMIN_TOKEN') }}"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible-inventory
cache_timeout: 600
"""

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import Connection
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Transport
from ansible_collections.fleet.deploy.plugins.module_utils._mender.api import Api
from ansible_collections.fleet.deploy.plugins.module_utils._mender.inventory import (
    SCOPES,
    Inventory,
    Key,
    Record,
    id_attribute,
    key_of,
    written,
)
from ansible_collections.fleet.deploy.plugins.module_utils._mender.options import DEFAULT_URL, PLATFORM
from ansible_collections.fleet.deploy.plugins.module_utils._mender.rules import RULES
from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory import naming
from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.plugin import (
    Device,
    FleetInventory,
    fleet_variables,
    groups_by_device,
)

HOSTNAMES = ("id", "name", "id_attribute")
ATTRIBUTES = "attributes."
NAME = "name"
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z")
# what Go writes for none
NEVER = "0001-01-01T00:00:00"


class InventoryModule(FleetInventory):
    """Devices of Mender as hosts."""

    NAME = "fleet.deploy.mender"
    PLATFORM = PLATFORM
    DEFAULT_URL = DEFAULT_URL
    FETCH_OPTIONS = (
        "statuses",
        "only_groups",
        "filters",
        "hostnames",
        "ansible_host_from",
        "group_by",
        "groups_by_filters",
        "gather",
        "attributes",
    )

    def check_options(self) -> None:
        """Refuse what cannot be meant."""
        for wish in self.get_option("hostnames"):
            if wish not in HOSTNAMES and not _key_in(wish):
                raise InvalidInput(f"hostnames has '{wish}': give {', '.join(HOSTNAMES)} or attributes.KEY.")
        source = self.get_option("ansible_host_from")
        if source != "none" and not _key_in(source):
            raise InvalidInput(f"ansible_host_from is '{source}': give none or attributes.KEY.")
        for name in ("statuses", "only_groups", "attributes"):
            if "" in self.get_option(name):
                raise InvalidInput(f"{name} has an empty entry: take it out.")
        if not self.get_option("statuses"):
            raise InvalidInput("statuses is empty: give at least one status.")
        hours = self.get_option("online_within")
        if hours is not None and hours < 1:
            raise InvalidInput(f"online_within is {hours}: give 1 hour or more.")
        if hours is None and "online" in self.get_option("group_by"):
            raise InvalidInput("group_by has 'online', which needs online_within: say after how many hours of silence.")
        self.check_group_names("groups_by_filters")
        for name, filters in self.get_option("groups_by_filters").items():
            if not isinstance(filters, list) or not filters or not all(isinstance(one, dict) for one in filters):
                raise InvalidInput(f"groups_by_filters.{name} is no list of filters: give at least one dictionary.")

    # -- fetching ----------------------------------------------------------------------------------------------

    def fetch(self, connection: Connection) -> dict[str, Any]:
        """Return the devices, and what else is asked for; None for a part that could not be had."""
        token2fa = self.evaluated("token2fa") or None
        if connection.token and token2fa:
            raise InvalidInput("token and token2fa are both given: token2fa belongs to username and password.")
        transport = Transport(connection, check_mode=True, rules=RULES, redactor=self._redactor)
        api = Api(transport, token2fa)
        try:
            shown = None
            if "id_attribute" in self.get_option("hostnames"):
                shown = self.part("the attribute that the web interface shows", lambda: id_attribute(api))
            gather = self.get_option("gather")
            scopes = {"tags"} if "tags" in gather or "tag" in self.get_option("group_by") else set()
            if "attributes" in gather and not self.get_option("attributes"):
                scopes.update(SCOPES)
            source = Inventory(
                api,
                statuses=self.get_option("statuses"),
                groups=self.get_option("only_groups"),
                filters=self.get_option("filters"),
                attributes=self._keys() | ({shown} if shown else set()),
                scopes=scopes,
            )
            devices = source.devices()
            if source.has_unlisted:
                known = {device["id"] for device in devices}
                devices += self.part("devices that only the admission knows", lambda: source.unlisted(known)) or []
            groups = {
                name: self._members(source, name, filters)
                for name, filters in self.get_option("groups_by_filters").items()
            }
        finally:
            transport.close()
        return {"devices": devices, "groups": groups, "id_attribute": list(shown) if shown else None}

    def _members(self, source: Inventory, name: str, filters: list[Mapping[str, Any]]) -> Any:
        return self.part(f"group {name}", lambda: source.members(name, filters))

    def _keys(self) -> set[Key]:
        """Return the attributes that options name."""
        named = [*self.get_option("hostnames"), self.get_option("ansible_host_from")]
        keys = [key for wish in named if (key := _key_in(wish))]
        return {key_of(key) for key in [*self.get_option("attributes"), *keys]}

    # -- mapping -----------------------------------------------------------------------------------------------

    def devices(self, records: dict[str, Any]) -> Iterator[Device]:
        """Return one device each, in the order of their ids."""
        groups = groups_by_device(records["groups"])
        shown = tuple(records["id_attribute"]) if records["id_attribute"] else None
        wishes = [self._wish(wish, shown) for wish in self.get_option("hostnames")]
        source = _key_in(self.get_option("ansible_host_from"))
        address = key_of(source) if source else None
        since = self._since()
        every = "attributes" in self.get_option("gather") and not self.get_option("attributes")
        keys = None if every else [key_of(key) for key in self.get_option("attributes")]
        tagged = "tags" in self.get_option("gather") or "tag" in self.get_option("group_by")
        for record in sorted(records["devices"], key=lambda record: str(record["id"])):
            variables = _variables(record, since, keys, tagged)
            yield Device(
                id=record["id"],
                names=[name for wish in wishes if wish for name in _texts(_value(record, wish)) if name],
                variables=variables,
                groups=[*self._groups(record, variables), *groups.get(record["id"], ())],
                address=_address(_value(record, address)) if address else None,
            )

    def _wish(self, wish: str, shown: tuple[str, ...] | None) -> Key | None:
        if wish == "id":
            return ("", "id")
        if wish == "name":
            return ("tags", NAME)
        if wish == "id_attribute":
            return (shown[0], shown[1]) if shown else None
        return key_of(_key_in(wish) or "")

    def _since(self) -> str | None:
        """Return the moment from which on a device that was seen is online, None if nothing says."""
        hours = self.get_option("online_within")
        if hours is None:
            return None
        moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    def _groups(self, record: Record, variables: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        for choice in self.get_option("group_by"):
            if choice == "online":
                online = variables["fleet_online"]
                if online is not None:
                    yield (self.group("online" if online else "offline"),)
            elif choice == "tag":
                for name, value in (variables["mender_tags"] or {}).items():
                    if name != NAME:
                        for text in _texts(value):
                            yield (self.group(choice, name, text),)
            else:
                for text in _texts(_value(record, GROUPED[choice])):
                    if text:
                        yield (self.group(choice, text),)


GROUPED: dict[str, Key] = {
    "status": ("identity", "status"),
    "group": ("system", "group"),
    "device_type": ("inventory", "device_type"),
    "artifact_name": ("inventory", "artifact_name"),
}


def _variables(record: Record, since: str | None, keys: list[Key] | None, tagged: bool) -> dict[str, Any]:
    """Return the variables of a host.

    Args:
        record: the device.
        since: from when on it is online.
        keys: the attributes that it shows; None for all, empty for none.
        tagged: whether it shows its tags.
    """
    identity, own, system, tags = (record.get(scope) or {} for scope in ("identity", "inventory", "system", "tags"))
    attributes: dict[str, Any] | None = None
    if keys is None:
        found = ((scope, record[scope]) for scope in SCOPES if scope in record)
        attributes = {written(scope, name): value for scope, values in found for name, value in values.items()}
    elif keys:
        attributes = {written(*key): _value(record, key) for key in keys if key[1] in record.get(key[0], ())}
    updated = record.get("updated_ts") or system.get("updated_ts")
    last_seen = _moment(system.get("check_in_time")) or _moment(updated)
    artifact, version = _text(own.get("artifact_name")), _text(own.get("rootfs-image.version"))
    group, name, status = (_text(value) for value in (system.get("group"), tags.get(NAME), identity.get("status")))
    variables: dict[str, Any] = {
        "mender_id": record["id"],
        "mender_name": name,
        "mender_status": status,
        "mender_group": group,
        "mender_device_type": _text(own.get("device_type")),
        "mender_artifact_name": artifact,
        "mender_rootfs_version": version,
        "mender_created_ts": system.get("created_ts"),
        "mender_updated_ts": updated,
        "mender_check_in_time": system.get("check_in_time"),
        "mender_attributes": attributes,
        "mender_tags": dict(tags) if tagged else None,
    }
    variables.update(
        fleet_variables(
            platform=PLATFORM,
            id=record["id"],
            name=name,
            state=status,
            online=last_seen >= since if last_seen and since else None,
            software={"name": artifact, "version": version} if artifact else None,
            last_seen=last_seen,
            groups=[group] if group else [],
            tags=sorted(f"{tag}={_text(value)}" for tag, value in tags.items()) if tagged else None,
        )
    )
    return variables


def _key_in(wish: str) -> str | None:
    """Return the key in C(attributes.KEY), None if there is none."""
    return wish[len(ATTRIBUTES) :] or None if wish.startswith(ATTRIBUTES) else None


def _value(record: Record, key: Key) -> Any:
    scope, name = key
    return record.get(scope, {}).get(name) if scope else record[name]


def _texts(value: Any) -> list[str]:
    """Return an attribute as texts: a device may report several."""
    if isinstance(value, str):
        return [value]
    return [] if value is None else [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _text(value: Any) -> str | None:
    """Return an attribute as one text, None if there is none."""
    return value if isinstance(value, str) else ", ".join(_texts(value)) or None


def _moment(value: Any) -> str | None:
    """Return a moment as ISO 8601 in UTC without fractions of a second; None if it is none."""
    match = MOMENT.fullmatch(value) if isinstance(value, str) else None
    return None if match is None or match[1] == NEVER else f"{match[1]}Z"


def _address(value: Any) -> str | None:
    """Return the first usable address of an attribute."""
    found = (naming.address(text.partition("/")[0].strip()) for text in _texts(value))
    return next((address for address in found if address), None)
