"""Mask targets drawn straight into each region's grid, from run lengths; no image-sized mask is ever decoded."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kins.models import cpu

MOST = 1 << 23
"""Numbers that drawing holds at a time in one tensor, about."""

SOURCES: Mapping[str, tuple[str, ...]] = {
    "amodal": ("amodal",),
    "inmodal": ("inmodal",),
    "hidden": ("amodal", "inmodal"),
    "occluder": ("occluder",),
    "neighbours": ("neighbours",),
}
"""Targets that can be drawn, and the segments that each is drawn from. `occluder` is what those that hide part of the
instance show; `neighbours` what all those around it show."""


def flat_segments(masks: Sequence[npt.NDArray[np.int64]]) -> Tensor:
    """Segments of several masks (each `Mask.segments`, (S_i, 3)) in one table.

    Returns:
        (S, 4) float32: number of the mask (0 is the first), column x, first row, row after the last; mask by mask.
    """
    numbers = np.repeat(np.arange(len(masks)), [len(segments) for segments in masks])
    rows = np.concatenate([np.zeros((0, 3), np.int64), *masks])
    return torch.from_numpy(np.column_stack([numbers, rows]).astype(np.float32))


def draw_targets(segments: Tensor, scale: Tensor, regions: Tensor, matched: Tensor, size: int = 28) -> Tensor:
    """The share of each grid cell that the mask covers, exactly.

    A mask is a list of vertical segments, one for each run of pixels in a column. A segment covers of cell (i, j)
    the product of their overlaps in x and in y, so all cells of a region are one matrix product over its segments.

    Args:
        segments: (S, 4) of all masks, in pixels of the annotated image; see `flat_segments`.
        scale: (2,) width and height of the network input over those of the annotated image.
        regions: (R, 4) x1, y1, x2, y2 in pixels of the network input.
        matched: (R,) int64, the mask of each region.
        size: cells along a side.

    Returns:
        (R, size, size) float32 in [0, 1].
    """
    targets = regions.new_zeros((len(regions), size, size), dtype=torch.float32)
    numbers = segments[:, 0].contiguous()
    starts, stops = (torch.searchsorted(numbers, matched.to(numbers.dtype), right=right) for right in (False, True))
    counts = stops - starts
    order = counts.argsort()
    most = MOST // size
    for group in _groups(counts[order].tolist(), most, together=16 if cpu.quicker_for(regions) else most):
        part = order[group]
        left, top, right, bottom = regions[part].float().unbind(1)
        longest, piece = int(counts[part[-1]]), max(1, most // len(part))
        for first in range(0, longest, piece):
            index = starts[part, None] + torch.arange(first, min(first + piece, longest), device=starts.device)
            there = index < stops[part, None]
            _, column, start, stop = segments[index.clamp(max=len(segments) - 1)].unbind(2)
            x = torch.stack([column, column + 1], dim=-1) * scale[0]
            y = torch.stack([start, stop], dim=-1) * scale[1] * there[..., None]  # what is not there has no length
            columns, rows = _overlaps(x, left, right, size), _overlaps(y, top, bottom, size)
            with torch.autocast(regions.device.type, enabled=False):
                targets[part] += torch.bmm(rows, columns.transpose(1, 2))
    return targets.clamp_(0, 1)


def _groups(counts: list[int], most: int, together: int) -> Iterator[slice]:
    """Regions with like numbers of segments (sorted), which are worked on together, without most of the padding:
    `together` of them, and `most` segments, the padding included, but one region in any case."""
    first = 0
    for place, count in enumerate(counts):
        if place > first and (place - first == together or (place - first + 1) * count > most):
            yield slice(first, place)
            first = place
    if counts:
        yield slice(first, len(counts))


def _overlaps(spans: Tensor, low: Tensor, high: Tensor, size: int) -> Tensor:
    """(R, S, 2) spans and (R,) limits of the region to (R, size, S): the share of each cell under each span."""
    cell = ((high - low) / size).clamp(min=1e-6)
    units = (spans - low[:, None, None]) / cell[:, None, None]  # in cells
    index = torch.arange(size, device=spans.device, dtype=spans.dtype)[None, :, None]
    start, stop = units[:, None, :, 0], units[:, None, :, 1]
    return (torch.minimum(stop, index + 1) - torch.maximum(start, index)).clamp_(min=0)


class Drawn:
    """Targets of regions, drawn when a mask stage asks for them by name.

    Args:
        targets: of each image; see `kins.models.regions.Target`.
        boxes: of each image, (R_i, 4), in pixels of the network input.
        matched: of each image, (R_i,) int64, the instance of each region.
        binary: targets are 1 where at least half of a cell is covered, else 0.
    """

    def __init__(
        self,
        targets: Sequence[Mapping[str, Tensor]],
        boxes: Sequence[Tensor],
        matched: Sequence[Tensor],
        binary: bool = False,
    ) -> None:
        self.images = list(zip(targets, boxes, matched, strict=True))
        self.binary = binary
        self.kept: dict[tuple[str, int], Tensor] = {}

    def __call__(self, name: str, size: int = 28) -> Tensor:
        """(R, size, size) float32, the share of each cell of each region that the mask covers; one of SOURCES."""
        if (name, size) not in self.kept:
            self.kept[name, size] = self._hidden(size) if name == "hidden" else self._draw(name, size)
        return self.kept[name, size]

    def _draw(self, name: str, size: int) -> Tensor:
        drawn = torch.cat([draw_targets(t[name], t["scale"], boxes, m, size) for t, boxes, m in self.images])
        return (drawn >= 0.5).float() if self.binary else drawn

    def _hidden(self, size: int) -> Tensor:
        return (self("amodal", size) - self("inmodal", size)).clamp(min=0)

    @property
    def occluded(self) -> Tensor:
        """(R,) int64, 1 where part of the region's instance is hidden."""
        return torch.cat([target["occluded"][m] for target, _, m in self.images])
