"""Accounts: making them, and their passwords."""

from __future__ import annotations

import unicodedata

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.folders import join
from kins.annotate.security import hash_password
from kins.errors import KinsError
from kins.files.terminal import UNSAFE


def add_user(connection: sa.Connection, name: str, password: str, admin: bool = False) -> int:
    """A new account; returns its id. Raises KinsError for an unusable name or password."""
    name = checked_name(name)
    if connection.scalar(sa.select(tables.user.c.id).where(tables.user.c.name == name)) is not None:
        raise KinsError(f"there is a user {name} already")
    values = {"name": name, "password": hash_password(password), "admin": admin}
    return int(connection.execute(sa.insert(tables.user), values).inserted_primary_key[0])  # type: ignore[index]


def add_first_user(connection: sa.Connection, name: str, password: str) -> int:
    """The first account: an admin, and owner of every project. What was annotated without accounts becomes its own."""
    found = connection.scalar(sa.select(tables.user.c.id).where(tables.user.c.password.is_(None)))
    if found is None:
        found = add_user(connection, name, password, admin=True)
    else:
        values = {"name": checked_name(name), "password": hash_password(password), "admin": True}
        connection.execute(sa.update(tables.user).where(tables.user.c.id == found).values(**values))
        connection.execute(sa.delete(tables.session).where(tables.session.c.user == found))
    for project_id in connection.scalars(sa.select(tables.project.c.id)).all():
        join(connection, project_id, found, "owner")
    return int(found)


def has_accounts(connection: sa.Connection) -> bool:
    """Whether anyone has a password."""
    return (
        connection.scalar(sa.select(tables.user.c.id).where(tables.user.c.password.is_not(None)).limit(1)) is not None
    )


def set_password(connection: sa.Connection, user_id: int, password: str) -> None:
    """Another password."""
    values = {"password": hash_password(password)}
    connection.execute(sa.update(tables.user).where(tables.user.c.id == user_id).values(**values))


def checked_name(name: str) -> str:
    """A name that can be shown. Raises KinsError for another one."""
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= 100 or any(unicodedata.category(c) in UNSAFE for c in name):
        raise KinsError("a user's name has 1 to 100 characters, without line breaks and control characters")
    return name
