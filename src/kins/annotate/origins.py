"""How far objects are still like the proposals that they were made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.operations import Ring, Thing
from kins.annotate.painting import masks_of
from kins.masks import Mask


def likeness(rings: tuple[Ring, ...], proposal: dict[str, Any] | None, width: int, height: int) -> float:
    """IoU of an object's whole outline with the mask of a proposal (run lengths); 0 where one has no pixel."""
    (now,) = masks_of([rings], width, height)
    then = Mask.empty(height, width) if proposal is None else Mask.from_rle(proposal)
    common = (now & then).area
    return common / (now.area + then.area - common) if common else 0.0


def with_likeness(connection: sa.Connection, things: Iterable[Thing], width: int, height: int) -> list[Thing]:
    """The objects of a layer, in the origin of those that were proposals the IoU as they are now."""
    found, table = list(things), tables.proposal
    named = {thing.origin.proposal for thing in found} - {None}
    if not named:
        return found
    query = sa.select(table.c.id, table.c.amodal).where(table.c.id.in_(named))
    masks = {row.id: row.amodal for row in connection.execute(query)}
    return [_told(thing, masks, width, height) for thing in found]


def _told(thing: Thing, masks: dict[int, Any], width: int, height: int) -> Thing:
    if thing.origin.proposal not in masks:
        return thing
    iou = round(likeness(thing.rings, masks[thing.origin.proposal], width, height), 4)
    return msgspec.structs.replace(thing, origin=msgspec.structs.replace(thing.origin, iou=iou))


def mean_likeness(connection: sa.Connection, project_id: int, most: int) -> dict[int, tuple[int, float]]:
    """Of each annotator, how many objects were proposals and their mean IoU; of the newest layers' `most` objects."""
    thing, layer, image, table = tables.object_, tables.layer, tables.image, tables.proposal
    query = (
        sa.select(layer.c.user, thing.c.rings, table.c.amodal, image.c.width, image.c.height)
        .join(layer, layer.c.id == thing.c.layer)
        .join(image, image.c.id == layer.c.image)
        .join(table, table.c.id == thing.c.origin["proposal"].as_integer())
        .where(image.c.project == project_id, layer.c.kind == "person")
        .order_by(layer.c.id.desc(), thing.c.place)
        .limit(most)
    )
    found: dict[int, list[float]] = {}
    for user, rings, amodal, width, height in connection.execute(query):
        outline = msgspec.convert(rings, tuple[Ring, ...])
        found.setdefault(user, []).append(likeness(outline, amodal, width, height))
    return {user: (len(shares), sum(shares) / len(shares)) for user, shares in found.items()}
