"""Cityscapes' pictures of numbers and polygons."""

import json

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.folders.test_yolo import kins_says

import kins
from kins import KinsError
from kins.formats.folders.sheets import STRIDE

HEIGHT, WIDTH = 20, 40
ROAD = [[0, 0], [40, 0], [40, 20], [0, 20]]
LEFT = [[5, 5], [25, 5], [25, 15], [5, 15]]
RIGHT = [[15, 2], [35, 2], [35, 18], [15, 18]]


def polygons(*objects, height=HEIGHT, width=WIDTH):
    found = [{"label": label, "polygon": points} for label, points in objects]
    return json.dumps({"imgHeight": height, "imgWidth": width, "objects": found})


def usual(root, text=None, numbers=None, city="train/aachen", name="aachen_000000_000019", fine="gtFine"):
    labels, pictures = root / fine / city, root / "leftImg8bit" / city
    for folder in (labels, pictures):
        folder.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (WIDTH, HEIGHT)).save(pictures / f"{name}_leftImg8bit.png")
    if text is not None:
        (labels / f"{name}_{fine}_polygons.json").write_text(text)
    if numbers is not None:
        PIL.Image.fromarray(numbers.astype(np.uint16)).save(labels / f"{name}_{fine}_instanceIds.png")
    return root


def test_pictures_of_numbers(tmp_path):
    numbers = np.full((HEIGHT, WIDTH), 7)
    numbers[2:6, 3:9], numbers[8:12, 3:9], numbers[:, 30:], numbers[0, 0] = 26000, 33001, 24, 65535
    root = usual(tmp_path, polygons(("car", ROAD)), numbers)
    (scene,) = kins.load(root)
    assert scene.image.file_name == "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
    assert scene.read_image().shape == (HEIGHT, WIDTH, 3)
    found = [(i.id - STRIDE, i.category, i.category_id, i.inmodal.area, i.crowd, i.amodal) for i in scene]
    assert found == [
        (24, "person", 24, 200, True, None),
        (26000, "car", 26, 24, False, None),
        (33001, "bicycle", 33, 24, False, None),
    ]
    np.testing.assert_array_equal(scene[1].inmodal.to_array(), numbers == 26000)
    for path, images in ((root / "gtFine", None), (root / "gtFine" / "train", root / "leftImg8bit" / "train")):
        dataset = kins.load(path, images=images)
        assert [len(scene) for scene in dataset] == [3]
        assert (dataset.images_dir is None) == (images is None)
    with pytest.raises(KinsError, match="no reliable whole ones; leave --as out"):
        kins.load(root, masks="amodal")


def test_later_polygons_hide_earlier_ones(tmp_path):
    text = polygons(
        *(("road", ROAD), ("car", LEFT), ("cargroup", [[0, 0], [4, 0], [4, 4], [0, 4]]), ("sky", RIGHT)),
        *(("license plate", LEFT), ("rider", [[5, 5], [7, 5]]), ("truck", [[36, 0], [40, 0], [40, 5], [36, 5]])),
        ("tunnel", [[36, 0], [40, 0], [40, 5], [36, 5]]),
    )
    (scene,) = kins.load(usual(tmp_path, text))
    assert [(i.id - STRIDE, i.category, i.inmodal.area, i.crowd) for i in scene] == [
        (2, "car", 100, False),
        (3, "car", 16, True),
    ]
    value = json.loads(text)
    value["objects"][3]["deleted"] = 1
    (scene,) = kins.load(usual(tmp_path, json.dumps(value)))
    assert scene[0].inmodal.area == 200
    usual(tmp_path, polygons(("car", ROAD)), fine="gtCoarse")
    assert [len(scene) for scene in kins.load(tmp_path)] == [2]
    alone = tmp_path / "b.json"
    alone.write_text(text)
    (scene,) = kins.load(alone)
    assert (scene.image.file_name, len(scene)) == ("b.png", 2)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(1, 20), st.integers(1, 12), st.booleans()),
        min_size=1,
        max_size=7,
    )
)
def test_what_is_seen_is_what_a_painter_leaves(tmp_path_factory, rectangles):
    """Rectangles painted with Pillow, one over the other."""
    canvas = PIL.Image.new("L", (WIDTH, HEIGHT))
    objects = []
    for number, (x, y, width, height, is_car) in enumerate(rectangles, 1):
        PIL.ImageDraw.Draw(canvas).rectangle([x, y, x + width - 1, y + height - 1], fill=number)
        corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
        objects.append(("car" if is_car else "building", corners))
    folder = tmp_path_factory.mktemp("cityscapes")
    (folder / "a_gtFine_polygons.json").write_text(polygons(*objects))
    (scene,) = kins.load(folder)
    painted = np.asarray(canvas)
    expected = {n: painted == n for n, (*_, is_car) in enumerate(rectangles, 1) if is_car and (painted == n).any()}
    assert [i.id - STRIDE for i in scene] == list(expected)
    for instance in scene:
        np.testing.assert_array_equal(instance.inmodal.to_array(), expected[instance.id - STRIDE])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (polygons(height=10**9), "image size 40 x 1000000000 is not between"),
        (polygons(height=2**70), "imgHeight|image size"),
        (polygons(("car", [[0, 0], [1e9, 0], [1, 1]])), r"objects\[0\]\.polygon"),
        (polygons(("car", [[0, 0, 0]] * 3)), "objects"),
        (polygons(("car", [])).replace('"car"', "7"), "objects"),
        (polygons(*[("car", LEFT)] * 20_001), "20001 instances in an image"),
        ('{"imgHeight": 5, "imgWidth": 5, "objects": 5}', "objects"),
        ('{"imgHeight": 5, "imgWidth": 5, "objects": [', "JSON|truncated|Input"),
    ],
)
def test_files_that_are_refused(tmp_path, text, said):
    with pytest.raises(KinsError, match=said) as error:
        kins.load(usual(tmp_path, text))[1].instances[0].whole.area  # noqa: B018
    assert "polygons.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_commands(tmp_path):
    numbers = np.zeros((HEIGHT, WIDTH), int)
    numbers[2:12, 3:9] = 26000
    root = usual(tmp_path / "in", numbers=numbers)
    assert kins_says("convert", root, tmp_path / "seen.json", "--to", "kins2020")[0] == 0
    assert kins.load(tmp_path / "seen.json")[1][0].inmodal.area == 60
    code, said = kins_says("validate", root)
    assert (code, "cityscapes, 1 images, 1 instances" in said) == (0, True)
    usual(tmp_path / "in", polygons())
    said = kins_says("doctor", root)[1]
    assert f"ok  {root}  cityscapes, 1 images, 1 instances, 10 categories" in said
    assert "polygons.json" not in said
    (tmp_path / "in" / "gtFine" / "train" / "aachen" / "x_gtFine_instanceIds.png").write_bytes(b"\x89PNG")
    assert "can't be read as an image" in kins_says("validate", root)[1]
