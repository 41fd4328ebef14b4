"""Feature extractors: a ResNet, a MobileNet, an EfficientNet or a small CPU network, followed by a feature pyramid."""

from collections import OrderedDict
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d, StochasticDepth
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from kins.config import BACKBONES
from kins.errors import KinsError
from kins.models.proposals import at_least_single

RESNETS = tuple(name for name in BACKBONES if name.startswith("resnet"))
MOBILE = tuple(name for name in BACKBONES if name.startswith(("mobilenet", "efficientnet")))
"""Those of torchvision's networks that are a sequence of blocks called `features`, and small enough for CPUs."""
LEVELS = {"0": 4, "1": 8, "2": 16, "3": 32}
"""Strides of the pyramid's levels that regions are pooled from, finest first; the names are torchvision's."""
LAYERS = dict(zip(("layer1", "layer2", "layer3", "layer4"), LEVELS, strict=True))

Norm = Callable[[int], nn.Module]


def group_norm(channels: int) -> nn.GroupNorm:
    groups = max(1, channels // 16)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class FrozenNorm(FrozenBatchNorm2d):
    """torchvision's, in one pass over the map, where torchvision multiplies in one and adds in another."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


NORMS: dict[str, Norm] = {"group": group_norm, "frozen-batch": FrozenNorm}


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016), normalised once: for small images on a CPU,
    normalisation costs as much time as convolution does."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm = norm(outputs)
        self.shortcut = nn.Identity() if inputs == outputs and stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv2(self.conv1(x).relu_()))
        return (y + self.shortcut(x)).relu_()


class TinyBody(nn.Module):
    """A small residual network for CPUs: strides 4, 8, 16 and 32, two blocks each."""

    channels = (64, 96, 160, 224)  # multiples of 32: others take longer, not shorter

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        first = self.channels[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, first, 3, 2, 1, bias=False),
            norm(first),
            nn.ReLU(inplace=True),
        )
        width = first
        for level, outputs in enumerate(self.channels, start=1):
            stage = nn.Sequential(Block(width, outputs, 1 if level == 1 else 2, norm), Block(outputs, outputs, 1, norm))
            self.add_module(f"layer{level}", stage)
            width = outputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.stem(x)
        features: dict[str, Tensor] = OrderedDict()
        for layer, name in LAYERS.items():
            x = self.get_submodule(layer)(x)
            features[name] = x
        return features


class MobileBody(nn.Module):
    """The blocks of a MobileNet or an EfficientNet; maps come from the last block of each of the strides 4 to 32.

    The names are torchvision's. What follows the blocks, a 1x1 convolution for the classifier, is left out.

    Attributes:
        strides: of each block's result, in sequence.
        channels: widths of the four maps.
    """

    def __init__(self, features: nn.Sequential, norm: Norm | None = None) -> None:
        super().__init__()
        self.features = features[:-1]
        _set_norms(self, norm)
        for module in self.modules():
            if isinstance(module, StochasticDepth):
                module.p = 0.0  # its choices would be neither an image's own nor repeatable
        self.strides, widths = _probe(self.features)
        self.channels = [widths[self._last(stride)] for stride in LEVELS.values()]

    def _last(self, stride: int) -> int:
        return max(k for k, found in enumerate(self.strides) if found == stride)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        names = {self._last(stride): level for level, stride in LEVELS.items()}
        features: dict[str, Tensor] = OrderedDict()
        for index, block in enumerate(self.features):
            x = block(x)
            if index in names:
                features[names[index]] = x
        return features


def _set_norms(body: nn.Module, norm: Norm | None) -> None:
    """`norm` in the place of every batch norm; None freezes them, each with its own epsilon."""
    for module in list(body.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                new = FrozenNorm(child.num_features, child.eps) if norm is None else norm(child.num_features)
                setattr(module, name, new)


def _probe(features: nn.Sequential, side: int = 64) -> tuple[list[int], list[int]]:
    """Stride and width of each block's result."""
    x, strides, widths = torch.zeros(1, 3, side, side), [], []
    with torch.no_grad():
        for block in features:
            x = block(x)
            strides.append(side // x.shape[-1])
            widths.append(x.shape[1])
    return strides, widths


class Backbone(nn.Module):
    """Body, feature pyramid and, optionally, what follows it: image to a dict of maps of equal width.

    Levels "0" to "3" have strides 4 to 32; "pool" (stride 64) is for region proposals only. The names `body` and
    `fpn` are torchvision's, so that its detection checkpoints load. `widths` are those of the body's four maps.
    """

    def __init__(self, body: nn.Module, body_channels: list[int], channels: int, path: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.widths = body_channels
        self.fpn = FeaturePyramidNetwork(body_channels, channels, extra_blocks=LastLevelMaxPool())
        self.path = path
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) normalised images to {"0": (B, C, H/4, W/4), ..., "pool": (B, C, H/64, W/64)}."""
        features: dict[str, Tensor] = self.fpn(self.body(images))
        if self.path is not None:
            features = self.path(features)
        # in half precision torchvision would make anchors of the maps' type, off by pixels; RoIAlign wants single too
        return {name: at_least_single(level) for name, level in features.items()}


def backbone(
    name: str = "resnet50",
    *,
    channels: int = 256,
    norm: str = "frozen-batch",
    path: nn.Module | None = None,
) -> Backbone:
    """Build a backbone with its feature pyramid, with random weights.

    Args:
        name: one of kins.config.BACKBONES.
        channels: width of the pyramid's maps.
        norm: "frozen-batch" (for pretrained weights) or "group" (for training from scratch).
        path: what follows the pyramid, for example `stages.panet.PathAugmentation`.

    Raises:
        KinsError: unknown name.
    """
    if norm not in NORMS:
        raise KinsError(f"norm: unknown normalisation '{norm}'; use one of {', '.join(NORMS)}")
    if name not in BACKBONES:
        raise KinsError(f"backbone: unknown backbone '{name}'; use one of {', '.join(BACKBONES)}")
    if name == "tiny":
        return Backbone(TinyBody(NORMS[norm]), list(TinyBody.channels), channels, path)
    body, widths = (_mobile if name in MOBILE else _resnet)(name, norm)
    return Backbone(body, widths, channels, path)


def _resnet(name: str, norm: str) -> tuple[nn.Module, list[int]]:
    resnet = torchvision.models.get_model(name, weights=None, norm_layer=NORMS[norm])
    width = resnet.inplanes // 8
    return IntermediateLayerGetter(resnet, return_layers=LAYERS), [width * 2**i for i in range(4)]


def _mobile(name: str, norm: str) -> tuple[nn.Module, list[int]]:
    features = torchvision.models.get_model(name, weights=None).features
    body = MobileBody(features, None if norm == "frozen-batch" else NORMS[norm])
    return body, body.channels


def freeze_stages(body: nn.Module, trainable_layers: int) -> None:
    """Keeps the weights of all but the last stages of a pretrained body.

    Args:
        trainable_layers: how many of the five stages, from the last, are trained: those of the strides 32, 16, 8, 4,
            and what comes before; 3 leaves the stem and the first stage as they are.
    """
    if isinstance(body, MobileBody):
        trained_strides = [32, 16, 8, 4, 2][:trainable_layers]
        for block, stride in zip(body.features, body.strides, strict=True):
            block.requires_grad_(stride in trained_strides)
        return
    trained = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trainable_layers]
    for key, parameter in body.named_parameters():
        if trainable_layers < 5 and not any(key.startswith(layer) for layer in trained):
            parameter.requires_grad_(False)
