"""The writing operations of the modules, each with its starting state and a way to count its effects on the server."""

from __future__ import annotations

import hashlib
import itertools
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from servers.hawkbit import HawkbitServer

READY_SECONDS = 240


class Admin:
    """The Management API without the collection: what is counted must not depend on what is tested."""

    def __init__(self, hawkbit: HawkbitServer, folder: Path) -> None:
        self.hawkbit = hawkbit
        self.folder = folder

    def file(self, name: str) -> Path:
        """A file for an artifact. No two have the same content: hawkBit 1.0.4 fails (500) on those at the same time."""
        path = self.folder / f"{name}.bin"
        path.write_bytes(f"content of {name}\n".encode() * 1000)
        return path

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Send one request below /rest/v1; with a session of its own, since threads call this."""
        with self.hawkbit.session() as session:
            return session.request(method, f"{self.hawkbit.url}/rest/v1/{path}", json=body, timeout=30, **more)

    def do(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The same; return the answer's JSON, and fail unless it succeeds."""
        answer = self.ask(method, path, body, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def found(self, kind: str, query: str) -> list[dict[str, Any]]:
        """The objects that a query finds."""
        content: list[dict[str, Any]] = self.do("GET", f"{kind}?limit=500&q={quote(query, safe='')}")["content"]
        return content

    def targets(self, name: str, count: int = 2) -> list[str]:
        """Register targets; return their ids."""
        ids = [f"{name}-{number}" for number in range(count)]
        self.do("POST", "targets", [{"controllerId": one, "name": one} for one in ids])
        return ids

    def metadata(self, name: str) -> dict[str, str]:
        """The metadata of the first target."""
        return {item["key"]: item["value"] for item in self.do("GET", f"targets/{name}-0/metadata")["content"]}

    def give_metadata(self, name: str) -> None:
        """Register a target with metadata."""
        [target] = self.targets(name, 1)
        self.do("POST", f"targets/{target}/metadata", [{"key": "site", "value": "old"}])

    def tag(self, name: str, given: bool = False) -> None:
        """Make a tag, and two targets that have it if wanted."""
        number = self.do("POST", "targettags", [{"name": name}])[0]["id"]
        for target in self.targets(name):
            body: list[Any] = [target]
            if given and not self.ask("POST", f"targettags/{number}/assigned", body).ok:
                # 0.3.x
                self.do("POST", f"targettags/{number}/assigned", [{"controllerId": target}])

    def tagged(self, name: str) -> int:
        """How many targets have a tag."""
        [tag] = self.found("targettags", f"name=={name}")
        return int(self.do("GET", f"targettags/{tag['id']}/assigned")["total"])

    def module(self, name: str, version: str = "1", artifact: Path | None = None) -> int:
        """Make a software module, with an artifact firmware.bin if wanted."""
        module = self.do("POST", "softwaremodules", [{"name": name, "version": version, "type": "os"}])[0]
        if artifact is not None:
            with artifact.open("rb") as file:
                self.do("POST", f"softwaremodules/{module['id']}/artifacts?filename=firmware.bin", files={"file": file})
        return int(module["id"])

    def artifacts(self, name: str) -> list[str]:
        """sha256 of each artifact of a module."""
        [module] = self.found("softwaremodules", f"name=={name}")
        return [item["hashes"]["sha256"] for item in self.do("GET", f"softwaremodules/{module['id']}/artifacts")]

    def set(self, name: str, *modules: int) -> int:
        """Make a distribution set."""
        body = {"name": name, "version": "1", "type": "os", "modules": [{"id": module} for module in modules]}
        return int(self.do("POST", "distributionsets", [body])[0]["id"])

    def set_tag(self, name: str) -> None:
        """Make a tag for sets."""
        self.do("POST", "distributionsettags", [{"name": name}])

    def filter(self, name: str) -> None:
        """Make a target filter that finds nobody."""
        self.do("POST", "targetfilters", {"name": name, "query": f"controllerid=={name}-none"})

    def modules_of(self, name: str) -> list[str]:
        """Versions of the modules in a set."""
        [found] = self.found("distributionsets", f"name=={name}")
        # 0.3.0M7 and later lists differ in what they show
        return [item["version"] for item in self.do("GET", f"distributionsets/{found['id']}").get("modules", [])]

    def actions(self, ids: list[str]) -> list[int]:
        """How many actions each target has."""
        return [int(self.do("GET", f"targets/{one}/actions")["total"]) for one in ids]

    def assigned(self, name: str) -> None:
        """Assign a set softly to a target."""
        [target] = self.targets(name, 1)
        self.do("POST", f"targets/{target}/assignedDS", {"id": self.set(name, self.module(name)), "type": "soft"})

    def action(self, name: str) -> Any:
        """The action of that target."""
        return self.do("GET", f"targets/{name}-0/actions")["content"][0]

    def rollout(self, name: str, start: bool = False) -> int:
        """Make a rollout of two targets and wait until it is ready, or running."""
        self.targets(name)
        groups = {
            "successCondition": {"condition": "THRESHOLD", "expression": "100"},
            "successAction": {"action": "NEXTGROUP", "expression": ""},
            "errorCondition": {"condition": "THRESHOLD", "expression": "0"},
            "errorAction": {"action": "PAUSE", "expression": ""},
        }
        body = {"name": name, "distributionSetId": self.set(name, self.module(name)), "amountGroups": 1, **groups}
        made = self.do("POST", "rollouts", {**body, "targetFilterQuery": f"controllerid=={name}-*", "type": "forced"})
        self.until(name, "ready")
        if start:
            self.ask("POST", f"rollouts/{made['id']}/start").raise_for_status()
            self.until(name, "running")
        return int(made["id"])

    def drop(self, name: str) -> None:
        """Remove a rollout, if there is one: the server looks after each that is left, over and over."""
        for item in self.found("rollouts", f'name=="{name}"'):
            self.ask("DELETE", f"rollouts/{item['id']}")

    def status(self, name: str) -> str | None:
        """Status of a rollout, None when there is none."""
        return next((str(item["status"]) for item in self.found("rollouts", f'name=="{name}"')), None)

    def until(self, name: str, *wanted: str | None) -> str | None:
        """Wait until a rollout has one of these states, and return it."""
        end = time.monotonic() + READY_SECONDS
        while (status := self.status(name)) not in wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"rollout {name} is {status}, not one of {wanted}")
            time.sleep(0.2)
        return status


def _as_one(numbers: list[int]) -> int:
    """Return how often something was done to several objects; -1 when to some of them more often than to others."""
    return numbers[0] if len(set(numbers)) == 1 else -1


@dataclass(frozen=True)
class Write:
    """One writing operation.

    Args:
        title: for the table.
        module: the module that does it.
        method: of the request that is broken.
        path: pattern of its path.
        prepare: makes the starting state for a name; returns the module's options.
        effects: counts what has been done to the objects of that name: 1 when it has been done once.
    """

    title: str
    module: str
    method: str
    path: str
    prepare: Callable[[Admin, str], Mapping[str, Any]]
    effects: Callable[[Admin, str], int]

    def is_it(self, method: str, path: str) -> bool:
        """Whether a request is the one that is broken."""
        return method == self.method and re.search(self.path, path) is not None


def _after(*steps: Callable[[Admin, str], Any], **options: Any) -> Callable[[Admin, str], Mapping[str, Any]]:
    """Make what prepares a state by some steps; {name} and "{file}" in the options are filled in."""

    def prepare(admin: Admin, name: str) -> Mapping[str, Any]:
        for step in steps:
            step(admin, name)
        return {key: _filled(value, name, admin) for key, value in options.items()}

    return prepare


def _filled(value: Any, name: str, admin: Admin) -> Any:
    if isinstance(value, str):
        return str(admin.file(name)) if value == "{file}" else value.replace("{name}", name)
    if isinstance(value, dict):
        return {key: _filled(item, name, admin) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, name, admin) for item in value]
    return value


def _target_names(admin: Admin, name: str) -> list[str]:
    return [str(item["name"]) for item in admin.found("targets", f"controllerid=={name}-*")]


def _created_targets(admin: Admin, name: str) -> int:
    wanted = {f"{name}-0", f"{name}-1", f"{name}-2"}
    names = _target_names(admin, name)
    return {0: 0, 3: 1}.get(len(names), -1) if set(names) <= wanted else -1


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _uploads(admin: Admin, name: str) -> int:
    found = admin.artifacts(name)
    return len(found) if set(found) <= {_sha256(admin.file(name))} else -1


def _replaced(admin: Admin, name: str) -> int:
    return 1 - admin.artifacts(name).count(_sha256(admin.file(f"old-{name}")))


def _description(kind: str) -> Callable[[Admin, str], int]:
    return lambda admin, name: sum(i.get("description") == "new" for i in admin.found(kind, f"name=={name}"))


def _metadata(admin: Admin, name: str) -> int:
    [found] = admin.found("distributionsets", f"name=={name}")
    entries = admin.do("GET", f"distributionsets/{found['id']}/metadata")["content"]
    return {0: 0, 2: 1}.get(len(entries), -1)


def _auto_assigns(target_filter: Mapping[str, Any]) -> bool:
    return target_filter.get("autoAssignDistributionSet") is not None


def _gone(kind: str, field: str = "name") -> Callable[[Admin, str], int]:
    return lambda admin, name: 1 - len(admin.found(kind, f"{field}=={name}"))


def _there(kind: str) -> Callable[[Admin, str], int]:
    return lambda admin, name: len(admin.found(kind, f"name=={name}"))


def _started(admin: Admin, name: str) -> int:
    if admin.until(name, "ready", "running") == "ready":
        return 0
    return _as_one(admin.actions([f"{name}-0", f"{name}-1"]))


SET = {"name": "{name}", "version": "1"}
TAGGED = [{"controller_id": "{name}-0"}, {"controller_id": "{name}-1"}]

WRITES = (
    Write(
        "target: create", "target", "POST", r"/targets$",
        _after(targets=[{"controller_id": "{name}-0"}, {"controller_id": "{name}-1"}, {"controller_id": "{name}-2"}]),
        _created_targets,
    ),
    Write(
        "target: update", "target", "PUT", r"/targets/",
        _after(lambda a, n: a.targets(n, 1), controller_id="{name}-0", name="new"),
        lambda admin, name: int(_target_names(admin, name) == ["new"]),
    ),
    Write(
        "target: remove", "target", "DELETE", r"/targets/",
        _after(lambda a, n: a.targets(n, 1), controller_id="{name}-0", state="absent"),
        lambda admin, name: 1 - len(_target_names(admin, name)),
    ),
    Write(
        "target: add metadata", "target", "POST", r"/metadata$",
        _after(lambda a, n: a.targets(n, 1), controller_id="{name}-0", metadata={"site": "new", "rack": "1"}),
        lambda admin, name: {0: 0, 2: 1}.get(len(admin.metadata(name)), -1),
    ),
    Write(
        "target: change metadata", "target", "PUT", r"/metadata/",
        _after(lambda a, n: a.give_metadata(n), controller_id="{name}-0", metadata={"site": "new"}),
        lambda admin, name: int(admin.metadata(name) == {"site": "new"}),
    ),
    Write(
        "target: remove metadata", "target", "DELETE", r"/metadata/",
        _after(lambda a, n: a.give_metadata(n), controller_id="{name}-0", metadata_absent=["site"]),
        lambda admin, name: 1 - len(admin.metadata(name)),
    ),
    Write(
        "target: give tag", "target", "POST", r"/assigned$",
        _after(lambda a, n: a.tag(n), targets=[{**item, "tags": ["{name}"]} for item in TAGGED]),
        lambda admin, name: {0: 0, 2: 1}.get(admin.tagged(name), -1),
    ),
    Write(
        "target: take tag", "target", "DELETE", r"/assigned(/|$)",
        _after(lambda a, n: a.tag(n, True), targets=[{**item, "tags_absent": ["{name}"]} for item in TAGGED[:1]]),
        lambda admin, name: 2 - admin.tagged(name),
    ),
    Write(
        "software module: create", "hawkbit_software_module", "POST", r"/softwaremodules$",
        _after(**SET, type="os"), _there("softwaremodules"),
    ),
    Write(
        "software module: update", "hawkbit_software_module", "PUT", r"/softwaremodules/",
        _after(lambda a, n: a.module(n), **SET, description="new"), _description("softwaremodules"),
    ),
    Write(
        "software module: upload", "hawkbit_software_module", "POST", r"/artifacts$",
        _after(lambda a, n: a.module(n), **SET, artifacts=[{"src": "{file}", "filename": "firmware.bin"}]), _uploads,
    ),
    Write(
        "software module: replace", "hawkbit_software_module", "DELETE", r"/artifacts/",
        _after(
            lambda a, n: a.module(n, artifact=a.file(f"old-{n}")), **SET,
            artifacts=[{"src": "{file}", "filename": "firmware.bin"}],
        ),
        _replaced,
    ),
    Write(
        "software module: remove", "hawkbit_software_module", "DELETE", r"/softwaremodules/",
        _after(lambda a, n: a.module(n), **SET, state="absent"), _gone("softwaremodules"),
    ),
    Write(
        "distribution set: create", "distribution_set", "POST", r"/distributionsets$",
        _after(lambda a, n: a.module(n), **SET, type="os", modules=[SET]), _there("distributionsets"),
    ),
    Write(
        "distribution set: update", "distribution_set", "PUT", r"/distributionsets/",
        _after(lambda a, n: a.set(n), **SET, description="new"), _description("distributionsets"),
    ),
    Write(
        "distribution set: add", "distribution_set", "POST", r"/assignedSM$",
        _after(lambda a, n: a.set(n), lambda a, n: a.module(n), **SET, modules=[SET]),
        lambda admin, name: len(admin.modules_of(name)),
    ),
    Write(
        "distribution set: take out", "distribution_set", "DELETE", r"/assignedSM/",
        _after(lambda a, n: a.set(n, a.module(n)), **SET, modules=[]),
        lambda admin, name: 1 - len(admin.modules_of(name)),
    ),
    Write(
        "distribution set: remove", "distribution_set", "DELETE", r"/distributionsets/",
        _after(lambda a, n: a.set(n), **SET, state="absent"), _gone("distributionsets"),
    ),
    Write(
        "distribution set: metadata", "distribution_set", "POST", r"/metadata$",
        _after(lambda a, n: a.set(n), **SET, metadata={"a": "1", "b": "2"}), _metadata,
    ),
    Write(
        "distribution set: tag", "distribution_set", "POST", r"/assigned$",
        _after(lambda a, n: a.set(n), lambda a, n: a.set_tag(n), **SET, tags=["{name}"]),
        lambda admin, name: len(admin.found("distributionsets", f"tag=={name}")),
    ),
    Write(
        "tag: create", "hawkbit_tag", "POST", r"/targettags$", _after(name="{name}", colour="green"),
        _there("targettags"),
    ),
    Write(
        "target filter: create", "target_filter", "POST", r"/targetfilters$",
        _after(name="{name}", query="controllerid=={name}-none"), _there("targetfilters"),
    ),
    Write(
        "target filter: auto-assign", "target_filter", "POST", r"/autoAssignDS$",
        _after(
            lambda a, n: a.set(n, a.module(n)), lambda a, n: a.filter(n), name="{name}",
            auto_assign={"distribution_set": SET},
        ),
        lambda admin, name: sum(map(_auto_assigns, admin.found("targetfilters", f"name=={name}"))),
    ),
    Write(
        "assign", "distribution_set_assign", "POST", r"/assignedTargets$",
        _after(
            lambda a, n: a.set(n, a.module(n)), lambda a, n: a.targets(n), distribution_set=SET,
            fleet={"ids": ["{name}-0", "{name}-1"]},
        ),
        lambda admin, name: _as_one(admin.actions([f"{name}-0", f"{name}-1"])),
    ),
    Write(
        "assign to one", "distribution_set_assign", "POST", r"/assignedDS$",
        _after(
            lambda a, n: a.set(n, a.module(n)), lambda a, n: a.targets(n, 1), distribution_set=SET,
            fleet={"ids": ["{name}-0"]},
        ),
        lambda admin, name: _as_one(admin.actions([f"{name}-0"])),
    ),
    Write(
        "action: force", "target_action", "PUT", r"/actions/\d+$",
        _after(lambda a, n: a.assigned(n), action="force", controller_id="{name}-0"),
        lambda admin, name: int(admin.action(name)["forceType"] == "forced"),
    ),
    Write(
        "action: cancel", "target_action", "DELETE", r"/actions/\d+$",
        _after(lambda a, n: a.assigned(n), action="cancel", controller_id="{name}-0"),
        lambda admin, name: int(admin.action(name)["type"] == "cancel"),
    ),
    Write(
        "rollout: create", "hawkbit_rollout", "POST", r"/rollouts$",
        _after(
            lambda a, n: a.set(n, a.module(n)), lambda a, n: a.targets(n), name="{name}", distribution_set=SET,
            fleet={"query": "controllerid=={name}-*"}, state="present",
        ),
        _there("rollouts"),
    ),
    Write(
        "rollout: start", "hawkbit_rollout", "POST", r"/start$",
        _after(lambda a, n: a.rollout(n), name="{name}", state="started", wait_interval=0.2), _started,
    ),
    Write(
        "rollout: pause", "hawkbit_rollout", "POST", r"/pause$",
        _after(lambda a, n: a.rollout(n, start=True), name="{name}", state="paused", wait_interval=0.2),
        lambda admin, name: int(admin.status(name) == "paused"),
    ),
    Write(
        "rollout: remove", "hawkbit_rollout", "DELETE", r"/rollouts/",
        _after(lambda a, n: a.rollout(n), name="{name}", state="absent", wait_interval=0.2),
        lambda admin, name: int(admin.status(name) in (None, "deleting", "deleted")),
    ),
)  # fmt: skip

_SESSION = secrets.token_hex(3)
_NUMBERS = itertools.count(1)


def new_name() -> str:
    """Return a name that nothing has yet."""
    return f"fault-{_SESSION}-{next(_NUMBERS)}"
