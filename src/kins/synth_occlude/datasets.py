"""Amodal data from modal data: cut-out instances pasted over others, so that what they hide is known.

The visible mask that an instance has before pasting becomes its amodal mask; what later pastes leave of it, its inmodal
mask. So the truth is exact with respect to the input's masks: parts that were hidden in the photograph already are
not invented. Pasting to learn completion follows Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kins.draw.scene import write_picture
from kins.errors import KinsError
from kins.files.pictures import read_picture
from kins.masks import Mask
from kins.records import Dataset, Image, Instance, Scene
from kins.work import progress

Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

MIN_VISIBLE = 0.15
"""A paste that would leave less than this share of another instance's amodal mask visible is tried elsewhere."""
MIN_SIDE = 24
"""Cut-outs are taken from instances of at least so many pixels in width and height, away from the border."""
ATTEMPTS = 12


@dataclass(frozen=True)
class Cutout:
    """An instance cut out of its picture. pixels: (h, w, 3) uint8; mask: (h, w) bool."""

    pixels: Pixels
    mask: Bools
    category_id: int
    category: str


def synth_occlude(dataset: Dataset, out: str | Path, pastes: int = 3, seed: int = 0) -> Dataset:
    """Writes OUT/images/*.png and OUT/annotations.json (KINS 2020) with up to `pastes` cut-outs a picture.

    Args:
        dataset: instances with inmodal masks (or amodal ones, used where there is no inmodal one) and an image folder.
        seed: the same seed gives the same pictures.

    Raises:
        KinsError: no image folder, an unreadable picture, or `out` is not empty.
    """
    out = Path(out)
    if dataset.images_dir is None:
        raise KinsError("synth-occlude needs the pictures; name their folder with --images")
    check_empty(out)
    donors = _donors(dataset)
    if not donors:
        raise KinsError(f"no instance is {MIN_SIDE} pixels wide and high and away from the border: nothing to paste")
    read = lru_cache(maxsize=16)(lambda path: read_picture(path))
    scenes = []
    images = progress(list(dataset.images.values()), "pasting")
    for number, image in enumerate(images):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
        scene = dataset[image.id]
        if scene.image_path is None:
            continue
        picture = read(scene.image_path)
        if picture.shape[:2] != (image.height, image.width):
            raise KinsError(f"{scene.image_path}: is not {image.width} x {image.height} pixels as annotated")
        cutouts = _cutouts(dataset, donors, rng, read)
        pixels, made = paste_over(scene, picture.copy(), cutouts, pastes, rng)
        name = f"{number:06d}.png"
        write_picture(pixels, out / "images" / name)
        extra = {**image.extra, "source": image.file_name}
        scenes.append(made.replace(image=Image(image.id, name, image.height, image.width, extra), image_path=None))
    result = Dataset.from_scenes(_renumbered(scenes), dataset.categories, images_dir=out / "images")
    result.save(out / "annotations.json")
    return result


def check_empty(out: Path) -> None:
    """Raises KinsError if there is something else than an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise KinsError(f"{out}: exists; choose a new or empty folder")


def paste_over(
    scene: Scene, picture: Pixels, cutouts: Iterator[Cutout], pastes: int, rng: np.random.Generator
) -> tuple[Pixels, Scene]:
    """`picture` (height, width, 3) with up to `pastes` cut-outs over instances of the scene, and the scene of all.

    Later pastes lie over earlier ones. Masks of the result: see the module. Where an instance has both masks, its own
    amodal mask stays.
    """
    shape = picture.shape[:2]
    known = [(i, i.whole, i.seen) for i in scene if not i.crowd and i.whole is not None and i.seen]
    amodal = [whole.to_array() for _, whole, _ in known]
    visible = [seen.to_array() for _, _, seen in known]
    labels = [(i.category_id, i.category) for i, _, _ in known]
    for _ in range(pastes if known else 0):
        for _ in range(ATTEMPTS):
            target = int(rng.integers(len(visible)))
            placed = _place(next(cutouts), visible[target], shape, rng)
            if placed is None:
                continue
            cutout, mask, left, top = placed
            left_over = [v & ~mask for v in visible]
            if any(
                after.sum() < min(MIN_VISIBLE * whole.sum(), before.sum())
                for after, before, whole in zip(left_over, visible, amodal, strict=True)
            ):
                continue
            _blend(picture, cutout, left, top)
            visible = [*left_over, mask]
            amodal.append(mask)
            labels.append((cutout.category_id, cutout.category))
            break
    instances = [
        Instance(n, *label, Mask.from_array(a), Mask.from_array(v), crowd=False, position=n)
        for n, (label, a, v) in enumerate(zip(labels, amodal, visible, strict=True))
    ]
    made = scene.replace(instances=tuple(instances))
    order = made.occlusion()
    ordered = (
        i.replace(cluster=int(c), order=int(o)) for i, c, o in zip(instances, order.clusters, order.order, strict=True)
    )
    return picture, made.replace(instances=tuple(ordered))


def _place(
    cutout: Cutout, target: Bools, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Cutout, Bools, int, int] | None:
    """The cut-out in about the target's size, hiding part of it: scaled, its mask on the picture, and its corner."""
    rows, columns = np.flatnonzero(target.any(1)), np.flatnonzero(target.any(0))
    if not len(rows):
        return None
    size = np.sqrt(target.sum() / cutout.mask.sum()) * rng.uniform(0.75, 1.25)
    height, width = (max(8, round(side * size)) for side in cutout.mask.shape)
    if height > shape[0] or width > shape[1] or max(height, width) < 12:
        return None
    scaled = _resized(cutout, height, width, mirrored=bool(rng.random() < 0.5))
    # Feet on about the same ground as the target, or a little nearer to the camera; shifted sideways.
    bottom = rows[-1] + 1 + round(rng.uniform(-0.05, 0.25) * (rows[-1] - rows[0] + 1))
    middle = (columns[0] + columns[-1] + 1) / 2 + rng.choice([-1, 1]) * rng.uniform(0.2, 0.8) * np.ptp(columns)
    left, top = round(middle - width / 2), int(bottom - height)
    mask = np.zeros(shape, bool)
    window, part = _windows(left, top, (height, width), shape)
    mask[window] = scaled.mask[part]
    hidden = int((mask & target).sum())
    if not 0.03 * target.sum() < hidden < (1 - MIN_VISIBLE) * target.sum():
        return None
    return scaled, mask, left, top


def _windows(
    left: int, top: int, size: tuple[int, int], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the picture, and of a patch whose corner lies at (left, top), where both overlap."""
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = max(min(top + size[0], shape[0]), y0), max(min(left + size[1], shape[1]), x0)
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _blend(picture: Pixels, cutout: Cutout, left: int, top: int) -> None:
    """Draws the cut-out with an edge softened over about two pixels; the mask's outline is where both weigh alike."""
    from scipy.ndimage import gaussian_filter

    window, part = _windows(left, top, cutout.mask.shape[:2], picture.shape[:2])
    soft = gaussian_filter(np.pad(cutout.mask.astype(np.float32), 3), 0.8)[3:-3, 3:-3]
    weight = soft[part][..., None]
    mixed = picture[window] * (1 - weight) + cutout.pixels[part] * weight
    picture[window] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _resized(cutout: Cutout, height: int, width: int, mirrored: bool) -> Cutout:
    import PIL.Image

    box = PIL.Image.Resampling.BOX if height < cutout.mask.shape[0] else PIL.Image.Resampling.BILINEAR
    pixels = np.asarray(PIL.Image.fromarray(cutout.pixels).resize((width, height), box), np.uint8)
    soft = PIL.Image.fromarray(cutout.mask.astype(np.uint8) * 255).resize((width, height), box)
    mask = np.asarray(soft) >= 128
    if mirrored:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    return Cutout(pixels, mask, cutout.category_id, cutout.category)


def _donors(dataset: Dataset) -> list[tuple[int, int]]:
    """(image id, index in the scene) of instances that can be cut out: whole, by all that the data says."""
    found = []
    for scene in dataset:
        for index, instance in enumerate(scene):
            mask = instance.seen
            if instance.crowd or not mask or (instance.both_known and instance.occlusion_rate > 0.02):
                continue
            x, y, w, h = mask.box
            away = x > 0 and y > 0 and x + w < mask.width and y + h < mask.height
            if away and min(w, h) >= MIN_SIDE and mask.area > 0.15 * w * h:
                found.append((scene.image.id, index))
    return found


def _cutouts(dataset: Dataset, donors: list[tuple[int, int]], rng: np.random.Generator, read) -> Iterator[Cutout]:  # type: ignore[no-untyped-def]
    while True:
        image_id, index = donors[int(rng.integers(len(donors)))]
        scene = dataset[image_id]
        instance, seen = scene[index], scene[index].seen
        assert seen is not None
        x, y, w, h = (int(v) for v in seen.box)
        window = np.s_[y : y + h, x : x + w]
        pixels = read(scene.image_path)[window]
        yield Cutout(pixels, seen.to_array()[window], instance.category_id, instance.category)


def _renumbered(scenes: list[Scene]) -> list[Scene]:
    """With annotation ids that count up from 1 over the whole set."""
    start = 1
    result = []
    for scene in scenes:
        result.append(scene.replace(instances=tuple(i.replace(id=start + n) for n, i in enumerate(scene))))
        start += len(scene)
    return result
