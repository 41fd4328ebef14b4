"""What the folders have in common: finding label files and pictures, sizes, numbering. Nothing of them is trusted."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import check_regular, inside, reason
from kins.files.pictures import SUFFIXES, picture_size
from kins.formats.tools.sources import files_below
from kins.masks import MAX_COORDINATE, Box, Mask
from kins.masks.mask import from_spans
from kins.masks.runs import check_size
from kins.masks.table import Spans
from kins.records import Dataset, Image, Instance

Kind = Literal["amodal", "inmodal"]

STRIDE = 100_000
"""An instance's id is its image's times this, plus its number in the label file."""
LARGEST = 2**26
"""Bytes of a label file."""
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
LOOKED_AT = 1000
"""Names in a folder that are looked at to recognise a data set."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """The labels of one picture.

    Attributes:
        draw: gives the instances, whose ids are their numbers in the label file (from 1, below STRIDE).
    """

    file_name: str
    height: int
    width: int
    draw: Callable[[], Sequence[Instance]]
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


def dataset_of(
    sheets: Sequence[Sheet],
    categories: Mapping[int, str],
    images_dir: Path | None,
    path: Path,
    left_out: Counter[str],
) -> Dataset:
    """A data set whose labels are drawn when a scene is asked for. Images are numbered from 1 by their sequence."""
    images = {n: Image(n, s.file_name, s.height, s.width, s.extra) for n, s in enumerate(sheets, 1)}
    lines = [f"{count} {what}" for what, count in left_out.items() if count]
    return Dataset(images, categories, _Drawn(sheets), images_dir=images_dir, path=path, left_out=lines)


class _Drawn(Mapping[int, Sequence[Instance]]):
    """Instances by image id, drawn on access."""

    def __init__(self, sheets: Sequence[Sheet]) -> None:
        self._sheets = sheets

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        if not 0 < image_id <= len(self._sheets):
            raise KeyError(image_id)
        found = self._sheets[image_id - 1].draw()
        first = image_id * STRIDE
        return tuple(i.replace(id=first + i.id) for i in found)

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, len(self._sheets) + 1))

    def __len__(self) -> int:
        return len(self._sheets)


def check_count(count: int, where: object) -> None:
    """Raises KinsError for more labels of a picture than can be numbered."""
    if count >= STRIDE:
        raise KinsError(f"{where}: has {count} labels, more than the {STRIDE - 1} that are read of one picture")


def content_of(path: Path, most: int = LARGEST) -> bytes:
    """All of a label file, which may be empty, if it has at most so many bytes. Raises KinsError."""
    try:
        check_regular(path)
        if path.stat().st_size > most:
            raise KinsError(f"{path}: has more than {most} bytes, too many for the labels of one picture")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise KinsError(f"{path}: can't be read ({reason(error)})") from None


def head_of(path: Path) -> bytes:
    """The first bytes of a file, without a byte order mark; none of what can't be read."""
    try:
        check_regular(path)
        with open(path, "rb") as file:
            return file.read(4096).removeprefix(b"\xef\xbb\xbf")
    except (OSError, ValueError, KinsError):
        return b""


def first_in(folder: Path, *suffixes: str) -> Path | None:
    """The first file with one of these endings, among the first names in a folder."""
    if not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in itertools.islice(entries, LOOKED_AT) if not e.name.startswith("."))
    return next((folder / name for name in names if name.lower().endswith(suffixes)), None)


def number_of(word: str, where: object) -> float:
    """A decimal number. Raises KinsError for anything else."""
    if not NUMBER.fullmatch(word):
        raise KinsError(f"{where}: {word[:40]!r} is not a number")
    return float(word)


def swapped(name: str, old: str, new: str) -> str:
    """A path with the last folder of that name renamed: where pictures lie beside labels."""
    parts = name.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == old:
            return "/".join([*parts[:index], new, *parts[index + 1 :]])
    return name


def without_pictures(path: Path, count: int) -> KinsError:
    """The error for label files of which none has a picture."""
    return KinsError(
        f"{path}: none of its {count} label files has a picture there, and sizes are needed; name the folder of the "
        "pictures with --images"
    )


class Pictures:
    """The pictures in a folder, found by what label files are named."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        names = [] if folder is None else files_below(folder, SUFFIXES)
        self.by_stem = {name.rpartition(".")[0]: name for name in reversed(list(names))}

    def find(self, *stems: str) -> str | None:
        """The name of the picture for one of these names without endings, or for what is left without folders."""
        for stem in stems:
            parts = stem.split("/")
            for start in range(len(parts)):
                if (name := self.by_stem.get("/".join(parts[start:]))) is not None:
                    return name
        return None

    def size(self, name: str) -> tuple[int, int]:
        """(height, width) of one. Raises KinsError where it can't be opened, or is too large."""
        assert self.folder is not None
        place = inside(self.folder, name)
        size = picture_size(place)
        check_size(*size, place)
        return size


def box_of(left: float, top: float, right: float, bottom: float, where: object) -> Box | None:
    """x, y, width, height from two corners; None where nothing is between them. Raises KinsError far outside."""
    if not all(abs(number) <= MAX_COORDINATE for number in (left, top, right, bottom)):
        raise KinsError(f"{where}: has numbers that are not finite, or far outside of any image")
    sides = round(right - left, 6), round(bottom - top, 6)  # without the noise of the subtraction
    return (left, top, *sides) if min(sides) > 0 else None


def labelled(number: int, category_id: int, category: str, kind: Kind, label: Mask | Box, **fields: Any) -> Instance:
    """An instance with a mask or a box alone, which is of the whole object (amodal) or of what is seen of it."""
    fields[kind if isinstance(label, Mask) else f"{kind}_box"] = label
    return Instance(number, category_id, category, **fields)


def masks_of(labels: npt.NDArray[np.integer[Any]]) -> dict[int, Mask]:
    """The pixels of each number but 0 in a (height, width) array, by number, rising."""
    height, width = labels.shape
    flat = labels.ravel("F")
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    ends = np.append(starts[1:], flat.size)
    values = flat[starts]
    order = np.argsort(values, kind="stable")
    numbers, first = np.unique(values[order], return_index=True)
    groups = zip(numbers.tolist(), np.split(order, first[1:]), strict=True)
    return {
        number: from_spans(Spans.from_intervals(starts[rows], ends[rows]), height, width)
        for number, rows in groups
        if number
    }
