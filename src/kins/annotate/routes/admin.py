"""Users, roles, settings, and who gets which image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.accounts import add_user, set_password
from kins.annotate.calls import AnswerError, Call, not_found
from kins.annotate.contents import ASSISTANCE, settings_of, update_image_state
from kins.annotate.folders import join, make_project
from kins.annotate.routes.projects import told_project

MOST_QUESTIONS = 20


class _User(msgspec.Struct):
    name: str
    password: str
    admin: bool = False


class _Changed(msgspec.Struct):
    password: str | None = None
    admin: bool | None = None
    active: bool | None = None


class _Member(msgspec.Struct):
    user: int
    role: Literal["viewer", "annotator", "reviewer", "owner"]


class _Assign(msgspec.Struct):
    users: list[int]
    images: list[int] | None = None
    each: Annotated[int, msgspec.Meta(ge=1, le=20)] | None = None


class _Settings(msgspec.Struct, forbid_unknown_fields=True):
    annotators: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    assistance: Annotated[float, msgspec.Meta(ge=0, le=1)] = ASSISTANCE
    questions: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=500)]], msgspec.Meta(max_length=MOST_QUESTIONS)
    ] = []


class _Project(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    guidelines: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    settings: _Settings | None = None


class _New(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    folder: Annotated[str, msgspec.Meta(min_length=1)]
    guidelines: Annotated[str, msgspec.Meta(max_length=100_000)] = ""
    settings: _Settings = msgspec.field(default_factory=_Settings)


def users(call: Call) -> list[dict[str, Any]]:
    """All accounts."""
    _require_admin(call)
    with call.store.read() as connection:
        user = tables.user
        rows = connection.execute(sa.select(user).order_by(user.c.id)).all()
    return [{"id": row.id, "name": row.name, "admin": row.admin, "active": row.active} for row in rows]


def new_user(call: Call) -> dict[str, Any]:
    """An account."""
    _require_admin(call)
    given = call.read(_User)
    with call.store.write() as connection:
        user_id = add_user(connection, given.name, given.password, given.admin)
        call.note(connection, "user added", given.name)
    return {"id": user_id, "name": given.name, "admin": given.admin, "active": True}


def change_user(call: Call) -> dict[str, Any]:
    """Another password or no entrance any more, which end the user's sessions, or other rights."""
    _require_admin(call)
    given, user_id, user = call.read(_Changed), call.path("user"), tables.user
    with call.store.write() as connection:
        row = call.row(connection, user, "user")
        if user_id == call.user and (given.admin is False or given.active is False):
            raise AnswerError(422, "yourself", "you can't take your own rights; another admin can")
        if given.password is not None:
            set_password(connection, user_id, given.password)
        values = {n: v for n, v in (("admin", given.admin), ("active", given.active)) if v is not None}
        if values:
            connection.execute(sa.update(user).where(user.c.id == user_id).values(**values))
        if given.password is not None or given.active is False:
            others = (tables.session.c.user == user_id, tables.session.c.id != call.session)
            connection.execute(sa.delete(tables.session).where(*others))
        call.note(
            connection, "user changed", f"{row.name}: {', '.join([*values, *(['password'] * bool(given.password))])}"
        )
        row = connection.execute(sa.select(user).where(user.c.id == user_id)).one()
    return {"id": row.id, "name": row.name, "admin": row.admin, "active": row.active}


def members(call: Call) -> list[dict[str, Any]]:
    """Who has which role in a project."""
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "reviewer")
        return _members(connection, call.path("project"))


def set_member(call: Call) -> list[dict[str, Any]]:
    """Give a user a role."""
    given, project_id = call.read(_Member), call.path("project")
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        name = connection.scalar(sa.select(tables.user.c.name).where(tables.user.c.id == given.user))
        if name is None:
            raise AnswerError(422, "no-user", "there is no such user")
        if given.role != "owner":
            _require_owner_left(connection, project_id, given.user)
        join(connection, project_id, given.user, given.role)
        call.note(connection, "role", f"{name}: {given.role} of project {project_id}")
        return _members(connection, project_id)


def remove_member(call: Call) -> list[dict[str, Any]]:
    """Take a user's role; what was annotated stays."""
    project_id, user_id = call.path("project"), call.number("user", 0)
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        _require_owner_left(connection, project_id, user_id or 0)
        where = (tables.member.c.project == project_id, tables.member.c.user == user_id)
        if not connection.execute(sa.delete(tables.member).where(*where)).rowcount:
            raise not_found("member")
        call.note(connection, "role", f"user {user_id}: none in project {project_id}")
        return _members(connection, project_id)


def change_project(call: Call) -> dict[str, Any]:
    """Name, guidelines, settings."""
    given, project_id, project = call.read(_Project), call.path("project"), tables.project
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        values: dict[str, Any] = {n: v for n in ("name", "guidelines") if (v := getattr(given, n)) is not None}
        if given.settings is not None:
            values["settings"] = msgspec.to_builtins(given.settings)
        if values:
            connection.execute(sa.update(project).where(project.c.id == project_id).values(**values))
        if given.settings is not None:
            _count_again(connection, project_id)
        row = connection.execute(sa.select(project).where(project.c.id == project_id)).one()
    return {"id": row.id, "name": row.name, "guidelines": row.guidelines, "settings": row.settings}


def new_project(call: Call) -> dict[str, Any]:
    """A project of another folder inside of the one that is served; who makes it becomes its owner."""
    if not call.admin or call.user is None:
        raise AnswerError(403, "forbidden", "projects are made by admins")
    given, project = call.read(_New), tables.project
    project_id, left_out = make_project(call.store, call.shop.folder, given.folder, given.name, call.user)
    with call.store.write() as connection:
        values = {"guidelines": given.guidelines, "settings": msgspec.to_builtins(given.settings)}
        connection.execute(sa.update(project).where(project.c.id == project_id).values(**values))
        call.note(connection, "project", f"{given.name}: {given.folder}")
        role = sa.literal("owner").label("role")
        row = connection.execute(sa.select(project, role).where(project.c.id == project_id)).one()
        return told_project(connection, row) | {"left_out": left_out}


def _count_again(connection: sa.Connection, project_id: int) -> None:
    """States of the images that someone is done with, since the project may ask for more or fewer annotators now."""
    image, layer = tables.image, tables.layer
    done = sa.select(layer.c.image).where(layer.c.kind == "person", layer.c.state == "done")
    for row in connection.execute(sa.select(image).where(image.c.project == project_id, image.c.id.in_(done))).all():
        update_image_state(connection, row)


def assign(call: Call) -> dict[str, Any]:
    """Share images out: each to so many of these users who have it not yet, to those with the fewest first."""
    given, project_id = call.read(_Assign), call.path("project")
    image, assignment, layer = tables.image, tables.assignment, tables.layer
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        roles = {row["user"]: row["role"] for row in _members(connection, project_id)}
        if not given.users or any(roles.get(user, "viewer") == "viewer" for user in given.users):
            raise AnswerError(422, "no-user", "images are given to users with a role in the project, from annotator on")
        each = given.each or int(settings_of(connection, project_id).get("annotators", 1))
        query = sa.select(image).where(image.c.project == project_id).order_by(image.c.id)
        rows = connection.execute(query).all()
        if given.images is not None:
            if set(given.images) - {row.id for row in rows}:
                raise not_found("image")
            rows = [row for row in rows if row.id in set(given.images)]
        else:
            rows = [row for row in rows if row.state not in ("reviewed", "set aside")]
        holders: dict[int, set[int]] = {row.id: set() for row in rows}
        begun = sa.select(layer.c.image, layer.c.user).where(layer.c.kind == "person", layer.c.revision > 0)
        for image_id, user in [
            *connection.execute(sa.select(assignment.c.image, assignment.c.user)),
            *connection.execute(begun),
        ]:
            holders.get(image_id, set()).add(user)
        made = _shared_out(holders, list(dict.fromkeys(given.users)), each)
        if made:
            connection.execute(sa.insert(assignment), made)
        given_out = {row["image"] for row in made}
        for row in rows:
            if row.id in given_out:
                update_image_state(connection, row)
        call.note(connection, "assigned", f"{len(made)} in project {project_id}")
    return {"assigned": len(made)}


def _shared_out(holders: dict[int, set[int]], users: list[int], each: int) -> list[dict[str, int]]:
    """New assignments, so that each image has `each` holders, as far as there are users."""
    load = {user: sum(user in held for held in holders.values()) for user in users}
    made = []
    for image_id, held in holders.items():
        free = sorted((user for user in users if user not in held), key=lambda user: load[user])
        for user in free[: max(each - len(held), 0)]:
            made.append({"image": image_id, "user": user})
            load[user] += 1
    return made


def _members(connection: sa.Connection, project_id: int) -> list[dict[str, Any]]:
    member, user = tables.member, tables.user
    rows = connection.execute(
        sa.select(user.c.id, user.c.name, member.c.role)
        .join(member, member.c.user == user.c.id)
        .where(member.c.project == project_id)
        .order_by(user.c.id)
    )
    return [{"user": row.id, "name": row.name, "role": row.role} for row in rows]


def _require_owner_left(connection: sa.Connection, project_id: int, without: int) -> None:
    owners = {row["user"] for row in _members(connection, project_id) if row["role"] == "owner"}
    if owners <= {without}:
        raise AnswerError(422, "last-owner", "a project keeps one owner; make another one first")


def _require_admin(call: Call) -> None:
    if not call.admin:
        raise AnswerError(403, "forbidden", "this is for admins")
    if not call.shop.accounts:
        raise AnswerError(403, "no-accounts", "there are no accounts; make the first with: kins annotate user add NAME")
