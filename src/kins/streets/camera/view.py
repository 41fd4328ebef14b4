"""What a camera sees of a street: hits, and what shading and noise filtering need to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kins.streets.camera.camera import Camera
from kins.streets.camera.trace import Floats32, Hits, Tracer, dot, times
from kins.streets.things.mesh import TEXTURED, Mesh, join
from kins.streets.world.site import Street
from kins.streets.world.textures import Texture


@dataclass(frozen=True)
class Surface:
    """Where n rays ended. at: (n,) index of the ray, those that met nothing being left out; normals: (n, 3) unit,
    towards the viewer; albedo: (n, 3); kind: (n,) as in mesh; spot: (n, 3) just above the surface."""

    at: NDArray[np.int64]
    normals: Floats32
    albedo: Floats32
    kind: NDArray[np.uint8]
    spot: Floats32


class View:
    """A street in front of a camera.

    Attributes:
        rays: (height * width, 3) of the pixels' centres, row by row; hits: where they end.
        owner: (height, width) index in street.things of what a pixel shows, -1 for ground and sky.
        depth: (height, width) metres ahead, inf for the sky.
    """

    def __init__(self, street: Street, camera: Camera) -> None:
        self.street, self.camera = street, camera
        meshes = [street.ground, *(thing.mesh for thing in street.things)]
        self.mesh: Mesh = join(meshes)
        self.tracer = Tracer(self.mesh.vertices, self.mesh.faces)
        self.rays = camera.pixel_rays()
        self.hits = self.tracer.first_hits(eyes(len(self.rays), camera), self.rays)
        shape = camera.height, camera.width
        self.depth: Floats32 = self.hits.distance.reshape(shape)
        owners = np.repeat(np.arange(-1, len(street.things)), [len(mesh) for mesh in meshes])
        owner = np.where(self.hits.triangle >= 0, owners.take(self.hits.triangle, mode="clip"), -1)
        self.owner: NDArray[np.int64] = owner.reshape(shape)
        self.normals = self.mesh.corner_normals()
        self._flat = self.normals[:, 0].copy()
        self._turn = self.normals[:, 1] - self._flat, self.normals[:, 2] - self._flat
        self._bent = (self.normals != self.normals[:, :1]).any((1, 2))
        self.color: Floats32 = np.asarray(self.mesh.color, np.float32)
        self.kind: NDArray[np.uint8] = np.asarray(self.mesh.surface, np.uint8)
        self.uv: Floats32 = np.asarray(self.mesh.uv, np.float32)

    @cached_property
    def atlas(self) -> Atlas:
        return Atlas(self.street.textures)

    @cached_property
    def surface(self) -> Surface:
        """What the pixels' centres show."""
        return self.surface_of(self.rays, self.hits)

    def surface_of(self, rays: Floats32, hits: Hits) -> Surface:
        at = np.flatnonzero(hits.triangle >= 0)
        triangle, distance, ray = hits.triangle.take(at), hits.distance.take(at), rays.take(at, 0)
        u, v = hits.u.take(at), hits.v.take(at)
        normals = self._flat.take(triangle, 0)  # take gathers rows several times faster than an index does
        bent = np.flatnonzero(self._bent.take(triangle))
        which = triangle.take(bent)
        mixed = self._flat.take(which, 0)
        mixed += times(self._turn[0].take(which, 0), u.take(bent))
        mixed += times(self._turn[1].take(which, 0), v.take(bent))
        normals[bent] = times(mixed, 1 / (np.sqrt(dot(mixed, mixed)) + np.float32(1e-9)))
        normals = times(normals, np.where(dot(normals, ray) > 0, np.float32(-1), np.float32(1)))
        kind = self.kind.take(triangle)
        albedo = self.color.take(triangle, 0)
        textured = np.flatnonzero(kind >= TEXTURED)
        if len(textured):
            corner = self.uv.take(self.mesh.faces.take(triangle.take(textured), 0), 0)
            u, v = u.take(textured), v.take(textured)
            uv = np.stack(
                [c[:, 0] + (c[:, 1] - c[:, 0]) * u + (c[:, 2] - c[:, 0]) * v for c in np.moveaxis(corner, 2, 0)]
            )
            facing = np.abs(dot(normals.take(textured, 0), ray.take(textured, 0)))
            pixel = distance.take(textured) / np.float32(self.camera.focal) / np.sqrt(np.maximum(facing, 0.05))
            albedo[textured] = self.atlas.look(kind.take(textured).astype(np.int64) - TEXTURED, uv, pixel / 3)
        spot = times(ray, distance)
        spot += times(normals, np.minimum(np.float32(0.002) * distance, np.float32(0.02)))
        spot[:, 2] += self.camera.above
        return Surface(at, normals, albedo, kind, spot)

    @cached_property
    def sunny(self) -> Floats32:
        """(n,) cosine of the sun's angle at each of `surface`, 0 in shadow."""
        return self.sunlit(self.surface)

    def sunlit(self, surface: Surface) -> Floats32:
        sun = self.street.weather.sun.astype(np.float32)
        out = np.maximum(dot(surface.normals, sun[None]), 0)
        if self.street.weather.sunlight.max() > 0.02:
            up = np.flatnonzero(out)
            out[up] *= ~self.tracer.blocked(surface.spot.take(up, 0), np.broadcast_to(sun, (len(up), 3)).copy())
        return out

    @cached_property
    def alike(self) -> NDArray[np.int32]:
        """(height, width) the same where pixels show the same thing and material, facing the same way, both in the sun
        or both in shadow."""
        s = self.surface
        x, y, z = (np.round(s.normals[:, k] * 3).astype(np.int32) + 3 for k in range(3))
        code = (x * 7 + y) * 7 + z
        code = (code * 32 + np.minimum(s.kind, 31)) * 2 + (self.sunny > 0)
        key = np.full(self.depth.size, -1, np.int32)
        key[s.at] = code + (self.owner.ravel()[s.at] + 1).astype(np.int32) * (343 * 64)
        return key.reshape(self.depth.shape)


def smoothed(values: Floats32, key: NDArray[np.int32], steps: tuple[int, ...]) -> Floats32:
    """Mean of (h, w, c) values over neighbouring pixels of the same key (h, w): the a-trous filter (Dammertz et al.,
    HPG 2010) with hard edges."""
    total, weight = values, np.ones(key.shape, np.float32)
    for step in steps:
        for axis in (1, 0):
            a: tuple[slice, ...] = (slice(None),) * axis + (slice(step, None),)
            b: tuple[slice, ...] = (slice(None),) * axis + (slice(None, -step),)
            same = (key[a] == key[b]).astype(np.float32)
            summed, counted = total.copy(), weight.copy()
            summed[a] += total[b] * same[..., None]
            summed[b] += total[a] * same[..., None]
            counted[a] += weight[b] * same
            counted[b] += weight[a] * same
            total, weight = summed, counted
    return total / weight[..., None]


class Atlas:
    """All textures in one array, with smaller copies for distant surfaces."""

    def __init__(self, textures: list[Texture]) -> None:
        self.levels = []
        level = np.stack(textures)
        for _ in range(6):
            self.levels.append(level)
            level = _halved(level)

    def look(self, which: NDArray[np.int64], uv: Floats32, footprint: NDArray[np.floating]) -> Floats32:
        """(n, 3) colours of textures `which` at uv (2, n); footprint: (n,) size of a pixel there, in repeats."""
        size = self.levels[0].shape[1]
        depth = np.clip(np.log2(np.maximum(footprint * size, 1.0)), 0, len(self.levels) - 1).astype(np.int8)
        out = np.empty((len(which), 3), np.float32)
        for n, level in enumerate(self.levels):
            at = np.flatnonzero(depth == n)
            if len(at):
                m = level.shape[1]
                column, row = (np.floor(x.take(at) * m).astype(np.int64) % m for x in uv)
                out[at] = level.reshape(-1, 3).take((which.take(at) * m + row) * m + column, 0)
        return out


def _halved(level: Floats32) -> Floats32:
    """(n, s, s, 3) to (n, s / 2, s / 2, 3)"""
    rows = (level[:, ::2] + level[:, 1::2]) * np.float32(0.25)
    out = np.empty((len(rows), rows.shape[1], rows.shape[1], 3), np.float32)
    for k in range(3):  # far faster than all at once, as numpy's innermost loop is a long one then
        np.add(rows[:, :, ::2, k], rows[:, :, 1::2, k], out=out[..., k])
    return out


def eyes(count: int, camera: Camera) -> Floats32:
    """Origins of so many of the camera's rays."""
    out = np.zeros((count, 3), np.float32)
    out[:, 2] = camera.above
    return out
