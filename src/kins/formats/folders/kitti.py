"""KITTI's object labels: `label_2/000000.txt`, a line an object, with pictures in `image_2`. Boxes alone.

A line is: type, truncation (0 to 1), occlusion (0 to 3), angle alpha, box (left, top, right, bottom in pixels, from 0),
height, width and length in metres, location (x, y, z in metres), rotation, and in results a score. All but type and box
is kept as it is: the location says how far an object is, but not who hides whom, so that no order is made of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kins.errors import KinsError
from kins.formats.document import checked_text
from kins.formats.folders import sheets
from kins.formats.folders.sheets import Kind, Pictures, Sheet
from kins.formats.tools.sources import files_below
from kins.masks import Box
from kins.records import Dataset, Instance

TYPES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
"""The published labels', numbered from 1."""
IGNORED = "DontCare"
REGIONS = f"regions of {IGNORED}, which are no objects; image.extra['dont_care'] has their boxes"
PLACES = ("training/label_2", "label_2")
LINE = re.compile(rb"[A-Za-z]\w*([ \t]+-?[\d.]+(e[-+]?\d+)?){14,15}\s*", re.IGNORECASE)


class _Object(NamedTuple):
    number: int
    type: str
    box: Box
    score: float | None
    extra: dict[str, Any]


def matches(path: Path) -> bool:
    """A folder with `label_2`, a folder of label files, or one of these."""
    if path.is_file():
        return LINE.fullmatch(sheets.head_of(path).partition(b"\n")[0]) is not None
    folders = [path / place for place in PLACES] + [path]
    file = next((file for folder in folders if (file := sheets.first_in(folder, ".txt")) is not None), None)
    return file is not None and (matches(file) or (file.parent != path and not sheets.head_of(file)))


def read(path: Path, images_dir: Path | None, masks: Kind) -> Dataset:
    """A data set of a folder, or of a label file."""
    left_out: Counter[str] = Counter()
    if path.is_file():
        labels, pictures = {path.name: path}, Pictures(images_dir)
    else:
        place = next((place for place in PLACES if (path / place).is_dir()), "")
        found = files_below(path / place, (".txt",))
        labels = {f"{place}/{name}".removeprefix("/"): file for name, file in found.items()}
        pictures = Pictures(images_dir or path)
    pages: list[Sheet] = []
    types: set[str] = set()
    drawn: list[tuple[str, list[_Object], dict[str, Any]]] = []
    for name, file in labels.items():
        picture = pictures.find(sheets.swapped(name, "label_2", "image_2").rpartition(".")[0])
        if picture is None:
            left_out["label files without a picture, which tells the size"] += 1
            continue
        objects, ignored = _objects(file, left_out)
        types |= {o.type for o in objects}
        drawn.append((picture, objects, {"dont_care": ignored} if ignored else {}))
    if labels and not drawn:
        raise sheets.without_pictures(path, len(labels))
    ids = {name: number for number, name in enumerate([*TYPES, *sorted(types - set(TYPES))], 1)}
    for picture, objects, extra in drawn:
        instances = [_instance(o, ids, masks) for o in objects]
        pages.append(Sheet(picture, *pictures.size(picture), lambda instances=instances: instances, extra))  # type: ignore[misc]
    return sheets.dataset_of(pages, {number: name for name, number in ids.items()}, pictures.folder, path, left_out)


def _instance(o: _Object, ids: dict[str, int], masks: Kind) -> Instance:
    return sheets.labelled(o.number, ids[o.type], o.type, masks, o.box, score=o.score, extra=o.extra)


def _objects(path: Path, left_out: Counter[str]) -> tuple[list[_Object], list[Box]]:
    """The objects of a label file, and the boxes of its ignored regions."""
    lines = checked_text(path, sheets.content_of(path)).decode().split("\n")
    sheets.check_count(len(lines), path)
    objects, ignored = [], []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        found = _object(number, words, f"{path}:{number}")
        if found is None:
            left_out["boxes without a pixel"] += 1
        elif found.type == IGNORED:
            ignored.append(found.box)
            left_out[REGIONS] += 1
        else:
            objects.append(found)
    return objects, ignored


def _object(number: int, words: Sequence[str], where: str) -> _Object | None:
    """What a line says; None for a box without area."""
    if len(words) not in (15, 16):
        raise KinsError(f"{where}: has {len(words)} words; a label of KITTI has 15, a result 16")
    numbers = [sheets.number_of(word, where) for word in words[1:]]
    if not all(abs(value) < 1e9 for value in numbers):
        raise KinsError(f"{where}: a number of it is far beyond any use")
    box = sheets.box_of(*numbers[3:7], where)  # type: ignore[call-arg]
    if box is None:
        return None
    score = numbers[14] if len(words) == 16 else None
    if score is not None and not 0 <= score <= 1:
        raise KinsError(f"{where}: score {words[15][:40]} is not between 0 and 1")
    extra = {
        "truncated": numbers[0],
        "occluded": int(numbers[1]),
        "alpha": numbers[2],
        "dimensions": numbers[7:10],
        "location": numbers[10:13],
        "rotation_y": numbers[13],
    }
    return _Object(number, words[0], box, score, extra)
