"""What is done on the command line beside serving: accounts, and deriving tables anew."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from kins.annotate import accounts, tables
from kins.annotate.folders import join, open_project
from kins.annotate.layers import rebuild as derive_all
from kins.annotate.store import Store, in_folder


def add_user(folder: Path, database: str | None, name: str, password: str, role: str = "annotator") -> str:
    """Make an account with a role in the folder's project; the first one is an admin and owner.

    Returns a line on what was done. Raises KinsError for an unusable name or password, or one that is taken.
    """
    store = Store(in_folder(folder, database))
    try:
        project, _ = open_project(store, folder)
        with store.write() as connection:
            if accounts.has_accounts(connection):
                join(connection, project, accounts.add_user(connection, name, password), role)
                return f"{store.name}: {name} is {role}"
            accounts.add_first_user(connection, name, password)
            return f"{store.name}: {name} is owner and admin; kins annotate asks for a login from now on"
    finally:
        store.close()


def rebuild(folder: Path, database: str | None) -> str:
    """Derive objects, pairs and exceptions anew from the operations; returns a line on what was done."""
    store = Store(in_folder(folder, database))
    try:
        with store.write() as connection:
            layers = derive_all(connection)
            operations = connection.scalar(sa.select(sa.func.count()).select_from(tables.operation))
        return f"{store.name}: {layers} layers from {operations} operations"
    finally:
        store.close()
