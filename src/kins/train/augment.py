"""Random changes to training images. Image and both masks move together; boxes follow from the masks."""

from __future__ import annotations

import dataclasses
import io
import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter

from kins.config import AugmentConfig
from kins.masks import Mask
from kins.records import Scene
from kins.synth_occlude.paste import Pixels, can_be_cut_out, cut_out, paste_over

MIN_SIDE = 12
"""Instances of at least so many pixels in width and height are cut out for pasting."""


def augment(
    scene: Scene,
    image: Pixels,
    config: AugmentConfig,
    rng: np.random.Generator,
    donor: Callable[[np.random.Generator], Scene],
) -> tuple[Scene, Pixels]:
    """Paste, crop, mirror and recolour, as `config` says.

    Args:
        scene: its masks have the image's size.
        image: (h, w, 3) uint8.
        donor: draws a scene to cut an instance out of.

    Returns:
        The changed scene, whose masks and `image` have the changed image's size, and the changed image.
    """
    if rng.random() < config.paste:
        scene, image = paste_random(scene, image, donor(rng), rng)
    if rng.random() < config.crop:
        height, width = image.shape[:2]
        h, w = (max(1, int(side * rng.uniform(config.crop_size, 1))) for side in (height, width))
        scene, image = crop(scene, image, int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h)
    if rng.random() < config.mirror:
        scene, image = mirror(scene, image)
    if config.color:
        image = recolor(image, *rng.uniform(1 - 0.4 * config.color, 1 + 0.4 * config.color, 3))
    return scene, image


def mirror(scene: Scene, image: Pixels) -> tuple[Scene, Pixels]:
    """Left and right swapped."""
    return _moved(scene, Mask.mirrored, scene.image.width, scene.image.height), np.ascontiguousarray(image[:, ::-1])


def crop(scene: Scene, image: Pixels, x: int, y: int, width: int, height: int) -> tuple[Scene, Pixels]:
    """The window's part of everything; instances that it shows nothing of are left out."""
    scene = _moved(scene, lambda mask: mask.cropped(x, y, width, height), width, height)
    return scene, np.ascontiguousarray(image[y : y + height, x : x + width])


def recolor(image: Pixels, brightness: float, contrast: float, saturation: float) -> Pixels:
    """Each factor as in PIL.ImageEnhance: 1 changes nothing, 0 takes all of it away."""
    values = image.astype(np.float32) * np.float32(brightness)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    values = grey[..., None] + (values - grey[..., None]) * np.float32(saturation)
    mean = np.float32(grey.mean())
    return np.clip(mean + (values - mean) * np.float32(contrast), 0, 255).astype(np.uint8)


def random_window(
    scene: Scene, image: Pixels, height: int, width: int, rng: np.random.Generator
) -> tuple[Scene, Pixels]:
    """A window of at most this size; as `crop`."""
    height, width = min(height, image.shape[0]), min(width, image.shape[1])
    y, x = int(rng.integers(image.shape[0] - height + 1)), int(rng.integers(image.shape[1] - width + 1))
    return crop(scene, image, x, y, width, height)


def photographed(image: Pixels, config: AugmentConfig, rng: np.random.Generator) -> Pixels:
    """As another camera would have taken it: tone curve, white balance and hue, blur, noise, JPEG, as `config` says.

    Half of the images keep their sharpness, and half of them get no more noise than they have.
    """
    if config.gamma:
        image = retoned(image, *np.exp(rng.normal(0, 0.35 * config.gamma, 2)))
    if config.hue:
        image = tinted(image, np.exp(rng.normal(0, 0.12 * config.hue, 3)), rng.normal(0, 0.25 * config.hue))
    if config.blur and rng.random() < 0.5:
        radius = float(rng.uniform(0, 2 * config.blur))
        image = np.asarray(PIL.Image.fromarray(image).filter(PIL.ImageFilter.GaussianBlur(radius)))
    if config.noise and rng.random() < 0.5:
        grain = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 20 * config.noise))
        image = np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)
    if config.jpeg and rng.random() < config.jpeg:
        coded = io.BytesIO()
        PIL.Image.fromarray(image).save(coded, "JPEG", quality=int(rng.integers(25, 96)))
        image = np.asarray(PIL.Image.open(coded))
    return image


def retoned(image: Pixels, gain: float, gamma: float) -> Pixels:
    """Light times `gain`, what is brighter than white cut off, and then another tone curve: (gain v) ** gamma."""
    curve = np.clip(np.arange(256) / 255 * gain, 0, 1) ** gamma
    return np.rint(curve * 255).astype(np.uint8)[image]


def tinted(image: Pixels, balance: npt.NDArray[np.float64], turn: float) -> Pixels:
    """Each channel times a factor, and hues turned by an angle in radians about the grey axis."""
    third, root = (1 - np.cos(turn)) / 3, np.sin(turn) / np.sqrt(3)
    around = third + root * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) + np.cos(turn) * np.eye(3)
    matrix = (around * balance[:, None]).astype(np.float32)
    return np.clip(np.rint(image.astype(np.float32) @ matrix.T), 0, 255).astype(np.uint8)


def paste_random(scene: Scene, image: Pixels, donor: Scene, rng: np.random.Generator) -> tuple[Scene, Pixels]:
    """A whole instance of `donor` pasted partly over one of `scene`, as kins.synth_occlude does."""
    whole = [instance for instance in donor if instance.both_known and can_be_cut_out(instance, MIN_SIDE)]
    if not whole:
        return scene, image
    picture = donor.read_image()
    cutouts = (cut_out(whole[int(rng.integers(len(whole)))], picture) for _ in itertools.count())
    return paste_over(scene, image, cutouts, rng)


def _moved(scene: Scene, change: Callable[[Mask], Mask], width: int, height: int) -> Scene:
    moved = (
        i.replace(
            amodal=None if i.amodal is None else change(i.amodal),
            inmodal=None if i.inmodal is None else change(i.inmodal),
            **dict.fromkeys(("amodal_box", "inmodal_box", "amodal_area", "inmodal_area")),  # no longer true
        )
        for i in scene
    )
    kept = tuple(i for i in moved if i.seen)
    return scene.replace(image=dataclasses.replace(scene.image, width=width, height=height), instances=kept)
