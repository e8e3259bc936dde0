"""Deadlines, Retry-After, backoff."""

from __future__ import annotations

import datetime
import random
import string
import time
from email.utils import format_datetime

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core import clock
from ansible_collections.fleet.deploy.plugins.module_utils._core.clock import Deadline, backoff, retry_after

UTC = datetime.UTC


def in_seconds(seconds: float) -> datetime.datetime:
    """Return a moment relative to now."""
    return datetime.datetime.now(UTC) + datetime.timedelta(seconds=seconds)


def test_deadline_runs_down_and_passes() -> None:
    deadline = Deadline(0.05)
    before = deadline.passed, deadline.remaining()
    time.sleep(0.06)
    assert before[0] is False
    assert 0 < before[1] <= 0.05
    assert (deadline.passed, deadline.remaining()) == (True, 0)


def test_deadline_without_end_stays_so() -> None:
    deadline = Deadline(None)
    deadline.extend(5)
    assert deadline.remaining() == float("inf")
    assert not deadline.passed


def test_deadline_can_be_put_off() -> None:
    deadline = Deadline(-10)
    deadline.extend(20)
    assert 9 < deadline.remaining() <= 10


def test_deadline_does_not_look_at_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(10)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 9 < deadline.remaining() <= 10


@pytest.mark.parametrize("value, seconds", [("0", 0), ("7", 7), (" 120 ", 120), ("9" * 400, float("inf"))])
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after(format_datetime(in_seconds(30), usegmt=True)) == pytest.approx(29.5, abs=1)


def test_retry_after_as_a_date_of_another_zone() -> None:
    there = in_seconds(30).astimezone(datetime.timezone(datetime.timedelta(hours=-7)))
    assert retry_after(format_datetime(there)) == pytest.approx(29.5, abs=1)


def test_retry_after_as_a_date_without_a_zone_is_utc() -> None:
    assert retry_after(in_seconds(30).strftime("%a, %d %b %Y %H:%M:%S -0000")) == pytest.approx(29.5, abs=1)


def test_retry_after_in_the_past_is_now() -> None:
    assert retry_after(format_datetime(in_seconds(-3600), usegmt=True)) == 0


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "soon",
        "-5",
        "1.5",
        "١٢",
        "5 seconds",
        "Wed, 99 Foo 2026 25:61:61 GMT",
        "Wed, 21 Oct 99999 07:28:00 GMT",
    ],
)
def test_retry_after_that_is_junk_is_none(value: str | None) -> None:
    assert retry_after(value) is None


def test_retry_after_never_raises() -> None:
    chance = random.Random(7)
    alphabet = string.ascii_letters + string.digits * 3 + " ,:+-.()\0é"
    base = "Wed, 21 Oct 2026 07:28:00 +0200"
    for _round in range(20_000):
        text = list(base)
        for _change in range(chance.randint(1, 8)):
            text[chance.randrange(len(text))] = chance.choice(alphabet)
        value = retry_after("".join(text[chance.randrange(5) : chance.randrange(5, 40)]))
        assert value is None or value >= 0


@pytest.mark.usefixtures("real_pauses")
def test_backoff_doubles_with_jitter_up_to_a_ceiling() -> None:
    for attempt, ceiling in ((1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (2000, 30.0)):
        pauses = [backoff(attempt) for _round in range(200)]
        assert ceiling / 2 <= min(pauses) < max(pauses) <= ceiling, attempt
        assert len({round(pause, 6) for pause in pauses}) > 100, "no jitter"


@pytest.mark.usefixtures("real_pauses")
def test_backoff_never_undercuts_what_was_asked_nor_the_least() -> None:
    assert 12.25 <= backoff(1, asked=12.0) <= 12.5
    assert 3.25 <= backoff(1, least=3.0) <= 3.5
    assert 12.25 <= backoff(1, asked=12.0, least=3.0) <= 12.5
    assert 0.25 <= backoff(1, asked=0.0) <= 0.5


@pytest.fixture
def real_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo the short pauses of the other tests."""
    monkeypatch.setattr(clock, "BACKOFF_FIRST", 0.5)
