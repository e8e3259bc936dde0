"""Users, devices and their tokens in the simulated Mender server: login, and the check at the gateway."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from servers._mender_http import Answer, Call, Refusal, Route, new_id, not_found, stamp

USERADM = "/api/management/v1/useradm"
SESSIONS = 10
PERSONAL_TOKENS = 10
YEAR = 31_536_000


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _unauthorized(text: str = "unauthorized") -> Refusal:
    return Refusal(401, text)


@dataclass
class User:
    """Somebody who may log in; a `reader` may only read."""

    name: str
    password: str
    two_factor: str = ""
    sso: bool = False
    reader: bool = False
    sessions: list[str] = field(default_factory=list)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)


class Access:
    """Issues tokens and checks them. `seconds` is how long a login is good for."""

    def __init__(self, users: list[User], seconds: float) -> None:
        self.users = {user.name: user for user in users}
        self.seconds = seconds
        self.settings: dict[str, Any] = {}
        self.logins = 0
        self._key = secrets.token_bytes(32)

    def issue(self, subject: str, claims: dict[str, Any], seconds: float | None) -> tuple[str, str]:
        """A new token and its id; `seconds` None never expires."""
        name, now = new_id(), time.time()
        payload = {"jti": name, "sub": subject, "iss": "Mender", "scp": "mender.*", "iat": int(now), **claims}
        if seconds is not None:
            payload["exp"] = int(now + seconds)
        parts = [{"alg": "HS256", "typ": "JWT"}, payload]
        text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        return f"{text}.{self._signature(text)}", name

    def _signature(self, text: str) -> str:
        return _encode(hmac.new(self._key, text.encode(), hashlib.sha256).digest())

    def device_token(self, device: str) -> str:
        """The token of a device."""
        return self.issue(device, {"mender.device": True}, None)[0]

    def personal_token(self, user: str, name: str, seconds: float | None = None) -> str:
        """A personal access token."""
        token, number = self.issue(user, {"mender.user": True, "mender.pat": True}, seconds)
        now = time.time()
        self.users[user].tokens[number] = {
            "id": number,
            "name": name,
            "created_ts": stamp(now),
            "expiration_date": stamp(now + (seconds or YEAR)),
        }
        return token

    def claims(self, call: Call) -> dict[str, Any]:
        """What the token of a request says; 401 without a good one."""
        scheme, _space, token = call.request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise _unauthorized("authorization not present in header")
        text, _dot, signature = token.strip().rpartition(".")
        if scheme.lower() != "bearer" or not hmac.compare_digest(signature, self._signature(text)):
            raise _unauthorized("invalid jwt")
        found: dict[str, Any] = json.loads(_decode(text.partition(".")[2]))
        if "exp" in found and found["exp"] < time.time():
            raise _unauthorized("token expired")
        return found

    def check_user(self, call: Call) -> None:
        """Let a user's request pass; 401 for a bad token, 403 for a change by a reader."""
        found = self.claims(call)
        user = self.users.get(str(found["sub"])) if found.get("mender.user") else None
        if user is None or found["jti"] not in {*user.sessions, *user.tokens}:
            raise _unauthorized()
        if user.reader and call.method != "GET" and not call.raw_path.endswith("/search"):
            raise Refusal(403, "forbidden: this role may not do that")
        call.user = user.name

    def check_device(self, call: Call) -> None:
        """Let a device's request pass."""
        found = self.claims(call)
        if not found.get("mender.device"):
            raise _unauthorized()
        call.device = str(found["sub"])

    def routes(self) -> list[Route]:
        """The interface."""
        return [
            Route("POST", f"{USERADM}/auth/login", self.login, ""),
            Route("POST", f"{USERADM}/auth/logout", self.logout),
            Route("GET", f"{USERADM}/users/me", self.who),
            Route("GET", f"{USERADM}/settings", self.get_settings),
            Route("POST", f"{USERADM}/settings", self.set_settings),
            Route("GET", f"{USERADM}/settings/tokens", self.list_tokens),
            Route("POST", f"{USERADM}/settings/tokens", self.create_token),
            Route("DELETE", f"{USERADM}/settings/tokens/{{id}}", self.delete_token),
        ]

    async def login(self, call: Call) -> Answer:
        """Basic credentials to a token; the body is the token alone."""
        scheme, _space, credentials = call.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise _unauthorized("invalid or missing auth header")
        try:
            name, _colon, password = _decode(credentials.replace("+", "-").replace("/", "_")).decode().partition(":")
        except ValueError:
            raise _unauthorized("invalid or missing auth header") from None
        options: dict[str, Any] = await call.json() if call.request.body_exists else {}
        user = self.users.get(name)
        if user is None or not hmac.compare_digest(user.password.encode(), password.encode()):
            raise _unauthorized()
        if user.sso:
            return Answer(body={"id": new_id(), "kind": "sso/oidc"})
        if user.two_factor and options.get("token2fa") != user.two_factor:
            raise _unauthorized()
        self.logins += 1
        token, number = self.issue(name, {"mender.user": True}, None if options.get("no_expiry") else self.seconds)
        # one more than the limit throws the oldest out
        user.sessions = [*user.sessions, number][-SESSIONS:]
        return Answer(body=token, content_type="application/jwt")

    async def logout(self, call: Call) -> Answer:
        """End a login."""
        number = self.claims(call)["jti"]
        user = self.users[call.user]
        user.sessions = [other for other in user.sessions if other != number]
        user.tokens.pop(number, None)
        return Answer(202)

    async def who(self, call: Call) -> Answer:
        """The user of the token."""
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, call.user))
        return Answer(body={"id": number, "email": call.user, "created_ts": stamp(0), "updated_ts": stamp(0)})

    async def get_settings(self, call: Call) -> Answer:
        """Settings of the user interface, among them which attribute names a device."""
        return Answer(body=self.settings)

    async def set_settings(self, call: Call) -> Answer:
        """Replace them."""
        self.settings = await call.json()
        return Answer(201)

    async def list_tokens(self, call: Call) -> Answer:
        """The personal access tokens, without their text."""
        return Answer(body=list(self.users[call.user].tokens.values()))

    async def create_token(self, call: Call) -> Answer:
        """A new personal access token; its text is shown here only."""
        body = await call.json()
        name, seconds = str(body.get("name") or ""), body.get("expires_in") or 0
        tokens = self.users[call.user].tokens.values()
        if not name or not isinstance(seconds, int) or not 0 <= seconds <= YEAR:
            raise Refusal(400, "name: cannot be blank; expires_in: must be no greater than 31536000")
        if any(token["name"] == name for token in tokens):
            raise Refusal(409, "Personal Access Token with a given name already exists")
        if len(tokens) >= PERSONAL_TOKENS:
            raise Refusal(422, "maximum number of personal access tokens reached for this user")
        return Answer(body=self.personal_token(call.user, name, seconds or None), content_type="application/jwt")

    async def delete_token(self, call: Call) -> Answer:
        """Revoke a personal access token."""
        if self.users[call.user].tokens.pop(call["id"], None) is None:
            raise not_found()
        return Answer(204)
