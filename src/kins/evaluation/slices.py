"""Parts of the ground truth that are evaluated on their own: by size, and by how much of an object is hidden."""

from __future__ import annotations

import dataclasses

import numpy as np

from kins.errors import KinsError
from kins.evaluation.columns import Bools, Floats
from kins.occlusion import HEAVY, OCCLUDED, PARTIAL


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """Values from `low` to `high`, both included (`np.nextafter` leaves one out)."""

    name: str
    low: float
    high: float

    def holds(self, values: Floats) -> Bools:
        """Which values lie in it; NaN does not."""
        return np.asarray((values >= self.low) & (values <= self.high))


def _above(value: float) -> float:
    return float(np.nextafter(value, np.inf))


ALL = Slice("all", -np.inf, np.inf)
SIZES = (Slice("small", 0, 32**2), Slice("medium", 32**2, 96**2), Slice("large", 96**2, 1e10))
"""Areas in pixels, as in COCO."""
SLICES = (
    Slice("none", -np.inf, float(np.nextafter(PARTIAL, 0))),
    Slice("partial", PARTIAL, HEAVY),
    Slice("heavy", _above(HEAVY), np.inf),
    Slice("occluded", _above(OCCLUDED), np.inf),
)
"""Occlusion rates: the three levels of kins.occlusion, and `occluded` as later papers on KINS count it."""
COCOA_SLICES = (
    Slice("cocoa-none", -np.inf, 0.00001),
    Slice("cocoa-partial", 0.00001, HEAVY),
    Slice("cocoa-heavy", HEAVY, np.inf),
)
"""The levels of COCOA's evaluation (Zhu et al., CVPR 2017), which count a rate on a bound in both."""


SOME = Slice("some", PARTIAL, np.inf)
"""All that counts as occluded at all, partial and heavy together."""


def parse_slices(text: str) -> tuple[Slice, ...]:
    """From a comma-separated list of slices.

    Args:
        text: names of SLICES and COCOA_SLICES, `cocoa` for all of the latter, or ranges LOW-HIGH of the rate (above
            LOW, up to HIGH).

    Raises:
        KinsError: a word that is none of these.
    """
    known = {part.name: (part,) for part in (*SLICES, *COCOA_SLICES)} | {"cocoa": COCOA_SLICES}
    slices: list[Slice] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        if word in known:
            slices += known[word]
            continue
        try:
            low, high = (float(number) for number in word.split("-"))
        except ValueError:
            low = high = np.nan
        if not 0 <= low < high <= 1:
            raise KinsError(f"no slice {word!r}; there are {', '.join(known)}, and ranges of the rate such as 0.5-0.75")
        slices.append(Slice(word, _above(low) if low else 0.0, high))
    return tuple(slices)


def slice_of(word: str) -> Slice:
    """The one slice that a word names: SOME, one that `parse_slices` takes, or LOW..HIGH, both included.

    Raises:
        KinsError: a word that names none.
    """
    if word == SOME.name:
        return SOME
    try:
        low, high = map(float, word.split(".."))
    except ValueError:
        slices = parse_slices(word)
        if len(slices) != 1:
            raise KinsError(f"{word!r} names no single slice, such as heavy or 0.5-0.75") from None
        return slices[0]
    return Slice(word, low, high)


def word_of(part: Slice) -> str:
    """What `slice_of` takes for this slice."""
    try:
        named = slice_of(part.name)
    except KinsError:
        named = None
    return part.name if named == part else f"{part.low!r}..{part.high!r}"
