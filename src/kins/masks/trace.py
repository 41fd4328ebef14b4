"""Polygons from masks that give the same pixels back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kins.masks import Mask, Polygons

Indices = npt.NDArray[np.int64]


def trace(mask: Mask) -> Polygons:
    """The outlines of a mask: flat polygons [x1, y1, x2, y2, ...], whose union is the mask again, pixel for pixel.

    Outlines run along the sides of pixels, so that all coordinates are whole numbers (as int: the shortest to write),
    from 0 to the image's width and height, and lines are horizontal and vertical in turn. COCO's fill gives exactly
    these pixels back (`Mask.from_polygons`, pycocotools' `frPyObjects` and `merge`), and so does any other fill that
    decides at the pixels' centres. (kins refuses polygons beyond MAX_COORDINATE, in images of more than 100,000 pixels
    a side.)

    Pixels that touch only at a corner are in different polygons, unless others connect them. A hole is joined to the
    polygon around it by a cut without width, along a vertical line, with at most two points more.

    Returns:
        One polygon for each part whose pixels are connected over their sides, clockwise as seen in the image, from the
        leftmost on. [] for an empty mask.
    """
    if not mask:
        return []
    columns, rows = _pieces(mask)
    after = _following(columns, rows, mask.height).tolist()
    order, starts = _cycles(after)
    if joints := _holes(rows, order, starts):
        _cut(after, joints)
        order, starts = _cycles(after)
    return _polygons(columns, rows, order, starts)


def rings(mask: Mask) -> tuple[Polygons, Polygons]:
    """The outlines of a mask without cuts: closed lines around its parts, and around the holes in them.

    As `trace`, for tools that store a hole as an outline of its own. Both lists are sorted by area. Drawn from large to
    small, parts added and holes taken away, they give the same pixels.

    Returns:
        Rings around parts, clockwise as seen in the image; and around holes, the other way round.
    """
    if not mask:
        return [], []
    columns, rows = _pieces(mask)
    order, starts = _cycles(_following(columns, rows, mask.height).tolist())
    areas = np.add.reduceat(np.where(order % 2, rows[order], -rows[order]), starts).tolist()
    found = sorted(zip(areas, _polygons(columns, rows, order, starts), strict=True), key=lambda ring: -abs(ring[0]))
    return [ring for area, ring in found if area > 0], [ring for area, ring in found if area < 0]


def traced(mask: Mask) -> Mask:
    """The same pixels with polygons: those that the mask was made of, or else its outlines."""
    if mask.polygons is not None:
        return mask
    return Mask(mask.height, mask.width, mask.counts, trace(mask), offset=mask.offset)


def _pieces(mask: Mask) -> tuple[Indices, Indices]:
    """(S,) columns and (2 S,) rows of the runs of pixels within columns: first row and row after the last in turn.

    Each entry of the rows stands for a line of the outline, one pixel long: 2 s is the top of piece s and is walked to
    the right, 2 s + 1 its bottom and walked to the left, with the mask on the right hand.
    """
    segments = mask.segments
    return segments[:, 0], segments[:, 1:].ravel()


def _following(columns: Indices, rows: Indices, height: int) -> Indices:
    """(2 S,) the line that comes after each, around the mask.

    Where two columns meet, the ends of the lines on both sides are, from the top to the bottom, the ends of the
    outline's vertical lines: two by two, they belong together. Lines that go straight on make such a pair, too, with no
    distance in between. Where pixels touch at a corner, the bottom of the upper one comes first, which parts them.
    """
    lines = np.arange(rows.size)
    goes_right = 1 - lines % 2
    left_ends = 2 * (np.repeat(columns, 2) * (height + 1) + rows) + goes_right
    ends = np.concatenate([left_ends, left_ends + 2 * (height + 1)])
    pairs = np.argsort(ends, kind="stable").reshape(-1, 2)  # both halves are sorted; this merges them
    partners = np.empty_like(ends)
    partners[pairs] = pairs[:, ::-1]
    return partners[lines + rows.size * goes_right] % rows.size


def _cycles(after: list[int]) -> tuple[Indices, Indices]:
    """(2 S,) the lines of one outline after the other, each from its first on, and where in this each one starts."""
    rest = after.copy()
    order: list[int] = []
    starts: list[int] = []
    for at in range(len(rest)):
        if rest[at] >= 0:
            starts.append(len(order))
        while rest[at] >= 0:
            order.append(at)
            rest[at], at = -1, rest[at]
    return np.array(order, np.int64), np.array(starts, np.int64)


def _holes(rows: Indices, order: Indices, starts: Indices) -> list[int]:
    """The first line of each outline that goes round a hole: the bottom of the piece above the hole's leftmost column.

    The top of that piece is an earlier line, so it belongs to another outline: that around the part, or that of another
    hole which begins earlier. Joining each hole there leaves none apart.
    """
    areas = np.add.reduceat(np.where(order % 2, rows[order], -rows[order]), starts)
    joints: list[int] = order[starts[areas < 0]].tolist()
    return joints


def _cut(after: list[int], joints: list[int]) -> None:
    """Join holes to what is around them, in place.

    A piece's top starts and its bottom ends on the same vertical line. What comes before the top and what comes after
    the bottom are joined along that line, and so are the bottom and the top: both outlines become one.
    """
    before = [0] * len(after)
    for line, following in enumerate(after):
        before[following] = line
    for bottom in joints:
        top = bottom - 1
        one, other = before[top], after[bottom]
        after[one], before[other] = other, one
        after[bottom], before[top] = top, bottom


def _polygons(columns: Indices, rows: Indices, order: Indices, starts: Indices) -> list[list[float]]:
    """Both ends of each line, without those where the outline goes straight on."""
    stops = np.append(starts[1:], order.size)
    y, goes_left = rows[order], order % 2
    before, after = np.roll(y, 1), np.roll(y, -1)
    before[starts], after[stops - 1] = y[stops - 1], y[starts]
    x = columns[order // 2]
    points = np.stack([x + goes_left, y, x + 1 - goes_left, y], 1).reshape(-1, 2)
    corner = np.stack([before != y, after != y], 1).ravel()
    numbers = points[corner].ravel().tolist()
    ends = 2 * np.append(0, corner.cumsum()[2 * stops - 1])
    return [numbers[start:end] for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
