"""Triangle meshes, and the few ways of making them that street objects need.

Object frame: x forward, y left, z up, metres, origin on the ground below the object's middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

# What a triangle is made of. From TEXTURED on, `surface - TEXTURED` is the index of a texture.
MATTE, PAINT, GLASS, METAL, TEXTURED = 0, 1, 2, 3, 8


@dataclass(frozen=True)
class Mesh:
    """Triangles with shared vertices.

    vertices: (n, 3); faces: (m, 3) indices of vertices; color: (m, 3) linear RGB, or (3,) for all; surface: (m,), or
    one for all; crease: (m,), or one for all: the mesh is shaded smooth across edges where the cosine between a face
    and its smoothed neighbourhood is above it. uv: (n, 2), read by textured surfaces only. normals: (n, 3), used as
    they are instead of deriving them.
    """

    vertices: Floats
    faces: Ints
    color: ArrayLike = (0.5, 0.5, 0.5)
    surface: ArrayLike = MATTE
    crease: ArrayLike = 0.7
    uv: Floats | None = None
    normals: Floats | None = None

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def points(self) -> Floats:
        """(m, 3 corners, 3)"""
        return self.vertices[self.faces]

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """Turned by `yaw` (radians, counter-clockwise seen from above), then shifted."""
        if yaw == 0.0:
            return replace(self, vertices=self.vertices + (x, y, z))
        c, s = np.cos(yaw), np.sin(yaw)
        turned = self.rotated([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        return replace(turned, vertices=turned.vertices + (x, y, z))

    def rotated(self, matrix: ArrayLike) -> Mesh:
        """Turned about the origin by a (3, 3) rotation matrix."""
        turn = np.asarray(matrix).T
        normals = None if self.normals is None else self.normals @ turn
        return replace(self, vertices=self.vertices @ turn, normals=normals)

    def scaled(self, x: float, y: float, z: float) -> Mesh:
        """Stretched along the axes, negative factors mirror."""
        faces = self.faces if x * y * z > 0 else self.faces[:, ::-1]
        return replace(self, vertices=self.vertices * (x, y, z), faces=faces)

    def bounds(self) -> tuple[Floats, Floats]:
        """Smallest and largest x, y, z."""
        return self.vertices.min(0), self.vertices.max(0)

    @property
    def length(self) -> float:
        """Extent along x."""
        return float(np.ptp(self.vertices[:, 0]))

    @property
    def width(self) -> float:
        """Extent along y."""
        return float(np.ptp(self.vertices[:, 1]))

    def corner_normals(self) -> NDArray[np.float32]:
        """(m, 3 corners, 3) unit normals, smooth but for creases."""
        points = self.points
        cross = _cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        corner = self.faces.ravel()
        count = len(self.vertices)
        parts = [np.bincount(corner, np.repeat(cross[:, k], 3), count) for k in range(3)]
        summed: Floats = np.stack(parts, -1).astype(float)
        smooth = _unit(summed).astype(np.float32).take(self.faces, 0)
        flat = _unit(cross).astype(np.float32)
        sharp = np.einsum("ijk,ik->ij", smooth, flat) < np.broadcast_to(self.crease, len(self.faces))[:, None]
        normals = np.where(sharp[..., None], flat[:, None], smooth)
        if self.normals is not None:
            given = self.normals.astype(np.float32).take(self.faces, 0)
            normals = np.where(np.isnan(given), normals, given)
        return normals


def join(meshes: Sequence[Mesh]) -> Mesh:
    """All of them in one, none welded to another."""
    if not meshes:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    sizes = [len(m.vertices) for m in meshes]
    counts = [len(m.faces) for m in meshes]
    starts = np.cumsum([0, *sizes[:-1]])
    has_uv = any(m.uv is not None for m in meshes)
    has_normals = any(m.normals is not None for m in meshes)
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=True)]),
        _colors(meshes, np.array(counts)),
        _each([m.surface for m in meshes], counts, np.uint8),
        _each([m.crease for m in meshes], counts, float),
        np.concatenate([np.zeros((n, 2)) if m.uv is None else m.uv for m, n in zip(meshes, sizes, strict=True)])
        if has_uv
        else None,
        np.concatenate(
            [np.full((n, 3), np.nan) if m.normals is None else m.normals for m, n in zip(meshes, sizes, strict=True)]
        )
        if has_normals
        else None,
    )


def _each(values: Sequence[ArrayLike], counts: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """(sum of counts,) values of all faces, given as one for each mesh or one for each of its faces."""
    if all(np.ndim(v) == 0 for v in values):
        return np.repeat(np.array(values, dtype), counts)
    out = np.empty(sum(counts), dtype)
    end = 0
    for value, count in zip(values, counts, strict=True):
        out[end : end + count] = value
        end += count
    return out


def _colors(meshes: Sequence[Mesh], counts: NDArray[np.int64]) -> Floats:
    if all(np.ndim(m.color) == 1 for m in meshes):
        return np.repeat(np.array([m.color for m in meshes], float), counts, 0)
    out = np.empty((int(counts.sum()), 3))
    end = 0
    for m, count in zip(meshes, counts, strict=True):
        out[end : end + count] = m.color
        end += count
    return out


def _cross(a: Floats, b: Floats) -> Floats:
    out = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[:, i] = a[:, j] * b[:, k] - a[:, k] * b[:, j]
    return out


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    return vectors / np.maximum(length, 1e-12)


@cache
def grid_faces(rows: int, columns: int, closed: bool = False) -> NDArray[np.int64]:
    """Two triangles for every cell of a (rows, columns) grid of vertices; `closed` joins the last column
    to the first. Cell (r, c) has the triangles 2 * (r * cells + c) and the next. One array for all: read only."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    n = (c + 1) % columns
    a, b, d, e = r * columns + c, r * columns + n, (r + 1) * columns + n, (r + 1) * columns + c
    faces = np.stack([np.stack([a, b, d], -1), np.stack([a, d, e], -1)], 2).reshape(-1, 3)
    faces.flags.writeable = False
    return faces


@cache
def _capped_faces(rows: int, columns: int) -> NDArray[np.int64]:
    """Those of a closed grid, and fans from the first and last ring to the two vertices that follow the grid's."""
    c = np.arange(columns)
    d = (c + 1) % columns
    n, top = rows * columns, (rows - 1) * columns
    first = np.stack([d, c, np.full(columns, n)], -1)
    last = np.stack([top + c, top + d, np.full(columns, n + 1)], -1)
    faces = np.concatenate([grid_faces(rows, columns, closed=True), first, last])
    faces.flags.writeable = False
    return faces


def box(low: ArrayLike, high: ArrayLike, color: ArrayLike, surface: int = MATTE, bevel: float = 0.0) -> Mesh:
    """Axis-parallel box; with a bevel (metres) its upright and upper edges are rounded off."""
    lo, hi = np.asarray(low, float), np.asarray(high, float)
    if bevel <= 0.0:
        return Mesh(lo + _CORNERS * (hi - lo), _BOX, color, surface)
    b = min(bevel, *(hi - lo) * 0.49)
    plan = _rounded_rectangle(lo[0], hi[0], lo[1], hi[1], b)
    middle = (lo[:2] + hi[:2]) / 2
    shrink = (hi[:2] - lo[:2] - 2 * b) / np.maximum(hi[:2] - lo[:2], 1e-9)
    mid = middle + (plan - middle) * (1 - (1 - shrink) * 0.3)
    top = middle + (plan - middle) * shrink
    rings = [
        np.column_stack([plan, np.full(len(plan), lo[2])]),
        np.column_stack([plan, np.full(len(plan), hi[2] - b)]),
        np.column_stack([mid, np.full(len(plan), hi[2] - b * 0.3)]),
        np.column_stack([top, np.full(len(plan), hi[2])]),
    ]
    return loft(rings, color, surface, caps=True, crease=0.93)


_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
_BOX = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def _rounded_rectangle(x0: float, x1: float, y0: float, y1: float, radius: float) -> Floats:
    """Plan outline, counter-clockwise, three points a corner."""
    angles = np.array([0.0, 0.25, 0.5]) * np.pi
    parts = []
    for k, (cx, cy) in enumerate(((x1, y1), (x0, y1), (x0, y0), (x1, y0))):
        sx, sy = (-1 if cx == x1 else 1), (-1 if cy == y1 else 1)
        turn = angles + k * np.pi / 2
        center = np.array([cx + sx * radius, cy + sy * radius])
        parts.append(center + radius * np.column_stack([np.cos(turn), np.sin(turn)]))
    return np.concatenate(parts)


def loft(
    rings: Sequence[Floats] | Floats,
    color: ArrayLike,
    surface: int = MATTE,
    caps: bool = True,
    crease: float = 0.7,
) -> Mesh:
    """Skin over closed rings of as many points each, (k, 3), listed counter-clockwise about the direction
    in which the rings follow one another."""
    stack = np.asarray(rings)
    rows, columns = stack.shape[:2]
    vertices = stack.reshape(-1, 3)
    if not caps:
        return Mesh(vertices, grid_faces(rows, columns, closed=True), color, surface, crease)
    vertices = np.concatenate([vertices, stack[[0, -1]].mean(1)])
    return Mesh(vertices, _capped_faces(rows, columns), color, surface, crease)


def tube(path: ArrayLike, radii: ArrayLike, color: ArrayLike, sides: int = 8, surface: int = MATTE) -> Mesh:
    """Round tube through the points of `path` (n, 3); radii (n,), or (n, 2) for elliptic ones (first
    radius across, second fore and aft)."""
    points = np.asarray(path, float)
    r = np.asarray(radii, float).reshape(len(points), -1)
    along = np.gradient(points, axis=0) if len(points) > 2 else np.repeat(points[1:] - points[:1], 2, 0)
    along = _unit(along)
    side = np.array([0.0, 1.0, 0.0]) if abs(along[:, 1]).max() < 0.9 else np.array([1.0, 0.0, 0.0])
    across = _unit(side - along * (along @ side)[:, None])
    other = _cross(along, across)
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = (
        points[:, None]
        + across[:, None] * (np.cos(angle)[None, :, None] * r[:, 0, None, None])
        + other[:, None] * (np.sin(angle)[None, :, None] * r[:, -1, None, None])
    )
    return loft(ring, color, surface)


def ellipsoid(center: ArrayLike, radii: ArrayLike, color: ArrayLike, sides: int = 10, surface: int = MATTE) -> Mesh:
    unit = _unit_ball(sides)
    return replace(
        unit,
        vertices=unit.vertices * np.asarray(radii, float) + np.asarray(center, float),
        color=color,
        surface=surface,
    )


@cache
def _unit_ball(sides: int) -> Mesh:
    lat = np.linspace(-np.pi / 2, np.pi / 2, max(5, sides // 2 + 2))
    z = np.sin(lat)
    path = np.column_stack([np.zeros_like(z), np.zeros_like(z), z])
    return tube(path, np.maximum(np.cos(lat), 0.02), (0.5, 0.5, 0.5), sides)


def disc(center: ArrayLike, axis: int, radius: float, sides: int, color: ArrayLike, surface: int = MATTE) -> Mesh:
    """Flat disc facing along +-axis (0, 1, 2); color (3,) or (sides, 3) for a pie of colours."""
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.zeros((sides + 1, 3))
    ring[:sides, (axis + 1) % 3] = np.cos(angle) * radius
    ring[:sides, (axis + 2) % 3] = np.sin(angle) * radius
    c = np.arange(sides)
    faces = np.stack([c, (c + 1) % sides, np.full(sides, sides)], -1)
    return Mesh(ring + np.asarray(center, float), faces, color, surface)


def panel(corners: ArrayLike, color: ArrayLike, surface: int = MATTE, uv: ArrayLike | None = None) -> Mesh:
    """Flat four-cornered panel, corners (4, 3) counter-clockwise seen from its front."""
    texture = None if uv is None else np.asarray(uv, float)
    return Mesh(np.asarray(corners, float), _PANEL, color, surface, uv=texture)


_PANEL = np.array([[0, 1, 2], [0, 2, 3]])
