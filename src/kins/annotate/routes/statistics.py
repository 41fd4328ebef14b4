"""How far a project is, and how its annotators compare."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import Call
from kins.annotate.collected import kept, names_of
from kins.annotate.contents import MODEL
from kins.annotate.exports import NETWORK
from kins.annotate.origins import mean_likeness
from kins.errors import KinsError
from kins.records import Dataset
from kins.statistics import compare

LONGEST_PAUSE = 60_000
"""Milliseconds between two actions that count as work at most; longer ones were something else."""
MOST_COMPARED = 500
"""Images of two annotators that are compared at most: the newest."""
MOST_PROPOSED = 2000
"""Objects that are compared with the proposals that they were at most: the newest."""


def statistics(call: Call) -> dict[str, Any]:
    """Of each annotator: images done, objects, minutes an object, how many were proposals and their mean IoU with these
    as they are now; and the agreement of each two."""
    project_id = call.path("project")
    with call.store.read() as connection:
        call.role(connection, project_id, "reviewer")
        annotators = _annotators(connection, project_id)
        agreement = _agreement(call, connection, project_id, annotators)
    return {"annotators": list(annotators.values()), "agreement": agreement}


def _annotators(connection: sa.Connection, project_id: int) -> dict[int, dict[str, Any]]:
    layer, image, user = tables.layer, tables.image, tables.user
    mine = layer.join(image, image.c.id == layer.c.image).join(user, user.c.id == layer.c.user)
    where = (image.c.project == project_id, layer.c.kind == "person")
    done = sa.func.sum(sa.case((layer.c.state == "done", 1), else_=0))
    query = sa.select(user.c.id, user.c.name, sa.func.count(), done).select_from(mine).where(*where)
    found = {}
    for user_id, name, layers, finished in connection.execute(query.group_by(user.c.id, user.c.name)):
        found[user_id] = {"id": user_id, "name": name, "images": layers, "done": int(finished or 0)}
    counts = (_objects(mine, where), _seconds(mine, where))
    objects, milliseconds = ({key: int(n or 0) for key, n in connection.execute(query)} for query in counts)
    for user_id, row in found.items():
        row["objects"], minutes = objects.get(user_id, 0), milliseconds.get(user_id, 0) / 60_000
        row["minutes"] = round(minutes, 2)
        row["minutes_an_object"] = round(minutes / row["objects"], 3) if row["objects"] else None
    proposed = mean_likeness(connection, project_id, MOST_PROPOSED)
    for user_id, row in found.items():
        row["from_proposals"], iou = proposed.get(user_id, (0, None))
        row["iou_with_proposals"] = None if iou is None else round(iou, 3)
    return found


def _objects(mine: Any, where: tuple[Any, ...]) -> sa.Select[Any]:
    thing, layer, user = tables.object_, tables.layer, tables.user
    query = sa.select(user.c.id, sa.func.count()).select_from(mine.join(thing, thing.c.layer == layer.c.id))
    return query.where(*where).group_by(user.c.id)


def _seconds(mine: Any, where: tuple[Any, ...]) -> sa.Select[Any]:
    operation, layer, user = tables.operation, tables.layer, tables.user
    pause = sa.case((operation.c.pause > LONGEST_PAUSE, LONGEST_PAUSE), else_=operation.c.pause)
    query = sa.select(user.c.id, sa.func.sum(pause)).select_from(mine.join(operation, operation.c.layer == layer.c.id))
    return query.where(*where).group_by(user.c.id)


def _agreement(
    call: Call, connection: sa.Connection, project_id: int, annotators: dict[int, dict[str, Any]]
) -> list[dict[str, Any]]:
    """What kins agree says of each two, a network among them, on images that both are done with."""
    layer, image = tables.layer, tables.image
    query = sa.select(layer).join(image, image.c.id == layer.c.image).where(image.c.project == project_id)
    done: dict[int, dict[int, Any]] = {}
    for row in connection.execute(query.where(layer.c.kind.in_(("person", MODEL)), layer.c.state == "done")):
        done.setdefault(row.user or 0, {})[row.image] = row
    names = {user: row["name"] for user, row in annotators.items()} | {0: NETWORK}
    told = []
    for first, second in combinations(sorted(done), 2):
        common = sorted(done[first].keys() & done[second].keys())[-MOST_COMPARED:]
        if not common:
            continue
        try:
            one, other = (
                _dataset(call, connection, project_id, [done[user][i] for i in common]) for user in (first, second)
            )
            found = compare(one, other, (names[first], names[second]))
            told.append(found.as_json())
        except KinsError as error:
            told.append({"first": names[first], "second": names[second], "error": str(error)})
    return told


def _dataset(call: Call, connection: sa.Connection, project_id: int, rows: list[Any]) -> Dataset:
    names = names_of(connection, project_id)
    image, scenes = tables.image, []
    for row in rows:
        picture = connection.execute(sa.select(image).where(image.c.id == row.image)).one()
        scenes.append(kept(connection, call.shop.layers, row, picture, names).scene)
    return Dataset.from_scenes(scenes, {names.numbers[key]: name for key, name in names.names.items()})
