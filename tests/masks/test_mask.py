"""Run-length algebra against decoded arrays and pycocotools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as oracle

from kins.errors import KinsError
from kins.masks import Mask, intersections, ious, union
from kins.masks.runs import decode_runs

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
ARRAYS = SHAPES.flatmap(lambda shape: arrays(bool, shape))
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))
COORDINATES = st.floats(-20, 60, allow_nan=False)
POLYGONS = st.lists(
    st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=12).map(
        lambda points: [c for p in points for c in p]
    ),
    min_size=1,
    max_size=3,
)


def tight_box(array):
    ys, xs = np.nonzero(array)
    return (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1) if len(xs) else (0, 0, 0, 0)


@given(ARRAYS)
def test_array_and_back(array):
    mask = Mask.from_array(array)
    assert (mask.to_array() == array).all()
    assert mask.area == array.sum()
    assert mask.box == tight_box(array)
    assert mask.rle == oracle.encode(np.asfortranarray(array.astype(np.uint8)))
    assert (mask.mirrored().to_array() == array[:, ::-1]).all()
    assert ((~mask).to_array() == ~array).all()


@given(PAIRS)
def test_algebra(pair):
    a, b = pair
    x, y = map(Mask.from_array, pair)
    assert ((x & y).to_array() == (a & b)).all()
    assert ((x | y).to_array() == (a | b)).all()
    assert ((x - y).to_array() == (a & ~b)).all()
    made, expected = (x & y, x | y, x - y, ~x), (a & b, a | b, a & ~b, ~a)
    assert [mask.counts for mask in made] == [Mask.from_array(array).counts for array in expected]
    assert (x == y) == (a == b).all()
    assert intersections([x, y], [y]).tolist() == [[(a & b).sum()], [b.sum()]]
    assert ious([x], [y])[0, 0] == pytest.approx((a & b).sum() / max((a | b).sum(), 1))
    assert (union([x, y], *a.shape).to_array() == (a | b)).all()


@given(ARRAYS, st.data())
def test_crop(array, data):
    height, width = array.shape
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    assert (Mask.from_array(array).cropped(x, y, w, h).to_array() == array[y : y + h, x : x + w]).all()


@given(POLYGONS)
def test_polygons_are_filled_as_pycocotools_does(polygons):
    mask = Mask.from_polygons(polygons, 30, 40)
    expected = oracle.merge(oracle.frPyObjects(polygons, 30, 40))
    assert (mask.to_array() == oracle.decode(expected)).all()
    assert mask.box == tuple(oracle.toBbox(expected))
    assert mask.polygons == polygons


@given(ARRAYS)
def test_every_form_of_rle(array):
    mask = Mask.from_array(array)
    size = list(array.shape)
    for counts in (mask.rle["counts"], mask.rle["counts"].decode(), mask.runs.tolist(), [0, 0, *mask.runs.tolist()]):
        other = Mask.from_rle({"size": size, "counts": counts})
        assert other == mask
        assert other.box == mask.box


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_runs_are_decoded_as_written(runs):
    total = sum(runs) or 1
    runs = runs if sum(runs) else [1]
    encoded = oracle.frPyObjects({"size": [total, 1], "counts": runs}, total, 1)
    assert decode_runs(encoded["counts"]).tolist() == runs


@pytest.mark.parametrize(
    "rle",
    [
        {"counts": [4]},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [5]},
        {"size": [2, 2], "counts": [-1, 5]},
        {"size": [2, 2], "counts": [1e9]},
        {"size": [2, 2], "counts": "é"},
        {"size": [2, 2], "counts": "P" * 40},
        {"size": [2, 2], "counts": "\x00"},
        {"size": [2, 2], "counts": b"\xff"},
        {"size": [-2, 2], "counts": [4]},
        {"size": [50_000, 50_000], "counts": [2_500_000_000]},
        {"size": "22", "counts": [4]},
    ],
)
def test_damaged_rle(rle):
    with pytest.raises(KinsError):
        Mask.from_rle(rle)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e9, -1e9, "1", None, [1]])
def test_damaged_polygon(value):
    with pytest.raises(KinsError, match=r"\[0\]"):
        Mask.from_polygons([[0, 0, 5, value, 5, 5]], 10, 10)


def test_polygons_that_enclose_nothing():
    assert Mask.from_polygons([], 10, 10).area == 0
    assert Mask.from_polygons([[1, 1, 5, 5]], 10, 10).area == 0


def test_masks_of_different_images():
    with pytest.raises(KinsError, match="different images"):
        _ = Mask.empty(2, 3) & Mask.empty(3, 2)


def test_box_mask_is_clipped():
    mask = Mask.from_box((-3, 2, 8.5, 100), 10, 12)
    assert mask.box == (0, 2, 6, 8)
    assert mask.area == 48
