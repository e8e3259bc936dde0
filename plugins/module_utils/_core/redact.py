# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cuts secrets out of text. Private to the collection."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "********"
# Below this length a secret is only cut out as a whole word: "admin" must not eat a hole into "administrator".
SAFE_LENGTH = 8
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Redactor:
    """Knows the secrets of one task and removes them from text.

    A secret is found as it is, URL-encoded, JSON-escaped and in base64 at any of the three byte offsets.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, *secrets: str | None) -> None:
        """Take note of secrets; None and the empty string are ignored."""
        self._secrets.update(secret for secret in secrets if secret)
        self._pattern = None

    def clean(self, text: str) -> str:
        """Return the text without secrets and without control characters."""
        if self._pattern is None:
            self._pattern = _compile(self._secrets)
        return _CONTROL.sub("\ufffd", self._pattern.sub(MASK, text) if self._secrets else text)

    def clean_data(self, data: Any) -> Any:
        """Return JSON data with each string cleaned, keys included."""
        if isinstance(data, str):
            return self.clean(data)
        if isinstance(data, dict):
            return {self.clean(str(key)): self.clean_data(value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.clean_data(value) for value in data]
        return data


def _compile(secrets: Iterable[str]) -> re.Pattern[str]:
    long_forms: set[str] = set()
    short_forms: set[str] = set()
    for secret in secrets:
        forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
        (long_forms if len(secret) >= SAFE_LENGTH else short_forms).update(forms)
        if len(secret) >= SAFE_LENGTH:
            long_forms.update(_base64_forms(secret.encode()))
    # longest first: a form that contains another one must win
    parts = [re.escape(form) for form in sorted(long_forms, key=len, reverse=True)]
    parts += [rf"(?<!\w){re.escape(form)}(?!\w)" for form in sorted(short_forms, key=len, reverse=True)]
    return re.compile("|".join(parts) or r"(?!)")


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
