"""Houses with windows, doors, shops, balconies and roofs."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kins.streets.things.mesh import GLASS, MATTE, PAINT, TEXTURED, Floats, Mesh, box, join, panel
from kins.streets.things.vehicles import paint_color

FRAME = (0.62, 0.62, 0.60)
STEEL = (0.22, 0.23, 0.24)


def quads(corners: ArrayLike, color: ArrayLike, surface: ArrayLike, scale: float = 0.0) -> Mesh:
    """Many flat panels at once, corners (n, 4, 3); with a scale (metres a repeat) textured upright:
    u along the first edge, v along the second."""
    c = np.asarray(corners, float).reshape(-1, 4, 3)
    n = len(c)
    faces = _quad_faces(n)
    uv = None
    if scale:
        along = c[:, :, 0] + c[:, :, 1]
        up = np.where(np.ptp(c[:, :, 2], axis=1)[:, None] > 1e-6, c[:, :, 2], c[:, :, 1])
        uv = np.stack([along, up], -1).reshape(-1, 2) / scale
    rgb = np.asarray(color, float)
    if rgb.ndim == 2:
        rgb = np.repeat(rgb, 2, 0)
    return Mesh(c.reshape(-1, 3), faces, rgb, surface, 2.0, uv)


@cache
def _quad_faces(count: int) -> NDArray[np.int64]:
    faces = (np.arange(count)[:, None, None] * 4 + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    faces.flags.writeable = False
    return faces


def upright(x0: Floats, x1: Floats, z0: Floats, z1: Floats, y: float) -> Floats:
    """Panels in planes y = const that face -y."""
    out = np.empty((len(x0), 4, 3))
    out[:, (0, 3), 0] = x0[:, None]
    out[:, (1, 2), 0] = x1[:, None]
    out[:, :, 1] = y
    out[:, :2, 2] = z0[:, None]
    out[:, 2:, 2] = z1[:, None]
    return out


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
        frames, panes = upright(x0, x1, z0, z1, -0.01), upright(x0 + 0.09, x1 - 0.09, z0 + 0.09, z1 - 0.09, -0.03)
        return [quads(frames, frame, MATTE), quads(panes, shade, GLASS)]
    d = 0.16
    reveal = np.empty((3, count, 4, 3))  # left, right and upper side of the hole
    reveal[0], reveal[1], reveal[2] = upright(x0, x0, z0, z1, 0), upright(x1, x1, z0, z1, 0), upright(x0, x1, z1, z1, 0)
    reveal[0, :, 1:3, 1] = reveal[1, :, 0::3, 1] = reveal[2, :, 1:3, 1] = d
    reveal[2, :, 1, 0], reveal[2, :, 3, 0] = x0, x1
    parts = [quads(reveal, (0.5, 0.5, 0.48), MATTE)]
    parts.append(quads(upright(x0, x1, z0, z1, d), frame, MATTE))
    f, mid = 0.07, (x0 + x1) / 2
    panes = np.concatenate(
        [
            upright(x0 + f, mid - f / 2, z0 + f, z1 - f, d - 0.02),
            upright(mid + f / 2, x1 - f, z0 + f, z1 - f, d - 0.02),
        ]
    )
    parts.append(quads(panes, np.concatenate([shade, shade]), GLASS))
    sill = upright(x0 - 0.06, x1 + 0.06, z0 - 0.09, z0, -0.07)
    top = sill.copy()
    top[:, 0], top[:, 1] = sill[:, 3], sill[:, 2]
    top[:, 2], top[:, 3] = sill[:, 2] + (0, 0.25, 0), sill[:, 3] + (0, 0.25, 0)
    parts.append(quads(np.concatenate([sill, top]), (0.45, 0.44, 0.42), MATTE))
    if shutters is not None:
        w = (x1 - x0) * 0.5
        parts.append(
            quads(
                np.concatenate([upright(x0 - w, x0 - 0.02, z0, z1, -0.04), upright(x1 + 0.02, x1 + w, z0, z1, -0.04)]),
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
        upright(np.array([x0]), np.array([x1]), np.array([z0]), np.array([low]), 0.0),
        upright(np.array([x0]), np.array([x1]), np.array([high]), np.array([z1]), 0.0),
    ]
    wall.append(upright(edges_left, edges_right, np.full(len(a) + 1, low), np.full(len(a) + 1, high), 0.0))
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
            rails = upright(xs, xs + 0.03, np.full(len(xs), z), np.full(len(xs), z + 0.95), -0.97)
            parts.append(quads(rails, STEEL, MATTE))
            parts.append(box((a[k] - 0.4, -1.0, z + 0.93), (b[k] + 0.4, -0.95, z + 1.0), STEEL))
    walls: list[list[tuple[float, float, float]]] = [
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
    plinth = np.array([0.2, 0.19, 0.18]) * rng.uniform(0.6, 1.6)
    if shop:
        return _shop(rng, width, height, surface)
    parts: list[Mesh] = []
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
    left, right = np.array([0.0, b[door] + 0.1]), np.array([a[door] - 0.1, width])
    parts.append(quads(upright(left, right, np.zeros(2), np.full(2, 0.55), -0.015), plinth, MATTE))
    return parts


def _shop(rng: Generator, width: float, height: float, surface: int) -> list[Mesh]:
    """Wall, sign, panes of glass, and perhaps an awning."""
    sign = paint_color(rng)
    n = max(1, int(width / 3.5))
    edge = np.linspace(0.4, width - 0.4, n + 1)
    wall = upright(np.array([0.0]), np.array([width]), np.array([0.0]), np.array([height]), 0.0)
    parts = [quads(wall, (0.5, 0.5, 0.5), surface, 3.0)]
    parts.append(box((0.3, -0.06, height - 0.85), (width - 0.3, 0.0, height - 0.25), sign, PAINT))
    glass = rng.choice([0.015, 0.04, 0.1])
    panes = upright(edge[:-1] + 0.06, edge[1:] - 0.06, np.full(n, 0.35), np.full(n, height - 0.95), -0.03)
    parts.append(quads(panes, (glass, glass, glass), GLASS))
    if rng.random() < 0.5:
        cloth = paint_color(rng)
        left, right, y = 0.3, width - 0.3, -1.2
        low, fold, z = height - 0.85 - 0.75, height - 0.85 - 0.55, height - 0.85
        parts.append(quads([[(left, y, fold), (right, y, fold), (right, 0, z), (left, 0, z)]], cloth, MATTE))
        parts.append(quads([[(left, y, low), (right, y, low), (right, y, fold), (left, y, fold)]], cloth, MATTE))
    return parts


def _roof(rng: Generator, width: float, depth: float, top: float, roof: int, wall: int, flat: bool) -> list[Mesh]:
    if flat:
        edge = box((-0.1, -0.15, top), (width + 0.1, depth, top + 0.35), (0.4, 0.39, 0.37))
        return [edge]
    over, rise, mid = 0.45, depth / 2 * rng.uniform(0.6, 1.1), depth / 2
    ridge = top + rise
    eaves = top - rise * over / mid
    left, right, back = -0.1, width + 0.1, depth + over
    slopes = [
        [(left, -over, eaves), (right, -over, eaves), (right, mid, ridge), (left, mid, ridge)],
        [(right, back, eaves), (left, back, eaves), (left, mid, ridge), (right, mid, ridge)],
    ]
    board = [(left, -over, eaves - 0.15), (right, -over, eaves - 0.15), (right, -over, eaves), (left, -over, eaves)]
    gables: list[list[tuple[float, float, float]]] = [
        [(0, depth, top), (0, 0, top), (0, mid, ridge), (0, mid, ridge)],
        [(width, 0, top), (width, depth, top), (width, mid, ridge), (width, mid, ridge)],
    ]
    parts = [
        quads(slopes, (0.5, 0.5, 0.5), TEXTURED + roof, 4.0),
        quads([board], (0.3, 0.3, 0.3), MATTE),
        quads(gables, (0.5, 0.5, 0.5), wall, 3.0),
    ]
    for x in np.arange(1.5, width - 2, 3.2):
        if rng.random() < 0.45:
            parts += _dormer(x, mid * 0.25, mid * 0.9, top + rise / mid * (mid * 0.25))
    if rng.random() < 0.7:
        x = rng.uniform(0.5, width - 1.2)
        parts.append(box((x, mid - 0.3, ridge - 0.8), (x + 0.7, mid + 0.3, ridge + 0.9), (0.25, 0.12, 0.08)))
    return parts


def _dormer(x: float, front: float, back: float, z: float) -> list[Mesh]:
    y, low, high = front - 0.01, z + 0.15, z + 1.1
    pane = [(x + 0.15, y, low), (x + 1.05, y, low), (x + 1.05, y, high), (x + 0.15, y, high)]
    return [
        box((x, front, z - 0.3), (x + 1.2, back, z + 1.3), (0.3, 0.28, 0.26)),
        panel(pane, (0.015, 0.015, 0.018), GLASS),
    ]
