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
        recall: (T, K, 3) largest recall with at most 1, 10, 100 detections (or other numbers); NaN likewise.
        instances: (K,) number of ground truths that count.
    """

    precision: Floats
    recall: Floats
    instances: Ints


@dataclasses.dataclass(slots=True)
class Ranking:
    """Detections in the sequence in which precision runs over them: by class, then score from the best, then image.

    Attributes:
        rows: (D,) rows of the detections.
        position: (D,) for each row, where it stands in `rows`.
        place: (D,) for each ranked detection, how many of its image and class score better.
        start: (K + 1,) where each class starts.
    """

    rows: Ints
    position: Ints
    place: Ints
    start: Ints


def ranking(label: Ints, score: Floats, place: Ints, classes: int) -> Ranking:
    """Sort detections, whose rows are in the sequence of images and of scores within each image and class."""
    rows = np.lexsort((-score, label))
    position = np.empty_like(rows)
    position[rows] = np.arange(rows.size)
    return Ranking(rows, position, place[rows], np.searchsorted(label[rows], np.arange(classes + 1)))


def curves(
    rank: Ranking,
    matched: Matches,
    label: Ints,
    ignored: Bools,
    outside: Bools,
    numbers: tuple[int, ...] = DETECTIONS,
) -> Curves:
    """Precision and recall of one set of matches.

    Args:
        matched: (T, D) row of the ground truth that each ranked detection matches, or -1.
        label: (G,) class of the ground truths, 0 to K - 1.
        ignored: (G,) ground truths that count neither way, nor do detections matched with them.
        outside: (D,) ranked detections that are not counted as wrong where they match nothing.
        numbers: of detections an image and class, with which recall is measured.
    """
    classes, size = rank.start.size - 1, matched.shape[1]
    instances = np.bincount(label[~ignored], minlength=classes)
    hit = matched >= 0
    neutral = ~hit & outside
    if ignored.any():
        neutral |= hit & np.append(ignored, False)[matched]
    counted = np.flatnonzero(~neutral)  # in the rows one after the other
    right = np.flatnonzero(hit.ravel()[counted])
    firsts = np.arange(THRESHOLDS.size)[:, None] * size + rank.start  # of each class
    before = np.searchsorted(counted, firsts)
    bounds = np.searchsorted(right, before)
    precision = np.full((THRESHOLDS.size, RECALLS.size, classes), np.nan)
    for t in range(THRESHOLDS.size):
        for k in np.flatnonzero(instances).tolist():
            numbered = right[bounds[t, k] : bounds[t, k + 1]] + 1 - before[t, k]
            precision[t, :, k] = interpolated(numbered, int(instances[k]))
    found = [bounds] * len(numbers)
    for column, most in enumerate(numbers):
        if (rank.place >= most).any():
            found[column] = np.searchsorted(np.flatnonzero(hit & ~neutral & (rank.place < most)), firsts)
    recall = np.full((THRESHOLDS.size, classes, len(numbers)), np.nan)
    np.divide(np.diff(np.stack(found, 2), axis=1), instances[:, None], out=recall, where=instances[:, None] > 0)
    return Curves(precision, recall, instances)


def interpolated(counted: npt.NDArray[np.intp], instances: int, recalls: Floats = RECALLS) -> Floats:
    """(R,) best precision at each recall or a larger one, given the number of detections up to each right one."""
    precision = np.zeros(recalls.size)
    if not counted.size:
        return precision
    true = np.arange(1, counted.size + 1, dtype=np.float64)
    best = true / ((counted - true) + true + np.spacing(1))
    best = np.maximum.accumulate(best[::-1])[::-1]
    at = np.searchsorted(true / instances, recalls, side="left")
    reached = at < counted.size
    precision[reached] = best[at[reached]]
    return precision


def mean(values: Floats) -> float:
    """Mean over what is defined, in percent; NaN if nothing is."""
    defined = values[~np.isnan(values)]
    return float(100 * defined.mean()) if defined.size else float("nan")


def precision_recall(right: int, said: int, true: int) -> dict[str, float]:
    """Precision, recall and F1 in percent; NaN where there is nothing to divide by."""
    return {
        "precision": 100 * right / said if said else float("nan"),
        "recall": 100 * right / true if true else float("nan"),
        "F1": 200 * right / (said + true) if said + true else float("nan"),
    }


def percent(values: Floats | Bools) -> float:
    """Mean in percent, NaN of nothing."""
    return float(100 * np.mean(values)) if values.size else float("nan")
