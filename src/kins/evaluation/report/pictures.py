"""The best and the worst images of a run, truth beside prediction, as pictures that fit into the page."""

from __future__ import annotations

import base64
import dataclasses
import io

import numpy as np

from kins.evaluation.columns import AMODAL, Floats, Ints
from kins.evaluation.table import Table
from kins.records import Dataset, Scene

LONG_SIDE = 960
"""Width in pixels of a picture on the page."""


@dataclasses.dataclass(slots=True)
class Shown:
    """One image of the report: its name, quality in percent, and two pictures as data addresses."""

    name: str
    quality: float
    found: int
    instances: int
    wrong: int
    truth: str
    prediction: str


def image_quality(table: Table, least_score: float) -> tuple[Floats, Ints]:
    """Summed amodal IoU of matched pairs over the number of matched, missed and wrong ones, in percent; and counts.

    This is panoptic quality (Kirillov et al., Panoptic Segmentation, CVPR 2019) with misses and wrong detections
    counted in full. NaN for images without ground truth.

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


def shown(table: Table, dataset: Dataset, predictions: Dataset, indices: list[int], least_score: float) -> list[Shown]:
    """The pictures of some images. Grey background where there is no image folder."""
    quality, counts = image_quality(table, least_score)
    made = []
    for index in indices:
        scene = dataset[table.images[index]]
        found = predictions[scene.image.id]
        sure = found.replace(instances=tuple(i for i in found if (i.score or 0) >= least_score))
        matched, truth, wrong = (int(value) for value in counts[:, index])
        made.append(
            Shown(scene.image.file_name, float(quality[index]), matched, truth, wrong, _picture(scene), _picture(sure))
        )
    return made


def _picture(scene: Scene) -> str:
    from PIL import Image as Picture

    from kins.draw.scene import draw

    scale = min(max(LONG_SIDE / max(scene.image.width, scene.image.height), 1.0), 4.0)
    what = ("amodal", "inmodal", "hidden") if all(i.inmodal is not None for i in scene) else ("amodal",)
    picture = Picture.fromarray(draw(scene, what, scale=scale, legend=False))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
