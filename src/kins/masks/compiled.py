"""The compiled part (rle.c): COCO's polygon fill and checks of run lengths, for many masks at once."""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError, install_line

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def _load() -> ctypes.CDLL:
    path = Path(__file__).with_name(f"librle{_SUFFIX}")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise KinsError(f"the compiled part is missing ({error}); this brings it: {install_line(again=True)}") from None
    library.fill.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64, ctypes.c_void_p]
    library.fill.restype = ctypes.c_void_p
    library.fill_json.argtypes = [ctypes.c_char_p] + [ctypes.c_void_p] * 3
    library.fill_json.argtypes += [ctypes.c_int64, ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p]
    library.fill_json.restype = ctypes.c_void_p
    library.release.argtypes = [ctypes.c_void_p]
    library.check.argtypes = [ctypes.c_char_p] + [ctypes.c_void_p] * 2 + [ctypes.c_int64, ctypes.c_void_p]
    library.check.restype = None
    library.unpack.argtypes = [ctypes.c_char_p, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_double]
    library.unpack.argtypes += [ctypes.c_void_p] * 4
    library.unpack.restype = ctypes.c_void_p
    library.common.argtypes = [ctypes.c_void_p] * 6 + [ctypes.c_int64, ctypes.c_void_p]
    library.common.restype = None
    library.intersect.argtypes = [ctypes.c_void_p] * 6 + [ctypes.c_int64] + [ctypes.c_void_p] * 3
    library.intersect.restype = None
    return library


library = _load()


def fill(
    points: npt.NDArray[np.float64], sizes: npt.ArrayLike, heights: npt.ArrayLike, widths: npt.ArrayLike
) -> list[bytes]:
    """The pixels inside of polygons, as COCO fills them (`rleFrPoly` in its maskApi.c), clipped at the image.

    Args:
        points: x and y in turn of all points of one polygon after the other; finite, at most 1e5.
        sizes: points of each polygon; below three it has no pixels.
        heights, widths: of the polygons' images, at least 1, at most 2^28 pixels in all.

    Returns:
        COCO's compressed run lengths of each polygon.
    """
    points = np.ascontiguousarray(points, np.float64)
    sizes, heights, widths = (np.ascontiguousarray(a, np.int64) for a in (sizes, heights, widths))
    assert sizes.size == heights.size == widths.size
    assert 2 * sizes.sum() == points.size
    ends = np.empty(sizes.size, np.int64)
    addresses = [array.ctypes.data for array in (points, sizes, heights, widths)]
    return _texts(library.fill(*addresses, sizes.size, ends.ctypes.data), ends)


def fill_json(
    values: Sequence[bytes], heights: npt.ArrayLike, widths: npt.ArrayLike, largest: float
) -> list[list[bytes] | None]:
    """The same from JSON values [[x, y, ...], ...]: the run lengths of each value's polygons.

    None for a value that is something else, or that has numbers beyond +-largest.
    """
    heights, widths = np.ascontiguousarray(heights, np.int64), np.ascontiguousarray(widths, np.int64)
    assert heights.size == widths.size == len(values)
    json = b"".join(values)
    json_ends = np.fromiter(itertools.accumulate(map(len, values)), np.int64, len(values))
    parts, ends = np.empty(len(values), np.int64), np.empty(json.count(b"["), np.int64)
    addresses = [array.ctypes.data for array in (json_ends, heights, widths)]
    text = library.fill_json(json, *addresses, len(values), largest, parts.ctypes.data, ends.ctypes.data)
    counts = iter(_texts(text, ends[: int(np.maximum(parts, 0).sum())]))
    return [list(itertools.islice(counts, number)) if number >= 0 else None for number in parts.tolist()]


def _texts(text: int | None, ends: npt.NDArray[np.int64]) -> list[bytes]:
    if text is None:
        raise MemoryError
    stops = ends.tolist()
    try:
        together = ctypes.string_at(text, stops[-1] if stops else 0)
    finally:
        library.release(text)
    return [together[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


def check(counts: Sequence[bytes], pixels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """(len(counts),) whether each holds whole, compressed run lengths of at least 0 that add up to so many pixels."""
    ends = np.fromiter(itertools.accumulate(map(len, counts)), np.int64, len(counts))
    pixels = np.ascontiguousarray(pixels, np.int64)
    assert pixels.size == len(counts)
    sound = np.empty(len(counts), np.bool_)
    library.check(b"".join(counts), ends.ctypes.data, pixels.ctypes.data, len(counts), sound.ctypes.data)
    return sound
