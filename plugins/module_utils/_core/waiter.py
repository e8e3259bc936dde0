# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a server, with a ready and a failed predicate. Private to the collection."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .clock import Deadline
from .errors import FleetError, Unreachable, WaitTimeout

T = TypeVar("T")

# How many polls in a row may fail for a passing reason; each has its own repeats in the transport.
TOLERATED_FAILURES = 10
# No shorter pause between polls, whatever a playbook says.
LEAST_INTERVAL = 0.05
_RANDOM = random.SystemRandom()


class Waiter(Generic[T]):
    """Polls until a state is ready, has failed, or time is up.

    Args:
        poll: returns the present state.
        ready: tells whether the state is what was waited for.
        failed: returns the error when success has become impossible, else None. Looked at before C(ready).
        describe: turns a state into JSON data, for C(last_state) of a timeout.
        timeout: seconds in all, on the monotonic clock; the state is looked at once more when they have passed. A poll
            that is under way then is not cut short.
        interval: seconds between polls, at least 0.05; up to a tenth is added at random.
        subject: what is waited for, for messages.
        attach: the options with which this wait can be taken up again.
        progress: called with each state.
    """

    def __init__(
        self,
        poll: Callable[[], T],
        *,
        ready: Callable[[T], bool],
        failed: Callable[[T], FleetError | None],
        describe: Callable[[T], Any],
        timeout: float,
        interval: float,
        subject: str,
        attach: dict[str, Any] | None = None,
        progress: Callable[[T], None] | None = None,
    ) -> None:
        self.poll = poll
        self.ready = ready
        self.failed = failed
        self.describe = describe
        self.timeout = timeout
        self.interval = interval
        self.subject = subject
        self.attach = attach or {}
        self.progress = progress

    def run(self) -> T:
        """Return the state that is ready.

        Raises:
            WaitTimeout: time is up; C(result) holds C(last_state) and C(attach).
            FleetError: what C(failed) returned, or what made polling impossible.
        """
        deadline = Deadline(self.timeout)
        state: T | None = None
        failures = 0
        while True:
            last = deadline.passed
            try:
                state = self.poll()
                failures = 0
            except Unreachable as error:
                failures += 1
                if deadline.passed or failures > TOLERATED_FAILURES or not error.transient:
                    error.result.setdefault("last_state", None if state is None else self.describe(state))
                    error.result.setdefault("attach", self.attach)
                    raise
            else:
                if self.progress:
                    self.progress(state)
                error_found = self.failed(state)
                if error_found is not None:
                    raise error_found
                if self.ready(state):
                    return state
            if last:
                raise WaitTimeout(
                    f"Waited {self.timeout:g} seconds for {self.subject}, which is not over yet: raise wait_timeout, "
                    "or run the same task again to go on waiting.",
                    result={"last_state": None if state is None else self.describe(state), "attach": self.attach},
                )
            time.sleep(min(max(LEAST_INTERVAL, self.interval) * _RANDOM.uniform(1.0, 1.1), deadline.remaining()))
