"""Masks that reach beyond the image: all masks of an image on one canvas that is larger than its frame.

A canvas holds the whole frame, and unless it is the frame itself it begins at least a pixel above and left of it: a
mask's offset of (0, 0) always means the frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kins.errors import KinsError
from kins.limits import PIXELS
from kins.masks.mask import Mask
from kins.masks.reading import check_polygon

Masks = Sequence[Mask | None]
Canvas = tuple[int, int, int, int]
"""First column and row, and those after the last, in image pixels."""


def unclipped(masks: Masks, height: int, width: int) -> list[Mask | None]:
    """All on one canvas that holds every polygon whole; as they are if none leaves the image of this size.

    Damaged masks stay as they are, too, and their use raises KinsError as ever.

    Raises:
        KinsError: a polygon lies so far outside that the canvas had more pixels than are accepted.
    """
    outlines = [None if mask is None else _sound_polygons(mask) for mask in masks]
    points = [polygon for polygons in outlines for polygon in polygons or [] if polygon]
    if not points:
        return list(masks)
    low = [math.floor(min(min(polygon[axis::2]) for polygon in points)) for axis in (0, 1)]
    high = [math.ceil(max(max(polygon[axis::2]) for polygon in points)) for axis in (0, 1)]
    found = low[0], low[1], high[0], high[1]
    canvas = _joined([(0, 0, width, height), found])
    if canvas == (0, 0, width, height):
        return list(masks)
    return [
        mask if mask is None or not (mask.offset == (0, 0) and _is_sound(mask)) else _drawn(mask, polygons, canvas)
        for mask, polygons in zip(masks, outlines, strict=True)
    ]


def together(masks: Masks) -> list[Mask | None]:
    """All on one canvas that holds those of each; as they are if it is the same already."""
    known = [mask for mask in masks if mask is not None]
    if all(mask.offset == (0, 0) for mask in known):
        return list(masks)
    canvas = _joined([(*m.offset, m.offset[0] + m.width, m.offset[1] + m.height) for m in known])
    return [None if mask is None else _placed(mask, canvas) for mask in masks]


def _sound_polygons(mask: Mask) -> list[list[float]] | None:
    try:
        polygons = mask.polygons
    except KinsError:
        return None
    return polygons if polygons is not None and not any(map(check_polygon, polygons)) else None


def _is_sound(mask: Mask) -> bool:
    try:
        return mask.counts is not None
    except KinsError:
        return False


def _joined(parts: Sequence[Canvas]) -> Canvas:
    """The canvas around all, the frame being among them."""
    x0, y0 = min(p[0] for p in parts), min(p[1] for p in parts)
    x1, y1 = max(p[2] for p in parts), max(p[3] for p in parts)
    if (x0, y0, x1, y1) != parts[0] and (x0, y0) == (0, 0):
        x0 = y0 = -1
    if (x1 - x0) * (y1 - y0) > PIXELS.value:
        raise KinsError(f"masks reach so far out of the image that they take {x1 - x0} x {y1 - y0} pixels")
    return x0, y0, x1, y1


def _drawn(mask: Mask, polygons: list[list[float]] | None, canvas: Canvas) -> Mask:
    if polygons is None:
        return _placed(mask, canvas)
    x0, y0, x1, y1 = canvas
    shifted = [(np.array(polygon) - [x0, y0] * (len(polygon) // 2)).tolist() for polygon in polygons]
    drawn = Mask.from_polygons(shifted, y1 - y0, x1 - x0)
    return Mask(drawn.height, drawn.width, drawn.counts, mask._source, mask._where, offset=(x0, y0))


def _placed(mask: Mask, canvas: Canvas) -> Mask:
    """The same pixels on a canvas that holds them."""
    x0, y0, x1, y1 = canvas
    if (mask.offset, mask.width, mask.height) == ((x0, y0), x1 - x0, y1 - y0):
        return mask
    placed = Mask.from_segments(mask.segments, y1 - y0, x1 - x0, (x0, y0))
    return Mask(placed.height, placed.width, placed.counts, mask._source, mask._where, offset=placed.offset)
