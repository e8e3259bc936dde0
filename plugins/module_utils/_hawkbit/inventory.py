# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit: what an inventory of all targets needs, in as few requests as the API allows. Private to the collection.

Nothing here returns a security token. What costs a request a target says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .._core.errors import FleetError, InvalidInput, NotFound
from .._core.transport import reads
from . import rsql
from .api import PARALLEL, ROOT, Api, askable
from .metadata import target_metadata
from .tagging import target_tagging
from .targets import Targets

ATTRIBUTES = reads("read attributes of target", "GET", f"{ROOT}/targets/{{controller_id}}/attributes")

ASSIGNED, INSTALLED = "assigned", "installed"
# kind -> the set of one target, the targets of one set
SETS = {
    kind: (
        reads(f"read {kind} distribution set of target", "GET", f"{ROOT}/targets/{{controller_id}}/{kind}DS"),
        reads(f"list targets with {kind} distribution set", "GET", f"{ROOT}/distributionsets/{{id}}/{kind}Targets"),
    )
    for kind in (ASSIGNED, INSTALLED)
}
ORDER = "controllerId:ASC"
# Hides the latency; what the server's rate filter refuses (200 reads a second) is repeated after a pause.
PARALLEL_TARGETS = 8
# targets may vanish meanwhile
GONE = (404,)
# hawkBit computes this moment from the polling time and the overdue time of the tenant.
OVERDUE = "lastcontrollerrequestat=le=${overdue_ts}"

Item = TypeVar("Item")
Result = TypeVar("Result")


class Inventory:
    """All targets that a query finds, with what belongs to them.

    Args:
        api: the server.
        query: RSQL; None for all targets.
    """

    def __init__(self, api: Api, query: str | None = None) -> None:
        self.api = api
        self.query = query
        self._targets = Targets(api)

    def targets(self) -> list[dict[str, Any]]:
        """Return the targets as the API has them, sorted by id.

        Raises:
            InvalidInput: the server does not understand the query.
            Unsupported: no hawkBit answers there.
        """
        try:
            found = list(self._targets.search(self.query, sort=ORDER))
        except InvalidInput as error:
            raise _blamed(error, f"query is '{self.query}'") from error
        except NotFound:
            # asks more, and says clearly that it is no hawkBit
            _generation = self.api.generation
            raise
        return sorted(found, key=lambda target: str(target["controllerId"]))

    def members(self, name: str, query: str) -> list[str]:
        """Return the ids of those targets that a further query finds too.

        Raises:
            InvalidInput: the server does not understand the query.
        """
        try:
            return sorted(self._ids(query))
        except InvalidInput as error:
            raise _blamed(error, f"groups_by_query has '{query}' for {name}") from error

    def overdue(self) -> list[str]:
        """Return the ids of the targets that should have called before now."""
        return sorted(self._ids(OVERDUE))

    def tags(self) -> dict[str, list[str]]:
        """Return the names of the tags by id of the targets that have some. One request a tag."""
        tagging = target_tagging(self.api)
        tags = sorted(tagging.names)
        found: dict[str, list[str]] = {}
        for tag, ids in zip(tags, in_parallel(lambda tag: tagging.found(tag, self.query), tags, PARALLEL)):
            for controller_id in ids:
                found.setdefault(controller_id, []).append(tag)
        return found

    def sets(
        self,
        kind: str,
        targets: Iterable[Mapping[str, Any]],
        described: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Return the distribution set by id of the targets that have one.

        There is no list that says so. One target that has a set is asked which, the set is asked for all its targets,
        and so on until each target's set is known: a few requests a set in use. Sets that were removed after use are
        found that way too, which no list of sets has.

        Args:
            kind: C(assigned) or C(installed).
            targets: those of C(targets()).
            described: makes a result of what the API tells about a set; C(id), C(name), C(version) and C(type) if not
                given.
        """
        described = described or _short
        of_target, of_set = SETS[kind]
        unknown = self._with_set(kind, targets)
        found: dict[str, dict[str, Any]] = {}

        def ask(controller_id: str) -> dict[str, Any] | None:
            if not askable(controller_id):
                return None
            answer = self.api.transport.send(of_target, values={"controller_id": controller_id}, accept=GONE)
            return answer.data if answer.status == 200 else None

        def members(id: int) -> list[str]:
            pages = self.api.pages(of_set, values={"id": id}, query=self.query)
            return [target["controllerId"] for target in pages]

        while unknown:
            # far apart: neighbours often have the same set
            asked = unknown[:: max(1, len(unknown) // PARALLEL)][:PARALLEL]
            answers = dict(zip(asked, in_parallel(ask, asked, PARALLEL)))
            sets = {answer["id"]: described(answer) for answer in answers.values() if answer}
            for id, ids in zip(sets, in_parallel(members, list(sets), PARALLEL)):
                found.update(dict.fromkeys(ids, sets[id]))
            for controller_id, answer in answers.items():
                if answer:
                    # also when the target has got another set in between
                    found[controller_id] = sets[answer["id"]]
            done = found.keys() | answers.keys()
            unknown = [controller_id for controller_id in unknown if controller_id not in done]
        return found

    def attributes(self, ids: Iterable[str], keep: Collection[str] = ()) -> dict[str, dict[str, str]]:
        """Return what the devices say about themselves, by id. One request a target.

        Args:
            ids: of the targets.
            keep: names of the attributes that are wanted; empty for all.
        """

        def read(controller_id: str) -> dict[str, str]:
            if not askable(controller_id):
                return {}
            # 204 when there are none
            answer = self.api.transport.send(ATTRIBUTES, values={"controller_id": controller_id}, accept=GONE)
            found = answer.data if answer.status == 200 and isinstance(answer.data, dict) else {}
            return {name: value for name, value in found.items() if not keep or name in keep}

        wanted = list(ids)
        return dict(zip(wanted, in_parallel(read, wanted, PARALLEL_TARGETS)))

    def metadata(self, ids: Iterable[str], query: str | None = None) -> dict[str, dict[str, str]]:
        """Return the metadata by id. One request a target.

        Args:
            ids: of the targets.
            query: RSQL, which releases up to 0.8 answer, and newer ones ignore.
        """

        metadata = target_metadata(self.api)

        def read(controller_id: str) -> dict[str, str]:
            if not askable(controller_id):
                return {}
            try:
                return metadata.read(controller_id, query, sort="key:ASC")
            except NotFound:
                return {}

        wanted = list(ids)
        return dict(zip(wanted, in_parallel(read, wanted, PARALLEL_TARGETS)))

    def _ids(self, query: str) -> set[str]:
        both = rsql.both(self.query or "", query)
        return {target["controllerId"] for target in self._targets.search(both, sort=ORDER)}

    def _with_set(self, kind: str, targets: Iterable[Mapping[str, Any]]) -> list[str]:
        if kind == INSTALLED:
            return [target["controllerId"] for target in targets if target.get("installedAt")]
        return sorted(self._ids("assignedds.name==*"))


def _blamed(error: FleetError, option: str) -> InvalidInput:
    """Return the error of a refused query as one that names the option."""
    words = error.message.rstrip(".")
    return InvalidInput(
        f"{option}, which hawkBit refuses ({words}): see the chapter on queries of hawkBit's documentation.",
        message=error.message,
        details=error.details,
        http=error.http,
    )


def _short(distribution_set: Mapping[str, Any]) -> dict[str, Any]:
    return {name: distribution_set.get(name) for name in ("name", "version", "type")} | {
        "id": str(distribution_set["id"])
    }


def in_parallel(work: Callable[[Item], Result], items: Collection[Item], workers: int) -> list[Result]:
    """Return the results in the order of the items. The first failure ends it: what has not begun never begins."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(work, items))
