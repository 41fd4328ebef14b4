"""A person's way: outlines, order, exceptions, occluders, holes, shared borders, undo."""

from typing import Any

import numpy as np
import pytest
from tests.annotate.browser.person import Person, rectangle
from tests.helpers import box, wait_for

SHAPE = (188, 400)
CAR, PERSON = rectangle(100, 80, 220, 152), rectangle(180, 60, 232, 172)


def filled(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    return box(left, top, right - left, bottom - top, SHAPE)


WHOLE_CAR, WHOLE_PERSON = filled(100, 80, 220, 152), filled(180, 60, 232, 172)


def test_outlines_and_order_give_both_masks(person: Person) -> None:
    person.draw(CAR)
    person.press("1")  # the class that was used last may be of another test
    person.draw(PERSON)
    person.press("2")
    assert wait_for(lambda: "in front of car 1 ?" in person.text(".side"))
    layer = person.saved()
    assert [pair["confirmed"] for pair in layer["pairs"]] == [False]
    (car, hidden), (whole, visible) = person.masks()
    np.testing.assert_array_equal(car, WHOLE_CAR)
    np.testing.assert_array_equal(hidden, WHOLE_CAR & ~WHOLE_PERSON)  # the person's feet are lower: nearer
    np.testing.assert_array_equal(whole, WHOLE_PERSON)
    np.testing.assert_array_equal(visible, WHOLE_PERSON)
    person.press("X")
    (_, hidden), (_, visible) = person.masks()
    np.testing.assert_array_equal(hidden, WHOLE_CAR)
    np.testing.assert_array_equal(visible, WHOLE_PERSON & ~WHOLE_CAR)
    (pair,) = person.saved()["pairs"]
    assert pair["confirmed"]
    assert pair["nearer"] == person.saved()["objects"][0]["id"]


def test_an_occluded_object_takes_four_actions_beside_its_points(person: Person) -> None:
    person.draw(CAR)
    person.press("1")
    person.actions = 0
    person.draw(PERSON)
    person.press("2", "C")
    assert person.actions <= 4
    layer = person.saved()
    assert [thing["category"] for thing in layer["objects"]] == [1, 2]
    assert [pair["confirmed"] for pair in layer["pairs"]] == [True]
    person.press("Control+Enter")
    person.page.click("dialog button:has-text('Done')")
    person.left()
    assert person.saved()["state"] == "done"


def test_an_exception_reverses_the_order_in_its_region(person: Person) -> None:
    person.draw(CAR)
    person.draw(PERSON)
    person.draw(rectangle(176, 76, 240, 100), "V")
    region = filled(176, 76, 240, 100)
    (_, car), (_, man) = person.masks()
    np.testing.assert_array_equal(car, WHOLE_CAR & ~(WHOLE_PERSON & ~region))
    np.testing.assert_array_equal(man, WHOLE_PERSON & ~(WHOLE_CAR & region))
    person.page.click("text=Remove exception")
    assert wait_for(lambda: not person.saved()["exceptions"])


def test_an_occluder_hides_all_behind_it_and_is_no_object(person: Person) -> None:
    person.draw(CAR)
    person.draw(rectangle(120, 20, 140, 180), "O")
    pole = filled(120, 20, 140, 180)
    person.saved()
    wait_for(lambda: len(person.saved()["objects"]) == 2)
    np.testing.assert_array_equal(person.masks()[0][1], WHOLE_CAR & ~pole)
    assert wait_for(lambda: "Occluders" in person.text(".side"))
    assert person.saved()["pairs"] == []


def test_holes_and_further_outlines(person: Person) -> None:
    person.draw(CAR)
    person.draw(rectangle(120, 100, 140, 120), "Shift+A")
    person.draw(rectangle(240, 100, 260, 140), "Shift+A")
    ((amodal, _),) = person.masks()
    expected = WHOLE_CAR & ~filled(120, 100, 140, 120) | filled(240, 100, 260, 140)
    np.testing.assert_array_equal(amodal, expected)
    assert [ring["hole"] for ring in person.saved()["objects"][0]["rings"]] == [False, True, False]


def corners(layer: dict[str, Any], index: int) -> set[tuple[int, int]]:
    flat = layer["objects"][index]["rings"][0]["points"]
    return set(zip(flat[::2], flat[1::2], strict=True))


def test_a_shared_border_has_the_same_corners_and_moves_as_one(person: Person) -> None:
    person.draw([(100, 80), (200, 80), (208, 100), (192, 120), (200, 152), (100, 152)])
    person.press("A")
    person.page.keyboard.down("q")
    person.click(200, 81)  # next to the corner
    person.click(200, 151)  # the corners between are copied
    person.page.keyboard.up("q")
    person.click(280, 152)
    person.click(280, 80)
    person.press("Enter")
    layer = person.saved()
    shared = {(20000, 8000), (20800, 10000), (19200, 12000), (20000, 15200)}
    assert shared <= corners(layer, 0)
    assert shared <= corners(layer, 1)
    (first, _), (second, _) = person.masks()
    assert not (first & second).any()
    person.press("E")
    person.drag((208, 100), (216, 104))
    assert wait_for(lambda: (21600, 10400) in corners(person.saved(), 0) & corners(person.saved(), 1))
    person.page.keyboard.down("Alt")
    person.drag((216, 104), (220, 100))
    person.page.keyboard.up("Alt")
    assert wait_for(lambda: (22000, 10000) in corners(person.saved(), 1))
    assert (21600, 10400) in corners(person.saved(), 0)
    person.press("Control+z", "Control+z")  # the corner of both moves back by one undo
    assert wait_for(lambda: (20800, 10000) in corners(person.saved(), 0) & corners(person.saved(), 1))


def test_tab_copies_the_border_the_other_way_round(person: Person) -> None:
    person.draw(rectangle(100, 80, 200, 152))
    person.press("A")
    person.page.keyboard.down("q")
    person.click(150, 80)  # on an edge
    person.click(200, 152)
    person.page.keyboard.up("q")
    person.press("Tab")
    person.click(300, 172)
    person.press("Enter")
    layer = person.saved()
    assert {(10000, 8000), (10000, 15200)} <= corners(layer, 1)
    assert (20000, 8000) not in corners(layer, 1)
    assert (15000, 8000) in corners(layer, 0)  # the neighbour has the new corner, too


def test_points_are_added_and_deleted(person: Person) -> None:
    person.draw(CAR)
    person.press("E")
    person.click(160, 80)
    assert wait_for(lambda: (16000, 8000) in corners(person.saved(), 0))
    person.drag((160, 80), (160, 60))
    assert wait_for(lambda: (16000, 6000) in corners(person.saved(), 0))
    person.page.keyboard.down("Alt")
    person.click(160, 60)
    person.page.keyboard.up("Alt")
    assert wait_for(lambda: len(corners(person.saved(), 0)) == 4)


def test_undo_to_empty_and_redo_also_across_reloads(person: Person) -> None:
    person.draw(CAR)
    person.draw(PERSON)
    person.press("2", "C")
    person.draw(rectangle(176, 76, 240, 100), "V")
    full = person.saved()
    for _ in range(3):
        person.press("Control+z")
    assert wait_for(lambda: not person.saved()["pairs"][0]["confirmed"])
    person.open()
    for _ in range(4):
        person.press("Control+z")
    assert wait_for(lambda: person.saved()["objects"] == [])
    person.open()
    for _ in range(6):
        person.press("Control+Shift+z")
    again = person.saved()
    for name in ("objects", "pairs", "exceptions"):
        assert again[name] == full[name], name
    assert wait_for(lambda: person.page.is_disabled("[data-action=redo]"))


def test_freehand_and_closing_at_the_first_point(person: Person) -> None:
    person.press("A")
    person.point(100, 100)
    person.page.mouse.down()
    for x, y in ((140, 80), (180, 100), (160, 140)):
        person.page.mouse.move(*person.at(x, y), steps=4)
    person.page.mouse.up()
    person.click(120, 150)
    person.press("Backspace")
    person.click(100, 100)
    points = person.saved()["objects"][0]["rings"][0]["points"]
    assert 8 < len(points) / 2 < 40
    assert (12000, 15000) not in zip(points[::2], points[1::2], strict=True)


def test_a_pen_draws_as_the_mouse_does(person: Person) -> None:
    """Events of a pen as the browser has them from the system: the corners, and a stroke by hand."""
    session = person.context.new_cdp_session(person.page)
    person.page.evaluate(
        "() => { window.kinds = [];"
        " document.querySelector('.stage').addEventListener('pointerdown', (e) => window.kinds.push(e.pointerType)); }"
    )

    def draw(device: str, left: float) -> None:
        def send(kind: str, x: float, y: float, buttons: int) -> None:
            across, down = person.at(left + x, y)
            event = {"type": kind, "x": across, "y": down, "buttons": buttons, "clickCount": 1}
            session.send("Input.dispatchMouseEvent", {**event, "button": "left", "pointerType": device})

        person.press("A")
        for x, y in ((0, 80), (60, 80)):
            send("mousePressed", x, y, 1)
            send("mouseReleased", x, y, 0)
        send("mousePressed", 60, 120, 1)
        for step in range(1, 11):
            send("mouseMoved", 60 - 4 * step, 120 + step, 1)
        send("mouseReleased", 20, 130, 0)
        person.press("Enter")

    draw("mouse", 40)
    draw("pen", 240)
    mouse, pen = (thing["rings"][0]["points"] for thing in person.saved()["objects"])
    assert person.page.evaluate("window.kinds") == ["mouse"] * 3 + ["pen"] * 3
    assert len(pen) / 2 > 5
    assert pen == [n + 20000 * (k % 2 == 0) for k, n in enumerate(mouse)]


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "'\"><script>window.hurt=1</script>"])
def test_names_are_text(person: Person, name: str) -> None:
    person.press("/")
    person.page.keyboard.type(name)
    person.press("Enter")
    person.draw(CAR)
    person.saved()
    assert wait_for(lambda: name in person.text(".side"))
    assert person.page.query_selector(".side img") is None
    assert person.page.evaluate("window.hurt") is None


def test_keys_alone_are_enough(person: Person) -> None:
    person.press("A", ".")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        for _ in range(5):
            person.press(f"Alt+{key}")
        person.press(".")
    person.press("Enter", "2")
    (thing,) = person.saved()["objects"]
    assert thing["category"] == 2
    points = thing["rings"][0]["points"]
    assert (points[0], points[2]) == (points[6], points[4])
    person.press("E", ".", "ArrowDown", "ArrowDown", ".", "Escape", "Escape", "N", "G", "U")
    assert wait_for(lambda: person.saved()["objects"][0]["flags"] == {"guess": True, "outside": True})
    assert person.saved()["objects"][0]["rings"][0]["points"] != points
    person.press("F1")
    assert "Draw a whole outline" in person.text("dialog")


def test_the_order_of_three_by_list_and_keys(person: Person) -> None:
    person.draw(rectangle(100, 80, 160, 120))
    person.draw(rectangle(140, 80, 200, 124))
    person.draw(rectangle(100, 100, 200, 128))
    assert wait_for(lambda: "Cluster 1" in person.text(".side"))
    first, second, third = (thing["id"] for thing in person.saved()["objects"])

    def order() -> set[tuple[str, str]]:
        return {(pair["nearer"], pair["farther"]) for pair in person.saved()["pairs"]}

    assert order() == {(third, first), (third, second), (second, first)}
    person.press("{")
    assert wait_for(lambda: order() == {(first, third), (second, third), (second, first)})
    person.press("]")
    assert wait_for(lambda: order() == {(third, first), (second, third), (second, first)})
    rows = person.page.locator(".object")
    rows.nth(2).drag_to(rows.nth(0), target_position={"x": 20, "y": 2})
    assert wait_for(lambda: order() == {(first, third), (second, third), (first, second)})
    person.point(120, 110)
    person.press("X")  # the third before the first, which is before the second, which is before the third
    assert wait_for(lambda: "circle" in person.text(".side"))
    person.press("Shift+C")
    assert wait_for(lambda: all(pair["confirmed"] for pair in person.saved()["pairs"]))


def test_a_key_is_changed(person: Person) -> None:
    person.press("F1")
    person.page.click("dialog .key:text-is('A')")
    person.press("W")
    person.page.click("dialog .answers button")
    person.page.wait_for_selector("dialog", state="detached")
    person.press("W")
    assert wait_for(lambda: "Click along" in person.text(".hint"))
    person.press("Escape", "F1")
    person.page.click("text=All as they were")
    person.page.wait_for_selector("dialog", state="detached")
    person.press("W")
    assert wait_for(lambda: "A draws an object" in person.text(".hint"))


def test_the_picture_is_zoomed_at_the_pointer_moved_and_seen_as_a_whole(person: Person) -> None:
    page, stage = person.page, person.page.locator(".stage")

    def now() -> dict[str, float]:
        return {name: float(stage.get_attribute(f"data-{name}")) for name in ("scale", "left", "top")}

    whole = now()
    place = (600, 350)  # whole numbers: wheels tell no others
    page.mouse.move(*place)
    (x, y), scale = person.at(0, 0), whole["scale"]
    under = ((place[0] - x) / scale, (place[1] - y) / scale)
    for _ in range(60):
        page.mouse.wheel(0, -300)
    assert wait_for(lambda: now()["scale"] == 32)  # screen pixels of one of the picture, at most
    assert np.allclose(person.at(*under), place, atol=0.1)
    page.mouse.wheel(0, 300)
    assert wait_for(lambda: now()["scale"] < 32)
    before = now()
    page.keyboard.down("Space")
    page.mouse.down()
    page.mouse.move(place[0] + 40, place[1] + 25)
    page.mouse.up()
    page.keyboard.up("Space")
    page.mouse.down(button="middle")
    page.mouse.move(place[0] + 50, place[1] + 25)
    page.mouse.up(button="middle")
    assert wait_for(lambda: abs(now()["left"] - before["left"] - 50) < 1)
    assert abs(now()["top"] - before["top"] - 25) < 1
    person.press("0")
    assert wait_for(lambda: now() == whole)
    person.draw(CAR)
    person.press("Z")
    assert wait_for(lambda: now()["scale"] > whole["scale"])
    person.press("0", "Shift+ArrowUp")
    assert wait_for(
        lambda: "brightness(1.15)" in page.evaluate("document.querySelector('.stage').firstChild.style.filter")
    )
    assert len(person.saved()["objects"]) == 1  # nothing was drawn on the way


def test_keys_that_change_what_is_seen_and_in_front(person: Person) -> None:
    person.draw(rectangle(40, 40, 160, 120))
    person.draw(rectangle(100, 60, 240, 140))
    first, second = (thing["id"] for thing in person.saved()["objects"])
    whole = seen(person)
    person.press("F")
    assert wait_for(lambda: 0 < seen(person) < whole)
    person.press("F")
    assert wait_for(lambda: seen(person) == whole)
    person.click(60, 60)  # the farther one
    person.press("]")
    assert person.saved()["pairs"] == [{"nearer": first, "farther": second, "confirmed": True}]
    person.press("[")
    assert person.saved()["pairs"] == [{"nearer": second, "farther": first, "confirmed": True}]
    whole = seen(person)
    person.page.keyboard.down("H")
    assert wait_for(lambda: 0 < seen(person) < whole)
    person.page.keyboard.up("H")
    assert wait_for(lambda: seen(person) == whole)
    person.press("M")
    person.page.wait_for_selector(".toast:has-text('0 pixels of outlines are filled otherwise')")
    person.press("Delete")
    assert [thing["id"] for thing in person.saved()["objects"]] == [second]
    person.draw(rectangle(300, 60, 360, 140))  # in another cluster
    assert len(person.saved()["objects"]) == 2  # and painted by then
    bright = seen(person, coloured=True)
    person.press("D")
    assert wait_for(lambda: 0.1 * bright < seen(person, coloured=True) < 0.7 * bright)
    person.press("D")
    assert wait_for(lambda: seen(person, coloured=True) == bright)


def seen(person: Person, coloured: bool = False) -> int:
    """How many pixels of the objects' canvas are painted, or painted in more than greys."""
    painted = (
        "data[k + 3] > 0" + " && Math.abs(data[k] - data[k + 1]) + Math.abs(data[k] - data[k + 2]) > 40" * coloured
    )
    return int(
        person.page.evaluate(
            "() => { const c = document.querySelector('.objects-layer');"
            " const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
            f" let n = 0; for (let k = 0; k < data.length; k += 4) n += {painted}; return n; }}"
        )
    )
