"""What stands along a street and is never labelled: trees, hedges, poles, fences, signs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from kins.streets.things.houses import STEEL, quads, upright
from kins.streets.things.mesh import MATTE, METAL, Floats, Mesh, box, disc, join, tube
from kins.streets.things.vehicles import BLACK, paint_color

BARK = (0.075, 0.055, 0.04)


def _leaves(rng: Generator, centers: Floats, radii: Floats, count: int, size: float, green: Floats) -> Mesh:
    """Triangles scattered over the shells of balls; shading follows the balls, so that crowns look round."""
    which = rng.integers(0, len(centers), count)
    out = rng.normal(size=(count, 3))
    out /= np.sqrt((out * out).sum(1, keepdims=True))
    spot = centers[which] + out * (radii[which] * rng.uniform(0.55, 1.05, count) ** 0.6)[:, None] * (1, 1, 0.85)
    u, v = rng.normal(size=(2, count, 3))
    u /= np.sqrt((u * u).sum(1, keepdims=True))
    v -= u * (u * v).sum(1, keepdims=True)
    v /= np.sqrt((v * v).sum(1, keepdims=True))
    big = size * rng.uniform(0.7, 1.4, (count, 1))
    corners = spot[:, None] + np.stack([u * 1.15, v - u * 0.55, -v - u * 0.55], 1) * big[:, None]
    normals = out + rng.normal(size=(count, 3)) * 0.45 + (0, 0, 0.25)
    normals /= np.sqrt((normals * normals).sum(1, keepdims=True))
    shade = rng.uniform(0.55, 1.35, count) * (0.8 + 0.25 * out[:, 2])
    colors = green * shade[:, None] * (1 + rng.normal(0, 0.06, (count, 3)))
    faces = np.arange(3 * count).reshape(-1, 3)
    return Mesh(corners.reshape(-1, 3), faces, np.clip(colors, 0.004, 0.8), MATTE, normals=np.repeat(normals, 3, 0))


def leaf_color(rng: Generator) -> Floats:
    """One season's green for a whole scene; each tree varies around it."""
    greens = np.array(
        [[0.07, 0.12, 0.03], [0.09, 0.13, 0.035], [0.045, 0.085, 0.03], [0.17, 0.16, 0.03], [0.28, 0.16, 0.03]]
    )
    return np.asarray(greens[rng.choice(5, p=[0.35, 0.25, 0.2, 0.12, 0.08])])


def tree(rng: Generator, green: Floats, leaves: int = 1300) -> Mesh:
    """Trunk, boughs, and a crown of so many leaves, which are the larger the fewer they are."""
    height = rng.uniform(6.0, 11.0)
    clear = rng.uniform(2.6, 3.3)
    thick = rng.uniform(0.10, 0.22)
    lean = rng.normal(0, 0.12, 2)
    trunk = tube(
        [(0, 0, 0), (lean[0] * 0.3, lean[1] * 0.3, clear * 0.6), (lean[0], lean[1], height * 0.62)],
        [thick * 1.15, thick, thick * 0.45],
        BARK,
        8,
    )
    wide = rng.uniform(1.3, 2.6)
    tall = (height - clear) / 2
    balls = int(rng.integers(6, 11))
    around = rng.normal(size=(balls, 3))
    around /= np.sqrt((around * around).sum(1, keepdims=True))
    centers = around * (wide * 0.62, wide * 0.62, tall * 0.62) + (lean[0], lean[1], clear + tall)
    radii = rng.uniform(0.5, 0.75, balls) * min(wide, tall)
    tint = green * rng.uniform(0.7, 1.3) * (1 + rng.normal(0, 0.08, 3))
    crown = _leaves(rng, centers, radii, leaves, 0.135 * np.sqrt(wide * tall / 4) * np.sqrt(2000 / leaves), tint)
    boughs = [
        tube(
            [(lean[0] * 0.6, lean[1] * 0.6, clear * 0.9), c * 0.6 + np.array([lean[0], lean[1], clear + tall]) * 0.4],
            [thick * 0.5, thick * 0.2],
            BARK,
            5,
        )
        for c in centers[:4]
    ]
    return join([trunk, *boughs, crown])


def bush(rng: Generator, green: Floats, length: float = 2.0, height: float = 1.2, leaves: int = 500) -> Mesh:
    n = max(1, int(length / 0.8))
    centers = np.column_stack(
        [np.linspace(-length / 2 + 0.3, length / 2 - 0.3, n), rng.normal(0, 0.06, n), np.full(n, height * 0.5)]
    )
    radii = np.full(n, 0.55 * height) * rng.uniform(0.9, 1.1, n)
    tint = green * rng.uniform(0.6, 1.1)
    core = box((-length / 2 + 0.15, -0.3, 0), (length / 2 - 0.15, 0.3, height * 0.85), tint * 0.45, MATTE, 0.2)
    return join([core, _leaves(rng, centers, radii, leaves, 0.10 * np.sqrt(120 * length / leaves), tint)])


def lamp_post(rng: Generator) -> Mesh:
    """Arm along +x."""
    h, reach = rng.uniform(6, 8.5), rng.uniform(0.8, 1.8)
    color = STEEL if rng.random() < 0.6 else (0.05, 0.07, 0.06)
    pole = tube(
        [(0, 0, 0), (0, 0, 1.1), (0, 0, 1.12), (0, 0, h * 0.95), (reach * 0.3, 0, h), (reach, 0, h + 0.05)],
        [0.09, 0.09, 0.065, 0.05, 0.045, 0.04],
        color,
        8,
    )
    head = box((reach - 0.1, -0.12, h), (reach + 0.5, 0.12, h + 0.12), (0.5, 0.5, 0.5), METAL, 0.04)
    return join([pole, head])


def sign_post(rng: Generator) -> Mesh:
    """Road sign facing -x."""
    h = rng.uniform(2.1, 2.6)
    parts = [tube([(0, 0, 0), (0, 0, h + 0.5)], [0.03] * 2, (0.4, 0.41, 0.42), 6, METAL)]
    kind = rng.integers(0, 4)
    red, blue, white, yellow = (0.55, 0.02, 0.02), (0.02, 0.09, 0.45), (0.75, 0.75, 0.75), (0.7, 0.5, 0.02)
    x = -0.045
    if kind == 0:
        parts += [
            disc((0, 0, 0), 0, 0.31, 18, red).scaled(-1, 1, 1).moved(x, 0, h),
            disc((0, 0, 0), 0, 0.23, 18, white).scaled(-1, 1, 1).moved(x - 0.005, 0, h),
        ]
    elif kind == 1:
        parts += [
            disc((0, 0, 0), 0, 0.31, 18, blue).scaled(-1, 1, 1).moved(x, 0, h),
            box((x - 0.01, -0.04, h - 0.2), (x - 0.005, 0.04, h + 0.2), white),
        ]
    elif kind == 2:
        for r, c, d in ((0.45, red, 0.0), (0.30, white, 0.006)):
            tri = [(x - d, r * np.sin(t), h + r * np.cos(t)) for t in (0, 2.1, 4.19)]
            parts.append(Mesh(np.array(tri), np.array([[0, 1, 2]]), c))
    else:
        parts.append(box((x - 0.005, -0.3, h - 0.3), (x, 0.3, h + 0.3), blue if rng.random() < 0.6 else yellow))
        parts.append(box((x - 0.01, -0.18, h - 0.18), (x - 0.005, 0.18, h + 0.18), white))
    parts.append(box((x + 0.005, -0.02, h - 0.3), (x + 0.04, 0.02, h + 0.3), STEEL))
    return join(parts)


def traffic_light(rng: Generator) -> Mesh:
    """Facing -x."""
    parts = [
        tube([(0, 0, 0), (0, 0, 3.4)], [0.055] * 2, STEEL, 8),
        box((-0.16, -0.15, 2.3), (0.1, 0.15, 3.25), BLACK, MATTE, 0.03),
    ]
    lit = int(rng.integers(0, 3))
    for k, c in enumerate([(0.7, 0.02, 0.02), (0.8, 0.35, 0.02), (0.02, 0.6, 0.15)]):
        parts.append(
            disc((0, 0, 0), 0, 0.10, 12, np.multiply(c, 1.0 if k == lit else 0.08))
            .scaled(-1, 1, 1)
            .moved(-0.17, 0, 3.08 - 0.3 * k)
        )
    return join(parts)


def fence(rng: Generator, length: float) -> Mesh:
    """Bars or boards along x, centred."""
    h = rng.uniform(0.9, 1.3)
    x = np.arange(-length / 2, length / 2, 0.13)
    color = np.array([STEEL, (0.03, 0.05, 0.04), (0.2, 0.12, 0.06), (0.6, 0.6, 0.6)][rng.integers(4)])
    w = 0.022 if rng.random() < 0.6 else 0.09
    y = np.array([-0.012, 0.012])
    bars = [upright(x, x + w, np.full(len(x), 0.05), np.full(len(x), h), v) for v in y]
    rails = [box((-length / 2, -0.025, z), (length / 2, 0.025, z + 0.05), color) for z in (0.2, h - 0.12)]
    posts = [
        box((p - 0.035, -0.035, 0), (p + 0.035, 0.035, h + 0.06), color)
        for p in np.linspace(-length / 2, length / 2, max(2, int(length / 2.2)))
    ]
    return join([quads(np.concatenate(bars), color, MATTE), *rails, *posts])


def bollard(rng: Generator) -> Mesh:
    top = (0.6, 0.6, 0.6) if rng.random() < 0.5 else (0.5, 0.03, 0.03)
    return join(
        [
            tube([(0, 0, 0), (0, 0, 0.75)], [0.06] * 2, STEEL, 8),
            tube([(0, 0, 0.75), (0, 0, 0.95), (0, 0, 1.0)], [0.062, 0.062, 0.03], top, 8),
        ]
    )


def bin_(rng: Generator) -> Mesh:
    color = [(0.03, 0.03, 0.03), (0.02, 0.06, 0.2), (0.3, 0.22, 0.02), (0.02, 0.08, 0.03)][rng.integers(4)]
    return join(
        [
            box((-0.3, -0.28, 0.06), (0.3, 0.28, 1.0), color, MATTE, 0.04),
            box((-0.34, -0.3, 0.98), (0.34, 0.3, 1.07), color, MATTE, 0.03),
        ]
    )


def advertising_column(rng: Generator) -> Mesh:
    parts = [
        tube(
            [(0, 0, 0), (0, 0, 0.4), (0, 0, 2.7), (0, 0, 2.75), (0, 0, 3.05)],
            [0.62, 0.6, 0.6, 0.72, 0.2],
            (0.3, 0.3, 0.28),
            16,
        )
    ]
    for a in np.arange(6) * np.pi / 3:
        poster = box((0.605, -0.28, 0.7), (0.615, 0.28, rng.uniform(1.6, 2.5)), paint_color(rng))
        parts.append(poster.moved(yaw=float(a)))
    return join(parts)


def strips(points: Sequence[ArrayLike], color: ArrayLike, surface: int, scale: float = 0.0) -> Mesh:
    """Ground between a left and a right line: points = (left (n, 3), right (n, 3))."""
    left, right = (np.asarray(p, float) for p in points)
    c = np.stack([right[:-1], right[1:], left[1:], left[:-1]], 1)
    n = len(c)
    base = np.arange(n)[:, None] * 4
    faces = np.concatenate([base + (0, 1, 2), base + (0, 2, 3)], 1).reshape(-1, 3)
    uv = c[:, :, :2].reshape(-1, 2) / scale if scale else None
    return Mesh(c.reshape(-1, 3), faces, color, surface, 2.0, uv)


def far_green(rng: Generator, centers: Floats, size: float, green: Floats, leaves: int = 350) -> Mesh:
    """Clump of trees so far away that few large leaves do."""
    leaf = size * 0.085 * np.sqrt(350 / leaves)
    return _leaves(rng, centers, np.full(len(centers), size * 0.5), leaves, leaf, green)
