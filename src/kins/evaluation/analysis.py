"""Where precision is lost: the shares of the kinds of errors, and which class is taken for which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kins.evaluation.cases import cases, cases_of_any_class, confusion, taken_for, tally
from kins.evaluation.columns import Ints
from kins.evaluation.errors import NEAR, Analysis, error_shares, tide_shares
from kins.evaluation.evaluator import BATCH, listed_columns, scenes_of
from kins.evaluation.order import Relations
from kins.evaluation.overlap import pairs
from kins.evaluation.regions import quality_by_group
from kins.evaluation.results import Results
from kins.evaluation.table import Table, join
from kins.limits import CLASSES
from kins.records import Dataset, Scene
from kins.work import in_chunks

SURE = 0.5
"""Score from which detections are drawn, and counted in the confusion of classes."""
THRESHOLDS = (0.5, 0.75)


def analyse(dataset: Dataset, predictions: Dataset, results: Results, workers: int | None = 1) -> Analysis | None:
    """Compare the detections once more, with objects of other classes and down to a small IoU, and tell their errors.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("pictures", 5)
        >>> def discs_missed(scene):
        ...     return scene.replace(instances=tuple(i.replace(score=0.9) for i in scene if i.category != "disc"))
        >>> found = dataset.map(discs_missed)
        >>> analysis = kins.evaluation.analyse(dataset, found, kins.evaluate(dataset, found))
        >>> {name: round(points, 1) for name, points in analysis.tide["0.5"].items() if points}
        {'AP': 66.7, 'missed': 33.3}

    Args:
        results: of the same data set and predictions.
        workers: as in `evaluate`.

    Returns:
        None without amodal masks. To have it in `results.to_dict()`, set `results.analysis`.
    """
    if "amodal" not in results.kinds:
        return None

    def compared(ids: Sequence[int]) -> Table:
        return _compared_widely(*scenes_of(dataset, predictions, ids), results.categories)

    table = join(list(in_chunks(compared, results.table.images, "error analysis", workers, BATCH)))
    compared_with = table.truth, table.found, table.pairs
    groups, names = _classes(results)
    told = cases(*compared_with, THRESHOLDS[0], SURE)
    return Analysis(
        {str(threshold): error_shares(*compared_with, threshold) for threshold in THRESHOLDS},
        {str(threshold): tide_shares(*compared_with, threshold) for threshold in THRESHOLDS},
        confusion(
            cases_of_any_class(*compared_with, THRESHOLDS[0], SURE), table.found, groups, list(results.categories)
        ).tolist(),
        names,
        tally(told, cases(*compared_with, THRESHOLDS[0], 0.0), results.categories),
        taken_for(told, table.found, results.categories),
        quality_by_group(results.table, results.categories),
    )


def _classes(results: Results) -> tuple[Ints, list[str]]:
    """The row of each category in the table of confusion, and the rows' names: all that are not among the most
    frequent ones have the last row together."""
    kept, _ = main_categories(results)
    known = set(kept)
    others = [key for key in results.categories if key not in known]
    place = dict.fromkeys(others, len(kept)) | {key: row for row, key in enumerate(kept)}
    names = [results.categories[key] for key in kept] + ([f"{len(others)} others"] if others else [])
    return np.array([place[key] for key in results.categories], np.int64), names


def main_categories(results: Results) -> tuple[list[int], str]:
    """The ids of all categories, or of those with the most objects where kins.limits allows no more in a report; and a
    line that says so, or nothing."""
    ids, most = list(results.categories), CLASSES.value
    if len(ids) <= most:
        return ids, ""
    truth = results.table.truth
    counts = np.bincount(np.searchsorted(ids, truth.category[~truth.crowd]), minlength=len(ids))
    kept = np.sort(np.argsort(-counts, kind="stable")[:most]).tolist()
    note = f"the {most} categories with the most objects of {len(ids)} are shown; {CLASSES.variable} allows more"
    return [ids[row] for row in kept], note


def _compared_widely(scenes: Sequence[Scene], predictions: Sequence[Scene], categories: Iterable[int]) -> Table:
    """A batch of images with the pairs that have a small IoU, of different classes too; nothing is matched."""
    truth, found, place = listed_columns(scenes, predictions, categories)
    near = pairs(truth[0], found[0], truth[1], found[1], NEAR, mixed=True)
    nothing = np.zeros(near.found.size, bool)
    return Table([s.image.id for s in scenes], truth[0], found[0], place, near, nothing, Relations.joined([]))
