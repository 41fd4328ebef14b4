"""Masks drawn before they are checked."""

from __future__ import annotations

import json

import msgspec

from kins.masks import Mask
from kins.validate.ahead import draw

SIZE = (40, 60)


def annotation(**fields: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(fields).encode())


def test_pixels_and_what_both_share_are_those_of_each_alone() -> None:
    whole, part = [[1, 1, 30, 1, 30, 30, 1, 30]], [[10, 5, 50, 5, 50, 39, 10, 39]]
    runs = Mask.from_polygons([[3, 3, 20, 3, 20, 20]], *SIZE)
    raws = [
        annotation(a_segm=whole, i_segm=part),
        annotation(a_segm=whole, i_segm={"size": list(SIZE), "counts": runs.counts}),
    ]
    ahead = draw(raws, [(7, [1]), (3, [0])], {7: SIZE, 3: SIZE}, "a_segm", "i_segm")
    first, second = Mask.from_polygons(whole, *SIZE), Mask.from_polygons(part, *SIZE)
    assert ahead.masks == {
        "annotations[0].a_segm": first,
        "annotations[0].i_segm": second,
        "annotations[1].a_segm": first,
        "annotations[1].i_segm": runs,
    }
    assert ahead.shared == {
        "annotations[0].i_segm": (first & second).area,
        "annotations[1].i_segm": (first & runs).area,
    }


def test_what_is_damaged_is_left_for_its_own_check() -> None:
    sound, odd = [[1, 1, 30, 1, 30, 30]], [[1, 1, 30]]
    raws = [
        annotation(a_segm=odd, i_segm=sound),
        annotation(a_segm=sound, i_segm=None),
        annotation(a_segm={"size": [1, 1], "counts": "1"}, i_segm=[1, 2, 3, 4, 5, 6]),
        msgspec.Raw(b"17"),
        annotation(a_segm=sound, i_segm=sound),
    ]
    ahead = draw(raws, [(1, [0, 1, 2, 3]), (2, [4])], {1: SIZE, 2: None}, "a_segm", "i_segm")
    assert set(ahead.masks) == {"annotations[0].i_segm", "annotations[1].a_segm"}
    assert ahead.shared == {}
