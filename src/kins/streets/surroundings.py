"""What stands along a street and is never labelled: houses, trees, hedges, poles, fences, signs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from kins.streets.mesh import (
    GLASS,
    MATTE,
    METAL,
    PAINT,
    TEXTURED,
    Floats,
    Mesh,
    box,
    disc,
    join,
    panel,
    tube,
)  # fmt: skip
from kins.streets.vehicles import BLACK, paint_color

FRAME = (0.62, 0.62, 0.60)
STEEL = (0.22, 0.23, 0.24)
BARK = (0.075, 0.055, 0.04)


def quads(corners: ArrayLike, color: ArrayLike, surface: ArrayLike, scale: float = 0.0) -> Mesh:
    """Many flat panels at once, corners (n, 4, 3); with a scale (metres a repeat) textured upright:
    u along the first edge, v along the second."""
    c = np.asarray(corners, float).reshape(-1, 4, 3)
    n = len(c)
    base = np.arange(n)[:, None] * 4
    faces = np.concatenate([base + (0, 1, 2), base + (0, 2, 3)], 1).reshape(-1, 3)
    uv = None
    if scale:
        along = c[:, :, 0] + c[:, :, 1]
        up = np.where(np.ptp(c[:, :, 2], axis=1)[:, None] > 1e-6, c[:, :, 2], c[:, :, 1])
        uv = np.stack([along, up], -1).reshape(-1, 2) / scale
    rgb = np.asarray(color, float)
    if rgb.ndim == 2:
        rgb = np.repeat(rgb, 2, 0)
    return Mesh(c.reshape(-1, 3), faces, rgb, surface, 2.0, uv)


def _upright(x0: Floats, x1: Floats, z0: Floats, z1: Floats, y: float) -> Floats:
    """Panels in planes y = const that face -y."""
    x0, x1, z0, z1, y_ = np.broadcast_arrays(x0, x1, z0, z1, y)
    corner = [np.stack(c, -1) for c in ((x0, y_, z0), (x1, y_, z0), (x1, y_, z1), (x0, y_, z1))]
    return np.stack(corner, 1)


def _windows(
    x0: Floats,
    x1: Floats,
    z0: Floats,
    z1: Floats,
    near: bool,
    frame: ArrayLike,
    rng: Generator,
    shutters: ArrayLike | None,
) -> list[Mesh]:
    """Recessed windows with frame, two panes and sill in a facade in the plane y = 0."""
    count = len(x0)
    shade = rng.choice([0.012, 0.02, 0.05, 0.25], count, p=[0.5, 0.25, 0.15, 0.1])[:, None] * np.array([1.0, 1.0, 0.95])
    if not near:
        frames, panes = _upright(x0, x1, z0, z1, -0.01), _upright(x0 + 0.09, x1 - 0.09, z0 + 0.09, z1 - 0.09, -0.03)
        return [quads(frames, frame, MATTE), quads(panes, shade, GLASS)]
    d = 0.16
    reveal = [
        np.stack([np.stack(c, -1) for c in four], 1)
        for four in (
            ((x0, 0 * x0, z0), (x0, 0 * x0 + d, z0), (x0, 0 * x0 + d, z1), (x0, 0 * x0, z1)),
            ((x1, 0 * x1 + d, z0), (x1, 0 * x1, z0), (x1, 0 * x1, z1), (x1, 0 * x1 + d, z1)),
            ((x0, 0 * x0, z1), (x0, 0 * x0 + d, z1), (x1, 0 * x1 + d, z1), (x1, 0 * x1, z1)),
        )
    ]
    parts = [quads(np.concatenate(reveal), (0.5, 0.5, 0.48), MATTE)]
    parts.append(quads(_upright(x0, x1, z0, z1, d), frame, MATTE))
    f, mid = 0.07, (x0 + x1) / 2
    panes = np.concatenate(
        [
            _upright(x0 + f, mid - f / 2, z0 + f, z1 - f, d - 0.02),
            _upright(mid + f / 2, x1 - f, z0 + f, z1 - f, d - 0.02),
        ]
    )
    parts.append(quads(panes, np.concatenate([shade, shade]), GLASS))
    sill = _upright(x0 - 0.06, x1 + 0.06, z0 - 0.09, z0, -0.07)
    top = sill.copy()
    top[:, 0], top[:, 1] = sill[:, 3], sill[:, 2]
    top[:, 2], top[:, 3] = sill[:, 2] + (0, 0.25, 0), sill[:, 3] + (0, 0.25, 0)
    parts.append(quads(np.concatenate([sill, top]), (0.45, 0.44, 0.42), MATTE))
    if shutters is not None:
        w = (x1 - x0) * 0.5
        parts.append(
            quads(
                np.concatenate(
                    [_upright(x0 - w, x0 - 0.02, z0, z1, -0.04), _upright(x1 + 0.02, x1 + w, z0, z1, -0.04)]
                ),
                shutters,
                MATTE,
            )
        )
    return parts


def _holed(
    x0: float, x1: float, z0: float, z1: float, a: Floats, b: Floats, low: float, high: float, surface: int
) -> Mesh:
    """Wall strip between z0 and z1 with holes a..b by low..high."""
    edges_left = np.concatenate([[x0], b])
    edges_right = np.concatenate([a, [x1]])
    wall = [
        _upright(np.array([x0]), np.array([x1]), np.array([z0]), np.array([low]), 0.0),
        _upright(np.array([x0]), np.array([x1]), np.array([high]), np.array([z1]), 0.0),
    ]
    wall.append(_upright(edges_left, edges_right, np.full(len(a) + 1, low), np.full(len(a) + 1, high), 0.0))
    return quads(np.concatenate(wall), (0.5, 0.5, 0.5), surface, 3.0)


def house(
    rng: Generator, width: float, depth: float, wall: int, roof: int, town: bool, near: bool = True, sides: bool = False
) -> Mesh:
    """House with its street front in the plane y = 0 (facing -y), from x = 0 to width.

    wall, roof: texture indices; town: several floors, doors and shops on the pavement; near: windows with depth, frames
    and sills rather than flat ones; sides: windows in the side walls too.
    """
    floors = int(rng.integers(3, 6)) if town else int(rng.integers(1, 4))
    ground = rng.uniform(3.0, 4.0) if town else 2.9
    each = rng.uniform(2.7, 3.3)
    shop = town and rng.random() < 0.35
    surface = TEXTURED + wall
    columns = max(2, int(width / rng.uniform(2.0, 3.0)))
    w, h = rng.uniform(0.9, 1.35), rng.uniform(1.3, 1.8)
    pitch = width / columns
    a = pitch * (np.arange(columns) + 0.5) - w / 2
    b = a + w
    shutters = paint_color(rng) if rng.random() < 0.25 and pitch > 2 * w + 0.1 else None
    frame = FRAME if rng.random() < 0.75 else (0.12, 0.08, 0.05)
    parts: list[Mesh] = []
    top = ground
    for _ in range(floors - 1):
        low, high = top + 0.85, min(top + 0.85 + h, top + each - 0.2)
        parts.append(_holed(0, width, top, top + each, a, b, low, high, surface))
        parts += _windows(a, b, np.full(columns, low), np.full(columns, high), near, frame, rng, shutters)
        top += each
    parts += _ground_floor(near, rng, width, ground, a, b, surface, shop, frame)
    if town and rng.random() < 0.5:
        parts.append(box((-0.02, -0.08, ground - 0.12), (width + 0.02, 0.02, ground + 0.06), (0.45, 0.43, 0.4)))
    if town and floors > 3 and rng.random() < 0.35:
        k = int(rng.integers(0, columns))
        for f in range(1, floors - 1):
            z = ground + each * f
            parts.append(box((a[k] - 0.4, -1.0, z - 0.12), (b[k] + 0.4, 0.0, z), (0.4, 0.4, 0.38)))
            xs = np.arange(a[k] - 0.38, b[k] + 0.4, 0.14)
            rails = _upright(xs, xs + 0.03, np.full(len(xs), z), np.full(len(xs), z + 0.95), -0.97)
            parts.append(quads(rails, STEEL, MATTE))
            parts.append(box((a[k] - 0.4, -1.0, z + 0.93), (b[k] + 0.4, -0.95, z + 1.0), STEEL))
    walls = [
        [(0, depth, 0), (0, 0, 0), (0, 0, top), (0, depth, top)],
        [(width, 0, 0), (width, depth, 0), (width, depth, top), (width, 0, top)],
        [(width, depth, 0), (0, depth, 0), (0, depth, top), (width, depth, top)],
    ]
    parts.append(quads(walls, (0.5, 0.5, 0.5), surface, 3.0))
    if sides:
        at = np.arange(1.5, depth - 2.0, rng.uniform(2.4, 3.4))
        for f in range(floors):
            z = (0.0 if f == 0 else ground + each * (f - 1)) + (1.1 if f == 0 else 0.85)
            kept = at[rng.random(len(at)) < 0.75]
            n = len(kept)
            panes = join(_windows(kept, kept + w, np.full(n, z), np.full(n, z + h * 0.9), False, frame, rng, None))
            parts += [panes.moved(0, depth, 0, -np.pi / 2), panes.moved(width, 0, 0, np.pi / 2)]
    parts += _roof(rng, width, depth, top, roof, surface, flat=town and rng.random() < 0.3)
    return join(parts)


def _ground_floor(
    near: bool,
    rng: Generator,
    width: float,
    height: float,
    a: Floats,
    b: Floats,
    surface: int,
    shop: bool,
    frame: ArrayLike,
) -> list[Mesh]:
    parts: list[Mesh] = []
    plinth = np.array([0.2, 0.19, 0.18]) * rng.uniform(0.6, 1.6)
    if shop:
        sign = paint_color(rng)
        n = max(1, int(width / 3.5))
        edge = np.linspace(0.4, width - 0.4, n + 1)
        parts.append(
            quads(
                _upright(np.array([0.0]), np.array([width]), np.array([0.0]), np.array([height]), 0.0),
                (0.5, 0.5, 0.5),
                surface,
                3.0,
            )
        )
        parts.append(box((0.3, -0.06, height - 0.85), (width - 0.3, 0.0, height - 0.25), sign, PAINT))
        glass = rng.choice([0.015, 0.04, 0.1])
        parts.append(
            quads(
                _upright(edge[:-1] + 0.06, edge[1:] - 0.06, np.full(n, 0.35), np.full(n, height - 0.95), -0.03),
                (glass, glass, glass),
                GLASS,
            )
        )
        if rng.random() < 0.5:
            cloth = paint_color(rng)
            z, reach = height - 0.85, 1.2
            parts.append(
                quads(
                    [[(0.3, -reach, z - 0.55), (width - 0.3, -reach, z - 0.55), (width - 0.3, 0, z), (0.3, 0, z)]],
                    cloth,
                    MATTE,
                )
            )
            parts.append(
                quads(
                    [
                        [
                            (0.3, -reach, z - 0.75),
                            (width - 0.3, -reach, z - 0.75),
                            (width - 0.3, -reach, z - 0.55),
                            (0.3, -reach, z - 0.55),
                        ]
                    ],
                    cloth,
                    MATTE,
                )
            )
        return parts
    low, high = 1.1, min(height - 0.4, 2.6)
    door = int(rng.integers(0, len(a)))
    keep = np.arange(len(a)) != door
    parts.append(_holed(0, width, 0, height, a[keep], b[keep], low, high, surface))
    n = int(keep.sum())
    if n:
        parts += _windows(a[keep], b[keep], np.full(n, low), np.full(n, high), near, frame, rng, None)
    color = paint_color(rng) if rng.random() < 0.6 else (0.10, 0.06, 0.035)
    parts.append(box((a[door] - 0.1, -0.03, 0.0), (b[door] + 0.1, 0.02, 2.3), frame))
    parts.append(box((a[door], -0.05, 0.12), (b[door], 0.0, 2.2), color, PAINT))
    parts.append(box((a[door] - 0.25, -0.4, 0.0), (b[door] + 0.25, 0.0, 0.14), (0.35, 0.34, 0.32)))
    parts.append(
        quads(
            _upright(
                np.array([0.0, b[door] + 0.1]), np.array([a[door] - 0.1, width]), np.zeros(2), np.full(2, 0.55), -0.015
            ),
            plinth,
            MATTE,
        )
    )
    return parts


def _roof(rng: Generator, width: float, depth: float, top: float, roof: int, wall: int, flat: bool) -> list[Mesh]:
    if flat:
        edge = box((-0.1, -0.15, top), (width + 0.1, depth, top + 0.35), (0.4, 0.39, 0.37))
        return [edge]
    over, rise = 0.45, depth / 2 * rng.uniform(0.6, 1.1)
    ridge = top + rise
    drop = rise * over / (depth / 2)
    mid = depth / 2
    slopes = [
        [(-0.1, -over, top - drop), (width + 0.1, -over, top - drop), (width + 0.1, mid, ridge), (-0.1, mid, ridge)],
        [
            (width + 0.1, depth + over, top - drop),
            (-0.1, depth + over, top - drop),
            (-0.1, mid, ridge),
            (width + 0.1, mid, ridge),
        ],
    ]
    parts = [quads(slopes, (0.5, 0.5, 0.5), TEXTURED + roof, 4.0)]
    parts.append(
        quads(
            [
                [
                    (-0.1, -over, top - drop - 0.15),
                    (width + 0.1, -over, top - drop - 0.15),
                    (width + 0.1, -over, top - drop),
                    (-0.1, -over, top - drop),
                ]
            ],
            (0.3, 0.3, 0.3),
            MATTE,
        )
    )
    gables = [
        [(0, depth, top), (0, 0, top), (0, mid, ridge), (0, mid, ridge)],
        [(width, 0, top), (width, depth, top), (width, mid, ridge), (width, mid, ridge)],
    ]
    parts.append(quads(gables, (0.5, 0.5, 0.5), wall, 3.0))
    slope = rise / mid
    for x in np.arange(1.5, width - 2, 3.2):
        if rng.random() < 0.45:
            y0 = mid * 0.25
            z0 = top + slope * y0
            parts.append(box((x, y0, z0 - 0.3), (x + 1.2, mid * 0.9, z0 + 1.3), (0.3, 0.28, 0.26)))
            parts.append(
                panel(
                    [
                        (x + 0.15, y0 - 0.01, z0 + 0.15),
                        (x + 1.05, y0 - 0.01, z0 + 0.15),
                        (x + 1.05, y0 - 0.01, z0 + 1.1),
                        (x + 0.15, y0 - 0.01, z0 + 1.1),
                    ],
                    (0.015, 0.015, 0.018),
                    GLASS,
                )
            )
    if rng.random() < 0.7:
        x = rng.uniform(0.5, width - 1.2)
        parts.append(box((x, mid - 0.3, ridge - 0.8), (x + 0.7, mid + 0.3, ridge + 0.9), (0.25, 0.12, 0.08)))
    return parts


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
    bars = [_upright(x, x + w, np.full(len(x), 0.05), np.full(len(x), h), v) for v in y]
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


def far_green(rng: Generator, centers: Floats, size: float, green: Floats) -> Mesh:
    """Clump of trees so far away that few large leaves do."""
    return _leaves(rng, centers, np.full(len(centers), size * 0.5), 350, size * 0.085, green)
