"""KINS 2020 (`update_train_2020.json`): both masks as polygons or RLE, occlusion cluster and relative order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.formats import coco_layout
from kins.formats.coco_layout import Box, Losses, Number
from kins.formats.document import Document, Raw, parse_usual
from kins.records import Dataset, Image, Instance

CATEGORIES = {1: "cyclist", 2: "pedestrian", 3: "rider", 4: "car", 5: "tram", 6: "truck", 7: "van", 8: "misc"}
"""The published files' categories. They hold no instance of 3, which is why seven classes are seen."""


class _Fields(coco_layout.Fields, gc=False):
    a_segm: Raw = Raw()
    i_segm: Raw = Raw()
    a_bbox: Box | None = None
    i_bbox: Box | None = None
    a_area: Number | None = None
    i_area: Number | None = None
    oco_id: int | None = None
    ico_id: int | None = None


def matches(document: Document) -> bool:
    """Recognised by the fields a_segm and i_segm; a file without annotations is taken for this format too."""
    if document.images is not None and not document.annotations:
        return True
    return not {"a_segm", "i_segm"}.isdisjoint(document.annotation_fields())


def parse(path: Path, content: bytes) -> Document | None:
    """The document of a file as published, without unknown fields: decoded in one pass, for speed. None for others."""
    return parse_usual(path, content, coco_layout.strict(_Fields)) if b'"a_segm"' in content else None


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file."""
    return coco_layout.read(document, images_dir, _Fields, _instance)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value; this format holds everything but a detection's scores."""
    losses = Losses()

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        losses.scores(instance)
        return _annotation(instance, image)

    return coco_layout.write(dataset, annotation), losses.lines()


def _instance(annotation: coco_layout.Annotation) -> Instance:
    fields = annotation.fields
    return annotation.instance(
        annotation.mask("a_segm"),
        annotation.mask("i_segm"),
        cluster=fields.oco_id,
        order=fields.ico_id,
        amodal_box=fields.a_bbox,
        inmodal_box=fields.i_bbox,
        amodal_area=fields.a_area,
        inmodal_area=fields.i_area,
    )


def _annotation(instance: Instance, image: Image) -> dict[str, Any]:
    fields = coco_layout.common_fields(instance, image)
    fields |= coco_layout.mask_fields(instance, "amodal", ("a_segm", "a_bbox", "a_area"))
    fields |= coco_layout.mask_fields(instance, "inmodal", ("i_segm", "i_bbox", "i_area"))
    if instance.cluster is not None:
        fields["oco_id"] = instance.cluster
    if instance.order is not None:
        fields["ico_id"] = instance.order
    return fields
