"""PANet's parts: Liu, Qi, Qin, Shi, Jia: Path Aggregation Network for Instance Segmentation, CVPR 2018."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from kins.models.backbone import LEVELS
from kins.models.heads import conv
from kins.models.pooling import roi_align, with_image


class PathAugmentation(nn.Module):
    """Bottom-up path after the feature pyramid: a short way from precise low levels to the high ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        higher = range(len(LEVELS) - 1)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, 2, 1), nn.ReLU(inplace=True)) for _ in higher
        )
        self.merge = nn.ModuleList(conv(channels, channels) for _ in higher)

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        finest, *higher = LEVELS
        x = features[finest]
        augmented: dict[str, Tensor] = OrderedDict({finest: x})
        for name, down, merge in zip(higher, self.down, self.merge, strict=True):
            x = merge(down(x) + features[name])
            augmented[name] = x
        augmented["pool"] = x[:, :, ::2, ::2]
        return augmented


class AdaptivePooling(nn.Module):
    """RoIAlign from every pyramid level; `heads.AllLevels` fuses them after the first layer."""

    def __init__(self, size: int, samples: int = 2) -> None:
        super().__init__()
        self.size = size
        self.samples = samples

    def forward(self, features: dict[str, Tensor], boxes: list[Tensor]) -> Tensor:
        """Pyramid levels and per-image (R_i, 4) boxes in image pixels to (R, 4, C, size, size)."""
        regions = with_image(boxes)
        pooled = [
            roi_align(features[name], regions, self.size, 1 / stride, self.samples) for name, stride in LEVELS.items()
        ]
        return torch.stack(pooled, dim=1)


class FullyConnectedBranch(nn.Module):
    """Fully connected fusion: one foreground mask that knows where in the region it is, added to every class's."""

    def __init__(self, channels: int, size: int = 14) -> None:
        super().__init__()
        self.convs = nn.Sequential(conv(channels, channels), conv(channels, channels // 2))
        self.fc = nn.Linear(channels // 2 * size * size, (2 * size) ** 2)
        self.size = 2 * size

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, 14, 14) to (R, 28, 28)."""
        mask: Tensor = self.fc(self.convs(x).flatten(1))
        return mask.view(-1, self.size, self.size)
