"""AISFormer: a query for each kind of mask looks at the region's cells, and is compared with each of them.

Tran, Vo, Yamazaki, Fernandes, Kidd, Le: AISFormer: Amodal Instance Segmentation with Transformer, BMVC 2022.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType

import torch
from torch import Tensor, nn

from kins.config import ModelConfig, checked
from kins.errors import KinsError
from kins.models.heads import conv, deconv
from kins.models.stages.bcnet import OccluderOptions
from kins.models.stages.stage import MaskStage, Regions

SIZE = 28
HEADS = 2
QUERIES = ("inmodal", "occluder", "amodal")


class Layer(nn.Module):
    """Attention, then two fully connected layers on each token, each added to what comes in and normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.between = nn.LayerNorm(width)
        self.each = nn.Sequential(nn.Linear(width, 8 * width), nn.ReLU(inplace=True), nn.Linear(8 * width, width))
        self.after = nn.LayerNorm(width)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """All (R, tokens, width); those of `key` and `value` may be others than those of `x` and `query`."""
        attended, _ = self.attention(query, key, value, need_weights=False)
        x = self.between(x + attended)
        out: Tensor = self.after(x + self.each(x))
        return out


class QueriedMasks(MaskStage):
    """Logits are products of a region's cells with one vector a mask.

    Args:
        inputs: width of the RoI feature.
        width: of all that follows, even.
        target: of the occluder.
    """

    masks = ("amodal", "inmodal", "hidden", "occluder")
    weights = MappingProxyType({"occluder": 0.25, "hidden": 0.25})

    def __init__(self, inputs: int, width: int, target: str) -> None:
        super().__init__()
        self.finer = nn.Sequential(conv(inputs, width), deconv(width, width))
        self.rows, self.columns = (nn.Parameter(torch.rand(SIZE, width // 2)) for _ in range(2))
        self.encoder, self.decoder = Layer(width), Layer(width)
        self.queries = nn.Parameter(torch.randn(len(QUERIES), width))
        self.norm = nn.LayerNorm(width)
        self.cells = nn.Linear(width, width)
        nn.init.normal_(self.cells.weight, std=0.001)
        nn.init.zeros_(self.cells.bias)
        self.embedding = perceptron(width, width, width, width)
        self.hidden = perceptron(2 * width, width, width)
        self.targets = {"amodal": "amodal", "inmodal": "inmodal", "hidden": "hidden", "occluder": target}

    def forward(self, regions: Regions) -> dict[str, Tensor]:
        """See `MaskStage.forward`."""
        tokens = self.finer(regions.features).flatten(2).transpose(1, 2)  # (R, 784, width), row by row
        place = torch.cat([self.rows[:, None].expand(-1, SIZE, -1), self.columns.expand(SIZE, -1, -1)], dim=2)
        place = place.flatten(0, 1).to(tokens.dtype)
        memory = self.encoder(tokens, tokens + place, tokens + place, tokens)
        queries = self.queries.to(tokens.dtype).expand(len(tokens), -1, -1)
        vectors = self.embedding(self.decoder(torch.zeros_like(queries), queries, memory + place, memory))
        found = dict(zip(QUERIES, vectors.unbind(1), strict=True))
        found["hidden"] = self.hidden(torch.cat([found["amodal"], found["inmodal"]], dim=1))
        cells = self.cells(self.norm(memory + tokens))
        logits = cells @ torch.stack(list(found.values()), dim=2).to(cells.dtype)  # (R, 784, masks)
        return dict(zip(found, logits.unflatten(1, (SIZE, SIZE)).unbind(3), strict=True))


def perceptron(*widths: int) -> nn.Sequential:
    """Fully connected layers of these widths, ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def stage(config: ModelConfig, num_classes: int) -> QueriedMasks:
    """The stage that a configuration describes; its masks know no classes."""
    if config.head_channels % 2:
        raise KinsError(f"model.head_channels: {config.head_channels}; {config.name} needs an even number")
    options = checked(OccluderOptions, config.options, "model.options")
    return QueriedMasks(config.channels, config.head_channels, options.target)
