"""KITTI's object labels."""

from pathlib import Path

import PIL.Image
import pytest
from tests.formats.folders.test_yolo import kins_says

import kins
from kins import KinsError
from kins.formats.folders.sheets import STRIDE

SHARED = Path(__file__).parents[4] / "shared" / "data" / "kitti"
CAR = "Car 0.50 1 -1.57 10.00 5.50 30.25 15.00 1.50 1.60 4.00 -1.00 1.70 20.00 -1.60"
IGNORED = "DontCare -1 -1 -10 1.00 2.00 3.00 5.00 -1 -1 -1 -1000 -1000 -1000 -10"


def usual(root, *texts, place="training/label_2"):
    labels, pictures = root / place, root / place.replace("label_2", "image_2")
    labels.mkdir(parents=True)
    pictures.mkdir(parents=True)
    for number, text in enumerate(texts):
        (labels / f"{number:06}.txt").write_text(text)
        PIL.Image.new("RGB", (40, 20)).save(pictures / f"{number:06}.png")
    return root


@pytest.mark.parametrize("place", ["training/label_2", "label_2"])
def test_a_folder(tmp_path, place):
    (tmp_path / "training" / "calib").mkdir(parents=True)
    (tmp_path / "training" / "calib" / "000000.txt").write_text("P0: 1 2 3\n")
    dataset = kins.load(usual(tmp_path, f"{CAR}\n{IGNORED}\n{CAR.replace('Car', 'Bus')}\n", "", place=place))
    assert [image.file_name for image in dataset.images.values()] == [
        f"{place.replace('label', 'image')}/{number:06}.png" for number in (0, 1)
    ]
    assert dataset.images[1].extra == {"dont_care": [(1, 2, 2, 3)]}
    assert dataset.left_out == (
        "1 regions of DontCare, which are no objects; image.extra['dont_care'] has their boxes",
    )
    assert list(dataset.categories.items())[7:] == [(8, "Misc"), (9, "Bus")]
    (car, bus), empty = dataset[1], dataset[2]
    assert (len(empty), car.id, bus.id, bus.category_id) == (0, STRIDE + 1, STRIDE + 3, 9)
    assert (car.category_id, car.inmodal_box, car.amodal_box, car.whole) == (1, (10, 5.5, 20.25, 9.5), None, None)
    assert (car.cluster, car.order, car.score) == (None, None, None)
    assert car.extra == {
        **{"truncated": 0.5, "occluded": 1, "alpha": -1.57, "dimensions": [1.5, 1.6, 4.0]},
        **{"location": [-1.0, 1.7, 20.0], "rotation_y": -1.6},
    }
    assert kins.load(tmp_path, masks="amodal")[1][0].amodal_box == (10, 5.5, 20.25, 9.5)


def test_labels_alone_and_results(tmp_path):
    labels = usual(tmp_path, f"{CAR} 0.75\n") / "training" / "label_2"
    with pytest.raises(KinsError, match="none of its 1 label files has a picture"):
        kins.load(labels)
    for path in (labels, labels / "000000.txt"):
        ((car,),) = kins.load(path, images=tmp_path / "training" / "image_2")
        assert car.score == 0.75
    (labels / "000001.txt").write_text(CAR)
    assert kins.load(tmp_path).left_out == ("1 label files without a picture, which tells the size",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Car 0 0", "has 3 words; a label of KITTI has 15"),
        (CAR.replace("30.25", "nan"), "'nan' is not a number"),
        (CAR.replace("30.25", "1e9999"), "far beyond any use"),
        (CAR.replace("30.25", "200000"), "far outside of any image"),
        (f"{CAR} 3.5", "score 3.5 is not between 0 and 1"),
        (CAR.replace("20.00", "²"), "'²' is not a number"),
    ],
)
def test_a_line_that_is_refused_is_named(tmp_path, line, said):
    with pytest.raises(KinsError, match=said) as error:
        kins.load(usual(tmp_path, f"{CAR}\n{line}\n"))
    assert "000000.txt:2: " in str(error.value)


def test_the_commands_take_boxes(tmp_path):
    root = usual(tmp_path / "in", f"{CAR}\n{IGNORED}\n{CAR.replace('30.25', '10.00')}\n")
    code, said = kins_says("convert", root, tmp_path / "boxes.json", "--to", "kins2020")
    assert code == 0
    assert "not kept: 1 boxes without a pixel" in said
    assert "missing: masks of 1 instances, which are boxes alone" in said
    (again,) = kins.load(tmp_path / "boxes.json")[1]
    assert again.inmodal_box == (10, 5.5, 20.25, 9.5)
    assert again.extra["location"] == [-1.0, 1.7, 20.0]
    code, said = kins_says("validate", root)
    assert (code, "kitti, 1 images, 1 instances" in said, "box-alone" in said) == (0, True, True)
    assert said.count("DontCare") == said.count("regions-ignored") == 1
    assert "0 errors, 1 warnings" in said  # the box without a pixel
    assert f"ok  {root}  kitti, 1 images, 1 instances, 8 categories" in kins_says("doctor", root)[1]
    (tmp_path / "found.json").write_text(
        '[{"image_id": 1, "category_id": 1, "score": 0.9, "bbox": [10, 5.5, 20.25, 9.5]}]'
    )
    code, said = kins_says("eval", root, tmp_path / "found.json", "--as", "amodal", "--masks", "amodal")
    assert (code, "100.0" in said) == (0, True)
    code, said = kins_says("order", root, tmp_path / "no.json")
    assert (code, "has no amodal mask" in said) == (2, True)


@pytest.mark.skipif(not SHARED.is_dir(), reason="real labels are not on this machine")
def test_real_labels() -> None:
    """Held against a plain reading of the same files."""
    dataset = kins.load(SHARED)
    for scene in dataset:
        lines = [line.split() for line in (SHARED / scene.image.file_name).with_suffix(".txt").read_text().splitlines()]
        expected = [(w[0], *map(float, w[4:8])) for w in lines if w[0] != "DontCare"]
        corners = [(i.category, x, y, x + w, y + h) for i in scene for x, y, w, h in [i.inmodal_box]]
        assert corners == [(name, *map(pytest.approx, sides)) for name, *sides in expected]
        assert len(scene.image.extra.get("dont_care", [])) == len(lines) - len(expected)
    assert sum(map(len, dataset)) == 11
