"""Tileable patterns for what is too fine for triangles: asphalt, plaster, bricks, tiles, grass."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Texture = NDArray[np.float32]  # (size, size, 3) linear RGB, repeats in both directions

SIZE = 256


def noise(rng: Generator, falloff: float, size: int = SIZE) -> NDArray[np.float64]:
    """Periodic noise of mean 0 and deviation 1, amplitude ~ frequency ** -falloff."""
    spectrum = np.fft.fft2(rng.normal(size=(size, size)))
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(size) * size, np.fft.fftfreq(size) * size))
    field = np.real(np.fft.ifft2(spectrum / np.maximum(k, 1.0) ** falloff))
    return np.asarray((field - field.mean()) / field.std())


@cache
def pattern(name: str) -> NDArray[np.float64]:
    """(SIZE, SIZE) brightness around 1, the same in every process."""
    rng = np.random.Generator(np.random.Philox(sum(map(ord, name))))
    rough, fine = noise(rng, 1.6), noise(rng, 0.3)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    if name == "asphalt":
        return np.clip(1 + 0.10 * rough + 0.12 * fine, 0.4, 1.7)
    if name == "cobbles":
        return courses(x, y, 16, 16, 0.10, rng, 0.16) * (1 + 0.06 * fine)
    if name == "paving":
        return courses(x, y, 4, 4, 0.035, rng, 0.07) * (1 + 0.04 * fine + 0.05 * rough)
    if name == "plaster":
        return np.clip(1 + 0.035 * rough + 0.03 * fine, 0.6, 1.4)
    if name == "bricks":
        return courses(x, y, 8, 24, 0.12, rng, 0.14) * (1 + 0.05 * rough)
    if name == "tiles":
        return (0.72 + 0.5 * np.abs(np.sin(np.pi * x * 16)) ** 0.5 * (0.6 + 0.4 * ((y * 12) % 1))) * (1 + 0.08 * fine)
    if name == "grass":
        return np.clip(1 + 0.30 * fine + 0.18 * rough, 0.3, 2.0)
    raise KeyError(name)


def courses(
    x: NDArray[np.float64], y: NDArray[np.float64], across: int, up: int, joint: float, rng: Generator, spread: float
) -> NDArray[np.float64]:
    """Stones in courses, every other one shifted by half a stone, each with a shade of its own."""
    row = np.floor(y * up).astype(int)
    shifted = x * across + 0.5 * (row % 2)
    column = np.floor(shifted).astype(int) % across
    shade = (1 + spread * rng.normal(size=(up, across)))[row % up, column]
    gap = joint * min(1.0, across / up)
    in_joint = ((shifted % 1) < gap) | ((y * up) % 1 < joint)
    return np.asarray(np.where(in_joint, 0.62, shade))


def texture(name: str, color: ArrayLike) -> Texture:
    """`pattern(name)` in shades of `color`, (3,) linear RGB."""
    shade = _pattern32(name)
    out = np.empty((SIZE, SIZE, 3), np.float32)
    for k, value in enumerate(np.asarray(color, np.float32)):
        np.clip(shade * value, np.float32(0.003), np.float32(0.9), out=out[..., k])
    return out


@cache
def _pattern32(name: str) -> NDArray[np.float32]:
    return pattern(name).astype(np.float32)
