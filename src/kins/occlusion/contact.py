"""Which masks overlap by more than rounding, and which touch: the geometry under kins.occlusion, on run lengths."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.masks.table import Spans
from kins.occlusion.ranking import Weights, common

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TOGETHER = 1024
"""Pairs whose overlaps are looked at together."""
FAR, PLACE = 30, 2**30 - 1
"""Bits that hold any place of an image, and the largest number in them."""


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
    weights: Weights, front: Spans, back: Spans, seen: Spans | None, height: int, boxes: Floats, slivers: Slivers
) -> Weights:
    """Without those of strips: the pixels of each pair are those of front[i] in back[j], but not in seen[j].

    Args:
        height: of the image, or of the canvas.
        boxes: `corners` of `back`.
    """
    if slivers.width < 2:
        return weights
    outline = 2 * (slivers.width - 1) * (boxes[:, 2:] - boxes[:, :2]).sum(1)  # an overlap's own is not longer
    doubtful = np.flatnonzero(weights.pixels <= outline[weights.back])
    kept = np.ones(weights.pixels.size, bool)
    for start in range(0, doubtful.size, TOGETHER):
        rows = doubtful[start : start + TOGETHER]
        shared = front.take(weights.front[rows]).cut(back.take(weights.back[rows]))
        _, tight = shared.measure(np.full(rows.size, height))
        thin = np.flatnonzero(weights.pixels[rows] <= 2 * (slivers.width - 1) * tight[2:].sum(0))
        if thin.size:
            rows, shared = rows[thin], shared.take(thin)
            if seen is not None:
                shared = shared.cut(_outside(seen.take(weights.back[rows])))
            kept[rows[_solid(shared, height, slivers.width) < slivers.pixels]] = False
    return Weights(weights.front[kept], weights.back[kept], weights.pixels[kept], weights.count)


def _outside(masks: Spans) -> Spans:
    """All places that each mask has not; some spans of them are empty."""
    lengths = masks.stop - masks.start
    bounds = np.concatenate([[0], np.cumsum(lengths + 2)])
    places = np.zeros(bounds[-1], np.int32)
    places[bounds[1:] - 1] = np.iinfo(np.int32).max
    places[np.arange(lengths.sum()) + np.repeat(2 * np.arange(lengths.size) + 1, lengths)] = masks.flat
    return Spans.cut_at(places, bounds)


def _solid(masks: Spans, height: int, width: int) -> Ints:
    """(N,) how many of each mask's pixels lie in a square of width x width of them."""
    places = masks.flat.astype(np.int64)
    owner = np.repeat(np.arange(masks.start.size), (masks.stop - masks.start) // 2)
    lengths = places[1::2] - places[::2]
    first = (owner << FAR) + places[::2]
    pixels = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    steps = (np.arange(width)[:, None] * height + np.arange(width)[None, :]).ravel()
    corners = pixels[(pixels & PLACE) % height <= height - width]
    for step in steps[1:]:
        at = np.searchsorted(pixels, corners + step)
        corners = corners[pixels[np.minimum(at, pixels.size - 1)] == corners + step]
    solid = np.unique(corners[:, None] + steps)
    return np.bincount(solid >> FAR, minlength=masks.start.size)


def touching(masks: Spans, i: Ints, j: Ints, height: int, pixels: int, where: object) -> npt.NDArray[np.bool_]:
    """(P,) whether masks[i] and masks[j] overlap, or a pixel of one has a side in common with a pixel of the other.

    Args:
        height, pixels: of the image, or of the canvas.
        where: for the message of a KinsError, where there are too many to compare.
    """
    rows, at = np.unique(i, return_inverse=True)
    return common(_grown(masks.take(rows), height, pixels), at, masks, j, where) > 0


def _grown(masks: Spans, height: int, pixels: int) -> Spans:
    """With the pixels that have a side in common with one of theirs."""
    places = masks.flat.astype(np.int64)
    starts, ends = places[::2], places[1::2]
    owner = np.repeat(np.arange(masks.start.size), (masks.stop - masks.start) // 2)
    left, right = ends > height, starts < pixels - height
    first = [starts - (starts % height > 0), np.maximum(starts - height, 0)[left], (starts + height)[right]]
    last = [ends + (ends % height > 0), (ends - height)[left], np.minimum(ends + height, pixels)[right]]
    parts = np.stack([np.concatenate(first), np.concatenate(last)], 1).astype(np.int32)
    apart = Spans.cut_at(parts.ravel(), 2 * np.arange(len(parts) + 1))
    return apart.joined(np.concatenate([owner, owner[left], owner[right]]), masks.start.size)


def corners(boxes: Floats) -> Floats:
    """(n, 4) x0, y0, x1, y1 of boxes (4, n) x, y, width, height; those of empty masks are near to nothing."""
    edges = np.concatenate([boxes[:2], boxes[:2] + boxes[2:]]).T
    edges[boxes[2] <= 0] = (np.inf, np.inf, -np.inf, -np.inf)
    return edges
