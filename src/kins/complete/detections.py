"""Detections in memory as a scene: torchvision's dict, detectron2's Instances, supervision's Detections.

They are told by what they have, so that none of these packages is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import Mask
from kins.records import Image, Instance, Scene

Names = Mapping[int, str] | Sequence[str] | None


def from_detections(detections: Any, size: tuple[int, int], names: Names = None, file_name: str = "") -> Scene:
    """A scene with the inmodal masks (or boxes alone), classes and scores of one picture's detections.

    Args:
        detections: a dict with `boxes`, `labels`, `scores` and perhaps `masks` (N, 1, h, w), probabilities or bool, as
            torchvision's; an object with `xyxy`, `mask`, `confidence`, `class_id`, as supervision's; or one with
            `pred_boxes`, `scores`, `pred_classes`, `pred_masks`, as detectron2's. Tensors or arrays; boxes are
            x1, y1, x2, y2 in pixels.
        size: (height, width) of the picture.
        names: of the classes, by their number; the numbers themselves if None.

    Raises:
        KinsError: none of these, fields of different lengths, masks of another size, scores out of 0..1, boxes that are
            not finite.

    Example:
        >>> import numpy as np
        >>> found = {"boxes": np.array([[1.0, 1, 5, 4]]), "labels": np.array([1]), "scores": np.array([0.9])}
        >>> kins.complete.from_detections(found, (6, 8), {1: "car"})[0].inmodal_box
        (1.0, 1.0, 4.0, 3.0)
    """
    boxes, masks, scores, labels, given = _fields(detections)
    count = len(boxes)
    scores = np.ones(count) if scores is None else scores
    labels = np.zeros(count, np.int64) if labels is None else labels
    if not count == len(scores) == len(labels) or (masks is not None and len(masks) != count):
        raise KinsError("detections: boxes, masks, scores and labels differ in number")
    if boxes.shape != (count, 4) or not np.isfinite(boxes).all():
        raise KinsError("detections: boxes are not (N, 4) finite x1, y1, x2, y2")
    if not ((scores >= 0) & (scores <= 1 + 1e-6)).all():
        raise KinsError("detections: a score is not between 0 and 1")
    instances = []
    for index in range(count):
        x1, y1, x2, y2 = boxes[index].tolist()
        number = int(labels[index])
        category = given[index] if given is not None else _name(names, number)
        mask = None if masks is None else _mask(masks[index], size)
        box = (x1, y1, x2 - x1, y2 - y1)
        score = min(float(scores[index]), 1.0)
        instances.append(Instance(index + 1, number, category, inmodal=mask, inmodal_box=box, score=score))
    return Scene(Image(0, file_name, *size), tuple(instances))


def _fields(found: Any) -> tuple[Any, Any, Any, Any, list[str] | None]:
    """Boxes, masks, scores, labels and class names; None for what there is not."""
    if isinstance(found, Mapping) and "boxes" in found:
        return *(_array(found.get(name)) for name in ("boxes", "masks", "scores", "labels")), None
    if hasattr(found, "xyxy"):
        data = getattr(found, "data", None) or {}
        given = data.get("class_name") if isinstance(data, Mapping) else None
        arrays = (_array(getattr(found, name, None)) for name in ("xyxy", "mask", "confidence", "class_id"))
        return *arrays, None if given is None else [str(name) for name in given]
    if hasattr(found, "pred_boxes"):
        boxes = getattr(found.pred_boxes, "tensor", found.pred_boxes)
        rest = (_array(getattr(found, name, None)) for name in ("pred_masks", "scores", "pred_classes"))
        return _array(boxes), *rest, None
    raise KinsError(
        f"detections: {type(found).__name__} is neither a dict with boxes, nor an object with xyxy or pred_boxes"
    )


def _array(value: Any) -> Any:
    if value is None:
        return None
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _mask(mask: npt.NDArray[Any], size: tuple[int, int]) -> Mask:
    mask = mask[0] if mask.ndim == 3 and len(mask) == 1 else mask
    if mask.shape != size:
        raise KinsError(f"detections: a mask of shape {mask.shape} in a picture of {size[1]} x {size[0]} pixels")
    return Mask.from_array(mask > 0.5 if mask.dtype.kind == "f" else mask)


def _name(names: Names, number: int) -> str:
    if isinstance(names, Mapping):
        return names.get(number, str(number))
    return names[number] if names is not None and 0 <= number < len(names) else str(number)
