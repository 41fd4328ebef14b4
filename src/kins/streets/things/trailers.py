"""Caravans and trailers: KITTI's class Misc."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from kins.streets.things.large import GREY, WHITE, WOOD
from kins.streets.things.mesh import GLASS, MATTE, METAL, PAINT, Mesh, box, join, loft, panel, tube
from kins.streets.things.parts import SIDES, across, behind, beside, flank, rear_plate, rectangle
from kins.streets.things.vehicles import BLACK, RED_LAMP, WINDOW, paint_color, wheel, wheels

KINDS = {"caravan": 0.35, "box": 0.2, "tarp": 0.2, "open": 0.12, "boat": 0.13}
BED = 0.55
STEEL = (0.45, 0.46, 0.47)
OUTLINE = (
    ("tail", 0.10, "ground", 0.45),
    ("nose", -0.15, "ground", 0.45),
    ("nose", 0.0, "ground", 0.75),
    ("nose", -0.05, "ground", 1.3),
    ("nose", -0.35, "roof", -0.15),
    ("nose", -0.7, "roof", 0.0),
    ("tail", 0.6, "roof", 0.0),
    ("tail", 0.2, "roof", -0.12),
    ("tail", 0.0, "ground", 1.5),
    ("tail", 0.0, "ground", 0.7),
)
"""A caravan's side: where from along x, how far, where from upwards, how far."""
HULL = ((0.8, 0.15), (0.98, 0.0), (0.95, 0.0), (0.55, 0.2), (0.05, 0.45))
"""A boat's sections from its stern: width as a share, height of the keel."""


class Body(NamedTuple):
    """From tail to nose along x, `half` to each side; the drawbar ends at `end`."""

    tail: float
    nose: float
    half: float
    end: float

    @classmethod
    def of(cls, length: float, width: float, drawbar: float) -> Body:
        return cls(-length / 2, -length / 2 + (length - drawbar), width / 2, length / 2)


def trailer(rng: Generator) -> Mesh:
    """Things on wheels that are none of the other classes: caravan, box trailer, open trailer with a
    load or tarpaulin, boat trailer."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "caravan":
        body, parts = _caravan(rng)
    else:
        length, width = rng.uniform(2.9, 3.9), rng.uniform(1.45, 1.8)
        body = Body.of(length, width, 1.0)
        parts = [across(body[:2], body.half, (BED - 0.12, BED), GREY, METAL), *LOADS[kind](rng, body)]
    middle = (body.tail + body.nose) / 2
    rim = np.array([0.4, 0.4, 0.4])
    parts += wheels(wheel(0.31, 0.18, False, rim), [middle], body.half + (-0.02 if kind == "caravan" else 0.14))
    if kind != "caravan":
        parts += beside((middle - 0.4, middle + 0.4), (body.half, body.half + 0.16), (0.66, 0.70), BLACK, MATTE)
    return join([*parts, *_ends(body)])


def _ends(body: Body) -> list[Mesh]:
    """Drawbar, support, lamps and plate."""
    tail, nose, half, end = body
    parts = [tube([(nose, s * half * 0.6, 0.48), (end, 0, 0.46)], [0.035] * 2, GREY, 6, METAL) for s in SIDES]
    parts.append(tube([(end - 0.25, 0, 0.0), (end - 0.25, 0, 0.65)], [0.03] * 2, BLACK, 6))
    parts += beside((tail - 0.03, tail + 0.02), (half * 0.65, half * 0.95), (0.5, 0.5 + 0.13), RED_LAMP, GLASS)
    return [*parts, rear_plate(tail - 0.02, (0.5, 0.61))]


def _caravan(rng: Generator) -> tuple[Body, list[Mesh]]:
    length, width, height = rng.uniform(3.8, 4.8), rng.uniform(1.95, 2.15), rng.uniform(2.3, 2.5)
    tail, nose, half, _ = body = Body.of(length, width, 0.9)
    start = {"tail": tail, "nose": nose, "ground": 0.0, "roof": height}
    rings = [np.array([(start[a] + x, y, start[b] + z) for a, x, b, z in OUTLINE]) for y in (half, -half)]
    parts = [loft(rings, WHITE, PAINT)]
    stripe = paint_color(rng)
    for s in SIDES:
        for x, z, rgb, surface in (
            ((tail + 0.05, nose - 0.05), (0.95, 1.1), stripe, PAINT),
            ((tail + 0.4, tail + 1.2), (1.3, 1.85), WINDOW, GLASS),
            ((nose - 1.3, nose - 0.6), (1.3, 1.85), WINDOW, GLASS),
        ):
            parts.append(flank(s, half + 0.006, rectangle(x, z), rgb, surface))
    parts.append(panel(behind(half * 0.7, (tail - 0.006, 1.35), (tail + 0.06, 1.95)), WINDOW, GLASS))
    return body, parts


def _white_or_paint(rng: Generator) -> tuple[float, float, float]:
    return WHITE if rng.random() < 0.6 else paint_color(rng)


def _closed(rng: Generator, body: Body) -> list[Mesh]:
    top = rng.uniform(1.7, 2.2)
    return [across(body[:2], body.half, (BED, top), _white_or_paint(rng), PAINT, 0.05)]


def _tarpaulin(rng: Generator, body: Body) -> list[Mesh]:
    tail, nose, half, _ = body
    cloth, top = paint_color(rng), rng.uniform(1.3, 1.9)
    return [
        across((tail, nose), half, (BED, BED + 0.35), STEEL, METAL),
        across((tail + 0.02, nose - 0.02), half - 0.02, (BED + 0.35, top), cloth, MATTE, 0.15),
    ]


def _boxes(rng: Generator, body: Body) -> list[Mesh]:
    tail, nose, half, _ = body
    parts = beside((tail, nose), (half - 0.03, half + 0.03), (BED, BED + 0.4), STEEL, METAL)
    for x in (tail + 0.03, nose - 0.03):
        parts.append(across((x - 0.03, x + 0.03), half, (BED, BED + 0.4), STEEL, METAL))
    for _ in range(5):
        x, y, w = rng.uniform(tail + 0.1, nose - 0.8), rng.uniform(-half + 0.1, half - 0.6), rng.uniform(0.3, 0.6)
        corner = (x + w, y + w * 0.8, BED + rng.uniform(0.3, 1.0))
        parts.append(box((x, y, BED), corner, [WOOD, (0.1, 0.2, 0.06), GREY][rng.integers(3)]))
    return parts


def _boat(rng: Generator, body: Body) -> list[Mesh]:
    tail, nose, half, end = body
    long = 2 * end - 1.0
    stations = (tail - 0.2, tail + 0.6, tail + long * 0.6, nose + 0.2, nose + 0.6)
    hull = []
    for x, (share, keel) in zip(stations, HULL, strict=True):
        w = half * share
        side = [(w * 0.7, BED + 0.3 + keel * 0.6), (w, BED + 0.85), (w * 0.8, BED + 0.95)]
        section = [(0.0, BED + 0.1 + keel), *side, *((-y, z) for y, z in side[::-1])]
        hull.append(np.array([(x, y, z) for y, z in section]))
    shield = behind(half * 0.6, (tail + 0.9, BED + 1.3), (tail + 1.2, BED + 0.95))[::-1]
    return [loft(hull, _white_or_paint(rng), PAINT), panel(shield, WINDOW, GLASS)]


LOADS = {"box": _closed, "tarp": _tarpaulin, "open": _boxes, "boat": _boat}
