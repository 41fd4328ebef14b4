"""Pictures of simple overlapping shapes with exact truth: made in a moment, for first steps and for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kins.draw.scene import write_picture
from kins.masks import Mask
from kins.records import Dataset, Image, Instance, Scene

CATEGORIES = {1: "disc", 2: "box", 3: "triangle"}


def write_shapes(folder: str | Path, count: int, size: tuple[int, int] = (160, 240), seed: int = 0) -> Dataset:
    """Write `count` pictures `folder`/000000.png ... and return their data set.

    Args:
        size: (height, width) in pixels.
        seed: the same seed gives the same pictures; picture k does not depend on `count`.
    """
    folder = Path(folder)
    scenes = []
    for index in range(count):
        picture, scene = draw_shapes(np.random.default_rng([seed, index]), index, size)
        write_picture(picture, folder / scene.image.file_name)
        scenes.append(scene)
    return Dataset.from_scenes(scenes, CATEGORIES, images_dir=folder)


def draw_shapes(rng: np.random.Generator, index: int, size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], Scene]:
    """One picture, (height, width, 3) uint8, and its scene of three to six shapes, painted from far to near."""
    height, width = size
    picture = np.broadcast_to(rng.uniform(60, 120, 3) + rng.normal(0, 6, (height, width, 1)), (height, width, 3)).copy()
    shapes: list[tuple[int, npt.NDArray[np.bool_]]] = []
    for _ in range(rng.integers(3, 7)):
        category = int(rng.integers(1, 4))
        pixels = _shape(rng, category, height, width)
        color = np.eye(3)[category - 1] * 120 + rng.uniform(60, 130, 3)
        picture[pixels] = color + rng.normal(0, 6, (int(pixels.sum()), 1))
        shapes.append((category, pixels))
    instances = []
    above = np.zeros(size, bool)
    for nearness, (category, pixels) in enumerate(reversed(shapes)):
        visible = pixels & ~above
        above |= pixels
        if visible.any():
            instances.append(
                Instance(
                    index * 100 + nearness + 1,
                    category,
                    CATEGORIES[category],
                    Mask.from_array(pixels),
                    Mask.from_array(visible),
                    cluster=0,
                    order=nearness,
                )
            )
    image = Image(index, f"{index:06d}.png", height, width)
    return picture.clip(0, 255).astype(np.uint8), Scene(image, tuple(instances))


def _shape(rng: np.random.Generator, category: int, height: int, width: int) -> npt.NDArray[np.bool_]:
    """(height, width) bool: a disc, box or triangle that fits into the picture."""
    radius = rng.uniform(0.15, 0.3) * min(height, width)
    x0, y0 = rng.uniform(radius, width - radius), rng.uniform(radius, height - radius)
    y, x = np.mgrid[:height, :width] + 0.5
    x, y = (x - x0) / radius, (y - y0) / radius
    if category == 1:
        return np.asarray(x**2 + y**2 < 1)
    if category == 2:
        return np.asarray((abs(x) < 0.9) & (abs(y) < rng.uniform(0.5, 0.9)))
    return np.asarray((y < 0.8) & (y > 1.8 * abs(x) - 0.9))
