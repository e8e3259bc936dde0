"""Makes the pages of the documentation that tell what of the collection stands for each line of an API's documentation.

`python -m integration.seed_page`, in tests/, writes them; tests/unit/test_seed_page.py fails while one is out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from integration.seed import WORDS, SeedOperation, read_seed, rows

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst"
HEAD = """..
  Copyright (c) 2026 Fleet Deploy Authors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. made by tests/integration/seed_page.py from tests/integration/seeds/{seed}.yml

.. _ansible_collections.fleet.deploy.docsite.coverage_{seed}:

{title}
{line}

{text}

"""
KINDS = {
    "header": "header",
    "address": "in the address",
    "query": "parameter",
    "form": "part of the form",
    "request": "sent",
    "answer_header": "header of the answer",
    "response": "answered",
}


@dataclass(frozen=True)
class SeedPage:
    """A page: the name of its list in seeds/, its title, and the text above the tables."""

    seed: str
    title: str
    text: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return FOLDER / f"coverage_{self.seed}.rst"

    def page(self) -> str:
        """Return the page's text."""
        head = HEAD.format(seed=self.seed, title=self.title, line="=" * len(self.title), text=self.text)
        return head + "\n".join(_section(operation) for operation in read_seed(self.seed))


HAWKBIT = SeedPage(
    "hawkbit_targets",
    "hawkBit: what stands for what",
    """\
Every operation that hawkBit documents for targets, with each of its parameters and fields, and the option or the key
of a result that stands for it. Each line is a test of its own against running servers, ``test_seed.py``; each error
status is one of ``test_seed_errors.py``.

What is called *paging* is done by the modules: they read to the end, 500 at a time. What is *in the address* is not
sent once more. Links in answers are *not followed*, since they need not lead to the server that was asked.""",
)
MENDER = SeedPage(
    "mender_deployments",
    "Mender: what stands for what",
    """\
Every operation of Mender's deployments API, version 1, as its document of 2020 has it, with each of its parameters,
fields and listed values, and the option or the key of a result that stands for it. A name with ``=`` is one of the
values that the document lists. Fields that only its examples have are there too. Each line is a test of its own against
simulated servers of several releases, ``test_seed_mender.py``; each error status is one of
``test_seed_errors_mender.py``. What an error says comes back in ``error.message`` and its id in ``error.request_id``.

What is called *paging* is done by the modules: they read to the end. What is *deprecated* is not sent: the server finds
out the size of a file by itself. Where a server has a newer operation, the modules use that one.""",
)
PAGES = (HAWKBIT, MENDER)


def _section(operation: SeedOperation) -> str:
    title = f"{operation.method} {operation.path}" + (" (a list)" if operation.body == "list" else "")
    about = [f"Needs {' and '.join(operation.permissions)}."] if operation.permissions else []
    about += [f"Answers {operation.success}."] if operation.success else []
    about.append(f"Errors that are tested: {', '.join(map(str, operation.statuses))}.")
    lines = [title, "-" * len(title), "", " ".join(about), ""]
    if operation.newer:
        lines += ["On later servers:", "", *(f"* ``{way}``" for way in operation.newer), ""]
    found = rows([operation])
    if found:
        lines += [".. list-table::", "   :header-rows: 1", "", "   * - Field", "     - Is", "     - Stands for it"]
    for row in found:
        stands = row.stands if row.stands in WORDS else f"``{row.stands}``"
        lines += [f"   * - ``{row.name}``", f"     - {KINDS[row.kind]}", f"     - {stands}"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    for one in PAGES:
        one.path.write_text(one.page())
