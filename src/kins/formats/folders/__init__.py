"""Data sets that are folders with a label file for each picture: visible masks, or boxes alone; both masks of one.

One file a kind. Each has matches(path), by the content, and read(path, images_dir, masks) -> data set. YOLO's is
written, too.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Literal

from kins.files import write_archive, write_atomic
from kins.formats.folders import amodalsynthdrive, cityscapes, kitti, voc, yolo, yolo_writer
from kins.formats.tools import places
from kins.records import Dataset

FOLDERS: dict[str, ModuleType] = {
    "yolo": yolo,
    "voc": voc,
    "cityscapes": cityscapes,
    "kitti": kitti,
    "amodalsynthdrive": amodalsynthdrive,
}
"""By name, in the sequence in which they are tried."""


WRITTEN = ("yolo",)
"""Those that are written as well."""


def find(path: Path, format: str | None = None) -> str | None:
    """The kind of data set that a path is, if it is one: the kind that is named, or else by the content."""
    if format is not None:
        return format if format in FOLDERS else None
    try:
        return next((name for name, module in FOLDERS.items() if module.matches(path)), None)
    except (OSError, ValueError):  # what can't be read is said when it is
        return None


def read(path: Path, kind: str, images_dir: Path | None, masks: Literal["amodal", "inmodal"] | None) -> Dataset:
    """The data set of a kind.

    Args:
        images_dir: folder of the pictures, if it is not where it should be in the folder.
        masks: what outlines and boxes are of: what is seen (inmodal) if None.
    """
    dataset: Dataset = FOLDERS[kind].read(path, images_dir, masks or "inmodal")
    return dataset


def output_files(dataset: Dataset, path: Path) -> list[Path]:
    """The files that `store` would write."""
    return places(path, yolo_writer.names(dataset), "yolo")


def store(dataset: Dataset, path: Path, masks: Literal["amodal", "inmodal"] | None) -> list[str]:
    """Write YOLO's folder, or an archive where the name ends with .zip; returns lines on what can't be kept."""
    files, losses = yolo_writer.write(dataset, masks)
    if path.suffix.lower() == ".zip":
        write_archive(path, files)
    else:
        for place, content in zip(places(path, list(files), "yolo"), files.values(), strict=True):
            write_atomic(place, content)
    return losses
