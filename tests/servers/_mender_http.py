"""What all interfaces of the simulated Mender server share: errors, JSON as Go writes it, pages, routes, bodies."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

PAGE_SIZE = 20
PAGE_MAXIMUM = 500
CHUNK = 256 * 1024
JSON_TYPE = "application/json; charset=utf-8"
MULTIPART = ("multipart/form-data", "multipart/mixed")
FORM_VALUE_LIMIT = 1024 * 1024
# Go's encoder escapes these
_ESCAPED = {ord("&"): "\\u0026", ord("<"): "\\u003c", ord(">"): "\\u003e"}


class Refusal(Exception):
    """An error answer. `more` are further keys of its body; without `identified` it has no request_id."""

    def __init__(self, status: int, error: str, *, identified: bool = True, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.identified = identified
        self.more = more


class Drop(Exception):
    """The handler panics: the connection is closed without an answer."""


def not_found() -> Refusal:
    """404 for an object that is not there."""
    return Refusal(404, "Resource not found")


def dumps(value: Any) -> str:
    """JSON as Go's encoder writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPED)


def stamp(moment: float) -> str:
    """Seconds since the epoch as Go writes a time that was stored in milliseconds: no zeros at its end."""
    text = datetime.fromtimestamp(round(moment, 3), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"


def new_id() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Whether the server takes it for a UUID."""
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def need_uuid(text: str) -> str:
    """The id, if it is a UUID; 400 otherwise."""
    if not is_uuid(text):
        raise Refusal(400, "ID is not a valid UUID")
    return text


@dataclass
class Answer:
    """An answer; `body` None has none, str and bytes are sent as they are, all else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    content_type: str = JSON_TYPE

    def response(self, request_id: str) -> web.Response:
        """The answer for aiohttp."""
        headers = CIMultiDict({**self.headers, "X-Men-Requestid": request_id, "Content-Type": self.content_type})
        for link in self.links:
            headers.add("Link", link)
        body = self.body
        if body is not None and not isinstance(body, (str, bytes)):
            body = dumps(body)
        text = body.encode() if isinstance(body, str) else body
        return web.Response(status=self.status, body=text, headers=headers)


def error_answer(refusal: Refusal, request_id: str) -> Answer:
    """The body of an error."""
    body = {"error": refusal.error}
    if refusal.identified:
        body["request_id"] = request_id
    return Answer(refusal.status, body | refusal.more)


class Call:
    """One request on its way to a handler. `user` or `device` is who the token says asks."""

    def __init__(self, request: web.BaseRequest, limit: int | None) -> None:
        self.request = request
        self.method = request.method
        self.raw_path, _sign, query = request.raw_path.partition("?")
        self.query: dict[str, list[str]] = parse_qs(query, keep_blank_values=True)
        self.request_id = request.headers.get("X-Men-Requestid") or new_id()
        self.parameters: dict[str, str] = {}
        self.user = ""
        self.device = ""
        self._limit = limit

    def __getitem__(self, name: str) -> str:
        """A parameter of the path."""
        return self.parameters[name]

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter of the query."""
        return self.query.get(name, [default])[0]

    def number(self, name: str) -> int | None:
        """A parameter of the query that is a number; None without it or if it is none."""
        text = self.get(name)
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else None

    async def read(self) -> bytes:
        """The whole body; 413 over the limit."""
        body = bytearray()
        async for chunk in self.request.content.iter_any():
            body += chunk
            if self._limit is not None and len(body) > self._limit:
                raise Refusal(413, "request body too large")
        return bytes(body)

    async def json(self, kind: type[Any] = dict, checked: bool = True) -> Any:
        """The body as JSON of a kind; 415 for another content type (if `checked`), 400 for another body."""
        if checked and self.request.body_exists and self.request.content_type != "application/json":
            raise Refusal(415, "Bad Content-Type, expected 'application/json'")
        text = await self.read()
        if not text.strip():
            raise Refusal(400, "EOF")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Refusal(400, f"invalid character in JSON: {error}") from None
        if not isinstance(found, kind):
            name = "object" if isinstance(found, dict) else "array" if isinstance(found, list) else "value"
            raise Refusal(400, f"json: cannot unmarshal {name} into Go value")
        return found

    async def parts(self) -> AsyncIterator[BodyPartReader]:
        """The parts of a multipart body, one after the other; what is not read of one is skipped."""
        if self.request.content_type not in MULTIPART:
            raise Refusal(415, "Bad Content-Type, expected 'multipart/form-data', 'multipart/mixed'")
        try:
            reader = MultipartReader(self.request.headers, self.request.content)
            while True:
                part = await reader.next()
                if part is None:
                    return
                if isinstance(part, BodyPartReader):
                    yield part
        except (ValueError, AssertionError, HttpProcessingError) as error:
            raise Refusal(400, f"multipart: {error}") from None


async def form_value(part: BodyPartReader) -> str:
    """The text of a part that is no file."""
    text = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        text += chunk
        if len(text) > FORM_VALUE_LIMIT:
            raise Refusal(400, f"failed to read form value '{part.name}': stream too large")
    return text.decode("utf-8", "replace")


def typed(body: Mapping[str, Any], kinds: Mapping[str, type[Any] | tuple[type[Any], ...]]) -> None:
    """Refuse what Go cannot decode: a value of another type than the field's. null counts as missing."""
    for name, kind in kinds.items():
        value = body.get(name)
        wrong = value is not None and not isinstance(value, kind)
        if wrong or (isinstance(value, bool) and kind is int):
            found = type(value).__name__.replace("str", "string").replace("int", "number").replace("dict", "object")
            raise Refusal(400, f"json: cannot unmarshal {found} into Go struct field {name}")


@dataclass
class Page:
    """Which page of a list is asked for."""

    number: int
    size: int

    def cut(self, items: list[Any]) -> list[Any]:
        """The items of the page."""
        start = (self.number - 1) * self.size
        return items[start : start + self.size]


def _bounds(call: Call, name: str, default: int, maximum: int | None, new: bool) -> int:
    if not call.get(name):
        return default
    value = call.number(name)
    if value is None:
        raise Refusal(400, f'invalid {name} query: "{call.get(name)}"' if new else f"Param {name} is not a number")
    if value < 1 or (maximum is not None and value > maximum):
        if not new:
            raise Refusal(400, f"Param {name} is out of bounds")
        above = value > 0 and maximum == PAGE_MAXIMUM
        about = f"invalid {name} query: value must be a non-zero positive integer"
        raise Refusal(400, f'parameter "{name}" above limit (max: {maximum})' if above else about)
    return value


def page_of(call: Call, *, new: bool, maximum: int | None = PAGE_MAXIMUM) -> Page:
    """The page that is asked for; 400 when it is out of bounds. `new`: the texts of 4.1."""
    return Page(_bounds(call, "page", 1, None, new), _bounds(call, "per_page", PAGE_SIZE, maximum, new))


def lenient_page(call: Call) -> Page:
    """The page that is asked for; whatever is out of bounds is replaced without a word."""
    number, size = call.number("page") or 1, call.number("per_page") or PAGE_SIZE
    return Page(max(number, 1), size if 0 < size <= PAGE_MAXIMUM else PAGE_SIZE)


def page_links(call: Call, page: Page, more: bool, *, last: int | None = None) -> list[str]:
    """The links to other pages; `last` is the number of the last page, where the server tells it."""

    def link(number: int, name: str) -> str:
        query = {**call.query, "page": [str(number)], "per_page": [str(page.size)]}
        return f'<{call.raw_path}?{urlencode(sorted(query.items()), doseq=True)}>; rel="{name}"'

    links = [link(page.number - 1, "prev")] if page.number > 1 else []
    if more:
        links.append(link(page.number + 1, "next"))
    links.append(link(1, "first"))
    if last is not None:
        links.append(link(last, "last"))
    return links


def paged(call: Call, page: Page, items: list[Any], *, new: bool, total: bool = True) -> Answer:
    """One page of a complete list, with links and, if `total`, the number of all items."""
    count = len(items)
    last = (count - 1) // page.size + 1 if new and total and count else None
    links = page_links(call, page, count > page.number * page.size, last=last)
    return Answer(body=page.cut(items), headers={"X-Total-Count": str(count)} if total else {}, links=links)


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """A method and a path with {names}, and who may ask: "user", "device", "login" or "" (anybody)."""

    method: str
    path: str
    handler: Handler
    who: str = "user"


class Router:
    """Finds the handler of a request: literal parts of a path win over {names}."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._paths: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in routes:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
            self._paths.setdefault(route.path, (re.compile(pattern), {}))[1][route.method] = route
        self._literal = {path: methods for path, (_pattern, methods) in self._paths.items() if "{" not in path}
        self._patterns = [entry for path, entry in sorted(self._paths.items(), key=_names_last) if "{" in path]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the parameters in the path; 405 if the path knows other methods only, else 404."""
        known = False
        if path in self._literal:
            known = True
            if method in self._literal[path]:
                return self._literal[path][method], {}
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            known = True
            if method in methods:
                return methods[method], {name: unquote(text) for name, text in match.groupdict().items()}
        if known:
            raise Refusal(405, "Method not allowed", identified=False)
        raise Refusal(404, "Resource not found", identified=False)


def _names_last(entry: tuple[str, Any]) -> list[tuple[bool, str]]:
    return [(part.startswith("{"), part) for part in entry[0].split("/")]
