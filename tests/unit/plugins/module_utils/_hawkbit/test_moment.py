"""Points in time as people write them."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.module_utils._hawkbit.moment import milliseconds


@pytest.mark.parametrize(
    "value, expected",
    [
        ("1795168061254", 1795168061254),
        ("1629287391486", 1629287391486),
        ("100000000000", 100000000000),
        ("2026-11-20T09:47:41Z", 1795168061000),
        ("2026-11-20T09:47:41.254Z", 1795168061000),
        ("2026-11-20 10:47:41+01:00", 1795168061000),
        ("2026-11-20T04:17:41-0530", 1795168061000),
        (" 2026-11-20t09:47z ", 1795168020000),
    ],
)
def test_times_are_read(value: str, expected: int) -> None:
    assert milliseconds("forcetime", value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "tomorrow", "-1", "1.5", "2026-11-20", "2026-11-20T09:47:41", "2026-13-01T00:00:00Z", "2026-11-20T09:47:41CET",
     "2026-11-20T24:61:00Z", "٣"],
)  # fmt: skip
def test_what_could_mean_several_times_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        milliseconds("forcetime", value)
    assert str(refused.value) == (
        f"forcetime is '{value}': give a time with its offset from UTC, such as 2026-12-24T03:00:00+01:00, or "
        "milliseconds since 1970."
    )


@pytest.mark.parametrize("value", ["0", "2026", "1795168061", "99999999999"])
def test_seconds_and_years_are_not_taken_for_milliseconds(value: str) -> None:
    """They would be a day in January 1970, which is over."""
    with pytest.raises(InvalidInput) as refused:
        milliseconds("start_at", value)
    assert str(refused.value) == (
        f"start_at is '{value}', too small for milliseconds since 1970: give them, such as 1798077600000, or a time in "
        "ISO 8601 with its offset from UTC, such as 2026-12-24T03:00:00+01:00."
    )
