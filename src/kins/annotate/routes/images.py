"""Images: the picture, its layers, proposals."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from kins.annotate import tables
from kins.annotate.calls import Call, kept
from kins.annotate.contents import assisted, frame_of, hiding_only, layer_json, settings_of
from kins.annotate.folders import folder_of
from kins.annotate.origins import with_likeness
from kins.annotate.painting import pairs_of
from kins.annotate.pictures import for_browser, scaled
from kins.annotate.routes.assist import may_find
from kins.files import inside, read_bytes

WIDEST = 4096
"""To which pictures are scaled on request."""


def image(call: Call) -> dict[str, Any]:
    """What is known of it, its layers as far as the user may see them, how many proposals are not shown, and whether a
    network can be asked for some."""
    with call.store.read() as connection:
        row, role = call.image(connection, call.path("image"))
        layer = tables.layer
        rows = connection.execute(sa.select(layer).where(layer.c.image == row.id).order_by(layer.c.id)).all()
        names = ("id", "user", "kind", "revision", "state")
        seen = [{n: r._mapping[n] for n in names} for r in rows if call.may_see(connection, r, role)]
        questions = settings_of(connection, row.project).get("questions", [])
        proposed = sa.select(sa.func.count()).where(tables.proposal.c.image == row.id)
        finds = may_find(call, connection, row) and role != "viewer"
        withheld = 0 if assisted(connection, row) else connection.scalar(proposed)
    found = {name: row._mapping[name] for name in ("id", "project", "file", "width", "height", "state")}
    return found | {"layers": seen, "questions": questions, "withheld": withheld, "network": finds}


def file(call: Call) -> Response:
    """The picture; scaled down to a width where the query has `w`."""
    width = call.number("w", most=WIDEST)
    with call.store.read() as connection:
        row, _ = call.image(connection, call.path("image"))
        folder = folder_of(call.store, connection, row.project)
    path = inside(folder, row.file)
    content = read_bytes(path)
    name = hashlib.sha256(content).hexdigest()
    if row.sha256 != name:
        with call.store.write() as connection:
            connection.execute(sa.update(tables.image).where(tables.image.c.id == row.id).values(sha256=name))
    if not width or width >= row.width:
        width = None

    def answer() -> Response:
        shown, kind = for_browser(path, content) if width is None else scaled(path, content, width)
        return Response(shown, media_type=kind)

    return kept(call.request, name if width is None else f"{name}-{width}", answer, "private, max-age=3600")


def my_layer(call: Call) -> dict[str, Any]:
    """The user's own layer, made if there is none."""
    with call.store.write() as connection:
        row, _ = call.image(connection, call.path("image"), "annotator")
        layer = tables.layer
        own = sa.select(layer).where(layer.c.image == row.id, layer.c.user == call.user, layer.c.kind == "person")
        found = connection.execute(own).one_or_none()
        if found is None:
            connection.execute(sa.insert(layer), {"image": row.id, "user": call.user})
            found = connection.execute(own).one()
        return told_layer(call, connection, found, row)


def told_layer(call: Call, connection: sa.Connection, layer: Any, image: Any) -> dict[str, Any]:
    """A layer as the page has it."""
    history = call.shop.layers.history(connection, layer.id)
    frame = frame_of(connection, image)
    pairs = pairs_of(history.state, frame.width, frame.height, hiding_only(frame), frame.ahead)
    mine = call.may_change(layer, call.role(connection, image.project, "viewer"))
    objects = with_likeness(connection, history.state.objects.values(), frame.width, frame.height)
    return layer_json(layer, history, pairs, mine, objects)
