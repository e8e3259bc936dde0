# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hawkBit Management API: the server itself. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.errors import AuthFailed, BadAnswer, NotFound, Unsupported
from .._core.transport import Answer, Operation, Transport, reads
from . import rsql

ROOT = "/rest/v1"
# Larger values are cut down to this one without a word (all releases).
PAGE = 500
PARALLEL = 4
# Not even encoded do ids with these get through in an address (all releases).
_UNASKABLE = re.compile(r"[/\\;%\x00-\x1f\x7f]|^\.{1,2}$")

LIST_ACTIONS = reads("list actions", "GET", f"{ROOT}/actions")
READ_CONFIGURATION = reads("read the tenant configuration", "GET", f"{ROOT}/system/configs")
READ_USER = reads("read who is logged in", "GET", f"{ROOT}/userinfo")
COUNT_TARGETS = reads("count targets", "GET", f"{ROOT}/targets")

SEED, LEGACY, MODERN = "seed", "legacy", "modern"
CONFIGURATION_KEYS = {"multi.assignments.enabled": LEGACY, "action.cleanup.auto.expiry": MODERN}


def askable(controller_id: str) -> bool:
    """Tell whether an address can name this target; one that cannot is found in lists only."""
    return not _UNASKABLE.search(controller_id)


def _is_page(page: Mapping[str, Any]) -> bool:
    content = page.get("content")
    return (
        isinstance(content, list)
        and all(isinstance(item, dict) for item in content)
        and isinstance(page.get("total", 0), int)
    )


class Api:
    """The transport with what all resources of the Management API share.

    The generation decides how an action tells its state. There is no version endpoint, so it is told apart by
    what C(GET /actions) accepts: 0.3.0M7 and before do not have it (C(seed)), up to 0.9 it does not know the
    field C(active) (C(legacy)), from 0.10 on it does (C(modern)).
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._generation: str | None = None
        self.generation_evidence: str | None = None

    @property
    def check_mode(self) -> bool:
        """Whether writes are refused."""
        return self.transport.check_mode

    @property
    def generation(self) -> str:
        """The API generation: C(seed), C(legacy) or C(modern)."""
        if self._generation is None:
            self._generation, self.generation_evidence = self._detect()
        return self._generation

    def _detect(self) -> tuple[str, str]:
        probe = "GET /rest/v1/actions?q=active==true"
        try:
            answer = self._list(LIST_ACTIONS, query={"limit": 1, "q": "active==true"}, accept=(400, 404), shape=dict)
        except AuthFailed as error:
            if error.status == 401:
                raise
            # a user may read some keys only, so a missing one proves nothing
            configuration = self.transport.send(READ_CONFIGURATION, shape=dict).data
            for key, generation in CONFIGURATION_KEYS.items():
                if key in configuration:
                    return generation, f"the tenant configuration knows {key}"
            raise
        if answer.status == 404:
            # that alone may come from any server
            self.count(COUNT_TARGETS)
            return SEED, f"{probe} answers 404"
        if answer.status == 400:
            return LEGACY, f"{probe} answers 400"
        return MODERN, f"{probe} answers 200"

    def pages(
        self,
        operation: Operation,
        *,
        values: Mapping[str, Any] | None = None,
        query: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the objects of a paged list, in order.

        The first page tells the total; the others are fetched a few at a time.

        Args:
            operation: what to list.
            values: for its path.
            query: RSQL.
            sort: C(field:ASC), several separated by commas.
            limit: how many objects at most; None for all.
            parameters: further query parameters.
        """
        if limit is not None and limit <= 0:
            return
        size = PAGE if limit is None else min(PAGE, limit)

        def fetch(offset: int) -> dict[str, Any]:
            wanted = {"offset": offset, "limit": size, "q": query, "sort": sort, **(parameters or {})}
            answer = self._list(operation, values=values, query=wanted, shape=(dict, list))
            # some lists are not paged in some releases
            if isinstance(answer.data, list):
                return {"content": answer.data, "total": len(answer.data)}
            page: dict[str, Any] = answer.data
            if not _is_page(page):
                raise Unsupported(
                    f"Cannot {operation.title}: {self.transport.connection.host} answers, but not as a hawkBit server "
                    "does; check url.",
                    http={"method": operation.method, "path": operation.path, "status": answer.status},
                )
            return page

        first = fetch(0)
        yield from first["content"][:limit]
        stop = min(first.get("total", 0), limit if limit is not None else first.get("total", 0))
        # a server may have smaller pages than it is asked for
        size = len(first["content"]) or size
        offsets = range(size, stop, size)
        for page in _in_parallel(fetch, offsets):
            left = None if limit is None else limit - page["offset"]
            yield from page["content"][:left]

    def count(self, operation: Operation, *, values: Mapping[str, Any] | None = None, query: str | None = None) -> int:
        """Return how many objects a paged list has."""
        page = self._list(operation, values=values, query={"limit": 1, "q": query}, shape=dict).data
        if not isinstance(page.get("total"), int):
            raise Unsupported(f"{self.transport.connection.host} answers, but not as a hawkBit server does: check url.")
        return int(page["total"])

    def _list(self, operation: Operation, **options: Any) -> Answer:
        """Send an operation that lists; say it when what answers is not hawkBit, which always has these lists."""
        try:
            return self.transport.send(operation, **options)
        except BadAnswer as error:
            # the same error: a wait goes on after one
            error.msg = f"{self.not_hawkbit} {error.msg}"
            raise
        except NotFound as error:
            if "{" in operation.path or "errorCode" in error.details:
                raise
            raise Unsupported(
                f"url is '{self.transport.connection.url}', but no hawkBit Management API answers there "
                f"({self.transport.connection.host} answered {error.status} to {operation.path}): give the base "
                "address of a hawkBit server.",
                message=error.message,
                http=error.http,
            ) from error

    @property
    def not_hawkbit(self) -> str:
        """The sentence for a server that is something else."""
        return (
            f"url is '{self.transport.connection.url}', but what answers there does not behave like hawkBit: give the "
            "base address of a hawkBit server."
        )

    def exact(self, operation: Operation, wanted: Mapping[str, str], query: str) -> Iterator[dict[str, Any]]:
        """Yield the objects whose fields are exactly these: RSQL ignores case."""
        for item in self.pages(operation, query=query):
            if all(item.get(field) == value for field, value in wanted.items()):
                yield item

    def exists_key(self, name: str, version: str) -> str:
        """Return the query for a name and a version."""
        return rsql.both(rsql.equals("name", name), rsql.equals("version", version))


def _in_parallel(fetch: Callable[[int], dict[str, Any]], offsets: range) -> Iterator[dict[str, Any]]:
    """Yield pages in the order of their offsets, a few under way at a time."""
    if len(offsets) <= 1:
        for offset in offsets:
            yield {**fetch(offset), "offset": offset}
        return
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        for offset, page in zip(offsets, pool.map(fetch, offsets)):
            yield {**page, "offset": offset}
