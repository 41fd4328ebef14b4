"""COCO: one mask an instance. Whether it is the amodal or the inmodal one, the file does not say: the user does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from kins.errors import KinsError
from kins.formats import coco_layout
from kins.formats.coco_layout import Losses
from kins.formats.document import Document
from kins.records import Dataset, Image, Instance

Masks = Literal["amodal", "inmodal"]


FIELDS = {
    "amodal": coco_layout.fields(amodal="segmentation", amodal_box="bbox", amodal_area="area"),
    "inmodal": coco_layout.fields(inmodal="segmentation", inmodal_box="bbox", inmodal_area="area"),
}


def matches(document: Document) -> bool:
    """Recognised by the fields segmentation or bbox; to be tried after the formats that have these and more."""
    return not {"segmentation", "bbox"}.isdisjoint(document.annotation_fields())


def usual(path: Path, content: bytes, masks: Masks | None = None) -> Document | None:
    """The document of a file that has these fields alone, decoded in one pass; None for others."""
    if masks not in ("amodal", "inmodal"):
        return None
    return coco_layout.usual(path, content, FIELDS[masks], masks, f"{masks}_box")


def read(document: Document, images_dir: Path | None, masks: Masks | None = None) -> Dataset:
    """A data set whose instances have one mask, as `masks` says; the other is unknown."""
    if masks not in ("amodal", "inmodal"):
        raise KinsError(
            f"{document.path}: is plain COCO, with one mask an instance; say with --as whether it is amodal or "
            "inmodal (to kins train with data.masks)"
        )

    return coco_layout.read(document, images_dir, FIELDS[masks])


def write(dataset: Dataset, masks: Masks | None = None) -> tuple[Any, list[str]]:
    """The file's JSON value, and what it can't hold.

    Raises KinsError where instances have two masks and `masks` does not say which to write.
    """
    losses = Losses()

    def annotation(instance: Instance, image: Image) -> dict[str, Any]:
        chosen = _choose(instance, masks)
        losses.box_alone(instance, chosen)
        if (instance.inmodal if chosen == "amodal" else instance.amodal) is not None:
            losses.add("inmodal mask" if chosen == "amodal" else "amodal mask")
        losses.order(instance)
        losses.scores(instance)
        return coco_layout.common_fields(instance, image) | coco_layout.mask_fields(instance, chosen)

    return coco_layout.write(dataset, annotation), losses.lines()


def _choose(instance: Instance, masks: Masks | None) -> Masks:
    if masks is not None:
        return masks
    if instance.both_known:
        raise KinsError("COCO holds one mask an instance; say with --as whether to write the amodal or the inmodal one")
    if instance.amodal is None and instance.inmodal is None:  # a box alone
        return "amodal" if instance.inmodal_box is None else "inmodal"
    return "amodal" if instance.inmodal is None else "inmodal"
