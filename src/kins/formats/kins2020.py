"""KINS 2020 (`update_train_2020.json`): both masks as polygons or RLE, occlusion cluster and relative order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.formats import coco_layout
from kins.formats.coco_layout import Losses
from kins.formats.document import Document
from kins.records import Dataset, Image, Instance

CATEGORIES = {1: "cyclist", 2: "pedestrian", 3: "rider", 4: "car", 5: "tram", 6: "truck", 7: "van", 8: "misc"}
"""The published files' categories. They hold no instance of 3, which is why seven classes are seen."""


FIELDS = coco_layout.fields(
    amodal="a_segm",
    inmodal="i_segm",
    amodal_box="a_bbox",
    inmodal_box="i_bbox",
    amodal_area="a_area",
    inmodal_area="i_area",
    cluster="oco_id",
    order="ico_id",
)


def matches(document: Document) -> bool:
    """Recognised by the fields a_segm and i_segm, or a_bbox and i_bbox of objects without masks.

    A file without annotations is taken for this format too.
    """
    if document.images is not None and not document.annotations:
        return True
    return not {"a_segm", "i_segm", "a_bbox", "i_bbox"}.isdisjoint(document.annotation_fields())


def usual(path: Path, content: bytes, masks: object = None) -> Document | None:
    """The document of a file that has these fields alone, decoded in one pass; None for others."""
    return coco_layout.usual(path, content, FIELDS, "amodal", "inmodal")


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file."""
    return coco_layout.read(document, images_dir, FIELDS)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value; this format holds everything but a detection's scores."""
    losses = Losses()

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        losses.scores(instance)
        return _annotation(instance, image)

    return coco_layout.write(dataset, annotation), losses.lines()


def _annotation(instance: Instance, image: Image) -> dict[str, Any]:
    fields = coco_layout.common_fields(instance, image)
    fields |= coco_layout.mask_fields(instance, "amodal", ("a_segm", "a_bbox", "a_area"))
    fields |= coco_layout.mask_fields(instance, "inmodal", ("i_segm", "i_bbox", "i_area"))
    if instance.cluster is not None:
        fields["oco_id"] = instance.cluster
    if instance.order is not None:
        fields["ico_id"] = instance.order
    return fields
