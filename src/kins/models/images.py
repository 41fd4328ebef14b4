"""Pictures on their way into a network."""

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
