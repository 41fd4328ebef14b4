"""Training samples for networks that tell who is in front (kins.models.ordernet): pairs of a data set's objects.

As in InstaOrder's training (Lee and Park, CVPR 2022) seven of ten pairs are ones of which one hides part of the other,
in either sequence; the others touch, and neither hides anything.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kins.complete.order import bordering, pair_window, seen
from kins.complete.pairs import shaken
from kins.complete.samples import disturbed
from kins.complete.window import Place, pictured
from kins.config import AugmentConfig
from kins.errors import KinsError
from kins.masks import Mask
from kins.models.ordernet import OrderNetwork
from kins.occlusion import occlusion
from kins.records import Dataset, Scene
from kins.train.augment import augment, photographed

Ints = npt.NDArray[np.int64]
Rng = np.random.Generator

RELATED = 0.7
"""Probability of a pair of which one hides part of the other, if there is one in the image."""
LEAST_SEEN = 40
"""Pixels; objects of which less is seen are left out."""
ATTEMPTS = 100
"""Images that are drawn until one has a pair."""


class OrderSet(torch.utils.data.Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Windows around two objects, and how much each hides of the other; indexed by a Draw (see kins.train.samples).

    Args:
        dataset: with both masks, or with visible ones and stated pairs (InstaOrder); with pictures, if the network
            looks at them.
        network: for the side of its windows, and whether it looks at pictures.
        augmentation: mirror (of windows), color, crop, paste and what `augment.photographed` does.
        seed: fixes all random choices, together with the Draw.

    Raises:
        KinsError: on access, for a missing picture, or where nothing says who hides whom.
    """

    def __init__(self, dataset: Dataset, network: OrderNetwork, augmentation: AugmentConfig, seed: int = 0) -> None:
        self.dataset = dataset
        self.image_ids = list(dataset.images)
        self.side, self.rgb = network.side, network.rgb
        self.mirror = augmentation.mirror
        lost = ("mirror",) if network.rgb else ("mirror", "color", "paste")  # masks alone need no pictures
        self.augmentation = augmentation.model_copy(update=dict.fromkeys(lost, 0.0))
        self.seed = seed

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, draw: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng((self.seed, draw[1], 6))
        index = draw[0]
        for _ in range(ATTEMPTS):
            scene = self.dataset[self.image_ids[index]].clipped()
            blank = np.zeros((scene.image.height, scene.image.width, 3), np.uint8)
            image = scene.read_image() if self.rgb else blank
            scene, image = augment(scene, image, self.augmentation, rng, self._donor)
            scene, hidden = known(scene)
            pair = choose(hidden, scene, rng)
            if pair is not None:
                return self._sample(scene, image, pair, hidden, rng, index)
            index = int(rng.integers(len(self)))
        raise KinsError(
            f"{self.dataset.path or 'the data set'}: {ATTEMPTS} images have no two objects that touch, each with "
            f"{LEAST_SEEN} visible pixels"
        )

    def _sample(
        self, scene: Scene, image: npt.NDArray[np.uint8], pair: tuple[int, int], hidden: Ints, rng: Rng, index: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        i, j = pair
        first, second = (scene[k].require("inmodal") for k in pair)
        place = shaken(pair_window(first.box, second.box), rng)
        parts = [np.stack([_disturbed(mask, place, self.side, rng) for mask in (first, second)])]
        if self.rgb:
            parts.append(pictured(photographed(image, self.augmentation, rng), place, self.side))
        windows = torch.from_numpy(np.concatenate(parts))
        windows = windows.flip(2) if rng.random() < self.mirror else windows
        order = torch.tensor([hidden[i, j], hidden[j, i]], dtype=torch.float32)
        return windows, {"order": order, "image": torch.tensor(index)}

    def _donor(self, rng: Rng) -> Scene:
        return self.dataset[self.image_ids[int(rng.integers(len(self)))]]


def _disturbed(mask: Mask, place: Place, side: int, rng: Rng) -> npt.NDArray[np.float32]:
    """As detectors give masks; as it is where nothing would be left of it."""
    pixels = seen(mask, place, side)
    changed = disturbed(rng, pixels)
    return (changed if changed.any() else pixels).astype(np.float32)


def known(scene: Scene) -> tuple[Scene, Ints]:
    """The scene without crowds and with objects alone of which enough is seen, and (n, n) how much each hides of each.

    By the masks, in pixels, where all have both; else by the pairs that an image states (InstaOrder's), each 1.

    Raises:
        KinsError: there is neither.
    """
    usable = [i for i in scene if not i.crowd and (i.inmodal is None or i.inmodal.area >= LEAST_SEEN)]
    scene = scene.replace(instances=tuple(usable))
    stated = scene.image.extra.get("depth_constraint")
    if all(instance.both_known for instance in scene):
        return scene, occlusion(scene, predicted=False).weights
    if stated is None:
        raise KinsError(
            f"image {scene.image.file_name}: nothing says who hides whom: it needs both masks of every instance, or "
            "InstaOrder's pairs"
        )
    numbers = {instance.id: number for number, instance in enumerate(scene)}
    hidden = np.zeros((len(scene),) * 2, np.int64)
    for front, back in stated:
        if front in numbers and back in numbers:
            hidden[numbers[front], numbers[back]] = 1
    return scene, hidden


def choose(hidden: Ints, scene: Scene, rng: Rng) -> tuple[int, int] | None:
    """Two objects, in a random sequence; None if no two touch."""
    related = (hidden + hidden.T) > 0
    wanted = rng.random() < RELATED
    found = np.argwhere(np.triu(related, 1))
    if not wanted or not len(found):
        others = np.argwhere(np.triu(bordering(scene.masks("inmodal")) & ~related, 1))
        found = others if len(others) else found
    if not len(found):
        return None
    i, j = found[int(rng.integers(len(found)))].tolist()
    return (i, j) if rng.random() < 0.5 else (j, i)
