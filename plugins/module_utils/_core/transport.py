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
anything was sent
429 that is not a quota error                          again   again
502, 503, 504, reset or timeout after sending, body    again   read back, then again or done; without
cut off or not what was promised                               a read-back an error
every other answer                                     final   final; after a repeat it is read back
                                                               first, for the try before may have done it
certificate not trusted, no TLS at that port           final   final
=====================================================  ======  =======================================

Whether a request was sent is not guessed from the exception but noted by the connection, see C(wire). All repeats of
an operation share one deadline, C(Connection.patience); the sending of a body and reading back do not count.
"""

from __future__ import annotations

import base64
import contextlib
import json as jsonlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit
from urllib.request import getproxies

from .clock import Deadline, backoff, retry_after
from .connection import Connection
from .errors import (
    AuthFailed,
    BadAnswer,
    CheckModeWrite,
    ConcurrentChange,
    Conflict,
    FleetError,
    InvalidInput,
    NotFound,
    RateLimited,
    Rejected,
    ServerFault,
    Unreachable,
    Unsupported,
)
from .multipart import MultipartFile
from .redact import MASK, Redactor
from .version import COLLECTION_VERSION
from .wire import Passage, new_passage, watched_session

if TYPE_CHECKING:
    import requests

GATEWAY_TROUBLE = frozenset({502, 503, 504})
RATE_LIMIT_PAUSE = 1.0
# After a broken connection the server may still be at work: what a read-back does not find at once it may find
# a moment later.
SETTLE_PAUSES = (0.0, 0.5, 1.5)
# After a timeout it very likely still is.
SETTLE_PAUSES_SLOW = (*SETTLE_PAUSES, 3.0)
# A server answers an upload when it has checked and stored the file: so many bytes a second, on a slow one.
STORE_RATE = 10 * 1024 * 1024
MAX_BODY = 256 * 1024 * 1024
MAX_REDIRECTS = 5
# scheme and port of a request and of the redirect that takes it to TLS
UPGRADE = ("http", 80, "https", 443)
EXCERPT = 200
# A field of JSON, perhaps cut off, whose value is nobody's business: the redactor does not know other people's tokens.
SECRET_FIELD = re.compile(
    r'(?i)("[^"]*(?:token|password|passphrase|secret|credential|authorization|api_?key|private_?key)[^"]*"\s*:\s*)'
    r'(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|[^\s,}\]"]+)'
)
WRONG_NAME = re.compile(r"(?i)(hostname|ip address) mismatch|doesn't match|not valid for")
WRONG_TIME = re.compile(r"(?i)expired|not yet valid")
NO_TLS = re.compile(r"(?i)wrong.version.number|unknown.protocol|http.request|record.layer.failure|packet.length")
# what a server answers in its part of the handshake, in TLS 1.3 after the request has gone out
REFUSED_CERTIFICATE = re.compile(
    r"(?i)alert.(bad.certificate|unsupported.certificate|certificate|unknown.ca|handshake.failure|access.denied)"
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
        """Return the path with its values filled in, each percent-encoded whole.

        Raises:
            InvalidInput: a value that would make it the path of another object.
        """
        for name, value in values.items():
            # dots are taken out of a path on its way, also when they are encoded
            if str(value) in ("", ".", ".."):
                raise InvalidInput(f"Cannot {self.title}: {name} is '{value}', which cannot stand in an address.")
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


class Text(str):
    """A body that is text and no JSON."""

    __slots__ = ()


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
        headers: sent with each request to this server.
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
        if connection.password:
            self.redactor.add(base64.b64encode(f"{connection.username}:{connection.password}".encode()).decode())
        self.headers = {"Accept": "application/json", **(headers or {})}
        self._session: requests.Session | None = None
        self._lock = threading.Lock()

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
        work: float = 0.0,
    ) -> Answer:
        """Send one operation, with the repeats that its kind allows.

        Args:
            operation: what to do.
            values: for the braces of the operation's path.
            query: query string; None values are left out, lists repeat their name.
            json: body, as JSON.
            upload: makes the multipart body, anew for each try.
            accept: error statuses to return instead of raising, such as 404.
            shape: the JSON type that the body must have; None when it does not matter (an empty one is then fine);
                C(Text) for a body that is text and no JSON.
            read_back: for a write that may have been done: returns what the write would have answered when its
                effect is there, or NOT_DONE.
            work: seconds that the server may need beyond the request timeout, since many objects are concerned.

        Raises:
            FleetError: what became of it, ready for the user.
        """
        if operation.writes and self.check_mode:
            raise CheckModeWrite(f"Check mode must not {operation.title}: please report this defect.")
        try:
            path = operation.url_path(**(values or {}))
            given = {name: value for name, value in (query or {}).items() if value is not None}
            query_string = urlencode(given, doseq=True)
            body = None if json is None else jsonlib.dumps(json, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            why = "text that is not UTF-8" if isinstance(error, UnicodeError) else "a number that JSON does not have"
            raise InvalidInput(f"Cannot {operation.title}: a value holds {why}.") from None
        call = _Call(self, operation, path, query_string, body, upload, frozenset(accept), shape, work)
        return self._repeat(call, read_back)

    @contextlib.contextmanager
    def open(
        self, operation: Operation, path: str, query: str, *, headers: Mapping[str, str], accept: Iterable[int]
    ) -> Iterator[requests.Response]:
        """Open a file for reading block by block, for as long as blocks come. There are no repeats.

        Args:
            operation: what to do, for messages; only reads.
            path: where the file is below the base address, encoded.
            query: query string, encoded.
            headers: sent with the request.
            accept: error statuses that do not raise.

        Raises:
            FleetError: no answer, or one that is an error; also from the body of the C(with) statement, when the
                connection breaks while it reads.
        """
        call = _Call(self, operation, path, query, None, None, frozenset(accept), None, 0.0)
        with call.opened(headers) as response:
            yield response

    def close(self) -> None:
        """Close the session's connections."""
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None

    # -- repeats -----------------------------------------------------------------------------------------------

    def _repeat(self, call: _Call, read_back: Callable[[], Any] | None) -> Answer:
        maybe_done = False
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = call.once()
                if answer.status < 400 or not maybe_done:
                    return answer
                done = self._look_again(read_back)
                return answer if done is NOT_DONE else Answer(200, done)
            except RateLimited as error:
                self._pause_or_raise(call, error, attempt, least=RATE_LIMIT_PAUSE)
            except Unreachable as error:
                if error.sent and call.operation.writes:
                    done = self._read_back(call, error, read_back)
                    if done is not NOT_DONE:
                        return Answer(200, done)
                    maybe_done = True
                    error.msg += " Reading back has shown that it was not carried out."
                if not error.transient:
                    raise
                self._pause_or_raise(call, error, attempt)
            except FleetError as error:
                # the try before, or whoever came first, may have done it: it exists now, is gone, is locked
                again = isinstance(error, ConcurrentChange) and read_back is not None
                done = self._look_again(read_back) if maybe_done or again else NOT_DONE
                if done is not NOT_DONE:
                    return Answer(200, done)
                if not again:
                    raise
                self._pause_or_raise(call, error, attempt)

    def _pause_or_raise(self, call: _Call, error: FleetError, attempt: int, least: float = 0.0) -> None:
        """Pause before the next try; raise when there is none."""
        asked = error.details.get("retry_after")
        pause = backoff(attempt, asked, least)
        patience = call.deadline.remaining()
        tries = 1 + self.connection.request_retries
        if isinstance(error, (BadAnswer, ServerFault)):
            # what is not JSON, or fails by itself, seldom gets better: it must not cost a quarter of a minute
            tries = min(2, tries)
        if attempt >= tries or pause > patience:
            if asked and asked > patience:
                error.msg += f" The server asks to wait {asked:.0f} seconds, which is longer than this task may take."
            elif attempt > 1:
                error.msg += f" {attempt} tries were made."
            raise error
        time.sleep(pause)

    def _read_back(self, call: _Call, error: Unreachable, read_back: Callable[[], Any] | None) -> Any:
        """Return what the write has done, or NOT_DONE; raise when that cannot be found out."""
        if read_back is None:
            error.msg += " The server may have carried it out: look before you try again."
            raise error
        began = time.monotonic()
        slow = isinstance(error, _TimedOut) or error.status == 504
        for pause in SETTLE_PAUSES_SLOW if slow else SETTLE_PAUSES:
            time.sleep(pause)
            try:
                done = read_back()
            except FleetError as problem:
                error.msg += f" Reading back whether it was carried out failed too: {problem.msg}"
                raise error from problem
            if done is not NOT_DONE:
                return done
        call.deadline.extend(time.monotonic() - began)
        return NOT_DONE

    def _look_again(self, read_back: Callable[[], Any] | None) -> Any:
        """Return what a write has done that may have been carried out by an earlier try, or NOT_DONE."""
        try:
            return NOT_DONE if read_back is None else read_back()
        except FleetError:
            return NOT_DONE

    # -- one request -------------------------------------------------------------------------------------------

    @property
    def session(self) -> requests.Session:
        """The one session of this task, made when it is needed first."""
        with self._lock:
            if self._session is None:
                self._session = self._new_session()
            return self._session

    def _new_session(self) -> requests.Session:
        try:
            session = watched_session()
        except ImportError:
            raise Unsupported(MISSING_REQUESTS.format(python=sys.executable)) from None
        session.headers["User-Agent"] = f"fleet.deploy/{COLLECTION_VERSION} (Ansible collection)"
        if not self.connection.validate_certs:
            import urllib3

            # the user has decided so: no warning with each request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.redactor.add(*_proxy_passwords())
        _check_proxy(self.connection.url)
        return session

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


class _TimedOut(Unreachable):
    """No answer in time: the server may still be at work."""


class _Call:
    """One operation with all it needs to be sent, once or again."""

    def __init__(
        self,
        transport: Transport,
        operation: Operation,
        path: str,
        query: str,
        body: bytes | None,
        upload: Callable[[], MultipartFile] | None,
        accept: frozenset[int],
        shape: type | tuple[type, ...] | None,
        work: float,
    ) -> None:
        self.transport = transport
        self.operation = operation
        self.path = path
        self.query = query
        self.body = body
        self.upload = upload
        self.accept = accept
        self.shape = shape
        self.work = work
        self.silence = transport.connection.request_timeout
        self.deadline = Deadline(transport.connection.patience)

    def once(self) -> Answer:
        """Send it once; raise what became of it."""
        session = self.transport.session
        import requests
        import urllib3

        url = f"{self.transport.connection.url}{self.path}" + (f"?{self.query}" if self.query else "")
        passage = new_passage(self.deadline)
        try:
            if self.upload is None:
                self._allow_for(self.work)
                response = self._request(session, url, self.body, "application/json")
            else:
                with self.upload() as body:
                    self._allow_for(len(body) / STORE_RATE)
                    response = self._request(session, url, body, body.content_type)
            with response:
                raw = self._body(response)
        # "from None": their texts hold addresses and headers, which tracebacks would show
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._broken(error, passage) from None
        except OSError as error:
            raise self._unusable_files(error) from None
        return self._judge(response, raw)

    @contextlib.contextmanager
    def opened(self, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """Send it once and leave the body to be read."""
        session = self.transport.session
        import requests
        import urllib3

        self.deadline = Deadline(None)
        url = f"{self.transport.connection.url}{self.path}" + (f"?{self.query}" if self.query else "")
        passage = new_passage(self.deadline)
        try:
            with self._request(session, url, None, "", headers) as response:
                if response.status_code >= 300 and response.status_code not in self.accept:
                    self._judge(response, self._body(response))
                yield response
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._broken(error, passage) from None
        except OSError as error:
            raise self._unusable_files(error) from None

    def _allow_for(self, extra: float) -> None:
        """Wait so many seconds longer for the answer: giving up early would mean to ask for it all once more."""
        self.silence = self.transport.connection.request_timeout + extra
        self.deadline.extend(extra)

    def _request(
        self,
        session: requests.Session,
        url: str,
        data: bytes | MultipartFile | None,
        content_type: str,
        others: Mapping[str, str] | None = None,
    ) -> requests.Response:
        transport, connection = self.transport, self.transport.connection
        headers = {**transport.headers, **(others or {})}
        if data is not None:
            headers["Content-Type"] = content_type
        first = url
        hops = 0
        while True:
            ours = _may_see_credentials(url, first)
            left = self.deadline.remaining()
            # TLS options go with each request: REQUESTS_CA_BUNDLE would override what is set on the session
            response = session.request(
                self.operation.method,
                url,
                data=data if ours else None,
                headers=headers if ours else {"Accept": headers["Accept"]},
                auth=transport.authenticate if ours else _no_credentials,
                # to connect and to send a block, to wait for the answer
                timeout=(max(0.001, min(connection.request_timeout, left)), max(0.001, min(self.silence, left))),
                verify=connection.verify,
                cert=connection.cert if ours else None,
                allow_redirects=False,
                stream=True,
            )
            if not response.is_redirect:
                return response
            response.close()
            location = _absolute(url, response.headers["Location"])
            if location is None or hops == MAX_REDIRECTS:
                fault = f"more than {MAX_REDIRECTS} redirects" if location else "a redirect to nowhere"
                raise BadAnswer(
                    f"{self._subject()}: {connection.host} answered with {fault}.",
                    transient=False,
                    http=self._http(response.status_code),
                )
            if self.operation.writes or self.operation.method not in ("GET", "HEAD"):
                # a redirected write may be turned into a read, or sent twice
                raise Unsupported(
                    f"{self._subject()}: the server redirects to {transport.redactor.clean(_origin(location))}; "
                    "set url to where it answers.",
                    http=self._http(response.status_code),
                )
            url = location
            hops += 1

    def _body(self, response: requests.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(64 * 1024):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                raise BadAnswer(
                    f"{self._subject()}: the answer is larger than {MAX_BODY // 2**20} MiB.",
                    transient=False,
                    http=self._http(response.status_code),
                )
        promised = response.headers.get("Content-Length", "")
        got = response.raw.tell()
        # urllib3 1.26 does not look
        if promised.isdigit() and got < int(promised) and self.operation.method != "HEAD":
            raise Unreachable(
                f"{self._subject()}: the answer was cut off after {got} of {promised} bytes.",
                http=self._http(response.status_code),
            )
        return b"".join(chunks)

    def _judge(self, response: requests.Response, raw: bytes) -> Answer:
        status = response.status_code
        parse = _parse_text if self.shape is Text and status < 400 else _parse
        data, fault = parse(raw, response.headers.get("Content-Type", ""))
        if status in self.accept:
            return Answer(status, data, response.headers)
        if status < 400:
            if status >= 300:
                fault = "a redirect to nowhere"
            elif fault is None and self.shape is not None and status != 204:
                if not raw.strip():
                    fault = "an empty body"
                elif not isinstance(data, self.shape):
                    fault = f"JSON of another type ({type(data).__name__})"
            if fault is not None:
                raise BadAnswer(
                    f"{self._subject()}: {self.transport.connection.host} answered {status} with {fault}"
                    f"{self._excerpt(raw)}",
                    http=self._http(status),
                )
            return Answer(status, data, response.headers)
        failure = Failure(
            self.operation,
            status,
            self.transport.redactor.clean_data(data if fault is None else None),
            self._http(status),
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
        if failure.status == 500 and not failure.operation.writes:
            error = ServerFault(
                error.msg,
                message=error.message,
                details=error.details,
                http=error.http,
                request_id=error.request_id,
            )
        if request_id and not error.request_id:
            error.request_id = self.transport.redactor.clean(request_id)[:EXCERPT]
        return error

    def _broken(self, error: Exception, passage: Passage) -> FleetError:
        """Turn a failure of the connection into an error that tells whether the request was sent."""
        import requests
        import urllib3

        connection = self.transport.connection
        words = self.transport.redactor.clean(_reason(error))
        http = self._http(None)
        kind: type[Unreachable] = Unreachable
        if isinstance(error, requests.exceptions.SSLError):
            return self._broken_tls(words, passage)
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
            return Unsupported(
                f"{self._subject()}: url is '{connection.url}', which cannot be used: {words}.", http=http
            )
        if not passage.sent:
            way, check = "", "url"
            if isinstance(error, requests.exceptions.ProxyError):
                way, check = " through the proxy", "the proxy in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY)"
            what = f"{connection.host} cannot be reached{way} ({words}); check {check} and the network."
        elif self.deadline.passed:
            kind = _TimedOut
            what = f"{connection.host} did not finish its answer within {connection.patience:g} seconds."
        elif any(isinstance(link, (requests.Timeout, urllib3.exceptions.TimeoutError)) for link in _links(error)):
            kind = _TimedOut
            what = f"{connection.host} did not answer within {round(self.silence, 2):g} seconds."
        else:
            what = f"the connection to {connection.host} broke ({words})."
        return kind(f"{self._subject()}: {what}", sent=passage.sent, http=http)

    def _broken_tls(self, words: str, passage: Passage) -> Unreachable:
        sent, transient, hint = passage.sent, False, ""
        if "certificate verify failed" in words.lower() or WRONG_NAME.search(words):
            if WRONG_NAME.search(words):
                hint = "; put the name that the certificate is for into url"
            elif not WRONG_TIME.search(words):
                hint = "; set ca_path to the authority that signed the server's certificate"
        elif REFUSED_CERTIFICATE.search(words):
            sent, hint = False, "; the server may want another certificate: check client_cert and client_key"
        elif NO_TLS.search(words) and not sent:
            hint = "; check in url whether it is https that the server speaks at this port"
        else:
            transient = True
        return Unreachable(
            f"{self._subject()}: TLS with {self.transport.connection.host} failed ({words}){hint}.",
            sent=sent,
            transient=transient,
            http=self._http(None),
        )

    def _unusable_files(self, error: OSError) -> FleetError:
        """Make the error of TLS files that requests has not even opened."""
        words = self.transport.redactor.clean(_reason(error))
        return InvalidInput(
            f"{self._subject()}: {words}; check ca_path, client_cert, client_key and the environment variables "
            "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.",
            http=self._http(None),
        )

    def _subject(self) -> str:
        return f"Cannot {self.operation.title}"

    def _http(self, status: int | None) -> dict[str, Any]:
        path = self.transport.redactor.clean(self.path)
        return {"method": self.operation.method, "path": path, "status": status}

    def _excerpt(self, raw: bytes) -> str:
        """Return the first words of a body, with a colon before them, cleaned."""
        # secrets first: what follows may tear one apart
        text = self.transport.redactor.clean(raw[: 64 * 1024].decode("utf-8", "replace"))
        text = SECRET_FIELD.sub(rf'\1"{MASK}"', text)
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
    here, there = _address(first), _address(url)
    return here == there or (here[1] == there[1] and (here[0], here[2], there[0], there[2]) == UPGRADE)


def _absolute(url: str, location: str) -> str | None:
    """Return where a redirect leads, None when that is no address."""
    try:
        absolute = urljoin(url, location)
        scheme, host, _port = _address(absolute)
    except ValueError:
        return None
    return absolute if scheme in ("http", "https") and host else None


def _address(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _origin(url: str) -> str:
    """Return scheme, host and port, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _check_proxy(url: str) -> None:
    """Refuse a proxy whose address is none; requests fails on it with all kinds of exceptions."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = parts.hostname and parts.port != 0 and " " not in proxy
    except ValueError:
        usable = False
    if not usable:
        # not shown: it may hold a password, and which part of it is anybody's guess
        raise Unsupported(
            "The address of the proxy in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) cannot be used: "
            "give it as http://HOST:PORT."
        )


def _proxy_passwords() -> Iterator[str]:
    for proxy in getproxies().values():
        _userinfo, _colon, password = proxy.rpartition("@")[0].rpartition("//")[2].partition(":")
        yield from (password, unquote(password))


def _parse(raw: bytes, content_type: str) -> tuple[Any, str | None]:
    """Return the body's JSON data and what is wrong with it, each or None."""
    if not raw.strip():
        return None, None
    try:
        return jsonlib.loads(raw), None
    except (ValueError, RecursionError):
        kind = "HTML" if "html" in content_type or raw.lstrip()[:1] == b"<" else "a body that is not JSON"
        return None, f"{kind} instead of JSON"


def _parse_text(raw: bytes, content_type: str) -> tuple[Any, str | None]:
    """Return the body's text and what is wrong with it, each or None."""
    if "html" in content_type or raw.lstrip()[:1] == b"<":
        return None, "HTML instead of text"
    return Text(raw.decode("utf-8", "replace").strip()), None


def _general_error(failure: Failure, subject: str, host: str, excerpt: str) -> FleetError:
    message = f"{subject}: {host} answered {failure.status}{excerpt}"
    kinds: dict[int, type[FleetError]] = {
        401: AuthFailed,
        403: AuthFailed,
        404: NotFound,
        409: Conflict,
    }
    return kinds.get(failure.status, Rejected)(message, http=failure.http)


def _links(error: BaseException) -> Iterator[BaseException]:
    """Yield a chain of wrapped exceptions from the outside in."""
    link: BaseException | None = error
    for _level in range(8):
        if link is None:
            return
        yield link
        inner = getattr(link, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in reversed(link.args) if isinstance(arg, BaseException)), None)
        link = inner


def _reason(error: BaseException) -> str:
    """Return the innermost words of a chain of wrapped exceptions, without objects and places in a source."""
    innermost = list(_links(error))[-1]
    text = re.sub(r"<[^>]*>(, |: )?|\w+Connection(Pool)?\([^)]*\): |\[(SSL|X509)[^]]*\] ", "", str(innermost))
    text = re.sub(r" *\(_ssl\.c:\d+\)", "", text).strip().rstrip(".")
    return text or type(innermost).__name__
