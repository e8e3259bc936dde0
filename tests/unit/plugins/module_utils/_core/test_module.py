"""From AnsibleModule to a task and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils import basic

from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec
from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import Conflict
from ansible_collections.fleet.deploy.plugins.module_utils._core.module import run_module
from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task

SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "number": {"type": "int", "default": 3},
        "url": {"type": "str"},
    },
    mutually_exclusive=[["name", "number"]],
)
Run = Callable[[Task], dict[str, Any]]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Return a function that runs a module of the given `run` and returns exit code and result."""

    def call(run: Run, **arguments: Any) -> tuple[int, Any]:
        given = {"ANSIBLE_MODULE_ARGS": {**arguments}}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(given).encode())
        # ansible-core 2.19 and newer want to know how the result is to be written
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit) as left:
            run_module(SPEC, run)
        return int(left.value.code or 0), json.loads(capsys.readouterr().out)

    return call


def test_a_module_ends_with_what_run_returns(module: Callable[..., tuple[int, Any]]) -> None:
    code, result = module(lambda task: {"changed": True, "got": dict(task.params)}, name="x")
    assert code == 0
    assert result["changed"] is True
    assert result["got"] == {"name": "x", "number": 3, "url": None}


@pytest.mark.parametrize("given", ["user:s3cr%C3%A9t", ":s3cr%C3%A9t", "s3cr%C3%A9t"])
def test_credentials_in_the_address_are_in_no_output(module: Callable[..., tuple[int, Any]], given: str) -> None:
    def run(_task: Task) -> dict[str, Any]:
        raise Conflict("No, not with s3crét.")

    code, result = module(run, name="x", url=f"https://{given}@updates.example.com/")
    assert code == 1
    assert "s3cr" not in json.dumps(result, ensure_ascii=False)
    assert result["invocation"]["module_args"]["url"].endswith("@updates.example.com/")


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("diff", [False, True])
def test_a_task_knows_its_modes(module: Callable[..., tuple[int, Any]], check: bool, diff: bool) -> None:
    seen: list[tuple[bool, bool]] = []

    def run(task: Task) -> dict[str, Any]:
        seen.append((task.check_mode, task.diff_mode))
        return {"changed": False}

    module(run, name="x", _ansible_check_mode=check, _ansible_diff=diff)
    assert seen == [(check, diff)]


def test_warnings_reach_the_user(module: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(task: Task) -> dict[str, Any]:
        task.warn("Mind the gap.")
        return {"changed": False}

    # where they go from there depends on whether other tests have loaded the controller's part of ansible-core
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: warnings.append(text))
    module(run, name="x")
    assert warnings == ["Mind the gap."]


def test_an_error_renders_itself(module: Callable[..., tuple[int, Any]]) -> None:
    def run(task: Task) -> dict[str, Any]:
        why = f"{task.params['name']} is taken."
        raise Conflict(why, details={"a": 1}, result={"changed": True, "attach": {}}, request_id="r1")

    code, result = module(run, name="x")
    assert (code, result["failed"], result["msg"]) == (1, True, "x is taken.")
    assert result["error"] == {
        "code": "conflict",
        "message": "x is taken.",
        "details": {"a": 1},
        "request_id": "r1",
    }
    assert result["http"] == {"method": None, "path": None, "status": None}
    assert (result["changed"], result["attach"]) == (True, {})


def test_the_rules_of_the_spec_hold(module: Callable[..., tuple[int, Any]]) -> None:
    code, result = module(lambda task: {"changed": False}, name="x", number=4)
    assert (code, result["msg"]) == (1, "parameters are mutually exclusive: name|number")
    code, result = module(lambda task: {"changed": False})
    assert (code, result["msg"]) == (1, "missing required arguments: name")
