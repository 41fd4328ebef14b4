"""Order networks: losses against plain references, both sequences, and first convolutions for masks."""

import math

import pytest
import torch

from kins.config import ModelConfig
from kins.models.network import make
from kins.models.ordernet import answers, swapped, widen

NAMES = ("ordernet", "instaordernet")
ORDERS = torch.tensor([[30.0, 0.0], [0.0, 7.0], [0.0, 0.0], [3.0, 9.0], [9.0, 3.0], [4.0, 4.0]])


def network(name, rgb=True, **settings):
    torch.manual_seed(0)
    return make(ModelConfig(name=name, rgb=rgb, backbone="tiny", window=32, **settings), 1)


def pairs(rgb=True, count=6):
    torch.manual_seed(1)
    windows = torch.rand(count, 5 if rgb else 2, 32, 32)
    windows[:, :2].round_()
    return windows


def test_ordernet_learns_which_of_three_holds():
    net, x = network("ordernet").train(), pairs()
    found = net(list(x), [{"order": order} for order in ORDERS])["loss_order"]
    each = [row - row.logsumexp(0) for row in net.logits(x).double()]
    expected = -sum(row[k] for row, k in zip(each, [0, 1, 2, 1, 0, 2], strict=True)) / 6
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_instaordernet_learns_both_directions_from_both_sequences():
    net, x = network("instaordernet").train(), pairs()
    found = net(list(x), [{"order": order} for order in ORDERS])["loss_order"].item()
    turned = torch.cat([x[:, 1:2], x[:, :1], x[:, 2:]], 1)
    expected = 0.0
    for logits, flip in ((net.logits(x), False), (net.logits(turned), True)):
        for row, order in zip(logits.tolist(), ORDERS.tolist(), strict=True):
            for logit, hides in zip(row, order[::-1] if flip else order, strict=True):
                p = 1 / (1 + math.exp(-logit))
                expected -= math.log(p if hides else 1 - p) / 12
    assert found == pytest.approx(expected, rel=1e-4)


def test_swapping_swaps_targets_and_answers():
    assert (answers(ORDERS.flip(1)) == torch.tensor([1, 0, 2])[answers(ORDERS)]).all()
    x = pairs()
    assert (swapped(swapped(x)) == x).all()
    assert (swapped(x)[:, 2:] == x[:, 2:]).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rgb", [True, False])
def test_the_mean_over_both_sequences_swaps_with_the_pair(name, rgb):
    net, x = network(name, rgb).eval(), pairs(rgb)
    with torch.no_grad():
        found, turned = net(list(x)), net(list(swapped(x)))
        alone = net(list(x[:1]))
        once = net.said(net.logits(x))
    assert found.shape == (6, 2)
    assert ((found >= 0) & (found <= 1)).all()
    torch.testing.assert_close(found, turned.flip(1))
    torch.testing.assert_close(found[:1], alone)
    assert not torch.allclose(found, once), "the two sequences are not the same to the network"
    if name == "ordernet":
        assert (found.sum(1) <= 1).all()


@pytest.mark.parametrize("backbone", ["tiny", "resnet18", "mobilenet_v3_small"])
def test_first_convolutions_keep_what_they_know_of_pictures(backbone):
    from kins.models.backbone import backbone as build

    torch.manual_seed(0)
    body = build(backbone, norm="group").body.eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = list(body(picture).values())[-1]
        widen(body, 2, keep=True)
        after = list(body(torch.cat([torch.zeros(1, 2, 64, 64), picture], 1)).values())[-1]
        torch.testing.assert_close(before, after)
        widen(body, 2, keep=False)
        assert list(body(torch.rand(1, 2, 64, 64)).values())[-1].shape == before.shape
