"""Checks of one mask with its box and area, and of an instance's two masks."""

from __future__ import annotations

import math
from typing import Any

from kins.errors import KinsError
from kins.masks import Mask, check_polygon
from kins.masks.runs import rle_problem
from kins.validate.ahead import Ahead
from kins.validate.report import Report

BOX_TOLERANCE = 2.0
"""Pixels by which a box may differ from its mask's: polygon corners and pixel edges are counted differently."""
AREA_TOLERANCE = 0.05
LEAK, LARGE_LEAK = 0.01, 0.05
"""Shares of the inmodal mask that lie outside of the amodal one, above which it is a warning, and an error."""


class MaskChecker:
    """Checks masks, and repairs a decoded annotation in place where that takes no guess.

    Attributes:
        repair: whether to change what is checked.
        flat: whether `segmentation` is one flat polygon, as in COCOA.
        ahead: masks that are drawn already.
    """

    def __init__(self, report: Report, repair: bool, flat: bool) -> None:
        self.report = report
        self.repair = repair
        self.flat = flat
        self.ahead = Ahead()

    def mask(self, entry: dict[str, Any], name: str, size: tuple[int, int] | None, place: str) -> Mask | None:
        """The mask in a field if it is usable. Without a size of the image its pixels are not looked at."""
        here = f"{place}.{name}"
        value = entry.get(name)
        if value is None:
            self.report.add("mask-missing", here, "no such field" if name not in entry else "null")
            return None
        if isinstance(value, dict):
            return self._rle(value, size, here)
        if not isinstance(value, list):
            self.report.add("mask-unusable", here, f"is {_kind(value)}")
            return None
        flat = self.flat and name == "segmentation" and bool(value) and not isinstance(value[0], list)
        if value and not flat and all(map(_is_number, value)):
            self.report.add("polygon-unusable", here, "is one list of numbers, not a list of polygons")
            if not self.repair:
                return None
            self.report.repairs.append((here, "became a list of one polygon"))
            entry[name] = value = [value]
        polygons = [value] if flat else value
        if not self._polygons(polygons, size, here, flat):
            return None
        if self.repair and not flat and any(len(polygon) < 6 for polygon in polygons):
            entry[name] = polygons = [polygon for polygon in polygons if len(polygon) >= 6]
            self.report.repairs.append((here, "removed polygons of fewer than three points"))
        if size is None:
            return None
        return self._pixels(polygons, size, here)

    def _polygons(self, polygons: list[Any], size: tuple[int, int] | None, here: str, flat: bool) -> bool:
        """Whether the polygons can be drawn."""
        if not polygons:
            self.report.add("polygons-empty", here)
            return False
        usable = True
        for index, polygon in enumerate(polygons):
            spot = here if flat else f"{here}[{index}]"
            if problem := check_polygon(polygon):
                self.report.add("polygon-unusable", spot, problem)
                usable = False
            elif len(polygon) < 6:
                points = len(polygon) // 2
                self.report.add("polygon-short", spot, f"{points} point{'s' if points != 1 else ''}")
            elif size is not None and _outside(polygon, size):
                self.report.add("polygon-outside", spot, _range(polygon))
        return usable

    def _rle(self, value: dict[str, Any], size: tuple[int, int] | None, here: str) -> Mask | None:
        if size is None:
            return None
        if problem := rle_problem(value, *size):
            self.report.add("rle-unusable", here, problem)
            return None
        return self._pixels(value, size, here)

    def _pixels(self, value: Any, size: tuple[int, int], here: str) -> Mask | None:
        mask = self.ahead.masks.get(here)
        if mask is None:
            mask = Mask.from_segmentation(value, *size, where=here)
        try:
            if not mask.area:
                self.report.add("mask-empty", here)
        except KinsError as error:
            self.report.add("mask-unusable", here, str(error).removeprefix(f"{here}: "))
            return None
        return mask

    def box(
        self, entry: dict[str, Any], name: str, mask: Mask | None, size: tuple[int, int] | None, place: str
    ) -> None:
        """The box in a field, against its mask and the image."""
        if name not in entry:
            return
        box, here = entry[name], f"{place}.{name}"
        if not _is_box(box):
            self.report.add("box-unusable", here, _short(box))
        elif size is not None and _leaves(box, size):
            self.report.add("box-outside", here, f"{_short(box)} in {size[1]} x {size[0]} pixels")
        elif mask is not None and mask.area and not _same_box(box, mask.box):
            self.report.add("box-differs", here, f"{_short(box)}, the mask's is {_short(list(mask.box))}")
        else:
            return
        if self.repair and mask is not None and mask.area:
            entry[name] = list(mask.box)
            self.report.repairs.append((here, f"{_short(box)} became {_short(entry[name])}, the mask's box"))

    def area(self, entry: dict[str, Any], name: str, mask: Mask | None, place: str) -> None:
        """The area in a field, against its mask."""
        if name not in entry:
            return
        area, here = entry[name], f"{place}.{name}"
        if not _is_number(area) or area < 0:
            self.report.add("area-unusable", here, _short(area))
        elif mask is not None and mask.area and not self._same_area(area, mask):
            self.report.add("area-differs", here, f"{area:g}, the mask's is {mask.area}")
        else:
            return
        if self.repair and mask is not None and mask.area:
            entry[name] = mask.area
            self.report.repairs.append((here, f"{_short(area)} became {mask.area}, the mask's area"))

    @staticmethod
    def _same_area(area: float, mask: Mask) -> bool:
        """Whether it could be the area of the mask's pixels or polygons, which differ by about the outline's length."""
        return abs(area - mask.area) <= AREA_TOLERANCE * mask.area + mask.box[2] + mask.box[3] + 2

    def pair(self, amodal: Mask, inmodal: Mask, names: tuple[str, str], place: str) -> None:
        """The inmodal mask must lie in the amodal one, up to the rounding of outlines."""
        if not inmodal.area:
            return
        here = f"{place}.{names[1]}"
        shared = self.ahead.shared.get(here)
        leak = (inmodal - amodal).area if shared is None else inmodal.area - shared
        share = leak / inmodal.area
        if leak > 4 and share > LEAK:
            code = "inmodal-leaks" if share > LARGE_LEAK else "inmodal-leaks-a-little"
            self.report.add(code, here, f"{leak} pixels ({share:.0%}) outside of {names[0]}")


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15 and math.isfinite(value)
    )


def _is_box(box: Any) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(map(_is_number, box)) and box[2] >= 0 and box[3] >= 0


def _leaves(box: list[float], size: tuple[int, int]) -> bool:
    height, width = size
    low = min(box[0], box[1])
    return low < -1 or box[0] + box[2] > width + 1 or box[1] + box[3] > height + 1


def _same_box(box: list[float], other: tuple[float, ...]) -> bool:
    corners = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    others = [other[0], other[1], other[0] + other[2], other[1] + other[3]]
    return all(abs(a - b) <= BOX_TOLERANCE for a, b in zip(corners, others, strict=True))


def _outside(polygon: list[float], size: tuple[int, int]) -> bool:
    height, width = size
    xs, ys = polygon[0::2], polygon[1::2]
    return min(xs) < -1 or min(ys) < -1 or max(xs) > width + 1 or max(ys) > height + 1


def _range(polygon: list[float]) -> str:
    xs, ys = polygon[0::2], polygon[1::2]
    return f"x {min(xs):g} to {max(xs):g}, y {min(ys):g} to {max(ys):g}"


def _kind(value: Any) -> str:
    return {str: "text", bool: "true or false", int: "a number", float: "a number"}.get(type(value), "something else")


def _short(value: Any) -> str:
    text = "[" + ", ".join(f"{v:g}" for v in value) + "]" if _is_box(value) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
