"""One picture, and one object in it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import msgspec

from kins.errors import KinsError
from kins.masks import Box, Mask


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """One picture: `file_name` is relative to the image folder, sizes are in pixels, `extra` keeps unknown fields."""

    id: int
    file_name: str
    height: int
    width: int
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


class Instance(
    msgspec.Struct, frozen=True, gc=False
):  # a dataclass takes ten times as long to make, and there are many
    """One object in one image.

    Attributes:
        id: as in the file; unique within a sound data set.
        category_id, category: the file's id, and its name.
        amodal: mask of the whole object, seen or not; None where it is not known.
        inmodal: mask of the visible part, likewise.
        crowd: COCO's iscrowd; None where the file does not say, which counts as False.
        cluster: occlusion cluster within the image (KINS 2020's oco_id), None if not known.
        order: relative order in that cluster, smaller is nearer (KINS 2020's ico_id), None if not known.
        score: confidence of a detection, 0 to 1; None for ground truth.
        occlusion_score: a detection's probability of being occluded, or None.
        amodal_box, inmodal_box: (x, y, width, height) in pixels as a file states or a network predicts them, else None;
            `box` is the amodal one, from the pixels where nothing is stated.
        amodal_area, inmodal_area: number of pixels as a file states it, else None.
        extra: fields of the file that kins has no name for, kept for writing.
        position: index in the file's list of annotations, -1 if it came from none; keeps the sequence when writing.
    """

    id: int
    category_id: int
    category: str
    amodal: Mask | None = None
    inmodal: Mask | None = None
    crowd: bool | None = None
    cluster: int | None = None
    order: int | None = None
    score: float | None = None
    occlusion_score: float | None = None
    amodal_box: Box | None = None
    inmodal_box: Box | None = None
    amodal_area: float | None = None
    inmodal_area: float | None = None
    extra: dict[str, Any] = {}  # each instance gets one of its own
    position: int = -1

    @property
    def box(self) -> Box | None:
        """(x, y, width, height) of the whole object in pixels: stated or predicted, else that of the amodal mask."""
        return self.amodal_box if self.amodal_box is not None or self.amodal is None else self.amodal.box

    @property
    def both_known(self) -> bool:
        """Whether there is an amodal and an inmodal mask."""
        return self.amodal is not None and self.inmodal is not None

    @property
    def whole(self) -> Mask | None:
        """The amodal mask, or where there is none the inmodal one."""
        return self.inmodal if self.amodal is None else self.amodal

    @property
    def seen(self) -> Mask | None:
        """The inmodal mask, or where there is none the amodal one."""
        return self.amodal if self.inmodal is None else self.inmodal

    def require(self, kind: Literal["amodal", "inmodal"]) -> Mask:
        """The mask of this kind. Raises KinsError, naming the annotation, where there is none."""
        mask = self.amodal if kind == "amodal" else self.inmodal
        if mask is None:
            place = f"annotations[{self.position}]: " if self.position >= 0 else ""
            raise KinsError(f"{place}annotation {self.id} has no {kind} mask, which is needed here")
        return mask

    @property
    def hidden(self) -> Mask:
        """The amodal mask without the inmodal one: the part that something covers. Raises KinsError without both."""
        return self.require("amodal") - self.require("inmodal")

    @property
    def occlusion_rate(self) -> float:
        """1 - |inmodal| / |amodal| in pixels, without inmodal pixels outside of the amodal mask; 0 if that is empty.

        Raises KinsError without both masks.
        """
        amodal, inmodal = self.require("amodal"), self.require("inmodal")
        if not amodal.area:
            return 0.0
        return 1.0 - (amodal & inmodal).area / amodal.area

    def replace(self, **changes: Any) -> Instance:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)
