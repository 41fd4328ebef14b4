"""COCO: one mask an instance. Whether it is the amodal or the inmodal one, the file does not say: the user does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from kins.errors import KinsError
from kins.formats import coco_layout
from kins.formats.coco_layout import Box, Losses, Number
from kins.formats.document import Document, Raw
from kins.masks import Mask
from kins.records import Dataset, Image, Instance

Masks = Literal["amodal", "inmodal"]


class _Fields(coco_layout.Fields, gc=False):
    segmentation: Raw = Raw()
    bbox: Box | None = None
    area: Number | None = None


def matches(document: Document) -> bool:
    """Recognised by the fields segmentation or bbox; to be tried after the formats that have these and more."""
    return not {"segmentation", "bbox"}.isdisjoint(document.annotation_fields())


def read(document: Document, images_dir: Path | None, masks: Masks | None = None) -> Dataset:
    """A data set whose instances have one mask, as `masks` says; the other is unknown."""
    if masks not in ("amodal", "inmodal"):
        raise KinsError(
            f"{document.path}: is plain COCO, with one mask an instance; say with --as whether it is amodal or inmodal"
        )

    def instance(annotation: coco_layout.Annotation) -> Instance:
        fields = annotation.fields
        mask = annotation.mask("segmentation", fields.bbox, fields.area)
        place = f"{document.path}: annotations[{annotation.position}]"
        other = Mask.unknown(mask.height, mask.width, f"{place}: plain COCO, read as {masks}, has no other mask")
        return annotation.instance(*((mask, other) if masks == "amodal" else (other, mask)))

    return coco_layout.read(document, images_dir, _Fields, instance)


def write(dataset: Dataset, masks: Masks | None = None) -> tuple[Any, list[str]]:
    """The file's JSON value, and what it can't hold.

    Raises KinsError where instances have two masks and `masks` does not say which to write.
    """
    losses = Losses()

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        chosen, other = _choose(instance, masks)
        if other.known:
            losses.add("inmodal mask" if chosen is instance.amodal else "amodal mask")
        losses.order(instance)
        losses.scores(instance)
        return coco_layout.common_fields(instance, image) | coco_layout.coco_fields(chosen)

    return coco_layout.write(dataset, annotation), losses.lines()


def _choose(instance: Instance, masks: Masks | None) -> tuple[Mask, Mask]:
    amodal, inmodal = instance.amodal, instance.inmodal
    if masks is None and amodal.known and inmodal.known:
        raise KinsError("COCO holds one mask an instance; say with --as whether to write the amodal or the inmodal one")
    if masks == "inmodal" or (masks is None and inmodal.known):
        return inmodal, amodal
    return amodal, inmodal
