# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: csv_records
short_description: Records of a CSV text with a header line
version_added: 0.1.0
author: Fleet Deploy Authors (@fleet-deploy)
description:
  - Turns a CSV text into one dictionary a line, with the names of the header line as keys. Quoted cells may hold
    delimiters and line breaks.
  - Blanks around a cell do not count, but behind the quotes of a quoted cell there must be none. An empty cell leaves
    its key out, and empty lines are left out.
  - Fails, with the number of the line, when a line has more cells than the header, and when a name of the header is
    empty or there twice.
positional: delimiter
options:
  _input:
    description: The text.
    type: str
    required: true
  delimiter:
    description: The one character between two cells.
    type: str
    default: ","
"""

EXAMPLES = r"""
- name: Register the targets of a list
  fleet.deploy.target:
    url: https://updates.example.com
    username: admin
    password: "{{ hawkbit_password }}"
    # controller_id,name
    # gateway-0001,"Gateway of hall 1, east"
    targets: "{{ lookup('ansible.builtin.file', 'targets.csv') | fleet.deploy.csv_records }}"
"""

RETURN = r"""
_value:
  description: The records in their order.
  type: list
  elements: dict
  sample:
    - controller_id: gateway-0001
      name: Gateway of hall 1, east
"""

import csv
import io
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory.unsafe import untrusted


def csv_records(text: Any, delimiter: Any = ",") -> Any:
    """Return the records of a CSV text; see the documentation above."""
    if not isinstance(text, str):
        raise AnsibleFilterError(f"csv_records: a text is needed, not {type(text).__name__}.")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise AnsibleFilterError(f"csv_records: delimiter is '{delimiter}', give one character.")
    # spreadsheets put a byte order mark in front
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    # a quote behind a blank begins a quoted cell too
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=delimiter != " ")
    try:
        header = next((cells for cells in reader if any(map(str.strip, cells)) or len(cells) > 1), [])
        names = [name.strip() for name in header]
        _check_header(names)
        return untrusted([record for record in (_record(names, cells, reader.line_num) for cells in reader) if record])
    except csv.Error as error:
        raise AnsibleFilterError(f"csv_records: line {reader.line_num} is no CSV: {error}.") from None


def _check_header(names: list[str]) -> None:
    if not any(names):
        raise AnsibleFilterError("csv_records: the text has no header line.")
    if "" in names:
        raise AnsibleFilterError(f"csv_records: column {names.index('') + 1} has no name in the header line.")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise AnsibleFilterError(f"csv_records: the header line has '{twice[0]}' twice.")


def _record(names: list[str], cells: list[str], line: int) -> dict[str, str]:
    cells = [cell.strip() for cell in cells]
    if any(cells[len(names) :]):
        raise AnsibleFilterError(f"csv_records: line {line} has {len(cells)} cells, the header has {len(names)}.")
    return {name: cell for name, cell in zip(names, cells) if cell}


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {"csv_records": csv_records}
