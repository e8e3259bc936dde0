"""The modules against the simulated Mender server, which has an own reader of artifacts and own transcripts to obey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._mender.api import OPEN_SOURCE
from ansible_collections.fleet.deploy.plugins.module_utils._mender.artifact_file import read_artifact
from ansible_collections.fleet.deploy.plugins.module_utils._mender.uploads import differences
from ansible_collections.fleet.deploy.plugins.modules import (
    artifact,
    artifact_info,
    artifact_upload,
    mender_release,
    mender_release_info,
    mender_storage_info,
)
from servers.artifact_writer import Written
from servers.mender import VERSIONS, MenderServer, Settings

from .conftest import Client, Ran, Run

GENERATIONS = {"seed": "seed", "4.5": "2023", "2024-09": "2023", "4.0": "4.0", "4.1": "4.1"}


@pytest.fixture(scope="module", params=VERSIONS)
def shared(request: pytest.FixtureRequest) -> Iterator[MenderServer]:
    """A server of each version, for all tests of this file."""
    with MenderServer(request.param, settings=Settings(generate_seconds=0.05, storage_limit=1000)) as found:
        yield found


@pytest.fixture
def server(shared: MenderServer) -> Iterator[MenderServer]:
    """A server of each version, empty."""
    yield shared
    with shared.session() as session:
        root = f"{shared.url}/api/management/v1/deployments/artifacts"
        for item in session.get(root, timeout=10).json():
            assert session.delete(f"{root}/{item['id']}", timeout=10).status_code == 204


def ok(ran: Ran) -> dict[str, Any]:
    """Return the result of a task that has succeeded."""
    assert ran.error is None, ran.result
    return ran.result


@pytest.mark.parametrize("compare", ["basic", "content", "strict"])
@pytest.mark.parametrize("how", ["none", "gzip", "lzma"])
@pytest.mark.parametrize("version", [2, 3])
def test_artifacts_are_uploaded_once(
    server: MenderServer, run: Run, tmp_path: Path, version: int, how: str, compare: str
) -> None:
    written = Written(version=version, compression=how, device_types=("b", "a"), signed=True, clears=[])
    given = {"token": server.token, "src": written.save(tmp_path / "a.mender"), "compare": compare}
    planned = ok(run(artifact_upload, server.url, check_mode=True, **given))
    assert ok(run(artifact_info, server.url, token=server.token))["artifacts"] == []
    first = ok(run(artifact_upload, server.url, **given))
    assert (planned["changed"], first["changed"]) == (True, True)
    assert first["artifact"]["device_types_compatible"] == ["a", "b"]
    second = ok(run(artifact_upload, server.url, **given))
    assert (second["changed"], second["artifact"]) == (False, first["artifact"])
    for key in ("name", "device_types_compatible", "size", "signed"):
        # old servers do not tell all
        assert first["artifact"][key] in (planned["artifact"][key], None)


def test_rebuilt_and_changed_artifacts(server: MenderServer, run: Run, tmp_path: Path) -> None:
    src = tmp_path / "a.mender"
    ok(run(artifact_upload, server.url, token=server.token, src=Written().save(src)))
    Written(mtime=5).save(src)
    assert not ok(run(artifact_upload, server.url, token=server.token, src=str(src)))["changed"]
    strict = run(artifact_upload, server.url, token=server.token, src=str(src), compare="strict")
    assert "the checksum of header.tar.gz differs" in strict.result["msg"]
    Written(files={"payload.txt": b"other\n"}).save(src)
    changed = run(artifact_upload, server.url, token=server.token, src=str(src))
    assert "the checksum of the file payload.txt differs" in changed.result["msg"]
    Written(device_types=("dt-a", "dt-z")).save(src)
    assert run(artifact_upload, server.url, token=server.token, src=str(src)).result["error"]["code"] == "conflict"
    Written(device_types=("dt-z",)).save(src)
    assert ok(run(artifact_upload, server.url, token=server.token, src=str(src)))["changed"]
    assert len(ok(run(artifact_info, server.url, token=server.token, name="rel-1"))["artifacts"]) == 2


def test_generated_artifact(server: MenderServer, run: Run, tmp_path: Path) -> None:
    src = tmp_path / "settings.json"
    src.write_bytes(b"{}\n")
    given = {
        "token": server.token,
        "src": str(src),
        "description": "d",
        "generate": {
            "name": "gen-1",
            "device_types_compatible": ["a", "b"],
            "args": {"filename": "x", "dest_dir": "/y"},
        },
    }
    first = ok(run(artifact_upload, server.url, **given))
    assert (first["changed"], first["artifact"]["description"]) == (True, "d")
    assert not ok(run(artifact_upload, server.url, **given))["changed"]
    src.write_bytes(b"[]\n")
    assert run(artifact_upload, server.url, **given).result["error"]["code"] == "conflict"


def test_description_download_and_removal(server: MenderServer, run: Run, tmp_path: Path) -> None:
    src = Written().save(tmp_path / "a.mender")
    ok(run(artifact_upload, server.url, token=server.token, src=src, description="old"))
    given = {"token": server.token, "name": "rel-1"}
    assert ok(run(artifact, server.url, **given, description="new"))["artifact"]["description"] == "new"
    dest = tmp_path / "copy"
    done = ok(run(artifact, server.url, **given, dest=str(dest)))
    assert (done["changed"], dest.read_bytes()) == (True, Path(src).read_bytes())
    assert not ok(run(artifact, server.url, **given, dest=str(dest)))["changed"]
    link = ok(run(artifact, server.url, **given, link_only=True))["link"]
    assert re.match(r"http://localhost:\d+/", link["uri"])
    assert ok(run(artifact, server.url, **given, state="absent"))["changed"]
    assert not ok(run(artifact, server.url, **given, state="absent"))["changed"]


def test_link_that_expires_is_renewed(server: MenderServer, run: Run, tmp_path: Path, client: Client) -> None:
    ok(run(artifact_upload, server.url, token=server.token, src=Written().save(tmp_path / "a.mender")))
    artifacts = client(server.url, token=server.token).artifacts
    [item] = artifacts.named("rel-1")
    old = artifacts.link(item)["uri"].replace("X-Amz-Expires=", "X-Amz-Expires=-")
    links = iter([old, *(artifacts.link(item)["uri"] for _time in range(2))])
    file = artifacts.file(item)
    file._new_link = lambda: next(links)
    assert file.read(0, 10_000_000) == (tmp_path / "a.mender").read_bytes()
    file.close()


def test_what_the_server_says_of_an_artifact_is_what_the_file_says(
    server: MenderServer, tmp_path: Path, client: Client
) -> None:
    path = tmp_path / "a.mender"
    src = Written(
        provides={"artifact_group": "g"},
        depends={"artifact_name": ["x", "y"]},
        payload_depends={"rootfs-image.checksum": "c"},
        files={"b": b"1", "a": b"22"},
    ).save(path)
    server.upload(path)
    [item] = client(server.url, token=server.token).artifacts.named("rel-1")
    local = read_artifact(src)
    assert differences(local, item) == []
    assert [file.size for file in local.files] == [2, 1]


def test_releases(server: MenderServer, run: Run) -> None:
    server.add_artifact("rel-1", ["a"])
    server.add_artifact("rel-1", ["b"])
    server.add_artifact("rel-10", ["a"])
    given = {"token": server.token, "name": "rel-1"}
    [found] = ok(run(mender_release_info, server.url, **given))["releases"]
    assert len(found["artifacts"]) == 2
    assert len(ok(run(mender_release_info, server.url, token=server.token, name="rel*"))["releases"]) == 2
    done = run(mender_release, server.url, **given, notes="n", tags=["B", "a"])
    if "releases_v2" in server.features:
        assert (ok(done)["changed"], done.result["release"]["tags"]) == (True, ["a", "b"])
        assert not ok(run(mender_release, server.url, **given, notes="n", tags=["a", "b"]))["changed"]
        tagged = ok(run(mender_release_info, server.url, token=server.token, tags=["A"]))["releases"]
        assert [item["name"] for item in tagged] == ["rel-1"]
    else:
        assert done.result["error"]["code"] == "unsupported"
    assert ok(run(mender_release, server.url, **given, state="absent"))["changed"]
    assert not ok(run(mender_release, server.url, **given, state="absent"))["changed"]
    assert len(ok(run(artifact_info, server.url, token=server.token))["artifacts"]) == 1


def test_login_storage_and_what_the_server_is(server: MenderServer, run: Run, client: Client) -> None:
    user = {"username": server.username, "password": server.password}
    before = server.logins
    storage = ok(run(mender_storage_info, server.url, **user))["storage"]
    assert storage["limit"] == 1000
    assert server.logins == before + 1
    api = client(server.url, token=server.token).api
    assert (api.generation, api.edition) == (GENERATIONS[server.version], OPEN_SOURCE)
    refused = run(mender_storage_info, server.url, token=server.expired_token())
    assert refused.result["msg"].startswith("The token has expired, on ")
    stranger = run(mender_storage_info, server.url, username=server.stranger, password=server.password)
    assert "single sign-on" in stranger.result["msg"]
    wrong = run(mender_storage_info, server.url, username=server.username, password="wrong-password")
    assert "check username and password" in wrong.result["msg"]


@pytest.mark.parametrize("edition, found", [("open_source", "open_source"), ("enterprise", "enterprise")])
def test_editions(client: Client, edition: str, found: str) -> None:
    with MenderServer("4.1", edition) as server:
        assert client(server.url, token=server.token).api.edition == found


def test_second_factor(run: Run) -> None:
    with MenderServer(two_factor="012234") as server:
        user = {"username": server.username, "password": server.password}
        assert (
            "a user with a second factor needs token2fa too"
            in run(mender_storage_info, server.url, **user).result["msg"]
        )
        assert ok(run(mender_storage_info, server.url, **user, token2fa="012234"))["storage"]["limit"] is None


def test_artifacts_in_use(server: MenderServer, run: Run) -> None:
    server.add_artifact("rel-1", ["a"])
    [device] = server.add_devices(1, "a")
    with server.session() as session:
        root = f"{server.url}/api/management/v1/deployments/deployments"
        body = {"name": "d", "artifact_name": "rel-1", "devices": [device]}
        id = session.post(root, json=body, timeout=10).headers["Location"].rpartition("/")[2]
        given = {"token": server.token, "name": "rel-1"}
        used = run(artifact, server.url, **given, description="x")
        assert "keeps its description" in used.result["msg"]
        for module in (artifact, mender_release):
            gone = run(module, server.url, **given, state="absent")
            assert gone.result["error"]["code"] == "conflict"
            assert gone.result["error"]["request_id"]
        assert session.put(f"{root}/{id}/status", json={"status": "aborted"}, timeout=10).status_code == 204
