"""Which ground truths and detections overlap, and how much."""

from __future__ import annotations

import dataclasses

import numpy as np

from kins.evaluation.columns import AMODAL, BOX, INMODAL, Bools, Columns, Floats, Ints, Masks
from kins.masks.table import Spans


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
    f, t = candidates(truth, found, mixed)
    crowd = truth.crowd[t]
    iou = np.full((3, f.size), -1.0)
    known = found.known[:, f] & truth.known[:, t]
    iou[BOX] = np.where(known[BOX], box_iou(found.box[:, f], truth.box[:, t], crowd), -1)
    for kind, found_spans, truth_spans in (
        (AMODAL, found_masks.amodal, truth_masks.amodal),
        (INMODAL, found_masks.inmodal, truth_masks.inmodal),
    ):
        areas = found.pixels[kind, f], truth.pixels[kind, t]
        most = box_intersection(found_masks.tight[kind - 1][:, f], truth_masks.tight[kind - 1][:, t])
        enough = may_reach(least, most, *areas, crowd)
        near = np.flatnonzero(known[kind] & (enough | (iou[AMODAL] >= 0.5 - 1e-9)))
        common = found_spans.common(f[near], truth_spans, t[near]).astype(np.float64)
        iou[kind, near] = share(common, areas[0][near], areas[1][near], crowd[near])
    keep = (iou >= least - 1e-9).any(0)
    f, t, iou = f[keep], t[keep], iou[:, keep]
    return Pairs(f, t, iou, np.full(f.size, np.nan))


def candidates(truth: Columns, found: Columns, mixed: bool) -> tuple[Ints, Ints]:
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


def box_iou(found: Floats, truth: Floats, crowd: Bools) -> Floats:
    """(N,) IoU of boxes (4, N), as `share`."""
    return share(box_intersection(found, truth), found[2] * found[3], truth[2] * truth[3], crowd)


def may_reach(least: float, most: Floats, found: Floats, truth: Floats, crowd: Bools) -> Bools:
    """(N,) whether the IoU may be `least`, given areas and at most so many common pixels."""
    most = np.minimum(most, np.minimum(found, truth))
    return np.asarray((most > 0) & (share(most, found, truth, crowd) >= least - 1e-9))


def share(common: Floats, found: Floats, truth: Floats, crowd: Bools) -> Floats:
    """(N,) common area over that of both, or over the detection's own where the ground truth is a crowd."""
    total = np.where(crowd, found, found + truth - common)
    return np.asarray(np.divide(common, total, out=np.zeros_like(common), where=common > 0))


def hidden_iou(truth: Columns, found: Columns, truth_masks: Masks, found_masks: Masks, pairs: Pairs) -> Floats:
    """(P,) IoU of the hidden regions; NaN where the ground truth has none, or one side lacks a mask.

    |Hp & Hg| = |Ap & Ag| - |Ap & Ig| - |Ip & Ag| + |Ip & Ig|, since a visible part lies inside of its object.
    """
    f, t = pairs.found, pairs.truth
    sizes = found.hidden[f], truth.hidden[t]
    wanted = found.known[1:, f].all(0) & truth.known[1:, t].all(0) & (sizes[1] > 0)
    both = np.flatnonzero(wanted & (sizes[0] > 0))

    def common(first: Spans, second: Spans) -> Ints:
        return first.common(f[both], second, t[both])

    whole, visible = common(found_masks.amodal, truth_masks.amodal), common(found_masks.inside, truth_masks.inside)
    crossed = common(found_masks.amodal, truth_masks.inside) + common(found_masks.inside, truth_masks.amodal)
    hidden = np.zeros(f.size)
    hidden[both] = whole + visible - crossed
    return np.where(wanted, hidden / np.maximum(sizes[0] + sizes[1] - hidden, 1), np.nan)
