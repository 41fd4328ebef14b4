"""A mask head for each mask, as Mask R-CNN, PANet and ASN have them, with multi-level coding if wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from kins.config import NETWORKS, ModelConfig, Section, checked
from kins.models.heads import AllLevels, MaskHead
from kins.models.stages.mlc import MultiLevelCoding
from kins.models.stages.panet import FullyConnectedBranch
from kins.models.stages.stage import MaskStage, Regions


class Options(Section):
    """Of networks with a head for each mask.

    Attributes:
        agnostic: one mask for all classes, instead of one each.
    """

    agnostic: bool = False


class SeparateHeads(MaskStage):
    """Heads that share nothing but the RoI feature.

    Args:
        heads: by the mask that they predict, which is also the name of the target that they learn.
        agnostic: the heads have one mask for all classes.
    """

    def __init__(self, heads: Mapping[str, MaskHead], agnostic: bool = False) -> None:
        super().__init__()
        for name, head in heads.items():
            self.add_module(name, head)
        self.masks = tuple(heads)
        self.targets = {name: name for name in heads}
        self.coded = any(head.coding is not None for head in heads.values())
        self.agnostic = agnostic

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`."""
        labels = regions.labels * 0 if self.agnostic else regions.labels
        return {name: head(regions.features, regions.kept, labels) for name, head in self.named_children()}


def stage(config: ModelConfig, num_classes: int) -> SeparateHeads:
    """The heads that a configuration describes."""
    options = checked(Options, config.options, "model.options")
    return SeparateHeads(mask_heads(config, num_classes, options.agnostic), options.agnostic)


def mask_heads(
    config: ModelConfig, num_classes: int, agnostic: bool = False, names: Sequence[str] | None = None
) -> dict[str, MaskHead]:
    """A head for each of the network's masks, or for each of `names`."""
    names = NETWORKS[config.name].masks if names is None else names
    return {name: mask_head(config, 0 if agnostic else num_classes) for name in names}


def mask_head(config: ModelConfig, num_classes: int) -> MaskHead:
    """Mask R-CNN's, with the parts of PANet and of multi-level coding that the network has."""
    parts, width = NETWORKS[config.name], config.head_channels
    inputs = width if parts.panet else config.channels
    maps = width * (2 if parts.occlusion else 1)
    return MaskHead(
        config.channels,
        width,
        num_classes,
        config.mask_depth,
        fuse=AllLevels(config.channels, width) if parts.panet else None,
        coding=MultiLevelCoding(maps, inputs, width, extraction=config.extraction, combination=config.combination)
        if parts.coding
        else None,
        branch=FullyConnectedBranch(width) if parts.panet else None,
    )
