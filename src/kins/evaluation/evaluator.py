"""Evaluation image by image: masks are compared when an image comes in, figures computed at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from kins.errors import KinsError
from kins.evaluation.columns import Columns, Ints, Masks, columns
from kins.evaluation.matching import SAME_OBJECT, matched_pairs
from kins.evaluation.order import relations
from kins.evaluation.overlap import hidden_iou, pairs
from kins.evaluation.precision import DETECTIONS
from kins.evaluation.results import Results, summarise
from kins.evaluation.slices import SLICES, Slice
from kins.evaluation.table import Table, join
from kins.limits import CATEGORIES
from kins.records import Dataset, Scene, on_one_canvas
from kins.work import in_chunks

BATCH = 64
"""Images that are compared together: large enough for NumPy, small enough that their masks take memory that the process
has already. Of twice as many, the system's handing out of memory takes longer than the calls that are saved."""


class Evaluator:
    """Collects images, then computes results; pickles, so that processes can evaluate parts and merge them.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("pictures", 3)
        >>> evaluator = kins.evaluation.Evaluator(dataset.categories)
        >>> for scene in dataset:
        ...     found = tuple(instance.replace(score=0.9) for instance in scene)  # from a model
        ...     evaluator.update(scene, scene.replace(instances=found))
        >>> evaluator.results().amodal["AP50"]
        100.0
    """

    def __init__(self, categories: Mapping[int, str], slices: Sequence[Slice] = SLICES) -> None:
        CATEGORIES.check(len(categories), "the ground truth")
        self.categories = dict(categories)
        self.slices = tuple(slices)
        self._waiting: list[tuple[Scene, Scene]] = []
        self._tables: list[Table] = []
        self._seen: set[int] = set()

    def update(self, scene: Scene, prediction: Scene) -> None:
        """Add one image's ground truth and detections (instances with scores).

        Raises KinsError for an image that came before, sizes that differ, a score outside of 0 to 1, or a damaged mask.
        """
        if scene.image.id in self._seen:
            raise KinsError(f"image {scene.image.id} was evaluated before; each one counts once")
        sizes = [f"{image.width} x {image.height}" for image in (scene.image, prediction.image)]
        if sizes[0] != sizes[1]:
            raise KinsError(f"image {scene.image.id}: is {sizes[0]} pixels, its prediction {sizes[1]}")
        self._seen.add(scene.image.id)
        self._waiting.append((scene, prediction))
        if len(self._waiting) >= BATCH:
            self._flush()

    def merge(self, other: Evaluator) -> None:
        """Take over the images of another evaluator. Raises KinsError if both have the same image."""
        other._flush()
        if self.categories != other.categories:
            raise KinsError("evaluators with different categories can't be merged")
        if common := self._seen & other._seen:
            raise KinsError(f"image {min(common)} is in both evaluators; each one counts once")
        self._seen |= other._seen
        self._tables += other._tables

    def adopt(self, tables: Iterable[Table]) -> None:
        """Take over images that were compared elsewhere. Raises KinsError for one that came before."""
        for table in tables:
            if common := self._seen & set(table.images):
                raise KinsError(f"image {min(common)} was evaluated before; each one counts once")
            self._seen |= set(table.images)
            self._tables.append(table)

    def results(self) -> Results:
        """Every figure over the images so far."""
        self._flush()
        self._tables = [join(self._tables)]  # the parts need not stay
        return summarise(self._tables[0], self.categories, self.slices)

    def _flush(self) -> None:
        if not self._waiting:
            return
        scenes, predictions = zip(*self._waiting, strict=True)
        self._tables.append(compare(scenes, predictions, self.categories))
        self._waiting = []


def evaluate(
    dataset: Dataset, predictions: Dataset, slices: Sequence[Slice] = SLICES, workers: int | None = 1
) -> Results:
    """Compare predictions with a ground truth, over all images of the latter.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("pictures", 10)
        >>> def visible_only(scene):
        ...     return scene.replace(instances=tuple(i.replace(amodal=i.inmodal, score=0.9) for i in scene))
        >>> results = kins.evaluate(dataset, dataset.map(visible_only))
        >>> results.inmodal["AP"], results.amodal["AP"] < 100
        (100.0, True)
        >>> heavy, none = (results.amodal.slices[level]["AP"] for level in ("heavy", "none"))
        >>> heavy < none
        True

    Args:
        predictions: instances with scores, as kins.load_predictions reads them.
        slices: occlusion levels to report on their own.
        workers: most processes to share the work, None for one a core; where forking is safe (kins.work).

    Raises:
        KinsError: a damaged mask, a score outside of 0 to 1, or masks that only some of the instances have.
    """
    evaluator = Evaluator(dataset.categories, slices)
    with _blamed_on(predictions, dataset):
        _compare_all(evaluator, dataset, predictions, list(dataset.images), workers)
        return evaluator.results()


def evaluate_shards(
    dataset: Dataset, shards: Iterable[Dataset], slices: Sequence[Slice] = SLICES, workers: int | None = 1
) -> Results:
    """As `evaluate`, of predictions in several parts, of which one at a time needs to be in memory: the same figures.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("pictures", 6)
        >>> found = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=0.9) for i in s)))
        >>> shards = (found.select(ids) for ids in ([1, 2], [3, 4, 5]))  # image 0 has no detections
        >>> results = kins.evaluation.evaluate_shards(dataset, shards)
        >>> results.images, results.amodal["AR100"] < 100
        (6, True)

    Args:
        shards: detections of different images; an image that is in none has no detections.

    Raises:
        KinsError: as `evaluate`, or two of them have detections of one image.
    """
    evaluator = Evaluator(dataset.categories, slices)
    seen: set[int] = set()
    for shard in shards:
        occupied = {image_id for image_id in shard.occupied() if len(shard[image_id])}
        mine = [image_id for image_id in dataset.images if image_id in occupied]
        with _blamed_on(shard, dataset):
            if common := seen.intersection(mine):
                raise KinsError(f"image {min(common)} has detections in another shard, too; each belongs into one")
            _compare_all(evaluator, dataset, shard, mine, workers)
        seen.update(mine)
    nothing = Dataset({}, dataset.categories, {})
    _compare_all(evaluator, dataset, nothing, [i for i in dataset.images if i not in seen], workers)
    return evaluator.results()


@contextmanager
def _blamed_on(predictions: Dataset, dataset: Dataset) -> Iterator[None]:
    """Errors in the block name the predictions' file, unless they name one already."""
    try:
        yield
    except KinsError as error:
        places = f"{predictions.path}:", f"{dataset.path}:", "the ground truth"
        if predictions.path and not str(error).startswith(places):
            raise KinsError(f"{predictions.path}: {error}") from None
        raise


def _compare_all(
    evaluator: Evaluator, dataset: Dataset, predictions: Dataset, ids: list[int], workers: int | None
) -> None:
    """Add these images."""

    def compared(ids: Sequence[int]) -> Table:
        return compare(*scenes_of(dataset, predictions, ids), dataset.categories)

    evaluator.adopt(in_chunks(compared, ids, "evaluating", workers, BATCH))


def scenes_of(dataset: Dataset, predictions: Dataset, ids: Sequence[int]) -> tuple[list[Scene], list[Scene]]:
    """Ground truth and predictions of some images; an image that was not predicted has no detections."""
    scenes = [dataset[image_id] for image_id in ids]
    return scenes, [predictions[s.image.id] if s.image.id in predictions.images else Scene(s.image) for s in scenes]


def compare(
    scenes: Sequence[Scene],
    predictions: Sequence[Scene],
    categories: Iterable[int],
    least: float = SAME_OBJECT,
    mixed: bool = False,
) -> Table:
    """A batch of images compared.

    Args:
        least, mixed: the pairs that are kept, as in `overlap.pairs`; what is matched does not depend on them.
    """
    both = [on_one_canvas(*pair) for pair in zip(scenes, predictions, strict=True)]
    scenes, predictions = [pair[0] for pair in both], [pair[1] for pair in both]
    (truth, truth_masks), (found, found_masks), place = listed_columns(scenes, predictions, categories)
    near = pairs(truth, found, truth_masks, found_masks, least, mixed)
    same = np.flatnonzero(truth.category[near.truth] == found.category[near.found])
    matched = np.zeros(near.found.size, bool)
    matched[same] = matched_pairs(near.take(same), truth.crowd, len(found))
    near.hidden[matched] = hidden_iou(truth, found, truth_masks, found_masks, near.take(matched))
    order = relations(truth, found, truth_masks, found_masks, near, np.flatnonzero(matched))
    return Table([scene.image.id for scene in scenes], truth, found, place, near, matched, order)


def listed_columns(
    scenes: Sequence[Scene], predictions: Sequence[Scene], categories: Iterable[int]
) -> tuple[tuple[Columns, Masks], tuple[Columns, Masks], Ints]:
    """Instances and detections of these categories; of the latter the best, and their places: see `best_detections`."""
    listed = np.array(sorted(categories), np.int64)
    sides = []
    for table, masks in (columns(scenes, False), columns(predictions, True)):
        keep = np.isin(table.category, listed)
        rows = np.flatnonzero(keep)
        sides.append((table, masks) if keep.all() else (table.take(rows), masks.take(rows)))
    truth, (found, found_masks) = sides
    rows, place = best_detections(found)
    return truth, (found.take(rows), found_masks.take(rows)), place


def matched_instances(scene: Scene, prediction: Scene) -> dict[int, int]:
    """Index of the object in `scene` by index of the detection in `prediction` that COCO's matching joins with it.

    Within classes, greedily by score, at an amodal IoU of at least 0.5. Raises KinsError as `Evaluator.update`.
    """
    truth, truth_masks = columns([scene], False)
    found, found_masks = columns([prediction], True)
    rows, _ = best_detections(found)
    near = pairs(truth, found.take(rows), truth_masks, found_masks.take(rows))
    near = near.take(matched_pairs(near, truth.crowd, rows.size))
    return dict(zip(rows[near.found].tolist(), near.truth.tolist(), strict=True))


def best_detections(found: Columns, most: int = DETECTIONS[-1]) -> tuple[Ints, Ints]:
    """Rows of the best detections an image and category (100), best first, and their place there."""
    rows = np.lexsort((-found.score, found.category, found.image))
    group = np.stack([found.image[rows], found.category[rows]])
    new = np.concatenate([[True], (np.diff(group) != 0).any(0)])[: rows.size]
    index = np.arange(rows.size)
    place = index - np.maximum.accumulate(np.where(new, index, 0)) if rows.size else index
    keep = place < most
    return rows[keep], place[keep]
