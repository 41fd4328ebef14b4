"""Masks of many annotations drawn before these are checked one by one, because together they take a third as long."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from kins.errors import KinsError
from kins.formats.document import Raw
from kins.masks import Mask, rasterise, spans

Size = tuple[int, int]


@dataclasses.dataclass
class Ahead:
    """What is known of masks by their place, `annotations[5].a_segm`: of sound ones only, others need their own look.

    Attributes:
        masks: drawn.
        shared: number of pixels that an inmodal mask has in common with its amodal one, by the place of the former.
    """

    masks: dict[str, Mask] = dataclasses.field(default_factory=dict)
    shared: dict[str, int] = dataclasses.field(default_factory=dict)


def draw(
    raws: Sequence[Raw],
    groups: Sequence[tuple[Any, list[int]]],
    sizes: Mapping[Any, Size | None],
    amodal: str,
    inmodal: str | None,
) -> Ahead:
    """The masks of some images.

    Args:
        raws: all annotations.
        groups: id and positions of each image's.
        sizes: height and width of images by id; masks of other images are left out.
        amodal, inmodal: the names of the fields that hold the masks.
    """
    names = [amodal] if inmodal is None else [amodal, inmodal]
    decode = msgspec.json.Decoder(msgspec.defstruct("Masks", [(name, Raw, Raw()) for name in names], gc=False)).decode
    masks: dict[str, Mask] = {}
    pairs: list[tuple[str, str]] = []
    for image_id, positions in groups:
        if (size := sizes.get(image_id)) is None:
            continue
        for position in positions:
            try:
                entry = decode(raws[position])
            except (msgspec.DecodeError, RecursionError):
                continue
            places = [f"annotations[{position}].{name}" for name in names]
            masks |= {place: Mask(*size, None, getattr(entry, n)) for place, n in zip(places, names, strict=True)}
            pairs.append((places[0], places[-1]))
    with contextlib.suppress(KinsError):  # they would take too much together
        rasterise(masks.values())
    masks = {place: mask for place, mask in masks.items() if mask.is_read}
    return Ahead(masks, _shared(masks, pairs) if inmodal else {})


def _shared(masks: Mapping[str, Mask], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    known = [pair for pair in pairs if pair[0] in masks and pair[1] in masks]
    (whole, _, _), (part, _, _) = (spans([masks[pair[k]] for pair in known]) for k in (0, 1))
    rows = np.arange(len(known))
    return dict(zip([pair[1] for pair in known], part.common(rows, whole, rows).tolist(), strict=True))
