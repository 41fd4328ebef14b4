"""VRSP: coarse masks guide finer ones, with shapes from a memory; how well a mask fits a shape changes its score.

Xiao, Xu, Zhong, Luo, Li, Gao: Amodal Segmentation Based on Visible Region Segmentation and Shape Prior, AAAI 2021.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from kins.config import ModelConfig, Section, checked
from kins.errors import KinsError
from kins.models.heads import MaskEnd, conv
from kins.models.proposals import at_least_single
from kins.models.stages.stage import MaskStage, Regions, cross_entropy
from kins.models.targets import Drawn

PRIORS = 16
"""Shapes of the memory that a region gets."""
CODE = 8 * 7 * 7
"""Numbers that stand for a shape."""
MATCHED = (0.01, 0.05)
"""Weights of the losses that compare maps: of the last convolution, and of the transposed one."""


class Options(Section):
    """Of VRSP.

    Attributes:
        memory: most shapes a class that are kept.
        agnostic: not possible: shapes are looked up by class.
    """

    memory: int = Field(1024, ge=PRIORS, le=65536)
    agnostic: bool = False


class Shapes(nn.Module):
    """An auto-encoder of masks, and the codes of each class's shapes.

    Args:
        num_classes: background not counted.
        memory: most shapes a class.
    """

    codes: Tensor
    filled: Tensor

    def __init__(self, num_classes: int, memory: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(inputs, 8, 3, 2, 1) for inputs in (1, 8))
        self.up = nn.ModuleList(nn.Conv2d(8, 8, 3, 1, 1) for _ in range(2))
        self.out = nn.Conv2d(8, 1, 3, 1, 1)
        self.register_buffer("codes", torch.zeros(num_classes + 1, memory, CODE))
        self.register_buffer("filled", torch.zeros(num_classes + 1))
        self.requires_grad_(False)  # learned before the network is, by `learn`

    def encode(self, masks: Tensor) -> Tensor:
        """(N, 28, 28), 0 to 1, to (N, CODE)."""
        x = masks[:, None]
        for layer in self.down:
            x = layer(x).relu()
        return x.flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        """(N, CODE) to (N, 28, 28) logits."""
        x = codes.view(-1, 8, 7, 7)
        for layer in self.up:
            x = layer(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)).relu()
        logits: Tensor = self.out(x)
        return logits[:, 0]

    def near(self, masks: Tensor, labels: Tensor, count: int) -> Tensor:
        """The shapes of the own class that are most like a mask, the nearest first.

        Args:
            masks: (R, 28, 28), 0 to 1.
            labels: (R,) int64, from 1.

        Returns:
            (R, count, 28, 28), 0 to 1. A class with fewer repeats its nearest one, one with none gives the mask's own.
        """
        own = self.encode(masks)
        known = self.codes.flatten(0, 1)
        far = (own**2).sum(1)[:, None] - 2 * own @ known.T + (known**2).sum(1)
        rows = torch.arange(len(own), device=own.device)
        distance = far.view(len(own), *self.codes.shape[:2])[rows, labels]
        empty = torch.arange(self.codes.shape[1], device=own.device) >= self.filled[labels][:, None]
        distance, index = distance.masked_fill(empty, math.inf).topk(count, largest=False)
        found, there = self.codes[labels[:, None], index], distance.isfinite()[..., None]
        found = torch.where(there, found, torch.where(there[:, :1], found[:, :1], own[:, None]))
        return self.decode(found.flatten(0, 1)).sigmoid().view(-1, count, *masks.shape[1:])

    def learn(self, labels: Tensor, masks: Tensor, steps: int | None = None, batch: int = 64) -> None:
        """Train the auto-encoder on shapes, and keep the codes of each class's: all of them, or the means of groups.

        Args:
            labels: (N,) int64, from 1.
            masks: (N, 28, 28), 0 to 1.
            steps, batch: of the auto-encoder's training; None: each mask 30 times, but 600 steps at most.
        """
        steps = min(600, 30 * -(-len(masks) // batch)) if steps is None else steps
        chance = torch.Generator().manual_seed(0)
        self.requires_grad_(True)
        optimizer = torch.optim.Adam(self.parameters(), 3e-3)
        with torch.enable_grad():
            for _ in range(steps if len(masks) else 0):
                part = masks[torch.randint(len(masks), (min(batch, len(masks)),), generator=chance)]
                loss = F.mse_loss(self.decode(self.encode(part)).sigmoid(), part)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.requires_grad_(False)
        self.codes.zero_()
        for label in range(1, len(self.codes)):
            kept = means(self.encode(masks[labels == label]), self.codes.shape[1], chance)
            self.codes[label, : len(kept)] = kept
            self.filled[label] = len(kept)


def means(codes: Tensor, most: int, chance: torch.Generator, turns: int = 10) -> Tensor:
    """(N, C) to at most `most` rows: themselves, or k-means (Lloyd's algorithm) that begins with some of them."""
    if len(codes) <= most:
        return codes
    centres = codes[torch.randperm(len(codes), generator=chance)[:most]]
    for _ in range(turns):
        nearest = torch.cdist(codes, centres).argmin(1)
        counts = torch.bincount(nearest, minlength=most)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, nearest, codes)
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


class Branch(nn.Module):
    """A mask head in two steps, whose maps can be compared."""

    def __init__(self, inputs: int, channels: int, depth: int, num_classes: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(conv(inputs, channels), *(conv(channels, channels) for _ in range(depth - 1)))
        self.end = MaskEnd(channels, num_classes)

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(R, C, 14, 14) to logits (R, 28, 28) and the last map (R, channels, 14, 14)."""
        last = self.convs(x)
        return self.end(last, labels), last

    def unlike(self, last: Tensor, wanted: Tensor) -> Tensor:
        """(R,), how much the maps of the last two layers differ in direction, weighted by MATCHED."""
        pairs = (last, wanted.detach()), (self.end.deconv(last), self.end.deconv(wanted).detach())
        terms = [
            weight * (1 - F.cosine_similarity(at_least_single(a).flatten(1), at_least_single(b).flatten(1)))
            for weight, (a, b) in zip(MATCHED, pairs, strict=True)
        ]
        return terms[0] + terms[1]


class ShapedMasks(MaskStage):
    """Amodal and inmodal branches, each used for coarse masks, for finer ones, and in training with the true ones."""

    wants_shapes = True

    def __init__(self, config: ModelConfig, num_classes: int, memory: int) -> None:
        super().__init__()
        inputs = config.channels
        self.amodal, self.inmodal = (
            Branch(inputs, config.head_channels, config.mask_depth, num_classes) for _ in range(2)
        )
        self.fuse = conv(inputs + PRIORS, inputs)
        self.shapes = Shapes(num_classes, memory)

    def prepare(self, labels: Tensor, masks: Tensor) -> None:
        """See `MaskStage.prepare`."""
        self.shapes.learn(labels, masks)

    def coarse(self, regions: Regions) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Logits and last map of the amodal branch, and of the inmodal one."""
        x, labels = regions.features, regions.labels
        return self.amodal(x, labels), self.inmodal(x, labels)

    def finer(self, regions: Regions, coarse: Tensor) -> dict[str, Tensor]:
        """Logits (R, 28, 28) of both masks from the amodal ones of before."""
        x, labels = regions.features, regions.labels
        inmodal, _ = self.inmodal(x * attention(coarse), labels)
        amodal, _ = self.amodal(self.fused(x * attention(inmodal), coarse, labels), labels)
        return {"amodal": amodal, "inmodal": inmodal}

    def fused(self, x: Tensor, coarse: Tensor, labels: Tensor) -> Tensor:
        """The RoI feature together with shapes like the coarse mask, to which no gradient goes."""
        with torch.no_grad():
            near = self.shapes.near(at_least_single(coarse).sigmoid(), labels, PRIORS)
        out: Tensor = self.fuse(torch.cat([x, F.avg_pool2d(near, 2).to(x.dtype)], dim=1))
        return out

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`; the finer masks."""
        (coarse, _), _ = self.coarse(regions)
        return self.finer(regions, coarse)

    def losses(self, regions: Regions, drawn: Drawn) -> dict[str, Tensor]:
        """Of coarse masks, of finer ones (each region as far as the coarse mask of the other kind is right), of those
        that get the true ones, and of the difference between coarse maps and these."""
        x, labels = regions.features, regions.labels
        (whole, whole_map), (seen, seen_map) = self.coarse(regions)
        finer = self.finer(regions, whole)
        true = {name: F.avg_pool2d(drawn(name)[:, None], 2).to(x.dtype) for name in ("amodal", "inmodal")}
        told_seen, told_seen_map = self.inmodal(x * true["amodal"], labels)
        told, told_map = self.amodal(self.fused(x * true["inmodal"], whole, labels), labels)
        wanted = {name: drawn(name) for name in ("amodal", "inmodal")}
        right = {"amodal": overlap(seen, wanted["inmodal"]), "inmodal": overlap(whole, wanted["amodal"])}
        losses = {}
        for name, first, guided in (("amodal", whole, told), ("inmodal", seen, told_seen)):
            target = wanted[name]
            losses[f"loss_mask_{name}"] = regions.mean(cross_entropy(first, target))
            losses[f"loss_finer_{name}"] = regions.mean(right[name] * cross_entropy(finer[name], target))
            losses[f"loss_told_{name}"] = regions.mean(cross_entropy(guided, target))
        unlike = self.amodal.unlike(whole_map, told_map) + self.inmodal.unlike(seen_map, told_seen_map)
        return {**losses, "loss_maps": regions.mean(unlike)}

    def predict(self, regions: Regions) -> dict[str, Tensor]:
        """Both masks, and fit (R,): near 1 where the amodal one is like a shape of the memory."""
        found = self.mask_probabilities(self(regions))
        whole = (found["mask_amodal"] >= 0.5).float()
        distance = (whole - self.shapes.near(whole, regions.labels, 1)[:, 0]).abs().mean((1, 2))
        return {**found, "fit": (3 - distance).log() / math.log(3)}


def attention(logits: Tensor) -> Tensor:
    """(R, 28, 28) logits to (R, 1, 14, 14), 0 to 1."""
    return F.avg_pool2d(logits[:, None], 2).sigmoid()


def overlap(logits: Tensor, target: Tensor) -> Tensor:
    """(R,), the IoU of masks cut at one half, without a gradient."""
    found, true = logits.detach() > 0, target >= 0.5
    return (found & true).sum((1, 2)) / (found | true).sum((1, 2)).clamp(min=1)


def stage(config: ModelConfig, num_classes: int) -> ShapedMasks:
    """The stage that a configuration describes."""
    options = checked(Options, config.options, "model.options")
    if options.agnostic:
        raise KinsError("model.options: agnostic: vrsp looks shapes up by class, and so needs a mask for each; drop it")
    return ShapedMasks(config, num_classes, options.memory)
