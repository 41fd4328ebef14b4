"""Masks as files hold them, polygons and run lengths, to spans of pixels: many at once, or one with what is wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.limits import COORDINATE
from kins.masks.compiled import DAMAGED, SOUND
from kins.masks.effort import is_light, too_much
from kins.masks.runs import Rle, decode_runs, rle_problem
from kins.masks.table import Ints, Spans, filled

Polygons = list[list[float]]
Read = tuple[Spans, list[str | None], npt.NDArray[np.bool_]]
T = TypeVar("T")

MAX_COORDINATE = float(COORDINATE.default)
"""Coordinates beyond this (or not finite) are damage, not geometry; the fill would overflow on them."""


class _RleText(msgspec.Struct, gc=False):
    size: tuple[int, int]
    counts: str


_decode_polygons = msgspec.json.Decoder(Polygons).decode
_decode_many_polygons = msgspec.json.Decoder(list[Polygons]).decode
_decode_rle = msgspec.json.Decoder(_RleText).decode
_decode_many_rles = msgspec.json.Decoder(list[_RleText]).decode


def read_many(sources: Sequence[msgspec.Raw | str], heights: Ints, widths: Ints) -> Read:
    """Masks of images of sound sizes.

    Args:
        sources: raw JSON values, or COCO's compressed run lengths; an empty text is an empty mask.

    Returns:
        The spans; the compressed run lengths that a mask was read from, None if it was drawn or if they have runs of
        no pixels; and (N,) whether it could be read: what could not is damaged or something rare, and counts as empty.
    """
    listed = [row for row, source in enumerate(sources) if not isinstance(source, str) and bytes(source)[:1] != b"{"]
    if len(listed) == len(sources):
        return _draw_json(sources, heights, widths)
    texts = _run_lengths(sources, heights, widths)
    table, found = Spans.unpacked([text or "" for text in texts], heights * widths)
    sound = (found != DAMAGED) & np.array([text is not None for text in texts], bool)
    texts = [text if kind == SOUND else None for text, kind in zip(texts, found.tolist(), strict=True)]
    if listed:
        rows = np.array(listed)
        drawn, _, sound[rows] = _draw_json([sources[row] for row in listed], heights[rows], widths[rows])
        table = table.replaced(rows, drawn)
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
    size = np.array([height]), np.array([width])
    sizes = np.array(list(map(len, segmentation)), np.int64)
    points = np.fromiter(itertools.chain.from_iterable(segmentation), np.float64, int(sizes.sum()))
    for problem in too_much(points, sizes, np.array([len(segmentation)]), *size).values():
        raise KinsError(f"{where}: {problem}".removeprefix(": "))
    drawn, _ = _draw_many([segmentation], *size)
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


def _decode_all(
    values: Sequence[Any],
    many: Callable[[bytes], list[T]],
    one: Callable[[Any], T],
) -> list[T | None]:
    """JSON values decoded together; where one is of another kind, one by one, and that one is None."""
    try:
        found = many(b"[" + b",".join(values) + b"]")
    except (msgspec.DecodeError, RecursionError):
        found = []
    return [*found] if len(found) == len(values) else [_decoded(value, one) for value in values]


def _decoded(value: Any, one: Callable[[Any], T]) -> T | None:
    try:
        return one(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def _run_lengths(sources: Sequence[msgspec.Raw | str], heights: Ints, widths: Ints) -> list[str | None]:
    """The compressed run lengths of those masks that have some of the right size."""
    texts = [source if isinstance(source, str) else None for source in sources]
    rows = [row for row, text in enumerate(texts) if text is None and bytes(sources[row])[:1] == b"{"]  # type: ignore[arg-type]
    sizes = list(zip(heights.tolist(), widths.tolist(), strict=True))
    rles = _decode_all([sources[row] for row in rows], _decode_many_rles, _decode_rle)
    for row, rle in zip(rows, rles, strict=True):
        if rle is not None and rle.size == sizes[row] and rle.counts:
            texts[row] = rle.counts
    return texts


def _draw_json(sources: Sequence[Any], heights: Ints, widths: Ints) -> Read:
    """As read_many, of lists of polygons or something damaged."""
    masks = _decode_all(sources, _decode_many_polygons, _decode_polygons)
    drawn, sound = _draw_many([polygons or [] for polygons in masks], heights, widths)
    return drawn, [None] * len(masks), sound & np.array([polygons is not None for polygons in masks], bool)


def _draw_many(masks: Sequence[Polygons], heights: Ints, widths: Ints) -> tuple[Spans, npt.NDArray[np.bool_]]:
    """The union of each mask's polygons, and whether all of them are sound; those that are not count as empty."""
    polygons = list(itertools.chain.from_iterable(masks))
    sizes = list(map(len, polygons))
    points = np.fromiter(itertools.chain.from_iterable(polygons), np.float64, sum(sizes))
    parts = list(map(len, masks))
    if not is_light(len(sizes), points.size, *(int(side.max(initial=1)) for side in (heights, widths))):
        heavy = too_much(points, np.array(sizes, np.int64), np.array(parts, np.int64), heights, widths)
        if heavy:
            table, sound = _draw_many([[] if row in heavy else mask for row, mask in enumerate(masks)], heights, widths)
            sound[list(heavy)] = False
            return table, sound
    if parts.count(1) == len(parts):
        return filled(points, sizes, heights, widths)
    owner = np.repeat(np.arange(len(masks)), parts)
    table, sound = filled(points, sizes, heights[owner], widths[owner])
    return table.joined(owner, len(masks)), np.bincount(owner[~sound], minlength=len(masks)) == 0


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
