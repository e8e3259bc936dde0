"""The page of the documentation that shows what was measured last."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.measuring import HEAD, Measured, cells

PAGE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "benchmarks.rst"
TEXT = """..
  Copyright (c) 2026 Fleet Deploy Authors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. This page is written by "make bench".

.. _ansible_collections.fleet.deploy.docsite.benchmarks:

Benchmarks
==========

What fleets of this size cost, measured by ``make bench``. It starts a server, measures all sides in turn on that same
server, and takes the best of each; number of runs: {runs}. Targets and assignments are those of hawkBit, devices and
artifacts those of Mender.

.. list-table::
   :header-rows: 1

{rows}

{circumstances}

The time is that of a whole run of :program:`ansible-playbook` with one task, or of :program:`ansible-inventory`, from
its start to its end. The floor is the same work with as little around it as can be:

- registering: the same chunks of 500 targets, sent over one connection by Python's ``http.client``.
- once more: the pages of all targets, one after the other over one connection.
- assigning: the same chunks of 1,000 targets over one connection, then one count of the open actions every 2 seconds.
- listing: an inventory plugin that fetches the same pages in parallel and adds the same hosts with as many variables,
  without groups, checks, or a cache. With Mender the pages are ranges of ids of 500 devices, and hold the same
  attributes.
- uploading: ``http.client``, which streams the same multipart body from the disk.

The processor time is that of all processes together: tools, server, devices. Unlike the other it does not depend on
what else the machine has to do.

hawkBit is a real server. Mender is simulated: the devices of its inventory are rendered before anything is measured,
and what takes the upload throws it away, so that the start of :program:`ansible-playbook` weighs more than the upload
itself. These numbers say what the collection and Ansible take, and nothing about how fast a server of Mender is.

Server and tools share the processors, and so do the devices that install what is assigned: these answer each action
with one request, and do not download. What the server takes is in all of the numbers.

A loop of single requests is what playbooks without the collection do. Its time is computed from that of {samples}
requests, because all of them would take too long. Neither does it compare anything before it writes, nor does it wait.
The peak memory is that of the largest process; for the upload it is that of the module.
"""


def circumstances(measured: Measured) -> str:
    """Say on what it was measured."""
    from ansible.release import __version__ as core

    on = f"{measured.server}, " if measured.server else ""
    return (
        f"Measured with {on}ansible-core {core} and Python {platform.python_version()}, all on one machine with "
        f"{os.cpu_count()} processors. Its load average was {measured.load:.1f} when it began."
    )


def write(measured: Measured) -> Path:
    """Write the page; return its path."""
    lines = [("", *HEAD[1:]), *map(cells, measured.rows)]
    rows = "\n".join(
        "\n".join(f"   {'*' if not column else ' '} - {cell}".rstrip() for column, cell in enumerate(line))
        for line in lines
    )
    PAGE.write_text(
        TEXT.format(rows=rows, circumstances=circumstances(measured), runs=measured.runs, samples=measured.samples),
        encoding="utf-8",
    )
    return PAGE
