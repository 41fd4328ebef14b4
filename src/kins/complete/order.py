"""Who is in front, from visible masks and the picture, by a trained network (kins.models.ordernet).

What is asked of it, and how: two objects whose visible parts touch, or of which one is seen where the other is known to
be, in a window around both. Windows are InstaOrder's (Lee and Park, CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kins.complete.window import Place, pictured, place_of, resampled
from kins.errors import KinsError
from kins.masks import Box, Mask, intersections, rasterise, spans
from kins.masks.shape import grown
from kins.occlusion import Occlusion, occlusion_from_edges
from kins.occlusion.contact import corners
from kins.occlusion.ranking import common, near
from kins.records import Scene

if TYPE_CHECKING:
    from kins.models.ordernet import OrderNetwork

Pixels = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Edges = list[tuple[int, int, int]]

BATCH = 64
GAP = 2
"""Pixels: masks that are no further apart touch, for those of detectors have gaps."""
CERTAIN = 1000
"""Weight of an edge of which the network is altogether certain."""


class PairOrder:
    """Tells who is in front in scenes of any detector or data set.

    Args:
        network: one that tells of two objects who is in front; put into evaluation mode.
        name: what it is called in messages.

    Attributes:
        needs_image: whether it looks at the picture.

    Example:
        >>> from kins.config import load_config
        >>> from kins.demo.toys import write_shapes
        >>> shapes = write_shapes("pictures", 4)
        >>> quick = ["train.steps=2", "train.batch=4", "train.device=cpu", "data.workers=0"]
        >>> weights = kins.train(load_config("ordernet", quick), shapes, "run")
        >>> order = kins.complete.PairOrder.load(weights)
        >>> found = order.relations(shapes[0].read_image(), shapes[0])
        >>> found.order.shape, all(500 < edge.pixels <= 1000 for edge in found.edges)
        ((3,), True)
    """

    def __init__(self, network: OrderNetwork, name: object = "the network") -> None:
        self.network = network.eval()
        self.needs_image = network.rgb
        self.name = name

    @classmethod
    def load(cls, path: str | Path) -> PairOrder:
        """From a run folder (its best weights) or a weights file.

        Raises:
            KinsError: no such weights, or weights of a network that does something else.
        """
        from kins.models.ordernet import OrderNetwork
        from kins.models.weights import load_network

        network, config, _ = load_network(path)
        if not isinstance(network, OrderNetwork):
            raise KinsError(f"{path}: weights of {config.model.name}, which tells no order; train ordernet for that")
        return cls(network, path)

    def scene(self, scene: Scene) -> Occlusion:
        """As `relations`, with the scene's own picture, which is read if it is needed."""
        return self.relations(scene.read_image() if self.needs_image else None, scene)

    def relations(self, image: Pixels | None, scene: Scene) -> Occlusion:
        """Who hides whom; an edge's weight is the network's certainty in thousandths, not a number of pixels.

        Args:
            image: (height, width, 3) uint8 RGB; None for a network that looks at masks alone.
            scene: every instance of it with an inmodal mask.

        Raises:
            KinsError: an instance has no inmodal mask, or there is no picture where it is needed.
        """
        return occlusion_from_edges(scene, self.edges(image, scene))

    def edges(self, image: Pixels | None, scene: Scene) -> Edges:
        """(in front, behind, certainty in thousandths) of the pairs that are asked about; indices in the scene."""
        import torch

        if image is None and self.needs_image:
            where = f"image {scene.image.file_name}"
            raise KinsError(f"{where}: {self.name} looks at the picture; name its folder with --images")
        scene = scene.clipped()
        pairs = close(scene)
        edges: Edges = []
        for start in range(0, len(pairs), BATCH):
            part = pairs[start : start + BATCH]
            windows = [torch.from_numpy(window) for window in self._windows(image, scene, part)]
            with torch.inference_mode():
                found = self.network(windows)
            assert isinstance(found, torch.Tensor)
            for (i, j), (forth, back) in zip(part.tolist(), (CERTAIN * found).round().int().tolist(), strict=True):
                edges += [(a, b, sure) for a, b, sure in ((i, j, forth), (j, i, back)) if 2 * sure > CERTAIN]
        return edges

    def _windows(
        self, image: Pixels | None, scene: Scene, pairs: npt.NDArray[np.int64]
    ) -> Iterator[npt.NDArray[np.float32]]:
        visible, side = scene.masks("inmodal"), self.network.side
        for i, j in pairs.tolist():
            place = pair_window(visible[i].box, visible[j].box)
            masks = [seen(visible[index], place, side).astype(np.float32) for index in (i, j)]
            shown = [pictured(image, place, side)] if image is not None and self.needs_image else []
            yield np.concatenate([np.stack(masks), *shown])


def pair_window(first: Box, second: Box) -> Place:
    """x, y and side of the square around the middle of the box around both, in pixels."""
    x, y = (min(sides) for sides in zip(first[:2], second[:2], strict=True))
    right, bottom = (max(a[k] + a[k + 2] for a in (first, second)) for k in (0, 1))
    width, height = right - x, bottom - y
    return place_of((x, y, width, height), max(np.sqrt(2 * width * height), 1.1 * width, 1.1 * height))


def seen(mask: Mask, place: Place, side: int) -> Bools:
    """(side, side), what a window shows of a mask."""
    return resampled(mask.to_array(), place, side) > 0.5


def close(scene: Scene) -> npt.NDArray[np.int64]:
    """(P, 2) the pairs that are asked about, first < second; empty masks are in none.

    Raises KinsError for more pairs than are accepted.
    """
    visible, where = scene.masks("inmodal"), f"image {scene.image.file_name}"
    if not visible:
        return np.zeros((0, 2), np.int64)
    whole = [part if i.amodal is None else i.amodal for i, part in zip(scene, visible, strict=True)]
    rasterise([*visible, *whole])
    (wide, _, boxes), (masks, _, others) = spans([grown(mask, GAP) for mask in visible]), spans(whole)
    edges, far = corners(boxes), corners(others)
    around = np.hstack([np.minimum(edges[:, :2], far[:, :2]), np.maximum(edges[:, 2:], far[:, 2:])])
    around[[not mask for mask in visible]] = np.inf, np.inf, -np.inf, -np.inf
    i, j = (np.sort(np.stack(near(around, where)), axis=0)).reshape(2, -1)
    meet = (common(wide, i, masks, j, where) > 0) | (common(wide, j, masks, i, where) > 0)
    pairs = np.stack([i[meet], j[meet]], 1)
    return np.asarray(pairs[np.lexsort(pairs.T[::-1])])


def bordering(visible: Sequence[Mask]) -> Bools:
    """(n, n) whether two masks are at most GAP pixels apart."""
    meet = intersections([grown(mask, GAP) for mask in visible], visible) > 0
    return (meet | meet.T) & ~np.eye(len(visible), dtype=bool)
