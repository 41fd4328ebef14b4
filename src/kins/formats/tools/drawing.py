"""Scenes as annotation tools have them: whole outlines from far to near, and visible parts only where needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

import numpy as np

from kins.errors import KinsError
from kins.formats.coco_layout import Losses
from kins.formats.tools.parts import Convention, hidden_by
from kins.masks import Mask, Polygons
from kins.masks.trace import rings
from kins.occlusion import relations_of
from kins.records import Dataset, Image, Instance, Scene

CONVENTION = Convention()


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """One object as it is written; an occluder has no instance.

    Attributes:
        whole: its amodal mask; None where that is not known.
        visible: its inmodal mask, where it does not follow from the whole outlines and their sequence.
    """

    category: str
    instance: Instance | None
    whole: Mask | None
    visible: Mask | None

    @property
    def note(self) -> str:
        """What goes into a free text field, so that a corrected file can be joined with the original."""
        return "" if self.instance is None else f"kins:{self.instance.id}"

    @property
    def parts(self) -> list[tuple[bool, Mask]]:
        """Whether it is the visible one, and the mask, of the one or two masks that are drawn."""
        both = [(False, self.whole), (True, self.visible)]
        return [(visible, mask) for visible, mask in both if mask is not None and mask]


def drawn(scene: Scene, losses: Losses) -> list[Drawn]:
    """What there is to draw of a scene, from far to near."""
    things: list[tuple[float, Instance | None, Mask]] = [
        (order, None, mask) for order, mask in _occluders(scene.image, losses)
    ]
    for instance, order in zip(scene, _orders(scene, losses), strict=True):
        whole = instance.whole
        if whole is None or not whole:
            losses.add("instances without a mask")
            continue
        things.append((order, instance, whole))
    things.sort(key=lambda thing: -thing[0])
    place = np.arange(len(things))
    derived = hidden_by([whole for _, _, whole in things], place[:, None] > place[None, :])
    return [_drawn(instance, whole, seen, losses) for (_, instance, whole), seen in zip(things, derived, strict=True)]


def _drawn(instance: Instance | None, whole: Mask, derived: Mask, losses: Losses) -> Drawn:
    if instance is None:
        return Drawn(CONVENTION.occluder, None, whole, None)
    losses.scores(instance)
    losses.box(instance.amodal, instance.amodal_box, "amodal")
    losses.box(instance.inmodal, instance.inmodal_box, "inmodal")
    losses.area(instance.amodal, instance.amodal_area, "amodal")
    losses.area(instance.inmodal, instance.inmodal_area, "inmodal")
    if instance.amodal is None:
        losses.add("that the amodal mask is unknown: read again, the visible part is taken for the whole")
        return Drawn(instance.category, instance, None, whole)
    if instance.inmodal is None:
        losses.add("that the inmodal mask is unknown: read again, it follows from the outlines")
    elif derived and not instance.inmodal:
        losses.add("that nothing is visible of an object: read again, what is visible follows from the outlines")
    visible = None if instance.inmodal is None or instance.inmodal == derived else instance.inmodal
    return Drawn(instance.category, instance, whole, visible)


def _orders(scene: Scene, losses: Losses) -> list[float]:
    """A number for each instance, larger where it is farther, that agrees with all that is known."""
    given = [instance.order for instance in scene]
    if None not in given:
        if len({instance.cluster for instance in scene}) > 1 or len(set(given)) < len(given):
            for _ in scene:
                losses.add("occlusion clusters and partial order; they become one sequence")
        if not scene.image.extra.get("depth_constraint"):
            return [float(instance.order or 0) for instance in scene]
    relations = relations_of(scene, stated_first=True)
    if relations is None:
        if len(scene) > 1:
            losses.add("that the order is unknown: objects are drawn in the file's sequence, from far to near")
        return [float(-index) for index in range(len(scene))]
    return [float(order) for order in relations.order.tolist()]


def _occluders(image: Image, losses: Losses) -> Iterator[tuple[float, Mask]]:
    """Order and mask of what hides and is no object, as image.extra["occluders"] has it; it may come from any file."""
    entries = image.extra.get("occluders")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        where = f"image {image.file_name}: occluders[{index}]"
        if not isinstance(entry, dict):
            raise KinsError(f"{where}: is not an object with segmentation and order")
        order = entry.get("order")
        mask = Mask.from_segmentation(entry.get("segmentation"), image.height, image.width, where)
        if mask:
            yield -np.inf if isinstance(order, bool) or not isinstance(order, int | float) else float(order), mask


def outlines(mask: Mask, traced: bool) -> Polygons | None:
    """The outlines that a mask was made of; of others traced ones where asked for, if there is no hole; else None."""
    polygons = mask.polygons
    if polygons is not None:
        return [polygon for polygon in polygons if len(polygon) >= 6]
    if not traced:
        return None
    outer, holes = rings(mask)
    return None if holes else outer


def note_losses(dataset: Dataset, losses: Losses, kept: Collection[str] = ()) -> list[str]:
    """Lines on what belongs to no instance, beside those of the instances.

    Args:
        kept: fields of images that the format holds.
    """
    lines = losses.lines()
    used = {instance.category for scene in dataset for instance in scene}
    if CONVENTION.occluder in used:
        lines.append(f"objects of the category {CONVENTION.occluder}: read again, they hide others and are no objects")
    known = {*kept, "occluders", "depth_constraint"}
    fields = sorted({name for image in dataset.images.values() for name in image.extra} - known)
    if fields:
        lines.append(f"fields of images: {', '.join(fields[:8])}")
    if extra := [name for name in dataset.extra if name != "categories"]:
        lines.append(f"top-level fields: {', '.join(extra[:8])}")
    return lines


def category_line(dataset: Dataset, names: list[str]) -> list[str]:
    """A line where reading would number the categories anew."""
    if dataset.categories == dict(enumerate(names, 1)) and "categories" not in dataset.extra:
        return []
    return ["category ids, supercategories and categories without a place in the file (it has names only)"]


def file_stems(dataset: Dataset) -> Iterator[tuple[int, str]]:
    """Each image's id with a name for its file: the picture's without its suffix, and a number from the second on."""
    taken: set[str] = set()
    for image in dataset.images.values():
        path = PurePosixPath(image.file_name.replace("\\", "/"))
        stem, number = str(path.with_suffix("")), 1
        while (name := stem if number == 1 else f"{stem}-{number}").casefold() in taken:
            number += 1
        taken.add(name.casefold())
        yield image.id, name
