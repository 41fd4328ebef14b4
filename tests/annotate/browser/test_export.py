"""What a person has drawn, as a file."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from tests.annotate.browser.person import Person
from tests.annotate.browser.test_draw import CAR, PERSON, SHAPE, WHOLE_CAR, WHOLE_PERSON, filled

import kins
from kins.validate import validate


@pytest.fixture
def drawn(person: Person) -> Person:
    """A car with a person before it and a pole before both, done."""
    person.draw(CAR)
    person.press("1")
    person.draw(PERSON)
    person.press("2", "C")
    person.draw([(120, 20), (140, 20), (140, 180), (120, 180)], "O")
    assert len(person.saved()["objects"]) == 3
    person.press("Control+Enter")
    person.page.click("dialog button:has-text('Done')")
    person.left()  # the dialog closes before the server has taken it
    assert person.saved()["state"] == "done"
    return person


def export(page: Any, path: Path, **more: str) -> None:
    """By the dialog of the project's page."""
    page.goto("about:blank")
    page.goto("/#project/1")
    page.click("text=Export…")
    for state in ("to do", "in work"):
        page.uncheck(f"dialog label:has-text('{state}') input")
    for label, value in more.items():
        page.fill(f"[aria-label={label}]", value)
    if more.get("Format") == "yolo":
        page.select_option("[aria-label^='Which masks']", "inmodal")
    page.click("dialog button:has-text('Export')")
    with page.expect_download() as download:
        page.click("text=Download the file")
    download.value.save_as(path)
    page.click("dialog button:has-text('Close')")


def test_the_exported_file_has_the_masks_as_drawn_by_hand(drawn: Person, tmp_path: Path) -> None:
    export(drawn.page, tmp_path / "kins.json")
    found = {problem.code for problem in validate(tmp_path / "kins.json").problems}
    assert found <= {"category-unused"}  # classes that other tests have made
    dataset = kins.load(tmp_path / "kins.json")
    scene = next(scene for scene in dataset if scene.image.file_name == f"{drawn.image - 1:02}.png")
    pole = filled(120, 20, 140, 180)
    car, person = sorted(scene, key=lambda instance: instance.category)
    assert (car.category, person.category) == ("car", "person")
    np.testing.assert_array_equal(car.amodal.to_array(), WHOLE_CAR)
    np.testing.assert_array_equal(car.inmodal.to_array(), WHOLE_CAR & ~WHOLE_PERSON & ~pole)
    np.testing.assert_array_equal(person.inmodal.to_array(), WHOLE_PERSON)
    assert (car.order, person.order) == (1, 0)


def test_a_format_with_one_mask_is_asked_for_the_one_of_what_is_seen(drawn: Person, tmp_path: Path) -> None:
    page = drawn.page
    export(page, tmp_path / "yolo.zip", Format="yolo")
    with zipfile.ZipFile(tmp_path / "yolo.zip") as archive:
        archive.extractall(tmp_path / "yolo")
    (tmp_path / "pictures").mkdir()
    name = f"{drawn.image - 1:02}.png"
    Picture.new("L", SHAPE[::-1]).save(tmp_path / "pictures" / name)
    found = {i.category: i.inmodal for i in kins.load(tmp_path / "yolo", images=tmp_path / "pictures")[name]}
    np.testing.assert_array_equal(found["car"].to_array(), WHOLE_CAR & ~WHOLE_PERSON & ~filled(120, 20, 140, 180))
    page.click("text=Export…")
    shown = {}
    for format in ("kins2020", "cocoa", "coco", "parquet"):
        page.fill("[aria-label=Format]", format)
        parts = (
            "label:has-text('Outlines in place')",
            "label:has-text('Occluders as objects')",
            "[aria-label^='Which masks']",
        )
        shown[format] = [page.is_visible(f"dialog {part}") for part in parts]
    assert list(shown.values()) == [[True, False, False], [True, True, False], [True, False, True], [False] * 3]
    page.click("dialog button:has-text('Cancel')")
