"""Completion by a detector's region stage on given boxes."""

import json

import numpy as np
import pytest
from tests.helpers import HEIGHT, WIDTH, painted

import kins
from kins import Image, Instance, KinsError, Mask, Scene
from kins.complete import Completer, completer
from kins.complete.boxes import OnBoxes
from kins.complete.files import complete_files, open_masks
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.models.network import assemble
from kins.models.weights import SHIPPED, ship


@pytest.fixture
def boxes(on_boxes):
    return on_boxes[1]


def boxes_alone(scene, kind):
    made = (i.replace(amodal=None, inmodal=None, **{f"{kind}_box": i.inmodal.box}) for i in scene)
    return scene.replace(instances=tuple(made))


def test_names_are_those_of_the_weights_that_come_with_kins():
    assert set(completer.LEARNED) - {"boxes"} == set(SHIPPED)


@pytest.mark.parametrize("kind", ["amodal", "inmodal"])
def test_both_masks_and_order_of_boxes_alone(boxes, kind):
    scene, picture = painted(3)
    done = boxes(picture, boxes_alone(scene, kind))
    assert boxes.needs_image
    assert [(i.id, i.category) for i in done] == [(i.id, i.category) for i in scene]
    for instance in done:
        assert not (instance.inmodal - instance.amodal)
        assert instance.order is not None
        assert (instance.occlusion_score >= 0.5) == (instance.occlusion_rate >= kins.occlusion.PARTIAL)
    if kind == "amodal":  # nothing is drawn outside of a whole object's box, but for the pixels that it cuts
        for given, found in zip(scene, done, strict=True):
            assert not found.amodal or found.amodal - Mask.from_box(given.inmodal.box, HEIGHT, WIDTH) == Mask.empty(
                HEIGHT, WIDTH
            )


def test_given_masks_stay_and_grow_under_others_alone(boxes):
    scene, picture = painted(3)
    done = boxes(picture, scene.replace(instances=tuple(i.replace(amodal=None) for i in scene)))
    seen = kins.masks.union([i.inmodal for i in scene], HEIGHT, WIDTH)
    for before, after in zip(scene, done, strict=True):
        assert after.inmodal == before.inmodal
        assert not (after.amodal - seen)


def test_a_class_that_the_network_does_not_have_is_no_hindrance(boxes):
    scene, picture = painted(3)
    giraffes = boxes_alone(scene, "amodal")
    giraffes = giraffes.replace(instances=tuple(i.replace(category="giraffe") for i in giraffes))
    assert {i.category for i in boxes(picture, giraffes)} == {"giraffe"}
    assert len(boxes(picture, scene.replace(instances=()))) == 0


def test_what_can_not_be_used_is_one_line(boxes):
    _, picture = painted(3)

    def scene(**fields):
        return Scene(Image(1, "a.png", HEIGHT, WIDTH), (Instance(5, 4, "car", **fields),))

    with pytest.raises(KinsError, match=r"image a\.png: annotation 5 has neither an inmodal mask nor a box"):
        boxes(picture, scene())
    for box in ((WIDTH + 1.0, 0.0, 5.0, 5.0), (-9.0, 2.0, 4.0, 4.0), (2.0, 2.0, 0.0, 5.0), (2.0, np.nan, 3.0, 5.0)):
        with pytest.raises(KinsError, match=r"annotation 5: box .* holds no pixel of the picture"):
            boxes(picture, scene(inmodal_box=box))
    with pytest.raises(KinsError, match=r"a\.png: the picture is needed"):
        boxes(None, scene(amodal_box=(2.0, 2.0, 5.0, 5.0)))
    config = load_config("tiny", ["model.name=mask-rcnn"])
    with pytest.raises(KinsError, match="amodal masks alone"):
        OnBoxes(assemble(config.model, 1), config, {4: "car"})


def test_a_file_of_boxes_is_completed_with_the_pictures(boxes, tmp_path):
    dataset = write_shapes(tmp_path / "pictures", 2)
    rows = [
        {"image_id": scene.image.id, "category_id": i.category_id, "score": 0.9, "bbox": list(i.inmodal.box)}
        for scene in dataset
        for i in scene
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    found = open_masks(tmp_path / "boxes.json", tmp_path / "pictures")
    assert complete_files(found, tmp_path / "whole.json", boxes).instances == len(rows)
    assert all(i.both_known and i.score == 0.9 for scene in kins.load(tmp_path / "whole.json") for i in scene)
    blind = open_masks(tmp_path / "boxes.json", like=_saved(dataset, tmp_path / "truth.json"))
    with pytest.raises(KinsError, match="name it with --images"):
        complete_files(blind, tmp_path / "again.json", boxes)


def _saved(dataset, path):
    dataset.save(path)
    return path


def test_a_run_of_ones_own(on_boxes, tmp_path):
    ship(on_boxes[0], tmp_path / "shipped.safetensors")
    scene, picture = painted(3)
    assert len(Completer.load(tmp_path / "shipped.safetensors")(picture, boxes_alone(scene, "amodal"))) == len(scene)


def test_an_empty_mask_beside_a_box_counts_as_none(boxes):
    scene, picture = painted(3)
    alone = boxes_alone(scene, "inmodal")
    empty = alone.replace(instances=tuple(i.replace(inmodal=Mask.empty(HEIGHT, WIDTH)) for i in alone))
    assert [i.amodal for i in boxes(picture, empty)] == [i.amodal for i in boxes(picture, alone)]
