"""The page, its lists and pictures. All of it is read; no address takes anything else."""

from __future__ import annotations

import dataclasses
import io
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import PIL.Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kins.annotate.app import API, guarded
from kins.annotate.calls import AnswerError, answered, not_found
from kins.annotate.pictures import for_browser
from kins.annotate.routes.entrance import STATIC, page_file, static_file
from kins.annotate.security import same
from kins.annotate.view.index import ANY, Index
from kins.annotate.view.lists import DETECTIONS, KINDS, OBJECTS, SIZE_WORDS, SORTS, Query, listed, listed_images
from kins.annotate.view.told import told_cases, told_image, told_images, what_is_open
from kins.errors import KinsError
from kins.evaluation.slices import slice_of
from kins.files import read_bytes
from kins.files.pictures import read_picture

OWN = Path(__file__).parent / "static"
MOST = 200
"""Cases or images that one answer has."""
CROP_SIDE = 480
"""Pixels of a crop's longer side at most."""
THRESHOLDS = ("0.5", "0.75")
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
"""For reports: they have styles and pictures in them, and run nothing."""


@dataclasses.dataclass
class Shelf:
    """What all requests share.

    Attributes:
        report: the report's page with live links, or None.
        token: for the first visit; None once it was used.
        cookie, session: name and value of the cookie of the one who came with the token.
    """

    index: Index
    report: str | None = None
    token: str | None = None
    cookie: str = "kins_view"
    session: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(32))


@dataclasses.dataclass
class Ask:
    """One request."""

    shelf: Shelf
    request: Request

    @property
    def known(self) -> bool:
        """Whether it comes from the one with the token."""
        return same(self.request.cookies.get(self.shelf.cookie, ""), self.shelf.session)

    def image(self) -> int:
        """The place of the image that the path names."""
        return self._place(self.request.path_params["image"])

    def _place(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) >= len(self.shelf.index.images):
            raise not_found("image")
        return int(text)

    def number(self, name: str, otherwise: int, most: int) -> int:
        """A whole number of the query."""
        text = self.request.query_params.get(name) or str(otherwise)
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
            raise AnswerError(422, "malformed", f"{name} is a whole number from 0 to {most}")
        return int(text)

    def share(self, name: str, otherwise: float) -> float:
        """A number from 0 to 1 of the query."""
        text = self.request.query_params.get(name) or str(otherwise)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise AnswerError(422, "malformed", f"{name} is a number from 0 to 1")
        return value

    def one_of(self, name: str, allowed: Collection[str], otherwise: str = "") -> str:
        """A word of the query."""
        text = self.request.query_params.get(name) or otherwise
        if text and text not in allowed:
            raise AnswerError(422, "malformed", f"{name} is one of {', '.join(allowed)}")
        return text

    def level(self) -> str:
        """The word of the query that names a slice of occlusion rates, or ''."""
        text = self.request.query_params.get("level", "")
        try:
            return slice_of(text).name if text else ""
        except KinsError as error:
            raise AnswerError(422, "malformed", str(error)) from None

    def query(self) -> Query:
        """What a list is to have."""
        given, image = self.request.query_params, self.request.query_params.get("image")
        return Query(
            given.get("run", ""),
            self.one_of("kind", KINDS),
            self.one_of("of", (OBJECTS, DETECTIONS)),
            given.get("class", ""),
            given.get("taken", ""),
            self.level(),
            self.one_of("size", SIZE_WORDS),
            self._place(image) if image else None,
            self.share("score", 0.5),
            self.share("most", 1.0),
            float(self.one_of("iou", THRESHOLDS, "0.5")),
            self.one_of("matching", (ANY,)),
            self.one_of("sort", SORTS, "worst"),
        )


def index_page(ask: Ask) -> Response:
    """The page. A visit with the token that was printed gets a cookie and comes again without it."""
    given, shelf = ask.request.query_params.get("token"), ask.shelf
    if given is None:
        return page_file(ask.request, OWN / "viewer.html")
    answer = RedirectResponse("/report" if shelf.report else "/", 303)
    if not ask.known:
        if shelf.token is None or not same(given, shelf.token):
            raise AnswerError(
                403, "token", "this address was used before, or is not the one printed; start kins view again"
            )
        shelf.token = None
        answer.set_cookie(shelf.cookie, shelf.session, httponly=True, samesite="strict", path="/")
    return answer


def static(ask: Ask) -> Response:
    """A file of the page: its own ones, and those that it shares with kins annotate."""
    return static_file(ask.request, STATIC, OWN)


def opened(ask: Ask) -> dict[str, Any]:
    """What there is."""
    return what_is_open(ask.shelf.index) | {"report": ask.shelf.report is not None}


def cases(ask: Ask) -> dict[str, Any]:
    """A page of a list of cases."""
    index, query = ask.shelf.index, ask.query()
    start, count = ask.number("from", 0, 10**9 - 1), ask.number("count", 24, MOST)
    return told_cases(index, index.run(query.run), listed(index, query), start, count)


def images(ask: Ask) -> dict[str, Any]:
    """A page of the list of images."""
    start, count = ask.number("from", 0, 10**9 - 1), ask.number("count", 24, MOST)
    return told_images(ask.shelf.index, listed_images(ask.shelf.index, ask.query()), start, count)


def image(ask: Ask) -> dict[str, Any]:
    """All of one image."""
    return told_image(ask.shelf.index, ask.image(), ask.query())


def _picture(ask: Ask) -> Path:
    """Where the picture lies, inside of the folder."""
    index = ask.shelf.index
    path = index.dataset.image_path(index.images[ask.image()])
    if path is None:
        raise not_found("picture")
    return path


def file(ask: Ask) -> Response:
    """The picture."""
    path = _picture(ask)
    content, kind = for_browser(path, read_bytes(path))
    return Response(content, media_type=kind)


def crop(ask: Ask) -> Response:
    """A part of the picture, made smaller if it is large."""
    path, known = _picture(ask), ask.shelf.index.images[ask.image()]
    x, y = ask.number("x", 0, known.width - 1), ask.number("y", 0, known.height - 1)
    width, height = ask.number("width", known.width, known.width), ask.number("height", known.height, known.height)
    part = PIL.Image.fromarray(read_picture(path)[y : y + max(height, 1), x : x + max(width, 1)])
    part.thumbnail((CROP_SIDE, CROP_SIDE))
    made = io.BytesIO()
    part.save(made, "JPEG", quality=88)
    return Response(made.getvalue(), media_type="image/jpeg")


def report(ask: Ask) -> Response:
    """The report, if one was named."""
    if ask.shelf.report is None:
        raise not_found("report")
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(ask.shelf.report, media_type="text/html; charset=utf-8", headers=headers)


PUBLIC: dict[str, Callable[[Ask], Any]] = {"/": index_page, "/static/{name:path}": static}
ROUTES: dict[str, Callable[[Ask], Any]] = {
    "/report": report,
    f"{API}/open": opened,
    f"{API}/cases": cases,
    f"{API}/images": images,
    f"{API}/images/{{image}}": image,
    f"{API}/images/{{image}}/file": file,
    f"{API}/images/{{image}}/crop": crop,
}


def application(shelf: Shelf, hosts: Collection[str]) -> ASGIApp:
    """All routes, behind the guard."""
    routes = [Route(path, _endpoint(shelf, f, True), methods=["GET"]) for path, f in PUBLIC.items()]
    routes += [Route(path, _endpoint(shelf, f, False), methods=["GET"]) for path, f in ROUTES.items()]
    return guarded(routes, hosts)


def _endpoint(shelf: Shelf, handler: Callable[[Ask], Any], public: bool) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        ask = Ask(shelf, request)

        def work() -> Any:
            if not public and not ask.known:
                raise AnswerError(401, "token", "open the address that kins view printed")
            return handler(ask)

        return await run_in_threadpool(answered, work, f"{request.method} {request.url.path}")

    return answer
