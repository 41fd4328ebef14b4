"""YOLO's folders as written: read by kins again, and by pycocotools from the text alone."""

import zipfile

import numpy as np
import PIL.Image
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from tests.formats.folders.test_yolo import kins_says

import kins
from kins import KinsError
from kins.demo.toys import write_shapes
from kins.formats.folders import yolo_writer
from kins.formats.folders.yolo_writer import write
from kins.masks import Mask
from kins.masks.trace import trace

HEIGHT, WIDTH = 24, 37


def scene(*masks, names=("a.png",), extra=None, category=1, **fields):
    """Objects of the first picture."""
    cars = tuple(kins.Instance(n, 1, "car", mask, mask, **fields) for n, mask in enumerate(masks, 1))
    scenes = [
        kins.Scene(kins.Image(k, name, HEIGHT, WIDTH, dict(extra or {})), cars if k == 1 else ())
        for k, name in enumerate(names, 1)
    ]
    return kins.Dataset.from_scenes(scenes, {1: "car"})


def drawn(line):
    """Pixels of a line by pycocotools."""
    number, *shares = line.split()
    points = [float(share) * (HEIGHT if index % 2 else WIDTH) for index, share in enumerate(shares)]
    assert number == "0"
    assert all(0 <= float(share) <= 1 for share in shares)
    return coco_mask.decode(coco_mask.frPyObjects([points], HEIGHT, WIDTH))[..., 0].astype(bool)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_parts_and_holes_become_one_line_of_the_same_pixels(seed):
    chance = np.random.default_rng(seed)
    pixels = np.kron(chance.random((8, 13)) < chance.uniform(0.1, 0.9), np.ones((3, 3), bool))[:HEIGHT, :WIDTH]
    if not pixels.any():
        return
    files, losses = write(scene(Mask.from_array(pixels)), "amodal")
    (line,) = files["labels/a.txt"].decode().split("\n")[:1]
    assert np.array_equal(drawn(line), pixels)
    several = len(trace(Mask.from_array(pixels))) > 1
    assert any("lines without width" in line for line in losses) == several


def test_an_outline_stays_as_it_was_where_it_can(monkeypatch):
    inside = Mask.from_polygons([[1.25, 2.5, 30.1, 3.7, 20.3, 20.2]], HEIGHT, WIDTH)
    outside = Mask.from_polygons([[-5, 2, 30, 3, 20, 40]], HEIGHT, WIDTH)
    files, _ = write(scene(inside, outside), "amodal")
    first, second = files["labels/a.txt"].decode().split("\n")[:2]
    assert len(first.split()) == 7
    for line, mask in ((first, inside), (second, outside)):
        assert np.array_equal(drawn(line), mask.to_array())
    monkeypatch.setattr(yolo_writer, "DIGITS", 2)  # too few for the same pixels: the mask is traced
    coarse = write(scene(inside), "amodal")[0]["labels/a.txt"].decode().split("\n")[0]
    assert len(coarse.split()) > 7


@pytest.mark.parametrize("masks", ["amodal", "inmodal"])
def test_a_data_set_comes_back_with_the_masks_that_were_written(tmp_path, masks):
    truth = write_shapes(tmp_path / "pictures", 3)
    with pytest.raises(KinsError, match="say with --as"):
        truth.save(tmp_path / "no", format="yolo")
    losses = truth.save(tmp_path / "out", format="yolo", masks=masks)
    other = "inmodal" if masks == "amodal" else "amodal"
    assert losses[0] == f"{other} mask (14 instances)"
    assert any(line.startswith("occlusion cluster and order") for line in losses)
    assert any(line.startswith("category ids") for line in losses)
    again = kins.load(tmp_path / "out", images=tmp_path / "pictures", masks=masks)
    for one, two in zip(truth, again, strict=True):
        kept = [i for i in one if getattr(i, masks)]
        assert [i.category for i in two] == [i.category for i in kept]
        assert [getattr(i, masks) for i in two] == [getattr(i, masks) for i in kept]
        assert one.image.file_name == two.image.file_name
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    truth.save(tmp_path / "out.zip", format="yolo", masks=masks)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()} == before


def test_what_ultralytics_asks_of_a_data_set(tmp_path):
    mask = Mask.from_box((1, 1, 9, 9), HEIGHT, WIDTH)
    dataset = scene(mask, names=("a.png", "below/b.jpg", "images/train/c.png"))
    dataset.save(tmp_path, format="yolo", masks="amodal")
    found = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert found == {"path": ".", "train": "images", "val": "images", "names": {0: "car"}}
    labels = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "labels").rglob("*.txt"))
    assert labels == ["labels/a.txt", "labels/below/b.txt", "labels/train/c.txt"]
    assert (tmp_path / "labels" / "below" / "b.txt").read_text().split() == []
    (tmp_path / "images").mkdir()
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / "a.png")
    again = kins.load(tmp_path, masks="amodal")
    assert [i.amodal for i in again["images/a.png"]] == [mask]
    assert again["images/a.png"].image.extra == {}  # train and val name the same folder


def test_splits_and_names_are_kept(tmp_path):
    mask = Mask.from_box((1, 1, 9, 9), HEIGHT, WIDTH)
    one = kins.Instance(1, 0, "Auto: 'é' 🚗\n", inmodal=mask)
    pictures = {"images/train/a.png": "train", "images/val/b.png": "val", "images/more/c.png": "train"}
    scenes = [
        kins.Scene(kins.Image(k, name, HEIGHT, WIDTH, {"split": split}), (one.replace(id=k),))
        for k, (name, split) in enumerate(pictures.items(), 1)
    ]
    dataset = kins.Dataset.from_scenes(scenes, {0: one.category})
    assert dataset.save(tmp_path, format="yolo") == []
    for name in pictures:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / name)
    again = kins.load(tmp_path)
    assert {s.image.file_name: s.image.extra["split"] for s in again} == pictures
    assert {i.category for s in again for i in s} == {one.category}


def test_what_can_not_be_held_is_said(tmp_path):
    mask, empty = Mask.from_box((1, 1, 9, 9), HEIGHT, WIDTH), Mask.empty(HEIGHT, WIDTH)
    fields = [{}, {"crowd": True}, {"extra": {"x": 1}}, {"score": 0.5}]
    cars = [kins.Instance(n, 0, "car", mask, empty if n == 1 else mask, **more) for n, more in enumerate(fields, 1)]
    cars.append(kins.Instance(9, 0, "car", inmodal_box=(1, 1, 5, 5)))
    image = kins.Image(1, "a.png", HEIGHT, WIDTH, {"weather": "rain"})
    dataset = kins.Dataset.from_scenes([kins.Scene(image, tuple(cars))], {0: "car"}, extra={"info": 1})
    files, losses = write(dataset, "inmodal")
    assert len(files["labels/a.txt"].decode().split("\n")) - 4 == 2
    assert sorted(losses) == [
        "amodal mask (3 instances)",
        "crowds, which are left out (1 instance)",
        "fields of annotations (1 instance)",
        "fields of images: weather",
        "objects without a visible pixel, which are left out (2 instances)",
        "score and occlusion_score, which belong into prediction files (1 instance)",
        "top-level fields: info",
    ]


def test_boxes_alone_are_written_as_boxes(tmp_path):
    cars = tuple(kins.Instance(n, 0, "car", inmodal_box=(2.0 * n, 3, 10, 6)) for n in (1, 2))
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(1, "a.png", HEIGHT, WIDTH), cars)], {0: "car"})
    assert dataset.save(tmp_path, format="yolo") == []
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
    found = [i.inmodal_box for i in kins.load(tmp_path)["a.png"]]
    assert found == [pytest.approx(car.inmodal_box, abs=1e-5) for car in cars]


def test_the_command_converts_and_replaces_only_what_kins_made(tmp_path):
    write_shapes(tmp_path / "pictures", 2).save(tmp_path / "truth.json")
    out = tmp_path / "out"
    code, said = kins_says("convert", tmp_path / "truth.json", out, "--to", "yolo")
    assert (code, "say with --as" in said) == (2, True)
    for _ in range(2):
        code, said = kins_says("convert", tmp_path / "truth.json", out, "--to", "yolo", "--as", "inmodal")
        assert (code, "not kept: amodal mask" in said, "2 images, 8 instances" in said) == (0, True, True)
    (out / "labels" / "000000.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    code, said = kins_says("convert", tmp_path / "truth.json", out, "--to", "yolo", "--as", "inmodal")
    assert (code, "was not written by kins" in said) == (2, True)
