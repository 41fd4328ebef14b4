"""Checks of what was drawn in annotation tools: of the masks that follow, named by picture and object."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from kins.errors import KinsError
from kins.formats import kins2020
from kins.formats.document import Document, Raw
from kins.formats.folders import kitti
from kins.masks import require_sound
from kins.records import Dataset, Scene
from kins.validate.checker import Checker
from kins.validate.report import Problem, Report

_KINDS = {"a_segm": "amodal mask", "i_segm": "inmodal mask"}


def check_drawn(dataset: Dataset, report: Report, workers: int | None, alone: bool = False) -> Report:
    """The same faults as of other formats, with their places in the pictures, and what reading could not use.

    Args:
        alone: objects may have one kind of mask, or a box, alone.
    """
    for line in dataset.left_out:
        report.add("regions-ignored" if line.endswith(kitti.REGIONS) else "drawn-in-doubt", "", line)
    damaged: set[int] = set()
    for image_id, image in dataset.images.items():
        try:
            require_sound([m for i in dataset[image_id] for m in (i.amodal, i.inmodal)])
        except KinsError as error:
            damaged.add(image_id)
            report.add("shape-unusable", image.file_name, str(error).removeprefix(f"{dataset.path}: "))
    sound = dataset.select(image_id for image_id in dataset.images if image_id not in damaged)
    value, _ = kins2020.write(sound)
    images, categories = ([Raw(msgspec.json.encode(v)) for v in value[name]] for name in ("images", "categories"))
    document = Document(Path(report.path), images, [*value["annotations"]], categories)
    part = Report(report.path, "kins2020")
    Checker(document, part, dataset.images_dir, False, workers).run()
    if alone:
        _without_masks(part, sound)
    for code, problem in _renamed(part, sound).items():
        report.found.setdefault(code, Problem(code)).places += problem.places
    report.images, report.instances = len(dataset), part.instances
    return report


def _without_masks(report: Report, dataset: Dataset) -> None:
    """Neither masks of one kind nor an order is missing where files of this kind hold none; boxes alone are counted."""
    for code in ("mask-missing", "mask-kind-missing", "order-missing"):
        report.found.pop(code, None)
    boxes = sum(instance.whole is None for scene in dataset for instance in scene)
    if boxes:
        report.add("box-alone", "", f"{boxes} of {report.instances} objects")


def _renamed(report: Report, dataset: Dataset) -> dict[str, Problem]:
    """The problems with pictures and objects in place of positions in lists."""
    scenes: list[Scene] = list(dataset)
    objects = sorted(((s, i) for s in scenes for i in s), key=lambda found: (found[1].position < 0, found[1].position))
    names = [f"{s.image.file_name}: {i.category} {i.id}" for s, i in objects]

    def renamed(place: str) -> str:
        if found := re.fullmatch(r"annotations\[(\d+)\](?:\.(\w+))?(.*)", place):
            kind = _KINDS.get(found[2] or "", found[2] or "")
            return f"{names[int(found[1])]}{', ' if kind else ''}{kind}{found[3]}"
        if found := re.match(r"images\[(\d+)\]", place):
            return scenes[int(found[1])].image.file_name
        return place

    return {
        code: Problem(code, [(renamed(place), detail) for place, detail in problem.places])
        for code, problem in report.found.items()
    }
