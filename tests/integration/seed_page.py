"""Makes the page of the documentation that tells what of the collection stands for each line of an API's documentation.

`python -m integration.seed_page`, in tests/, writes it; tests/unit/test_seed_page.py fails while it is out of date.
"""

from __future__ import annotations

from pathlib import Path

from integration.seed import SeedOperation, read_seed, rows

NAME = "coverage_hawkbit_targets"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / f"{NAME}.rst"
HEAD = f"""..
  Copyright (c) 2026 Fleet Deploy Authors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. made by tests/integration/seed_page.py from tests/integration/seeds/hawkbit_targets.yml

.. _ansible_collections.fleet.deploy.docsite.{NAME}:

hawkBit: what stands for what
=============================

Every operation that hawkBit documents for targets, with each of its parameters and fields, and the option or the key
of a result that stands for it. Each line is a test of its own against running servers, ``test_seed.py``; each error
status is one of ``test_seed_errors.py``.

What is called *paging* is done by the modules: they read to the end, 500 at a time. What is *in the address* is not
sent once more. Links in answers are *not followed*, since they need not lead to the server that was asked.

"""
KINDS = {"query": "parameter", "request": "sent", "response": "answered"}
WORDS = ("paging", "in the address", "not followed")


def page() -> str:
    """Return the page's text."""
    return HEAD + "\n".join(_section(operation) for operation in read_seed("hawkbit_targets"))


def _section(operation: SeedOperation) -> str:
    title = f"{operation.method} {operation.path}" + (" (a list)" if operation.body == "list" else "")
    statuses = ", ".join(map(str, operation.statuses))
    lines = [title, "-" * len(title), ""]
    lines += [f"Needs {' and '.join(operation.permissions)}. Errors that are tested: {statuses}.", ""]
    found = rows([operation])
    if found:
        lines += [".. list-table::", "   :header-rows: 1", "", "   * - Field", "     - Is", "     - Stands for it"]
    for row in found:
        stands = row.stands if row.stands in WORDS else f"``{row.stands}``"
        lines += [f"   * - ``{row.name}``", f"     - {KINDS[row.kind]}", f"     - {stands}"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
