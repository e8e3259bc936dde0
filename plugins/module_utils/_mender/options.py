# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection options of Mender's modules. Private to the collection."""

from __future__ import annotations

from .._core.argspec import ArgumentSpec, connection_spec

PLATFORM = "mender"
# The one that the document of the API names.
DEFAULT_URL = "https://hosted.mender.io"


def mender_spec() -> ArgumentSpec:
    """Return the connection options; doc fragment C(mender)."""
    return connection_spec(PLATFORM).merge(
        ArgumentSpec(
            {"token2fa": {"type": "str", "no_log": True}},
            mutually_exclusive=[["token", "token2fa"]],
        )
    )
