"""labelme: a JSON file for each picture, a later shape over an earlier one, a group for the shapes of one object.

`car` is a whole outline and `car_visible`, in the same group, the visible part where it does not follow from the whole
outlines. Ends of labels count only in a set of files in which the visible one occurs at least once.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

import msgspec

from kins.errors import KinsError
from kins.files.pictures import picture_size
from kins.formats.coco_layout import Losses
from kins.formats.document import Document, Raw
from kins.formats.tools import drawing, shapes
from kins.formats.tools.drawing import Drawn
from kins.formats.tools.parts import Kind, Part, Picture, Reading, dataset_of, marks_in
from kins.formats.tools.sources import decoded, decoded_files, entry_of, picture_name, size_of, split_name
from kins.masks import Mask
from kins.records import Dataset, Scene

OF_NO_AREA = {"line", "linestrip", "point", "points"}
POINTS = {"rectangle": 2, "circle": 2, "mask": 2, "oriented_rectangle": 4}
MOST_DATA = 2**26
"""Characters of a picture within a file whose size is looked at, where nothing else states it."""
VERSION = "5.3.0"


T = TypeVar("T")


class _Shape(msgspec.Struct, gc=False):
    label: str
    points: Raw
    shape_type: str | None = "polygon"
    group_id: int | None = None
    description: str | None = None
    flags: dict[str, Any] | None = None
    mask: str | None = None


class _File(msgspec.Struct, Generic[T], gc=False):
    shapes: list[T] | msgspec.UnsetType = msgspec.UNSET
    imagePath: str = ""
    imageHeight: int | None = None
    imageWidth: int | None = None
    imageData: Raw = Raw()
    flags: dict[str, Any] | None = None
    kins: Any = None


class _Known(_Shape, forbid_unknown_fields=True, gc=False):
    """A shape without fields of other programs."""


_decode_points = msgspec.json.Decoder(list[tuple[float, float]]).decode


def matches(document: Document) -> bool:
    """Recognised by the list `shapes` of an object."""
    file = decoded(document.content, _File[Raw])
    return file is not None and file.shapes is not msgspec.UNSET


def read(documents: Iterable[tuple[str, Document]], reading: Reading, path: Path) -> Dataset:
    """A data set of files, each with its name relative to `path`."""
    left_out: Counter[str] = Counter()
    pictures, shown = [], []
    for name, document, file in decoded_files(documents, _File, _Known, "shapes", left_out, "labelme's"):
        picture, found = _picture(name, document, file, reading, left_out)
        pictures.append(picture)
        shown.append(found)
    _name_parts(pictures, shown, reading, left_out)
    return dataset_of(pictures, reading, path, left_out)


def _picture(
    name: str, document: Document, file: _File[Any], reading: Reading, left_out: Counter[str]
) -> tuple[Picture, list[_Shape]]:
    """A picture whose parts have their labels as categories still, and the shapes of these."""
    folder, stem = split_name(name)
    file_name = picture_name(file.imagePath, folder, reading.images_dir, stem)
    path = str(document.path)
    stated = file.imageHeight, file.imageWidth
    if None in stated and len(file.imageData) > 4:
        stated = _size_of_data(document, file.imageData)
    height, width = size_of(stated, file_name, reading.images_dir, document.path)
    picture = Picture(file_name, height, width, [], extra={"flags": file.flags} if file.flags else {})
    if isinstance(file.kins, dict) and type(number := file.kins.get("image_id")) is int:
        picture.id = number
    found = []
    for index, raw in enumerate(file.shapes):  # type: ignore[arg-type]
        where = f"shapes[{index}]"
        shape, extra = entry_of(document, raw, _Shape, where)
        kind = shape.shape_type or "polygon"
        if kind in OF_NO_AREA:
            left_out["points and lines, which have no area"] += 1
            continue
        shape.points = shape.points.copy()  # the file's content with a picture in it need not stay for these
        number, _, text = marks_in(shape.description or "")
        extra |= {key: value for key, value in (("description", text), ("flags", shape.flags)) if value}
        draw = partial(_mask, shape, height, width, f"{path}: {where}")
        picture.parts.append(Part(shape.label, index, "amodal", index, draw, number, None, extra))
        found.append(shape)
    return picture, found


def _name_parts(
    pictures: Sequence[Picture], shown: Sequence[Sequence[_Shape]], reading: Reading, left_out: Counter[str]
) -> None:
    """Category, key and kind of each part, of its label and group."""
    convention = reading.convention
    suffixes: list[tuple[str, Kind]] = [(convention.visible, "visible"), (convention.amodal, "amodal")]
    used = any(shape.label.endswith(convention.visible) for found in shown for shape in found)
    for picture, found in zip(pictures, shown, strict=True):
        groups: dict[int, set[str]] = {}
        for part, shape in zip(picture.parts, found, strict=True):
            for suffix, kind in suffixes if used else ():
                if shape.label.endswith(suffix) and len(shape.label) > len(suffix):
                    part.category, part.kind = shape.label.removesuffix(suffix), kind
                    break
            if shape.group_id is not None:
                part.key = (part.category, shape.group_id)
                groups.setdefault(shape.group_id, set()).add(part.category)
        left_out["groups whose shapes have different labels; each label is an object of its own"] += sum(
            len(labels) > 1 for labels in groups.values()
        )


def _mask(shape: _Shape, height: int, width: int, where: str) -> Mask:
    try:
        points = _decode_points(shape.points)
    except (msgspec.DecodeError, RecursionError) as error:
        raise KinsError(f"{where}.points: is not a list of points [x, y] ({error})") from None
    kind = shape.shape_type or "polygon"
    wanted = POINTS.get(kind)
    if (len(points) != wanted) if wanted else (kind != "polygon" or len(points) < 3):
        raise KinsError(f"{where}: a {kind!r} of {len(points)} points; kins reads polygon and {', '.join(POINTS)}")
    flat = [number for point in points for number in point]
    if kind == "mask":
        return _patch(shape, flat, height, width, where)
    if kind == "circle":
        radius = ((flat[0] - flat[2]) ** 2 + (flat[1] - flat[3]) ** 2) ** 0.5
        return shapes.ellipse(points[0], (radius, radius), height, width, where=f"{where}.points")
    if kind == "rectangle":
        flat = shapes.box_points(flat[0], flat[1], flat[2], flat[3])
    return shapes.outline(flat, height, width, f"{where}.points")


def _patch(shape: _Shape, corners: list[float], height: int, width: int, where: str) -> Mask:
    """The patch at the first corner; both corners belong to it, where they are whole numbers."""
    if shape.mask is None:
        raise KinsError(f"{where}: is a mask without a picture of it")
    if not all(abs(number) < 1e6 for number in corners):
        raise KinsError(f"{where}.points: lie far outside of any image")
    pixels = shapes.read_png(shape.mask, height * width, f"{where}.mask")
    left, top = round(min(corners[::2])), round(min(corners[1::2]))
    if all(number == int(number) for number in corners):
        size = abs(corners[3] - corners[1]) + 1, abs(corners[2] - corners[0]) + 1
        if size != pixels.shape:
            raise KinsError(
                f"{where}.mask: is {pixels.shape[1]} x {pixels.shape[0]} pixels, its corners say "
                f"{size[1]:.0f} x {size[0]:.0f}"
            )
    return shapes.patch(pixels, left, top, height, width)


def _size_of_data(document: Document, raw: Raw) -> tuple[int, int]:
    """(height, width) of the picture within a file, by its header."""
    if len(raw) > MOST_DATA:
        raise KinsError(f"{document.path}: states no size, and its imageData is too large to look at")
    text = document.decode(raw, str, "imageData")
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, too
        raise KinsError(f"{document.path}: imageData: is not base64") from None
    return picture_size(document.path, content)


def names(dataset: Dataset) -> list[str]:
    """The files to write."""
    return [f"{stem}.json" for _, stem in drawing.file_stems(dataset)]


def write(dataset: Dataset, traced: bool = False) -> tuple[dict[str, bytes], list[str]]:
    """Files by name, and what they can't hold.

    Args:
        traced: outlines in place of patches of pixels, but for masks with holes.
    """
    losses = Losses()
    files = {}
    for image_id, stem in drawing.file_stems(dataset):
        scene = dataset[image_id]
        value = _file(scene, drawing.drawn(scene, losses), traced, losses)
        files[f"{stem}.json"] = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    categories = sorted({instance.category for scene in dataset for instance in scene})
    lines = drawing.note_losses(dataset, losses, ("flags",)) + drawing.category_line(dataset, categories)
    ends = drawing.CONVENTION.visible, drawing.CONVENTION.amodal
    if any(name.endswith(ends) for name in categories):
        lines.append(f"ends of category names ({' and '.join(ends)}), which say here what a shape is")
    return files, lines


def _file(scene: Scene, things: list[Drawn], traced: bool, losses: Losses) -> dict[str, Any]:
    image = scene.image
    found: list[dict[str, Any]] = []
    for group, thing in enumerate(things, 1):
        drawn = [shape for visible, mask in thing.parts for shape in _shapes(thing, visible, mask, traced)]
        for shape in drawn:
            shape["group_id"] = group if len(drawn) > 1 else None
        found += drawn
        if thing.instance is not None and thing.instance.crowd:
            losses.add("iscrowd")
    flags = image.extra.get("flags")
    return {
        "version": VERSION,
        "flags": flags if isinstance(flags, dict) else {},
        "shapes": found,
        "imagePath": PurePosixPath(image.file_name.replace("\\", "/")).name,
        "imageData": None,
        "imageHeight": image.height,
        "imageWidth": image.width,
        "kins": {"image_id": image.id},
    }


def _shapes(thing: Drawn, visible: bool, mask: Mask, traced: bool) -> list[dict[str, Any]]:
    extra = {} if thing.instance is None else dict(thing.instance.extra)
    text, flags = extra.pop("description", None), extra.pop("flags", None)
    fields: dict[str, Any] = {
        "label": thing.category + (drawing.CONVENTION.visible if visible else ""),
        "points": [],
        "group_id": None,
        "description": f"{thing.note} {text if isinstance(text, str) else ''}".strip(),
        "shape_type": "polygon",
        "flags": flags if isinstance(flags, dict) else {},
    }
    extra = {key: value for key, value in extra.items() if key not in fields and key != "mask"}
    polygons = drawing.outlines(mask, traced)
    if polygons is not None:
        pairs = [list(zip(p[::2], p[1::2], strict=True)) for p in polygons]
        return [extra | fields | {"points": points} for points in pairs]
    pixels, left, top = shapes.cut_out(mask)
    corners = [[left, top], [left + pixels.shape[1] - 1, top + pixels.shape[0] - 1]]
    return [extra | fields | {"points": corners, "shape_type": "mask", "mask": shapes.write_png(pixels)}]
