"""Pascal VOC's XML files and pictures of masks."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.formats.folders.test_yolo import kins_says

import kins
from kins import KinsError
from kins.formats.folders import voc
from kins.formats.folders.sheets import STRIDE, masks_of

HEIGHT, WIDTH = 20, 40
SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"


def thing(name, *box, more=""):
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name>{more}<bndbox>{sides}</bndbox></object>"


def xml(*objects, size=SIZE, name="a.jpg"):
    return f"<annotation verified='yes'><filename>{name}</filename>{size}{''.join(objects)}</annotation>"


def palette(path, numbers):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PIL.Image.fromarray(numbers.astype(np.uint8), "L").convert("L")
    picture.putpalette([value for number in range(256) for value in (number * 7 % 256, number, 255 - number)])
    picture.save(path)


def usual(root, text, stem="a", **maps):
    for folder in ("Annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "Annotations" / f"{stem}.xml").write_text(text)
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(root / "JPEGImages" / f"{stem}.jpg")
    for folder, numbers in maps.items():
        palette(root / folder / f"{stem}.png", numbers)
    return root


def test_boxes_begin_at_one_and_both_corners_belong_to_them(tmp_path):
    flags = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>yes</occluded>"
    root = usual(tmp_path, xml(thing("dog", 1, 1, 10, 20, more=flags), thing("person", "3.5", "2", "40", "4")))
    dataset = kins.load(root)
    assert (list(dataset.categories), dataset.categories[12], dataset.left_out) == (list(range(1, 21)), "dog", ())
    dog, person = dataset["a.jpg"]
    assert (dog.inmodal_box, dog.whole, dog.category_id, dog.id) == ((0, 0, 10, 20), None, 12, STRIDE + 1)
    assert dog.extra == {"pose": "Left", "truncated": 1, "difficult": 0}
    assert person.inmodal_box == (2.5, 1, 37.5, 3)
    assert kins.load(root, masks="amodal")["a.jpg"][0].amodal_box == (0, 0, 10, 20)
    assert dataset["a.jpg"].read_image().shape == (HEIGHT, WIDTH, 3)


def test_masks_join_their_objects(tmp_path):
    objects, classes = np.zeros((2, HEIGHT, WIDTH), int)
    objects[2:8, 3:9], classes[2:8, 3:9] = 1, 12
    objects[10:15, 3:9], classes[10:15, 3:9] = 2, 8  # a cat, where the XML file has a person
    objects[1, :], classes[1, :] = 255, 255
    objects[16:18, 20:30], classes[16:18, 20:30] = 4, 3
    text = xml(thing("dog", 4, 3, 9, 8), thing("person", 1, 1, 5, 5))
    maps = {"SegmentationObject": objects, "SegmentationClass": classes}
    dataset = kins.load(usual(tmp_path, text, **maps))
    found = [(i.id - STRIDE, i.category, i.inmodal and i.inmodal.area, i.inmodal_box) for i in dataset["a.jpg"]]
    assert found == [
        (1, "dog", 36, (3, 2, 6, 6)),
        (2, "person", None, (0, 0, 5, 5)),
        (voc.ALONE + 2, "cat", 30, None),
        (voc.ALONE + 4, "bird", 20, None),
    ]
    np.testing.assert_array_equal(dataset["a.jpg"][0].inmodal.to_array(), objects == 1)
    with pytest.raises(KinsError, match="which is what is seen; leave --as out"):
        kins.load(tmp_path, masks="amodal")
    palette(tmp_path / "SegmentationClass" / "a.png", classes[:, :-1])
    with pytest.raises(KinsError, match=r"SegmentationClass/a\.png: is 39 x 20 pixels, its picture 40 x 20"):
        kins.load(tmp_path)[1]
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "SegmentationObject" / "a.png")
    with pytest.raises(KinsError, match="mode RGB; numbers are a PNG, grey or with a palette"):
        kins.load(tmp_path)[1]


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 4)))
def test_masks_are_the_pixels_of_each_number(numbers):
    found = masks_of(numbers)
    assert list(found) == [n for n in np.unique(numbers).tolist() if n]
    for number, mask in found.items():
        np.testing.assert_array_equal(mask.to_array(), numbers == number)


def test_sizes_are_the_pictures(tmp_path):
    root = usual(tmp_path / "in", xml(thing("wheel", 1, 1, 10, 20), size=SIZE.replace("40", "41")))
    dataset = kins.load(root)
    assert (dataset.images[1].width, dataset.categories) == (40, {1: "wheel"})
    assert dataset.left_out == ("1 XML files with another size than their picture has, which counts",)
    alone = tmp_path / "alone.xml"
    alone.write_text(xml(thing("dog", 1, 1, 10, 20)))
    assert kins.load(alone).images[1].file_name == "a.jpg"
    for size, said in (("", "states no size"), (SIZE.replace("40", "999999999"), "image size 999999999 x 20")):
        alone.write_text(xml(size=size, name="../../x/b.jpg"))
        with pytest.raises(KinsError, match=said):
            kins.load(alone)
    beside = tmp_path / "beside"
    beside.mkdir()
    PIL.Image.new("RGB", (7, 5)).save(beside / "b.png")
    (beside / "x.xml").write_text(xml(size="", name="C:\\pictures\\b.png"))
    (beside / "other.xml").write_text("<a/>")
    dataset = kins.load(beside, format="voc")
    assert (dataset.images[1].file_name, dataset.images[1].height) == ("b.png", 5)
    assert dataset.left_out == ("1 XML files that are not Pascal VOC's",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (xml(thing("dog", 1, 1, 10, "nan")), r"object\[0\]\.bndbox: 'nan' is not a number"),
        (xml(thing("dog", 1, 1, 10, "1e30")), r"object\[0\]\.bndbox: has numbers .* far outside"),
        (xml(thing("dog", 1, 1, 10, "")), r"object\[0\]\.bndbox: '' is not a number"),
        (xml(thing("", 1, 1, 10, 10)), r"object\[0\]: has no name"),
        ("<annotation><object></annotation>", "is not valid XML"),
        ("<?xml version='1.0'?><!-- a --><annotation>&b;</annotation>", "is not valid XML"),
        (xml() + "<a>", "is not valid XML"),
        (xml("<object/>" * 60_000), "labels, more than"),
    ],
)
def test_files_that_are_refused(tmp_path, text, said):
    with pytest.raises(KinsError, match=said) as error:
        kins.load(usual(tmp_path, text))
    assert "a.xml: " in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_define_entities_are_refused(tmp_path):
    text = "<!DOCTYPE a [<!ENTITY b 'c'>]>" + xml(thing("&b;", 1, 1, 2, 2))
    with pytest.raises(KinsError, match=r"a\.xml: defines a document type or entities"):
        kins.load(usual(tmp_path, text))


def test_the_commands(tmp_path):
    objects = np.zeros((HEIGHT, WIDTH), int)
    objects[2:8, 3:9] = 1
    text = xml(thing("dog", 4, 3, 9, 8), thing("person", 30, 3, 30, 2))
    root = usual(tmp_path / "in", text, SegmentationObject=objects)
    code, said = kins_says("convert", root, tmp_path / "seen.json", "--to", "coco")
    assert (code, "not kept: 1 objects without a box" in said) == (0, True)
    assert [i.inmodal.area for i in kins.load(tmp_path / "seen.json", masks="inmodal")[1]] == [36]
    assert kins_says("validate", root)[0] == 0
    assert f"ok  {root}  all pictures are in {root / 'JPEGImages'}" in kins_says("doctor", root)[1]
    assert kins_says("complete", root, "-o", tmp_path / "whole.json", "--with", "convex")[0] == 0
