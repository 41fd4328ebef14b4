"""Vans, trucks and trams."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from kins.streets.things.mesh import GLASS, MATTE, METAL, PAINT, Mesh, box, join, loft, panel, tube
from kins.streets.things.parts import SIDES, across, beside, flank, rear_plate, rectangle
from kins.streets.things.vehicles import (  # fmt: skip
    BLACK,
    CHROME,
    PLASTIC,
    RED_LAMP,
    WHITE_LAMP,
    WINDOW,
    Profile,
    car_body,
    paint_color,
    wheel,
    wheels,
)

WHITE = (0.75, 0.75, 0.74)
GREY = (0.3, 0.31, 0.32)
WOOD = (0.24, 0.14, 0.07)
BED = 1.05
"""Height of a truck's load floor."""
Color = tuple[float, float, float]
Point = tuple[float, float, float]


def _van_color(rng: Generator) -> Color:
    return WHITE if rng.random() < 0.5 else paint_color(rng)


def van(rng: Generator) -> Mesh:
    """Delivery van with or without rear windows, minibus, or small box-bodied van."""
    j = rng.normal(0, 1, 5)
    kind = rng.choice(["panel", "high", "bus", "small"], p=[0.35, 0.2, 0.25, 0.2])
    if kind == "small":
        length, width, height = 4.25 + 0.12 * j[0], 1.72 + 0.03 * j[1], 1.82 + 0.04 * j[2]
        p = Profile(0.22, 0.37, 0.965, 0.985, 1.08, 0.86, 1.05, 1.12, (0.19, 0.82), (0.53,), (0.27, 0.52))
    elif kind == "high":
        length, width, height = 5.5 + 0.2 * j[0], 1.96 + 0.03 * j[1], 2.5 + 0.08 * j[2]
        p = Profile(0.13, 0.255, 0.985, 0.993, 1.22, 0.95, 1.2, 1.3, (0.17, 0.80), (), (0.17, 0.33), False)
    else:
        length, width, height = 4.9 + 0.15 * j[0], 1.88 + 0.03 * j[1], 1.97 + 0.05 * j[2]
        glass = (0.19, 0.36) if kind == "panel" else (0.19, 0.95)
        p = Profile(0.15, 0.28, 0.975, 0.988, 1.15, 0.9, 1.12, 1.22, (0.18, 0.80), (0.36, 0.40, 0.66), glass)
    body = car_body(length, width, height, p, 0.335, 0.2, _van_color(rng), rng)
    if kind == "high":  # two leaves of the rear door, each with a window
        x = -length / 2 - 0.002
        doors = []
        for y0, y1 in ((-0.72, -0.08), (0.08, 0.72)):
            quad = [(x + 0.05, y1, 1.35), (x + 0.05, y0, 1.35), (x + 0.06, y0, 2.0), (x + 0.06, y1, 2.0)]
            doors.append(panel(quad, WINDOW, GLASS))
        body = join([body, *doors])
    return body


CAB = ((0.25, 0.0, 0.0), (0.06, 0.03, 0.02), (0.0, 0.1, 0.05))
"""A cab's sections, after the one at its back: distance from the front, inset, lift of the lower edge."""


def _cab(front: float, width: float, height: float, color: Color, depth: float) -> list[Mesh]:
    """Cab over the engine: flat front at x = front."""
    half, back, top = width / 2, front - depth, height - 0.45
    rings = []
    for x, inset, low in ((back, 0.02, 0.0), *((front - ahead, inset, low) for ahead, inset, low in CAB)):
        w, z0, z1, b = half - inset, 0.55 + low, height - inset * 1.5, 0.12
        lean = 0.1 if x > back else 0.0
        side = [(x, w - b / 2, z0), (x, w, z0 + b), (x, w, 1.6)]
        side += [(x - lean, w * 0.97, z1 - b), (x - lean * 1.6, w * 0.90, z1)]
        rings.append(np.array(side + [(a, -y, z) for a, y, z in side[::-1]]))
    w, x = half - 0.16, front + 0.008
    shield = [(x, -w, 1.62), (x, w, 1.62), (x - 0.10, w * 0.97, top), (x - 0.10, -w * 0.97, top)]
    parts = [
        loft(rings, color, PAINT),
        panel(shield, WINDOW, GLASS),
        panel([(x, -w, 0.95), (x, w, 0.95), (x, w, 1.38), (x, -w, 1.38)], BLACK),
        across(
            (front - 0.1, front + 0.06), half * 0.97, (0.42, 0.8), PLASTIC if color == WHITE else color, PAINT, 0.05
        ),
    ]
    mirrors = beside((front - 0.25, front - 0.1), (half + 0.02, half + 0.24), (1.75, 2.25), BLACK, MATTE, 0.04)
    for s, mirror in zip(SIDES, mirrors, strict=True):
        a, b = sorted((s * (half - 0.42), s * (half - 0.1)))
        x, y = front + 0.068, s * (half + 0.012)
        parts.append(panel([(x, a, 0.55), (x, b, 0.55), (x, b, 0.74), (x, a, 0.74)], WHITE_LAMP, GLASS))
        quad = [(back + 0.35, y, 1.62), (front - 0.28, y, 1.62)]
        quad += [(front - 0.42, y * 0.985, top), (back + 0.35, y * 0.985, top)]
        parts += [panel(quad if s < 0 else quad[::-1], WINDOW, GLASS), mirror]
    return parts


class Deck(NamedTuple):
    """A truck's load floor: from tail to front along x, `half` to each side; loads reach up to `height`."""

    tail: float
    front: float
    half: float
    height: float


def truck(rng: Generator) -> Mesh:
    """Cab with a box, a curtain-sided or a flat bed with a load, a tank, or a tipper."""
    kind = str(rng.choice(list(TRUCKS), p=list(TRUCKS.values())))
    length = float(np.clip(rng.normal(8.3, 1.2), 6.2, 11.0))
    width, height = rng.uniform(2.35, 2.55), rng.uniform(3.0, 3.7)
    half, front, tail = width / 2, length / 2, -length / 2
    color = paint_color(rng)
    cab_height = min(rng.uniform(2.5, 3.0), height)
    depth = rng.uniform(1.6, 2.0)
    deck = Deck(tail, front - depth - 0.15, half, height)
    parts = _cab(front, width * 0.96, cab_height, color, depth)
    parts.append(across((tail + 0.1, front - 0.4), 0.45, (0.7, BED), BLACK))
    parts.append(across(deck[:2], half, (BED - 0.12, BED), GREY))
    parts += LOADS[kind](rng, deck)
    return join([*parts, *_running_gear(deck, length)])


def _running_gear(deck: Deck, length: float) -> list[Mesh]:
    """Wheels, guards between them, lamps, bumper and plate."""
    tail, half, front = deck.tail, deck.half, length / 2
    rear = [tail + length * 0.22] if length < 8.6 else [tail + length * 0.17, tail + length * 0.17 + 1.3]
    tyre = wheel(0.48, 0.3, False, np.full(3, 0.35))
    parts = [part for x in [front - 1.15, *rear] for part in wheels(tyre, [x], half - 0.03)]
    low, high = max(rear) + 0.75, front - 1.85
    if high > low + 0.5:
        parts += beside((low, high), (half - 0.1 - 0.04, half - 0.1 + 0.04), (0.45, 0.85), GREY)
    parts += beside((tail - 0.05, tail + 0.02), (half - 0.45, half - 0.08), (0.72, 0.88), RED_LAMP, GLASS)
    parts.append(across((tail - 0.03, tail + 0.05), half * 0.9, (0.5, 0.62), BLACK))
    return [*parts, rear_plate(tail - 0.06, (0.72, 0.83))]


def _box(rng: Generator, deck: Deck) -> list[Mesh]:
    """With a painted stripe along both sides."""
    tail, front, half, height = deck
    cargo = WHITE if rng.random() < 0.6 else paint_color(rng)
    parts = [across(deck[:2], half, (BED, height), cargo, PAINT, 0.05)]
    stripe, low = paint_color(rng), rng.uniform(1.5, 2.2)
    corners = rectangle((tail + 0.5, front - 0.5), (low, low + 0.7))
    return parts + [flank(s, half + 0.006, corners, stripe, PAINT) for s in SIDES] + _doors(deck, cargo)


def _curtain(rng: Generator, deck: Deck) -> list[Mesh]:
    """Of cloth, with folds."""
    tail, front, half, height = deck
    cargo = WHITE if rng.random() < 0.6 else paint_color(rng)
    parts = [across(deck[:2], half, (BED, height), cargo, MATTE, 0.05)]
    for x in np.arange(tail + 0.6, front - 0.3, 0.75):
        fold = (half - 0.012, half + 0.012)
        parts += beside((x, x + 0.05), fold, (BED, height - 0.15), np.multiply(cargo, 0.6))
    return parts + _doors(deck, cargo)


def _doors(deck: Deck, cargo: Color) -> list[Mesh]:
    """Two bars, the gap between the leaves, and the beam above."""
    tail, _, half, height = deck
    bars = (half * 0.5 - 0.02, half * 0.5 + 0.02)
    return [
        *beside((tail - 0.04, tail), bars, (BED + 0.1, height - 0.1), CHROME, METAL),
        across((tail - 0.02, tail), 0.015, (BED, height - 0.06), BLACK),
        across((tail - 0.02, tail), half - 0.02, (height - 0.12, height - 0.04), np.multiply(cargo, 0.5)),
    ]


def _tank(rng: Generator, deck: Deck) -> list[Mesh]:
    tail, front, half, _ = deck
    radius = half * 0.92
    steel = (0.55, 0.56, 0.58) if rng.random() < 0.6 else paint_color(rng)
    stations = [tail + 0.05, tail + 0.25, tail + 0.6, front - 0.6, front - 0.25, front - 0.05]
    path = [(x, 0, BED + radius) for x in stations]
    parts = [tube(path, radius * np.array([0.5, 0.88, 1, 1, 0.88, 0.5]), steel, 20, PAINT)]
    for x in np.linspace(tail + 0.8, front - 0.9, 4):
        parts.append(across((x, x + 0.12), half, (BED, BED + radius * 0.6), GREY))
    return parts


def _boards(deck: Deck, board: Color, side: float) -> list[Mesh]:
    """Low walls around the deck, with posts on their outer sides."""
    tail, front, half, _ = deck
    parts = beside((tail, front), (half - 0.04, half + 0.04), (BED, BED + side), board)
    parts.append(across((tail + 0.05 - 0.05, tail + 0.05 + 0.05), half, (BED, BED + side), board))
    parts.append(across((front - 0.05 - 0.05, front - 0.05 + 0.05), half, (BED, BED + side + 0.5), board))
    outer, dark = half + 0.01, np.multiply(board, 0.6)
    posts = [
        beside((x, x + 0.1), (outer - 0.05, outer + 0.05), (BED - 0.1, BED + side), dark)
        for x in np.linspace(tail + 0.3, front - 0.4, 4)
    ]
    return parts + [right for right, _ in posts] + [left for _, left in posts]


def _tipper(rng: Generator, deck: Deck) -> list[Mesh]:
    """With a heap of earth or gravel."""
    tail, front, half, _ = deck
    side = 1.2
    parts = _boards(deck, paint_color(rng) if rng.random() < 0.5 else GREY, side)
    along = zip(np.linspace(tail + 0.2, front - 0.3, 7), (0, 0.3, 0.42, 0.3, 0.45, 0.32, 0), strict=True)
    heap = [(x, 0, BED + side - 0.25 + h) for x, h in along]
    soil = rng.choice([(0.2, 0.14, 0.09), (0.3, 0.28, 0.25)])
    return [*parts, tube(heap, np.array([[half * 0.9, 0.3]] * 7), soil, 10)]


def _flat(rng: Generator, deck: Deck) -> list[Mesh]:
    """With boxes one behind the other, and gaps."""
    parts = _boards(deck, WOOD if rng.random() < 0.5 else GREY, 0.45)
    x = deck.tail + 0.4
    while x < deck.front - 1.2:
        size = rng.uniform(0.7, 1.1)
        if rng.random() < 0.75:
            load = [WOOD, WHITE, GREY, paint_color(rng)][rng.integers(4)]
            parts.append(across((x, x + size), deck.half * 0.7, (BED, BED + rng.uniform(0.5, 1.5)), load, MATTE, 0.03))
        x += size + rng.uniform(0.1, 0.6)
    return parts


TRUCKS = {"box": 0.4, "curtain": 0.25, "flat": 0.15, "tank": 0.08, "tipper": 0.12}
LOADS = {"box": _box, "curtain": _curtain, "flat": _flat, "tank": _tank, "tipper": _tipper}


TRAM_COLORS = [((0.66, 0.50, 0.05), (0.55, 0.02, 0.02)), ((0.75, 0.74, 0.70), (0.5, 0.02, 0.03)),
               ((0.42, 0.015, 0.02), (0.7, 0.68, 0.62)), ((0.72, 0.73, 0.74), (0.05, 0.12, 0.4)),
               ((0.05, 0.25, 0.12), (0.7, 0.68, 0.55)), ((0.72, 0.58, 0.06), (0.05, 0.05, 0.05))]  # fmt: skip


class Tram(NamedTuple):
    """What all cars of a tram have in common: half the width, height, slope of the fronts, two colours."""

    half: float
    height: float
    slope: float
    main: Color
    second: Color

    def lean(self, z: float) -> float:
        """How far a front goes back at a height, as a share of the slope."""
        return max(0.0, (z - 1.2) / self.height)


def tram(rng: Generator) -> Mesh:
    """Tram of one to three cars, with bellows, doors, a window band and a pantograph."""
    colors = TRAM_COLORS[rng.integers(len(TRAM_COLORS))]
    cars = int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))
    one = rng.uniform(8.5, 11.5) if cars > 1 else rng.uniform(11.5, 14.5)
    width, height = rng.uniform(2.3, 2.55), rng.uniform(3.15, 3.45)
    look = Tram(width / 2, height, rng.uniform(0.25, 0.7), *colors)
    total = one * cars
    parts: list[Mesh] = []
    for n in range(cars):
        x0 = -total / 2 + n * one + (0.25 if n else 0.0)
        x1 = -total / 2 + (n + 1) * one - (0.25 if n < cars - 1 else 0.0)
        parts += _tram_car(look, x0, x1, first=n == 0, last=n == cars - 1)
    for s in (-1, 1):  # both ends are fronts
        parts += _tram_front(look, s * (total / 2), s)
    return join(parts + _pantograph(-total / 2 + one * 0.6, height))


def _tram_car(look: Tram, x0: float, x1: float, first: bool, last: bool) -> list[Mesh]:
    half, height, slope = look.half, look.height, look.slope
    stations = [
        (x0, 0.80 if first else 0.96, slope * first),
        (x0 + 0.35, 0.93 if first else 1.0, slope * first),
        (x0 + 1.1, 1.0, 0.0),
        (x1 - 1.1, 1.0, 0.0),
        (x1 - 0.35, 0.93 if last else 1.0, -slope * last),
        (x1, 0.80 if last else 0.96, -slope * last),
    ]
    rings = []
    for x, share, lean in stations:
        w = half * share
        section = [(w * 0.97, 0.28), (w, 0.6), (w, 1.35)]
        section += [(w * 0.985, height - 0.55), (w * 0.9, height - 0.2), (w * 0.6, height)]
        section += [(-y, z) for y, z in section[::-1]]
        rings.append(np.array([(x + lean * look.lean(z), y, z) for y, z in section]))
    parts = [loft(rings, look.main, PAINT)]
    for s in SIDES:
        parts += _tram_side(look, x0, x1, s)
    parts.append(across((x0 + 1.8, x0 + 4.0), half * 0.6, (height - 0.05, height + 0.22), GREY, MATTE, 0.08))
    if not first:
        parts.append(across((x0 - 0.5, x0 + 0.02), half * 0.9, (0.4, height - 0.15), BLACK))
    for x in (x0 + 2.2, x1 - 2.2):
        parts.append(across((x - 0.9, x + 0.9), half * 0.75, (0.03, 0.5), BLACK))
    return parts


def _tram_side(look: Tram, x0: float, x1: float, s: int) -> list[Mesh]:
    """Stripe, windows, doors and skirt."""

    def side(a: float, b: float, z0: float, z1: float, rgb: ArrayLike, kind: int, out: float = 0.0) -> Mesh:
        y = look.half + 0.008
        low, high = s * (y + out), s * (y - 0.012 + out)
        q = [(a, low, z0), (b, low, z0), (b, high, z1), (a, high, z1)]
        return panel(q if s < 0 else q[::-1], rgb, kind)

    parts = [side(x0 + 1.0, x1 - 1.0, 0.55, 0.95, look.second, PAINT)]
    x = x0 + 1.05
    while x + 1.2 < x1 - 0.9:
        if round((x - x0) / 1.35) % 4 == 1:
            parts.append(side(x, x + 1.2, 0.4, 2.5, np.multiply(look.second, 0.8), PAINT, 0.004))
            parts += [side(x + d, x + d + 0.5, 0.7, 2.4, WINDOW, GLASS, 0.008) for d in (0.06, 0.64)]
        else:
            parts.append(side(x, x + 1.22, 1.35, 2.4, WINDOW, GLASS, 0.004))
        x += 1.35
    skirt = s * (look.half - 0.1)
    return [*parts, box((x0 + 1.2, skirt - 0.03, 0.1), (x1 - 1.2, skirt + 0.03, 0.35), BLACK)]


def _tram_front(look: Tram, x: float, s: int) -> list[Mesh]:
    """Windscreen, stripe, sign, lamps and bumper at x, for the end that looks to s."""
    height, slope, w = look.height, look.slope, look.half * 0.80

    def facing(corners: list[Point], color: ArrayLike, kind: int = MATTE) -> Mesh:
        return panel(corners if s > 0 else corners[::-1], color, kind)

    shield = ((-w * 0.94, 1.30), (w * 0.94, 1.30), (w * 0.90, height - 0.62), (-w * 0.90, height - 0.62))
    parts = [facing([(x - s * slope * look.lean(z) + s * 0.012, y, z) for y, z in shield], WINDOW, GLASS)]
    stripe = ((-w * 0.95, 0.5), (w * 0.95, 0.5), (w * 0.95, 0.85), (-w * 0.95, 0.85))
    parts.append(facing([(x + s * 0.01, y, z) for y, z in stripe], look.second, PAINT))
    sign = ((0.52, -0.6, 0.55), (0.52, 0.6, 0.55), (0.60, 0.6, 0.33), (0.60, -0.6, 0.33))
    corners = [(x - s * slope * back + s * 0.03, y, height - down) for back, y, down in sign]
    parts.append(facing(corners, (0.5, 0.3, 0.02)))
    for y in (-w * 0.7, w * 0.7):
        a, b = sorted((x, x + s * 0.03))
        parts.append(box((a, y - 0.14, 0.9), (b, y + 0.14, 1.08), WHITE_LAMP if s > 0 else RED_LAMP, GLASS))
    a, b = sorted((x, x + s * 0.12))
    return [*parts, across((a, b), w * 0.8, (0.25, 0.45), BLACK)]


def _pantograph(x: float, height: float) -> list[Mesh]:
    top = height + 0.55
    arms = ([(x, s * 0.45, height), (x + 0.55, s * 0.3, height + 0.35), (x, s * 0.15, top)] for s in SIDES)
    return [
        *(tube(arm, [0.03] * 3, BLACK, 5) for arm in arms),
        across((x - 0.04, x + 0.04), 0.7, (top, top + 0.05), BLACK),
    ]
