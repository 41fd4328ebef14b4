"""One mask: the pixels of one object in one image, as run lengths.

Pixels are counted as in COCO: column by column, pixel (x, y) covers [x, x + 1) x [y, y + 1), and polygons are filled
by COCO's own rule, so that areas and boxes equal those of pycocotools.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import compiled
from kins.masks.reading import Polygons, read_many, read_one
from kins.masks.runs import Rle, check_size, rle_size, split_at_columns
from kins.masks.table import Ints, Spans

Box = tuple[float, float, float, float]


class Mask(msgspec.Struct, eq=False, gc=False):  # for there are many: a class of its own takes three times as long
    """The pixels of one object in one image: immutable, run-length encoded, rasterised when first needed.

    Arguments of the constructors are checked; a mask read from a file (`from_segmentation`) is checked when its pixels
    are first used, and a KinsError then names the place in the file.

    Attributes:
        height, width: size of the image in pixels, or of the canvas.
        offset: (x, y) of the canvas's upper left corner in pixels of the image; (0, 0) where the canvas is the image,
            always unless asked for otherwise (kins.masks.canvas). Box and segments are in image coordinates, the array
            is that of the canvas; masks on different canvases can't be combined.
    """

    height: int
    width: int
    _counts: str | None = None
    _source: Any = None
    _where: object = ""
    _area: int | None = None
    _box: Box | None = None
    offset: tuple[int, int] = (0, 0)

    @classmethod
    def from_array(cls, array: npt.ArrayLike) -> Mask:
        """From a (height, width) array; everything that is not zero belongs to the mask."""
        pixels = np.asarray(array)
        if pixels.ndim != 2:
            raise KinsError(f"a mask array has 2 dimensions (height, width), not {pixels.ndim}")
        height, width = pixels.shape
        check_size(height, width)
        flat = (pixels != 0).ravel("F")
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        places = np.concatenate([np.zeros(int(flat[0]), np.int64), changes, np.full(int(flat[-1]), flat.size)])
        return from_spans(Spans.of(places), height, width)

    @classmethod
    def from_rle(cls, rle: Rle) -> Mask:
        """From COCO's run-length form {"size": [height, width], "counts": str | bytes | list of runs}."""
        height, width = rle_size(rle, "")
        check_size(height, width)
        mask = cls(height, width, None, rle)
        mask._read()
        return mask

    @classmethod
    def from_polygons(cls, polygons: Polygons, height: int, width: int) -> Mask:
        """From flat polygons [x1, y1, x2, y2, ...] in pixels; the mask is their union, clipped at the image."""
        check_size(height, width)
        mask = cls(height, width, None, polygons)
        mask._read()
        return mask

    @classmethod
    def from_segmentation(cls, segmentation: Any, height: int, width: int, where: object = "") -> Mask:
        """From a file's value, polygons or RLE, as Python values or as raw JSON; checked when first used.

        Args:
            where: file and place in it for the error message, as text or as something of which `str` makes it.
        """
        return cls(height, width, None, segmentation, where)

    @classmethod
    def from_box(cls, box: Sequence[float], height: int, width: int) -> Mask:
        """All pixels of the box (x, y, width, height), clipped at the image; fractions are rounded outwards."""
        check_size(height, width)
        if not all(math.isfinite(value) for value in box):
            raise KinsError(f"box {list(box)} is not finite")
        x0, y0 = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
        x1, y1 = min(math.ceil(box[0] + box[2]), width), min(math.ceil(box[1] + box[3]), height)
        if x1 <= x0 or y1 <= y0:
            return cls.empty(height, width)
        starts = np.arange(x0, x1, dtype=np.int64) * height + y0
        return from_spans(Spans.from_intervals(starts, starts + (y1 - y0)), height, width)

    @classmethod
    def from_segments(
        cls, segments: npt.NDArray[np.int64], height: int, width: int, offset: tuple[int, int] = (0, 0)
    ) -> Mask:
        """From what `segments` gives: (S, 3) column, first row, row after the last; sorted, inside of the canvas."""
        check_size(height, width)
        starts = (segments[:, 0] - offset[0]) * height - offset[1]
        return from_spans(Spans.from_intervals(starts + segments[:, 1], starts + segments[:, 2]), height, width, offset)

    @classmethod
    def empty(cls, height: int, width: int) -> Mask:
        """A mask without pixels."""
        return from_spans(Spans.from_intervals(*np.zeros((2, 0), np.int64)), height, width)

    @property
    def is_read(self) -> bool:
        """Whether it was drawn or checked already, so that its first use raises nothing."""
        return self._counts is not None

    @property
    def counts(self) -> str:
        """COCO's compressed run lengths. Of runs of no pixels, which files may hold, there are none but the first."""
        return self._read() if self._counts is None else self._counts

    @property
    def rle(self) -> Rle:
        """{"size": [height, width], "counts": bytes}, COCO's compressed form."""
        return {"size": [self.height, self.width], "counts": self.counts.encode()}

    @property
    def segmentation(self) -> Any:
        """What a file's field holds: the polygons it was made of, untouched, or else an RLE with a text `counts`."""
        source = self._source
        if isinstance(source, msgspec.Raw):
            try:
                return msgspec.json.decode(source)
            except (msgspec.DecodeError, RecursionError) as error:
                problem = "is nested too deeply" if isinstance(error, RecursionError) else error
                raise KinsError(f"{self._where}: {problem}") from None
        if source is not None:
            return source
        return {"size": [self.height, self.width], "counts": self.counts}

    @property
    def raw_segmentation(self) -> Any:
        """`segmentation`, left as raw JSON if it was read from a file: the cheapest thing to write again."""
        return self._source if isinstance(self._source, msgspec.Raw) else self.segmentation

    @property
    def polygons(self) -> Polygons | None:
        """The polygons this mask was made of, or None."""
        source = self._source
        if source is None or (isinstance(source, msgspec.Raw) and bytes(source)[:1] == b"{"):
            return None
        segmentation = self.segmentation
        return segmentation if isinstance(segmentation, list) else None

    @property
    def area(self) -> int:
        """Number of pixels."""
        if self._area is None:
            self._measure()
        assert self._area is not None
        return self._area

    @property
    def box(self) -> Box:
        """(x, y, width, height) of the pixels, zeros for an empty mask."""
        if self._box is None:
            self._measure()
        assert self._box is not None
        return self._box

    @property
    def intervals(self) -> tuple[Ints, Ints]:
        """First and one-past-last pixel of each run of pixels, numbered column by column; rising, not touching."""
        return self._spans().intervals

    @property
    def runs(self) -> Ints:
        """Lengths of the runs, column by column, starting with the background's (which may be 0)."""
        places, end = self._spans().places, self.height * self.width
        lengths = np.diff(places, prepend=0, append=end)
        return lengths if lengths[-1] else lengths[:-1]

    @property
    def segments(self) -> Ints:
        """(S, 3) the runs of pixels, split at the columns' ends: column x, first row, row after the last; sorted."""
        starts, ends = split_at_columns(*self.intervals, self.height)
        columns = starts // self.height
        found = np.stack([columns, starts - columns * self.height, ends - columns * self.height], axis=1)
        if self.offset != (0, 0):
            found += np.array([self.offset[0], self.offset[1], self.offset[1]])
        return found

    def to_array(self) -> npt.NDArray[np.bool_]:
        """(height, width) bool, of the canvas."""
        pixels = compiled.paint(self._spans().places, self.height * self.width)
        return pixels.reshape(self.width, self.height).T

    def iou(self, other: Mask) -> float:
        """Intersection over union in pixels; 0 for two empty masks."""
        check_same_size(self, other)
        shared = (self & other).area
        return shared / max(self.area + other.area - shared, 1)

    def mirrored(self) -> Mask:
        """Left and right swapped. Raises KinsError on a canvas other than the image."""
        self._require_frame()
        starts, ends = split_at_columns(*self.intervals, self.height)
        shift = (self.width - 1 - 2 * (starts // self.height)) * self.height
        order = np.argsort(starts + shift)
        return from_spans(Spans.from_intervals((starts + shift)[order], (ends + shift)[order]), self.height, self.width)

    def cropped(self, x: int, y: int, width: int, height: int) -> Mask:
        """The part inside of a window of whole pixels, which must lie in the image; of the window's size.

        Raises KinsError on a canvas other than the image.
        """
        self._require_frame()
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > self.width or y + height > self.height:
            raise KinsError(f"window {x, y, width, height} leaves the image of {self.width} x {self.height} pixels")
        starts, ends = split_at_columns(*self.intervals, self.height)
        columns = starts // self.height
        tops = np.maximum(starts - columns * self.height, y) - y
        bottoms = np.minimum(ends - columns * self.height, y + height) - y
        keep = (columns >= x) & (columns < x + width) & (bottoms > tops)
        offset = (columns[keep] - x) * height
        return from_spans(Spans.from_intervals(offset + tops[keep], offset + bottoms[keep]), height, width)

    def clipped(self, height: int, width: int) -> Mask:
        """The part inside of the image, which has this size; the mask itself if it is on no other canvas."""
        if self.offset == (0, 0):
            return self
        if self._source is not None:
            return Mask(height, width, None, self._source, self._where)
        columns, tops, bottoms = self.segments.T
        tops, bottoms = np.maximum(tops, 0), np.minimum(bottoms, height)
        inside = (columns >= 0) & (columns < width) & (bottoms > tops)
        return Mask.from_segments(np.stack([columns, tops, bottoms], axis=1)[inside], height, width)

    def __and__(self, other: Mask) -> Mask:
        return self._combined(other, 0b1000)

    def __or__(self, other: Mask) -> Mask:
        return self._combined(other, 0b1110)

    def __sub__(self, other: Mask) -> Mask:
        return self._combined(other, 0b0010)

    def __invert__(self) -> Mask:
        return self._combined(self, 0b0001)

    def __bool__(self) -> bool:
        return self.area > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        if (self.height, self.width, self.offset) != (other.height, other.width, other.offset):
            return False
        return self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]  # reading may fail, and two masks of equal pixels may differ in their sources

    def __repr__(self) -> str:
        return f"Mask({self.height} x {self.width}, area {self.area}, box {self.box})"

    def _read(self) -> str:
        """Draw or check now; what is damaged raises KinsError."""
        check_size(self.height, self.width, self._where)
        counts = None
        if isinstance(self._source, msgspec.Raw):
            table, (counts,), (sound,) = read_many([self._source], *np.array([[self.height], [self.width]]))
            if counts is None and sound:
                counts = table.pack([self.height * self.width])[0]
        self._counts = counts or read_one(self.segmentation, self.height, self.width, self._where)
        return self._counts

    def _measure(self) -> None:
        (area,), box = self._spans().measure([self.height])
        x, y, width, height = box[:, 0].tolist()
        if self.offset != (0, 0) and area:
            x, y = x + self.offset[0], y + self.offset[1]
        self._area, self._box = int(area), (x, y, width, height)

    def _spans(self) -> Spans:
        return Spans.unpacked([self.counts], [self.height * self.width])[0]

    def _require_frame(self) -> None:
        if self.offset != (0, 0):
            raise KinsError("a mask on a canvas larger than its image; clip it first: mask.clipped(height, width)")

    def _combined(self, other: Mask, keep: int) -> Mask:
        check_same_size(self, other)
        counts = compiled.combine(self.counts, other.counts, self.height * self.width, keep)
        return Mask(self.height, self.width, counts, offset=self.offset)


def check_same_size(a: Mask, b: Mask) -> None:
    if a.height != b.height or a.width != b.width:
        raise KinsError(f"masks of different images: {a.width} x {a.height} and {b.width} x {b.height} pixels")
    if a.offset != b.offset:
        raise KinsError(f"masks on different canvases, which begin at {a.offset} and {b.offset}")


def from_spans(spans: Spans, height: int, width: int, offset: tuple[int, int] = (0, 0)) -> Mask:
    """From the spans of one mask."""
    return Mask(height, width, spans.pack([height * width])[0], offset=offset)
