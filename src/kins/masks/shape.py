"""Shape of masks: convexity and simplicity (Zhu et al., Semantic Amodal Segmentation, CVPR 2017), on run lengths."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kins.masks.mask import Mask, from_spans
from kins.masks.table import Spans

STEPS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (1, 2), (1, -2))
"""Directions (x, y) in which outlines are crossed to measure their length."""


def convexity(mask: Mask) -> float:
    """Area over the area of the convex hull, both in pixels: 1 for a mask that holds every pixel of its hull.

    The hull is that of the pixels' centres, and its area the number of centres in it. NaN for an empty mask.
    """
    return mask.area / _hull_pixels(mask.segments) if mask.area else math.nan


def simplicity(mask: Mask) -> float:
    """sqrt(4 pi area) / perimeter: 1 for a disc, 0.886 for a square, less for anything long or ragged.

    NaN for an empty mask.
    """
    return math.sqrt(4 * math.pi * mask.area) / perimeter(mask) if mask.area else math.nan


def perimeter(mask: Mask) -> float:
    """Length of the outline in pixels, holes and the image's border included.

    By Cauchy and Crofton's formula: the outline's crossings with parallel lines, in eight directions weighted by the
    angles between them. A long straight edge comes out at most 2 % wrong, whatever its direction; counting pixel sides
    would be up to 41 % wrong.
    """
    segments = mask.segments
    if not len(segments):
        return 0.0
    stride = mask.height + 4  # room for a step of two pixels up or down to stay in its column
    starts, ends = segments[:, 0] * stride + segments[:, 1] + 2, segments[:, 0] * stride + segments[:, 2] + 2
    corners = np.stack([starts, ends], 1).ravel()
    lengths = np.stack([np.zeros_like(starts), ends - starts], 1).ravel().cumsum()
    length = 0.0
    for (x, y), weight in zip(STEPS, _weights(), strict=True):
        step = x * stride + y
        # Pixels of the mask below each corner, for the mask moved by the step.
        below = np.interp(corners + step, corners, lengths)
        stay = (below[1::2] - below[::2]).sum()
        length += weight * (mask.area - stay) / math.hypot(x, y)
    return float(length)


def _weights() -> list[float]:
    """The angle that each of STEPS stands for, half way to its neighbours; pi together."""
    angles = [math.atan2(y, x) % math.pi for x, y in STEPS]
    ranked = sorted(angles)
    weights = []
    for angle in angles:
        k = ranked.index(angle)
        before = ranked[k - 1] - (math.pi if k == 0 else 0)
        after = ranked[(k + 1) % len(ranked)] + (math.pi if k + 1 == len(ranked) else 0)
        weights.append((after - before) / 2)
    return weights


def hull(mask: Mask) -> Mask:
    """The pixels whose centres lie in the convex hull of the mask's pixel centres, on its outline included.

    Example:
        >>> corner = kins.Mask.from_polygons([[0, 0, 9, 0, 9, 3, 3, 3, 3, 9, 0, 9]], 10, 10)
        >>> corner.area, kins.masks.hull(corner).area
        (45, 60)
    """
    segments = mask.segments
    if not len(segments):
        return mask
    upper, lower = (np.array(side, np.int64) for side in _outline(segments))
    columns = np.arange(upper[0, 0], upper[-1, 0] + 1)
    tops, bottoms = -_below(upper * (1, -1), columns), _below(lower, columns)
    filled = np.stack([columns, tops, bottoms + 1], axis=1)[tops <= bottoms]  # a thin one may miss all of a column
    return Mask.from_segments(filled, mask.height, mask.width, mask.offset)


def grown(mask: Mask, by: int) -> Mask:
    """The pixels that are at most so many columns and rows away from one of the mask's.

    Example:
        >>> kins.masks.grown(kins.Mask.from_box((4, 4, 2, 2), 10, 10), 1).box
        (3.0, 3.0, 4.0, 4.0)
    """
    segments, height = mask.segments, mask.height
    if not len(segments) or not by:
        return mask
    columns = segments[:, :1] + np.arange(-by, by + 1)
    rows = [np.broadcast_to(side[:, None], columns.shape) for side in (segments[:, 1] - by, segments[:, 2] + by)]
    x, y = mask.offset
    inside = (columns >= x) & (columns < x + mask.width)
    first, stop = (np.clip(side[inside] - y, 0, height) for side in rows)
    start = (columns[inside] - x) * height
    order = np.argsort(start + first)
    starts, ends = (start + first)[order], np.maximum.accumulate((start + stop)[order])
    apart = np.append(True, starts[1:] > ends[:-1])
    spans = Spans.from_intervals(starts[apart], ends[np.append(np.flatnonzero(apart)[1:] - 1, len(ends) - 1)])
    return from_spans(spans, height, mask.width, mask.offset)


def _below(chain: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(columns,) the largest whole y at or below a chain of points (x, y), exact."""
    if len(chain) == 1:
        return chain[:, 1]
    piece = np.clip(np.searchsorted(chain[:, 0], columns, side="right") - 1, 0, len(chain) - 2)
    (x0, y0), (x1, y1) = chain[piece].T, chain[piece + 1].T
    return np.asarray(y0 + (y1 - y0) * (columns - x0) // (x1 - x0))


def _hull_pixels(segments: npt.NDArray[np.int64]) -> int:
    """Number of pixel centres in the convex hull of (S, 3) column, first row, row after the last."""
    upper, lower = _outline(segments)
    ring = upper + lower[::-1]
    doubled = on_outline = 0
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        doubled += x0 * y1 - x1 * y0
        on_outline += math.gcd(x1 - x0, y1 - y0)
    return (abs(doubled) + on_outline) // 2 + 1  # Pick's theorem: points = area + points on the outline / 2 + 1


def _outline(segments: npt.NDArray[np.int64]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The upper and the lower side of the convex hull of the pixel centres, from left to right."""
    columns, first = np.unique(segments[:, 0], return_index=True)
    tops = segments[first, 1].tolist()
    bottoms = (np.append(segments[first[1:] - 1, 2], segments[-1, 2]) - 1).tolist()
    xs = columns.tolist()
    return _chain(list(zip(xs, tops, strict=True)), 1), _chain(list(zip(xs, bottoms, strict=True)), -1)


def _chain(points: list[tuple[int, int]], sign: int) -> list[tuple[int, int]]:
    """One side of the convex hull of points sorted by x (Andrew's monotone chain), exact on whole numbers."""
    chain: list[tuple[int, int]] = []
    for x, y in points:
        while len(chain) > 1:
            (x0, y0), (x1, y1) = chain[-2:]
            if sign * ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain
