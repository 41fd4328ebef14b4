"""Evaluation during training, shared by all processes."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from kins.complete import Completer, PairOrder
from kins.complete.learned import method_of
from kins.complete.order import bordering
from kins.evaluation import Evaluator, Results, evaluate_completion
from kins.models.completion import MaskCompletion
from kins.models.ordernet import OrderNetwork
from kins.predict.predictor import Predictor, with_categories
from kins.records import Dataset, Scene
from kins.train.orders import known
from kins.train.processes import gather, together
from kins.train.samples import arriving

T = TypeVar("T")
Signs = npt.NDArray[np.int64]

BATCH = 4
"""Most images in one pass."""
FIGURES = ("AP", "AP50", "AP75")


class Pictures(torch.utils.data.Dataset[tuple[list[int], list[npt.NDArray[np.uint8]]]]):
    """Pictures of a data set by lists of image ids, for loading processes."""

    def __init__(self, dataset: Dataset, batches: Sequence[list[int]]) -> None:
        self.dataset, self.batches = dataset, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[list[int], list[npt.NDArray[np.uint8]]]:
        ids = self.batches[index]
        return ids, [self.dataset[key].read_image() for key in ids]


def evaluate_together(
    predictor: Predictor, test: Dataset, fabric: Fabric, most: int | None = None, workers: int = 0
) -> Results | None:
    """Predict and compare, each process its share of the images; the figures do not depend on how many there are.

    Args:
        most: only the first so many images.
        workers: loading processes of each process.

    Returns:
        The results in the first process, None in the others.
    """
    batches = equal_batches(test, most)
    bounds = [len(batches) * rank // fabric.world_size for rank in range(fabric.world_size + 1)]
    own = batches[bounds[fabric.global_rank] : bounds[fabric.global_rank + 1]]
    evaluator = Evaluator(test.categories, slices=())

    def compare(ids: Sequence[int], predictions: Sequence[Scene]) -> None:
        for key, found in zip(ids, predictions, strict=True):
            scene = test[key]
            evaluator.update(scene, with_categories(found.replace(image=scene.image), test.categories))

    # Compared in a thread, so that the device goes on; one batch at a time, in their sequence.
    with together(fabric), ThreadPoolExecutor(1) as beside:
        pictures = Pictures(test, own)
        loader = DataLoader(pictures, batch_size=None, num_workers=workers if own else 0, collate_fn=_unchanged)
        compared = None
        for ids, images in arriving(loader):
            predictions = predictor.batch(images)
            if compared is not None:
                compared.result()
            compared = beside.submit(compare, ids, predictions)
        if compared is not None:
            compared.result()
    first, *others = gather(fabric, evaluator)
    if not fabric.is_global_zero:
        return None
    for other in others:
        first.merge(other)
    return first.results()


def equal_batches(test: Dataset, most: int | None) -> list[list[int]]:
    """Ids of images in sequence, those of one size together: padding to the largest would change predictions."""
    images = itertools.islice(test.images.values(), most)
    batches: list[list[int]] = []
    for _, group in itertools.groupby(images, lambda image: (image.height, image.width)):
        batches += _split([image.id for image in group])
    return batches


def _split(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _unchanged(value: object) -> object:
    return value


def named_figures(results: Results) -> dict[str, float]:
    """AP of boxes and masks in percent; `score`, which chooses the best weights, is the mean over the masks."""
    kinds = results.kinds
    figures = {f"{kind}_{name}": kinds[kind][name] for kind in kinds for name in FIGURES}
    scores = [kinds[kind]["AP"] for kind in kinds if kind != "box" and not math.isnan(kinds[kind]["AP"])]
    return {**figures, "score": sum(scores) / len(scores) if scores else 0.0}


def shared(fabric: Fabric | None, test: Dataset, function: Callable[[Scene], T]) -> dict[int, T] | None:
    """What a function gives for each scene, by image id, each process doing its share; None but in the first one."""
    rank, count = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    ids, own = list(test.images)[rank::count], {}
    with contextlib.nullcontext() if fabric is None else together(fabric):
        own = {key: function(test[key]) for key in ids}
    parts = [own] if fabric is None else gather(fabric, own)
    return None if rank else {key: value for part in parts for key, value in part.items()}


def completion_figures(
    network: MaskCompletion, test: Dataset, most: int | None = None, fabric: Fabric | None = None
) -> dict[str, float] | None:
    """Mean IoU in percent of masks completed from the true visible ones; `score` is that of the hidden parts. None
    where the test data has no amodal masks, and in all processes but the first, which share the completing."""
    first = test.select(itertools.islice(test.images, most))
    if all(instance.amodal is None for scene in first for instance in scene):
        return None
    method = method_of(network)
    completed = shared(fabric, first, Completer(method, method.needs_image).scene)
    if completed is None:
        return None
    found = evaluate_completion(first, Dataset.from_scenes(completed.values(), first.categories))
    return {"full": found.full, "hidden": found.hidden, "score": 0.0 if math.isnan(found.hidden) else found.hidden}


def order_figures(
    network: OrderNetwork, test: Dataset, most: int | None = None, fabric: Fabric | None = None
) -> dict[str, float] | None:
    """Figures of `pairs_right` in percent; `score` is that of all pairs that touch. None in all processes but the
    first, which share the asking of the network."""
    first = test.select(itertools.islice(test.images, most))
    order = PairOrder(network)

    def asked(whole: Scene) -> Signs:
        scene, _ = known(whole.clipped())
        sure = np.zeros((len(scene),) * 2, np.int64)
        for front, back, weight in order.edges(scene.read_image() if order.needs_image else None, scene):
            sure[front, back] = weight
        return np.sign(sure - sure.T)

    told = shared(fabric, first, asked)
    if told is None:
        return None
    found = pairs_right(first, lambda scene: told[scene.image.id])
    return {**found, "score": 0.0 if math.isnan(found["bordering"]) else found["bordering"]}


def pairs_right(test: Dataset, told: Callable[[Scene], Signs]) -> dict[str, float]:
    """Share in percent of pairs whose relation is told rightly: in front, behind, or neither.

    Args:
        told: of a scene's n instances, with their true masks, (n, n) 1 where the row's is in front of the column's, -1
            where it is behind, else 0.

    Returns:
        `occluded`: of the pairs of which one hides more of the other than that of it; `bordering`: of all pairs that
        touch or of which one hides part of the other. NaN where there is none.
    """
    right, count = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for whole in test:
        scene, hidden = known(whole.clipped())
        truth = np.sign(hidden - hidden.T)
        touching = (hidden + hidden.T > 0) | bordering(scene.masks("inmodal"))
        agree = told(scene) == truth
        for row, pairs in enumerate((truth != 0, touching)):
            right[row] += np.triu(agree & pairs, 1).sum()
            count[row] += np.triu(pairs, 1).sum()
    shares = [100 * good / number if number else math.nan for good, number in zip(right, count, strict=True)]
    return dict(zip(("occluded", "bordering"), map(float, shares), strict=True))
