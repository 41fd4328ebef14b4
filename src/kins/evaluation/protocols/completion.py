"""Masks completed for given objects, as C2F-Seg and as PCNet (Scene De-occlusion) count them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from kins.evaluation.columns import Bools, Floats, Ints
from kins.evaluation.completion import owners_of
from kins.evaluation.evaluator import BATCH, scenes_of
from kins.evaluation.precision import percent
from kins.evaluation.protocols.parts import Figures, blamed_on
from kins.masks import Mask, spans
from kins.masks.table import Spans
from kins.records import Dataset, Instance, on_one_canvas
from kins.work import in_chunks

MASKS: tuple[Literal["amodal", "inmodal"], ...] = ("amodal", "inmodal")
SAME = 0.5
"""IoU of visible masks from which a detection is taken for the completion of an object."""
FULL_SMOOTHING, HIDDEN_SMOOTHING = 1e-10, 1e-6
"""C2F-Seg adds the first to both sides of the whole masks' IoU, the second below that of the hidden regions."""


@dataclasses.dataclass(slots=True)
class Counts:
    """Pixels of N objects.

    Attributes:
        given: (N,) whether there is a prediction.
        whole, visible, inside: (N,) of the amodal mask, the inmodal mask, and both.
        found: (N,) of the predicted amodal mask; shared, seen, shared_seen: what of it lies in the amodal mask, in the
            inmodal one, and in both. Nothing where there is no prediction.
    """

    given: Bools
    whole: Ints
    visible: Ints
    inside: Ints
    found: Ints
    shared: Ints
    seen: Ints
    shared_seen: Ints

    @property
    def full(self) -> Floats:
        """(N,) IoU of the whole masks."""
        union = self.found + self.whole - self.shared
        return np.asarray((self.shared + FULL_SMOOTHING) / (union + FULL_SMOOTHING))

    @property
    def occluded(self) -> Floats:
        """(N,) IoU of both masks without the given visible one; 0 where nothing is hidden."""
        shared = self.shared - self.shared_seen
        union = self.found - self.seen + self.whole - self.inside - shared
        return np.asarray(shared / (union + HIDDEN_SMOOTHING))


def c2f_seg(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """C2F-Seg's mean IoU of whole masks (`full`) and of their hidden parts (`occluded`), in percent.

    `occluded` is a sum over all objects, divided by the number of those whose amodal and inmodal mask differ in size.
    The rows `visible added` are what its authors call post-processed: the union of the predicted mask and the visible
    one that it was made from (the prediction's, or else the object's). Objects without a prediction are left out
    (`missing skipped`), as in its lists, or count 0.
    """
    rows: Figures = {}
    for name, added in (("", False), (", visible added", True)):
        counts = count(dataset, predictions, added, workers)
        counted = counts.whole != counts.visible
        for missing, listed in (("skipped", counts.given), ("as zero", np.ones_like(counts.given))):
            occluded = int((counted & listed).sum())
            rows[f"missing {missing}{name}"] = {
                "objects": int(listed.sum()),
                "occluded_objects": occluded,
                "full": percent(np.where(counts.given, counts.full, 0)[listed]),
                "occluded": 100 * float(counts.occluded[listed].sum()) / occluded if occluded else float("nan"),
            }
    return rows


def pcnet(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """PCNet's figures: intersection over union of all pixels of all objects together (mIoU), and the share of the
    objects' pixels that are found (pAcc). An object without a prediction has no pixel found."""
    counts = count(dataset, predictions, False, workers)
    shared, whole = int(counts.shared.sum()), int(counts.whole.sum())
    union = int(counts.found.sum()) + whole - shared
    miou, accuracy = 100 * shared / (union + 1e-10), 100 * shared / (whole + 1e-10)
    return {"objects": {"objects": len(counts.given), "mIoU": miou, "pAcc": accuracy}}


def count(dataset: Dataset, predictions: Dataset, added: bool, workers: int | None) -> Counts:
    """Pixels of all objects but crowds.

    Args:
        added: the visible mask is added to the predicted one.
    """

    def part(ids: Sequence[int]) -> Counts:
        truth: list[Instance] = []
        found: list[Instance | None] = []
        for scene, guess in pairs_of(dataset, predictions, ids):
            truth += scene
            found += guess
        with blamed_on(dataset):
            masks = [[instance.require(kind) for instance in truth] for kind in MASKS]
            sides = [spans(side)[:2] for side in masks]
        return _counted(sides, truth, found, added)

    parts = list(in_chunks(part, list(dataset.images), "evaluating", workers, BATCH))
    return Counts(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(Counts)))


def pairs_of(
    dataset: Dataset, predictions: Dataset, ids: Sequence[int], crowds: bool = False
) -> list[tuple[list[Instance], list[Instance | None]]]:
    """The objects of each image (crowds only if asked for), and the prediction for each: see `owners_of`."""
    pairs = []
    for scene, guesses in zip(*scenes_of(dataset, predictions, ids), strict=True):
        one, other = on_one_canvas(scene, guesses)
        objects = [instance for instance in one if crowds or not instance.crowd]
        with blamed_on(dataset):
            for instance in objects:
                instance.require("inmodal")
        owners = owners_of(objects, list(other), f"image {scene.image.file_name}", SAME)
        pairs.append((objects, [owners.get(index) for index in range(len(objects))]))
    return pairs


def given_mask(truth: Instance, found: Instance) -> Mask:
    """The visible mask that a prediction was made from: its own, or else the object's."""
    return truth.require("inmodal") if found.inmodal is None else found.inmodal


def _counted(
    sides: list[tuple[Spans, Ints]], truth: list[Instance], found: list[Instance | None], added: bool
) -> Counts:
    (whole, areas), (visible, visible_areas) = sides
    guess, guess_areas, _ = spans([None if guess is None else guess.require("amodal") for guess in found])
    if added:
        masks = [None if g is None else given_mask(t, g) for t, g in zip(truth, found, strict=True)]
        guess = guess.united(spans(masks)[0])
        guess_areas = guess.area
    rows = np.arange(len(truth))
    shared = guess.cut(whole)
    return Counts(
        np.array([guess is not None for guess in found], bool),
        areas,
        visible_areas,
        visible.common(rows, whole, rows),
        guess_areas,
        shared.area,
        guess.common(rows, visible, rows),
        shared.common(rows, visible, rows),
    )
