"""What is open: the ground truth, and each set of predictions compared with it once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from kins.errors import KinsError
from kins.evaluation.cases import Cases, cases, cases_of_any_class
from kins.evaluation.columns import Bools, Floats
from kins.evaluation.errors import NEAR
from kins.evaluation.evaluator import BATCH, compare, scenes_of
from kins.evaluation.results import short_names, told_apart
from kins.evaluation.slices import Slice
from kins.evaluation.table import Table, join
from kins.occlusion import PARTIAL
from kins.records import Dataset, Image, Scene
from kins.work import in_chunks

SAID_OCCLUDED = Slice("said occluded", 0.5, 1.0)
KEPT = 8
"""Lists of cases that are kept of each run, by IoU threshold, least score and matching."""
ANY = "any"
"""Matching whatever the class, as in the report's confusion."""


class Run:
    """One set of predictions beside the ground truth.

    Attributes:
        name: short, as in reports; '' where there are no predictions.
        table: images by rising id. Ids of its instances are their places in the scenes.
        wrong: rows of the table's relations in which the predictions have the order wrong.
        behind, front: of each row of the relations the ground truth that is hidden, and the one that hides it.
        order: (G,) how many pairs of wrong order each ground truth is in.
    """

    def __init__(self, name: str, predictions: Dataset | None, table: Table) -> None:
        self.name, self.predictions, self.table = name, predictions, table
        relations = table.relations
        self.wrong = np.flatnonzero(relations.wrong)
        self.front, self.behind = relations.sides
        self.order = np.bincount(relations.pair[:, self.wrong].ravel(), minlength=len(table.truth))
        self._cases = functools.lru_cache(KEPT)(self._compute)

    def cases(self, threshold: float, least_score: float, matching: str = "") -> Cases:
        """As kins.evaluation.cases: within classes, or whatever the class for ANY."""
        return self._cases(threshold, least_score, matching)

    def _compute(self, threshold: float, least_score: float, matching: str) -> Cases:
        table, of = self.table, cases_of_any_class if matching == ANY else cases
        return of(table.truth, table.found, table.pairs, threshold, least_score)

    def iou(self, found: Cases) -> Floats:
        """(4, C) IoU of amodal boxes, amodal masks, inmodal masks and hidden regions; NaN where it is not known."""
        pairs = self.table.pairs
        known = np.concatenate([np.where(pairs.iou < 0, np.nan, pairs.iou), pairs.hidden[None]])
        return np.append(known, np.full((4, 1), np.nan), axis=1)[:, found.pair]

    def judged(self, found: Cases) -> tuple[Bools, Bools]:
        """(C,) whether a right detection says if the object is occluded; and whether it says it wrongly."""
        said = np.append(self.table.found.occlusion_score, np.nan)[found.found]
        known = (found.kind == "right") & ~np.isnan(said) & ~np.isnan(found.rate)
        return known, known & (SAID_OCCLUDED.holds(said) != (found.rate >= PARTIAL))


@dataclasses.dataclass(frozen=True)
class Index:
    """All that the page shows.

    Attributes:
        dataset: the ground truth.
        runs: one without predictions where there are only annotations.
        images: by rising id; addresses name an image by its place here.
    """

    dataset: Dataset
    runs: tuple[Run, ...]
    images: tuple[Image, ...]

    @functools.cached_property
    def classes(self) -> dict[int, str]:
        """Names of the classes by id, as in reports: those that share a name have their ids with it."""
        return told_apart(self.dataset.categories)[0]

    @property
    def alone(self) -> bool:
        """Whether there are only annotations."""
        return self.runs[0].predictions is None

    def run(self, name: str) -> Run:
        """By its name, or the first one for ''. Raises KinsError for another name."""
        for run in self.runs:
            if name in ("", run.name):
                return run
        raise KinsError(f"no predictions {name!r} are open; there are {', '.join(run.name for run in self.runs)}")

    def scenes(self, image: int) -> list[Scene]:
        """The ground truth of an image, and what each run has found there."""
        known = self.images[image]
        found = [
            run.predictions[known.id]
            if run.predictions is not None and known.id in run.predictions.images
            else Scene(known)
            for run in self.runs
        ]
        return [scene.clipped() for scene in (self.dataset[known.id], *found)]


def index_of(dataset: Dataset, predictions: Sequence[tuple[str, Dataset]], workers: int | None = None) -> Index:
    """Compare every set of predictions with the ground truth, as kins.evaluation.analyse does.

    Args:
        predictions: name and content of each.
        workers: as in kins.evaluate.

    Raises:
        KinsError: no images, a damaged mask, or predictions without scores.
    """
    if not dataset.images:
        raise KinsError(f"{dataset.path or 'the ground truth'}: has no images")
    names = short_names([name for name, _ in predictions])
    given: list[tuple[str, Dataset | None]] = [(n, found) for n, (_, found) in zip(names, predictions, strict=True)]
    given = given or [("", None)]
    runs = tuple(Run(name, found, _compared(dataset, found, workers)) for name, found in given)
    return Index(dataset, runs, tuple(dataset.images[key] for key in runs[0].table.images))


def _compared(dataset: Dataset, predictions: Dataset | None, workers: int | None) -> Table:
    found = Dataset({}, dataset.categories, {}) if predictions is None else predictions

    def compared(ids: Sequence[int]) -> Table:
        scenes, detections = (list(map(_counted, side)) for side in scenes_of(dataset, found, ids))
        return compare(scenes, detections, dataset.categories, NEAR, mixed=True)

    try:
        return join(list(in_chunks(compared, list(dataset.images), "comparing", workers, BATCH)))
    except KinsError as error:
        named = any(part.path and str(part.path) in str(error) for part in (dataset, found))
        path = found.path or dataset.path
        raise (error if named or not path else KinsError(f"{path}: {error}")) from None


def _counted(scene: Scene) -> Scene:
    """Ids say the place in the scene; where there is only a visible mask, it stands for the whole object."""
    return scene.replace(
        instances=tuple(
            i.replace(id=place) if i.amodal is not None else i.replace(id=place, amodal=i.inmodal, inmodal=None)
            for place, i in enumerate(scene)
        )
    )


def quality(run: Run, least_score: float) -> Floats:
    """(images,) quality of each image in percent, as in reports."""
    from kins.evaluation.report.pictures import image_quality

    return image_quality(run.table, least_score)[0]
