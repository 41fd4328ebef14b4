"""Spans of pixels of many masks, and how many pixels they have in common, by the compiled part (rle.c)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.rle import library

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


def unpack(counts: Sequence[bytes], heights: npt.ArrayLike) -> tuple[Spans, npt.NDArray[np.float64]]:
    """Spans and boxes of masks.

    Args:
        counts: COCO's compressed run lengths, sound ones (see kins.rle.check) of at most 2^28 pixels; an empty text
            is an empty mask.
        heights: of the masks' images.

    Returns:
        The spans, and (4, N) x, y, width, height of the pixels, zeros for an empty mask.
    """
    count = len(counts)
    heights = np.ascontiguousarray(heights, np.int64)
    assert heights.size == count
    ends = np.fromiter(itertools.accumulate(map(len, counts)), np.int64, count)
    places = np.empty(int(ends[-1]) if count else 0, np.int32)
    starts, area, boxes = np.empty(count + 1, np.int64), np.empty(count, np.int64), np.empty((count, 4))
    inputs = [array.ctypes.data for array in (ends, heights)]
    outputs = [array.ctypes.data for array in (places, starts, area, boxes)]
    library.unpack(b"".join(counts), *inputs, count, *outputs)
    return Spans(places[: starts[-1]].copy(), starts[:-1], starts[1:], area), boxes.T
