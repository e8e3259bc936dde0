"""Argument specs merge, and say of themselves what Ansible checks."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.fleet.deploy.plugins.module_utils._core import argspec
from ansible_collections.fleet.deploy.plugins.module_utils._core.argspec import ArgumentSpec, connection_spec


def errors_of(spec: ArgumentSpec, **options: object) -> list[str]:
    """Return what Ansible has against these options."""
    kwargs = spec.kwargs()
    return list(ModuleArgumentSpecValidator(kwargs.pop("argument_spec"), **kwargs).validate(options).error_messages)


def test_merge_joins_all_parts() -> None:
    first = ArgumentSpec(
        {"a": {"type": "str"}}, [["a", "x"]], [["a", "b"]], [["a", "c"]], [("a", "1", ["d"])], {"a": ["e"]}
    )
    second = ArgumentSpec(
        {"b": {"type": "int"}}, [["b", "x"]], [["b", "a"]], [["b", "c"]], [("b", 1, ["d"])], {"b": ["e"]}
    )
    assert first.merge(second).kwargs() == {
        "argument_spec": {"a": {"type": "str"}, "b": {"type": "int"}},
        "mutually_exclusive": [["a", "x"], ["b", "x"]],
        "required_together": [["a", "b"], ["b", "a"]],
        "required_one_of": [["a", "c"], ["b", "c"]],
        "required_if": [("a", "1", ["d"]), ("b", 1, ["d"])],
        "required_by": {"a": ["e"], "b": ["e"]},
    }
    assert list(first.argument_spec) == ["a"], "the parts stay as they were"


def test_option_that_is_there_twice_is_a_defect() -> None:
    with pytest.raises(ValueError, match=r"options defined twice: \['url', 'username'\]"):
        connection_spec("hawkbit").merge(ArgumentSpec({"username": {}, "url": {}, "other": {}}))


@pytest.mark.parametrize("name", ["wait_spec", "gate_spec", "fleet_spec"])
def test_parts_merge_with_a_connection_and_accept_their_defaults(name: str) -> None:
    spec = connection_spec("hawkbit").merge(getattr(argspec, name)())
    assert errors_of(spec) == []


def test_all_parts_together_name_no_option_twice() -> None:
    spec = connection_spec("mender").merge(argspec.wait_spec()).merge(argspec.gate_spec()).merge(argspec.fleet_spec())
    assert {"url", "wait", "on_failure", "fleet"} <= set(spec.argument_spec)


def test_connection_options_exclude_and_need_each_other() -> None:
    spec = connection_spec("hawkbit")
    assert errors_of(spec, token="t") == []
    assert errors_of(spec, username="u", password="p") == []
    assert errors_of(spec, token="t", username="u", password="p") == [
        "parameters are mutually exclusive: token|username, token|password"
    ]
    assert errors_of(spec, username="u") == ["parameters are required together: username, password"]


def test_environment_counts_for_all_but_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"URL": "https://h", "VALIDATE_CERTS": "false", "CA_PATH": "/ca", "REQUEST_TIMEOUT": "7", "PASSWORD": "x"}
    for name, value in values.items():
        monkeypatch.setenv(f"HAWKBIT_{name}", value)
    result = ModuleArgumentSpecValidator(connection_spec("hawkbit").argument_spec).validate({})
    found = result.validated_parameters
    assert (found["url"], found["validate_certs"], found["ca_path"], found["request_timeout"]) == (
        "https://h",
        False,
        "/ca",
        7,
    )
    assert found["password"] is None


def test_secrets_are_marked_and_the_path_of_a_key_is_not() -> None:
    spec = connection_spec("hawkbit").argument_spec
    assert {name for name, option in spec.items() if option.get("no_log")} == {"password", "token"}
    assert spec["client_key"]["no_log"] is False, "Ansible would hide every path because of its name"
