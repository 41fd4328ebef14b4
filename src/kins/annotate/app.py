"""The application: which address leads to which function."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kins.annotate.calls import AnswerError, Handler, Shop, endpoint, said
from kins.annotate.routes import (
    admin,
    assist,
    categories,
    entrance,
    exports,
    images,
    layers,
    projects,
    reviews,
    statistics,
    uploads,
)
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
    ("POST", "/projects"): admin.new_project,
    ("GET", "/projects/{project}"): projects.project,
    ("GET", "/projects/{project}/categories"): categories.list_categories,
    ("POST", "/projects/{project}/categories"): categories.add_category,
    ("PATCH", "/projects/{project}/categories"): categories.change_category,
    ("DELETE", "/projects/{project}/categories"): categories.remove_category,
    ("GET", "/projects/{project}/images"): projects.images,
    ("POST", "/projects/{project}/images"): projects.look_again,
    ("POST", "/projects/{project}/upload"): uploads.upload,
    ("POST", "/projects/{project}/proposals"): uploads.proposals,
    ("GET", "/projects/{project}/next"): projects.following,
    ("PATCH", "/projects/{project}"): admin.change_project,
    ("GET", "/projects/{project}/members"): admin.members,
    ("POST", "/projects/{project}/members"): admin.set_member,
    ("DELETE", "/projects/{project}/members"): admin.remove_member,
    ("POST", "/projects/{project}/assign"): admin.assign,
    ("GET", "/projects/{project}/statistics"): statistics.statistics,
    ("GET", "/projects/{project}/exports"): exports.exports,
    ("POST", "/projects/{project}/exports"): exports.begin,
    ("GET", "/exports/{export}"): exports.export,
    ("GET", "/exports/{export}/file"): exports.file,
    ("GET", "/users"): admin.users,
    ("POST", "/users"): admin.new_user,
    ("PATCH", "/users/{user}"): admin.change_user,
    ("GET", "/images/{image}"): images.image,
    ("GET", "/images/{image}/file"): images.file,
    ("POST", "/images/{image}/layers"): images.my_layer,
    ("GET", "/images/{image}/proposals"): assist.proposals,
    ("POST", "/images/{image}/proposals"): assist.find,
    ("GET", "/images/{image}/agreement"): reviews.agreement,
    ("POST", "/images/{image}/consensus"): reviews.consensus,
    ("POST", "/images/{image}/review"): reviews.review,
    ("GET", "/images/{image}/comments"): reviews.comments,
    ("POST", "/images/{image}/comments"): reviews.comment,
    ("PATCH", "/comments/{comment}"): reviews.resolve,
    ("GET", "/layers/{layer}"): layers.layer,
    ("GET", "/layers/{layer}/operations"): layers.history,
    ("POST", "/layers/{layer}/operations"): layers.append,
    ("GET", "/layers/{layer}/masks"): layers.masks,
    ("POST", "/layers/{layer}/state"): layers.change_state,
    ("POST", "/layers/{layer}/complete"): assist.complete,
}
"""Method and address below API of everything else."""
BEFORE: dict[Handler, Handler] = {
    uploads.upload: uploads.may_upload,
    uploads.proposals: uploads.may_send_proposals,
}
"""What is asked before the body of a request is read."""


def application(shop: Shop, hosts: Collection[str]) -> ASGIApp:
    """All routes, behind the guard.

    Args:
        hosts: names that the server goes by, without ports.
    """
    routes = [Route(path, endpoint(shop, f, True), methods=[method]) for (method, path), f in PUBLIC.items()]
    routes += [
        Route(API + path, endpoint(shop, f, before=BEFORE.get(f)), methods=[method])
        for (method, path), f in ROUTES.items()
    ]
    return guarded(routes, hosts)


def guarded(routes: Sequence[Route], hosts: Collection[str]) -> ASGIApp:
    """An application of these routes behind the guard; what goes wrong is said in JSON."""
    handlers = {404: _nowhere, 405: _nowhere, 500: _fault}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), hosts)


async def _nowhere(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    detail = "nothing is at this address" if status == 404 else "this address does not take this method"
    return said(AnswerError(status, "not-found" if status == 404 else "method", detail))


async def _fault(request: Request, error: Exception) -> Response:
    return said(AnswerError(500, "fault", "this is a fault of kins; the server's output says more"))
