"""Each operation of the client names the permission that hawkBit wants for it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils import _hawkbit
from ansible_collections.fleet.deploy.plugins.module_utils._core.transport import Operation, reads, writes
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.permissions import needed

ROOT = "/rest/v1"
# anybody who is logged in may ask for these
FREE = {"/rest/v1/userinfo"}


def operations() -> list[Operation]:
    """All operations that are declared at the top of the client's files."""
    found = []
    for name in pkgutil.iter_modules(_hawkbit.__path__):
        module = importlib.import_module(f"{_hawkbit.__name__}.{name.name}")
        found += [value for value in vars(module).values() if isinstance(value, Operation)]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("operation", operations(), ids=lambda found: f"{found.title}, {found.method} {found.path}")
def test_every_operation_names_its_permission(operation: Operation) -> None:
    assert bool(needed(operation)) is (operation.path not in FREE)


@pytest.mark.parametrize(
    "operation, names",
    [
        # as the documentation of 0.3 lists them
        (reads("", "GET", f"{ROOT}/targets"), "READ_TARGET"),
        (writes("", "POST", f"{ROOT}/targets"), "CREATE_TARGET"),
        (writes("", "DELETE", f"{ROOT}/targets/{{controller_id}}"), "DELETE_TARGET"),
        (writes("", "PUT", f"{ROOT}/targets/{{controller_id}}"), "UPDATE_TARGET"),
        (reads("", "GET", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}/status"), "READ_TARGET"),
        (writes("", "DELETE", f"{ROOT}/targets/{{controller_id}}/actions/{{action_id}}"), "UPDATE_TARGET"),
        (reads("", "GET", f"{ROOT}/targets/{{controller_id}}/assignedDS"), "READ_TARGET"),
        (
            writes("", "POST", f"{ROOT}/targets/{{controller_id}}/assignedDS"),
            "UPDATE_TARGET and READ_REPOSITORY (UPDATE_TARGET and READ_DISTRIBUTION_SET from hawkBit 0.10 on)",
        ),
        (
            reads("", "GET", f"{ROOT}/targets/{{controller_id}}/metadata"),
            "READ_REPOSITORY (READ_TARGET from hawkBit 0.10 on)",
        ),
        (
            writes("", "DELETE", f"{ROOT}/targets/{{controller_id}}/metadata/{{key}}"),
            "UPDATE_REPOSITORY (UPDATE_TARGET from hawkBit 0.10 on)",
        ),
        # as the sources have them
        (
            writes("", "POST", f"{ROOT}/softwaremodules/{{id}}/artifacts"),
            "UPDATE_REPOSITORY (UPDATE_SOFTWARE_MODULE from hawkBit 0.10 on)",
        ),
        (writes("", "POST", f"{ROOT}/rollouts/{{id}}/approve"), "APPROVE_ROLLOUT"),
        (writes("", "POST", f"{ROOT}/rollouts/{{id}}/start"), "HANDLE_ROLLOUT"),
        (reads("", "GET", "/somewhere/else"), ""),
    ],
)
def test_permission(operation: Operation, names: str) -> None:
    assert needed(operation) == names
