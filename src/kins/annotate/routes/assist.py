"""What helps an annotator: proposals, and completion of visible outlines."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call
from kins.annotate.checks import check_rings
from kins.annotate.contents import categories, frame_of, settings_of
from kins.annotate.operations import Frame, Ring
from kins.annotate.painting import Painted, masks_of, rings_of
from kins.errors import KinsError
from kins.masks import Mask
from kins.records import Image, Instance, Scene

_one_at_a_time = threading.Lock()


class _Rings(msgspec.Struct):
    rings: tuple[Ring, ...]


def proposals(call: Call) -> list[dict[str, Any]]:
    """Those for an image; none for the share of images that a project wants annotated without."""
    with call.store.read() as connection:
        image, _ = call.image(connection, call.path("image"), "annotator")
        if not assisted(image.id, settings_of(connection, image.project).get("assistance", 1.0)):
            return []
        names = {row.name: row.id for row in categories(connection, image.project).values()}
        table = tables.proposal
        rows = connection.execute(sa.select(table).where(table.c.image == image.id).order_by(table.c.id)).all()
        states = _states(call, connection, image.id)
    return [
        {
            "id": row.id,
            "category": names.get(row.category_name),
            "category_name": row.category_name,
            "score": row.score,
            "rings": rings_of(Mask.from_rle(row.amodal)) if row.amodal else [],
            "visible": rings_of(Mask.from_rle(row.inmodal)) if row.inmodal else None,
            "state": states.get(row.id, "open"),
        }
        for row in rows
    ]


def assisted(image_id: int, share: float) -> bool:
    """Whether an image is among the share that is annotated with assistance: the same ones always."""
    return (image_id * 2654435761 % 2**32) / 2**32 < share


def _states(call: Call, connection: sa.Connection, image_id: int) -> dict[int, str]:
    layer = tables.layer
    own = sa.select(layer.c.id).where(layer.c.image == image_id, layer.c.user == call.user, layer.c.kind == "person")
    found = connection.scalar(own)
    return {} if found is None else call.shop.layers.history(connection, found).state.proposals


def complete(call: Call) -> dict[str, Any]:
    """The whole of an object by what is seen of it: the given rings, and others for what lies under other objects."""
    given = call.read(_Rings)
    with call.store.read() as connection:
        row, image, role = call.layer(connection, call.path("layer"))
        if not call.may_change(row, role):
            raise AnswerError(403, "forbidden", "only its annotator completes objects of a layer")
        frame = frame_of(connection, image)
        check_rings(given.rings, frame)
        history = call.shop.layers.history(connection, row.id)
    painted = call.shop.layers.painted(row.id, history, frame)
    (seen,) = masks_of([given.rings], frame.width, frame.height)
    if not seen:
        raise AnswerError(422, "outside", "the outline has no pixel inside of the image")
    whole = _completed(call, frame, painted, seen)
    return {"rings": [*given.rings, *rings_of(whole - seen)]}


def _completed(call: Call, frame: Frame, painted: Painted, seen: Mask) -> Mask:
    others = [mask - seen for mask in painted.inmodal]
    visible = [seen, *(mask for mask in others if mask)]
    found = tuple(Instance(n, 1, "object", inmodal=mask) for n, mask in enumerate(visible, 1))
    scene = Scene(Image(1, "layer", frame.height, frame.width), found)
    with _one_at_a_time:
        return _completer(call)(None, scene)[0].require("amodal")


def _completer(call: Call) -> Any:
    """Loaded when it is first asked for: it brings torch."""
    if call.shop.completer is None:
        try:
            from kins.complete import Completer

            call.shop.completer = Completer.load("completion")
        except (KinsError, ImportError) as error:
            raise AnswerError(422, "no-network", f"no network to complete with is installed: {error}") from None
    return call.shop.completer
