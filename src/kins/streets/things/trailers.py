"""Caravans and trailers: KITTI's class Misc."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from kins.streets.things.large import GREY, WHITE, WOOD
from kins.streets.things.mesh import GLASS, MATTE, METAL, PAINT, Mesh, box, join, loft, panel, tube
from kins.streets.things.vehicles import BLACK, PLATE, RED_LAMP, WINDOW, paint_color, wheel, wheels


def trailer(rng: Generator) -> Mesh:
    """Things on wheels that are none of the other classes: caravan, box trailer, open trailer with a
    load or tarpaulin, boat trailer."""
    kind = rng.choice(["caravan", "box", "tarp", "open", "boat"], p=[0.35, 0.2, 0.2, 0.12, 0.13])
    rim = np.array([0.4, 0.4, 0.4])
    parts: list[Mesh] = []
    if kind == "caravan":
        length, width, height = rng.uniform(3.8, 4.8), rng.uniform(1.95, 2.15), rng.uniform(2.3, 2.5)
        half, body = width / 2, length - 0.9
        tail, nose = -length / 2, -length / 2 + body
        outline = [
            (tail + 0.10, 0.45),
            (nose - 0.15, 0.45),
            (nose, 0.75),
            (nose - 0.05, 1.3),
            (nose - 0.35, height - 0.15),
            (nose - 0.7, height),
            (tail + 0.6, height),
            (tail + 0.2, height - 0.12),
            (tail, 1.5),
            (tail, 0.7),
        ]
        rings = [np.array([(x, y, z) for x, z in outline]) * (1, 1, 1) for y in (-half, half)]
        parts.append(loft(rings[::-1], WHITE, PAINT))
        stripe = paint_color(rng)
        for s in (-1, 1):
            for a, b, z0, z1, rgb, kind_ in (
                (tail + 0.05, nose - 0.05, 0.95, 1.1, stripe, PAINT),
                (tail + 0.4, tail + 1.2, 1.3, 1.85, WINDOW, GLASS),
                (nose - 1.3, nose - 0.6, 1.3, 1.85, WINDOW, GLASS),
            ):
                y = s * (half + 0.006)
                q = [(a, y, z0), (b, y, z0), (b, y, z1), (a, y, z1)]
                parts.append(panel(q if s < 0 else q[::-1], rgb, kind_))
        parts.append(
            panel(
                [
                    (tail - 0.006, half * 0.7, 1.35),
                    (tail - 0.006, -half * 0.7, 1.35),
                    (tail + 0.06, -half * 0.7, 1.95),
                    (tail + 0.06, half * 0.7, 1.95),
                ],
                WINDOW,
                GLASS,
            )
        )
    else:
        length, width = rng.uniform(2.9, 3.9), rng.uniform(1.45, 1.8)
        half, body = width / 2, length - 1.0
        tail, nose = -length / 2, -length / 2 + body
        bed = 0.55
        parts.append(box((tail, -half, bed - 0.12), (nose, half, bed), GREY, METAL))
        if kind == "box":
            parts.append(
                box(
                    (tail, -half, bed),
                    (nose, half, rng.uniform(1.7, 2.2)),
                    WHITE if rng.random() < 0.6 else paint_color(rng),
                    PAINT,
                    0.05,
                )
            )
        elif kind == "tarp":
            cloth, z = paint_color(rng), rng.uniform(1.3, 1.9)
            parts.append(box((tail, -half, bed), (nose, half, bed + 0.35), (0.45, 0.46, 0.47), METAL))
            parts.append(
                box((tail + 0.02, -half + 0.02, bed + 0.35), (nose - 0.02, half - 0.02, z), cloth, MATTE, 0.15)
            )
        elif kind == "open":
            parts += [
                box((tail, s * half - 0.03, bed), (nose, s * half + 0.03, bed + 0.4), (0.45, 0.46, 0.47), METAL)
                for s in (-1, 1)
            ]
            parts += [
                box((x - 0.03, -half, bed), (x + 0.03, half, bed + 0.4), (0.45, 0.46, 0.47), METAL)
                for x in (tail + 0.03, nose - 0.03)
            ]
            for _ in range(5):
                x, y, w = (
                    rng.uniform(tail + 0.1, nose - 0.8),
                    rng.uniform(-half + 0.1, half - 0.6),
                    rng.uniform(0.3, 0.6),
                )
                parts.append(
                    box(
                        (x, y, bed),
                        (x + w, y + w * 0.8, bed + rng.uniform(0.3, 1.0)),
                        [WOOD, (0.1, 0.2, 0.06), GREY][rng.integers(3)],
                    )
                )
        else:
            hull = []
            for x, w, keel in (
                (tail - 0.2, 0.8, 0.15),
                (tail + 0.6, 0.98, 0.0),
                (tail + body * 0.6, 0.95, 0.0),
                (nose + 0.2, 0.55, 0.2),
                (nose + 0.6, 0.05, 0.45),
            ):
                hull.append(
                    np.array(
                        [
                            (x, 0, bed + 0.1 + keel),
                            (x, half * w * 0.7, bed + 0.3 + keel * 0.6),
                            (x, half * w, bed + 0.85),
                            (x, half * w * 0.8, bed + 0.95),
                            (x, -half * w * 0.8, bed + 0.95),
                            (x, -half * w, bed + 0.85),
                            (x, -half * w * 0.7, bed + 0.3 + keel * 0.6),
                        ]
                    )
                )
            parts.append(loft(hull, WHITE if rng.random() < 0.6 else paint_color(rng), PAINT))
            parts.append(
                panel(
                    [
                        (tail + 0.9, half * 0.6, bed + 1.3),
                        (tail + 0.9, -half * 0.6, bed + 1.3),
                        (tail + 1.2, -half * 0.6, bed + 0.95),
                        (tail + 1.2, half * 0.6, bed + 0.95),
                    ][::-1],
                    WINDOW,
                    GLASS,
                )
            )
    radius = 0.31
    middle = (tail + nose) / 2
    parts += wheels(wheel(radius, 0.18, False, rim), [middle], half + (-0.02 if kind == "caravan" else 0.14))
    if kind != "caravan":
        parts += [
            box(
                (middle - 0.4, min(s * half, s * (half + 0.16)), 0.66),
                (middle + 0.4, max(s * half, s * (half + 0.16)), 0.70),
                BLACK,
                MATTE,
            )
            for s in (-1, 1)
        ]
    parts += [tube([(nose, s * half * 0.6, 0.48), (length / 2, 0, 0.46)], [0.035] * 2, GREY, 6, METAL) for s in (-1, 1)]
    parts.append(tube([(length / 2 - 0.25, 0, 0.0), (length / 2 - 0.25, 0, 0.65)], [0.03] * 2, BLACK, 6))
    for s in (-1, 1):
        a, b = sorted((s * half * 0.65, s * half * 0.95))
        parts.append(box((tail - 0.03, a, bed_lamp := 0.5), (tail + 0.02, b, bed_lamp + 0.13), RED_LAMP, GLASS))
    parts.append(
        panel(
            [
                (tail - 0.02, 0.26, 0.5),
                (tail - 0.02, -0.26, 0.5),
                (tail - 0.02, -0.26, 0.61),
                (tail - 0.02, 0.26, 0.61),
            ],
            PLATE,
        )
    )
    return join(parts)
