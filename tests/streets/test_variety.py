"""Wide streets: other grounds, light and cameras than the usual ones, the same truth, and pictures without objects."""

import numpy as np
import pytest

from kins.errors import KinsError
from kins.streets import Settings, make_picture
from kins.streets.camera.camera import Camera
from kins.streets.picture import generator
from kins.streets.truth import to_camera
from kins.streets.variety import any_texture, wide_camera
from kins.streets.world.site import Street
from kins.streets.world.street import make_street

WIDE = Settings(seed=3, width=414, height=125, quality="fast", variety="wide")


def street(index: int, wide: bool = True) -> Street:
    variety = generator(WIDE, "training", index, 2) if wide else None
    return make_street(generator(WIDE, "training", index, 0), Camera.kitti(), None, variety)


@pytest.fixture(scope="module")
def streets() -> list[Street]:
    return [street(index) for index in range(40)]


def test_some_streets_are_empty_and_the_others_are_not(streets):
    counts = [sum(thing.category is not None for thing in s.things) for s in streets]
    assert 1 <= counts.count(0) <= 15
    assert sum(count > 5 for count in counts) > 15


def test_roads_differ_more_than_usual_ones(streets):
    """Spread of the road's brightness, in factors of e."""
    wide = np.std([np.log(s.textures[0].mean()) for s in streets])
    usual = np.std([np.log(street(index, wide=False).textures[0].mean()) for index in range(40)])
    assert wide > 1.5 * usual


def test_nothing_unlabelled_reaches_into_labelled_things(streets):
    for s in streets:
        for other in (t for t in s.things if not t.category):
            for thing in (t for t in s.things if t.category):
                if np.hypot(*(thing.center - other.center)[:2]) < (thing.size + other.size)[:2].max():
                    c, si = np.cos(thing.yaw), np.sin(thing.yaw)
                    local = (other.mesh.vertices - thing.center) @ np.array([[c, -si, 0], [si, c, 0], [0, 0, 1]])
                    assert not (np.abs(local) < thing.size / 2 - 0.01).all(1).any()


def test_what_hangs_overhead_is_above_all_things(streets):
    for s in streets:
        tops = [t.center[2] + t.size[2] / 2 for t in s.things if t.category]
        assert max(tops, default=0) < 4.7


def test_a_wide_picture_is_the_same_for_the_same_numbers():
    first, second = (make_picture(WIDE, "training", 2) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert first.labels == second.labels
    usual = make_picture(Settings(seed=3, width=414, height=125, quality="fast"), "training", 2)
    assert not np.array_equal(first.pixels, usual.pixels)
    assert usual.camera == Camera.kitti(414, 125)


def test_cameras_differ_and_their_frame_follows():
    camera = wide_camera(np.random.default_rng(0), Camera.kitti())
    assert camera != Camera.kitti()
    point = np.array([12.0, 2.0, 0.4])
    x, y, z = to_camera(point, camera)
    projected = camera.matrix() @ (x, y, z, 1)
    np.testing.assert_allclose(projected[:2] / projected[2], camera.project(point))
    assert camera.project(np.array([5.0, 0.0, camera.above]))[1] == pytest.approx(camera.cy)


def test_textures_are_colours_that_repeat():
    rng = np.random.default_rng(0)
    for _ in range(30):
        found = any_texture(rng)
        assert found.dtype == np.float32
        assert 0 < found.min() <= found.max() <= 0.9


def test_an_unknown_variety_is_told():
    with pytest.raises(KinsError, match="no variety 'wild'; there are usual, wide"):
        Settings(variety="wild")
