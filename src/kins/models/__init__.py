"""Networks for amodal instance segmentation, built by name: `kins.models.build("asn-mlc", num_classes=7)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kins.models.network import AmodalRCNN

__all__ = ["build"]

REPLACED = {"street-tiny": "street"}
"""Weights that came with kins before, and those that take their place."""


def build(name: str, num_classes: int, **settings: Any) -> AmodalRCNN:
    """Build a network with random weights, or with a pretrained backbone.

    Args:
        name: one of `kins.config.NETWORKS`, for example "asn-mlc".
        num_classes: object classes, background not counted (KINS: 7).
        settings: fields of `kins.config.ModelConfig`, for example backbone="resnet18", weights="imagenet", tap=2.

    Returns:
        A torch module. In training mode it takes images and targets and returns a dict of losses; in evaluation
        mode it takes images and returns detections: see `kins.models.network.AmodalRCNN`.

    Raises:
        KinsError: a name or setting that does not exist, no classes, or weights that can't be found.

    Example:
        >>> import torch
        >>> network = kins.models.build("asn-mlc", num_classes=7, backbone="tiny", channels=32, hidden=64).eval()
        >>> with torch.inference_mode():
        ...     (found,) = network([torch.zeros(3, 64, 96, dtype=torch.uint8)])
        >>> sorted(found)
        ['boxes', 'labels', 'mask_amodal', 'mask_inmodal', 'occlusion', 'scores']
        >>> found["mask_amodal"].shape[1:]
        torch.Size([28, 28])
    """
    from kins.config import ModelConfig, checked
    from kins.errors import KinsError
    from kins.models.network import assemble

    if num_classes < 1:
        raise KinsError(f"num_classes: {num_classes}; a network needs one class at least, background not counted")

    return assemble(checked(ModelConfig, {"name": name, **settings}, "model"), num_classes)
