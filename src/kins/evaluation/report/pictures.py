"""Truth beside prediction; and the best and the worst images of a run as pictures that fit into the page."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Collection
from typing import Any

import numpy as np
from PIL import Image as Picture

from kins.draw.palette import Rgb
from kins.draw.scene import WHAT, colors_of, draw
from kins.evaluation.analysis import SURE
from kins.evaluation.columns import AMODAL, Floats, Ints
from kins.evaluation.evaluator import matched_instances
from kins.evaluation.table import Table
from kins.records import Dataset, Scene

LONG_SIDE = 960
"""Width in pixels of a picture on the page."""


@dataclasses.dataclass(slots=True)
class Shown:
    """One image of the report: its name, place by rising id, quality in percent, and two pictures as data addresses."""

    name: str
    place: int
    quality: float
    found: int
    instances: int
    wrong: int
    truth: str
    prediction: str


def image_quality(table: Table, least_score: float = SURE) -> tuple[Floats, Ints]:
    """Summed amodal IoU of matched pairs over the number of matched, missed and wrong ones, in percent; and counts.

    This is panoptic quality (Kirillov et al., Panoptic Segmentation, CVPR 2019) with misses and wrong detections
    counted in full. NaN for images without ground truth. Detections with a lower score than `least_score` do not count.

    Returns:
        (images,) quality, and (3, images) matched, ground truths, wrong detections.
    """
    images = len(table.images)
    sure = table.found.score >= least_score
    chosen = np.flatnonzero(table.matched & sure[table.pairs.found])
    where = table.found.image[table.pairs.found[chosen]]
    total = np.bincount(where, table.pairs.iou[AMODAL, chosen], images)
    matched = np.bincount(where, minlength=images)
    truth = np.bincount(table.truth.image[~table.truth.crowd], minlength=images)
    wrong = np.bincount(table.found.image[sure], minlength=images) - matched
    quality = np.where(truth > 0, 100 * total / np.maximum(truth + wrong, 1), np.nan)
    return quality, np.stack([matched, truth, wrong])


def choose(quality: Floats, counts: Ints, most: int) -> tuple[list[int], list[int]]:
    """Indices of the best and of the worst images; among the best, those with several objects come first."""
    order = [int(n) for n in np.argsort(-quality, kind="stable") if not np.isnan(quality[n])]
    rich = [n for n in order if counts[1, n] >= 3] or order
    best = rich[:most]
    worst = [n for n in reversed(order) if n not in best][:most]
    return best, worst


def draw_pair(scene: Scene, prediction: Scene, what: Collection[str] = WHAT, **options: Any) -> tuple[Rgb, Rgb]:
    """Truth and prediction of one image; a detection has the color of the object that it is matched with.

    Detections that are matched with nothing have colors that no object has, as far as there are enough.

    Args:
        prediction: instances with scores.
        what, options: as in `kins.draw`.
    """
    objects = colors_of(scene)
    first = len(scene)
    given = dict(enumerate(objects))
    given |= {first + found: objects[truth] for found, truth in matched_instances(scene, prediction).items()}
    together = scene.replace(instances=(*scene, *prediction))
    detections = colors_of(together, given)[first:]
    return draw(scene, what, colors=objects, **options), draw(prediction, what, colors=detections, **options)


def shown(
    quality: Floats, counts: Ints, images: list[int], dataset: Dataset, predictions: Dataset, indices: list[int]
) -> list[Shown]:
    """The pictures of some images. Grey background where there is no image folder.

    Args:
        quality, counts: as `image_quality` gives them.
        images: ids of all images.
        indices: which of these to show.
    """
    made = []
    for index in indices:
        scene = dataset[images[index]]
        found = predictions[scene.image.id] if scene.image.id in predictions.images else scene.replace(instances=())
        sure = found.replace(instances=tuple(i for i in found if (i.score or 0) >= SURE))
        scale = min(max(LONG_SIDE / max(scene.image.width, scene.image.height), 1.0), 4.0)
        seen = all(i.inmodal is not None for side in (scene, sure) for i in side)
        what = ("amodal", "inmodal", "hidden") if seen else ("amodal",)
        pair = draw_pair(scene, sure, what, scale=scale, legend=False)
        matched, truth, wrong = (int(value) for value in counts[:, index])
        made.append(
            Shown(scene.image.file_name, index, float(quality[index]), matched, truth, wrong, *map(_as_address, pair))
        )
    return made


def _as_address(picture: Rgb) -> str:
    buffer = io.BytesIO()
    Picture.fromarray(picture).save(buffer, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
