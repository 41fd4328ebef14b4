"""Whole masks for a picture that is put together in layers: what is visible follows from who is in front.

Ours. Whole masks and one order of a picture say what of each object is visible (kins.predict.one_order), so that what
has to be right is the whole mask. What multi-level coding (Qi et al., CVPR 2019) extracts from the box head's map is
added to the RoI feature, once for both heads; masks know no classes, and so learn from all objects; both losses count
how much of a mask is met, and not cells alone.
"""

from __future__ import annotations

from torch import Tensor, nn

from kins.config import ModelConfig, Section, checked
from kins.errors import KinsError
from kins.models.heads import MaskEnd, conv
from kins.models.proposals import at_least_single
from kins.models.stages.mlc import MultiLevelCoding
from kins.models.stages.ordered import unmet
from kins.models.stages.stage import MaskStage, Regions
from kins.models.targets import Drawn


class LayerOptions(Section):
    """Of the network whose pictures are put together in layers.

    Attributes:
        agnostic: one mask for all classes, instead of one each.
        met: whether the losses count how much of a mask is met, too (1 - IoU of probabilities).
    """

    agnostic: bool = True
    met: bool = True


class LayeredMasks(MaskStage):
    """An amodal and an inmodal head on one coding.

    Args:
        channels: width of the RoI feature and of the convolutions.
        num_classes: background not counted.
        depth: convolutions of a head.
        options: what can be left out.
    """

    coded = True

    def __init__(self, channels: int, num_classes: int, depth: int, options: LayerOptions) -> None:
        super().__init__()
        self.options = options
        self.coding = MultiLevelCoding(channels, channels, channels, combination=False)
        classes = 0 if options.agnostic else num_classes
        self.heads = nn.ModuleDict(
            {name: nn.Sequential(*(conv(channels, channels) for _ in range(depth))) for name in self.masks}
        )
        self.ends = nn.ModuleDict({name: MaskEnd(channels, classes) for name in self.masks})

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`."""
        assert regions.kept is not None
        coded = self.coding(regions.features, regions.kept)
        labels = None if self.options.agnostic else regions.labels
        return {name: self.ends[name](head(coded), labels) for name, head in self.heads.items()}

    def losses(self, regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """Of both masks, and loss_met_<name>."""
        logits = self(regions)
        losses = self.mask_losses(logits, regions, drawn)
        if self.options.met:
            for name, target in self.targets.items():
                losses[f"loss_met_{name}"] = regions.mean(unmet(at_least_single(logits[name]).sigmoid(), drawn(target)))
        return losses


def stage(config: ModelConfig, num_classes: int) -> LayeredMasks:
    """The stage that a configuration describes."""
    options = checked(LayerOptions, config.options, "model.options")
    if config.channels != config.head_channels:
        raise KinsError(
            f"model.head_channels: {config.head_channels}; {config.name} adds what its coding extracts to the "
            f"pyramid's maps, and so needs as many as model.channels ({config.channels})"
        )
    return LayeredMasks(config.head_channels, num_classes, config.mask_depth, options)
