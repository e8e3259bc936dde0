"""Every fault of the wire at every write of Mender's modules: one effect on the server, none lost."""

from __future__ import annotations

import importlib
import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Operation
from ansible_collections.fleet.deploy.plugins.modules import (
    artifact,
    artifact_upload,
    deployment,
    mender_device_deployments,
    mender_release,
)
from servers.artifact_writer import Written
from servers.fault_proxy import FAULTS, FaultProxy
from servers.mender import MenderServer, Settings

from .conftest import Run

TIMEOUT = 1.0
ROOT = Path(__file__).resolve().parents[5]
PACKAGE = "ansible_collections.fleet.deploy.plugins"
# name in the table -> fault, options
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in FAULTS if name not in ("429_retry_after_seconds", "429_retry_after_date", "slow")},
    **{f"{name}_acted": (name, {"acted": True}) for name in ("502", "503", "504")},
    "429_seconds": ("429_retry_after_seconds", {"seconds": 0}),
    "429_date": ("429_retry_after_date", {"seconds": 0}),
    "slow": ("slow", {"delay": TIMEOUT + 0.5}),
}
# faults that do not go away
LASTING = ("reset_before", "reset_after", "429_empty", "503", "503_acted", "504_acted", "html", "slow")
# Nobody can see what is queued until it has been made. Of two, the server makes one: the name is taken then.
QUEUED = "generate"
# error.code of a task that a lasting fault has stopped
CODES = {"unreachable", "bad_answer", "rejected"}
ARGS = {"filename": "raw", "dest_dir": "/etc"}
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Write:
    """One write: the module, what is broken, its options for a name, and how often it was done."""

    module: Any
    method: str
    path: str
    options: Callable[[MenderServer, str, Path], Mapping[str, Any]]
    effects: Callable[[MenderServer, str], int]


def found(server: MenderServer, name: str) -> list[dict[str, Any]]:
    """Return the artifacts of a name."""
    with server.session() as session:
        items = session.get(f"{server.url}/api/management/v1/deployments/artifacts", timeout=10).json()
    return [item for item in items if item["name"] == name]


def release(server: MenderServer, name: str) -> dict[str, Any]:
    """Return a release."""
    with server.session() as session:
        root = f"{server.url}/api/management/v2/deployments/deployments/releases"
        [item] = session.get(root, params={"name": name}, timeout=10).json()
    return dict(item)


def there(**options: Any) -> Callable[[MenderServer, str, Path], Mapping[str, Any]]:
    """Return what begins with an artifact of the name, and then has these options."""

    def prepare(server: MenderServer, name: str, _folder: Path) -> Mapping[str, Any]:
        server.add_artifact(name, ["dt-a"])
        return {"name": name, **options}

    return prepare


def upload(_server: MenderServer, name: str, folder: Path) -> Mapping[str, Any]:
    """Return the options of an upload."""
    return {"src": Written(name=name).save(folder / "a.mender"), "description": "d"}


def generate(_server: MenderServer, name: str, folder: Path) -> Mapping[str, Any]:
    """Return the options of an artifact to be generated."""
    (folder / "raw").write_bytes(b"raw\n")
    return {"src": str(folder / "raw"), "generate": {"name": name, "device_types_compatible": ["dt-a"], "args": ARGS}}


def described(server: MenderServer, name: str) -> int:
    """Return how many artifacts have the new description."""
    return sum(item.get("description") == "new" for item in found(server, name))


def gone(server: MenderServer, name: str) -> int:
    """Return 1 when there is no artifact left."""
    return 1 - len(found(server, name))


def deployed(fleet: Callable[[list[str], str], Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
    """Return what begins with an artifact and devices in a group of the name, and deploys to some of them."""

    def prepare(server: MenderServer, name: str, _folder: Path) -> Mapping[str, Any]:
        server.add_artifact(name, ["dt-a"])
        ids = server.add_devices(2, "dt-a", group=name)
        return {"artifact_name": name, "fleet": fleet(ids, name)}

    return prepare


def deployed_by_filter(server: MenderServer, name: str, _folder: Path) -> Mapping[str, Any]:
    """Return the options of a deployment for a saved filter of the name."""
    server.add_artifact(name, ["dt-a"])
    term = {"scope": "inventory", "attribute": "site", "type": "$eq", "value": name}
    with server.session() as session:
        root = f"{server.url}/api/management/v2/inventory/filters"
        location = session.post(root, json={"name": name, "terms": [term]}, timeout=10).headers["Location"]
    return {"artifact_name": name, "fleet": {"filter_id": location.rpartition("/")[2]}}


def begun(server: MenderServer, name: str) -> list[str]:
    """Make a deployment of the name for two devices; return their ids."""
    server.add_artifact(name, ["dt-a"])
    ids = server.add_devices(2, "dt-a")
    with server.session() as session:
        body = {"name": name, "artifact_name": name, "devices": ids}
        root = f"{server.url}/api/management/v1/deployments/deployments"
        assert session.post(root, json=body, timeout=10).status_code == 201
    return ids


def abort(server: MenderServer, name: str, _folder: Path) -> Mapping[str, Any]:
    """Return the options of an abort."""
    begun(server, name)
    return {"name": name, "state": "aborted"}


def leave(server: MenderServer, name: str, _folder: Path) -> Mapping[str, Any]:
    """Return the options that take a device out."""
    return {"device_id": begun(server, name)[0]}


def deployments(server: MenderServer, name: str) -> list[Any]:
    """Return the deployments of a name."""
    return [one for one in server.deployments.all.values() if one.name == name]


def aborted(server: MenderServer, name: str) -> int:
    """Return how many deployments have been aborted."""
    return sum(one.finished is not None for one in deployments(server, name))


def left(server: MenderServer, name: str) -> int:
    """Return how many devices have been taken out."""
    return sum(len(one.progress) for one in deployments(server, name))


WRITES = {
    "deploy": Write(
        deployment,
        "POST",
        "/v1/deployments/deployments$",
        deployed(lambda ids, _name: {"ids": ids}),
        lambda server, name: len(deployments(server, name)),
    ),
    "deploy to group": Write(
        deployment,
        "POST",
        "/deployments/group/",
        deployed(lambda _ids, name: {"group": name}),
        lambda server, name: len(deployments(server, name)),
    ),
    "deploy by filter": Write(
        deployment,
        "POST",
        "/v2/deployments/deployments$",
        deployed_by_filter,
        lambda server, name: len(deployments(server, name)),
    ),
    "abort": Write(deployment, "PUT", "/status$", abort, aborted),
    "leave": Write(mender_device_deployments, "DELETE", "/deployments/devices/", leave, left),
    "upload": Write(artifact_upload, "POST", r"/artifacts$", upload, lambda server, name: len(found(server, name))),
    "generate": Write(artifact_upload, "POST", "/generate$", generate, lambda server, name: len(found(server, name))),
    "describe": Write(artifact, "PUT", "/artifacts/", there(description="new"), described),
    "remove": Write(artifact, "DELETE", "/artifacts/", there(state="absent"), gone),
    "notes": Write(
        mender_release,
        "PATCH",
        "/releases/",
        there(notes="n"),
        lambda server, name: int(release(server, name)["notes"] == "n"),
    ),
    "tags": Write(
        mender_release,
        "PUT",
        "/tags$",
        there(tags=["t"]),
        lambda server, name: int(release(server, name)["tags"] == ["t"]),
    ),
    "release": Write(mender_release, "DELETE", "/releases", there(state="absent"), gone),
}


@pytest.fixture(scope="module")
def server() -> Iterator[MenderServer]:
    """One server for the whole table; each cell has a name of its own."""
    # that edition has all of them
    with MenderServer(edition="enterprise", settings=Settings(generate_seconds=0.02)) as started:
        yield started


@pytest.mark.parametrize("where", ["write", "first read"])
@pytest.mark.parametrize("fault", VARIANTS)
@pytest.mark.parametrize("title", WRITES)
def test_fault_leaves_one_effect(
    server: MenderServer, run: Run, tmp_path: Path, title: str, fault: str, where: str
) -> None:
    write = WRITES[title]
    name = f"{title}-{next(NUMBERS)}"
    options = write.options(server, name, tmp_path)
    kind, details = VARIANTS[fault]
    with FaultProxy(server.url) as proxy:
        which: dict[str, Any] = {"method": write.method, "path": write.path} if where == "write" else {"method": "GET"}
        rule = proxy.inject(kind, **which, **details)
        given = {"token": server.token, "request_timeout": TIMEOUT, **options}
        done = run(write.module, proxy.url, **given)
        assert rule.hits == 1, "the fault has met nothing"
        assert done.error is None, done.result
        assert done.result["changed"]
        assert write.effects(server, name) == 1
        again = run(write.module, proxy.url, **given)
    assert (again.error, again.result["changed"]) == (None, False)


def test_every_fault_is_in_the_table() -> None:
    assert {fault for fault, _options in VARIANTS.values()} == set(FAULTS)
    assert set(LASTING) <= set(VARIANTS)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait a few seconds for something."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def declared_writes() -> list[Operation]:
    """Return the operations of the client that change something."""
    folder = ROOT / "plugins" / "module_utils" / "_mender"
    modules = [importlib.import_module(f"{PACKAGE}.module_utils._mender.{path.stem}") for path in folder.glob("*.py")]
    found = [one for module in modules for one in vars(module).values() if isinstance(one, Operation) and one.writes]
    return list(dict.fromkeys(found))


def test_every_write_is_in_the_table() -> None:
    """Each operation that writes has one line, each line has one operation, each module that writes has a line."""
    writes = declared_writes()
    for operation in writes:
        path = re.sub(r"\{\w+\}", "x", operation.path)
        fits = [title for title, one in WRITES.items() if one.method == operation.method and re.search(one.path, path)]
        assert len(fits) == 1, f"{operation.method} {operation.path}: {fits}"
    assert len(writes) == len(WRITES)
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    writing = {name for name in groups["mender"] if not name.endswith("_info")}
    assert {write.module.__name__.rpartition(".")[2] for write in WRITES.values()} == writing


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("title", WRITES)
def test_fault_that_stays_has_one_effect_at_most(
    server: MenderServer, run: Run, tmp_path: Path, title: str, fault: str
) -> None:
    write = WRITES[title]
    name = f"{title}-{next(NUMBERS)}"
    options = write.options(server, name, tmp_path)
    kind, details = VARIANTS[fault]
    with FaultProxy(server.url) as proxy:
        rule = proxy.inject(kind, method=write.method, path=write.path, times=None, **details)
        given = {"token": server.token, "request_timeout": TIMEOUT, "request_retries": 1, **options}
        done = run(write.module, proxy.url, **given)
        answers = [record.server_status for record in proxy.wire if record.fault == kind]
    assert rule.hits, "the fault has met nothing"
    # the server has done it once at most, and what the task says is true
    done_times = len([status for status in answers if status in range(200, 300)])
    assert done_times <= (2 if title == QUEUED else 1)
    if title == QUEUED and done_times:
        wait_until(lambda: len(server._management._jobs) == 0)
    effects = write.effects(server, name)
    if done.error is None:
        assert effects == 1
        return
    assert effects in (0, 1)
    assert done.result["error"]["code"] in CODES
    assert done.result["msg"].startswith("Cannot ")
    assert done.result["http"]["method"] == write.method


def test_process_that_was_killed_leaves_nothing_in_the_way(
    server: MenderServer, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.fleet.deploy.plugins.module_utils._core.multipart import MultipartFile

    class Killed(BaseException):
        """Stands for the end of the process."""

    def die(_self: MultipartFile, _size: int = -1) -> bytes:
        raise Killed

    name = f"killed-{next(NUMBERS)}"
    options = upload(server, name, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(MultipartFile, "read", die)
        with pytest.raises(Killed):
            run(artifact_upload, server.url, token=server.token, **options)
    assert found(server, name) == []
    assert run(artifact_upload, server.url, token=server.token, **options).result["changed"]
    assert len(found(server, name)) == 1
