"""CVAT for images 1.1: XML with the shapes of each picture; z_order is larger where nearer, group_id joins parts.

The attribute `part` is `visible` for visible parts, and `kins` holds kins's annotation id. `occluded`, one person's
opinion, is kept and not used.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kins.errors import KinsError
from kins.formats.document import Document
from kins.formats.tools import shapes
from kins.formats.tools.cvat_writer import names as names
from kins.formats.tools.cvat_writer import write as write
from kins.formats.tools.parts import Part, Picture, Reading, dataset_of, marks_in
from kins.formats.tools.sources import check_xml, picture_name, size_of
from kins.masks import Mask
from kins.records import Dataset

Element = ElementTree.Element

DRAWN = {"polygon", "box", "ellipse", "mask"}
OF_NO_AREA = {"polyline", "points", "cuboid", "skeleton", "tag"}
NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?\s*", re.IGNORECASE)


def matches(document: Document) -> bool:
    """Recognised by the root `annotations` with `version` 1.1."""
    head = b"" if document.content is None else bytes(memoryview(document.content)[:4096])
    return re.search(rb"<annotations>\s*(<!--.*?-->\s*)?<version>\s*1\.1\s*</version>", head, re.DOTALL) is not None


def read(documents: Iterable[tuple[str, Document]], reading: Reading, path: Path) -> Dataset:
    """A data set of files, each with its name relative to `path`."""
    left_out: Counter[str] = Counter()
    pictures: list[Picture] = []
    labels: dict[str, None] = {}
    for _, document in documents:
        if not matches(document):
            left_out["XML files that are not CVAT's"] += 1
            continue
        pictures += _pictures(document, reading, left_out, labels)
    return dataset_of(pictures, reading, path, left_out, list(labels))


def _pictures(
    document: Document, reading: Reading, left_out: Counter[str], labels: dict[str, None]
) -> Iterator[Picture]:
    """The pictures of a file one after the other, so that its elements need not stay."""
    content = check_xml(document)
    depth = 0
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(content), ("start", "end")):
            depth += 1 if event == "start" else -1
            if event == "start":
                if element.tag == "track":
                    raise KinsError(f"{document.path}: holds tracks (CVAT for video); export it as CVAT for images 1.1")
            elif element.tag == "meta":
                labels |= dict.fromkeys(text for e in element.iterfind(".//labels/label/name") if (text := e.text))
                element.clear()
            elif element.tag == "image" and depth == 1:
                yield _picture(document, element, reading, left_out)
                element.clear()
    except ElementTree.ParseError as error:
        raise KinsError(f"{document.path}: is not valid XML ({error})") from None


def _picture(document: Document, image: Element, reading: Reading, left_out: Counter[str]) -> Picture:
    place = f"{document.path}: image {image.get('id', '?')[:20]} ({image.get('name', '')[:80]})"
    height, width = (_whole(image, name, place) for name in ("height", "width"))
    name = picture_name(image.get("name", ""), "", reading.images_dir)
    picture = Picture(name, *size_of((height, width), name, reading.images_dir, place), [])
    picture.id = _whole(image, "id", place) if image.get("id") is not None else None
    if subset := image.get("subset"):
        picture.extra["subset"] = subset
    for index, element in enumerate(image):
        where = f"{place}, {element.tag}[{index}]"
        if element.tag in OF_NO_AREA:
            left_out["lines, points, cuboids, skeletons and tags, which have no area"] += 1
        elif element.tag not in DRAWN:
            raise KinsError(f"{where}: is no shape that kins knows; it reads {', '.join(sorted(DRAWN))}")
        elif element.tag == "mask" and not (element.get("rle") or "").strip():
            left_out["masks without pixels"] += 1
        else:
            picture.parts.append(_part(element, index, picture, where))
    return picture


def _part(element: Element, index: int, picture: Picture, where: str) -> Part:
    label = element.get("label")
    if label is None:
        raise KinsError(f"{where}: has no label")
    attributes = {e.get("name", ""): (e.text or "") for e in element.iterfind("attribute")}
    kind = attributes.pop("part", "").strip()
    picture.marked |= kind in ("amodal", "visible")
    number, _, text = marks_in(attributes.pop("kins", ""))
    if text:
        attributes["kins"] = text
    group = _whole(element, "group_id", where) if element.get("group_id") else 0
    layer = _whole(element, "z_order", where) if element.get("z_order") else 0
    extra: dict[str, Any] = {"attributes": attributes} if attributes else {}
    if element.get("occluded") == "1":
        extra["occluded"] = True
    draw = partial(_mask, element.tag, dict(element.attrib), picture.height, picture.width, where)
    key = (label, group) if group else index
    return Part(label, key, "visible" if kind == "visible" else "amodal", layer, draw, number, None, extra)


def _mask(tag: str, fields: dict[str, str], height: int, width: int, where: str) -> Mask:
    if tag == "mask":
        return _patch(fields, height, width, where)
    if tag == "polygon":
        points = [_number(text, f"{where}.points") for text in re.split("[,;]", fields.get("points", ""))]
        if len(points) < 6 or len(points) % 2:
            raise KinsError(f"{where}.points: are not three or more points x,y;x,y;...")
        return shapes.outline(points, height, width, f"{where}.points")
    sides = ("xtl", "ytl", "xbr", "ybr") if tag == "box" else ("cx", "cy", "rx", "ry")
    a, b, c, d = (_number(fields.get(side, ""), f"{where}.{side}") for side in sides)
    turn = _number(fields.get("rotation", "0"), f"{where}.rotation")
    if tag == "ellipse":
        return shapes.ellipse((a, b), (c, d), height, width, turn, where)
    corners = shapes.turned(shapes.box_points(a, b, c, d), turn, ((a + c) / 2, (b + d) / 2))
    return shapes.outline(corners, height, width, where)


def _patch(fields: dict[str, str], height: int, width: int, where: str) -> Mask:
    """Runs that alternate, off first, row by row in the box."""
    left, top, columns, rows = (_whole(fields, name, where) for name in ("left", "top", "width", "height"))
    texts = fields["rle"].split(",")
    if columns < 1 or rows < 1 or columns * rows > 4 * height * width:
        raise KinsError(f"{where}: a box of {columns} x {rows} pixels in an image of {width} x {height}")
    if abs(left) > 10**6 or abs(top) > 10**6 or not all(re.fullmatch(r"\s*\d{1,10}\s*", text) for text in texts):
        raise KinsError(f"{where}.rle: is not a list of whole numbers, or the box is far outside of any image")
    runs = np.array(texts, np.int64)
    if runs.sum() != columns * rows:
        raise KinsError(f"{where}.rle: its runs add up to {runs.sum()}, its box has {columns * rows} pixels")
    pixels = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(rows, columns)
    return shapes.patch(pixels, left, top, height, width)


def _number(text: str, where: str) -> float:
    if not NUMBER.fullmatch(text):
        raise KinsError(f"{where}: {text[:40]!r} is not a number")
    return float(text)


def _whole(fields: Element | dict[str, str], name: str, where: str) -> int:
    text = fields.get(name, "")
    if not re.fullmatch(r"\s*-?\d{1,15}(\.0+)?\s*", text):
        raise KinsError(f"{where}.{name}: {text[:40]!r} is not a whole number")
    return int(float(text))
