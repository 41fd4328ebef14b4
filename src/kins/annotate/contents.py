"""What routes and exports both ask of the database, and how layers are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.operations import Frame, History, Thing
from kins.annotate.painting import Direction

STATES = ("to do", "in work", "done", "reviewed", "set aside")
"""Of an image."""
MODEL, CONSENSUS, FORMER = "model", "consensus", "former"
"""Kinds of layers that are no person's: a network's, what the majority says, and what another took the place of."""
ASSISTANCE = 0.9
"""Share of a project's images that show proposals, if its settings say no other."""


def categories(connection: sa.Connection, project_id: int) -> dict[int, Any]:
    """Rows by id, without those that were removed."""
    table = tables.category
    own = sa.select(table).where(table.c.project == project_id, table.c.gone.is_(None))
    return {row.id: row for row in connection.execute(own.order_by(table.c.id))}


def frame_of(connection: sa.Connection, image: Any) -> Frame:
    """What operations of the image's layers may refer to: removed categories, too, for a page may not know yet."""
    category, table = tables.category, tables.proposal
    listed = sa.select(category.c.id, category.c.is_occluder).where(category.c.project == image.project)
    kinds = {row.id: row.is_occluder for row in connection.execute(listed)}
    columns = (table.c.id, table.c.source, table.c.number, table.c.farther)
    rows = connection.execute(sa.select(*columns).where(table.c.image == image.id)).all()
    ahead = frozenset((nearer, other) for nearer, others in farther_of(rows).items() for other in others)
    return Frame(image.width, image.height, kinds, frozenset(row.id for row in rows), ahead)


def farther_of(proposals: Iterable[Any]) -> dict[int, list[int]]:
    """The ids of the proposals that each is in front of, by the order of their file."""
    rows = list(proposals)
    known = {(row.source, row.number): row.id for row in rows}
    return {row.id: [known[row.source, number] for number in row.farther or ()] for row in rows}


def hiding_only(frame: Frame) -> list[int]:
    """The categories that only hide."""
    return [name for name, only_hides in frame.categories.items() if only_hides]


def layer_json(
    layer: Any, history: History, pairs: tuple[Direction, ...], mine: bool, objects: list[Thing]
) -> dict[str, Any]:
    """A layer as the page has it."""
    state = history.state
    directions = {frozenset((pair.nearer, pair.farther)): pair for pair in pairs}
    return {
        "id": layer.id,
        "image": layer.image,
        "user": layer.user,
        "kind": layer.kind,
        "revision": history.revision,
        "state": layer.state,
        "mine": mine,
        "objects": objects,
        "pairs": pairs,
        "exceptions": [
            msgspec.structs.replace(known, nearer=pair.nearer, farther=pair.farther)
            if (pair := directions.get(frozenset((known.nearer, known.farther))))
            else known
            for known in state.exceptions.values()
        ],
        "undo": history.undo,
        "redo": history.redo,
    }


def update_image_state(connection: sa.Connection, image: Any) -> str:
    """Set the state that follows from the layers of people; what a reviewer or annotator said otherwise stays.

    An image is in work from the first operation on, and done when every annotator it was given to is done, and as many
    as the project asks for.
    """
    if image.state in ("reviewed", "set aside"):
        return str(image.state)
    layer = tables.layer
    rows = connection.execute(sa.select(layer).where(layer.c.image == image.id, layer.c.kind == "person")).all()
    done = {row.user for row in rows if row.state == "done"}
    assignment = tables.assignment
    given = set(connection.scalars(sa.select(assignment.c.user).where(assignment.c.image == image.id)))
    wanted = int(settings_of(connection, image.project).get("annotators", 1))
    if len(done) >= wanted and given <= done:
        state = "done"
    else:
        started = done or any(row.state == "set aside" for row in rows) or _touched(connection, image.id)
        state = "in work" if started else "to do"
    set_image_state(connection, image.id, state)
    return state


def set_image_state(connection: sa.Connection, image_id: int, state: str) -> None:
    """Whatever the layers are."""
    connection.execute(sa.update(tables.image).where(tables.image.c.id == image_id).values(state=state))


def settings_of(connection: sa.Connection, project_id: int) -> dict[str, Any]:
    """The project's settings."""
    return dict(connection.scalar(sa.select(tables.project.c.settings).where(tables.project.c.id == project_id)) or {})


def assisted(connection: sa.Connection, image: Any) -> bool:
    """Whether an image is among the share that is annotated with proposals: the same ones always."""
    share = settings_of(connection, image.project).get("assistance", ASSISTANCE)
    return bool((image.id * 2654435761 % 2**32) / 2**32 < share)


def assistance(connection: sa.Connection, image: Any) -> bool | None:
    """True where annotators saw proposals for an image, False where a project that has some shows none; else None."""
    table, pictures = tables.proposal, tables.image
    query = sa.select(table.c.id).limit(1)
    if assisted(connection, image):
        return True if connection.scalar(query.where(table.c.image == image.id)) is not None else None
    query = query.join(pictures, pictures.c.id == table.c.image).where(pictures.c.project == image.project)
    return None if connection.scalar(query) is None else False


def _touched(connection: sa.Connection, image_id: int) -> bool:
    """Whether a person did something in the image; what was imported does not count."""
    layer, operation = tables.layer, tables.operation
    query = (
        sa.select(operation.c.id)
        .join(layer, layer.c.id == operation.c.layer)
        .where(layer.c.image == image_id, layer.c.kind == "person", operation.c.kind != "import")
    )
    return connection.execute(query.limit(1)).first() is not None
