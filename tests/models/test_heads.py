"""Region heads: computed in other ways than they are written down, with the same results."""

import torch
from torch import nn

from kins.models.heads import Doubling, Linear, MaskHead


def test_doubling_is_a_transposed_convolution() -> None:
    torch.manual_seed(0)
    ours, reference = Doubling(6, 10), nn.ConvTranspose2d(6, 10, 2, 2)
    reference.load_state_dict(ours.state_dict())
    x = torch.randn(3, 6, 5, 5)
    torch.testing.assert_close(ours(x), reference(x))


def test_linear_is_linear_with_its_gradients() -> None:
    torch.manual_seed(0)
    ours, reference = Linear(30, 7), nn.Linear(30, 7)
    reference.load_state_dict(ours.state_dict())
    for rows in (0, 12, 300):
        x, weights = torch.randn(rows, 30, requires_grad=True), torch.randn(rows, 7)
        results = []
        for layer in (ours, reference):
            layer.zero_grad()
            (value,) = torch.autograd.grad((layer(x) * weights).sum(), x, retain_graph=True)
            (layer(x) * weights).sum().backward()
            results.append((layer(x), value, layer.weight.grad, layer.bias.grad))
        torch.testing.assert_close(*results)


def test_only_the_masks_asked_for_are_computed() -> None:
    torch.manual_seed(0)
    head = MaskHead(8, 16, num_classes=3)
    nn.init.normal_(head.logits.bias)
    x, labels = torch.randn(5, 8, 14, 14), torch.tensor([1, 3, 2, 0, 3])
    everything = x
    for layer in (*head.convs, head.deconv, head.logits):
        everything = layer(everything)
    assert everything.shape == (5, 4, 28, 28)
    torch.testing.assert_close(head(x, [], labels), everything[torch.arange(5), labels])
