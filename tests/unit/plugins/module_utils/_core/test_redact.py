"""Secrets are found in every form in which they leave a program."""

from __future__ import annotations

import base64
import html
import json
import secrets
import threading
import time
from urllib.parse import quote, quote_plus

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.redact import MASK, Redactor

PASSWORD = 'pä"ss/wo+rd <7> 100% & \\ more'
TOKEN = secrets.token_urlsafe(40)


def redactor(*known: str | None) -> Redactor:
    made = Redactor()
    made.add(*known)
    return made


def lower_hex(text: str) -> str:
    """Return percent-encoding as some servers write it."""
    return "".join(c.lower() if text[max(0, i - 2) : i].find("%") >= 0 else c for i, c in enumerate(text))


@pytest.mark.parametrize("secret", [PASSWORD, TOKEN], ids=["password", "token"])
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda text: quote(text, safe=""),
        quote,
        quote_plus,
        lambda text: lower_hex(quote(text, safe="")),
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: json.dumps(text)[1:-1].replace("\\u00e4", "\\u00E4"),
        lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
        html.escape,
        lambda text: html.escape(text, quote=False),
    ],
    ids=[
        "plain",
        "url",
        "path",
        "form",
        "url-lower",
        "json",
        "json-utf8",
        "json-upper",
        "json-slash",
        "html",
        "html-text",
    ],
)
def test_secret_is_cut_out(secret: str, form: object) -> None:
    assert callable(form)
    assert redactor(secret).clean(f"before:{form(secret)}:after") == f"before:{MASK}:after"


@pytest.mark.parametrize("coder", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"admin:", b"DEFAULT\\admin:", b"user:"])
@pytest.mark.parametrize("after", [b"", b"x", b"xy", b"\xff\xff"])
def test_secret_is_cut_out_of_base64_wherever_it_begins(coder: object, before: bytes, after: bytes) -> None:
    assert callable(coder)
    secret = "pä>ss?word-of-some-length"
    coded = coder(before + secret.encode() + after).decode()
    cleaned = redactor(secret).clean(f"Authorization: Basic {coded}")
    assert MASK in cleaned
    left = cleaned.removeprefix("Authorization: Basic ").replace(MASK, "")
    # a character at each end may hold bits of its neighbour as well, hence less than one byte of the secret
    assert len(left) * 6 <= (len(before) + len(after)) * 8 + 4 * 6


def test_short_secrets_are_cut_out_as_whole_words_only() -> None:
    cleaned = redactor("admin").clean("admin, administrator, 'admin' admin_2 /admin/ nadmin admin")
    assert cleaned == f"{MASK}, administrator, '{MASK}' admin_2 /{MASK}/ nadmin {MASK}"


def test_short_secret_with_signs_is_cut_out() -> None:
    assert redactor("a+b*").clean("x a+b* y a%2Bb%2A z") == f"x {MASK} y {MASK} z"


def test_longest_secret_wins() -> None:
    assert redactor("abcdefgh", "abcdefgh-ijklmnop").clean("abcdefgh-ijklmnop abcdefgh") == f"{MASK} {MASK}"


def test_none_and_empty_are_ignored() -> None:
    assert redactor(None, "", None).clean("nothing to hide") == "nothing to hide"
    assert redactor().clean("nothing to hide") == "nothing to hide"


def test_secret_that_is_added_later_counts() -> None:
    known = redactor("first-secret")
    assert known.clean("first-secret second-secret") == f"{MASK} second-secret"
    known.add("second-secret")
    assert known.clean("first-secret second-secret") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    "sign",
    [
        *"\0\x07\x08\x0b\x1b\x7f\x85\x9b",
        *"\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069",
        "\udcff",
        "\U000e0041",
    ],
    ids=lambda sign: f"U+{ord(sign):04X}",
)
def test_control_and_direction_signs_are_replaced(sign: str) -> None:
    assert redactor().clean(f"a{sign}b") == "a\ufffdb"


def test_carriage_return_is_replaced_where_it_would_overwrite_a_line() -> None:
    assert redactor().clean("failed\rok    \r\n\tnext\nline") == "failed\ufffdok    \r\n\tnext\nline"


def test_other_text_stays() -> None:
    text = "Grüße, 你好, العربية, 👩\u200d🔧 „ok“"
    assert redactor(TOKEN).clean(text) == text


def test_data_is_cleaned_at_every_depth() -> None:
    data = {TOKEN: [f"x{TOKEN}", ("a\x1bb", 1, 2.5, None, True)], 7: {"deep": {"deeper": quote(TOKEN)}}}
    assert redactor(TOKEN).clean_data(data) == {
        MASK: [f"x{MASK}", ["a\ufffdb", 1, 2.5, None, True]],
        "7": {"deep": {"deeper": MASK}},
    }


def test_ten_thousand_secrets_stay_quick() -> None:
    tokens = [secrets.token_hex(16) for _target in range(10_000)]
    known = redactor(*tokens)
    page = f"no secret here {'x' * 100} " * 500 + tokens[-1]
    began = time.monotonic()
    assert known.clean(page).endswith(f" {MASK}")
    assert known.clean("/rest/v1/targets") == "/rest/v1/targets"
    assert time.monotonic() - began < 6


def test_threads_may_add_and_clean_at_the_same_time() -> None:
    known = redactor("the-first-secret")
    problems: list[BaseException] = []
    stop = threading.Event()

    def add() -> None:
        while not stop.is_set():
            known.add(secrets.token_hex(4))

    def clean() -> None:
        try:
            while not stop.is_set():
                assert known.clean("the-first-secret") == MASK
        except BaseException as error:
            problems.append(error)
            raise

    threads = [threading.Thread(target=target) for target in (add, clean, clean)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
