"""The page, its files, and logging in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call, kept, not_found
from kins.annotate.security import new_session, same, verify_password

STATIC = Path(__file__).parents[1] / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}


class _Login(msgspec.Struct):
    name: str
    password: str


def index(call: Call) -> Response:
    """The page. A visit with the token that was printed gets a session and comes again without it."""
    given = call.request.query_params.get("token")
    if given is None or call.shop.accounts:
        return page_file(call.request, STATIC / "index.html")
    answer = RedirectResponse("/", 303)
    if call.user is None:
        if call.shop.token is None or not same(given, call.shop.token):
            raise AnswerError(
                403, "token", "this address was used before, or is not the one printed; start kins annotate again"
            )
        call.shop.token = None
        with call.store.write() as connection:
            user = connection.scalar(sa.select(tables.user.c.id).where(tables.user.c.password.is_(None)))
            _remember(call, answer, new_session(connection, user or 0, call.address))
    return answer


def static(call: Call) -> Response:
    """A file of the page."""
    return static_file(call.request, STATIC)


def static_file(request: Request, *folders: Path) -> Response:
    """The file of one of these folders that the path names, by its name alone."""
    name = request.path_params["name"]
    known = {path.name: path for folder in folders for path in folder.iterdir() if path.suffix in KINDS}
    if name not in known:
        raise not_found("file")
    return page_file(request, known[name])


def me(call: Call) -> dict[str, Any]:
    """Who asks."""
    user = None if call.user is None else {"id": call.user, "name": call.name, "admin": call.admin}
    return {"user": user, "csrf": call.csrf, "accounts": call.shop.accounts, "store": user and _database(call)}


def _database(call: Call) -> str:
    """A name of this database: one address serves many in the course of time, and what a browser keeps is of one."""
    with call.store.read() as connection:
        project = tables.project
        made = connection.scalar(sa.select(project.c.created).order_by(project.c.id))
    return hashlib.sha256(repr(made).encode()).hexdigest()[:16]


def login(call: Call) -> Response:
    """Begin a session by name and password."""
    given = call.read(_Login)
    keys = [f"name {given.name[:100]}", f"address {call.address}"]
    if call.shop.logins.blocked(keys):
        raise AnswerError(429, "too-often", "too many failed logins; wait a minute")
    with call.store.read() as connection:
        user = tables.user
        row = connection.execute(sa.select(user).where(user.c.name == given.name, user.c.active)).one_or_none()
    if (
        not verify_password(None if row is None else row.password, given.password)
        or row is None
        or not call.shop.accounts
    ):
        call.shop.logins.failed(keys)
        with call.store.write() as connection:
            call.note(connection, "login failed", given.name[:100])
        raise AnswerError(403, "wrong", "no user of this name has this password")
    with call.store.write() as connection:
        if call.session is not None:
            connection.execute(sa.delete(tables.session).where(tables.session.c.id == call.session))
        token = new_session(connection, row.id, call.address)
        csrf = connection.scalar(sa.select(tables.session.c.csrf).order_by(tables.session.c.id.desc()).limit(1))
        call.user = row.id
        call.note(connection, "login")
    value = {"user": {"id": row.id, "name": row.name, "admin": row.admin}, "csrf": csrf, "accounts": True}
    answer = Response(msgspec.json.encode(value), media_type="application/json")
    _remember(call, answer, token)
    return answer


def logout(call: Call) -> Response:
    """End the session."""
    with call.store.write() as connection:
        connection.execute(sa.delete(tables.session).where(tables.session.c.id == call.session))
        call.note(connection, "logout")
    answer = Response(b"{}", media_type="application/json")
    answer.delete_cookie(call.shop.cookie)
    return answer


def healthz(call: Call) -> dict[str, Any]:
    """Alive."""
    with call.store.read() as connection:
        connection.execute(sa.select(1))
    return {"ok": True}


def page_file(request: Request, path: Path) -> Response:
    """A file for the browser, which asks anew each time."""
    try:
        content = path.read_bytes()
    except OSError:
        raise not_found("file") from None
    name = hashlib.sha256(content).hexdigest()
    return kept(request, name, lambda: Response(content, media_type=KINDS[path.suffix]), "no-cache")


def _remember(call: Call, answer: Response, token: str) -> None:
    secure = call.request.url.scheme == "https"
    answer.set_cookie(call.shop.cookie, token, httponly=True, samesite="strict", secure=secure, path="/")
