"""Environments with other releases of ansible-core, for the tests that must hold on all of them.

    python tools/cores.py                          list the matrix and what of it this machine can run
    python tools/cores.py --ensure oldest newest   make these environments, print them as JSON

An environment holds ansible-core and what the tests need (requirements-test.txt). It lies in .cache/cores and is made
once.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CORES = ROOT / ".cache" / "cores"
REQUIREMENTS = ROOT / "requirements-test.txt"


class Unavailable(Exception):
    """An environment cannot be had here; the message is one sentence that says why."""


@dataclass(frozen=True)
class Core:
    """One pair of the support matrix, and what differs between the releases of ansible-core."""

    version: str
    python: str
    resolvelib: str
    pip_of_sanity: str
    """The release of pip that this ansible-test puts into the environments of its sanity tests."""

    @property
    def name(self) -> str:
        """Return the name that people type: `2.18.19-py3.11`."""
        return f"{self.version}-py{self.python}"

    @property
    def directory(self) -> Path:
        """Return the environment's folder, which may not exist yet."""
        return CORES / self.name

    @property
    def pins(self) -> list[str]:
        """Return what is installed besides requirements-test.txt."""
        return [f"ansible-core=={self.version}", f"resolvelib=={self.resolvelib}"]


# oldest first
MATRIX = (
    Core("2.18.19", "3.11", "1.0.1", "24.2"),
    Core("2.19.14", "3.11", "1.2.1", "24.2"),
    Core("2.20.10", "3.12", "1.2.1", "25.2"),
    Core("2.21.5", "3.12", "1.2.1", "25.2"),
    Core("2.21.5", "3.13", "1.2.1", "25.2"),
)


def real_path(path: str) -> str:
    """Return a PATH with the programs of pyenv themselves instead of its shims.

    A shim such as `python3.13` is found and then refuses to run unless that version is switched on; ansible-test and
    Ansible's interpreter discovery take it for a Python and die of it.
    """
    kept = [folder for folder in path.split(os.pathsep) if folder and Path(folder).name != "shims"]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(pyenv.glob("3.*/bin"), key=lambda folder: _numbers(folder.parent.name), reverse=True)
    return os.pathsep.join(kept + [str(folder) for folder in found if str(folder) not in kept])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@functools.cache
def interpreter(python: str) -> Path | None:
    """Return a program that really is Python `python` ("3.12") and can make environments, or None."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [sys.executable] if own == python else []
    path = real_path(os.environ.get("PATH", ""))
    candidates += [str(Path(folder) / f"python{python}") for folder in path.split(os.pathsep)]
    question = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            answer = subprocess.run(
                [candidate, "-c", question], capture_output=True, text=True, check=False, timeout=60
            )
            if answer.returncode == 0 and answer.stdout.strip() == python:
                return Path(candidate)
    return None


def available() -> list[Core]:
    """Return the pairs of the matrix that this machine has a Python for, oldest first."""
    return [core for core in MATRIX if interpreter(core.python)]


def own() -> Core | None:
    """Return the pair of this very process, if the matrix has it."""
    here = (importlib.metadata.version("ansible-core"), f"{sys.version_info.major}.{sys.version_info.minor}")
    return next((core for core in MATRIX if (core.version, core.python) == here), None)


def select(word: str) -> Core:
    """Return the pair for `oldest`, `newest`, a version of ansible-core or a name such as `2.21.5-py3.13`.

    Raises Unavailable if the matrix does not have it or this machine has no Python for it.
    """
    here = available()
    if not here:
        raise Unavailable("no Python of the support matrix (3.11, 3.12, 3.13) is on this machine")
    if word in ("oldest", "newest"):
        return here[0 if word == "oldest" else -1]
    named = [core for core in MATRIX if word in (core.name, core.version)]
    if not named:
        raise Unavailable(f"'{word}' is not in the support matrix: {', '.join(core.name for core in MATRIX)}")
    for core in reversed(named):
        if core in here:
            return core
    raise Unavailable(f"no Python {named[-1].python} for ansible-core {named[-1].version} is on this machine")


def ensure(core: Core) -> Path:
    """Make the environment of `core` unless it is there, and return its folder. Raises Unavailable."""
    base = interpreter(core.python)
    if base is None:
        raise Unavailable(f"no Python {core.python} for ansible-core {core.version} is on this machine")
    CORES.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + " ".join(core.pins).encode()).hexdigest()
    stamp = core.directory / ".ready"
    with (CORES / f"{core.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted and (core.directory / "bin" / "python").exists():
            return core.directory
        print(
            f"fleet.deploy: installing ansible-core {core.version} for Python {core.python} (once) …", file=sys.stderr
        )
        shutil.rmtree(core.directory, ignore_errors=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
        }
        python = str(core.directory / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--compile"]
        for command in ([str(base), "-m", "venv", str(core.directory)], [*pip, "-r", str(REQUIREMENTS), *core.pins]):
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.stderr.write(done.stdout + done.stderr)
                raise Unavailable(f"ansible-core {core.version} for Python {core.python} could not be installed")
        stamp.write_text(wanted)
    return core.directory


def describe(core: Core) -> dict[str, Any]:
    """Return what a test needs to run programs of this environment."""
    binaries = core.directory / "bin"
    return {"name": core.name, "core": core.version, "python": core.python, "bin": str(binaries)}


def main(arguments: list[str]) -> int:
    """Carry out the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Environments with other releases of ansible-core.")
    parser.add_argument(
        "--ensure", nargs="+", metavar="CORE", help="oldest, newest, a version such as 2.20.10, or 2.21.5-py3.12"
    )
    options = parser.parse_args(arguments)
    if options.ensure:
        try:
            chosen = {word: select(word) for word in options.ensure}
            for core in chosen.values():
                ensure(core)
        except Unavailable as error:
            print(f"fleet.deploy: {error}", file=sys.stderr)
            return 1
        print(json.dumps({word: describe(core) for word, core in chosen.items()}, indent=2))
        return 0
    for core in MATRIX:
        base = interpreter(core.python)
        state = "ready" if (core.directory / ".ready").exists() else "not made yet"
        print(f"{core.name:18}{f'{base} ({state})' if base else 'no such Python on this machine'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
