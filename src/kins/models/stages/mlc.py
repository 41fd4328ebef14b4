"""Multi-level coding: gives the mask heads the global view that the box and occlusion heads have.

Qi, Jiang, Liu, Shen, Jia: Amodal Instance Segmentation with KINS Dataset, CVPR 2019, section 4.2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kins.models.heads import Kept, conv, deconv


class MultiLevelCoding(nn.Module):
    """Extraction brings the 7x7 heads' maps to the mask head's size; combination merges them with its RoI feature.

    Either part can be replaced by the plainest thing that has the right shape, for ablation: extraction by bilinear
    upsampling, combination by addition (which then needs extraction, for the number of channels).

    Args:
        maps: channels of the 7x7 maps together (512 in the paper: box and occlusion head, 256 each).
        inputs: width of the mask head's RoI feature.
        channels: width of the output.
        extraction, combination: switch each part on or off.
    """

    def __init__(
        self, maps: int, inputs: int, channels: int, *, extraction: bool = True, combination: bool = True
    ) -> None:
        super().__init__()
        if not combination and (not extraction or inputs != channels):
            raise ValueError(
                "coding without combination adds: it needs extraction, and as many channels as the RoI feature"
            )
        coded = channels if extraction else maps
        self.extraction = (
            nn.Sequential(conv(maps, channels), deconv(channels, channels), conv(channels, channels))
            if extraction
            else None
        )
        self.combination = (
            nn.Sequential(conv(coded + inputs, channels), conv(channels, channels)) if combination else None
        )

    def forward(self, regions: Tensor, kept: Kept) -> Tensor:
        """(R, C, 14, 14) RoI feature and the 7x7 heads' maps to (R, C, 14, 14)."""
        coded = kept.together()
        if self.extraction is None:
            coded = F.interpolate(coded, size=regions.shape[-2:], mode="bilinear", align_corners=False)
        else:
            coded = self.extraction(coded)
        if self.combination is None:
            return regions + coded
        combined: Tensor = self.combination(torch.cat([coded, regions], dim=1))
        return combined
