"""Masks from outlines and order, against painting pixel by pixel."""

import uuid
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kins.annotate.operations import History, Operation, Ring, State
from kins.annotate.painting import cycles, masks_of, paint, rings_of, scene_of
from kins.masks import Mask
from kins.occlusion import occlusion
from kins.records import Image

WIDTH, HEIGHT = 40, 30
POLE = 9


def name(number: int) -> str:
    return str(uuid.UUID(int=number))


def rectangle(x: int, y: int, width: int, height: int) -> list[int]:
    return [100 * n for n in (x, y, x + width, y, x + width, y + height, x, y + height)]


def state_of(*actions: tuple[str, dict[str, Any]]) -> State:
    return History.of(Operation(name(100 + n), kind, payload) for n, (kind, payload) in enumerate(actions)).state


def add(number: int, *box: int, category: int = 1) -> tuple[str, dict[str, Any]]:
    return "add", {"object": name(number), "category": category, "rings": [{"points": rectangle(*box)}]}


def says(kind: str, nearer: int, farther: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"nearer": name(nearer), "farther": name(farther), **more}


def painted(state: State) -> Any:
    return paint(state, WIDTH, HEIGHT, [POLE])


boxes = st.tuples(st.integers(-3, 35), st.integers(-3, 25), st.integers(2, 25), st.integers(2, 20))


@settings(max_examples=60)
@given(st.data())
def test_each_pixel_belongs_to_the_nearest_as_the_pairs_say(data: st.DataObject) -> None:
    things = data.draw(st.lists(st.tuples(boxes, st.sampled_from([1, 1, 1, POLE])), min_size=1, max_size=5))
    n = len(things)
    said = data.draw(st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), max_size=6))
    regions = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), boxes), max_size=3))
    actions = [add(i, *box, category=category) for i, (box, category) in enumerate(things)]
    actions += [says("pair", a, b) for a, b in said if a != b]
    actions += [
        says("exception", a, b, exception=name(50 + k), points=rectangle(*box))
        for k, (a, b, box) in enumerate(regions)
        if a != b
    ]
    state = state_of(*actions)
    found = painted(state)

    def pixels(box: tuple[int, ...]) -> np.ndarray:
        x, y, width, height = box
        grid = np.zeros((HEIGHT, WIDTH), bool)
        grid[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
        return grid

    whole = [pixels(box) for box, _ in things]
    hides = [category == POLE for _, category in things]
    last: dict[frozenset[int], int] = {}
    for a, b in [*said, *((a, b) for a, b, _ in regions)]:
        last[frozenset((a, b))] = a
    bottoms = [np.flatnonzero(w.any(1)).max(initial=-1) for w in whole]

    def nearer(i: int, j: int) -> bool:
        if hides[i] != hides[j]:
            return hides[i]
        if frozenset((i, j)) in last:
            return last[frozenset((i, j))] == i
        return (bottoms[i], i) > (bottoms[j], j)

    for i in range(n):
        expected = whole[i].copy()
        for j in range(n):
            if i == j or (hides[i] and hides[j]):
                continue
            turned = np.zeros((HEIGHT, WIDTH), bool)
            for a, b, box in regions:
                if {a, b} == {i, j}:
                    turned |= pixels(box)
            expected &= ~(whole[j] & (turned ^ nearer(j, i)))
        assert np.array_equal(found.amodal[i].to_array(), whole[i])
        assert np.array_equal(found.inmodal[i].to_array(), expected)


def test_pairs_are_those_that_overlap_by_more_than_rounding_and_guesses_are_marked() -> None:
    strip = add(3, 0, 17, 40, 1)  # one pixel high: what rounding leaves
    state = state_of(add(1, 0, 0, 10, 10), add(2, 5, 2, 10, 16), strip, add(4, 30, 0, 5, 30, category=POLE))
    (pair,) = painted(state).pairs
    assert (pair.nearer, pair.farther, pair.confirmed) == (name(2), name(1), False)
    state = state_of(add(1, 0, 0, 10, 10), add(2, 5, 2, 10, 16), says("pair", 1, 2))
    (pair,) = painted(state).pairs
    assert (pair.nearer, pair.farther, pair.confirmed) == (name(1), name(2), True)


def test_a_hole_takes_away_and_an_outline_adds() -> None:
    rings = (Ring(False, tuple(rectangle(0, 0, 10, 10))), Ring(True, tuple(rectangle(2, 2, 4, 4))))
    rings += (Ring(False, tuple(rectangle(20, 0, 3, 3))),)
    (mask,) = masks_of([rings], WIDTH, HEIGHT)
    assert mask.area == 100 - 16 + 9


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_rings_of_a_mask_give_the_same_pixels(seed: int, share: float) -> None:
    mask = Mask.from_array(np.random.default_rng(seed).random((HEIGHT, WIDTH)) < share)
    assert masks_of([rings_of(mask)], WIDTH, HEIGHT)[0] == mask


def test_polygons_that_a_mask_was_made_of_stay() -> None:
    mask = Mask.from_polygons([[1.5, 2, 20.25, 3, 9, 17.5]], HEIGHT, WIDTH)
    assert rings_of(mask) == (Ring(False, (150, 200, 2025, 300, 900, 1750)),)


def test_a_circle_of_three_is_found_and_an_exception_opens_it() -> None:
    objects = [add(1, 0, 0, 20, 12), add(2, 10, 0, 20, 12), add(3, 5, 5, 20, 20)]
    circle = [says("pair", 1, 2), says("pair", 2, 3), says("pair", 3, 1)]
    assert cycles(painted(state_of(*objects, *circle))) == [[name(1), name(2), name(3)]]
    assert not cycles(painted(state_of(*objects, *circle[:2], says("pair", 1, 3))))
    region = says("exception", 3, 1, exception=name(50), points=rectangle(0, 0, 30, 30))
    assert not cycles(painted(state_of(*objects, *circle, region)))


def test_the_scene_has_the_order_that_was_said_and_no_occluders() -> None:
    state = state_of(
        add(1, 0, 0, 20, 20), add(2, 10, 5, 20, 10), add(3, 0, 8, 40, 3, category=POLE), says("pair", 2, 1)
    )
    found = painted(state)
    scene = scene_of(state, found, Image(1, "a.png", HEIGHT, WIDTH), {1: "car", POLE: "pole"}, first_id=5)
    assert [(i.id, i.category, i.order, i.cluster) for i in scene] == [(5, "car", 1, 0), (6, "car", 0, 0)]
    assert scene[0].inmodal is not None
    assert scene[0].inmodal.area == 400 - 20 * 3 - 10 * 10 + 10 * 3
    assert occlusion(scene).order.tolist() == [1, 0]
