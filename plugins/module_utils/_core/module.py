# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that knows AnsibleModule. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .argspec import ArgumentSpec
from .connection import credentials_in
from .errors import FleetError
from .task import Task


def run_module(spec: ArgumentSpec, run: Callable[[Task], dict[str, Any]]) -> None:
    """Run a module: validate its options, run it, and end the process with its result.

    Args:
        spec: the module's options.
        run: does the work; returns the result, raises FleetError.
    """
    module = AnsibleModule(supports_check_mode=True, **spec.kwargs())
    # such an address is refused, but Ansible shows the options of a task that fails
    module.no_log_values.update(credentials_in(module.params.get("url")))
    task = Task(
        params=module.params,
        check_mode=module.check_mode,
        diff_mode=bool(module._diff),
        warn=module.warn,
    )
    try:
        result = run(task)
    except FleetError as error:
        module.fail_json(**error.render())
    else:
        module.exit_json(**result)
