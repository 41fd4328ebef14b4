"""Parts of vehicles that are alike on both sides. Metres, in the object frame of `mesh`; spans are (low, high)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from kins.streets.things.mesh import MATTE, Mesh, box, panel
from kins.streets.things.vehicles import PLATE

Span = tuple[float, float]
SIDES = (-1, 1)
"""Signs of y: right, left."""


def beside(x: Span, y: Span, z: Span, color: ArrayLike, surface: int = MATTE, bevel: float = 0.0) -> list[Mesh]:
    """A box on each side, `y` away from the middle."""
    ends = [sorted((s * y[0], s * y[1])) for s in SIDES]
    return [box((x[0], low, z[0]), (x[1], high, z[1]), color, surface, bevel) for low, high in ends]


def across(x: Span, half: float, z: Span, color: ArrayLike, surface: int = MATTE, bevel: float = 0.0) -> Mesh:
    """A box from side to side."""
    return box((x[0], -half, z[0]), (x[1], half, z[1]), color, surface, bevel)


def flank(side: int, y: float, corners: list[Span], color: ArrayLike, surface: int = MATTE) -> Mesh:
    """A panel on one of the SIDES, its four corners as (x, z), from the lower one at the back on by the front."""
    quad = [(x, side * y, z) for x, z in corners]
    return panel(quad if side < 0 else quad[::-1], color, surface)


def rectangle(x: Span, z: Span) -> list[Span]:
    """The corners of an upright one, for `flank`."""
    return [(x[0], z[0]), (x[1], z[0]), (x[1], z[1]), (x[0], z[1])]


def behind(y: float, low: Span, high: Span) -> list[tuple[float, float, float]]:
    """The corners of a panel from side to side that faces backwards, its lower and its upper edge at (x, z)."""
    return [(low[0], y, low[1]), (low[0], -y, low[1]), (high[0], -y, high[1]), (high[0], y, high[1])]


def rear_plate(x: float, z: Span) -> Mesh:
    """Number plate that faces backwards."""
    return panel(behind(0.26, (x, z[0]), (x, z[1])), PLATE)
