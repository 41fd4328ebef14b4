"""ISAT: a JSON file for each picture, one outline a ring, larger layers nearer, a group for the rings of one object.

A ring of the category `__background__` is a hole in the topmost lower ring that has at least half of it. `visible` in a
ring's note marks a visible part. Group 0 means none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

import msgspec

from kins.errors import KinsError
from kins.formats.coco_layout import Losses
from kins.formats.document import Document, Raw
from kins.formats.tools import drawing, shapes
from kins.formats.tools.drawing import Drawn
from kins.formats.tools.parts import Kind, Part, Picture, Reading, dataset_of, marks_in
from kins.formats.tools.sources import decoded, decoded_files, entry_of, picture_name, size_of, split_name
from kins.masks import Mask
from kins.masks.trace import rings
from kins.records import Dataset, Scene

BACKGROUND = "__background__"


T = TypeVar("T")


class _Info(msgspec.Struct, gc=False):
    description: str = ""
    name: str = ""
    width: int | None = None
    height: int | None = None
    note: str | None = None


class _Ring(msgspec.Struct, gc=False):
    category: str
    segmentation: Raw
    group: int | str | None = None
    layer: float | None = None
    iscrowd: bool | int | None = None
    note: str | None = None
    area: Raw = Raw()
    bbox: Raw = Raw()


class _Known(_Ring, forbid_unknown_fields=True, gc=False):
    """A ring without fields of other programs."""


class _File(msgspec.Struct, Generic[T], gc=False):
    info: Raw = Raw()
    objects: list[T] | msgspec.UnsetType = msgspec.UNSET


_decode_points = msgspec.json.Decoder(list[tuple[float, float]]).decode


def matches(document: Document) -> bool:
    """Recognised by `info.description`, which is ISAT, and the list `objects`."""
    file = decoded(document.content, _File[Raw])
    info = None if file is None else decoded(file.info, _Info)
    return info is not None and info.description == "ISAT" and file.objects is not msgspec.UNSET


def read(documents: Iterable[tuple[str, Document]], reading: Reading, path: Path) -> Dataset:
    """A data set of files, each with its name relative to `path`."""
    left_out: Counter[str] = Counter()
    pictures = []
    for name, document, file in decoded_files(documents, _File, _Known, "objects", left_out, "ISAT's"):
        pictures.append(_picture(name, document, file, reading, left_out))
    return dataset_of(pictures, reading, path, left_out)


def _picture(name: str, document: Document, file: _File[Any], reading: Reading, left_out: Counter[str]) -> Picture:
    info = document.decode(file.info, _Info, "info")
    folder, stem = split_name(name)
    file_name = picture_name(info.name, folder, reading.images_dir, stem)
    path = str(document.path)
    height, width = size_of((info.height, info.width), file_name, reading.images_dir, f"{document.path}: info")
    number, _, note = marks_in(info.note or "")
    picture = Picture(file_name, height, width, [], number, {"note": note} if note else {})
    for index, raw in enumerate(file.objects):  # type: ignore[arg-type]
        where = f"objects[{index}]"
        ring, extra = entry_of(document, raw, _Ring, where)
        group = _group(ring.group, f"{path}: {where}.group")
        number, visible, note = marks_in(ring.note or "")
        if note:
            extra["note"] = note
        kind: Kind = "visible" if visible else "amodal"
        if ring.category == BACKGROUND:
            kind = "visible hole" if visible else "hole"
        key = (group, ring.category, bool(ring.iscrowd)) if group else index
        layer = float(index) if ring.layer is None else ring.layer
        draw = partial(_mask, ring.segmentation, height, width, f"{path}: {where}.segmentation")
        crowd = None if ring.iscrowd is None else bool(ring.iscrowd)
        picture.parts.append(Part(ring.category, key, kind, layer, draw, number, crowd, extra))
    return picture


def _group(group: int | str | None, where: str) -> int:
    """A group's number; nothing, an empty text and 0 are none."""
    if isinstance(group, str):
        if not (group == "" or (group.isascii() and group.isdecimal())):
            raise KinsError(f"{where}: {group[:40]!r} is not a whole number")
        return int(group[:18] or 0)
    return group or 0


def _mask(points: Raw, height: int, width: int, where: str) -> Mask:
    try:
        flat = [number for point in _decode_points(points) for number in point]
    except (msgspec.DecodeError, RecursionError) as error:
        raise KinsError(f"{where}: is not a list of points [x, y] ({error})") from None
    return shapes.outline(flat, height, width, where)


def names(dataset: Dataset) -> list[str]:
    """The files to write."""
    return [f"{stem}.json" for _, stem in drawing.file_stems(dataset)] + ["isat.yaml"]


def write(dataset: Dataset, traced: bool = False) -> tuple[dict[str, bytes], list[str]]:
    """Files by name, and what they can't hold. Masks without outlines are traced in any case."""
    losses = Losses()
    files = {}
    for image_id, stem in drawing.file_stems(dataset):
        scene = dataset[image_id]
        value = _file(scene, drawing.drawn(scene, losses), losses)
        files[f"{stem}.json"] = msgspec.json.format(msgspec.json.encode(value), indent=4) + b"\n"
    categories = sorted({instance.category for scene in dataset for instance in scene})
    files["isat.yaml"] = _labels(categories)
    lines = drawing.note_losses(dataset, losses, ("note",)) + drawing.category_line(dataset, categories)
    if BACKGROUND in categories:
        lines.append(f"objects of the category {BACKGROUND}: read again, they are holes")
    return files, lines


def _labels(names: list[str]) -> bytes:
    """isat.yaml: a category a line, as JSON texts, which YAML takes too."""
    lines = ["label:"]
    for index, name in enumerate([BACKGROUND, *names]):
        colour = "#000000" if index == 0 else f"#{(index * 2654435761) % 2**24:06x}"
        lines += [f"- name: {msgspec.json.encode(name).decode()}", f'  color: "{colour}"']
    return "\n".join(lines).encode() + b"\n"


def _file(scene: Scene, things: list[Drawn], losses: Losses) -> dict[str, Any]:
    image = scene.image
    note = image.extra.get("note")
    found: list[dict[str, Any]] = []
    for group, thing in enumerate(things, 1):
        for visible, mask in thing.parts:
            found += _rings(thing, visible, mask, group, len(found) + 1)
        if thing.instance is not None and thing.instance.extra.keys() - {"note"}:
            losses.add("fields that ISAT has no place for")
    info = {
        "description": "ISAT",
        "folder": "",
        "name": PurePosixPath(image.file_name.replace("\\", "/")).name,
        "width": image.width,
        "height": image.height,
        "depth": 3,
        "note": f"kins:{image.id} {note if isinstance(note, str) else ''}".strip(),
    }
    return {"info": info, "objects": found}


def _rings(thing: Drawn, visible: bool, mask: Mask, group: int, layer: int) -> list[dict[str, Any]]:
    """The rings of a mask, each on a layer of its own from the given one on; holes after the parts that they are in."""
    polygons, holes = drawing.outlines(mask, traced=False), list[list[float]]()
    if polygons is None:
        polygons, holes = rings(mask)
    together = [(_area(ring), False, ring) for ring in polygons] + [(_area(ring), True, ring) for ring in holes]
    if holes:
        together.sort(key=lambda entry: -entry[0])
    text = None if thing.instance is None else thing.instance.extra.get("note")
    crowd = thing.instance is not None and bool(thing.instance.crowd)
    words = ["visible" if visible else "", thing.note, text if isinstance(text, str) else ""]
    found = []
    for offset, (area, hole, ring) in enumerate(together):
        xs, ys = ring[::2], ring[1::2]
        found.append(
            {
                "category": BACKGROUND if hole else thing.category,
                "group": 0 if hole else group,
                "segmentation": list(zip(xs, ys, strict=True)),
                "area": area,
                "layer": float(layer + offset),
                "bbox": [min(xs), min(ys), max(xs), max(ys)],
                "iscrowd": crowd,
                "note": " ".join(filter(None, words[:1] if hole else words)),
            }
        )
    return found


def _area(ring: list[float]) -> float:
    """Of the outline, in square pixels."""
    xs, ys = ring[::2], ring[1::2]
    return abs(math.fsum(x * (ys[i - 1] - ys[(i + 1) % len(ys)]) for i, x in enumerate(xs))) / 2
