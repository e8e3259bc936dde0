"""What each check runs. tools/check.py runs the checks, by name, alone or together."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cores

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "tests" / "servers" / "demo.py"
BENCH = ROOT / "tests" / "bench" / "run.py"

# a newer Java than the tests have otherwise, where tests/servers/hawkbit.py looks for it
JAVA_REQUIREMENTS = "tools/requirements-java21.txt"
MORE_JAVA = ROOT / ".cache" / "java-21"
# the tests that tell whether a release is one of those that work
ON_EVERY_RELEASE = ("test_targets.py", "test_inventory_hawkbit.py", "test_bulk.py")
# and those of the generation between the two of `make test`
ON_MIDDLE_RELEASE = ("test_assign.py", "test_approval.py", "test_bad_input.py", "test_seed.py", "test_seed_errors.py")
ON_EVERY_MENDER = (
    "test_targets_mender.py", "test_inventory_mender.py", "test_roles_mender.py", "test_seed_mender.py",
    "test_bad_input_mender.py",
)  # fmt: skip

# what a program gets for stopping its servers after Ctrl-C
SHUT_DOWN_SECONDS = 25

# all that may stand at the top of a built collection
ARTIFACT = {
    "CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md",
    "changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles", "tests",
}  # fmt: skip
ARTIFACT_BYTES = 2 * 2**20
# what lies about in a checkout that is worked in; build_ignore of galaxy.yml has to know it
LITTER = (
    ".ansible/x", ".cache/x", ".coverage.host.1", ".mypy_cache/x", ".pytest_cache/x", ".ruff_cache/x", ".venv/bin/x",
    ".venv.lock", "changelogs/.plugin-cache.yaml", "collections/x", "docs/build/x", "x.tar.gz",
    "importer_result.json", "plugins/modules/__pycache__/target.cpython-311.pyc", "tests/integration/inventory",
    "tests/output/x",
)  # fmt: skip


class Failed(Exception):
    """A check is not content; the message says why, empty if the program has said it."""


@dataclass
class Place:
    """Where a check runs: a fresh copy of the checkout, and the environment of one ansible-core."""

    stage: Path
    """The copy, at …/ansible_collections/fleet/deploy."""
    arguments: Sequence[str] = ()
    """What the person who runs the check adds to its command."""
    core: cores.Core | None = None
    """None is the ansible-core of .venv."""

    @property
    def base(self) -> Path:
        """The folder that holds ansible_collections, and what a check writes for the time of its run."""
        return self.stage.parents[2]

    @property
    def binaries(self) -> Path:
        """The folder with the programs of the environment."""
        return self.core.directory / "bin" if self.core else Path(sys.executable).parent

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables a check's program gets: a person's own Ansible settings do not count here."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "GALAXY_IMPORTER_", "MOLECULE_", "PYTHONDONTWRITE", "PYTHONPATH"))
        }
        if "UTF" not in (kept.get("LC_ALL") or kept.get("LC_CTYPE") or kept.get("LANG") or "").upper():
            kept["LC_ALL"] = "C.UTF-8"  # ansible refuses to start without
        if not sys.stdout.isatty():
            kept["NO_COLOR"] = "1"
        return kept | {
            "ANSIBLE_COLLECTIONS_PATH": str(self.base),
            "COVERAGE_FILE": str(self.base / "coverage"),
            "PATH": os.pathsep.join([str(self.binaries), cores.real_path(os.environ.get("PATH", ""))]),
            **more,
        }

    def run(self, *command: str | Path, cwd: Path | None = None, refuse: str = "", **environment: str) -> None:
        """Run a program in the copy, or in `cwd`.

        Raises Failed when its status is not 0, or when a line of what it says matches `refuse`.
        """
        words = [str(word) for word in command]
        process = subprocess.Popen(
            words,
            cwd=cwd or self.stage,
            env=self.environment(**environment),
            stdout=subprocess.PIPE if refuse else None,
            stderr=subprocess.STDOUT if refuse else None,
            text=True,
        )
        refused = []
        try:
            for line in process.stdout or ():
                sys.stdout.write(line)
                sys.stdout.flush()
                if re.search(refuse, line):
                    refused.append(line.strip())
            status = process.wait()
        except (KeyboardInterrupt, SystemExit) as end:
            # Ctrl-C has reached the program too, a signal to this process alone has not; either way it may shut down
            if isinstance(end, SystemExit):
                process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SHUT_DOWN_SECONDS)
            raise
        finally:
            process.kill()
        if status:
            raise Failed(f"{Path(words[0]).name} ended with status {status}")
        if refused:
            raise Failed(f"{Path(words[0]).name} ended with status 0, but said: {refused[0]}")

    def program(self, name: str) -> Path:
        """Return the path of a program of the environment."""
        return self.binaries / name


def ruff(place: Place) -> None:
    """Lint the Python code."""
    place.run(place.program("ruff"), "check", "--no-cache", ".")


def ruff_format(place: Place) -> None:
    """Compare the layout of the Python code with ruff's."""
    place.run(place.program("ruff"), "format", "--no-cache", "--check", ".")


def shellcheck(place: Place) -> None:
    """Check the shell scripts."""
    place.run(place.program("shellcheck"), "tools/venv", ".ci/run")


def mypy(place: Place) -> None:
    """Check the types."""
    prefix = place.stage.relative_to(place.base)
    folders = [prefix / name for name in ("plugins", "tests/servers", "tests/bench", "tools")]
    place.run(
        place.program("mypy"), "--config-file", prefix / "pyproject.toml", "--cache-dir", ROOT / ".cache" / "mypy",
        *(folder for folder in folders if next((place.base / folder).rglob("*.py"), None)),
        cwd=place.base,
    )  # fmt: skip


def changelog(place: Place) -> None:
    """Check the changelog's fragments."""
    place.run(place.program("antsibull-changelog"), "lint")


def ansible_lint(place: Place) -> None:
    """Check roles, playbooks, examples and tests by ansible-lint's production profile."""
    place.run(place.program("ansible-lint"), "--strict")


def docs_lint(place: Place) -> None:
    """Check the documentation of plugins and roles, their references and the pages of docs/docsite."""
    place.run(
        place.program("antsibull-docs"), "lint-collection-docs", "--plugin-docs",
        "--validate-collection-refs", "self", "--disallow-unknown-collection-refs", ".",
    )  # fmt: skip


def _seed_pip(version: str) -> None:
    """Give ansible-test the pip of its sanity environments.

    It would download a script from a file host of Ansible's; with the wheel of the same release from PyPI beside it, a
    script of a few lines does the same, also where only PyPI can be reached.
    """
    cache = Path.home() / ".ansible" / "test" / "cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--only-binary=:all:", "--dest", str(cache), f"pip=={version}"], check=True)
    wheel = cache / f"pip-{version}-py3-none-any.whl"
    new = script.with_suffix(f".{os.getpid()}")
    new.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(wheel)!r})\n"
        "from pip._internal.cli.main import main\n"
        f"sys.exit(main(['install', '--disable-pip-version-check', '--no-index', '--no-deps', {str(wheel)!r}]))\n"
    )
    new.replace(script)


def sanity(place: Place) -> None:
    """Run ansible-test's sanity tests, on every Python there is, with no ignore file."""
    version = place.core.version if place.core else importlib.metadata.version("ansible-core")
    _seed_pip(next(core.pip_of_sanity for core in cores.MATRIX if core.version == version))
    ignored = list((place.stage / "tests" / "sanity").glob("ignore-*"))
    if ignored:
        raise Failed(f"there is an ignore file: {ignored[0].name}")
    # ansible-test is content where a program is missing, and, with a warning, where it finds nothing to check
    if not place.program("shellcheck").exists():
        raise Failed(f"there is no shellcheck in {place.binaries}")
    place.run(
        place.program("ansible-test"), "sanity", "--local", "--color", "no", *place.arguments,
        refuse="All targets skipped",
    )  # fmt: skip


def _build(place: Place) -> Path:
    """Build the collection from a copy in which work has left its traces; return the path of the file."""
    worn = place.base / "worn"
    shutil.copytree(place.stage, worn, symlinks=True, ignore=shutil.ignore_patterns("output"))
    for name in LITTER:
        (worn / name).parent.mkdir(parents=True, exist_ok=True)
        (worn / name).write_text("litter\n")
    place.run(place.program("ansible-galaxy"), "collection", "build", "--output-path", place.base / "dist", worn)
    return next((place.base / "dist").glob("*.tar.gz"))


def artifact(place: Place) -> None:
    """Build the collection, look into it, install it, run its playbooks by name, hand it to galaxy-importer."""
    file = _build(place)
    with tarfile.open(file) as archive:
        names = [member.name for member in archive.getmembers() if not member.isdir()]
    foreign = sorted(name for name in names if name.split("/")[0] not in ARTIFACT or name in LITTER)
    if foreign:
        raise Failed(f"{file.name} holds what does not belong there: {', '.join(foreign[:10])}")
    size = file.stat().st_size
    if size > ARTIFACT_BYTES:
        raise Failed(f"{file.name} has {size} bytes, more than {ARTIFACT_BYTES}")
    print(f"{file.name}: {len(names)} files, {size // 1024} KiB", flush=True)

    installed = place.base / "installed"
    only = str(installed)  # with the copy on the path as well, galaxy would see no need to install
    place.run(
        place.program("ansible-galaxy"), "collection", "install", "--offline", "-p", installed, file,
        ANSIBLE_COLLECTIONS_PATH=only,
    )  # fmt: skip
    playbooks = sorted((place.stage / "playbooks").glob("*.yml"))
    if playbooks:
        place.run(
            place.program("ansible-playbook"), "--syntax-check", "-i", "localhost,",
            *(f"fleet.deploy.{playbook.stem}" for playbook in playbooks),
            cwd=place.base, ANSIBLE_COLLECTIONS_PATH=only,
        )  # fmt: skip

    # its status is 0 also where lint, documentation or changelog are not in order
    place.run(
        place.program("python"), "-m", "galaxy_importer.main", file,
        cwd=place.base / "dist",
        refuse=r"^(WARNING|ERROR|CRITICAL)",
        GALAXY_IMPORTER_CONFIG=str(place.stage / "tools" / "galaxy-importer.cfg"),
    )  # fmt: skip


def _pytest(place: Place, tests: Sequence[str], *more: str) -> None:
    """Run these tests, or those that the person names."""
    named = any((ROOT / argument.partition("::")[0]).exists() for argument in place.arguments)
    place.run(place.program("python"), "-m", "pytest", *(() if named else tests), *more, *place.arguments, cwd=ROOT)


def units(place: Place) -> None:
    """Run the unit tests; with the ansible-core of .venv also those of the servers, and measure what they cover."""
    more = ["--ignore=tests/unit/servers"] if place.core else ["--cov", "--cov-report=term"]
    _pytest(place, ["tests/unit"], *more)


def integration(place: Place) -> None:
    """Run the modules, the inventory plugin and the roles against running servers."""
    _pytest(place, ["tests/integration"])


def releases(place: Place) -> None:
    """Run the tests of servers on the releases of hawkBit, and the versions of Mender, that are not in `make test`."""
    place.run("tools/venv", "--any", sys.executable, MORE_JAVA, JAVA_REQUIREMENTS, cwd=ROOT)
    _pytest(place, [f"tests/integration/{name}" for name in ON_EVERY_RELEASE], "--hawkbit=more")
    _pytest(place, [f"tests/integration/{name}" for name in ON_MIDDLE_RELEASE], "--hawkbit=0.9.0")
    _pytest(place, [f"tests/integration/{name}" for name in ON_EVERY_MENDER], "--mender=more")


def molecule(place: Place) -> None:
    """Run the roles' scenarios."""
    # what it keeps about instances is named after the last folder of the checkout only
    place.run(place.program("molecule"), "test", "--all", *place.arguments, ANSIBLE_HOME=str(place.base / "home"))


def demo(place: Place) -> None:
    """Roll two versions out to a simulated fleet on a real hawkBit."""
    place.run(place.program("python"), DEMO, *place.arguments, cwd=ROOT)


def bench(place: Place) -> None:
    """Run the benchmarks."""
    place.run(place.program("python"), BENCH, *place.arguments, cwd=ROOT)


def docs(place: Place) -> None:
    """Build the documentation's site."""
    source, site = place.base / "docs", ROOT / "docs" / "build"
    source.mkdir(mode=0o755)
    # no index of another site is fetched: links to Ansible's own documentation are not resolved, and not complained of
    place.run(
        place.program("antsibull-docs"), "sphinx-init", "--use-current", "--squash-hierarchy", "--fail-on-error",
        "--project", "fleet.deploy", "--title", "fleet.deploy", "--copyright", "Fleet Deploy Authors",
        "--dest-dir", source, "fleet.deploy",
        cwd=place.base,
    )  # fmt: skip
    with (source / "conf.py").open("a", encoding="utf-8") as settings:
        settings.write("\nintersphinx_mapping = {}\nsuppress_warnings = ['ref.ref']\n")
        settings.write("nitpick_ignore_regex = [('envvar', 'ANSIBLE_.*'), ('std:envvar', 'ANSIBLE_.*')]\n")
    place.run("bash", "build.sh", cwd=source, SPHINXOPTS="-W --keep-going")
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(source / "build" / "html", site)
    print(f"fleet.deploy: the site is {site.relative_to(ROOT)}/index.html")


@dataclass(frozen=True)
class Part:
    """A check."""

    name: str
    run: Callable[[Place], None]
    servers: bool = False
    """Parts with and without servers run at the same time."""

    @property
    def about(self) -> str:
        """What it does, in a line."""
        return (self.run.__doc__ or "").splitlines()[0]


# in the order in which `make test` prints them: the quick ones first
CHECKS = (
    Part("ruff", ruff),
    Part("format", ruff_format),
    Part("shellcheck", shellcheck),
    Part("changelog", changelog),
    Part("mypy", mypy),
    Part("ansible-lint", ansible_lint),
    Part("docs-lint", docs_lint),
    Part("sanity", sanity),
    Part("artifact", artifact),
    Part("units", units, servers=True),
    Part("integration", integration, servers=True),
    Part("molecule", molecule, servers=True),
)
ON_EVERY_CORE = ("sanity", "units", "integration")
LINTS = ("ruff", "format", "shellcheck", "changelog", "mypy", "ansible-lint", "docs-lint")
RELEASES = Part("releases", releases, servers=True)
OTHERS = (RELEASES, Part("demo", demo), Part("bench", bench), Part("docs", docs))
BY_NAME = {part.name: part for part in CHECKS + OTHERS}
