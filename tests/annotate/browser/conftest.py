"""One browser, and one server of small pictures, for all tests of the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from tests.annotate.browser.person import Person

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
WIDTH, HEIGHT = 400, 188


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where the system's Chromium is."""
    pytest.importorskip("playwright.sync_api", reason="no Playwright")
    pytest.importorskip("uvicorn", reason="no server: the extra `annotate` is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def playwright(chromium_path: str) -> Iterator[Any]:
    """Playwright, running."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Any, chromium_path: str) -> Iterator[Any]:
    """The browser."""
    browser = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
    yield browser
    browser.close()


def write_pictures(folder: Path, count: int) -> None:
    """Grey pictures of noise."""
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(0)
    for k in range(count):
        Picture.fromarray(noise.integers(70, 110, (HEIGHT, WIDTH), np.uint8)).save(folder / f"{k:02}.png")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[tuple[str, str]]:
    """A server with 40 pictures: its address, and the token of the only user."""
    from tests.annotate.helpers import served

    from kins.annotate.server import open_folder

    folder = tmp_path_factory.mktemp("site")
    write_pictures(folder, 40)
    opened = open_folder(folder)
    opened.shop.token = "a token for tests"
    with served(opened) as address:
        yield address, opened.shop.token


@pytest.fixture(scope="session")
def visit(chromium: Any, site: tuple[str, str]) -> Iterator[Any]:
    """A browser's profile with a session of the only user; has the classes car (1) and person (2)."""
    address, token = site
    with entered(chromium, address, token) as page:
        context = page.context
        csrf = context.request.get("/api/v1/me").json()["csrf"]
        for name in ("car", "person"):
            headers = {"X-CSRF-Token": csrf, "Origin": address}
            context.request.post("/api/v1/projects/1/categories", data={"name": name}, headers=headers)
        page.close()
        yield context


@contextmanager
def entered(chromium: Any, address: str, token: str) -> Iterator[Any]:
    """The first page, in a new profile, that the only user of a server sees."""
    context = chromium.new_context(viewport={"width": 1000, "height": 640}, base_url=address)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(f"{address}/?token={token}")
    page.wait_for_url("**/#project/*")
    yield page
    context.close()


_pictures = iter(range(1, 41))


@pytest.fixture(scope="session")
def tab(visit: Any) -> Any:
    """The tab that most tests use, one after the other."""
    return visit.new_page()


@pytest.fixture
def person(tab: Any) -> Iterator[Person]:
    """Somebody with a picture that nobody has touched, open in the browser."""
    person = Person(tab, next(_pictures))
    yield person
    person.leave()
    assert not person.errors
