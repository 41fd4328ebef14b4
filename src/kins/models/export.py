"""Export to ONNX or with torch.export: one file that runs without kins, for pictures of one size."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import clip_boxes_to_image, nms

from kins.config import Config
from kins.errors import KinsError
from kins.files import ONNX_PRODUCER, PROGRAM_MARK, temporary_name
from kins.models import cpu
from kins.models.images import network_ratio
from kins.models.network import AmodalRCNN
from kins.models.regions import rescored
from kins.models.weights import load_model

KITTI = (375, 1242)
"""Height and width of its pictures, in pixels."""
LARGEST = 16384


class FixedSize(nn.Module):
    """The network for prediction with outputs of fixed size, as exporting needs: always `detections` rows, best first.

    The same parts and weights as the network; rows that nothing is left for have score 0, label 0 and a box of
    zeros.

    Args:
        network: copied by reference, in evaluation mode.
        height, width: size of the pictures that go in.
    """

    def __init__(self, network: AmodalRCNN, height: int, width: int) -> None:
        super().__init__()
        self.network = network.eval()
        self.size = height, width
        padded = -(-height // 32) * 32, -(-width // 32) * 32
        self.pad = padded[1] - width, padded[0] - height
        with torch.no_grad():
            features = list(network.backbone(torch.zeros(1, 3, *padded)).values())
        generator = network.rpn.anchor_generator
        strides = [[padded[0] // f.shape[-2], padded[1] // f.shape[-1]] for f in features]
        generator.set_cell_anchors(torch.float32, torch.device("cpu"))
        anchors = generator.grid_anchors([list(f.shape[-2:]) for f in features], [torch.tensor(s) for s in strides])
        for level, values in enumerate(anchors):
            self.register_buffer(f"anchors{level}", values)
        self.levels = len(anchors)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(3, height, width) uint8 RGB to boxes (D, 4), labels (D,), scores (D,), occlusion (D,) and mask_<name>
        (D, 28, 28), as `AmodalRoIHeads.predict` but always D rows; boxes are x1, y1, x2, y2 in pixels of the image."""
        network, heads = self.network, self.network.roi_heads
        with cpu.plain():
            padded = F.pad(network.transform.normal(image), (0, self.pad[0], 0, self.pad[1]))
            features = network.backbone(padded[None])
            proposals = self._proposals(list(features.values()))
            class_logits, deltas = heads.classify(features, [proposals])
            boxes, labels, scores = self._detections(class_logits, deltas, proposals)
            if heads.twice:
                (boxes,) = heads.moved(features, [boxes], labels, [self.size])
            described = heads.describe(features, [boxes], labels)
            return rescored({"boxes": boxes, "labels": labels, "scores": scores, **described})

    def _proposals(self, features: list[Tensor]) -> Tensor:
        rpn = self.network.rpn
        count = rpn.post_nms_top_n()
        scores_by_level, boxes_by_level = [], []
        for level, (logits, deltas) in enumerate(zip(*rpn.head(features), strict=True)):
            scores = logits[0].permute(1, 2, 0).flatten()
            anchors: Tensor = getattr(self, f"anchors{level}")
            deltas = deltas[0].view(-1, 4, *deltas.shape[-2:]).permute(2, 3, 0, 1).reshape(-1, 4)
            scores, best = scores.topk(min(rpn.pre_nms_top_n(), len(anchors)))
            boxes = clip_boxes_to_image(rpn.box_coder.decode_single(deltas[best], anchors[best]), self.size)
            sound = ((boxes[:, 2:] - boxes[:, :2]) >= rpn.min_size).all(dim=1)
            scores = scores.sigmoid().where(sound, -1)
            scores_by_level.append(_suppress(boxes, scores, rpn.nms_thresh))
            boxes_by_level.append(boxes)
        scores, boxes = torch.cat(scores_by_level), torch.cat(boxes_by_level)
        scores, best = scores.topk(min(count, len(scores)))
        return boxes[best] * (scores > 0)[:, None]  # suppressed ones become points, which no class regression revives

    def _detections(self, class_logits: Tensor, deltas: Tensor, proposals: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        heads = self.network.roi_heads
        classes = class_logits.shape[1]
        real = (proposals[:, 2:] > proposals[:, :2]).all(dim=1)
        decoded = heads.box_coder.decode_single(deltas, proposals).view(-1, classes, 4)
        boxes = clip_boxes_to_image(decoded[:, 1:].reshape(-1, 4), self.size)
        scores = class_logits.softmax(1)[:, 1:].reshape(-1)
        labels = torch.arange(1, classes).repeat(len(proposals))
        sound = ((boxes[:, 2:] - boxes[:, :2]) >= 1e-2).all(dim=1) & real.repeat_interleave(classes - 1)
        scores = scores.where(sound & (scores > heads.score_thresh), -1)
        apart = boxes + (labels * (max(self.size) + 1))[:, None]  # boxes of different classes never overlap
        scores = _suppress(apart, scores, heads.nms_thresh)
        scores, best = scores.topk(min(heads.detections_per_img, len(scores)))
        there = scores > 0
        return boxes[best] * there[:, None], labels[best] * there, scores * there


def _suppress(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """The scores, -1 where a better box overlaps too much."""
    far = boxes.new_tensor([[-9.0, -9, -8, -8], [-5.0, -5, -4, -4]])  # exporting assumes that at least two are kept
    best = nms(torch.cat([boxes, far]), torch.cat([scores, scores.new_zeros(2)]), threshold)
    kept = scores.new_zeros(len(scores) + 2).index_fill(0, best, 1.0)[:-2]
    return torch.where(kept > 0, scores, -1)


def export(weights: str | Path, out: str | Path, size: tuple[int, int] | None = None) -> Path:
    """Write a trained network as one file that runs without kins; see docs/training.md for its input and outputs.

    Args:
        weights: a run folder, a weights file, or the name of shipped weights.
        out: OUT.onnx, for ONNX runtimes, or OUT.pt2, for `torch.export.load`.
        size: width and height of the pictures that will go in, in pixels; None: those of KITTI's 1242 x 375 as the
            configuration scales them. Nothing is scaled inside.

    Raises:
        KinsError: unusable weights, another ending, or a size that is none.
        ModuleNotFoundError: for ONNX, onnx or onnxscript (the extra `export`) is not installed.
    """
    out = Path(out)
    if out.suffix not in (".onnx", ".pt2"):
        raise KinsError(f"{out}: name it OUT.onnx or OUT.pt2")
    if out.suffix == ".onnx":  # PyTorch's exporter needs both, and says so late
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    if size is not None and not all(1 <= side <= LARGEST for side in size):
        raise KinsError(f"a size of {size[0]}x{size[1]}: width and height are 1 to {LARGEST} pixels")
    network, config, categories = load_model(weights)
    width, height = picture_size(config) if size is None else size
    image = torch.zeros((3, height, width), dtype=torch.uint8)
    labels = json.dumps(dict(enumerate(categories.values(), start=1)))
    with temporary_name(out) as temporary, quiet():
        fixed = FixedSize(network, height, width)
        program = torch.export.export(fixed, (image,), strict=False)
        if out.suffix == ".onnx":
            names = list(fixed(image))
            written: Any = torch.onnx.export(program, (), input_names=["image"], output_names=names, verbose=False)
            written.model.producer_name = ONNX_PRODUCER
            written.model.metadata_props["labels"] = labels
            written.save(temporary)
        else:
            torch.export.save(program, temporary, extra_files={PROGRAM_MARK: labels})
    return out


def picture_size(config: Config) -> tuple[int, int]:
    """Width and height of KITTI's pictures, scaled as the configuration says."""
    ratio = network_ratio(KITTI, config.data.short_side, config.data.long_side)
    return round(KITTI[1] * ratio), round(KITTI[0] * ratio)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the exporters say of their own operations."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
