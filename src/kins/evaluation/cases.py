"""Objects and detections one by one: what became of each object, and what each detection too many is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from kins.evaluation.columns import AMODAL, Bools, Columns, Floats, Ints
from kins.evaluation.errors import ERRORS, Strings, kinds_of, matched_at
from kins.evaluation.overlap import Pairs
from kins.evaluation.slices import SIZES, SLICES, Slice

RIGHT = "right"
OUTCOMES = (RIGHT, *ERRORS)
"""What a case is: right, or a kind of error."""
STANDING_FOR = ("extent", "class", "place")
"""Errors of a detection that is meant for one object."""
LEVELS = SLICES[:3]


@dataclasses.dataclass(slots=True)
class Cases:
    """C cases: every object but crowds, with the detection that stands for it if there is one; then every detection
    that stands for none.

    The detection that stands for an object is the one matched with it, or else the best-scored one that is meant for it
    but has another class or extent, or lies too far off. Without one the object is missed.

    Attributes:
        truth, found: (C,) rows, or -1. `truth` of a detection too many is the object it was meant for, or -1.
        own: (C,) whether the case is an object, with or without a detection.
        kind: (C,) one of OUTCOMES.
        pair: (C,) index of the pair of both, or -1.
        image, category: (C,) of the object, or else of the detection; so are the next two.
        area: (C,) pixels of the amodal mask.
        rate: (C,) occlusion rate; NaN where a mask is unknown.
    """

    truth: Ints
    found: Ints
    own: Bools
    kind: Strings
    pair: Ints
    image: Ints
    category: Ints
    area: Floats
    rate: Floats

    def __len__(self) -> int:
        return self.truth.size


def cases(truth: Columns, found: Columns, pairs: Pairs, threshold: float, least_score: float) -> Cases:
    """The cases at one IoU threshold, of the detections with a score of at least `least_score`.

    Args:
        found, pairs: as for `errors.error_shares`.
    """
    matched = matched_at(truth, found, pairs, threshold)
    kind, target = kinds_of(truth, found, pairs, matched, threshold)
    sure = found.score >= least_score
    stands = _standing(matched, kind, target, sure, found.score, truth)
    objects = np.flatnonzero(~truth.crowd)
    used = np.zeros(len(found), bool)
    used[stands[stands >= 0]] = True
    extra = np.flatnonzero(sure & ~used & (matched < 0))
    row = np.concatenate([stands[objects], extra])
    own = np.arange(row.size) < objects.size
    meant = np.concatenate([objects, target[extra]])
    outcome = np.where(row < 0, "missed", np.append(np.where(matched >= 0, RIGHT, kind), "")[row])

    def of(objects_have: Ints | Floats, detections_have: Ints | Floats) -> Floats:
        return 1.0 * np.where(own, np.append(objects_have, 0)[meant], np.append(detections_have, 0)[row])

    return Cases(
        meant,
        row,
        own,
        outcome,
        _pair_of(pairs, row, meant, len(truth)),
        of(truth.image, found.image).astype(np.int64),
        of(truth.category, found.category).astype(np.int64),
        of(truth.area[AMODAL], found.pixels[AMODAL]),
        of(truth.rate, found.rate),
    )


def _standing(matched: Ints, kind: Strings, target: Ints, sure: Bools, score: Floats, truth: Columns) -> Ints:
    """(G,) the detection that stands for each object, or -1."""
    aim = np.where(matched >= 0, matched, np.where(np.isin(kind, STANDING_FOR), target, -1))
    rows = np.flatnonzero(sure & (aim >= 0))
    rows = rows[np.lexsort((-score[rows], matched[rows] < 0))]
    objects, first = np.unique(aim[rows], return_index=True)
    stands = np.full(len(truth), -1)
    stands[objects] = rows[first]
    return stands


def _pair_of(pairs: Pairs, found: Ints, truth: Ints, objects: int) -> Ints:
    """(C,) where each detection and ground truth are among the pairs, or -1."""
    known = pairs.found * max(objects, 1) + pairs.truth
    order = np.argsort(known, kind="stable")
    known = np.append(known[order], np.iinfo(np.int64).max)
    wanted = np.where((found >= 0) & (truth >= 0), found * max(objects, 1) + truth, -1)
    place = np.searchsorted(known, wanted)
    return np.where(known[place] == wanted, np.append(order, -1)[place], -1)


def level_of(rate: Floats) -> Strings:
    """(C,) names of the occlusion levels none, partial, heavy; '' where the rate is not known."""
    return _names_of(LEVELS, rate)


def size_of(area: Floats) -> Strings:
    """(C,) small, medium or large, as in COCO; an area on a bound counts as the smaller one."""
    return _names_of(SIZES, area)


def _names_of(parts: tuple[Slice, ...], values: Floats) -> Strings:
    return np.select([part.holds(values) for part in parts], [part.name for part in parts], "")


def tally(found: Cases, categories: Mapping[int, str]) -> dict[str, dict[str, dict[str, int]]]:
    """How many cases of each outcome there are: of all, by class, by size and by occlusion level.

    Returns:
        By `all`, `class`, `size`, `level`, then by name: `objects`, and a count for each of OUTCOMES.
    """
    groups: list[tuple[str, Callable[[], Iterator[tuple[str, Bools]]]]] = [
        ("all", lambda: iter([("all", np.ones(len(found), bool))])),
        ("class", lambda: ((name, found.category == key) for key, name in categories.items())),
        ("size", lambda: ((part.name, size_of(found.area) == part.name) for part in SIZES)),
        ("level", lambda: ((part.name, level_of(found.rate) == part.name) for part in LEVELS)),
    ]
    return {group: {name: _counted(found, inside) for name, inside in parts()} for group, parts in groups}


def _counted(found: Cases, inside: Bools) -> dict[str, int]:
    kinds = found.kind[inside]
    return {"objects": int(found.own[inside].sum()), **{name: int((kinds == name).sum()) for name in OUTCOMES}}
