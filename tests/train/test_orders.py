"""Training samples of order networks against brute force, and what the networks learn from them."""

import csv
import dataclasses

import numpy as np
import pytest
import torch

import kins
from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.complete import Completer, PairOrder
from kins.complete.order import GAP, bordering, pair_window
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.models.network import make
from kins.train.orders import LEAST_SEEN, OrderSet, choose, known
from kins.train.samples import training_set
from kins.train.validation import order_figures

SMALL = [
    *("train.batch=4", "train.device=cpu", "train.precision=32", "data.workers=0", "model.window=32"),
    *("train.ema=null", "train.warmup=0", "train.log_every=1", "augment.color=0"),
]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("pictures"), 4)


def stacked(seed, count=5, size=(40, 56)):
    """Random boxes over each other, the first nearest; and the arrays of both masks."""
    rng = np.random.default_rng(seed)
    amodal, inmodal, taken = [], [], np.zeros(size, bool)
    for _ in range(count):
        array = np.zeros(size, bool)
        x, y, w, h = rng.integers((0, 0, 6, 6), (44, 30, 30, 26))
        array[y : y + h, x : x + w] = True
        amodal.append(array)
        inmodal.append(array & ~taken)
        taken |= array
    masks = zip(map(Mask.from_array, amodal), map(Mask.from_array, inmodal), strict=True)
    instances = tuple(Instance(n, 1, "x", a, i) for n, (a, i) in enumerate(masks))
    return Scene(Image(1, "a.png", *size), instances), amodal, inmodal


@pytest.mark.parametrize("seed", range(8))
def test_what_hides_what_is_that_of_counted_pixels(seed):
    scene, amodal, inmodal = stacked(seed)
    kept, hidden = known(scene)
    numbers = [i.id for i in kept]
    assert numbers == [n for n, seen in enumerate(inmodal) if seen.sum() >= LEAST_SEEN]
    expected = [[(inmodal[i] & amodal[j] & ~inmodal[j]).sum() if i != j else 0 for j in numbers] for i in numbers]
    expected = np.array(expected)
    few = np.abs(expected - hidden) > 0  # slivers, as kins.occlusion leaves them out
    assert (hidden[few] == 0).all()
    assert (hidden > 0).any() == (hidden.sum() > 0)
    assert (few & (expected > 60)).sum() == 0
    near = bordering([kept[k].inmodal for k in range(len(kept))])
    for i, a in enumerate(numbers):
        for j, b in enumerate(numbers):
            (ys, xs), (v, u) = inmodal[a].nonzero(), inmodal[b].nonzero()
            apart = np.maximum(abs(ys[:, None] - v), abs(xs[:, None] - u)).min()
            assert near[i, j] == (i != j and apart <= GAP)


def test_stated_pairs_count_where_masks_do_not_say():
    scene, _, _ = stacked(1)
    seen = scene.replace(instances=tuple(i.replace(amodal=None) for i in scene))
    with pytest.raises(KinsError, match=r"a\.png: nothing says who hides whom"):
        known(seen)
    first, second = (i.id for i in known(scene)[0].instances[:2])
    image = dataclasses.replace(seen.image, extra={"depth_constraint": [[second, first], [first, 77]]})
    hidden = known(seen.replace(image=image))[1]
    assert hidden.sum() == hidden[1, 0] == 1


def test_pairs_are_drawn_as_in_instaorder(shapes):
    scene, hidden = known(next(s for s in shapes if known(s)[1].any()))
    rng = np.random.default_rng(0)
    drawn = [choose(hidden, scene, rng) for _ in range(400)]
    related = {(i, j) for i, j in np.argwhere(hidden + hidden.T > 0).tolist()}
    assert {pair for pair in drawn if pair in related} == related, "each of them, in both sequences"
    assert np.mean([i < j for i, j in drawn]) == pytest.approx(0.5, abs=0.1)
    apart = scene.replace(instances=scene.instances[:1])
    assert choose(np.zeros((1, 1), np.int64), apart, rng) is None


def test_windows_hold_both_masks():
    x, y, side = pair_window((10, 20, 6, 6), (30, 8, 10, 30))
    assert (x + side / 2, y + side / 2) == pytest.approx((25, 23))
    assert side == pytest.approx((2 * 30 * 30) ** 0.5)
    assert pair_window((0, 0, 4, 2), (96, 0, 4, 2))[2] == pytest.approx(110)


@pytest.mark.parametrize("rgb", [True, False])
def test_samples_are_seeded_and_true(shapes, rgb):
    config = load_config("ordernet", ["model.window=32", f"model.rgb={rgb}"])
    samples = training_set(make(config.model, 1), config, shapes)
    assert isinstance(samples, OrderSet)
    for place in range(8):
        window, target = samples[(place % 4, place)]
        again, same = samples[(place % 4, place)]
        assert (window == again).all()
        assert (target["order"] == same["order"]).all()
        assert window.shape == (5 if rgb else 2, 32, 32)
        assert set(window[:2].unique().tolist()) <= {0.0, 1.0}
        assert window[:2].flatten(1).any(1).all()
    different = [samples[(0, k)][1]["order"].tolist() for k in range(30)]
    assert {tuple(np.sign(np.subtract(*order)) for _ in range(1)) for order in different} >= {(1.0,), (-1.0,)}


def test_a_data_set_without_pairs_and_one_without_pictures_say_so(shapes):
    config = load_config("ordernet", ["model.window=32"])
    lone = shapes.map(lambda scene: scene.replace(instances=scene.instances[:1]))
    with pytest.raises(KinsError, match="no two objects that touch"):
        OrderSet(lone, make(config.model, 1), config.augment)[(0, 0)]
    blind = Dataset.from_scenes([scene.replace(image_path=None) for scene in shapes], shapes.categories)
    with pytest.raises(KinsError, match="no image folder given; name it with --images"):
        OrderSet(blind, make(config.model, 1), config.augment)[(0, 0)]
    masks = load_config("ordernet", ["model.window=32", "model.rgb=false", "augment.paste=1"])
    assert len(OrderSet(blind, make(masks.model, 1), masks.augment)[(0, 0)][0]) == 2


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """Both networks, quickly trained on the shapes; InstaOrderNet without pictures, in two goes."""
    folder = tmp_path_factory.mktemp("runs")
    kins.train(load_config("ordernet", [*SMALL, "train.steps=2"]), shapes, folder / "ordernet", test=shapes)
    for steps in (2, 4):
        more = [*SMALL, f"train.steps={steps}", "model.rgb=false", "train.schedule=steps", "train.drops=[]"]
        kins.train(load_config("instaordernet", more), shapes, folder / "instaordernet")
    return folder


def losses(folder):
    with open(folder / "log.csv", newline="") as file:
        return [float(row["loss_order"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", ["ordernet", "instaordernet"])
def test_the_loss_falls_on_pairs_that_are_learned_by_heart(name, shapes):
    torch.manual_seed(0)
    config = load_config(name, ["model.window=32", "augment.color=0"])
    network = make(config.model, 1).train()
    samples = training_set(network, config, shapes)
    windows, targets = zip(*(samples[(place % 4, place)] for place in range(8)), strict=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-4)
    found = []
    for _ in range(16):
        loss = network(list(windows), list(targets))["loss_order"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    assert np.mean(found[-4:]) < 0.5 * np.mean(found[:2])


def test_figures_are_written(run):
    header, values = (run / "ordernet" / "evaluations.csv").read_text().split()
    assert header == "step,seconds,occluded,bordering,score"
    assert all(0 <= float(value) <= 100 for value in values.split(",")[2:])


def test_a_run_that_goes_on_is_the_same_as_one_that_was_not_stopped(run, shapes, tmp_path):
    whole = [*SMALL, "train.steps=4", "model.rgb=false", "train.schedule=steps", "train.drops=[]"]
    kins.train(load_config("instaordernet", whole), shapes, tmp_path / "whole")
    assert losses(run / "instaordernet") == losses(tmp_path / "whole")
    with pytest.raises(KinsError, match=r"model\.rgb false, not true"):
        kins.train(load_config("instaordernet", SMALL), shapes, run / "instaordernet")


def test_each_kind_of_network_in_its_place(run, shapes):
    with pytest.raises(KinsError, match="tells order, not one that finds objects; see kins order"):
        kins.Predictor.load(run / "ordernet")
    with pytest.raises(KinsError, match="ordernet, which tells order alone"):
        Completer.load(run / "ordernet")
    with pytest.raises(KinsError, match="weights of asn-mlc, which tells no order; train ordernet"):
        PairOrder.load("street")
    assert PairOrder.load(run / "ordernet").needs_image
    assert not PairOrder.load(run / "instaordernet").needs_image


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ordernet", "instaordernet"])
def test_a_network_learns_four_scenes_by_heart(name, tmp_path):
    from kins.streets import Settings, generate

    generate(tmp_path / "set", {"training": 4}, Settings(seed=5, width=416, height=128, quality="fast"), workers=1)
    streets = kins.load(tmp_path / "set" / "train.json", tmp_path / "set" / "training" / "image_2")
    streets = streets.filter(lambda instance: instance.amodal.box[3] >= 16 and instance.inmodal.area >= 80)
    settings = ["train.steps=400", "train.batch=16", "train.ema=null", "data.workers=0", "train.evaluate_every=0"]
    settings += ["model.window=48", "model.rgb=false", "train.warmup=20", "augment.mirror=0"]
    path = kins.train(load_config(name, settings), streets, tmp_path / "run")
    found = order_figures(PairOrder.load(path).network, streets)
    assert found is not None
    assert found["occluded"] > 97
    assert found["bordering"] > 93
