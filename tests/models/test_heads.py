"""Region heads: only what is asked for is computed."""

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import nn

from kins.models import cpu
from kins.models.heads import MaskHead


@pytest.mark.parametrize("way", [nullcontext, cpu.plain])
def test_only_the_masks_asked_for_are_computed(way: type[AbstractContextManager[None]]) -> None:
    torch.manual_seed(0)
    head = MaskHead(8, 16, num_classes=3)
    nn.init.normal_(head.logits.bias)
    x, labels = torch.randn(5, 8, 14, 14), torch.tensor([1, 3, 2, 0, 3])
    everything = x
    for layer in (*head.convs, head.deconv, head.logits):
        everything = layer(everything)
    assert everything.shape == (5, 4, 28, 28)
    with way():
        torch.testing.assert_close(head(x, None, labels), everything[torch.arange(5), labels])
