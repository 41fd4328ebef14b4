"""Checks of a whole file: its lists, its images and categories, and that ids are told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kins.errors import KinsError
from kins.files import inside
from kins.files.pictures import picture_size
from kins.formats.document import Document, Raw, value_of
from kins.masks.runs import check_size
from kins.validate.annotations import AnnotationChecker
from kins.validate.entries import Entry, read_object, whole_number
from kins.validate.report import Report
from kins.work import in_chunks, progress


class _Part(NamedTuple):
    """What AnnotationChecker found in some images."""

    report: Report
    kept: dict[int, Entry | None]
    ids: list[tuple[str, int]]
    used: Counter[int]


class Checker:
    """One pass over a file, image by image."""

    def __init__(
        self, document: Document, report: Report, images_dir: Path | None, repair: bool, workers: int | None
    ) -> None:
        self.document = document
        self.report = report
        self.images_dir = images_dir
        self.repair = repair
        self.workers = workers
        self.cocoa = report.format == "cocoa"
        self.sizes: dict[int, tuple[int, int] | None] = {}
        self.categories: set[int] = set()
        self.used: Counter[int] = Counter()
        self.ids: set[int] = set()
        self.kept: dict[int, Any] = {}

    def run(self) -> Any:
        """Check everything; returns the content of a repaired copy (the same entries if nothing is repaired)."""
        document = self.document
        if document.content is not None and self.cocoa:
            return self._lone_entries(document.content)
        if document.content is not None:
            self.report.add("unreadable", "", "has neither images nor annotations")
            return {}
        needed = ("images", "annotations") if self.cocoa else ("images", "annotations", "categories")
        for name in needed:
            if getattr(document, name) is None:
                self.report.add("no-list", name)
        images = self._images(document.images or [])
        categories = self._categories(document.categories or [])
        self._annotations(document.annotations or [])
        self._missing_kind()
        annotations = [self.kept[position] for position in sorted(self.kept)]
        content = {**document.extra, "images": images, "annotations": annotations}
        return content if document.categories is None else content | {"categories": categories}

    def _lone_entries(self, content: Raw) -> Any:
        """COCOA entries in a file of their own."""
        single = bytes(content).lstrip()[:1] == b"{"
        checker = self._annotation_checker(self.report)
        raws = [content] if single else self.document.decode(content, list[Raw], "")
        for position, raw in enumerate(raws):
            place = "" if single else f"[{position}]"
            if (entry := read_object(self.report, raw, place, "annotation-entry")) is not None:
                self.kept[position] = entry
                checker.whole_image(entry, place)
        self.report.images = len(raws)
        return self.kept.get(0, {}) if single else list(self.kept.values())

    def _images(self, raws: list[Raw]) -> list[Any]:
        kept: list[Any] = []
        names: Counter[str] = Counter()
        first: dict[int | None, bytes] = {}
        for index, raw in enumerate(progress(raws, "images")):
            place = f"images[{index}]"
            if (entry := read_object(self.report, raw, place, "image-entry")) is None:
                continue
            image_id = whole_number(self.report, self.repair, entry, "id", place, "image-entry")
            name = self._file_name(entry, place)
            if name is not None:
                names[name] += 1
                if names[name] == 2:
                    self.report.add("file-name-twice", f"{place}.file_name", name)
            size = self._size(entry, name, place)
            if image_id in self.sizes:
                self.report.add("image-id-twice", f"{place}.id", str(image_id))
                if self.repair and bytes(raw) == first[image_id]:
                    self.report.repairs.append((place, "removed a repeated entry"))
                    continue
            elif image_id is not None:
                self.sizes[image_id] = size
                first[image_id] = bytes(raw)
            kept.append(entry if self.repair else raw)
        self.report.images = len(raws)
        return kept

    def _file_name(self, entry: Entry, place: str) -> str | None:
        name = entry.get("file_name")
        if not isinstance(name, str) or not name:
            self.report.add("image-entry", f"{place}.file_name", "is missing" if name is None else f"{name!r}"[:60])
            return None
        try:
            inside(self.images_dir or ".", name)
        except (KinsError, OSError, ValueError):
            self.report.add("file-name-unsafe", f"{place}.file_name", repr(name)[:80])
            return None
        return name

    def _size(self, entry: Entry, name: str | None, place: str) -> tuple[int, int] | None:
        """The entry's size if it is one, after a look at the picture."""
        height, width = entry.get("height"), entry.get("width")
        size = None
        if type(height) is int and type(width) is int:
            try:
                check_size(height, width)
                size = (height, width)
            except KinsError as error:
                self.report.add("image-size", place, str(error).removeprefix("image size "))
        else:
            self.report.add("image-size", place, f"width {width!r}, height {height!r}"[:80])
        found = self._picture_size(name, place)
        if found is None or size == found:
            return size
        if size is not None:
            self.report.add(
                "image-size-differs", place, f"{name} is {found[1]} x {found[0]}, the entry {size[1]} x {size[0]}"
            )
        elif self.repair:
            entry["height"], entry["width"] = found
            self.report.repairs.append((place, f"size became {found[1]} x {found[0]}, that of {name}"))
            size = found
        return size

    def _picture_size(self, name: str | None, place: str) -> tuple[int, int] | None:
        if self.images_dir is None or name is None:
            return None
        path = inside(self.images_dir, name)
        if not path.exists():
            self.report.add("image-missing", f"{place}.file_name", name)
            return None
        try:
            return picture_size(path)
        except KinsError as error:
            self.report.add("image-unreadable", f"{place}.file_name", str(error))
            return None

    def _categories(self, raws: list[Raw]) -> list[Any]:
        kept: list[Any] = []
        names: set[str] = set()
        for index, raw in enumerate(raws):
            place = f"categories[{index}]"
            if (entry := read_object(self.report, raw, place, "category-entry")) is None:
                continue
            category_id = whole_number(self.report, self.repair, entry, "id", place, "category-entry")
            name = entry.get("name")
            if not isinstance(name, str):
                self.report.add("category-entry", f"{place}.name", "is missing" if name is None else f"{name!r}"[:60])
            elif name in names:
                self.report.add("category-name-twice", f"{place}.name", name)
            else:
                names.add(name)
            if category_id is not None and category_id < 0:
                self.report.add("category-id-negative", f"{place}.id", str(category_id))
            if category_id in self.categories:
                self.report.add("category-id-twice", f"{place}.id", str(category_id))
            elif category_id is not None:
                self.categories.add(category_id)
            kept.append(entry)
        return kept

    def _annotations(self, raws: list[Raw]) -> None:
        """All annotations, grouped by image so that an image's masks are at hand together."""
        by_image: dict[Any, list[int]] = {image_id: [] for image_id in self.sizes}
        for position, raw in enumerate(raws):
            by_image.setdefault(_image_id(raw), []).append(position)
        groups = list(by_image.items())
        for part in in_chunks(self._part, groups, "annotations", self.workers):
            self._join(part, raws)
        if self.repair and not self.cocoa:
            self._renumber(raws)
        if not self.cocoa:
            self.report.instances = len(raws)
            for category_id in sorted(self.categories - set(self.used)):
                self.report.add("category-unused", "categories", f"category {category_id}")

    def _missing_kind(self) -> None:
        """A kind of mask that no instance has is no fault of each of them, if there is the other kind."""
        missing = self.report.found.get("mask-missing")
        if missing is None:
            return
        count = Counter(place.rpartition(".")[2] for place, _ in missing.places)
        absent = [name for name, times in count.items() if times == self.report.instances]
        if len(absent) != 1 or self.report.format == "coco":
            return
        missing.places = [found for found in missing.places if not found[0].endswith(f".{absent[0]}")]
        if not missing.places:
            del self.report.found["mask-missing"]
        self.report.add("mask-kind-missing", "annotations", f"none of {count[absent[0]]} has {absent[0]}")

    def _part(self, groups: Sequence[tuple[Any, list[int]]]) -> _Part:
        """The annotations of some images, each with its positions."""
        checker = self._annotation_checker(Report(self.report.path, self.report.format))
        checker.images(groups)
        return _Part(checker.report, checker.kept, checker.ids, checker.used)

    def _annotation_checker(self, report: Report) -> AnnotationChecker:
        return AnnotationChecker(self.document, report, self.sizes, self.categories, self.images_dir, self.repair)

    def _join(self, part: _Part, raws: list[Raw]) -> None:
        self.report.merge(part.report)
        self.used += part.used
        for position, entry in part.kept.items():
            self.kept[position] = raws[position] if entry is None else entry
        for place, annotation_id in part.ids:
            if annotation_id in self.ids:
                self.report.add("annotation-id-twice", f"{place}.id", str(annotation_id))
            self.ids.add(annotation_id)

    def _renumber(self, raws: list[Raw]) -> None:
        """Gives annotations whose id an earlier one has a new id."""
        seen: set[int] = set()
        new = max(self.ids, default=0)
        for position in sorted(self.kept):
            entry = self.kept[position]
            if not isinstance(entry, dict):
                entry = msgspec.json.decode(raws[position], type=_Id)
            old = entry.get("id") if isinstance(entry, dict) else entry.id
            if type(old) is not int:
                continue
            if old in seen:
                new += 1
                changed = entry if isinstance(entry, dict) else value_of(raws[position])
                self.kept[position] = changed | {"id": new}
                self.report.repairs.append((f"annotations[{position}].id", f"{old} became {new}"))
            seen.add(old)


class _Id(msgspec.Struct):
    id: Any = None


class _ImageId(msgspec.Struct, gc=False):
    image_id: Any = None


def _image_id(raw: Raw) -> Any:
    """The image that an annotation belongs to, or None: what to group it by, not yet a check."""
    try:
        value = msgspec.json.decode(raw, type=_ImageId).image_id
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value if type(value) is int else None
