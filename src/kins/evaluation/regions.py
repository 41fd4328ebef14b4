"""Quality of matched regions, and whether matched objects are rightly called occluded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kins.evaluation.cases import groups
from kins.evaluation.columns import AMODAL, INMODAL, KINDS, Bools, Floats
from kins.evaluation.precision import percent, precision_recall
from kins.evaluation.table import Table
from kins.occlusion import HEAVY, PARTIAL


def region_quality(table: Table) -> dict[str, float]:
    """Mean IoU in percent over matched pairs.

    Returns:
        pairs: number of pairs; amodal, inmodal: mean IoU; hidden_pairs, hidden: of those whose ground truth has a
        hidden region, the IoU of that region with the hidden part of the detection; hidden_partial and hidden_heavy:
        the same over one occlusion level.
    """
    chosen = table.chosen
    iou, hidden = table.pairs.iou[:, chosen], table.pairs.hidden[chosen]
    rate = table.truth.rate[table.pairs.truth[chosen]]
    known = ~np.isnan(hidden)
    return {
        "pairs": int(chosen.size),
        "amodal": percent(iou[AMODAL]),
        "inmodal": percent(iou[INMODAL][iou[INMODAL] >= 0]),
        "hidden_pairs": int(known.sum()),
        "hidden": percent(hidden[known]),
        "hidden_partial": percent(hidden[known & (rate >= PARTIAL) & (rate <= HEAVY)]),
        "hidden_heavy": percent(hidden[known & (rate > HEAVY)]),
    }


def quality_by_group(table: Table, categories: Mapping[int, str]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean IoU in percent over matched pairs, by class, size and occlusion level of the object.

    Returns:
        By `all`, `class`, `size`, `level`, then by name: `pairs`; IoU of `box`, `amodal`, `inmodal`, and of `hidden`
        regions where at least 1 % is hidden; and `order`, in how many pairs of wrong order they are the one behind.
    """
    chosen, truth, relations = table.chosen, table.truth, table.relations
    rows = table.pairs.truth[chosen]
    iou = np.concatenate([table.pairs.iou[:, chosen], table.pairs.hidden[None, chosen]])
    iou[iou < 0] = np.nan
    iou[-1, truth.rate[rows] < PARTIAL] = np.nan  # slivers that rounded outlines make
    order = np.bincount(relations.sides[1][relations.wrong], minlength=len(truth))[rows]
    parts = groups(truth.category[rows], truth.area[AMODAL, rows], truth.rate[rows], categories)

    def of(inside: Bools) -> dict[str, float]:
        values = [percent(row[inside & ~np.isnan(row)]) for row in iou]
        named = dict(zip((*KINDS, "hidden"), values, strict=True))
        return {"pairs": int(inside.sum()), **named, "order": int(order[inside].sum())}

    return {group: {name: of(inside) for name, inside in of_group.items()} for group, of_group in parts.items()}


def occlusion_classification(table: Table) -> dict[str, float]:
    """Of matched pairs, whether occlusion_score says that the ground truth is occluded (a rate of at least 0.01).

    Accuracy, precision, recall and F1 call a detection occluded from a score of 0.5; AP is the area under the
    precision-recall curve over all scores. In percent; empty where no detection has an occlusion score.
    """
    chosen = table.chosen
    score = table.found.occlusion_score[table.pairs.found[chosen]]
    rate = table.truth.rate[table.pairs.truth[chosen]]
    known = ~np.isnan(score) & ~np.isnan(rate)
    if not known.any():
        return {}
    score, truth = score[known], rate[known] >= PARTIAL
    said = score >= 0.5
    return {
        "pairs": int(known.sum()),
        "occluded": int(truth.sum()),
        "accuracy": percent(said == truth),
        **precision_recall(int((said & truth).sum()), int(said.sum()), int(truth.sum())),
        "AP": 100 * ranked_precision(score, truth),
    }


def ranked_precision(score: Floats, truth: Bools) -> float:
    """Sum over recall steps of step times precision; equal scores come together. NaN without a true one."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    right = np.cumsum(truth[order])[last]
    precision = right / (np.flatnonzero(last) + 1)
    return float((np.diff(right, prepend=0) * precision).sum() / truth.sum())
