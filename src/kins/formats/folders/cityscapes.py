"""Cityscapes: `gtFine/<split>/<city>/*_gtFine_instanceIds.png` or `*_gtFine_polygons.json`, pictures in `leftImg8bit`.

Numbers in the pictures from 1000 on are class times 1000 plus a count, smaller ones a class without single objects, or
a group of them, which is a crowd. Polygons are drawn from far to near, the later over the earlier, so that what is left
of each is what is seen. They go on behind others as it was convenient, so that nobody can rely on them as whole
outlines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from kins.errors import KinsError
from kins.files.pictures import picture_size, read_labels
from kins.formats.document import Document, Raw, checked_text
from kins.formats.folders import sheets
from kins.formats.folders.sheets import STRIDE, Kind, Pictures, Sheet
from kins.formats.tools.parts import hidden_by
from kins.formats.tools.sources import files_below
from kins.limits import INSTANCES
from kins.masks import Mask
from kins.masks.runs import check_size
from kins.records import Dataset, Instance

THINGS = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    29: "caravan",
    30: "trailer",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
"""The classes that have single objects, by their ids."""
_IDS = {name: number for number, name in THINGS.items()}
NOT_DRAWN = {"license plate"}
"""Labels that hide nothing: their id is below 0."""
GROUP = "group"
SUFFIXES = ("_polygons.json", "_instanceids.png")
NAME = re.compile(r"(?P<base>.*?)(_(?P<set>gtFine|gtCoarse))?_(?P<kind>polygons\.json|instanceIds\.png)", re.IGNORECASE)
SETS = ("gtFine", "gtCoarse")
PICTURES = "leftImg8bit"


class _Size(msgspec.Struct, gc=False):
    imgHeight: int
    imgWidth: int


class _Object(msgspec.Struct, gc=False):
    label: str
    polygon: list[tuple[float, float]]
    deleted: int | bool = 0


class _File(_Size, gc=False):
    objects: list[_Object]


def matches(path: Path) -> bool:
    """A folder with `gtFine` or `gtCoarse`, one with label files up to two folders deep, or one of these."""
    if path.is_file():
        if path.suffix.lower() == ".png":
            return NAME.fullmatch(path.name) is not None
        head = sheets.head_of(path)
        return head.lstrip()[:1] == b"{" and all(name in head for name in (b'"imgHeight"', b'"imgWidth"', b'"objects"'))
    if any((path / name).is_dir() for name in SETS):
        return True
    folder: Path | None = path
    for _ in range(3):
        if folder is not None and sheets.first_in(folder, *SUFFIXES) is not None:
            return True
        below = sorted(p for p in folder.iterdir() if p.is_dir()) if folder is not None and folder.is_dir() else []
        folder = below[0] if below else None
    return False


def read(path: Path, images_dir: Path | None, masks: Kind) -> Dataset:
    """A data set of a folder, or of a label file. Pictures of numbers go before polygons, gtFine before gtCoarse."""
    if masks == "amodal":
        raise KinsError(f"{path}: Cityscapes holds what is seen of objects, and no reliable whole ones; leave --as out")
    left_out: Counter[str] = Counter()
    files = {path.name: path} if path.is_file() else files_below(path, SUFFIXES)
    pictures = Pictures(images_dir or (path if (path / PICTURES).is_dir() else None))
    chosen: dict[str, tuple[int, Path]] = {}
    for name, file in files.items():
        found = NAME.fullmatch(name)
        base = name.rpartition(".")[0] if found is None else found["base"]
        fine = found is None or (found["set"] or SETS[0]).lower() == SETS[0].lower()
        rank = 2 * (not fine) + (file.suffix.lower() == ".json")
        stems = _stems(base) if found is not None else (base,)
        picture = pictures.find(*stems) or f"{stems[0]}.png"
        chosen[picture] = min(chosen.get(picture, (rank, file)), (rank, file))
    if pictures.folder is not None:
        absent = sum(name.rpartition(".")[0] not in pictures.by_stem for name in chosen)
        left_out["label files whose pictures are not there"] += absent
    pages = []
    for name, (_, file) in sorted(chosen.items()):
        height, width = _size(file)
        draw = _numbered if file.suffix.lower() == ".png" else _outlined
        pages.append(Sheet(name, height, width, partial(draw, file)))
    return sheets.dataset_of(pages, THINGS, pictures.folder, path, left_out)


def _stems(base: str) -> tuple[str, ...]:
    """Names without endings that the picture of a label file may have."""
    parts = [part for part in base.split("/") if part not in SETS]
    name = "/".join(parts)
    return f"{PICTURES}/{name}_{PICTURES}", name


def _size(path: Path) -> tuple[int, int]:
    if path.suffix.lower() == ".png":
        size = picture_size(path)
    else:
        found = _decoded(path, _Size)
        size = found.imgHeight, found.imgWidth
    check_size(*size, path)
    return size


def _decoded(path: Path, struct: type[_Size]) -> _File:
    content = Raw(checked_text(path, sheets.content_of(path)))
    found: _File = Document(path, content=content).decode(content, struct, "")
    return found


def _numbered(path: Path) -> Sequence[Instance]:
    """Of a picture of numbers."""
    found = []
    for number, mask in sheets.masks_of(read_labels(path)).items():
        if not 0 < number < STRIDE:
            raise KinsError(f"{path}: has the number {number}; those of objects are below {STRIDE}")
        category = number // 1000 if number >= 1000 else number
        if category in THINGS:
            found.append(Instance(number, category, THINGS[category], inmodal=mask, crowd=number < 1000))
    return found


def _outlined(path: Path) -> Sequence[Instance]:
    """Of polygons: each without the later ones."""
    file = _decoded(path, _File)
    sheets.check_count(len(file.objects), path)
    INSTANCES.check(len(file.objects), path)
    drawn = [
        (number, o.label)
        for number, o in enumerate(file.objects, 1)
        if not o.deleted and o.label.removesuffix(GROUP) not in NOT_DRAWN and len(o.polygon) >= 3
    ]
    masks = []
    for number, _ in drawn:
        flat = [coordinate for point in file.objects[number - 1].polygon for coordinate in point]
        where = f"{path}: objects[{number - 1}].polygon"
        masks.append(Mask.from_segmentation([flat], file.imgHeight, file.imgWidth, where))
    seen = hidden_by(masks, np.tri(len(masks), k=-1, dtype=bool)) if masks else []
    found = []
    for (number, label), mask in zip(drawn, seen, strict=True):
        name = label if label in _IDS else label.removesuffix(GROUP)
        if name in _IDS and mask.area:
            found.append(Instance(number, _IDS[name], name, inmodal=mask, crowd=name != label))
    return found
