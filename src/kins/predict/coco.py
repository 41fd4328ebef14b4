"""Objects of 80 classes in any photograph: torchvision's Mask R-CNN, trained on COCO, and completion of what it sees.

The network is `maskrcnn_resnet50_fpn_v2` (Li et al., Benchmarking Detection Transfer Learning with Vision Transformers,
2021, as torchvision has it); its weights are fetched by torchvision on first use. It finds visible masks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights as Weights
from torchvision.models.detection.transform import resize_boxes

from kins.complete import Completer
from kins.masks.grid import draw_masks
from kins.models.checkpoints import check_numbers, check_shapes, downloaded, read_state, shapes
from kins.models.devices import autocast, pick_device
from kins.predict.predictor import Pixels, TakesPictures
from kins.records import Image, Instance, Scene

WEIGHTS_URL = Weights.COCO_V1.url
COMPLETION = "completion"
"""How what is hidden is found."""
LEAST_SCORE = 0.3
"""Detections under this are left out unless another limit is given: completion would take them for occluders."""


class CocoPredictor(TakesPictures):
    """Takes pictures and returns scenes, as `kins.predict.Predictor` does.

    Args:
        network: torchvision's Mask R-CNN for COCO's 91 labels.
        completer: makes whole objects and order of the visible masks.
        device, precision, score_threshold: as in Predictor; None is LEAST_SCORE.

    Attributes:
        categories: name by COCO's category id.
    """

    def __init__(
        self,
        network: nn.Module,
        completer: Completer,
        *,
        device: str = "auto",
        precision: str = "auto",
        score_threshold: float | None = None,
    ) -> None:
        names = enumerate(Weights.COCO_V1.meta["categories"])
        self.categories = {number: name for number, name in names if name not in ("__background__", "N/A")}
        self.device = pick_device(device)
        self.network = network.to(self.device).eval()
        self.network.transform.postprocess = _boxes_only  # type: ignore[union-attr]
        least = LEAST_SCORE if score_threshold is None else score_threshold
        self.network.roi_heads.score_thresh = least  # type: ignore[union-attr]
        self.completer = completer
        self.autocast = autocast(self.device, precision)

    @classmethod
    def load(
        cls, *, device: str = "auto", precision: str = "auto", score_threshold: float | None = None
    ) -> CocoPredictor:
        """With torchvision's weights. Raises KinsError, naming the file, where they can't be had."""
        path = weights_file()
        state = read_state(path)
        network = torchvision.models.detection.maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
        wanted = {name: value for name, value in network.state_dict().items() if name in state or value.ndim}
        check_shapes(path, wanted, shapes(state), "is it torchvision's maskrcnn_resnet50_fpn_v2?")
        check_numbers(path, {name: value for name, value in state.items() if value.is_floating_point()})
        network.load_state_dict(state, strict=False)
        completer = Completer.load(COMPLETION)
        return cls(network, completer, device=device, precision=precision, score_threshold=score_threshold)

    def _predict(self, images: Sequence[Pixels]) -> list[Scene]:
        inputs = [torch.from_numpy(image.copy()).permute(2, 0, 1).to(self.device) / 255 for image in images]
        with torch.inference_mode(), self.autocast():
            found = self.network(inputs)
        return [self._scene(detections, image) for detections, image in zip(found, images, strict=True)]

    def _scene(self, found: dict[str, Tensor], pixels: Pixels) -> Scene:
        height, width = pixels.shape[:2]
        values = {name: value.float().cpu().numpy() for name, value in found.items()}
        boxes = values["boxes"].astype(np.float64)
        masks = draw_masks(values["masks"][:, 0], boxes, height, width)
        rows = zip(values["labels"].astype(int).tolist(), values["scores"].tolist(), masks, boxes.tolist(), strict=True)
        instances = [
            Instance(
                number, label, self.categories[label], inmodal=mask, inmodal_box=(x1, y1, x2 - x1, y2 - y1), score=score
            )
            for number, (label, score, mask, (x1, y1, x2, y2)) in enumerate(rows, start=1)
            if label in self.categories and mask
        ]
        return self.completer(pixels, Scene(Image(0, "", height, width), tuple(instances)))


def weights_file() -> Path:
    """Torchvision's weights, fetched if they are not on disk. Raises KinsError if they can't be."""
    return downloaded(WEIGHTS_URL, "")


def _boxes_only(
    result: list[dict[str, Tensor]], image_shapes: list[tuple[int, int]], original: list[tuple[int, int]]
) -> list[dict[str, Tensor]]:
    """In place of torchvision's: boxes in pixels of the pictures, masks left over their boxes, for a hundred masks of a
    large photograph as arrays would take gigabytes."""
    for found, size, wanted in zip(result, image_shapes, original, strict=True):
        found["boxes"] = resize_boxes(found["boxes"], list(size), list(wanted))
    return result
