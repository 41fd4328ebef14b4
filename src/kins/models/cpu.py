"""What is there for CPUs alone: the same sums in another order, which is quicker there.

The networks are written plainly in the other files; where a way here is quicker on CPUs, they take it if `quicker_for`
says so. Inside of `plain()` it never does: so a test runs on a CPU what a GPU runs, and exported programs are plain.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from kins.models.backbone import FrozenNorm

_plain = False


def quicker_for(x: Tensor) -> bool:
    """Whether to compute with `x` in the ways of this file."""
    return x.device.type == "cpu" and not _plain


@contextmanager
def plain() -> Iterator[None]:
    """Inside, networks compute as on any other device."""
    global _plain
    before, _plain = _plain, True
    try:
        yield
    finally:
        _plain = before


def roi_align(features: Tensor, regions: Tensor, size: int, scale: float, samples: int) -> Tensor:
    """`pooling.roi_align` as a weighted sum of rows of the feature map, ten times faster than torchvision's loop.

    A cell is the mean of samples x samples points, a point is interpolated from four places of the map. So a cell is
    a weighted sum of 4 samples^2 rows of the map's table (places x channels), which PyTorch computes fast as an
    embedding bag, if the map is in channels-last layout; the result is in it, too.
    """
    _, channels, height, width = features.shape
    table = features.permute(0, 2, 3, 1).reshape(-1, channels)
    image, left, top, right, bottom = regions.unbind(1)
    columns, across = _points(left * scale, right * scale, size, samples, width)
    rows, down = _points(top * scale, bottom * scale, size, samples, height)
    rows = rows + image.long()[:, None, None] * height
    cells, points = (-1, size, size), 4 * samples**2
    places = rows[:, :, None, :, None] * width + columns[:, None, :, None, :]
    weights = down[:, :, None, :, None] * across[:, None, :, None, :] / samples**2
    sums = F.embedding_bag(
        places.reshape(-1, points), table, per_sample_weights=weights.reshape(-1, points).to(table.dtype), mode="sum"
    )
    return sums.view(*cells, channels).permute(0, 3, 1, 2)


def _points(low: Tensor, high: Tensor, size: int, samples: int, limit: int) -> tuple[Tensor, Tensor]:
    """Where the points of each cell lie along one axis.

    Returns:
        (R, size, 2 samples) places of the map, and their weights; points off the map by more than one have weight 0.
    """
    cell = (high - low).clamp(min=1)[:, None, None] / size
    first = low[:, None, None] + torch.arange(size, device=low.device)[:, None] * cell
    points = first + (torch.arange(samples, device=low.device) + 0.5) * cell / samples  # in torchvision's order
    inside = (points >= -1) & (points <= limit)
    points = points.clamp(0, limit - 1)
    before = points.floor()
    fraction = points - before
    places = torch.stack([before, (before + 1).clamp(max=limit - 1)], dim=-1).long()
    weights = torch.stack([1 - fraction, fraction], dim=-1) * inside[..., None]
    return places.flatten(2), weights.flatten(2)


class Linear(nn.Linear):
    """PyTorch's linear layer, as a 1x1 convolution of a picture one pixel high: oneDNN, which makes PyTorch's
    convolutions on CPUs, multiplies many rows up to twice as fast as the BLAS behind its matrix products; not a few."""

    many = 256

    def forward(self, x: Tensor) -> Tensor:
        """(R, inputs) to (R, outputs)."""
        if not quicker_for(x) or len(x) < self.many:
            return super().forward(x)
        return F.conv2d(x.t()[None, :, None], self.weight[:, :, None, None], self.bias)[0, :, 0].t()


class Doubling(nn.ConvTranspose2d):
    """PyTorch's 2x2 transposed convolution of stride 2, as a 1x1 convolution to four times the channels, whose results
    are then laid out: several times faster."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 2, 2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(R, inputs, s, s) to (R, outputs, 2 s, 2 s), in channels-last layout."""
        if not quicker_for(x):
            return super().forward(x, output_size)
        return _interleaved(self.quarters(x)).permute(0, 3, 1, 2)

    def quarters(self, x: Tensor) -> Tensor:
        """(R, inputs, s, s) to (R, s, s, 2, 2, outputs): what each place becomes, not yet laid out."""
        assert self.bias is not None
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)[:, :, None, None]  # (4 outputs, inputs, 1, 1)
        x = x.contiguous(memory_format=torch.channels_last)  # laid out as the result is wanted, while it is small
        fine = F.conv2d(x, weight, self.bias.repeat(4)).permute(0, 2, 3, 1)
        return fine.unflatten(-1, (2, 2, self.out_channels))


def doubled_logits(doubling: Doubling, logits: nn.Conv2d, x: Tensor, labels: Tensor) -> Tensor:
    """A mask head's end (`heads.own_logits`), with one number a place to be laid out instead of all channels.

    Returns:
        (R, 2 s, 2 s) logits of each region's own class.
    """
    fine = doubling.quarters(x).relu_()  # (R, s, s, 2, 2, C)
    weight = logits.weight.flatten(1)[labels][:, :, None]
    own = (fine.flatten(1, 4) @ weight.to(fine.dtype)).view(fine.shape[:-1])
    return _interleaved(own) + logits.bias[labels][:, None, None]  # type: ignore[index]


def _interleaved(quarters: Tensor) -> Tensor:
    """(R, s, s, 2, 2, ...) to (R, 2 s, 2 s, ...)."""
    return quarters.transpose(2, 3).flatten(1, 2).flatten(2, 3)


def quicken(network: nn.Module) -> None:
    """Changes a network in place: it predicts what it did before, up to rounding, and can't be trained any more.

    Frozen normalisation goes into the convolution before it. On CPUs without AVX-512, wide 3x3 convolutions are made by
    NNPACK, which comes with PyTorch, where that is quicker than oneDNN (measured with AVX2: up to three times).
    """
    network.eval().requires_grad_(False)
    nnpack = next(network.parameters()).device.type == "cpu" and _has_nnpack()
    for module in list(network.modules()):
        _fold_norms(module)
        for name, child in module.named_children():
            if nnpack and _is_wide_3x3(child):
                setattr(module, name, NNPackConv(child))


class NNPackConv(nn.Module):
    """A 3x3 convolution of stride 1 and padding 1 by NNPACK, which multiplies a third to a seventh as often: with
    Winograd's algorithm (Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, CVPR 2016) or Fourier
    transforms, as it chooses.

    Its tiles are of 6 x 6 results or more; nine RoI features of 7 x 7 are set side by side, with zeros between them, to
    fill them.

    PyTorch offers it by a private function, which is worth it: on a CPU with AVX2 a prediction takes 1.39 times as long
    as torchvision's Mask R-CNN with it, and 2.05 times without, where 1.5 is the goal (docs/results.md). torch.compile
    leaves convolutions to oneDNN, which makes them without it, too. Where the function is missing, oneDNN is used.
    """

    tile = 6
    enough = 1500
    """Results a channel; for fewer, transforming the weights takes longer than what is gained."""
    many = 256
    """Regions worth setting side by side."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.contiguous(), requires_grad=False)
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(R, inputs, h, w) to (R, outputs, h, w)."""
        regions, _, height, width = x.shape
        if x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu"):
            if min(height, width) >= 2 * self.tile and regions * height * width >= self.enough:
                return self._nnpack(x)
            if height == width == self.tile + 1 and regions >= self.many:
                return separated(self._nnpack(side_by_side(x)), regions)
        return F.conv2d(x, self.weight, self.bias, padding=1)

    def _nnpack(self, x: Tensor) -> Tensor:
        y: Tensor = torch._nnpack_spatial_convolution(x.contiguous(), self.weight, self.bias, 1)
        return y


def side_by_side(x: Tensor, across: int = 3) -> Tensor:
    """(R, C, s, s) maps, nine to a mosaic, zeros to the right of and below each: (R / 9, C, 3 (s + 1), 3 (s + 1))."""
    regions, channels, size, _ = x.shape
    whole, rest = divmod(regions, across**2)
    mosaics = x.new_empty(whole + (rest > 0), channels, across, size + 1, across, size + 1)
    mosaics[:, :, :, size], mosaics[..., size] = 0, 0
    mosaics[whole:] = 0
    places = mosaics.permute(0, 2, 4, 1, 3, 5)[..., :size, :size]
    places[:whole] = x[: regions - rest].unflatten(0, (whole, across, across))
    for place, region in enumerate(x[regions - rest :]):
        places[whole, place // across, place % across] = region
    return mosaics.flatten(4).flatten(2, 3)


def separated(x: Tensor, regions: int, across: int = 3) -> Tensor:
    """The first `regions` maps of mosaics by `side_by_side`, (R, C, s, s)."""
    x = x.unflatten(3, (across, -1)).unflatten(2, (across, -1))[..., :-1, :, :-1]
    return x.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)[:regions]


def _fold_norms(module: nn.Module) -> None:
    for (_, conv), (name, norm) in pairwise(module.named_children()):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenNorm):
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            setattr(module, name, nn.Identity())


def _has_nnpack() -> bool:
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        capability == "AVX2" and hasattr(torch, "_nnpack_spatial_convolution") and torch.backends.nnpack.is_available()
    )


def _is_wide_3x3(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return (
        type(module) is nn.Conv2d
        and (module.kernel_size, module.stride, module.padding, module.dilation) == ((3, 3), (1, 1), (1, 1), (1, 1))
        and module.groups == 1
        and module.padding_mode == "zeros"
        and min(module.in_channels, module.out_channels) >= 128  # fewer are quicker in one pass
    )
