"""KINS 2019 (`instances_train.json`): COCO's fields are amodal, `inmodal_seg` and `inmodal_bbox` are beside them.

An image may have `amodal_full`, the RLE of its occluded regions; it is kept as a field of the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.formats import coco_layout
from kins.formats.coco_layout import Box, Losses, Number
from kins.formats.document import Document, Raw
from kins.records import Dataset, Image, Instance


class _Fields(coco_layout.Fields, gc=False):
    segmentation: Raw = Raw()
    bbox: Box | None = None
    area: Number | None = None
    inmodal_seg: Raw = Raw()
    inmodal_bbox: Box | None = None


def matches(document: Document) -> bool:
    """Recognised by the field inmodal_seg."""
    return "inmodal_seg" in document.annotation_fields()


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file; it has no order."""
    return coco_layout.read(document, images_dir, _Fields, _instance)


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


def _instance(annotation: coco_layout.Annotation) -> Instance:
    fields = annotation.fields
    return annotation.instance(
        annotation.mask("segmentation"),
        annotation.mask("inmodal_seg"),
        amodal_box=fields.bbox,
        inmodal_box=fields.inmodal_bbox,
        amodal_area=fields.area,
    )
