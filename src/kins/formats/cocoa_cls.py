"""COCOA-cls and D2SA: COCO's fields are amodal; what is occluded has visible_mask, invisible_mask and occlude_rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kins.formats import coco_layout
from kins.formats.coco_layout import Losses, Number
from kins.formats.document import Document, Raw
from kins.records import Dataset, Image, Instance

NAMES = {"visible_mask", "invisible_mask", "occlude_rate"}


class _Computed(coco_layout.Fields, gc=False):
    """What follows from the masks, and is computed anew when writing."""

    invisible_mask: Raw = Raw()
    occlude_rate: Number | None = None
    occluded_mask: Raw = Raw()  # these two are UOAIS's, whose annotations are else the same
    occluded_rate: Number | None = None


FIELDS = coco_layout.fields(
    _Computed, amodal="segmentation", inmodal="visible_mask", amodal_box="bbox", amodal_area="area"
)


def matches(document: Document) -> bool:
    """Recognised by the field visible_mask, invisible_mask or occlude_rate."""
    return not NAMES.isdisjoint(document.annotation_fields())


def usual(path: Path, content: bytes, masks: object = None) -> Document | None:
    """The document of a file that has these fields alone, decoded in one pass; None for others."""
    return coco_layout.usual(path, content, FIELDS, "inmodal", "invisible_mask", "occlude_rate")


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file; an annotation without visible_mask is fully visible."""
    return coco_layout.read(document, images_dir, FIELDS, _seen_wholly)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value, and what it can't hold. The invisible mask and its share are computed."""
    losses = Losses()

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        fields = coco_layout.common_fields(instance, image) | coco_layout.mask_fields(instance, "amodal")
        fields |= visible_fields(instance, losses)
        losses.box_alone(instance, "amodal")
        if instance.inmodal is not None:  # of unoccluded objects, too: other readers take it without asking
            fields["visible_mask"] = coco_layout.rle(instance.inmodal)
        losses.order(instance)
        losses.scores(instance)
        return fields

    return coco_layout.write(dataset, annotation), losses.lines()


def visible_fields(instance: Instance, losses: Losses) -> dict[str, Any]:
    """visible_mask, invisible_mask and occlude_rate, as COCOA has them.

    Both masks are left out where they would say nothing new: the two masks of the instance are the same.
    """
    amodal, inmodal = instance.amodal, instance.inmodal
    if inmodal is None:
        losses.add("that the inmodal mask is unknown: without one, this format takes an object for fully visible")
        return {}
    if amodal is None:
        return {"visible_mask": coco_layout.rle(inmodal)}
    losses.box(inmodal, instance.inmodal_box, "inmodal")
    losses.area(inmodal, instance.inmodal_area, "inmodal")
    if inmodal is amodal:
        return {"occlude_rate": 0.0}
    losses.polygons(inmodal, "inmodal")
    if inmodal == amodal:
        return {"occlude_rate": 0.0}
    return {
        "visible_mask": coco_layout.rle(inmodal),
        "invisible_mask": coco_layout.rle(instance.hidden),
        "occlude_rate": instance.occlusion_rate,
    }


def _seen_wholly(instance: Instance) -> Instance:
    """An instance without an inmodal mask is fully visible."""
    return instance if instance.inmodal is not None else instance.replace(inmodal=instance.amodal)
