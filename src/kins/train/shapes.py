"""The shapes of a data set's objects, for methods that keep some of them in mind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kins.models.network import AmodalRCNN
from kins.models.targets import draw_targets
from kins.train.samples import TrainingSet, make_target

MOST = 8192
"""Instances that are looked at."""
SHAKEN = 0.1
"""How far the sides of a box are moved at most, as shares of the box: proposals do not lie on the object exactly."""


def prepare(network: nn.Module, samples: object, seed: int) -> None:
    """Give a network's mask stage the shapes that it asks for, if it does."""
    if isinstance(network, AmodalRCNN) and network.roi_heads.mask_heads.wants_shapes:
        assert isinstance(samples, TrainingSet)
        network.roi_heads.mask_heads.prepare(*shapes(samples, seed))


def shapes(samples: TrainingSet, seed: int, most: int = MOST) -> tuple[Tensor, Tensor]:
    """Labels (N,) int64 and amodal masks (N, 28, 28) of instances, each in its box and in one that is shaken."""
    rng = np.random.default_rng((seed, 5))
    labels, masks, count = [torch.zeros(0, dtype=torch.int64)], [torch.zeros(0, 28, 28)], 0
    for index in rng.permutation(len(samples)).tolist():
        scene = samples.dataset[samples.image_ids[index]]
        target = make_target(scene, torch.ones(2), samples.labels, samples.data, ["amodal"])
        boxes, own = target["boxes"], torch.arange(len(target["boxes"]))
        sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        moved = torch.from_numpy(rng.uniform(-SHAKEN, SHAKEN, tuple(boxes.shape))).float()
        for places in (boxes, boxes + moved * sides):
            masks.append(draw_targets(target["amodal"], target["scale"], places, own))
            labels.append(target["labels"])
        count += len(boxes)
        if count >= most:
            break
    return torch.cat(labels), torch.cat(masks)
