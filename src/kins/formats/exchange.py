"""Records to what other libraries work with, and back: supervision, torchvision, Hugging Face datasets, FiftyOne.

Each function imports its library when it is called; none of them is needed for anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import write_json
from kins.formats import parquet
from kins.formats.coco_layout import image_entry
from kins.masks import Mask
from kins.records import Dataset, Image, Instance, Scene

if TYPE_CHECKING:
    import datasets
    import supervision

__all__ = ["from_huggingface", "from_supervision", "to_fiftyone", "to_huggingface", "to_supervision", "to_torchvision"]

Kind = Literal["amodal", "inmodal"]
Names = Mapping[int, str] | Sequence[str] | None
OTHER: dict[Kind, Kind] = {"amodal": "inmodal", "inmodal": "amodal"}


def to_supervision(scene: Scene, masks: Kind = "amodal") -> supervision.Detections:
    """Supervision's `Detections`: boxes and masks of one kind; all else is in its `data`, one value an instance.

    `data` has `class_name`, `id`, `cluster`, `order` and `occlusion_score` (NaN where they are not known), and the
    masks of the other kind, (n, height, width) bool, under that kind's name if all instances have one.

    Raises:
        KinsError: an instance has no mask of this kind.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.formats.exchange import from_supervision, to_supervision
        >>> scene = write_shapes("pictures", 1)["000000.png"]
        >>> found = to_supervision(scene)
        >>> len(found), found.mask.shape, sorted(found.data)
        (3, (3, 160, 240), ['class_name', 'cluster', 'id', 'inmodal', 'occlusion_score', 'order'])
        >>> from_supervision(found, (160, 240))[1].inmodal == scene[1].inmodal
        True
    """
    import supervision

    known = scene.masks(masks)
    data: dict[str, Any] = {
        "class_name": np.array([i.category for i in scene], dtype=object),
        "id": np.array([i.id for i in scene], np.int64),
        **{name: _numbers(scene, name) for name in ("cluster", "order", "occlusion_score")},
    }
    others = [i.amodal if masks == "inmodal" else i.inmodal for i in scene]
    if all(other is not None for other in others):
        data[OTHER[masks]] = _arrays([other for other in others if other is not None], scene)
    scores = [i.score for i in scene]
    return supervision.Detections(
        xyxy=_corners(scene, masks),
        mask=_arrays(known, scene),
        confidence=None if not scores or None in scores else np.array(scores, np.float64),
        class_id=np.array([i.category_id for i in scene], np.int64),
        data=data,
    )


def from_supervision(
    detections: supervision.Detections, size: tuple[int, int], names: Names = None, masks: Kind = "amodal"
) -> Scene:
    """A scene of supervision's `Detections`, with what `to_supervision` put into their `data` if it is there.

    Args:
        detections: as a detector or `to_supervision` made them.
        size: (height, width) of the picture.
        names: of the classes by their number, where `data` has no `class_name`.
        masks: what their masks are; those of detectors are inmodal.

    Raises:
        KinsError: fields of different lengths, masks of another size, scores out of 0..1.

    Example:
        >>> import numpy as np, supervision
        >>> from kins.formats.exchange import from_supervision
        >>> boxes = np.array([[1.0, 1, 5, 4]])
        >>> seen = supervision.Detections(boxes, confidence=np.array([0.9]), class_id=np.array([1]))
        >>> from_supervision(seen, (6, 8), {1: "car"}, masks="inmodal")[0].inmodal_box
        (1.0, 1.0, 4.0, 3.0)
    """
    from kins.complete.detections import from_detections

    plain = from_detections(detections, size, names)
    data = getattr(detections, "data", None) or {}
    instances = []
    for index, instance in enumerate(plain):
        changes: dict[str, Any] = {
            masks: instance.inmodal,
            f"{masks}_box": instance.inmodal_box,
            OTHER[masks]: Mask.from_array(np.asarray(data[OTHER[masks]][index])) if OTHER[masks] in data else None,
            f"{OTHER[masks]}_box": None,
        }
        for name, kind in (("id", int), ("cluster", int), ("order", int), ("occlusion_score", float)):
            if name in data and np.isfinite(value := data[name][index]):
                changes[name] = kind(value)
        if getattr(detections, "confidence", None) is None:
            changes["score"] = None
        instances.append(instance.replace(**changes))
    return plain.replace(instances=tuple(instances))


def to_torchvision(scene: Scene, masks: Kind = "amodal", labels: Mapping[int, int] | None = None) -> dict[str, Any]:
    """The target that torchvision's detection networks train on.

    Args:
        scene: with masks of this kind.
        masks: which become `masks`; those of the other kind are beside them under that kind's name, if all have one.
        labels: class number by category id, from 1 on; the category ids themselves if None.

    Returns:
        boxes (n, 4) float32 as x1, y1, x2, y2, labels (n) int64, masks (n, height, width) uint8, image_id (1) int64,
        area (n) float32, iscrowd (n) int64. Instances without a pixel of this kind are left out: their boxes would be
        empty, which torchvision refuses.

    Raises:
        KinsError: torch is not installed, or an instance has no mask of this kind.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.formats.exchange import to_torchvision
        >>> target = to_torchvision(write_shapes("pictures", 1)["000000.png"])
        >>> target["boxes"].shape, target["masks"].shape
        (torch.Size([3, 4]), torch.Size([3, 160, 240]))
    """
    import torch

    scene.masks(masks)
    scene = scene.replace(instances=tuple(i for i in scene if i.require(masks).area))
    others = [i.amodal if masks == "inmodal" else i.inmodal for i in scene]
    drawn = [mask.clipped(scene.image.height, scene.image.width) for mask in scene.masks(masks)]
    target = {
        "boxes": torch.from_numpy(_corners(scene, masks, stated=False).astype(np.float32)),
        "labels": torch.tensor([i.category_id if labels is None else labels[i.category_id] for i in scene]).long(),
        "masks": torch.from_numpy(_arrays(drawn, scene).astype(np.uint8)),
        "image_id": torch.tensor([scene.image.id]),
        "area": torch.tensor([float(mask.area) for mask in drawn]),
        "iscrowd": torch.tensor([int(bool(i.crowd)) for i in scene]).long(),
    }
    if all(other is not None for other in others):
        both = _arrays([other for other in others if other is not None], scene)
        target[OTHER[masks]] = torch.from_numpy(both.astype(np.uint8))
    return target


def to_huggingface(dataset: Dataset) -> datasets.Dataset:
    """A table of Hugging Face's `datasets`: a row an image, columns as in `kins.formats.parquet`.

    `image` is decoded when it is asked for, from the file in the image folder; `push_to_hub` puts the pictures in.
    Categories lie in `info.description`, as JSON.

    Raises:
        KinsError: `datasets` is not installed, or a mask is damaged.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.formats.exchange import from_huggingface, to_huggingface
        >>> table = to_huggingface(write_shapes("pictures", 2))
        >>> table[0]["image"].size, len(table[0]["instances"])
        ((240, 160), 3)
        >>> from_huggingface(table)
        Dataset(in memory: 2 images, 3 categories: disc, box, triangle)
    """
    import datasets
    import pyarrow as pa

    def described(scene: Scene) -> dict[str, Any]:
        row = parquet.row(scene)
        if scene.image_path is not None:
            row["image"] = {"bytes": None, "path": str(scene.image_path.resolve())}
        return row

    table = pa.Table.from_pylist([described(scene) for scene in dataset], schema=parquet.schema())
    said = msgspec.json.encode({"categories": dataset.categories}).decode()
    made = datasets.Dataset(table, info=datasets.DatasetInfo(description=said))
    return made.cast_column("image", datasets.Image())


def from_huggingface(table: datasets.Dataset) -> Dataset:
    """Records of a table that `to_huggingface` made, or that was loaded from files `kins` wrote; without pictures.

    Raises:
        KinsError: other columns, or values that are not what they should be.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.formats.exchange import from_huggingface, to_huggingface
        >>> table = to_huggingface(write_shapes("pictures", 2)).filter(lambda row: len(row["instances"]) > 3)
        >>> from_huggingface(table)["000001.png"]
        Scene(000001.png, 240 x 160 pixels, 3 box, 1 disc, 1 triangle)
    """
    columns = ["image_id", "file_name", "height", "width", "extra", "instances"]
    if not set(columns) <= set(table.column_names):
        raise KinsError(f"the table has no columns {', '.join(set(columns) - set(table.column_names))}")
    rows = table.select_columns(columns)
    try:
        categories = msgspec.json.decode(table.info.description or "", type=_Described).categories
    except msgspec.MsgspecError:  # came from a hub, which keeps none
        categories = {i["category_id"]: str(i["category"]) for row in rows for i in row["instances"]}
    scenes = []
    for number, row in enumerate(rows):
        image, found = parquet.scene_of(row, f"row {number}", categories)
        scenes.append(Scene(image, found))
    return Dataset.from_scenes(scenes, dict(sorted(categories.items())))


class _Described(msgspec.Struct):
    categories: dict[int, str]


def to_fiftyone(dataset: Dataset, folder: str | Path) -> list[Path]:
    """COCO files for FiftyOne's importer, one a kind of mask, with the order as attributes of the labels.

    FiftyOne reads each as `COCODetectionDataset` with `extra_attrs=True` into a field of its own: docs/exchange.md.

    Returns:
        The files `amodal.json` and `inmodal.json`; a kind that no instance has gives none.

    Raises:
        KinsError: a file can't be written.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.formats.exchange import to_fiftyone
        >>> [path.name for path in to_fiftyone(write_shapes("pictures", 2), "fiftyone")]
        ['amodal.json', 'inmodal.json']
    """
    written = []
    for kind in OTHER:
        annotations = [_attributes(i, scene.image, kind) for scene in dataset for i in scene if getattr(i, kind)]
        if not annotations:
            continue
        content = {
            "images": [image_entry(image) for image in dataset.images.values()],
            "categories": [{"id": key, "name": name} for key, name in dataset.categories.items()],
            "annotations": [{"id": number, **entry} for number, entry in enumerate(annotations, 1)],
        }
        path = Path(folder) / f"{kind}.json"
        write_json(path, msgspec.json.encode(content) + b"\n")
        written.append(path)
    return written


def _attributes(instance: Instance, image: Image, kind: Kind) -> dict[str, Any]:
    mask = instance.require(kind).clipped(image.height, image.width)
    optional = {
        "cluster": instance.cluster,
        "order": instance.order,
        "score": instance.score,
        "occlusion_rate": round(instance.occlusion_rate, 4) if instance.both_known else None,
    }
    return {
        "image_id": image.id,
        "category_id": instance.category_id,
        "segmentation": {"size": [image.height, image.width], "counts": mask.counts},
        "bbox": mask.box,
        "area": mask.area,
        "iscrowd": int(bool(instance.crowd)),
        "instance": instance.id,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _numbers(scene: Scene, name: str) -> npt.NDArray[np.float64]:
    values = [getattr(instance, name) for instance in scene]
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _arrays(masks: Sequence[Mask], scene: Scene) -> npt.NDArray[np.bool_]:
    """(n, height, width) bool."""
    height, width = scene.image.height, scene.image.width
    drawn = [mask.clipped(height, width).to_array() for mask in masks]
    return np.stack(drawn) if drawn else np.zeros((0, height, width), bool)


def _corners(scene: Scene, kind: Kind, stated: bool = True) -> npt.NDArray[np.float64]:
    """(n, 4), x1, y1, x2, y2: as stated, or of the mask."""
    height, width = scene.image.height, scene.image.width
    boxes = [
        (getattr(i, f"{kind}_box") if stated else None) or i.require(kind).clipped(height, width).box for i in scene
    ]
    x, y, wide, high = np.array(boxes, np.float64).reshape(-1, 4).T
    return np.stack([x, y, x + wide, y + high], axis=1)
