"""Networks for amodal instance segmentation, built by name: `kins.models.build("asn-mlc", num_classes=7)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kins.models.network import AmodalRCNN

__all__ = ["build"]


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
        KinsError: a name or setting that does not exist, or weights that can't be found.
    """
    from kins.config import ModelConfig, checked
    from kins.models.network import assemble

    return assemble(checked(ModelConfig, {"name": name, **settings}, "model"), num_classes)
