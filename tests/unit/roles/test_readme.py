"""The examples in the READMEs fit the options of the roles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = sorted((ROOT / "playbooks" / "vars").glob("*.yml"))
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


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_sample_of_the_playbook(sample: Path) -> None:
    role = sample.stem.removesuffix("_mender")
    assert wrong(role, yaml.safe_load(sample.read_text(encoding="utf-8"))) == []


def test_each_role_has_a_sample() -> None:
    assert set(ROLES) <= {sample.stem for sample in SAMPLES}


def test_waves_of_the_sample_for_mender_can_be_rolled_out() -> None:
    sample = yaml.safe_load((ROOT / "playbooks" / "vars" / "rollout_mender.yml").read_text(encoding="utf-8"))
    assert rollout_plan(sample["rollout_waves"], "mender")["error"] is None


def test_what_does_not_fit_is_seen() -> None:
    [found] = [block for block in blocks(ROOT / "README.md") if "rollout_id" in block]
    assert wrong("rollout", {**found, "rollout_publish": {**found["rollout_publish"], "name": "x"}})
    assert wrong("rollout", {**found, "rollout_wave": []})
    assert wrong("rollout", {"rollout_id": "x"})
