"""The classes of a project."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call, not_found
from kins.annotate.contents import categories

MOST_CATEGORIES = 1000


class _Category(msgspec.Struct):
    name: str
    key: str | None = None
    colour: str | None = None
    is_occluder: bool = False


def list_categories(call: Call) -> list[dict[str, Any]]:
    """Of a project."""
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "viewer")
        return [_category(row) for row in categories(connection, call.path("project")).values()]


def add_category(call: Call) -> dict[str, Any]:
    """A new one, or the one that has this name."""
    given, project_id = call.read(_Category), call.path("project")
    name = _name(given)
    with call.store.write() as connection:
        call.role(connection, project_id, "annotator")
        known = categories(connection, project_id)
        if found := next((row for row in known.values() if row.name == name), None):
            return _category(found)
        if len(known) >= MOST_CATEGORIES:
            raise AnswerError(422, "too-many", f"a project has at most {MOST_CATEGORIES} categories")
        row = {"key": given.key, "colour": given.colour, "is_occluder": given.is_occluder}
        made = connection.execute(sa.insert(tables.category), {"project": project_id, "name": name, **row})
        return {"id": made.inserted_primary_key[0], "name": name, **row}  # type: ignore[index]


def change_category(call: Call) -> list[dict[str, Any]]:
    """Another name, key or colour; whether it only hides stays, since masks follow from that."""
    given, project_id, table = call.read(_Category), call.path("project"), tables.category
    name, changed = _name(given), call.number("category", 0)
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        known = categories(connection, project_id)
        if changed not in known:
            raise not_found("category")
        if any(row.name == name and row.id != changed for row in known.values()):
            raise AnswerError(422, "taken", f"another category has the name {name}")
        values = {"name": name, "key": given.key, "colour": given.colour}
        connection.execute(sa.update(table).where(table.c.id == changed).values(**values))
        return [_category(row) for row in categories(connection, project_id).values()]


def remove_category(call: Call) -> list[dict[str, Any]]:
    """A category that no object has; or the query's `into` takes its place, in all layers and also where an undo would
    bring objects of it back. What annotators did stays written as it was."""
    project_id, removed, into = call.path("project"), call.number("category", 0) or 0, call.number("into")
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        known = categories(connection, project_id)
        if removed not in known or (into is not None and into not in known):
            raise not_found("category")
        name = known[removed].name
        _require_free(connection, known, removed, into)
        _replace(connection, project_id, known, removed, into)
        instead = "nothing" if into is None else known[into].name
        call.note(connection, "category removed", f"{name} of project {project_id}: {instead} takes its place")
        return [_category(row) for row in categories(connection, project_id).values()]


def _require_free(connection: sa.Connection, known: dict[int, Any], removed: int, into: int | None) -> None:
    """Raises AnswerError where objects would lose their class, or become what hides only or no longer does."""
    name, thing = known[removed].name, tables.object_
    if into is None:
        own = sa.select(sa.func.count()).where(thing.c.category == removed)
        if objects := connection.scalar(own) or 0:
            are = "object is" if objects == 1 else "objects are"
            detail = f"{objects} {are} of the class {name}; say which class takes its place"
            raise AnswerError(422, "in-use", detail, objects=objects)
    elif into == removed:
        raise AnswerError(422, "malformed", f"{name} can't take its own place")
    elif known[into].is_occluder != known[removed].is_occluder:
        raise AnswerError(422, "unlike", f"of {name} and {known[into].name} one only hides; masks follow from that")


def _replace(connection: sa.Connection, project_id: int, known: dict[int, Any], removed: int, into: int | None) -> None:
    """Removed ones keep their rows, since operations name them, but not their names, which others may have."""
    table, thing, proposal, image = tables.category, tables.object_, tables.proposal, tables.image
    values = {"gone": into or 0, "name": f"removed {uuid.uuid4()}", "external": None}
    connection.execute(sa.update(table).where(table.c.id == removed).values(**values))
    connection.execute(sa.update(table).where(table.c.gone == removed).values(gone=into or 0))
    connection.execute(sa.update(thing).where(thing.c.category == removed).values(category=into))
    if into is not None:
        images = sa.select(image.c.id).where(image.c.project == project_id)
        named = (proposal.c.image.in_(images), proposal.c.category_name == known[removed].name)
        connection.execute(sa.update(proposal).where(*named).values(category_name=known[into].name))


def _name(given: _Category) -> str:
    name = " ".join(given.name.split())
    if not 1 <= len(name) <= 200 or len(given.key or "") > 20 or len(given.colour or "") > 20:
        raise AnswerError(
            422, "malformed", "a category has a name of 1 to 200 characters, a short key and a short colour"
        )
    return name


def _category(row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "key": row.key, "colour": row.colour, "is_occluder": row.is_occluder}
