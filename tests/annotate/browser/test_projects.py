"""An owner's pages: classes that others replace, proposals that are sent, another project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.annotate.browser.conftest import HEIGHT, WIDTH, entered, write_pictures
from tests.annotate.browser.person import Person, rectangle
from tests.helpers import wait_for

import kins


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """The only user of a server with one picture, and one more below."""
    from tests.annotate.helpers import served

    from kins.annotate.server import open_folder

    write_pictures(tmp_path / "pictures", 1)
    opened = open_folder(tmp_path / "pictures")
    opened.shop.token = "token"
    write_pictures(tmp_path / "pictures" / "more", 1)
    with served(opened) as address, entered(chromium, address, "token") as tab:
        yield tab
    opened.shop.store.close()


def test_an_owner_replaces_a_class_sends_proposals_and_makes_a_project(page: Any, tmp_path: Path) -> None:
    person = Person(page, 1)
    for name, left in (("car", 20), ("truck", 200)):
        person.draw(rectangle(left, 60, left + 60, 120))
        person.press("/")
        page.keyboard.type(name)
        person.press("Enter")
        page.wait_for_selector(f".object.selected:has-text('{name}')")
    assert wait_for(lambda: len(person.saved()["objects"]) == 2)
    page.goto("/#project/1/people")
    page.click("[title='Remove the class truck']")
    assert "1 object is of the class truck" in page.inner_text("dialog")
    assert page.inner_text("dialog select").split() == ["car"]
    page.click("dialog button:has-text('Replace')")
    assert wait_for(lambda: page.locator("[title='Remove the class truck']").count() == 0)
    kept = page.context.request.get("/api/v1/layers/1").json()["objects"]
    assert [thing["category"] for thing in kept] == [1, 1]

    mask = kins.Mask.from_box((100, 60, 60, 60), HEIGHT, WIDTH)
    scene = kins.Scene(kins.Image(1, "00.png", HEIGHT, WIDTH), (kins.Instance(1, 1, "bus", mask, mask),))
    kins.Dataset.from_scenes([scene], {1: "bus"}).save(tmp_path / "found.json", "kins2020")
    (tmp_path / "bad.json").write_text("no annotations")
    page.goto("/#project/1")
    sent = [
        ("bad.json", "bad.json: "),
        ("found.json", "1 proposal for 1 image."),
        ("found.json", "1 object for 1 image."),
    ]
    for name, says in sent:
        page.click("button:has-text('Proposals…')")
        page.set_input_files("dialog input[type=file]", tmp_path / name)
        page.set_checked("dialog label:has-text('As the layer of a network') input", "object" in says)
        page.click("dialog button:has-text('Send')")
        page.wait_for_selector(f"dialog p:has-text('{says}')")
        page.click("dialog button:has-text('Close')")

    person = Person(page, 1)
    person.press("Tab", "Enter")
    page.wait_for_selector(".side p:has-text('IoU with it 1.00')")
    person.draw(rectangle(160, 60, 220, 120), "Shift+A")
    page.wait_for_selector(".side p:has-text('IoU with it 0.50')")
    assert wait_for(lambda: person.saved()["objects"][-1]["origin"].get("iou") == 0.5)

    page.goto("/#image/1/review")
    network = page.locator("figure:has-text('network: 1 objects')")
    network.wait_for()
    assert network.locator("button").all_inner_texts() == ["Look"]
    assert "network" in page.inner_text("tbody")  # the objects, and who found them
    network.locator("button").click()
    page.wait_for_url("**/layer/*")
    page.wait_for_selector(".object:has-text('bus')")
    assert "read-only" in page.inner_text(".saved")

    page.goto("/#project/1")
    page.click("button:has-text('Projects…')")
    page.click("button:has-text('New project…')")
    page.fill("dialog [aria-label=Name]", "Second")
    page.fill("dialog [aria-label=Folder]", "more")
    page.click("dialog button:has-text('Make')")
    page.wait_for_url("**/#project/2")
    page.wait_for_selector("h1:has-text('Second')")
    assert page.inner_text("tbody").split()[0] == "00.png"
