"""Cars, vans, trucks and trams, each drawn from a random generator: no two are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from kins.streets.things.mesh import (
    GLASS,
    MATTE,
    METAL,
    PAINT,
    Floats,
    Mesh,
    box,
    disc,
    grid_faces,
    join,
    loft,
    panel,
    tube,
)  # fmt: skip

BLACK = (0.012, 0.012, 0.013)
RUBBER = (0.018, 0.018, 0.02)
PLASTIC = (0.03, 0.03, 0.032)
CHROME = (0.55, 0.56, 0.58)
WINDOW = (0.012, 0.016, 0.018)
RED_LAMP = (0.45, 0.012, 0.008)
WHITE_LAMP = (0.75, 0.78, 0.8)
LAMP_HOUSING = (0.16, 0.17, 0.18)
AMBER_LAMP = (0.8, 0.25, 0.02)
PLATE = (0.75, 0.75, 0.7)

# Linear RGB of car paints and how often they are seen.
PAINTS = {
    (0.78, 0.78, 0.77): 17, (0.50, 0.51, 0.53): 18, (0.19, 0.20, 0.22): 14, (0.018, 0.018, 0.021): 18,
    (0.02, 0.04, 0.13): 10, (0.05, 0.16, 0.42): 4, (0.38, 0.018, 0.022): 8, (0.10, 0.012, 0.018): 3,
    (0.03, 0.10, 0.06): 4, (0.45, 0.39, 0.28): 4, (0.62, 0.46, 0.05): 2, (0.16, 0.11, 0.07): 2,
    (0.55, 0.17, 0.03): 1, (0.22, 0.36, 0.42): 2,
}  # fmt: skip


def paint_color(rng: Generator) -> tuple[float, float, float]:
    weights = np.array(list(PAINTS.values()), float)
    base = np.array(list(PAINTS)[rng.choice(len(weights), p=weights / weights.sum())])
    r, g, b = np.clip(base * rng.uniform(0.8, 1.2) + rng.normal(0, 0.006, 3), 0.006, 0.85)
    return float(r), float(g), float(b)


@dataclass(frozen=True)
class Profile:
    """Side view of a car body, lengths as shares of its length (0 nose, 1 tail), heights in metres.

    `cowl` and `screen`: foot and head of the windscreen; `roof_end` and `rear_foot`: head and foot of the
    rear window; `deck`: height of the tail at the rear window's foot. `pillars`: where side glass pauses.
    """

    cowl: float
    screen: float
    roof_end: float
    rear_foot: float
    hood: float
    nose: float
    belt: float
    deck: float
    axles: tuple[float, float]
    pillars: tuple[float, ...]
    side_glass: tuple[float, float]
    rear_glass: bool = True


def wheel(radius: float, width: float, spokes: bool, rim: Floats) -> Mesh:
    """Wheel at x = 0 whose outer face lies in the plane y = 0, facing +y."""
    angle = np.arange(16) * 2 * np.pi / 16

    def ring(r: float, offset: float) -> Floats:
        return np.column_stack([-np.cos(angle) * r, np.full(16, offset), radius + np.sin(angle) * r])

    tyre = loft(
        [ring(radius * 0.9, -width), ring(radius, -width * 0.85), ring(radius, -width * 0.15),
         ring(radius * 0.93, 0.0), ring(radius * 0.70, 0.0), ring(radius * 0.66, -0.03)],
        RUBBER,
    )  # fmt: skip
    shades = rim * (np.where(np.arange(20) % 4 < 2, 1.0, 0.12)[:, None] if spokes else 0.8)
    face = disc((0, -0.03, radius), 1, radius * 0.66, 20, shades, METAL)
    hub = disc((0, -0.02, radius), 1, radius * 0.16, 8, rim * 0.7, METAL)
    return join([tyre, face, hub])


def wheels(one: Mesh, axles: Sequence[float], half_width: float) -> list[Mesh]:
    """Copies of a wheel on both sides of axles at these x."""
    other = one.rotated(np.diag([-1.0, -1.0, 1.0]))
    return [m for x in axles for m in (one.moved(x, half_width), other.moved(x, -half_width))]


def _wheels(axles: list[float], half_width: float, radius: float, rng: Generator) -> list[Mesh]:
    rim = np.ones(3) * rng.uniform(0.12, 0.55)
    return wheels(wheel(radius, 0.21, rng.random() < 0.65, rim), axles, half_width)


ARCH = 1.17
"""Radius of a wheel's arch over the wheel's."""


def _shell(
    length: float, half: float, height: float, p: Profile, radius: float, clearance: float,
    color: tuple[float, float, float], trim: bool, dark_glass: bool,
) -> Mesh:  # fmt: skip
    """Body with cabin in one skin: stations along the length, each a cross-section of 12 points a side."""
    x = _stations(length, p, radius * ARCH)
    vertices = _sections(x, length, half, height, p, radius, clearance)
    n, columns = vertices.shape[:2]
    colors, kinds = _panels(x, length, p, radius, columns, color, trim, dark_glass)
    faces = grid_faces(n, columns, closed=True)
    skin = Mesh(vertices.reshape(-1, 3), faces, np.repeat(colors, 2, 0), np.repeat(kinds, 2), 0.78)
    caps = []
    for station, order in ((0, 1), (n - 1, -1)):
        ring = vertices[station][::order]
        hubs = np.concatenate([ring, ring.mean(0, keepdims=True)])
        c = np.arange(columns)
        fan = np.stack([(c + 1) % columns, c, np.full(columns, columns)], -1)
        caps.append(Mesh(hubs, fan, color, PAINT))
    return join([skin, *caps])


def _stations(length: float, p: Profile, arch: float) -> Floats:
    """Metres from the nose, wherever the outline bends or the colour changes."""
    marks = [0.0, 0.02, 0.07, 0.16, p.cowl, p.cowl + 0.012, (p.cowl + p.screen) / 2, p.screen - 0.01,
             p.screen, p.roof_end, p.roof_end + 0.008, (p.roof_end + p.rear_foot) / 2, p.rear_foot - 0.008,
             p.rear_foot, 0.95, 0.985, 1.0, *p.side_glass]  # fmt: skip
    marks += [q + d for q in p.pillars for d in (-0.009, 0.009)]
    at = [m * length for m in marks]
    for a in p.axles:
        at += [a * length + arch * s for s in (-1.0, -0.96, -0.7, -0.25, 0.25, 0.7, 0.96, 1.0)]
    return np.unique(np.round(np.clip(at, 0, length), 3))


def _sections(
    x: Floats, length: float, half: float, height: float, p: Profile, radius: float, clearance: float
) -> Floats:
    """(stations, points, 3) the skin: from the middle of the floor around the left side to the roof, and back."""
    s = x / length
    top = np.interp(
        s,
        [0, 0.02, 0.07, 0.16, p.cowl, (p.cowl + p.screen) / 2, p.screen, (p.screen + p.roof_end) / 2,
         p.roof_end, (p.roof_end + p.rear_foot) / 2, p.rear_foot, 0.985, 1.0],
        [p.nose - 0.10, p.nose - 0.03, p.nose + 0.01, p.nose + (p.hood - p.nose) * 0.55, p.hood,
         p.hood + (height - p.hood) * 0.56, height - 0.045, height, height - 0.05,
         height - 0.05 - (height - 0.05 - p.deck) * 0.45, p.deck, p.deck - 0.02, p.deck - 0.06],
    )  # fmt: skip
    belt = np.minimum(
        np.interp(s, [0, 0.2, 0.9, 1], [p.belt - 0.06, p.belt - 0.03, p.belt + 0.03, p.belt]), top - 0.025
    )
    bottom = np.interp(s, [0, 0.05, 0.95, 1.0], [clearance + 0.03, clearance, clearance, clearance + 0.08])
    arch = radius * ARCH
    for a in p.axles:
        inside = np.clip(1 - ((x - a * length) / arch) ** 2, 0, None)
        bottom = np.maximum(bottom, np.where(inside > 0, radius + arch * np.sqrt(inside), 0) * (inside > 0))
    w = half * np.interp(s, [0, 0.02, 0.07, 0.2, 0.8, 0.95, 0.985, 1.0], [0.80, 0.89, 0.955, 1, 1, 0.96, 0.91, 0.84])
    roof = half * np.interp(s, [0, p.cowl, p.screen, p.roof_end, p.rear_foot, 1], [0.72, 0.80, 0.72, 0.70, 0.76, 0.74])
    side = np.maximum(belt - bottom, 0.05)
    rise = top - belt
    half_y = np.stack(
        [0 * w, w * 0.85, w * 0.955, w * 0.99, w, w * 0.985, w * 0.955,
         *[w * 0.945 + (roof - w * 0.945) * f for f in (0.10, 0.5, 0.86)], roof * 0.97, roof * 0.80, 0 * w], 1
    )  # fmt: skip
    half_z = np.stack(
        [bottom, bottom, bottom + 0.02, bottom + side * 0.22, bottom + side * 0.55, belt - side * 0.12, belt,
         *[belt + rise * f for f in (0.10, 0.5, 0.86)], belt + rise * 0.975,
         top + 0.012, top + 0.035], 1
    )  # fmt: skip
    y = np.concatenate([half_y, -half_y[:, -2:0:-1]], 1)
    z = np.concatenate([half_z, half_z[:, -2:0:-1]], 1)
    lean = np.clip((z - 0.45) / 0.5, 0, 1) ** 1.5
    xs = length / 2 - x[:, None] - 0.10 * lean * np.clip(1 - s[:, None] / 0.1, 0, 1)
    xs = xs + 0.07 * np.clip((z - 0.6) / 0.6, 0, 1) * np.clip((s[:, None] - 0.93) / 0.07, 0, 1)
    return np.stack([xs, y, z], -1)


def _panels(
    x: Floats, length: float, p: Profile, radius: float, columns: int, color: tuple[float, float, float],
    trim: bool, dark_glass: bool,
) -> tuple[Floats, npt.NDArray[np.uint8]]:  # fmt: skip
    """(n, 3) colours and (n,) surfaces of the skin's panels, station by station."""
    s = x / length
    colors = np.broadcast_to(np.array(color), (len(x) - 1, columns, 3)).copy()
    kinds = np.full((len(x) - 1, columns), PAINT, np.uint8)
    mid = (s[:-1] + s[1:]) / 2
    row = np.arange(columns)
    level = np.minimum(row, columns - 1 - row)  # the same number left and right

    def set_part(stations: np.ndarray, levels: tuple[int, ...], rgb: object, kind: int) -> None:
        chosen = stations[:, None] & np.isin(level, levels)[None]
        colors[chosen] = rgb
        kinds[chosen] = kind

    front, back = p.side_glass
    glazed = (mid > front) & (mid < back)
    for q in p.pillars:
        glazed &= abs(mid - q) > 0.009
    tint = np.array(WINDOW) * (0.4 if dark_glass else 1.0)
    set_part(glazed, (7, 8), tint, GLASS)
    set_part((mid > p.cowl + 0.010) & (mid < p.screen - 0.008), (10, 11), tint, GLASS)
    if p.rear_glass:
        set_part((mid > p.roof_end + 0.006) & (mid < p.rear_foot - 0.006), (10, 11), tint, GLASS)
    low = (0, 1, 2) if trim else (0,)
    set_part(mid > -1, low, PLASTIC, MATTE)
    for a in p.axles:
        set_part(abs(mid * length - a * length) < radius * ARCH * 0.97, (0, 1), BLACK, MATTE)
    set_part(mid < 0.045, (5,), LAMP_HOUSING, GLASS)
    set_part(mid > 0.965, (5,), RED_LAMP, GLASS)
    return colors.reshape(-1, 3), kinds.ravel()


def _face_quad(
    x: float, y0: float, y1: float, z0: float, z1: float, out: int, lean: float = 0.0
) -> list[tuple[float, float, float]]:
    """Corners of a panel on the nose (out = 1) or tail (out = -1), upper edge set back by `lean`."""
    quad = [(x, y0, z0), (x, y1, z0), (x - out * lean, y1, z1), (x - out * lean, y0, z1)]
    return quad if out > 0 else quad[::-1]


def _plate(x: float, z: float, out: int) -> list[Mesh]:
    """Number plate with a blue edge and letters."""
    parts = [panel(_face_quad(x, -0.26, 0.26, z, z + 0.11, out), PLATE)]
    x, blue = x + out * 0.004, out * 0.235
    parts.append(panel(_face_quad(x, blue - 0.02, blue + 0.02, z, z + 0.11, out), (0.01, 0.03, 0.3)))
    for y in (-0.17, -0.10, -0.03, 0.06, 0.13):
        parts.append(panel(_face_quad(x, y - 0.02, y + 0.02, z + 0.025, z + 0.085, out), BLACK))
    return parts


def _ends(length: float, half: float, p: Profile, clearance: float, rng: Generator) -> list[Mesh]:
    """Lamps, grille, bumpers and number plates."""
    parts = []
    x = length / 2 + 0.008
    top = p.nose - 0.12
    lamp_z = top - rng.uniform(0.12, 0.17)
    grille = rng.uniform(0.3, 0.5) * half
    bumper = PLASTIC if rng.random() < 0.4 else None
    lean = 0.05
    parts.append(panel(_face_quad(x - 0.015, -grille, grille, lamp_z, top - 0.02, 1, lean), BLACK, MATTE))
    bars = int(rng.integers(0, 4))
    for z in np.linspace(lamp_z + 0.02, top - 0.04, bars + 2)[1:-1]:
        parts.append(box((x - 0.06, -grille * 0.96, z - 0.008), (x + 0.0, grille * 0.96, z + 0.008), CHROME, METAL))
    middle = (lamp_z + top) / 2
    parts.append(disc((x + 0.012, 0, middle), 0, 0.05, 10, CHROME, METAL))
    low, high = clearance + 0.06, clearance + rng.uniform(0.16, 0.22)
    parts.append(panel(_face_quad(x + 0.004, -half * 0.6, half * 0.6, low, high, 1), BLACK))
    for s in (-1, 1):
        a, b = sorted((s * grille * 1.1, s * half * 0.795))
        parts.append(panel(_face_quad(x - 0.018, a, b, lamp_z - 0.01, top - 0.005, 1, lean), LAMP_HOUSING, GLASS))
        for f in (0.3, 0.72):
            y = a + (b - a) * f
            parts.append(disc((x + 0.004, y, middle - 0.005), 0, 0.055, 10, WHITE_LAMP, GLASS))
        a, b = sorted((s * half * 0.62, s * half * 0.76))
        parts.append(panel(_face_quad(x + 0.006, a, b, low + 0.02, low + 0.1, 1), LAMP_HOUSING, GLASS))
    if bumper:
        z = clearance + 0.2
        parts.append(box((x - 0.12, -half * 0.8, z), (x + 0.02, half * 0.8, z + 0.14), bumper, bevel=0.04))
    parts += _plate(x + 0.03, clearance + 0.22, 1)

    x = -length / 2 - 0.008
    tail = p.deck - 0.1
    low = tail - rng.uniform(0.16, 0.3)
    inner = rng.uniform(0.5, 0.6)
    for s in (-1, 1):
        a, b = sorted((s * half * inner, s * half * 0.83))
        parts.append(panel(_face_quad(x - 0.004, a, b, low, tail, -1, 0.0), RED_LAMP, GLASS))
        parts.append(panel(_face_quad(x - 0.006, a, b, low + 0.03, low + 0.07, -1, 0.0), AMBER_LAMP, GLASS))
    if bumper:
        z = clearance + 0.16
        parts.append(box((x - 0.03, -half * 0.83, z), (x + 0.12, half * 0.83, z + 0.16), bumper, bevel=0.04))
    parts += _plate(x - 0.02, clearance + 0.4 if rng.random() < 0.5 else (low + tail) / 2 - 0.05, -1)
    low = clearance + 0.09
    parts.append(panel(_face_quad(x - 0.004, -half * 0.55, half * 0.55, low, low + 0.06, -1), BLACK))
    return parts


def _details(
    length: float, half: float, p: Profile, color: tuple[float, float, float], rng: Generator, clearance: float
) -> list[Mesh]:
    """Mirrors, door gaps and handles, underbody, roof rails."""
    parts = [box((-length * 0.44, -half * 0.78, clearance * 0.9), (length * 0.44, half * 0.78, p.belt * 0.75), BLACK)]
    mirror_x = length / 2 - (p.cowl * 0.6 + p.screen * 0.4) * length
    mirror = PLASTIC if rng.random() < 0.3 else color
    for s in (-1, 1):
        a, b = sorted((s * half * 0.93, s * (half + 0.13)))
        parts.append(box((mirror_x - 0.07, a, p.belt - 0.01), (mirror_x + 0.06, b, p.belt + 0.13), mirror, PAINT, 0.04))
        for q in (p.cowl + 0.03, *p.pillars):
            gx = length / 2 - q * length
            if (
                abs(gx - (length / 2 - p.axles[0] * length)) < 0.33
                or abs(gx - (length / 2 - p.axles[1] * length)) < 0.33
            ):
                continue
            y = s * (half + 0.003)
            quad = [
                (gx - 0.008, y, clearance + 0.12),
                (gx + 0.008, y, clearance + 0.12),
                (gx + 0.008, y * 0.99, p.belt - 0.08),
                (gx - 0.008, y * 0.99, p.belt - 0.08),
            ]
            parts.append(panel(quad if s < 0 else quad[::-1], BLACK))
            a, b = sorted((s * half * 0.98, s * (half + 0.015)))
            parts.append(
                box(
                    (gx + 0.03, a, p.belt - 0.16),
                    (gx + 0.18, b, p.belt - 0.125),
                    PLASTIC if rng.random() < 0.5 else color,
                    PAINT,
                )
            )
    return parts


def car(rng: Generator) -> Mesh:
    """Hatchback, saloon, estate or SUV."""
    kind = rng.choice(["hatchback", "saloon", "estate", "suv", "mini"], p=[0.34, 0.24, 0.2, 0.12, 0.10])
    j = rng.normal(0, 1, 12)
    if kind == "hatchback":
        length, width, height = 3.85 + 0.18 * j[0], 1.64 + 0.04 * j[1], 1.46 + 0.04 * j[2]
        p = Profile(0.26 + 0.012 * j[3], 0.44, 0.88, 0.965, 0.93, 0.76, 0.91, 1.0, (0.19, 0.83), (0.60,), (0.33, 0.86))
    elif kind == "mini":
        length, width, height = 3.35 + 0.2 * j[0], 1.56 + 0.03 * j[1], 1.48 + 0.04 * j[2]
        p = Profile(0.21 + 0.01 * j[3], 0.38, 0.90, 0.975, 0.95, 0.80, 0.92, 0.98, (0.18, 0.83), (0.63,), (0.27, 0.87))
    elif kind == "saloon":
        length, width, height = 4.45 + 0.2 * j[0], 1.75 + 0.04 * j[1], 1.43 + 0.03 * j[2]
        p = Profile(
            0.29 + 0.01 * j[3],
            0.43,
            0.70,
            0.84 + 0.01 * j[4],
            0.93,
            0.74,
            0.91,
            0.99,
            (0.185, 0.79),
            (0.55, 0.725),
            (0.35, 0.765),
        )
    elif kind == "estate":
        length, width, height = 4.45 + 0.18 * j[0], 1.73 + 0.04 * j[1], 1.48 + 0.04 * j[2]
        p = Profile(
            0.28 + 0.01 * j[3], 0.42, 0.90, 0.97, 0.93, 0.74, 0.91, 1.02, (0.185, 0.79), (0.54, 0.72), (0.34, 0.88)
        )
    else:
        length, width, height = 4.35 + 0.2 * j[0], 1.80 + 0.04 * j[1], 1.70 + 0.06 * j[2]
        p = Profile(
            0.25 + 0.01 * j[3], 0.39, 0.90, 0.965, 1.05, 0.92, 1.04, 1.12, (0.185, 0.80), (0.55, 0.73), (0.31, 0.87)
        )
    suv = kind == "suv"
    radius = (0.35 if suv else 0.305) + 0.012 * j[5]
    clearance = (0.24 if suv else 0.17) + 0.012 * j[6]
    body = car_body(length, width, height, p, radius, clearance, paint_color(rng), rng, suv)
    if kind not in ("estate", "suv") or rng.random() < 0.4:
        return body
    front, back, y = length * (0.46 - p.screen), length * (0.53 - p.roof_end), width * 0.3
    rail = CHROME if rng.random() < 0.5 else BLACK
    bend = [(back, height), (back + 0.1, height + 0.06), (front - 0.1, height + 0.06), (front, height)]
    rails = [tube([(x, s * y, z) for x, z in bend], [0.015] * 4, rail, 5) for s in (-1, 1)]
    return join([body, *rails])


def car_body(
    length: float, width: float, height: float, p: Profile, radius: float, clearance: float,
    color: tuple[float, float, float], rng: Generator, trim: bool = False,
) -> Mesh:  # fmt: skip
    """Painted body with its windows, lamps, mirrors and wheels."""
    half = width / 2
    trim = trim or rng.random() < 0.25
    parts = [_shell(length, half, height, p, radius, clearance, color, trim, rng.random() < 0.5)]
    parts += _ends(length, half, p, clearance, rng)
    parts += _details(length, half, p, color, rng, clearance)
    parts += _wheels([length / 2 - a * length for a in p.axles], half - 0.015, radius, rng)
    return join(parts)
