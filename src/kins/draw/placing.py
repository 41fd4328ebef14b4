"""Places for labels on a picture, so that none covers another and each is close to what it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]
Owner = npt.NDArray[np.int32]
GAP = 3
"""Pixels kept free between labels."""
STEP = 4
"""Every so many pixels are looked at for what a label would cover."""


@dataclasses.dataclass(frozen=True)
class Label:
    """A label to be placed.

    Attributes:
        index: which object it names.
        text, number: what it says; the number stands first, `number_width` pixels wide.
        size: width and height in pixels.
        box: x0, y0, x1, y1 of the object.
        anchor: pixel x, y of the object to which a line leads.
    """

    index: int
    text: str
    number: str
    number_width: int
    size: tuple[int, int]
    box: Box
    anchor: tuple[int, int]

    def touches(self, x: int, y: int) -> bool:
        """Whether a label with its corner here stands on its object, or close to where a line would end."""
        width, height = self.size
        away = max(abs(x + width / 2 - self.anchor[0]) - width / 2, 0)
        above = max(abs(y + height / 2 - self.anchor[1]) - height / 2, 0)
        return away + above < 4


def place_labels(labels: list[Label], owner: Owner) -> list[tuple[Label, tuple[int, int]]]:
    """Corners (x, y) of the labels: small objects choose first, each the free place that costs least.

    A place costs its distance to the object, and what it covers of other objects. Labels for which the picture has no
    room are left out.

    Args:
        owner: (height, width) index of the object that is visible in a pixel, -1 for none.
    """
    height, width = owner.shape
    areas = np.maximum(np.bincount(owner[::STEP, ::STEP].ravel() + 1, minlength=len(labels) + 1), 1)
    free = np.ones((len(labels), 4), np.int64) * -(10**6)
    placed: list[tuple[Label, tuple[int, int]]] = []
    for label in sorted(labels, key=lambda label: (label.box[2] - label.box[0]) * (label.box[3] - label.box[1])):
        w, h = label.size
        if w > width or h > height:
            continue
        taken = free[: len(placed)]
        best: tuple[float, tuple[int, int]] | None = None
        for x, y in _candidates(label, width, height):
            hit = (x < taken[:, 2] + GAP) & (x + w > taken[:, 0] - GAP) & (y < taken[:, 3] + GAP)
            if (hit & (y + h > taken[:, 1] - GAP)).any():
                continue
            cost = _cost(label, x, y, owner, areas)
            if best is None or cost < best[0]:
                best = cost, (x, y)
        if best is not None:
            x, y = best[1]
            free[len(placed)] = (x, y, x + w, y + h)
            placed.append((label, (x, y)))
    return placed


def _candidates(label: Label, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Corners to try, all inside of the picture: around the box and on the object, then a grid over the picture."""
    x0, y0, x1, y1 = label.box
    w, h = label.size
    ax, ay = label.anchor
    middle = (x0 + x1 - w) // 2
    spots = [(x, y) for y in (y0 - h - 1, y1 + 1, y0 + 3, y1 - h - 3) for x in (middle, x0, x1 - w)]
    spots += [(ax - w // 2, ay - h // 2), (x0 - w - 1, ay - h // 2), (x1 + 1, ay - h // 2)]
    step_x, step_y = max(w // 2, 16), h + GAP
    for ring in range(1, 9):
        for dx in range(-ring, ring + 1):
            spots += [(ax - w // 2 + dx * step_x, ay - h // 2 + sign * ring * step_y) for sign in (-1, 1)]
        for dy in range(1 - ring, ring):
            spots += [(ax - w // 2 + sign * ring * step_x, ay - h // 2 + dy * step_y) for sign in (-1, 1)]
    seen = set()
    for x, y in spots:
        spot = min(max(x, 0), width - w), min(max(y, 0), height - h)
        if spot not in seen:
            seen.add(spot)
            yield spot


def _cost(label: Label, x: int, y: int, owner: Owner, areas: npt.NDArray[np.int64]) -> float:
    """Distance in pixels, and much for each object by the share of it that would be covered."""
    w, h = label.size
    x0, y0, x1, y1 = label.box
    outside = max(x0 - x - w, x - x1, 0) + max(y0 - y - h, y - y1, 0)
    away = abs(x + w / 2 - label.anchor[0]) + abs(y + h / 2 - label.anchor[1])
    covered = np.bincount(owner[y : y + h : STEP, x : x + w : STEP].ravel() + 1, minlength=len(areas))
    shares = covered[1:] / areas[1:]
    others = covered[1:].sum() - covered[label.index + 1]
    return float(outside + 0.4 * away + 250 * shares.sum() + others / 2)
