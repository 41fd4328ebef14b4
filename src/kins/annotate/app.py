"""The application: which address leads to which function."""

from __future__ import annotations

from collections.abc import Collection

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kins.annotate.calls import AnswerError, Handler, Shop, endpoint, said
from kins.annotate.routes import entrance, images, layers, projects
from kins.annotate.security import Guard

API = "/api/v1"
PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/"): entrance.index,
    ("GET", "/static/{name:path}"): entrance.static,
    ("GET", "/healthz"): entrance.healthz,
    ("GET", f"{API}/me"): entrance.me,
    ("POST", f"{API}/login"): entrance.login,
}
"""What needs no login."""
ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/logout"): entrance.logout,
    ("GET", "/projects"): projects.projects,
    ("GET", "/projects/{project}"): projects.project,
    ("GET", "/projects/{project}/categories"): projects.list_categories,
    ("POST", "/projects/{project}/categories"): projects.add_category,
    ("GET", "/projects/{project}/images"): projects.images,
    ("GET", "/projects/{project}/next"): projects.following,
    ("GET", "/images/{image}"): images.image,
    ("GET", "/images/{image}/file"): images.file,
    ("POST", "/images/{image}/layers"): images.my_layer,
    ("GET", "/layers/{layer}"): layers.layer,
    ("GET", "/layers/{layer}/operations"): layers.history,
    ("POST", "/layers/{layer}/operations"): layers.append,
    ("GET", "/layers/{layer}/masks"): layers.masks,
    ("POST", "/layers/{layer}/state"): layers.change_state,
}
"""Method and address below API of everything else."""


def application(shop: Shop, hosts: Collection[str]) -> ASGIApp:
    """All routes, behind the guard.

    Args:
        hosts: names that the server goes by, without ports.
    """
    routes = [Route(path, endpoint(shop, f, True), methods=[method]) for (method, path), f in PUBLIC.items()]
    routes += [Route(API + path, endpoint(shop, f), methods=[method]) for (method, path), f in ROUTES.items()]
    handlers = {404: _nowhere, 405: _nowhere, 500: _fault}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), hosts)


async def _nowhere(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    detail = "nothing is at this address" if status == 404 else "this address does not take this method"
    return said(AnswerError(status, "not-found" if status == 404 else "method", detail))


async def _fault(request: Request, error: Exception) -> Response:
    return said(AnswerError(500, "fault", "this is a fault of kins; the server's output says more"))
