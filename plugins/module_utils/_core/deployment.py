# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the deploying modules of all platforms share: states, counts, gate, the one result shape.

Private to the collection.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import AbortedElsewhere, FleetError, InvalidInput, ThresholdExceeded, no_error, no_http

# Of a device. "absent": this software was never given to it, or it has moved on to another one since.
ABSENT, PENDING, RUNNING, SUCCEEDED, FAILED, ABORTED, UNKNOWN = (
    "absent",
    "pending",
    "running",
    "succeeded",
    "failed",
    "aborted",
    "unknown",
)
OPEN = frozenset({PENDING, RUNNING})


@dataclass(frozen=True)
class Device:
    """A device's part in a deployment; C(native_state) is the platform's own word."""

    id: str
    name: str | None = None
    state: str = ABSENT
    native_state: str | None = None
    code: str | None = None
    message: str | None = None
    log: str | None = None

    def render(self) -> dict[str, Any]:
        """Return what the result shows of the device."""
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """How many of the selected devices are where; each is counted once."""

    selected: int = 0
    skipped: int = 0
    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    aborted: int = 0
    unknown: int = 0

    @property
    def open(self) -> int:
        """Devices that may still succeed or fail."""
        return self.pending + self.running

    @property
    def good(self) -> int:
        """Devices that have the software, now or before."""
        return self.succeeded + self.skipped

    @property
    def bad(self) -> int:
        """Devices that will not get it any more."""
        return self.failed + self.aborted

    def sentence(self) -> str:
        """Return the counts as a person reads them."""
        parts = [f"{self.good} of {self.selected} have it"]
        parts += [f"{value} {name}" for name, value in asdict(self).items() if value and name in SAID]
        return ", ".join(parts)


SAID = ("running", "pending", "failed", "aborted", "unknown")


def count(devices: Iterable[Device], skipped: frozenset[str] = frozenset(), unknown: int = 0) -> Counts:
    """Count devices by state; those in C(skipped) had the software before this task."""
    tally: Counter[str] = Counter()
    for device in devices:
        tally["selected"] += 1
        tally["skipped" if device.id in skipped else device.state] += 1
    tally["pending"] += tally.pop(ABSENT, 0)
    tally["unknown"] += unknown
    return Counts(**tally)


@dataclass(frozen=True)
class Gate:
    """Decides, from counts alone, whether a deployment is good enough or lost.

    Args:
        min_success_percentage: quorum of the selected devices. 100 when no threshold at all is given; none when
            only the others are.
        max_failures: how many may fail.
        max_failure_percentage: how many may fail of those that have reported.
        min_reported: how many must have reported before that percentage counts; when nothing is open any more, it
            counts in any case.
        default_percentage: the quorum when no threshold is given; 0 where the platform has thresholds of its own.
    """

    min_success_percentage: float | None = None
    max_failures: int | None = None
    max_failure_percentage: float | None = None
    min_reported: int = 1
    default_percentage: float = 100.0

    @classmethod
    def from_options(cls, options: Mapping[str, Any], default_percentage: float = 100.0) -> Gate:
        """Read the gate's options.

        Raises:
            InvalidInput: a value outside its range.
        """
        for name in ("min_success_percentage", "max_failure_percentage"):
            value = options[name]
            if value is not None and not 0 <= value <= 100:
                raise InvalidInput(f"{name} is {value:g}: give a percentage from 0 to 100.")
        for name, least in (("max_failures", 0), ("min_reported", 1)):
            value = options[name]
            if value is not None and value < least:
                raise InvalidInput(f"{name} is {value}: give {least} or more.")
        return cls(
            options["min_success_percentage"],
            options["max_failures"],
            options["max_failure_percentage"],
            options["min_reported"],
            default_percentage,
        )

    def required(self, selected: int) -> int:
        """Return how many devices must succeed."""
        percentage = self.min_success_percentage
        if percentage is None:
            others = self.max_failures is not None or self.max_failure_percentage is not None
            percentage = 0.0 if others else self.default_percentage
        return math.ceil(round(percentage * selected / 100, 6))

    def broken(self, counts: Counts) -> str | None:
        """Return why the deployment cannot be good enough any more, None while it can."""
        if self.max_failures is not None and counts.bad > self.max_failures:
            return f"{_devices(counts.bad)} failed, max_failures is {self.max_failures}"
        reported = counts.succeeded + counts.bad
        # of a fleet smaller than min_reported no further reports will come
        enough = reported >= self.min_reported or not counts.open
        if self.max_failure_percentage is not None and reported and enough:
            share = 100 * counts.bad / reported
            if share > self.max_failure_percentage:
                return (
                    f"{counts.bad} of the {_devices(reported)} that reported failed ({share:.1f} %), "
                    f"max_failure_percentage is {self.max_failure_percentage:g}"
                )
        required = self.required(counts.selected)
        if counts.good + counts.open < required:
            possible = counts.good + counts.open
            return f"only {possible} of {counts.selected} devices can still succeed, {required} are needed"
        return None

    def quorum(self, counts: Counts) -> bool:
        """Tell whether there is a quorum and it has been reached."""
        return self.min_success_percentage is not None and counts.good >= self.required(counts.selected)

    def content(self, counts: Counts) -> bool:
        """Tell whether nothing more need be waited for: all have ended, or the quorum is there."""
        return not counts.open or self.quorum(counts)


def _devices(number: int) -> str:
    return "1 device" if number == 1 else f"{number} devices"


@dataclass
class Report:
    """The result that all deploying modules share, on success and on failure alike.

    ``deployment`` has the keys platform, id, name, state, native_state, software, created and finished; ids are
    strings, times ISO 8601 in UTC.
    """

    deployment: dict[str, Any]
    counts: Counts
    failed: list[Device] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    attach: dict[str, Any] = field(default_factory=dict)
    limit: int = 100

    def keys(self) -> dict[str, Any]:
        """Return the keys of the result, without an error."""
        return {
            "deployment": self.deployment,
            "counts": asdict(self.counts),
            "devices": {
                "failed": [device.render() for device in self.failed[: self.limit]],
                "skipped": self.skipped[: self.limit],
                "unknown": self.unknown[: self.limit],
                # a platform may have named no more of those that failed than are shown
                "truncated": max(self.counts.failed, len(self.failed), len(self.skipped), len(self.unknown))
                > self.limit,
            },
            "attach": self.attach,
            "error": no_error(),
            "http": no_http(),
        }

    def fail(self, error: FleetError) -> FleetError:
        """Return the error with this report beside it."""
        error.result = {**self.keys(), **error.result}
        return error


def deployment(
    platform: str,
    *,
    identifier: str | None,
    name: str,
    state: str,
    native_state: str | None,
    software: Mapping[str, Any],
    created: int | None = None,
    finished: int | None = None,
) -> dict[str, Any]:
    """Return the C(deployment) key of a result; times are milliseconds since 1970."""
    return {
        "platform": platform,
        "id": identifier,
        "name": name,
        "state": state,
        "native_state": native_state,
        "software": dict(software),
        "created": iso_time(created),
        "finished": iso_time(finished),
    }


def verdict(gate: Gate, counts: Counts, subject: str) -> FleetError | None:
    """Return the error of a gate that is broken, None while it holds."""
    why = gate.broken(counts)
    if why is None:
        return None
    if counts.aborted and not counts.failed:
        return AbortedElsewhere(f"{subject} was cancelled or superseded by somebody else: {why}.")
    return ThresholdExceeded(f"{subject} has failed: {why}.")


def overall_state(counts: Counts, gate: Gate) -> str:
    """Return the state of a deployment from its devices."""
    if gate.broken(counts) is not None:
        return "aborted" if counts.aborted and not counts.failed else "failed"
    if gate.content(counts):
        return "succeeded"
    return "running" if counts.running or counts.good or counts.bad else "waiting"


def iso_time(milliseconds: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC, to the second."""
    if milliseconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def check_wait(options: Mapping[str, Any]) -> None:
    """Refuse impossible wait options.

    Raises:
        InvalidInput: a value outside its range.
    """
    if options["wait_timeout"] < 1:
        raise InvalidInput(f"wait_timeout is {options['wait_timeout']}: give 1 second or more.")
    if options["wait_interval"] <= 0:
        raise InvalidInput(f"wait_interval is {options['wait_interval']:g}: give seconds above 0.")
    limit = options.get("result_limit")
    if limit is not None and limit < 0:
        raise InvalidInput(f"result_limit is {limit}: give 0 or more.")
