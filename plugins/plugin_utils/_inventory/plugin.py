# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory plugins share: options, cache, names, variables and groups. Private to the collection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import (
    CREDENTIALS,
    Connection,
    connect_options,
)
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError, InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._core.redact import Redactor

from . import naming
from .unsafe import untrusted

CONNECTION = (
    "url",
    *CREDENTIALS,
    "validate_certs",
    "ca_path",
    "client_cert",
    "client_key",
    "request_timeout",
    "request_retries",
)
TEMPLATED = ("url", *CREDENTIALS)
# what get_option_and_origin says of a value in the inventory file
FROM_FILE = "Direct"
# Part of the cache's key: goes up when the records change their form.
FORMAT = 1
SHOWN = 3


@dataclass(frozen=True)
class Device:
    """A device on its way into the inventory.

    Args:
        id: its id on the platform, which no other device has.
        names: what its host may be called, in order of preference.
        variables: variables of the host; those of C(fleet_variables) among them.
        groups: paths of groups, each from the outermost one to the one that the host is in.
        address: C(ansible_host), if that is wanted and known.
    """

    id: str
    names: list[str]
    variables: dict[str, Any]
    groups: list[tuple[str, ...]] = field(default_factory=list)
    address: str | None = None


def fleet_variables(
    *,
    platform: str,
    id: str,
    name: str | None,
    state: str | None,
    online: bool | None,
    software: Mapping[str, Any] | None,
    last_seen: str | None,
    groups: list[str] | None,
    tags: list[str] | None,
) -> dict[str, Any]:
    """Return the variables that hosts of all platforms have; None where it is unknown.

    Args:
        software: C(name) and C(version) of what is installed.
        last_seen: ISO 8601 in UTC.
    """
    return {
        "fleet_platform": platform,
        "fleet_id": id,
        "fleet_name": name,
        "fleet_state": state,
        "fleet_online": online,
        "fleet_software": software,
        "fleet_last_seen": last_seen,
        "fleet_groups": groups,
        "fleet_tags": tags,
    }


def groups_by_device(members: Mapping[str, Iterable[str] | None]) -> dict[str, list[tuple[str, ...]]]:
    """Return the groups by id of the devices in them, as C(Device) has them.

    Args:
        members: ids by name of the group; None for one that could not be had.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    for name, ids in members.items():
        for id in ids or ():
            found.setdefault(id, []).append((name,))
    return found


class FleetInventory(BaseInventoryPlugin, Constructable, Cacheable):
    """An inventory of one platform. A platform's own class says what to fetch and how it becomes devices."""

    PLATFORM: str
    # the address where the platform has a public one
    DEFAULT_URL: str | None = None
    # options that decide what is fetched, besides those of the connection
    FETCH_OPTIONS: tuple[str, ...]

    # device data may become the name of a group, whatever ansible.cfg says about invalid characters
    _sanitize_group_name = staticmethod(naming.group_name)

    def fetch(self, connection: Connection) -> dict[str, Any]:
        """Return what the server says, as JSON data without secrets. Raises FleetError."""
        raise NotImplementedError

    def devices(self, records: dict[str, Any]) -> Iterable[Device]:
        """Return the devices of these records, in a stable order."""
        raise NotImplementedError

    def check_options(self) -> None:
        """Raise InvalidInput for options that cannot be meant so."""

    # -- called by Ansible -------------------------------------------------------------------------------------

    def verify_file(self, path: str) -> bool:
        """Tell by its name whether a file is for this plugin."""
        names = tuple(f"{self.PLATFORM}.{extension}" for extension in ("yml", "yaml"))
        return bool(super().verify_file(path)) and path.endswith(names)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory from one file."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._incomplete = False
        self._redactor = Redactor()
        try:
            self.check_options()
            connection = self._connection()
            self._redactor.add(connection.password, connection.token)
            self._populate(list(self.devices(self._records(connection, path, cache))))
        except FleetError as error:
            # one sentence: newer releases of Ansible would print the cause as well
            raise AnsibleParserError(error.msg) from None

    # -- options -----------------------------------------------------------------------------------------------

    def _connection(self) -> Connection:
        values = {name: self.get_option(name) for name in CONNECTION}
        for name in TEMPLATED:
            value, origin = self.get_option_and_origin(name)
            if name in CREDENTIALS and origin != FROM_FILE:
                # connect_options decides whether the environment counts
                values[name] = None
            else:
                values[name] = self._from_file(name, value, origin)
        return connect_options(values, self.PLATFORM, self.DEFAULT_URL)

    def evaluated(self, name: str) -> Any:
        """Return an option that may be a template in the inventory file, and nowhere else."""
        return self._from_file(name, *self.get_option_and_origin(name))

    def _from_file(self, name: str, value: Any, origin: Any) -> Any:
        return self._template(name, value) if origin == FROM_FILE and value is not None else value

    def _template(self, name: str, value: Any) -> str:
        self.templar.available_variables = self._vars
        try:
            if self.templar.is_template(value):
                value = self.templar.template(value)
        except AnsibleError as error:
            raise InvalidInput(f"{name} is a template that cannot be evaluated: {error}") from None
        return str(value)

    def check_group_names(self, option: str) -> None:
        """Refuse an option whose keys cannot all be names of groups."""
        for name in self.get_option(option):
            if naming.group_name(name) != name:
                raise InvalidInput(
                    f"{option} has '{name}', which cannot be the name of a group: use letters, digits and underscores."
                )

    def group(self, *parts: str) -> str:
        """Return the name of a group that group_by makes."""
        return naming.group_name(self.get_option("group_prefix") + "_".join(parts))

    # -- records -----------------------------------------------------------------------------------------------

    def _records(self, connection: Connection, path: str, may_read: bool) -> dict[str, Any]:
        """Return the records from the cache, or from the server and put them into the cache."""
        if not self.get_option("cache"):
            return self.fetch(connection)
        key = self._cache_key(connection, path)
        if may_read:
            try:
                cached: dict[str, Any] = self._cache[key]
            except KeyError:
                pass
            else:
                return cached
        records = self.fetch(connection)
        if not self._incomplete:
            self._cache[key] = records
        return records

    def _cache_key(self, connection: Connection, path: str) -> str:
        """Return core's key, which knows the path only, with a digest of all that decides about the records."""
        shape = {name: self.get_option(name) for name in self.FETCH_OPTIONS}
        # what one user or tenant may see is not for another one; only the digest leaves this function
        shape.update(format=FORMAT, url=connection.url, username=connection.username, token=connection.token)
        digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()
        return f"{self.get_cache_key(path)}_{digest[:16]}"

    def part(self, what: str, fetch: Callable[[], Any]) -> Any:
        """Return what C(fetch) returns; None if it fails and the user wants to go on."""
        try:
            return fetch()
        except InvalidInput:
            raise
        except FleetError as error:
            if self.get_option("on_partial_failure") == "fail":
                raise
            self._incomplete = True
            self.warn(f"{error.msg} The inventory goes on without {what}.")
            return None

    # -- inventory ---------------------------------------------------------------------------------------------

    def _populate(self, devices: list[Device]) -> None:
        reserved = {"all", "ungrouped", *self.inventory.groups}
        reserved.update(naming.group_name(name) for name in self.get_option("groups"))
        reserved.update(group for device in devices for path in device.groups for group in path)
        chosen = naming.choose({device.id: device.names for device in devices}, self.PLATFORM, reserved)
        self._tell_about_names(chosen)
        for device in devices:
            host = self.inventory.get_host(self.inventory.add_host(chosen.names[device.id]))
            # set_variable would check each name, for a large fleet as long as all the rest takes
            host.vars.update(untrusted(device.variables))
            if device.address:
                host.set_variable("ansible_host", device.address)
            for path in device.groups:
                self._add_to(path, host)
            self._construct(host)

    def _add_to(self, path: tuple[str, ...], host: Any) -> None:
        parent = None
        for name in path:
            if name not in self.inventory.groups:
                self.inventory.add_group(name)
            if parent is not None:
                self.inventory.add_child(parent, name)
            parent = name
        self.inventory.groups[parent].add_host(host)

    def _construct(self, host: Any) -> None:
        """Apply compose, groups and keyed_groups; each expression costs a third of a millisecond."""
        strict = self.get_option("strict")
        if self.get_option("compose"):
            self._set_composite_vars(self.get_option("compose"), host.get_vars(), host.name, strict=strict)
        if self.get_option("groups") or self.get_option("keyed_groups"):
            variables = host.get_vars()
            self._add_host_to_composed_groups(
                self.get_option("groups"), variables, host.name, strict=strict, fetch_hostvars=False
            )
            self._add_host_to_keyed_groups(
                self.get_option("keyed_groups"), variables, host.name, strict=strict, fetch_hostvars=False
            )

    def _tell_about_names(self, chosen: naming.Naming) -> None:
        told = [
            f"{len(ids)} devices would have the name '{name}': {self._called(ids, chosen)}."
            for name, ids in chosen.shared.items()
        ]
        told += [
            f"'{name}' cannot be the name of a host: {self._called(ids, chosen)}."
            for name, ids in chosen.unusable.items()
        ]
        for text in told[:SHOWN]:
            self.warn(text)
        if len(told) > SHOWN:
            self.warn(f"{len(told) - SHOWN} more names are shared by devices or cannot be used.")

    @staticmethod
    def _called(ids: list[str], chosen: naming.Naming) -> str:
        """Say of the first few devices what they are called."""
        called = [f"{id} is called {chosen.names[id]}" for id in ids[:SHOWN]]
        return ", ".join(called + [f"and {len(ids) - SHOWN} more"] * (len(ids) > SHOWN))

    def warn(self, text: str) -> None:
        """Tell the user something; what devices say in it loses its control characters."""
        self.display.warning(f"fleet.deploy.{self.PLATFORM}: {self._redactor.clean(text)}")
