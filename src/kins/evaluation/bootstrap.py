"""How sure are the figures? Intervals from drawing the images again and again, the same ones for every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kins.evaluation.columns import KINDS, Floats, Ints
from kins.evaluation.matching import THRESHOLDS, match, plan
from kins.evaluation.precision import RECALLS

if TYPE_CHECKING:
    from kins.evaluation.results import Results

SAMPLES = 200


def bootstrap(results: Results, kind: str, samples: int = SAMPLES, seed: int = 0) -> dict[str, Floats]:
    """AP and AP50 of a kind over images drawn with replacement, in percent: (samples,) each.

    Runs over the same images draw the same ones for a seed, so that differences between runs can be taken sample by
    sample.
    """
    table = results.table
    truth, found = table.truth, table.found
    images = len(table.images)
    times = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), samples).astype(np.int32)
    ids = np.array(list(results.categories))
    steps = plan(table.pairs.found, table.pairs.truth, table.pairs.iou[KINDS.index(kind)], truth.crowd, len(found))
    matched = match(steps, truth.crowd)
    precision = np.full((len(ids), THRESHOLDS.size, samples), np.nan)
    for k, category in enumerate(ids.tolist()):
        mine = ~truth.crowd & (truth.category == category)
        counts = times[:, truth.image[mine]].sum(1)
        rows = np.flatnonzero(found.category == category)
        rows = rows[np.argsort(-found.score[rows], kind="stable")]
        for t in range(THRESHOLDS.size):
            hit = matched[t, rows]
            counted = rows[(hit < 0) | ~truth.crowd[hit]] if len(truth) else rows
            weights = times[:, found.image[counted]]
            precision[k, t] = _average_precision(weights, np.flatnonzero(matched[t, counted] >= 0), counts)
    everything: Floats = precision.mean(1)
    return {"AP": _over_classes(everything), "AP50": _over_classes(precision[:, 0])}


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of samples."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _over_classes(values: Floats) -> Floats:
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(0)
    return np.where(known.any(0), 100 * total / np.maximum(known.sum(0), 1), np.nan)


def _average_precision(weights: npt.NDArray[np.int32], hits: Ints, counts: Ints) -> Floats:
    """(samples,) AP where each detection (column) comes as often as a sample's weight says; NaN without instances."""
    values = np.where(counts > 0, 0.0, np.nan)
    if not hits.size:
        return values
    right = np.cumsum(weights[:, hits], axis=1, dtype=np.int32)
    said = np.cumsum(weights, axis=1, dtype=np.int32)[:, hits]
    best = np.maximum.accumulate((right / np.maximum(said, 1))[:, ::-1], axis=1)[:, ::-1]
    rows = np.flatnonzero(counts)[:, None]
    # All samples in one search: a row's numbers are above those of the rows before it.
    needed = _least(counts[rows])
    far = int(counts.max()) + 2
    at = np.searchsorted((rows * far + right[rows[:, 0]]).ravel(), rows * far + needed, side="left")
    at -= np.arange(len(rows))[:, None] * hits.size
    reached = at < hits.size
    values[rows[:, 0]] = np.where(reached, best[rows, np.minimum(at, hits.size - 1)], 0).sum(1) / RECALLS.size
    return values


def _least(counts: Ints) -> Ints:
    """(N, R) the least number of right ones of so many (N, 1) that reaches each recall."""
    least = np.ceil(RECALLS * counts).astype(np.int64)
    least -= (least - 1) / counts >= RECALLS  # where rounding went up
    return np.asarray(least + (least / counts < RECALLS), np.int64)
