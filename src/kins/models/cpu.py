"""A network that is only asked to predict, made quicker: the same sums in another order."""

from itertools import pairwise
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from kins.models.backbone import FrozenNorm


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
