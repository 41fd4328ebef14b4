"""PCNet's inference: the order of two that touch, and completion under all that lie in front."""

import networkx as nx
import numpy as np
import pytest
import torch
from scipy import ndimage

from kins import Dataset, Image, Instance, Mask, Scene
from kins.complete import Completer
from kins.complete.ordered import Ordered, reached
from kins.complete.pairs import PairSet
from kins.masks import grown
from kins.models.pcnet import PCNet

SIZE = (60, 80)


class Filling(PCNet):
    """Says that windows belong to the object altogether where most of the object's window is not seen as its own."""

    def __init__(self, most):
        super().__init__(8, 32)
        self.most = most

    def logits(self, x):
        fills = x[:, 0].mean((1, 2)) < self.most
        return torch.where(fills[:, None, None], 9.0, -9.0) * torch.ones_like(x[:, 0])


def scene_of(*masks):
    found = tuple(Instance(n, 1, "x", inmodal=m) for n, m in enumerate(masks))
    return Scene(Image(1, "a.png", *SIZE), found)


@pytest.mark.parametrize("seed", range(4))
def test_what_lies_in_front_through_others(seed):
    rng = np.random.default_rng(seed)
    ahead = (rng.random((9, 9)) < 0.15) & ~np.eye(9, dtype=bool)
    graph = nx.DiGraph([tuple(pair) for pair in np.argwhere(ahead)])
    graph.add_nodes_from(range(9))
    expected = [[i != j and i in nx.ancestors(graph, j) for j in range(9)] for i in range(9)]
    assert (reached(ahead) == np.array(expected)).all()


def test_grown_masks_are_those_of_a_reference():
    rng = np.random.default_rng(0)
    for by in (0, 1, 3):
        array = ndimage.binary_opening(rng.random(SIZE) < 0.7)
        expected = ndimage.binary_dilation(array, np.ones((2 * by + 1, 2 * by + 1)))
        assert (grown(Mask.from_array(array), by).to_array() == expected).all()
    assert not grown(Mask.empty(*SIZE), 2)


def test_the_one_that_would_gain_more_is_behind():
    car, pole = Mask.from_box((10, 20, 30, 20), *SIZE), Mask.from_box((41, 5, 6, 45), *SIZE)
    far = Mask.from_box((70, 50, 5, 5), *SIZE)
    touching = Ordered(Filling(0.25)).ahead([car, pole, far])
    assert touching.tolist() == [[False, True, False], [False, False, False], [False, False, False]]
    assert not Ordered(Filling(0.0)).ahead([car, pole, far]).any()


def test_objects_grow_under_what_lies_in_front_alone():
    car, pole = Mask.from_box((10, 20, 30, 20), *SIZE), Mask.from_box((41, 5, 6, 45), *SIZE)
    far = Mask.from_box((70, 50, 5, 5), *SIZE)
    done = Completer(Ordered(Filling(0.25)), needs_image=False)(None, scene_of(car, pole, far))
    assert done[0].amodal == car
    assert done[2].amodal == far
    assert not (done[1].amodal - pole) - car
    assert (done[1].amodal & car).area > 0
    assert [instance.order for instance in done] == [0, 1, 0]
    assert len(Completer(Ordered(Filling(0.25)))(None, scene_of())) == 0


def test_it_learns_discs_from_visible_masks_alone():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5

    def disc(x, y, radius):
        return Mask.from_array(np.hypot(rows - y, columns - x) < radius)

    torch.manual_seed(0)
    samples = PairSet(Dataset.from_scenes([scene_of(disc(20, 20, 12), disc(50, 30, 15))], {1: "x"}), 32)
    network = PCNet(8, 32).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for step in range(40):
        windows, targets = zip(*(samples[(k % 2, 12 * step + k)] for k in range(12)), strict=True)
        loss = network(list(windows), list(targets))["loss_mask_amodal"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    front, back = disc(48, 34, 14), disc(32, 28, 15)
    done = Completer(Ordered(network), needs_image=False)(None, scene_of(back - front, front))
    assert [instance.order for instance in done] == [1, 0]
    assert done[0].amodal.iou(back) > (back - front).iou(back) + 0.05
