"""The instances of a batch of images as columns, which is what evaluation computes with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import MAX_COORDINATE, spans
from kins.masks.table import Spans
from kins.records import Instance, Scene

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

KINDS = ("box", "amodal", "inmodal")
"""What is compared: amodal boxes, amodal masks, inmodal masks. Arrays of three rows follow this sequence."""
BOX, AMODAL, INMODAL = range(3)


@dataclasses.dataclass(slots=True)
class Columns:
    """N instances of some images, ground truth or detections; rows are the last axis of every array.

    Attributes:
        image: (N,) index of the image in the batch, rising.
        id, category, crowd, score, occlusion_score: (N,) as in Instance; NaN where there is none.
        cluster, order: (N,) as in Instance; -1 where there is none.
        position: (N,) as in Instance.
        known: (3, N) whether the instance has that kind.
        box: (4, N) x, y, width, height of the amodal box: as the file states it, otherwise that of the mask's pixels.
        area: (3, N) what decides between small, medium and large, one row a kind. For ground truth it is the area of
            the mask, as stated or otherwise counted. A detection's box has its own (width times height), its mask
            that of its pixels, whatever else the file states; pycocotools takes the box's area for both where boxes
            are stated, and the mask's for both where they are not.
        pixels: (3, N) number of pixels, row 0 unused.
        seen: (N,) number of pixels in both masks; pixels[AMODAL] - seen are hidden.
    """

    image: Ints
    id: Ints
    category: Ints
    crowd: Bools
    score: Floats
    occlusion_score: Floats
    cluster: Ints
    order: Ints
    position: Ints
    known: Bools
    box: Floats
    area: Floats
    pixels: Floats
    seen: Floats

    def __len__(self) -> int:
        return self.image.size

    @property
    def hidden(self) -> Floats:
        """(N,) number of pixels of the amodal mask alone."""
        return self.pixels[AMODAL] - self.seen

    @property
    def rate(self) -> Floats:
        """(N,) occlusion rate, 0 for empty amodal masks; NaN where a mask is unknown."""
        known = self.known[AMODAL] & self.known[INMODAL]
        rate = 1 - self.seen / np.maximum(self.pixels[AMODAL], 1)
        return np.where(known, np.where(self.pixels[AMODAL] > 0, rate, 0), np.nan)

    def take(self, rows: Ints) -> Columns:
        """Some of the rows."""
        return Columns(**{f.name: getattr(self, f.name)[..., rows] for f in dataclasses.fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Columns], order: Ints | None = None) -> Columns:
        """One after the other, or these rows of that; field by field, so that no more than one is there twice."""
        columns = {}
        for name in (field.name for field in dataclasses.fields(cls)):
            values = np.concatenate([getattr(part, name) for part in parts], axis=-1)
            columns[name] = values if order is None else values[..., order]
        return cls(**columns)


@dataclasses.dataclass(slots=True)
class Masks:
    """Masks of the same rows, empty where unknown; only needed while images are compared.

    Attributes:
        inside: inmodal masks without what leaks out of the amodal ones.
        tight: (2, 4, N) box of the pixels of the amodal and of the inmodal mask.
    """

    amodal: Spans
    inmodal: Spans
    inside: Spans
    tight: Floats

    def take(self, rows: Ints) -> Masks:
        """Some of the rows."""
        return Masks(self.amodal.take(rows), self.inmodal.take(rows), self.inside.take(rows), self.tight[..., rows])


def columns(scenes: Sequence[Scene], found: bool) -> tuple[Columns, Masks]:
    """The instances of scenes as columns.

    Args:
        found: these are detections, which need scores. Raises KinsError for one without, or out of 0..1.
    """
    instances = [instance for scene in scenes for instance in scene]
    count = len(instances)
    image = np.repeat(np.arange(len(scenes)), [len(scene) for scene in scenes]) if scenes else np.zeros(0)
    columns = ([i.amodal for i in instances], [i.inmodal for i in instances])
    _check_sizes(scenes, found)
    known = np.ones((3, count), bool)
    pixels, area = np.zeros((3, count)), np.zeros((3, count))
    tight = np.zeros((2, 4, count))
    masks: list[Spans] = []
    for k, column in enumerate(columns):
        known[k + 1] = [mask is not None for mask in column]
        together, counted, tight[k] = spans(column)
        masks.append(together)
        pixels[k + 1] = counted
        stated = [i.inmodal_area if k else i.amodal_area for i in instances]
        area[k + 1] = [p if s is None or found else s for s, p in zip(stated, counted.tolist(), strict=True)]
    amodal, inmodal = masks
    inside = inmodal.cut(amodal)
    stated_box = [(np.nan,) * 4 if i.amodal_box is None else i.amodal_box for i in instances]
    box = np.array(stated_box, np.float64).reshape(-1, 4).T
    box = np.where(known[AMODAL] & np.isnan(box[0]), tight[0], box)
    known[BOX] = ~np.isnan(box[0])
    _check_boxes(instances, box, known[BOX], found)
    area[BOX] = box[2] * box[3] if found else np.where(known[AMODAL], area[AMODAL], box[2] * box[3])
    table = Columns(
        image.astype(np.int64),
        np.array([i.id for i in instances], np.int64),
        np.array([i.category_id for i in instances], np.int64),
        np.array([bool(i.crowd) for i in instances], bool),
        np.array([_score(i) if found else np.nan for i in instances], np.float64),
        _optional([i.occlusion_score for i in instances], np.nan),
        _optional([i.cluster for i in instances], -1).astype(np.int64),
        _optional([i.order for i in instances], -1).astype(np.int64),
        np.array([i.position for i in instances], np.int64),
        known,
        box,
        area,
        pixels,
        inside.area.astype(np.float64),
    )
    return table, Masks(amodal, inmodal, inside, tight)


def _optional(values: Sequence[float | None], missing: float) -> Floats:
    return np.array([missing if value is None else value for value in values], np.float64)


def _score(instance: Instance) -> float:
    score, occlusion = instance.score, instance.occlusion_score
    if score is None or not 0 <= score <= 1:
        what = "there is no score" if score is None else f"score {score} is not between 0 and 1"
        raise KinsError(f"{_place(instance, True)}: {what}; evaluation needs scored predictions")
    if occlusion is not None and not 0 <= occlusion <= 1:
        raise KinsError(f"{_place(instance, True)}: occlusion score {occlusion} is not between 0 and 1")
    return score


def _check_sizes(scenes: Sequence[Scene], found: bool) -> None:
    for scene in scenes:
        size = scene.image.height, scene.image.width
        for instance in scene:
            for mask in (instance.amodal, instance.inmodal):
                if mask is not None and (mask.height, mask.width) != size and mask.offset == (0, 0):
                    raise KinsError(
                        f"{_place(instance, found)}: a mask of {mask.width} x {mask.height} pixels in an image of"
                        f" {size[1]} x {size[0]}"
                    )


def _check_boxes(instances: Sequence[Instance], box: Floats, known: Bools, found: bool) -> None:
    with np.errstate(invalid="ignore"):
        bad = known & ~((np.abs(box) <= MAX_COORDINATE).all(0) & (box[2:] >= 0).all(0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        place = _place(instances[row], found)
        raise KinsError(f"{place}: box {box[:, row].tolist()} is no x, y, width, height in pixels")


def _place(instance: Instance, found: bool) -> str:
    """Where in its file an instance stands, or its id if it comes from none."""
    if instance.position < 0:
        return f"{'detection' if found else 'instance'} {instance.id}"
    return f"{'' if found else 'annotations'}[{instance.position}]"
