# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's version, as in galaxy.yml; a test keeps the two equal. Private to the collection."""

from __future__ import annotations

COLLECTION_VERSION = "0.1.0"
