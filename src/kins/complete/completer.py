"""One protocol for every way of completing masks: visible masks in; whole masks, occlusion score and order out.

A method is a function of a picture and its scene that gives the amodal mask of each instance. What holds for all of
them is here: a completed mask contains the visible one, and the order follows from who gains pixels where another one
is visible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kins.complete import convex
from kins.complete.order import PairOrder
from kins.errors import KinsError
from kins.masks import Mask, rasterise
from kins.models import REPLACED
from kins.occlusion import PARTIAL, occlusion_from_edges, with_order
from kins.records import Scene

Pixels = npt.NDArray[np.uint8]
Method = Callable[[Pixels | None, Scene], Sequence[Mask] | Scene]
"""A picture (height, width, 3) uint8 RGB, or None where there is none, and its scene, every instance of it with an
inmodal mask, to the amodal mask of each instance; or, if boxes are enough for it, to the scene with both masks."""

METHODS: dict[str, Method] = {
    "visible": convex.visible,
    "convex": convex.convex,
    "convex-order": convex.convex_order,
}
"""Methods that need no weights."""
LEARNED = {"completion": "completion", "boxes": "street", "street": "street"}
"""Methods with weights that come with kins, and the names of these."""


class Completer:
    """Completes the scenes of any detector or data set.

    Args:
        method: see Method; a third party's is any function like that.
        needs_image: whether the method looks at the picture.
        order: what tells who hides whom, if not the completed masks. It is asked before the method, which is given the
            order, wherever every instance has a visible mask.

    Example:
        >>> table = kins.Mask.from_polygons([[2, 6, 18, 6, 18, 9, 2, 9]], 12, 20)
        >>> vase = kins.Mask.from_box((8, 0, 4, 9), 12, 20)
        >>> found = [kins.Instance(1, 1, "table", inmodal=table - vase), kins.Instance(2, 2, "vase", inmodal=vase)]
        >>> scene = kins.Scene(kins.Image(1, "a.png", 12, 20), tuple(found))
        >>> whole = kins.complete.Completer.load("convex-order")(None, scene)
        >>> whole[0].amodal == table, whole[0].order, whole[1].order
        (True, 1, 0)
    """

    def __init__(self, method: Method, needs_image: bool = True, order: PairOrder | None = None) -> None:
        self.method = method
        self.order = order
        self.needs_image = needs_image or (order is not None and order.needs_image)

    @classmethod
    def load(cls, name: str | Path, order: str | Path | None = None) -> Completer:
        """By the name of a method, or from weights: of a network that completes masks, or of a detector.

        Args:
            name: one of METHODS or LEARNED, a run folder or a weights file.
            order: weights of a network that tells who hides whom; None takes the completed masks.

        Raises:
            KinsError: nothing of that name, or weights of a network that has amodal masks alone.
        """
        pairs = None if order is None else PairOrder.load(order)
        if str(name) in METHODS:
            return cls(METHODS[str(name)], False, pairs)
        if str(name) not in (*LEARNED, *REPLACED) and not Path(name).exists():
            known = ", ".join([*METHODS, *LEARNED])
            raise KinsError(f"{name}: no method to complete masks with, run folder or weights; methods are {known}")
        import torch

        from kins.complete.boxes import OnBoxes
        from kins.complete.learned import method_of
        from kins.models.completion import MaskCompletion
        from kins.models.cpu import quicken
        from kins.models.network import AmodalRCNN
        from kins.models.weights import load_network

        network, config, categories = load_network(name if Path(name).exists() else LEARNED.get(str(name), name))
        if isinstance(network, MaskCompletion):
            method = method_of(network)
            return cls(method, method.needs_image, pairs)
        if not isinstance(network, AmodalRCNN):
            raise KinsError(f"{name}: weights of {config.model.name}, which tells order alone; see kins order --with")
        quicken(network.to(memory_format=torch.channels_last))
        return cls(OnBoxes(network, config, categories), True, pairs)

    def scene(self, scene: Scene) -> Scene:
        """As a call, with the scene's own picture. Raises KinsError, too, where that is needed and can't be read."""
        return self(scene.read_image() if self.needs_image else None, scene)

    def __call__(self, image: Pixels | None, scene: Scene) -> Scene:
        """The scene with amodal masks, occlusion scores, clusters and order.

        Categories, ids, scores and inmodal masks stay.

        Args:
            image: (height, width, 3) uint8 RGB; None where the method needs none.

        Raises:
            KinsError: an instance has no inmodal mask (where boxes are enough, no box, either), or a damaged one.
        """
        rasterise([instance.inmodal for instance in scene])
        edges = None
        if self.order is not None and all(instance.inmodal for instance in scene):
            edges = self.order.edges(image, scene)
            scene = with_order(scene, occlusion_from_edges(scene, edges))
        found = self.method(image, scene)
        scene, masks = (found, found.masks("amodal")) if isinstance(found, Scene) else (scene, found)
        visible = scene.masks("inmodal")
        completed = [whole | seen if seen else seen for whole, seen in zip(masks, visible, strict=True)]
        instances = tuple(
            instance.replace(
                amodal=whole,
                amodal_box=None,
                amodal_area=None,
                occlusion_score=occlusion_score(1 - seen.area / whole.area if whole.area else 0.0),
            )
            for instance, whole, seen in zip(scene, completed, visible, strict=True)
        )
        scene = scene.replace(instances=instances)
        if self.order is not None and edges is None:
            edges = self.order.edges(image, scene)
        return with_order(scene, None if edges is None else occlusion_from_edges(scene, edges))


def occlusion_score(rate: float) -> float:
    """From a hidden share to a score between 0 and 1 that is 0.5 where an instance begins to count as occluded.

    Example:
        >>> kins.complete.occlusion_score(0.0), kins.complete.occlusion_score(kins.occlusion.PARTIAL)
        (0.0, 0.5)
    """
    return rate / (rate + PARTIAL) if rate > 0 else 0.0
