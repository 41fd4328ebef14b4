"""The guarantees on masks, order and KITTI's labels, checked on real renders by brute force."""

import itertools

import numpy as np
import pytest

from kins.masks import Mask
from kins.masks.trace import trace
from kins.occlusion import PARTIAL
from kins.streets import Picture
from kins.streets.camera.camera import Camera
from kins.streets.camera.trace import Tracer
from kins.streets.camera.view import eyes
from kins.streets.truth import MIN_VISIBLE, Sighting


def depth_alone(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(height, width) depth of one thing with nothing else in the world: a ray for every pixel."""
    rays = camera.pixel_rays()
    corners = points.reshape(-1, 3)
    hits = Tracer(corners, np.arange(len(corners)).reshape(-1, 3)).first_hits(eyes(len(rays), camera), rays)
    return hits.distance.reshape(camera.height, camera.width)


@pytest.fixture(scope="session")
def depths(pictures: list[Picture]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each picture: depth of every thing alone (things, height, width), and of the ground."""
    found = []
    for picture in pictures:
        things = np.stack([depth_alone(thing.mesh.points, picture.camera) for thing in picture.street.things])
        found.append((things, depth_alone(picture.street.ground.points, picture.camera)))
    return found


def annotated(picture: Picture) -> list[tuple[int, Sighting]]:
    """Index in the street's things, and sighting, of each annotation."""
    return [
        (next(k for k, thing in enumerate(picture.street.things) if thing is s.thing), s)
        for s in picture.sightings
        if s.seen
    ]


def test_amodal_mask_is_the_instance_rendered_alone(pictures, depths):
    for picture, (alone, _) in zip(pictures, depths, strict=True):
        found = annotated(picture)
        assert len(found) == len(picture.scene)
        for instance, (index, _) in zip(picture.scene, found, strict=True):
            np.testing.assert_array_equal(instance.amodal.to_array(), np.isfinite(alone[index]))


def test_inmodal_mask_is_what_the_nearest_surface_leaves(pictures, depths):
    for picture, (alone, ground) in zip(pictures, depths, strict=True):
        every = np.concatenate([alone, ground[None]])
        nearest = np.where(np.isfinite(every.min(0)), every.argmin(0), -1)
        for instance, (index, _) in zip(picture.scene, annotated(picture), strict=True):
            np.testing.assert_array_equal(instance.inmodal.to_array(), nearest == index)


def test_inmodal_masks_are_disjoint_subsets_and_rates_follow(pictures):
    for picture in pictures:
        total = np.zeros((picture.scene.image.height, picture.scene.image.width), int)
        for instance in picture.scene:
            amodal, inmodal = instance.amodal.to_array(), instance.inmodal.to_array()
            assert not (inmodal & ~amodal).any()
            assert instance.occlusion_rate == pytest.approx(1 - inmodal.sum() / amodal.sum(), abs=1e-12)
            total += inmodal
        assert total.max() == 1


def test_masks_survive_as_polygons(pictures):
    for picture in pictures:
        for instance in picture.scene.instances:
            for mask in (instance.amodal, instance.inmodal):
                assert Mask.from_polygons(trace(mask), mask.height, mask.width) == mask


def test_order_agrees_with_the_masks_and_with_depth(pictures, depths):
    edges = 0
    for picture, (alone, _) in zip(pictures, depths, strict=True):
        order = picture.scene.occlusion()
        assert [i.cluster for i in picture.scene] == order.clusters.tolist()
        assert [i.order for i in picture.scene] == order.order.tolist()
        index = [k for k, _ in annotated(picture)]
        for edge in order.edges:
            front, back = picture.scene[edge.occluder], picture.scene[edge.occluded]
            overlap = front.inmodal.to_array() & back.hidden.to_array()
            assert (alone[index[edge.occluder]][overlap] < alone[index[edge.occluded]][overlap]).all()
            edges += 1
            if not order.cycles and not any(e[:2] == (edge.occluded, edge.occluder) for e in order.edges):
                assert front.order < back.order
    assert edges > 10


def test_things_with_few_visible_pixels_stay_but_are_not_annotated(pictures):
    hidden = 0
    for picture in pictures:
        assert all(instance.inmodal.area >= MIN_VISIBLE for instance in picture.scene)
        few = [s for s in picture.sightings if s.inmodal.sum() < MIN_VISIBLE]
        assert len(few) + len(picture.scene) == len(picture.sightings)
        assert sum(line.startswith("DontCare") for line in picture.labels.splitlines()) == len(few)
        hidden += len(few)
    assert hidden  # the rule was needed at all


def test_camera_is_kittis():
    camera = Camera.kitti()
    assert (camera.width, camera.height, camera.focal, camera.cx) == (1242, 375, 721.54, 609.56)
    assert camera.cy == pytest.approx(172.85)
    half = Camera.kitti(621, 188)
    point = np.array([20.0, -3.0, 1.0])
    assert half.project(point)[0] == pytest.approx((camera.project(point)[0] + 0.5) / 2 - 0.5)


def read_labels(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if not line.startswith("DontCare")]


def read_projection(text: str) -> np.ndarray:
    lines = dict(line.split(": ") for line in text.splitlines())
    assert set(lines) == {"P0", "P1", "P2", "P3", "R0_rect", "Tr_velo_to_cam", "Tr_imu_to_velo"}
    return np.array(lines["P2"].split(), float).reshape(3, 4)


def kitti_corners(fields: list[str]) -> np.ndarray:
    """(3, 8) corners in the camera frame, computed as in KITTI's development kit."""
    height, width, length, x, y, z, turn = map(float, fields[8:15])
    signs = np.array(list(itertools.product((-0.5, 0.5), (0, -1), (-0.5, 0.5)))).T
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return rotation @ (signs * np.array([[length], [height], [width]])) + np.array([[x], [y], [z]])


def test_3d_boxes_enclose_the_amodal_boxes(pictures):
    slack = 0.5
    for picture in pictures:
        projection = read_projection(picture.calibration)
        labels = read_labels(picture.labels)
        assert len(labels) == len(picture.scene)
        for instance, fields in zip(picture.scene, labels, strict=True):
            assert fields[0].lower() == instance.category
            left, top, width, height = instance.amodal.box
            assert [float(v) for v in fields[4:8]] == [left, top, left + width - 1, top + height - 1]
            corners = kitti_corners(fields)
            assert corners[2].min() > 0.5
            homogeneous = projection @ np.vstack([corners, np.ones(8)])
            u, v = homogeneous[:2] / homogeneous[2]
            assert u.min() - slack <= left
            assert left + width - 1 <= u.max() + slack
            assert v.min() - slack <= top
            assert top + height - 1 <= v.max() + slack
            if float(fields[1]) == 0:  # ... and the box on the picture is not much larger than the object on it
                assert width * height > 0.4 * np.ptp(u) * np.ptp(v) - 20


def test_truncation_and_occlusion_follow_kitti(pictures):
    truncated = set()
    for picture in pictures:
        image = picture.scene.image
        for instance, fields in zip(picture.scene, read_labels(picture.labels), strict=True):
            left, top, width, height = instance.amodal.box
            cut = left == 0 or top == 0 or left + width == image.width or top + height == image.height
            truncation = float(fields[1])
            assert 0 <= truncation <= 1
            assert cut or truncation == 0
            truncated.add(truncation > 0.1)
            rate = instance.occlusion_rate
            assert int(fields[2]) == (0 if rate < PARTIAL else 1 if rate <= 0.5 else 2)
            x, z = float(fields[11]), float(fields[13])
            turn = float(fields[14]) - np.arctan2(x, z)
            assert abs((float(fields[3]) - turn + np.pi) % (2 * np.pi) - np.pi) < 0.02
    assert truncated == {True, False}


def test_rotation_points_where_the_object_heads(pictures):
    for picture in pictures:
        for (_, sighting), fields in zip(annotated(picture), read_labels(picture.labels), strict=True):
            turn = float(fields[14])
            ahead = np.array([np.cos(turn), -np.sin(turn)])  # x to the right and z ahead, by KITTI's convention
            yaw = sighting.thing.yaw
            np.testing.assert_allclose(ahead, [-np.sin(yaw), np.cos(yaw)], atol=1e-3)
