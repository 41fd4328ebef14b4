"""Ultralytics YOLO: `data.yaml`, `images/`, and `labels/` with a text file for each picture, a line an object.

`class x1 y1 x2 y2 x3 y3 ...` is an outline, `class x y width height` a box by its middle; all but the class are shares
of the picture's width and height. A picture without a label file, or with an empty one, shows no object.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kins.errors import KinsError
from kins.files import inside
from kins.files.pictures import SUFFIXES
from kins.formats.document import checked_text
from kins.formats.folders import sheets
from kins.formats.folders.sheets import NUMBER, Kind, Pictures, Sheet
from kins.formats.tools.sources import files_below
from kins.masks import Box, Mask
from kins.records import Dataset, Instance

SPLITS = ("train", "val", "test")
LARGEST = 2**17
"""Bytes of data.yaml."""
REACH = 1.0
"""How far outlines may leave the picture, in its width and height."""
LINE = re.compile(rb"\s*\d{1,9}(\s+-?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?){4,}\s*", re.IGNORECASE)


def matches(path: Path) -> bool:
    """A data.yaml, a folder with one or with `labels`, a folder of label files, or one of these."""
    if path.is_file():
        return _is_yaml(path) if path.suffix.lower() in (".yaml", ".yml") else _is_labels(path)
    if not path.is_dir():
        return False
    if _yaml_in(path) is not None:
        return True
    labels = path / "labels"
    folders = [path, labels, *(labels / split for split in SPLITS), *(path / split / "labels" for split in SPLITS)]
    return any((file := sheets.first_in(folder, ".txt")) is not None and _is_labels(file) for folder in folders)


def read(path: Path, images_dir: Path | None, masks: Kind) -> Dataset:
    """A data set of a folder, of what a data.yaml names in its folder, or of a label file."""
    left_out: Counter[str] = Counter()
    yaml = path if path.suffix.lower() in (".yaml", ".yml") else _yaml_in(path)
    root = path if path.is_dir() else path.parent
    value = {} if yaml is None else _settings(yaml)
    if path.is_file() and yaml is None:
        labels, splits = {path.name: path}, {}
    else:
        labels, splits = files_below(root, (".txt",)), _splits(root, value, left_out)
    labels = {name: place for name, place in labels.items() if _in_splits(name, splits) is not None}
    classes = [labels.pop(name) for name in list(labels) if name.rpartition("/")[2] == "classes.txt"]
    names = _names(value, yaml, classes[0] if classes else None)
    labels = _known(labels, left_out)
    if names is None:
        names = {number: str(number) for number in sorted({n for file in labels.values() for n in _classes(file)})}
        left_out["names of classes, which have numbers in place of them: there is no data.yaml"] += len(names)
    pictures = Pictures(images_dir or (root if path.is_dir() or yaml is not None else None))
    pairs = _pairs(labels, splits, pictures, left_out)
    if labels and not pairs:
        raise sheets.without_pictures(path, len(labels))
    for name in pictures.by_stem.values():
        within = "images" in name.split("/")[:-1] and _in_splits(name, splits) is not None
        if name not in pairs and (within or images_dir is not None):
            pairs[name] = None, _in_splits(name, splits) or ""
    pages = []
    for name, (label, split) in sorted(pairs.items()):
        height, width = pictures.size(name)
        draw = partial(_instances, label, height, width, names, masks)
        pages.append(Sheet(name, height, width, draw, {"split": split} if split else {}))
    return sheets.dataset_of(pages, names, pictures.folder, path, left_out)


def _pairs(
    labels: dict[str, Path], splits: dict[str, str], pictures: Pictures, left_out: Counter[str]
) -> dict[str, tuple[Path | None, str]]:
    """The label file and the split of each picture that has one."""
    found: dict[str, tuple[Path | None, str]] = {}
    for name, place in labels.items():
        stem = name.rpartition(".")[0]
        picture = pictures.find(sheets.swapped(stem, "labels", "images"), stem)
        if picture is None:
            left_out["label files without a picture, which tells the size"] += 1
        elif picture in found:
            left_out["label files of a picture that has another one"] += 1
        else:
            found[picture] = place, _in_splits(name, splits) or ""
    return found


def _instances(path: Path | None, height: int, width: int, names: dict[int, str], masks: Kind) -> Sequence[Instance]:
    """One for each line that is not empty, numbered by the lines."""
    if path is None:
        return ()
    lines = checked_text(path, sheets.content_of(path)).decode().split("\n")
    sheets.check_count(len(lines), path)
    found = []
    for number, line in enumerate(lines, 1):
        if words := line.split():
            category, label = _label(words, height, width, f"{path}:{number}")
            found.append(sheets.labelled(number, category, names.get(category, str(category)), masks, label))
    return found


def _label(words: Sequence[str], height: int, width: int, where: str) -> tuple[int, Mask | Box]:
    """The class of a line, and its outline or box in pixels."""
    if not re.fullmatch(r"\d{1,9}", words[0], re.ASCII):
        raise KinsError(f"{where}: {words[0][:40]!r} is not the number of a class")
    count = len(words) - 1
    if count < 4 or count % 2:
        raise KinsError(
            f"{where}: has {count} numbers after the class; a box has 4, an outline 6 or more, two for each point "
            "(results with a confidence are not read)"
        )
    shares = [_share(word, where) for word in words[1:]]
    pixels = [share * (height if index % 2 else width) for index, share in enumerate(shares)]
    if count == 4:
        x, y, box_width, box_height = pixels
        if box_width < 0 or box_height < 0:
            raise KinsError(f"{where}: a box with a side below 0")
        return int(words[0]), (x - box_width / 2, y - box_height / 2, box_width, box_height)
    return int(words[0]), Mask.from_segmentation([pixels], height, width, where)


def _share(word: str, where: str) -> float:
    number = float(word) if NUMBER.fullmatch(word) else math.nan
    if not -REACH <= number <= 1 + REACH:
        raise KinsError(f"{where}: {word[:40]!r} is no share of the picture's width or height, from 0 to 1")
    return number


def _known(labels: dict[str, Path], left_out: Counter[str]) -> dict[str, Path]:
    """Without text files that are something else; in folders named `labels` all are labels."""
    known = {}
    for name, place in labels.items():
        if "labels" in name.split("/")[:-1] or _is_labels(place) or not sheets.head_of(place).strip():
            known[name] = place
        else:
            left_out["text files that are no labels"] += 1
    return known


def _is_labels(path: Path) -> bool:
    """Whether the first line of a text file is a label."""
    head = sheets.head_of(path).lstrip()
    line, end, _ = head.partition(b"\n")
    if not end and len(head) > 4000:  # a long outline is cut
        line = line.rpartition(b" ")[0]
    return LINE.fullmatch(line) is not None


def _classes(path: Path) -> set[int]:
    found = re.findall(rb"^\s*(\d{1,9})\s", sheets.content_of(path), re.MULTILINE)
    return set(map(int, found))


def _yaml_in(folder: Path) -> Path | None:
    """A folder's data.yaml, or the first YAML file there that names classes."""
    usual = folder / "data.yaml"
    if usual.is_file() and _is_yaml(usual):
        return usual
    found = sheets.first_in(folder, ".yaml", ".yml")
    return found if found is not None and _is_yaml(found) else None


def _is_yaml(path: Path) -> bool:
    return re.search(rb"^(names|nc)\s*:", sheets.head_of(path), re.MULTILINE) is not None


def _settings(path: Path) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Without merged mappings, which can grow beyond all bounds."""

        def flatten_mapping(self, node: Any) -> None:
            pass

    content = sheets.content_of(path)
    if len(content) > LARGEST:
        raise KinsError(f"{path}: has more than {LARGEST} bytes, too many for the names of classes")
    try:
        value = yaml.load(checked_text(path, content).decode(), Loader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise KinsError(f"{path}: is not valid YAML ({' '.join(str(error).split())[:120]})") from None
    if not isinstance(value, dict):
        raise KinsError(f"{path}: is no mapping; YOLO's has train, val and names")
    if "kpt_shape" in value:
        raise KinsError(f"{path}: is of key points (kpt_shape), which kins does not read")
    return value


def _names(value: dict[str, Any], yaml: Path | None, classes: Path | None) -> dict[int, str] | None:
    """Names of classes by their number, of data.yaml or else of classes.txt; None if there is neither."""
    names = value.get("names")
    if names is None and classes is not None:
        lines = checked_text(classes, sheets.content_of(classes)).decode().splitlines()
        return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    if names is None:
        return None
    entries = names.items() if isinstance(names, dict) else enumerate(names) if isinstance(names, list) else None
    if entries is None:
        raise KinsError(f"{yaml}: names: is neither a list nor a mapping from numbers")
    found = {}
    for position, (number, name) in enumerate(entries):
        if not re.fullmatch(r"[0-9]{1,9}", _text(number)):
            raise KinsError(f"{yaml}: names: {_text(number)[:40]!r} is not the number of a class")
        if not _text(name):
            raise KinsError(f"{yaml}: names: the one at place {position} is no text")
        found[int(number)] = _text(name)
    return found


def _text(value: Any) -> str:
    """A text, or a number as one; empty for anything else, and for numbers of thousands of digits."""
    try:
        return str(value) if isinstance(value, str | int | float) else ""
    except ValueError:
        return ""


def _splits(root: Path, value: dict[str, Any], left_out: Counter[str]) -> dict[str, str]:
    """The split of each folder of pictures that data.yaml names in its own folder; empty for all that is there.

    Folders elsewhere are not opened: names that lead out are looked for below, as Ultralytics does for archives that
    were moved.
    """
    found: dict[str, str] = {}
    base = _text(value.get("path"))
    for split in SPLITS:
        entries = value.get(split)
        for entry in entries if isinstance(entries, list) else [entries] if entries else []:
            below = re.sub(r"^(\.{1,2}/)+", "", _text(entry))
            folder = next((f for f in (f"{base}/{below}", below) if _is_folder(root, f)), None)
            if folder is None:
                left_out["entries of data.yaml that are no folder in its own folder"] += 1
            else:
                place = Path(folder).as_posix()
                found[place] = "" if found.get(place, split) != split else split  # for both is none of the two
    return found


def _is_folder(root: Path, name: str) -> bool:
    try:
        return inside(root, name).is_dir()
    except (KinsError, OSError, ValueError):
        return False


def _in_splits(name: str, splits: dict[str, str]) -> str | None:
    """The split of a picture or label file; empty if there are none at all, None if it is in no folder of theirs."""
    if not splits:
        return ""
    folder = (
        sheets.swapped(name, "labels", "images").rpartition("/")[0] if not name.lower().endswith(SUFFIXES) else name
    )
    return next((s for place, s in splits.items() if f"{folder}/".startswith(f"{place}/") or place == "."), None)
