"""Cut-outs pasted into pictures: which instances can be cut out, where one goes, its soft edge, and what it hides.

Pasting to learn completion follows Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter

from kins.masks import Mask, intersections
from kins.records import Instance, Scene

Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Slices = tuple[slice, slice]

MIN_VISIBLE = 0.15
"""A paste that would leave less than this share of another instance's amodal mask visible is tried elsewhere."""
MIN_HIDDEN = 0.03
"""So is one that would hide less than this share of what is visible of the instance that it goes over."""
ATTEMPTS = 12


@dataclass(frozen=True)
class Cutout:
    """An instance cut out of its picture. pixels: (h, w, 3) uint8; mask: (h, w) bool."""

    pixels: Pixels
    mask: Bools
    category_id: int
    category: str

    def resized(self, height: int, width: int, mirrored: bool = False) -> Cutout:
        """Of this size in pixels, and perhaps with left and right swapped."""
        how = PIL.Image.Resampling.BOX if height < self.mask.shape[0] else PIL.Image.Resampling.BILINEAR
        pixels = np.asarray(PIL.Image.fromarray(self.pixels).resize((width, height), how), np.uint8)
        soft = PIL.Image.fromarray(self.mask.astype(np.uint8) * 255).resize((width, height), how)
        mask = np.asarray(soft) >= 128
        if mirrored:
            pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        return Cutout(pixels, mask, self.category_id, self.category)

    def on(self, shape: tuple[int, int], left: int, top: int) -> Mask:
        """Its mask in a picture of (height, width), its upper left corner at (left, top), perhaps outside."""
        mask = np.zeros(shape, bool)
        window, part = _windows(left, top, self.mask.shape[:2], shape)
        mask[window] = self.mask[part]
        return Mask.from_array(mask)


def can_be_cut_out(instance: Instance, min_side: int) -> bool:
    """Whether it is one whole object, by all that the data says, away from the border, and so wide and high."""
    mask = instance.seen
    if instance.crowd or not mask or (instance.both_known and instance.occlusion_rate > 0.02):
        return False
    x, y, w, h = mask.box
    away = x > 0 and y > 0 and x + w < mask.width and y + h < mask.height
    return away and min(w, h) >= min_side and mask.area > 0.15 * w * h


def cut_out(instance: Instance, picture: Pixels) -> Cutout:
    """What is seen of an instance (its amodal mask where that is not known) in its picture, (height, width, 3)."""
    mask = instance.require("amodal") if instance.inmodal is None else instance.inmodal
    x, y, w, h = (int(v) for v in mask.box)
    shape = mask.cropped(x, y, w, h).to_array()
    return Cutout(picture[y : y + h, x : x + w], shape, instance.category_id, instance.category)


def paste_over(
    scene: Scene, picture: Pixels, cutouts: Iterator[Cutout], rng: np.random.Generator
) -> tuple[Scene, Pixels]:
    """One of the cut-outs over one of the instances, in about its size and hiding part of it; as `paste`.

    At least MIN_VISIBLE of every instance stays visible, or what was. The same scene and picture where nothing fits
    in ATTEMPTS tries.
    """
    shape = picture.shape[0], picture.shape[1]
    known = [(i.whole, i.seen) for i in scene if not i.crowd and i.whole is not None and i.seen]
    visible = [seen for _, seen in known]
    whole, before = np.array([mask.area for mask, _ in known]), np.array([mask.area for mask in visible])
    for _ in range(ATTEMPTS if known else 0):
        target = int(rng.integers(len(known)))
        placed = _place(next(cutouts), visible[target], shape, rng)
        if placed is None:
            continue
        hidden = intersections([placed[0].on(shape, *placed[1:])], visible)[0]
        share = hidden[target] / before[target]
        spared = (before - hidden >= np.minimum(MIN_VISIBLE * whole, before)).all()
        if MIN_HIDDEN < share < 1 - MIN_VISIBLE and spared:
            return paste(scene, picture, *placed)
    return scene, picture


def _place(
    cutout: Cutout, target: Mask, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Cutout, int, int] | None:
    """The cut-out in about the target's size, and its left and upper end; None where it is too large or too small."""
    size = np.sqrt(target.area / cutout.mask.sum()) * rng.uniform(0.75, 1.25)
    height, width = (max(8, round(side * size)) for side in cutout.mask.shape)
    if height > shape[0] or width > shape[1] or max(height, width) < 12:
        return None
    scaled = cutout.resized(height, width, mirrored=bool(rng.random() < 0.5))
    # Feet on about the same ground as the target, or a little nearer to the camera; shifted sideways.
    x, y, w, h = target.box
    bottom = y + h + round(rng.uniform(-0.05, 0.25) * h)
    middle = x + w / 2 + rng.choice([-1, 1]) * rng.uniform(0.2, 0.8) * (w - 1)
    return scaled, round(middle - width / 2), int(bottom - height)


def paste(scene: Scene, picture: Pixels, cutout: Cutout, left: int, top: int) -> tuple[Scene, Pixels]:
    """Puts a cut-out in front of everything.

    Args:
        picture: (height, width, 3) uint8; stays as it is.
        left, top: where the cut-out's upper left corner comes, perhaps outside of the picture.

    Returns:
        The scene with one instance more, which hides what it covers, without what is fully hidden then; and the new
        picture, changed in the pixels of that instance only. Its edge is softened by one pixel.
    """
    shape = picture.shape[0], picture.shape[1]
    front = cutout.on(shape, left, top)
    if not front:
        return scene, picture
    window, part = _windows(left, top, cutout.mask.shape[:2], shape)
    weight = _soft(cutout.mask)[part][..., None]
    picture = picture.copy()
    picture[window] = np.rint(picture[window] * (1 - weight) + cutout.pixels[part] * weight).astype(np.uint8)
    behind = (_behind(instance, front) for instance in scene)
    number = 1 + max((i.id for i in scene), default=-1)
    new = Instance(number, cutout.category_id, cutout.category, amodal=front, inmodal=front, crowd=False)
    left_over = [i for i in behind if i.inmodal is None or i.inmodal]
    return scene.replace(instances=(*left_over, new)), picture


def _behind(instance: Instance, front: Mask) -> Instance:
    if instance.inmodal is None:
        return instance
    return instance.replace(inmodal=instance.inmodal - front, inmodal_box=None, inmodal_area=None)


def _soft(mask: Bools) -> npt.NDArray[np.float32]:
    """(h, w) weights: 0 outside of the mask, at its edge less than 1, but no less than a half."""
    blurred = PIL.Image.fromarray(np.pad(mask, 1).astype(np.uint8) * 255).filter(PIL.ImageFilter.BoxBlur(1))
    return np.where(mask, np.maximum(np.asarray(blurred)[1:-1, 1:-1], 128), 0).astype(np.float32) / np.float32(255)


def _windows(left: int, top: int, size: tuple[int, int], shape: tuple[int, int]) -> tuple[Slices, Slices]:
    """Slices of the picture, and of a patch whose corner lies at (left, top), where both overlap."""
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = max(min(top + size[0], shape[0]), y0), max(min(left + size[1], shape[1]), x0)
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
