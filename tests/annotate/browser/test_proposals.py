"""Proposals from a file: looked at, taken, put away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.annotate.browser.conftest import HEIGHT, WIDTH, write_pictures
from tests.annotate.browser.person import Person
from tests.helpers import wait_for

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
    with served(opened) as address:
        context = chromium.new_context(viewport={"width": 1000, "height": 640}, base_url=address)
        page = context.new_page()
        page.goto(f"{address}/?token=token")
        page.wait_for_url("**/#project/*")
        yield Person(page, 1)
        context.close()


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
