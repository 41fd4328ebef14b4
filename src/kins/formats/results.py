"""Result files of other systems as detections with inmodal masks (or boxes alone), one scene a picture.

Read are COCO's list of results (detectron2, MMDetection's `.segm.json`, Ultralytics' `predictions.json`), and files
of one picture each, a folder of them or one alone: MMDetection's `DetInferencer`, Ultralytics' `Results.to_json`, and
the masks of SAM's automatic generator (`amg.py`, as JSON or as a folder of PNG with `metadata.csv`). A file of one
picture is named like the picture. Pickles are refused, for they can run code.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from kins.errors import KinsError
from kins.files import inside, read_bytes
from kins.files.pictures import SUFFIXES, picture_size, read_picture
from kins.formats.document import checked_text, not_json
from kins.masks import Box, Mask
from kins.masks.runs import rle_size
from kins.records import Dataset, Image, Instance

Key = int | str
PICKLES = (".pkl", ".pickle", ".pth", ".pt", ".npz", ".npy")
OBJECT = "object"
"""The category of masks that come without one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A detection as a file has it.

    Attributes:
        image: id, or name with or without its suffix.
        category: id, or name.
        box: (x, y, width, height) in pixels, or None.
        segmentation: polygons, an RLE, a picture file of the mask, or None.
        where: file and place in it.
        relative: coordinates are shares of the picture's width and height.
    """

    image: Key
    category: Key
    score: float
    box: Box | None
    segmentation: Any
    where: str
    relative: bool = False


def load_results(
    path: str | Path,
    images: str | Path | None = None,
    categories: Sequence[str] | None = None,
    like: Dataset | None = None,
) -> Dataset:
    """Results of another system as a data set; instances have scores and inmodal masks, or inmodal boxes alone.

    Args:
        path: a file, or a folder of files of one picture each.
        images: folder of the pictures: for their names, and their sizes where no mask states them.
        categories: names of the classes, the first with the number 0; numbers stand for names if None.
        like: a data set with the pictures and categories that the results are about; its ids are used.

    Raises:
        KinsError: a pickle, none of the known kinds, a picture or category that is not there, scores or boxes that are
            none, masks of another size; with file and place.
    """
    path = Path(path)
    pictures = _Pictures(None if images is None else Path(images), like)
    names = _Categories(categories, like)
    found: dict[int, list[tuple[int, Found]]] = {image_id: [] for image_id in pictures.images}
    for index, detection in enumerate(_read(path)):
        image = pictures.find(detection)
        names.find(detection)
        _check(detection)
        found.setdefault(image.id, []).append((index, detection))
    instances = _Instances(found, pictures.images, names)
    return Dataset(pictures.images, names.names, instances, images_dir=images, path=path)


class _Instances(Mapping[int, Sequence[Instance]]):
    """Instances by image id, made on access, so that masks that were drawn are not kept."""

    def __init__(
        self, found: dict[int, list[tuple[int, Found]]], images: Mapping[int, Image], names: _Categories
    ) -> None:
        self._found = found
        self._images = images
        self._names = names

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        image = self._images[image_id]
        return [self._instance(index, detection, image) for index, detection in self._found[image_id]]

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _instance(self, index: int, found: Found, image: Image) -> Instance:
        category_id, category = self._names.find(found)
        mask, box = _mask(found, image), _scaled_box(found, image)
        return Instance(
            index + 1,
            category_id,
            category,
            inmodal=mask,
            inmodal_box=box,
            score=min(float(found.score), 1.0),
            position=index,
        )


def _read(path: Path) -> Iterator[Found]:
    if path.is_dir():
        parts = sorted(p for p in path.iterdir() if not p.name.startswith("."))
        files = [p for p in parts if p.suffix == ".json" or (p.is_dir() and (p / "metadata.csv").is_file())]
        if not files and not (path / "metadata.csv").is_file():
            raise KinsError(f"{path}: holds no result files, which are JSON files named like their pictures")
        for file in files or [path]:
            yield from _sam_folder(file) if file.is_dir() else _read(file)
        return
    if path.suffix.lower() in PICKLES:
        raise KinsError(f"{path}: is a kind of file that can run code when it is read; write the results as JSON")
    content = checked_text(path, read_bytes(path))
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(path, content, error) from None
    if isinstance(value, dict) and {"labels", "scores", "bboxes"} <= value.keys():
        yield from _inferencer(path, value)
        return
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise KinsError(f"{path}: is no result file that kins knows; a list of detections is expected")
    for keys, reader in READERS.items():
        if value and set(keys) <= value[0].keys():
            yield from (reader(path, index, entry) for index, entry in enumerate(value))
            return
    if value:
        raise KinsError(f"{path}: is no result file that kins knows; its entries have {', '.join(list(value[0])[:8])}")


def _coco(path: Path, index: int, entry: dict[str, Any]) -> Found:
    where = f"{path}: [{index}]"
    image: Any = entry.get("image_id")
    category: Any = entry.get("category_id")
    if type(image) not in (int, str) or type(category) is not int:
        raise KinsError(f"{where}: has no image_id or no category_id")
    return Found(image, category, entry.get("score", 1.0), entry.get("bbox"), entry.get("segmentation"), where)


def _ultralytics(path: Path, index: int, entry: dict[str, Any]) -> Found:
    where = f"{path}: [{index}]"
    box, rings = entry["box"], entry.get("segments")
    try:
        corners = [float(box[name]) for name in ("x1", "y1", "x2", "y2")]
        points = None if not rings else [float(v) for pair in zip(rings["x"], rings["y"], strict=True) for v in pair]
    except (KeyError, TypeError, ValueError):
        raise KinsError(f"{where}: box or segments are not what Ultralytics writes") from None
    relative = all(abs(value) <= 1.0 for value in [*corners, *(points or [])])
    name = entry.get("name")
    category: Any = name if isinstance(name, str) else entry["class"]
    if type(category) not in (int, str):
        raise KinsError(f"{where}: class {category!r} is neither a name nor a number")
    return Found(
        path.stem, category, entry["confidence"], _xywh(corners), None if points is None else [points], where, relative
    )


def _sam(path: Path, index: int, entry: dict[str, Any]) -> Found:
    where = f"{path}: [{index}]"
    return Found(path.stem, OBJECT, entry["predicted_iou"], entry.get("bbox"), entry.get("segmentation"), where)


READERS: dict[tuple[str, ...], Callable[[Path, int, dict[str, Any]], Found]] = {
    ("image_id",): _coco,
    ("predicted_iou",): _sam,
    ("class", "confidence", "box"): _ultralytics,
}
"""By the fields that the first entry of a list has."""


def _inferencer(path: Path, value: dict[str, Any]) -> Iterator[Found]:
    fields = [value["labels"], value["scores"], value["bboxes"], value.get("masks") or [None] * len(value["labels"])]
    if len({len(field) if isinstance(field, list) else -1 for field in fields}) != 1:
        raise KinsError(f"{path}: labels, scores, bboxes and masks are not lists of one length")
    for index, (label, score, corners, mask) in enumerate(zip(*fields, strict=True)):
        where = f"{path}: [{index}]"
        if type(label) is not int or not isinstance(corners, list) or len(corners) != 4:
            raise KinsError(f"{where}: has no label, or no box x1, y1, x2, y2")
        yield Found(path.stem, label, score, _xywh(corners), mask, where)


def _sam_folder(folder: Path) -> Iterator[Found]:
    table = folder / "metadata.csv"
    rows = csv.DictReader(io.StringIO(checked_text(table, read_bytes(table)).decode()))
    for index, row in enumerate(rows):
        where = f"{table}: row {index + 1}"
        try:
            score, name = float(row["predicted_iou"]), f"{int(row['id'])}.png"
        except (KeyError, TypeError, ValueError):
            raise KinsError(f"{where}: has no id or no predicted_iou, as SAM writes them") from None
        yield Found(folder.name, OBJECT, score, None, inside(folder, name), where)


def _xywh(corners: Sequence[float]) -> Box:
    x1, y1, x2, y2 = corners
    if any(type(value) not in (int, float) for value in corners):
        return x1, y1, x2, y2  # which `_check` refuses
    return x1, y1, x2 - x1, y2 - y1


def _check(found: Found) -> None:
    score, box = found.score, found.box
    if type(score) not in (int, float) or not 0 <= score <= 1 + 1e-6:
        raise KinsError(f"{found.where}: score {score!r} is not between 0 and 1")
    if box is None:
        if found.segmentation is None or found.segmentation == []:
            raise KinsError(f"{found.where}: has neither a mask nor a box")
        return
    numbers = isinstance(box, (list, tuple)) and len(box) == 4 and all(type(v) in (int, float) for v in box)
    if not numbers or not all(map(math.isfinite, box)) or box[2] < 0 or box[3] < 0:
        raise KinsError(f"{found.where}: box {box!r:.60} is no x, y, width, height in pixels")


def _scaled_box(found: Found, image: Image) -> Box | None:
    box = found.box
    if box is None:
        return None
    scale = (image.width, image.height) * 2 if found.relative else (1, 1, 1, 1)
    x, y, width, height = (value * factor for value, factor in zip(box, scale, strict=True))
    return x, y, width, height


def _mask(found: Found, image: Image) -> Mask | None:
    value = found.segmentation
    if value is None or value == []:
        return None
    if isinstance(value, Path):
        return Mask.from_array(read_picture(value, (image.height, image.width))[..., 0] > 127)
    if found.relative:
        factors = np.array([image.width, image.height])
        value = [(np.reshape(ring, (-1, 2)) * factors).ravel().tolist() for ring in value]
    mask = Mask.from_segmentation(value, image.height, image.width, f"{found.where}.segmentation")
    if isinstance(value, list) and not mask and _outside(value, image):
        raise KinsError(
            f"{found.where}.segmentation: lies outside of {image.file_name}, which has {image.width} x {image.height} "
            "pixels; are the coordinates those of another picture, or of a scaled one?"
        )
    return mask


def _outside(rings: Sequence[Sequence[float]], image: Image) -> bool:
    """Whether no ring reaches into the picture."""
    boxes = [(min(ring[::2]), min(ring[1::2]), max(ring[::2]), max(ring[1::2])) for ring in rings if len(ring) > 1]
    return all(x2 <= 0 or y2 <= 0 or x1 >= image.width or y1 >= image.height for x1, y1, x2, y2 in boxes)


def _is_number(text: str) -> bool:
    """Whether an id is written so."""
    return text.isdecimal() and len(text) < 20


class _Pictures:
    """Which picture a detection is of: by id, by name, or by the number that a file is named with."""

    def __init__(self, folder: Path | None, like: Dataset | None) -> None:
        self.folder = folder
        self.images: dict[int, Image] = {} if like is None else dict(like.images)
        self.like = like
        files = [] if folder is None else sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        self.files: dict[Key, list[str]] = {}
        for file in files:
            number = file.stem.rpartition("_")[2]
            keys: set[Key] = {file.name, file.stem} | ({int(number)} if _is_number(number) else set())
            for key in keys:
                self.files.setdefault(key, []).append(file.name)
        self.known: dict[Key, int] = {}
        for image in self.images.values():
            name = Path(image.file_name)
            self.known |= {image.id: image.id, image.file_name: image.id, name.name: image.id, name.stem: image.id}

    def find(self, found: Found) -> Image:
        """The picture, with its size. Raises KinsError if there is none, or more than one."""
        key: Key = int(found.image) if isinstance(found.image, str) and _is_number(found.image) else found.image
        for candidate in (found.image, key):
            if candidate in self.known:
                return self.images[self.known[candidate]]
        if self.like is not None:
            raise KinsError(f"{found.where}: no picture {found.image!r} in {self.like.path}; are these two a pair?")
        names = self.files.get(found.image) or self.files.get(key) or []
        if self.folder is not None and len(names) != 1:
            problem = f"{len(names)} pictures are" if names else "no picture is"
            raise KinsError(f"{found.where}: {problem} named after {found.image!r} in {self.folder}")
        name = names[0] if names else str(found.image)
        if name not in self.known:
            height, width = self._size(found, name)
            number = key if isinstance(key, int) and key not in self.images else 1 + max(self.images, default=0)
            self.images[number] = Image(number, name, height, width)
            self.known[name] = number
        self.known[found.image] = self.known[key] = self.known[name]
        return self.images[self.known[name]]

    def _size(self, found: Found, name: str) -> tuple[int, int]:
        if self.folder is not None:
            return picture_size(inside(self.folder, name))
        if isinstance(found.segmentation, dict):
            return rle_size(found.segmentation, found.where)
        raise KinsError(f"{found.where}: the size of the picture is not known; name its folder with --images")


class _Categories:
    """Ids and names of categories, from a list of names, another data set, or the numbers themselves."""

    def __init__(self, listed: Sequence[str] | None, like: Dataset | None) -> None:
        self.names: dict[int, str] = dict(enumerate(listed)) if listed is not None else {}
        if like is not None:
            self.names = dict(like.categories)
        self.fixed = listed is not None or like is not None
        self.where = "the list of classes" if listed is not None else str(like.path) if like is not None else ""

    def find(self, found: Found) -> tuple[int, str]:
        """Id and name. Raises KinsError where the categories are given and this is none of them."""
        category = found.category
        if isinstance(category, int) and (category in self.names or not self.fixed):
            return category, self.names.setdefault(category, str(category))
        ids: Mapping[str, int] = {name: number for number, name in self.names.items()}
        if isinstance(category, str) and (category in ids or not self.fixed):
            number = ids.get(category, 1 + max(self.names, default=0))
            self.names[number] = category
            return number, category
        raise KinsError(f"{found.where}: category {category!r} is not in {self.where}")
