"""Training samples for mask completion with the picture: windows around the objects of a data set with both masks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kins.complete.samples import LEAST_SEEN, MOST_HIDDEN, disturbed, shaken
from kins.complete.window import pictured, resampled, window
from kins.config import AugmentConfig
from kins.errors import KinsError
from kins.masks import union
from kins.models.completion import SIZE
from kins.records import Dataset, Instance, Scene
from kins.train.augment import augment, photographed

ATTEMPTS = 100
"""Images that are drawn until one has an object that can be used."""
HIDDEN_FIRST = 0.75
"""Probability that one of an image's occluded objects is taken, if there are any."""
OCCLUDED = 0.02


class PictureSet(torch.utils.data.Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Windows and their targets for `kins.models.completion` with an encoder; indexed by a Draw (see
    kins.train.samples).

    Args:
        dataset: with both masks and an image folder.
        augmentation: mirror, color, paste and what `augment.photographed` does.
        seed: fixes all random choices, together with the Draw.

    Raises:
        KinsError: on access, for a missing picture, or where no object can be used.
    """

    def __init__(self, dataset: Dataset, augmentation: AugmentConfig, seed: int = 0) -> None:
        self.dataset = dataset
        self.image_ids = list(dataset.images)
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, draw: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng((self.seed, draw[1], 5))
        index = draw[0]
        for _ in range(ATTEMPTS):
            scene = self.dataset[self.image_ids[index]]
            scene, image = augment(scene, scene.read_image(), self.augmentation, rng, self._donor)
            chosen = choose(scene, rng)
            if chosen is not None:
                return sample(scene, photographed(image, self.augmentation, rng), chosen, rng, index)
            index = int(rng.integers(len(self)))
        raise KinsError(
            f"{self.dataset.path or 'the data set'}: {ATTEMPTS} images have no object with both masks of which "
            f"{LEAST_SEEN} pixels are visible; model.rgb=false learns from amodal masks alone"
        )

    def _donor(self, rng: np.random.Generator) -> Scene:
        return self.dataset[self.image_ids[int(rng.integers(len(self)))]]


def choose(scene: Scene, rng: np.random.Generator) -> int | None:
    """The place of an object that can be used, most often of an occluded one; None if there is none."""
    usable = [index for index, instance in enumerate(scene) if _usable(instance)]
    hidden = [index for index in usable if scene[index].occlusion_rate >= OCCLUDED]
    kept = hidden if hidden and rng.random() < HIDDEN_FIRST else usable
    return kept[int(rng.integers(len(kept)))] if kept else None


def _usable(instance: Instance) -> bool:
    if instance.crowd or not instance.both_known:
        return False
    return instance.require("inmodal").area >= LEAST_SEEN and instance.occlusion_rate <= MOST_HIDDEN


def sample(
    scene: Scene, image: np.ndarray, index: int, rng: np.random.Generator, place: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """A window (5, SIZE, SIZE), what is seen of an object and of the others, disturbed as detectors disturb masks, and
    the picture; and the target."""
    own = scene[index].require("inmodal")
    rest = [i.inmodal for number, i in enumerate(scene) if number != index and i.inmodal is not None]
    others = union(rest, own.height, own.width) - own
    where = shaken(rng, window(own.box))
    seen, near, whole = (
        resampled(mask.to_array(), where, SIZE) > 0.5 for mask in (own, others, scene[index].require("amodal"))
    )
    changed = disturbed(rng, seen)
    seen = changed if changed.any() else seen
    masks = np.stack([seen, disturbed(rng, near) & ~seen]).astype(np.float32)
    window_ = np.concatenate([masks, pictured(image, where, SIZE)])
    return torch.from_numpy(window_), {
        "whole": torch.from_numpy(whole.astype(np.float32)),
        "image": torch.tensor(place),
    }
