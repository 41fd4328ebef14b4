"""Masks that reach beyond the image."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as oracle

import kins
from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.evaluation import evaluate, evaluate_completion
from kins.masks import hull
from kins.masks.canvas import together, unclipped
from kins.masks.trace import trace

HEIGHT, WIDTH = 20, 30
FAR = [[-40, 5, 10, 5, 10, 15, -40, 15]]
NEAR = [[5, 2, 12, 2, 12, 18, 5, 18]]
BEYOND = [[20, 10, 45, 10, 45, 25, 20, 25]]


def rows(*shapes):
    """A KINS 2020 file; of each object the amodal polygons and the visible part as run lengths."""
    annotations = []
    for number, (polygons, visible) in enumerate(shapes, 1):
        encoded = oracle.encode(np.asfortranarray(visible.astype(np.uint8)))
        inmodal = {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}
        ids = {"id": number, "image_id": 1, "category_id": 4, "iscrowd": 0}
        annotations.append(ids | {"a_segm": polygons, "i_segm": inmodal})
    image = {"id": 1, "file_name": "1.png", "height": HEIGHT, "width": WIDTH}
    return {"images": [image], "annotations": annotations, "categories": [{"id": 4, "name": "car"}]}


def pixels(x0, y0, x1, y1):
    array = np.zeros((HEIGHT, WIDTH), bool)
    array[y0:y1, x0:x1] = True
    return array


@pytest.fixture
def path(tmp_path):
    shapes = [(FAR, pixels(0, 5, 5, 15)), (NEAR, pixels(5, 2, 12, 18)), (BEYOND, pixels(20, 10, 30, 20))]
    (tmp_path / "in.json").write_text(json.dumps(rows(*shapes)))
    return tmp_path / "in.json"


def test_polygons_keep_their_pixels(path):
    scene = kins.load(path, canvas="whole")[1]
    far, near, beyond = (instance.amodal for instance in scene)
    assert scene.offset == far.offset == near.offset == beyond.offset == (-40, 0)
    assert (far.area, far.box) == (50 * 10, (-40, 5, 50, 10))
    assert (beyond.area, beyond.box) == (25 * 15, (20, 10, 25, 15))
    assert far.segments[0].tolist() == [-40, 5, 15]
    assert far.to_array().shape == (far.height, far.width) == (25, 85)
    assert scene[0].inmodal.box == (0, 5, 5, 10)
    assert far.segmentation == FAR
    assert scene[0].occlusion_rate == 1 - 50 / 500
    plain = kins.load(path)[1]
    assert plain[0].amodal.area == 10 * 10
    assert [(i.amodal, i.inmodal) for i in scene.clipped()] == [(i.amodal, i.inmodal) for i in plain]
    assert scene.clipped().offset == (0, 0)


def test_who_hides_whom_counts_what_is_outside(path):
    scene = kins.load(path, canvas="whole")[1]
    relations = scene.occlusion()
    assert [(e.occluder, e.occluded, e.pixels) for e in relations.edges] == [(1, 0, 5 * 10)]
    assert relations.rates == pytest.approx([0.9, 0, 1 - 100 / 375])


def test_within_the_image_nothing_changes(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(rows((NEAR, pixels(5, 2, 12, 18)))))
    scene = kins.load(tmp_path / "in.json")[1]
    assert scene.unclipped() is scene
    assert scene.clipped() is scene
    assert kins.load(tmp_path / "in.json", canvas="whole")[1].offset == (0, 0)


def test_masks_on_different_canvases_are_not_combined():
    masks = [Mask.from_polygons(p, HEIGHT, WIDTH) for p in (FAR, NEAR)]
    wide = unclipped(masks, HEIGHT, WIDTH)
    for combine in (lambda: wide[0] & masks[0], lambda: wide[0].iou(masks[0]), lambda: wide[0] - masks[1]):
        with pytest.raises(KinsError, match=r"different (images|canvases)"):
            combine()
    assert wide[1] != masks[1]
    assert together([wide[0], masks[1]]) == wide
    assert (wide[0] | wide[1]).offset == (~wide[0]).offset == (-40, 0)
    for change in (Mask.mirrored, lambda mask: mask.cropped(0, 0, 5, 5)):
        with pytest.raises(KinsError, match="clip it first"):
            change(wide[0])


def test_to_the_right_and_below_alone(tmp_path):
    """An offset of (0, 0) always means the image's frame."""
    (tmp_path / "in.json").write_text(json.dumps(rows((BEYOND, pixels(20, 10, 30, 20)))))
    scene = kins.load(tmp_path / "in.json", canvas="whole")[1]
    assert scene.offset == (-1, -1)
    assert (scene[0].amodal.box, scene[0].amodal.area) == ((20, 10, 25, 15), 375)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(points=st.lists(st.tuples(st.integers(-25, 55), st.integers(-25, 45)), min_size=3, max_size=7))
def test_equals_the_polygon_drawn_in_an_image_as_large(points):
    polygon = [float(value) for point in points for value in point]
    (mask,) = unclipped([Mask.from_polygons([polygon], HEIGHT, WIDTH)], HEIGHT, WIDTH)
    x, y = mask.offset
    moved = [value - mask.offset[index % 2] for index, value in enumerate(polygon)]
    expected = oracle.decode(oracle.frPyObjects([moved], mask.height, mask.width))[..., 0].astype(bool)
    assert (mask.to_array() == expected).all()
    found = np.zeros_like(expected)
    for column, top, bottom in mask.segments.tolist():
        found[top - y : bottom - y, column - x] = True
    assert (found == expected).all()
    ring = trace(mask)
    assert unclipped([Mask.from_polygons(ring, HEIGHT, WIDTH)], HEIGHT, WIDTH)[0].area == mask.area
    shape = hull(mask)
    assert (shape & mask) == mask
    inside = expected[-y : HEIGHT - y, -x : WIDTH - x]
    runs = Mask(mask.height, mask.width, mask.counts, offset=mask.offset)
    assert (runs.clipped(HEIGHT, WIDTH).to_array() == inside).all()


def test_evaluation_counts_what_is_outside(path):
    """Predictions on their own canvas, or clipped, against objects that reach beyond the image."""
    truth = kins.load(path, canvas="whole")
    found = truth.map(lambda scene: scene.replace(instances=tuple(i.replace(score=0.9) for i in scene)))
    assert evaluate(truth, found).kinds["amodal"].overall["AP"] == pytest.approx(100)
    assert evaluate_completion(truth, found).full == pytest.approx(100)
    clipped = found.map(Scene.clipped)
    assert evaluate(truth, clipped).kinds["inmodal"].overall["AP"] == pytest.approx(100)
    shares = [100 / 500, 1, 100 / 375]
    assert evaluate_completion(truth, clipped).full == pytest.approx(100 * np.mean(shares), abs=1e-6)
    assert evaluate(truth, clipped).kinds["amodal"].overall["AP"] < 50
    plain = kins.load(path)
    assert evaluate_completion(plain, clipped).full == pytest.approx(100)


def test_polygons_are_written_untouched_and_run_lengths_of_the_image(path, tmp_path):
    truth = kins.load(path, canvas="whole")
    assert truth.save(tmp_path / "out.json") == []
    written = json.loads((tmp_path / "out.json").read_text())["annotations"]
    given = json.loads(path.read_text())["annotations"]
    assert [(r["a_segm"], r["i_segm"]) for r in written] == [(r["a_segm"], r["i_segm"]) for r in given]

    def without_polygons(mask):
        return Mask(mask.height, mask.width, mask.counts, offset=mask.offset)

    runs = truth.map(
        lambda scene: scene.replace(instances=tuple(i.replace(amodal=without_polygons(i.amodal)) for i in scene))
    )
    (line,) = runs.save(tmp_path / "out.json")
    assert line == "pixels outside of the image, which run lengths can't hold (2 instances)"
    assert [i.amodal for i in kins.load(tmp_path / "out.json")[1]] == [i.amodal for i in kins.load(path)[1]]
    assert runs.save(tmp_path / "out.json", polygons=True) == []
    again = kins.load(tmp_path / "out.json", canvas="whole")[1]
    assert [i.amodal.area for i in again] == [i.amodal.area for i in truth[1]]


def test_pictures_show_the_image(path):
    from kins.draw.scene import draw

    scene = kins.load(path, canvas="whole")[1]
    picture = draw(scene, image=np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert np.array_equal(picture, draw(scene.clipped(), image=np.zeros((HEIGHT, WIDTH, 3), np.uint8)))


@pytest.mark.parametrize("polygon", [[1e9, 0, 5, 0, 5, 5], [1, 2, 3], "x"])
def test_damaged_masks_say_so_when_used(tmp_path, polygon):
    (tmp_path / "in.json").write_text(json.dumps(rows((FAR, pixels(0, 0, 1, 1)), ([polygon], pixels(0, 0, 1, 1)))))
    scene = kins.load(tmp_path / "in.json", canvas="whole")[1]
    assert scene[0].amodal.area == 500
    with pytest.raises(KinsError, match=r"annotations\[1\]\.a_segm"):
        _ = scene[1].amodal.area


def test_no_canvas_without_end(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(rows(([[-9e4, -9e4, 9e4, 0, 0, 9e4]], pixels(0, 0, 1, 1)))))
    with pytest.raises(KinsError, match=r"image 1\.png: masks reach so far"):
        _ = kins.load(tmp_path / "in.json", canvas="whole")[1]


def test_scenes_made_by_hand():
    mask = Mask.from_segments(np.array([[-3, 1, 4], [2, 0, 5]]), 10, 12, (-5, 0))
    scene = Scene(Image(1, "1.png", 8, 7), (Instance(1, 1, "car", mask, mask),))
    assert mask.box == (-3, 0, 6, 5)
    assert scene.clipped()[0].amodal.segments.tolist() == [[2, 0, 5]]
    assert len(Dataset.from_scenes([scene], {1: "car"})) == 1
