"""How much work polygons are to fill: bounded before it is done, since a few bytes can ask for a picture full of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.limits import FILL, FILL_TOGETHER, POINTS, POLYGONS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AREA = 256
"""Pixels of a polygon's box that take as long to go through as one column that its outline crosses."""


def is_light(polygons: int, numbers: int, height: int, width: int) -> bool:
    """Whether so many polygons with so many numbers in all stay within all limits, however they are distributed among
    masks of at most this size: found out at once, and true of most images."""
    effort = numbers // 2 * width + polygons * (height * width // AREA)
    return effort <= min(FILL.value, FILL_TOGETHER.value) and numbers <= 2 * POINTS.value and polygons <= POLYGONS.value


def too_much(points: Floats, sizes: Ints, parts: Ints, heights: Ints, widths: Ints) -> dict[int, str]:
    """The masks that would take too much, each with what is wrong.

    Args:
        points: all polygons' numbers x1, y1, x2, y2, ..., one polygon after the other.
        sizes: (P,) numbers of each polygon.
        parts: (N,) polygons of each mask.
        heights, widths: (N,) pixels of each mask's image.

    Raises:
        KinsError: all of them together would take too much.
    """
    if not sizes.size:
        return {}
    owner = np.repeat(np.arange(parts.size), parts)
    high, wide = heights[owner], widths[owner]
    most = sizes // 2 * wide + high * wide // AREA  # no polygon takes more, whatever its points
    usual = np.bincount(owner, most).max() <= FILL.value and most.sum() <= FILL_TOGETHER.value
    if usual and sizes.max() <= 2 * POINTS.value and parts.max() <= POLYGONS.value:
        return {}
    problems = {int(row): f"has {POLYGONS.passed(int(parts[row]))}" for row in np.flatnonzero(parts > POLYGONS.value)}
    for polygon in np.flatnonzero(sizes > 2 * POINTS.value):
        problems[int(owner[polygon])] = f"has {POINTS.passed(int(sizes[polygon]) // 2)}"
    efforts = np.bincount(owner, _efforts(points, sizes, high, wide), parts.size)
    for row in np.flatnonzero(efforts > FILL.value):
        problems[int(row)] = f"has {FILL.passed(int(efforts[row]))}"
    efforts[list(problems)] = 0
    if efforts.sum() > FILL_TOGETHER.value:
        raise KinsError(f"has, with others of its image, {FILL_TOGETHER.passed(int(efforts.sum()))}")
    return problems


def _efforts(points: Floats, sizes: Ints, heights: Ints, widths: Ints) -> Floats:
    """(P,) columns of pixels that each polygon's outline crosses in the image, and a little for its box."""
    starts = np.cumsum(sizes) - sizes
    even = (np.arange(points.size) - np.repeat(starts, sizes)) % 2 == 0
    counts = (sizes + 1) // 2
    owner = np.repeat(np.arange(sizes.size), counts)
    x = np.clip(points[even], 0, widths[owner])
    before = np.arange(x.size) - 1
    first = (np.cumsum(counts) - counts)[counts > 0]
    before[first] = first + counts[counts > 0] - 1
    efforts = np.bincount(owner, np.abs(x - x[before]) + 1, sizes.size)
    some = np.flatnonzero(counts > 0)
    across = np.maximum.reduceat(x, first) - np.minimum.reduceat(x, first)
    y = np.clip(points, 0, np.repeat(heights, sizes))
    low, high = (np.where(even, outside, y) for outside in (np.inf, -np.inf))
    begins = starts[some]
    down = np.maximum.reduceat(high, begins) - np.minimum.reduceat(low, begins)
    efforts[some] += across * np.maximum(down, 0) / AREA
    return np.asarray(efforts, np.float64)
