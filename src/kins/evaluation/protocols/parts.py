"""Average precision of any part of an object: images compared part by part, as the protocols need them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from kins.errors import KinsError
from kins.evaluation.columns import AMODAL, BOX, INMODAL, KINDS, Bools, Columns, Floats, Ints, Masks, columns
from kins.evaluation.evaluator import BATCH, best_detections, scenes_of
from kins.evaluation.order import Relations
from kins.evaluation.overlap import Pairs, box_intersection, box_iou, candidates, may_reach, share
from kins.evaluation.precision import DETECTIONS, Curves, mean, ranking
from kins.evaluation.results import scoring
from kins.evaluation.table import Table, join
from kins.masks.table import Spans
from kins.records import Dataset, Scene, on_one_canvas
from kins.work import in_chunks

Figures = dict[str, dict[str, float]]
"""By row of the table that a protocol prints, by name: percent, but for counts, which are integers."""
LEAST = 0.5
"""Least IoU that any of the protocols asks for."""


@dataclasses.dataclass(slots=True)
class Side:
    """Instances of some images, ground truth or detections, with their masks."""

    table: Columns
    masks: Masks

    def take(self, rows: Ints) -> Side:
        """Some of the rows."""
        return Side(self.table.take(rows), self.masks.take(rows))


Part = Callable[[Side, bool], tuple[Spans, Floats, Floats]]
"""A kind of mask: of a side (and whether that is detections) the masks, their (N,) pixels, (4, N) boxes around them."""


def amodal_mask(side: Side, found: bool) -> tuple[Spans, Floats, Floats]:
    """The whole object."""
    return side.masks.amodal, side.table.pixels[AMODAL], side.masks.tight[0]


def inmodal_mask(side: Side, found: bool) -> tuple[Spans, Floats, Floats]:
    """What is seen."""
    return side.masks.inmodal, side.table.pixels[INMODAL], side.masks.tight[1]


def hidden_region(side: Side, found: bool) -> tuple[Spans, Floats, Floats]:
    """What is not seen; of detections what only one of the two masks has, as UOAIS makes it."""
    visible = side.masks.inmodal if found else side.masks.inside
    mask = side.masks.amodal.apart(visible)
    low = np.minimum(side.masks.tight[0][:2], side.masks.tight[1][:2])
    high = np.maximum(*(side.masks.tight[k][:2] + side.masks.tight[k][2:] for k in (0, 1)))
    return mask, mask.area.astype(np.float64), np.concatenate([low, high - low])


def amodal_box(side: Side) -> tuple[Floats, Bools]:
    """Boxes as stated, or else of the amodal masks; and whether they are known."""
    return side.table.box, side.table.known[BOX]


def inmodal_box(side: Side) -> tuple[Floats, Bools]:
    """Boxes of the inmodal masks' pixels."""
    return side.masks.tight[1], side.table.known[INMODAL]


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """How images are compared.

    Attributes:
        boxes, masks: functions of this module; the rows of the pairs' IoU, in this sequence.
        needed: the kinds that every instance needs.
        keep: of a side, and whether it is detections, (N,) which instances count at all.
        one_class: classes don't matter; `category` of the table is 1 for COCOA's stuff (isStuff), else 0.
        most: detections an image and class, the best ones.
    """

    boxes: tuple[Callable[[Side], tuple[Floats, Bools]], ...] = ()
    masks: tuple[Part, ...] = ()
    needed: tuple[int, ...] = (AMODAL, INMODAL)
    keep: Callable[[Columns, bool], Bools] | None = None
    one_class: bool = False
    most: int = DETECTIONS[-1]


@contextmanager
def blamed_on(dataset: Dataset) -> Iterator[None]:
    """Errors in the block name the data set's file."""
    try:
        yield
    except KinsError as error:
        if dataset.path is None or str(dataset.path) in str(error):
            raise
        raise KinsError(f"{dataset.path}: {error}") from None


def compared(dataset: Dataset, predictions: Dataset, how: Comparison, workers: int | None) -> Table:
    """All images compared; nothing is matched. Raises KinsError as `kins.evaluation.evaluate`."""

    def part(ids: Sequence[int]) -> Table:
        both = [on_one_canvas(*pair) for pair in zip(*scenes_of(dataset, predictions, ids), strict=True)]
        with blamed_on(dataset):
            truth = _side([pair[0] for pair in both], False, dataset.categories, how)
        found = _side([pair[1] for pair in both], True, dataset.categories, how)
        rows, place = best_detections(found.table, how.most)
        found = found.take(rows)
        near = _pairs(truth, found, how)
        nothing = np.zeros(near.found.size, bool)
        return Table(list(ids), truth.table, found.table, place, near, nothing, Relations.joined([]))

    return join(list(in_chunks(part, list(dataset.images), "evaluating", workers, BATCH)))


def _side(scenes: Sequence[Scene], found: bool, categories: Mapping[int, str], how: Comparison) -> Side:
    side = Side(*columns(scenes, found))
    for kind in how.needed:
        for row in np.flatnonzero(~side.table.known[kind]).tolist():
            what = "detection" if found else "annotation"
            raise KinsError(f"{what} {side.table.id[row]} has no {KINDS[kind]} mask, which this protocol needs")
    if how.one_class:
        stuff = [not found and bool(instance.extra.get("isStuff")) for scene in scenes for instance in scene]
        side.table.category = np.array(stuff, np.int64)
        wanted = np.ones(len(stuff), bool)
    else:
        wanted = np.isin(side.table.category, list(categories))
    if how.keep is not None:
        wanted &= how.keep(side.table, found)
    return side if wanted.all() else side.take(np.flatnonzero(wanted))


def _pairs(truth: Side, found: Side, how: Comparison) -> Pairs:
    f, t = candidates(truth.table, found.table, how.one_class)
    crowd = truth.table.crowd[t]
    iou = np.full((len(how.boxes) + len(how.masks), f.size), -1.0)
    for row, box in enumerate(how.boxes):
        (stated, known), (wanted, known_too) = box(found), box(truth)
        iou[row] = np.where(known[f] & known_too[t], box_iou(stated[:, f], wanted[:, t], crowd), -1)
    for row, mask in enumerate(how.masks, len(how.boxes)):
        (mine, area, tight), (theirs, other_area, other_tight) = mask(found, True), mask(truth, False)
        most = box_intersection(tight[:, f], other_tight[:, t])
        near = np.flatnonzero(may_reach(LEAST, most, area[f], other_area[t], crowd))
        common = mine.common(f[near], theirs, t[near]).astype(np.float64)
        iou[row, near] = share(common, area[f[near]], other_area[t[near]], crowd[near])
    keep = (iou >= LEAST - 1e-9).any(0)
    return Pairs(f[keep], t[keep], iou[:, keep], np.full(int(keep.sum()), np.nan))


def scored(
    table: Table, row: int, classes: Sequence[int], numbers: tuple[int, ...] = DETECTIONS
) -> Callable[[Bools, Bools], Curves]:
    """As `results.scoring`, of a row of the pairs' IoU; one class for all where there are none in `classes`."""
    label = np.searchsorted(classes, table.truth.category) if classes else np.zeros_like(table.truth.category)
    said = np.searchsorted(classes, table.found.category) if classes else np.zeros_like(table.found.category)
    rank = ranking(said, table.found.score, table.place, max(len(classes), 1))
    return scoring(table, row, rank, label, numbers)


def figures(curves: Curves) -> dict[str, float]:
    """AP, AP50 and AP75 in percent."""
    precision = curves.precision
    return {"AP": mean(precision), "AP50": mean(precision[0]), "AP75": mean(precision[5])}


def recalls(curves: Curves, numbers: Sequence[int] = DETECTIONS) -> dict[str, float]:
    """AR1, AR10, AR100 in percent, or with these numbers of detections."""
    return {f"AR{number}": mean(curves.recall[:, :, n]) for n, number in enumerate(numbers)}
