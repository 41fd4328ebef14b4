"""One picture of a set, from its place in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from kins.errors import KinsError
from kins.records import Image, Scene
from kins.streets.camera.camera import Camera
from kins.streets.camera.photo import develop
from kins.streets.camera.view import View
from kins.streets.truth import Sighting, kitti_calibration, kitti_labels, make_scene, sightings
from kins.streets.variety import wide_camera
from kins.streets.world.site import Street, Traffic
from kins.streets.world.street import make_street

QUALITIES = ("fast", "normal", "high")
VARIETIES = ("usual", "wide")
SPLITS = ("training", "testing")


@dataclass(frozen=True)
class Settings:
    """What decides the bytes of picture k of a split, together with k. Raises KinsError for what can't be drawn.

    Attributes:
        width, height: of the picture in pixels.
        quality: one of QUALITIES; masks and labels are the same in all.
        traffic: how much of everything there is.
        variety: one of VARIETIES; wide is for training what is to hold on photographs.

    Example:
        >>> kins.streets.Settings(quality="best")
        Traceback (most recent call last):
        kins.errors.KinsError: no quality 'best'; there are fast, normal, high
        >>> busy = kins.streets.Traffic(walkers=3.0)
        >>> kins.streets.Settings(traffic=busy).traffic.walkers
        3.0
    """

    seed: int = 0
    width: int = 1242
    height: int = 375
    quality: str = "normal"
    traffic: Traffic = field(default_factory=Traffic)
    variety: str = "usual"  # or "wide": for training what is to hold on photographs

    def __post_init__(self) -> None:
        if self.quality not in QUALITIES:
            raise KinsError(f"no quality {self.quality!r}; there are {', '.join(QUALITIES)}")
        if self.variety not in VARIETIES:
            raise KinsError(f"no variety {self.variety!r}; there are {', '.join(VARIETIES)}")
        if not (64 <= self.width <= 4096 and 32 <= self.height <= 4096):
            raise KinsError(f"pictures of {self.width} x {self.height} can't be made; 64 x 32 to 4096 x 4096 can")
        if self.seed < 0:
            raise KinsError(f"seed {self.seed}: must not be negative")


@dataclass(frozen=True)
class Picture:
    """pixels: (height, width, 3) uint8 RGB; scene: its annotations; labels and calibration: KITTI's texts."""

    pixels: NDArray[np.uint8]
    scene: Scene
    labels: str
    calibration: str
    camera: Camera
    street: Street
    sightings: list[Sighting]


def generator(settings: Settings, split: str, index: int, purpose: int) -> Generator:
    """Random numbers for one purpose (0 the street, 1 its photograph, 2 its variety) of one picture, independent of all
    others."""
    return Generator(Philox(SeedSequence([settings.seed, SPLITS.index(split), index, purpose])))


def make_picture(settings: Settings, split: str, index: int) -> Picture:
    """Picture `index` of `split` ("training" or "testing"), the same whenever and wherever it is made.

    Example:
        >>> settings = kins.streets.Settings(width=192, height=64, quality="fast")
        >>> picture = kins.streets.make_picture(settings, "testing", 7)
        >>> picture.pixels.shape, picture.scene.image.file_name
        ((64, 192, 3), '000007.png')
        >>> all(instance.amodal.area >= instance.inmodal.area for instance in picture.scene)
        True
    """
    camera = Camera.kitti(settings.width, settings.height)
    variety = generator(settings, split, index, 2) if settings.variety == "wide" else None
    if variety is not None:
        camera = wide_camera(variety, camera)
    street = make_street(generator(settings, split, index, 0), camera, settings.traffic, variety)
    rng = generator(settings, split, index, 1)
    view = View(street, camera)
    if settings.quality == "fast":
        from kins.streets.camera.shade import render_fast

        light = render_fast(view, rng)
    else:
        from kins.streets.camera.render import render

        light = render(view, settings.quality, rng)
    pixels = develop(light, view.depth, street.weather, rng)
    seen = sightings(view)
    scene = make_scene(seen, Image(index, f"{index:06d}.png", camera.height, camera.width))
    return Picture(pixels, scene, kitti_labels(seen, camera), kitti_calibration(camera), camera, street, seen)
