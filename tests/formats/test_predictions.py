"""Prediction files and plain COCO results."""

import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.strategies import masks, rle

import kins
from kins import Dataset, Image, KinsError, Scene
from kins.formats.document import places

TRUTH = Dataset.from_scenes([Scene(Image(7, "7.png", 6, 8)), Scene(Image(3, "3.png", 6, 8))], {1: "car", 4: "van"})
MASK = np.tri(6, 8, dtype=bool)
FRAME = {
    "kins": kins.__version__,
    "images": [{"id": k, "file_name": f"{k}.png", "height": 6, "width": 8} for k in (7, 3)],
    "categories": [{"id": 1, "name": "car"}, {"id": 4, "name": "van"}],
}


def detection(**fields):
    return {"image_id": 7, "category_id": 4, "score": 0.5, "a_segm": rle(MASK), "a_bbox": [0.0, 0.0, 6.0, 6.0]} | fields


def load(tmp_path, value, masks=None):
    path = tmp_path / "pred.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return kins.load_predictions(path, TRUTH, masks)


@st.composite
def detections(draw):
    _, _, amodal, inmodal = draw(masks(6, 8))
    found = {
        "image_id": draw(st.sampled_from([7, 3])),
        "category_id": draw(st.sampled_from([1, 4])),
        "score": draw(st.floats(0, 1)),
        "a_segm": rle(amodal),
        "a_bbox": [1.5, 2.0, 3.0, 4.0],
        "i_segm": rle(inmodal),
        "i_bbox": [1.0, 2.0, 3.0, 4.25],
    }
    order = {"occlusion_score": draw(st.floats(0, 1)), "oco_id": draw(st.integers(0, 9)), "ico_id": 2}
    return found | (order if draw(st.booleans()) else {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(values=st.lists(detections(), max_size=5))
def test_written_as_read(tmp_path, values):
    values.sort(key=lambda value: value["image_id"], reverse=True)
    dataset = load(tmp_path, values)
    assert list(dataset.images) == [7, 3]
    assert sum(len(scene) for scene in dataset) == len(values)
    assert dataset.save(tmp_path / "out.json", format="predictions") == []
    content = json.loads((tmp_path / "out.json").read_text())
    assert content == FRAME | {"predictions": values}
    assert kins.load(tmp_path / "out.json").save(tmp_path / "again.json", format="predictions") == []
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "out.json").read_bytes()


@pytest.mark.parametrize(("which", "other"), [("amodal", "inmodal"), ("inmodal", "amodal")])
def test_plain_results_are_what_the_user_says(tmp_path, which, other):
    plain = {"image_id": 7, "category_id": 1, "score": 1, "segmentation": rle(MASK), "bbox": [1, 2, 3, 4]}
    (instance,) = load(tmp_path, [plain], which)[7]
    assert (getattr(instance, which).to_array() == MASK).all()
    assert getattr(instance, f"{which}_box") == (1, 2, 3, 4)
    assert getattr(instance, other) is None
    assert (instance.category, instance.score) == ("car", 1)
    with pytest.raises(KinsError, match="--masks"):
        load(tmp_path, [plain])


def test_boxes_alone(tmp_path):
    plain = {"image_id": 7, "category_id": 1, "score": 1, "bbox": [1, 2, 3, 4]}
    (instance,) = load(tmp_path, [plain], "amodal")[7]
    assert instance.box == (1, 2, 3, 4)
    assert instance.amodal is None


def test_images_that_have_detections(tmp_path):
    found = load(tmp_path, [detection(), detection(score=0.25)])
    assert found.occupied() == [7]
    assert [len(scene) for scene in found] == [2, 0]


def test_no_detection_at_all(tmp_path):
    assert [len(scene) for scene in load(tmp_path, [])] == [0, 0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([detection(), detection(image_id=8)], r"\[1\]\.image_id: no image 8"),
        ([detection(category_id=2)], r"\[0\]\.category_id: no category 2"),
        ([detection(score=1.5)], r"\[0\]\.score: 1.5"),
        ([detection(score="high")], r"\[0\]\.score: "),
        ([detection(image_id="7")], r"\[0\]\.image_id: "),
        ([detection(a_bbox=[1, 2])], r"\[0\]\.a_bbox: "),
        ([{"image_id": 7}], r"\[0\]: "),
        ("[[1]]", r"\[0\]: "),
        ('{"images": []}', "not a list of detections"),
        (FRAME | {"predictions": {}}, r": predictions: "),
        (FRAME | {"predictions": [detection(), detection(image_id=8)]}, r"predictions\[1\]\.image_id: no image 8"),
        (FRAME | {"predictions": [detection(score="high")]}, r"predictions\[0\]\.score: "),
        ({"predictions": [detection()]}, "is not a list of detections"),
        (json.dumps([detection()])[:-3], "ends within "),
        (json.dumps([detection(), detection(score=float("nan"))]), r": \[1\]\.score: NaN"),
        (json.dumps([detection(a_segm=[[1, 2, float("-inf")]])]), r": \[0\]\.a_segm\[0\]\[2\]: Infinity"),
        ('[{"image_id": 7 "score": 1}]', r": \[0\]\.image_id: is not valid JSON.*byte 16"),
        ("", "is empty"),
    ],
)
def test_one_line_says_what_is_wrong_and_where(tmp_path, value, message):
    with pytest.raises(KinsError, match=message) as error:
        load(tmp_path, value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("segmentation", [rle(MASK.T), {"size": [6, 8], "counts": "zz"}, {}, 5])
def test_damaged_mask_names_its_place_when_used(tmp_path, segmentation):
    (instance,) = load(tmp_path, [detection(a_segm=segmentation)])[7]
    with pytest.raises(KinsError, match=r"pred\.json: \[0\]\.a_segm"):
        _ = instance.amodal.area


def test_predictions_need_scores_and_a_ground_truth(tmp_path):
    dataset = load(tmp_path, [detection()])
    with pytest.raises(KinsError, match="score"):
        dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=None) for i in s))).save(
            tmp_path / "out.json", format="predictions"
        )
    with pytest.raises(KinsError, match="without images and categories; kins eval"):
        kins.load(tmp_path / "pred.json")


@pytest.mark.parametrize(("score", "kept"), [(1.0000001192092896, 1), (-1e-7, 0), (0.25, 0.25), (1, 1)])
def test_scores_a_rounding_error_outside_are_clipped(tmp_path, score, kept):
    (instance,) = load(tmp_path, [detection(score=score)])[7]
    assert instance.score == kept
    dataset = load(tmp_path, FRAME | {"predictions": [detection(score=score)]})
    assert dataset[7][0].score == kept


@pytest.mark.parametrize("score", [1.00001, -1e-5])
def test_scores_further_outside_are_refused(tmp_path, score):
    with pytest.raises(KinsError, match=r"\[0\]\.score: .* is not between 0 and 1"):
        load(tmp_path, [detection(score=score)])


def test_a_prediction_file_stands_alone(tmp_path):
    path = tmp_path / "pred.json"
    path.write_text(json.dumps(FRAME | {"info": {"weights": "run"}, "predictions": [detection(annotation_id=5)]}))
    dataset = kins.load(path)
    assert (dataset.images, dataset.categories, dataset.path) == (TRUTH.images, TRUTH.categories, path)
    assert dataset.extra["info"] == {"weights": "run"}
    assert "kins" not in dataset.extra
    (instance,) = dataset["7.png"]
    assert (instance.category, instance.score, instance.extra) == ("van", 0.5, {"annotation_id": 5})
    assert (instance.amodal.to_array() == MASK).all()
    dataset.save(tmp_path / "again.json", format="predictions")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(path.read_text())


def test_categories_of_a_prediction_file_are_matched_by_name(tmp_path):
    other = [{"id": 1, "name": "van"}, {"id": 2, "name": "car"}, {"id": 9, "name": "tram"}]
    value = FRAME | {"categories": other, "predictions": [detection(category_id=k) for k in (1, 2)]}
    found = load(tmp_path, value)[7]
    assert [(i.category_id, i.category) for i in found] == [(4, "van"), (1, "car")]
    with pytest.raises(KinsError, match=r"predictions\[0\]\.category_id: no category 9 in the ground truth"):
        load(tmp_path, value | {"predictions": [detection(category_id=9)]})


@pytest.mark.parametrize("change", [{"file_name": "8.png"}, {"width": 9}])
def test_predictions_of_other_pictures_are_not_compared(tmp_path, change):
    value = FRAME | {"images": [FRAME["images"][0] | change, FRAME["images"][1]], "predictions": [detection()]}
    with pytest.raises(KinsError, match=r"image 7 is .* but in the ground truth 7\.png of 8 x 6; is this the right"):
        load(tmp_path, value)
    moved = FRAME["images"][0] | {"file_name": "somewhere/7.jpg"}
    assert len(load(tmp_path, value | {"images": [moved]})[7]) == 1


STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"(:?)')


@given(st.recursive(st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.sampled_from("abc"), v)))
def test_places_in_json(value):
    def walk(value, place):
        """The place of every string that is no key, in the sequence of the text."""
        if isinstance(value, str):
            yield place
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, f"{place}.{key}")
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, f"{place}[{index}]")

    text = json.dumps(value).encode()
    starts = [found.start() for found in STRINGS.finditer(text) if not found[1]]
    assert list(places(text, starts)) == [place.removeprefix(".") for place in walk(value, "")]
