"""Samples for completion with the picture."""

import numpy as np
import pytest
import torch

import kins
from kins import Dataset, Image, KinsError, Scene
from kins.complete import Completer
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.models.completion import SIZE
from kins.train.pictures import PictureSet, choose

SMALL = [
    *("model.channels=8", "model.backbone=tiny", "model.weights=null", "train.batch=2", "train.steps=1"),
    *("train.device=cpu", "train.precision=32", "data.workers=0"),
]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("pictures"), 4)


def test_samples_are_seeded_and_true(shapes):
    settings = load_config("completion_rgb").augment
    samples, hidden = PictureSet(shapes, settings, seed=3), 0
    for place in range(12):
        window, target = samples[(place % 4, place)]
        again, _ = samples[(place % 4, place)]
        assert (window == again).all()
        assert window.shape == (5, SIZE, SIZE)
        assert 0 <= window.min() <= window.max() <= 1
        visible, others = window[:2].numpy() > 0
        whole = target["whole"].numpy() > 0
        assert not (visible & others).any()
        assert (visible & whole).sum() > 0.5 * visible.sum()
        hidden += int((whole & others).sum() > 20)
    assert hidden > 4
    assert not (PictureSet(shapes, settings, seed=4)[(0, 0)][0] == samples[(0, 0)][0]).all()


def test_occluded_objects_come_first(shapes):
    rng = np.random.default_rng(0)
    scene = next(scene for scene in shapes if any(i.occlusion_rate > 0.02 for i in scene))
    taken = [scene[choose(scene, rng)].occlusion_rate > 0.02 for _ in range(60)]
    assert 0.7 < np.mean(taken) <= 1
    assert choose(scene.replace(instances=()), rng) is None


def test_a_data_set_without_such_objects_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes((write_shapes(tmp_path / "pictures", 1).images_dir / "000000.png").read_bytes())
    empty = Dataset.from_scenes([Scene(Image(1, "a.png", 160, 240))], {1: "disc"}, images_dir=tmp_path)
    with pytest.raises(KinsError, match="no object with both masks"):
        PictureSet(empty, load_config("completion", ["augment.mirror=0"]).augment)[(0, 0)]


def test_it_trains_and_completes_with_pictures(shapes, tmp_path):
    torch.manual_seed(0)
    config = load_config("completion_rgb", SMALL)
    kins.train(config, shapes, tmp_path / "run", test=shapes)
    assert (tmp_path / "run" / "evaluations.csv").read_text().startswith("step,seconds,full,hidden")
    completer = Completer.load(tmp_path / "run")
    assert completer.needs_image
    done = completer.scene(shapes[0])
    assert all(not (i.inmodal - i.amodal) for i in done)
