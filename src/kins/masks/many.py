"""Many masks together: read from files at once, compared pair by pair, joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from kins.errors import KinsError
from kins.limits import PIXELS
from kins.masks.mask import Mask, check_same_size, from_spans
from kins.masks.reading import Read, read_many
from kins.masks.runs import check_size
from kins.masks.table import Floats, Ints, Spans

TOGETHER = 256
"""Masks that are read together: enough to outweigh the calls, few enough to stay in the processor's cache."""


def rasterise(masks: Iterable[Mask | None]) -> None:
    """Draw or check now, together, what was read from files and not used yet: several times faster than one by one.

    Whatever is damaged is left as it is, so that its first use raises KinsError as ever.

    Example:
        >>> masks = [kins.Mask.from_segmentation([[0, 0, 4, 0, 4, 4, 0, 4]], 6, 8)]
        >>> kins.masks.rasterise(masks)
        >>> masks[0].area
        16
    """
    pending = [m for m in masks if m is not None and m._counts is None and isinstance(m._source, msgspec.Raw)]
    most = PIXELS.value
    pending = [m for m in pending if m.height > 0 < m.width and m.height * m.width <= most]
    for start in range(0, len(pending), TOGETHER):
        _rasterise_together(pending[start : start + TOGETHER])


def require_sound(masks: Sequence[Mask | None]) -> None:
    """Raises KinsError for the first damaged mask, with its place in the file.

    Example:
        >>> damaged = kins.Mask.from_segmentation([[0, 0, 1e9, 5]], 6, 8, "truth.json: annotations[3].a_segm")
        >>> kins.masks.require_sound([damaged])
        Traceback (most recent call last):
        kins.errors.KinsError: truth.json: annotations[3].a_segm[0]: has the coordinate 1e+09, far outside...
    """
    rasterise(masks)
    for mask in masks:
        if mask is not None:
            mask.counts  # noqa: B018  # what is damaged tells so when it is used


def require_one_size(masks: Sequence[Mask]) -> None:
    """Raises KinsError for masks of images of several sizes."""
    for mask in masks[1:]:
        check_same_size(masks[0], mask)


def intersections(first: Sequence[Mask], second: Sequence[Mask]) -> Ints:
    """(len(first), len(second)) number of pixels that each pair has in common.

    Example:
        >>> left, right = (kins.Mask.from_box((x, 0, 4, 6), 6, 8) for x in (0, 3))
        >>> kins.masks.intersections([left], [left, right]).tolist()
        [[24, 6]]
    """
    return _intersections(first, second)[0]


def ious(first: Sequence[Mask], second: Sequence[Mask]) -> Floats:
    """(len(first), len(second)) intersection over union of each pair; 0 where both are empty.

    Example:
        >>> left, right = (kins.Mask.from_box((x, 0, 4, 6), 6, 8) for x in (0, 2))
        >>> kins.masks.ious([left], [left, right]).round(3).tolist()
        [[1.0, 0.333]]
    """
    shared, areas, others = _intersections(first, second)
    return np.asarray(shared / np.maximum(areas[:, None] + others - shared, 1), np.float64)


def _intersections(first: Sequence[Mask], second: Sequence[Mask]) -> tuple[Ints, Ints, Ints]:
    """Common pixels of each pair, and the pixels of each mask."""
    require_one_size([*first, *second])
    (masks, areas, boxes), (others, other_areas, other_boxes) = spans(first), spans(second)
    return overlaps(masks, boxes, others, other_boxes), areas, other_areas


def overlaps(first: Spans, first_boxes: Floats, second: Spans, second_boxes: Floats) -> Ints:
    """(N, M) number of pixels that each pair has in common.

    Args:
        first_boxes, second_boxes: (4, N) and (4, M) x, y, width, height of their pixels; others are not compared.
    """
    low = np.maximum(first_boxes[:2, :, None], second_boxes[:2, None])
    high = np.minimum((first_boxes[:2] + first_boxes[2:])[:, :, None], (second_boxes[:2] + second_boxes[2:])[:, None])
    i, j = np.nonzero((low < high).all(0))
    shared = np.zeros((first.start.size, second.start.size), np.int64)
    shared[i, j] = first.common(i, second, j)
    return shared


def spans(known: Sequence[Mask | None]) -> tuple[Spans, Ints, Floats]:
    """The pixels of many masks, to be compared pair by pair; (N,) their number and (4, N) boxes. None counts as empty.

    What was read from files and not used yet is not kept in run-length form for this.

    Example:
        >>> table, pixels, boxes = kins.masks.spans([kins.Mask.from_box((1, 0, 4, 6), 6, 8), None])
        >>> pixels.tolist(), boxes.T.tolist()
        ([24, 0], [[1.0, 0.0, 4.0, 6.0], [0.0, 0.0, 0.0, 0.0]])

    Raises KinsError for a damaged mask, with its place in the file.
    """
    sizes, sources = [(1, 1)] * len(known), [""] * len(known)
    for row, mask in enumerate(known):
        if mask is not None:
            sizes[row] = mask.height, mask.width
            raw = mask._counts is None and isinstance(mask._source, msgspec.Raw)
            sources[row] = mask._source if raw else mask.counts
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2).T
    for row in np.flatnonzero((heights < 1) | (widths < 1) | (heights * widths > PIXELS.value)).tolist():
        if (mask := known[row]) is not None:
            check_size(mask.height, mask.width, mask._where)
    table, _, sound = _read(known, sources, heights, widths)
    if not sound.all():
        rows = np.flatnonzero(~sound)
        texts = [mask.counts for row in rows.tolist() if (mask := known[row]) is not None]
        table = table.replaced(rows, Spans.unpacked(texts, (heights * widths)[rows])[0])
    areas, boxes = table.measure(heights)
    for row in [row for row, mask in enumerate(known) if mask is not None and mask.offset != (0, 0)]:
        if areas[row] and (mask := known[row]) is not None:
            boxes[:2, row] += mask.offset
    return table, areas, boxes


def union(masks: Sequence[Mask], height: int, width: int) -> Mask:
    """Every pixel that is in at least one of the masks.

    Example:
        >>> kins.masks.union([kins.Mask.from_box((x, 0, 2, 6), 6, 8) for x in (0, 1, 6)], 6, 8).area
        30
    """
    for mask in masks:
        if (mask.height, mask.width) != (height, width):
            raise KinsError(f"a mask of {mask.width} x {mask.height} pixels in an image of {width} x {height}")
        check_same_size(mask, masks[0])
    parts, _, _ = spans(masks)
    offset = masks[0].offset if masks else (0, 0)
    return from_spans(parts.joined(np.zeros(len(masks), np.int64), 1), height, width, offset)


def _read(masks: Sequence[Mask | None], sources: Sequence[msgspec.Raw | str], heights: Ints, widths: Ints) -> Read:
    """As `read_many`. Raises KinsError, with the first one's place, where they would take too much together."""
    try:
        return read_many(sources, heights, widths)
    except KinsError as error:
        place = next((mask._where for mask in masks if mask is not None), "")
        raise KinsError(f"{place}: {error}".removeprefix(": ")) from None


def _rasterise_together(masks: Sequence[Mask]) -> None:
    heights, widths = np.array([mask.height for mask in masks]), np.array([mask.width for mask in masks])
    table, texts, sound = _read(masks, [mask._source for mask in masks], heights, widths)
    drawn = table.pack(heights * widths) if None in texts else texts
    areas, boxes = table.measure(heights)
    found = zip(masks, texts, drawn, sound.tolist(), areas.tolist(), map(tuple, boxes.T.tolist()), strict=True)
    for mask, text, packed, readable, area, box in found:
        if readable:
            mask._counts, mask._area, mask._box = text or packed, area, box
