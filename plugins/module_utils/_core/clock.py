# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time: one deadline for everything, Retry-After in both forms, backoff with jitter. Private to the collection."""

from __future__ import annotations

import datetime
import random
import time
from email.utils import parsedate_to_datetime

BACKOFF_FIRST = 0.5
BACKOFF_MOST = 30.0
_RANDOM = random.SystemRandom()


class Deadline:
    """A point on the monotonic clock.

    Args:
        seconds: how far away it is, or None for never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never below zero; infinite without an end."""
        return float("inf") if self._end is None else max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Tell whether no time is left."""
        return self.remaining() <= 0

    def extend(self, seconds: float) -> None:
        """Put it off."""
        if self._end is not None:
            self._end += seconds


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, which RFC 9110 10.2.3 allows as seconds or as an HTTP date.

    Returns:
        Seconds to wait, not below zero; None when the header is missing or unreadable.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):  # Python 3.9 trips over some junk
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return max(0.0, (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds())


def backoff(attempt: int, asked: float | None = None, least: float = 0.0) -> float:
    """Return how long to pause before the next try, in seconds.

    Args:
        attempt: tries made so far, from 1.
        asked: what the server asked for; never undercut.
        least: what this kind of answer needs at least.
    """
    ceiling = min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(attempt - 1, 16))
    # jitter keeps a thousand controllers from coming back in the same instant
    return max(asked or 0.0, least) + _RANDOM.uniform(ceiling / 2, ceiling)
