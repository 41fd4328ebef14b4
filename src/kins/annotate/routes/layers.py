"""Layers: what is in them, operations, masks, and when they are done."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call, json, kept
from kins.annotate.contents import frame_of, set_image_state, settings_of, update_image_state
from kins.annotate.findings import findings_of
from kins.annotate.layers import told
from kins.annotate.operations import History, Operation
from kins.annotate.painting import hidden_share
from kins.annotate.routes.images import told_layer

RUN = secrets.token_hex(8)
"""Of this start of the server: what a browser keeps of another kins or database at this port is not taken."""


class _Batch(msgspec.Struct):
    base: int
    operations: list[Operation]


class _State(msgspec.Struct):
    state: Literal["done", "open", "set aside"]
    reason: str = ""
    answers: list[bool] = []


def layer(call: Call) -> Response:
    """All of one, or 304 where the browser has this revision of it."""
    with call.store.read() as connection:
        row, image, role = call.layer(connection, call.path("layer"))
        known = call.shop.layers.history(connection, row.id)
        frame = frame_of(connection, image)
        kinds, ahead = sorted(frame.categories.items()), sorted(frame.ahead)
        depends = (
            *(RUN, row.created, row.state, call.may_change(row, role)),
            *(known.undo, known.redo, sorted(known.gone.items()), kinds, ahead, sorted(frame.proposals)),
        )
        name = f"{known.revision}-{hashlib.sha256(repr(depends).encode()).hexdigest()[:32]}"
        return kept(call.request, name, lambda: json(told_layer(call, connection, row, image)), "private, no-cache")


def append(call: Call) -> Any:
    """Add operations; answered when they are on the disk."""
    given = call.read(_Batch)
    with call.store.write() as connection:
        row, image, _ = call.layer(connection, call.path("layer"), mine=True)
        frame = frame_of(connection, image)
        known = call.shop.layers.history(connection, row.id).revision
        accepted = call.shop.layers.append(connection, row, frame, given.base, given.operations)
        if accepted.history.revision > known:
            _require_open(row, image, given.operations)
            if image.state == "to do":
                update_image_state(connection, image)
    call.shop.layers.keep(row.id, accepted.history)
    return {
        "revision": accepted.history.revision,
        "accepted": accepted.ids,
        "pairs": accepted.pairs,
        "undo": accepted.history.undo,
        "redo": accepted.history.redo,
    }


def _require_open(layer: Any, image: Any, batch: list[Operation]) -> None:
    if layer.state != "open" or image.state == "reviewed":
        which = batch[0].id if batch else None
        raise AnswerError(422, "closed", "this layer is done or set aside; open it again first", which=which)


def history(call: Call) -> dict[str, Any]:
    """Operations after a revision."""
    with call.store.read() as connection:
        row, _, role = call.layer(connection, call.path("layer"))
        if row.user != call.user and role not in ("reviewer", "owner"):
            raise AnswerError(403, "forbidden", "only its annotator and reviewers see a layer's history")
        return {"operations": told(connection, row.id, call.number("after", 0) or 0)}


def masks(call: Call) -> dict[str, Any]:
    """Both masks of each object, and what is wrong."""
    with call.store.read() as connection:
        row, image, _ = call.layer(connection, call.path("layer"))
        frame = frame_of(connection, image)
        history = call.shop.layers.history(connection, row.id)
    painted = call.shop.layers.painted(row.id, history, frame)
    objects = [
        {"id": name, "amodal": _rle(whole), "inmodal": _rle(seen), "hidden": hidden_share(whole, seen)}
        for name, whole, seen in zip(painted.ids, painted.amodal, painted.inmodal, strict=True)
    ]
    findings = [*findings_of(history.state, painted, image), *_imported_otherwise(history)]
    return {"revision": history.revision, "objects": objects, "findings": findings}


def _imported_otherwise(history: History) -> list[dict[str, Any]]:
    """That visible masks are not quite those of the file they came from."""
    if not history.differs:
        return []
    text = f"the visible masks differ from those of the imported file by {history.differs} pixels along outlines"
    return [{"severity": "warning", "text": text}]


def _rle(mask: Any) -> dict[str, Any]:
    return {"size": [mask.height, mask.width], "counts": mask.counts}


def change_state(call: Call) -> Any:
    """Done, open again, or set aside."""
    given = call.read(_State)
    with call.store.write() as connection:
        row, image, _ = call.layer(connection, call.path("layer"), mine=True)
        if image.state == "reviewed":
            raise AnswerError(422, "closed", "this image was reviewed; a reviewer can send it back", findings=[])
        if given.state == "set aside" and not given.reason.strip():
            raise AnswerError(422, "no-reason", "say why this image is set aside", findings=[])
        if given.state == "done":
            _require_answers(connection, image, given.answers)
            require_finished(call, connection, row, image)
        done = tables.now() if given.state == "done" else None
        values = {"state": given.state, "reason": given.reason.strip()[:2000] or None, "done": done}
        connection.execute(sa.update(tables.layer).where(tables.layer.c.id == row.id).values(**values))
        if given.state == "set aside":
            set_image_state(connection, image.id, "set aside")
        else:
            if image.state == "set aside":
                set_image_state(connection, image.id, "in work")
            image = connection.execute(sa.select(tables.image).where(tables.image.c.id == image.id)).one()
            update_image_state(connection, image)
        row = connection.execute(sa.select(tables.layer).where(tables.layer.c.id == row.id)).one()
        return json(told_layer(call, connection, row, image))


def _require_answers(connection: sa.Connection, image: Any, answers: list[bool]) -> None:
    questions = settings_of(connection, image.project).get("questions", [])
    if answers.count(True) < len(questions):
        raise AnswerError(422, "questions", "tick the project's questions first", findings=[])


def require_finished(call: Call, connection: sa.Connection, row: Any, image: Any) -> None:
    """Raises AnswerError 422 with what is left to do."""
    frame = frame_of(connection, image)
    known = call.shop.layers.history(connection, row.id)
    painted = call.shop.layers.painted(row.id, known, frame)
    found = findings_of(known.state, painted, image)
    if errors := [finding for finding in found if finding["severity"] == "error"]:
        text = f"{len(errors)} thing{'s' if len(errors) > 1 else ''} to do first: {errors[0]['text']}"
        raise AnswerError(422, "unfinished", text, findings=found)
