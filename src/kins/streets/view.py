"""What a camera sees of a street: hits, and what shading and noise filtering need to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kins.streets.camera import HEIGHT, Camera
from kins.streets.mesh import TEXTURED, Mesh, join
from kins.streets.site import Street
from kins.streets.textures import Texture
from kins.streets.trace import Floats32, Hits, Tracer


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
        self.tracer = Tracer(self.mesh.points)
        self.rays = camera.pixel_rays()
        self.hits = self.tracer.first_hits(eyes(len(self.rays)), self.rays)
        shape = camera.height, camera.width
        self.depth: Floats32 = self.hits.distance.reshape(shape)
        owners = np.repeat(np.arange(-1, len(street.things)), [len(mesh) for mesh in meshes])
        owner = np.where(self.hits.triangle >= 0, owners[self.hits.triangle], -1)
        self.owner: NDArray[np.int64] = owner.reshape(shape)
        self.normals = self.mesh.corner_normals()
        self._flat = self.normals[:, 0].copy()
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
        triangle, distance, ray = hits.triangle[at], hits.distance[at], rays[at]
        u, v = hits.u[at][:, None], hits.v[at][:, None]
        normals = self._flat[triangle]
        bent = np.flatnonzero(self._bent[triangle])
        corner = self.normals[triangle[bent]]
        normals[bent] += (corner[:, 1] - corner[:, 0]) * u[bent] + (corner[:, 2] - corner[:, 0]) * v[bent]
        normals[bent] /= np.sqrt(np.einsum("ij,ij->i", normals[bent], normals[bent]))[:, None] + np.float32(1e-9)
        away = np.flatnonzero(np.einsum("ij,ij->i", normals, ray) > 0)
        normals[away] *= -1
        kind = self.kind[triangle]
        albedo = self.color[triangle]
        textured = np.flatnonzero(kind >= TEXTURED)
        if len(textured):
            corner = self.uv[self.mesh.faces[triangle[textured]]]
            u, v = u[textured], v[textured]
            uv = corner[:, 0] + (corner[:, 1] - corner[:, 0]) * u + (corner[:, 2] - corner[:, 0]) * v
            facing = np.abs(np.einsum("ij,ij->i", normals[textured], ray[textured]))
            pixel = distance[textured] / self.camera.focal / np.maximum(facing, 0.05) ** 0.5
            albedo[textured] = self.atlas.look(kind[textured].astype(np.int64) - TEXTURED, uv, pixel / 3.0)
        spot = ray * distance[:, None] + normals * np.minimum(0.002 * distance, 0.02)[:, None]
        spot[:, 2] += HEIGHT
        return Surface(at, normals, albedo, kind, spot)

    @cached_property
    def sunny(self) -> Floats32:
        """(n,) cosine of the sun's angle at each of `surface`, 0 in shadow."""
        return self.sunlit(self.surface)

    def sunlit(self, surface: Surface) -> Floats32:
        sun = self.street.weather.sun.astype(np.float32)
        out = np.maximum(surface.normals @ sun, 0)
        if self.street.weather.sunlight.max() > 0.02:
            up = np.flatnonzero(out)
            out[up] *= ~self.tracer.blocked(surface.spot[up], np.broadcast_to(sun, (len(up), 3)).copy())
        return out

    @cached_property
    def alike(self) -> NDArray[np.int32]:
        """(height, width) the same where pixels show the same thing and material, facing the same way, both in the sun
        or both in shadow."""
        s = self.surface
        facing = np.round(s.normals * 3.0).astype(np.int32) + 3
        code = (facing[:, 0] * 7 + facing[:, 1]) * 7 + facing[:, 2]
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
            level = (level[:, ::2, ::2] + level[:, 1::2, ::2] + level[:, ::2, 1::2] + level[:, 1::2, 1::2]) * 0.25

    def look(self, which: NDArray[np.int64], uv: Floats32, footprint: Floats32) -> Floats32:
        """(n, 3) colours of textures `which` at uv (n, 2); footprint: (n,) size of a pixel there, in repeats."""
        size = self.levels[0].shape[1]
        depth = np.clip(np.log2(np.maximum(footprint * size, 1.0)), 0, len(self.levels) - 1).astype(np.int8)
        out = np.empty((len(which), 3), np.float32)
        for n, level in enumerate(self.levels):
            at = np.flatnonzero(depth == n)
            if len(at):
                m = level.shape[1]
                cell = np.floor(uv[at] * m).astype(np.int32) % m
                out[at] = level[which[at], cell[:, 1], cell[:, 0]]
        return out


def eyes(count: int) -> Floats32:
    """Origins of so many camera rays."""
    out = np.zeros((count, 3), np.float32)
    out[:, 2] = HEIGHT
    return out
