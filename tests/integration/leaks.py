"""Looks for secrets in whatever a run leaves behind: as they are, URL-encoded, in JSON or HTML, in base64."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> Iterator[tuple[str, str]]:
    """Yield what a secret may look like: the name of the form, and the text."""
    yield "plain", secret
    yield "URL-encoded", quote(secret, safe="")
    yield "form-encoded", quote_plus(secret)
    yield "JSON", json.dumps(secret)[1:-1]
    yield "HTML", html.escape(secret)
    # what precedes a secret moves its bits: there are three ways, and the characters at its ends hold foreign bits too
    for offset, foreign in enumerate((0, 2, 3)):
        coded = base64.b64encode(b"\0" * offset + secret.encode()).decode().rstrip("=")
        middle = coded[foreign:-2]
        yield "base64", middle
        yield "base64 for URLs", middle.replace("+", "-").replace("/", "_")


def leaks(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Return where which secret is to be seen.

    Args:
        secrets: each with its name.
        texts: each with the name of the place where it was found.
    """
    return sorted(
        {
            f"{place}: {name}, {form}"
            for place, text in texts.items()
            for name, secret in secrets.items()
            for form, look in forms(secret)
            if look in text
        }
    )


def files_below(folder: Path) -> dict[str, str]:
    """Return the text of all files in a folder, by their path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
