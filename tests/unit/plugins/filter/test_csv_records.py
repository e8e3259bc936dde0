"""The filter csv_records."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fleet.deploy.plugins.filter.csv_records import csv_records

HEADER = "controller_id,name\n"


@pytest.mark.parametrize(
    "text,records",
    [
        pytest.param(HEADER + "a,b\n", [{"controller_id": "a", "name": "b"}], id="plain"),
        pytest.param(HEADER + 'a,"b, ""c"""\n', [{"controller_id": "a", "name": 'b, "c"'}], id="quotes"),
        pytest.param(HEADER + 'a,"b\nc"\n', [{"controller_id": "a", "name": "b\nc"}], id="line-break-in-a-cell"),
        pytest.param("\ufeff" + HEADER + "a,b\r\n", [{"controller_id": "a", "name": "b"}], id="from-a-spreadsheet"),
        pytest.param(HEADER + "a,\n", [{"controller_id": "a"}], id="empty-cell"),
        pytest.param(HEADER + "a\n", [{"controller_id": "a"}], id="short-line"),
        pytest.param(HEADER + "a,b,,\n", [{"controller_id": "a", "name": "b"}], id="empty-cells-at-the-end"),
        pytest.param(HEADER + "\n,\na,b", [{"controller_id": "a", "name": "b"}], id="empty-lines"),
        pytest.param(" controller_id , name\n a , b \n", [{"controller_id": "a", "name": "b"}], id="blanks"),
        pytest.param(HEADER, [], id="header-only"),
        pytest.param(HEADER + "a,{{ 7*7 }}", [{"controller_id": "a", "name": "{{ 7*7 }}"}], id="like-a-template"),
    ],
)
def test_records(text: str, records: list[dict[str, str]]) -> None:
    assert csv_records(text) == records


def test_other_delimiter() -> None:
    assert csv_records("a;b\n1,5;2\n", ";") == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "csv_records: the text has no header line."),
        ("a,,b\n", "csv_records: column 2 has no name in the header line."),
        ("a,b,a\n", "csv_records: the header line has 'a' twice."),
        ("a,b\n1,2\n1,2,3\n", "csv_records: line 3 has 3 cells, the header has 2."),
        ('a,b\n1,"2"x\n', "csv_records: line 2 is no CSV: ',' expected after '\"'."),
        ('a,b\n1,"2\n', "csv_records: line 2 is no CSV: unexpected end of data."),
    ],
)
def test_what_is_no_csv_is_refused(text: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        csv_records(text)
    assert str(error.value) == message


def test_only_a_text_and_a_character_are_taken() -> None:
    with pytest.raises(AnsibleFilterError, match=r"a text is needed, not list\."):
        csv_records(["a"])
    with pytest.raises(AnsibleFilterError, match=r"delimiter is ';;', give one character\."):
        csv_records("a", ";;")
