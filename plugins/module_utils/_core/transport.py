# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for the platform clients. Private to the collection.

The contract: each operation is declared a read or a write. A read may be repeated freely. A write is repeated
only when it provably did not reach the server, or after a read-back has shown that it had no effect.

=====================================================  ======  =======================================
what happened                                          read    write
=====================================================  ======  =======================================
connection refused, TLS or proxy failure before        again   again
sending
429 that is not a quota error                          again   again
502, 503, 504, reset or timeout after sending, body    again   read back, then again or done; without
cut off or not what was promised                               a read-back an error
every other answer                                     final   final
=====================================================  ======  =======================================
"""

from __future__ import annotations

import json as jsonlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from .clock import Deadline, backoff, retry_after
from .connection import Connection
from .errors import (
    AuthFailed,
    BadAnswer,
    CheckModeWrite,
    Conflict,
    FleetError,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
    Unsupported,
)
from .multipart import MultipartFile
from .redact import Redactor
from .version import COLLECTION_VERSION

if TYPE_CHECKING:
    import requests

GATEWAY_TROUBLE = frozenset({502, 503, 504})
RATE_LIMIT_PAUSE = 1.0
# After a broken connection the server may still be at work: what a read-back does not find at once it may find
# a moment later.
SETTLE_PAUSES = (0.0, 0.5, 1.5)
MAX_BODY = 256 * 1024 * 1024
MAX_REDIRECTS = 5
EXCERPT = 200
HANDSHAKE = re.compile(
    r"(?i)handshake|wrong.version.number|unknown.protocol|unsupported.protocol|record.layer.failure|hostname"
)

MISSING_REQUESTS = (
    "The Python library requests is needed and {python} does not have it: install it for that interpreter, "
    "or set ansible_python_interpreter to one that has it."
)


@dataclass(frozen=True)
class Operation:
    """One call of an API.

    Args:
        title: verb and object for messages, such as C(create targets).
        method: HTTP method.
        path: template below the base address; the values of its braces are percent-encoded.
        writes: whether it changes something on the server. Not the method decides: some POSTs only read.
    """

    title: str
    method: str
    path: str
    writes: bool

    def url_path(self, **values: Any) -> str:
        """Return the path with its values filled in, each percent-encoded whole."""
        return self.path.format(**{name: quote(str(value), safe="") for name, value in values.items()})


def reads(title: str, method: str, path: str) -> Operation:
    """Declare an operation that changes nothing on the server."""
    return Operation(title, method, path, writes=False)


def writes(title: str, method: str, path: str) -> Operation:
    """Declare an operation that changes something on the server."""
    return Operation(title, method, path, writes=True)


@dataclass(frozen=True)
class Answer:
    """A successful answer: status, headers, and the parsed body (None when there was none)."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class NotDone:
    """What a read-back returns when it found that the write had no effect."""


NOT_DONE = NotDone()


@dataclass(frozen=True)
class Failure:
    """An answer that is an error, for the platform to judge."""

    operation: Operation
    status: int
    body: Any
    http: dict[str, Any]
    retry_after: float | None


@dataclass(frozen=True)
class Rules:
    """What a platform knows about its own errors.

    Args:
        is_quota: tells a permanent limit from a passing rate limit, for 429.
        error: makes the error of a final answer; None leaves it to the general rules.
        request_id_header: where the server tells the id of the request.
    """

    is_quota: Callable[[Failure], bool] = lambda failure: False
    error: Callable[[Failure], FleetError | None] = lambda failure: None
    request_id_header: str = "X-Request-Id"


class Transport:
    """Sends operations to one server, through one session.

    Args:
        connection: where to and how.
        check_mode: refuse writes.
        rules: the platform's own errors.
        redactor: knows the secrets of this task; credentials are added here.
        headers: sent with each request.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        check_mode: bool = False,
        rules: Rules | None = None,
        redactor: Redactor | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.connection = connection
        self.check_mode = check_mode
        self.rules = rules or Rules()
        self.redactor = redactor or Redactor()
        self.redactor.add(connection.password, connection.token)
        self.deadline = Deadline(None)
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._session: requests.Session | None = None

    # -- public ------------------------------------------------------------------------------------------------

    def send(
        self,
        operation: Operation,
        *,
        values: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        upload: Callable[[], MultipartFile] | None = None,
        accept: Iterable[int] = (),
        shape: type | tuple[type, ...] | None = None,
        read_back: Callable[[], Any] | None = None,
    ) -> Answer:
        """Send one operation, with the repeats that its kind allows.

        Args:
            operation: what to do.
            values: for the braces of the operation's path.
            query: query string; None values are left out.
            json: body, as JSON.
            upload: makes the multipart body, anew for each try.
            accept: error statuses to return instead of raising, such as 404.
            shape: the JSON type that the body must have; None when it does not matter (an empty one is then fine).
            read_back: for a write that may have been done: returns what the write would have answered when its
                effect is there, or NOT_DONE.

        Raises:
            FleetError: what became of it, ready for the user.
        """
        if operation.writes and self.check_mode:
            raise CheckModeWrite(f"Check mode must not {operation.title}: please report this defect.")
        path = operation.url_path(**(values or {}))
        query_string = urlencode({name: value for name, value in (query or {}).items() if value is not None})
        call = _Call(self, operation, path, query_string, json, upload, frozenset(accept), shape)
        return self._repeat(call, read_back)

    def close(self) -> None:
        """Close the session's connections."""
        if self._session is not None:
            self._session.close()
            self._session = None

    # -- repeats -----------------------------------------------------------------------------------------------

    def _repeat(self, call: _Call, read_back: Callable[[], Any] | None) -> Answer:
        # only pauses count: an upload may take longer than any number of quick requests
        patience = self.connection.patience
        maybe_done = False
        attempt = 0
        while True:
            attempt += 1
            try:
                return call.once()
            except RateLimited as error:
                patience -= self._pause_or_raise(error, attempt, patience, least=RATE_LIMIT_PAUSE)
            except Conflict:
                # the first try may have done it after all, unseen by the read-back
                done = read_back() if maybe_done and read_back else NOT_DONE
                if done is NOT_DONE:
                    raise
                return Answer(200, done)
            except Unreachable as error:
                if error.sent and call.operation.writes:
                    done = self._read_back(call, error, read_back)
                    if done is not NOT_DONE:
                        return Answer(200, done)
                    maybe_done = True
                if not error.transient:
                    raise
                patience -= self._pause_or_raise(error, attempt, patience)

    def _pause_or_raise(self, error: Unreachable, attempt: int, patience: float, least: float = 0.0) -> float:
        """Pause before the next try and return for how long; raise when there is none."""
        asked = error.details.get("retry_after")
        pause = backoff(attempt, asked, least)
        patience = min(patience, self.deadline.remaining())
        tries = 1 + self.connection.request_retries
        if isinstance(error, BadAnswer):
            # a page that is not JSON seldom gets better: a wrong address must not cost a quarter of a minute
            tries = min(2, tries)
        if attempt >= tries or pause > patience:
            if asked and asked > patience:
                error.msg += f" The server asks to wait {asked:.0f} seconds, which is longer than this task may take."
            elif attempt > 1:
                error.msg += f" {attempt} tries were made."
            raise error
        time.sleep(pause)
        return pause

    def _read_back(self, call: _Call, error: Unreachable, read_back: Callable[[], Any] | None) -> Any:
        """Return what the write has done, or NOT_DONE; raise when that cannot be found out."""
        if read_back is None:
            error.msg += " The server may have carried it out: look before you try again."
            raise error
        for pause in SETTLE_PAUSES:
            time.sleep(min(pause, self.deadline.remaining()))
            try:
                done = read_back()
            except FleetError as problem:
                error.msg += f" Reading back whether it was carried out failed too: {problem.msg}"
                raise error from problem
            if done is not NOT_DONE:
                return done
        return NOT_DONE

    # -- one request -------------------------------------------------------------------------------------------

    @property
    def session(self) -> requests.Session:
        """The one session of this task, made when it is needed first."""
        if self._session is None:
            try:
                import requests
            except ImportError as error:
                raise Unsupported(MISSING_REQUESTS.format(python=sys.executable)) from error
            self._session = requests.Session()
            self._session.headers.update(self._headers)
            self._session.headers["User-Agent"] = f"fleet.deploy/{COLLECTION_VERSION} (Ansible collection)"
        return self._session

    def authenticate(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the credentials on a request. Given to each one, so that requests never reads a .netrc file."""
        from requests.auth import HTTPBasicAuth

        connection = self.connection
        if connection.token:
            request.headers["Authorization"] = f"Bearer {connection.token}"
            return request
        if connection.username is not None and connection.password is not None:
            # bytes: requests would encode text as Latin-1 and fail on other characters
            HTTPBasicAuth(connection.username.encode(), connection.password.encode())(request)
        return request


class _Call:
    """One operation with all it needs to be sent, once or again."""

    def __init__(
        self,
        transport: Transport,
        operation: Operation,
        path: str,
        query: str,
        json: Any,
        upload: Callable[[], MultipartFile] | None,
        accept: frozenset[int],
        shape: type | tuple[type, ...] | None,
    ) -> None:
        self.transport = transport
        self.operation = operation
        self.path = path
        self.query = query
        self.json = json
        self.upload = upload
        self.accept = accept
        self.shape = shape

    def once(self) -> Answer:
        """Send it once; raise what became of it."""
        import requests

        url = f"{self.transport.connection.url}{self.path}" + (f"?{self.query}" if self.query else "")
        try:
            if self.upload is None:
                response = self._request(url)
            else:
                with self.upload() as body:
                    response = self._request(url, body)
            with response:
                raw = self._body(response)
        except requests.RequestException as error:
            raise self._broken(error) from error
        return self._judge(response, raw)

    def _request(self, url: str, body: MultipartFile | None = None) -> requests.Response:
        connection = self.transport.connection
        headers = {}
        data: Any = body
        if body is not None:
            headers["Content-Type"] = body.content_type
        elif self.json is not None:
            headers["Content-Type"] = "application/json"
            data = jsonlib.dumps(self.json, ensure_ascii=False).encode()
        first = url
        for _hop in range(MAX_REDIRECTS):
            # TLS options go with each request: REQUESTS_CA_BUNDLE would override what is set on the session
            response = self.transport.session.request(
                self.operation.method,
                url,
                data=data,
                headers=headers,
                auth=self.transport.authenticate if _may_see_credentials(url, first) else _no_credentials,
                timeout=max(0.001, min(connection.request_timeout, self.transport.deadline.remaining())),
                verify=connection.verify,
                cert=connection.cert,
                allow_redirects=False,
                stream=True,
            )
            if not response.is_redirect:
                return response
            response.close()
            location = urljoin(url, response.headers["Location"])
            if self.operation.writes or self.operation.method not in ("GET", "HEAD"):
                # a redirected write may be turned into a read, or sent twice
                raise Unsupported(
                    f"{self._subject()}: the server redirects to {_origin(location)}; set url to where it answers.",
                    http=self._http(response.status_code),
                )
            url = location
        raise BadAnswer(f"{self._subject()}: more than {MAX_REDIRECTS} redirects.", http=self._http(None))

    def _body(self, response: requests.Response) -> bytes:
        patience = self.transport.connection.patience
        deadline = self.transport.deadline.sooner(patience)
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(64 * 1024):
            chunks.append(chunk)
            size += len(chunk)
            if deadline.passed:
                raise Unreachable(
                    f"{self._subject()}: the answer did not end within {patience:g} seconds.",
                    http=self._http(response.status_code),
                )
            if size > MAX_BODY:
                raise BadAnswer(
                    f"{self._subject()}: the answer is larger than {MAX_BODY // 2**20} MiB.",
                    transient=False,
                    http=self._http(response.status_code),
                )
        return b"".join(chunks)

    def _judge(self, response: requests.Response, raw: bytes) -> Answer:
        status = response.status_code
        http = self._http(status)
        data, fault = _parse(raw, response.headers.get("Content-Type", ""))
        if status in self.accept:
            return Answer(status, data, response.headers)
        if status < 400:
            if fault is None and raw == b"" and self.shape is not None and status != 204:
                fault = "an empty body"
            if fault is None and data is not None and self.shape and not isinstance(data, self.shape):
                fault = f"JSON of another type ({type(data).__name__})"
            if fault is not None:
                raise BadAnswer(
                    f"{self._subject()}: {self.transport.connection.host} answered {status} with {fault}"
                    f"{self._excerpt(raw)}",
                    http=http,
                )
            return Answer(status, data, response.headers)
        failure = Failure(
            self.operation,
            status,
            self.transport.redactor.clean_data(data if fault is None else None),
            http,
            retry_after(response.headers.get("Retry-After")),
        )
        raise self._error(failure, self._excerpt(raw), response.headers.get(self.transport.rules.request_id_header))

    def _error(self, failure: Failure, excerpt: str, request_id: str | None) -> FleetError:
        host = self.transport.connection.host
        details = {} if failure.retry_after is None else {"retry_after": failure.retry_after}
        if failure.status == 429 and not self.transport.rules.is_quota(failure):
            return RateLimited(
                f"{self._subject()}: {host} answered 429, too many requests.",
                sent=False,
                http=failure.http,
                details=details,
            )
        if failure.status in GATEWAY_TROUBLE:
            return Unreachable(
                f"{self._subject()}: {host} answered {failure.status}{excerpt}", http=failure.http, details=details
            )
        error = self.transport.rules.error(failure) or _general_error(failure, self._subject(), host, excerpt)
        error.request_id = error.request_id or request_id
        return error

    def _broken(self, error: requests.RequestException) -> FleetError:
        """Turn a failure of the connection into an error that tells whether the request was sent."""
        import requests

        connection = self.transport.connection
        words = _reason(error)
        http = self._http(None)
        if isinstance(error, requests.exceptions.SSLError):
            untrusted = "certificate verify failed" in words.lower()
            hint = "; set ca_path to the authority that signed the server's certificate" if untrusted else ""
            return Unreachable(
                f"{self._subject()}: TLS with {connection.host} failed ({self.transport.redactor.clean(words)}){hint}.",
                # TLS can also break after the request went out: only what names the handshake came before
                sent=not (untrusted or HANDSHAKE.search(words)),
                transient=not untrusted,
                http=http,
            )
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
            return Unsupported(f"url is '{connection.url}', which cannot be used: {words}.", http=http)
        never_sent = isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError))
        never_sent = never_sent or "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
        if never_sent:
            what = f"{connection.host} cannot be reached ({words}); check url and the network."
        elif isinstance(error, requests.exceptions.Timeout):
            what = f"{connection.host} did not answer within {connection.request_timeout:g} seconds."
        else:
            what = f"the connection to {connection.host} broke ({words})."
        return Unreachable(f"{self._subject()}: {self.transport.redactor.clean(what)}", sent=not never_sent, http=http)

    def _subject(self) -> str:
        return f"Cannot {self.operation.title}"

    def _http(self, status: int | None) -> dict[str, Any]:
        path = self.transport.redactor.clean(self.path)
        return {"method": self.operation.method, "path": path, "status": status}

    def _excerpt(self, raw: bytes) -> str:
        """Return the first words of a body, with a colon before them, cleaned."""
        text = raw[: 64 * 1024].decode("utf-8", "replace")
        if "<" in text[:500]:
            text = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
        text = " ".join(self.transport.redactor.clean(text).split())
        if not text:
            return "."
        return f": {text[:EXCERPT]}{'…' if len(text) > EXCERPT else ''}"


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _may_see_credentials(url: str, first: str) -> bool:
    """Tell whether a redirect stays with the server that the credentials are for, an upgrade to TLS included."""
    here, there = urlsplit(first), urlsplit(url)
    upgrade = (here.scheme, here.port or 80, there.scheme, there.port or 443) == ("http", 80, "https", 443)
    return here.hostname == there.hostname and (upgrade or _origin(first) == _origin(url))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _parse(raw: bytes, content_type: str) -> tuple[Any, str | None]:
    """Return the body's JSON data and what is wrong with it, each or None."""
    if not raw.strip():
        return None, None
    try:
        return jsonlib.loads(raw), None
    except ValueError:
        kind = "HTML" if "html" in content_type or raw.lstrip()[:1] == b"<" else "a body that is not JSON"
        return None, f"{kind} instead of JSON"


def _general_error(failure: Failure, subject: str, host: str, excerpt: str) -> FleetError:
    message = f"{subject}: {host} answered {failure.status}{excerpt}"
    kinds: dict[int, type[FleetError]] = {
        401: AuthFailed,
        403: AuthFailed,
        404: NotFound,
        409: Conflict,
    }
    return kinds.get(failure.status, Rejected)(message, http=failure.http)


def _reason(error: BaseException) -> str:
    """Return the innermost words of a chain of wrapped exceptions, without object addresses."""
    seen: BaseException = error
    for _level in range(8):
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in reversed(seen.args) if isinstance(arg, BaseException)), None)
        if inner is None:
            break
        seen = inner
    text = str(seen) or type(seen).__name__
    return re.sub(r"<[^>]*>(, |: )?", "", text).strip().rstrip(".") or type(seen).__name__
