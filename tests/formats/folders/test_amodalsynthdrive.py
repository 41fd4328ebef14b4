"""AmodalSynthDrive's pictures of numbers, with the whole masks in JSON beside them. The fixture is made up."""

import json

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from tests.formats.folders.test_yolo import kins_says

import kins
from kins import KinsError

HEIGHT, WIDTH = 20, 40
CAR, BACK, TRUCK, GONE = 26001, 26002, 27001, 24001


def rle(pixels):
    found = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": found["size"], "counts": found["counts"].decode()}


def rectangle(x, y, width, height):
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[y : y + height, x : x + width] = True
    return pixels


WHOLE = {CAR: rectangle(2, 4, 15, 12), BACK: rectangle(10, 2, 15, 12), TRUCK: rectangle(28, 2, 10, 10)}
HIDDEN = rectangle(4, 6, 3, 3)


def usual(root, kind="ampano", folder="amodal_panoptic_seg", more=None, shift=0):
    """One picture: a car before another one and before a person that is not seen, a truck alone, sky and a rider."""
    labels, pictures = root / folder / "front" / "seq1", root / "images" / "front" / "seq1"
    for place in (labels, pictures):
        place.mkdir(parents=True, exist_ok=True)
    numbers = np.full((HEIGHT, WIDTH), 23, np.uint16)
    for number in (TRUCK, BACK, CAR):
        numbers[WHOLE[number]] = number
    numbers[0, 0] = 25001
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(pictures / "0001_rgb.jpg")
    PIL.Image.fromarray(numbers).save(labels / f"0001_{kind}.png")
    things = {
        str(CAR): {"occluded": False, "occlusion_mask": []},
        str(BACK): {"occluded": True, "amodal_mask": rle(WHOLE[BACK]), "occlusion_mask": rle(WHOLE[CAR] & WHOLE[BACK])},
        str(GONE): {"occluded": True, "amodal_mask": rle(HIDDEN), "occlusion_mask": rle(HIDDEN)},
    }
    (labels / f"0001_{kind}.json").write_text(json.dumps(things | (more or {})))
    (labels / "0001_rel.json").write_text(json.dumps({"0": [CAR, TRUCK], "1": [BACK, GONE]}))
    return root


def test_both_masks_of_each_object(tmp_path):
    dataset = kins.load(usual(tmp_path))
    (scene,) = dataset
    assert scene.image.file_name == "images/front/seq1/0001_rgb.jpg"
    assert scene.read_image().shape == (HEIGHT, WIDTH, 3)
    assert [(i.id % 100_000, i.category) for i in scene] == [
        (GONE, "person"),
        (CAR, "car"),
        (BACK, "car"),
        (TRUCK, "truck"),
    ]
    for instance, whole in zip(scene, (HIDDEN, *WHOLE.values()), strict=True):
        assert np.array_equal(instance.amodal.to_array(), whole)
    seen = [np.zeros_like(HIDDEN), WHOLE[CAR], WHOLE[BACK] & ~WHOLE[CAR], WHOLE[TRUCK]]
    for instance, visible in zip(scene, seen, strict=True):
        assert np.array_equal(instance.inmodal.to_array(), visible)
    assert [i.extra for i in scene] == [{"occlusion_level": level} for level in (1, 0, 1, 0)]
    assert {i.order for i in scene} == {None}  # levels are no order; kins order derives it from the masks
    assert kins.occlusion.occlusion(scene).order.tolist() == [1, 0, 1, 0]
    assert not dataset.left_out


def test_where_files_may_be(tmp_path):
    root = usual(tmp_path)
    labels = root / "amodal_panoptic_seg" / "front" / "seq1"
    for path, images in (
        (root / "amodal_panoptic_seg", None),
        (labels, root / "images"),
        (labels / "0001_ampano.png", None),
    ):
        assert [len(scene) for scene in kins.load(path, images=images)] == [4]
    assert [len(scene) for scene in kins.load(labels / "0001_ampano.json")] == [4]
    fields = {str(TRUCK): {"occluded": False, "category_id": 28, "track_id": 7}}
    both = usual(usual(tmp_path / "both", "aminseg", "amodal_instance_seg", fields), more={str(CAR): {}})
    assert [i.category for i in kins.load(both)["images/front/seq1/0001_rgb.jpg"]] == ["person", "car", "car", "truck"]
    (scene,) = kins.load(both / "amodal_instance_seg")
    assert (scene[3].category, scene[3].extra["track_id"]) == ("bus", 7)


def test_without_json_nothing_is_known_of_whole_objects(tmp_path):
    root = usual(tmp_path)
    (root / "amodal_panoptic_seg" / "front" / "seq1" / "0001_ampano.json").unlink()
    dataset = kins.load(root)
    assert [i.amodal for i in dataset[1]] == [None] * 3
    assert list(dataset.left_out) == ["1 pictures of numbers without their JSON, which has the whole masks"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"26003x": {}}, "'26003x' is not the number of an object"),
        ({"999999": {}}, "has the number 999999"),
        ({str(TRUCK): {"amodal_mask": {"size": [5, 5], "counts": "51"}}}, "27001.amodal_mask"),
        ({str(TRUCK): {"amodal_mask": "x"}}, "27001.amodal_mask"),
        ({str(TRUCK): 5}, "0001_ampano.json"),
        ({str(TRUCK): {"category_id": "car"}}, "category_id"),
    ],
)
def test_what_is_damaged_is_told_with_its_place(tmp_path, more, says):
    dataset = kins.load(usual(tmp_path, more=more))
    with pytest.raises(KinsError, match=says) as caught:
        [mask.area for i in dataset[1] for mask in (i.amodal, i.inmodal)]
    assert "\n" not in str(caught.value)


def test_the_commands_take_it(tmp_path):
    root = usual(tmp_path / "data")
    code, said = kins_says("convert", root, tmp_path / "out.json", "--to", "kins2020")
    assert (code, "1 images, 4 instances" in said) == (0, True)
    assert kins_says("order", tmp_path / "out.json", tmp_path / "ordered.json")[0] == 0
    (root / "amodal_panoptic_seg" / "front" / "seq1" / "0001_ampano.png").unlink()
    with pytest.raises(KinsError, match=r"no 0001_ampano\.png beside it"):
        kins.load(root / "amodal_panoptic_seg" / "front" / "seq1" / "0001_ampano.json")
