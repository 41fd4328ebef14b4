"""Ultralytics YOLO's label files from scenes: one outline an object, of the whole or of what is seen of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import CSV_MARK, JSON_MARK
from kins.formats.coco_layout import Losses
from kins.formats.folders import sheets
from kins.formats.folders.sheets import Kind
from kins.formats.folders.yolo import SPLITS
from kins.formats.tools.drawing import file_stems
from kins.masks import Mask
from kins.masks.trace import trace
from kins.records import Dataset, Image, Instance, Scene

Points = npt.NDArray[np.float64]

SETTINGS = "data.yaml"
DIGITS = 9
"""Of a share of the picture's side: a ten-thousandth of a pixel in the widest picture."""


def names(dataset: Dataset) -> list[str]:
    """The files to write."""
    return [SETTINGS, *_labels(dataset).values()]


def write(dataset: Dataset, masks: Kind | None) -> tuple[dict[str, bytes], list[str]]:
    """The files by name, with kins's marks; and lines on what they can't hold.

    Args:
        masks: which ones; None where instances have one alone.

    Raises:
        KinsError: an instance has both masks, and `masks` does not say which to write.
    """
    losses, labels = Losses(), _labels(dataset)
    numbers = {category: number for number, category in enumerate(sorted(dataset.categories))}
    boxes = not any(i.whole is not None for scene in dataset for i in scene)
    files = {SETTINGS: _settings(dataset)}
    for scene in dataset:
        lines = [_line(instance, scene, numbers, _chosen(instance, masks), boxes, losses) for instance in scene]
        text = "\n".join(line for line in lines if line) + "\n"
        files[labels[scene.image.id]] = text.encode() + CSV_MARK
    return files, [*losses.lines(), *_lines(dataset, numbers)]


def _labels(dataset: Dataset) -> dict[int, str]:
    """The label file of each image by its id: where YOLO looks for that of a picture in `images`."""
    return {image: f"{sheets.swapped(_placed(stem), 'images', 'labels')}.txt" for image, stem in file_stems(dataset)}


def _placed(name: str) -> str:
    """A picture's name in a folder for YOLO, which has pictures in a folder `images`."""
    return name if "images" in name.split("/")[:-1] else f"images/{name}"


def _settings(dataset: Dataset) -> bytes:
    import yaml

    categories = [name for _, name in sorted(dataset.categories.items())]
    value: dict[str, Any] = {"path": ".", **_folders(dataset), "names": dict(enumerate(categories))}
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).encode() + JSON_MARK


def _folders(dataset: Dataset) -> dict[str, Any]:
    """The folders of pictures of each split; all of them are for training and validation where none are known."""
    splits: dict[str, set[Any]] = defaultdict(set)
    for image in dataset.images.values():
        splits[_placed(image.file_name.replace("\\", "/")).rpartition("/")[0]].add(image.extra.get("split"))
    if _told_apart(splits):
        found = {split: [folder for folder in sorted(splits) if splits[folder] == {split}] for split in SPLITS}
        return {split: folders[0] if len(folders) == 1 else folders for split, folders in found.items() if folders}
    below = all(f"{folder}/".startswith("images/") for folder in splits)
    everything = "images" if below else sorted(splits)
    return {"train": everything, "val": everything}


def _told_apart(splits: dict[str, set[Any]]) -> bool:
    """Whether every folder is of one split."""
    return bool(splits) and all(len(known) == 1 and not known.isdisjoint(SPLITS) for known in splits.values())


def _chosen(instance: Instance, masks: Kind | None) -> Kind:
    if masks is None and instance.both_known:
        raise KinsError(
            "YOLO holds one outline an object; say with --as whether to write the amodal or the inmodal one"
        )
    alone = "inmodal" if instance.amodal is None and instance.amodal_box is None else "amodal"
    return masks or alone  # type: ignore[return-value]


def _line(
    instance: Instance, scene: Scene, numbers: dict[int, int], masks: Kind, boxes: bool, losses: Losses
) -> str | None:
    """The line of an object; None for what is left out."""
    mask = instance.amodal if masks == "amodal" else instance.inmodal
    box = instance.amodal_box if masks == "amodal" else instance.inmodal_box
    other = "inmodal" if masks == "amodal" else "amodal"
    if instance.crowd:
        losses.add("crowds, which are left out")
        return None
    if (instance.inmodal if masks == "amodal" else instance.amodal) is not None:
        losses.add(f"{other} mask")
    losses.order(instance)
    losses.scores(instance)
    losses.box(mask, box, masks)
    if instance.extra:
        losses.add("fields of annotations")
    number = numbers[instance.category_id]
    if boxes and box is not None:
        return _written(number, _middle(box), scene.image)
    if mask is None or not mask:
        losses.add(f"objects without {'a visible' if masks == 'inmodal' else 'a'} pixel, which are left out")
        return None
    return _written(number, _outline(mask, losses), scene.image)


def _middle(box: Sequence[float]) -> Points:
    """Middle and sides of a box."""
    x, y, width, height = box
    return np.array([[x + width / 2, y + height / 2], [width, height]])


def _written(number: int, points: Points, image: Image) -> str:
    shares = (points / (image.width, image.height)).ravel().tolist()
    return " ".join([str(number), *(f"{share:.{DIGITS}f}".rstrip("0").rstrip(".") for share in shares)])


def _outline(mask: Mask, losses: Losses) -> Points:
    """One closed line (n, 2) in pixels that encloses the mask: the one that it was made of if it lies in the picture,
    or else the outlines of its parts, joined by lines that are walked there and back."""
    polygons, size = mask.polygons or [], (mask.width, mask.height)
    if len(polygons) == 1 and len(polygons[0]) >= 6:
        points = np.reshape(np.array(polygons[0], float), (-1, 2))
        inside = bool((points >= 0).all() and (points <= size).all())
        read = np.round(points / size, DIGITS) * size
        if inside and Mask.from_polygons([read.ravel().tolist()], mask.height, mask.width) == mask:
            return points
    parts = [np.reshape(np.array(ring, float), (-1, 2)) for ring in trace(mask)]
    if len(parts) > 1:
        losses.add("that an object is in several parts, which lines without width join")
    outline = parts[0]
    for part in parts[1:]:
        outline = _joined(outline, part)
    return outline


def _joined(outline: Points, part: Points) -> Points:
    """Two closed lines as one, joined where they are near to each other: the joint is walked there and back."""
    there = _nearest(outline, part[0])
    here = _nearest(part, outline[there])
    there = _nearest(outline, part[here])
    around = np.roll(part, -here, axis=0)
    return np.concatenate([outline[: there + 1], around, around[:1], outline[there:]])


def _nearest(points: Points, place: Points) -> int:
    return int(((points - place) ** 2).sum(1).argmin())


def _lines(dataset: Dataset, numbers: dict[int, int]) -> list[str]:
    """On what belongs to no instance."""
    lines = []
    if any(category != number for category, number in numbers.items()) or "categories" in dataset.extra:
        lines.append("category ids and supercategories: classes have the numbers from 0 on")
    if fields := sorted({name for image in dataset.images.values() for name in image.extra} - {"split"}):
        lines.append(f"fields of images: {', '.join(fields[:8])}")
    if extra := [name for name in dataset.extra if name != "categories"]:
        lines.append(f"top-level fields: {', '.join(extra[:8])}")
    return lines
