"""Which images go where, when a data set is divided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kins.errors import KinsError
from kins.records.merging import Source


def divided(dataset: Source, shares: Sequence[float], seed: int = 0, balanced: bool = False) -> list[list[int]]:
    """Ids of the images of each part, in the data set's sequence, chosen at random but the same for the same seed.

    Args:
        shares: in proportion to which images are dealt; any numbers above 0.
        balanced: images are dealt in turn among those with the same rarest class, so that each part has about its share
            of every class.

    Raises:
        KinsError: a share that is not above 0.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.records.dividing import divided
        >>> [len(part) for part in divided(write_shapes("pictures", 10), (8, 1, 1))]
        [8, 1, 1]
    """
    if not shares or not all(share > 0 for share in shares):
        raise KinsError(f"shares are numbers above 0, not {', '.join(map(str, shares))}")
    ids = list(dataset.images)
    wanted = np.cumsum(shares) / sum(shares)
    order = np.random.default_rng(seed).permutation(len(ids))
    part = np.empty(len(ids), np.int64)
    if balanced:
        rarest = _rarest(dataset)
        order = order[np.argsort(rarest[order], kind="stable")]
        part[order] = _in_turn(len(ids), np.diff(wanted, prepend=0))
    else:
        part[order] = np.searchsorted(np.round(wanted * len(ids)), np.arange(len(ids)), side="right")
    return [[ids[k] for k in np.flatnonzero(part == number).tolist()] for number in range(len(shares))]


def _rarest(dataset: Source) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(images,) rank of the rarest class in each, 0 for the rarest of all; the last for images without instances."""
    found = [{instance.category_id for instance in scene} for scene in dataset]
    counts = Counter(category for categories in found for category in categories)
    rank = {category: n for n, (category, _) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0])))}
    return np.array([min((rank[c] for c in categories), default=len(rank)) for categories in found], np.int64)


def _in_turn(count: int, shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[int]:
    """The part of each of so many things in a row: always the one that is farthest behind its share."""
    had = np.zeros(len(shares))
    parts = []
    for number in range(1, count + 1):
        part = int(np.argmax(shares * number - had))
        had[part] += 1
        parts.append(part)
    return parts
