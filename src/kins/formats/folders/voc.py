"""Pascal VOC: `Annotations/*.xml` with boxes, and for some pictures `SegmentationObject/*.png` with what is seen.

A mask's number is that of the object in the XML file, counted from 1; 0 is nothing, 255 borders and what was left open.
Its class follows from `SegmentationClass`. Boxes have the first pixel (1, 1), and both corners belong to them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files.pictures import picture_size, read_labels
from kins.formats.document import Document, Raw, checked_text
from kins.formats.folders import sheets
from kins.formats.folders.sheets import STRIDE, Kind, Pictures, Sheet
from kins.formats.tools.sources import check_xml, files_below
from kins.masks import Box, Mask
from kins.masks.runs import check_size
from kins.records import Dataset, Instance

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Pascal VOC's, numbered from 1, as in SegmentationClass."""
OPEN = 255
LARGEST = 2**24
"""Bytes of an XML file."""
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
ROOT = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>\s*)?<annotation(\s[^>]*)?>", re.DOTALL)
ALONE = STRIDE // 2
"""Added to the number of a mask without an object in the XML file."""


class _Object(NamedTuple):
    number: int
    name: str
    box: Box | None
    extra: dict[str, Any]


class _Page(NamedTuple):
    """What an XML file says; size is (height, width)."""

    file_name: str = ""
    size: tuple[int, int] | None = None
    objects: Sequence[_Object] = ()


def matches(path: Path) -> bool:
    """A folder with `Annotations` or `SegmentationObject`, a folder of XML files, or one of these."""
    if path.is_file():
        return _is_page(path)
    file = sheets.first_in(path / "Annotations", ".xml") or sheets.first_in(path, ".xml")
    return (file is not None and matches(file)) or sheets.first_in(path / "SegmentationObject", ".png") is not None


def _is_page(path: Path) -> bool:
    return ROOT.match(COMMENT.sub(b"", sheets.head_of(path))) is not None


def read(path: Path, images_dir: Path | None, masks: Kind) -> Dataset:
    """A data set of a folder, or of an XML file."""
    left_out: Counter[str] = Counter()
    place, pictures = _places(path, images_dir)
    files = {path.name: path} if path.is_file() else {} if place is None else files_below(place, (".xml",))
    labels = {name.rpartition(".")[0]: file for name, file in files.items() if _is_page(file)}
    left_out["XML files that are not Pascal VOC's"] += len(files) - len(labels)
    maps = _maps(path / "SegmentationObject")
    classes = _maps(path / "SegmentationClass")
    if maps and masks == "amodal":
        raise KinsError(f"{path}: a picture of masks has one object a pixel, which is what is seen; leave --as out")
    pages = {stem: _page(labels[stem], left_out) if stem in labels else _Page() for stem in sorted({*labels, *maps})}
    names = {o.name for page in pages.values() for o in page.objects}
    listed = sorted(names) if not maps and not names <= {*CLASSES} else [*CLASSES, *sorted(names - {*CLASSES})]
    ids = {name: number for number, name in enumerate(listed, 1)}
    result = []
    for stem, page in pages.items():
        where = labels[stem] if stem in labels else maps[stem]
        name, size = _picture(stem, page, pictures, maps.get(stem), where, left_out)
        draw = partial(_instances, page, ids, masks, maps.get(stem), classes.get(stem), size)
        result.append(Sheet(name, *size, draw))
    return sheets.dataset_of(result, {number: name for name, number in ids.items()}, pictures.folder, path, left_out)


def _places(path: Path, images_dir: Path | None) -> tuple[Path | None, Pictures]:
    """The folder of XML files, and the pictures."""
    if path.is_file():
        return path.parent, Pictures(images_dir)
    if (path / "Annotations").is_dir() or (path / "SegmentationObject").is_dir():
        usual = path / "JPEGImages"
        place = path / "Annotations"
        return place if place.is_dir() else None, Pictures(images_dir or (usual if usual.is_dir() else None))
    return path, Pictures(images_dir or path)


def _maps(folder: Path) -> dict[str, Path]:
    found = files_below(folder, (".png",)) if folder.is_dir() else {}
    return {name.rpartition(".")[0]: file for name, file in found.items()}


def _picture(
    stem: str, page: _Page, pictures: Pictures, labels: Path | None, where: Path, left_out: Counter[str]
) -> tuple[str, tuple[int, int]]:
    """Name and size: the picture's, or else what the XML file says, or that of the masks."""
    named = PurePosixPath(page.file_name.replace("\\", "/")).name
    picture = pictures.find(stem, *([named.rpartition(".")[0]] if "." in named else []))
    if picture is not None:
        size = pictures.size(picture)
        left_out["XML files with another size than their picture has, which counts"] += page.size not in (None, size)
        return picture, size
    size_found = page.size or (picture_size(labels) if labels is not None else None)
    if size_found is None:
        raise KinsError(f"{where}: states no size of its picture; name the folder of the pictures with --images")
    check_size(*size_found, where)
    return named or f"{stem}.jpg", size_found


def _page(path: Path, left_out: Counter[str]) -> _Page:
    content = checked_text(path, sheets.content_of(path, LARGEST))
    try:
        root = ElementTree.fromstring(check_xml(Document(path, content=Raw(content))))
    except ElementTree.ParseError as error:
        raise KinsError(f"{path}: is not valid XML ({error})") from None
    sides = [(root.findtext(f"size/{side}") or "").strip() for side in ("height", "width")]
    known = all(re.fullmatch(r"[1-9][0-9]{0,8}", side) for side in sides)
    elements = root.findall("object")
    sheets.check_count(2 * len(elements), path)
    objects = [_object(number, element, f"{path}: object[{number - 1}]") for number, element in enumerate(elements, 1)]
    left_out["objects without a box, or with one without a pixel"] += sum(o.box is None for o in objects)
    name = (root.findtext("filename") or "").strip().replace("\0", "")
    return _Page(name, (int(sides[0]), int(sides[1])) if known else None, objects)


def _object(number: int, element: ElementTree.Element, where: str) -> _Object:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise KinsError(f"{where}: has no name")
    extra: dict[str, Any] = {}
    for flag in ("truncated", "difficult", "occluded"):
        if (text := (element.findtext(flag) or "").strip()) in ("0", "1"):
            extra[flag] = int(text)
    if pose := (element.findtext("pose") or "").strip():
        extra["pose"] = pose
    box = element.find("bndbox")
    if box is None:
        return _Object(number, name, None, extra)
    sides = [(box.findtext(side) or "").strip() for side in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = (sheets.number_of(text, f"{where}.bndbox") for text in sides)
    return _Object(number, name, sheets.box_of(left - 1, top - 1, right, bottom, f"{where}.bndbox"), extra)


def _instances(
    page: _Page, ids: dict[str, int], kind: Kind, labels: Path | None, classes: Path | None, size: tuple[int, int]
) -> Sequence[Instance]:
    """Objects with their masks or boxes alone, then masks that are none of these."""
    numbered = {} if labels is None else sheets.masks_of(_numbers(labels, size))
    numbered.pop(OPEN, None)
    table = _numbers(classes, size) if classes is not None and numbered else None
    named = {number: _class_of(mask, table) for number, mask in numbered.items()}
    found = []
    for o in page.objects:
        mask = numbered.pop(o.number) if named.get(o.number) in (o.name, "") else None
        if mask is not None:
            found.append(sheets.labelled(o.number, ids[o.name], o.name, kind, mask, inmodal_box=o.box, extra=o.extra))
        elif o.box is not None:
            found.append(sheets.labelled(o.number, ids[o.name], o.name, kind, o.box, extra=o.extra))
    for number, mask in numbered.items():
        name = named[number] or "object"
        found.append(sheets.labelled(ALONE + number, ids.get(name, 0), name, kind, mask))
    return found


def _numbers(path: Path, size: tuple[int, int]) -> npt.NDArray[np.integer[Any]]:
    found = read_labels(path)
    if found.shape != size:
        raise KinsError(f"{path}: is {found.shape[1]} x {found.shape[0]} pixels, its picture {size[1]} x {size[0]}")
    if found.min() < 0 or found.max() > OPEN:
        raise KinsError(f"{path}: has numbers that are not from 0 to {OPEN}")
    return found


def _class_of(mask: Mask, table: npt.NDArray[np.integer[Any]] | None) -> str:
    """The class of most of a mask's pixels; empty where none is known."""
    if table is None:
        return ""
    x, y, width, height = map(int, mask.box)
    pixels = table[y : y + height, x : x + width][mask.cropped(x, y, width, height).to_array()]
    counts = np.bincount(pixels, minlength=len(CLASSES) + 1)[1 : len(CLASSES) + 1]
    return CLASSES[int(counts.argmax())] if counts.any() else ""
