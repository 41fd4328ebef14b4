"""Completion by a trained network (kins.models.completion)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from kins.complete.ordered import Ordered
from kins.complete.window import pictured, windows
from kins.errors import KinsError
from kins.masks import Mask, union
from kins.masks.grid import draw_masks
from kins.models.completion import SIZE, CompletionNetwork, MaskCompletion
from kins.models.pcnet import PCNet
from kins.records import Scene

BATCH = 32


def method_of(network: MaskCompletion) -> Learned | Ordered:
    """The method (see `kins.complete.completer.Method`) that completes with a network."""
    if isinstance(network, PCNet):
        return Ordered(network)
    assert isinstance(network, CompletionNetwork)
    return Learned(network)


class Learned:
    """The method (see `kins.complete.completer.Method`) of a network.

    What the network adds counts where another instance is visible; elsewhere nothing hides, as far as is known.
    """

    def __init__(self, network: CompletionNetwork) -> None:
        self.network = network.eval()
        self.needs_image = network.encoder is not None

    def __call__(self, image: npt.NDArray[np.uint8] | None, scene: Scene) -> Sequence[Mask]:
        """The amodal mask of each instance."""
        visible = scene.masks("inmodal")
        seen, places = windows(visible, SIZE)
        if self.needs_image and visible:
            if image is None:
                raise KinsError(f"image {scene.image.file_name}: the picture is needed; name its folder with --images")
            shown = [pictured(image, (x1, y1, x2 - x1), SIZE) for x1, y1, x2, _ in places.tolist()]
            seen = np.concatenate([seen, np.stack(shown)], axis=1)
        drawn: list[Mask] = []
        with torch.inference_mode():
            for start in range(0, len(visible), BATCH):
                part = torch.from_numpy(seen[start : start + BATCH])
                whole = self.network(list(part))
                assert isinstance(whole, torch.Tensor)
                size = scene.image.height, scene.image.width
                drawn += draw_masks(whole.numpy().astype(np.float32), places[start : start + BATCH], *size)
        everything = union(visible, scene.image.height, scene.image.width)
        return [mask | (guess & (everything - mask)) for mask, guess in zip(visible, drawn, strict=True)]
