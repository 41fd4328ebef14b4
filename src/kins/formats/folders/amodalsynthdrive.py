"""AmodalSynthDrive: `amodal_panoptic_seg/<camera>/<sequence>/X_ampano.png` and `.json`, or `amodal_instance_seg` with
`X_aminseg` in the place of `X_ampano`; pictures are `images/<camera>/<sequence>/X_rgb.jpg`.

Numbers in the PNG are of what is seen: from 1000 on class times 1000 plus a count, smaller ones classes without single
objects. The JSON has by number the whole masks of what is partly hidden; what has none there is seen entirely. Levels
of occlusion in `X_rel.json` are kept, and no order is made of them: two objects of one level may hide each other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files.pictures import picture_size, read_labels
from kins.formats.document import Document, Raw, checked_text
from kins.formats.folders import cityscapes, sheets
from kins.formats.folders.sheets import STRIDE, Kind, Pictures, Sheet
from kins.formats.tools.sources import files_below
from kins.limits import INSTANCES
from kins.masks import Mask
from kins.masks.runs import check_size
from kins.records import Dataset, Instance

THINGS = {number: name for number, name in cityscapes.THINGS.items() if name not in ("rider", "train")}
"""The classes that have single objects, by their ids, which are Cityscapes'."""
SETS = ("amodal_panoptic_seg", "amodal_instance_seg")
ENDS = ("_ampano.png", "_aminseg.png")
NAME = re.compile(r"(?P<base>.*?)_(ampano|aminseg)", re.IGNORECASE)
HEAD = re.compile(rb'\s*\{\s*"\d{1,9}"\s*:\s*\{[^{}]*"(amodal_mask|occlusion_mask)"\s*:')
LEVELS = "occlusion_level"
"""Field of instances for the level in `X_rel.json`."""


class _Thing(msgspec.Struct, gc=False):
    amodal_mask: Any = None
    category_id: int | None = None
    track_id: int | None = None


def matches(path: Path) -> bool:
    """A folder with one of SETS, one with such files up to two folders deep, or one of these."""
    if path.is_file():
        return path.name.lower().endswith(ENDS) or (path.suffix.lower() == ".json" and _is_things(path))
    if any((path / name).is_dir() for name in SETS):
        return True
    folder: Path | None = path
    for _ in range(3):
        if folder is not None and sheets.first_in(folder, *ENDS) is not None:
            return True
        below = sorted(p for p in folder.iterdir() if p.is_dir()) if folder is not None and folder.is_dir() else []
        folder = below[0] if below else None
    return False


def _is_things(path: Path) -> bool:
    return HEAD.match(sheets.head_of(path)) is not None


def read(path: Path, images_dir: Path | None, masks: Kind) -> Dataset:
    """A data set of a folder, or of the files of one picture. Both masks are known, whatever `masks` says."""
    left_out: Counter[str] = Counter()
    if path.is_file():
        numbers = path.with_suffix(".png")
        if not numbers.is_file():
            raise KinsError(f"{path}: there is no {numbers.name} beside it, which has what is seen")
        files = {numbers.name: numbers}
    else:
        files = files_below(path, ENDS)
    pictures = Pictures(images_dir or (path if (path / "images").is_dir() else None))
    chosen: dict[str, Path] = {}
    for name, file in files.items():  # panoptic ones are the later ones, and count
        stems = _stems(name.rpartition(".")[0])
        chosen[pictures.find(*stems) or f"{stems[0]}.jpg"] = file
    if pictures.folder is not None:
        absent = sum(name.rpartition(".")[0] not in pictures.by_stem for name in chosen)
        left_out["label files whose pictures are not there"] += absent
    lone = sum(not file.with_suffix(".json").is_file() for file in chosen.values())
    left_out["pictures of numbers without their JSON, which has the whole masks"] += lone
    pages = []
    for name, file in sorted(chosen.items()):
        height, width = picture_size(file)
        check_size(height, width, file)
        pages.append(Sheet(name, height, width, partial(_instances, file, height, width)))
    return sheets.dataset_of(pages, THINGS, pictures.folder, path, left_out)


def _stems(name: str) -> tuple[str, ...]:
    """Names without endings that the picture of a label file may have."""
    found = NAME.fullmatch(name)
    base = "/".join(part for part in (name if found is None else found["base"]).split("/") if part not in SETS)
    return f"images/{base}_rgb", base


def _instances(path: Path, height: int, width: int) -> Sequence[Instance]:
    """Of the picture of numbers and the JSON beside it."""
    seen, beside = sheets.masks_of(read_labels(path)), path.with_suffix(".json")
    things = _things(beside) if beside.is_file() else None
    levels = _levels(path)
    found = []
    for number in sorted({*seen, *(things or ())}):
        if not 0 < number < STRIDE:
            raise KinsError(f"{path}: has the number {number}; those of objects are below {STRIDE}")
        thing = None if things is None else things.get(number, _Thing())
        category = number // 1000 if thing is None or thing.category_id is None else thing.category_id
        if number < 1000 or category not in THINGS:
            continue
        visible = seen.get(number, Mask.empty(height, width))
        whole = None if thing is None else _whole(thing, visible, f"{beside}: {number}.amodal_mask")
        fields = {LEVELS: levels.get(number), "track_id": None if thing is None else thing.track_id}
        extra = {name: value for name, value in fields.items() if value is not None}
        found.append(Instance(number, category, THINGS[category], whole, visible, extra=extra))
    return found


def _whole(thing: _Thing, visible: Mask, where: str) -> Mask:
    if thing.amodal_mask in (None, []):
        return visible
    return Mask.from_segmentation(thing.amodal_mask, visible.height, visible.width, where)


def _things(path: Path) -> dict[int, _Thing]:
    """The objects of a JSON file by their numbers."""
    found: dict[str, _Thing] = _decoded(path, dict[str, _Thing])
    INSTANCES.check(len(found), path)
    for name in found:
        if not re.fullmatch(r"[0-9]{1,9}", name):
            raise KinsError(f"{path}: {name[:40]!r} is not the number of an object")
    return {int(name): thing for name, thing in found.items()}


def _levels(path: Path) -> dict[int, int]:
    """The level of each object, if there is the file."""
    name = NAME.sub(r"\g<base>_rel", path.stem)
    beside = path.with_name(f"{name}.json")
    if name == path.stem or not beside.is_file():
        return {}
    found: dict[str, list[int]] = _decoded(beside, dict[str, list[int]])
    return {number: int(level) for level, numbers in found.items() if level.isdecimal() for number in numbers}


def _decoded(path: Path, type: Any) -> Any:
    content = Raw(checked_text(path, sheets.content_of(path)))
    return Document(path, content=content).decode(content, type, "")
