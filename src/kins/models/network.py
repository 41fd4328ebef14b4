"""The networks, assembled from parts: Mask R-CNN, PANet and the amodal segmentation network (ASN).

ASN and multi-level coding: Qi, Jiang, Liu, Shen, Jia: Amodal Instance Segmentation with KINS Dataset, CVPR 2019.
"""

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList

from kins.config import COMPLETION, INSTAORDERNET, NETWORKS, ORDERNET, PCNET, ModelConfig
from kins.models import cpu
from kins.models.backbone import Backbone, backbone, freeze_stages
from kins.models.checkpoints import Checkpoint, checkpoint
from kins.models.completion import MEAN, STD, CompletionNetwork
from kins.models.heads import AllLevels, BoxPredictor, RegionHead, conv
from kins.models.ordernet import InstaOrderNet, OrderNet
from kins.models.pcnet import PCNet
from kins.models.pooling import RegionPooling
from kins.models.proposals import ProposalHead, ProposalNetwork
from kins.models.regions import AmodalRoIHeads, Target
from kins.models.stages import mask_stage
from kins.models.stages.panet import AdaptivePooling, PathAugmentation
from kins.models.targets import SOURCES


class AmodalRCNN(GeneralizedRCNN):
    """Backbone, region proposals and region stage.

    Called with a list of (3, H, W) uint8 RGB images (of any sizes; kins.models.images scales them). In training mode a
    target for each image is needed (see `regions.Target`), and a dict of scalar losses is returned. In evaluation
    mode a list of detections is returned, boxes in pixels of the images given (see `AmodalRoIHeads.predict`).
    """

    def __init__(self, backbone: nn.Module, rpn: ProposalNetwork, roi_heads: AmodalRoIHeads) -> None:
        super().__init__(backbone, rpn, roi_heads, Normalisation())

    @property
    def segments(self) -> list[str]:
        """What the targets of its masks are drawn from (`targets.SOURCES`)."""
        heads = self.roi_heads
        covered = {"covered"} if heads.occlusion_head is not None and heads.occlusion_rule != "instance" else set()
        return sorted({source for name in heads.mask_heads.targets.values() for source in SOURCES[name]} | covered)

    def on_boxes(
        self,
        images: list[Tensor],
        boxes: list[Tensor],
        labels: list[Tensor] | None = None,
        refine: list[Tensor] | None = None,
    ) -> list[dict[str, Tensor]]:
        """What the region stage says of given boxes, in evaluation mode; no regions are proposed, none is left out.

        Args:
            images: each (3, H, W) uint8 RGB.
            boxes: of each image, (N, 4) float x1, y1, x2, y2 in its pixels, of whole objects.
            labels: of each image, (N,) int64 from 1; 0, and all if None, stands for the class of the highest score.
            refine: of each image, (N,) bool: which boxes are of visible parts, or rough, and are first moved as the box
                head says.

        Returns:
            For each image boxes, labels, scores (of these labels), and what `AmodalRoIHeads.describe` says of them, in
            the given sequence.
        """
        batch, _ = self.transform(images)
        features = self.backbone(batch.tensors)
        found: list[dict[str, Tensor]] = self.roi_heads.on_boxes(features, boxes, batch.image_sizes, labels, refine)
        return found


class Normalisation(nn.Module):
    """Images to one padded batch with ImageNet's mean and deviation; they are scaled before, with the targets."""

    mean: Tensor
    std: Tensor

    def __init__(self, divisible: int = 32) -> None:
        super().__init__()
        self.divisible = divisible
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(
        self, images: list[Tensor], targets: list[Target] | None = None
    ) -> tuple[ImageList, list[Target] | None]:
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        height, width = (-(-max(side) // self.divisible) * self.divisible for side in zip(*sizes, strict=True))
        device = images[0].device
        layout = torch.channels_last if cpu.quicker_for(images[0]) else torch.contiguous_format
        batch = torch.zeros((len(images), 3, height, width), device=device).contiguous(memory_format=layout)
        for place, image in zip(batch, images, strict=True):
            place[:, : image.shape[-2], : image.shape[-1]] = self.normal(image)
        return ImageList(batch, sizes), targets

    def normal(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std

    def postprocess(
        self, result: list[dict[str, Tensor]], image_shapes: list[tuple[int, int]], original: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """Nothing: kins.predict scales boxes back and draws the masks."""
        return result


def make(config: ModelConfig, num_classes: int, blank: bool = False) -> nn.Module:
    """The network that a configuration describes, of whichever kind: a detector, or one that completes masks, or one
    that tells who is in front.

    Args:
        blank: torchvision's weights are not read, for others will be loaded; what they freeze is frozen all the same.
    """
    if config.name == COMPLETION:
        return CompletionNetwork(config.channels, pretrained(config, blank)[0] if config.rgb else None)
    if config.name in ORDERS:
        start = pretrained(config, blank)[0]
        return ORDERS[config.name](start.body, start.widths[-1], config.window, config.rgb)
    return PCNet(config.channels, config.window) if config.name == PCNET else assemble(config, num_classes, blank)


ORDERS = {ORDERNET: OrderNet, INSTAORDERNET: InstaOrderNet}


def assemble(config: ModelConfig, num_classes: int, blank: bool = False) -> AmodalRCNN:
    """The network that a configuration describes; see `kins.models.build` and `make`."""
    parts = NETWORKS[config.name]
    body, start = pretrained(config, blank, PathAugmentation(config.channels) if parts.panet else None)
    rpn = region_proposals(config)
    if start is not None:
        start.load_proposals(rpn)

    def pool(size: int) -> nn.Module:
        if parts.panet:
            return AdaptivePooling(size)
        return RegionPooling(size, config.canonical_size)

    def region_head() -> RegionHead:
        first = (AllLevels if parts.panet else conv)(config.channels, config.head_channels)
        return RegionHead(first, config.head_channels, config.head_depth, config.hidden, config.tap)

    box_predictor = BoxPredictor(config.hidden, num_classes)
    occlusion_predictor = nn.Linear(config.hidden, 2) if parts.occlusion else None
    if config.initial == "paper":
        begin_as_the_paper(box_predictor, occlusion_predictor)
    return AmodalRCNN(
        body,
        rpn,
        AmodalRoIHeads(
            box_pool=pool(7),
            box_head=region_head(),
            box_predictor=box_predictor,
            occlusion_head=region_head() if parts.occlusion else None,
            occlusion_predictor=occlusion_predictor,
            occluded_weight=config.occluded_weight,
            occlusion_rule=config.occlusion_labels,
            box_beta=config.box_beta,
            binary_targets=config.binary_targets,
            mask_pool=pool(14),
            mask_heads=mask_stage(config, num_classes),
            regions=config.regions,
            score_threshold=config.score_threshold,
            nms_threshold=config.nms_threshold,
            detections=config.detections,
            twice=parts.twice,
        ),
    )


def begin_as_the_paper(boxes: BoxPredictor, occlusion: nn.Linear | None) -> None:
    """Initial weights of the last layers as in the code that the paper's authors released."""
    layers = [(boxes.cls_score, 0.01), (boxes.bbox_pred, 0.001), *([] if occlusion is None else [(occlusion, 0.01)])]
    for layer, deviation in layers:
        nn.init.normal_(layer.weight, std=deviation)
        nn.init.zeros_(layer.bias)


def pretrained(config: ModelConfig, blank: bool, path: nn.Module | None = None) -> tuple[Backbone, Checkpoint | None]:
    """A configuration's backbone, with frozen stages and, unless `blank`, pretrained weights; and what these are."""
    start = checkpoint(config.backbone, config.weights) if config.weights and not blank else None
    body = backbone(config.backbone, channels=config.channels, norm=normalisation(config), path=path)
    if start is not None:
        start.load_backbone(body)
    if config.weights:
        freeze_stages(body.body, config.trainable_layers)
    return body, start


def normalisation(config: ModelConfig) -> str:
    return config.norm or ("frozen-batch" if config.weights else "group")


def region_proposals(config: ModelConfig) -> ProposalNetwork:
    """Anchors of one size and three shapes a level, and torchvision's proposal head."""
    anchors = AnchorGenerator(tuple((size,) for size in config.anchors), ((0.5, 1.0, 2.0),) * len(config.anchors))
    proposals = {"training": config.proposals_train, "testing": config.proposals_test}
    return ProposalNetwork(
        anchors,
        ProposalHead(config.channels, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=config.anchors_sampled,
        positive_fraction=0.5,
        pre_nms_top_n=proposals,
        post_nms_top_n=proposals,
        nms_thresh=0.7,
        border_anchors=config.border_anchors,
    )
