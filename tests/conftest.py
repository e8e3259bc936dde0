"""Make this checkout the `fleet.deploy` that every test and every ansible-playbook started by a test finds."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# the servers, the proxy in front of them and the fleet
pytest_plugins = ["servers.fixtures"]

CHECKOUT = Path(__file__).resolve().parents[1]


def _collections_path() -> Path:
    """Return the folder above `ansible_collections`, made of a symbolic link where the checkout lies elsewhere."""
    if CHECKOUT.parts[-3:] == ("ansible_collections", "fleet", "deploy"):
        return CHECKOUT.parents[2]
    base = CHECKOUT / ".cache" / "collections"
    link = base / "ansible_collections" / "fleet" / "deploy"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        with contextlib.suppress(FileExistsError):  # another pytest may make it at the same time
            link.symlink_to(os.path.relpath(CHECKOUT, link.parent))
    return base


# first on the path, so that an installed copy of the collection cannot be tested by mistake
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(_collections_path())
