"""PCNet-M: its loss against the paper's two classes, and its sizes."""

import pytest
import torch
from torch.nn import functional as F

from kins.models.pcnet import PCNet


def test_the_loss_is_cross_entropy_of_two_classes_with_five_times_the_weight_in_the_eraser():
    torch.manual_seed(0)
    network = PCNet(8, 32).train()
    windows = torch.rand(3, 2, 32, 32).round()
    whole = torch.rand(3, 32, 32).round()
    found = network(list(windows), [{"whole": part} for part in whole])["loss_mask_amodal"]
    logits = network.logits(windows)
    classes = torch.stack([torch.zeros_like(logits), logits], dim=1)
    each = F.cross_entropy(classes, whole.long(), reduction="none")
    inside = windows[:, 1] > 0.5
    expected = (5 * each[inside].sum() + each[~inside].sum()) / (3 * 32 * 32)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_widths_are_the_papers():
    network = PCNet(32)
    assert network.side == 256
    assert [layer[0].out_channels for layer in network.down] == [32, 64, 128, 256, 256]
    assert [(layer[0].in_channels, layer[0].out_channels) for layer in network.up] == [
        (512, 128),
        (256, 64),
        (128, 32),
        (64, 32),
    ]


def test_probabilities_and_independence_of_the_batch():
    torch.manual_seed(0)
    network = PCNet(8, 48).eval()
    windows = list(torch.rand(3, 2, 48, 48))
    with torch.no_grad():
        together = network(windows)
        alone = network(windows[:1])
    assert together.shape == (3, 48, 48)
    assert ((together >= 0) & (together <= 1)).all()
    torch.testing.assert_close(together[:1], alone)
