"""Runs a module in this process, in a tenth of the time: all but AnsibleModule, whose part is always the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from integration.targets_run import module_of


def run_module(
    name: str, options: Mapping[str, Any], *, check_mode: bool = False, diff_mode: bool = False
) -> dict[str, Any]:
    """Return a module's result, with `failed` and `msg` if it failed; any error but the collection's own is raised.

    Args:
        name: the module without its collection.
        options: as in a playbook.
        check_mode: whether nothing may be written.
        diff_mode: whether changes are shown.
    """
    from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import FleetError
    from ansible_collections.fleet.deploy.plugins.module_utils._core.task import Task

    module = module_of(name)
    validated = ArgumentSpecValidator(**module.SPEC.kwargs()).validate(dict(options))
    if validated.error_messages:
        return {"failed": True, "msg": "; ".join(validated.error_messages)}
    warnings: list[str] = []
    task = Task(validated.validated_parameters, check_mode=check_mode, diff_mode=diff_mode, warn=warnings.append)
    try:
        result: dict[str, Any] = module.run(task)
    except FleetError as error:
        return {"failed": True, "changed": False, "warnings": warnings, **error.render()}
    return {**result, "warnings": warnings}
