"""Mask targets drawn straight into each region's grid, from run lengths; no image-sized mask is ever decoded."""

import torch
from torch import Tensor


def draw_targets(segments: Tensor, scale: Tensor, regions: Tensor, matched: Tensor, size: int = 28) -> Tensor:
    """The share of each grid cell that the mask covers, exactly.

    A mask is a list of vertical segments, one for each run of pixels in a column. A segment covers of cell (i, j)
    the product of their overlaps in x and in y, so all cells of a region are one matrix product over its segments.

    Args:
        segments: (N, S, 3) float, for each of N masks its segments (column x, first row, row after the last) in
            pixels of the annotated image (`Mask.segments`), padded with zeros at the end.
        scale: (2,) width and height of the network input over those of the annotated image.
        regions: (R, 4) x1, y1, x2, y2 in pixels of the network input.
        matched: (R,) int64, the mask of each region.
        size: cells along a side.

    Returns:
        (R, size, size) float32 in [0, 1].
    """
    targets = regions.new_zeros((len(regions), size, size), dtype=torch.float32)
    if not len(regions) or not segments.shape[1]:
        return targets
    x = torch.stack([segments[..., 0], segments[..., 0] + 1], dim=-1) * scale[0]
    y = segments[..., 1:] * scale[1]
    counts = (segments[..., 2] > segments[..., 1]).sum(1)[matched]
    # Regions of masks with like numbers of segments are worked on together, without most of the padding; on GPUs many.
    fitting = max(1, (1 << 23) // (segments.shape[1] * size))  # bounds the memory for masks with very many segments
    together = min(16, fitting) if regions.device.type == "cpu" else fitting
    for part in counts.argsort().split(together):
        longest = int(counts[part[-1]])
        left, top, right, bottom = regions[part].float().unbind(1)
        masks = matched[part]
        columns = _overlaps(x[masks, :longest], left, right, size)
        rows = _overlaps(y[masks, :longest], top, bottom, size)
        with torch.autocast(regions.device.type, enabled=False):
            targets[part] = torch.bmm(rows, columns.transpose(1, 2))
    return targets.clamp_(0, 1)


def _overlaps(spans: Tensor, low: Tensor, high: Tensor, size: int) -> Tensor:
    """(R, S, 2) spans and (R,) limits of the region to (R, size, S): the share of each cell under each span."""
    cell = ((high - low) / size).clamp(min=1e-6)
    units = (spans - low[:, None, None]) / cell[:, None, None]  # in cells
    index = torch.arange(size, device=spans.device, dtype=spans.dtype)[None, :, None]
    start, stop = units[:, None, :, 0], units[:, None, :, 1]
    return (torch.minimum(stop, index + 1) - torch.maximum(start, index)).clamp_(min=0)
