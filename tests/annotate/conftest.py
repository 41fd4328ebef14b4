"""Databases: SQLite always, PostgreSQL where its server is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    name = str(found[-1]) if found else shutil.which("initdb")
    return None if name is None else Path(name).parent


def _user() -> str | None:
    """Whom to run it as: root may not."""
    if os.getuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a server of our own, without a database's name at its end."""
    programs, user = _programs(), _user()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="kins-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    options = {"check": True, "capture_output": True, "user": user, "cwd": folder, "env": environment}
    data, running = folder / "data", False
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "kins", "-A", "trust", "-E", "UTF8", "--no-sync"], **options
        )
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        start = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start"]
        subprocess.run(start, **{**options, "capture_output": False, "stdout": subprocess.DEVNULL})
        running = True
        yield f"postgresql+psycopg://kins@/{{}}?host={folder}"
    except subprocess.CalledProcessError as error:
        if running:
            raise
        pytest.skip(f"PostgreSQL's server can't be started here: {error.stderr}")
    finally:
        if running:
            subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **options)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kept.sqlite"
        return
    server = request.getfixturevalue("postgresql")
    name = f"k{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server.format("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    yield server.format(name)
