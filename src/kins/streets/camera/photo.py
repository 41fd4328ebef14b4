"""From light to a photograph: haze, exposure, blur, noise, gamma."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kins.streets.world.sky import Weather


def develop(
    radiance: NDArray[np.float32], depth: NDArray[np.float32], weather: Weather, rng: Generator
) -> NDArray[np.uint8]:
    """(h, w, 3) 8-bit sRGB from linear radiance and (h, w) depth in metres (inf for the sky)."""
    clear = np.exp(np.float32(-weather.haze) * np.minimum(depth, np.float32(600)))
    air = weather.air.astype(np.float32)
    planes = [(radiance[..., k] - air[k]) * clear + air[k] for k in range(3)]
    r, g, b = (plane[::2, ::2] for plane in planes)
    land = (np.float32(0.2126) * r + np.float32(0.7152) * g + np.float32(0.0722) * b)[np.isfinite(depth[::2, ::2])]
    middle = float(np.exp(np.mean(np.log(np.maximum(land, 0) + np.float32(0.01))))) if land.size else 0.2
    exposure = 0.19 / middle * np.exp(rng.normal(0.0, 0.2))
    balance = exposure * np.exp(rng.normal(0, 0.02, 3))
    sigma = float(rng.uniform(0.25, 0.65)) * radiance.shape[1] / 1242
    grain = rng.uniform(0.002, 0.008)
    coded = np.empty(radiance.shape, np.uint8)
    for k, plane in enumerate(planes):
        light = _blur(plane * np.float32(balance[k]), sigma)
        spread = np.sqrt(np.maximum(light, 0) * np.float32(grain * 0.35) + np.float32(grain**2 * 0.2))
        light += rng.standard_normal(light.shape, np.float32) * spread
        step = np.clip(light * np.float32(STEPS / BRIGHTEST), 0, STEPS)
        coded[..., k] = _curve().take(step.astype(np.int16))
    return coded


STEPS, BRIGHTEST = 16384, 2.0


@lru_cache(maxsize=1)
def _curve() -> NDArray[np.uint8]:
    """sRGB code for linear light in STEPS steps up to BRIGHTEST: a little more contrast, highlights that roll off
    rather than clip at once, and sRGB's own curve."""
    light = 1.15 * (np.arange(STEPS + 1) / STEPS * BRIGHTEST) ** 1.12
    knee = 0.75
    over = np.maximum(light - knee, 0)
    light = np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(np.clip(coded, 0, 1) * 255), np.uint8)


def _blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    side = np.float32(np.exp(-0.5 / max(sigma, 0.05) ** 2))
    a, b = side / (1 + 2 * side), 1 / (1 + 2 * side)
    for axis in (0, 1):  # of (h, w)
        padded = np.concatenate([image.take([0], axis), image, image.take([-1], axis)], axis)
        n = image.shape[axis]
        lo, mid, hi = (padded[k : k + n] if axis == 0 else padded[:, k : k + n] for k in range(3))
        image = (lo + hi) * np.float32(a) + mid * np.float32(b)
    return image
