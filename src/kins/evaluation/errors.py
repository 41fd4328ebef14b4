"""What the lost AP comes from: each kind of error is mended on its own, and the gain in AP is its share.

After TIDE (Bolya et al., A General Toolbox for Identifying Object Detection Errors, ECCV 2020), on amodal masks. There
are two ways to count. `error_shares` departs from the authors' program:

- one kind of error more: the visible part is found, but the extent of the hidden part is wrong;
- a detection that fits two kinds takes the first of duplicate, extent, class, place, both, background;
- kinds are mended independently: an object that one detection misnames and another one misplaces is won back by either;
- a class whose objects are all missed has AP 100 once they are mended, since nothing is left that could be wrong;
- all of it for the objects of each occlusion level, too.

`tide_shares` counts as that program (tidecv) does, for figures that are compared with its figures.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from kins.evaluation.columns import AMODAL, INMODAL, Bools, Columns, Floats, Ints
from kins.evaluation.matching import match, plan
from kins.evaluation.overlap import Pairs
from kins.evaluation.precision import RECALLS, interpolated
from kins.evaluation.slices import SLICES

ERRORS = {
    "missed": "no detection near the object",
    "class": "right place, wrong class",
    "extent": "visible part right, extent of the hidden part wrong",
    "place": "right class, mask too far off",
    "duplicate": "object already detected",
    "background": "nothing there",
    "both": "wrong class and mask too far off",
}
"""Kinds of errors, and what they mean."""
TIDE_ERRORS = ("class", "place", "both", "duplicate", "background", "missed")
"""Those of TIDE, in its sequence: Cls, Loc, Both, Dupe, Bkg, Miss."""
NEAR = 0.1
"""IoU below which a detection has nothing to do with an object."""
LEVELS = ("all", "none", "partial", "heavy")
TIDE_DETECTIONS = 100
"""How many detections of an image TIDE's program looks at, of all classes together."""
TIDE_RECALLS: Floats = np.arange(101) / 100
"""Where it reads precision: some differ from COCO's in the last bit, which moves AP where recall is just that."""


Strings = npt.NDArray[np.str_]


@dataclasses.dataclass(frozen=True, slots=True)
class Analysis:
    """What is wrong with the detections of a run, by their amodal masks.

    Attributes:
        errors: by IoU threshold ("0.5", "0.75") what `error_shares` gives.
        tide: by IoU threshold what `tide_shares` gives.
        confusion: what `cases.confusion` gives, at an IoU of 0.5, of detections that score at least SURE.
        classes: names of its first K rows and columns.
        outcomes, taken: what `cases.tally` and `cases.taken_for` give at an IoU of 0.5, of detections that score at
            least SURE.
        found: what `regions.quality_by_group` gives.
    """

    errors: dict[str, dict[str, dict[str, float]]]
    tide: dict[str, dict[str, float]]
    confusion: list[list[int]]
    classes: list[str]
    outcomes: dict[str, dict[str, dict[str, int]]]
    taken: dict[str, dict[str, int]]
    found: dict[str, dict[str, dict[str, float]]]


@dataclasses.dataclass(slots=True)
class _State:
    """Detections as they are, or as they would be without some errors."""

    label: Ints
    right: Bools
    counted: Bools


@dataclasses.dataclass(slots=True)
class _Nearest:
    """For each detection the largest IoU with some ground truths, and the ground truth it has it with; or -1 and -1."""

    iou: Floats
    truth: Ints


def error_shares(truth: Columns, found: Columns, pairs: Pairs, threshold: float) -> dict[str, dict[str, float]]:
    """Gain in AP (mean over classes, at one IoU threshold, in percent) if all errors of a kind were mended.

    Args:
        found: at most 100 detections an image and class, sorted by image, class and score.
        pairs: those with an IoU of at least NEAR, of different classes too.

    Returns:
        By occlusion level (`all`, `none`, `partial`, `heavy`): AP, and the gain for each of ERRORS. What hits no ground
        truth belongs to the level of its own predicted occlusion.
    """
    matched = matched_at(truth, found, pairs, threshold)
    kind, target = kinds_of(truth, found, pairs, matched, threshold)
    levels = {part.name: part for part in SLICES}
    rate = found.rate
    on = np.where(matched >= 0, matched, target)
    known = on >= 0
    rate[known] = truth.rate[on[known]]
    shares = {}
    for name in LEVELS:
        inside = ~truth.crowd & (True if name == "all" else levels[name].holds(truth.rate))
        mine = np.ones(len(found), bool) if name == "all" else levels[name].holds(rate) | np.isnan(rate)
        mine &= (matched < 0) | np.append(inside, False)[matched]
        shares[name] = _gains(truth, found, matched, kind, target, inside, mine)
    return shares


def tide_shares(truth: Columns, found: Columns, pairs: Pairs, threshold: float) -> dict[str, float]:
    """AP, and the gain for each of TIDE_ERRORS, in percent, as TIDE's program counts; arguments as in `error_shares`.

    A detection that is not right is of the first kind that fits of: place (an object of its class from NEAR up to the
    threshold), class, duplicate, background, both. Of all class and place errors that want one object the best-scored
    one is turned right, and only if its own kind is the one that is mended; the others go. An object is missed if no
    detection is right for it, and no class or place error wants it. Only the best 100 detections of an image count.
    AP is the mean over classes with objects or detections, 0 for those without objects.

    Not as there: detections within crowds are no errors here, and those of equal score may come in another sequence.
    """
    kept = _best_of_images(found)
    position = np.full(len(found), -1)
    position[kept] = np.arange(kept.size)
    pairs = pairs.take(position[pairs.found] >= 0)
    pairs = dataclasses.replace(pairs, found=position[pairs.found])
    found = found.take(kept)
    matched = matched_at(truth, found, pairs, threshold)
    solid = ~truth.crowd
    counted = (matched < 0) | np.append(solid, False)[matched]
    kind, target = _tide_kinds(truth, found, pairs, matched, threshold)
    state = _State(found.category, matched >= 0, counted)
    base = _tide_ap(truth, found, state, solid)
    used = np.zeros(len(truth), bool)
    used[matched[matched >= 0]] = True
    wanting = np.flatnonzero(np.isin(kind, ("class", "place")))
    wanting = wanting[~used[target[wanting]]]
    wanting = wanting[np.argsort(-found.score[wanting], kind="stable")]
    chosen = wanting[np.unique(target[wanting], return_index=True)[1]]  # the best-scored one of each object
    gains = {"AP": 100 * base}
    for name in TIDE_ERRORS:
        counts = solid
        state = _State(found.category.copy(), matched >= 0, counted & (kind != name))
        if name == "missed":
            usable = used.copy()
            usable[target[wanting]] = True
            counts = solid & usable
        elif name in ("class", "place"):
            rows = chosen[kind[chosen] == name]
            state.counted[rows] = state.right[rows] = True
            state.label[rows] = truth.category[target[rows]]
        gains[name] = 100 * max(0.0, _tide_ap(truth, found, state, counts) - base)
    return gains


def _best_of_images(found: Columns) -> Ints:
    """Rows of the detections that TIDE looks at, best first in each image."""
    rows = np.lexsort((-found.score, found.image))
    image = found.image[rows]
    return rows[np.arange(rows.size) - np.searchsorted(image, image) < TIDE_DETECTIONS]


def _tide_ap(truth: Columns, found: Columns, state: _State, inside: Bools) -> float:
    """Mean over the classes with ground truth or detections; 0 for those that have no ground truth."""
    values = _ap_by_class(truth, found, state, inside, TIDE_RECALLS)
    with_detections = np.unique(state.label[state.counted]).tolist()
    return float(np.mean([values.get(label, 0.0) for label in values.keys() | set(with_detections)] or [0.0]))


def _tide_kinds(truth: Columns, found: Columns, pairs: Pairs, matched: Ints, threshold: float) -> tuple[Strings, Ints]:
    """As `kinds_of`, in the sequence of TIDE's program."""
    same, other, _ = _nearest(truth, found, pairs)
    place = (same.iou >= NEAR) & (same.iou <= threshold)
    wrong_class, duplicate = other.iou >= threshold, same.iou >= threshold
    background = np.maximum(same.iou, other.iou) <= NEAR
    kind = np.select(
        [matched >= 0, place, wrong_class, duplicate, background],
        ["", "place", "class", "duplicate", "background"],
        "both",
    )
    return kind, np.select([kind == "place", kind == "class"], [same.truth, other.truth], -1)


def matched_at(truth: Columns, found: Columns, pairs: Pairs, threshold: float) -> Ints:
    """(D,) the ground truth that each detection is matched with, or -1."""
    close = pairs.take(truth.category[pairs.truth] == found.category[pairs.found])
    steps = plan(close.found, close.truth, close.iou[AMODAL], truth.crowd, len(found), np.array([threshold]))
    return match(steps, truth.crowd)[0].astype(np.int64)


def kinds_of(truth: Columns, found: Columns, pairs: Pairs, matched: Ints, threshold: float) -> tuple[Strings, Ints]:
    """For each detection its kind of error ('' if it is right), and the ground truth it was meant for, or -1."""
    same, other, seen = _nearest(truth, found, pairs)
    partly = np.append(truth.seen < truth.pixels[AMODAL], False)[seen.truth]
    kind = np.select(
        [
            matched >= 0,
            same.iou >= threshold,
            (seen.iou >= threshold) & partly,
            other.iou >= threshold,
            same.iou >= NEAR,
            other.iou >= NEAR,
        ],
        ["", "duplicate", "extent", "class", "place", "both"],
        "background",
    )
    by_kind = {"duplicate": same, "extent": seen, "class": other, "place": same, "both": other}
    return kind, np.select([kind == name for name in by_kind], [near.truth for near in by_kind.values()], -1)


def _nearest(truth: Columns, found: Columns, pairs: Pairs) -> tuple[_Nearest, _Nearest, _Nearest]:
    """By amodal IoU of the same class and of other classes, and by inmodal IoU of the same class; without crowds."""
    same = truth.category[pairs.truth] == found.category[pairs.found]
    amodal, inmodal = (np.where(truth.crowd[pairs.truth], -1, pairs.iou[kind]) for kind in (AMODAL, INMODAL))
    return (
        _largest(pairs, np.where(same, amodal, -1), len(found)),
        _largest(pairs, np.where(same, -1, amodal), len(found)),
        _largest(pairs, np.where(same & (amodal >= NEAR), inmodal, -1), len(found)),
    )


def _largest(pairs: Pairs, iou: Floats, detections: int) -> _Nearest:
    """Of equal ones the pair that comes first."""
    order = np.lexsort((np.arange(iou.size), -iou, pairs.found))
    order = order[iou[order] > -1]
    rows, first = np.unique(pairs.found[order], return_index=True)
    nearest = _Nearest(np.full(detections, -1.0), np.full(detections, -1))
    nearest.iou[rows], nearest.truth[rows] = iou[order[first]], pairs.truth[order[first]]
    return nearest


def _gains(
    truth: Columns, found: Columns, matched: Ints, kind: Strings, target: Ints, inside: Bools, mine: Bools
) -> dict[str, float]:
    start = _State(found.category, matched >= 0, mine)
    base = _mean_ap(truth, found, start, inside, inside)
    used = np.zeros(len(truth), bool)
    used[matched[matched >= 0]] = True
    gains = {"AP": 100 * base}
    covered = used.copy()
    covered[target[(target >= 0) & np.isin(kind, ["class", "extent", "place"])]] = True
    for name in ERRORS:
        counts = inside
        state = _State(found.category.copy(), start.right.copy(), mine.copy())
        if name == "missed":
            counts = inside & covered
        else:
            rows = np.flatnonzero((kind == name) & mine)
            state.counted[rows] = False
            if name in ("class", "extent", "place"):
                taken = used.copy()
                for d in rows[np.argsort(-found.score[rows], kind="stable")].tolist():
                    g = int(target[d])
                    if not taken[g]:
                        taken[g] = state.counted[d] = state.right[d] = True
                        state.label[d] = truth.category[g]
        gain = _mean_ap(truth, found, state, inside, counts) - base
        gains[name] = 100 * max(0.0, gain) if not np.isnan(base) else np.nan
    return gains


def _mean_ap(truth: Columns, found: Columns, state: _State, inside: Bools, counts: Bools) -> float:
    """Mean over the classes of `inside`, of the ground truths that count: 1 for a class of which none is left."""
    values = _ap_by_class(truth, found, state, counts, RECALLS)
    classes = np.unique(truth.category[inside]).tolist()
    return float(np.mean([values.get(label, 1.0) for label in classes])) if classes else float("nan")


def _ap_by_class(truth: Columns, found: Columns, state: _State, counts: Bools, recalls: Floats) -> dict[int, float]:
    """AP by category id, of those with ground truths that count."""
    values = {}
    rows = np.flatnonzero(state.counted)
    rows = rows[np.lexsort((-found.score[rows], state.label[rows]))]
    categories, numbers = np.unique(truth.category[counts], return_counts=True)
    starts, stops = (np.searchsorted(state.label[rows], categories, side=side) for side in ("left", "right"))
    for category, count, start, stop in zip(*(a.tolist() for a in (categories, numbers, starts, stops)), strict=True):
        right = np.flatnonzero(state.right[rows[start:stop]]) + 1
        values[category] = float(interpolated(right, count, recalls).mean())
    return values
