"""Pictures that an owner sends."""

from __future__ import annotations

from typing import Any

from kins.annotate.calls import Call
from kins.annotate.folders import folder_of
from kins.annotate.uploads import keep
from kins.limits import UPLOAD


def may_upload(call: Call) -> dict[str, Any]:
    """Asked before a picture is read, since it may be larger than other requests."""
    with call.store.read() as connection:
        call.role(connection, call.path("project"), "owner")
    call.most = UPLOAD.value
    return {}


def upload(call: Call) -> dict[str, Any]:
    """The body is a picture, the query's `name` what it was called."""
    project_id = call.path("project")
    with call.store.read() as connection:
        call.role(connection, project_id, "owner")
        folder = folder_of(call.store, connection, project_id)
    made = keep(call.store, project_id, folder, call.request.query_params.get("name", ""), call.body)
    with call.store.write() as connection:
        call.note(connection, "upload", made["file"])
    return made
