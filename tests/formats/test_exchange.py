"""What other libraries are given is what the records hold, and comes back from them."""

import json

import numpy as np
import pytest

import kins
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.formats.exchange import (
    from_huggingface,
    from_supervision,
    to_fiftyone,
    to_huggingface,
    to_supervision,
    to_torchvision,
)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    write_shapes(folder / "pictures", 4, (40, 60)).save(folder / "truth.json")
    return kins.load(folder / "truth.json", images=folder / "pictures")


def key(instance):
    names = ("id", "category_id", "category", "amodal", "inmodal", "cluster", "order", "score", "occlusion_score")
    return tuple(getattr(instance, name) for name in names)


@pytest.mark.parametrize("masks", ["amodal", "inmodal"])
def test_supervision_and_back(truth, masks):
    pytest.importorskip("supervision")
    scored = truth.map(
        lambda s: s.replace(instances=tuple(i.replace(score=0.5, occlusion_score=n / 9) for n, i in enumerate(s)))
    )
    for scene in scored:
        found = to_supervision(scene, masks)
        assert np.array_equal(found.mask[0], getattr(scene[0], masks).to_array())
        again = from_supervision(found, (40, 60), masks=masks)
        assert list(map(key, again)) == list(map(key, scene))
        half = from_supervision(
            found[found.class_id == scene[0].category_id], (40, 60), masks=masks
        )  # as people filter
        assert list(map(key, half)) == [key(i) for i in scene if i.category_id == scene[0].category_id]


def test_supervision_measures_the_boxes_of_masks_as_we_do(truth):
    supervision = pytest.importorskip("supervision")
    scene = truth[3].replace(instances=tuple(i.replace(amodal_box=None) for i in truth[3]))
    found = to_supervision(scene)
    theirs = supervision.mask_to_xyxy(found.mask)
    assert np.abs(theirs - found.xyxy).max() <= 1  # theirs end at the last pixel, ours after it


def test_an_empty_scene_and_a_missing_mask(truth):
    pytest.importorskip("supervision")
    empty = truth[0].replace(instances=())
    assert len(to_supervision(empty)) == len(to_torchvision(empty)["boxes"]) == 0
    without = truth[0].replace(instances=(truth[0][0].replace(amodal=None),))
    for function in (to_supervision, to_torchvision):
        with pytest.raises(KinsError, match="has no amodal mask"):
            function(without)


def test_torchvision_trains_on_the_targets(truth):
    torch = pytest.importorskip("torch")
    from torchvision.ops import masks_to_boxes

    scene = truth[3].replace(instances=(*truth[3], truth[3][0].replace(inmodal=kins.Mask.empty(40, 60))))
    target = to_torchvision(scene, "inmodal", {key: n for n, key in enumerate(truth.categories, 1)})
    seen = [i for i in scene if i.inmodal.area]
    assert len(target["masks"]) == len(seen) == len(scene) - 1
    theirs = masks_to_boxes(target["masks"])
    assert torch.equal(target["boxes"][:, :2], theirs[:, :2])
    assert torch.equal(target["boxes"][:, 2:], theirs[:, 2:] + 1)
    assert target["labels"].min() >= 1
    assert target["amodal"].shape == target["masks"].shape
    assert torch.equal(target["area"], target["masks"].sum((1, 2)).float())


def test_hugging_face_and_back(truth):
    pytest.importorskip("datasets")
    table = to_huggingface(truth)
    assert np.array_equal(np.asarray(table[2]["image"].convert("RGB")), truth[2].read_image())
    again = from_huggingface(table)
    assert again.categories == truth.categories
    for scene, other in zip(truth, again, strict=True):
        assert scene.image == other.image
        assert list(map(key, scene)) == list(map(key, other))
    part = from_huggingface(table.filter(lambda row: row["image_id"] % 2 == 0))
    assert set(part.images) == {0, 2}
    with pytest.raises(KinsError, match="no columns"):
        from_huggingface(table.remove_columns("instances"))


def test_fiftyone_gets_two_coco_files_with_the_order(truth, tmp_path):
    amodal, inmodal = to_fiftyone(truth, tmp_path)
    for path, kind in ((amodal, "amodal"), (inmodal, "inmodal")):
        again = kins.load(path, masks=kind)
        for scene, other in zip(truth, again, strict=True):
            assert [getattr(i, kind) for i in scene] == [getattr(i, kind) for i in other]
    rows = json.loads(amodal.read_text())["annotations"]
    assert [row["order"] for row in rows] == [i.order for scene in truth for i in scene]
    assert rows[0]["occlusion_rate"] == round(truth[0][0].occlusion_rate, 4)
