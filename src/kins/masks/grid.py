"""Masks from grids of probabilities over boxes, as networks give them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kins.masks.mask import Mask


def draw_masks(
    probabilities: npt.NDArray[np.float32], boxes: npt.NDArray[np.float64], height: int, width: int
) -> list[Mask]:
    """Masks over their boxes, drawn into the image: bilinear between the cells' middles, cut at one half.

    Only the box's pixels are worked on; no image-sized array is made.

    Args:
        probabilities: (N, s, s).
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
    """
    masks = []
    for grid, (x1, y1, x2, y2) in zip(probabilities, boxes.tolist(), strict=True):
        left, right = max(0, int(np.floor(x1))), min(width, int(np.ceil(x2)))
        top, bottom = max(0, int(np.floor(y1))), min(height, int(np.ceil(y2)))
        if right <= left or bottom <= top:
            masks.append(Mask.empty(height, width))
            continue
        columns = _interpolation(left, right, x1, x2, grid.shape[1])
        rows = _interpolation(top, bottom, y1, y2, grid.shape[0])
        inside = columns @ grid.T @ rows.T >= 0.5  # (columns, rows): column by column, as masks are stored
        masks.append(_from_columns(inside, left, top, height, width))
    return masks


def _interpolation(first: int, stop: int, low: float, high: float, cells: int) -> npt.NDArray[np.float32]:
    """(stop - first, cells) weights of the cells at the middle of each pixel; pixels outside of low..high get none."""
    middles = np.arange(first, stop) + 0.5
    place = (middles - low) / max(high - low, 1e-6) * cells - 0.5
    weights = np.maximum(0, 1 - np.abs(np.clip(place, 0, cells - 1)[:, None] - np.arange(cells)))
    weights[(place < -0.5) | (place > cells - 0.5)] = 0
    return weights.astype(np.float32)


def _from_columns(inside: npt.NDArray[np.bool_], left: int, top: int, height: int, width: int) -> Mask:
    padded = np.zeros((inside.shape[0], inside.shape[1] + 2), np.int8)
    padded[:, 1:-1] = inside
    change = np.diff(padded, axis=1)
    column, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1]
    return Mask.from_segments(np.stack([column + left, first + top, last + top], axis=1), height, width)
