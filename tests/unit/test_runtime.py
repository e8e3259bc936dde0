"""What is said in two places of the collection is the same in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
MODULES = sorted(path for path in (ROOT / "plugins" / "modules").glob("*.py") if not path.name.startswith("_"))


def documented_groups(module: Path) -> list[str]:
    """Return the action groups of a module's documentation, doc fragments included."""
    doc: dict[str, Any] = get_docstring(
        str(module), fragment_loader, collection_name="fleet.deploy", is_module=True, plugin_type="module"
    )[0]
    assert "action_group" in doc["attributes"], "extend the documentation by fleet.deploy.attributes.group_hawkbit"
    membership = doc["attributes"]["action_group"]["membership"]
    return [membership] if isinstance(membership, str) else list(membership)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_module_is_in_the_groups_that_it_documents(module: Path) -> None:
    listed = {f"fleet.deploy.{group}" for group, members in RUNTIME["action_groups"].items() if module.stem in members}
    assert set(documented_groups(module)) == listed
    assert listed, "a module without an action group cannot get its connection from module_defaults"


def test_groups_hold_no_module_that_is_missing() -> None:
    listed = {member for members in RUNTIME["action_groups"].values() for member in members}
    assert listed == {module.stem for module in MODULES}


def test_groups_are_sorted_and_free_of_duplicates() -> None:
    for group, members in RUNTIME["action_groups"].items():
        assert members == sorted(set(members)), group


def test_readme_names_the_floor_of_ansible_core() -> None:
    floor = RUNTIME["requires_ansible"].removeprefix(">=").removesuffix(".0")
    assert floor in (ROOT / "README.md").read_text(encoding="utf-8")


def pins(name: str) -> set[str]:
    """Return the locked packages of a requirements file."""
    return {line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] not in " #"}


def test_tests_run_with_the_same_packages_on_every_ansible_core() -> None:
    dev = {pin.partition(" ;")[0] for pin in pins("requirements-dev.txt")}
    assert {pin.partition(" ;")[0] for pin in pins("requirements-test.txt")} <= dev
