"""Copy the checkout to a path that ansible-test accepts: FOLDER/ansible_collections/fleet/deploy."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGES = ROOT / ".cache" / "stage"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _sweep() -> None:
    """Remove the copies that runs have left behind which were killed."""
    for left in STAGES.glob("*-*"):
        pid = left.name.split("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _git(*arguments: str, cwd: Path) -> str:
    # a hook or a caller may have pointed git elsewhere
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@contextlib.contextmanager
def staged() -> Iterator[Path]:
    """Copy what git tracks or would track, give the copy's path, and remove it in the end.

    Every run has a copy of its own, so that two runs in one checkout do not meet. The copy is a git repository of its
    own: ansible-test would otherwise find the checkout's, in which .cache is ignored, check nothing and be content.
    """
    STAGES.mkdir(parents=True, exist_ok=True)
    _sweep()
    base = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=STAGES))
    try:
        stage = base / "ansible_collections" / "fleet" / "deploy"
        stage.mkdir(parents=True)
        for name in _git("ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT).split("\0"):
            source, target = ROOT / name, stage / name
            # a file may be tracked and deleted, or vanish while somebody works in the checkout
            if name and (source.is_file() or source.is_symlink()):
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy2(source, target, follow_symlinks=False)
        _git("init", "-q", cwd=stage)
        yield stage
    finally:
        shutil.rmtree(base, ignore_errors=True)
