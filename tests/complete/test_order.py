"""Who is in front by an order network: which pairs are asked about, and what follows; in commands, too."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.commands.test_formats import run as command

import kins
from kins import Image, Instance, KinsError, Mask, Scene
from kins.complete import Completer, PairOrder, convex
from kins.complete.order import GAP, close
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.models.backbone import backbone
from kins.models.ordernet import InstaOrderNet, OrderNet
from kins.models.weights import save
from kins.occlusion import occlusion_from_edges

SIZE = (60, 80)


def nearer(network, sides):
    """A network that takes the larger one for the nearer one, and says so the more surely the larger it is."""

    class Larger(network):
        def logits(self, x):
            areas = x[:, :2].mean((2, 3))
            sure = 9 * (areas - areas.flip(1)).sign() * (1 + areas)
            return torch.cat([sure, torch.zeros(len(x), self.outputs - 2)], 1)

    body = backbone("tiny", norm="group")
    return Larger(body.body, body.widths[-1], sides, rgb=False)


def scene_of(*masks, **fields):
    return Scene(Image(1, "a.png", *SIZE), tuple(Instance(n, 1, "x", inmodal=m, **fields) for n, m in enumerate(masks)))


@pytest.mark.parametrize("network", [OrderNet, InstaOrderNet])
def test_pairs_that_touch_are_asked_and_no_others(network):
    rng = np.random.default_rng(0)
    arrays = np.zeros((14, *SIZE), bool)
    for array in arrays[:-1]:
        x, y, w, h = rng.integers((0, 0, 4, 4), (60, 40, 20, 20))
        array[y : y + h, x : x + w] = True
    expected = set()
    for i, a in enumerate(arrays[:-1]):
        for j, b in enumerate(arrays[:-1]):
            (ys, xs), (v, u) = a.nonzero(), b.nonzero()
            apart = np.maximum(abs(ys[:, None] - v), abs(xs[:, None] - u)).min()
            if i != j and apart <= GAP and a.sum() > b.sum() * 1.05:
                expected.add((i, j))
    order = PairOrder(nearer(network, 64))
    found = {edge[:2] for edge in order.edges(None, scene_of(*map(Mask.from_array, arrays)))}
    assert expected <= found
    assert all(arrays[i].sum() >= 0.9 * arrays[j].sum() for i, j in found)


def test_relations_order_and_certainty(monkeypatch):
    car, pole, far = (Mask.from_box(b, *SIZE) for b in ((10, 20, 30, 20), (41, 5, 6, 45), (70, 50, 5, 5)))
    order = PairOrder(nearer(OrderNet, 32))
    found = order.relations(None, scene_of(car, pole, far))
    assert [edge[:2] for edge in found.edges] == [(0, 1)]
    assert 990 < found.edges[0].pixels <= 1000
    assert (found.order.tolist(), found.clusters.tolist()) == ([0, 1, 0], [0, 0, 1])
    twice = order.relations(None, scene_of(car, car, pole, score=0.9))
    assert {edge[:2] for edge in twice.edges} == {(0, 2), (1, 2)}, "one object found twice"
    assert twice.order.tolist() == [0, 0, 1]
    assert len(order.relations(None, scene_of()).edges) == 0
    assert len(order.relations(None, scene_of(Mask.empty(*SIZE), far)).edges) == 0
    behind = scene_of(far, pole, amodal=car)  # seen where the other is known to be
    assert close(behind).tolist() == [[0, 1]]
    monkeypatch.setenv("KINS_MAX_PAIRS", "2")
    with pytest.raises(KinsError, match=r"a\.png.*more than the 2 that are accepted"):
        order.relations(None, scene_of(car, car, car, car))
    monkeypatch.delenv("KINS_MAX_PAIRS")
    with pytest.raises(KinsError, match=r"a\.png: .*no inmodal mask"):
        order.relations(None, scene_of(None, car))


def test_completion_is_told_the_order():
    car, pole = Mask.from_box((10, 20, 30, 20), *SIZE), Mask.from_box((20, 0, 6, 50), *SIZE)
    seen = scene_of(car - pole, pole)
    by_masks = Completer(convex.convex_order, False)(None, seen)
    told = Completer(convex.convex_order, False, PairOrder(nearer(OrderNet, 32)))(None, seen)
    assert [i.order for i in by_masks] == [1, 0]
    assert [i.order for i in told] == [0, 1]
    assert (by_masks[0].amodal, told[0].amodal) == (car, car - pole)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Shapes, their truth as predictions, and weights of a network that looks at pictures."""
    folder = tmp_path_factory.mktemp("order")
    shapes = write_shapes(folder / "pictures", 3)
    shapes.map(lambda s: s.replace(instances=tuple(i.replace(score=0.9, order=None, cluster=None) for i in s))).save(
        folder / "pred.json", "predictions"
    )
    shapes.save(folder / "seen.json", "coco", masks="inmodal")
    quick = ["train.steps=1", "train.batch=2", "train.device=cpu", "data.workers=0", "model.window=32"]
    kins.train(load_config("ordernet", quick), shapes, folder / "run")
    return folder


def test_kins_order_with_weights(files, monkeypatch):
    monkeypatch.chdir(files)
    with_ = ["--with", "run", "--images", "pictures"]
    said, _ = command("order", "pred.json", "ordered.json", *with_, "--json")
    found, network = kins.load("ordered.json"), PairOrder.load("run")
    total = 0
    for scene in kins.load("pred.json", images="pictures"):
        relations = network.scene(scene)
        total += len(relations.edges)
        assert [i.order for i in found[scene.image.id]] == relations.order.tolist()
        assert [i.score for i in found[scene.image.id]] == [0.9] * len(scene)
    assert json.loads(said)["edges"] == total
    message, _ = command("order", "seen.json", "out.json", "--with", "run", "--as", "inmodal", code=2)
    assert "--images" in message
    message, _ = command("order", "pred.json", "out.json", *with_, "--from-depth", "d", code=2)
    assert "give one of the two" in message
    message, _ = command("order", "pred.json", "run/best.safetensors", "--with", "run/best.safetensors", code=2)
    assert "--with" not in message
    assert load_file("run/best.safetensors")


def test_predict_and_complete_take_an_order_network(files, monkeypatch):
    monkeypatch.chdir(files)
    command("predict", "street", "pictures", "-o", "found.json", "--device", "cpu", "--order", "run")
    command("complete", "seen.json", "--images", "pictures", "--with", "convex-order", "--order", "run", "-o", "w.json")
    network = PairOrder.load("run")
    for name in ("found.json", "w.json"):
        for scene in kins.load(name, images="pictures"):
            asked = (
                scene if name == "found.json" else scene.replace(instances=tuple(i.replace(amodal=None) for i in scene))
            )
            relations = occlusion_from_edges(scene, network.edges(scene.read_image(), asked))
            assert [i.order for i in scene] == relations.order.tolist()
    message, _ = command("complete", "seen.json", "--with", "convex", "--order", "run", "-o", "x.json", code=2)
    assert "name it with --images" in message
    message, _ = command("predict", "street", "pictures", "-o", "x.json", "--order", "street", code=2)
    assert "tells no order; train ordernet" in message


def test_damaged_weights_are_one_line(files, tmp_path):
    tensors = load_file(files / "run" / "best.safetensors")
    save(tmp_path / "bare.safetensors", tensors, {})
    with pytest.raises(KinsError, match="not written by kins train"):
        PairOrder.load(tmp_path / "bare.safetensors")
