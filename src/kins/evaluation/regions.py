"""Quality of matched regions, and whether matched objects are rightly called occluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kins.evaluation.columns import AMODAL, INMODAL, Bools, Floats, Ints
from kins.evaluation.matching import match, plan
from kins.evaluation.overlap import Pairs
from kins.occlusion import HEAVY, PARTIAL

if TYPE_CHECKING:
    from kins.evaluation.evaluator import Table

LEAST = 0.5
"""Amodal IoU from which a detection and a ground truth of one class count as the same object."""


def matched_pairs(pairs: Pairs, crowd: Bools, detections: int) -> Ints:
    """Indices into `pairs` of those that COCO's greedy matching joins at an amodal IoU of 0.5; without crowds."""
    steps = plan(pairs.found, pairs.truth, pairs.iou[AMODAL], crowd, detections, np.array([LEAST]))
    truth = match(steps, crowd)[0]
    return np.flatnonzero((truth[pairs.found] == pairs.truth) & ~crowd[pairs.truth])


def region_quality(table: Table, chosen: Ints) -> dict[str, float]:
    """Mean IoU in percent over matched pairs.

    Returns:
        pairs: number of pairs; amodal, inmodal: mean IoU; hidden_pairs, hidden: of those whose ground truth has a
        hidden region, the IoU of that region with the hidden part of the detection; hidden_partial and hidden_heavy:
        the same over one occlusion level.
    """
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


def occlusion_classification(table: Table, chosen: Ints) -> dict[str, float]:
    """Of matched pairs, whether occlusion_score says that the ground truth is occluded (a rate of at least 0.01).

    Accuracy, precision, recall and F1 call a detection occluded from a score of 0.5; AP is the area under the
    precision-recall curve over all scores. In percent; empty where no detection has an occlusion score.
    """
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


def precision_recall(right: int, said: int, true: int) -> dict[str, float]:
    """Precision, recall and F1 in percent; NaN where there is nothing to divide by."""
    return {
        "precision": 100 * right / said if said else float("nan"),
        "recall": 100 * right / true if true else float("nan"),
        "F1": 200 * right / (said + true) if said + true else float("nan"),
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


def percent(values: Floats | Bools) -> float:
    """Mean in percent, NaN of nothing."""
    return float(100 * np.mean(values)) if values.size else float("nan")
