"""The region stage: from proposals to classes, amodal boxes, occlusion and masks."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import clip_boxes_to_image

from kins.models.heads import Kept, RegionHead
from kins.models.proposals import SeededSampler, at_least_single, target_seeds
from kins.models.stages.stage import MaskStage, Regions
from kins.models.targets import Drawn, draw_targets

Target = dict[str, Tensor]
"""One training image: boxes (N, 4) float x1, y1, x2, y2; labels (N,) int64 from 1; occluded (N,) int64, 0 or 1;
segments (S, 4) float by the names that the masks' targets are drawn from (`targets.SOURCES`), and scale (2,), as in
`targets.draw_targets`; covered, segments of all that is hidden, if the occlusion labels are of regions; seed () int64,
optional."""


class AmodalRoIHeads(RoIHeads):
    """torchvision's region stage with an occlusion head and a stage for several masks.

    Losses are averages over images of each image's own average, so that a batch on one device, the same batch
    spread over several, and the same batch accumulated image by image give the same gradients.

    Args:
        box_pool, mask_pool: RoIAlign to 7x7 and to 14x14; each head of that size gets the same RoI feature.
        box_head, box_predictor: classes and amodal box regression.
        mask_heads: makes the masks; one of kins.models.stages.
        occlusion_head, occlusion_predictor: occluded or not (logits of 2 classes), or None.
        occluded_weight: weight of the occluded class in the occlusion loss; the other one's is 1.
        occlusion_rule: what the occlusion head learns: `kins.config.ModelConfig.occlusion_labels`.
        box_beta: where the box loss turns from square to linear.
        binary_targets: mask targets of 0 and 1.
        regions: regions sampled per training image, a quarter of them foreground.
        score_threshold, nms_threshold, detections: what is left of the boxes at prediction.
        twice: these are moved once more at prediction, as the box head says of them.
    """

    def __init__(
        self,
        *,
        box_pool: nn.Module,
        box_head: RegionHead,
        box_predictor: nn.Module,
        mask_pool: nn.Module,
        mask_heads: MaskStage,
        occlusion_head: RegionHead | None = None,
        occlusion_predictor: nn.Module | None = None,
        occluded_weight: float = 8.0,
        occlusion_rule: str = "instance",
        box_beta: float = 1 / 9,
        binary_targets: bool = False,
        regions: int = 512,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        detections: int = 100,
        twice: bool = False,
    ) -> None:
        super().__init__(
            box_pool,
            box_head,
            box_predictor,
            0.5,
            0.5,
            regions,
            0.25,
            None,
            score_threshold,
            nms_threshold,
            detections,
        )
        self.fg_bg_sampler = SeededSampler(regions, 0.25)
        self.occlusion_rule, self.box_beta, self.binary_targets = occlusion_rule, box_beta, binary_targets
        self.twice = twice
        self.mask_pool = mask_pool
        self.mask_heads = mask_heads
        self.occlusion_head = occlusion_head
        self.occlusion_predictor = occlusion_predictor
        self.register_buffer("occlusion_weights", torch.tensor([1.0, occluded_weight]), persistent=False)

    def check_targets(self, targets: list[Target] | None) -> None:
        """Called by torchvision's sampling; the targets are made by kins.train.samples."""

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[Target] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """See `predict` for the detections (evaluation) and `losses` for the losses (training)."""
        if self.training:
            assert targets is not None
            return [], self.losses(features, proposals, targets)
        return self.predict(features, proposals, image_shapes), {}

    def losses(self, features: dict[str, Tensor], proposals: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
        """loss_classifier, loss_box_reg, loss_occlusion and those of the mask stage, each a scalar."""
        self.fg_bg_sampler.seeds = target_seeds(targets)
        proposals, matched, labels, regression = self.select_training_samples(proposals, targets)
        counts = [len(p) for p in proposals]
        pooled = self.box_roi_pool(features, proposals)
        box_vectors, box_map = self.box_head(pooled)
        class_logits, box_deltas = self.box_predictor(box_vectors)
        found = [
            box_losses(at_least_single(scores), at_least_single(deltas), label, target, self.box_beta)
            for scores, deltas, label, target in zip(
                class_logits.split(counts), box_deltas.split(counts), labels, regression, strict=True
            )
        ]
        classifier, box_reg = (_mean(list(values)) for values in zip(*found, strict=True))
        losses = {"loss_classifier": classifier, "loss_box_reg": box_reg}
        kept = Kept(box_map)
        if self.occlusion_head is not None and self.occlusion_predictor is not None:
            occlusion_vectors, occlusion_map = self.occlusion_head(pooled)
            logits = at_least_single(self.occlusion_predictor(occlusion_vectors))
            wanted = [
                occlusion_labels(target, m, label, boxes, self.occlusion_rule)
                for target, m, label, boxes in zip(targets, matched, labels, proposals, strict=True)
            ]
            losses["loss_occlusion"] = _mean(
                [
                    F.cross_entropy(own, label, self.occlusion_weights)
                    for own, label in zip(logits.split(counts), wanted, strict=True)
                ]
            )
            kept = Kept(box_map, occlusion_map)
        return losses | self._mask_losses(features, proposals, matched, labels, kept, targets)

    def _mask_losses(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        matched: list[Tensor],
        labels: list[Tensor],
        kept: Kept,
        targets: list[Target],
    ) -> dict[str, Tensor]:
        positive = [torch.where(label > 0)[0] for label in labels]
        foreground = torch.where(torch.cat(labels) > 0)[0]
        boxes = [p[i] for p, i in zip(proposals, positive, strict=True)]
        matched = [m[i] for m, i in zip(matched, positive, strict=True)]
        regions = Regions(
            self.mask_pool(features, boxes),
            torch.cat(labels)[foreground],
            [len(b) for b in boxes],
            kept.of(foreground) if self.mask_heads.coded else None,
        )
        return self.mask_heads.losses(regions, Drawn(targets, boxes, matched, self.binary_targets))

    def predict(
        self, features: dict[str, Tensor], proposals: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """Detections of each image, best first.

        Returns:
            For each image boxes (D, 4), labels (D,), scores (D,), and what `describe` says of them.
        """
        boxes, scores, labels = self.postprocess_detections(
            *self.classify(features, proposals), proposals, image_shapes
        )
        if self.twice:
            boxes = self.moved(features, boxes, torch.cat(labels), image_shapes)
        return [rescored(found) for found in self._described(features, boxes, torch.cat(labels), torch.cat(scores))]

    def on_boxes(
        self,
        features: dict[str, Tensor],
        boxes: list[Tensor],
        image_shapes: list[tuple[int, int]],
        labels: list[Tensor] | None = None,
        refine: list[Tensor] | None = None,
    ) -> list[dict[str, Tensor]]:
        """What this stage says of given boxes: see `kins.models.network.AmodalRCNN.on_boxes`."""
        class_logits, deltas = self.classify(features, boxes)
        shares = class_logits.softmax(1)
        own = shares[:, 1:].argmax(1) + 1
        if labels is not None:
            given = torch.cat(labels)
            own = torch.where(given > 0, given, own)
        rows = torch.arange(len(own), device=own.device)
        if refine is not None:
            moved = self._decoded(deltas, boxes, own, image_shapes)
            boxes = [torch.where(r[:, None], m, b) for r, m, b in zip(refine, moved, boxes, strict=True)]
        return self._described(features, boxes, own, shares[rows, own])

    def moved(
        self, features: dict[str, Tensor], boxes: list[Tensor], labels: Tensor, image_shapes: list[tuple[int, int]]
    ) -> list[Tensor]:
        """Boxes as the box head moves them for their labels, (D,) of all images."""
        return self._decoded(self.classify(features, boxes)[1], boxes, labels, image_shapes)

    def _decoded(
        self, deltas: Tensor, boxes: list[Tensor], labels: Tensor, image_shapes: list[tuple[int, int]]
    ) -> list[Tensor]:
        own = deltas.view(len(labels), deltas.shape[1] // 4, 4)[torch.arange(len(labels), device=labels.device), labels]
        decoded = self.box_coder.decode_single(own, torch.cat(boxes)).split([len(b) for b in boxes])
        return [clip_boxes_to_image(b, size) for b, size in zip(decoded, image_shapes, strict=True)]

    def _described(
        self, features: dict[str, Tensor], boxes: list[Tensor], labels: Tensor, scores: Tensor
    ) -> list[dict[str, Tensor]]:
        """All that is known of the boxes, image by image; labels and scores are those of all images."""
        values = {"labels": labels, "scores": scores, **self.describe(features, boxes, labels)}
        counts = [len(b) for b in boxes]
        split = {"boxes": boxes, **{name: value.split(counts) for name, value in values.items()}}
        return [{name: parts[index] for name, parts in split.items()} for index in range(len(boxes))]

    def classify(self, features: dict[str, Tensor], proposals: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class logits (R, K + 1) and box regressions (R, 4 (K + 1)) of the regions of all images."""
        vectors = self.box_head.after(self.box_head.kept(self.box_roi_pool(features, proposals)))
        class_logits, deltas = self.box_predictor(vectors)
        return at_least_single(class_logits), at_least_single(deltas)

    def describe(self, features: dict[str, Tensor], boxes: list[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """What the other heads say of the final boxes, on which the 7x7 heads run again for the coding.

        Args:
            boxes: of each image, (D_i, 4).
            labels: (D,) int64, of the boxes of all images.

        Returns:
            occlusion (D,), the probability of being occluded (only with an occlusion head), and what the mask stage
            says: mask_<name> (D, 28, 28), probabilities over the box; D counts the boxes of all images.
        """
        found: dict[str, Tensor] = {}
        kept = None
        coded = self.mask_heads.coded
        if self.occlusion_head is not None or coded:
            pooled = self.box_roi_pool(features, boxes)
            occlusion_map = None
            if self.occlusion_head is not None and self.occlusion_predictor is not None:
                vectors, occlusion_map = self.occlusion_head(pooled)
                found["occlusion"] = at_least_single(self.occlusion_predictor(vectors)).softmax(1)[:, 1]
            kept = Kept(self.box_head.kept(pooled), occlusion_map) if coded else None
        regions = Regions(self.mask_pool(features, boxes), labels, [len(b) for b in boxes], kept)
        return found | self.mask_heads.predict(regions)


def rescored(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Detections of an image whose masks fit what is known more or less: root of score times fit, best first again."""
    if "fit" not in found:
        return found
    scores = (found["scores"] * found["fit"]).sqrt()
    order = scores.argsort(descending=True, stable=True)
    return {name: value[order] for name, value in {**found, "scores": scores}.items() if name != "fit"}


def occlusion_labels(target: Target, matched: Tensor, labels: Tensor, boxes: Tensor, rule: str) -> Tensor:
    """(R,) int64, 1 where a region is occluded.

    Args:
        matched, labels: (R,) int64, the instance of each region, and its class, 0 for background.
        boxes: (R, 4) of the regions.
        rule: "instance": the instance that a region is matched with is occluded, background is not; "region": a hidden
            pixel of any instance lies in the box, background or not; "region-swapped": so for the box with x and y
            exchanged, as the code has it that the paper's authors released.
    """
    if not len(target["occluded"]):
        return torch.zeros_like(labels)
    if rule == "instance":
        return torch.where(labels > 0, target["occluded"][matched], 0)
    places = boxes[:, [1, 0, 3, 2]] if rule == "region-swapped" else boxes
    covered = draw_targets(target["covered"], target["scale"], places, torch.zeros_like(matched), 1)
    return (covered[:, 0, 0] > 0).long()


def box_losses(
    class_logits: Tensor, deltas: Tensor, labels: Tensor, targets: Tensor, beta: float
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the classes, and smooth L1 of the own class's box, as torchvision's, of one image.

    Args:
        class_logits, deltas: (R, K + 1) and (R, 4 (K + 1)).
        labels, targets: (R,) int64, and (R, 4) regression targets.
        beta: where the loss turns from square to linear.
    """
    rows = torch.where(labels > 0)[0]
    own = deltas.view(len(deltas), -1, 4)[rows, labels[rows]]
    boxes = F.smooth_l1_loss(own, targets[rows], beta=beta, reduction="sum")
    return F.cross_entropy(class_logits, labels), boxes / labels.numel()


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()
