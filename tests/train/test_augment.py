"""Each augmentation moves image, boxes and both masks together.

Oracle: a picture whose pixels say which instance is seen there (instance k has the grey value 50 k), so that after any
change the inmodal masks can be read off the picture again.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import HEIGHT, WIDTH, painted

from kins.config import AugmentConfig
from kins.records import Scene
from kins.train.augment import (
    augment,
    crop,
    mirror,
    paste_random,
    photographed,
    random_window,
    recolor,
    retoned,
    tinted,
)


def check(scene: Scene, image: np.ndarray) -> None:
    """The masks of the picture's own instances are what the picture shows, and lie inside of the amodal ones."""
    assert (scene.image.height, scene.image.width) == image.shape[:2]
    for instance in scene:
        if instance.id <= 3:
            assert np.array_equal(instance.inmodal.to_array(), image[..., 0] == 50 * instance.id)
        assert not (instance.inmodal - instance.amodal)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_mirroring(seed: int) -> None:
    scene, image = painted(seed)
    moved, flipped = mirror(scene, image)
    check(moved, flipped)
    for before, after in zip(scene, moved, strict=True):
        assert np.array_equal(after.amodal.to_array(), before.amodal.to_array()[:, ::-1])
        x, y, w, h = before.amodal.box
        assert after.amodal.box == (WIDTH - x - w, y, w, h)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_cropping(seed: int, data: st.DataObject) -> None:
    scene, image = painted(seed)
    w, h = data.draw(st.integers(1, WIDTH)), data.draw(st.integers(1, HEIGHT))
    x, y = data.draw(st.integers(0, WIDTH - w)), data.draw(st.integers(0, HEIGHT - h))
    moved, window = crop(scene, image, x, y, w, h)
    check(moved, window)
    for instance in moved:
        original = next(i for i in scene if i.id == instance.id)
        assert np.array_equal(instance.amodal.to_array(), original.amodal.to_array()[y : y + h, x : x + w])
    assert {i.id for i in moved} == {k for k in (1, 2, 3) if (window == 50 * k).any()}


def test_random_pasting_comes_from_whole_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, image = painted(5)
    monkeypatch.setattr(Scene, "read_image", lambda self: image)
    added = 0
    for seed in range(20):
        pasted, picture = paste_random(scene, image, scene, np.random.default_rng(seed))
        for instance in pasted:
            assert not (instance.inmodal - instance.amodal)
        if pasted is not scene:
            added += 1
            hidden = pasted[len(pasted) - 1].amodal.to_array()
            assert not np.array_equal(picture[hidden], image[hidden]) or hidden.sum() < 20
    assert added > 0


def test_colours_change_and_masks_do_not() -> None:
    _, image = painted(1)
    assert np.array_equal(recolor(image, 1, 1, 1), image)
    assert recolor(image, 0.5, 1, 1).mean() == pytest.approx(image.mean() / 2, abs=1)
    flat = recolor(image, 1, 0, 1)
    assert flat.max() - flat.min() <= 1
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    assert np.ptp(recolor(red, 1, 1, 0)) <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 70), st.integers(1, 100))
def test_windows(seed: int, height: int, width: int) -> None:
    scene, picture = random_window(*painted(seed), height, width, np.random.default_rng(seed))
    assert picture.shape[:2] == (min(height, HEIGHT), min(width, WIDTH))
    check(scene, picture)


def test_tone_curves() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(retoned(image, 1, 1), image)
    assert np.array_equal(retoned(image, 2, 1), np.minimum(image.astype(int) * 2, 255))
    assert retoned(image, 1, 2)[7, 15, 0] == round(127**2 / 255)


def test_hues_turn_about_grey() -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (5, 6, 1), np.uint8).repeat(3, 2)
    assert np.abs(tinted(grey, np.ones(3), 1.0).astype(int) - grey).max() <= 1
    image = rng.integers(80, 170, (5, 6, 3), np.uint8)
    third = 2 * np.pi / 3  # of the circle of hues: red becomes green, green blue
    assert np.abs(tinted(image, np.ones(3), third).astype(int) - image[..., [2, 0, 1]]).max() <= 1
    assert np.abs(tinted(image, np.array([1, 0.5, 1]), 0.0) - image * (1, 0.5, 1)).max() <= 0.5


@pytest.mark.parametrize("name", ["gamma", "hue", "noise", "blur", "jpeg"])
def test_each_change_of_camera_is_one_of_its_own(name: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    config = AugmentConfig(**{name: 1.0})
    changed = [photographed(image, config, np.random.default_rng(seed)) for seed in range(8)]
    assert all(picture.shape == image.shape and picture.dtype == np.uint8 for picture in changed)
    assert any(not np.array_equal(picture, image) for picture in changed)
    assert np.array_equal(changed[3], photographed(image, config, np.random.default_rng(3)))
    assert photographed(image, AugmentConfig(), np.random.default_rng(0)) is image


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_all_together(seed: int) -> None:
    scene, image = painted(seed)
    config = AugmentConfig(mirror=0.5, crop=0.7, crop_size=0.4)
    changed, picture = augment(scene, image, config, np.random.default_rng(seed), lambda rng: scene)
    check(changed, picture)
    nothing = AugmentConfig(mirror=0)
    same, unchanged = augment(scene, image, nothing, np.random.default_rng(seed), lambda rng: scene)
    assert same is scene
    assert np.array_equal(unchanged, image)
