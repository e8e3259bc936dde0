"""A hawkBit in a hundred tricks: the parts of the Management API that the modules use, for each generation of it.

Its answers are shaped as those of the releases 0.3.0M7 ("seed"), 0.9.0 ("legacy") and 1.0.4 ("modern"). It is no
simulation of what the server decides: rollouts move when a test moves them.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from servers.scripted import Arrived, ScriptedServer, Wire

Answer = tuple[int, Any]
# What the server takes for the moment before which a target is overdue.
OVERDUE_BEFORE = 1_000_000
FIELDS = {
    "seed": {"id", "status"},
    "legacy": {"id", "status", "detailstatus", "distributionset.id", "rollout.id", "target.controllerid"},
    "modern": {"id", "status", "active", "distributionset.id", "rollout.id", "target.controllerid"},
}
VERBS = {
    "start": ("ready", "starting"),
    "pause": ("running", "paused"),
    "resume": ("paused", "running"),
    "approve": ("waiting_for_approval", "ready"),
    "deny": ("waiting_for_approval", "approval_denied"),
}


@dataclass
class FakeAction:
    """One action as the server keeps it; `history` is (type, messages), oldest first."""

    id: int
    controller_id: str
    set_id: int
    status: str = "running"
    active: bool = True
    type: str = "update"
    force_type: str = "forced"
    rollout: int | None = None
    code: int | None = None
    weight: int | None = None
    force_time: int | None = None
    history: list[tuple[str, list[str | None] | None]] = field(default_factory=list)

    def fields(self, generation: str) -> dict[str, Any]:
        """Return what RSQL sees."""
        old = "pending" if self.active else "finished"
        return {
            "id": self.id,
            "status": self.status if generation == "modern" else old,
            "detailstatus": self.status,
            "active": self.active,
            "distributionset.id": self.set_id,
            "rollout.id": self.rollout,
            "target.controllerid": self.controller_id,
        }


class FakeHawkbit:
    """Answers as the Management API does.

    `on` looks at each request before it is answered; `refuse` has answers for requests whose whole line matches.
    """

    def __init__(self, generation: str = "modern") -> None:
        self.generation = generation
        self.targets: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[str]] = {}
        self.groups_of: dict[str, str] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.types: list[dict[str, Any]] = []
        self.assigned: dict[str, int] = {}
        self.installed: dict[str, int] = {}
        self.sets: dict[int, dict[str, Any]] = {}
        self.actions: list[FakeAction] = []
        self.filters: dict[str, str] = {}
        self.rollouts: dict[int, dict[str, Any]] = {}
        self.groups: dict[int, list[dict[str, Any]]] = {}
        self.configuration: dict[str, Any] = {"pollingTime": {"value": "00:05:00"}}
        self.refuse: list[tuple[str, Answer]] = []
        self.on: Callable[[Arrived], None] = lambda request: None
        self.ids = itertools.count(1)
        self.server = ScriptedServer(default=self._step)

    # -- what a test arranges ----------------------------------------------------------------------------------

    def add_targets(self, *ids: str, **fields: Any) -> None:
        """Register targets that poll."""
        for controller_id in ids:
            self.targets[controller_id] = {
                "controllerId": controller_id,
                "name": f"Device {controller_id}",
                "updateStatus": "registered",
                "lastControllerRequestAt": OVERDUE_BEFORE + 1,
                "securityToken": f"token-of-{controller_id}",
                **fields,
            }

    def add_set(self, name: str = "os", version: str = "1", **fields: Any) -> int:
        """Create a distribution set; return its id."""
        number = next(self.ids)
        found = {"id": number, "name": name, "version": version, "type": "os", "complete": True, "valid": True}
        self.sets[number] = {**found, "modules": [], **fields}
        return number

    def assign(self, set_id: int, *ids: str, **fields: Any) -> list[FakeAction]:
        """Assign a set as the server does."""
        made = []
        for controller_id in ids:
            for old in self.actions:
                if old.controller_id == controller_id and old.active and not self.beside:
                    old.status, old.type = "canceling", "cancel"
            action = FakeAction(len(self.actions) + 1, controller_id, set_id, **fields)
            self.actions.append(action)
            self.assigned[controller_id] = set_id
            self.targets[controller_id]["updateStatus"] = "pending"
            made.append(action)
        return made

    def report(self, controller_id: str, status: str, *messages: str | None, code: int | None = None) -> None:
        """Have a device report about its newest action."""
        action = next(action for action in reversed(self.actions) if action.controller_id == controller_id)
        action.history.append((status, list(messages)))
        action.code = code
        self.end(action, status)

    def end(self, action: FakeAction, status: str) -> None:
        """Give an action a state, which may be its end."""
        action.status = status
        if status == "downloaded" and action.force_type == "downloadonly":
            action.active = False
            self.targets[action.controller_id]["updateStatus"] = "in_sync"
        if status == "finished":
            self.installed[action.controller_id] = action.set_id
        ends = {"finished": "in_sync", "error": "error", "canceled": "in_sync"}
        if status in ends:
            action.active = False
            self.targets[action.controller_id]["updateStatus"] = ends[status]
            if status != "finished":
                del self.assigned[action.controller_id]

    def ask_late(self, controller_id: str) -> None:
        """Have a device ask for its update after it has reported the end (eclipse/hawkbit issue 1085)."""
        action = next(action for action in reversed(self.actions) if action.controller_id == controller_id)
        action.history.append(("retrieved", [None]))
        action.status = "retrieved"

    def add_rollout(self, name: str, status: str = "running", **fields: Any) -> int:
        """Create a rollout of the first set; return its id."""
        number = next(self.ids)
        self.rollouts[number] = {
            "id": number,
            "name": name,
            "status": status,
            "distributionSetId": next(iter(self.sets), 0),
            "targetFilterQuery": "controllerid==*",
            "totalTargets": 0,
            "totalTargetsPerStatus": {},
            "type": "forced",
            "createdAt": 1795168061254,
            **fields,
        }
        self.groups[number] = []
        return number

    def add_group(self, rollout: int, name: str, status: str = "running", **fields: Any) -> None:
        """Add a group to a rollout; counts as keyword arguments, conditions as the API has them."""
        counts = {key: fields.pop(key) for key in ("running", "notstarted", "finished", "error") if key in fields}
        self.groups[rollout].append(
            {
                "id": next(self.ids),
                "name": name,
                "status": status,
                "totalTargets": sum(counts.values()),
                "totalTargetsPerStatus": counts,
                "successCondition": {"condition": "THRESHOLD", "expression": "100"},
                "successAction": {"action": "NEXTGROUP", "expression": ""},
                "errorCondition": {"condition": "THRESHOLD", "expression": "0"},
                "members": [],
                **fields,
            }
        )

    # -- what a test looks at ----------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """Method and address of each request, decoded, without the part that all share."""
        return [f"{r.method} {unquote(r.target).removeprefix('/rest/v1')}" for r in self.server.requests]

    @property
    def writes(self) -> list[str]:
        """Those that were no GET."""
        return [line for line in self.lines if not line.startswith("GET ")]

    def bodies(self, line: str) -> list[Any]:
        """Return the bodies of the requests whose method and path are these."""
        return [
            request.json
            for request in self.server.requests
            if f"{request.method} {urlsplit(request.target).path.removeprefix('/rest/v1')}" == line
        ]

    def forget(self) -> None:
        """Forget the requests so far."""
        self.server.requests.clear()

    # -- answering ---------------------------------------------------------------------------------------------

    def _step(self, wire: Wire) -> None:
        request = wire.read_request()
        self.on(request)
        status, data = self._answer(request)
        body = b"" if data is None else json.dumps(data).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.send(head.encode() + body)

    def _answer(self, request: Arrived) -> Answer:
        parts = urlsplit(request.target)
        path = parts.path.removeprefix("/rest/v1")
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for pattern, refusal in self.refuse:
            if re.fullmatch(pattern, f"{request.method} {unquote(request.target).removeprefix('/rest/v1')}"):
                return refusal
        body = request.json if request.body else None
        for pattern, handler in ROUTES:
            if match := re.fullmatch(pattern, f"{request.method} {path}"):
                try:
                    return handler(self, *map(unquote, match.groups()), parameters=parameters, body=body)
                except KeyError as error:
                    return 404, no_entity(self.generation, error.args[0])
                except Refused as refused:
                    return refused.answer
        return 404, self.plain(404, path)

    def plain(self, status: int, path: str) -> dict[str, Any]:
        """Return the body of an error that Spring makes."""
        words = {404: "Not Found", 405: "Method Not Allowed"}[status]
        more = {"message": "", "path": f"/rest/v1{path}"} if self.generation == "seed" else {}
        return {"timestamp": "2026-11-20T09:51:07.744+00:00", "status": status, "error": words, **more}

    def page(self, items: list[dict[str, Any]], parameters: Mapping[str, str]) -> Answer:
        """Return a page of a list."""
        offset, limit = int(parameters.get("offset", 0)), min(500, int(parameters.get("limit", 50)) or 50)
        content = items[offset : offset + limit]
        return 200, {"content": content, "total": len(items), "size": len(content)}

    def list_targets(self, *, parameters: dict[str, str], body: Any) -> Answer:
        found = [item for cid, item in self.targets.items() if rsql(parameters.get("q"), self._target_fields(cid))]
        return self.page(found, parameters)

    def _target_fields(self, controller_id: str) -> dict[str, Any]:
        item = self.targets[controller_id]
        fields = {
            "controllerid": controller_id,
            "name": item["name"],
            "updatestatus": item["updateStatus"],
            "lastcontrollerrequestat": item.get("lastControllerRequestAt"),
            "tag": [tag for tag, ids in self.tags.items() if controller_id in ids],
        }
        return fields if self.generation != "modern" else {**fields, "group": self.groups_of.get(controller_id)}

    def create_targets(self, *, parameters: dict[str, str], body: Any) -> Answer:
        if any(item["controllerId"] in self.targets for item in body):
            return 409, error("repo.entityAlreadyExists", "The given entity already exists in database")
        for item in body:
            self.add_targets(item["controllerId"], **item)
            if self.generation == "modern" and item.get("group"):
                self.groups_of[item["controllerId"]] = item["group"]
        return 201, [self.targets[item["controllerId"]] for item in body]

    def read_target(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, self.targets[controller_id]

    def update_target(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        target = self.targets[controller_id]
        target.update(body)
        if target.get("targetType") == -1:
            del target["targetType"]
        return 200, target

    def delete_target(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        del self.targets[controller_id]
        return 200 if self.generation != "modern" else 204, None

    # -- what belongs to targets -------------------------------------------------------------------------------

    def list_metadata(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        _known = self.targets[controller_id]
        entries = [{"key": key, "value": value} for key, value in self.metadata.get(controller_id, {}).items()]
        if self.generation != "seed":
            return 200, {"content": entries, "total": len(entries), "size": len(entries)}
        return self.page([entry for entry in entries if rsql(parameters.get("q"), entry)], parameters)

    def create_metadata(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        _known = self.targets[controller_id]
        entries = self.metadata.setdefault(controller_id, {})
        if any(entry["key"] in entries for entry in body):
            return 409, error("repo.entityAlreadyExists", "Metadata entry with that key already exists")
        entries.update({entry["key"]: entry["value"] for entry in body})
        return 201, body if self.generation == "seed" else None

    def read_metadata(self, controller_id: str, key: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, {"key": key, "value": self.metadata[controller_id][key]}

    def update_metadata(self, controller_id: str, key: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation != "modern":
            _known = self.metadata[controller_id][key]
        self.metadata.setdefault(controller_id, {})[key] = body["value"]
        return 204 if self.generation == "modern" else 200, None

    def delete_metadata(self, controller_id: str, key: str, *, parameters: dict[str, str], body: Any) -> Answer:
        del self.metadata[controller_id][key]
        return 204 if self.generation == "modern" else 200, None

    def list_tags(self, *, parameters: dict[str, str], body: Any) -> Answer:
        return self.page([{"id": number, "name": name} for number, name in enumerate(self.tags, 1)], parameters)

    def _tagged(self, number: str) -> list[str]:
        return list(self.tags.values())[int(number) - 1]

    def list_tagged(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        ids = [one for one in self._tagged(number) if rsql(parameters.get("q"), self._target_fields(one))]
        return self.page([self.targets[one] for one in ids], parameters)

    def tag_by_post(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        as_objects = all(isinstance(one, dict) for one in body)
        if as_objects is not (self.generation == "seed"):
            return 400, error("rest.body.notReadable", "The given request body is not well formed")
        return self._tag(number, [one["controllerId"] for one in body] if as_objects else body)

    def tag_by_put(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation != "legacy":
            return 405, self.plain(405, f"/targettags/{number}/assigned")
        return self._tag(number, body)

    def _tag(self, number: str, ids: list[str]) -> Answer:
        _known = [self.targets[one] for one in ids]
        members = self._tagged(number)
        members += [one for one in ids if one not in members]
        return 200, None

    def untag(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation == "seed":
            return 405, self.plain(405, f"/targettags/{number}/assigned")
        for one in body:
            self.untag_one(number, one, parameters={}, body=None)
        return 204, None

    def untag_one(self, number: str, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        _known = self.targets[controller_id]
        members = self._tagged(number)
        members[:] = [one for one in members if one != controller_id]
        return 204, None

    def list_types(self, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation == "seed":
            return 404, self.plain(404, "/targettypes")
        return self.page([item for item in self.types if rsql(parameters.get("q"), item)], parameters)

    def read_type(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, next(item for item in self.types if item["id"] == int(number))

    def group_targets_of(self, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation != "modern":
            return 404, self.plain(404, "/targetgroups/assigned")
        for one in set(body) & self.targets.keys():
            group = parameters.get("group")
            self.targets[one]["group"] = self.groups_of[one] = group or ""
        return 204, None

    def list_actions(self, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation == "seed":
            return 404, self.plain(404, "/actions")
        # also where there is nothing to look at
        rsql(parameters.get("q"), dict.fromkeys(FIELDS[self.generation], "0"))
        found = [a for a in self._newest_first(self.actions, parameters) if self._matches(a, parameters)]
        full = parameters.get("representation") == "full"
        return self.page([self.action(action, single=full) for action in found], parameters)

    def list_actions_of(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        _known = self.targets[controller_id]
        ordered = self._newest_first(self.actions, parameters)
        found = [a for a in ordered if a.controller_id == controller_id and self._matches(a, parameters)]
        return self.page([self.action(action) for action in found], parameters)

    def _newest_first(self, actions: list[FakeAction], parameters: Mapping[str, str]) -> list[FakeAction]:
        return list(reversed(actions)) if parameters.get("sort") == "id:DESC" else list(actions)

    def _matches(self, action: FakeAction, parameters: Mapping[str, str]) -> bool:
        fields = action.fields(self.generation)
        return rsql(parameters.get("q"), {name: fields[name] for name in FIELDS[self.generation]})

    def action(self, action: FakeAction, single: bool = False) -> dict[str, Any]:
        """Return an action as this generation's API has it."""
        fields = action.fields(self.generation)
        address = f"{self.server.url}/rest/v1/targets/{quote(action.controller_id, safe='')}/actions/{action.id}"
        links: dict[str, Any] = {"self": {"href": address}}
        if single:
            links["distributionset"] = {"href": f"{self.server.url}/rest/v1/distributionsets/{action.set_id}"}
            if self.generation != "seed":
                found = self.sets[action.set_id]
                links["distributionset"]["name"] = f"{found['name']}:{found['version']}"
        shown = {
            "id": action.id,
            "type": action.type,
            "status": fields["status"],
            "forceType": action.force_type,
            "createdAt": 1795168061254,
            "_links": links,
        }
        if action.force_time is not None:
            shown["forceTime"] = action.force_time
        if self.generation == "modern":
            shown["active"] = action.active
        if self.generation == "legacy":
            shown["detailStatus"] = action.status
        if action.code is not None and self.generation != "seed":
            shown["lastStatusCode"] = action.code
        return shown

    def _action_of(self, controller_id: str, number: str) -> FakeAction:
        for action in self.actions:
            if (action.controller_id, str(action.id)) == (controller_id, number):
                return action
        raise KeyError("Action")

    def read_action(self, controller_id: str, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, self.action(self._action_of(controller_id, number), single=True)

    def cancel_action(self, controller_id: str, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        action = self._action_of(controller_id, number)
        if "force" in parameters:
            if action.type != "cancel" or not action.active:
                return 405, error("action.notForceQuitable", f"{number} is not canceled yet and cannot be force quit")
            self.end(action, "canceled")
            return 204, None
        if action.type == "cancel" or not action.active:
            return 405, error("action.notCancelable", "Actions in canceling or canceled state cannot be canceled")
        action.type, action.status = "cancel", "canceling"
        return 204, None

    def force_action(self, controller_id: str, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        action = self._action_of(controller_id, number)
        action.force_type = body["forceType"]
        return 200, self.action(action, single=True)

    def confirm_action(self, controller_id: str, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation == "seed":
            return 404, self.plain(404, f"/targets/{controller_id}/actions/{number}/confirmation")
        action = self._action_of(controller_id, number)
        if not action.active:
            return 410, None
        if action.status != "wait_for_confirmation":
            return 404, None
        if body["confirmation"] == "confirmed":
            action.status = "running"
        action.history.append((action.status, body["details"]))
        return 204 if self.generation == "modern" else 200, None

    def history(self, controller_id: str, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        entries = [
            {"id": index, "type": kind, "messages": messages, "reportedAt": 1795168060678}
            for index, (kind, messages) in enumerate(self._action_of(controller_id, number).history, 1)
        ]
        return self.page(list(reversed(entries)), parameters)

    def list_sets(self, *, parameters: dict[str, str], body: Any) -> Answer:
        return self.page([item for item in self.sets.values() if rsql(parameters.get("q"), item)], parameters)

    def read_set(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if int(number) not in self.sets:
            raise KeyError("DistributionSet")
        return 200, self.sets[int(number)]

    def assigned_targets(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return self._having(self.assigned, number, parameters)

    def installed_targets(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return self._having(self.installed, number, parameters)

    def _having(self, which: Mapping[str, int], number: str, parameters: Mapping[str, str]) -> Answer:
        having = [cid for cid, set_id in which.items() if set_id == int(number) and cid in self.targets]
        found = [self.targets[cid] for cid in having if rsql(parameters.get("q"), self._target_fields(cid))]
        return self.page(found, parameters)

    def assign_targets(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return self._assign([(int(number), item["id"], item) for item in body], "offline" in parameters)

    def assign_one(self, controller_id: str, *, parameters: dict[str, str], body: Any) -> Answer:
        _known = self.targets[controller_id]
        items = body if isinstance(body, list) else [body]
        if len(items) > 1 and not self.beside:
            return 400, error("multiAssignmentNotEnabled", "The requested operation requires multi assignments.")
        return self._assign([(item["id"], controller_id, item) for item in items], "offline" in parameters)

    @property
    def beside(self) -> bool:
        """Whether multi-assignment is switched on."""
        return bool(self.configuration.get("multi.assignments.enabled", {}).get("value"))

    def _assign(self, wanted: list[tuple[int, str, dict[str, Any]]], offline: bool) -> Answer:
        """Assign sets (id of the set, id of the target, the entry of the request)."""
        known = [item for item in wanted if item[1] in self.targets]
        new = [item for item in known if self._takes(item[0], item[1], offline)]
        made = []
        for set_id, controller_id, entry in new:
            waits = {"status": "wait_for_confirmation"} if entry.get("confirmationRequired") else {}
            made += self.assign(set_id, controller_id, force_type=entry["type"], weight=entry.get("weight"), **waits)
            if offline:
                self.report(controller_id, "finished")
        actions = [{"id": a.id, "_links": {"self": {"href": f"H/targets/x/actions/{a.id}"}}} for a in reversed(made)]
        return 200, {
            "alreadyAssigned": len(known) - len(new),
            "assigned": len(new),
            "assignedActions": actions,
            "total": len(known),
        }

    def _takes(self, set_id: int, controller_id: str, offline: bool) -> bool:
        """Tell whether the server makes an action, or takes the target for one that has the set, or for a busy one."""
        busy = offline and self.targets[controller_id]["updateStatus"] == "pending"
        return self.beside or not (busy or self.assigned.get(controller_id) == set_id)

    def read_filter(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if not number.isdigit():
            return 400, error("rest.body.notReadable", "The given request body is not well formed")
        return 200, {"id": int(number), "query": self.filters[number]}

    def read_configuration(self, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, self.configuration

    # -- rollouts ----------------------------------------------------------------------------------------------

    def list_rollouts(self, *, parameters: dict[str, str], body: Any) -> Answer:
        listed = [item for item in self.rollouts.values() if not item.get("deleted")]
        full = parameters.get("representation") == "full" and self.generation != "seed"
        hidden = set() if full else {"totalTargetsPerStatus"}
        found = [item for item in listed if rsql(parameters.get("q"), item)]
        return self.page([{k: v for k, v in item.items() if k not in hidden} for item in found], parameters)

    def _rollout(self, number: str) -> dict[str, Any]:
        if int(number) not in self.rollouts:
            raise KeyError("Rollout")
        return self.rollouts[int(number)]

    def read_rollout(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, self._rollout(number)

    def create_rollout(self, *, parameters: dict[str, str], body: Any) -> Answer:
        if any(item["name"] == body["name"] for item in self.rollouts.values()):
            return 409, error("repo.entityAlreadyExists", "The given entity already exists in database")
        total = sum(rsql(body["targetFilterQuery"], self._target_fields(cid)) for cid in self.targets)
        sent = {name: value for name, value in body.items() if name not in ("groups", "amountGroups")}
        counts = {"notstarted": total}
        number = self.add_rollout(**{**sent, "status": "ready", "totalTargets": total, "totalTargetsPerStatus": counts})
        names = [group["name"] for group in body.get("groups", [])]
        for name in names or [f"group-{index + 1}" for index in range(body.get("amountGroups", 1))]:
            self.add_group(number, name, "ready")
        return 201, self.rollouts[number]

    def update_rollout(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        if self.generation == "seed":
            return 405, self.plain(405, f"/rollouts/{number}")
        self._rollout(number).update(body)
        return 200, self._rollout(number)

    def delete_rollout(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        self._rollout(number).update(status="deleted", deleted=True)
        return 204, None

    def steer(self, number: str, verb: str, *, parameters: dict[str, str], body: Any) -> Answer:
        rollout = self._rollout(number)
        if verb == "stop":
            if self.generation != "modern":
                return 404, self.plain(404, f"/rollouts/{number}/stop")
            wanted, then = ["ready", "running", "paused", "starting"], "stopping"
        else:
            only, then = VERBS[verb]
            wanted = [only]
        if rollout["status"] not in wanted:
            words = f"Rollout can only be {verb}ed in state {wanted[0]} but current state is {rollout['status']}"
            return 400, error("rollout.illegalState", words)
        rollout["status"] = then
        if verb in ("approve", "deny"):
            rollout.update(approveDecidedBy="admin", approvalRemark=parameters.get("remark"))
        return 204, None

    def trigger(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        waiting = [group for group in self.groups[int(number)] if group["status"] == "scheduled"]
        if not waiting:
            return 400, error("rollout.illegalState", "Rollout does not have any groups left to be triggered")
        waiting[0]["status"] = "running"
        return 204, None

    def retry(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        old = self._rollout(number)
        failed = old["totalTargetsPerStatus"]["error"]
        again = self.add_rollout(
            f"{old['name']}_retry", "creating", totalTargets=failed, totalTargetsPerStatus={"notstarted": failed}
        )
        self.add_group(again, "group-1", "ready")
        return 201, dict(self.rollouts[again])

    def list_groups(self, number: str, *, parameters: dict[str, str], body: Any) -> Answer:
        full = parameters.get("representation") == "full" and self.generation != "seed"
        hidden = {"members"} if full else {"members", "totalTargetsPerStatus"}
        groups = self.groups[int(number)]
        return self.page([{k: v for k, v in group.items() if k not in hidden} for group in groups], parameters)

    def read_group(self, number: str, group: str, *, parameters: dict[str, str], body: Any) -> Answer:
        return 200, next(item for item in self.groups[int(number)] if item["id"] == int(group))

    def group_targets(self, number: str, group: str, *, parameters: dict[str, str], body: Any) -> Answer:
        members = next(item for item in self.groups[int(number)] if item["id"] == int(group))["members"]
        found = [self.targets[cid] for cid in members if rsql(parameters.get("q"), self._target_fields(cid))]
        return self.page(found, parameters)


ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (r"GET /targets", FakeHawkbit.list_targets),
    (r"POST /targets", FakeHawkbit.create_targets),
    (r"GET /targets/([^/]+)", FakeHawkbit.read_target),
    (r"PUT /targets/([^/]+)", FakeHawkbit.update_target),
    (r"DELETE /targets/([^/]+)", FakeHawkbit.delete_target),
    (r"GET /targets/([^/]+)/metadata", FakeHawkbit.list_metadata),
    (r"POST /targets/([^/]+)/metadata", FakeHawkbit.create_metadata),
    (r"GET /targets/([^/]+)/metadata/([^/]+)", FakeHawkbit.read_metadata),
    (r"PUT /targets/([^/]+)/metadata/([^/]+)", FakeHawkbit.update_metadata),
    (r"DELETE /targets/([^/]+)/metadata/([^/]+)", FakeHawkbit.delete_metadata),
    (r"GET /targettags", FakeHawkbit.list_tags),
    (r"GET /targettags/(\d+)/assigned", FakeHawkbit.list_tagged),
    (r"POST /targettags/(\d+)/assigned", FakeHawkbit.tag_by_post),
    (r"PUT /targettags/(\d+)/assigned", FakeHawkbit.tag_by_put),
    (r"DELETE /targettags/(\d+)/assigned", FakeHawkbit.untag),
    (r"DELETE /targettags/(\d+)/assigned/([^/]+)", FakeHawkbit.untag_one),
    (r"GET /targettypes", FakeHawkbit.list_types),
    (r"GET /targettypes/(\d+)", FakeHawkbit.read_type),
    (r"(?:PUT|DELETE) /targetgroups/assigned", FakeHawkbit.group_targets_of),
    (r"GET /actions", FakeHawkbit.list_actions),
    (r"GET /targets/([^/]+)/actions", FakeHawkbit.list_actions_of),
    (r"GET /targets/([^/]+)/actions/(\d+)", FakeHawkbit.read_action),
    (r"DELETE /targets/([^/]+)/actions/(\d+)", FakeHawkbit.cancel_action),
    (r"PUT /targets/([^/]+)/actions/(\d+)", FakeHawkbit.force_action),
    (r"PUT /targets/([^/]+)/actions/(\d+)/confirmation", FakeHawkbit.confirm_action),
    (r"GET /targets/([^/]+)/actions/(\d+)/status", FakeHawkbit.history),
    (r"GET /distributionsets", FakeHawkbit.list_sets),
    (r"GET /distributionsets/(\d+)", FakeHawkbit.read_set),
    (r"GET /distributionsets/(\d+)/assignedTargets", FakeHawkbit.assigned_targets),
    (r"GET /distributionsets/(\d+)/installedTargets", FakeHawkbit.installed_targets),
    (r"POST /distributionsets/(\d+)/assignedTargets", FakeHawkbit.assign_targets),
    (r"POST /targets/([^/]+)/assignedDS", FakeHawkbit.assign_one),
    (r"GET /targetfilters/([^/]+)", FakeHawkbit.read_filter),
    (r"GET /system/configs", FakeHawkbit.read_configuration),
    (r"GET /rollouts", FakeHawkbit.list_rollouts),
    (r"POST /rollouts", FakeHawkbit.create_rollout),
    (r"GET /rollouts/(\d+)", FakeHawkbit.read_rollout),
    (r"PUT /rollouts/(\d+)", FakeHawkbit.update_rollout),
    (r"DELETE /rollouts/(\d+)", FakeHawkbit.delete_rollout),
    (r"POST /rollouts/(\d+)/(start|pause|resume|stop|approve|deny)", FakeHawkbit.steer),
    (r"POST /rollouts/(\d+)/triggerNextGroup", FakeHawkbit.trigger),
    (r"POST /rollouts/(\d+)/retry", FakeHawkbit.retry),
    (r"GET /rollouts/(\d+)/deploygroups", FakeHawkbit.list_groups),
    (r"GET /rollouts/(\d+)/deploygroups/(\d+)", FakeHawkbit.read_group),
    (r"GET /rollouts/(\d+)/deploygroups/(\d+)/targets", FakeHawkbit.group_targets),
]


def error(code: str, message: str | None = None, kind: str | None = None) -> dict[str, Any]:
    """Return an error body of hawkBit."""
    body = {"errorCode": f"hawkbit.server.error.{code}"}
    if kind:
        body["exceptionClass"] = f"org.eclipse.hawkbit.repository.exception.{kind}"
    return body if message is None else {**body, "message": message}


def no_entity(generation: str, what: str) -> dict[str, Any]:
    """Return the body of a 404."""
    code = "repo.entitiyNotFound" if generation == "seed" else "repo.entityNotFound"
    return error(code, f"{what} with given identifier does not exist.", "EntityNotFoundException")


# -- RSQL ------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """A query that the server does not take."""

    def __init__(self, code: str) -> None:
        self.answer: Answer = (400, error(f"rest.param.{code}"))


Fields = Mapping[str, Any]
Finds = Callable[[Fields], bool]
TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(==|!=|=[a-z]+=)|([();,])|([^\s();,="!]+))')


def rsql(query: str | None, fields: Fields) -> bool:
    """Tell whether a query finds what has these fields."""
    return query is None or parse(query)(fields)


@functools.lru_cache
def parse(query: str) -> Finds:
    """Return what a query finds."""
    tokens: list[tuple[str | None, ...]] = []
    place = 0
    while match := TOKEN.match(query, place):
        tokens.append(match.groups())
        place = match.end()
    if place < len(query):
        raise Refused("rsqlParamSyntax")
    try:
        finds, rest = _either(tokens)
    except IndexError:
        raise Refused("rsqlParamSyntax") from None
    if rest:
        raise Refused("rsqlParamSyntax")
    return finds


def _either(tokens: list[Any]) -> tuple[Finds, list[Any]]:
    finds, tokens = _both(tokens)
    parts = [finds]
    while tokens and tokens[0][2] == ",":
        finds, tokens = _both(tokens[1:])
        parts.append(finds)
    return _joined(parts, any), tokens


def _both(tokens: list[Any]) -> tuple[Finds, list[Any]]:
    finds, tokens = _one(tokens)
    parts = [finds]
    while tokens and tokens[0][2] == ";":
        finds, tokens = _one(tokens[1:])
        parts.append(finds)
    return _joined(parts, all), tokens


def _joined(parts: list[Finds], how: Callable[[list[bool]], bool]) -> Finds:
    """Look at all parts, since an unknown field is refused wherever it stands."""
    return lambda fields: how([part(fields) for part in parts])


def _one(tokens: list[Any]) -> tuple[Finds, list[Any]]:
    if tokens[0][2] == "(":
        finds, tokens = _either(tokens[1:])
        return finds, tokens[1:]
    name, operator = tokens[0][3], tokens[1][1]
    if name is None or operator is None:
        raise IndexError
    key = name.lower()

    def value(fields: Fields) -> Any:
        if key not in {known.lower() for known in fields}:
            raise Refused("rsqlInvalidField")
        return fields.get(key, fields.get(name))

    if operator == "=in=":
        end = next(index for index, token in enumerate(tokens) if token[2] == ")")
        wanted = {_text(token).lower() for token in tokens[3:end:2]}
        return lambda fields: bool({str(one).lower() for one in _all(value(fields))} & wanted), tokens[end + 1 :]
    text = _text(tokens[2]).replace("${overdue_ts}", str(OVERDUE_BEFORE))
    pattern = _pattern(text)
    compare: dict[str, Callable[[Any], bool]] = {
        "==": lambda one: bool(pattern.fullmatch(str(one))),
        "!=": lambda one: not pattern.fullmatch(str(one)),
        "=ge=": lambda one: one is not None and int(one) >= int(text),
        "=gt=": lambda one: one is not None and int(one) > int(text),
        "=le=": lambda one: one is not None and int(one) <= int(text),
    }
    return lambda fields: any(compare[operator](one) for one in _all(value(fields))), tokens[3:]


def _all(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(token: Any) -> str:
    quoted, _operator, _mark, word = token
    return str(word) if quoted is None else re.sub(r"\\([\"\\])", r"\1", quoted)


def _pattern(wanted: str) -> re.Pattern[str]:
    """Upper and lower case are the same; an asterisk stands for anything unless it is escaped."""
    parts = re.split(r"(\\\*|\*)", wanted)
    return re.compile("".join({"\\*": r"\*", "*": ".*"}.get(part, re.escape(part)) for part in parts), re.IGNORECASE)
