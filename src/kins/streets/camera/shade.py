"""Quick pictures: Embree's hits shaded in NumPy with sun, shadows, sky light, ambient occlusion and reflections."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kins.streets.camera.trace import Floats32, dot, times
from kins.streets.camera.view import Surface, View, eyes, smoothed
from kins.streets.things.mesh import GLASS, METAL, PAINT, TEXTURED

BOUNCE = np.array([0.13, 0.125, 0.12], np.float32)  # share of light that a street sends back up
REACH = 2.5  # metres beyond which nothing counts as blocking sky light
EDGE = 0.2  # contrast, of the square root of radiance, above which a pixel gets more rays
SUBPIXELS = ((-0.33, -0.17), (0.33, 0.17))


def render_fast(view: View, rng: Generator) -> Floats32:
    """(height, width, 3) linear radiance without haze; one ray a pixel, more along edges."""
    light = _Light(view)
    h, w = view.depth.shape
    openness = _openness(view, rng)
    image = light.radiance(view.rays, view.surface, view.sunny, openness)
    level = np.sqrt(np.maximum(np.maximum(image[:, 0], image[:, 1]), image[:, 2])).reshape(h, w)
    across, down = np.abs(np.diff(level, axis=1)) > EDGE, np.abs(np.diff(level, axis=0)) > EDGE
    edge = np.zeros((h, w), bool)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    pixel = np.flatnonzero(edge)
    total = np.minimum(image[pixel], 4.0)
    for du, dv in SUBPIXELS:
        rays = view.camera.rays(pixel % w + du, pixel // w + dv)
        surface = view.surface_of(rays, view.tracer.first_hits(eyes(len(rays), view.camera), rays))
        total += np.minimum(light.radiance(rays, surface, view.sunlit(surface), openness[pixel]), 4.0)
    image[pixel] = total / (1 + len(SUBPIXELS))
    return image.reshape(h, w, 3)


def reflections(view: View) -> Floats32:
    """(height, width, 3) light that clear coats add to each pixel, without noise."""
    out = np.zeros((view.depth.size, 3), np.float32)
    shiny, shine = _Light(view).reflection(view.rays, view.surface, view.sunny)
    out[view.surface.at[shiny]] = shine
    return out.reshape(*view.depth.shape, 3)


def _openness(view: View, rng: Generator) -> Floats32:
    """(height * width,) share of its sky that each pixel's surface sees: one ray for every fourth pixel, smoothed
    along surfaces at half the resolution."""
    s = view.surface
    h, w = view.depth.shape
    half_h, half_w = (h + 1) // 2, (w + 1) // 2
    row, column = np.divmod(s.at, w)
    chosen = np.flatnonzero((row | column) % 2 == 0)
    n, row, column = s.normals.take(chosen, 0), row[chosen] // 2, column[chosen] // 2
    # The plastic number's lattice spreads the directions of neighbouring pixels evenly (Roberts, 2018).
    shift = rng.uniform(size=2)
    z = (2 * ((column * 0.7548776662 + row * 0.5698402910 + shift[0]) % 1.0) - 1).astype(np.float32)
    a = (2 * np.pi * ((column * 0.5698402910 - row * 0.7548776662 + shift[1]) % 1.0)).astype(np.float32)
    r = np.sqrt(1 - z * z)
    out = n * np.float32(1.001) + np.stack([r * np.cos(a), r * np.sin(a), z], -1)
    distance = view.tracer.distances(s.spot.take(chosen, 0), out) * np.sqrt(dot(out, out))
    values = np.ones((half_h, half_w, 1), np.float32)
    values[row, column, 0] = np.clip(distance / REACH, 0, 1)
    key = view.alike[::2, ::2]
    smooth = smoothed(values, key, (1, 2, 3))[..., 0]
    full, like = (np.repeat(np.repeat(x, 2, 0), 2, 1)[:h, :w].ravel() for x in (smooth, key))
    alike = view.alike.ravel()
    # Where the pixel above to the left is of something else, the next one in a row or a column may not be.
    for axis in (1, 0):
        other = np.flatnonzero(like != alike)
        step = 2 if axis else 2 * w
        near = np.minimum(other + step, h * w - 1)
        full[other], like[other] = full[near], like[near]
    return np.asarray(full, np.float32)


class _Light:
    def __init__(self, view: View) -> None:
        self.view, self.weather = view, view.street.weather
        self.sun = self.weather.sun.astype(np.float32)
        self.sunlight = self.weather.sunlight.astype(np.float32) / np.float32(np.pi)
        self.sky = self.weather.skylight().astype(np.float32)
        self.ground = BOUNCE * (self.sky + self.sunlight * np.pi * self.sun[2] * 0.32)

    def radiance(self, rays: Floats32, s: Surface, sunny: Floats32, openness: Floats32) -> Floats32:
        """(n, 3) along n rays."""
        out = np.empty((len(rays), 3), np.float32)
        missed = np.ones(len(rays), bool)
        missed[s.at] = False
        out[missed] = self.weather.look(rays[missed])
        seen = np.float32(0.12) + np.float32(0.88) * openness.take(s.at)
        above = seen * (np.float32(0.5) + np.float32(0.5) * s.normals[:, 2])
        below = seen - above
        light = np.empty((len(s.at), 3), np.float32)
        for k in range(3):
            light[:, k] = (self.sky[k] * above + self.ground[k] * below + self.sunlight[k] * sunny) * s.albedo[:, k]
        shiny, shine = self.reflection(rays, s, sunny)
        light[shiny] += shine
        out[s.at] = light
        return out

    def reflection(self, rays: Floats32, s: Surface, sunny: Floats32) -> tuple[NDArray[np.int64], Floats32]:
        """Which of the surface's n points have a clear coat, and its light (k, 3): what is mirrored, in its own colour
        and even light, and the sun's highlight."""
        shiny = np.flatnonzero((s.kind == PAINT) | (s.kind == GLASS) | (s.kind == METAL))
        rays, normals, kind = rays.take(s.at.take(shiny), 0), s.normals.take(shiny, 0), s.kind.take(shiny)
        incoming = times(rays, 1 / np.sqrt(dot(rays, rays)))
        cosine = np.clip(-dot(incoming, normals), 0, 1)
        mirrored = incoming + times(normals, 2 * cosine)
        found = self.view.tracer.first_hits(s.spot.take(shiny, 0), mirrored)
        hit = np.flatnonzero(found.triangle >= 0)
        past = np.flatnonzero(found.triangle < 0)
        seen = np.empty_like(mirrored)
        seen[past] = self.weather.look(mirrored.take(past, 0))
        met = found.triangle.take(hit)
        seen[hit] = self.view.color.take(met, 0) * (self.sky * np.float32(0.7))
        seen[hit[self.view.kind.take(met) >= TEXTURED]] = self.ground * np.float32(1.6)
        base = np.where(kind == GLASS, 0.07, np.where(kind == METAL, 0.3, 0.045)).astype(np.float32)
        fresnel = base + (1 - base) * (1 - cosine) ** 5
        shine = np.where(sunny[shiny] > 0, np.clip(dot(mirrored, self.sun[None]), 0, 1) ** 180 * 3.0, 0).astype(
            np.float32
        )
        return shiny, times(seen, fresnel) + self.sunlight * shine[:, None]
