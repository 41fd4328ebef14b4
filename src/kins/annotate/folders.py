"""A folder of pictures as a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.pictures import find_pictures
from kins.annotate.store import Store
from kins.errors import KinsError
from kins.files import inside
from kins.files.pictures import picture_size
from kins.work import progress

LONGEST_NAME = 1000
ONLY_USER = "me"
"""Name of the user where there are no accounts."""


def open_project(store: Store, folder: Path) -> tuple[int, list[str]]:
    """The project of a folder: made if there is none, and with the pictures that came since.

    Returns:
        Its id, and a line for each picture that can't be used.

    Raises:
        KinsError: no such folder, or not one picture in it that can be used.
    """
    root = _root(store, folder)
    with store.write() as connection:
        project, user = tables.project, tables.user
        found = connection.scalar(sa.select(project.c.id).where(project.c.root == root))
        if found is None:
            values = {"name": folder.resolve().name[:200] or "pictures", "root": root, "settings": {"annotators": 1}}
            made = connection.execute(sa.insert(project), values)
            found = made.inserted_primary_key[0]  # type: ignore[index]
            for admin in connection.scalars(sa.select(user.c.id).where(user.c.admin)).all():
                join(connection, int(found), admin, "owner")
    _, left_out = find_new(store, int(found), folder)
    with store.read() as connection:
        if connection.scalar(sa.select(tables.image.c.id).where(tables.image.c.project == found).limit(1)) is None:
            raise KinsError(left_out[0] if left_out else f"{folder}: has no pictures")
    return int(found), left_out


def folder_of(store: Store, connection: sa.Connection, project_id: int) -> Path:
    """Where the pictures of a project are."""
    root = connection.scalar(sa.select(tables.project.c.root).where(tables.project.c.id == project_id)) or ""
    return store.file.parent / root if store.file else Path(root)


def _root(store: Store, folder: Path) -> str:
    """How the database names a folder: as "." if it lies in it, so that both can be moved together."""
    here = folder.resolve()
    return "." if store.file is not None and store.file.parent.resolve() == here else str(here)


def find_new(store: Store, project_id: int, folder: Path) -> tuple[int, list[str]]:
    """Take in the pictures that are not known yet; how many, and a line for each that can't be used."""
    image = tables.image
    with store.read() as connection:
        known = set(connection.scalars(sa.select(image.c.file).where(image.c.project == project_id)))
    fresh, left_out = [], []
    for name in progress([n for n in find_pictures(folder) if n not in known], "pictures"):
        try:
            if len(name) > LONGEST_NAME:
                raise KinsError(f"{name[:60]}...: the name is too long")
            name.encode()
            height, width = picture_size(inside(folder, name))
            fresh.append({"project": project_id, "file": name, "width": width, "height": height})
        except UnicodeEncodeError:
            left_out.append(f"{name!r}: the name is no text")
        except KinsError as error:
            left_out.append(str(error))
    if fresh:
        with store.write() as connection:
            known = set(connection.scalars(sa.select(image.c.file).where(image.c.project == project_id)))
            fresh = [row for row in fresh if row["file"] not in known]
            if fresh:
                connection.execute(sa.insert(image), fresh)
    return len(fresh), left_out


def only_user(store: Store, project_id: int) -> int:
    """The user of a database without accounts, owner of the project; made if there is none.

    Raises KinsError where the database has accounts.
    """
    with store.write() as connection:
        user, member = tables.user, tables.member
        rows: list[Any] = list(connection.execute(sa.select(user.c.id, user.c.password)))
        if any(row.password is not None for row in rows):
            raise KinsError(f"{store.name}: has accounts; log in")
        if rows:
            user_id = rows[0].id
        else:
            made = connection.execute(sa.insert(user), {"name": ONLY_USER, "admin": True})
            user_id = made.inserted_primary_key[0]  # type: ignore[index]
        join(connection, project_id, user_id, "owner")
        known = connection.execute(sa.select(member).where(member.c.project == project_id)).all()
        assert known
    return int(user_id)


def join(connection: sa.Connection, project_id: int, user_id: int, role: str) -> None:
    """Give a user a role in a project."""
    member = tables.member
    where = (member.c.project == project_id, member.c.user == user_id)
    if connection.scalar(sa.select(member.c.id).where(*where)) is None:
        connection.execute(sa.insert(member), {"project": project_id, "user": user_id, "role": role})
    else:
        connection.execute(sa.update(member).where(*where).values(role=role))
