"""Label Studio: tasks with the regions of one or several annotators, in percent of the picture's sides.

A region is a whole outline; the relation `same` joins regions of one object, and `hides` leads from the nearer object
to the farther one. Where two overlap without that, the later region is the nearer one. The choice `part` of a region is
`visible` for a visible part.
"""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files.pictures import SUFFIXES
from kins.formats.document import Document, Raw
from kins.formats.tools import shapes
from kins.formats.tools.brush import read_brush
from kins.formats.tools.labelstudio_writer import names as names
from kins.formats.tools.labelstudio_writer import write as write
from kins.formats.tools.parts import Part, Picture, Reading, dataset_of, marks_in
from kins.formats.tools.sources import decoded, picture_name, size_of
from kins.masks import Mask
from kins.records import Dataset

Percent = float


class _Task(msgspec.Struct, gc=False):
    data: dict[str, Any]
    annotations: list[Raw] | None = None
    completions: list[Raw] | None = None
    predictions: list[Raw] | None = None


class _Annotation(msgspec.Struct, gc=False):
    result: list[Raw] | None = None
    completed_by: Any = None
    was_cancelled: bool = False
    skipped: bool = False
    model_version: str | None = None


class _Entry(msgspec.Struct, gc=False):
    """Something said of a region; a region has one or several."""

    type: str = ""
    id: str | None = None
    value: dict[str, Raw] = {}
    from_id: str | None = None
    to_id: str | None = None
    direction: str | None = None
    labels: list[str] | None = None
    original_width: int | None = None
    original_height: int | None = None
    image_rotation: float | None = None
    meta: dict[str, Any] | None = None


class _Region(msgspec.Struct, gc=False):
    value: dict[str, Raw] = {}
    label: str | None = None
    part: str = ""
    note: str = ""
    where: str = ""


GEOMETRY = ("points", "rle", "radiusX", "width")
"""Fields of a region's value that tell polygons, brushes, ellipses and rectangles."""


def matches(document: Document) -> bool:
    """Recognised by a list whose first entry has `data`, and `annotations`, `predictions` or `completions`."""
    first = decoded(document.content, list[Raw])
    fields = decoded(first[0], dict[str, Raw]) if first else None
    return fields is not None and "data" in fields and not fields.keys().isdisjoint(_Task.__struct_fields__[1:])


def read(documents: Iterable[tuple[str, Document]], reading: Reading, path: Path) -> Dataset:
    """A data set of files, each with its name relative to `path`."""
    left_out: Counter[str] = Counter()
    pictures: list[Picture] = []
    for _, document in documents:
        if not matches(document):
            left_out["JSON files that are not Label Studio's"] += 1
            continue
        assert document.content is not None
        for index, task in enumerate(document.decode(document.content, list[_Task], "")):
            pictures += _pictures(document, index, task, reading, left_out)
    return dataset_of(pictures, reading, path, left_out)


def _pictures(
    document: Document, index: int, task: _Task, reading: Reading, left_out: Counter[str]
) -> Iterable[Picture]:
    """One for each annotator of a task; of predictions, where nobody annotated it."""
    found = []
    for field in ("annotations", "completions", "predictions"):
        for number, raw in enumerate(getattr(task, field) or ()):
            place = f"[{index}].{field}[{number}]"
            annotation = document.decode(raw, _Annotation, place)
            if annotation.was_cancelled or annotation.skipped:
                left_out["annotations that were cancelled"] += 1
            else:
                found.append((_annotator(annotation), place, annotation))
        if found:
            break
    found.sort(key=lambda entry: str(entry[0]))
    for annotator, place, annotation in found:
        picture = _picture(document, place, task, annotation, reading, left_out)
        if picture is not None:
            if annotator is not None and len(found) > 1:
                picture.extra["annotator"] = annotator
            yield picture


def _annotator(annotation: _Annotation) -> Any:
    by = annotation.completed_by
    return by.get("email", by.get("id")) if isinstance(by, dict) else by if by is not None else annotation.model_version


def _picture(
    document: Document, place: str, task: _Task, annotation: _Annotation, reading: Reading, left_out: Counter[str]
) -> Picture | None:
    entries = []
    for index, raw in enumerate(annotation.result or ()):
        where = f"{place}.result[{index}]"
        entries.append((f"{document.path}: {where}", document.decode(raw, _Entry, where)))
    if any(entry.image_rotation for _, entry in entries):
        left_out["annotations of turned pictures, whose coordinates are those of the picture as shown"] += 1
        return None
    name = _file_name(task.data, reading.images_dir)
    height, width, number = (_number(task.data.get(f"kins_{name}")) for name in ("height", "width", "image_id"))
    stated = next(((e.original_height, e.original_width) for _, e in entries if e.original_width), (height, width))
    if None in stated and reading.images_dir is None:
        left_out["annotations without regions, whose pictures' sizes are unknown without --images"] += 1
        return None
    picture = Picture(name, *size_of(stated, name, reading.images_dir, f"{document.path}: {place}"), [])
    picture.id = number
    regions = _regions(entries, left_out)
    same, picture.hides = _relations(entries, regions, left_out)
    _parts(picture, regions, same)
    picture.marked = bool(same or picture.hides) or any(region.part for region in regions.values())
    picture.guessed = not all(key.startswith("kins-") for key in regions)
    return picture


def _number(value: Any) -> int | None:
    return value if type(value) is int else None


def _regions(entries: list[tuple[str, _Entry]], left_out: Counter[str]) -> dict[str, _Region]:
    """By id, in the sequence in which they occur: geometry, label and part may be entries of their own."""
    regions: dict[str, _Region] = {}
    for number, (where, entry) in enumerate(entries):
        if entry.type == "relation":
            continue
        region = regions.setdefault(entry.id or f"\0{number}", _Region(where=f"{where}.value"))
        if not region.value and not entry.value.keys().isdisjoint(GEOMETRY) and not entry.type.startswith("keypoint"):
            region.value, region.where = entry.value, f"{where}.value"
        texts = decoded(entry.value.get(entry.type), list[str])
        if texts and entry.type == "choices":
            region.part = texts[0] if texts[0] in ("amodal", "visible") else region.part
        elif texts and region.label is None:
            region.label = texts[0]
            left_out["regions with several labels, of which the first counts"] += len(texts) > 1
        note = (entry.meta or {}).get("text")
        region.note = " ".join(map(str, note)) if isinstance(note, list) else region.note
    for key, region in list(regions.items()):
        if not region.value or region.label is None:
            left_out["regions without an area, or without a label"] += 1
            del regions[key]
    return regions


def _relations(
    entries: list[tuple[str, _Entry]], regions: dict[str, _Region], left_out: Counter[str]
) -> tuple[dict[str, str], list[tuple[Any, Any]]]:
    """For each region that is joined with another one the name of their object; and pairs, nearer and farther."""
    relations = [entry for _, entry in entries if entry.type == "relation" and entry.from_id != entry.to_id]
    same: dict[str, str] = {}
    hides: list[tuple[str, str]] = []
    for entry in relations:
        one, other = entry.from_id or "", entry.to_id or ""
        labels = entry.labels or []
        if one not in regions or other not in regions or not {"same", "hides"} & set(labels):
            left_out["relations that are neither `same` nor `hides`, or of a region that is not there"] += 1
        elif "same" in labels:
            root, old = same.get(one, one), same.get(other, other)
            same |= dict.fromkeys((one, other, *(k for k, v in same.items() if v == old)), root)
            if regions[one].label != regions[other].label:
                left_out["relations `same` of regions with different labels, which stay two objects"] += 1
        elif entry.direction == "bi":
            left_out["relations `hides` in both directions, which say nothing"] += 1
        else:
            hides.append((other, one) if entry.direction == "left" else (one, other))
    keys = {key: (same[key], region.label) if key in same else key for key, region in regions.items()}
    return same, [(keys[one], keys[other]) for one, other in hides]


def _parts(picture: Picture, regions: dict[str, _Region], same: dict[str, str]) -> None:
    for layer, (key, region) in enumerate(regions.items()):
        number, _, text = marks_in(region.note)
        assert region.label is not None
        draw = partial(_mask, region.value, picture.height, picture.width, region.where)
        picture.parts.append(
            Part(
                region.label,
                (same[key], region.label) if key in same else key,
                "visible" if region.part == "visible" else "amodal",
                layer,
                draw,
                number,
                extra={"text": text} if text else {},
            )
        )


class _Polygon(msgspec.Struct, gc=False):
    points: list[tuple[Percent, Percent]]


class _Placed(msgspec.Struct, gc=False):
    x: Percent
    y: Percent
    rotation: float = 0.0


class _Rectangle(_Placed, kw_only=True, gc=False):
    width: Percent
    height: Percent


class _Ellipse(_Placed, kw_only=True, gc=False):
    radiusX: Percent
    radiusY: Percent


class _Brush(msgspec.Struct, gc=False):
    rle: list[int]
    format: str = "rle"


def _mask(value: dict[str, Raw], height: int, width: int, where: str) -> Mask:
    kinds = dict(zip(GEOMETRY, (_Polygon, _Brush, _Ellipse, _Rectangle), strict=True))
    kind = next(kinds[name] for name in GEOMETRY if name in value)
    try:
        shape = msgspec.convert(
            {k: msgspec.json.decode(v) for k, v in value.items() if k in kind.__struct_fields__}, kind
        )
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise KinsError(f"{where}: is no region ({error})") from None
    if isinstance(shape, _Brush):
        if shape.format != "rle":
            raise KinsError(f"{where}.format: is {shape.format[:40]!r}, not rle")
        return Mask.from_array(read_brush(shape.rle, height, width, f"{where}.rle"))
    x, y = width / 100, height / 100
    if isinstance(shape, _Polygon):
        flat = [round(number, 6) for a, b in shape.points for number in (a * x, b * y)]
        if len(flat) < 6:
            raise KinsError(f"{where}.points: are fewer than three points")
        return shapes.outline(flat, height, width, f"{where}.points")
    if isinstance(shape, _Ellipse):
        radii = shape.radiusX * x, shape.radiusY * y
        return shapes.ellipse((shape.x * x, shape.y * y), radii, height, width, shape.rotation, where)
    left, top = round(shape.x * x, 6), round(shape.y * y, 6)
    right, bottom = round((shape.x + shape.width) * x, 6), round((shape.y + shape.height) * y, 6)
    corners = shapes.turned(shapes.box_points(left, top, right, bottom), shape.rotation, (left, top))
    return shapes.outline(corners, height, width, where)


def _file_name(data: dict[str, Any], images_dir: Path | None) -> str:
    """A picture's name from a task's data: the first value that looks like one, without what the server added."""
    texts = [text for text in data.values() if isinstance(text, str) and text]
    paths = [_path_in(text) for text in texts]
    path = next((path for path in paths if PurePosixPath(path).suffix.lower() in SUFFIXES), paths[0] if paths else "")
    name = PurePosixPath(path).name
    prefix, _, rest = name.partition("-")
    uploaded = "/upload/" in path and len(prefix) == 8 and rest
    for candidate in (path, rest) if uploaded else (path,):
        found = picture_name(candidate, "", images_dir)
        if images_dir is not None and (images_dir / found).is_file():
            return found
    return rest if uploaded else picture_name(path, "", images_dir)


def _path_in(text: str) -> str:
    """The path in a URL, or in the parameter `d` of Label Studio's own one for local files."""
    if "://" not in text and not text.startswith("/data/"):
        return text
    try:
        parts = urllib.parse.urlsplit(text)
        local = urllib.parse.parse_qs(parts.query).get("d", [""])[0]
    except ValueError:
        return text
    return local or urllib.parse.unquote(parts.path)
