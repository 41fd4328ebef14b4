"""Vans, trucks and trams."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from kins.streets.things.mesh import GLASS, MATTE, METAL, PAINT, Mesh, box, join, loft, panel, tube
from kins.streets.things.vehicles import (
    BLACK,
    CHROME,
    PLASTIC,
    PLATE,
    RED_LAMP,
    WHITE_LAMP,
    WINDOW,
    Profile,
    car_body,
    paint_color,
    wheel,
    wheels,
)  # fmt: skip

WHITE = (0.75, 0.75, 0.74)
GREY = (0.3, 0.31, 0.32)
WOOD = (0.24, 0.14, 0.07)


def _van_color(rng: Generator) -> tuple[float, float, float]:
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


def _cab(front: float, width: float, height: float, color: tuple[float, float, float], depth: float) -> list[Mesh]:
    """Cab over the engine: flat front at x = front."""
    half = width / 2
    back = front - depth
    rings = []
    for x, inset, low in (
        (back, 0.02, 0.0),
        (front - 0.25, 0.0, 0.0),
        (front - 0.06, 0.03, 0.02),
        (front, 0.1, 0.05),
    ):
        w, z0, z1, b = half - inset, 0.55 + low, height - inset * 1.5, 0.12
        lean = 0.1 if x > back else 0.0
        side = [
            (x, w - b / 2, z0),
            (x, w, z0 + b),
            (x, w, 1.6),
            (x - lean, w * 0.97, z1 - b),
            (x - lean * 1.6, w * 0.90, z1),
        ]
        rings.append(np.array(side + [(a, -y, z) for a, y, z in side[::-1]]))
    parts = [loft(rings, color, PAINT)]
    top = height - 0.45
    w = half - 0.16
    x = front + 0.008
    parts.append(
        panel([(x, -w, 1.62), (x, w, 1.62), (x - 0.10, w * 0.97, top), (x - 0.10, -w * 0.97, top)], WINDOW, GLASS)
    )
    parts.append(panel([(x, -w, 0.95), (x, w, 0.95), (x, w, 1.38), (x, -w, 1.38)], BLACK))
    parts.append(
        box(
            (front - 0.1, -half * 0.97, 0.42),
            (front + 0.06, half * 0.97, 0.8),
            PLASTIC if color == WHITE else color,
            PAINT,
            0.05,
        )
    )
    for s in (-1, 1):
        a, b = sorted((s * (half - 0.42), s * (half - 0.1)))
        parts.append(
            panel(
                [
                    (front + 0.068, a, 0.55),
                    (front + 0.068, b, 0.55),
                    (front + 0.068, b, 0.74),
                    (front + 0.068, a, 0.74),
                ],
                WHITE_LAMP,
                GLASS,
            )
        )
        y = s * (half + 0.012)
        quad = [
            (back + 0.35, y, 1.62),
            (front - 0.28, y, 1.62),
            (front - 0.42, y * 0.985, top),
            (back + 0.35, y * 0.985, top),
        ]
        parts.append(panel(quad if s < 0 else quad[::-1], WINDOW, GLASS))
        a, b = sorted((s * (half + 0.02), s * (half + 0.24)))
        parts.append(box((front - 0.25, a, 1.75), (front - 0.1, b, 2.25), BLACK, MATTE, 0.04))
    return parts


def truck(rng: Generator) -> Mesh:
    """Cab with a box, a curtain-sided or a flat bed with a load, a tank, or a tipper."""
    kind = rng.choice(["box", "curtain", "flat", "tank", "tipper"], p=[0.4, 0.25, 0.15, 0.08, 0.12])
    length = float(np.clip(rng.normal(8.3, 1.2), 6.2, 11.0))
    width, height = rng.uniform(2.35, 2.55), rng.uniform(3.0, 3.7)
    half, front = width / 2, length / 2
    color = paint_color(rng)
    cab_height = min(rng.uniform(2.5, 3.0), height)
    depth = rng.uniform(1.6, 2.0)
    parts = _cab(front, width * 0.96, cab_height, color, depth)
    bed, bed_front, tail = 1.05, front - depth - 0.15, -length / 2
    parts.append(box((tail + 0.1, -0.45, 0.7), (front - 0.4, 0.45, bed), BLACK))
    parts.append(box((tail, -half, bed - 0.12), (bed_front, half, bed), GREY))
    if kind in ("box", "curtain"):
        cargo = WHITE if rng.random() < 0.6 else paint_color(rng)
        parts.append(box((tail, -half, bed), (bed_front, half, height), cargo, PAINT if kind == "box" else MATTE, 0.05))
        if kind == "curtain":
            for x in np.arange(tail + 0.6, bed_front - 0.3, 0.75):
                parts += [
                    box(
                        (x, s * half - 0.012, bed), (x + 0.05, s * half + 0.012, height - 0.15), np.multiply(cargo, 0.6)
                    )
                    for s in (-1, 1)
                ]
        else:
            stripe = paint_color(rng)
            z0 = rng.uniform(1.5, 2.2)
            for s in (-1, 1):
                y = s * (half + 0.006)
                quad = [
                    (tail + 0.5, y, z0),
                    (bed_front - 0.5, y, z0),
                    (bed_front - 0.5, y, z0 + 0.7),
                    (tail + 0.5, y, z0 + 0.7),
                ]
                parts.append(panel(quad if s < 0 else quad[::-1], stripe, PAINT))
        for y in (-half * 0.5, half * 0.5):
            parts.append(box((tail - 0.04, y - 0.02, bed + 0.1), (tail, y + 0.02, height - 0.1), CHROME, METAL))
        parts.append(box((tail - 0.02, -0.015, bed), (tail, 0.015, height - 0.06), BLACK))
        parts.append(
            box((tail - 0.02, -half + 0.02, height - 0.12), (tail, half - 0.02, height - 0.04), np.multiply(cargo, 0.5))
        )
    elif kind == "tank":
        r = half * 0.92
        steel = (0.55, 0.56, 0.58) if rng.random() < 0.6 else paint_color(rng)
        xs = [tail + 0.05, tail + 0.25, tail + 0.6, bed_front - 0.6, bed_front - 0.25, bed_front - 0.05]
        parts.append(tube([(x, 0, bed + r) for x in xs], r * np.array([0.5, 0.88, 1, 1, 0.88, 0.5]), steel, 20, PAINT))
        parts += [
            box((x, -half, bed), (x + 0.12, half, bed + r * 0.6), GREY)
            for x in np.linspace(tail + 0.8, bed_front - 0.9, 4)
        ]
    else:
        side = 0.45 if kind == "flat" else 1.2
        board = (
            (paint_color(rng) if rng.random() < 0.5 else GREY)
            if kind == "tipper"
            else (WOOD if rng.random() < 0.5 else GREY)
        )
        parts += [box((tail, s * half - 0.04, bed), (bed_front, s * half + 0.04, bed + side), board) for s in (-1, 1)]
        parts += [
            box((x - 0.05, -half, bed), (x + 0.05, half, bed + side + extra), board)
            for x, extra in ((tail + 0.05, 0.0), (bed_front - 0.05, 0.5))
        ]
        parts += [
            box(
                (x, s * (half + 0.01) - 0.05, bed - 0.1),
                (x + 0.1, s * (half + 0.01) + 0.05, bed + side),
                np.multiply(board, 0.6),
            )
            for s in (-1, 1)
            for x in np.linspace(tail + 0.3, bed_front - 0.4, 4)
        ]
        if kind == "tipper":
            heap = [
                (x, 0, bed + side - 0.25 + h)
                for x, h in zip(
                    np.linspace(tail + 0.2, bed_front - 0.3, 7), (0, 0.3, 0.42, 0.3, 0.45, 0.32, 0), strict=True
                )
            ]
            parts.append(
                tube(heap, np.array([[half * 0.9, 0.3]] * 7), rng.choice([(0.2, 0.14, 0.09), (0.3, 0.28, 0.25)]), 10)
            )
        else:
            x = tail + 0.4
            while x < bed_front - 1.2:
                size = rng.uniform(0.7, 1.1)
                if rng.random() < 0.75:
                    load = [WOOD, WHITE, GREY, paint_color(rng)][rng.integers(4)]
                    parts.append(
                        box(
                            (x, -half * 0.7, bed),
                            (x + size, half * 0.7, bed + rng.uniform(0.5, 1.5)),
                            load,
                            MATTE,
                            0.03,
                        )
                    )
                x += size + rng.uniform(0.1, 0.6)
    rear = [tail + length * 0.22] if length < 8.6 else [tail + length * 0.17, tail + length * 0.17 + 1.3]
    tyre = wheel(0.48, 0.3, False, np.full(3, 0.35))
    for x in [front - 1.15, *rear]:
        parts += wheels(tyre, [x], half - 0.03)
    lo, hi = max(rear) + 0.75, front - 1.85
    if hi > lo + 0.5:
        parts += [box((lo, s * (half - 0.1) - 0.04, 0.45), (hi, s * (half - 0.1) + 0.04, 0.85), GREY) for s in (-1, 1)]
    for s in (-1, 1):
        a, b = sorted((s * (half - 0.45), s * (half - 0.08)))
        parts.append(box((tail - 0.05, a, 0.72), (tail + 0.02, b, 0.88), RED_LAMP, GLASS))
    parts.append(box((tail - 0.03, -half * 0.9, 0.5), (tail + 0.05, half * 0.9, 0.62), BLACK))
    parts.append(
        panel(
            [
                (tail - 0.06, 0.26, 0.72),
                (tail - 0.06, -0.26, 0.72),
                (tail - 0.06, -0.26, 0.83),
                (tail - 0.06, 0.26, 0.83),
            ],
            PLATE,
        )
    )
    return join(parts)


TRAM_COLORS = [((0.66, 0.50, 0.05), (0.55, 0.02, 0.02)), ((0.75, 0.74, 0.70), (0.5, 0.02, 0.03)),
               ((0.42, 0.015, 0.02), (0.7, 0.68, 0.62)), ((0.72, 0.73, 0.74), (0.05, 0.12, 0.4)),
               ((0.05, 0.25, 0.12), (0.7, 0.68, 0.55)), ((0.72, 0.58, 0.06), (0.05, 0.05, 0.05))]  # fmt: skip


def tram(rng: Generator) -> Mesh:
    """Tram of one to three cars, with bellows, doors, a window band and a pantograph."""
    main, second = TRAM_COLORS[rng.integers(len(TRAM_COLORS))]
    cars = int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))
    one = rng.uniform(8.5, 11.5) if cars > 1 else rng.uniform(11.5, 14.5)
    width, height = rng.uniform(2.3, 2.55), rng.uniform(3.15, 3.45)
    half, total = width / 2, one * cars
    parts: list[Mesh] = []
    slope = rng.uniform(0.25, 0.7)
    for n in range(cars):
        x0 = -total / 2 + n * one + (0.25 if n else 0.0)
        x1 = -total / 2 + (n + 1) * one - (0.25 if n < cars - 1 else 0.0)
        first, last = n == 0, n == cars - 1
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
            section = [
                (w * 0.97, 0.28),
                (w, 0.6),
                (w, 1.35),
                (w * 0.985, height - 0.55),
                (w * 0.9, height - 0.2),
                (w * 0.6, height),
            ]
            section += [(-y, z) for y, z in section[::-1]]
            rings.append(np.array([(x + lean * max(0.0, (z - 1.2) / height), y, z) for y, z in section]))
        parts.append(loft(rings, main, PAINT))
        y = half + 0.008
        for s in (-1, 1):

            def side(
                a: float,
                b: float,
                z0: float,
                z1: float,
                rgb: ArrayLike,
                kind: int,
                out: float = 0.0,
                s: int = s,
                y: float = y,
            ) -> Mesh:
                q = [
                    (a, s * (y + out), z0),
                    (b, s * (y + out), z0),
                    (b, s * (y - 0.012 + out), z1),
                    (a, s * (y - 0.012 + out), z1),
                ]
                return panel(q if s < 0 else q[::-1], rgb, kind)

            parts.append(side(x0 + 1.0, x1 - 1.0, 0.55, 0.95, second, PAINT))
            x = x0 + 1.05
            while x + 1.2 < x1 - 0.9:
                if round((x - x0) / 1.35) % 4 == 1:
                    parts.append(side(x, x + 1.2, 0.4, 2.5, np.multiply(second, 0.8), PAINT, 0.004))
                    parts += [side(x + d, x + d + 0.5, 0.7, 2.4, WINDOW, GLASS, 0.008) for d in (0.06, 0.64)]
                else:
                    parts.append(side(x, x + 1.22, 1.35, 2.4, WINDOW, GLASS, 0.004))
                x += 1.35
            parts.append(
                box((x0 + 1.2, s * (half - 0.1) - 0.03, 0.1), (x1 - 1.2, s * (half - 0.1) + 0.03, 0.35), BLACK)
            )
        parts.append(
            box((x0 + 1.8, -half * 0.6, height - 0.05), (x0 + 4.0, half * 0.6, height + 0.22), GREY, MATTE, 0.08)
        )
        if n:
            parts.append(box((x0 - 0.5, -half * 0.9, 0.4), (x0 + 0.02, half * 0.9, height - 0.15), BLACK))
        for x in (x0 + 2.2, x1 - 2.2):
            parts.append(box((x - 0.9, -half * 0.75, 0.03), (x + 0.9, half * 0.75, 0.5), BLACK))
    for s in (-1, 1):  # both ends are fronts
        x = s * (total / 2)
        w = half * 0.80
        quad = []
        for y, z in ((-w * 0.94, 1.30), (w * 0.94, 1.30), (w * 0.90, height - 0.62), (-w * 0.90, height - 0.62)):
            quad.append((x - s * slope * max(0.0, (z - 1.2) / height) + s * 0.012, y, z))
        parts.append(panel(quad if s > 0 else quad[::-1], WINDOW, GLASS))
        low = [
            (x + s * 0.01, -w * 0.95, 0.5),
            (x + s * 0.01, w * 0.95, 0.5),
            (x + s * 0.01, w * 0.95, 0.85),
            (x + s * 0.01, -w * 0.95, 0.85),
        ]
        parts.append(panel(low if s > 0 else low[::-1], second, PAINT))
        sign = [
            (x - s * (slope * 0.52 + 0.0) + s * 0.03, -0.6, height - 0.55),
            (x - s * slope * 0.52 + s * 0.03, 0.6, height - 0.55),
            (x - s * slope * 0.60 + s * 0.03, 0.6, height - 0.33),
            (x - s * slope * 0.60 + s * 0.03, -0.6, height - 0.33),
        ]
        parts.append(panel(sign if s > 0 else sign[::-1], (0.5, 0.3, 0.02)))
        for y in (-w * 0.7, w * 0.7):
            a, b = sorted((x, x + s * 0.03))
            parts.append(box((a, y - 0.14, 0.9), (b, y + 0.14, 1.08), WHITE_LAMP if s > 0 else RED_LAMP, GLASS))
        a, b = sorted((x, x + s * 0.12))
        parts.append(box((a, -w * 0.8, 0.25), (b, w * 0.8, 0.45), BLACK))
    x = -total / 2 + one * 0.6
    top = height + 0.55
    for s in (-1, 1):
        parts.append(
            tube([(x, s * 0.45, height), (x + 0.55, s * 0.3, height + 0.35), (x, s * 0.15, top)], [0.03] * 3, BLACK, 5)
        )
    parts.append(box((x - 0.04, -0.7, top), (x + 0.04, 0.7, top + 0.05), BLACK))
    return join(parts)
