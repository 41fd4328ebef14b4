"""Streets: what stands in them, how much of it, and that nothing stands in anything else."""

from collections import Counter

import numpy as np
import pytest

from kins.streets import Settings, Traffic
from kins.streets.camera.camera import Camera
from kins.streets.picture import generator
from kins.streets.world.site import Street
from kins.streets.world.street import make_street

TYPICAL = {
    "car": (3.9, 1.6, 1.5),
    "van": (5.1, 1.9, 2.2),
    "truck": (10.1, 2.6, 3.3),
    "tram": (16.1, 2.5, 3.5),
    "pedestrian": (0.8, 0.7, 1.8),
    "cyclist": (1.8, 0.6, 1.7),
    "misc": (3.6, 1.5, 1.9),
}


def street(index: int, traffic: Traffic | None = None) -> Street:
    return make_street(generator(Settings(), "training", index, 0), Camera.kitti(), traffic)


@pytest.fixture(scope="module")
def streets() -> list[Street]:
    return [street(index) for index in range(25)]


def test_no_two_labelled_things_share_a_place(streets):
    """Brute force: no point of a fine grid in one box lies in another."""
    steps = np.linspace(-0.499, 0.499, 12)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    for things in ([t for t in s.things if t.category] for s in streets):
        for a in things:
            for b in things:
                if a is b or np.hypot(*(a.center - b.center)[:2]) > (a.size + b.size)[:2].max():
                    continue
                assert not inside(b, a.center + turned(grid * a.size, a.yaw)).any()


def test_nothing_unlabelled_reaches_into_labelled_things(streets):
    for s in streets:
        for other in (t for t in s.things if not t.category):
            for thing in (t for t in s.things if t.category):
                if np.hypot(*(thing.center - other.center)[:2]) < (thing.size + other.size)[:2].max():
                    assert not inside(thing, other.mesh.vertices).any()


def turned(points: np.ndarray, yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def inside(thing, points: np.ndarray) -> np.ndarray:
    return (np.abs(turned(points - thing.center, -thing.yaw)) < thing.size / 2 - 0.01).all(1)


def test_meshes_fill_their_boxes_and_stand_on_the_ground(streets):
    for thing in (t for s in streets for t in s.things if t.category):
        local = turned(thing.mesh.vertices - thing.center, -thing.yaw)
        np.testing.assert_allclose(local.max(0), thing.size / 2, atol=1e-6)
        np.testing.assert_allclose(local.min(0), -thing.size / 2, atol=1e-6)
        assert -0.05 < thing.center[2] - thing.size[2] / 2 < 0.2


def test_every_class_occurs_in_its_typical_size(streets):
    sizes: dict[str, list[np.ndarray]] = {}
    for thing in (t for s in streets for t in s.things if t.category):
        sizes.setdefault(thing.category, []).append(thing.size)
    assert set(sizes) == set(TYPICAL)
    for name, expected in TYPICAL.items():
        mean = np.mean(sizes[name], 0)
        assert (np.abs(mean / expected - 1) < 0.35).all(), (name, mean)
    assert len({tuple(np.round(size, 3)) for size in sizes["car"]}) == len(sizes["car"])  # no two are alike


def test_cars_are_most(streets):
    counts = Counter(t.category for s in streets for t in s.things if t.category)
    assert counts.most_common(1)[0][0] == "car"
    assert counts["car"] > 0.5 * counts.total()


def test_traffic_is_configurable():
    calm = Traffic(vehicles={"truck": 1.0}, parked=0.0, walkers=0.0, cyclists=0.0, tram=0.0, junction=0.0, flow=1.0)
    found = Counter(t.category for k in range(8) for t in street(k, calm).things if t.category)
    assert set(found) == {"truck"}


def test_a_street_is_the_same_for_the_same_numbers():
    first, second = street(4), street(4)
    assert len(first.things) == len(second.things)
    for a, b in zip(first.things, second.things, strict=True):
        np.testing.assert_array_equal(a.mesh.vertices, b.mesh.vertices)
    assert not np.array_equal(first.weather.sun, street(5).weather.sun)
