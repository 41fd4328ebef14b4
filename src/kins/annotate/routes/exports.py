"""Exports: begun by a request, made in the background, fetched by another."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from starlette.responses import FileResponse, Response

from kins.annotate import tables
from kins.annotate.calls import AnswerError, Call, missing_as, not_found
from kins.annotate.contents import STATES
from kins.annotate.exports import NETWORK, Wanted, make
from kins.formats import FORMATS

WRITTEN = [*(name for name in FORMATS if name != "predictions"), "parquet", "yolo"]
"""Formats of exports."""
_one_at_a_time = threading.Lock()


class _Export(msgspec.Struct):
    format: str
    states: list[str] = []
    layers: str = "reviewed"
    masks: Literal["amodal", "inmodal"] = "amodal"
    polygons: bool = False
    occluders: bool = False


def begin(call: Call) -> dict[str, Any]:
    """Begin one."""
    given, project_id = call.read(_Export), call.path("project")
    if given.format not in WRITTEN:
        names = ", ".join(WRITTEN)
        raise AnswerError(422, "malformed", f"no format {given.format[:40]!r}; there are {names}")
    if set(given.states) - set(STATES):
        raise AnswerError(422, "malformed", f"states are {', '.join(STATES)}")
    with call.store.write() as connection:
        call.role(connection, project_id, "owner")
        known = ("reviewed", "consensus", NETWORK, "all", "mine")
        if given.layers not in known and not given.layers.startswith("user:"):
            raise AnswerError(422, "malformed", "layers are reviewed, consensus, network, all, mine, or user:NAME")
        options = msgspec.to_builtins(given)
        if given.layers == "mine":
            options["layers"] = f"user:{call.name}"
        values = {"project": project_id, "user": call.user, "format": given.format, "options": options}
        made = connection.execute(sa.insert(tables.export), {**values, "state": "working"})
        export_id: int = made.inserted_primary_key[0]  # type: ignore[index]
        call.note(connection, "export", f"project {project_id}: {given.format}, {given.layers}")
    wanted = Wanted(**options)
    threading.Thread(target=_make, args=(call, export_id, project_id, wanted), daemon=True).start()
    return {"id": export_id, "state": "working", "losses": []}


def _make(call: Call, export_id: int, project_id: int, wanted: Wanted) -> None:
    with _one_at_a_time:
        make(call.shop, export_id, project_id, wanted)


def export(call: Call) -> dict[str, Any]:
    """How far it is."""
    with call.store.read() as connection:
        return _told(_row(call, connection))


def exports(call: Call) -> list[dict[str, Any]]:
    """Those of a project, the newest first."""
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "owner")
        table = tables.export
        query = sa.select(table).where(table.c.project == call.path("project")).order_by(table.c.id.desc()).limit(100)
        return [_told(row) for row in connection.execute(query)]


def file(call: Call) -> Response:
    """The file."""
    with call.store.read() as connection:
        row = _row(call, connection)
    path = Path(row.file or "")
    if row.state != "done" or not path.is_file():
        raise not_found("file")
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


def _row(call: Call, connection: sa.Connection) -> Any:
    row = call.row(connection, tables.export, "export")
    with missing_as("export"):
        call.role(connection, row.project, "owner")
    return row


def _told(row: Any) -> dict[str, Any]:
    known = {
        "id": row.id,
        "state": row.state,
        "losses": row.losses,
        "format": row.format,
        "layers": row.options["layers"],
    }
    return known | ({"error": row.error} if row.error else {})
