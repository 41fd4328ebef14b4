"""ORCNN: the hidden mask follows from the other two, and its loss teaches both.

Follmann, König, Härtinger, Klostermann: Learning to See the Invisible: End-to-End Trainable Amodal Instance
Segmentation, WACV 2019.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from kins.config import ModelConfig, checked
from kins.models.heads import MaskHead
from kins.models.stages.separate import Options, SeparateHeads, mask_heads
from kins.models.stages.stage import Regions


class HiddenFromBoth(SeparateHeads):
    """Amodal and inmodal heads, and a hidden mask without weights of its own."""

    def __init__(self, heads: Mapping[str, MaskHead], agnostic: bool = False) -> None:
        super().__init__(heads, agnostic)
        self.masks = (*self.masks, "hidden")
        self.targets = {name: name for name in self.masks}

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`; a cell's hidden logit is its amodal one, less the inmodal one where that is above 0.

        Where both are equal and above 0 the hidden probability is one half exactly: amodal and not inmodal, each cut at
        one half, is the better mask.
        """
        logits = super().forward(regions)
        return {**logits, "hidden": logits["amodal"] - logits["inmodal"].relu()}


def stage(config: ModelConfig, num_classes: int) -> HiddenFromBoth:
    """The stage that a configuration describes."""
    options = checked(Options, config.options, "model.options")
    return HiddenFromBoth(mask_heads(config, num_classes, options.agnostic), options.agnostic)
