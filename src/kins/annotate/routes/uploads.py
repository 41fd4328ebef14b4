"""Pictures and files of proposals that an owner sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.annotate.calls import Call
from kins.annotate.folders import folder_of
from kins.annotate.uploads import keep, take_proposals
from kins.limits import PROPOSALS, UPLOAD, Limit


def may_upload(call: Call) -> dict[str, Any]:
    """Asked before a picture is read, since it may be larger than other requests."""
    return _may_send(call, UPLOAD)


def may_send_proposals(call: Call) -> dict[str, Any]:
    """The same for a file of proposals."""
    return _may_send(call, PROPOSALS)


def _may_send(call: Call, limit: Limit) -> dict[str, Any]:
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "owner")
    call.most = limit.value
    return {}


def _place(call: Call) -> tuple[int, Path]:
    """The project of an owner, and where its pictures are."""
    project_id = call.path("project")
    with call.store.read() as connection:
        call.role(connection, project_id, "owner")
        return project_id, folder_of(call.store, connection, project_id)


def proposals(call: Call) -> dict[str, Any]:
    """The body is a file of any format that kins reads, the query's `name` what it was called, which is its source.
    With `layer=1` they become a layer of a network, which is an annotator of its own kind."""
    project_id, folder = _place(call)
    name, layers = call.request.query_params.get("name", ""), call.shop.layers if call.number("layer", 0, 1) else None
    found = take_proposals(call.store, project_id, folder, name, call.body, layers)
    with call.store.write() as connection:
        what = "proposals" if layers is None else "network"
        call.note(connection, what, f"project {project_id}: {found.objects} for {found.images} images")
    return {"images": found.images, "objects": found.objects, "lines": found.lines}


def upload(call: Call) -> dict[str, Any]:
    """The body is a picture, the query's `name` what it was called."""
    project_id, folder = _place(call)
    made = keep(call.store, project_id, folder, call.request.query_params.get("name", ""), call.body)
    with call.store.write() as connection:
        call.note(connection, "upload", made["file"])
    return made
