"""Ultralytics YOLO's folders: where labels and pictures are, outlines and boxes, and what may be wrong with them."""

import json

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from typer.testing import CliRunner

import kins
from kins import KinsError
from kins.commands.cli import app
from kins.formats.folders.sheets import STRIDE

HEIGHT, WIDTH = 20, 40
SQUARE = "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"
"""x 10 to 30, y 5 to 15."""
BOX = "1 0.5 0.5 0.5 0.5"
"""The same."""


def write(root, **files):
    """Text files, and pictures for names that end so; `__` stands for a slash."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(path)
        else:
            path.write_text(content)
    return root


def usual(root, labels=f"{SQUARE}\n{BOX}\n", yaml="train: images/train\nval: images/val\nnames: [car, van]\n"):
    """Two pictures with labels, one without, and one of a split that data.yaml does not name."""
    pictures = {f"images__{name}.png": "" for name in ("train__a", "train__empty", "val__b", "old__c")}
    files = {f"labels__{name}.txt": labels for name in ("train__a", "val__b", "old__c")}
    return write(root, **pictures, **files, **{"data.yaml": yaml})


def seen(dataset):
    return {s.image.file_name: [(i.id % STRIDE, i.category, i.inmodal and i.inmodal.area) for i in s] for s in dataset}


BOTH = [(1, "car", 200), (2, "van", None)]


def test_a_folder_with_data_yaml(tmp_path):
    dataset = kins.load(usual(tmp_path))
    assert seen(dataset) == {"images/train/a.png": BOTH, "images/train/empty.png": [], "images/val/b.png": BOTH}
    assert dataset.categories == {0: "car", 1: "van"}
    assert [image.extra for image in dataset.images.values()] == [{"split": "train"}] * 2 + [{"split": "val"}]
    assert dataset["images/val/b.png"].read_image().shape == (HEIGHT, WIDTH, 3)
    car, van = dataset["images/val/b.png"]
    assert (car.amodal, car.inmodal_box, van.inmodal_box, van.amodal_box) == (None, None, (10, 5, 20, 10), None)
    assert car.id == 3 * STRIDE + 1
    whole = kins.load(tmp_path / "data.yaml", masks="amodal")
    car, van = whole["images/val/b.png"]
    assert (car.amodal.area, car.inmodal, van.amodal_box, van.inmodal_box) == (200, None, (10, 5, 20, 10), None)


@pytest.mark.parametrize(
    ("yaml", "categories", "images", "lines"),
    [
        ("names: {0: car, 7: 'van'}\n", {0: "car", 7: "van"}, 4, 0),
        ("names:\n  - car # a comment\n  - yes\ntrain: ./images/train/\n", {0: "car", 1: "True"}, 2, 0),
        ("path: ../datasets/x\ntrain: ../images/train\nval: [images/val, images/old]\nnames: [a]\n", {0: "a"}, 4, 0),
        ("path: images\ntrain: train\nnames: [a]\n", {0: "a"}, 2, 0),
        ("path: /etc\ntrain: /etc\nval: images/val\ntest: http://x\nnames: [a]\n", {0: "a"}, 1, 1),
        ("train: train.txt\nnames: [a]\n", {0: "a"}, 4, 1),
    ],
)
def test_what_data_yaml_may_say(tmp_path, yaml, categories, images, lines):
    dataset = kins.load(usual(tmp_path, yaml=yaml))
    assert dataset.categories == categories
    assert (len(dataset), len(dataset.left_out)) == (images, lines)


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("names: 3\n", "names: is neither a list nor a mapping"),
        ("names: [[car]]\n", "names: the one at place 0 is no text"),
        ("names: {car: 0}\n", "names: 'car' is not the number of a class"),
        ("names: [0x" + "f" * 9000 + "]\n", "names: the one at place 0 is no text"),
        ("names: [car\n", "is not valid YAML"),
        ("names: !!python/object/apply:os.system [true]\n", "is not valid YAML"),
        ("a: &a {x: 1}\nb: &b {<<: [*a, *a]}\nnames: {<<: [*b, *b]}\n", "is not valid YAML"),
        ("names: " + "[" * 1000, "is not valid YAML"),
        ("names: [car]\n#" + "x" * 2**17, "too many for the names"),
        ("kpt_shape: [17, 3]\nnames: [person]\n", "key points"),
    ],
)
def test_a_data_yaml_that_is_refused(tmp_path, yaml, said):
    with pytest.raises(KinsError, match=said) as error:
        kins.load(usual(tmp_path, yaml=yaml))
    assert "data.yaml: " in str(error.value)
    assert "\n" not in str(error.value)


def test_other_places_of_labels_and_pictures(tmp_path):
    moved = write(tmp_path / "moved", train__images__a__png="", valid__images__b__png="")
    for split, name in (("train", "a"), ("valid", "b")):
        write(moved, **{f"{split}__images__{name}.png": "", f"{split}__labels__{name}.txt": SQUARE})
    write(moved, **{"data.yaml": "train: ../train/images\nval: ../valid/images\nnames: [car]\n"})
    assert [image.extra["split"] for image in kins.load(moved).images.values()] == ["train", "val"]
    beside = write(
        tmp_path / "beside", **{"a.png": "", "a.txt": SQUARE, "classes.txt": "bus\n", "notes.txt": "I saw\n"}
    )
    dataset = kins.load(beside)
    assert (seen(dataset), dataset.left_out) == ({"a.png": [(1, "bus", 200)]}, ("1 text files that are no labels",))
    assert seen(kins.load(beside / "a.txt", images=beside)) == {"a.png": [(1, "0", 200)]}
    labels = usual(tmp_path / "usual") / "labels" / "val"
    with pytest.raises(KinsError, match=r"none of its 1 label files has a picture there.*--images"):
        kins.load(labels)
    with pytest.raises(KinsError, match="none of its 1 label files has a picture there"):
        kins.load(labels, images=tmp_path / "usual" / "images")
    dataset = kins.load(labels, images=tmp_path / "usual" / "images" / "val")
    assert seen(dataset) == {"b.png": [(1, "0", 200), (2, "1", None)]}
    assert dataset.left_out[0].startswith("2 names of classes, which have numbers")
    (tmp_path / "usual" / "images" / "val" / "b.png").unlink()
    assert kins.load(tmp_path / "usual").left_out == ("1 label files without a picture, which tells the size",)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=3, max_size=9),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_outlines_are_filled_as_coco_fills_them(tmp_path_factory, points, size):
    folder = tmp_path_factory.mktemp("yolo")
    PIL.Image.new("L", size).save(folder / "a.png")
    (folder / "a.txt").write_text("3 " + " ".join(f"{x!r} {y!r}" for x, y in points))
    ((instance,),) = kins.load(folder)
    flat = [number for x, y in points for number in (x * size[0], y * size[1])]
    expected = coco_mask.decode(coco_mask.frPyObjects([flat], size[1], size[0]))[..., 0]
    np.testing.assert_array_equal(instance.inmodal.to_array(), expected.astype(bool))


@given(st.tuples(st.integers(0, 30), st.integers(0, 15)), st.tuples(st.integers(1, 10), st.integers(1, 5)))
@settings(max_examples=25, deadline=None)
def test_rectangles_and_boxes_are_where_they_are_said_to_be(tmp_path_factory, corner, size):
    folder = write(tmp_path_factory.mktemp("yolo"), **{"a.png": ""})
    (x, y), (w, h) = corner, size
    corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    outline = " ".join(f"{a / WIDTH!r} {b / HEIGHT!r}" for a, b in corners)
    box = f"{(x + w / 2) / WIDTH!r} {(y + h / 2) / HEIGHT!r} {w / WIDTH!r} {h / HEIGHT!r}"
    (folder / "a.txt").write_text(f"0 {outline}\n\n0 {box}\n")
    ((mask, alone),) = kins.load(folder)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[y : y + h, x : x + w] = True
    np.testing.assert_array_equal(mask.inmodal.to_array(), expected)
    assert alone.inmodal_box == pytest.approx((x, y, w, h))
    assert alone.id % STRIDE == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.5 0.5 0.9", "5 numbers after the class; a box has 4.*confidence"),
        ("0 0.5 0.5", "2 numbers after the class"),
        ("car 0.5 0.5 0.1 0.1", "'car' is not the number of a class"),
        ("-1 0.5 0.5 0.1 0.1", "'-1' is not the number of a class"),
        ("9999999999 0.5 0.5 0.1 0.1", "is not the number of a class"),
        ("0 nan 0.5 0.5 0.5", "'nan' is no share"),
        ("0 1e400 0.5 0.5 0.5", "'1e400' is no share"),
        ("0 12 0.5 0.5 0.5", "'12' is no share"),
        ("0 0.1 0.1 0.2 0.2 1_0 0.5", "'1_0' is no share"),
        ("0 0.5 0.5 -0.5 0.5", "a side below 0"),
    ],
)
def test_a_line_that_is_refused_is_named(tmp_path, line, said):
    dataset = kins.load(usual(tmp_path, labels=f"{SQUARE}\n{line}\n"))
    with pytest.raises(KinsError, match=said) as error:
        dataset["images/val/b.png"]
    assert str(tmp_path / "labels" / "val" / "b.txt:2: ") in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_too_much_or_elsewhere(tmp_path, monkeypatch):
    root = usual(tmp_path / "in", labels=f"{BOX}\n" * 30_000)
    with pytest.raises(KinsError, match="30000 instances in an image, more than the 20000"):
        kins.load(root)[1]
    (root / "labels" / "train" / "a.txt").write_text(f"{BOX}\n" * STRIDE)
    with pytest.raises(KinsError, match="more than the 99999 that are read"):
        kins.load(root)[1]
    monkeypatch.setattr("kins.formats.folders.sheets.content_of.__defaults__", (1000,))
    with pytest.raises(KinsError, match=r"a\.txt: has more than 1000 bytes"):
        kins.load(root)[1]
    monkeypatch.setenv("KINS_MAX_PIXELS", "100")
    with pytest.raises(KinsError, match=r"a\.png: image size 40 x 20 is not between"):
        kins.load(root)
    monkeypatch.delenv("KINS_MAX_PIXELS")
    outside = write(tmp_path / "out", **{"secret.txt": BOX})
    (root / "labels" / "val" / "b.txt").unlink()
    (root / "labels" / "val" / "b.txt").symlink_to(outside / "secret.txt")
    with pytest.raises(KinsError, match="leads out of"):
        kins.load(root)


def kins_says(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(done.exception, KinsError):
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_commands_take_masks_and_boxes_alone(tmp_path):
    root = usual(tmp_path / "in")
    for name in ("kins2020", "kins2019", "coco"):
        code, said = kins_says("convert", root, tmp_path / f"{name}.json", "--to", name)
        assert code == 0
        assert "missing: masks of 2 instances, which are boxes alone; kins complete --with boxes" in said
        again = kins.load(tmp_path / f"{name}.json", masks="inmodal")
        assert seen(again) == {n: [(i, c, a) for i, c, a in o] for n, o in seen(kins.load(root)).items()}
        assert again["images/val/b.png"][1].inmodal_box == (10, 5, 20, 10)
    code, said = kins_says("convert", root, tmp_path / "cls.json", "--to", "cocoa-cls")
    assert "not kept: boxes of objects without a mask (2 instances)" in said
    code, said = kins_says("validate", root, "--json")
    assert (code, json.loads(said)["valid"]) == (0, True)
    assert "box-alone" in said
    code, said = kins_says("doctor", root)
    assert (code, f"ok  {root}  yolo, 3 images, 4 instances, 2 categories" in said) == (0, True)
    assert f"ok  {root}  all pictures are in {root}" in said
    assert kins_says("stats", root)[0] == 0
    picture = tmp_path / "b.png"
    assert kins_says("show", root, "--image", "images/val/b.png", "-o", picture)[0] == 0
    code, said = kins_says(
        "complete", usual(tmp_path / "masks", labels=SQUARE), "-o", tmp_path / "pred.json", "--with", "convex"
    )
    assert (code, "2 instances in 3 images" in said) == (0, True)
    code, said = kins_says("complete", root, "-o", tmp_path / "no.json")
    assert (code, said.endswith("--with boxes finds the masks of boxes, in the pictures")) == (2, True)
    with pytest.raises(KinsError, match="voc is read, and not written"):
        kins.load(root).save(tmp_path / "no", format="voc")


def test_boxes_alone_are_drawn_as_frames(tmp_path):
    (scene,) = kins.load(write(tmp_path, **{"a.png": "", "a.txt": BOX}))
    drawn = kins.draw.draw(scene, scale=1, labels=False, legend=False).any(axis=2)
    assert drawn[5, 10:30].all()
    assert drawn[5:15, 10].all()
    assert not drawn[9:12, 14:26].any()
    assert not drawn[:5].any()
