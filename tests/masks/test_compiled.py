"""Many masks at once against pycocotools and against one at a time."""

import json
import re

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from kins.errors import KinsError
from kins.masks import Mask, rasterise
from kins.masks.compiled import DAMAGED, SOUND, UNUSUAL, polygons, unpack
from kins.masks.runs import decode_runs, rle_problem
from kins.masks.table import filled

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
COORDINATES = st.one_of(
    st.floats(-20, 60),
    st.integers(-10, 50).map(float),
    st.integers(-50, 250).map(lambda fifths: fifths / 5),
    st.integers(-400, 1600).map(lambda steps: steps / 32),
    st.sampled_from([-1e5, 1e5, 1000.0]),
)
POLYGONS = st.lists(COORDINATES, min_size=6, max_size=24).map(lambda numbers: numbers[: len(numbers) // 2 * 2])


def counts_of(polygon, height, width):
    # pycocotools takes a list of four numbers for a box.
    return oracle.frPyObjects([polygon], height, width)[0]["counts"].decode()


@given(st.lists(st.tuples(POLYGONS, SIZES), max_size=6))
@example([([0.0, 0.0, 40.0, 0.0, 40.0, 30.0, 0.0, 30.0], (30, 40))])
@example([([-9.0, -9.0, 90.0, -9.0, 90.0, 90.0, -9.0, 90.0], (30, 40))])
@example([([3.0, 3.0, 3.0, 9.0, 3.0, 3.0], (30, 40)), ([1.5, 0.0, 0.5, 7.0, 7.5, 3.5], (8, 8))])
def test_fills_as_pycocotools_does(images):
    points = np.array([number for polygon, _ in images for number in polygon])
    sizes = [len(polygon) for polygon, _ in images]
    heights = [height for _, (height, _) in images]
    table, sound = filled(points, sizes, heights, [width for _, (_, width) in images])
    found = table.pack([height * width for _, (height, width) in images])
    assert found == [counts_of(polygon, *size) for polygon, size in images]
    assert sound.all()


def test_a_large_and_busy_polygon():
    rng = np.random.default_rng(0)
    polygon = (rng.uniform(-100, 1300, (3000, 2)) * (1, 0.35)).ravel()
    assert filled(polygon, [6000], [375], [1242])[0].pack([375 * 1242]) == [counts_of(polygon.tolist(), 375, 1242)]


OTHER = [
    "{}",
    "[",
    "[]",
    "[1, 2]",
    "[[1, 2, 3]]",
    '[["1", 2]]',
    "[[1, 2], 3]",
    "[[1, 2",
    "[[1e6, 2, 3, 4]]",
    "[[1e, 2, 3, 4]]",
    "[[-, 1]]",
]
OTHER += ["null", "", "[[1, 200000, 3, 4, 5, 6]]", "[[[1, 2, 3, 4, 5, 6]]]", "[[1, 2, 3, 4, 5, 6]", "[[.1, 1..2]]"]


@pytest.mark.parametrize("value", OTHER)
def test_what_is_not_known_leaves_the_others(value):
    triangle, drawn = b"[[1, 1, 5, 1, 5, 9]]", counts_of([1, 1, 5, 1, 5, 9], 20, 20)
    values = [msgspec.Raw(text) for text in (triangle, value.encode(), triangle)]
    masks = [Mask.from_segmentation(value, 20, 20, "here") for value in values]
    rasterise(masks)
    assert [mask.counts for mask in masks[::2]] == [drawn, drawn]
    if value in ("[]", "[[1, 2]]"):
        assert masks[1].area == 0
    else:
        with pytest.raises(KinsError, match=r"^here"):
            _ = masks[1].area


NUMBERS = st.one_of(
    st.floats(-2e5, 2e5).map(repr),
    st.floats(-2e5, 2e5).map("{:.3f}".format),
    st.decimals(allow_nan=False, allow_infinity=False, places=13).map(str),
    st.integers().map(str),
    st.from_regex(r"-?[0-9]{1,16}(\.[0-9]{0,17})?", fullmatch=True),
    st.sampled_from(["-", "-0", "-0.0", "00", "0.", ".5", "+1", "1e5", "0x1", "NaN", "null", '"1"', "1 2", "[]", ""]),
)
SPACE = st.text(" \n\r\t", max_size=2)


@st.composite
def outlines(draw):
    """JSON of polygons, sound or not, with white space wherever there may be some."""
    comma = st.builds("{},{}".format, SPACE, SPACE)
    polygons = draw(st.lists(st.lists(NUMBERS, max_size=6), max_size=3))
    rows = [f"[{draw(SPACE)}{draw(comma).join(numbers)}{draw(SPACE)}]" for numbers in polygons]
    text = f"{draw(SPACE)}[{draw(SPACE)}{draw(comma).join(rows)}{draw(SPACE)}]{draw(SPACE)}"
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


@given(st.lists(outlines(), max_size=4))
@example(["[[0.1, 0.2]]", "[[123456789012345, 0.00000000000001]]", "[]", "[[]]", "[[1", "2]]"])
def test_reads_polygons_as_a_json_decoder_does(texts):
    """Where it reads them at all: all numbers of up to 15 digits without an exponent."""
    numbers, sizes, parts = polygons([text.encode() for text in texts])
    assert (numbers.size, sizes.size) == (sizes.sum(), parts[parts > 0].sum())
    expected = []
    for text, count in zip(texts, parts.tolist(), strict=True):
        try:
            value = msgspec.json.decode(text, type=list[list[float]])
        except msgspec.DecodeError:
            value = None
        digits = [len(re.sub(r"\D", "", number)) for number in re.findall(r"[\d.]+", text)]
        usual = value is not None and "e" not in text.lower() and max(digits, default=0) <= 15
        assert count == (len(value) if usual else -1)
        expected += value if usual else []
    assert sizes.tolist() == list(map(len, expected))
    assert list(map(repr, numbers.tolist())) == [repr(number) for polygon in expected for number in polygon]


@given(st.lists(st.tuples(SIZES, st.one_of(st.text(max_size=12), st.lists(st.integers(0, 99)))), max_size=5))
def test_checks_run_lengths(values):
    texts, sizes = [], [size for size, _ in values]
    for (height, width), value in values:
        if isinstance(value, list):  # sound up to their sum
            runs = [*value, max(height * width - sum(value), 0)]
            value = oracle.frPyObjects({"size": [height, width], "counts": runs}, height, width)["counts"].decode()
        texts.append(value)
    _, starts, found = unpack(texts, [height * width for height, width in sizes])
    for row, (text, size) in enumerate(zip(texts, sizes, strict=True)):
        if text and rle_problem({"size": list(size), "counts": text}, *size) is not None:
            assert (found[row], starts[row + 1]) == (DAMAGED, starts[row])
        else:
            assert found[row] == (UNUSUAL if (decode_runs(text.encode())[1:] == 0).any() else SOUND)


def test_rasterise_takes_what_is_sound_and_leaves_the_rest():
    rle = oracle.encode(np.asfortranarray(np.eye(10, 12, dtype=np.uint8)))
    values = {
        "polygon": [[1, 1, 8.5, 1, 8, 9]],
        "two parts": [[1, 1, 5, 1, 5, 9], [3, 3, 11, 3, 11, 8]],
        "many digits": [[1, 1, 8.499999999999999, 1, 8, 9.000000000000002]],
        "exponent": [[1, 1, 5e-1, 1, 8, 9], [3, 3, 11, 3, 11, 8]],
        "no part": [],
        "rle": {"size": [10, 12], "counts": rle["counts"].decode()},
        "far": [[1, 1, 1e9, 1, 8, 9]],
        "other size": {"size": [12, 10], "counts": rle["counts"].decode()},
        "damaged": {"size": [10, 12], "counts": "é"},
    }
    masks = {n: Mask.from_segmentation(msgspec.Raw(json.dumps(v).encode()), 10, 12, n) for n, v in values.items()}
    rasterise([*masks.values(), None, Mask.from_segmentation(msgspec.Raw(b"[]"), 0, 5, "flat")])
    for name in ("polygon", "two parts", "many digits", "exponent", "no part", "rle"):
        alone = Mask.from_segmentation(values[name], 10, 12)
        assert (masks[name].rle, masks[name].area) == (alone.rle, alone.area)
    for name in ("far", "other size", "damaged"):
        with pytest.raises(KinsError, match=name):
            _ = masks[name].rle
