"""What helps an annotator: proposals, and completion of visible outlines."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call
from kins.annotate.checks import check_rings
from kins.annotate.contents import assisted, categories, farther_of, frame_of
from kins.annotate.folders import folder_of
from kins.annotate.imports import add_proposals
from kins.annotate.operations import Frame, Ring, key
from kins.annotate.painting import masks_of, rings_of
from kins.errors import KinsError
from kins.files import inside
from kins.files.pictures import read_picture
from kins.masks import Mask
from kins.records import Image, Instance, Scene

LEAST_SCORE = 0.3
"""Of what a network finds; less likely ones take longer to put away than to draw."""
_one_at_a_time = threading.Lock()


class _Seen(msgspec.Struct):
    rings: tuple[Ring, ...]
    object: str | None = None


def proposals(call: Call) -> list[dict[str, Any]]:
    """Those for an image; none for the share of images that a project wants annotated without."""
    with call.store.read() as connection:
        image, _ = call.image(connection, call.path("image"), "annotator")
        if not assisted(connection, image):
            return []
        names = {row.name: row.id for row in categories(connection, image.project).values()}
        table = tables.proposal
        rows = connection.execute(sa.select(table).where(table.c.image == image.id).order_by(table.c.id)).all()
        states, farther = _states(call, connection, image.id), farther_of(rows)
    return [
        {
            "id": row.id,
            "category": names.get(row.category_name),
            "category_name": row.category_name,
            "score": row.score,
            "rings": rings_of(Mask.from_rle(row.amodal)) if row.amodal else [],
            "visible": rings_of(Mask.from_rle(row.inmodal)) if row.inmodal else None,
            "state": states.get(row.id, "open"),
            "farther": farther[row.id],
        }
        for row in rows
    ]


def find(call: Call) -> list[dict[str, Any]]:
    """What the network of the server finds in an image, added to its proposals, once; all of these."""
    with call.store.read() as connection:
        image, _ = call.image(connection, call.path("image"), "annotator")
        folder = folder_of(call.store, connection, image.project)
    if call.shop.network is None:
        raise AnswerError(422, "no-network", "no network finds objects here; start kins annotate with --with WEIGHTS")
    with _one_at_a_time:
        with call.store.read() as connection:
            wanted = may_find(call, connection, image)
        if wanted:
            pixels = read_picture(inside(folder, image.file), (image.height, image.width))
            add_proposals(call.store, image, _predictor(call)(pixels), source_of(call))
    return proposals(call)


def may_find(call: Call, connection: sa.Connection, image: Any) -> bool:
    """Whether the server has a network, and the image has no proposals of it and is to have some."""
    if call.shop.network is None or not assisted(connection, image):
        return False
    table = tables.proposal
    own = (table.c.image == image.id, table.c.source == source_of(call))
    return connection.scalar(sa.select(table.c.id).where(*own).limit(1)) is None


def source_of(call: Call) -> str:
    """What proposals of the server's network come from."""
    return Path(call.shop.network or "").name[:200]


def _predictor(call: Call) -> Any:
    """Loaded when it is first asked for: it brings torch."""
    if call.shop.predictor is None:
        try:
            from kins.predict.files import load_predictor

            call.shop.predictor = load_predictor(call.shop.network or "", score_threshold=LEAST_SCORE)
        except (KinsError, ImportError) as error:
            raise AnswerError(422, "no-network", f"the network can't be used: {error}") from None
    return call.shop.predictor


def _states(call: Call, connection: sa.Connection, image_id: int) -> dict[int, str]:
    layer = tables.layer
    own = sa.select(layer.c.id).where(layer.c.image == image_id, layer.c.user == call.user, layer.c.kind == "person")
    found = connection.scalar(own)
    return {} if found is None else call.shop.layers.history(connection, found).state.proposals


def complete(call: Call) -> dict[str, Any]:
    """The whole of an object by what is seen of it: the given rings, others for what lies under other objects, and
    which objects those are. Nothing is added under objects that are said to be farther."""
    given = call.read(_Seen)
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
    others = {name: mask - seen for name, mask in zip(painted.ids, painted.inmodal, strict=True)}
    others = {name: mask for name, mask in others.items() if mask and name != given.object}
    hidden = _completed(call, frame, seen, list(others.values())) - seen
    for name, mask in others.items():
        said = history.state.pairs.get(key(given.object or "", name))
        hidden = hidden if said is None or said.nearer == name else hidden - mask
    only_hide = {name for name, hides in zip(painted.ids, painted.occluders, strict=True) if hides}
    nearer = [name for name, mask in others.items() if name not in only_hide and hidden & mask]
    return {"rings": [*given.rings, *rings_of(hidden)], "nearer": nearer}


def _completed(call: Call, frame: Frame, seen: Mask, others: list[Mask]) -> Mask:
    """The whole of what is seen, beside the visible masks of others."""
    found = tuple(Instance(n, 1, "object", inmodal=mask) for n, mask in enumerate([seen, *others], 1))
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
