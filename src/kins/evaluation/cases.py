"""Objects and detections one by one: what became of each object, and what each detection too many is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from kins.evaluation.columns import AMODAL, Bools, Columns, Floats, Ints
from kins.evaluation.errors import ERRORS, Strings, kinds_of, matched_at
from kins.evaluation.matching import match, plan
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
    used = np.zeros(len(found), bool)
    used[stands[stands >= 0]] = True
    extra = np.flatnonzero(sure & ~used & (matched < 0))
    return _listed(truth, found, pairs, stands, extra, target, np.where(matched >= 0, RIGHT, kind))


def cases_of_any_class(truth: Columns, found: Columns, pairs: Pairs, threshold: float, least_score: float) -> Cases:
    """As `cases`, but detections are matched whatever their class, greedily by score: what the confusion counts.

    An object is right, or matched with another class, or missed; every other detection is of nothing. Those that are
    matched with crowds are no cases.
    """
    rows = np.lexsort((-found.score, found.image))
    rows = rows[found.score[rows] >= least_score]
    position = np.full(len(found), -1)
    position[rows] = np.arange(rows.size)
    close = pairs.take(position[pairs.found] >= 0)
    steps = plan(position[close.found], close.truth, close.iou[AMODAL], truth.crowd, rows.size, np.array([threshold]))
    matched = match(steps, truth.crowd)[0].astype(np.int64)
    hit = matched >= 0
    stands = np.full(len(truth), -1)
    stands[matched[hit]] = rows[hit]
    kind = np.full(len(found), "background")
    kind[rows[hit]] = np.where(found.category[rows[hit]] == truth.category[matched[hit]], RIGHT, "class")
    return _listed(truth, found, pairs, stands, np.sort(rows[~hit]), np.full(len(found), -1), kind)


def _listed(
    truth: Columns, found: Columns, pairs: Pairs, stands: Ints, extra: Ints, target: Ints, kind: Strings
) -> Cases:
    """The cases of all objects, and of the detections too many.

    Args:
        stands: (G,) the detection that stands for each object, or -1.
        extra: rows of the detections too many.
        target, kind: (D,) the object each was meant for, or -1, and what it is.
    """
    objects = np.flatnonzero(~truth.crowd)
    row = np.concatenate([stands[objects], extra])
    own = np.arange(row.size) < objects.size
    meant = np.concatenate([objects, target[extra]])
    outcome = np.where(row < 0, "missed", np.append(kind, "")[row])

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


def tally(found: Cases, of_any_score: Cases, categories: Mapping[int, str]) -> dict[str, dict[str, dict[str, int]]]:
    """What became of the objects, and how many detections there are too many.

    Args:
        of_any_score: the cases with a least score of 0.

    Returns:
        By `all`, `class`, `size`, `level`, then by name: `objects`, which are `right`, of another `class`, of wrong
        `extent` or `place`, or `missed`, and which are not right only because the right detection scores too `low`; and
        `extra` detections, which are `background`, `duplicate`, or `others`.
    """
    parts = groups(found.category, found.area, found.rate, categories)
    objects = int(found.own.sum())  # they come first in both, in the same sequence
    low = np.zeros(len(found), bool)
    low[:objects] = (of_any_score.kind[:objects] == RIGHT) & (found.kind[:objects] != RIGHT)
    return {
        group: {name: _counted(found, low, inside) for name, inside in rows.items()} for group, rows in parts.items()
    }


def groups(category: Ints, area: Floats, rate: Floats, categories: Mapping[int, str]) -> dict[str, dict[str, Bools]]:
    """By `all`, `class`, `size`, `level`, then by name: (N,) which belong to it."""
    sizes, levels = size_of(area), level_of(rate)
    return {
        "all": {"all": np.ones(category.size, bool)},
        "class": {name: category == key for key, name in categories.items()},
        "size": {part.name: sizes == part.name for part in SIZES},
        "level": {part.name: levels == part.name for part in LEVELS},
    }


def _counted(found: Cases, low: Bools, inside: Bools) -> dict[str, int]:
    kinds, extra = found.kind[inside & found.own], found.kind[inside & ~found.own]
    objects = {name: int((kinds == name).sum()) for name in (RIGHT, *STANDING_FOR, "missed")}
    alone = {name: int((extra == name).sum()) for name in ("background", "duplicate")}
    others = extra.size - sum(alone.values())
    return {
        "objects": kinds.size,
        **objects,
        "low": int(low[inside].sum()),
        "extra": extra.size,
        **alone,
        "others": others,
    }


def taken_for(found: Cases, detections: Columns, categories: Mapping[int, str]) -> dict[str, dict[str, int]]:
    """For each class how many of its objects were detected as each other one, the most frequent first."""
    wrong = found.own & (found.kind == "class")
    pairs = np.stack([found.category[wrong], detections.category[found.found[wrong]]])
    kinds, counts = np.unique(pairs, axis=1, return_counts=True)
    told: dict[str, dict[str, int]] = {}
    for k in np.argsort(-counts, kind="stable").tolist():
        true, said = (categories[int(key)] for key in kinds[:, k])
        told.setdefault(true, {})[said] = int(counts[k])
    return told


def confusion(found: Cases, detections: Columns, groups: Ints, ids: list[int]) -> Ints:
    """(K + 1, K + 1) how often an object (row) was detected as a class (column).

    The last column counts missed objects, the last row detections of nothing.

    Args:
        found: what `cases_of_any_class` gives.
        groups: the row of each category of `ids`; several may share one.
        ids: of the categories, rising.
    """
    none = int(groups.max(initial=-1)) + 1
    rows = np.where(found.own, groups[np.searchsorted(ids, found.category)], none)
    said = groups[np.searchsorted(ids, detections.category)]
    table = np.zeros((none + 1,) * 2, np.int64)
    np.add.at(table, (rows, np.append(said, none)[found.found]), 1)
    return table
