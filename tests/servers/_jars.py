"""Gets the jars of a hawkBit release: from the cache folder, else by their Maven coordinates."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import requests
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext

HERE = Path(__file__).parent
# Releases that are started from their library jars, since their executable jar is not always to be had.
FROM_LIBRARIES = ("0.3.0M7",)
STARTER = "fleet.deploy.server.FleetHawkbit"
STARTER_SOURCE = HERE / "FleetHawkbit.java"
COMPILER = (
    "org.eclipse.jdt:ecj:3.33.0",
    "f7686c4960cf70c2ebc5c500a73a8cfc04541b730c18f1c5c21329889b137f45",
)
PARALLEL_DOWNLOADS = 8
HTTP_SECONDS = 15
MAVEN_SECONDS = 600
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


class Unavailable(Exception):
    """A server cannot be had on this machine; the message is one sentence that says why."""


class _NotThere(Exception):
    """The Maven repository answers and does not have the file: asking another way is no use."""


@dataclass(frozen=True)
class Jar:
    """One jar file: Maven coordinates `group:artifact:version`, sha256 in hex where it is pinned."""

    coordinates: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """File name as in a Maven repository."""
        artifact, version = self.coordinates.split(":")[1:]
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        """Its place in a Maven repository."""
        group, artifact, version = self.coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.name}"


def cache_folder() -> Path:
    """Folder that keeps the downloads: FLEET_DEPLOY_CACHE, else fleet-deploy in the user's cache folder."""
    chosen = os.environ.get("FLEET_DEPLOY_CACHE")
    if chosen:
        return Path(chosen) / "hawkbit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleet-deploy" / "hawkbit"


def server_jar(version: str) -> Jar:
    """The executable jar of a hawkBit release."""
    return Jar(f"org.eclipse.hawkbit:hawkbit-update-server:{version}")


def locked_jars(version: str) -> list[Jar]:
    """The library jars of a release in FROM_LIBRARIES, as its lock file lists them."""
    lines = (HERE / f"hawkbit-{version}.lock").read_text(encoding="ascii").splitlines()
    return [Jar(*line.split(" ")) for line in lines if line]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sound(path: Path, jar: Jar) -> bool:
    """Whether the file is there and is what its coordinates promise."""
    if not path.is_file():
        return False
    if jar.sha256:
        return _sha256(path) == jar.sha256
    return zipfile.is_zipfile(path)


def _corrupt(path: Path) -> bool:
    """Whether a member of a jar differs from its own checksum; the only check there is for a jar without a pin."""
    with zipfile.ZipFile(path) as jar:
        return jar.testzip() is not None


def _look(jar: Jar) -> None:
    """Ask for one jar with a request that is as small as can be: jgo tells "not there" and "refused" apart in no way.

    Raises `_NotThere`, RuntimeError for any other answer than 200, or an error of requests.
    """
    answers = [
        requests.head(f"{base}/{jar.path}", timeout=HTTP_SECONDS, allow_redirects=True).status_code
        for base in MavenContext().remote_repos.values()
    ]
    if set(answers) <= {404, 410}:
        raise _NotThere(jar.coordinates)
    if 200 not in answers:
        raise RuntimeError(f"the Maven repository answers HTTP {answers[0]}")


def _by_jgo(jar: Jar, folder: Path) -> Path:
    """Find one jar in the user's own Maven folder, or download it below `folder`."""
    own: Path = default_maven_repo() / jar.path
    if _sound(own, jar):
        return own
    _look(jar)
    group, artifact, version = jar.coordinates.split(":")
    context = MavenContext(repo_cache=folder, timeout=HTTP_SECONDS)
    return Path(context.project(group, artifact).at_version(version).artifact().resolve())


def _by_maven(jars: list[Jar], folder: Path) -> None:
    """Let an installed Maven, with the user's own settings, copy the jars into `folder`."""
    maven = shutil.which("mvn")
    if maven is None:
        raise RuntimeError("Maven is not installed either")
    entries = []
    for jar in jars:
        group, artifact, version = (escape(part) for part in jar.coordinates.split(":"))
        entries.append(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
            "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
        )
    project = folder / "pom.xml"
    project.write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>fleet.deploy</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<dependencies>{''.join(entries)}</dependencies></project>",
        encoding="utf-8",
    )
    command = [maven, "-q", "-B", "-ntp", "-f", str(project), MAVEN_COPY, f"-DoutputDirectory={folder}"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=MAVEN_SECONDS, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        lines = [line for line in plain.splitlines() if "[ERROR]" in line] or [f"status {done.returncode}"]
        raise RuntimeError(f"Maven failed: {_short(RuntimeError(lines[0]))}")


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time change the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(jars: list[Jar], folder: Path) -> list[Path]:
    """Bring the jars into `folder`, downloading only what is missing or damaged there; returns their paths.

    Raises `Unavailable` when one of them cannot be had.
    """
    paths = [folder / jar.name for jar in jars]
    if all(_sound(path, jar) for path, jar in zip(paths, jars, strict=True)):
        return paths
    with _exclusive(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        work = Path(temporary)
        missing = [jar for path, jar in zip(paths, jars, strict=True) if not _sound(path, jar)]
        try:
            with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
                found = list(pool.map(lambda jar: _by_jgo(jar, work), missing))
        except _NotThere as error:
            raise Unavailable(f"the Maven repository does not have {error}") from None
        except (RuntimeError, OSError) as error:
            try:
                _by_maven(missing, work)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as second:
                raise Unavailable(
                    f"the download of {missing[0].name} failed: {_short(error)}; {_short(second)}"
                ) from error
            found = [work / jar.name for jar in missing]
        for jar, path in zip(missing, found, strict=True):
            if not _sound(path, jar) or _corrupt(path):
                raise Unavailable(f"{jar.name} as downloaded is damaged or not the pinned file")
            # The file may lie in the user's Maven folder, which stays as it is: copy, then rename.
            complete = work / f"{jar.name}.complete"
            shutil.copyfile(path, complete)
            complete.replace(folder / jar.name)
    return paths


def _short(error: BaseException) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, requests.RequestException):
        return "the Maven repository cannot be reached"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.removeprefix("[ERROR] ")[:200].rstrip(". ")


def can_fetch(version: str) -> str:
    """How the jars of a version can be had: "cached" or "download". Raises `Unavailable`. At most one small request."""
    folder = cache_folder()
    if version in FROM_LIBRARIES:
        jars = locked_jars(version)
        folder /= f"hawkbit-{version}"
    else:
        jars = [server_jar(version)]
    if all(_sound(folder / jar.name, jar) for jar in jars):
        return "cached"
    jar = next(jar for jar in jars if "hawkbit" in jar.coordinates)
    if (default_maven_repo() / jar.path).is_file():
        return "download"
    try:
        _look(jar)
    except _NotThere as error:
        raise Unavailable(f"the Maven repository does not have {error}") from None
    except (RuntimeError, requests.RequestException) as error:
        raise Unavailable(_short(error)) from None
    return "download"


def contained_version(path: Path) -> str:
    """The hawkBit release that an executable jar really holds, read from the names of the libraries in it."""
    with zipfile.ZipFile(path) as jar:
        for name in jar.namelist():
            match = re.fullmatch(r"BOOT-INF/lib/hawkbit-core-(.+)\.jar", name)
            if match:
                return match[1]
    raise Unavailable(f"{path} is not a hawkBit server")


def compiled_starter(java: Path, libraries: list[Path]) -> Path:
    """Folder with our starter class, compiled once for each state of its source."""
    source = STARTER_SOURCE.read_bytes()
    folder = cache_folder() / f"starter-{hashlib.sha256(source).hexdigest()[:16]}"
    if (folder / (STARTER.replace(".", "/") + ".class")).is_file():
        return folder
    [compiler] = fetch([Jar(*COMPILER)], cache_folder())
    with _exclusive(folder.parent), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".compile-") as temporary:
        output = Path(temporary) / "classes"
        command = [str(java), "-jar", str(compiler), "-source", "8", "-target", "8", "-nowarn"]
        command += ["-cp", os.pathsep.join(map(str, libraries)), "-d", str(output), str(STARTER_SOURCE)]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise RuntimeError(f"{STARTER_SOURCE.name} does not compile:\n{done.stdout}{done.stderr}")
        if folder.exists():
            shutil.rmtree(folder)
        output.replace(folder)
    return folder
