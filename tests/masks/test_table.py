"""Areas, boxes and overlaps of many masks against decoded pixels."""

import json
import re

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from kins.errors import KinsError
from kins.masks import Mask, rasterise, require_sound, spans
from kins.masks.compiled import DAMAGED
from kins.masks.table import Spans

HEIGHT, WIDTH = 5, 6
OTHERS = [
    "[]",
    "[[]]",
    "[[0, 0, 4, 0, 4, 4], [1, 1, 6, 1, 6, 5, 1, 5]]",
    '{"size": [5, 6], "counts": [3, 4, 23]}',
    '{"size": [5, 6], "counts": "\\u003003"}',
    '{"size": [5, 6]}',
    '{"counts": "o0", "size": [5, 6], "more": 1}',
    '{"size": [5, 6], "size": [5, 6]}',
    "{}",
    "5",
    '"text"',
]


def unpacked(texts):
    table, found = Spans.unpacked(texts, [HEIGHT * WIDTH] * len(texts))
    assert (found != DAMAGED).all()
    return table, *table.measure([HEIGHT] * len(texts))


@st.composite
def masks(draw, count):
    """Of runs that may be of no pixels, as other tools write them."""
    found = []
    for _ in range(count):
        cuts = sorted(draw(st.lists(st.integers(0, HEIGHT * WIDTH), max_size=9)))
        found.append(np.diff([0, *cuts, HEIGHT * WIDTH]).tolist())
    return found


def pixels(runs):
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(WIDTH, HEIGHT).T


def packed(runs):
    return b"".join(bytes(text(n, runs)) for n in range(len(runs))).decode()


def text(n, runs):
    rest, more = runs[n] - (runs[n - 2] if n > 2 else 0), True
    while more:
        bits, rest = rest & 31, rest >> 5
        more = rest != (-1 if bits & 16 else 0)
        yield bits + 32 * more + 48


@given(masks(4), masks(4))
@example([[0, 30], [30], [0, 5, 0, 5, 20], [4, 2, 24]], [[30], [0, 30], [5, 5, 20], [4, 1, 0, 1, 24]])
def test_areas_boxes_and_overlaps_equal_those_of_decoded_pixels(first, second):
    arrays = [[pixels(runs) for runs in side] for side in (first, second)]
    tables = [unpacked([packed(runs) for runs in side]) for side in (first, second)]
    for side, (table, areas, boxes) in zip(arrays, tables, strict=True):
        assert table.area.tolist() == areas.tolist() == [array.sum() for array in side]
        assert table.pack([HEIGHT * WIDTH] * 4) == [Mask.from_array(array).counts for array in side]
        assert boxes.T.tolist() == [list(Mask.from_array(array).box) for array in side]
    a, b = tables[0][0], tables[1][0]
    i, j = (axis.ravel() for axis in np.mgrid[:4, :4])
    assert a.common(i, b, j).tolist() == [(arrays[0][x] & arrays[1][y]).sum() for x, y in zip(i, j, strict=True)]
    rows = np.array([3, 1, 1])
    cut = a.take(rows).cut(b.take(rows))
    owner = np.array([2, 0, 2])
    joined = a.take(rows).joined(owner, 4)
    expected = [arrays[0][1], np.zeros_like(arrays[0][1]), arrays[0][3] | arrays[0][1], np.zeros_like(arrays[0][1])]
    assert joined.pack([HEIGHT * WIDTH] * 4) == [Mask.from_array(array).counts for array in expected]
    assert cut.area.tolist() == [(arrays[0][n] & arrays[1][n]).sum() for n in rows]
    for made, rule in (
        (a.take(rows).apart(b.take(rows)), np.bitwise_xor),
        (a.take(rows).united(b.take(rows)), np.bitwise_or),
    ):
        masks = [Mask.from_array(rule(arrays[0][n], arrays[1][n])).counts for n in rows]
        assert made.pack([HEIGHT * WIDTH] * 3) == masks
    whole = unpacked([packed([0, HEIGHT * WIDTH])])[0]
    assert whole.common(np.zeros(3, int), cut, np.arange(3)).tolist() == cut.area.tolist()


def test_images_of_several_sizes_and_unknown_masks():
    rng = np.random.default_rng(0)
    arrays = [rng.random(size) < 0.3 for size in ((1, 1), (400, 900), (3, 1), (1, 7))]
    found = [*map(Mask.from_array, arrays), None]
    table, areas, boxes = spans(found)
    assert table.area.tolist() == areas.tolist() == [*(array.sum() for array in arrays), 0]
    assert boxes.T.tolist() == [*(list(mask.box) for mask in found[:4]), [0, 0, 0, 0]]


NUMBERS = st.one_of(
    st.integers(-3, 9),
    st.floats(-1, 8),
    st.floats(-1e-9, 1e-9),
    st.sampled_from(["1e0", "2.50", "-0.0", "3E+0", "100001"]),
)
POLYGONS = st.lists(NUMBERS, max_size=12).map(lambda numbers: f"[[{', '.join(map(str, numbers))}]]")
RUNS = masks(1).map(lambda found: packed(found[0]))
SIZES = st.sampled_from([[HEIGHT, WIDTH], [HEIGHT, WIDTH], [HEIGHT, WIDTH], [WIDTH, HEIGHT], [HEIGHT], ["5", 6]])
RLES = st.tuples(SIZES, RUNS | st.text(max_size=5), st.booleans(), st.sampled_from([(", ", ": "), (",", ":")])).map(
    lambda x: json.dumps(dict([("size", x[0]), ("counts", x[1])][:: -1 if x[2] else 1]), separators=x[3])
)


@given(st.lists(st.one_of(POLYGONS, RLES, st.sampled_from(OTHERS)), max_size=5))
def test_json_is_read_as_one_mask_at_a_time_is(values):
    raws = [msgspec.json.decode(value.encode(), type=msgspec.Raw) for value in values]
    for raw in raws:
        mask = Mask.from_segmentation(msgspec.json.decode(raw), HEIGHT, WIDTH, "here")
        once = Mask.from_segmentation(raw, HEIGHT, WIDTH, "here")
        others = [Mask.from_segmentation(other, HEIGHT, WIDTH) for other in raws]
        kept = Mask.from_segmentation(raw, HEIGHT, WIDTH, "here")
        rasterise([kept, *others])
        try:
            expected = mask.counts
        except KinsError as error:
            for use, damaged in ((spans, once), (spans, kept), (require_sound, once), (require_sound, kept)):
                with pytest.raises(KinsError, match=f"^{re.escape(str(error))}$"):
                    use([damaged])
            continue
        table, areas, _ = spans([once, Mask.empty(HEIGHT, WIDTH)])
        assert table.pack([HEIGHT * WIDTH] * 2) == [expected, Mask.empty(HEIGHT, WIDTH).counts]
        assert once.counts == kept.counts == expected
        assert kept.area == areas[0]
        assert kept.box == mask.box


def test_many_parts_are_joined_as_pycocotools_joins_them():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (20_000, 1, 2)) + rng.uniform(-3, 3, (20_000, 3, 2))
    polygons = corners.reshape(-1, 6).tolist()
    expected = oracle.merge(oracle.frPyObjects(polygons, 300, 300))
    assert Mask.from_polygons(polygons, 300, 300).rle == expected


def test_nothing():
    table, areas, boxes = spans([])
    assert (areas.shape, boxes.shape) == ((0,), (4, 0))
    nothing = np.zeros(0, np.int64)
    assert table.common(nothing, table, nothing).size == table.cut(table).area.size == 0
