"""What spreadsheets and people make of CSV, see also test_csv_records.py."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fleet.deploy.plugins.filter import csv_records as plugin

HEADER = "id,name\n"


@pytest.mark.parametrize(
    "text, records",
    [
        (HEADER + 'a, "Hall 1, east"\n', [{"id": "a", "name": "Hall 1, east"}]),
        (HEADER + '"  a ","b"', [{"id": "a", "name": "b"}]),
        (HEADER + 'a,say "no"\n', [{"id": "a", "name": 'say "no"'}]),
        (HEADER + 'a,""\n', [{"id": "a"}]),
        ("\n  \r\n" + HEADER + "a,b", [{"id": "a", "name": "b"}]),
        ('\ufeff"id","name"\r\na,b\r\n', [{"id": "a", "name": "b"}]),
        (HEADER + "a,\ufeffb", [{"id": "a", "name": "\ufeffb"}]),
        ("id,name\ra,b\rc,d", [{"id": "a", "name": "b"}, {"id": "c", "name": "d"}]),
        (HEADER + "a,b\u2028c\x0bd", [{"id": "a", "name": "b\u2028c\x0bd"}]),
        (HEADER + "0123,1e3\n", [{"id": "0123", "name": "1e3"}]),
        (HEADER + "a,null\n", [{"id": "a", "name": "null"}]),
        ("id\na\n\nb\n", [{"id": "a"}, {"id": "b"}]),
        (HEADER + "a,b\na,b", [{"id": "a", "name": "b"}] * 2),
    ],
)
def test_cells(text: str, records: list[dict[str, str]]) -> None:
    assert plugin.csv_records(text) == records


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_delimiter(delimiter: str) -> None:
    text = f'id{delimiter}name\na{delimiter}"b{delimiter}c"\n'
    assert plugin.csv_records(text, delimiter) == [{"id": "a", "name": f"b{delimiter}c"}]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "\r", None, 5])
def test_no_delimiter(delimiter: Any) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        plugin.csv_records(HEADER + "a,b", delimiter)
    assert str(error.value) == f"csv_records: delimiter is '{delimiter}', give one character."


@pytest.mark.parametrize(
    "text, message",
    [
        ("\n \n", "csv_records: the text has no header line."),
        ("\ufeff", "csv_records: the text has no header line."),
        (",,\na,b,c\n", "csv_records: the text has no header line."),
        ("id,\na,b\n", "csv_records: column 2 has no name in the header line."),
        ("id, id \na,b\n", "csv_records: the header line has 'id' twice."),
        (HEADER + "a,b\n\nc,d,e\n", "csv_records: line 4 has 3 cells, the header has 2."),
        (HEADER + 'a,"b\nc",d\n', "csv_records: line 3 has 3 cells, the header has 2."),
        (HEADER + 'a,"b" \n', "csv_records: line 2 is no CSV: ',' expected after '\"'."),
        (HEADER + "a," + "x" * 131073, "csv_records: line 2 is no CSV: field larger than field limit (131072)."),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        plugin.csv_records(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", [None, 5, ["id"], b"id\na"])
def test_no_text(text: Any) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        plugin.csv_records(text)
    assert str(error.value) == f"csv_records: a text is needed, not {type(text).__name__}."


def test_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "untrusted", lambda data: ("marked", data))
    assert plugin.csv_records("id\na") == ("marked", [{"id": "a"}])


def test_filter_is_known() -> None:
    assert plugin.FilterModule().filters() == {"csv_records": plugin.csv_records}
