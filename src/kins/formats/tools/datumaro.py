"""Datumaro's JSON, as CVAT exports it, too: z_order is larger where nearer, a group joins parts of one object.

The attribute `part` is `visible` for visible parts, and `kins` holds kins's annotation id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.formats.coco_layout import Losses, rle
from kins.formats.document import Document, Raw
from kins.formats.tools import drawing, shapes
from kins.formats.tools.drawing import Drawn
from kins.formats.tools.parts import Part, Picture, Reading, dataset_of, marks_in
from kins.formats.tools.sources import decoded, picture_name, size_of
from kins.masks import Mask
from kins.records import Dataset, Scene

DRAWN = {"polygon", "mask", "bbox"}
SUBSET = "default"
FILE = f"annotations/{SUBSET}.json"


class _Label(msgspec.Struct, gc=False):
    name: str


class _Labels(msgspec.Struct, gc=False):
    labels: list[_Label]


class _Categories(msgspec.Struct, gc=False):
    label: _Labels | None = None


class _Image(msgspec.Struct, gc=False):
    path: str = ""
    size: tuple[int, int] | None = None


class _Item(msgspec.Struct, gc=False):
    id: str
    annotations: list[Raw] = []
    image: _Image | None = None
    attr: dict[str, Any] = {}


class _File(msgspec.Struct, gc=False):
    items: list[Raw]
    categories: _Categories


class _Shape(msgspec.Struct, gc=False):
    type: str
    label_id: int | None = None
    group: int | None = 0
    z_order: int | None = 0
    attributes: dict[str, Any] = {}
    points: list[float] = []
    bbox: tuple[float, float, float, float] | None = None
    rle: Raw = Raw()


def matches(document: Document) -> bool:
    """Recognised by `items` and `categories`, which is an object."""
    fields = decoded(document.content, dict[str, Raw])
    return fields is not None and "items" in fields and bytes(fields.get("categories", Raw()))[:1] == b"{"


def read(documents: Iterable[tuple[str, Document]], reading: Reading, path: Path) -> Dataset:
    """A data set of files, each with its name relative to `path`."""
    left_out: Counter[str] = Counter()
    pictures: list[Picture] = []
    labels: dict[str, None] = {}
    for name, document in documents:
        if not matches(document):
            left_out["JSON files that are not Datumaro's"] += 1
            continue
        assert document.content is not None
        file: _File = document.decode(document.content, _File, "")
        names = [] if file.categories.label is None else [label.name for label in file.categories.label.labels]
        labels |= dict.fromkeys(names)
        for index, raw in enumerate(file.items):
            item = document.decode(raw, _Item, f"items[{index}]")
            picture = _picture(document, f"items[{index}]", item, names, reading, left_out)
            if len(subset := PurePosixPath(name).stem) and subset != SUBSET:
                picture.extra["subset"] = subset
            pictures.append(picture)
    return dataset_of(pictures, reading, path, left_out, list(labels))


def _picture(
    document: Document, place: str, item: _Item, names: list[str], reading: Reading, left_out: Counter[str]
) -> Picture:
    image = item.image or _Image()
    name = picture_name(image.path or item.id, "", reading.images_dir, item.id)
    where = f"{document.path}: {place}"
    picture = Picture(name, *size_of(image.size or (None, None), name, reading.images_dir, where), [])
    number = item.attr.get("kins_image_id")
    picture.id = number if type(number) is int else None
    for index, raw in enumerate(item.annotations):
        at = f"{place}.annotations[{index}]"
        shape: _Shape = document.decode(raw, _Shape, at)
        if shape.type not in DRAWN:
            left_out["labels, lines, points and others, which have no area"] += 1
            continue
        if shape.label_id is None or not 0 <= shape.label_id < len(names):
            raise KinsError(f"{document.path}: {at}.label_id: no label {shape.label_id} among {len(names)}")
        picture.parts.append(_part(shape, names[shape.label_id], index, picture, f"{document.path}: {at}"))
    return picture


def _part(shape: _Shape, label: str, index: int, picture: Picture, where: str) -> Part:
    attributes = dict(shape.attributes)
    kind = attributes.pop("part", None)
    picture.marked |= kind in ("amodal", "visible")
    number, _, text = marks_in(str(attributes.pop("kins", "")))
    if text:
        attributes["kins"] = text
    draw = partial(_mask, shape, picture.height, picture.width, where)
    key = (label, shape.group) if shape.group else index
    extra = {"attributes": attributes} if attributes else {}
    return Part(label, key, "visible" if kind == "visible" else "amodal", shape.z_order or 0, draw, number, None, extra)


def _mask(shape: _Shape, height: int, width: int, where: str) -> Mask:
    if shape.type == "mask":
        return Mask(height, width, None, shape.rle or Raw(b"null"), f"{where}.rle")
    if shape.type == "polygon":
        if len(shape.points) < 6:
            raise KinsError(f"{where}.points: are fewer than three points")
        return shapes.outline(shape.points, height, width, f"{where}.points")
    if shape.bbox is None:
        raise KinsError(f"{where}.bbox: is missing")
    x, y, w, h = shape.bbox
    turn = shape.attributes.get("rotation", 0)
    corners = shapes.box_points(x, y, x + w, y + h)
    if isinstance(turn, int | float) and turn:
        corners = shapes.turned(corners, float(turn), (x + w / 2, y + h / 2))
    return shapes.outline(corners, height, width, f"{where}.bbox")


def names(dataset: Dataset) -> list[str]:
    """The files to write."""
    return [FILE]


def write(dataset: Dataset, traced: bool = False) -> tuple[dict[str, bytes], list[str]]:
    """The file, and what it can't hold."""
    losses = Losses()
    used = sorted({instance.category for scene in dataset for instance in scene})
    listed = list(dict.fromkeys([*dataset.categories.values(), *used, drawing.CONVENTION.occluder]))
    items = [_item(scene, drawing.drawn(scene, losses), listed, traced, losses) for scene in dataset]
    labels = [{"name": name, "parent": "", "attributes": ["kins", "part"]} for name in listed]
    value = {"info": {}, "categories": {"label": {"labels": labels, "attributes": []}}, "items": items}
    lines = drawing.note_losses(dataset, losses) + drawing.category_line(dataset, listed[:-1])
    return {FILE: msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"}, lines


def _item(scene: Scene, things: list[Drawn], listed: list[str], traced: bool, losses: Losses) -> dict[str, Any]:
    image = scene.image
    found: list[dict[str, Any]] = []
    for layer, thing in enumerate(things, 1):
        extra = {} if thing.instance is None else thing.instance.extra
        stated = extra.get("attributes")
        if extra.keys() - {"attributes"}:
            losses.add("fields that Datumaro has no place for")
        if thing.instance is not None and thing.instance.crowd:
            losses.add("iscrowd")
        drawn = [(visible, shape) for visible, mask in thing.parts for shape in _shapes(mask, traced)]
        for visible, shape in drawn:
            own = {"part": "visible" if visible else "amodal"} | ({"kins": thing.note} if thing.note else {})
            fields = {"id": len(found), "label_id": listed.index(thing.category), "z_order": layer}
            attributes = (stated if isinstance(stated, dict) else {}) | own
            found.append(fields | {"group": layer if len(drawn) > 1 else 0, "attributes": attributes} | shape)
    stem = str(PurePosixPath(image.file_name).with_suffix(""))
    return {
        "id": stem,
        "annotations": found,
        "attr": {"kins_image_id": image.id},
        "image": {"path": image.file_name, "size": [image.height, image.width]},
    }


def _shapes(mask: Mask, traced: bool) -> Iterator[dict[str, Any]]:
    polygons = drawing.outlines(mask, traced)
    if polygons is None:
        yield {"type": "mask", "rle": rle(mask)}
    else:
        yield from ({"type": "polygon", "points": polygon} for polygon in polygons)
