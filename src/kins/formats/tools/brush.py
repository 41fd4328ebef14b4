"""Label Studio's run lengths of brushed regions.

Bits, each byte from its high end: 32 for the number n of values, 5 for a word's size less one, four times 4 for sizes
less one; then runs until n values are out: 1 bit (same or not), 2 bits (which of the four sizes), so many bits for the
count less one, and one word that is repeated, or as many words as the count says. The values are (height, width, 4),
row by row; what belongs to the region has a fourth one over 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks.runs import check_size

SIZES = (3, 4, 8, 16)
"""Bits of the counts, as Label Studio's own encoder has them."""


def read_brush(values: object, height: int, width: int, where: object) -> npt.NDArray[np.bool_]:
    """(height, width) the region. Raises KinsError for run lengths that are damaged, or of another size."""
    check_size(height, width, where)
    try:
        content = bytes(values)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise KinsError(f"{where}: is not a list of bytes") from None
    if len(content) < 7:
        raise KinsError(f"{where}: is cut short")
    count = int.from_bytes(content[:4])
    if count != 4 * height * width:
        raise KinsError(f"{where}: has {count} values, not 4 for each of {width} x {height} pixels")
    reader = _Bits(content, where)
    reader.at = 32
    word = reader.number(5) + 1
    sizes = [reader.number(4) + 1 for _ in range(4)]
    if word > 8:
        raise KinsError(f"{where}: has values of {word} bits, more than a byte")
    found, at = np.empty(count, np.uint8), 0
    while at < count:
        same = reader.number(1)
        length = reader.number(sizes[reader.number(2)]) + 1
        if length > count - at:
            raise KinsError(f"{where}: has more values than the {count} that it states")
        found[at : at + length] = reader.number(word) if same else reader.numbers(word, length)
        at += length
    return np.asarray(found.reshape(height, width, 4)[..., 3] > 0)


class _Bits:
    """Reads numbers of some bits, one after the other."""

    def __init__(self, content: bytes, where: object) -> None:
        self.content = content
        self.where = where
        self.at = 0

    def number(self, bits: int) -> int:
        start, self.at = self.at, self.at + bits
        if self.at > 8 * len(self.content):
            raise KinsError(f"{self.where}: is cut short")
        last = (self.at + 7) // 8
        value = int.from_bytes(self.content[start // 8 : last])
        return (value >> (8 * last - self.at)) & ((1 << bits) - 1)

    def numbers(self, bits: int, count: int) -> npt.NDArray[np.uint8]:
        start, self.at = self.at, self.at + bits * count
        if self.at > 8 * len(self.content):
            raise KinsError(f"{self.where}: is cut short")
        part = np.frombuffer(self.content[start // 8 : (self.at + 7) // 8], np.uint8)
        flat = np.unpackbits(part)[start % 8 : start % 8 + bits * count].reshape(count, bits)
        return np.asarray(np.packbits(flat, axis=1)[:, 0] >> (8 - bits))


def write_brush(pixels: npt.NDArray[np.bool_]) -> list[int]:
    """The run lengths of a region, with 255 in all four values of its pixels."""
    text = "".join(_runs(pixels))
    return list(int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8)))


def _runs(pixels: npt.NDArray[np.bool_]) -> Iterator[str]:
    flat = pixels.ravel()
    yield f"{4 * flat.size:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in SIZES)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges])
    lengths = 4 * np.diff(np.append(starts, flat.size))
    for value, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True):
        while length:
            kind = next((k for k, size in enumerate(SIZES) if length <= 1 << size), 3)
            part = min(length, 1 << SIZES[kind])
            yield f"1{kind:02b}{part - 1:0{SIZES[kind]}b}{255 * value:08b}"
            length -= part
