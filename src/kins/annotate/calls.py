"""One request: who asks, what may be done, and the answer."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kins.annotate import tables
from kins.annotate.layers import Layers, StaleError
from kins.annotate.operations import RefusedError
from kins.annotate.security import IDLE, Limiter, find_session, same
from kins.annotate.store import Store
from kins.errors import KinsError

ROLES = ("viewer", "annotator", "reviewer", "owner")
"""From the least to the most; each may what those before may."""
MOST_BYTES = 8 * 2**20
"""Of a request's body."""
SECONDS = 60
"""For a request's body to arrive."""
LARGEST_ID = 2**31 - 1

S = TypeVar("S")
log = logging.getLogger("kins.annotate")


@dataclasses.dataclass
class Shop:
    """What all requests share.

    Attributes:
        accounts: whether people log in; or else there is one user, who came with the token.
        token: for the first visit of that user; None once it was used.
        cookie: name of the session's cookie.
        exports: folder of exported files.
        folder: of pictures; projects that are made over HTTP have theirs in it.
        completer: by what masks are completed, or None.
        network: weights of what finds objects when asked, or None where nothing does.
        predictor: that network, once it was needed.
    """

    store: Store
    exports: Path
    folder: Path = Path()
    accounts: bool = False
    token: str | None = None
    cookie: str = "kins_session"
    layers: Layers = dataclasses.field(default_factory=Layers)
    logins: Limiter = dataclasses.field(default_factory=Limiter)
    completer: Any = None
    network: str | None = None
    predictor: Any = None


class AnswerError(Exception):
    """An answer other than 200. `more` is added to the JSON object."""

    def __init__(self, status: int, error: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.error, self.detail, self.more = status, error, detail, more


def not_found(what: str) -> AnswerError:
    """The same answer for what is not there and for what is someone else's."""
    return AnswerError(404, "not-found", f"there is no such {what}")


@contextmanager
def missing_as(what: str) -> Iterator[None]:
    """For what belongs to something that the user may not know of: it isn't there either."""
    try:
        yield
    except AnswerError as error:
        raise (not_found(what) if error.status == 404 else error) from None


@dataclasses.dataclass
class Call:
    """One request of a user, its body read.

    Attributes:
        user: id, name and whether an admin, or None before login.
        most: bytes that the body may have.
    """

    shop: Shop
    request: Request
    body: bytes = b""
    most: int = MOST_BYTES
    user: int | None = None
    name: str = ""
    admin: bool = False
    session: int | None = None
    csrf: str = ""

    @property
    def store(self) -> Store:
        """The database."""
        return self.shop.store

    @property
    def address(self) -> str:
        """Where the request came from."""
        return self.request.client.host if self.request.client else ""

    def path(self, name: str) -> int:
        """A number in the path."""
        text = self.request.path_params[name]
        if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > LARGEST_ID:
            raise not_found(name)
        return int(text)

    def number(self, name: str, otherwise: int | None = None, most: int = LARGEST_ID) -> int | None:
        """A number in the query."""
        text = self.request.query_params.get(name)
        if text is None or text == "":
            return otherwise
        if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > most:
            raise AnswerError(422, "malformed", f"{name} is a number from 0 to {most}")
        return int(text)

    def read(self, kind: type[S]) -> S:
        """The body as this kind of thing."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=kind)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise AnswerError(422, "malformed", f"the body: {error}") from None

    def role(self, connection: sa.Connection, project_id: int, least: str) -> str:
        """The user's role in a project; 404 for one without, 403 where it is too little."""
        member = tables.member
        role = connection.scalar(
            sa.select(member.c.role).where(member.c.project == project_id, member.c.user == self.user)
        )
        if role is None:
            raise not_found("project")
        if ROLES.index(role) < ROLES.index(least):
            raise AnswerError(403, "forbidden", f"this needs the role of {least}, you have that of {role}")
        return str(role)

    def row(self, connection: sa.Connection, table: sa.Table, what: str) -> Any:
        """The row of a table whose id the path has under this name."""
        row = connection.execute(sa.select(table).where(table.c.id == self.path(what))).one_or_none()
        if row is None:
            raise not_found(what)
        return row

    def image(self, connection: sa.Connection, image_id: int, least: str = "viewer") -> tuple[Any, str]:
        """The image's row, and the role in its project."""
        row = connection.execute(sa.select(tables.image).where(tables.image.c.id == image_id)).one_or_none()
        if row is None:
            raise not_found("image")
        with missing_as("image"):
            return row, self.role(connection, row.project, least)

    def layer(self, connection: sa.Connection, layer_id: int, mine: bool = False) -> tuple[Any, Any, str]:
        """Rows of the layer and its image, and the role. Other annotators' layers are there for reviewers alone, and
        for annotators who are done with the image.

        Args:
            mine: only the user's own, to be written to.
        """
        table = tables.layer
        query = sa.select(table).where(table.c.id == layer_id)
        row = connection.execute(query.with_for_update() if mine else query).one_or_none()
        if row is None:
            raise not_found("layer")
        with missing_as("layer"):
            image, role = self.image(connection, row.image, "viewer")
        if not self.may_see(connection, row, role):
            raise not_found("layer")
        if mine and not self.may_change(row, role):
            raise AnswerError(403, "forbidden", "only its annotator changes a layer")
        return row, image, role

    def may_see(self, connection: sa.Connection, layer: Any, role: str) -> bool:
        """Whether the user may look at a layer."""
        if layer.user == self.user or role in ("reviewer", "owner"):
            return True
        if role == "viewer":
            return bool(layer.kind == "consensus" or layer.state == "done")
        table = tables.layer
        own = sa.select(table.c.state).where(table.c.image == layer.image, table.c.user == self.user)
        return connection.scalar(own.where(table.c.kind == "person")) == "done"

    def may_change(self, layer: Any, role: str) -> bool:
        """Whether the user may add operations to a layer: an annotator to the own one, a reviewer to the consensus."""
        if layer.kind == "consensus":
            return role in ("reviewer", "owner")
        return bool(layer.user == self.user and role != "viewer")

    def note(self, connection: sa.Connection, kind: str, detail: str = "") -> None:
        """Write down who did what: logins, roles, exports."""
        row = {"user": self.user, "kind": kind, "detail": detail[:1000], "address": self.address[:100]}
        connection.execute(sa.insert(tables.event), row)


Handler = Callable[[Call], Any]


def endpoint(
    shop: Shop, handler: Handler, public: bool = False, before: Handler | None = None
) -> Callable[[Request], Any]:
    """A route's function: reads the body, lets the handler answer in a thread, and makes JSON of it.

    Args:
        public: needs no login.
        before: asked before the body is read, whether the user may send it; may allow more bytes.
    """

    async def answer(request: Request) -> Response:
        call = Call(shop, request)
        try:
            if before is not None:
                asked = await run_in_threadpool(_answer, call, before, public)
                if asked.status_code != 200:
                    return asked
            call.body = await asyncio.wait_for(_body(request, call.most), SECONDS)
            return await run_in_threadpool(_answer, call, handler, public)
        except TimeoutError:
            return said(AnswerError(408, "too-slow", "the request did not arrive in time"))
        except ClientDisconnect:
            return said(AnswerError(400, "gone", "the request ended early"))
        except AnswerError as refused:
            return said(refused)

    return answer


def _answer(call: Call, handler: Handler, public: bool) -> Response:
    return answered(lambda: _handled(call, handler, public), f"{call.request.method} {call.request.url.path}")


def _handled(call: Call, handler: Handler, public: bool) -> Any:
    _identify(call)
    if call.user is None and not public:
        raise AnswerError(401, "login", "log in first")
    given = call.request.headers.get("x-csrf-token", "")
    if call.request.method not in ("GET", "HEAD") and call.user is not None and not same(given, call.csrf):
        raise AnswerError(403, "csrf", "the header X-CSRF-Token is missing or not that of this session")
    return handler(call)


def answered(work: Callable[[], Any], where: str) -> Response:
    """What `work` gives, as JSON if it is no response yet; or an answer that says what is wrong.

    Args:
        where: method and path, for the log.
    """
    try:
        found = work()
        return found if isinstance(found, Response) else json(found)
    except AnswerError as answer:
        return said(answer)
    except StaleError as stale:
        return json({"missing": stale.missing, "revision": stale.revision}, 409)
    except RefusedError as refused:
        which = getattr(refused, "which", None)
        return json({"which": which, "error": refused.code, "detail": str(refused)}, 422)
    except KinsError as error:
        return said(AnswerError(422, "unusable", str(error)))
    except (sa.exc.DataError, OverflowError):
        return said(AnswerError(422, "malformed", "the database can't hold this text or number"))
    except sa.exc.OperationalError as error:
        log.error("the database can't be used: %s", error.orig)
        return said(AnswerError(503, "busy", "the database can't be used now; try again"))
    except Exception:
        log.exception("a fault of kins at %s", where)
        return said(AnswerError(500, "fault", "this is a fault of kins; the server's output says more"))


def _identify(call: Call) -> None:
    token = call.request.cookies.get(call.shop.cookie)
    if not token or len(token) > 100:
        return
    with call.store.read() as connection:
        found = find_session(connection, token)
    if found is None:
        return
    call.session, call.csrf = found.id, found.csrf
    call.user, call.name, call.admin = found.user, found.name, found.admin
    if tables.now() - found.seen > IDLE / 100:
        with call.store.write() as connection:
            session = tables.session
            connection.execute(sa.update(session).where(session.c.id == found.id).values(seen=tables.now()))


async def _body(request: Request, most: int) -> bytes:
    too_large = AnswerError(413, "too-large", f"this request has at most {most} bytes")
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 18 or int(length) > most:
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise too_large
    return bytes(body)


def kept(request: Request, etag: str, answer: Callable[[], Response], cache: str) -> Response:
    """An answer that a browser may keep: 304 where it has it already, without making it again.

    Args:
        etag: a name of what the answer holds, of letters, digits and dashes.
        cache: for the header Cache-Control.
    """
    headers = {"etag": f'"{etag}"', "cache-control": cache}
    given = request.headers.get("if-none-match", "").split(",")
    if any(name.strip().removeprefix("W/") in ("*", headers["etag"]) for name in given):
        return Response(None, 304, headers)
    made = answer()
    made.headers.update(headers)
    return made


def json(value: Any, status: int = 200) -> Response:
    """An answer of JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def said(answer: AnswerError) -> Response:
    """An answer that says what is wrong."""
    return json({"error": answer.error, "detail": answer.detail, **answer.more}, answer.status)
