"""Training samples for mask completion: objects that others hide, made without end, with the truth.

An object and its neighbours are silhouettes of a data set's amodal masks, turned, stretched and mirrored, or random
shapes: blobs, polygons, bodies with limbs. What lies in front hides part of the object; the network sees what is left
of it and of the others, disturbed as detectors disturb masks, and learns the whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import torch
from torch import Tensor

from kins.complete.window import Place, resampled, window
from kins.errors import KinsError
from kins.masks import Mask
from kins.models.completion import SIZE
from kins.records import Dataset

Bools = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Rng = np.random.Generator

STORED = 64
"""Side to which silhouettes are scaled for keeping."""
LEAST_AREA = 400
"""Pixels of the amodal masks that are taken for silhouettes; they must not touch the image's border."""
LEAST_SEEN = 40
MOST_HIDDEN = 0.85
ATTEMPTS = 30


class CompletionSet(torch.utils.data.Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Windows and their targets for `kins.models.completion`; indexed by a Draw (see kins.train.samples), of which
    only the place counts.

    Args:
        dataset: where silhouettes come from.
        shapes: share of things that are random shapes; 1 needs no data set.
        seed: fixes all random choices, together with the Draw.

    Raises:
        KinsError: no amodal mask is large enough.
    """

    def __init__(self, dataset: Dataset, shapes: float = 0.5, seed: int = 0) -> None:
        self.silhouettes = silhouettes(dataset) if shapes < 1 else np.zeros((0, STORED, STORED), np.uint8)
        self.shapes = shapes
        self.seed = seed
        self.length = max(len(dataset), 1)
        if shapes < 1 and not len(self.silhouettes):
            raise KinsError(
                f"{dataset.path or 'the data set'}: no amodal mask has {LEAST_AREA} pixels and lies inside of its "
                "image; augment.shapes=1 learns from random shapes alone"
            )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, draw: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng((self.seed, draw[1], 2))
        visible, others, whole = covered(rng, self._thing)
        seen = np.stack([visible, others]).astype(np.float32)
        target = torch.from_numpy(whole.astype(np.float32))
        return torch.from_numpy(seen), {"whole": target, "image": torch.tensor(draw[0])}

    def _thing(self, rng: Rng, box: tuple[float, float, float, float]) -> Bools:
        """A thing that fills a box (x, y, width, height) of the canvas, or fits into it."""
        if rng.random() >= self.shapes:
            return _stretched(self.silhouettes[int(rng.integers(len(self.silhouettes)))], rng, box)
        parts = random_shape(rng)
        points = np.concatenate(parts)
        low, high = points.min(0), points.max(0)
        scale = np.array(box[2:]) / np.maximum(high - low, 1e-3)
        if rng.random() < 0.7:
            scale[:] = scale.min()
        return _drawn([(part - low) * scale + box[:2] for part in parts])


def silhouettes(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """(N, STORED, STORED) the amodal masks of a data set that lie inside of their images, stretched to a square."""
    kept = []
    for scene in dataset:
        for instance in scene:
            mask = instance.amodal
            if instance.crowd or mask is None or mask.area < LEAST_AREA:
                continue
            x, y, width, height = (int(value) for value in mask.box)
            if x > 0 and y > 0 and x + width < mask.width and y + height < mask.height:
                kept.append(_squared(mask.cropped(x, y, width, height)))
    return np.stack(kept) if kept else np.zeros((0, STORED, STORED), np.uint8)


def _squared(mask: Mask) -> npt.NDArray[np.uint8]:
    picture = PIL.Image.fromarray(mask.to_array().view(np.uint8) * np.uint8(255))
    return np.asarray(picture.resize((STORED, STORED), PIL.Image.Resampling.BILINEAR))


def covered(rng: Rng, thing: Callable[[Rng, tuple[float, float, float, float]], Bools]) -> tuple[Bools, Bools, Bools]:
    """What is seen of an object and of the others, and the whole object, each (SIZE, SIZE), in the object's window."""
    while True:
        width, height = np.clip(np.exp(rng.normal(np.log(46), 0.35, 2)), 14, 90)
        middle = SIZE / 2 + rng.normal(0, 8, 2)
        whole = thing(rng, (middle[0] - width / 2, middle[1] - height / 2, width, height))
        front, back = _neighbours(rng, thing, middle, (width, height))
        visible = whole & ~front
        hidden = 1 - visible.sum() / max(whole.sum(), 1)
        if hidden > MOST_HIDDEN or visible.sum() < LEAST_SEEN or (hidden < 0.02 and rng.random() < 0.75):
            continue
        others = (front | (back & ~whole)) & ~visible
        if rng.random() < 0.06:  # part of what hides is no instance
            others = others & thing(rng, (0, 0, SIZE, SIZE))
        place = shaken(rng, window(Mask.from_array(visible).box))
        visible, others, whole = (resampled(mask, place, SIZE) > 0.5 for mask in (visible, others, whole))
        if visible.sum() < LEAST_SEEN:
            continue
        seen = disturbed(rng, visible)
        seen = seen if seen.sum() >= LEAST_SEEN else visible
        return seen, disturbed(rng, others) & ~seen, whole


def _neighbours(
    rng: Rng,
    thing: Callable[[Rng, tuple[float, float, float, float]], Bools],
    middle: Points,
    size: tuple[float, float],
) -> tuple[Bools, Bools]:
    """One to three others that overlap an object, in front of it and behind it."""
    layers = np.zeros((2, SIZE, SIZE), bool)
    for _ in range(rng.integers(1, 4)):
        width, height = np.clip(np.array(size) * np.exp(rng.normal(0.1, 0.45, 2)), 10, 120)
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.95)
        x = middle[0] + np.cos(angle) * away * (size[0] + width) / 2 - width / 2
        y = middle[1] + np.sin(angle) * away * (size[1] + height) / 2 - height / 2
        layers[int(rng.random() >= 0.62)] |= thing(rng, (x, y, width, height))
    return layers[0], layers[1]


def shaken(rng: Rng, place: Place) -> Place:
    """A little moved, and of another size."""
    x, y, side = place
    new = side * rng.uniform(0.85, 1.2)
    shift = (side - new) / 2 + rng.normal(0, 0.03, 2) * new
    return x + float(shift[0]), y + float(shift[1]), new


def disturbed(rng: Rng, mask: Bools) -> Bools:
    """As detectors give masks: often right, sometimes too small, too large, or too smooth."""
    kind, steps = rng.random(), int(rng.integers(1, 4))
    if kind < 0.45:
        return mask
    picture = PIL.Image.fromarray(mask.view(np.uint8) * np.uint8(255))
    if kind < 0.62:
        change: PIL.ImageFilter.Filter = PIL.ImageFilter.MinFilter(2 * steps + 1)
    elif kind < 0.78:
        change = PIL.ImageFilter.MaxFilter(2 * steps + 1)
    else:
        change = PIL.ImageFilter.GaussianBlur(rng.uniform(1, 2.5))
    return np.asarray(picture.filter(change)) > 127


def _stretched(silhouette: npt.NDArray[np.uint8], rng: Rng, box: tuple[float, float, float, float]) -> Bools:
    picture = PIL.Image.fromarray(silhouette)
    if rng.random() < 0.5:
        picture = picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    angle = rng.normal(0, 8) if rng.random() < 0.7 else rng.uniform(0, 360)
    picture = picture.rotate(angle, PIL.Image.Resampling.NEAREST, expand=True)
    x, y, width, height = box
    size = max(2, int(width)), max(2, int(height))
    picture = picture.crop(picture.getbbox() or (0, 0, 1, 1)).resize(size, PIL.Image.Resampling.BILINEAR)
    canvas = PIL.Image.new("L", (SIZE, SIZE))
    canvas.paste(picture, (int(x), int(y)))
    return np.asarray(canvas) > 127


def _drawn(parts: list[Points]) -> Bools:
    canvas = PIL.Image.new("L", (2 * SIZE, 2 * SIZE))
    pen = PIL.ImageDraw.Draw(canvas)
    for part in parts:
        pen.polygon([(x, y) for x, y in (2 * part).tolist()], fill=1)
    return np.asarray(canvas)[::2, ::2] > 0


def random_shape(rng: Rng) -> list[Points]:
    """A thing as polygons (n, 2) about the origin, about 1 in radius."""
    kind = rng.random()
    if kind < 0.35:
        return [_turned(_blob(rng, 1), rng.uniform(0, 2 * np.pi))]
    if kind < 0.5:
        make = _rectangle if rng.random() < 0.6 else _polygon
        return [_turned(make(rng, 1), rng.normal(0, 0.3) if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi))]
    if kind < 0.8:
        return _body(rng)
    parts = []
    for _ in range(rng.integers(2, 5)):
        make = (_blob, _rectangle, _polygon, _limb)[int(rng.integers(4))]
        parts.append(_turned(make(rng, rng.uniform(0.3, 0.9)), rng.uniform(0, 2 * np.pi)) + rng.normal(0, 0.35, 2))
    return parts


def _body(rng: Rng) -> list[Points]:
    """A trunk with limbs on both sides or on one, often with a head."""
    parts = [_blob(rng, 0.5) * [1, rng.uniform(1, 1.8)]]
    for _ in range(rng.integers(1, 4)):
        at = np.array([rng.uniform(0, 0.45), rng.uniform(-0.6, 0.8)])
        limb = _turned(_limb(rng, 0.6), rng.uniform(-1.8, 1.8)) + at
        parts.append(limb)
        if rng.random() < 0.75:
            parts.append(limb * [-1, 1] + rng.normal(0, 0.05, 2))
    if rng.random() < 0.6:
        parts.append(_blob(rng, rng.uniform(0.15, 0.35)) - np.array([0, rng.uniform(0.6, 1.1)]))
    angle = rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(0, 2 * np.pi)
    return [_turned(part, angle) for part in parts]


def _blob(rng: Rng, radius: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    distance = np.ones_like(angle)
    for wave in range(1, int(rng.integers(3, 8))):
        distance += rng.normal(0, 0.28 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    distance = np.clip(distance, 0.15, None) * radius
    return np.stack([distance * np.cos(angle), distance * np.sin(angle) * rng.uniform(0.4, 1)], 1)


def _limb(rng: Rng, radius: float) -> Points:
    long, thick, bend = radius * rng.uniform(0.6, 1.6), radius * rng.uniform(0.12, 0.35), rng.normal(0, 0.6)
    end = np.array([long / 2 * (1 + np.cos(bend)), long / 2 * np.sin(bend)])
    upper, lower = rng.uniform(0.7, 1.2, 2) * thick
    tips = end + 0.6 * thick * np.array([[0, -1], [0, 1]])
    return np.array([[0, -thick], [long / 2, -upper], *tips, [long / 2, lower], [0, thick]])


def _polygon(rng: Rng, radius: float) -> Points:
    angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
    corners = np.stack([np.cos(angle), np.sin(angle) * rng.uniform(0.3, 1)], 1)
    return np.asarray(corners * radius * rng.uniform(0.7, 1.2, (len(angle), 1)))


def _rectangle(rng: Rng, radius: float) -> Points:
    half = np.array([radius, radius * rng.uniform(0.15, 1)])
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half


def _turned(points: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))
