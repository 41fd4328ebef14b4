"""Several annotators of one image: where they agree, what becomes of it, and what people say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call, missing_as, not_found
from kins.annotate.collected import Kept, dataset_of, kept, names_of, network_layers, person_layers
from kins.annotate.contents import CONSENSUS, FORMER, MODEL, set_image_state, update_image_state
from kins.annotate.folders import folder_of
from kins.annotate.imports import payload_of
from kins.annotate.routes.images import told_layer
from kins.annotate.routes.layers import require_finished
from kins.masks import ious
from kins.records import Instance
from kins.statistics import consensus as majority
from kins.statistics.agreement import same_objects

ALIKE = 0.75
"""Amodal IoU from which on annotators agree on an outline."""


class _Again(msgspec.Struct):
    again: bool = False


class _Review(msgspec.Struct):
    layer: int
    verdict: Literal["accept", "send back"]
    text: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


class _Comment(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    x: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    y: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    object: Annotated[str, msgspec.Meta(max_length=36)] | None = None


class _Resolved(msgspec.Struct):
    resolved: bool


def agreement(call: Call) -> dict[str, Any]:
    """The objects of all annotators side by side, and what each says of who is nearer."""
    with call.store.read() as connection:
        image, _ = call.image(connection, call.path("image"), "reviewer")
        found = _kept_all(call, connection, image, network_layers(connection, image.id))
    if len(found) < 2:
        return {"layers": _told(found), "objects": [], "pairs": []}
    owner = {i.id: (k, n) for k, one in enumerate(found) for n, i in enumerate(one.scene)}
    groups = [
        {owner[member.id][0]: owner[member.id][1] for member in members}
        for members in same_objects([one.scene for one in found])
    ]
    objects = [_compared(found, group) for group in groups]
    return {"layers": _told(found), "objects": objects, "pairs": _pairs(found, groups)}


def _kept_all(call: Call, connection: sa.Connection, image: Any, more: Sequence[Any] = ()) -> list[Kept]:
    """The layers of people, and more (rows); ids of instances differ throughout."""
    names, found, following = names_of(connection, image.project), [], 1
    for row in [*person_layers(connection, image.id), *more]:
        found.append(kept(connection, call.shop.layers, row, image, names, following))
        following += len(found[-1].scene)
    return found


def _told(found: list[Kept]) -> list[dict[str, Any]]:
    return [{"id": one.layer.id, "user": one.layer.user, "kind": one.layer.kind} for one in found]


def _compared(found: list[Kept], group: dict[int, int]) -> dict[str, Any]:
    """One object: who has it, the least IoU between two of them, their classes, and whether all agree."""
    members: dict[int, Instance] = {k: found[k].scene[n] for k, n in group.items()}
    masks = [member.require("amodal") for member in members.values()]
    least = float(ious(masks, masks).min())
    classes = [member.category for member in members.values()]
    agree = len(group) == len(found) and len(set(classes)) == 1 and least >= ALIKE
    named = {str(found[k].layer.id): found[k].objects[n] for k, n in group.items()}
    return {"members": named, "iou": least if len(group) > 1 else None, "classes": classes, "agree": agree}


def _pairs(found: list[Kept], groups: list[dict[int, int]]) -> list[dict[str, Any]]:
    """Of objects (indices of `objects`) that overlap for someone, who is nearer for each annotator."""
    told = []
    ahead = [_ahead(one) for one in found]
    for a, b in combinations(range(len(groups)), 2):
        says: dict[str, str | None] = {}
        for k in groups[a].keys() & groups[b].keys():
            i, j = groups[a][k], groups[b][k]
            says[str(found[k].layer.id)] = "a>b" if ahead[k][i, j] else "b>a" if ahead[k][j, i] else None
        if any(says.values()):
            told.append({"a": a, "b": b, "says": dict(sorted(says.items()))})
    return told


def _ahead(one: Kept) -> Any:
    """(n, n) who is nearer, of those that overlap by more than rounding, for the scene's instances."""
    index = {name: n for n, name in enumerate(one.objects)}
    matrix = np.zeros((len(index),) * 2, bool)
    for pair in one.painted.pairs:
        if pair.nearer in index and pair.farther in index:
            matrix[index[pair.nearer], index[pair.farther]] = True
    return matrix


def consensus(call: Call) -> dict[str, Any]:
    """A layer of what more than half of the annotators say: made if there is none, or again if asked to."""
    given = call.read(_Again)
    with call.store.write() as connection:
        image, _ = call.image(connection, call.path("image"), "reviewer")
        layer = tables.layer
        query = sa.select(layer).where(layer.c.image == image.id, layer.c.kind == CONSENSUS)
        row = connection.execute(query).one_or_none()
        if row is not None and given.again:
            connection.execute(sa.update(layer).where(layer.c.id == row.id).values(kind=FORMER))
            row = None
        if row is None:
            payload = _majority(call, connection, image)
            connection.execute(sa.insert(layer), {"image": image.id, "user": None, "kind": CONSENSUS})
            row = connection.execute(query).one()
            call.shop.layers.begin(connection, row.id, payload)
            call.note(connection, "consensus", f"image {image.id}")
        return told_layer(call, connection, row, image)


def _majority(call: Call, connection: sa.Connection, image: Any) -> dict[str, Any]:
    found = _kept_all(call, connection, image)
    if sum(one.layer.state == "done" for one in found) < 2:
        raise AnswerError(422, "too-few", "a consensus takes at least two annotators who are done")
    names = names_of(connection, image.project)
    folder = folder_of(call.store, connection, image.project)
    scene = majority([dataset_of([one.scene], names, folder) for one in found])[image.file]
    return payload_of(connection, image.project, scene, {name: key for key, name in names.names.items()})


def review(call: Call) -> dict[str, Any]:
    """Accept a layer, or send the image back with a comment."""
    given = call.read(_Review)
    with call.store.write() as connection:
        image, _ = call.image(connection, call.path("image"), "reviewer")
        layer = tables.layer
        row = connection.execute(sa.select(layer).where(layer.c.id == given.layer)).one_or_none()
        if row is None or row.image != image.id:
            raise not_found("layer")
        if row.kind == MODEL:
            raise AnswerError(422, "network", "the layer of a network is there to be compared with, not to be reviewed")
        if given.verdict == "accept":
            if row.kind == "person" and row.state != "done":
                raise AnswerError(422, "not-done", "its annotator is not done with this layer")
            require_finished(call, connection, row, image)
            set_image_state(connection, image.id, "reviewed")
        else:
            if not given.text.strip():
                raise AnswerError(422, "no-text", "say what is to be changed")
            connection.execute(sa.update(layer).where(layer.c.id == row.id).values(state="open", done=None))
            set_image_state(connection, image.id, "in work")
            image = connection.execute(sa.select(tables.image).where(tables.image.c.id == image.id)).one()
            update_image_state(connection, image)
        values = {"verdict": given.verdict, "text": given.text.strip()}
        connection.execute(sa.insert(tables.review), {"image": image.id, "layer": row.id, "user": call.user, **values})
        call.note(connection, "review", f"image {image.id}: {given.verdict}")
        state = connection.scalar(sa.select(tables.image.c.state).where(tables.image.c.id == image.id))
    return {"image": image.id, "layer": given.layer, "state": state, **values}


def comments(call: Call) -> list[dict[str, Any]]:
    """Of an image, reviews that sent it back among them, the oldest first."""
    with call.store.read() as connection:
        image, _ = call.image(connection, call.path("image"), "annotator")
        comment, review, user = tables.comment, tables.review, tables.user
        query = sa.select(comment, user.c.name).join(user, user.c.id == comment.c.user)
        rows = connection.execute(query.where(comment.c.image == image.id).order_by(comment.c.id)).all()
        sent = sa.select(review, user.c.name).join(user, user.c.id == review.c.user)
        sent = sent.where(review.c.image == image.id, review.c.verdict == "send back")
        returned = connection.execute(sent.order_by(review.c.id)).all()
    names = ("id", "text", "x", "y", "object", "resolved", "user", "name")
    told = [{n: row._mapping[n] for n in names} | {"time": row.created.isoformat() + "Z"} for row in rows]
    told += [
        {"id": None, "text": row.text, "user": row.user, "name": row.name, "time": row.created.isoformat() + "Z"}
        for row in returned
    ]
    return sorted(told, key=lambda one: one["time"])


def comment(call: Call) -> dict[str, Any]:
    """Say something about an image, at a place or of an object."""
    given = call.read(_Comment)
    with call.store.write() as connection:
        image, _ = call.image(connection, call.path("image"), "annotator")
        values = {"image": image.id, "user": call.user, **msgspec.to_builtins(given)}
        made = connection.execute(sa.insert(tables.comment), values)
    return {"id": made.inserted_primary_key[0], **msgspec.to_builtins(given)}  # type: ignore[index]


def resolve(call: Call) -> dict[str, Any]:
    """Whether a comment is dealt with."""
    given, table = call.read(_Resolved), tables.comment
    with call.store.write() as connection:
        row = call.row(connection, table, "comment")
        with missing_as("comment"):
            call.image(connection, row.image, "annotator")
        connection.execute(sa.update(table).where(table.c.id == row.id).values(resolved=given.resolved))
    return {"id": row.id, "resolved": given.resolved}
