"""Run lengths as COCO writes them, in NumPy: decoding, checking, and intervals of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.limits import PIXELS

Rle = dict[str, Any]


def check_size(height: int, width: int, where: object = "") -> None:
    """Raises KinsError unless the size is that of an image that can be worked with."""
    if height < 1 or width < 1 or height * width > PIXELS.value:
        place = f"{where}: " if where else ""
        raise KinsError(
            f"{place}image size {width} x {height} is not between 1 x 1 and {PIXELS.value} pixels in all; "
            f"{PIXELS.variable} allows more"
        )


def rle_size(rle: Any, where: str) -> tuple[int, int]:
    """(height, width) that an RLE states. Raises KinsError if it states none."""
    size = rle.get("size") if isinstance(rle, dict) else None
    if not isinstance(size, (list, tuple)) or len(size) != 2 or any(type(n) is not int for n in size):
        raise KinsError(f"{where}: RLE has no size [height, width]".removeprefix(": "))
    return size[0], size[1]


def rle_problem(rle: Rle, height: int, width: int) -> str | None:
    """What makes an RLE unusable for an image of this size, or None."""
    try:
        size = rle_size(rle, "")
    except KinsError as error:
        return str(error)
    if size != (height, width):
        return f"RLE is of size {size[1]} x {size[0]}, the image {width} x {height}"
    counts, most = rle.get("counts"), PIXELS.value
    if isinstance(counts, (list, tuple)):
        if any(type(run) is not int or run < 0 or run > most for run in counts):
            return "RLE has a run that is not a whole number of at least 0"
        total = sum(counts)
    elif isinstance(counts, (str, bytes)):
        try:
            runs = decode_runs(counts.encode("ascii") if isinstance(counts, str) else counts)
        except (UnicodeEncodeError, ValueError):
            return "RLE has damaged counts"
        if (runs < 0).any() or (runs > most).any():
            return "RLE has damaged counts (a run is negative or huge)"
        total = int(runs.sum())
    else:
        return "RLE has no counts"
    if total != height * width:
        return f"RLE runs add up to {total}, not to height x width = {height * width}"
    return None


def decode_runs(counts: bytes) -> npt.NDArray[np.int64]:
    """COCO's text form: 5 bits a character from the lowest, 0x20 says more follow, and from the fourth run on each is
    stored as the difference to the run two before. Raises ValueError for text that is no such thing."""
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not codes.size:
        return codes
    last = (codes & 0x20) == 0
    if not last[-1] or codes.min() < 0 or codes.max() > 63:
        raise ValueError("damaged counts")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise ValueError("damaged counts")
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, lengths))
    runs = np.add.reduceat((codes & 0x1F) << shifts, starts)
    runs -= np.where(codes[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return np.asarray(runs, np.int64)


def split_at_columns(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The same pixels as intervals of which none goes on into the next column."""
    first, last = starts // height, (ends - 1) // height
    spans = last - first + 1
    owner = np.repeat(np.arange(starts.size), spans)
    column = np.arange(owner.size) - np.repeat(np.cumsum(spans) - spans, spans) + first[owner]
    return np.maximum(starts[owner], column * height), np.minimum(ends[owner], (column + 1) * height)
