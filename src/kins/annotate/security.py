"""Passwords, sessions, and what every request and answer must have."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import argon2
import sqlalchemy as sa
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kins.annotate import tables
from kins.errors import KinsError

IDLE = timedelta(hours=12)
"""A session ends when it was not used for so long."""
LOGINS, WINDOW = 5, 60.0
"""Failed logins for a name, and from an address, in so many seconds."""
MOST_NAMES = 10_000
"""Names and addresses whose failed logins are remembered."""
LEAST_PASSWORD, MOST_PASSWORD = 8, 200
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""What every answer says to the browser: nothing from elsewhere, no inline code, no frames around it."""

_hasher = argon2.PasswordHasher()
_nobody = ""


def hash_password(password: str) -> str:
    """For keeping (argon2id). Raises KinsError for one that is too short or too long."""
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise KinsError(f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters")
    return _hasher.hash(password)


def verify_password(kept: str | None, password: str) -> bool:
    """Whether it is the one; takes as long where there is none."""
    global _nobody
    _nobody = _nobody or _hasher.hash(secrets.token_hex())
    try:
        _hasher.verify(kept or _nobody, password[: MOST_PASSWORD + 1])
        return kept is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def new_session(connection: sa.Connection, user_id: int, address: str) -> str:
    """Begin a session; returns the token for the cookie, of which the database has the hash alone."""
    token = secrets.token_urlsafe(32)
    row = {"token": digest(token), "user": user_id, "csrf": secrets.token_urlsafe(24), "address": address[:100]}
    connection.execute(sa.delete(tables.session).where(tables.session.c.seen < tables.now() - IDLE))
    connection.execute(sa.insert(tables.session), row)
    return token


def find_session(connection: sa.Connection, token: str | None) -> Any:
    """(id, csrf, seen, user, name, admin) of a session in use, or None."""
    if not token:
        return None
    session, user = tables.session, tables.user
    columns = (session.c.id, session.c.csrf, session.c.seen, session.c.user, user.c.name, user.c.admin)
    return connection.execute(
        sa.select(*columns)
        .join(user, user.c.id == session.c.user)
        .where(session.c.token == digest(token), session.c.seen >= tables.now() - IDLE, user.c.active)
    ).one_or_none()


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(first: str, second: str) -> bool:
    """Whether two secrets are equal; takes equally long for all."""
    return hmac.compare_digest(first.encode(), second.encode())


class Limiter:
    """Failed logins of names and addresses."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def blocked(self, keys: Iterable[str]) -> bool:
        """Whether one of them has failed too often of late."""
        since = time.monotonic() - WINDOW
        with self._lock:
            return any(sum(at > since for at in self._failed.get(key, ())) >= LOGINS for key in keys)

    def failed(self, keys: Iterable[str]) -> None:
        """Count one more."""
        with self._lock:
            for key in keys:
                self._failed.setdefault(key, deque(maxlen=LOGINS)).append(time.monotonic())
                self._failed.move_to_end(key)
            while len(self._failed) > MOST_NAMES:
                self._failed.popitem(last=False)


class Guard:
    """Around the application: refuses foreign hosts and origins, and adds the headers to every answer.

    A page elsewhere could lead a browser here by a name of its own (DNS rebinding), which the Host header tells.

    Args:
        hosts: names that the server goes by, without ports.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def sends(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                fresh = {**HEADERS, "cache-control": "no-store"}
                extra = [(n.encode(), v.encode()) for n, v in fresh.items() if n.encode() not in given]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        if problem := self._problem(scope):
            await _refuse(problem, sends)
        else:
            await self.app(scope, receive, sends)

    def _problem(self, scope: Scope) -> str | None:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        host = headers.get(b"host", [])
        if len(host) != 1 or _host_name(host[0].decode("latin-1")) not in self.hosts:
            return "this server goes by another name; use the address that it printed, or --allow-host NAME"
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get(b"origin", [b""])[0].decode("latin-1")
        if origin and urlsplit(origin).netloc.lower() != host[0].decode("latin-1").lower():
            return "the request comes from a page of another server"
        if headers.get(b"sec-fetch-site", [b"same-origin"])[0] not in (b"same-origin", b"none"):
            return "the request comes from a page of another server"
        return None


def _host_name(host: str) -> str:
    """Without the port, in small letters."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def _refuse(detail: str, send: Send) -> None:
    import msgspec

    body = msgspec.json.encode({"error": "foreign", "detail": detail})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
