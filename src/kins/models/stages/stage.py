"""The seam between the region stage and methods: what a mask stage gets, what it gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kins.models.heads import Kept
from kins.models.proposals import at_least_single
from kins.models.targets import Drawn


@dataclasses.dataclass(frozen=True)
class Regions:
    """The regions of some images that masks are wanted for: foreground ones in training, final boxes at prediction.

    Attributes:
        features: (R, C, 14, 14) RoI features; (R, levels, C, 14, 14) with adaptive pooling (PANet).
        labels: (R,) int64, from 1: the true classes in training, those found at prediction.
        counts: how many of the regions lie in each image.
        kept: the 7x7 heads' maps, if the stage is coded.
    """

    features: Tensor
    labels: Tensor
    counts: Sequence[int]
    kept: Kept | None = None

    def mean(self, values: Tensor) -> Tensor:
        """(R,) to the mean over images of each image's mean; an image without regions counts as 0."""
        return torch.stack([part.sum() / max(1, len(part)) for part in values.split(list(self.counts))]).mean()


class MaskStage(nn.Module):
    """All masks of a network and their losses.

    A method derives from this, in a file of its own: `forward` gives logits by name, and where their losses and
    probabilities are not the plain ones, `losses` and `predict` do.

    Attributes:
        masks: names of the masks that `predict` gives.
        targets: by the name of the logits the target that they learn, one of `kins.models.targets.SOURCES`. The loader
            makes what these are drawn from.
        weights: of their losses; 1 if not stated.
        coded: whether `Regions.kept` is needed.
        wants_shapes: whether `prepare` is to be called.
    """

    masks: tuple[str, ...] = ("amodal", "inmodal")
    targets: Mapping[str, str] = MappingProxyType({"amodal": "amodal", "inmodal": "inmodal"})
    weights: Mapping[str, float] = MappingProxyType({})
    coded: bool = False
    wants_shapes: bool = False

    def prepare(self, labels: Tensor, masks: Tensor) -> None:
        """Called once before a training begins, if the stage wants shapes.

        Args:
            labels: (N,) int64, from 1, of instances of the training data.
            masks: (N, 28, 28) float32, 0 to 1: their amodal masks in their boxes.
        """

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """Logits by name, each (R, 28, 28)."""
        raise NotImplementedError

    def losses(self, regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """Scalars by name, loss_mask_<name> those of masks.

        Args:
            drawn: the regions' targets, by name.
        """
        return self.mask_losses(self(regions), regions, drawn)

    def predict(self, regions: Regions) -> dict[str, Tensor]:
        """mask_<name> (R, 28, 28) float32, probabilities over the box, for each of `masks`; others by their names:
        occlusion (R,), the probability of being occluded, and fit (R,), 0 to 1, how well a mask fits what
        is known, which changes the scores."""
        return self.mask_probabilities(self(regions))

    def mask_losses(self, logits: Mapping[str, Tensor], regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """The plain losses of the masks: the mean over images of each image's mean binary cross-entropy."""
        return {
            f"loss_mask_{name}": self.weights.get(name, 1.0) * regions.mean(cross_entropy(logits[name], drawn(target)))
            for name, target in self.targets.items()
        }

    def mask_probabilities(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The plain probabilities of the masks."""
        return {f"mask_{name}": at_least_single(logits[name]).sigmoid() for name in self.masks}


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of (R, h, w) logits, the mean of each region's cells: (R,)."""
    pixels = F.binary_cross_entropy_with_logits(at_least_single(logits), target, reduction="none")
    return pixels.flatten(1).mean(1)
