# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what devices say from being taken for templates. Private to the collection."""

from __future__ import annotations

from typing import Any

import ansible.template
from ansible.utils.unsafe_proxy import wrap_var

# From ansible-core 2.19 on a string is a template only if it is marked as trusted, which data of a plugin is not.
MARKING_NEEDED = not hasattr(ansible.template, "trust_as_template")


def untrusted(data: Any) -> Any:
    """Return JSON data of which no string is ever taken for a template or an expression."""
    return wrap_var(data) if MARKING_NEEDED else data
