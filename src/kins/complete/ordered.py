"""Completion and order by PCNet-M: of two that touch, the one that would gain more under the other is behind.

Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020. Then each object is completed under all that lie in front of
it, directly or through others. Three things are not as published: what is completed contains the visible mask, and
grows under what is in front alone; masks that are a few pixels apart touch, for those of detectors have gaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from kins.complete.order import GAP, bordering
from kins.complete.pairs import window
from kins.complete.window import resampled
from kins.masks import Mask, union
from kins.masks.grid import draw_masks
from kins.masks.shape import grown
from kins.models.pcnet import PCNet
from kins.records import Scene

Floats = npt.NDArray[np.float32]

BATCH = 32
GAINS, COMPLETES = 0.1, 0.2
"""Probabilities that count where the order is asked for, and where an object is completed."""


class Ordered:
    """The method (see `kins.complete.completer.Method`) of a PCNet; it does not look at the picture."""

    needs_image = False

    def __init__(self, network: PCNet) -> None:
        self.network = network.eval()

    def __call__(self, image: object, scene: Scene) -> Sequence[Mask]:
        """The amodal mask of each instance."""
        visible = scene.masks("inmodal")
        height, width = scene.image.height, scene.image.width
        ahead = reached(self.ahead(visible))
        covered = [index for index in range(len(visible)) if visible[index] and ahead[:, index].any()]
        fronts = [union([visible[k] for k in np.flatnonzero(ahead[:, index])], height, width) for index in covered]
        found, places = self._ask([(visible[index], front) for index, front in zip(covered, fronts, strict=True)])
        drawn = draw_masks(np.clip(found + (0.5 - COMPLETES), 0, 1), places, height, width)
        completed = list(visible)
        for index, front, guess in zip(covered, fronts, drawn, strict=True):
            completed[index] = visible[index] | (guess & front)
        return completed

    def ahead(self, visible: Sequence[Mask]) -> npt.NDArray[np.bool_]:
        """(n, n), whether one lies in front of another: of two that touch, the one that gains less under the other."""
        pairs = np.argwhere(bordering(visible))
        found, places = self._ask([(visible[i], visible[j]) for i, j in pairs])
        gains = np.zeros((len(visible), len(visible)))
        for (i, j), guess, (x1, y1, x2, _) in zip(pairs, found, places.tolist(), strict=True):
            place = (x1, y1, x2 - x1)
            own, other = (resampled(visible[k].to_array(), place, len(guess)) > 0.5 for k in (i, j))
            gains[i, j] = ((guess >= GAINS) & other & ~own).sum() * (place[2] / len(guess)) ** 2
        return gains < gains.T

    def _ask(self, pairs: Sequence[tuple[Mask, Mask]]) -> tuple[Floats, npt.NDArray[np.float64]]:
        """Probabilities (N, side, side) of masks with their erasers, and the windows' corners (N, 4)."""
        side = self.network.side
        found, places = np.zeros((len(pairs), side, side), np.float32), np.zeros((len(pairs), 4))
        for start in range(0, len(pairs), BATCH):
            windows = []
            for index, (mask, eraser) in enumerate(pairs[start : start + BATCH], start):
                x, y, size = place = window(mask.box)
                places[index] = x, y, x + size, y + size
                both = (mask, grown(eraser, GAP) - mask)
                seen = [(resampled(part.to_array(), place, side) > 0.5).astype(np.float32) for part in both]
                windows.append(torch.from_numpy(np.stack(seen)))
            with torch.inference_mode():
                found[start : start + BATCH] = self.network(windows)
        return found, places


def reached(ahead: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether one lies in front of another, directly or through others; of itself nothing does."""
    found, before = ahead, None
    while before is None or (found != before).any():
        found, before = found | ((found.astype(np.int64) @ ahead) > 0), found
    return found & ~np.eye(len(ahead), dtype=bool)
