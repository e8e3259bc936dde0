# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which permission an operation of the Management API needs: a 403 of hawkBit does not say. Private to the collection.

Facts from the documentation of 0.3 and the sources of 0.3.0M7, 0.9.0 and 1.0.4. Up to 0.9 one permission covers all
of the repository; from 0.10 on sets, modules and their types have their own.
"""

from __future__ import annotations

import re

from .._core.transport import Operation

VERBS = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "DELETE": "DELETE"}
_CHANGE = {"POST": "UPDATE", "PUT": "UPDATE", "DELETE": "UPDATE"}
SINCE = "0.10"

# Paths below /rest/v1, the first that fits counts: names up to 0.9, names since. {} is the verb, [] the verb with all
# that changes something an update: a part of an object belongs to the object.
_RULES = (
    (r"targets/[^/]+/metadata", "[]_REPOSITORY", "[]_TARGET"),
    (r"targets/[^/]+/(assigned|installed)DS", "[]_TARGET", "[]_TARGET"),
    (r"targets/[^/]+/", "[]_TARGET", "[]_TARGET"),
    (r"actions", "[]_TARGET", "[]_TARGET"),
    (r"targettags/[^/]+/assigned", "[]_TARGET", "[]_TARGET"),
    (r"targetfilters/[^/]+/autoAssignDS", "[]_TARGET", "[]_TARGET"),
    (r"targetgroups", "[]_TARGET", "[]_TARGET"),
    (r"targettypes/[^/]+/", "[]_TARGET", "[]_TARGET_TYPE"),
    (r"targettypes", "{}_TARGET", "{}_TARGET_TYPE"),
    (r"target", "{}_TARGET", "{}_TARGET"),
    (r"distributionsets/[^/]+/assignedTargets", "[]_TARGET", "[]_TARGET"),
    (r"softwaremoduletypes", "{}_REPOSITORY", "{}_SOFTWARE_MODULE_TYPE"),
    (r"softwaremodules/[^/]+/", "[]_REPOSITORY", "[]_SOFTWARE_MODULE"),
    (r"softwaremodules", "{}_REPOSITORY", "{}_SOFTWARE_MODULE"),
    (r"distributionsettypes/[^/]+/", "[]_REPOSITORY", "[]_DISTRIBUTION_SET_TYPE"),
    (r"distributionsettypes", "{}_REPOSITORY", "{}_DISTRIBUTION_SET_TYPE"),
    (r"distributionset(s|tags)/[^/]+/", "[]_REPOSITORY", "[]_DISTRIBUTION_SET"),
    (r"distributionset", "{}_REPOSITORY", "{}_DISTRIBUTION_SET"),
    (r"rollouts/[^/]+/(approve|deny)", "APPROVE_ROLLOUT", "APPROVE_ROLLOUT"),
    (r"rollouts/[^/]+/(start|stop|pause|resume|triggerNextGroup)", "HANDLE_ROLLOUT", "HANDLE_ROLLOUT"),
    (r"rollouts/[^/]+/retry", "CREATE_ROLLOUT", "CREATE_ROLLOUT"),
    (r"rollouts", "{}_ROLLOUT", "{}_ROLLOUT"),
    (r"system/configs", "TENANT_CONFIGURATION", "[]_TENANT_CONFIGURATION"),
)  # fmt: skip
# What writing needs beside: whoever assigns a set, or adds metadata, must be able to read.
_ALSO = (
    (r"(targets/[^/]+/assignedDS|distributionsets/[^/]+/assignedTargets|targetfilters/[^/]+/autoAssignDS)",
     "READ_REPOSITORY", "READ_DISTRIBUTION_SET"),
)  # fmt: skip


def needed(operation: Operation) -> str:
    """Return the permissions that an operation needs, as words for a message; empty when they are not known."""
    path = operation.path.partition("/rest/v1/")[2]
    for pattern, old, new in _RULES:
        if re.match(pattern, path):
            names = [_named(old, operation.method), _named(new, operation.method)]
            break
    else:
        return ""
    for pattern, old, new in _ALSO:
        if operation.writes and re.match(pattern, path):
            names = [f"{names[0]} and {old}", f"{names[1]} and {new}"]
    return names[0] if names[0] == names[1] else f"{names[0]} ({names[1]} from hawkBit {SINCE} on)"


def _named(pattern: str, method: str) -> str:
    verb = VERBS.get(method, "READ")
    return pattern.replace("{}", verb).replace("[]", _CHANGE.get(method, verb))
