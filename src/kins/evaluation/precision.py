"""Average precision and recall by COCO's definition, from matches."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from kins.evaluation.columns import Bools, Floats, Ints
from kins.evaluation.matching import THRESHOLDS, Matches

RECALLS: Floats = np.linspace(0, 1, 101)
"""Recall points at which precision is read."""
DETECTIONS = (1, 10, 100)
"""Numbers of detections an image and class for which recall is reported; the last is the most that are used."""


@dataclasses.dataclass(slots=True)
class Curves:
    """Precision and recall by class.

    Attributes:
        precision: (T, R, K) at each IoU threshold, recall point and class; NaN for classes without ground truth.
        recall: (T, K, 3) largest recall with at most 1, 10, 100 detections; NaN likewise.
        instances: (K,) number of ground truths that count.
    """

    precision: Floats
    recall: Floats
    instances: Ints


@dataclasses.dataclass(slots=True)
class Ranking:
    """Detections in the sequence in which precision runs over them, class by class.

    Attributes:
        rows: (D,) rows of the detections by class, then score from the best, then image.
        bounds: (K + 1,) where each class starts in `rows`.
        place: (D,) for each detection (not ranked), how many of its image and class score better.
    """

    rows: Ints
    bounds: Ints
    place: Ints


def ranking(label: Ints, score: Floats, place: Ints, classes: int) -> Ranking:
    """Sort detections, whose rows are in the sequence of images and of scores within each image and class."""
    rows = np.lexsort((-score, label))
    bounds = np.searchsorted(label[rows], np.arange(classes + 1))
    return Ranking(rows, bounds, place)


def curves(rank: Ranking, matched: Matches, label: Ints, ignored: Bools, outside: Bools) -> Curves:
    """Precision and recall of one set of matches.

    Args:
        matched: (D, T) row of the matched ground truth, or -1.
        label: (G,) class of the ground truths, 0 to K - 1.
        ignored: (G,) ground truths that count neither way, nor do detections matched with them.
        outside: (D,) detections that are not counted as wrong where they match nothing.
    """
    classes = rank.bounds.size - 1
    instances = np.bincount(label[~ignored], minlength=classes)
    precision = np.full((THRESHOLDS.size, RECALLS.size, classes), np.nan)
    recall = np.full((THRESHOLDS.size, classes, len(DETECTIONS)), np.nan)
    places = rank.place[rank.rows]
    most = [places < count for count in DETECTIONS]
    for t in range(THRESHOLDS.size):
        truth = matched[rank.rows, t]
        hit = truth >= 0
        neutral = np.where(hit, ignored[truth], outside[rank.rows]) if ignored.size else outside[rank.rows]
        right = hit & ~neutral
        counted = ~neutral
        before = np.concatenate([[0], np.cumsum(counted)])
        for k in np.flatnonzero(instances).tolist():
            part = slice(rank.bounds[k], rank.bounds[k + 1])
            hits = np.flatnonzero(right[part])
            precision[t, :, k] = interpolated(before[hits + part.start] - before[part.start], int(instances[k]))
            recall[t, k] = [np.count_nonzero(right[part] & few[part]) / instances[k] for few in most]
    return Curves(precision, recall, instances)


def interpolated(hits: npt.NDArray[np.intp], instances: int) -> Floats:
    """(R,) best precision at each recall or a larger one, given where in the sequence the right detections are."""
    precision = np.zeros(RECALLS.size)
    if not hits.size:
        return precision
    true = np.arange(1, hits.size + 1, dtype=np.float64)
    best = true / ((hits + 1 - true) + true + np.spacing(1))
    best = np.maximum.accumulate(best[::-1])[::-1]
    at = np.searchsorted(true / instances, RECALLS, side="left")
    reached = at < hits.size
    precision[reached] = best[at[reached]]
    return precision


def mean(values: Floats) -> float:
    """Mean over what is defined, in percent; NaN if nothing is."""
    defined = values[~np.isnan(values)]
    return float(100 * defined.mean()) if defined.size else float("nan")
