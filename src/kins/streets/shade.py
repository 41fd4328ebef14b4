"""Quick pictures: Embree's hits shaded in NumPy with sun, shadows, sky light, reflections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kins.streets.annotate import eyes
from kins.streets.camera import HEIGHT, Camera
from kins.streets.mesh import GLASS, METAL, PAINT, TEXTURED, Mesh
from kins.streets.sky import Weather
from kins.streets.textures import Texture
from kins.streets.trace import Floats32, Hits, Tracer

BOUNCE = np.array([0.13, 0.125, 0.12], np.float32)  # light that streets send back up
AO_REACH = 2.5  # metres


@dataclass
class Surfaces:
    """Single-precision copies of what shading looks up per hit."""

    normals: Floats32
    color: Floats32
    uv: Floats32
    surface: NDArray[np.uint8]

    @staticmethod
    def of(mesh: Mesh) -> Surfaces:
        return Surfaces(
            mesh.normals.astype(np.float32), mesh.color.astype(np.float32), mesh.uv.astype(np.float32), mesh.surface
        )


def render_fast(
    tracer: Tracer, mesh: Mesh, textures: list[Texture], weather: Weather, camera: Camera, hits: Hits, rng: Generator
) -> Floats32:
    """(height, width, 3) linear radiance without haze, from the hits of the camera's pixel rays."""
    lit = _Light(tracer, Surfaces.of(mesh), _Atlas(textures), weather)
    h, w = camera.height, camera.width
    rays = camera.pixel_rays()
    open_sky = lit.openness(rays, hits, rng, h, w)
    image = lit.radiance(rays, hits, open_sky)
    level = image.max(1).reshape(h, w) ** 0.5
    contrast = np.zeros((h, w), bool)
    across, down = np.abs(np.diff(level, axis=1)), np.abs(np.diff(level, axis=0))
    contrast[:, 1:] |= across > 0.05
    contrast[:, :-1] |= across > 0.05
    contrast[1:] |= down > 0.05
    contrast[:-1] |= down > 0.05
    pixel = np.flatnonzero(contrast)
    offsets = [(-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)]
    total = np.zeros((len(pixel), 3), np.float32)
    for du, dv in offsets:
        more = camera.rays(pixel % w + du, pixel // w + dv)
        found = tracer.first_hits(eyes(len(more)), more)
        total += np.minimum(lit.radiance(more, found, open_sky[pixel]), 4.0)
    image[pixel] = total / len(offsets)
    return image.reshape(h, w, 3)


class _Atlas:
    """All textures in one array, with smaller copies for distant surfaces."""

    def __init__(self, textures: list[Texture]) -> None:
        self.levels = []
        level = np.stack(textures)
        for _ in range(6):
            self.levels.append(level)
            n = level.shape[1] // 2
            level = level.reshape(len(level), n, 2, n, 2, 3).mean((2, 4), dtype=np.float32)

    def look(self, which: NDArray[np.int64], uv: Floats32, footprint: Floats32) -> Floats32:
        """footprint: size of a pixel on the surface, in repeats of the texture."""
        size = self.levels[0].shape[1]
        depth = np.clip(np.log2(np.maximum(footprint * size, 1.0)), 0, len(self.levels) - 1).astype(np.int8)
        out = np.empty((len(which), 3), np.float32)
        for n, level in enumerate(self.levels):
            at = np.flatnonzero(depth == n)
            if len(at):
                m = level.shape[1]
                cell = (uv[at] % 1.0 * m).astype(np.int32) % m
                out[at] = level[which[at], cell[:, 1], cell[:, 0]]
        return out


class _Light:
    def __init__(self, tracer: Tracer, surfaces: Surfaces, atlas: _Atlas, weather: Weather) -> None:
        self.tracer, self.surfaces, self.atlas, self.weather = tracer, surfaces, atlas, weather
        self.sun = weather.sun.astype(np.float32)
        self.sunlight = weather.sunlight.astype(np.float32) / np.float32(np.pi)
        self.sky = weather.skylight().astype(np.float32)
        self.ground = BOUNCE * (self.sky + self.sunlight * np.pi * self.sun[2] * 0.32)

    def normals(self, hits: Hits, at: NDArray[np.int64], rays: Floats32) -> Floats32:
        """Unit normals of the hits `at`, turned towards the viewer."""
        corner = self.surfaces.normals[hits.triangle[at]]
        u, v = hits.u[at][:, None], hits.v[at][:, None]
        n = corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v
        n *= -np.sign(np.einsum("ij,ij->i", n, rays[at]) + 1e-9)[:, None]
        n /= np.sqrt(np.einsum("ij,ij->i", n, n))[:, None] + 1e-9
        return n

    def openness(self, rays: Floats32, hits: Hits, rng: Generator, h: int, w: int) -> Floats32:
        """(h * w,) share of the sky that each pixel's surface sees, from one ray a pixel, smoothed along
        surfaces."""
        at = np.flatnonzero(hits.triangle >= 0)
        n = self.normals(hits, at, rays)
        z = rng.uniform(-1, 1, len(at)).astype(np.float32)
        a = rng.uniform(0, 2 * np.pi, len(at)).astype(np.float32)
        r = np.sqrt(1 - z * z)
        out = n * 1.001 + np.stack([r * np.cos(a), r * np.sin(a), z], -1)
        spot = _points(rays[at], hits.distance[at]) + n * 0.01
        distance = self.tracer.distances(spot, out)
        length = np.sqrt(np.einsum("ij,ij->i", out, out))
        open_ = np.ones(h * w, np.float32)
        open_[at] = np.clip(distance * length / AO_REACH, 0, 1)
        depth = np.where(np.isfinite(hits.distance), hits.distance, 1e4).astype(np.float32)
        return _smooth(open_.reshape(h, w), np.log(depth).reshape(h, w), 4).ravel()

    def radiance(self, rays: Floats32, hits: Hits, open_sky: Floats32, deep: bool = True) -> Floats32:
        out = np.empty((len(rays), 3), np.float32)
        missed = hits.triangle < 0
        out[missed] = self.weather.look(rays[missed])
        at = np.flatnonzero(~missed)
        triangle = hits.triangle[at]
        kind = self.surfaces.surface[triangle]
        n = self.normals(hits, at, rays)
        distance = hits.distance[at]
        albedo = self.surfaces.color[triangle]
        textured = np.flatnonzero(kind >= TEXTURED)
        if len(textured):
            t = triangle[textured]
            corner = self.surfaces.uv[t]
            u, v = hits.u[at[textured]][:, None], hits.v[at[textured]][:, None]
            uv = corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v
            facing = np.abs(np.einsum("ij,ij->i", n[textured], rays[at[textured]]))
            size = distance[textured] / 721.0 / np.maximum(facing, 0.05) ** 0.5 / 3.5
            albedo[textured] = self.atlas.look(kind[textured].astype(np.int64) - TEXTURED, uv, size)
        spot = _points(rays[at], distance) + n * np.minimum(0.002 * distance, 0.02)[:, None]
        facing_sun = n @ self.sun
        sunny = np.zeros(len(at), np.float32)
        up = np.flatnonzero(facing_sun > 0)
        if self.sunlight.max() > 0.02:
            free = self.tracer.distances(spot[up], np.broadcast_to(self.sun, (len(up), 3)).copy()) > 1e6
            sunny[up] = facing_sun[up] * free
        lift = 0.5 + 0.5 * n[:, 2:3]
        around = self.sky * lift + self.ground * (1 - lift)
        shade = open_sky[at]
        light = around * (0.12 + 0.88 * shade)[:, None] + self.sunlight * sunny[:, None]
        result = albedo * light
        shiny = np.flatnonzero((kind == PAINT) | (kind == GLASS) | (kind == METAL))
        if deep and len(shiny):
            result[shiny] += self.reflection(
                rays[at[shiny]], n[shiny], spot[shiny], kind[shiny], shade[shiny], sunny[shiny] > 0
            )
        out[at] = result
        return out

    def reflection(
        self,
        rays: Floats32,
        n: Floats32,
        spot: Floats32,
        kind: NDArray[np.uint8],
        shade: Floats32,
        sunny: NDArray[np.bool_],
    ) -> Floats32:
        incoming = rays / np.sqrt(np.einsum("ij,ij->i", rays, rays))[:, None]
        cosine = np.clip(-np.einsum("ij,ij->i", incoming, n), 0, 1)
        mirrored = incoming + 2 * cosine[:, None] * n
        found = self.tracer.first_hits(spot, mirrored)
        seen = self.weather.look(mirrored) * (0.4 + 0.6 * shade)[:, None]
        hit = np.flatnonzero(found.triangle >= 0)
        seen[hit] = self.surfaces.color[found.triangle[hit]] * self.sky * 0.7
        textured = self.surfaces.surface[found.triangle[hit]] >= TEXTURED
        seen[hit[textured]] = self.ground * 1.6
        base = np.where(kind == GLASS, 0.07, np.where(kind == METAL, 0.3, 0.045)).astype(np.float32)
        fresnel = base + (1 - base) * (1 - cosine) ** 5
        shine = np.where(sunny, np.clip(mirrored @ self.sun, 0, 1) ** 180 * 6.0, 0).astype(np.float32)
        return seen * fresnel[:, None] + self.sunlight * shine[:, None] * 0.5


def _points(rays: Floats32, distance: Floats32) -> Floats32:
    spot = rays * distance[:, None]
    spot[:, 2] += HEIGHT
    return spot


def _smooth(values: Floats32, guide: Floats32, reach: int) -> Floats32:
    """Mean over a (2 reach + 1) square, along rows and then columns, over neighbours of similar guide."""
    for axis in (1, 0):
        total, weight = values.copy(), np.ones_like(values)
        for step in range(1, reach + 1):
            a: tuple[slice, ...] = (slice(None),) * axis + (slice(step, None),)
            b: tuple[slice, ...] = (slice(None),) * axis + (slice(None, -step),)
            near = np.abs(guide[a] - guide[b]) < 0.04 * step
            total[a] += values[b] * near
            weight[a] += near
            total[b] += values[a] * near
            weight[b] += near
        values = total / weight
    return values
