"""The examples in the READMEs fit the options of the roles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/tasks/main.yml"))


def wrong(role: str, variables: dict[str, Any]) -> list[str]:
    """Return what Ansible says about variables of a role; names that are no options count too."""
    text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return list(
        ArgumentSpecValidator(yaml.safe_load(text)["argument_specs"]["main"]["options"])
        .validate(variables)
        .error_messages
    )


def blocks(readme: Path) -> list[Any]:
    """Return the examples in YAML."""
    return [
        yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    ]


@pytest.mark.parametrize("role", ROLES)
def test_example_of_the_role(role: str) -> None:
    [[play]] = blocks(ROOT / "roles" / role / "README.md")
    [used] = play["roles"]
    assert used["role"] == f"fleet.deploy.{role}"
    assert wrong(role, used["vars"]) == []


def test_first_rollout() -> None:
    [found] = [block for block in blocks(ROOT / "README.md") if "rollout_id" in block]
    assert wrong("rollout", found) == []


@pytest.mark.parametrize("role", ROLES)
def test_sample_of_the_playbook(role: str) -> None:
    sample = yaml.safe_load((ROOT / "playbooks" / "vars" / f"{role}.yml").read_text(encoding="utf-8"))
    assert wrong(role, sample) == []


def test_what_does_not_fit_is_seen() -> None:
    [found] = [block for block in blocks(ROOT / "README.md") if "rollout_id" in block]
    assert wrong("rollout", {**found, "rollout_publish": {**found["rollout_publish"], "name": "x"}})
    assert wrong("rollout", {**found, "rollout_wave": []})
    assert wrong("rollout", {"rollout_id": "x"})
