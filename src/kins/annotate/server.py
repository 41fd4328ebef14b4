"""Opening a folder and serving it until Ctrl-C."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.accounts import has_accounts
from kins.annotate.app import application
from kins.annotate.calls import Shop
from kins.annotate.contents import ASSISTANCE, settings_of
from kins.annotate.exports import give_up
from kins.annotate.folders import only_user, open_project
from kins.annotate.imports import frame_dataset, import_layers, import_proposals, read_proposals
from kins.annotate.store import Store, in_folder
from kins.errors import KinsError
from kins.files import reason
from kins.formats import load

PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_CONNECTIONS = 500
MOST_HEADERS = 64 * 2**10
"""Bytes of a request's headers."""
BETWEEN_LOOKS = 3600
"""Seconds between looks whether a new day has come, for the daily backup."""

log = logging.getLogger("kins.annotate")


@dataclasses.dataclass(frozen=True)
class Listening:
    """Where to listen.

    Attributes:
        host, port: the port 8765 or one of the next if None.
        names: by which the server is reached besides those of this machine itself.
        certificate, key: PEM files for TLS.
        proxy: address of a proxy in front, whose word on the client's address and on TLS counts.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None


@dataclasses.dataclass(frozen=True)
class Opened:
    """A folder's database, its project there, and a line for each thing that can't be used."""

    shop: Shop
    project: int
    lines: list[str]


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
    shop = open_folder(Path(folder), database).shop
    shop.token = token
    return application(shop, [*LOOPBACK, *hosts])


def open_folder(
    folder: Path,
    database: str | None = None,
    annotations: Path | None = None,
    proposals: Path | None = None,
    user: str | None = None,
) -> Opened:
    """Open the database of a folder, and take in what files have.

    Raises KinsError where the folder, the database, a file or the user can't be used.
    """
    store = Store(in_folder(folder, database))
    try:
        project, lines = open_project(store, folder)
        with store.read() as connection:
            accounts = has_accounts(connection)
        exports = (store.file.parent if store.file else folder) / "exports"
        shop = Shop(store, exports.resolve(), folder.resolve(), accounts=accounts)
        only = None if accounts else only_user(store, project)
        if annotations is not None:
            whose = _annotator(store, user) if only is None else only
            taken = import_layers(store, shop.layers, project, load(annotations, images=folder), whose)
            lines += [*taken.lines, f"{annotations}: {taken.objects} objects in {taken.images} images"]
        if proposals is not None:
            dataset = read_proposals(proposals, folder, frame_dataset(store, project, folder))
            taken = import_proposals(store, project, dataset, proposals.name)
            lines += [*taken.lines, f"{proposals}: {taken.objects} proposals for {taken.images} images"]
            with store.read() as connection:
                share = settings_of(connection, project).get("assistance", ASSISTANCE)
            if share < 1 and taken.objects:
                lines.append(f"{1 - share:.0%} of images show none, to compare both ways (the project's settings)")
    except BaseException:
        store.close()
        raise
    return Opened(shop, project, lines)


def _annotator(store: Store, name: str | None) -> int:
    """The id of a user. Raises KinsError where there is none of that name."""
    with store.read() as connection:
        found = connection.scalar(sa.select(tables.user.c.id).where(tables.user.c.name == (name or "")))
    if found is None:
        raise KinsError(f"--annotations: say whose they become with --user NAME; there is no user {name or ''!r}")
    return int(found)


def serve(
    folder: str | Path,
    *,
    annotations: str | Path | None = None,
    proposals: str | Path | None = None,
    database: str | None = None,
    network: str | Path | None = None,
    user: str | None = None,
    listening: Listening = Listening(),  # it can't be changed
    browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a folder of pictures until Ctrl-C.

    Args:
        folder: of pictures.
        annotations: file of any format to begin with, for images that nobody has begun.
        proposals: predictions, results of a detector or annotations, to accept or reject one by one.
        database: address as SQLAlchemy has it; a file in the folder if None.
        network: weights of a network (`kins.Predictor`) that finds objects in an image when it is asked to.
        user: whose layers `annotations` become, in a database with accounts.
        listening: where, and under which names.
        browser: open the page.
        say: takes each line that is for the user.

    Raises:
        KinsError: the folder or the database can't be used, the port is taken, or others could reach the server and
            there are no accounts.

    Example:
        >>> kins.annotate.serve("nowhere")
        Traceback (most recent call last):
        kins.errors.KinsError: nowhere: no such folder of pictures
    """
    known, proposed = (None if name is None else Path(name) for name in (annotations, proposals))
    opened = open_folder(Path(folder), database, known, proposed, user)
    shop = opened.shop
    shop.network = None if network is None else str(network)
    try:
        for line in opened.lines:
            say(line)
        bound = _bound(listening, shop)
        tell(folder, _address(listening, bound, shop), browser, say)
        give_up(shop.store)
        threading.Thread(target=_back_up_daily, args=(shop,), daemon=True).start()
        app = application(shop, [*LOOPBACK, listening.host, *listening.names])
        run(app, bound, listening)
    finally:
        shop.store.close()


def run(app: Any, bound: socket.socket, listening: Listening) -> None:
    """Serve an application on a socket until Ctrl-C."""
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, **_options(listening))).run(sockets=[bound])


def tell(what: object, address: str, browser: bool, say: Callable[[str], object]) -> None:
    """Say where it is served, and open it in the browser if asked to."""
    say(f"{what}: open {address} (Ctrl-C ends)")
    if browser:
        threading.Timer(1.0, webbrowser.open, [address]).start()


def _bound(listening: Listening, shop: Shop) -> socket.socket:
    """The socket. Raises KinsError where others could reach it and there are no accounts."""
    open_to_others = not _is_loopback(listening.host)
    if not shop.accounts and (open_to_others or listening.proxy):
        raise KinsError(
            f"--host {listening.host}: others could reach this, so it needs accounts; make one first: "
            "kins annotate user add NAME DIR"
        )
    if open_to_others and not listening.certificate and not listening.proxy:
        log.warning("passwords and pictures go over the network as they are; add --certificate, or a proxy with TLS")
    bound = listen(listening.host, listening.port)
    shop.cookie = f"kins_session_{bound.getsockname()[1]}"  # browsers don't tell the ports of one machine apart
    return bound


def _address(listening: Listening, bound: socket.socket, shop: Shop) -> str:
    """What to open, with the token of the only user."""
    address = address_of(listening, bound)
    if shop.accounts:
        return address
    shop.token = secrets.token_urlsafe(24)
    return f"{address}?token={shop.token}"


def address_of(listening: Listening, bound: socket.socket) -> str:
    """By which a browser reaches the server."""
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    return f"http{'s' if listening.certificate else ''}://{host}:{bound.getsockname()[1]}/"


def _options(listening: Listening) -> dict[str, Any]:
    """For uvicorn."""
    from kins.annotate.patience import PatientProtocol

    return {
        "log_level": "warning",
        "server_header": False,
        "http": PatientProtocol,
        "lifespan": "off",
        "limit_concurrency": MOST_CONNECTIONS,
        "h11_max_incomplete_event_size": MOST_HEADERS,
        "timeout_graceful_shutdown": 5,
        "proxy_headers": listening.proxy is not None,
        "forwarded_allow_ips": listening.proxy or "",
        "ssl_certfile": listening.certificate,
        "ssl_keyfile": listening.key,
    }


def _back_up_daily(shop: Shop) -> None:
    while True:
        try:
            shop.store.backup()
        except KinsError as error:
            log.error("%s", error)
        time.sleep(BETWEEN_LOOKS)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int | None) -> socket.socket:
    """A socket at the port, or at the first free one of ten."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    problem = ""
    for number in range(PORT, PORT + 10) if port is None else (port,):
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, number))
            bound.listen()  # a browser may come as soon as the address is printed
            return bound
        except OSError as error:
            bound.close()
            problem = reason(error)
    raise KinsError(f"{host}:{port or PORT}: can't listen there ({problem}); choose another --port")
