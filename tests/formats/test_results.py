"""Result files of other systems, a small one of each written by hand."""

import json

import numpy as np
import PIL.Image
import pytest

import kins
from kins import KinsError, Mask
from kins.formats.results import load_results

HEIGHT, WIDTH = 20, 30


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("000007.png", "street_12.png"):
        PIL.Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(folder / name)
    return folder


def pixels():
    array = np.zeros((HEIGHT, WIDTH), bool)
    array[3:9, 4:12] = True
    return array


def rle():
    mask = Mask.from_array(pixels())
    return {"size": [HEIGHT, WIDTH], "counts": mask.rle["counts"].decode()}


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def check(instance, category="car", category_id=1, score=0.75):
    assert (instance.inmodal.to_array() == pixels()).all()
    assert instance.amodal is None
    assert (instance.category, instance.category_id, instance.score) == (category, category_id, score)


def test_coco_results_by_id_by_stem_and_without_pictures(tmp_path, pictures):
    row = {"category_id": 1, "score": 0.75, "bbox": [4, 3, 8, 6], "segmentation": rle()}
    rows = [{"image_id": 7, **row}, {"image_id": "street_12", **row}, {"image_id": 12, **row}]
    path = write(tmp_path / "coco_instances_results.json", rows)
    dataset = load_results(path, pictures, ["background", "car"])
    assert {image.file_name: len(dataset[i]) for i, image in dataset.images.items()} == {
        "000007.png": 1,
        "street_12.png": 2,
    }
    check(dataset["000007.png"][0])
    assert dataset["000007.png"].image.id == 7
    assert dataset["000007.png"][0].inmodal_box == (4, 3, 8, 6)
    alone = load_results(write(tmp_path / "alone.json", rows[:1]))
    check(alone[7][0], category="1")
    assert (alone.images[7].height, alone.images[7].width) == (HEIGHT, WIDTH)


def test_against_a_data_set(tmp_path, pictures):
    image = kins.Image(3, "000007.png", HEIGHT, WIDTH)
    truth = kins.Dataset.from_scenes([kins.Scene(image)], {4: "car", 5: "van"}, images_dir=pictures)
    row = {"category_id": 4, "score": 0.75, "segmentation": rle()}
    found = load_results(write(tmp_path / "r.json", [{"image_id": "000007", **row}]), pictures, like=truth)
    check(found[3][0], category_id=4)
    for wrong, match in (({"image_id": 8}, "no picture 8"), ({"image_id": 3, "category_id": 9}, "category 9 is not")):
        with pytest.raises(KinsError, match=rf"w\.json: \[0\].*{match}"):
            load_results(write(tmp_path / "w.json", [{**row, **wrong}]), pictures, like=truth)


def test_mmdetection_inferencer(tmp_path, pictures):
    folder = tmp_path / "preds"
    folder.mkdir()
    value = {"labels": [0], "scores": [0.75], "bboxes": [[4, 3, 12, 9]], "masks": [rle()]}
    write(folder / "000007.json", value)
    write(folder / "street_12.json", {"labels": [], "scores": [], "bboxes": [], "masks": []})
    dataset = load_results(folder, pictures, ["car"])
    check(dataset["000007.png"][0], category_id=0)
    assert dataset["000007.png"][0].inmodal_box == (4, 3, 8, 6)
    boxes = load_results(write(tmp_path / "000007.json", {**value, "masks": []}), pictures, ["car"])
    assert boxes["000007.png"][0].inmodal is None
    with pytest.raises(KinsError, match=r"000007\.json: .*lists of one length"):
        load_results(write(tmp_path / "000007.json", {**value, "scores": []}), pictures)


@pytest.mark.parametrize("relative", [False, True])
def test_ultralytics_results(tmp_path, pictures, relative):
    x, y = ([4, 12, 12, 4], [3, 3, 9, 9])
    box = {"x1": 4, "y1": 3, "x2": 12, "y2": 9}
    if relative:
        x, y = [v / WIDTH for v in x], [v / HEIGHT for v in y]
        box = {k: v / (WIDTH if k[0] == "x" else HEIGHT) for k, v in box.items()}
    row = {"name": "car", "class": 2, "confidence": 0.75, "box": box, "segments": {"x": x, "y": y}}
    dataset = load_results(write(tmp_path / "000007.json", [row]), pictures)
    check(dataset["000007.png"][0])
    assert dataset["000007.png"][0].inmodal_box == pytest.approx((4, 3, 8, 6))


def test_sam_masks_as_json_and_as_a_folder(tmp_path, pictures):
    row = {"segmentation": rle(), "area": 48, "bbox": [4, 3, 8, 6], "predicted_iou": 0.75, "stability_score": 0.9}
    check(load_results(write(tmp_path / "000007.json", [row]), pictures)["000007.png"][0], category="object")
    folder = tmp_path / "sam" / "000007"
    folder.mkdir(parents=True)
    PIL.Image.fromarray(pixels().astype(np.uint8) * 255).save(folder / "0.png")
    (folder / "metadata.csv").write_text("id,area,predicted_iou\n0,48,0.75\n")
    check(load_results(folder.parent, pictures)["000007.png"][0], category="object")


GOOD = {"image_id": 7, "category_id": 1, "score": 0.5, "segmentation": rle()}


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([{**GOOD, "score": float("nan")}], "NaN is not JSON"),
        ([{**GOOD, "score": 1.5}], r"\[0\]: score 1.5"),
        ([GOOD, {**GOOD, "image_id": 99}], r"\[1\]: no picture is named after 99"),
        ([{**GOOD, "image_id": None}], "no image_id"),
        ([{"image_id": 7, "category_id": 1, "score": 0.5}], "neither a mask nor a box"),
        ([{**GOOD, "bbox": [1, 2, "x", 4]}], "box"),
        ([{**GOOD, "bbox": [1, 2, -3, 4]}], "box"),
        ([{"colour": 1}], "its entries have colour"),
        ({"colour": 1}, "is no result file"),
        ([[1]], "is no result file"),
    ],
)
def test_bad_files_are_one_line(tmp_path, pictures, rows, match):
    path = write(tmp_path / "r.json", rows)
    with pytest.raises(KinsError, match=match) as caught:
        load_results(path, pictures)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_masks_of_another_size_say_so_when_used(tmp_path, pictures):
    row = {**GOOD, "segmentation": {"size": [5, 5], "counts": "i0"}}
    scene = load_results(write(tmp_path / "r.json", [row]), pictures)[7]
    with pytest.raises(KinsError, match=r"r\.json: \[0\]\.segmentation: RLE is of size 5 x 5"):
        _ = scene[0].inmodal.area


def test_pickles_and_empty_folders_are_refused(tmp_path):
    (tmp_path / "results.pkl").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(KinsError, match=r"results\.pkl: .*can run code"):
        load_results(tmp_path / "results.pkl")
    with pytest.raises(KinsError, match="holds no result files"):
        load_results(tmp_path)
