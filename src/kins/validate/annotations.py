"""Checks of annotations, image by image: each one, then an image's masks and order together."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.formats.document import Document, Raw
from kins.limits import INSTANCES
from kins.masks import Mask
from kins.records import Image, Instance, Scene
from kins.validate.ahead import draw
from kins.validate.entries import Entry, read_object, whole_number
from kins.validate.masks import MaskChecker
from kins.validate.report import Report


@dataclasses.dataclass(frozen=True)
class Names:
    """What a format calls the fields of an annotation: (mask, box, area) of each kind, None where it has none."""

    amodal: tuple[str, str | None, str | None]
    inmodal: tuple[str, str | None, str | None] | None = None
    inmodal_needed: bool = False
    invisible: str | None = None
    ordered: bool = False


NAMES = {
    "kins2020": Names(("a_segm", "a_bbox", "a_area"), ("i_segm", "i_bbox", "i_area"), True, ordered=True),
    "kins2019": Names(("segmentation", "bbox", "area"), ("inmodal_seg", "inmodal_bbox", None), True),
    "cocoa-cls": Names(("segmentation", "bbox", "area"), ("visible_mask", None, None), invisible="invisible_mask"),
    "d2sa": Names(("segmentation", "bbox", "area"), ("visible_mask", None, None), invisible="invisible_mask"),
    "cocoa": Names(("segmentation", None, "area"), ("visible_mask", None, None), invisible="invisible_mask"),
    "aistron": Names(("amodal_segm", "amodal_bbox", None), ("visible_segm", None, None)),  # others are of another mask
    "coco": Names(("segmentation", "bbox", "area")),
}


@dataclasses.dataclass
class _Checked:
    """What is known of an instance after its checks: enough to compare its order with that of the masks."""

    place: str
    entry: Entry
    amodal: Mask | None
    inmodal: Mask | None


@dataclasses.dataclass(eq=False)
class AnnotationChecker:
    """Annotations of some images; what it found stays in its attributes, which can be sent between processes.

    Attributes:
        report: the faults, and the repairs.
        kept: by position what a repaired copy holds; None for an annotation that stays as it is.
        ids: (place, id) of the annotations that have one.
        used: number of annotations by category.
    """

    document: Document
    report: Report
    sizes: Mapping[int, tuple[int, int] | None]
    categories: set[int]
    images_dir: Path | None
    repair: bool

    def __post_init__(self) -> None:
        assert self.report.format is not None
        self.cocoa = self.report.format == "cocoa"
        self.names = NAMES[self.report.format]
        self.masks = MaskChecker(self.report, self.repair, flat=self.cocoa)
        self.kept: dict[int, Entry | None] = {}
        self.ids: list[tuple[str, int]] = []
        self.used: Counter[int] = Counter()

    def images(self, groups: Sequence[tuple[Any, list[int]]]) -> None:
        """All annotations of some images; groups are of id and positions."""
        if not self.cocoa:
            inmodal = self.names.inmodal
            names = self.names.amodal[0], None if inmodal is None else inmodal[0]
            self.masks.ahead = draw(self.document.annotations or [], groups, self.sizes, *names)
        for image_id, positions in groups:
            self.image(image_id, positions)

    def image(self, image_id: Any, positions: list[int]) -> None:
        """All annotations that name this image."""
        raws = self.document.annotations or []
        if not positions and image_id is not None:
            self.report.add("image-without-annotations", "images", f"image {image_id}")
        checked: list[_Checked] = []
        for position in positions:
            place = f"annotations[{position}]"
            if (entry := read_object(self.report, raws[position], place, "annotation-entry")) is None:
                continue
            if self.cocoa:
                self.whole_image(entry, place)
                self.kept[position] = entry if self.repair else None
            elif (instance := self._annotation(entry, position, place)) is not None:
                checked.append(instance)
        self._repeated(checked)
        if not self._crowded(len(positions), f"image {image_id}", "annotations"):
            self._compare(image_id, checked)

    def _crowded(self, count: int, where: str, place: str) -> bool:
        """Whether an image has more instances than kins works on; what they hide of each other is not asked then."""
        try:
            INSTANCES.check(count, where)
        except KinsError as error:
            self.report.add("beyond-limits", place, str(error))
            return True
        return False

    def _annotation(self, entry: Entry, position: int, place: str) -> _Checked | None:
        """One annotation; None if it goes no further, because it is damaged or of no image."""
        before = len(self.report.repairs)
        annotation_id = whole_number(self.report, self.repair, entry, "id", place, "annotation-entry")
        image_id = whole_number(self.report, self.repair, entry, "image_id", place, "annotation-entry")
        category_id = whole_number(self.report, self.repair, entry, "category_id", place, "annotation-entry")
        if annotation_id is not None:
            self.ids.append((place, annotation_id))
        if image_id is not None and image_id not in self.sizes:
            self.report.add("unknown-image", f"{place}.image_id", str(image_id))
            if self.repair:
                self.report.repairs.append((place, f"removed: there is no image {image_id}"))
        if category_id is not None:
            self.used[category_id] += 1
            if category_id not in self.categories:
                self.report.add("unknown-category", f"{place}.category_id", str(category_id))
        if entry.get("iscrowd", 0) not in (0, 1, False, True):
            self.report.add("crowd", f"{place}.iscrowd", repr(entry["iscrowd"])[:60])
        size = self.sizes.get(image_id) if image_id is not None else None
        checked = self._instance(entry, size, place)
        if self.names.ordered:
            self._order_fields(entry, place)
        if image_id not in self.sizes:
            return None
        if self.repair and size is not None and self._unusable(checked):
            self.report.repairs.append((place, f"removed: its {self.names.amodal[0]} is unusable"))
            return None
        self.kept[position] = entry if len(self.report.repairs) > before else None
        return checked

    def _unusable(self, checked: _Checked) -> bool:
        """Whether the instance has an amodal mask that says nothing: no reader can use it."""
        return self.names.amodal[0] in checked.entry and not checked.amodal

    def _instance(self, entry: Entry, size: tuple[int, int] | None, place: str) -> _Checked:
        """Both masks of an annotation or region."""
        names, masks = self.names, self.masks
        amodal = masks.mask(entry, names.amodal[0], size, place)
        self._box_and_area(entry, names.amodal, amodal, size, place)
        if names.inmodal is None:
            return _Checked(place, entry, amodal, None)
        inmodal_name = names.inmodal[0]
        inmodal = None
        if names.inmodal_needed or entry.get(inmodal_name) is not None:
            inmodal = masks.mask(entry, inmodal_name, size, place)
            self._box_and_area(entry, names.inmodal, inmodal, size, place)
            if amodal is not None and inmodal is not None:
                masks.pair(amodal, inmodal, (names.amodal[0], inmodal_name), place)
        elif amodal is not None:
            inmodal = amodal
        if names.invisible is not None and amodal is not None and inmodal is not None:
            self._hidden(entry, amodal, inmodal, size, place)
        return _Checked(place, entry, amodal, inmodal)

    def _box_and_area(
        self,
        entry: Entry,
        names: tuple[str, str | None, str | None],
        mask: Mask | None,
        size: tuple[int, int] | None,
        place: str,
    ) -> None:
        _, box, area = names
        if box is not None:
            self.masks.box(entry, box, mask, size, place)
        if area is not None:
            self.masks.area(entry, area, mask, place)

    def _hidden(self, entry: Entry, amodal: Mask, inmodal: Mask, size: tuple[int, int] | None, place: str) -> None:
        """COCOA's invisible_mask and occlude_rate against the two masks."""
        assert self.names.invisible is not None
        if entry.get(self.names.invisible) is not None:
            invisible = self.masks.mask(entry, self.names.invisible, size, place)
            if invisible is not None:
                both = inmodal | invisible
                wrong = (both - amodal).area + (amodal - both).area
                if wrong > 4 and wrong > 0.02 * amodal.area:
                    detail = f"{wrong} of {amodal.area} pixels differ"
                    self.report.add("parts-differ", f"{place}.{self.names.invisible}", detail)
        rate = entry.get("occlude_rate")
        if isinstance(rate, (int, float)) and amodal.area:
            true = 1 - (amodal & inmodal).area / amodal.area
            if abs(rate - true) > 0.02 and abs(rate - true) * amodal.area > 4:
                self.report.add("rate-differs", f"{place}.occlude_rate", f"{rate:g}, by the masks it is {true:.3f}")

    def _order_fields(self, entry: Entry, place: str) -> None:
        missing = [name for name in ("oco_id", "ico_id") if entry.get(name) is None]
        if missing:
            self.report.add("order-missing", place, f"no {' and no '.join(missing)}")
        for name in ("oco_id", "ico_id"):
            if entry.get(name) is not None and type(entry[name]) is not int:
                self.report.add("field-type", f"{place}.{name}", f"{entry[name]!r}"[:60] + " is not a whole number")

    def whole_image(self, entry: Entry, place: str) -> None:
        """A COCOA annotation: one annotator's whole image."""
        dot = f"{place}." if place else ""
        image_id = whole_number(self.report, self.repair, entry, "image_id", place, "annotation-entry")
        regions = entry.get("regions")
        if not isinstance(regions, list):
            self.report.add("annotation-entry", f"{dot}regions", "is missing or not a list")
            return
        if self.sizes and image_id is not None and image_id not in self.sizes:
            self.report.add("unknown-image", f"{dot}image_id", str(image_id))
        size = self.sizes.get(image_id) if image_id is not None else None
        if self.document.images is None and image_id is not None:
            size = self._lone_size(entry, regions, place)
        checked = []
        orders: set[int] = set()
        for index, region in enumerate(regions):
            spot = f"{dot}regions[{index}]"
            self.report.instances += 1
            if not isinstance(region, dict):
                self.report.add("annotation-entry", spot, "is not an object {...}")
                continue
            checked.append(self._instance(region, size, spot))
            order = region.get("order")
            if order is not None and type(order) is not int:
                self.report.add("field-type", f"{spot}.order", f"{order!r}"[:60] + " is not a whole number")
            elif order is not None and order in orders:
                self.report.add("order-twice", f"{spot}.order", str(order))
            elif order is not None:
                orders.add(order)
        self._constraints(entry, len(regions), dot)
        if not self._crowded(len(regions), f"image {image_id}", f"{dot}regions"):
            self._compare(image_id, checked)

    def _constraints(self, entry: Entry, count: int, dot: str) -> None:
        text = entry.get("depth_constraint")
        if text is None:
            return
        for part in str(text).split(","):
            found = re.fullmatch(r" *([0-9]{1,9}) *- *([0-9]{1,9}) *", part)
            if part.strip() and not (found and all(1 <= int(number) <= count for number in found.groups())):
                self.report.add("order-unusable", f"{dot}depth_constraint", f"{part.strip()[:40]!r} of {count} regions")

    def _lone_size(self, entry: Entry, regions: list[Any], place: str) -> tuple[int, int] | None:
        """The size of an image that the file does not list: as the reader finds it."""
        from kins.formats import cocoa

        document = dataclasses.replace(self.document, content=Raw(msgspec.json.encode(entry)))
        try:
            image = next(iter(cocoa.read(document, self.images_dir).images.values()))
        except KinsError as error:
            if not any(isinstance(region, dict) for region in regions):
                return None
            self.report.add("size-unknown", place, str(error).removeprefix(f"{self.document.path}: "))
            return None
        return image.height, image.width

    def _repeated(self, checked: list[_Checked]) -> None:
        """The same mask twice in an image: an object that was saved twice."""
        seen: dict[tuple[str, str], str] = {}
        for item in checked:
            if item.amodal:
                other = seen.setdefault((str(item.entry.get("category_id")), item.amodal.counts), item.place)
                if other != item.place:
                    self.report.add("same-object-twice", item.place, f"as {other}")

    def _compare(self, image_id: Any, checked: list[_Checked]) -> None:
        """The stored order of an image against the one that follows from the masks."""
        names = ("order", None) if self.cocoa else ("ico_id", "oco_id")
        if not (self.cocoa or self.names.ordered):
            return
        instances, places = [], []
        for index, item in enumerate(checked):
            order, cluster = item.entry.get(names[0]), 0 if names[1] is None else item.entry.get(names[1])
            if item.amodal and item.inmodal is not None and type(order) is int and type(cluster) is int:
                instance = Instance(index, 0, "", item.amodal, item.inmodal, cluster=cluster, order=order)
                instances.append(instance)
                places.append(item.place)
        if len(instances) < 2:
            return
        from kins.occlusion import disagreements

        first = instances[0].require("amodal")
        scene = Scene(Image(0, str(image_id), first.height, first.width), tuple(instances))
        try:
            found = disagreements(scene)
        except KinsError as error:
            self.report.add("beyond-limits", "annotations", str(error))
            return
        for front, back, pixels, stored in found:
            detail = f"hides {pixels} pixels of {places[back]}, but the file says {stored} (image {image_id})"
            self.report.add("order-disagrees", places[front], detail)
