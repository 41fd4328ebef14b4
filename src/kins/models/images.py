"""Pictures on their way into a network."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F


def to_network(image: npt.NDArray[np.uint8], short_side: int, long_side: int) -> tuple[Tensor, Tensor]:
    """Scale an image for the network.

    Args:
        image: (h, w, 3) uint8 RGB.
        short_side: wanted short side in pixels; smaller if the long side would exceed `long_side`.

    Returns:
        (3, H, W) uint8, and (2,) float32 W / w, H / h.
    """
    return scaled(image, network_ratio(image.shape[:2], short_side, long_side))


def network_ratio(size: Sequence[int], short_side: int, long_side: int) -> float:
    """What an image of (height, width) is scaled by for the network."""
    return min(short_side / min(size), long_side / max(size))


def scaled(image: npt.NDArray[np.uint8], ratio: float) -> tuple[Tensor, Tensor]:
    """(h, w, 3) uint8 to (3, H, W) uint8, about `ratio` times as large, and (2,) float32 W / w, H / h."""
    height, width = image.shape[:2]
    size = (max(1, round(height * ratio)), max(1, round(width * ratio)))
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    if size != (height, width):
        tensor = F.interpolate(tensor[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
    return tensor.contiguous(), torch.tensor([size[1] / width, size[0] / height])
