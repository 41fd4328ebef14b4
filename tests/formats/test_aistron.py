"""AIStron's files and results, and C2F-Seg's and UOAIS's, which are COCOA-cls's."""

import json

import numpy as np
import pytest
from pycocotools import mask as oracle
from tests.formats.strategies import rle

import kins
from kins import KinsError
from kins.formats import recognise
from kins.formats.document import read_document

FIELDS = {
    *("id", "image_id", "category_id", "iscrowd", "segmentation", "bbox", "area", "amodal_segm", "amodal_bbox"),
    *("amodal_area", "visible_segm", "visible_bbox", "occluder_segm", "background_objs_segm"),
}
WHOLE, SEEN = np.zeros((2, 20, 30), bool)
WHOLE[2:12, 3:23], SEEN[2:12, 3:13] = True, True
POLYGON = [[3, 2, 23, 2, 23, 12, 3, 12]]


def file(tmp_path, annotations):
    value = {
        "info": {},
        "images": [{"id": 7, "width": 30, "height": 20, "file_name": "a.jpg", "depth_file_name": "a_depth.png"}],
        "categories": [{"id": 4, "name": "car"}],
        "licenses": None,
        "annotations": annotations,
    }
    path = tmp_path / "in.json"
    path.write_text(json.dumps(value))
    return path


def annotation(whole, seen):
    box = [3.0, 2.0, 20.0, 10.0]
    return {
        **{"id": 1, "image_id": 7, "category_id": 4, "iscrowd": 0, "segmentation": whole, "bbox": box, "area": 200.0},
        **{"amodal_segm": whole, "amodal_bbox": box, "amodal_area": 200.0, "visible_segm": seen, "visible_bbox": box},
        **{"occluder_segm": [[1, 1, 9, 1, 9, 9]], "background_objs_segm": []},
    }


@pytest.mark.parametrize("whole", [POLYGON, rle(WHOLE)])
def test_both_masks_are_read(tmp_path, whole):
    path = file(tmp_path, [annotation(whole, rle(SEEN))])
    assert recognise(read_document(path)) == "aistron"
    (scene,) = kins.load(path)
    (instance,) = scene
    assert (instance.amodal.to_array() == WHOLE).all()
    assert (instance.inmodal.to_array() == SEEN).all()
    assert (instance.id, instance.category, instance.extra, instance.inmodal_box) == (1, "car", {}, None)
    assert instance.amodal_box == (3, 2, 20, 10)


def test_what_is_written(tmp_path):
    near, far, away = np.zeros((3, 20, 30), bool)
    near[5:15, 5:15], far[2:12, 8:28], away[18:20, 0:2] = True, True, True
    seen = [near, far & ~near, away]
    masks = [(kins.Mask.from_array(a), kins.Mask.from_array(b)) for a, b in zip([near, far, away], seen, strict=True)]
    objects = [kins.Instance(9 - k, 4, "car", *both, cluster=0, order=k) for k, both in enumerate(masks)]
    objects.append(kins.Instance(5, 4, "car", masks[0][0]))
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(7, "a.jpg", 20, 30), tuple(objects))], {4: "car"})
    assert dataset.save(tmp_path / "out.json", format="aistron") == [
        "instances without both masks, or of which nothing is visible (1 instance)",
        "occlusion cluster and order (oco_id, ico_id) (3 instances)",
    ]
    value = json.loads((tmp_path / "out.json").read_text())
    assert value["licenses"] is None
    assert all(set(row) == FIELDS for row in value["annotations"])
    first, second, third = value["annotations"]
    assert (second["area"], second["bbox"], second["amodal_area"]) == (200, [8, 2, 20, 10], 200)
    assert second["visible_bbox"] == [8, 2, 20, 10]
    assert first["occluder_segm"] == third["occluder_segm"] == []
    assert second["occluder_segm"]
    for row, other, box in ((first, seen[1], near), (second, seen[0], far)):
        ys, xs = np.nonzero(box)
        window = np.zeros_like(other)
        window[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
        drawn = np.zeros_like(other)
        for polygon in row["occluder_segm"]:
            drawn |= oracle.decode(oracle.frPyObjects([polygon], 20, 30))[..., 0].astype(bool)
        assert (drawn == (other & window)).all()
        assert row["background_objs_segm"] == row["occluder_segm"]
    again = kins.load(tmp_path / "out.json")[7]
    assert [(i.id, i.amodal, i.inmodal) for i in again] == [(i.id, i.amodal, i.inmodal) for i in objects[:3]]
    dataset.save(tmp_path / "polygons.json", format="aistron", polygons=True)
    row = json.loads((tmp_path / "polygons.json").read_text())["annotations"][0]
    assert isinstance(row["visible_segm"], list)
    assert isinstance(row["amodal_segm"], list)


def test_damage_is_placed(tmp_path):
    path = file(tmp_path, [annotation(POLYGON, {"size": [20, 30], "counts": [5]})])
    with pytest.raises(KinsError, match=r"in\.json: annotations\[0\]\.visible_segm: RLE runs add up to 5"):
        kins.load(path)[7][0].inmodal.area  # noqa: B018


def test_results_are_detections(tmp_path):
    truth = kins.load(file(tmp_path, [annotation(POLYGON, rle(SEEN))]))
    row = {"image_id": 7, "category_id": 4, "score": 0.5, "bbox": [3, 2, 20, 10], "segmentation": rle(WHOLE)}
    row |= {"amodal_segm": rle(WHOLE), "visible_segm": rle(SEEN), "occluding_segm": rle(SEEN), "occluded_segm": None}
    (tmp_path / "results.json").write_text(json.dumps([row]))
    found = kins.load_predictions(tmp_path / "results.json", truth)[7][0]
    assert (found.amodal.to_array() == WHOLE).all()
    assert (found.inmodal.to_array() == SEEN).all()
    assert (found.amodal_box, found.inmodal_box, found.score) == ((3, 2, 20, 10), None, 0.5)
    assert kins.evaluate(truth, kins.load_predictions(tmp_path / "results.json", truth))


def test_cocoa_cls_of_other_projects(tmp_path):
    """RLE in both masks, as C2F-Seg has it; UOAIS's further fields are computed anew or kept."""
    row = {"id": 1, "image_id": 7, "category_id": 4, "bbox": [3, 2, 20, 10], "segmentation": rle(WHOLE)}
    row |= {"visible_mask": rle(SEEN), "occluded_mask": rle(WHOLE & ~SEEN), "occluded_rate": 0.9}
    dataset = kins.load(file(tmp_path, [row]))
    (instance,) = dataset[7]
    assert (instance.amodal.to_array() == WHOLE).all()
    assert (instance.inmodal.to_array() == SEEN).all()
    assert (instance.occlusion_rate, instance.extra) == (0.5, {})
    assert dataset[7].image.extra == {"depth_file_name": "a_depth.png"}
