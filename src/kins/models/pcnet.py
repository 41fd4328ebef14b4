"""PCNet-M: from an object's visible mask, and what lies in front of it, to the whole object. It looks at masks alone.

Zhan, Pan, Dai, Liu, Lin, Loy: Self-Supervised Scene De-occlusion, CVPR 2020. The levels, their widths, the loss and its
weights are the paper's. The two output classes are one logit, which is the same; channels are normalised in groups, not
over the batch, so that the result does not depend on what else is in it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kins.models.completion import MaskCompletion, block

LEVELS = (1, 2, 4, 8, 8)
"""Widths of the levels, at strides 1 to 16, over that of the first."""


class PCNet(MaskCompletion):
    """A U-Net that halves its maps by their maxima, and doubles them by interpolation.

    Args:
        channels: of the first level; the paper's has 32.
        side: of the square windows that go in, in cells; the paper's has 256.
        eraser_weight: of cells inside of the eraser, in the loss; that of the others is 1.
    """

    def __init__(self, channels: int = 32, side: int = 256, eraser_weight: float = 5.0) -> None:
        super().__init__(eraser_weight)
        self.side = side
        widths = [channels * level for level in LEVELS]
        self.down = nn.ModuleList(block(a, b, 1) for a, b in zip([2, *widths], widths, strict=False))
        results = [*widths[-3::-1], channels]
        below = [widths[-1], *results]
        self.up = nn.ModuleList(block(a + b, c, 1) for a, b, c in zip(below, widths[-2::-1], results, strict=False))
        self.out = nn.Conv2d(channels, 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 2, side, side), the visible mask and the eraser, to (N, side, side)."""
        maps = []
        for level, layer in enumerate(self.down):
            x = layer(F.max_pool2d(x, 2) if level else x)
            maps.append(x)
        maps.pop()
        for layer in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = layer(torch.cat([maps.pop(), x], dim=1))
        fine: Tensor = self.out(x)
        return fine[:, 0].float()
