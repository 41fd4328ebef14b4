"""AIStron's `*_aistron.json`: COCO's layout with both masks, and outlines of an object's neighbours.

`area` and `amodal_area` are those of the box; `visible_bbox` is `amodal_bbox` again in files made of COCOA and D2SA.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kins.formats import coco_layout
from kins.formats.coco_layout import Losses
from kins.formats.document import Document, Raw
from kins.masks import Mask
from kins.masks.trace import rings
from kins.records import Dataset, Image, Instance, Scene

NEIGHBOUR = 0.05
"""IoU of two boxes above which AIStron's scripts take objects for neighbours."""
LEAST = 20
"""Pixels of a neighbour's part that are left out as too small."""


class _Derived(coco_layout.Fields, gc=False):
    segmentation: Raw = Raw()
    bbox: Raw = Raw()
    area: Raw = Raw()
    occluder_segm: Raw = Raw()
    background_objs_segm: Raw = Raw()


FIELDS = coco_layout.fields(
    _Derived,
    amodal="amodal_segm",
    inmodal="visible_segm",
    amodal_box="amodal_bbox",
    inmodal_box="visible_bbox",
)


def matches(document: Document) -> bool:
    """Recognised by the field amodal_segm."""
    return "amodal_segm" in document.annotation_fields()


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file."""
    return coco_layout.read(document, images_dir, FIELDS, _read)


def _read(instance: Instance) -> Instance:
    """Without what is derived, and without a visible box that is only a copy."""
    extra = {k: v for k, v in instance.extra.items() if k != "amodal_area"}
    box = None if instance.inmodal_box == instance.amodal_box else instance.inmodal_box
    return instance.replace(extra=extra, inmodal_box=box)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value, and what it can't hold. Annotations without both masks are left out, as AIStron's are."""
    losses = Losses()

    def whole(scene: Scene) -> Scene:
        known = [i for i in scene if i.both_known and i.amodal and i.inmodal]
        for _ in range(len(scene) - len(known)):
            losses.add("instances without both masks, or of which nothing is visible")
        neighbours = _neighbours(known)
        pairs = zip(known, neighbours, strict=True)
        return scene.replace(instances=tuple(i.replace(extra={**i.extra, **found}) for i, found in pairs))

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        amodal, inmodal = instance.require("amodal"), instance.require("inmodal")
        losses.order(instance)
        losses.scores(instance)
        box = amodal.box if instance.amodal_box is None else instance.amodal_box
        own = {
            "visible_segm": inmodal.raw_segmentation,
            "visible_bbox": inmodal.box if instance.inmodal_box is None else instance.inmodal_box,
        }
        for names in (("segmentation", "bbox", "area"), ("amodal_segm", "amodal_bbox", "amodal_area")):
            own |= dict(zip(names, (amodal.raw_segmentation, box, box[2] * box[3]), strict=True))
        return {"iscrowd": 0} | coco_layout.common_fields(instance, image) | own

    value = coco_layout.write(dataset.map(whole), annotation)
    return {"licenses": None, "info": {}} | value, losses.lines()


def _neighbours(instances: list[Instance]) -> list[dict[str, Any]]:
    """Of each instance outlines of what is visible of its neighbours within its box, twice: AIStron has two names."""
    boxes = np.array([i.require("amodal").box for i in instances]).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    shared = np.clip(sides, 0, None).prod(2)
    areas = boxes[:, 2:].prod(1)
    near = shared / np.maximum(areas[:, None] + areas[None] - shared, 1) > NEIGHBOUR
    found = []
    for k, instance in enumerate(instances):
        amodal = instance.require("amodal")
        window = Mask.from_box(amodal.box, amodal.height, amodal.width)
        outlines: list[list[float]] = []
        for j in np.flatnonzero(near[k]).tolist():
            part = instances[j].require("inmodal") & window
            if j != k and part.area > LEAST:
                outlines += rings(part)[0]
        found.append({"occluder_segm": outlines, "background_objs_segm": outlines})
    return found
