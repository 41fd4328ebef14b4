"""KINS 2020 (`update_train_2020.json`): both masks as polygons or RLE, occlusion cluster and relative order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.formats import layout
from kins.formats.document import Document
from kins.records import Dataset, Image, Instance

CATEGORIES = {1: "cyclist", 2: "pedestrian", 3: "rider", 4: "car", 5: "tram", 6: "truck", 7: "van", 8: "misc"}
"""The published files' categories. They hold no instance of 3, which is why seven classes are seen."""


def matches(document: Document) -> bool:
    """Recognised by the fields a_segm and i_segm."""
    fields = document.first_annotation()
    return "a_segm" in fields or "i_segm" in fields


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file."""
    return layout.read(document, images_dir, _instance)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value; this format holds everything."""
    return layout.write(dataset, _annotation), []


def _instance(annotation: layout.Annotation) -> Instance:
    return annotation.instance(
        annotation.mask("a_segm", "a_bbox", "a_area"),
        annotation.mask("i_segm", "i_bbox", "i_area"),
        cluster=annotation.take("oco_id", int),
        order=annotation.take("ico_id", int),
    )


def _annotation(instance: Instance, image: Image) -> dict[str, Any]:
    fields = layout.common_fields(instance, image)
    for prefix, mask in (("a", instance.amodal), ("i", instance.inmodal)):
        if mask.known:
            fields[f"{prefix}_segm"] = mask.raw_segmentation
            fields[f"{prefix}_bbox"] = layout.stated_box(mask)
            fields[f"{prefix}_area"] = layout.stated_area(mask)
    if instance.cluster is not None:
        fields["oco_id"] = instance.cluster
    if instance.order is not None:
        fields["ico_id"] = instance.order
    return fields | instance.extra
