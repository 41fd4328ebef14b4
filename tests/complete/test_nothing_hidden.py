"""Every method gives the visible mask back where nothing is hidden: objects alone in their picture."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kins import Image, Instance, Mask, Scene
from kins.complete import METHODS, Completer
from kins.complete.ordered import Ordered
from kins.masks import hull
from kins.models.pcnet import PCNet

HEIGHT, WIDTH = 24, 32
PICTURE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def methods(on_boxes):
    torch.manual_seed(0)
    learned = {name: Completer.load(name) for name in (*METHODS, "completion")}
    return {**learned, "boxes": on_boxes[1], "pcnet": Completer(Ordered(PCNet(8, 32)), needs_image=False)}


def completed(completer, mask):
    scene = Scene(Image(1, "a.png", HEIGHT, WIDTH), (Instance(1, 1, "car", inmodal=mask, score=0.5),))
    (done,) = completer(PICTURE, scene)
    assert (done.inmodal, done.order) == (mask, 0)
    assert done.occlusion_score == 0 or done.amodal != mask
    return done.amodal


@settings(max_examples=6)
@given(array=arrays(bool, (HEIGHT, WIDTH)))
def test_an_object_alone_keeps_its_mask(methods, array):
    mask = Mask.from_array(array)
    for name, completer in methods.items():
        assert completed(completer, mask) == (hull(mask) if name == "convex" else mask), name


@settings(max_examples=6)
@given(corners=st.lists(st.tuples(st.integers(0, WIDTH), st.integers(0, HEIGHT)), min_size=3, max_size=6))
def test_a_convex_one_keeps_it_with_every_method(methods, corners):
    mask = hull(Mask.from_polygons([[v for point in corners for v in point]], HEIGHT, WIDTH))
    for name, completer in methods.items():
        assert completed(completer, mask) == mask, name
