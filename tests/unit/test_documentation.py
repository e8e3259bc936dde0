"""The documentation of every module says of each option what its argument spec says, doc fragments included."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec
from ansible_collections.fleet.deploy.plugins.module_utils._core.connection import CREDENTIALS

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if not path.name.startswith("_"))
INVENTORIES = sorted(path.stem for path in (ROOT / "plugins" / "inventory").glob("*.py"))
EVERY_MODULE = pytest.mark.parametrize("name", MODULES)


def documentation(kind: str, name: str) -> dict[str, Any]:
    """Return the options of a plugin's documentation as Ansible itself reads it."""
    folder = {"module": "modules"}.get(kind, kind)
    doc: dict[str, Any] = get_docstring(
        str(ROOT / "plugins" / folder / f"{name}.py"),
        fragment_loader,
        collection_name="fleet.deploy",
        is_module=kind == "module",
        plugin_type=kind,
    )[0]
    # ansible-core 2.19 and later give values of types of their own
    options: dict[str, Any] = json.loads(json.dumps(doc["options"], default=str))
    return options


def spec_of(name: str) -> ArgumentSpec:
    """Return the argument spec of a module."""
    spec = importlib.import_module(f"ansible_collections.fleet.deploy.plugins.modules.{name}").SPEC
    assert isinstance(spec, ArgumentSpec)
    return spec


def differences(documented: dict[str, Any], spec: dict[str, Any], where: str = "") -> Iterator[str]:
    """Yield what the two say differently."""
    for name in sorted(documented.keys() ^ spec.keys()):
        yield f"{where}{name}: only in the {'documentation' if name in documented else 'argument spec'}"
    for name in sorted(documented.keys() & spec.keys()):
        doc, option = documented[name], spec[name]
        for key, missing in (
            ("type", "str"),
            ("elements", None),
            ("default", None),
            ("choices", None),
            ("required", False),
            ("aliases", None),
        ):
            said, is_so = doc.get(key, missing), option.get(key, missing)
            # True is equal to 1, but not the same to a reader
            if (said, type(said)) != (is_so, type(is_so)):
                yield f"{where}{name}: {key} is documented as {said!r}, but is {is_so!r}"
        yield from differences(doc.get("suboptions", {}), option.get("options", {}), f"{where}{name}.")


def words(option: dict[str, Any]) -> str:
    """Return the description of an option as one text."""
    description = option["description"]
    return description if isinstance(description, str) else "\n".join(description)


def named_variables(option: dict[str, Any]) -> set[str]:
    """Return the environment variables that a description names."""
    return set(re.findall(r"E\((\w+)\)", words(option)))


def read_variables(option: dict[str, Any]) -> set[str]:
    """Return the environment variables that an option falls back to."""
    _function, *arguments = option.get("fallback", (None,))
    return set(arguments[0]) if arguments else set()


def environment_differences(documented: dict[str, Any], spec: dict[str, Any]) -> Iterator[str]:
    """Yield the environment variables that are read but not named, and the other way round."""
    for name in sorted(documented.keys() & spec.keys() - {*CREDENTIALS}):
        named, read = named_variables(documented[name]), read_variables(spec[name])
        if named != read:
            yield f"{name}: names {sorted(named)}, reads {sorted(read)}"
    # these are read all together or not at all, by connect_options
    given = [name for name in CREDENTIALS if name in spec]
    if given:
        prefixes = [variable.removesuffix("_URL") for variable in read_variables(spec["url"])]
        named = set().union(*(named_variables(documented[name]) for name in given))
        read = {f"{prefix}_{name.upper()}" for prefix in prefixes for name in given}
        if named != read:
            yield f"{', '.join(given)}: name {sorted(named)}, read {sorted(read)}"


@EVERY_MODULE
def test_options_are_documented_as_they_are(name: str) -> None:
    assert list(differences(documentation("module", name), spec_of(name).argument_spec)) == []


@EVERY_MODULE
def test_environment_is_documented_as_it_is(name: str) -> None:
    assert list(environment_differences(documentation("module", name), spec_of(name).argument_spec)) == []


@EVERY_MODULE
def test_rules_between_options_name_options(name: str) -> None:
    spec = spec_of(name)
    groups = [*spec.mutually_exclusive, *spec.required_together, *spec.required_one_of]
    groups += [[rule[0], *rule[2]] for rule in spec.required_if]
    groups += [[option, *needed] for option, needed in spec.required_by.items()]
    assert {option for group in groups for option in group} <= spec.argument_spec.keys()
    for option, value, *_rest in spec.required_if:
        choices = spec.argument_spec[option].get("choices", [value])
        assert value in choices


@EVERY_MODULE
def test_references_in_the_text_name_options(name: str) -> None:
    options = documentation("module", name)

    def check(documented: dict[str, Any], inside: dict[str, Any]) -> None:
        for option in documented.values():
            for reference in re.findall(r"O\((\w[\w.]*)", words(option)):
                found: dict[str, Any] = options
                for part in reference.split("."):
                    assert part in found or part in inside, f"{name}: O({reference})"
                    found = found.get(part, {}).get("suboptions", {})
            check(option.get("suboptions", {}), option.get("suboptions", {}))

    check(options, options)


@pytest.mark.parametrize("name", INVENTORIES)
def test_inventory_shares_the_connection_options(name: str) -> None:
    options, spec = documentation("inventory", name), connection_spec(name).argument_spec
    shared = {option: options[option] for option in spec}
    assert list(differences(shared, spec)) == []
    for option, documented in shared.items():
        variables = {entry["name"] for entry in documented.get("env", [])}
        own = {f"{name.upper()}_{option.upper()}"} if option in CREDENTIALS else read_variables(spec[option])
        assert variables == own, option


def test_there_is_something_to_compare() -> None:
    assert "target" in MODULES
    assert INVENTORIES


DOC = {"a": {"type": "int", "description": ["See E(X_A)."]}}


@pytest.mark.parametrize(
    "documented, spec, expected",
    [
        ({"a": {}}, {}, ["a: only in the documentation"]),
        ({}, {"a": {}}, ["a: only in the argument spec"]),
        ({"a": {}}, {"a": {"type": "int"}}, ["a: type is documented as 'str', but is 'int'"]),
        ({"a": {"default": 1}}, {"a": {"default": True}}, ["a: default is documented as 1, but is True"]),
        ({"a": {}}, {"a": {"default": False}}, ["a: default is documented as None, but is False"]),
        ({"a": {"choices": ["x"]}}, {"a": {"choices": ["y"]}}, ["a: choices is documented as ['x'], but is ['y']"]),
        ({"a": {"required": True}}, {"a": {}}, ["a: required is documented as True, but is False"]),
        ({"a": {"suboptions": {"b": {}}}}, {"a": {"options": {}}}, ["a.b: only in the documentation"]),
        ({"a": {"type": "str"}}, {"a": {}}, []),
    ],
)
def test_every_difference_is_seen(documented: dict[str, Any], spec: dict[str, Any], expected: list[str]) -> None:
    assert list(differences(documented, spec)) == expected


@pytest.mark.parametrize(
    "fallback, expected",
    [
        ({}, ["a: names ['X_A'], reads []"]),
        ({"fallback": (None, ["X_B"])}, ["a: names ['X_A'], reads ['X_B']"]),
        ({"fallback": (None, ["X_A"])}, []),
    ],
)
def test_every_variable_is_seen(fallback: dict[str, Any], expected: list[str]) -> None:
    assert list(environment_differences(DOC, {"a": {"type": "int", **fallback}})) == expected
