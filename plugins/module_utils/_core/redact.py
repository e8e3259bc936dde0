# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cuts secrets out of text. Private to the collection."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "********"
# Below this length a secret is only cut out as a whole word: "admin" must not eat a hole into "administrator".
SAFE_LENGTH = 8
# Control characters without tab and line ends, a carriage return that would overwrite its line, what turns the
# direction of writing (Unicode UAX 9), invisible tags, halves of surrogate pairs.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    r"\U000e0000-\U000e007f]|\r(?!\n)"
)


class Redactor:
    """Knows the secrets of one task and removes them from text. Threads may share it.

    A secret is found as it is, URL-encoded, JSON-escaped, HTML-escaped and in base64 at any of the three byte offsets.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._forms: tuple[list[str], re.Pattern[str] | None] | None = None

    def add(self, *secrets: str | None) -> None:
        """Take note of secrets; None and the empty string are ignored."""
        with self._lock:
            self._secrets.update(secret for secret in secrets if secret)
            self._forms = None

    def clean(self, text: str) -> str:
        """Return the text without secrets and without control characters."""
        with self._lock:
            if self._forms is None:
                self._forms = _forms(self._secrets)
            long_forms, short_forms = self._forms
        # one by one: a pattern of ten thousand alternatives takes seconds to compile and half a minute to search
        for form in long_forms:
            if form in text:
                text = text.replace(form, MASK)
        if short_forms:
            text = short_forms.sub(MASK, text)
        return _CONTROL.sub("\ufffd", text)

    def clean_data(self, data: Any) -> Any:
        """Return JSON data with each string cleaned, keys included."""
        if isinstance(data, str):
            return self.clean(data)
        if isinstance(data, dict):
            return {self.clean(str(key)): self.clean_data(value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.clean_data(value) for value in data]
        return data


def _forms(secrets: Iterable[str]) -> tuple[list[str], re.Pattern[str] | None]:
    """Return all forms of the long secrets, and a pattern for those of the short ones."""
    long_forms: set[str] = set()
    short_forms: set[str] = set()
    for secret in secrets:
        if len(secret) < SAFE_LENGTH:
            short_forms.update(_text_forms(secret))
            continue
        long_forms.update(_text_forms(secret))
        long_forms.update(_base64_forms(secret.encode("utf-8", "surrogatepass")))
    # longest first: a form that contains another one must win
    words = "|".join(re.escape(form) for form in sorted(short_forms, key=len, reverse=True))
    return sorted(long_forms, key=len, reverse=True), re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None


def _text_forms(secret: str) -> set[str]:
    if re.fullmatch(r"[A-Za-z0-9_.~-]+", secret):
        return {secret}  # no encoding changes it; most tokens are such, and there may be thousands
    coded = secret.encode("utf-8", "surrogatepass")
    forms = {quote(coded, safe=""), quote(coded), quote_plus(coded)}
    # both are in use: %2F and %2f
    forms.update({re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in forms})
    ascii_only = json.dumps(secret)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), ascii_only)
    escaped = {json.dumps(secret, ensure_ascii=False)[1:-1], ascii_only, upper}
    escaped.update({form.replace("/", "\\/") for form in escaped})
    return {secret, html.escape(secret), html.escape(secret, quote=False), *forms, *escaped}


def _base64_forms(secret: bytes) -> set[str]:
    """Return the parts of a base64 text that only this secret can produce, for each offset of its first byte."""
    forms = set()
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + secret).decode().rstrip("=")
        start = (offset * 8 + 5) // 6
        # the last character also depends on what follows the secret
        stop = (offset + len(secret)) * 8 // 6
        form = coded[start:stop]
        forms.update({form, form.replace("+", "-").replace("/", "_")})
    return forms
