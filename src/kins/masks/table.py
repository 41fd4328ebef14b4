"""Spans of pixels of many masks, and how many pixels they have in common, by the compiled part (rle.c)."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.masks.compiled import library

Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class Spans:
    """N masks as spans of pixels, which are counted column by column.

    Attributes:
        places: (E,) int32 first pixel of a span and the first one after it, in turn, mask by mask.
        start, stop: (N,) which of the places belong to each mask.
        area: (N,) number of pixels.
    """

    places: npt.NDArray[np.int32]
    start: Ints
    stop: Ints
    area: Ints

    def take(self, rows: Ints) -> Spans:
        """Some of the masks."""
        return Spans(self.places, self.start[rows], self.stop[rows], self.area[rows])

    def replaced(self, rows: Ints, other: Spans) -> Spans:
        """With other masks in some rows."""
        start, stop, area = self.start.copy(), self.stop.copy(), self.area.copy()
        start[rows], stop[rows] = other.start + self.places.size, other.stop + self.places.size
        area[rows] = other.area
        return Spans(np.concatenate([self.places, other.places]), start, stop, area)

    def common(self, rows: Ints, other: Spans, other_rows: Ints) -> Ints:
        """(P,) pixels that mask rows[k] of these and mask other_rows[k] of the others have in common."""
        first, second = self.take(rows), other.take(other_rows)
        pixels = np.empty(rows.size, np.int64)
        library.common(*first._addresses(), *second._addresses(), rows.size, pixels.ctypes.data)
        return pixels

    def cut(self, other: Spans) -> Spans:
        """What each of these masks has in common with the other's mask of the same row."""
        count = self.start.size
        places = np.empty(int((self.stop - self.start).sum() + (other.stop - other.start).sum()), np.int32)
        starts, area = np.empty(count + 1, np.int64), np.empty(count, np.int64)
        addresses = [array.ctypes.data for array in (area, places, starts)]
        library.intersect(*self._addresses(), *other._addresses(), count, *addresses)
        return Spans(places[: starts[-1]].copy(), starts[:-1], starts[1:], area)

    def _addresses(self) -> list[int]:
        assert self.start.size == self.stop.size == self.area.size
        return [array.ctypes.data for array in (self.places, self.start, self.stop)]


def unpack(
    texts: Sequence[bytes], json: npt.ArrayLike, heights: npt.ArrayLike, widths: npt.ArrayLike, largest: float
) -> tuple[Spans, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Spans and boxes of masks.

    Args:
        texts: COCO's compressed run lengths; an empty text is an empty mask.
        json: (N,) bool, which of the texts are JSON values instead: an RLE, or one polygon [[x, y, ...]].
        heights, widths: of the masks' images, at most 2^28 pixels in all.
        largest: coordinates beyond +-largest are not read.

    Returns:
        The spans; (4, N) x, y, width, height of the pixels, zeros for an empty mask; and (N,) whether a text could be
        read: those that could not may be damaged, or something else, and count as empty.
    """
    count = len(texts)
    json, heights, widths = (
        np.ascontiguousarray(array, kind) for array, kind in ((json, np.bool_), (heights, np.int64), (widths, np.int64))
    )
    assert json.size == heights.size == widths.size == count
    ends = np.fromiter(itertools.accumulate(map(len, texts)), np.int64, count)
    starts, area, boxes = np.empty(count + 1, np.int64), np.empty(count, np.int64), np.empty((count, 4))
    read = np.empty(count, np.bool_)
    inputs = [array.ctypes.data for array in (ends, json, heights, widths)]
    outputs = [array.ctypes.data for array in (starts, area, boxes, read)]
    memory = library.unpack(b"".join(texts), *inputs, count, largest, *outputs)
    if memory is None:
        raise MemoryError
    try:
        places = np.frombuffer(ctypes.string_at(memory, 4 * int(starts[-1])), np.int32)
    finally:
        library.release(memory)
    return Spans(places, starts[:-1], starts[1:], area), boxes.T, read
