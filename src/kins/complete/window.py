"""Windows around objects: where they lie, and what is seen in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import PIL.Image

from kins.masks import Box, Mask, union

Bools = npt.NDArray[np.bool_]
Place = tuple[float, float, float]
"""x, y and side of a square in pixels."""
ROOM = 1.8
"""Side of a window over the longer side of the visible part's box."""
LEAST = 8.0
"""Smallest side in pixels."""


def window(box: Box) -> Place:
    """x, y and side of the square around the middle of a visible part's box, in pixels."""
    return place_of(box, ROOM * max(box[2:]))


def place_of(box: Box, side: float) -> Place:
    """The square of this side, or of LEAST, around the middle of a box."""
    x, y, width, height = box
    side = max(side, LEAST)
    return x + width / 2 - side / 2, y + height / 2 - side / 2, side


def resampled(pixels: Bools, place: Place, size: int) -> npt.NDArray[np.float32]:
    """(size, size) share of each cell of a window that is set, 0 to 1; nothing is set outside of the pixels."""
    return _cut(pixels.view(np.uint8), place, size, 255).astype(np.float32) / np.float32(255)


def pictured(image: npt.NDArray[np.uint8], place: Place, size: int) -> npt.NDArray[np.float32]:
    """(3, size, size) what a window shows of a picture (height, width, 3), 0 to 1; black outside of it."""
    return _cut(image, place, size).transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def _cut(pixels: npt.NDArray[np.uint8], place: Place, size: int, factor: int = 1) -> npt.NDArray[np.uint8]:
    """What a window shows of pixels times a factor, size x size; zeros outside of them."""
    x, y, side = place
    left, top, right, bottom = int(np.floor(x)), int(np.floor(y)), int(np.ceil(x + side)), int(np.ceil(y + side))
    height, width = pixels.shape[:2]
    crop = np.zeros((bottom - top, right - left, *pixels.shape[2:]), np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x1 > x0 and y1 > y0:
        crop[y0 - top : y1 - top, x0 - left : x1 - left] = pixels[y0:y1, x0:x1] * np.uint8(factor)
    how = PIL.Image.Resampling.BOX if side > size else PIL.Image.Resampling.BILINEAR
    part = (x - left, y - top, x - left + side, y - top + side)
    return np.asarray(PIL.Image.fromarray(crop).resize((size, size), how, part))


def windows(visible: Sequence[Mask], size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """What is seen in the windows around the visible parts of one image.

    Returns:
        (N, 2, size, size) shares of the object's own visible part and of the others', and (N, 4) the windows'
        x1, y1, x2, y2 in pixels.
    """
    canvas = (visible[0].height, visible[0].width) if visible else (1, 1)
    everything = union(visible, *canvas).to_array()
    seen = np.zeros((len(visible), 2, size, size), np.float32)
    places = np.zeros((len(visible), 4))
    for index, mask in enumerate(visible):
        x, y, side = place = window(mask.box)
        array = mask.to_array()  # one at a time: a large photograph with many objects has gigabytes of them
        places[index] = x, y, x + side, y + side
        seen[index] = resampled(array, place, size), resampled(everything & ~array, place, size)
    return seen, places
