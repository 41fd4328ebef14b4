"""What lies in front of instances, or may, against pixels."""

import numpy as np
from tests.helpers import box, painted

from kins.masks import Mask
from kins.records import Image, Instance, Scene
from kins.train.occluders import neighbours, occluders


def pair(number: int, amodal: np.ndarray, inmodal: np.ndarray) -> Instance:
    return Instance(number, 4, "car", Mask.from_array(amodal), Mask.from_array(inmodal))


def test_true_occluders_are_those_that_hide_a_part() -> None:
    for seed in range(10):
        scene, _ = painted(seed)
        for instance, found in zip(scene, occluders(scene, scene.instances), strict=True):
            in_front = found.to_array()
            assert not (in_front & instance.inmodal.to_array()).any()
            assert (instance.hidden.to_array() & ~in_front).sum() <= 20, seed  # slivers of rounding hide nothing


def test_neighbours_are_all_around_inside_of_the_box() -> None:
    """The middle one hides the left one and is hidden by nobody; the last one is far away."""
    left, middle, far = box(5, 5, 20, 20), box(15, 8, 20, 20), box(50, 30, 8, 8)
    scene = Scene(
        Image(1, "a.png", 40, 60), (pair(1, left, left & ~middle), pair(2, middle, middle), pair(3, far, far))
    )
    found = [mask.to_array() for mask in neighbours(scene, scene.instances)]
    assert np.array_equal(found[0], middle & left)  # both are boxes: inside of the box is inside of the mask
    assert not found[1].any()
    assert not found[2].any()
    true = [mask.to_array() for mask in occluders(scene, scene.instances)]
    assert np.array_equal(true[0], middle)
    assert not true[1].any()


def test_few_pixels_of_a_neighbour_are_none() -> None:
    """Their boxes have an IoU of 0.07, or more than enough, but 19 pixels are common where 20 are needed."""
    thing, other = box(0, 0, 19, 10), box(0, 9, 19, 1)
    scene = Scene(Image(1, "a.png", 40, 60), (pair(1, thing, thing), pair(2, other, other)))
    assert not neighbours(scene, scene.instances[:1])[0]
    wider = box(0, 0, 20, 10)
    scene = Scene(Image(1, "a.png", 40, 60), (pair(1, wider, wider), pair(2, box(0, 9, 20, 1), box(0, 9, 20, 1))))
    assert neighbours(scene, scene.instances[:1])[0].area == 20
    assert len(occluders(scene, ())) == 0
