"""A server in a thread, and people who talk to it."""

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import argon2
import httpx
import PIL.Image
import uvicorn
from starlette.types import ASGIApp

from kins.annotate import accounts, security
from kins.annotate.app import application
from kins.annotate.folders import join
from kins.annotate.patience import PatientProtocol
from kins.annotate.server import LOOPBACK, Opened, open_folder

PASSWORD = "a good password"
ROLES = ("owner", "reviewer", "annotator", "other", "viewer")
"""Names of the users of `team`; the other is an annotator, too."""


def pictures(folder: Path, count: int = 3, size: tuple[int, int] = (80, 60)) -> Path:
    """A folder of grey pictures a.png, b.png, ..."""
    folder.mkdir(exist_ok=True)
    for letter in "abcdefghij"[:count]:
        PIL.Image.new("RGB", size, (90, 90, 90)).save(folder / f"{letter}.png")
    return folder


@contextmanager
def served(opened: Opened) -> Iterator[str]:
    """The address of a server for it."""
    with serving(application(opened.shop, LOOPBACK)) as address:
        yield address


@contextmanager
def alone(folder: Path, count: int = 1, database: str | None = None) -> Iterator[tuple[Opened, "Person"]]:
    """A server without accounts for a folder of new pictures, and its user."""
    opened = open_folder(pictures(folder, count), database)
    opened.shop.token = "secret"
    with served(opened) as address, Person(address, token="secret") as person:
        yield opened, person
    opened.shop.store.close()


@contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[str]:
    """The address of a server of an application, with options of uvicorn's."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    ours = {"lifespan": "off", "http": PatientProtocol, **options, "log_level": "error", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **ours))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def quick_passwords() -> None:
    """Hash passwords in less time than is safe."""
    security._hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@contextmanager
def team(folder: Path, database: str | None = None, count: int = 3) -> Iterator[tuple[str, Opened]]:
    """A server with accounts for ROLES, and `stranger`, who is no member."""
    pictures(folder, count)
    opened = open_folder(folder, database)
    store = opened.shop.store
    quick_passwords()
    with store.write() as connection:
        accounts.add_first_user(connection, "owner", PASSWORD)
        for name in (*ROLES[1:], "stranger"):
            user = accounts.add_user(connection, name, PASSWORD)
            if name != "stranger":
                join(connection, opened.project, user, "annotator" if name == "other" else name)
    opened.shop.accounts = True
    with served(opened) as address:
        yield address, opened


class Person(httpx.Client):
    """Someone at the page: a session, and the calls that tests make most."""

    def __init__(self, address: str, name: str = "", token: str = "") -> None:
        super().__init__(base_url=f"{address}/api/v1", timeout=30)
        if token:
            self.get(f"{address}/?token={token}")
        if name:
            answer = self.post("/login", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        self.headers["x-csrf-token"] = self.get("/me").json()["csrf"]

    def __enter__(self) -> "Person":  # it was used before
        return self

    def layer(self, image: int) -> dict[str, Any]:
        """The own layer of an image."""
        return self.post(f"/images/{image}/layers").json()

    def do(self, layer: int, base: int, *operations: dict[str, Any]) -> httpx.Response:
        """Send operations."""
        return self.post(f"/layers/{layer}/operations", json={"base": base, "operations": operations})


def exported(person: Person, wanted: dict[str, Any]) -> bytes:
    """The file of an export."""
    begun = person.post("/projects/1/exports", json=wanted).json()
    while (state := person.get(f"/exports/{begun['id']}").json())["state"] == "working":
        time.sleep(0.02)
    assert state["state"] == "done", state
    return person.get(f"/exports/{begun['id']}/file").content


def operation(kind: str, **payload: Any) -> dict[str, Any]:
    """One with an id of its own."""
    return {"id": new(), "kind": kind, "payload": payload, "time": 1_700_000_000_000, "pause": 2000}


def new() -> str:
    """An id."""
    return str(uuid.uuid4())


def rectangle(x: int, y: int, width: int, height: int) -> list[dict[str, Any]]:
    """Rings of a rectangle in pixels."""
    corners = (x, y, x + width, y, x + width, y + height, x, y + height)
    return [{"hole": False, "points": [100 * n for n in corners]}]


def add(category: int | None, *box: int, name: str | None = None) -> dict[str, Any]:
    """The operation that adds a rectangle."""
    return operation("add", object=name or new(), category=category, rings=rectangle(*box))
