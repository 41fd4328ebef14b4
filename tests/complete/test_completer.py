"""Completion without learning: what every method keeps, and the baselines on real masks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, QhullError

import kins
from kins import Image, Instance, KinsError, Mask, Scene
from kins.complete import METHODS, Completer, from_detections, occlusion_score
from kins.masks import hull

HEIGHT, WIDTH = 24, 32


@st.composite
def scenes(draw):
    """Visible masks that don't overlap: boxes painted over each other."""
    owner = np.full((HEIGHT, WIDTH), -1)
    for index in range(draw(st.integers(1, 5))):
        x, y = draw(st.integers(0, WIDTH - 2)), draw(st.integers(0, HEIGHT - 2))
        owner[y : y + draw(st.integers(1, 16)), x : x + draw(st.integers(1, 16))] = index
    masks = [owner == index for index in range(owner.max() + 1)]
    return Scene(
        Image(1, "a.png", HEIGHT, WIDTH),
        tuple(Instance(n, 1, "box", inmodal=Mask.from_array(m), score=0.9) for n, m in enumerate(masks)),
    )


@pytest.mark.parametrize("method", METHODS)
@given(scene=scenes())
def test_what_every_method_keeps(method, scene):
    done = Completer.load(method)(None, scene)
    for before, after in zip(scene, done, strict=True):
        assert after.inmodal == before.inmodal
        assert (after.id, after.category, after.score) == (before.id, before.category, before.score)
        assert not (before.inmodal - after.amodal)
        assert (after.occlusion_score >= 0.5) == (after.occlusion_rate >= kins.occlusion.PARTIAL)
        assert after.order is not None
    assert [i.order for i in done] == [i.order for i in kins.occlusion.with_order(done)]


@given(scene=scenes())
def test_nothing_grows_beyond_what_lies_in_front(scene):
    done = Completer.load("convex-order")(None, scene)
    ahead = done.occlusion().matrix() > 0
    for index, instance in enumerate(done):
        gained = instance.amodal - instance.inmodal
        front = [done[other].inmodal for other in np.flatnonzero(ahead[:, index])]
        assert not gained - kins.masks.union(front, HEIGHT, WIDTH)


@pytest.mark.parametrize("method", METHODS)
def test_an_object_alone_keeps_its_mask_if_it_is_convex(method):
    lone = Instance(1, 1, "box", inmodal=Mask.from_box((3, 4, 9, 5), HEIGHT, WIDTH))
    (done,) = Completer.load(method)(None, Scene(Image(1, "a.png", HEIGHT, WIDTH), (lone,)))
    assert done.amodal == lone.inmodal
    assert (done.order, done.occlusion_score) == (0, 0.0)


def test_a_stored_order_decides_who_is_in_front():
    left, right = Mask.from_box((0, 0, 10, 10), HEIGHT, WIDTH), Mask.from_box((10, 2, 4, 4), HEIGHT, WIDTH)
    notched = left - Mask.from_box((6, 2, 4, 4), HEIGHT, WIDTH)
    inside = Mask.from_box((6, 2, 8, 4), HEIGHT, WIDTH)
    assert right

    def completed(orders):
        found = (
            Instance(1, 1, "box", inmodal=notched, order=orders[0], cluster=0),
            Instance(2, 1, "bar", inmodal=inside, order=orders[1], cluster=0),
        )
        return Completer.load("convex-order")(None, Scene(Image(1, "a.png", HEIGHT, WIDTH), found))

    assert completed((1, 0))[0].amodal == left
    assert completed((0, 1))[0].amodal == notched


def test_missing_masks_and_unknown_methods_are_one_line():
    scene = Scene(Image(1, "a.png", HEIGHT, WIDTH), (Instance(1, 1, "box"),))
    with pytest.raises(KinsError, match=r"image a\.png: annotation 1 has no inmodal mask"):
        Completer.load("convex")(None, scene)
    with pytest.raises(KinsError, match="magic: no method to complete"):
        Completer.load("magic")


@given(st.integers(0, 2**32))
def test_hulls_hold_the_pixels_that_a_reference_finds(seed):
    rng = np.random.default_rng(seed)
    array = rng.random(rng.integers(1, 14, 2)) < rng.uniform(0.02, 0.6)
    found = hull(Mask.from_array(array)).to_array()
    points = np.argwhere(array)
    assert (found >= array).all()
    try:
        equations = ConvexHull(points).equations if len(points) > 2 else None
    except QhullError:  # all on one line
        equations = None
    if equations is not None:
        every = np.argwhere(np.ones_like(array))
        inside = (equations[:, :2] @ every.T + equations[:, 2:] <= 1e-9).all(0)
        assert (found.ravel() == inside).all()


def test_a_thin_hull_that_misses_a_column_is_the_mask_that_its_pixels_make():
    array = np.zeros((3, 3), bool)
    array[0, 0] = array[1, 2] = True
    assert hull(Mask.from_array(array)) == Mask.from_array(array)


def test_real_masks_grow_towards_the_truth(samples):
    figures = {}
    for method in METHODS:
        whole, hidden = [], []
        for name in ("1", "2", "4"):
            for scene in kins.load(samples / f"{name}.json", images=samples):
                blind = scene.replace(instances=tuple(i.replace(order=None, cluster=None) for i in scene))
                for truth, guess in zip(scene, Completer.load(method)(None, blind), strict=True):
                    if truth.occlusion_rate >= 0.01:
                        whole.append(truth.amodal.iou(guess.amodal))
                        hidden.append(truth.hidden.iou(guess.amodal - truth.inmodal))
        figures[method] = (np.mean(whole), np.mean(hidden))
    assert figures["visible"][1] == 0
    assert figures["visible"][0] < figures["convex"][0] < figures["convex-order"][0]
    assert figures["convex-order"][0] > 0.8
    assert figures["convex-order"][1] > figures["convex"][1] > 0.3


def test_the_shipped_network_beats_the_hulls_on_real_masks(samples):
    figures = {}
    for method in ("convex-order", "completion"):
        completer, found = Completer.load(method), []
        for name in ("1", "2", "4"):
            for scene in kins.load(samples / f"{name}.json", images=samples):
                blind = scene.replace(instances=tuple(i.replace(order=None, cluster=None) for i in scene))
                for truth, guess in zip(scene, completer(None, blind), strict=True):
                    if truth.occlusion_rate >= 0.01:
                        hidden = truth.hidden.iou(guess.amodal - truth.inmodal)
                        found.append((truth.amodal.iou(guess.amodal), hidden))
        figures[method] = np.mean(found, axis=0)
    assert (figures["completion"] > figures["convex-order"]).all()
    assert figures["completion"][1] > 0.5


def test_occlusion_scores_rise_with_the_rate():
    assert occlusion_score(0) == 0
    assert occlusion_score(0.01) == 0.5
    assert occlusion_score(0.5) < occlusion_score(0.9) < 1


MASKS = np.zeros((2, HEIGHT, WIDTH), bool)
MASKS[0, 2:9, 3:11] = MASKS[1, 5:20, 8:30] = True
BOXES = np.array([[3.0, 2, 11, 9], [8, 5, 30, 20]])
FOUND = [
    {
        "boxes": torch.tensor(BOXES),
        "labels": torch.tensor([1, 2]),
        "scores": torch.tensor([0.9, 0.5]),
        "masks": torch.tensor(MASKS[:, None] * 0.8),
    },
    SimpleNamespace(xyxy=BOXES, mask=MASKS, confidence=np.array([0.9, 0.5]), class_id=np.array([1, 2]), data={}),
    SimpleNamespace(
        pred_boxes=SimpleNamespace(tensor=torch.tensor(BOXES)),
        pred_masks=torch.tensor(MASKS),
        scores=torch.tensor([0.9, 0.5]),
        pred_classes=torch.tensor([1, 2]),
    ),
]


@pytest.mark.parametrize("found", FOUND, ids=["torchvision", "supervision", "detectron2"])
def test_detections_of_other_systems(found):
    scene = from_detections(found, (HEIGHT, WIDTH), {1: "car", 2: "van"})
    assert [(i.category, round(i.score, 6)) for i in scene] == [("car", 0.9), ("van", 0.5)]
    assert [(i.inmodal.to_array() == m).all() for i, m in zip(scene, MASKS, strict=True)] == [True, True]
    assert scene[0].inmodal_box == (3, 2, 8, 7)
    assert Completer.load("convex-order")(None, scene)[0].order is not None


def test_class_names_that_come_with_detections():
    named = SimpleNamespace(**{**vars(FOUND[1]), "data": {"class_name": np.array(["auto", "bus"])}})
    assert [i.category for i in from_detections(named, (HEIGHT, WIDTH))] == ["auto", "bus"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"scores": np.array([0.5])}, "differ in number"),
        ({"scores": np.array([0.5, np.nan])}, "score"),
        ({"boxes": BOXES * np.inf}, "finite"),
        ({"masks": MASKS[:, :5]}, "mask of shape"),
    ],
)
def test_detections_that_are_none(changes, match):
    found = {"boxes": BOXES, "labels": np.array([1, 2]), "scores": np.array([0.9, 0.5]), "masks": MASKS, **changes}
    with pytest.raises(KinsError, match=match):
        from_detections(found, (HEIGHT, WIDTH))
    with pytest.raises(KinsError, match="neither a dict with boxes"):
        from_detections(object(), (HEIGHT, WIDTH))
