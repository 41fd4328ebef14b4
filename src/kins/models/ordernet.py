"""Networks that tell who is in front: the visible masks of two objects, and the picture around both, go in.

OrderNet: Zhu, Tian, Metaxas, Dollár: Semantic Amodal Segmentation, CVPR 2017; windows and the mean of both sequences as
in Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020. InstaOrderNet, its part for occlusion: Lee and Park,
Instance-wise Occlusion and Depth Orders in Natural Scenes, CVPR 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kins.models.completion import MEAN, STD

MASKS = 2


class OrderNetwork(nn.Module):
    """What the two have in common: a backbone whose last map, averaged, gives the answer.

    Args:
        body: of a backbone (`kins.models.backbone.Backbone.body`); its first convolution is made anew, for two masks
            and, if it looks at the picture, RGB, of which it keeps its weights.
        width: channels of the body's last map.
        side: of the square windows that go in, in cells.
        rgb: whether it looks at the picture.
    """

    outputs: int
    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, width: int, side: int, rgb: bool) -> None:
        super().__init__()
        self.side, self.rgb = side, rgb
        widen(body, MASKS, keep=rgb)
        self.body = body
        self.out = nn.Linear(width, self.outputs)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(
        self, windows: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | Tensor:
        """Losses in training mode, else probabilities, the mean of what is said of both sequences of the two objects.

        Args:
            windows: each (2, S, S) float, 0 to 1, what is seen of the first and of the second object; three channels
                more for a network that looks at the picture, RGB.
            targets: `order` (2,) float of each: how much the first hides of the second, and the second of the first,
                in any unit; in training only.

        Returns:
            loss_order, a scalar, or (N, 2) probabilities that the first is in front of the second, and the other way.
        """
        x = torch.stack(windows)
        if not self.training:
            return (self.said(self.logits(x)) + self.said(self.logits(swapped(x))).flip(1)) / 2
        assert targets is not None
        return {"loss_order": self.loss(x, torch.stack([target["order"] for target in targets]))}

    def logits(self, x: Tensor) -> Tensor:
        """(N, 2 or 5, S, S) to (N, outputs)."""
        if self.rgb:
            x = torch.cat([x[:, :MASKS], (x[:, MASKS:] - self.mean) / self.std], dim=1)
        *_, last = self.body(x).values()
        found: Tensor = self.out(last.float().mean((2, 3)))
        return found

    def said(self, logits: Tensor) -> Tensor:
        """(N, outputs) to (N, 2) probabilities."""
        raise NotImplementedError

    def loss(self, x: Tensor, order: Tensor) -> Tensor:
        """Of windows (N, C, S, S) and what hides how much (N, 2)."""
        raise NotImplementedError


class OrderNet(OrderNetwork):
    """One of three holds: the first is in front, the second is, or neither."""

    outputs = 3

    def said(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)[:, :2]

    def loss(self, x: Tensor, order: Tensor) -> Tensor:
        return F.cross_entropy(self.logits(x), answers(order))


class InstaOrderNet(OrderNetwork):
    """Each may hide part of the other: two answers, both learned from both sequences of the two objects."""

    outputs = 2

    def said(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def loss(self, x: Tensor, order: Tensor) -> Tensor:
        hides = (order > 0).float()
        forth = F.binary_cross_entropy_with_logits(self.logits(x), hides)
        return forth + F.binary_cross_entropy_with_logits(self.logits(swapped(x)), hides.flip(1))


def swapped(x: Tensor) -> Tensor:
    """Windows (N, C, S, S) with the two objects in the other sequence."""
    return torch.cat([x[:, :MASKS].flip(1), x[:, MASKS:]], dim=1)


def answers(order: Tensor) -> Tensor:
    """(N, 2) how much hides how much to (N,) 0 where the first hides more, 1 where the second does, 2 for neither."""
    first, second = order.unbind(1)
    return torch.where(first > second, 0, torch.where(second > first, 1, 2))


def widen(body: nn.Module, more: int, keep: bool) -> None:
    """Give a body's first convolution so many channels in front of the picture's, or in the place of these.

    Those of the picture keep their weights; the new ones are random, and learned however many stages are frozen.
    """
    name, first = next((n, m) for n, m in body.named_modules() if isinstance(m, nn.Conv2d))
    place, _, leaf = name.rpartition(".")
    old, bias = first.weight, first.bias is not None
    inputs = more + (old.shape[1] if keep else 0)
    new = nn.Conv2d(inputs, first.out_channels, first.kernel_size, first.stride, first.padding, bias=bias)  # type: ignore[arg-type]
    if keep:
        with torch.no_grad():
            new.weight[:, more:] = old
            if new.bias is not None and first.bias is not None:
                new.bias.copy_(first.bias)
    setattr(body.get_submodule(place), leaf, new)
