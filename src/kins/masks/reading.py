"""Masks as files hold them, polygons and run lengths, to spans of pixels: many at once, or one with what is wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.limits import COORDINATE
from kins.masks.compiled import DAMAGED, SOUND, Outlines, polygons
from kins.masks.effort import is_light, too_much
from kins.masks.runs import Rle, decode_runs, rle_problem
from kins.masks.table import Ints, Spans, filled

Polygons = list[list[float]]
Read = tuple[Spans, list[str | None], npt.NDArray[np.bool_]]

MAX_COORDINATE = float(COORDINATE.default)
"""Coordinates beyond this (or not finite) are damage, not geometry; the fill would overflow on them."""


class _RleText(msgspec.Struct, gc=False):
    size: tuple[int, int]
    counts: str


_decode_one = msgspec.json.Decoder(Polygons | _RleText).decode
_decode_many = msgspec.json.Decoder(list[Polygons | _RleText]).decode


def read_many(sources: Sequence[msgspec.Raw | str], heights: Ints, widths: Ints) -> Read:
    """Masks of images of sound sizes.

    Args:
        sources: raw JSON values, or COCO's compressed run lengths; an empty text is an empty mask.

    Returns:
        The spans; the compressed run lengths that a mask was read from, None if it was drawn or if they have runs of
        no pixels; and (N,) whether it could be read: what could not is damaged or something rare, and counts as empty.
    """
    raws = [row for row, source in enumerate(sources) if not isinstance(source, str)]
    usual = polygons([sources[row] for row in raws])
    parts = usual[2]
    if len(raws) == len(sources) and parts.min(initial=0) >= 0:
        table, sound = _draw_many(usual, heights, widths)
        return table, [None] * len(sources), sound
    texts = [source if isinstance(source, str) else None for source in sources]
    sizes = list(zip(heights.tolist(), widths.tolist(), strict=True))
    lists: dict[int, Polygons] = {}
    others = [row for row, count in zip(raws, parts.tolist(), strict=True) if count < 0]
    for row, value in zip(others, _decode_all([sources[row] for row in others]), strict=True):
        if isinstance(value, list):
            lists[row] = value
        elif value is not None and value.size == sizes[row] and value.counts:
            texts[row] = value.counts
    table, found = Spans.unpacked([text or "" for text in texts], heights * widths)
    sound = (found != DAMAGED) & np.array([text is not None for text in texts], bool)
    texts = [text if kind == SOUND else None for text, kind in zip(texts, found.tolist(), strict=True)]
    drawn = np.array(raws, np.int64)[parts >= 0], (*usual[:2], parts[parts >= 0])
    for rows, outlines in (drawn, (np.array(list(lists), np.int64), _outlines(list(lists.values())))):
        if rows.size:
            part, sound[rows] = _draw_many(outlines, heights[rows], widths[rows])
            table = table.replaced(rows, part)
    return table, texts, sound


def read_one(segmentation: Any, height: int, width: int, where: object) -> str:
    """The compressed run lengths of one mask from a file's value. Raises KinsError with the place and what is wrong."""
    if isinstance(segmentation, dict):
        return _checked(segmentation, height, width, where)
    if not isinstance(segmentation, list):
        raise KinsError(f"{where}: is neither a list of polygons nor an RLE".removeprefix(": "))
    for index, polygon in enumerate(segmentation):
        if problem := check_polygon(polygon):
            raise KinsError(f"{where}[{index}]: {problem}; see kins validate --fix")
    size, outlines = (np.array([height]), np.array([width])), _outlines([segmentation])
    for problem in too_much(*outlines, *size).values():
        raise KinsError(f"{where}: {problem}".removeprefix(": "))
    drawn, _ = _draw_many(outlines, *size)
    return drawn.pack([height * width])[0]


def check_polygon(polygon: Any) -> str | None:
    """What makes a polygon unusable, or None. Fewer than three points are harmless: they enclose nothing.

    Example:
        >>> kins.masks.check_polygon([0, 0, 4, 0, 4])
        'has 5 numbers, not pairs x, y'
    """
    if not isinstance(polygon, list):
        return "is not a list of numbers [x1, y1, x2, y2, ...]"
    if len(polygon) % 2:
        return f"has {len(polygon)} numbers, not pairs x, y"
    kinds = set(map(type, polygon)) - {int, float}
    if any(kind is bool or not issubclass(kind, (int, float, np.number)) for kind in kinds):
        return "holds something that is not a number"
    if not polygon:
        return None
    try:
        finite = math.isfinite(sum(polygon))  # NaN and infinity survive a sum
    except OverflowError:
        finite = False
    if not finite:
        return "has a coordinate that is not finite"
    largest = max(max(polygon), -min(polygon))
    if largest > MAX_COORDINATE:
        return f"has the coordinate {largest:g}, far outside of any image"
    return None


def _decode_all(sources: Sequence[Any]) -> list[Polygons | _RleText | None]:
    """Polygons or run lengths of JSON values, decoded together; None for what is neither."""
    try:
        found = _decode_many(b"[" + b",".join(sources) + b"]")
    except (msgspec.DecodeError, RecursionError):
        found = []
    return [*found] if len(found) == len(sources) else [_decoded(source) for source in sources]


def _decoded(source: Any) -> Polygons | _RleText | None:
    try:
        return _decode_one(source)
    except (msgspec.DecodeError, RecursionError):
        return None


def _outlines(masks: Sequence[Polygons]) -> Outlines:
    together = list(itertools.chain.from_iterable(masks))
    sizes = np.array(list(map(len, together)), np.int64)
    numbers = np.fromiter(itertools.chain.from_iterable(together), np.float64, int(sizes.sum()))
    return numbers, sizes, np.array(list(map(len, masks)), np.int64)


def _draw_many(outlines: Outlines, heights: Ints, widths: Ints) -> tuple[Spans, npt.NDArray[np.bool_]]:
    """The union of each mask's polygons, and whether all of them are sound; those that are not count as empty."""
    numbers, sizes, parts = outlines
    if not is_light(sizes.size, numbers.size, *(int(side.max(initial=1)) for side in (heights, widths))):
        heavy = list(too_much(*outlines, heights, widths))
        if heavy:
            table, sound = _draw_many(_without(outlines, heavy), heights, widths)
            sound[heavy] = False
            return table, sound
    if parts.min(initial=1) == parts.max(initial=1) == 1:
        return filled(numbers, sizes, heights, widths)
    owner = np.repeat(np.arange(parts.size), parts)
    table, sound = filled(numbers, sizes, heights[owner], widths[owner])
    return table.joined(owner, parts.size), np.bincount(owner[~sound], minlength=parts.size) == 0


def _without(outlines: Outlines, rows: Sequence[int]) -> Outlines:
    """With no polygons of some masks."""
    numbers, sizes, parts = outlines
    kept = np.ones(parts.size, bool)
    kept[rows] = False
    some = np.repeat(kept, parts)
    return numbers[np.repeat(some, sizes)], sizes[some], parts * kept


def _checked(rle: Rle, height: int, width: int, where: object) -> str:
    """The run lengths in compressed form without empty runs, after making sure that they add up to the image."""
    if problem := rle_problem(rle, height, width):
        raise KinsError(f"{where}: {problem}; see kins validate".removeprefix(": "))
    counts = rle["counts"]
    if isinstance(counts, (list, tuple)):
        runs = np.array(counts, np.int64)
    else:
        runs = decode_runs(counts.encode() if isinstance(counts, str) else counts)
    edges = np.cumsum(runs)
    starts, ends = edges[0::2][: edges.size // 2], edges[1::2]
    kept = ends > starts
    return Spans.from_intervals(starts[kept], ends[kept]).pack([height * width])[0]
