"""Visible and hidden parts, which together are the whole: what is hidden is learned for itself, with what hides it.

Ours. Of a region's cells most are visible or none of the object's, so that a mean over all of them says little of the
hidden ones, from which the order follows, too. Here the hidden part has a head of its own, guided by the visible one's
map and by multi-level coding (Qi et al., CVPR 2019); in its loss hidden cells weigh more than others, and it counts how
much of the hidden part is met. A mask of the true occluders is learned beside it, in training alone.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from kins.config import NETWORKS, ModelConfig, Section, checked
from kins.models.heads import MaskEnd, conv
from kins.models.proposals import at_least_single
from kins.models.stages.mlc import MultiLevelCoding
from kins.models.stages.panet import FullyConnectedBranch
from kins.models.stages.stage import MaskStage, Regions
from kins.models.targets import Drawn


class PartOptions(Section):
    """Of networks that learn the hidden part for itself.

    Attributes:
        weight: of a hidden cell in the hidden mask's loss; that of the others is 1.
        met: whether the loss counts how much of the hidden part is met, too (1 - IoU of probabilities).
        place: whether a fully connected branch says where in the box hidden parts lie.
    """

    weight: float = Field(3.0, gt=0, le=1e6)
    met: bool = True
    place: bool = True


class VisibleAndHidden(MaskStage):
    """One coding for a visible head and a hidden one; the amodal mask is the union of both, as of independent events.

    Args:
        coding: multi-level coding, to maps of `channels`.
        channels: width of the convolutions.
        num_classes: background not counted.
        depth: convolutions of a head.
        options: what can be left out.
    """

    masks = ("amodal", "inmodal", "hidden")
    weights = MappingProxyType({"occluder": 0.25})
    targets = MappingProxyType({"amodal": "amodal", "inmodal": "inmodal", "hidden": "hidden", "occluder": "occluder"})
    coded = True

    def __init__(
        self, coding: MultiLevelCoding, channels: int, num_classes: int, depth: int, options: PartOptions
    ) -> None:
        super().__init__()
        self.coding, self.options = coding, options
        self.visible = nn.Sequential(*(conv(channels, channels) for _ in range(depth)))
        self.behind = nn.Sequential(conv(2 * channels, channels), *(conv(channels, channels) for _ in range(depth - 1)))
        self.ends = nn.ModuleDict({name: MaskEnd(channels, num_classes) for name in ("inmodal", "hidden")})
        self.occluder = MaskEnd(channels)
        self.place = FullyConnectedBranch(channels) if options.place else None

    def maps(self, regions: Regions) -> tuple[Tensor, Tensor]:
        """The last maps of the visible and of the hidden head, (R, channels, 14, 14) each."""
        assert regions.kept is not None
        coded = self.coding(regions.features, regions.kept)
        visible = self.visible(coded)
        return visible, self.behind(torch.cat([coded, visible], dim=1))

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`."""
        visible, hidden = self.maps(regions)
        logits = self.ends["hidden"](hidden, regions.labels)
        parts = {
            "inmodal": self.ends["inmodal"](visible, regions.labels),
            "hidden": logits if self.place is None else logits + self.place(hidden),
        }
        if self.training:
            parts["occluder"] = self.occluder(hidden)
        return {"amodal": union(parts["inmodal"], parts["hidden"]), **parts}

    def losses(self, regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """Of all masks, the hidden one's with other weights, and loss_met."""
        logits = self(regions)
        losses = self.mask_losses(logits, regions, drawn)
        hidden, target = at_least_single(logits["hidden"]), drawn("hidden")
        losses["loss_mask_hidden"] = regions.mean(weighted(hidden, target, self.options.weight))
        if self.options.met:
            losses["loss_met"] = regions.mean(unmet(hidden.sigmoid(), target))
        return losses


def union(first: Tensor, second: Tensor) -> Tensor:
    """The logit of 1 - (1 - p) (1 - q), from the logits of p and q; float32."""
    neither = F.softplus(at_least_single(first)) + F.softplus(at_least_single(second))  # -log of (1 - p) (1 - q)
    return neither + torch.log(-torch.expm1(-neither.clamp(min=1e-9)))


def weighted(logits: Tensor, target: Tensor, weight: float) -> Tensor:
    """(R,) means of the binary cross-entropy over a region's cells, in which a cell of the target weighs `weight`."""
    cells = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weights = 1 + (weight - 1) * target
    return (weights * cells).flatten(1).sum(1) / weights.flatten(1).sum(1)


def unmet(found: Tensor, target: Tensor) -> Tensor:
    """(R,) 1 - IoU of shares, both (R, h, w) from 0 to 1; 0 where the target is empty."""
    common = (found * target).flatten(1).sum(1)
    whole = (found + target - found * target).flatten(1).sum(1)
    there = target.flatten(1).any(1)
    return torch.where(there, 1 - common / whole.clamp(min=1e-6), 0)


def stage(config: ModelConfig, num_classes: int) -> VisibleAndHidden:
    """The stage that a configuration describes."""
    options = checked(PartOptions, config.options, "model.options")
    width, maps = config.head_channels, config.head_channels * (2 if NETWORKS[config.name].occlusion else 1)
    coding = MultiLevelCoding(
        maps, config.channels, width, extraction=config.extraction, combination=config.combination
    )
    return VisibleAndHidden(coding, width, num_classes, config.mask_depth, options)
