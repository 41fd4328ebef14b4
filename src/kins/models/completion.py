"""A network that completes masks: from what is seen of an object and of the others around it to the whole object.

It looks at masks, as PCNet-M does (Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020), and, if it has an
encoder for it, at the picture, as C2F-Seg does (Gao et al., Coarse-to-Fine Amodal Segmentation with Shape Prior, ICCV
2023). Unlike the first it gets all neighbours at once and has to tell itself which of them lie in front. Structure and
training are kins's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, 0 to 1."""
SIZE = 128
"""Side of the window that goes in and comes out, in cells."""


class MaskCompletion(nn.Module):
    """What networks that complete masks share: windows in, a loss or probabilities out.

    Args:
        covered_weight: of cells that something in front may cover, in the loss; that of the others is 1.
    """

    def __init__(self, covered_weight: float) -> None:
        super().__init__()
        self.covered_weight = covered_weight

    def forward(
        self, windows: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | Tensor:
        """Losses in training mode, else probabilities.

        Args:
            windows: each (2, S, S) float, 0 to 1: what is seen of the object, and of what may cover it; three channels
                more for a network that looks at the picture, RGB.
            targets: `whole` (S, S) float, 0 to 1, of each; in training only.

        Returns:
            loss_mask_amodal, a scalar, or (N, S, S) probabilities of belonging to the whole object.
        """
        x = torch.stack(windows)
        logits = self.logits(x)
        if not self.training:
            return logits.sigmoid()
        assert targets is not None
        whole = torch.stack([target["whole"] for target in targets])
        weight = torch.where(x[:, 1] > 0, self.covered_weight, 1.0)
        return {
            "loss_mask_amodal": (F.binary_cross_entropy_with_logits(logits, whole, reduction="none") * weight).mean()
        }

    def logits(self, x: Tensor) -> Tensor:
        """(N, 2, S, S) to (N, S, S)."""
        raise NotImplementedError


class CompletionNetwork(MaskCompletion):
    """A U-Net (Ronneberger et al., 2015) over a window around an object, SIZE cells wide.

    Args:
        channels: of the first level; the levels at strides 2 to 32 have 1 to 5 times as many.
        encoder: of the picture in the window (see `kins.models.backbone.Backbone`); its maps are added to those of the
            masks, stride by stride. None looks at masks alone.
        covered_weight: as for MaskCompletion; the others are what may cover.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int = 32, encoder: nn.Module | None = None, covered_weight: float = 5.0) -> None:
        super().__init__(covered_weight)
        self.encoder = encoder
        if encoder is not None:
            inputs: int = encoder.out_channels  # type: ignore[assignment]
            self.beside = nn.ModuleList(nn.Conv2d(inputs, channels * level, 1) for level in range(2, 6))
            self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
            self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)
        widths = [channels * level for level in range(1, 6)]
        self.down = nn.ModuleList(block(a, b, 2) for a, b in zip([2, *widths[:-1]], widths, strict=True))
        pairs = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.up = nn.ModuleList(block(below + level, level, 1) for below, level in pairs)
        self.out = nn.Conv2d(channels, 1, 3, padding=1)

    def logits(self, x: Tensor) -> Tensor:
        """(N, 2 or 5, SIZE, SIZE) to (N, SIZE, SIZE)."""
        shown = self._pictured(x[:, 2:])
        x, maps = x[:, :2], []
        for level, layer in enumerate(self.down):
            x = layer(x)
            if shown and level:
                x = x + shown[level - 1]
            maps.append(x)
        maps.pop()
        for layer in self.up:
            beside = maps.pop()
            x = F.interpolate(x, size=beside.shape[-2:], mode="bilinear", align_corners=False)
            x = layer(torch.cat([x, beside], dim=1))
        fine: Tensor = self.out(x)
        return F.interpolate(fine.float(), scale_factor=2, mode="bilinear", align_corners=False)[:, 0]

    def _pictured(self, pictures: Tensor) -> list[Tensor]:
        """Maps of the picture at strides 4 to 32, as wide as those of the masks; none without an encoder."""
        if self.encoder is None:
            return []
        levels = self.encoder((pictures - self.mean) / self.std)
        return [layer(levels[str(level)]) for level, layer in enumerate(self.beside)]


def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two 3x3 convolutions, normalised in groups; the first one has the stride."""
    layers: list[nn.Module] = []
    for source, step in ((inputs, stride), (outputs, 1)):
        norm = nn.GroupNorm(max(1, outputs // 8), outputs)
        layers += [nn.Conv2d(source, outputs, 3, step, 1, bias=False), norm, nn.SiLU(inplace=True)]
    return nn.Sequential(*layers)
