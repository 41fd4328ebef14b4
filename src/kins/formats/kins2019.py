"""KINS 2019 (`instances_train.json`): COCO's fields are amodal, `inmodal_seg` and `inmodal_bbox` are beside them.

An image may have `amodal_full`, the RLE of its occluded regions; it is kept as a field of the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.formats import coco_layout
from kins.formats.coco_layout import Losses
from kins.formats.document import Document
from kins.records import Dataset, Image, Instance

FIELDS = coco_layout.fields(
    amodal="segmentation",
    inmodal="inmodal_seg",
    amodal_box="bbox",
    inmodal_box="inmodal_bbox",
    amodal_area="area",
)


def matches(document: Document) -> bool:
    """Recognised by the field inmodal_seg, or inmodal_bbox of objects without masks."""
    return not {"inmodal_seg", "inmodal_bbox"}.isdisjoint(document.annotation_fields())


def usual(path: Path, content: bytes, masks: object = None) -> Document | None:
    """The document of a file that has these fields alone, decoded in one pass; None for others."""
    return coco_layout.usual(path, content, FIELDS, "inmodal")


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file; it has no order."""
    return coco_layout.read(document, images_dir, FIELDS)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value, and what it can't hold."""
    losses = Losses()

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        fields = coco_layout.common_fields(instance, image) | coco_layout.mask_fields(instance, "amodal")
        fields |= coco_layout.mask_fields(instance, "inmodal", ("inmodal_seg", "inmodal_bbox"))
        if (inmodal := instance.inmodal) is not None:
            fields["inmodal_seg"] = coco_layout.rle(inmodal)
            losses.polygons(inmodal, "inmodal")
        losses.area(inmodal, instance.inmodal_area, "inmodal")
        losses.order(instance)
        losses.scores(instance)
        return fields

    return coco_layout.write(dataset, annotation), losses.lines()
