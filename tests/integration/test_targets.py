"""Each module on a real server: in check mode, for real, once more; what it leaves there; what it returns.

targets/MODULE/tasks holds setup.yml, converge.yml, verify.yml and remove.yml, which playbooks/target.yml runs.
devices.yml beside it says what simulated devices there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.targets_run import RUNTIME, TARGETS, HawkbitSide, documented_return

if TYPE_CHECKING:
    from integration.playing import Result, Run
    from integration.targets_run import Targets

CHECKED = ("Converge in check mode", "Remove in check mode")
CONVERGED = ("Converge", "Remove")
AGAIN = ("Converge again", "Remove again")

# Ansible's own, beside what a module documents
ALWAYS = {
    "attempts", "censored", "changed", "deprecations", "diff", "exception", "failed", "failed_when_result",
    "failed_when_suppressed_exception", "invocation", "msg", "warnings",
}  # fmt: skip
LOOP = {"ansible_loop_var", "item"}
TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "list": list,
    "dict": dict,
    "raw": object,
}

MODULES = HawkbitSide.modules

# what is waited for are playbooks, which have a limit of their own each
pytestmark = pytest.mark.timeout(900)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test for all modules; the tests are those of other platforms too."""
    if "module" in metafunc.fixturenames:
        metafunc.parametrize("module", sorted(metafunc.module.MODULES))


def is_info(module: str) -> bool:
    """Whether a module only reads."""
    return module.endswith("_info")


def test_every_module_has_a_target() -> None:
    modules = {module for members in RUNTIME["action_groups"].values() for module in members}
    assert {module for module in modules if not (TARGETS / module / "tasks" / "converge.yml").is_file()} == set()


def test_target_succeeds_without_a_word_of_warning(targets: Targets, module: str) -> None:
    run = targets.outcome(module).run
    run.must_succeed()
    assert [result.play for result in run.of(module, "Converge")], "the target does not use its module"


def test_check_mode_sends_no_write(targets: Targets, module: str) -> None:
    outcome = targets.outcome(module)
    assert targets.writes(outcome.checked) == []
    assert outcome.checked


def test_check_mode_foretells_what_changes(targets: Targets, module: str) -> None:
    run = targets.outcome(module).run
    foretold = [(result.name, result.changed) for result in run.of(module, *CHECKED)]
    assert foretold == [(result.name, result.changed) for result in run.of(module, *CONVERGED)]
    assert all(changed is not is_info(module) for _name, changed in foretold) or not is_info(module)
    assert any(changed for _name, changed in foretold) is not is_info(module)


def test_change_is_shown_as_a_difference(targets: Targets, module: str) -> None:
    run = targets.outcome(module).run
    for result in run.of(module, *CHECKED, *CONVERGED):
        assert (result.data.get("diff") is None) or not is_info(module)
        if result.changed:
            assert result.data["diff"]["before"] != result.data["diff"]["after"], result.name
        elif "diff" in result.data:
            assert result.data["diff"] == {"before": {}, "after": {}}, result.name
    # what is foretold is what is done
    shown = [result.data.get("diff") for result in run.of(module, *CHECKED)]
    assert shown == [result.data.get("diff") for result in run.of(module, *CONVERGED)]


def test_second_run_changes_nothing_and_only_reads(targets: Targets, module: str) -> None:
    outcome = targets.outcome(module)
    second = outcome.run.of(module, *AGAIN)
    assert second
    assert [result.name for result in second if result.changed] == []
    assert targets.writes(outcome.again) == []


def test_writes_go_through_for_real(targets: Targets, module: str) -> None:
    assert bool(targets.writes(targets.outcome(module).converged)) is not is_info(module)


def test_example_succeeds(targets: Targets, module: str) -> None:
    run = targets.examples()
    found = [result for result in run.results if result.play == module]
    assert found, f"the run stopped before these examples:\n{run.output}"
    failed = [(result.name, result.msg) for result in found if result.status != "ok"]
    assert [one for one in failed if one[0] not in targets.side.excused] == []
    assert run.complaints() == []


def test_result_is_what_the_documentation_says(targets: Targets, module: str) -> None:
    results = [result for run in targets.everything() for result in _results(run, module)]
    seen: dict[str, list[Any]] = {}
    documented = documented_return(module)
    for result in results:
        # what all modules say of a failure is the same everywhere
        failed = result.status == "failed" or "failed_when_result" in result.data
        failure = {"error", "http"} if failed else set()
        keys = set(result.data) - ALWAYS - failure - (LOOP if "item" in result.data else set())
        assert keys <= set(documented), f"{result.name} returns what is not documented"
        _collect("", documented, result.data, seen)
    missing = sorted(path for path in _paths("", documented) if path not in seen)
    if not targets.side.complete:
        # what may be null, and is so on this server, has no parts
        missing = [path for path in missing if _may_be_there(path, seen)]
    assert missing == [], "documented, but never returned"
    # a server need not know what a newer one tells; the documentation must say that such a value is null then
    values = {path: seen[path] for path, may_be_null in _paths("", documented).items() if not may_be_null}
    assert sorted(path for path in values if all(value is None for value in values[path])) == []


def _may_be_there(path: str, seen: dict[str, list[Any]]) -> bool:
    """Whether what holds it was ever more than null; what has nothing around it must be there."""
    whole = path.rpartition(".")[0]
    while whole and whole not in seen:
        whole = whole.rpartition(".")[0]
    return not whole or any(value is not None for value in seen[whole])


def _results(run: Run, module: str) -> list[Result]:
    return [result for result in run.of(module) if result.status != "skipped"]


def _paths(prefix: str, documented: dict[str, Any], may_be_null: bool = False) -> dict[str, bool]:
    """Return what is documented, by path, and whether the documentation says that it, or all around it, can be null."""
    paths: dict[str, bool] = {}
    for name, spec in documented.items():
        may = may_be_null or "null" in str(spec["description"]).lower() or spec.get("sample", "") is None
        paths[f"{prefix}{name}"] = may
        paths.update(_paths(f"{prefix}{name}.", spec.get("contains", {}), may))
    return paths


def _collect(prefix: str, documented: dict[str, Any], data: dict[str, Any], seen: dict[str, list[Any]]) -> None:
    """Take note of the values of what is documented, and compare their types."""
    for name, spec in documented.items():
        if name not in data:
            continue
        path, value = f"{prefix}{name}", data[name]
        seen.setdefault(path, []).append(value)
        if value is None:
            continue
        assert _is_a(spec["type"], value), f"{path} is {value!r}, documented as {spec['type']}"
        items = value if isinstance(value, list) else [value]
        if "elements" in spec:
            assert all(_is_a(spec["elements"], item) for item in items), f"{path} is {value!r}"
        for item in items:
            if "contains" in spec:
                assert set(item) <= set(spec["contains"]), f"{path} holds what is not documented"
                _collect(f"{path}.", spec["contains"], item, seen)


def _is_a(kind: str, value: Any) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))
