"""Imports point one way: module, inventory plugin, event source → platform package → core."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from ansible_collections.fleet.deploy.plugins.module_utils._core.version import COLLECTION_VERSION

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
PREFIX = "ansible_collections.fleet.deploy.plugins."
CORE = "module_utils._core"
FILES = sorted((ROOT / "plugins").rglob("*.py"))
# what a file of module_utils may take of ansible-core: the adapter of AnsibleModule, the environment of an option
OF_ANSIBLE = {
    "module_utils/_core/module.py": {"ansible.module_utils.basic.AnsibleModule"},
    "module_utils/_core/argspec.py": {"ansible.module_utils.basic.env_fallback"},
}
# may be missing on a managed host, and sanity imports without them
THIRD_PARTY = {"requests", "urllib3", "lxml", "yaml"}


class Import(NamedTuple):
    """One import of a file: what is imported, with its full name, and whether that happens when the file is loaded."""

    name: str
    line: int
    on_load: bool


def imports(path: Path) -> Iterator[Import]:
    """Yield the imports of a file, without those that only a type checker sees."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["ansible_collections", "fleet", "deploy", *path.relative_to(ROOT).parent.parts]

    def walk(node: ast.AST, on_load: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from walk(other, on_load)
            return
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, on_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (Import(f"{module}.{alias.name}", node.lineno, on_load) for alias in node.names)
        inside = on_load and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    yield from walk(tree, on_load=True)


def own(path: Path) -> Iterator[tuple[str, int]]:
    """Yield what a file imports of the collection, from `plugins` on, and in which line."""
    for found in imports(path):
        if found.name.startswith("ansible_collections.fleet.deploy."):
            assert found.name.startswith(PREFIX), f"{path}:{found.line}: {found.name}"
            yield found.name.removeprefix(PREFIX), found.line


def place(path: Path) -> str:
    """Return the place of a file below `plugins`, dotted."""
    return ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts)


def may_import(user: str, used: str) -> bool:
    """Tell whether a file may import another."""
    kind, _dot, rest = user.partition(".")
    if kind == "module_utils":
        package = f"module_utils.{rest.partition('.')[0]}"
        return used.startswith((f"{package}.", f"{CORE}."))
    if kind == "plugin_utils":
        return used.startswith(("plugin_utils.", "module_utils._"))
    if kind == "doc_fragments":
        return False
    if kind in ("filter", "test"):
        return used.startswith("plugin_utils.")
    # what is started: modules, action, inventory
    return used.startswith(("module_utils._", "plugin_utils._")) or (kind == "action" and used.startswith("modules."))


@pytest.mark.parametrize("path", FILES, ids=place)
def test_imports_point_one_way(path: Path) -> None:
    wrong = [f"line {line}: {used}" for used, line in own(path) if not may_import(place(path), used)]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=place)
def test_nobody_speaks_to_two_platforms_but_who_asks_which_one_it_is(path: Path) -> None:
    used = {match[1] for name, _line in own(path) if (match := re.match(r"module_utils\.(_\w+)\.", name))} - {"_core"}
    if place(path) not in ("modules.platform_info", "action.platform_info"):
        assert len(used) <= 1


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(UTILS)], ids=place)
def test_nothing_in_module_utils_knows_ansible(path: Path) -> None:
    allowed = OF_ANSIBLE.get(str(path.relative_to(ROOT / "plugins")), set())
    assert {found.name for found in imports(path) if re.match(r"ansible(\.|$)", found.name)} <= allowed


@pytest.mark.parametrize("name, used", OF_ANSIBLE.items())
def test_exceptions_are_still_needed(name: str, used: set[str]) -> None:
    assert used <= {found.name for found in imports(ROOT / "plugins" / name)}


@pytest.mark.parametrize("path", FILES, ids=place)
def test_libraries_are_imported_when_they_are_needed(path: Path) -> None:
    if place(path).startswith(("module_utils", "modules")):
        assert not {found for found in imports(path) if found.on_load and found.name.split(".")[0] in THIRD_PARTY}


@pytest.mark.parametrize("path", [path for path in FILES if place(path).startswith("modules.")], ids=place)
def test_modules_send_no_request_themselves(path: Path) -> None:
    named = {name for name, _line in own(path)}
    assert not {name for name in named if name.startswith((f"{CORE}.transport", f"{CORE}.wire"))}


def test_all_of_module_utils_is_private() -> None:
    public = [path.name for path in UTILS.iterdir() if not path.name.startswith("_") and path.name != "__init__.py"]
    assert not public


def test_there_is_something_to_look_at() -> None:
    assert "modules.target" in map(place, FILES)
    assert place(UTILS / "_core" / "transport.py") in map(place, FILES)
    used = {name for name, _line in own(UTILS / "_core" / "transport.py")}
    assert {f"{CORE}.clock.Deadline", f"{CORE}.connection.Connection"} <= used


@pytest.mark.parametrize(
    "user, used, expected",
    [
        ("modules.target", "module_utils._hawkbit.client.connect", True),
        ("modules.target", "module_utils._core.task.Task", True),
        ("modules.target", "modules.target_info.run", False),
        ("module_utils._hawkbit.client", "module_utils._hawkbit.api.Api", True),
        ("module_utils._hawkbit.client", "module_utils._core.task.Task", True),
        ("module_utils._hawkbit.client", "module_utils._mender.client.connect", False),
        ("module_utils._hawkbit.client", "plugin_utils._inventory.plugin.Base", False),
        ("module_utils._core.transport", "module_utils._hawkbit.api.Api", False),
        ("module_utils._core.transport", "modules.target.SPEC", False),
        ("inventory.hawkbit", "plugin_utils._inventory.plugin.Base", True),
        ("inventory.hawkbit", "inventory.mender.parse", False),
        ("action.platform_info", "modules.target.run", True),
        ("doc_fragments.hawkbit", "module_utils._core.argspec.connection_spec", False),
    ],
)
def test_the_rule_itself(user: str, used: str, expected: bool) -> None:
    assert may_import(user, used) is expected


def test_version_is_the_same_everywhere() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert galaxy["version"] == COLLECTION_VERSION
