"""Areas, boxes and overlaps of many masks against decoded pixels."""

import json
import re

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kins.errors import KinsError
from kins.masks import Mask, spans
from kins.masks.table import unpack

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


def unpacked(texts, json=False):
    count = len(texts)
    return unpack(texts, [json] * count, [HEIGHT] * count, [WIDTH] * count, 1e5)


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
    return b"".join(bytes(text(n, runs)) for n in range(len(runs)))


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
    for side, (table, boxes, read) in zip(arrays, tables, strict=True):
        assert read.all()
        assert table.area.tolist() == [array.sum() for array in side]
        assert boxes.T.tolist() == [list(Mask.from_array(array).box) for array in side]
    a, b = tables[0][0], tables[1][0]
    i, j = (axis.ravel() for axis in np.mgrid[:4, :4])
    assert a.common(i, b, j).tolist() == [(arrays[0][x] & arrays[1][y]).sum() for x, y in zip(i, j, strict=True)]
    rows = np.array([3, 1, 1])
    cut = a.take(rows).cut(b.take(rows))
    assert cut.area.tolist() == [(arrays[0][n] & arrays[1][n]).sum() for n in rows]
    whole = unpacked([packed([0, HEIGHT * WIDTH])])[0]
    assert whole.common(np.zeros(3, int), cut, np.arange(3)).tolist() == cut.area.tolist()


def test_images_of_several_sizes_and_unknown_masks():
    rng = np.random.default_rng(0)
    arrays = [rng.random(size) < 0.3 for size in ((1, 1), (400, 900), (3, 1), (1, 7))]
    found = [*map(Mask.from_array, arrays), None]
    table, boxes = spans(found)
    assert table.area.tolist() == [*(array.sum() for array in arrays), 0]
    assert boxes.T.tolist() == [*(list(mask.box) for mask in found[:4]), [0, 0, 0, 0]]


NUMBERS = st.one_of(
    st.integers(-3, 9),
    st.floats(-1, 8),
    st.floats(-1e-9, 1e-9),
    st.sampled_from(["1e0", "2.50", "-0.0", "3E+0", "100001"]),
)
POLYGONS = st.lists(NUMBERS, max_size=12).map(lambda numbers: f"[[{', '.join(map(str, numbers))}]]")
RUNS = masks(1).map(lambda found: packed(found[0]).decode())
SIZES = st.sampled_from([[HEIGHT, WIDTH], [HEIGHT, WIDTH], [HEIGHT, WIDTH], [WIDTH, HEIGHT], [HEIGHT], ["5", 6]])
RLES = st.tuples(SIZES, RUNS | st.text(max_size=5), st.booleans(), st.sampled_from([(", ", ": "), (",", ":")])).map(
    lambda x: json.dumps(dict([("size", x[0]), ("counts", x[1])][:: -1 if x[2] else 1]), separators=x[3])
)


@given(st.lists(st.one_of(POLYGONS, RLES, st.sampled_from(OTHERS)), max_size=5))
def test_json_is_read_as_one_mask_at_a_time_is(values):
    texts = [value.encode() for value in values]
    table, _, read = unpacked(texts, json=True)
    for row, text in enumerate(texts):
        raw = msgspec.json.decode(text, type=msgspec.Raw)
        try:
            mask = Mask.from_segmentation(raw, HEIGHT, WIDTH, "here")
            assert mask.area == table.area[row] or not read[row]
        except KinsError as error:
            assert not read[row]
            with pytest.raises(KinsError, match=f"^{re.escape(str(error))}$"):
                spans([Mask.from_segmentation(raw, HEIGHT, WIDTH, "here")])
            continue
        together, _ = spans([mask, Mask.from_segmentation(raw, HEIGHT, WIDTH), Mask.empty(HEIGHT, WIDTH)])
        assert together.area.tolist() == [mask.area, mask.area, 0]
        both = np.array([0, 1])
        assert together.common(both, together, both[::-1]).tolist() == [mask.area] * 2
        assert read[row] or text.count(b"[") != 2 or b"{" in text


def test_nothing():
    table, boxes = spans([])
    assert boxes.shape == (4, 0)
    nothing = np.zeros(0, np.int64)
    assert table.common(nothing, table, nothing).size == table.cut(table).area.size == 0
