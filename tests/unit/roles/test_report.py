"""The report of the rollout role for people: what devices say stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan
from ansible_collections.fleet.deploy.plugins.filter.rollout_record import rollout_record

TEMPLATE = Path(__file__).parents[3] / "roles" / "rollout" / "templates" / "report.html.j2"
EVIL = "</pre></title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}{% raw %}"
COUNTS = dict.fromkeys(("selected", "skipped", "pending", "running", "succeeded", "failed", "aborted", "unknown"), 0)


def rollout(text: str) -> dict[str, Any]:
    """A rollout of which everything is called like that."""
    counts = {**COUNTS, "selected": 4, "failed": 3, "succeeded": 1}
    return {
        "id": text, "name": text, "description": text, "status": text, "query": text, "distribution_set_id": text,
        "created_at": text, "last_modified_at": text, "counts": counts,
        "groups": [
            {
                "id": text, "name": text, "status": text, "last_modified_at": text, "success_threshold": "100",
                "error_threshold": "0", "counts": counts,
            }
        ],
    }  # fmt: skip


def record(text: str) -> dict[str, Any]:
    """The record of that rollout, with a device that failed and one that did not go back."""
    found: dict[str, Any] = rollout_record(
        rollout(text),
        text,
        {"name": text, "version": text},
        rollout_plan([{"name": text, "query": text}])["waves"],
        failed=[{"id": text, "name": text + text, "code": text, "message": text, "log": text}],
        rollback={"software": {"name": text, "version": text}, "devices": [text], "remaining": [text], "reason": text},
    )
    return found


def render(shown: dict[str, Any]) -> str:
    """The page of a record."""
    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True)
    environment.filters["to_json"] = json.dumps
    return environment.from_string(TEMPLATE.read_text()).render(rollout_result=shown)


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_stays_text() -> None:
    page, harmless = Page(render(record(EVIL))), Page(render(record("a")))
    assert page.elements == harmless.elements
    assert [name for name, _value in page.attributes] == [name for name, _value in harmless.attributes]
    assert page.attributes == harmless.attributes
    # title, heading, message, software twice, server, query, wave twice, way back …
    assert page.text.count(EVIL) > 12


def test_page_needs_nothing_else() -> None:
    html = render(record("a"))
    assert not re.search(r"https?:|url\(|@import|<link|<script|<iframe|\bsrc=", html)
    assert "default-src 'none'" in html


def test_every_value_is_escaped_or_a_number() -> None:
    template = TEMPLATE.read_text()
    shown = re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", template, re.DOTALL)
    own = re.compile(
        r"\| (e|int)$|\| (length|round\(2\))$|^bar\(|^moment\(|^loop\.index|^'%g' \| format|\| e\) if time else '-'$"
        r"|^(key|word)$|^', ' if|^wave\.decision$|^record\.deployment\.state if not broken|\| length\) - \("
    )
    assert [value for value in shown if not own.search(value)] == []


@pytest.mark.parametrize(
    "counts,widths",
    [
        ({"selected": 4, "succeeded": 3, "failed": 1}, [75.0, 25.0]),
        ({"selected": 3, "succeeded": 1, "pending": 2}, [33.33, 66.67]),
        ({"selected": 0}, []),
    ],
)
def test_bars_show_the_shares(counts: dict[str, int], widths: list[float]) -> None:
    shown = record("a")
    shown["counts"] = {**COUNTS, **counts}
    shown["waves"] = []
    assert [float(width) for width in re.findall(r'style="width:([\d.]+)%"', render(shown))] == widths


def test_rollout_that_was_never_begun() -> None:
    failure = {"code": "auth", "message": "hawkBit refused the password."}
    shown = rollout_record(
        None, "r", {"name": "a", "version": "1"}, rollout_plan([{"name": "w"}])["waves"], failure=failure
    )
    page = Page(render(shown))
    assert "Not started" in page.text
    assert "hawkBit refused the password." in page.text
