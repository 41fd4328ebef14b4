"""BCNet: what lies in front of an object is found first, and helps to find the object.

Ke, Tai, Tang: Deep Occlusion-Aware Instance Segmentation with Overlapping BiLayers, CVPR 2021.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kins.config import ModelConfig, Section, checked
from kins.errors import KinsError
from kins.models.heads import MaskEnd, conv
from kins.models.stages.stage import MaskStage, Regions, cross_entropy
from kins.models.targets import Drawn


class OccluderOptions(Section):
    """Of networks that learn a mask of what is in front.

    Attributes:
        occluder: what it learns: `neighbours`, all that is around the object, as the published codes have it, or
            `true`, what hides part of it.
    """

    occluder: Literal["neighbours", "true"] = "neighbours"

    @property
    def target(self) -> str:
        """Its name in `kins.models.targets.SOURCES`."""
        return "occluder" if self.occluder == "true" else "neighbours"


class NonLocal(nn.Module):
    """Every cell looks at all the others (Wang et al., Non-local Neural Networks, CVPR 2018), in one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Conv2d(channels, channels, 1, bias=False) for _ in range(4))
        self.norm = nn.GroupNorm(max(1, channels // 8), channels)

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, h, w) to the same."""
        query, key, value = (layer(x).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        out: Tensor = x + self.norm(self.out(seen.transpose(1, 2).reshape(x.shape)))
        return out


class BilayerMasks(MaskStage):
    """Two branches of the same form; the object's gets the RoI feature and what the occluder's made of it.

    Args:
        channels: width of the RoI feature and of the convolutions.
        depth: convolutions of a branch, half of them before the non-local layer.
        target: of the occluder.
    """

    masks = ("amodal", "inmodal", "occluder")
    weights = MappingProxyType({"amodal": 1.0, "occluder": 0.25})

    def __init__(self, channels: int, depth: int, target: str) -> None:
        super().__init__()
        self.occluder, self.amodal = (
            nn.Sequential(*layers[: depth // 2], NonLocal(channels), *layers[depth // 2 :])
            for layers in ([conv(channels, channels) for _ in range(depth)] for _ in range(2))
        )
        self.ends = nn.ModuleDict({name: MaskEnd(channels) for name in ("amodal", "occluder")})
        self.contours = nn.ModuleDict({name: MaskEnd(channels) for name in ("amodal", "occluder")})
        self.targets = {"amodal": "amodal", "occluder": target}

    def maps(self, regions: Regions) -> dict[str, Tensor]:
        """The branches' last maps, (R, C, 14, 14)."""
        occluder = self.occluder(regions.features)
        return {"amodal": self.amodal(regions.features + occluder), "occluder": occluder}

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`."""
        return {name: self.ends[name](x) for name, x in self.maps(regions).items()}

    def losses(self, regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """Of both masks and of their contours."""
        losses = {}
        for name, x in self.maps(regions).items():
            target = drawn(self.targets[name])
            mask = cross_entropy(self.ends[name](x), target)
            outline = cross_entropy(self.contours[name](x), contour(target))
            losses[f"loss_mask_{name}"] = self.weights[name] * regions.mean(mask)
            losses[f"loss_contour_{name}"] = regions.mean(outline)  # the code: half of twice the entropy
        return losses

    def predict(self, regions: Regions) -> dict[str, Tensor]:
        """With an inmodal mask: what is of the object and not of what lies in front."""
        found = {f"mask_{name}": logits.float().sigmoid() for name, logits in self(regions).items()}
        found["mask_inmodal"] = torch.minimum(found["mask_amodal"], 1 - found["mask_occluder"])
        return found


def contour(mask: Tensor) -> Tensor:
    """The cells on both sides of a mask's outline: dilated by a cross of 3x3 and not in the mask eroded by it.

    Args:
        mask: (R, h, w) shares of cells; those of one half and more belong to the mask.

    Returns:
        (R, h, w), 0 or 1. The grid's border is no outline.
    """
    whole = (mask >= 0.5).to(mask.dtype)
    return _dilated(whole) - (1 - _dilated(1 - whole))


def _dilated(mask: Tensor) -> Tensor:
    return torch.maximum(F.max_pool2d(mask, (3, 1), 1, (1, 0)), F.max_pool2d(mask, (1, 3), 1, (0, 1)))


def stage(config: ModelConfig, num_classes: int) -> BilayerMasks:
    """The stage that a configuration describes; its masks know no classes."""
    if config.channels != config.head_channels:
        raise KinsError(
            f"model.head_channels: {config.head_channels}; {config.name} adds maps of its heads to the pyramid's, "
            f"and so needs as many as model.channels ({config.channels})"
        )
    options = checked(OccluderOptions, config.options, "model.options")
    return BilayerMasks(config.head_channels, config.mask_depth, options.target)
