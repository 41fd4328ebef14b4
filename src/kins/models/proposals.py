"""Random choices of the network that depend on the image alone, not on the batch or the process it is in."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead


class SeededSampler(BalancedPositiveNegativeSampler):
    """torchvision's sampler of positive and negative examples, with a seed for each image.

    Attributes:
        seeds: one for each image of the next call; None uses PyTorch's global generator.
    """

    seeds: list[int] | None = None

    def __call__(self, matched_idxs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        if self.seeds is None:
            return super().__call__(matched_idxs)
        positives: list[Tensor] = []
        negatives: list[Tensor] = []
        for labels, seed in zip(matched_idxs, self.seeds, strict=True):
            rng = np.random.default_rng(seed)
            positive, negative = torch.where(labels >= 1)[0], torch.where(labels == 0)[0]
            count = min(len(positive), int(self.batch_size_per_image * self.positive_fraction))
            rest = min(len(negative), self.batch_size_per_image - count)
            for chosen, candidates, number in ((positives, positive, count), (negatives, negative, rest)):
                # of half a million anchors it takes a few hundred without shuffling all of them
                places = torch.from_numpy(rng.choice(len(candidates), number, replace=False, shuffle=False))
                mask = torch.zeros_like(labels, dtype=torch.uint8)
                chosen.append(mask.index_fill_(0, candidates[places.to(labels.device)], 1))
        return positives, negatives


class ProposalHead(RPNHead):
    """torchvision's, with results in single precision: they move boxes."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, deltas = super().forward(x)
        return [at_least_single(t) for t in logits], [at_least_single(t) for t in deltas]


class ProposalNetwork(RegionProposalNetwork):
    """torchvision's region proposals; the losses are averaged over images, and the sampling is seeded.

    Args:
        border_anchors: learn from anchors that cross the image's border, too.
    """

    fg_bg_sampler: SeededSampler

    def __init__(self, *args: Any, border_anchors: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.border_anchors = border_anchors
        self.sizes: list[tuple[int, int]] = []
        self.fg_bg_sampler = SeededSampler(
            self.fg_bg_sampler.batch_size_per_image, self.fg_bg_sampler.positive_fraction
        )

    def forward(
        self, images: ImageList, features: dict[str, Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        self.fg_bg_sampler.seeds = target_seeds(targets or [])
        self.sizes = images.image_sizes
        boxes, losses = super().forward(images, features, targets)
        return boxes, losses

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """torchvision's labels (R,) of each image's anchors, 1, 0 or -1 for left out, and boxes matched with them."""
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        if not self.border_anchors:
            for own, boxes, (height, width) in zip(labels, anchors, self.sizes, strict=True):
                limits = boxes.new_tensor([width, height])
                outside = (boxes[:, :2] < 0).any(1) | (boxes[:, 2:] > limits).any(1)
                if not outside.all():  # a picture smaller than all anchors
                    own[outside] = -1
        return labels, matched

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        if len(labels) == 1:
            return super().compute_loss(objectness, pred_bbox_deltas, labels, regression_targets)
        seeds, counts = self.fg_bg_sampler.seeds, [len(label) for label in labels]
        losses = []
        for i, (scores, deltas) in enumerate(
            zip(objectness.flatten().split(counts), pred_bbox_deltas.split(counts), strict=True)
        ):
            self.fg_bg_sampler.seeds = None if seeds is None else seeds[i : i + 1]
            losses.append(super().compute_loss(scores, deltas, labels[i : i + 1], regression_targets[i : i + 1]))
        first, second = zip(*losses, strict=True)
        return torch.stack(first).mean(), torch.stack(second).mean()


def target_seeds(targets: list[dict[str, Tensor]]) -> list[int] | None:
    """The images' seeds, or None if the targets carry none."""
    return [int(t["seed"]) for t in targets] if targets and all("seed" in t for t in targets) else None


def at_least_single(values: Tensor) -> Tensor:
    """Half precision values in single precision, for losses and scores; others as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
