"""Run-length masks. The only module that calls the run-length library (hotcoco).

Pixels are counted as in COCO: column by column, pixel (x, y) covers [x, x + 1) x [y, y + 1), and polygons are filled
by COCO's own rule, so that areas and boxes equal those of pycocotools.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from hotcoco import mask as rle_library

from kins.errors import KinsError
from kins.masks.compiled import check, fill, fill_json
from kins.masks.runs import MAX_PIXELS, check_size, decode_runs, intervals, rle_problem, rle_size, split_at_columns
from kins.masks.runs import Rle as Rle
from kins.masks.table import Spans, unpack

Polygons = list[list[float]]
Box = tuple[float, float, float, float]

MAX_COORDINATE = 1e5
"""Coordinates beyond this (or not finite) are damage, not geometry; the fill would overflow on them."""

TOGETHER = 256
"""Masks that are decoded together: enough to outweigh the calls, few enough to stay in the processor's cache."""


class _RleText(msgspec.Struct, gc=False):
    size: tuple[int, int]
    counts: str


_decode_polygons = msgspec.json.Decoder(list[list[float]]).decode
_decode_many_rles = msgspec.json.Decoder(list[_RleText]).decode


class Mask(msgspec.Struct, eq=False, gc=False):  # for there are many: a class of its own takes three times as long
    """The pixels of one object in one image: immutable, run-length encoded, rasterised when first needed.

    Arguments of the constructors are checked; a mask read from a file (`from_segmentation`) is checked when its pixels
    are first used, and a KinsError then names the place in the file.

    Attributes:
        height, width: size of the image in pixels.
    """

    height: int
    width: int
    _rle: Rle | None = None
    _source: Any = None
    _where: object = ""
    _area: int | None = None
    _box: Box | None = None

    @classmethod
    def from_array(cls, array: npt.ArrayLike) -> Mask:
        """From a (height, width) array; everything that is not zero belongs to the mask."""
        pixels = np.asarray(array)
        if pixels.ndim != 2:
            raise KinsError(f"a mask array has 2 dimensions (height, width), not {pixels.ndim}")
        height, width = pixels.shape
        check_size(height, width)
        return cls(height, width, rle_library.encode(np.asfortranarray(pixels != 0)))

    @classmethod
    def from_rle(cls, rle: Rle) -> Mask:
        """From COCO's run-length form {"size": [height, width], "counts": str | bytes | list of runs}."""
        height, width = rle_size(rle, "")
        check_size(height, width)
        mask = cls(height, width, None, rle)
        _ = mask.rle
        return mask

    @classmethod
    def from_polygons(cls, polygons: Polygons, height: int, width: int) -> Mask:
        """From flat polygons [x1, y1, x2, y2, ...] in pixels; the mask is their union, clipped at the image."""
        check_size(height, width)
        mask = cls(height, width, None, polygons)
        _ = mask.rle
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
        return _from_intervals(starts, starts + (y1 - y0), height, width)

    @classmethod
    def from_segments(cls, segments: npt.NDArray[np.int64], height: int, width: int) -> Mask:
        """From what `segments` gives: (S, 3) column, first row, row after the last; sorted, inside of the image."""
        check_size(height, width)
        starts = segments[:, 0] * height
        return _from_intervals(starts + segments[:, 1], starts + segments[:, 2], height, width)

    @classmethod
    def empty(cls, height: int, width: int) -> Mask:
        """A mask without pixels."""
        return cls(height, width, _encode_runs(np.array([height * width]), height, width))

    @property
    def rle(self) -> Rle:
        """{"size": [height, width], "counts": bytes}, COCO's compressed form. Not to be changed in place."""
        if self._rle is None:
            check_size(self.height, self.width, self._where)
            polygons = _sound_polygons(self._source)
            if polygons is None:
                self._rle = _rasterise(self.segmentation, self.height, self.width, self._where)
            else:
                self._rle = _draw(polygons, self.height, self.width)
        return self._rle

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
        return {"size": [self.height, self.width], "counts": self.rle["counts"].decode()}

    @property
    def _is_foreign_rle(self) -> bool:
        source = self._source
        return bytes(source)[:1] == b"{" if isinstance(source, msgspec.Raw) else isinstance(source, dict)

    @property
    def raw_segmentation(self) -> Any:
        """`segmentation`, left as raw JSON if it was read from a file: the cheapest thing to write again."""
        return self._source if isinstance(self._source, msgspec.Raw) else self.segmentation

    @property
    def polygons(self) -> Polygons | None:
        """The polygons this mask was made of, or None."""
        if self._source is None or self._is_foreign_rle:
            return None
        segmentation = self.segmentation
        return segmentation if isinstance(segmentation, list) else None

    @property
    def area(self) -> int:
        """Number of pixels."""
        if self._area is None:
            self._area = int(rle_library.area(self.rle))
        return self._area

    @property
    def box(self) -> Box:
        """(x, y, width, height) of the pixels, zeros for an empty mask."""
        if self._box is None:
            rle = self.rle
            if self._is_foreign_rle:
                # Runs of no pixels are legal in files, but they mislead the library's boxes.
                rle = _without_empty_runs(decode_runs(rle["counts"]), self.height, self.width)
            x, y, width, height = rle_library.to_bbox(rle).tolist()
            self._box = (x, y, width, height)
        return self._box

    @property
    def runs(self) -> npt.NDArray[np.int64]:
        """Lengths of the runs, column by column, starting with the background's (which may be 0)."""
        return decode_runs(self.rle["counts"])

    @property
    def segments(self) -> npt.NDArray[np.int64]:
        """(S, 3) the runs of pixels, split at the columns' ends: column x, first row, row after the last; sorted."""
        starts, ends = split_at_columns(*intervals(self.runs), self.height)
        columns = starts // self.height
        return np.stack([columns, starts - columns * self.height, ends - columns * self.height], axis=1)

    def to_array(self) -> npt.NDArray[np.bool_]:
        """(height, width) bool."""
        array: npt.NDArray[np.bool_] = rle_library.decode(self.rle).view(np.bool_)
        return array

    def iou(self, other: Mask) -> float:
        """Intersection over union in pixels; 0 for two empty masks."""
        return float(ious([self], [other])[0, 0])

    def mirrored(self) -> Mask:
        """Left and right swapped."""
        starts, ends = split_at_columns(*intervals(self.runs), self.height)
        shift = (self.width - 1 - 2 * (starts // self.height)) * self.height
        order = np.argsort(starts + shift)
        return _from_intervals((starts + shift)[order], (ends + shift)[order], self.height, self.width)

    def cropped(self, x: int, y: int, width: int, height: int) -> Mask:
        """The part inside of a window of whole pixels, which must lie in the image; of the window's size."""
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > self.width or y + height > self.height:
            raise KinsError(f"window {x, y, width, height} leaves the image of {self.width} x {self.height} pixels")
        starts, ends = split_at_columns(*intervals(self.runs), self.height)
        columns = starts // self.height
        tops = np.maximum(starts - columns * self.height, y) - y
        bottoms = np.minimum(ends - columns * self.height, y + height) - y
        keep = (columns >= x) & (columns < x + width) & (bottoms > tops)
        offset = (columns[keep] - x) * height
        return _from_intervals(offset + tops[keep], offset + bottoms[keep], height, width)

    def __and__(self, other: Mask) -> Mask:
        return self._merge(other, True)

    def __or__(self, other: Mask) -> Mask:
        return self._merge(other, False)

    def __sub__(self, other: Mask) -> Mask:
        return self & ~other

    def __invert__(self) -> Mask:
        runs = self.runs
        inverse = runs[1:] if runs.size and runs[0] == 0 else np.concatenate([[0], runs])
        return Mask(self.height, self.width, _encode_runs(inverse, self.height, self.width))

    def __bool__(self) -> bool:
        return self.area > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        if (self.height, self.width) != (other.height, other.width):
            return False
        if self.rle["counts"] == other.rle["counts"]:
            return True
        return self.area == other.area == (self & other).area

    __hash__ = None  # type: ignore[assignment]  # equal pixels may come in different encodings

    def __repr__(self) -> str:
        return f"Mask({self.height} x {self.width}, area {self.area}, box {self.box})"

    def _merge(self, other: Mask, intersect: bool) -> Mask:
        _check_same_size(self, other)
        return Mask(self.height, self.width, rle_library.merge([self.rle, other.rle], intersect))


def rasterise(masks: Iterable[Mask | None]) -> None:
    """Draw or check now, together, what was read from files and not used yet: several times faster than one by one.

    Whatever is damaged is left as it is, so that its first use raises KinsError as ever.
    """
    pending = [m for m in masks if m is not None and m._rle is None and isinstance(m._source, msgspec.Raw)]
    for start in range(0, len(pending), TOGETHER):
        _rasterise_together(pending[start : start + TOGETHER])


def require_sound(masks: Sequence[Mask | None]) -> None:
    """Raises KinsError for the first damaged mask, with its place in the file."""
    rasterise(masks)
    for mask in masks:
        if mask is not None:
            mask.rle  # noqa: B018  # what is damaged tells so when it is used


def intersections(first: Sequence[Mask], second: Sequence[Mask]) -> npt.NDArray[np.int64]:
    """(len(first), len(second)) number of pixels that each pair has in common, without decoding."""
    if not first or not second:
        return np.zeros((len(first), len(second)), np.int64)
    for mask in (*first[1:], *second):
        _check_same_size(first[0], mask)
    areas = np.array([mask.area for mask in first], np.float64)
    # A "crowd" IoU is the intersection over the first mask's area: exact after rounding, since areas are below 2^53.
    shares = rle_library.iou([m.rle for m in first], [m.rle for m in second], [True] * len(second))
    return np.rint(np.nan_to_num(shares) * areas[:, None]).astype(np.int64)


def ious(first: Sequence[Mask], second: Sequence[Mask]) -> npt.NDArray[np.float64]:
    """(len(first), len(second)) intersection over union of each pair; 0 where both are empty."""
    common = intersections(first, second)
    areas = np.array([mask.area for mask in first])[:, None] + np.array([mask.area for mask in second])[None, :]
    total = np.maximum(areas - common, 1) if common.size else areas.reshape(common.shape)
    return np.asarray(common / total, np.float64)


def spans(known: Sequence[Mask | None]) -> tuple[Spans, npt.NDArray[np.float64]]:
    """The pixels of many masks, to be compared pair by pair, and (4, len(known)) their boxes; None counts as empty.

    What was read from files and not used yet is not kept in run-length form for this.

    Raises KinsError for a damaged mask, with its place in the file.
    """
    nothing = Mask.empty(1, 1)
    masks = [nothing if mask is None else mask for mask in known]
    heights, widths = np.array([m.height for m in masks], np.int64), np.array([m.width for m in masks], np.int64)
    for row in np.flatnonzero((heights < 1) | (widths < 1) | (heights * widths > MAX_PIXELS)).tolist():
        check_size(masks[row].height, masks[row].width, masks[row]._where)
    raw = [mask._rle is None and isinstance(mask._source, msgspec.Raw) for mask in masks]
    texts = [m._source if r else m.rle["counts"] for m, r in zip(masks, raw, strict=True)]
    table, boxes, read = unpack(texts, raw, heights, widths, MAX_COORDINATE)
    if not read.all():
        rows = np.flatnonzero(~read)
        others = [masks[row] for row in rows.tolist()]
        rasterise(others)
        sound = [mask.rle["counts"] for mask in others]
        more, boxes[:, rows], _ = unpack(sound, np.zeros(rows.size), heights[rows], widths[rows], MAX_COORDINATE)
        table = table.replaced(rows, more)
    return table, boxes


def union(masks: Sequence[Mask], height: int, width: int) -> Mask:
    """Every pixel that is in at least one of the masks."""
    if not masks:
        return Mask.empty(height, width)
    for mask in masks:
        if (mask.height, mask.width) != (height, width):
            raise KinsError(f"a mask of {mask.width} x {mask.height} pixels in an image of {width} x {height}")
    return Mask(height, width, rle_library.merge([mask.rle for mask in masks], False))


def check_polygon(polygon: Any) -> str | None:
    """What makes a polygon unusable, or None. Fewer than three points are harmless: they enclose nothing."""
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


def _check_same_size(a: Mask, b: Mask) -> None:
    if a.height != b.height or a.width != b.width:
        raise KinsError(f"masks of different images: {a.width} x {a.height} and {b.width} x {b.height} pixels")


def _rasterise(segmentation: Any, height: int, width: int, where: object) -> Rle:
    if isinstance(segmentation, dict):
        return _check_rle(segmentation, height, width, where)
    if not isinstance(segmentation, list):
        raise KinsError(f"{where}: is neither a list of polygons nor an RLE".removeprefix(": "))
    for index, polygon in enumerate(segmentation):
        if problem := check_polygon(polygon):
            raise KinsError(f"{where}[{index}]: {problem}; see kins validate --fix")
    return _draw(segmentation, height, width)


def _sound_polygons(source: Any) -> Polygons | None:
    """Polygons from raw JSON, if a fast look shows that they are sound; None leaves it to `_rasterise` to tell."""
    if not isinstance(source, msgspec.Raw):
        return None
    try:
        polygons = _decode_polygons(source)
    except msgspec.DecodeError:
        return None
    # The length of the vector of all coordinates bounds each of them.
    sound = all(not len(polygon) % 2 and math.hypot(*polygon) <= MAX_COORDINATE for polygon in polygons)
    return polygons if sound else None


def _draw(polygons: Polygons, height: int, width: int) -> Rle:
    """The union of sound polygons."""
    return _union_of_parts(_fill(polygons, [height] * len(polygons), [width] * len(polygons)), height, width)


def _fill(polygons: Sequence[Sequence[float]], heights: Sequence[int], widths: Sequence[int]) -> list[bytes]:
    """Run lengths of each of the sound polygons."""
    sizes = np.fromiter(map(len, polygons), np.int64, len(polygons))
    points = np.fromiter(itertools.chain.from_iterable(polygons), np.float64, int(sizes.sum()))
    return fill(points, sizes // 2, heights, widths)


def _union_of_parts(parts: Sequence[bytes], height: int, width: int) -> Rle:
    if len(parts) == 1:
        return {"size": [height, width], "counts": parts[0]}
    if not parts:
        return _encode_runs(np.array([height * width]), height, width)
    rle: Rle = rle_library.merge([{"size": [height, width], "counts": counts} for counts in parts], False)
    return rle


def _rasterise_together(masks: Sequence[Mask]) -> None:
    heights, widths = np.array([mask.height for mask in masks]), np.array([mask.width for mask in masks])
    if min(heights.min(), widths.min()) < 1 or (heights * widths).max() > MAX_PIXELS:
        return
    foreign = [mask._is_foreign_rle for mask in masks]
    _accept_rles([mask for mask, rle in zip(masks, foreign, strict=True) if rle])
    _draw_together([mask for mask, rle in zip(masks, foreign, strict=True) if not rle])


def _draw_together(masks: Sequence[Mask]) -> None:
    if not masks:
        return
    drawn = fill_json([m._source for m in masks], [m.height for m in masks], [m.width for m in masks], MAX_COORDINATE)
    for mask, parts in zip(masks, drawn, strict=True):
        if parts is not None:
            mask._rle = _union_of_parts(parts, mask.height, mask.width)


def _accept_rles(masks: Sequence[Mask]) -> None:
    """Of checked RLEs, those that are sound; the others are left."""
    try:
        found = _decode_many_rles(b"[" + b",".join(mask._source for mask in masks) + b"]")
        counts = [rle.counts.encode("ascii") for rle in found]
    except (msgspec.DecodeError, UnicodeEncodeError):
        return
    sound = check(counts, [mask.height * mask.width for mask in masks]).tolist()
    for mask, rle, text, fine in zip(masks, found, counts, sound, strict=True):
        if fine and rle.size == (mask.height, mask.width):
            mask._rle = {"size": [mask.height, mask.width], "counts": text}


def _check_rle(rle: Rle, height: int, width: int, where: object) -> Rle:
    """The RLE in compressed form, after making sure that it describes exactly height x width pixels."""
    counts = rle.get("counts")
    if isinstance(counts, str) and counts.isascii():
        counts = counts.encode()
    if isinstance(counts, bytes) and rle.get("size") == [height, width] and check([counts], [height * width])[0]:
        return {"size": [height, width], "counts": counts}
    if problem := rle_problem(rle, height, width):
        raise KinsError(f"{where}: {problem}; see kins validate".removeprefix(": "))
    runs = np.array(counts, np.int64) if isinstance(counts, (list, tuple)) else decode_runs(bytes(counts or b""))
    return _without_empty_runs(runs, height, width)


def _without_empty_runs(runs: npt.NDArray[np.int64], height: int, width: int) -> Rle:
    if (runs[1:] == 0).any():
        return _from_intervals(*intervals(runs), height, width).rle
    return _encode_runs(runs, height, width)


def _encode_runs(runs: npt.NDArray[Any], height: int, width: int) -> Rle:
    rle: Rle = rle_library.fr_py_objects({"size": [height, width], "counts": runs.tolist()}, height, width)
    return rle


def _from_intervals(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], height: int, width: int) -> Mask:
    """From intervals in rising order that don't overlap; touching ones are joined."""
    if not starts.size:
        return Mask.empty(height, width)
    apart = starts[1:] != ends[:-1]
    starts, ends = starts[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]
    edges = np.empty(2 * starts.size + 2, np.int64)
    edges[0], edges[-1] = 0, height * width
    edges[1:-1:2], edges[2:-1:2] = starts, ends
    return Mask(height, width, _encode_runs(np.diff(edges), height, width))
