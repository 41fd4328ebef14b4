"""The database: opening, migrating and backing it up, and transactions.

SQLite keeps everything in one file, with a log beside it (WAL) that is written through to the disk before a transaction
counts (FULL). It has one writer at a time; a lock in this process lets writers wait for their turn in place of asking
again and again. PostgreSQL needs none of this.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext

from kins.annotate import tables
from kins.errors import KinsError
from kins.files import reason

APPLICATION = 0x6B696E73
"""What SQLite files of kins carry in their header: "kins"."""
BUSY = 5000
"""Milliseconds to wait for another process that writes."""
BACKUPS = 14
"""Daily backups that are kept."""
MIGRATIONS = Path(__file__).with_name("migrations")
FILE = "annotations.sqlite"
"""The database in a folder of pictures."""


def in_folder(folder: Path, database: str | None = None) -> str:
    """The address of the database for a folder of pictures: the one given, or that of the file in the folder.

    Raises KinsError where there is no such folder.
    """
    if not folder.is_dir():
        raise KinsError(f"{folder}: no such folder of pictures")
    return database or sa.URL.create("sqlite", database=str((folder / FILE).resolve())).render_as_string()


class Store:
    """An open database of the newest schema.

    Args:
        url: as SQLAlchemy takes it, sqlite:///FILE or postgresql+psycopg://...

    Raises:
        KinsError: it can't be opened, is of something else or of a newer kins.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.file = Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None
        self.engine = self._engine()
        self._turn: Any = threading.Lock() if self.file else nullcontext()
        try:
            if self.file:
                _check_mark(self.file)
            self._prepare()
        except (sa.exc.SQLAlchemyError, sqlite3.DatabaseError) as error:
            self.engine.dispose()
            raise KinsError(f"{self.name}: can't be opened as a database ({_cause(error)})") from None

    @property
    def name(self) -> str:
        """What to call it in messages: the file, or the address without its password."""
        return str(self.file) if self.file else self.url.render_as_string()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that changes nothing and sees one state of everything."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is on the disk when the block has ended, or has never been."""
        with self._turn, self.engine.connect() as opened:
            connection = opened.execution_options(kins_writes=True)
            with connection.begin():
                yield connection

    def backup(self, folder: Path | None = None) -> Path | None:
        """Today's copy of an SQLite file, in `backups` beside it; the oldest of more than BACKUPS are removed.

        Returns:
            The copy, or None where there is one of today, or for other databases, which have ways of their own.
        """
        if self.file is None:
            return None
        folder = folder or self.file.parent / "backups"
        target = folder / f"{self.file.stem}-{date.today():%Y-%m-%d}{self.file.suffix}"
        if target.exists():
            return None
        self._copy(target)
        for old in sorted(folder.glob(f"{self.file.stem}-????-??-??{self.file.suffix}"))[:-BACKUPS]:
            old.unlink()
        return target

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()

    def _copy(self, target: Path) -> None:
        assert self.file is not None
        unfinished = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            connection = sqlite3.connect(self.file)
            try:
                connection.execute("VACUUM INTO ?", (str(unfinished),))
            finally:
                connection.close()
            unfinished.replace(target)
        except (OSError, sqlite3.Error) as error:
            raise KinsError(f"{target}: the backup can't be written ({reason(error)})") from None

    def _engine(self) -> sa.Engine:
        try:
            if self.file is None:
                return sa.create_engine(self.url, pool_size=20, max_overflow=30, pool_pre_ping=True)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(self.url, pool_size=20, max_overflow=30)
        except ModuleNotFoundError as error:
            raise KinsError(f"{error.name} is not installed, which {self.url.get_backend_name()} needs") from None
        except (OSError, sa.exc.SQLAlchemyError) as error:
            raise KinsError(f"{self.name}: can't be opened as a database ({_cause(error)})") from None
        sa.event.listen(engine, "connect", _connected)
        sa.event.listen(engine, "begin", _begun)
        return engine

    def _prepare(self) -> None:
        """Make the tables, or bring them up to date; a copy is made before."""
        with self.engine.connect() as connection:
            names = set(sa.inspect(connection).get_table_names())
            found = MigrationContext.configure(connection).get_current_revision() if names else None
        if not names:
            self._create()
        elif found is None:
            raise _foreign(self.name)
        elif found != tables.SCHEMA:
            self._migrate(found)

    def _create(self) -> None:
        with self.write() as connection:
            tables.metadata.create_all(connection)
            MigrationContext.configure(connection).stamp(_scripts(), tables.SCHEMA)
            if self.file:
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")

    def _migrate(self, found: str) -> None:
        scripts = _scripts()
        known = {script.revision for script in scripts.walk_revisions()}
        if found not in known:
            raise KinsError(f"{self.name}: was made by a newer kins (schema {found}); update kins")
        if self.file:
            self._copy(self.file.parent / "backups" / f"{self.file.stem}-schema-{found}{self.file.suffix}")
        with self.write() as connection:
            upgrade(connection, found, tables.SCHEMA)


def upgrade(connection: sa.Connection, before: str | None, after: str) -> None:
    """Run the migrations from one schema to another within a transaction."""
    from alembic.runtime.environment import EnvironmentContext

    scripts = _scripts()

    def steps(revision: Any, context: Any) -> Any:
        return scripts._upgrade_revs(after, revision)

    with EnvironmentContext(_config(), scripts, fn=steps, as_sql=False, destination_rev=after) as environment:
        environment.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True)
        environment.run_migrations()


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _check_mark(file: Path) -> None:
    """Raises KinsError for an SQLite file that kins did not make; looks without touching it."""
    if not file.exists() or not file.stat().st_size:
        return
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        if mark != APPLICATION and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise _foreign(file)
    finally:
        connection.close()


def _foreign(name: object) -> KinsError:
    return KinsError(f"{name}: is a database of something else; choose another with --database")


def _checked(url: str) -> sa.URL:
    try:
        made = sa.make_url(url)
        backend = made.get_backend_name()
    except sa.exc.ArgumentError:
        raise KinsError(
            f"--database {url[:80]}: is no address; write sqlite:///FILE or postgresql+psycopg://..."
        ) from None
    if backend == "postgresql" and made.drivername == "postgresql":
        made = made.set(drivername="postgresql+psycopg")
    if backend not in ("sqlite", "postgresql"):
        raise KinsError(f"--database: kins keeps annotations in SQLite or PostgreSQL, not in {backend}")
    if backend == "sqlite" and not made.database:
        raise KinsError("--database sqlite: names no file; write sqlite:///FILE")
    return made


def _cause(error: BaseException) -> str:
    return reason(getattr(error, "orig", None) or error)


def _connected(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # or else the driver would begin transactions on its own
    for setting in ("journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY}", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _begun(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("kins_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
