"""Projects and their images."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import Call
from kins.annotate.contents import STATES
from kins.annotate.folders import find_new, folder_of

PAGE = 100
MOST_PAGE = 1000


def projects(call: Call) -> list[dict[str, Any]]:
    """Those of the user."""
    with call.store.read() as connection:
        member, project = tables.member, tables.project
        rows = connection.execute(
            sa.select(project, member.c.role)
            .join(member, member.c.project == project.c.id)
            .where(member.c.user == call.user)
            .order_by(project.c.id)
        ).all()
        return [told_project(connection, row) for row in rows]


def project(call: Call) -> dict[str, Any]:
    """One."""
    with call.store.read() as connection:
        role = call.role(connection, call.path("project"), "viewer")
        table = tables.project
        row = connection.execute(
            sa.select(table, sa.literal(role).label("role")).where(table.c.id == call.path("project"))
        ).one()
        return told_project(connection, row)


def told_project(connection: sa.Connection, row: Any) -> dict[str, Any]:
    """A project, of a row that has the user's role beside the table's columns."""
    image = tables.image
    counted = connection.execute(
        sa.select(image.c.state, sa.func.count()).where(image.c.project == row.id).group_by(image.c.state)
    )
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "guidelines": row.guidelines,
        "settings": row.settings,
        "counts": dict.fromkeys(STATES, 0) | dict(iter(counted)),
    }


def images(call: Call) -> dict[str, Any]:
    """A part of the list, and where the next part begins."""
    image, layer, thing = tables.image, tables.layer, tables.object_
    limit = call.number("limit", PAGE, MOST_PAGE) or PAGE
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "viewer")
        mine = sa.select(layer.c.id).where(
            layer.c.image == image.c.id, layer.c.user == call.user, layer.c.kind == "person"
        )
        count = (
            sa.select(sa.func.count())
            .select_from(thing.join(layer, thing.c.layer == layer.c.id))
            .where(layer.c.image == image.c.id, layer.c.user == call.user, layer.c.kind == "person")
        )
        query = (
            sa.select(image, mine.scalar_subquery().label("layer"), count.scalar_subquery().label("objects"))
            .where(image.c.project == call.path("project"), image.c.id > (call.number("after", 0) or 0))
            .order_by(image.c.id)
            .limit(limit + 1)
        )
        rows = connection.execute(_narrowed(call, query)).all()
    names = ("id", "file", "width", "height", "state", "objects", "layer")
    found = [{name: row._mapping[name] for name in names} for row in rows[:limit]]
    return {"images": found, "next": found[-1]["id"] if len(rows) > limit else None}


def look_again(call: Call) -> dict[str, Any]:
    """Take in the pictures that came into the folder since."""
    project_id = call.path("project")
    with call.store.read() as connection:
        call.role(connection, project_id, "owner")
        folder = folder_of(call.store, connection, project_id)
    fresh, left_out = find_new(call.store, project_id, folder)
    return {"added": fresh, "left_out": left_out}


def _narrowed(call: Call, query: sa.Select[Any]) -> sa.Select[Any]:
    image, assignment = tables.image, tables.assignment
    state, user = call.request.query_params.get("state"), call.number("user")
    if state:
        query = query.where(image.c.state == state)
    if user is not None:
        query = query.where(image.c.id.in_(sa.select(assignment.c.image).where(assignment.c.user == user)))
    return query


def following(call: Call) -> dict[str, Any]:
    """The next image that the user has to work on, after one and then from the beginning."""
    after = call.number("after", 0) or 0
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "annotator")
        query = _mine_to_do(call).order_by(tables.image.c.priority.desc(), tables.image.c.id)
        found = connection.scalars(query).all()
    return {"image": next((i for i in found if i > after), next((i for i in found if i != after), None))}


def _mine_to_do(call: Call) -> sa.Select[Any]:
    """Images that the user is not done with: those given to the user, or all where none is given to anyone."""
    image, layer, assignment = tables.image, tables.layer, tables.assignment
    given = sa.select(assignment.c.image).where(assignment.c.user == call.user)
    anyone = (
        sa.select(assignment.c.id)
        .join(image, image.c.id == assignment.c.image)
        .where(image.c.project == call.path("project"))
    )
    finished = sa.select(layer.c.image).where(
        layer.c.user == call.user, layer.c.kind == "person", layer.c.state != "open"
    )
    return sa.select(image.c.id).where(
        image.c.project == call.path("project"),
        image.c.state.in_(("to do", "in work")),
        image.c.id.not_in(finished),
        sa.or_(image.c.id.in_(given), ~anyone.exists()),
    )
