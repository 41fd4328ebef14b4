"""Many masks as spans of pixels: read, drawn, joined, and compared pair by pair, by the compiled part."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.masks import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_FAR = 30
"""Bits that hold any place of an image."""


@dataclasses.dataclass(frozen=True, slots=True)
class Spans:
    """N masks as spans of pixels, which are counted column by column.

    Attributes:
        places: (E,) int32 first pixel of a span and the first one after it, in turn, mask by mask; of one mask rising
            and all different.
        start, stop: (N,) which of the places belong to each mask.
    """

    places: npt.NDArray[np.int32]
    start: Ints
    stop: Ints

    @classmethod
    def cut_at(cls, places: npt.NDArray[np.int32], starts: Ints) -> Spans:
        """Mask after mask, each up to where the next one starts."""
        return cls(places, starts[:-1], starts[1:])

    @classmethod
    def of(cls, places: Ints) -> Spans:
        """One mask."""
        return cls.cut_at(places.astype(np.int32), np.array([0, places.size]))

    @classmethod
    def from_intervals(cls, starts: Ints, ends: Ints) -> Spans:
        """One mask from spans that don't overlap, in rising order; touching ones are joined."""
        if not starts.size:
            return cls.of(starts)
        apart = starts[1:] != ends[:-1]
        return cls.of(np.stack([starts[np.append(True, apart)], ends[np.append(apart, True)]], 1).ravel())

    @classmethod
    def unpacked(cls, texts: Sequence[str], pixels: npt.ArrayLike) -> tuple[Spans, npt.NDArray[np.uint8]]:
        """From COCO's compressed run lengths (none: no pixels), and what each text is: see compiled.unpack."""
        places, starts, found = compiled.unpack(texts, pixels)
        return cls.cut_at(places, starts), found

    @property
    def intervals(self) -> tuple[Ints, Ints]:
        """First and one-past-last pixel of each span, of masks that follow each other."""
        places = self.places[self.start[0] : self.stop[-1]].astype(np.int64)
        return places[::2], places[1::2]

    @property
    def area(self) -> Ints:
        """(N,) number of pixels."""
        sums = np.zeros(self.places.size // 2 + 1, np.int64)
        np.cumsum(self.places[1::2] - self.places[::2], out=sums[1:])
        return sums[self.stop // 2] - sums[self.start // 2]

    def take(self, rows: Ints) -> Spans:
        """Some of the masks."""
        return Spans(self.places, self.start[rows], self.stop[rows])

    def replaced(self, rows: Ints, other: Spans) -> Spans:
        """With other masks in some rows."""
        start, stop = self.start.copy(), self.stop.copy()
        start[rows], stop[rows] = other.start + self.places.size, other.stop + self.places.size
        return Spans(np.concatenate([self.places, other.places]), start, stop)

    def measure(self, heights: npt.ArrayLike) -> tuple[Ints, Floats]:
        """(N,) pixels and (4, N) x, y, width, height of masks in images of so many rows; zeros for an empty mask."""
        areas, boxes = compiled.measure(self._range(), heights)
        return areas, boxes.T

    def pack(self, pixels: npt.ArrayLike) -> list[str]:
        """COCO's compressed run lengths of masks of so many pixels."""
        return compiled.pack(self._range(), pixels)

    def common(self, rows: Ints, other: Spans, other_rows: Ints) -> Ints:
        """(P,) pixels that mask rows[k] of these and mask other_rows[k] of the others have in common."""
        return compiled.common(self.take(rows)._range(), other.take(other_rows)._range())

    def cut(self, other: Spans) -> Spans:
        """What each of these masks has in common with the other's mask of the same row."""
        return Spans.cut_at(*compiled.intersect(self._range(), other._range()))

    def apart(self, other: Spans) -> Spans:
        """What is in one of two masks alone (exclusive or), row by row; without `other` where that lies inside."""
        rows = np.arange(self.start.size)
        parts = [(np.repeat(rows, masks.stop - masks.start) << _FAR) + masks.flat for masks in (self, other)]
        keys, times = np.unique(np.concatenate(parts), return_counts=True)
        keys = keys[times == 1]  # where both change together nothing does
        bounds = np.searchsorted(keys, np.arange(rows.size + 1) << _FAR)
        return Spans.cut_at((keys & ((1 << _FAR) - 1)).astype(np.int32), bounds)

    def united(self, other: Spans) -> Spans:
        """What is in at least one of two masks, row by row."""
        return self.apart(other).apart(self.cut(other))

    def joined(self, owner: Ints, count: int) -> Spans:
        """Masks of all pixels that at least one of their parts has.

        Args:
            owner: (N,) which mask each of these is a part of, from 0 to count - 1.
        """
        parts = np.repeat(owner, (self.stop - self.start) // 2) << _FAR
        places = self.flat
        starts, ends = places[::2] + parts, places[1::2] + parts
        order = np.argsort(starts)
        starts, ends = starts[order], np.maximum.accumulate(ends[order])
        apart = starts[1:] > ends[:-1]
        if starts.size:
            starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
        bounds = 2 * np.searchsorted(starts, np.arange(count + 1) << _FAR)
        together = np.stack([starts, ends], 1).ravel() & ((1 << _FAR) - 1)
        return Spans.cut_at(together.astype(np.int32), bounds)

    @property
    def flat(self) -> npt.NDArray[np.int32]:
        """The places of these masks, one after the other."""
        lengths = self.stop - self.start
        return self.places[np.arange(lengths.sum()) + np.repeat(self.start - np.cumsum(lengths) + lengths, lengths)]

    def _range(self) -> compiled.Range:
        return self.places, self.start, self.stop


def filled(
    points: Floats, sizes: npt.ArrayLike, heights: npt.ArrayLike, widths: npt.ArrayLike
) -> tuple[Spans, npt.NDArray[np.bool_]]:
    """Polygons' pixels, and which of the polygons are sound: see compiled.fill."""
    places, starts, found = compiled.fill(points, sizes, heights, widths)
    return Spans.cut_at(places, starts), found == compiled.SOUND
