# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs in parts that merge; each part has a doc fragment of the same content. Private to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import env_fallback


@dataclass(frozen=True)
class ArgumentSpec:
    """What AnsibleModule takes to validate options."""

    argument_spec: dict[str, Any] = field(default_factory=dict)
    mutually_exclusive: list[list[str]] = field(default_factory=list)
    required_together: list[list[str]] = field(default_factory=list)
    required_one_of: list[list[str]] = field(default_factory=list)
    required_if: list[Any] = field(default_factory=list)
    required_by: dict[str, list[str]] = field(default_factory=dict)

    def merge(self, other: ArgumentSpec) -> ArgumentSpec:
        """Return both together. An option in both is a defect of the collection."""
        twice = set(self.argument_spec) & set(other.argument_spec)
        if twice:
            raise ValueError(f"options defined twice: {sorted(twice)}")
        return ArgumentSpec(
            {**self.argument_spec, **other.argument_spec},
            self.mutually_exclusive + other.mutually_exclusive,
            self.required_together + other.required_together,
            self.required_one_of + other.required_one_of,
            self.required_if + other.required_if,
            {**self.required_by, **other.required_by},
        )

    def kwargs(self) -> dict[str, Any]:
        """Return the keyword arguments of AnsibleModule."""
        return {
            "argument_spec": self.argument_spec,
            "mutually_exclusive": self.mutually_exclusive,
            "required_together": self.required_together,
            "required_one_of": self.required_one_of,
            "required_if": self.required_if,
            "required_by": self.required_by,
        }


def connection_spec(platform: str) -> ArgumentSpec:
    """Return the options of DESIGN 5 for one platform; doc fragment of the platform's name.

    The credentials have no C(env_fallback): the environment counts only when none is given at all, see
    C(connect_options).
    """
    prefix = platform.upper()
    return ArgumentSpec(
        {
            # required, but module_defaults may bring it, which ansible-lint cannot see: checked in code
            "url": {"type": "str", "fallback": (env_fallback, [f"{prefix}_URL"])},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "token": {"type": "str", "no_log": True},
            "validate_certs": {
                "type": "bool",
                "default": True,
                "fallback": (env_fallback, [f"{prefix}_VALIDATE_CERTS"]),
            },
            "ca_path": {"type": "path", "fallback": (env_fallback, [f"{prefix}_CA_PATH"])},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "request_timeout": {
                "type": "float",
                "default": 30.0,
                "fallback": (env_fallback, [f"{prefix}_REQUEST_TIMEOUT"]),
            },
            "request_retries": {"type": "int", "default": 5},
        },
        mutually_exclusive=[["token", "username"], ["token", "password"]],
        required_together=[["username", "password"]],
    )


def any_connection_spec(platforms: Sequence[str]) -> ArgumentSpec:
    """Return the connection options of a module that speaks to several platforms.

    Which environment counts, the option C(platform) says: C(for_platform) of C(connection) reads it.
    """
    spec = connection_spec(platforms[0])
    for name, option in spec.argument_spec.items():
        if "fallback" in option:
            variables = [f"{platform.upper()}_{name.upper()}" for platform in platforms]
            option["fallback"] = (_later, variables)
            option.pop("default", None)
    return spec


def _later(*_variables: str) -> Any:
    """Leave an option open, as C(env_fallback) does without a variable."""
    return env_fallback()


def wait_spec() -> ArgumentSpec:
    """Return the options of a plain wait; doc fragment C(wait)."""
    return ArgumentSpec(
        {
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 600},
            "wait_interval": {"type": "float", "default": 5.0},
        }
    )


def gate_spec() -> ArgumentSpec:
    """Return the options that decide about success and failure of many devices; doc fragment C(gate)."""
    return ArgumentSpec(
        {
            "wait_until": {"type": "str", "choices": ["created", "online", "all"], "default": "all"},
            # 100 unless another threshold is given, see Gate
            "min_success_percentage": {"type": "float"},
            "max_failures": {"type": "int"},
            "max_failure_percentage": {"type": "float"},
            "min_reported": {"type": "int", "default": 1},
            "on_failure": {"type": "str", "choices": ["fail", "abort"], "default": "fail"},
            "on_timeout": {"type": "str", "choices": ["fail", "abort", "continue"], "default": "fail"},
            "result_limit": {"type": "int", "default": 100},
        }
    )


def fleet_spec() -> ArgumentSpec:
    """Return the options that say whom; doc fragment C(fleet)."""
    return ArgumentSpec(
        {
            "fleet": {
                "type": "dict",
                "options": {
                    "ids": {"type": "list", "elements": "str"},
                    "names": {"type": "list", "elements": "str"},
                    "addresses": {"type": "list", "elements": "str"},
                    "serial_numbers": {"type": "list", "elements": "str"},
                    "query": {"type": "str"},
                    "group": {"type": "str"},
                    "groups": {"type": "list", "elements": "str"},
                    "tag": {"type": "str"},
                    "filters": {"type": "list", "elements": "dict"},
                    "filter_id": {"type": "str"},
                    "all": {"type": "bool", "default": False},
                },
            },
            "fleet_limit": {"type": "int"},
            "on_unknown_device": {"type": "str", "choices": ["fail", "ignore"], "default": "fail"},
        }
    )


def redeploy_spec() -> ArgumentSpec:
    """Return the option that decides about doing it again; doc fragment C(redeploy)."""
    return ArgumentSpec({"redeploy": {"type": "str", "choices": ["never", "failed", "always"], "default": "never"}})
