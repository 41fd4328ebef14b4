"""Which masks overlap by more than rounding, and which touch: the geometry under kins.occlusion, on run lengths."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.masks import Mask
from kins.masks.table import Spans

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Slivers:
    """Which overlaps are too small to be occlusion: what rounding the corners of polygons leaves along outlines.

    An overlap makes an edge if it has at least `pixels` pixels and at least `fraction` of the hidden one's amodal area.
    If it has no more pixels than the outline of the box around what I_i and A_j share, at least `pixels` of them must
    also lie in a square of `width` x `width` pixels of the overlap.

    Corners moved by rounding (at most half a pixel in x and y) move an outline by less than a pixel, and a strip that
    narrow holds no square of 2 x 2 pixels, a corner hardly more than one; hence the defaults. Slivers(1, 0, 1) keeps
    every pixel.
    """

    pixels: int = 5
    fraction: float = 0.001
    width: int = 2


ROUNDING = Slivers()
"""What is ignored by default."""


def hiding(covered: Ints, visible: Ints | int, area: npt.NDArray[Any], slivers: Slivers) -> Ints:
    """Weights o_ij of edges: how many pixels of j's hidden region i covers, 0 where they are too few to be occlusion.

    |I_i & H_j| = |I_i & A_j| - |I_i & A_j & I_j|: no hidden region has to be made.

    Args:
        covered: |I_i & A_j| of some pairs, in any shape.
        visible: |I_i & A_j & I_j|, of the same shape; 0 where nobody knows what is visible.
        area: |A_j|.
        slivers: the least pixels and the least fraction of j; its width is for `without_slivers`.
    """
    weights = covered - visible
    return np.where(weights >= np.maximum(slivers.pixels, slivers.fraction * area), weights, 0)


def without_slivers(
    weights: Ints, front: Spans, back: Spans, seen: Spans | None, height: int, boxes: Floats, slivers: Slivers
) -> Ints:
    """Without the weights of strips: weights[i, j] counts the pixels of front[i] in back[j], but not in seen[j].

    Args:
        height: of the image.
        boxes: `corners` of `back`.
    """
    if slivers.width < 2:
        return weights
    outline = 2 * (slivers.width - 1) * (boxes[:, 2:] - boxes[:, :2]).sum(1)  # an overlap's own is not longer
    i, j = np.nonzero((weights > 0) & (weights <= outline))
    if not i.size:
        return weights
    shared = front.take(i).cut(back.take(j))
    _, tight = shared.measure(np.full(i.size, height))
    for k in np.flatnonzero(weights[i, j] <= 2 * (slivers.width - 1) * tight[2:].sum(0)).tolist():
        pixels = _pixels(shared.take(np.array([k])), seen and seen.take(j[k : k + 1]))
        if _solid(pixels, height, slivers.width) < slivers.pixels:
            weights[i[k], j[k]] = 0
    return weights


def _pixels(mask: Spans, without: Spans | None) -> Ints:
    """The mask's pixels, numbered column by column, without those of another mask."""
    starts, ends = mask.intervals
    lengths = ends - starts
    pixels = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    if without is None:
        return pixels
    starts, ends = without.intervals
    if not starts.size:
        return pixels
    at = np.searchsorted(ends, pixels, side="right")
    return pixels[(at == starts.size) | (pixels < starts[np.minimum(at, starts.size - 1)])]


def _solid(pixels: Ints, height: int, width: int) -> int:
    """How many of these pixels, numbered column by column, lie in a square of width x width of them."""
    steps = (np.arange(width)[:, None] * height + np.arange(width)[None, :]).ravel()
    corners = pixels[pixels % height <= height - width]
    for step in steps[1:]:
        at = np.searchsorted(pixels, corners + step)
        corners = corners[pixels[np.minimum(at, pixels.size - 1)] == corners + step]
    return int(np.unique(corners[:, None] + steps).size)


def touch(first: Mask, second: Mask) -> bool:
    """Whether two masks overlap, or a pixel of one has a side in common with a pixel of the other."""
    height = first.height
    starts, ends = first.intervals
    others, other_ends = second.intervals
    if not starts.size or not others.size:
        return False
    starts, ends = np.append(starts, np.iinfo(np.int64).max), np.append(ends, np.iinfo(np.int64).max)
    for shift in (0, height, -height):
        if (starts[np.searchsorted(ends, others + shift, side="right")] < other_ends + shift).any():
            return True
    at = np.searchsorted(ends, others, side="right")
    above = (ends[at - 1] == others) & (others % height > 0)  # at 0 it is the first pixel of the next column
    below = (starts[at] == other_ends) & (other_ends % height > 0)
    return bool((above | below).any())


def corners(boxes: Floats) -> Floats:
    """(n, 4) x0, y0, x1, y1 of boxes (4, n) x, y, width, height; those of empty masks are near to nothing."""
    edges = np.concatenate([boxes[:2], boxes[:2] + boxes[2:]]).T
    edges[boxes[2] <= 0] = (np.inf, np.inf, -np.inf, -np.inf)
    return edges
