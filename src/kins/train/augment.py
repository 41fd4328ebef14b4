"""Random changes to training images. Image and both masks move together; boxes follow from the masks."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter

from kins.config import AugmentConfig
from kins.masks import Mask
from kins.records import Instance, Scene

Pixels = npt.NDArray[np.uint8]


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


def paste(
    scene: Scene, image: Pixels, cutout: Pixels, shape: npt.NDArray[np.bool_], x: int, y: int, source: Instance
) -> tuple[Scene, Pixels]:
    """Put a cut-out in front of everything.

    Args:
        cutout: (h, w, 3) uint8.
        shape: (h, w) bool, its pixels that count; edges are softened by one pixel.
        x, y: where its upper left corner comes, perhaps outside of the image.
        source: the instance it was cut from, for its class.

    Returns:
        The scene with one instance more, which hides what it covers; what is fully hidden then is left out.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + shape.shape[1], width), min(y + shape.shape[0], height)
    if x1 <= x0 or y1 <= y0:
        return scene, image
    inside = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
    front = np.zeros((height, width), bool)
    front[y0:y1, x0:x1] = shape[inside]
    mask = Mask.from_array(front)
    if not mask:
        return scene, image
    soft = np.asarray(PIL.Image.fromarray(np.pad(shape, 1).astype(np.uint8) * 255).filter(PIL.ImageFilter.BoxBlur(1)))
    alpha = np.where(shape, np.maximum(soft[1:-1, 1:-1], 128), 0)[inside][..., None].astype(np.float32) / 255
    image = image.copy()
    window = image[y0:y1, x0:x1]
    window[:] = np.rint(window * (1 - alpha) + cutout[inside] * alpha).astype(np.uint8)
    behind = (i if i.inmodal is None else i.replace(inmodal=i.inmodal - mask) for i in scene)
    new = Instance(
        id=1 + max((i.id for i in scene), default=0),
        category_id=source.category_id,
        category=source.category,
        amodal=mask,
        inmodal=mask,
    )
    left = [i for i in behind if i.inmodal is None or i.inmodal]
    return scene.replace(instances=(*left, new)), image


def paste_random(scene: Scene, image: Pixels, donor: Scene, rng: np.random.Generator) -> tuple[Scene, Pixels]:
    """Paste an unoccluded instance of `donor` partly over one of `scene`, scaled to stand a little nearer."""
    border = donor.image.width, donor.image.height
    whole = [i for i in donor if i.both_known and not i.crowd and _whole(i, *border)]
    targets = [i for i in scene if not i.crowd and i.require("amodal").box[3] >= 8]
    if not whole or not targets:
        return scene, image
    source, target = whole[int(rng.integers(len(whole)))], targets[int(rng.integers(len(targets)))]
    visible = source.require("inmodal")
    x, y, width, height = (int(value) for value in visible.box)
    cutout = donor.read_image()[y : y + height, x : x + width]
    shape = visible.cropped(x, y, width, height).to_array()
    tx, ty, twidth, theight = target.require("amodal").box
    ratio = float(np.clip(theight * rng.uniform(0.9, 1.4) / height, 0.3, 3))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    cutout = np.asarray(PIL.Image.fromarray(cutout).resize(size, PIL.Image.Resampling.BILINEAR))
    shape = (
        np.asarray(PIL.Image.fromarray(shape.astype(np.uint8) * 255).resize(size, PIL.Image.Resampling.BILINEAR)) > 127
    )
    side = 1 if rng.random() < 0.5 else -1
    center = tx + twidth / 2 + side * rng.uniform(0.25, 0.6) * (twidth + size[0]) / 2
    bottom = ty + theight * (1 + rng.uniform(0, 0.15))
    return paste(scene, image, cutout, shape, round(center - size[0] / 2), round(bottom - size[1]), source)


def _whole(instance: Instance, width: int, height: int) -> bool:
    x, y, w, h = instance.require("inmodal").box
    touches = x < 1 or y < 1 or x + w > width - 1 or y + h > height - 1
    return min(w, h) >= 12 and not touches and instance.occlusion_rate < 0.01


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
