"""Opening a folder and serving it until Ctrl-C."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.app import application
from kins.annotate.calls import Shop
from kins.annotate.folders import only_user, open_project
from kins.annotate.store import FILE, Store
from kins.errors import KinsError

PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def create_app(
    folder: str | Path, database: str | None = None, token: str | None = None, hosts: Sequence[str] = ()
) -> Any:
    """The application (ASGI) for a folder of pictures, for a server of one's own.

    Args:
        folder: of pictures.
        database: address as SQLAlchemy has it; a file in the folder if None.
        token: for the first visit of the only user, at /?token=...; None where the database has accounts.
        hosts: names that the server goes by besides those of this machine itself.

    Raises:
        KinsError: the folder or the database can't be used.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> shapes = write_shapes("pictures", 1)
        >>> app = kins.annotate.create_app("pictures", token="a secret")
        >>> callable(app)
        True
    """
    shop, _ = open_shop(Path(folder), database)
    shop.token = token
    return application(shop, [*LOOPBACK, *hosts])


def open_shop(folder: Path, database: str | None = None) -> tuple[Shop, list[str]]:
    """The database with the folder's project, and a line for each picture that can't be used."""
    if not folder.is_dir():
        raise KinsError(f"{folder}: no such folder of pictures")
    store = Store(database or f"sqlite:///{(folder / FILE).resolve()}")
    project, skipped = open_project(store, folder)
    with store.read() as connection:
        accounts = connection.scalar(sa.select(sa.func.count()).where(tables.user.c.password.is_not(None)))
    if not accounts:
        only_user(store, project)
    return Shop(store, accounts=bool(accounts)), skipped


def serve(
    folder: str | Path,
    *,
    database: str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    hosts: Sequence[str] = (),
    browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a folder of pictures until Ctrl-C.

    Args:
        folder: of pictures.
        database: address as SQLAlchemy has it; a file in the folder if None.
        host, port: where to listen; the port 8765 or one of the next if None.
        hosts: further names that the server goes by.
        browser: open the page.
        say: takes each line that is for the user.

    Raises:
        KinsError: the folder or the database can't be used, the port is taken, or `host` is for others, too, and
            there are no accounts.

    Example:
        >>> kins.annotate.serve("nowhere")
        Traceback (most recent call last):
        kins.errors.KinsError: nowhere: no such folder of pictures
    """
    import uvicorn

    shop, skipped = open_shop(Path(folder), database)
    for line in skipped:
        say(f"left out: {line}")
    if not shop.accounts and not _is_loopback(host):
        raise KinsError(
            f"--host {host}: others could reach this, so it needs accounts; make one first: kins annotate user add NAME"
        )
    listening = _listen(host, port)
    number = listening.getsockname()[1]
    shop.cookie = f"kins_session_{number}"  # browsers don't tell the ports of one machine apart
    address = f"http://{f'[{host}]' if ':' in host else host}:{number}/"
    if not shop.accounts:
        shop.token = secrets.token_urlsafe(24)
        address += f"?token={shop.token}"
    say(f"{folder}: open {address} (Ctrl-C ends)")
    if browser:
        _show(address)
    app = application(shop, [*LOOPBACK, host, *hosts])
    config = uvicorn.Config(app, log_level="warning", server_header=False, limit_concurrency=500, lifespan="off")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        shop.store.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket at the port, or at the first free one of ten."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(PORT, PORT + 10) if port is None else (port,):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, number))
            return listening
        except OSError as error:
            listening.close()
            problem = error.strerror
    raise KinsError(f"{host}:{port or PORT}: can't listen there ({problem}); choose another --port")


def _show(address: str) -> None:
    import threading
    import webbrowser

    threading.Timer(1.0, webbrowser.open, [address]).start()
