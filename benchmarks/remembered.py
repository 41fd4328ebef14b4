"""Frozen backbone and proposals look at each picture once: their maps are kept, and only the heads compute after that.

Where nothing but mirroring changes the pictures, training heads on a CPU takes a few times less, with the same losses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from kins.models.network import AmodalRCNN
from kins.models.proposals import at_least_single

Maps = dict[str, Tensor]


class Memory:
    """The maps and proposals of pictures, by their pixels; for networks of equal backbones in one precision."""

    def __init__(self) -> None:
        self.maps: dict[int, Maps] = {}
        self.proposals: dict[int, Tensor] = {}

    def serve(self, network: AmodalRCNN) -> None:
        """From now on the network takes body and pyramid from here, and the proposals if no path comes between."""
        backbone, rpn = network.backbone, network.rpn
        body, fpn, path, propose = backbone.body, backbone.fpn, backbone.path, rpn.forward

        def look(images: Tensor) -> Maps:
            found = [self._recall(self.maps, image, lambda x: _half(fpn(body(x)))) for image in images]
            maps: Maps = {name: torch.cat([own[name] for own in found]) for name in found[0]}
            maps = maps if path is None else path(maps)
            return {name: at_least_single(level) for name, level in maps.items()}

        def proposed(images: ImageList, maps: Maps, targets: Any = None) -> tuple[list[Tensor], dict[str, Tensor]]:
            def once(index: int) -> Callable[[Tensor], Tensor]:
                own = {name: level[index : index + 1] for name, level in maps.items()}
                return lambda x: propose(ImageList(x, images.image_sizes[index : index + 1]), own)[0][0]

            training = rpn.training
            rpn.eval()
            boxes = [self._recall(self.proposals, image, once(i)) for i, image in enumerate(images.tensors)]
            rpn.train(training)
            return boxes, {}

        backbone.forward = look
        if path is None:
            rpn.forward = proposed

    @staticmethod
    def _recall(kept: dict[int, Any], image: Tensor, make: Callable[[Tensor], Any]) -> Any:
        key = hash(image.contiguous().cpu().numpy().tobytes())
        if key not in kept:
            with torch.no_grad():
                kept[key] = make(image[None])
        return kept[key]


def _half(maps: Maps) -> Maps:
    return {name: level.bfloat16() for name, level in maps.items()}
