"""Proposals from a file: looked at, taken, put away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.annotate.browser.conftest import HEIGHT, WIDTH, entered, write_pictures
from tests.annotate.browser.person import Person, rectangle
from tests.helpers import box, wait_for

import kins


@pytest.fixture
def assisted(chromium: Any, tmp_path: Path) -> Iterator[Person]:
    """Somebody with a picture for which three cars are proposed."""
    from tests.annotate.helpers import served

    from kins.annotate.server import open_folder

    write_pictures(tmp_path / "pictures", 1)
    boxes = [(40, 60, 80, 60), (100, 70, 80, 60), (260, 60, 80, 60)]
    masks = [kins.Mask.from_box(box, HEIGHT, WIDTH) for box in boxes]
    cars = tuple(kins.Instance(k + 1, 1, "car", mask, mask) for k, mask in enumerate(masks))
    scene = kins.Scene(kins.Image(1, "00.png", HEIGHT, WIDTH), cars)
    kins.Dataset.from_scenes([scene], {1: "car"}).save(tmp_path / "proposed.json", "kins2020")
    opened = open_folder(tmp_path / "pictures", proposals=tmp_path / "proposed.json")
    opened.shop.token = "token"
    with served(opened) as address, entered(chromium, address, "token") as page:
        opened.shop.completer = kins.Completer.load("convex-order")
        person = Person(page, 1)
        person.shop = opened.shop
        yield person


def test_proposals_are_taken_by_one_key_and_put_away_by_another(assisted: Person) -> None:
    assisted.press("Tab", "Enter")
    (first,) = assisted.masks()
    assert [thing["origin"]["kind"] for thing in assisted.saved()["objects"]] == ["proposal"]
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[60:120, 40:120] = True
    np.testing.assert_array_equal(first[0], expected)
    assisted.press("Backspace", "Enter")  # not the second one; the third one
    assert wait_for(lambda: len(assisted.saved()["objects"]) == 2)
    assert wait_for(lambda: assisted.page.is_disabled("[data-action=next-proposal]"))
    assisted.press("Control+z", "Control+z")
    assert wait_for(lambda: assisted.page.is_enabled("[data-action=next-proposal]"))
    assert len(assisted.saved()["objects"]) == 1


def test_a_network_is_asked_for_more_when_all_proposals_are_done(assisted: Person) -> None:
    def finds(pixels: Any) -> kins.Scene:
        mask = kins.Mask.from_box((300, 20, 40, 30), HEIGHT, WIDTH)
        return kins.Scene(kins.Image(1, "x", HEIGHT, WIDTH), (kins.Instance(1, 1, "car", mask, mask),))

    assisted.shop.network, assisted.shop.predictor = "weights", finds
    assisted.open()  # the page hears of it
    assisted.press("Tab", "Backspace", "Backspace", "Backspace")
    assisted.page.wait_for_selector("text=Enter takes the proposal", state="hidden")
    assisted.press("Tab")
    assisted.page.wait_for_selector("text=Enter takes the proposal")
    assisted.press("Enter")
    assert wait_for(lambda: len(assisted.saved()["objects"]) == 1)
    ((mask, _),) = assisted.masks()
    assert mask.sum() == 1200
    assert assisted.page.is_disabled("[data-action=next-proposal]")


def test_a_network_completes_what_is_seen_of_an_object(assisted: Person) -> None:
    assisted.press("Tab", "Enter")  # the left part is proposed, the right one is drawn
    assert wait_for(lambda: "car 1" in assisted.text(".side"))
    assisted.draw(rectangle(160, 60, 200, 120), "Shift+A")
    assisted.draw(rectangle(120, 40, 160, 116))
    seen = assisted.saved()["objects"][0]["rings"]
    assisted.press("P")

    def offered() -> bool:
        return "completed outline" in assisted.text(".hint")

    for key, parts in (("Backspace", 2), ("Enter", 3)):
        assisted.press("K")
        assert wait_for(offered)
        assert len(assisted.saved()["objects"][0]["rings"]) == 2  # nothing is done before it is taken
        assisted.press(key)
        assert wait_for(lambda: not offered())
        assert len(assisted.saved()["objects"][0]["rings"]) == parts
    assert assisted.saved()["objects"][0]["rings"][:2] == seen
    assert [pair["confirmed"] for pair in assisted.saved()["pairs"]] == [True]
    (whole, visible), _ = assisted.masks()
    parts = [box(*part, (HEIGHT, WIDTH)) for part in ((40, 60, 80, 60), (160, 60, 40, 60), (120, 60, 40, 56))]
    np.testing.assert_array_equal(whole, np.logical_or.reduce(parts))
    np.testing.assert_array_equal(visible, parts[0] | parts[1])  # though its bottom is the lower one
    assisted.press("K")
    assisted.toast("Nothing is hidden here")
    assisted.press("E")
    assisted.drag((200, 120), (208, 128))
    assert wait_for(lambda: 20800 in assisted.saved()["objects"][0]["rings"][1]["points"])
    assisted.press("E", "Control+z", "Control+z")
    assert wait_for(lambda: assisted.saved()["objects"][0]["rings"] == seen)
    assert assisted.saved()["pairs"] == []


def test_the_share_of_images_with_proposals_is_a_setting(assisted: Person) -> None:
    page = assisted.page
    page.goto("about:blank")
    page.goto("/#project/1")
    page.click("button:text-is('Settings…')")
    share = page.locator("[aria-label^='Share of images']")
    assert share.input_value() == "0.9"
    share.fill("0")
    with page.expect_response(lambda response: response.request.method == "PATCH"):
        page.click("button:text-is('Save')")
    assisted.open()
    assisted.toast("3 proposals are not shown")
    assert page.is_disabled("[data-action=next-proposal]")
