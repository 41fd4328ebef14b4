"""Completion by a trained detector: its region stage on given boxes finds both masks of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from kins.config import Config
from kins.errors import KinsError
from kins.masks import Box, Mask, union
from kins.masks.grid import draw_masks
from kins.models.images import to_network
from kins.models.network import AmodalRCNN
from kins.records import Instance, Scene

Pixels = npt.NDArray[np.uint8]


class OnBoxes:
    """The method (see `kins.complete.completer.Method`) of a detector's network.

    The box of an instance is that of its visible mask; without one the amodal box that is stated, else the inmodal one.
    Boxes of visible parts are first moved to the whole object by the network's box head. A visible mask that is given
    stays, and grows under visible parts of other instances alone; of a box alone both masks are the network's.

    Args:
        network: one that finds both masks, in evaluation mode.
        config: for the size that pictures are scaled to.
        categories: name by id, in the order of the network's labels. An instance of another class is taken for the one
            that it looks like most; its category stays.

    Raises:
        KinsError: the network finds amodal masks alone.
    """

    def __init__(self, network: AmodalRCNN, config: Config, categories: dict[int, str]) -> None:
        if "inmodal" not in network.roi_heads.mask_heads.masks:
            raise KinsError(f"{config.model.name}: finds amodal masks alone; boxes need a network that finds both")
        self.network = network
        self.data = config.data
        self.labels = {name.lower(): label for label, name in enumerate(categories.values(), start=1)}

    def __call__(self, image: Pixels | None, scene: Scene) -> Scene:
        """The scene with both masks of each instance."""
        if image is None:
            raise KinsError(f"image {scene.image.file_name}: the picture is needed; name its folder with --images")
        if not len(scene):
            return scene
        boxes, rough = zip(*(_box(instance, scene) for instance in scene), strict=True)
        tensor, scale = to_network(image, self.data.short_side, self.data.long_side)
        corners = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in boxes]) * scale.repeat(2)
        labels = torch.tensor([self.labels.get(i.category.lower(), 0) for i in scene])
        with torch.inference_mode():
            (found,) = self.network.on_boxes([tensor], [corners], [labels], [torch.tensor(rough)])
        places = (found["boxes"] / scale.repeat(2)).numpy().astype(np.float64)
        size = scene.image.height, scene.image.width
        whole, seen = (
            draw_masks(found[name].float().numpy(), places, *size) for name in ("mask_amodal", "mask_inmodal")
        )
        given = union([mask for i in scene if (mask := _mask(i)) is not None], *size)
        instances = []
        for instance, amodal, inmodal in zip(scene, whole, seen, strict=True):
            mask = _mask(instance)
            if mask is not None:
                amodal, inmodal = mask | (amodal & (given - mask)), mask
            instances.append(instance.replace(amodal=amodal | inmodal, inmodal=inmodal))
        return scene.replace(instances=tuple(instances))


def _mask(instance: Instance) -> Mask | None:
    """The visible mask; None for an empty one beside a box, which is how some files say that there is none."""
    if not instance.inmodal and (instance.amodal_box or instance.inmodal_box):
        return None
    return instance.inmodal


def _box(instance: Instance, scene: Scene) -> tuple[Box, bool]:
    """x, y, width, height of an instance in pixels, and whether it may be too small for the whole object."""
    mask = _mask(instance)
    box = instance.amodal_box or instance.inmodal_box if mask is None else mask.box
    where = f"image {scene.image.file_name}: annotation {instance.id}"
    if box is None:
        raise KinsError(f"{where} has neither an inmodal mask nor a box")
    x, y, width, height = box
    inside = x < scene.image.width and y < scene.image.height and x + width > 0 and y + height > 0
    if mask is None and not (np.isfinite(box).all() and width > 0 and height > 0 and inside):
        raise KinsError(f"{where}: box {x:g}, {y:g}, {width:g}, {height:g} holds no pixel of the picture")
    return box, mask is not None or instance.amodal_box is None
