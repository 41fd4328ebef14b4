"""Predictions: a JSON list of detections with both masks, or plain COCO results of any other toolbox.

A detection has `image_id`, `category_id`, `score`, and as far as known `a_segm`, `a_bbox`, `i_segm`, `i_bbox`,
`occlusion_score`, `oco_id`, `ico_id`; a mask completed for a given object has its `annotation_id`. Plain COCO results
have `segmentation` or `bbox` instead, and the caller says which masks these are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from kins.errors import KinsError
from kins.files import read_bytes
from kins.formats.coco_layout import mask_fields, rle
from kins.formats.document import Document, Raw, checked_text, describe, not_json
from kins.masks import Mask
from kins.records import Dataset, Image, Instance

Masks = Literal["amodal", "inmodal"]
Box = tuple[float, float, float, float]


class _Detection(msgspec.Struct, gc=False):
    image_id: int
    category_id: int
    score: float
    a_segm: Raw = Raw()
    i_segm: Raw = Raw()
    segmentation: Raw = Raw()
    a_bbox: Box | None = None
    i_bbox: Box | None = None
    bbox: Box | None = None
    occlusion_score: float | None = None
    oco_id: int | None = None
    ico_id: int | None = None
    annotation_id: int | None = None


def load_predictions(path: str | Path, dataset: Dataset, masks: Masks | None = None) -> Dataset:
    """Read detections as a data set of the same images, whose instances have scores.

    Masks are decoded and checked when they are used. Ids are the positions in the file, counted from 1.

    Args:
        path: a JSON list of detections.
        dataset: the ground truth: images (their sizes) and categories.
        masks: what `segmentation` and `bbox` of plain COCO results are; None if the file has `a_segm` or `i_segm`.

    Raises:
        KinsError: not a list of detections, an image or category that the ground truth does not have, a score or
            box that is none; with the place in the file.
    """
    if masks not in (None, "amodal", "inmodal"):
        raise KinsError(f"masks of plain results are amodal or inmodal, not {masks!r}")
    path = Path(path)
    detections = _decode(path)
    by_image: dict[int, list[int]] = {image_id: [] for image_id in dataset.images}
    for index, detection in enumerate(detections):
        indices = by_image.get(detection.image_id)
        if indices is None:
            raise _unknown(path, index, "image_id", detections, set(dataset.images), dataset)
        if detection.category_id not in dataset.categories:
            raise _unknown(path, index, "category_id", detections, set(dataset.categories), dataset)
        if not 0 <= detection.score <= 1:
            raise KinsError(f"{path}: [{index}].score: {detection.score} is not between 0 and 1")
        if masks is None and (detection.bbox is not None or bytes(detection.segmentation)):
            raise KinsError(
                f"{path}: [{index}]: has plain COCO fields (segmentation, bbox); say with --masks whether they are"
                " amodal or inmodal"
            )
        indices.append(index)
    instances = _Detections(path, detections, by_image, dataset, masks)
    return Dataset(dataset.images, dataset.categories, instances, images_dir=dataset.images_dir, path=path)


def matches(document: Document) -> bool:
    """Recognised by a list whose first entry has a score."""
    if document.content is None:
        return False
    try:
        first = msgspec.json.decode(document.content, type=list[Raw])[:1]
        return bool(first) and "score" in msgspec.json.decode(first[0], type=dict[str, Raw])
    except msgspec.DecodeError:
        return False


def read(document: Document, images_dir: Path | None) -> Dataset:
    """Predictions have no images of their own: raises KinsError that says so."""
    raise KinsError(f"{document.path}: is a list of detections, which belong to a ground truth; see kins eval")


def write(dataset: Dataset) -> tuple[list[dict[str, Any]], list[str]]:
    """The file's JSON value, masks as RLE. Raises KinsError for an instance without a score."""
    return [_fields(instance, scene.image) for scene in dataset for instance in scene], []


def _fields(instance: Instance, image: Image) -> dict[str, Any]:
    if instance.score is None:
        raise KinsError(f"instance {instance.id} of image {image.id} has no score; predictions need one")
    fields: dict[str, Any] = {"image_id": image.id, "category_id": instance.category_id, "score": instance.score}
    fields |= mask_fields(instance, "amodal", ("a_segm", "a_bbox")) | mask_fields(
        instance, "inmodal", ("i_segm", "i_bbox")
    )
    for prefix, mask in (("a", instance.amodal), ("i", instance.inmodal)):
        if mask is not None:
            fields[f"{prefix}_segm"] = rle(mask)
    optional = {
        "occlusion_score": instance.occlusion_score,
        "oco_id": instance.cluster,
        "ico_id": instance.order,
    }
    return fields | {name: value for name, value in optional.items() if value is not None}


class _Detections(Mapping[int, Sequence[Instance]]):
    """Instances by image id, made on access."""

    def __init__(
        self,
        path: Path,
        detections: list[_Detection],
        by_image: dict[int, list[int]],
        dataset: Dataset,
        masks: Masks | None,
    ) -> None:
        self._path = path
        self._detections = detections
        self._by_image = by_image
        self._images = dataset.images
        self._categories = dataset.categories
        self._masks = masks

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        image = self._images[image_id]
        return tuple(self._instance(index, image) for index in self._by_image[image_id])

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_image)

    def __len__(self) -> int:
        return len(self._by_image)

    def _instance(self, index: int, image: Image) -> Instance:
        found = self._detections[index]
        amodal, amodal_box = self._mask(found.a_segm, index, "a_segm", image), found.a_bbox
        inmodal, inmodal_box = self._mask(found.i_segm, index, "i_segm", image), found.i_bbox
        if self._masks is not None and (bytes(found.segmentation) or found.bbox is not None):
            plain = self._mask(found.segmentation, index, "segmentation", image)
            if self._masks == "amodal":
                amodal, amodal_box = plain, found.bbox
            else:
                inmodal, inmodal_box = plain, found.bbox
        return Instance(
            index + 1,
            found.category_id,
            self._categories[found.category_id],
            amodal,
            inmodal,
            amodal_box=amodal_box,
            inmodal_box=inmodal_box,
            cluster=found.oco_id,
            order=found.ico_id,
            score=found.score,
            occlusion_score=found.occlusion_score,
            extra={} if found.annotation_id is None else {"annotation_id": found.annotation_id},
            position=index,
        )

    def _mask(self, raw: Raw, index: int, name: str, image: Image) -> Mask | None:
        if bytes(raw) in (b"", b"null"):
            return None
        return Mask(image.height, image.width, None, raw, f"{self._path!s}: [{index}].{name}")


def _decode(path: Path) -> list[_Detection]:
    content = checked_text(path, read_bytes(path))
    try:
        return msgspec.json.decode(content, type=list[_Detection])
    except msgspec.ValidationError as error:
        if content.lstrip()[:1] != b"[":
            raise KinsError(f"{path}: is not a list of detections, as prediction files are") from None
        raise KinsError(f"{path}: {describe(error).removeprefix(': ')}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(path, content, error) from None


def _unknown(
    path: Path, index: int, field: str, detections: list[_Detection], known: set[int], dataset: Dataset
) -> KinsError:
    value = getattr(detections[index], field)
    count = sum(getattr(detection, field) not in known for detection in detections)
    what = "image" if field == "image_id" else "category"
    return KinsError(
        f"{path}: [{index}].{field}: no {what} {value} in {dataset.path or 'the ground truth'} ({count} such"
        f" detection{'s' if count > 1 else ''}); is this the right pair of files?"
    )
