# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a hawkBit tenant. Private to the collection.

Facts from releases 0.3.0M7, 0.9.0 and 1.0.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import InvalidInput
from .._core.plan import Change, Plan
from .._core.transport import NOT_DONE, reads, writes
from .api import READ_CONFIGURATION, ROOT, Api

READ = reads("read setting of the tenant", "GET", f"{ROOT}/system/configs/{{key}}")
SET = writes("change setting of the tenant", "PUT", f"{ROOT}/system/configs/{{key}}")
RESET = writes("reset setting of the tenant", "DELETE", f"{ROOT}/system/configs/{{key}}")

GATEWAY_KEY = "authentication.gatewaytoken.key"
HIDDEN = "(not shown)"
# Hours, minutes and seconds, from 1.0 on also ISO 8601; more may follow.
DURATION = re.compile(r"\d\d:\d\d:\d\d|\bP(T|\d)")


class TenantConfiguration:
    """The settings of the tenant that the user belongs to."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def read(self) -> dict[str, dict[str, Any]]:
        """Return the settings that the user may read: C(value), and C(global) where it is the server's default."""
        found: dict[str, dict[str, Any]] = self.api.transport.send(READ_CONFIGURATION, shape=dict).data
        self.api.transport.redactor.add(found.get(GATEWAY_KEY, {}).get("value"))
        return found

    def plan(self, wanted: Mapping[str, Any], reset: Iterable[str]) -> Plan:
        """Plan to set and to reset settings.

        Args:
            wanted: values by key.
            reset: keys that are to have the server's default again.

        Raises:
            InvalidInput: an unknown key, one that is given twice, or a value of the wrong type.
        """
        found = self.read()
        reset = list(reset)
        for key in [*wanted, *reset]:
            if key not in found:
                there = ", ".join(sorted(found))
                raise InvalidInput(f"'{key}' is no setting that the server knows and shows: it has {there}.")
        both = sorted(set(wanted) & set(reset))
        if both:
            raise InvalidInput(f"'{both[0]}' is in settings and in reset: give it in one of them.")
        plan = Plan()
        for key, value in wanted.items():
            target = same_type(key, value, found[key].get("value"))
            if found[key].get("value") != target:
                before, after = hide(key, found[key].get("value")), hide(key, target)
                if key == GATEWAY_KEY:
                    after = f"{HIDDEN}, changed"
                plan.update.append(Change(key, {"value": before}, {"value": after}))
        for key in reset:
            if not found[key].get("global"):
                plan.delete.append(Change(key, {"value": hide(key, found[key].get("value"))}))
        return plan

    def apply(self, plan: Plan, wanted: Mapping[str, Any]) -> None:
        """Carry out a plan; the values come from C(wanted), since the plan does not hold secrets."""
        for change in plan.update:
            self._set(change.key, wanted[change.key])
        for change in plan.delete:
            self._reset(change.key)

    def _set(self, key: str, value: Any) -> None:
        present = self._value(key).get("value")
        target = same_type(key, value, present)

        def read_back() -> Any:
            return {} if self._value(key).get("value") == target else NOT_DONE

        self.api.transport.send(SET, values={"key": key}, json={"value": target}, read_back=read_back)

    def _reset(self, key: str) -> None:
        def read_back() -> Any:
            return {} if self._value(key).get("global") else NOT_DONE

        self.api.transport.send(RESET, values={"key": key}, read_back=read_back)

    def _value(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.transport.send(READ, values={"key": key}, shape=dict).data
        return found


def same_type(key: str, value: Any, present: Any) -> Any:
    """Return a value in the type that the setting has: the server refuses C("true") for a boolean.

    Raises:
        InvalidInput: the value cannot be meant for this setting.
    """
    text = "" if value is None else str(value).strip()
    if not text and not isinstance(present, str):
        raise InvalidInput(f"settings: '{key}' is empty: give a value, or list the key in reset.")
    if isinstance(present, bool):
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise InvalidInput(f"settings: '{key}' is '{value}': give true or false.")
    if isinstance(present, int):
        try:
            return int(text)
        except ValueError:
            raise InvalidInput(f"settings: '{key}' is '{value}': give a whole number.") from None
    # 1.0 saves what it cannot read; YAML makes a number of 12:00:00
    if DURATION.search(str(present)) and not DURATION.search(text):
        raise InvalidInput(f"settings: '{key}' is '{value}': give a duration in quotes, such as '00:05:00'.")
    return text


def hide(key: str, value: Any) -> Any:
    """Return a value as it may be shown."""
    return HIDDEN if key == GATEWAY_KEY and value else value
