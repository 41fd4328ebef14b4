"""Weather: sun, sky and air."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

ROWS, COLUMNS = 128, 512


@dataclass(frozen=True)
class Weather:
    """sun: unit vector towards it; sunlight: (3,) irradiance at right angles to it; sky: (ROWS, COLUMNS, 3)
    radiance, rows from zenith to nadir, columns counter-clockwise from x; haze: extinction per metre;
    air: (3,) radiance of the haze."""

    sun: NDArray[np.float64]
    sunlight: NDArray[np.float64]
    sky: NDArray[np.float32]
    haze: float
    air: NDArray[np.float64]

    def skylight(self) -> NDArray[np.float64]:
        """(3,) mean radiance of the upper half, weighted as a level surface sees it."""
        elevation = (0.5 - (np.arange(ROWS // 2) + 0.5) / ROWS) * np.pi
        weight = np.sin(elevation) * np.cos(elevation)
        rows: NDArray[np.float64] = self.sky[: ROWS // 2].mean(1, dtype=float)
        return np.asarray((rows * weight[:, None]).sum(0) / weight.sum())

    def look(self, directions: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sky radiance (n, 3) along directions (n, 3) of any length."""
        x, y, z = directions[:, 0], directions[:, 1], directions[:, 2]
        row = (0.5 - np.arctan2(z, np.sqrt(x * x + y * y)) / np.pi) * ROWS
        column = np.arctan2(y, x) / (2 * np.pi) % 1.0 * COLUMNS
        r = np.clip(row, 0, ROWS - 1).astype(np.int32)
        c = np.minimum(column.astype(np.int32), COLUMNS - 1)
        found: NDArray[np.float32] = self.sky[r, c]
        return found


@lru_cache(maxsize=1)
def _directions() -> NDArray[np.float64]:
    elevation = (0.5 - (np.arange(ROWS) + 0.5) / ROWS) * np.pi
    azimuth = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 * np.pi
    c = np.cos(elevation)[:, None]
    return np.stack(
        [c * np.cos(azimuth), c * np.sin(azimuth), np.broadcast_to(np.sin(elevation)[:, None], (ROWS, COLUMNS))], -1
    )


def _clouds(rng: Generator) -> NDArray[np.float64]:
    spectrum = np.fft.fft2(rng.normal(size=(ROWS, COLUMNS)))
    ky, kx = np.meshgrid(np.fft.fftfreq(ROWS) * ROWS * 2.2, np.fft.fftfreq(COLUMNS) * COLUMNS, indexing="ij")
    k = np.hypot(kx, ky)
    field = np.real(np.fft.ifft2(spectrum / np.maximum(k, 3.0) ** 1.9))
    return np.asarray((field - field.mean()) / field.std())


def weather(rng: Generator) -> Weather:
    """Clear, cloudy or overcast, with the sun anywhere from low to high."""
    kind = rng.choice(["clear", "cloudy", "overcast"], p=[0.5, 0.32, 0.18])
    elevation = np.radians(rng.uniform(18, 62))
    azimuth = rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    warm = np.clip((np.degrees(elevation) - 15) / 35, 0, 1)
    sun_color = np.array([1.0, 0.86 + 0.10 * warm, 0.66 + 0.24 * warm])

    d = _directions()
    up = np.clip(d[..., 2], 0, 1)[..., None]
    toward = (d @ sun)[..., None]
    zenith, horizon = np.array([0.22, 0.37, 0.70]), np.array([0.76, 0.85, 0.98])
    sky = zenith + (horizon - zenith) * np.exp(-up * 3.2)
    sky = sky + 0.9 * sun_color * np.exp((toward - 1) * 9) + 0.25 * sun_color * np.clip(toward, 0, 1) ** 3
    cover = {"clear": -1.4, "cloudy": 0.1, "overcast": 3.5}[str(kind)] + rng.normal(0, 0.3)
    density = np.clip((_clouds(rng) + cover) * 0.9, 0, 1)[..., None]
    grey = np.array([0.95, 0.97, 1.0]) * (0.85 + 0.35 * np.clip(toward, 0, 1) ** 2)
    if kind == "overcast":
        grey = grey * (0.62 + 0.38 * up) * rng.uniform(0.7, 1.0) * (0.88 + 0.08 * _clouds(rng)[..., None])
    sky = sky * (1 - density) + 1.15 * grey * density
    below = d[..., 2] < 0
    sky[below] = np.array([0.16, 0.155, 0.15])
    strength = {"clear": rng.uniform(3.2, 4.8), "cloudy": rng.uniform(1.6, 3.6), "overcast": rng.uniform(0.0, 0.25)}[
        str(kind)
    ]
    haze = float(np.exp(rng.uniform(np.log(0.0004), np.log(0.0045))))
    air = sky[ROWS // 2 - 4 : ROWS // 2].mean((0, 1)) * 0.85
    return Weather(sun, sun_color * strength, np.clip(sky, 0.02, 6).astype(np.float32), haze, air)
