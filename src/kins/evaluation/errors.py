"""What the lost AP comes from: each kind of error is mended on its own, and the gain in AP is its share.

After TIDE (Bolya et al., A General Toolbox for Identifying Object Detection Errors, ECCV 2020), on amodal masks, with
one kind of error more: the visible part is found, but the extent of the hidden part is wrong.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from kins.evaluation.columns import AMODAL, INMODAL, Bools, Columns, Floats, Ints
from kins.evaluation.matching import match, plan
from kins.evaluation.overlap import Pairs
from kins.evaluation.precision import interpolated
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
NEAR = 0.1
"""IoU below which a detection has nothing to do with an object."""
LEVELS = ("all", "none", "partial", "heavy")


@dataclasses.dataclass(slots=True)
class _State:
    """Detections as they are, or as they would be without some errors."""

    label: Ints
    right: Bools
    counted: Bools


def error_shares(truth: Columns, found: Columns, pairs: Pairs, threshold: float) -> dict[str, dict[str, float]]:
    """Gain in AP (mean over classes, at one IoU threshold, in percent) if all errors of a kind were mended.

    Args:
        found: at most 100 detections an image and class, sorted by image, class and score.
        pairs: those with an IoU of at least NEAR, of different classes too.

    Returns:
        By occlusion level (`all`, `none`, `partial`, `heavy`): AP, and the gain for each of ERRORS. What hits no ground
        truth belongs to the level of its own predicted occlusion.
    """
    same = truth.category[pairs.truth] == found.category[pairs.found]
    close = pairs.take(same)
    steps = plan(close.found, close.truth, close.iou[AMODAL], truth.crowd, len(found), np.array([threshold]))
    matched = match(steps, truth.crowd)[0].astype(np.int64)
    kind, target = _kinds(truth, found, pairs, same, matched, threshold)
    levels = {part.name: part for part in SLICES}
    rate = found.rate
    on = np.where(matched >= 0, matched, target)
    known = on >= 0
    rate[known] = truth.rate[on[known]]
    shares = {}
    for name in LEVELS:
        inside = ~truth.crowd & (True if name == "all" else levels[name].holds(truth.rate))
        mine = np.ones(len(found), bool) if name == "all" else levels[name].holds(rate) | np.isnan(rate)
        mine &= (matched < 0) | inside[matched]
        shares[name] = _gains(truth, found, matched, kind, target, inside, mine)
    return shares


def _kinds(
    truth: Columns, found: Columns, pairs: Pairs, same: Bools, matched: Ints, threshold: float
) -> tuple[list[str], Ints]:
    """For each detection its kind of error ('' if it is right), and the ground truth it was meant for, or -1."""
    kinds = [""] * len(found)
    target = np.full(len(found), -1)
    usable = ~truth.crowd[pairs.truth]
    amodal, inmodal = (np.where(usable, pairs.iou[k], -1) for k in (AMODAL, INMODAL))
    best_same = _best(pairs, np.where(same, amodal, -1), len(found))
    best_seen = _best(pairs, np.where(same & (amodal >= NEAR), inmodal, -1), len(found))
    best_other = _best(pairs, np.where(same, -1, amodal), len(found))
    for d in np.flatnonzero(matched < 0).tolist():
        (iou, g), (seen, s), (other, o) = best_same[d], best_seen[d], best_other[d]
        if iou >= threshold:
            kinds[d], target[d] = "duplicate", g
        elif seen >= threshold and truth.seen[s] < truth.pixels[AMODAL, s]:
            kinds[d], target[d] = "extent", s
        elif other >= threshold:
            kinds[d], target[d] = "class", o
        elif iou >= NEAR:
            kinds[d], target[d] = "place", g
        elif other >= NEAR:
            kinds[d], target[d] = "both", o
        else:
            kinds[d] = "background"
    return kinds, target


def _best(pairs: Pairs, iou: Floats, detections: int) -> list[tuple[float, int]]:
    """For each detection the largest IoU and the ground truth it has it with."""
    best = [(-1.0, -1)] * detections
    for d, g, value in zip(pairs.found.tolist(), pairs.truth.tolist(), iou.tolist(), strict=True):
        if value > best[d][0]:
            best[d] = (value, g)
    return best


def _gains(
    truth: Columns, found: Columns, matched: Ints, kinds: list[str], target: Ints, inside: Bools, mine: Bools
) -> dict[str, float]:
    start = _State(found.category, matched >= 0, mine)
    base = _mean_ap(truth, found, start, inside)
    used = np.zeros(len(truth), bool)
    used[matched[matched >= 0]] = True
    gains = {"AP": 100 * base}
    kind = np.array(kinds)
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
        gains[name] = 100 * max(_mean_ap(truth, found, state, counts) - base, 0.0) if not np.isnan(base) else np.nan
    return gains


def _mean_ap(truth: Columns, found: Columns, state: _State, inside: Bools) -> float:
    values = []
    for category in np.unique(truth.category[inside]).tolist():
        rows = np.flatnonzero(state.counted & (state.label == category))
        rows = rows[np.argsort(-found.score[rows], kind="stable")]
        count = int((inside & (truth.category == category)).sum())
        values.append(interpolated(np.flatnonzero(state.right[rows]) + 1, count).mean())
    return float(np.mean(values)) if values else float("nan")


def confusion(truth: Columns, found: Columns, pairs: Pairs, ids: list[int], least_score: float) -> Ints:
    """(K + 1, K + 1) how often a ground truth (row) was detected as a class (column), at an amodal IoU of 0.5.

    Detections of any class are matched greedily by score. The last column counts missed objects, the last row
    detections of nothing; crowds and what they match are left out.
    """
    rows = np.lexsort((-found.score, found.image))
    rows = rows[found.score[rows] >= least_score]
    position = np.full(len(found), -1)
    position[rows] = np.arange(rows.size)
    keep = position[pairs.found] >= 0
    close = pairs.take(keep)
    steps = plan(position[close.found], close.truth, close.iou[AMODAL], truth.crowd, rows.size, np.array([0.5]))
    matched = match(steps, truth.crowd)[0]
    label = np.searchsorted(ids, found.category[rows])
    true = np.searchsorted(ids, truth.category)
    table = np.zeros((len(ids) + 1,) * 2, np.int64)
    hit = matched >= 0
    solid = hit & ~truth.crowd[matched] if len(truth) else hit
    np.add.at(table, (true[matched[solid]], label[solid]), 1)
    np.add.at(table[-1], label[~hit], 1)
    missed = ~truth.crowd
    missed[matched[hit]] = False
    np.add.at(table[:, -1], true[missed], 1)
    return table
