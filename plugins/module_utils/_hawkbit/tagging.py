# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who bears which hawkBit tag: reading, planning, writing. Private to the collection.

Facts from releases 0.3.0M7, 0.3.0, 0.9.0 and 1.0.4 and the sources of those between. Giving a tag to many at once is a
POST of ids from 0.9 on, a PUT of ids in 0.6 to 0.8, and a POST of objects before; taking it from many came with 0.6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .._core.errors import FleetError, InvalidInput, Rejected
from .._core.transport import NOT_DONE, reads, writes
from . import rsql
from .api import PARALLEL, ROOT, Api

# Members of one request: a repeat stays cheap, and reading back fits into a few requests.
CHUNK = 500
# How many names a message lists.
SHOWN = 10

# id of what bears tags: text for targets, a number for distribution sets
Id = TypeVar("Id", str, int)


@dataclass
class TagPlan(Generic[Id]):
    """Who gets and who loses which tag, by the tag's name."""

    add: dict[str, list[Id]] = field(default_factory=dict)
    remove: dict[str, list[Id]] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.add or self.remove)

    def by_member(self) -> dict[Id, tuple[list[str], list[str]]]:
        """Return the names of the tags that each one loses and gets, sorted; for those that lose or get any."""
        found: dict[Id, tuple[list[str], list[str]]] = {}
        for side, changes in enumerate((self.remove, self.add)):
            for name in sorted(changes):
                for member in changes[name]:
                    found.setdefault(member, ([], []))[side].append(name)
        return found


@dataclass(frozen=True)
class TagWish(Generic[Id]):
    """What one object is to have of tags.

    Args:
        member: its id.
        tags: names that it is to have; None when it does not matter.
        absent: names that it is not to have.
        purge: whether it is to have no others than C(tags); does not count without these.
        new: whether it does not exist yet, and so has none.
    """

    member: Id
    tags: Sequence[str] | None = None
    absent: Sequence[str] = ()
    purge: bool = False
    new: bool = False

    @property
    def exclusive(self) -> bool:
        """Whether all tags that are not named are to go."""
        return self.purge and self.tags is not None


class Tagging(Generic[Id]):
    """The tags of one kind of object, and who bears them. Not for several threads.

    Args:
        api: where they are.
        noun: what bears them, in messages, such as C(target).
        collection: last part of the tags' path, such as C(targettags).
        field: the field of such an object that is its id.
        query_field: the same in RSQL.
        create_with: the module that makes such tags, with its options, for messages.
    """

    def __init__(self, api: Api, noun: str, collection: str, *, field: str, query_field: str, create_with: str) -> None:
        path = f"{ROOT}/{collection}/{{tag}}/assigned"
        self.api = api
        self.noun = noun
        self.field = field
        self.query_field = query_field
        self.create_with = create_with
        self.list_operation = reads(f"list {noun} tags", "GET", f"{ROOT}/{collection}")
        self.members_operation = reads(f"list {noun}s of tag", "GET", path)
        self.remove_one_operation = writes(f"take tag from {noun}", "DELETE", f"{path}/{{member}}")
        self.remove_operation = writes(f"take tag from {noun}s", "DELETE", path)
        post, put = (writes(f"give tag to {noun}s", method, path) for method in ("POST", "PUT"))
        # newest form first; the one that this server takes is left over
        self._forms = [(post, False), (put, False), (post, True)]
        # whether a tag can be taken from many at once, None when that is not known yet
        self._in_bulk: bool | None = None
        self._names: dict[str, int] | None = None

    @property
    def names(self) -> dict[str, int]:
        """All tags: ids by name."""
        if self._names is None:
            self._names = {str(tag["name"]): int(tag["id"]) for tag in self.api.pages(self.list_operation)}
        return self._names

    def members(self, name: str, among: Collection[Id] | None = None) -> set[Id]:
        """Return who bears a tag, among some or all."""
        # a few are asked for by id, many are cheaper to find in the whole list
        queries: list[str | None] = [None]
        if among is not None and len(among) <= CHUNK:
            queries = list(rsql.any_of(self.query_field, map(str, among)))
        found = set().union(*(self.found(name, query) for query in queries))
        return found if among is None else found & set(among)

    def found(self, name: str, query: str | None) -> set[Id]:
        """Return who bears a tag, of those that a query finds, None for all."""
        pages = self.api.pages(self.members_operation, values={"tag": self.names[name]}, query=query)
        return {item[self.field] for item in pages}

    def plan(self, wishes: Iterable[TagWish[Id]]) -> TagPlan[Id]:
        """Compare what is wanted with what there is: one list of tags, and one of the bearers of each that matters.

        Raises:
            InvalidInput: a tag that does not exist.
        """
        result: TagPlan[Id] = TagPlan()
        meant = [wish for wish in wishes if wish.tags is not None or wish.absent]
        if not meant:
            return result
        self._check(meant)
        # a tag that does not exist is absent already
        named = {name for one in meant for names in (one.tags or (), one.absent) for name in names} & self.names.keys()
        relevant = sorted(self.names if any(wish.exclusive for wish in meant) else named)
        there = {wish.member for wish in meant if not wish.new}
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            found = pool.map(lambda name: self.members(name, there) if there else set(), relevant)
            bearers: dict[str, set[Id]] = dict(zip(relevant, found))
        for wish in meant:
            wanted = set(wish.tags or ())
            for name in relevant:
                has = wish.member in bearers[name]
                if name in wanted and not has:
                    result.add.setdefault(name, []).append(wish.member)
                elif has and name not in wanted and (wish.exclusive or name in wish.absent):
                    result.remove.setdefault(name, []).append(wish.member)
        return result

    def _check(self, wishes: Iterable[TagWish[Id]]) -> None:
        missing = sorted({name for wish in wishes for name in wish.tags or ()} - self.names.keys())
        if not missing:
            return
        names = sorted(self.names)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        there = f"there are {', '.join(names[:SHOWN])}{more}" if names else "there are none at all"
        raise InvalidInput(
            f"tags has '{missing[0]}', but hawkBit has no such {self.noun} tag: {there}. Create it with "
            f"{self.create_with} first."
        )

    def apply(self, plan: TagPlan[Id]) -> None:
        """Carry out a plan: one request a tag and C(CHUNK) members, where the release has that.

        Raises:
            FleetError: what went wrong, with C(changed) when something had been written before.
        """
        written = False
        try:
            for work, changes in ((self._remove, plan.remove), (self._add, plan.add)):
                for name, members in changes.items():
                    for start in range(0, len(members), CHUNK):
                        work(name, members[start : start + CHUNK])
                        written = True
        except FleetError as error:
            error.result.setdefault("changed", written)
            raise

    def _add(self, name: str, members: list[Id]) -> None:
        def read_back() -> Any:
            return {} if self.members(name, members) == set(members) else NOT_DONE

        while True:
            operation, as_objects = self._forms[0]
            body = [{self.field: member} for member in members] if as_objects else members
            last = len(self._forms) == 1
            try:
                self.api.transport.send(operation, values={"tag": self.names[name]}, json=body, read_back=read_back)
            except Rejected as error:
                # the body is not what this release wants (400), or the method is not (405)
                if last or error.status not in (400, 405):
                    raise
            else:
                # an empty answer says nothing until a form is known to work
                if last or read_back() is not NOT_DONE:
                    del self._forms[1:]
                    return
            del self._forms[0]

    def _remove(self, name: str, members: list[Id]) -> None:
        values = {"tag": self.names[name]}

        def read_back() -> Any:
            return NOT_DONE if self.members(name, members) else {}

        if self._in_bulk is not False:
            answer = self.api.transport.send(
                self.remove_operation, values=values, json=members, accept=(405,), read_back=read_back
            )
            if self._in_bulk is None:
                self._in_bulk = answer.status != 405 and read_back() is not NOT_DONE
            if self._in_bulk:
                return
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            for _done in pool.map(lambda member: self._remove_one(name, member), members):
                pass

    def _remove_one(self, name: str, member: Id) -> None:
        def read_back() -> Any:
            return NOT_DONE if self.members(name, [member]) else {}

        values = {"tag": self.names[name], "member": member}
        # 404: the object itself is gone
        self.api.transport.send(self.remove_one_operation, values=values, accept=(404,), read_back=read_back)


def check(tags: Sequence[str] | None, absent: Sequence[str] | None, of: str = "") -> None:
    """Refuse what contradicts itself, before anything is written.

    Args:
        tags: the option C(tags), None when it is not given.
        absent: the option C(tags_absent).
        of: the object in messages, where the options are not those of the task itself.

    Raises:
        InvalidInput: names the option and what would be right.
    """
    both = sorted(set(tags or ()) & set(absent or ()))
    if both:
        label = f"tags of {of}" if of else "tags"
        raise InvalidInput(f"{label} and tags_absent both have '{both[0]}': give it in one of them.")


def target_tagging(api: Api) -> Tagging[str]:
    """Return the tags of targets."""
    return Tagging(
        api, "target", "targettags", field="controllerId", query_field="controllerid", create_with="hawkbit_tag"
    )


def distribution_set_tagging(api: Api) -> Tagging[int]:
    """Return the tags of distribution sets."""
    return Tagging(
        api,
        "distribution set",
        "distributionsettags",
        field="id",
        query_field="id",
        create_with="hawkbit_tag and kind=distribution_set",
    )
