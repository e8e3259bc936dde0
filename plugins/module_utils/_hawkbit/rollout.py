# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of C(hawkbit_rollout). Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .._core.deployment import Counts, Device, Gate, Report, check_wait, deployment, iso_time
from .._core.errors import Conflict, FleetError, InvalidInput, Unsupported
from .._core.follow import Deployment, Snapshot, follow
from .._core.plan import Change, Plan
from .._core.task import Task
from .._core.waiter import Waiter
from . import rsql
from .api import MODERN, SEED
from .assignment import check_usable
from .client import PLATFORM, Hawkbit
from .fleet import blamed, resolve, said
from .fleet import query as fleet_query
from .moment import milliseconds
from .rollout_fixed import conditions, differences
from .rollouts import RETRY_SUFFIX, STOPPED, begun, counts_of, group_percentages

# hawkBit's word -> the word that all platforms share; a paused one depends on why
STATES = {
    "creating": "planned",
    "ready": "planned",
    "waiting_for_approval": "waiting",
    "approval_denied": "aborted",
    "starting": "running",
    "running": "running",
    "paused": "waiting",
    "stopping": "aborted",
    "stopped": "aborted",
    "finished": "succeeded",
    "deleting": "aborted",
    "deleted": "aborted",
}
WAITED_FOR = ("present", "started", "resumed", "triggered", "retried")
# state -> status -> verb to use; None: nothing to do. What is not listed is refused.
VERBS: dict[str, dict[str, str | None]] = {
    "present": dict.fromkeys(STATES),
    "started": {
        "creating": "start",
        "ready": "start",
        **dict.fromkeys(("waiting_for_approval", "starting", "running", "paused", "finished")),
    },
    "resumed": {"paused": "resume", **dict.fromkeys(("starting", "running", "finished"))},
    "paused": {"starting": "pause", "running": "pause", **dict.fromkeys(("paused", "finished"))},
    "stopped": {
        **dict.fromkeys(("creating", "ready", "waiting_for_approval", "starting", "running", "paused"), "stop"),
        **dict.fromkeys(("stopping", "stopped", "approval_denied", "finished")),
    },
    "approved": {
        "waiting_for_approval": "approve",
        **dict.fromkeys(("ready", "starting", "running", "paused", "finished")),
    },
    "denied": {"waiting_for_approval": "deny", "approval_denied": None},
    "triggered": {**dict.fromkeys(("starting", "running"), "trigger"), "finished": None},
}


# what of a new rollout the difference shows as the task has it
SHOWN = (
    "description", "assignment_type", "forcetime", "start_at", "weight", "confirmation_required", "success_threshold",
    "error_threshold", "success_action", "dynamic_groups",
)  # fmt: skip


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


class RolloutTask:
    """Plans, applies, follows and reports one server-side rollout."""

    hawkbit: Hawkbit

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.name: str = task.params["name"]
        self.gate = Gate()
        self.plan = Plan()
        self.rollout: dict[str, Any] | None = None
        self.body: dict[str, Any] | None = None
        self.verb: str | None = None
        self.times: dict[str, int | None] = {}
        """Points in time among the options, in milliseconds."""
        self.retried: dict[str, Any] | None = None
        """The rollout that is to be repeated."""
        self.description: str | None = None
        self.report: Report | None = None
        self.software: dict[str, Any] = {}
        self.planned_targets = 0
        self.selected: int | None = None
        """How many devices O(fleet) names, where it names them."""
        self.written = False

    # -- options -----------------------------------------------------------------------------------------------

    def check_options(self) -> None:
        """Refuse what can be refused without the server.

        Raises:
            InvalidInput: names the option, the value and what would be right.
        """
        params = self.params
        check_wait(params)
        self.gate = Gate.from_options(params, default_percentage=0.0)
        if (params["assignment_type"] == "timeforced") != (params["forcetime"] is not None):
            raise InvalidInput("forcetime and assignment_type=timeforced belong together: give both or neither.")
        if params["weight"] is not None and not 0 <= params["weight"] <= 1000:
            raise InvalidInput(f"weight is {params['weight']}: give a number from 0 to 1000.")
        if params["wait_until"] == "online":
            raise Unsupported(
                "wait_until is 'online', which hawkBit cannot tell for a rollout: use all with min_success_percentage, "
                "or created."
            )
        self._check_state(params)
        for option in ("forcetime", "start_at"):
            value = params[option]
            self.times[option] = None if value is None else milliseconds(option, value)
        least = 1 if params["dynamic_groups"] is None else 0
        if params["amount_groups"] is not None and not least <= params["amount_groups"] <= 500:
            raise InvalidInput(f"amount_groups is {params['amount_groups']}: give a number from {least} to 500.")
        if params["dynamic_groups"] is not None and params["dynamic_groups"]["size"] < 1:
            raise InvalidInput(f"dynamic_groups.size is {params['dynamic_groups']['size']}: give 1 or more.")
        if params["groups"] is not None:
            self._check_groups(params["groups"])
        for where in [params, *(params["groups"] or [])]:
            for option in ("success_threshold", "error_threshold"):
                value = where.get(option)
                if value is not None and not 0 <= value <= 100:
                    raise InvalidInput(f"{option} is {value}: give a whole percentage from 0 to 100.")
        group = params["wait_group"]
        names = [item["name"] for item in params["groups"] or []]
        if group is not None and names and group not in names:
            raise InvalidInput(f"wait_group is '{group}', which is no name in groups: give one of {', '.join(names)}.")

    def _check_state(self, params: Mapping[str, Any]) -> None:
        state = params["state"]
        if params["start_at"] is not None and state == "started":
            raise InvalidInput("start_at needs state=present: with state=started the rollout starts at once.")
        if (params["trigger_group"] is not None) != (state == "triggered"):
            raise InvalidInput("trigger_group and state=triggered belong together: give both or neither.")
        if params["approval_remark"] is not None and state not in ("approved", "denied"):
            raise InvalidInput("approval_remark is only for state=approved and state=denied: leave it out.")

    def _check_groups(self, groups: list[Mapping[str, Any]]) -> None:
        if not groups:
            raise InvalidInput("groups is an empty list: give at least one group, or leave it out.")
        names = [group["name"] for group in groups]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput(f"groups has the name '{twice}' more than once: give each group a name of its own.")
        group_percentages([(group["query"], group["percentage"]) for group in groups], of_all=True)

    # -- plan --------------------------------------------------------------------------------------------------

    def make_plan(self, hawkbit: Hawkbit) -> None:
        """Compare what is wanted with what is there.

        Raises:
            InvalidInput: an unknown set or device, a rollout of that name that is for something else.
            Conflict: the rollout is in a state from which the wanted one cannot be reached.
        """
        self.hawkbit = hawkbit
        self.rollout = hawkbit.rollouts.find(self.name)
        state = self.params["state"]
        if state == "absent":
            if self.rollout is not None:
                self.plan.delete.append(Change(self.name, before={"status": self.rollout["status"]}))
            return
        if state == "retried" and self._plan_retry(self.rollout):
            return
        if self.rollout is None:
            if state not in ("present", "started"):
                raise InvalidInput(
                    f"name is '{self.name}', but hawkBit has no rollout of that name to be {state}: correct it, or "
                    "create the rollout first."
                )
            self._plan_create()
            return
        self._plan_change(self.rollout, state)

    def _plan_retry(self, failed: dict[str, Any] | None) -> bool:
        """Plan to repeat a rollout; return False when there is none.

        From here on this task is about the rollout that repeats it, if there is one.
        """
        if self.hawkbit.api.generation == SEED:
            raise Unsupported("state is 'retried', which came with hawkBit 0.3.0: make a rollout of another name.")
        if failed is None:
            return False
        self._must_be_the_same(failed)
        if failed["status"] != "finished":
            error = Conflict(f"rollout '{self.name}' is {failed['status']}, so it cannot be retried: wait for its end.")
            raise self._report(self._standing(), self._state()).fail(error)
        again = self.hawkbit.rollouts.find(f"{self.name}{RETRY_SUFFIX}")
        if again is None and not counts_of(failed).failed:
            return True
        self.name += RETRY_SUFFIX
        self.rollout = again
        if again is not None:
            self._plan_steer(again, "started")
            return True
        self.retried = failed
        self.planned_targets = counts_of(failed).failed
        self.verb = "start"
        self.plan.create.append(Change(self.name, after={"retry_of": failed["name"], "targets": self.planned_targets}))
        return True

    def _plan_create(self) -> None:
        params = self.params
        for option in ("distribution_set", "fleet"):
            if params[option] is None:
                raise InvalidInput(
                    f"{option} is missing: hawkBit has no rollout '{self.name}' yet, and a new one needs it."
                )
        fleet = params["fleet"]
        if any(fleet[key] for key in ("ids", "names", "tag", "group", "groups")):
            self.selected = len(resolve(self.hawkbit, fleet, params["on_unknown_device"]).names)
        query = self._query()
        # the server takes what it finds at creation; this is what it would find now
        with blamed(said(fleet)):
            self.planned_targets = self.hawkbit.targets.count(query)
        if not self.planned_targets:
            raise InvalidInput(f"fleet selects no device (query {query}): correct it, or register the devices first.")
        self._check_group_queries(params["groups"] or [])
        if self.selected is not None and self.selected != self.planned_targets:
            raise InvalidInput(
                f"fleet means {self.selected} devices, but hawkBit, which takes upper and lower case for the same in a "
                f"rollout's query, finds {self.planned_targets}: select by a query that leaves the others out, or use "
                "distribution_set_assign."
            )
        limit = params["fleet_limit"]
        if limit is not None and self.planned_targets > limit:
            raise InvalidInput(
                f"fleet_limit is {limit}, but the rollout would go to {self.planned_targets} devices: raise the limit "
                "or select fewer devices."
            )
        found = self._distribution_set()
        check_usable(found)
        self._must_be_supported()
        body = {
            "name": self.name,
            "description": params["description"],
            "distributionSetId": found["id"],
            "targetFilterQuery": query,
            "type": params["assignment_type"],
            "forcetime": self.times["forcetime"],
            "startAt": self.times["start_at"],
            "weight": params["weight"],
            "confirmationRequired": params["confirmation_required"],
            **conditions(params),
            **({"groups": self._groups()} if params["groups"] else {"amountGroups": self._amount()}),
            **self._dynamic(),
        }
        self.body = {name: value for name, value in body.items() if value is not None}
        self.verb = "start" if params["state"] == "started" else None
        after = {
            "distribution_set": f"{found['name']}:{found['version']}",
            "query": query,
            "targets": self.planned_targets,
            "groups": [_given(group) for group in params["groups"] or []] or self._amount(),
            **_given({name: params[name] for name in SHOWN}),
            "state": params["state"],
        }
        self.plan.create.append(Change(self.name, after=after))

    def _check_group_queries(self, groups: list[Mapping[str, Any]]) -> None:
        """Have the server read the queries of groups: it would refuse a wrong one only when it creates the rollout."""
        for group in groups:
            if group["query"]:
                with blamed(f"groups: query of '{group['name']}' is '{group['query']}'"):
                    self.hawkbit.targets.count(group["query"])

    def _plan_change(self, rollout: Mapping[str, Any], state: str) -> None:
        self._must_be_the_same(rollout)
        if state in ("approved", "denied") and rollout["status"] == "creating":
            # whether it waits for approval is known a moment later
            self.rollout = self._until(lambda found: found is None or found["status"] != "creating", "to be ready")
            rollout = self.rollout or rollout
        if self.params["distribution_set"] is not None and self.params["fleet"] is not None:
            # a task that only attaches or steers says nothing about these
            self._tell_what_stays(rollout)
        self._plan_steer(rollout, state)

    def _tell_what_stays(self, rollout: Mapping[str, Any]) -> None:
        sent = self._groups() if self.params["groups"] else []
        groups = self.hawkbit.rollouts.listed_groups(rollout["id"])
        words = differences({**self.params, **self.times}, sent, rollout, groups)
        if words:
            self.task.warn(
                f"The rollout '{self.name}' exists with {'; '.join(words)}. That cannot be changed any more: choose "
                "another name to have it otherwise."
            )

    def _plan_steer(self, rollout: Mapping[str, Any], state: str) -> None:
        status = rollout["status"]
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        wanted = self.params["description"]
        if wanted is not None and (rollout.get("description") or "") != wanted:
            self.description = wanted
            before["description"], after["description"] = rollout.get("description"), wanted
        if status not in VERBS[state]:
            error = Conflict(
                f"rollout '{self.name}' is {status}, so it cannot be {state}: choose another name or state."
            )
            raise self._report(self._standing(), self._state()).fail(error)
        self.verb = VERBS[state][status]
        if self.verb == "stop" and self.hawkbit.api.generation != MODERN:
            self.verb = self._stop_without_that_verb(rollout)
        if self.verb == "trigger":
            self._plan_trigger(rollout)
        elif self.verb is not None:
            before["status"], after["status"] = status, state
        if after:
            self.plan.update.append(Change(self.name, before, after))

    def _plan_trigger(self, rollout: Mapping[str, Any]) -> None:
        """Plan to have groups begin up to the one that is wanted."""
        if self.hawkbit.api.generation == SEED:
            raise Unsupported("state is 'triggered', which came with hawkBit 0.3.0: wait for the next group.")
        name = self.params["trigger_group"]
        groups = self.hawkbit.rollouts.listed_groups(rollout["id"])
        upto = groups[: self._index(groups, name, "trigger_group") + 1]
        if not begun(upto[-1]):
            before = {"begun": [group["name"] for group in groups if begun(group)]}
            after = {"begun": [group["name"] for group in groups if group in upto or begun(group)]}
            self.plan.update.append(Change(self.name, before, after))
        else:
            self.verb = None

    def _stop_without_that_verb(self, rollout: Mapping[str, Any]) -> str | None:
        """Return what is left to do where a stopped rollout is one that is paused and of which nothing is open."""
        status = rollout["status"]
        if status in ("creating", "ready", "waiting_for_approval"):
            raise Unsupported(
                f"state is 'stopped', but the rollout '{self.name}' is {status}, and hawkBit before 0.10 can only stop "
                "one that was started: use state=absent."
            )
        return None if status == "paused" and not self.hawkbit.rollouts.anything_open(rollout["id"]) else "stop"

    def _must_be_the_same(self, rollout: Mapping[str, Any]) -> None:
        """Refuse to take a rollout of the same name for ours that deploys something else, or to others."""
        self.software = self._software(rollout)
        option = self.params["distribution_set"]
        if option is not None:
            there = {name: self.software.get(name) for name, value in option.items() if value is not None}
            if there != {name: value for name, value in option.items() if value is not None}:
                raise InvalidInput(
                    f"name: the rollout '{self.name}' exists and deploys {self.software['name']} "
                    f"{self.software['version']}, not {option['name']} {option['version']}: choose another name."
                )
        if self.params["fleet"] is not None:
            query = self._query()
            if query != rollout["targetFilterQuery"]:
                raise InvalidInput(
                    f"name: the rollout '{self.name}' exists for the targets of {rollout['targetFilterQuery']}, not of "
                    f"{query}, and cannot be changed: choose another name."
                )

    def _software(self, rollout: Mapping[str, Any]) -> dict[str, Any]:
        found = self.hawkbit.distribution_sets.get(rollout["distributionSetId"]) or {}
        return {"id": str(rollout["distributionSetId"]), **{key: found.get(key) for key in ("name", "version", "type")}}

    def _distribution_set(self) -> dict[str, Any]:
        option = self.params["distribution_set"]
        wanted = (option["name"], option["version"], option["type"])
        found = self.hawkbit.distribution_sets.find(*wanted)
        if found is None:
            try:
                found = self.hawkbit.distribution_sets.require(*wanted)
            except InvalidInput as error:
                # tells a playbook that will publish the set that all else is in order
                error.details = {"missing": "distribution_set", "selected": self.planned_targets}
                raise
        self.software = {"id": str(found["id"]), **{key: found.get(key) for key in ("name", "version", "type")}}
        return found

    def _query(self) -> str:
        query = fleet_query(self.hawkbit, self.params["fleet"]) or "controllerid==*"
        if len(query) > rsql.MAX_SAVED_QUERY:
            raise InvalidInput(
                f"fleet makes a query of {len(query)} characters, hawkBit takes {rsql.MAX_SAVED_QUERY}: select by "
                "query, tag or group, or use distribution_set_assign."
            )
        return query

    def _groups(self) -> list[dict[str, Any]]:
        groups = self.params["groups"]
        wanted = [(group["query"], group["percentage"]) for group in groups]
        whole = len(wanted) == 1
        sent = group_percentages(wanted, of_all=whole or self.hawkbit.rollouts.percentages_of_all())
        bodies = []
        for group, percentage in zip(groups, sent):
            body = {
                "name": group["name"],
                "description": group["name"],
                # an empty query is refused from 0.10 on
                **({"targetFilterQuery": group["query"]} if group["query"] else {}),
                "targetPercentage": percentage,
                **conditions({**self.params, **{k: v for k, v in group.items() if v is not None}}),
            }
            if group["confirmation_required"] is not None:
                body["confirmationRequired"] = group["confirmation_required"]
            bodies.append(body)
        return bodies

    def _amount(self) -> int:
        amount = self.params["amount_groups"]
        return 1 if amount is None else int(amount)

    def _dynamic(self) -> dict[str, Any]:
        option = self.params["dynamic_groups"]
        if option is None:
            return {}
        template = {"nameSuffix": option["name_suffix"], "targetCount": option["size"]}
        return {"dynamic": True, "dynamicGroupTemplate": template}

    def _must_be_supported(self) -> None:
        """Refuse what old releases would ignore without a word, or only refuse when the rollout is created."""
        levels = [self.params, *(self.params["groups"] or [])]
        if any(level["success_action"] == "pause" for level in levels) and self.hawkbit.api.generation != MODERN:
            raise Unsupported(
                "success_action is 'pause', which needs hawkBit 0.10 or newer: use next_group, or a rollout for each "
                "stage."
            )
        confirmed = any(level["confirmation_required"] is not None for level in levels)
        if confirmed and self.hawkbit.api.generation == SEED:
            raise Unsupported("confirmation_required is given, but came with hawkBit 0.3.0M8: leave it out.")
        if self.params["weight"] is not None and not self.hawkbit.rollouts.takes_weight():
            raise Unsupported(
                "weight is given, but needs multi-assignment before hawkBit 0.5, which is off: leave it out."
            )
        if self.params["dynamic_groups"] is not None and not self.hawkbit.rollouts.dynamic():
            raise Unsupported("dynamic_groups is given, but came with hawkBit 0.5: leave it out.")

    # -- apply -------------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Carry out the plan, then wait if that is wanted.

        Raises:
            FleetError: what went wrong, with what was written before as C(changed).
        """
        try:
            self._write()
            if self.params["state"] in ("started", "retried") and self._status() == "waiting_for_approval":
                self.task.warn(f"rollout '{self.name}' waits for approval on the server; it has not been started.")
            if self.params["wait"] and self.params["state"] in WAITED_FOR and self.rollout is not None:
                self._follow()
        except FleetError as error:
            if "deployment" not in error.result:
                self._report(self._standing(silent=True), self._state()).fail(error)
            error.result.setdefault("changed", self.written)
            raise

    def _write(self) -> None:
        rollouts = self.hawkbit.rollouts
        if self.plan.delete and self.rollout is not None:
            self.written = True
            rollouts.delete(self.rollout["id"])
            self._until(lambda rollout: rollout is None, "to be gone")
            self.rollout = None
            return
        if self.body is not None:
            self.rollout = rollouts.create(self.body)
            self.written = True
        if self.retried is not None:
            self.rollout = rollouts.retry(self.retried)
            self.written = True
        if self.rollout is None:
            return
        if self.description is not None:
            rollouts.describe(self.rollout["id"], self.description)
            self.written = True
        if self.verb is not None:
            self._use(self.verb, self.rollout["id"])
        self.rollout = rollouts.get(self.rollout["id"])

    def _use(self, verb: str, id: int) -> None:
        """Use a verb when the rollout is ready for it, and see it take effect."""
        rollouts = self.hawkbit.rollouts
        if verb == "trigger":
            self._trigger(id)
            return
        if verb == "start":
            # creating goes on in the background; approval is a person's business
            rollout = self._until(lambda found: found is None or found["status"] != "creating", "to be ready")
            if (rollout or {}).get("status") in ("waiting_for_approval", "starting", "running"):
                return
        elif verb == "pause" or (verb == "stop" and self.hawkbit.api.generation != MODERN):
            # before 0.10 stopping begins with pausing
            self._until(lambda found: found is None or found["status"] != "starting", "to run")
        verbs: dict[str, Callable[[int], None]] = {
            "start": rollouts.start,
            "pause": rollouts.pause,
            "resume": rollouts.resume,
            "stop": rollouts.stop,
            "approve": lambda number: rollouts.approve(number, self.params["approval_remark"]),
            "deny": lambda number: rollouts.deny(number, self.params["approval_remark"]),
        }
        self.written = True
        verbs[verb](id)
        if verb == "stop":
            self._until(lambda found: found is None or found["status"] != "stopping", "to be stopped")

    def _trigger(self, id: int) -> None:
        """Have groups begin until the one that is wanted has; the first one begins when the rollout does."""
        rollouts, name = self.hawkbit.rollouts, self.params["trigger_group"]
        self._until(lambda found: found is None or found["status"] != "starting", "to run")
        while True:
            groups = rollouts.listed_groups(id)
            if begun(groups[self._index(groups, name, "trigger_group")]):
                return
            self.written = True
            rollouts.trigger(id)
            self._until(partial(self._more_than, sum(map(begun, groups))), "to begin its next group")

    def _more_than(self, number: int, rollout: Mapping[str, Any] | None) -> bool:
        """Tell whether more groups have begun, or never will."""
        return rollout is None or self.hawkbit.rollouts.begun_groups(rollout["id"]) > number

    def _until(self, ready: Callable[[dict[str, Any] | None], bool], what: str) -> dict[str, Any] | None:
        identifier = (self.rollout or {})["id"]
        waiter: Waiter[dict[str, Any] | None] = Waiter(
            lambda: self.hawkbit.rollouts.get(identifier),
            ready=ready,
            failed=lambda _rollout: None,
            describe=lambda rollout: {"native_state": (rollout or {}).get("status")},
            timeout=self.params["wait_timeout"],
            # the server's scheduler looks every two seconds
            interval=min(1.0, self.params["wait_interval"]),
            subject=f"rollout '{self.name}' {what}",
            attach=self._attach(),
        )
        return waiter.run()

    def _follow(self) -> None:
        if self.params["state"] == "present":
            self.rollout = self._until(lambda found: found is None or found["status"] != "creating", "to be ready")
            return
        if self._status() != "waiting_for_approval" and self.params["wait_until"] != "created":
            whole = Deployment(self._subject(), self._poll, self._report, self._abort, self._attach())
            self.report = follow(self.task, whole, self.gate)

    def _abort(self) -> None:
        if self.rollout is not None and self._status() not in ("finished", *STOPPED):
            self._use("stop", self.rollout["id"])

    def _poll(self) -> Snapshot:
        rollouts, known = self.hawkbit.rollouts, self.rollout or {}
        rollout = rollouts.get(known["id"])
        if rollout is None:
            aborted = "was deleted by somebody else while it was waited for"
            return Snapshot(counts_of(known), native_state="deleted", aborted=aborted)
        self.rollout = rollout
        status, counts = rollout["status"], counts_of(rollout)
        if status in STOPPED:
            aborted = "was denied approval" if status == "approval_denied" else "was stopped by somebody else"
            return Snapshot(counts, native_state=status, aborted=aborted)
        # the groups cost a request: they matter when one is waited for, or to tell why nothing goes on
        stands = status == "paused" or (status == "running" and counts.pending and not counts.running)
        ended_badly = status == "finished" and counts.failed
        if stands or ended_badly or self.params["wait_group"] is not None or rollout.get("dynamic"):
            return self._look_at_groups(rollout, counts)
        return Snapshot(counts, native_state=status, over=status == "finished")

    def _look_at_groups(self, rollout: Mapping[str, Any], counts: Counts) -> Snapshot:
        rollouts, status, name = self.hawkbit.rollouts, rollout["status"], self.params["wait_group"]
        groups = rollouts.listed_groups(rollout["id"])
        wanted = None if name is None else self._index(groups, name, "wait_group")
        current = max((index for index, group in enumerate(groups) if begun(group)), default=None)
        for index in (wanted, current):
            if index is not None:
                groups[index] = rollouts.counted(rollout["id"], groups[index])
        broken = _why_broken(status, groups, current, wanted)
        over = status == "finished" or (wanted is not None and _decided(groups, wanted, status))
        if wanted is None and rollout.get("dynamic"):
            # one with dynamic groups goes on for ever
            over = all(group["status"] in ("finished", "error") for group in groups if not group.get("dynamic"))
        aborted = None
        if status == "paused" and not over and not broken:
            if current is not None and _pauses(groups[current]) and _passed(groups[current]):
                # as asked for: nothing more happens by itself
                over = wanted is None
            else:
                aborted = "was paused by somebody else: have it go on with state=resumed"
        return Snapshot(counts, native_state=status, over=over, broken=broken, aborted=aborted)

    def _index(self, groups: list[dict[str, Any]], name: str, option: str) -> int:
        names = [str(group["name"]) for group in groups]
        if name not in names:
            raise InvalidInput(
                f"{option} is '{name}', but the rollout '{self.name}' has the groups {', '.join(names)}."
            )
        return names.index(name)

    # -- result ------------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """Return the task's result."""
        report = self.report or self._report(self._standing(), "failed" if self._lost() else self._state())
        return self.task.result(self.plan, rollout=self._shown(), **report.keys())

    def _status(self) -> str | None:
        return None if self.rollout is None else str(self.rollout["status"])

    def _state(self) -> str:
        status = self._status()
        return "planned" if status is None else STATES.get(status, "failed")

    def _lost(self) -> bool:
        """Tell whether the rollout is finished, but its last group failed."""
        if self.rollout is None or self._status() != "finished" or not counts_of(self.rollout).failed:
            return False
        rollouts, id = self.hawkbit.rollouts, self.rollout["id"]
        groups = [group for group in rollouts.listed_groups(id) if begun(group)]
        return bool(groups) and _too_many_failed(rollouts.counted(id, groups[-1]))

    def _standing(self, silent: bool = False) -> Snapshot:
        """Return the rollout as it was seen last, or as it would be."""
        planned = Counts(self.planned_targets, pending=self.planned_targets)
        counts = planned if self.rollout is None else counts_of(self.rollout)
        return Snapshot(counts, native_state=self._status(), silent=silent)

    def _shown(self) -> dict[str, Any] | None:
        if self.rollout is None:
            return None
        return show(self.rollout, self.hawkbit.rollouts.groups(self.rollout["id"]))

    def _report(self, snapshot: Snapshot, state: str) -> Report:
        rollout = self.rollout or {}
        native = snapshot.native_state
        if state == "succeeded" and native != "finished":
            # a group, a quorum, or a pause after a group was what was waited for
            state = STATES.get(native or "", "running")
        limit = self.params["result_limit"]
        failed = self._failed_devices(rollout, limit) if snapshot.counts.failed and not snapshot.silent else []
        return Report(
            deployment(
                PLATFORM,
                identifier=str(rollout["id"]) if rollout else None,
                name=self.name,
                state=state,
                native_state=native,
                software=self.software,
                created=rollout.get("createdAt"),
            ),
            snapshot.counts,
            failed=failed,
            attach=self._attach(),
            limit=limit,
        )

    def _failed_devices(self, rollout: Mapping[str, Any], limit: int) -> list[Device]:
        try:
            return self.hawkbit.rollouts.failed_devices(rollout, limit)
        except FleetError as error:
            # a report must not hide what it is about
            self.task.warn(f"The devices that failed cannot be named: {error.msg}")
            return []

    def _attach(self) -> dict[str, Any]:
        # to resume a second time might undo somebody's pause; the others are done
        state = self.params["state"]
        state = "started" if state in ("resumed", "triggered", "retried") else state
        group = self.params["wait_group"]
        return {"name": self.name, "state": state, "wait": True, **({} if group is None else {"wait_group": group})}

    def _subject(self) -> str:
        return f"The rollout '{self.name}'"


def _passed(group: Mapping[str, Any]) -> bool:
    """Tell whether a group has reached its success threshold; some of its devices may still be under way."""
    counts = counts_of(group)
    return 100 * counts.succeeded >= _threshold(group, "successCondition") * counts.selected


def _threshold(group: Mapping[str, Any], condition: str) -> float:
    # the server takes any text
    text = str((group.get(condition) or {}).get("expression") or "")
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0


def _pauses(group: Mapping[str, Any]) -> bool:
    return (group.get("successAction") or {}).get("action") == "PAUSE"


def _decided(groups: list[dict[str, Any]], index: int, status: str) -> bool:
    """Tell whether a group need not be waited for any more."""
    group, later = groups[index], groups[index + 1 :]
    # one with a threshold of 0 has passed when it begins, not before
    passed = begun(group) and _passed(group)
    if passed and _pauses(group) and later and not any(map(begun, later)):
        # the server's scheduler comes round to it a moment later
        return status == "paused"
    return passed or group["status"] == "finished"


def _too_many_failed(group: Mapping[str, Any]) -> bool:
    """Tell whether a group, read with its counts, is over its error threshold.

    0.3.0 calls it finished where its last devices report between two looks of the server's scheduler.
    """
    counts = counts_of(group)
    over = counts.failed * 100 > _threshold(group, "errorCondition") * counts.selected
    return group["status"] == "error" or (group["status"] == "finished" and over)


def _why_broken(status: str, groups: list[dict[str, Any]], current: int | None, wanted: int | None) -> str | None:
    """Return why a rollout cannot reach its end, or the group that is waited for, by itself; None while it can.

    Args:
        status: of the rollout.
        groups: all of them; those of the two indexes with counts.
        current: the last one that has begun. A failure in an earlier one was forgiven by resuming.
        wanted: the one that is waited for.
    """
    for index in (wanted, current):
        if index is None:
            continue
        group, counts = groups[index], counts_of(groups[index])
        if _too_many_failed(group) and (index == wanted or status in ("paused", "finished")):
            # after the last group there is nothing left to pause: hawkBit calls the rollout finished
            paused = "hawkBit paused it because " if status == "paused" else ""
            return (
                f"{paused}{counts.failed} of the {counts.selected} devices of group '{group['name']}' failed, which is "
                f"more than its error_threshold of {_threshold(group, 'errorCondition'):g} %"
            )
        if group["status"] == "finished" and not _passed(group) and (index == wanted or index + 1 < len(groups)):
            return (
                f"only {counts.succeeded} of the {counts.selected} devices of group '{group['name']}' succeeded, which "
                f"is less than its success_threshold of {_threshold(group, 'successCondition'):g} %"
            )
    return None


def show(rollout: Mapping[str, Any], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the modules' results show of a rollout."""
    return {
        "id": str(rollout["id"]),
        "name": rollout["name"],
        "description": rollout.get("description"),
        "status": rollout["status"],
        "query": rollout.get("targetFilterQuery"),
        "distribution_set_id": str(rollout["distributionSetId"]),
        "assignment_type": rollout.get("type"),
        "weight": rollout.get("weight"),
        "dynamic": rollout.get("dynamic"),
        "approval_decided_by": rollout.get("approveDecidedBy"),
        "approval_remark": rollout.get("approvalRemark"),
        "start_at": iso_time(rollout.get("startAt")),
        "created_at": iso_time(rollout.get("createdAt")),
        "last_modified_at": iso_time(rollout.get("lastModifiedAt")),
        "counts": vars(counts_of(rollout)),
        "groups": [
            {
                "id": str(group["id"]),
                "name": group["name"],
                "status": group["status"],
                "dynamic": group.get("dynamic"),
                "last_modified_at": iso_time(group.get("lastModifiedAt")),
                "success_threshold": (group.get("successCondition") or {}).get("expression"),
                "error_threshold": (group.get("errorCondition") or {}).get("expression"),
                "counts": vars(counts_of(group, stopped=rollout["status"] in STOPPED)),
            }
            for group in groups
        ],
    }
