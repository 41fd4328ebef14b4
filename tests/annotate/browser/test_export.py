"""What a person has drawn, as a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.annotate.browser.person import Person
from tests.annotate.browser.test_draw import CAR, PERSON, WHOLE_CAR, WHOLE_PERSON, filled

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
