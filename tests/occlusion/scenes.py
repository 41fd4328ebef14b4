"""Scenes from arrays, and random ones."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt

from kins.masks import Mask
from kins.occlusion import Slivers
from kins.records import Image, Instance, Scene

HEIGHT, WIDTH = 18, 24
EVERY_PIXEL = Slivers(1, 0, 1)
Array = npt.NDArray[np.bool_]


def make_scene(masks: list[tuple[Array, Array]], **fields: list[Any]) -> Scene:
    """A scene from (amodal, inmodal) arrays, with ids 1, 2, ... unless given."""
    height, width = masks[0][0].shape if masks else (HEIGHT, WIDTH)
    fields.setdefault("id", list(range(1, len(masks) + 1)))
    instances = [
        Instance(
            **{"category_id": 1, "category": "car", **{name: values[k] for name, values in fields.items()}},
            amodal=Mask.from_array(amodal),
            inmodal=Mask.from_array(inmodal),
        )
        for k, (amodal, inmodal) in enumerate(masks)
    ]
    return Scene(Image(1, "a.png", height, width), tuple(instances))


@st.composite
def blobs(draw: st.DrawFn) -> Array:
    """A rectangle or ellipse that may leave the image, sometimes with scattered pixels missing."""
    x, y = draw(st.integers(-4, WIDTH)), draw(st.integers(-4, HEIGHT))
    width, height = draw(st.integers(0, 14)), draw(st.integers(0, 12))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    array = (columns >= x) & (columns < x + width) & (rows >= y) & (rows < y + height)
    if draw(st.booleans()) and width and height:
        array &= ((columns + 0.5 - x) / width * 2 - 1) ** 2 + ((rows + 0.5 - y) / height * 2 - 1) ** 2 <= 1
    if draw(st.booleans()):
        array &= np.random.default_rng(draw(st.integers(0, 99))).random((HEIGHT, WIDTH)) < 0.9
    return array


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Up to seven instances: stacked as by a camera, or with visible parts that contradict each other and leak."""
    amodal = draw(st.lists(blobs(), max_size=7))
    stacked = draw(st.booleans())
    masks, taken = [], np.zeros((HEIGHT, WIDTH), bool)
    for array in amodal:
        inmodal = array & ~taken if stacked else draw(blobs()) & (array | draw(st.booleans()))
        masks.append((array, inmodal))
        taken = taken | array
    ids = draw(st.permutations(range(1, len(masks) + 1)))
    return make_scene(masks, id=list(ids))
