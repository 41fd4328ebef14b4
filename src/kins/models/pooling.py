"""RoIAlign (He et al., Mask R-CNN, ICCV 2017) from a feature pyramid."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import ops

from kins.models import cpu
from kins.models.backbone import LEVELS


class RegionPooling(nn.Module):
    """RoIAlign from the pyramid level that fits a region's size (Lin et al., Feature Pyramid Networks, CVPR 2017, (1)).

    Args:
        size: cells along a side.
        canonical_size: side of the regions that come from the level of stride 16; half as large, one level finer.
        samples: points along a cell's side.
    """

    def __init__(self, size: int, canonical_size: int = 224, samples: int = 2) -> None:
        super().__init__()
        self.size = size
        self.canonical_size = canonical_size
        self.samples = samples

    def forward(self, features: dict[str, Tensor], boxes: list[Tensor]) -> Tensor:
        """Pyramid levels and per-image (R_i, 4) boxes in image pixels to (R, C, size, size)."""
        maps = [features[name] for name in LEVELS]
        regions = with_image(boxes)
        level = self.level(regions[:, 1:])
        layout = torch.channels_last if cpu.quicker_for(maps[0]) else torch.contiguous_format
        shape = (len(regions), maps[0].shape[1], self.size, self.size)
        result = torch.empty(shape, dtype=maps[0].dtype, device=maps[0].device, memory_format=layout)
        for index, (values, stride) in enumerate(zip(maps, LEVELS.values(), strict=True)):
            chosen = torch.where(level == index)[0]
            result.index_copy_(0, chosen, roi_align(values, regions[chosen], self.size, 1 / stride, self.samples))
        return result

    def level(self, boxes: Tensor) -> Tensor:
        """(R,) int64: 0 is the finest level."""
        side = ops.box_area(boxes).sqrt()
        octave = torch.floor(torch.log2(side / self.canonical_size) + 1e-6)  # as torchvision rounds
        return (octave + 2).clamp(0, len(LEVELS) - 1).long()


def with_image(boxes: list[Tensor]) -> Tensor:
    """Per-image (R_i, 4) boxes to (R, 5) regions, the number of the image first."""
    return torch.cat([F.pad(b, (1, 0), value=float(image)) for image, b in enumerate(boxes)])


def roi_align(features: Tensor, regions: Tensor, size: int, scale: float, samples: int) -> Tensor:
    """RoIAlign as torchvision's with aligned=False.

    Args:
        features: (B, C, H, W).
        regions: (R, 5), number of the image, then x1, y1, x2, y2 in pixels of the image.
        size: cells along a side.
        scale: of the map over the image.
        samples: points along a cell's side.

    Returns:
        (R, C, size, size).
    """
    if cpu.quicker_for(features):
        return cpu.roi_align(features, regions, size, scale, samples)
    aligned: Tensor = ops.roi_align(features, regions, size, scale, samples)
    return aligned
