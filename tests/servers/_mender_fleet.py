"""Inventory and admission of devices in the simulated Mender server: the interfaces over `_mender_inventory`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from servers._mender_deployments import PLAN, Deployments
from servers._mender_http import Answer, Call, Refusal, Route, new_id, not_found, page_of, paged, stamp, typed
from servers._mender_inventory import DEVICE_STATUSES, GROUP_NAME, SCOPES, Device, Inventory, Key, Term, place

INVENTORY = "/api/management/v1/inventory"
INVENTORY_V2 = "/api/management/v2/inventory"
ADMISSION = "/api/management/v2/devauth"
DEVICE_ATTRIBUTES = "/api/devices/v1/inventory/device/attributes"
SEARCH_MAXIMUM = 500
TAGS = 20


class Fleet:
    """The interfaces of inventory and admission. `edition`: whether there are saved filters."""

    def __init__(self, features: frozenset[str], edition: str, inventory: Inventory, deployments: Deployments) -> None:
        self.features = features
        self.edition = edition
        self.inventory = inventory
        self.deployments = deployments
        self._new = "new_paging" in features

    def routes(self) -> list[Route]:
        """The interface that the version and the edition have."""
        one, group = f"{INVENTORY}/devices/{{id}}", f"{INVENTORY}/groups/{{name}}"
        saved = f"{INVENTORY_V2}/filters"
        routes = [
            Route("GET", f"{INVENTORY}/devices", self.list_devices),
            Route("GET", one, self.device),
            Route("DELETE", one, self.delete_device),
            Route("GET", f"{one}/group", self.get_group),
            Route("PUT", f"{one}/group", self.set_group),
            Route("DELETE", f"{one}/group/{{name}}", self.leave_group),
            Route("PUT", f"{one}/tags", self.set_tags),
            Route("PATCH", f"{one}/tags", self.set_tags),
            Route("GET", f"{INVENTORY}/groups", self.groups),
            Route("DELETE", group, self.delete_group),
            Route("GET", f"{group}/devices", self.members),
            Route("PATCH", f"{group}/devices", self.add_members),
            Route("DELETE", f"{group}/devices", self.remove_members),
            Route("PATCH", DEVICE_ATTRIBUTES, self.report, "device"),
            Route("PUT", DEVICE_ATTRIBUTES, self.report, "device"),
            Route("GET", f"{ADMISSION}/devices", self.list_admissions),
            Route("POST", f"{ADMISSION}/devices/search", self.search_admissions),
            Route("GET", f"{ADMISSION}/devices/count", self.count),
            Route("GET", f"{ADMISSION}/devices/{{id}}", self.admission),
            Route("DELETE", f"{ADMISSION}/devices/{{id}}", self.decommission),
            Route("PUT", f"{ADMISSION}/devices/{{id}}/auth/{{set}}/status", self.admit),
            Route("GET", f"{ADMISSION}/devices/{{id}}/auth/{{set}}/status", self.admission_status),
        ]
        if "inventory_v2" in self.features:
            routes += [
                Route("POST", f"{saved}/search", self.search),
                Route("GET", f"{saved}/attributes", self.attributes),
            ]
        if self.edition != "open_source":
            routes += [
                Route("GET", saved, self.list_filters),
                Route("POST", saved, self.create_filter),
                Route("GET", f"{saved}/{{id}}", self.get_filter),
                Route("DELETE", f"{saved}/{{id}}", self.delete_filter),
                Route("GET", f"{saved}/{{id}}/search", self.search_filter),
            ]
        return routes

    def _device(self, name: str) -> Device:
        if name not in self.inventory.devices:
            raise Refusal(404, "Device not found")
        return self.inventory.devices[name]

    # -- devices -------------------------------------------------------------------------------------------

    async def list_devices(self, call: Call) -> Answer:
        """The older list: group=, has_group=, sort=attribute:asc and scope/attribute=value."""
        page = page_of(call, new=self._new)
        tests: list[Callable[[Device], bool]] = []
        for name, values in call.query.items():
            if name in ("page", "per_page", "sort"):
                continue
            tests.append(_query_test(name, values[0]))
        found = [device for device in self.inventory.devices.values() if all(test(device) for test in tests)]
        if call.get("sort"):
            attribute, _colon, direction = call.get("sort").partition(":")
            if direction not in ("", "asc", "desc"):
                raise Refusal(400, "invalid sort order")
            found.sort(key=lambda device: place(_key(attribute), device), reverse=direction != "asc")
        else:
            found = self.inventory.unordered(found)
        answer = paged(call, page, found, new=self._new)
        answer.body = _texts(answer.body)
        return answer

    async def search(self, call: Call) -> Answer:
        """The newer list, which has a total but no links."""
        body = await call.json(checked=False)
        # released open source versions have no limit; the hosted service is newer
        hosted = "new_paging" in self.features and self.edition != "open_source"
        if hosted and isinstance(body.get("per_page"), int) and body["per_page"] > SEARCH_MAXIMUM:
            raise Refusal(400, f'parameter "per_page" above limit (max: {SEARCH_MAXIMUM})')
        devices, total, selected = self.inventory.search(body)
        return Answer(body=_texts(devices, selected), headers={"X-Total-Count": str(total)})

    async def attributes(self, call: Call) -> Answer:
        """The names of the attributes."""
        return Answer(body=self.inventory.attribute_names())

    async def device(self, call: Call) -> Answer:
        """One device."""
        device = self._device(call["id"])
        return Answer(body=device.json(None), headers={"ETag": _etag(device)})

    async def delete_device(self, call: Call) -> Answer:
        """Delete what inventory knows of a device."""
        self.inventory.remove(call["id"])
        return Answer(204)

    async def set_tags(self, call: Call) -> Answer:
        """Replace or change tags; 412 when somebody else changed them since they were read."""
        tags = await call.json(list)
        device = self._device(call["id"])
        wanted = call.request.headers.get("If-Match", "")
        if wanted and wanted != _etag(device):
            raise Refusal(412, "ETag does not match")
        changes: dict[Key, Any] = {}
        if call.method == "PUT":
            changes = {key: None for key in device.names() if key[0] == "tags"}
        for tag in tags:
            if not isinstance(tag, dict) or not isinstance(tag.get("name"), str) or not tag["name"]:
                raise Refusal(400, "name: cannot be blank.")
            changes["tags", tag["name"]] = tag.get("value")
        if len([value for value in changes.values() if value is not None]) > TAGS:
            raise Refusal(400, f"cannot have more than {TAGS} tags")
        self.inventory.change(device.id, changes)
        return Answer(headers={"ETag": _etag(device)})

    async def report(self, call: Call) -> Answer:
        """A device reports its attributes."""
        attributes = await call.json(list)
        if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in attributes):
            raise Refusal(400, "name: cannot be blank.")
        self._device(call.device)
        self.inventory.change(call.device, {("inventory", str(one["name"])): one.get("value") for one in attributes})
        return Answer(200)

    # -- groups --------------------------------------------------------------------------------------------

    async def groups(self, call: Call) -> Answer:
        """The names of all groups."""
        return Answer(body=self.inventory.groups(call.get("status")))

    def _members(self, call: Call) -> list[str]:
        found = self.inventory.members(call["name"])
        if not found:
            raise Refusal(404, "group not found")
        return found

    async def members(self, call: Call) -> Answer:
        """The ids of the devices of a group, in pages."""
        return paged(call, page_of(call, new=self._new), self._members(call), new=self._new)

    async def add_members(self, call: Call) -> Answer:
        """Put devices into a group, which makes it."""
        ids = await call.json(list)
        if not GROUP_NAME.fullmatch(call["name"]):
            raise Refusal(400, "Group name can only contain: upper/lowercase alphanum, -(dash), _(underscore)")
        if not ids:
            raise Refusal(400, "no device IDs present in payload")
        matched, changed = self.inventory.set_group(map(str, ids), call["name"])
        return Answer(body={"matched_count": matched, "updated_count": changed})

    async def remove_members(self, call: Call) -> Answer:
        """Take devices out of a group."""
        matched, changed = self.inventory.set_group(map(str, await call.json(list)), "", call["name"])
        return Answer(body={"matched_count": matched, "updated_count": changed})

    async def delete_group(self, call: Call) -> Answer:
        """Take all devices out of a group."""
        _matched, changed = self.inventory.set_group(self._members(call), "", call["name"])
        return Answer(body={"updated_count": changed})

    async def get_group(self, call: Call) -> Answer:
        """The group of a device."""
        return Answer(body={"group": self._device(call["id"]).group or None})

    async def set_group(self, call: Call) -> Answer:
        """Put a device into a group."""
        body = await call.json()
        typed(body, {"group": str})
        if not GROUP_NAME.fullmatch(body.get("group") or ""):
            raise Refusal(400, "Group name can only contain: upper/lowercase alphanum, -(dash), _(underscore)")
        self.inventory.set_group([self._device(call["id"]).id], body["group"])
        return Answer(204)

    async def leave_group(self, call: Call) -> Answer:
        """Take a device out of its group."""
        if self._device(call["id"]).group != call["name"]:
            raise Refusal(404, "Device not found")
        self.inventory.set_group([call["id"]], "")
        return Answer(204)

    # -- saved filters -------------------------------------------------------------------------------------

    async def list_filters(self, call: Call) -> Answer:
        """The saved filters."""
        return paged(call, page_of(call, new=self._new), list(self.deployments.filters.values()), new=self._new)

    async def create_filter(self, call: Call) -> Answer:
        """Save a filter."""
        body = await call.json()
        if self.edition != "enterprise":
            raise Refusal(403, PLAN)
        typed(body, {"name": str, "terms": list})
        if not body.get("name") or not body.get("terms"):
            raise Refusal(400, "name: cannot be blank; terms: cannot be blank.")
        for raw in body["terms"]:
            Term(raw)
        if any(other["name"] == body["name"] for other in self.deployments.filters.values()):
            raise Refusal(409, "filter with this name already exists")
        name = new_id()
        self.deployments.filters[name] = {"id": name, "name": body["name"], "terms": body["terms"]}
        return Answer(201, headers={"Location": f"{INVENTORY_V2}/filters/{name}"})

    def _filter(self, call: Call) -> dict[str, Any]:
        if call["id"] not in self.deployments.filters:
            raise not_found()
        return self.deployments.filters[call["id"]]

    async def get_filter(self, call: Call) -> Answer:
        """One saved filter."""
        return Answer(body=self._filter(call))

    async def delete_filter(self, call: Call) -> Answer:
        """Delete a saved filter."""
        self.deployments.filters.pop(call["id"], None)
        return Answer(204)

    async def search_filter(self, call: Call) -> Answer:
        """The devices of a saved filter."""
        page = page_of(call, new=self._new)
        question = {"filters": self._filter(call)["terms"], "page": page.number, "per_page": page.size}
        devices, total, _selected = self.inventory.search(question)
        return Answer(body=_texts(devices), headers={"X-Total-Count": str(total)})

    # -- admission -----------------------------------------------------------------------------------------

    def _admissions(self, call: Call, statuses: list[str], ids: list[str]) -> Answer:
        page = page_of(call, new=self._new)
        if set(statuses) - set(DEVICE_STATUSES):
            raise Refusal(400, "filter status must be one of: accepted, pending, rejected, preauthorized or noauth")
        found = [
            device
            for device in self.inventory.devices.values()
            if (not statuses or device.status in statuses) and (not ids or device.id in ids)
        ]
        answer = paged(call, page, found, new=False)
        del answer.headers["X-Total-Count"]
        answer.body = [device.admission() for device in answer.body]
        return answer

    async def list_admissions(self, call: Call) -> Answer:
        """Devices with their admission; a list without a total."""
        return self._admissions(call, call.query.get("status", []), call.query.get("id", []))

    async def search_admissions(self, call: Call) -> Answer:
        """The same with the question in the body."""
        body = await call.json()
        status, ids = (body.get(name) or [] for name in ("status", "id"))
        statuses = [status] if isinstance(status, str) else status
        for values in (statuses, ids):
            if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
                raise Refusal(400, "failed to decode request body: json: cannot unmarshal into Go struct field")
        return self._admissions(call, statuses, ids)

    async def count(self, call: Call) -> Answer:
        """How many devices have a status."""
        status = call.get("status")
        return Answer(body={"count": sum(status in ("", d.status) for d in self.inventory.devices.values())})

    async def admission(self, call: Call) -> Answer:
        """The admission of one device."""
        return Answer(body=self._device(call["id"]).admission())

    async def admission_status(self, call: Call) -> Answer:
        """The status of the one identity of a device."""
        return Answer(body={"status": self._device(call["id"]).status})

    async def decommission(self, call: Call) -> Answer:
        """Take a device out of service, which ends its deployments."""
        device = self._device(call["id"])
        self.deployments.leave(device.id, "decommissioned")
        self.inventory.remove(device.id)
        return Answer(204)

    async def admit(self, call: Call) -> Answer:
        """Accept or reject a device."""
        body = await call.json()
        if body.get("status") not in ("accepted", "rejected", "pending"):
            raise Refusal(400, "incorrect device status")
        device = self._device(call["id"])
        device.status = body["status"]
        device.updated = time.time()
        device.rendered = None
        self.inventory.touch()
        return Answer(204)


def _texts(devices: list[Device], selected: tuple[Key, ...] | None = None) -> str:
    return f"[{','.join(device.json(selected) for device in devices)}]"


def _key(text: str) -> Key:
    """scope/attribute; inventory is what is meant without a scope."""
    scope, slash, name = text.partition("/")
    return (scope, name) if slash and scope in SCOPES else ("inventory", text)


def _query_test(name: str, value: str) -> Callable[[Device], bool]:
    if name == "group":
        return lambda device: device.group == value
    if name == "has_group":
        if value not in ("true", "false"):
            raise Refusal(400, "invalid has_group query")
        return lambda device: bool(device.group) == (value == "true")
    key, wanted = _key(name), value.removeprefix("eq:")

    def test(device: Device) -> bool:
        found = device.get(key)
        values = found if isinstance(found, list) else [found]
        return any(str(one) == wanted for one in values if one is not None)

    return test


def _etag(device: Device) -> str:
    return f'"{device.id[:8]}-{device.revision}-{stamp(device.updated)}"'
