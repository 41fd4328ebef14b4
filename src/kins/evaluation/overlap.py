"""Which ground truths and detections overlap, and how much."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from hotcoco.primitives import mask_iou

from kins.evaluation.columns import AMODAL, BOX, INMODAL, Bools, Columns, Floats, Ints, Masks
from kins.masks import Mask


@dataclasses.dataclass(slots=True)
class Pairs:
    """P pairs of a detection and a ground truth of one image that may overlap enough to match.

    Attributes:
        found, truth: (P,) rows.
        iou: (3, P) of amodal boxes, amodal masks, inmodal masks; over the detection's own area where the ground truth
            is a crowd. -1 where a mask is unknown or the IoU is certainly below the least that was asked for.
            Pairs with an amodal IoU of 0.5 have their inmodal IoU, however small.
        hidden: (P,) IoU of the hidden regions of matched pairs, see `hidden_iou`; NaN of others.
    """

    found: Ints
    truth: Ints
    iou: Floats
    hidden: Floats

    def take(self, rows: Ints | Bools) -> Pairs:
        """Some of the pairs."""
        return Pairs(**{f.name: getattr(self, f.name)[..., rows] for f in dataclasses.fields(self)})


def pairs(
    truth: Columns, found: Columns, truth_masks: Masks, found_masks: Masks, least: float = 0.5, mixed: bool = False
) -> Pairs:
    """Pairs within each image that reach an IoU of `least` in at least one kind.

    Args:
        mixed: also pairs of different categories.
    """
    f, t = _candidates(truth, found, mixed)
    crowd = truth.crowd[t]
    iou = np.full((3, f.size), -1.0)
    known = found.known[:, f] & truth.known[:, t]
    iou[BOX] = np.where(known[BOX], _box_iou(found.box[:, f], truth.box[:, t], crowd), -1)
    for kind, found_rles, truth_rles in (
        (AMODAL, found_masks.amodal, truth_masks.amodal),
        (INMODAL, found_masks.inmodal, truth_masks.inmodal),
    ):
        areas = found.pixels[kind, f], truth.pixels[kind, t]
        common = box_intersection(found.tight[kind - 1][:, f], truth.tight[kind - 1][:, t])
        common = np.minimum(common, np.minimum(*areas))
        bound = common / np.maximum(np.where(crowd, areas[0], areas[0] + areas[1] - common), 1)
        near = np.flatnonzero(known[kind] & (((bound >= least - 1e-9) & (common > 0)) | (iou[AMODAL] >= 0.5 - 1e-9)))
        iou[kind, near] = _mask_iou(found_rles, truth_rles, f[near], t[near], truth.crowd)
    keep = (iou >= least - 1e-9).any(0)
    f, t, iou = f[keep], t[keep], iou[:, keep]
    return Pairs(f, t, iou, np.full(f.size, np.nan))


def _candidates(truth: Columns, found: Columns, mixed: bool) -> tuple[Ints, Ints]:
    """Every detection with every ground truth of its image (and category)."""
    if not len(truth) or not len(found):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if mixed:
        keys = truth.image, found.image
    else:
        low = min(truth.category.min(), found.category.min())
        span = max(truth.category.max(), found.category.max()) - low + 1
        keys = truth.image * span + truth.category - low, found.image * span + found.category - low
    rows = np.argsort(keys[0], kind="stable")
    ordered = keys[0][rows]
    start, end = (np.searchsorted(ordered, keys[1], side=side) for side in ("left", "right"))
    count = end - start
    first = np.repeat(np.arange(len(found)), count)
    offset = np.arange(first.size) - np.repeat(np.cumsum(count) - count, count)
    return first, rows[start[first] + offset]


def box_intersection(first: Floats, second: Floats) -> Floats:
    """(N,) common area of boxes (4, N)."""
    width = np.minimum(first[0] + first[2], second[0] + second[2]) - np.maximum(first[0], second[0])
    height = np.minimum(first[1] + first[3], second[1] + second[3]) - np.maximum(first[1], second[1])
    return np.where((width > 0) & (height > 0), width * height, 0)


def _box_iou(found: Floats, truth: Floats, crowd: Bools) -> Floats:
    common = box_intersection(found, truth)
    area = found[2] * found[3]
    total = np.where(crowd, area, area + truth[2] * truth[3] - common)
    return np.asarray(np.divide(common, total, out=np.zeros_like(common), where=common > 0))


def _mask_iou(found: Sequence[Any], truth: Sequence[Any], f: Ints, t: Ints, crowd: Bools) -> Floats:
    """IoU of listed pairs, one call of the library for each ground truth."""
    iou = np.empty(f.size)
    order = np.argsort(t, kind="stable")
    rows, bounds = np.unique(t[order], return_index=True)
    ends = np.append(bounds, f.size)[1:].tolist()
    listed = f[order].tolist()
    for row, start, end in zip(rows.tolist(), bounds.tolist(), ends, strict=True):
        values = mask_iou([found[n] for n in listed[start:end]], [truth[row]], [bool(crowd[row])])
        iou[order[start:end]] = values[:, 0]
    return iou


def hidden_iou(truth: Columns, found: Columns, truth_masks: Masks, found_masks: Masks, pairs: Pairs) -> Floats:
    """(P,) IoU of the hidden regions; NaN where the ground truth has none, or one side lacks a mask.

    |Hp & Hg| = |Ap & Ag| - |Ap & Ig| - |Ip & Ag| + |Ip & Ig|, since a visible part lies inside of its object.
    """
    f, t = pairs.found, pairs.truth
    sizes = (found.pixels[AMODAL] - found.seen)[f], (truth.pixels[AMODAL] - truth.seen)[t]
    inmodal = pairs.iou[INMODAL].copy()
    wanted = found.known[1:, f].all(0) & truth.known[1:, t].all(0) & (sizes[1] > 0)
    both = np.flatnonzero(wanted & (sizes[0] > 0))
    leaky = (found.seen < found.pixels[INMODAL])[f[both]] | (truth.seen < truth.pixels[INMODAL])[t[both]]
    shares = np.zeros((both.size, 2))
    for n, d, g in zip(range(both.size), f[both].tolist(), t[both].tolist(), strict=True):
        amodal: list[Any] = [found_masks.amodal[d], truth_masks.amodal[g]]
        seen: list[Any] = [inside(found_masks, found, d), inside(truth_masks, truth, g)]
        shares[n, 0] = mask_iou(amodal[:1], seen[1:], [True])[0, 0]
        shares[n, 1] = mask_iou(seen[:1], amodal[1:], [True])[0, 0]
        if leaky[n]:
            inmodal[both[n]] = mask_iou(seen[:1], seen[1:], [False])[0, 0]
    crossed = shares * np.stack([found.pixels[AMODAL, f[both]], found.seen[f[both]]], axis=1)
    whole = _common(pairs.iou[AMODAL], found.pixels[AMODAL, f], truth.pixels[AMODAL, t])
    visible = _common(inmodal, found.seen[f], truth.seen[t])
    common = np.zeros(f.size)
    common[both] = np.rint(whole[both]) + np.rint(visible[both]) - np.rint(np.nan_to_num(crossed)).sum(1)
    return np.where(wanted, common / np.maximum(sizes[0] + sizes[1] - common, 1), np.nan)


def _common(iou: Floats, first: Floats, second: Floats) -> Floats:
    """Pixels in common, from IoU and areas."""
    iou = np.maximum(iou, 0)  # unknown ones are not used
    return np.asarray(iou * (first + second) / (1 + iou))


def inside(masks: Masks, table: Columns, row: int) -> Any:
    """The inmodal mask without what leaks out of the amodal one."""
    amodal, inmodal = masks.amodal[row], masks.inmodal[row]
    if amodal is None or inmodal is None or table.seen[row] == table.pixels[INMODAL, row]:
        return inmodal
    if row not in masks.inside:
        height, width = amodal["size"]
        masks.inside[row] = (Mask(height, width, amodal) & Mask(height, width, inmodal)).rle
    return masks.inside[row]
