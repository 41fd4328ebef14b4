"""Outlines filled again, by kins and by pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as oracle
from scipy import ndimage

import kins
from kins.demo.toys import draw_shapes
from kins.masks import Mask
from kins.masks.trace import trace

PIXELS = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda shape: arrays(bool, shape))
BOXES = st.lists(st.tuples(*[st.integers(0, 24)] * 4), max_size=8)


def toggled(boxes, height=21, width=23):
    """Each box turns its pixels over: one in the other makes a hole, and a third one an island in it."""
    array = np.zeros((height, width), bool)
    for x0, x1, y0, y1 in boxes:
        array[min(y0, y1) : max(y0, y1), min(x0, x1) : max(x0, x1)] ^= True
    return array


def blobs(seed, height, width, size, share):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), size)
    return noise <= np.quantile(noise, share)


def assert_fills_again(mask: Mask, name: str = "") -> list[list[float]]:
    polygons = trace(mask)
    assert Mask.from_polygons(polygons, mask.height, mask.width) == mask, name
    if polygons:
        filled = oracle.merge(oracle.frPyObjects(polygons, mask.height, mask.width))
        assert (oracle.decode(filled) == mask.to_array()).all(), name
    return polygons


def corners(array):
    """The outline's corners, from windows of 2 x 2 pixels; two where pixels touch only there."""
    padded = np.pad(array, 1)
    one, other = padded[:-1, :-1], padded[1:, 1:]
    across, down = padded[:-1, 1:], padded[1:, :-1]
    diagonal = (one == other) & (across == down) & (one != across)
    return int((one ^ other ^ across ^ down).sum() + 2 * diagonal.sum())


def check(array):
    polygons = assert_fills_again(Mask.from_array(array))
    height, width = array.shape
    parts, count = ndimage.label(array)
    assert len(polygons) == count
    areas = []
    for polygon in polygons:
        points = np.array(polygon).reshape(-1, 2)
        assert points.dtype == np.int64
        assert (points >= 0).all()
        assert (points <= (width, height)).all()
        steps = np.roll(points, -1, axis=0) - points
        assert ((steps != 0).sum(1) == 1).all()  # horizontal or vertical, never without length
        assert (np.roll(steps != 0, 1, axis=0) != (steps != 0)).all()  # and each line turns off from the last
        areas.append(int((points[:, 0] * steps[:, 1]).sum()))  # positive: clockwise, as y points down
    assert sorted(areas) == sorted(np.bincount(parts.ravel())[1:].tolist())
    points = sum(map(len, polygons)) // 2
    holes = ndimage.label(np.pad(~array, 1, constant_values=True), np.ones((3, 3)))[1] - 1
    assert corners(array) - 2 * holes <= points <= corners(array) + 2 * holes  # a cut joins or splits lines


@given(PIXELS)
@example(np.zeros((3, 4), bool))
@example(np.ones((1, 1), bool))
@example(np.ones((5, 7), bool))
@example(np.eye(4, dtype=bool))
@example(np.eye(4, dtype=bool)[::-1])
@example(~np.eye(5, dtype=bool))
@example((np.indices((9, 8)).sum(0) % 2).astype(bool))
def test_random_pixels(array):
    check(array)


@given(BOXES)
@example([(1, 20, 1, 20), (3, 18, 3, 18), (5, 16, 5, 16), (7, 14, 7, 14)])
@example([(0, 23, 0, 21), (2, 4, 3, 5), (2, 4, 7, 9), (2, 4, 11, 13), (6, 8, 3, 5)])
def test_holes_and_islands_in_them(boxes):
    check(toggled(boxes))


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.floats(0.5, 4), st.floats(0, 1))
def test_blobs(seed, height, width, size, share):
    check(blobs(seed, height, width, size, share))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 9))
def test_runs_without_pixels(runs, height):
    """Legal in files; the runs around them touch."""
    width = sum(runs) // height + 1
    runs = [*runs, *[0] * (len(runs) % 2), height * width - sum(runs)]
    mask = Mask.from_rle({**oracle.frPyObjects({"size": [height, width], "counts": runs}, height, width)})
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
    assert trace(mask) == trace(Mask.from_array(pixels))


def test_polygons_of_simple_shapes():
    pixel = np.zeros((4, 5), bool)
    pixel[2, 3] = True
    assert trace(Mask.from_array(pixel)) == [[3, 2, 4, 2, 4, 3, 3, 3]]
    assert trace(Mask.from_box((0, 0, 5, 4), 4, 5)) == [[0, 0, 5, 0, 5, 4, 0, 4]]
    assert trace(Mask.from_box((1, 2, 3, 1), 4, 5)) == [[1, 2, 4, 2, 4, 3, 1, 3]]
    assert trace(Mask.empty(4, 5)) == []


def test_many_parts_and_holes_in_a_large_image():
    array = blobs(1, 375, 1242, 2.5, 0.6)
    assert ndimage.label(array)[1] > 50
    check(array)


@pytest.mark.parametrize("index", range(3))
def test_drawn_shapes(index):
    _, scene = draw_shapes(np.random.default_rng(index), index, (120, 160))
    for instance in scene.instances:
        assert_fills_again(instance.amodal)
        assert_fills_again(instance.inmodal)


@pytest.mark.parametrize("name", ["1", "2", "4"])
def test_real_cocoa_masks(samples: Path, name: str) -> None:
    for scene in kins.load(samples / f"{name}.json", images=samples):
        for instance in scene.instances:
            assert_fills_again(instance.amodal, f"{name}, instance {instance.id}")
            assert_fills_again(instance.inmodal, f"{name}, instance {instance.id}")
            assert_fills_again(instance.amodal - instance.inmodal, f"{name}, hidden part of {instance.id}")


def test_real_outlines_of_other_tools(samples: Path) -> None:
    masks = []
    for file in sorted((samples.parent / "isat").glob("*.json")):
        content = json.loads(file.read_text())
        size = content["info"]["height"], content["info"]["width"]
        masks += [(file.name, o["segmentation"], size) for o in content["objects"]]
    for file in sorted((samples.parent / "labelme").glob("0*.json")):
        content = json.loads(file.read_text())
        size = content["imageHeight"], content["imageWidth"]
        masks += [(file.name, s["points"], size) for s in content["shapes"] if s["shape_type"] == "polygon"]
    whole = {}
    for name, points, size in masks:
        mask = Mask.from_polygons([np.array(points, float).ravel().tolist()], *size)
        assert_fills_again(mask, name)
        whole[name] = mask | whole.get(name, mask)
    for name, mask in whole.items():
        assert_fills_again(mask, name)
        assert_fills_again(~mask, name)
