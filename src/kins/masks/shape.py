"""Shape of masks: convexity and simplicity (Zhu et al., Semantic Amodal Segmentation, CVPR 2017), on run lengths."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kins.masks.mask import Mask, from_spans
from kins.masks.runs import split_at_columns
from kins.masks.table import Floats, Ints, Spans

APART = 4
"""Empty columns between masks that are measured together."""
TOGETHER = 2**17
"""Segments of masks that are measured together: enough for an image, few enough to need little memory."""
STEPS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (1, 2), (1, -2))
"""Directions (x, y) in which outlines are crossed to measure their length."""


def convexity(mask: Mask) -> float:
    """Area over the area of the convex hull, both in pixels: 1 for a mask that holds every pixel of its hull.

    The hull is that of the pixels' centres, and its area the number of centres in it. NaN for an empty mask.
    """
    return float(forms(Spans.of(np.stack(mask.intervals, 1).ravel()), mask.height, mask.width)[0, 0])


def simplicity(mask: Mask) -> float:
    """sqrt(4 pi area) / perimeter: 1 for a disc, 0.886 for a square, less for anything long or ragged.

    NaN for an empty mask.
    """
    return float(forms(Spans.of(np.stack(mask.intervals, 1).ravel()), mask.height, mask.width)[0, 1])


def perimeter(mask: Mask) -> float:
    """Length of the outline in pixels, holes and the image's border included.

    By Cauchy and Crofton's formula: the outline's crossings with parallel lines, in eight directions weighted by the
    angles between them. A long straight edge comes out at most 2 % wrong, whatever its direction; counting pixel sides
    would be up to 41 % wrong.
    """
    owner, segments = _side_by_side(Spans.of(np.stack(mask.intervals, 1).ravel()), mask.height, mask.width)
    return float(_perimeters(owner, segments, np.array([mask.area]), mask.height)[0])


def forms(masks: Spans, height: int, width: int) -> Floats:
    """(N, 2) `convexity` and `simplicity` of masks of images of this size; NaN for empty ones."""
    areas, boxes = masks.measure(np.full(masks.start.size, height))
    found = np.full((areas.size, 2), np.nan)
    rows = np.flatnonzero(areas)
    if not rows.size:
        return found
    segments_at_most = boxes[2] + (masks.stop - masks.start) // 2
    group = np.cumsum(segments_at_most[rows]) // TOGETHER
    for some in np.split(rows, np.flatnonzero(np.diff(group)) + 1):
        owner, segments = _side_by_side(masks.take(some), height, width)
        found[some, 0] = areas[some] / _hull_pixels(owner, segments, some.size)
        found[some, 1] = np.sqrt(4 * math.pi * areas[some]) / _perimeters(owner, segments, areas[some], height)
    return found


def _side_by_side(masks: Spans, height: int, width: int) -> tuple[Ints, Ints]:
    """Whose a segment is, and (S, 3) column, first row, row after the last, of masks that stand side by side.

    Empty columns keep them apart, so that a step out of one of them leads into no other.
    """
    places = masks.flat.astype(np.int64)
    places += np.repeat(np.arange(masks.start.size) * (height * (width + APART)), masks.stop - masks.start)
    starts, ends = split_at_columns(places[::2], places[1::2], height)
    columns = starts // height
    return columns // (width + APART), np.stack([columns, starts - columns * height, ends - columns * height], 1)


def _perimeters(owner: Ints, segments: Ints, areas: Ints, height: int) -> Floats:
    """(N,) `perimeter` of masks side by side."""
    stride = height + 4  # room for a step of two pixels up or down to stay in its column
    starts, ends = segments[:, 0] * stride + segments[:, 1] + 2, segments[:, 0] * stride + segments[:, 2] + 2
    corners = np.stack([starts, ends], 1).ravel()
    lengths = np.stack([np.zeros_like(starts), ends - starts], 1).ravel().cumsum()
    length = np.zeros(areas.size)
    if not starts.size:
        return length
    for (x, y), weight in zip(STEPS, _weights(), strict=True):
        step = x * stride + y
        # Pixels of the mask below each corner, for the mask moved by the step.
        below = np.interp(corners + step, corners, lengths)
        stay = np.bincount(owner, below[1::2] - below[::2], areas.size)
        length += weight * (areas - stay) / math.hypot(x, y)
    return length


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
    (upper, _), (lower, _) = _outlines(np.zeros(len(segments), np.int64), segments)
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


def _hull_pixels(owner: Ints, segments: Ints, count: int) -> Ints:
    """(count,) number of pixel centres in the convex hull of each mask of `_side_by_side`; none is empty."""
    doubled, on_outline = np.zeros((2, count), np.int64)
    ends = []
    for sign, (points, whose) in zip((1, -1), _outlines(owner, segments), strict=True):
        (x0, y0), (x1, y1) = points[:-1].T, points[1:].T
        same = whose[1:] == whose[:-1]
        doubled += sign * np.bincount(whose[1:], np.where(same, x0 * y1 - x1 * y0, 0), count).astype(np.int64)
        on_outline += np.bincount(whose[1:], np.where(same, np.gcd(x1 - x0, y1 - y0), 0), count).astype(np.int64)
        bounds = np.searchsorted(whose, np.arange(count + 1))
        ends.append((points[bounds[:-1]], points[bounds[1:] - 1]))
    (upper_left, upper_right), (lower_left, lower_right) = ends
    for upper, lower, sign in ((upper_left, lower_left, 1), (upper_right, lower_right, -1)):
        doubled += sign * upper[:, 0] * (upper[:, 1] - lower[:, 1])
        on_outline += np.abs(upper[:, 1] - lower[:, 1])
    pixels = (np.abs(doubled) + on_outline) // 2 + 1  # Pick's theorem: points = area + points on the outline / 2 + 1
    return np.asarray(pixels, np.int64)


def _outlines(owner: Ints, segments: Ints) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """The corners (C, 2) of the upper and of the lower side of each mask's hull of pixel centres, from left to right,
    and whose they are."""
    first = np.flatnonzero(np.diff(segments[:, 0], prepend=segments[0, 0] - 1))
    columns, whose = segments[first, 0], owner[first]
    tops, bottoms = segments[first, 1], segments[np.append(first[1:], len(segments)) - 1, 2] - 1
    return _chains(whose, columns, tops, 1), _chains(whose, columns, bottoms, -1)


def _chains(whose: Ints, x: Ints, y: Ints, sign: int) -> tuple[Ints, Ints]:
    """One side of the convex hull of points sorted by x, exact on whole numbers: points that lie inside of what their
    neighbours span are left out until there is none, since they are never corners."""
    while True:
        turn = (x[1:-1] - x[:-2]) * (y[2:] - y[:-2]) - (x[2:] - x[:-2]) * (y[1:-1] - y[:-2])
        corner = np.ones(x.size, bool)
        corner[1:-1] = (sign * turn > 0) | (whose[1:-1] != whose[:-2]) | (whose[1:-1] != whose[2:])
        if corner.all():
            return np.stack([x, y], 1), whose
        whose, x, y = whose[corner], x[corner], y[corner]
