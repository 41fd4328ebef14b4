"""UOAIS's guidance: the visible mask's head guides the amodal mask's, and both guide the occlusion head.

Back, Lee, Kim, Noh, Kang, Bak, Lee: Unseen Object Amodal Instance Segmentation via Hierarchical Occlusion Modeling,
ICRA 2022. Written from the paper and its description, slimmer: a convolution where the authors have three in a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from kins.config import ModelConfig, checked
from kins.models.heads import MaskEnd, conv
from kins.models.proposals import at_least_single
from kins.models.stages.separate import Options
from kins.models.stages.stage import MaskStage, Regions
from kins.models.targets import Drawn


class GuidanceOptions(Options):
    """`agnostic`, and how many convolutions bring the earlier heads' maps, and the box head's, to one width."""

    guide: int = Field(1, ge=1, le=16)


class Front(nn.Module):
    """A head up to its last map of 14x14: earlier heads' maps, then the box head's, then convolutions of its own.

    Args:
        before: maps that come in, the RoI feature included.
        inputs: width of the RoI feature.
        channels: of all the others, and of what comes out.
    """

    def __init__(self, before: int, inputs: int, channels: int, depth: int, guide: int) -> None:
        super().__init__()
        self.guide = merging(inputs + (before - 1) * channels, channels, guide)
        self.fuse = merging(2 * channels, channels, guide)
        self.convs = nn.Sequential(*(conv(channels, channels) for _ in range(depth)))

    def forward(self, maps: Sequence[Tensor], coded: Tensor) -> Tensor:
        """(R, C, 14, 14) each, to (R, channels, 14, 14)."""
        fused = self.fuse(torch.cat([self.guide(torch.cat(list(maps), dim=1)), coded], dim=1))
        out: Tensor = self.convs(fused)
        return out


def merging(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """So many convolutions, the last of which has fewer channels."""
    return nn.Sequential(*(conv(inputs, inputs) for _ in range(depth - 1)), conv(inputs, outputs))


class GuidedMasks(MaskStage):
    """Inmodal, then amodal, then whether the object is occluded."""

    coded = True

    def __init__(self, config: ModelConfig, num_classes: int, options: GuidanceOptions) -> None:
        super().__init__()
        width = config.head_channels
        self.agnostic = options.agnostic
        self.coding = nn.Sequential(nn.ConvTranspose2d(width, width, 2, 2), conv(width, width), conv(width, width))
        self.inmodal, self.amodal, self.occlusion = (
            Front(before, config.channels, width, config.mask_depth, options.guide) for before in (1, 2, 3)
        )
        classes = 0 if options.agnostic else num_classes
        self.ends = nn.ModuleDict({name: MaskEnd(width, classes) for name in ("inmodal", "amodal")})
        self.smaller = nn.Sequential(nn.Conv2d(width, width, 3, 2, 1), nn.ReLU(inplace=True))
        self.occluded = nn.Linear(width * 7 * 7, 2)

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`; occlusion is (R, 2): not, and occluded."""
        assert regions.kept is not None
        coded = self.coding(regions.kept.box)
        maps = [regions.features]
        for front in (self.inmodal, self.amodal, self.occlusion):
            maps.append(front(maps, coded))
        labels = regions.labels * 0 if self.agnostic else regions.labels
        masks = {name: self.ends[name](x, labels) for name, x in zip(("inmodal", "amodal"), maps[1:3], strict=True)}
        return {**masks, "occlusion": self.occluded(self.smaller(maps[3]).flatten(1))}

    def losses(self, regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """Of both masks, and loss_occlusion, in which both classes weigh the same in each image."""
        logits = self(regions)
        entropy = F.cross_entropy(at_least_single(logits["occlusion"]), drawn.occluded, reduction="none")
        return {
            **self.mask_losses(logits, regions, drawn),
            "loss_occlusion": balanced(entropy, drawn.occluded, regions.counts),
        }

    def predict(self, regions: Regions) -> dict[str, Tensor]:
        """Both masks, and occlusion."""
        logits = self(regions)
        occlusion = at_least_single(logits["occlusion"]).softmax(1)[:, 1]
        return {**self.mask_probabilities(logits), "occlusion": occlusion}


def balanced(values: Tensor, classes: Tensor, counts: Sequence[int]) -> Tensor:
    """The mean over images of the mean over the classes that an image has of the mean of a class's values.

    Args:
        values, classes: (R,), of the regions of all images.
        counts: how many of them lie in each image.
    """
    images = []
    for part, own in zip(values.split(list(counts)), classes.split(list(counts)), strict=True):
        means = [(part * (own == k)).sum() / (own == k).sum() for k in own.unique()]
        images.append(torch.stack(means).mean() if means else part.sum())
    return torch.stack(images).mean()


def stage(config: ModelConfig, num_classes: int) -> GuidedMasks:
    """The stage that a configuration describes."""
    return GuidedMasks(config, num_classes, checked(GuidanceOptions, config.options, "model.options"))
