"""The compiled part (spans.c): spans of pixels of many masks at once.

A span is two places: of its first pixel and of the first one after it, with pixels counted column by column. Those of
mask i are places[starts[i]:starts[i + 1]]: rising, not touching, none empty.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError, install_line

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Range = tuple[Places, Ints, Ints]
"""Places, and for each mask where its own start and stop."""
Outlines = tuple[npt.NDArray[np.float64], Ints, Ints]
"""The numbers of polygons, one polygon after the other; how many each polygon has; how many polygons each mask has."""

DAMAGED, SOUND, UNUSUAL = range(3)
"""What a text of run lengths or a polygon is; unusual are texts with runs of no pixels."""

DAMAGED_TEXT = "\0"

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_POINTER, _COUNT, _BYTE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char
_FUNCTIONS = {
    "fill": ([*[_POINTER] * 4, _COUNT, *[_POINTER] * 2], _POINTER),
    "polygons": ([ctypes.c_char_p, _POINTER, _COUNT, *[_POINTER] * 3], _COUNT),
    "unpack": ([ctypes.c_char_p, *[_POINTER] * 2, _COUNT, *[_POINTER] * 3], None),
    "pack": ([*[_POINTER] * 4, _COUNT, *[_POINTER] * 2], None),
    "measure": ([*[_POINTER] * 4, _COUNT, *[_POINTER] * 2], None),
    "common": ([*[_POINTER] * 6, _COUNT, _POINTER], None),
    "intersect": ([*[_POINTER] * 6, _COUNT, *[_POINTER] * 2], None),
    "combine": ([ctypes.c_char_p, _COUNT, ctypes.c_char_p, *[_COUNT] * 3, _POINTER], _COUNT),
    "paint": ([_POINTER, _COUNT, _POINTER], None),
    "release": ([_POINTER], None),
}


def _load() -> ctypes.CDLL:
    path = Path(__file__).with_name(f"libspans{_SUFFIX}")
    try:
        library = ctypes.CDLL(str(path))
        for name, (arguments, result) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, result
    except (OSError, AttributeError) as error:
        raise KinsError(f"the compiled part is missing ({error}); this brings it: {install_line(again=True)}") from None
    return library


_library = _load()


def fill(
    points: npt.NDArray[np.float64], sizes: npt.ArrayLike, heights: npt.ArrayLike, widths: npt.ArrayLike
) -> tuple[Places, Ints, npt.NDArray[np.uint8]]:
    """The pixels inside of polygons, as COCO fills them (`rleFrPoly` in its maskApi.c), clipped at the image.

    Args:
        points: x and y in turn of all points of one polygon after the other.
        sizes: numbers of each polygon, two a point; below three points it has no pixels.
        heights, widths: of the polygons' images, at least 1, at most 2^28 pixels in all.

    Returns:
        Places and starts; and what each polygon is: SOUND, or DAMAGED, for an odd number of numbers or one that is not
        finite or beyond 1e5: such a polygon has no pixels.
    """
    points = np.ascontiguousarray(points, np.float64)
    sizes, heights, widths = (np.ascontiguousarray(a, np.int64) for a in (sizes, heights, widths))
    assert sizes.size == heights.size == widths.size
    assert sizes.sum() == points.size
    starts, found = np.empty(sizes.size + 1, np.int64), np.empty(sizes.size, np.uint8)
    memory = _library.fill(*_addresses(points, sizes, heights, widths), sizes.size, *_addresses(starts, found))
    return _taken(memory, int(starts[-1])), starts, found


def polygons(values: Sequence[Any]) -> Outlines:
    """Polygons of raw JSON values [[x1, y1, x2, y2, ...], ...]; -1 in place of their number for a value that was not
    read: no such thing, damaged, or with a number that has an exponent or more than 15 digits."""
    text, ends = b"".join(values), np.array(list(itertools.accumulate(map(len, values))), np.int64)
    room = len(text) // 2 + 1
    numbers, sizes, parts = np.empty(room), np.empty(room, np.int64), np.empty(len(values), np.int64)
    count = _library.polygons(text, *_addresses(ends), len(values), *_addresses(numbers, sizes, parts))
    sizes = sizes[:count]
    return numbers[: sizes.sum()], sizes, parts


def unpack(texts: Sequence[str], pixels: npt.ArrayLike) -> tuple[Places, Ints, npt.NDArray[np.uint8]]:
    """Run lengths in COCO's compressed form, of masks of so many pixels; an empty text is an empty mask.

    Returns:
        Places and starts, of damaged texts none; and what each text is: DAMAGED, SOUND or UNUSUAL.
    """
    count = len(texts)
    together = "".join(texts)
    if not together.isascii():
        return unpack([text if text.isascii() else DAMAGED_TEXT for text in texts], pixels)
    ends = np.fromiter(itertools.accumulate(map(len, texts)), np.int64, count)
    pixels = np.ascontiguousarray(pixels, np.int64)
    assert pixels.size == count
    places, starts = np.empty(len(together), np.int32), np.empty(count + 1, np.int64)
    found = np.empty(count, np.uint8)
    _library.unpack(together.encode(), *_addresses(ends, pixels), count, *_addresses(places, starts, found))
    return places[: starts[-1]], starts, found


def pack(masks: Range, pixels: npt.ArrayLike) -> list[str]:
    """The compressed run lengths of masks of so many pixels."""
    _, start, stop = masks
    pixels, ends = np.ascontiguousarray(pixels, np.int64), np.empty(start.size, np.int64)
    assert pixels.size == start.size
    text = np.empty(7 * (int((stop - start).sum()) + start.size), np.uint8)
    _library.pack(*_addresses(*masks, pixels), start.size, *_addresses(text, ends))
    stops = ends.tolist()
    together = text[: stops[-1] if stops else 0].tobytes().decode()
    return [together[begin:end] for begin, end in zip([0, *stops], stops, strict=False)]


def measure(masks: Range, heights: npt.ArrayLike) -> tuple[Ints, npt.NDArray[np.float64]]:
    """(N,) pixels and (N, 4) boxes x, y, width, height of masks in images of so many rows; zeros for an empty mask."""
    _, start, _ = masks
    heights = np.ascontiguousarray(heights, np.int64)
    assert heights.size == start.size
    areas, boxes = np.empty(start.size, np.int64), np.empty((start.size, 4))
    _library.measure(*_addresses(*masks, heights), start.size, *_addresses(areas, boxes))
    return areas, boxes


def common(first: Range, second: Range) -> Ints:
    """(P,) pixels that each two masks have in common."""
    count = _pairs(first, second)
    pixels = np.empty(count, np.int64)
    _library.common(*_addresses(*first, *second), count, *_addresses(pixels))
    return pixels


def intersect(first: Range, second: Range) -> tuple[Places, Ints]:
    """Places and starts of what each two masks have in common."""
    count = _pairs(first, second)
    room = sum(int((stop - start).sum()) for _, start, stop in (first, second))
    places, starts = np.empty(room + 2, np.int32), np.empty(count + 1, np.int64)
    _library.intersect(*_addresses(*first, *second), count, *_addresses(places, starts))
    return places[: starts[-1]].copy(), starts


def combine(first: str, second: str, pixels: int, keep: int) -> str:
    """What two masks of so many pixels make; all three in COCO's compressed run lengths.

    Args:
        keep: bit 0 says whether pixels of neither belong to it, bit 1 those of the first alone, bit 2 those of the
            second alone, and bit 3 those of both.
    """
    texts = first.encode(), second.encode()
    room = bytearray(7 * (len(texts[0]) + len(texts[1]) + 1))
    address = ctypes.byref(_BYTE.from_buffer(room))
    count = _library.combine(texts[0], len(texts[0]), texts[1], len(texts[1]), pixels, keep, address)
    return room[:count].decode()


def paint(places: Places, size: int) -> npt.NDArray[np.bool_]:
    """(size,) the pixels of one mask, column by column."""
    pixels = np.zeros(size, np.bool_)
    _library.paint(*_addresses(places), places.size, *_addresses(pixels))
    return pixels


def _pairs(first: Range, second: Range) -> int:
    assert len({part.size for masks in (first, second) for part in masks[1:]}) == 1
    return first[1].size


def _addresses(*arrays: Any) -> list[Any]:
    """Where the numbers of contiguous NumPy arrays are. NumPy's own `ctypes.data` takes three times as long."""
    return [ctypes.byref(_BYTE.from_buffer(array)) if array.size else None for array in arrays]


def _taken(memory: int | None, count: int) -> Places:
    """So many places that the library made."""
    if memory is None:
        raise MemoryError
    places = np.empty(count, np.int32)
    (address,) = _addresses(places)
    ctypes.memmove(address, memory, places.nbytes)
    _library.release(memory)
    return places
