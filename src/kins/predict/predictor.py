"""Prediction: from pictures to scenes with both masks, occlusion score and order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kins.config import NETWORKS, Config
from kins.errors import KinsError
from kins.masks.grid import draw_masks
from kins.models.images import to_network
from kins.predict.one_order import one_order
from kins.records import Image, Instance, Scene

Pixels = npt.NDArray[np.uint8]


class TakesPictures(ABC):
    """What predictors share: a picture, or several, in; a scene for each out."""

    def __call__(self, image: Pixels) -> Scene:
        """(h, w, 3) uint8 RGB to a Scene of the same size, best detection first. Raises KinsError for other arrays."""
        return self.batch([image])[0]

    def batch(self, images: Sequence[Pixels]) -> list[Scene]:
        """Several images in one pass; they may differ in size. Raises KinsError as for one."""
        for image in images:
            _check(image)
        return self._predict(images) if images else []

    @abstractmethod
    def _predict(self, images: Sequence[Pixels]) -> list[Scene]: ...


class Predictor(TakesPictures):
    """A trained network that takes pictures and returns scenes.

    Args:
        model: the network (`kins.models.network.AmodalRCNN`); put into evaluation mode.
        categories: name by category id, in the order of the network's labels.
        config: for the size that pictures are scaled to.
        device, precision: as in `kins.config.TrainConfig`.
        score_threshold: detections under this are left out; None keeps what the network keeps.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> predictor = kins.Predictor.load("street", device="cpu")
        >>> pixels = write_shapes("pictures", 1)[0].read_image()  # (height, width, 3) uint8 RGB
        >>> scene = predictor(pixels)
        >>> (scene.image.height, scene.image.width) == pixels.shape[:2]
        True
        >>> all(0 < i.score <= 1 and i.amodal.height == scene.image.height for i in scene)
        True
    """

    def __init__(
        self,
        model: torch.nn.Module,
        categories: Mapping[int, str],
        config: Config,
        *,
        device: str = "auto",
        precision: str = "auto",
        score_threshold: float | None = None,
    ) -> None:
        from kins.models.devices import autocast, pick_device

        self.device = pick_device(device)
        self.model = model.to(self.device).eval()
        if config.train.channels_last or self.device.type == "cpu":  # the network's maps have that layout on CPUs
            self.model.to(memory_format=torch.channels_last)
        self.categories = dict(categories)
        self.config = config
        self.autocast = autocast(self.device, precision)
        self.score_threshold = score_threshold

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Predictor:
        """From a run folder (its best weights) or a weights file; `options` as for the constructor.

        Raises:
            KinsError: no such run or file, or not weights of kins.
        """
        from kins.models.cpu import quicken
        from kins.models.weights import load_model

        model, config, categories = load_model(path)
        predictor = cls(model, categories, config, **options)
        quicken(predictor.model)
        return predictor

    def _predict(self, images: Sequence[Pixels]) -> list[Scene]:
        data = self.config.data
        inputs, scales = zip(*(to_network(i, data.short_side, data.long_side) for i in images), strict=True)
        with torch.inference_mode(), self.autocast():
            detections = self.model([tensor.to(self.device) for tensor in inputs])
        return [self._scene(d, s, i) for d, s, i in zip(detections, scales, images, strict=True)]

    def _scene(self, detections: Mapping[str, Tensor], scale: Tensor, pixels: Pixels) -> Scene:
        height, width = pixels.shape[:2]
        found = {name: value.float().cpu() for name, value in detections.items()}
        boxes = (found["boxes"] / scale.repeat(2)).numpy().astype(np.float64)
        masks = {
            name: draw_masks(found[f"mask_{name}"].numpy(), boxes, height, width)
            for name in ("amodal", "inmodal")
            if f"mask_{name}" in found
        }
        ids = list(self.categories)
        instances: list[Instance] = []
        for k, (label, score) in enumerate(zip(found["labels"].int().tolist(), found["scores"].tolist(), strict=True)):
            if self.score_threshold is not None and score < self.score_threshold:
                continue
            x1, y1, x2, y2 = boxes[k].tolist()
            category_id = ids[label - 1]
            instances.append(
                Instance(
                    id=len(instances) + 1,
                    category_id=category_id,
                    category=self.categories[category_id],
                    amodal=masks["amodal"][k] if "amodal" in masks else None,
                    inmodal=masks["inmodal"][k] if "inmodal" in masks else None,
                    amodal_box=(x1, y1, x2 - x1, y2 - y1),
                    score=score,
                    occlusion_score=float(found["occlusion"][k]) if "occlusion" in found else None,
                )
            )
        scene = Scene(Image(0, "", height, width), tuple(instances))
        parts = NETWORKS[self.config.model.name]
        return one_order(scene, layers=parts.layers) if parts.one_order else scene


def _check(image: Pixels) -> None:
    if not isinstance(image, np.ndarray):
        raise KinsError(f"a picture is a (height, width, 3) uint8 RGB array, not a {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise KinsError(f"a picture is a (height, width, 3) uint8 RGB array, not {image.dtype} of shape {image.shape}")


def with_categories(scene: Scene, categories: Mapping[int, str]) -> Scene:
    """Category ids of other annotations, matched by name; classes that these do not have are left out.

    Example:
        >>> found = tuple(kins.Instance(n, n, name) for n, name in enumerate(["car", "tree"]))
        >>> scene = kins.predict.with_categories(kins.Scene(kins.Image(1, "a.png", 6, 8), found), {4: "car"})
        >>> [(instance.category_id, instance.category) for instance in scene]
        [(4, 'car')]
    """
    ids = {name: category_id for category_id, name in categories.items()}
    return scene.replace(instances=tuple(i.replace(category_id=ids[i.category]) for i in scene if i.category in ids))
