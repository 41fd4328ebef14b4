"""For everybody: each page by axe-core, names of all that can be reached, and the keyboard's way through the panels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.annotate.browser.conftest import write_pictures
from tests.annotate.browser.person import Person, rectangle
from tests.annotate.browser.test_people import signed_in
from tests.helpers import wait_for

PARTS = "button, a, input, select, textarea, summary, canvas[tabindex], img, dialog"
NAMELESS = """(parts) => [...document.querySelectorAll(parts)]
  .filter((part) => part.checkVisibility() && part.alt !== "" && !part.closest("label")?.innerText.trim()
    && !(part.getAttribute("aria-label") || part.innerText || part.title || "").trim())
  .map((part) => part.outerHTML)"""


@pytest.fixture(scope="module")
def place(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with accounts."""
    from tests.annotate.helpers import team

    folder = tmp_path_factory.mktemp("access")
    write_pictures(folder, 1)
    with team(folder, count=0) as (address, _):
        yield address


def check(page: Any, where: str) -> None:
    """No part without a name; nothing that axe-core finds, where it is installed."""
    assert page.evaluate(NAMELESS, PARTS) == [], where
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        return
    found = Axe().run(page).response
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found["violations"]] == [], where
    assert found["passes"], where


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_and_dialogs_are_for_everybody(chromium: Any, place: str, scheme: str) -> None:
    stranger = chromium.new_page(base_url=place, color_scheme=scheme)
    stranger.goto("/")
    stranger.wait_for_selector("[aria-label=Password]")
    check(stranger, "sign in")
    stranger.close()
    page = signed_in(chromium, place, "owner")
    page.emulate_media(color_scheme=scheme)
    for address, part in (
        ("#project/1", "td img"),
        ("#project/1/people", "[aria-label=Questions]"),
        ("#users", "h1:text-is('Users')"),
        ("#projects", "button:text-is('New project…')"),
    ):
        page.goto(f"/{address}")
        page.wait_for_selector(part)
        check(page, address)
    page.click("text=New project…")
    check(page, "New project")
    page.keyboard.press("Escape")
    page.goto("/#project/1")
    for name in ("Export…", "Proposals…"):
        page.click(f"text={name}")
        page.wait_for_selector("dialog")
        check(page, name)
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    person = Person(page, 1)
    person.draw(rectangle(100, 80, 220, 152))
    person.draw(rectangle(180, 60, 232, 172))
    assert wait_for(lambda: "in front of" in person.text(".side"))
    check(page, "an image")
    for key, part in (("F1", "Keys"), ("/", "Class"), ("t", "Comments")):
        page.keyboard.press(key)
        page.wait_for_selector("dialog")
        check(page, part)
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    page.goto("/#image/1/review")
    page.wait_for_selector("figure")
    check(page, "review")
    page.context.close()


def test_the_keyboard_goes_through_the_panels_and_is_seen(person: Person) -> None:
    where = "document.activeElement.closest('.stage, .tools, .side').className"
    found = []
    for _ in range(4):
        found.append(person.page.evaluate(where))
        person.press("F6")
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert person.page.evaluate(style) != "none"
    assert found == ["stage", "tools", "side", "stage"]
