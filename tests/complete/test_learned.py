"""The completion network: windows, training samples, and that it learns."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.complete import Completer
from kins.complete.learned import Learned, method_of
from kins.complete.samples import CompletionSet, disturbed
from kins.complete.window import pictured, resampled, window, windows
from kins.config import load_config
from kins.models.completion import SIZE, CompletionNetwork
from kins.models.network import make

RNG = np.random.default_rng(0)


def test_a_window_is_a_square_around_the_middle():
    x, y, side = window((10, 20, 30, 10))
    assert (x + side / 2, y + side / 2) == (25, 25)
    assert side == pytest.approx(54)
    assert window((5, 5, 1, 1))[2] == 8


@given(st.integers(0, 2**32))
def test_resampling_keeps_the_share_that_is_set(seed):
    rng = np.random.default_rng(seed)
    pixels = np.zeros((60, 80), bool)
    pixels[20:40, 30:60] = rng.random((20, 30)) < 0.5
    side = float(rng.integers(64, 200))
    seen = resampled(pixels, (45 - side / 2, 30 - side / 2, side), 64)
    assert seen.shape == (64, 64)
    assert seen.sum() * (side / 64) ** 2 == pytest.approx(pixels.sum(), rel=0.1)


def test_windows_show_the_object_and_the_others_also_beyond_the_image():
    left, right = Mask.from_box((0, 0, 20, 30), 40, 60), Mask.from_box((20, 5, 10, 10), 40, 60)
    seen, places = windows([left, right], 54)
    assert places[0].tolist() == [10 - 27, 15 - 27, 10 + 27, 15 + 27]
    own, others = seen[0]  # a cell is a pixel here
    assert own[12:42, 17:37].all()
    assert own.sum() == left.area
    assert others[17:27, 37:47].all()
    assert others.sum() == right.area
    assert windows([], 32)[0].shape == (0, 2, 32, 32)


def toys():
    masks = [Mask.from_array(np.hypot(*np.mgrid[-30:30, -40:40]) < r) for r in (12, 16, 20)]
    scene = Scene(Image(1, "a.png", 60, 80), tuple(Instance(n, 1, "disc", m, m) for n, m in enumerate(masks)))
    return Dataset.from_scenes([scene], {1: "disc"})


@pytest.mark.parametrize("shapes", [0.0, 0.5, 1.0])
def test_samples_are_seeded_and_true(shapes):
    samples = CompletionSet(toys(), shapes, seed=3)
    hidden = 0
    for place in range(12):
        seen, target = samples[(0, place)]
        again, _ = samples[(0, place)]
        assert (seen == again).all()
        assert seen.shape == (2, SIZE, SIZE)
        visible, others = seen.numpy() > 0
        whole = target["whole"].numpy() > 0
        assert not (visible & others).any()
        assert (visible & whole).sum() > 0.5 * visible.sum()
        hidden += int((whole & others).sum() > 0)
    assert hidden > 3
    assert not (CompletionSet(toys(), shapes, seed=4)[(0, 0)][0] == samples[(0, 0)][0]).all()


def test_a_data_set_without_silhouettes_says_so():
    empty = Dataset.from_scenes([Scene(Image(1, "a.png", 60, 80))], {1: "disc"})
    with pytest.raises(KinsError, match="no amodal mask has 400 pixels"):
        CompletionSet(empty, 0.5)
    assert len(CompletionSet(empty, 1.0)) == 1


def test_disturbing_changes_little():
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    found = [disturbed(RNG, mask) for _ in range(40)]
    assert sum((f == mask).all() for f in found) < 40
    assert all((f & mask).sum() / (f | mask).sum() > 0.5 for f in found)


def test_it_learns_to_complete_discs():
    torch.manual_seed(0)
    samples = CompletionSet(toys(), 0.0, seed=1)
    network = CompletionNetwork(channels=8).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=8e-3)
    losses = []
    for step in range(24):
        windows_, targets = zip(*(samples[(0, 8 * step + k)] for k in range(8)), strict=True)
        found = network(list(windows_), list(targets))
        loss = found["loss_mask_amodal"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


class Everything(CompletionNetwork):
    """Says that all of the window belongs to the object."""

    def logits(self, x):
        return torch.full((len(x), SIZE, SIZE), 9.0)


def test_what_a_network_adds_lies_where_others_are_seen():
    size = (40, 60)
    car, pole = Mask.from_box((5, 10, 20, 15), *size), Mask.from_box((25, 0, 4, 40), *size)
    far = Mask.from_box((50, 0, 5, 5), *size)
    found = tuple(Instance(n, 1, "x", inmodal=m) for n, m in enumerate((car, pole, far)))
    done = Completer(Learned(Everything(8)), needs_image=False)(None, Scene(Image(1, "a.png", *size), found))
    assert not (done[0].amodal - car) - pole
    assert (done[0].amodal & pole).area > 0
    assert done[2].amodal == far
    empty = Completer(Learned(Everything(8)))(None, Scene(Image(1, "a.png", *size)))
    assert len(empty) == 0


def test_probabilities_and_sizes():
    network = CompletionNetwork(channels=8).eval()
    with torch.no_grad():
        found = network([torch.rand(2, SIZE, SIZE)] * 3)
    assert found.shape == (3, SIZE, SIZE)
    assert ((found >= 0) & (found <= 1)).all()


def test_windows_show_the_picture_in_its_place():
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:50] = (255, 0, 51)
    shown = pictured(image, (20.0, 0.0, 40.0), 40)  # a cell is a pixel here
    assert shown.shape == (3, 40, 40)
    assert shown[:, 10:20, 10:30].reshape(3, -1).T.tolist() == [pytest.approx([1, 0, 0.2])] * 200
    assert shown[0].sum() == 200
    assert not pictured(image, (-90.0, -90.0, 40.0), 16).any()


def test_a_network_with_an_encoder_looks_at_the_picture():
    torch.manual_seed(0)
    config = load_config("completion_rgb", ["model.backbone=tiny", "model.weights=null", "model.channels=8"])
    network = make(config.model, 1).eval()
    method = method_of(network)
    assert method.needs_image
    assert not method_of(CompletionNetwork(8)).needs_image
    masks = torch.rand(2, SIZE, SIZE)
    with torch.no_grad():
        dark, bright = network([torch.cat([masks, torch.full((3, SIZE, SIZE), grey)]) for grey in (0.0, 1.0)])
    assert (dark - bright).abs().max() > 1e-4
    scene = Scene(Image(1, "a.png", 40, 60), (Instance(1, 1, "x", inmodal=Mask.from_box((3, 4, 20, 9), 40, 60)),))
    completer = Completer(method)
    assert len(completer(np.zeros((40, 60, 3), np.uint8), scene)) == 1
    with pytest.raises(KinsError, match=r"image a\.png: the picture is needed"):
        completer(None, scene)
