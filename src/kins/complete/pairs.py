"""Training samples of PCNet-M: an object and an eraser that is another one, from visible masks alone.

Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020. What the eraser takes away of an object is to be found
again; where the object erases the eraser, the object is to stay as it is. So no whole objects are needed for training.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kins.complete.window import Place, place_of, resampled
from kins.errors import KinsError
from kins.masks import Box, Mask
from kins.records import Dataset

Bools = npt.NDArray[np.bool_]
Rng = np.random.Generator

LEAST_SIDE = 5
"""Pixels; thinner instances are left out."""
ABOVE = 0.8
"""Probability that the eraser lies above the object."""
LEAST_COMMON = 0.4
"""Of the windows' area that object and eraser have in common."""
ERASED = (0.001, 0.9)
"""Least and most share of the object that an eraser covers."""
ATTEMPTS = 100


def window(box: Box) -> Place:
    """x, y and side of the square around the middle of a visible part's box, in pixels."""
    _, _, width, height = box
    return place_of(box, max(np.sqrt(3 * width * height), 1.1 * width, 1.1 * height))


class PairSet(torch.utils.data.Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Windows and their targets for `kins.models.pcnet`; indexed by a Draw (see kins.train.samples).

    Args:
        dataset: with visible masks; a mask that is the only one of its instance is taken for that.
        side: of the windows, in cells.
        seed: fixes all random choices, together with the Draw.

    Raises:
        KinsError: fewer than two masks are large enough.
    """

    def __init__(self, dataset: Dataset, side: int, seed: int = 0) -> None:
        self.dataset = dataset
        self.side = side
        self.seed = seed
        self.image_ids = list(dataset.images)
        self.instances = [
            (image, index)
            for image, scene in enumerate(dataset)
            for index, instance in enumerate(scene)
            if not instance.crowd and (mask := instance.seen) and min(mask.box[2:]) >= LEAST_SIDE
        ]
        if len(self.instances) < 2:
            raise KinsError(
                f"{dataset.path or 'the data set'}: has not two masks that are {LEAST_SIDE} pixels wide and high"
            )

    def __len__(self) -> int:
        return len(self.instances)

    def __getitem__(self, draw: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng((self.seed, draw[1], 4))
        whole = self._cropped(draw[0], rng)
        for _ in range(ATTEMPTS):
            eraser = shifted(self._cropped(int(rng.integers(len(self))), rng), shift(rng))
            if ERASED[0] <= (whole & eraser).sum() / max(whole.sum(), 1) < ERASED[1]:
                break
        seen, eraser = pair(whole, eraser, above=bool(rng.random() < ABOVE))
        windows = torch.from_numpy(np.stack([seen, eraser]).astype(np.float32))
        image = torch.tensor(self.instances[draw[0]][0])
        return windows, {"whole": torch.from_numpy(whole.astype(np.float32)), "image": image}

    def _cropped(self, index: int, rng: Rng) -> Bools:
        """An instance's mask in a window of its own, moved, scaled and mirrored at random."""
        image, number = self.instances[index]
        mask = self.dataset[self.image_ids[image]][number].seen
        assert mask is not None
        return cropped(mask, shaken(window(mask.box), rng), self.side, mirrored=bool(rng.random() < 0.5))


def shaken(place: Place, rng: Rng) -> Place:
    """Moved by at most a fifth of its side, and then of another size around the same middle."""
    x, y, side = place
    x, y = (float(value + rng.uniform(-0.2, 0.2) * side) for value in (x, y))
    new = side / float(rng.uniform(0.8, 1.2))
    return x + (side - new) / 2, y + (side - new) / 2, new


def cropped(mask: Mask, place: Place, side: int, mirrored: bool) -> Bools:
    """(side, side), what a window shows of a mask."""
    found = resampled(mask.to_array(), place, side) > 0.5
    return found[:, ::-1] if mirrored else found


def shift(rng: Rng) -> tuple[float, float]:
    """How far an eraser's window lies beside the object's, in sides: the two have a random share of their area in
    common."""
    common = rng.uniform(LEAST_COMMON, 1)
    right = float(rng.uniform(common - 1, 1 - common))
    down = float(1 - common / (1 - abs(right)))
    return right, down if rng.random() < 0.5 else -down


def shifted(mask: Bools, by: tuple[float, float]) -> Bools:
    """Moved to the right and down, in sides; what leaves the window is lost."""
    side = len(mask)
    right, down = (round(value * side) for value in by)
    padded = np.pad(mask, side)
    return padded[side - down : 2 * side - down, side - right : 2 * side - right]


def pair(whole: Bools, eraser: Bools, above: bool) -> tuple[Bools, Bools]:
    """What goes in: the object and the eraser, of which the upper one takes away from the lower one."""
    return (whole & ~eraser, eraser) if above else (whole, eraser & ~whole)
