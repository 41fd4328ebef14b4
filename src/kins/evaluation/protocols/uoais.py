"""UOAIS's figures over all detections of an image: pixels found, and objects rightly called occluded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hotcoco.primitives import lsap
from numpy.typing import NDArray

from kins.evaluation.columns import AMODAL, Bools, Floats, Ints, columns
from kins.evaluation.evaluator import BATCH, scenes_of
from kins.evaluation.protocols.parts import Figures, Side, hidden_region
from kins.evaluation.protocols.precision import HIDDEN_FROM, uoais_precision
from kins.masks.table import Spans
from kins.records import Dataset, on_one_canvas
from kins.work import in_chunks

SURE = 0.5
"""Detections with a larger score count."""
GOOD = 0.75
"""F-measure above which a region counts as found."""
PIXELS = ("precision", "recall", "F", "found75", "IoU")


def uoais(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """UOAIS's figures: AP as `uoais_precision`; and of detections with a score above 0.5, matched with objects one
    to one by the F-measure of amodal masks (largest sum, classes don't matter), means over images in percent:

    - precision, recall and F of all pixels of amodal masks, and of the hidden regions of what is said to be occluded;
      the share of regions found with an F above 0.75; IoU of the matched regions' pixels;
    - occluded or not: matched objects rightly called occluded or unoccluded, by all detections (precision), all objects
      (recall), and matched objects (accuracy).
    """

    def part(ids: Sequence[int]) -> list[Floats]:
        both = [on_one_canvas(*pair) for pair in zip(*scenes_of(dataset, predictions, ids), strict=True)]
        truth = Side(*columns([pair[0] for pair in both], False))
        found = Side(*columns([pair[1] for pair in both], True))
        found = found.take(np.flatnonzero(found.table.score > SURE))
        hidden = [hidden_region(side, detected)[0] for side, detected in ((truth, False), (found, True))]
        said = [_occluded(truth, hidden[0]), _occluded(found, hidden[1])]
        mine = [[np.flatnonzero(side.table.image == n) for side in (truth, found)] for n in range(len(both))]
        return [_image(truth, found, hidden, said, *rows) for rows in mine]

    rows = uoais_precision(dataset, predictions, workers)
    images = np.array(
        [image for chunk in in_chunks(part, list(dataset.images), "evaluating", workers, BATCH) for image in chunk]
    )
    means = (100 * images.mean(0)).tolist()
    rows["amodal pixels"] = dict(zip(PIXELS, means[:5], strict=True))
    rows["hidden pixels"] = dict(zip(PIXELS, means[5:10], strict=True))
    right, matched, said, objects = images[:, 10:].sum(0).tolist()
    precision, recall = (100 * right / count if count else 0.0 for count in (said, objects))
    rows["occluded or not"] = {
        "precision": precision,
        "recall": recall,
        "F": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "accuracy": 100 * right / matched if matched else 0.0,
    }
    return rows


def _occluded(side: Side, hidden: Spans) -> Bools:
    """(N,) by the score of it, or else by the share of the amodal mask's size that the hidden region has."""
    with np.errstate(invalid="ignore", divide="ignore"):
        by_masks = hidden.area / side.table.pixels[AMODAL] >= HIDDEN_FROM
    score = side.table.occlusion_score
    return np.where(np.isnan(score), by_masks, score >= 0.5)


def _image(truth: Side, found: Side, hidden: list[Spans], said: list[Bools], t: Ints, f: Ints) -> Floats:
    """(14,) five shares of amodal masks, five of hidden regions, four counts; of the rows t and f."""
    areas = truth.table.pixels[AMODAL, t], found.table.pixels[AMODAL, f]
    i, j = (axis.ravel() for axis in np.indices((t.size, f.size)))
    common = truth.masks.amodal.common(t[i], found.masks.amodal, f[j]).reshape(t.size, f.size)
    measure = 2 * common / np.maximum(areas[0][:, None] + areas[1], 1)
    i, j = (np.asarray(axis, np.int64) for axis in (lsap(measure, maximize=True) if t.size and f.size else ([], [])))
    whole = _shares(common[i, j], areas[0][i], areas[1][j], (areas[0].sum(), areas[1].sum()), (t.size, f.size))
    right = said[0][t[i]] == said[1][f[j]]
    both = said[0][t[i]] & said[1][f[j]]
    sizes = hidden[0].area[t], hidden[1].area[f]
    part = hidden[0].common(t[i[both]], hidden[1], f[j[both]])
    claimed = said[0][t], said[1][f]
    totals = float(sizes[0][claimed[0]].sum()), float(sizes[1][claimed[1]].sum())
    counts = int(claimed[0].sum()), int(claimed[1].sum())
    regions = _shares(part, sizes[0][i[both]], sizes[1][j[both]], totals, counts)
    # Its program adds the size of every matched detection's hidden region to the union, occluded or not.
    union = sizes[0][i[both]].sum() + sizes[1][j].sum() - part.sum()
    regions[4] = part.sum() / union if union else 0.0
    return np.concatenate([whole, regions, [right.sum(), i.size, f.size, t.size]])


def _shares(
    common: Ints, true: NDArray[Any], said: NDArray[Any], totals: tuple[float, float], counts: tuple[int, int]
) -> Floats:
    """(5,) precision, recall, F, share of regions with F above GOOD, IoU; from the pixels of matched regions.

    Args:
        totals, counts: pixels and number of all regions, of ground truth and detections.
    """
    if not all(counts):
        nothing = float(not any(counts))
        return np.array([float(not counts[1]), float(not counts[0]), nothing, nothing, 0.0])
    total = float(common.sum())
    recall, precision = (total / whole if whole else 0.0 for whole in totals)
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    good = int((2 * common / np.maximum(true + said, 1) > GOOD).sum())
    union = float(true.sum() + said.sum()) - total
    return np.array([precision, recall, f, good / counts[0], total / union if union else 0.0])
