"""Region heads: what runs on every region of interest (RoI)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kins.models import cpu


def conv(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution and ReLU, same size, initialised as in torchvision's heads."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(layer, nn.ReLU(inplace=True))


def deconv(inputs: int, outputs: int) -> nn.Sequential:
    """2x2 transposed convolution of stride 2 and ReLU: (R, inputs, s, s) to (R, outputs, 2 s, 2 s)."""
    layer = cpu.Doubling(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(layer, nn.ReLU(inplace=True))


class Kept(NamedTuple):
    """What multi-level coding takes: the maps that the 7x7 heads keep, each (R, channels, 7, 7)."""

    box: Tensor
    occlusion: Tensor | None = None

    def together(self) -> Tensor:
        """(R, all channels, 7, 7), in the paper's order."""
        return self.box if self.occlusion is None else torch.cat([self.occlusion, self.box], dim=1)

    def of(self, regions: Tensor) -> Kept:
        """Those of some regions alone."""
        return Kept(self.box[regions], None if self.occlusion is None else self.occlusion[regions])


class RegionHead(nn.Module):
    """The box head and the occlusion head: 3x3 convolutions on the 7x7 RoI feature, then one fully connected layer.

    Keeps the map after convolution `tap` (1 is the first), which multi-level coding feeds to the mask heads.

    Args:
        first: the first convolution, from what the RoI pooling gives to (R, channels, 7, 7).
        channels: width of the convolutions.
        depth: number of convolutions, the first included.
        hidden: width of the fully connected layer.
        tap: which convolution's output is kept, 1 to `depth`.
        size: side of the RoI feature.
    """

    def __init__(
        self,
        first: nn.Module,
        channels: int = 256,
        depth: int = 4,
        hidden: int = 1024,
        tap: int = 1,
        size: int = 7,
    ) -> None:
        super().__init__()
        if not 1 <= tap <= depth:
            raise ValueError(f"tap must be one of 1..{depth}, not {tap}")
        self.convs = nn.ModuleList([first, *(conv(channels, channels) for _ in range(depth - 1))])
        self.fc = cpu.Linear(channels * size * size, hidden)
        self.tap = tap
        self.out_channels = hidden
        self.tap_channels = channels

    def kept(self, regions: Tensor) -> Tensor:
        """Only the kept map, (R, channels, 7, 7): all that prediction needs of the box head on the final boxes."""
        for layer in self.convs[: self.tap]:
            regions = layer(regions)
        return regions

    def after(self, kept: Tensor) -> Tensor:
        """The rest of the head, from the kept map to (R, hidden)."""
        for layer in self.convs[self.tap :]:
            kept = layer(kept)
        vectors: Tensor = self.fc(kept.flatten(1))
        return vectors.relu_()

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """(R, C, 7, 7) to ((R, hidden), kept map)."""
        kept = self.kept(regions)
        return self.after(kept), kept


class BoxPredictor(nn.Module):
    """Class scores (background is 0) and one box regression a class; names and initial values are torchvision's."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(inputs, num_classes + 1)
        self.bbox_pred = nn.Linear(inputs, 4 * (num_classes + 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(R, inputs) to (R, K + 1) and (R, 4 (K + 1))."""
        return self.cls_score(x), self.bbox_pred(x)


class MaskHead(nn.Module):
    """Convolutions on the 14x14 RoI feature, a transposed convolution to 28x28, one mask a class.

    Args:
        inputs: width of the RoI feature.
        channels: width of the convolutions.
        num_classes: object classes; the output has one channel more, for background, as torchvision's has.
        depth: number of convolutions, fusing included.
        fuse: makes one map of the levels' maps and takes the place of the first convolution (PANet).
        coding: multi-level coding, before the first convolution (after fusing).
        branch: a fully connected branch added to the output; takes the map before the last convolution (PANet).
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        num_classes: int,
        depth: int = 4,
        *,
        fuse: nn.Module | None = None,
        coding: nn.Module | None = None,
        branch: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.fuse = fuse
        self.coding = coding
        widths = [channels if fuse or coding else inputs] + [channels] * depth
        self.convs = nn.ModuleList(conv(a, b) for a, b in zip(widths, widths[1 if fuse is None else 2 :], strict=False))
        self.branch = branch
        self.deconv = deconv(channels, channels)
        self.logits = mask_logits(channels, num_classes + 1)

    def forward(self, regions: Tensor, kept: Kept | None, labels: Tensor) -> Tensor:
        """Mask logits of each region's own class.

        Args:
            regions: (R, C, 14, 14) RoI feature.
            kept: the 7x7 heads' maps; needed for coding alone.
            labels: (R,) int64; the other classes' masks, which nobody asks for, are not computed.

        Returns:
            (R, 28, 28).
        """
        x = regions if self.fuse is None else self.fuse(regions)
        x = x if self.coding is None else self.coding(x, kept)
        *convs, last = self.convs
        for layer in convs:
            x = layer(x)
        logits = own_logits(self.deconv, self.logits, last(x), labels)
        return logits if self.branch is None else logits + self.branch(x)


class MaskEnd(nn.Module):
    """The end of a mask head alone: from its last map of 14x14 to logits of 28x28; arguments as of `MaskHead`."""

    def __init__(self, channels: int, num_classes: int = 0) -> None:
        super().__init__()
        self.deconv = deconv(channels, channels)
        self.logits = mask_logits(channels, num_classes + 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(R, C, 14, 14) to (R, 28, 28): of each region's own class, of channel 0 without labels."""
        own = torch.zeros(len(x), dtype=torch.int64, device=x.device) if labels is None else labels
        return own_logits(self.deconv, self.logits, x, own)


def mask_logits(channels: int, outputs: int) -> nn.Conv2d:
    """1x1 convolution to mask logits, which begins undecided, not with confident noise."""
    layer = nn.Conv2d(channels, outputs, 1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def own_logits(deconv: nn.Sequential, logits: nn.Conv2d, x: Tensor, labels: Tensor) -> Tensor:
    """(R, C, 14, 14), a mask head's last map, to (R, 28, 28) logits of each region's own class."""
    if cpu.quicker_for(x):
        return cpu.doubled_logits(deconv[0], logits, x, labels)  # type: ignore[arg-type]
    fine: Tensor = deconv(x)
    weight = logits.weight.flatten(1)[labels][:, None]
    own = (weight.to(fine.dtype) @ fine.flatten(2)).view(-1, *fine.shape[2:])
    return own + logits.bias[labels][:, None, None]  # type: ignore[index]


def class_tensors(network: nn.Module) -> set[str]:
    """Names of the tensors that have a channel a class."""
    layers = [
        module if isinstance(module, BoxPredictor) else module.logits
        for module in network.modules()
        if isinstance(module, BoxPredictor | MaskHead | MaskEnd)
    ]
    classed = {id(parameter) for layer in layers for parameter in layer.parameters()}
    return {name for name, parameter in network.named_parameters() if id(parameter) in classed}


class AllLevels(nn.Module):
    """First layer after adaptive feature pooling: one convolution a pyramid level, fused by maximum (PANet)."""

    def __init__(self, inputs: int, outputs: int, levels: int = 4) -> None:
        super().__init__()
        self.levels = nn.ModuleList(conv(inputs, outputs) for _ in range(levels))

    def forward(self, regions: Tensor) -> Tensor:
        """(R, levels, C, s, s) to (R, outputs, s, s)."""
        return torch.stack([layer(regions[:, i]) for i, layer in enumerate(self.levels)]).amax(0)
