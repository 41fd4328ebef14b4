"""A cut-out in front of everything: what it covers is hidden, and no other pixel changes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import HEIGHT, WIDTH, box, painted

from kins.masks import Mask
from kins.records import Image, Instance, Scene
from kins.synth_occlude.paste import ATTEMPTS, MIN_VISIBLE, Cutout, can_be_cut_out, cut_out, paste, paste_over


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(-15, WIDTH), st.integers(-15, HEIGHT))
def test_pasting_hides_what_it_covers(seed: int, x: int, y: int) -> None:
    scene, image = painted(seed)
    shape = np.ones((20, 16), bool)
    shape[:5, :5] = False
    cutout = Cutout(np.full((20, 16, 3), 255, np.uint8), shape, 4, "car")
    before = image.copy()
    pasted, picture = paste(scene, image, cutout, x, y)
    assert np.array_equal(image, before)
    covered = np.zeros((HEIGHT + 80, WIDTH + 80), bool)
    covered[y + 40 : y + 60, x + 40 : x + 56] = shape
    covered = covered[40 : HEIGHT + 40, 40 : WIDTH + 40]
    if not covered.any():
        assert pasted is scene
        return
    new = pasted[len(pasted) - 1]
    assert np.array_equal(new.amodal.to_array(), covered)
    assert new.inmodal == new.amodal
    assert (new.category_id, new.category) == (4, "car")
    for instance in pasted.instances[:-1]:
        original = next(i for i in scene if i.id == instance.id)
        assert instance.amodal == original.amodal
        assert np.array_equal(instance.inmodal.to_array(), original.inmodal.to_array() & ~covered)
    assert np.array_equal(picture[~covered], image[~covered])
    solid = covered & (picture[..., 0] == 255)
    assert solid.sum() > 0 or covered.sum() < 60


def test_what_a_file_states_of_the_visible_part_no_longer_holds() -> None:
    scene, image = painted(3)
    stated = {"amodal_box": (1.0, 2.0, 3.0, 4.0), "inmodal_box": (1.0, 2.0, 3.0, 4.0), "inmodal_area": 7.0}
    scene = scene.replace(instances=tuple(i.replace(**stated) for i in scene))
    cutout = Cutout(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), bool), 4, "car")
    pasted, _ = paste(scene, image, cutout, WIDTH // 2, HEIGHT // 2)
    for instance in pasted.instances[:-1]:
        assert (instance.inmodal_box, instance.inmodal_area) == (None, None)
        assert instance.amodal_box == (1.0, 2.0, 3.0, 4.0)


def test_the_middle_of_a_cut_out_is_solid_and_its_edge_is_between() -> None:
    cutout = Cutout(np.full((9, 9, 3), 200, np.uint8), np.ones((9, 9), bool), 4, "car")
    empty = Scene(Image(1, "x.png", 20, 20), ())
    _, picture = paste(empty, np.zeros((20, 20, 3), np.uint8), cutout, 5, 5)
    assert (picture[6:13, 6:13] == 200).all()
    edge = picture[5, 6:13]
    assert ((edge >= 100) & (edge < 200)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_pastes_leave_enough_of_every_instance(seed: int) -> None:
    scene, image = painted(seed)
    donors = [cut_out(i, image) for i in scene if can_be_cut_out(i, 8)] or [cut_out(scene[len(scene) - 1], image)]
    pasted, _ = paste_over(scene, image, itertools.cycle(donors), np.random.default_rng(seed))
    assert len(pasted) in (len(scene), len(scene) + 1)
    for before, after in zip(scene, pasted, strict=False):
        assert after.inmodal.area >= min(MIN_VISIBLE * before.amodal.area, before.inmodal.area)
    if len(pasted) > len(scene):
        assert any(after.inmodal.area < before.inmodal.area for before, after in zip(scene, pasted, strict=False))


def test_where_nothing_fits_all_stays() -> None:
    scene, image = painted(0)
    tried = []
    huge = Cutout(np.zeros((1, 4000, 3), np.uint8), np.ones((1, 4000), bool), 4, "car")
    pasted, picture = paste_over(
        scene, image, (tried.append(1) or huge for _ in itertools.count()), np.random.default_rng()
    )
    assert pasted is scene
    assert picture is image
    assert len(tried) == ATTEMPTS


@pytest.mark.parametrize(
    ("amodal", "inmodal", "crowd", "expected"),
    [
        (box(5, 5, 20, 20), box(5, 5, 20, 20), False, True),
        (box(5, 5, 20, 20), box(5, 5, 20, 20), True, False),
        (box(5, 5, 20, 20), box(5, 5, 18, 20), False, False),  # partly hidden
        (box(0, 5, 20, 20), box(0, 5, 20, 20), False, False),  # cut off by the border
        (box(5, 20, 20, 20), box(5, 20, 20, 20), False, False),
        (box(5, 5, 11, 20), box(5, 5, 11, 20), False, False),  # too narrow
        (None, box(5, 5, 20, 20), False, True),
        (box(5, 5, 20, 20), None, False, True),
        (None, None, False, False),
    ],
)
def test_which_can_be_cut_out(amodal, inmodal, crowd, expected) -> None:
    masks = [None if mask is None else Mask.from_array(mask) for mask in (amodal, inmodal)]
    assert can_be_cut_out(Instance(1, 4, "car", *masks, crowd=crowd), 12) == expected


def test_a_cut_out_is_what_is_seen() -> None:
    scene, image = painted(1)
    front = scene[len(scene) - 1]
    cutout = cut_out(front, image)
    assert (cutout.pixels[cutout.mask] == 50 * front.id).all()
    assert cutout.mask.sum() == front.inmodal.area
    half = cutout.resized(cutout.mask.shape[0] // 2, cutout.mask.shape[1] // 2, mirrored=True)
    assert half.mask.sum() == pytest.approx(front.inmodal.area / 4, rel=0.15)
    assert half.pixels.shape == (*half.mask.shape, 3)
