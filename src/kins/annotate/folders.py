"""A folder of pictures as a project."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.pictures import find_pictures
from kins.annotate.store import Store
from kins.errors import KinsError
from kins.files import inside, reason
from kins.files.pictures import picture_size
from kins.files.terminal import UNSAFE, shown
from kins.work import progress

LONGEST_NAME, LONGEST_PART = 1000, 120
"""Characters of a picture's name with its folders; bytes of each folder that is made."""
KEPT_FOR = ("backups", "exports")
"""Folders beside the database that the server writes to."""
FORBIDDEN = frozenset('<>:"\\|?*')
"""What file systems take for something else."""
ONLY_USER = "me"
"""Name of the user where there are no accounts."""


def open_project(store: Store, folder: Path) -> tuple[int, list[str]]:
    """The project of a folder: made if there is none, and with the pictures that came since.

    Returns:
        Its id, and a line for each picture that can't be used.

    Raises:
        KinsError: no such folder, or not one picture in it that can be used.
    """
    with store.write() as connection:
        user, found = tables.user, _project_of(store, connection, folder)
        if found is None:
            found = _insert(store, connection, folder, folder.resolve().name[:200] or "pictures")
            for admin in connection.scalars(sa.select(user.c.id).where(user.c.admin)).all():
                join(connection, found, admin, "owner")
    _, left_out = find_new(store, found, folder)
    with store.read() as connection:
        if connection.scalar(sa.select(tables.image.c.id).where(tables.image.c.project == found).limit(1)) is None:
            raise KinsError(left_out[0] if left_out else f"{folder}: has no pictures")
    return found, left_out


def make_project(store: Store, above: Path, below: str, name: str, user_id: int) -> tuple[int, list[str]]:
    """A project of a folder inside of another one, which is made if it is not there; the user becomes its owner.

    Args:
        above: the folder that none leads out of.
        below: relative to it, with slashes.

    Returns:
        Its id, and a line for each picture that can't be used.

    Raises:
        KinsError: the folder leads out, is no folder, hidden, kept for something else, or has a project already.
    """
    folder = _checked(above, below)
    with store.write() as connection:
        if _project_of(store, connection, folder) is not None:
            raise KinsError(f"{shown(below)}: there is a project of this folder already")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KinsError(f"{shown(below)}: can't be made as a folder ({reason(error)})") from None
        project_id = _insert(store, connection, folder, name)
        join(connection, project_id, user_id, "owner")
    return project_id, find_new(store, project_id, folder)[1]


def _checked(above: Path, below: str) -> Path:
    """The folder of that name. Raises KinsError where it is not one for pictures."""
    named = shown(below)[:100]
    parts = below.encode(errors="replace").decode().split("/")
    longest = max(len(part.encode()) for part in parts)
    if longest > LONGEST_PART or any(c in FORBIDDEN or unicodedata.category(c) in UNSAFE for c in below):
        raise KinsError(f"{named!r}: has characters that no folder should have, or too many")
    if (
        len(below) > LONGEST_NAME
        or parts[0] in KEPT_FOR
        or any(not part or part[0] == "." or part != part.strip() for part in parts)
    ):
        raise KinsError(f"{named!r}: name a folder inside of {above.name}, like streets/monday")
    folder = inside(above, below)
    if folder.exists() and not folder.is_dir():
        raise KinsError(f"{named!r}: is a file; name a folder")
    return folder


def _insert(store: Store, connection: sa.Connection, folder: Path, name: str) -> int:
    values = {"name": name, "root": _root(store, folder), "settings": {"annotators": 1}}
    return int(connection.execute(sa.insert(tables.project), values).inserted_primary_key[0])  # type: ignore[index]


def _project_of(store: Store, connection: sa.Connection, folder: Path) -> int | None:
    """The id of the project of a folder."""
    project = tables.project
    named = (_root(store, folder), str(folder.resolve()))
    return connection.scalar(sa.select(project.c.id).where(project.c.root.in_(named)))


def folder_of(store: Store, connection: sa.Connection, project_id: int) -> Path:
    """Where the pictures of a project are."""
    root = connection.scalar(sa.select(tables.project.c.root).where(tables.project.c.id == project_id)) or ""
    return store.file.parent / root if store.file else Path(root)


def _root(store: Store, folder: Path) -> str:
    """How the database names a folder: relative to itself if it lies in or above it, so that both can be moved."""
    here, home = folder.resolve(), None if store.file is None else store.file.parent.resolve()
    return str(here) if home is None or not here.is_relative_to(home) else here.relative_to(home).as_posix()


def find_new(store: Store, project_id: int, folder: Path) -> tuple[int, list[str]]:
    """Take in the pictures that are not known yet; how many, and a line for each that can't be used.

    Those in the folder of another project below are of that one.
    """
    image = tables.image
    with store.read() as connection:
        known = set(connection.scalars(sa.select(image.c.file).where(image.c.project == project_id)))
        others = _projects_below(store, connection, folder)
    fresh, left_out = [], []
    names = [name for name in find_pictures(folder) if name not in known and not name.startswith(others)]
    for name in progress(names, "pictures"):
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


def _projects_below(store: Store, connection: sa.Connection, folder: Path) -> tuple[str, ...]:
    """Folders of other projects in that of one, relative to it, with a slash at their ends."""
    here = folder.resolve()
    roots = connection.scalars(sa.select(tables.project.c.root))
    places = [(store.file.parent / root if store.file else Path(root)).resolve() for root in roots]
    return tuple(f"{p.relative_to(here).as_posix()}/" for p in places if p != here and p.is_relative_to(here))


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
